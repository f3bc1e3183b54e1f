//! Sign-in with OpenID Connect: authorization code with PKCE, at any of several issuers.
//!
//! [`provider`] knows an issuer's addresses and keys, [`attempt`] binds a sign-in to the browser that began it, [`flow`] leads
//! there and back, [`person`] says who that is here, [`logout`] reads what an issuer sends when somebody signed out there.

pub mod attempt;
pub mod flow;
pub mod logout;
pub mod person;
pub mod provider;

use std::sync::Arc;

use crate::{domain::time::Time, outgoing::Outgoing, settings::Settings};
use attempt::Sealer;
use provider::Provider;

/// Everything that signing in with issuers needs. Empty in development mode.
pub struct Issuers {
    providers: Vec<Arc<Provider>>,
    /// Seals what a browser keeps between leaving for an issuer and coming back.
    pub sealer: Sealer,
}

impl Issuers {
    /// Builds them from settings; calls nobody yet. `own_key` seals sign-ins at issuers that gave no client secret.
    ///
    /// # Errors
    /// A sentence when a file with authorities cannot be used, or an HTTP client not be built.
    pub fn new(settings: &Settings, own_key: &[u8]) -> Result<Self, String> {
        super::jwt::install();
        let public = settings.server.public_url.trim_end_matches('/');
        let provider = |issuer: &crate::settings::Issuer| {
            let http = Outgoing::trusting(issuer.ca_file.as_deref()).map_err(|e| match &issuer.ca_file {
                Some(_) => format!("`ca_file` of [[signin.issuer]] `{}`: {e}", issuer.name),
                None => e,
            })?;
            Ok(Arc::new(Provider::new(issuer.clone(), http, public)))
        };
        let providers = settings.signin.issuer.iter().map(provider).collect::<Result<_, String>>()?;
        Ok(Self { providers, sealer: Sealer::new(&settings.signin.issuer, own_key) })
    }

    /// The issuers, in the order of the settings.
    pub fn all(&self) -> &[Arc<Provider>] {
        &self.providers
    }

    /// The issuer of a name.
    pub fn named(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers.iter().find(|p| p.settings.name.as_str() == name)
    }

    /// The issuer of an address, byte by byte.
    pub fn at(&self, url: &str) -> Option<&Arc<Provider>> {
        self.providers.iter().find(|p| p.settings.url == url)
    }
}

/// Whole seconds since the epoch.
fn seconds(now: Time) -> i64 {
    now.micros().div_euclid(1_000_000)
}
