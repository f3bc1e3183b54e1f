//! Rules in plain words, with names for ids as far as the engine was told them.

use std::{collections::{BTreeMap, BTreeSet}, sync::Arc};

use super::PolicySet;
use crate::domain::{
    decision::{Effect, Inquiry, RuleFinding, RuleOutcome},
    group::{Rule, Stage, Then, Who},
    id::{PersonId, TeamId},
    person::{Subject, Team},
};

/// Names that sentences use for ids, and which team stands below which. What has no name is told by its id.
pub struct Names {
    set: Arc<PolicySet>,
    people: BTreeMap<PersonId, String>,
    teams: BTreeMap<TeamId, Team>,
}

impl Names {
    /// The titles of the set's groups.
    pub(super) fn new(set: Arc<PolicySet>) -> Self {
        Self { set, people: BTreeMap::new(), teams: BTreeMap::new() }
    }

    /// Keeps the names of those people whom rules name.
    pub(super) fn note_people<'a>(&mut self, people: impl Iterator<Item = Subject<'a>>) {
        let rules = self.set.groups.values().flat_map(|g| &g.rules);
        let words = rules.flat_map(|r| r.who.iter().chain(r.stages.iter().flat_map(|s| s.from.iter().chain(&s.escalate))));
        let named: BTreeSet<&PersonId> = words.filter_map(|w| if let Who::Person(id) = w { Some(id) } else { None }).collect();
        if !named.is_empty() {
            let known = people.filter(|s| named.contains(&s.person.id)).map(|s| (s.person.id.clone(), s.person.name.clone()));
            self.people = known.collect();
        }
    }

    /// Keeps teams.
    pub(super) fn note_teams<'a>(&mut self, teams: impl IntoIterator<Item = &'a Team>) {
        self.teams = teams.into_iter().map(|t| (t.id.clone(), t.clone())).collect();
    }

    /// A group's title.
    pub fn group(&self, id: &str) -> String {
        self.set.group(id).map_or_else(|| id.to_owned(), |g| g.title.clone())
    }

    fn team(&self, id: &str) -> String {
        self.teams.get(id).map_or_else(|| id.to_owned(), |t| t.title.clone())
    }

    /// A team with those above it. Bounded, should the teams form a ring.
    pub(super) fn with_ancestors(&self, team: &TeamId) -> BTreeSet<TeamId> {
        let mut found = BTreeSet::from([team.clone()]);
        let mut at = team;
        while let Some(parent) = self.teams.get(at).and_then(|t| t.parent.as_ref()) {
            if !found.insert(parent.clone()) {
                break;
            }
            at = parent;
        }
        found
    }
}

/// One word of a list: "team Analytics", "holders of On call", "everyone".
pub fn who(names: &Names, who: &Who) -> String {
    match who {
        Who::Everyone => "everyone".to_owned(),
        Who::Person(id) => names.people.get(id).cloned().unwrap_or_else(|| id.to_string()),
        Who::Team(id) => format!("team {}", names.team(id.as_str())),
        Who::Group(id) => format!("holders of {}", names.group(id.as_str())),
        Who::Manager => "your manager".to_owned(),
        Who::Owner => "the owners".to_owned(),
    }
}

/// A list: "team Analytics or holders of On call".
pub fn list(names: &Names, words: &[Who]) -> String {
    match words {
        [] => "nobody".to_owned(),
        [one] => who(names, one),
        [first @ .., last] => format!("{} or {}", first.iter().map(|w| who(names, w)).collect::<Vec<_>>().join(", "), who(names, last)),
    }
}

/// Why a word means the person.
pub(super) fn you_are(names: &Names, word: &Who) -> String {
    match word {
        Who::Everyone => "It is for everyone".to_owned(),
        Who::Person(_) => "It names you".to_owned(),
        Who::Team(id) => format!("You are in team {}", names.team(id.as_str())),
        Who::Group(id) => format!("You hold {}", names.group(id.as_str())),
        other => format!("It is for {}", who(names, other)),
    }
}

/// With a capital first letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The value in `NAME == "VALUE"` or `NAME.contains("VALUE")`, when the text is that and nothing else.
fn quoted<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    text.strip_prefix(before)?.strip_prefix('"')?.strip_suffix(after)?.strip_suffix('"').filter(|v| !v.contains('"'))
}

const FACTS: [(&str, &str); 4] = [("employment", "employment"), ("location", "location"), ("title", "title"), ("team", "main team")];

