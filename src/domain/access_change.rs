//! Whom a load of policy gave and took access.

use serde::{Deserialize, Serialize};

use super::id::GroupId;

/// Numbers of people, over all groups. Somebody may count in several: what they get can grow for short times and shrink for
/// long ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AccessChange {
    /// At some length of time they have a group at once now, and had not.
    pub newly_instant: u32,
    /// They may ask people now, and could not have it at all.
    pub newly_by_approval: u32,
    /// They must ask people now, and had it at once.
    pub no_longer_instant: u32,
    /// They cannot have it at all now, and could.
    pub lost: u32,
}

impl AccessChange {
    /// Whether nobody gained or lost.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// In words: "3 people newly at once, 2 no longer at all".
    pub fn in_words(&self) -> String {
        let kinds = [
            (self.newly_instant, "newly at once"),
            (self.newly_by_approval, "newly by approval"),
            (self.no_longer_instant, "now only by approval"),
            (self.lost, "no longer at all"),
        ];
        let told: Vec<String> = kinds.iter().filter(|(n, _)| *n > 0).enumerate().map(|(at, (n, what))| if at > 0 { format!("{n} {what}") } else { format!("{n} {} {what}", if *n == 1 { "person" } else { "people" }) }).collect();
        if told.is_empty() { "nobody gains or loses".to_owned() } else { told.join(", ") }
    }
}

/// Whom it gave and took one group. Names are about people, so this is personal text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupAccess {
    /// The group.
    pub group: GroupId,
    /// Who has it at once now.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub newly_instant: Named,
    /// Who may ask for it now.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub newly_by_approval: Named,
    /// Who must ask for it now.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub no_longer_instant: Named,
    /// Who cannot have it now.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub lost: Named,
}

/// What is known of a load: the numbers, and the names by group; or why it is not known.
pub type Compared = Result<(AccessChange, Vec<GroupAccess>), String>;

/// Some names of many.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Named {
    /// The first of them, by id.
    pub names: Vec<String>,
    /// How many they are altogether.
    pub count: u32,
}

impl Named {
    /// Names that are kept; an event is not a second directory.
    pub const MOST: usize = 20;

    /// Whether nobody is meant.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// "Ann, Bob and 3 more".
    pub fn in_words(&self) -> String {
        let shown = self.names.join(", ");
        match usize::try_from(self.count).unwrap_or(usize::MAX).saturating_sub(self.names.len()) {
            0 => shown,
            more => format!("{shown} and {more} more"),
        }
    }
}

impl GroupAccess {
    /// A line for each kind that anybody is of: what it is, and who.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let kinds = [
            ("newly at once", &self.newly_instant),
            ("newly by approval", &self.newly_by_approval),
            ("now only by approval", &self.no_longer_instant),
            ("no longer at all", &self.lost),
        ];
        kinds.into_iter().filter(|(_, named)| !named.is_empty()).map(|(what, named)| (what, named.in_words())).collect()
    }
}
