//! Replay: every recorded decision is made again from its recorded inputs, and must come out the same (semantics.md, 22).
//!
//! Nothing is rebuilt: the request, the instant and the policy's revision lie in the event's body, the facts in its personal
//! text, the policy's files in the database. The code that decides is the one that decided.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;

use crate::{
    domain::{
        decision::{Decision, Effect},
        event::Change,
        id::{GroupId, PersonId, PolicyRevision, RequestId},
        person::Subject,
        request::Request,
        time::Time,
    },
    ledger::{
        decide::{
            explained::{explain_filing, explain_last_vote},
            inputs::{Inputs, decide_filing, decide_last_vote},
        },
        encode::{ENGINE, decode},
    },
    policy::{Engine, PolicySet, compile_kept},
    store::{
        dump::Dumper,
        read::StoreError,
        row::{AuditLogRow, AuditPrivateRow},
    },
};

/// What replay found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Replay {
    /// Decisions made again.
    pub decisions: u64,
    /// Policy revisions that they were made under.
    pub revisions: u64,
    /// Decisions whose inputs were erased.
    pub erased: u64,
    /// Decisions of development versions that did not record their inputs.
    pub before_replay: u64,
    /// How many differ.
    pub differ: u64,
    /// The first 100 that do.
    pub differences: Vec<Difference>,
    #[serde(skip)]
    seen: BTreeSet<PolicyRevision>,
}

/// A decision that its inputs do not give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The event.
    pub seq: i64,
    /// The request, as far as the event can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The program that decided, when it is another one than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// What differs, a sentence each.
    pub what: Vec<String>,
}

impl Replay {
    fn differs(&mut self, difference: Difference) {
        self.differ += 1;
        if self.differences.len() < MOST_TOLD {
            self.differences.push(difference);
        }
    }
}

/// How many rows are read, and at most decided, at a time.
const PAGE: i64 = 2000;
/// How many compiled sets are kept: a rollback returns to a recent one.
const MOST_SETS: usize = 8;
/// How many differences are told.
const MOST_TOLD: usize = 100;

/// A recorded decision with its inputs.
struct Recorded {
    seq: i64,
    engine: String,
    at: Time,
    of: Of,
    revision: PolicyRevision,
    inputs: Inputs,
    decision: Decision,
    /// What the kind of the event says.
    effect: Effect,
}

/// What was decided.
enum Of {
    /// A request, when it was filed.
    Filing(Box<Request>),
    /// A request, at its last vote.
    LastVote(Box<Request>),
    /// Membership without a request.
    Birthright(PersonId, GroupId),
}

impl Of {
    fn person(&self) -> &PersonId {
        match self {
            Self::Filing(request) | Self::LastVote(request) => &request.person,
            Self::Birthright(person, _) => person,
        }
    }

    fn request(&self) -> Option<RequestId> {
        match self {
            Self::Filing(request) | Self::LastVote(request) => Some(request.id),
            Self::Birthright(..) => None,
        }
    }
}

/// What an event is to replay.
enum Found {
    NoDecision,
    Erased,
    BeforeReplay,
    Decision(Box<Recorded>),
    Broken(Difference),
}

