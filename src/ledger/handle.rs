//! The handle that everybody holds: the queue into the ledger and the snapshot in force.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, mpsc, oneshot};

use super::{LedgerError, Limits, Reply, Snapshot, leavers::Refused, source::SourceWatch, thread};
use crate::{
    domain::{
        access_change::Compared,
        actor::Actor,
        command::{Command, Envelope},
        commit::Commit,
        group::AttributeTypes,
        id::{CommandId, ConnectorName, PolicyRevision, SessionId, TokenId},
        problem::Problem,
        time::Time,
    },
    policy::{Known, PolicyFiles, PolicySet},
    store::{db::Location, read::Reader, read::StoreError},
};

/// What the ledger is started with.
#[derive(Clone)]
pub struct LedgerConfig {
    /// The database.
    pub location: Location,
    /// Bounds on what people may do.
    pub limits: Limits,
    /// Commands that may wait; one more is answered with 503.
    pub queue: usize,
    /// Commands a batch, at most 256 (semantics.md, 17).
    pub batch: usize,
    /// Configured connectors, which policy files may name.
    pub connectors: BTreeSet<ConnectorName>,
    /// IANA name that `hour` and `weekday` use.
    pub timezone: String,
    /// The wall clock.
    pub clock: Arc<dyn Fn() -> Time + Send + Sync>,
}

/// Counters for metrics; they only rise.
#[derive(Debug, Default)]
pub struct LedgerStats {
    /// Batches that became durable.
    pub batches: AtomicU64,
    /// Commands answered.
    pub commands: AtomicU64,
    /// Events written.
    pub events: AtomicU64,
    /// Batches that the database did not take at first.
    pub failures: AtomicU64,
    /// How often every live grant was decided again.
    pub reviews: AtomicU64,
    /// How many the last of those times.
    pub reviewed: AtomicU64,
    /// Milliseconds in which they were decided, the last time.
    pub review_decided_ms: AtomicU64,
    /// Milliseconds until what changed was recorded as well, the last time.
    pub review_ms: AtomicU64,
    /// Endings that wait for a person.
    pub endings_waiting: AtomicU64,
    /// Whether this replica delivers, alone among all.
    pub delivers: AtomicBool,
    /// Whether this replica decides grants again, alone among all.
    pub decides_again: AtomicBool,
    /// Whether this replica follows a policy folder, alone among all.
    pub follows_folder: AtomicBool,
    /// Whether the ledger has stopped deciding because it cannot compile the policy in force.
    pub stopped: AtomicBool,
}

pub(super) struct Shared {
    pub snapshot: RwLock<Arc<Snapshot>>,
    pub stats: LedgerStats,
    pub deliveries: Notify,
    pub urgent: Notify,
    pub source: SourceWatch,
    /// Held while a source speaks.
    pub feeding: tokio::sync::Mutex<()>,
    /// Leavers that were refused.
    pub refused: Mutex<Refused>,
    pub config: LedgerConfig,
}

impl Shared {
    pub fn refused_leavers(&self) -> MutexGuard<'_, Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn swap(&self, snapshot: Snapshot) {
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }
}

/// One thing for the ledger's thread to do.
pub(super) enum Work {
    Command { envelope: Box<Envelope>, compiled: Option<Arc<PolicySet>>, reply: oneshot::Sender<Result<Reply, LedgerError>> },
    /// Kept beside the log: when something last came with tokens.
    Used(Vec<(TokenId, Time)>),
    /// Kept beside the log: when something last came from sessions.
    Seen(Vec<(SessionId, Time)>),
    /// Another replica changed what is in force: take it over.
    KeepUp(oneshot::Sender<Result<(), LedgerError>>),
    Stop(oneshot::Sender<()>),
}

/// Handle to the ledger; cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    queue: mpsc::Sender<Work>,
    pub(super) shared: Arc<Shared>,
    pub(super) reader: Reader,
}

