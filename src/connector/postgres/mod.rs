//! A PostgreSQL server as a target: an entitlement is a role, an account is a login role (semantics.md, 35).
//!
//! `Add` is `GRANT "role" TO "account"`, never WITH ADMIN OPTION; `Remove` is `REVOKE`. Only roles on the configured list
//! are granted, and of those none that has, or inherits, power over the server. The connector's own role needs ADMIN
//! OPTION on the listed roles and nothing else; as SUPERUSER or CREATEROLE it does nothing at all. Its password is worth
//! every listed role.
//!
//! Only memberships whose grantor is the connector's own role are ever taken away. PostgreSQL up to 15 knows one grantor
//! for a (role, account) and its REVOKE asks nobody who that was, so this connector asks first.

mod act;
mod catalog;
mod name;
mod session;

use std::{collections::BTreeSet, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use self::session::{Door, Session};
use super::{Answer, Connector, ConnectorConfig, Intent};
use crate::domain::delivery::{Delivered, DeliveryError};

/// Longest that a whole delivery may take once it has the connection.
const DEADLINE: Duration = Duration::from_secs(15);

/// How long after a failed connection others fail at once instead of trying too: many deliveries wait for one server.
const REST: Duration = Duration::from_millis(500);

/// The connector. One connection is kept, and made again when it broke.
pub struct Postgres {
    door: Door,
    allowed: BTreeSet<String>,
    line: Mutex<Line>,
}

/// The kept connection, or when and why the last one could not be made.
#[derive(Default)]
struct Line {
    session: Option<Session>,
    down: Option<(Instant, DeliveryError)>,
}

impl Line {
    /// Keeps the connection for the next delivery. After trouble a statement may still be under way on it: then it goes.
    fn keep<T>(&mut self, session: Session, outcome: &Result<T, DeliveryError>) {
        self.session = Some(session).filter(|s| s.is_open() && !matches!(outcome, Err(DeliveryError::Retry(_))));
    }
}

impl Postgres {
    /// Reads the configuration; connects later.
    ///
    /// # Errors
    /// A sentence that names the key and what was expected, without the URL.
    pub fn new(config: ConnectorConfig) -> Result<Self, String> {
        let door = Door::new(config.url.as_ref(), config.ca_file.as_deref())?;
        if config.allowed_roles.is_empty() {
            return Err("`allowed_roles` is empty: list the roles that may be granted; nothing else ever is".to_owned());
        }
        for role in &config.allowed_roles {
            name::check("role", role).map_err(|e| format!("`allowed_roles`: {e}"))?;
        }
        Ok(Self { door, allowed: config.allowed_roles.into_iter().collect(), line: Mutex::default() })
    }

    /// Runs `work` on the kept connection, once more on a fresh one if the kept one turns out to be broken. Work owns the
    /// connection while it runs: work that is dropped half-way, or does not end in time, takes its connection with it.
    async fn with_session<T, F>(&self, work: impl Fn(Session) -> F) -> Result<T, DeliveryError>
    where
        F: Future<Output = (Session, Result<T, DeliveryError>)>,
    {
        let mut line = self.line.lock().await;
        if let Some(session) = line.session.take().filter(Session::is_open) {
            let (session, outcome) = limited(work(session)).await?;
            if session.is_open() {
                line.keep(session, &outcome);
                return outcome;
            }
        }
        if let Some((_, error)) = line.down.as_ref().filter(|(since, _)| since.elapsed() < REST) {
            return Err(error.clone());
        }
        let session = match self.door.open().await {
            Ok(session) => session,
            Err(error) => {
                line.down = Some((Instant::now(), error.clone()));
                return Err(error);
            }
        };
        line.down = None;
        let (session, outcome) = limited(work(session)).await?;
        line.keep(session, &outcome);
        outcome
    }
}

async fn limited<T>(work: impl Future<Output = T>) -> Result<T, DeliveryError> {
    tokio::time::timeout(DEADLINE, work)
        .await
        .map_err(|_| DeliveryError::Retry(format!("the server did not finish within {} seconds", DEADLINE.as_secs())))
}

impl Connector for Postgres {
    fn deliver<'a>(&'a self, intent: &'a Intent) -> Answer<'a, Result<Delivered, DeliveryError>> {
        Box::pin(async move {
            // Names are judged before anything reaches the server.
            act::check_names(&self.allowed, intent).map_err(DeliveryError::NeedsPerson)?;
            self.with_session(|session| async move {
                let outcome = act::carry_out(&session, intent).await;
                (session, outcome)
            })
            .await
        })
    }

    fn check<'a>(&'a self, names: &'a [String]) -> Answer<'a, Vec<String>> {
        Box::pin(async move {
            let mut problems: Vec<String> = names
                .iter()
                .filter(|n| !self.allowed.contains(*n))
                .map(|n| format!("`{}` is named by a policy but is not in `allowed_roles`", n.escape_debug()))
                .collect();
            let roles: Vec<&str> = self.allowed.iter().map(String::as_str).collect();
            let roles = &roles;
            let looked = self.with_session(|session| async move {
                let outcome = catalog::problems(&session, roles).await;
                (session, outcome)
            });
            match looked.await {
                Ok(found) => problems.extend(found),
                Err(error) => problems.push(error.to_string()),
            }
            problems
        })
    }

    fn holds<'a>(&'a self, account: &'a str) -> Answer<'a, Result<BTreeSet<String>, DeliveryError>> {
        Box::pin(self.with_session(move |session| async move {
            let outcome = catalog::held(&session, account).await;
            (session, outcome)
        }))
    }
}
