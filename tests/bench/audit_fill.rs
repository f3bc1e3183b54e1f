//! A log of any length, made inside the database: every column as the ledger would write it, spread like two years of a company,
//! with bodies and personal texts shorter than real ones (some 450 bytes together). The tree head does not fit them; nothing
//! that reads the log asks it to.

use std::{fmt::Write as _, path::Path, time::Instant};

use bandpass::domain::event::Change;
use diesel::{Connection, connection::SimpleConnection, sqlite::SqliteConnection};

use crate::support::{database::Database, postgres::Postgres};

/// People who are spoken of, `p00000` and so on; the first of them most often.
pub const PEOPLE: usize = 10_000;
/// Groups, `instant-0000` and so on; the first of them most often.
pub const GROUPS: usize = 1_000;
/// Two years, in microseconds.
pub const SPAN: i64 = 63_072_000_000_000;

/// A kind of event, how many of ten thousand are of it, whether it names a person and a group, and who acts.
const KINDS: &[(&str, u32, bool, bool, &str)] = &[
    ("delivery.done", 4560, true, false, "'system:deliver'"),
    ("request.granted", 3900, true, true, SELF),
    ("request.denied", 400, true, true, SELF),
    ("grant.expired", 400, true, true, "'system:expire'"),
    ("request.submitted", 250, true, true, SELF),
    ("approval.given", 200, true, true, OWNER),
    ("grant.revoked", 60, true, true, OWNER),
    ("grant.extended", 60, true, true, SELF),
    ("request.withdrawn", 40, true, true, SELF),
    ("token.created", 40, true, false, SELF),
    ("person.changed", 30, true, false, "'system:directory'"),
    ("request.expired", 20, true, true, "'system:expire'"),
    ("delivery.failing", 20, true, false, "'system:deliver'"),
    ("token.revoked", 10, true, false, SELF),
    ("refused", 5, false, false, SELF),
    ("policy.loaded", 3, false, false, "'system:policy'"),
    ("policy.load_failed", 1, false, false, "'system:policy'"),
    ("block.lifted", 1, true, true, OWNER),
    // Beyond the ten thousand: one event in three millions.
    ("freeze.set", 1, false, false, "'person:p00000'"),
];
const SELF: &str = "'person:' || p.id";
const OWNER: &str = "'person:p0000' || (2 + v.c % 4)";

/// How long the parts took, and what there is now.
pub struct Filled {
    /// Events.
    pub events: i64,
    /// Seconds for rows.
    pub rows: f64,
    /// Seconds for indexes.
    pub indexes: f64,
    /// Time of the last event, in microseconds.
    pub last: i64,
}

/// The owner of the database: past triggers and rights.
enum Owner {
    Sqlite(Box<SqliteConnection>),
    Postgres(String),
}

impl Owner {
    fn of(database: &Database) -> Self {
        match database {
            Database::Sqlite(path) => {
                let mut connection = SqliteConnection::establish(&path.to_string_lossy()).expect("the file opens");
                connection.batch_execute("PRAGMA journal_mode = DELETE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144").expect("pragmas");
                Self::Sqlite(Box::new(connection))
            }
            Database::Postgres { .. } => Self::Postgres(database.superuser_url().expect("a superuser")),
        }
    }

    fn run(&mut self, sql: &str) {
        let shown = sql.chars().take(300).collect::<String>();
        match self {
            Self::Sqlite(connection) => connection.batch_execute(sql).unwrap_or_else(|e| panic!("{shown}: {e}")),
            Self::Postgres(url) => drop(Postgres::sql_at(url, &format!("SET synchronous_commit = off; SET maintenance_work_mem = '1GB'; {sql}")).unwrap_or_else(|e| panic!("{shown}: {e}"))),
        }
    }
}

/// Statements that make what `sql` selects as `line` again.
fn definitions(database: &Database, of: &str) -> Vec<String> {
    match database {
        Database::Sqlite(_) => database.lines(&format!("SELECT replace(sql, char(10), ' ') AS line FROM sqlite_master WHERE type = '{of}' AND sql IS NOT NULL AND tbl_name IN ('audit_log', 'audit_private')")),
        Database::Postgres { .. } if of == "index" => database.lines("SELECT indexdef FROM pg_indexes WHERE tablename = 'audit_log' AND indexname <> 'audit_log_pkey'"),
        Database::Postgres { .. } => Vec::new(),
    }
}

