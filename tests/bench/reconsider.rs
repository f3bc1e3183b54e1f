//! Every live grant decided again, while requests go on: a policy edit that touches all of them, on both databases.
//!
//! Two edits are measured: one by which all stand, and one by which a tenth ends. The times are those of the metrics
//! (`review_decided_milliseconds`, `review_milliseconds`). `BANDPASS_BENCH_GRANTS` sets how many are live (100000).

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    databases::on_each,
    driver::{Span, drive},
    support::{
        database::Database,
        http,
        organisation::{self, Size},
        service::{Folder, Service, program},
    },
};

const BUDGET: Duration = Duration::from_secs(5);

/// Runs everything and prints it.
pub fn run() {
    let grants: usize = std::env::var("BANDPASS_BENCH_GRANTS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    on_each("reconsider", async |folder, database| one(folder, database, grants).await);
}

fn submits(tokens: &[String], groups: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    let mut made = Vec::new();
    for group in groups {
        let body = format!(r#"{{"group":"{}","duration":"30d","justification":"measured"}}"#, organisation::group("instant", group));
        made.extend(tokens.iter().map(|token| http::request("POST", "/api/v1/requests", &[("Authorization", &format!("Bearer {token}"))], Some(&body))));
    }
    made
}

async fn one(folder: &Folder, database: &Database, grants: usize) {
    let people = (grants / 50).max(10);
    let held = grants / people;
    // A few groups more than are held at first: what is asked for meanwhile.
    let size = Size { people, instant: held + 50, asked: 0, asked_twice: 0 };
    organisation::write(folder.path(), size);
    let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", database);
    service.set("POLICY__POLL_SECONDS", "1");
    if matches!(database, Database::Postgres { .. }) {
        service.must(&["db", "migrate"]);
    }
    service.start().await;
    let ids: Vec<String> = (0..people).map(organisation::person).collect();
    let tokens = service.tokens(&ids, "read,request");
    let fill = Span { warm_up: Duration::ZERO, measure: Duration::from_secs(600) };
    let filling = Instant::now();
    drive(service.address(), 64, &submits(&tokens, 0..held), r#""status":"granted""#, fill).await;
    let live = || database.count("SELECT CAST(count(*) AS TEXT) AS line FROM grants WHERE status = 'active'");
    println!("\n## {}: {} live grants of {people} people in {held} groups, 5 guardrails; filled in {:.0} s", database.title(), live(), filling.elapsed().as_secs_f64());
    let before = drive(service.address(), 16, &submits(&tokens, held..held + 5), r#""status":"granted""#, span(3)).await;
    println!("  requests alone, 16 clients: {:.0}/s, p50 {:.2} ms, p99 {:.2} ms", before.rate, before.percentile(0.5), before.percentile(0.99));
    measure("all stand", folder.path(), &service, &tokens, held + 5..held + 25).await;
    // Every tenth group loses its rule for everybody: those of one team keep it.
    for n in (0..held).step_by(10) {
        edit(folder.path(), n, &|text| text.replace("who = [\"everyone\"]", "who = [\"team:team-19\"]"));
    }
    measure("a tenth ends", folder.path(), &service, &tokens, held + 25..held + 45).await;
    let ending = database.count("SELECT CAST(count(*) AS TEXT) AS line FROM grants WHERE standing = 'ending'");
    println!("  {ending} grants are ending, {} live", live());
    service.stop();
    let verified = service.run(&["audit", "verify", "--rebuild"]);
    let said = format!("{}{}", String::from_utf8_lossy(&verified.stdout), String::from_utf8_lossy(&verified.stderr));
    println!("  audit verify --rebuild: {}: {}", verified.status, said.trim().lines().last().unwrap_or_default());
}

fn span(seconds: u64) -> Span {
    Span { warm_up: Duration::ZERO, measure: Duration::from_secs(seconds) }
}

fn edit(folder: &Path, group: usize, change: &dyn Fn(&str) -> String) {
    let path = folder.join(format!("policies/groups/{}.toml", organisation::group("instant", group)));
    let text = std::fs::read_to_string(&path).expect("a group file");
    std::fs::write(&path, change(&text)).expect("a group file");
}

/// Saves an edit, so that a set is loaded, and drives requests until all grants were decided again and a while longer.
async fn measure(what: &str, folder: &Path, service: &Service, tokens: &[String], groups: std::ops::Range<usize>) {
    let read = || async {
        let request = http::request("GET", "/metrics", &[], None);
        let text = http::once(service.address(), &request).await.map(|a| String::from_utf8_lossy(&a.body).into_owned()).unwrap_or_default();
        ["reviews", "reviewed_grants", "review_decided_milliseconds", "review_milliseconds"]
            .map(|name| text.lines().find_map(|l| l.strip_prefix(&format!("bandpass_ledger{{what=\"{name}\"}} "))?.trim().parse::<f64>().ok()).unwrap_or(0.0))
    };
    let [reviews, ..] = read().await;
    edit(folder, 1, &|text| format!("{text}# {what}\n"));
    let began = Instant::now();
    let watch = async {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let [now, grants, decided, whole] = read().await;
            if now > reviews || began.elapsed() > Duration::from_secs(120) {
                return (grants, decided / 1000.0, whole / 1000.0, began.elapsed());
            }
        }
    };
    let requests = submits(tokens, groups);
    let (meanwhile, (grants, decided, whole, elapsed)) = tokio::join!(drive(service.address(), 16, &requests, r#""status":"granted""#, span(12)), watch);
    let met = if Duration::from_secs_f64(decided) < BUDGET { "met" } else { "MISSED" };
    println!(
        "  {what}: {grants:.0} live grants decided again in {decided:.2} s (budget 5 s: {met}), what changed recorded after {whole:.2} s, {:.1} s after the edit was saved; meanwhile 16 clients: {:.0} requests/s, p50 {:.2} ms, p99 {:.2} ms, {} errors",
        elapsed.as_secs_f64(),
        meanwhile.rate,
        meanwhile.percentile(0.5),
        meanwhile.percentile(0.99),
        meanwhile.failures()
    );
}
