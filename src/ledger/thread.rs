//! The ledger's thread: takes what waits, makes batches, mends the connection, keeps the snapshot current.

use std::{
    sync::{Arc, RwLock, atomic::Ordering},
    time::Duration as Pause,
};

use tokio::sync::{mpsc, oneshot};

use super::{
    LedgerConfig, LedgerError, Reply, Snapshot,
    batch::{BatchError, Batcher},
    handle::{Shared, Work},
    needs,
    snapshot::Life,
};
use crate::{
    directory::{Changed, Directory},
    domain::{command::Envelope, id::PersonId, time::Time},
    policy::{self, Engine, PolicySet},
    store::{read::StoreError, writer::Writer},
};

type Answerer = oneshot::Sender<Result<Reply, LedgerError>>;

/// A command that waits, with its answerer.
struct Waiting {
    envelope: Box<Envelope>,
    compiled: Option<Arc<PolicySet>>,
    reply: Answerer,
}

/// Reads what is in force and starts the thread.
pub(super) fn start(config: LedgerConfig, work: mpsc::Receiver<Work>) -> Result<Arc<Shared>, StoreError> {
    let mut writer = Writer::open(&config.location)?;
    let snapshot = read_in_force(&mut writer, None, None)?;
    let batcher = Batcher::new(writer, config.limits.clone(), Arc::clone(&config.clock));
    let shared = Arc::new(Shared { snapshot: RwLock::new(Arc::new(snapshot)), stats: Default::default(), deliveries: Default::default(), urgent: Default::default(), source: Default::default(), feeding: Default::default(), refused: Default::default(), config });
    let thread = Thread { batcher, shared: Arc::clone(&shared), work };
    std::thread::Builder::new()
        .name("ledger".to_owned())
        .stack_size(policy::PARSING_STACK)
        .spawn(move || thread.run())
        .map_err(|e| StoreError(format!("cannot start the ledger's thread: {e}")))?;
    Ok(shared)
}

/// Builds the snapshot from what the log says is in force, reusing what has not changed, and a set that was compiled to come
/// into force, if it did.
fn read_in_force(writer: &mut Writer, last: Option<&Snapshot>, compiled: Option<&Arc<PolicySet>>) -> Result<Snapshot, StoreError> {
    let head = writer.begin()?.head;
    writer.rollback();
    let (directory, touched) = match last.filter(|l| l.directory.revision() == head.directory_revision) {
        Some(last) => (Arc::clone(&last.directory), Some(Vec::new())),
        None => {
            let (directory, touched) = read_directory(writer, last.map(|l| &*l.directory), head.directory_revision)?;
            (Arc::new(directory), touched)
        }
    };
    let compiled = compiled.filter(|set| Some(set.revision()) == head.policy_revision.as_ref());
    let set = match (&head.policy_revision, last.filter(|l| l.in_force == head.policy_revision), compiled) {
        (_, Some(last), _) => last.policy.shared_set(),
        (None, None, _) => Arc::new(PolicySet::empty()),
        (Some(_), None, Some(compiled)) => Arc::clone(compiled),
        (Some(revision), None, None) => {
            let missing = || StoreError(format!("the policy set {} in force is not in the database", revision.short()));
            let (timezone, files) = writer.load_policy_files(revision)?.ok_or_else(missing)?;
            let checked = policy::compile_kept(&files, &timezone);
            let first = checked.problems.first().map(|p| format!(": {}:{}: {}", p.file, p.line, p.message)).unwrap_or_default();
            checked.set.ok_or_else(|| StoreError(format!("the policy set {} in force cannot be compiled{first}", revision.short())))?
        }
    };
    // Lives begin and end by loads alone.
    let lives = match last.filter(|l| l.in_force == head.policy_revision) {
        Some(last) => Arc::clone(&last.lives),
        None => Arc::new(writer.load_group_lives()?.into_iter().map(|(id, incarnation, live, departure)| (id, Life { incarnation, live, departure })).collect()),
    };
    Ok(Snapshot {
        policy: Arc::new(engine(set, &directory, last.zip(touched))),
        in_force: head.policy_revision,
        next: None,
        directory,
        lives,
        policy_since: head.policy_since,
        policy_source: head.policy_source,
        problems: last.map(|l| l.problems.clone()).unwrap_or_default(),
        declared: last.map(|l| Arc::clone(&l.declared)).unwrap_or_default(),
        frozen: head.frozen,
    })
}

