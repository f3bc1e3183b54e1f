//! Writing projected rows. Inserts go first and together; updates follow in order.

use diesel::{prelude::*, result::Error as DieselError};

use super::{
    change::RowChange,
    db::{Db, on},
    row::{ApprovalRow, BlockRow, DeliveryRow, GrantRow, PersonRow, RequestRow, TeamRow, TokenRow, entitlements_text},
    schema::{approvals, blocks, deliveries, grants, group_lives, people, requests, teams, tokens},
};
use crate::domain::{person::PersonStatus, time::Time};

/// Inserts rows: cached single-row statements on SQLite, one statement on PostgreSQL.
macro_rules! insert_all {
    ($db:expr, $table:ident, $rows:expr) => {
        match $db {
            Db::Sqlite(c) => {
                for row in &$rows {
                    diesel::insert_into($table::table).values(row).execute(&mut **c)?;
                }
            }
            Db::Postgres(c) => {
                // PostgreSQL takes at most 65,535 parameters a statement.
                for rows in $rows.chunks(2000) {
                    diesel::insert_into($table::table).values(rows).execute(&mut **c)?;
                }
            }
        }
    };
}

/// Applies changes in the transaction. Rows that begin and change within the batch are folded, so that each is written
/// once where that is simple, and in order where it is not.
pub(super) fn apply(db: &mut Db, changes: &[RowChange]) -> Result<(), DieselError> {
    let mut filed: Vec<RequestRow> = Vec::new();
    let mut votes: Vec<ApprovalRow> = Vec::new();
    let mut started: Vec<GrantRow> = Vec::new();
    let mut queued: Vec<DeliveryRow> = Vec::new();
    let mut updates: Vec<&RowChange> = Vec::new();
    for change in changes {
        match change {
            RowChange::RequestFiled(request) => filed.push(request.into()),
            RowChange::ApprovalGiven(approval) => votes.push(approval.into()),
            // A grant may start where one ended earlier in the same batch: the unique index wants the end first.
            RowChange::GrantStarted(grant) if updates.iter().any(|u| matches!(u, RowChange::GrantEnded { .. })) => {
                flush_updates(db, &mut filed, &mut votes, &mut started, &mut queued, &mut updates)?;
                started.push(grant.into());
            }
            RowChange::GrantStarted(grant) => started.push(grant.into()),
            RowChange::DeliveryQueued { delivery, index } => queued.push(DeliveryRow::new(delivery, *index)),
            other => updates.push(other),
        }
    }
    flush_updates(db, &mut filed, &mut votes, &mut started, &mut queued, &mut updates)
}

fn flush_updates(
    db: &mut Db,
    filed: &mut Vec<RequestRow>,
    votes: &mut Vec<ApprovalRow>,
    started: &mut Vec<GrantRow>,
    queued: &mut Vec<DeliveryRow>,
    updates: &mut Vec<&RowChange>,
) -> Result<(), DieselError> {
    let (filed, votes, started, queued) =
        (std::mem::take(filed), std::mem::take(votes), std::mem::take(started), std::mem::take(queued));
    insert_all!(db, requests, filed);
    insert_all!(db, approvals, votes);
    insert_all!(db, grants, started);
    insert_all!(db, deliveries, queued);
    for change in updates.drain(..) {
        update(db, change)?;
    }
    Ok(())
}

fn one_row(changed: usize) -> Result<(), DieselError> {
    if changed == 1 { Ok(()) } else { Err(DieselError::NotFound) }
}

