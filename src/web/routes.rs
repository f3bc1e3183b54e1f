//! Every route on one page, with what it needs of its caller. A route without an entry here is closed.

use actix_web::{http::Method, web::{self, ServiceConfig}};

use super::{api, backchannel, scim, ui};
use crate::{auth::access::Access, domain::token::Scope};

use Access::{AuditorOrAdmin, Browser, Public, SignedIn};

/// One route.
pub struct Route {
    /// Method.
    pub method: Method,
    /// Pattern as the router has it.
    pub pattern: &'static str,
    /// What it needs.
    pub access: Access,
}

const READ: Access = SignedIn(Scope::Read);
const REQUEST: Access = SignedIn(Scope::Request);
const APPROVE: Access = SignedIn(Scope::Approve);
/// The ledger asks whether they are one.
const ADMIN: Access = SignedIn(Scope::Admin);

const fn get(pattern: &'static str, access: Access) -> Route {
    Route { method: Method::GET, pattern, access }
}
const fn post(pattern: &'static str, access: Access) -> Route {
    Route { method: Method::POST, pattern, access }
}

const fn scim_get(pattern: &'static str) -> Route {
    get(pattern, Access::Scim)
}
const fn scim_change(method: Method, pattern: &'static str) -> Route {
    Route { method, pattern, access: Access::Scim }
}

/// The table.
pub const ROUTES: &[Route] = &[
    // machines
    get("/healthz", Public),
    get("/readyz", Public),
    get("/metrics", Public),
    get("/openapi.json", Public),
    get("/assets/{name}", Public),
    get("/favicon.ico", Public),
    // API
    get("/api/v1/groups", READ),
    get("/api/v1/groups/{id}", READ),
    get("/api/v1/groups/{id}/members", READ),
    get("/api/v1/people", READ),
    get("/api/v1/people/{id}", READ),
    get("/api/v1/people/{id}/grants", READ),
    get("/api/v1/people/{id}/timeline", READ),
    get("/api/v1/teams/{id}", READ),
    get("/api/v1/requests", READ),
    post("/api/v1/requests", REQUEST),
    post("/api/v1/requests/preview", READ),
    get("/api/v1/requests/{id}", READ),
    post("/api/v1/requests/{id}/approve", APPROVE),
    post("/api/v1/requests/{id}/deny", APPROVE),
    post("/api/v1/requests/{id}/withdraw", REQUEST),
    get("/api/v1/grants", READ),
    post("/api/v1/grants/{id}/revoke", REQUEST),
    post("/api/v1/grants/{id}/renew", REQUEST),
    get("/api/v1/tokens", READ),
    // The ledger says which tokens may make which.
    post("/api/v1/tokens", REQUEST),
    post("/api/v1/tokens/{id}/revoke", REQUEST),
    get("/api/v1/audit", Access::Auditor),
    get("/api/v1/audit/checkpoint", Access::Auditor),
    get("/api/v1/audit/events/{seq}", Access::Auditor),
    get("/api/v1/policy", READ),
    get("/api/v1/system", Access::Admin),
    post("/api/v1/system/leavers/{seq}/confirm", Access::Admin),
    // A forge has no token of ours: the handler checks its signature.
    post("/api/v1/policy/webhook", Public),
    post("/api/v1/policy/endings/{seq}/confirm", ADMIN),
    // SCIM
    scim_get("/scim/v2/ServiceProviderConfig"),
    scim_get("/scim/v2/ResourceTypes"),
    scim_get("/scim/v2/ResourceTypes/{id}"),
    scim_get("/scim/v2/Schemas"),
    scim_get("/scim/v2/Schemas/{id}"),
    scim_change(Method::POST, "/scim/v2/.search"),
    scim_get("/scim/v2/Users"),
    scim_change(Method::POST, "/scim/v2/Users"),
    scim_change(Method::POST, "/scim/v2/Users/.search"),
    scim_get("/scim/v2/Users/{id}"),
    scim_change(Method::PUT, "/scim/v2/Users/{id}"),
    scim_change(Method::PATCH, "/scim/v2/Users/{id}"),
    scim_change(Method::DELETE, "/scim/v2/Users/{id}"),
    scim_get("/scim/v2/Groups"),
    scim_change(Method::POST, "/scim/v2/Groups"),
    scim_change(Method::POST, "/scim/v2/Groups/.search"),
    scim_get("/scim/v2/Groups/{id}"),
    scim_change(Method::PUT, "/scim/v2/Groups/{id}"),
    scim_change(Method::PATCH, "/scim/v2/Groups/{id}"),
    scim_change(Method::DELETE, "/scim/v2/Groups/{id}"),
    // pages
    get("/signin", Public),
    post("/signin", Public),
    // An issuer and the browser that it sends back: state, code and ID token prove themselves; so does a logout token.
    get("/signin/{issuer}", Public),
    get("/signin/{issuer}/callback", Public),
    post("/signin/{issuer}/backchannel-logout", Public),
    get("/signed-out", Public),
    post("/signout", Browser),
    get("/sessions", Browser),
    post("/sessions/end-others", Browser),
    post("/sessions/{id}/end", Browser),
    get("/tokens", Browser),
    post("/tokens", Browser),
    post("/tokens/{id}/revoke", Browser),
    get("/", Browser),
    get("/search", Browser),
    get("/groups", Browser),
    get("/groups/{id}", Browser),
    get("/request/{group}", Browser),
    post("/request/{group}", Browser),
    get("/request/{group}/outcome", Browser),
    get("/requests/{id}", Browser),
    post("/requests/{id}/approve", Browser),
    post("/requests/{id}/deny", Browser),
    post("/requests/{id}/withdraw", Browser),
    get("/access", Browser),
    post("/grants/{id}/revoke", Browser),
    post("/grants/{id}/renew", Browser),
    get("/approvals", Browser),
    get("/people/{id}", Browser),
    post("/people/{id}/sessions/end", Access::Admin),
    get("/teams/{id}", Browser),
    get("/org", Browser),
    get("/audit", Access::Auditor),
    get("/audit/{seq}", Access::Auditor),
    get("/policy", Browser),
    get("/policy/what-if", AuditorOrAdmin),
    get("/system", Access::Admin),
    get("/system/leavers", Access::Admin),
    post("/system/leavers/{seq}/confirm", Browser),
    post("/policy/endings/{seq}/confirm", Browser),
    post("/policy/confirm-removals", Browser),
    get("/docs", Browser),
];

