//! What an edit does to what is held and asked for now.

use std::{collections::{BTreeMap, BTreeSet}, sync::Arc};

use serde::Serialize;

use super::{Inputs, compare::partners, edits};
use crate::{
    domain::{
        decision::{Decision, Effect, Inquiry},
        grant::{Grant, Provenance},
        group::{Group, OnChange, Rule, Stage, Who},
        id::{GroupId, PersonId, RequestId},
        person::Subject,
        request::Request,
    },
    policy::{Engine, standing::{Held, asks_no_more, votes_satisfy}},
};

/// A live grant with what is known of the request behind it.
#[derive(Debug, Clone)]
pub struct HeldGrant {
    /// The grant.
    pub grant: Grant,
    /// The request that gave it or extended it last.
    pub request: Option<Request>,
    /// Who approved that request; none when that is not known here.
    pub approvers: Option<Vec<PersonId>>,
}

/// What would become of a live grant (semantics.md, 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// A guardrail forbids it: it ends at once, without grace.
    EndsAtOnce,
    /// No rule holds any more: it ends after its grace.
    Ends,
    /// No rule holds any more, and the group's `on_change` says to list it only.
    Flagged,
    /// Whether it stands depends on approvals that are not known here.
    DecidedAgain,
}

/// A live grant that would not simply stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrantChange {
    /// Who holds it.
    pub person: PersonId,
    /// Their name.
    pub name: String,
    /// What, as the group is called before the edit.
    pub group: GroupId,
    /// What becomes of it.
    pub fate: Fate,
    /// Why.
    pub reason: String,
}

/// What would become of a request in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestFate {
    /// It would be denied, at the load or at its last vote.
    Denied,
    /// It would have been denied at its last vote, and would not be now.
    NoLongerDenied,
    /// It goes on, but asked for again it would be granted at once.
    InstantIfAskedAgain,
}

/// A request in flight that would come out otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestChange {
    /// The request.
    pub request: RequestId,
    /// Who asks.
    pub person: PersonId,
    /// Their name.
    pub name: String,
    /// For what.
    pub group: GroupId,
    /// What becomes of it.
    pub fate: RequestFate,
    /// Why.
    pub reason: String,
}

/// Whether a grant stands by a set.
enum Standing {
    Stands,
    Forbidden(String),
    /// Nobody may hold it together with this group, which stays.
    GivesWay(GroupId),
    NoRule,
    Unknown,
}

/// People and what they hold, for one set.
struct View<'a> {
    engine: Engine,
    people: &'a BTreeMap<&'a str, Subject<'a>>,
    inputs: &'a Inputs<'a>,
}

