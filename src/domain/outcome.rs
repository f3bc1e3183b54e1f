//! How an event came out.

use serde::{Deserialize, Serialize};

/// How something came out; the `outcome` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Access was given.
    Granted,
    /// Access was refused.
    Denied,
    /// Somebody is asked.
    Pending,
    /// Access ended.
    Ended,
    /// Something was done.
    Done,
    /// Something could not be done yet.
    Failing,
    /// An act was refused.
    Refused,
}

impl Outcome {
    /// The word in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Pending => "pending",
            Self::Ended => "ended",
            Self::Done => "done",
            Self::Failing => "failing",
            Self::Refused => "refused",
        }
    }
}
