//! How the service does: what the doctor finds from within, and what only the running process knows.

use std::sync::{Arc, atomic::Ordering};

use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use super::{AppState, leavers::{LeaversShape, held as held_leavers}, problem::Problem};
use crate::{
    doctor::{Finding, Ground, State, Within, worst},
    domain::time::Time,
};

/// Findings of this age are told again instead of looking anew, in microseconds: some checks ask other systems.
const FRESH_FOR: i64 = 60_000_000;

/// The last look.
#[derive(Clone)]
struct Look {
    at: Time,
    database: String,
    findings: Arc<Vec<Finding>>,
}

/// Looks of the doctor, one at a time.
#[derive(Default)]
pub struct Checkups(Mutex<Option<Look>>);

/// The system.
#[derive(Debug, Serialize, ToSchema)]
pub struct SystemShape {
    /// Of the program.
    pub version: &'static str,
    /// Of the database.
    pub database: String,
    /// When this process began to serve.
    #[schema(value_type = String)]
    pub started: Time,
    /// Seconds since then.
    pub uptime_seconds: i64,
    /// What this replica does alone among all: `deliver`, `decide-again`, `follow-folder`.
    pub duties: Vec<&'static str>,
    /// Whether it decides.
    pub deciding: bool,
    /// Whether new grants are stopped.
    pub frozen: bool,
    /// Commands that wait for the ledger now.
    pub queue: usize,
    /// How many may wait; one more is answered with 503.
    pub queue_limit: usize,
    /// Deliveries that wait to be carried out.
    pub deliveries_queued: u64,
    /// Deliveries that failed and are tried again.
    pub deliveries_failing: u64,
    /// Removals that wait for an admin's confirmation.
    pub removals_held: u64,
    /// Sources whose leavers wait for an admin's confirmation.
    pub leavers_held: Vec<LeaversShape>,
    /// The worst state of the findings: `ok`, `warning` or `fault`.
    pub state: State,
    /// When they were found; they are looked for again after a minute.
    #[schema(value_type = String)]
    pub looked_at: Time,
    /// What was found, as `bandpass doctor` tells it.
    pub findings: Vec<Finding>,
}

/// What is told now.
///
/// # Errors
/// When the database cannot be read.
pub async fn look(state: &AppState) -> Result<SystemShape, Problem> {
    let (queued, failing, held) = state.reader.delivery_backlog().await?;
    let now = state.ledger.now();
    let last = {
        // Whoever comes meanwhile waits for the same look.
        let mut last = state.checkups.0.lock().await;
        match last.as_ref().filter(|l| now.micros() - l.at.micros() < FRESH_FOR) {
            Some(fresh) => fresh.clone(),
            None => {
                let within = Within { ledger: state.ledger.clone() };
                let ground = Ground::new(state.settings.clone(), Arc::clone(&state.clock), Some(within)).await.map_err(|e| Problem::new(500, "failed", "Something failed here", e))?;
                let database = ground.examined.as_ref().map_or_else(|_| "does not answer".to_owned(), |e| e.version.clone());
                let look = Look { at: now, database, findings: Arc::new(ground.findings().await) };
                last.insert(look).clone()
            }
        }
    };
    let stats = state.ledger.stats();
    let duties = [(&stats.delivers, "deliver"), (&stats.decides_again, "decide-again"), (&stats.follows_folder, "follow-folder")];
    Ok(SystemShape {
        version: env!("CARGO_PKG_VERSION"),
        database: last.database,
        started: state.started,
        uptime_seconds: now.seconds_since(state.started),
        duties: duties.into_iter().filter(|(has, _)| has.load(Ordering::Relaxed)).map(|(_, word)| word).collect(),
        deciding: state.ledger.is_deciding(),
        frozen: state.ledger.snapshot().frozen,
        queue: state.ledger.waiting(),
        queue_limit: state.settings.ledger.queue,
        deliveries_queued: queued,
        deliveries_failing: failing,
        removals_held: held,
        leavers_held: held_leavers(state).await?.into_iter().map(LeaversShape::from).collect(),
        state: worst(&last.findings),
        looked_at: last.at,
        findings: last.findings.to_vec(),
    })
}
