//! The pages: server-rendered, complete without JavaScript, one file a page.

pub mod access;
pub mod approvals;
pub mod assets;
pub mod audit;
mod departed;
pub mod docs;
pub mod endings;
pub mod errors;
mod findings;
pub mod groups;
pub mod home;
pub mod leavers;
pub mod people;
pub mod policy;
pub mod removals;
pub mod request;
pub mod sessions;
pub mod signin;
pub mod signin_issuer;
mod standing;
pub mod system;
pub mod tokens;
pub(super) mod words;

use actix_web::{HttpResponse, http::header};
use askama::Template;

use super::{AppState, Known, problem::Problem};
use crate::{auth::Caller, store::read::{Page, RequestFilter}, domain::request::RequestStatus};

/// What every page shows around its own content.
pub struct Frame {
    /// The page's name, for the title and the navigation.
    pub title: String,
    /// Which entry of the navigation is this page's.
    pub section: &'static str,
    /// The caller's name and id; empty when nobody is signed in.
    pub me: String,
    /// The caller's id.
    pub my_id: String,
    /// Requests that wait for the caller.
    pub waiting: usize,
    /// Whether the audit log is theirs to read.
    pub auditor: bool,
    /// Whether they administer.
    pub admin: bool,
    /// What forms carry.
    pub csrf: String,
    /// Whether new grants are stopped.
    pub frozen: bool,
    /// Why no policy is in force, which every page says; empty when one is.
    pub without_policy: String,
    /// Whether the development sign-in is on, which every page says.
    pub development: bool,
}

impl Frame {
    /// The frame for a caller.
    pub async fn new(state: &AppState, caller: &Caller, title: impl Into<String>, section: &'static str) -> Result<Self, Problem> {
        Ok(Self {
            title: title.into(),
            section,
            me: caller.person.name.clone(),
            my_id: caller.id().to_string(),
            waiting: waiting(state, caller).await?.len(),
            auditor: caller.auditor,
            admin: caller.admin,
            csrf: caller.csrf.clone(),
            frozen: caller.snapshot.frozen,
            without_policy: caller.snapshot.without_policy().map(|w| words::capital(&w)).unwrap_or_default(),
            development: state.is_development(),
        })
    }

    /// The frame when nobody is signed in.
    pub fn nobody(title: &str, development: bool) -> Self {
        Self {
            title: title.to_owned(),
            section: "",
            me: String::new(),
            my_id: String::new(),
            waiting: 0,
            auditor: false,
            admin: false,
            csrf: String::new(),
            frozen: false,
            without_policy: String::new(),
            development,
        }
    }
}

/// The newest pending requests that are looked through for what waits for a caller.
const LOOK_THROUGH: u16 = 500;

/// Pending requests that the caller may answer, oldest first.
pub(super) async fn waiting(state: &AppState, caller: &Caller) -> Result<Vec<crate::domain::request::Request>, Problem> {
    let filter = RequestFilter { status: Some(RequestStatus::Pending), ..RequestFilter::default() };
    let pending = state.reader.requests(filter, Page { before: None, limit: LOOK_THROUGH }).await?.items;
    let mut mine = Vec::new();
    for request in pending.into_iter().rev() {
        if state.ledger.approvers_of(&request).await?.contains(caller.id()) {
            mine.push(request);
        }
    }
    Ok(mine)
}

/// A rendered page.
pub(super) fn page(template: &impl Template) -> Result<HttpResponse, Problem> {
    page_with(actix_web::http::StatusCode::OK, template)
}

fn page_with(status: actix_web::http::StatusCode, template: &impl Template) -> Result<HttpResponse, Problem> {
    let html = template.render().map_err(|error| {
        tracing::error!(%error, "a page could not be rendered");
        Problem::new(500, "failed", "Something failed here", "it was logged".to_owned())
    })?;
    Ok(HttpResponse::build(status).content_type("text/html; charset=utf-8").body(html))
}

/// On to another page after a form.
pub(super) fn go(to: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, to.to_owned())).finish()
}

/// Checks the token that a form carries.
pub(super) fn check_form(caller: &Known, csrf: &str) -> Result<(), Problem> {
    let same = csrf.len() == caller.csrf.len() && csrf.bytes().zip(caller.csrf.bytes()).fold(0, |acc, (a, b)| acc | (a ^ b)) == 0;
    if same && !csrf.is_empty() { Ok(()) } else { Err(Problem::not_allowed("this form is from another session: load the page again")) }
}

/// Percent-encodes a text for a query.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~') { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
