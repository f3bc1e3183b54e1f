//! Groups: teams. Members of type `User` are in the team, members of type `Group` stand below it.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::{Bytes, Path, Query}};
use serde_json::{Value, json};

use super::{
    Client, Object, Preconditions,
    error::ScimError,
    ids, input,
    list::Asked,
    object, patch, person,
    schema::{self, ResourceType},
    select::Wanted,
    view::{self, Endpoint, Reads},
};
use crate::{
    directory::{Directory, MAX_DEPTH, tell::{Effect, Telling}},
    domain::{
        id::{PersonId, TeamId},
        person::{Person, Team},
        record::{Dates, PersonRecord, TeamRecord},
    },
    ledger::Snapshot,
};

/// Who is in each team and what stands below it, as this source says: made by one look at everybody.
#[derive(Default)]
pub(super) struct Members<'d> {
    people: BTreeMap<&'d str, Vec<&'d PersonRecord>>,
    teams: BTreeMap<&'d str, Vec<&'d TeamRecord>>,
}

impl<'d> Members<'d> {
    /// Of every team.
    pub fn of_all(client: &'d Client, directory: &'d Directory) -> Self {
        Self::of(client, directory, |_| true)
    }

    /// Of one.
    pub fn of_one(client: &'d Client, directory: &'d Directory, id: &str) -> Self {
        Self::of(client, directory, |team| team.as_str() == id)
    }

    fn of(client: &'d Client, directory: &'d Directory, wanted: impl Fn(&TeamId) -> bool) -> Self {
        let mut found = Self::default();
        for record in directory.records().people_of(&client.source) {
            for team in record.person.teams.iter().filter(|t| wanted(t)) {
                found.people.entry(team.as_str()).or_default().push(record);
            }
        }
        for record in directory.records().teams_of(&client.source) {
            if let Some(parent) = record.team.parent.as_ref().filter(|p| wanted(p)) {
                found.teams.entry(parent.as_str()).or_default().push(record);
            }
        }
        found
    }

    fn people(&self, id: &TeamId) -> &[&'d PersonRecord] {
        self.people.get(id.as_str()).map_or(&[], Vec::as_slice)
    }

    fn teams(&self, id: &TeamId) -> &[&'d TeamRecord] {
        self.teams.get(id.as_str()).map_or(&[], Vec::as_slice)
    }
}

/// The resource of a team, as far as it is read.
pub(super) fn shown<'m, 'd: 'm>(client: &Client, record: &TeamRecord, members: impl FnOnce() -> &'m Members<'d>, reads: &Reads) -> Object {
    let id = record.id();
    let mut resource = Object::new();
    resource.insert("schemas".to_owned(), json!([schema::GROUP]));
    resource.insert("id".to_owned(), json!(id));
    resource.extend(record.external_id.as_ref().map(|e| ("externalId".to_owned(), json!(e))));
    resource.insert("displayName".to_owned(), json!(record.team.title));
    if reads.wants("members") {
        let members = members();
        let person = |r: &&PersonRecord| json!({ "value": r.id(), "$ref": client.location("Users", r.id().as_str()), "type": "User" });
        let team = |t: &&TeamRecord| json!({ "value": t.id(), "$ref": client.location("Groups", t.id().as_str()), "type": "Group" });
        let all: Vec<Value> = members.people(id).iter().map(person).chain(members.teams(id).iter().map(team)).collect();
        if !all.is_empty() {
            resource.insert("members".to_owned(), Value::Array(all));
        }
    }
    if reads.wants("meta") {
        resource.insert("meta".to_owned(), person::meta("Group", || client.location("Groups", id.as_str()), &record.dates, reads));
    }
    resource
}

