//! Who left by a source lately, and what was said about it.

use std::collections::BTreeSet;

use diesel::prelude::*;

use super::{
    db::{Db, on},
    read::{Reader, StoreError},
    read_audit::first_at_or_after,
    schema::audit_log,
};
use crate::domain::time::Time;

impl Reader {
    /// How many people left by an actor since an instant. Those who had joined by it since then are left out: who comes and
    /// goes makes nobody fewer.
    ///
    /// # Errors
    /// As every read.
    pub async fn left_since(&self, actor: String, since: Time) -> Result<usize, StoreError> {
        let happened = self
            .ask(move |db| {
                // By number: there is no index of times, and the log's never go back.
                let from = first_at_or_after(db, since)?;
                on!(db, c => audit_log::table
                    .filter(audit_log::kind.eq_any(["person.left", "person.added"]))
                    .filter(audit_log::seq.ge(from))
                    .filter(audit_log::actor.eq(&actor))
                    .order(audit_log::seq)
                    .select((audit_log::kind, audit_log::person))
                    .load::<(String, Option<String>)>(c))
            })
            .await?;
        let (mut joined, mut left) = (BTreeSet::new(), BTreeSet::new());
        for (kind, person) in happened {
            let Some(person) = person else { continue };
            if kind == "person.left" {
                if !joined.contains(&person) {
                    left.insert(person);
                }
            } else if !left.remove(&person) {
                joined.insert(person);
            }
        }
        Ok(left.len())
    }

    /// Bodies of what was said about leavers since an instant, the newest first.
    ///
    /// # Errors
    /// As every read.
    pub async fn about_leavers(&self, since: Time) -> Result<Vec<String>, StoreError> {
        self.ask(move |db| about_leavers(db, since)).await
    }
}

pub(super) fn about_leavers(db: &mut Db, since: Time) -> QueryResult<Vec<String>> {
    let from = first_at_or_after(db, since)?;
    on!(db, c => audit_log::table
        .filter(audit_log::kind.eq_any(["leavers.held", "leavers.confirmed"]))
        .filter(audit_log::seq.ge(from))
        .order(audit_log::seq.desc())
        .select(audit_log::body)
        .limit(1000)
        .load::<String>(c))
}
