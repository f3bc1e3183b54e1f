//! Code that reaches target systems, and nothing else: no store, no ledger, no policy. The worker that calls it, retries
//! and keeps order lives in `jobs`.
//!
//! One file (or folder) a target system. A connector is told one [`Intent`] at a time and answers only after it has read
//! back what the target holds. Every intent may be repeated: after a crash the worker does so.
//!
//! ```
//! # use bandpass::connector::{ConnectorConfig, Registry};
//! let config = ConnectorConfig { name: "demo".parse()?, kind: "memory".to_owned(), url: None, allowed_roles: vec![], ca_file: None };
//! let registry = Registry::build([config]).map_err(|problems| problems.join("\n"))?;
//! assert!(registry.get("demo").is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod memory;
pub mod postgres;
pub mod registry;
pub mod secret;
mod tls;

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, future::Future, pin::Pin};

pub use registry::{ConnectorConfig, Registry};
pub use secret::Secret;

use crate::domain::{
    delivery::{Delivered, Delivery, DeliveryAction, DeliveryError},
    id::{DeliveryId, PersonId},
};

/// An asynchronous answer.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How the note of an addition begins when the account held the entitlement through somebody else.
const HELD_BEFORE: &str = "held before bandpass added it";

/// One thing to do at a target system. Doing it twice changes nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The delivery it carries out; for logs and target systems that take an idempotency key.
    pub id: DeliveryId,
    /// For whom.
    pub person: PersonId,
    /// The account there.
    pub account: String,
    /// The native name of what is held.
    pub entitlement: String,
    /// Add or remove.
    pub action: DeliveryAction,
    /// Whether the last addition found the entitlement held through somebody else ([`notes_held_before`]): such a holding
    /// is left at the removal, visibly. False when not known: then whatever remains after a removal is an error.
    pub held_before: bool,
}

impl Intent {
    /// The intent of a delivery. `account` is where it goes when the delivery names none.
    ///
    /// # Errors
    /// [`DeliveryError::NeedsPerson`] when there is no account at all (semantics.md, 29).
    pub fn new(delivery: &Delivery, account: Option<String>, held_before: bool) -> Result<Self, DeliveryError> {
        let Some(account) = delivery.account.clone().or(account) else {
            return Err(DeliveryError::NeedsPerson(format!(
                "no account: the directory has none for `{}` in `{}`",
                delivery.person, delivery.entitlement.connector
            )));
        };
        Ok(Self {
            id: delivery.id,
            person: delivery.person.clone(),
            account,
            entitlement: delivery.entitlement.name.clone(),
            action: delivery.action,
            held_before,
        })
    }
}

/// Whether the note of a done addition says that the entitlement was held before (semantics.md, 35). The worker looks at
/// the last done addition of the same account and entitlement and passes the answer in [`Intent::held_before`].
pub fn notes_held_before(note: &str) -> bool {
    note.starts_with(HELD_BEFORE)
}

/// A target system.
pub trait Connector: Send + Sync {
    /// Whether an unset account means the person's id (`memory`), rather than "no account" (semantics.md, 29).
    fn person_is_account(&self) -> bool {
        false
    }

    /// Does it and reads back. Ends within half a minute, whatever the target does.
    ///
    /// # Errors
    /// [`DeliveryError`] when the target does not have it; the words hold no secret.
    fn deliver<'a>(&'a self, intent: &'a Intent) -> Answer<'a, Result<Delivered, DeliveryError>>;

    /// What stands in the way of granting `names`, and of this connector at all: one sentence a problem, none when all is
    /// well. `doctor` prints them.
    fn check<'a>(&'a self, names: &'a [String]) -> Answer<'a, Vec<String>>;

    /// What an account holds directly now, however it came to it.
    ///
    /// # Errors
    /// [`DeliveryError`] when the target cannot be read.
    fn holds<'a>(&'a self, account: &'a str) -> Answer<'a, Result<BTreeSet<String>, DeliveryError>>;
}
