//! Rules, conditions and answers in plain words, second person.

use super::names::Names;
use crate::domain::{
    decision::{Decision, Effect, Inquiry},
    duration::Duration,
    group::{Rule, Stage, Then, Who},
    person::Subject,
};

/// One word of a list: "team Analytics", "holders of On call", "everyone".
pub fn who(names: &Names, who: &Who) -> String {
    match who {
        Who::Everyone => "everyone".to_owned(),
        Who::Person(id) => names.person(id),
        Who::Team(id) => format!("team {}", names.team(id.as_str())),
        Who::Group(id) => format!("holders of {}", names.group(id.as_str())),
        Who::Manager => "your manager".to_owned(),
        Who::Owner => "an owner of the group".to_owned(),
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

/// Whom a sentence speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// "you are in team Engineering"
    You,
    /// "they are in team Engineering"
    They,
}

/// How long a birthright goes on: "as long as you are in team Engineering", by the word of its rule that means the person.
pub fn as_long_as(names: &Names, rule: &Rule, subject: Option<Subject<'_>>, voice: Voice) -> String {
    let (they, them) = if voice == Voice::You { ("you", "you") } else { ("they", "them") };
    let means = |word: &&Who| match (word, subject) {
        (Who::Everyone, _) => true,
        (Who::Team(team), Some(s)) => s.teams.contains(team),
        (Who::Person(id), Some(s)) => s.person.id == *id,
        // What somebody holds is not known here: a group that is named is taken for it when nothing else is.
        _ => false,
    };
    let group = || rule.who.iter().find(|w| matches!(w, Who::Group(_)));
    let told = match rule.who.iter().find(means).or_else(group).or(rule.who.first()) {
        Some(Who::Team(id)) => format!("as long as {they} are in team {}", names.team(id.as_str())),
        Some(Who::Group(id)) => format!("as long as {they} hold {}", names.group(id.as_str())),
        Some(Who::Person(_)) => format!("as long as its rule names {them}"),
        _ => format!("as long as {they} work here"),
    };
    match &rule.when {
        None => told,
        Some(_) => format!("{told} and what its rule wants holds for {them}"),
    }
}

/// With a capital first letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A condition that is `SUBJECT OPERATOR VALUE` and nothing else.
struct Comparison<'t> {
    subject: &'t str,
    operator: &'t str,
    value: &'t str,
}

fn comparison(text: &str) -> Option<Comparison<'_>> {
    let at = text.find(['=', '!', '<', '>'])?;
    let (subject, rest) = text.split_at(at);
    let operator = ["==", "!=", "<=", ">=", "<", ">"].into_iter().find(|o| rest.starts_with(o))?;
    let value = rest.strip_prefix(operator)?.trim();
    let subject = subject.trim();
    let plain = |t: &str| !t.is_empty() && t.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    let number = || !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    (plain(subject) && (number() || quoted(value, "", "").is_some() || matches!(value, "true" | "false"))).then_some(Comparison { subject, operator, value })
}

/// The value in `BEFORE"VALUE"AFTER`, when the text is that and nothing else.
fn quoted<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    text.strip_prefix(before)?.strip_prefix('"')?.strip_suffix(after)?.strip_suffix('"').filter(|v| !v.contains(['"', '\\']))
}

/// An attribute's name as people say it.
fn attribute(name: &str) -> String {
    match name {
        "team" => "main team".to_owned(),
        "id" => "user name".to_owned(),
        other => other.replace('_', " "),
    }
}

fn asked_time(number: &str, unit: fn(u32) -> Option<Duration>) -> Option<String> {
    number.parse().ok().and_then(unit).map(Duration::in_words)
}

fn amount(operator: &str, value: &str) -> String {
    match operator {
        "<=" => format!("{value} or less"),
        "<" => format!("less than {value}"),
        ">=" => format!("{value} or more"),
        ">" => format!("more than {value}"),
        "!=" => format!("anything but {value}"),
        _ => value.to_owned(),
    }
}

