#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod held;

use std::{collections::{BTreeMap, BTreeSet}, sync::Arc};

use proptest::prelude::*;

use super::{Diff, Direction, FailOn, Holdings, Inputs, Outcome, diff, markdown, reads::Reads};
use crate::{
    domain::{
        decision::{Effect, Inquiry},
        duration::Duration,
        id::{GroupId, TeamId},
        person::{Person, PersonStatus, Subject},
        time::Time,
    },
    policy::{Engine, PolicyFiles, PolicySet, compile_kept},
};

/// A Friday, 13:40 UTC.
const NOW: Time = Time::from_micros(1_800_020_400_000_000);
const TEAMS: [&str; 3] = ["admins", "ops", "owners"];
const EMPLOYMENT: [&str; 2] = ["permanent", "contractor"];

fn set(files: &[(&str, &str)]) -> Arc<PolicySet> {
    let mut all: PolicyFiles = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    all.insert("roles.toml".to_owned(), b"[admin]\nwho = [\"team:admins\"]\n".to_vec());
    // As a set that was in force: drawn groups may ask for each other in circles, which a new set may not.
    let checked = compile_kept(&all, "UTC");
    checked.set.unwrap_or_else(|| panic!("{:#?}", checked.problems))
}

/// Twelve people: every team with every employment, twice.
fn people() -> Vec<(Person, BTreeSet<TeamId>)> {
    let person = |n: usize| {
        let team: TeamId = TEAMS[n % 3].parse().unwrap();
        let person = Person {
            id: format!("p{n}").parse().unwrap(),
            name: format!("Person {n}"),
            email: None,
            manager: None,
            team: Some(team.clone()),
            teams: [team.clone()].into(),
            employment: Some(EMPLOYMENT[(n / 3) % 2].to_owned()),
            location: None,
            title: None,
            attributes: BTreeMap::new(),
            accounts: BTreeMap::new(),
            status: PersonStatus::Active,
        };
        (person, BTreeSet::from([team]))
    };
    (0..12).map(person).collect()
}

fn compare(before: &Arc<PolicySet>, after: &Arc<PolicySet>, people: &[(Person, BTreeSet<TeamId>)], holdings: &Holdings) -> Diff {
    let subjects: Vec<Subject<'_>> = people.iter().map(|(person, teams)| Subject { person, teams }).collect();
    diff(&Inputs { before, after, subjects: &subjects, holdings, grants: &[], pending: &[], at: NOW })
}

fn group(label: &str, rules: &str) -> String {
    format!("title = \"G\"\nowner = \"team:owners\"\nsensitivity = \"{label}\"\n{rules}")
}

const CONDITIONS: [&str; 9] = [
    "",
    "principal.employment == \"permanent\"",
    "context.duration_hours <= 12",
    "context.duration_minutes > 90",
    "context.holds.contains(\"b\")",
    "context.hour >= 9 && context.hour < 17",
    "context.weekday == 6",
    "principal.teams.contains(\"ops\") || principal.id == \"p4\"",
    "context.duration_hours != 5 && resource.sensitivity == \"internal\"",
];
const GUARDS: [&str; 6] = [
    "principal.employment == \"contractor\" && resource.sensitivity == \"restricted\"",
    "context.duration_hours > 24",
    "resource.id == \"b\" && context.holds.contains(\"a\")",
    "context.hour < 6",
    "principal.id like \"p1*\"",
    "resource.tags.contains(\"x\")",
];
const WHO: [&str; 5] = ["everyone", "team:ops", "person:p1", "group:b", "team:owners"];

#[derive(Debug, Clone)]
struct Drawn {
    groups: Vec<(usize, Vec<(usize, usize, bool, u32)>)>,
    guards: BTreeSet<usize>,
    conflict: bool,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let rule = (0..WHO.len(), 0..CONDITIONS.len(), any::<bool>(), 1..40_u32);
    let one = (0..2_usize, proptest::collection::vec(rule, 1..4));
    (proptest::collection::vec(one, 2..3), proptest::collection::btree_set(0..GUARDS.len(), 0..3), any::<bool>())
        .prop_map(|(groups, guards, conflict)| Drawn { groups, guards, conflict })
}

