//! Leavers of a source that wait for an admin, for the page and the API.

use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;

use super::{AppState, Known, api::execute, problem::Problem};
use crate::{
    domain::{command::Command, id::PersonId, record::SourceName, refusal::Refusal, time::Time},
    ledger::HeldLeavers,
};

/// A source whose leavers are held back.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeaversShape {
    /// The event that holds them back: what is confirmed.
    pub seq: i64,
    /// Which source, like `scim:okta`.
    #[schema(value_type = String)]
    pub source: SourceName,
    /// When it was first held back.
    #[schema(value_type = String)]
    pub since: Time,
    /// How many had left by it then within `directory.leave_window`, with those who would have.
    pub leaving: u32,
    /// Of how many.
    pub active: u32,
    /// Ids of those whom it would have had leave since this replica started, and who are still here.
    #[schema(value_type = Vec<String>)]
    pub people: Vec<PersonId>,
}

impl From<HeldLeavers> for LeaversShape {
    fn from(held: HeldLeavers) -> Self {
        Self { seq: held.seq, source: held.source, since: held.at, leaving: held.leaving, active: held.active, people: held.people }
    }
}

/// Every source that is held back now.
///
/// # Errors
/// When the database cannot be read.
pub async fn held(state: &AppState) -> Result<Vec<HeldLeavers>, Problem> {
    Ok(state.ledger.held_leavers(state.settings.directory.leave_window).await?)
}

/// Lets a source go on. What is no longer held, or was never, is stale.
///
/// # Errors
/// As the ledger refuses.
pub async fn confirm(state: &Data<AppState>, caller: &Known, seq: i64, reason: String) -> Result<(), Problem> {
    const ACTION: &str = "confirm leavers";
    let refused = |refusal: Refusal| {
        state.refusals.note(caller, ACTION, refusal.code(), &seq.to_string());
        Err(refusal.into())
    };
    if !caller.admin {
        return refused(Refusal::NotAllowed { reason: "only an admin can confirm that so many people leave".to_owned() });
    }
    let Some(found) = held(state).await?.into_iter().find(|h| h.seq == seq) else {
        return refused(Refusal::Stale { what: "what is held back".to_owned() });
    };
    let command = Command::ConfirmLeavers { source: found.source, held: Some(seq), reason };
    execute(state, caller, command, None, ACTION, &seq.to_string()).await?.answer?;
    Ok(())
}
