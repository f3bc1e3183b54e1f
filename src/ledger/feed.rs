//! What a source says, into the ledger: computed on the snapshot in force, recorded by compare and set, and tried again on a
//! fresh one when somebody else changed the directory meanwhile.
//!
//! The leavers of one source are bounded: more than a share of the people within a window are refused, until an admin
//! confirms them ([`Command::ConfirmLeavers`]). Nobody else can have left unseen, since that would be another revision of the
//! directory.

use super::{Ledger, LedgerError, Snapshot, encode::decode_body, fresh_id};
use crate::{
    directory::tell::Effect,
    domain::{
        actor::Actor,
        command::{Command, Envelope},
        duration::Duration,
        event::Change,
        id::CommandId,
        record::SourceName,
        refusal::Refusal,
        time::Time,
    },
    store::read::StoreError,
};

/// So few leavers of one window are never held back.
pub const FEW_LEAVERS: usize = 3;
/// How often a change is computed again.
const ATTEMPTS: usize = 10;

/// How many may leave by one source, unconfirmed.
#[derive(Debug, Clone, Copy)]
pub struct LeaveBound {
    /// Of the people at the beginning of the window, 0.0 to 1.0.
    pub share: f64,
    /// How long leavers count.
    pub window: Duration,
}

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
            if leavers > 0 {
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

    /// What the log says last about the leavers of a source since an instant.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn newest_about_leavers(&self, source: &SourceName, since: Time) -> Result<Option<LeaversSaid>, StoreError> {
        for body in self.reader.about_leavers(since).await? {
            let body = decode_body(&body).map_err(|e| StoreError(e.to_string()))?;
            match body.change {
                Change::LeaversHeld { source: of, .. } if of == *source => return Ok(Some(LeaversSaid::Held(body.at))),
                Change::LeaversConfirmed { source: of } if of == *source => return Ok(Some(LeaversSaid::Confirmed)),
                _ => {}
            }
        }
        Ok(None)
    }

    async fn check_leavers<E>(&self, actor: &Actor, source: &SourceName, bound: LeaveBound, snapshot: &Snapshot, leavers: usize) -> Result<(), FeedError<E>> {
        let since = self.now().minus(bound.window);
        let left = self.reader.left_since(actor.to_string(), since).await.map_err(FeedError::Store)?;
        let leaving = left + leavers;
        let active = snapshot.directory.people().values().filter(|p| p.is_active()).count() + left;
        #[allow(clippy::cast_precision_loss, reason = "counts of people are far below 2^52")]
        let within = leaving as f64 <= bound.share * active as f64;
        if within || leaving <= FEW_LEAVERS {
            return Ok(());
        }
        let newest = self.newest_about_leavers(source, since).await.map_err(FeedError::Store)?;
        match newest {
            Some(LeaversSaid::Confirmed) => return Ok(()),
            Some(LeaversSaid::Held(_)) => {}
            None => {
                let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                let command = Command::HoldLeavers { source: source.clone(), leaving: count(leaving), active: count(active) };
                let envelope = Envelope { id: CommandId(fresh_id()), actor: actor.clone(), command, idempotency: None };
                self.execute(envelope).await.map_err(FeedError::Ledger)?.answer.map_err(FeedError::Refused)?;
            }
        }
        Err(FeedError::TooManyLeave {
            detail: format!(
                "{leaving} of {active} people would have left by {source} within {}, more than `directory.max_leave_share` allows; if that is right, an admin says `bandpass directory confirm-leavers --source {source} --reason …`, and this can be sent again",
                bound.window.in_words()
            ),
            retry_after: bound.window.as_seconds().min(3600),
        })
    }
}

/// What the log says last about the leavers of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaversSaid {
    /// They are held back, since then.
    Held(Time),
    /// An admin confirmed them.
    Confirmed,
}
