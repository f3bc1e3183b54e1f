//! Decides live grants again when policy, people or holdings change (semantics.md, 5): off the ledger's thread, on pages of
//! rows, and with commands only for those whose standing changes. The ledger decides each of those again under its lock.
//!
//! Everything once after a start, when policy or directory change, and on a slow timer; a person's grants when what they hold
//! changes and a rule, a guardrail or a conflict reads it. Then what they hold without asking begins ([`super::birthright`]). One change that would end many waits for a person.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::{sync::watch, task::JoinHandle};

use super::birthright;
use crate::{
    domain::{
        command::{Answer, Command},
        group::Who,
        id::{GrantId, GroupId, PersonId, PolicyRevision, RequestId},
        standing::{Fate, HeldChange, HeldEndings, HeldState, LiveGrant},
        time::Time,
    },
    ledger::{Ledger, Snapshot, decide::reconsider::{Reconsidered, Wanted, wanted}},
    policy::{birthright::gives_birthrights, standing::HoldingsRead},
    store::{
        db::Location,
        read::{Reader, StoreError},
        read_standing::Happened,
        sole::{Sole, SoleRight},
    },
};

/// How often it looks whether something changed.
const EVERY: Duration = Duration::from_millis(250);
/// How often everything is decided again although nothing is known to have changed.
const SLOWLY: Duration = Duration::from_secs(600);
/// The longest that changes of people wait until everything is decided again.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// Rows read at a time.
const PAGE: u16 = 4000;
/// Pages decided at the same time.
const THREADS: usize = 2;
/// Commands sent at a time.
const AT_ONCE: usize = 200;
/// Endings by a directory count together for so long.
const LATELY: crate::domain::duration::Duration = crate::domain::duration::Duration::HOUR;
/// So few endings never wait for a person.
const FEW: u64 = 5;

/// What is known between passes.
pub struct Reviewer {
    ledger: Ledger,
    reader: Reader,
    /// The share of live grants that one change may end unconfirmed.
    share: f64,
    /// What everything was last decided on.
    seen: Option<(Option<PolicyRevision>, i64)>,
    /// Whether everything is to be decided again whatever was seen.
    again: bool,
    /// Everything before this event has been looked at.
    cursor: i64,
    whole_at: Instant,
    /// How long deciding everything took the last time.
    whole_took: Duration,
    reads: HoldingsRead,
    /// The endings that this reviewer knows to wait, and what is left of those that were confirmed since.
    waiting: Option<i64>,
    confirmed: Allowance,
}

/// What a person let happen: so many endings of each group under a policy, whatever the directory became meanwhile. A directory
/// that is fed changes every second, and a confirmation of exactly one state of it would never be worth anything.
#[derive(Debug, Default)]
struct Allowance {
    policy: Option<PolicyRevision>,
    left: BTreeMap<GroupId, u64>,
}

impl Allowance {
    /// Takes one of a group out, if one is left.
    fn take(&mut self, group: &GroupId, policy: &Option<PolicyRevision>) -> bool {
        let left = self.left.get_mut(group).filter(|left| **left > 0 && self.policy == *policy);
        left.map(|left| *left -= 1).is_some()
    }
}

/// What a pass did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passed {
    /// Live grants decided again.
    pub decided: u64,
    /// Those whose standing changed.
    pub changed: u64,
    /// Those that would end, but wait for a person.
    pub waiting: u64,
    /// Birthrights that began.
    pub begun: u64,
}

/// A grant whose standing is to change.
struct Due {
    grant: GrantId,
    request: Option<RequestId>,
    group: GroupId,
    at_once: bool,
    newly_ends: bool,
}

/// What came of deciding some people's grants.
#[derive(Default)]
struct Outcome {
    live: u64,
    /// Those that began to end within [`LATELY`], by group.
    lately: BTreeMap<GroupId, u64>,
    due: Vec<Due>,
    /// Those that depend on votes.
    open: Vec<Vec<LiveGrant>>,
}

/// The groups of people who may approve because they hold them.
type Holdings = Arc<HashMap<PersonId, BTreeSet<GroupId>>>;

