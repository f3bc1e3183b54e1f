//! What an import changes, as events record it.

use serde::{Deserialize, Serialize};

use super::{
    id::{PersonId, TeamId},
    person::{Person, Team},
};

/// One change of the directory. Whole values, so that rebuilding needs no history of fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum DirectoryChange {
    /// A person joined or came back.
    PersonAdded {
        /// As they are now.
        person: Box<Person>,
    },
    /// Facts about a person changed.
    PersonChanged {
        /// As they are now.
        person: Box<Person>,
        /// Names of the fields that differ.
        fields: Vec<String>,
    },
    /// A person left.
    PersonLeft {
        /// Who.
        id: PersonId,
    },
    /// A team is new or different.
    TeamPut {
        /// As it is now.
        team: Team,
    },
    /// A team is gone.
    TeamGone {
        /// Which.
        id: TeamId,
    },
}
