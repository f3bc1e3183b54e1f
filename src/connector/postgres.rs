//! A PostgreSQL server as a target system: an entitlement is a role, an account is a login role (semantics.md, 35).
//!
//! Only roles on the configured list are granted, and of those none that is, or inherits, power over the server. The
//! connector's own role needs ADMIN OPTION on the listed roles and nothing else; with SUPERUSER or CREATEROLE it refuses
//! to work. Its password is worth every listed role.

use std::{collections::BTreeSet, time::Duration};

use tokio::sync::Mutex;
use tokio_postgres::{Client, Config, NoTls, config::SslMode};

use super::{Answer, Connector, Intent};
use crate::domain::delivery::{Delivered, DeliveryAction, DeliveryError};

/// Deadline of a whole delivery.
const DEADLINE: Duration = Duration::from_secs(10);

/// The connector. One connection is kept, and made again when it broke.
pub struct Postgres {
    config: Config,
    allowed: BTreeSet<String>,
    client: Mutex<Option<Client>>,
}

/// A name that is safe to quote and is not cut: PostgreSQL cuts at 63 bytes with only a notice.
fn is_plain(name: &str) -> bool {
    (1..=63).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

/// The one place that quotes a name. Only names that passed [`is_plain`] come here.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn needs_person(text: impl Into<String>) -> DeliveryError {
    DeliveryError::NeedsPerson(text.into())
}

fn retry(error: &tokio_postgres::Error) -> DeliveryError {
    let told = error.as_db_error().map_or_else(|| "the server does not answer".to_owned(), |e| e.message().to_owned());
    DeliveryError::Retry(told)
}

/// Whether `member` holds `role` directly, and who granted it.
const DIRECT: &str = "SELECT g.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles a ON a.oid = m.member
     LEFT JOIN pg_roles g ON g.oid = m.grantor WHERE r.rolname = $1 AND a.rolname = $2";

/// Power that a role has by itself or inherits from any role above it.
const POWER: &str = "WITH RECURSIVE up AS (
        SELECT oid, rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = $1
        UNION SELECT r.oid, r.rolname, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication, r.rolbypassrls
        FROM up JOIN pg_auth_members m ON m.member = up.oid JOIN pg_roles r ON r.oid = m.roleid)
     SELECT rolname FROM up WHERE rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls OR rolname LIKE 'pg\\_%' LIMIT 1";

impl Postgres {
    /// Reads the URL and the list of roles.
    ///
    /// # Errors
    /// A sentence that names what is missing or wrong, without the URL.
    pub fn new(url: &str, allowed: Vec<String>) -> Result<Self, String> {
        if url.is_empty() {
            return Err("`url` is missing: postgres://USER@HOST/DATABASE, best given by the environment".to_owned());
        }
        let mut config: Config = url.parse().map_err(|_| "`url` is not a PostgreSQL URL".to_owned())?;
        config.connect_timeout(Duration::from_secs(3)).application_name("bandpass connector");
        if allowed.is_empty() {
            return Err("`allowed_roles` is empty: list the roles that may be granted".to_owned());
        }
        if let Some(role) = allowed.iter().find(|r| !is_plain(r) || r.starts_with("pg_")) {
            return Err(format!("`{role}` in `allowed_roles` is refused: use 1 to 63 of a-z, 0-9, `_`, `-`, and no `pg_` role"));
        }
        Ok(Self { config, allowed: allowed.into_iter().collect(), client: Mutex::new(None) })
    }

    async fn connect(&self) -> Result<Client, DeliveryError> {
        let lost = |e: tokio_postgres::Error| match e.as_db_error() {
            Some(e) => DeliveryError::Retry(e.message().to_owned()),
            None => DeliveryError::Retry("the server is not reachable".to_owned()),
        };
        let client = if self.config.get_ssl_mode() == SslMode::Require {
            let (client, connection) = self.config.connect(crate::tls::connector().map_err(needs_person)?).await.map_err(lost)?;
            tokio::spawn(async move { drop(connection.await) });
            client
        } else {
            let (client, connection) = self.config.connect(NoTls).await.map_err(lost)?;
            tokio::spawn(async move { drop(connection.await) });
            client
        };
        client.batch_execute("SET statement_timeout = '5s'; SET lock_timeout = '3s'").await.map_err(|e| retry(&e))?;
        let row = client
            .query_one("SELECT rolsuper OR rolcreaterole AS power FROM pg_roles WHERE rolname = current_user", &[])
            .await
            .map_err(|e| retry(&e))?;
        if row.get::<_, bool>(0) {
            return Err(needs_person("the connector's own role is SUPERUSER or CREATEROLE; give it ADMIN OPTION on the listed roles and nothing else"));
        }
        Ok(client)
    }

