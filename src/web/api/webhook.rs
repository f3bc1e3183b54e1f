//! The webhook of the policy repository: a forge says that something was pushed, and the source is looked at at once.
//!
//! What it says is not read: it is only a bell, so a replayed or a forged one would cost one look. It is signed all the same.

use actix_web::{HttpRequest, HttpResponse, web::{Bytes, Data}};
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::hmac;

use crate::web::{AppState, problem::Problem};

/// The largest body, in bytes; a forge tells of a push in less.
pub const MOST_BYTES: usize = 1024 * 1024;
/// How far the time of a Standard Webhook may be from ours, in seconds.
const MOST_SKEW: i64 = 300;

fn header<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    request.headers().get(name)?.to_str().ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

/// Whether any of the signatures that forges use is right. Each comparison takes the same time for every wrong answer.
fn is_signed(request: &HttpRequest, body: &[u8], secret: &str, now_seconds: i64) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    if let Some(signature) = header(request, "x-hub-signature-256") {
        let given = signature.strip_prefix("sha256=").and_then(from_hex);
        return given.is_some_and(|given| hmac::verify(&key, body, &given).is_ok());
    }
    if let Some(token) = header(request, "x-gitlab-token") {
        // Both under one key: equal tags mean equal tokens.
        return hmac::verify(&key, token.as_bytes(), hmac::sign(&key, secret.as_bytes()).as_ref()).is_ok();
    }
    let (Some(id), Some(at), Some(list)) = (header(request, "webhook-id"), header(request, "webhook-timestamp"), header(request, "webhook-signature")) else {
        return false;
    };
    if !at.parse::<i64>().is_ok_and(|at| at.abs_diff(now_seconds) <= MOST_SKEW.unsigned_abs()) {
        return false;
    }
    let key = match secret.strip_prefix("whsec_").and_then(|s| STANDARD.decode(s).ok()) {
        Some(bytes) => hmac::Key::new(hmac::HMAC_SHA256, &bytes),
        None => key,
    };
    let signed = [format!("{id}.{at}.").as_bytes(), body].concat();
    let given = list.split(' ').filter_map(|s| STANDARD.decode(s.strip_prefix("v1,")?).ok());
    given.into_iter().any(|given| hmac::verify(&key, &signed, &given).is_ok())
}

/// Has the policy source looked at soon. Signed with `policy.webhook_secret`: `X-Hub-Signature-256`, `X-Gitlab-Token` or
/// Standard Webhooks. Any number of calls come to one look.
#[utoipa::path(post, path = "/api/v1/policy/webhook", tag = "service", request_body = Object, security(()), responses((status = 202), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub async fn ring(state: Data<AppState>, request: HttpRequest, body: Bytes) -> Result<HttpResponse, Problem> {
    let secret = state.settings.policy.webhook_secret.reveal();
    if secret.is_empty() {
        return Err(Problem::new(404, "not_found", "Not found", "there is no webhook: `policy.webhook_secret` is not set".to_owned()));
    }
    if !is_signed(&request, &body, secret, state.ledger.now().micros() / 1_000_000) {
        return Err(Problem::unknown_caller("the webhook is not signed with `policy.webhook_secret`"));
    }
    state.ledger.ring_for_policy();
    Ok(HttpResponse::Accepted().finish())
}
