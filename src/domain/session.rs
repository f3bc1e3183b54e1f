//! Identities at issuers, and the sessions of browsers that signed in with one.

use serde::{Deserialize, Serialize};

use super::{
    id::{PersonId, SessionId},
    time::Time,
};

/// Whom an issuer means by a subject. Recorded once, by the first sign-in; the pair (issuer, subject) is the only key by which
/// anybody is known afterwards, so a changed name or e-mail changes nobody's authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The issuer's own identifier: its URL, byte by byte.
    pub issuer: String,
    /// The subject that it gave: stable and never given to another, as OpenID Connect promises.
    pub subject: String,
    /// Who that is here. One person has at most one subject at an issuer.
    pub person: PersonId,
    /// The claim that joined them, like `employee_id`.
    pub claim: String,
    /// When.
    pub linked_at: Time,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionEnd {
    /// The person signed out.
    SignOut,
    /// The same browser signed in again.
    Replaced,
    /// The person ended it from another session.
    BySelf,
    /// An admin ended it.
    ByAdmin,
    /// Nothing came from it for too long.
    Idle,
    /// It lasted as long as a session may.
    Absolute,
    /// The issuer said that the person signed out there.
    BackChannel,
    /// The person left.
    Left,
}

impl SessionEnd {
    const ALL: [Self; 8] = [Self::SignOut, Self::Replaced, Self::BySelf, Self::ByAdmin, Self::Idle, Self::Absolute, Self::BackChannel, Self::Left];

    /// The word in the database and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignOut => "sign-out",
            Self::Replaced => "replaced",
            Self::BySelf => "by-self",
            Self::ByAdmin => "by-admin",
            Self::Idle => "idle",
            Self::Absolute => "absolute",
            Self::BackChannel => "back-channel",
            Self::Left => "left",
        }
    }

    /// Reads the word back.
    pub fn from_stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.as_str() == text)
    }
}

/// A session of a browser, without the secret in its cookie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Id.
    pub id: SessionId,
    /// Who signed in.
    pub person: PersonId,
    /// SHA-256 of the cookie's secret, in hex. The secret has 256 random bits, so the hash tells nothing.
    pub secret_sha256: String,
    /// With which issuer: its URL.
    pub issuer: String,
    /// As which subject there.
    pub subject: String,
    /// What the issuer calls this session, if it does; it may end it by that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// SHA-256, in hex, of the `state` that the sign-in went by: one sign-in begins one session.
    pub attempt_sha256: String,
    /// When it began.
    pub started_at: Time,
    /// When it ends at the latest.
    pub expires_at: Time,
    /// When it ended, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<(Time, SessionEnd)>,
}

impl Session {
    /// Whether it has neither ended nor lasted too long.
    pub fn is_live(&self, now: Time) -> bool {
        self.ended.is_none() && now < self.expires_at
    }
}
