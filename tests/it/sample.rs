//! The sample organisation that the first command of the README serves: no problem, every example right.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use bandpass::{
    clock,
    directory::{Directory, plan},
    domain::{decision::Inquiry, problem::Severity, id::GroupId, person::{AttributeValue, Person, Subject}},
    folder,
    policy::{self, Engine, Known, PolicyFiles, PolicySet, examples, explain, fixture},
    settings::Settings,
    startup::read_people,
};

/// Compares with a golden file; `BANDPASS_ACCEPT=1` writes it.
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("BANDPASS_ACCEPT").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let agreed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, agreed, "differs from tests/golden/{name}; after reading it aloud: BANDPASS_ACCEPT=1");
}

fn sample() -> (Directory, PolicyFiles, Arc<PolicySet>) {
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
    (directory, files, checked.set.unwrap())
}

#[test]
fn the_sample_policies_have_no_problem_and_their_examples_hold() {
    let (directory, files, set) = sample();
    let (cases, problems) = fixture::read(&files, &set);
    assert_eq!(problems, vec![]);
    let report = examples::run(&set, &cases, directory.teams(), clock::system()());
    let failed: Vec<String> = report.runs.iter().filter_map(|r| Some(format!("{}:{}: {}", r.file, r.line, r.failure.clone()?))).collect();
    assert_eq!(failed, Vec::<String>::new());
    assert!(report.runs.len() > 50 && cases.len() >= 10);
    assert_eq!((report.uncovered, report.uncovered_guardrails), (vec![], vec![]), "every rule and guardrail of the sample is exercised");
}

struct Told<'a> {
    title: &'a str,
    person: &'a str,
    group: &'a str,
    length: &'a str,
    holds: &'a [&'a str],
    justified: bool,
    /// A fact that the directory gets wrong.
    wrong: Option<(&'a str, AttributeValue)>,
}

const TELLING: Told<'_> = Told { title: "", person: "", group: "", length: "", holds: &[], justified: true, wrong: None };

/// What `policy explain` prints, read aloud to people who know no policy language.
#[test]
fn telling_cases_read_well_aloud() {
    let (directory, _, set) = sample();
    let cases = [
        Told { title: "granted at once", person: "mina.solberg", group: "warehouse-analysts", length: "8h", ..TELLING },
        Told { title: "by approval, and shorter would be quicker", person: "kofi.mensah", group: "github-maintainers", length: "30d", ..TELLING },
        Told { title: "denied by a guardrail that names what is held", person: "kofi.mensah", group: "production-oncall", length: "8h", holds: &["refunds"], ..TELLING },
        Told { title: "denied by a conflict", person: "emre.yilmaz", group: "payments-create", length: "8h", holds: &["payments-approve"], ..TELLING },
        Told { title: "too long, and another group gives the same", person: "ada.berg", group: "warehouse-analysts", length: "30d", ..TELLING },
        Told { title: "no reason given", person: "hana.sato", group: "customer-impersonation", length: "2h", justified: false, ..TELLING },
        Told { title: "of another team", person: "daan.bos", group: "ticket-admins", length: "1d", ..TELLING },
        Told {
            title: "a fact of the wrong kind",
            person: "bram.vanleeuwen",
            group: "crane-control",
            length: "8h",
            wrong: Some(("clearance", AttributeValue::Text("high".to_owned()))),
            ..TELLING
        },
    ];
    // A Wednesday, ten o'clock.
    let now = "2026-03-04T10:00:00Z".parse().unwrap();
    let mut text = String::new();
    for case in cases {
        let subject = directory.subject(case.person).unwrap();
        let mut person: Person = subject.person.clone();
        person.attributes.extend(case.wrong.map(|(name, value)| (name.to_owned(), value)));
        let subject = Subject { person: &person, ..subject };
        let engine = Engine::new(Arc::clone(&set), directory.subjects().map(|s| if s.person.id == person.id { subject } else { s })).with_teams(directory.teams().values());
        let group: GroupId = case.group.parse().unwrap();
        let holds: BTreeSet<GroupId> = case.holds.iter().map(|g| g.parse().unwrap()).collect();
        let duration = case.length.parse().unwrap();
        let inquiry = Inquiry { subject, group: &group, duration, has_justification: case.justified, now, holds: &holds, break_glass: false };
        let decision = engine.explain(&inquiry);
        text.push_str(&format!("== {}: {} asks for {} for {}\n", case.title, person.name, engine.names().group(case.group), duration.in_words()));
        text.extend(explain::lines(&decision).into_iter().map(|line| format!("{line}\n")));
        text.push('\n');
    }
    golden("explain.txt", &text);
}
