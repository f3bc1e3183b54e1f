//! What a batch knows: loaded rows, changed by each event of the batch, so that each command sees the effects of those
//! before it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::leavers::{LeaversSaid, last_said};
use crate::{
    domain::{
        delivery::{Delivery, DeliveryState},
        grant::{Grant, GrantStatus},
        id::{ConnectorName, DeliveryId, GrantId, GroupId, PersonId, RequestId, SessionId, TokenId},
        record::SourceName,
        request::{Approval, Request, RequestStatus},
        session::{Identity, Session},
        standing::{HeldEndings, HeldState},
        token::Token,
    },
    store::{
        change::{Block, BlockCause, RowChange},
        load::Loaded,
    },
};

/// The rows a batch works on.
#[derive(Debug, Default)]
pub struct State {
    requests: HashMap<RequestId, Request>,
    pending: HashMap<PersonId, BTreeMap<GroupId, RequestId>>,
    approvals: HashMap<RequestId, Vec<Approval>>,
    grants: HashMap<GrantId, Grant>,
    live: HashMap<PersonId, BTreeMap<GroupId, GrantId>>,
    holders: HashMap<GroupId, BTreeSet<GrantId>>,
    deliveries: HashMap<DeliveryId, Delivery>,
    blocks: HashMap<(PersonId, GroupId), Vec<Block>>,
    tokens: HashMap<TokenId, Token>,
    sessions: HashMap<SessionId, Session>,
    /// By issuer and subject.
    identities: HashMap<(String, String), Identity>,
    /// Of those sign-ins that commands name, the ones that have begun a session.
    attempts: HashSet<String>,
    /// Requests, grants and deliveries that reached their end in this batch.
    ended: Ended,
    /// Endings that wait for a person, as far as a command of the batch asks.
    pub held: Option<HeldEndings>,
    /// By source, the event that holds its leavers back, as far as a command asks.
    held_leavers: BTreeMap<SourceName, i64>,
    /// Where removals that adoptions cause were confirmed; none when no command needed to know.
    confirmed: Option<BTreeSet<ConnectorName>>,
    /// How many removals wait for confirmation, where a command needed to know.
    waiting: BTreeMap<ConnectorName, u64>,
    /// Whether new grants are stopped.
    pub frozen: bool,
}

#[derive(Debug, Default)]
struct Ended {
    requests: Vec<RequestId>,
    grants: Vec<GrantId>,
    deliveries: Vec<DeliveryId>,
}

impl State {
    /// Nothing loaded yet.
    pub fn new(frozen: bool) -> Self {
        Self { frozen, ..Self::default() }
    }

    /// Takes loaded rows in. The same row may come twice; votes come whole, for each request that is named.
    pub fn take(&mut self, loaded: Loaded) {
        for request in loaded.requests {
            self.put_request(request);
        }
        for approval in &loaded.approvals {
            self.approvals.remove(&approval.request);
        }
        for approval in loaded.approvals {
            let votes = self.approvals.entry(approval.request).or_default();
            if votes.iter().all(|v| v.seq != approval.seq) {
                votes.push(approval);
            }
        }
        for grant in loaded.grants {
            self.put_grant(grant);
        }
        for delivery in loaded.deliveries {
            self.deliveries.insert(delivery.id, delivery);
        }
        for token in loaded.tokens {
            self.tokens.insert(token.id, token);
        }
        for session in loaded.sessions {
            self.put_session(session);
        }
        for identity in loaded.identities {
            self.identities.insert((identity.issuer.clone(), identity.subject.clone()), identity);
        }
        for block in loaded.blocks {
            self.put_block(block);
        }
        if let Some(held) = loaded.held {
            self.held = held;
        }
        if let Some(bodies) = loaded.about_leavers {
            // What cannot be read holds nothing, so whoever confirms it is told that it is stale.
            let said = last_said(&bodies).unwrap_or_default();
            self.held_leavers = said.into_iter().filter(|(.., said)| matches!(said, LeaversSaid::Held(_))).map(|(source, seq, _)| (source, seq)).collect();
        }
        if loaded.confirmed.is_some() {
            self.confirmed = loaded.confirmed;
        }
        self.waiting.extend(loaded.waiting);
    }

