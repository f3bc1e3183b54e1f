//! `policy test`: the examples of the group files and the cases of the fixture files.

use std::{collections::{BTreeMap, BTreeSet}, path::PathBuf};

use super::{Context, Done, Outcome, policy::{people, usable}};
use crate::{
    clock,
    domain::id::TeamId,
    policy::{examples::{self, ExampleReport}, explain},
};

pub(super) fn run(context: &Context, folder: Option<PathBuf>) -> Outcome {
    let directory = people(context)?;
    let set = usable(context, folder, &directory)?;
    let ancestors: BTreeMap<TeamId, BTreeSet<TeamId>> =
        directory.teams().keys().map(|t| (t.clone(), directory.ancestors(t).into_iter().collect())).collect();
    let report = examples::run(&set, &ancestors, clock::system()());
    let failed = report.runs.iter().filter(|r| r.failure.is_some()).count();
    let runs: Vec<_> = report
        .runs
        .iter()
        .map(|r| serde_json::json!({ "name": r.name, "group": r.group, "file": r.file, "line": r.line, "failure": r.failure, "decision": r.decision }))
        .collect();
    let value = serde_json::json!({
        "examples": runs,
        "failed": failed,
        "rules": report.rules,
        "rules_without_example": report.uncovered,
        "guardrails": report.guardrails,
        "guardrails_without_example": report.uncovered_guardrails,
    });
    context.print(&value, || text(&report, failed));
    Ok(if failed == 0 { Done::Yes } else { Done::No })
}

fn text(report: &ExampleReport, failed: usize) -> String {
    let mut text = Vec::new();
    for run in &report.runs {
        let Some(failure) = &run.failure else { continue };
        let name = run.name.as_ref().map_or_else(String::new, |n| format!("\"{n}\": "));
        text.push(format!("{}:{}: {name}{failure}", run.file, run.line));
        text.extend(explain::lines(&run.decision).into_iter().map(|line| format!("    {line}")));
    }
    text.extend(report.uncovered.iter().map(|(group, rule)| format!("not reached: the rule \"{rule}\" of {group}")));
    text.extend(report.uncovered_guardrails.iter().map(|id| format!("not reached: the guardrail {id}")));
    text.push(format!(
        "{} passed, {failed} failed; {} of {} rules and {} of {} guardrails are reached",
        report.runs.len() - failed,
        report.rules - report.uncovered.len(),
        report.rules,
        report.guardrails - report.uncovered_guardrails.len(),
        report.guardrails,
    ));
    text.join("\n")
}
