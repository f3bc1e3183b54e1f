//! Configuration: `config/default.toml` (built in), a file over it, the environment over both.

use std::{collections::{BTreeMap, BTreeSet}, fmt, path::{Path, PathBuf}};

use serde::Deserialize;
use toml::{Table, Value};

use crate::{directory::merge::Precedence, ledger::LeaveBound, domain::{duration::Duration, id::{ConnectorName, PersonId, ServiceName}, record::SourceName}};

pub mod issuer;

pub use issuer::Issuer;

/// The defaults with their documentation; what `config/default.toml` says.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

/// A text that never prints.
#[derive(Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself; hand it only to what needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { "***" })
    }
}

/// Every key; `config/default.toml` says what each means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Settings {
    pub server: Server,
    pub database: Database,
    pub policy: Policy,
    pub directory: DirectorySettings,
    pub signin: Signin,
    pub requests: Requests,
    pub ledger: LedgerSettings,
    pub audit: Audit,
    pub log: Log,
    pub run: Run,
    #[serde(default)]
    pub connector: Vec<Connector>,
}

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Server {
    pub listen: std::net::SocketAddr,
    pub public_url: String,
    pub workers: usize,
    pub max_body_bytes: usize,
    pub read_timeout_seconds: u64,
}

/// `[database]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Database {
    pub url: Secret,
    pub migrate_url: Secret,
    pub readers: usize,
}

/// `[policy]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Policy {
    pub source: String,
    pub branch: String,
    pub path: String,
    pub signers: Vec<String>,
    pub webhook_secret: Secret,
    pub timezone: String,
    pub poll_seconds: u64,
    pub deny_cooldown: Duration,
    pub confirm_share: f64,
}

/// `[directory]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct DirectorySettings {
    pub source: String,
    pub max_leave_share: f64,
    pub leave_window: Duration,
    pub precedence: Vec<String>,
    pub precedence_of: BTreeMap<String, Vec<String>>,
    pub scim_person_id: Vec<String>,
    pub scim_join_by: Vec<String>,
    pub max_age: BTreeMap<String, Duration>,
    pub catalog: Vec<CatalogSettings>,
}

/// One `[[directory.catalog]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CatalogSettings {
    pub name: ServiceName,
    pub url: String,
    #[serde(default)]
    pub token: Secret,
    #[serde(default = "CatalogSettings::usual_seconds")]
    pub poll_seconds: u64,
}

impl CatalogSettings {
    fn usual_seconds() -> u64 {
        300
    }
}

impl DirectorySettings {
    /// How often it is recorded that a source was heard from: ten times as often as matters, and once an hour where it does not.
    pub fn seen_every(&self, source: &SourceName) -> Duration {
        let limit = self.max_age.get(source.as_str()).or_else(|| self.max_age.get(source.family()));
        let seconds = limit.map_or(3600, |l| (l.as_seconds() / 10).max(1));
        Duration::seconds(seconds).unwrap_or(Duration::MAX)
    }

    /// How many may leave by one source, unconfirmed.
    pub fn leave_bound(&self) -> LeaveBound {
        LeaveBound { share: self.max_leave_share, window: self.leave_window }
    }

    /// Whose word counts before whose.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub fn precedence(&self) -> Result<Precedence, String> {
        Precedence::new(self.precedence.clone(), self.precedence_of.clone()).map_err(|e| format!("`directory.precedence_of`: {e}"))
    }
}

/// How people sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SigninMode {
    /// Choose a person on a page; loopback only.
    Development,
    /// OpenID Connect, with the issuers of `[[signin.issuer]]`.
    Oidc,
}

/// `[signin]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Signin {
    pub mode: SigninMode,
    pub development_real_targets: bool,
    pub development_real_people: bool,
    pub featured: Vec<PersonId>,
    pub idle: Duration,
    pub absolute: Duration,
    pub issuer: Vec<Issuer>,
}

/// `[requests]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Requests {
    pub per_person_per_hour: u32,
}

/// `[ledger]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LedgerSettings {
    pub queue: usize,
    pub batch: usize,
}

/// `[audit]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Audit {
    pub origin: String,
    pub key_file: PathBuf,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Log {
    pub format: String,
    pub level: String,
}

