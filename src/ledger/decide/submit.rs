//! Filing a request: checked, decided by policy, and granted, denied or put before people.

use serde_json::json;

use super::{Asker, Decided, Recorder, World, additions, eligible};
use crate::{
    domain::{
        actor::Actor,
        command::Answer,
        decision::{Decision, Effect, Inquiry, Reason, ReasonKind, RuleOutcome, Suggestion},
        duration::Duration,
        event::{Change, Personal},
        grant::{Grant, GrantStatus, Provenance},
        group::{JustificationNeed, Rule, Stage, Who},
        id::{GrantId, GroupId, IdSource, PersonId, RequestId},
        person::Subject,
        refusal::Refusal,
        request::{Request, RequestStatus},
        time::Time,
    },
    store::change::BlockCause,
};

/// What somebody wishes to file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filing<'a> {
    pub person: &'a PersonId,
    pub group: &'a GroupId,
    pub duration: Option<Duration>,
    pub justification: Option<&'a str>,
    /// Whether everything that was looked at is told, for whoever reads it; a denial always tells.
    pub explained: bool,
}

/// A filing with its decision: what a preview shows and a submit records.
pub(crate) struct Filed {
    pub filed_by: PersonId,
    pub duration: Duration,
    pub decision: Decision,
    pub facts: serde_json::Value,
}

/// How long approvals of a request may take when a revocation has put the owner before the rules.
const OWNER_ANSWERS_WITHIN: u32 = 7;

/// Checks a filing and decides it. The one code path of preview and submit.
pub(crate) fn file(world: &World<'_>, actor: &Actor, filing: &Filing<'_>) -> Result<Filed, Refusal> {
    let (person, group) = (filing.person, filing.group);
    let directory = &world.snapshot.directory;
    let filed_by = match actor {
        Actor::Person { id, .. } => id.clone(),
        Actor::Operator { .. } | Actor::System { .. } => person.clone(),
    };
    let unknown_person = || Refusal::UnknownPerson { person: person.to_string() };
    let subject = directory.subject(person.as_str()).filter(|s| s.person.is_active()).ok_or_else(unknown_person)?;
    let set = world.snapshot.policy.set();
    if set.group(group.as_str()).is_none() {
        let suggestion = set.nearest_group(group.as_str()).map(ToString::to_string);
        return Err(Refusal::UnknownGroup { group: group.to_string(), suggestion });
    }
    if filed_by != *person && !world.manages(&filed_by, person) && !world.owns(&filed_by, group) {
        return Err(Refusal::NotAllowed { reason: "only a manager of the person or an owner of the group may ask for somebody else".to_owned() });
    }
    if let Some(pending) = world.state.pending(person, group) {
        return Err(Refusal::AlreadyPending { request: pending.id });
    }
    if world.filed_last_hour >= world.limits.requests_per_hour {
        return Err(Refusal::QuotaExceeded { limit: world.limits.requests_per_hour, retry_after: 60 });
    }
    let holds = world.state.holds(person, group);
    let inquiry = |duration| Inquiry {
        subject,
        group,
        duration,
        has_justification: filing.justification.is_some_and(|j| !j.trim().is_empty()),
        now: world.now,
        holds: &holds,
        break_glass: false,
    };
    let shortest = Duration::hours(1).unwrap_or(Duration::MAX);
    let duration = filing.duration.or_else(|| world.snapshot.policy.default_duration(&inquiry(shortest))).unwrap_or(shortest);
    let policy = &world.snapshot.policy;
    let decided = if filing.explained { policy.explain(&inquiry(duration)) } else { policy.decide(&inquiry(duration)) };
    let mut decision = decide_here(world, &filed_by, person, group, duration, decided);
    decision.suggestions.retain(|suggestion| keeps_its_promise(world, &filed_by, &inquiry(duration), suggestion));
    if decision.effect != Effect::Deny
        && decision.justification == JustificationNeed::Required
        && filing.justification.is_none_or(|j| j.trim().is_empty())
    {
        return Err(Refusal::JustificationRequired { rule: decision.rule.clone().unwrap_or_default() });
    }
    if decision.effect != Effect::Deny && world.clock_behind {
        return Err(Refusal::ClockBehind { retry_after: 5 });
    }
    let facts = facts(&subject, &holds);
    Ok(Filed { filed_by, duration, decision, facts })
}