impl<'a> View<'a> {
    fn ask<T>(&self, group: &GroupId, subject: Subject<'_>, request: Option<&Request>, grant: Option<&Grant>, then: impl FnOnce(&Inquiry<'_>) -> T) -> Option<T> {
        let duration = grant.filter(|g| g.provenance == Provenance::Birthright).map(|g| g.duration).or(request.map(|r| r.duration)).or(grant.map(|g| g.duration))?;
        let mut holds = self.inputs.holdings.get(&subject.person.id).cloned().unwrap_or_default();
        holds.remove(group);
        let itself = grant.map_or(group, |g| &g.group);
        holds.remove(itself);
        // A held grant is decided with its request's own time; a request in flight, as if its last vote came now.
        let by_right = grant.is_some_and(|g| g.provenance == Provenance::Birthright);
        let request = request.filter(|_| !by_right);
        let now = grant.map_or(self.inputs.at, |g| request.map_or(g.starts_at, |r| r.submitted_at));
        Some(then(&Inquiry { subject, group, duration, has_justification: !by_right && request.is_none_or(|r| r.justified), now, holds: &holds, break_glass: false }))
    }

    /// The same code as the one that decides held grants again once the set is in force.
    fn standing(&self, held: &HeldGrant, group: &Group, all: &[&Grant]) -> Standing {
        let Some(subject) = self.people.get(held.grant.person.as_str()) else { return Standing::NoRule };
        let approvers: Option<BTreeSet<PersonId>> = held.approvers.as_ref().map(|a| a.iter().cloned().collect());
        let copied = held.request.as_ref().and_then(|r| r.rule.as_ref());
        let mut approved = |rule: &Rule| {
            if held.grant.provenance == Provenance::Adopted || copied.is_some_and(|copied| asks_no_more(rule, copied)) {
                return Some(true);
            }
            Some(votes_satisfy(&rule.stages, approvers.as_ref()?, &|stage, approver| self.may_approve(stage, approver, *subject, group)))
        };
        let decided = self.ask(&group.id, *subject, held.request.as_ref(), Some(&held.grant), |inquiry| match if held.grant.provenance == Provenance::Birthright { self.engine.still_a_birthright(inquiry) } else { self.engine.still_holds(inquiry, &mut approved) } {
            Held::Forbidden(finding) => Standing::Forbidden(finding.reason),
            standing => match (self.engine.set().gives_way(&Grant { group: group.id.clone(), ..held.grant.clone() }, all), standing) {
                (Some(other), _) => Standing::GivesWay(other),
                (None, Held::Holds | Held::Forbidden(_)) => Standing::Stands,
                (None, Held::NeedsVotes) => Standing::Unknown,
                (None, Held::NoRule | Held::RuleFailed(_)) => Standing::NoRule,
            },
        });
        decided.unwrap_or(Standing::NoRule)
    }

    fn may_approve(&self, stage: &Stage, approver: &PersonId, subject: Subject<'_>, group: &Group) -> bool {
        let is = |who: &Who| match who {
            Who::Person(id) => id == approver,
            Who::Team(team) => self.people.get(approver.as_str()).is_some_and(|s| s.teams.contains(team)),
            Who::Group(group) => self.inputs.holdings.get(approver).is_some_and(|h| h.contains(group)),
            Who::Manager => subject.person.manager.as_ref() == Some(approver),
            Who::Everyone | Who::Owner => false,
        };
        let owners = if stage.from.contains(&Who::Owner) { group.owner.as_slice() } else { &[] };
        // Escalation lets these vote as well; whether it had come then is not asked again.
        stage.from.iter().chain(&stage.escalate).chain(owners).any(is)
    }
}

/// Groups whose decisions can differ between the sets, by their id before, with their counterpart after.
fn touched<'a>(inputs: &Inputs<'a>) -> BTreeMap<&'a GroupId, Option<&'a Group>> {
    let all = !edits::guardrails(inputs.before, inputs.after).is_empty() || inputs.before.zone != inputs.after.zone;
    let pairs = edits::pairs(inputs.before, inputs.after).into_iter().filter_map(|(_, pair)| Some((pair.before?, pair.after)));
    let differs = |old: &Group, new: Option<&Group>| {
        all || new.is_none_or(|new| old.id != new.id || old.rules != new.rules || old.sensitivity != new.sensitivity || old.tags != new.tags || old.owner != new.owner
            || partners(inputs.before, &old.id) != partners(inputs.after, &new.id))
    };
    pairs.filter(|(old, new)| differs(old, *new)).map(|(old, new)| (&old.id, new)).collect()
}

fn views<'a>(inputs: &'a Inputs<'a>, people: &'a BTreeMap<&'a str, Subject<'a>>, about: &BTreeSet<&PersonId>) -> [View<'a>; 2] {
    [inputs.before, inputs.after].map(|set| {
        let known = about.iter().filter_map(|id| people.get(id.as_str()).copied());
        View { engine: Engine::new(Arc::clone(set), known), people, inputs }
    })
}

fn active<'a>(inputs: &'a Inputs<'_>) -> BTreeMap<&'a str, Subject<'a>> {
    inputs.subjects.iter().filter(|s| s.person.is_active()).map(|s| (s.person.id.as_str(), *s)).collect()
}

