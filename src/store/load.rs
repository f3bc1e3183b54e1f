//! What a batch reads inside its transaction: first what its commands name, then what that leads to.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{prelude::*, result::Error as DieselError};

use super::{
    read_leavers::about_leavers,
    change::{Block, BlockCause},
    db::{Db, on},
    read::StoreError,
    row_session::{IdentityRow, SessionRow},
    row_standing::{GroupLifeRow, HeldEndingsRow},
    row::{ApprovalRow, BlockRow, DeliveryRow, GrantRow, IdempotencyRow, RequestRow, TokenRow},
    schema::{ActiveGrant, HeldRemoval, LiveSession, PendingRequest, approvals, blocks, deliveries, grants, group_lives, held_endings, idempotency, identities, removals_confirmed, requests, sessions, tokens},
    writer::{Writer, store_error},
};
use crate::domain::{
    delivery::Delivery,
    duration::Duration,
    grant::Grant,
    id::{ConnectorName, DeliveryId, GrantId, GroupId, PersonId, RequestId, SessionId, TokenId},
    request::{Approval, Request},
    session::{Identity, Session},
    standing::{Departure, HeldEndings, HeldState},
    time::Time,
    token::Token,
};

/// What the commands of a batch name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Requests, with their votes.
    pub requests: BTreeSet<RequestId>,
    /// Grants.
    pub grants: BTreeSet<GrantId>,
    /// Deliveries.
    pub deliveries: BTreeSet<DeliveryId>,
    /// Tokens.
    pub tokens: BTreeSet<TokenId>,
    /// Tokens of which those that were made with them are needed.
    pub made_with: BTreeSet<TokenId>,
    /// Idempotency scopes.
    pub answers: BTreeSet<String>,
    /// Who people and subjects are: the issuer, the person, the subject.
    pub identities: BTreeSet<(String, PersonId, Option<String>)>,
    /// Sign-ins, by the hash of their `state`: the sessions that they began.
    pub attempts: BTreeSet<String>,
    /// Sessions.
    pub sessions: BTreeSet<SessionId>,
    /// People whose live sessions are needed.
    pub sessions_of: BTreeSet<PersonId>,
    /// Endings that wait for a person.
    pub held: bool,
    /// What was said about leavers.
    pub about_leavers: bool,
}

/// Where that leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// People whose live grants, pending requests and blocks are needed.
    pub people: BTreeSet<PersonId>,
    /// Groups whose live grants are needed.
    pub groups: BTreeSet<GroupId>,
    /// Groups whose pending requests are needed.
    pub pending_of: BTreeSet<GroupId>,
    /// People who leave or come back: beside the rows of `people`, their tokens, sessions, what they filed and voted on that is pending,
    /// and removals of theirs that wait.
    pub leavers: BTreeSet<PersonId>,
    /// Whether the connectors are needed where removals that adoptions cause were confirmed.
    pub confirmed: bool,
    /// Connectors whose removals that wait for confirmation are to be counted.
    pub waiting_at: BTreeSet<ConnectorName>,
}

/// The rows found.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Requests.
    pub requests: Vec<Request>,
    /// Votes on them.
    pub approvals: Vec<Approval>,
    /// Grants.
    pub grants: Vec<Grant>,
    /// Deliveries.
    pub deliveries: Vec<Delivery>,
    /// Identities.
    pub identities: Vec<Identity>,
    /// Sessions.
    pub sessions: Vec<Session>,
    /// Tokens.
    pub tokens: Vec<Token>,
    /// Kept answers: scope, hash of the body, answer.
    pub answers: Vec<IdempotencyRow>,
    /// Blocks.
    pub blocks: Vec<Block>,
    /// Endings that wait for a person; the outer none was not asked for.
    pub held: Option<Option<HeldEndings>>,
    /// Bodies of what was said about leavers, the newest first, when it was asked for.
    pub about_leavers: Option<Vec<String>>,
    /// Where removals that adoptions cause were confirmed, when it was asked for.
    pub confirmed: Option<BTreeSet<ConnectorName>>,
    /// How many removals wait for confirmation, by connector.
    pub waiting: BTreeMap<ConnectorName, u64>,
}

