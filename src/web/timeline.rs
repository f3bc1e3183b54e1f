//! What happened to a person, as sentences: joined, changed, left, came back; what they held, from when to when and why;
//! tokens. Read from the audit log, so nothing is told that is not recorded.

use serde_json::Value;

use crate::{
    domain::event::Personal,
    ledger::Snapshot,
    store::read::AuditRow,
    web::ui::words,
};

/// One thing that happened.
pub struct Entry {
    /// The chip's word.
    pub word: &'static str,
    /// The chip's kind.
    pub chip: &'static str,
    /// What it was, without a full stop.
    pub told: String,
    /// Why or by what, without a full stop; may be empty.
    pub why: String,
    /// The group that it is about.
    pub group: Option<String>,
    /// Fields that changed.
    pub fields: Vec<String>,
    /// The source that said so.
    pub source: Option<String>,
}

fn texts(data: &Value, name: &str) -> Vec<String> {
    data[name].as_array().into_iter().flatten().filter_map(|f| f.as_str().map(str::to_owned)).collect()
}

/// Where something was read, for people: "from the directory file", "from scim:okta".
fn from(source: Option<&str>) -> String {
    source.map_or_else(String::new, |s| format!("from {s}"))
}

/// Whoever did it, when it was a person or an operator.
fn by(snapshot: &Snapshot, actor: &str) -> String {
    match actor.split_once(':') {
        Some(("person", rest)) => format!("by {}", words::name_of(snapshot, rest.split_whitespace().next().unwrap_or(rest))),
        Some(("operator", user)) => format!("by {user}, at the service's own machine"),
        _ => String::new(),
    }
}

/// A row as an entry; none when it tells nothing about a person's life here.
pub fn entry(snapshot: &Snapshot, row: &AuditRow) -> Option<Entry> {
    let body: Value = serde_json::from_str(&row.body).ok()?;
    let data = &body["change"]["data"];
    let personal: Personal = row.personal.as_deref().and_then(|t| serde_json::from_str(t).ok()).unwrap_or_default();
    let reason = personal.reason.clone().unwrap_or_default();
    let source = data["source"].as_str().map(str::to_owned);
    let fields = texts(data, "fields");
    let group = row.index.group.as_ref().map(|g| words::group(snapshot, g.as_str()));
    let named = group.clone().unwrap_or_default();
    let rule = row.index.rule.as_deref().map_or_else(String::new, |r| format!("by the rule “{r}”"));
    let made = by(snapshot, &row.actor);
    let team = personal.person.as_ref().and_then(|p| p.team.as_ref()).map(|t| words::team(snapshot, t.as_str()));
    let label = data["token"]["label"].as_str().unwrap_or_default();
    let service = data["token"]["service"].as_str();
    let (word, chip, told, why) = match row.kind.as_str() {
        "person.added" => ("Joined", "yes", team.map_or_else(|| "Joined".to_owned(), |t| format!("Joined team {t}")), from(source.as_deref())),
        "person.changed" if fields.iter().any(|f| f == "team") => {
            let others: Vec<&str> = fields.iter().map(String::as_str).filter(|f| *f != "team" && *f != "teams").collect();
            let also = if others.is_empty() { String::new() } else { format!("; {} changed as well", others.join(", ")) };
            ("Moved", "tag", format!("Moved to {}{also}", team.map_or_else(|| "no team".to_owned(), |t| format!("team {t}"))), from(source.as_deref()))
        }
        "person.changed" => ("Changed", "tag", format!("Changed: {}", fields.join(", ")), from(source.as_deref())),
        "person.left" => ("Left", "no", "Left".to_owned(), from(source.as_deref())),
        "request.granted" if row.index.grant.is_some() => ("Granted", "yes", named, rule),
        "grant.adopted" => ("Adopted", "tag", named, reason),
        "grant.birthright" => ("Without asking", "yes", named, rule),
        "grant.extended" => ("Extended", "yes", named, rule),
        "grant.revoked" => ("Taken away", "no", named, reason),
        "grant.expired" => ("Ended", "tag", named, reason),
        "grant.ending" => ("Ending", "no", named, reason),
        "grant.flagged" => ("Flagged", "wait", named, reason),
        "grant.kept" => ("Stands again", "yes", named, reason),
        "grant.moved" => ("Renamed", "tag", named, reason),
        "block.lifted" => ("Unblocked", "tag", named, reason),
        "token.created" => {
            let what = service.map_or_else(|| "A token of their own".to_owned(), |s| format!("A token of the service {s}"));
            let what = if label.is_empty() { what } else { format!("{what}: {label}") };
            ("Token made", "tag", what, made)
        }
        "token.revoked" => ("Token revoked", "tag", "A token".to_owned(), if reason.is_empty() { made } else { reason }),
        _ => return None,
    };
    Some(Entry { word, chip, told, why, group: row.index.group.as_ref().map(ToString::to_string), fields, source })
}
