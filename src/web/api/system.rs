//! How the service does.

use actix_web::web::{Data, Json};

use crate::web::{AppState, problem::Problem, system::{SystemShape, look}};

/// Versions, queue, deliveries, what this replica does, and what the set-up doctor finds. For admins.
#[utoipa::path(get, path = "/api/v1/system", tag = "service", responses((status = 200, body = SystemShape), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn system(state: Data<AppState>) -> Result<Json<SystemShape>, Problem> {
    Ok(Json(look(&state).await?))
}
