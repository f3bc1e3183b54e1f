//! The audit log, for auditors.

use actix_web::{HttpResponse, web::{Data, Json, Path, Query}};
use serde::Deserialize;

use super::{cursor, page, parse, shapes::{EventShape, List}};
use crate::{
    domain::event::Change,
    store::read::AuditFilter,
    web::{AppState, Known, limits, problem::Problem},
};

/// Which events.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// About or by this person.
    pub person: Option<String>,
    /// About this group.
    pub group: Option<String>,
    /// Of this kind, like `request.granted`; `request.` takes all that begin so.
    pub kind: Option<String>,
    /// `granted`, `denied`, `pending`, `ended`, `done`, `failing` or `refused`.
    pub outcome: Option<String>,
    /// About this request.
    pub request: Option<String>,
    /// Not before (RFC 3339).
    pub from: Option<String>,
    /// Before (RFC 3339).
    pub to: Option<String>,
    /// Words in reason, justification, comment or rule.
    pub q: Option<String>,
    /// 1 to 200, default 50.
    pub limit: Option<u16>,
    /// Cursor of the page before.
    pub cursor: Option<String>,
}

/// The filter of a query. Empty fields, as forms send them, mean nothing.
pub(crate) fn filter(query: &AuditQuery) -> Result<AuditFilter, Problem> {
    let given = |text: &Option<String>| text.clone().filter(|t| !t.trim().is_empty());
    let kind = given(&query.kind);
    if let Some(kind) = kind.as_deref()
        && !Change::KINDS.iter().any(|k| *k == kind || (kind.ends_with('.') && k.starts_with(kind)))
    {
        return Err(Problem::bad_field("kind", format!("is not a kind of event; kinds are {}", Change::KINDS.join(", "))));
    }
    let outcome = given(&query.outcome);
    if let Some(outcome) = outcome.as_deref()
        && !Change::KINDS.iter().any(|k| Change::outcome_of(k).as_str() == outcome)
    {
        return Err(Problem::bad_field("outcome", "expected granted, denied, pending, ended, done, failing or refused"));
    }
    Ok(AuditFilter {
        person: parse("person", query.person.as_deref())?,
        group: parse("group", query.group.as_deref())?,
        kind,
        outcome,
        request: parse("request", query.request.as_deref())?,
        from: parse("from", query.from.as_deref())?,
        to: parse("to", query.to.as_deref())?,
        text: limits::text("q", given(&query.q))?,
    })
}

/// Events, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditQuery), responses((status = 200, body = List<EventShape>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn list(state: Data<AppState>, _caller: Known, query: Query<AuditQuery>) -> Result<Json<List<EventShape>>, Problem> {
    let found = state.reader.audit(filter(&query)?, page(query.limit, query.cursor.as_deref())?).await?;
    Ok(Json(List { items: found.items.iter().map(EventShape::from).collect(), next: cursor(found.next) }))
}

/// One event.
#[utoipa::path(get, path = "/api/v1/audit/events/{seq}", tag = "audit", params(("seq" = i64, Path)), responses((status = 200, body = EventShape), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn show(state: Data<AppState>, _caller: Known, seq: Path<i64>) -> Result<Json<EventShape>, Problem> {
    let row = state.reader.audit_event(*seq).await?.ok_or_else(|| Problem::not_found("event"))?;
    Ok(Json(EventShape::from(&row)))
}

/// The signed head of the log (C2SP tlog-checkpoint); keep it elsewhere, and `bandpass audit verify --against` proves the past.
#[utoipa::path(get, path = "/api/v1/audit/checkpoint", tag = "audit", responses((status = 200, body = String, content_type = "text/plain"), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn checkpoint(state: Data<AppState>, _caller: Known) -> Result<HttpResponse, Problem> {
    let head = state.reader.head().await?;
    let size = u64::try_from(head.seq).unwrap_or(0);
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(state.signer.sign(size, head.root)))
}
