//! Deliveries: intents to add to or remove from a target system, and how target systems answer.

use serde::{Deserialize, Serialize};

use super::{
    group::Entitlement,
    id::{DeliveryId, GrantId, PersonId, RequestId},
    time::Time,
};

/// What is to be done at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryAction {
    /// The account shall hold the entitlement.
    Add,
    /// The account shall not hold it.
    Remove,
}

impl DeliveryAction {
    /// The word in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
        }
    }

    /// Reads the word back.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Add, Self::Remove].into_iter().find(|s| s.as_str() == text)
    }
}

/// Where a delivery stands: `queued -> done | failing`, `failing -> done`. Never lost, retried for ever. A removal may begin
/// as `held`, which an admin's confirmation makes `queued` (semantics.md, 33).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Waits until an admin confirms the first removals that adoptions cause at its connector.
    Held,
    /// Waiting for the worker.
    Queued,
    /// The target has it, read back.
    Done,
    /// Tried and not yet achieved; retried with back-off, shown and alarmed.
    Failing,
}

impl DeliveryState {
    /// The word in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Queued => "queued",
            Self::Done => "done",
            Self::Failing => "failing",
        }
    }

    /// Reads the word back.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Held, Self::Queued, Self::Done, Self::Failing].into_iter().find(|s| s.as_str() == text)
    }
}

/// One intent. Order is kept per person and entitlement by `queued_seq`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Id; also what makes a repeat harmless.
    pub id: DeliveryId,
    /// For whom.
    pub person: PersonId,
    /// The account in the target system; none when the directory has none.
    pub account: Option<String>,
    /// What.
    pub entitlement: Entitlement,
    /// Add or remove.
    pub action: DeliveryAction,
    /// The grant that caused it.
    pub grant: Option<GrantId>,
    /// The request that caused it.
    pub request: Option<RequestId>,
    /// Where it stands.
    pub state: DeliveryState,
    /// When it was queued.
    pub queued_at: Time,
    /// The event that queued it.
    pub queued_seq: i64,
    /// When it was achieved.
    pub done_at: Option<Time>,
    /// Why it is failing, or a note on how it was achieved ("already held outside Bandpass: left").
    pub note: Option<String>,
    /// It goes before all that wait: the person has left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub urgent: bool,
}

/// What a target system did with an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// Achieved now and read back.
    Done,
    /// Nothing to do, or a membership that Bandpass did not make was found and left; the note says which.
    DoneWithNote(String),
}

/// Why a target system does not have it yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// Trying again may help: down, slow, busy.
    #[error("{0}")]
    Retry(String),
    /// Somebody has to change something; still retried, more slowly.
    #[error("{0}")]
    NeedsPerson(String),
}
