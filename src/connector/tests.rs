#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    collections::BTreeSet,
    fs,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use super::*;
use crate::domain::{group::Entitlement, time::Time};

#[path = "../../tests/support/postgres.rs"]
mod cluster;
use cluster::fresh_name;

/// Delivers as soon as the server is let alone: a connector pauses after failures, and a server needs a moment to start.
async fn soon(connector: &dyn Connector, intent: &Intent) -> Result<Delivered, DeliveryError> {
    let began = Instant::now();
    loop {
        match connector.deliver(intent).await {
            Err(DeliveryError::Retry(_)) if began.elapsed() < Duration::from_secs(15) => tokio::time::sleep(Duration::from_millis(20)).await,
            answer => return answer,
        }
    }
}

fn delivery(person: &str, entitlement: &str, action: DeliveryAction, account: Option<&str>) -> Delivery {
    Delivery {
        id: DeliveryId(uuid::Uuid::now_v7()),
        person: person.parse().unwrap(),
        account: account.map(str::to_owned),
        entitlement: Entitlement { connector: "warehouse".parse().unwrap(), name: entitlement.to_owned() },
        action,
        grant: None,
        request: None,
        state: crate::domain::delivery::DeliveryState::Queued,
        queued_at: Time::from_micros(0),
        queued_seq: 1,
        done_at: None,
        note: None,
        urgent: false,
    }
}

fn intent(account: &str, role: &str, action: DeliveryAction) -> Intent {
    Intent::new(&delivery("ann", role, action, Some(account)), None, false).unwrap()
}

fn add(account: &str, role: &str) -> Intent {
    intent(account, role, DeliveryAction::Add)
}

fn remove(account: &str, role: &str) -> Intent {
    intent(account, role, DeliveryAction::Remove)
}

fn config(kind: &str, url: Option<&str>, roles: &[&str]) -> ConnectorConfig {
    ConnectorConfig {
        name: "warehouse".parse().unwrap(),
        kind: kind.to_owned(),
        url: url.map(Secret::new),
        allowed_roles: roles.iter().map(|r| (*r).to_owned()).collect(),
        ca_file: None,
    }
}

fn problem(config: ConnectorConfig) -> String {
    Registry::build([config]).err().expect("a problem").join("\n")
}

#[test]
fn a_registry_says_what_is_wrong_and_what_was_meant() {
    assert_eq!(
        problem(config("postgresql", None, &[])),
        "connector `warehouse`: there is no kind `postgresql`; did you mean `postgres`? there are `memory`, `postgres`"
    );
    assert!(problem(config("memroy", None, &[])).contains("did you mean `memory`?"));
    assert!(problem(config("postgres", None, &["analyst"])).contains("`url` is missing"));
    assert!(problem(config("postgres", Some(""), &["analyst"])).contains("`url` is missing"));
    assert!(problem(config("postgres", Some("postgres://h/d"), &["analyst"])).contains("names no user"));
    assert!(problem(config("postgres", Some("postgres://u@127.0.0.1/d"), &[])).contains("`allowed_roles` is empty"));
    for role in ["pg_read_all_data", "Analyst", "x\"; DROP", "", "public", "ä"] {
        assert!(problem(config("postgres", Some("postgres://u@127.0.0.1/d"), &[role])).contains("`allowed_roles`: the role `"), "{role}");
    }
    let twice = Registry::build([config("memory", None, &[]), config("memory", None, &[])]).err().unwrap();
    assert_eq!(twice, ["two connectors are called `warehouse`"]);
}

#[test]
fn no_problem_prints_a_secret() {
    let secret = "hunter2-hunter2";
    for url in [format!("postgres://u:{secret}@h:notaport/d"), format!("postgres://u:{secret}@h/d?sslmode=verify-fully"), format!("http://{secret}")] {
        let config = config("postgres", Some(&url), &["analyst"]);
        assert!(!format!("{config:?}").contains(secret));
        assert!(format!("{config:?}").contains("***"));
        assert!(!problem(config).contains(secret));
    }
}

#[test]
fn an_account_comes_from_the_delivery_or_else_from_the_caller_or_is_missing() {
    let unset = delivery("ann", "analyst", DeliveryAction::Add, None);
    assert_eq!(Intent::new(&unset, Some("ann_b".to_owned()), false).unwrap().account, "ann_b");
    let error = Intent::new(&unset, None, false).unwrap_err();
    assert_eq!(error, DeliveryError::NeedsPerson("no account: the directory has none for `ann` in `warehouse`".to_owned()));
}

