//! Decisions checked against an evaluator that was written separately and naively: it reads the drawn policy as plain values,
//! knows neither Cedar nor the files, and follows policy-language.md, "How it decides", word by word.

use std::{collections::{BTreeMap, BTreeSet}, sync::Arc};

use proptest::prelude::*;

use crate::{
    domain::{
        decision::{Decision, Effect, Inquiry, Remedy},
        duration::Duration,
        explanation::{Explanation, GuardrailVerdict, Holds, Part, RuleOutcome},
        group::Who,
        id::{GroupId, TeamId},
        person::{AttributeValue, Person, PersonStatus, Subject},
        time::Time,
    },
    policy::{Engine, PolicyFiles, PolicySet, compile_kept},
};

const TEAMS: [&str; 3] = ["ops", "owners", "admins"];
const GROUPS: [&str; 4] = ["a", "b", "c", "d"];

/// One conjunct of a `when`, or the condition of a guardrail.
#[derive(Debug, Clone, Copy)]
enum Test {
    Permanent,
    NotPermanent,
    HoursAtMost(u32),
    HoursAbove(u32),
    Justified,
    Holds(usize),
    HoldsNot(usize),
    InTeam(usize),
    /// `principal has level && principal.level > n` is two conjuncts; these are they.
    HasLevel,
    LevelAbove(i64),
}

impl Test {
    fn written(self) -> String {
        match self {
            Self::Permanent => "principal.employment == \"permanent\"".to_owned(),
            Self::NotPermanent => "principal.employment != \"permanent\"".to_owned(),
            Self::HoursAtMost(n) => format!("context.duration_hours <= {n}"),
            Self::HoursAbove(n) => format!("context.duration_hours > {n}"),
            Self::Justified => "context.has_justification".to_owned(),
            Self::Holds(g) => format!("context.holds.contains(\"{}\")", GROUPS[g]),
            Self::HoldsNot(g) => format!("!context.holds.contains(\"{}\")", GROUPS[g]),
            Self::InTeam(t) => format!("principal.teams.contains(\"{}\")", TEAMS[t]),
            Self::HasLevel => "principal has level".to_owned(),
            Self::LevelAbove(n) => format!("principal.level > {n}"),
        }
    }

    /// None when it cannot be evaluated.
    fn holds(self, ask: &Asking) -> Option<bool> {
        Some(match self {
            Self::Permanent => ask.permanent,
            Self::NotPermanent => !ask.permanent,
            Self::HoursAtMost(n) => ask.hours <= n,
            Self::HoursAbove(n) => ask.hours > n,
            Self::Justified => ask.justified,
            Self::Holds(g) => ask.others().contains(&g),
            Self::HoldsNot(g) => !ask.others().contains(&g),
            Self::InTeam(t) => ask.teams.contains(&t),
            Self::HasLevel => ask.level.is_some(),
            Self::LevelAbove(n) => match ask.level? {
                Level::Number(level) => level > n,
                Level::Nonsense => return None,
            },
        })
    }
}

#[derive(Debug, Clone, Copy)]
enum Level {
    Number(i64),
    /// The directory says a text where a number is declared.
    Nonsense,
}

#[derive(Debug, Clone)]
struct DrawnRule {
    who: Vec<usize>,
    when: Vec<Test>,
    approve: bool,
    hours: u32,
    wants_reason: bool,
}

/// Words of `who`: everyone, the teams, the groups, the person.
const WORDS: [&str; 9] = ["everyone", "team:ops", "team:owners", "team:admins", "group:a", "group:b", "group:c", "group:d", "person:ann"];

#[derive(Debug, Clone)]
struct World {
    groups: Vec<Vec<DrawnRule>>,
    /// What each group opens: one of three entitlements, by bit.
    opens: Vec<u8>,
    guardrails: Vec<Vec<Test>>,
    conflicts: Vec<(usize, usize)>,
}

#[derive(Debug, Clone)]
struct Asking {
    group: usize,
    hours: u32,
    justified: bool,
    permanent: bool,
    level: Option<Level>,
    teams: BTreeSet<usize>,
    holds: BTreeSet<usize>,
}