/// Live grants that would not simply stand, and how many stand by neither set.
pub(super) fn grants(inputs: &Inputs<'_>) -> (Vec<GrantChange>, usize) {
    let touched = touched(inputs);
    let held: Vec<(&HeldGrant, Option<&Group>)> = inputs.grants.iter().filter_map(|h| Some((h, *touched.get(&h.grant.group)?))).collect();
    let people = active(inputs);
    let [before, after] = views(inputs, &people, &held.iter().map(|(h, _)| &h.grant.person).collect());
    let mut of_person: BTreeMap<&PersonId, Vec<&Grant>> = BTreeMap::new();
    for held in inputs.grants {
        of_person.entry(&held.grant.person).or_default().push(&held.grant);
    }
    let of = |person: &PersonId| of_person.get(person).map_or(&[][..], Vec::as_slice);
    let (mut changes, mut neither) = (Vec::new(), 0);
    for (held, new) in held {
        let Some(old) = inputs.before.groups.get(&held.grant.group) else { continue };
        let standing = match new {
            None => Standing::NoRule,
            Some(new) => after.standing(held, new, of(&held.grant.person)),
        };
        if matches!(standing, Standing::Stands) {
            continue;
        }
        let was = before.standing(held, old, of(&held.grant.person));
        let falls = |s: &Standing| matches!(s, Standing::NoRule | Standing::Forbidden(_) | Standing::GivesWay(_));
        if falls(&was) && falls(&standing) {
            neither += 1;
            continue;
        }
        // Unknown on both sides for the same rules is no change.
        if matches!((&was, &standing, new), (Standing::Unknown, Standing::Unknown, Some(new)) if new.rules == old.rules) {
            continue;
        }
        let flagged = new.unwrap_or(old).on_change == OnChange::Flag;
        let (fate, reason) = match standing {
            Standing::Forbidden(reason) => (Fate::EndsAtOnce, reason),
            Standing::GivesWay(other) => (Fate::Ends, format!("nobody may hold it together with {other}, which stays")),
            Standing::Unknown => (Fate::DecidedAgain, "whether it stands depends on approvals that are not known here".to_owned()),
            _ if new.is_none() => (if flagged { Fate::Flagged } else { Fate::Ends }, "the group is gone".to_owned()),
            _ => (if flagged { Fate::Flagged } else { Fate::Ends }, "no rule gives it any more".to_owned()),
        };
        changes.push(GrantChange { person: held.grant.person.clone(), name: name(&people, &held.grant.person), group: held.grant.group.clone(), fate, reason });
    }
    changes.sort_by(|a, b| (&a.group, a.fate, &a.person).cmp(&(&b.group, b.fate, &b.person)));
    (changes, neither)
}

fn name(people: &BTreeMap<&str, Subject<'_>>, id: &PersonId) -> String {
    people.get(id.as_str()).map_or_else(|| id.to_string(), |s| s.person.name.clone())
}

/// Requests in flight that would come out otherwise.
pub(super) fn requests(inputs: &Inputs<'_>) -> Vec<RequestChange> {
    let touched = touched(inputs);
    let pending: Vec<&Request> = inputs.pending.iter().filter(|r| touched.contains_key(&r.group)).collect();
    let people = active(inputs);
    let [before, after] = views(inputs, &people, &pending.iter().map(|r| &r.person).collect());
    let change = |request: &Request| -> Option<(RequestFate, String)> {
        let subject = *people.get(request.person.as_str())?;
        if !inputs.after.groups.contains_key(&request.group) {
            return Some((RequestFate::Denied, "the group is gone".to_owned()));
        }
        let rule = request.rule.as_ref()?;
        let last_vote = |view: &View<'_>| view.ask(&request.group, subject, Some(request), None, |i| view.engine.decide_approved(i, rule));
        let asked_again = |view: &View<'_>| view.ask(&request.group, subject, Some(request), None, |i| view.engine.decide_plainly(i).effect);
        let (old, new) = (last_vote(&before)?, last_vote(&after)?);
        match (old.effect, new.effect) {
            (Effect::Grant, Effect::Grant) if asked_again(&before)? != Effect::Grant && asked_again(&after)? == Effect::Grant => {
                Some((RequestFate::InstantIfAskedAgain, "a rule gives it at once now".to_owned()))
            }
            (Effect::Grant, Effect::Deny) => Some((RequestFate::Denied, why(&new))),
            (Effect::Deny, Effect::Grant) => Some((RequestFate::NoLongerDenied, why(&old))),
            _ => None,
        }
    };
    let told = pending.into_iter().filter_map(|request| {
        let (fate, reason) = change(request)?;
        Some(RequestChange { request: request.id, person: request.person.clone(), name: name(&people, &request.person), group: request.group.clone(), fate, reason })
    });
    let mut told: Vec<RequestChange> = told.collect();
    told.sort_by(|a, b| (&a.group, &a.person, a.request).cmp(&(&b.group, &b.person, b.request)));
    told
}

fn why(decision: &Decision) -> String {
    let forbidding = decision.guardrails.first().map(|g| g.reason.clone());
    forbidding.or_else(|| decision.reasons.last().map(|r| r.text.clone())).unwrap_or_default()
}
