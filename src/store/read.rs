//! What pages, the API and jobs read: one query a question, always paged by key.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use super::{
    change::{Block, BlockCause},
    db::{Db, Location, on},
    pool::Pool,
    row::{ApprovalRow, BadRow, BlockRow, GrantRow, RequestRow, TokenRow},
    schema::{ActiveGrant, NotStanding, PendingRequest, approvals, blocks, grants, head, requests, tokens},
    writer::HeadRow,
};
use crate::domain::{
    event::EventIndex,
    grant::Grant,
    id::{GrantId, GroupId, PersonId, PolicyRevision, RequestId, TokenId},
    request::{Approval, Request, RequestStatus},
    time::Time,
    token::Token,
};

/// The database could not answer. Callers say 503, never a wrong answer.
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer: {0}")]
pub struct StoreError(pub String);

/// Handle to the readers; cheap to clone.
#[derive(Clone)]
pub struct Reader {
    pool: Pool,
}

/// Newest first, from below `before` (a sequence number or none), at most `limit` (1..=200).
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Only rows whose key is less than this.
    pub before: Option<i64>,
    /// How many at most.
    pub limit: u16,
}

/// A page of rows and the key to continue with.
#[derive(Debug, Clone)]
pub struct Paged<T> {
    /// The rows, newest first.
    pub items: Vec<T>,
    /// `before` of the next page, when there is one.
    pub next: Option<i64>,
}

/// Which requests.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// Only of these people (none: of all).
    pub people: Option<BTreeSet<PersonId>>,
    /// Only for these groups.
    pub groups: Option<BTreeSet<GroupId>>,
    /// Only in this status.
    pub status: Option<RequestStatus>,
}

/// Which grants.
#[derive(Debug, Clone, Default)]
pub struct GrantFilter {
    /// Only of these people.
    pub people: Option<BTreeSet<PersonId>>,
    /// Only of these groups.
    pub groups: Option<BTreeSet<GroupId>>,
    /// Live at this instant (in the past as well). None: all that ever were.
    pub at: Option<Time>,
    /// Only rows that are `active` now.
    pub live: bool,
    /// Only live ones that do not stand: they end, or are listed for their owner.
    pub not_standing: bool,
}

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// About or by this person.
    pub person: Option<PersonId>,
    /// About this group.
    pub group: Option<GroupId>,
    /// Of this kind; a kind's first word with a dot (`request.`) takes all of them.
    pub kind: Option<String>,
    /// With this outcome.
    pub outcome: Option<String>,
    /// About this request.
    pub request: Option<RequestId>,
    /// Not before.
    pub from: Option<Time>,
    /// Before.
    pub to: Option<Time>,
    /// Text in reason, justification, comment, rule: every word, ASCII case ignored.
    pub text: Option<String>,
}

/// One audit row as it is read.
#[derive(Debug, Clone)]
pub struct AuditRow {
    /// Position in the log.
    pub seq: i64,
    /// When.
    pub at: Time,
    /// Public kind.
    pub kind: String,
    /// `person:ann`, `operator:root`, `system:expire`.
    pub actor: String,
    /// How it came out.
    pub outcome: String,
    /// Whom and what it is about.
    pub index: EventIndex,
    /// The hashed body, canonical JSON text.
    pub body: String,
    /// The personal JSON text; none after an erasure.
    pub personal: Option<String>,
}

/// The head of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Last sequence number; 0 for an empty log.
    pub seq: i64,
    /// Life of the log.
    pub epoch: i64,
    /// Time of the last batch.
    pub at: Time,
    /// Root of the RFC 9162 tree over all leaves.
    pub root: [u8; 32],
    /// Whether new grants are stopped.
    pub frozen: bool,
    /// Revision of the directory: sequence number of its last event.
    pub directory_revision: i64,
    /// Hash of the policy set in force; none before the first load.
    pub policy_revision: Option<PolicyRevision>,
}

pub(super) fn valid<R, T: TryFrom<R, Error = BadRow>>(rows: Vec<R>) -> Result<Vec<T>, StoreError> {
    rows.into_iter().map(|row| T::try_from(row).map_err(|e| StoreError(e.to_string()))).collect()
}

fn texts<T: ToString>(ids: &BTreeSet<T>) -> Vec<String> {
    ids.iter().map(T::to_string).collect()
}

/// Cuts the row that was read beyond the limit off, and tells the key to go on with.
pub(super) fn paged<T>(mut items: Vec<T>, limit: u16, key: impl Fn(&T) -> i64) -> Paged<T> {
    let limit = usize::from(limit);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().map(key) } else { None };
    Paged { items, next }
}

impl Page {
    pub(super) fn below(self) -> i64 {
        self.before.unwrap_or(i64::MAX)
    }

    pub(super) fn rows(self) -> i64 {
        i64::from(self.limit.clamp(1, 1000)) + 1
    }
}

impl Reader {
    /// A reader with at most `connections` connections.
    pub fn new(location: Location, connections: usize) -> Self {
        Self { pool: Pool::new(location, connections) }
    }

