//! What is in force: policy and people, swapped as a whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    directory::Directory,
    domain::{
        id::{ConnectorName, GroupId, PolicyRevision},
        problem::Problem,
        standing::Departure,
        time::Time,
    },
    policy::{Engine, Known, PolicySet},
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
    /// Whether new grants are stopped.
    pub frozen: bool,
}

impl Snapshot {
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
