//! Requests: preview, submit, list, show, approve, deny, withdraw.

use std::collections::BTreeSet;

use actix_web::{HttpRequest, HttpResponse, web::{Data, Json, Path, Query}};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Sent, cursor, execute, page, parse, shapes::{DecisionShape, DeliveryShape, GrantShape, List, RequestShape}};
use crate::{
    auth::{Caller, session::secret_hash, visibility},
    domain::{
        command::{Answer, Command, Idempotency},
        decision::Decision,
        duration::Duration,
        id::{GroupId, PersonId, RequestId},
        refusal::Refusal,
        request::{Request, RequestStatus},
    },
    ledger::Snapshot,
    store::read::{AuditFilter, Page, RequestFilter},
    web::{AppState, Known, limits, problem::Problem},
};

/// A wish for a group.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRequest {
    /// Which group.
    pub group: String,
    /// For how long, like `8h`; left out takes what the policy gives most easily.
    #[serde(default)]
    pub duration: Option<String>,
    /// Why.
    #[serde(default)]
    pub justification: Option<String>,
    /// For whom, when not for oneself: their manager or an owner of the group may ask.
    #[serde(default)]
    pub person: Option<String>,
}

pub(crate) struct Wish {
    pub person: PersonId,
    pub group: GroupId,
    pub duration: Option<Duration>,
    pub justification: Option<String>,
}

/// Parses a wish at the door. An unknown group or person is 422, told with the nearest known one.
pub(crate) fn read(caller: &Caller, new: NewRequest) -> Result<Wish, Problem> {
    let set = caller.snapshot.policy.set();
    let group = GroupId::parse(&new.group).map_err(|_| {
        let suggestion = set.nearest_group(&new.group).map(ToString::to_string);
        Problem::from(Refusal::UnknownGroup { group: new.group.chars().filter(|c| !c.is_control()).take(64).collect(), suggestion })
    })?;
    let person = match &new.person {
        None => caller.id().clone(),
        Some(id) => PersonId::parse(id)
            .map_err(|_| Problem::from(Refusal::UnknownPerson { person: id.chars().filter(|c| !c.is_control()).take(64).collect() }))?,
    };
    let duration = parse("duration", new.duration.as_deref())?;
    let justification = limits::text("justification", new.justification)?;
    Ok(Wish { person, group, duration, justification })
}

/// Ask for a group. Decided at once: `granted`, `denied`, or `pending` when people are asked.
#[utoipa::path(post, path = "/api/v1/requests", tag = "requests", request_body = NewRequest, params(("Idempotency-Key" = Option<String>, Header)), responses((status = 201, body = RequestShape), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn submit(state: Data<AppState>, caller: Known, http: HttpRequest, body: Json<NewRequest>) -> Result<HttpResponse, Problem> {
    let wish = read(&caller, body.into_inner())?;
    let group = wish.group.to_string();
    let command = Command::Submit { person: wish.person, group: wish.group, duration: wish.duration, justification: wish.justification };
    let idempotency = idempotency(&caller, &http, "POST /requests", &command)?;
    let reply = execute(&state, &caller, command, idempotency, "submit", &group).await?;
    let replayed = reply.replayed;
    match reply.answer? {
        Answer::Request { request, decision, grant } => {
            let mut response = HttpResponse::Created();
            if replayed {
                response.insert_header(("Idempotent-Replayed", "true"));
            }
            response.insert_header(("Location", format!("/api/v1/requests/{}", request.id)));
            Ok(response.json(RequestShape::new(&caller.snapshot, &request, Some(&decision), grant.as_ref())))
        }
        other => Err(unexpected(&other)),
    }
}

pub(crate) fn unexpected(answer: &Answer) -> Problem {
    tracing::error!(?answer, "the ledger answered something else");
    Problem::new(500, "failed", "Something failed here", "it was logged".to_owned())
}

/// Scope (caller, route, key) and body (the parsed command) of an idempotent call (semantics.md, 19).
fn idempotency(caller: &Caller, http: &HttpRequest, route: &str, command: &Command) -> Result<Option<Idempotency>, Problem> {
    let Some(key) = http.headers().get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().ok().filter(|k| (1..=255).contains(&k.len())).ok_or_else(|| Problem::bad_field("Idempotency-Key", "expected 1 to 255 visible ASCII characters"))?;
    let body = serde_json::to_string(command).map_err(|_| Problem::bad_field("body", "cannot be kept"))?;
    Ok(Some(Idempotency { scope: secret_hash(&format!("{}\0{}\0{route}\0{key}", caller.id(), caller.actor().service().map_or("", |s| s.as_str()))), body: secret_hash(&body) }))
}

