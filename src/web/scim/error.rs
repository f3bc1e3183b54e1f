//! Errors in SCIM's own shape (RFC 7644, 3.12).

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::json;

use crate::web::problem::{Problem, refusing};

/// An error as SCIM tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimError {
    status: u16,
    kind: Option<&'static str>,
    detail: String,
    retry_after: Option<u32>,
    allow: Option<String>,
    challenge: Option<String>,
}

impl std::fmt::Display for ScimError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.detail)
    }
}

impl ScimError {
    /// An error with its `scimType`, where RFC 7644 has one.
    pub fn new(status: u16, kind: Option<&'static str>, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), retry_after: None, allow: None, challenge: None }
    }

    /// 400 `invalidValue`.
    pub fn invalid_value(detail: impl Into<String>) -> Self {
        Self::new(400, Some("invalidValue"), detail)
    }

    /// 409 `uniqueness`.
    pub fn uniqueness(detail: impl Into<String>) -> Self {
        Self::new(409, Some("uniqueness"), detail)
    }

    /// 404.
    pub fn not_found(noun: &str, id: &str) -> Self {
        let id: String = id.chars().filter(|c| !c.is_control()).take(64).collect();
        Self::new(404, None, format!("there is no {noun} `{id}`"))
    }

    /// 429 with the seconds to wait.
    pub fn too_many(detail: String, retry_after: u32) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(429, None, detail) }
    }
}

impl From<Problem> for ScimError {
    fn from(problem: Problem) -> Self {
        let kind = match problem.status {
            400 => Some("invalidSyntax"),
            _ => None,
        };
        let detail = problem.detail.unwrap_or(problem.title);
        Self { status: problem.status, kind, detail, retry_after: problem.retry_after, allow: problem.allow, challenge: problem.challenge }
    }
}

impl ResponseError for ScimError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = refusing(self.status_code(), self.retry_after, self.allow.as_deref(), self.challenge.as_deref());
        response.content_type("application/scim+json");
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let (Some(kind), Some(body)) = (self.kind, body.as_object_mut()) {
            body.insert("scimType".to_owned(), kind.into());
        }
        response.json(body)
    }
}
