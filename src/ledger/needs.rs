//! Which rows a command needs: first what it names, then what that leads to.

use std::collections::BTreeSet;

use super::{snapshot::Snapshot, state::State};
use crate::{
    domain::{
        actor::Actor,
        command::{Command, Envelope},
        directory_change::DirectoryChange,
        group::{Group, Stage, Who},
        id::{GroupId, PersonId},
    },
    store::load::{Around, Named},
};

/// Adds what a command names.
pub fn named(envelope: &Envelope, into: &mut Named) {
    if let Actor::Person { token: Some(token), .. } = &envelope.actor {
        into.tokens.insert(*token);
    }
    if let Some(key) = &envelope.idempotency {
        into.answers.insert(key.scope.clone());
    }
    match &envelope.command {
        Command::Approve { request, .. } | Command::Deny { request, .. } | Command::Withdraw { request } | Command::ExpireRequest { request } => {
            into.requests.insert(*request);
        }
        Command::Revoke { grant, .. } | Command::Renew { grant, .. } | Command::ExpireGrant { grant } => {
            into.grants.insert(*grant);
        }
        Command::Reconsider { grant, request } => {
            into.grants.insert(*grant);
            into.requests.extend(*request);
            into.held = true;
        }
        Command::HoldEndings { .. } | Command::ConfirmEndings { .. } | Command::WithdrawEndings { .. } => into.held = true,
        Command::ConfirmLeavers { .. } => into.about_leavers = true,
        Command::ConfirmDelivery { delivery, .. } | Command::ReportDelivery { delivery, .. } => {
            into.deliveries.insert(*delivery);
        }
        Command::RevokeToken { token } => {
            into.tokens.insert(*token);
            into.made_with.insert(*token);
        }
        Command::SignIn { issuer, subject, attempt_sha256, replaces, .. } => {
            if let Some(person) = envelope.actor.person_id() {
                into.identities.insert((issuer.clone(), person.clone(), Some(subject.clone())));
            }
            into.attempts.insert(attempt_sha256.clone());
            into.sessions.extend(*replaces);
        }
        Command::EndSessions { person, .. } => {
            into.sessions_of.insert(person.clone());
        }
        Command::UnlinkIdentity { issuer, person, .. } => {
            into.identities.insert((issuer.clone(), person.clone(), None));
            into.sessions_of.insert(person.clone());
        }
        _ => {}
    }
}

fn groups_in<'a>(words: impl IntoIterator<Item = &'a Who>, into: &mut BTreeSet<GroupId>) {
    into.extend(words.into_iter().filter_map(|who| match who {
        Who::Group(group) => Some(group.clone()),
        _ => None,
    }));
}

/// Groups whose holders may approve: those of the stages, and those that own.
fn approver_groups<'a>(stages: impl IntoIterator<Item = &'a Stage>, group: Option<&Group>, into: &mut BTreeSet<GroupId>) {
    for stage in stages {
        groups_in(stage.from.iter().chain(&stage.escalate), into);
    }
    groups_in(group.map(|g| g.owner.as_slice()).unwrap_or_default(), into);
}

/// Adds what stands around a filing of a person for a group.
pub fn around_filing(snapshot: &Snapshot, person: &PersonId, group: &GroupId, into: &mut Around) {
    into.people.insert(person.clone());
    let group = snapshot.policy.set().group(group.as_str());
    approver_groups(group.iter().flat_map(|g| &g.rules).flat_map(|r| &r.stages), group, &mut into.groups);
}

