//! What an event does to the tables. Pure; the ledger, replicas and the rebuilding audit all use it.

use crate::{
    domain::{
        delivery::{Delivery, DeliveryState},
        event::{Change, Event},
        grant::{Grant, GrantStatus},
        person::PersonStatus,
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
        Change::PersonAdded { person, .. } | Change::PersonChanged { person, .. } => vec![
            RowChange::PersonPut { id: person.clone(), status: PersonStatus::Active, person: event.personal.person.clone(), seq },
            RowChange::DirectoryRevision(seq),
        ],
        Change::PersonLeft { person, released, .. } => {
            let put = RowChange::PersonPut { id: person.clone(), status: PersonStatus::Left, person: event.personal.person.clone(), seq };
            let mut changes = vec![put, RowChange::DirectoryRevision(seq)];
            changes.extend(released.iter().copied().map(RowChange::DeliveryReleased));
            changes
        }
        Change::TeamChanged { team, .. } => vec![RowChange::TeamPut { team: team.clone(), seq }, RowChange::DirectoryRevision(seq)],
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
        Change::FreezeSet { on } => vec![RowChange::Frozen(*on)],
        Change::PolicyLoadFailed { .. } | Change::Refused { .. } => Vec::new(),
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
