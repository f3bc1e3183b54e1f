//! One's tokens: listed, made, revoked. The page `/tokens` makes them by the same way.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, web::{Data, Json, Path, Query}};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Sent, execute, parse, requests::{Empty, unexpected}};
use crate::{
    auth::{Caller, session::secret_hash},
    domain::{
        command::{Answer, Command},
        duration::Duration,
        id::{ServiceName, TokenId},
        nearest::nearest,
        refusal::Refusal,
        token::{Scope, Token},
    },
    store::read_tokens::{TokenFilter, UsedToken},
    web::{AppState, Known, limits, problem::Problem},
};

use super::shapes::List;

/// How long a token lives when nobody says.
const USUAL_LIFE: &str = "30d";

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
    /// The token that it was made with, and with which it is revoked; null for one made in a browser or on the machine.
    pub made_with: Option<String>,
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
            made_with: t.made_with.map(|id| id.to_string()),
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

/// A wish for a token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it may do: `read`, `request`, `approve`, `audit`, `admin`, `scim`. The last is for a service.
    scopes: Vec<String>,
    /// For how long, at most `90d`; left out is `30d`.
    #[serde(default)]
    expires: Option<String>,
    /// What it is for.
    #[serde(default)]
    label: Option<String>,
    /// For a program of this name, which the caller answers for; left out is oneself.
    #[serde(default)]
    service: Option<String>,
}

/// A token that was just made, with its secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeToken {
    /// Everything else of it.
    #[serde(flatten)]
    pub about: TokenShape,
    /// The secret itself, `bp_…`; it is kept nowhere.
    pub token: String,
}

/// What a token is to be.
pub(crate) struct TokenWish {
    pub scopes: BTreeSet<Scope>,
    pub lifetime: Duration,
    pub label: String,
    pub service: Option<ServiceName>,
}

/// Makes a token for the caller, and answers it with its secret. The ledger says whether they may.
pub(crate) async fn make(state: &Data<AppState>, caller: &Caller, wish: TokenWish) -> Result<Result<(Token, String), Refusal>, Problem> {
    let secret = state.fresh_secret()?;
    let command = Command::CreateToken {
        person: caller.id().clone(),
        secret_sha256: secret_hash(&secret),
        scopes: wish.scopes,
        label: wish.label,
        lifetime: wish.lifetime,
        service: wish.service,
        first_admin: false,
    };
    match execute(state, caller, command, None, "create token", "tokens").await?.answer {
        Ok(Answer::Token { token }) => Ok(Ok((token, secret))),
        Ok(other) => Err(unexpected(&other)),
        Err(refusal) => Ok(Err(refusal)),
    }
}

fn scope(word: &str) -> Result<Scope, Problem> {
    Scope::parse(word).ok_or_else(|| {
        let shown: String = word.chars().filter(|c| !c.is_control()).take(64).collect();
        let near = nearest(word, Scope::ALL.map(Scope::as_str)).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Problem::bad_field("scopes", format!("there is no scope `{shown}`; expected some of {}{near}", Scope::words()))
    })
}

/// Make a token for oneself, or for a program that one answers for. Its secret is in this answer alone. With a token, one makes only
/// what opens no more and ends no later than it, and goes with it when it is revoked; a service, and a JWT, make none.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = NewToken, responses((status = 201, body = MadeToken), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn create(state: Data<AppState>, caller: Known, body: Json<NewToken>) -> Result<HttpResponse, Problem> {
    let new = body.into_inner();
    let wish = TokenWish {
        scopes: new.scopes.iter().map(|word| scope(word)).collect::<Result<_, _>>()?,
        lifetime: parse("expires", Some(new.expires.as_deref().unwrap_or(USUAL_LIFE)))?.ok_or_else(|| Problem::bad_field("expires", "is empty; expected a time like `30d`"))?,
        label: limits::text("label", new.label)?.unwrap_or_default(),
        service: parse("service", new.service.as_deref())?,
    };
    let (token, secret) = make(&state, &caller, wish).await??;
    let about = TokenShape::from(&UsedToken { token, used_at: None });
    Ok(HttpResponse::Created().json(MadeToken { about, token: secret }))
}

/// Revoke a token, and those that were made with it: one's own, or as an admin anybody's.
#[utoipa::path(post, path = "/api/v1/tokens/{id}/revoke", tag = "tokens", request_body = Empty, params(("id" = String, Path)), responses((status = 204), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn revoke(state: Data<AppState>, caller: Known, id: Path<String>, _: Sent<Empty>) -> Result<HttpResponse, Problem> {
    let token: TokenId = id.parse().map_err(|_| Problem::not_found("token"))?;
    execute(&state, &caller, Command::RevokeToken { token }, None, "revoke token", &id).await?.answer?;
    Ok(HttpResponse::NoContent().finish())
}
