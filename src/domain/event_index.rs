//! What the index columns of an event's row hold: all of it follows from the change, so a verifier can compute and compare it.

use serde::{Deserialize, Serialize};

use super::{
    event::Change,
    grant::Grant,
    id::{GrantId, GroupId, PersonId, PolicyRevision, RequestId},
    request::Request,
};

/// What the index columns of an event hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EventIndex {
    /// Whom it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// Which request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// Which grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// By which rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Under which policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_revision: Option<PolicyRevision>,
}

impl Change {
    /// What the index columns hold.
    pub fn index(&self) -> EventIndex {
        let of_request = |r: &Request, revision: &PolicyRevision, grant: Option<GrantId>| EventIndex {
            person: Some(r.person.clone()),
            group: Some(r.group.clone()),
            request: Some(r.id),
            grant,
            rule: r.rule.as_ref().map(|rule| rule.name.clone()),
            policy_revision: Some(revision.clone()),
        };
        let of_grant = |g: &Grant| EventIndex {
            person: Some(g.person.clone()),
            group: Some(g.group.clone()),
            request: g.request,
            grant: Some(g.id),
            rule: Some(g.rule.clone()),
            policy_revision: None,
        };
        let about = |person: &PersonId| EventIndex { person: Some(person.clone()), ..EventIndex::default() };
        match self {
            Self::RequestSubmitted { request } => of_request(request, &request.policy_revision, None),
            Self::RequestGranted { request, grant, decided_revision, .. } => of_request(request, decided_revision, grant.as_ref().map(|g| g.id)),
            Self::RequestDenied { request, decided_revision, .. } => of_request(request, decided_revision, None),
            Self::RequestWithdrawn { request, person, group, .. } | Self::RequestExpired { request, person, group } => EventIndex {
                person: Some(person.clone()),
                group: Some(group.clone()),
                request: Some(*request),
                ..EventIndex::default()
            },
            Self::ApprovalGiven { approval, person, group, .. } | Self::ApprovalVoided { approval, person, group, .. } => EventIndex {
                person: Some(person.clone()),
                group: Some(group.clone()),
                request: Some(approval.request),
                ..EventIndex::default()
            },
            Self::GrantExtended { grant, .. }
            | Self::GrantRevoked { grant, .. }
            | Self::GrantExpired { grant, .. }
            | Self::GrantMoved { grant, .. }
            | Self::GrantAdopted { grant } => of_grant(grant),
            Self::GrantBirthright { grant, decided_revision, .. }
            | Self::GrantEnding { grant, decided_revision }
            | Self::GrantFlagged { grant, decided_revision } | Self::GrantKept { grant, decided_revision } => {
                EventIndex { policy_revision: Some(decided_revision.clone()), ..of_grant(grant) }
            }
            Self::EndingsHeld { of } => EventIndex { policy_revision: of.policy_revision.clone(), ..EventIndex::default() },
            Self::EndingsConfirmed { policy_revision, .. } => EventIndex { policy_revision: policy_revision.clone(), ..EventIndex::default() },
            Self::BlockLifted { person, group } => {
                EventIndex { person: Some(person.clone()), group: Some(group.clone()), ..EventIndex::default() }
            }
            Self::DeliveryQueued { person, group, grant, .. } => EventIndex {
                person: Some(person.clone()),
                group: Some(group.clone()),
                grant: Some(*grant),
                ..EventIndex::default()
            },
            Self::DeliveryDone { person, request, .. } | Self::DeliveryFailing { person, request, .. } => {
                EventIndex { person: Some(person.clone()), request: *request, ..EventIndex::default() }
            }
            Self::PersonAdded { person, .. }
            | Self::PersonChanged { person, .. }
            | Self::PersonLeft { person, .. }
            | Self::IdentityUnlinked { person, .. }
            | Self::SessionEnded { person, .. }
            | Self::SigninRefused { person, .. }
            | Self::PersonRecorded { person, .. }
            | Self::TokenRevoked { person, .. } => about(person),
            Self::IdentityLinked { identity } => about(&identity.person),
            Self::SessionStarted { session } => about(&session.person),
            Self::TokenCreated { token } => about(&token.person),
            Self::PolicyLoaded { revision, .. } => EventIndex { policy_revision: Some(revision.clone()), ..EventIndex::default() },
            Self::TeamChanged { .. }
            | Self::TeamRemoved { .. }
            | Self::TeamRecorded { .. }
            | Self::SourceSeen { .. }
            | Self::LeaversHeld { .. }
            | Self::LeaversConfirmed { .. }
            | Self::EndingsWithdrawn { .. }
            | Self::PolicyLoadFailed { .. }
            | Self::FreezeSet { .. }
            | Self::RemovalsConfirmed { .. }
            | Self::Refused { .. } => EventIndex::default(),
        }
    }
}
