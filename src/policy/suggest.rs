//! What would give a better answer. Each suggestion is tried: asking again with it gives the answer that it promises.
//!
//! Whoever decides says how to ask again: the policy alone here, the ledger with blocks, the freeze switch and approvers.

use std::collections::BTreeSet;

use super::{
    Engine, Facts,
    decide::{means, usual},
    words,
};
use crate::domain::{
    decision::{Decision, Effect, Inquiry, ReasonKind, Remedy, Suggestion},
    duration::Duration,
    group::{Group, JustificationNeed, Then, Who},
    id::{GroupId, TeamId},
    person::Subject,
};

/// At most so many suggestions of one kind are told.
const MOST: usize = 3;
/// At most so many things of one kind are tried.
const MOST_TRIED: usize = 16;

/// Decides again, with a changed request or person.
pub type Again<'a> = dyn FnMut(&Inquiry<'_>, Facts) -> Decision + 'a;

/// How far to look.
#[derive(Debug, Clone, Copy)]
pub struct Reach<'a> {
    /// At most so many suggestions, the easiest first.
    pub most: usize,
    /// Lengths at which the answer may turn, beside those that the policy names.
    pub lengths: &'a [Duration],
}

impl Engine {
    /// Ways to a better answer: from denied to approvable or granted, from approvable to granted. `again` decides what each
    /// would come to.
    pub fn suggest(&self, inquiry: &Inquiry<'_>, decision: &Decision, reach: Reach<'_>, again: &mut Again<'_>) -> Vec<Suggestion> {
        let Some(group) = self.set().group(inquiry.group.as_str()) else { return Vec::new() };
        if decision.effect == Effect::Grant || !inquiry.subject.person.is_active() {
            return Vec::new();
        }
        let Reach { most, lengths } = reach;
        let mut search = Search { engine: self, inquiry, decision, group, again, most, lengths, found: Vec::new() };
        for look in [Search::less_time, Search::a_reason, Search::giving_up, Search::another_group, Search::joining, Search::advice] {
            if search.found.len() < most {
                look(&mut search);
            }
        }
        search.found.truncate(most);
        search.found
    }
}

fn rank(effect: Effect) -> u8 {
    match effect {
        Effect::Deny => 0,
        Effect::Approve => 1,
        Effect::Grant => 2,
    }
}

struct Search<'a, 'd> {
    engine: &'a Engine,
    inquiry: &'a Inquiry<'a>,
    decision: &'a Decision,
    group: &'a Group,
    again: &'a mut Again<'d>,
    most: usize,
    lengths: &'a [Duration],
    found: Vec<Suggestion>,
}

/// A better answer, and whether a reason must be given for it.
struct Better {
    decision: Decision,
    justification: bool,
}

impl Search<'_, '_> {
    /// What asking again comes to, if that is better. A rule that wants a reason is asked again with one.
    fn better(&mut self, changed: &Inquiry<'_>, facts: Facts) -> Option<Better> {
        let mut decision = (self.again)(changed, facts);
        let justification = decision.effect != Effect::Deny && decision.justification == JustificationNeed::Required && !changed.has_justification;
        if justification {
            decision = (self.again)(&Inquiry { has_justification: true, ..*changed }, facts);
        }
        (rank(decision.effect) > rank(self.decision.effect)).then_some(Better { decision, justification })
    }

    fn tell(&mut self, remedy: Remedy, better: &Better, act: &str) {
        let promise = words::promise(&self.engine.names, &better.decision);
        let text = if better.justification { format!("{act} and say why, and {promise}") } else { format!("{act}, and {promise}") };
        self.found.push(Suggestion { remedy, effect: Some(better.decision.effect), justification: better.justification, text });
    }

