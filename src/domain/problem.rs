//! A problem in a file that a person wrote, told like a good compiler tells it.

use serde::{Deserialize, Serialize};

/// Whether the set can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// The set loads.
    Warning,
    /// The set does not load.
    Error,
}

/// One problem with its place. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// Path below the folder that was checked.
    pub file: String,
    /// First line.
    pub line: u32,
    /// First column.
    pub column: u32,
    /// Line where the underlined text ends.
    pub end_line: u32,
    /// Column after the last underlined character.
    pub end_column: u32,
    /// Stable code, like `BP012`.
    pub code: String,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, lower case, no full stop, input in backticks.
    pub message: String,
    /// What was expected, and the nearest valid thing.
    pub help: Option<String>,
    /// The source line, empty when there is none.
    pub source_line: String,
}

impl Problem {
    /// Where its code is explained, relative to the repository that holds the policy folder.
    pub fn link(&self) -> String {
        format!("policies/README.md#{}", self.code.to_lowercase())
    }
}
