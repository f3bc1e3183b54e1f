//! The outbox worker: carries open deliveries to target systems, in order per person and entitlement, and reports back.
//!
//! A delivery is repeated after a crash; connectors make a repeat harmless. What fails is tried again with growing pauses,
//! for ever; a delivery waits for every older one of the same person and entitlement.
//!
//! What people who left lose goes before all others, however many wait: when such a removal is queued, nothing else is begun
//! until it was tried. Older deliveries of the same people go with it, so that the order is kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{StreamExt, future::join_all, stream};
use tokio::{sync::watch, time::Instant};

use crate::{
    connector::{Intent, Registry, notes_held_before},
    domain::{
        command::Command,
        delivery::{Delivered, Delivery, DeliveryAction, DeliveryError},
        group::Entitlement,
        id::{DeliveryId, PersonId},
    },
    ledger::Ledger,
    store::{
        db::Location,
        read::{Reader, StoreError},
        sole::{Sole, SoleRight},
    },
};

/// Open deliveries that are looked at in one pass.
const AT_ONCE: u16 = 500;
/// Deliveries under way at the same time.
const CONCURRENT: usize = 16;
/// People who left whose deliveries are read by one query.
const PEOPLE_AT_ONCE: usize = 100;
const EVERY: Duration = Duration::from_secs(1);
/// How long a pass that achieved something lets the next ones gather: their confirmations then share a transaction, and under
/// load people do not wait behind them. The first delivery after a quiet moment never waits.
const GATHER: Duration = Duration::from_millis(20);

/// When a failing delivery is tried again.
struct Pause {
    until: Instant,
    attempts: u32,
}

/// What is known of failing deliveries; lost with the process, which only means an earlier try.
type Pauses = BTreeMap<DeliveryId, Pause>;

/// Runs until `stop`, woken when something is queued and once a second. One replica delivers at a time; the others stand by.
pub async fn run(location: Location, ledger: Ledger, reader: Reader, registry: Registry, mut stop: watch::Receiver<bool>) {
    let mut pauses = Pauses::new();
    let mut right: Option<SoleRight> = None;
    while !*stop.borrow() {
        right = keep_right(&location, right).await;
        ledger.stats().delivers.store(right.is_some(), std::sync::atomic::Ordering::Relaxed);
        if right.is_none() {
            let _ = tokio::time::timeout(EVERY, stop.changed()).await;
            continue;
        }
        match pass(&ledger, &reader, &registry, &mut pauses).await {
            Ok(0) => {
                tokio::select! {
                    () = ledger.deliveries_queued() => {}
                    () = tokio::time::sleep(EVERY) => {}
                    _ = stop.changed() => {}
                }
            }
            Ok(_) => {
                let _ = tokio::time::timeout(GATHER, stop.changed()).await;
            }
            Err(error) => {
                tracing::warn!(%error, "open deliveries could not be looked up");
                let _ = tokio::time::timeout(EVERY, stop.changed()).await;
            }
        }
    }
}

/// The right to deliver, while it is held still or can be had now.
async fn keep_right(location: &Location, right: Option<SoleRight>) -> Option<SoleRight> {
    let location = location.clone();
    let kept = tokio::task::spawn_blocking(move || match right.and_then(SoleRight::still_held) {
        Some(held) => Ok(Some(held)),
        None => SoleRight::take(&location, Sole::Deliveries),
    });
    match kept.await {
        Ok(Ok(right)) => right,
        Ok(Err(error)) => {
            tracing::warn!(%error, "cannot tell whether another replica delivers");
            None
        }
        Err(_) => None,
    }
}

/// Who has deliveries under way or behind them in this pass, by entitlement.
type Blocked = BTreeSet<(PersonId, Entitlement)>;

/// One pass over every open delivery; answers how many were achieved, at least one when it broke off for what is urgent.
async fn pass(ledger: &Ledger, reader: &Reader, registry: &Registry, pauses: &mut Pauses) -> Result<usize, StoreError> {
    let mut achieved = urgent_first(ledger, reader, registry, pauses).await?;
    let mut after = 0;
    let mut blocked = Blocked::new();
    loop {
        let page = reader.open_deliveries(after, AT_ONCE).await?;
        let full = page.len() == usize::from(AT_ONCE);
        after = page.last().map_or(after, |(position, _)| *position);
        let page = page.into_iter().map(|(_, delivery)| delivery).collect();
        let resting = pauses.keys().copied().collect();
        let (done, whole) = carry(ledger, reader, registry, (pauses, &mut blocked), page, urgent_queued(ledger, reader, resting)).await;
        achieved += done;
        if !whole {
            return Ok(achieved.max(1));
        }
        if !full {
            return Ok(achieved);
        }
    }
}

/// What people who left lose, before anything else: all that is open for them, in its order, as long as some of it is achieved.
async fn urgent_first(ledger: &Ledger, reader: &Reader, registry: &Registry, pauses: &mut Pauses) -> Result<usize, StoreError> {
    let mut achieved = 0;
    loop {
        let urgent = reader.urgent_deliveries(AT_ONCE).await?;
        let mut done = 0;
        let people: BTreeSet<PersonId> = urgent.into_iter().map(|(_, person)| person).collect();
        for some in people.into_iter().collect::<Vec<_>>().chunks(PEOPLE_AT_ONCE) {
            let page = reader.open_deliveries_of(some.to_vec()).await?;
            done += carry(ledger, reader, registry, (pauses, &mut Blocked::new()), page, std::future::pending()).await.0;
        }
        achieved += done;
        if done == 0 {
            return Ok(achieved);
        }
    }
}

