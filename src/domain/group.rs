//! What a policy file says, as plain values: groups, rules, guardrails, conflicts, roles.
//!
//! Conditions are kept here as their source text; `policy/` holds them compiled. Pages and the API show these values.

use std::{collections::{BTreeMap, BTreeSet}, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    duration::Duration,
    id::{ConnectorName, GroupId, PersonId, TeamId},
};

/// How much harm access can do. Ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sensitivity {
    /// Open to the world.
    Public,
    /// Open to the company.
    Internal,
    /// Needs a reason.
    Confidential,
    /// Whoever breaks it owns the company.
    Restricted,
}

impl Sensitivity {
    /// The word in policy files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Confidential => "confidential",
            Self::Restricted => "restricted",
        }
    }
}

/// Something held in a target system: connector and native name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entitlement {
    /// Which connector reaches the system.
    pub connector: ConnectorName,
    /// The name in that system, as it spells it.
    pub name: String,
}

impl fmt::Display for Entitlement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} · {}", self.connector, self.name)
    }
}

/// Who a rule speaks about, or who approves: `everyone`, `person:ID`, `team:ID`, `group:ID`; in approver lists also
/// `manager` and `owner`. `team:` reads only the directory, `group:` only live grants (semantics.md, 8).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// Every active person. In rules only.
    Everyone,
    /// One person.
    Person(PersonId),
    /// A team with its sub-teams.
    Team(TeamId),
    /// Those who hold a group.
    Group(GroupId),
    /// The requester's manager. In approver lists only.
    Manager,
    /// The group's owners. In approver lists only.
    Owner,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("everyone"),
            Self::Person(id) => write!(f, "person:{id}"),
            Self::Team(id) => write!(f, "team:{id}"),
            Self::Group(id) => write!(f, "group:{id}"),
            Self::Manager => f.write_str("manager"),
            Self::Owner => f.write_str("owner"),
        }
    }
}

impl FromStr for Who {
    type Err = String;
    /// Parses one word of a `who`, `from` or `owner` list; which words are allowed where is the policy check's business.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "everyone" => return Ok(Self::Everyone),
            "manager" => return Ok(Self::Manager),
            "owner" => return Ok(Self::Owner),
            _ => {}
        }
        let id = |error: super::id::InvalidId| error.to_string();
        match text.split_once(':') {
            Some(("person", rest)) => rest.parse().map(Self::Person).map_err(id),
            Some(("team", rest)) => rest.parse().map(Self::Team).map_err(id),
            Some(("group", rest)) => rest.parse().map(Self::Group).map_err(id),
            _ => Err(format!(
                "`{text}` is not known here: write `everyone`, `person:ID`, `team:ID` or `group:ID` (for approvers also `manager` or `owner`)"
            )),
        }
    }
}

impl Serialize for Who {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Who {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a rule does when it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    /// Membership at once.
    Grant,
    /// People are asked.
    Approve,
    /// A birthright: membership without asking while `who` and `when` hold.
    Always,
}

/// Whether a request must say why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum JustificationNeed {
    /// 422 without one.
    Required,
    /// Welcome.
    #[default]
    Optional,
    /// Not asked for.
    None,
}

/// One step of an approval: `need` distinct people out of `from`, in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Who may vote.
    pub from: Vec<Who>,
    /// How many distinct people.
    pub need: u32,
    /// How long they have.
    pub within: Duration,
    /// Who may vote as well once `within` has passed; the same span runs again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalate: Vec<Who>,
}

/// One rule of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name, unique in the file; decisions cite it.
    pub name: String,
    /// Whom it speaks about.
    pub who: Vec<Who>,
    /// A Cedar expression, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What it does.
    pub then: Then,
    /// The longest it gives.
    #[serde(rename = "for")]
    pub max: Duration,
    /// Whether a reason is needed.
    #[serde(default)]
    pub justification: JustificationNeed,
    /// The stages of an `approve`; empty otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Line of `[[rule]]` in the file, from 1.
    pub line: u32,
}

/// Emergency access: instant, short, loud. Parsed and explained; executed by a later issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakGlass {
    /// Who may.
    pub who: Vec<Who>,
    /// For how long at most.
    #[serde(rename = "for")]
    pub max: Duration,
    /// Who looks at it afterwards.
    pub review_by: Vec<Who>,
}

/// Periodic certification. Parsed and explained; executed by a later issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// How often.
    pub every: Duration,
    /// By whom.
    pub by: Vec<Who>,
}

/// What happens to a grant whose rule no longer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum OnChange {
    /// Ended after the group's grace.
    #[default]
    Revoke,
    /// Listed for the owner.
    Flag,
}

/// A day: enough to hand over work, short enough that a move is not a standing right.
pub fn default_grace() -> Duration {
    Duration::hours(24).unwrap_or(Duration::MAX)
}

/// One group: one policy file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The file's name.
    pub id: GroupId,
    /// Name for people.
    pub title: String,
    /// What it gives, in a sentence.
    pub description: String,
    /// Who answers for it: `team:` or `person:` entries.
    pub owner: Vec<Who>,
    /// How much harm it can do.
    pub sensitivity: Sensitivity,
    /// Free labels.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What members hold.
    #[serde(default)]
    pub entitlements: Vec<Entitlement>,
    /// Rules in the order of the file.
    pub rules: Vec<Rule>,
    /// Emergency access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlass>,
    /// Certification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// What happens when a rule no longer holds.
    #[serde(default)]
    pub on_change: OnChange,
    /// How long a grant whose rule no longer holds goes on before `on_change = "revoke"` ends it.
    #[serde(default = "default_grace")]
    pub grace: Duration,
    /// Ids this group had before; its grants are carried over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formerly: Vec<GroupId>,
    /// Path below the policy folder, like `groups/data/warehouse-analysts.toml`.
    pub file: String,
}

/// An organisation-wide prohibition that nothing overrides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guardrail {
    /// `@id`, unique.
    pub id: String,
    /// `@reason`, for people.
    pub reason: String,
    /// `@fix`: what to do instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// The Cedar source, as written.
    pub source: String,
    /// Path below the policy folder.
    pub file: String,
    /// First line of the policy, from 1.
    pub line: u32,
}

/// Groups that nobody may hold together. Symmetric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Two or more groups.
    pub groups: Vec<GroupId>,
    /// Why, for people.
    pub reason: String,
    /// Which grant survives an appearing conflict; default the older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<GroupId>,
}

impl Conflict {
    /// What is held that may not be held beside a group, in the order of the file; nothing when the conflict is about others.
    pub fn held_beside<'c>(&'c self, group: &'c GroupId, holds: &'c BTreeSet<GroupId>) -> impl Iterator<Item = &'c GroupId> {
        let about = self.groups.contains(group);
        self.groups.iter().filter(move |other| about && *other != group && holds.contains(*other))
    }
}

/// Who audits and who administers Bandpass itself (`roles.toml`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Roles {
    /// May read the whole audit log and everyone's access.
    pub auditor: Vec<Who>,
    /// May administer; has no vote by it.
    pub admin: Vec<Who>,
}

/// The type of an attribute of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttributeType {
    /// Text.
    String,
    /// Whole number.
    Long,
    /// Yes or no.
    Bool,
    /// Set of texts.
    Set,
}

/// Declared attributes by name (`attributes.toml`).
pub type AttributeTypes = BTreeMap<String, AttributeType>;
