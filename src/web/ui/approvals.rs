//! What waits for the caller's answer.

use actix_web::{HttpResponse, web::Data};
use askama::Template;

use super::{Frame, waiting, words::{self, When, when}};
use crate::web::{AppState, Known, api::requests::recorded_decision, problem::Problem};

struct Card {
    id: String,
    person: String,
    name: String,
    about: String,
    manager: String,
    group: String,
    title: String,
    sensitivity: &'static str,
    duration: String,
    asked: When,
    deadline: Option<When>,
    justification: String,
    rule: String,
    progress: String,
    holds: Vec<String>,
    conflicts: Vec<String>,
}

#[derive(Template)]
#[template(path = "approvals.html", config = "src/web/ui/askama.toml")]
struct ApprovalsPage {
    frame: Frame,
    cards: Vec<Card>,
}

/// The page.
pub async fn page(state: Data<AppState>, caller: Known) -> Result<HttpResponse, Problem> {
    let snapshot = &caller.snapshot;
    let now = state.ledger.now();
    let mut cards = Vec::new();
    for request in waiting(&state, &caller).await?.into_iter().take(50) {
        let (_, _, justification) = recorded_decision(&state, request.id).await?.unwrap_or_default();
        let grants = state.reader.live_grants_of(request.person.clone()).await?;
        let votes = state.reader.approvals(request.id).await?.len();
        let person = snapshot.directory.person(request.person.as_str());
        let stage = request.rule.as_ref().and_then(|r| r.stages.get(usize::try_from(request.stage).ok()?));
        let team = person.and_then(|p| p.team.as_ref()).map(|t| words::team(snapshot, t.as_str())).unwrap_or_default();
        let about: Vec<String> = person.iter().flat_map(|p| [p.title.clone(), Some(team.clone()), p.employment.clone()]).flatten().filter(|t| !t.is_empty()).collect();
        let conflicts = snapshot.policy.set().conflicts().iter().filter(|c| c.groups.contains(&request.group));
        cards.push(Card {
            id: request.id.to_string(),
            person: request.person.to_string(),
            name: words::name(snapshot, &request.person),
            about: about.join(" · "),
            manager: person.and_then(|p| p.manager.as_ref()).map(|m| words::name(snapshot, m)).unwrap_or_default(),
            group: request.group.to_string(),
            title: words::group(snapshot, request.group.as_str()),
            sensitivity: snapshot.policy.set().group(request.group.as_str()).map_or("", |g| g.sensitivity.as_str()),
            duration: request.duration.in_words(),
            asked: when(request.submitted_at, now),
            deadline: request.deadline.map(|d| when(d, now)),
            justification: justification.unwrap_or_default(),
            rule: request.rule.as_ref().map(|r| r.name.clone()).unwrap_or_default(),
            progress: stage.filter(|s| s.need > 1).map(|s| format!("{votes} of {} approvals so far", s.need)).unwrap_or_default(),
            holds: grants.iter().map(|g| words::group(snapshot, g.group.as_str())).collect(),
            conflicts: conflicts.filter(|c| grants.iter().any(|g| c.groups.contains(&g.group))).map(|c| c.reason.clone()).collect(),
        });
    }
    super::page(&ApprovalsPage { frame: Frame::new(&state, &caller, "Approvals", "approvals").await?, cards })
}
