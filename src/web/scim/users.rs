//! Users: people.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::{Bytes, Path, Query}};
use serde_json::Value;

use super::{
    Client, Object, Preconditions,
    error::ScimError,
    ids, input,
    list::Asked,
    object, patch, person,
    schema::ResourceType,
    select::Wanted,
    view::{self, Endpoint},
};
use crate::{
    directory::{Directory, records::Handle, tell::{Effect, Telling}},
    domain::{given::Given, id::PersonId, person::Person, record::{Dates, PersonRecord}},
    ledger::Snapshot,
};

/// One user.
pub async fn show(client: Client, request: HttpRequest, id: Path<String>, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    view::answer(&client, StatusCode::OK, &request, &Asked::query(query).wanted()?, Endpoint::Users, &id)
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
    let facts = person::facts(&given, id, before, directory, &client.source, snapshot.attributes());
    let kept = Given::new(&given);
    if before.is_some_and(|b| !b.gone && b.given.as_ref() == Some(&kept) && *b.person == facts) {
        return Ok(Effect::default());
    }
    let mut telling = Telling::new(directory, &client.precedence);
    for waiting in directory.records().awaiting(&client.source, &names(&given, id)) {
        if waiting.id() != id {
            let person = Person { manager: Some(id.clone()), ..Person::clone(&waiting.person) };
            telling.person(PersonRecord { person: Arc::new(person), ..waiting.clone() });
        }
    }
    telling.person(PersonRecord::new(client.source.clone(), Arc::new(facts), Some(kept), Dates::now(before.map(|b| &b.dates))));
    Ok(telling.effect())
}

/// The names under which others may give a person as their manager.
fn names(given: &Object, id: &PersonId) -> Vec<String> {
    let texts = [Handle::UserName, Handle::ExternalId].into_iter().filter_map(|h| given.get(h.attribute()).and_then(Value::as_str)).map(str::to_owned);
    texts.chain([id.to_string()]).collect()
}

/// A new user.
pub async fn create(client: Client, request: HttpRequest, body: Bytes, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    let (kind, wanted) = (client.users(), Asked::query(query).wanted()?);
    let given = input::resource(&object(&body)?, &kind)?;
    let id = client
        .feed(|snapshot| {
            unique(&client, &snapshot.directory, &given, None)?;
            let id = ids::of_user(&client, &snapshot.directory, &given)?;
            Ok((effect(&client, snapshot, given.clone(), &id, &kind)?, id))
        })
        .await?;
    view::answer(&client, StatusCode::CREATED, &request, &wanted, Endpoint::Users, id.as_str())
}

/// Changes a user that is there by what `change` makes of it.
async fn change(client: &Client, request: &HttpRequest, id: &str, wanted: Wanted, change: impl Fn(Object) -> Result<Object, ScimError>) -> Result<HttpResponse, ScimError> {
    let kind = client.users();
    let conditions = Preconditions::of(request);
    client
        .feed(|snapshot| {
            let record = client.person(&snapshot.directory, id)?;
            conditions.check(&view::whole(client, &snapshot.directory, Endpoint::Users, id)?)?;
            let given = change(record.given.as_ref().map(Given::object).unwrap_or_default())?;
            Ok((effect(client, snapshot, given, record.id(), &kind)?, ()))
        })
        .await?;
    view::answer(client, StatusCode::OK, request, &wanted, Endpoint::Users, id)
}

/// A user put anew: what is not named is gone.
pub async fn replace(client: Client, request: HttpRequest, id: Path<String>, body: Bytes, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    let wanted = Asked::query(query).wanted()?;
    let given = input::resource(&object(&body)?, &client.users())?;
    change(&client, &request, &id, wanted, |_| Ok(given.clone())).await
}

/// A part of a user changed.
pub async fn modify(client: Client, request: HttpRequest, id: Path<String>, body: Bytes, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    let (kind, wanted) = (client.users(), Asked::query(query).wanted()?);
    let operations = patch::operations(&object(&body)?)?;
    change(&client, &request, &id, wanted, |mut user| {
        patch::apply(&mut user, &operations, &kind)?;
        Ok(user)
    })
    .await
}

/// A user taken away: they left, and nothing of theirs is given to another.
pub async fn remove(client: Client, request: HttpRequest, id: Path<String>) -> Result<HttpResponse, ScimError> {
    let conditions = Preconditions::of(&request);
    client
        .feed(|snapshot| {
            let directory = &snapshot.directory;
            let record = client.person(directory, &id)?;
            conditions.check(&view::whole(&client, directory, Endpoint::Users, &id)?)?;
            let mut telling = Telling::new(directory, &client.precedence);
            telling.person(record.deleted());
            Ok((telling.effect(), ()))
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
