//! What an event does to the tables. Pure; the ledger, replicas and the rebuilding audit all use it.

use crate::{
    domain::{
        delivery::{Delivery, DeliveryState},
        event::{Change, Event},
        grant::{Grant, GrantStatus},
        id::PersonId,
        person::PersonStatus,
        record::TeamRecord,
        request::{Request, RequestStatus},
        standing::{Audience, HeldEndings, HeldState, Notice},
    },
    store::change::{Block, BlockCause, RowChange},
};

/// The row changes of one event, in the order in which they are applied.
pub fn project(event: &Event) -> Vec<RowChange> {
    let (seq, at) = (event.seq, event.at);
    match &event.change {
        Change::RequestSubmitted { request } => vec![RowChange::RequestFiled(request.clone())],
        Change::RequestGranted { request, grant, deliveries, .. } => {
            let mut changes = vec![decided(request, seq)];
            if let Some(grant) = grant {
                changes.push(RowChange::GrantStarted(grant.clone()));
            }
            changes.extend(queued(deliveries));
            changes
        }
        Change::RequestDenied { request, cooldown_until, .. } => {
            let mut changes = vec![decided(request, seq)];
            if let Some(until) = cooldown_until {
                changes.push(RowChange::BlockPut(Block {
                    person: request.person.clone(),
                    group: request.group.clone(),
                    cause: BlockCause::Denied,
                    duration: Some(request.duration),
                    until: Some(*until),
                    seq,
                }));
            }
            changes
        }
        Change::RequestWithdrawn { request, .. } => {
            vec![RowChange::RequestDecided { id: *request, status: RequestStatus::Withdrawn, at, seq }]
        }
        Change::RequestExpired { request, .. } => {
            vec![RowChange::RequestDecided { id: *request, status: RequestStatus::Expired, at, seq }]
        }
        Change::ApprovalGiven { approval, next_stage, .. } => {
            let mut changes = vec![RowChange::ApprovalGiven(approval.clone())];
            if let Some((stage, deadline)) = next_stage {
                changes.push(RowChange::RequestStage { id: approval.request, stage: *stage, since: at, deadline: *deadline });
            }
            changes
        }
        Change::ApprovalVoided { approval, asked_again, .. } => {
            let mut changes = vec![RowChange::ApprovalVoided { seq: approval.seq }];
            if let Some((stage, deadline)) = asked_again {
                changes.push(RowChange::RequestStage { id: approval.request, stage: *stage, since: at, deadline: *deadline });
            }
            changes
        }
        Change::GrantExtended { grant, .. } => vec![RowChange::GrantExtended(grant.clone())],
        Change::GrantRevoked { grant, block, deliveries, cause } => {
            let mut changes = vec![RowChange::GrantEnded { id: grant.id, status: GrantStatus::Revoked, at, seq }];
            if *block {
                changes.push(RowChange::BlockPut(Block {
                    person: grant.person.clone(),
                    group: grant.group.clone(),
                    cause: BlockCause::Revoked,
                    duration: None,
                    until: None,
                    seq,
                }));
            }
            changes.extend(queued(deliveries));
            if cause.is_some() {
                changes.extend(notices(event, grant));
            }
            changes
        }
        Change::GrantEnding { grant, .. } | Change::GrantFlagged { grant, .. } | Change::GrantKept { grant, .. } => {
            let stands = RowChange::GrantStands { id: grant.id, ends_at: grant.ends_at, standing: grant.standing.clone() };
            std::iter::once(stands).chain(notices(event, grant)).collect()
        }
        Change::GrantMoved { grant, deliveries, .. } => {
            let mut changes = vec![RowChange::GrantMoved {
                id: grant.id,
                group: grant.group.clone(),
                incarnation: grant.incarnation,
                entitlements: grant.entitlements.clone(),
            }];
            changes.extend(queued(deliveries));
            changes
        }
        Change::EndingsHeld { of } => {
            vec![RowChange::EndingsHeld(HeldEndings { seq, at, of: of.clone(), state: HeldState::Waiting, confirmed_for: None })]
        }
        Change::EndingsConfirmed { held, policy_revision, directory_revision } => vec![RowChange::EndingsClosed {
            held: *held,
            state: HeldState::Confirmed,
            seq,
            confirmed_for: Some((policy_revision.clone(), *directory_revision)),
        }],
        Change::EndingsWithdrawn { held } => {
            vec![RowChange::EndingsClosed { held: *held, state: HeldState::Withdrawn, seq, confirmed_for: None }]
        }
        Change::GrantExpired { grant, deliveries } => {
            let mut changes = vec![RowChange::GrantEnded { id: grant.id, status: GrantStatus::Expired, at, seq }];
            changes.extend(queued(deliveries));
            changes
        }
        Change::GrantBirthright { grant, deliveries, .. } => {
            let put = if grant.granted_seq == seq { RowChange::GrantStarted(grant.clone()) } else { RowChange::GrantExtended(grant.clone()) };
            std::iter::once(put).chain(queued(deliveries)).collect()
        }
        Change::GrantAdopted { grant } => vec![RowChange::GrantStarted(grant.clone())],
        Change::BlockLifted { person, group } => vec![RowChange::BlocksLifted { person: person.clone(), group: group.clone() }],
        Change::DeliveryQueued { grant, entitlements, deliveries, .. } => {
            let mut changes = vec![RowChange::GrantCarries { id: *grant, entitlements: entitlements.clone() }];
            changes.extend(queued(deliveries));
            changes
        }
        Change::DeliveryDone { delivery, note, .. } => {
            vec![RowChange::DeliveryReported { id: *delivery, state: DeliveryState::Done, done_at: Some(at), note: note.clone() }]
        }
        Change::DeliveryFailing { delivery, error, .. } => {
            vec![RowChange::DeliveryReported { id: *delivery, state: DeliveryState::Failing, done_at: None, note: Some(error.clone()) }]
        }
        Change::RemovalsConfirmed { connector, .. } => vec![RowChange::RemovalsConfirmed { connector: connector.clone(), seq }],
        Change::PersonAdded { person, .. } | Change::PersonChanged { person, .. } => person_put(event, person, PersonStatus::Active),
        Change::PersonLeft { person, released, .. } => {
            let mut changes = person_put(event, person, PersonStatus::Left);
            changes.extend(released.iter().copied().map(RowChange::DeliveryReleased));
            changes
        }
        Change::PersonRecorded { .. } => person_records(event).chain([RowChange::DirectoryRevision(seq)]).collect(),
        Change::TeamChanged { team, records, .. } => {
            let put = RowChange::TeamPut { team: team.clone(), seq };
            std::iter::once(put).chain(team_records(event, records)).chain([RowChange::DirectoryRevision(seq)]).collect()
        }
        Change::TeamRecorded { team, records, forgotten, .. } => {
            let gone = forgotten.iter().map(|source| RowChange::TeamRecordGone { source: source.clone(), team: team.clone() });
            gone.chain(team_records(event, records)).chain([RowChange::DirectoryRevision(seq)]).collect()
        }
        Change::TeamRemoved { team, .. } => vec![RowChange::TeamGone(team.clone()), RowChange::DirectoryRevision(seq)],
        Change::PolicyLoaded { revision, source, groups_added, groups_removed, departures, .. } => {
            let gone = |g: &crate::domain::id::GroupId| RowChange::GroupGone { group: g.clone(), departure: departures.get(g).copied() };
            let mut changes: Vec<RowChange> = groups_removed.iter().map(gone).collect();
            changes.extend(groups_added.iter().map(|g| RowChange::GroupBorn { group: g.clone(), incarnation: seq }));
            changes.push(RowChange::PolicyInForce { revision: revision.clone(), since: at, source: source.clone() });
            changes
        }
        Change::TokenCreated { token } => vec![RowChange::TokenMade(token.clone())],
        Change::TokenRevoked { token, .. } => vec![RowChange::TokenRevoked { id: *token, at }],
        Change::IdentityLinked { identity } => vec![RowChange::IdentityLinked { identity: identity.clone(), seq }],
        Change::IdentityUnlinked { issuer, subject, .. } => {
            vec![RowChange::IdentityUnlinked { issuer: issuer.clone(), subject: subject.clone() }]
        }
        Change::SessionStarted { session } => {
            vec![RowChange::SessionStarted { session: session.clone(), agent: event.personal.agent.clone() }]
        }
        Change::SessionEnded { session, cause, .. } => vec![RowChange::SessionEnded { id: *session, at, cause: *cause }],
        Change::FreezeSet { on } => vec![RowChange::Frozen(*on)],
        Change::SourceSeen { source } => vec![RowChange::SourceSeen { source: source.clone(), at, seq }, RowChange::DirectoryRevision(seq)],
        Change::PolicyLoadFailed { .. } | Change::SigninRefused { .. } | Change::Refused { .. } | Change::LeaversHeld { .. } | Change::LeaversConfirmed { .. } => Vec::new(),
    }
}

