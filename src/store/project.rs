//! Writing projected rows. Inserts go first and together; updates follow in order.

use std::collections::BTreeMap;

use diesel::{
    prelude::*,
    result::Error as DieselError,
    sql_types::Text,
    upsert::excluded,
};
use serde::Serialize;

use super::{
    change::RowChange,
    db::{Db, on},
    row_records::{PersonRecordRow, SourceSeenRow, TeamRecordRow},
    row_session::{IdentityRow, SessionRow},
    row_standing::{GroupLifeRow, HeldEndingsRow, NoticeRow, on_change_word, standing_columns},
    row::{ApprovalRow, BlockRow, DeliveryRow, GrantRow, PersonRow, RequestRow, TeamRow, TokenRow, entitlements_text},
    schema::{HeldRemoval, approvals, blocks, deliveries, grants, group_lives, held_endings, identities, notices, people, person_records, removals_confirmed, requests, sessions, sources_seen, team_records, teams, tokens},
};
use crate::domain::{delivery::DeliveryState, person::PersonStatus, time::Time};

diesel::define_sql_function! {
    /// Writes the projected rows of a batch (`migrations/postgres/0002_project_a_batch`): JSON arrays of rows, keyed by column.
    fn ledger_project(filed: Text, votes: Text, started: Text, queued: Text, reported: Text) -> BigInt;
}

/// People written by one statement on PostgreSQL; four values each, and a statement has room for 65,535.
const PEOPLE_A_STATEMENT: usize = 2000;

/// Notices written by one statement; seven values each, and a statement of SQLite has room for 32,766.
const NOTICES_A_STATEMENT: usize = 1000;

/// What is written together: rows that begin, and what became of deliveries.
#[derive(Default)]
struct Together {
    filed: Vec<RequestRow>,
    votes: Vec<ApprovalRow>,
    started: Vec<GrantRow>,
    queued: Vec<DeliveryRow>,
    /// By id, the last report of each.
    reported: BTreeMap<String, ReportedRow>,
}

/// What became of a delivery.
#[derive(Serialize)]
struct ReportedRow {
    id: String,
    state: &'static str,
    done_at: Option<i64>,
    note: Option<String>,
}

/// A call of `ledger_project`: its arguments, and how many deliveries it must say it reported on.
pub(super) struct Call {
    filed: String,
    votes: String,
    started: String,
    queued: String,
    reported: String,
    reports: usize,
}

impl Call {
    /// As an expression to select.
    pub(super) fn expression(&self) -> ledger_project<&str, &str, &str, &str, &str> {
        ledger_project(self.filed.as_str(), self.votes.as_str(), self.started.as_str(), self.queued.as_str(), self.reported.as_str())
    }

    /// Whether what it answered is what it must.
    pub(super) fn check(&self, changed: i64) -> Result<(), DieselError> {
        if usize::try_from(changed) == Ok(self.reports) { Ok(()) } else { Err(DieselError::NotFound) }
    }
}

impl Together {
    /// As one call on PostgreSQL, where each statement is a round trip; none when there is nothing to write.
    fn call(&self) -> Result<Option<Call>, DieselError> {
        if self.filed.is_empty() && self.votes.is_empty() && self.started.is_empty() && self.queued.is_empty() && self.reported.is_empty() {
            return Ok(None);
        }
        let reports: Vec<&ReportedRow> = self.reported.values().collect();
        Ok(Some(Call {
            filed: json(&self.filed)?,
            votes: json(&self.votes)?,
            started: json(&self.started)?,
            queued: json(&self.queued)?,
            reported: json(&reports)?,
            reports: reports.len(),
        }))
    }

    /// Row by row with cached statements on SQLite.
    fn write(&self, db: &mut Db) -> Result<(), DieselError> {
        match db {
            Db::Sqlite(c) => {
                for row in &self.filed {
                    diesel::insert_into(requests::table).values(row).execute(&mut **c)?;
                }
                for row in &self.votes {
                    diesel::insert_into(approvals::table).values(row).execute(&mut **c)?;
                }
                for row in &self.started {
                    diesel::insert_into(grants::table).values(row).execute(&mut **c)?;
                }
                for row in &self.queued {
                    diesel::insert_into(deliveries::table).values(row).execute(&mut **c)?;
                }
                for row in self.reported.values() {
                    let changed = diesel::update(deliveries::table.filter(deliveries::id.eq(&row.id)))
                        .set((deliveries::state.eq(row.state), deliveries::done_at.eq(row.done_at), deliveries::note.eq(&row.note)))
                        .execute(&mut **c)?;
                    one_row(changed)?;
                }
                Ok(())
            }
            Db::Postgres(c) => match self.call()? {
                Some(call) => call.check(diesel::select(call.expression()).get_result(&mut **c)?),
                None => Ok(()),
            },
        }
    }
}

