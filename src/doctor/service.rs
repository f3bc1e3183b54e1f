//! The service itself: whether one runs here, and whether it decides. From within there is nothing to ask.

use super::{Finding, Ground};
use crate::outgoing::Outgoing;

const NAME: &str = "service";

pub(super) async fn check(ground: &Ground) -> Vec<Finding> {
    if ground.within.is_some() {
        return Vec::new();
    }
    if crate::admin::Client::connect(&ground.settings.run.folder).await.is_none() {
        return vec![Finding::ok(NAME, format!("none runs with `{}` as its run folder", ground.settings.run.folder.display()))];
    }
    // Listening everywhere includes here.
    let mut listen = ground.settings.server.listen;
    if listen.ip().is_unspecified() {
        listen.set_ip(if listen.is_ipv4() { std::net::Ipv4Addr::LOCALHOST.into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    if !listen.ip().is_loopback() {
        return vec![Finding::ok(NAME, format!("one runs; it listens on {listen}, and is not asked over the network without TLS"))];
    }
    let Ok(http) = Outgoing::new() else { return Vec::new() };
    let said = match http.look(&format!("http://{listen}/readyz")).await {
        Ok(answer) => serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap_or_default(),
        Err(error) => return vec![Finding::fault(NAME, format!("one runs, and does not answer: {error}"), "look at its log; if `server.listen` was changed, restart it")],
    };
    let is = |key: &str| said.get(key).and_then(serde_json::Value::as_bool);
    vec![match (said.get("status").and_then(serde_json::Value::as_str), is("database"), is("policy_source_reachable")) {
        (Some("ready"), ..) => Finding::ok(NAME, "one runs and decides"),
        (Some("degraded"), _, Some(false)) => Finding::warning(NAME, "one runs and decides, on the last good policy: its source cannot be reached", "see policy below, and /policy"),
        (Some("degraded"), ..) => Finding::warning(NAME, "one runs and decides, on the last good policy: the newest files have errors", "see policy below, and /policy"),
        (_, Some(false), _) => Finding::fault(NAME, "one runs and does not decide: it cannot read the database", "see database below, and its log"),
        (Some(_), ..) => Finding::fault(NAME, "one runs and does not decide: there is no policy that it can use", "see policy below, and its log"),
        (None, ..) => Finding::fault(NAME, format!("something else than Bandpass answers on {listen}"), "set `server.listen` as the running service has it"),
    }]
}
