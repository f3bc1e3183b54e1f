//! Lints about the rules of one group, each seen with those above it.

use std::{collections::BTreeSet, ops::Range};

use super::{Draft, Ground, unknown};
use crate::policy::group_file::RulePlaces;
use crate::domain::{
    group::{Group, OnChange, Rule, Sensitivity, Stage, Then, Who},
    id::PersonId,
};

pub(super) fn lint(draft: &mut Draft<'_>, ground: &Ground<'_>) {
    let group = draft.group.clone();
    for (index, rule) in group.rules.iter().enumerate() {
        let Some(at) = draft.places.rules.get(index).cloned() else { continue };
        let above = group.rules.get(..index).unwrap_or_default();
        looser(draft, rule, above, &at.heading);
        covered(draft, rule, above, &at.heading);
        birthright(draft, &group, rule, &at);
        let open = rule.then == Then::Grant && rule.who.contains(&Who::Everyone) && rule.when.is_none();
        if open && group.sensitivity == Sensitivity::Restricted {
            draft.reader.tell(at.heading.clone(), "BP064", "everyone gets this restricted group at once", None);
        }
        lengths(draft, ground, (index, rule), &at.max);
        for (number, (stage, (heading, escalation))) in rule.stages.iter().zip(&at.stages).enumerate() {
            too_few(draft, ground, (&group, rule), (number, stage), heading);
            let nobody_new = !stage.escalate.is_empty() && stage.escalate.iter().all(|who| stage.from.contains(who));
            if let (true, Some(at)) = (nobody_new, escalation) {
                draft.reader.tell(at.clone(), "BP081", "everybody here is asked from the beginning", None);
            }
        }
    }
}

/// What people hold without asking is listed as what it is.
fn birthright(draft: &mut Draft<'_>, group: &Group, rule: &Rule, at: &RulePlaces) {
    if rule.then != Then::Always {
        return;
    }
    let who: Vec<String> = rule.who.iter().map(ToString::to_string).collect();
    let when = if rule.when.is_some() { " whose condition holds" } else { "" };
    let message = format!("\"{}\" gives {} to {}{when} without asking, as long as that is so", rule.name, group.id, who.join(", "));
    draft.reader.tell(at.heading.clone(), "BP090", message, None);
    // The heading stands for a `for` that is not there.
    if at.max != at.heading {
        draft.reader.tell(at.max.clone(), "BP091", format!("`for` means nothing here: \"{}\" has no end of its own", rule.name), None);
    }
    if group.on_change == OnChange::Flag {
        draft.reader.tell(at.heading.clone(), "BP092", format!("whoever \"{}\" no longer means keeps it: `on_change` is \"flag\"", rule.name), None);
    }
}

/// A looser rule below a stricter one that gives less time can never decide (semantics.md, 1).
fn looser(draft: &mut Draft<'_>, rule: &Rule, above: &[Rule], at: &Range<usize>) {
    let strict = above.iter().find(|a| a.then == Then::Approve && a.max < rule.max && overlaps(&a.who, &rule.who));
    if let (Then::Grant, Some(strict)) = (rule.then, strict) {
        let message = format!("\"{}\" gives more time without approval than \"{}\" above it gives with one", rule.name, strict.name);
        let help = format!("whoever both rules mean is told to ask for {} or less; put the `grant` first or give it less time", strict.max);
        draft.reader.tell(at.clone(), "BP062", message, help);
    }
}

