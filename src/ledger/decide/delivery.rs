//! What target systems report.

use super::{Decided, Recorder, World};
use crate::domain::{
    delivery::{Delivery, DeliveryState},
    event::{Change, Personal},
    id::DeliveryId,
    refusal::Refusal,
};

fn open<'a>(world: &'a World<'_>, id: DeliveryId) -> Result<Option<&'a Delivery>, Refusal> {
    let delivery = world.state.delivery(id).ok_or_else(|| Refusal::NotFound { noun: "delivery".to_owned() })?;
    Ok((delivery.state != DeliveryState::Done).then_some(delivery))
}

/// Achieved. Reporting it twice changes nothing: deliveries are repeated after a crash.
pub(super) fn confirm(world: &World<'_>, id: DeliveryId, note: Option<String>, mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    if let Some(delivery) = open(world, id)? {
        let change = Change::DeliveryDone { delivery: id, person: delivery.person.clone(), request: delivery.request, note };
        recorder.record(change, Personal::default());
    }
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