/// The engine for a directory: the last one with those who changed, when set and teams are the same; else a new one.
fn engine(set: Arc<PolicySet>, directory: &Directory, since: Option<(&Snapshot, Vec<PersonId>)>) -> Engine {
    let same = since.filter(|(last, _)| Arc::ptr_eq(&last.policy.shared_set(), &set));
    let followed = same.and_then(|(last, touched)| {
        let people: Vec<_> = touched.iter().filter_map(|id| directory.subject(id.as_str())).collect();
        let engine = last.policy.with_changed(&people)?;
        let same_teams = last.directory.shares_teams(directory);
        Some(if same_teams { engine } else { engine.with_teams(directory.teams().values()) })
    });
    followed.unwrap_or_else(|| Engine::new(set, directory.subjects()).with_teams(directory.teams().values()))
}

/// Reads what changed of the directory since the last snapshot, and whom that touches; everything at first, and when a team is
/// gone.
fn read_directory(writer: &mut Writer, last: Option<&Directory>, revision: i64) -> Result<(Directory, Option<Vec<PersonId>>), StoreError> {
    if let Some(last) = last {
        let found = writer.load_directory_since(last.revision())?;
        let changed = Changed { people: found.people, teams: found.teams, person_records: found.person_records, team_records: found.team_records };
        let (next, touched) = last.with_changed(changed, revision);
        if (next.teams().len(), next.records().team_count()) == found.team_counts {
            return Ok((next.with_seen(found.seen), Some(touched)));
        }
    }
    let found = writer.load_directory()?;
    let directory = Directory::new(found.people, found.teams, revision).with_records(found.person_records, found.team_records);
    Ok((directory.with_seen(found.seen), None))
}

struct Thread {
    batcher: Batcher,
    shared: Arc<Shared>,
    work: mpsc::Receiver<Work>,
}

impl Thread {
    fn run(mut self) {
        let most = self.shared.config.batch.clamp(1, 256);
        let mut carried: Option<Work> = None;
        let mut forgotten = Time::from_micros(0);
        while let Some(first) = carried.take().or_else(|| self.work.blocking_recv()) {
            let mut batch = Vec::with_capacity(most);
            let mut next = Some(first);
            while let Some(work) = next.take() {
                match work {
                    Work::Stop(done) => {
                        self.carry_out(std::mem::take(&mut batch));
                        let _ = done.send(());
                        return;
                    }
                    Work::Used(used) => {
                        if let Err(error) = self.batcher.writer.note_used(&used) {
                            tracing::warn!(%error, "when tokens were last used could not be kept");
                        }
                    }
                    Work::Seen(seen) => {
                        if let Err(error) = self.batcher.writer.note_seen(&seen) {
                            tracing::warn!(%error, "when sessions were last seen could not be kept");
                        }
                    }
                    Work::KeepUp(done) => {
                        let _ = done.send(self.keep_up());
                    }
                    Work::Command { envelope, compiled, reply } => {
                        let alone = needs::stands_alone(&envelope.command);
                        if alone && !batch.is_empty() {
                            carried = Some(Work::Command { envelope, compiled, reply });
                            break;
                        }
                        batch.push(Waiting { envelope, compiled, reply });
                        if alone || batch.len() >= most {
                            break;
                        }
                    }
                }
                next = self.work.try_recv().ok();
            }
            self.carry_out(batch);
            self.batcher.writer.keep_log_short();
            self.forget_old_answers(&mut forgotten);
        }
    }

    /// Kept answers are forgotten after 24 h (semantics.md, 19), looked at once an hour.
    fn forget_old_answers(&mut self, forgotten: &mut Time) {
        let now = (self.shared.config.clock)();
        if now.seconds_since(*forgotten) > 3600 {
            *forgotten = now;
            let day = crate::domain::duration::Duration::days(1).map(|day| now.minus(day));
            if let Some(Err(error)) = day.map(|before| self.batcher.writer.forget_answers(before)) {
                tracing::warn!(%error, "old answers to Idempotency-Keys could not be forgotten");
            }
        }
    }

