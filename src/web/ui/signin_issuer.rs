//! To an issuer and back. Every way that leads to nobody ends on a page that says what happened and what to do.

use std::collections::BTreeSet;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::{Data, Path, Query}};
use askama::Template;
use serde::Deserialize;

use super::{Frame, go, signin::{drop_cookie, local, put_cookie}, words};
use crate::{
    auth::{
        oidc::{attempt::{Attempt, LASTS_SECONDS}, flow::{self, Answer, Named, SigninError}, person::{By, Match, find}, provider::Provider},
        session::{self, secret_hash},
        sessions::{cookie_name, fresh_cookie},
    },
    domain::{actor::Actor, command::{Command, Envelope}, id::{CommandId, SessionId}, person::Person, refusal::Refusal},
    ledger::{Snapshot, decide::is_in, fresh_id},
    web::{AppState, problem::Problem},
};

/// The longest ID token that a browser is given to keep until it signs out.
const MOST_KEPT: usize = 3000;

/// Sign-ins that one browser may have under way.
const MOST_UNDER_WAY: usize = 5;

/// How the cookies of sign-ins on their way begin.
fn attempt_stem(state: &AppState) -> String {
    cookie_name(state.is_https(), "bandpass_signin_")
}

/// The cookie of a sign-in on its way. Each has its own, named by its `state`: another tab, or another site that sends the
/// browser here, breaks none that is under way. None for what is no `state` of ours.
fn attempt_cookie(state: &AppState, of: &str) -> Option<String> {
    let begin = of.get(..12).filter(|b| b.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)))?;
    Some(format!("{}{begin}", attempt_stem(state)))
}

/// Cookies of sign-ins that one more would make too many: what is none, or too old, and the oldest.
fn too_many(state: &AppState, http: &HttpRequest) -> Vec<String> {
    let (stem, now) = (attempt_stem(state), state.ledger.now());
    let cookies = http.cookies().map(|all| all.clone()).unwrap_or_default();
    let began = |value: &str| state.issuers.all().iter().find_map(|p| state.issuers.sealer.open(&p.settings.name, value, now)).map(|a| a.began);
    let mut under_way: Vec<(Option<i64>, String)> = cookies.iter().filter(|c| c.name().starts_with(&stem)).map(|c| (began(c.value()), c.name().to_owned())).collect();
    under_way.sort();
    let over = (under_way.len() + 1).saturating_sub(MOST_UNDER_WAY);
    under_way.into_iter().enumerate().filter(|(nth, (began, _))| *nth < over || began.is_none()).map(|(_, (_, name))| name).collect()
}

/// The cookie with the ID token, which only the page after signing out is sent: an issuer wants it to know whom to sign out.
pub(super) fn id_token_cookie(state: &AppState) -> String {
    if state.is_https() { "__Secure-bandpass_id".to_owned() } else { "bandpass_id".to_owned() }
}