/// A condition as people read it: the usual forms in words, others as written.
pub fn condition(names: &Names, source: &str) -> String {
    let text = source.trim();
    for (attribute, told) in FACTS {
        let value = |value: &str| if attribute == "team" { names.team(value) } else { value.to_owned() };
        if let Some(wanted) = quoted(text, &format!("principal.{attribute} == "), "") {
            return format!("{told} \"{}\"", value(wanted));
        }
        if let Some(unwanted) = quoted(text, &format!("principal.{attribute} != "), "") {
            return format!("{told} other than \"{}\"", value(unwanted));
        }
    }
    for (prefix, told) in [
        ("context.duration_hours <= ", "hours or less"),
        ("context.duration_minutes <= ", "minutes or less"),
    ] {
        if let Some(value) = text.strip_prefix(prefix).filter(|v| v.bytes().all(|b| b.is_ascii_digit())) {
            return format!("{value} {told}");
        }
    }
    if let Some(team) = quoted(text, "principal.teams.contains(", ")") {
        return format!("you to be in team {}", names.team(team));
    }
    if let Some(group) = quoted(text, "context.holds.contains(", ")") {
        return format!("you to hold {}", names.group(group));
    }
    if text == "context.has_justification" {
        return "a reason".to_owned();
    }
    if let Some(attribute) = text.strip_prefix("principal has ").filter(|a| !a.contains(' ')) {
        return format!("`{attribute}` to be known of you");
    }
    if let Some((attribute, value)) = text.strip_prefix("principal.").and_then(|t| t.split_once(".contains(")) {
        if let Some(value) = quoted(value, "", ")") {
            return format!("\"{value}\" among your `{attribute}`");
        }
    }
    if let Some(attribute) = text.strip_prefix("principal.").filter(|a| a.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')) {
        return format!("`{attribute}` to be true of you");
    }
    format!("`{text}`")
}

/// What is the case where a condition does not hold: "yours is \"contractor\"".
pub(super) fn instead(source: &str, inquiry: &Inquiry<'_>) -> String {
    let text = source.trim();
    let person = inquiry.subject.person;
    let read = FACTS.iter().find(|(attribute, _)| {
        text.strip_prefix("principal.").and_then(|t| t.strip_prefix(attribute)).is_some_and(|t| t.starts_with(" == \"") || t.starts_with(" != \""))
    });
    let value = match read.map(|(attribute, _)| *attribute) {
        Some("employment") => person.employment.as_deref(),
        Some("location") => person.location.as_deref(),
        Some("title") => person.title.as_deref(),
        // A main team would be told by its id, so it is not.
        _ if text.starts_with("context.duration_") => return format!("you ask for {}", inquiry.duration.in_words()),
        _ if text == "context.has_justification" => return "you give none".to_owned(),
        _ => return "that does not hold for you".to_owned(),
    };
    value.map_or_else(|| "yours is not known".to_owned(), |value| format!("yours is \"{value}\""))
}

/// Who must agree at a stage: "your manager", "2 of the owners".
pub fn stage(names: &Names, stage: &Stage) -> String {
    if stage.need <= 1 { list(names, &stage.from) } else { format!("{} of {}", stage.need, list(names, &stage.from)) }
}

/// Why a rule decides, as a reason.
pub(super) fn why_it_decides(names: &Names, rule: &Rule) -> String {
    match rule.then {
        Then::Approve => {
            let stages: Vec<String> = rule.stages.iter().map(|s| stage(names, s)).collect();
            format!("asks {}, for {} at most", stages.join(", then "), rule.max.in_words())
        }
        _ => format!("gives it at once, for {} at most", rule.max.in_words()),
    }
}

/// What became of a rule: "decides: it gives it at once".
pub fn outcome(finding: &RuleFinding) -> &'static str {
    match (finding.outcome, finding.then) {
        (RuleOutcome::Decides, Then::Approve) => "decides: people are asked",
        (RuleOutcome::Decides, _) => "decides: you have it at once",
        (RuleOutcome::Forbidden, _) => "would decide, but something forbids it",
        (RuleOutcome::Passed, _) => "does not hold for you",
        (RuleOutcome::TooShort, _) => "holds, but gives less time",
        (RuleOutcome::Closed, _) => "stays closed, because a stricter rule above it gives less time",
        (RuleOutcome::Failed, _) => "could not be evaluated, so nothing is granted",
        (RuleOutcome::Birthright, _) => "gives membership without asking, and decides no request",
        (RuleOutcome::Unreached, _) => "is not reached: the answer was found above it",
    }
}

/// What an effect means for the person who asks.
pub(super) fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Grant => "you have it at once",
        Effect::Approve => "it can be approved",
        Effect::Deny => "it stays denied",
    }
}

/// A rule as a sentence.
pub fn rule(names: &Names, rule: &Rule) -> String {
    let people = match rule.who.as_slice() {
        [Who::Everyone] => "Everyone".to_owned(),
        words => capital(&list(names, words)),
    };
    let given = format!("for {} at most", rule.max.in_words());
    match rule.then {
        Then::Grant => format!("{people} has it at once, {given}"),
        Then::Always => format!("{people} has it without asking"),
        Then::Approve => {
            let stages: Vec<String> = rule.stages.iter().map(|s| stage(names, s).replace("your manager", "their manager")).collect();
            format!("{people} may ask; {} decides, {given}", stages.join(", then "))
        }
    }
}