/// `[run]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Run {
    pub folder: PathBuf,
    pub seed_requests: bool,
}

/// One `[[connector]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Connector {
    pub name: ConnectorName,
    pub kind: String,
    #[serde(default)]
    pub url: Secret,
    #[serde(default)]
    pub allowed_roles: Vec<String>,
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// What is wrong with the configuration: every problem, a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct InvalidSettings(pub Vec<String>);

const CONNECTOR_KEYS: [&str; 5] = ["name", "kind", "url", "allowed_roles", "ca_file"];

impl Settings {
    /// Reads `file` (when given) over the defaults, and the environment over both.
    ///
    /// # Errors
    /// Every unknown key with the nearest known one; the first value of a wrong type.
    pub fn load(file: Option<&Path>, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, InvalidSettings> {
        let one = |text: String| InvalidSettings(vec![text]);
        let mut table: Table = DEFAULTS.parse().map_err(|e| one(format!("the built-in defaults: {e}")))?;
        let known = table.clone();
        let mut problems = Vec::new();
        if let Some(path) = file {
            let shown = path.display();
            let text = std::fs::read_to_string(path).map_err(|e| one(format!("cannot read `{shown}`: {e}")))?;
            let over: Table = text.parse().map_err(|e: toml::de::Error| one(format!("{shown}: {e}")))?;
            unknown_keys(&known, &over, "", &format!("{shown}: "), &mut problems);
            merge(&mut table, over);
        }
        let mut variables: Vec<(String, String)> = environment.into_iter().filter(|(k, _)| k.starts_with("BANDPASS__")).collect();
        variables.sort();
        for (name, value) in variables {
            let path: Vec<String> = name.trim_start_matches("BANDPASS__").split("__").map(str::to_lowercase).collect();
            override_one(&mut table, &known, &name, &path, &value, &mut problems);
        }
        if !problems.is_empty() {
            return Err(InvalidSettings(problems));
        }
        let settings: Self = Value::Table(table).try_into().map_err(|e: toml::de::Error| one(format!("configuration: {}", e.message())))?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), InvalidSettings> {
        let mut problems = Vec::new();
        let mut names = BTreeSet::new();
        for connector in &self.connector {
            if !names.insert(&connector.name) {
                problems.push(format!("two connectors are called `{}`", connector.name));
            }
        }
        if !(1..=256).contains(&self.ledger.batch) {
            problems.push(format!("`ledger.batch` is {}; expected 1 to 256", self.ledger.batch));
        }
        if !(0.0..=1.0).contains(&self.policy.confirm_share) {
            problems.push(format!("`policy.confirm_share` is {}; expected a share from 0.0 to 1.0", self.policy.confirm_share));
        }
        if !(0.0..=1.0).contains(&self.directory.max_leave_share) {
            problems.push(format!("`directory.max_leave_share` is {}; expected a share from 0.0 to 1.0", self.directory.max_leave_share));
        }
        for catalog in &self.directory.catalog {
            if let Err(error) = crate::outgoing::address(&catalog.url) {
                problems.push(format!("`directory.catalog` `{}`: {error}", catalog.name));
            }
        }
        if let Err(error) = self.directory.precedence() {
            problems.push(error);
        }
        if let Some(name) = self.directory.scim_person_id.iter().find(|n| !["externalId", "userName"].contains(&n.as_str())) {
            problems.push(format!("`directory.scim_person_id` names `{name}`; expected `externalId` or `userName`"));
        }
        if let Some(name) = self.directory.scim_join_by.iter().find(|n| !["externalId", "userName", "displayName"].contains(&n.as_str())) {
            problems.push(format!("`directory.scim_join_by` names `{name}`; expected `externalId`, `userName` (users) or `displayName` (groups)"));
        }
        if self.server.workers == 0 || self.database.readers == 0 {
            problems.push("`server.workers` and `database.readers` must be at least 1".to_owned());
        }
        let odd = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
        if self.policy.branch.is_empty() || self.policy.branch.starts_with('-') || self.policy.branch.contains("..") || self.policy.branch.contains(odd) {
            problems.push(format!("`policy.branch` is `{}`; expected the name of a branch, like `main`", self.policy.branch));
        }
        if let Err(error) = crate::git::Remote::parse(&self.policy.source) {
            problems.push(error);
        }
        if let Err(error) = crate::store::db::Location::parse(self.database.url.reveal()) {
            problems.push(error);
        }
        self.check_signin(&mut problems);
        if problems.is_empty() { Ok(()) } else { Err(InvalidSettings(problems)) }
    }

    fn check_signin(&self, problems: &mut Vec<String>) {
        let signin = &self.signin;
        match (signin.mode, signin.issuer.is_empty()) {
            (SigninMode::Oidc, true) => problems.push("`signin.mode` is `oidc`, and there is no `[[signin.issuer]]` to sign in with".to_owned()),
            (SigninMode::Development, false) => problems.push(
                "there is a `[[signin.issuer]]`, and `signin.mode` is `development`, where everybody is whom they choose; expected `oidc`, or no issuer".to_owned(),
            ),
            _ => {}
        }
        if signin.mode == SigninMode::Oidc {
            match crate::outgoing::address(&self.server.public_url) {
                Err(error) => problems.push(format!("`server.public_url`: {error}; sign-in needs it, because issuers send people back to it")),
                Ok(url) if !matches!(url.path(), "" | "/") || url.query().is_some() => {
                    problems.push(format!("`server.public_url` is `{}`; expected scheme, host and port, no path", self.server.public_url));
                }
                // Forms must come from it, letter by letter as browsers write it.
                Ok(url) if url.origin().ascii_serialization() != self.server.public_url.trim_end_matches('/') => problems.push(format!(
                    "`server.public_url` is `{}`, which browsers call `{}`: then no form would be taken; write it like that",
                    self.server.public_url,
                    url.origin().ascii_serialization()
                )),
                Ok(_) => {}
            }
        }
        // When a session was seen last, replicas learn up to a minute and a half late.
        if signin.idle.as_seconds() < 300 {
            problems.push(format!("`signin.idle` is {}; expected 5m or more", signin.idle));
        }
        if signin.idle > signin.absolute {
            problems.push("`signin.idle` is longer than `signin.absolute`".to_owned());
        }
        let (mut names, mut urls) = (BTreeSet::new(), BTreeSet::new());
        for issuer in &signin.issuer {
            if !names.insert(&issuer.name) {
                problems.push(format!("two issuers are called `{}`", issuer.name));
            }
            if !urls.insert(&issuer.url) {
                problems.push(format!("two issuers have the address `{}`", issuer.url));
            }
            issuer.check(problems);
        }
    }

    /// The names of the configured connectors.
    pub fn connectors(&self) -> BTreeSet<ConnectorName> {
        self.connector.iter().map(|c| c.name.clone()).collect()
    }
}

fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    crate::domain::nearest::nearest(word, known).map_or_else(String::new, |k| format!("; did you mean `{k}`?"))
}

