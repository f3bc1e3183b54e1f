//! One batch: begin, load, decide each command in order, write, commit, answer.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use ring::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;

use super::{
    LedgerError, Limits, Reply,
    decide::{self, World},
    encode::encode,
    needs,
    project::project,
    snapshot::Snapshot,
    state::State,
    tree::Frontier,
};
use crate::{
    domain::{
        command::{Answer, Command, Envelope},
        id::{GroupId, IdSource, PersonId},
        refusal::Refusal,
        time::Time,
    },
    store::{
        change::RowChange,
        load::{Around, Loaded, Named},
        row::IdempotencyRow,
        writer::{BatchRows, Begun, CommitError, LedgerHead, StoredPolicySet, Writer},
        read::StoreError,
    },
};

/// How far the clock may be behind the head before new grants are refused (semantics.md, 16).
const CLOCK_TOLERANCE_MICROS: i64 = 5_000_000;

/// UUIDv7 from the batch's time and the system's randomness.
pub(super) struct RandomIds<'a> {
    pub random: &'a SystemRandom,
    pub now: Time,
}

impl IdSource for RandomIds<'_> {
    fn fresh(&mut self) -> Uuid {
        let mut bytes = [0_u8; 10];
        // The system's generator fails only before it is seeded; a repeated id would be refused by the database.
        let _ = self.random.fill(&mut bytes);
        let millis = u64::try_from(self.now.micros() / 1000).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}

/// When people filed what, for the hourly quota. Kept in this process: a limit on load, not a rule of access.
#[derive(Default)]
pub(super) struct Quota {
    filed: HashMap<PersonId, VecDeque<Time>>,
}

const HOUR_MICROS: i64 = 3_600_000_000;

impl Quota {
    fn count(&mut self, person: &PersonId, now: Time) -> u32 {
        let Some(times) = self.filed.get_mut(person) else { return 0 };
        while times.front().is_some_and(|t| t.micros() + HOUR_MICROS <= now.micros()) {
            times.pop_front();
        }
        u32::try_from(times.len()).unwrap_or(u32::MAX)
    }

    fn add(&mut self, person: &PersonId, now: Time) {
        self.filed.entry(person.clone()).or_default().push_back(now);
    }
}

/// The most rows kept between batches, some 500 bytes each; more begin anew.
const WARM_ROWS: usize = 250_000;

/// Rows kept between batches. They are what the tables hold as long as the head stands where the last batch left it:
/// nothing changes but by an event, and an event moves the head. Another replica's batch throws them away.
#[derive(Default)]
struct Warm {
    state: State,
    /// Number of the last event when they were true.
    seq: i64,
    /// People whose live grants, pending requests and blocks are all here.
    people: HashSet<PersonId>,
    /// Groups whose live grants are all here.
    groups: HashSet<GroupId>,
}

impl Warm {
    /// Leaves out what is here already.
    fn reduce(&self, around: &mut Around) {
        around.people.retain(|p| !self.people.contains(p));
        around.groups.retain(|g| !self.groups.contains(g));
    }

    /// Takes rows in that were loaded for `around`.
    fn take(&mut self, around: Around, loaded: Loaded) {
        self.state.take(loaded);
        self.people.extend(around.people);
        self.groups.extend(around.groups);
    }
}

/// What one thread keeps between batches.
pub(super) struct Batcher {
    warm: Warm,
    pub writer: Writer,
    pub limits: Limits,
    pub random: SystemRandom,
    pub quota: Quota,
    pub clock: Arc<dyn Fn() -> Time + Send + Sync>,
}

/// Answers kept for their Idempotency-Key, by scope: hash of the body, answer.
type KeptAnswers = HashMap<String, (String, Answer)>;

/// Why a batch was not done.
pub(super) enum BatchError {
    /// Another replica changed policy or directory: refresh and try again.
    Outdated,
    /// The database failed; nothing was changed.
    Store(StoreError),
    /// The connection was lost while committing; `seq` is the first event the batch would have written.
    Unknown { error: StoreError, seq: i64, command: String, replies: Vec<Reply> },
}

/// What a durable batch leaves.
pub(super) struct Outcome {
    pub replies: Vec<Reply>,
    /// Work for the delivery worker was queued.
    pub queued_deliveries: bool,
    /// Among it such that goes before all others.
    pub queued_urgent: bool,
    /// Policy, directory or the freeze switch changed.
    pub changed_snapshot: bool,
    pub events: usize,
}

impl From<StoreError> for BatchError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Batcher {
    /// Nothing kept yet.
    pub fn new(writer: Writer, limits: Limits, clock: Arc<dyn Fn() -> Time + Send + Sync>) -> Self {
        Self { warm: Warm::default(), writer, limits, random: SystemRandom::new(), quota: Quota::default(), clock }
    }

