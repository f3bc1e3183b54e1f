//! `POST /signin/{issuer}/backchannel-logout`: an issuer says that somebody signed out there. No browser and no token of ours:
//! the logout token proves itself.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpResponse, web::{Data, Form, Path}};
use serde::Deserialize;

use super::{AppState, problem::Problem};
use crate::{
    auth::oidc::{logout, provider::TokenError},
    domain::{command::Command, id::{PersonId, SessionId}, session::SessionEnd},
};

/// What an issuer sends.
#[derive(Deserialize)]
pub struct Sent {
    logout_token: String,
}

/// Ends the sessions that the token means.
pub async fn logout(state: Data<AppState>, issuer: Path<String>, form: Form<Sent>) -> Result<HttpResponse, Problem> {
    let provider = state.issuers.named(&issuer).ok_or_else(|| Problem::not_found("issuer"))?;
    let meant = match logout::read(provider, &form.logout_token, state.ledger.now()).await {
        Ok(meant) => meant,
        // So that the issuer sends it again.
        Err(TokenError::Unavailable) => return Err(Problem::issuer_away()),
        Err(TokenError::Wrong(why)) => {
            tracing::warn!(issuer = %provider.settings.name, %why, "a logout token was refused");
            let told = serde_json::json!({ "error": "invalid_request", "error_description": format!("the logout token {why}") });
            return Ok(HttpResponse::BadRequest().json(told));
        }
    };
    let live = state.reader.live_sessions_at(provider.settings.url.clone(), meant.subject, meant.sid).await?;
    let mut by_person: BTreeMap<PersonId, BTreeSet<SessionId>> = BTreeMap::new();
    for session in live.into_iter().filter(|s| s.started_at <= meant.until) {
        by_person.entry(session.person).or_default().insert(session.id);
    }
    for (person, only) in by_person {
        let command = Command::EndSessions { person, only: Some(only), except: None, cause: SessionEnd::BackChannel };
        state.ledger.act("signin", command).await?.answer?;
    }
    Ok(HttpResponse::Ok().finish())
}
