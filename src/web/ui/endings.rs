//! Endings that wait on `/policy` for somebody who did not make the change.

use actix_web::{HttpResponse, web::{Data, Form, Path}};
use serde::Deserialize;

use super::{check_form, go, words::{self, When, when}};
use crate::{
    auth::Caller,
    domain::{command::Command, standing::{Cause, HeldState}},
    ledger::Snapshot,
    store::read::{GrantFilter, Page},
    web::{AppState, Known, api::execute, limits, problem::Problem},
};

/// What waits, in words.
pub struct Waiting {
    /// The event that held it.
    pub seq: i64,
    /// How many would end.
    pub total: u64,
    /// Of how many.
    pub live: u64,
    /// Since when.
    pub since: When,
    /// Who made the change, and what that means.
    pub author: String,
    /// Groups: id, title, how many.
    pub groups: Vec<(String, String, u64)>,
    /// Whether the caller may confirm it.
    pub may_confirm: bool,
}

/// What waits for a person now.
pub async fn waiting(state: &AppState, caller: &Caller) -> Result<Option<Waiting>, Problem> {
    let snapshot = &caller.snapshot;
    let Some(held) = state.reader.newest_held_endings().await?.filter(|h| h.state == HeldState::Waiting) else { return Ok(None) };
    let author = match &held.of.author {
        Some(id) if id == caller.id() => "You made this change, as its commit says, so another admin confirms it.".to_owned(),
        Some(id) => format!("{} made this change, as its commit says; another admin confirms it.", words::name(snapshot, id)),
        None => "Who made this change is not known here (only the author of a git commit with the e-mail address of a person is), so any admin may confirm it.".to_owned(),
    };
    let groups = held.of.counts.iter().map(|(g, n)| (g.to_string(), words::group(snapshot, g.as_str()), *n)).collect();
    Ok(Some(Waiting {
        seq: held.seq,
        total: held.of.total(),
        live: held.of.live,
        since: when(held.at, state.ledger.now()),
        author,
        groups,
        may_confirm: caller.admin && held.of.author.as_ref() != Some(caller.id()),
    }))
}

/// For each conflict, how many grants give way to it now; empty when none does.
pub async fn giving_way(state: &AppState, snapshot: &Snapshot) -> Result<Vec<String>, Problem> {
    let conflicts = snapshot.policy.set().conflicts();
    let groups = conflicts.iter().flat_map(|c| c.groups.iter().cloned()).collect();
    let filter = GrantFilter { groups: Some(groups), not_standing: true, ..GrantFilter::default() };
    let grants = if conflicts.is_empty() { Vec::new() } else { state.reader.grants(filter, Page { before: None, limit: 1000 }).await?.items };
    let of = |c: &crate::domain::group::Conflict| {
        let counts = |g: &&crate::domain::grant::Grant| match g.standing.as_ref().map(|s| &s.cause) {
            Some(Cause::Conflict { with }) => c.groups.contains(&g.group) && c.groups.contains(with),
            _ => false,
        };
        match grants.iter().filter(counts).count() {
            0 => String::new(),
            1 => "One grant ends because of it.".to_owned(),
            n => format!("{n} grants end because of it."),
        }
    };
    Ok(conflicts.iter().map(of).collect())
}

/// A confirmation with its reason, of endings and of leavers.
#[derive(Deserialize)]
pub struct Confirmation {
    pub(super) csrf: String,
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// Lets held endings happen.
pub async fn confirm(state: Data<AppState>, caller: Known, seq: Path<i64>, sent: Form<Confirmation>) -> Result<HttpResponse, Problem> {
    check_form(&caller, &sent.csrf)?;
    let reason = limits::text("reason", sent.reason.clone())?.unwrap_or_default();
    let object = seq.to_string();
    execute(&state, &caller, Command::ConfirmEndings { held: *seq, reason }, None, "confirm endings", &object).await?.answer?;
    Ok(go("/policy"))
}
