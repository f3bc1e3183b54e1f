//! A directory that feeds Bandpass over SCIM: 10,000 users created one after another on a few connections while people file
//! requests, each user a durable event of its own; then pages of the list, lookups and a search of everybody.
//!
//! `BANDPASS_BENCH_USERS` (10,000), `BANDPASS_BENCH_SCIM_CLIENTS` (4), `BANDPASS_BENCH_SCIM_FILERS` (8) and
//! `BANDPASS_BENCH_DATABASE` change it.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use super::{
    databases::on_each,
    load::{memory_of, requests},
    number,
    support::{
        database::Database,
        http::{Client, request},
        organisation::{self, Size},
        service::{Folder, Service, program},
    },
};

const PEOPLE: usize = 1000;
const GROUPS: usize = 100;

/// Runs and prints one table a database.
pub fn run() {
    on_each("scim", async |folder, database| one(folder, database).await);
}

fn user(n: usize) -> String {
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"user{n}@scim.example","externalId":"s{n:05}","displayName":"User {n}","name":{{"givenName":"User","familyName":"{n}"}},"title":"Engineer","userType":"permanent","active":true,"emails":[{{"value":"user{n}@scim.example","type":"work","primary":true}}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{{"department":"D{}","employeeNumber":"{n}","manager":{{"value":"user{}@scim.example"}}}}}}"#,
        n % 50,
        n / 10,
    )
}

fn judged(good: bool) -> &'static str {
    if good { "met" } else { "MISSED" }
}

