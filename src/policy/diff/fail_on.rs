//! What an admin chose to be stopped by.

use std::str::FromStr;

use super::{Diff, Direction, Fate};
use crate::domain::nearest::nearest;

/// A change that stops a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailOn {
    /// Somebody gets something more easily or for longer.
    Widened,
    /// Somebody gets something less easily or for less time, or not at all.
    Narrowed,
    /// Other people are asked for an approval.
    ApproversChanged,
    /// A live grant would end, be flagged, or be decided again.
    EndsGrants,
    /// Sensitivity or tags that a guardrail reads have changed.
    Relabelled,
    /// A conflict appears.
    Conflicts,
    /// A stage has too few people.
    EmptyStages,
    /// A guardrail came, went or reads otherwise.
    GuardrailsChanged,
    /// Who administers or audits Bandpass has changed.
    RolesChanged,
}

const ALL: [(&str, FailOn); 9] = [
    ("widened", FailOn::Widened),
    ("narrowed", FailOn::Narrowed),
    ("approvers-changed", FailOn::ApproversChanged),
    ("ends-grants", FailOn::EndsGrants),
    ("relabelled", FailOn::Relabelled),
    ("conflicts", FailOn::Conflicts),
    ("empty-stages", FailOn::EmptyStages),
    ("guardrails-changed", FailOn::GuardrailsChanged),
    ("roles-changed", FailOn::RolesChanged),
];

impl FailOn {
    /// The word of the command line.
    pub fn word(self) -> &'static str {
        ALL.iter().find(|(_, f)| *f == self).map_or("", |(word, _)| word)
    }

    /// Whether it happens.
    pub fn happens(self, diff: &Diff) -> bool {
        let moves = |wanted: &[Direction]| diff.groups.iter().flat_map(|g| &g.moves).any(|m| wanted.contains(&m.direction));
        match self {
            Self::Widened => moves(&[Direction::Gains, Direction::Mixed]),
            Self::Narrowed => moves(&[Direction::Loses, Direction::Mixed]),
            Self::ApproversChanged => moves(&[Direction::AsksOthers]) || diff.groups.iter().any(|g| g.edits.iter().any(|e| e.starts_with("owner:"))),
            Self::EndsGrants => diff.grants.iter().any(|g| matches!(g.fate, Fate::EndsAtOnce | Fate::Ends | Fate::Flagged | Fate::DecidedAgain)),
            Self::Relabelled => diff.groups.iter().any(|g| g.read_by_guardrails),
            Self::Conflicts => !diff.conflicts_added.is_empty(),
            Self::EmptyStages => !diff.empty_stages.is_empty(),
            Self::GuardrailsChanged => !diff.guardrails.is_empty(),
            Self::RolesChanged => !diff.roles.is_empty(),
        }
    }
}

impl FromStr for FailOn {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, found)) = ALL.iter().find(|(word, _)| *word == text) {
            return Ok(*found);
        }
        let words = ALL.map(|(word, _)| word);
        let near = nearest(text, words).map(|n| format!("did you mean `{n}`? ")).unwrap_or_default();
        Err(format!("{near}the words are {}", words.join(", ")))
    }
}
