//! What happens around every request: identify, authorise by the route's entry, bound the time, add headers, count.

use std::{sync::Arc, time::{Duration, Instant}};

use actix_web::{
    HttpMessage, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, header::{self, HeaderMap}},
    middleware::Next,
    web::Data,
};

use super::{AppState, problem::Problem, routes};
use crate::{
    auth::{Caller, Credential, access::{Access, Refused}, jwt::caller, session, sessions},
    domain::token::Scope,
    ledger::fresh_id,
    settings::SigninMode,
};

/// Longest time for a whole answer beyond the time for reading.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The middleware.
pub async fn guard(state: Data<AppState>, request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let about = About { id: fresh_id().to_string(), pattern: request.match_pattern(), method: method.clone(), path: path.clone(), started: Instant::now() };
    let limit = Duration::from_secs(state.settings.server.read_timeout_seconds) + ANSWER_WITHIN;
    let answered = tokio::time::timeout(limit, inside(&state, request, next, about.pattern.as_deref())).await;
    let mut response = match answered {
        // An error of a handler or of an extractor is told here, as a page or as JSON.
        Ok(Ok(response)) => match response.response().error().map(|error| error_page(&state, &path, error)) {
            Some(told) => response.into_response(told),
            None => response,
        },
        Ok(Err(error)) => return Err(error),
        Err(_) => {
            let mut told = error_page(&state, &path, &too_slow(&method).into());
            finish(&state, &about, told.status(), told.headers_mut());
            return Err(actix_web::error::InternalError::from_response("too slow", told).into());
        }
    };
    let status = response.status();
    finish(&state, &about, status, response.headers_mut());
    Ok(response)
}

/// What was asked, and when.
struct About {
    id: String,
    pattern: Option<String>,
    method: Method,
    path: String,
    started: Instant,
}

/// Nothing came of a request in time. One that has a body may not have arrived.
fn too_slow(method: &Method) -> Problem {
    if matches!(*method, Method::GET | Method::HEAD) {
        let mut problem = Problem::new(503, "too_slow", "Too slow", "the answer took too long; nothing was changed".to_owned());
        problem.retry_after = Some(5);
        return problem;
    }
    Problem::new(408, "too_slow", "Too slow", "the request did not arrive in time, or carrying it out took too long: look whether it was done before sending it again".to_owned())
}

/// Counts and logs an answer, and gives it the headers that every answer has.
fn finish(state: &AppState, about: &About, status: StatusCode, headers: &mut HeaderMap) {
    let About { id, pattern, method, path, started } = about;
    state.metrics.answered(pattern.as_deref().unwrap_or("none"), method.as_str(), status.as_u16(), started.elapsed());
    let level_info = path != "/healthz" && path != "/readyz" && path != "/metrics";
    if level_info {
        tracing::info!(request.id = %id, method = %method, path = %path.escape_debug(), status = status.as_u16(), ms = started.elapsed().as_secs_f64() * 1000.0, "answered");
    }
    let mut set = |name: header::HeaderName, value: &str| {
        if let Ok(value) = header::HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::HeaderName::from_static("x-request-id"), id);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    if state.is_https() {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=63072000");
    }
    if !path.starts_with("/assets/") {
        set(header::CACHE_CONTROL, "no-store");
    }
}

fn wants_page(path: &str) -> bool {
    !path.starts_with("/api/") && !path.starts_with("/scim/") && !matches!(path, "/healthz" | "/readyz" | "/metrics" | "/openapi.json")
}

fn error_page(state: &AppState, path: &str, error: &actix_web::Error) -> HttpResponse {
    let response = error.error_response();
    let told_as_api = path.starts_with("/api/") || !(wants_page(path) || path.starts_with("/scim/"));
    if response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/problem+json")) && told_as_api {
        return response;
    }
    if error.as_error::<super::scim::error::ScimError>().is_some() {
        return response;
    }
    let problem = match error.as_error::<Problem>() {
        Some(problem) => problem.clone(),
        None if response.status().is_server_error() => {
            tracing::error!(%error, "a handler failed");
            Problem::new(500, "failed", "Something failed here", "it was logged; nothing was changed".to_owned())
        }
        None => Problem::new(response.status().as_u16(), "malformed", "The request is malformed", error.to_string()),
    };
    if path.starts_with("/scim/") {
        return actix_web::ResponseError::error_response(&super::scim::error::ScimError::from(problem));
    }
    if wants_page(path) { super::ui::errors::page(&problem, state.is_development()) } else { actix_web::ResponseError::error_response(&problem) }
}

