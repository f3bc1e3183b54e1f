//! `grants adopt`: what would become of memberships that exist already, or became; and `grants confirm-removals`: letting the first
//! removals go that adoptions cause.

use std::{collections::BTreeMap, path::Path};

use serde_json::json;

use super::{Context, Done, Outcome, connection::Connection};
use crate::{
    domain::{
        adoption::{Adoption, AdoptionOutcome},
        command::Command,
        id::{ConnectorName, GroupId, PersonId},
    },
    store::{db::Location, read::Reader},
};

/// A membership that is not adopted, as the source names it: names that no id can have come here, too.
struct Violation {
    person: String,
    group: String,
    hint: Option<String>,
}

/// Everything that is printed.
struct Report {
    applied: bool,
    /// Person, group, until, rule, a word on accounts.
    adopted: Vec<[String; 5]>,
    held: Vec<(String, String)>,
    /// By cause.
    violations: BTreeMap<String, Vec<Violation>>,
}

pub(super) async fn adopt(context: &Context, backstage: &Path, apply: bool) -> Outcome {
    let (_, named) = super::directory::read_catalogue_and_memberships(backstage)?;
    let mut report = Report { applied: apply, adopted: Vec::new(), held: Vec::new(), violations: BTreeMap::new() };
    let mut memberships = Vec::new();
    for (person, group) in &named {
        match (PersonId::parse(person), GroupId::parse(&group.to_ascii_lowercase())) {
            (Ok(person), Ok(group)) => memberships.push((person, group)),
            (Err(_), _) => report.violation("the person's name cannot be an id".to_owned(), person, group, None),
            (_, Err(_)) => report.violation("the group's name cannot be an id: 1 to 63 of a-z, 0-9 and `-`".to_owned(), person, group, None),
        }
    }
    let mut connection = Connection::open(&context.settings).await?;
    let adoptions = connection.adopt(memberships, apply).await;
    connection.close().await;
    // Where the target names people as the directory does, nobody needs an account.
    let wants_account = |c: &ConnectorName| context.settings.connector.iter().any(|s| s.name == *c && s.kind != "memory");
    for adoption in adoptions? {
        report.add(adoption, wants_account);
    }
    context.print(&report.json(), || report.text());
    Ok(if report.violations.is_empty() { Done::Yes } else { Done::No })
}

/// Deliveries that are listed at most.
const LISTED: u16 = 1000;

/// Lists the removals that wait for confirmation and, given a reason, lets them go.
pub(super) async fn confirm_removals(context: &Context, only: Option<ConnectorName>, reason: Option<String>) -> Outcome {
    let reader = Reader::new(Location::parse(context.settings.database.url.reveal())?, 1);
    let mut waiting = reader.removals_waiting().await.map_err(|e| e.to_string())?;
    let named = |c: &ConnectorName| only.as_ref().is_none_or(|o| o == c);
    waiting.retain(|(connector, _)| named(connector));
    let mut held = reader.held_removals(None, LISTED).await.map_err(|e| e.to_string())?;
    held.retain(|d| named(&d.entitlement.connector));
    let total: u64 = waiting.iter().map(|(_, n)| n).sum();
    if let (Some(only), 0) = (&only, total) {
        return Err(format!("no removal waits at `{only}`"));
    }
    let mut released = Vec::new();
    if let Some(reason) = &reason {
        let mut connection = Connection::open(&context.settings).await?;
        for (connector, _) in &waiting {
            let command = Command::ConfirmRemovals { connector: connector.clone(), reason: reason.clone() };
            match connection.send(command).await {
                Ok(Ok(_)) => released.push(connector.clone()),
                Ok(Err(refusal)) => eprintln!("{connector}: {refusal}"),
                Err(error) => {
                    connection.close().await;
                    return Err(error);
                }
            }
        }
        connection.close().await;
    }
    let rows: Vec<_> = held
        .iter()
        .map(|d| json!({ "delivery": d.id, "person": d.person, "account": d.account, "entitlement": d.entitlement, "grant": d.grant, "since": d.queued_at }))
        .collect();
    let counts: BTreeMap<&str, u64> = waiting.iter().map(|(c, n)| (c.as_str(), *n)).collect();
    context.print(&json!({ "waiting": counts, "removals": rows, "confirmed": released }), || {
        let mut lines: Vec<String> = held
            .iter()
            .map(|d| format!("  {:<28} {:<32} since {}", d.person.as_str(), d.entitlement.to_string(), d.queued_at))
            .collect();
        if total > u64::try_from(held.len()).unwrap_or(0) {
            lines.push(format!("  … {} of {total} are listed", held.len()));
        }
        lines.extend(waiting.iter().map(|(connector, n)| match released.contains(connector) {
            true => format!("{connector}: {n} go, and later ones do not wait"),
            false => format!("{connector}: {n} wait for confirmation"),
        }));
        lines.push(match (&reason, total) {
            (_, 0) => "no removal waits for confirmation".to_owned(),
            (None, _) => "nothing was done; --reason \"…\" lets them go".to_owned(),
            (Some(_), _) => format!("{} of {} connectors confirmed", released.len(), waiting.len()),
        });
        lines.join("\n")
    });
    Ok(if reason.is_none() || released.len() == waiting.len() { Done::Yes } else { Done::No })
}

