//! Who calls, and what they may do and see in Bandpass itself.

pub mod access;
pub mod jwt;
pub mod known_tokens;
pub mod oidc;
pub mod published;
pub mod session;
pub mod sessions;
pub mod visibility;

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    domain::{
        actor::{Actor, Bearer},
        id::{GroupId, PersonId, ServiceName, SessionId},
        person::Person,
        token::{Scope, Token},
    },
    ledger::{Snapshot, decide::is_in},
    store::read::{Reader, StoreError},
};

/// What a caller came with.
#[derive(Clone)]
pub enum Credential {
    /// A session of a browser; one of the development sign-in has no id.
    Session(Option<SessionId>),
    /// A token of ours.
    Token(Token),
    /// A JWT of a configured issuer, of a person or of a program.
    Jwt(Bearer, Option<ServiceName>),
}

/// The one who calls, as of this request.
#[derive(Clone)]
pub struct Caller {
    /// Who.
    pub person: Arc<Person>,
    /// What they came with.
    pub credential: Credential,
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
    pub async fn new(person: Arc<Person>, credential: Credential, csrf: String, snapshot: Arc<Snapshot>, reader: &Reader) -> Result<Self, StoreError> {
        // Holdings matter only where a role or an owner is "whoever holds that group".
        let holds: BTreeSet<GroupId> = match snapshot.policy.set().names_holders() {
            true => reader.live_grants_of(person.id.clone()).await?.into_iter().map(|g| g.group).collect(),
            false => BTreeSet::new(),
        };
        let roles = snapshot.policy.set().roles();
        let one_of = |words: &[crate::domain::group::Who]| words.iter().any(|w| is_in(w, &person.id, &snapshot.directory, &holds));
        let (auditor, admin) = (one_of(&roles.auditor), one_of(&roles.admin));
        let first_admin = matches!(&credential, Credential::Token(token) if token.first_admin);
        Ok(Self { auditor, admin: admin || first_admin, person, credential, csrf, holds, snapshot })
    }

    /// Their id.
    pub fn id(&self) -> &PersonId {
        &self.person.id
    }

    /// As the actor of a command.
    pub fn actor(&self) -> Actor {
        let id = self.person.id.clone();
        match &self.credential {
            Credential::Session(_) => Actor::person(&id),
            Credential::Token(token) => Actor::Person { id, token: Some(token.id), service: token.service.clone(), bearer: None },
            Credential::Jwt(bearer, service) => Actor::Person { id, token: None, service: service.clone(), bearer: Some(bearer.clone()) },
        }
    }

    /// Whether what they came with has a scope; a browser session has every one.
    pub fn has_scope(&self, scope: Scope) -> bool {
        match &self.credential {
            Credential::Session(_) => true,
            Credential::Token(token) => token.scopes.contains(&scope),
            Credential::Jwt(bearer, _) => bearer.scopes.contains(&scope),
        }
    }

    /// Whether they came with a session of a browser.
    pub fn is_browser(&self) -> bool {
        matches!(self.credential, Credential::Session(_))
    }

    /// The token of ours that they came with.
    pub fn token(&self) -> Option<&Token> {
        match &self.credential {
            Credential::Token(token) => Some(token),
            _ => None,
        }
    }

    /// The program that calls, when it is not the person themselves.
    pub fn service(&self) -> Option<&ServiceName> {
        match &self.credential {
            Credential::Session(_) => None,
            Credential::Token(token) => token.service.as_ref(),
            Credential::Jwt(_, service) => service.as_ref(),
        }
    }

    /// The session that they came with; none of the development sign-in.
    pub fn session(&self) -> Option<SessionId> {
        match &self.credential {
            Credential::Session(id) => *id,
            _ => None,
        }
    }
}
