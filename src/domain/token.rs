//! Access tokens of people and of programs: `bp_…`, hashed at rest, shown once.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    id::{PersonId, ServiceName, TokenId},
    time::Time,
};

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read what its owner may read.
    Read,
    /// File, withdraw, renew and give back.
    Request,
    /// Vote.
    Approve,
    /// Read the audit log, if its owner may.
    Audit,
    /// Administer, if its owner may.
    Admin,
    /// Feed the directory over SCIM; only of a program, and given by an admin.
    Scim,
}

impl Scope {
    /// Every scope, in order.
    pub const ALL: [Self; 6] = [Self::Read, Self::Request, Self::Approve, Self::Audit, Self::Admin, Self::Scim];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Request => "request",
            Self::Approve => "approve",
            Self::Audit => "audit",
            Self::Admin => "admin",
            Self::Scim => "scim",
        }
    }

    /// Every word, for texts that say what is expected.
    pub fn words() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Id.
    pub id: TokenId,
    /// Whose; of a program, who answers for it.
    pub person: PersonId,
    /// The program that it was made for; none is the person's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// The token that it was made with: it opens no more, ends no later, and is revoked with it. None for one that was made in a
    /// browser or on the service's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_with: Option<TokenId>,
    /// SHA-256 of the secret, in hex. The secret has 256 random bits, so the hash tells nothing.
    pub secret_sha256: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// What it is for.
    pub label: String,
    /// Whether it administers without `roles.toml` naming its owner: the first admin of an installation (semantics.md, 15).
    #[serde(default)]
    pub first_admin: bool,
    /// When it was made.
    pub created_at: Time,
    /// At most 90 days later.
    pub expires_at: Time,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
}