impl Asking {
    fn others(&self) -> BTreeSet<usize> {
        self.holds.iter().copied().filter(|g| *g != self.group).collect()
    }
}

/// Every conjunct in turn; none where one cannot be evaluated before another has said no.
fn all_hold(tests: &[Test], ask: &Asking) -> Option<bool> {
    for test in tests {
        if !test.holds(ask)? {
            return Some(false);
        }
    }
    Some(true)
}

/// The naive evaluator: effect, index of the deciding rule, and the numbers of the guardrails and conflicts that forbid.
fn naive(world: &World, ask: &Asking) -> (Effect, Option<usize>, Vec<usize>, Vec<usize>) {
    let forbidding: Vec<usize> = (0..world.guardrails.len()).filter(|i| all_hold(&world.guardrails[*i], ask) != Some(false)).collect();
    let conflicting: Vec<usize> = (0..world.conflicts.len())
        .filter(|i| {
            let (one, other) = world.conflicts[*i];
            (one == ask.group && ask.holds.contains(&other)) || (other == ask.group && ask.holds.contains(&one))
        })
        .collect();
    let mut answer = (Effect::Deny, None);
    let mut strict_was_passed = false;
    for (index, rule) in world.groups[ask.group].iter().enumerate() {
        let meant = rule.who.iter().any(|word| match word {
            0 => true,
            1..=3 => ask.teams.contains(&(word - 1)),
            4..=7 => ask.others().contains(&(word - 4)),
            _ => true,
        });
        if !meant {
            continue;
        }
        match all_hold(&rule.when, ask) {
            None => break,
            Some(false) => continue,
            Some(true) => {}
        }
        if rule.hours < ask.hours {
            strict_was_passed |= rule.approve;
            continue;
        }
        if !rule.approve && strict_was_passed {
            break;
        }
        answer = (if rule.approve { Effect::Approve } else { Effect::Grant }, Some(index));
        break;
    }
    if !forbidding.is_empty() || !conflicting.is_empty() {
        answer = (Effect::Deny, None);
    }
    (answer.0, answer.1, forbidding, conflicting)
}

/// The index of the rule that gives a group without asking, when nothing forbids it. Guardrails hear of the time that it states.
fn naive_birthright(world: &World, ask: &Asking) -> Option<usize> {
    for (index, rule) in world.groups[ask.group].iter().enumerate().filter(|(_, r)| !r.approve) {
        let stated = Asking { hours: rule.hours, justified: false, ..ask.clone() };
        let meant = rule.who.iter().any(|word| match word {
            1..=3 => ask.teams.contains(&(word - 1)),
            4..=7 => ask.others().contains(&(word - 4)),
            _ => true,
        });
        match meant.then(|| all_hold(&rule.when, &stated)) {
            None | Some(Some(false)) => {}
            Some(None) => return None,
            Some(Some(true)) => {
                let forbidden = world.guardrails.iter().any(|g| all_hold(g, &stated) != Some(false));
                let conflicting = world.conflicts.iter().any(|(a, b)| (*a == ask.group && ask.others().contains(b)) || (*b == ask.group && ask.others().contains(a)));
                return (!forbidden && !conflicting).then_some(index);
            }
        }
    }
    None
}

fn joined(tests: &[Test]) -> String {
    tests.iter().map(|t| t.written()).collect::<Vec<_>>().join(" && ")
}

/// Conditions must pass the check: `principal.level` wants `principal has level` before it.
fn tests(most: usize) -> impl Strategy<Value = Vec<Test>> {
    let one = prop_oneof![
        Just(vec![Test::Permanent]),
        Just(vec![Test::NotPermanent]),
        (1..48_u32).prop_map(|n| vec![Test::HoursAtMost(n)]),
        (1..48_u32).prop_map(|n| vec![Test::HoursAbove(n)]),
        Just(vec![Test::Justified]),
        (0..4_usize).prop_map(|g| vec![Test::Holds(g)]),
        (0..4_usize).prop_map(|g| vec![Test::HoldsNot(g)]),
        (0..3_usize).prop_map(|t| vec![Test::InTeam(t)]),
        (0..3_i64).prop_map(|n| vec![Test::HasLevel, Test::LevelAbove(n)]),
    ];
    proptest::collection::vec(one, 0..=most).prop_map(|found| found.concat())
}

