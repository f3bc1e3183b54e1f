//! Sessions: which browsers are signed in, and ending them. One's own on a page; for admins, everybody's on the person's page.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, web::{Data, Form, Path}};
use askama::Template;

use serde::Deserialize;

use super::{Frame, check_form, go, signin::Token, words::{When, when}};
use crate::{
    auth::Caller,
    domain::{command::Command, id::{PersonId, SessionId}, refusal::Refusal, session::SessionEnd},
    web::{AppState, Known, api, problem::Problem},
};

/// A live session.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) browser: String,
    pub(super) issuer: String,
    pub(super) began: When,
    pub(super) seen: When,
    pub(super) ends: When,
    mine: bool,
}

#[derive(Template)]
#[template(path = "sessions.html", config = "src/web/ui/askama.toml")]
struct SessionsPage {
    frame: Frame,
    rows: Vec<Row>,
    others: usize,
    development: bool,
}

/// What a browser calls itself, in a few words.
fn browser(agent: Option<&str>) -> String {
    let agent = agent.unwrap_or_default();
    let first = |names: &[(&str, &'static str)]| names.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name);
    let program = first(&[("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")]);
    let system = first(&[("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "macOS"), ("Linux", "Linux")]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "A browser".to_owned(),
    }
}

/// The live sessions of a person: the one that the caller came with first, then the newest.
pub(super) async fn live(state: &AppState, caller: &Caller, person: &PersonId) -> Result<Vec<Row>, Problem> {
    let now = state.ledger.now();
    let live = state.reader.live_sessions(Some(person.clone())).await?;
    let title = |url: &str| state.issuers.at(url).map_or_else(|| "an issuer that is not configured any more".to_owned(), |p| p.settings.title.clone());
    let mut rows: Vec<Row> = live
        .into_iter()
        .filter(|open| open.session.is_live(now))
        .map(|open| {
            let mine = caller.session() == Some(open.session.id);
            Row {
                id: open.session.id.to_string(),
                browser: browser(open.agent.as_deref()),
                issuer: title(&open.session.issuer),
                began: when(open.session.started_at, now),
                seen: when(if mine { now } else { open.seen_at }, now),
                ends: when(open.session.expires_at, now),
                mine,
            }
        })
        .collect();
    rows.reverse();
    rows.sort_by_key(|r| !r.mine);
    Ok(rows)
}

/// The page.
pub async fn page(state: Data<AppState>, caller: Known) -> Result<HttpResponse, Problem> {
    let frame = Frame::new(&state, &caller, "Sessions", "").await?;
    let rows = live(&state, &caller, caller.id()).await?;
    let others = rows.iter().filter(|r| !r.mine).count();
    super::page(&SessionsPage { frame, rows, others, development: state.is_development() })
}

async fn end(state: &Data<AppState>, caller: &Known, only: Option<BTreeSet<SessionId>>, object: &str) -> Result<HttpResponse, Problem> {
    let own = caller.session();
    let ends_own = own.is_some_and(|own| only.as_ref().is_some_and(|ids| ids.contains(&own)));
    let except = own.filter(|_| only.is_none());
    let command = Command::EndSessions { person: caller.id().clone(), only, except, cause: SessionEnd::BySelf };
    api::execute(state, caller, command, None, "end sessions", object).await?.answer?;
    Ok(go(if ends_own { "/signed-out" } else { "/sessions" }))
}

/// Ends one.
pub async fn end_one(state: Data<AppState>, caller: Known, id: Path<String>, form: Form<Token>) -> Result<HttpResponse, Problem> {
    check_form(&caller, &form.csrf)?;
    let session: SessionId = id.parse().map_err(|_| Problem::not_found("session"))?;
    let live = state.reader.live_sessions(Some(caller.id().clone())).await?;
    if !live.iter().any(|open| open.session.id == session) {
        return Err(Problem::not_found("session"));
    }
    end(&state, &caller, Some([session].into()), &id).await
}

/// Ends all but this one.
pub async fn end_others(state: Data<AppState>, caller: Known, form: Form<Token>) -> Result<HttpResponse, Problem> {
    check_form(&caller, &form.csrf)?;
    end(&state, &caller, None, "others").await
}

/// Which of somebody's sessions an admin ends; all of them when none is named.
#[derive(Deserialize)]
pub struct Ending {
    csrf: String,
    #[serde(default)]
    session: String,
}

/// Ends sessions of somebody else, for an admin. What is over already is a conflict.
pub async fn end_theirs(state: Data<AppState>, caller: Known, id: Path<String>, form: Form<Ending>) -> Result<HttpResponse, Problem> {
    check_form(&caller, &form.csrf)?;
    let person = caller.snapshot.directory.person(&id).ok_or_else(|| Problem::not_found("person"))?.id.clone();
    let only: Option<SessionId> = match form.session.as_str() {
        "" => None,
        named => Some(named.parse().map_err(|_| Problem::not_found("session"))?),
    };
    let live = state.reader.live_sessions(Some(person.clone())).await?;
    if !live.iter().any(|open| only.is_none_or(|only| only == open.session.id)) {
        state.refusals.note(&caller, "end sessions", "stale", person.as_str());
        return Err(Refusal::Stale { what: "the list of their live sessions".to_owned() }.into());
    }
    let own = caller.session().filter(|own| caller.id() == &person && only.is_none_or(|only| only == *own));
    let command = Command::EndSessions { person: person.clone(), only: only.map(|only| [only].into()), except: None, cause: SessionEnd::ByAdmin };
    api::execute(&state, &caller, command, None, "end sessions", person.as_str()).await?.answer?;
    Ok(go(&if own.is_some() { "/signed-out".to_owned() } else { format!("/people/{person}#sessions") }))
}

#[cfg(test)]
mod tests {
    use super::browser;

    #[test]
    fn browsers_are_told_in_a_few_words() {
        let told = |agent: &str| browser(Some(agent));
        assert_eq!(told("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"), "Chrome on Linux");
        assert_eq!(told("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1"), "Safari on iPhone");
        assert_eq!(told("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0"), "Firefox on Windows");
        assert_eq!(browser(None), "A browser");
    }
}
