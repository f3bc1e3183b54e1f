//! The very first start of a company whose people come over SCIM: the policy names people whom nobody has brought yet. No set is
//! in force until everybody has come; everything is denied, everywhere it says why, and then the whole set loads by itself.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    database::Database,
    http::{Answer, Client, request},
    organisation::{self, Size, person},
    postgres::{self, Postgres},
    service::{Folder, Service, program},
};

const BANDPASS: &str = "urn:bandpass:params:scim:schemas:extension:2.0:User";

async fn call(client: &mut Client, token: &str, method: &str, path: &str, body: Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let text = (!body.is_null()).then(|| body.to_string());
    client.send(&request(method, path, &[("Authorization", &bearer)], text.as_deref())).await.unwrap()
}

async fn readiness(client: &mut Client) -> Value {
    client.send(&request("GET", "/readyz", &[], None)).await.unwrap().json()
}

fn loads(database: &Database) -> u64 {
    database.count("SELECT CAST(count(*) AS TEXT) AS line FROM audit_log WHERE kind = 'policy.loaded'")
}

fn secret(printed: &str) -> String {
    serde_json::from_str::<Value>(printed).unwrap()["token"].as_str().unwrap().to_owned()
}

fn service_of(folder: &Folder, database: &Database) -> Service {
    organisation::write(folder.path(), Size { people: 40, instant: 2, asked: 0, asked_twice: 0 });
    std::fs::write(folder.path().join("policies/attributes.toml"), "[attributes]\nclearance = \"long\"\ntrainings = \"set\"\n").unwrap();
    // Whoever answers for the program that feeds the directory is all that files know.
    std::fs::write(folder.path().join("first.toml"), format!("[[person]]\nid = \"{}\"\nname = \"First\"\n", person(0))).unwrap();
    let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", database);
    service.set("DIRECTORY__SOURCE", &folder.path().join("first.toml").display().to_string());
    service.set("POLICY__POLL_SECONDS", "1");
    if database.superuser_url().is_some() {
        service.must(&["db", "migrate"]);
    }
    service
}

fn on_both(test: impl AsyncFn(&Folder, Database)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = Folder::new("bandpass_first");
    let database = Database::sqlite(folder.path());
    runtime.block_on(test(&folder, database));
    if let Some(why) = postgres::missing() {
        println!("PostgreSQL left out: {why}");
        return;
    }
    let folder = Folder::new("bandpass_first");
    runtime.block_on(test(&folder, Database::postgres(Postgres::shared())));
}

