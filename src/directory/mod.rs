//! People and teams: an immutable snapshot in memory, and importers that say what would change. Imports only `domain`.

use std::{collections::{BTreeMap, BTreeSet}, sync::Arc};

use crate::domain::{id::{PersonId, TeamId}, person::{Person, Subject, Team}};

/// The directory at one revision. Cheap to share, never changed in place.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    _private: (),
}

impl Directory {
    /// Builds the snapshot and its indexes. `revision` is the sequence number of the last directory event.
    /// Parents that form a cycle are cut (never endless); depth is bounded.
    pub fn new(people: Vec<Person>, teams: Vec<Team>, revision: i64) -> Self { let _ = (people, teams, revision); todo!() }
    /// Sequence number of the last directory event.
    pub fn revision(&self) -> i64 { todo!() }
    /// A person, active or left.
    pub fn person(&self, id: &str) -> Option<&Arc<Person>> { let _ = id; todo!() }
    /// A person with all their teams, ancestors included.
    pub fn subject(&self, id: &str) -> Option<Subject<'_>> { let _ = id; todo!() }
    /// Everyone, by id.
    pub fn people(&self) -> &BTreeMap<PersonId, Arc<Person>> { todo!() }
    /// Everyone with all their teams, ancestors included.
    pub fn subjects(&self) -> Box<dyn Iterator<Item = (&Person, &BTreeSet<TeamId>)> + '_> { todo!() }
    /// Every team, by id.
    pub fn teams(&self) -> &BTreeMap<TeamId, Team> { todo!() }
    /// A team.
    pub fn team(&self, id: &str) -> Option<&Team> { let _ = id; todo!() }
    /// Sub-teams, one level down.
    pub fn sub_teams(&self, id: &TeamId) -> &[TeamId] { let _ = id; todo!() }
    /// Active direct members, sorted by id.
    pub fn direct_members(&self, id: &TeamId) -> &[PersonId] { let _ = id; todo!() }
    /// Active members, those of sub-teams included.
    pub fn members(&self, id: &TeamId) -> BTreeSet<PersonId> { let _ = id; todo!() }
    /// Managers upwards, nearest first; stops at a cycle.
    pub fn manager_chain(&self, id: &PersonId) -> Vec<PersonId> { let _ = id; todo!() }
    /// Active people who report to this one.
    pub fn reports(&self, id: &PersonId) -> &[PersonId] { let _ = id; todo!() }
}
