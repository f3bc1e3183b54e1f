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
    project::Steps,
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

/// Locks the head's row and reads the server's clock after the lock is held. Release binaries always take the lock; the
/// test feature `without-head-lock` exists to show that the race tests fail without it.
pub(super) fn lock_head(c: &mut Pg) -> Result<Begun, DieselError> {
    let (clock, head) = if cfg!(feature = "without-head-lock") {
        let clock = diesel::dsl::sql::<BigInt>("(extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
        head::table.select((clock, HeadRow::as_select())).first::<(i64, HeadRow)>(c)?
    } else {
        // A view, since diesel keeps no prepared statement for a query in text.
        use super::schema::locked_head as l;
        let (head, clock): (HeadRow, i64) = l::table
            .select((
                (
                    l::seq, l::epoch, l::at, l::frontier, l::root, l::frozen, l::directory_revision, l::policy_revision, l::policy_since,
                    l::policy_source,
                ),
                l::clock,
            ))
            .first(c)?;
        (clock, head)
    };
    Ok(Begun { head: head.into(), clock: Some(Time::from_micros(clock)) })
}

/// Appends a batch and moves the head from `before` to `after`. Answers whether the first step of what the events do was
/// written as well: on PostgreSQL in the same round trip.
pub(super) fn append(
    db: &mut Db,
    before: &LedgerHead,
    after: &LedgerHead,
    (events, private): (&[AuditLogRow], &[AuditPrivateRow]),
    steps: &Steps<'_>,
) -> Result<bool, DieselError> {
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
            if moved == 1 { Ok(false) } else { Err(DieselError::NotFound) }
        }
        Db::Postgres(c) => {
            let texts = |f: fn(&AuditLogRow) -> &str| events.iter().map(f).collect::<Vec<_>>();
            let options = |f: fn(&AuditLogRow) -> Option<&str>| events.iter().map(f).collect::<Vec<_>>();
            let append = ledger_append(
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
            );
            let (seq, written): (i64, bool) = match steps.first_call()? {
                Some(call) => {
                    let (seq, changed) = diesel::select((append, call.expression())).get_result(&mut **c)?;
                    call.check(changed)?;
                    (seq, true)
                }
                None => (diesel::select(append).get_result(&mut **c)?, false),
            };
            if seq == after.seq { Ok(written) } else { Err(DieselError::NotFound) }
        }
    }
}
