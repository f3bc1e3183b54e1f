//! One's tokens, and revoking them. Making one needs a browser session or the machine: see the page `/tokens` and
//! `bandpass token create`.

use actix_web::{HttpResponse, web::{Data, Json, Path, Query}};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Sent, execute, parse, requests::Empty};
use crate::{
    domain::{command::Command, id::TokenId},
    store::read_tokens::{TokenFilter, UsedToken},
    web::{AppState, Known, problem::Problem},
};

use super::shapes::List;

/// A token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenShape {
    /// Id.
    pub id: String,
    /// Whose; of a service, who answers for it.
    pub person: String,
    /// The service that it was made for; null for a person's own.
    pub service: Option<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// What it is for.
    pub label: String,
    /// When it was made.
    pub created_at: String,
    /// Until when.
    pub expires_at: String,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// When something last came with it, to the minute or so.
    pub last_used_at: Option<String>,
}

impl From<&UsedToken> for TokenShape {
    fn from(used: &UsedToken) -> Self {
        let t = &used.token;
        Self {
            id: t.id.to_string(),
            person: t.person.to_string(),
            service: t.service.as_ref().map(ToString::to_string),
            scopes: t.scopes.iter().map(|s| s.as_str().to_owned()).collect(),
            label: t.label.clone(),
            created_at: t.created_at.to_string(),
            expires_at: t.expires_at.to_string(),
            revoked_at: t.revoked_at.map(|at| at.to_string()),
            last_used_at: used.used_at.map(|at| at.to_string()),
        }
    }
}

/// Which tokens.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct TokenQuery {
    /// From an earlier answer.
    cursor: Option<String>,
    /// 1 to 200, default 50.
    limit: Option<u16>,
}

/// The caller's own tokens, and those of services that they answer for, newest first.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(TokenQuery), responses((status = 200, body = List<TokenShape>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn list(state: Data<AppState>, caller: Known, query: Query<TokenQuery>) -> Result<Json<List<TokenShape>>, Problem> {
    let limit = query.limit.unwrap_or(50).clamp(1, 200);
    let before: Option<TokenId> = parse("cursor", query.cursor.as_deref())?;
    let filter = TokenFilter { person: Some(caller.id().clone()), before, ..TokenFilter::default() };
    let found = state.reader.used_tokens(filter, limit).await?;
    let next = found.last().filter(|_| found.len() == usize::from(limit)).map(|last| last.token.id.to_string());
    Ok(Json(List { items: found.iter().map(TokenShape::from).collect(), next }))
}

/// Revoke a token: one's own, or as an admin anybody's.
#[utoipa::path(post, path = "/api/v1/tokens/{id}/revoke", tag = "tokens", request_body = Empty, params(("id" = String, Path)), responses((status = 204), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn revoke(state: Data<AppState>, caller: Known, id: Path<String>, _: Sent<Empty>) -> Result<HttpResponse, Problem> {
    let token: TokenId = id.parse().map_err(|_| Problem::not_found("token"))?;
    execute(&state, &caller, Command::RevokeToken { token }, None, "revoke token", &id).await?.answer?;
    Ok(HttpResponse::NoContent().finish())
}
