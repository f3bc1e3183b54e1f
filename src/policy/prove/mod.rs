//! Proofs about all possible people, groups and requests, not only today's.
//!
//! A claim is a Cedar expression that nothing allowed may satisfy. What guardrails and claim can tell apart is enumerated
//! ([`axes`]) and every combination decided by the real engine. That is a proof, since nothing else can change an answer;
//! an expression that is not recognised ([`atoms`]) is left out where leaving it out is safe, and else the claim is "not
//! proven". A counter-example is always one that the engine, with every guardrail in place, does not deny.

mod atoms;
mod axes;
mod case;
mod claims;
#[cfg(feature = "symbolic")]
pub mod symbolic;
#[cfg(test)]
mod tests;

use std::{collections::{BTreeMap, BTreeSet}, sync::Arc};

pub use case::Case;
pub use claims::{Claim, given, read};

use self::{atoms::Atoms, axes::{Axis, Fresh}};
use super::{Engine, PolicySet, cedar};
use crate::domain::{
    decision::{Effect, Inquiry},
    duration::Duration,
    group::{Group, JustificationNeed, OnChange, Rule, Sensitivity, Then, Who, default_grace},
    id::{GroupId, TeamId},
};

/// Who answered, for people to read.
pub const ENGINE: &str = "every combination that the policy can tell apart, each decided by Cedar 4";

/// The other one.
pub const SOLVER: &str = "an SMT solver over Cedar's symbolic compiler";

/// The answer to a claim.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Nobody can.
    Proven {
        /// How it was shown.
        by: Proof,
    },
    /// Somebody can: like this.
    Refuted(Box<Case>),
    /// Neither is certain.
    NotProven {
        /// Why, a line each.
        reasons: Vec<String>,
    },
}

/// How a claim was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Every combination was decided, so many.
    Combinations(u64),
    /// By the solver.
    Solver,
}

/// One try: which guardrails count, and what stands in for the group.
struct Attempt {
    trial: Trial,
    axes: Vec<Axis>,
    /// Whether finding nobody proves the claim.
    proves: bool,
}

/// A group to ask for, with the policy around it.
struct Trial {
    guardrails: Vec<usize>,
    group: Group,
    conditions: Vec<Option<cedar::Condition>>,
}

enum Found {
    Nobody { combinations: u64, meant: u64 },
    Somebody(Box<Case>),
    Unsure,
}