#[tokio::test]
async fn memory_holds_what_was_added_until_it_is_removed() {
    let registry = Registry::build([config("memory", None, &[])]).ok().unwrap();
    let memory = registry.get("warehouse").unwrap();
    assert!(memory.person_is_account() && registry.get("elsewhere").is_none());
    for _ in 0..2 {
        assert_eq!(memory.deliver(&add("ann", "a")).await, Ok(Delivered::Done));
    }
    assert_eq!(memory.deliver(&add("ann", "b")).await, Ok(Delivered::Done));
    assert_eq!(memory.deliver(&remove("ann", "a")).await, Ok(Delivered::Done));
    assert_eq!(memory.deliver(&remove("bo", "a")).await, Ok(Delivered::Done));
    assert_eq!(memory.holds("ann").await.unwrap(), BTreeSet::from(["b".to_owned()]));
    assert!(memory.holds("bo").await.unwrap().is_empty());
}

/// A connector's role, an account and a role that it may grant, on a real server; dropped again at the end.
struct Warehouse {
    server: Arc<cluster::Postgres>,
    own: String,
    ann: String,
    analyst: String,
    more: std::sync::Mutex<Vec<String>>,
}

impl Warehouse {
    fn new() -> Self {
        Self::on(cluster::Postgres::shared())
    }

    fn on(server: Arc<cluster::Postgres>) -> Self {
        let [own, ann, analyst] = ["own", "ann", "analyst"].map(fresh_name);
        server.sql(&format!("CREATE ROLE {own} LOGIN PASSWORD 'pw-{own}'; CREATE ROLE {ann} LOGIN; CREATE ROLE {analyst}; GRANT {analyst} TO {own} WITH ADMIN OPTION"));
        Self { server, own, ann, analyst, more: std::sync::Mutex::default() }
    }

    fn url(&self) -> String {
        self.server.url_of(&self.own, &format!("pw-{}", self.own), "postgres")
    }

    /// Another role; `extra` is what follows CREATE ROLE.
    fn role(&self, stem: &str, extra: &str) -> String {
        let name = fresh_name(stem);
        self.server.sql(&format!("CREATE ROLE {name} {extra}"));
        self.more.lock().unwrap().push(name.clone());
        name
    }

    fn connector(&self, roles: &[&str]) -> Arc<dyn Connector> {
        Registry::build([config("postgres", Some(&self.url()), roles)]).ok().unwrap().get("warehouse").unwrap().clone()
    }

    /// `grantor|admin` of every direct membership of `account` in `role`.
    fn members(&self, role: &str, account: &str) -> String {
        self.server.sql(&format!(
            "SELECT grantor::regrole, admin_option FROM pg_auth_members WHERE roleid = '{role}'::regrole AND member = '{account}'::regrole ORDER BY 1"
        ))
    }
}

impl Drop for Warehouse {
    fn drop(&mut self) {
        let more = std::mem::take(&mut *self.more.lock().unwrap());
        let names = [&self.analyst, &self.ann, &self.own].into_iter().cloned().chain(more);
        let _ = self.server.try_sql(&names.map(|n| format!("DROP ROLE IF EXISTS {n};")).collect::<String>());
    }
}

fn words<T: std::fmt::Debug>(outcome: Result<T, DeliveryError>) -> String {
    match outcome.unwrap_err() {
        DeliveryError::NeedsPerson(words) => words,
        DeliveryError::Retry(words) => panic!("only a retry: {words}"),
    }
}

fn note(outcome: Result<Delivered, DeliveryError>) -> String {
    match outcome.unwrap() {
        Delivered::DoneWithNote(note) => note,
        Delivered::Done => panic!("no note"),
    }
}

