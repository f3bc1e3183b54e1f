//! Running the examples of group files and the cases of fixture files: the right answer for the wrong reason fails.

use std::collections::{BTreeMap, BTreeSet};

use super::{Engine, group_file::Example};
use crate::domain::{
    decision::{Decision, Effect, Inquiry},
    id::{GroupId, PersonId, TeamId},
    person::{AttributeValue, Person, PersonStatus, Subject},
    time::Time,
};

/// One example or case, run.
#[derive(Debug, Clone)]
pub struct ExampleRun {
    /// What a case shows; examples have no name.
    pub name: Option<String>,
    /// Of which group.
    pub group: GroupId,
    /// The group's file, or the fixture file.
    pub file: String,
    /// Line of `[[example]]` or `[[case]]`.
    pub line: u32,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// The decision that came out, explained.
    pub decision: Decision,
}

/// Every example and case of a set, and what none of them reaches.
#[derive(Debug, Clone, Default)]
pub struct ExampleReport {
    /// Examples in order of groups and lines, then cases in order of files and lines.
    pub runs: Vec<ExampleRun>,
    /// Group and name of each rule that nothing which passed decides by.
    pub uncovered: Vec<(GroupId, String)>,
    /// Number of rules.
    pub rules: usize,
    /// Id of each guardrail that forbids nothing which passed.
    pub uncovered_guardrails: Vec<String>,
    /// Number of guardrails.
    pub guardrails: usize,
}

/// Runs every example and case. `ancestors` tells for each team all teams above it, itself included.
pub fn run(set: &std::sync::Arc<super::PolicySet>, ancestors: &BTreeMap<TeamId, BTreeSet<TeamId>>, now: Time) -> ExampleReport {
    let mut report = ExampleReport::default();
    // Nobody of the directory is needed: each example brings its person.
    let engine = Engine::new(std::sync::Arc::clone(set), []);
    let decide = |group: &GroupId, example: &Example| {
        let (person, teams) = invented(example, ancestors)?;
        let holds: BTreeSet<GroupId> = example.holds.iter().filter(|g| *g != group).cloned().collect();
        Some(engine.suppose(&Inquiry {
            subject: Subject { person: &person, teams: &teams },
            group,
            duration: example.duration,
            has_justification: example.justified,
            now,
            holds: &holds,
            break_glass: false,
        }))
    };
    for (id, examples) in &set.examples {
        let Some(group) = set.group(id.as_str()) else { continue };
        for example in examples {
            let Some(decision) = decide(id, example) else { continue };
            let failure = failure(example, &decision);
            report.runs.push(ExampleRun { name: None, group: id.clone(), file: group.file.clone(), line: example.line, failure, decision });
        }
    }
    for case in &set.cases {
        let Some(decision) = decide(&case.group, &case.example) else { continue };
        let failure = failure(&case.example, &decision).or_else(|| unsaid(&case.reasons, &decision));
        let (name, group, file) = (Some(case.name.clone()), case.group.clone(), case.file.clone());
        report.runs.push(ExampleRun { name, group, file, line: case.example.line, failure, decision });
    }
    cover(set, &mut report);
    report
}

fn cover(set: &super::PolicySet, report: &mut ExampleReport) {
    let passed: Vec<&ExampleRun> = report.runs.iter().filter(|r| r.failure.is_none()).collect();
    let reached: BTreeSet<(&GroupId, &str)> = passed.iter().filter_map(|r| Some((&r.group, r.decision.rule.as_deref()?))).collect();
    let forbidding: BTreeSet<&str> = passed.iter().flat_map(|r| &r.decision.guardrails).map(|g| g.id.as_str()).collect();
    let rules: Vec<(GroupId, String)> = set.groups.values().flat_map(|g| g.rules.iter().map(|r| (g.id.clone(), r.name.clone()))).collect();
    let guardrails: Vec<String> = set.guardrails.iter().map(|g| g.id.clone()).collect();
    let uncovered: Vec<_> = rules.iter().filter(|(g, r)| !reached.contains(&(g, r.as_str()))).cloned().collect();
    let unused: Vec<_> = guardrails.iter().filter(|id| !forbidding.contains(id.as_str())).cloned().collect();
    (report.rules, report.uncovered) = (rules.len(), uncovered);
    (report.guardrails, report.uncovered_guardrails) = (guardrails.len(), unused);
}

/// The first text that the explanation should hold and does not.
fn unsaid(wanted: &[String], decision: &Decision) -> Option<String> {
    let lines = super::explain::lines(decision);
    let said = |text: &String| {
        let reasons = decision.reasons.iter().map(|r| r.text.as_str());
        reasons.chain(lines.iter().map(String::as_str)).any(|line| line.contains(text.as_str()))
    };
    wanted.iter().find(|text| !said(text)).map(|text| format!("expected the explanation to say \"{text}\", and it does not"))
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
        if !decision.guardrails.is_empty() {
            return Some("expected a rule to decide, and something forbids".to_owned());
        }
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
