//! Groups: teams. Members of type `User` are in the team, members of type `Group` stand below it.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::{Bytes, Path, Query}};
use serde_json::{Value, json};

use super::{
    Client, Object, Preconditions, answered,
    error::ScimError,
    filter, input,
    list::Asked,
    object, patch, person,
    schema::{self, ResourceType},
    select::Wanted,
};
use crate::{
    directory::{Directory, tell::{Effect, Telling}},
    domain::{
        id::{PersonId, TeamId},
        person::{Person, Team},
        record::{PersonRecord, TeamRecord},
    },
    ledger::{Snapshot, fresh_id},
};

/// Members of each team, as this source says: made by one look at everybody.
pub(super) type Members<'d> = BTreeMap<&'d TeamId, Vec<&'d PersonRecord>>;

pub(super) fn members<'d>(client: &'d Client, directory: &'d Directory, only: Option<&TeamId>) -> Members<'d> {
    let mut found: Members<'d> = BTreeMap::new();
    for record in directory.records().people_of(&client.source) {
        for team in record.person.teams.iter().filter(|t| only.is_none_or(|o| o == *t)) {
            found.entry(team).or_default().push(record);
        }
    }
    found
}

fn record<'d>(client: &Client, directory: &'d Directory, id: &str) -> Result<&'d TeamRecord, ScimError> {
    directory.records().team(&client.source, id).ok_or_else(|| ScimError::not_found("group", id))
}

fn below<'d>(client: &'d Client, directory: &'d Directory, id: &'d TeamId) -> impl Iterator<Item = &'d TeamRecord> {
    directory.records().teams_of(&client.source).filter(move |t| t.team.parent.as_ref() == Some(id))
}

/// The resource of a team.
pub(super) fn shown<'d>(client: &'d Client, directory: &'d Directory, record: &'d TeamRecord, members: &Members<'d>) -> Object {
    let id = record.id();
    let person = |r: &&PersonRecord| json!({ "value": r.id(), "$ref": client.location("Users", r.id().as_str()), "type": "User" });
    let team = |t: &TeamRecord| json!({ "value": t.id(), "$ref": client.location("Groups", t.id().as_str()), "type": "Group" });
    let all: Vec<Value> = members.get(id).into_iter().flatten().map(person).chain(below(client, directory, id).map(team)).collect();
    let mut resource = Object::new();
    resource.insert("schemas".to_owned(), json!([schema::GROUP]));
    resource.insert("id".to_owned(), json!(id));
    resource.extend(record.external_id.as_ref().map(|e| ("externalId".to_owned(), json!(e))));
    resource.insert("displayName".to_owned(), json!(record.team.title));
    if !all.is_empty() {
        resource.insert("members".to_owned(), Value::Array(all));
    }
    let location = client.location("Groups", id.as_str());
    resource.insert("meta".to_owned(), person::meta("Group", &location, record.created_at, record.told_at));
    resource
}

/// Which groups, in order of their ids.
pub(super) fn found<'d>(client: &'d Client, directory: &'d Directory, asked: &Asked, kind: &ResourceType) -> Result<Vec<&'d TeamRecord>, ScimError> {
    let all = directory.records().teams_of(&client.source);
    let Some(wanted) = asked.filter(kind)? else { return Ok(all.collect()) };
    // Members are gathered only for a filter that may read them.
    let with = if filter::reads_given(&wanted) { Members::new() } else { members(client, directory, None) };
    Ok(all.filter(|r| filter::holds(&wanted, &shown(client, directory, r, &with), kind)).collect())
}

fn page(client: &Client, asked: &Asked) -> Result<HttpResponse, ScimError> {
    let (kind, snapshot) = (schema::groups(), client.snapshot());
    let directory = &snapshot.directory;
    let all = found(client, directory, asked, &kind)?;
    // Also when they are not shown: the version tells of them.
    let with = members(client, directory, None);
    asked.page(&kind, all, |r| shown(client, directory, r, &with))
}

/// A page of groups.
pub async fn list(client: Client, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    page(&client, &Asked::query(query))
}

/// The same by POST.
pub async fn search(client: Client, body: Bytes) -> Result<HttpResponse, ScimError> {
    page(&client, &Asked::body(&object(&body)?)?)
}