#[tokio::test]
async fn a_role_is_granted_and_taken_away_and_repeats_change_nothing() {
    let w = Warehouse::new();
    let c = w.connector(&[&w.analyst]);
    assert_eq!(c.check(&[w.analyst.clone()]).await, Vec::<String>::new());
    for _ in 0..2 {
        assert_eq!(c.deliver(&add(&w.ann, &w.analyst)).await, Ok(Delivered::Done));
        assert_eq!(w.members(&w.analyst, &w.ann), format!("{}|f", w.own));
        assert_eq!(c.holds(&w.ann).await.unwrap(), BTreeSet::from([w.analyst.clone()]));
    }
    assert_eq!(c.deliver(&remove(&w.ann, &w.analyst)).await, Ok(Delivered::Done));
    assert_eq!(w.members(&w.analyst, &w.ann), "");
    assert_eq!(note(c.deliver(&remove(&w.ann, &w.analyst)).await), "was not held any more");
    assert_eq!(c.deliver(&add(&w.ann, &w.analyst)).await, Ok(Delivered::Done));
    assert_eq!(w.members(&w.analyst, &w.ann), format!("{}|f", w.own));
    assert!(c.holds(&w.own).await.unwrap().contains(&w.analyst));
}

#[tokio::test]
async fn names_that_would_mean_something_else_never_reach_the_server() {
    let w = Warehouse::new();
    let c = w.connector(&[&w.analyst]);
    let long = "a".repeat(64);
    for bad in ["x\"; DROP ROLE ann; --", "", "Ann", "an n", "pg_monitor", "pg_read_all_data", "public", "none", "änn", "a\0b", long.as_str()] {
        for action in [DeliveryAction::Add, DeliveryAction::Remove] {
            assert!(words(c.deliver(&intent(bad, &w.analyst, action)).await).starts_with("the account `"), "{bad}");
            assert!(words(c.deliver(&intent(&w.ann, bad, action)).await).starts_with("the role `"), "{bad}");
        }
    }
    // The server itself would have cut 64 bytes to 63 and met another role.
    let cut = format!("{:z<63}", fresh_name("cut"));
    w.server.sql(&format!("CREATE ROLE {cut}"));
    w.more.lock().unwrap().push(cut.clone());
    assert!(words(c.deliver(&add(&w.ann, &format!("{cut}a"))).await).contains("this one has 64"));
}

#[tokio::test]
async fn only_listed_roles_that_exist_are_granted_to_accounts_that_exist() {
    let w = Warehouse::new();
    let other = w.role("other", "");
    let c = w.connector(&[&w.analyst, "no_such_role"]);
    assert!(words(c.deliver(&add(&w.ann, &other)).await).contains("is not in `allowed_roles`"));
    assert_eq!(words(c.deliver(&add(&w.ann, "no_such_role")).await), "there is no role `no_such_role` in the target");
    assert_eq!(words(c.deliver(&add("no_such_ann", &w.analyst)).await), "there is no account `no_such_ann` in the target");
    assert!(note(c.deliver(&remove("no_such_ann", &w.analyst)).await).contains("is gone from the target"));
    assert!(note(c.deliver(&remove(&w.ann, "no_such_role")).await).contains("is gone from the target"));
    // Listed, but the connector was given no right to pass it on.
    let c = w.connector(&[&w.analyst, &other]);
    assert!(words(c.deliver(&add(&w.ann, &other)).await).contains("needs ADMIN OPTION"));
    let problems = c.check(&["elsewhere".to_owned()]).await;
    assert!(problems.iter().any(|p| p.contains(&format!("lacks ADMIN OPTION on `{other}`"))), "{problems:?}");
    assert!(problems.iter().any(|p| p.contains("`elsewhere` is named by a policy")), "{problems:?}");
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert_eq!(w.members(&other, &w.ann), "");
}

#[tokio::test]
async fn powerful_roles_and_roles_that_inherit_power_are_never_granted() {
    let w = Warehouse::new();
    let mut cases = Vec::new();
    for power in ["SUPERUSER", "CREATEROLE", "REPLICATION", "BYPASSRLS"] {
        cases.push((w.role("bare", &format!("NOINHERIT {power}")), power));
        let boss = w.role("boss", power);
        let middle = w.role("middle", &format!("IN ROLE {boss}"));
        cases.push((w.role("heir", &format!("NOINHERIT IN ROLE {middle}")), power));
    }
    cases.push((w.role("files", "IN ROLE pg_write_server_files"), "built into PostgreSQL"));
    cases.push((w.role("as_us", &format!("IN ROLE {}", w.own)), "the connector's own role"));
    let listed: Vec<&str> = cases.iter().map(|(name, _)| name.as_str()).collect();
    let c = w.connector(&listed);
    for (role, why) in &cases {
        // No ADMIN OPTION is needed to be refused; with it the refusal is the same.
        if *why != "the connector's own role" {
            w.server.sql(&format!("GRANT {role} TO {} WITH ADMIN OPTION", w.own));
        }
        let told = words(c.deliver(&add(&w.ann, role)).await);
        assert!(told.contains(why) && told.contains(&format!("the role `{role}`")), "{role} {why}: {told}");
        assert_eq!(w.members(role, &w.ann), "");
        if *why != "the connector's own role" {
            w.server.sql(&format!("REVOKE {role} FROM {}", w.own));
        }
    }
    let told = c.check(&[]).await;
    for (role, why) in &cases {
        assert!(told.iter().any(|p| p.contains(role.as_str()) && p.contains(why) && p.contains("never granted")), "{role}: {told:?}");
    }
}