fn update(db: &mut Db, change: &RowChange) -> Result<(), DieselError> {
    match change {
        RowChange::RequestDecided { id, status, at, seq } => one_row(on!(db, c => diesel::update(requests::table.filter(requests::id.eq(id.to_string())))
            .set((requests::status.eq(status.as_str()), requests::decided_at.eq(at.micros()), requests::decided_seq.eq(*seq)))
            .execute(c))?),
        RowChange::RequestStage { id, stage, since, deadline } => {
            one_row(on!(db, c => diesel::update(requests::table.filter(requests::id.eq(id.to_string())))
            .set((
                requests::stage.eq(i32::try_from(*stage).unwrap_or(i32::MAX)),
                requests::stage_since.eq(since.micros()),
                requests::deadline.eq(deadline.micros()),
            ))
            .execute(c))?)
        }
        RowChange::GrantExtended(grant) => {
            let row = GrantRow::from(grant);
            one_row(on!(db, c => diesel::update(grants::table.filter(grants::id.eq(&row.id)))
                .set((
                    grants::request.eq(&row.request),
                    grants::rule.eq(&row.rule),
                    grants::duration.eq(row.duration),
                    grants::incarnation.eq(row.incarnation),
                    grants::ends_at.eq(row.ends_at),
                ))
                .execute(c))?)
        }
        RowChange::GrantCarries { id, entitlements } => {
            one_row(on!(db, c => diesel::update(grants::table.filter(grants::id.eq(id.to_string())))
            .set(grants::entitlements.eq(entitlements_text(entitlements)))
            .execute(c))?)
        }
        RowChange::GrantEnded { id, status, at, seq } => one_row(on!(db, c => diesel::update(grants::table.filter(grants::id.eq(id.to_string())))
            .set((grants::status.eq(status.as_str()), grants::ended_at.eq(at.micros()), grants::ended_seq.eq(*seq)))
            .execute(c))?),
        RowChange::DeliveryReported { id, state, done_at, note } => {
            one_row(on!(db, c => diesel::update(deliveries::table.filter(deliveries::id.eq(id.to_string())))
            .set((deliveries::state.eq(state.as_str()), deliveries::done_at.eq(done_at.map(Time::micros)), deliveries::note.eq(note)))
            .execute(c))?)
        }
        RowChange::PersonPut { id, status, person, seq } => {
            let word = if *status == PersonStatus::Active { "active" } else { "left" };
            let data = person.as_ref().and_then(|p| serde_json::to_string(p).ok());
            let row = PersonRow { id: id.to_string(), data, status: word.to_owned(), seq: *seq };
            on!(db, c => diesel::insert_into(people::table).values(&row).on_conflict(people::id).do_update().set(&row).execute(c)).map(drop)
        }
        RowChange::TeamPut { team, seq } => {
            let data = serde_json::to_string(team).map_err(|e| DieselError::SerializationError(Box::new(e)))?;
            let row = TeamRow { id: team.id.to_string(), data, seq: *seq };
            on!(db, c => diesel::insert_into(teams::table).values(&row).on_conflict(teams::id).do_update().set(&row).execute(c)).map(drop)
        }
        RowChange::TeamGone(id) => on!(db, c => diesel::delete(teams::table.find(id.as_str())).execute(c)).map(drop),
        RowChange::GroupBorn { group, incarnation } => on!(db, c => diesel::insert_into(group_lives::table)
            .values((group_lives::group_id.eq(group.as_str()), group_lives::incarnation.eq(*incarnation), group_lives::live.eq(true)))
            .on_conflict(group_lives::group_id)
            .do_update()
            .set((group_lives::incarnation.eq(*incarnation), group_lives::live.eq(true)))
            .execute(c))
        .map(drop),
        RowChange::GroupGone(group) => {
            one_row(on!(db, c => diesel::update(group_lives::table.find(group.as_str())).set(group_lives::live.eq(false)).execute(c))?)
        }
        RowChange::BlockPut(block) => {
            let row = BlockRow {
                person: block.person.to_string(),
                group_id: block.group.to_string(),
                cause: block.cause.as_str().to_owned(),
                duration: block.duration.map(|d| i64::from(d.as_seconds())),
                until: block.until.map(Time::micros),
                seq: block.seq,
            };
            on!(db, c => diesel::insert_into(blocks::table)
                .values(&row)
                .on_conflict((blocks::person, blocks::group_id, blocks::cause))
                .do_update()
                .set(&row)
                .execute(c))
            .map(drop)
        }
        RowChange::BlocksLifted { person, group } => on!(db, c => diesel::delete(
            blocks::table.filter(blocks::person.eq(person.as_str())).filter(blocks::group_id.eq(group.as_str()))
        )
        .execute(c))
        .map(drop),
        RowChange::TokenMade(token) => {
            let row = TokenRow::from(token);
            on!(db, c => diesel::insert_into(tokens::table).values(&row).execute(c)).map(drop)
        }
        RowChange::TokenRevoked { id, at } => {
            one_row(on!(db, c => diesel::update(tokens::table.find(id.to_string())).set(tokens::revoked_at.eq(at.micros())).execute(c))?)
        }
        // These lie in the head, which the append moves.
        RowChange::Frozen(_) | RowChange::PolicyInForce { .. } | RowChange::DirectoryRevision(_) => Ok(()),
        // Inserted by `apply`.
        RowChange::RequestFiled(_) | RowChange::ApprovalGiven(_) | RowChange::GrantStarted(_) | RowChange::DeliveryQueued { .. } => Ok(()),
    }
}
