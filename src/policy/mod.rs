//! Policy files -> a checked set -> decisions. Imports only `domain`; no I/O, no clock, no async. Cedar's types stay here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::domain::{
    decision::{Decision, Inquiry},
    group::{Conflict, Group, Guardrail, Roles, AttributeTypes},
    id::{ConnectorName, GroupId, PersonId, PolicyRevision, TeamId},
    person::Person,
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
    _private: (),
}

/// Checks every file as one set and compiles it. `timezone` is an IANA name for `hour` and `weekday`.
pub fn check(files: &PolicyFiles, known: &Known, timezone: &str) -> Checked {
    let _ = (files, known, timezone);
    todo!("policy check")
}

impl PolicySet {
    /// The set before the first load: no group, no role, everything denied.
    pub fn empty() -> Self { todo!() }
    /// The content hash.
    pub fn revision(&self) -> &PolicyRevision { todo!() }
    /// Every group by id.
    pub fn groups(&self) -> &BTreeMap<GroupId, Group> { todo!() }
    /// One group.
    pub fn group(&self, id: &str) -> Option<&Group> { self.groups().get(id) }
    /// The known id nearest to a mistyped one.
    pub fn nearest_group(&self, id: &str) -> Option<&GroupId> { let _ = id; todo!() }
    /// Guardrails in order of file and line.
    pub fn guardrails(&self) -> &[Guardrail] { todo!() }
    /// Conflicts in order.
    pub fn conflicts(&self) -> &[Conflict] { todo!() }
    /// Who audits and administers.
    pub fn roles(&self) -> &Roles { todo!() }
    /// Declared attributes of people.
    pub fn attributes(&self) -> &AttributeTypes { todo!() }
}

/// A policy set made ready for the people of one directory snapshot. Swapped as a whole.
pub struct Engine {
    set: Arc<PolicySet>,
}

impl Engine {
    /// Prepares what decisions need about people (their Cedar entities).
    pub fn new<'a>(set: Arc<PolicySet>, people: impl IntoIterator<Item = Subject<'a>>) -> Self {
        let _ = people.into_iter().count();
        Self { set }
    }
    /// The set.
    pub fn set(&self) -> &PolicySet { &self.set }
    /// Decides. Pure and total: whatever cannot be evaluated is denied, visibly.
    pub fn shared_set(&self) -> Arc<PolicySet> { Arc::clone(&self.set) }
    pub fn decide_approved(&self, inquiry: &Inquiry<'_>, rule: &crate::domain::group::Rule) -> Decision { let _ = (inquiry, rule); todo!() }
    pub fn decide(&self, inquiry: &Inquiry<'_>) -> Decision { let _ = inquiry; todo!() }
    /// The durations worth offering for this subject and group, shortest first, and the one to preselect: the longest
    /// that the first deciding rule gives.
    pub fn default_duration(&self, inquiry: &Inquiry<'_>) -> Option<crate::domain::duration::Duration> { let _ = inquiry; todo!() }
}
