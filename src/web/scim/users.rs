//! Users: people.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::{Bytes, Path, Query}};
use serde_json::Value;

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
    directory::{Directory, records::Handle, tell::{Effect, Telling}},
    domain::{id::PersonId, record::PersonRecord},
    ledger::{Snapshot, fresh_id},
};

pub(super) fn kind(client: &Client) -> ResourceType {
    schema::users(&client.connectors(), &client.attributes())
}

fn record<'d>(client: &Client, directory: &'d Directory, id: &str) -> Result<&'d PersonRecord, ScimError> {
    directory.records().person(&client.source, id).filter(|r| !r.gone).ok_or_else(|| ScimError::not_found("user", id))
}

/// Which users, in order of their ids.
pub(super) fn found<'d>(client: &'d Client, directory: &'d Directory, asked: &Asked, kind: &ResourceType) -> Result<Vec<&'d PersonRecord>, ScimError> {
    let records = directory.records();
    let Some(wanted) = asked.filter(kind)? else { return Ok(records.people_of(&client.source).collect()) };
    let exactly = |id: Option<&str>| id.and_then(|id| records.person(&client.source, id)).filter(|r| !r.gone).into_iter().collect();
    for handle in [Handle::UserName, Handle::ExternalId] {
        if let Some(text) = filter::only_equal(&wanted, handle.attribute()) {
            return Ok(exactly(records.by_handle(&client.source, handle, text).map(PersonId::as_str)));
        }
    }
    if let Some(id) = filter::only_equal(&wanted, "id") {
        return Ok(exactly(Some(id)));
    }
    let stored = filter::reads_given(&wanted);
    let nothing = Object::new();
    let fits = |r: &&PersonRecord| match (&r.given, stored) {
        (given, true) => filter::holds(&wanted, given.as_deref().unwrap_or(&nothing), kind),
        (_, false) => filter::holds(&wanted, &person::shown(client, directory, r), kind),
    };
    Ok(records.people_of(&client.source).filter(fits).collect())
}

fn page(client: &Client, asked: &Asked) -> Result<HttpResponse, ScimError> {
    let (kind, snapshot) = (kind(client), client.snapshot());
    let all = found(client, &snapshot.directory, asked, &kind)?;
    asked.page(&kind, all, |r| person::shown(client, &snapshot.directory, r))
}

/// A page of users.
pub async fn list(client: Client, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    page(&client, &Asked::query(query))
}

/// The same by POST.
pub async fn search(client: Client, body: Bytes) -> Result<HttpResponse, ScimError> {
    page(&client, &Asked::body(&object(&body)?)?)
}

fn answer(client: &Client, status: StatusCode, request: &HttpRequest, wanted: &Wanted, id: &PersonId) -> Result<HttpResponse, ScimError> {
    let snapshot = client.snapshot();
    let resource = person::shown(client, &snapshot.directory, record(client, &snapshot.directory, id.as_str())?);
    Ok(answered(status, &Preconditions::of(request), resource, wanted, &kind(client)))
}

/// One user.
pub async fn show(client: Client, request: HttpRequest, id: Path<String>, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    let id = PersonId::parse(&id).map_err(|_| ScimError::not_found("user", &id))?;
    answer(&client, StatusCode::OK, &request, &Asked::query(query).wanted()?, &id)
}

/// The id of a new user: what settings say, if it was never anybody's here; or that of someone whom only other sources know
/// yet, who is then known to this one as well. Never that of someone who left.
fn chosen(client: &Client, directory: &Directory, given: &Object) -> Result<PersonId, ScimError> {
    for name in &client.state.settings.directory.scim_person_id {
        let Some(id) = given.get(name).and_then(Value::as_str).and_then(|text| PersonId::parse(text).ok()) else { continue };
        let never = directory.person(id.as_str()).is_none() && !directory.records().knows(id.as_str());
        let joins = directory.person(id.as_str()).is_some_and(|p| p.is_active()) && directory.records().person(&client.source, id.as_str()).is_none();
        if never || joins {
            return Ok(id);
        }
    }
    PersonId::parse(&fresh_id().to_string()).map_err(|e| ScimError::new(500, None, e.to_string()))
}

/// Refuses a name that another user of this source has.
fn unique(client: &Client, directory: &Directory, given: &Object, id: Option<&PersonId>) -> Result<(), ScimError> {
    for handle in [Handle::UserName, Handle::ExternalId] {
        let name = handle.attribute();
        if let Some(text) = given.get(name).and_then(Value::as_str)
            && let Some(other) = directory.records().by_handle(&client.source, handle, text)
            && Some(other) != id
        {
            return Err(ScimError::uniqueness(format!("`{name}` is another user's already")));
        }
    }
    Ok(())
}

