//! What would give a better answer. Each suggestion was tried: asking again with it gives the answer that it promises, as
//! far as policy goes. Whether somebody is there to approve is the ledger's knowledge, which tries each once more.

use std::collections::BTreeSet;

use super::{Engine, decide::usual, words};
use crate::domain::{
    decision::{Decision, Effect, Inquiry, Suggestion},
    duration::Duration,
    group::{Group, Then, Who},
    id::GroupId,
    person::Subject,
};

/// At most so many teams, other groups and groups to give up are tried and told.
const MOST: usize = 3;
const MOST_TRIED: usize = 16;

/// Suggestions for a denial, and quicker ways than an approval; the easiest first.
pub(super) fn suggestions(engine: &Engine, inquiry: &Inquiry<'_>, decision: &Decision) -> Vec<Suggestion> {
    let Some(group) = engine.set().group(inquiry.group.as_str()) else { return Vec::new() };
    if decision.effect == Effect::Grant || !inquiry.subject.person.is_active() {
        return Vec::new();
    }
    let better = |effect: Effect| rank(effect) > rank(decision.effect);
    let mut found = shorter(engine, inquiry, group, &better);
    found.extend(giving_up(engine, inquiry, decision, &better));
    found.extend(other_groups(engine, inquiry, group, &better));
    if decision.effect == Effect::Deny {
        let named = group.rules.iter().filter(|r| r.then != Then::Always).flat_map(|r| &r.who);
        found.extend(memberships(engine, inquiry, named));
        let fixes = decision.guardrails.iter().filter_map(|g| g.fix.clone());
        found.extend(fixes.map(|text| Suggestion::Fix { text }));
    }
    found
}

impl Engine {
    /// The decision with a suggestion applied; none for advice in a guardrail's own words. `holds` is what the person holds
    /// beside the group that a suggestion names instead.
    pub fn applied(&self, inquiry: &Inquiry<'_>, suggestion: &Suggestion) -> Option<Decision> {
        match suggestion {
            Suggestion::ShorterDuration { duration, .. } => Some(self.decide_plainly(&Inquiry { duration: *duration, ..*inquiry })),
            Suggestion::GiveUp { group, .. } => {
                let holds = inquiry.holds.iter().filter(|g| *g != group).cloned().collect();
                Some(self.decide_plainly(&Inquiry { holds: &holds, ..*inquiry }))
            }
            Suggestion::OtherGroup { group, .. } => Some(self.decide_plainly(&Inquiry { group, ..*inquiry })),
            Suggestion::Membership { who, .. } => match who.parse().ok()? {
                Who::Team(team) => {
                    let mut person = inquiry.subject.person.clone();
                    person.teams.insert(team.clone());
                    let teams = inquiry.subject.teams.union(&self.names.with_ancestors(&team)).cloned().collect();
                    Some(self.decide_supposed(&Inquiry { subject: Subject { person: &person, teams: &teams }, ..*inquiry }))
                }
                Who::Group(group) => {
                    let mut holds = inquiry.holds.clone();
                    holds.insert(group);
                    Some(self.decide_plainly(&Inquiry { holds: &holds, ..*inquiry }))
                }
                _ => None,
            },
            Suggestion::Fix { .. } => None,
        }
    }
}

fn rank(effect: Effect) -> u8 {
    match effect {
        Effect::Deny => 0,
        Effect::Approve => 1,
        Effect::Grant => 2,
    }
}

/// The longest time that gives a better answer; and the longest that is given at once, when that is another.
fn shorter(engine: &Engine, inquiry: &Inquiry<'_>, group: &Group, better: &impl Fn(Effect) -> bool) -> Vec<Suggestion> {
    let mut lengths: Vec<Duration> = group.rules.iter().map(|r| r.max).chain(usual()).collect();
    lengths.extend(group.rules.iter().filter_map(|r| r.when.as_deref()).flat_map(lengths_named));
    lengths.extend(engine.set().guardrails().iter().flat_map(|g| lengths_named(&g.source)));
    lengths.retain(|d| *d < inquiry.duration);
    lengths.sort_unstable();
    lengths.dedup();
    let mut found: Vec<Suggestion> = Vec::new();
    for duration in lengths.into_iter().rev() {
        let effect = engine.decide_plainly(&Inquiry { duration, ..*inquiry }).effect;
        if better(effect) && (found.is_empty() || effect == Effect::Grant) {
            let text = format!("Ask for {} and {}", duration.in_words(), words::effect(effect));
            found.push(Suggestion::ShorterDuration { duration, effect, text });
        }
        if matches!(found.last(), Some(Suggestion::ShorterDuration { effect: Effect::Grant, .. })) {
            break;
        }
    }
    found
}

