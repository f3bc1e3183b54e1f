//! `[[signin.issuer]]`: who vouches for people and programs.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::Secret;
use crate::domain::{
    id::{ConnectorName, IssuerName, PersonId, ServiceName},
    person::Person,
    token::Scope,
};

/// Keys of an issuer, for errors about unknown ones.
pub const KEYS: [&str; 12] =
    ["name", "title", "url", "client_id", "client_secret", "scopes", "person_claim", "person_field", "audiences", "algorithms", "token_type", "client"];

/// Signature algorithms that tokens may have. Those with a shared secret, and `none`, are not among them.
pub const ALGORITHMS: [&str; 9] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// Claims that name a person today and another one tomorrow.
const UNSTABLE_CLAIMS: [&str; 9] = ["email", "email_verified", "preferred_username", "upn", "unique_name", "name", "nickname", "given_name", "phone_number"];

/// One issuer; `config/default.toml` says what each key means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Issuer {
    pub name: IssuerName,
    pub title: String,
    pub url: String,
    pub client_id: String,
    #[serde(default)]
    pub client_secret: Secret,
    #[serde(default = "usual_scopes")]
    pub scopes: Vec<String>,
    #[serde(default = "subject")]
    pub person_claim: String,
    #[serde(default)]
    pub person_field: PersonField,
    #[serde(default)]
    pub audiences: Vec<String>,
    #[serde(default = "usual_algorithms")]
    pub algorithms: Vec<String>,
    #[serde(default = "usual_type")]
    pub token_type: String,
    #[serde(default)]
    pub client: Vec<IssuerClient>,
}

/// One `[[signin.issuer.client]]`: a program that calls with tokens of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct IssuerClient {
    pub client_id: String,
    #[serde(default)]
    pub subject: Option<String>,
    pub service: ServiceName,
    pub owner: PersonId,
    pub scopes: BTreeSet<Scope>,
}

impl IssuerClient {
    /// The subject of its own tokens.
    pub fn subject(&self) -> &str {
        self.subject.as_deref().unwrap_or(&self.client_id)
    }
}

/// Which field of the directory the claim is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum PersonField {
    /// The person's id.
    #[default]
    Id,
    /// An account of the person, by its name in `accounts`.
    Account(ConnectorName),
}

impl TryFrom<String> for PersonField {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.strip_prefix("accounts.") {
            Some(name) => ConnectorName::parse(name).map(Self::Account).map_err(|e| format!("`person_field`: {e}")),
            None if text == "id" => Ok(Self::Id),
            None => Err(format!("`person_field` is `{text}`; expected `id` or `accounts.NAME`")),
        }
    }
}

impl std::fmt::Display for PersonField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id => f.write_str("id"),
            Self::Account(name) => write!(f, "accounts.{name}"),
        }
    }
}

impl PersonField {
    /// Whether a person has this value, byte by byte.
    pub fn is(&self, person: &Person, value: &str) -> bool {
        match self {
            Self::Id => person.id.as_str() == value,
            Self::Account(name) => person.accounts.get(name).is_some_and(|account| account == value),
        }
    }
}

fn usual_scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}
fn subject() -> String {
    "sub".to_owned()
}
fn usual_algorithms() -> Vec<String> {
    ["RS256", "PS256", "ES256", "EdDSA"].map(str::to_owned).to_vec()
}
fn usual_type() -> String {
    "at+jwt".to_owned()
}

impl Issuer {
    /// Adds what is wrong with it, a sentence each.
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        let name = &self.name;
        let mut wrong = |text: String| problems.push(format!("`signin.issuer` `{name}`: {text}"));
        match crate::outgoing::address(&self.url) {
            Err(error) => wrong(format!("`url`: {error}")),
            Ok(url) if url.query().is_some() => wrong(format!("`url` is `{}`; an issuer's address has no query", self.url)),
            Ok(_) => {}
        }
        if self.title.trim().is_empty() || self.title.chars().any(char::is_control) {
            wrong("`title` is empty; expected the words on its button, like \"Company account\"".to_owned());
        }
        if self.client_id.is_empty() {
            wrong("`client_id` is empty; expected what the issuer calls Bandpass".to_owned());
        }
        if !self.scopes.iter().any(|s| s == "openid") {
            wrong("`scopes` lacks `openid`, without which an issuer names nobody".to_owned());
        }
        if UNSTABLE_CLAIMS.contains(&self.person_claim.as_str()) {
            wrong(format!(
                "`person_claim` is `{}`, which an issuer may change or give to somebody else later, and with it this person's access; expected a stable identifier, like `sub` or an employee number",
                self.person_claim
            ));
        } else if self.person_claim.is_empty() {
            wrong("`person_claim` is empty; expected a claim like `sub` or `employee_id`".to_owned());
        }
        if self.algorithms.is_empty() {
            wrong("`algorithms` is empty; then no token could be verified".to_owned());
        }
        for algorithm in self.algorithms.iter().filter(|a| !ALGORITHMS.contains(&a.as_str())) {
            wrong(format!("`algorithms` has `{algorithm}`; expected {}", ALGORITHMS.join(", ")));
        }
        if self.audiences.iter().any(String::is_empty) {
            wrong("`audiences` has an empty one".to_owned());
        }
        if self.audiences.contains(&self.client_id) && !self.token_type.eq_ignore_ascii_case("at+jwt") {
            wrong(format!(
                "`audiences` has the `client_id` `{}`, and `token_type` is `{}`: then an ID token, which every app may see, would pass for an access token; give the API an audience of its own",
                self.client_id, self.token_type
            ));
        }
        if !self.client.is_empty() && self.audiences.is_empty() {
            wrong("`client` is given but `audiences` is empty, so that no token would be taken".to_owned());
        }
        let (mut ids, mut subjects) = (BTreeSet::new(), BTreeSet::new());
        for client in &self.client {
            let id = &client.client_id;
            if !ids.insert(id) || !subjects.insert(client.subject()) {
                wrong(format!("two clients are `{id}`, or have one subject"));
            }
            if client.scopes.is_empty() {
                wrong(format!("client `{id}` has no `scopes`"));
            }
            if client.scopes.contains(&Scope::Approve) {
                wrong(format!("client `{id}` has the scope `approve`: a service never approves, since a program that could vote would be a vote of its owner"));
            }
        }
    }
}