/// Runs until `stop`. One replica does it at a time; the others stand by.
pub async fn run(location: Location, ledger: Ledger, reader: Reader, share: f64, mut stop: watch::Receiver<bool>) {
    let mut reviewer = Reviewer::new(ledger, reader, share);
    let mut right: Option<SoleRight> = None;
    while !*stop.borrow() {
        right = keep_right(&location, right).await;
        reviewer.ledger.stats().decides_again.store(right.is_some(), Ordering::Relaxed);
        if right.is_none() {
            reviewer.forget();
            let _ = tokio::time::timeout(Duration::from_secs(1), stop.changed()).await;
            continue;
        }
        if let Err(error) = reviewer.once().await {
            tracing::warn!(%error, "live grants could not be decided again; it is tried again");
            reviewer.forget();
            let _ = tokio::time::timeout(Duration::from_secs(1), stop.changed()).await;
        }
        let _ = tokio::time::timeout(EVERY, stop.changed()).await;
    }
}

async fn keep_right(location: &Location, right: Option<SoleRight>) -> Option<SoleRight> {
    let location = location.clone();
    let kept = tokio::task::spawn_blocking(move || match right.and_then(SoleRight::still_held) {
        Some(held) => Ok(Some(held)),
        None => SoleRight::take(&location, Sole::Reconsider),
    });
    match kept.await {
        Ok(Ok(right)) => right,
        Ok(Err(error)) => {
            tracing::warn!(%error, "cannot tell whether another replica decides grants again");
            None
        }
        Err(_) => None,
    }
}

impl Reviewer {
    /// Nothing looked at yet. `share` is `policy.confirm_share`.
    pub fn new(ledger: Ledger, reader: Reader, share: f64) -> Self {
        Self { ledger, reader, share, seen: None, again: true, cursor: 0, whole_at: Instant::now(), whole_took: Duration::ZERO, reads: HoldingsRead::default(), waiting: None, confirmed: Allowance::default() }
    }

    /// Has everything decided again at the next look.
    pub fn forget(&mut self) {
        self.again = true;
    }

    /// Looks at what changed since the last call, and decides again what it may touch.
    ///
    /// # Errors
    /// When the database cannot be read or the ledger does not take the outcome: call [`Reviewer::forget`] and try again.
    pub async fn once(&mut self) -> Result<Passed, StoreError> {
        let snapshot = self.ledger.snapshot();
        let now = (snapshot.in_force.clone(), snapshot.directory.revision());
        if self.again || (self.seen.as_ref() != Some(&now) && !self.rests(&now)) || self.whole_at.elapsed() > SLOWLY {
            return self.everything(snapshot, now).await;
        }
        let mut people: BTreeSet<PersonId> = BTreeSet::new();
        let mut entitled: BTreeSet<PersonId> = BTreeSet::new();
        let (mut confirmed, mut switched) = (false, false);
        loop {
            let (found, last) = self.reader.happened_to_holdings(self.cursor, PAGE).await?;
            confirmed |= found.iter().any(|h| h.kind == "endings.confirmed");
            switched |= found.iter().any(|h| h.kind == "freeze.set");
            // What somebody has lost may be theirs without asking; so may what a holding leads to.
            let set = snapshot.policy.set();
            let leads = |g: &GroupId| self.reads.contains(g) || set.group(g.as_str()).is_some_and(gives_birthrights);
            // So may what a new team brings: it does not rest. What ends by it waits, since many endings are counted together.
            let moved = |h: &Happened| h.kind.starts_with("person.");
            entitled.extend(found.iter().filter(|h| moved(h) || h.group.as_ref().is_some_and(leads)).filter_map(|h| h.person.clone()));
            let matter = found.into_iter().filter(|h| h.group.as_ref().is_some_and(|g| self.reads.contains(g)));
            people.extend(matter.filter_map(|h| h.person));
            let more = last - self.cursor >= i64::from(PAGE);
            self.cursor = last;
            if !more {
                break;
            }
        }
        if confirmed {
            return self.everything(snapshot, now).await;
        }
        let mut passed = Passed::default();
        if !people.is_empty() {
            self.some(&snapshot, people.into_iter().collect(), &mut passed).await?;
        }
        if switched || !entitled.is_empty() {
            passed.begun = birthright::begin(&self.ledger, &self.reader, &snapshot, &self.reads, (!switched).then_some(entitled)).await?;
        }
        Ok(passed)
    }

    /// The grants of some people.
    async fn some(&self, snapshot: &Arc<Snapshot>, people: Vec<PersonId>, passed: &mut Passed) -> Result<(), StoreError> {
        let holdings = self.approver_holdings(snapshot).await?;
        for some in people.chunks(500) {
            let held = self.reader.live_grants_of_people(some.to_vec()).await?;
            let mut outcome = decide(snapshot, held, &holdings, &HashMap::new(), Time::OPEN);
            self.settle_votes(snapshot, &holdings, &mut outcome).await?;
            passed.decided += outcome.live;
            passed.changed += self.send(outcome.due).await?;
        }
        Ok(())
    }

