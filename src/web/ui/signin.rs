//! The sign-in page, and signing out. In development everybody chooses who to be; else issuers vouch for people
//! ([`super::signin_issuer`]).

use actix_web::{HttpRequest, HttpResponse, cookie::{Cookie, SameSite, time::Duration}, web::{Data, Form, Query}};
use askama::Template;
use serde::Deserialize;

use super::{Frame, check_form, go};
use crate::{
    auth::{Credential, jwt, session},
    domain::{command::Command, session::SessionEnd},
    web::{AppState, Known, api, problem::Problem},
};

struct Choice {
    id: String,
    name: String,
    title: String,
    team: String,
}

#[derive(Template)]
#[template(path = "signin.html", config = "src/web/ui/askama.toml")]
struct DevelopmentPage {
    frame: Frame,
    return_to: String,
    featured: Vec<Choice>,
    everyone: Vec<Choice>,
}

struct Button {
    title: String,
    link: String,
}

#[derive(Template)]
#[template(path = "signin_issuers.html", config = "src/web/ui/askama.toml")]
struct IssuersPage {
    frame: Frame,
    buttons: Vec<Button>,
    elsewhere: bool,
}

#[derive(Template)]
#[template(path = "signed_out.html", config = "src/web/ui/askama.toml")]
struct SignedOutPage {
    frame: Frame,
    issuer: Option<Button>,
}

/// Where to go afterwards.
#[derive(Deserialize)]
pub struct SigninQuery {
    return_to: Option<String>,
}

/// A path of this site, else the home page: `//evil`, `/\evil` and other schemes lead home, and so does what is no plain ASCII.
pub(super) fn local(path: Option<&str>) -> String {
    let plain = |p: &str| p.len() <= 2000 && p.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let ok = |p: &&str| p.starts_with('/') && !p.starts_with("//") && plain(p) && !p.starts_with("/sign");
    path.filter(ok).unwrap_or("/").to_owned()
}

/// The page.
pub async fn page(state: Data<AppState>, http: HttpRequest, query: Query<SigninQuery>) -> Result<HttpResponse, Problem> {
    let return_to = local(query.return_to.as_deref());
    if !state.is_development() {
        let button = |p: &std::sync::Arc<crate::auth::oidc::provider::Provider>| Button {
            title: p.settings.title.clone(),
            link: format!("/signin/{}?return_to={}", p.settings.name, super::encode(&return_to)),
        };
        let buttons = state.issuers.all().iter().map(button).collect();
        return super::page(&IssuersPage { frame: Frame::nobody("Sign in", false), buttons, elsewhere: return_to != "/" });
    }
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
    super::page(&DevelopmentPage { frame: Frame::nobody("Sign in", true), return_to, featured, everyone })
}

/// Who to be.
#[derive(Deserialize)]
pub struct Chosen {
    person: String,
    return_to: Option<String>,
}

/// Begins a development session.
pub async fn enter(state: Data<AppState>, http: HttpRequest, form: Form<Chosen>) -> Result<HttpResponse, Problem> {
    if !state.is_development() {
        return Err(Problem::not_allowed("an issuer says who you are: choose one on the sign-in page"));
    }
    state.check_development(&http)?;
    let own = http.headers().get("origin").is_none_or(|o| state.is_own_origin(o.as_bytes()));
    let site = http.headers().get("sec-fetch-site").is_none_or(|s| matches!(s.as_bytes(), b"same-origin" | b"none"));
    if !(own && site) {
        return Err(Problem::not_allowed("the request came from another site"));
    }
    let snapshot = state.ledger.snapshot();
    let person = snapshot.directory.person(&form.person).filter(|p| p.is_active());
    let person = person.ok_or_else(|| Problem::new(422, "unknown_person", "Nobody of that id", "there is nobody of that id to sign in as".to_owned()))?;
    let mut response = go(&local(form.return_to.as_deref()));
    let value = state.sessions.begin(&person.id, state.ledger.now()).map_err(|e| Problem::new(500, "failed", "Something failed here", e))?;
    put_cookie(&mut response, &state.session_cookie(), value, "/", (false, session::LIFETIME_SECONDS))?;
    Ok(response)
}