/// The entry of a route.
pub fn access(method: &Method, pattern: &str) -> Option<Access> {
    ROUTES.iter().find(|r| r.method == *method && r.pattern == pattern).map(|r| r.access)
}

/// The methods that a pattern has.
pub fn methods(pattern: &str) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = Vec::new();
    for route in ROUTES.iter().filter(|r| r.pattern == pattern) {
        if route.method == Method::GET {
            found.extend(["GET", "HEAD"]);
        } else {
            found.push(route.method.as_str());
        }
    }
    found
}

/// Registers every handler.
pub fn configure(config: &mut ServiceConfig) {
    let r = |path: &str| web::resource(path.to_owned());
    config
        .service(r("/healthz").read(api::service::healthz))
        .service(r("/readyz").read(api::service::readyz))
        .service(r("/metrics").read(api::service::metrics))
        .service(r("/openapi.json").read(api::openapi::json))
        .service(r("/assets/{name}").read(ui::assets::asset))
        .service(r("/favicon.ico").read(ui::assets::favicon))
        .service(r("/api/v1/groups").read(api::groups::list))
        .service(r("/api/v1/groups/{id}").read(api::groups::show))
        .service(r("/api/v1/groups/{id}/members").read(api::groups::members))
        .service(r("/api/v1/people").read(api::people::list))
        .service(r("/api/v1/people/{id}").read(api::people::show))
        .service(r("/api/v1/people/{id}/grants").read(api::people::grants))
        .service(r("/api/v1/people/{id}/timeline").read(api::people::life))
        .service(r("/api/v1/teams/{id}").read(api::people::team))
        .service(r("/api/v1/requests").read(api::requests::list).write(api::requests::submit))
        .service(r("/api/v1/requests/preview").write(api::requests::preview))
        .service(r("/api/v1/requests/{id}").read(api::requests::show))
        .service(r("/api/v1/requests/{id}/approve").write(api::requests::approve))
        .service(r("/api/v1/requests/{id}/deny").write(api::requests::deny))
        .service(r("/api/v1/requests/{id}/withdraw").write(api::requests::withdraw))
        .service(r("/api/v1/grants").read(api::grants::list))
        .service(r("/api/v1/grants/{id}/revoke").write(api::grants::revoke))
        .service(r("/api/v1/grants/{id}/renew").write(api::grants::renew))
        .service(r("/api/v1/tokens").read(api::tokens::list).write(api::tokens::create))
        .service(r("/api/v1/tokens/{id}/revoke").write(api::tokens::revoke))
        .service(r("/api/v1/audit").read(api::audit::list))
        .service(r("/api/v1/audit/checkpoint").read(api::audit::checkpoint))
        .service(r("/api/v1/audit/events/{seq}").read(api::audit::show))
        .service(r("/api/v1/policy").read(api::service::policy))
        .service(r("/api/v1/system").read(api::system::system))
        .service(r("/api/v1/system/leavers/{seq}/confirm").write(api::leavers::confirm))
        .service(r("/api/v1/policy/webhook").app_data(web::PayloadConfig::new(api::webhook::MOST_BYTES)).write(api::webhook::ring))
        .service(r("/api/v1/policy/endings/{seq}/confirm").write(api::endings::confirm))
        .configure(scim_routes)
        .service(r("/signin").read(ui::signin::page).write(ui::signin::enter))
        .service(r("/signin/{issuer}").read(ui::signin_issuer::start))
        // Of those that look at a link before somebody follows it, some send HEAD: it would use the sign-in up.
        .service(r("/signin/{issuer}/callback").route(web::get().to(ui::signin_issuer::callback)))
        .service(r("/signin/{issuer}/backchannel-logout").write(backchannel::logout))
        .service(r("/signed-out").read(ui::signin::signed_out))
        .service(r("/signout").write(ui::signin::leave))
        .service(r("/sessions").read(ui::sessions::page))
        .service(r("/sessions/end-others").write(ui::sessions::end_others))
        .service(r("/sessions/{id}/end").write(ui::sessions::end_one))
        .service(r("/tokens").read(ui::tokens::page).write(ui::tokens::create))
        .service(r("/tokens/{id}/revoke").write(ui::tokens::revoke))
        .service(r("/").read(ui::home::page))
        .service(r("/search").read(ui::home::search))
        .service(r("/groups").read(ui::groups::catalogue))
        .service(r("/groups/{id}").read(ui::groups::group))
        .service(r("/request/{group}").read(ui::request::form).write(ui::request::submit))
        .service(r("/request/{group}/outcome").read(ui::request::outcome))
        .service(r("/requests/{id}").read(ui::request::show))
        .service(r("/requests/{id}/approve").write(ui::request::approve))
        .service(r("/requests/{id}/deny").write(ui::request::deny))
        .service(r("/requests/{id}/withdraw").write(ui::request::withdraw))
        .service(r("/access").read(ui::access::page))
        .service(r("/grants/{id}/revoke").write(ui::access::revoke))
        .service(r("/grants/{id}/renew").write(ui::access::renew))
        .service(r("/approvals").read(ui::approvals::page))
        .service(r("/people/{id}").read(ui::people::person))
        .service(r("/people/{id}/sessions/end").write(ui::sessions::end_theirs))
        .service(r("/teams/{id}").read(ui::people::team))
        .service(r("/org").read(ui::people::organisation))
        .service(r("/audit").read(ui::audit::list))
        .service(r("/audit/{seq}").read(ui::audit::show))
        .service(r("/policy").read(ui::policy::page))
        .service(r("/policy/what-if").read(ui::policy::what_if))
        .service(r("/system").read(ui::system::show))
        .service(r(ui::leavers::PATH).read(ui::leavers::show))
        .service(r("/system/leavers/{seq}/confirm").write(ui::leavers::confirm))
        .service(r("/policy/endings/{seq}/confirm").write(ui::endings::confirm))
        .service(r("/policy/confirm-removals").write(ui::removals::confirm))
        .service(r("/docs").read(ui::docs::page));
}

