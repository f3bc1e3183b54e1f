//! Whoever may write the database cannot change the past unseen: the database refuses, and verification finds.

use bandpass::store::tamper::statements_that_tamper;

use crate::house::{House, on_both};
use crate::support::{database::Database, postgres::Postgres};

/// Fills a log with one of most things.
async fn fill(house: &House) {
    house.ask_for("ann", "instant", "8h").await.unwrap();
    house.ask_for("bob", "secret", "8h").await.unwrap();
    let (request, _) = house.ask_for("ann", "twice", "1d").await.unwrap();
    house.approve("olga", &request).await.unwrap();
    house.approve("max", &request).await.unwrap();
    let (request, _) = house.ask_for("bob", "asked", "1d").await.unwrap();
    crate::identity::sign_in(house, "ann", "s-ann").await.unwrap();
    house.run("olga", bandpass::domain::command::Command::Deny { request: request.id, reason: "no".to_owned() }).await.unwrap();
}

#[test]
fn the_database_refuses_every_attempt() {
    on_both("tampers", |house: House| async move {
        fill(&house).await;
        let location = house.location.clone();
        let worked = tokio::task::spawn_blocking(move || statements_that_tamper(&location).unwrap()).await.unwrap();
        assert_eq!(worked, Vec::<String>::new());
        house.leave().await;
    });
}

/// Writes as somebody who owns the database: past triggers and rights.
pub fn as_owner(database: &Database, folder_url: &str, sql: &str) {
    match database.superuser_url() {
        Some(url) => {
            Postgres::sql_at(&url, &format!("SET session_replication_role = replica; ALTER TABLE audit_log DISABLE TRIGGER USER; ALTER TABLE audit_private DISABLE TRIGGER USER; ALTER TABLE requests DISABLE TRIGGER USER; ALTER TABLE grants DISABLE TRIGGER USER; {sql}")).unwrap();
        }
        None => {
            use diesel::{Connection, connection::SimpleConnection};
            let path = folder_url.strip_prefix("sqlite:").unwrap();
            let mut c = diesel::SqliteConnection::establish(path).unwrap();
            let drop: String = ["audit_log_append", "audit_log_no_update", "audit_log_no_delete", "audit_private_append", "audit_private_erase_only", "audit_private_no_delete", "requests_terminal", "grants_terminal", "head_forward"]
                .iter()
                .map(|t| format!("DROP TRIGGER IF EXISTS {t};"))
                .collect();
            c.batch_execute(&format!("PRAGMA busy_timeout = 5000; {drop} {sql}")).unwrap();
        }
    }
}

/// The same on a connection that stays: a write for every byte.
struct Owner<'a> {
    database: &'a Database,
    url: String,
    client: Option<tokio_postgres::Client>,
}

impl<'a> Owner<'a> {
    async fn of(house: &'a House) -> Self {
        let mut client = None;
        if let Some(url) = house.database.superuser_url() {
            let (connected, driver) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(driver);
            connected.batch_execute("SET session_replication_role = replica; ALTER TABLE audit_log DISABLE TRIGGER USER; ALTER TABLE audit_private DISABLE TRIGGER USER").await.unwrap();
            client = Some(connected);
        }
        Self { database: &house.database, url: house.settings.database.url.reveal().to_owned(), client }
    }

    async fn write(&self, sql: &str) {
        match &self.client {
            Some(client) => client.batch_execute(sql).await.unwrap(),
            None => as_owner(self.database, &self.url, sql),
        }
    }
}

pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[test]
fn every_flipped_byte_of_an_event_is_found() {
    on_both("flips", |house: House| async move {
        fill(&house).await;
        let last = house.core.reader.head().await.unwrap().seq;
        let owner = Owner::of(&house).await;
        let mut flips = 0;
        for seq in [last, last - 3] {
            let row = house.core.reader.audit_event(seq).await.unwrap().unwrap();
            for (table, column, text) in [("audit_log", "body", row.body.clone()), ("audit_private", "text", row.personal.clone().unwrap())] {
                for at in 0..text.len() {
                    let mut bytes = text.clone().into_bytes();
                    bytes[at] ^= 1;
                    let Ok(changed) = String::from_utf8(bytes) else { continue };
                    owner.write(&format!("UPDATE {table} SET {column} = {} WHERE seq = {seq};", quoted(&changed))).await;
                    assert!(!house.verify().await.is_sound(), "byte {at} of {table}.{column} of event {seq}");
                    flips += 1;
                }
                owner.write(&format!("UPDATE {table} SET {column} = {} WHERE seq = {seq};", quoted(&text))).await;
            }
        }
        assert!(house.verify().await.is_sound(), "everything is put back");
        println!("{}: {flips} flipped bytes, all found", house.database.title());
        house.leave().await;
    });
}

