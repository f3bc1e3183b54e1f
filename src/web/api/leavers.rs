//! Confirming leavers of a source that wait because they are so many.

use actix_web::{HttpResponse, web::{Data, Json, Path}};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::web::{AppState, Known, leavers, limits, problem::Problem};

/// Why it is right.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmLeavers {
    /// Mandatory; it is recorded.
    #[serde(default)]
    reason: Option<String>,
}

/// Let a source have as many people leave as it says (`leavers_held` of `GET /system`), for one `directory.leave_window`. For admins.
#[utoipa::path(post, path = "/api/v1/system/leavers/{seq}/confirm", tag = "service", request_body = ConfirmLeavers, params(("seq" = i64, Path)), responses((status = 204), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn confirm(state: Data<AppState>, caller: Known, seq: Path<i64>, body: Json<ConfirmLeavers>) -> Result<HttpResponse, Problem> {
    let reason = limits::text("reason", body.into_inner().reason)?.unwrap_or_default();
    leavers::confirm(&state, &caller, *seq, reason).await?;
    Ok(HttpResponse::NoContent().finish())
}
