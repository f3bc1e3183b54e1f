//! Searching users and groups together: POST `/.search` at the root (RFC 7644, 3.4.3).

use actix_web::{HttpResponse, web::Bytes};

use super::{Client, error::ScimError, groups, list::Asked, object, schema::{self, ResourceType}, users};

/// Users first, then groups. A filter that only one kind can answer finds only that kind.
pub async fn everything(client: Client, body: Bytes) -> Result<HttpResponse, ScimError> {
    let asked = Asked::body(&object(&body)?)?;
    let (of_users, of_groups) = (users::kind(&client), schema::groups());
    let snapshot = client.snapshot();
    let people = users::found(&client, &snapshot.directory, &asked, &of_users);
    let teams = groups::found(&client, &snapshot.directory, &asked, &of_groups);
    let (people, teams) = match (people, teams) {
        (Err(error), Err(_)) => return Err(error),
        (people, teams) => (people.unwrap_or_default(), teams.unwrap_or_default()),
    };
    let with = groups::members(&client, &snapshot.directory, None);
    let all = people.into_iter().map(Found::User).chain(teams.into_iter().map(Found::Group)).collect();
    asked.mixed_page(&[&of_users, &of_groups], all, |found| -> (&ResourceType, _) {
        match found {
            Found::User(record) => (&of_users, super::person::shown(&client, &snapshot.directory, record)),
            Found::Group(record) => (&of_groups, groups::shown(&client, &snapshot.directory, record, &with)),
        }
    })
}

enum Found<'d> {
    User(&'d crate::domain::record::PersonRecord),
    Group(&'d crate::domain::record::TeamRecord),
}
