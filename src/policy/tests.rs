#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod reference;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{Checked, Engine, Known, PolicyFiles, check, render};
use crate::domain::{
    decision::{Decision, Effect, Inquiry, ReasonKind, Remedy},
    duration::Duration,
    id::{GroupId, TeamId},
    person::{Person, PersonStatus, Subject},
    problem::Severity,
    time::Time,
};

const ROLES: &str = "[admin]\nwho = [\"team:admins\"]\n";

fn known() -> Known {
    Known {
        people: ["ann".parse().unwrap(), "olga".parse().unwrap()].into(),
        former_people: ["left".parse().unwrap()].into(),
        teams: ["admins", "ops", "owners"].into_iter().map(|t| (t.parse().unwrap(), 2)).collect(),
        connectors: ["target".parse().unwrap()].into(),
        ..Known::default()
    }
}

fn set(files: &[(&str, &str)]) -> Checked {
    let mut all: PolicyFiles = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    all.entry("roles.toml".to_owned()).or_insert_with(|| ROLES.into());
    let mut checked = check(&all, &known(), "UTC");
    // These tests are about what is decided and refused; notes have their own.
    checked.problems.retain(|p| p.severity != Severity::Note);
    checked
}

fn group(rules: &str) -> String {
    format!("title = \"Group\"\ndescription = \"A group of the tests\"\nowner = \"team:owners\"\nsensitivity = \"internal\"\n{rules}")
}

fn person(team: &str, employment: &str) -> (Person, BTreeSet<TeamId>) {
    let team: TeamId = team.parse().unwrap();
    let person = Person {
        id: "ann".parse().unwrap(),
        name: "Ann".to_owned(),
        email: None,
        manager: None,
        team: Some(team.clone()),
        teams: [team.clone()].into(),
        employment: Some(employment.to_owned()),
        location: None,
        title: None,
        attributes: BTreeMap::new(),
        accounts: BTreeMap::new(),
        status: PersonStatus::Active,
    };
    (person, [team].into())
}

struct Ask<'a> {
    team: &'a str,
    employment: &'a str,
    duration: &'a str,
    holds: &'a [&'a str],
}

fn decide(checked: &Checked, id: &str, ask: &Ask<'_>) -> Decision {
    let set = checked.set.clone().unwrap_or_else(|| panic!("{:#?}", checked.problems));
    let (person, teams) = person(ask.team, ask.employment);
    let subject = Subject { person: &person, teams: &teams };
    let holds: BTreeSet<GroupId> = ask.holds.iter().map(|g| g.parse().unwrap()).collect();
    let id: GroupId = id.parse().unwrap();
    let duration: Duration = ask.duration.parse().unwrap();
    let now = Time::from_micros(1_800_000_000_000_000);
    Engine::new(set, [subject]).decide(&Inquiry { subject, group: &id, duration, has_justification: false, now, holds: &holds, break_glass: false })
}

const OPS: Ask<'_> = Ask { team: "ops", employment: "permanent", duration: "8h", holds: &[] };

fn rule(name: &str, who: &str, then: &str, max: &str) -> String {
    let stage = if then == "approve" { "[[rule.stage]]\nfrom = [\"owner\"]\n" } else { "" };
    format!("[[rule]]\nname = \"{name}\"\nwho = [\"{who}\"]\nthen = \"{then}\"\nfor = \"{max}\"\n{stage}")
}

#[test]
fn the_first_rule_that_holds_and_covers_the_duration_decides() {
    let text = group(&format!("{}{}", rule("short", "team:ops", "grant", "1h"), rule("long", "everyone", "approve", "7d")));
    let checked = set(&[("groups/g.toml", &text)]);
    let decision = decide(&checked, "g", &OPS);
    assert_eq!((decision.effect, decision.rule.as_deref()), (Effect::Approve, Some("long")));
    let kinds: Vec<ReasonKind> = decision.reasons.iter().map(|r| r.kind).collect();
    assert_eq!(kinds, [ReasonKind::RuleDuration, ReasonKind::RuleDecides]);
    assert_eq!(decide(&checked, "g", &Ask { duration: "1h", ..OPS }).effect, Effect::Grant);
    assert_eq!(decide(&checked, "g", &Ask { duration: "8d", ..OPS }).effect, Effect::Deny);
}

