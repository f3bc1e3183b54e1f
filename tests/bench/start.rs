//! Start to ready with 10,000 people and 1,000 groups, the first time and the second, and what memory the service then takes:
//! at ready, and after `BANDPASS_BENCH_GRANTS` grants (50,000).
//!
//! The limit beside it is what any program pays for the same: reading the same files, and reading the same rows back.

use std::time::{Duration, Instant};

use super::{
    databases::on_each,
    driver::{Span, drive},
    load::{memory_of, requests},
    number,
    support::{
        database::Database,
        organisation::{self, Size},
        service::{Folder, Service, program},
    },
};

const PEOPLE: usize = 10_000;
const GROUPS: usize = 1_000;
/// Starts of a filled database.
const STARTS: usize = 5;

/// Runs and prints one table a database.
pub fn run() {
    on_each("start", async |folder, database| one(folder, database).await);
}

fn judged(good: bool) -> &'static str {
    if good { "met" } else { "MISSED" }
}

async fn one(folder: &Folder, database: &Database) {
    organisation::write(folder.path(), Size { people: PEOPLE, instant: GROUPS, asked: 0, asked_twice: 0 });
    let read = reading(folder);
    let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", database);
    if matches!(database, Database::Postgres { .. }) {
        service.must(&["db", "migrate"]);
    }
    println!("\n## start, {}: {PEOPLE} people, {GROUPS} groups, 5 guardrails\n", database.title());
    println!("| what | measured | beside | budget |\n|---|---:|---|---|");
    let first = service.start().await;
    let imported = database.count("SELECT CAST(count(*) AS TEXT) AS line FROM audit_log");
    let (ready_first, high_first) = memory_of(&service);
    println!(
        "| first start to ready, {imported} events written | {:.2} s | {:.3} s to read the same files | under 1 s: {} |",
        first.as_secs_f64(),
        read.as_secs_f64(),
        judged(first < Duration::from_secs(1))
    );
    service.stop();
    let mut again = Vec::new();
    let (mut ready, mut high) = (0, 0);
    for _ in 0..STARTS {
        again.push(service.start().await);
        (ready, high) = memory_of(&service);
        service.stop();
    }
    again.sort_unstable();
    let slowest = again.last().copied().unwrap_or_default();
    println!(
        "| second start to ready, median and slowest of {STARTS} | {:.2} s, {:.2} s | {:.3} s to read the same files | under 1 s: {} |",
        again[STARTS / 2].as_secs_f64(),
        slowest.as_secs_f64(),
        read.as_secs_f64(),
        judged(slowest < Duration::from_secs(1))
    );
    let in_budget = |mib: u64| format!("under 150 MiB: {}", judged(mib < 150));
    println!("| memory at ready, first start | {ready_first} MiB, at most {high_first} MiB | | {} |", in_budget(high_first));
    println!("| memory at ready, second start | {ready} MiB, at most {high} MiB | | {} |", in_budget(high));
    service.start().await;
    let tokens = service.tokens(&(0..PEOPLE).map(organisation::person).collect::<Vec<_>>(), "read,request");
    let grants = number("BANDPASS_BENCH_GRANTS", 50_000);
    let mut all = requests(&tokens, grants.div_ceil(PEOPLE));
    all.truncate(grants);
    let forever = Span { warm_up: Duration::ZERO, measure: Duration::from_secs(600) };
    let cell = drive(service.address(), 64, &all, r#""status":"granted""#, forever).await;
    let (now, most) = memory_of(&service);
    println!("| memory after {} grants by 64 clients, {} errors | {now} MiB, at most {most} MiB | | {} |", cell.acknowledged, cell.failures(), in_budget(most));
    if let Some(pid) = service.pid() {
        println!("\n{}", mapped(pid));
    }
    service.stop();
}

/// How long this process takes to read the files of a first start.
fn reading(folder: &Folder) -> Duration {
    let began = Instant::now();
    let mut bytes = 0;
    for part in ["policies/groups", "policies/guardrails", "people"] {
        for entry in std::fs::read_dir(folder.path().join(part)).expect("a folder").flatten() {
            bytes += std::fs::read(entry.path()).expect("a file").len();
        }
    }
    assert!(bytes > 0, "there are files");
    began.elapsed()
}

/// Where resident memory lies: the heap, other memory of the process itself, and the program's own text.
fn mapped(pid: u32) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap_or_default();
    let (mut heap, mut own, mut file, mut name) = (0_u64, 0_u64, 0_u64, String::new());
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("Rss:") => {
                let kib = words.next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
                match name.as_str() {
                    "[heap]" => heap += kib,
                    "" => own += kib,
                    _ => file += kib,
                }
            }
            Some(range) if range.contains('-') && !range.ends_with(':') => name = words.nth(4).unwrap_or_default().to_owned(),
            _ => {}
        }
    }
    format!("resident: heap of the main arena {} MiB, other memory of its own (arenas of threads, stacks, caches) {} MiB, files (program, shared memory) {} MiB", heap / 1024, own / 1024, file / 1024)
}
