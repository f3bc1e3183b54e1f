//! Leavers of a source that wait for an admin: who they are, and the confirmation.

use actix_web::{HttpResponse, web::{Data, Form, Path}};
use askama::Template;

use super::{Frame, check_form, endings::Confirmation, go, page, words::{self, When, when}};
use crate::{
    ledger::HeldLeavers,
    web::{AppState, Known, leavers, limits, problem::Problem},
};

/// The page.
pub const PATH: &str = "/system/leavers";
/// People that are named, of one source.
const SHOWN: usize = 200;

struct HeldView {
    seq: i64,
    source: String,
    since: When,
    leaving: u32,
    active: u32,
    /// Id, name, what they do.
    people: Vec<(String, String, String)>,
    more: usize,
}

#[derive(Template)]
#[template(path = "leavers.html", config = "src/web/ui/askama.toml")]
struct LeaversPage {
    frame: Frame,
    held: Vec<HeldView>,
    share: f64,
    window: String,
}

/// The page.
pub async fn show(state: Data<AppState>, caller: Known) -> Result<HttpResponse, Problem> {
    let (now, directory) = (state.ledger.now(), &caller.snapshot.directory);
    let view = |held: HeldLeavers| {
        let named = held.people.iter().take(SHOWN).map(|id| {
            let title = directory.person(id.as_str()).and_then(|p| p.title.clone()).unwrap_or_default();
            (id.to_string(), words::name(&caller.snapshot, id), title)
        });
        HeldView {
            seq: held.seq,
            source: held.source.to_string(),
            since: when(held.at, now),
            leaving: held.leaving,
            active: held.active,
            people: named.collect(),
            more: held.people.len().saturating_sub(SHOWN),
        }
    };
    let bound = state.settings.directory.leave_bound();
    page(&LeaversPage {
        held: leavers::held(&state).await?.into_iter().map(view).collect(),
        frame: Frame::new(&state, &caller, "People who would leave", "system").await?,
        share: (bound.share * 1000.0).round() / 10.0,
        window: bound.window.in_words(),
    })
}

/// Lets a source go on.
pub async fn confirm(state: Data<AppState>, caller: Known, seq: Path<i64>, sent: Form<Confirmation>) -> Result<HttpResponse, Problem> {
    check_form(&caller, &sent.csrf)?;
    let reason = limits::text("reason", sent.reason.clone())?.unwrap_or_default();
    leavers::confirm(&state, &caller, *seq, reason).await?;
    Ok(go(PATH))
}
