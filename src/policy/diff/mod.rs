//! What an edit of policy does to people: who gains, who loses, which grants end. Exact, for everyone in the directory.
//!
//! [`diff`] takes two checked sets, everyone, and what is held and asked for now, and answers a [`Diff`]; `text`, `markdown`
//! and `json` write it down. Nothing is sampled: a group is left out only when neither its rules, its labels, its conflicts
//! nor a guardrail's verdict on it differ, and a person is left out only when another one, equal in all that is read, was
//! evaluated in their place. A property test compares with every pair of person and group at every duration.

mod access;
mod classes;
mod compare;
mod edits;
mod fail_on;
mod held;
pub mod json;
pub mod markdown;
mod moments;
pub(super) mod reads;
mod stages;
mod steps;
#[cfg(test)]
mod tests;
pub mod text;

use std::{collections::{BTreeMap, BTreeSet}, sync::Arc};

use serde::Serialize;

pub use access::access;
pub use classes::Holdings;
pub use fail_on::FailOn;
pub use held::{Fate, GrantChange, HeldGrant, RequestChange, RequestFate};
pub use stages::EmptyStage;
pub use steps::{Direction, Outcome, Step, Steps};

use super::PolicySet;
use crate::domain::{
    id::{GroupId, PersonId, PolicyRevision},
    person::Subject,
    request::Request,
    time::Time,
};

/// What is compared.
pub struct Inputs<'a> {
    /// The set before the edit.
    pub before: &'a Arc<PolicySet>,
    /// The set after it.
    pub after: &'a Arc<PolicySet>,
    /// Everyone in the directory.
    pub subjects: &'a [Subject<'a>],
    /// What people hold now.
    pub holdings: &'a Holdings,
    /// Live grants, each with what is known of its request.
    pub grants: &'a [HeldGrant],
    /// Requests that somebody is asked about.
    pub pending: &'a [Request],
    /// The pinned instant.
    pub at: Time,
}

/// A person of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Id.
    pub id: PersonId,
    /// Name for people to read.
    pub name: String,
}

/// What became of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GroupFate {
    /// It is in both sets.
    Kept,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It had another id, and its grants are carried over.
    Renamed {
        /// The id before.
        from: GroupId,
    },
}

/// People who move from one step function to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// What it means for them.
    pub direction: Direction,
    /// What they got before.
    pub before: Steps,
    /// What they get after.
    pub after: Steps,
    /// Who, as places in [`Diff::people`].
    pub people: Vec<u32>,
}

/// What an edit does to one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDiff {
    /// The group.
    pub id: GroupId,
    /// Its title.
    pub title: String,
    /// What became of it.
    pub fate: GroupFate,
    /// What was edited in its file, one sentence each.
    pub edits: Vec<String>,
    /// Changes of sensitivity and tags, one sentence each.
    pub relabelled: Vec<String>,
    /// Whether a guardrail reads one of them.
    pub read_by_guardrails: bool,
    /// Who moves, those who gain first.
    pub moves: Vec<Move>,
    /// People whose answer is the same now and another at another hour or weekday.
    pub at_times: Vec<u32>,
    /// People whose answer is the same now and another if they held other groups.
    pub with_holdings: Vec<u32>,
}

/// Two groups that nobody may hold together any more, and who holds both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewConflict {
    /// The two groups.
    pub groups: [GroupId; 2],
    /// Why.
    pub reason: String,
    /// Which grant stays; else the older.
    pub keep: Option<GroupId>,
    /// Who holds both, as places in [`Diff::people`].
    pub holders: Vec<u32>,
}

/// Names that came, went, or mean something else now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// New ones.
    pub added: Vec<String>,
    /// Gone ones.
    pub removed: Vec<String>,
    /// Those whose text differs.
    pub changed: Vec<String>,
}

impl Changes {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// What an edit does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// Content hash before.
    pub before: PolicyRevision,
    /// Content hash after.
    pub after: PolicyRevision,
    /// The pinned instant.
    pub at: Time,
    /// Everyone active, by id.
    pub people: Vec<Named>,
    /// Groups of the set after the edit.
    pub group_count: usize,
    /// Groups for which anything differs, by id.
    pub groups: Vec<GroupDiff>,
    /// Guardrails by id.
    pub guardrails: Changes,
    /// Conflicts that are gone, as "a and b".
    pub conflicts_removed: Vec<String>,
    /// Conflicts that are new.
    pub conflicts_added: Vec<NewConflict>,
    /// Who audits and administers: one sentence each.
    pub roles: Vec<String>,
    /// Live grants that would not stand.
    pub grants: Vec<GrantChange>,
    /// Live grants that stand by neither set, and so are not this edit's doing.
    pub standing_by_neither: usize,
    /// Requests in flight that would come out otherwise.
    pub requests: Vec<RequestChange>,
    /// Stages of changed groups that too few can answer.
    pub empty_stages: Vec<EmptyStage>,
    /// What a reader must know to trust the rest.
    pub notes: Vec<String>,
}

