//! Rows as the tables hold them, and what becomes of domain values on the way in and out.

use diesel::prelude::*;

use super::row_standing::{standing, standing_columns};
use super::schema::{approvals, audit_log, audit_private, blocks, deliveries, grants, idempotency, people, requests, teams, tokens};
use crate::domain::{
    delivery::{Delivery, DeliveryAction, DeliveryState},
    duration::Duration,
    grant::{Grant, GrantStatus, Provenance},
    group::Entitlement,
    id::{ConnectorName, GroupId, PersonId, PolicyRevision, ServiceName},
    request::{Approval, Request, RequestStatus},
    time::Time,
    token::{Scope, Token},
};

/// A stored value that no version of this program writes: somebody else did. Names the table and the column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the row {key} of `{table}` holds an impossible `{column}`")]
pub struct BadRow {
    /// Table.
    pub table: &'static str,
    /// Column.
    pub column: &'static str,
    /// Its key.
    pub key: String,
}

impl BadRow {
    /// A column of a row.
    pub(super) fn new(table: &'static str, column: &'static str, key: &str) -> Self {
        Self { table, column, key: key.to_owned() }
    }
}

fn bad<T>(table: &'static str, column: &'static str, key: impl ToString, value: Option<T>) -> Result<T, BadRow> {
    value.ok_or_else(|| BadRow { table, column, key: key.to_string() })
}

fn seconds(value: i64) -> Option<Duration> {
    u32::try_from(value).ok().and_then(Duration::seconds)
}

/// `audit_log`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_log, treat_none_as_default_value = false)]
#[allow(missing_docs)]
pub struct AuditLogRow {
    pub seq: i64,
    pub at: i64,
    pub kind: String,
    pub actor: String,
    pub person: Option<String>,
    pub group_id: Option<String>,
    pub request: Option<String>,
    pub grant_id: Option<String>,
    pub outcome: String,
    pub rule: Option<String>,
    pub policy_revision: Option<String>,
    pub command: String,
    pub body: String,
}

/// `audit_private`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_private, treat_none_as_default_value = false)]
#[allow(missing_docs)]
pub struct AuditPrivateRow {
    pub seq: i64,
    pub salt: Option<Vec<u8>>,
    pub text: Option<String>,
}

/// `requests`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, serde::Serialize)]
#[diesel(table_name = requests, treat_none_as_default_value = false)]
#[allow(missing_docs)]
pub struct RequestRow {
    pub filed_seq: i64,
    pub id: String,
    pub person: String,
    pub filed_by: String,
    pub group_id: String,
    pub incarnation: i64,
    pub duration: i64,
    pub justified: bool,
    pub submitted_at: i64,
    pub status: String,
    pub rule: Option<String>,
    pub policy_revision: String,
    pub stage: i32,
    pub stage_since: i64,
    pub deadline: Option<i64>,
    pub decided_at: Option<i64>,
    pub decided_seq: Option<i64>,
}

impl From<&Request> for RequestRow {
    fn from(r: &Request) -> Self {
        Self {
            filed_seq: r.filed_seq,
            id: r.id.to_string(),
            person: r.person.to_string(),
            filed_by: r.filed_by.to_string(),
            group_id: r.group.to_string(),
            incarnation: r.incarnation,
            duration: i64::from(r.duration.as_seconds()),
            justified: r.justified,
            submitted_at: r.submitted_at.micros(),
            status: r.status.as_str().to_owned(),
            rule: r.rule.as_ref().and_then(|rule| serde_json::to_string(rule).ok()),
            policy_revision: r.policy_revision.to_string(),
            stage: i32::try_from(r.stage).unwrap_or(i32::MAX),
            stage_since: r.stage_since.micros(),
            deadline: r.deadline.map(Time::micros),
            decided_at: r.decided_at.map(Time::micros),
            decided_seq: r.decided_seq,
        }
    }
}

