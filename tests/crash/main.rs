//! kill -9 under load: whatever was acknowledged is there afterwards, exactly once, and the log and its effects agree.
//!
//! Each round starts the real binary, lets clients file requests and keep a journal of what they were told, kills it at a
//! random moment (in every other PostgreSQL round together with PostgreSQL itself), starts everything again and looks.
//! What was sent but not answered is then sent again with its Idempotency-Key: it must not happen twice either.
//!
//! `BANDPASS_CRASH_ROUNDS` sets the rounds on each database (3), `BANDPASS_CRASH_DATABASE` picks `sqlite` or `postgres`,
//! `BANDPASS_TEST_SEED` repeats a run's moments.

#[path = "../support/mod.rs"]
mod support;

mod journal;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use journal::{Findings, Journal, Wish};
use support::{
    database::Database,
    organisation::{self, Size},
    postgres::{self, Postgres},
    random::Random,
    service::{Folder, Service, program},
};

const CLIENTS: usize = 16;
const PEOPLE: usize = 1000;
const SIZE: Size = Size { people: PEOPLE, instant: 240, asked: 0, asked_twice: 0 };

fn rounds() -> usize {
    std::env::var("BANDPASS_CRASH_ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(3)
}

fn main() -> ExitCode {
    let (mut random, seed) = Random::seeded();
    let wanted = std::env::var("BANDPASS_CRASH_DATABASE").unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    println!("crash: {} rounds on each database, seed {seed}", rounds());
    let mut good = true;
    if wanted != "postgres" {
        let folder = Folder::new("bandpass_crash");
        let database = Database::sqlite(folder.path());
        good &= runtime.block_on(run(&folder, database, None, &mut random));
    }
    if wanted != "sqlite" {
        if let Some(why) = postgres::missing() {
            println!("crash: PostgreSQL left out: {why}");
        } else {
            // A server of its own: it is going to be killed.
            let server = Arc::new(Postgres::start(&["shared_buffers=64MB"]));
            assert_eq!(server.sql("SHOW fsync"), "on");
            let folder = Folder::new("bandpass_crash");
            let database = Database::postgres(Arc::clone(&server));
            good &= runtime.block_on(run(&folder, database, Some(server), &mut random));
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// All rounds on one database; answers whether nothing was lost or doubled.
async fn run(folder: &Folder, database: Database, server: Option<Arc<Postgres>>, random: &mut Random) -> bool {
    organisation::write(folder.path(), SIZE);
    let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", &database);
    if server.is_some() {
        service.must(&["db", "migrate"]);
    }
    service.start().await;
    let people: Vec<String> = (0..PEOPLE).map(organisation::person).collect();
    let tokens = Arc::new(service.tokens(&people, "read,request"));
    let mut journal = Journal::default();
    let mut total = Findings::default();
    for round in 0..rounds() {
        let with_server = server.as_ref().filter(|_| round % 2 == 1);
        let after = Duration::from_millis(20 + random.below(600));
        let stop = Arc::new(AtomicBool::new(false));
        let wishes = journal.hand_out(CLIENTS, PEOPLE, SIZE.instant);
        let load: Vec<_> =
            wishes.into_iter().map(|w| tokio::spawn(journal::file(service.address(), Arc::clone(&tokens), w, Arc::clone(&stop)))).collect();
        tokio::time::sleep(after).await;
        let order = random.below(3);
        if let Some(server) = with_server {
            // The service first, PostgreSQL first, or PostgreSQL with the service left to see it go for a moment.
            match order {
                0 => {
                    service.kill();
                    server.kill();
                }
                1 => {
                    server.kill();
                    service.kill();
                }
                _ => {
                    server.kill();
                    tokio::time::sleep(Duration::from_millis(random.below(400))).await;
                    service.kill();
                }
            }
        } else {
            service.kill();
        }
        stop.store(true, Ordering::Relaxed);
        for task in load {
            journal.take(task.await.expect("a client"));
        }
        let began = Instant::now();
        if let Some(server) = with_server {
            server.start_again();
        }
        service.start().await;
        let back = began.elapsed();
        let unanswered = journal.unanswered();
        let mut findings = journal::compare(&database, &journal);
        let repeated = journal::repeat(service.address(), &tokens, &mut journal).await;
        findings.problems.extend(repeated);
        service.stop();
        findings.add(journal::compare(&database, &journal));
        let verified = service.run(&["audit", "verify", "--rebuild"]);
        if !verified.status.success() {
            let said = format!("{}{}", String::from_utf8_lossy(&verified.stdout), String::from_utf8_lossy(&verified.stderr));
            findings.problems.push(format!("audit verify --rebuild: {}\n{said}", verified.status));
        }
        let replayed = service.run(&["audit", "replay"]);
        if !replayed.status.success() {
            let said = format!("{}{}", String::from_utf8_lossy(&replayed.stdout), String::from_utf8_lossy(&replayed.stderr));
            findings.problems.push(format!("audit replay: {}\n{said}", replayed.status));
        }
        println!(
            "{:<10} round {:>2}: killed {}after {:>4} ms; back in {:>4} ms; acknowledged {:>6} in all, found {:>6}, lost {}, unanswered {unanswered}{}",
            database.title(),
            round + 1,
            if with_server.is_some() { "with PostgreSQL " } else { "" },
            after.as_millis(),
            back.as_millis(),
            findings.acknowledged,
            findings.found,
            findings.acknowledged - findings.found,
            if findings.problems.is_empty() { String::new() } else { format!("\n  PROBLEM: {}", findings.problems.join("\n  PROBLEM: ")) },
        );
        total.acknowledged = findings.acknowledged;
        total.found = findings.found;
        total.problems.append(&mut findings.problems);
        service.start().await;
    }
    let good = total.problems.is_empty() && total.found == total.acknowledged && total.acknowledged > 0;
    println!(
        "{}: {} rounds, acknowledged {}, found {}, lost {}, problems {}: {}",
        database.title(),
        rounds(),
        total.acknowledged,
        total.found,
        total.acknowledged - total.found,
        total.problems.len(),
        if good { "good" } else { "BAD" }
    );
    good
}

/// What one client does, for `journal`.
impl Wish {
    /// Its Idempotency-Key.
    pub fn key(&self) -> String {
        format!("{}-{}", self.person, self.group)
    }
}
