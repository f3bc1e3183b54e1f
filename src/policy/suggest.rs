//! What would change a denial. Each suggestion was tried: asking again with it gives the answer that it promises.

use std::collections::BTreeSet;

use super::{Engine, decide::usual, words};
use crate::domain::{
    decision::{Decision, Effect, Inquiry, Suggestion},
    duration::Duration,
    group::{Then, Who},
    id::GroupId,
    person::Subject,
};

/// Suggestions for a denial, the easiest first.
pub(super) fn suggestions(engine: &Engine, inquiry: &Inquiry<'_>, decision: &Decision) -> Vec<Suggestion> {
    let Some(group) = engine.set().group(inquiry.group.as_str()) else { return Vec::new() };
    let mut found = Vec::new();
    let mut lengths: Vec<Duration> = group.rules.iter().map(|r| r.max).chain(usual()).filter(|d| *d < inquiry.duration).collect();
    lengths.sort_unstable();
    lengths.dedup();
    let shorter = lengths.into_iter().rev().find_map(|duration| {
        let effect = engine.decide_plainly(&Inquiry { duration, ..*inquiry }).effect;
        (effect != Effect::Deny).then_some((duration, effect))
    });
    if let Some((duration, effect)) = shorter {
        let text = format!("Ask for {} or less and {}", duration.in_words(), outcome(effect));
        found.push(Suggestion::ShorterDuration { duration, effect, text });
    }
    for held in conflicting(engine, inquiry) {
        let holds: BTreeSet<GroupId> = inquiry.holds.iter().filter(|g| **g != held).cloned().collect();
        let effect = engine.decide_plainly(&Inquiry { holds: &holds, ..*inquiry }).effect;
        if effect != Effect::Deny {
            let title = engine.set().group(held.as_str()).map_or_else(|| held.to_string(), |g| g.title.clone());
            found.push(Suggestion::GiveUp { group: held, text: format!("Give back {title} first and {}", outcome(effect)) });
        }
    }
    if decision.guardrails.is_empty() {
        found.extend(memberships(engine, inquiry, &group.rules.iter().flat_map(|r| if r.then == Then::Always { &[] } else { r.who.as_slice() }).collect::<Vec<_>>()));
    }
    let fixes = decision.guardrails.iter().filter_map(|g| g.fix.clone());
    found.extend(fixes.map(|text| Suggestion::Fix { text }));
    found
}

fn outcome(effect: Effect) -> &'static str {
    match effect {
        Effect::Grant => "you have it at once",
        Effect::Approve => "it can be approved",
        Effect::Deny => "it stays denied",
    }
}

fn conflicting(engine: &Engine, inquiry: &Inquiry<'_>) -> Vec<GroupId> {
    let conflicts = engine.set().conflicts().iter().filter(|c| c.groups.contains(inquiry.group));
    conflicts.flat_map(|c| c.groups.iter().filter(|g| *g != inquiry.group && inquiry.holds.contains(*g)).cloned()).collect()
}

/// Teams and groups named by rules whose members would get another answer with the same facts otherwise.
fn memberships(engine: &Engine, inquiry: &Inquiry<'_>, named: &[&Who]) -> Vec<Suggestion> {
    let mut found: Vec<Suggestion> = Vec::new();
    let mut tried: BTreeSet<&Who> = BTreeSet::new();
    for who in named {
        if !tried.insert(who) {
            continue;
        }
        let effect = match who {
            Who::Team(team) => {
                let mut teams = inquiry.subject.teams.clone();
                if !teams.insert(team.clone()) {
                    continue;
                }
                engine.decide_plainly(&Inquiry { subject: Subject { person: inquiry.subject.person, teams: &teams }, ..*inquiry }).effect
            }
            Who::Group(group) => {
                let mut holds = inquiry.holds.clone();
                if !holds.insert(group.clone()) {
                    continue;
                }
                engine.decide_plainly(&Inquiry { holds: &holds, ..*inquiry }).effect
            }
            _ => continue,
        };
        if effect != Effect::Deny {
            let text = match effect {
                Effect::Grant => format!("{} has it at once", words::capital(&words::who(who))),
                _ => format!("{} may ask for it", words::capital(&words::who(who))),
            };
            found.push(Suggestion::Membership { who: who.to_string(), effect, text });
        }
        if found.len() >= 3 {
            break;
        }
    }
    found
}