impl TryFrom<RequestRow> for Request {
    type Error = BadRow;
    fn try_from(row: RequestRow) -> Result<Self, BadRow> {
        const T: &str = "requests";
        let key = row.filed_seq;
        let rule = match &row.rule {
            Some(text) => Some(bad(T, "rule", key, serde_json::from_str(text).ok())?),
            None => None,
        };
        Ok(Self {
            id: bad(T, "id", key, row.id.parse().ok())?,
            person: bad(T, "person", key, PersonId::parse(&row.person).ok())?,
            filed_by: bad(T, "filed_by", key, PersonId::parse(&row.filed_by).ok())?,
            group: bad(T, "group_id", key, GroupId::parse(&row.group_id).ok())?,
            incarnation: row.incarnation,
            duration: bad(T, "duration", key, seconds(row.duration))?,
            justified: row.justified,
            submitted_at: Time::from_micros(row.submitted_at),
            status: bad(T, "status", key, RequestStatus::from_stored(&row.status))?,
            rule,
            policy_revision: PolicyRevision::from_stored(&row.policy_revision),
            stage: bad(T, "stage", key, u32::try_from(row.stage).ok())?,
            stage_since: Time::from_micros(row.stage_since),
            deadline: row.deadline.map(Time::from_micros),
            decided_at: row.decided_at.map(Time::from_micros),
            filed_seq: row.filed_seq,
            decided_seq: row.decided_seq,
        })
    }
}

/// `approvals`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, serde::Serialize)]
#[diesel(table_name = approvals)]
#[allow(missing_docs)]
pub struct ApprovalRow {
    pub seq: i64,
    pub request: String,
    pub person: String,
    pub stage: i32,
    pub at: i64,
}

impl From<&Approval> for ApprovalRow {
    fn from(a: &Approval) -> Self {
        Self {
            seq: a.seq,
            request: a.request.to_string(),
            person: a.person.to_string(),
            stage: i32::try_from(a.stage).unwrap_or(i32::MAX),
            at: a.at.micros(),
        }
    }
}

impl TryFrom<ApprovalRow> for Approval {
    type Error = BadRow;
    fn try_from(row: ApprovalRow) -> Result<Self, BadRow> {
        const T: &str = "approvals";
        Ok(Self {
            request: bad(T, "request", row.seq, row.request.parse().ok())?,
            person: bad(T, "person", row.seq, PersonId::parse(&row.person).ok())?,
            stage: bad(T, "stage", row.seq, u32::try_from(row.stage).ok())?,
            at: Time::from_micros(row.at),
            seq: row.seq,
        })
    }
}

/// `grants`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, serde::Serialize)]
#[diesel(table_name = grants, treat_none_as_default_value = false)]
#[allow(missing_docs)]
pub struct GrantRow {
    pub granted_seq: i64,
    pub id: String,
    pub person: String,
    pub group_id: String,
    pub incarnation: i64,
    pub request: Option<String>,
    pub rule: String,
    pub duration: i64,
    pub provenance: String,
    pub entitlements: String,
    pub starts_at: i64,
    pub ends_at: i64,
    pub status: String,
    pub ended_at: Option<i64>,
    pub ended_seq: Option<i64>,
    pub standing: Option<String>,
    pub standing_cause: Option<String>,
    pub standing_since: Option<i64>,
    pub standing_seq: Option<i64>,
    pub full_end: Option<i64>,
}

/// The text of a grant's `entitlements` column.
pub fn entitlements_text(entitlements: &[Entitlement]) -> String {
    serde_json::to_string(entitlements).unwrap_or_else(|_| "[]".to_owned())
}

