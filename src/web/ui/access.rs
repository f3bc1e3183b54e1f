//! My access: what I hold, what I asked for.

use actix_web::{HttpResponse, web::{Data, Form, Path}};
use askama::Template;
use serde::Deserialize;

use super::{Frame, check_form, go, standing::{self, Standing}, words::{self, Ends, Voice, When, when}};
use crate::{
    domain::{command::{Answer, Command}, request::RequestStatus},
    store::read::{Page, RequestFilter},
    web::{AppState, Known, api::{execute, grants::visible, requests::unexpected}, limits, problem::Problem},
};

struct Held {
    id: String,
    group: String,
    title: String,
    systems: Vec<String>,
    since: When,
    ends: Ends,
    told: String,
    rule: String,
    soon: bool,
    /// Held without asking: neither renewed nor given back.
    stays: bool,
    again: String,
    standing: Option<Standing>,
}

struct Asked {
    id: String,
    title: String,
    kind: &'static str,
    word: &'static str,
    at: When,
    duration: String,
}

#[derive(Template)]
#[template(path = "access.html", config = "src/web/ui/askama.toml")]
struct AccessPage {
    frame: Frame,
    held: Vec<Held>,
    asked: Vec<Asked>,
}

/// A request's status as a word, with the kind of chip it wears.
pub fn status(status: RequestStatus) -> (&'static str, &'static str) {
    match status {
        RequestStatus::Pending => ("Waiting", "wait"),
        RequestStatus::Granted => ("Granted", "yes"),
        RequestStatus::Denied => ("Denied", "no"),
        RequestStatus::Withdrawn => ("Taken back", "tag"),
        RequestStatus::Expired => ("Unanswered", "tag"),
    }
}

/// The page.
pub async fn page(state: Data<AppState>, caller: Known) -> Result<HttpResponse, Problem> {
    let now = state.ledger.now();
    let snapshot = &caller.snapshot;
    let grants = state.reader.live_grants_of(caller.id().clone()).await?;
    let held = grants
        .iter()
        .map(|g| Held {
            id: g.id.to_string(),
            group: g.group.to_string(),
            title: words::group(snapshot, g.group.as_str()),
            systems: g.entitlements.iter().map(ToString::to_string).collect(),
            since: when(g.starts_at, now),
            told: words::capital(&words::ends(snapshot, g, now, Voice::You).lasts),
            ends: words::ends(snapshot, g, now, Voice::You),
            rule: g.rule.clone(),
            soon: g.ends_at.seconds_since(now) < 3 * 86_400,
            stays: g.is_standing_birthright(),
            again: g.duration.in_words(),
            standing: standing::of(snapshot, g, now),
        })
        .collect();
    let filter = RequestFilter { people: Some([caller.id().clone()].into()), ..RequestFilter::default() };
    let requests = state.reader.requests(filter, Page { before: None, limit: 30 }).await?.items;
    let asked = requests
        .iter()
        .map(|r| {
            let (word, kind) = status(r.status);
            Asked { id: r.id.to_string(), title: words::group(snapshot, r.group.as_str()), kind, word, at: when(r.submitted_at, now), duration: r.duration.in_words() }
        })
        .collect();
    super::page(&AccessPage { frame: Frame::new(&state, &caller, "My access", "access").await?, held, asked })
}

/// An end, with a reason where one is needed.
#[derive(Deserialize)]
pub struct End {
    csrf: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    back: Option<String>,
}

/// Gives a grant back, or takes it away.
pub async fn revoke(state: Data<AppState>, caller: Known, id: Path<String>, sent: Form<End>) -> Result<HttpResponse, Problem> {
    check_form(&caller, &sent.csrf)?;
    let grant = visible(&state, &caller, &id).await?;
    let reason = limits::text("reason", sent.reason.clone())?;
    execute(&state, &caller, Command::Revoke { grant: grant.id, reason }, None, "revoke", &id).await?.answer?;
    Ok(go(&match sent.back.as_deref() {
        Some("group") => format!("/groups/{}", grant.group),
        _ => "/access".to_owned(),
    }))
}

/// Asks for the same time again.
pub async fn renew(state: Data<AppState>, caller: Known, id: Path<String>, sent: Form<super::signin::Token>) -> Result<HttpResponse, Problem> {
    check_form(&caller, &sent.csrf)?;
    let grant = visible(&state, &caller, &id).await?;
    let command = Command::Renew { grant: grant.id, duration: None, justification: None };
    match execute(&state, &caller, command, None, "renew", &id).await?.answer {
        Ok(Answer::Request { request, .. }) => Ok(go(&format!("/requests/{}", request.id))),
        Ok(other) => Err(unexpected(&other)),
        // A reason is wanted: the form asks for it.
        Err(crate::domain::refusal::Refusal::JustificationRequired { .. }) => Ok(go(&format!("/request/{}?duration={}", grant.group, grant.duration))),
        Err(refusal) => Err(refusal.into()),
    }
}