fn rules() -> impl Strategy<Value = Vec<DrawnRule>> {
    let one = (proptest::collection::vec(0..WORDS.len(), 1..3), tests(2), any::<bool>(), 1..48_u32, any::<bool>())
        .prop_map(|(who, when, approve, hours, wants_reason)| DrawnRule { who, when, approve, hours, wants_reason });
    proptest::collection::vec(one, 0..4)
}

fn world() -> impl Strategy<Value = World> {
    let guardrail = tests(2).prop_filter("a guardrail says something", |t| !t.is_empty());
    let conflict = (0..4_usize, 1..4_usize).prop_map(|(one, step)| (one, (one + step) % 4));
    (
        proptest::collection::vec(rules(), 4),
        proptest::collection::vec(0..8_u8, 4),
        proptest::collection::vec(guardrail, 0..3),
        proptest::collection::vec(conflict, 0..3),
    )
        .prop_map(|(groups, opens, guardrails, conflicts)| World { groups, opens, guardrails, conflicts })
}

fn asking() -> impl Strategy<Value = Asking> {
    let level = prop_oneof![Just(None), (0..4_i64).prop_map(|n| Some(Level::Number(n))), Just(Some(Level::Nonsense))];
    (
        (0..4_usize, 1..60_u32, any::<bool>(), any::<bool>()),
        level,
        proptest::collection::btree_set(0..3_usize, 0..3),
        proptest::collection::btree_set(0..4_usize, 0..4),
    )
        .prop_map(|((group, hours, justified, permanent), level, teams, holds)| Asking { group, hours, justified, permanent, level, teams, holds })
}

/// The world as files. `turned` writes it in another order that must mean the same.
fn files(world: &World, turned: bool) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for (index, rules) in world.groups.iter().enumerate() {
        let mut text = format!("title = \"Group {index}\"\nowner = \"team:owners\"\nsensitivity = \"internal\"\n[[allow]]\ncode = \"BP060\"\nreason = \"drawn\"\n");
        for bit in 0..3_u8 {
            if world.opens[index] & (1 << bit) != 0 {
                text.push_str(&format!("[[entitlement]]\nconnector = \"target\"\nname = \"e{bit}\"\n"));
            }
        }
        for (number, rule) in rules.iter().enumerate() {
            let mut who: Vec<String> = rule.who.iter().map(|w| format!("\"{}\"", WORDS[*w])).collect();
            if turned {
                who.reverse();
            }
            let when = if rule.when.is_empty() { String::new() } else { format!("when = '{}'\n", joined(&rule.when)) };
            let (then, stage) = if rule.approve { ("approve", "[[rule.stage]]\nfrom = [\"owner\"]\n") } else { ("grant", "") };
            let reason = if rule.wants_reason { "required" } else { "optional" };
            text.push_str(&format!(
                "[[rule]]\nname = \"r{number}\"\nwho = [{}]\n{when}then = \"{then}\"\nfor = \"{}h\"\njustification = \"{reason}\"\n{stage}",
                who.join(", "),
                rule.hours
            ));
        }
        let folder = if turned { format!("z{}/", 9 - index) } else { String::new() };
        files.push((format!("groups/{folder}{}.toml", GROUPS[index]), text));
    }
    for (index, tests) in world.guardrails.iter().enumerate() {
        let source = format!("@id(\"g{index}\")\n@reason(\"no\")\nforbid (principal, action, resource) when {{ {} }};\n", joined(tests));
        let name = if turned { 9 - index } else { index };
        files.push((format!("guardrails/{name}.cedar"), source));
    }
    let mut conflicts: Vec<(usize, usize)> = world.conflicts.clone();
    if turned {
        conflicts = conflicts.into_iter().rev().map(|(one, other)| (other, one)).collect();
    }
    let conflicts = conflicts.iter().map(|(one, other)| format!("[[conflict]]\ngroups = [\"{}\", \"{}\"]\nreason = \"no\"\n", GROUPS[*one], GROUPS[*other]));
    files.push(("conflicts.toml".to_owned(), conflicts.collect()));
    files.push(("attributes.toml".to_owned(), "[attributes]\nlevel = \"long\"\n".to_owned()));
    files
}