    /// The longest time that gives a better answer; and the longest that is given at once, when that is another.
    fn less_time(&mut self) {
        let rules = &self.group.rules;
        let texts: Vec<&str> = rules.iter().filter_map(|r| r.when.as_deref()).chain(self.engine.set().guardrails().iter().map(|g| g.source.as_str())).collect();
        let texts: Vec<&str> = texts.into_iter().filter(|t| t.contains("context.duration_")).collect();
        let too_long = self.decision.reasons.iter().any(|r| matches!(r.kind, ReasonKind::RuleDuration | ReasonKind::RuleClosed));
        if !too_long && texts.is_empty() {
            return;
        }
        let mut lengths: Vec<Duration> = rules.iter().map(|r| r.max).chain(usual()).chain(self.lengths.iter().copied()).collect();
        lengths.extend(texts.iter().flat_map(|t| lengths_named(t)));
        lengths.retain(|d| *d < self.inquiry.duration);
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        // Where every length at which the answer may turn is tried, "or less" can be told.
        let whole = self.most > 1 && texts.iter().all(|t| turns_are_known(t));
        let mut tried: Vec<(Duration, Option<Better>)> = Vec::new();
        for duration in lengths {
            let better = self.better(&Inquiry { duration, ..*self.inquiry }, Facts::Known);
            let enough = better.is_some() && !whole && self.most <= 1;
            tried.push((duration, better));
            if enough {
                break;
            }
        }
        let reached = |better: &Option<Better>| better.as_ref().map(|b| rank(b.decision.effect));
        let first = tried.iter().position(|(_, b)| b.is_some());
        let at_once = tried.iter().position(|(_, b)| reached(b) == Some(rank(Effect::Grant)));
        for index in first.into_iter().chain(at_once.filter(|i| Some(*i) != first)) {
            let Some((duration, Some(better))) = tried.get(index) else { continue };
            let or_less = whole && tried.iter().skip(index + 1).all(|(_, b)| reached(b) >= Some(rank(better.decision.effect)));
            let act = format!("Ask for {}{}", duration.in_words(), if or_less { " or less" } else { "" });
            self.tell(Remedy::ShorterDuration { duration: *duration }, better, &act);
        }
    }

    /// A reason, where a condition or a guardrail asks whether one was given.
    fn a_reason(&mut self) {
        if self.inquiry.has_justification {
            return;
        }
        if let Some(better) = self.better(&Inquiry { has_justification: true, ..*self.inquiry }, Facts::Known) {
            self.tell(Remedy::Justification, &better, "Say why you need it");
        }
    }

    /// Held groups that stand in the way: by a conflict, or named by a guardrail that forbids or by a rule.
    fn giving_up(&mut self) {
        let set = self.engine.set();
        let conflicts = set.conflicts().iter().filter(|c| c.groups.contains(self.inquiry.group));
        let conflicting: BTreeSet<&GroupId> = conflicts.flat_map(|c| &c.groups).collect();
        let forbidding = set.guardrails().iter().filter(|g| self.decision.guardrails.iter().any(|f| f.id == g.id)).map(|g| g.source.as_str());
        let texts: Vec<&str> = forbidding.chain(self.group.rules.iter().filter_map(|r| r.when.as_deref())).collect();
        let in_the_way = |held: &&GroupId| {
            let quoted = format!("\"{held}\"");
            **held != *self.inquiry.group && (conflicting.contains(*held) || texts.iter().any(|t| t.contains(&quoted)))
        };
        let candidates: Vec<GroupId> = self.inquiry.holds.iter().filter(in_the_way).take(MOST_TRIED).cloned().collect();
        let before = self.found.len();
        for held in &candidates {
            if self.found.len() < before + MOST {
                self.without(std::slice::from_ref(held));
            }
        }
        if self.found.len() == before && candidates.len() > 1 {
            self.without(&candidates);
        }
    }

    fn without(&mut self, given_up: &[GroupId]) {
        let Some((first, rest)) = given_up.split_first() else { return };
        let holds: BTreeSet<GroupId> = self.inquiry.holds.iter().filter(|g| !given_up.contains(g)).cloned().collect();
        if let Some(better) = self.better(&Inquiry { holds: &holds, ..*self.inquiry }, Facts::Known) {
            let titles: Vec<String> = given_up.iter().map(|g| self.engine.names.group(g.as_str())).collect();
            self.tell(Remedy::GiveUp { group: first.clone(), and: rest.to_vec() }, &better, &format!("Give back {} first", titles.join(" and ")));
        }
    }

    /// Groups that open everything that this one opens and are not more sensitive; those that open the least come first.
    fn another_group(&mut self) {
        if self.group.entitlements.is_empty() {
            return;
        }
        let same = |other: &&Group| {
            other.id != self.group.id
                && other.sensitivity <= self.group.sensitivity
                && !self.inquiry.holds.contains(&other.id)
                && self.group.entitlements.iter().all(|e| other.entitlements.contains(e))
        };
        let mut others: Vec<&Group> = self.engine.set().groups().values().filter(same).collect();
        others.sort_by_key(|g| g.entitlements.len());
        let mut told = 0;
        for other in others.into_iter().take(MOST_TRIED) {
            let Some(better) = self.better(&Inquiry { group: &other.id, ..*self.inquiry }, Facts::Known) else { continue };
            let more = if other.entitlements.len() > self.group.entitlements.len() { "the same and more" } else { "the same" };
            self.tell(Remedy::OtherGroup { group: other.id.clone() }, &better, &format!("Ask for {} instead, which opens {more}", other.title));
            told += 1;
            if told >= MOST {
                return;
            }
        }
    }

