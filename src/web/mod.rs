//! HTTP: the JSON API, the pages, health and metrics. Reads go handler -> authorise -> one store query -> answer; changes
//! go to the ledger as commands.

pub mod api;
mod backchannel;
mod briefly;
mod guard;
pub mod leavers;
mod limits;
mod metrics;
pub mod policy_loads;
pub mod problem;
mod refusals;
pub mod routes;
pub mod scim;
pub mod system;
mod timeline;
pub mod ui;

use std::{future::{Ready, ready}, sync::Arc};

use actix_web::{App, FromRequest, HttpMessage, HttpRequest, HttpServer, dev, middleware::from_fn, web};

use crate::{
    audit::checkpoint::Signer,
    auth::{Caller, known_tokens::KnownTokens, oidc::Issuers, session::{self, SessionKey}, sessions::{LastSeen, cookie_name}},
    clock::Clock,
    domain::time::Time,
    ledger::Ledger,
    settings::{Settings, SigninMode},
    store::read::Reader,
};
use problem::Problem;

/// What handlers share.
pub struct AppState {
    /// The only writer.
    pub ledger: Ledger,
    /// Reads.
    pub reader: Reader,
    /// Configuration.
    pub settings: Settings,
    /// The clock.
    pub clock: Clock,
    /// When this process began to serve.
    pub started: Time,
    /// What the doctor found last.
    pub checkups: system::Checkups,
    /// Signs sessions and cursors.
    pub sessions: SessionKey,
    /// Signs checkpoints.
    pub signer: Arc<Signer>,
    /// Counters.
    pub metrics: metrics::Metrics,
    /// Whether the database answers, for `/readyz`.
    pub database_answers: briefly::Briefly<bool>,
    /// Deliveries that are queued, fail, and wait, for `/metrics`.
    pub backlog: briefly::Briefly<Result<(u64, u64, u64), String>>,
    /// Refused acts, gathered.
    pub refusals: refusals::Refusals,
    /// Refused sign-ins that the log has.
    pub refused_sign_ins: refusals::RefusedSignIns,
    /// Tokens seen lately.
    pub tokens: KnownTokens,
    /// Who vouches for people.
    pub issuers: Issuers,
    /// When something last came with tokens.
    pub last_used: LastSeen<crate::domain::id::TokenId>,
    /// When something last came from sessions.
    pub last_seen: LastSeen,
    own_origins: Vec<String>,
}

impl AppState {
    /// Whether everybody is whom they choose.
    pub fn is_development(&self) -> bool {
        self.settings.signin.mode == SigninMode::Development
    }

    /// A fresh secret for a token that somebody makes here: one of the development sign-in does not outlive it.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn fresh_secret(&self) -> Result<String, Problem> {
        let made = if self.is_development() { session::fresh_development_secret() } else { session::fresh_secret() };
        made.map_err(|error| Problem::new(500, "failed", "Something failed here", error))
    }

    /// Whether browsers reach the service over TLS.
    pub fn is_https(&self) -> bool {
        self.settings.server.public_url.starts_with("https://")
    }

    /// The name of the cookie of sessions.
    pub fn session_cookie(&self) -> String {
        cookie_name(self.is_https(), session::COOKIE)
    }

    fn is_own_origin(&self, origin: &[u8]) -> bool {
        self.own_origins.iter().any(|own| own.as_bytes() == origin)
    }

    /// Development sign-in works only from this machine, through no proxy, under a loopback name (semantics.md, 31).
    ///
    /// # Errors
    /// 403 that says which limit was broken.
    pub fn check_development(&self, request: &HttpRequest) -> Result<(), Problem> {
        let peer = request.peer_addr().is_some_and(|a| a.ip().is_loopback());
        let host = request.headers().get("host").and_then(|h| h.to_str().ok()).unwrap_or_default();
        let own_host = self.own_origins.iter().any(|o| o.strip_prefix("http://") == Some(host));
        let forwarded = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"];
        let proxied = forwarded.iter().any(|name| request.headers().contains_key(*name));
        match (peer, own_host, proxied) {
            (true, true, false) => Ok(()),
            (false, ..) => Err(Problem::not_allowed("development sign-in works only from this machine")),
            (_, false, _) => Err(Problem::not_allowed("development sign-in works only under the loopback address it listens on")),
            (.., true) => Err(Problem::not_allowed("development sign-in does not work through a proxy")),
        }
    }
}