    pub(super) async fn ask<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Db) -> Result<T, diesel::result::Error> + Send + 'static,
    {
        self.pool.read(query).await
    }

    /// One request.
    ///
    /// # Errors
    /// As every read: when the database fails, or a row is impossible.
    pub async fn request(&self, id: RequestId) -> Result<Option<Request>, StoreError> {
        let row: Option<RequestRow> = self
            .ask(move |db| on!(db, c => requests::table.filter(requests::id.eq(id.to_string())).select(RequestRow::as_select()).first(c).optional()))
            .await?;
        Ok(valid(row.into_iter().collect())?.pop())
    }

    /// Requests, newest first, keyed by `filed_seq`.
    ///
    /// # Errors
    /// As every read.
    pub async fn requests(&self, filter: RequestFilter, page: Page) -> Result<Paged<Request>, StoreError> {
        let rows: Vec<RequestRow> = self
            .ask(move |db| {
                on!(db, c => {
                    let mut query = requests::table
                        .select(RequestRow::as_select())
                        .filter(requests::filed_seq.lt(page.below()))
                        .order(requests::filed_seq.desc())
                        .limit(page.rows())
                        .into_boxed();
                    if let Some(people) = &filter.people {
                        query = query.filter(requests::person.eq_any(texts(people)));
                    }
                    if let Some(groups) = &filter.groups {
                        query = query.filter(requests::group_id.eq_any(texts(groups)));
                    }
                    if let Some(status) = filter.status {
                        query = query.filter(requests::status.eq(status.as_str()));
                    }
                    query.load(c)
                })
            })
            .await?;
        Ok(paged(valid::<_, Request>(rows)?, page.limit, |r| r.filed_seq))
    }

    /// Every pending request, newest first: what approvers choose from.
    ///
    /// # Errors
    /// As every read.
    pub async fn pending_requests(&self, page: Page) -> Result<Paged<Request>, StoreError> {
        self.requests(RequestFilter { status: Some(RequestStatus::Pending), ..RequestFilter::default() }, page).await
    }

    /// Pending requests whose deadline is at or before `now`, at most `limit`.
    ///
    /// # Errors
    /// As every read.
    pub async fn overdue_requests(&self, now: Time, limit: u16) -> Result<Vec<RequestId>, StoreError> {
        let rows: Vec<String> = self
            .ask(move |db| {
                on!(db, c => requests::table
                    .filter(PendingRequest)
                    .filter(requests::deadline.le(now.micros()))
                    .select(requests::id)
                    .limit(i64::from(limit))
                    .load(c))
            })
            .await?;
        Ok(rows.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// The votes on a request, oldest first.
    ///
    /// # Errors
    /// As every read.
    pub async fn approvals(&self, id: RequestId) -> Result<Vec<Approval>, StoreError> {
        let rows: Vec<ApprovalRow> = self
            .ask(move |db| {
                on!(db, c => approvals::table
                    .filter(approvals::request.eq(id.to_string()))
                    .order(approvals::seq)
                    .select(ApprovalRow::as_select())
                    .load(c))
            })
            .await?;
        valid(rows)
    }

    /// One grant.
    ///
    /// # Errors
    /// As every read.
    pub async fn grant(&self, id: GrantId) -> Result<Option<Grant>, StoreError> {
        let row: Option<GrantRow> = self
            .ask(move |db| on!(db, c => grants::table.filter(grants::id.eq(id.to_string())).select(GrantRow::as_select()).first(c).optional()))
            .await?;
        Ok(valid(row.into_iter().collect())?.pop())
    }

    /// Grants, newest first, keyed by `granted_seq`.
    ///
    /// # Errors
    /// As every read.
    pub async fn grants(&self, filter: GrantFilter, page: Page) -> Result<Paged<Grant>, StoreError> {
        let rows: Vec<GrantRow> = self
            .ask(move |db| {
                on!(db, c => {
                    let mut query = grants::table
                        .select(GrantRow::as_select())
                        .filter(grants::granted_seq.lt(page.below()))
                        .order(grants::granted_seq.desc())
                        .limit(page.rows())
                        .into_boxed();
                    if let Some(people) = &filter.people {
                        query = query.filter(grants::person.eq_any(texts(people)));
                    }
                    if let Some(groups) = &filter.groups {
                        query = query.filter(grants::group_id.eq_any(texts(groups)));
                    }
                    if filter.live {
                        query = query.filter(ActiveGrant);
                    }
                    if filter.not_standing {
                        query = query.filter(NotStanding);
                    }
                    if let Some(at) = filter.at {
                        let at = at.micros();
                        // Held at an instant: begun by then, and not ended by then. A live grant past its end whose
                        // expiry is not recorded yet is not held any more.
                        query = query
                            .filter(grants::starts_at.le(at))
                            .filter(grants::ends_at.gt(at))
                            .filter(grants::ended_at.is_null().or(grants::ended_at.gt(at)));
                    }
                    query.load(c)
                })
            })
            .await?;
        Ok(paged(valid::<_, Grant>(rows)?, page.limit, |g| g.granted_seq))
    }

    /// Live grants of one person: bounded by the number of groups.
    ///
    /// # Errors
    /// As every read.
    pub async fn live_grants_of(&self, person: PersonId) -> Result<Vec<Grant>, StoreError> {
        let rows: Vec<GrantRow> = self
            .ask(move |db| {
                on!(db, c => grants::table
                    .filter(grants::person.eq(person.as_str()))
                    .filter(ActiveGrant)
                    .order(grants::ends_at)
                    .select(GrantRow::as_select())
                    .load(c))
            })
            .await?;
        valid(rows)
    }

    /// Live grants of some groups: who holds them now.
    ///
    /// # Errors
    /// As every read.
    pub async fn live_grants_of_groups(&self, groups: BTreeSet<GroupId>) -> Result<Vec<Grant>, StoreError> {
        let rows: Vec<GrantRow> = self
            .ask(move |db| {
                on!(db, c => grants::table
                    .filter(grants::group_id.eq_any(texts(&groups)))
                    .filter(ActiveGrant)
                    .select(GrantRow::as_select())
                    .load(c))
            })
            .await?;
        valid(rows)
    }

    /// Live grants whose end is at or before `now`, at most `limit`.
    ///
    /// # Errors
    /// As every read.
    pub async fn due_grants(&self, now: Time, limit: u16) -> Result<Vec<GrantId>, StoreError> {
        let rows: Vec<String> = self
            .ask(move |db| {
                on!(db, c => grants::table
                    .filter(ActiveGrant)
                    .filter(grants::ends_at.le(now.micros()))
                    .order(grants::ends_at)
                    .select(grants::id)
                    .limit(i64::from(limit))
                    .load(c))
            })
            .await?;
        Ok(rows.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Number of live members per group, for every group that has any.
    ///
    /// # Errors
    /// As every read.
    pub async fn member_counts(&self) -> Result<BTreeMap<GroupId, u64>, StoreError> {
        let rows: Vec<(String, i64)> = self
            .ask(move |db| {
                on!(db, c => grants::table
                    .filter(ActiveGrant)
                    .group_by(grants::group_id)
                    .select((grants::group_id, diesel::dsl::count_star()))
                    .load(c))
            })
            .await?;
        Ok(rows.into_iter().filter_map(|(id, n)| Some((GroupId::parse(&id).ok()?, u64::try_from(n).ok()?))).collect())
    }

    /// Blocks of one person.
    ///
    /// # Errors
    /// As every read.
    pub async fn blocks_of(&self, person: PersonId) -> Result<Vec<Block>, StoreError> {
        let rows: Vec<BlockRow> = self
            .ask(move |db| on!(db, c => blocks::table.filter(blocks::person.eq(person.as_str())).select(BlockRow::as_select()).load(c)))
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                Some(Block {
                    person: PersonId::parse(&row.person).ok()?,
                    group: GroupId::parse(&row.group_id).ok()?,
                    cause: BlockCause::from_stored(&row.cause)?,
                    duration: row.duration.and_then(|d| u32::try_from(d).ok()).and_then(crate::domain::duration::Duration::seconds),
                    until: row.until.map(Time::from_micros),
                    seq: row.seq,
                })
            })
            .collect())
    }

    /// The head of the log.
    ///
    /// # Errors
    /// As every read.
    pub async fn head(&self) -> Result<Head, StoreError> {
        let row: HeadRow = self.ask(move |db| on!(db, c => head::table.select(HeadRow::as_select()).first(c))).await?;
        let root = row.root.try_into().map_err(|_| StoreError("the root in `head` has not 32 bytes".to_owned()))?;
        Ok(Head {
            seq: row.seq,
            epoch: row.epoch,
            at: Time::from_micros(row.at),
            root,
            frozen: row.frozen,
            directory_revision: row.directory_revision,
            policy_revision: row.policy_revision.as_deref().map(PolicyRevision::from_stored),
        })
    }

    /// A token by the SHA-256 of its secret, in hex.
    ///
    /// # Errors
    /// As every read.
    pub async fn token_by_secret(&self, sha256: String) -> Result<Option<Token>, StoreError> {
        let row: Option<TokenRow> = self
            .ask(move |db| on!(db, c => tokens::table.filter(tokens::secret_sha256.eq(&sha256)).select(TokenRow::as_select()).first(c).optional()))
            .await?;
        Ok(valid(row.into_iter().collect())?.pop())
    }

    /// One token.
    ///
    /// # Errors
    /// As every read.
    pub async fn token(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        let row: Option<TokenRow> =
            self.ask(move |db| on!(db, c => tokens::table.find(id.to_string()).select(TokenRow::as_select()).first(c).optional())).await?;
        Ok(valid(row.into_iter().collect())?.pop())
    }
}