/// `.search` stands before `{id}`, which would take it as well.
fn scim_routes(config: &mut ServiceConfig) {
    let r = |path: &str| web::resource(format!("/scim/v2/{path}")).app_data(web::PayloadConfig::new(scim::MOST_BYTES));
    config
        .service(r("ServiceProviderConfig").read(scim::discovery::provider))
        .service(r("ResourceTypes").read(scim::discovery::types))
        .service(r("ResourceTypes/{id}").read(scim::discovery::one_type))
        .service(r("Schemas").read(scim::discovery::all_schemas))
        .service(r("Schemas/{id}").read(scim::discovery::one_schema))
        .service(r(".search").write(scim::search::everything))
        .service(r("Users").read(scim::search::users).write(scim::users::create))
        .service(r("Users/.search").write(scim::search::users_posted))
        .service(
            r("Users/{id}")
                .read(scim::users::show)
                .route(web::put().to(scim::users::replace))
                .route(web::patch().to(scim::users::modify))
                .route(web::delete().to(scim::users::remove)),
        )
        .service(r("Groups").read(scim::search::groups).write(scim::groups::create))
        .service(r("Groups/.search").write(scim::search::groups_posted))
        .service(
            r("Groups/{id}")
                .read(scim::groups::show)
                .route(web::put().to(scim::groups::replace))
                .route(web::patch().to(scim::groups::modify))
                .route(web::delete().to(scim::groups::remove)),
        );
}

trait Methods {
    fn read<F, Args>(self, handler: F) -> Self
    where
        F: actix_web::Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: actix_web::Responder + 'static;
    fn write<F, Args>(self, handler: F) -> Self
    where
        F: actix_web::Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: actix_web::Responder + 'static;
}

impl Methods for actix_web::Resource {
    /// A page is also answered to HEAD, without its body.
    fn read<F, Args>(self, handler: F) -> Self
    where
        F: actix_web::Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: actix_web::Responder + 'static,
    {
        let head = handler.clone();
        self.route(web::get().to(handler)).route(web::head().to(head))
    }

    fn write<F, Args>(self, handler: F) -> Self
    where
        F: actix_web::Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: actix_web::Responder + 'static,
    {
        self.route(web::post().to(handler))
    }
}
