//! Tokens: one's own and those of services that one answers for; for admins, everybody's.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, web::{Data, Form, Path, Query}};
use askama::Template;
use serde::Deserialize;

use super::{Frame, check_form, encode, go, signin, words::{self, When, when}};
use crate::{
    domain::{
        command::Command,
        duration::Duration,
        id::{ServiceName, TokenId},
        token::{Scope, Token},
    },
    store::read_tokens::TokenFilter,
    web::{AppState, Known, api::{execute, tokens::{TokenWish, make}}, limits, problem::Problem},
};

/// Tokens on a page.
const MANY: u16 = 50;

struct Row {
    id: String,
    label: String,
    /// The service, or nothing for a person's own.
    service: String,
    owner: String,
    owner_name: String,
    scopes: String,
    made: When,
    ends: When,
    used: Option<When>,
    /// Whether another token made it, and takes it along.
    by_token: bool,
    /// `yes` opens something, `tag` does not any more.
    kind: &'static str,
    state: &'static str,
    live: bool,
}

/// A scope to choose.
struct Choice {
    word: &'static str,
    told: &'static str,
    chosen: bool,
}

/// A token that was just made.
struct Made {
    secret: String,
    whose: String,
    scopes: String,
    ends: When,
}

#[derive(Template)]
#[template(path = "tokens.html", config = "src/web/ui/askama.toml")]
struct TokensPage {
    frame: Frame,
    rows: Vec<Row>,
    choices: Vec<Choice>,
    made: Option<Made>,
    wrong: String,
    label: String,
    service: String,
    admin: bool,
    everybody: bool,
    of: String,
    next: String,
}

/// Which tokens to show.
#[derive(Deserialize, Default)]
pub struct TokensQuery {
    /// Everybody's, for admins.
    #[serde(default)]
    all: String,
    /// Of a person or service.
    #[serde(default)]
    of: String,
    /// Made before this one.
    #[serde(default)]
    before: String,
}

fn told(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "see what you may see",
        Scope::Request => "ask, take back, renew, give back",
        Scope::Approve => "answer requests that wait for you; never of a service",
        Scope::Audit => "read the audit log, if you may",
        Scope::Admin => "administer, if you may",
        Scope::Scim => "feed the directory; of a service, made by an admin",
    }
}

fn scopes(token: &Token) -> String {
    token.scopes.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ")
}

/// What a form said, to show it again.
#[derive(Default)]
struct Shown {
    made: Option<Made>,
    wrong: String,
    label: String,
    service: String,
    chosen: Option<BTreeSet<Scope>>,
}

async fn show(state: &AppState, caller: &Known, query: &TokensQuery, shown: Shown) -> Result<HttpResponse, Problem> {
    let (snapshot, now) = (&caller.snapshot, state.ledger.now());
    let everybody = caller.admin && !query.all.is_empty();
    let of = Some(query.of.trim()).filter(|of| everybody && !of.is_empty());
    let filter = TokenFilter {
        person: (!everybody).then(|| caller.id().clone()),
        of: of.map(str::to_owned),
        live_at: None,
        before: query.before.parse().ok(),
    };
    let found = state.reader.used_tokens(filter, MANY).await?;
    let full = found.len() == usize::from(MANY);
    let next = found.last().filter(|_| full).map(|last| {
        let all = if everybody { format!("&all=1&of={}", encode(&query.of)) } else { String::new() };
        format!("/tokens?before={}{all}", last.token.id)
    });
    let rows = found
        .iter()
        .map(|used| {
            let t = &used.token;
            let (kind, state) = match (t.revoked_at, t.expires_at > now) {
                (Some(_), _) => ("tag", "Revoked"),
                (None, false) => ("tag", "Expired"),
                (None, true) => ("yes", "Live"),
            };
            Row {
                id: t.id.to_string(),
                label: if t.label.is_empty() { "Without a name".to_owned() } else { t.label.clone() },
                service: t.service.as_ref().map(ToString::to_string).unwrap_or_default(),
                owner: t.person.to_string(),
                owner_name: words::name(snapshot, &t.person),
                scopes: scopes(t),
                made: when(t.created_at, now),
                ends: when(t.revoked_at.unwrap_or(t.expires_at), now),
                by_token: t.made_with.is_some(),
                used: used.used_at.map(|at| when(at, now)),
                kind,
                state,
                live: kind == "yes",
            }
        })
        .collect();
    let chosen = shown.chosen.unwrap_or_else(|| [Scope::Read, Scope::Request].into());
    let offered = Scope::ALL.into_iter().filter(|s| match s {
        Scope::Audit => caller.auditor,
        Scope::Admin | Scope::Scim => caller.admin,
        _ => true,
    });
    let status = if shown.wrong.is_empty() { actix_web::http::StatusCode::OK } else { actix_web::http::StatusCode::UNPROCESSABLE_ENTITY };
    super::page_with(status, &TokensPage {
        frame: Frame::new(state, caller, "Tokens", "").await?,
        rows,
        choices: offered.map(|s| Choice { word: s.as_str(), told: told(s), chosen: chosen.contains(&s) }).collect(),
        made: shown.made,
        wrong: shown.wrong,
        label: shown.label,
        service: shown.service,
        admin: caller.admin,
        everybody,
        of: query.of.clone(),
        next: next.unwrap_or_default(),
    })
}

