//! The audit log for the security team: filters, a timeline, each event with its full reasoning.

use actix_web::{HttpResponse, web::{Data, Path, Query}};
use askama::Template;
use serde_json::Value;

use super::{Frame, encode, findings::{Findings, findings}, words::{self, When, when}};
use crate::{
    domain::event::{Change, Personal},
    ledger::Snapshot,
    store::read::AuditRow,
    web::{AppState, Known, api::{audit::{AuditQuery, filter}, cursor, page}, problem::Problem},
};

struct Line {
    seq: i64,
    at: When,
    new_day: bool,
    word: &'static str,
    kind: &'static str,
    what: String,
    group: String,
    reason: String,
    actor: String,
}

#[derive(Template)]
#[template(path = "audit.html", config = "src/web/ui/askama.toml")]
struct AuditPage {
    frame: Frame,
    query: AuditQuery,
    kinds: Vec<&'static str>,
    lines: Vec<Line>,
    older: String,
    head: i64,
    problem: String,
    filtered: bool,
}

/// Who acted, by name.
fn actor(snapshot: &Snapshot, actor: &str) -> String {
    match actor.split_once(':') {
        Some(("person", id)) => id.parse().map_or_else(|_| id.to_owned(), |id| words::name(snapshot, &id)),
        Some(("service", name)) => format!("the program {name}"),
        Some(("operator", user)) => format!("{user} at the machine"),
        _ => "Bandpass".to_owned(),
    }
}

fn line(snapshot: &Snapshot, row: &AuditRow, now: crate::domain::time::Time, last_day: &str) -> Line {
    let (word, kind) = words::event_kind(&row.kind);
    let personal: Personal = row.personal.as_deref().and_then(|t| serde_json::from_str(t).ok()).unwrap_or_default();
    let at = when(row.at, now);
    Line {
        seq: row.seq,
        new_day: at.day != last_day,
        at,
        word,
        kind,
        what: row.index.person.as_ref().map(|p| words::name(snapshot, p)).unwrap_or_default(),
        group: row.index.group.as_ref().map(|g| words::group(snapshot, g.as_str())).unwrap_or_default(),
        reason: personal.reason.unwrap_or_default(),
        actor: actor(snapshot, &row.actor),
    }
}

/// The list.
pub async fn list(state: Data<AppState>, caller: Known, query: Query<AuditQuery>) -> Result<HttpResponse, Problem> {
    let snapshot = &caller.snapshot;
    let now = state.ledger.now();
    // A filter that cannot be read is told on the page, beside the fields.
    let asked = filter(&query).and_then(|f| Ok((f, page(query.limit, query.cursor.as_deref())?)));
    let (found, problem) = match asked {
        Ok((filter, page)) => (state.reader.audit(filter, page).await?, String::new()),
        Err(problem) => (crate::store::read::Paged { items: Vec::new(), next: None }, problem.detail.unwrap_or(problem.title)),
    };
    let mut lines: Vec<Line> = Vec::new();
    for row in &found.items {
        let last_day = lines.last().map(|l| l.at.day.clone()).unwrap_or_default();
        lines.push(line(snapshot, row, now, &last_day));
    }
    let fields = [
        ("person", &query.person), ("group", &query.group), ("kind", &query.kind), ("outcome", &query.outcome), ("request", &query.request),
        ("from", &query.from), ("to", &query.to), ("q", &query.q),
    ];
    let given: Vec<String> = fields.iter().filter_map(|(k, v)| v.as_ref().filter(|v| !v.is_empty()).map(|v| format!("{k}={}", encode(v)))).collect();
    let older = cursor(found.next).map(|c| format!("/audit?{}{}cursor={}", given.join("&"), if given.is_empty() { "" } else { "&" }, encode(&c)));
    super::page(&AuditPage {
        frame: Frame::new(&state, &caller, "Audit", "audit").await?,
        filtered: !given.is_empty(),
        query: query.into_inner(),
        kinds: Change::KINDS.to_vec(),
        lines,
        older: older.unwrap_or_default(),
        head: state.reader.head().await?.seq,
        problem: words::capital(&problem),
    })
}

#[derive(Template)]
#[template(path = "event.html", config = "src/web/ui/askama.toml")]
struct EventPage {
    frame: Frame,
    seq: i64,
    line: Line,
    facts: Vec<(String, String)>,
    details: Vec<(&'static str, String)>,
    findings: Findings,
    effects: Vec<String>,
    body: String,
    erased: bool,
    person: String,
    group_id: String,
}

/// Facts as rows: plain values as text, lists joined.
fn told(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(told).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => fields.iter().map(|(k, v)| format!("{k} {}", told(v))).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// One event.
pub async fn show(state: Data<AppState>, caller: Known, seq: Path<i64>) -> Result<HttpResponse, Problem> {
    let row = state.reader.audit_event(*seq).await?.ok_or_else(|| Problem::not_found("event"))?;
    let snapshot = &caller.snapshot;
    let personal: Personal = row.personal.as_deref().and_then(|t| serde_json::from_str(t).ok()).unwrap_or_default();
    let body: Value = serde_json::from_str(&row.body).unwrap_or(Value::Null);
    let mut facts: Vec<(String, String)> = Vec::new();
    if let Some(Value::Object(used)) = &personal.facts {
        if let Some(Value::Object(person)) = used.get("person") {
            let hidden = ["id", "name", "email", "accounts", "status"];
            facts.extend(person.iter().filter(|(k, _)| !hidden.contains(&k.as_str())).map(|(k, v)| (words::capital(k), told(v))));
        }
        facts.extend(used.iter().filter(|(k, v)| *k != "person" && *k != "ledger" && v.as_array().is_none_or(|a| !a.is_empty())).map(|(k, v)| (format!("{} at the time", words::capital(k)), told(v))));
    }
    let mut details = vec![
        ("Kind", row.kind.clone()),
        ("By", actor(snapshot, &row.actor)),
        ("Rule", row.index.rule.clone().unwrap_or_default()),
        ("Policy", row.index.policy_revision.as_ref().map(|r| r.short().to_owned()).unwrap_or_default()),
        ("Written reason", personal.justification.clone().unwrap_or_default()),
        ("Comment", personal.comment.clone().unwrap_or_default()),
    ];
    details.retain(|(_, v)| !v.is_empty());
    let effects = body.pointer("/change/data/deliveries").and_then(Value::as_array).map(|d| {
        d.iter().map(|d| format!("{} {} in {}", told(&d["action"]), told(&d["entitlement"]["name"]), told(&d["entitlement"]["connector"]))).collect::<Vec<_>>()
    });
    let decision = personal.decision.as_ref();
    super::page(&EventPage {
        frame: Frame::new(&state, &caller, format!("Event {}", row.seq), "audit").await?,
        seq: row.seq,
        line: line(snapshot, &row, state.ledger.now(), ""),
        facts,
        details,
        findings: decision.map(|d| findings(snapshot, d)).unwrap_or_default(),
        effects: effects.unwrap_or_default(),
        body: serde_json::to_string_pretty(&body).unwrap_or_default(),
        erased: row.personal.is_none(),
        person: row.index.person.as_ref().map(ToString::to_string).unwrap_or_default(),
        group_id: row.index.group.as_ref().map(ToString::to_string).unwrap_or_default(),
    })
}

