//! Policy files -> a checked set -> decisions. Imports only `domain`; no I/O, no clock, no async. Cedar's types stay here.
//!
//! [`check`] reads every file as one set and tells every problem at once; without errors there is a [`PolicySet`], compiled
//! and immutable, named by the hash of its files. [`Engine`] joins a set with the people of one directory snapshot, and
//! [`Engine::decide`] is a pure function of an [`Inquiry`](crate::domain::decision::Inquiry).

pub mod birthright;
mod cedar;
pub mod codes;
mod compile;
mod decide;
pub mod diff;
mod evaluate;
pub mod examples;
pub mod explain;
pub mod fixture;
pub mod formats;
mod group_file;
mod guardrails;
mod lengths;
mod lint;
pub mod names;
mod unknown;
pub mod prove;
mod reader;
pub mod render;
pub mod scaffold;
pub mod schema;
pub mod standing;
pub mod suggest;
#[cfg(test)]
mod tests;
mod whole_files;
pub mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub use compile::{PARSING_STACK, attributes_in, check, compile_kept, group_in, revision_of};
pub use decide::Facts;

use crate::domain::{
    group::{AttributeTypes, Conflict, Group, Guardrail, Roles},
    id::{ConnectorName, GroupId, PersonId, PolicyRevision, TeamId},
    person::{Subject, Team},
    problem::Problem,
};

/// Every file of a policy folder: path below the folder with `/`, and its bytes.
pub type PolicyFiles = BTreeMap<String, Vec<u8>>;

/// The names that policy files may use. A name that was known once but left is in `former_*`: a warning, not an error
/// (semantics.md, 7).
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Active people.
    pub people: BTreeSet<PersonId>,
    /// People who left.
    pub former_people: BTreeSet<PersonId>,
    /// Teams, with the number of active members, sub-teams included.
    pub teams: BTreeMap<TeamId, usize>,
    /// Teams that are gone.
    pub former_teams: BTreeSet<TeamId>,
    /// Configured connectors.
    pub connectors: BTreeSet<ConnectorName>,
}

/// What a check found: the set when there is no error, and every problem.
pub struct Checked {
    /// The compiled set; none when any problem is an error.
    pub set: Option<Arc<PolicySet>>,
    /// Errors and warnings, sorted by file and line.
    pub problems: Vec<Problem>,
}

/// A compiled, immutable policy set with its content hash.
pub struct PolicySet {
    revision: PolicyRevision,
    groups: BTreeMap<GroupId, Group>,
    conditions: BTreeMap<GroupId, Vec<Option<cedar::Condition>>>,
    guardrails: Vec<Guardrail>,
    guardrail_policies: Vec<cedar_policy::Policy>,
    conflicts: Vec<Conflict>,
    roles: Roles,
    attributes: AttributeTypes,
    examples: BTreeMap<GroupId, Vec<group_file::Example>>,
    zone: jiff::tz::TimeZone,
}

impl PolicySet {
    /// The set before the first load: no group, no role, everything denied.
    pub fn empty() -> Self {
        Self {
            revision: PolicyRevision::from_stored("none"),
            groups: BTreeMap::new(),
            conditions: BTreeMap::new(),
            guardrails: Vec::new(),
            guardrail_policies: Vec::new(),
            conflicts: Vec::new(),
            roles: Roles::default(),
            attributes: AttributeTypes::new(),
            examples: BTreeMap::new(),
            zone: jiff::tz::TimeZone::UTC,
        }
    }

    /// The content hash.
    pub fn revision(&self) -> &PolicyRevision {
        &self.revision
    }

    /// Whether any role or owner is `group:`, so that who calls depends on what they hold.
    pub fn names_holders(&self) -> bool {
        let roles = self.roles.admin.iter().chain(&self.roles.auditor);
        roles.chain(self.groups.values().flat_map(|g| &g.owner)).any(|who| matches!(who, crate::domain::group::Who::Group(_)))
    }

    /// Every group by id.
    pub fn groups(&self) -> &BTreeMap<GroupId, Group> {
        &self.groups
    }

    /// One group.
    pub fn group(&self, id: &str) -> Option<&Group> {
        self.groups.get(id)
    }

    /// The known id nearest to a mistyped one.
    pub fn nearest_group(&self, id: &str) -> Option<&GroupId> {
        let near = reader::nearest(id, self.groups.keys().map(GroupId::as_str))?;
        self.groups.get_key_value(near).map(|(id, _)| id)
    }

    /// Guardrails in order of file and line.
    pub fn guardrails(&self) -> &[Guardrail] {
        &self.guardrails
    }

    /// Conflicts in order.
    pub fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    /// Who audits and administers.
    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    /// Declared attributes of people.
    pub fn attributes(&self) -> &AttributeTypes {
        &self.attributes
    }
}

/// A policy set made ready for the people of one directory snapshot. Swapped as a whole.
pub struct Engine {
    set: Arc<PolicySet>,
    facts: Option<evaluate::Facts>,
    names: names::Names,
}

impl Engine {
    /// Prepares what decisions need about people.
    pub fn new<'a>(set: Arc<PolicySet>, people: impl IntoIterator<Item = Subject<'a>>) -> Self {
        let people: Vec<Subject<'a>> = people.into_iter().collect();
        let names = names::Names::new(Arc::clone(&set), people.iter().copied());
        let facts = evaluate::Facts::new(people, &set.groups, &set.guardrail_policies);
        Self { set, facts, names }
    }

    /// The same after these people have changed: costs what changed. None when it must be made anew.
    pub fn with_changed<'a>(&self, people: &[Subject<'a>]) -> Option<Self> {
        let facts = self.facts.as_ref()?.with_changed(people.iter().copied())?;
        Some(Self { set: Arc::clone(&self.set), facts: Some(facts), names: self.names.with_changed(people.iter().copied()) })
    }

    /// Tells the teams: their titles stand in sentences instead of ids, and whoever would join one joins those above it.
    #[must_use]
    pub fn with_teams<'a>(mut self, teams: impl IntoIterator<Item = &'a Team>) -> Self {
        self.names.note_teams(teams);
        self
    }

    /// What ids are called in sentences.
    pub fn names(&self) -> &names::Names {
        &self.names
    }

    /// The set.
    pub fn set(&self) -> &PolicySet {
        &self.set
    }

    /// The set, shared.
    pub fn shared_set(&self) -> Arc<PolicySet> {
        Arc::clone(&self.set)
    }
}
