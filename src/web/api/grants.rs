//! Grants: list, revoke, renew.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, web::{Data, Json, Path, Query}};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Sent, cursor, execute, page, parse, requests::unexpected, shapes::{GrantShape, List, RequestShape}};
use crate::{
    auth::{Caller, visibility},
    domain::{command::{Answer, Command}, grant::Grant, id::{GrantId, GroupId, PersonId}, time::Time},
    store::read::GrantFilter,
    web::{AppState, Known, limits, problem::Problem},
};

/// Which grants.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct GrantQuery {
    /// Of this person; oneself when neither person nor group is given.
    person: Option<String>,
    /// Of this group.
    group: Option<String>,
    /// Held at this instant (RFC 3339); now when left out.
    at: Option<String>,
    /// 1 to 200, default 50.
    limit: Option<u16>,
    /// Cursor of the page before.
    cursor: Option<String>,
}

/// Grants held at an instant, newest first, as far as the caller may see them.
#[utoipa::path(get, path = "/api/v1/grants", tag = "grants", params(GrantQuery), responses((status = 200, body = List<GrantShape>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn list(state: Data<AppState>, caller: Known, query: Query<GrantQuery>) -> Result<Json<List<GrantShape>>, Problem> {
    let person: Option<PersonId> = parse("person", query.person.as_deref())?;
    let group: Option<GroupId> = parse("group", query.group.as_deref())?;
    let of_group = group.as_ref().is_some_and(|g| visibility::may_see_members(&caller, g));
    let people = match person {
        Some(person) if of_group || visibility::may_see_holdings(&caller, &person) => Some(BTreeSet::from([person])),
        Some(person) => {
            state.refusals.note(&caller, "GET grants", "not_allowed", person.as_str());
            return Err(Problem::not_allowed("what a person holds is seen by themselves, their managers, owners and auditors"));
        }
        None if caller.auditor || of_group => None,
        None => Some(BTreeSet::from([caller.id().clone()])),
    };
    let at: Time = parse("at", query.at.as_deref())?.unwrap_or_else(|| state.ledger.now());
    let filter = GrantFilter { people, groups: group.map(|g| BTreeSet::from([g])), at: Some(at), ..GrantFilter::default() };
    let found = state.reader.grants(filter, page(query.limit, query.cursor.as_deref())?).await?;
    Ok(Json(List { items: found.items.iter().map(|g| GrantShape::new(&caller.snapshot, g)).collect(), next: cursor(found.next) }))
}

/// A grant that the caller may see; admins see what they may end.
pub(crate) async fn visible(state: &AppState, caller: &Caller, id: &str) -> Result<Grant, Problem> {
    let absent = || Problem::not_found("grant");
    let id: GrantId = id.parse().map_err(|_| absent())?;
    let grant = state.reader.grant(id).await?.ok_or_else(absent)?;
    if caller.admin || visibility::may_see(caller, &grant.person, &grant.group) { Ok(grant) } else { Err(absent()) }
}

/// Why it ends.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// Needed unless one gives back what one holds.
    #[serde(default)]
    reason: Option<String>,
}

/// End a grant before its time: the holder, an owner, an admin.
#[utoipa::path(post, path = "/api/v1/grants/{id}/revoke", tag = "grants", request_body = Revoke, params(("id" = String, Path)), responses((status = 200, body = GrantShape), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn revoke(state: Data<AppState>, caller: Known, id: Path<String>, body: Sent<Revoke>) -> Result<Json<GrantShape>, Problem> {
    let grant = visible(&state, &caller, &id).await?;
    let reason = limits::text("reason", body.0.reason)?;
    let reply = execute(&state, &caller, Command::Revoke { grant: grant.id, reason }, None, "revoke", &id).await?;
    match reply.answer? {
        Answer::Grant { grant } => Ok(Json(GrantShape::new(&caller.snapshot, &grant))),
        other => Err(unexpected(&other)),
    }
}

/// More time.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// From now, like `8h`; left out repeats the last.
    #[serde(default)]
    duration: Option<String>,
    /// Why.
    #[serde(default)]
    justification: Option<String>,
}

/// Ask for more time on a live grant; decided like a request for its group.
#[utoipa::path(post, path = "/api/v1/grants/{id}/renew", tag = "grants", request_body = Renew, params(("id" = String, Path)), responses((status = 201, body = RequestShape), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn renew(state: Data<AppState>, caller: Known, id: Path<String>, body: Sent<Renew>) -> Result<HttpResponse, Problem> {
    let grant = visible(&state, &caller, &id).await?;
    let body = body.0;
    let duration = parse("duration", body.duration.as_deref())?;
    let justification = limits::text("justification", body.justification)?;
    let reply = execute(&state, &caller, Command::Renew { grant: grant.id, duration, justification }, None, "renew", &id).await?;
    match reply.answer? {
        Answer::Request { request, decision, grant } => Ok(HttpResponse::Created().json(RequestShape::new(&caller.snapshot, &request, Some(&decision), grant.as_ref()))),
        other => Err(unexpected(&other)),
    }
}
