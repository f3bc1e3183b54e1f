//! People and teams.

use actix_web::web::{Data, Json, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{cursor, page, parse, shapes::{FactSourceShape, GrantShape, List, PersonDetailShape, PersonShape, TeamShape}};
use crate::{
    auth::visibility::{may_see_holdings, owns},
    domain::{id::GroupId, time::Time},
    store::read::GrantFilter,
    web::{AppState, Known, problem::Problem, timeline},
};

/// Which people.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PeopleQuery {
    /// Words in id, name or e-mail.
    q: Option<String>,
}

/// People by words, at most 50.
#[utoipa::path(get, path = "/api/v1/people", tag = "people", params(PeopleQuery), responses((status = 200, body = List<PersonShape>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn list(caller: Known, query: Query<PeopleQuery>) -> Result<Json<List<PersonShape>>, Problem> {
    let words: Vec<String> = query.q.iter().flat_map(|q| q.split_whitespace()).map(str::to_lowercase).collect();
    let people = caller.snapshot.directory.people().values();
    let found = people.filter(|p| p.is_active()).filter(|p| {
        let text = format!("{} {} {}", p.id, p.name, p.email.as_deref().unwrap_or_default()).to_lowercase();
        words.iter().all(|w| text.contains(w))
    });
    Ok(Json(List { items: found.take(50).map(|p| PersonShape::from(&**p)).collect(), next: None }))
}

/// One person.
#[utoipa::path(get, path = "/api/v1/people/{id}", tag = "people", params(("id" = String, Path)), responses((status = 200, body = PersonDetailShape), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn show(state: Data<AppState>, caller: Known, id: Path<String>) -> Result<Json<PersonDetailShape>, Problem> {
    let directory = &caller.snapshot.directory;
    let person = directory.person(&id).ok_or_else(|| Problem::not_found("person"))?;
    let precedence = state.settings.directory.precedence().unwrap_or_default();
    let told = precedence.origins(directory.records().of_person(&id)).into_iter().map(|(field, record)| FactSourceShape {
        field: field.to_owned(),
        source: record.source.to_string(),
        told_at: record.dates.told_at.map(|at| at.to_string()),
        seen_at: directory.seen(&record.source).map(|at| at.to_string()),
    });
    Ok(Json(PersonDetailShape { person: PersonShape::from(&**person), sources: told.collect() }))
}

/// One thing that happened to a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineShape {
    /// The event's number.
    pub seq: i64,
    /// When.
    pub at: String,
    /// The event's kind.
    pub kind: String,
    /// By whom: `person:…`, `operator:…` or `system:…`.
    pub actor: String,
    /// What, for people to read.
    pub told: String,
    /// Why, or by what.
    pub why: Option<String>,
    /// The group that it is about.
    pub group: Option<String>,
    /// The grant that it is about.
    pub grant: Option<String>,
    /// Fields that changed.
    pub fields: Vec<String>,
    /// The source of the directory that said so.
    pub source: Option<String>,
}

/// Where to go on.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct TimelineQuery {
    /// 1 to 200, default 50.
    limit: Option<u16>,
    /// Cursor of the page before.
    cursor: Option<String>,
}

/// What happened to a person, newest first: joined, changed, left, came back; what they held and why; tokens. For themselves,
/// their managers and auditors.
#[utoipa::path(get, path = "/api/v1/people/{id}/timeline", tag = "people", params(("id" = String, Path), TimelineQuery), responses((status = 200, body = List<TimelineShape>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn life(state: Data<AppState>, caller: Known, id: Path<String>, query: Query<TimelineQuery>) -> Result<Json<List<TimelineShape>>, Problem> {
    let person = caller.snapshot.directory.person(&id).ok_or_else(|| Problem::not_found("person"))?.id.clone();
    if !may_see_holdings(&caller, &person) {
        state.refusals.note(&caller, "GET timeline", "not_allowed", person.as_str());
        return Err(Problem::not_allowed("what happened to a person is seen by themselves, their managers and auditors"));
    }
    let page = page(query.limit, query.cursor.as_deref())?;
    let rows = state.reader.timeline(person, page.before, page.limit).await?;
    let next = rows.last().filter(|_| rows.len() == usize::from(page.limit)).map(|last| last.seq);
    let told = |row: &crate::store::read::AuditRow| {
        let e = timeline::entry(&caller.snapshot, row)?;
        Some(TimelineShape {
            seq: row.seq,
            at: row.at.to_string(),
            kind: row.kind.clone(),
            actor: row.actor.clone(),
            told: e.told,
            why: Some(e.why).filter(|w| !w.is_empty()),
            group: e.group,
            grant: row.index.grant.map(|g| g.to_string()),
            fields: e.fields,
            source: e.source,
        })
    };
    Ok(Json(List { items: rows.iter().filter_map(told).collect(), next: cursor(next) }))
}

/// When.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AtQuery {
    /// An instant (RFC 3339); now when left out.
    at: Option<String>,
    /// 1 to 200, default 50.
    limit: Option<u16>,
    /// Cursor of the page before.
    cursor: Option<String>,
}

/// What a person holds, or held. For themselves, their managers and auditors; owners see their own groups.
#[utoipa::path(get, path = "/api/v1/people/{id}/grants", tag = "people", params(("id" = String, Path), AtQuery), responses((status = 200, body = List<GrantShape>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn grants(state: Data<AppState>, caller: Known, id: Path<String>, query: Query<AtQuery>) -> Result<Json<List<GrantShape>>, Problem> {
    let person = caller.snapshot.directory.person(&id).ok_or_else(|| Problem::not_found("person"))?.id.clone();
    let groups: Option<std::collections::BTreeSet<GroupId>> = if may_see_holdings(&caller, &person) {
        None
    } else {
        let owned: std::collections::BTreeSet<GroupId> =
            caller.snapshot.policy.set().groups().keys().filter(|g| owns(&caller, g)).cloned().collect();
        if owned.is_empty() {
            state.refusals.note(&caller, "GET holdings", "not_allowed", person.as_str());
            return Err(Problem::not_allowed("what a person holds is seen by themselves, their managers, owners and auditors"));
        }
        Some(owned)
    };
    let at: Time = parse("at", query.at.as_deref())?.unwrap_or_else(|| state.ledger.now());
    let filter = GrantFilter { people: Some([person].into()), groups, at: Some(at), ..GrantFilter::default() };
    let found = state.reader.grants(filter, page(query.limit, query.cursor.as_deref())?).await?;
    Ok(Json(List { items: found.items.iter().map(|g| GrantShape::new(&caller.snapshot, g)).collect(), next: cursor(found.next) }))
}

/// One team with its members and sub-teams.
#[utoipa::path(get, path = "/api/v1/teams/{id}", tag = "people", params(("id" = String, Path)), responses((status = 200, body = TeamShape), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn team(caller: Known, id: Path<String>) -> Result<Json<TeamShape>, Problem> {
    let directory = &caller.snapshot.directory;
    let team = directory.team(&id).ok_or_else(|| Problem::not_found("team"))?;
    let members = directory.direct_members(&team.id).iter().filter_map(|p| directory.person(p.as_str()));
    Ok(Json(TeamShape {
        id: team.id.to_string(),
        title: team.title.clone(),
        description: team.description.clone(),
        parent: team.parent.as_ref().map(ToString::to_string),
        teams: directory.sub_teams(&team.id).iter().map(ToString::to_string).collect(),
        members: members.map(|p| PersonShape::from(&**p)).collect(),
    }))
}
