//! The configured connectors, by name.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use super::{Connector, Secret, memory::Memory, postgres::Postgres};
use crate::domain::id::ConnectorName;

/// Every kind there is.
pub const KINDS: [&str; 2] = ["memory", "postgres"];

/// What one `[[connector]]` says.
#[derive(Debug, Clone)]
pub struct ConnectorConfig {
    /// Its name, as policy files write it.
    pub name: ConnectorName,
    /// One of [`KINDS`].
    pub kind: String,
    /// Where the system is; may hold a password.
    pub url: Option<Secret>,
    /// Names that may be granted there; nothing else ever is.
    pub allowed_roles: Vec<String>,
    /// Certificates (PEM) that sign the system's, instead of the machine's own list.
    pub ca_file: Option<PathBuf>,
}

/// The configured connectors; cheap to clone.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<ConnectorName, Arc<dyn Connector>>);

impl Registry {
    /// Builds every connector. Reaches no system yet.
    ///
    /// # Errors
    /// One sentence for each that cannot be built; none of them holds a URL.
    pub fn build(configs: impl IntoIterator<Item = ConnectorConfig>) -> Result<Self, Vec<String>> {
        let (mut built, mut problems) = (BTreeMap::new(), Vec::new());
        for config in configs {
            let name = config.name.clone();
            match one(config) {
                Ok(connector) => {
                    if built.insert(name.clone(), connector).is_some() {
                        problems.push(format!("two connectors are called `{name}`"));
                    }
                }
                Err(problem) => problems.push(format!("connector `{name}`: {problem}")),
            }
        }
        if problems.is_empty() { Ok(Self(built)) } else { Err(problems) }
    }

    /// A connector by its name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Connector>> {
        self.0.get(name)
    }

    /// Every connector, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ConnectorName, &Arc<dyn Connector>)> {
        self.0.iter()
    }
}

fn one(config: ConnectorConfig) -> Result<Arc<dyn Connector>, String> {
    match config.kind.as_str() {
        "memory" => match config {
            ConnectorConfig { url: Some(_), .. } => Err("`url` has no meaning for kind `memory`; remove it, or use kind `postgres`".to_owned()),
            _ => Ok(Arc::new(Memory::default())),
        },
        "postgres" => Ok(Arc::new(Postgres::new(config)?)),
        other => {
            let nearest = KINDS.into_iter().min_by_key(|kind| distance(kind, other)).unwrap_or_default();
            Err(format!("there is no kind `{}`; did you mean `{nearest}`? there are {}", other.escape_debug(), KINDS.map(|k| format!("`{k}`")).join(", ")))
        }
    }
}

/// How many letters to insert, remove or replace to turn one word into the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((y, above), corner) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or_default();
            next.push((left + 1).min(above + 1).min(corner + usize::from(x != *y)));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