fn compiled(world: &World, turned: bool) -> Arc<PolicySet> {
    let mut files: PolicyFiles = files(world, turned).into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
    files.insert("roles.toml".to_owned(), b"[admin]\nwho = [\"team:admins\"]\n".to_vec());
    // As a set that was in force: drawn groups may ask for each other in circles, which a new set may not.
    let checked = compile_kept(&files, "UTC");
    checked.set.unwrap_or_else(|| panic!("{:#?}", checked.problems))
}

fn person(ask: &Asking) -> (Person, BTreeSet<TeamId>) {
    let teams: BTreeSet<TeamId> = ask.teams.iter().map(|t| TEAMS[*t].parse().unwrap()).collect();
    let level = ask.level.map(|level| match level {
        Level::Number(number) => AttributeValue::Long(number),
        Level::Nonsense => AttributeValue::Text("much".to_owned()),
    });
    let person = Person {
        id: "ann".parse().unwrap(),
        name: "Ann".to_owned(),
        email: None,
        manager: None,
        team: None,
        teams: teams.clone(),
        employment: Some(if ask.permanent { "permanent" } else { "contractor" }.to_owned()),
        location: None,
        title: None,
        attributes: level.map(|level| ("level".to_owned(), level)).into_iter().collect::<BTreeMap<_, _>>(),
        accounts: BTreeMap::new(),
        status: PersonStatus::Active,
    };
    (person, teams)
}

fn decide(set: &Arc<PolicySet>, ask: &Asking, explained: bool) -> Decision {
    decide_for(set, ask, Duration::hours(ask.hours).unwrap(), explained)
}

fn decide_for(set: &Arc<PolicySet>, ask: &Asking, duration: Duration, explained: bool) -> Decision {
    let (person, teams) = person(ask);
    let subject = Subject { person: &person, teams: &teams };
    let holds: BTreeSet<GroupId> = ask.others().iter().map(|g| GROUPS[*g].parse().unwrap()).collect();
    let group: GroupId = GROUPS[ask.group].parse().unwrap();
    let now = Time::from_micros(1_800_000_000_000_000);
    let inquiry = Inquiry { subject, group: &group, duration, has_justification: ask.justified, now, holds: &holds, break_glass: false };
    let engine = Engine::new(Arc::clone(set), [subject]);
    if explained { engine.explain(&inquiry) } else { engine.decide(&inquiry) }
}

fn index(name: &str, of: &[&str]) -> usize {
    of.iter().position(|n| *n == name).unwrap()
}

/// The asking with a suggestion applied, as a person would do it.
fn applied(ask: &Asking, remedy: &Remedy, justification: bool) -> Option<Asking> {
    let mut again = ask.clone();
    again.justified |= justification;
    match remedy {
        // Told in whole hours here, unless a usual length or a minute-wise one is: that is asked for exactly, elsewhere.
        Remedy::ShorterDuration { .. } => {}
        Remedy::Justification => again.justified = true,
        Remedy::OtherGroup { group } => again.group = index(group.as_str(), &GROUPS),
        Remedy::GiveUp { group, and } => {
            for gone in std::iter::once(group).chain(and) {
                assert!(again.holds.remove(&index(gone.as_str(), &GROUPS)), "only what is held can be given up");
            }
        }
        Remedy::Membership { who: Who::Team(team) } => {
            again.teams.insert(index(team.as_str(), &TEAMS));
        }
        Remedy::Membership { who: Who::Group(group) } => {
            again.holds.insert(index(group.as_str(), &GROUPS));
        }
        Remedy::Membership { .. } | Remedy::Fix => return None,
    }
    Some(again)
}

