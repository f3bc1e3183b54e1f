//! Whether a grant that is held still holds by this policy (semantics.md, 5): guardrails first, then every rule from the top.
//! Conflicts are asked apart, because which of two grants gives way depends on both.
//!
//! Like a request, a rule that cannot be evaluated lets nothing below it count. Unlike a request, the first rule that decides
//! is not the only one: a grant stands by any rule that would still give it.

use std::collections::BTreeSet;

use super::{Engine, PolicySet, diff::reads::Reads};
use crate::domain::{
    decision::{GuardrailFinding, Inquiry},
    grant::Grant,
    group::{Rule, Stage, Then, Who},
    id::{GroupId, PersonId},
    standing::{Cause, Fate},
};

/// What a policy says about a grant that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// A rule holds, or the approvals given satisfy one.
    Holds,
    /// A guardrail forbids it, or cannot be evaluated.
    Forbidden(GuardrailFinding),
    /// No rule holds.
    NoRule,
    /// This rule could not be evaluated.
    RuleFailed(String),
    /// It depends on the approvals, and `approved` did not know them.
    NeedsVotes,
}

impl Engine {
    /// Decides again. `approved` says whether the approvals given satisfy a rule that wants some; none when it does not know.
    pub fn still_holds(&self, inquiry: &Inquiry<'_>, approved: &mut dyn FnMut(&Rule) -> Option<bool>) -> Held {
        self.held(inquiry, &|_| true, &mut |rule| {
            if inquiry.duration > rule.max {
                return Some(false);
            }
            match rule.then {
                Then::Grant | Then::Always => Some(true),
                Then::Approve => approved(rule),
            }
        })
    }

    /// Decides a birthright again: only a rule that gives membership without asking keeps it.
    pub fn still_a_birthright(&self, inquiry: &Inquiry<'_>) -> Held {
        self.held(inquiry, &|rule| rule.then == Then::Always, &mut |_| Some(true))
    }

    /// Guardrails, then the rules that count and whose `who` and `when` hold, until `gives` says that one gives it. None: it
    /// does not know.
    fn held(&self, inquiry: &Inquiry<'_>, counts: &dyn Fn(&Rule) -> bool, gives: &mut dyn FnMut(&Rule) -> Option<bool>) -> Held {
        let Some(group) = self.set.group(inquiry.group.as_str()) else { return Held::NoRule };
        let conditions = self.set.conditions.get(&group.id);
        let reads = !self.set.guardrails.is_empty() || group.rules.iter().any(|r| r.when.is_some());
        let asked = if reads { self.facts.as_ref().and_then(|facts| facts.ask(inquiry, &self.set.zone)) } else { None };
        if !self.set.guardrails.is_empty() {
            let unprepared = || GuardrailFinding { id: "facts".to_owned(), reason: "The facts about the person could not be prepared".to_owned(), fix: None, failed: true };
            let Some(asked) = &asked else { return Held::Forbidden(unprepared()) };
            let verdicts = asked.guardrails();
            let known = |id: &str| self.set.guardrails.iter().find(|g| g.id == id);
            let finding = |id: String, failed| {
                let (reason, fix) = known(&id).map_or_else(|| (id.clone(), None), |g| (g.reason.clone(), g.fix.clone()));
                Held::Forbidden(GuardrailFinding { id, reason, fix, failed })
            };
            if let Some(id) = verdicts.forbidding.into_iter().next() {
                return finding(id, false);
            }
            if let Some((id, _)) = verdicts.failed.into_iter().next() {
                return finding(id, true);
            }
        }
        let mut unknown = false;
        for (index, rule) in group.rules.iter().enumerate() {
            if !counts(rule) || !meant(&rule.who, inquiry) {
                continue;
            }
            if rule.when.is_some() {
                let condition = conditions.and_then(|c| c.get(index)).and_then(Option::as_ref);
                match asked.as_ref().zip(condition).map(|(asked, condition)| asked.holds(condition)) {
                    Some(Ok(true)) => {}
                    Some(Ok(false)) => continue,
                    Some(Err(_)) | None => return Held::RuleFailed(rule.name.clone()),
                }
            }
            match gives(rule) {
                Some(true) => return Held::Holds,
                Some(false) => {}
                None => unknown = true,
            }
        }
        if unknown { Held::NeedsVotes } else { Held::NoRule }
    }
}

fn meant(who: &[Who], inquiry: &Inquiry<'_>) -> bool {
    who.iter().any(|who| match who {
        Who::Everyone => true,
        Who::Person(id) => *id == inquiry.subject.person.id,
        Who::Team(team) => inquiry.subject.teams.contains(team),
        Who::Group(group) => inquiry.holds.contains(group),
        Who::Manager | Who::Owner => false,
    })
}

