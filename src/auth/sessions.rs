//! Sessions that began with an issuer: rows of the database, known by the hash of a secret in a cookie.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::session::secret_hash;
use crate::{
    domain::{duration::Duration, id::SessionId, time::Time},
    store::{
        read::{Reader, StoreError},
        read_sessions::OpenSession,
    },
};

/// How often what was seen is written, in microseconds.
const WRITTEN_EVERY: i64 = 60_000_000;

/// The name of a cookie: over https it is bound to this host, every path and TLS (`__Host-`).
pub fn cookie_name(https: bool, stem: &str) -> String {
    if https { format!("__Host-{stem}") } else { stem.to_owned() }
}

/// A fresh secret for a cookie: 256 random bits in base64url.
///
/// # Errors
/// When the system has no randomness.
pub fn fresh_cookie() -> Result<String, String> {
    super::session::fresh_secret().map(|secret| secret.trim_start_matches("bp_").to_owned())
}

/// What forms of a session carry: follows from the cookie, which no other site can read, on whatever replica.
pub fn csrf(secret: &str) -> String {
    secret_hash(&format!("csrf\0{secret}"))
}

/// When something last came from sessions, or with tokens: at once here, and about once a minute in the database, where other replicas and
/// restarts find it.
pub struct LastSeen<K = SessionId>(Mutex<HashMap<K, (Time, Time)>>);

impl<K> Default for LastSeen<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Eq + std::hash::Hash> LastSeen<K> {
    fn of(&self, session: K) -> Option<Time> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&session).map(|(at, _)| *at)
    }

    /// Notes that something came now.
    pub fn note(&self, session: K, now: Time) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = seen.entry(session).or_insert((now, Time::from_micros(0)));
        entry.0 = entry.0.max(now);
    }

    /// What is to be written now; forgets what has not been seen for an hour.
    pub fn due(&self, now: Time) -> Vec<(K, Time)> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, (at, _)| now.seconds_since(*at) < 3600);
        let mut due = Vec::new();
        for (session, (at, written)) in seen.iter_mut().filter(|(_, (at, written))| at > written && now.micros() - written.micros() >= WRITTEN_EVERY) {
            *written = *at;
            due.push((*session, *at));
        }
        due
    }
}

/// The live session of a cookie, noted as seen; none when there is none, it ended, or it was idle for too long.
///
/// What another replica saw is known here a minute or so late, and only ever as earlier than it was: so a session may be over a minute
/// before its idle limit for somebody whose requests move to another replica, and lives on no replica longer than the limit. (The
/// event that says so follows later still: `jobs::sessions` waits until every replica has written what it saw.) With idle limits of
/// hours, a write a request to be exact would cost more than that minute.
///
/// # Errors
/// When the database cannot be read.
pub async fn find(secret: &str, idle: Duration, seen: &LastSeen, reader: &Reader, now: Time) -> Result<Option<OpenSession>, StoreError> {
    let Some(open) = reader.session_by_secret(secret_hash(secret)).await? else { return Ok(None) };
    let last = seen.of(open.session.id).map_or(open.seen_at, |here| here.max(open.seen_at));
    if !open.session.is_live(now) || now >= last.plus(idle) {
        return Ok(None);
    }
    seen.note(open.session.id, now);
    Ok(Some(open))
}
