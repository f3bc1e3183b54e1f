//! submit -> decided, granted, audited, durable: the whole service over HTTP, on both databases, beside its limits.
//!
//! `BANDPASS_BENCH_SECONDS` sets how long each cell is measured (5), `BANDPASS_BENCH_DATABASE` picks `sqlite` or
//! `postgres`, `BANDPASS_BENCH_PEOPLE` (2000) and `BANDPASS_BENCH_GROUPS` (150) set the size; each pair of a person and a
//! group is filed once. `BANDPASS_BENCH_QUICK=1` measures 64 clients alone and no limits: for profiling.

use std::{fmt::Write as _, time::Duration};

use super::{
    databases::on_each,
    bare,
    driver::{Measured, Span, drive},
    limits::{self, Limit, Order},
    number,
    support::{
        database::Database,
        http,
        organisation::{self, Size},
        service::{Folder, Service, program},
    },
};

const CLIENTS: [usize; 3] = [64, 16, 1];
const GRANTED: &str = r#""status":"granted""#;

fn span() -> Span {
    Span { warm_up: Duration::from_secs(1), measure: Duration::from_secs(number("BANDPASS_BENCH_SECONDS", 5) as u64) }
}

/// Runs everything and prints one table a database.
pub fn run() {
    let size = Size { people: number("BANDPASS_BENCH_PEOPLE", 2000), instant: number("BANDPASS_BENCH_GROUPS", 150), asked: 0, asked_twice: 0 };
    on_each("load", async |folder, database| one(folder, database, size).await);
}

