//! Queries of the audit log over HTTP with an auditor's token, and its page, over ten million events.
//!
//! `BANDPASS_BENCH_EVENTS` sets how many events (10,000,000), `BANDPASS_BENCH_QUERIES` how many queries of each shape (200),
//! `BANDPASS_BENCH_DATABASE` picks `sqlite` or `postgres`. The files lie below the temporary folder: 8 to 12 GB, and go with the
//! run. `BANDPASS_BENCH_FILLED` names a folder with the SQLite file of an earlier run (kept by `BANDPASS_TEST_KEEP`): it is asked
//! again instead of another being made.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use bandpass::domain::time::Time;

use super::{
    audit_fill::{self, GROUPS, PEOPLE, SPAN},
    number,
    support::{
        database::Database,
        http::{self, Client},
        organisation::{self, Size},
        postgres::{self, Postgres},
        random::Random,
        service::{Folder, Service, program},
    },
};

/// p99 of every shape that an index serves, in milliseconds.
const BUDGET: f64 = 50.0;

/// Fills each database, asks, and prints one table a database.
pub fn run() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let wanted = std::env::var("BANDPASS_BENCH_DATABASE").unwrap_or_default();
    if let Some(filled) = std::env::var_os("BANDPASS_BENCH_FILLED").map(PathBuf::from) {
        runtime.block_on(again(&filled));
        return;
    }
    if wanted != "postgres" {
        let folder = Folder::new("bandpass_bench");
        let database = Database::sqlite(folder.path());
        runtime.block_on(one(folder.path(), &database));
    }
    if wanted != "sqlite" {
        if let Some(why) = postgres::missing() {
            println!("audit: PostgreSQL left out: {why}");
            return;
        }
        let server = Arc::new(Postgres::start(&["shared_buffers=256MB", "max_wal_size=2GB"]));
        let folder = Folder::new("bandpass_bench");
        let database = Database::postgres(server);
        runtime.block_on(one(folder.path(), &database));
    }
}

/// A kind of query: its name, how many pages each walk takes, whether an index serves it, and the query.
struct Shape {
    name: &'static str,
    pages: usize,
    indexed: bool,
    ask: fn(&mut Any) -> String,
}

/// Draws what queries ask for.
struct Any {
    random: Random,
    last: i64,
}

impl Any {
    /// A person: drawn as events are, so busy ones more often.
    fn person(&mut self) -> String {
        let n = self.random.below(PEOPLE as u64);
        organisation::person(usize::try_from(n * n / PEOPLE as u64).unwrap_or(0))
    }

    fn group(&mut self) -> String {
        let n = self.random.below(GROUPS as u64);
        organisation::group("instant", usize::try_from(n * n / GROUPS as u64).unwrap_or(0))
    }

    /// `from` and `to`, some days apart.
    fn days(&mut self, days: i64) -> String {
        let long = days * 86_400_000_000;
        let from = self.last - SPAN + i64::try_from(self.random.below(u64::try_from(SPAN - long).unwrap_or(1))).unwrap_or(0);
        format!("from={}&to={}", Time::from_micros(from), Time::from_micros(from + long))
    }

    fn of(&mut self, words: &[&str]) -> String {
        words[usize::try_from(self.random.below(words.len() as u64)).unwrap_or(0)].to_owned()
    }

    fn request(&mut self, events: i64) -> String {
        format!("01900000-0000-7000-8000-{:012}", self.random.below(u64::try_from(events / 2).unwrap_or(1)))
    }
}

const COMMON: &[&str] = &["request.granted", "delivery.done", "request.denied", "grant.expired", "request."];
const RARE: &[&str] = &["block.lifted", "policy.load_failed", "freeze.set", "refused", "policy."];
const RARE_OF_PEOPLE: &[&str] = &["block.lifted", "grant.revoked", "request.withdrawn", "token.revoked"];