    /// Whether a change of people waits a little: one that feeds a directory changes it a hundred times a second, and deciding
    /// everything again may have a tenth of the time, no more. Leavers do not wait for it: what is theirs ends with the change.
    fn rests(&self, now: &(Option<PolicyRevision>, i64)) -> bool {
        let directory_alone = self.seen.as_ref().is_some_and(|(policy, _)| *policy == now.0);
        directory_alone && self.whole_took > EVERY && self.whole_at.elapsed() < (self.whole_took * 9).min(LONGEST_REST)
    }

    /// Every live grant.
    async fn everything(&mut self, snapshot: Arc<Snapshot>, now: (Option<PolicyRevision>, i64)) -> Result<Passed, StoreError> {
        let directory_alone = self.seen.as_ref().is_some_and(|(policy, directory)| *policy == now.0 && *directory != now.1);
        let began = Instant::now();
        // What happens from here on is looked at by the next pass.
        let head = self.reader.head().await?;
        let holdings = self.approver_holdings(&snapshot).await?;
        let mut outcome = self.decide_all(&snapshot, &holdings, head.at.minus(LATELY)).await?;
        self.settle_votes(&snapshot, &holdings, &mut outcome).await?;
        let decided_in = began.elapsed();
        let (at_once, rest): (Vec<Due>, Vec<Due>) = outcome.due.into_iter().partition(|d| d.at_once);
        let mut passed = Passed { decided: outcome.live, changed: self.send(at_once).await?, ..Passed::default() };
        let lately = if directory_alone { outcome.lately } else { BTreeMap::new() };
        let (rest, waiting) = self.hold_back(&snapshot, rest, (outcome.live, lately), directory_alone).await?;
        passed.waiting = waiting;
        passed.changed += self.send(rest).await?;
        self.reads = snapshot.policy.set().holdings_read();
        passed.begun = birthright::begin(&self.ledger, &self.reader, &snapshot, &self.reads, None).await?;
        (self.cursor, self.seen, self.again, self.whole_at, self.whole_took) = (head.seq, Some(now), false, Instant::now(), began.elapsed());
        let stats = self.ledger.stats();
        let ms = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        stats.reviewed.store(passed.decided, Ordering::Relaxed);
        stats.review_decided_ms.store(ms(decided_in), Ordering::Relaxed);
        stats.review_ms.store(ms(began.elapsed()), Ordering::Relaxed);
        stats.endings_waiting.store(passed.waiting, Ordering::Relaxed);
        stats.reviews.fetch_add(1, Ordering::Relaxed);
        if passed.changed + passed.waiting > 0 {
            tracing::info!(decided = passed.decided, changed = passed.changed, waiting = passed.waiting, "live grants were decided again");
        }
        Ok(passed)
    }

    /// Reads pages and decides them on other threads meanwhile.
    async fn decide_all(&self, snapshot: &Arc<Snapshot>, holdings: &Holdings, since: Time) -> Result<Outcome, StoreError> {
        let mut all = Outcome::default();
        let mut under_way: VecDeque<JoinHandle<Outcome>> = VecDeque::new();
        let mut after: Option<(PersonId, GroupId)> = None;
        let mut carried: Vec<LiveGrant> = Vec::new();
        loop {
            let page = self.reader.live_grants_after(after.take(), PAGE).await?;
            let full = page.len() == usize::from(PAGE);
            after = page.last().map(|l| (l.grant.person.clone(), l.grant.group.clone()));
            carried.extend(page);
            // The grants of a person are decided together: those of the last one may go on on the next page.
            let last = carried.last().filter(|_| full).map(|l| l.grant.person.clone());
            let whole = carried.iter().position(|l| Some(&l.grant.person) == last.as_ref()).unwrap_or(carried.len());
            let rest = carried.split_off(whole);
            let (ready, snapshot, holdings) = (std::mem::replace(&mut carried, rest), Arc::clone(snapshot), Arc::clone(holdings));
            under_way.push_back(tokio::task::spawn_blocking(move || decide(&snapshot, ready, &holdings, &HashMap::new(), since)));
            while under_way.len() >= if full { THREADS } else { 1 } {
                let Some(decided) = under_way.pop_front() else { break };
                let part = decided.await.map_err(|e| StoreError(format!("deciding grants again was interrupted: {e}")))?;
                all.live += part.live;
                part.lately.into_iter().for_each(|(group, n)| *all.lately.entry(group).or_default() += n);
                all.due.extend(part.due);
                all.open.extend(part.open);
            }
            if !full {
                break;
            }
        }
        Ok(all)
    }