    /// Carries out a batch; a storage error rolls it back and retries its commands singly, once (semantics.md, 17).
    fn carry_out(&mut self, mut batch: Vec<Waiting>) {
        // Nobody waits for these any more.
        batch.retain(|w| !w.reply.is_closed());
        if batch.is_empty() {
            return;
        }
        match self.attempt(&batch) {
            Ok(replies) => answer(&self.shared, batch, replies),
            Err(error) => {
                self.shared.stats.failures.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%error, commands = batch.len(), "a batch failed; its commands are tried singly");
                for waiting in batch {
                    let single = std::slice::from_ref(&waiting);
                    let outcome = self.attempt(single).map(|mut replies| replies.pop());
                    let reply = match outcome {
                        Ok(Some(reply)) => Ok(reply),
                        Ok(None) => Err(LedgerError::Unavailable("the ledger lost an answer".to_owned())),
                        Err(error) => {
                            tracing::error!(%error, command = %waiting.envelope.id, "a command could not be carried out");
                            Err(error)
                        }
                    };
                    let _ = waiting.reply.send(reply);
                }
            }
        }
    }

    fn attempt(&mut self, batch: &[Waiting]) -> Result<Vec<Reply>, LedgerError> {
        let compiled = batch.iter().find_map(|w| w.compiled.clone());
        let envelopes: Vec<&Envelope> = batch.iter().map(|w| &*w.envelope).collect();
        let timezone = self.shared.config.timezone.clone();
        let mut reopened = false;
        let mut refreshed = 0;
        loop {
            let current = self.shared.snapshot();
            let with_next = compiled.as_ref().map(|set| Snapshot { next: Some(Arc::clone(set)), ..Snapshot::clone(&current) });
            let snapshot = with_next.as_ref().unwrap_or(&current);
            match self.batcher.run(snapshot, &envelopes, &timezone) {
                Ok(outcome) => {
                    let stats = &self.shared.stats;
                    stats.batches.fetch_add(1, Ordering::Relaxed);
                    stats.events.fetch_add(u64::try_from(outcome.events).unwrap_or(0), Ordering::Relaxed);
                    if outcome.queued_deliveries {
                        self.shared.deliveries.notify_one();
                    }
                    if outcome.queued_urgent {
                        self.shared.urgent.notify_one();
                    }
                    if outcome.changed_snapshot {
                        self.refresh(compiled.as_ref())?;
                    }
                    return Ok(outcome.replies);
                }
                Err(BatchError::Outdated) if refreshed < 5 => {
                    refreshed += 1;
                    self.refresh(compiled.as_ref())?;
                }
                Err(BatchError::Unknown { error, seq, command, replies }) => {
                    tracing::warn!(%error, seq, "the outcome of a commit is unknown; asking the log");
                    self.reconnect()?;
                    reopened = true;
                    let written = self.batcher.writer.command_of(seq).map_err(|e| LedgerError::Unavailable(e.0))?;
                    if written.as_deref() == Some(command.as_str()) {
                        self.shared.deliveries.notify_one();
                        self.shared.urgent.notify_one();
                        self.refresh(compiled.as_ref())?;
                        return Ok(replies);
                    }
                }
                Err(BatchError::Store(error)) if !reopened && self.batcher.writer.is_broken() => {
                    tracing::warn!(%error, "the connection to the database is lost; connecting again");
                    self.reconnect()?;
                    reopened = true;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Connects again, trying for about ten seconds.
    fn reconnect(&mut self) -> Result<(), LedgerError> {
        let mut last = LedgerError::Unavailable("the database is not reachable".to_owned());
        for attempt in 0..20_u32 {
            match self.batcher.writer.reopen() {
                Ok(()) => return Ok(()),
                Err(error) => last = LedgerError::Unavailable(error.0),
            }
            std::thread::park_timeout(Pause::from_millis(u64::from(100 + 50 * attempt.min(10))));
        }
        Err(last)
    }

    /// The same without a batch, on a connection that may have been lost meanwhile.
    fn keep_up(&mut self) -> Result<(), LedgerError> {
        self.refresh(None).or_else(|error| {
            if !self.batcher.writer.is_broken() {
                return Err(error);
            }
            self.reconnect()?;
            self.refresh(None)
        })
    }

    /// Takes over what the log says is in force. A replica that cannot stops deciding (semantics.md, 28).
    fn refresh(&mut self, compiled: Option<&Arc<PolicySet>>) -> Result<(), LedgerError> {
        let current = self.shared.snapshot();
        match read_in_force(&mut self.batcher.writer, Some(&current), compiled) {
            Ok(snapshot) => {
                self.shared.stats.stopped.store(false, Ordering::Relaxed);
                self.shared.swap(snapshot);
                Ok(())
            }
            Err(error) => {
                self.shared.stats.stopped.store(true, Ordering::Relaxed);
                tracing::error!(%error, "cannot take over what is in force; no decision until that is mended");
                Err(LedgerError::Unavailable(error.0))
            }
        }
    }
}

fn answer(shared: &Shared, batch: Vec<Waiting>, replies: Vec<Reply>) {
    shared.stats.commands.fetch_add(u64::try_from(batch.len()).unwrap_or(0), Ordering::Relaxed);
    for (waiting, reply) in batch.into_iter().zip(replies) {
        let _ = waiting.reply.send(Ok(reply));
    }
}
