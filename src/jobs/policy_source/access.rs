//! Who gains and who loses by a set that is about to come into force: `policy diff` between it and the one in force, over the
//! whole directory. Told by the event of the load, so it may take some time, but never hold the load up for long.

use std::{sync::{Arc, atomic::{AtomicBool, Ordering}}, time::Duration};

use crate::{
    domain::access_change::Compared,
    ledger::Ledger,
    policy::{PolicySet, diff::{self, Inputs}},
};

/// How long a load waits for the answer. Ten thousand people and a thousand groups take less than one second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Compares; none before the first policy, since everybody gains by that.
///
/// `busy` is set while a comparison runs: one that outlasted its load is not joined by a second.
pub(super) async fn compare(ledger: &Ledger, next: &Arc<PolicySet>, busy: &Arc<AtomicBool>) -> Option<Compared> {
    let snapshot = ledger.snapshot();
    snapshot.in_force.as_ref()?;
    if busy.swap(true, Ordering::SeqCst) {
        return Some(Err("an earlier comparison is still running".to_owned()));
    }
    let done = Running(Arc::clone(busy));
    let holdings = match ledger.holdings().await {
        Ok(holdings) => holdings,
        Err(error) => return Some(Err(error.to_string())),
    };
    let (next, at) = (Arc::clone(next), ledger.now());
    let work = tokio::task::spawn_blocking(move || {
        let _done = done;
        let subjects: Vec<_> = snapshot.directory.subjects().collect();
        let before = snapshot.policy.shared_set();
        let found = diff::diff(&Inputs { before: &before, after: &next, subjects: &subjects, holdings: &holdings, grants: &[], pending: &[], at });
        diff::access(&found)
    });
    Some(match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("it took longer than {} s", PATIENCE.as_secs())),
    })
}

/// Says when a comparison has ended, however it ended.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}
