//! The sample organisation that the first command of the README serves: no problem, every example right.

use std::{collections::BTreeMap, path::Path};

use bandpass::{clock, domain::problem::Severity, directory::{Directory, plan}, folder, policy::{self, Known, examples}, settings::Settings, startup::read_people};

#[test]
fn the_sample_policies_have_no_problem_and_their_examples_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (source, problems) = read_people(&root.join("policies/org")).unwrap();
    assert_eq!(problems, vec![]);
    let directory = plan::apply(&Directory::default(), &plan::plan(&Directory::default(), &source).changes, 1);
    let settings = Settings::load(None, []).unwrap();
    let known = Known {
        people: directory.people().keys().cloned().collect(),
        teams: directory.teams().keys().map(|t| (t.clone(), directory.members(t).len())).collect(),
        connectors: settings.connectors(),
        ..Known::default()
    };
    let files = folder::read(&root.join("policies"), folder::POLICY_ENDINGS).unwrap();
    let checked = policy::check(&files, &known, "UTC");
    let told: Vec<_> = checked.problems.iter().filter(|p| p.severity != Severity::Note).collect();
    assert_eq!(told, Vec::<&bandpass::domain::problem::Problem>::new());
    let ancestors: BTreeMap<_, _> = directory.teams().keys().map(|t| (t.clone(), directory.ancestors(t).into_iter().collect())).collect();
    let report = examples::run(checked.set.unwrap(), &ancestors, clock::system()());
    let failed: Vec<String> = report.runs.iter().filter_map(|r| Some(format!("{}:{}: {}", r.file, r.line, r.failure.clone()?))).collect();
    assert_eq!(failed, Vec::<String>::new());
    assert!(report.runs.len() > 50);
}