/// Decides a claim for all people, groups and requests.
pub fn prove(set: &PolicySet, claim: &Claim) -> Answer {
    let mut reasons = Vec::new();
    let fresh = Fresh::beside(&named(set, claim));
    let Some(open) = open_group(&fresh) else { return Answer::NotProven { reasons: vec!["no group could be made to ask for".to_owned()] } };
    let mut claimed = Atoms::new();
    let claim_read = atoms::of_condition(&claim.text, &mut claimed);
    if let Err(outside) = &claim_read {
        reasons.push(format!("`{outside}` in the claim is outside what is enumerated"));
    }
    let mut readable: Vec<(usize, Atoms)> = Vec::new();
    for (index, (guardrail, policy)) in set.guardrails.iter().zip(&set.guardrail_policies).enumerate() {
        let mut read = Atoms::new();
        match atoms::of_policy(policy, &mut read) {
            Ok(()) => readable.push((index, read)),
            Err(outside) => {
                reasons.push(format!("`{outside}` of the guardrail `{}` at {}:{} is outside what is enumerated", guardrail.id, guardrail.file, guardrail.line));
            }
        }
    }
    let all: Vec<usize> = (0..set.guardrails.len()).collect();
    let real = match claim.group.as_ref().and_then(|id| set.group(id.as_str())) {
        Some(group) => Trial { guardrails: all, group: group.clone(), conditions: set.conditions.get(&group.id).cloned().unwrap_or_default() },
        None => Trial { guardrails: all, group: open.clone(), conditions: Vec::new() },
    };
    let rules = claim.group.as_ref().map(|_| rules_read(&real.group));
    if let Some(Err(outside)) = &rules {
        reasons.push(outside.clone());
    }
    // All readable guardrails first; when that is too much, each alone: one that suffices is a proof as well.
    let mut choices: Vec<Vec<&(usize, Atoms)>> = vec![readable.iter().collect()];
    choices.extend(readable.iter().map(|one| vec![one]));
    let mut meant_nobody = false;
    for (turn, chosen) in choices.iter().enumerate() {
        let mut read = claimed.clone();
        chosen.iter().for_each(|(_, more)| merge(&mut read, more));
        let mut group = real.group.clone();
        let mut conditions = real.conditions.clone();
        let mut durations = Vec::new();
        match &rules {
            Some(Ok((more, seconds))) => {
                merge(&mut read, more);
                durations.clone_from(seconds);
            }
            _ => {
                group.rules.clone_from(&open.rules);
                conditions.clear();
            }
        }
        if claim.group.is_some() {
            read.retain(|(variable, _), _| variable != "resource");
        } else {
            read.entry(("resource".to_owned(), "id".to_owned())).or_default();
        }
        let axes = match axes::axes(&read, &set.attributes, &durations, &fresh) {
            Ok(axes) => axes,
            Err(reason) => {
                if turn == 0 {
                    reasons.push(reason);
                }
                continue;
            }
        };
        let trial = Trial { guardrails: chosen.iter().map(|(index, _)| *index).collect(), group, conditions };
        match search(set, claim, &Attempt { trial, axes, proves: claim_read.is_ok() }, &real) {
            Found::Somebody(case) => return Answer::Refuted(case),
            Found::Nobody { meant: 0, .. } => meant_nobody = true,
            Found::Nobody { combinations, .. } => return Answer::Proven { by: Proof::Combinations(combinations) },
            Found::Unsure => {}
        }
        if meant_nobody {
            reasons = vec!["no person, group and request can be like this, so the claim says nothing: is a word misspelt?".to_owned()];
            break;
        }
    }
    if reasons.is_empty() {
        reasons.push("no single guardrail suffices, and all together are too much to try".to_owned());
    }
    Answer::NotProven { reasons }
}

/// Tries every combination. Somebody whom the trial does not deny is asked for again with everything in place.
fn search(set: &PolicySet, claim: &Claim, attempt: &Attempt, real: &Trial) -> Found {
    let (mut combinations, mut meant, mut unsure) = (0_u64, 0_u64, !attempt.proves);
    let mut at = vec![0_usize; attempt.axes.len()];
    loop {
        let chosen: Vec<_> = attempt.axes.iter().zip(&at).filter_map(|(axis, n)| Some((axis, axis.facts.get(*n)?))).collect();
        if let Some(case) = Case::new(&chosen, &attempt.trial.group, &set.attributes, &set.zone) {
            combinations += 1;
            let engine = engine(set, &attempt.trial, &case);
            let inquiry = case.inquiry();
            let satisfied = engine.facts.as_ref().and_then(|f| f.ask(&inquiry, &set.zone)).map(|asked| asked.holds(&claim.condition));
            match satisfied {
                Some(Ok(true)) => {
                    meant += 1;
                    if gets(&engine, &inquiry) {
                        if gets(&self::engine(set, real, &case), &inquiry) {
                            return Found::Somebody(Box::new(case));
                        }
                        unsure = true;
                    }
                }
                Some(_) => {}
                None => unsure = true,
            }
        }
        let Some(turn) = (0..at.len()).rev().find(|n| at.get(*n).zip(attempt.axes.get(*n)).is_some_and(|(i, axis)| i + 1 < axis.facts.len())) else { break };
        for (n, index) in at.iter_mut().enumerate() {
            if n == turn {
                *index += 1;
            } else if n > turn {
                *index = 0;
            }
        }
    }
    if unsure { Found::Unsure } else { Found::Nobody { combinations, meant } }
}

/// Whether somebody gets it by asking, or has it without: then the duration is the one that its rule states.
fn gets(engine: &Engine, inquiry: &Inquiry<'_>) -> bool {
    engine.decide_plainly(inquiry).effect != Effect::Deny || {
        let held = engine.birthright(inquiry.subject, inquiry.group, inquiry.now, inquiry.holds);
        held.effect == Effect::Grant && held.max == Some(inquiry.duration)
    }
}

