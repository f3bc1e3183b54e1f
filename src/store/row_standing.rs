//! Rows about how grants stand: the columns of a grant that tell it, held endings, notices, lives of groups.

use diesel::prelude::*;

use super::{
    row::BadRow,
    schema::{group_lives, held_endings, notices},
};
use crate::domain::{
    duration::Duration,
    group::OnChange,
    id::{GroupId, PolicyRevision},
    standing::{Departure, Fate, HeldEndings, HeldState, Notice, Standing},
    time::Time,
};

/// The columns of a grant that tell how it stands: fate, cause, since, event, full end.
pub type StandingColumns = (Option<String>, Option<String>, Option<i64>, Option<i64>, Option<i64>);

/// What the columns hold.
pub fn standing_columns(standing: Option<&Standing>) -> StandingColumns {
    match standing {
        None => (None, None, None, None, None),
        Some(s) => {
            let cause = serde_json::to_string(&s.cause).ok();
            (Some(s.fate.as_str().to_owned()), cause, Some(s.since.micros()), Some(s.seq), Some(s.full_end.micros()))
        }
    }
}

/// Reads the columns back; the inner none is a grant that stands, the outer one what no version of this program writes.
pub fn standing(columns: StandingColumns) -> Option<Option<Standing>> {
    match columns {
        (None, None, None, None, None) => Some(None),
        (Some(fate), Some(cause), Some(since), Some(seq), Some(full_end)) => Some(Some(Standing {
            fate: Fate::from_stored(&fate)?,
            cause: serde_json::from_str(&cause).ok()?,
            since: Time::from_micros(since),
            seq,
            full_end: Time::from_micros(full_end),
        })),
        _ => None,
    }
}

/// `group_lives`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = group_lives, treat_none_as_default_value = false)]
#[allow(missing_docs)]
pub struct GroupLifeRow {
    pub group_id: String,
    pub incarnation: i64,
    pub live: bool,
    pub on_change: Option<String>,
    pub grace: Option<i64>,
}

/// The word for `on_change`.
pub fn on_change_word(on_change: OnChange) -> &'static str {
    match on_change {
        OnChange::Revoke => "revoke",
        OnChange::Flag => "flag",
    }
}

impl GroupLifeRow {
    /// Id, incarnation, whether it is in force, and what it said last when it left.
    pub fn read(self) -> Option<(GroupId, i64, bool, Departure)> {
        let on_change = match self.on_change.as_deref() {
            Some("flag") => OnChange::Flag,
            _ => OnChange::Revoke,
        };
        let grace = self.grace.and_then(|g| u32::try_from(g).ok()).and_then(Duration::seconds);
        let departure = Departure { on_change, grace: grace.unwrap_or_else(crate::domain::group::default_grace) };
        Some((GroupId::parse(&self.group_id).ok()?, self.incarnation, self.live, departure))
    }
}

/// `held_endings`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = held_endings, treat_none_as_default_value = false)]
#[allow(missing_docs)]
pub struct HeldEndingsRow {
    pub seq: i64,
    pub at: i64,
    pub of: String,
    pub state: String,
    pub closed_seq: Option<i64>,
    pub confirmed_policy: Option<String>,
    pub confirmed_directory: Option<i64>,
}

impl HeldEndingsRow {
    /// The row of endings that an event holds.
    pub fn new(held: &HeldEndings) -> Self {
        Self {
            seq: held.seq,
            at: held.at.micros(),
            of: serde_json::to_string(&held.of).unwrap_or_default(),
            state: held.state.as_str().to_owned(),
            closed_seq: None,
            confirmed_policy: None,
            confirmed_directory: None,
        }
    }
}

impl TryFrom<HeldEndingsRow> for HeldEndings {
    type Error = BadRow;
    fn try_from(row: HeldEndingsRow) -> Result<Self, BadRow> {
        let bad = |column| BadRow { table: "held_endings", column, key: row.seq.to_string() };
        let policy = row.confirmed_policy.as_deref().map(PolicyRevision::from_stored);
        Ok(Self {
            seq: row.seq,
            at: Time::from_micros(row.at),
            of: serde_json::from_str(&row.of).map_err(|_| bad("of"))?,
            state: HeldState::from_stored(&row.state).ok_or_else(|| bad("state"))?,
            confirmed_for: row.confirmed_directory.map(|directory| (policy, directory)),
        })
    }
}

/// `notices`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = notices, treat_none_as_default_value = false)]
#[allow(missing_docs)]
pub struct NoticeRow {
    pub seq: i64,
    pub audience: String,
    pub at: i64,
    pub person: String,
    pub group_id: String,
    pub grant_id: String,
    pub kind: String,
}

impl From<&Notice> for NoticeRow {
    fn from(n: &Notice) -> Self {
        Self {
            seq: n.seq,
            audience: n.audience.as_str().to_owned(),
            at: n.at.micros(),
            person: n.person.to_string(),
            group_id: n.group.to_string(),
            grant_id: n.grant.to_string(),
            kind: n.kind.to_owned(),
        }
    }
}