    fn put_block(&mut self, block: Block) {
        let blocks = self.blocks.entry((block.person.clone(), block.group.clone())).or_default();
        blocks.retain(|b| b.cause != block.cause);
        blocks.push(block);
    }

    fn put_session(&mut self, session: Session) {
        self.attempts.insert(session.attempt_sha256.clone());
        self.sessions.insert(session.id, session);
    }

    /// Forgets what has ended and the votes: what is left is what the next batch may meet again.
    pub fn settle(&mut self) {
        let ended = std::mem::take(&mut self.ended);
        for id in ended.requests {
            self.requests.remove(&id);
        }
        for id in ended.grants {
            self.grants.remove(&id);
        }
        for id in ended.deliveries {
            self.deliveries.remove(&id);
        }
        self.approvals.clear();
        // What signing in and out needs is few rows, and is read each time.
        self.sessions.clear();
        self.identities.clear();
        self.attempts.clear();
    }

    /// The event that holds the leavers of a source back.
    pub fn held_leavers(&self, source: &SourceName) -> Option<i64> {
        self.held_leavers.get(source).copied()
    }

    /// How many rows are held.
    pub fn len(&self) -> usize {
        self.requests.len() + self.grants.len() + self.deliveries.len() + self.tokens.len()
    }

    fn put_request(&mut self, request: Request) {
        let of_person = self.pending.entry(request.person.clone()).or_default();
        if request.status == RequestStatus::Pending {
            of_person.insert(request.group.clone(), request.id);
        } else {
            if of_person.get(&request.group) == Some(&request.id) {
                of_person.remove(&request.group);
            }
            self.ended.requests.push(request.id);
        }
        self.requests.insert(request.id, request);
    }

    fn put_grant(&mut self, grant: Grant) {
        let of_person = self.live.entry(grant.person.clone()).or_default();
        if grant.status == GrantStatus::Active {
            of_person.insert(grant.group.clone(), grant.id);
            self.holders.entry(grant.group.clone()).or_default().insert(grant.id);
        } else {
            if of_person.get(&grant.group) == Some(&grant.id) {
                of_person.remove(&grant.group);
            }
            if let Some(holders) = self.holders.get_mut(&grant.group) {
                holders.remove(&grant.id);
            }
            self.ended.grants.push(grant.id);
        }
        self.grants.insert(grant.id, grant);
    }

    /// Takes a live grant out of what its person and its group hold, before it goes on elsewhere.
    fn forget_grant(&mut self, grant: &Grant) {
        if let Some(of_person) = self.live.get_mut(&grant.person) {
            of_person.remove(&grant.group);
        }
        if let Some(holders) = self.holders.get_mut(&grant.group) {
            holders.remove(&grant.id);
        }
    }

