//! Grants: the fact that a person is in a group from one instant to another.

use serde::{Deserialize, Serialize};

use super::{
    duration::Duration,
    group::Entitlement,
    id::{GrantId, GroupId, PersonId, RequestId},
    standing::Standing,
    time::Time,
};

/// Where a grant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantStatus {
    /// Held now.
    Active,
    /// Ended before its time.
    Revoked,
    /// Ended at its time.
    Expired,
}

impl GrantStatus {
    /// The word in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }

    /// Reads the word back.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Active, Self::Revoked, Self::Expired].into_iter().find(|s| s.as_str() == text)
    }
}

/// Where a grant came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// A request decided here.
    Request,
    /// A membership that existed before Bandpass (semantics.md, 33).
    Adopted,
    /// A rule with `then = "always"`: held without asking as long as the rule holds.
    Birthright,
}

impl Provenance {
    /// The word in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Adopted => "adopted",
            Self::Birthright => "birthright",
        }
    }

    /// Reads the word back.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Request, Self::Adopted, Self::Birthright].into_iter().find(|s| s.as_str() == text)
    }
}

/// A grant. At most one live row a (person, group).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Id.
    pub id: GrantId,
    /// Who holds.
    pub person: PersonId,
    /// What.
    pub group: GroupId,
    /// Which life of the group.
    pub incarnation: i64,
    /// Because of which request (the last that extended it).
    pub request: Option<RequestId>,
    /// The rule that gave it.
    pub rule: String,
    /// The duration that was asked for last.
    pub duration: Duration,
    /// Where it came from.
    pub provenance: Provenance,
    /// What it carries at target systems. Kept with the grant, so that its end takes away what it brought even when the
    /// policy has changed meanwhile.
    pub entitlements: Vec<Entitlement>,
    /// From.
    pub starts_at: Time,
    /// To; [`Time::OPEN`] for a birthright that has no end of its own.
    pub ends_at: Time,
    /// Where it stands.
    pub status: GrantStatus,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// The event that made it.
    pub granted_seq: i64,
    /// The event that ended it.
    pub ended_seq: Option<i64>,
    /// Set while it does not stand with today's policy, people and holdings. `ends_at` is then the end of its grace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

impl Grant {
    /// When it ends; none as long as a birthright stands.
    pub fn until(&self) -> Option<Time> {
        (self.ends_at < Time::OPEN).then_some(self.ends_at)
    }

    /// Whether it is held without asking, and stands: nothing is asked for it, and nobody gives it back.
    pub fn is_standing_birthright(&self) -> bool {
        self.provenance == Provenance::Birthright && self.standing.is_none()
    }
}
