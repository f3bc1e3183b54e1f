//! The keys that an issuer publishes, kept: a known key never waits, an unknown one is looked for at most once a minute, and a
//! withdrawn one is forgotten as soon as the list without it has been read. That is within minutes also when nobody comes
//! ([`KeyCache::refresh`]), so that a withdrawn key does not open once more to whoever comes first after a quiet night.

#[cfg(test)]
mod tests;

use std::{
    future::Future,
    sync::{Arc, PoisonError, RwLock},
};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde_json::Value;

use crate::domain::time::Time;

/// Between two looks at the list, in microseconds.
const AT_MOST_EVERY: i64 = 60_000_000;
/// A list of this age is read again beside the next use of it, in microseconds.
const REFRESH_AFTER: i64 = 5 * 60_000_000;
/// A list of this age is not used any more, however long the issuer is away, in microseconds.
const TRUSTED_FOR: i64 = 12 * 3600 * 1_000_000;
/// Keys of one issuer that are kept.
const MOST_KEYS: usize = 64;

/// One public key.
#[derive(Debug, Clone)]
pub struct Key {
    kid: Option<String>,
    only: Option<String>,
    algorithms: &'static [Algorithm],
    decoding: DecodingKey,
}

impl Key {
    /// The key as the JWT library wants it.
    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }

    fn read(value: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        if jwk.common.key_operations.as_ref().is_some_and(|operations| !operations.contains(&KeyOperations::Verify)) {
            return None;
        }
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        let algorithms: &'static [Algorithm] = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
            AlgorithmParameters::EllipticCurve(p) if p.curve == EllipticCurve::P256 => &[ES256],
            AlgorithmParameters::EllipticCurve(p) if p.curve == EllipticCurve::P384 => &[ES384],
            AlgorithmParameters::OctetKeyPair(p) if p.curve == EllipticCurve::Ed25519 => &[EdDSA],
            // A shared secret in a public list, or a curve that nothing here verifies.
            _ => return None,
        };
        let only = value.get("alg").and_then(Value::as_str).map(str::to_owned);
        Some(Self { kid: jwk.common.key_id.clone(), only, algorithms, decoding: DecodingKey::from_jwk(&jwk).ok()? })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm) && self.only.as_ref().is_none_or(|only| *only == format!("{algorithm:?}"))
    }
}

/// What an issuer publishes now.
#[derive(Debug, Clone, Default)]
pub struct KeySet(Vec<Arc<Key>>);

impl KeySet {
    /// Reads a JWKS; keys that cannot verify anything here are left out.
    ///
    /// # Errors
    /// When it is no JWKS, or has no usable key.
    pub fn read(document: &Value) -> Result<Self, String> {
        let keys = document.get("keys").and_then(Value::as_array).ok_or("its list of keys has no `keys`")?;
        let usable: Vec<Arc<Key>> = keys.iter().take(MOST_KEYS).filter_map(Key::read).map(Arc::new).collect();
        if usable.is_empty() { Err("its list of keys has none that can verify a signature".to_owned()) } else { Ok(Self(usable)) }
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key of a name; where the token names none, the only one that fits.
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<Arc<Key>> {
        let mut fitting = self.0.iter().filter(|k| k.fits(algorithm));
        match kid {
            Some(kid) => fitting.find(|k| k.kid.as_deref() == Some(kid)).cloned(),
            None => {
                let only = fitting.next()?;
                fitting.next().is_none().then(|| Arc::clone(only))
            }
        }
    }
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The issuer publishes none of that name.
    #[error("is signed with a key that the issuer does not publish")]
    Unknown,
    /// The issuer's keys cannot be had.
    #[error("cannot be verified: {0}")]
    Unavailable(String),
}

#[derive(Default)]
struct Kept {
    set: KeySet,
    read_at: Option<Time>,
    tried_at: Option<Time>,
    trouble: Option<String>,
}

/// The kept keys of one issuer.
#[derive(Clone, Default)]
pub struct KeyCache {
    kept: Arc<RwLock<Kept>>,
    reading: Arc<tokio::sync::Mutex<()>>,
}

impl KeyCache {
    fn look<T>(&self, look: impl FnOnce(&Kept) -> T) -> T {
        look(&self.kept.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key that a header names. `fetch` reads the issuer's list.
    ///
    /// # Errors
    /// When there is none, now or for want of a list.
    pub async fn key<F, T>(&self, kid: Option<&str>, algorithm: Algorithm, now: Time, fetch: F) -> Result<Arc<Key>, KeyError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Future<Output = Result<KeySet, String>> + Send,
    {
        let (found, age, may_read) = self.look(|kept| {
            let age = kept.read_at.map(|at| now.micros() - at.micros());
            let found = age.filter(|age| *age < TRUSTED_FOR).and_then(|_| kept.set.find(kid, algorithm));
            (found, age, may_read(kept, now))
        });
        if let Some(found) = found {
            if may_read && age.is_some_and(|age| age > REFRESH_AFTER) {
                let cache = self.clone();
                tokio::spawn(async move { cache.read(now, fetch).await });
            }
            return Ok(found);
        }
        if may_read {
            self.read(now, fetch).await;
        }
        self.look(|kept| {
            let trusted = kept.read_at.is_some_and(|at| now.micros() - at.micros() < TRUSTED_FOR);
            match (trusted.then(|| kept.set.find(kid, algorithm)).flatten(), &kept.trouble) {
                (Some(found), _) => Ok(found),
                (None, Some(trouble)) => Err(KeyError::Unavailable(trouble.clone())),
                (None, None) => Err(KeyError::Unknown),
            }
        })
    }

    /// Reads the list again when it is old. A list that nobody has needed yet is not read.
    pub async fn refresh<F, T>(&self, now: Time, fetch: F)
    where
        F: FnOnce() -> T,
        T: Future<Output = Result<KeySet, String>>,
    {
        if self.look(|kept| kept.read_at.is_some_and(|at| now.micros() - at.micros() >= REFRESH_AFTER)) {
            self.read(now, fetch).await;
        }
    }

    /// Reads the list, one reader at a time; whoever waited for another's reading does not read again.
    async fn read<F, T>(&self, now: Time, fetch: F)
    where
        F: FnOnce() -> T,
        T: Future<Output = Result<KeySet, String>>,
    {
        let _one = self.reading.lock().await;
        if !self.look(|kept| may_read(kept, now)) {
            return;
        }
        self.kept.write().unwrap_or_else(PoisonError::into_inner).tried_at = Some(now);
        let answer = fetch().await;
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(set) => {
                kept.set = set;
                kept.read_at = Some(now);
                kept.trouble = None;
            }
            Err(trouble) => {
                tracing::warn!(%trouble, "an issuer's keys could not be read; those that are known go on");
                kept.trouble = Some(trouble);
            }
        }
    }
}

fn may_read(kept: &Kept, now: Time) -> bool {
    kept.tried_at.is_none_or(|at| (now.micros() - at.micros()).abs() >= AT_MOST_EVERY)
}
