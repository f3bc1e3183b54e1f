//! One's own sessions: which browsers are signed in, and ending them.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, web::{Data, Form, Path}};
use askama::Template;

use super::{Frame, check_form, go, signin::Token, words::{When, when}};
use crate::{
    domain::{command::Command, id::SessionId, session::SessionEnd},
    web::{AppState, Known, api, problem::Problem},
};

struct Row {
    id: String,
    browser: String,
    issuer: String,
    began: When,
    seen: When,
    ends: When,
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

/// The page.
pub async fn page(state: Data<AppState>, caller: Known) -> Result<HttpResponse, Problem> {
    let now = state.ledger.now();
    let frame = Frame::new(&state, &caller, "Sessions", "").await?;
    let live = state.reader.live_sessions(Some(caller.id().clone())).await?;
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
    // This one first, then the newest.
    rows.reverse();
    rows.sort_by_key(|r| !r.mine);
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
