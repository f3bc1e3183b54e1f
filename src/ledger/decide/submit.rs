//! Filing a request: checked, decided by policy, and granted, denied or put before people.

use super::{
    Asker, Decided, Recorder, Told, World, additions, birthright, eligible, explained,
    inputs::{self, Inputs, LedgerFacts},
};
use crate::{
    domain::{
        actor::Actor,
        command::Answer,
        decision::{Decision, Effect, Inquiry},
        duration::Duration,
        event::{Change, Personal},
        grant::{Grant, GrantStatus, Provenance},
        group::{JustificationNeed, Rule, Stage},
        id::{GrantId, GroupId, IdSource, PersonId, RequestId},
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
    pub told: Told,
}

/// A filing with its decision: what a preview shows and a submit records.
pub(crate) struct Filed {
    pub filed_by: PersonId,
    pub duration: Duration,
    pub decision: Decision,
    pub inputs: Inputs,
}

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
    // A preview tells it beside the decision.
    if let Some(live) = world.state.live_grant(person, group).filter(|g| g.is_standing_birthright() && filing.told == Told::Recorded) {
        return Err(birthright::stands(world, live));
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
    let mut facts = ledger_facts(world, person, group);
    let mut counted = Vec::new();
    let mut decision = inputs::decide_filing(&world.snapshot.policy, &inquiry(duration), &facts, &mut |_, stage| {
        let possible = approvers(world, &filed_by, person, group, stage);
        counted.push(possible);
        possible
    });
    facts.approvers = counted;
    if decision.effect != Effect::Deny
        && decision.justification == JustificationNeed::Required
        && filing.justification.is_none_or(|j| j.trim().is_empty())
    {
        return Err(Refusal::JustificationRequired { rule: decision.rule.clone().unwrap_or_default() });
    }
    if decision.effect != Effect::Deny && world.clock_behind {
        return Err(Refusal::ClockBehind { retry_after: 5 });
    }
    explained::tell(world, &filed_by, &inquiry(duration), &facts, filing.told, &mut decision);
    let inputs = Inputs { person: Some(subject.person.clone()), teams: subject.teams.clone(), holds, ledger: facts };
    Ok(Filed { filed_by, duration, decision, inputs })
}

/// What the ledger knows of a person and a group.
pub(super) fn ledger_facts(world: &World<'_>, person: &PersonId, group: &GroupId) -> LedgerFacts {
    let denied = world.state.block(person, group, BlockCause::Denied);
    LedgerFacts {
        frozen: world.state.frozen,
        denied: denied.and_then(|block| Some((block.duration?, block.until?))),
        revoked: world.state.block(person, group, BlockCause::Revoked).is_some(),
        stale: world.stale(person),
        ..LedgerFacts::default()
    }
}

/// How many could approve at a stage. Those of an escalation count as well: they may answer in time.
pub(super) fn approvers(world: &World<'_>, filed_by: &PersonId, person: &PersonId, group: &GroupId, stage: &Stage) -> usize {
    let possible = |at| voters(world, filed_by, person, group, stage, world.now, at).len();
    possible(world.now).max(possible(world.now.plus(stage.within)))
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
        facts: serde_json::to_value(&filed.inputs).ok(),
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
            // A birthright that ends goes on as what was asked for.
            provenance: if live.provenance == Provenance::Birthright { Provenance::Request } else { live.provenance },
            ends_at: live.until().map_or(asked_end, |end| end.max(asked_end)),
            // Decided anew, it stands.
            standing: None,
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
        standing: None,
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
    let filing = Filing { person: &person, group: &group, duration: Some(duration.unwrap_or(grant.duration)), justification, told: Told::Recorded };
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
