//! Requests and the votes on them.

use serde::{Deserialize, Serialize};

use super::{
    duration::Duration,
    group::Rule,
    id::{GroupId, PersonId, PolicyRevision, RequestId},
    time::Time,
};

/// Where a request stands. It leaves `pending` once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestStatus {
    /// Somebody is asked.
    Pending,
    /// Became a grant.
    Granted,
    /// Refused by policy or by a person.
    Denied,
    /// Taken back.
    Withdrawn,
    /// Nobody answered in time.
    Expired,
}

impl RequestStatus {
    /// The word in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }

    /// Reads the word back.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Pending, Self::Granted, Self::Denied, Self::Withdrawn, Self::Expired].into_iter().find(|s| s.as_str() == text)
    }
}

/// A request, as its row and its `request.*` event hold it. What was asked never changes; what lies behind `status` is
/// set once. The justification is personal text and lies with the event (`audit_private`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Id.
    pub id: RequestId,
    /// Who would hold it.
    pub person: PersonId,
    /// Who filed it: the person, or someone for them.
    pub filed_by: PersonId,
    /// What they would hold.
    pub group: GroupId,
    /// Which life of the group: a recreated id is another one (semantics.md, 12).
    pub incarnation: i64,
    /// For how long.
    pub duration: Duration,
    /// Whether a justification was given; its text lies with the event.
    pub justified: bool,
    /// When it was filed.
    pub submitted_at: Time,
    /// Where it stands.
    pub status: RequestStatus,
    /// The rule that decided or whose approval is asked, copied so that a later edit does not rewrite history.
    pub rule: Option<Rule>,
    /// The policy when it was filed.
    pub policy_revision: PolicyRevision,
    /// Index of the stage that is asked now.
    pub stage: u32,
    /// When the present stage began.
    pub stage_since: Time,
    /// Votes at or after this instant are refused.
    pub deadline: Option<Time>,
    /// When it left `pending`.
    pub decided_at: Option<Time>,
    /// The sequence number of the event that filed it.
    pub filed_seq: i64,
    /// The sequence number of the event that decided it.
    pub decided_seq: Option<i64>,
}

/// One person's vote for a request. A vote against ends the request and is an event of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// On which request.
    pub request: RequestId,
    /// By whom.
    pub person: PersonId,
    /// At which stage, from 0.
    pub stage: u32,
    /// When.
    pub at: Time,
    /// The event.
    pub seq: i64,
}
