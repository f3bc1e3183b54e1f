//! Refused acts on known objects, gathered per actor and minute, so that nobody can flood the log (semantics.md, 18).

use std::{collections::{BTreeMap, HashMap}, sync::{Mutex, PoisonError}, time::Duration};

use actix_web::web::Data;

use super::AppState;
use crate::{
    auth::Caller,
    domain::{actor::Actor, command::{Command, Envelope}, id::CommandId, time::Time},
    ledger::fresh_id,
};

/// The most actors that are kept apart within a minute.
const MAX_ACTORS: usize = 10_000;

#[derive(Default)]
struct Gathered {
    counts: BTreeMap<String, u32>,
    first_object: String,
}

/// What was refused since the last flush.
#[derive(Default)]
pub struct Refusals(Mutex<HashMap<Actor, Gathered>>);

impl Refusals {
    /// Notes one.
    pub fn note(&self, caller: &Caller, action: &str, code: &str, object: &str) {
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gathered.len() >= MAX_ACTORS && !gathered.contains_key(&caller.actor()) {
            return;
        }
        let entry = gathered.entry(caller.actor()).or_default();
        if entry.first_object.is_empty() {
            entry.first_object = object.chars().filter(|c| !c.is_control()).take(200).collect();
        }
        if entry.counts.len() < 50 {
            *entry.counts.entry(format!("{action}: {code}")).or_default() += 1;
        }
    }

    /// Writes them as events.
    pub async fn flush(&self, state: &AppState) {
        let gathered = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (actor, Gathered { counts, first_object }) in gathered {
            let command = Command::RecordRefusals { counts, first_object };
            let envelope = Envelope { id: CommandId(fresh_id()), actor, command, idempotency: None };
            match state.ledger.execute(envelope).await {
                Ok(reply) => {
                    if let Err(refusal) = reply.answer {
                        tracing::error!(%refusal, "refusals were not recorded");
                    }
                }
                Err(error) => tracing::warn!(%error, "refusals could not be recorded"),
            }
        }
    }
}

/// Sign-ins that were refused within the last minute, by issuer, subject and reason: whoever tries again and again is one event a
/// minute, and a line of the process's log each time.
#[derive(Default)]
pub struct RefusedSignIns(Mutex<HashMap<[String; 3], Time>>);

impl RefusedSignIns {
    /// Whether this one is to be an event.
    pub fn is_news(&self, which: &[String; 3], now: Time) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| (now.micros() - at.micros()).abs() < 60_000_000);
        told.len() < MAX_ACTORS && !told.contains_key(which)
    }

    /// Notes that it is one.
    pub fn told(&self, which: [String; 3], now: Time) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(which, now);
    }
}

/// Flushes once a minute.
pub(super) async fn flush_every_minute(state: Data<AppState>) {
    let mut every = tokio::time::interval(Duration::from_secs(60));
    loop {
        every.tick().await;
        state.refusals.flush(&state).await;
    }
}
