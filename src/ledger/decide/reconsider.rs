//! A live grant decided again on what is in force now (semantics.md, 5, 11 and 12): with the duration, justification and
//! instant of its request, and with the person, the group and the other holdings of today.
//!
//! [`wanted`] is pure and shared: the job asks it for every live grant, off the ledger's thread, and the ledger asks it again
//! under the head lock before anything changes.

use std::collections::BTreeSet;

use super::{Decided, Recorder, World, birthright, ending, inputs::{Inputs, LedgerFacts}, is_in, removals};
use crate::{
    domain::{
        actor::Actor,
        command::Answer,
        decision::Inquiry,
        duration::Duration,
        event::{Change, Personal},
        grant::{Grant, GrantStatus, Provenance},
        group::{OnChange, Rule, Stage, Who},
        id::{GrantId, GroupId, IdSource, PersonId, RequestId},
        person::Subject,
        refusal::Refusal,
        standing::{Asked, Cause, Departure, Fate, Standing},
    },
    ledger::Snapshot,
    policy::standing::{Held, asks_no_more, votes_satisfy},
};

/// What should become of a live grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// It stands.
    Stands,
    /// It ends after this grace.
    Ends(Cause, Duration),
    /// It is listed for its owner.
    Flagged(Cause),
    /// It ends now.
    EndsAtOnce(Cause),
    /// It depends on the votes, which were not given.
    NeedsVotes,
}

impl Wanted {
    /// Whether a grant stands otherwise than this says.
    pub fn differs(&self, grant: &Grant) -> bool {
        let now = grant.standing.as_ref().map(|s| (s.fate, &s.cause));
        match self {
            Self::Stands => now.is_some(),
            Self::Ends(cause, _) => now != Some((Fate::Ending, cause)),
            Self::Flagged(cause) => now != Some((Fate::Flagged, cause)),
            Self::EndsAtOnce(_) => true,
            Self::NeedsVotes => false,
        }
    }

    /// Whether by this a grant begins to end that does not end yet: what is counted when one change would end many.
    pub fn newly_ends(&self, grant: &Grant) -> bool {
        matches!(self, Self::Ends(..)) && grant.standing.as_ref().is_none_or(|s| s.fate != Fate::Ending)
    }
}

/// What a grant is decided again with.
#[derive(Clone, Copy)]
pub struct Reconsidered<'a> {
    /// It.
    pub grant: &'a Grant,
    /// The request behind it; none for an adopted one.
    pub asked: Option<&'a Asked>,
    /// Who approved that request; none when that was not looked up.
    pub votes: Option<&'a BTreeSet<PersonId>>,
    /// Every live grant of the person.
    pub held: &'a [&'a Grant],
    /// The groups of an approver, for approvers that are "whoever holds that group".
    pub holdings: &'a dyn Fn(&PersonId) -> BTreeSet<GroupId>,
}

/// What should become of a live grant by a snapshot. Pure.
pub fn wanted(snapshot: &Snapshot, it: Reconsidered<'_>) -> Wanted {
    let grant = it.grant;
    let Some(subject) = snapshot.directory.subject(grant.person.as_str()).filter(|s| s.person.is_active()) else {
        return Wanted::EndsAtOnce(Cause::PersonLeft);
    };
    let set = snapshot.policy.set();
    // A recreated id is another life of the group and inherits nothing (semantics.md, 12).
    let group = set.group(grant.group.as_str()).filter(|_| snapshot.incarnation(&grant.group) == grant.incarnation);
    let Some(group) = group else {
        let last = snapshot.lives.get(&grant.group).map_or_else(Departure::default, |life| life.departure);
        return not_standing(Cause::GroupGone, last);
    };
    let last = Departure { on_change: group.on_change, grace: group.grace };
    let holds: BTreeSet<GroupId> = it.held.iter().filter(|g| g.id != grant.id).map(|g| g.group.clone()).collect();
    let by_right = grant.provenance == Provenance::Birthright;
    let inquiry = Inquiry {
        subject,
        group: &grant.group,
        duration: grant.duration,
        // A birthright was not asked for: it is decided again as it began.
        has_justification: !by_right && it.asked.is_none_or(|a| a.justified),
        now: it.asked.filter(|_| !by_right).map_or(grant.starts_at, |a| a.at),
        holds: &holds,
        break_glass: false,
    };
    let mut approved = |rule: &Rule| {
        if grant.provenance == Provenance::Adopted || it.asked.and_then(|a| a.rule.as_ref()).is_some_and(|copied| asks_no_more(rule, copied)) {
            return Some(true);
        }
        let votes = it.votes?;
        Some(votes_satisfy(&rule.stages, votes, &|stage, person| may_approve(snapshot, stage, person, subject, &group.owner, it.holdings)))
    };
    let held = if by_right { snapshot.policy.still_a_birthright(&inquiry) } else { snapshot.policy.still_holds(&inquiry, &mut approved) };
    if let Held::Forbidden(finding) = held {
        return Wanted::EndsAtOnce(Cause::Guardrail { id: finding.id, failed: finding.failed });
    }
    if let Some(with) = set.gives_way(grant, it.held) {
        return Wanted::Ends(Cause::Conflict { with }, last.grace);
    }
    match held {
        Held::Holds | Held::Forbidden(_) => Wanted::Stands,
        Held::NoRule => not_standing(Cause::NoRule { rule: grant.rule.clone() }, last),
        Held::RuleFailed(rule) => not_standing(Cause::RuleFailed { rule }, last),
        Held::NeedsVotes => Wanted::NeedsVotes,
    }
}

