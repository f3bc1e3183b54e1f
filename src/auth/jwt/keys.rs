//! The keys that an issuer publishes, kept: a known key waits for nothing while anybody calls, an unknown one is looked for at
//! most once a minute, and a withdrawn one is forgotten as soon as the list without it has been read ([`crate::auth::published`]).

use std::{future::Future, sync::Arc};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde_json::Value;

use crate::{
    auth::published::{Missing, Published, Terms},
    domain::time::Time,
};

const MINUTE: i64 = 60_000_000;
const TERMS: Terms = Terms { pause: MINUTE, due: 5 * MINUTE, quiet: 10 * MINUTE, most: 12 * 60 * MINUTE };
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// The issuer publishes none of that name.
    Unknown,
    /// The issuer's keys cannot be had: why, for the log.
    Unavailable(String),
}

/// The kept keys of one issuer.
pub struct KeyCache(Published<KeySet>);

impl Default for KeyCache {
    fn default() -> Self {
        Self(Published::new(TERMS))
    }
}

impl KeyCache {
    /// The key that a header names. `read` reads the issuer's list.
    ///
    /// # Errors
    /// When there is none, now or for want of a list.
    pub async fn key<F, T>(&self, kid: Option<&str>, algorithm: Algorithm, now: Time, read: F) -> Result<Arc<Key>, KeyError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Future<Output = Result<KeySet, String>> + Send + 'static,
    {
        self.0.find(now, |set| set.find(kid, algorithm), read).await.map_err(|missing| match missing {
            Missing::Unknown => KeyError::Unknown,
            Missing::Unavailable(why) => KeyError::Unavailable(why),
        })
    }
}