/// What stands before and behind the rules: blocks, the freeze switch, and whether somebody can approve.
fn decide_here(world: &World<'_>, filed_by: &PersonId, person: &PersonId, group: &GroupId, duration: Duration, decision: Decision) -> Decision {
    let decision = decide_with_blocks(world, person, group, duration, decision);
    approvable(world, filed_by, person, group, decision)
}

/// Whether asking again with a suggestion applied gives the promised answer here, where blocks and approvers are known and
/// policy alone knows neither.
fn keeps_its_promise(world: &World<'_>, filed_by: &PersonId, inquiry: &Inquiry<'_>, suggestion: &Suggestion) -> bool {
    let Some(promised) = suggestion.promises() else { return true };
    let person = &inquiry.subject.person.id;
    let (group, duration) = match suggestion {
        Suggestion::OtherGroup { group, .. } => (group, inquiry.duration),
        Suggestion::ShorterDuration { duration, .. } => (inquiry.group, *duration),
        _ => (inquiry.group, inquiry.duration),
    };
    let holds = world.state.holds(person, group);
    let again = world.snapshot.policy.applied(&Inquiry { holds: &holds, ..*inquiry }, suggestion);
    again.is_some_and(|again| decide_here(world, filed_by, person, group, duration, again).effect == promised)
}

/// The facts that a decision used: what replay needs beside the request itself.
fn facts(subject: &Subject<'_>, holds: &std::collections::BTreeSet<GroupId>) -> serde_json::Value {
    json!({ "person": subject.person, "teams": subject.teams, "holds": holds })
}

fn deny(mut decision: Decision, kind: ReasonKind, text: String) -> Decision {
    decision.effect = Effect::Deny;
    decision.stages.clear();
    let rule = decision.rule.take();
    let findings = decision.explanation.iter_mut().flat_map(|e| &mut e.rules);
    for finding in findings.filter(|f| f.outcome == RuleOutcome::Decides) {
        finding.outcome = RuleOutcome::Forbidden;
    }
    decision.reasons.push(Reason { kind, rule, text });
    decision
}

/// The freeze switch, a fresh denial and an earlier revocation stand before the rules (semantics.md, 6 and 36).
fn decide_with_blocks(world: &World<'_>, person: &PersonId, group: &GroupId, duration: Duration, mut decision: Decision) -> Decision {
    if decision.effect == Effect::Deny {
        return decision;
    }
    if world.state.frozen {
        return deny(decision, ReasonKind::Frozen, "New access is stopped for the moment by the freeze switch; nothing is granted until it is lifted".to_owned());
    }
    let denied = world.state.block(person, group, BlockCause::Denied);
    if let Some(until) = denied.filter(|b| b.duration == Some(duration)).and_then(|b| b.until).filter(|until| *until > world.now) {
        let text = format!("The same request was denied a short while ago; it can be asked again from {}", clock(until));
        return deny(decision, ReasonKind::Blocked, text);
    }
    if decision.effect == Effect::Grant && world.state.block(person, group, BlockCause::Revoked).is_some() {
        let within = Duration::days(OWNER_ANSWERS_WITHIN).unwrap_or(Duration::MAX);
        decision.effect = Effect::Approve;
        decision.stages = vec![Stage { from: vec![Who::Owner], need: 1, within, escalate: Vec::new() }];
        decision.reasons.push(Reason {
            kind: ReasonKind::Blocked,
            rule: decision.rule.clone(),
            text: "This access was taken away before, so an owner of the group decides".to_owned(),
        });
    }
    decision
}

fn clock(at: Time) -> String {
    let text = at.to_string();
    format!("{} UTC", text.get(..16).unwrap_or(&text).replace('T', " "))
}