impl From<&Grant> for GrantRow {
    fn from(g: &Grant) -> Self {
        let (standing, standing_cause, standing_since, standing_seq, full_end) = standing_columns(g.standing.as_ref());
        Self {
            granted_seq: g.granted_seq,
            id: g.id.to_string(),
            person: g.person.to_string(),
            group_id: g.group.to_string(),
            incarnation: g.incarnation,
            request: g.request.map(|r| r.to_string()),
            rule: g.rule.clone(),
            duration: i64::from(g.duration.as_seconds()),
            provenance: g.provenance.as_str().to_owned(),
            entitlements: entitlements_text(&g.entitlements),
            starts_at: g.starts_at.micros(),
            ends_at: g.ends_at.micros(),
            status: g.status.as_str().to_owned(),
            ended_at: g.ended_at.map(Time::micros),
            ended_seq: g.ended_seq,
            standing,
            standing_cause,
            standing_since,
            standing_seq,
            full_end,
        }
    }
}

impl TryFrom<GrantRow> for Grant {
    type Error = BadRow;
    fn try_from(row: GrantRow) -> Result<Self, BadRow> {
        const T: &str = "grants";
        let key = row.granted_seq;
        let request = match &row.request {
            Some(text) => Some(bad(T, "request", key, text.parse().ok())?),
            None => None,
        };
        Ok(Self {
            id: bad(T, "id", key, row.id.parse().ok())?,
            person: bad(T, "person", key, PersonId::parse(&row.person).ok())?,
            group: bad(T, "group_id", key, GroupId::parse(&row.group_id).ok())?,
            incarnation: row.incarnation,
            request,
            rule: row.rule,
            duration: bad(T, "duration", key, seconds(row.duration))?,
            provenance: bad(T, "provenance", key, Provenance::from_stored(&row.provenance))?,
            entitlements: bad(T, "entitlements", key, serde_json::from_str(&row.entitlements).ok())?,
            starts_at: Time::from_micros(row.starts_at),
            ends_at: Time::from_micros(row.ends_at),
            status: bad(T, "status", key, GrantStatus::from_stored(&row.status))?,
            ended_at: row.ended_at.map(Time::from_micros),
            granted_seq: row.granted_seq,
            ended_seq: row.ended_seq,
            standing: bad(T, "standing", key, standing((row.standing, row.standing_cause, row.standing_since, row.standing_seq, row.full_end)))?,
        })
    }
}

/// `deliveries`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, serde::Serialize)]
#[diesel(table_name = deliveries, treat_none_as_default_value = false)]
#[allow(missing_docs)]
pub struct DeliveryRow {
    pub position: i64,
    pub id: String,
    pub person: String,
    pub account: Option<String>,
    pub connector: String,
    pub entitlement: String,
    pub action: String,
    pub grant_id: Option<String>,
    pub request: Option<String>,
    pub state: String,
    pub queued_at: i64,
    pub queued_seq: i64,
    pub done_at: Option<i64>,
    pub note: Option<String>,
    pub urgent: Option<bool>,
}

/// One event queues fewer deliveries than this, so `seq * 1024 + index` orders them all.
pub const DELIVERIES_PER_EVENT: i64 = 1024;

impl DeliveryRow {
    /// The row of the `index`-th delivery of its event.
    pub fn new(d: &Delivery, index: usize) -> Self {
        Self {
            position: d.queued_seq * DELIVERIES_PER_EVENT + i64::try_from(index).unwrap_or(0),
            id: d.id.to_string(),
            person: d.person.to_string(),
            account: d.account.clone(),
            connector: d.entitlement.connector.to_string(),
            entitlement: d.entitlement.name.clone(),
            action: d.action.as_str().to_owned(),
            grant_id: d.grant.map(|g| g.to_string()),
            request: d.request.map(|r| r.to_string()),
            state: d.state.as_str().to_owned(),
            queued_at: d.queued_at.micros(),
            queued_seq: d.queued_seq,
            done_at: d.done_at.map(Time::micros),
            note: d.note.clone(),
            // None as in every row of a version that did not know it.
            urgent: d.urgent.then_some(true),
        }
    }
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = BadRow;
    fn try_from(row: DeliveryRow) -> Result<Self, BadRow> {
        const T: &str = "deliveries";
        let key = row.position;
        Ok(Self {
            id: bad(T, "id", key, row.id.parse().ok())?,
            person: bad(T, "person", key, PersonId::parse(&row.person).ok())?,
            account: row.account,
            entitlement: Entitlement { connector: bad(T, "connector", key, ConnectorName::parse(&row.connector).ok())?, name: row.entitlement },
            action: bad(T, "action", key, DeliveryAction::from_stored(&row.action))?,
            grant: row.grant_id.map(|t| bad(T, "grant_id", key, t.parse().ok())).transpose()?,
            request: row.request.map(|t| bad(T, "request", key, t.parse().ok())).transpose()?,
            state: bad(T, "state", key, DeliveryState::from_stored(&row.state))?,
            queued_at: Time::from_micros(row.queued_at),
            queued_seq: row.queued_seq,
            done_at: row.done_at.map(Time::from_micros),
            note: row.note,
            urgent: row.urgent.unwrap_or(false),
        })
    }
}