async fn inside(
    state: &Data<AppState>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    pattern: Option<&str>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    match admit(state, &request, pattern).await {
        Ok(Admitted::Go) => Ok(next.call(request).await?.map_into_boxed_body()),
        Ok(Admitted::SignIn(target)) => {
            let response = HttpResponse::SeeOther().insert_header((header::LOCATION, target)).finish();
            Ok(request.into_response(response))
        }
        Err(problem) => {
            let told = error_page(state, request.path(), &problem.into());
            Ok(request.into_response(told))
        }
    }
}

/// What the guard decides.
enum Admitted {
    /// On to the handler.
    Go,
    /// To the sign-in page, at this address.
    SignIn(String),
}

async fn admit(state: &Data<AppState>, request: &ServiceRequest, pattern: Option<&str>) -> Result<Admitted, Problem> {
    let path = request.path().to_owned();
    let Some(pattern) = pattern else {
        return Err(Problem::not_found("page"));
    };
    let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
    let Some(access) = routes::access(&method, pattern) else {
        let allow = routes::methods(pattern).join(", ");
        let mut problem = Problem::new(405, "wrong_method", "Wrong method", format!("`{path}` has {allow}"));
        problem.allow = Some(allow);
        return Err(problem);
    };
    if access != Access::Public || path == "/signin" {
        // The ledger looks at the token of a command again.
        let decided_by_ledger = method == Method::POST && matches!(access, Access::SignedIn(Scope::Request | Scope::Approve));
        match identify(state, request, decided_by_ledger).await {
            Ok(caller) => {
                if let Some(refused) = access.refuses(&caller) {
                    state.refusals.note(&caller, &format!("{method} {pattern}"), "not_allowed", &path);
                    let problem = Problem::not_allowed(refused.to_string());
                    return Err(match refused {
                        Refused::Scope(scope) => problem.of_token("insufficient_scope", Some(scope.as_str())),
                        Refused::Role(_) => problem,
                    });
                }
                if method != Method::GET && caller.is_browser() && is_foreign(state, request) {
                    state.refusals.note(&caller, &format!("{method} {pattern}"), "foreign_origin", &path);
                    return Err(Problem::not_allowed("the request came from another site"));
                }
                if method != Method::GET && path.starts_with("/api/") {
                    is_json(request)?;
                }
                request.extensions_mut().insert(Arc::new(caller));
            }
            Err(problem) if access == Access::Public => drop(problem),
            Err(problem) if problem.status == 401 && wants_page(&path) && method == Method::GET => {
                let target = format!("/signin?return_to={}", super::ui::encode(&request.uri().to_string()));
                return Ok(Admitted::SignIn(target));
            }
            Err(problem) => return Err(problem),
        }
    }
    Ok(Admitted::Go)
}

/// Whether a change from a browser comes from somewhere else than our own pages: `Origin` and `Sec-Fetch-Site` must not say so. A
/// form may lack both (older browsers), since the handler checks the token in it as well; a call of the API has no such token.
fn is_foreign(state: &AppState, request: &ServiceRequest) -> bool {
    let headers = request.headers();
    let site = headers.get("sec-fetch-site").map(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    let origin = headers.get(header::ORIGIN).map(|origin| state.is_own_origin(origin.as_bytes()));
    match (site, origin) {
        (Some(false), _) | (_, Some(false)) => true,
        (None, None) => request.path().starts_with("/api/"),
        _ => false,
    }
}

/// A body of the API is `application/json` and nothing that merely ends in it: of what a page elsewhere may send without asking
/// first, nothing may pass for it.
fn is_json(request: &ServiceRequest) -> Result<(), Problem> {
    let Some(kind) = request.headers().get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(415, "wrong_type", "Wrong content type", "send the body as `application/json`".to_owned()))
}

