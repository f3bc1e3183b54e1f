//! Running the examples of group files: the right answer for the wrong reason fails.

use std::collections::{BTreeMap, BTreeSet};

use super::{Engine, group_file::Example};
use crate::domain::{
    decision::{Decision, Effect, Inquiry},
    id::{GroupId, PersonId, TeamId},
    person::{AttributeValue, Person, PersonStatus, Subject},
    time::Time,
};

/// One example, run.
#[derive(Debug, Clone)]
pub struct ExampleRun {
    /// Of which group.
    pub group: GroupId,
    /// The group's file.
    pub file: String,
    /// Line of `[[example]]`.
    pub line: u32,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// The decision that came out.
    pub decision: Decision,
}

/// Every example of a set, and the rules that no example reaches.
#[derive(Debug, Clone, Default)]
pub struct ExampleReport {
    /// In order of groups and lines.
    pub runs: Vec<ExampleRun>,
    /// Group and name of each rule that no passing example decides by.
    pub uncovered: Vec<(GroupId, String)>,
    /// Number of rules.
    pub rules: usize,
}

/// Runs every example. `ancestors` tells for each team all teams above it, itself included.
pub fn run(set: std::sync::Arc<super::PolicySet>, ancestors: &BTreeMap<TeamId, BTreeSet<TeamId>>, now: Time) -> ExampleReport {
    let mut report = ExampleReport::default();
    for (group_id, examples) in &set.examples {
        let Some(group) = set.group(group_id.as_str()) else { continue };
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        for example in examples {
            let Some((person, teams)) = invented(example, ancestors) else { continue };
            let subject = Subject { person: &person, teams: &teams };
            let engine = Engine::new(std::sync::Arc::clone(&set), [subject]);
            let holds: BTreeSet<GroupId> = example.holds.iter().cloned().collect();
            let inquiry = Inquiry {
                subject,
                group: group_id,
                duration: example.duration,
                has_justification: example.justified,
                now,
                holds: &holds,
                break_glass: false,
            };
            let decision = engine.decide(&inquiry);
            let failure = failure(example, &decision);
            if failure.is_none() {
                reached.extend(group.rules.iter().filter(|r| Some(&r.name) == decision.rule.as_ref()).map(|r| r.name.as_str()));
            }
            report.runs.push(ExampleRun { group: group_id.clone(), file: group.file.clone(), line: example.line, failure, decision });
        }
        report.rules += group.rules.len();
        let missing = group.rules.iter().filter(|r| !reached.contains(r.name.as_str()));
        report.uncovered.extend(missing.map(|r| (group_id.clone(), r.name.clone())));
    }
    report
}

fn failure(example: &Example, decision: &Decision) -> Option<String> {
    let word = |effect| match effect {
        Effect::Grant => "granted",
        Effect::Approve => "approval",
        Effect::Deny => "denied",
    };
    if decision.effect != example.expect {
        return Some(format!("expected {}, and it is {}", word(example.expect), word(decision.effect)));
    }
    if example.rule.is_some() && example.rule != decision.rule {
        let by = decision.rule.as_ref().map_or_else(|| "no rule".to_owned(), |r| format!("\"{r}\""));
        return Some(format!("expected the rule \"{}\", and {by} decides", example.rule.clone().unwrap_or_default()));
    }
    match &example.guardrail {
        Some(id) if !decision.guardrails.iter().any(|g| g.id == *id) => Some(format!("expected the guardrail `{id}` to forbid, and it does not")),
        _ => None,
    }
}

/// A person of the example's facts: a main team with its ancestors, built-in facts, and attributes for the rest.
fn invented(example: &Example, ancestors: &BTreeMap<TeamId, BTreeSet<TeamId>>) -> Option<(Person, BTreeSet<TeamId>)> {
    let text = |name: &str| match example.person.get(name) {
        Some(AttributeValue::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let mut direct: BTreeSet<TeamId> = text("team").iter().filter_map(|t| TeamId::parse(t).ok()).collect();
    if let Some(AttributeValue::Set(teams)) = example.person.get("teams") {
        direct.extend(teams.iter().filter_map(|t| TeamId::parse(t).ok()));
    }
    let teams = direct.iter().flat_map(|t| ancestors.get(t).cloned().unwrap_or_else(|| BTreeSet::from([t.clone()]))).collect();
    let Some(id) = text("id").and_then(|id| PersonId::parse(&id).ok()).or_else(|| PersonId::parse("example-person").ok()) else { return None };
    let built_in = super::cedar::BUILT_IN;
    let person = Person {
        id,
        name: "Example".to_owned(),
        email: None,
        manager: text("manager").and_then(|m| PersonId::parse(&m).ok()),
        team: text("team").and_then(|t| TeamId::parse(&t).ok()),
        teams: direct,
        employment: text("employment"),
        location: text("location"),
        title: text("title"),
        attributes: example.person.iter().filter(|(k, _)| !built_in.contains(&k.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect(),
        accounts: BTreeMap::new(),
        status: PersonStatus::Active,
    };
    Some((person, teams))
}
