//! Connections: how they are made, their deadlines, and what their errors mean.

use std::{net::IpAddr, path::Path, time::Duration};

use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{
    Client, Config, NoTls,
    config::{Host, SslMode},
    error::SqlState,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    connector::{Secret, tls},
    domain::delivery::DeliveryError,
};

/// Longest that connecting may take, TLS and sign-in included.
const CONNECT: Duration = Duration::from_secs(3);

/// Longest that one statement may take; the server is told the same.
const STATEMENT: Duration = Duration::from_secs(5);

/// What every connection starts with. The server ends what we no longer wait for, and no schema can shadow the catalogue.
const GREETING: &str = "SET statement_timeout = '5s'; SET lock_timeout = '3s'; \
     SET idle_in_transaction_session_timeout = '20s'; SET search_path = pg_catalog";

/// Where the server is and how it is reached.
pub(super) struct Door {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl Door {
    /// Reads the URL. Without `sslmode`, a server that is not on this machine is reached by TLS only.
    ///
    /// # Errors
    /// A sentence without the URL, which may hold a password.
    pub(super) fn new(url: Option<&Secret>, ca_file: Option<&Path>) -> Result<Self, String> {
        let wanted = "`postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require`";
        let Some(url) = url.filter(|u| !u.expose().is_empty()) else {
            return Err(format!("`url` is missing: write {wanted}, best in the environment"));
        };
        let mut config: Config = url.expose().parse().map_err(|_| format!("`url` is not understood: write {wanted}"))?;
        if config.get_user().is_none() || config.get_hosts().is_empty() {
            return Err(format!("`url` names no user or no host: write {wanted}"));
        }
        config.connect_timeout(CONNECT).application_name("bandpass connector").keepalives_idle(Duration::from_secs(30));
        let local = config.get_hosts().iter().all(is_local);
        let plain = match config.get_ssl_mode() {
            SslMode::Disable => true,
            SslMode::Prefer => local,
            _ => false,
        };
        if plain {
            config.ssl_mode(SslMode::Disable);
            return Ok(Self { config, tls: None });
        }
        config.ssl_mode(SslMode::Require);
        Ok(Self { config, tls: Some(MakeRustlsConnect::new(tls::client(ca_file)?)) })
    }

    /// Connects and greets.
    ///
    /// # Errors
    /// [`DeliveryError`], a refused sign-in being for a person to mend.
    pub(super) async fn open(&self) -> Result<Session, DeliveryError> {
        let connecting = async {
            match &self.tls {
                Some(tls) => self.config.connect(tls.clone()).await.map(|(client, driver)| (client, tokio::spawn(async move { drop(driver.await) }))),
                None => self.config.connect(NoTls).await.map(|(client, driver)| (client, tokio::spawn(async move { drop(driver.await) }))),
            }
        };
        let (client, driver) = match timeout(CONNECT, connecting).await {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => return Err(explained(&error, "the server could not be reached")),
            Err(_) => return Err(DeliveryError::Retry(format!("the server did not let us in within {} seconds", CONNECT.as_secs()))),
        };
        let session = Session { client, driver };
        within(session.client.batch_execute(GREETING)).await?;
        Ok(session)
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
    }
}

/// An open connection with the task that drives it; both end together.
pub(super) struct Session {
    /// For statements.
    pub(super) client: Client,
    driver: JoinHandle<()>,
}

impl Session {
    /// Whether the connection was still there when last heard of.
    pub(super) fn is_open(&self) -> bool {
        !self.client.is_closed()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Waits for one statement, at most as long as the server was told and a little.
///
/// # Errors
/// [`DeliveryError`] with words that hold no secret.
pub(super) async fn within<T>(statement: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, DeliveryError> {
    match timeout(STATEMENT + Duration::from_secs(1), statement).await {
        Ok(outcome) => outcome.map_err(|e| explained(&e, "the connection to the server broke")),
        Err(_) => Err(DeliveryError::Retry(format!("the server did not answer within {} seconds", STATEMENT.as_secs()))),
    }
}

/// What an error means to us. The server's own words are passed on: they name roles, never passwords.
fn explained(error: &tokio_postgres::Error, otherwise: &str) -> DeliveryError {
    let Some(told) = error.as_db_error() else {
        let cause = std::error::Error::source(error).map(|s| format!(": {s}")).unwrap_or_default();
        return DeliveryError::Retry(format!("{otherwise}{cause}"));
    };
    let words = format!("the server says: {}", told.message());
    let for_a_person = [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION, SqlState::INVALID_CATALOG_NAME];
    if *told.code() == SqlState::INSUFFICIENT_PRIVILEGE {
        DeliveryError::NeedsPerson(format!("{words}; the connector's role needs ADMIN OPTION on the role"))
    } else if for_a_person.contains(told.code()) {
        DeliveryError::NeedsPerson(words)
    } else {
        DeliveryError::Retry(words)
    }
}