fn unknown_keys(known: &Table, given: &Table, above: &str, origin: &str, problems: &mut Vec<String>) {
    for (key, value) in given {
        let full = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        match (known.get(key), value) {
            (None, _) => problems.push(format!("{origin}unknown key `{full}`{}", nearest(key, known.keys().map(String::as_str)))),
            // A table without defaults has keys of the reader's own.
            (Some(Value::Table(known)), Value::Table(given)) if !known.is_empty() => unknown_keys(known, given, &full, origin, problems),
            (Some(Value::Array(_)), Value::Array(items)) if key == "connector" => {
                for table in items.iter().filter_map(Value::as_table) {
                    for key in table.keys().filter(|k| !CONNECTOR_KEYS.contains(&k.as_str())) {
                        problems.push(format!("{origin}unknown key `connector.{key}`{}", nearest(key, CONNECTOR_KEYS)));
                    }
                }
            }
            (Some(Value::Array(_)), Value::Array(items)) if full == "signin.issuer" => {
                for table in items.iter().filter_map(Value::as_table) {
                    for key in table.keys().filter(|k| !issuer::KEYS.contains(&k.as_str())) {
                        problems.push(format!("{origin}unknown key `signin.issuer.{key}`{}", nearest(key, issuer::KEYS)));
                    }
                }
            }
            _ => {}
        }
    }
}

fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Sets one key from the environment: the text as a TOML value where that fits the default's type, else as it is.
fn override_one(table: &mut Table, known: &Table, name: &str, path: &[String], value: &str, problems: &mut Vec<String>) {
    if let [first, connector, key] = path
        && first == "connector"
    {
        let entries = table.get_mut("connector").and_then(Value::as_array_mut);
        let entry = entries.into_iter().flatten().filter_map(Value::as_table_mut).find(|t| t.get("name").and_then(Value::as_str) == Some(connector));
        match entry {
            Some(entry) if CONNECTOR_KEYS.contains(&key.as_str()) => {
                entry.insert(key.clone(), parse_value(value, None));
            }
            Some(_) => problems.push(format!("{name}: unknown key `{key}` of a connector{}", nearest(key, CONNECTOR_KEYS))),
            None => problems.push(format!("{name}: there is no connector `{connector}`")),
        }
        return;
    }
    if let [section, list, issuer, key] = path
        && section == "signin"
        && list == "issuer"
    {
        // Names in the environment hold no `-`.
        let named = |t: &Table| t.get("name").and_then(Value::as_str).is_some_and(|n| n.replace('-', "_") == *issuer || n == issuer);
        let entries = table.get_mut("signin").and_then(|s| s.get_mut("issuer")).and_then(Value::as_array_mut);
        let entry = entries.into_iter().flatten().filter_map(Value::as_table_mut).find(|t| named(t));
        match entry {
            Some(entry) if issuer::KEYS.contains(&key.as_str()) => {
                // An id or a secret may look like a number.
                let text = matches!(key.as_str(), "name" | "title" | "url" | "client_id" | "client_secret" | "subject_claim" | "api_subject_claim" | "person_claim" | "person_field" | "token_type" | "ca_file");
                entry.insert(key.clone(), parse_value(value, text.then(|| Value::String(String::new())).as_ref()));
            }
            Some(_) => problems.push(format!("{name}: unknown key `{key}` of an issuer{}", nearest(key, issuer::KEYS))),
            None => problems.push(format!("{name}: there is no issuer `{issuer}`")),
        }
        return;
    }
    let [section, key] = path else {
        problems.push(format!("{name}: expected BANDPASS__SECTION__KEY"));
        return;
    };
    let Some(default) = known.get(section).and_then(Value::as_table).and_then(|t| t.get(key)) else {
        let near = match known.get(section).and_then(Value::as_table) {
            Some(table) => nearest(key, table.keys().map(String::as_str)),
            None => nearest(section, known.keys().map(String::as_str)),
        };
        problems.push(format!("{name}: unknown key `{section}.{key}`{near}"));
        return;
    };
    if let Some(section) = table.get_mut(section).and_then(Value::as_table_mut) {
        section.insert(key.clone(), parse_value(value, Some(default)));
    }
}

fn parse_value(text: &str, default: Option<&Value>) -> Value {
    if matches!(default, Some(Value::String(_))) {
        return Value::String(text.to_owned());
    }
    let parsed = format!("v = {text}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::Settings;

    fn load(variables: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::load(None, variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))).map_err(|e| e.to_string())
    }

    #[test]
    fn defaults_load_and_the_environment_overrides() {
        let settings = load(&[("BANDPASS__SERVER__LISTEN", "127.0.0.1:9"), ("BANDPASS__CONNECTOR__WAREHOUSE__KIND", "postgres")]).unwrap();
        assert_eq!(settings.server.listen.port(), 9);
        assert_eq!(settings.connector[0].kind, "postgres");
    }

    #[test]
    fn unknown_keys_are_named_with_the_nearest() {
        let error = load(&[("BANDPASS__SERVER__LISTN", "x"), ("BANDPASS__POLCY__SOURCE", "x")]).unwrap_err();
        assert_eq!(
            error,
            "BANDPASS__POLCY__SOURCE: unknown key `polcy.source`; did you mean `policy`?\nBANDPASS__SERVER__LISTN: unknown key `server.listn`; did you mean `listen`?"
        );
    }

    #[test]
    fn secrets_do_not_print() {
        let settings = load(&[("BANDPASS__DATABASE__URL", "postgres://u:hunter2@h/d")]).unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
