//! Text about people, beside an event's hashed body.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    access_change::GroupAccess,
    commit::Commit,
    decision::Decision,
    person::Person,
    record::PersonRecord,
};

/// Text about people: erasable, bound to the body by a salted commitment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Personal {
    /// The one-line reason that the view `audit_events` shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the requester wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub justification: Option<String>,
    /// What somebody wrote with a vote, a denial or a revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The facts about the person that the decision used, and the groups they held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Value>,
    /// The whole decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// Who wrote the policy set, as its commit says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Box<Commit>>,
    /// Who gained and lost by a load of policy, by group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<GroupAccess>,
    /// Which browser, as it calls itself, and what a refused sign-in looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The person as the directory now has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Box<Person>>,
    /// What sources say of the person, where more than files speak.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<PersonRecord>,
}
