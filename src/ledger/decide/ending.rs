//! Ends of grants, blocks lifted, memberships adopted.

use super::{Decided, Recorder, World, birthright, reconsider, removals, removals_at_once};
use crate::domain::{
    actor::Actor,
    command::Answer,
    decision::{Effect, Inquiry},
    duration::Duration,
    event::{Change, Personal},
    grant::{Grant, GrantStatus, Provenance},
    group::Then,
    id::{GrantId, GroupId, IdSource, PersonId},
    refusal::Refusal,
    standing::Fate,
};

pub(super) fn ended(grant: &Grant, status: GrantStatus, world: &World<'_>, recorder: &Recorder<'_>) -> Grant {
    Grant { status, ended_at: Some(world.now), ended_seq: Some(recorder.seq()), ..grant.clone() }
}

pub(super) fn revoke(
    world: &World<'_>,
    actor: &Actor,
    id: GrantId,
    reason: Option<&str>,
    mut recorder: Recorder<'_>,
    ids: &mut dyn IdSource,
) -> Result<Decided, Refusal> {
    let grant = world.state.grant(id).ok_or_else(|| Refusal::NotFound { noun: "grant".to_owned() })?;
    let by_holder = actor.person_id() == Some(&grant.person);
    let by_owner = actor.person_id().is_some_and(|p| world.owns(p, &grant.group));
    if !(by_holder || by_owner || world.is_admin(actor)) {
        return Err(Refusal::NotAllowed { reason: "only the holder, an owner of the group or an admin can end this access".to_owned() });
    }
    if grant.status != GrantStatus::Active {
        return Err(Refusal::GrantEnded);
    }
    // It comes with what the person is: given back, it would begin again. Whoever owns the group can take it away for good.
    if by_holder && grant.is_standing_birthright() {
        return Err(birthright::stands(world, grant));
    }
    let reason = reason.map(str::trim).filter(|r| !r.is_empty());
    if !by_holder && reason.is_none() {
        return Err(Refusal::Impossible { field: Some("reason".to_owned()), reason: "say why, so that the holder knows what happened".to_owned() });
    }
    let revoked = ended(grant, GrantStatus::Revoked, world, &recorder);
    let queue = if by_holder { removals_at_once } else { removals };
    let deliveries = queue(world, grant, recorder.seq(), ids);
    let told = match reason {
        Some(reason) if by_holder => format!("given back by the holder: {reason}"),
        Some(reason) => format!("taken away: {reason}"),
        None => "given back by the holder".to_owned(),
    };
    let personal = Personal { reason: Some(told), comment: reason.map(str::to_owned), ..Personal::default() };
    recorder.record(Change::GrantRevoked { grant: revoked.clone(), block: !by_holder, deliveries, cause: None }, personal);
    Ok(recorder.answer(Answer::Grant { grant: revoked }))
}

pub(super) fn expire(world: &World<'_>, id: GrantId, mut recorder: Recorder<'_>, ids: &mut dyn IdSource) -> Result<Decided, Refusal> {
    let grant = world.state.grant(id).ok_or_else(|| Refusal::NotFound { noun: "grant".to_owned() })?;
    // Extended or ended meanwhile: nothing to do.
    if grant.status != GrantStatus::Active || grant.ends_at > world.now {
        return Ok(recorder.done());
    }
    let expired = ended(grant, GrantStatus::Expired, world, &recorder);
    let deliveries = removals(world, grant, recorder.seq(), ids);
    let ending = grant.standing.as_ref().filter(|s| s.fate == Fate::Ending && grant.ends_at < s.full_end);
    let told = ending.map_or_else(|| "its time is over".to_owned(), |s| format!("{}, and its grace is over", reconsider::told(&s.cause, world.snapshot)));
    let personal = Personal { reason: Some(told), ..Personal::default() };
    recorder.record(Change::GrantExpired { grant: expired.clone(), deliveries }, personal);
    Ok(recorder.answer(Answer::Grant { grant: expired }))
}