/// A set, and another that differs from it in a part.
fn edited() -> impl Strategy<Value = (Drawn, Drawn)> {
    (drawn(), drawn(), 0..5_usize).prop_map(|(before, other, what)| {
        let mut after = before.clone();
        match what {
            0 => after.groups[0] = other.groups[0].clone(),
            1 => after.guards = other.guards,
            2 => after.conflict = !before.conflict,
            3 => after.groups[1].0 = 1 - before.groups[1].0,
            _ => after = other,
        }
        (before, after)
    })
}

fn written(drawn: &Drawn) -> Arc<PolicySet> {
    let mut files: Vec<(String, String)> = Vec::new();
    for (name, (label, rules)) in ["a", "b"].iter().zip(&drawn.groups) {
        let rules: String = rules
            .iter()
            .enumerate()
            .map(|(n, (who, when, grant, hours))| {
                let when = if CONDITIONS[*when].is_empty() { String::new() } else { format!("when = '{}'\n", CONDITIONS[*when]) };
                let end = if *grant { "then = \"grant\"\n" } else { "then = \"approve\"\n" };
                let stage = if *grant { "" } else { "[[rule.stage]]\nfrom = [\"owner\"]\n" };
                format!("[[rule]]\nname = \"r{n}\"\nwho = [\"{}\"]\n{when}{end}for = \"{hours}h\"\n{stage}", WHO[*who])
            })
            .collect();
        files.push((format!("groups/{name}.toml"), group(["internal", "restricted"][*label], &rules)));
    }
    let guards: String = drawn.guards.iter().map(|g| format!("@id(\"g{g}\")\n@reason(\"no\")\nforbid (principal, action, resource)\nwhen {{ {} }};\n", GUARDS[*g])).collect();
    files.push(("guardrails/g.cedar".to_owned(), guards));
    if drawn.conflict {
        files.push(("conflicts.toml".to_owned(), "[[conflict]]\ngroups = [\"a\", \"b\"]\nreason = \"apart\"\n".to_owned()));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
    set(&files)
}

fn effect(engine: &Engine, subject: Subject<'_>, group: &GroupId, duration: Duration, now: Time, holds: &BTreeSet<GroupId>) -> Effect {
    let mut holds = holds.clone();
    holds.remove(group);
    engine.decide_plainly(&Inquiry { subject, group, duration, has_justification: true, now, holds: &holds, break_glass: false }).effect
}

fn same(effect: Effect, outcome: &Outcome) -> bool {
    matches!((effect, outcome), (Effect::Grant, Outcome::Instant) | (Effect::Approve, Outcome::Approval(_)) | (Effect::Deny, Outcome::Unable))
}

/// Both sides of every hour, and of the minutes that conditions name.
fn durations() -> Vec<Duration> {
    let edges = (1..41_u32).map(|h| h * 3600).chain([60, 89 * 60, 90 * 60]);
    edges.flat_map(|s| [s, s + 1]).filter_map(Duration::seconds).chain([Duration::MAX]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every person, every group, every duration on both sides of each step, decided one by one, gives what the diff says.
    #[test]
    fn the_diff_is_what_every_pair_says((old, new) in edited(), held in proptest::collection::vec(0..4_u8, 12)) {
        let (before, after) = (written(&old), written(&new));
        let people = people();
        let ids: [GroupId; 2] = ["a", "b"].map(|g| g.parse().unwrap());
        let holdings: Holdings = people.iter().zip(&held).map(|((p, _), bits)| {
            (p.id.clone(), ids.iter().zip([1, 2]).filter(|(_, bit)| bits & bit != 0).map(|(g, _)| g.clone()).collect())
        }).collect();
        let found = compare(&before, &after, &people, &holdings);
        let subjects: Vec<Subject<'_>> = people.iter().map(|(person, teams)| Subject { person, teams }).collect();
        let engines = [&before, &after].map(|set| Engine::new(Arc::clone(set), subjects.iter().copied()));
        let durations = durations();
        for subject in &subjects {
            let place = u32::try_from(found.people.iter().position(|p| p.id == subject.person.id).unwrap()).unwrap();
            for id in &ids {
                let of_group = found.groups.iter().find(|g| g.id == *id);
                let moved = of_group.and_then(|g| g.moves.iter().find(|m| m.people.contains(&place)));
                let mut differs = false;
                for duration in &durations {
                    let [a, b] = [0, 1].map(|n| effect(&engines[n], *subject, id, *duration, NOW, &holdings[&subject.person.id]));
                    differs |= a != b;
                    if let Some(moved) = moved {
                        prop_assert!(same(a, moved.before.at(*duration)) && same(b, moved.after.at(*duration)), "{} {id} {duration}: {a:?} {b:?} {moved:?}", subject.person.id);
                    }
                }
                prop_assert_eq!(differs, moved.is_some(), "{} {}", subject.person.id.clone(), id.clone());
                // "Sometimes" is any hour of the week, with any holdings, where now nothing differs.
                let at = |now: Time, holds: &BTreeSet<GroupId>| [1, 2, 5, 12, 13, 24, 25, 39].iter().filter_map(|h| Duration::hours(*h)).any(|d| {
                    effect(&engines[0], *subject, id, d, now, holds) != effect(&engines[1], *subject, id, d, now, holds)
                });
                let week = || (0..168).step_by(5).map(|h| NOW.plus(Duration::minutes(h * 60 + 1).unwrap()));
                let by_time = week().any(|t| at(t, &holdings[&subject.person.id]));
                let listed = of_group.is_some_and(|g| g.at_times.contains(&place));
                prop_assert!(moved.is_some() || !by_time || listed, "{} {} differs at another time", subject.person.id, id);
                let other: BTreeSet<GroupId> = ids.iter().filter(|g| *g != id).cloned().collect();
                let by_holdings = [BTreeSet::new(), other].iter().any(|h| at(NOW, h));
                let sometimes = listed || of_group.is_some_and(|g| g.with_holdings.contains(&place));
                prop_assert!(moved.is_some() || !by_holdings || sometimes, "{} {} differs with other holdings", subject.person.id, id);
            }
        }
    }
}

const GRANT: &str = "[[rule]]\nname = \"r\"\nwho = [\"team:ops\"]\nthen = \"grant\"\nfor = \"30d\"\n";

#[test]
fn a_shorter_rule_is_a_loss_and_the_headline_says_how_many() {
    let (old, new) = (group("internal", GRANT), group("internal", &GRANT.replace("30d", "8h")));
    let found = compare(&set(&[("groups/a.toml", &old)]), &set(&[("groups/a.toml", &new)]), &people(), &Holdings::new());
    assert_eq!(super::text::headline(&found), "4 people lose.");
    assert_eq!(found.groups[0].moves[0].direction, Direction::Loses);
    assert!(super::text::text(&found).contains("at once up to 30 days → at once up to 8 hours"), "{}", super::text::text(&found));
    assert!(FailOn::Narrowed.happens(&found) && !FailOn::Widened.happens(&found));
}

#[test]
fn a_mistyped_word_of_fail_on_is_answered_with_the_nearest() {
    assert!("widend".parse::<FailOn>().unwrap_err().contains("did you mean `widened`?"));
}

#[test]
fn what_is_not_understood_reads_everything() {
    assert!(Reads::of("principal == resource").person);
    assert!(Reads::of("principal in resource").any_id);
    assert!(Reads::of("context.holds.containsAny([\"a\"])").holdings);
    let plain = Reads::of("@id(\"principal\") forbid (principal, action, resource) when { principal.team == \"principal.id\" };");
    assert!(!plain.person && plain.attributes.contains("team"));
}

#[test]
fn names_cannot_write_markdown_and_the_comment_stays_short() {
    let mut many = people();
    let (person, teams) = many[1].clone();
    many.extend((100..3000).map(|n| (Person { id: format!("p{n}").parse().unwrap(), name: format!("<b>@everyone</b> | [x](y) {n}"), ..person.clone() }, teams.clone())));
    let old: Vec<(String, String)> = (0..300).map(|n| (format!("groups/g{n}.toml"), group("internal", GRANT))).collect();
    let new: Vec<(String, String)> = old.iter().map(|(p, t)| (p.clone(), t.replace("30d", "1d"))).collect();
    let [before, after] = [&old, &new].map(|files| set(&files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect::<Vec<_>>()));
    let comment = markdown::markdown(&compare(&before, &after, &many, &Holdings::new()));
    assert!(comment.chars().count() <= markdown::MAX, "{}", comment.chars().count());
    assert!(!comment.contains("<b>") && !comment.contains("@everyone") && comment.contains("more details do not fit"));
}
