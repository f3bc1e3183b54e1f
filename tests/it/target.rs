//! A role in a real PostgreSQL, all the way: asked for over HTTP, granted there, taken away when given back, and after the
//! target was down.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use crate::support::{
    database::Database,
    http::{self, Answer, request},
    organisation::{self, Size},
    postgres::{self, Postgres},
    service::{Folder, Service, program},
};

/// Roles and accounts of the target, and the connector's own role with ADMIN OPTION on the two and nothing else.
const TARGET: &str = "CREATE ROLE role_0; CREATE ROLE role_1; CREATE ROLE target_person LOGIN;
CREATE ROLE connector LOGIN PASSWORD 'of-the-connector'; GRANT role_0 TO connector WITH ADMIN OPTION; GRANT role_1 TO connector WITH ADMIN OPTION;";

async fn ask(service: &Service, token: &str, method: &str, path: &str, body: Option<&str>) -> Answer {
    let bearer = format!("Bearer {token}");
    http::once(service.address(), &request(method, path, &[("Authorization", &bearer)], body)).await.expect("an answer")
}

/// Waits until the target says so; answers how long that took.
async fn until(target: &Postgres, role: &str, holds: bool) -> Duration {
    let began = Instant::now();
    let question = format!("SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles p ON p.oid = m.member WHERE r.rolname = '{role}' AND p.rolname = 'target_person'");
    while target.sql(&question) != if holds { "1" } else { "0" } {
        assert!(began.elapsed() < Duration::from_secs(60), "the target does not come to `{role}` held: {holds}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}

async fn play(database: &Database, folder: &Path) {
    organisation::write(folder, Size { people: 20, instant: 2, asked: 0, asked_twice: 0 });
    let person = "[[person]]\nid = \"target.person\"\nname = \"Target Person\"\nteam = \"team-00\"\nemployment = \"permanent\"\naccounts = { warehouse = \"target_person\" }\n";
    fs::write(folder.join("people/target.toml"), person).unwrap();
    let target = Postgres::start(&[]);
    target.sql(TARGET);
    let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder, "run", database);
    service.set("CONNECTOR__WAREHOUSE__KIND", "postgres");
    service.set("CONNECTOR__WAREHOUSE__URL", &target.url_of("connector", "of-the-connector", "postgres"));
    service.set("CONNECTOR__WAREHOUSE__ALLOWED_ROLES", "[\"role_0\", \"role_1\"]");
    service.set("SIGNIN__DEVELOPMENT_REAL_TARGETS", "true");
    if database.superuser_url().is_some() {
        service.must(&["db", "migrate"]);
    }
    service.start().await;
    let token = &service.tokens(&["target.person".to_owned()], "read,request")[0];

    let granted = ask(&service, token, "POST", "/api/v1/requests", Some(r#"{"group":"instant-0000","duration":"8h"}"#)).await;
    assert_eq!(granted.json()["status"], "granted", "{}", granted.shown());
    let given = until(&target, "role_0", true).await;
    let revoke = format!("/api/v1/grants/{}/revoke", granted.json()["grant"]["id"].as_str().unwrap());
    assert_eq!(ask(&service, token, "POST", &revoke, Some("{}")).await.status, 200);
    let taken = until(&target, "role_0", false).await;

    // While the target is away the grant is given, and its request says what the target lacks.
    target.kill();
    let granted = ask(&service, token, "POST", "/api/v1/requests", Some(r#"{"group":"instant-0001","duration":"8h"}"#)).await;
    assert_eq!(granted.json()["status"], "granted", "{}", granted.shown());
    let path = format!("/api/v1/requests/{}", granted.json()["id"].as_str().unwrap());
    let limit = Instant::now() + Duration::from_secs(30);
    loop {
        let shown = ask(&service, token, "GET", &path, None).await.json();
        if shown["deliveries"][0]["state"] == "failing" {
            assert!(shown["deliveries"][0]["note"].as_str().is_some_and(|n| !n.is_empty()), "{shown}");
            break;
        }
        assert!(Instant::now() < limit, "a target that is away is never told: {shown}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    target.start_again();
    let returned = until(&target, "role_1", true).await;
    service.stop();
    let verified = service.must(&["audit", "verify", "--rebuild"]);
    println!(
        "{}: role granted in {} ms, taken away in {} ms, granted {} ms after the target was back; {}",
        database.title(),
        given.as_millis(),
        taken.as_millis(),
        returned.as_millis(),
        verified.trim()
    );
}

#[test]
fn a_role_reaches_the_target_and_leaves_it_also_when_it_was_down() {
    if let Some(why) = postgres::missing() {
        println!("left out: {why}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = Folder::new("bandpass_target");
        let database = Database::sqlite(folder.path());
        play(&database, folder.path()).await;
        let folder = Folder::new("bandpass_target");
        play(&Database::postgres(Postgres::shared()), folder.path()).await;
    });
}
