//! Keeps this replica's snapshot at what the log says is in force. A batch of its own notices what others changed; a replica that
//! only answers reads has no batch, and would let somebody who left read on, and not know somebody who joined.

use std::time::Duration as Pause;

use tokio::sync::watch;

use crate::ledger::Ledger;

/// Between two looks at the head of the log. Everybody is out everywhere within a second of the commit that says so.
const EVERY: Pause = Pause::from_millis(200);

/// Runs until `stop`.
pub async fn run(ledger: Ledger, mut stop: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut is_behind = false;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stop.changed() => return,
        }
        match ledger.keep_up().await {
            Ok(_) => is_behind = false,
            // Said once: `/readyz` goes on saying it.
            Err(error) if !is_behind => {
                is_behind = true;
                tracing::error!(%error, "this replica cannot keep up with what is in force");
            }
            Err(_) => {}
        }
    }
}
