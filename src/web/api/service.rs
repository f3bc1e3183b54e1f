//! Health, metrics, and the policy in force.

use actix_web::{HttpResponse, web::{Data, Json}};
use serde_json::json;

use super::shapes::PolicyShape;
use crate::{
    store::read::StoreError,
    web::{AppState, Known, policy_loads, problem::Problem},
};

/// Loads that `GET /policy` tells.
const LOADS: u16 = 20;

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "service", responses((status = 200, body = String)))]
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the service decides: 503 when it does not; `degraded` when the newest policy cannot be used or its
/// source not be reached, and while none is in force yet, so that everything is denied and directories can send people.
#[utoipa::path(get, path = "/readyz", tag = "service", responses((status = 200, body = Object), (status = 503, body = Object)))]
pub async fn readyz(state: Data<AppState>) -> HttpResponse {
    let snapshot = state.ledger.snapshot();
    let database = state.database_answers.get(async { state.reader.head().await.is_ok() }).await;
    let deciding = state.ledger.is_deciding();
    let without_policy = snapshot.without_policy();
    let errors = snapshot.problems.iter().filter(|p| p.severity == crate::domain::problem::Severity::Error).count();
    let source = state.ledger.source_state();
    let word = match (database && deciding, errors == 0 && source.unreachable.is_none() && without_policy.is_none()) {
        (false, _) => "not ready",
        (true, true) => "ready",
        (true, false) => "degraded",
    };
    let body = json!({
        "status": word, "database": database, "deciding": deciding, "policy_revision": snapshot.in_force, "without_policy": without_policy,
        "policy_errors": errors, "policy_source_reachable": source.unreachable.is_none(), "policy_source_reached": source.reached, "frozen": snapshot.frozen,
    });
    if word == "not ready" { HttpResponse::ServiceUnavailable().json(body) } else { HttpResponse::Ok().json(body) }
}

/// Counters for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "service", responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn metrics(state: Data<AppState>) -> Result<HttpResponse, Problem> {
    let backlog = state.backlog.get(async { state.reader.delivery_backlog().await.map_err(|e| e.0) }).await.map_err(StoreError)?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(state.metrics.text(&state.ledger, backlog)))
}

/// The policy in force: revision, age, problems of the source's newest state.
#[utoipa::path(get, path = "/api/v1/policy", tag = "service", responses((status = 200, body = PolicyShape), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn policy(state: Data<AppState>, caller: Known) -> Result<Json<PolicyShape>, Problem> {
    let held = state.reader.newest_held_endings().await?;
    let history = policy_loads::newest(&state, &caller, LOADS).await?;
    Ok(Json(PolicyShape::new(&caller.snapshot, state.ledger.now(), state.ledger.source_state(), held, history)))
}