fn drop_all(of: &str, definitions: &[String]) -> String {
    let name = |sql: &String| sql.split_whitespace().skip_while(|w| !w.eq_ignore_ascii_case(of)).nth(1).unwrap_or_default().to_owned();
    definitions.iter().map(|sql| format!("DROP {of} {};", name(sql))).collect()
}

/// Tables that the rows are made from: a kind for each of ten thousand slots, people, groups.
fn tables(database: &Database) -> String {
    let numbers = |below: usize| match database {
        Database::Sqlite(_) => format!("(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {}) SELECT n FROM s) s", below - 1),
        Database::Postgres { .. } => format!("generate_series(0, {}) AS s(n)", below - 1),
    };
    let mut sql = String::from("CREATE TABLE bench_kinds (k INTEGER, kind TEXT, low INTEGER, high INTEGER, outcome TEXT, about INTEGER, grp INTEGER);");
    let mut low = 0;
    for (k, (kind, weight, about, group, _)) in KINDS.iter().enumerate() {
        let outcome = Change::outcome_of(kind).as_str();
        let _ = write!(sql, "INSERT INTO bench_kinds VALUES ({k}, '{kind}', {low}, {}, '{outcome}', {}, {});", low + weight, i32::from(*about), i32::from(*group));
        low += weight;
    }
    let (slots, people, groups) = (numbers(10_001), numbers(PEOPLE), numbers(GROUPS));
    let _ = write!(
        sql,
        "CREATE TABLE bench_slots (slot INTEGER PRIMARY KEY, k INTEGER, kind TEXT, outcome TEXT, about INTEGER, grp INTEGER);
         INSERT INTO bench_slots SELECT s.n, k.k, k.kind, k.outcome, k.about, k.grp FROM {slots} JOIN bench_kinds k ON s.n >= k.low AND s.n < k.high;
         CREATE TABLE bench_people (n INTEGER PRIMARY KEY, id TEXT);
         INSERT INTO bench_people SELECT s.n, 'p' || substr(CAST(100000 + s.n AS TEXT), 2) FROM {people};
         CREATE TABLE bench_groups (n INTEGER PRIMARY KEY, id TEXT);
         INSERT INTO bench_groups SELECT s.n, 'instant-' || substr(CAST(10000 + s.n AS TEXT), 2) FROM {groups};"
    );
    sql
}

/// Events `from..to` beyond the first `base`.
fn rows(database: &Database, base: i64, from: i64, to: i64, first_at: i64, step: i64) -> String {
    let numbers = match database {
        Database::Sqlite(_) => format!("(WITH RECURSIVE s(n) AS (SELECT CAST({from} AS INTEGER) UNION ALL SELECT n + 1 FROM s WHERE n < {to} - 1) SELECT n FROM s)"),
        Database::Postgres { .. } => format!("(SELECT n FROM generate_series({from}::bigint, {to} - 1) AS s(n))"),
    };
    let mut actors = String::from("CASE k.k");
    for (k, (.., actor)) in KINDS.iter().enumerate() {
        let _ = write!(actors, " WHEN {k} THEN {actor}");
    }
    actors.push_str(" END");
    let id = |kind: &str, number: &str| format!("'{kind}-0000-7000-8000-' || substr(CAST(1000000000000 + {number} AS TEXT), 2)");
    let request = format!("CASE WHEN k.about = 1 THEN {} END", id("01900000", "v.n / 2"));
    let grant = format!("CASE WHEN k.kind LIKE 'grant.%' OR k.kind = 'request.granted' THEN {} END", id("01900001", "v.n / 2"));
    let command = id("01900002", "v.n");
    // Two rounds of a multiplicative generator for each of three numbers; squares make the first people and groups busy.
    let made = format!(
        "FROM (SELECT n, n * 48271 % 2147483647 * 69621 % 2147483647 AS a, n * 16807 % 2147483647 * 40692 % 2147483647 AS b, n * 39373 % 2147483647 * 48271 % 2147483647 AS c FROM {numbers} w) v
         JOIN bench_slots k ON k.slot = CASE WHEN v.n % 3000001 = 77 THEN 10000 ELSE v.a % 10000 END
         JOIN bench_people p ON p.n = (v.b % {PEOPLE}) * (v.b % {PEOPLE}) / {PEOPLE}
         JOIN bench_groups g ON g.n = (v.c % {GROUPS}) * (v.c % {GROUPS}) / {GROUPS}"
    );
    format!(
        "INSERT INTO audit_log (seq, at, kind, actor, person, group_id, request, grant_id, outcome, rule, policy_revision, command, body)
         SELECT {base} + v.n, {first_at} + v.n * {step}, k.kind, {actors}, CASE WHEN k.about = 1 THEN p.id END, CASE WHEN k.grp = 1 THEN g.id END, {request}, {grant},
            k.outcome, CASE WHEN k.grp = 1 THEN 'everyone, for a month' END, NULL, {command},
            '{{\"v\":1,\"engine\":\"bandpass bench\",\"epoch\":1,\"seq\":' || ({base} + v.n) || ',\"change\":{{\"kind\":\"' || k.kind || '\",\"data\":{{\"person\":\"' || p.id || '\",\"group\":\"' || g.id
            || '\",\"entitlements\":[{{\"connector\":\"warehouse\",\"name\":\"role_' || g.n || '\"}}]}}}},\"personal\":\"0000000000000000000000000000000000000000000000000000000000000000\"}}'
         {made} ORDER BY v.n;
         INSERT INTO audit_private (seq, salt, text)
         SELECT {base} + v.n, {salt}, '{{\"reason\":\"Granted by the rule everyone, for a month, to ' || p.id || '\",\"justification\":\"case ' || (v.a % 100000) || ' of the quarter, for ' || g.id || '\"}}'
         {made} ORDER BY v.n;",
        salt = match database {
            Database::Sqlite(_) => "randomblob(32)",
            Database::Postgres { .. } => "decode(repeat('5a', 32), 'hex')",
        }
    )
}

