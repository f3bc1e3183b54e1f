//! The JSON API under `/api/v1`. Answers are shapes of their own ([`shapes`]), never rows as they lie in the database.

pub mod audit;
mod body;
pub mod endings;
pub mod leavers;
pub mod grants;
pub mod groups;
pub mod openapi;
pub mod people;
pub mod requests;
pub mod service;
pub mod shapes;
pub mod system;
pub mod tokens;
pub mod webhook;

use actix_web::web::Data;

pub(crate) use body::Sent;

use super::{AppState, problem::Problem};
use crate::{
    auth::{Caller, session::secret_hash},
    domain::{command::{Command, Envelope, Idempotency}, id::CommandId},
    ledger::{Reply, fresh_id},
    store::read::Page,
};

/// Carries out a caller's command, and notes a refusal of a known object.
pub(crate) async fn execute(state: &Data<AppState>, caller: &Caller, command: Command, idempotency: Option<Idempotency>, action: &str, object: &str) -> Result<Reply, Problem> {
    let envelope = Envelope { id: CommandId(fresh_id()), actor: caller.actor(), command, idempotency };
    let reply = state.ledger.execute(envelope).await?;
    if let Err(refusal) = &reply.answer
        && matches!(refusal.status(), 403 | 409)
    {
        state.refusals.note(caller, action, refusal.code(), object);
    }
    Ok(reply)
}

/// A page from `limit` and an opaque `cursor`. It holds a position and a sum against mistakes; it opens nothing, since every row
/// is authorised by itself, and every replica takes those of the others.
pub(crate) fn page(limit: Option<u16>, cursor: Option<&str>) -> Result<Page, Problem> {
    let limit = limit.unwrap_or(50);
    if !(1..=200).contains(&limit) {
        return Err(Problem::bad_field("limit", "expected 1 to 200"));
    }
    let before = match cursor {
        None => None,
        Some(cursor) => {
            let bad = || Problem::bad_field("cursor", "is not one that this service gave; leave it out to start again");
            let (key, sum) = cursor.split_once('.').ok_or_else(bad)?;
            if cursor_sum(key) != sum {
                return Err(bad());
            }
            Some(key.parse().map_err(|_| bad())?)
        }
    };
    Ok(Page { before, limit })
}

/// The cursor of a key.
pub(crate) fn cursor(key: Option<i64>) -> Option<String> {
    key.map(|key| format!("{key}.{}", cursor_sum(&key.to_string())))
}

fn cursor_sum(key: &str) -> String {
    secret_hash(&format!("cursor\0{key}")).chars().take(16).collect()
}

/// Reads a field that is a text in the input.
pub(crate) fn parse<T>(field: &str, text: Option<&str>) -> Result<Option<T>, Problem>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.filter(|t| !t.is_empty()).map(|t| t.parse().map_err(|e: T::Err| Problem::bad_field(field, e.to_string()))).transpose()
}
