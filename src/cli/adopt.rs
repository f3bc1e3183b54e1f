//! `grants adopt`: what would become of memberships that exist already, or became.

use std::{collections::BTreeMap, path::Path};

use serde_json::json;

use super::{Context, Done, Outcome, connection::Connection};
use crate::domain::{
    adoption::{Adoption, AdoptionOutcome},
    id::{ConnectorName, GroupId, PersonId},
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
    let catalogue = super::directory::read_catalogue(backstage)?;
    let mut report = Report { applied: apply, adopted: Vec::new(), held: Vec::new(), violations: BTreeMap::new() };
    let mut memberships = Vec::new();
    for (group, person) in catalogue.groups.values().flat_map(|g| g.members.iter().map(move |m| (&g.name, m))) {
        match (PersonId::parse(person), GroupId::parse(&group.to_ascii_lowercase())) {
            (Ok(person), Ok(group)) => memberships.push((person, group)),
            (Err(error), _) => report.violation(format!("no id of a person: {error}"), person, group, None),
            (_, Err(error)) => report.violation(format!("no id of a group: {error}"), person, group, None),
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
