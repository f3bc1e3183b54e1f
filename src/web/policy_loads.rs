//! The newest loads of policy from the log, used and refused, for the page and the API.

use serde::Serialize;
use utoipa::ToSchema;

use super::{AppState, Known, problem::Problem};
use crate::{
    domain::{access_change::{AccessChange, GroupAccess}, commit::Commit, event::{Change, Personal}, time::Time},
    ledger::encode::Body,
    store::read::{AuditFilter, Page},
};

/// One load.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyLoad {
    /// Number of its event.
    pub seq: i64,
    /// When.
    #[schema(value_type = String)]
    pub at: Time,
    /// Whether it came into force; else the last good set stayed.
    pub loaded: bool,
    /// Content hash of the set that came into force.
    pub revision: Option<String>,
    /// Where it came from.
    pub source: String,
    /// The commit with its author, when the source is a git repository: id, author, author_email, subject.
    #[schema(value_type = Option<Object>)]
    pub commit: Option<Commit>,
    /// How many people gained and lost, over all groups: `newly_instant`, `newly_by_approval`, `no_longer_instant`, `lost`.
    #[schema(value_type = Option<Object>)]
    pub access: Option<AccessChange>,
    /// Who, by group; for auditors and admins, else empty.
    #[schema(value_type = Vec<Object>)]
    pub who: Vec<GroupAccess>,
    /// Groups that are new with it.
    pub groups_added: Vec<String>,
    /// Groups that are gone with it.
    pub groups_removed: Vec<String>,
    /// How many errors kept it from being used.
    pub errors: u32,
    /// The first of them.
    pub problems: Vec<String>,
    /// What the log says of it in a line; empty when it was erased.
    #[serde(skip)]
    pub told: String,
}

/// The newest loads, newest first.
///
/// # Errors
/// When the log cannot be read.
pub async fn newest(state: &AppState, caller: &Known, limit: u16) -> Result<Vec<PolicyLoad>, Problem> {
    let filter = AuditFilter { kind: Some("policy.".to_owned()), ..AuditFilter::default() };
    let rows = state.reader.audit(filter, Page { before: None, limit }).await?.items;
    let read = |row: &crate::store::read::AuditRow| {
        let body: Body = serde_json::from_str(&row.body).ok()?;
        let personal = row.personal.as_deref().and_then(|t| serde_json::from_str::<Personal>(t).ok()).unwrap_or_default();
        let ids = |ids: &[crate::domain::id::GroupId]| ids.iter().map(ToString::to_string).collect();
        let told = personal.reason.unwrap_or_default();
        let blank = PolicyLoad {
            seq: row.seq, at: row.at, loaded: false, revision: None, source: String::new(), commit: None, access: None, who: Vec::new(),
            groups_added: Vec::new(), groups_removed: Vec::new(), errors: 0, problems: Vec::new(), told,
        };
        match body.change {
            Change::PolicyLoaded { revision, source, groups_added, groups_removed, commit, access, .. } => Some(PolicyLoad {
                loaded: true,
                revision: Some(revision.to_string()),
                source,
                commit: Commit::recorded(commit, personal.commit.map(|c| *c)),
                access,
                // Numbers are for everybody; who it is, those who may see what others hold.
                who: if caller.auditor || caller.admin { personal.access } else { Vec::new() },
                groups_added: ids(&groups_added),
                groups_removed: ids(&groups_removed),
                ..blank
            }),
            Change::PolicyLoadFailed { source, errors, problems, .. } => Some(PolicyLoad { source, errors, problems, ..blank }),
            _ => None,
        }
    };
    Ok(rows.iter().filter_map(read).collect())
}