    async fn carry_out(&self, intent: &Intent) -> Result<Delivered, DeliveryError> {
        let (role, account) = (intent.entitlement.as_str(), intent.account.as_str());
        if !self.allowed.contains(role) {
            return Err(needs_person(format!("the role `{role}` is not in `allowed_roles`")));
        }
        if !is_plain(account) || account.starts_with("pg_") {
            return Err(needs_person("the account's name is refused: use 1 to 63 of a-z, 0-9, `_`, `-`, and no `pg_` role"));
        }
        let mut kept = self.client.lock().await;
        if kept.as_ref().is_none_or(Client::is_closed) {
            *kept = Some(self.connect().await?);
        }
        let Some(client) = kept.as_ref() else { return Err(DeliveryError::Retry("no connection".to_owned())) };
        let outcome = act(client, role, account, intent.action).await;
        if client.is_closed() {
            *kept = None;
        }
        outcome
    }
}

async fn grantors(client: &Client, role: &str, account: &str) -> Result<Vec<String>, DeliveryError> {
    let rows = client.query(DIRECT, &[&role, &account]).await.map_err(|e| retry(&e))?;
    Ok(rows.iter().map(|r| r.get::<_, Option<String>>(0).unwrap_or_else(|| "somebody".to_owned())).collect())
}

async fn act(client: &Client, role: &str, account: &str, action: DeliveryAction) -> Result<Delivered, DeliveryError> {
    let me: String = client.query_one("SELECT current_user::text", &[]).await.map_err(|e| retry(&e))?.get(0);
    if account == me || role == me {
        return Err(needs_person("the connector never changes its own role"));
    }
    let exists = client.query("SELECT rolname FROM pg_roles WHERE rolname = ANY($1)", &[&vec![role, account]]).await.map_err(|e| retry(&e))?;
    let known: BTreeSet<String> = exists.iter().map(|r| r.get(0)).collect();
    if !known.contains(role) {
        return Err(needs_person(format!("there is no role `{role}` in the target")));
    }
    if !known.contains(account) {
        return match action {
            DeliveryAction::Add => Err(needs_person(format!("there is no account `{account}` in the target"))),
            DeliveryAction::Remove => Ok(Delivered::DoneWithNote(format!("the account `{account}` is gone from the target"))),
        };
    }
    for name in [role, account] {
        if let Some(row) = client.query_opt(POWER, &[&name]).await.map_err(|e| retry(&e))? {
            let through: String = row.get(0);
            return Err(needs_person(format!("`{name}` is, or inherits, the powerful role `{through}`")));
        }
    }
    let before = grantors(client, role, account).await?;
    let foreign = before.iter().find(|g| **g != me).cloned();
    match action {
        DeliveryAction::Add => {
            if let Some(by) = foreign {
                return Ok(Delivered::DoneWithNote(format!("held already, granted by {by}: left as it was")));
            }
            client.batch_execute(&format!("GRANT {} TO {}", quoted(role), quoted(account))).await.map_err(|e| told(&e))?;
            if grantors(client, role, account).await?.is_empty() {
                return Err(DeliveryError::Retry("the target accepted it but does not show it".to_owned()));
            }
            Ok(Delivered::Done)
        }
        DeliveryAction::Remove => {
            if let Some(by) = foreign {
                return Err(needs_person(format!("held through {by}, who is not Bandpass: take it away there")));
            }
            if before.is_empty() {
                return Ok(Delivered::DoneWithNote("was not held any more".to_owned()));
            }
            client.batch_execute(&format!("REVOKE {} FROM {}", quoted(role), quoted(account))).await.map_err(|e| told(&e))?;
            match grantors(client, role, account).await?.first() {
                None => Ok(Delivered::Done),
                Some(by) => Err(needs_person(format!("held through {by}"))),
            }
        }
    }
}

/// A statement that was refused for lack of rights needs a person; anything else may pass.
fn told(error: &tokio_postgres::Error) -> DeliveryError {
    match error.as_db_error() {
        Some(e) if e.code() == &tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE => {
            needs_person(format!("{}: give the connector's role ADMIN OPTION on it", e.message()))
        }
        _ => retry(error),
    }
}

impl Connector for Postgres {
    fn deliver<'a>(&'a self, intent: &'a Intent) -> Answer<'a, Result<Delivered, DeliveryError>> {
        Box::pin(async move {
            match tokio::time::timeout(DEADLINE, self.carry_out(intent)).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    // A connection that hangs is not waited for again.
                    if let Ok(mut kept) = self.client.try_lock() {
                        *kept = None;
                    }
                    Err(DeliveryError::Retry("the server did not answer within 10 seconds".to_owned()))
                }
            }
        })
    }
}
