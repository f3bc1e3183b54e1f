//! Development sessions: a signed cookie, for this mode only (semantics.md, 31). Sessions that began with an issuer are rows
//! of the database ([`super::sessions`]).

use ring::{hmac, rand::{SecureRandom, SystemRandom}};

use crate::{
    domain::{id::PersonId, time::Time},
    ledger::tree::hex,
};

/// The cookie's name.
pub const COOKIE: &str = "bandpass_session";
/// How long a session lasts, in seconds.
pub const LIFETIME_SECONDS: i64 = 12 * 3600;

/// The key that signs sessions. Its domain holds the mode, so sessions die when the mode changes.
pub struct SessionKey(hmac::Key);

/// An open session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub person: PersonId,
    /// What forms of this session carry.
    pub csrf: String,
}

impl SessionKey {
    /// Reads the key from a file, or makes one (mode 0600).
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn open(file: &std::path::Path) -> Result<Self, String> {
        let shown = file.display();
        let bytes = match std::fs::read(file) {
            Ok(bytes) if bytes.len() == 32 => bytes,
            Ok(_) => return Err(format!("`{shown}` does not hold a session key; remove it")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut made = [0; 32];
                SystemRandom::new().fill(&mut made).map_err(|_| "no randomness for a session key".to_owned())?;
                write_private(file, &made).map_err(|e| format!("cannot write `{shown}`: {e}"))?;
                made.to_vec()
            }
            Err(error) => return Err(format!("cannot read `{shown}`: {error}")),
        };
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    fn sign(&self, text: &str) -> String {
        hex(hmac::sign(&self.0, format!("development\0{text}").as_bytes()).as_ref())
    }

    /// The cookie's value for a new session.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn begin(&self, person: &PersonId, now: Time) -> Result<String, String> {
        let mut nonce = [0; 16];
        SystemRandom::new().fill(&mut nonce).map_err(|_| "no randomness for a session".to_owned())?;
        let text = format!("{person}|{}|{}", now.micros() / 1_000_000, hex(&nonce));
        Ok(format!("{text}|{}", self.sign(&text)))
    }

    /// Reads a cookie back; none when it is forged or too old.
    pub fn read(&self, cookie: &str, now: Time) -> Option<Session> {
        let (text, signature) = cookie.rsplit_once('|')?;
        let given: Vec<u8> = (0..signature.len()).step_by(2).map(|i| u8::from_str_radix(signature.get(i..i + 2)?, 16).ok()).collect::<Option<_>>()?;
        hmac::verify(&self.0, format!("development\0{text}").as_bytes(), &given).ok()?;
        let mut parts = text.split('|');
        let (person, issued) = (PersonId::parse(parts.next()?).ok()?, parts.next()?.parse::<i64>().ok()?);
        let age = now.micros() / 1_000_000 - issued;
        (-60..LIFETIME_SECONDS).contains(&age).then(|| Session { person, csrf: self.sign(&format!("csrf\0{text}")) })
    }

    /// What seals sign-ins at issuers that gave no client secret.
    pub fn for_sealing(&self) -> String {
        self.sign("sealing\0")
    }
}

fn write_private(file: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(file)?.write_all(bytes)
}

/// SHA-256 of a token's secret, in hex: what is stored.
pub fn secret_hash(secret: &str) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, secret.as_bytes()).as_ref())
}

/// How secrets of tokens begin that were made under the development sign-in, where everybody is whom they choose. The dot stands in no
/// other secret.
const OF_DEVELOPMENT: &str = "bp_dev.";

/// A fresh secret of a token made under the development sign-in: like its sessions, it is nobody's when the mode changes.
///
/// # Errors
/// When the system has no randomness.
pub fn fresh_development_secret() -> Result<String, String> {
    fresh_secret().map(|secret| secret.replacen("bp_", OF_DEVELOPMENT, 1))
}

/// Whether a token was made under the development sign-in.
pub fn is_of_development(secret: &str) -> bool {
    secret.starts_with(OF_DEVELOPMENT)
}

/// A fresh token secret, `bp_` and 256 random bits in base64url.
///
/// # Errors
/// When the system has no randomness.
pub fn fresh_secret() -> Result<String, String> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "no randomness for a token".to_owned())?;
    Ok(format!("bp_{}", URL_SAFE_NO_PAD.encode(bytes)))
}
