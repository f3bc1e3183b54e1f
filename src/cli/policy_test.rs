//! `policy test`: the examples of the group files and the cases of the fixture files.

use std::path::PathBuf;

use super::{Context, Done, Outcome, people::People, policy::{read, usable}};
use crate::{
    clock,
    policy::{examples::{self, ExampleReport}, fixture, render},
};

pub(super) fn run(context: &Context, folder: Option<PathBuf>, people: &People) -> Outcome {
    let directory = &people.directory;
    let set = usable(context, folder.clone(), directory)?;
    let (cases, problems) = fixture::read(&read(context, folder)?, &set);
    if !problems.is_empty() {
        return Err(problems.iter().map(render::text).collect::<Vec<_>>().join("\n\n"));
    }
    let report = examples::run(&set, &cases, directory.teams(), clock::system()());
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
        text.extend(run.told.iter().map(|line| format!("    {line}")));
        text.push(String::new());
    }
    if !report.uncovered.is_empty() {
        text.push("Rules never exercised:".to_owned());
        text.extend(report.uncovered.iter().map(|(group, rule)| format!("  {group}: \"{rule}\"")));
    }
    if !report.uncovered_guardrails.is_empty() {
        text.push("Guardrails never exercised:".to_owned());
        text.extend(report.uncovered_guardrails.iter().map(|id| format!("  {id}")));
    }
    text.push(format!(
        "{} passed, {failed} failed; {} of {} rules and {} of {} guardrails are exercised",
        report.runs.len() - failed,
        report.rules - report.uncovered.len(),
        report.rules,
        report.guardrails - report.uncovered_guardrails.len(),
        report.guardrails,
    ));
    text.join("\n")
}
