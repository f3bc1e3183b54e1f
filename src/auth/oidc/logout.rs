//! What an issuer sends when somebody signed out there (OpenID Connect Back-Channel Logout 1.0).

use super::{provider::{Provider, TokenError}, seconds};
use crate::{
    auth::jwt::{Expected, JwtError, LEEWAY_SECONDS},
    domain::time::Time,
};

/// How old a logout token may be, in seconds.
const MOST_AGE: i64 = 300;
/// The event that makes a token one.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Whose sessions end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logout {
    /// The subject, if it names one.
    pub subject: Option<String>,
    /// The issuer's session, if it names one.
    pub sid: Option<String>,
    /// Sessions that began later are not meant: a token that comes twice ends nothing that it did not mean.
    pub until: Time,
}

/// Reads a logout token.
///
/// # Errors
/// What is wrong with it.
pub async fn read(provider: &Provider, token: &str, now: Time) -> Result<Logout, TokenError> {
    let no = |why: &str| TokenError::Wrong(JwtError(why.to_owned()));
    let settings = &provider.settings;
    let expected = Expected {
        issuer: &settings.url,
        audiences: std::slice::from_ref(&settings.client_id),
        algorithms: &settings.algorithms,
        kinds: &["logout+jwt", "jwt", ""],
        needs_subject: false,
        now,
    };
    let claims = provider.verify(token, &expected).await?;
    if !claims.get("events").and_then(|e| e.get(EVENT)).is_some_and(serde_json::Value::is_object) {
        return Err(no("is no logout token: its `events` lack back-channel logout"));
    }
    if claims.get("nonce").is_some() {
        return Err(no("is no logout token: it has a `nonce`"));
    }
    let (sub, sid) = (claims.text("sub"), claims.text("sid").map(str::to_owned));
    if sub.is_none() && sid.is_none() {
        return Err(no("names neither a `sub` nor a `sid`"));
    }
    // Where people are known by another claim than `sub`, it says nothing about whose sessions are meant.
    let subject = sub.filter(|_| settings.subject_claim == "sub").map(str::to_owned);
    if subject.is_none() && sid.is_none() {
        return Err(no("names a `sub`, and people of this issuer are known by another claim: have it send a `sid`"));
    }
    let issued = claims.instant("iat").unwrap_or(0);
    if seconds(now) - issued > MOST_AGE {
        return Err(no("is older than five minutes"));
    }
    // Every one must have a name, though none is remembered: a token that comes again ends nothing that it did not mean, and one
    // that could not be followed the first time must be followed when it comes again.
    if claims.text("jti").is_none() {
        return Err(no("has no `jti`"));
    }
    // The whole second counts, and the issuer's clock may be behind ours: better a session too many.
    Ok(Logout { subject, sid, until: Time::from_micros((issued + 1 + LEEWAY_SECONDS) * 1_000_000) })
}
