//! A sign-in on its way: what the browser that began it keeps, sealed, in a cookie of its own until it comes back.
//!
//! Nothing of it is kept here, so beginning a sign-in changes nothing and costs nothing. That one sign-in begins one session is
//! for the ledger to say, under the head lock: a session names the `state` that began it.

use std::num::NonZeroU32;

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    pbkdf2,
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Serialize};

use super::seconds;
use crate::{
    domain::{id::IssuerName, time::Time},
    settings::Issuer,
};

/// How long a sign-in may take, in seconds.
pub const LASTS_SECONDS: i64 = 600;

/// How often a secret is hashed on its way to a key. Anybody may fetch a sealed sign-in and try secrets on it for as long as they
/// like, so each try must cost something; here it costs a moment, once a start.
const ROUNDS: NonZeroU32 = NonZeroU32::new(100_000).expect("not zero");

/// A sign-in on its way.
#[derive(Clone, Serialize, Deserialize)]
pub struct Attempt {
    /// At which issuer.
    pub issuer: IssuerName,
    /// Comes back with the browser.
    pub state: String,
    /// Comes back in the ID token.
    pub nonce: String,
    /// Proves to the issuer that whoever brings the code began the sign-in (PKCE).
    pub verifier: String,
    /// Where to go afterwards: a path of this site.
    pub return_to: String,
    /// When it began, in seconds.
    pub began: i64,
}

/// Seals and opens attempts. The key comes, slowly, from the issuer's client secret, which every replica has.
pub struct Sealer(Vec<(IssuerName, LessSafeKey)>);

impl Sealer {
    /// Keys for issuers; `own_key` serves where there is no client secret, and then each replica takes back its own only.
    pub(super) fn new(issuers: &[Issuer], own_key: &[u8]) -> Self {
        let key = |issuer: &Issuer| {
            let secret = issuer.client_secret.reveal().as_bytes();
            let from = if secret.is_empty() { own_key } else { secret };
            let salt = format!("bandpass sign-in\0{}\0{}", issuer.url, issuer.client_id);
            let mut derived = [0_u8; 32];
            pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt.as_bytes(), from, &mut derived);
            let unbound = UnboundKey::new(&CHACHA20_POLY1305, &derived).ok()?;
            Some((issuer.name.clone(), LessSafeKey::new(unbound)))
        };
        Self(issuers.iter().filter_map(key).collect())
    }

    fn key(&self, issuer: &IssuerName) -> Option<&LessSafeKey> {
        self.0.iter().find(|(name, _)| name == issuer).map(|(_, key)| key)
    }

    /// What the cookie holds.
    ///
    /// # Errors
    /// When the system has no randomness, or the issuer is not configured.
    pub fn seal(&self, attempt: &Attempt) -> Result<String, String> {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let failed = || "the sign-in could not be sealed".to_owned();
        let key = self.key(&attempt.issuer).ok_or_else(failed)?;
        let mut nonce = [0_u8; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| failed())?;
        let mut text = serde_json::to_vec(attempt).map_err(|_| failed())?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(attempt.issuer.as_str()), &mut text).map_err(|_| failed())?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &text].concat()))
    }

    /// Opens a cookie of an issuer; none when it is forged, another issuer's, or older than ten minutes.
    pub fn open(&self, issuer: &IssuerName, cookie: &str, now: Time) -> Option<Attempt> {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let bytes = URL_SAFE_NO_PAD.decode(cookie).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let text = self.key(issuer)?.open_in_place(nonce, Aad::from(issuer.as_str()), &mut sealed).ok()?;
        let attempt: Attempt = serde_json::from_slice(text).ok()?;
        let age = seconds(now) - attempt.began;
        (attempt.issuer == *issuer && (-60..LASTS_SECONDS).contains(&age)).then_some(attempt)
    }
}
