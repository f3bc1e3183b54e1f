//! Benchmarks: figures beside the limit that the same machine sets, measured in the same run. Never timed tests.
//!
//! `cargo bench` runs all; `cargo bench -- load` runs those whose name holds `load`.

#[path = "../support/mod.rs"]
mod support;

mod audit;
mod audit_fill;
mod bare;
mod check;
mod databases;
mod decision;
mod diff;
mod driver;
mod jwt;
mod limits;
mod load;
mod reconsider;
mod scim;
mod signin;
mod start;
mod verify;

/// A number from the environment.
fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}

fn main() {
    if bare::is_wanted() {
        return bare::serve();
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|w| name.contains(w.as_str()));
    if runs("check") {
        check::run();
    }
    if runs("decision") {
        decision::run();
    }
    if runs("jwt") {
        jwt::run();
    }
    if runs("diff") {
        diff::run();
    }
    if runs("reconsider") {
        reconsider::run();
    }
    if runs("load") {
        load::run();
    }
    if runs("scim") {
        scim::run();
    }
    if runs("signin") {
        signin::run();
    }
    if runs("start") {
        start::run();
    }
    if runs("verify") {
        verify::run();
    }
    if runs("audit") {
        audit::run();
    }
}
