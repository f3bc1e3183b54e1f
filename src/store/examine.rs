//! What a database says of itself and of the role that asks: for people who set a service up. Changes nothing.

use diesel::{prelude::*, sql_types::{BigInt, Bool, Nullable, Text}};

use super::{
    db::{Db, Location, Purpose, connect},
    migrate,
    read::StoreError,
};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Examined {
    /// Its kind and version, like `PostgreSQL 15.14`.
    pub version: String,
    /// Whether it is there: a SQLite file is made by the first start.
    pub exists: bool,
    /// Migrations that have not run.
    pub pending: Vec<String>,
    /// On PostgreSQL: its clock, in microseconds since the epoch.
    pub clock: Option<i64>,
    /// On PostgreSQL: the role.
    pub role: String,
    /// What the role has beyond what a service needs: attributes, and tables it owns.
    pub powers: Vec<String>,
    /// What the role lacks.
    pub lacks: Vec<String>,
    /// Settings of the server with which an acknowledged commit may be lost, like `fsync = off`.
    pub unsafe_settings: Vec<String>,
    /// Microseconds of the newest event of the log; none when there is no log yet.
    pub head_at: Option<i64>,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

#[derive(QueryableByName)]
struct About {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = BigInt)]
    clock: i64,
    #[diesel(sql_type = Bool)]
    has_tables: bool,
}

#[derive(QueryableByName)]
struct Newest {
    #[diesel(sql_type = Nullable<BigInt>)]
    at: Option<i64>,
}

/// Rights and attributes of the role that asks: too much.
const POWERS: &str = "
    SELECT 'is a superuser' AS line FROM pg_roles WHERE rolname = current_user AND rolsuper
    UNION ALL SELECT 'may create roles' FROM pg_roles WHERE rolname = current_user AND rolcreaterole AND NOT rolsuper
    UNION ALL SELECT 'may replicate' FROM pg_roles WHERE rolname = current_user AND rolreplication AND NOT rolsuper
    UNION ALL SELECT 'owns the ' || CASE relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'table' END || ' ' || relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'S', 'p') AND pg_has_role(current_user, relowner, 'MEMBER')
        AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
    ORDER BY 1";

/// The same: too little.
const LACKS: &str = "
    SELECT 'EXECUTE on the function ' || proname AS line FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        AND proname IN ('ledger_lock', 'ledger_append', 'ledger_project') AND NOT has_function_privilege(oid, 'EXECUTE')
    UNION ALL SELECT 'SELECT on the table ' || relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
        AND relname NOT LIKE '\\_\\_diesel%' AND NOT has_table_privilege(oid, 'SELECT')
    ORDER BY 1";

const UNSAFE: &str = "
    SELECT name || ' = ' || setting AS line FROM pg_settings
    WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY 1";

/// Asks. Blocks.
///
/// # Errors
/// When the database does not answer.
pub fn examine(location: &Location) -> Result<Examined, StoreError> {
    let failed = |e: diesel::result::Error| StoreError(format!("the database cannot be examined: {e}"));
    if let Location::Sqlite(path) = location
        && !path.exists()
    {
        return Ok(Examined { version: "SQLite".to_owned(), ..Examined::default() });
    }
    let mut db = connect(location, Purpose::Read)?;
    let mut found = Examined { exists: true, ..Examined::default() };
    match &mut db {
        Db::Sqlite(c) => {
            let version: Line = diesel::sql_query("SELECT 'SQLite ' || sqlite_version() AS line").get_result(&mut **c).map_err(failed)?;
            found.version = version.line;
            let tables: Vec<Line> = diesel::sql_query("SELECT name AS line FROM sqlite_master WHERE name = 'head'").load(&mut **c).map_err(failed)?;
            found.exists = !tables.is_empty();
            if found.exists {
                found.pending = migrate::pending(location)?;
            }
        }
        Db::Postgres(c) => {
            let about: About = diesel::sql_query(
                "SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1) AS version, current_user::text AS role,
                        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS clock, to_regclass('public.head') IS NOT NULL AS has_tables",
            )
            .get_result(&mut **c)
            .map_err(failed)?;
            let mut lines = |sql: &str| diesel::sql_query(sql.to_owned()).load::<Line>(&mut **c).map(|lines| lines.into_iter().map(|l| l.line).collect::<Vec<_>>()).map_err(failed);
            found.powers = lines(POWERS)?;
            found.unsafe_settings = lines(UNSAFE)?;
            if about.has_tables {
                found.lacks = lines(LACKS)?;
            }
            found.pending = migrate::pending(location)?;
            (found.version, found.role, found.clock, found.exists) = (about.version, about.role, Some(about.clock), about.has_tables);
        }
    }
    if found.exists && found.lacks.is_empty() {
        let newest: Vec<Newest> = super::db::on!(&mut db, c => diesel::sql_query("SELECT max(at) AS at FROM (SELECT at FROM audit_log ORDER BY seq DESC LIMIT 1) AS newest").load(c)).map_err(failed)?;
        found.head_at = newest.first().and_then(|n| n.at);
    }
    Ok(found)
}
