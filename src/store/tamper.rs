//! The start-up self-test: try to change the past inside a transaction that is rolled back, and refuse to run if it works.

use diesel::{prelude::*, sql_types::Bool};

use super::{
    db::{Db, Location, Purpose, connect},
    read::StoreError,
};

/// Ways to change the past, each of which the database must refuse. They aim at the newest rows: SQLite gathers every row that a
/// statement means before the first trigger fires, and a start must not read the whole log.
const ATTEMPTS_ON_BOTH: &[&str] = &[
    "UPDATE audit_log SET actor = 'nobody' WHERE seq > (SELECT max(seq) - 2 FROM audit_log)",
    "UPDATE audit_log SET at = at - 1 WHERE seq > (SELECT max(seq) - 2 FROM audit_log)",
    "DELETE FROM audit_log WHERE seq > (SELECT max(seq) - 2 FROM audit_log)",
    "DELETE FROM audit_private WHERE seq > (SELECT max(seq) - 2 FROM audit_private)",
    "UPDATE audit_private SET text = 'another' WHERE seq > (SELECT max(seq) - 2 FROM audit_private)",
    "INSERT INTO audit_log (seq, at, kind, actor, outcome, command, body) VALUES (999999999999, 9999999999999999, 'x', 'x', 'x', 'x', 'x')",
];
const ATTEMPTS_ON_SQLITE: &[&str] = &[
    "INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log ORDER BY seq DESC LIMIT 1",
    "REPLACE INTO audit_private SELECT * FROM audit_private ORDER BY seq DESC LIMIT 1",
    "INSERT INTO audit_log SELECT seq + 1, at - 1, kind, actor, person, group_id, request, grant_id, outcome, rule, policy_revision, command, body FROM audit_log ORDER BY seq DESC LIMIT 1",
    "UPDATE OR REPLACE audit_log SET seq = seq + 1 WHERE seq > (SELECT max(seq) - 2 FROM audit_log)",
    // The oldest row as well.
    "DELETE FROM audit_log WHERE seq = (SELECT min(seq) FROM audit_log)",
];
const ATTEMPTS_ON_POSTGRES: &[&str] = &[
    "TRUNCATE audit_log",
    "TRUNCATE audit_private",
    "INSERT INTO audit_log (seq, at, kind, actor, outcome, command, body) SELECT seq + 1, at, 'x', 'x', 'x', 'x', 'x' FROM head",
    "UPDATE head SET seq = 0",
    "ALTER TABLE audit_log DISABLE TRIGGER ALL",
    "DROP TRIGGER audit_log_immutable ON audit_log",
    "SET session_replication_role = replica",
    "DROP TABLE audit_private",
];

/// Tries; answers the statements that worked. Empty is good.
///
/// # Errors
/// When the database cannot be asked at all.
pub fn statements_that_tamper(location: &Location) -> Result<Vec<String>, StoreError> {
    let mut db = connect(location, Purpose::Write)?;
    let failed = |e: diesel::result::Error| StoreError(format!("the self-test of the audit log could not run: {e}"));
    let mut worked = Vec::new();
    if let Db::Postgres(c) = &mut db {
        let powerful: bool = diesel::select(diesel::dsl::sql::<Bool>(
            "(SELECT rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = current_user)
             OR EXISTS (SELECT 1 FROM pg_class WHERE relname IN ('audit_log', 'audit_private', 'head') AND pg_has_role(current_user, relowner, 'MEMBER'))",
        ))
        .get_result(&mut **c)
        .map_err(failed)?;
        if powerful {
            worked.push("the service's role is a superuser, or owns the audit tables".to_owned());
        }
    }
    let special = if db.is_postgres() { ATTEMPTS_ON_POSTGRES } else { ATTEMPTS_ON_SQLITE };
    for attempt in ATTEMPTS_ON_BOTH.iter().chain(special) {
        db.execute(if db.is_postgres() { "BEGIN" } else { "BEGIN IMMEDIATE" }).map_err(failed)?;
        if !db.is_postgres() {
            // Row triggers fire only where there is a row: on an empty log make one first. It is rolled back as well.
            let row = "INSERT INTO audit_log (seq, at, kind, actor, outcome, command, body)
                 SELECT seq + 1, at, 'self-test', 'system:self-test', 'done', '', '{}' FROM head;
                 INSERT INTO audit_private (seq, salt, text) SELECT seq + 1, x'00', '{}' FROM head;";
            if let Err(error) = db.execute(row) {
                let _ = db.execute("ROLLBACK");
                return Err(failed(error));
            }
        }
        if db.execute(attempt).is_ok() {
            worked.push((*attempt).to_owned());
        }
        db.execute("ROLLBACK").map_err(failed)?;
    }
    Ok(worked)
}
