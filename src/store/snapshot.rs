//! Reading the directory and a policy set whole: at start, and when another replica has changed them.

use diesel::prelude::*;

use super::{
    db::{Db, on},
    read::StoreError,
    row::{PersonRow, TeamRow},
    row_records::{PersonRecordRow, TeamRecordRow},
    schema::{people, person_records, policy_blobs, policy_sets, sources_seen, team_records, teams},
    writer::{Writer, store_error},
};
use crate::domain::{
    id::{PersonId, PolicyRevision},
    person::{Person, PersonStatus, Team},
    record::{PersonRecord, SourceName, TeamRecord},
    time::Time,
};

/// A stored policy set: time zone, then path and bytes of every file.
pub type StoredFiles = (String, std::collections::BTreeMap<String, Vec<u8>>);

/// The directory as rows have it: all of it, or what changed since a revision.
#[derive(Debug, Default)]
pub struct StoredDirectory {
    /// People. One whose facts were erased comes as a tombstone without facts.
    pub people: Vec<Person>,
    /// Teams.
    pub teams: Vec<Team>,
    /// What sources say of people.
    pub person_records: Vec<PersonRecord>,
    /// What sources say of teams.
    pub team_records: Vec<TeamRecord>,
    /// When sources were heard from: all of them, they are few.
    pub seen: Vec<(SourceName, Time)>,
    /// How many teams and records of teams there are in all: a row that is gone leaves no number, but is missed here.
    pub team_counts: (usize, usize),
}

impl Writer {
    /// Everyone, every team, and what sources say of them.
    ///
    /// # Errors
    /// When the database fails, or a row is impossible.
    pub fn load_directory(&mut self) -> Result<StoredDirectory, StoreError> {
        self.load_directory_since(-1)
    }

    /// What changed after a revision of the directory.
    ///
    /// # Errors
    /// As [`Writer::load_directory`].
    pub fn load_directory_since(&mut self, revision: i64) -> Result<StoredDirectory, StoreError> {
        let mut found = StoredDirectory::default();
        let rows: Vec<PersonRow> = on!(&mut self.db, c => people::table.filter(people::seq.gt(revision)).select(PersonRow::as_select()).load(c)).map_err(store_error)?;
        for row in rows {
            let bad = |what: &str| StoreError(format!("the row `{}` of `people` holds an impossible `{what}`", row.id));
            let mut person: Person = match &row.data {
                Some(data) => serde_json::from_str(data).map_err(|_| bad("data"))?,
                None => tombstone(PersonId::parse(&row.id).map_err(|_| bad("id"))?),
            };
            person.status = if row.status == "active" { PersonStatus::Active } else { PersonStatus::Left };
            found.people.push(person);
        }
        let rows: Vec<TeamRow> = on!(&mut self.db, c => teams::table.filter(teams::seq.gt(revision)).select(TeamRow::as_select()).load(c)).map_err(store_error)?;
        for row in rows {
            found.teams.push(serde_json::from_str(&row.data).map_err(|_| StoreError(format!("the row `{}` of `teams` holds an impossible `data`", row.id)))?);
        }
        let rows: Vec<PersonRecordRow> =
            on!(&mut self.db, c => person_records::table.filter(person_records::seq.gt(revision)).select(PersonRecordRow::as_select()).load(c)).map_err(store_error)?;
        for row in rows {
            let bad = |_| StoreError(format!("the row `{}`, `{}` of `person_records` holds an impossible `data`", row.source, row.person));
            found.person_records.push(serde_json::from_str(&row.data).map_err(bad)?);
        }
        let rows: Vec<TeamRecordRow> = on!(&mut self.db, c => team_records::table.filter(team_records::seq.gt(revision)).select(TeamRecordRow::as_select()).load(c)).map_err(store_error)?;
        for row in rows {
            let bad = |_| StoreError(format!("the row `{}`, `{}` of `team_records` holds an impossible `data`", row.source, row.team));
            found.team_records.push(serde_json::from_str(&row.data).map_err(bad)?);
        }
        let rows: Vec<(String, i64)> = on!(&mut self.db, c => sources_seen::table.select((sources_seen::source, sources_seen::at)).load(c)).map_err(store_error)?;
        found.seen = rows.into_iter().map(|(source, at)| (SourceName::stored(&source), Time::from_micros(at))).collect();
        let count = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
        let teams: i64 = on!(&mut self.db, c => teams::table.count().get_result(c)).map_err(store_error)?;
        let records: i64 = on!(&mut self.db, c => team_records::table.count().get_result(c)).map_err(store_error)?;
        found.team_counts = (count(teams), count(records));
        Ok(found)
    }

    /// The files of a policy set.
    ///
    /// # Errors
    /// When the database fails, or a file of the set is missing.
    pub fn load_policy_files(&mut self, revision: &PolicyRevision) -> Result<Option<StoredFiles>, StoreError> {
        policy_files(&mut self.db, revision)
    }
}

impl super::read::Reader {
    /// The files of a policy set, with the time zone it was compiled for.
    ///
    /// # Errors
    /// As every read.
    pub async fn policy_files(&self, revision: PolicyRevision) -> Result<Option<StoredFiles>, StoreError> {
        self.ask(move |db| Ok(policy_files(db, &revision))).await?
    }
}

pub(super) fn policy_files(db: &mut Db, revision: &PolicyRevision) -> Result<Option<StoredFiles>, StoreError> {
    let found: Option<(String, String)> = on!(db, c => policy_sets::table
        .find(revision.as_str())
        .select((policy_sets::manifest, policy_sets::timezone))
        .first(c)
        .optional())
    .map_err(store_error)?;
    let Some((manifest, timezone)) = found else { return Ok(None) };
    let manifest: std::collections::BTreeMap<String, String> =
        serde_json::from_str(&manifest).map_err(|_| StoreError(format!("the manifest of policy set {} cannot be read", revision.short())))?;
    let mut files = std::collections::BTreeMap::new();
    for (path, hash) in manifest {
        let bytes: Vec<u8> =
            on!(db, c => policy_blobs::table.find(&hash).select(policy_blobs::bytes).first(c)).map_err(store_error)?;
        files.insert(path, bytes);
    }
    Ok(Some((timezone, files)))
}

fn tombstone(id: PersonId) -> Person {
    Person {
        name: id.to_string(),
        id,
        email: None,
        manager: None,
        team: None,
        teams: Default::default(),
        employment: None,
        location: None,
        title: None,
        attributes: Default::default(),
        accounts: Default::default(),
        status: PersonStatus::Left,
    }
}
