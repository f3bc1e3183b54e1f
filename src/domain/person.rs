//! People and teams.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::id::{ConnectorName, PersonId, TeamId};

/// Whether a person still works here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum PersonStatus {
    /// Works here.
    #[default]
    Active,
    /// Left; the id is a tombstone and is never given to another.
    Left,
}

/// A value of an attribute declared in `policies/attributes.toml`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AttributeValue {
    /// `bool`
    Bool(bool),
    /// `long`
    Long(i64),
    /// `string`
    Text(String),
    /// `set` of strings
    Set(BTreeSet<String>),
}

/// A human, as the directory knows them. Serialised form is what `people` rows and directory events hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Permanent id.
    pub id: PersonId,
    /// Name for people to read; never a key.
    pub name: String,
    /// Shown, never a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Who they report to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<PersonId>,
    /// Their main team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
    /// Every team they are a direct member of, the main one included.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub teams: BTreeSet<TeamId>,
    /// `permanent`, `contractor`, ...: free words of the organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employment: Option<String>,
    /// Where they work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Job title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Declared attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, AttributeValue>,
    /// Account names in target systems, by connector (semantics.md, 29).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<ConnectorName, String>,
    /// Active or left.
    #[serde(default)]
    pub status: PersonStatus,
}

impl Person {
    /// Whether the person still works here.
    pub fn is_active(&self) -> bool {
        self.status == PersonStatus::Active
    }
}

/// A unit of the organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Id.
    pub id: TeamId,
    /// Name for people to read.
    pub title: String,
    /// What the team does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The unit above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TeamId>,
}

/// A person with every team they belong to, ancestors of their direct teams included. What a decision reads.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The person.
    pub person: &'a Person,
    /// Direct teams and all their ancestors.
    pub teams: &'a BTreeSet<TeamId>,
}
