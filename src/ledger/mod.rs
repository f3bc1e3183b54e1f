//! The only writer: queue, batch, transaction, head. Commands go in, durable answers come out.

use std::sync::Arc;

use crate::{
    directory::Directory,
    domain::{
        command::{Answer, Envelope},
        decision::Decision,
        duration::Duration,
        id::{GroupId, PersonId},
        problem::Problem,
        refusal::Refusal,
        time::Time,
    },
    policy::Engine,
};

/// Policy and directory at one instant, swapped as a whole.
pub struct Snapshot {
    /// The policy set in force with the people of the directory.
    pub policy: Engine,
    /// People and teams.
    pub directory: Arc<Directory>,
    /// When the policy set came into force.
    pub policy_since: Time,
    /// Where it came from.
    pub policy_source: String,
    /// What the newest state of the source suffers from; empty when it is the one in force.
    pub problems: Vec<Problem>,
    /// Whether new grants are stopped.
    pub frozen: bool,
}

/// A durable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What was done, or why not.
    pub answer: Result<Answer, Refusal>,
    /// Whether an earlier answer to the same Idempotency-Key was repeated.
    pub replayed: bool,
}

/// Nothing was done, or it is not known to be durable.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The queue is full: 503 with Retry-After.
    #[error("too many requests are waiting; try again in {retry_after} s")]
    Busy {
        /// Seconds.
        retry_after: u32,
    },
    /// The database did not take it: 503.
    #[error("the decision could not be recorded, so nothing was changed: {0}")]
    Unavailable(String),
}

/// Handle to the ledger; cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    _private: (),
}

/// What a preview shows: the decision that a request would meet now, and who would be asked.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The duration it was decided for.
    pub duration: Duration,
    /// The decision.
    pub decision: Decision,
    /// Who may vote at each stage, the requester excluded, sorted by id.
    pub approvers: Vec<Vec<PersonId>>,
    /// The live grant that would be extended, with its end.
    pub held_until: Option<Time>,
    /// Why a submit would be refused rather than decided (quota, cooldown, already pending), if it would.
    pub refusal: Option<Refusal>,
}

impl Ledger {
    /// Carries a command out; returns after the commit is durable.
    ///
    /// # Errors
    /// [`LedgerError`] when nothing is known to have changed.
    pub async fn execute(&self, envelope: Envelope) -> Result<Reply, LedgerError> { let _ = envelope; todo!() }
    /// What is in force now.
    pub fn snapshot(&self) -> Arc<Snapshot> { todo!() }
    /// Decides without recording: the same code as a submit. `duration` none takes the default. `actor` files it.
    pub async fn preview(&self, actor: &PersonId, person: &PersonId, group: &GroupId, duration: Option<Duration>, has_justification: bool) -> Result<Result<Preview, Refusal>, LedgerError> {
        let _ = (actor, person, group, duration, has_justification); todo!()
    }
    /// Decides for many groups at once, for lists ("Instant for you"). Same code; nothing recorded.
    pub async fn preview_all(&self, person: &PersonId, groups: Vec<GroupId>) -> Result<Vec<(GroupId, Preview)>, LedgerError> { let _ = (person, groups); todo!() }
    /// The wall clock of the service (the only place that reads it is `clock.rs`).
    pub fn now(&self) -> Time { todo!() }
}