    /// Applies what an event does.
    pub fn apply(&mut self, change: &RowChange) {
        match change {
            RowChange::RequestFiled(request) => self.put_request(request.clone()),
            RowChange::RequestDecided { id, status, at, seq } => {
                if let Some(mut request) = self.requests.get(id).cloned() {
                    request.status = *status;
                    request.decided_at = Some(*at);
                    request.decided_seq = Some(*seq);
                    self.put_request(request);
                }
            }
            RowChange::RequestStage { id, stage, since, deadline } => {
                if let Some(request) = self.requests.get_mut(id) {
                    request.stage = *stage;
                    request.stage_since = *since;
                    request.deadline = Some(*deadline);
                }
            }
            RowChange::ApprovalGiven(approval) => self.approvals.entry(approval.request).or_default().push(approval.clone()),
            RowChange::ApprovalVoided { seq } => self.approvals.values_mut().for_each(|votes| votes.retain(|v| v.seq != *seq)),
            RowChange::GrantStarted(grant) | RowChange::GrantExtended(grant) => self.put_grant(grant.clone()),
            RowChange::GrantCarries { id, entitlements } => {
                if let Some(grant) = self.grants.get_mut(id) {
                    grant.entitlements.clone_from(entitlements);
                }
            }
            RowChange::GrantStands { id, ends_at, standing } => {
                if let Some(grant) = self.grants.get_mut(id) {
                    grant.ends_at = *ends_at;
                    grant.standing.clone_from(standing);
                }
            }
            RowChange::GrantMoved { id, group, incarnation, entitlements } => {
                if let Some(mut grant) = self.grants.get(id).cloned() {
                    self.forget_grant(&grant);
                    grant.group = group.clone();
                    grant.incarnation = *incarnation;
                    grant.entitlements.clone_from(entitlements);
                    self.put_grant(grant);
                }
            }
            RowChange::EndingsHeld(held) => self.held = Some(held.clone()),
            RowChange::EndingsClosed { held, .. } => self.held = self.held.take().filter(|h| h.seq != *held || h.state != HeldState::Waiting),
            RowChange::GrantEnded { id, status, at, seq } => {
                if let Some(mut grant) = self.grants.get(id).cloned() {
                    grant.status = *status;
                    grant.ended_at = Some(*at);
                    grant.ended_seq = Some(*seq);
                    self.put_grant(grant);
                }
            }
            RowChange::DeliveryQueued { delivery, .. } => {
                self.deliveries.insert(delivery.id, delivery.clone());
            }
            RowChange::DeliveryReported { id, state, done_at, note } => {
                if let Some(delivery) = self.deliveries.get_mut(id) {
                    delivery.state = *state;
                    if *state == DeliveryState::Done {
                        self.ended.deliveries.push(*id);
                    }
                    delivery.done_at = *done_at;
                    delivery.note.clone_from(note);
                }
            }
            RowChange::DeliveryReleased(id) => {
                if let Some(delivery) = self.deliveries.get_mut(id) {
                    delivery.state = DeliveryState::Queued;
                    delivery.urgent = true;
                }
            }
            RowChange::RemovalsConfirmed { connector, .. } => {
                for delivery in self.deliveries.values_mut().filter(|d| d.state == DeliveryState::Held && d.entitlement.connector == *connector) {
                    delivery.state = DeliveryState::Queued;
                }
                self.confirmed.get_or_insert_default().insert(connector.clone());
                self.waiting.remove(connector);
            }
            RowChange::BlockPut(block) => {
                self.put_block(block.clone());
            }
            RowChange::BlocksLifted { person, group } => {
                self.blocks.remove(&(person.clone(), group.clone()));
            }
            RowChange::TokenMade(token) => {
                self.tokens.insert(token.id, token.clone());
            }
            RowChange::TokenRevoked { id, at } => {
                if let Some(token) = self.tokens.get_mut(id) {
                    token.revoked_at = Some(*at);
                }
            }
            RowChange::SessionStarted { session, .. } => self.put_session(session.clone()),
            RowChange::SessionEnded { id, at, cause } => {
                if let Some(session) = self.sessions.get_mut(id) {
                    session.ended = Some((*at, *cause));
                }
            }
            RowChange::IdentityLinked { identity, .. } => {
                self.identities.insert((identity.issuer.clone(), identity.subject.clone()), identity.clone());
            }
            RowChange::IdentityUnlinked { issuer, subject } => {
                self.identities.remove(&(issuer.clone(), subject.clone()));
            }
            RowChange::Frozen(on) => self.frozen = *on,
            RowChange::PersonPut { .. }
            | RowChange::TeamPut { .. }
            | RowChange::TeamGone(_)
            | RowChange::PersonRecordPut { .. }
            | RowChange::SourceSeen { .. }
            | RowChange::TeamRecordPut { .. }
            | RowChange::TeamRecordGone { .. }
            | RowChange::GroupBorn { .. }
            | RowChange::GroupGone { .. }
            | RowChange::NoticeQueued(_)
            | RowChange::PolicyInForce { .. }
            | RowChange::DirectoryRevision(_) => {}
        }
    }

    /// A request.
    pub fn request(&self, id: RequestId) -> Option<&Request> {
        self.requests.get(&id)
    }

    /// The votes on a request, oldest first.
    pub fn approvals(&self, id: RequestId) -> &[Approval] {
        self.approvals.get(&id).map_or(&[], Vec::as_slice)
    }

    /// A grant.
    pub fn grant(&self, id: GrantId) -> Option<&Grant> {
        self.grants.get(&id)
    }

    /// The live grant of a person in a group.
    pub fn live_grant(&self, person: &PersonId, group: &GroupId) -> Option<&Grant> {
        self.live.get(person)?.get(group).and_then(|id| self.grants.get(id))
    }

