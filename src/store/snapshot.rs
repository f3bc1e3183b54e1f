//! Reading the directory and a policy set whole: at start, and when another replica has changed them.

use diesel::prelude::*;

use super::{
    db::{Db, on},
    read::StoreError,
    row::{PersonRow, TeamRow},
    schema::{people, policy_blobs, policy_sets, teams},
    writer::{Writer, store_error},
};
use crate::domain::{
    id::{PersonId, PolicyRevision},
    person::{Person, PersonStatus, Team},
};

/// A stored policy set: time zone, then path and bytes of every file.
pub type StoredFiles = (String, std::collections::BTreeMap<String, Vec<u8>>);

impl Writer {
    /// Everyone and every team. A person whose facts were erased comes as a tombstone without facts.
    ///
    /// # Errors
    /// When the database fails, or a row is impossible.
    pub fn load_directory(&mut self) -> Result<(Vec<Person>, Vec<Team>), StoreError> {
        let rows: Vec<PersonRow> = on!(&mut self.db, c => people::table.select(PersonRow::as_select()).load(c)).map_err(store_error)?;
        let mut everyone = Vec::with_capacity(rows.len());
        for row in rows {
            let bad = |what: &str| StoreError(format!("the row `{}` of `people` holds an impossible `{what}`", row.id));
            let mut person: Person = match &row.data {
                Some(data) => serde_json::from_str(data).map_err(|_| bad("data"))?,
                None => tombstone(PersonId::parse(&row.id).map_err(|_| bad("id"))?),
            };
            person.status = if row.status == "active" { PersonStatus::Active } else { PersonStatus::Left };
            everyone.push(person);
        }
        let rows: Vec<TeamRow> = on!(&mut self.db, c => teams::table.select(TeamRow::as_select()).load(c)).map_err(store_error)?;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            all.push(serde_json::from_str(&row.data).map_err(|_| StoreError(format!("the row `{}` of `teams` holds an impossible `data`", row.id)))?);
        }
        Ok((everyone, all))
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
