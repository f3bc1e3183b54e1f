//! A group that left the policy, for those who answered for it: what people still hold of it.

use actix_web::HttpResponse;
use askama::Template;

use super::{Frame, page, standing::{self, Standing}, words::{self, When, when}};
use crate::{
    auth::visibility::answered_for,
    domain::id::GroupId,
    ledger::departed,
    store::read::{GrantFilter, Page},
    web::{AppState, Known, problem::Problem},
};

struct Remaining {
    id: String,
    grant: String,
    name: String,
    ends: When,
    standing: Option<Standing>,
}

#[derive(Template)]
#[template(path = "departed.html", config = "src/web/ui/askama.toml")]
struct DepartedPage {
    frame: Frame,
    title: String,
    id: String,
    owner: String,
    remaining: Vec<Remaining>,
    more: bool,
    may_end: bool,
}

/// The page of a group that is not in the policy.
pub async fn group(state: &AppState, caller: &Known, id: &str) -> Result<HttpResponse, Problem> {
    const MOST: u16 = 200;
    let absent = || Problem::not_found("group");
    let snapshot = &caller.snapshot;
    let id = GroupId::parse(id).map_err(|_| absent())?;
    let group = departed::group(&state.reader, snapshot, &id).await?.ok_or_else(absent)?;
    if !answered_for(caller, &group) {
        return Err(absent());
    }
    let now = state.ledger.now();
    let filter = GrantFilter { groups: Some([id.clone()].into()), live: true, ..GrantFilter::default() };
    let found = state.reader.grants(filter, Page { before: None, limit: MOST }).await?;
    let remaining = found.items.iter().map(|g| Remaining { id: g.person.to_string(), grant: g.id.to_string(), name: words::name(snapshot, &g.person), ends: when(g.ends_at, now), standing: standing::of(snapshot, g, now) }).collect();
    page(&DepartedPage {
        frame: Frame::new(state, caller, group.title.clone(), "groups").await?,
        title: group.title.clone(),
        id: id.to_string(),
        owner: words::list(snapshot, &group.owner, false),
        remaining,
        more: found.next.is_some(),
        may_end: caller.admin,
    })
}
