//! What the databases themselves can do with the rows of one request, on the same disk, in the same tables, grown by the
//! same run. The rows are copies of the last request that the service granted: event, personal text, request, grant,
//! delivery, head. Only ids, numbers and the person differ.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use diesel::{Connection, ExpressionMethods, RunQueryDsl, connection::SimpleConnection, insert_into, sqlite::SqliteConnection};
use tokio_postgres::NoTls;

/// Transactions in a second, and the mean time of one in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Transactions in a second.
    pub rate: f64,
    /// Mean time of one, in milliseconds.
    pub mean: f64,
}

impl Limit {
    fn of(count: u64, clients: u64, took: Duration) -> Self {
        let seconds = took.as_secs_f64();
        Self { rate: count as f64 / seconds, mean: seconds * 1000.0 * clients as f64 / count.max(1) as f64 }
    }
}

diesel::table! {
    one_request (n) {
        n -> BigInt,
    }
}

/// A view whose INSERT writes the rows of one request: one statement, prepared once, so that SQLite's own speed is seen.
const ONE_REQUEST: &str = "
CREATE TEMP TABLE template AS SELECT e.seq, d.position FROM audit_log e JOIN deliveries d ON d.grant_id = e.grant_id
    WHERE e.seq = (SELECT max(seq) FROM audit_log WHERE kind = 'request.granted' AND grant_id IS NOT NULL);
CREATE TEMP VIEW one_request AS SELECT seq AS n FROM template;
CREATE TEMP TRIGGER one_request_write INSTEAD OF INSERT ON one_request BEGIN
    INSERT INTO audit_log SELECT h.seq + 1, h.at, t.kind, t.actor, 'limit-' || NEW.n, t.group_id, 'request-' || NEW.n, 'grant-' || NEW.n, t.outcome,
            t.rule, t.policy_revision, 'command-' || NEW.n, t.body
        FROM head h, audit_log t WHERE t.seq = (SELECT seq FROM template);
    INSERT INTO audit_private SELECT h.seq + 1, t.salt, t.text FROM head h, audit_private t WHERE t.seq = (SELECT seq FROM template);
    INSERT INTO requests SELECT h.seq + 1, 'request-' || NEW.n, 'limit-' || NEW.n, t.filed_by, t.group_id, t.incarnation, t.duration, t.justified,
            t.submitted_at, t.status, t.rule, t.policy_revision, t.stage, t.stage_since, t.deadline, t.decided_at, h.seq + 1
        FROM head h, requests t WHERE t.filed_seq = (SELECT seq FROM template);
    INSERT INTO grants SELECT h.seq + 1, 'grant-' || NEW.n, 'limit-' || NEW.n, t.group_id, t.incarnation, 'request-' || NEW.n, t.rule, t.duration,
            t.provenance, t.entitlements, t.starts_at, t.ends_at, 'active', NULL, NULL, NULL, NULL, NULL, NULL, NULL
        FROM head h, grants t WHERE t.granted_seq = (SELECT seq FROM template);
    INSERT INTO deliveries SELECT (SELECT max(position) + 1 FROM deliveries), 'delivery-' || NEW.n, 'limit-' || NEW.n, t.account, t.connector, t.entitlement,
            t.action, 'grant-' || NEW.n, 'request-' || NEW.n, 'queued', t.queued_at, h.seq + 1, NULL, NULL, NULL
        FROM head h, deliveries t WHERE t.position = (SELECT position FROM template);
    UPDATE head SET seq = seq + 1, root = randomblob(32), frontier = CAST(frontier AS BLOB) WHERE id = 1;
END;";

/// One commit a request on a copy of the service's own file. There is one writer in SQLite, so this is the limit for one
/// client as well as for many. Answers the limit and what SQLite says of its settings.
pub fn sqlite(file: &Path, span: Duration) -> (Limit, String) {
    let copy = file.with_extension("limit.db");
    for suffix in ["", "-wal"] {
        let (from, to) = (format!("{}{suffix}", file.display()), format!("{}{suffix}", copy.display()));
        if Path::new(&from).exists() {
            std::fs::copy(from, to).expect("a copy of the database");
        }
    }
    let mut db = SqliteConnection::establish(&copy.to_string_lossy()).expect("the copy opens");
    db.batch_execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA recursive_triggers = ON; PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 8000").expect("pragmas");
    db.batch_execute(ONE_REQUEST).expect("the rows of one request");
    let (mut n, mut from) = (0_i64, Instant::now());
    let warm = from + span / 5;
    let mut counted = 0;
    let mut warming = true;
    loop {
        // An INSERT of its own is a transaction of its own.
        insert_into(one_request::table).values(one_request::n.eq(n)).execute(&mut db).expect("a commit");
        n += 1;
        let now = Instant::now();
        if warming && now >= warm {
            (from, warming) = (now, false);
        } else if !warming {
            counted += 1;
            if now >= from + span {
                let pragmas = ["synchronous", "journal_mode"].map(|p| format!("{p} = {}", pragma(&mut db, p)));
                return (Limit::of(counted, 1, now - from), pragmas.join(", "));
            }
        }
    }
}

