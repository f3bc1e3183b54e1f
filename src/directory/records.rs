//! What sources say, in memory: by person and team, and by the names that a SCIM client asks for.

use std::sync::Arc;

use super::sorted::Sorted;
use crate::domain::{
    id::{PersonId, TeamId},
    person::Person,
    record::{PersonRecord, SourceName, TeamRecord},
};

/// The enterprise extension of SCIM users.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Under which name a source asks for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handle {
    /// `userName`: unique in a source whatever its case.
    UserName,
    /// `externalId`: the source's own id.
    ExternalId,
}

impl Handle {
    /// The attribute.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::UserName => "userName",
            Self::ExternalId => "externalId",
        }
    }

    fn key(self, source: &SourceName, text: &str) -> String {
        match self {
            Self::UserName => format!("{source}\0u\0{}", text.to_lowercase()),
            Self::ExternalId => format!("{source}\0e\0{text}"),
        }
    }
}

/// Records of every source but files that are alone. Cheap to copy.
#[derive(Debug, Clone, Default)]
pub struct Records {
    people: Sorted<PersonId, Arc<[PersonRecord]>>,
    teams: Sorted<TeamId, Arc<[TeamRecord]>>,
    handles: Sorted<String, PersonId>,
    /// Whose manager is given by a name that nobody has yet: by source, name and person.
    awaiting: Sorted<String, PersonId>,
}

/// Under what a record waits for its manager to come.
fn awaits(record: &PersonRecord) -> Option<String> {
    let given = record.given.as_ref().filter(|_| !record.gone && record.person.manager.is_none())?;
    let enterprise = given.member(ENTERPRISE)?;
    let name = enterprise.get("manager")?.get("value")?.as_str()?;
    Some(format!("{}\0{}\0{}", record.source, name.to_lowercase(), record.id()))
}

impl Records {
    /// Keeps what a source says; `merged` is the person that all of them make, whose facts are most often the same.
    pub(super) fn put_person(&mut self, mut record: PersonRecord, merged: Option<&Arc<Person>>) {
        if let Some(merged) = merged.filter(|m| **m == record.person) {
            record.person = Arc::clone(merged);
        }
        let id = record.id().clone();
        let mut list = self.people.get(&id).map(|l| l.to_vec()).unwrap_or_default();
        let old = list.iter().position(|r| r.source == record.source).map(|at| list.swap_remove(at));
        for handle in [Handle::UserName, Handle::ExternalId] {
            let text = |r: &PersonRecord| r.given.as_ref().filter(|_| !r.gone).and_then(|given| given.text(handle.attribute()));
            let key = |r: &PersonRecord| text(r).map(|text| handle.key(&r.source, &text));
            let (before, after) = (old.as_ref().and_then(key), key(&record));
            if before != after {
                if let Some(before) = before.filter(|b| self.handles.get(b) == Some(&id)) {
                    self.handles.remove(&before);
                }
                if let Some(after) = after {
                    self.handles.insert(after, id.clone());
                }
            }
        }
        let (before, after) = (old.as_ref().and_then(awaits), awaits(&record));
        if before != after {
            if let Some(before) = before {
                self.awaiting.remove(&before);
            }
            if let Some(after) = after {
                self.awaiting.insert(after, id.clone());
            }
        }
        list.push(record);
        list.sort_by(|a, b| a.source.cmp(&b.source));
        self.people.insert(id, list.into());
    }

    pub(super) fn put_team(&mut self, record: TeamRecord) {
        let id = record.id().clone();
        let mut list = self.teams.get(&id).map(|l| l.to_vec()).unwrap_or_default();
        list.retain(|r| r.source != record.source);
        list.push(record);
        list.sort_by(|a, b| a.source.cmp(&b.source));
        self.teams.insert(id, list.into());
    }

    /// How many records of teams there are.
    pub fn team_count(&self) -> usize {
        self.teams.values().map(|l| l.len()).sum()
    }

    /// What sources say of a person, by source; empty when only files speak.
    pub fn of_person(&self, id: &str) -> &[PersonRecord] {
        self.people.get(id).map_or(&[], |l| l)
    }

    /// What sources say of a team, by source, those that deleted it included; empty when only files ever spoke.
    pub fn of_team(&self, id: &str) -> &[TeamRecord] {
        self.teams.get(id).map_or(&[], |l| l)
    }

    /// What one source says of a person, those it has deleted included.
    pub fn person(&self, source: &SourceName, id: &str) -> Option<&PersonRecord> {
        self.of_person(id).iter().find(|r| r.source == *source)
    }

    /// What one source says of a team.
    pub fn team(&self, source: &SourceName, id: &str) -> Option<&TeamRecord> {
        self.of_team(id).iter().find(|r| r.source == *source && !r.gone)
    }

    /// Everyone of whom a source speaks, by id; those it has deleted are left out.
    pub fn people_of<'a>(&'a self, source: &'a SourceName) -> impl Iterator<Item = &'a PersonRecord> {
        self.people.values().flat_map(|l| l.iter()).filter(move |r| r.source == *source && !r.gone)
    }

    /// Every team of which a source speaks, by id.
    pub fn teams_of<'a>(&'a self, source: &'a SourceName) -> impl Iterator<Item = &'a TeamRecord> {
        self.teams.values().flat_map(|l| l.iter()).filter(move |r| r.source == *source && !r.gone)
    }

    /// Everyone of whom anybody but files alone speaks.
    pub fn people(&self) -> impl Iterator<Item = (&PersonId, &[PersonRecord])> {
        self.people.iter().map(|(id, l)| (id, &**l))
    }

    /// Every team of which anybody but files alone speaks.
    pub fn teams(&self) -> impl Iterator<Item = (&TeamId, &[TeamRecord])> {
        self.teams.iter().map(|(id, l)| (id, &**l))
    }

    /// Those of a source whose manager is given by one of these names, and nobody had it yet.
    pub fn awaiting(&self, source: &SourceName, names: &[String]) -> Vec<&PersonRecord> {
        let mut found: Vec<&PersonRecord> = Vec::new();
        for name in names {
            let start = format!("{source}\0{}\0", name.to_lowercase());
            let waiting = self.awaiting.iter_from(&start).take_while(|(key, _)| key.starts_with(&start)).map(|(_, id)| id);
            found.extend(waiting.filter_map(|id| self.person(source, id.as_str())));
        }
        found.sort_by(|a, b| a.id().cmp(b.id()));
        found.dedup_by(|a, b| a.id() == b.id());
        found
    }

    /// Whom a source knows under a name.
    pub fn by_handle(&self, source: &SourceName, handle: Handle, text: &str) -> Option<&PersonId> {
        self.handles.get(&handle.key(source, text))
    }

    /// Whether an id was ever a team's of any source but files alone.
    pub fn knows_team(&self, id: &str) -> bool {
        self.teams.contains_key(id)
    }

    /// Whether an id was ever a person's of any source.
    pub fn knows(&self, id: &str) -> bool {
        self.people.contains_key(id)
    }
}