fn answer(client: &Client, status: StatusCode, request: &HttpRequest, wanted: &Wanted, id: &TeamId) -> Result<HttpResponse, ScimError> {
    let snapshot = client.snapshot();
    let record = record(client, &snapshot.directory, id.as_str())?;
    let with = members(client, &snapshot.directory, Some(id));
    let resource = shown(client, &snapshot.directory, record, &with);
    Ok(answered(status, &Preconditions::of(request), resource, wanted, &schema::groups()))
}

/// One group.
pub async fn show(client: Client, request: HttpRequest, id: Path<String>, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    let id = TeamId::parse(&id).map_err(|_| ScimError::not_found("group", &id))?;
    answer(&client, StatusCode::OK, &request, &Asked::query(query).wanted()?, &id)
}

/// The id of a new group: its name in small letters, if that is no group of this source already.
fn chosen(client: &Client, directory: &Directory, name: &str) -> Result<TeamId, ScimError> {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') => slug.push(c),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    let slug = slug.trim_end_matches('-');
    let free = |id: &TeamId| directory.records().team(&client.source, id.as_str()).is_none();
    match TeamId::parse(slug).ok().filter(free) {
        Some(id) => Ok(id),
        None => TeamId::parse(&fresh_id().to_string()).map_err(|e| ScimError::new(500, None, e.to_string())),
    }
}

/// Whom a group names: people of this source, and groups of it.
struct Named {
    people: BTreeSet<PersonId>,
    teams: BTreeSet<TeamId>,
}

fn named(client: &Client, directory: &Directory, given: &Object) -> Result<Named, ScimError> {
    let mut named = Named { people: BTreeSet::new(), teams: BTreeSet::new() };
    let records = directory.records();
    for member in given.get("members").and_then(Value::as_array).into_iter().flatten() {
        let id = member.get("value").and_then(Value::as_str).ok_or_else(|| ScimError::invalid_value("a member needs a `value`"))?;
        let is_group = member.get("type").and_then(Value::as_str).map(|t| t.eq_ignore_ascii_case("group"));
        let person = records.person(&client.source, id).filter(|r| !r.gone && is_group != Some(true));
        let team = records.team(&client.source, id).filter(|_| is_group != Some(false));
        match (person, team) {
            (Some(person), _) => drop(named.people.insert(person.id().clone())),
            (None, Some(team)) => drop(named.teams.insert(team.id().clone())),
            (None, None) => return Err(ScimError::invalid_value(format!("there is no member `{}`", id.escape_debug()))),
        }
    }
    Ok(named)
}