/// The explanation says what the naive evaluator found, part by part.
fn check_explanation(world: &World, ask: &Asking, decision: &Decision, explanation: &Explanation) -> Result<(), TestCaseError> {
    let (effect, rule, forbidding, conflicting) = naive(world, ask);
    let rules = &world.groups[ask.group];
    prop_assert_eq!(explanation.rules.len(), rules.len());
    for (index, (finding, rule)) in explanation.rules.iter().zip(rules).enumerate() {
        let of = |part: Part| finding.conditions.iter().filter(move |c| c.part == part).map(|c| c.holds).collect::<Vec<_>>();
        let mut stopped = false;
        let when: Vec<Holds> = rule
            .when
            .iter()
            .map(|test| {
                let holds = match test.holds(ask) {
                    Some(true) => Holds::Yes,
                    Some(false) => Holds::No,
                    None if stopped => Holds::Unread,
                    None => Holds::Failed,
                };
                stopped |= matches!(holds, Holds::No | Holds::Failed);
                holds
            })
            .collect();
        prop_assert_eq!(of(Part::When), when, "conjuncts of rule {}", index);
        prop_assert_eq!(of(Part::For), vec![if ask.hours <= rule.hours { Holds::Yes } else { Holds::No }]);
        prop_assert_eq!(of(Part::Stage).len(), usize::from(rule.approve));
    }
    let deciding = explanation.rules.iter().position(|r| r.outcome == RuleOutcome::Decides);
    prop_assert_eq!(deciding, rule, "the rule that decides is the one that is said to");
    if effect == Effect::Deny {
        prop_assert!(deciding.is_none());
    }
    // Nothing is read below where the reading ends, and everything above is.
    let end = explanation.rules.iter().position(|r| r.outcome.ends_the_reading()).unwrap_or(rules.len());
    for (index, finding) in explanation.rules.iter().enumerate() {
        prop_assert_eq!(finding.outcome == RuleOutcome::Unreached, index > end);
    }
    let failing: Vec<usize> = (0..world.guardrails.len()).filter(|i| all_hold(&world.guardrails[*i], ask).is_none()).collect();
    prop_assert_eq!(explanation.guardrails.len(), world.guardrails.len());
    for (index, check) in explanation.guardrails.iter().enumerate() {
        let verdict = match (failing.contains(&index), forbidding.contains(&index)) {
            (true, _) => GuardrailVerdict::Failed,
            (false, true) => GuardrailVerdict::Forbids,
            (false, false) => GuardrailVerdict::Passes,
        };
        prop_assert_eq!((check.id.clone(), check.verdict), (format!("g{index}"), verdict));
    }
    let naming = world.conflicts.iter().filter(|(one, other)| *one == ask.group || *other == ask.group).count();
    prop_assert_eq!(explanation.conflicts.len(), naming);
    prop_assert_eq!(explanation.conflicts.iter().filter(|c| !c.held.is_empty()).count(), conflicting.len());
    prop_assert_eq!(decision.guardrails.len(), forbidding.len() + conflicting.len());
    Ok(())
}

