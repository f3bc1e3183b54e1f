//! `policy diff` over 10,000 people and 1,000 groups: a small edit of rules, and a guardrail that touches every group.

use std::{collections::{BTreeMap, BTreeSet}, sync::Arc, time::Instant};

use bandpass::{
    domain::{
        id::TeamId,
        person::{Person, PersonStatus, Subject},
        time::Time,
    },
    policy::{self, Known, PolicyFiles, PolicySet, diff::{self, Holdings, Inputs}},
};

const PEOPLE: usize = 10_000;
const GROUPS: usize = 1_000;
const TEAMS: usize = 300;
const RUNS: usize = 5;

pub fn files(changed: usize, guardrail: &str) -> PolicyFiles {
    let mut files: PolicyFiles = (0..GROUPS)
        .map(|n| {
            let days = if n < changed { 7 } else { 30 };
            let sensitivity = ["internal", "confidential", "restricted"][n % 3];
            let text = format!(
                "title = \"Group {n}\"\nowner = \"team:t{}\"\nsensitivity = \"{sensitivity}\"\n\
                 [[rule]]\nname = \"team\"\nwho = [\"team:t{}\", \"team:t{}\"]\nwhen = 'principal.employment == \"permanent\"'\nthen = \"grant\"\nfor = \"{days}d\"\n\
                 [[rule]]\nname = \"others\"\nwho = [\"everyone\"]\nthen = \"approve\"\nfor = \"7d\"\n[[rule.stage]]\nfrom = [\"owner\"]\n",
                n % TEAMS, n % TEAMS, (n * 7 + 1) % TEAMS
            );
            (format!("groups/g{n:04}.toml"), text.into_bytes())
        })
        .collect();
    files.insert("roles.toml".to_owned(), b"[admin]\nwho = [\"team:t0\"]\n".to_vec());
    let first = "@id(\"contractors\")\n@reason(\"no\")\nforbid (principal, action, resource)\nwhen { principal.employment == \"contractor\" && resource.sensitivity == \"restricted\" };\n";
    files.insert("guardrails/g.cedar".to_owned(), format!("{first}{guardrail}").into_bytes());
    files
}

pub fn set(files: &PolicyFiles) -> Arc<PolicySet> {
    let known = Known { teams: (0..TEAMS).map(|t| (format!("t{t}").parse::<TeamId>().expect("a team"), 30)).collect(), ..Known::default() };
    let checked = policy::check(files, &known, "UTC");
    checked.set.unwrap_or_else(|| panic!("{:?}", checked.problems.first()))
}

pub fn people() -> Vec<(Person, BTreeSet<TeamId>)> {
    (0..PEOPLE)
        .map(|n| {
            let team: TeamId = format!("t{}", n % TEAMS).parse().expect("a team");
            let person = Person {
                id: format!("p{n:05}").parse().expect("an id"),
                name: format!("Person {n}"),
                email: None,
                manager: None,
                team: Some(team.clone()),
                teams: BTreeSet::from([team.clone()]),
                employment: Some(["permanent", "permanent", "contractor", "intern"][n % 4].to_owned()),
                location: Some(format!("city {}", n % 12)),
                title: None,
                attributes: BTreeMap::new(),
                accounts: BTreeMap::new(),
                status: PersonStatus::Active,
            };
            (person, BTreeSet::from([team]))
        })
        .collect()
}

/// Runs and prints.
pub fn run() {
    println!("policy diff, {PEOPLE} people, {GROUPS} groups, {TEAMS} teams; milliseconds of {RUNS} runs, sorted");
    let people = people();
    let subjects: Vec<Subject<'_>> = people.iter().map(|(person, teams)| Subject { person, teams }).collect();
    let before = set(&files(0, ""));
    let guardrail = "@id(\"city\")\n@reason(\"no\")\nforbid (principal, action, resource)\nwhen { principal.location == \"city 3\" && context.duration_hours > 24 };\n";
    let cases = [("1 group edited", files(1, "")), ("20 groups edited", files(20, "")), ("every group edited", files(GROUPS, "")), ("a guardrail for every group", files(0, guardrail))];
    for (name, files) in cases {
        let after = set(&files);
        let holdings = Holdings::new();
        let mut moved = 0;
        let mut times: Vec<u128> = (0..RUNS)
            .map(|_| {
                let from = Instant::now();
                let inputs = Inputs { before: &before, after: &after, subjects: &subjects, holdings: &holdings, grants: &[], pending: &[], at: Time::from_micros(1_800_000_000_000_000) };
                let found = diff::diff(&inputs);
                moved = found.groups.iter().flat_map(|g| &g.moves).map(|m| m.people.len()).sum::<usize>();
                from.elapsed().as_millis()
            })
            .collect();
        times.sort_unstable();
        println!("  {name:<28} {times:?}  ({moved} pairs move)");
    }
}
