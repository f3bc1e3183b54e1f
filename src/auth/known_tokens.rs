//! Tokens seen lately, so that a command need not look its token up twice: the ledger looks at it again under the head lock
//! and refuses a dead one. Nothing that is only read is ever answered by this memory.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::domain::{time::Time, token::Token};

/// For how long a token is remembered, in microseconds.
const REMEMBERED: i64 = 60_000_000;
/// How many are remembered; one more begins anew.
const MOST: usize = 20_000;

/// Tokens by the SHA-256 of their secret.
#[derive(Default)]
pub struct KnownTokens(Mutex<HashMap<String, (Token, Time)>>);

impl KnownTokens {
    /// The token of a secret, if it was seen within the last minute.
    pub fn get(&self, sha256: &str, now: Time) -> Option<Token> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (token, seen) = known.get(sha256)?;
        (now.micros() - seen.micros() < REMEMBERED).then(|| token.clone())
    }

    /// Remembers one.
    pub fn put(&self, sha256: String, token: &Token, now: Time) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(sha256, (token.clone(), now));
    }
}
