//! Problem details (RFC 9457) for every error of the API, and the one place that maps refusals to HTTP.

use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{domain::refusal::Refusal, ledger::LedgerError, store::read::StoreError};

/// A field of the input that is to blame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Its name.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// An error as the API tells it: `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Stable identifier of the kind of problem, `urn:bandpass:problem:CODE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is, for people.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The request that stands in the way, when one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Fields of the input that are to blame.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Seconds to wait; also in the `Retry-After` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// Methods that the route has, for 405.
    #[serde(skip)]
    pub allow: Option<String>,
    /// What was wrong with the bearer token (RFC 6750, 3.1), for `WWW-Authenticate`.
    #[serde(skip)]
    pub challenge: Option<String>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.detail.as_deref().unwrap_or(&self.title))
    }
}

impl Problem {
    /// A problem of a kind.
    pub fn new(status: u16, code: &str, title: &str, detail: impl Into<Option<String>>) -> Self {
        Self {
            kind: format!("urn:bandpass:problem:{code}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            request: None,
            errors: Vec::new(),
            retry_after: None,
            allow: None,
            challenge: None,
        }
    }

    /// 400 with the field to blame.
    pub fn bad_field(field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let mut problem = Self::new(400, "malformed", "The request is malformed", format!("`{field}`: {message}"));
        problem.errors.push(FieldError { field: field.to_owned(), message });
        problem
    }

    /// 404: absent, or not yours to know.
    pub fn not_found(noun: &str) -> Self {
        Self::new(404, "not_found", "Not found", format!("there is no such {noun}, or you may not see it"))
    }

    /// 403.
    pub fn not_allowed(reason: impl Into<String>) -> Self {
        Self::new(403, "not_allowed", "Not allowed", reason.into())
    }

    /// 401.
    pub fn unknown_caller(reason: &str) -> Self {
        Self::new(401, "unknown_caller", "Sign in first", reason.to_owned())
    }

    /// What was wrong with the caller's bearer token, as clients read it.
    #[must_use]
    pub fn of_token(self, error: &str, scope: Option<&str>) -> Self {
        let scope = scope.map(|scope| format!(", scope=\"{scope}\"")).unwrap_or_default();
        Self { challenge: Some(format!("Bearer error=\"{error}\"{scope}")), ..self }
    }

    /// 503: a token of an issuer whose keys cannot be had. Why is in the log alone, since whoever sent it may be anybody.
    pub fn issuer_away() -> Self {
        let detail = "the keys of the token's issuer cannot be had just now, so nobody can say whether it is right; try again";
        Self { retry_after: Some(60), ..Self::new(503, "unavailable", "Not now", detail.to_owned()) }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let title = match refusal.status() {
            401 => "Sign in first",
            403 => "Not allowed",
            404 => "Not found",
            409 => "It has changed, or stands against something else",
            422 => "Understood, but not possible",
            429 => "Too many requests",
            _ => "Not now",
        };
        let mut problem = Self::new(refusal.status(), refusal.code(), title, refusal.to_string());
        problem.retry_after = refusal.retry_after();
        problem.errors.extend(refusal.field().map(|field| FieldError { field: field.to_owned(), message: refusal.to_string() }));
        if let Refusal::AlreadyPending { request } = &refusal {
            problem.request = Some(request.to_string());
        }
        problem
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        let retry_after = match error {
            LedgerError::Busy { retry_after } => retry_after,
            LedgerError::Unavailable(_) => 5,
        };
        tracing::warn!(%error, "answered with 503");
        let detail = match &error {
            LedgerError::Busy { .. } => error.to_string(),
            LedgerError::Unavailable(_) => "the decision could not be recorded, so nothing was changed; try again".to_owned(),
        };
        Self { retry_after: Some(retry_after), ..Self::new(503, "unavailable", "Not now", detail) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "answered with 503");
        Self { retry_after: Some(5), ..Self::new(503, "unavailable", "Not now", "the database did not answer; try again".to_owned()) }
    }
}

/// An answer that refuses, with the headers that its status asks for (RFC 9110, 10.2.1, 10.2.3 and 11.6.1), before its body.
pub(super) fn refusing(status: StatusCode, retry_after: Option<u32>, allow: Option<&str>, challenge: Option<&str>) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    if let Some(seconds) = retry_after {
        response.insert_header(("Retry-After", seconds.to_string()));
    }
    if let Some(allow) = allow {
        response.insert_header(("Allow", allow));
    }
    if let Some(challenge) = challenge.or((status == StatusCode::UNAUTHORIZED).then_some("Bearer")) {
        response.insert_header(("WWW-Authenticate", challenge));
    }
    response
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = refusing(self.status_code(), self.retry_after, self.allow.as_deref(), self.challenge.as_deref());
        response.content_type("application/problem+json");
        response.json(self)
    }
}
