//! Ends sessions whose time is over and those of people who left. Neither is let in meanwhile: every request is checked. This
//! is what makes the log say when they ended, and why.

use std::{collections::{BTreeMap, BTreeSet}, time::Duration as Pause};

use tokio::sync::watch;

use crate::{
    domain::{command::Command, duration::Duration, id::{PersonId, SessionId}, session::SessionEnd},
    ledger::Ledger,
    store::{read::{Reader, StoreError}, read_sessions::OpenSession},
};

/// Between two looks at the clock.
const EVERY: Pause = Pause::from_secs(5);
/// Looks between two that go through the sessions, when nobody left.
const ROUNDS: u32 = 6;
/// When something was last seen reaches the database a minute late.
const SEEN_LATE: u32 = 3;

/// Runs until `stop`.
pub async fn run(ledger: Ledger, reader: Reader, idle: Duration, mut stop: watch::Receiver<bool>) {
    let (mut every, mut round, mut directory) = (tokio::time::interval(EVERY), 0_u32, 0_i64);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stop.changed() => return,
        }
        let revision = ledger.snapshot().directory.revision();
        if revision == directory && round % ROUNDS != 0 {
            round = round.wrapping_add(1);
            continue;
        }
        (directory, round) = (revision, round.wrapping_add(1));
        if let Err(error) = sweep(&ledger, &reader, idle).await {
            tracing::warn!(%error, "sessions that are over could not be ended in the log");
        }
    }
}

/// Ends what is over now; answers how many commands that took.
///
/// # Errors
/// When the database cannot be read.
pub async fn sweep(ledger: &Ledger, reader: &Reader, idle: Duration) -> Result<usize, StoreError> {
    let mut over: BTreeMap<(PersonId, &str), (SessionEnd, BTreeSet<SessionId>)> = BTreeMap::new();
    for open in reader.live_sessions(None).await? {
        if let Some(cause) = why_over(ledger, &open, idle) {
            over.entry((open.session.person, cause.as_str())).or_insert_with(|| (cause, BTreeSet::new())).1.insert(open.session.id);
        }
    }
    let commands = over.len();
    for ((person, _), (cause, only)) in over {
        let command = Command::EndSessions { person, only: Some(only), except: None, cause };
        if let Err(error) = ledger.act("sessions", command).await {
            tracing::warn!(%error, "sessions could not be ended");
        }
    }
    Ok(commands)
}

fn why_over(ledger: &Ledger, open: &OpenSession, idle: Duration) -> Option<SessionEnd> {
    let now = ledger.now();
    let late = Duration::minutes(SEEN_LATE).unwrap_or(Duration::MAX);
    if !ledger.snapshot().directory.person(open.session.person.as_str()).is_some_and(|p| p.is_active()) {
        Some(SessionEnd::Left)
    } else if now >= open.session.expires_at {
        Some(SessionEnd::Absolute)
    } else if now >= open.seen_at.plus(idle).plus(late) {
        Some(SessionEnd::Idle)
    } else {
        None
    }
}