/// Returns when something urgent is to be done that is not resting: queued here, or by another replica.
async fn urgent_queued(ledger: &Ledger, reader: &Reader, resting: BTreeSet<DeliveryId>) {
    loop {
        tokio::select! {
            () = ledger.urgent_queued() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if reader.urgent_deliveries(AT_ONCE).await.is_ok_and(|found| found.iter().any(|(id, _)| !resting.contains(id))) {
            return;
        }
    }
}

/// Carries out the first of each person and entitlement, the others wait for it; begins no more of them when `until` returns.
/// Answers how many were achieved, and whether all were begun.
async fn carry(
    ledger: &Ledger,
    reader: &Reader,
    registry: &Registry,
    (pauses, blocked): (&mut Pauses, &mut Blocked),
    page: Vec<Delivery>,
    until: impl Future<Output = ()>,
) -> (usize, bool) {
    let mut chosen = Vec::new();
    for delivery in page {
        let key = (delivery.person.clone(), delivery.entitlement.clone());
        let resting = pauses.get(&delivery.id).is_some_and(|p| p.until > Instant::now());
        if blocked.insert(key) && !resting {
            chosen.push(delivery);
        }
    }
    let many = chosen.len();
    let begun = stream::iter(chosen).take_until(until).map(|d| async { (attempt(ledger, reader, registry, &d).await, d) });
    let outcomes: Vec<(Result<Delivered, DeliveryError>, Delivery)> = begun.buffer_unordered(CONCURRENT).collect().await;
    let whole = outcomes.len() == many;
    let reports = outcomes.into_iter().filter_map(|(outcome, delivery)| report(delivery, outcome, pauses));
    let replies = join_all(reports.map(|(done, command)| async move { (done, ledger.act("deliver", command).await) })).await;
    let mut achieved = 0;
    for (done, reply) in replies {
        match reply {
            Ok(_) => achieved += usize::from(done),
            Err(error) => tracing::warn!(%error, "a delivery could not be recorded; it is repeated"),
        }
    }
    (achieved, whole)
}

async fn attempt(ledger: &Ledger, reader: &Reader, registry: &Registry, delivery: &Delivery) -> Result<Delivered, DeliveryError> {
    let name = &delivery.entitlement.connector;
    let Some(connector) = registry.get(name.as_str()) else {
        return Err(DeliveryError::NeedsPerson(format!("no connector `{name}` is configured")));
    };
    // An account that was unset when the delivery was queued may be set now.
    let snapshot = ledger.snapshot();
    let known = snapshot.directory.person(delivery.person.as_str()).and_then(|p| p.accounts.get(name)).cloned();
    let account = known.or_else(|| connector.person_is_account().then(|| delivery.person.to_string()));
    // What was held before Bandpass added it stays when Bandpass takes its own away (semantics.md, 35).
    let held_before = match (delivery.action, delivery.grant) {
        (DeliveryAction::Remove, Some(grant)) => {
            let earlier = reader.deliveries_of_grant(grant).await.map_err(|e| DeliveryError::Retry(e.to_string()))?;
            let added = earlier.iter().rev().find(|d| d.action == DeliveryAction::Add && d.entitlement == delivery.entitlement);
            added.and_then(|d| d.note.as_deref()).is_some_and(notes_held_before)
        }
        _ => false,
    };
    let intent = Intent::new(delivery, account, held_before)?;
    connector.deliver(&intent).await
}

/// What to tell the ledger: nothing when the same failure goes on.
fn report(delivery: Delivery, outcome: Result<Delivered, DeliveryError>, pauses: &mut Pauses) -> Option<(bool, Command)> {
    match outcome {
        Ok(delivered) => {
            pauses.remove(&delivery.id);
            let note = match delivered {
                Delivered::Done => None,
                Delivered::DoneWithNote(note) => Some(note),
            };
            Some((true, Command::ConfirmDelivery { delivery: delivery.id, note }))
        }
        Err(error) => {
            let attempts = pauses.get(&delivery.id).map_or(0, |p| p.attempts) + 1;
            // 0.2, 0.4, 0.8 … 30 seconds; what needs a person is tried every 30 seconds at most.
            let least = if matches!(error, DeliveryError::NeedsPerson(_)) { 5_000 } else { 200 };
            let pause = (least << attempts.min(8).saturating_sub(1)).min(30_000_u64);
            pauses.insert(delivery.id, Pause { until: Instant::now() + Duration::from_millis(pause), attempts });
            let error = error.to_string();
            if delivery.note.as_deref() == Some(error.as_str()) {
                return None;
            }
            tracing::warn!(delivery.id = %delivery.id, person = %delivery.person, entitlement = %delivery.entitlement, %error, "a delivery fails");
            Some((false, Command::ReportDelivery { delivery: delivery.id, error }))
        }
    }
}
