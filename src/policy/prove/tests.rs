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

/// By the solver that the variable CVC5 names; `tests/run` provides one.
#[cfg(feature = "symbolic")]
mod by_solver {
    use super::*;
    use crate::policy::prove::{Claim, Proof, symbolic};

    fn ask(set: &PolicySet, claim: &Claim, solver: &std::path::Path) -> Result<Answer, String> {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(symbolic::prove(set, claim, solver))
    }

    fn answer(set: &PolicySet, never: &str, group: Option<&str>) -> Result<Answer, String> {
        let solver = std::env::var_os("CVC5").expect("these tests need the solver cvc5: set CVC5 to its path");
        ask(set, &given(never, group.map(|g| g.parse().unwrap()).as_ref(), set).unwrap(), solver.as_ref())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_solver_never_contradicts_trying_everybody(guardrails in proptest::collection::vec(condition(), 0..3), never in condition()) {
            let set = set(&guardrails);
            let (allowed, meant) = by_hand(&set, &given(&never, None, &set).unwrap());
            match answer(&set, &never, None) {
                Ok(Answer::Proven { by: Proof::Solver }) => prop_assert!(!allowed, "proven, and somebody is allowed: {never} / {guardrails:?}"),
                Ok(Answer::Refuted(_)) => prop_assert!(allowed, "refuted, and nobody is allowed: {never} / {guardrails:?}"),
                Ok(other) => prop_assert!(false, "{other:?}"),
                Err(reason) => prop_assert!(!meant && reason.contains("can be like this"), "{reason}: {never} / {guardrails:?}"),
            }
        }
    }

    #[test]
    fn the_solver_decides_what_is_not_enumerated() {
        let set = set(&["principal.title like \"*intern*\"".to_owned(), "context.duration_hours * 2 > 100".to_owned()]);
        let proven = ["principal.title like \"*intern at*\"", "context.duration_minutes + 60 > 3100", "context.duration_minutes > 3600 && principal.manager == principal.id"];
        for never in proven {
            assert!(matches!(answer(&set, never, None), Ok(Answer::Proven { by: Proof::Solver })), "{never}: {:?}", answer(&set, never, None));
            assert!(!matches!(prove(&set, &given(never, None, &set).unwrap()), Answer::Proven { .. }), "{never} is enumerated as well");
        }
        let Ok(Answer::Refuted(case)) = answer(&set, "principal.title like \"*tern\"", None) else { panic!() };
        assert!(case.person.title.as_deref().is_some_and(|t| t.ends_with("tern") && !t.contains("intern")), "{case:?}");
        assert_eq!(case.told[0].split(", ").count(), 1, "only the title matters: {:?}", case.told);
        // The group's own rules count when it is named: they give to everyone, but not for longer than ten years.
        assert!(matches!(answer(&set, "principal.title like \"x*\"", Some("g")), Ok(Answer::Refuted(_))));
        assert!(matches!(answer(&set, "context.duration_hours + context.duration_hours > 102", Some("r")), Ok(Answer::Proven { .. })));
    }

    #[test]
    fn what_the_solver_cannot_know_is_never_proven_by_it() {
        let set = set(&["principal == Person::\"x\"".to_owned()]);
        let reason = answer(&set, "principal.employment == \"contractor\"", None).unwrap_err();
        assert!(reason.contains("names an entity"), "{reason}");
        let empty = super::set(&[]);
        let reason = answer(&empty, "context.duration_minutes > context.duration_hours * 60", None).unwrap_err();
        assert!(reason.contains("no person, group and request can be like this"), "{reason}");
    }

    #[test]
    fn a_solver_that_is_absent_or_talks_nonsense_decides_nothing() {
        let set = set(&[]);
        let claim = given("context.hour > 3", None, &set).unwrap();
        let absent = ask(&set, &claim, "/nowhere/cvc5".as_ref()).unwrap_err();
        assert!(absent.contains("cannot start the solver `/nowhere/cvc5`"), "{absent}");
        for program in ["/bin/echo", "/bin/cat", "/bin/false"] {
            let reason = ask(&set, &claim, program.as_ref());
            assert!(reason.is_err(), "{program}: {reason:?}");
        }
    }
}