/// One group.
pub async fn show(client: Client, request: HttpRequest, id: Path<String>, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    view::answer(&client, StatusCode::OK, &request, &Asked::query(query).wanted()?, Endpoint::Groups, &id)
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
        let dates = Dates::now(before.map(|b| &b.dates));
        telling.team(TeamRecord { source: client.source.clone(), team, external_id, gone: false, dates });
    }
    let members = Members::of_one(client, directory, id.as_str());
    let now: BTreeSet<&PersonId> = members.people(id).iter().map(|r| r.id()).collect();
    let joining = wanted.people.iter().filter(|p| !now.contains(p)).map(|p| (p, true));
    let leaving = now.iter().filter(|p| !wanted.people.contains(**p)).map(|p| (*p, false));
    for (person, joins) in joining.chain(leaving) {
        let Some(record) = directory.records().person(&client.source, person.as_str()) else { continue };
        let mut teams = record.person.teams.clone();
        if joins { teams.insert(id.clone()) } else { teams.remove(id) };
        telling.person(record.saying(Person { teams, ..Person::clone(&record.person) }));
    }
    place_below(client, directory, (id, members.teams(id)), &wanted.teams, &mut telling)?;
    Ok(telling.effect())
}

/// Puts groups below a group, and takes others away from there.
fn place_below(client: &Client, directory: &Directory, (id, now): (&TeamId, &[&TeamRecord]), wanted: &BTreeSet<TeamId>, telling: &mut Telling<'_>) -> Result<(), ScimError> {
    let now: BTreeSet<TeamId> = now.iter().map(|t| t.id().clone()).collect();
    for (team, parent) in wanted.difference(&now).map(|t| (t, Some(id.clone()))).chain(now.difference(wanted).map(|t| (t, None))) {
        let record = client.team(directory, team.as_str())?;
        if let (Some(_), Some(other)) = (&parent, record.team.parent.as_ref()) {
            return Err(ScimError::invalid_value(format!("the group `{team}` stands below `{other}` already; a team has one team above it")));
        }
        if parent.is_some() && (team == id || directory.ancestors(id).contains(team)) {
            return Err(ScimError::invalid_value(format!("the group `{team}` would stand above itself")));
        }
        if parent.is_some() && directory.ancestors(id).len() + directory.depth_below(team) > MAX_DEPTH {
            return Err(ScimError::invalid_value(format!("the group `{team}` would stand deeper than {MAX_DEPTH} levels")));
        }
        telling.team(record.saying(Team { parent, ..record.team.clone() }));
    }
    Ok(())
}

/// A new group.
pub async fn create(client: Client, request: HttpRequest, body: Bytes, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    let (kind, wanted) = (schema::groups(), Asked::query(query).wanted()?);
    let given = input::resource(&object(&body)?, &kind)?;
    input::complete(&given, &kind.core)?;
    let id = client
        .feed(|snapshot| {
            let id = ids::of_group(&client, &snapshot.directory, &given)?;
            Ok((effect(&client, snapshot, &given, &id)?, id))
        })
        .await?;
    view::answer(&client, StatusCode::CREATED, &request, &wanted, Endpoint::Groups, id.as_str())
}

async fn change(client: &Client, request: &HttpRequest, id: &str, wanted: Wanted, change: impl Fn(Object) -> Result<Object, ScimError>) -> Result<HttpResponse, ScimError> {
    let (kind, conditions): (ResourceType, _) = (schema::groups(), Preconditions::of(request));
    client
        .feed(|snapshot| {
            let directory = &snapshot.directory;
            let record = client.team(directory, id)?;
            let resource = view::whole(client, directory, Endpoint::Groups, id)?;
            conditions.check(&resource)?;
            let given = change(input::resource(&resource, &kind)?)?;
            Ok((effect(client, snapshot, &given, record.id())?, ()))
        })
        .await?;
    view::answer(client, StatusCode::OK, request, &wanted, Endpoint::Groups, id)
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
    client
        .feed(|snapshot| {
            let directory = &snapshot.directory;
            let team = client.team(directory, &id)?.id();
            conditions.check(&view::whole(&client, directory, Endpoint::Groups, &id)?)?;
            let members = Members::of_one(&client, directory, &id);
            let mut telling = Telling::new(directory, &client.precedence);
            for member in members.people(team) {
                let mut teams = member.person.teams.clone();
                teams.remove(team);
                telling.person(member.saying(Person { teams, ..Person::clone(&member.person) }));
            }
            place_below(&client, directory, (team, members.teams(team)), &BTreeSet::new(), &mut telling)?;
            telling.forget_team(&client.source, team);
            Ok((telling.effect(), ()))
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
