//! What deciding grants again reads: live grants by person, votes, held endings, what changed holdings; and what people are
//! told of it.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use super::{
    db::on,
    read::{Reader, StoreError, valid},
    row::GrantRow,
    row_standing::{HeldEndingsRow, NoticeRow},
    schema::{ActiveGrant, approvals, audit_log, grants, held_endings, notices, requests},
};
use crate::domain::{
    grant::Grant,
    group::Rule,
    id::{GrantId, GroupId, PersonId, RequestId},
    standing::{Asked, Audience, HeldEndings, LiveGrant, Notice},
    time::Time,
};

type AskedColumns = Option<(bool, i64, Option<String>)>;

/// Something that may change what a person's other grants depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// The event.
    pub seq: i64,
    /// Its kind.
    pub kind: String,
    /// Whose holdings.
    pub person: Option<PersonId>,
    /// What was begun or ended.
    pub group: Option<GroupId>,
}

/// Events that change holdings, or how they stand, or let endings or beginnings happen.
const MATTERS: &[&str] = &[
    "request.granted", "grant.adopted", "grant.extended", "grant.revoked", "grant.expired", "grant.moved", "grant.ending",
    "grant.flagged", "grant.kept", "endings.confirmed", "grant.birthright", "block.lifted", "freeze.set",
    "person.added", "person.changed",
];

fn live_grants(rows: Vec<(GrantRow, AskedColumns)>) -> Result<Vec<LiveGrant>, StoreError> {
    let mut found = Vec::with_capacity(rows.len());
    for (row, asked) in rows {
        let grant = Grant::try_from(row).map_err(|e| StoreError(e.to_string()))?;
        let asked = match asked {
            None => None,
            Some((justified, at, rule)) => {
                let rule: Option<Rule> = rule
                    .map(|text| serde_json::from_str(&text))
                    .transpose()
                    .map_err(|_| StoreError(format!("the request behind the grant {} holds an impossible `rule`", grant.id)))?;
                Some(Asked { justified, at: Time::from_micros(at), rule })
            }
        };
        found.push(LiveGrant { grant, asked });
    }
    Ok(found)
}

impl Reader {
    /// Live grants with what they are decided again with, in order of person and group, after a key.
    ///
    /// # Errors
    /// As every read.
    pub async fn live_grants_after(&self, after: Option<(PersonId, GroupId)>, limit: u16) -> Result<Vec<LiveGrant>, StoreError> {
        let rows = self
            .ask(move |db| {
                on!(db, c => {
                    let mut query = grants::table
                        .left_join(requests::table.on(requests::id.nullable().eq(grants::request)))
                        .filter(ActiveGrant)
                        .order((grants::person, grants::group_id))
                        .limit(i64::from(limit))
                        .select((GrantRow::as_select(), (requests::justified, requests::submitted_at, requests::rule).nullable()))
                        .into_boxed();
                    if let Some((person, group)) = &after {
                        let (person, group) = (person.as_str(), group.as_str());
                        // The first condition alone bounds the scan of the index.
                        query = query.filter(grants::person.ge(person)).filter(grants::person.gt(person).or(grants::group_id.gt(group)));
                    }
                    query.load::<(GrantRow, AskedColumns)>(c)
                })
            })
            .await?;
        live_grants(rows)
    }

    /// The same for some people, whole.
    ///
    /// # Errors
    /// As every read.
    pub async fn live_grants_of_people(&self, people: Vec<PersonId>) -> Result<Vec<LiveGrant>, StoreError> {
        let people: Vec<String> = people.iter().map(ToString::to_string).collect();
        let rows = self
            .ask(move |db| {
                on!(db, c => grants::table
                    .left_join(requests::table.on(requests::id.nullable().eq(grants::request)))
                    .filter(ActiveGrant)
                    .filter(grants::person.eq_any(&people))
                    .order((grants::person, grants::group_id))
                    .select((GrantRow::as_select(), (requests::justified, requests::submitted_at, requests::rule).nullable()))
                    .load::<(GrantRow, AskedColumns)>(c))
            })
            .await?;
        live_grants(rows)
    }