const SHAPES: &[Shape] = &[
    Shape { name: "nothing, page by page", pages: 10, indexed: true, ask: |_| String::new() },
    Shape { name: "from + to, a day, page by page", pages: 10, indexed: true, ask: |any| any.days(1) },
    Shape { name: "person", pages: 1, indexed: true, ask: |any| format!("person={}", any.person()) },
    Shape { name: "person, page by page", pages: 20, indexed: true, ask: |any| format!("person={}", any.person()) },
    Shape { name: "group", pages: 1, indexed: true, ask: |any| format!("group={}", any.group()) },
    Shape { name: "group, 200 a page, page by page", pages: 20, indexed: true, ask: |any| format!("limit=200&group={}", any.group()) },
    Shape { name: "kind, common", pages: 5, indexed: true, ask: |any| format!("kind={}", any.of(COMMON)) },
    Shape { name: "kind, rare", pages: 1, indexed: true, ask: |any| format!("kind={}", any.of(RARE)) },
    Shape { name: "outcome", pages: 5, indexed: true, ask: |any| format!("outcome={}", any.of(&["granted", "denied", "pending", "ended", "done", "failing", "refused"])) },
    Shape { name: "request", pages: 1, indexed: true, ask: |any| format!("request={}", any.request(100_000)) },
    Shape { name: "person + kind", pages: 2, indexed: true, ask: |any| format!("person={}&kind={}", any.person(), any.of(COMMON)) },
    Shape { name: "person + rare kind", pages: 1, indexed: true, ask: |any| format!("person={}&kind={}", any.person(), any.of(RARE_OF_PEOPLE)) },
    Shape { name: "busiest person + rare kind", pages: 1, indexed: true, ask: |any| format!("person=p00000&kind={}", any.of(RARE_OF_PEOPLE)) },
    Shape { name: "person + outcome", pages: 2, indexed: true, ask: |any| format!("person={}&outcome={}", any.person(), any.of(&["granted", "denied", "pending", "ended", "failing"])) },
    Shape { name: "group + kind", pages: 2, indexed: true, ask: |any| format!("group={}&kind={}", any.group(), any.of(&["request.granted", "request.denied", "grant."])) },
    Shape { name: "group + outcome", pages: 2, indexed: true, ask: |any| format!("group={}&outcome={}", any.group(), any.of(&["granted", "denied", "pending", "ended"])) },
    Shape { name: "group + rare kind", pages: 1, indexed: true, ask: |any| format!("group={}&kind=block.lifted", any.group()) },
    Shape { name: "busiest group + rare kind", pages: 1, indexed: true, ask: |_| "group=instant-0000&kind=block.lifted".to_owned() },
    Shape { name: "busiest group, nothing to find", pages: 1, indexed: true, ask: |_| "group=instant-0000&outcome=failing".to_owned() },
    Shape { name: "person + group", pages: 1, indexed: true, ask: |any| format!("person={}&group={}", any.person(), any.group()) },
    Shape { name: "busiest approver + group", pages: 1, indexed: true, ask: |any| format!("person=p00003&group={}", any.group()) },
    Shape { name: "person + group + outcome", pages: 1, indexed: true, ask: |any| format!("person={}&group={}&outcome={}", any.person(), any.group(), any.of(&["granted", "denied"])) },
    Shape { name: "person + from + to, a month", pages: 1, indexed: true, ask: |any| format!("person={}&{}", any.person(), any.days(30)) },
    Shape { name: "group + from + to, a week", pages: 1, indexed: true, ask: |any| format!("group={}&{}", any.group(), any.days(7)) },
    Shape { name: "kind + from + to, a day", pages: 1, indexed: true, ask: |any| format!("kind={}&{}", any.of(RARE), any.days(1)) },
    Shape { name: "group + outcome + from + to, a month", pages: 1, indexed: true, ask: |any| format!("group={}&outcome=denied&{}", any.group(), any.days(30)) },
    Shape { name: "text: q, a window of rows", pages: 2, indexed: false, ask: |any| format!("q=case+{}", any.random.below(100_000)) },
    Shape { name: "text: q + person", pages: 1, indexed: false, ask: |any| format!("q=quarter&person={}", any.person()) },
    Shape { name: "page /audit", pages: 3, indexed: true, ask: |_| "/audit?".to_owned() },
    Shape { name: "page /audit, person", pages: 2, indexed: true, ask: |any| format!("/audit?person={}", any.person()) },
    Shape { name: "page /audit, group + outcome", pages: 2, indexed: true, ask: |any| format!("/audit?group={}&outcome=denied", any.group()) },
];

/// What one shape came to.
struct Row {
    millis: Vec<f64>,
    found: usize,
}

impl Row {
    fn at(&self, share: f64) -> f64 {
        let last = self.millis.len().saturating_sub(1);
        self.millis.get(((self.millis.len() as f64 * share) as usize).min(last)).copied().unwrap_or(f64::NAN)
    }
}

/// Asks the database of an earlier run.
async fn again(folder: &Path) {
    let database = Database::sqlite(folder);
    let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder, "run", &database);
    let started = service.start().await;
    let token = service.tokens(&[organisation::person(1)], "read,audit").remove(0);
    let number = |column: &str| i64::try_from(database.count(&format!("SELECT CAST({column} AS TEXT) AS line FROM head"))).expect("a number");
    println!("\n## audit, SQLite: {} events of an earlier run; start to ready {:.2} s\n", number("seq"), started.as_secs_f64());
    ask_all(&service, number("at"), &token).await;
    service.stop();
}