#[test]
fn too_long_for_an_approval_never_opens_a_grant_below() {
    let text = group(&format!("{}{}", rule("strict", "everyone", "approve", "7d"), rule("loose", "everyone", "grant", "30d")));
    let checked = set(&[("groups/g.toml", &text)]);
    assert!(checked.problems.iter().any(|p| p.code == "BP062"), "{:?}", checked.problems);
    let decision = decide(&checked, "g", &Ask { duration: "10d", ..OPS });
    assert_eq!(decision.effect, Effect::Deny);
    assert_eq!(decision.reasons.last().unwrap().kind, ReasonKind::RuleClosed);
    let first = &decision.suggestions[0];
    assert_eq!((&first.remedy, first.effect), (&Remedy::ShorterDuration { duration: "7d".parse().unwrap() }, Some(Effect::Approve)));
}

#[test]
fn an_error_in_a_reached_rule_denies_and_an_unreached_one_does_not_matter() {
    let broken = "[[rule]]\nname = \"broken\"\nwho = [\"everyone\"]\nwhen = 'principal.on_call'\nthen = \"grant\"\nfor = \"1d\"\n";
    let checked = set(&[("groups/g.toml", &group(broken)), ("attributes.toml", "[attributes]\non_call = \"bool\"\n")]);
    assert!(checked.set.is_none(), "an optional attribute wants `has`: {:?}", checked.problems);
    // `has` passes the check; the value of another type fails only when it is evaluated.
    let sound = "[[rule]]\nname = \"maybe\"\nwho = [\"everyone\"]\nwhen = 'principal has level && principal.level > 1'\nthen = \"grant\"\nfor = \"1d\"\n";
    let text = group(&format!("{sound}{}", rule("else", "everyone", "grant", "1d")));
    let checked = set(&[("groups/g.toml", &text), ("attributes.toml", "[attributes]\nlevel = \"long\"\n")]);
    let decide_with = |value: crate::domain::person::AttributeValue| {
        let (mut person, teams) = person("ops", "permanent");
        person.attributes.insert("level".to_owned(), value);
        let subject = Subject { person: &person, teams: &teams };
        let now = Time::from_micros(0);
        let id: GroupId = "g".parse().unwrap();
        let inquiry = Inquiry { subject, group: &id, duration: "1h".parse().unwrap(), has_justification: false, now, holds: &BTreeSet::new(), break_glass: false };
        Engine::new(checked.set.clone().unwrap(), [subject]).decide(&inquiry)
    };
    let decision = decide_with(crate::domain::person::AttributeValue::Text("high".to_owned()));
    assert_eq!((decision.effect, decision.reasons.last().unwrap().kind), (Effect::Deny, ReasonKind::RuleError));
    assert_eq!(decide_with(crate::domain::person::AttributeValue::Long(1)).rule.as_deref(), Some("else"));
}

const GUARD: &str = "@id(\"g1\")\n@reason(\"no\")\nforbid (principal, action, resource)\nwhen { principal has level && principal.level > 1 };\n";

