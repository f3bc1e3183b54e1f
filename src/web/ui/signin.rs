//! Development sign-in: choose a person. OpenID Connect takes this place in a later version.

use actix_web::{HttpRequest, HttpResponse, cookie::{Cookie, SameSite, time::Duration}, web::{Data, Form, Query}};
use askama::Template;
use serde::Deserialize;

use super::{Frame, check_form, go};
use crate::{auth::session, web::{AppState, Known, problem::Problem}};

struct Choice {
    id: String,
    name: String,
    title: String,
    team: String,
}

#[derive(Template)]
#[template(path = "signin.html", config = "src/web/ui/askama.toml")]
struct SigninPage {
    frame: Frame,
    return_to: String,
    featured: Vec<Choice>,
    everyone: Vec<Choice>,
}

/// Where to go afterwards.
#[derive(Deserialize)]
pub struct SigninQuery {
    return_to: Option<String>,
}

/// A path of this site, else the home page: `//evil`, `/\evil` and other schemes lead home.
fn local(path: Option<&str>) -> String {
    let ok = |p: &&str| p.starts_with('/') && !p.starts_with("//") && !p.contains(['\\', '\r', '\n', '\t']) && !p.starts_with("/signin");
    path.filter(ok).unwrap_or("/").to_owned()
}

/// The page.
pub async fn page(state: Data<AppState>, http: HttpRequest, query: Query<SigninQuery>) -> Result<HttpResponse, Problem> {
    state.check_development(&http)?;
    let snapshot = state.ledger.snapshot();
    let choice = |p: &crate::domain::person::Person| Choice {
        id: p.id.to_string(),
        name: p.name.clone(),
        title: p.title.clone().unwrap_or_default(),
        team: p.team.as_ref().map(|t| super::words::team(&snapshot, t.as_str())).unwrap_or_default(),
    };
    let active = |id: &str| snapshot.directory.person(id).filter(|p| p.is_active());
    let featured = state.settings.signin.featured.iter().filter_map(|id| active(id.as_str())).map(|p| choice(p)).collect();
    let mut everyone: Vec<Choice> = snapshot.directory.people().values().filter(|p| p.is_active()).map(|p| choice(p)).collect();
    everyone.sort_by(|a, b| a.name.cmp(&b.name));
    everyone.truncate(2000);
    super::page(&SigninPage { frame: Frame::nobody("Sign in"), return_to: local(query.return_to.as_deref()), featured, everyone })
}

/// Who to be.
#[derive(Deserialize)]
pub struct Chosen {
    person: String,
    return_to: Option<String>,
}

/// Begins a session.
pub async fn enter(state: Data<AppState>, http: HttpRequest, form: Form<Chosen>) -> Result<HttpResponse, Problem> {
    state.check_development(&http)?;
    let own = http.headers().get("origin").is_none_or(|o| state.is_own_origin(o.as_bytes()));
    let site = http.headers().get("sec-fetch-site").is_none_or(|s| matches!(s.as_bytes(), b"same-origin" | b"none"));
    if !(own && site) {
        return Err(Problem::not_allowed("the request came from another site"));
    }
    let snapshot = state.ledger.snapshot();
    let person = snapshot.directory.person(&form.person).filter(|p| p.is_active());
    let person = person.ok_or_else(|| Problem::new(422, "unknown_person", "Nobody of that id", "there is nobody of that id to sign in as".to_owned()))?;
    let cookie = Cookie::build(session::COOKIE, state.sessions.begin(&person.id, state.ledger.now()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(Duration::seconds(session::LIFETIME_SECONDS))
        .finish();
    let mut response = go(&local(form.return_to.as_deref()));
    response.add_cookie(&cookie).map_err(|_| Problem::new(500, "failed", "Something failed here", None))?;
    Ok(response)
}

/// A form with nothing but its token.
#[derive(Deserialize)]
pub struct Token {
    pub(super) csrf: String,
}

/// Ends the session.
pub async fn leave(caller: Known, form: Form<Token>) -> Result<HttpResponse, Problem> {
    check_form(&caller, &form.csrf)?;
    let mut response = go("/signin");
    let mut cookie = Cookie::build(session::COOKIE, "").path("/").finish();
    cookie.make_removal();
    response.add_cookie(&cookie).map_err(|_| Problem::new(500, "failed", "Something failed here", None))?;
    Ok(response)
}