/// The real engine over the trial's guardrails, every conflict, and the case's group under the trial's rules.
fn engine(set: &PolicySet, trial: &Trial, case: &Case) -> Engine {
    let mut group = case.group.clone();
    group.rules.clone_from(&trial.group.rules);
    let small = PolicySet {
        guardrails: trial.guardrails.iter().filter_map(|n| set.guardrails.get(*n).cloned()).collect(),
        guardrail_policies: trial.guardrails.iter().filter_map(|n| set.guardrail_policies.get(*n).cloned()).collect(),
        conflicts: set.conflicts.clone(),
        conditions: BTreeMap::from([(group.id.clone(), trial.conditions.clone())]),
        groups: BTreeMap::from([(group.id.clone(), group)]),
        attributes: set.attributes.clone(),
        zone: set.zone.clone(),
        ..PolicySet::empty()
    };
    Engine::new(Arc::new(small), [case.subject()])
}

/// Every word that anything here names.
fn named(set: &PolicySet, claim: &Claim) -> BTreeSet<String> {
    let mut read = Atoms::new();
    // An expression that is not recognised is left out of a proof, so its words may be missing here.
    let _ = atoms::of_condition(&claim.text, &mut read);
    set.guardrail_policies.iter().for_each(|policy| drop(atoms::of_policy(policy, &mut read)));
    let mut words: BTreeSet<String> = read.into_values().flat_map(|reading| reading.texts).collect();
    words.extend(set.conflicts.iter().flat_map(|c| &c.groups).map(ToString::to_string));
    if let Some(group) = claim.group.as_ref().and_then(|id| set.group(id.as_str())) {
        words.insert(group.id.to_string());
        if let Ok((read, _)) = rules_read(group) {
            words.extend(read.into_values().flat_map(|reading| reading.texts));
        }
    }
    words
}

fn merge(into: &mut Atoms, more: &Atoms) {
    for (field, reading) in more {
        let known = into.entry(field.clone()).or_default();
        known.texts.extend(reading.texts.iter().cloned());
        known.numbers.extend(&reading.numbers);
        known.others_matter |= reading.others_matter;
    }
}

/// What a group's own rules read, and the seconds up to which they give.
fn rules_read(group: &Group) -> Result<(Atoms, Vec<u32>), String> {
    if group.break_glass.is_some() {
        return Err(format!("`{}` gives access by [break_glass], which is outside what is enumerated", group.file));
    }
    let mut read = Atoms::new();
    for rule in &group.rules {
        for who in &rule.who {
            let (variable, name, word) = match who {
                Who::Person(id) => ("principal", "id", id.to_string()),
                Who::Team(id) => ("principal", "teams", id.to_string()),
                Who::Group(id) => ("context", "holds", id.to_string()),
                Who::Everyone | Who::Manager | Who::Owner => continue,
            };
            read.entry((variable.to_owned(), name.to_owned())).or_default().texts.insert(word);
        }
        if let Some(when) = &rule.when {
            atoms::of_condition(when, &mut read).map_err(|outside| format!("`{outside}` of the rule \"{}\" at {}:{} is outside what is enumerated", rule.name, group.file, rule.line))?;
        }
    }
    Ok((read, group.rules.iter().map(|r| r.max.as_seconds()).collect()))
}

/// A group whose file allows everything: what guardrails do not forbid, some file could allow.
fn open_group(fresh: &Fresh) -> Option<Group> {
    Some(Group {
        id: GroupId::parse(&fresh.group).ok()?,
        title: "Any group".to_owned(),
        description: String::new(),
        owner: vec![Who::Team(TeamId::parse(&fresh.word).ok()?)],
        sensitivity: Sensitivity::Internal,
        tags: Vec::new(),
        entitlements: Vec::new(),
        rules: vec![Rule {
            name: "allows everything".to_owned(),
            who: vec![Who::Everyone],
            when: None,
            then: Then::Grant,
            max: Duration::MAX,
            justification: JustificationNeed::default(),
            stages: Vec::new(),
            line: 1,
        }],
        break_glass: None,
        review: None,
        on_change: OnChange::default(),
        grace: default_grace(),
        formerly: Vec::new(),
        file: String::new(),
    })
}
