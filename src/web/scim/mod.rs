//! SCIM 2.0 (RFC 7643, 7644) at `/scim/v2`: a directory tells who works here and in which teams.
//!
//! Users are people, Groups are teams. A client speaks as one source (`scim:NAME` of its service token) and sees what it
//! said: its own users and groups. What it says is a record beside those of other sources, and the person is the merge of
//! them ([`crate::directory::merge`]). Every write is one command of the ledger, computed on the snapshot in force and tried
//! again when the directory has changed meanwhile ([`crate::ledger::Ledger::feed`]).
//!
//! Everything between JSON and a person is driven by the attributes that `/Schemas` publishes ([`schema`]), and it publishes
//! what is stored: [`input`] reads a resource, [`patch`] changes one, [`filter`] asks one, [`select`] shows part of one, and
//! [`view`] finds and shows users and groups alike.
//!
//! - An id is chosen once ([`users`]) and never given to another, also after DELETE.
//! - `active: false` and DELETE mean that the person left, at once; `active: true` brings them back.
//! - Leavers are bounded: a client that sends half a page, or deletes everyone, is answered 429 above the bound.
//! - Filters and PATCH paths are parsed by `scim_v2`, which bounds depth and terms while it parses.

pub mod discovery;
pub mod error;
mod filter;
pub mod groups;
mod ids;
mod input;
mod list;
mod patch;
mod person;
mod schema;
pub mod search;
mod select;
pub mod users;
mod view;

use std::{collections::BTreeSet, sync::Arc};

use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, http::{StatusCode, header}, web::Data};
use futures_util::future::LocalBoxFuture;
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value};

use super::{AppState, Known};
use crate::{
    directory::{Directory, merge::Precedence, tell::Effect},
    domain::{
        actor::Actor,
        group::AttributeTypes,
        id::ConnectorName,
        record::{PersonRecord, SourceName, TeamRecord},
    },
    ledger::{FeedError, Snapshot, tree::hex},
};
use error::ScimError;
use schema::{Kind, ResourceType};

/// Largest body: a user has some kilobytes, a group a hundred bytes a member.
pub const MOST_BYTES: usize = 1 << 20;

/// A resource, or a part of one.
type Object = Map<String, Value>;

/// Who calls and as which source.
pub struct Client {
    state: Data<AppState>,
    caller: Known,
    source: SourceName,
    base: String,
    precedence: Precedence,
}

impl Client {
    fn actor(&self) -> Actor {
        self.caller.actor()
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.state.ledger.snapshot()
    }

    fn connectors(&self) -> BTreeSet<ConnectorName> {
        self.state.settings.connectors()
    }

    /// The attributes of people that policy declares.
    fn attributes(&self) -> AttributeTypes {
        self.caller.snapshot.attributes().clone()
    }

    /// What users are made of here.
    fn users(&self) -> ResourceType {
        schema::users(&self.connectors(), &self.attributes())
    }

    /// What this source says of a person, unless it has deleted them.
    fn person<'d>(&self, directory: &'d Directory, id: &str) -> Result<&'d PersonRecord, ScimError> {
        directory.records().person(&self.source, id).filter(|r| !r.gone).ok_or_else(|| ScimError::not_found("user", id))
    }

    /// What this source says of a team.
    fn team<'d>(&self, directory: &'d Directory, id: &str) -> Result<&'d TeamRecord, ScimError> {
        directory.records().team(&self.source, id).ok_or_else(|| ScimError::not_found("group", id))
    }

    fn location(&self, endpoint: &str, id: &str) -> String {
        format!("{}/scim/v2/{endpoint}/{id}", self.base)
    }

    /// Says something, and answers what `work` makes of it.
    async fn feed<T>(&self, work: impl Fn(&Snapshot) -> Result<(Effect, T), ScimError>) -> Result<T, ScimError> {
        match self.state.ledger.feed(self.actor(), &self.source, self.state.settings.directory.leave_bound(), work).await {
            Ok(value) => Ok(value),
            Err(FeedError::Work(error)) => Err(error),
            Err(FeedError::Account(why)) => Err(ScimError::uniqueness(why)),
            Err(FeedError::TooManyLeave { detail, retry_after }) => Err(ScimError::too_many(detail, retry_after)),
            Err(FeedError::Refused(refusal)) => {
                self.state.refusals.note(&self.caller, "SCIM", refusal.code(), self.source.as_str());
                Err(super::problem::Problem::from(refusal).into())
            }
            Err(FeedError::Ledger(error)) => Err(super::problem::Problem::from(error).into()),
            Err(FeedError::Store(error)) => Err(super::problem::Problem::from(error).into()),
        }
    }
}