/// Whether a rule asks for no more approval than one that was satisfied: the approvals given then satisfy it, whoever they
/// were by. That a manager changed, or an approver left, undoes no approval; who may hold the group is for `who` and `when`.
pub fn asks_no_more(rule: &Rule, satisfied: &Rule) -> bool {
    let wider = |now: &[Who], then: &[Who]| then.iter().all(|who| now.contains(who));
    rule.then == Then::Approve
        && !satisfied.stages.is_empty()
        && rule.stages.len() <= satisfied.stages.len()
        && rule.stages.iter().zip(&satisfied.stages).all(|(now, then)| {
            let may_now: Vec<Who> = now.from.iter().chain(&now.escalate).cloned().collect();
            now.need <= then.need && wider(&may_now, &then.from) && wider(&may_now, &then.escalate)
        })
}

/// Whether the approvers can fill every stage, each person in one stage only.
pub fn votes_satisfy(stages: &[Stage], approvers: &BTreeSet<PersonId>, may_approve: &dyn Fn(&Stage, &PersonId) -> bool) -> bool {
    let seats: Vec<&Stage> = stages.iter().flat_map(|s| std::iter::repeat_n(s, usize::try_from(s.need.min(64)).unwrap_or(64))).collect();
    let approvers: Vec<&PersonId> = approvers.iter().collect();
    let mut seat_of: Vec<Option<usize>> = vec![None; approvers.len()];
    !seats.is_empty() && (0..seats.len()).all(|seat| take_seat(seat, &seats, &approvers, &mut seat_of, &mut BTreeSet::new(), may_approve))
}

/// Finds somebody for a seat, moving others to other seats where they must (an augmenting path).
fn take_seat(
    seat: usize,
    seats: &[&Stage],
    approvers: &[&PersonId],
    seat_of: &mut [Option<usize>],
    tried: &mut BTreeSet<usize>,
    may_approve: &dyn Fn(&Stage, &PersonId) -> bool,
) -> bool {
    let Some(stage) = seats.get(seat) else { return false };
    for (at, approver) in approvers.iter().enumerate() {
        if !may_approve(stage, approver) || !tried.insert(at) {
            continue;
        }
        let free = match seat_of.get(at).copied().flatten() {
            None => true,
            Some(other) => take_seat(other, seats, approvers, seat_of, tried, may_approve),
        };
        if let (true, Some(slot)) = (free, seat_of.get_mut(at)) {
            *slot = Some(seat);
            return true;
        }
    }
    false
}

/// Which holdings of a person their other grants depend on: a change of any other leaves those as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HoldingsRead {
    /// Something reads all of them.
    pub all: bool,
    /// These are read by a rule, a guardrail or a conflict.
    pub groups: BTreeSet<GroupId>,
}

impl HoldingsRead {
    /// Whether holding this group, or no longer, can matter to another grant.
    pub fn contains(&self, group: &GroupId) -> bool {
        self.all || self.groups.contains(group)
    }
}

impl PolicySet {
    /// The group before which a grant gives way: of two that conflict, the one that the conflict keeps, else the one held for
    /// longer. A grant that ends for another reason makes nobody give way (semantics.md, 11). `held` are all of the person.
    pub fn gives_way(&self, grant: &Grant, held: &[&Grant]) -> Option<GroupId> {
        let leaves = |g: &Grant| g.standing.as_ref().is_some_and(|s| s.fate == Fate::Ending && !matches!(s.cause, Cause::Conflict { .. }));
        let older = |g: &Grant| (g.starts_at, g.granted_seq) < (grant.starts_at, grant.granted_seq);
        let mine = self.conflicts.iter().filter(|c| c.groups.contains(&grant.group) && c.keep.as_ref() != Some(&grant.group));
        mine.flat_map(|conflict| held.iter().filter(move |g| conflict.groups.contains(&g.group) && g.group != grant.group).map(move |g| (conflict, *g)))
            .find(|(conflict, other)| !leaves(other) && (conflict.keep.as_ref() == Some(&other.group) || older(other)))
            .map(|(_, other)| other.group.clone())
    }

    /// Which holdings this set reads.
    pub fn holdings_read(&self) -> HoldingsRead {
        let mut found = HoldingsRead::default();
        let rules = || self.groups.values().flat_map(|g| &g.rules);
        for text in rules().filter_map(|r| r.when.as_deref()).chain(self.guardrails.iter().map(|g| g.source.as_str())) {
            let reads = Reads::of(text);
            found.all |= reads.holdings;
            found.groups.extend(reads.held.iter().filter_map(|id| GroupId::parse(id).ok()));
        }
        found.groups.extend(rules().flat_map(|r| &r.who).filter_map(|w| if let Who::Group(g) = w { Some(g.clone()) } else { None }));
        found.groups.extend(self.conflicts.iter().flat_map(|c| c.groups.iter().cloned()));
        found
    }
}
