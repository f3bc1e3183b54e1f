//! The ledger's connection: one transaction a batch.
//!
//! `begin` takes the lock on the head (PostgreSQL: the head's row; SQLite: BEGIN IMMEDIATE), `load` reads what the batch
//! needs, `write` appends events and projected rows and moves the head, `commit` makes it durable.

use diesel::{prelude::*, result::Error as DieselError};

use super::{
    append,
    change::RowChange,
    db::{Db, Location, Purpose, connect, on},
    project,
    read::StoreError,
    row::{AuditLogRow, AuditPrivateRow, IdempotencyRow},
    schema::{LiveSession, head, idempotency, policy_blobs, policy_sets, session_seen, sessions, token_used},
    wal::WalCopier,
};
use crate::domain::{
    id::{PolicyRevision, SessionId, TokenId},
    time::Time,
};

/// The head of the log as the ledger moves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerHead {
    /// Last sequence number.
    pub seq: i64,
    /// Life of the log.
    pub epoch: i64,
    /// Time of the last batch.
    pub at: Time,
    /// Roots of the full subtrees of the RFC 9162 tree, largest first, 32 bytes each.
    pub frontier: Vec<u8>,
    /// Root of the tree.
    pub root: Vec<u8>,
    /// Whether new grants are stopped.
    pub frozen: bool,
    /// Number of the last directory event.
    pub directory_revision: i64,
    /// The policy set in force.
    pub policy_revision: Option<PolicyRevision>,
    /// Since when.
    pub policy_since: Time,
    /// From where.
    pub policy_source: String,
}

/// What `begin` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The head, locked.
    pub head: LedgerHead,
    /// The database's clock, read after the lock was held; none on SQLite, where the process's clock counts.
    pub clock: Option<Time>,
}

/// Everything one batch writes.
#[derive(Debug, Default)]
pub struct BatchRows {
    /// Events.
    pub events: Vec<AuditLogRow>,
    /// Their personal text, one each.
    pub private: Vec<AuditPrivateRow>,
    /// What they do to the projected tables, in order.
    pub changes: Vec<RowChange>,
    /// Answers kept for their Idempotency-Key.
    pub idempotency: Vec<IdempotencyRow>,
    /// Policy sets that come into force: revision, manifest (JSON: path to hash), time zone, blobs by hash.
    pub policy_sets: Vec<StoredPolicySet>,
}

/// A policy set as it is stored, content-addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPolicySet {
    /// Its content hash.
    pub revision: PolicyRevision,
    /// IANA name that `hour` and `weekday` use.
    pub timezone: String,
    /// Path below the policy folder, SHA-256 of the bytes in hex, bytes.
    pub files: Vec<(String, String, Vec<u8>)>,
}

/// How a commit failed.
#[derive(Debug)]
pub enum CommitError {
    /// It certainly did not happen.
    RolledBack(StoreError),
    /// The connection was lost; ask the log whether it happened (semantics.md, 17).
    Unknown(StoreError),
}

/// The writing connection. Lives on the ledger's own thread.
pub struct Writer {
    pub(super) db: Db,
    location: Location,
    /// SQLite only.
    wal: Option<WalCopier>,
    /// Rows written since the log was last looked after.
    rows: usize,
}

pub(super) fn store_error(error: DieselError) -> StoreError {
    StoreError(error.to_string())
}

