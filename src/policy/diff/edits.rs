//! What was edited, in sentences: groups, labels, guardrails, conflicts, roles.

use std::collections::{BTreeMap, BTreeSet};

use super::{Changes, GroupFate, Inputs, NewConflict, compare::Pair, reads::Reads};
use crate::{
    domain::{
        group::{Group, Rule, Stage, Then, Who},
        id::GroupId,
    },
    policy::PolicySet,
};

/// Every group of both sets with its counterpart; a new one that was `formerly` a vanished one is that group renamed.
pub(super) fn pairs<'a>(before: &'a PolicySet, after: &'a PolicySet) -> Vec<(GroupFate, Pair<'a>)> {
    let mut renamed: BTreeSet<&GroupId> = BTreeSet::new();
    let mut found = Vec::new();
    for (id, group) in &after.groups {
        let same = before.groups.get(id);
        let old = group.formerly.iter().find_map(|f| before.groups.get(f).filter(|_| !after.groups.contains_key(f) && !renamed.contains(f)));
        let (fate, counterpart) = match (same, old) {
            (Some(same), _) => (GroupFate::Kept, Some(same)),
            (None, Some(old)) => {
                renamed.insert(&old.id);
                (GroupFate::Renamed { from: old.id.clone() }, Some(old))
            }
            (None, None) => (GroupFate::Added, None),
        };
        found.push((fate, Pair { before: counterpart, after: Some(group) }));
    }
    let gone = before.groups.iter().filter(|(id, _)| !after.groups.contains_key(*id) && !renamed.contains(id));
    found.extend(gone.map(|(_, group)| (GroupFate::Removed, Pair { before: Some(group), after: None })));
    found
}

/// Changes of sensitivity and tags, and whether a guardrail reads one of them.
pub(super) fn relabelled(pair: Pair<'_>, guards: &Reads) -> (Vec<String>, bool) {
    let (Some(old), Some(new)) = (pair.before, pair.after) else { return (Vec::new(), false) };
    let (mut told, mut read) = (Vec::new(), false);
    if old.sensitivity != new.sensitivity {
        told.push(format!("sensitivity {} → {}", old.sensitivity.as_str(), new.sensitivity.as_str()));
        read |= guards.sensitivity;
    }
    let tags = |group: &Group| group.tags.iter().cloned().collect::<BTreeSet<String>>();
    let (old, new) = (tags(old), tags(new));
    if old != new {
        let signed = |sign: &str, tags: Vec<&String>| tags.into_iter().map(|t| format!("{sign}{t}")).collect::<Vec<_>>();
        let changes = [signed("-", old.difference(&new).collect()), signed("+", new.difference(&old).collect())].concat();
        told.push(format!("tags {}", changes.join(" ")));
        read |= guards.tags;
    }
    (told, read)
}

/// What was edited in a group's file and decides something, one sentence each. Labels are told apart.
pub(super) fn edits(pair: Pair<'_>) -> Vec<String> {
    let (Some(old), Some(new)) = (pair.before, pair.after) else { return Vec::new() };
    let mut told = Vec::new();
    let mut say = |what: &str, old: String, new: String| {
        if old != new {
            told.push(format!("{what}: {} → {}", or_none(old), or_none(new)));
        }
    };
    say("owner", list(&old.owner), list(&new.owner));
    let entitlements = |g: &Group| g.entitlements.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    say("entitlements", entitlements(old), entitlements(new));
    let word = |g: &Group| format!("{:?}", g.on_change).to_lowercase();
    say("on_change", word(old), word(new));
    let emergency = |g: &Group| g.break_glass.as_ref().map(|b| format!("{} for {}, reviewed by {}", list(&b.who), b.max, list(&b.review_by))).unwrap_or_default();
    say("break_glass", emergency(old), emergency(new));
    let review = |g: &Group| g.review.as_ref().map(|r| format!("every {} by {}", r.every, list(&r.by))).unwrap_or_default();
    say("review", review(old), review(new));
    for rule in &new.rules {
        match old.rules.iter().find(|r| r.name == rule.name) {
            None => told.push(format!("rule \"{}\" is new: {}", rule.name, whole(rule))),
            Some(before) => {
                let parts: Vec<String> = fields(before)
                    .into_iter()
                    .zip(fields(rule))
                    .filter(|(a, b)| a.1 != b.1)
                    .map(|((what, a), (_, b))| format!("{what}: {} → {}", or_none(a), or_none(b)))
                    .collect();
                if !parts.is_empty() {
                    told.push(format!("rule \"{}\": {}", rule.name, parts.join("; ")));
                }
            }
        }
    }
    for rule in old.rules.iter().filter(|r| !new.rules.iter().any(|n| n.name == r.name)) {
        told.push(format!("rule \"{}\" is gone", rule.name));
    }
    let order = |a: &Group, b: &Group| a.rules.iter().map(|r| r.name.clone()).filter(|n| b.rules.iter().any(|r| r.name == *n)).collect::<Vec<_>>();
    if order(old, new) != order(new, old) {
        told.push("the order of its rules".to_owned());
    }
    told
}

