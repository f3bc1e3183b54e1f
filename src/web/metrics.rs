//! Counters for Prometheus.

use std::{sync::atomic::Ordering, time::Duration};

use prometheus::{Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::{domain::problem::Severity, ledger::Ledger};

/// The service's counters.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    ledger: IntGaugeVec,
    deliveries: IntGaugeVec,
    policy_errors: IntGauge,
    policy_reachable: IntGauge,
    policy_age: IntGauge,
}

impl Metrics {
    /// Registers every counter.
    ///
    /// # Errors
    /// When two have one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(Opts::new("bandpass_http_requests_total", "Answered requests"), &["route", "method", "status"])?;
        let seconds = HistogramVec::new(
            HistogramOpts::new("bandpass_http_seconds", "Time to answer").buckets(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0]),
            &["route"],
        )?;
        let ledger = IntGaugeVec::new(Opts::new("bandpass_ledger", "The ledger: batches, commands, events and failures so far, commands waiting, whether it decides, errors of the newest policy; how often all live grants were decided again, how many and how long the last time, and how many endings wait to be confirmed"), &["what"])?;
        let deliveries = IntGaugeVec::new(Opts::new("bandpass_deliveries_open", "Deliveries that target systems do not have yet"), &["state"])?;
        let policy_errors = IntGauge::new("bandpass_policy_errors", "Errors of the newest state of the policy source; the last good set stays in force")?;
        let policy_reachable = IntGauge::new("bandpass_policy_source_reachable", "Whether the policy source answered at the last look")?;
        let policy_age = IntGauge::new("bandpass_policy_age_seconds", "Seconds since the policy in force was loaded")?;
        for gauge in [&policy_errors, &policy_reachable, &policy_age] {
            registry.register(Box::new(gauge.clone()))?;
        }
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(ledger.clone()))?;
        registry.register(Box::new(deliveries.clone()))?;
        Ok(Self { registry, requests, seconds, ledger, deliveries, policy_errors, policy_reachable, policy_age })
    }

    /// Counts one answer.
    pub fn answered(&self, route: &str, method: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[route, method, &status.to_string()]).inc();
        self.seconds.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// Everything as text.
    pub fn text(&self, ledger: &Ledger, backlog: (u64, u64, u64)) -> String {
        let stats = ledger.stats();
        let set = |what: &str, value: u64| self.ledger.with_label_values(&[what]).set(i64::try_from(value).unwrap_or(i64::MAX));
        set("batches", stats.batches.load(Ordering::Relaxed));
        set("commands", stats.commands.load(Ordering::Relaxed));
        set("events", stats.events.load(Ordering::Relaxed));
        set("failures", stats.failures.load(Ordering::Relaxed));
        set("reviews", stats.reviews.load(Ordering::Relaxed));
        set("reviewed_grants", stats.reviewed.load(Ordering::Relaxed));
        set("review_decided_milliseconds", stats.review_decided_ms.load(Ordering::Relaxed));
        set("review_milliseconds", stats.review_ms.load(Ordering::Relaxed));
        set("endings_waiting", stats.endings_waiting.load(Ordering::Relaxed));
        set("waiting", u64::try_from(ledger.waiting()).unwrap_or(0));
        set("deciding", u64::from(ledger.is_deciding()));
        set("policy_problems", u64::try_from(ledger.snapshot().problems.len()).unwrap_or(0));
        let snapshot = ledger.snapshot();
        let errors = snapshot.problems.iter().filter(|p| p.severity == Severity::Error).count();
        self.policy_errors.set(i64::try_from(errors).unwrap_or(i64::MAX));
        self.policy_reachable.set(i64::from(ledger.source_state().unreachable.is_none()));
        self.policy_age.set(ledger.now().seconds_since(snapshot.policy_since));
        self.deliveries.with_label_values(&["queued"]).set(i64::try_from(backlog.0).unwrap_or(i64::MAX));
        self.deliveries.with_label_values(&["failing"]).set(i64::try_from(backlog.1).unwrap_or(i64::MAX));
        self.deliveries.with_label_values(&["held"]).set(i64::try_from(backlog.2).unwrap_or(i64::MAX));
        let mut bytes = Vec::new();
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut bytes);
        String::from_utf8(bytes).unwrap_or_default()
    }
}