#[tokio::test]
async fn powerful_accounts_groups_and_the_connector_itself_are_left_alone() {
    let w = Warehouse::new();
    let c = w.connector(&[&w.analyst]);
    let boss = w.role("boss", "SUPERUSER LOGIN");
    let heir = w.role("heir", &format!("LOGIN IN ROLE {boss}"));
    let deputy = w.role("deputy", &format!("LOGIN IN ROLE {}", w.own));
    let team = w.role("team", "");
    assert!(words(c.deliver(&add(&boss, &w.analyst)).await).contains("is SUPERUSER"));
    assert!(words(c.deliver(&add(&heir, &w.analyst)).await).contains("which is SUPERUSER"));
    assert!(words(c.deliver(&add(&deputy, &w.analyst)).await).contains("the connector's own role"));
    assert!(words(c.deliver(&add(&team, &w.analyst)).await).contains("may not log in"));
    assert!(words(c.deliver(&add(&w.own, &w.analyst)).await).contains("the connector's own role"));
    assert!(words(c.deliver(&remove(&w.own, &w.analyst)).await).contains("the connector's own role"));
    let itself = w.connector(&[&w.own]);
    assert!(words(itself.deliver(&add(&w.ann, &w.own)).await).contains("the connector's own role"));
    assert!(w.members(&w.analyst, &w.own).ends_with("|t"));
}

#[tokio::test]
async fn a_connector_with_power_over_the_server_does_nothing() {
    let w = Warehouse::new();
    let c = w.connector(&[&w.analyst]);
    assert_eq!(c.deliver(&add(&w.ann, &w.analyst)).await, Ok(Delivered::Done));
    let boss = w.role("boss", "CREATEROLE");
    for (grant, undo) in [("SUPERUSER", "NOSUPERUSER"), ("CREATEROLE", "NOCREATEROLE")] {
        w.server.sql(&format!("ALTER ROLE {} {grant}", w.own));
        for intent in [add(&w.ann, &w.analyst), remove(&w.ann, &w.analyst)] {
            let told = words(c.deliver(&intent).await);
            assert!(told.contains(&format!("is {grant}, so nothing is done")), "{told}");
        }
        assert!(c.check(&[]).await.join("\n").contains(grant));
        w.server.sql(&format!("ALTER ROLE {} {undo}", w.own));
    }
    // The same by membership: nothing is granted, but what was granted can still be taken away.
    w.server.sql(&format!("GRANT {boss} TO {}", w.own));
    assert!(words(c.deliver(&add(&w.ann, &w.analyst)).await).contains("so nothing is granted"));
    assert!(c.check(&[]).await.join("\n").contains("CREATEROLE"));
    assert_eq!(c.deliver(&remove(&w.ann, &w.analyst)).await, Ok(Delivered::Done));
    // Signing in as one role and acting as another hides nothing.
    w.server.sql(&format!("REVOKE {boss} FROM {own}; ALTER ROLE {own} SUPERUSER; ALTER ROLE {own} SET role = {boss}", own = w.own));
    let fresh = w.connector(&[&w.analyst]);
    assert!(words(fresh.deliver(&add(&w.ann, &w.analyst)).await).contains("is SUPERUSER"));
    assert_eq!(w.members(&w.analyst, &w.ann), "");
}

