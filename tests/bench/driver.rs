//! The load driver: a closed loop of clients, each with one kept connection, sending requests that were made before.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use crate::support::http;

/// What one measurement found.
#[derive(Default)]
pub struct Measured {
    /// Clients.
    pub clients: usize,
    /// Successes in a second.
    pub rate: f64,
    /// Latencies of the measured successes, in microseconds, ascending.
    pub micros: Vec<u32>,
    /// Successes in all, warming up included.
    pub acknowledged: u64,
    /// Answers that are no success, by what they say; broken connections too.
    pub errors: BTreeMap<String, u64>,
    /// The body of one success.
    pub sample: Vec<u8>,
}

impl Measured {
    /// The latency that a share of the requests stayed below, in milliseconds.
    pub fn percentile(&self, share: f64) -> f64 {
        let last = self.micros.len().saturating_sub(1);
        let at = ((self.micros.len() as f64 * share) as usize).min(last);
        self.micros.get(at).map_or(f64::NAN, |m| f64::from(*m) / 1000.0)
    }

    /// The mean latency, in milliseconds.
    pub fn mean(&self) -> f64 {
        self.micros.iter().map(|m| f64::from(*m)).sum::<f64>() / self.micros.len().max(1) as f64 / 1000.0
    }

    /// How many answers were no success.
    pub fn failures(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// How long to warm up and to measure.
#[derive(Clone, Copy)]
pub struct Span {
    /// Not measured.
    pub warm_up: Duration,
    /// Measured.
    pub measure: Duration,
}

/// Drives `clients` against `address` with `requests` in order, each once, until time or requests are over. A success is
/// a 201 whose body holds `needle`.
pub async fn drive(address: SocketAddr, clients: usize, requests: &[Vec<u8>], needle: &'static str, span: Span) -> Measured {
    let next = Rc::new(Cell::new(0_usize));
    let found = Rc::new(RefCell::new(Measured { clients, ..Measured::default() }));
    let requests: Rc<[Vec<u8>]> = requests.into();
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(http::Client::connect(address).await.expect("the service listens"));
    }
    let began = Instant::now();
    let (from, until) = (began + span.warm_up, began + span.warm_up + span.measure);
    let local = tokio::task::LocalSet::new();
    for mut client in connections {
        let (next, found, requests) = (Rc::clone(&next), Rc::clone(&found), Rc::clone(&requests));
        local.spawn_local(async move {
            loop {
                let n = next.get();
                let Some(request) = requests.get(n).filter(|_| Instant::now() < until) else { break };
                next.set(n + 1);
                let sent = Instant::now();
                let answer = client.send(request).await;
                let got = Instant::now();
                let mut found = found.borrow_mut();
                match answer {
                    Ok(answer) if answer.status == 201 && memmem(&answer.body, needle.as_bytes()) => {
                        found.acknowledged += 1;
                        if got >= from && got < until {
                            found.micros.push(u32::try_from((got - sent).as_micros()).unwrap_or(u32::MAX));
                        }
                        if found.sample.is_empty() {
                            found.sample = answer.body;
                        }
                    }
                    Ok(answer) => *found.errors.entry(answer.shown().chars().take(160).collect()).or_default() += 1,
                    Err(error) => {
                        *found.errors.entry(error.to_string()).or_default() += 1;
                        match http::Client::connect(address).await {
                            Ok(again) => client = again,
                            Err(_) => break,
                        }
                    }
                }
            }
        });
    }
    local.await;
    let ran = Instant::now().min(until).saturating_duration_since(from);
    let mut found = Rc::into_inner(found).expect("every client has ended").into_inner();
    found.micros.sort_unstable();
    found.rate = found.micros.len() as f64 / ran.as_secs_f64().max(0.001);
    if next.get() >= requests.len() {
        println!("  note: all {} requests were used up before the time was over", requests.len());
    }
    found
}

fn memmem(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}
