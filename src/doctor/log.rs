//! The append-only log: every way to change the past is tried in a transaction that is rolled back.

use super::{Finding, Ground};
use crate::store::{db::Location, tamper};

const NAME: &str = "audit log";

pub(super) async fn check(ground: &Ground) -> Vec<Finding> {
    if matches!(&ground.location, Location::Sqlite(_)) && ground.examined.as_ref().is_ok_and(|e| !e.exists) {
        return vec![Finding::ok(NAME, "there is none yet; every start tries to change the past, and refuses to run when that works")];
    }
    if !ground.examined.as_ref().is_ok_and(|e| e.exists && e.pending.is_empty()) {
        return vec![Finding::warning(NAME, "not tried, since the database has no log yet", "mend what is said of the database, then run bandpass doctor again")];
    }
    let location = ground.location.clone();
    let tried = tokio::task::spawn_blocking(move || tamper::statements_that_tamper(&location)).await;
    vec![match tried {
        Ok(Ok(worked)) if worked.is_empty() => Finding::ok(NAME, "append-only: every try to change the past was refused"),
        Ok(Ok(_)) if ground.examined.as_ref().is_ok_and(|e| !e.powers.is_empty()) => {
            Finding::fault(NAME, "tries to change the past work (each was rolled back)", "see database: a role that owns nothing cannot")
        }
        Ok(Ok(worked)) => Finding::fault(NAME, format!("the past can be changed; these worked in a rolled-back try:\n{}", worked.join("\n")), "use a role that owns nothing (see database), put back what was dropped by restoring a backup, and prove the log: bandpass audit verify --rebuild"),
        Ok(Err(error)) => Finding::fault(NAME, error.to_string(), "mend what is said of the database"),
        Err(error) => Finding::fault(NAME, format!("the self-test broke off: {error}"), "run bandpass doctor again"),
    }]
}