#[test]
fn a_broken_guardrail_forbids() {
    let checked = set(&[
        ("groups/g.toml", &group(&rule("all", "everyone", "grant", "1d"))),
        ("guardrails/a.cedar", GUARD),
        ("attributes.toml", "[attributes]\nlevel = \"long\"\n"),
    ]);
    let (mut person, teams) = person("ops", "permanent");
    person.attributes.insert("level".to_owned(), crate::domain::person::AttributeValue::Bool(true));
    let subject = Subject { person: &person, teams: &teams };
    let id: GroupId = "g".parse().unwrap();
    let holds = BTreeSet::new();
    let inquiry = Inquiry { subject, group: &id, duration: "1h".parse().unwrap(), has_justification: false, now: Time::from_micros(0), holds: &holds, break_glass: false };
    let decision = Engine::new(checked.set.clone().unwrap(), [subject]).decide(&inquiry);
    assert_eq!(decision.effect, Effect::Deny);
    assert!(decision.guardrails[0].failed, "{decision:#?}");
    // A person whose entity could not be made at all is denied, too.
    let nobody: [Subject<'_>; 0] = [];
    assert_eq!(Engine::new(checked.set.unwrap(), nobody).decide(&inquiry).effect, Effect::Deny);
}

#[test]
fn a_when_cannot_close_its_brace() {
    for text in ["true }; permit(principal, action, resource) when { true", "true };", "true // ", "(((((((((((((((((((((((((((((((((((true)))))))))))))))))))))))))))))))))))", "principal.nothing == 1", "1 + 1"] {
        let rule = format!("[[rule]]\nname = \"r\"\nwho = [\"everyone\"]\nwhen = '{text}'\nthen = \"grant\"\nfor = \"1d\"\n");
        let checked = set(&[("groups/g.toml", &group(&rule))]);
        if text == "true // " {
            continue;
        }
        assert!(checked.set.is_none(), "{text}");
        assert_eq!(checked.problems[0].line, 8, "{:?}", checked.problems);
    }
}

#[test]
fn a_comment_or_a_gap_hides_nothing_from_the_bounds() {
    let deep = format!("// \"\n{}true{}", "(".repeat(5000), ")".repeat(5000));
    let denials = format!("{}true", "!\n".repeat(5000));
    let branches = format!("{}true", "if true then true else ".repeat(2000));
    for text in [deep, denials, branches] {
        let rule = format!("[[rule]]\nname = \"deep\"\nwho = [\"everyone\"]\nwhen = '''{text}'''\nthen = \"grant\"\nfor = \"1h\"\n");
        let checked = set(&[("groups/g.toml", &group(&rule))]);
        assert!(checked.problems.iter().any(|p| p.code == "BP031"), "{:?}", checked.problems.first());
    }
    for text in [format!("0{} == 0", " + 0".repeat(15_000)), format!("true{}", " && true".repeat(8_000)), format!("principal{}", ".a".repeat(30_000))] {
        let rule = format!("[[rule]]\nname = \"long\"\nwho = [\"everyone\"]\nwhen = '''{text}'''\nthen = \"grant\"\nfor = \"1h\"\n");
        let checked = set(&[("groups/g.toml", &group(&rule))]);
        assert!(checked.problems.iter().any(|p| p.code == "BP031"), "{:?}", checked.problems.first());
    }
    let allowed = format!("true{}", " && true".repeat(190));
    let rule = format!("[[rule]]\nname = \"long\"\nwho = [\"everyone\"]\nwhen = '''{allowed}'''\nthen = \"grant\"\nfor = \"1d\"\n");
    let checked = set(&[("groups/g.toml", &group(&rule))]);
    assert_eq!(decide(&checked, "g", &OPS).effect, Effect::Grant, "what is within the bounds is decided, on any thread");
    let keys = format!("{} = 1", vec!["a"; 50_000].join("."));
    let arrays = format!("a = {}{}", "[".repeat(50_000), "]".repeat(50_000));
    for text in [keys, arrays] {
        assert!(set(&[("groups/g.toml", &text)]).set.is_none());
    }
}

#[test]
fn nested_brackets_do_not_reach_the_parser() {
    let deep = format!("@id(\"x\")\n@reason(\"y\")\nforbid (principal, action, resource) when {{ {}true{} }};", "(".repeat(20_000), ")".repeat(20_000));
    let checked = set(&[("groups/g.toml", &group(&rule("all", "everyone", "grant", "1d"))), ("guardrails/deep.cedar", &deep)]);
    assert_eq!(checked.problems.iter().map(|p| p.code.as_str()).collect::<Vec<_>>(), ["BP031"]);
}

#[test]
fn every_problem_is_told_at_once_and_rendered_with_its_place() {
    let text = "titel = \"G\"\nowner = \"team:ownrs\"\nsensitivity = \"secret\"\n[[rule]]\nname = \"a\"\nwho = []\nthen = \"grand\"\n[[rule.stage]]\nfrom = [\"everyone\"]\n";
    let checked = set(&[("groups/g.toml", text)]);
    assert!(checked.set.is_none());
    let codes: Vec<&str> = checked.problems.iter().map(|p| p.code.as_str()).collect();
    for code in ["BP002", "BP004", "BP006", "BP007", "BP008"] {
        assert!(codes.contains(&code), "{code} is missing in {codes:?}");
    }
    let unknown = checked.problems.iter().find(|p| p.code == "BP002").unwrap();
    let told = render::text(unknown);
    assert!(told.contains("groups/g.toml:1:1") && told.contains("titel = \"G\"") && told.contains("^^^^^") && told.contains("did you mean `title`?"), "{told}");
}

#[test]
fn a_lost_rule_or_title_hides_no_other_problem() {
    let text = "owner = \"team:ownrs\"\nsensitivity = \"secret\"\n[[rule]]\nname = \"a\"\nwho = [\"team:opps\", \"persn:ann\"]\nwhen = 'principal.employmnt == \"x\"'\nthen = \"aprove\"\nfor = \"2 weeks\"\n[[rule]]\nname = \"b\"\nwho = [\"everyone\"]\nwhen = 'principal.tem == \"x\"'\nthen = \"grant\"\nfor = \"1d\"\n";
    let checked = set(&[("groups/g.toml", text)]);
    let told: Vec<(&str, u32, &str)> = checked.problems.iter().filter(|p| p.severity == Severity::Error).map(|p| (p.code.as_str(), p.line, p.help.as_deref().unwrap())).collect();
    let expected = [
        ("BP004", 1, "the name that people read, like title = \"Warehouse analysts\""),
        ("BP072", 1, "did you mean `team:owners`?"),
        ("BP006", 2, "expected public, internal, confidential, restricted"),
        ("BP072", 5, "did you mean `team:ops`?"),
        ("BP005", 5, "did you mean `person:ann`?"),
        ("BP032", 6, "did you mean `employment`?"),
        ("BP006", 7, "did you mean `approve`?"),
        ("BP005", 8, "did you mean `14d`?"),
        ("BP032", 12, "did you mean `team`?"),
    ];
    assert_eq!(told, expected);
}

fn codes(checked: &Checked) -> Vec<&str> {
    checked.problems.iter().map(|p| p.code.as_str()).collect()
}

#[test]
fn a_condition_on_the_length_is_seen_beside_for_whichever_way_it_is_written() {
    let told = |condition: &str, max: &str| {
        let rule = format!("[[rule]]\nname = \"r\"\nwho = [\"everyone\"]\nwhen = '{condition}'\nthen = \"grant\"\nfor = \"{max}\"\n");
        set(&[("groups/g.toml", &group(&rule))]).problems.iter().map(|p| format!("{} {}", p.code, p.help.as_deref().unwrap_or_default())).collect::<Vec<_>>()
    };
    for condition in ["context.duration_hours <= 12", "context.duration_hours < 13", "12 >= context.duration_hours", "13 > context.duration_hours", "context.duration_minutes <= 720"] {
        assert_eq!(told(condition, "1d"), ["BP033 write for = \"12h\""], "{condition}");
        assert_eq!(told(condition, "12h"), Vec::<String>::new(), "{condition}");
    }
    for condition in ["context.duration_hours > 24", "context.duration_hours >= 25", "24 < context.duration_hours", "context.duration_hours < 1"] {
        assert!(told(condition, "1d")[0].starts_with("BP034"), "{condition}");
    }
    // Beside an `||`, or denied, it says nothing.
    for condition in ["context.duration_hours <= 12 || principal.team == \"ops\"", "!(context.duration_hours <= 12)", "(context.duration_hours <= 12) == false"] {
        assert_eq!(told(condition, "1d"), Vec::<String>::new(), "{condition}");
    }
}

#[test]
fn what_a_file_allows_with_a_reason_is_not_told() {
    let open = group(&rule("all", "everyone", "grant", "1d")).replace("internal", "restricted");
    assert_eq!(codes(&set(&[("groups/g.toml", &open)])), ["BP064"]);
    let allowed = format!("{open}[[allow]]\ncode = \"BP064\"\nreason = \"a fire brigade\"\n");
    assert_eq!(codes(&set(&[("groups/g.toml", &allowed)])), Vec::<&str>::new());
    let sound = group(&rule("all", "everyone", "grant", "1d"));
    let rail = "@id(\"x\")\n@reason(\"no\")\n@fix(\"ask\")\nALLOWforbid (principal, action, resource)\nwhen { resource.tags.contains(\"pci\") && principal.team == \"ops\" };\n";
    let with = |allow: &str| set(&[("groups/g.toml", &sound), ("guardrails/g.cedar", &rail.replace("ALLOW", allow))]);
    assert_eq!(codes(&with("")), ["BP048"]);
    assert_eq!(codes(&with("@allow(\"BP048: the first such group comes in spring\")\n")), Vec::<&str>::new());
    assert_eq!(codes(&with("@allow(\"BP048\")\n")), ["BP078"], "without a reason");
}

#[test]
fn approvers_are_open_to_whoever_can_join_without_anybodys_approval() {
    let asks = group("[[rule]]\nname = \"r\"\nwho = [\"everyone\"]\nthen = \"approve\"\nfor = \"1d\"\n[[rule.stage]]\nfrom = [\"group:voters\"]\n");
    let titled = |text: String, title: &str| text.replace("\"Group\"", &format!("\"{title}\""));
    let approved = titled(group("[[rule]]\nname = \"a\"\nwho = [\"everyone\"]\nthen = \"approve\"\nfor = \"1d\"\n[[rule.stage]]\nfrom = [\"owner\"]\n"), "Inner");
    let of_holders = titled(group(&rule("holders", "group:inner", "grant", "1d")), "Voters");
    let told = |voters: &str, inner: &str| codes(&set(&[("groups/g.toml", &asks), ("groups/voters.toml", voters), ("groups/inner.toml", inner)])).iter().filter(|c| **c == "BP060").count();
    // Holding `inner` took an approval; once `inner` is open, so is what its holders may join.
    assert_eq!(told(&of_holders, &approved), 0);
    assert_eq!(told(&of_holders, &titled(group(&rule("all", "team:ops", "grant", "1d")), "Inner")), 1);
    let emergency = format!("{}[break_glass]\nwho = [\"team:ops\"]\nfor = \"1h\"\nreview_by = [\"team:owners\"]\n", approved.replace("Inner", "Voters"));
    assert_eq!(told(&emergency, &approved), 1, "an emergency needs no approval");
}

#[test]
fn names_that_nobody_knows_are_errors_and_names_that_left_are_warnings() {
    let text = group(&rule("r", "team:opps", "grant", "1d"));
    let checked = set(&[("groups/g.toml", &text)]);
    assert_eq!(checked.problems[0].help.as_deref(), Some("did you mean `team:ops`?"));
    let checked = set(&[("groups/g.toml", &group(&rule("r", "person:left", "grant", "1d")))]);
    assert_eq!((checked.set.is_some(), checked.problems[0].severity), (true, Severity::Warning));
    let joinable = format!("{}[[rule.stage]]\nfrom = [\"group:open\"]\n", "[[rule]]\nname = \"r\"\nwho = [\"everyone\"]\nthen = \"approve\"\nfor = \"1d\"\n");
    let open = group(&rule("all", "everyone", "grant", "1d")).replace("\"Group\"", "\"Open\"");
    let checked = set(&[("groups/g.toml", &group(&joinable)), ("groups/open.toml", &open)]);
    assert_eq!(checked.problems[0].code, "BP060");
}

#[test]
fn bad_files_have_a_message_each() {
    let many = |path: &str, bytes: Vec<u8>| {
        let files: PolicyFiles = [(path.to_owned(), bytes), ("roles.toml".to_owned(), ROLES.into())].into();
        check(&files, &known(), "UTC").problems.into_iter().map(|p| p.code).collect::<Vec<_>>()
    };
    assert!(many("groups/g.toml", vec![0xff, 0xfe]).contains(&"BP052".to_owned()));
    assert!(many("groups/g.toml", vec![b'#'; 300_000]).contains(&"BP051".to_owned()));
    assert!(many("groups/Big.toml", b"".to_vec()).contains(&"BP054".to_owned()));
    assert_eq!(check(&PolicyFiles::new(), &known(), "UTC").problems[0].code, "BP022");
    let files: PolicyFiles = [("roles.toml".to_owned(), ROLES.into())].into();
    assert_eq!(check(&files, &known(), "UTC").problems[0].code, "BP057", "an empty set is never \"take everything away\"");
    let one = group(&rule("all", "everyone", "grant", "1d"));
    let twice = set(&[("groups/a/g.toml", &one), ("groups/b/g.toml", &one)]);
    assert!(twice.problems.iter().any(|p| p.code == "BP055"));
}

#[derive(Debug, Clone)]
struct Drawn {
    who: usize,
    when: usize,
    then: usize,
    hours: u32,
}

const WHO: [&str; 4] = ["everyone", "team:ops", "team:owners", "group:other"];
const WHEN: [&str; 4] = ["", "when = 'principal.employment == \"permanent\"'\n", "when = 'context.duration_hours <= 12'\n", "when = 'context.holds.contains(\"other\")'\n"];

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let one = (0..WHO.len(), 0..WHEN.len(), 0..2_usize, 1..200_u32).prop_map(|(who, when, then, hours)| Drawn { who, when, then, hours });
    proptest::collection::vec(one, 0..5)
}

