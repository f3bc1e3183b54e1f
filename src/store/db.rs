//! Connections to the two databases behind one enum, and the macro that expands one query for both.
//!
//! diesel's `MultiConnection` has neither upserts nor batch inserts, so a query is written once inside [`on!`] and
//! type-checked for each backend. PostgreSQL is spoken through diesel-async and tokio-postgres: no libpq, TLS by rustls.

use std::{cell::RefCell, fmt, future::Future, path::PathBuf, sync::Arc};

use diesel::{connection::SimpleConnection, prelude::*, sqlite::SqliteConnection};
use diesel_async::{
    AsyncPgConnection,
    async_connection_wrapper::{AsyncConnectionWrapper, BlockOn},
};

use super::read::StoreError;

/// The blocking face of an asynchronous PostgreSQL connection.
pub type Pg = AsyncConnectionWrapper<AsyncPgConnection, OwnRuntime>;

/// One connection to either database.
pub enum Db {
    /// A file.
    Sqlite(Box<SqliteConnection>),
    /// A server.
    Postgres(Box<Pg>),
}

/// Runs one query on whichever database it is; the body is type-checked for both.
macro_rules! on {
    ($db:expr, $c:ident => $body:expr) => {
        match $db {
            $crate::store::db::Db::Sqlite(conn) => {
                let $c = &mut **conn;
                $body
            }
            $crate::store::db::Db::Postgres(conn) => {
                let $c = &mut **conn;
                $body
            }
        }
    };
}
pub(crate) use on;

/// Where the data is.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// `sqlite:PATH`
    Sqlite(PathBuf),
    /// `postgres://…`; holds a password perhaps.
    Postgres(String),
}

impl fmt::Debug for Location {
    /// Never prints a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(_) => f.write_str("postgres://…"),
        }
    }
}

impl Location {
    /// Reads `database.url`.
    ///
    /// # Errors
    /// A sentence that says which forms exist.
    pub fn parse(url: &str) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            if path.is_empty() {
                return Err("`database.url` is `sqlite:` without a path; write `sqlite:var/bandpass.db`".to_owned());
            }
            return Ok(Self::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path))));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        Err("`database.url` must be `sqlite:PATH` or `postgres://USER@HOST/DATABASE`".to_owned())
    }

    /// The user name in a PostgreSQL URL: the role that `db migrate` grants its rights to.
    pub fn role(&self) -> Option<String> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(url) => url.parse::<tokio_postgres::Config>().ok()?.get_user().map(str::to_owned),
        }
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The ledger's, or migrations.
    Write,
    /// Pages, the API, jobs: cannot write.
    Read,
}

thread_local! {
    static CONNECTING: RefCell<Option<Arc<tokio::runtime::Runtime>>> = const { RefCell::new(None) };
}

/// A small runtime of its own for each PostgreSQL connection: its socket is driven by the thread that waits for it, so a
/// round trip costs no thread switch. Must not be used on an async thread.
pub struct OwnRuntime(Option<Arc<tokio::runtime::Runtime>>);

impl BlockOn for OwnRuntime {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        match &self.0 {
            Some(runtime) => runtime.block_on(future),
            // Unreachable by construction: `connect` sets the runtime before it wraps a connection.
            None => tokio::runtime::Handle::current().block_on(future),
        }
    }

    fn get_runtime() -> Self {
        Self(CONNECTING.with(|slot| slot.borrow_mut().take()))
    }
}

/// Opens a connection. Blocks; never call it on an async thread.
///
/// # Errors
/// When the file cannot be opened or the server does not answer within five seconds.
pub fn connect(location: &Location, purpose: Purpose) -> Result<Db, StoreError> {
    match location {
        Location::Sqlite(path) => connect_sqlite(path, purpose),
        Location::Postgres(url) => connect_postgres(url, purpose),
    }
}

fn connect_sqlite(path: &std::path::Path, purpose: Purpose) -> Result<Db, StoreError> {
    let shown = path.display();
    let mut connection =
        SqliteConnection::establish(&path.to_string_lossy()).map_err(|e| StoreError(format!("cannot open `{shown}`: {e}")))?;
    // recursive_triggers: without it the delete triggers do not fire for REPLACE.
    let common = "PRAGMA busy_timeout = 5000; PRAGMA recursive_triggers = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;";
    // Caches in KiB, each connection its own: the system caches the file anyway, and with 64 MiB a batch cost the same as with 16.
    // `store::wal` copies the log into the file long before it has 50,000 pages.
    let special = match purpose {
        Purpose::Write => {
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 50000;"
        }
        Purpose::Read => "PRAGMA query_only = ON; PRAGMA cache_size = -4096;",
    };
    connection.batch_execute(&format!("{common}{special}")).map_err(|e| StoreError(format!("cannot prepare `{shown}`: {e}")))?;
    Ok(Db::Sqlite(Box::new(connection)))
}

fn connect_postgres(url: &str, purpose: Purpose) -> Result<Db, StoreError> {
    let failed = |e: &dyn fmt::Display| StoreError(format!("cannot connect to PostgreSQL: {e}"));
    let mut config: tokio_postgres::Config = url.parse().map_err(|e| failed(&e))?;
    config.connect_timeout(std::time::Duration::from_secs(5));
    config.application_name(match purpose {
        Purpose::Write => "bandpass ledger",
        Purpose::Read => "bandpass reader",
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| failed(&e))?;
    let connection = runtime.block_on(async {
        let tls = config.get_ssl_mode() == tokio_postgres::config::SslMode::Require;
        if tls {
            let connector = crate::tls::connector().map_err(|e| failed(&e))?;
            let (client, connection) = config.connect(connector).await.map_err(|e| failed(&Chain(&e)))?;
            AsyncPgConnection::try_from_client_and_connection(client, connection).await.map_err(|e| failed(&e))
        } else {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await.map_err(|e| failed(&Chain(&e)))?;
            AsyncPgConnection::try_from_client_and_connection(client, connection).await.map_err(|e| failed(&e))
        }
    })?;
    CONNECTING.with(|slot| *slot.borrow_mut() = Some(Arc::new(runtime)));
    let mut connection = Pg::from(connection);
    let limits = "SET statement_timeout = '30s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s'; SET timezone = 'UTC';";
    let mode = match purpose {
        // The ledger asks by key alone. A plan that it keeps from when a table was small must not read the whole table later.
        Purpose::Write => "SET synchronous_commit = on; SET enable_seqscan = off;",
        Purpose::Read => "SET default_transaction_read_only = on;",
    };
    connection.batch_execute(&format!("{limits}{mode}")).map_err(|e| failed(&e))?;
    Ok(Db::Postgres(Box::new(connection)))
}

/// An error with its causes, on one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl Db {
    /// Executes statements that answer nothing.
    ///
    /// # Errors
    /// Whatever the database says.
    pub fn execute(&mut self, sql: &str) -> Result<(), diesel::result::Error> {
        on!(self, c => c.batch_execute(sql))
    }

    /// Whether it is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}
