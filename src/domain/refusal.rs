//! Named refusals: the answers that are "no" because of how the command was put, not because policy denies.

use serde::{Deserialize, Serialize};

use super::{
    id::{GroupId, RequestId},
    request::RequestStatus,
    time::Time,
};

/// Why a command was refused. A refusal is an answer, not a rollback (semantics.md, 17).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Refusal {
    /// 422: an unknown or hidden group.
    #[error("there is no group `{group}`{}", suggestion.as_ref().map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    UnknownGroup {
        /// As given.
        group: String,
        /// The nearest known one.
        suggestion: Option<String>,
    },
    /// 422: nobody of that id, or they left.
    #[error("there is no person `{person}`")]
    UnknownPerson {
        /// As given.
        person: String,
    },
    /// 422: the deciding rule wants a reason.
    #[error("the rule \"{rule}\" wants a justification: say why you need it")]
    JustificationRequired {
        /// Which rule.
        rule: String,
    },
    /// 409: the same wish is waiting already.
    #[error("the same request is waiting already")]
    AlreadyPending {
        /// It.
        request: RequestId,
    },
    /// 404: no such thing, or not yours to know.
    #[error("there is no such {noun}, or you may not see it")]
    NotFound {
        /// Of what.
        noun: String,
    },
    /// 401: the caller's token was revoked or has expired.
    #[error("this token is not known, has expired or was revoked")]
    DeadToken,
    /// 403: known, but not allowed.
    #[error("{reason}")]
    NotAllowed {
        /// Why not, as a sentence.
        reason: String,
    },
    /// 409: the request left `pending` before this.
    #[error("the request is {} already", status.as_str())]
    NotPending {
        /// Which.
        request: RequestId,
        /// Where it stands.
        status: RequestStatus,
    },
    /// 409: its deadline has passed.
    #[error("the request's time to be answered ended at {deadline}")]
    DeadlinePassed {
        /// When.
        deadline: Time,
    },
    /// 409: one person counts once.
    #[error("you have approved this request already")]
    AlreadyVoted,
    /// 409: the grant ended before this.
    #[error("this grant has ended; ask for the group again")]
    GrantEnded,
    /// 409: it is held without asking.
    #[error("`{group}` is held without asking, {because}: there is nothing to ask for, and it cannot be given back")]
    HeldByBirthright {
        /// What.
        group: GroupId,
        /// Like "as long as you are in team Engineering".
        because: String,
    },
    /// 409: a request is granted and cannot be denied any more.
    #[error("the request is granted already; revoke the grant instead")]
    RevokeInstead {
        /// Of which group.
        group: GroupId,
    },
    /// 409: the same key came with another body.
    #[error("this Idempotency-Key was used with another body")]
    IdempotencyMismatch,
    /// 409: something else than the caller thought is in force.
    #[error("{what} has changed meanwhile")]
    Stale {
        /// What.
        what: String,
    },
    /// 422: understood, but impossible.
    #[error("{reason}")]
    Impossible {
        /// Which field, if one is to blame.
        field: Option<String>,
        /// Why.
        reason: String,
    },
    /// 429: too many requests by one person.
    #[error("you have filed {limit} requests within an hour; try again later")]
    QuotaExceeded {
        /// Requests an hour.
        limit: u32,
        /// Seconds until one more is possible.
        retry_after: u32,
    },
    /// 503: the clock went back, so nothing new is granted.
    #[error("the clock is behind the log; new grants wait until it has caught up")]
    ClockBehind {
        /// Seconds.
        retry_after: u32,
    },
}

impl Refusal {
    /// The HTTP status that tells it.
    pub fn status(&self) -> u16 {
        match self {
            Self::UnknownGroup { .. } | Self::UnknownPerson { .. } | Self::JustificationRequired { .. } | Self::Impossible { .. } => 422,
            Self::DeadToken => 401,
            Self::NotFound { .. } => 404,
            Self::NotAllowed { .. } => 403,
            Self::AlreadyPending { .. }
            | Self::NotPending { .. }
            | Self::DeadlinePassed { .. }
            | Self::AlreadyVoted
            | Self::GrantEnded
            | Self::RevokeInstead { .. }
            | Self::HeldByBirthright { .. }
            | Self::IdempotencyMismatch
            | Self::Stale { .. } => 409,
            Self::QuotaExceeded { .. } => 429,
            Self::ClockBehind { .. } => 503,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownGroup { .. } => "unknown_group",
            Self::UnknownPerson { .. } => "unknown_person",
            Self::JustificationRequired { .. } => "justification_required",
            Self::AlreadyPending { .. } => "already_pending",
            Self::DeadToken => "dead_token",
            Self::NotFound { .. } => "not_found",
            Self::NotAllowed { .. } => "not_allowed",
            Self::NotPending { .. } => "not_pending",
            Self::DeadlinePassed { .. } => "deadline_passed",
            Self::AlreadyVoted => "already_voted",
            Self::GrantEnded => "grant_ended",
            Self::RevokeInstead { .. } => "revoke_instead",
            Self::HeldByBirthright { .. } => "held_by_birthright",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::Stale { .. } => "stale",
            Self::Impossible { .. } => "impossible",
            Self::QuotaExceeded { .. } => "quota_exceeded",
            Self::ClockBehind { .. } => "clock_behind",
        }
    }

    /// Which field of the input is to blame, if one is.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::UnknownGroup { .. } => Some("group"),
            Self::UnknownPerson { .. } => Some("person"),
            Self::JustificationRequired { .. } => Some("justification"),
            Self::Impossible { field, .. } => field.as_deref(),
            _ => None,
        }
    }

    /// Seconds to wait, for `Retry-After`.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Self::QuotaExceeded { retry_after, .. } | Self::ClockBehind { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}