    /// Decides those that depend on votes, with their votes.
    async fn settle_votes(&self, snapshot: &Arc<Snapshot>, holdings: &Holdings, outcome: &mut Outcome) -> Result<(), StoreError> {
        let open = std::mem::take(&mut outcome.open);
        for some in open.chunks(200) {
            let held: Vec<LiveGrant> = some.iter().flatten().cloned().collect();
            let ids: Vec<RequestId> = held.iter().filter_map(|l| l.grant.request).collect();
            let mut votes: HashMap<RequestId, BTreeSet<PersonId>> = ids.iter().map(|id| (*id, BTreeSet::new())).collect();
            votes.extend(self.reader.approvers_of(ids).await?);
            // Each person comes whole again: only what depended on votes is new.
            let known: BTreeSet<GrantId> = outcome.due.iter().map(|d| d.grant).collect();
            let settled = decide(snapshot, held, holdings, &votes, Time::OPEN);
            outcome.due.extend(settled.due.into_iter().filter(|d| !known.contains(&d.grant)));
        }
        Ok(())
    }

    /// Who holds the groups whose holders may approve.
    async fn approver_holdings(&self, snapshot: &Snapshot) -> Result<Holdings, StoreError> {
        let groups = snapshot.policy.set().groups().values();
        let words = groups.flat_map(|g| g.owner.iter().chain(g.rules.iter().flat_map(|r| &r.stages).flat_map(|s| s.from.iter().chain(&s.escalate))));
        let named: BTreeSet<GroupId> = words.filter_map(|w| if let Who::Group(g) = w { Some(g.clone()) } else { None }).collect();
        let mut found: HashMap<PersonId, BTreeSet<GroupId>> = HashMap::new();
        if !named.is_empty() {
            for grant in self.reader.live_grants_of_groups(named).await? {
                found.entry(grant.person).or_default().insert(grant.group);
            }
        }
        Ok(Arc::new(found))
    }

    /// Takes out what one change would end, when that is more than a person should have to confirm; answers the rest, and how
    /// many wait.
    ///
    /// A directory that shrinks does so a step at a time: what began to end by it lately counts with what would end now.
    async fn hold_back(&mut self, snapshot: &Snapshot, due: Vec<Due>, (live, mut lately): (u64, BTreeMap<GroupId, u64>), directory_alone: bool) -> Result<(Vec<Due>, u64), StoreError> {
        let newest = self.reader.newest_held_endings().await?;
        let in_force = (snapshot.in_force.clone(), snapshot.directory.revision());
        let confirmed = newest.as_ref().filter(|h| h.state == HeldState::Confirmed);
        if let Some(confirmed) = confirmed.filter(|h| self.waiting == Some(h.seq)) {
            self.confirmed = Allowance { policy: confirmed.of.policy_revision.clone(), left: confirmed.of.counts.clone() };
            self.waiting = None;
        }
        // One that was given before this reviewer began is worth what it was given for.
        let exactly = |group: &GroupId| confirmed.is_some_and(|h| h.confirmed_for.as_ref() == Some(&in_force) && h.of.counts.contains_key(group));
        lately.retain(|group, _| confirmed.is_none_or(|h| !h.of.counts.contains_key(group)));
        let mut covered = |group: &GroupId| exactly(group) || self.confirmed.take(group, &in_force.0);
        let (fresh, mut rest): (Vec<Due>, Vec<Due>) = due.into_iter().partition(|d| d.newly_ends && !covered(&d.group));
        let mut counts: BTreeMap<GroupId, u64> = BTreeMap::new();
        for due in &fresh {
            *counts.entry(due.group.clone()).or_default() += 1;
        }
        let total = u64::try_from(fresh.len()).unwrap_or(u64::MAX);
        let together = if total == 0 { 0 } else { total + lately.values().sum::<u64>() };
        let waiting = newest.filter(|h| h.state == HeldState::Waiting);
        if together <= FEW || together as f64 <= self.share * live as f64 {
            self.waiting = None;
            if let Some(waiting) = waiting {
                let reason = "a later change ends fewer grants".to_owned();
                self.act(Command::WithdrawEndings { held: waiting.seq, reason }).await?;
            }
            rest.extend(fresh);
            return Ok((rest, 0));
        }
        if !waiting.as_ref().is_some_and(|w| tells(w, &counts, &in_force.0)) {
            let author = if directory_alone { None } else { self.author(snapshot).await? };
            let of = HeldChange { policy_revision: in_force.0, directory_revision: in_force.1, author, live, counts };
            self.act(Command::HoldEndings { of }).await?;
        }
        self.waiting = self.reader.newest_held_endings().await?.filter(|h| h.state == HeldState::Waiting).map(|h| h.seq);
        Ok((rest, total))
    }