/// Adds what a command leads to, now that what it names is loaded.
pub fn around(envelope: &Envelope, snapshot: &Snapshot, state: &State, into: &mut Around) {
    let mut actor = || into.people.extend(envelope.actor.person_id().cloned());
    match &envelope.command {
        Command::Submit { person, group, .. } => {
            if envelope.actor.person_id() != Some(person) {
                actor();
            }
            around_filing(snapshot, person, group, into);
        }
        Command::Approve { request, .. } | Command::Deny { request, .. } => {
            actor();
            if let Some(request) = state.request(*request) {
                around_filing(snapshot, &request.person, &request.group, into);
                let group = snapshot.policy.set().group(request.group.as_str());
                approver_groups(request.rule.iter().flat_map(|r| &r.stages), group, &mut into.groups);
            }
        }
        Command::Reconsider { grant, .. } => {
            if let Some(grant) = state.grant(*grant) {
                around_filing(snapshot, &grant.person, &grant.group, into);
            }
        }
        Command::Birthright { person, group } => around_filing(snapshot, person, group, into),
        Command::Renew { grant, .. } => {
            actor();
            if let Some(grant) = state.grant(*grant) {
                around_filing(snapshot, &grant.person, &grant.group, into);
            }
        }
        Command::Revoke { grant, .. } | Command::ExpireGrant { grant } => {
            actor();
            into.people.extend(state.grant(*grant).map(|g| g.person.clone()));
        }
        Command::LiftBlock { person, .. } | Command::Adopt { person, .. } => {
            actor();
            into.people.insert(person.clone());
        }
        Command::LoadPolicy { .. } => {
            let Some(next) = &snapshot.next else { return };
            // Grants of a group that has another id now go on under it.
            into.groups.extend(next.groups().values().flat_map(|g| &g.formerly).filter(|old| next.group(old.as_str()).is_none()).cloned());
            for (id, old) in snapshot.policy.set().groups() {
                match next.group(id.as_str()) {
                    None => {
                        into.pending_of.insert(id.clone());
                    }
                    Some(new) if new.entitlements != old.entitlements => {
                        into.groups.insert(id.clone());
                    }
                    Some(_) => {}
                }
            }
        }
        Command::ConfirmRemovals { connector, .. } => {
            actor();
            into.waiting_at.insert(connector.clone());
        }
        Command::ChangeDirectory { changes, .. } => {
            actor();
            let left = |id: &PersonId| snapshot.directory.person(id.as_str()).is_some_and(|p| !p.is_active());
            into.leavers.extend(changes.iter().filter_map(|change| match change {
                DirectoryChange::PersonLeft { id } => Some(id.clone()),
                DirectoryChange::PersonAdded { person } if left(&person.id) => Some(person.id.clone()),
                _ => None,
            }));
            into.people.extend(into.leavers.iter().cloned());
        }
        Command::CreateToken { .. } | Command::RevokeToken { .. } | Command::Freeze { .. } | Command::ConfirmEndings { .. } | Command::ConfirmLeavers { .. } | Command::EndSessions { .. } | Command::UnlinkIdentity { .. } => actor(),
        _ => {}
    }
}

/// Whether a command may end what an adopted grant brings, so that it must be known where such removals need not wait. What
/// is not listed here may.
pub fn may_remove(command: &Command) -> bool {
    !matches!(
        command,
        Command::Submit { .. }
            | Command::Renew { .. }
            | Command::Approve { .. }
            | Command::Deny { .. }
            | Command::Withdraw { .. }
            | Command::ExpireRequest { .. }
            | Command::ConfirmDelivery { .. }
            | Command::ReportDelivery { .. }
            | Command::RecordRefusals { .. }
            | Command::CreateToken { .. }
            | Command::RevokeToken { .. }
            | Command::SourceSeen { .. }
            | Command::HoldLeavers { .. }
            | Command::ConfirmLeavers { .. }
            | Command::SignIn { .. }
            | Command::RefuseSignIn { .. }
            | Command::EndSessions { .. }
            | Command::UnlinkIdentity { .. }
            | Command::Adopt { .. }
            | Command::Birthright { .. }
    )
}

/// Whether a command changes what later commands are decided on beside rows, so that it is a batch of its own.
pub fn stands_alone(command: &Command) -> bool {
    matches!(command, Command::ChangeDirectory { .. } | Command::SourceSeen { .. } | Command::LoadPolicy { .. } | Command::ConfirmRemovals { .. } | Command::ConfirmLeavers { .. })
}
