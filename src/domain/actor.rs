//! Who did something.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::{
    id::{IssuerName, PersonId, ServiceName, TokenId},
    token::Scope,
};

/// A JWT of a configured issuer that somebody came with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bearer {
    /// Whose it is.
    pub issuer: IssuerName,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
}

/// The one who acts; every event names one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Actor {
    /// A person, perhaps through a token; or a program that a person owns and answers for.
    Person {
        /// Who; of a program, its owner.
        id: PersonId,
        /// The token used, when one was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<TokenId>,
        /// The program, when it is not the person who acts: it never votes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<ServiceName>,
        /// The JWT used, when one was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bearer: Option<Bearer>,
    },
    /// A system user at the service's own machine.
    Operator {
        /// The operating system's user name.
        user: String,
    },
    /// Bandpass itself: expiry, delivery, policy loading.
    System {
        /// Which part, like `expire` or `deliver`.
        part: String,
    },
}

impl Actor {
    /// A person acting in a browser session.
    pub fn person(id: &PersonId) -> Self {
        Self::Person { id: id.clone(), token: None, service: None, bearer: None }
    }

    /// A part of Bandpass.
    pub fn system(part: &str) -> Self {
        Self::System { part: part.to_owned() }
    }

    /// The program that acts for a person, if one does.
    pub fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::Person { service, .. } => service.as_ref(),
            _ => None,
        }
    }

    /// The person behind the act, if one is: of a program, its owner.
    pub fn person_id(&self) -> Option<&PersonId> {
        match self {
            Self::Person { id, .. } => Some(id),
            _ => None,
        }
    }
}

/// `person:ann`, `service:build-bot`, `operator:root`, `system:expire`: what the `actor` column holds.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person { service: Some(name), .. } => write!(f, "service:{name}"),
            Self::Person { id, .. } => write!(f, "person:{id}"),
            Self::Operator { user } => write!(f, "operator:{user}"),
            Self::System { part } => write!(f, "system:{part}"),
        }
    }
}
