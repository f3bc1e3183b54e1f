//! Membership without asking (`then = "always"`): begun by Bandpass itself, on what is in force under the head lock. How it
//! ends is decided like that of any grant: see [`super::reconsider`].

use super::{
    Decided, Recorder, World, additions,
    inputs::{Inputs, LedgerFacts},
};
use crate::{
    domain::{
        actor::Actor,
        command::Answer,
        decision::Effect,
        event::{Change, Personal},
        grant::{Grant, GrantStatus, Provenance},
        id::{GrantId, GroupId, IdSource, PersonId},
        person::Subject,
        refusal::Refusal,
        standing::Cause,
        time::Time,
    },
    ledger::Snapshot,
    policy::words,
    store::change::BlockCause,
};

pub use crate::policy::words::Voice;

/// How long a birthright goes on: "as long as you are in team Engineering".
pub fn because(snapshot: &Snapshot, grant: &Grant, voice: Voice) -> String {
    let rule = snapshot.policy.set().group(grant.group.as_str()).and_then(|g| g.rules.iter().find(|r| r.name == grant.rule));
    let subject = snapshot.directory.subject(grant.person.as_str());
    rule.map_or_else(|| format!("as long as the rule \"{}\" holds", grant.rule), |rule| words::as_long_as(snapshot.policy.names(), rule, subject, voice))
}

/// The refusal of a wish about a birthright that stands: there is nothing to ask for and nothing to give back.
pub(crate) fn stands(world: &World<'_>, grant: &Grant) -> Refusal {
    Refusal::HeldByBirthright { group: grant.group.clone(), because: because(world.snapshot, grant, Voice::You) }
}

/// Begins it, or lets a live grant go on as it. Nothing happens where it is held already, where somebody took it away, or
/// where no rule gives it any more.
pub(super) fn begin(
    world: &World<'_>,
    actor: &Actor,
    person: &PersonId,
    group: &GroupId,
    mut recorder: Recorder<'_>,
    ids: &mut dyn IdSource,
) -> Result<Decided, Refusal> {
    if !matches!(actor, Actor::System { .. }) {
        return Err(Refusal::NotAllowed { reason: "a birthright is begun by Bandpass itself".to_owned() });
    }
    if world.clock_behind {
        return Err(Refusal::ClockBehind { retry_after: 5 });
    }
    let subject = world.snapshot.directory.subject(person.as_str()).filter(|s| s.person.is_active());
    let subject = subject.ok_or_else(|| Refusal::UnknownPerson { person: person.to_string() })?;
    let live = world.state.live_grant(person, group);
    let incarnation = world.snapshot.incarnation(group);
    // A grant of an earlier life of the group ends by itself first.
    let elsewhere = live.is_some_and(|g| g.provenance == Provenance::Birthright || g.incarnation != incarnation);
    if world.state.frozen || elsewhere || world.stale(person).is_some() || world.state.block(person, group, BlockCause::Revoked).is_some() {
        return Ok(recorder.done());
    }
    let inputs = inputs(subject, world.state.holds(person, group));
    let decision = world.snapshot.policy.birthright(subject, group, world.now, &inputs.holds);
    let (Effect::Grant, Some(rule), Some(max)) = (decision.effect, decision.rule.clone(), decision.max) else { return Ok(recorder.done()) };
    withdraw_what_waits(world, person, group, &rule, &mut recorder);
    let seq = recorder.seq();
    let decided_revision = decision.policy_revision.clone();
    let grant = match live {
        Some(live) => Grant { rule, duration: max, provenance: Provenance::Birthright, ends_at: Time::OPEN, standing: None, ..live.clone() },
        None => Grant {
            id: GrantId(ids.fresh()),
            person: person.clone(),
            group: group.clone(),
            incarnation,
            request: None,
            rule,
            duration: max,
            provenance: Provenance::Birthright,
            entitlements: world.snapshot.policy.set().group(group.as_str()).map(|g| g.entitlements.clone()).unwrap_or_default(),
            starts_at: world.now,
            ends_at: Time::OPEN,
            status: GrantStatus::Active,
            ended_at: None,
            granted_seq: seq,
            ended_seq: None,
            standing: None,
        },
    };
    let deliveries = if live.is_some() { Vec::new() } else { additions(world, &grant, seq, ids) };
    let personal = Personal {
        reason: Some(format!("held without asking by the rule \"{}\"", grant.rule)),
        facts: serde_json::to_value(&inputs).ok(),
        decision: Some(decision),
        ..Personal::default()
    };
    recorder.record(Change::GrantBirthright { grant: grant.clone(), deliveries, decided_revision }, personal);
    Ok(recorder.answer(Answer::Grant { grant }))
}

/// What waits for people is held now without them.
pub(super) fn withdraw_what_waits(world: &World<'_>, person: &PersonId, group: &GroupId, rule: &str, recorder: &mut Recorder<'_>) {
    let Some(pending) = world.state.pending(person, group) else { return };
    let cause = Some(Cause::Birthright { rule: rule.to_owned() });
    let told = Personal { reason: Some(format!("the rule \"{rule}\" gives it without asking now")), ..Personal::default() };
    recorder.record(Change::RequestWithdrawn { request: pending.id, person: person.clone(), group: group.clone(), cause }, told);
}

fn inputs(subject: Subject<'_>, holds: std::collections::BTreeSet<GroupId>) -> Inputs {
    Inputs { person: Some(subject.person.clone()), teams: subject.teams.clone(), holds, ledger: LedgerFacts::default() }
}
