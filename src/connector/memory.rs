//! A target system in the process: for trying things out and for measuring. It forgets everything at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Answer, Connector, Intent};
use crate::domain::delivery::{Delivered, DeliveryAction, DeliveryError};

/// What each account holds.
#[derive(Default)]
pub struct Memory {
    held: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

impl Memory {
    /// A set is whole after every step, so a panic elsewhere does not spoil it.
    fn held(&self) -> MutexGuard<'_, BTreeMap<String, BTreeSet<String>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connector for Memory {
    fn person_is_account(&self) -> bool {
        true
    }

    fn deliver<'a>(&'a self, intent: &'a Intent) -> Answer<'a, Result<Delivered, DeliveryError>> {
        let mut held = self.held();
        match intent.action {
            DeliveryAction::Add => {
                held.entry(intent.account.clone()).or_default().insert(intent.entitlement.clone());
            }
            DeliveryAction::Remove => {
                if let Some(set) = held.get_mut(&intent.account) {
                    set.remove(&intent.entitlement);
                    if set.is_empty() {
                        held.remove(&intent.account);
                    }
                }
            }
        }
        Box::pin(std::future::ready(Ok(Delivered::Done)))
    }

    fn check<'a>(&'a self, _names: &'a [String]) -> Answer<'a, Vec<String>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    fn holds<'a>(&'a self, account: &'a str) -> Answer<'a, Result<BTreeSet<String>, DeliveryError>> {
        let held = self.held().get(account).cloned().unwrap_or_default();
        Box::pin(std::future::ready(Ok(held)))
    }
}