/// A condition as people read it, to stand behind "wants": the usual forms in words, others as written.
pub fn condition(names: &Names, source: &str) -> String {
    let text = source.trim();
    if let Some(Comparison { subject, operator, value }) = comparison(text) {
        match (subject.split_once('.'), subject) {
            (_, "context.duration_hours") => {
                if let Some(time) = asked_time(value, Duration::hours) {
                    return format!("you to ask for {}", amount(operator, &time));
                }
            }
            (_, "context.duration_minutes") => {
                if let Some(time) = asked_time(value, Duration::minutes) {
                    return format!("you to ask for {}", amount(operator, &time));
                }
            }
            (_, "context.hour") => return format!("the hour of the day to be {}", amount(operator, value)),
            (_, "context.weekday") => return format!("the day of the week, counted from Monday, to be {}", amount(operator, value)),
            (Some(("principal", "team")), _) => {
                let team = quoted(value, "", "").map_or_else(|| value.to_owned(), |id| names.team(id));
                return format!("your main team to be {}", amount(operator, &team));
            }
            (Some(("principal", name)), _) => return format!("your {} to be {}", attribute(name), amount(operator, value)),
            _ => {}
        }
    }
    if let Some(team) = quoted(text, "principal.teams.contains(", ")") {
        return format!("you to be in team {}", names.team(team));
    }
    if let Some(group) = quoted(text, "context.holds.contains(", ")") {
        return format!("you to hold {}", names.group(group));
    }
    if let Some(group) = quoted(text, "!context.holds.contains(", ")") {
        return format!("you not to hold {}", names.group(group));
    }
    if text == "context.has_justification" {
        return "a reason".to_owned();
    }
    let word = |t: &str| !t.is_empty() && t.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if let Some(name) = text.strip_prefix("principal has ").filter(|a| word(a)) {
        return format!("\"{}\" to be on record for you", attribute(name));
    }
    if let Some((name, value)) = text.strip_prefix("principal.").and_then(|t| t.split_once(".contains(")) {
        if let Some(value) = quoted(value, "", ")").filter(|_| word(name)) {
            return format!("\"{value}\" among your {}", attribute(name));
        }
    }
    if let Some(name) = text.strip_prefix("principal.").filter(|a| word(a)) {
        return format!("\"{}\" to be true of you", attribute(name));
    }
    if let Some(name) = text.strip_prefix("!principal.").filter(|a| word(a)) {
        return format!("\"{}\" not to be true of you", attribute(name));
    }
    format!("`{text}`")
}

/// What is the case where a condition does not hold: "yours is \"contractor\"".
pub(super) fn instead(names: &Names, source: &str, inquiry: &Inquiry<'_>) -> String {
    let text = source.trim();
    let person = inquiry.subject.person;
    let read = comparison(text);
    let fact = match read.as_ref().map(|c| c.subject) {
        Some("principal.employment") => person.employment.clone(),
        Some("principal.location") => person.location.clone(),
        Some("principal.title") => person.title.clone(),
        Some("principal.team") => person.team.as_ref().map(|t| names.team(t.as_str())),
        Some("context.duration_hours" | "context.duration_minutes") => return format!("you ask for {}", inquiry.duration.in_words()),
        Some(subject) => {
            let value = subject.strip_prefix("principal.").and_then(|name| person.attributes.get(name));
            match value.and_then(|v| serde_json::to_value(v).ok()) {
                Some(value) => return format!("yours is {value}"),
                None => return "that does not hold now".to_owned(),
            }
        }
        None if text == "context.has_justification" => return "you give none".to_owned(),
        None if text.starts_with("principal has ") => return "it is not".to_owned(),
        None => return "that does not hold for you".to_owned(),
    };
    fact.map_or_else(|| "yours is not known".to_owned(), |value| format!("yours is \"{value}\""))
}

/// Who must agree at a stage: "your manager", "2 of team Treasury", "2 owners of the group".
pub fn stage(names: &Names, stage: &Stage) -> String {
    match stage.need {
        0 | 1 => list(names, &stage.from),
        n if stage.from == [Who::Owner] => format!("{n} owners of the group"),
        n => format!("{n} of {}", list(names, &stage.from)),
    }
}

/// Every stage: "your manager, then an owner of the group".
fn stages(names: &Names, all: &[Stage]) -> String {
    all.iter().map(|s| stage(names, s)).collect::<Vec<_>>().join(", then ")
}

/// Why a rule decides, as a reason.
pub(super) fn why_it_decides(names: &Names, rule: &Rule) -> String {
    match rule.then {
        Then::Approve => format!("asks {}, for {} at most", stages(names, &rule.stages), rule.max.in_words()),
        Then::Grant => format!("gives it at once, for {} at most", rule.max.in_words()),
        Then::Always => "gives it without asking, as long as it holds".to_owned(),
    }
}

/// What a decision means for the person who asks: "you have it at once", "it can be approved by your manager".
pub(super) fn promise(names: &Names, decision: &Decision) -> String {
    match decision.effect {
        Effect::Grant => "you have it at once".to_owned(),
        Effect::Approve => format!("it can be approved {}", by(names, &decision.stages)),
        Effect::Deny => "it stays denied".to_owned(),
    }
}

/// The same where it would take another person: "you would have it at once".
pub(super) fn would(names: &Names, decision: &Decision) -> String {
    match decision.effect {
        Effect::Grant => "you would have it at once".to_owned(),
        Effect::Approve => format!("it could be approved {}", by(names, &decision.stages)),
        Effect::Deny => "it would stay denied".to_owned(),
    }
}

fn by(names: &Names, stages: &[Stage]) -> String {
    stages.iter().map(|s| format!("by {}", stage(names, s))).collect::<Vec<_>>().join(", then ")
}

/// A stage as a sentence: "Your manager can approve it within 2 days; after that team Security can as well".
pub(super) fn stage_told(names: &Names, stage_: &Stage, first: bool) -> String {
    let people = stage(names, stage_);
    let (start, people) = if first { ("", capital(&people)) } else { ("Then ", people) };
    let late = if stage_.escalate.is_empty() { String::new() } else { format!("; after that {} can as well", list(names, &stage_.escalate)) };
    format!("{start}{people} can approve it within {}{late}", stage_.within.in_words())
}
