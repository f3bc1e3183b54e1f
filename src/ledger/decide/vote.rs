//! Votes on a request, and the other ways in which it leaves `pending`.

use super::{
    Decided, Recorder, World, explained,
    inputs::{self, Inputs, LedgerFacts},
    submit,
};
use crate::domain::{
    actor::Actor,
    command::Answer,
    decision::Effect,
    event::{Change, Personal},
    group::Stage,
    id::{IdSource, PersonId, RequestId},
    refusal::Refusal,
    request::{Approval, Request, RequestStatus},
};

fn not_found() -> Refusal {
    Refusal::NotFound { noun: "request".to_owned() }
}

fn not_allowed(reason: &str) -> Refusal {
    Refusal::NotAllowed { reason: reason.to_owned() }
}

/// The request, if it is pending and in time.
fn open<'a>(world: &'a World<'_>, id: RequestId) -> Result<&'a Request, Refusal> {
    let request = world.state.request(id).ok_or_else(not_found)?;
    if request.status != RequestStatus::Pending {
        return Err(Refusal::NotPending { request: id, status: request.status });
    }
    match request.deadline {
        Some(deadline) if world.now >= deadline => Err(Refusal::DeadlinePassed { deadline }),
        _ => Ok(request),
    }
}

/// The stage that is asked now.
fn stage(request: &Request) -> Option<&Stage> {
    request.rule.as_ref()?.stages.get(usize::try_from(request.stage).ok()?)
}

/// Who may vote on a request now.
fn voters(world: &World<'_>, request: &Request, stage: &Stage) -> std::collections::BTreeSet<PersonId> {
    let owner = world.snapshot.policy.set().group(request.group.as_str()).map_or(&[][..], |g| g.owner.as_slice());
    let asker = super::Asker { person: &request.person, filed_by: &request.filed_by, owner, submitted_at: request.submitted_at };
    let holders = |g: &crate::domain::id::GroupId| world.state.holders(g).map(|grant| (grant.person.clone(), grant.starts_at)).collect();
    let mut may = super::eligible(stage, asker, request.stage_since, world.now, &world.snapshot.directory, &holders);
    // What was not heard from for too long makes nobody an approver either (security.md, 1.26).
    may.retain(|person| world.stale(person).is_none());
    may
}

/// The person behind a vote, if they may give it.
fn voter<'a>(world: &World<'_>, actor: &'a Actor, request: &Request, stage: &Stage) -> Result<&'a PersonId, Refusal> {
    let person = actor.person_id().ok_or_else(|| not_allowed("only a person can vote"))?;
    if let Some(service) = actor.service() {
        return Err(not_allowed(&format!("the service `{service}` acts for a person, and only people themselves decide")));
    }
    if *person == request.person || *person == request.filed_by {
        return Err(not_allowed("nobody decides a request of their own, or one they filed"));
    }
    if let Some((source, _)) = world.stale(person) {
        return Err(not_allowed(&format!("what is known of you is too old to vote by: `{source}` was not heard from for too long; an admin sees to it")));
    }
    if voters(world, request, stage).contains(person) { Ok(person) } else { Err(not_allowed("you are not one of those who are asked")) }
}

pub(super) fn approve(
    world: &World<'_>,
    actor: &Actor,
    id: RequestId,
    comment: Option<&str>,
    mut recorder: Recorder<'_>,
    ids: &mut dyn IdSource,
) -> Result<Decided, Refusal> {
    let request = open(world, id)?;
    let stage_now = stage(request).ok_or_else(not_found)?;
    let person = voter(world, actor, request, stage_now)?;
    let votes = world.state.approvals(id);
    if votes.iter().any(|v| v.person == *person) {
        return Err(Refusal::AlreadyVoted);
    }
    if world.clock_behind {
        return Err(Refusal::ClockBehind { retry_after: 5 });
    }
    if world.state.frozen {
        return Err(Refusal::Impossible { field: None, reason: "new access is stopped by the freeze switch; approve again when it is lifted".to_owned() });
    }
    // Earlier votes of this stage count only while their voters are still eligible (security.md, 1.7).
    let allowed = voters(world, request, stage_now);
    let standing = votes.iter().filter(|v| v.stage == request.stage && allowed.contains(&v.person)).count() + 1;
    let enough = standing >= usize::try_from(stage_now.need).unwrap_or(usize::MAX);
    let next = if enough { short_of_votes(world, request) } else { None };
    let last = next.is_none();
    let next_stage = next.map(|(n, stage)| (n, submit::deadline(stage, world.now)));
    let approval = Approval { request: id, person: person.clone(), stage: request.stage, at: world.now, seq: recorder.seq() };
    recorder.record(
        Change::ApprovalGiven { approval, person: request.person.clone(), group: request.group.clone(), next_stage },
        Personal { comment: comment.map(str::to_owned), reason: Some("approved".to_owned()), ..Personal::default() },
    );
    if !(enough && last) {
        let mut changed = request.clone();
        if let Some((stage, deadline)) = next_stage {
            changed.stage = stage;
            changed.stage_since = world.now;
            changed.deadline = Some(deadline);
        }
        return Ok(recorder.answer(Answer::RequestChanged { request: changed }));
    }
    last_vote(world, request, recorder, ids)
}