    /// Who approved some requests.
    ///
    /// # Errors
    /// As every read.
    pub async fn approvers_of(&self, ids: Vec<RequestId>) -> Result<BTreeMap<RequestId, BTreeSet<PersonId>>, StoreError> {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let rows: Vec<(String, String)> = self
            .ask(move |db| {
                on!(db, c => approvals::table.filter(approvals::request.eq_any(&ids)).select((approvals::request, approvals::person)).load(c))
            })
            .await?;
        let mut found: BTreeMap<RequestId, BTreeSet<PersonId>> = BTreeMap::new();
        for (request, person) in rows {
            if let (Ok(request), Ok(person)) = (request.parse(), PersonId::parse(&person)) {
                found.entry(request).or_default().insert(person);
            }
        }
        Ok(found)
    }

    /// The newest held endings, whatever became of them.
    ///
    /// # Errors
    /// As every read.
    pub async fn newest_held_endings(&self) -> Result<Option<HeldEndings>, StoreError> {
        let rows: Vec<HeldEndingsRow> = self
            .ask(move |db| on!(db, c => held_endings::table.order(held_endings::seq.desc()).limit(1).select(HeldEndingsRow::as_select()).load(c)))
            .await?;
        Ok(valid::<_, HeldEndings>(rows)?.pop())
    }

    /// What happened after an event that may matter to grants, in order; and the number of the last event looked at.
    ///
    /// # Errors
    /// As every read.
    pub async fn happened_to_holdings(&self, after: i64, limit: u16) -> Result<(Vec<Happened>, i64), StoreError> {
        let rows: Vec<(i64, String, Option<String>, Option<String>)> = self
            .ask(move |db| {
                on!(db, c => audit_log::table
                    .filter(audit_log::seq.gt(after))
                    .order(audit_log::seq)
                    .limit(i64::from(limit))
                    .select((audit_log::seq, audit_log::kind, audit_log::person, audit_log::group_id))
                    .load(c))
            })
            .await?;
        let last = rows.last().map_or(after, |(seq, ..)| *seq);
        let matters = rows.into_iter().filter(|(_, kind, ..)| MATTERS.contains(&kind.as_str()));
        let found = matters.map(|(seq, kind, person, group)| Happened {
            seq,
            kind,
            person: person.and_then(|p| PersonId::parse(&p).ok()),
            group: group.and_then(|g| GroupId::parse(&g).ok()),
        });
        Ok((found.collect(), last))
    }

    /// What a person, or the owners of groups, are to be told, newest first, since an instant.
    ///
    /// # Errors
    /// As every read.
    pub async fn notices(&self, person: PersonId, owned: BTreeSet<GroupId>, since: Time, limit: u16) -> Result<Vec<Notice>, StoreError> {
        let owned: Vec<String> = owned.iter().map(ToString::to_string).collect();
        let rows: Vec<NoticeRow> = self
            .ask(move |db| {
                on!(db, c => {
                    let mine = notices::audience.eq(Audience::Holder.as_str()).and(notices::person.eq(person.as_str()));
                    let ours = notices::audience.eq(Audience::Owners.as_str()).and(notices::group_id.eq_any(&owned));
                    notices::table
                        .filter(mine.or(ours))
                        .filter(notices::at.ge(since.micros()))
                        .order(notices::seq.desc())
                        .limit(i64::from(limit))
                        .select(NoticeRow::as_select())
                        .load(c)
                })
            })
            .await?;
        let notice = |row: NoticeRow| {
            let kind = crate::domain::event::Change::KINDS.iter().copied().find(|k| *k == row.kind)?;
            Some(Notice {
                seq: row.seq,
                at: Time::from_micros(row.at),
                audience: if row.audience == Audience::Holder.as_str() { Audience::Holder } else { Audience::Owners },
                person: PersonId::parse(&row.person).ok()?,
                group: GroupId::parse(&row.group_id).ok()?,
                grant: row.grant_id.parse::<GrantId>().ok()?,
                kind,
            })
        };
        Ok(rows.into_iter().filter_map(notice).collect())
    }
}