fn not_standing(cause: Cause, last: Departure) -> Wanted {
    match last.on_change {
        OnChange::Revoke => Wanted::Ends(cause, last.grace),
        OnChange::Flag => Wanted::Flagged(cause),
    }
}

/// Whether somebody who approved may approve at a stage today.
fn may_approve(
    snapshot: &Snapshot,
    stage: &Stage,
    approver: &PersonId,
    subject: Subject<'_>,
    owner: &[Who],
    holdings: &dyn Fn(&PersonId) -> BTreeSet<GroupId>,
) -> bool {
    let owners: &[Who] = if stage.from.iter().chain(&stage.escalate).any(|w| *w == Who::Owner) { owner } else { &[] };
    let words = || stage.from.iter().chain(&stage.escalate).chain(owners);
    let holds = if words().any(|w| matches!(w, Who::Group(_))) { holdings(approver) } else { BTreeSet::new() };
    words().any(|who| match who {
        Who::Manager => subject.person.manager.as_ref() == Some(approver) && snapshot.directory.person(approver.as_str()).is_some_and(|p| p.is_active()),
        Who::Everyone | Who::Owner => false,
        who => is_in(who, approver, &snapshot.directory, &holds),
    })
}

/// A cause as a sentence without its end, for people.
pub fn told(cause: &Cause, snapshot: &Snapshot) -> String {
    let set = snapshot.policy.set();
    let title = |group: &GroupId| set.group(group.as_str()).map_or_else(|| group.to_string(), |g| g.title.clone());
    match cause {
        Cause::NoRule { rule } => format!("the rule \"{rule}\" that gave it no longer does, and no other rule does"),
        Cause::RuleFailed { rule } => format!("the rule \"{rule}\" could not be evaluated"),
        Cause::Guardrail { id, failed: true } => format!("the guardrail {id} could not be evaluated, so it forbids it"),
        Cause::Guardrail { id, failed: false } => {
            let reason = set.guardrails().iter().find(|g| g.id == *id).map(|g| g.reason.trim_end_matches('.'));
            reason.map_or_else(|| format!("the guardrail {id} forbids it"), |reason| format!("the guardrail {id} forbids it: {reason}"))
        }
        Cause::Conflict { with } => {
            let pair = |c: &&crate::domain::group::Conflict| c.groups.contains(with);
            let reason = set.conflicts().iter().find(pair).map(|c| c.reason.trim_end_matches('.').to_owned());
            let both = format!("nobody may hold it together with {}", title(with));
            reason.map_or(both.clone(), |reason| format!("{both}: {reason}"))
        }
        Cause::GroupGone => "the group is gone from the policy".to_owned(),
        Cause::PersonLeft => "the person has left".to_owned(),
        Cause::FilerLeft => "who filed it has left".to_owned(),
        Cause::VoterLeft => "who gave it has left".to_owned(),
        Cause::Birthright { rule } => format!("the rule \"{rule}\" gives it without asking now"),
    }
}

