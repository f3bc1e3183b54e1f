//! What signing in costs beside the issuer: the way there, the callback (code exchanged, ID token verified, one durable event),
//! and both for many at once. The limit beside it is the exchange of a code with the same issuer, asked by the bench itself.
//!
//! `BANDPASS_BENCH_SIGNINS` (500) and `BANDPASS_BENCH_DATABASE` change it.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};
use serde_json::json;

use super::{
    databases::on_each,
    jwt::percentiles,
    number,
    support::{
        browser::{Browser, header},
        database::Database,
        http::{once, request},
        issuer::{Asked, Issuer, query},
        jwt_key::b64,
        organisation::{self, Size},
        service::{Folder, Service, program},
    },
};

const BUDGET: Duration = Duration::from_millis(20);
const PEOPLE: usize = 100;
const AT_ONCE: usize = 16;

/// Runs and prints one table a database.
pub fn run() {
    on_each("signin", async |folder, database| one(folder, database).await);
}

struct Took {
    there: Duration,
    back: Duration,
}

async fn sign_in(service: &Service, issuer: &Issuer, n: usize) -> Took {
    let mut browser = Browser::new(service.address());
    let began = Instant::now();
    let answer = browser.get("/signin/corp?return_to=/access").await;
    let there = began.elapsed();
    assert_eq!(answer.status, 303, "{}", answer.shown());
    let asked = query(header(&answer, "location").expect("where to go"));
    let person = organisation::person(n % PEOPLE);
    let code = issuer.code(&asked, &json!({ "sub": format!("s-{person}"), "employee": person }));
    let iss = issuer.url().replace(':', "%3A").replace('/', "%2F");
    let began = Instant::now();
    let answer = browser.get(&format!("/signin/corp/callback?code={code}&state={}&iss={iss}", asked["state"])).await;
    let back = began.elapsed();
    assert_eq!(answer.status, 303, "{}", answer.shown());
    Took { there, back }
}

/// The exchange of one code, from the other side: what the issuer and a connection cost.
async fn exchange(issuer: &Issuer) -> Duration {
    let verifier = "v".repeat(43);
    let asked = Asked::from([("code_challenge".to_owned(), b64(digest(&SHA256, verifier.as_bytes())))]);
    let code = issuer.code(&asked, &json!({}));
    let (body, basic) = (format!("grant_type=authorization_code&code={code}&code_verifier={verifier}"), format!("Basic {}", STANDARD.encode("bandpass:a+secret")));
    let address = issuer.url().trim_start_matches("http://").parse().expect("an address");
    let began = Instant::now();
    let answer = once(address, &request("POST", "/token", &[("Authorization", &basic), ("Content-Type", "application/x-www-form-urlencoded")], Some(&body))).await.expect("an answer");
    let took = began.elapsed();
    assert_eq!(answer.status, 200, "{}", answer.shown());
    took
}

fn micros(times: &[Duration]) -> Vec<f64> {
    times.iter().map(|t| t.as_nanos() as f64 / 1000.0).collect()
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[sorted.len() / 2]
}

async fn one(folder: &Folder, database: &Database) {
    let many = number("BANDPASS_BENCH_SIGNINS", 500);
    organisation::write(folder.path(), Size { people: PEOPLE, instant: 1, asked: 0, asked_twice: 0 });
    let issuer = Issuer::start().await;
    let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", database);
    service.configure(&format!("[signin]\nmode = \"oidc\"\n{}\n[[connector]]\nname = \"warehouse\"\nkind = \"memory\"\n", issuer.settings("corp", "person_claim = \"employee\"")));
    if matches!(database, Database::Postgres { .. }) {
        service.must(&["db", "migrate"]);
    }
    service.start().await;
    let (mut there, mut back, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..many + PEOPLE {
        let took = sign_in(&service, &issuer, n).await;
        let exchanged = exchange(&issuer).await;
        // First sign-ins record the link as well and warm the caches up.
        if n >= PEOPLE {
            there.push(took.there);
            back.push(took.back);
            alone.push(exchanged);
        }
    }
    println!("\nsign-in, {}: {many} one after another, then on {AT_ONCE} connections; microseconds", database.title());
    percentiles("the way there", micros(&there));
    percentiles("the callback, issuer included", micros(&back));
    percentiles("the issuer's exchange alone", micros(&alone));
    let own = median(&there) + median(&back).saturating_sub(median(&alone));
    println!("  our own, medians: {:.1} ms; budget {} ms: {}", own.as_secs_f64() * 1000.0, BUDGET.as_millis(), if own < BUDGET { "met" } else { "MISSED" });
    let (service_now, issuer_now) = (Rc::new(service), Rc::new(issuer));
    let local = tokio::task::LocalSet::new();
    let began = Instant::now();
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|start| {
            let (service, issuer) = (Rc::clone(&service_now), Rc::clone(&issuer_now));
            local.spawn_local(async move {
                let mut times = Vec::new();
                for n in (start..many).step_by(AT_ONCE) {
                    times.push(sign_in(&service, &issuer, n).await.back);
                }
                times
            })
        })
        .collect();
    let together = local.run_until(async { futures_util::future::join_all(tasks).await.into_iter().flat_map(|t| t.expect("a client ends")).collect::<Vec<_>>() }).await;
    let rate = many as f64 / began.elapsed().as_secs_f64();
    percentiles(&format!("the callback, {AT_ONCE} at once"), micros(&together));
    println!("  {rate:.0} sign-ins a second");
    let sessions = database.count("SELECT CAST(count(*) AS TEXT) AS line FROM audit_log WHERE kind = 'session.started'");
    let expected = (many * 2 + PEOPLE) as u64;
    println!("  {sessions} `session.started` events for {expected} sign-ins: {}", if sessions == expected { "equal" } else { "DIFFERENT" });
    drop(local);
    let mut service = Rc::into_inner(service_now).expect("nobody else has it");
    service.stop();
    println!("  {}", service.must(&["audit", "verify", "--rebuild"]).trim());
}
