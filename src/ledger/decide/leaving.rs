//! What ends when somebody leaves, in the transaction of `person.left` itself: grants with their removals, pending requests,
//! votes on requests that are pending still, tokens, sessions.
//!
//! All of it is decided on the rows as the batch found them. A person who comes back meets none of it: see [`Leavers::clean`].

use std::collections::{BTreeMap, BTreeSet};

use super::{Intents, Recorder, World, ending, submit};
use crate::domain::{
    delivery::{Delivery, DeliveryAction, DeliveryState},
    directory_change::DirectoryChange,
    event::{Change, Personal},
    grant::{Grant, GrantStatus},
    group::Entitlement,
    id::{DeliveryId, GroupId, IdSource, PersonId, RequestId, SessionId, TokenId},
    request::{Approval, Request},
    session::SessionEnd,
    standing::Cause,
    time::Time,
};

/// Everybody whom one command lets leave or come back, with what is theirs, by person.
#[derive(Default)]
pub(super) struct Leavers<'a> {
    grants: BTreeMap<&'a PersonId, Vec<&'a Grant>>,
    requests: BTreeMap<&'a PersonId, Vec<(&'a Request, Cause)>>,
    tokens: BTreeMap<&'a PersonId, Vec<TokenId>>,
    sessions: BTreeMap<&'a PersonId, Vec<SessionId>>,
    held: BTreeMap<&'a PersonId, Vec<DeliveryId>>,
    blocks: BTreeMap<&'a PersonId, BTreeSet<GroupId>>,
    /// Votes by any of them on requests that go on, by request.
    votes: BTreeMap<RequestId, Vec<&'a Approval>>,
}

/// Whom changes let leave, and who comes back by them.
fn whom<'a>(world: &World<'_>, changes: &'a [DirectoryChange]) -> BTreeSet<&'a PersonId> {
    let known_as_left = |id: &PersonId| world.snapshot.directory.person(id.as_str()).is_some_and(|p| !p.is_active());
    changes
        .iter()
        .filter_map(|change| match change {
            DirectoryChange::PersonLeft { id } => Some(id),
            DirectoryChange::PersonAdded { person } if known_as_left(&person.id) => Some(&person.id),
            _ => None,
        })
        .collect()
}

fn told(text: &str) -> Personal {
    Personal { reason: Some(text.to_owned()), ..Personal::default() }
}

impl<'a> Leavers<'a> {
    /// Looks everything up once, however many leave.
    pub fn of(world: &'a World<'_>, changes: &'a [DirectoryChange]) -> Self {
        let people = whom(world, changes);
        if people.is_empty() {
            return Self::default();
        }
        let mut found = Self::default();
        let mut gone = BTreeSet::new();
        for request in world.state.all_pending() {
            // Whoever filed it for somebody else answers for it, and is not here to: the person may ask for themselves.
            let by = if let Some(person) = people.get(&request.person) { Some((*person, Cause::PersonLeft)) } else { people.get(&request.filed_by).map(|p| (*p, Cause::FilerLeft)) };
            if let Some((person, cause)) = by {
                gone.insert(request.id);
                found.requests.entry(person).or_default().push((request, cause));
            }
        }
        for request in world.state.all_pending().into_iter().filter(|r| !gone.contains(&r.id)) {
            let votes: Vec<&Approval> = world.state.approvals(request.id).iter().filter(|v| people.contains(&v.person)).collect();
            if !votes.is_empty() {
                found.votes.insert(request.id, votes);
            }
        }
        for token in world.state.tokens().filter(|t| t.revoked_at.is_none() && t.expires_at > world.now) {
            if let Some(person) = people.get(&token.person) {
                found.tokens.entry(person).or_default().push(token.id);
            }
        }
        for delivery in world.state.deliveries().filter(|d| d.state == DeliveryState::Held) {
            if let Some(person) = people.get(&delivery.person) {
                found.held.entry(person).or_default().push(delivery.id);
            }
        }
        for person in people {
            let mut grants: Vec<&Grant> = world.state.live_grants(person).collect();
            grants.sort_by_key(|g| g.granted_seq);
            found.sessions.insert(person, world.state.live_sessions(person).map(|s| s.id).collect());
            found.grants.insert(person, grants);
            found.blocks.insert(person, world.state.blocked(person));
        }
        found.tokens.values_mut().for_each(|t| t.sort_unstable());
        found.held.values_mut().for_each(|d| d.sort_unstable());
        found
    }

