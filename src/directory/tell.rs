//! What a source says now, as changes of the directory: pure, from the directory as it is.

use std::{collections::BTreeMap, sync::Arc};

use super::{Directory, accounts::Claims, merge::Precedence, plan::differing};
use crate::domain::{
    directory_change::{DirectoryChange, Told},
    id::{PersonId, TeamId},
    person::{Person, PersonStatus},
    record::{Dates, PersonRecord, SourceName, TeamRecord},
};

/// Gathers what one source says, and works out what that changes.
pub struct Telling<'a> {
    directory: &'a Directory,
    precedence: &'a Precedence,
    /// All records of those spoken of, as they will be.
    people: BTreeMap<PersonId, Vec<PersonRecord>>,
    teams: BTreeMap<TeamId, Vec<TeamRecord>>,
    told: Told,
    claims: Claims<'a>,
}

/// What saying it changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// Changes of the directory itself: teams first, then people, in the order of their ids.
    pub changes: Vec<DirectoryChange>,
    /// What is said.
    pub told: Told,
    /// Accounts that would be given to another person: each a sentence.
    pub refused: Vec<String>,
}

impl Effect {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.told.is_empty()
    }

    /// Who leaves by it.
    pub fn leavers(&self) -> Vec<PersonId> {
        let leaver = |change: &DirectoryChange| match change {
            DirectoryChange::PersonLeft { id } => Some(id.clone()),
            _ => None,
        };
        self.changes.iter().filter_map(leaver).collect()
    }
}

impl<'a> Telling<'a> {
    /// Nothing said yet.
    pub fn new(directory: &'a Directory, precedence: &'a Precedence) -> Self {
        Self { directory, precedence, people: BTreeMap::new(), teams: BTreeMap::new(), told: Told::default(), claims: Claims::new(directory) }
    }

    /// Where only files spoke until now, what they said is kept as a record of theirs.
    fn records_of(&mut self, id: &PersonId) -> Vec<PersonRecord> {
        if let Some(list) = self.people.get(id) {
            return list.clone();
        }
        let kept = self.directory.records().of_person(id.as_str());
        if !kept.is_empty() {
            return kept.to_vec();
        }
        let Some(person) = self.directory.person(id.as_str()) else { return Vec::new() };
        let files = PersonRecord::new(SourceName::files(), Arc::clone(person), None, Dates::unknown());
        self.told.people.push(files.clone());
        vec![files]
    }

    /// Nobody says anything new, but the order of sources may be another.
    #[must_use]
    pub fn merged_anew(mut self) -> Self {
        let records = self.directory.records();
        self.people = records.people().map(|(id, list)| (id.clone(), list.to_vec())).collect();
        self.teams = records.teams().map(|(id, list)| (id.clone(), list.to_vec())).collect();
        self
    }

    /// A source says this of a person.
    pub fn person(&mut self, record: PersonRecord) {
        let mut list = self.records_of(record.id());
        let before = list.iter().find(|r| r.source == record.source);
        let record = record.after(before);
        list.retain(|r| r.source != record.source);
        list.push(record.clone());
        self.told.people.retain(|r| r.source != record.source || r.id() != record.id());
        self.people.insert(record.id().clone(), list);
        self.told.people.push(record);
    }

    /// What a source will have said of a person when all is told.
    pub fn said_of(&self, source: &SourceName, id: &PersonId) -> Option<&PersonRecord> {
        let list = self.people.get(id).map_or_else(|| self.directory.records().of_person(id.as_str()), Vec::as_slice);
        list.iter().find(|r| r.source == *source)
    }

    fn records_of_team(&mut self, id: &TeamId) -> Vec<TeamRecord> {
        if let Some(list) = self.teams.get(id) {
            return list.clone();
        }
        let kept = self.directory.records().of_team(id.as_str());
        if !kept.is_empty() {
            return kept.to_vec();
        }
        let Some(team) = self.directory.team(id.as_str()) else { return Vec::new() };
        let files = TeamRecord { source: SourceName::files(), team: team.clone(), external_id: None, gone: false, dates: Dates::unknown() };
        self.told.teams.push(files.clone());
        vec![files]
    }

    /// A source says this of a team.
    pub fn team(&mut self, record: TeamRecord) {
        let mut list = self.records_of_team(record.id());
        list.retain(|r| r.source != record.source);
        list.push(record.clone());
        self.told.teams.retain(|r| r.source != record.source || r.id() != record.id());
        self.teams.insert(record.id().clone(), list);
        self.told.teams.push(record);
    }

    /// A source speaks of a team no more. Its record stays, so that the id is never another team's.
    pub fn forget_team(&mut self, source: &SourceName, id: &TeamId) {
        let found = self.records_of_team(id).into_iter().find(|r| r.source == *source && !r.gone);
        if let Some(record) = found {
            self.team(record.deleted());
        }
    }

    /// Refuses what would give the accounts of one person to another, of people told of here as well.
    pub(super) fn claim(&mut self, person: &Person) -> Vec<String> {
        self.claims.of(person)
    }

    /// Works out what changes.
    pub fn effect(mut self) -> Effect {
        let mut effect = Effect::default();
        for (id, records) in &self.teams {
            match self.precedence.team(records) {
                Some(team) if self.directory.team(id.as_str()) != Some(&team) => effect.changes.push(DirectoryChange::TeamPut { team }),
                Some(_) => {}
                None => {
                    // Rows of its records go with it, so that what stays of them is said anew.
                    if self.directory.team(id.as_str()).is_some() {
                        effect.changes.push(DirectoryChange::TeamGone { id: id.clone() });
                    }
                    self.told.teams.retain(|r| r.id() != id);
                    self.told.teams.extend(records.iter().cloned());
                }
            }
        }
        for (id, records) in &self.people {
            let Some(person) = self.precedence.person(records) else { continue };
            effect.refused.extend(self.claims.of(&person));
            let known = self.directory.person(id.as_str());
            let was_here = known.is_some_and(|p| p.is_active());
            match (known, person.status) {
                (Some(known), PersonStatus::Active) if was_here => {
                    let fields = differing(known, &person);
                    if !fields.is_empty() {
                        effect.changes.push(DirectoryChange::PersonChanged { person: Box::new(person), fields });
                    }
                }
                (_, PersonStatus::Active) => effect.changes.push(DirectoryChange::PersonAdded { person: Box::new(person) }),
                (_, PersonStatus::Left) if was_here => effect.changes.push(DirectoryChange::PersonLeft { id: id.clone() }),
                // Of someone who is not here, or never was, only the record tells.
                (_, PersonStatus::Left) => {}
            }
        }
        effect.told = self.told;
        effect
    }
}