    /// Who made the policy in force, when a person here has the address of its commit.
    async fn author(&self, snapshot: &Snapshot) -> Result<Option<PersonId>, StoreError> {
        let load = self.ledger.last_policy_load().await?;
        let Some(commit) = load.and_then(|l| l.commit).filter(|c| !c.author_email.is_empty()) else { return Ok(None) };
        let has_it = |email: &String| email.eq_ignore_ascii_case(&commit.author_email);
        Ok(snapshot.directory.people().values().find(|p| p.email.as_ref().is_some_and(has_it)).map(|p| p.id.clone()))
    }

    async fn act(&self, command: Command) -> Result<Option<Answer>, StoreError> {
        let reply = self.ledger.act("reconsider", command).await.map_err(|e| StoreError(e.to_string()))?;
        match reply.answer {
            Ok(answer) => Ok(Some(answer)),
            // Ended or changed meanwhile: the next pass looks again.
            Err(refusal) => {
                tracing::debug!(%refusal, "a grant was not decided again");
                Ok(None)
            }
        }
    }

    /// Sends what is due; answers how many changed.
    async fn send(&self, due: Vec<Due>) -> Result<u64, StoreError> {
        let mut changed = 0;
        for some in due.chunks(AT_ONCE) {
            let commands = some.iter().map(|d| self.act(Command::Reconsider { grant: d.grant, request: d.request }));
            for answer in join_all(commands).await {
                changed += u64::from(matches!(answer?, Some(Answer::Grant { .. })));
            }
        }
        Ok(changed)
    }
}

/// Whether what waits tells of these endings already.
fn tells(waiting: &HeldEndings, counts: &BTreeMap<GroupId, u64>, policy: &Option<PolicyRevision>) -> bool {
    waiting.of.policy_revision == *policy && counts.iter().all(|(group, n)| waiting.of.counts.get(group).is_some_and(|told| n <= told))
}

/// Decides the grants of whole people, ordered by person. Votes that are not known leave a grant open.
/// What began to end after `since` is counted.
fn decide(snapshot: &Snapshot, held: Vec<LiveGrant>, holdings: &Holdings, votes: &HashMap<RequestId, BTreeSet<PersonId>>, since: Time) -> Outcome {
    let mut outcome = Outcome { live: u64::try_from(held.len()).unwrap_or(u64::MAX), ..Outcome::default() };
    let of_approver = |person: &PersonId| holdings.get(person).cloned().unwrap_or_default();
    for of_person in held.chunk_by(|a, b| a.grant.person == b.grant.person) {
        let all: Vec<_> = of_person.iter().map(|l| &l.grant).collect();
        let mut is_open = false;
        for live in of_person {
            let votes = live.grant.request.and_then(|r| votes.get(&r));
            let it = Reconsidered { grant: &live.grant, asked: live.asked.as_ref(), votes, held: &all, holdings: &of_approver };
            let wanted = wanted(snapshot, it);
            is_open |= wanted == Wanted::NeedsVotes;
            if live.grant.standing.as_ref().is_some_and(|s| s.fate == Fate::Ending && s.since > since) {
                *outcome.lately.entry(live.grant.group.clone()).or_default() += 1;
            }
            if wanted.differs(&live.grant) {
                outcome.due.push(Due {
                    grant: live.grant.id,
                    request: live.grant.request,
                    group: live.grant.group.clone(),
                    at_once: matches!(wanted, Wanted::EndsAtOnce(_)),
                    newly_ends: wanted.newly_ends(&live.grant),
                });
            }
        }
        if is_open {
            outcome.open.push(of_person.to_vec());
        }
    }
    outcome
}