pub(super) fn lift_block(
    world: &World<'_>,
    actor: &Actor,
    person: &PersonId,
    group: &GroupId,
    mut recorder: Recorder<'_>,
) -> Result<Decided, Refusal> {
    let by_owner = actor.person_id().is_some_and(|p| p != person && world.owns(p, group));
    if !(by_owner || world.is_admin(actor) && actor.person_id() != Some(person)) {
        return Err(Refusal::NotAllowed { reason: "only an owner of the group or an admin can lift the block, and nobody their own".to_owned() });
    }
    if !world.state.has_blocks(person, group) {
        return Err(Refusal::NotFound { noun: "block".to_owned() });
    }
    let personal = Personal { reason: Some("the rules decide again".to_owned()), ..Personal::default() };
    recorder.record(Change::BlockLifted { person: person.clone(), group: group.clone() }, personal);
    Ok(recorder.done())
}

/// Records a membership that existed before Bandpass (semantics.md, 33): guardrails and conflicts are evaluated, the end
/// follows from the rule that would approve it, nothing is added at the target.
pub(super) fn adopt(
    world: &World<'_>,
    actor: &Actor,
    person: &PersonId,
    group: &GroupId,
    mut recorder: Recorder<'_>,
    ids: &mut dyn IdSource,
) -> Result<Decided, Refusal> {
    if !world.is_admin(actor) {
        return Err(Refusal::NotAllowed { reason: "only an admin can adopt memberships".to_owned() });
    }
    let subject = world
        .snapshot
        .directory
        .subject(person.as_str())
        .filter(|s| s.person.is_active())
        .ok_or_else(|| Refusal::UnknownPerson { person: person.to_string() })?;
    let set = world.snapshot.policy.set();
    let Some(policy) = set.group(group.as_str()) else {
        let suggestion = set.nearest_group(group.as_str()).map(ToString::to_string);
        return Err(Refusal::UnknownGroup { group: group.to_string(), suggestion });
    };
    if world.state.live_grant(person, group).is_some() {
        return Ok(recorder.done());
    }
    let holds = world.state.holds(person, group);
    let shortest = Duration::hours(1).unwrap_or(Duration::MAX);
    let inquiry = |duration| Inquiry { subject, group, duration, has_justification: true, now: world.now, holds: &holds, break_glass: false };
    let impossible = |reason: String| Refusal::Impossible { field: None, reason };
    let longest = world.snapshot.policy.default_duration(&inquiry(shortest));
    // Without suggestions: nobody asks what would change it, and a list may be long.
    let decision = world.snapshot.policy.decide_plainly(&inquiry(longest.unwrap_or(shortest)));
    if let Some(finding) = decision.guardrails.first() {
        return Err(impossible(format!("`{}` forbids it: {}", finding.id, finding.reason)));
    }
    let decisive = decision.rule.as_ref().filter(|_| decision.effect != Effect::Deny);
    let rule = decisive.and_then(|name| policy.rules.iter().find(|r| r.name == *name && r.then != Then::Always));
    let rule = rule.ok_or_else(|| impossible("no rule would give or approve it".to_owned()))?;
    if let Some((source, _)) = world.stale(person) {
        return Err(impossible(format!("what is known of `{person}` is too old to give access by: `{source}` was not heard from for too long")));
    }
    let grant = Grant {
        id: GrantId(ids.fresh()),
        person: person.clone(),
        group: group.clone(),
        incarnation: world.snapshot.incarnation(group),
        request: None,
        rule: rule.name.clone(),
        duration: rule.max,
        provenance: Provenance::Adopted,
        entitlements: policy.entitlements.clone(),
        starts_at: world.now,
        ends_at: world.now.plus(rule.max),
        status: GrantStatus::Active,
        ended_at: None,
        granted_seq: recorder.seq(),
        ended_seq: None,
        standing: None,
    };
    let personal = Personal { reason: Some("held before Bandpass; recorded as it was".to_owned()), ..Personal::default() };
    recorder.record(Change::GrantAdopted { grant: grant.clone() }, personal);
    Ok(recorder.answer(Answer::Grant { grant }))
}
