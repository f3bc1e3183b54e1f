//! The commit that a policy set was read from.

use serde::{Deserialize, Serialize};

/// Who wrote a policy set, as its commit says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its name: forty or sixty-four hexadecimal digits.
    pub id: String,
    /// Its author's name, as they set it themselves: a claim unless the commit is signed.
    pub author: String,
    /// Its author's address, likewise.
    pub author_email: String,
    /// The first line of its message.
    pub subject: String,
}

impl Commit {
    /// The commit of a recorded load: who wrote it is personal text and may be erased, its digits stay.
    pub fn recorded(id: Option<String>, personal: Option<Self>) -> Option<Self> {
        let id = id?;
        let known = personal.filter(|commit| commit.id == id);
        Some(known.unwrap_or_else(|| Self { id, author: String::new(), author_email: String::new(), subject: String::new() }))
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        short(&self.id)
    }
}

/// The first twelve digits of a commit's name.
pub fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
