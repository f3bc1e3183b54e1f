//! The policy source as pages, health and metrics show it, and the bell that has it looked at. `jobs::policy_source` writes
//! it; it is about this process, so it is not in the log.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::{Ledger, encode::Body};
use crate::{
    domain::{commit::Commit, event::{Change, Personal}, id::PolicyRevision, time::Time},
    store::read::{AuditFilter, Page, StoreError},
};

/// How the source did when it was last looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceState {
    /// What is followed; empty before the first look.
    pub source: String,
    /// Why it could not be reached at the last look.
    pub unreachable: Option<String>,
    /// When it was last reached.
    pub reached: Option<Time>,
    /// The newest commit seen there, used or not.
    pub head: Option<Commit>,
    /// The commit in force.
    pub in_force: Option<Commit>,
}

/// State and bell.
#[derive(Default)]
pub(super) struct SourceWatch {
    state: Mutex<SourceState>,
    bell: Notify,
}

/// The newest `policy.loaded` of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastLoad {
    /// The set.
    pub revision: PolicyRevision,
    /// Where it came from.
    pub source: String,
    /// The commit, when that was git.
    pub commit: Option<Commit>,
}

impl Ledger {
    /// How the policy source did.
    pub fn source_state(&self) -> SourceState {
        self.shared.source.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes how the policy source did.
    pub fn update_source_state(&self, change: impl FnOnce(&mut SourceState)) {
        change(&mut self.shared.source.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Has the policy source looked at soon. Any number of calls before that come to one look.
    pub fn ring_for_policy(&self) {
        self.shared.source.bell.notify_one();
    }

    /// Returns when somebody rang since the last call.
    pub async fn policy_rung(&self) {
        self.shared.source.bell.notified().await;
    }

    /// The newest load in the log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn last_policy_load(&self) -> Result<Option<LastLoad>, StoreError> {
        Ok(self.newest("policy.loaded").await?.and_then(|(body, personal)| match body.change {
            Change::PolicyLoaded { revision, source, commit, .. } => {
                let commit = Commit::recorded(commit, personal.and_then(|p| p.commit).map(|c| *c));
                Some(LastLoad { revision, source, commit })
            }
            _ => None,
        }))
    }

    /// Whether the newest event about policy is this very failure: after a restart, or by another replica.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn policy_failure_is_known(&self, source: &str, problems: &[String]) -> Result<bool, StoreError> {
        let newest = self.newest("policy.").await?;
        Ok(newest.is_some_and(|(body, _)| matches!(body.change, Change::PolicyLoadFailed { source: s, problems: p, .. } if s == source && p == problems)))
    }

    async fn newest(&self, kind: &str) -> Result<Option<(Body, Option<Personal>)>, StoreError> {
        let filter = AuditFilter { kind: Some(kind.to_owned()), ..AuditFilter::default() };
        let found = self.reader.audit(filter, Page { before: None, limit: 1 }).await?.items;
        let Some(row) = found.first() else { return Ok(None) };
        let unreadable = |e: serde_json::Error| StoreError(format!("event {} cannot be read: {e}", row.seq));
        let personal = row.personal.as_deref().map(serde_json::from_str).transpose().map_err(unreadable)?;
        Ok(Some((serde_json::from_str(&row.body).map_err(unreadable)?, personal)))
    }
}