async fn one(folder: &Folder, database: &Database) {
    let (users, clients, filers) = (number("BANDPASS_BENCH_USERS", 10_000), number("BANDPASS_BENCH_SCIM_CLIENTS", 4), number("BANDPASS_BENCH_SCIM_FILERS", 8));
    organisation::write(folder.path(), Size { people: PEOPLE, instant: GROUPS, asked: 0, asked_twice: 0 });
    let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", database);
    if matches!(database, Database::Postgres { .. }) {
        service.must(&["db", "migrate"]);
    }
    service.start().await;
    let made = service.must(&["token", "create", "--service", "okta", "--owner", &organisation::person(0), "--scopes", "scim", "--format", "json"]);
    let token = serde_json::from_str::<serde_json::Value>(&made).expect("JSON")["token"].as_str().expect("a token").to_owned();
    let bearer = format!("Bearer {token}");
    let tokens = service.tokens(&(0..PEOPLE).map(organisation::person).collect::<Vec<_>>(), "read,request");
    let filed = Rc::new(requests(&tokens, GROUPS));
    let (next, next_filed, granted, over) = (Rc::new(Cell::new(0_usize)), Rc::new(Cell::new(0_usize)), Rc::new(Cell::new(0_usize)), Rc::new(Cell::new(false)));
    let address = service.address();
    let local = tokio::task::LocalSet::new();
    let began = Instant::now();
    let mut feeding = Vec::new();
    for _ in 0..clients {
        let (next, bearer) = (Rc::clone(&next), bearer.clone());
        feeding.push(local.spawn_local(async move {
            let mut client = Client::connect(address).await.expect("the service listens");
            let mut slowest = Duration::ZERO;
            loop {
                let n = next.get();
                if n >= users {
                    return slowest;
                }
                next.set(n + 1);
                let sent = Instant::now();
                let answer = client.send(&request("POST", "/scim/v2/Users", &[("Authorization", &bearer)], Some(&user(n)))).await.expect("an answer");
                assert_eq!(answer.status, 201, "{}", answer.shown());
                slowest = slowest.max(sent.elapsed());
            }
        }));
    }
    for _ in 0..filers {
        let (next, granted, over, filed) = (Rc::clone(&next_filed), Rc::clone(&granted), Rc::clone(&over), Rc::clone(&filed));
        local.spawn_local(async move {
            let mut client = Client::connect(address).await.expect("the service listens");
            while let Some(bytes) = filed.get(next.replace(next.get() + 1)).filter(|_| !over.get()) {
                let answer = client.send(bytes).await.expect("an answer");
                assert_eq!(answer.status, 201, "{}", answer.shown());
                granted.set(granted.get() + 1);
            }
        });
    }
    let (took, slowest) = local
        .run_until(async {
            let mut slowest = Duration::ZERO;
            for task in feeding {
                slowest = slowest.max(task.await.expect("a client ends"));
            }
            let took = began.elapsed();
            over.set(true);
            (took, slowest)
        })
        .await;
    local.await;
    println!("\n## scim, {}: {users} users on {clients} connections, while {filers} clients file requests\n", database.title());
    println!("| what | measured | budget |\n|---|---:|---|");
    println!(
        "| {users} users created | {:.1} s ({:.0}/s), the slowest in {:.0} ms; {} requests granted meanwhile ({:.0}/s) | under 60 s: {} |",
        took.as_secs_f64(),
        users as f64 / took.as_secs_f64(),
        slowest.as_secs_f64() * 1000.0,
        granted.get(),
        granted.get() as f64 / took.as_secs_f64(),
        judged(took < Duration::from_secs(60))
    );
    let mut client = Client::connect(address).await.expect("the service listens");
    let last = users.saturating_sub(100).max(1);
    let paths = [
        ("a page of 100 users, the first", "/Users?count=100".to_owned(), Some(50.0)),
        ("a page of 100 users, the last", format!("/Users?startIndex={last}&count=100"), Some(50.0)),
        ("a page of 500 users", "/Users?startIndex=3000&count=500".to_owned(), None),
        ("a lookup by userName", format!("/Users?filter=userName%20eq%20%22user{}%40scim.example%22", users / 2), None),
        ("a search of everybody by title and department", "/Users?count=100&filter=title%20co%20%22gin%22%20and%20urn%3Aietf%3Aparams%3Ascim%3Aschemas%3Aextension%3Aenterprise%3A2.0%3AUser%3Adepartment%20eq%20%22d7%22".to_owned(), Some(50.0)),
        ("those who are active, the last changed first, a page of 100", "/Users?count=100&sortBy=meta.lastModified&sortOrder=descending&filter=active%20eq%20true".to_owned(), Some(50.0)),
        ("everybody in order of their names, a page of 100", "/Users?count=100&sortBy=displayName&startIndex=500".to_owned(), Some(50.0)),
    ];
    for (what, path, budget) in paths {
        let mut times = Vec::new();
        for _ in 0..30 {
            let sent = Instant::now();
            let answer = client.send(&request("GET", &format!("/scim/v2{path}"), &[("Authorization", &bearer)], None)).await.expect("an answer");
            assert_eq!(answer.status, 200, "{}", answer.shown());
            times.push(sent.elapsed().as_secs_f64() * 1000.0);
        }
        times.sort_by(f64::total_cmp);
        let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
        let budget = budget.map_or_else(String::new, |b| format!("under {b} ms: {}", judged(worst < b)));
        println!("| {what} | {median:.1} ms, the slowest of 30 {worst:.1} ms | {budget} |");
    }
    let (now, high) = memory_of(&service);
    service.stop();
    service.start().await;
    let (again, _) = memory_of(&service);
    service.stop();
    let events = database.count("SELECT CAST(count(*) AS TEXT) AS line FROM audit_log WHERE kind = 'person.added' AND actor = 'service:okta'");
    let verified = service.run(&["audit", "verify", "--rebuild"]);
    println!("\nmemory {now} MiB, {high} at most; {again} MiB after another start; {events} `person.added` events for {users} users: {}", if events == users as u64 { "equal" } else { "DIFFERENT" });
    let said = format!("{}{}", String::from_utf8_lossy(&verified.stdout), String::from_utf8_lossy(&verified.stderr));
    println!("audit verify --rebuild: {}: {}", verified.status, said.trim().lines().last().unwrap_or_default());
}