/// The requests of everybody for one group after the other.
pub(super) fn requests(tokens: &[String], groups: usize) -> Vec<Vec<u8>> {
    let mut made = Vec::with_capacity(tokens.len() * groups);
    for group in 0..groups {
        let body = format!(r#"{{"group":"{}","duration":"30d","justification":"measured"}}"#, organisation::group("instant", group));
        made.extend(tokens.iter().map(|token| http::request("POST", "/api/v1/requests", &[("Authorization", &format!("Bearer {token}"))], Some(&body))));
    }
    made
}

async fn one(folder: &Folder, database: &Database, size: Size) {
    organisation::write(folder.path(), size);
    let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", database);
    if matches!(database, Database::Postgres { .. }) {
        service.must(&["db", "migrate"]);
    }
    let started = service.start().await;
    let people: Vec<String> = (0..size.people).map(organisation::person).collect();
    let tokens = service.tokens(&people, "read,request");
    println!(
        "\n## {}: {} people, {} groups, 5 guardrails; first start to ready, import included: {:.2} s\n",
        database.title(),
        size.people,
        size.instant,
        started.as_secs_f64()
    );
    let all = requests(&tokens, size.instant);
    let (mut rest, mut cells, mut acknowledged) = (all.as_slice(), Vec::new(), 0);
    let quick = std::env::var("BANDPASS_BENCH_QUICK").is_ok();
    for clients in CLIENTS.into_iter().take(if quick { 1 } else { CLIENTS.len() }) {
        let before = busy(&service);
        let cell = drive(service.address(), clients, rest, GRANTED, span()).await;
        let used = usize::try_from(cell.acknowledged + cell.failures()).unwrap_or(usize::MAX).min(rest.len());
        rest = &rest[used..];
        acknowledged += cell.acknowledged;
        let (open, took) = drain(database).await;
        let spent = |before: f64, after: f64| (after - before) * 1e6 / (cell.acknowledged.max(1) as f64);
        let (now, ledger) = (busy(&service), before.1);
        println!(
            "  {clients:>2} clients: {:>7.0}/s; {:.0} µs of processor a request, {:.0} of them the ledger's; {open} deliveries were open at the end, drained in {:.1} s; {}",
            cell.rate,
            spent(before.0, now.0),
            spent(ledger, now.1),
            took.as_secs_f64(),
            memory(&service)
        );
        cells.push(cell);
    }
    let sample = cells.iter().find(|c| !c.sample.is_empty()).map(|c| c.sample.clone()).unwrap_or_default();
    service.stop();
    let granted = database.count("SELECT CAST(count(*) AS TEXT) AS line FROM audit_log WHERE kind = 'request.granted'");
    let grants = database.count("SELECT CAST(count(*) AS TEXT) AS line FROM grants");
    let done = database.count("SELECT CAST(count(*) AS TEXT) AS line FROM audit_log WHERE kind = 'delivery.done'");
    let verified = service.run(&["audit", "verify", "--rebuild"]);
    let (bare, (limits, settings)) = if quick {
        (Vec::new(), (Limits::new(), "limits left out".to_owned()))
    } else {
        (bare_server(folder, &sample, &all).await, database_limits(database).await)
    };
    print!("{}", table(database, &cells, &bare, &limits));
    println!("\nsettings: {settings}");
    println!("acknowledged {acknowledged}, `request.granted` events {granted}, grants {grants}, `delivery.done` events {done}: {}", if granted == acknowledged && grants == acknowledged && done == acknowledged { "equal" } else { "DIFFERENT" });
    let said = format!("{}{}", String::from_utf8_lossy(&verified.stdout), String::from_utf8_lossy(&verified.stderr));
    println!("audit verify --rebuild: {}: {}", verified.status, said.trim().lines().last().unwrap_or_default());
    for (what, many) in cells.iter().flat_map(|c| &c.errors) {
        println!("error, {many} times: {what}");
    }
}

/// Waits until target systems have everything; answers how much was open and how long that took.
pub(super) async fn drain(database: &Database) -> (u64, Duration) {
    let open = || database.count("SELECT CAST(count(*) AS TEXT) AS line FROM deliveries WHERE state <> 'done'");
    let (began, first) = (std::time::Instant::now(), open());
    while open() > 0 && began.elapsed() < Duration::from_secs(120) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (first, began.elapsed())
}

/// Seconds of processor time that the service has used, and its ledger's thread alone: less shaken by a busy machine than rates.
fn busy(service: &Service) -> (f64, f64) {
    let used = |folder: &std::path::Path| {
        let stat = std::fs::read_to_string(folder.join("stat")).unwrap_or_default();
        let fields: Vec<u64> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
        // Ticks of a hundredth of a second, as Linux has had them everywhere for decades.
        fields.iter().sum::<u64>() as f64 / 100.0
    };
    let Some(process) = service.pid().map(|pid| std::path::PathBuf::from(format!("/proc/{pid}"))) else { return (0.0, 0.0) };
    let threads = std::fs::read_dir(process.join("task")).into_iter().flatten().flatten().map(|thread| thread.path());
    let named = |thread: &std::path::PathBuf| std::fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.trim() == "ledger");
    (used(&process), threads.filter(named).map(|thread| used(&thread)).sum())
}

fn memory(service: &Service) -> String {
    let (now, most) = memory_of(service);
    format!("memory {now} MiB, at most {most} MiB")
}

/// Resident memory of a service now, and the most it ever was, in MiB.
pub(super) fn memory_of(service: &Service) -> (u64, u64) {
    let status = service.pid().and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).ok()).unwrap_or_default();
    let kib = |key: &str| status.lines().find_map(|l| l.strip_prefix(key)?.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0);
    (kib("VmRSS:") / 1024, kib("VmHWM:") / 1024)
}

async fn bare_server(folder: &Folder, sample: &[u8], all: &[Vec<u8>]) -> Vec<Measured> {
    if sample.is_empty() {
        return Vec::new();
    }
    let (server, address) = bare::start(folder.path(), sample).await;
    // The same requests again and again: nothing is kept.
    let many: Vec<Vec<u8>> = all.iter().cycle().take(1_000_000.max(all.len())).cloned().collect();
    let mut cells = Vec::new();
    for clients in CLIENTS {
        cells.push(drive(address, clients, &many, GRANTED, span()).await);
    }
    server.kill();
    cells
}