/// Compiling takes most of the time, so each drawn world is asked often. `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    if std::env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default().cases } else { 24 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_compiled_policy_decides_like_the_naive_one_and_explains_it(world in world(), asks in proptest::collection::vec(asking(), 12)) {
        let set = compiled(&world, false);
        let turned = compiled(&world, true);
        for ask in &asks {
            let decision = decide(&set, ask, true);
            let (effect, rule, ..) = naive(&world, ask);
            prop_assert_eq!(decision.effect, effect, "{:?}", ask);
            prop_assert_eq!(decision.rule.clone(), rule.map(|r| format!("r{r}")));
            check_explanation(&world, ask, &decision, decision.explanation.as_ref().unwrap())?;
            // Explaining changes no decision.
            let plain = decide(&set, ask, false);
            prop_assert_eq!((plain.effect, &plain.rule, &plain.reasons, &plain.guardrails), (decision.effect, &decision.rule, &decision.reasons, &decision.guardrails));
            // Order of files, of words in `who`, of conflicts and of the groups in them is irrelevant.
            let other = decide(&turned, ask, false);
            let forbids = |d: &Decision| d.guardrails.iter().map(|g| (g.id.clone(), g.failed)).collect::<BTreeSet<_>>();
            prop_assert_eq!((other.effect, &other.rule, forbids(&other)), (plain.effect, &plain.rule, forbids(&plain)));
        }
    }

    #[test]
    fn a_birthright_holds_iff_its_rule_does_and_nothing_forbids(world in world(), asks in proptest::collection::vec(asking(), 12)) {
        // What was given for the asking comes without; rules that ask people have no part in it.
        let mut files: PolicyFiles = files(&world, false).into_iter().map(|(path, text)| (path, text.replace("then = \"grant\"", "then = \"always\"").into_bytes())).collect();
        files.insert("roles.toml".to_owned(), b"[admin]\nwho = [\"team:admins\"]\n".to_vec());
        let set = compile_kept(&files, "UTC").set.unwrap();
        for ask in &asks {
            let expected = naive_birthright(&world, ask);
            let (person, teams) = person(ask);
            let subject = Subject { person: &person, teams: &teams };
            let holds: BTreeSet<GroupId> = ask.others().iter().map(|g| GROUPS[*g].parse().unwrap()).collect();
            let group: GroupId = GROUPS[ask.group].parse().unwrap();
            let now = Time::from_micros(1_800_000_000_000_000);
            let engine = Engine::new(Arc::clone(&set), [subject]);
            let decision = engine.birthright(subject, &group, now, &holds);
            prop_assert_eq!(decision.rule.clone(), expected.map(|r| format!("r{r}")), "{:?}", ask);
            prop_assert_eq!(decision.effect == Effect::Grant, expected.is_some());
            // What begins is kept: else it would end and begin without end.
            if let Some(duration) = decision.max {
                let inquiry = Inquiry { subject, group: &group, duration, has_justification: false, now, holds: &holds, break_glass: false };
                prop_assert_eq!(engine.still_a_birthright(&inquiry), crate::policy::standing::Held::Holds, "{:?}", ask);
            }
        }
    }

    #[test]
    fn suggestions_keep_their_promise(world in world(), asks in proptest::collection::vec(asking(), 12)) {
        let set = compiled(&world, false);
        for ask in &asks {
            // An inquiry says what is held beside the group: that the group itself is held, the ledger alone knows.
            let ask = &Asking { holds: ask.others(), ..ask.clone() };
            let decision = decide(&set, ask, true);
            for suggestion in &decision.suggestions {
                let again = applied(ask, &suggestion.remedy, suggestion.justification);
                let (Some(again), Some(promised)) = (again, suggestion.effect) else { continue };
                prop_assert!(decision.effect == Effect::Deny && promised != Effect::Deny || decision.effect == Effect::Approve && promised == Effect::Grant, "only a better answer is worth a word");
                let duration = match &suggestion.remedy {
                    Remedy::ShorterDuration { duration } => *duration,
                    _ => Duration::hours(ask.hours).unwrap(),
                };
                prop_assert!(duration <= Duration::hours(ask.hours).unwrap());
                let answer = decide_for(&set, &again, duration, false);
                prop_assert_eq!(answer.effect, promised, "{:?} of {:?}", suggestion, ask);
                let wants_reason = answer.justification == crate::domain::group::JustificationNeed::Required;
                prop_assert!(!wants_reason || again.justified, "a reason that must be given is said: {:?}", suggestion);
                if suggestion.text.contains("or less") {
                    for hours in 1..=duration.hours_rounded_up() {
                        let shorter = Duration::hours(hours).unwrap().min(duration);
                        let answer = decide_for(&set, &again, shorter, false).effect;
                        prop_assert!(answer == promised || answer == Effect::Grant, "{} at {} hours", suggestion.text, hours);
                    }
                }
            }
        }
    }
}
