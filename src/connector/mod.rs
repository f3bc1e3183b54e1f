//! Code that reaches target systems, and nothing else: no store, no ledger. The worker that calls it lives in `jobs`.

pub mod memory;
pub mod postgres;

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc};

use crate::domain::{
    delivery::{Delivered, DeliveryAction, DeliveryError},
    id::ConnectorName,
};

/// An asynchronous answer.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One thing to do at a target system. Doing it twice changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The account there.
    pub account: String,
    /// The native name of what is held.
    pub entitlement: String,
    /// Add or remove.
    pub action: DeliveryAction,
}

/// A target system.
pub trait Connector: Send + Sync {
    /// Whether an unset account means the person's id (`memory`), rather than "no account" (semantics.md, 29).
    fn person_is_account(&self) -> bool {
        false
    }

    /// Does it and reads back.
    fn deliver<'a>(&'a self, intent: &'a Intent) -> Answer<'a, Result<Delivered, DeliveryError>>;
}

/// What a `[[connector]]` says.
pub struct ConnectorConfig {
    /// Its name.
    pub name: ConnectorName,
    /// `memory` or `postgres`.
    pub kind: String,
    /// Where the system is; holds a password perhaps.
    pub url: String,
    /// Names that may be granted there; nothing else ever is.
    pub allowed_roles: Vec<String>,
}

/// The configured connectors.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<ConnectorName, Arc<dyn Connector>>);

impl Registry {
    /// Builds every connector.
    ///
    /// # Errors
    /// A sentence for each that cannot be built.
    pub fn build(configs: impl IntoIterator<Item = ConnectorConfig>) -> Result<Self, Vec<String>> {
        let (mut built, mut problems) = (BTreeMap::<ConnectorName, Arc<dyn Connector>>::new(), Vec::new());
        for config in configs {
            let name = config.name.clone();
            match config.kind.as_str() {
                "memory" => {
                    built.insert(name, Arc::new(memory::Memory::default()));
                }
                "postgres" => match postgres::Postgres::new(&config.url, config.allowed_roles) {
                    Ok(connector) => {
                        built.insert(name, Arc::new(connector));
                    }
                    Err(error) => problems.push(format!("connector `{name}`: {error}")),
                },
                other => problems.push(format!("connector `{name}`: there is no kind `{other}`; expected `memory` or `postgres`")),
            }
        }
        if problems.is_empty() { Ok(Self(built)) } else { Err(problems) }
    }

    /// A connector.
    pub fn get(&self, name: &ConnectorName) -> Option<&Arc<dyn Connector>> {
        self.0.get(name)
    }
}
