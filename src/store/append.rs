//! Appending to the log: row by row with cached statements on SQLite, one call of `ledger_append` on PostgreSQL.

use diesel::{
    prelude::*,
    result::Error as DieselError,
    sql_types::{Array, BigInt, Binary, Bool, Nullable, Text},
};

use super::{
    db::{Db, Pg},
    row::{AuditLogRow, AuditPrivateRow},
    schema::{audit_log, audit_private, head},
    writer::{Begun, HeadRow, LedgerHead},
};
use crate::domain::time::Time;

diesel::define_sql_function! {
    #[allow(clippy::too_many_arguments)]
    fn ledger_append(
        on_seq: BigInt, batch_at: BigInt, kinds: Array<Text>, actors: Array<Text>, people: Array<Nullable<Text>>,
        groups: Array<Nullable<Text>>, requests: Array<Nullable<Text>>, grants: Array<Nullable<Text>>, outcomes: Array<Text>,
        rules: Array<Nullable<Text>>, revisions: Array<Nullable<Text>>, commands: Array<Text>, bodies: Array<Text>,
        salts: Array<Nullable<Binary>>, texts: Array<Nullable<Text>>, new_frontier: Binary, new_root: Binary, new_frozen: Bool,
        new_directory: BigInt, new_policy: Nullable<Text>, new_policy_since: BigInt, new_policy_source: Text
    ) -> BigInt;
}

#[derive(QueryableByName)]
struct LockedHead {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = BigInt)]
    epoch: i64,
    #[diesel(sql_type = BigInt)]
    at: i64,
    #[diesel(sql_type = Binary)]
    frontier: Vec<u8>,
    #[diesel(sql_type = Binary)]
    root: Vec<u8>,
    #[diesel(sql_type = Bool)]
    frozen: bool,
    #[diesel(sql_type = BigInt)]
    directory_revision: i64,
    #[diesel(sql_type = Nullable<Text>)]
    policy_revision: Option<String>,
    #[diesel(sql_type = BigInt)]
    policy_since: i64,
    #[diesel(sql_type = Text)]
    policy_source: String,
    #[diesel(sql_type = BigInt)]
    clock: i64,
}

/// Locks the head's row and reads the server's clock after the lock is held. Release binaries always take the lock; the
/// test feature `without-head-lock` exists to show that the race tests fail without it.
pub(super) fn lock_head(c: &mut Pg) -> Result<Begun, DieselError> {
    let statement = if cfg!(feature = "without-head-lock") { "SELECT * FROM ledger_lock(false)" } else { "SELECT * FROM ledger_lock(true)" };
    let row: LockedHead = diesel::sql_query(statement).get_result(c)?;
    let clock = Time::from_micros(row.clock);
    let head = HeadRow {
        seq: row.seq,
        epoch: row.epoch,
        at: row.at,
        frontier: row.frontier,
        root: row.root,
        frozen: row.frozen,
        directory_revision: row.directory_revision,
        policy_revision: row.policy_revision,
        policy_since: row.policy_since,
        policy_source: row.policy_source,
    };
    Ok(Begun { head: head.into(), clock: Some(clock) })
}

/// Appends a batch and moves the head from `before` to `after`.
pub(super) fn append(
    db: &mut Db,
    before: &LedgerHead,
    after: &LedgerHead,
    events: &[AuditLogRow],
    private: &[AuditPrivateRow],
) -> Result<(), DieselError> {
    match db {
        Db::Sqlite(c) => {
            for row in events {
                diesel::insert_into(audit_log::table).values(row).execute(&mut **c)?;
            }
            for row in private {
                diesel::insert_into(audit_private::table).values(row).execute(&mut **c)?;
            }
            let moved = diesel::update(head::table.filter(head::id.eq(1)).filter(head::seq.eq(before.seq)))
                .set((
                    head::seq.eq(after.seq),
                    head::at.eq(after.at.micros()),
                    head::frontier.eq(&after.frontier),
                    head::root.eq(&after.root),
                    head::frozen.eq(after.frozen),
                    head::directory_revision.eq(after.directory_revision),
                    head::policy_revision.eq(after.policy_revision.as_ref().map(|r| r.as_str())),
                    head::policy_since.eq(after.policy_since.micros()),
                    head::policy_source.eq(&after.policy_source),
                ))
                .execute(&mut **c)?;
            if moved == 1 { Ok(()) } else { Err(DieselError::NotFound) }
        }
        Db::Postgres(c) => {
            let texts = |f: fn(&AuditLogRow) -> &str| events.iter().map(f).collect::<Vec<_>>();
            let options = |f: fn(&AuditLogRow) -> Option<&str>| events.iter().map(f).collect::<Vec<_>>();
            let seq: i64 = diesel::select(ledger_append(
                before.seq,
                after.at.micros(),
                texts(|e| &e.kind),
                texts(|e| &e.actor),
                options(|e| e.person.as_deref()),
                options(|e| e.group_id.as_deref()),
                options(|e| e.request.as_deref()),
                options(|e| e.grant_id.as_deref()),
                texts(|e| &e.outcome),
                options(|e| e.rule.as_deref()),
                options(|e| e.policy_revision.as_deref()),
                texts(|e| &e.command),
                texts(|e| &e.body),
                private.iter().map(|p| p.salt.as_deref()).collect::<Vec<_>>(),
                private.iter().map(|p| p.text.as_deref()).collect::<Vec<_>>(),
                &after.frontier,
                &after.root,
                after.frozen,
                after.directory_revision,
                after.policy_revision.as_ref().map(|r| r.as_str()),
                after.policy_since.micros(),
                &after.policy_source,
            ))
            .get_result(&mut **c)?;
            if seq == after.seq { Ok(()) } else { Err(DieselError::NotFound) }
        }
    }
}