fn written(rules: &[Drawn]) -> String {
    let rules = rules.iter().enumerate().map(|(n, r)| {
        let then = ["grant", "approve"][r.then];
        let stage = if then == "approve" { "[[rule.stage]]\nfrom = [\"owner\"]\n" } else { "" };
        format!("[[rule]]\nname = \"r{n}\"\nwho = [\"{}\"]\n{}then = \"{then}\"\nfor = \"{}h\"\n{stage}", WHO[r.who], WHEN[r.when], r.hours)
    });
    group(&rules.collect::<String>())
}

const OTHER: &str = "title = \"O\"\nowner = \"team:owners\"\nsensitivity = \"internal\"\n[[rule]]\nname = \"o\"\nwho = [\"everyone\"]\nthen = \"approve\"\nfor = \"1d\"\n[[rule.stage]]\nfrom = [\"owner\"]\n";

fn guard(condition: &str) -> String {
    format!("@id(\"x\")\n@reason(\"no\")\nforbid (principal, action, resource) when {{ {condition} }};\n")
}

fn rank(effect: Effect) -> u8 {
    match effect {
        Effect::Deny => 0,
        Effect::Approve => 1,
        Effect::Grant => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_rules(rules in drawn(), team in 0..2_usize, permanent in any::<bool>(), hours in 1..200_u32, holds in any::<bool>(), guardrail in 0..3_usize) {
        let text = written(&rules);
        let files = [("groups/g.toml", text.as_str()), ("groups/other.toml", OTHER)];
        let length = format!("{hours}h");
        let ask = Ask { team: ["ops", "owners"][team], employment: if permanent { "permanent" } else { "contractor" }, duration: &length, holds: if holds { &["other"] } else { &[] } };
        let plain = decide(&set(&files), "g", &ask);
        // Default deny: without a rule that speaks of them nobody gets anything.
        if rules.is_empty() {
            prop_assert_eq!(plain.effect, Effect::Deny);
        }
        // The deciding rule covers the duration, and no grant decides below an approval that gives less time.
        if let Some(name) = &plain.rule {
            let index: usize = name[1..].parse().unwrap();
            prop_assert!(rules[index].hours >= hours);
        }
        // A guardrail beats any rule, and adding one never allows more.
        let condition = ["true", "principal.employment == \"contractor\"", "context.duration_hours > 24"][guardrail];
        let source = guard(condition);
        let guarded = decide(&set(&[files[0], files[1], ("guardrails/x.cedar", &source)]), "g", &ask);
        prop_assert!(rank(guarded.effect) <= rank(plain.effect));
        let forbids = [true, !permanent, hours > 24][guardrail];
        if forbids {
            prop_assert_eq!(guarded.effect, Effect::Deny);
            prop_assert_eq!(guarded.guardrails.len(), 1);
        } else {
            prop_assert_eq!(guarded.effect, plain.effect);
        }
        // The order of files is irrelevant; the order in the map is that of their names.
        let moved = decide(&set(&[("groups/z/g.toml", text.as_str()), ("groups/a/other.toml", OTHER)]), "g", &ask);
        prop_assert_eq!(moved.effect, plain.effect);
    }
}

#[test]
fn an_engine_that_follows_people_decides_as_one_made_anew() {
    let files = [
        ("groups/g.toml", group("[[rule]]\nname = \"r\"\nwho = [\"everyone\"]\nwhen = 'principal.employment == \"permanent\"'\nthen = \"grant\"\nfor = \"1d\"\n")),
        ("guardrails/g.cedar", "@id(\"g\")\n@reason(\"no\")\nforbid (principal, action, resource) when { principal.title == \"forbidden\" };\n".to_owned()),
    ];
    // With a guardrail that names a person, all of them must lie in one place.
    let names = "@id(\"n\")\n@reason(\"no\")\nforbid (principal, action, resource) when { principal == Person::\"p3\" };\n";
    for more in [None, Some(names)] {
        let mut all: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        all.extend(more.map(|text| ("guardrails/n.cedar", text)));
        let set = set(&all).set.unwrap();
        let everyone = |n: usize, changed: bool| -> Vec<(Person, BTreeSet<TeamId>)> {
            (0..n)
                .map(|n| {
                    let (mut person, teams) = person("ops", if changed && n % 3 == 0 { "contractor" } else { "permanent" });
                    person.id = format!("p{n}").parse().unwrap();
                    person.title = (changed && n % 5 == 0).then(|| "forbidden".to_owned());
                    (person, teams)
                })
                .collect()
        };
        let (before, after) = (everyone(600, false), everyone(700, true));
        let subjects = |people: &'static [(Person, BTreeSet<TeamId>)]| people.iter().map(|(person, teams)| Subject { person, teams }).collect::<Vec<_>>();
        let (before, after): (&'static [_], &'static [_]) = (before.leak(), after.leak());
        let anew = Engine::new(std::sync::Arc::clone(&set), subjects(after));
        let mut followed = Engine::new(std::sync::Arc::clone(&set), subjects(before));
        let (id, holds) = ("g".parse().unwrap(), BTreeSet::new());
        let decide = |engine: &Engine, subject| {
            let inquiry = Inquiry { subject, group: &id, duration: "8h".parse().unwrap(), has_justification: false, now: Time::from_micros(1_800_000_000_000_000), holds: &holds, break_glass: false };
            engine.decide(&inquiry)
        };
        for (n, some) in subjects(after).chunks(90).enumerate() {
            followed = followed.with_changed(some).unwrap();
            // Those who did not change yet, and those who are not there yet.
            for subject in subjects(after).into_iter().skip((n + 1) * 90).step_by(40) {
                let known = subjects(before).into_iter().find(|s| s.person.id == subject.person.id);
                assert_eq!(decide(&followed, subject).effect == Effect::Grant, known.is_some_and(|_| more.is_none() || subject.person.id.as_str() != "p3"));
            }
        }
        for subject in subjects(after) {
            assert_eq!(decide(&followed, subject), decide(&anew, subject), "{}", subject.person.id);
        }
    }
}
