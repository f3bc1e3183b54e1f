#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Answer, given, prove};
use crate::{
    domain::{
        decision::{Effect, Inquiry},
        id::{GroupId, TeamId},
        person::{Person, Subject},
        time::Time,
    },
    policy::{Engine, Known, PolicyFiles, PolicySet, check},
};

const PARTS: [&str; 9] = [
    "principal.employment == \"contractor\"",
    "principal.teams.contains(\"another\")",
    "context.holds.contains(\"any-group\")",
    "context.holds.isEmpty()",
    "context.duration_hours > 8",
    "resource.sensitivity == \"restricted\"",
    "principal.team == \"ops\"",
    "(principal has level && principal.level >= 2)",
    "[\"any-group\", \"x\"].containsAll(context.holds)",
];

fn condition() -> impl Strategy<Value = String> {
    proptest::collection::vec((0..PARTS.len(), any::<bool>(), any::<bool>()), 1..4).prop_map(|parts| {
        let mut text = String::new();
        for (n, (part, not, or)) in parts.into_iter().enumerate() {
            let part = if not { format!("!({})", PARTS[part]) } else { PARTS[part].to_owned() };
            text = match (n, or) {
                (0, _) => part,
                (_, true) => format!("({text}) || {part}"),
                (_, false) => format!("({text}) && {part}"),
            };
        }
        text
    })
}

fn set(guardrails: &[String]) -> std::sync::Arc<PolicySet> {
    let known = Known { teams: ["ops", "admins"].iter().map(|t| (t.parse().unwrap(), 2)).collect(), ..Known::default() };
    let mut files = PolicyFiles::new();
    files.insert("roles.toml".to_owned(), b"[admin]\nwho = [\"team:admins\"]\n".to_vec());
    files.insert("attributes.toml".to_owned(), b"[attributes]\nlevel = \"long\"\n".to_vec());
    for (id, sensitivity) in [("g", "internal"), ("r", "restricted"), ("any-group", "internal"), ("x", "internal"), ("y", "internal")] {
        let text = format!("title = \"G\"\ndescription = \"g\"\nowner = \"team:admins\"\nsensitivity = \"{sensitivity}\"\n[[rule]]\nname = \"all\"\nwho = [\"everyone\"]\nthen = \"grant\"\nfor = \"3650d\"\n");
        files.insert(format!("groups/{id}.toml"), text.into_bytes());
    }
    for (n, when) in guardrails.iter().enumerate() {
        let text = format!("@id(\"g{n}\")\n@reason(\"no\")\nforbid (principal, action, resource) when {{ {when} }};\n");
        files.insert(format!("guardrails/g{n}.cedar"), text.into_bytes());
    }
    let checked = check(&files, &known, "UTC");
    checked.set.unwrap_or_else(|| panic!("{:#?}", checked.problems))
}

/// Whether any of these people may get what the claim says nobody gets, and whether the claim speaks of any of them.
fn by_hand(set: &std::sync::Arc<PolicySet>, claim: &super::Claim) -> (bool, bool) {
    let (mut allowed, mut meant) = (false, false);
    for employment in ["contractor", "permanent"] {
        for team in ["", "ops", "sales"] {
            for more in ["", "another", "third"] {
                for level in ["", "1", "2", "true"] {
                    let mut person: Person = serde_json::from_str(&format!(r#"{{"id":"p","name":"P","employment":"{employment}"}}"#)).unwrap();
                    person.team = team.parse().ok();
                    if let Ok(level) = serde_json::from_str(level) {
                        person.attributes.insert("level".to_owned(), level);
                    }
                    let teams: BTreeSet<TeamId> = [team, more].iter().filter_map(|t| t.parse().ok()).collect();
                    let subject = Subject { person: &person, teams: &teams };
                    let engine = Engine::new(std::sync::Arc::clone(set), [subject]);
                    for id in ["g", "r"] {
                        for held in [&[][..], &["any-group"], &["x"], &["y"], &["any-group", "y"]] {
                            for hours in ["8h", "9h"] {
                                let group: GroupId = id.parse().unwrap();
                                let holds: BTreeSet<GroupId> = held.iter().map(|g| g.parse().unwrap()).collect();
                                let inquiry = Inquiry { subject, group: &group, duration: hours.parse().unwrap(), has_justification: false, now: Time::from_micros(0), holds: &holds, break_glass: false };
                                if engine.facts.as_ref().unwrap().ask(&inquiry, &set.zone).unwrap().holds(&claim.condition) == Ok(true) {
                                    meant = true;
                                    allowed |= engine.decide_plainly(&inquiry).effect != Effect::Deny;
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    (allowed, meant)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_answer_equals_trying_everybody(guardrails in proptest::collection::vec(condition(), 0..3), never in condition()) {
        let set = set(&guardrails);
        let claim = given(&never, None, &set).unwrap();
        let (allowed, meant) = by_hand(&set, &claim);
        let answer = prove(&set, &claim);
        match answer {
            Answer::Proven { .. } => prop_assert!(meant && !allowed, "proven, and somebody is allowed: {never} / {guardrails:?}"),
            Answer::Refuted(_) => prop_assert!(allowed, "refuted, and nobody is allowed: {never} / {guardrails:?}"),
            Answer::NotProven { reasons } => prop_assert!(!meant, "{reasons:?}: {never} / {guardrails:?}"),
        }
    }
}

#[test]
fn what_is_not_recognised_is_never_proven_but_another_guardrail_may_suffice() {
    let never = "principal.employment == \"contractor\"";
    let odd = set(&["principal.employment like \"contractor\"".to_owned()]);
    let answer = prove(&odd, &given(never, None, &odd).unwrap());
    assert!(matches!(&answer, Answer::Refuted(_) | Answer::NotProven { .. }), "{answer:?}");
    let both = set(&["principal.title like \"x*\"".to_owned(), never.to_owned()]);
    assert!(matches!(prove(&both, &given(never, None, &both).unwrap()), Answer::Proven { .. }));
    let claim = given("principal.title like \"x*\"", None, &both).unwrap();
    assert!(!matches!(prove(&both, &claim), Answer::Proven { .. }));
}