impl Ledger {
    /// Opens the database, reads what is in force and starts the ledger's thread. Blocks.
    ///
    /// # Errors
    /// When the database cannot be read, or the policy in force cannot be compiled.
    pub fn start(config: LedgerConfig, reader: Reader) -> Result<Self, StoreError> {
        let (queue, work) = mpsc::channel(config.queue.max(1));
        let shared = thread::start(config, work)?;
        Ok(Self { queue, shared, reader })
    }

    /// Carries a command out; returns after the commit is durable.
    ///
    /// # Errors
    /// [`LedgerError`] when nothing is known to have changed.
    pub async fn execute(&self, envelope: Envelope) -> Result<Reply, LedgerError> {
        self.send(envelope, None).await
    }

    /// The same, waiting for room in the queue: for one of many commands by one caller, in the order of the calls.
    ///
    /// # Errors
    /// [`LedgerError`] when nothing is known to have changed.
    pub(super) async fn execute_in_turn(&self, envelope: Envelope) -> Result<Reply, LedgerError> {
        let (reply, answer) = oneshot::channel();
        let work = Work::Command { envelope: Box::new(envelope), compiled: None, reply };
        self.queue.send(work).await.map_err(|_| LedgerError::Unavailable("the ledger has stopped".to_owned()))?;
        answer.await.map_err(|_| LedgerError::Unavailable("the ledger has stopped".to_owned()))?
    }