#[tokio::test]
async fn a_foreign_membership_is_noted_left_and_never_taken_away() {
    let w = Warehouse::new();
    let c = w.connector(&[&w.analyst]);
    w.server.sql(&format!("GRANT {} TO {}", w.analyst, w.ann));
    let before = w.members(&w.analyst, &w.ann);
    let told = note(c.deliver(&add(&w.ann, &w.analyst)).await);
    assert!(notes_held_before(&told) && told.contains("who granted it"), "{told}");
    assert_eq!(w.members(&w.analyst, &w.ann), before);
    // Known from the addition: done, visibly. Not known: somebody has to look.
    let known = Intent { held_before: true, ..remove(&w.ann, &w.analyst) };
    assert!(note(c.deliver(&known).await).contains("left as it was"));
    assert!(words(c.deliver(&remove(&w.ann, &w.analyst)).await).starts_with("held through `"));
    assert_eq!(w.members(&w.analyst, &w.ann), before);
}

#[tokio::test]
async fn a_membership_that_somebody_took_over_is_reported_at_removal() {
    let w = Warehouse::new();
    let c = w.connector(&[&w.analyst]);
    assert_eq!(c.deliver(&add(&w.ann, &w.analyst)).await, Ok(Delivered::Done));
    // Revoked and given again by the administrator, behind our back.
    w.server.sql(&format!("REVOKE {r} FROM {a}; GRANT {r} TO {a}", r = w.analyst, a = w.ann));
    let told = words(c.deliver(&remove(&w.ann, &w.analyst)).await);
    assert!(told.starts_with("held through `") && told.contains("take it away there"), "{told}");
    w.server.sql(&format!("REVOKE {} FROM {}", w.analyst, w.ann));
    assert_eq!(note(c.deliver(&remove(&w.ann, &w.analyst)).await), "was not held any more");
}

#[tokio::test]
async fn a_role_held_through_another_role_is_reported_at_removal() {
    let w = Warehouse::new();
    let c = w.connector(&[&w.analyst]);
    assert_eq!(c.deliver(&add(&w.ann, &w.analyst)).await, Ok(Delivered::Done));
    let team = w.role("team", &format!("IN ROLE {}", w.analyst));
    let outer = w.role("outer", &format!("IN ROLE {team} ROLE {}", w.ann));
    let told = words(c.deliver(&remove(&w.ann, &w.analyst)).await);
    assert!(told.starts_with(&format!("held through `{outer}` (a role that includes it)")), "{told}");
    assert_eq!(w.members(&w.analyst, &w.ann), "", "ours is gone all the same");
    // Held so before the addition: noted, and left at the removal.
    let told = note(c.deliver(&add(&w.ann, &w.analyst)).await);
    assert!(notes_held_before(&told), "{told}");
    assert_eq!(w.members(&w.analyst, &w.ann), format!("{}|f", w.own), "ours is given besides");
    let known = Intent { held_before: true, ..remove(&w.ann, &w.analyst) };
    assert!(note(c.deliver(&known).await).contains("left as it was"));
}

#[tokio::test]
async fn admin_option_that_came_from_elsewhere_is_seen() {
    let w = Warehouse::new();
    let c = w.connector(&[&w.analyst]);
    assert_eq!(c.deliver(&add(&w.ann, &w.analyst)).await, Ok(Delivered::Done));
    w.server.sql(&format!("SET SESSION AUTHORIZATION {}; GRANT {} TO {} WITH ADMIN OPTION", w.own, w.analyst, w.ann));
    assert!(words(c.deliver(&add(&w.ann, &w.analyst)).await).contains("WITH ADMIN OPTION"));
    assert_eq!(c.deliver(&remove(&w.ann, &w.analyst)).await, Ok(Delivered::Done));
    assert_eq!(w.members(&w.analyst, &w.ann), "");
}