/// People whose rows are read by one query: SQLite binds 32,766 values at most, and a plan is made for each number of them.
const PEOPLE_AT_ONCE: usize = 500;

fn texts<T: ToString>(ids: &BTreeSet<T>) -> Vec<String> {
    ids.iter().map(T::to_string).collect()
}

fn valid<R, T>(rows: Vec<R>) -> Result<Vec<T>, StoreError>
where
    T: TryFrom<R>,
    T::Error: std::fmt::Display,
{
    rows.into_iter().map(|row| T::try_from(row).map_err(|e| StoreError(e.to_string()))).collect()
}

fn block(row: &BlockRow) -> Option<Block> {
    Some(Block {
        person: PersonId::parse(&row.person).ok()?,
        group: GroupId::parse(&row.group_id).ok()?,
        cause: BlockCause::from_stored(&row.cause)?,
        duration: row.duration.and_then(|d| u32::try_from(d).ok()).and_then(Duration::seconds),
        until: row.until.map(Time::from_micros),
        seq: row.seq,
    })
}

impl Writer {
    /// Loads what commands name.
    ///
    /// # Errors
    /// When the database fails, or a row is impossible.
    pub fn load_named(&mut self, named: &Named, into: &mut Loaded) -> Result<(), StoreError> {
        let db = &mut self.db;
        if !named.requests.is_empty() {
            let ids = texts(&named.requests);
            into.requests.extend(valid::<_, Request>(request_rows(db, &ids).map_err(store_error)?)?);
            let votes: Vec<ApprovalRow> =
                on!(db, c => approvals::table.filter(approvals::request.eq_any(&ids)).order(approvals::seq).select(ApprovalRow::as_select()).load(c))
                    .map_err(store_error)?;
            into.approvals.extend(valid::<_, Approval>(votes)?);
        }
        if !named.grants.is_empty() {
            let ids = texts(&named.grants);
            let rows: Vec<GrantRow> =
                on!(db, c => grants::table.filter(grants::id.eq_any(&ids)).select(GrantRow::as_select()).load(c)).map_err(store_error)?;
            into.grants.extend(valid::<_, Grant>(rows)?);
        }
        if !named.deliveries.is_empty() {
            let ids = texts(&named.deliveries);
            let rows: Vec<DeliveryRow> =
                on!(db, c => deliveries::table.filter(deliveries::id.eq_any(&ids)).select(DeliveryRow::as_select()).load(c))
                    .map_err(store_error)?;
            into.deliveries.extend(valid::<_, Delivery>(rows)?);
        }
        if !named.tokens.is_empty() {
            let ids = texts(&named.tokens);
            let rows: Vec<TokenRow> =
                on!(db, c => tokens::table.filter(tokens::id.eq_any(&ids)).select(TokenRow::as_select()).load(c)).map_err(store_error)?;
            into.tokens.extend(valid::<_, Token>(rows)?);
        }
        if !named.made_with.is_empty() {
            let ids = texts(&named.made_with);
            let rows: Vec<TokenRow> =
                on!(db, c => tokens::table.filter(tokens::made_with.eq_any(&ids)).select(TokenRow::as_select()).load(c)).map_err(store_error)?;
            into.tokens.extend(valid::<_, Token>(rows)?);
        }
        if !named.answers.is_empty() {
            let scopes = texts(&named.answers);
            let rows: Vec<IdempotencyRow> = on!(db, c => idempotency::table
                .filter(idempotency::scope.eq_any(&scopes))
                .select(IdempotencyRow::as_select())
                .load(c))
            .map_err(store_error)?;
            into.answers.extend(rows);
        }
        self.load_signins(named, into)?;
        let db = &mut self.db;
        if named.held {
            let rows: Vec<HeldEndingsRow> = on!(db, c => held_endings::table
                .filter(held_endings::state.eq(HeldState::Waiting.as_str()))
                .select(HeldEndingsRow::as_select())
                .load(c))
            .map_err(store_error)?;
            into.held = Some(valid::<_, HeldEndings>(rows)?.pop());
        }
        if named.about_leavers {
            into.about_leavers = Some(about_leavers(db, Time::from_micros(0)).map_err(store_error)?);
        }
        Ok(())
    }