#[derive(Template)]
#[template(path = "signin_problem.html", config = "src/web/ui/askama.toml")]
struct ProblemPage {
    frame: Frame,
    told: String,
    todo: String,
    facts: Vec<(&'static str, String)>,
    again: String,
}

/// A page about a sign-in that led to nobody.
fn problem(provider: &Provider, status: u16, headline: &str, (told, todo): (String, String), facts: Vec<(&'static str, String)>) -> Result<HttpResponse, Problem> {
    let again = format!("/signin/{}", provider.settings.name);
    let page = ProblemPage { frame: Frame::nobody(headline, false), told, todo, facts, again };
    super::page_with(StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN), &page)
}

fn failed(provider: &Provider, error: &SigninError) -> Result<HttpResponse, Problem> {
    let title = &provider.settings.title;
    let once_more = "Nothing was changed. Start again from the sign-in page.".to_owned();
    let (status, headline, todo) = match error {
        SigninError::Issuer(_) => (502, "The sign-in service did not answer as it should", "Try again in a minute. If it stays like this, tell an admin what stands here.".to_owned()),
        SigninError::Stray(_) => (400, "That sign-in is not yours to finish here", once_more),
        SigninError::Declined(code) if code == "access_denied" => (403, "You were not signed in", format!("{title} says that it was declined, there or by you. {once_more}")),
        SigninError::Declined(_) => (403, "You were not signed in", format!("{title} said no. If it does so again, tell an admin what stands here.")),
        SigninError::Invalid(_) => (403, "What the sign-in service said cannot be trusted", "Nobody was signed in. Tell an admin what stands here.".to_owned()),
    };
    tracing::warn!(issuer = %provider.settings.name, %error, status, "a sign-in failed");
    problem(provider, status, headline, (format!("{}.", words::capital(&error.to_string())), todo), Vec::new())
}

/// Where to go afterwards.
#[derive(Deserialize)]
pub struct StartQuery {
    return_to: Option<String>,
}

/// Sends the browser to an issuer. Changes nothing here: what is to be remembered, the browser keeps, sealed.
pub async fn start(state: Data<AppState>, http: HttpRequest, issuer: Path<String>, query: Query<StartQuery>) -> Result<HttpResponse, Problem> {
    let provider = state.issuers.named(&issuer).ok_or_else(|| Problem::not_found("issuer"))?;
    let (url, attempt) = match flow::begin(provider, local(query.return_to.as_deref()), state.ledger.now()).await {
        Ok(begun) => begun,
        Err(error) => return failed(provider, &error),
    };
    let sealed = state.issuers.sealer.seal(&attempt).map_err(|e| Problem::new(500, "failed", "Something failed here", e))?;
    let mut response = go(&url);
    for name in too_many(&state, &http) {
        drop_cookie(&mut response, &name, "/", state.is_https())?;
    }
    let name = attempt_cookie(&state, &attempt.state).ok_or_else(|| Problem::new(500, "failed", "Something failed here", None))?;
    put_cookie(&mut response, &name, sealed, "/", (state.is_https(), LASTS_SECONDS))?;
    Ok(response)
}

/// What an issuer sends a browser back with. Twice the same name is no answer.
#[derive(Deserialize)]
pub struct Callback {
    state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// Takes a browser back from an issuer, and begins its session. However that ends, this sign-in is over: its cookie goes.
pub async fn callback(state: Data<AppState>, http: HttpRequest, issuer: Path<String>, query: Query<Callback>) -> Result<HttpResponse, Problem> {
    let provider = state.issuers.named(&issuer).ok_or_else(|| Problem::not_found("issuer"))?;
    let query = query.into_inner();
    let cookie = query.state.as_deref().and_then(|s| attempt_cookie(&state, s)).and_then(|name| http.cookie(&name));
    let Some(cookie) = cookie else {
        let why = "the answer of the issuer belongs to no sign-in that this browser began here within the last ten minutes";
        return failed(provider, &SigninError::Stray(why.to_owned()));
    };
    let answer = Answer { state: query.state, code: query.code, iss: query.iss, error: query.error };
    let mut response = finish(&state, &http, provider, cookie.value(), &answer).await?;
    drop_cookie(&mut response, cookie.name(), "/", state.is_https())?;
    Ok(response)
}

async fn finish(state: &Data<AppState>, http: &HttpRequest, provider: &Provider, sealed: &str, answer: &Answer) -> Result<HttpResponse, Problem> {
    let now = state.ledger.now();
    let Some(attempt) = state.issuers.sealer.open(&provider.settings.name, sealed, now) else {
        let why = "this browser began no sign-in here within the last ten minutes";
        return failed(provider, &SigninError::Stray(why.to_owned()));
    };
    let named = match flow::finish(provider, &attempt, answer, now).await {
        Ok(named) => named,
        Err(error) => return failed(provider, &error),
    };
    let snapshot = state.ledger.snapshot();
    match find(provider, &named.subject, named.value.as_deref(), &snapshot, &state.reader).await? {
        Match::Person(person, by) => begin(state, http, provider, &attempt, &named, (&person, by)).await,
        other => refuse(state, provider, &named, &other).await,
    }
}

async fn begin(state: &Data<AppState>, http: &HttpRequest, provider: &Provider, attempt: &Attempt, named: &Named, (person, by): (&Person, By)) -> Result<HttpResponse, Problem> {
    let secret = fresh_cookie().map_err(|e| Problem::new(500, "failed", "Something failed here", e))?;
    let agent = http.headers().get("user-agent").and_then(|a| a.to_str().ok());
    let agent = agent.map(|a| a.chars().filter(|c| !c.is_control()).take(300).collect());
    let command = Command::SignIn {
        issuer: provider.settings.url.clone(),
        subject: named.subject.clone(),
        sid: named.sid.clone(),
        claim: (by == By::Claim).then(|| provider.settings.person_claim.clone()),
        secret_sha256: secret_hash(&secret),
        attempt_sha256: secret_hash(&attempt.state),
        agent,
        lifetime: state.settings.signin.absolute,
        replaces: replaced(state, http).await?,
    };
    let envelope = Envelope { id: CommandId(fresh_id()), actor: Actor::person(&person.id), command, idempotency: None };
    if let Err(refusal) = state.ledger.execute(envelope).await?.answer {
        // Another sign-in was faster, or the directory or a link has changed since it was looked at.
        return declined(provider, &refusal);
    }
    let mut response = go(&attempt.return_to);
    let https = state.is_https();
    let lifetime = i64::from(state.settings.signin.absolute.as_seconds());
    put_cookie(&mut response, &state.session_cookie(), secret, "/", (https, lifetime))?;
    if named.id_token.len() <= MOST_KEPT {
        put_cookie(&mut response, &id_token_cookie(state), named.id_token.clone(), "/signed-out", (https, lifetime))?;
    }
    Ok(response)
}

/// A sign-in that the ledger does not take, with the status of its refusal.
fn declined(provider: &Provider, refusal: &Refusal) -> Result<HttpResponse, Problem> {
    let status = refusal.status();
    tracing::warn!(issuer = %provider.settings.name, %refusal, status, "a sign-in was not taken");
    let headline = match status {
        403 => "You were not signed in",
        409 => "Something has changed while you signed in",
        _ => return Err(refusal.clone().into()),
    };
    let todo = "Nothing was changed. Start again from the sign-in page.".to_owned();
    problem(provider, status, headline, (format!("{}.", words::capital(&refusal.to_string())), todo), Vec::new())
}

/// The session that this browser has still, whosever it is.
async fn replaced(state: &AppState, http: &HttpRequest) -> Result<Option<SessionId>, Problem> {
    let Some(cookie) = http.cookie(&state.session_cookie()) else { return Ok(None) };
    let open = state.reader.session_by_secret(session::secret_hash(cookie.value())).await?;
    Ok(open.filter(|o| o.session.ended.is_none()).map(|o| o.session.id))
}

/// Whom to ask, by name where there are few.
fn admins(snapshot: &Snapshot) -> String {
    let words = &snapshot.policy.set().roles().admin;
    let none = BTreeSet::new();
    let mut named: Vec<&str> =
        snapshot.directory.people().values().filter(|p| words.iter().any(|w| is_in(w, &p.id, &snapshot.directory, &none))).map(|p| p.name.as_str()).collect();
    named.sort_unstable();
    match named.as_slice() {
        [] | [_, _, _, _, ..] => words::list(snapshot, words, false),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Says who was looked for and whom to ask. What an issuer vouched for and is refused all the same is an event,
/// once a minute.
async fn refuse(state: &AppState, provider: &Provider, named: &Named, found: &Match) -> Result<HttpResponse, Problem> {
    let settings = &provider.settings;
    let snapshot = state.ledger.snapshot();
    let admins = admins(&snapshot);
    let claim = &settings.person_claim;
    let value = named.value.as_deref();
    let (headline, told, todo, recorded) = match found {
        Match::Left(person) => (
            "You are not in the directory any more",
            "The directory says that you left, so nothing here is open to you.".to_owned(),
            format!("If that is wrong, talk to {admins}: the directory has to be put right, and then sign-in works again."),
            Some((person, "they left")),
        ),
        Match::OtherSubject(person) => (
            "This account is not the one that is known",
            format!("{} says that you are {}, who has signed in with another account of {} before. Nobody is let in as somebody else, so you were not signed in.", settings.title, person.id, settings.title),
            format!("Sign in with that other account. If it was made anew for you, ask {admins} to have the old one forgotten: bandpass identity unlink {} {}", settings.name, person.id),
            Some((person, "they are another subject of this issuer")),
        ),
        Match::Several => (
            "Several people have your identifier",
            "More than one person of the directory has the value below, so it says nothing about who you are.".to_owned(),
            format!("Tell {admins}: the directory has to be put right."),
            None,
        ),
        _ => (
            "You are not in the directory",
            match value {
                Some(_) => format!("{} vouches for you, but nobody in the directory has the value below.", settings.title),
                None => format!("{} vouches for you, but did not send what people are found by in the directory.", settings.title),
            },
            match value {
                Some(_) => format!("If you are new, the directory may not have you yet. Ask {admins}, and say what stands here."),
                None => format!("Ask {admins}: the issuer has to put the claim below into the ID token or into userinfo, for this app, as one text or number."),
            },
            None,
        ),
    };
    if let Some((person, reason)) = recorded {
        let (which, now) = ([settings.url.clone(), named.subject.clone(), reason.to_owned()], state.ledger.now());
        if state.refused_sign_ins.is_news(&which, now) {
            let command = Command::RefuseSignIn { issuer: settings.url.clone(), subject: named.subject.clone(), person: person.id.clone(), reason: reason.to_owned() };
            state.ledger.act("signin", command).await?.answer?;
            state.refused_sign_ins.told(which, now);
        }
    }
    tracing::warn!(issuer = %settings.name, subject = %named.subject.escape_debug(), headline, "a sign-in was refused");
    let facts = vec![
        ("Sign-in service", settings.title.clone()),
        ("Claim looked for", claim.clone()),
        ("Its value", value.unwrap_or("none").to_owned()),
        ("Field of the directory", settings.person_field.to_string()),
        ("Subject", named.subject.clone()),
    ];
    problem(provider, 403, headline, (told, todo), facts)
}
