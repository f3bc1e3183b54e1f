//! What is in force: policy and people, swapped as a whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    directory::Directory,
    domain::{
        group::AttributeTypes,
        id::{ConnectorName, GroupId, PolicyRevision},
        problem::{Problem, Severity},
        standing::Departure,
        time::Time,
    },
    policy::{Engine, Known, PolicySet, codes},
};

/// One life of a group's id (semantics.md, 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Number of the event that began it.
    pub incarnation: i64,
    /// Whether it goes on.
    pub live: bool,
    /// What it said last about its grants, when it has left.
    pub departure: Departure,
}

/// Policy and directory at one instant.
#[derive(Clone)]
pub struct Snapshot {
    /// The policy set in force with the people of the directory.
    pub policy: Arc<Engine>,
    /// The revision that the log says is in force; none before the first load.
    pub in_force: Option<PolicyRevision>,
    /// A set that is about to be loaded; only the ledger sets it.
    pub(crate) next: Option<Arc<PolicySet>>,
    /// People and teams.
    pub directory: Arc<Directory>,
    /// Lives of group ids.
    pub lives: Arc<BTreeMap<GroupId, Life>>,
    /// When the policy set came into force.
    pub policy_since: Time,
    /// Where it came from.
    pub policy_source: String,
    /// What the newest state of the source suffers from; empty when it is the one in force.
    pub problems: Vec<Problem>,
    /// Attributes of people that the source declares while no set of it is in force for want of people.
    pub(super) declared: Arc<AttributeTypes>,
    /// Whether new grants are stopped.
    pub frozen: bool,
}

impl Snapshot {
    /// The attributes of people that sources may tell of: those of the set in force; before the first one, those of the set that
    /// waits for people, so that what they come with is not lost.
    pub fn attributes(&self) -> &AttributeTypes {
        if self.in_force.is_some() { self.policy.set().attributes() } else { &self.declared }
    }

    /// Why no policy is in force, when none is: a sentence.
    pub fn without_policy(&self) -> Option<String> {
        if self.in_force.is_some() {
            return None;
        }
        let errors: Vec<&Problem> = self.problems.iter().filter(|p| p.severity == Severity::Error).collect();
        let mut told = "no policy is in force, so everything is denied".to_owned();
        if let Some(first) = errors.first() {
            let place = if first.file.is_empty() { String::new() } else { format!("{}:{}: ", first.file, first.line) };
            told.push_str(&format!(". {place}{}", first.message));
        }
        let names = codes::awaits_people(&self.problems);
        match errors.len().saturating_sub(1) {
            0 => {}
            1 => told.push_str(", and one more error"),
            more if names => told.push_str(&format!(", and {more} more places name people or teams whom nobody knows")),
            more => told.push_str(&format!(", and {more} more errors")),
        }
        if names {
            told.push_str(". No source has brought them yet; when one has, the policy comes into force by itself");
        }
        Some(told)
    }

    /// Which life of a group is on.
    pub fn incarnation(&self, group: &GroupId) -> i64 {
        self.lives.get(group).map_or(0, |life| life.incarnation)
    }
}

/// The names that policy files may use, given a directory and the configured connectors.
pub fn known(directory: &Directory, connectors: &BTreeSet<ConnectorName>) -> Known {
    let (active, former): (Vec<_>, Vec<_>) = directory.people().values().partition(|p| p.is_active());
    Known {
        people: active.iter().map(|p| p.id.clone()).collect(),
        former_people: former.iter().map(|p| p.id.clone()).collect(),
        teams: directory.teams().keys().map(|id| (id.clone(), directory.members(id).len())).collect(),
        former_teams: BTreeSet::new(),
        connectors: connectors.clone(),
    }
}
