//! The only writer: queue, batch, transaction, head. Commands go in, durable answers come out.
//!
//! Handlers, jobs and connectors build a [`Command`](crate::domain::command::Command) and call [`Ledger::execute`]. One
//! thread takes what is waiting, up to 256 commands, and carries it out as one transaction: take the lock on the head, load
//! what the batch needs, [`decide`] each command in order (each sees the effects of those before it), [`project`] its
//! events into row changes, append, move the head, commit, and only then answer every caller. Nothing else writes.
//!
//! What is decided on (policy and people) is an immutable [`Snapshot`] that the batch compares with the head: a replica that
//! finds another revision there gives the head back, reads and compiles what the log says is in force, and tries again.
//!
//! Pure parts, which `audit` uses too: [`decide`], [`project`], [`encode`], [`tree`].

pub mod adopt;
mod batch;
pub mod decide;
pub mod departed;
pub mod encode;
mod feed;
mod handle;
mod holdings;
mod leavers;
mod needs;
mod preview;
pub mod project;
pub mod snapshot;
pub mod source;
pub mod state;
mod thread;
pub mod tree;

pub use decide::Limits;
pub use feed::FeedError;
pub use leavers::{FEW_LEAVERS, HeldLeavers, LeaveBound, LeaversSaid};
pub use handle::{Ledger, LedgerConfig, LedgerStats, fresh_id};
pub use preview::Preview;
pub use snapshot::Snapshot;
pub use source::SourceState;

use crate::domain::{command::Answer, refusal::Refusal};

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