impl Report {
    fn violation(&mut self, cause: String, person: &str, group: &str, hint: Option<String>) {
        self.violations.entry(cause).or_default().push(Violation { person: person.to_owned(), group: group.to_owned(), hint });
    }

    fn add(&mut self, adoption: Adoption, wants_account: impl Fn(&ConnectorName) -> bool) {
        let (person, group) = (adoption.person.to_string(), adoption.group.to_string());
        match adoption.outcome {
            AdoptionOutcome::Adopted { until, rule, without_account } => {
                let missing: Vec<&str> = without_account.iter().filter(|c| wants_account(c)).map(ConnectorName::as_str).collect();
                self.adopted.push([person, group, until.to_string(), rule, missing.join(" ")]);
            }
            AdoptionOutcome::Held => self.held.push((person, group)),
            AdoptionOutcome::Violation { cause, hint } => self.violation(cause, &person, &group, hint),
        }
    }

    fn counts(&self) -> (usize, usize, usize) {
        (self.adopted.len(), self.held.len(), self.violations.values().map(Vec::len).sum())
    }

    fn json(&self) -> serde_json::Value {
        let adopted: Vec<_> = self
            .adopted
            .iter()
            .map(|[person, group, until, rule, missing]| {
                let missing: Vec<&str> = missing.split_whitespace().collect();
                json!({ "person": person, "group": group, "until": until, "rule": rule, "no_account_in": missing })
            })
            .collect();
        let held: Vec<_> = self.held.iter().map(|(person, group)| json!({ "person": person, "group": group })).collect();
        let violations: Vec<_> = self
            .violations
            .iter()
            .map(|(cause, of)| {
                let memberships: Vec<_> = of.iter().map(|v| json!({ "person": v.person, "group": v.group, "did_you_mean": v.hint })).collect();
                json!({ "cause": cause, "count": of.len(), "memberships": memberships })
            })
            .collect();
        let (a, h, v) = self.counts();
        json!({ "applied": self.applied, "counts": { "adopted": a, "held": h, "violations": v }, "adopted": adopted, "held": held, "violations": violations })
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        let (person, group) = self.widths();
        if !self.adopted.is_empty() {
            lines.push(if self.applied { "adopted:" } else { "would be adopted:" }.to_owned());
            for [who, what, until, rule, missing] in &self.adopted {
                let missing = if missing.is_empty() { String::new() } else { format!("  (no account in {missing}: its removal would fail)") };
                lines.push(format!("  {who:<person$}  {what:<group$}  until {until}  by \"{rule}\"{missing}"));
            }
        }
        if !self.held.is_empty() {
            lines.push("held already:".to_owned());
            lines.extend(self.held.iter().map(|(who, what)| format!("  {who:<person$}  {what}")));
        }
        if !self.violations.is_empty() {
            lines.push(if self.applied { "violations, not adopted:" } else { "violations, which would not be adopted:" }.to_owned());
        }
        let mut causes: Vec<_> = self.violations.iter().collect();
        causes.sort_by_key(|(_, of)| std::cmp::Reverse(of.len()));
        for (cause, of) in causes {
            lines.push(format!("  {}: {cause}", of.len()));
            lines.extend(of.iter().map(|v| {
                let hint = v.hint.as_ref().map(|h| format!("  did you mean `{h}`?")).unwrap_or_default();
                format!("      {:<person$}  {:<group$}{hint}", v.person, v.group).trim_end().to_owned()
            }));
        }
        let (a, h, v) = self.counts();
        lines.push(match self.applied {
            true => format!("{a} adopted, {h} held already, {v} violations"),
            false => format!("{a} would be adopted, {h} are held already, {v} violations; nothing was done (--apply does it)"),
        });
        lines.join("\n")
    }

    /// The longest name of a person and of a group.
    fn widths(&self) -> (usize, usize) {
        let adopted = self.adopted.iter().map(|[person, group, ..]| (person.len(), group.len()));
        let held = self.held.iter().map(|(person, group)| (person.len(), group.len()));
        let violations = self.violations.values().flatten().map(|v| (v.person.len(), v.group.len()));
        adopted.chain(held).chain(violations).fold((0, 0), |(p, g), (person, group)| (p.max(person), g.max(group)))
    }
}
