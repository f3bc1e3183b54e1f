//! Rules in plain words. Ids are all this room knows; pages put titles and names in their place.

use crate::domain::group::{Rule, Stage, Then, Who};

/// One word of a list: "team analytics", "holders of on-call", "everyone".
pub fn who(who: &Who) -> String {
    match who {
        Who::Everyone => "everyone".to_owned(),
        Who::Person(id) => id.to_string(),
        Who::Team(id) => format!("team {id}"),
        Who::Group(id) => format!("holders of {id}"),
        Who::Manager => "your manager".to_owned(),
        Who::Owner => "the owners".to_owned(),
    }
}

/// A list: "team analytics or holders of on-call".
pub fn list(words: &[Who]) -> String {
    match words {
        [] => "nobody".to_owned(),
        [one] => who(one),
        [first @ .., last] => format!("{} or {}", first.iter().map(who).collect::<Vec<_>>().join(", "), who(last)),
    }
}

/// With a capital first letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A condition as people read it: the usual forms in words, others as written.
pub fn condition(source: &str) -> String {
    let text = source.trim();
    for (attribute, told) in [("employment", "employment"), ("location", "location"), ("title", "title"), ("team", "main team")] {
        if let Some(value) = text.strip_prefix(&format!("principal.{attribute} == \"")).and_then(|rest| rest.strip_suffix('"')) {
            return format!("{told} \"{value}\"");
        }
        if let Some(value) = text.strip_prefix(&format!("principal.{attribute} != \"")).and_then(|rest| rest.strip_suffix('"')) {
            return format!("{told} other than \"{value}\"");
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
    if let Some(attribute) = text.strip_prefix("principal has ").filter(|a| !a.contains(' ')) {
        return format!("`{attribute}` to be known of you");
    }
    if let Some(attribute) = text.strip_prefix("principal.").filter(|a| a.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')) {
        return format!("`{attribute}` to be true of you");
    }
    format!("`{text}`")
}

/// Who must agree at a stage: "your manager", "2 of the owners".
pub fn stage(stage: &Stage) -> String {
    if stage.need <= 1 { list(&stage.from) } else { format!("{} of {}", stage.need, list(&stage.from)) }
}

/// Why a rule decides, as a reason.
pub(super) fn why_it_decides(rule: &Rule) -> String {
    match rule.then {
        Then::Approve => {
            let stages: Vec<String> = rule.stages.iter().map(stage).collect();
            format!("asks {}, for {} at most", stages.join(", then "), rule.max.in_words())
        }
        _ => format!("gives it at once, for {} at most", rule.max.in_words()),
    }
}

/// A rule as a sentence.
pub fn rule(rule: &Rule) -> String {
    let people = match rule.who.as_slice() {
        [Who::Everyone] => "Everyone".to_owned(),
        words => capital(&list(words)),
    };
    let given = format!("for {} at most", rule.max.in_words());
    match rule.then {
        Then::Grant => format!("{people} has it at once, {given}"),
        Then::Always => format!("{people} has it without asking"),
        Then::Approve => {
            let stages: Vec<String> = rule.stages.iter().map(|s| stage(s).replace("your manager", "their manager")).collect();
            format!("{people} may ask; {} decides, {given}", stages.join(", then "))
        }
    }
}