/// Numbers in a condition that speaks of the duration, as hours and as minutes, and what lies just below them: where its
/// answer may turn.
fn lengths_named(text: &str) -> Vec<Duration> {
    if !text.contains("context.duration_") {
        return Vec::new();
    }
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u32>().ok()).take(MOST_TRIED);
    numbers.flat_map(|n| [Duration::hours(n), Duration::hours(n.saturating_sub(1)), Duration::minutes(n), Duration::minutes(n.saturating_sub(1))]).flatten().collect()
}

/// Held groups that stand in the way: by a conflict, or named by a guardrail that forbids.
fn giving_up(engine: &Engine, inquiry: &Inquiry<'_>, decision: &Decision, better: &impl Fn(Effect) -> bool) -> Vec<Suggestion> {
    let conflicts: Vec<_> = engine.set().conflicts().iter().filter(|c| c.groups.contains(inquiry.group)).collect();
    let forbidding: Vec<_> = engine.set().guardrails().iter().filter(|g| decision.guardrails.iter().any(|f| f.id == g.id)).collect();
    let in_the_way = |held: &GroupId| {
        let quoted = format!("\"{held}\"");
        conflicts.iter().any(|c| c.groups.contains(held)) || forbidding.iter().any(|g| g.source.contains(&quoted))
    };
    let mut found = Vec::new();
    for held in inquiry.holds.iter().filter(|g| *g != inquiry.group && in_the_way(g)).take(MOST_TRIED) {
        let holds: BTreeSet<GroupId> = inquiry.holds.iter().filter(|g| *g != held).cloned().collect();
        let effect = engine.decide_plainly(&Inquiry { holds: &holds, ..*inquiry }).effect;
        if better(effect) {
            let text = format!("Give back {} first and {}", engine.names.group(held.as_str()), words::effect(effect));
            found.push(Suggestion::GiveUp { group: held.clone(), effect: Some(effect), text });
        }
    }
    found.truncate(MOST);
    found
}

/// Groups that open everything that this one opens, and give a better answer.
fn other_groups(engine: &Engine, inquiry: &Inquiry<'_>, group: &Group, better: &impl Fn(Effect) -> bool) -> Vec<Suggestion> {
    if group.entitlements.is_empty() {
        return Vec::new();
    }
    let same = |other: &&Group| {
        other.id != group.id && !inquiry.holds.contains(&other.id) && group.entitlements.iter().all(|e| other.entitlements.contains(e))
    };
    let mut found: Vec<(Effect, Suggestion)> = Vec::new();
    for other in engine.set().groups().values().filter(same).take(MOST_TRIED) {
        let effect = engine.decide_plainly(&Inquiry { group: &other.id, ..*inquiry }).effect;
        if better(effect) {
            let text = format!("Ask for {}, which opens the same, and {}", other.title, words::effect(effect));
            found.push((effect, Suggestion::OtherGroup { group: other.id.clone(), effect, text }));
        }
    }
    found.sort_by_key(|(effect, _)| std::cmp::Reverse(rank(*effect)));
    found.into_iter().map(|(_, suggestion)| suggestion).take(MOST).collect()
}

/// Teams and groups named by rules whose members would get another answer with the same facts otherwise.
fn memberships<'r>(engine: &Engine, inquiry: &Inquiry<'_>, named: impl Iterator<Item = &'r Who>) -> Vec<Suggestion> {
    let mut tried: BTreeSet<&Who> = BTreeSet::new();
    let mut found = Vec::new();
    for who in named.filter(|w| matches!(w, Who::Team(_) | Who::Group(_)) && !super::decide::means(w, inquiry) && **w != Who::Group(inquiry.group.clone())) {
        if !tried.insert(who) || tried.len() > MOST_TRIED || found.len() >= MOST {
            continue;
        }
        let promise = |effect, text| Suggestion::Membership { who: who.to_string(), effect, text };
        let effect = engine.applied(inquiry, &promise(Effect::Deny, String::new())).map_or(Effect::Deny, |d| d.effect);
        let people = words::capital(&words::who(&engine.names, who));
        // "Holders of" are many, a team is one.
        let has = if matches!(who, Who::Group(_)) { "have" } else { "has" };
        match effect {
            Effect::Grant => found.push(promise(effect, format!("{people} {has} it at once"))),
            Effect::Approve => found.push(promise(effect, format!("{people} may ask for it"))),
            Effect::Deny => {}
        }
    }
    found
}