/// What it changes that a group is now like this.
fn effect(client: &Client, snapshot: &Snapshot, given: &Object, id: &TeamId) -> Result<Effect, ScimError> {
    let directory = &snapshot.directory;
    input::complete(given, &schema::groups().core)?;
    let before = directory.records().team(&client.source, id.as_str());
    let title = given.get("displayName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let external_id = given.get("externalId").and_then(Value::as_str).map(str::to_owned);
    let wanted = named(client, directory, given)?;
    let mut telling = Telling::new(directory, &client.precedence);
    let team = Team { id: id.clone(), title, description: String::new(), parent: before.and_then(|b| b.team.parent.clone()) };
    if before.is_none_or(|b| b.team != team || b.external_id != external_id) {
        let created_at = before.and_then(|b| b.created_at);
        telling.team(TeamRecord { source: client.source.clone(), team, external_id, created_at, told_at: None, undated: false });
    }
    let now = members(client, directory, Some(id));
    let now: BTreeSet<&PersonId> = now.get(id).into_iter().flatten().map(|r| r.id()).collect();
    let joining = wanted.people.iter().filter(|p| !now.contains(p)).map(|p| (p, true));
    let leaving = now.iter().filter(|p| !wanted.people.contains(**p)).map(|p| (*p, false));
    for (person, joins) in joining.chain(leaving) {
        let Some(record) = directory.records().person(&client.source, person.as_str()) else { continue };
        let mut teams = record.person.teams.clone();
        if joins { teams.insert(id.clone()) } else { teams.remove(id) };
        telling.person(PersonRecord { person: Person { teams, ..record.person.clone() }, told_at: None, ..record.clone() });
    }
    place_below(client, directory, id, &wanted.teams, &mut telling)?;
    Ok(telling.effect())
}

/// Puts groups below a group, and takes others away from there.
fn place_below(client: &Client, directory: &Directory, id: &TeamId, wanted: &BTreeSet<TeamId>, telling: &mut Telling<'_>) -> Result<(), ScimError> {
    let now: BTreeSet<TeamId> = below(client, directory, id).map(|t| t.id().clone()).collect();
    for (team, parent) in wanted.difference(&now).map(|t| (t, Some(id.clone()))).chain(now.difference(wanted).map(|t| (t, None))) {
        let record = record(client, directory, team.as_str())?;
        if let (Some(_), Some(other)) = (&parent, record.team.parent.as_ref()) {
            return Err(ScimError::invalid_value(format!("the group `{team}` stands below `{other}` already; a team has one team above it")));
        }
        if parent.is_some() && (team == id || directory.ancestors(id).contains(team)) {
            return Err(ScimError::invalid_value(format!("the group `{team}` would stand above itself")));
        }
        telling.team(TeamRecord { team: Team { parent, ..record.team.clone() }, told_at: None, undated: false, ..record.clone() });
    }
    Ok(())
}

/// A new group.
pub async fn create(client: Client, request: HttpRequest, body: Bytes, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    let (kind, wanted) = (schema::groups(), Asked::query(query).wanted()?);
    let given = input::resource(&object(&body)?, &kind)?;
    input::complete(&given, &kind.core)?;
    let name = given.get("displayName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let id = client
        .feed(|snapshot| {
            let id = chosen(&client, &snapshot.directory, &name)?;
            Ok((effect(&client, snapshot, &given, &id)?, id))
        })
        .await?;
    answer(&client, StatusCode::CREATED, &request, &wanted, &id)
}

async fn change(client: &Client, request: &HttpRequest, id: &str, wanted: Wanted, change: impl Fn(Object) -> Result<Object, ScimError>) -> Result<HttpResponse, ScimError> {
    let id = TeamId::parse(id).map_err(|_| ScimError::not_found("group", id))?;
    let (kind, conditions): (ResourceType, _) = (schema::groups(), Preconditions::of(request));
    client
        .feed(|snapshot| {
            let directory = &snapshot.directory;
            let resource = shown(client, directory, record(client, directory, id.as_str())?, &members(client, directory, Some(&id)));
            conditions.check(&resource)?;
            let given = change(input::resource(&resource, &kind)?)?;
            Ok((effect(client, snapshot, &given, &id)?, ()))
        })
        .await?;
    answer(client, StatusCode::OK, request, &wanted, &id)
}

/// A group put anew: who is not named is out.
pub async fn replace(client: Client, request: HttpRequest, id: Path<String>, body: Bytes, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    let wanted = Asked::query(query).wanted()?;
    let given = input::resource(&object(&body)?, &schema::groups())?;
    change(&client, &request, &id, wanted, |_| Ok(given.clone())).await
}

/// A part of a group changed.
pub async fn modify(client: Client, request: HttpRequest, id: Path<String>, body: Bytes, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    let (kind, wanted) = (schema::groups(), Asked::query(query).wanted()?);
    let operations = patch::operations(&object(&body)?)?;
    change(&client, &request, &id, wanted, |mut group| {
        patch::apply(&mut group, &operations, &kind)?;
        Ok(group)
    })
    .await
}

/// A group taken away: nobody is in it any more, and what stood below it stands by itself.
pub async fn remove(client: Client, request: HttpRequest, id: Path<String>) -> Result<HttpResponse, ScimError> {
    let conditions = Preconditions::of(&request);
    let id = TeamId::parse(&id).map_err(|_| ScimError::not_found("group", &id))?;
    client
        .feed(|snapshot| {
            let directory = &snapshot.directory;
            let record = record(&client, directory, id.as_str())?;
            let with = members(&client, directory, Some(&id));
            conditions.check(&shown(&client, directory, record, &with))?;
            let mut telling = Telling::new(directory, &client.precedence);
            for member in with.get(&id).into_iter().flatten() {
                let mut teams = member.person.teams.clone();
                teams.remove(&id);
                telling.person(PersonRecord { person: Person { teams, ..member.person.clone() }, told_at: None, ..(*member).clone() });
            }
            place_below(&client, directory, &id, &BTreeSet::new(), &mut telling)?;
            telling.forget_team(&client.source, &id);
            Ok((telling.effect(), ()))
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