/// What a request would meet.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewShape {
    /// The duration it was decided for.
    pub duration: String,
    /// The decision.
    pub decision: DecisionShape,
    /// Who would be asked, a list for each stage.
    pub approvers: Vec<Vec<String>>,
    /// The live grant's end, when one would be extended.
    pub held_until: Option<String>,
    /// Why a submit would be refused as it stands, when it would: a missing justification, or that it is held without asking.
    pub missing: Option<String>,
}

/// The decision that a request would meet now; the same code as a submit, nothing recorded.
#[utoipa::path(post, path = "/api/v1/requests/preview", tag = "requests", request_body = NewRequest, responses((status = 200, body = PreviewShape), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn preview(state: Data<AppState>, caller: Known, body: Json<NewRequest>) -> Result<Json<PreviewShape>, Problem> {
    let wish = read(&caller, body.into_inner())?;
    let preview = state.ledger.preview(caller.id(), &wish.person, &wish.group, wish.duration, wish.justification.is_some()).await??;
    Ok(Json(PreviewShape {
        duration: preview.duration.to_string(),
        decision: DecisionShape::from(&preview.decision),
        approvers: preview.approvers.iter().map(|stage| stage.iter().map(ToString::to_string).collect()).collect(),
        held_until: preview.held_until.map(|t| t.to_string()),
        missing: preview.refusal.map(|r| r.to_string()),
    }))
}

/// Which requests.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct RequestQuery {
    /// `pending`, `granted`, `denied`, `withdrawn` or `expired`.
    status: Option<String>,
    /// Of this person.
    person: Option<String>,
    /// For this group.
    group: Option<String>,
    /// 1 to 200, default 50.
    limit: Option<u16>,
    /// Cursor of the page before.
    cursor: Option<String>,
}

/// Requests, newest first: one's own; others' as far as one may see them.
#[utoipa::path(get, path = "/api/v1/requests", tag = "requests", params(RequestQuery), responses((status = 200, body = List<RequestShape>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn list(state: Data<AppState>, caller: Known, query: Query<RequestQuery>) -> Result<Json<List<RequestShape>>, Problem> {
    let status = match query.status.as_deref() {
        None => None,
        Some(text) => Some(RequestStatus::from_stored(text).ok_or_else(|| Problem::bad_field("status", "expected pending, granted, denied, withdrawn or expired"))?),
    };
    let person: Option<PersonId> = parse("person", query.person.as_deref())?;
    let group: Option<GroupId> = parse("group", query.group.as_deref())?;
    let all = caller.auditor;
    let own_group = group.as_ref().is_some_and(|g| visibility::owns(&caller, g));
    // Who is no auditor sees what a named person or an owned group opens to them, else their own.
    let people = match &person {
        Some(person) if all || own_group || visibility::may_see_holdings(&caller, person) => Some(BTreeSet::from([person.clone()])),
        Some(_) => {
            state.refusals.note(&caller, "GET requests", "not_allowed", "another person's requests");
            return Err(Problem::not_allowed("requests are seen by the person, their managers, owners of the group and auditors"));
        }
        None if all || own_group => None,
        None => Some(BTreeSet::from([caller.id().clone()])),
    };
    let filter = RequestFilter { people, groups: group.map(|g| BTreeSet::from([g])), status };
    let found = state.reader.requests(filter, page(query.limit, query.cursor.as_deref())?).await?;
    Ok(Json(List { items: found.items.iter().map(|r| RequestShape::new(&caller.snapshot, r, None, None)).collect(), next: cursor(found.next) }))
}

/// A request that the caller may see: theirs, of those they manage, of groups they own, or one they are asked about.
pub(crate) async fn visible(state: &AppState, caller: &Caller, id: &str) -> Result<Request, Problem> {
    let absent = || Problem::not_found("request");
    let id: RequestId = id.parse().map_err(|_| absent())?;
    let request = state.reader.request(id).await?.ok_or_else(absent)?;
    if visibility::may_see_request(caller, &request) {
        return Ok(request);
    }
    let asked = state.ledger.approvers_of(&request).await?.contains(caller.id());
    let voted = state.reader.approvals(id).await?.iter().any(|v| v.person == *caller.id());
    if asked || voted { Ok(request) } else { Err(absent()) }
}

