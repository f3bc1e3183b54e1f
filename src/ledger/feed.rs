//! What a source says, into the ledger: computed on the snapshot in force, recorded by compare and set, and tried again on a
//! fresh one when somebody else changed the directory meanwhile. How many may leave by it is bounded: [`super::leavers`].

use super::{Ledger, LedgerError, Snapshot, fresh_id, leavers::LeaveBound};
use crate::{
    directory::tell::Effect,
    domain::{
        actor::Actor,
        command::{Command, Envelope},
        duration::Duration,
        id::CommandId,
        record::SourceName,
        refusal::Refusal,
    },
    store::read::StoreError,
};

/// How often a change is computed again.
const ATTEMPTS: usize = 10;

/// Why nothing was said.
#[derive(Debug)]
pub enum FeedError<E> {
    /// The caller's own reason.
    Work(E),
    /// An account would be given to another person.
    Account(String),
    /// More would leave than may.
    TooManyLeave {
        /// A sentence.
        detail: String,
        /// Seconds until it may be tried again.
        retry_after: u32,
    },
    /// The ledger refused.
    Refused(Refusal),
    /// The ledger did not take it.
    Ledger(LedgerError),
    /// The log could not be read.
    Store(StoreError),
}

impl Ledger {
    /// Says what `work` computes from the snapshot in force, as one command with its events; answers what else it computed.
    ///
    /// # Errors
    /// [`FeedError`]; nothing was changed then.
    pub async fn feed<T, E>(
        &self,
        actor: Actor,
        source: &SourceName,
        bound: LeaveBound,
        work: impl Fn(&Snapshot) -> Result<(Effect, T), E>,
    ) -> Result<T, FeedError<E>> {
        // One at a time in this process, so that only others make it try again.
        let _turn = self.shared.feeding.lock().await;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let snapshot = self.snapshot();
            let (effect, value) = work(&snapshot).map_err(FeedError::Work)?;
            if let Some(why) = effect.refused.first() {
                return Err(FeedError::Account(why.clone()));
            }
            if effect.is_empty() {
                return Ok(value);
            }
            let leavers = effect.leavers();
            if !leavers.is_empty() {
                self.check_leavers(&actor, source, bound, &snapshot, leavers).await?;
            }
            let command = Command::ChangeDirectory {
                changes: effect.changes,
                told: effect.told,
                source: source.to_string(),
                expected_revision: snapshot.directory.revision(),
            };
            let envelope = Envelope { id: CommandId(fresh_id()), actor: actor.clone(), command, idempotency: None };
            let reply = self.execute(envelope).await.map_err(FeedError::Ledger)?;
            match reply.answer {
                Ok(_) => return Ok(value),
                Err(Refusal::Stale { .. }) if attempt < ATTEMPTS => {}
                Err(refusal) => return Err(FeedError::Refused(refusal)),
            }
        }
    }

    /// Records that a source was heard from, unless that was recorded within `every`.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub async fn source_seen(&self, actor: Actor, source: &SourceName, every: Duration) -> Result<(), LedgerError> {
        if self.snapshot().directory.seen(source).is_some_and(|at| at.plus(every) > self.now()) {
            return Ok(());
        }
        let command = Command::SourceSeen { source: source.clone() };
        let envelope = Envelope { id: CommandId(fresh_id()), actor, command, idempotency: None };
        self.execute(envelope).await.map(drop)
    }
}
