//! `audit verify`, and with `--rebuild`, over a log that the service itself wrote, beside the speed of SHA-256 over the same
//! bytes and of reading the same rows.
//!
//! `BANDPASS_BENCH_REQUESTS` sets how many requests are granted first (60,000; each is two events), `BANDPASS_BENCH_DATABASE`
//! picks `sqlite` or `postgres`.

use std::time::{Duration, Instant};

use super::{
    databases::on_each,
    driver::{Span, drive},
    load::{drain, requests},
    number,
    support::{
        database::Database,
        organisation::{self, Size},
        service::{Folder, Service, program},
    },
};

/// The budget, in events a second.
const BUDGET: f64 = 500_000.0;
/// Each figure is the best of so many.
const RUNS: usize = 3;

/// Runs and prints one table a database.
pub fn run() {
    on_each("verify", async |folder, database| one(folder, database).await);
}

async fn one(folder: &Folder, database: &Database) {
    let size = Size { people: 2000, instant: 150, asked: 0, asked_twice: 0 };
    organisation::write(folder.path(), size);
    let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", database);
    if matches!(database, Database::Postgres { .. }) {
        service.must(&["db", "migrate"]);
    }
    service.start().await;
    let tokens = service.tokens(&(0..size.people).map(organisation::person).collect::<Vec<_>>(), "read,request");
    let wanted = number("BANDPASS_BENCH_REQUESTS", 60_000);
    let mut all = requests(&tokens, wanted.div_ceil(size.people));
    all.truncate(wanted);
    drive(service.address(), 64, &all, r#""status":"granted""#, Span { warm_up: Duration::ZERO, measure: Duration::from_secs(600) }).await;
    drain(database).await;
    service.stop();
    if std::env::var_os("BANDPASS_TEST_KEEP").is_some() {
        println!("kept: {}", folder.path().display());
    }
    let began = Instant::now();
    let texts = database.lines("SELECT body AS line FROM audit_log ORDER BY seq");
    let private = database.lines("SELECT text AS line FROM audit_private ORDER BY seq");
    let read = began.elapsed().as_secs_f64();
    let events = texts.len() as f64;
    let bytes: usize = texts.iter().chain(&private).map(String::len).sum();
    let hashed = best(|| {
        for text in texts.iter().chain(&private) {
            std::hint::black_box(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()));
        }
    });
    drop((texts, private));
    let (mut plain, mut rebuilt) = (String::new(), String::new());
    let verified = best(|| plain = service.must(&["audit", "verify"]));
    let folded = best(|| rebuilt = service.must(&["audit", "verify", "--rebuild"]));
    println!("\n## verify, {}: {events} events, {:.0} bytes each of body and personal text\n", database.title(), bytes as f64 / events);
    println!("| what | events/s | beside its limit | budget |\n|---|---:|---|---|");
    let judged = if events / verified >= BUDGET { "met" } else { "MISSED" };
    println!("| audit verify, the whole command | {:.0} | {:.2} x SHA-256 alone | 500,000/s: {judged} |", events / verified, hashed / verified);
    println!("| audit verify --rebuild | {:.0} | {:.2} x SHA-256 alone | |", events / folded, hashed / folded);
    println!("| limit: SHA-256 (ring) of the same bytes, one thread | {:.0} | {:.0} MB/s | |", events / hashed, bytes as f64 / hashed / 1e6);
    println!("| limit: reading body and personal text, one thread | {:.0} | | |", events / read);
    println!("\n{}\n{}", plain.trim(), rebuilt.trim());
}

/// The least seconds of some runs.
fn best(mut work: impl FnMut()) -> f64 {
    let times = (0..RUNS).map(|_| {
        let began = Instant::now();
        work();
        began.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}
