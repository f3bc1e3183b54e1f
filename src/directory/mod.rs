//! People and teams: an immutable snapshot in memory, and importers that say what would change. Imports only `domain`.
//!
//! Importers are pure: bytes in ([`backstage`], [`table`]), a [`Source`](plan::Source) and every problem out. [`plan::plan`]
//! compares a source with the directory and lists the changes; the ledger records them.

mod accounts;
pub mod backstage;
mod build;
pub mod merge;
pub mod plan;
pub mod records;
pub mod sorted;
pub mod table;
pub mod tell;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use crate::domain::{
    id::{ConnectorName, PersonId, TeamId},
    person::{Person, Subject, Team},
    record::SourceName,
    time::Time,
};
pub use build::Changed;
use records::Records;
use sorted::Sorted;

/// How many levels of teams or managers are followed at most, by every walk upwards.
pub const MAX_DEPTH: usize = 64;

/// The directory at one revision. Cheap to share, never changed in place.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    revision: i64,
    people: Sorted<PersonId, Arc<Person>>,
    teams: Arc<BTreeMap<TeamId, Team>>,
    /// Teams with all their ancestors, shared between people who are in the same teams.
    teams_of: Sorted<PersonId, Arc<BTreeSet<TeamId>>>,
    sub_teams: Arc<HashMap<TeamId, Vec<TeamId>>>,
    members: Sorted<TeamId, Arc<Vec<PersonId>>>,
    reports: Sorted<PersonId, Arc<Vec<PersonId>>>,
    /// Who has an account in a target system, people who left included.
    accounts: Sorted<(ConnectorName, String), PersonId>,
    /// Ids that are not in small letters alone, by what they are in small letters.
    folded: Sorted<String, PersonId>,
    records: Records,
    /// When sources were heard from, as far as that is recorded.
    seen: Arc<BTreeMap<SourceName, Time>>,
}

impl Directory {
    /// Sequence number of the last directory event.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// A person, active or left.
    pub fn person(&self, id: &str) -> Option<&Arc<Person>> {
        self.people.get(id)
    }

    /// The id that is this one whatever the case of letters, of somebody who is here or was.
    pub fn alike(&self, id: &str) -> Option<&PersonId> {
        let folded = id.to_ascii_lowercase();
        let exactly = self.people.get(id).or_else(|| self.people.get(folded.as_str())).map(|p| &p.id);
        exactly.or_else(|| self.folded.get(folded.as_str()))
    }

    /// A person with all their teams, ancestors included.
    pub fn subject(&self, id: &str) -> Option<Subject<'_>> {
        let person = self.people.get(id)?;
        Some(Subject { person, teams: self.teams_of.get(id)? })
    }

    /// Everyone, by id.
    pub fn people(&self) -> &Sorted<PersonId, Arc<Person>> {
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
        self.members.get(id).map_or(&[], |m| m.as_slice())
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

    /// How many levels a team and what stands below it take, no more than one beyond [`MAX_DEPTH`].
    pub fn depth_below(&self, id: &TeamId) -> usize {
        let (mut level, mut depth) = (BTreeSet::from([id]), 0);
        while !level.is_empty() && depth <= MAX_DEPTH {
            depth += 1;
            level = level.into_iter().flat_map(|t| self.sub_teams(t)).collect();
        }
        depth
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

    /// Whether two directories have the very same teams: one was made from the other, and no team changed.
    pub fn shares_teams(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.teams, &other.teams)
    }

    /// When a source was heard from, as far as that is recorded: a little less than the truth.
    pub fn seen(&self, source: &SourceName) -> Option<Time> {
        self.seen.get(source).copied()
    }

    /// Every source that was ever heard from.
    pub fn sources(&self) -> impl Iterator<Item = &SourceName> {
        self.seen.keys()
    }

    /// The same with when sources were heard from.
    #[must_use]
    pub fn with_seen(mut self, seen: Vec<(SourceName, Time)>) -> Self {
        self.seen = Arc::new(seen.into_iter().collect());
        self
    }

    /// The same after some sources were heard from.
    #[must_use]
    pub fn heard_from(mut self, sources: Vec<(SourceName, Time)>) -> Self {
        if !sources.is_empty() {
            Arc::make_mut(&mut self.seen).extend(sources);
        }
        self
    }

    /// What sources say, where more than files speak.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Who has an account in a target system, or had it when they left.
    pub fn account_owner(&self, connector: &ConnectorName, account: &str) -> Option<&PersonId> {
        self.accounts.get(&(connector.clone(), account.to_owned()))
    }

    /// Active people who report to this one.
    pub fn reports(&self, id: &PersonId) -> &[PersonId] {
        self.reports.get(id).map_or(&[], |r| r.as_slice())
    }
}