/// The decision that was recorded when a request was filed or decided, newest first.
pub(crate) async fn recorded_decision(state: &AppState, id: RequestId) -> Result<Option<(Option<Decision>, Option<String>, Option<String>)>, Problem> {
    let filter = AuditFilter { request: Some(id), kind: Some("request.".to_owned()), ..AuditFilter::default() };
    let rows = state.reader.audit(filter, Page { before: None, limit: 10 }).await?.items;
    let read = |row: &crate::store::read::AuditRow| -> Option<crate::domain::event::Personal> { serde_json::from_str(row.personal.as_deref()?).ok() };
    let newest = rows.iter().filter_map(read).next();
    let justification = rows.iter().filter_map(read).find_map(|p| p.justification);
    let decision = rows.iter().filter_map(read).find_map(|p| p.decision);
    Ok(newest.map(|n| (decision, n.reason, justification)))
}

/// One request with its decision, votes, who is asked, and what target systems have.
#[utoipa::path(get, path = "/api/v1/requests/{id}", tag = "requests", params(("id" = String, Path)), responses((status = 200, body = RequestShape), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn show(state: Data<AppState>, caller: Known, id: Path<String>) -> Result<Json<RequestShape>, Problem> {
    let request = visible(&state, &caller, &id).await?;
    let decision = recorded_decision(&state, request.id).await?.and_then(|(d, ..)| d);
    let held = state.reader.live_grants_of(request.person.clone()).await?.into_iter().find(|g| g.request == Some(request.id));
    let mut shape = RequestShape::new(&caller.snapshot, &request, decision.as_ref(), held.as_ref());
    shape.grant = held.as_ref().map(|g| GrantShape::new(&caller.snapshot, g));
    shape.deliveries = Some(state.reader.deliveries_of_request(request.id).await?.iter().map(DeliveryShape::from).collect());
    shape.approvals = Some(state.reader.approvals(request.id).await?.iter().map(|v| v.person.to_string()).collect());
    shape.approvers = Some(state.ledger.approvers_of(&request).await?.iter().map(ToString::to_string).collect());
    Ok(Json(shape))
}

/// A vote for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// A word to the requester.
    #[serde(default)]
    comment: Option<String>,
}

/// A vote against.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Deny {
    /// Why.
    reason: String,
}

/// Nothing to say.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

pub(crate) fn answered(snapshot: &Snapshot, answer: Answer) -> Result<RequestShape, Problem> {
    match answer {
        Answer::Request { request, decision, grant } => Ok(RequestShape::new(snapshot, &request, Some(&decision), grant.as_ref())),
        Answer::RequestChanged { request } => Ok(RequestShape::new(snapshot, &request, None, None)),
        other => Err(unexpected(&other)),
    }
}

/// Approve a request.
#[utoipa::path(post, path = "/api/v1/requests/{id}/approve", tag = "requests", request_body = Approve, params(("id" = String, Path)), responses((status = 200, body = RequestShape), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn approve(state: Data<AppState>, caller: Known, id: Path<String>, body: Sent<Approve>) -> Result<Json<RequestShape>, Problem> {
    let request = visible(&state, &caller, &id).await?;
    let comment = limits::text("comment", body.0.comment)?;
    let reply = execute(&state, &caller, Command::Approve { request: request.id, comment }, None, "approve", &id).await?;
    answered(&caller.snapshot, reply.answer?).map(Json)
}

/// Deny a request.
#[utoipa::path(post, path = "/api/v1/requests/{id}/deny", tag = "requests", request_body = Deny, params(("id" = String, Path)), responses((status = 200, body = RequestShape), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn deny(state: Data<AppState>, caller: Known, id: Path<String>, body: Json<Deny>) -> Result<Json<RequestShape>, Problem> {
    let request = visible(&state, &caller, &id).await?;
    let reason = limits::text("reason", Some(body.into_inner().reason))?.unwrap_or_default();
    let reply = execute(&state, &caller, Command::Deny { request: request.id, reason }, None, "deny", &id).await?;
    answered(&caller.snapshot, reply.answer?).map(Json)
}

/// Take one's request back.
#[utoipa::path(post, path = "/api/v1/requests/{id}/withdraw", tag = "requests", request_body = Empty, params(("id" = String, Path)), responses((status = 200, body = RequestShape), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn withdraw(state: Data<AppState>, caller: Known, id: Path<String>, _: Sent<Empty>) -> Result<Json<RequestShape>, Problem> {
    let request = visible(&state, &caller, &id).await?;
    let reply = execute(&state, &caller, Command::Withdraw { request: request.id }, None, "withdraw", &id).await?;
    answered(&caller.snapshot, reply.answer?).map(Json)
}