/// `people`. `data` is the person as JSON; NULL after an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = people, treat_none_as_default_value = false, treat_none_as_null = true)]
#[allow(missing_docs)]
pub struct PersonRow {
    pub id: String,
    pub data: Option<String>,
    pub status: String,
    pub seq: i64,
}

/// `teams`. `data` is the team as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = teams)]
#[allow(missing_docs)]
pub struct TeamRow {
    pub id: String,
    pub data: String,
    pub seq: i64,
}

/// `blocks`: what stands between a person and a group (semantics.md, 6).
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = blocks, treat_none_as_default_value = false, treat_none_as_null = true)]
#[allow(missing_docs)]
pub struct BlockRow {
    pub person: String,
    pub group_id: String,
    pub cause: String,
    pub duration: Option<i64>,
    pub until: Option<i64>,
    pub seq: i64,
}

/// `tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = tokens, treat_none_as_default_value = false)]
#[allow(missing_docs)]
pub struct TokenRow {
    pub id: String,
    pub person: String,
    pub secret_sha256: String,
    pub scopes: String,
    pub label: String,
    pub first_admin: bool,
    pub created_at: i64,
    pub expires_at: i64,
    pub revoked_at: Option<i64>,
    pub service: Option<String>,
    pub made_with: Option<String>,
}

impl From<&Token> for TokenRow {
    fn from(t: &Token) -> Self {
        Self {
            id: t.id.to_string(),
            person: t.person.to_string(),
            secret_sha256: t.secret_sha256.clone(),
            scopes: t.scopes.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(" "),
            label: t.label.clone(),
            first_admin: t.first_admin,
            created_at: t.created_at.micros(),
            expires_at: t.expires_at.micros(),
            revoked_at: t.revoked_at.map(Time::micros),
            service: t.service.as_ref().map(ToString::to_string),
            made_with: t.made_with.map(|id| id.to_string()),
        }
    }
}

impl TryFrom<TokenRow> for Token {
    type Error = BadRow;
    fn try_from(row: TokenRow) -> Result<Self, BadRow> {
        const T: &str = "tokens";
        let key = row.id.clone();
        Ok(Self {
            id: bad(T, "id", &key, row.id.parse().ok())?,
            person: bad(T, "person", &key, PersonId::parse(&row.person).ok())?,
            service: bad(T, "service", &key, row.service.as_deref().map(ServiceName::parse).transpose().ok())?,
            made_with: bad(T, "made_with", &key, row.made_with.as_deref().map(str::parse).transpose().ok())?,
            secret_sha256: row.secret_sha256,
            scopes: bad(T, "scopes", &key, row.scopes.split_whitespace().map(Scope::parse).collect())?,
            label: row.label,
            first_admin: row.first_admin,
            created_at: Time::from_micros(row.created_at),
            expires_at: Time::from_micros(row.expires_at),
            revoked_at: row.revoked_at.map(Time::from_micros),
        })
    }
}

/// `idempotency`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = idempotency)]
#[allow(missing_docs)]
pub struct IdempotencyRow {
    pub scope: String,
    pub body: String,
    pub answer: String,
    pub at: i64,
}