impl Writer {
    /// Opens it.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub fn open(location: &Location) -> Result<Self, StoreError> {
        let wal = match location {
            Location::Sqlite(path) => Some(WalCopier::new(path)),
            Location::Postgres(_) => None,
        };
        Ok(Self { db: connect(location, Purpose::Write)?, location: location.clone(), wal, rows: 0 })
    }

    /// Opens the same queries on a connection that cannot write.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub fn open_for_reading(location: &Location) -> Result<Self, StoreError> {
        Ok(Self { db: connect(location, Purpose::Read)?, location: location.clone(), wal: None, rows: 0 })
    }

    /// Number of the last directory event.
    ///
    /// # Errors
    /// When the database fails.
    pub fn directory_revision(&mut self) -> Result<i64, StoreError> {
        on!(&mut self.db, c => head::table.select(head::directory_revision).first(c)).map_err(store_error)
    }

    /// Opens it again after the connection was lost.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub fn reopen(&mut self) -> Result<(), StoreError> {
        self.db = connect(&self.location, Purpose::Write)?;
        Ok(())
    }

    /// Begins a transaction and takes the head lock.
    ///
    /// # Errors
    /// When the lock is not had in time, or the head is missing.
    pub fn begin(&mut self) -> Result<Begun, StoreError> {
        let begun = match &mut self.db {
            Db::Sqlite(_) => self.db.execute("BEGIN IMMEDIATE").and_then(|()| {
                let head = on!(&mut self.db, c => head::table.select(HeadRow::as_select()).first(c))?;
                Ok(Begun { head: head.into(), clock: None })
            }),
            Db::Postgres(c) => {
                use diesel::connection::SimpleConnection;
                c.batch_execute("BEGIN").and_then(|()| {
                    let row = append::lock_head(c)?;
                    Ok(row)
                })
            }
        };
        begun.map_err(|error| {
            self.rollback();
            store_error(error)
        })
    }

    /// Appends events and rows and moves the head, inside the transaction.
    ///
    /// # Errors
    /// When the database refuses anything; roll back.
    pub fn write(&mut self, before: &LedgerHead, after: &LedgerHead, rows: &BatchRows) -> Result<(), StoreError> {
        self.rows += 2 * rows.events.len() + rows.changes.len();
        self.try_write(before, after, rows).map_err(store_error)
    }

    fn try_write(&mut self, before: &LedgerHead, after: &LedgerHead, rows: &BatchRows) -> Result<(), DieselError> {
        for set in &rows.policy_sets {
            self.store_policy_set(set)?;
        }
        let steps = project::Steps::of(&rows.changes)?;
        let mut first_is_written = false;
        if !rows.events.is_empty() {
            first_is_written = append::append(&mut self.db, before, after, (&rows.events, &rows.private), &steps)?;
        }
        steps.apply(&mut self.db, first_is_written)?;
        for row in &rows.idempotency {
            on!(&mut self.db, c => diesel::insert_into(idempotency::table).values(row).on_conflict_do_nothing().execute(c))?;
        }
        Ok(())
    }

    fn store_policy_set(&mut self, set: &StoredPolicySet) -> Result<(), DieselError> {
        let manifest: std::collections::BTreeMap<&str, &str> = set.files.iter().map(|(p, h, _)| (p.as_str(), h.as_str())).collect();
        let manifest = serde_json::to_string(&manifest).map_err(|e| DieselError::SerializationError(Box::new(e)))?;
        for (_, hash, bytes) in &set.files {
            on!(&mut self.db, c => diesel::insert_into(policy_blobs::table)
                .values((policy_blobs::hash.eq(hash), policy_blobs::bytes.eq(bytes)))
                .on_conflict_do_nothing()
                .execute(c))?;
        }
        on!(&mut self.db, c => diesel::insert_into(policy_sets::table)
            .values((
                policy_sets::revision.eq(set.revision.as_str()),
                policy_sets::manifest.eq(&manifest),
                policy_sets::timezone.eq(&set.timezone),
            ))
            .on_conflict_do_nothing()
            .execute(c))?;
        Ok(())
    }

    /// Makes the transaction durable.
    ///
    /// # Errors
    /// [`CommitError`] tells whether it may have happened.
    pub fn commit(&mut self) -> Result<(), CommitError> {
        match self.db.execute("COMMIT") {
            Ok(()) => Ok(()),
            Err(error) => {
                let told = StoreError(error.to_string());
                // A server that answered with an error did not commit; a lost connection leaves it open.
                let answered = matches!(&error, DieselError::DatabaseError(kind, _) if !matches!(kind, diesel::result::DatabaseErrorKind::ClosedConnection | diesel::result::DatabaseErrorKind::UnableToSendCommand | diesel::result::DatabaseErrorKind::Unknown));
                if answered && !self.db.is_postgres() {
                    self.rollback();
                    return Err(CommitError::RolledBack(told));
                }
                self.rollback();
                Err(CommitError::Unknown(told))
            }
        }
    }

    /// Keeps SQLite's write-ahead log short; called when those who waited for the last commit have their answers.
    pub fn keep_log_short(&mut self) {
        if let (Some(wal), Db::Sqlite(connection)) = (&mut self.wal, &mut self.db) {
            wal.committed(std::mem::take(&mut self.rows), connection);
        }
    }

    /// Whether the connection is lost, found by asking for nothing.
    pub fn is_broken(&mut self) -> bool {
        self.db.execute("SELECT 1").is_err()
    }

    /// Gives the transaction up. Best effort: a lost connection rolls back by itself.
    pub fn rollback(&mut self) {
        if let Err(error) = self.db.execute("ROLLBACK") {
            tracing::debug!(%error, "rollback after a failed batch");
        }
    }

    /// The command that wrote event `seq`, to learn whether a commit of unknown outcome happened.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn command_of(&mut self, seq: i64) -> Result<Option<String>, StoreError> {
        use super::schema::audit_log;
        on!(&mut self.db, c => audit_log::table.find(seq).select(audit_log::command).first::<String>(c).optional()).map_err(store_error)
    }

    /// Keeps when something last came with tokens.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn note_used(&mut self, used: &[(TokenId, Time)]) -> Result<(), StoreError> {
        for (token, at) in used {
            let id = token.to_string();
            on!(&mut self.db, c => diesel::insert_into(token_used::table)
                .values((token_used::token.eq(&id), token_used::used_at.eq(at.micros())))
                .on_conflict(token_used::token)
                .do_update()
                .set(token_used::used_at.eq(at.micros()))
                .execute(c))
            .map_err(store_error)?;
        }
        Ok(())
    }

    /// Notes when something last came from sessions, never an earlier time than is known; and forgets that of ended ones.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn note_seen(&mut self, seen: &[(SessionId, Time)]) -> Result<(), StoreError> {
        self.db.execute("BEGIN").map_err(store_error)?;
        match self.put_seen(seen).and_then(|()| self.db.execute("COMMIT")) {
            Ok(()) => Ok(()),
            Err(error) => {
                let _ = self.db.execute("ROLLBACK");
                Err(store_error(error))
            }
        }
    }

    fn put_seen(&mut self, seen: &[(SessionId, Time)]) -> Result<(), DieselError> {
        for (session, at) in seen {
            let id = session.to_string();
            on!(&mut self.db, c => diesel::update(session_seen::table.find(&id).filter(session_seen::seen_at.lt(at.micros())))
                .set(session_seen::seen_at.eq(at.micros()))
                .execute(c))?;
            on!(&mut self.db, c => diesel::insert_into(session_seen::table)
                .values((session_seen::session.eq(&id), session_seen::seen_at.eq(at.micros())))
                .on_conflict_do_nothing()
                .execute(c))?;
        }
        let live = sessions::table.filter(LiveSession).select(sessions::id);
        on!(&mut self.db, c => diesel::delete(session_seen::table.filter(session_seen::session.ne_all(live))).execute(c)).map(drop)
    }

    /// Forgets answers older than `before`.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn forget_answers(&mut self, before: Time) -> Result<(), StoreError> {
        on!(&mut self.db, c => diesel::delete(idempotency::table.filter(idempotency::at.lt(before.micros()))).execute(c))
            .map(drop)
            .map_err(store_error)
    }
}

/// `head` as diesel reads it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = head)]
pub(super) struct HeadRow {
    pub seq: i64,
    pub epoch: i64,
    pub at: i64,
    pub frontier: Vec<u8>,
    pub root: Vec<u8>,
    pub frozen: bool,
    pub directory_revision: i64,
    pub policy_revision: Option<String>,
    pub policy_since: i64,
    pub policy_source: String,
}

impl From<HeadRow> for LedgerHead {
    fn from(row: HeadRow) -> Self {
        Self {
            seq: row.seq,
            epoch: row.epoch,
            at: Time::from_micros(row.at),
            frontier: row.frontier,
            root: row.root,
            frozen: row.frozen,
            directory_revision: row.directory_revision,
            policy_revision: row.policy_revision.as_deref().map(PolicyRevision::from_stored),
            policy_since: Time::from_micros(row.policy_since),
            policy_source: row.policy_source,
        }
    }
}
