//! Lints about one group as a whole: its words for people, its owner, its examples.

use super::{Draft, Ground, unknown};
use crate::domain::{duration::Duration, group::{Group, Then}};

/// The shortest title and description that say something, in characters.
const TITLE: usize = 3;
const DESCRIPTION: usize = 12;

/// Whether every owner is a team or person with nobody behind it today.
pub(super) fn nobody_owns(group: &Group, known: &super::Known) -> bool {
    !group.owner.is_empty() && group.owner.iter().all(|who| unknown::most(who, known) == Some(0))
}

pub(super) fn lint(draft: &mut Draft<'_>, ground: &Ground<'_>) {
    let Draft { reader, group, places, examples, .. } = draft;
    if group.title.trim().chars().count() < TITLE {
        reader.tell(places.title.clone(), "BP016", format!("the title \"{}\" says too little", group.title.trim()), None);
    }
    let description = group.description.trim();
    match &places.description {
        None => reader.tell(places.title.clone(), "BP016", "`description` is missing", Some("say in a sentence what the group opens: people choose by it".to_owned())),
        Some(at) if description.chars().count() < DESCRIPTION => reader.tell(at.clone(), "BP016", format!("the description \"{description}\" says too little"), None),
        Some(at) if description.eq_ignore_ascii_case(group.title.trim()) => reader.tell(at.clone(), "BP016", "the description only repeats the title", None),
        Some(_) => {}
    }
    if nobody_owns(group, ground.known) {
        reader.tell(places.owner.clone(), "BP066", "nobody owns this group today: whoever is named left, or the team is empty", None);
    }
    if let (Some(break_glass), Some(at)) = (&group.break_glass, &places.break_glass)
        && Duration::hours(24).is_some_and(|day| break_glass.max > day)
    {
        reader.tell(at.clone(), "BP083", format!("emergency access of {} outlasts most emergencies", break_glass.max.in_words()), None);
    }
    let rules: Vec<&str> = group.rules.iter().filter(|r| r.then != Then::Always).map(|r| r.name.as_str()).collect();
    for (example, at) in examples.iter().zip(&places.examples) {
        if let (Some(rule), Some(at)) = (&example.rule, &at.rule)
            && !group.rules.iter().any(|r| r.name == *rule)
        {
            let near = super::super::reader::nearest(rule, rules.iter().copied()).map(|n| format!("did you mean \"{n}\"?"));
            reader.tell(at.clone(), "BP027", format!("this group has no rule called \"{rule}\""), near);
        }
        for (fact, at) in &at.facts {
            let built_in = super::super::cedar::BUILT_IN;
            if !built_in.contains(&fact.as_str()) && !ground.attributes.contains_key(fact) {
                let known = built_in.iter().copied().chain(ground.attributes.keys().map(String::as_str));
                let near = super::super::reader::nearest(fact, known).map(|n| format!("did you mean `{n}`?"));
                reader.tell(at.clone(), "BP028", format!("people have no fact `{fact}`"), near);
            }
        }
    }
    if examples.is_empty() && !rules.is_empty() {
        reader.tell(places.top.clone(), "BP019", "this group has no example", Some("an example tests a rule and documents it: [[example]] with `person`, `for`, `expect`".to_owned()));
        return;
    }
    for (rule, at) in group.rules.iter().zip(&places.rules).filter(|(r, _)| r.then != Then::Always) {
        if !examples.iter().any(|e| e.rule.as_ref() == Some(&rule.name)) {
            reader.tell(at.heading.clone(), "BP019", format!("no example names the rule \"{}\"", rule.name), None);
        }
    }
}
