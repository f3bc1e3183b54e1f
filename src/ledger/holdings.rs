//! What everybody holds now, for comparing policy sets.

use std::collections::{BTreeMap, BTreeSet};

use super::Ledger;
use crate::{
    domain::id::{GroupId, PersonId},
    store::read::{GrantFilter, Page, StoreError},
};

impl Ledger {
    /// Every live grant's group, by person. Reads page by page, outside the ledger's thread.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn holdings(&self) -> Result<BTreeMap<PersonId, BTreeSet<GroupId>>, StoreError> {
        let mut held: BTreeMap<PersonId, BTreeSet<GroupId>> = BTreeMap::new();
        let filter = GrantFilter { live: true, at: Some(self.now()), ..GrantFilter::default() };
        let mut page = Page { before: None, limit: 1000 };
        loop {
            let found = self.reader.grants(filter.clone(), page).await?;
            for grant in found.items {
                held.entry(grant.person).or_default().insert(grant.group);
            }
            match found.next {
                Some(next) => page.before = Some(next),
                None => return Ok(held),
            }
        }
    }
}
