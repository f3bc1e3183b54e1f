//! The right to follow a policy folder, which one process a database has at a time (semantics.md, 28).

use diesel::{prelude::*, sql_types::Bool};

use super::{
    db::{Db, Location, Purpose, connect},
    read::StoreError,
};

/// Held while this process follows a folder. On PostgreSQL it is an advisory lock of a connection of its own, which the
/// server frees when the process ends, however it ends; a SQLite file has one process anyway.
pub struct SoleFollower(Option<Db>);

#[derive(QueryableByName)]
struct Taken {
    #[diesel(sql_type = Bool)]
    taken: bool,
}

impl SoleFollower {
    /// Takes it; none when another process has it. Blocks.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn take(location: &Location) -> Result<Option<Self>, StoreError> {
        if matches!(location, Location::Sqlite(_)) {
            return Ok(Some(Self(None)));
        }
        let mut db = connect(location, Purpose::Read)?;
        let taken: Taken = match &mut db {
            Db::Sqlite(_) => Taken { taken: true },
            Db::Postgres(c) => diesel::sql_query("SELECT pg_try_advisory_lock(hashtextextended('bandpass policy folder', 0)) AS taken")
                .get_result(&mut **c)
                .map_err(|e| StoreError(e.to_string()))?,
        };
        Ok(taken.taken.then_some(Self(Some(db))))
    }
}

impl Drop for SoleFollower {
    /// A PostgreSQL connection drives its socket with a runtime of its own, which must not end on an asynchronous thread.
    fn drop(&mut self) {
        if let Some(db) = self.0.take() {
            std::thread::spawn(move || drop(db));
        }
    }
}