/// What it changes that a user is now like this.
fn effect(client: &Client, snapshot: &Snapshot, given: Object, id: &PersonId, kind: &ResourceType) -> Result<Effect, ScimError> {
    let directory = &snapshot.directory;
    input::complete(&given, &kind.core)?;
    unique(client, directory, &given, Some(id))?;
    let before = directory.records().person(&client.source, id.as_str());
    let facts = person::facts(&given, id, before, directory, &client.source, snapshot.policy.set().attributes())?;
    if before.is_some_and(|b| !b.gone && b.given.as_deref() == Some(&given) && b.person == facts) {
        return Ok(Effect::default());
    }
    let mut telling = Telling::new(directory, &client.precedence);
    for waiting in directory.records().awaiting(&client.source, &names(&given, id)) {
        if waiting.id() != id {
            let person = crate::domain::person::Person { manager: Some(id.clone()), ..waiting.person.clone() };
            telling.person(PersonRecord { person, ..waiting.clone() });
        }
    }
    telling.person(PersonRecord {
        source: client.source.clone(),
        person: facts,
        gone: false,
        given: Some(Arc::new(given)),
        created_at: before.and_then(|b| b.created_at),
        told_at: None,
        undated: false,
    });
    Ok(telling.effect())
}

/// The names under which others may give a person as their manager.
fn names(given: &Object, id: &PersonId) -> Vec<String> {
    let texts = [Handle::UserName, Handle::ExternalId].into_iter().filter_map(|h| given.get(h.attribute()).and_then(Value::as_str)).map(str::to_owned);
    texts.chain([id.to_string()]).collect()
}

/// A new user.
pub async fn create(client: Client, request: HttpRequest, body: Bytes, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    let (kind, wanted) = (kind(&client), Asked::query(query).wanted()?);
    let given = input::resource(&object(&body)?, &kind)?;
    let id = client
        .feed(|snapshot| {
            unique(&client, &snapshot.directory, &given, None)?;
            let id = chosen(&client, &snapshot.directory, &given)?;
            Ok((effect(&client, snapshot, given.clone(), &id, &kind)?, id))
        })
        .await?;
    answer(&client, StatusCode::CREATED, &request, &wanted, &id)
}

/// Changes a user that is there by what `change` makes of it.
async fn change(client: &Client, request: &HttpRequest, id: &str, wanted: Wanted, change: impl Fn(&Object) -> Result<Object, ScimError>) -> Result<HttpResponse, ScimError> {
    let kind = kind(client);
    let id = PersonId::parse(id).map_err(|_| ScimError::not_found("user", id))?;
    let conditions = Preconditions::of(request);
    client
        .feed(|snapshot| {
            let record = record(client, &snapshot.directory, id.as_str())?;
            conditions.check(&person::shown(client, &snapshot.directory, record))?;
            let nothing = Object::new();
            let given = change(record.given.as_deref().unwrap_or(&nothing))?;
            Ok((effect(client, snapshot, given, &id, &kind)?, ()))
        })
        .await?;
    answer(client, StatusCode::OK, request, &wanted, &id)
}

/// A user put anew: what is not named is gone.
pub async fn replace(client: Client, request: HttpRequest, id: Path<String>, body: Bytes, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    let wanted = Asked::query(query).wanted()?;
    let given = input::resource(&object(&body)?, &kind(&client))?;
    change(&client, &request, &id, wanted, |_| Ok(given.clone())).await
}

/// A part of a user changed.
pub async fn modify(client: Client, request: HttpRequest, id: Path<String>, body: Bytes, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    let (kind, wanted) = (kind(&client), Asked::query(query).wanted()?);
    let operations = patch::operations(&object(&body)?)?;
    change(&client, &request, &id, wanted, |before| {
        let mut after = before.clone();
        patch::apply(&mut after, &operations, &kind)?;
        Ok(after)
    })
    .await
}

/// A user taken away: they left, and nothing of theirs is given to another.
pub async fn remove(client: Client, request: HttpRequest, id: Path<String>) -> Result<HttpResponse, ScimError> {
    let conditions = Preconditions::of(&request);
    client
        .feed(|snapshot| {
            let record = record(&client, &snapshot.directory, &id)?;
            conditions.check(&person::shown(&client, &snapshot.directory, record))?;
            let mut telling = Telling::new(&snapshot.directory, &client.precedence);
            telling.person(PersonRecord { gone: true, told_at: None, undated: false, ..record.clone() });
            Ok((telling.effect(), ()))
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