/// Makes the log `events` long, ending now.
pub fn fill(database: &Database, events: i64) -> Filled {
    let number = |sql: &str| i64::try_from(database.count(sql)).expect("a number");
    let (base, last_at) = (number("SELECT CAST(seq AS TEXT) AS line FROM head"), number("SELECT CAST(at AS TEXT) AS line FROM head"));
    let more = (events - base).max(0);
    let step = SPAN / more.max(1);
    let (indexes, triggers) = (definitions(database, "index"), definitions(database, "trigger"));
    assert!(indexes.len() >= 5, "the indexes of the log: {indexes:?}");
    let mut owner = Owner::of(database);
    let began = Instant::now();
    owner.run(&format!("{}{}{}", drop_all("INDEX", &indexes), drop_all("TRIGGER", &triggers), tables(database)));
    // What the import wrote is moved two years back, so that the log ends now.
    let back = format!("UPDATE audit_log SET at = at - {SPAN};");
    owner.run(&match database {
        Database::Sqlite(_) => back,
        Database::Postgres { .. } => format!("ALTER TABLE audit_log DISABLE TRIGGER audit_log_immutable; {back} ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_immutable;"),
    });
    let first_at = last_at - step * more;
    let mut from = 0;
    while from < more {
        let to = (from + 500_000).min(more);
        owner.run(&rows(database, base, from + 1, to + 1, first_at, step));
        from = to;
    }
    let rows = began.elapsed().as_secs_f64();
    let began = Instant::now();
    for definition in indexes.iter().chain(&triggers) {
        owner.run(&format!("{definition};"));
    }
    let total = base + more;
    let width = 32 * total.count_ones();
    let frontier = match database {
        Database::Sqlite(_) => format!("zeroblob({width})"),
        Database::Postgres { .. } => format!("decode(repeat('00', {width}), 'hex')"),
    };
    owner.run(&format!("UPDATE head SET seq = {total}, frontier = {frontier}; DROP TABLE bench_kinds; DROP TABLE bench_slots; DROP TABLE bench_people; DROP TABLE bench_groups;"));
    if matches!(database, Database::Postgres { .. }) {
        // What autovacuum does by itself in a log that grows slowly.
        owner.run("VACUUM (ANALYZE) audit_log; VACUUM (ANALYZE) audit_private; CHECKPOINT;");
    }
    let counted = number("SELECT CAST(count(*) AS TEXT) AS line FROM audit_log");
    assert_eq!(counted, total, "every event was made");
    Filled { events: total, rows, indexes: began.elapsed().as_secs_f64(), last: last_at }
}

/// Bytes that the database has on disk.
pub fn bytes(database: &Database) -> u64 {
    match database {
        Database::Sqlite(path) => std::fs::metadata::<&Path>(path).map_or(0, |m| m.len()),
        Database::Postgres { .. } => database.count("SELECT pg_database_size(current_database()) AS line"),
    }
}
