//! A target system in the process: for trying things out and for measuring.

use std::{collections::BTreeSet, sync::{Mutex, PoisonError}};

use super::{Answer, Connector, Intent};
use crate::domain::delivery::{Delivered, DeliveryAction, DeliveryError};

/// Who holds what, forgotten at the end of the process.
#[derive(Default)]
pub struct Memory {
    held: Mutex<BTreeSet<(String, String)>>,
}

impl Connector for Memory {
    fn person_is_account(&self) -> bool {
        true
    }

    fn deliver<'a>(&'a self, intent: &'a Intent) -> Answer<'a, Result<Delivered, DeliveryError>> {
        let key = (intent.account.clone(), intent.entitlement.clone());
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match intent.action {
            DeliveryAction::Add => held.insert(key),
            DeliveryAction::Remove => held.remove(&key),
        };
        Box::pin(std::future::ready(Ok(Delivered::Done)))
    }
}