/// Decides under the head lock, and records what changes. Nothing changes for a grant that stands as before, that another
/// request extended meanwhile, or whose ending waits for a person.
pub(super) fn carry_out(
    world: &World<'_>,
    actor: &Actor,
    id: GrantId,
    request: Option<RequestId>,
    mut recorder: Recorder<'_>,
    ids: &mut dyn IdSource,
) -> Result<Decided, Refusal> {
    if !matches!(actor, Actor::System { .. }) {
        return Err(Refusal::NotAllowed { reason: "grants are decided again by Bandpass itself".to_owned() });
    }
    let grant = world.state.grant(id).ok_or_else(|| Refusal::NotFound { noun: "grant".to_owned() })?;
    if grant.status != GrantStatus::Active || grant.ends_at <= world.now || grant.request != request {
        return Ok(recorder.done());
    }
    let asked = match request {
        Some(request) => Some(Asked::from(world.state.request(request).ok_or_else(|| Refusal::NotFound { noun: "request".to_owned() })?)),
        None => None,
    };
    let votes: BTreeSet<PersonId> = request.map(|r| world.state.approvals(r).iter().map(|v| v.person.clone()).collect()).unwrap_or_default();
    let held: Vec<&Grant> = world.state.live_grants(&grant.person).collect();
    let holders = |person: &PersonId| approver_groups(world, &grant.group).into_iter().filter(|g| world.state.holders(g).any(|h| h.person == *person)).collect();
    let wanted = wanted(world.snapshot, Reconsidered { grant, asked: asked.as_ref(), votes: Some(&votes), held: &held, holdings: &holders });
    let waits = world.state.held.as_ref().is_some_and(|h| h.of.counts.contains_key(&grant.group));
    if !wanted.differs(grant) || (waits && wanted.newly_ends(grant)) {
        return Ok(recorder.done());
    }
    let decided_revision = world.snapshot.policy.set().revision().clone();
    let personal = |told: String| Personal { reason: Some(told), facts: facts(world, grant), ..Personal::default() };
    let seq = recorder.seq();
    let full_end = grant.standing.as_ref().map_or(grant.ends_at, |s| s.full_end);
    let standing = |fate, cause: &Cause| Some(Standing { fate, cause: cause.clone(), since: world.now, seq, full_end });
    let changed = match wanted {
        Wanted::EndsAtOnce(cause) => {
            let revoked = ending::ended(grant, GrantStatus::Revoked, world, &recorder);
            let deliveries = removals(world, grant, seq, ids);
            let text = personal(told(&cause, world.snapshot));
            recorder.record(Change::GrantRevoked { grant: revoked.clone(), block: false, deliveries, cause: Some(cause) }, text);
            revoked
        }
        Wanted::Ends(cause, grace) => {
            // An ending that goes on for another reason keeps its time: its grace was given.
            let ends_at = match &grant.standing {
                Some(s) if s.fate == Fate::Ending => grant.ends_at,
                _ => full_end.min(world.now.plus(grace)),
            };
            let text = personal(told(&cause, world.snapshot));
            let ending = Grant { ends_at, standing: standing(Fate::Ending, &cause), ..grant.clone() };
            recorder.record(Change::GrantEnding { grant: ending.clone(), decided_revision }, text);
            ending
        }
        Wanted::Flagged(cause) => {
            let text = personal(told(&cause, world.snapshot));
            let flagged = Grant { ends_at: full_end, standing: standing(Fate::Flagged, &cause), ..grant.clone() };
            recorder.record(Change::GrantFlagged { grant: flagged.clone(), decided_revision }, text);
            flagged
        }
        Wanted::Stands => {
            if grant.provenance == Provenance::Birthright {
                birthright::withdraw_what_waits(world, &grant.person, &grant.group, &grant.rule, &mut recorder);
            }
            let kept = Grant { ends_at: full_end, standing: None, ..grant.clone() };
            recorder.record(Change::GrantKept { grant: kept.clone(), decided_revision }, personal("it stands again by today's policy, people and holdings".to_owned()));
            kept
        }
        // The votes were given.
        Wanted::NeedsVotes => return Ok(recorder.done()),
    };
    Ok(recorder.answer(Answer::Grant { grant: changed }))
}

/// Groups whose holders may approve for a group.
fn approver_groups(world: &World<'_>, group: &GroupId) -> BTreeSet<GroupId> {
    let group = world.snapshot.policy.set().group(group.as_str());
    let stages = group.iter().flat_map(|g| &g.rules).flat_map(|r| &r.stages).flat_map(|s| s.from.iter().chain(&s.escalate));
    let words = stages.chain(group.iter().flat_map(|g| &g.owner));
    words.filter_map(|w| if let Who::Group(g) = w { Some(g.clone()) } else { None }).collect()
}

/// What it was decided with, beside the event.
fn facts(world: &World<'_>, grant: &Grant) -> Option<serde_json::Value> {
    let subject = world.snapshot.directory.subject(grant.person.as_str());
    let inputs = Inputs {
        person: subject.map(|s| s.person.clone()),
        teams: subject.map(|s| s.teams.clone()).unwrap_or_default(),
        holds: world.state.holds(&grant.person, &grant.group),
        ledger: LedgerFacts::default(),
    };
    serde_json::to_value(&inputs).ok()
}
