//! What an issuer sends when somebody signed out there (OpenID Connect Back-Channel Logout 1.0).

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::{provider::Provider, seconds};
use crate::{
    auth::jwt::{Expected, JwtError},
    domain::time::Time,
};

/// How old a logout token may be, in seconds.
const MOST_AGE: i64 = 300;
/// Names of logout tokens that are remembered at most.
const MOST_SEEN: usize = 50_000;
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
    pub issued_at: Time,
}

/// Names of logout tokens that were used lately, by this replica.
///
/// Each replica remembers its own, and that is enough: what a logout token does is done once however often it comes. It ends the
/// sessions of its subject or `sid` that began before the second it was issued in was over, and those have ended. Sent again to another
/// replica within the five minutes that it is young, it finds none of them live, and none that began later is meant by it
/// (`issued_at`), so it changes nothing and answers 200 where this replica would say that it was used. Sharing the names would put a
/// write for every logout into the database and refuse nothing that is not refused anyway.
#[derive(Default)]
pub struct Seen(Mutex<HashMap<String, i64>>);

impl Seen {
    /// Notes one; false when it was used before.
    fn first(&self, name: String, now: i64) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST_SEEN {
            seen.retain(|_, at| now - *at <= 2 * MOST_AGE);
        }
        // When they are still too many, the age alone bounds a repetition.
        seen.len() >= MOST_SEEN || seen.insert(name, now).is_none()
    }
}

/// Reads a logout token.
///
/// # Errors
/// What is wrong with it.
pub async fn read(provider: &Provider, token: &str, seen: &Seen, now: Time) -> Result<Logout, JwtError> {
    let no = |why: &str| JwtError(why.to_owned());
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
    let name = claims.text("jti").ok_or_else(|| no("has no `jti`"))?;
    if !seen.first(format!("{}\n{name}", settings.name), seconds(now)) {
        return Err(no("was used before"));
    }
    // The whole second counts: a session of the same second is meant.
    Ok(Logout { subject, sid, issued_at: Time::from_micros((issued + 1) * 1_000_000) })
}