    /// Loads identities and sessions.
    fn load_signins(&mut self, named: &Named, into: &mut Loaded) -> Result<(), StoreError> {
        let db = &mut self.db;
        for (issuer, person, subject) in &named.identities {
            let rows: Vec<IdentityRow> = on!(db, c => identities::table
                .filter(identities::issuer.eq(issuer))
                .filter(identities::person.eq(person.as_str()).or(identities::subject.nullable().eq(subject.as_deref())))
                .select(IdentityRow::as_select())
                .load(c))
            .map_err(store_error)?;
            into.identities.extend(valid::<_, Identity>(rows)?);
        }
        if !(named.attempts.is_empty() && named.sessions.is_empty()) {
            let (attempts, ids) = (texts(&named.attempts), texts(&named.sessions));
            let rows: Vec<SessionRow> = on!(db, c => sessions::table
                .filter(sessions::attempt_sha256.eq_any(&attempts).or(sessions::id.eq_any(&ids)))
                .select(SessionRow::as_select())
                .load(c))
            .map_err(store_error)?;
            into.sessions.extend(valid::<_, Session>(rows)?);
        }
        if !named.sessions_of.is_empty() {
            let people = texts(&named.sessions_of);
            let rows: Vec<SessionRow> =
                on!(db, c => sessions::table.filter(sessions::person.eq_any(&people)).filter(LiveSession).select(SessionRow::as_select()).load(c))
                    .map_err(store_error)?;
            into.sessions.extend(valid::<_, Session>(rows)?);
        }
        Ok(())
    }

    /// Loads what stands around people and groups. A grant may come twice; the caller keys by id.
    ///
    /// # Errors
    /// When the database fails, or a row is impossible.
    pub fn load_around(&mut self, around: &Around, into: &mut Loaded) -> Result<(), StoreError> {
        let db = &mut self.db;
        for people in texts(&around.people).chunks(PEOPLE_AT_ONCE) {
            let rows: Vec<GrantRow> = on!(db, c => grants::table
                .filter(grants::person.eq_any(people))
                .filter(ActiveGrant)
                .select(GrantRow::as_select())
                .load(c))
            .map_err(store_error)?;
            into.grants.extend(valid::<_, Grant>(rows)?);
            let rows: Vec<RequestRow> = on!(db, c => requests::table
                .filter(requests::person.eq_any(people))
                .filter(PendingRequest)
                .select(RequestRow::as_select())
                .load(c))
            .map_err(store_error)?;
            into.requests.extend(valid::<_, Request>(rows)?);
            let rows: Vec<BlockRow> =
                on!(db, c => blocks::table.filter(blocks::person.eq_any(people)).select(BlockRow::as_select()).load(c)).map_err(store_error)?;
            into.blocks.extend(rows.iter().filter_map(block));
        }
        for people in texts(&around.leavers).chunks(PEOPLE_AT_ONCE) {
            leavers(db, people, into)?;
        }
        if !around.groups.is_empty() {
            let groups = texts(&around.groups);
            let rows: Vec<GrantRow> = on!(db, c => grants::table
                .filter(grants::group_id.eq_any(&groups))
                .filter(ActiveGrant)
                .select(GrantRow::as_select())
                .load(c))
            .map_err(store_error)?;
            into.grants.extend(valid::<_, Grant>(rows)?);
        }
        if !around.pending_of.is_empty() {
            let groups = texts(&around.pending_of);
            let rows: Vec<RequestRow> = on!(db, c => requests::table
                .filter(requests::group_id.eq_any(&groups))
                .filter(PendingRequest)
                .select(RequestRow::as_select())
                .load(c))
            .map_err(store_error)?;
            into.requests.extend(valid::<_, Request>(rows)?);
        }
        if around.confirmed {
            let rows: Vec<String> = on!(db, c => removals_confirmed::table.select(removals_confirmed::connector).load(c)).map_err(store_error)?;
            into.confirmed = Some(rows.iter().filter_map(|name| ConnectorName::parse(name).ok()).collect());
        }
        for connector in &around.waiting_at {
            let count: i64 = on!(db, c => deliveries::table.filter(HeldRemoval).filter(deliveries::connector.eq(connector.as_str())).count().get_result(c))
                .map_err(store_error)?;
            into.waiting.insert(connector.clone(), u64::try_from(count).unwrap_or(0));
        }
        Ok(())
    }

