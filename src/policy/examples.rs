//! Running the examples of group files and the cases of fixture files: the right answer for the wrong reason fails.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Engine, PolicySet, explain, fixture::Case, group_file::Example, names::Names, reader::nearest};
use crate::domain::{
    decision::{Decision, Effect, Inquiry},
    explanation::RuleOutcome,
    id::{GroupId, PersonId, TeamId},
    person::{AttributeValue, Person, PersonStatus, Subject, Team},
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
    /// The decision as lines of text.
    pub told: Vec<String>,
}

/// The teams of an organisation.
pub type Teams = BTreeMap<TeamId, Team>;

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

/// Runs every example of the set, and every case. A team that is not among `teams` fails, where there are any.
pub fn run(set: &Arc<PolicySet>, cases: &[Case], teams: &Teams, now: Time) -> ExampleReport {
    let mut report = ExampleReport::default();
    // Nobody of the directory is needed: each example brings its person.
    let nobody: [Subject<'_>; 0] = [];
    let engine = Engine::new(Arc::clone(set), nobody).with_teams(teams.values());
    let decide = |group: &GroupId, example: &Example, now: Time| {
        let (person, teams) = invented(example, engine.names())?;
        let holds: BTreeSet<GroupId> = example.holds.iter().filter(|g| *g != group).cloned().collect();
        let decision = engine.explain_supposed(&Inquiry {
            subject: Subject { person: &person, teams: &teams },
            group,
            duration: example.duration,
            has_justification: example.justified,
            now,
            holds: &holds,
            break_glass: false,
        });
        let told = explain::lines(&decision);
        Some((decision, told))
    };
    for (id, examples) in &set.examples {
        let Some(group) = set.group(id.as_str()) else { continue };
        for example in examples {
            let Some((decision, told)) = decide(id, example, now) else { continue };
            let failure = unknown_fact(example, set, teams).or_else(|| failure(example, &decision)).or_else(|| unsaid(&example.reasons, &decision, &told));
            report.runs.push(ExampleRun { name: None, group: id.clone(), file: group.file.clone(), line: example.line, failure, decision, told });
        }
    }
    for case in cases {
        let Some((decision, told)) = decide(&case.group, &case.example, case.at.unwrap_or(now)) else { continue };
        let failure = unknown_fact(&case.example, set, teams)
            .or_else(|| failure(&case.example, &decision))
            .or_else(|| unsaid(&case.example.reasons, &decision, &told));
        let (name, group, file) = (Some(case.name.clone()), case.group.clone(), case.file.clone());
        report.runs.push(ExampleRun { name, group, file, line: case.example.line, failure, decision, told });
    }
    cover(set, &mut report);
    report
}

fn cover(set: &PolicySet, report: &mut ExampleReport) {
    let passed: Vec<&ExampleRun> = report.runs.iter().filter(|r| r.failure.is_none()).collect();
    let mut reached: BTreeSet<(&GroupId, &str)> = passed.iter().filter_map(|r| Some((&r.group, r.decision.rule.as_deref()?))).collect();
    // A birthright decides no request: it is exercised where it holds.
    for run in &passed {
        let rules = run.decision.explanation.iter().flat_map(|e| &e.rules).filter(|r| r.outcome == RuleOutcome::Birthright);
        reached.extend(rules.map(|r| (&run.group, r.rule.as_str())));
    }
    let forbidding: BTreeSet<&str> = passed.iter().flat_map(|r| &r.decision.guardrails).map(|g| g.id.as_str()).collect();
    let rules: Vec<(GroupId, String)> = set.groups.values().flat_map(|g| g.rules.iter().map(|r| (g.id.clone(), r.name.clone()))).collect();
    let uncovered: Vec<_> = rules.iter().filter(|(g, r)| !reached.contains(&(g, r.as_str()))).cloned().collect();
    let unused: Vec<_> = set.guardrails.iter().map(|g| g.id.clone()).filter(|id| !forbidding.contains(id.as_str())).collect();
    (report.rules, report.uncovered) = (rules.len(), uncovered);
    (report.guardrails, report.uncovered_guardrails) = (set.guardrails.len(), unused);
}

/// A fact that no person can have: the example would test nothing.
fn unknown_fact(example: &Example, set: &PolicySet, teams: &Teams) -> Option<String> {
    let attributes = super::cedar::BUILT_IN.iter().copied().chain(set.attributes.keys().map(String::as_str));
    if let Some(name) = example.person.keys().find(|name| !attributes.clone().any(|a| a == name.as_str())) {
        let near = nearest(name, attributes).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        return Some(format!("people have no attribute `{name}`{near}"));
    }
    let named = ["team", "teams"].into_iter().filter_map(|key| example.person.get(key)).flat_map(|value| match value {
        AttributeValue::Text(team) => vec![team.as_str()],
        AttributeValue::Set(teams) => teams.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    });
    let strange = named.into_iter().find(|team| !teams.is_empty() && !teams.keys().any(|t| t.as_str() == *team))?;
    let near = nearest(strange, teams.keys().map(TeamId::as_str)).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
    Some(format!("there is no team `{strange}`{near}"))
}

/// The first text that the explanation should hold and does not.
fn unsaid(wanted: &[String], decision: &Decision, told: &[String]) -> Option<String> {
    let said = |text: &String| {
        let reasons = decision.reasons.iter().map(|r| r.text.as_str()).chain(decision.guardrails.iter().filter_map(|g| g.fix.as_deref()));
        reasons.chain(told.iter().map(String::as_str)).any(|line| line.contains(text.as_str()))
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
    if let Some(rule) = example.rule.as_ref().filter(|rule| Some(*rule) != decision.rule.as_ref()) {
        let by = decision.rule.as_ref().map_or_else(|| "no rule".to_owned(), |r| format!("\"{r}\""));
        let why = if decision.guardrails.is_empty() { "" } else { ": something forbids it" };
        return Some(format!("expected the rule \"{rule}\", and {by} decides{why}"));
    }
    match &example.guardrail {
        Some(id) if !decision.guardrails.iter().any(|g| g.id == *id) => Some(format!("expected the guardrail `{id}` to forbid, and it does not")),
        _ => None,
    }
}

/// A person of the example's facts: a main team with its ancestors, built-in facts, and attributes for the rest.
fn invented(example: &Example, names: &Names) -> Option<(Person, BTreeSet<TeamId>)> {
    let text = |name: &str| match example.person.get(name) {
        Some(AttributeValue::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let mut direct: BTreeSet<TeamId> = text("team").iter().filter_map(|t| TeamId::parse(t).ok()).collect();
    if let Some(AttributeValue::Set(teams)) = example.person.get("teams") {
        direct.extend(teams.iter().filter_map(|t| TeamId::parse(t).ok()));
    }
    let teams = direct.iter().flat_map(|t| names.with_ancestors(t)).collect();
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