/// Who calls: a token of ours, a JWT of an issuer, or a session's cookie.
async fn identify(state: &AppState, request: &ServiceRequest, decided_by_ledger: bool) -> Result<Caller, Problem> {
    let snapshot = state.ledger.snapshot();
    let now = state.ledger.now();
    let active = |id: &str| snapshot.directory.person(id).filter(|p| p.is_active()).cloned();
    if let Some(authorization) = request.headers().get(header::AUTHORIZATION) {
        // The scheme in any case (RFC 9110, 11.1).
        let bearer = authorization.to_str().ok().and_then(|t| t.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim_start());
        let Some(bearer) = bearer.filter(|b| b.starts_with("bp_") || !state.is_development()) else {
            let what = if state.is_development() { "expected `Authorization: Bearer bp_…`" } else { "expected `Authorization: Bearer`, and a token or a JWT" };
            return Err(Problem::unknown_caller(what));
        };
        let caller = match bearer.starts_with("bp_") {
            true => by_token(state, bearer, decided_by_ledger).await,
            false => by_jwt(state, bearer).await,
        };
        return caller.map_err(|problem| if problem.status == 401 { problem.of_token("invalid_token", None) } else { problem });
    }
    let nobody = || Problem::unknown_caller("sign in, or send a token as `Authorization: Bearer bp_…`");
    let cookie = request.cookie(&state.session_cookie()).ok_or_else(nobody)?;
    match state.settings.signin.mode {
        SigninMode::Development => {
            state.check_development(request.request())?;
            let session = state.sessions.read(cookie.value(), now).ok_or_else(nobody)?;
            let person = active(session.person.as_str()).ok_or_else(nobody)?;
            Ok(Caller::new(person, Credential::Session(None), session.csrf, snapshot, &state.reader).await?)
        }
        SigninMode::Oidc => {
            let open = sessions::find(cookie.value(), state.settings.signin.idle, &state.last_seen, &state.reader, now).await?.ok_or_else(nobody)?;
            let person = active(open.session.person.as_str()).ok_or_else(nobody)?;
            Ok(Caller::new(person, Credential::Session(Some(open.session.id)), sessions::csrf(cookie.value()), snapshot, &state.reader).await?)
        }
    }
}

async fn by_token(state: &AppState, secret: &str, decided_by_ledger: bool) -> Result<Caller, Problem> {
    if session::is_of_development(secret) && !state.is_development() {
        return Err(Problem::unknown_caller("this token was made under the development sign-in, which is off"));
    }
    let (snapshot, now) = (state.ledger.snapshot(), state.ledger.now());
    let hash = session::secret_hash(secret);
    let token = match state.tokens.get(&hash, now).filter(|_| decided_by_ledger) {
        Some(token) => Some(token),
        None => {
            let token = state.reader.token_by_secret(hash.clone()).await?;
            if let Some(token) = &token {
                state.tokens.put(hash, token, now);
            }
            token
        }
    };
    let token = token.filter(|t| t.revoked_at.is_none() && t.expires_at > now);
    let Some(token) = token else { return Err(Problem::unknown_caller("this token is not known, has expired or was revoked")) };
    let person = snapshot.directory.person(token.person.as_str()).filter(|p| p.is_active()).cloned();
    let Some(person) = person else { return Err(Problem::unknown_caller("the token's owner has left")) };
    state.last_used.note(token.id, now);
    Ok(Caller::new(person, Credential::Token(token), String::new(), snapshot, &state.reader).await?)
}

async fn by_jwt(state: &AppState, jwt: &str) -> Result<Caller, Problem> {
    let (snapshot, now) = (state.ledger.snapshot(), state.ledger.now());
    match caller::identify(&state.issuers, jwt, &snapshot, &state.reader, now).await {
        Ok(found) => {
            let credential = Credential::Jwt(found.bearer, found.service);
            Ok(Caller::new(found.person, credential, String::new(), snapshot, &state.reader).await?)
        }
        Err(caller::Unknown::Token(why)) => Err(Problem::unknown_caller(&why)),
        Err(caller::Unknown::Keys) => Err(Problem::issuer_away()),
        Err(caller::Unknown::Store(error)) => Err(error.into()),
    }
}