/// The page.
pub async fn page(state: Data<AppState>, caller: Known, query: Query<TokensQuery>) -> Result<HttpResponse, Problem> {
    show(&state, &caller, &query, Shown::default()).await
}

/// A wish for a token. Scopes are boxes of their own names.
#[derive(Deserialize)]
pub struct Wish {
    csrf: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    service: String,
    #[serde(default)]
    expires: String,
    #[serde(default)]
    read: String,
    #[serde(default)]
    request: String,
    #[serde(default)]
    approve: String,
    #[serde(default)]
    audit: String,
    #[serde(default)]
    admin: String,
    #[serde(default)]
    scim: String,
}

impl Wish {
    fn scopes(&self) -> BTreeSet<Scope> {
        let boxes = [(Scope::Read, &self.read), (Scope::Request, &self.request), (Scope::Approve, &self.approve), (Scope::Audit, &self.audit), (Scope::Admin, &self.admin), (Scope::Scim, &self.scim)];
        boxes.into_iter().filter(|(_, said)| !said.is_empty()).map(|(scope, _)| scope).collect()
    }
}

/// Makes one. Its secret stands on the answer and nowhere else.
pub async fn create(state: Data<AppState>, caller: Known, sent: Form<Wish>) -> Result<HttpResponse, Problem> {
    check_form(&caller, &sent.csrf)?;
    let label = limits::text("label", Some(sent.label.trim().to_owned()))?.unwrap_or_default();
    let service = sent.service.trim();
    let chosen = sent.scopes();
    let again = |wrong: String| Shown { wrong, label: label.clone(), service: service.to_owned(), chosen: Some(chosen.clone()), made: None };
    let name = match Some(service).filter(|s| !s.is_empty()).map(ServiceName::parse).transpose() {
        Ok(name) => name,
        Err(error) => return show(&state, &caller, &TokensQuery::default(), again(error.to_string())).await,
    };
    let lifetime: Duration = match sent.expires.parse() {
        Ok(lifetime) => lifetime,
        Err(error) => return show(&state, &caller, &TokensQuery::default(), again(format!("{error}"))).await,
    };
    match make(&state, &caller, TokenWish { scopes: chosen.clone(), lifetime, label: label.clone(), service: name }).await? {
        Ok((token, secret)) => {
            let whose = token.service.as_ref().map_or_else(|| "you".to_owned(), |s| format!("the service {s}, which you answer for"));
            let made = Made { secret, whose, scopes: scopes(&token), ends: when(token.expires_at, state.ledger.now()) };
            show(&state, &caller, &TokensQuery::default(), Shown { made: Some(made), ..Shown::default() }).await
        }
        Err(refusal) if refusal.status() == 422 => show(&state, &caller, &TokensQuery::default(), again(refusal.to_string())).await,
        Err(refusal) => Err(refusal.into()),
    }
}

/// Revokes one: one's own, or as an admin anybody's.
pub async fn revoke(state: Data<AppState>, caller: Known, id: Path<String>, sent: Form<signin::Token>) -> Result<HttpResponse, Problem> {
    check_form(&caller, &sent.csrf)?;
    let token: TokenId = id.parse().map_err(|_| Problem::not_found("token"))?;
    execute(&state, &caller, Command::RevokeToken { token }, None, "revoke token", &id).await?.answer?;
    Ok(go("/tokens"))
}