async fn one(folder: &Path, database: &Database) {
    organisation::write(folder, Size { people: PEOPLE, instant: GROUPS, asked: 0, asked_twice: 0 });
    let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder, "run", database);
    if matches!(database, Database::Postgres { .. }) {
        service.must(&["db", "migrate"]);
    }
    service.start().await;
    let token = service.tokens(&[organisation::person(1)], "read,audit").remove(0);
    service.stop();
    let filled = audit_fill::fill(database, i64::try_from(number("BANDPASS_BENCH_EVENTS", 10_000_000)).expect("a number"));
    let started = service.start().await;
    println!(
        "\n## audit, {}: {} events, {PEOPLE} people, {GROUPS} groups, two years; {:.1} GB; rows made in {:.0} s, indexes in {:.0} s; start to ready {:.2} s\n",
        database.title(),
        filled.events,
        audit_fill::bytes(database) as f64 / 1e9,
        filled.rows,
        filled.indexes,
        started.as_secs_f64()
    );
    ask_all(&service, filled.last, &token).await;
    service.stop();
}

/// The session cookie of the auditor, for pages.
async fn sign_in(service: &Service) -> String {
    let form = format!("person={}", organisation::person(1));
    let request = format!("POST /signin HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}", service.address(), form.len());
    let answer = http::once(service.address(), request.as_bytes()).await.expect("an answer");
    let cookie = answer.head.lines().find_map(|l| l.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case("set-cookie"))?.1.trim().split(';').next().map(str::to_owned));
    cookie.unwrap_or_else(|| panic!("no cookie: {}", answer.shown()))
}

async fn ask_all(service: &Service, last: i64, token: &str) {
    let wanted = number("BANDPASS_BENCH_QUERIES", 200);
    let cookie = sign_in(service).await;
    let authorization = format!("Bearer {token}");
    let mut client = Client::connect(service.address()).await.expect("the service listens");
    let health = http::request("GET", "/healthz", &[], None);
    let mut floor = Row { millis: Vec::new(), found: 0 };
    for _ in 0..wanted {
        let sent = Instant::now();
        client.send(&health).await.expect("an answer");
        floor.millis.push(sent.elapsed().as_secs_f64() * 1000.0);
    }
    floor.millis.sort_by(f64::total_cmp);
    println!("| query | asked | rows a page | p50 ms | p99 ms | max ms | budget |\n|---|---:|---:|---:|---:|---:|---|");
    println!("| floor: /healthz over the same connection | {wanted} | | {:.2} | {:.2} | {:.2} | |", floor.at(0.5), floor.at(0.99), floor.at(1.0));
    let mut missed = Vec::new();
    for (index, shape) in SHAPES.iter().enumerate() {
        let mut any = Any { random: Random::new(17 + index as u64), last };
        let mut row = Row { millis: Vec::new(), found: 0 };
        while row.millis.len() < wanted {
            let query = (shape.ask)(&mut any);
            let page = query.starts_with('/');
            let mut path = if page { query } else { format!("/api/v1/audit?{query}") };
            let header = if page { ("Cookie", cookie.as_str()) } else { ("Authorization", authorization.as_str()) };
            let first = path.clone();
            for _ in 0..shape.pages {
                let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{}: {}\r\n\r\n", service.address(), header.0, header.1).into_bytes();
                let sent = Instant::now();
                let answer = client.send(&request).await.expect("an answer");
                row.millis.push(sent.elapsed().as_secs_f64() * 1000.0);
                assert_eq!(answer.status, 200, "GET {path}: {}", answer.shown());
                let next = if page { older(&answer.body) } else {
                    let answer = answer.json();
                    row.found += answer["items"].as_array().map_or(0, Vec::len);
                    answer["next"].as_str().map(|cursor| format!("{first}&cursor={cursor}"))
                };
                match next {
                    Some(next) => path = next,
                    None => break,
                }
            }
        }
        row.millis.sort_by(f64::total_cmp);
        let good = row.at(0.99) < BUDGET;
        let judged = if !shape.indexed { "none: bounded work a page" } else if good { "met" } else { "MISSED" };
        if shape.indexed && !good {
            missed.push(shape.name);
        }
        println!("| {} | {} | {:.0} | {:.2} | {:.2} | {:.2} | {judged} |", shape.name, row.millis.len(), row.found as f64 / row.millis.len() as f64, row.at(0.5), row.at(0.99), row.at(1.0));
    }
    let judged = if missed.is_empty() { "met by every shape".to_owned() } else { format!("MISSED by {}", missed.join(", ")) };
    println!("\nevery query with an index, p99 under {BUDGET} ms: {judged}");
}

/// The link to older events of the page.
fn older(html: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(html);
    let at = text.find("cursor=")?;
    let from = text[..at].rfind('"')? + 1;
    let to = at + text[at..].find('"')?;
    Some(text[from..to].replace("&amp;", "&").replace("&#38;", "&"))
}