fn json<T: Serialize>(rows: &[T]) -> Result<String, DieselError> {
    serde_json::to_string(rows).map_err(|e| DieselError::SerializationError(Box::new(e)))
}

/// What a batch's changes do, in order: rows that begin are written together, other updates follow one by one.
#[derive(Default)]
pub(super) struct Steps<'a> {
    first: Together,
    updates: Vec<&'a RowChange>,
    /// Only after an end in the same batch.
    then: Vec<(Together, Vec<&'a RowChange>)>,
    /// What people are to be told.
    told: Vec<NoticeRow>,
    /// People as the batch leaves them, by id: an import puts thousands, and nothing else of a batch touches their rows.
    people: BTreeMap<String, PersonRow>,
    /// What sources say of people as the batch leaves it, by source and person: a group of a program may hold thousands.
    records: BTreeMap<(String, String), PersonRecordRow>,
}

impl<'a> Steps<'a> {
    /// Sorts changes into steps.
    ///
    /// # Errors
    /// When a record cannot be written as JSON.
    pub(super) fn of(changes: &'a [RowChange]) -> Result<Self, DieselError> {
        let mut steps = Self::default();
        let (mut together, mut updates): (Together, Vec<&RowChange>) = Default::default();
        for change in changes {
            match change {
                RowChange::RequestFiled(request) => together.filed.push(request.into()),
                RowChange::ApprovalGiven(approval) => together.votes.push(approval.into()),
                // A grant may start where one ended earlier in the same batch: the unique index wants the end first.
                RowChange::GrantStarted(grant) if updates.iter().any(|u| matches!(u, RowChange::GrantEnded { .. })) => {
                    steps.then.push((std::mem::take(&mut together), std::mem::take(&mut updates)));
                    together.started.push(grant.into());
                }
                RowChange::GrantStarted(grant) => together.started.push(grant.into()),
                RowChange::DeliveryQueued { delivery, index } => together.queued.push(DeliveryRow::new(delivery, *index)),
                RowChange::DeliveryReported { id, state, done_at, note } => {
                    let row = ReportedRow { id: id.to_string(), state: state.as_str(), done_at: done_at.map(Time::micros), note: note.clone() };
                    together.reported.insert(row.id.clone(), row);
                }
                RowChange::NoticeQueued(notice) => steps.told.push(notice.into()),
                RowChange::PersonPut { id, status, person, seq } => {
                    let word = if *status == PersonStatus::Active { "active" } else { "left" };
                    let data = person.as_ref().and_then(|p| serde_json::to_string(p).ok());
                    steps.people.insert(id.to_string(), PersonRow { id: id.to_string(), data, status: word.to_owned(), seq: *seq });
                }
                RowChange::PersonRecordPut { record, seq } => {
                    let row = PersonRecordRow::new(record, *seq).map_err(|e| DieselError::SerializationError(Box::new(e)))?;
                    steps.records.insert((row.source.clone(), row.person.clone()), row);
                }
                other => updates.push(other),
            }
        }
        steps.then.push((together, updates));
        (steps.first, steps.updates) = steps.then.remove(0);
        Ok(steps)
    }

    /// The first step's rows as one call on PostgreSQL, to be made with the append in one round trip.
    pub(super) fn first_call(&self) -> Result<Option<Call>, DieselError> {
        self.first.call()
    }

    /// Carries the steps out in the transaction, the first one's rows only where no call has written them.
    pub(super) fn apply(&self, db: &mut Db, first_is_written: bool) -> Result<(), DieselError> {
        if !first_is_written {
            self.first.write(db)?;
        }
        self.updates.iter().try_for_each(|change| update(db, change))?;
        for (together, updates) in &self.then {
            together.write(db)?;
            updates.iter().try_for_each(|change| update(db, change))?;
        }
        for some in self.told.chunks(NOTICES_A_STATEMENT) {
            on!(db, c => diesel::insert_into(notices::table).values(some).execute(c))?;
        }
        put_people(db, self.people.values().collect())?;
        put_records(db, self.records.values().collect())
    }
}

/// Writes people: row by row with a cached statement on SQLite, many a statement on PostgreSQL, where each is a round trip.
fn put_people(db: &mut Db, rows: Vec<&PersonRow>) -> Result<(), DieselError> {
    match db {
        Db::Sqlite(c) => rows.into_iter().try_for_each(|row| {
            diesel::insert_into(people::table).values(row).on_conflict(people::id).do_update().set(row).execute(&mut **c).map(drop)
        }),
        Db::Postgres(c) => rows.chunks(PEOPLE_A_STATEMENT).try_for_each(|chunk| {
            diesel::insert_into(people::table)
                .values(chunk.to_vec())
                .on_conflict(people::id)
                .do_update()
                .set((people::data.eq(excluded(people::data)), people::status.eq(excluded(people::status)), people::seq.eq(excluded(people::seq))))
                .execute(&mut **c)
                .map(drop)
        }),
    }
}