/// The caller that the guard identified.
pub struct Known(pub Arc<Caller>);

impl std::ops::Deref for Known {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl FromRequest for Known {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;
    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let caller = request.extensions().get::<Arc<Caller>>().cloned();
        ready(caller.map(Known).ok_or_else(|| Problem::unknown_caller("sign in first")))
    }
}

/// Has written what was seen of sessions, a few times a minute.
async fn keep_last_seen(state: web::Data<AppState>) {
    let mut every = tokio::time::interval(std::time::Duration::from_secs(15));
    loop {
        every.tick().await;
        let due = state.last_seen.due(state.ledger.now());
        if !due.is_empty() {
            state.ledger.note_seen(due);
        }
        let used = state.last_used.due(state.ledger.now());
        if !used.is_empty() {
            state.ledger.note_used(used);
        }
    }
}

/// A server that is bound, and what is to be done when it has ended.
pub struct Web {
    /// Serves until it is asked to stop.
    pub server: dev::Server,
    /// Where.
    pub address: std::net::SocketAddr,
    state: web::Data<AppState>,
}

impl Web {
    /// Serves, then records what was gathered since the last full minute.
    ///
    /// # Errors
    /// When the server itself fails.
    pub async fn run(self) -> std::io::Result<()> {
        let outcome = self.server.await;
        self.state.refusals.flush(&self.state).await;
        outcome
    }
}

/// Binds the address and builds the server.
///
/// # Errors
/// A sentence when the address cannot be bound, or a key file not be read.
pub fn serve(
    ledger: &Ledger,
    reader: &Reader,
    settings: &Settings,
    signer: Arc<Signer>,
    clock: Clock,
) -> Result<Web, String> {
    let sessions = SessionKey::open(&settings.run.folder.join("session.key"))?;
    let issuers = Issuers::new(settings, sessions.for_sealing().as_bytes())?;
    let listener = std::net::TcpListener::bind(settings.server.listen).map_err(|e| format!("cannot listen on {}: {e}", settings.server.listen))?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let port = address.port();
    // Beyond development, forms come from the public address alone.
    let mut own_origins: Vec<String> = match settings.signin.mode {
        SigninMode::Development => ["127.0.0.1", "localhost", "[::1]"].iter().map(|host| format!("http://{host}:{port}")).collect(),
        SigninMode::Oidc => Vec::new(),
    };
    own_origins.push(settings.server.public_url.trim_end_matches('/').to_owned());
    let state = web::Data::new(AppState {
        ledger: ledger.clone(),
        reader: reader.clone(),
        settings: settings.clone(),
        started: clock(),
        clock,
        checkups: system::Checkups::default(),
        sessions,
        signer,
        metrics: metrics::Metrics::new().map_err(|e| e.to_string())?,
        database_answers: briefly::Briefly::default(),
        backlog: briefly::Briefly::default(),
        refusals: refusals::Refusals::default(),
        refused_sign_ins: refusals::RefusedSignIns::default(),
        tokens: KnownTokens::default(),
        issuers,
        last_used: LastSeen::default(),
        last_seen: LastSeen::default(),
        own_origins,
    });
    tokio::spawn(refusals::flush_every_minute(state.clone()));
    tokio::spawn(keep_last_seen(state.clone()));
    let body = settings.server.max_body_bytes;
    let shared = state.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .app_data(limits::json(body))
            .app_data(limits::form(body))
            .app_data(limits::path())
            .app_data(limits::query())
            .configure(routes::configure)
            .wrap(from_fn(guard::guard))
    })
    .workers(settings.server.workers)
    .client_request_timeout(std::time::Duration::from_secs(settings.server.read_timeout_seconds))
    .keep_alive(std::time::Duration::from_secs(75))
    .shutdown_timeout(10)
    .listen(listener)
    .map_err(|e| format!("cannot listen on {address}: {e}"))?
    .run();
    Ok(Web { server, address, state })
}
