//! Rights that one process a database has at a time: to follow a policy folder, to deliver to target systems (design, section 5;
//! semantics.md, 28).

use diesel::{
    prelude::*,
    sql_types::{Bool, Text},
};

use super::{
    db::{Db, Location, Purpose, connect},
    read::StoreError,
};

/// What one process alone does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sole {
    /// Follow a policy folder: two folders could differ.
    PolicyFolder,
    /// Decide grants again: two would do the work twice.
    Reconsider,
    /// Deliver: two workers could overtake each other, and a late addition would undo a removal.
    Deliveries,
}

impl Sole {
    fn name(self) -> &'static str {
        match self {
            Self::PolicyFolder => "bandpass policy folder",
            Self::Reconsider => "bandpass reconsider",
            Self::Deliveries => "bandpass deliveries",
        }
    }
}

/// Held while this process alone does something. On PostgreSQL it is an advisory lock of a connection of its own, which the
/// server frees when the process ends, however it ends; a SQLite file has one process anyway.
pub struct SoleRight(Option<Db>);

#[derive(QueryableByName)]
struct Taken {
    #[diesel(sql_type = Bool)]
    taken: bool,
}

impl SoleRight {
    /// Takes it; none when another process has it. Blocks.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn take(location: &Location, what: Sole) -> Result<Option<Self>, StoreError> {
        if matches!(location, Location::Sqlite(_)) {
            return Ok(Some(Self(None)));
        }
        let mut db = connect(location, Purpose::Read)?;
        let taken: Taken = match &mut db {
            Db::Sqlite(_) => Taken { taken: true },
            Db::Postgres(c) => diesel::sql_query("SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS taken")
                .bind::<Text, _>(what.name())
                .get_result(&mut **c)
                .map_err(|e| StoreError(e.to_string()))?,
        };
        Ok(taken.taken.then_some(Self(Some(db))))
    }

    /// It, if it is still held: the lock ends with its connection. Blocks.
    pub fn still_held(mut self) -> Option<Self> {
        let alive = self.0.as_mut().is_none_or(|db| db.execute("SELECT 1").is_ok());
        alive.then_some(self)
    }
}

impl Drop for SoleRight {
    /// A PostgreSQL connection drives its socket with a runtime of its own, which must not end on an asynchronous thread.
    fn drop(&mut self) {
        if let Some(db) = self.0.take() {
            std::thread::spawn(move || drop(db));
        }
    }
}
