//! What becomes of memberships that existed before Bandpass (semantics.md, 33).

use serde::{Deserialize, Serialize};

use super::{
    id::{ConnectorName, GroupId, PersonId},
    time::Time,
};

/// One membership, and what became of it or would become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adoption {
    /// Who holds it.
    pub person: PersonId,
    /// What.
    pub group: GroupId,
    /// What becomes of it.
    #[serde(flatten)]
    pub outcome: AdoptionOutcome,
}

/// What becomes of a membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum AdoptionOutcome {
    /// It is a grant now.
    Adopted {
        /// Until when.
        until: Time,
        /// By which rule's `for`.
        rule: String,
        /// Connectors of the grant where the directory has no account of the person.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        without_account: Vec<ConnectorName>,
    },
    /// A live grant says so already.
    Held,
    /// It is not adopted.
    Violation {
        /// Why, in words that other memberships share: which guardrail or conflict, no rule, an unknown name.
        cause: String,
        /// What is special about this one: the nearest known name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
}
