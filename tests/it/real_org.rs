//! The real organisation, all the way: scaffolded, checked, every direct membership requested over HTTP by the person and
//! approved by an eligible approver; at the end the members of each group equal the source.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

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

async fn take_through(name: &str, folder: &Folder, database: Database, data: &Path) {
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
    service.must(&["policy", "check"]);
    if database.superuser_url().is_some() {
        service.must(&["db", "migrate"]);
    }
    service.start().await;
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
    let verified = service.must(&["audit", "verify", "--rebuild"]);
    let replayed = service.must(&["audit", "replay"]);
    println!("{name}: {} people, {} groups, {asked} memberships requested: {by_owner} by owners, {by_fallback} by the fallback team; {}; {}", people.len(), groups.len(), verified.trim(), replayed.trim());
    service.stop();
}

#[test]
fn the_real_organisation_goes_all_the_way() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/real-org");
    if !data.exists() {
        println!("left out: the real organisation lies beside the repository and is not there");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = Folder::new("bandpass_real");
        let database = Database::sqlite(folder.path());
        take_through("SQLite", &folder, database, &data).await;
        match postgres::missing() {
            Some(why) => println!("real organisation: PostgreSQL left out: {why}"),
            None => {
                let folder = Folder::new("bandpass_real");
                take_through("PostgreSQL", &folder, Database::postgres(Postgres::shared()), &data).await;
            }
        }
    });
}
