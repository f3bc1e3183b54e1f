//! The three rooms that read files which people wrote. They import nothing of the others (`tests/it/architecture.rs`), so
//! the fuzz targets build without server and databases, in a minute.

#[path = "../../src/directory/mod.rs"]
pub mod directory;
#[path = "../../src/domain/mod.rs"]
pub mod domain;
#[path = "../../src/policy/mod.rs"]
pub mod policy;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::{
        decision::{Effect, Inquiry},
        id::GroupId,
        person::{Person, Subject},
        time::Time,
    },
    policy::{Engine, Known, PolicyFiles, PolicySet, check, render},
};

/// The names that the seeds use.
pub fn known() -> Known {
    Known {
        people: ["ann", "olga"].iter().flat_map(|p| p.parse()).collect(),
        teams: ["ops", "owners", "admins"].iter().flat_map(|t| Some((t.parse().ok()?, 2))).collect(),
        connectors: "target".parse().into_iter().collect(),
        ..Known::default()
    }
}

/// Checks the files with a sound frame around them, shows every problem as text, and answers the set if there is one.
///
/// # Panics
/// When a problem points outside its file: what the fuzzer looks for.
pub fn checked(files: &[(&str, &[u8])]) -> Option<std::sync::Arc<PolicySet>> {
    let frame = [
        ("roles.toml", "[admin]\nwho = [\"team:admins\"]\n"),
        ("attributes.toml", "[attributes]\non_call = \"bool\"\nclearance = \"long\"\ntrainings = \"set\"\ncost = \"string\"\n"),
        (
            "groups/other.toml",
            "title = \"O\"\ndescription = \"o\"\nowner = \"team:owners\"\nsensitivity = \"internal\"\n[[rule]]\nname = \"o\"\nwho = [\"everyone\"]\nthen = \"grant\"\nfor = \"1d\"\n",
        ),
    ];
    let mut all: PolicyFiles = frame.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    all.extend(files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())));
    let checked = check(&all, &known(), "UTC");
    for problem in &checked.problems {
        assert!(problem.line >= 1 && problem.column >= 1 && problem.end_line >= problem.line, "{problem:?}");
        assert!(!render::text(problem).is_empty());
    }
    let again = check(&all, &known(), "UTC");
    assert_eq!(checked.problems, again.problems, "a check is a function of its files");
    checked.set
}

/// Decides a few inquiries about `group` in every set that loads: a decision never panics, and nobody passes a guardrail.
///
/// # Panics
/// When a decision allows what a guardrail forbids: what the fuzzer looks for.
pub fn decide(set: &std::sync::Arc<PolicySet>, group: &str) {
    let Ok(group) = group.parse::<GroupId>() else { return };
    let Ok(person) = serde_json::from_str::<Person>(r#"{"id":"ann","name":"Ann","team":"ops","employment":"permanent","attributes":{"on_call":true,"clearance":2}}"#) else {
        return;
    };
    let teams: BTreeSet<_> = person.team.iter().cloned().collect();
    let subject = Subject { person: &person, teams: &teams };
    let engine = Engine::new(std::sync::Arc::clone(set), [subject]);
    let holds: BTreeMap<bool, BTreeSet<GroupId>> = [(false, BTreeSet::new()), (true, "other".parse().into_iter().collect())].into();
    for (emergency, holds) in &holds {
        for duration in ["1m", "8h", "3650d"] {
            let Ok(duration) = duration.parse() else { continue };
            let inquiry = Inquiry { subject, group: &group, duration, has_justification: *emergency, now: Time::from_micros(0), holds, break_glass: *emergency };
            let decision = engine.decide(&inquiry);
            assert!(decision.guardrails.is_empty() || decision.effect == Effect::Deny, "{decision:?}");
            assert_eq!(decision, engine.decide(&inquiry), "a decision is a function of its inquiry");
        }
    }
}
