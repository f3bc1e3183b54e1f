//! The OpenAPI document, made from the handlers.

use actix_web::HttpResponse;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let told = "A token of Bandpass, `bp_…` (page `/tokens`, `POST /api/v1/tokens`, `bandpass token create`), or a JWT access token of an issuer \
                    that is configured with `audiences` (`config/sign-in.md`). The scopes of either say what it may do; what its person may do bounds them.";
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("bp_… or JWT").description(Some(told)).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(title = "Bandpass", description = "Ask for groups, answer requests, see what is held, read the audit log. Errors are problem details (RFC 9457).", version = "1"),
    paths(
        super::groups::list, super::groups::show, super::groups::members,
        super::people::list, super::people::show, super::people::grants, super::people::life, super::people::team,
        super::requests::list, super::requests::submit, super::requests::preview, super::requests::show,
        super::requests::approve, super::requests::deny, super::requests::withdraw,
        super::grants::list, super::grants::revoke, super::grants::renew,
        super::tokens::list, super::tokens::create, super::tokens::revoke,
        super::audit::list, super::audit::show, super::audit::checkpoint,
        super::service::policy, super::system::system, super::endings::confirm, super::leavers::confirm, super::webhook::ring, super::service::healthz, super::service::readyz, super::service::metrics,
    ),
    modifiers(&Bearer),
    security(("token" = [])),
)]
pub struct Document;

/// The document as JSON.
pub async fn json() -> HttpResponse {
    match Document::openapi().to_json() {
        Ok(text) => HttpResponse::Ok().content_type("application/json").body(text),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}
