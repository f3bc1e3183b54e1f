//! People and teams: an immutable snapshot in memory, and importers that say what would change. Imports only `domain`.
//!
//! Importers are pure: bytes in ([`backstage`], [`table`]), a [`Source`](plan::Source) and every problem out. [`plan::plan`]
//! compares a source with the directory and lists the changes; the ledger records them.

pub mod backstage;
pub mod plan;
pub mod table;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use crate::domain::{
    id::{PersonId, TeamId},
    person::{Person, Subject, Team},
};

/// How many levels of teams or managers are followed at most.
const MAX_DEPTH: usize = 64;

/// The directory at one revision. Cheap to share, never changed in place.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    revision: i64,
    people: BTreeMap<PersonId, Arc<Person>>,
    teams: BTreeMap<TeamId, Team>,
    /// Teams with all their ancestors, shared between people who are in the same teams.
    teams_of: HashMap<PersonId, Arc<BTreeSet<TeamId>>>,
    sub_teams: HashMap<TeamId, Vec<TeamId>>,
    members: HashMap<TeamId, Vec<PersonId>>,
    reports: HashMap<PersonId, Vec<PersonId>>,
}

impl Directory {
    /// Builds the snapshot and its indexes. `revision` is the sequence number of the last directory event.
    pub fn new(people: Vec<Person>, teams: Vec<Team>, revision: i64) -> Self {
        let teams: BTreeMap<TeamId, Team> = teams.into_iter().map(|t| (t.id.clone(), t)).collect();
        let people: BTreeMap<PersonId, Arc<Person>> = people.into_iter().map(|p| (p.id.clone(), Arc::new(p))).collect();
        let mut sub_teams: HashMap<TeamId, Vec<TeamId>> = HashMap::new();
        for team in teams.values() {
            if let Some(parent) = &team.parent {
                sub_teams.entry(parent.clone()).or_default().push(team.id.clone());
            }
        }
        let mut shared: HashMap<BTreeSet<TeamId>, Arc<BTreeSet<TeamId>>> = HashMap::new();
        let mut teams_of = HashMap::with_capacity(people.len());
        let mut members: HashMap<TeamId, Vec<PersonId>> = HashMap::new();
        let mut reports: HashMap<PersonId, Vec<PersonId>> = HashMap::new();
        for person in people.values() {
            let mut direct = person.teams.clone();
            direct.extend(person.team.clone());
            if person.is_active() {
                for team in &direct {
                    members.entry(team.clone()).or_default().push(person.id.clone());
                }
                if let Some(manager) = &person.manager {
                    reports.entry(manager.clone()).or_default().push(person.id.clone());
                }
            }
            let all = shared.entry(direct).or_insert_with_key(|direct| Arc::new(with_ancestors(direct, &teams)));
            teams_of.insert(person.id.clone(), Arc::clone(all));
        }
        Self { revision, people, teams, teams_of, sub_teams, members, reports }
    }

    /// Sequence number of the last directory event.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// A person, active or left.
    pub fn person(&self, id: &str) -> Option<&Arc<Person>> {
        self.people.get(id)
    }

    /// A person with all their teams, ancestors included.
    pub fn subject(&self, id: &str) -> Option<Subject<'_>> {
        let person = self.people.get(id)?;
        Some(Subject { person, teams: self.teams_of.get(id)? })
    }

    /// Everyone, by id.
    pub fn people(&self) -> &BTreeMap<PersonId, Arc<Person>> {
        &self.people
    }

    /// Everyone with all their teams, ancestors included.
    pub fn subjects(&self) -> impl Iterator<Item = Subject<'_>> {
        self.people.keys().filter_map(|id| self.subject(id.as_str()))
    }

    /// Every team, by id.
    pub fn teams(&self) -> &BTreeMap<TeamId, Team> {
        &self.teams
    }

    /// A team.
    pub fn team(&self, id: &str) -> Option<&Team> {
        self.teams.get(id)
    }

    /// Sub-teams, one level down.
    pub fn sub_teams(&self, id: &TeamId) -> &[TeamId] {
        self.sub_teams.get(id).map_or(&[], Vec::as_slice)
    }

    /// Active direct members, sorted by id.
    pub fn direct_members(&self, id: &TeamId) -> &[PersonId] {
        self.members.get(id).map_or(&[], Vec::as_slice)
    }

    /// Active members, those of sub-teams included.
    pub fn members(&self, id: &TeamId) -> BTreeSet<PersonId> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![id.clone()];
        while let Some(team) = open.pop() {
            if seen.insert(team.clone()) {
                found.extend(self.direct_members(&team).iter().cloned());
                open.extend(self.sub_teams(&team).iter().cloned());
            }
        }
        found
    }

    /// A team with its ancestors, nearest first; stops at a cycle.
    pub fn ancestors(&self, id: &TeamId) -> Vec<TeamId> {
        let mut chain = vec![id.clone()];
        let mut at = id.clone();
        while let Some(parent) = self.teams.get(&at).and_then(|t| t.parent.clone()) {
            if chain.contains(&parent) || chain.len() >= MAX_DEPTH {
                break;
            }
            chain.push(parent.clone());
            at = parent;
        }
        chain
    }

    /// Managers upwards, nearest first; stops at a cycle.
    pub fn manager_chain(&self, id: &PersonId) -> Vec<PersonId> {
        let mut chain: Vec<PersonId> = Vec::new();
        let mut at = id.clone();
        while let Some(manager) = self.people.get(&at).and_then(|p| p.manager.clone()) {
            if manager == *id || chain.contains(&manager) || chain.len() >= MAX_DEPTH {
                break;
            }
            chain.push(manager.clone());
            at = manager;
        }
        chain
    }

    /// Active people who report to this one.
    pub fn reports(&self, id: &PersonId) -> &[PersonId] {
        self.reports.get(id).map_or(&[], Vec::as_slice)
    }
}

/// Teams with all their ancestors; a cycle of parents ends the walk.
fn with_ancestors(direct: &BTreeSet<TeamId>, teams: &BTreeMap<TeamId, Team>) -> BTreeSet<TeamId> {
    let mut all = BTreeSet::new();
    for team in direct {
        let mut at = Some(team.clone());
        while let Some(team) = at {
            at = if all.insert(team.clone()) { teams.get(&team).and_then(|t| t.parent.clone()) } else { None };
        }
    }
    all
}