#[derive(diesel::QueryableByName)]
struct Pragma {
    #[diesel(sql_type = diesel::sql_types::Text)]
    value: String,
}

fn pragma(db: &mut SqliteConnection, name: &str) -> String {
    diesel::sql_query(format!("SELECT CAST({name} AS TEXT) AS value FROM pragma_{name}")).get_result::<Pragma>(db).map_or_else(|e| e.to_string(), |p| p.value)
}

/// How a PostgreSQL transaction of the limit is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The head is locked first and moved last, as whoever wants one order of all events must.
    Locked,
    /// No head at all: numbers are drawn outside, so connections never wait for each other.
    None,
}

/// Writes the rows of one request in one transaction: a round trip a statement.
const STATEMENTS: [&str; 5] = [
    "INSERT INTO audit_log SELECT $1, at, kind, actor, 'limit-' || $1, group_id, 'request-' || $1, 'grant-' || $1, outcome, rule, policy_revision, 'command-' || $1, body FROM limit_event",
    "INSERT INTO audit_private SELECT $1, salt, text FROM limit_private",
    "INSERT INTO requests SELECT $1, 'request-' || $1, 'limit-' || $1, filed_by, group_id, incarnation, duration, justified, submitted_at, status, rule, policy_revision, stage, stage_since, deadline, decided_at, $1 FROM limit_request",
    "INSERT INTO grants SELECT $1, 'grant-' || $1, 'limit-' || $1, group_id, incarnation, 'request-' || $1, rule, duration, provenance, entitlements, starts_at, ends_at, 'active', NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM limit_grant",
    "INSERT INTO deliveries SELECT $1, 'delivery-' || $1, 'limit-' || $1, account, connector, entitlement, action, 'grant-' || $1, 'request-' || $1, 'queued', queued_at, $1, NULL, NULL FROM limit_delivery",
];

const TEMPLATES: &str = "
DROP TABLE IF EXISTS limit_event, limit_private, limit_request, limit_grant, limit_delivery;
CREATE TABLE limit_event AS SELECT * FROM audit_log WHERE kind = 'request.granted' AND grant_id IS NOT NULL ORDER BY seq DESC LIMIT 1;
CREATE TABLE limit_private AS SELECT p.* FROM audit_private p JOIN limit_event e ON e.seq = p.seq;
CREATE TABLE limit_request AS SELECT r.* FROM requests r JOIN limit_event e ON e.seq = r.filed_seq;
CREATE TABLE limit_grant AS SELECT g.* FROM grants g JOIN limit_event e ON e.seq = g.granted_seq;
CREATE TABLE limit_delivery AS SELECT d.* FROM deliveries d JOIN limit_event e ON e.seq = d.queued_seq;
ANALYZE limit_event; ANALYZE limit_private; ANALYZE limit_request; ANALYZE limit_grant; ANALYZE limit_delivery;";

/// One transaction a request over `connections`, as the superuser in the service's own database.
pub async fn postgres(url: &str, connections: usize, order: Order, span: Duration) -> Limit {
    static NEXT: AtomicI64 = AtomicI64::new(4_000_000_000_000);
    let (client, driver) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    let driver = tokio::spawn(driver);
    client.batch_execute(TEMPLATES).await.expect("the rows of one request");
    let count = Arc::new(AtomicI64::new(0));
    let began = Instant::now();
    let (from, until) = (began + span / 5, began + span / 5 + span);
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (client, driver) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
        let count = Arc::clone(&count);
        tasks.push(tokio::spawn(async move {
            let driver = tokio::spawn(driver);
            let mut writes = Vec::new();
            for statement in STATEMENTS {
                let typed = statement.replacen("$1", "$1::bigint", 1).replace("|| $1", "|| $1::text");
                writes.push(client.prepare_typed(&typed, &[tokio_postgres::types::Type::INT8]).await.expect(statement));
            }
            let lock = client.prepare("SELECT * FROM ledger_lock(true)").await.expect("the lock");
            let moved = client.prepare("UPDATE head SET seq = seq + 1, root = root || ''::bytea WHERE id = 1").await.expect("the head");
            while Instant::now() < until {
                let n = NEXT.fetch_add(1, Ordering::Relaxed);
                client.batch_execute("BEGIN").await.expect("begin");
                if order == Order::Locked {
                    client.query(&lock, &[]).await.expect("the lock");
                }
                for write in &writes {
                    client.execute(write, &[&n]).await.expect("a row");
                }
                if order == Order::Locked {
                    client.execute(&moved, &[]).await.expect("the head");
                }
                client.batch_execute("COMMIT").await.expect("commit");
                let now = Instant::now();
                if now >= from && now < until {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
            drop(client);
            let _ = driver.await;
        }));
    }
    for task in tasks {
        task.await.expect("a connection's work");
    }
    drop(client);
    let _ = driver.await;
    Limit::of(u64::try_from(count.load(Ordering::Relaxed)).unwrap_or(0), connections as u64, span)
}
