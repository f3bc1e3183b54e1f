//! A group that left the policy as it was when it left: found through the load that removed it, for the people who answered for
//! it and still have grants to look after.

use super::{Snapshot, encode::Body};
use crate::{
    domain::{event::Change, group::Group, id::{GroupId, PolicyRevision}},
    policy,
    store::read::{AuditFilter, Page, Reader, StoreError},
};

/// Loads that are looked through, newest first.
const MOST: usize = 1000;

/// The last state of a group that left; none when it never was one, is one now, or left longer ago than is looked through.
///
/// # Errors
/// When the database fails.
pub async fn group(reader: &Reader, snapshot: &Snapshot, id: &GroupId) -> Result<Option<Group>, StoreError> {
    if snapshot.lives.get(id).is_none_or(|life| life.live) {
        return Ok(None);
    }
    let Some(revision) = last_with(reader, id).await? else { return Ok(None) };
    let Some((_, files)) = reader.policy_files(revision).await? else { return Ok(None) };
    let id = id.clone();
    let read = move || policy::group_in(&files, &id);
    tokio::task::spawn_blocking(read).await.map_err(|e| StoreError(e.to_string()))
}

/// The last policy set that had the group.
async fn last_with(reader: &Reader, id: &GroupId) -> Result<Option<PolicyRevision>, StoreError> {
    let (mut before, mut seen) = (None, 0);
    loop {
        let filter = AuditFilter { kind: Some("policy.loaded".to_owned()), ..AuditFilter::default() };
        let page = reader.audit(filter, Page { before, limit: 100 }).await?;
        for row in &page.items {
            if let Ok(Body { change: Change::PolicyLoaded { parent, groups_removed, .. }, .. }) = serde_json::from_str(&row.body)
                && groups_removed.contains(id)
            {
                return Ok(parent);
            }
        }
        (before, seen) = (page.next, seen + page.items.len());
        if before.is_none() || seen >= MOST {
            return Ok(None);
        }
    }
}
