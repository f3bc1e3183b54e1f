//! Reading the log: filtered, newest first, paged by sequence number.

use std::{collections::BTreeSet, ops::Range};

use diesel::{dsl::sql, expression::SqlLiteral, prelude::*, sql_types::{Bool, Nullable, Text}};

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

/// Kinds of events that tell a person's life here.
const LIFE: &[&str] = &[
    "person.added", "person.changed", "person.left", "request.granted", "grant.adopted", "grant.birthright", "grant.extended", "grant.revoked",
    "grant.expired", "grant.ending", "grant.flagged", "grant.kept", "grant.moved", "block.lifted", "token.created", "token.revoked",
];

type Joined = (AuditLogRow, Option<AuditPrivateRow>);

/// The first event at or after an instant. Times never go back along the log, so a binary search over the primary key
/// needs no index on time.
pub(super) fn first_at_or_after(db: &mut Db, at: Time) -> Result<i64, diesel::result::Error> {
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

/// Events with their personal text.
macro_rules! rows_of_the_log {
    () => {
        audit_log::table
            .left_join(audit_private::table.on(audit_private::seq.eq(audit_log::seq)))
            .select((AuditLogRow::as_select(), Option::<AuditPrivateRow>::as_select()))
    };
}

/// The condition on kinds. SQLite knows no statistics here and might walk a kind of millions of rows instead of the few of a
/// group; its unary plus forbids that. PostgreSQL chooses by its own statistics.
fn kind_beside_another(db: &Db) -> SqlLiteral<Text> {
    sql(if db.is_postgres() { "audit_log.kind" } else { "+audit_log.kind" })
}

/// The same for a group beside a person.
fn group_beside_another(db: &Db) -> SqlLiteral<Nullable<Text>> {
    sql(if db.is_postgres() { "audit_log.group_id" } else { "+audit_log.group_id" })
}

/// What one walk along an index begins with.
enum Walk {
    About(String),
    By(String),
    Group(String),
    Request(String),
    Kind(&'static str),
}

/// The walks whose rows together are those of a filter, each over one index in order of `seq`; none when the filter names
/// nothing that is indexed.
fn walks(filter: &AuditFilter, kinds: Option<&[&'static str]>) -> Option<Vec<Walk>> {
    if let Some(request) = filter.request {
        return Some(vec![Walk::Request(request.to_string())]);
    }
    if let Some(person) = &filter.person {
        return Some(vec![Walk::About(person.to_string()), Walk::By(format!("person:{person}"))]);
    }
    if let Some(group) = &filter.group {
        return Some(vec![Walk::Group(group.to_string())]);
    }
    kinds.map(|kinds| kinds.iter().map(|kind| Walk::Kind(kind)).collect())
}

/// Numbers of the newest events that a filter means, newest first. An OR of two columns, or several kinds, would make a
/// database sort all rows that match; so each index is walked by itself, as far as one page, and what was found is merged.
fn numbers(db: &mut Db, filter: &AuditFilter, walks: &[Walk], kinds: Option<&[&'static str]>, bounds: Range<i64>, rows: i64) -> Result<Vec<i64>, diesel::result::Error> {
    let (kind, group_id) = (kind_beside_another(db), group_beside_another(db));
    let mut found = BTreeSet::new();
    for walk in walks {
        let seqs: Vec<i64> = on!(db, c => {
            let mut query = audit_log::table
                .select(audit_log::seq)
                .filter(audit_log::seq.ge(bounds.start).and(audit_log::seq.lt(bounds.end)))
                .order(audit_log::seq.desc())
                .limit(rows)
                .into_boxed();
            query = match walk {
                Walk::About(person) => query.filter(audit_log::person.eq(person)),
                // Word by word what the index says of itself, or SQLite does not use it.
                Walk::By(actor) => query.filter(audit_log::actor.eq(actor)).filter(sql::<Bool>("audit_log.actor <> 'system:deliver'")),
                Walk::Group(group) => query.filter(audit_log::group_id.eq(group)),
                Walk::Request(request) => query.filter(audit_log::request.eq(request)),
                Walk::Kind(kind) => query.filter(audit_log::kind.eq(*kind)),
            };
            if let (Some(kinds), false) = (kinds, matches!(walk, Walk::Kind(_))) {
                query = query.filter(kind.clone().eq_any(kinds.to_vec()));
            }
            if let (Some(group), false) = (&filter.group, matches!(walk, Walk::Group(_))) {
                query = query.filter(group_id.clone().eq(group.as_str().to_owned()));
            }
            if let (Some(person), Walk::Request(_)) = (&filter.person, walk) {
                query = query.filter(audit_log::person.eq(person.to_string()).or(audit_log::actor.eq(format!("person:{person}"))));
            }
            query.load(c)
        })?;
        found.extend(seqs);
    }
    Ok(found.into_iter().rev().take(usize::try_from(rows).unwrap_or(0)).collect())
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
    let kinds = kinds_of(filter);
    if filter.text.is_some() {
        return search(db, filter, kinds, from..below, page.rows());
    }
    let rows: Vec<Joined> = match walks(filter, kinds.as_deref()) {
        Some(walks) => {
            let seqs = numbers(db, filter, &walks, kinds.as_deref(), from..below, page.rows())?;
            on!(db, c => rows_of_the_log!().filter(audit_log::seq.eq_any(seqs)).order(audit_log::seq.desc()).load(c))?
        }
        None => on!(db, c => rows_of_the_log!()
            .filter(audit_log::seq.ge(from).and(audit_log::seq.lt(below)))
            .order(audit_log::seq.desc())
            .limit(page.rows())
            .load(c))?,
    };
    Ok((rows, None))
}

/// Looks for words through a window of rows, and answers where to go on.
fn search(db: &mut Db, filter: &AuditFilter, kinds: Option<Vec<&'static str>>, bounds: Range<i64>, rows: i64) -> Result<(Vec<Joined>, Option<i64>), diesel::result::Error> {
    let newest: Option<i64> = on!(db, c => audit_log::table.filter(audit_log::seq.lt(bounds.end)).select(diesel::dsl::max(audit_log::seq)).first(c))?;
    let window = newest.map(|newest| (newest - TEXT_WINDOW).max(bounds.start));
    let found: Vec<Joined> = on!(db, c => {
        let mut query = rows_of_the_log!()
            .filter(audit_log::seq.lt(bounds.end))
            .filter(audit_log::seq.ge(window.unwrap_or(bounds.start)))
            .order(audit_log::seq.desc())
            .limit(rows)
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
        if let Some(kinds) = kinds {
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
    Ok((found, window.filter(|w| *w > bounds.start.max(1))))
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

    /// What happened to a person, newest first, before an event: how they came and went, what they held, their tokens.
    ///
    /// # Errors
    /// As every read.
    pub async fn timeline(&self, person: PersonId, before: Option<i64>, limit: u16) -> Result<Vec<AuditRow>, StoreError> {
        let rows: Vec<Joined> = self
            .ask(move |db| {
                let kind = kind_beside_another(db);
                let seqs: Vec<i64> = on!(db, c => audit_log::table
                    .select(audit_log::seq)
                    .filter(audit_log::person.eq(person.as_str()))
                    .filter(audit_log::seq.lt(before.unwrap_or(i64::MAX)))
                    .filter(kind.clone().eq_any(LIFE.to_vec()))
                    .order(audit_log::seq.desc())
                    .limit(i64::from(limit))
                    .load(c))?;
                on!(db, c => rows_of_the_log!().filter(audit_log::seq.eq_any(seqs)).order(audit_log::seq.desc()).load(c))
            })
            .await?;
        Ok(rows.into_iter().map(read).collect())
    }

    /// One event.
    ///
    /// # Errors
    /// As every read.
    pub async fn audit_event(&self, seq: i64) -> Result<Option<AuditRow>, StoreError> {
        let row: Option<Joined> = self
            .ask(move |db| on!(db, c => rows_of_the_log!().filter(audit_log::seq.eq(seq)).first(c).optional()))
            .await?;
        Ok(row.map(read))
    }
}