/// Makes every decision again whose event's number lies from `from` to `to`, both included.
///
/// # Errors
/// When the database cannot be read.
pub fn replay(dumper: &mut Dumper, from: i64, to: i64) -> Result<Replay, StoreError> {
    let mut found = Replay::default();
    let mut sets = Sets::default();
    let mut waiting = Waiting::default();
    dumper.begin()?;
    let mut after = from.saturating_sub(1);
    loop {
        let page = dumper.events(after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.0.seq;
        for (log, private) in page.iter().take_while(|(log, _)| log.seq <= to) {
            match read(log, private.as_ref()) {
                Found::NoDecision => {}
                Found::Erased => found.erased += 1,
                Found::BeforeReplay => found.before_replay += 1,
                Found::Broken(difference) => found.differs(difference),
                Found::Decision(recorded) => {
                    if !waiting.has_room_for(&recorded) {
                        waiting.decide(dumper, &mut sets, &mut found)?;
                    }
                    waiting.take(*recorded);
                }
            }
        }
        waiting.decide(dumper, &mut sets, &mut found)?;
        if after >= to {
            break;
        }
    }
    dumper.end();
    found.revisions = u64::try_from(found.seen.len()).unwrap_or(u64::MAX);
    Ok(found)
}

fn read(log: &AuditLogRow, private: Option<&AuditPrivateRow>) -> Found {
    if !matches!(log.kind.as_str(), "request.submitted" | "request.granted" | "request.denied" | "grant.birthright") {
        return Found::NoDecision;
    }
    let broken = |request, what: String| Found::Broken(Difference { seq: log.seq, request, engine: None, what: vec![what] });
    let text = private.and_then(|p| p.text.as_deref());
    let (body, event) = match decode(&log.body, text) {
        Ok(read) => read,
        Err(error) => return broken(None, error.to_string()),
    };
    let request_of = |request: Request| if request.filed_seq == event.seq { Of::Filing(Box::new(request)) } else { Of::LastVote(Box::new(request)) };
    let (of, revision, effect) = match event.change {
        Change::GrantBirthright { grant, decided_revision, .. } => (Of::Birthright(grant.person, grant.group), decided_revision, Effect::Grant),
        Change::RequestSubmitted { request } => (request_of(request.clone()), request.policy_revision, Effect::Approve),
        Change::RequestGranted { request, decided_revision, .. } => (request_of(request), decided_revision, Effect::Grant),
        // A person's verdict follows from no inputs.
        Change::RequestDenied { cooldown_until: Some(_), .. } => return Found::NoDecision,
        Change::RequestDenied { request, decided_revision, .. } => (request_of(request), decided_revision, Effect::Deny),
        _ => return broken(None, format!("the column `kind` says {}, and the body another kind", log.kind)),
    };
    // A group that left the policy takes its pending requests along: the event `policy.loaded` is the decision.
    if effect == Effect::Deny && matches!(of, Of::LastVote(_)) && event.actor.person_id().is_none() {
        return Found::NoDecision;
    }
    if text.is_none() {
        return Found::Erased;
    }
    let Some(decision) = event.personal.decision else {
        return broken(of.request(), "no decision is recorded".to_owned());
    };
    let Some(facts) = event.personal.facts.filter(|facts| facts.get("ledger").is_some()) else { return Found::BeforeReplay };
    match serde_json::from_value(facts) {
        Err(error) => broken(of.request(), format!("the recorded facts cannot be read: {error}")),
        Ok(inputs) => Found::Decision(Box::new(Recorded {
            seq: event.seq,
            engine: body.engine,
            at: event.at,
            of,
            revision,
            inputs,
            decision,
            effect,
        })),
    }
}

/// Decisions under one revision whose people have the same facts in each: one engine decides them all.
#[derive(Default)]
struct Waiting {
    recorded: Vec<Recorded>,
    /// Where the facts about a person stand.
    people: BTreeMap<PersonId, usize>,
}

impl Waiting {
    fn has_room_for(&self, next: &Recorded) -> bool {
        let same_policy = self.recorded.first().is_none_or(|first| first.revision == next.revision);
        let Some(person) = &next.inputs.person else { return same_policy };
        let known = self.people.get(&person.id).and_then(|index| self.recorded.get(*index)).map(|r| &r.inputs);
        same_policy && known.is_none_or(|known| known.person.as_ref() == Some(person) && known.teams == next.inputs.teams)
    }

    fn take(&mut self, next: Recorded) {
        if let Some(person) = &next.inputs.person {
            self.people.entry(person.id.clone()).or_insert(self.recorded.len());
        }
        self.recorded.push(next);
    }

    /// Decides what waits, on two threads.
    fn decide(&mut self, dumper: &mut Dumper, sets: &mut Sets, found: &mut Replay) -> Result<(), StoreError> {
        let waiting = std::mem::take(self);
        let Some(first) = waiting.recorded.first() else { return Ok(()) };
        let subjects = waiting.people.values().filter_map(|index| {
            let inputs = &waiting.recorded.get(*index)?.inputs;
            Some(Subject { person: inputs.person.as_ref()?, teams: &inputs.teams })
        });
        let engine = sets.compiled(dumper, &first.revision)?.map(|set| Engine::new(set, subjects));
        found.seen.insert(first.revision.clone());
        found.decisions += u64::try_from(waiting.recorded.len()).unwrap_or(u64::MAX);
        let all = |part: &[Recorded]| part.iter().filter_map(|r| compare(r, engine.as_ref())).collect::<Vec<_>>();
        let (front, back) = waiting.recorded.split_at(waiting.recorded.len() / 2);
        let (front, back) = std::thread::scope(|scope| {
            let other = scope.spawn(|| all(back));
            (all(front), other.join())
        });
        let back = back.map_err(|_| StoreError("a thread that replays has failed".to_owned()))?;
        for difference in front.into_iter().chain(back) {
            found.differs(difference);
        }
        Ok(())
    }
}

fn compare(recorded: &Recorded, engine: Result<&Engine, &String>) -> Option<Difference> {
    let again = engine.map_err(String::clone).and_then(|engine| decide_again(recorded, engine));
    let what = match again {
        Err(why) => vec![why],
        Ok(again) => {
            let mut what = differences(&recorded.decision, &again);
            if again.effect != recorded.effect {
                what.push(format!("the event records {}, and the inputs give {}", word(recorded.effect), word(again.effect)));
            }
            what
        }
    };
    let engine = (recorded.engine != ENGINE).then(|| recorded.engine.clone());
    (!what.is_empty()).then(|| Difference { seq: recorded.seq, request: recorded.of.request(), engine, what })
}

fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Grant => "a grant",
        Effect::Approve => "a question to approvers",
        Effect::Deny => "a denial",
    }
}