fn or_none(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}

fn list(words: &[Who]) -> String {
    words.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn stage(stage: &Stage) -> String {
    let escalate = if stage.escalate.is_empty() { String::new() } else { format!(", then {}", list(&stage.escalate)) };
    format!("{} of {} within {}{escalate}", stage.need, list(&stage.from), stage.within)
}

fn fields(rule: &Rule) -> [(&'static str, String); 6] {
    let then = match rule.then {
        Then::Grant => "grant",
        Then::Approve => "approve",
        Then::Always => "always",
    };
    [
        ("who", list(&rule.who)),
        ("when", rule.when.clone().unwrap_or_default()),
        ("then", then.to_owned()),
        ("for", rule.max.to_string()),
        ("stages", rule.stages.iter().map(stage).collect::<Vec<_>>().join("; ")),
        ("justification", format!("{:?}", rule.justification).to_lowercase()),
    ]
}

fn whole(rule: &Rule) -> String {
    let [who, when, then, max, ..] = fields(rule).map(|(_, text)| text);
    let when = if when.is_empty() { String::new() } else { format!(" when {when}") };
    format!("{then} {who}{when} for {max}")
}

/// Guardrails that came, went or read otherwise.
pub(super) fn guardrails(before: &PolicySet, after: &PolicySet) -> Changes {
    let of = |set: &PolicySet| set.guardrails.iter().map(|g| (g.id.clone(), g.source.clone())).collect::<BTreeMap<_, _>>();
    let (old, new) = (of(before), of(after));
    Changes {
        added: new.keys().filter(|id| !old.contains_key(*id)).cloned().collect(),
        removed: old.keys().filter(|id| !new.contains_key(*id)).cloned().collect(),
        changed: new.iter().filter(|(id, text)| old.get(*id).is_some_and(|o| o != *text)).map(|(id, _)| id.clone()).collect(),
    }
}

/// Every two groups that a set keeps apart.
fn kept_apart(set: &PolicySet) -> BTreeMap<[GroupId; 2], usize> {
    let mut found = BTreeMap::new();
    for (at, conflict) in set.conflicts.iter().enumerate() {
        for a in &conflict.groups {
            for b in conflict.groups.iter().filter(|b| *b > a) {
                found.entry([a.clone(), b.clone()]).or_insert(at);
            }
        }
    }
    found
}

pub(super) fn conflicts_removed(before: &PolicySet, after: &PolicySet) -> Vec<String> {
    let now = kept_apart(after);
    kept_apart(before).into_keys().filter(|pair| !now.contains_key(pair)).map(|[a, b]| format!("{a} and {b}")).collect()
}

pub(super) fn conflicts_added(inputs: &Inputs<'_>, place: &BTreeMap<&str, u32>) -> Vec<NewConflict> {
    let before = kept_apart(inputs.before);
    let new = kept_apart(inputs.after).into_iter().filter(|(pair, _)| !before.contains_key(pair));
    new.filter_map(|(groups, at)| {
        let conflict = inputs.after.conflicts.get(at)?;
        let both = inputs.holdings.iter().filter(|(_, held)| groups.iter().all(|g| held.contains(g)));
        let holders = both.filter_map(|(id, _)| place.get(id.as_str()).copied()).collect();
        Some(NewConflict { reason: conflict.reason.clone(), keep: conflict.keep.clone(), holders, groups })
    })
    .collect()
}

pub(super) fn roles(before: &PolicySet, after: &PolicySet) -> Vec<String> {
    let roles = [("admin", &before.roles.admin, &after.roles.admin), ("auditor", &before.roles.auditor, &after.roles.auditor)];
    roles.into_iter().filter(|(_, old, new)| old != new).map(|(role, old, new)| format!("{role}: {} → {}", or_none(list(old)), or_none(list(new)))).collect()
}

/// Changed groups whose conditions calculate with a time: their steps are those at the numbers written.
pub(super) fn calculating(inputs: &Inputs<'_>, changed: &BTreeSet<GroupId>) -> Vec<String> {
    let calculates = |group: &&Group| {
        group.rules.iter().filter_map(|r| r.when.as_deref()).map(Reads::of).any(|r| r.calculates && (r.hours || r.minutes || r.hour || r.weekday || r.now))
    };
    let groups = [inputs.before, inputs.after].into_iter().flat_map(|set| changed.iter().filter_map(|id| set.groups.get(id)));
    let names: BTreeSet<&str> = groups.filter(calculates).map(|g| g.id.as_str()).collect();
    names.into_iter().map(|id| format!("A condition of {id} calculates with a time: it is compared at the numbers written in it, so a change between them may be missed.")).collect()
}