    /// Carries out a batch on the snapshot in force.
    pub fn run(&mut self, snapshot: &Snapshot, batch: &[&Envelope], timezone: &str) -> Result<Outcome, BatchError> {
        let begun = self.writer.begin()?;
        let outcome = self.inside(snapshot, &begun, batch, timezone);
        match outcome {
            Ok((after, rows, replies, warm)) => {
                let outcome = self.finish(&begun.head, &after, rows, replies);
                // Anything but a durable batch leaves nothing to build on.
                if outcome.is_ok() && warm.state.len() < WARM_ROWS {
                    self.warm = Warm { seq: after.seq, ..warm };
                    self.warm.state.settle();
                }
                outcome
            }
            Err(error) => {
                self.writer.rollback();
                Err(error)
            }
        }
    }

    fn inside(
        &mut self,
        snapshot: &Snapshot,
        begun: &Begun,
        batch: &[&Envelope],
        timezone: &str,
    ) -> Result<(LedgerHead, BatchRows, Vec<Reply>, Warm), BatchError> {
        let head = &begun.head;
        if head.directory_revision != snapshot.directory.revision() || head.policy_revision != snapshot.in_force {
            return Err(BatchError::Outdated);
        }
        let clock = begun.clock.unwrap_or_else(|| (self.clock)());
        let now = clock.max(head.at);
        let clock_behind = head.at.micros() - clock.micros() > CLOCK_TOLERANCE_MICROS;
        let (mut warm, mut answers) = self.load(snapshot, head, batch)?;
        let mut rows = BatchRows::default();
        let mut after = LedgerHead { at: now, ..head.clone() };
        let mut frontier = Frontier::from_stored(head.seq, &head.frontier)
            .ok_or_else(|| StoreError("the tree in `head` does not fit its size: run `bandpass audit verify`".to_owned()))?;
        let mut replies = Vec::with_capacity(batch.len());
        for envelope in batch {
            let filer = envelope.actor.person_id().filter(|_| matches!(envelope.command, Command::Submit { .. } | Command::Renew { .. }));
            let filed_last_hour = filer.map_or(0, |person| self.quota.count(person, now));
            let world = World {
                snapshot,
                state: &warm.state,
                now,
                next_seq: after.seq + 1,
                epoch: head.epoch,
                limits: &self.limits,
                clock_behind,
                filed_last_hour,
            };
            if let Some(key) = &envelope.idempotency
                && let Some((body, answer)) = answers.get(&key.scope)
            {
                // A kept answer is told to whoever may still ask.
                let same = if *body == key.body { Ok(answer.clone()) } else { Err(Refusal::IdempotencyMismatch) };
                let answer = world.check_actor(&envelope.actor).and(same);
                replies.push(Reply { replayed: answer.is_ok(), answer });
                continue;
            }
            let mut ids = RandomIds { random: &self.random, now };
            let decided = catch_unwind(AssertUnwindSafe(|| decide::decide(&world, envelope, &mut ids)))
                .map_err(|_| StoreError("a decision failed unexpectedly; nothing was changed".to_owned()))?;
            let decided = match decided {
                Ok(decided) => decided,
                Err(refusal) => {
                    replies.push(Reply { answer: Err(refusal), replayed: false });
                    continue;
                }
            };
            if let Some(person) = filer {
                self.quota.add(person, now);
            }
            for event in &decided.events {
                let encoded = encode(event, &self.random).map_err(|e| StoreError(e.to_string()))?;
                frontier.push(encoded.leaf);
                rows.events.push(encoded.log);
                rows.private.push(encoded.private);
                for change in project(event) {
                    move_head(&mut after, &change);
                    warm.state.apply(&change);
                    rows.changes.push(change);
                }
                after.seq = event.seq;
            }
            if let (Some(key), false) = (&envelope.idempotency, decided.events.is_empty()) {
                let answer = serde_json::to_string(&decided.answer).map_err(|e| StoreError(e.to_string()))?;
                rows.idempotency.push(IdempotencyRow { scope: key.scope.clone(), body: key.body.clone(), answer, at: now.micros() });
                answers.insert(key.scope.clone(), (key.body.clone(), decided.answer.clone()));
            }
            if let (Command::LoadPolicy { revision, files, .. }, false) = (&envelope.command, decided.events.is_empty()) {
                let files = files
                    .iter()
                    .map(|(path, bytes)| (path.clone(), super::tree::hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref()), bytes.clone()))
                    .collect();
                rows.policy_sets.push(StoredPolicySet { revision: revision.clone(), timezone: timezone.to_owned(), files });
            }
            replies.push(Reply { answer: Ok(decided.answer), replayed: false });
        }
        after.frontier = frontier.to_stored();
        after.root = frontier.root().to_vec();
        Ok((after, rows, replies, warm))
    }

    fn load(&mut self, snapshot: &Snapshot, head: &LedgerHead, batch: &[&Envelope]) -> Result<(Warm, KeptAnswers), StoreError> {
        let mut warm = Some(std::mem::take(&mut self.warm)).filter(|w| w.seq == head.seq).unwrap_or_default();
        warm.state.frozen = head.frozen;
        let mut named = Named::default();
        batch.iter().for_each(|envelope| needs::named(envelope, &mut named));
        // Requests are always read, since their votes are not kept.
        named.grants.retain(|id| warm.state.grant(*id).is_none());
        named.deliveries.retain(|id| warm.state.delivery(*id).is_none());
        named.tokens.retain(|id| warm.state.token(*id).is_none());
        let mut loaded = Loaded::default();
        self.writer.load_named(&named, &mut loaded)?;
        let mut answers = KeptAnswers::new();
        for row in std::mem::take(&mut loaded.answers) {
            let answer = serde_json::from_str(&row.answer).map_err(|_| StoreError("a kept answer cannot be read".to_owned()))?;
            answers.insert(row.scope, (row.body, answer));
        }
        warm.state.take(loaded);
        let mut around = Around::default();
        batch.iter().for_each(|envelope| needs::around(envelope, snapshot, &warm.state, &mut around));
        around.confirmed = !warm.state.knows_confirmed() && batch.iter().any(|e| needs::may_remove(&e.command));
        // What a policy load touches leads to everything else those people hold.
        let touched = around.groups.clone();
        self.load_around(&mut warm, around)?;
        if batch.iter().any(|e| matches!(e.command, Command::LoadPolicy { .. })) {
            let people = touched.iter().flat_map(|g| warm.state.holders(g)).map(|g| g.person.clone()).collect();
            self.load_around(&mut warm, Around { people, ..Around::default() })?;
        }
        Ok((warm, answers))
    }

    fn load_around(&mut self, warm: &mut Warm, mut around: Around) -> Result<(), StoreError> {
        warm.reduce(&mut around);
        let mut loaded = Loaded::default();
        self.writer.load_around(&around, &mut loaded)?;
        warm.take(around, loaded);
        Ok(())
    }

    fn finish(&mut self, before: &LedgerHead, after: &LedgerHead, rows: BatchRows, replies: Vec<Reply>) -> Result<Outcome, BatchError> {
        let queued_deliveries = rows.changes.iter().any(|c| matches!(c, RowChange::DeliveryQueued { .. } | RowChange::RemovalsConfirmed { .. } | RowChange::DeliveryReleased(_)));
        let queued_urgent = rows.changes.iter().any(|c| match c {
            RowChange::DeliveryQueued { delivery, .. } => delivery.urgent,
            other => matches!(other, RowChange::DeliveryReleased(_)),
        });
        let changed_snapshot = before.directory_revision != after.directory_revision
            || before.policy_revision != after.policy_revision
            || before.frozen != after.frozen;
        if rows.events.is_empty() {
            // Refusals and repeated answers change nothing.
            self.writer.rollback();
            return Ok(Outcome { replies, queued_deliveries, queued_urgent, changed_snapshot, events: 0 });
        }
        if let Err(error) = self.writer.write(before, after, &rows) {
            self.writer.rollback();
            return Err(error.into());
        }
        match self.writer.commit() {
            Ok(()) => Ok(Outcome { replies, queued_deliveries, queued_urgent, changed_snapshot, events: rows.events.len() }),
            Err(CommitError::RolledBack(error)) => Err(BatchError::Store(error)),
            Err(CommitError::Unknown(error)) => {
                let first = rows.events.first().map(|e| (e.seq, e.command.clone())).unwrap_or_default();
                Err(BatchError::Unknown { error, seq: first.0, command: first.1, replies })
            }
        }
    }
}

fn move_head(head: &mut LedgerHead, change: &RowChange) {
    match change {
        RowChange::Frozen(on) => head.frozen = *on,
        RowChange::DirectoryRevision(seq) => head.directory_revision = *seq,
        RowChange::PolicyInForce { revision, since, source } => {
            head.policy_revision = Some(revision.clone());
            head.policy_since = *since;
            head.policy_source.clone_from(source);
        }
        _ => {}
    }
}

impl From<BatchError> for LedgerError {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Outdated => Self::Unavailable("policy or directory changed meanwhile".to_owned()),
            BatchError::Store(error) | BatchError::Unknown { error, .. } => Self::Unavailable(error.0),
        }
    }
}
