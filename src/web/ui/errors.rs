//! Errors as pages: what happened, and where to go.

use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;

use super::Frame;
use crate::web::problem::Problem;

#[derive(Template)]
#[template(path = "error.html", config = "src/web/ui/askama.toml")]
struct ErrorPage {
    frame: Frame,
    status: u16,
    told: String,
    request: String,
}

/// The page for a problem; `development` says whether that sign-in is on.
pub fn page(problem: &Problem, development: bool) -> HttpResponse {
    let title = match problem.status {
        401 => "Sign in first",
        403 => "That is not yours to do",
        404 => "Nothing here",
        408 => "That took too long",
        409 => "Something changed meanwhile",
        413 => "That is too large",
        422 => "That cannot be done",
        429 => "Slow down a little",
        503 => "Not right now",
        500 => "Something failed here",
        _ => "That did not work",
    };
    let template = ErrorPage {
        frame: Frame::nobody(title, development),
        status: problem.status,
        told: super::words::capital(problem.detail.as_deref().unwrap_or(&problem.title)),
        request: problem.request.clone().unwrap_or_default(),
    };
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = super::page_with(status, &template).unwrap_or_else(|p| actix_web::ResponseError::error_response(&p));
    if let Some(allow) = problem.allow.as_deref().and_then(|a| actix_web::http::header::HeaderValue::from_str(a).ok()) {
        response.headers_mut().insert(actix_web::http::header::ALLOW, allow);
    }
    if let Some(seconds) = problem.retry_after {
        response.headers_mut().insert(actix_web::http::header::RETRY_AFTER, seconds.into());
    }
    response
}
