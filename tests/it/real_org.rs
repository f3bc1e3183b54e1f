//! The real organisation, all the way: scaffolded, checked, every direct membership requested over HTTP by the person and
//! approved by an eligible approver; at the end the members of each group equal the source. Every fifth group is a role in a
//! real PostgreSQL, sampled all the while: what it held at any sample is explained by delivery events.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::sampled::{Sampler, explain, journal, sample};
use crate::support::{
    database::Database,
    http::{Client, request},
    postgres::{self, Postgres},
    service::{Folder, Service, program},
};

const FALLBACK: &str = "leadership-council";

/// Tokens of everybody, by person.
async fn tokens(service: &Service, folder: &Path, people: &BTreeSet<String>) -> BTreeMap<String, String> {
    let file = folder.join("people.txt");
    fs::write(&file, people.iter().cloned().collect::<Vec<_>>().join("\n")).unwrap();
    let made = service.must(&["token", "create", "--people-file", file.to_str().unwrap(), "--scopes", "read,request,approve,audit"]);
    let lines = made.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
    lines.map(|v| (v["person"].as_str().unwrap().to_owned(), v["token"].as_str().unwrap().to_owned())).collect()
}

async fn call(client: &mut Client, token: &str, method: &str, path: &str, body: Option<&str>) -> (u16, serde_json::Value) {
    let bearer = format!("Bearer {token}");
    let answer = client.send(&request(method, path, &[("Authorization", &bearer), ("Content-Type", "application/json")], body)).await.unwrap();
    (answer.status, answer.json())
}

/// The role that a group gives in the target.
fn role(group: &str) -> String {
    format!("role_{}", group.replace('-', "_"))
}

/// A target system with a role for each of these groups, a login for everybody, and the connector's own role.
fn target_with(groups: &BTreeSet<&str>, people: &BTreeSet<String>) -> Postgres {
    let target = Postgres::start(&["fsync=off"]);
    let mut sql = String::from("CREATE ROLE connector LOGIN PASSWORD 'of-the-connector';\n");
    for role in groups.iter().map(|g| role(g)) {
        sql.push_str(&format!("CREATE ROLE {role}; GRANT {role} TO connector WITH ADMIN OPTION;\n"));
    }
    people.iter().for_each(|person| sql.push_str(&format!("CREATE ROLE \"{person}\" LOGIN;\n")));
    target.sql(&sql);
    target
}

/// The people of the source as a table, each with an account in the target.
fn people_table(org: &serde_json::Value, groups: &BTreeMap<String, BTreeSet<String>>) -> String {
    let mut table = String::new();
    for group in org["groups"].as_array().unwrap() {
        table.push_str(&format!("[[team]]\nid = {}\ntitle = {}\n", group["name"], if group["title"].is_null() { &group["name"] } else { &group["title"] }));
        if !group["parent"].is_null() {
            table.push_str(&format!("parent = {}\n", group["parent"]));
        }
    }
    for person in org["people"].as_array().unwrap() {
        let id = person["id"].as_str().unwrap();
        let teams: Vec<&String> = groups.iter().filter(|(_, members)| members.contains(id)).map(|(group, _)| group).collect();
        table.push_str(&format!("[[person]]\nid = \"{id}\"\nname = {}\nemail = {}\nteams = {teams:?}\naccounts = {{ warehouse = \"{id}\" }}\n", person["name"], person["email"]));
    }
    table
}

