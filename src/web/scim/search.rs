//! Lists of users, of groups and of both: by GET, and by POST `/.search` (RFC 7644, 3.4.2 and 3.4.3).

use actix_web::{HttpResponse, web::{Bytes, Query}};

use super::{
    Client,
    error::ScimError,
    list::Asked,
    object,
    view::{Endpoint, View},
};

fn page(client: &Client, asked: &Asked, endpoints: &[Endpoint]) -> Result<HttpResponse, ScimError> {
    asked.page(&View::new(client, &client.snapshot().directory), endpoints)
}

/// A page of users.
pub async fn users(client: Client, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    page(&client, &Asked::query(query), &[Endpoint::Users])
}

/// The same by POST.
pub async fn users_posted(client: Client, body: Bytes) -> Result<HttpResponse, ScimError> {
    page(&client, &Asked::body(&object(&body)?)?, &[Endpoint::Users])
}

/// A page of groups.
pub async fn groups(client: Client, query: Query<Asked>) -> Result<HttpResponse, ScimError> {
    page(&client, &Asked::query(query), &[Endpoint::Groups])
}

/// The same by POST.
pub async fn groups_posted(client: Client, body: Bytes) -> Result<HttpResponse, ScimError> {
    page(&client, &Asked::body(&object(&body)?)?, &[Endpoint::Groups])
}

/// Users first, then groups. A filter that only one kind can answer finds only that kind.
pub async fn everything(client: Client, body: Bytes) -> Result<HttpResponse, ScimError> {
    page(&client, &Asked::body(&object(&body)?)?, &[Endpoint::Users, Endpoint::Groups])
}