/// A rule each of whose people an earlier one decides about, at every length of time.
fn covered(draft: &mut Draft<'_>, rule: &Rule, above: &[Rule], at: &Range<usize>) {
    if rule.then == Then::Always || rule.who.is_empty() {
        return;
    }
    let decides = |a: &&Rule| a.then != Then::Always && a.max >= rule.max && (a.when.is_none() || a.when == rule.when);
    let whole: Vec<&Rule> = above.iter().filter(decides).collect();
    let means = |a: &Rule, who: &Who| a.who.contains(&Who::Everyone) || a.who.contains(who);
    if let Some(one) = whole.iter().find(|a| rule.who.iter().all(|who| means(a, who))) {
        draft.reader.tell(at.clone(), "BP063", format!("\"{}\" never decides: \"{}\" above it always does", rule.name, one.name), None);
    } else if rule.who.iter().all(|who| whole.iter().any(|a| means(a, who))) {
        draft.reader.tell(at.clone(), "BP063", format!("\"{}\" never decides: the rules above it do for everybody it means", rule.name), None);
    }
}

fn overlaps(a: &[Who], b: &[Who]) -> bool {
    a.contains(&Who::Everyone) || b.contains(&Who::Everyone) || a.iter().any(|w| b.contains(w))
}

/// `for` beside what the condition lets anybody ask for.
fn lengths(draft: &mut Draft<'_>, ground: &Ground<'_>, (index, rule): (usize, &Rule), at: &Range<usize>) {
    let condition = ground.conditions.get(&draft.group.id).and_then(|c| c.get(index)).and_then(Option::as_ref);
    let Some(lengths) = condition.map(|c| c.lengths) else { return };
    let max = i64::from(rule.max.as_seconds());
    let shown = |seconds: i64| match seconds {
        s if s % 86_400 == 0 && s > 86_400 => format!("{}d", s / 86_400),
        s if s % 3600 == 0 => format!("{}h", s / 3600),
        s => format!("{}m", s / 60),
    };
    if let Some(least) = lengths.longer_than.filter(|least| *least >= max || lengths.longest.is_some_and(|most| *least >= most)) {
        let message = format!("\"{}\" can never decide: its condition wants more than {}, and it gives {}", rule.name, shown(least), shown(lengths.longest.unwrap_or(max).min(max)));
        draft.reader.tell(at.clone(), "BP034", message, None);
    } else if let Some(most) = lengths.longest.filter(|most| *most < max) {
        if most < 60 {
            draft.reader.tell(at.clone(), "BP034", format!("\"{}\" can never decide: its condition lets nobody ask for any time", rule.name), None);
        } else {
            let message = format!("`for` gives {}, but the condition lets nobody ask for more than {}", rule.max, shown(most));
            draft.reader.tell(at.clone(), "BP033", message, format!("write for = \"{}\"", shown(most)));
        }
    }
}

/// A stage that today's people are too few for, however they are counted. A team's members may overlap with another's, so
/// this says too little rather than too much.
fn too_few(draft: &mut Draft<'_>, ground: &Ground<'_>, (group, rule): (&Group, &Rule), (number, stage): (usize, &Stage), at: &Range<usize>) {
    let words = stage.from.iter().chain(&stage.escalate);
    let meant: BTreeSet<&Who> = words.flat_map(|who| if *who == Who::Owner { group.owner.iter().collect() } else { vec![who] }).collect();
    let asker: Option<&PersonId> = match rule.who.as_slice() {
        [Who::Person(alone)] => Some(alone),
        _ => None,
    };
    let mut most = 0;
    for who in &meant {
        // Nobody approves their own request.
        if matches!(who, Who::Person(id) if Some(id) == asker) {
            continue;
        }
        let Some(count) = unknown::most(who, ground.known) else { return };
        most += count;
    }
    let need = usize::try_from(stage.need).unwrap_or(usize::MAX);
    // Too few words for people is an error of its own.
    if meant.len() < need && meant.iter().all(|who| matches!(who, Who::Person(_) | Who::Manager)) && !stage.from.contains(&Who::Owner) {
        return;
    }
    if most < need && !meant.is_empty() {
        let what = match most {
            0 => "nobody can answer".to_owned(),
            n => format!("{need} must agree, and {n} could at most"),
        };
        draft.reader.tell(at.clone(), "BP065", format!("stage {} of \"{}\": {what} today", number + 1, rule.name), None);
    }
}