/// A request decided by the event that files it is inserted as decided; one filed before leaves `pending`.
fn decided(request: &Request, seq: i64) -> RowChange {
    if request.filed_seq == seq {
        RowChange::RequestFiled(request.clone())
    } else {
        RowChange::RequestDecided {
            id: request.id,
            status: request.status,
            at: request.decided_at.unwrap_or(request.submitted_at),
            seq,
        }
    }
}

/// The person as they are now, and what sources say of them.
fn person_put(event: &Event, id: &PersonId, status: PersonStatus) -> Vec<RowChange> {
    let put = RowChange::PersonPut { id: id.clone(), status, person: event.personal.person.clone(), seq: event.seq };
    std::iter::once(put).chain(person_records(event)).chain([RowChange::DirectoryRevision(event.seq)]).collect()
}

/// What sources say, with the event's time where they leave it open.
fn person_records(event: &Event) -> impl Iterator<Item = RowChange> + '_ {
    event.personal.records.iter().map(|record| {
        let mut record = Box::new(record.clone());
        record.dates.settle(event.at);
        RowChange::PersonRecordPut { record, seq: event.seq }
    })
}

fn team_records<'a>(event: &'a Event, records: &'a [TeamRecord]) -> impl Iterator<Item = RowChange> + 'a {
    records.iter().map(|record| {
        let mut record = Box::new(record.clone());
        record.dates.settle(event.at);
        RowChange::TeamRecordPut { record, seq: event.seq }
    })
}

fn queued(deliveries: &[Delivery]) -> impl Iterator<Item = RowChange> + '_ {
    deliveries.iter().enumerate().map(|(index, delivery)| RowChange::DeliveryQueued { delivery: delivery.clone(), index })
}

/// What the holder and the group's owners are to be told of it.
fn notices(event: &Event, grant: &Grant) -> impl Iterator<Item = RowChange> {
    let notice = Notice {
        seq: event.seq,
        at: event.at,
        audience: Audience::Holder,
        person: grant.person.clone(),
        group: grant.group.clone(),
        grant: grant.id,
        kind: event.change.kind(),
    };
    [Notice { audience: Audience::Owners, ..notice.clone() }, notice].into_iter().map(RowChange::NoticeQueued)
}
