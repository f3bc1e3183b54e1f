//! The set-up doctor: looks at everything that a service needs, and says of each thing what is wrong exactly and what cures it.
//!
//! `bandpass doctor` looks from outside, with a service running or not; `/system` and `GET /api/v1/system` look from within. Both
//! take the same list, [`CHECKS`]. A check answers one [`Finding`] or more: when all is well as well, since "looked at" and "not
//! looked at" must not read alike. It changes nothing, ends in time, and holds no secret in its words.
//!
//! A new check is a file with one function, and a line in [`CHECKS`].

mod address;
mod catalogs;
mod clocks;
mod connectors;
mod database;
mod files;
mod issuers;
mod log;
mod people;
mod policy;
mod service;
mod text;
mod tokens;
#[cfg(test)]
mod tests;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use serde::Serialize;
use utoipa::ToSchema;

pub use text::{text, worst};

use crate::{
    clock::Clock,
    directory::Directory,
    ledger::Ledger,
    policy::PolicySet,
    settings::Settings,
    store::{db::Location, examine::{Examined, examine}, read::Reader},
};

/// How something does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it must be.
    Ok,
    /// It works, and will hurt.
    Warning,
    /// It does not work.
    Fault,
}

impl State {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// What a look at one thing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Finding {
    /// What was looked at, like `database` or `connector warehouse`.
    pub name: String,
    /// How it does.
    pub state: State,
    /// What is there, or what is wrong exactly.
    pub detail: String,
    /// What cures it: a command, or the key to set.
    pub cure: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Ok, detail: detail.into(), cure: None }
    }

    /// It works, and will hurt.
    pub fn warning(name: impl Into<String>, detail: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Warning, detail: detail.into(), cure: Some(cure.into()) }
    }

    /// It does not work.
    pub fn fault(name: impl Into<String>, detail: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Fault, detail: detail.into(), cure: Some(cure.into()) }
    }
}

/// A running service, seen from within.
#[derive(Clone)]
pub struct Within {
    /// Its ledger.
    pub ledger: Ledger,
}

/// What checks look at.
#[derive(Clone)]
pub struct Ground {
    /// The configuration.
    pub settings: Settings,
    /// The clock of this machine.
    pub clock: Clock,
    /// The service that this process is, if it is one.
    pub within: Option<Within>,
    /// Where the data is.
    pub location: Location,
    /// What the database said when it was asked first; the error when it did not answer.
    pub examined: Result<Examined, String>,
    /// For reading, when the database answers and has its tables.
    pub reader: Option<Reader>,
    /// People: of the database, else of the files that the first start would take in.
    pub directory: Arc<Directory>,
    /// The policy in force, else that of the source when it can be used.
    pub policy: Option<Arc<PolicySet>>,
}

type Findings<'g> = Pin<Box<dyn Future<Output = Vec<Finding>> + Send + 'g>>;

/// A check: its name, for the case that it does not end in time, and what it does.
pub struct Check {
    /// What it looks at.
    pub name: &'static str,
    run: for<'g> fn(&'g Ground) -> Findings<'g>,
}

/// Every check, in the order in which findings are told: what others stand on comes first.
pub const CHECKS: &[Check] = &[
    Check { name: "service", run: |g| Box::pin(service::check(g)) },
    Check { name: "address", run: |g| Box::pin(address::check(g)) },
    Check { name: "files", run: |g| Box::pin(files::check(g)) },
    Check { name: "database", run: |g| Box::pin(database::check(g)) },
    Check { name: "audit log", run: |g| Box::pin(log::check(g)) },
    Check { name: "clock", run: |g| Box::pin(clocks::check(g)) },
    Check { name: "policy", run: |g| Box::pin(policy::check(g)) },
    Check { name: "people", run: |g| Box::pin(people::check(g)) },
    Check { name: "sign-in", run: |g| Box::pin(issuers::check(g)) },
    Check { name: "catalogue", run: |g| Box::pin(catalogs::check(g)) },
    Check { name: "directory feed", run: |g| Box::pin(tokens::check(g)) },
    Check { name: "connector", run: |g| Box::pin(connectors::check(g)) },
];

/// Longer than any check takes when what it asks answers at all.
const PATIENCE: Duration = Duration::from_secs(75);

impl Ground {
    /// Looks at what every check stands on.
    ///
    /// # Errors
    /// When `database.url` cannot be read at all.
    pub async fn new(settings: Settings, clock: Clock, within: Option<Within>) -> Result<Self, String> {
        let location = Location::parse(settings.database.url.reveal())?;
        let asked = location.clone();
        let examined = tokio::task::spawn_blocking(move || examine(&asked)).await.map_err(|e| e.to_string())?.map_err(|e| e.to_string());
        let usable = examined.as_ref().is_ok_and(|e| e.exists && e.pending.is_empty());
        let reader = usable.then(|| Reader::new(location.clone(), 1));
        let (directory, policy) = match &within {
            Some(within) => {
                let snapshot = within.ledger.snapshot();
                (Arc::clone(&snapshot.directory), snapshot.in_force.is_some().then(|| snapshot.policy.shared_set()))
            }
            None => {
                let (settings, location) = (settings.clone(), location.clone());
                tokio::task::spawn_blocking(move || from_outside(&settings, &location, usable)).await.map_err(|e| e.to_string())?
            }
        };
        Ok(Self { settings, clock, within, location, examined, reader, directory, policy })
    }

    /// Runs every check, all at the same time.
    pub async fn findings(&self) -> Vec<Finding> {
        let runs = CHECKS.iter().map(|check| async move {
            match tokio::time::timeout(PATIENCE, (check.run)(self)).await {
                Ok(findings) => findings,
                Err(_) => vec![Finding::fault(check.name, format!("looking at it did not end within {} s", PATIENCE.as_secs()), "find out what hangs: a network, a disk, a server")],
            }
        });
        futures_util::future::join_all(runs).await.into_iter().flatten().collect()
    }
}

/// People and policy without a running service: the database's, else the files'.
fn from_outside(settings: &Settings, location: &Location, usable: bool) -> (Arc<Directory>, Option<Arc<PolicySet>>) {
    let stored = usable.then(|| people::stored(location)).flatten().filter(|d| !d.people().is_empty());
    let directory = stored.or_else(|| people::of_files(settings)).unwrap_or_default();
    let set = policy::stored(location, usable).or_else(|| policy::of_folder(settings, &directory));
    (Arc::new(directory), set)
}