/// Writes what sources say of people, as [`put_people`] does.
fn put_records(db: &mut Db, rows: Vec<&PersonRecordRow>) -> Result<(), DieselError> {
    let key = (person_records::source, person_records::person);
    match db {
        Db::Sqlite(c) => rows.into_iter().try_for_each(|row| {
            diesel::insert_into(person_records::table).values(row).on_conflict(key).do_update().set(row).execute(&mut **c).map(drop)
        }),
        Db::Postgres(c) => rows.chunks(PEOPLE_A_STATEMENT).try_for_each(|chunk| {
            diesel::insert_into(person_records::table)
                .values(chunk.to_vec())
                .on_conflict(key)
                .do_update()
                .set((person_records::data.eq(excluded(person_records::data)), person_records::seq.eq(excluded(person_records::seq))))
                .execute(&mut **c)
                .map(drop)
        }),
    }
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
        RowChange::ApprovalVoided { seq } => one_row(on!(db, c => diesel::delete(approvals::table.find(*seq)).execute(c))?),
        RowChange::DeliveryReleased(id) => one_row(on!(db, c => diesel::update(deliveries::table.filter(deliveries::id.eq(id.to_string())))
            .set((deliveries::state.eq(DeliveryState::Queued.as_str()), deliveries::urgent.eq(Some(true))))
            .execute(c))?),
        RowChange::GrantExtended(grant) => {
            let row = GrantRow::from(grant);
            one_row(on!(db, c => diesel::update(grants::table.filter(grants::id.eq(&row.id)))
                .set((
                    grants::request.eq(&row.request),
                    grants::rule.eq(&row.rule),
                    grants::duration.eq(row.duration),
                    grants::incarnation.eq(row.incarnation),
                    grants::provenance.eq(&row.provenance),
                    grants::ends_at.eq(row.ends_at),
                    grants::standing.eq(&row.standing),
                    grants::standing_cause.eq(&row.standing_cause),
                    grants::standing_since.eq(row.standing_since),
                    grants::standing_seq.eq(row.standing_seq),
                    grants::full_end.eq(row.full_end),
                ))
                .execute(c))?)
        }
        RowChange::GrantCarries { id, entitlements } => {
            one_row(on!(db, c => diesel::update(grants::table.filter(grants::id.eq(id.to_string())))
            .set(grants::entitlements.eq(entitlements_text(entitlements)))
            .execute(c))?)
        }
        RowChange::GrantStands { id, ends_at, standing } => {
            let (standing, cause, since, seq, full_end) = standing_columns(standing.as_ref());
            one_row(on!(db, c => diesel::update(grants::table.filter(grants::id.eq(id.to_string())))
                .set((
                    grants::ends_at.eq(ends_at.micros()),
                    grants::standing.eq(&standing),
                    grants::standing_cause.eq(&cause),
                    grants::standing_since.eq(since),
                    grants::standing_seq.eq(seq),
                    grants::full_end.eq(full_end),
                ))
                .execute(c))?)
        }
        RowChange::GrantMoved { id, group, incarnation, entitlements } => {
            one_row(on!(db, c => diesel::update(grants::table.filter(grants::id.eq(id.to_string())))
                .set((
                    grants::group_id.eq(group.as_str()),
                    grants::incarnation.eq(*incarnation),
                    grants::entitlements.eq(entitlements_text(entitlements)),
                ))
                .execute(c))?)
        }
        RowChange::EndingsHeld(held) => {
            let row = HeldEndingsRow::new(held);
            on!(db, c => diesel::insert_into(held_endings::table).values(&row).execute(c)).map(drop)
        }
        RowChange::EndingsClosed { held, state, seq, confirmed_for } => {
            let policy = confirmed_for.as_ref().and_then(|(policy, _)| policy.as_ref()).map(|r| r.as_str().to_owned());
            one_row(on!(db, c => diesel::update(held_endings::table.find(*held))
                .set((
                    held_endings::state.eq(state.as_str()),
                    held_endings::closed_seq.eq(*seq),
                    held_endings::confirmed_policy.eq(&policy),
                    held_endings::confirmed_directory.eq(confirmed_for.as_ref().map(|(_, directory)| *directory)),
                ))
                .execute(c))?)
        }
        RowChange::GrantEnded { id, status, at, seq } => one_row(on!(db, c => diesel::update(grants::table.filter(grants::id.eq(id.to_string())))
            .set((grants::status.eq(status.as_str()), grants::ended_at.eq(at.micros()), grants::ended_seq.eq(*seq)))
            .execute(c))?),
        RowChange::RemovalsConfirmed { connector, seq } => {
            on!(db, c => diesel::insert_into(removals_confirmed::table)
                .values((removals_confirmed::connector.eq(connector.as_str()), removals_confirmed::seq.eq(*seq)))
                .execute(c))?;
            on!(db, c => diesel::update(deliveries::table.filter(HeldRemoval).filter(deliveries::connector.eq(connector.as_str())))
                .set(deliveries::state.eq(DeliveryState::Queued.as_str()))
                .execute(c))
            .map(drop)
        }
        RowChange::TeamPut { team, seq } => {
            let data = serde_json::to_string(team).map_err(|e| DieselError::SerializationError(Box::new(e)))?;
            let row = TeamRow { id: team.id.to_string(), data, seq: *seq };
            on!(db, c => diesel::insert_into(teams::table).values(&row).on_conflict(teams::id).do_update().set(&row).execute(c)).map(drop)
        }
        RowChange::TeamGone(id) => {
            on!(db, c => diesel::delete(team_records::table.filter(team_records::team.eq(id.as_str()))).execute(c))?;
            on!(db, c => diesel::delete(teams::table.find(id.as_str())).execute(c)).map(drop)
        }
        RowChange::TeamRecordPut { record, seq } => {
            let row = TeamRecordRow::new(record, *seq).map_err(|e| DieselError::SerializationError(Box::new(e)))?;
            let key = (team_records::source, team_records::team);
            on!(db, c => diesel::insert_into(team_records::table).values(&row).on_conflict(key).do_update().set(&row).execute(c)).map(drop)
        }
        RowChange::SourceSeen { source, at, seq } => {
            let row = SourceSeenRow { source: source.to_string(), at: at.micros(), seq: *seq };
            on!(db, c => diesel::insert_into(sources_seen::table).values(&row).on_conflict(sources_seen::source).do_update().set(&row).execute(c)).map(drop)
        }
        RowChange::TeamRecordGone { source, team } => {
            on!(db, c => diesel::delete(team_records::table.find((source.as_str(), team.as_str()))).execute(c)).map(drop)
        }
        RowChange::GroupBorn { group, incarnation } => on!(db, c => diesel::insert_into(group_lives::table)
            .values(GroupLifeRow { group_id: group.to_string(), incarnation: *incarnation, live: true, on_change: None, grace: None })
            .on_conflict(group_lives::group_id)
            .do_update()
            .set((group_lives::incarnation.eq(*incarnation), group_lives::live.eq(true)))
            .execute(c))
        .map(drop),
        RowChange::GroupGone { group, departure } => one_row(on!(db, c => diesel::update(group_lives::table.find(group.as_str()))
            .set((
                group_lives::live.eq(false),
                group_lives::on_change.eq(departure.map(|d| on_change_word(d.on_change))),
                group_lives::grace.eq(departure.map(|d| i64::from(d.grace.as_seconds()))),
            ))
            .execute(c))?),
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
        RowChange::IdentityLinked { identity, seq } => {
            let row = IdentityRow::new(identity, *seq);
            on!(db, c => diesel::insert_into(identities::table).values(&row).execute(c)).map(drop)
        }
        RowChange::IdentityUnlinked { issuer, subject } => {
            one_row(on!(db, c => diesel::delete(identities::table.find((issuer.as_str(), subject.as_str()))).execute(c))?)
        }
        RowChange::SessionStarted { session, agent } => {
            let row = SessionRow::new(session, agent.as_deref());
            on!(db, c => diesel::insert_into(sessions::table).values(&row).execute(c)).map(drop)
        }
        RowChange::SessionEnded { id, at, cause } => one_row(on!(db, c => diesel::update(sessions::table.find(id.to_string()))
            .set((sessions::ended_at.eq(at.micros()), sessions::ended_because.eq(cause.as_str())))
            .execute(c))?),
        // These lie in the head, which the append moves.
        RowChange::Frozen(_) | RowChange::PolicyInForce { .. } | RowChange::DirectoryRevision(_) => Ok(()),
        // Written by `apply`.
        RowChange::RequestFiled(_)
        | RowChange::ApprovalGiven(_)
        | RowChange::GrantStarted(_)
        | RowChange::DeliveryQueued { .. }
        | RowChange::NoticeQueued(_)
        | RowChange::PersonPut { .. }
        | RowChange::PersonRecordPut { .. }
        | RowChange::DeliveryReported { .. } => Ok(()),
    }
}
