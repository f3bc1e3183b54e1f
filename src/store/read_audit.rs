//! Reading the log: filtered, newest first, paged by sequence number.

use diesel::{dsl::sql, prelude::*, sql_types::{Bool, Text}};

use super::{
    db::{Db, on},
    read::{AuditFilter, AuditRow, Page, Paged, Reader, StoreError, paged},
    row::{AuditLogRow, AuditPrivateRow},
    schema::{audit_log, audit_private},
};
use crate::domain::{
    event::{Change, EventIndex},
    id::{GroupId, PersonId, PolicyRevision},
    time::Time,
};

/// How many rows a search for text looks through before it answers with what it has and where to go on.
const TEXT_WINDOW: i64 = 20_000;

type Joined = (AuditLogRow, Option<AuditPrivateRow>);

/// The first event at or after an instant. Times never go back along the log, so a binary search over the primary key
/// needs no index on time.
fn first_at_or_after(db: &mut Db, at: Time) -> Result<i64, diesel::result::Error> {
    let last: Option<i64> = on!(db, c => audit_log::table.select(diesel::dsl::max(audit_log::seq)).first(c))?;
    let (mut low, mut high) = (1, last.unwrap_or(0) + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let then: i64 = on!(db, c => audit_log::table.find(middle).select(audit_log::at).first(c))?;
        if then < at.micros() { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

/// The kinds a filter means: a kind, or with a dot at the end all that begin so; and those with an outcome.
fn kinds_of(filter: &AuditFilter) -> Option<Vec<&'static str>> {
    if filter.kind.is_none() && filter.outcome.is_none() {
        return None;
    }
    let wanted = |kind: &&&'static str| {
        let by_kind = filter.kind.as_deref().is_none_or(|k| **kind == k || (k.ends_with('.') && kind.starts_with(k)));
        let by_outcome = filter.outcome.as_deref().is_none_or(|o| Change::outcome_of(kind).as_str() == o);
        by_kind && by_outcome
    };
    Some(Change::KINDS.iter().filter(wanted).copied().collect())
}

fn load(db: &mut Db, filter: &AuditFilter, page: Page) -> Result<(Vec<Joined>, Option<i64>), diesel::result::Error> {
    let below = match filter.to {
        Some(to) => page.below().min(first_at_or_after(db, to)?),
        None => page.below(),
    };
    let from = match filter.from {
        Some(from) => first_at_or_after(db, from)?,
        None => 0,
    };
    let newest: Option<i64> = match filter.text {
        Some(_) => on!(db, c => audit_log::table.filter(audit_log::seq.lt(below)).select(diesel::dsl::max(audit_log::seq)).first(c))?,
        None => None,
    };
    let window = newest.map(|newest| (newest - TEXT_WINDOW).max(from));
    let rows: Vec<Joined> = on!(db, c => {
        let mut query = audit_log::table
            .left_join(audit_private::table.on(audit_private::seq.eq(audit_log::seq)))
            .select((AuditLogRow::as_select(), Option::<AuditPrivateRow>::as_select()))
            .filter(audit_log::seq.lt(below))
            .filter(audit_log::seq.ge(window.unwrap_or(from)))
            .order(audit_log::seq.desc())
            .limit(page.rows())
            .into_boxed();
        if let Some(person) = &filter.person {
            query = query.filter(
                audit_log::person.eq(person.as_str().to_owned()).or(audit_log::actor.eq(format!("person:{person}"))),
            );
        }
        if let Some(group) = &filter.group {
            query = query.filter(audit_log::group_id.eq(group.as_str().to_owned()));
        }
        if let Some(request) = filter.request {
            query = query.filter(audit_log::request.eq(request.to_string()));
        }
        if let Some(kinds) = kinds_of(filter) {
            query = query.filter(audit_log::kind.eq_any(kinds));
        }
        for word in filter.text.iter().flat_map(|t| t.split_whitespace()).take(8) {
            let escaped = word.to_ascii_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            query = query.filter(
                sql::<Bool>("lower(coalesce(audit_private.text, '') || ' ' || coalesce(audit_log.rule, '') || ' ' || audit_log.kind) LIKE ")
                    .bind::<Text, _>(format!("%{escaped}%"))
                    .sql(" ESCAPE '\\'"),
            );
        }
        query.load(c)
    })?;
    // A search that reached the end of its window goes on from there, even when it found nothing.
    let rest = window.filter(|w| *w > from.max(1));
    Ok((rows, rest))
}

fn read(joined: Joined) -> AuditRow {
    let (log, private) = joined;
    AuditRow {
        seq: log.seq,
        at: Time::from_micros(log.at),
        kind: log.kind,
        actor: log.actor,
        outcome: log.outcome,
        index: EventIndex {
            person: log.person.as_deref().and_then(|p| PersonId::parse(p).ok()),
            group: log.group_id.as_deref().and_then(|g| GroupId::parse(g).ok()),
            request: log.request.as_deref().and_then(|r| r.parse().ok()),
            grant: log.grant_id.as_deref().and_then(|g| g.parse().ok()),
            rule: log.rule,
            policy_revision: log.policy_revision.as_deref().map(PolicyRevision::from_stored),
        },
        body: log.body,
        personal: private.and_then(|p| p.text),
    }
}

impl Reader {
    /// Events, newest first. A search for text looks through a window of rows at a time, so a page may hold fewer than
    /// its limit and still have a `next`.
    ///
    /// # Errors
    /// As every read.
    pub async fn audit(&self, filter: AuditFilter, page: Page) -> Result<Paged<AuditRow>, StoreError> {
        let (rows, rest) = self.ask(move |db| load(db, &filter, page)).await?;
        let mut found = paged(rows.into_iter().map(read).collect(), page.limit, |row: &AuditRow| row.seq);
        if found.next.is_none() {
            found.next = rest;
        }
        Ok(found)
    }

    /// One event.
    ///
    /// # Errors
    /// As every read.
    pub async fn audit_event(&self, seq: i64) -> Result<Option<AuditRow>, StoreError> {
        let row: Option<Joined> = self
            .ask(move |db| {
                on!(db, c => audit_log::table
                    .left_join(audit_private::table.on(audit_private::seq.eq(audit_log::seq)))
                    .select((AuditLogRow::as_select(), Option::<AuditPrivateRow>::as_select()))
                    .filter(audit_log::seq.eq(seq))
                    .first(c)
                    .optional())
            })
            .await?;
        Ok(row.map(read))
    }
}
