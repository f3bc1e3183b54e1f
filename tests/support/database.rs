//! The database below a service under test, seen past the service: plain SQL, one text column a row.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use diesel::{Connection, QueryableByName, RunQueryDsl, sql_query, sql_types::Text, sqlite::SqliteConnection};

use super::postgres::{Postgres, fresh_name};

/// Where a service keeps its data.
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A database of its own on a server, with a role that owns it and one that the service uses.
    Postgres {
        /// The server.
        server: Arc<Postgres>,
        /// Database and owner.
        name: String,
    },
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

impl Database {
    /// A new file in `folder`.
    pub fn sqlite(folder: &Path) -> Self {
        Self::Sqlite(folder.join("bandpass.db"))
    }

    /// A new database on `server`, empty.
    pub fn postgres(server: Arc<Postgres>) -> Self {
        let name = fresh_name("bandpass");
        server.sql(&format!("CREATE ROLE {name} LOGIN PASSWORD 'pw-{name}'; CREATE ROLE {name}_service LOGIN PASSWORD 'pw-{name}'"));
        server.sql(&format!("CREATE DATABASE {name} OWNER {name}"));
        Self::Postgres { server, name }
    }

    /// `SQLite` or `PostgreSQL`.
    pub fn title(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres { .. } => "PostgreSQL",
        }
    }

    /// `database.url`.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres { server, name } => server.url_of(&format!("{name}_service"), &format!("pw-{name}"), name),
        }
    }

    /// `database.migrate_url`.
    pub fn migrate_url(&self) -> String {
        match self {
            Self::Sqlite(_) => String::new(),
            Self::Postgres { server, name } => server.url_of(name, &format!("pw-{name}"), name),
        }
    }

    /// The URL of PostgreSQL's superuser in this database.
    pub fn superuser_url(&self) -> Option<String> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres { server, name } => Some(server.url().rsplit_once('/').map_or_else(String::new, |(host, _)| format!("{host}/{name}"))),
        }
    }

    /// The text of each row that `sql` selects as `line`.
    pub fn lines(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Sqlite(path) => {
                let mut connection = SqliteConnection::establish(&path.to_string_lossy()).expect("the file opens");
                diesel::connection::SimpleConnection::batch_execute(&mut connection, "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON").expect("pragmas");
                let rows: Vec<Line> = sql_query(sql).load(&mut connection).unwrap_or_else(|e| panic!("{sql}: {e}"));
                rows.into_iter().map(|r| r.line).collect()
            }
            Self::Postgres { .. } => {
                let url = self.superuser_url().unwrap_or_default();
                let text = Postgres::sql_at(&url, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
                text.lines().map(str::to_owned).collect()
            }
        }
    }

    /// The one number that `sql` selects as `line`.
    pub fn count(&self, sql: &str) -> u64 {
        let lines = self.lines(sql);
        lines.first().and_then(|l| l.parse().ok()).unwrap_or_else(|| panic!("{sql}: {lines:?} is no number"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Postgres { server, name } = self {
            // A private server is gone soon; on a shared one nothing is left behind. It may be down, too.
            let _ = server.try_sql(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
            let _ = server.try_sql(&format!("DROP ROLE IF EXISTS {name}; DROP ROLE IF EXISTS {name}_service"));
        }
    }
}