    /// The lives of groups: id, incarnation, whether it is in force, what it said last when it left.
    ///
    /// # Errors
    /// When the database fails.
    pub fn load_group_lives(&mut self) -> Result<Vec<(GroupId, i64, bool, Departure)>, StoreError> {
        let rows: Vec<GroupLifeRow> =
            on!(&mut self.db, c => group_lives::table.select(GroupLifeRow::as_select()).load(c)).map_err(store_error)?;
        Ok(rows.into_iter().filter_map(GroupLifeRow::read).collect())
    }
}

/// What leavers leave behind, beside grants, requests and blocks of their own.
fn leavers(db: &mut Db, people: &[String], into: &mut Loaded) -> Result<(), StoreError> {
    let tokens_of: Vec<TokenRow> = on!(db, c => tokens::table
        .filter(tokens::person.eq_any(people))
        .filter(tokens::revoked_at.is_null())
        .select(TokenRow::as_select())
        .load(c))
    .map_err(store_error)?;
    into.tokens.extend(valid::<_, Token>(tokens_of)?);
    let sessions_of: Vec<SessionRow> =
        on!(db, c => sessions::table.filter(sessions::person.eq_any(people)).filter(LiveSession).select(SessionRow::as_select()).load(c)).map_err(store_error)?;
    into.sessions.extend(valid::<_, Session>(sessions_of)?);
    let filed: Vec<RequestRow> = on!(db, c => requests::table
        .filter(requests::filed_by.eq_any(people))
        .filter(PendingRequest)
        .select(RequestRow::as_select())
        .load(c))
    .map_err(store_error)?;
    into.requests.extend(valid::<_, Request>(filed)?);
    let held: Vec<DeliveryRow> = on!(db, c => deliveries::table
        .filter(HeldRemoval)
        .filter(deliveries::person.eq_any(people))
        .select(DeliveryRow::as_select())
        .load(c))
    .map_err(store_error)?;
    into.deliveries.extend(valid::<_, Delivery>(held)?);
    let voted: Vec<RequestRow> = on!(db, c => requests::table
        .inner_join(approvals::table.on(approvals::request.eq(requests::id)))
        .filter(approvals::person.eq_any(people))
        .filter(PendingRequest)
        .select(RequestRow::as_select())
        .load(c))
    .map_err(store_error)?;
    // The votes come whole, for each request.
    for ids in voted.iter().map(|r| r.id.clone()).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().chunks(PEOPLE_AT_ONCE) {
        let votes: Vec<ApprovalRow> =
            on!(db, c => approvals::table.filter(approvals::request.eq_any(ids)).order(approvals::seq).select(ApprovalRow::as_select()).load(c))
                .map_err(store_error)?;
        into.approvals.extend(valid::<_, Approval>(votes)?);
    }
    into.requests.extend(valid::<_, Request>(voted)?);
    Ok(())
}

fn request_rows(db: &mut Db, ids: &[String]) -> Result<Vec<RequestRow>, DieselError> {
    on!(db, c => requests::table.filter(requests::id.eq_any(ids)).select(RequestRow::as_select()).load(c))
}