fn decide_again(recorded: &Recorded, engine: &Engine) -> Result<Decision, String> {
    let Recorded { of, inputs, at, .. } = recorded;
    if inputs.person.as_ref().is_some_and(|p| p.id != *of.person()) {
        return Err("the recorded facts are those of another person".to_owned());
    }
    // What was recorded without an explanation is compared without one.
    let explained = recorded.decision.explanation.is_some();
    let request = match of {
        Of::Birthright(_, group) => {
            let person = inputs.person.as_ref().ok_or("no facts about the person are recorded")?;
            return Ok(engine.birthright(Subject { person, teams: &inputs.teams }, group, *at, &inputs.holds));
        }
        Of::LastVote(request) => {
            let mut decision = decide_last_vote(engine, request, *at, inputs);
            decision.explanation = explained.then(|| explain_last_vote(engine, request, *at, inputs, &decision)).flatten();
            return Ok(decision);
        }
        Of::Filing(request) => request,
    };
    let inquiry = inputs.inquiry(request, *at).ok_or("no facts about the person are recorded")?;
    let approvers = |index: usize| inputs.ledger.approvers.get(index).copied().unwrap_or(0);
    let mut decision = decide_filing(engine, &inquiry, &inputs.ledger, &mut |index, _| approvers(index));
    decision.explanation = explained.then(|| explain_filing(engine, &inquiry, &inputs.ledger, &decision)).flatten();
    Ok(decision)
}

/// What of a decision follows from its inputs. Sentences hold names, which change; suggestions depend on who was there to
/// approve; conditions may be told more finely by a later version: none of them is compared.
fn comparable(decision: &Decision) -> serde_json::Map<String, serde_json::Value> {
    let mut bare = decision.clone();
    for reason in &mut bare.reasons {
        reason.text.clear();
    }
    for finding in &mut bare.guardrails {
        finding.reason.clear();
    }
    bare.suggestions.clear();
    for rule in bare.explanation.iter_mut().flat_map(|e| &mut e.rules) {
        rule.conditions.clear();
    }
    serde_json::to_value(bare).ok().and_then(|v| v.as_object().cloned()).unwrap_or_default()
}

/// Every part of a decision that is not the same, as JSON has it.
fn differences(recorded: &Decision, again: &Decision) -> Vec<String> {
    let (recorded, again) = (comparable(recorded), comparable(again));
    let told = |value: Option<&serde_json::Value>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let names: BTreeSet<&String> = recorded.keys().chain(again.keys()).collect();
    let differing = names.into_iter().filter(|name| recorded.get(*name) != again.get(*name));
    differing.map(|name| format!("{name}: recorded {}, comes out as {}", told(recorded.get(name)), told(again.get(name)))).collect()
}

/// Compiled sets, the last used first.
#[derive(Default)]
struct Sets(Vec<(PolicyRevision, Result<Arc<PolicySet>, String>)>);

impl Sets {
    fn compiled(&mut self, dumper: &mut Dumper, revision: &PolicyRevision) -> Result<Result<Arc<PolicySet>, String>, StoreError> {
        let entry = match self.0.iter().position(|(r, _)| r == revision) {
            Some(index) => self.0.remove(index),
            None => (revision.clone(), compile(dumper, revision)?),
        };
        let set = entry.1.clone();
        self.0.insert(0, entry);
        self.0.truncate(MOST_SETS);
        Ok(set)
    }
}

fn compile(dumper: &mut Dumper, revision: &PolicyRevision) -> Result<Result<Arc<PolicySet>, String>, StoreError> {
    let empty = PolicySet::empty();
    if empty.revision() == revision {
        return Ok(Ok(Arc::new(empty)));
    }
    let short = revision.short();
    let Some((timezone, files)) = dumper.policy_files(revision)? else {
        return Ok(Err(format!("the policy set {short} is not in the database")));
    };
    let checked = compile_kept(&files, &timezone);
    Ok(match checked.set {
        Some(set) if set.revision() == revision => Ok(set),
        Some(_) => Err(format!("the files of the policy set {short} are others than those that were in force")),
        None => Err(format!("the policy set {short} cannot be compiled")),
    })
}