impl FromRequest for Client {
    type Error = ScimError;
    type Future = LocalBoxFuture<'static, Result<Self, ScimError>>;
    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let mut made = || -> Result<Self, ScimError> {
            let caller = Known::from_request(request, payload).into_inner().map_err(ScimError::from)?;
            let state = request.app_data::<Data<AppState>>().cloned().ok_or_else(|| ScimError::new(500, None, "the service is not set up"))?;
            let service = caller.service().ok_or_else(|| ScimError::new(403, None, "this needs a service token with the scope `scim`"))?;
            let source = SourceName::scim(service);
            let base = state.settings.server.public_url.trim_end_matches('/').to_owned();
            let precedence = state.settings.directory.precedence().map_err(|e| ScimError::new(500, None, e))?;
            Ok(Self { state, caller, source, base, precedence })
        };
        let made = made();
        Box::pin(async move {
            let client = made?;
            // Whoever calls with the token is there, also when nothing has changed.
            let every = client.state.settings.directory.seen_every(&client.source);
            if let Err(error) = client.state.ledger.source_seen(client.actor(), &client.source, every).await {
                tracing::warn!(%error, "it could not be recorded that a source was heard from");
            }
            Ok(client)
        })
    }
}

/// The version of a resource: a weak tag of what it says.
fn version(resource: &Object) -> String {
    let text = serde_json::to_string(resource).unwrap_or_default();
    let hash = hex(digest(&SHA256, text.as_bytes()).as_ref());
    format!("W/\"{}\"", hash.get(..20).unwrap_or(&hash))
}

/// What a caller asks of the version that is there.
#[derive(Debug, Clone, Default)]
pub struct Preconditions {
    /// Whether it only reads: what changes something is answered with what has become of it.
    read: bool,
    if_match: Option<String>,
    if_none_match: Option<String>,
}

impl Preconditions {
    fn of(request: &HttpRequest) -> Self {
        let text = |name: header::HeaderName| request.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let read = matches!(*request.method(), actix_web::http::Method::GET | actix_web::http::Method::HEAD);
        Self { read, if_match: text(header::IF_MATCH), if_none_match: text(header::IF_NONE_MATCH) }
    }

    fn names(list: &str, version: &str) -> bool {
        let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        list.split(',').any(|tag| tag.trim() == "*" || bare(tag) == bare(version))
    }

    /// Refuses a change of another version than the caller saw.
    fn check(&self, resource: &Object) -> Result<(), ScimError> {
        let current = version(resource);
        match &self.if_match {
            Some(list) if !Self::names(list, &current) => Err(ScimError::new(412, None, format!("the resource has changed; its version is now {current}"))),
            _ => Ok(()),
        }
    }
}

/// Adds `meta.version`, and shows the part that was asked for.
fn finished(mut resource: Object, wanted: &select::Wanted, kind: &ResourceType) -> (Object, String) {
    let version = version(&resource);
    if let Some(Value::Object(meta)) = resource.get_mut("meta") {
        meta.insert("version".to_owned(), Value::String(version.clone()));
    }
    (wanted.of(resource, kind), version)
}

/// A resource as an answer.
fn answered(status: StatusCode, request: &Preconditions, resource: Object, wanted: &select::Wanted, kind: &ResourceType) -> HttpResponse {
    let location = resource.get("meta").and_then(|m| m.get("location")).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (shown, version) = finished(resource, wanted, kind);
    let known = request.read && status == StatusCode::OK && request.if_none_match.as_ref().is_some_and(|list| Preconditions::names(list, &version));
    let mut answer = HttpResponse::build(if known { StatusCode::NOT_MODIFIED } else { status });
    answer.insert_header((header::ETAG, version)).insert_header((header::LOCATION, location)).content_type("application/scim+json");
    if known { answer.finish() } else { answer.json(shown) }
}

/// Reads a body as an object.
fn object(body: &[u8]) -> Result<Object, ScimError> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ScimError::new(400, Some("invalidSyntax"), "the body must be a JSON object")),
        Err(error) => Err(ScimError::new(400, Some("invalidSyntax"), format!("the body is not JSON: {error}"))),
    }
}

/// What an attribute of a policy's `attributes.toml` is in SCIM.
fn kind_of(kind: crate::domain::group::AttributeType) -> (Kind, bool) {
    use crate::domain::group::AttributeType;
    match kind {
        AttributeType::Bool => (Kind::Boolean, false),
        AttributeType::Long => (Kind::Integer, false),
        AttributeType::String => (Kind::Text, false),
        AttributeType::Set => (Kind::Text, true),
    }
}
