//! One change that would end many grants waits for a person who did not make it. Guardrails and leavers never wait.

use super::{Decided, Recorder, World};
use crate::domain::{
    actor::Actor,
    event::{Change, Personal},
    refusal::Refusal,
    standing::HeldChange,
};

fn by_bandpass(actor: &Actor) -> Result<(), Refusal> {
    match actor {
        Actor::System { .. } => Ok(()),
        _ => Err(Refusal::NotAllowed { reason: "endings are held back by Bandpass itself".to_owned() }),
    }
}

/// Holds endings back, instead of those that wait already.
pub(super) fn hold(world: &World<'_>, actor: &Actor, of: &HeldChange, mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    by_bandpass(actor)?;
    // The directory may have moved on, as one that is fed does all the time: who looks again holds again.
    if of.policy_revision != world.snapshot.in_force || of.directory_revision > world.snapshot.directory.revision() {
        return Err(Refusal::Stale { what: "the policy or the directory in force".to_owned() });
    }
    let reason = |text: String| Personal { reason: Some(text), ..Personal::default() };
    if let Some(waiting) = &world.state.held {
        if waiting.of.counts == of.counts && waiting.of.policy_revision == of.policy_revision {
            return Ok(recorder.done());
        }
        recorder.record(Change::EndingsWithdrawn { held: waiting.seq }, reason("another change would end other grants".to_owned()));
    }
    let told = format!("{} of {} live grants would end; they wait for a person to confirm it", of.total(), of.live);
    recorder.record(Change::EndingsHeld { of: of.clone() }, reason(told));
    Ok(recorder.done())
}

/// Lets them happen: an admin, a person, not who made the change, with a reason.
pub(super) fn confirm(world: &World<'_>, actor: &Actor, held: i64, why: &str, mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    let not_allowed = |reason: &str| Err(Refusal::NotAllowed { reason: reason.to_owned() });
    let Some(person) = actor.person_id() else {
        return not_allowed("a person confirms endings: sign in, or come with a personal token");
    };
    if !world.is_admin(actor) {
        return not_allowed("only an admin can confirm endings");
    }
    let Some(waiting) = world.state.held.as_ref().filter(|h| h.seq == held) else {
        return Err(Refusal::Stale { what: "what waits for confirmation".to_owned() });
    };
    if waiting.of.policy_revision != world.snapshot.in_force {
        return Err(Refusal::Stale { what: "the policy in force".to_owned() });
    }
    if waiting.of.author.as_ref() == Some(person) {
        return not_allowed("you made this change: another admin confirms what it ends");
    }
    let why = why.trim();
    if why.is_empty() {
        return Err(Refusal::Impossible { field: Some("reason".to_owned()), reason: "say why it is right that these end".to_owned() });
    }
    let change = Change::EndingsConfirmed {
        held,
        policy_revision: world.snapshot.in_force.clone(),
        directory_revision: world.snapshot.directory.revision(),
    };
    recorder.record(change, Personal { reason: Some(format!("confirmed: {why}")), comment: Some(why.to_owned()), ..Personal::default() });
    Ok(recorder.done())
}

/// They are moot.
pub(super) fn withdraw(world: &World<'_>, actor: &Actor, held: i64, why: &str, mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    by_bandpass(actor)?;
    if world.state.held.as_ref().is_some_and(|h| h.seq == held) {
        recorder.record(Change::EndingsWithdrawn { held }, Personal { reason: Some(why.to_owned()), ..Personal::default() });
    }
    Ok(recorder.done())
}
