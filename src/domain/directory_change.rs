//! What an import changes, as events record it.

use serde::{Deserialize, Serialize};

use super::{
    id::{PersonId, TeamId},
    person::{Person, Team},
    record::{PersonRecord, SourceName, TeamRecord},
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

/// What a source says now, beside what that changes. Files alone say nothing here: what they say is the directory itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Told {
    /// Of people. One whose effective facts do not change comes only here.
    #[serde(default)]
    pub people: Vec<PersonRecord>,
    /// Of teams.
    #[serde(default)]
    pub teams: Vec<TeamRecord>,
    /// Teams of which a source speaks no more, while others do.
    #[serde(default)]
    pub forgotten: Vec<(SourceName, TeamId)>,
}

impl Told {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty() && self.teams.is_empty() && self.forgotten.is_empty()
    }
}
