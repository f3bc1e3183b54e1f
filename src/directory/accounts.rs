//! Whose an account in a target system is: what was somebody's is never given to another, also when they have left.

use std::collections::BTreeMap;

use super::Directory;
use crate::domain::{
    id::{ConnectorName, PersonId},
    person::Person,
};

/// The accounts that one change would give.
pub(super) struct Claims<'a> {
    directory: &'a Directory,
    new: BTreeMap<(ConnectorName, String), PersonId>,
}

impl<'a> Claims<'a> {
    /// Nothing claimed yet.
    pub fn new(directory: &'a Directory) -> Self {
        Self { directory, new: BTreeMap::new() }
    }

    /// Takes what is new in the accounts of a person as they will be; answers a sentence for each that is another's. Of whoever
    /// leaves nothing is asked: letting them go gives nobody anything.
    pub fn of(&mut self, person: &Person) -> Vec<String> {
        if !person.is_active() {
            return Vec::new();
        }
        let known = self.directory.person(person.id.as_str());
        let mut refused = Vec::new();
        for (connector, account) in &person.accounts {
            if known.is_some_and(|k| k.accounts.get(connector) == Some(account)) {
                continue;
            }
            let owner = self.directory.account_owner(connector, account).or_else(|| self.new.get(&(connector.clone(), account.clone())));
            match owner.filter(|owner| **owner != person.id) {
                Some(owner) => refused.push(format!("the account `{account}` in `{connector}` belongs to `{owner}` and cannot be given to `{}`", person.id)),
                None => drop(self.new.insert((connector.clone(), account.clone()), person.id.clone())),
            }
        }
        refused
    }
}
