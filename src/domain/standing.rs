//! How a live grant stands with the policy, the people and the holdings of today (semantics.md, 5, 11 and 12).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    duration::Duration,
    grant::Grant,
    group::{OnChange, Rule},
    id::{GrantId, GroupId, PersonId, PolicyRevision},
    request::Request,
    time::Time,
};

/// Why a grant does not stand any more. Names rules, guardrails and groups, never facts about the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// No rule would grant it, and the approvals given satisfy none.
    NoRule {
        /// The rule that gave it.
        rule: String,
    },
    /// A rule could not be evaluated for this person, so nothing below it counts.
    RuleFailed {
        /// Which.
        rule: String,
    },
    /// A guardrail forbids it.
    Guardrail {
        /// Its `@id`.
        id: String,
        /// It forbids because it could not be evaluated.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        failed: bool,
    },
    /// Nobody may hold it together with another group that is held for longer, or that the conflict keeps.
    Conflict {
        /// The other one.
        with: GroupId,
    },
    /// The group is gone from the policy, or another one has its id now.
    GroupGone,
    /// The person has left.
    PersonLeft,
    /// Whoever filed the request for the person has left.
    FilerLeft,
    /// Whoever gave the vote has left.
    VoterLeft,
    /// A rule gives it without asking now.
    Birthright {
        /// Which.
        rule: String,
    },
}

impl Cause {
    /// Whether it ends a grant without grace.
    pub fn is_at_once(&self) -> bool {
        matches!(self, Self::Guardrail { .. } | Self::PersonLeft)
    }
}

/// What becomes of a grant that does not stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It ends when its grace is over.
    Ending,
    /// Its owner decides: it is listed, and runs to its end.
    Flagged,
}

impl Fate {
    /// The word in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ending => "ending",
            Self::Flagged => "flagged",
        }
    }

    /// Reads the word back.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Ending, Self::Flagged].into_iter().find(|s| s.as_str() == text)
    }
}

/// A live grant that does not stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What becomes of it.
    pub fate: Fate,
    /// Why.
    pub cause: Cause,
    /// Since when.
    pub since: Time,
    /// The event that said so.
    pub seq: i64,
    /// The end it had before, and has again when it stands again.
    pub full_end: Time,
}

/// What of the request behind a grant is decided with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Whether a justification was given.
    pub justified: bool,
    /// When it was filed: conditions on hour, weekday and instant are taken at this time.
    pub at: Time,
    /// The rule that was copied onto it, with the stages that were asked.
    pub rule: Option<Rule>,
}

impl From<&Request> for Asked {
    fn from(request: &Request) -> Self {
        Self { justified: request.justified, at: request.submitted_at, rule: request.rule.clone() }
    }
}

/// A live grant with what it is decided again with.
#[derive(Debug, Clone)]
pub struct LiveGrant {
    /// It.
    pub grant: Grant,
    /// The request behind it; none for an adopted one.
    pub asked: Option<Asked>,
}

/// What a group that left the policy said last about its grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// End them or list them.
    pub on_change: OnChange,
    /// How long they go on.
    pub grace: Duration,
}

impl Default for Departure {
    fn default() -> Self {
        Self { on_change: OnChange::default(), grace: super::group::default_grace() }
    }
}

/// Whom a notice is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// The person who holds or held it.
    Holder,
    /// Whoever owns the group when the notice is read.
    Owners,
}

impl Audience {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Holder => "holder",
            Self::Owners => "owners",
        }
    }
}

/// What somebody is to be told about a grant: one for the holder, one for the group's owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The event it tells of.
    pub seq: i64,
    /// When that was.
    pub at: Time,
    /// For whom.
    pub audience: Audience,
    /// Whose grant.
    pub person: PersonId,
    /// Of which group.
    pub group: GroupId,
    /// Which.
    pub grant: GrantId,
    /// Kind of the event.
    pub kind: &'static str,
}

/// Where held endings stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeldState {
    /// Somebody must confirm them.
    Waiting,
    /// Somebody did.
    Confirmed,
    /// A later change has made them moot, or replaced them.
    Withdrawn,
}

impl HeldState {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Confirmed => "confirmed",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Reads the word back.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Waiting, Self::Confirmed, Self::Withdrawn].into_iter().find(|s| s.as_str() == text)
    }
}

/// Endings that one change would cause and that wait for a person, because they are so many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldEndings {
    /// The event that held them.
    pub seq: i64,
    /// When.
    pub at: Time,
    /// The change.
    pub of: HeldChange,
    /// Where they stand.
    pub state: HeldState,
    /// What was in force when they were confirmed: policy, and number of the last directory event.
    pub confirmed_for: Option<(Option<PolicyRevision>, i64)>,
}

/// A change that would end many grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldChange {
    /// The policy in force then.
    pub policy_revision: Option<PolicyRevision>,
    /// Number of the last directory event then.
    pub directory_revision: i64,
    /// Who made the change, as far as the author of its commit is known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<PersonId>,
    /// Live grants at that time.
    pub live: u64,
    /// How many would end, by group.
    pub counts: BTreeMap<GroupId, u64>,
}

impl HeldChange {
    /// How many would end.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}