/// Names and figures of the database's own limits.
type Limits = Vec<(&'static str, Limit)>;

async fn database_limits(database: &Database) -> (Limits, String) {
    let measure = span().measure;
    match database {
        Database::Sqlite(path) => {
            let (limit, settings) = limits::sqlite(path, measure);
            (vec![("one commit a request", limit)], format!("{settings} (2 = FULL), as the service's writer sets them"))
        }
        Database::Postgres { .. } => {
            let url = database.superuser_url().unwrap_or_default();
            let locked = limits::postgres(&url, 16, Order::Locked, measure).await;
            let free = limits::postgres(&url, 16, Order::None, measure).await;
            let single = limits::postgres(&url, 1, Order::Locked, measure).await;
            let show = |key: &str| database.lines(&format!("SHOW {key}")).join("");
            let settings = ["fsync", "synchronous_commit", "wal_sync_method", "full_page_writes", "server_version"].map(|k| format!("{k} = {}", show(k)));
            (
                vec![
                    ("one transaction a request, 16 connections, head locked", locked),
                    ("one transaction a request, 16 connections, no order", free),
                    ("one client, one transaction, head locked", single),
                ],
                settings.join(", "),
            )
        }
    }
}

fn table(database: &Database, cells: &[Measured], bare: &[Measured], limits: &[(&str, Limit)]) -> String {
    let mut text = String::from("\n| what | requests/s | p50 ms | p99 ms | errors | beside its limit | budget |\n|---|---:|---:|---:|---:|---|---|\n");
    let met = |good: bool| if good { "met" } else { "MISSED" };
    for (cell, bare) in cells.iter().zip(bare.iter().map(Some).chain(std::iter::repeat(None))) {
        let mut beside = Vec::new();
        let mut budget = Vec::new();
        if let Some(bare) = bare {
            beside.push(format!("{:.2} x the bare server", cell.rate / bare.rate));
        }
        match (database, limits, cell.clients) {
            (Database::Sqlite(_), [(_, commit), ..], 1) => {
                let times = cell.mean() / commit.mean;
                beside.push(format!("{times:.2} x the time of one commit"));
                budget.push(format!("under 1.5 x: {}", met(times < 1.5)));
            }
            (Database::Sqlite(_), [(_, commit), ..], clients) => {
                beside.push(format!("{:.1} x one commit a request", cell.rate / commit.rate));
                if clients == 64 {
                    budget.push(format!("5 x one commit: {}", met(cell.rate >= 5.0 * commit.rate)));
                    budget.push(format!("a quarter of bare: {}", met(bare.is_some_and(|b| cell.rate >= b.rate / 4.0))));
                    budget.push(format!("15,000/s: {}", met(cell.rate >= 15_000.0)));
                }
            }
            (Database::Postgres { .. }, [_, _, (_, single)], 1) => {
                let times = cell.mean() / single.mean;
                beside.push(format!("{times:.2} x the time of one transaction"));
                budget.push(format!("under 1.5 x: {}", met(times < 1.5)));
            }
            (Database::Postgres { .. }, [(_, locked), (_, free), _], clients) => {
                beside.push(format!("{:.1} x with the lock, {:.1} x without order", cell.rate / locked.rate, cell.rate / free.rate));
                if clients == 64 {
                    budget.push(format!("2 x (no order): {}", met(cell.rate >= 2.0 * free.rate)));
                    budget.push(format!("8,000/s: {}", met(cell.rate >= 8000.0)));
                }
            }
            _ => {}
        }
        let _ = writeln!(
            text,
            "| {}, {} client{} | {:.0} | {:.2} | {:.2} | {} | {} | {} |",
            database.title(),
            cell.clients,
            if cell.clients == 1 { "" } else { "s" },
            cell.rate,
            cell.percentile(0.50),
            cell.percentile(0.99),
            cell.failures(),
            beside.join("; "),
            budget.join("; ")
        );
    }
    for cell in bare {
        let _ = writeln!(text, "| limit: bare HTTP server, {} clients | {:.0} | {:.2} | {:.2} | {} | | |", cell.clients, cell.rate, cell.percentile(0.50), cell.percentile(0.99), cell.failures());
    }
    for (name, limit) in limits {
        let _ = writeln!(text, "| limit: {name} | {:.0} | mean {:.2} | | 0 | | |", limit.rate, limit.mean);
    }
    text
}