/// Waits until every delivery is done.
async fn delivered(database: &Database) {
    let limit = Instant::now() + Duration::from_secs(60);
    while database.count("SELECT CAST(count(*) AS TEXT) AS line FROM deliveries WHERE state <> 'done'") > 0 {
        assert!(Instant::now() < limit, "deliveries are not done: {:?}", database.lines("SELECT COALESCE(note, state) AS line FROM deliveries WHERE state <> 'done' LIMIT 5"));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Brings everybody and every group in as a program would over SCIM: people, groups with their members, then what stands
/// below what.
async fn feed(service: &Service, org: &serde_json::Value, groups: &BTreeMap<String, BTreeSet<String>>) {
    let made = service.must(&["token", "create", "--service", "idp", "--owner", "boot", "--scopes", "scim", "--format", "json"]);
    let token = serde_json::from_str::<serde_json::Value>(&made).unwrap()["token"].as_str().unwrap().to_owned();
    let mut client = Client::connect(service.address()).await.unwrap();
    for person in org["people"].as_array().unwrap() {
        let user = serde_json::json!({
            "userName": person["id"], "externalId": person["id"], "displayName": person["name"], "active": true,
            "emails": if person["email"].is_null() { serde_json::json!([]) } else { serde_json::json!([{ "value": person["email"], "type": "work", "primary": true }]) },
            "urn:bandpass:params:scim:schemas:extension:2.0:User": { "accounts": { "warehouse": person["id"] } },
        });
        let (status, made) = call(&mut client, &token, "POST", "/scim/v2/Users", Some(&user.to_string())).await;
        assert_eq!((status, &made["id"]), (201, &person["id"]), "{made}");
    }
    for group in org["groups"].as_array().unwrap() {
        let members: Vec<_> = groups[group["name"].as_str().unwrap()].iter().map(|m| serde_json::json!({ "value": m })).collect();
        let body = serde_json::json!({ "displayName": group["name"], "members": members });
        let (status, made) = call(&mut client, &token, "POST", "/scim/v2/Groups", Some(&body.to_string())).await;
        assert_eq!((status, &made["id"]), (201, &group["name"]), "{made}");
        if !group["title"].is_null() {
            let rename = serde_json::json!({ "Operations": [{ "op": "replace", "path": "displayName", "value": group["title"] }] });
            assert_eq!(call(&mut client, &token, "PATCH", &format!("/scim/v2/Groups/{}", group["name"].as_str().unwrap()), Some(&rename.to_string())).await.0, 200);
        }
    }
    for group in org["groups"].as_array().unwrap().iter().filter(|g| !g["parent"].is_null()) {
        let below = serde_json::json!({ "Operations": [{ "op": "add", "path": "members", "value": [{ "value": group["name"], "type": "Group" }] }] });
        let (status, told) = call(&mut client, &token, "PATCH", &format!("/scim/v2/Groups/{}", group["parent"].as_str().unwrap()), Some(&below.to_string())).await;
        assert_eq!(status, 200, "{told}");
    }
}

async fn take_through(name: &str, folder: &Folder, database: Database, data: &Path, by_scim: bool) {
    let org: serde_json::Value = serde_json::from_str(&fs::read_to_string(data.join("org.json")).unwrap()).unwrap();
    let texts = |v: &serde_json::Value| v.as_array().unwrap().iter().map(|t| t.as_str().unwrap().to_owned()).collect::<BTreeSet<String>>();
    let groups: BTreeMap<String, BTreeSet<String>> = org["groups"].as_array().unwrap().iter().map(|g| (g["name"].as_str().unwrap().to_owned(), texts(&g["members"]))).collect();
    let people: BTreeSet<String> = org["people"].as_array().unwrap().iter().map(|p| p["id"].as_str().unwrap().to_owned()).collect();
    let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", &database);
    let policies = folder.path().join("scaffold");
    let catalogue = data.join("org.yaml").display().to_string();
    service.set("POLICY__SOURCE", &policies.display().to_string());
    service.set("DIRECTORY__SOURCE", &catalogue);
    let owners = data.join("owners.csv").display().to_string();
    let scaffold = ["policy", "scaffold", "--backstage", &catalogue, "--owners", &owners, "--fallback-owner", &format!("team:{FALLBACK}"), "--out", policies.to_str().unwrap()];
    service.must(&scaffold);
    assert!(!service.run(&scaffold).status.success(), "existing files are refused");
    // Names that nobody knows yet are an error: over SCIM people come first.
    if !by_scim {
        service.must(&["policy", "check"]);
    }
    // Every fifth group that has members is a role of the target.
    let roles: BTreeSet<&str> = groups.iter().filter(|(_, m)| !m.is_empty()).map(|(g, _)| g.as_str()).step_by(5).collect();
    for group in &roles {
        let file = policies.join(format!("groups/{group}.toml"));
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{text}\n[[entitlement]]\nconnector = \"warehouse\"\nname = \"{}\"\n", role(group))).unwrap();
    }
    let target = Arc::new(target_with(&roles, &people));
    service.set("CONNECTOR__WAREHOUSE__KIND", "postgres");
    service.set("CONNECTOR__WAREHOUSE__URL", &target.url_of("connector", "of-the-connector", "postgres"));
    service.set("CONNECTOR__WAREHOUSE__ALLOWED_ROLES", &format!("{:?}", roles.iter().map(|g| role(g)).collect::<Vec<_>>()));
    service.set("SIGNIN__DEVELOPMENT_REAL_TARGETS", "true");
    if database.superuser_url().is_some() {
        service.must(&["db", "migrate"]);
    }
    if by_scim {
        // Files know nobody but whoever answers for the program; the policy waits for everybody else.
        let first = folder.path().join("first.toml");
        fs::write(&first, "[[person]]\nid = \"boot\"\nname = \"Boot\"\n").unwrap();
        service.set("POLICY__POLL_SECONDS", "1");
        service.set("DIRECTORY__SOURCE", &first.display().to_string());
        service.start().await;
        feed(&service, &org, &groups).await;
        let limit = Instant::now() + Duration::from_secs(60);
        while database.count("SELECT CAST(count(*) AS TEXT) AS line FROM audit_log WHERE kind = 'policy.loaded'") < 1 {
            assert!(Instant::now() < limit, "the policy is not loaded:\n{}", service.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    } else {
        service.start().await;
        let table = folder.path().join("people.toml");
        fs::write(&table, people_table(&org, &groups)).unwrap();
        service.must(&["directory", "import", "--people", table.to_str().unwrap()]);
    }
    let sampler = Sampler::start(Arc::clone(&target));
    let tokens = tokens(&service, folder.path(), &people).await;
    let mut client = Client::connect(service.address()).await.unwrap();
    let fallback = &groups[FALLBACK];
    let (mut asked, mut by_owner, mut by_fallback) = (0, 0, 0);
    for (group, members) in &groups {
        for member in members {
            let body = format!(r#"{{"group":"{group}","justification":"member of {group}"}}"#);
            let (status, filed) = call(&mut client, &tokens[member], "POST", "/api/v1/requests", Some(&body)).await;
            assert_eq!((status, filed["status"].as_str()), (201, Some("pending")), "{member} in {group}: {filed}");
            asked += 1;
            let path = format!("/api/v1/requests/{}", filed["id"].as_str().unwrap());
            let mut through_fallback = false;
            loop {
                let (_, now) = call(&mut client, &tokens[member], "GET", &path, None).await;
                if now["status"] != "pending" {
                    assert_eq!(now["status"], "granted", "{member} in {group}");
                    break;
                }
                let eligible: Vec<&str> = now["approvers"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
                assert!(!eligible.contains(&member.as_str()), "nobody approves their own");
                // The nearest owner first, else the fallback team.
                let approver = eligible.iter().find(|a| !fallback.contains(**a)).or(eligible.first()).unwrap_or_else(|| panic!("nobody can approve {member} in {group}"));
                through_fallback |= fallback.contains(*approver);
                let (status, answer) = call(&mut client, &tokens[*approver], "POST", &format!("{path}/approve"), Some("{}")).await;
                assert_eq!(status, 200, "{approver} for {member} in {group}: {answer}");
            }
            if through_fallback { by_fallback += 1 } else { by_owner += 1 }
        }
    }
    let auditor = &tokens[fallback.first().unwrap()];
    for (group, members) in &groups {
        let (status, found) = call(&mut client, auditor, "GET", &format!("/api/v1/groups/{group}/members?limit=200"), None).await;
        assert_eq!(status, 200);
        let held: BTreeSet<String> = found["items"].as_array().unwrap().iter().map(|g| g["person"].as_str().unwrap().to_owned()).collect();
        assert_eq!(&held, members, "{group}");
    }
    delivered(&database).await;
    // Every third holder of a role gives it back.
    let (mut revoked, mut left) = (0, BTreeSet::new());
    for group in &roles {
        let (_, found) = call(&mut client, auditor, "GET", &format!("/api/v1/groups/{group}/members?limit=200"), None).await;
        for (n, grant) in found["items"].as_array().unwrap().iter().enumerate() {
            let person = grant["person"].as_str().unwrap();
            if n % 3 == 0 {
                let path = format!("/api/v1/grants/{}/revoke", grant["id"].as_str().unwrap());
                assert_eq!(call(&mut client, &tokens[person], "POST", &path, Some("{}")).await.0, 200);
                revoked += 1;
            } else {
                left.insert((role(group), person.to_owned()));
            }
        }
    }
    delivered(&database).await;
    let mut samples = sampler.end();
    let last = sample(&target);
    assert_eq!(last.held, left, "the target holds what the live grants carry, and nothing else");
    samples.push(last);
    let told = journal(&database, "warehouse");
    let explained = explain(&samples, &told);
    assert_eq!(explained.violations, Vec::<String>::new());
    assert!(samples.len() > 5 && explained.seen > left.len(), "{} samples, {} seen", samples.len(), explained.seen);
    // The comparison can fail: what somebody does at the target by hand is found.
    let kept = left.first().unwrap();
    let stranger = people.iter().find(|p| !left.contains(&(kept.0.clone(), (*p).clone()))).unwrap();
    target.sql(&format!("GRANT {role} TO \"{stranger}\"; REVOKE {role} FROM \"{}\" GRANTED BY connector", kept.1, role = kept.0));
    let by_hand = explain(&[sample(&target)], &told).violations;
    assert_eq!(by_hand.len(), 2, "{by_hand:?}");
    println!(
        "{name}: target with {} roles: {} samples, {} memberships seen and {} absences, all explained by {} deliveries; {revoked} given back, {} held at the end",
        roles.len(),
        samples.len(),
        explained.seen,
        explained.absent,
        told.values().map(Vec::len).sum::<usize>(),
        left.len()
    );
    let verified = service.must(&["audit", "verify", "--rebuild"]);
    let replayed = service.must(&["audit", "replay"]);
    println!("{name}: {} people, {} groups, {asked} memberships requested: {by_owner} by owners, {by_fallback} by the fallback team; {}; {}", people.len(), groups.len(), verified.trim(), replayed.trim());
    service.stop();
}

fn on_both_databases(by_scim: bool) {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/real-org");
    let data = std::env::var_os("BANDPASS_REAL_ORG").map_or(beside, Into::into);
    if !data.exists() {
        println!("left out: the real organisation lies beside the repository and is not there");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Some(why) = postgres::missing() {
        println!("left out: {why}");
        return;
    }
    let how = if by_scim { ", by SCIM" } else { "" };
    runtime.block_on(async {
        let folder = Folder::new("bandpass_real");
        let database = Database::sqlite(folder.path());
        take_through(&format!("SQLite{how}"), &folder, database, &data, by_scim).await;
        let folder = Folder::new("bandpass_real");
        take_through(&format!("PostgreSQL{how}"), &folder, Database::postgres(Postgres::shared()), &data, by_scim).await;
    });
}

#[test]
fn the_real_organisation_goes_all_the_way() {
    on_both_databases(false);
}

#[test]
fn the_real_organisation_comes_by_scim_and_ends_the_same() {
    on_both_databases(true);
}
