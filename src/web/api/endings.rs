//! Confirming endings that wait because one change would cause so many.

use actix_web::{HttpResponse, web::{Data, Path}};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Sent, execute};
use crate::{domain::command::Command, web::{AppState, Known, limits, problem::Problem}};

/// Why it is right.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmEndings {
    /// Mandatory; it is recorded.
    #[serde(default)]
    reason: Option<String>,
}

/// Let endings happen that wait for confirmation (`endings` of `GET /policy`). For an admin who did not make the change.
#[utoipa::path(post, path = "/api/v1/policy/endings/{seq}/confirm", tag = "service", request_body = ConfirmEndings, params(("seq" = i64, Path)), responses((status = 204), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn confirm(state: Data<AppState>, caller: Known, seq: Path<i64>, body: Sent<ConfirmEndings>) -> Result<HttpResponse, Problem> {
    let reason = limits::text("reason", body.0.reason)?.unwrap_or_default();
    let object = seq.to_string();
    execute(&state, &caller, Command::ConfirmEndings { held: *seq, reason }, None, "confirm endings", &object).await?.answer?;
    Ok(HttpResponse::NoContent().finish())
}
