//! What this server can do: `ServiceProviderConfig`, `ResourceTypes`, `Schemas`.

use actix_web::{HttpResponse, web::Path};
use serde_json::{Value, json};

use super::{Client, error::ScimError, list::MOST, schema::{self, ResourceType, Schema}};

fn answer(body: &Value) -> HttpResponse {
    HttpResponse::Ok().content_type("application/scim+json").json(body)
}

fn list(resources: Vec<Value>) -> HttpResponse {
    answer(&json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": resources.len(),
        "startIndex": 1,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    }))
}

fn kinds(client: &Client) -> [ResourceType; 2] {
    [client.users(), schema::groups()]
}

/// What is supported, and what is not: no bulk, no passwords.
pub async fn provider(client: Client) -> HttpResponse {
    answer(&json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": MOST },
        "changePassword": { "supported": false },
        "sort": { "supported": true },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Service token",
            "description": "A token with the scope `scim`, made by `bandpass token create --service NAME --owner PERSON --scopes scim`.",
            "primary": true,
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": format!("{}/scim/v2/ServiceProviderConfig", client.base) },
    }))
}

/// Users and Groups.
pub async fn types(client: Client) -> HttpResponse {
    list(kinds(&client).iter().map(|k| k.json(&client.base)).collect())
}

/// One of them.
pub async fn one_type(client: Client, id: Path<String>) -> Result<HttpResponse, ScimError> {
    let found = kinds(&client).iter().find(|k| k.name == id.as_str()).map(|k| k.json(&client.base));
    found.map(|k| answer(&k)).ok_or_else(|| ScimError::not_found("resource type", &id))
}

fn schemas(client: &Client) -> Vec<Schema> {
    kinds(client).iter().flat_map(|k| k.schemas().cloned().collect::<Vec<_>>()).collect()
}

/// Every schema.
pub async fn all_schemas(client: Client) -> HttpResponse {
    list(schemas(&client).iter().map(|s| s.json(&client.base)).collect())
}

/// One schema.
pub async fn one_schema(client: Client, id: Path<String>) -> Result<HttpResponse, ScimError> {
    let found = schemas(&client).iter().find(|s| s.id.eq_ignore_ascii_case(&id)).map(|s| s.json(&client.base));
    found.map(|s| answer(&s)).ok_or_else(|| ScimError::not_found("schema", &id))
}
