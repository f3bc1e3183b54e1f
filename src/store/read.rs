//! What pages, the API and jobs read: one query a question, always paged by key.

use std::collections::BTreeSet;

use crate::domain::{
    delivery::Delivery,
    event::EventIndex,
    grant::Grant,
    id::{GrantId, GroupId, PersonId, RequestId, TokenId},
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
    _private: (),
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
}

impl Reader {
    /// One request.
    pub async fn request(&self, id: RequestId) -> Result<Option<Request>, StoreError> { let _ = id; todo!() }
    /// Requests, newest first, keyed by `filed_seq`.
    pub async fn requests(&self, filter: RequestFilter, page: Page) -> Result<Paged<Request>, StoreError> { let _ = (filter, page); todo!() }
    /// The votes on a request, oldest first.
    pub async fn approvals(&self, id: RequestId) -> Result<Vec<Approval>, StoreError> { let _ = id; todo!() }
    /// One grant.
    pub async fn grant(&self, id: GrantId) -> Result<Option<Grant>, StoreError> { let _ = id; todo!() }
    /// Grants, newest first, keyed by `granted_seq`.
    pub async fn grants(&self, filter: GrantFilter, page: Page) -> Result<Paged<Grant>, StoreError> { let _ = (filter, page); todo!() }
    /// Live grants of one person, or of one group: bounded by the number of groups, or people.
    pub async fn live_grants_of(&self, person: PersonId) -> Result<Vec<Grant>, StoreError> { let _ = person; todo!() }
    /// Number of live members per group, for every group.
    pub async fn member_counts(&self) -> Result<std::collections::BTreeMap<GroupId, u64>, StoreError> { todo!() }
    /// Deliveries caused by a request, oldest first.
    pub async fn deliveries_of_request(&self, id: RequestId) -> Result<Vec<Delivery>, StoreError> { let _ = id; todo!() }
    /// Deliveries caused by a grant (its start and its end), oldest first.
    pub async fn deliveries_of_grant(&self, id: GrantId) -> Result<Vec<Delivery>, StoreError> { let _ = id; todo!() }
    /// Deliveries not done, oldest first, keyed by `queued_seq` upwards from `after`.
    pub async fn open_deliveries(&self, after: i64, limit: u16) -> Result<Vec<Delivery>, StoreError> { let _ = (after, limit); todo!() }
    /// Events, newest first.
    pub async fn audit(&self, filter: AuditFilter, page: Page) -> Result<Paged<AuditRow>, StoreError> { let _ = (filter, page); todo!() }
    /// One event.
    pub async fn audit_event(&self, seq: i64) -> Result<Option<AuditRow>, StoreError> { let _ = seq; todo!() }
    /// The head of the log.
    pub async fn head(&self) -> Result<Head, StoreError> { todo!() }
    /// A token by the SHA-256 of its secret, in hex.
    pub async fn token_by_secret(&self, sha256: String) -> Result<Option<Token>, StoreError> { let _ = sha256; todo!() }
    /// Tokens of a person, or of all.
    pub async fn tokens(&self, person: Option<PersonId>) -> Result<Vec<Token>, StoreError> { let _ = person; todo!() }
    /// One token.
    pub async fn token(&self, id: TokenId) -> Result<Option<Token>, StoreError> { let _ = id; todo!() }
}