    /// Every live grant of a person.
    pub fn live_grants(&self, person: &PersonId) -> impl Iterator<Item = &Grant> {
        self.live.get(person).into_iter().flat_map(BTreeMap::values).filter_map(|id| self.grants.get(id))
    }

    /// Every live grant of a group that was loaded.
    pub fn holders(&self, group: &GroupId) -> impl Iterator<Item = &Grant> {
        self.holders.get(group).into_iter().flatten().filter_map(|id| self.grants.get(id))
    }

    /// The groups a person holds, one of them left out.
    pub fn holds(&self, person: &PersonId, except: &GroupId) -> BTreeSet<GroupId> {
        self.live.get(person).into_iter().flat_map(BTreeMap::keys).filter(|g| *g != except).cloned().collect()
    }

    /// The pending request of a person for a group.
    pub fn pending(&self, person: &PersonId, group: &GroupId) -> Option<&Request> {
        self.pending.get(person)?.get(group).and_then(|id| self.requests.get(id))
    }

    /// Every pending request that was loaded, by id.
    pub fn all_pending(&self) -> Vec<&Request> {
        let mut found: Vec<&Request> = self.requests.values().filter(|r| r.status == RequestStatus::Pending).collect();
        found.sort_by_key(|r| r.id);
        found
    }

    /// Every token that was loaded.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.values()
    }

    /// Every delivery that was loaded.
    pub fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.values()
    }

    /// The groups that blocks stand before, of a person.
    pub fn blocked(&self, person: &PersonId) -> BTreeSet<GroupId> {
        self.blocks.iter().filter(|((p, _), blocks)| p == person && !blocks.is_empty()).map(|((_, group), _)| group.clone()).collect()
    }

    /// A delivery.
    pub fn delivery(&self, id: DeliveryId) -> Option<&Delivery> {
        self.deliveries.get(&id)
    }

    /// Whether it is known where removals that adoptions cause were confirmed.
    pub fn knows_confirmed(&self) -> bool {
        self.confirmed.is_some()
    }

    /// Whether removals that adoptions cause at a connector were confirmed. What is not known was not.
    pub fn removals_confirmed(&self, connector: &ConnectorName) -> bool {
        self.confirmed.as_ref().is_some_and(|c| c.contains(connector))
    }

    /// How many removals wait for confirmation at a connector, as the batch found them.
    pub fn removals_waiting(&self, connector: &ConnectorName) -> u64 {
        self.waiting.get(connector).copied().unwrap_or(0)
    }

    /// A token.
    pub fn token(&self, id: TokenId) -> Option<&Token> {
        self.tokens.get(&id)
    }

    /// A session that a command names.
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// The live sessions of a person that a command names, by id.
    pub fn live_sessions(&self, person: &PersonId) -> impl Iterator<Item = &Session> {
        let mut found: Vec<&Session> = self.sessions.values().filter(|s| s.person == *person && s.ended.is_none()).collect();
        found.sort_by_key(|s| s.id);
        found.into_iter()
    }

    /// Who a subject is at an issuer.
    pub fn identity(&self, issuer: &str, subject: &str) -> Option<&Identity> {
        self.identities.get(&(issuer.to_owned(), subject.to_owned()))
    }

    /// The subject of a person at an issuer.
    pub fn subject_of(&self, issuer: &str, person: &PersonId) -> Option<&str> {
        self.identities.values().find(|i| i.issuer == issuer && i.person == *person).map(|i| i.subject.as_str())
    }

    /// Whether a sign-in has begun a session already.
    pub fn attempt_is_used(&self, attempt_sha256: &str) -> bool {
        self.attempts.contains(attempt_sha256)
    }

    /// A block of a person for a group.
    pub fn block(&self, person: &PersonId, group: &GroupId, cause: BlockCause) -> Option<&Block> {
        self.blocks.get(&(person.clone(), group.clone()))?.iter().find(|b| b.cause == cause)
    }

    /// Whether any block stands between a person and a group.
    pub fn has_blocks(&self, person: &PersonId, group: &GroupId) -> bool {
        self.blocks.get(&(person.clone(), group.clone())).is_some_and(|b| !b.is_empty())
    }
}
