//! Who calls, and what they may do and see in Bandpass itself.

pub mod access;
pub mod known_tokens;
pub mod session;
pub mod visibility;

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    domain::{
        actor::Actor,
        id::{GroupId, PersonId, TokenId},
        person::Person,
        token::{Scope, Token},
    },
    ledger::{Snapshot, decide::is_in},
    store::read::{Reader, StoreError},
};

/// The one who calls, as of this request.
#[derive(Clone)]
pub struct Caller {
    /// Who.
    pub person: Arc<Person>,
    /// The token they came with; none in a browser session.
    pub token: Option<Token>,
    /// What forms of this session carry.
    pub csrf: String,
    /// Groups they hold, as far as roles and owners of the policy in force ask for it; else empty.
    pub holds: BTreeSet<GroupId>,
    /// Policy and directory as of this request.
    pub snapshot: Arc<Snapshot>,
    /// Whether `roles.toml` makes them an auditor.
    pub auditor: bool,
    /// Whether `roles.toml` makes them an admin, or their token is the first admin's.
    pub admin: bool,
}

impl Caller {
    /// Looks up what a person holds and which roles that gives them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn new(person: Arc<Person>, token: Option<Token>, csrf: String, snapshot: Arc<Snapshot>, reader: &Reader) -> Result<Self, StoreError> {
        // Holdings matter only where a role or an owner is "whoever holds that group".
        let holds: BTreeSet<GroupId> = match snapshot.policy.set().names_holders() {
            true => reader.live_grants_of(person.id.clone()).await?.into_iter().map(|g| g.group).collect(),
            false => BTreeSet::new(),
        };
        let roles = snapshot.policy.set().roles();
        let one_of = |words: &[crate::domain::group::Who]| words.iter().any(|w| is_in(w, &person.id, &snapshot.directory, &holds));
        let (auditor, admin) = (one_of(&roles.auditor), one_of(&roles.admin));
        let first_admin = token.as_ref().is_some_and(|t| t.first_admin);
        Ok(Self { auditor, admin: admin || first_admin, person, token, csrf, holds, snapshot })
    }

    /// Their id.
    pub fn id(&self) -> &PersonId {
        &self.person.id
    }

    /// As the actor of a command.
    pub fn actor(&self) -> Actor {
        Actor::Person { id: self.person.id.clone(), token: self.token.as_ref().map(|t| t.id), service: self.token.as_ref().and_then(|t| t.service.clone()) }
    }

    /// Whether the token (or, in a browser, the person) has a scope.
    pub fn has_scope(&self, scope: Scope) -> bool {
        self.token.as_ref().is_none_or(|t| t.scopes.contains(&scope))
    }

    /// The id of the token.
    pub fn token_id(&self) -> Option<TokenId> {
        self.token.as_ref().map(|t| t.id)
    }
}