    async fn send(&self, envelope: Envelope, compiled: Option<Arc<PolicySet>>) -> Result<Reply, LedgerError> {
        let (reply, answer) = oneshot::channel();
        let work = Work::Command { envelope: Box::new(envelope), compiled, reply };
        // Work of Bandpass itself (expiry, deliveries) waits for room; callers are told to come back.
        match &work {
            Work::Command { envelope, .. } if matches!(envelope.actor, Actor::System { .. }) => {
                self.queue.send(work).await.map_err(|_| LedgerError::Unavailable("the ledger has stopped".to_owned()))?;
            }
            _ => self.queue.try_send(work).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => LedgerError::Busy { retry_after: 1 },
                mpsc::error::TrySendError::Closed(_) => LedgerError::Unavailable("the service is stopping".to_owned()),
            })?,
        }
        answer.await.map_err(|_| LedgerError::Unavailable("the ledger has stopped".to_owned()))?
    }

    /// Carries out a command of Bandpass itself, waiting for room in the queue.
    ///
    /// # Errors
    /// As [`Ledger::execute`].
    pub async fn act(&self, part: &str, command: Command) -> Result<Reply, LedgerError> {
        self.execute(Envelope { id: CommandId(fresh_id()), actor: Actor::system(part), command, idempotency: None }).await
    }

    /// Brings a compiled set into force by compare and set on the set that is.
    ///
    /// # Errors
    /// As [`Ledger::execute`].
    pub async fn load_policy(&self, actor: Actor, set: Arc<PolicySet>, files: PolicyFiles, source: String) -> Result<Reply, LedgerError> {
        let parent = self.revision();
        self.load_policy_over(parent, actor, set, files, (source, None), None).await
    }

    /// The same, by compare and set on the revision that the caller saw in force, with the commit it was read from and whom it
    /// gives and takes access.
    ///
    /// # Errors
    /// As [`Ledger::execute`].
    pub async fn load_policy_over(
        &self,
        parent: Option<PolicyRevision>,
        actor: Actor,
        set: Arc<PolicySet>,
        files: PolicyFiles,
        (source, commit): (String, Option<Commit>),
        access: Option<Compared>,
    ) -> Result<Reply, LedgerError> {
        let command = Command::LoadPolicy { revision: set.revision().clone(), parent, source, commit, access, files };
        self.send(Envelope { id: CommandId(fresh_id()), actor, command, idempotency: None }, Some(set)).await
    }

    /// What is in force now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot()
    }

    /// The revision in force.
    pub fn revision(&self) -> Option<PolicyRevision> {
        self.snapshot().in_force.clone()
    }

    /// What the newest state of the policy source suffers from; shown until it is mended.
    pub fn set_policy_problems(&self, problems: Vec<Problem>) {
        // Under the lock, so that a snapshot that the ledger's thread swaps in meanwhile is not undone.
        let mut current = self.shared.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(Snapshot { problems, ..Snapshot::clone(&current) });
    }

    /// What people may come with while no policy is in force for want of them.
    pub fn set_declared_attributes(&self, declared: AttributeTypes) {
        let mut current = self.shared.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(Snapshot { declared: Arc::new(declared), ..Snapshot::clone(&current) });
    }

    /// The names that policy files may use now.
    pub fn known(&self) -> Known {
        super::snapshot::known(&self.snapshot().directory, &self.shared.config.connectors)
    }

    /// IANA name that `hour` and `weekday` use.
    pub fn timezone(&self) -> &str {
        &self.shared.config.timezone
    }

    /// The wall clock of the service.
    pub fn now(&self) -> Time {
        (self.shared.config.clock)()
    }

    /// Counters.
    pub fn stats(&self) -> &LedgerStats {
        &self.shared.stats
    }

    /// Commands that wait.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Returns when deliveries have been queued since the last call.
    pub async fn deliveries_queued(&self) {
        self.shared.deliveries.notified().await;
    }

    /// Returns when deliveries that go before all others have been queued since the last call.
    pub async fn urgent_queued(&self) {
        self.shared.urgent.notified().await;
    }

    /// Whether the ledger decides.
    pub fn is_deciding(&self) -> bool {
        !self.shared.stats.stopped.load(Ordering::Relaxed) && !self.queue.is_closed()
    }

    /// Keeps when something last came with tokens: see [`Ledger::note_seen`].
    pub fn note_used(&self, used: Vec<(TokenId, Time)>) {
        if self.queue.try_send(Work::Used(used)).is_err() {
            tracing::warn!("when tokens were last used could not be kept: the queue is full");
        }
    }

    /// Keeps when something last came from sessions. It is no event, for it changes nothing but when they count as idle; it goes
    /// through the ledger's thread all the same, which holds the only connection that writes. Lost when the queue is full.
    pub fn note_seen(&self, seen: Vec<(SessionId, Time)>) {
        if self.queue.try_send(Work::Seen(seen)).is_err() {
            tracing::warn!("when sessions were last seen could not be kept: the queue is full");
        }
    }

    /// Takes over what another replica brought into force, if it did: reads decide who may see what on the snapshot, and a replica
    /// that only reads would keep the one of its last batch. Answers whether there was something to take over.
    ///
    /// # Errors
    /// When the database cannot be read, or what is in force cannot be compiled.
    pub async fn keep_up(&self) -> Result<bool, LedgerError> {
        let head = self.reader.head().await.map_err(|e| LedgerError::Unavailable(e.0))?;
        let snapshot = self.snapshot();
        // What a batch of this replica wrote since the head was read is newer.
        let is_behind = head.directory_revision > snapshot.directory.revision() || head.policy_revision != snapshot.in_force || head.frozen != snapshot.frozen;
        if !is_behind {
            return Ok(false);
        }
        let (done, answer) = oneshot::channel();
        let gone = |_| LedgerError::Unavailable("the ledger has stopped".to_owned());
        self.queue.send(Work::KeepUp(done)).await.map_err(|_| LedgerError::Unavailable("the ledger has stopped".to_owned()))?;
        answer.await.map_err(gone)??;
        Ok(true)
    }

    /// Finishes what is queued and stops the thread.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.queue.send(Work::Stop(done)).await.is_ok() {
            let _ = stopped.await;
        }
    }
}

/// A fresh id for a command.
pub fn fresh_id() -> uuid::Uuid {
    uuid::Uuid::now_v7()
}
