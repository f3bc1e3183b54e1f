//! The public kinds of events and how each comes out. They are versioned: a kind is added, never renamed (semantics.md, 24).

use super::{event::Change, outcome::Outcome};

impl Change {
    /// The public kind, like `request.granted`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RequestSubmitted { .. } => "request.submitted",
            Self::RequestGranted { .. } => "request.granted",
            Self::RequestDenied { .. } => "request.denied",
            Self::RequestWithdrawn { .. } => "request.withdrawn",
            Self::RequestExpired { .. } => "request.expired",
            Self::ApprovalGiven { .. } => "approval.given",
            Self::ApprovalVoided { .. } => "approval.voided",
            Self::GrantExtended { .. } => "grant.extended",
            Self::GrantRevoked { .. } => "grant.revoked",
            Self::GrantExpired { .. } => "grant.expired",
            Self::GrantEnding { .. } => "grant.ending",
            Self::GrantFlagged { .. } => "grant.flagged",
            Self::GrantKept { .. } => "grant.kept",
            Self::GrantMoved { .. } => "grant.moved",
            Self::EndingsHeld { .. } => "endings.held",
            Self::EndingsConfirmed { .. } => "endings.confirmed",
            Self::EndingsWithdrawn { .. } => "endings.withdrawn",
            Self::GrantAdopted { .. } => "grant.adopted",
            Self::GrantBirthright { .. } => "grant.birthright",
            Self::BlockLifted { .. } => "block.lifted",
            Self::DeliveryQueued { .. } => "delivery.queued",
            Self::DeliveryDone { .. } => "delivery.done",
            Self::DeliveryFailing { .. } => "delivery.failing",
            Self::RemovalsConfirmed { .. } => "removals.confirmed",
            Self::PersonAdded { .. } => "person.added",
            Self::PersonChanged { .. } => "person.changed",
            Self::PersonLeft { .. } => "person.left",
            Self::TeamChanged { .. } => "team.changed",
            Self::TeamRemoved { .. } => "team.removed",
            Self::PersonRecorded { .. } => "person.recorded",
            Self::TeamRecorded { .. } => "team.recorded",
            Self::SourceSeen { .. } => "source.seen",
            Self::LeaversHeld { .. } => "leavers.held",
            Self::LeaversConfirmed { .. } => "leavers.confirmed",
            Self::PolicyLoaded { .. } => "policy.loaded",
            Self::PolicyLoadFailed { .. } => "policy.load_failed",
            Self::TokenCreated { .. } => "token.created",
            Self::TokenRevoked { .. } => "token.revoked",
            Self::IdentityLinked { .. } => "identity.linked",
            Self::IdentityUnlinked { .. } => "identity.unlinked",
            Self::SessionStarted { .. } => "session.started",
            Self::SessionEnded { .. } => "session.ended",
            Self::SigninRefused { .. } => "signin.refused",
            Self::FreezeSet { .. } => "freeze.set",
            Self::Refused { .. } => "refused",
        }
    }

    /// Every kind, for filters and documentation.
    pub const KINDS: &'static [&'static str] = &[
        "request.submitted", "request.granted", "request.denied", "request.withdrawn", "request.expired", "approval.given", "approval.voided",
        "grant.extended", "grant.revoked", "grant.expired", "grant.ending", "grant.flagged", "grant.kept", "grant.moved", "grant.adopted", "grant.birthright", "block.lifted", "delivery.queued",
        "delivery.done", "delivery.failing", "person.added", "person.changed", "person.left", "team.changed",
        "team.removed", "endings.held", "endings.confirmed", "endings.withdrawn", "policy.loaded", "policy.load_failed", "token.created", "token.revoked", "freeze.set", "refused",
        "removals.confirmed", "identity.linked", "identity.unlinked", "session.started", "session.ended", "signin.refused", "person.recorded", "team.recorded", "leavers.held", "leavers.confirmed", "source.seen",
    ];

    /// How it came out.
    pub fn outcome(&self) -> Outcome {
        Self::outcome_of(self.kind())
    }

    /// How events of a kind come out: the kind alone says it.
    pub fn outcome_of(kind: &str) -> Outcome {
        match kind {
            "request.submitted" | "delivery.queued" | "grant.ending" | "grant.flagged" | "endings.held" | "leavers.held" => Outcome::Pending,
            "request.granted" | "grant.extended" | "grant.adopted" | "grant.birthright" => Outcome::Granted,
            "request.denied" => Outcome::Denied,
            "request.withdrawn" | "request.expired" | "approval.voided" | "grant.revoked" | "grant.expired" | "session.ended" => Outcome::Ended,
            "delivery.failing" | "policy.load_failed" => Outcome::Failing,
            "refused" | "signin.refused" => Outcome::Refused,
            _ => Outcome::Done,
        }
    }
}