#[test]
fn a_policy_that_names_people_who_have_yet_to_come_waits_for_them_and_denies_everything_meanwhile() {
    on_both(async |folder, database| {
        let mut service = service_of(folder, &database);
        service.start().await;
        let mut client = Client::connect(service.address()).await.unwrap();
        // Said everywhere, and denied.
        let state = readiness(&mut client).await;
        let why = state["without_policy"].as_str().unwrap().to_owned();
        assert_eq!((state["status"].as_str(), &state["policy_revision"]), (Some("degraded"), &Value::Null), "{state}");
        assert!(why.starts_with("no policy is in force, so everything is denied. groups/instant-0000.toml:3: there is no person `p00002`, and ") && why.ends_with("comes into force by itself"), "{why}");
        let first = secret(&service.must(&["token", "create", "--person", &person(0), "--scopes", "read,request", "--format", "json"]));
        let asked = call(&mut client, &first, "POST", "/api/v1/requests", json!({ "group": "instant-0000" })).await;
        assert_eq!((asked.status, asked.json()["errors"][0]["field"].as_str().map(str::to_owned)), (422, Some("group".to_owned())), "{}", asked.shown());
        assert_eq!(call(&mut client, &first, "GET", "/api/v1/groups", Value::Null).await.json()["items"], json!([]));
        assert_eq!(call(&mut client, &first, "GET", "/api/v1/system", Value::Null).await.status, 403, "nobody is an admin by a policy that is not in force");
        let operator = secret(&service.must(&["token", "create", "--admin", "--person", &person(0), "--format", "json"]));
        let system = call(&mut client, &operator, "GET", "/api/v1/system", Value::Null).await;
        let findings = system.json()["findings"].clone();
        let finding = findings.as_array().unwrap().iter().find(|f| f["name"] == "policy").unwrap_or_else(|| panic!("{}", system.shown()));
        assert_eq!((finding["state"].as_str(), finding["detail"].as_str()), (Some("fault"), Some(why.as_str())));
        let doctor = service.run(&["doctor"]);
        let doctor = String::from_utf8_lossy(&doctor.stdout);
        assert!(doctor.contains("there is no person `p00002`") && doctor.contains("comes into force by itself"), "{doctor}");
        // People come, with attributes that the waiting policy declares; until the last name is known, nothing loads.
        let token = secret(&service.must(&["token", "create", "--service", "okta", "--owner", &person(0), "--scopes", "scim", "--format", "json"]));
        let user = |n: usize| json!({ "userName": person(n), "externalId": person(n), "displayName": format!("Person {n}"), "userType": "permanent", (BANDPASS): { "clearance": n, "trainings": ["privacy"] } });
        for n in 0..5 {
            let made = call(&mut client, &token, "POST", "/scim/v2/Users", user(n)).await;
            assert_eq!((made.status, &made.json()[BANDPASS]["clearance"]), (201, &json!(n)), "{}", made.shown());
        }
        for n in 0..2 {
            let team = call(&mut client, &token, "POST", "/scim/v2/Groups", json!({ "displayName": format!("Team 0{n}"), "members": [{ "value": person(n) }] })).await;
            assert_eq!(team.status, 201, "{}", team.shown());
        }
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let why = readiness(&mut client).await["without_policy"].as_str().unwrap().to_owned();
            if why.contains("`p00005`") {
                break;
            }
            assert!(Instant::now() < until, "{why}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(loads(&database), 0, "never a part of a set");
        // A start in between is no other.
        service.stop();
        service.start().await;
        let mut client = Client::connect(service.address()).await.unwrap();
        assert_eq!(readiness(&mut client).await["status"], "degraded");
        assert_eq!(call(&mut client, &token, "POST", "/scim/v2/Users", user(5)).await.status, 201);
        let until = Instant::now() + Duration::from_secs(60);
        while readiness(&mut client).await["status"] != "ready" {
            assert!(Instant::now() < until, "{}", readiness(&mut client).await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!((loads(&database), readiness(&mut client).await["without_policy"].clone()), (1, Value::Null));
        // In force as a whole: roles, rules, and what people came with before it.
        let admin = secret(&service.must(&["token", "create", "--person", &person(0), "--scopes", "read,request,admin", "--format", "json"]));
        assert_eq!(call(&mut client, &admin, "GET", "/api/v1/system", Value::Null).await.status, 200);
        let granted = call(&mut client, &admin, "POST", "/api/v1/requests", json!({ "group": "instant-0000" })).await;
        assert_eq!((granted.status, granted.json()["status"].as_str()), (201, Some("granted")), "{}", granted.shown());
        let stored = database.lines("SELECT data AS line FROM people WHERE id = 'p00003'");
        assert_eq!(serde_json::from_str::<Value>(&stored[0]).unwrap()["attributes"], json!({ "clearance": 3, "trainings": ["privacy"] }));
        service.stop();
        service.must(&["audit", "verify", "--rebuild"]);
    });
}

#[test]
fn a_first_policy_with_any_other_error_is_refused_at_the_start() {
    on_both(async |folder, database| {
        let service = service_of(folder, &database);
        std::fs::write(folder.path().join("policies/groups/broken.toml"), "title = \"Broken\"\n").unwrap();
        let output = service.run(&["serve"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("there is no earlier policy to go on with") && said.contains("broken.toml"), "{said}");
    });
}
