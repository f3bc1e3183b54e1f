//! What target systems report.

use super::{Decided, Recorder, World};
use crate::domain::{
    actor::Actor,
    delivery::{Delivery, DeliveryState},
    event::{Change, Personal},
    id::{ConnectorName, DeliveryId},
    refusal::Refusal,
};

fn open<'a>(world: &'a World<'_>, id: DeliveryId) -> Result<Option<&'a Delivery>, Refusal> {
    let delivery = world.state.delivery(id).ok_or_else(|| Refusal::NotFound { noun: "delivery".to_owned() })?;
    // The worker tries no removal that waits for confirmation.
    Ok((!matches!(delivery.state, DeliveryState::Done | DeliveryState::Held)).then_some(delivery))
}

/// Achieved. Reporting it twice changes nothing: deliveries are repeated after a crash.
pub(super) fn confirm(world: &World<'_>, id: DeliveryId, note: Option<String>, mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    if let Some(delivery) = open(world, id)? {
        let change = Change::DeliveryDone { delivery: id, person: delivery.person.clone(), request: delivery.request, note };
        recorder.record(change, Personal::default());
    }
    Ok(recorder.done())
}

/// An admin has looked at the first removals that adoptions cause at a connector: they go, and later ones do not wait.
pub(super) fn confirm_removals(
    world: &World<'_>,
    actor: &Actor,
    connector: &ConnectorName,
    reason: &str,
    mut recorder: Recorder<'_>,
) -> Result<Decided, Refusal> {
    if !world.is_admin(actor) {
        return Err(Refusal::NotAllowed { reason: "only an admin can let removals go that adoptions cause".to_owned() });
    }
    let impossible = |field: &str, reason: String| Refusal::Impossible { field: Some(field.to_owned()), reason };
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(impossible("reason", "say why these memberships may be taken away".to_owned()));
    }
    if world.state.removals_confirmed(connector) {
        return Ok(recorder.done());
    }
    let waited = world.state.removals_waiting(connector);
    if waited == 0 {
        return Err(impossible("connector", format!("no removal waits at `{connector}`: there is nothing to look at yet")));
    }
    let personal = Personal { reason: Some(reason.to_owned()), ..Personal::default() };
    recorder.record(Change::RemovalsConfirmed { connector: connector.clone(), waited }, personal);
    Ok(recorder.done())
}

/// Failing. Recorded when it begins and when the reason changes, not at each attempt.
pub(super) fn report(world: &World<'_>, id: DeliveryId, error: &str, mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    if let Some(delivery) = open(world, id)? {
        let told_already = delivery.state == DeliveryState::Failing && delivery.note.as_deref() == Some(error);
        if !told_already {
            let change =
                Change::DeliveryFailing { delivery: id, person: delivery.person.clone(), request: delivery.request, error: error.to_owned() };
            recorder.record(change, Personal { reason: Some(error.to_owned()), ..Personal::default() });
        }
    }
    Ok(recorder.done())
}
