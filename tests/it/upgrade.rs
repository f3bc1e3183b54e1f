//! A database of an earlier version is brought up to date without losing a row.

use bandpass::store::{db::Location, migrate};
use diesel::{Connection, connection::SimpleConnection, sqlite::SqliteConnection};

use crate::support::{
    database::Database,
    postgres::{self, Postgres},
    service::Folder,
};

/// What diesel keeps of migrations that ran.
const RAN: &str = "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);";
/// Deliveries as they were: one of each state.
const ROWS: &str = "INSERT INTO deliveries VALUES (1024, 'a', 'ann', 'ann_t', 'target', 'reader', 'add', 'g', NULL, 'done', 1, 1, 2, NULL),
(2048, 'b', 'ann', NULL, 'target', 'reader', 'remove', 'g', 'r', 'failing', 3, 2, NULL, 'no account'), (3072, 'c', 'bob', 'b', 'target', 'reader', 'add', NULL, NULL, 'queued', 4, 3, NULL, NULL);
INSERT INTO grants VALUES (1, 'g', 'ann', 'instant', 1, NULL, 'ops', 3600, 'adopted', '[]', 1, 2, 'active', NULL, NULL);
INSERT INTO group_lives VALUES ('instant', 1, TRUE);";
const READ: &str = "SELECT position || id || person || COALESCE(account, '-') || action || COALESCE(grant_id, '-') || COALESCE(request, '-') || state || queued_at || COALESCE(done_at, 0) || COALESCE(note, '-') AS line FROM deliveries ORDER BY position";

fn upgraded(database: &Database, before: &[String]) {
    let location = Location::parse(&if database.superuser_url().is_some() { database.migrate_url() } else { database.url() }).unwrap();
    let ran = migrate::migrate(&location, Location::parse(&database.url()).unwrap().role().as_deref()).unwrap();
    assert!(ran.iter().any(|v| v.contains("0004")), "{ran:?}");
    assert_eq!(before.len(), 3);
    assert_eq!(database.lines(READ), before);
    assert_eq!(database.lines("SELECT id || ends_at || status || COALESCE(standing, '-') || COALESCE(full_end, 0) AS line FROM grants"), ["g2active-0"]);
    assert_eq!(database.lines("SELECT group_id || incarnation || COALESCE(on_change, '-') || COALESCE(grace, 0) AS line FROM group_lives"), ["instant1-0"]);
    assert_eq!(migrate::pending(&location).unwrap(), Vec::<String>::new());
}

#[test]
fn deliveries_of_an_earlier_version_are_kept() {
    let folder = Folder::new("bandpass_upgrade");
    let database = Database::sqlite(folder.path());
    let path = folder.path().join("bandpass.db");
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let first = include_str!("../../migrations/sqlite/0001_ledger/up.sql");
    connection.batch_execute(&format!("{first}{RAN}INSERT INTO __diesel_schema_migrations (version) VALUES ('0001');{ROWS}")).unwrap();
    drop(connection);
    upgraded(&database, &database.lines(READ));
    if let Some(why) = postgres::missing() {
        println!("PostgreSQL left out: {why}");
        return;
    }
    let database = Database::postgres(Postgres::shared());
    let (first, second) = (include_str!("../../migrations/postgres/0001_ledger/up.sql"), include_str!("../../migrations/postgres/0002_project_a_batch/up.sql"));
    let sql = format!("{first}{second}{RAN}INSERT INTO __diesel_schema_migrations (version) VALUES ('0001'), ('0002');{ROWS}");
    Postgres::sql_at(&database.migrate_url(), &sql).unwrap();
    upgraded(&database, &database.lines(READ));
}