    /// Removals that waited for an admin's confirmation: they go with the event that the person left.
    pub fn released(&mut self, person: &PersonId) -> Vec<DeliveryId> {
        self.held.remove(person).unwrap_or_default()
    }

    /// Ends what the person holds, asked for and may do. A second call finds nothing left.
    pub fn end(&mut self, world: &World<'_>, person: &PersonId, recorder: &mut Recorder<'_>, ids: &mut dyn IdSource) {
        for (request, cause) in self.requests.remove(person).unwrap_or_default() {
            let text = if cause == Cause::PersonLeft { "the person has left" } else { "who filed it has left; the person may ask for it" };
            let change = Change::RequestWithdrawn { request: request.id, person: request.person.clone(), group: request.group.clone(), cause: Some(cause) };
            recorder.record(change, told(text));
        }
        let mut removed: BTreeSet<&Entitlement> = BTreeSet::new();
        for grant in self.grants.remove(person).unwrap_or_default() {
            let revoked = ending::ended(grant, GrantStatus::Revoked, world, recorder);
            // All of them end, so what several bring is removed once.
            let gone: Vec<Entitlement> = grant.entitlements.iter().filter(|e| removed.insert(e)).cloned().collect();
            let deliveries = removals(world, grant, &gone, recorder.seq(), ids);
            recorder.record(Change::GrantRevoked { grant: revoked, block: false, deliveries, cause: Some(Cause::PersonLeft) }, told("the person has left"));
        }
        for token in self.tokens.remove(person).unwrap_or_default() {
            recorder.record(Change::TokenRevoked { token, person: person.clone(), cause: Some(Cause::PersonLeft) }, told("its owner has left"));
        }
        for session in self.sessions.remove(person).unwrap_or_default() {
            recorder.record(Change::SessionEnded { session, person: person.clone(), cause: SessionEnd::Left }, Personal::default());
        }
    }

    /// What a person who comes back must not meet: whatever an earlier version of Bandpass left alive ends, and blocks of
    /// their earlier time are lifted, each with an event. A new colleague of that id begins like any other.
    pub fn clean(&mut self, world: &World<'_>, person: &PersonId, recorder: &mut Recorder<'_>, ids: &mut dyn IdSource) {
        self.end(world, person, recorder, ids);
        for group in self.blocks.remove(person).unwrap_or_default() {
            recorder.record(Change::BlockLifted { person: person.clone(), group }, told("the person has come back, and begins anew"));
        }
    }

    /// Takes their votes out of requests that go on. Where a stage that was passed lacks a vote by it, it is asked again.
    pub fn void_votes(&self, world: &World<'_>, recorder: &mut Recorder<'_>) {
        for (id, votes) in &self.votes {
            let Some(request) = world.state.request(*id) else { continue };
            let again = asked_again(world, request, votes);
            for (index, vote) in votes.iter().enumerate() {
                let last = index + 1 == votes.len();
                let change = Change::ApprovalVoided {
                    approval: Approval::clone(vote),
                    person: request.person.clone(),
                    group: request.group.clone(),
                    asked_again: again.filter(|_| last),
                    cause: Cause::VoterLeft,
                };
                recorder.record(change, told("who gave it has left, so it does not count"));
            }
        }
    }
}

/// The first stage that was passed and has too few votes without those.
fn asked_again(world: &World<'_>, request: &Request, without: &[&Approval]) -> Option<(u32, Time)> {
    let stages = request.rule.as_ref().map_or(&[][..], |r| r.stages.as_slice());
    let still = |stage: u32| world.state.approvals(request.id).iter().filter(|v| v.stage == stage && !without.iter().any(|w| w.seq == v.seq)).count();
    let short = (0_u32..).zip(stages).take_while(|(index, _)| *index < request.stage).find(|(index, stage)| still(*index) < usize::try_from(stage.need).unwrap_or(usize::MAX));
    short.map(|(index, stage)| (index, submit::deadline(stage, world.now)))
}

fn removals(world: &World<'_>, grant: &Grant, gone: &[Entitlement], seq: i64, ids: &mut dyn IdSource) -> Vec<Delivery> {
    Intents { world, grant: grant.id, person: &grant.person, request: grant.request, seq, urgent: true }.queue(DeliveryAction::Remove, gone, ids)
}