#[tokio::test]
async fn a_wrong_password_needs_a_person_and_is_not_repeated() {
    let w = Warehouse::new();
    let url = w.server.url_of(&w.own, "hunter2-hunter2", "postgres");
    let c = Registry::build([config("postgres", Some(&url), &[&w.analyst])]).ok().unwrap().get("warehouse").unwrap().clone();
    if w.server.sql("SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = 'trust'") == "0" {
        let told = words(c.deliver(&add(&w.ann, &w.analyst)).await);
        assert!(told.contains("password authentication failed") && !told.contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn many_deliveries_at_once_all_arrive() {
    let w = Warehouse::new();
    let c = w.connector(&[&w.analyst]);
    let accounts: Vec<String> = (0..20).map(|_| w.role("many", "LOGIN")).collect();
    let tasks: Vec<_> = accounts
        .iter()
        .map(|a| {
            let (c, intent) = (c.clone(), add(a, &w.analyst));
            tokio::spawn(async move { c.deliver(&intent).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Ok(Delivered::Done));
    }
    for account in &accounts {
        assert_eq!(w.members(&w.analyst, account), format!("{}|f", w.own));
    }
}

/// Down, killed, halted, and up again: errors say to try again, soon enough, and the next try after its return succeeds.
#[tokio::test]
async fn a_server_that_goes_away_and_returns_is_found_again() {
    let w = Warehouse::on(Arc::new(cluster::Postgres::start(&[])));
    let c = w.connector(&[&w.analyst]);
    assert_eq!(c.deliver(&add(&w.ann, &w.analyst)).await, Ok(Delivered::Done));
    // A restart between two deliveries is not even noticed.
    w.server.stop();
    w.server.start_again();
    assert_eq!(c.deliver(&remove(&w.ann, &w.analyst)).await, Ok(Delivered::Done));
    w.server.kill();
    for _ in 0..2 {
        let error = c.deliver(&add(&w.ann, &w.analyst)).await.unwrap_err();
        assert!(matches!(&error, DeliveryError::Retry(words) if words.contains("could not be reached") && !words.contains("pw-")), "{error:?}");
    }
    w.server.start_again();
    assert_eq!(soon(&*c, &add(&w.ann, &w.analyst)).await, Ok(Delivered::Done));
    // Halted in the middle: the kept connection is silent, a new one is let in by nobody.
    w.server.signal("STOP");
    for _ in 0..2 {
        let began = Instant::now();
        let error = c.deliver(&remove(&w.ann, &w.analyst)).await.unwrap_err();
        assert!(matches!(error, DeliveryError::Retry(_)), "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    }
    w.server.signal("CONT");
    assert_eq!(soon(&*c, &remove(&w.ann, &w.analyst)).await, Ok(Delivered::Done));
    assert_eq!(w.members(&w.analyst, &w.ann), "");
}

fn openssl(folder: &std::path::Path, arguments: &str) {
    let made = Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).output().expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[tokio::test]
async fn tls_checks_the_certificate_and_the_host_name() {
    let server = cluster::Postgres::start(&[]);
    let data = server.data_folder();
    openssl(&data, "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.crt -addext basicConstraints=critical,CA:TRUE");
    openssl(&data, "req -newkey rsa:2048 -nodes -subj /CN=db -keyout server.key -out server.csr");
    fs::write(data.join("ext"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(&data, "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.crt");
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(&data).unwrap());
    for file in ["server.key", "server.crt"] {
        std::os::unix::fs::chown(data.join(file), Some(owner), None).unwrap();
        fs::set_permissions(data.join(file), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let w = Warehouse::on(Arc::new(server));
    let url = |host: &str| format!("{}?sslmode=require", w.url().replace("127.0.0.1", host));
    let connect = |url: &str, ca: bool| {
        let config = ConnectorConfig { ca_file: ca.then(|| data.join("ca.crt")), ..config("postgres", Some(url), &[&w.analyst]) };
        Registry::build([config]).ok().unwrap().get("warehouse").unwrap().clone()
    };
    // The server offers no TLS yet.
    let error = connect(&url("localhost"), true).deliver(&add(&w.ann, &w.analyst)).await.unwrap_err();
    assert!(error.to_string().contains("could not be reached"), "{error}");
    w.server.sql("ALTER SYSTEM SET ssl = on");
    w.server.sql("SELECT pg_reload_conf()");
    let c = connect(&url("localhost"), true);
    assert_eq!(soon(&*c, &add(&w.ann, &w.analyst)).await, Ok(Delivered::Done));
    assert_eq!(w.server.sql("SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'bandpass connector'"), "t");
    let wrong_name = connect(&url("127.0.0.1"), true).deliver(&remove(&w.ann, &w.analyst)).await.unwrap_err();
    assert!(wrong_name.to_string().contains("certificate"), "{wrong_name}");
    let unknown = connect(&url("localhost"), false).deliver(&remove(&w.ann, &w.analyst)).await.unwrap_err();
    assert!(unknown.to_string().contains("certificate"), "{unknown}");
}