    /// Teams and groups that rules name, and whose people would get a better answer with the same facts otherwise. Whoever may
    /// ask already is told of groups alone: nobody changes teams to have something sooner.
    fn joining(&mut self) {
        let denied = self.decision.effect == Effect::Deny;
        let rules = self.group.rules.iter().filter(|r| r.then != Then::Always);
        let named = rules.clone().flat_map(|r| r.who.iter().cloned());
        let in_conditions = rules.filter_map(|r| r.when.as_deref()).flat_map(named_in);
        let useful = |who: &Who| match who {
            Who::Team(_) => denied,
            Who::Group(group) => *group != *self.inquiry.group,
            _ => false,
        };
        let named: BTreeSet<Who> = named.chain(in_conditions).filter(|who| useful(who) && !means(who, self.inquiry)).collect();
        let mut found: Vec<(u8, Suggestion)> = Vec::new();
        for who in named.into_iter().take(MOST_TRIED) {
            let (better, start) = match &who {
                Who::Team(team) => {
                    let mut person = self.inquiry.subject.person.clone();
                    person.teams.insert(team.clone());
                    let teams = self.inquiry.subject.teams.union(&self.engine.names.with_ancestors(team)).cloned().collect();
                    let subject = Subject { person: &person, teams: &teams };
                    (self.better(&Inquiry { subject, ..*self.inquiry }, Facts::Supposed), format!("If you were in team {}", self.engine.names.team(team.as_str())))
                }
                Who::Group(group) => {
                    let mut holds = self.inquiry.holds.clone();
                    holds.insert(group.clone());
                    (self.better(&Inquiry { holds: &holds, ..*self.inquiry }, Facts::Known), format!("If you held {}", self.engine.names.group(group.as_str())))
                }
                _ => continue,
            };
            let Some(Better { decision, justification }) = better else { continue };
            let start = if justification { format!("{start} and said why") } else { start };
            let text = format!("{start}, {}", words::would(&self.engine.names, &decision));
            let suggestion = Suggestion { remedy: Remedy::Membership { who }, effect: Some(decision.effect), justification, text };
            found.push((rank(decision.effect), suggestion));
        }
        found.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        self.found.extend(found.into_iter().map(|(_, suggestion)| suggestion).take(MOST));
    }

    /// What the authors of guardrails advise. Left out where something that was tried says the same better.
    fn advice(&mut self) {
        if self.decision.effect != Effect::Deny {
            return;
        }
        let tried = |s: &Suggestion| matches!(s.remedy, Remedy::ShorterDuration { .. } | Remedy::GiveUp { .. } | Remedy::Justification);
        if self.found.iter().any(tried) {
            return;
        }
        let fixes = self.decision.guardrails.iter().filter_map(|g| g.fix.clone());
        self.found.extend(fixes.map(|text| Suggestion { remedy: Remedy::Fix, effect: None, justification: false, text: text.trim_end_matches('.').to_owned() }));
    }
}

/// Groups and teams that a condition asks for: `context.holds.contains("x")`, `principal.teams.contains("x")`.
fn named_in(when: &str) -> Vec<Who> {
    let after = |before: &str, make: fn(&str) -> Option<Who>| {
        let found = when.split(before).skip(1).filter_map(|rest| rest.split('"').next()).filter_map(make);
        found.collect::<Vec<_>>()
    };
    let groups = after("context.holds.contains(\"", |id| GroupId::parse(id).ok().map(Who::Group));
    let teams = after("principal.teams.contains(\"", |id| TeamId::parse(id).ok().map(Who::Team));
    groups.into_iter().chain(teams).collect()
}

/// Numbers in a condition that speaks of the duration, as hours and as minutes, with what lies just below and above them:
/// where its answer may turn.
fn lengths_named(text: &str) -> Vec<Duration> {
    if !text.contains("context.duration_") {
        return Vec::new();
    }
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u32>().ok()).take(MOST_TRIED);
    let around = |n: u32| [n.saturating_sub(1), n, n.saturating_add(1)];
    numbers.flat_map(|n| around(n).into_iter().flat_map(|n| [Duration::hours(n), Duration::minutes(n)])).flatten().collect()
}

/// Whether [`lengths_named`] finds every length at which a text may turn: nothing is calculated in it, and it is short.
fn turns_are_known(text: &str) -> bool {
    !text.contains(['+', '*']) && !text.contains(" - ") && text.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty()).count() <= MOST_TRIED
}
