//! Ends grants whose time has come, and requests that nobody answered. Looks twice a second, so an end is late by at most
//! that, after a restart as well.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use crate::{domain::command::Command, ledger::Ledger, store::read::Reader};

const EVERY: Duration = Duration::from_millis(500);
const AT_ONCE: u16 = 200;

/// Runs until `stop`.
pub async fn run(ledger: Ledger, reader: Reader, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let more = match once(&ledger, &reader).await {
            Ok(more) => more,
            Err(error) => {
                tracing::warn!(%error, "what has ended could not be looked up");
                false
            }
        };
        if !more {
            let _ = tokio::time::timeout(EVERY, stop.changed()).await;
        }
    }
}

/// Ends what is due; answers whether there may be more.
async fn once(ledger: &Ledger, reader: &Reader) -> Result<bool, crate::store::read::StoreError> {
    let now = ledger.now();
    let grants = reader.due_grants(now, AT_ONCE).await?;
    let requests = reader.overdue_requests(now, AT_ONCE).await?;
    let full = grants.len() + requests.len() >= usize::from(AT_ONCE);
    let commands = grants
        .into_iter()
        .map(|grant| Command::ExpireGrant { grant })
        .chain(requests.into_iter().map(|request| Command::ExpireRequest { request }));
    let replies = join_all(commands.map(|command| ledger.act("expire", command))).await;
    let mut failed = false;
    for reply in replies {
        if let Err(error) = reply {
            failed = true;
            tracing::warn!(%error, "an end could not be recorded; it is tried again");
        }
    }
    Ok(full && !failed)
}