/// An approval that nobody can give is a denial, not a wait without end.
fn approvable(world: &World<'_>, filed_by: &PersonId, person: &PersonId, group: &GroupId, decision: Decision) -> Decision {
    if decision.effect != Effect::Approve {
        return decision;
    }
    let short = decision.stages.iter().find_map(|stage| {
        let possible = voters(world, filed_by, person, group, stage, world.now, world.now).len();
        let needed = usize::try_from(stage.need).unwrap_or(usize::MAX);
        // Those of an escalation count as well: they may answer in time.
        let later = voters(world, filed_by, person, group, stage, world.now, world.now.plus(stage.within)).len();
        (possible.max(later) < needed).then_some((possible.max(later), needed))
    });
    match short {
        None => decision,
        Some((possible, needed)) => {
            let text = match possible {
                0 => "Nobody could approve it today: ask an owner of the group to mend its policy".to_owned(),
                n => format!("It needs {needed} approvals, and only {n} could give one today: ask an owner of the group to mend its policy"),
            };
            deny(decision, ReasonKind::NoApprover, text)
        }
    }
}

/// Who could vote at a stage of a request filed now.
pub(crate) fn voters(
    world: &World<'_>,
    filed_by: &PersonId,
    person: &PersonId,
    group: &GroupId,
    stage: &Stage,
    since: Time,
    at: Time,
) -> std::collections::BTreeSet<PersonId> {
    let owner = world.snapshot.policy.set().group(group.as_str()).map_or(&[][..], |g| g.owner.as_slice());
    let asker = Asker { person, filed_by, owner, submitted_at: world.now };
    let holders = |g: &GroupId| world.state.holders(g).map(|grant| (grant.person.clone(), grant.starts_at)).collect();
    eligible(stage, asker, since, at, &world.snapshot.directory, &holders)
}

/// The deadline of a stage that begins: `within`, and the same span again where it escalates (semantics.md, 14).
pub(crate) fn deadline(stage: &Stage, since: Time) -> Time {
    let first = since.plus(stage.within);
    if stage.escalate.is_empty() { first } else { first.plus(stage.within) }
}

pub(super) fn submit(
    world: &World<'_>,
    actor: &Actor,
    filing: &Filing<'_>,
    mut recorder: Recorder<'_>,
    ids: &mut dyn IdSource,
) -> Result<Decided, Refusal> {
    let filed = file(world, actor, filing)?;
    let decision = filed.decision;
    let set = world.snapshot.policy.set();
    let rule = decision.rule.as_ref().and_then(|name| set.group(filing.group.as_str())?.rules.iter().find(|r| r.name == *name));
    // The rule is copied, with the stages that are really asked (semantics.md, 4).
    let rule = rule.map(|r| Rule { stages: decision.stages.clone(), ..r.clone() });
    let seq = recorder.seq();
    let first_stage = decision.stages.first().filter(|_| decision.effect == Effect::Approve);
    let decided = decision.effect != Effect::Approve;
    let request = Request {
        id: RequestId(ids.fresh()),
        person: filing.person.clone(),
        filed_by: filed.filed_by,
        group: filing.group.clone(),
        incarnation: world.snapshot.incarnation(filing.group),
        duration: filed.duration,
        justified: filing.justification.is_some_and(|j| !j.trim().is_empty()),
        submitted_at: world.now,
        status: match decision.effect {
            Effect::Grant => RequestStatus::Granted,
            Effect::Approve => RequestStatus::Pending,
            Effect::Deny => RequestStatus::Denied,
        },
        rule,
        policy_revision: decision.policy_revision.clone(),
        stage: 0,
        stage_since: world.now,
        deadline: first_stage.map(|stage| deadline(stage, world.now)),
        decided_at: decided.then_some(world.now),
        filed_seq: seq,
        decided_seq: decided.then_some(seq),
    };
    let personal = Personal {
        reason: Some(summary(&decision)),
        justification: filing.justification.map(str::to_owned),
        facts: Some(filed.facts),
        decision: Some(decision.clone()),
        ..Personal::default()
    };
    let grant = match decision.effect {
        Effect::Grant => Some(grant(world, &request, personal, &decision, &mut recorder, ids)),
        Effect::Approve => {
            recorder.record(Change::RequestSubmitted { request: request.clone() }, personal);
            None
        }
        Effect::Deny => {
            let decided_revision = decision.policy_revision.clone();
            recorder.record(Change::RequestDenied { request: request.clone(), decided_revision, cooldown_until: None }, personal);
            None
        }
    };
    Ok(recorder.answer(Answer::Request { request, decision, grant }))
}