#[test]
fn every_changed_column_and_every_missing_row_is_found() {
    on_both("columns", |house: House| async move {
        fill(&house).await;
        crate::adopt::end_an_adoption(&house, "max").await;
        let url = house.settings.database.url.reveal().to_owned();
        // A value that no row has, for each column of each table; the way back is the value itself.
        let tables: &[(&str, &[&str])] = &[
            ("audit_log", &["kind", "actor", "person", "group_id", "request", "grant_id", "outcome", "rule", "policy_revision", "command"]),
            ("requests", &["id", "person", "filed_by", "group_id", "rule", "policy_revision"]),
            ("approvals", &["request", "person"]),
            ("grants", &["id", "person", "group_id", "request", "rule", "entitlements"]),
            ("deliveries", &["id", "person", "account", "connector", "entitlement", "grant_id", "request"]),
            ("people", &["data"]),
            ("teams", &["data"]),
            ("blocks", &["person", "group_id"]),
            ("removals_confirmed", &["connector"]),
            ("identities", &["issuer", "subject", "person", "claim"]),
            ("sessions", &["id", "person", "secret_sha256", "issuer", "subject", "attempt_sha256", "agent"]),
            ("policy_sets", &["manifest"]),
        ];
        let numbers: &[(&str, &[&str])] = &[
            ("audit_log", &["at"]),
            ("requests", &["incarnation", "duration", "submitted_at", "stage", "stage_since", "deadline", "decided_at", "decided_seq"]),
            ("approvals", &["stage", "at"]),
            ("grants", &["incarnation", "duration", "starts_at", "ends_at"]),
            ("deliveries", &["queued_at", "queued_seq"]),
            ("people", &["seq"]),
            ("teams", &["seq"]),
            ("group_lives", &["incarnation"]),
            ("blocks", &["seq"]),
            ("removals_confirmed", &["seq"]),
            ("identities", &["linked_at", "seq"]),
            ("sessions", &["started_at", "expires_at"]),
            ("head", &["seq", "at", "epoch", "directory_revision", "policy_since"]),
        ];
        let mut changed = 0;
        for (table, columns) in tables {
            for column in *columns {
                let some = format!("{column} = (SELECT min({column}) FROM {table})");
                as_owner(&house.database, &url, &format!("UPDATE {table} SET {column} = {column} || '~' WHERE {some};"));
                assert!(!house.verify().await.is_sound(), "{table}.{column}");
                as_owner(&house.database, &url, &format!("UPDATE {table} SET {column} = substr({column}, 1, length({column}) - 1) WHERE {column} LIKE '%~';"));
                assert!(house.verify().await.is_sound(), "{table}.{column} put back");
                changed += 1;
            }
        }
        for (table, columns) in numbers {
            for column in *columns {
                as_owner(&house.database, &url, &format!("UPDATE {table} SET {column} = {column} + 1;"));
                assert!(!house.verify().await.is_sound(), "{table}.{column}");
                as_owner(&house.database, &url, &format!("UPDATE {table} SET {column} = {column} - 1;"));
                assert!(house.verify().await.is_sound(), "{table}.{column} put back");
                changed += 1;
            }
        }
        println!("{}: {changed} changed columns, all found", house.database.title());
        as_owner(&house.database, &url, "DELETE FROM approvals;");
        assert!(!house.verify().await.is_sound(), "a missing row");
        house.core.close().await;
    });
}

#[test]
fn a_checkpoint_finds_a_cut_tail() {
    on_both("tail", |house: House| async move {
        fill(&house).await;
        let head = house.core.reader.head().await.unwrap();
        let folder = crate::support::service::Folder::new("bandpass_key");
        let signer = bandpass::audit::checkpoint::Signer::open(&folder.path().join("key"), "test/log").unwrap();
        let note = signer.sign(u64::try_from(head.seq).unwrap(), head.root);
        let checkpoint = signer.open_note(&note).unwrap();
        assert!(signer.open_note(&note.replace(&head.seq.to_string(), &(head.seq + 1).to_string())).is_err(), "the size is signed");
        let location = house.location.clone();
        let against = checkpoint.clone();
        let check = move || bandpass::audit::verify::verify(&mut bandpass::store::dump::Dumper::open(&location).unwrap(), Some(&against), false).unwrap();
        let report = tokio::task::spawn_blocking(check.clone()).await.unwrap();
        assert_eq!((report.faults, report.tail), (vec![], bandpass::audit::verify::Tail::Proven(checkpoint.size)));
        let url = house.settings.database.url.reveal().to_owned();
        as_owner(&house.database, &url, &format!("DELETE FROM audit_log WHERE seq = {0}; DELETE FROM audit_private WHERE seq = {0};", head.seq));
        let report = tokio::task::spawn_blocking(check).await.unwrap();
        assert!(report.faults.iter().any(|f| f.contains("its tail was cut")), "{:?}", report.faults);
        house.core.close().await;
    });
}