impl Diff {
    /// A person by place.
    pub fn person(&self, at: u32) -> Option<&Named> {
        self.people.get(usize::try_from(at).ok()?)
    }

    /// How many different people move so, in any group.
    pub fn moving(&self, directions: &[Direction]) -> usize {
        let moves = self.groups.iter().flat_map(|g| &g.moves).filter(|m| directions.contains(&m.direction));
        moves.flat_map(|m| m.people.iter().copied()).collect::<BTreeSet<u32>>().len()
    }

    /// Whether nothing that people could notice differs.
    pub fn is_empty(&self) -> bool {
        let rest = self.conflicts_added.is_empty() && self.conflicts_removed.is_empty() && self.roles.is_empty() && self.guardrails.is_empty();
        rest && self.groups.is_empty() && self.grants.is_empty() && self.requests.is_empty() && self.empty_stages.is_empty()
    }
}

/// Compares two sets.
pub fn diff(inputs: &Inputs<'_>) -> Diff {
    let mut people: Vec<Subject<'_>> = inputs.subjects.iter().filter(|s| s.person.is_active()).copied().collect();
    people.sort_by(|a, b| a.person.id.cmp(&b.person.id));
    let place: BTreeMap<&str, u32> = people.iter().zip(0..).map(|(s, at)| (s.person.id.as_str(), at)).collect();
    let pairs = edits::pairs(inputs.before, inputs.after);
    let plain: Vec<compare::Pair<'_>> = pairs.iter().map(|(_, pair)| *pair).collect();
    let compared = compare::Comparison::new(inputs, people.clone()).run(&plain);
    let guards = {
        let mut reads = compare::guardrails_read(inputs.before);
        reads.join(&compare::guardrails_read(inputs.after));
        reads
    };
    let mut groups: Vec<GroupDiff> = Vec::new();
    let mut changed: BTreeSet<GroupId> = BTreeSet::new();
    for ((fate, pair), compared) in pairs.into_iter().zip(compared) {
        let Some(shown) = pair.after.or(pair.before) else { continue };
        let (relabelled, read) = edits::relabelled(pair, &guards);
        let mut moves: Vec<Move> = compared
            .moved
            .into_iter()
            .filter_map(|m| {
                let mut people = m.people;
                people.sort_unstable();
                Some(Move { direction: m.before.towards(&m.after)?, before: m.before, after: m.after, people })
            })
            .collect();
        moves.sort_by(|a, b| (a.direction, b.people.len(), &a.before, &a.after).cmp(&(b.direction, a.people.len(), &b.before, &b.after)));
        let (mut at_times, mut with_holdings) = (compared.at_times, compared.with_holdings);
        at_times.sort_unstable();
        with_holdings.sort_unstable();
        let edited = edits::edits(pair);
        if fate != GroupFate::Kept || !edited.is_empty() {
            changed.insert(shown.id.clone());
        }
        let found = GroupDiff { id: shown.id.clone(), title: shown.title.clone(), fate, edits: edited, read_by_guardrails: read, relabelled, moves, at_times, with_holdings };
        let nothing = found.fate == GroupFate::Kept && found.edits.is_empty() && found.relabelled.is_empty();
        if !(nothing && found.moves.is_empty() && found.at_times.is_empty() && found.with_holdings.is_empty()) {
            groups.push(found);
        }
    }
    let (grants, standing_by_neither) = held::grants(inputs);
    let mut notes = Vec::new();
    if guards.calculates && (guards.hours || guards.minutes || guards.hour || guards.weekday || guards.now) {
        notes.push("A guardrail calculates with a time: people are compared at the numbers written in it, so a change between them may be missed.".to_owned());
    }
    notes.extend(edits::calculating(inputs, &changed));
    Diff {
        before: inputs.before.revision.clone(),
        after: inputs.after.revision.clone(),
        at: inputs.at,
        group_count: inputs.after.groups.len(),
        guardrails: edits::guardrails(inputs.before, inputs.after),
        conflicts_removed: edits::conflicts_removed(inputs.before, inputs.after),
        conflicts_added: edits::conflicts_added(inputs, &place),
        roles: edits::roles(inputs.before, inputs.after),
        requests: held::requests(inputs),
        empty_stages: stages::empty(inputs),
        people: people.iter().map(|s| Named { id: s.person.id.clone(), name: s.person.name.clone() }).collect(),
        groups,
        grants,
        standing_by_neither,
        notes,
    }
}