/// Records a granted request and the grant that it starts or extends.
pub(super) fn grant(
    world: &World<'_>,
    request: &Request,
    personal: Personal,
    decision: &Decision,
    recorder: &mut Recorder<'_>,
    ids: &mut dyn IdSource,
) -> Grant {
    let asked_end = world.now.plus(request.duration);
    let rule = request.rule.as_ref().map(|r| r.name.clone()).or_else(|| decision.rule.clone()).unwrap_or_default();
    let decided_revision = decision.policy_revision.clone();
    if let Some(live) = world.state.live_grant(&request.person, &request.group) {
        let extended = Grant {
            request: Some(request.id),
            rule,
            duration: request.duration,
            incarnation: request.incarnation,
            ends_at: live.ends_at.max(asked_end),
            ..live.clone()
        };
        let reason = personal.reason.clone();
        recorder.record(Change::RequestGranted { request: request.clone(), grant: None, deliveries: Vec::new(), decided_revision }, personal);
        recorder.record(
            Change::GrantExtended { grant: extended.clone(), old_end: live.ends_at },
            Personal { reason, ..Personal::default() },
        );
        return extended;
    }
    let seq = recorder.seq();
    let entitlements = world.snapshot.policy.set().group(request.group.as_str()).map(|g| g.entitlements.clone()).unwrap_or_default();
    let grant = Grant {
        id: GrantId(ids.fresh()),
        person: request.person.clone(),
        group: request.group.clone(),
        incarnation: request.incarnation,
        request: Some(request.id),
        rule,
        duration: request.duration,
        provenance: Provenance::Request,
        entitlements,
        starts_at: world.now,
        ends_at: asked_end,
        status: GrantStatus::Active,
        ended_at: None,
        granted_seq: seq,
        ended_seq: None,
    };
    let deliveries = additions(world, &grant, seq, ids);
    recorder.record(
        Change::RequestGranted { request: request.clone(), grant: Some(grant.clone()), deliveries, decided_revision },
        personal,
    );
    grant
}

pub(super) fn renew(
    world: &World<'_>,
    actor: &Actor,
    id: GrantId,
    duration: Option<Duration>,
    justification: Option<&str>,
    recorder: Recorder<'_>,
    ids: &mut dyn IdSource,
) -> Result<Decided, Refusal> {
    let grant = world.state.grant(id).ok_or_else(|| Refusal::NotFound { noun: "grant".to_owned() })?;
    if grant.status != GrantStatus::Active || grant.ends_at <= world.now {
        return Err(Refusal::GrantEnded);
    }
    let (person, group) = (grant.person.clone(), grant.group.clone());
    let filing = Filing { person: &person, group: &group, duration: Some(duration.unwrap_or(grant.duration)), justification, explained: false };
    submit(world, actor, &filing, recorder, ids)
}

/// The one line that the audit view shows.
pub(super) fn summary(decision: &Decision) -> String {
    let rule = decision.rule.as_deref().unwrap_or_default();
    match decision.effect {
        Effect::Grant => format!("granted by the rule \"{rule}\""),
        Effect::Approve => format!("waits for approval by the rule \"{rule}\""),
        Effect::Deny => {
            let forbidding: Vec<&str> = decision.guardrails.iter().map(|g| g.reason.as_str()).collect();
            if forbidding.is_empty() {
                decision.reasons.last().map_or_else(|| "no rule allows it".to_owned(), |r| r.text.clone())
            } else {
                forbidding.join("; ")
            }
        }
    }
}