/// Sets a cookie that scripts do not see; with `secure`, one that goes over TLS only.
pub(super) fn put_cookie(response: &mut HttpResponse, name: &str, value: String, path: &str, (secure, seconds): (bool, i64)) -> Result<(), Problem> {
    let cookie = Cookie::build(name, value).path(path).http_only(true).secure(secure).same_site(SameSite::Lax).max_age(Duration::seconds(seconds)).finish();
    response.add_cookie(&cookie).map_err(|_| Problem::new(500, "failed", "Something failed here", None))
}

/// Has the browser forget a cookie.
pub(super) fn drop_cookie(response: &mut HttpResponse, name: &str, path: &str, secure: bool) -> Result<(), Problem> {
    // A `__Host-` cookie is only replaced by one that has its attributes.
    put_cookie(response, name, String::new(), path, (secure, 0))
}

/// A form with nothing but its token.
#[derive(Deserialize)]
pub struct Token {
    pub(super) csrf: String,
}

/// Ends the session.
pub async fn leave(state: Data<AppState>, caller: Known, form: Form<Token>) -> Result<HttpResponse, Problem> {
    check_form(&caller, &form.csrf)?;
    let mut to = "/signin".to_owned();
    if let Credential::Session(Some(id)) = caller.credential {
        let issuer = state.reader.live_sessions(Some(caller.id().clone())).await?.into_iter().find(|s| s.session.id == id).map(|s| s.session.issuer);
        let command = Command::EndSessions { person: caller.id().clone(), only: Some([id].into()), except: None, cause: SessionEnd::SignOut };
        api::execute(&state, &caller, command, None, "sign out", &id.to_string()).await?.answer?;
        let name = issuer.and_then(|url| state.issuers.at(&url)).map(|p| p.settings.name.to_string());
        to = format!("/signed-out{}", name.map(|n| format!("?issuer={n}")).unwrap_or_default());
    }
    let mut response = go(&to);
    drop_cookie(&mut response, &state.session_cookie(), "/", state.is_https())?;
    Ok(response)
}

/// Which issuer the session was of.
#[derive(Deserialize)]
pub struct SignedOutQuery {
    issuer: Option<String>,
}

/// The page after signing out, from which one can sign out at the issuer as well.
pub async fn signed_out(state: Data<AppState>, http: HttpRequest, query: Query<SignedOutQuery>) -> Result<HttpResponse, Problem> {
    let provider = query.issuer.as_deref().and_then(|name| state.issuers.named(name));
    let hint = super::signin_issuer::id_token_cookie(&state);
    let kept = http.cookie(&hint);
    let issuer = match provider {
        None => None,
        // An issuer that is away has no page to sign out at.
        Some(provider) => provider.metadata(state.ledger.now()).await.ok().and_then(|m| m.end_session_endpoint.clone()).map(|end| {
            // Another issuer's is none of its business.
            let own = kept.as_ref().filter(|c| jwt::issuer_of(c.value()).is_ok_and(|iss| iss == provider.settings.url));
            let also = own.map(|c| format!("&id_token_hint={}", super::encode(c.value()))).unwrap_or_default();
            let back = super::encode(&provider.signed_out_uri);
            let joint = if end.contains('?') { '&' } else { '?' };
            let link = format!("{end}{joint}client_id={}&post_logout_redirect_uri={back}{also}", super::encode(&provider.settings.client_id));
            Button { title: provider.settings.title.clone(), link }
        }),
    };
    let mut response = super::page(&SignedOutPage { frame: Frame::nobody("Signed out", state.is_development()), issuer })?;
    if kept.is_some() {
        drop_cookie(&mut response, &hint, "/signed-out", state.is_https())?;
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn paths_of_this_site_are_followed_and_nothing_else() {
        for good in ["/", "/requests/1?x=%2F%2Fevil", "/groups?q=https://x"] {
            assert_eq!(local(Some(good)), good);
        }
        for bad in ["//evil", "/\\evil", "https:evil", "https://evil", "javascript:alert(1)", "/a\r\nSet-Cookie: x", "/a b", "/é", "", "evil", "/signin", "/signed-out", "/\t/evil"] {
            assert_eq!(local(Some(bad)), "/", "{bad:?}");
        }
    }
}
