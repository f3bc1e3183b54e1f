//! Removals that adopted memberships cause: the first ones at each connector wait until an admin lets them go.

use actix_web::{HttpResponse, web::{Data, Form}};
use serde::Deserialize;

use super::{check_form, go};
use crate::{
    domain::{command::Command, id::ConnectorName},
    web::{AppState, Known, api::{execute, parse}, limits, problem::Problem},
};

/// What waits at one connector.
pub struct Waiting {
    /// Where.
    pub connector: String,
    /// How many removals.
    pub count: u64,
    /// The first few: who, what.
    pub first: Vec<(String, String)>,
}

/// The first removals that are shown, over all connectors.
const SHOWN: u16 = 50;

/// What waits at each connector.
///
/// # Errors
/// When the database cannot be read.
pub async fn waiting(state: &AppState) -> Result<Vec<Waiting>, Problem> {
    let counts = state.reader.removals_waiting().await?;
    if counts.is_empty() {
        return Ok(Vec::new());
    }
    let first = state.reader.held_removals(None, SHOWN).await?;
    let of = |connector: &ConnectorName| {
        let there = first.iter().filter(|d| d.entitlement.connector == *connector);
        there.map(|d| (d.person.to_string(), d.entitlement.to_string())).collect()
    };
    Ok(counts.into_iter().map(|(connector, count)| Waiting { first: of(&connector), connector: connector.to_string(), count }).collect())
}

/// Which may go, and why.
#[derive(Deserialize)]
pub struct Confirmation {
    csrf: String,
    connector: String,
    #[serde(default)]
    reason: Option<String>,
}

/// Lets the removals of one connector go. Only an admin may, which the ledger decides.
pub async fn confirm(state: Data<AppState>, caller: Known, sent: Form<Confirmation>) -> Result<HttpResponse, Problem> {
    check_form(&caller, &sent.csrf)?;
    let connector: ConnectorName = parse("connector", Some(&sent.connector))?.ok_or_else(|| Problem::bad_field("connector", "is empty"))?;
    let reason = limits::text("reason", sent.reason.clone())?.unwrap_or_default();
    let object = connector.to_string();
    execute(&state, &caller, Command::ConfirmRemovals { connector, reason }, None, "confirm-removals", &object).await?.answer?;
    Ok(go("/policy"))
}
