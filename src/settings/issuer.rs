//! `[[signin.issuer]]`: who vouches for people and programs.

use std::{collections::BTreeSet, path::PathBuf};

use serde::Deserialize;

use super::Secret;
use crate::domain::{
    id::{ConnectorName, IssuerName, PersonId, ServiceName},
    person::Person,
    token::Scope,
};

/// Keys of an issuer, for errors about unknown ones.
pub const KEYS: [&str; 16] = [
    "name", "title", "url", "client_id", "client_secret", "scopes", "subject_claim", "person_claim", "person_field", "api_subject_claim",
    "audiences", "algorithms", "token_type", "default_scopes", "ca_file", "client",
];

/// Signature algorithms that tokens may have. Those with a shared secret, and `none`, are not among them.
pub const ALGORITHMS: [&str; 9] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// Claims that name a person today and another one tomorrow, in lower case.
const UNSTABLE_CLAIMS: [&str; 27] = [
    "email", "emails", "email_verified", "mail", "mailnickname", "preferred_username", "username", "user_name", "user", "uname", "login", "login_name", "loginid", "upn",
    "userprincipalname", "unique_name", "samaccountname", "verified_primary_email", "name", "display_name", "displayname", "cn", "nickname", "given_name", "family_name",
    "phone_number", "mobile",
];

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
    pub subject_claim: String,
    #[serde(default = "subject")]
    pub person_claim: String,
    #[serde(default)]
    pub person_field: PersonField,
    #[serde(default)]
    pub api_subject_claim: Option<String>,
    #[serde(default)]
    pub audiences: Vec<String>,
    #[serde(default = "usual_algorithms")]
    pub algorithms: Vec<String>,
    #[serde(default = "usual_type")]
    pub token_type: String,
    #[serde(default)]
    pub default_scopes: BTreeSet<Scope>,
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
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
    /// The claim of access tokens that holds what `subject_claim` holds in ID tokens.
    pub fn api_subject(&self) -> &str {
        self.api_subject_claim.as_deref().unwrap_or(&self.subject_claim)
    }

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
        let claims = [("subject_claim", Some(&self.subject_claim)), ("person_claim", Some(&self.person_claim)), ("api_subject_claim", self.api_subject_claim.as_ref())];
        for (key, claim) in claims.into_iter().filter_map(|(key, claim)| Some((key, claim?))) {
            if claim.is_empty() {
                wrong(format!("`{key}` is empty; expected a claim like `sub` or `employee_id`"));
            } else if UNSTABLE_CLAIMS.contains(&claim.to_ascii_lowercase().as_str()) {
                wrong(format!(
                    "`{key}` is `{claim}`, which an issuer may change or give to somebody else later, and with it this person's access; expected a stable identifier, like `sub` or an employee number"
                ));
            }
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
        if self.default_scopes.contains(&Scope::Scim) {
            wrong("`default_scopes` has `scim`, which is for programs that feed the directory: give it to a `client`".to_owned());
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

#[cfg(test)]
mod tests {
    use crate::settings::Settings;

    /// Why settings with an issuer do not load; empty when they do.
    fn refused(signin: &str, issuer: &str, variables: &[(&str, &str)]) -> String {
        let file = std::env::temp_dir().join(format!("bandpass_issuer_{}.toml", uuid::Uuid::now_v7()));
        let text = format!("[signin]\n{signin}\n[[signin.issuer]]\nname = \"corp\"\ntitle = \"Corp\"\nurl = \"https://idp.example\"\nclient_id = \"b\"\n{issuer}\n");
        std::fs::write(&file, text).unwrap();
        let loaded = Settings::load(Some(&file), variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        std::fs::remove_file(&file).unwrap();
        loaded.err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_cannot_be_right_is_told() {
        const OIDC: &str = "mode = \"oidc\"";
        assert_eq!(refused(OIDC, "", &[]), "");
        for (signin, issuer, words) in [
            ("", "", "where everybody is whom they choose"),
            ("mode = \"oidc\"\nidle = \"2d\"", "", "`signin.idle` is longer"),
            (OIDC, "person_claim = \"email\"", "may change or give to somebody else later"),
            (OIDC, "subject_claim = \"preferred_username\"", "`subject_claim` is `preferred_username`"),
            (OIDC, "person_claim = \"sAMAccountName\"", "may change or give to somebody else later"),
            (OIDC, "api_subject_claim = \"username\"", "`api_subject_claim` is `username`"),
            ("mode = \"oidc\"\nidle = \"4m\"", "", "`signin.idle` is 4m; expected 5m"),
            (OIDC, "person_field = \"email\"", "expected `id` or `accounts.NAME`"),
            (OIDC, "scopes = [\"profile\"]", "lacks `openid`"),
            (OIDC, "algorithms = [\"HS256\"]", "`algorithms` has `HS256`"),
            (OIDC, "algorithms = [\"none\"]", "`algorithms` has `none`"),
            (OIDC, "audiences = [\"b\"]\ntoken_type = \"JWT\"", "an ID token, which every app may see"),
            (OIDC, "default_scopes = [\"scim\"]", "give it to a `client`"),
            (OIDC, "default_scopes = [\"root\"]", "unknown variant `root`"),
            (OIDC, "person_clam = \"sub\"", "did you mean `person_claim`"),
            (OIDC, "[[signin.issuer.client]]\nclient_id = \"x\"\nservice = \"x\"\nowner = \"ann\"\nscopes = [\"read\"]", "`audiences` is empty"),
            (
                OIDC,
                "audiences = [\"api\"]\n[[signin.issuer.client]]\nclient_id = \"x\"\nservice = \"x\"\nowner = \"ann\"\nscopes = [\"read\", \"approve\"]",
                "a service never approves",
            ),
            (OIDC, "[[signin.issuer]]\nname = \"corp\"\ntitle = \"C\"\nurl = \"https://other.example\"\nclient_id = \"b\"", "two issuers are called `corp`"),
            (OIDC, "[[signin.issuer]]\nname = \"other\"\ntitle = \"C\"\nurl = \"http://other.example\"\nclient_id = \"b\"", "plain http beyond this machine"),
        ] {
            let told = refused(signin, issuer, &[]);
            assert!(told.contains(words), "{signin} {issuer}: {told}");
        }
        let told = refused(OIDC, "", &[("BANDPASS__SERVER__PUBLIC_URL", "http://access.example.com")]);
        assert!(told.contains("`server.public_url`") && told.contains("expected https"), "{told}");
        for (odd, own) in [
            ("https://Access.Example.com", "https://access.example.com"),
            ("https://access.example.com:443", "https://access.example.com"),
            ("http://localhost:80/", "http://localhost"),
            ("https://b\u{fc}ro.example", "https://xn--bro-hoa.example"),
        ] {
            let told = refused(OIDC, "", &[("BANDPASS__SERVER__PUBLIC_URL", odd)]);
            assert!(told.contains(&format!("browsers call `{own}`")), "{odd}: {told}");
        }
        for good in ["https://access.example.com/", "https://access.example.com:8443", "http://[::1]:8080", "http://127.0.0.1:8080"] {
            assert_eq!(refused(OIDC, "", &[("BANDPASS__SERVER__PUBLIC_URL", good)]), "");
        }
    }

    #[test]
    fn secrets_come_from_the_environment_and_do_not_print() {
        let variables = [("BANDPASS__SIGNIN__MODE", "oidc"), ("BANDPASS__SIGNIN__ISSUER__CORP_SSO__CLIENT_SECRET", "0123")];
        let file = std::env::temp_dir().join(format!("bandpass_issuer_{}.toml", uuid::Uuid::now_v7()));
        std::fs::write(&file, "[[signin.issuer]]\nname = \"corp-sso\"\ntitle = \"C\"\nurl = \"https://idp.example\"\nclient_id = \"b\"\n").unwrap();
        let settings = Settings::load(Some(&file), variables.map(|(k, v)| (k.to_owned(), v.to_owned()))).unwrap();
        assert_eq!(settings.signin.issuer[0].client_secret.reveal(), "0123");
        assert!(!format!("{settings:?}").contains("0123"));
        let unknown = [("BANDPASS__SIGNIN__ISSUER__NOBODY__CLIENT_SECRET", "x")];
        let told = Settings::load(Some(&file), unknown.map(|(k, v)| (k.to_owned(), v.to_owned()))).unwrap_err().to_string();
        assert!(told.contains("there is no issuer `nobody`"), "{told}");
        std::fs::remove_file(&file).unwrap();
    }
}