/// The first stage, the present one aside, that has too few votes of people who may vote there today: the next one, or one
/// that was passed by the vote of somebody who has moved on since (security.md, 1.7).
fn short_of_votes<'a>(world: &World<'_>, request: &'a Request) -> Option<(u32, &'a Stage)> {
    let stages = request.rule.as_ref().map_or(&[][..], |r| r.stages.as_slice());
    (0..).zip(stages).filter(|(index, _)| *index != request.stage).find(|(index, stage)| {
        // Whoever voted after an escalation was asked then: the deadline that had passed is not asked again.
        let asked = Stage { from: stage.from.iter().chain(&stage.escalate).cloned().collect(), escalate: Vec::new(), ..Stage::clone(stage) };
        let votes: Vec<&Approval> = world.state.approvals(request.id).iter().filter(|v| v.stage == *index).collect();
        let may = if votes.is_empty() { Default::default() } else { voters(world, request, &asked) };
        let counted = votes.iter().filter(|v| may.contains(&v.person)).count();
        counted < usize::try_from(stage.need).unwrap_or(usize::MAX)
    })
}

/// At the last vote today's facts, guardrails and conflicts decide, the stricter answer wins, and the group must still
/// be the one that was asked for (semantics.md, 4).
fn last_vote(world: &World<'_>, request: &Request, mut recorder: Recorder<'_>, ids: &mut dyn IdSource) -> Result<Decided, Refusal> {
    let inputs = inputs_today(world, request);
    let mut decision = inputs::decide_last_vote(&world.snapshot.policy, request, world.now, &inputs);
    let seq = recorder.seq();
    let granted = decision.effect == Effect::Grant;
    if !granted {
        decision.explanation = explained::explain_last_vote(&world.snapshot.policy, request, world.now, &inputs, &decision);
    }
    let decided = Request {
        status: if granted { RequestStatus::Granted } else { RequestStatus::Denied },
        decided_at: Some(world.now),
        decided_seq: Some(seq),
        ..request.clone()
    };
    let personal = Personal {
        reason: Some(submit::summary(&decision)),
        facts: serde_json::to_value(&inputs).ok(),
        decision: Some(decision.clone()),
        ..Personal::default()
    };
    let grant = if granted {
        Some(submit::grant(world, &decided, personal, &decision, &mut recorder, ids))
    } else {
        let decided_revision = decision.policy_revision.clone();
        recorder.record(Change::RequestDenied { request: decided.clone(), decided_revision, cooldown_until: None }, personal);
        None
    };
    Ok(recorder.answer(Answer::Request { request: decided, decision, grant }))
}

/// What the last vote is decided from.
fn inputs_today(world: &World<'_>, request: &Request) -> Inputs {
    let set = world.snapshot.policy.set();
    let gone = set.group(request.group.as_str()).is_none() || world.snapshot.incarnation(&request.group) != request.incarnation;
    let subject = world.snapshot.directory.subject(request.person.as_str()).filter(|s| s.person.is_active());
    Inputs {
        person: subject.map(|s| s.person.clone()),
        teams: subject.map(|s| s.teams.clone()).unwrap_or_default(),
        holds: world.state.holds(&request.person, &request.group),
        ledger: LedgerFacts { gone, stale: world.stale(&request.person), ..LedgerFacts::default() },
    }
}

pub(super) fn deny(world: &World<'_>, actor: &Actor, id: RequestId, reason: &str, mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    if let Some(request) = world.state.request(id).filter(|r| r.status == RequestStatus::Granted) {
        return Err(Refusal::RevokeInstead { group: request.group.clone() });
    }
    let request = open(world, id)?;
    let stage_now = stage(request).ok_or_else(not_found)?;
    let person = voter(world, actor, request, stage_now)?;
    if reason.trim().is_empty() {
        return Err(Refusal::Impossible { field: Some("reason".to_owned()), reason: "say why, so that the requester knows what to do".to_owned() });
    }
    let name = world.snapshot.directory.person(person.as_str()).map_or_else(|| person.to_string(), |p| p.name.clone());
    let denied = Request { status: RequestStatus::Denied, decided_at: Some(world.now), decided_seq: Some(recorder.seq()), ..request.clone() };
    let change = Change::RequestDenied {
        request: denied.clone(),
        decided_revision: world.snapshot.policy.set().revision().clone(),
        cooldown_until: Some(world.now.plus(world.limits.deny_cooldown)),
    };
    recorder.record(change, Personal { reason: Some(format!("denied by {name}: {reason}")), comment: Some(reason.to_owned()), ..Personal::default() });
    Ok(recorder.answer(Answer::RequestChanged { request: denied }))
}

pub(super) fn withdraw(world: &World<'_>, actor: &Actor, id: RequestId, mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    let request = world.state.request(id).ok_or_else(not_found)?;
    let person = actor.person_id().ok_or_else(|| not_allowed("only the requester can take a request back"))?;
    if *person != request.person && *person != request.filed_by {
        return Err(not_allowed("only the requester, or who filed it, can take a request back"));
    }
    let request = open(world, id)?;
    let change = Change::RequestWithdrawn { request: id, person: request.person.clone(), group: request.group.clone(), cause: None };
    let withdrawn = ended(request, RequestStatus::Withdrawn, world, &recorder);
    recorder.record(change, Personal { reason: Some("taken back by the requester".to_owned()), ..Personal::default() });
    Ok(recorder.answer(Answer::RequestChanged { request: withdrawn }))
}

fn ended(request: &Request, status: RequestStatus, world: &World<'_>, recorder: &Recorder<'_>) -> Request {
    Request { status, decided_at: Some(world.now), decided_seq: Some(recorder.seq()), ..request.clone() }
}

pub(super) fn expire(world: &World<'_>, id: RequestId, mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    let request = world.state.request(id).ok_or_else(not_found)?;
    let due = request.status == RequestStatus::Pending && request.deadline.is_some_and(|d| d <= world.now);
    if !due {
        return Ok(recorder.done());
    }
    let change = Change::RequestExpired { request: id, person: request.person.clone(), group: request.group.clone() };
    recorder.record(change, Personal { reason: Some("nobody answered in time".to_owned()), ..Personal::default() });
    Ok(recorder.done())
}
