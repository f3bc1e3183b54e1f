//! Home: search over groups, the systems they open, people and teams; what waits, what is held, what colleagues hold.

use actix_web::{HttpResponse, web::{Data, Query}};
use askama::Template;
use serde::Deserialize;

use super::{Frame, standing::{self, Answered, News}, waiting, words::{self, Ends, Voice, When, when}};
use crate::{
    auth::Caller,
    domain::group::{Group, JustificationNeed},
    ledger::Preview,
    store::{read::GrantFilter, read_tokens::TokenFilter},
    web::{AppState, Known, leavers, problem::Problem},
};

/// A group in a list, with what it means for the caller.
pub struct GroupCard {
    pub id: String,
    pub title: String,
    pub description: String,
    pub systems: Vec<String>,
    pub sensitivity: &'static str,
    pub kind: &'static str,
    pub told: String,
    pub hint: String,
    /// One press is enough: instant, and no reason needed.
    pub one_press: bool,
    pub held: Option<Ends>,
    /// Held without asking: neither renewed nor given back.
    pub stays: bool,
    pub grant: String,
}

/// A person or team that was found.
pub struct Found {
    pub href: String,
    pub name: String,
    pub about: String,
}

/// A grant that ends.
pub struct Held {
    pub group: String,
    pub title: String,
    pub ends: Ends,
}

#[derive(Template)]
#[template(path = "home.html", config = "src/web/ui/askama.toml")]
struct HomePage {
    frame: Frame,
    q: String,
    groups: Vec<GroupCard>,
    others: Vec<Found>,
    held: Vec<Held>,
    team_holds: Vec<(String, String, usize)>,
    oldest: String,
    news: Vec<News>,
    tokens: Vec<(String, When)>,
    answered: Vec<Answered>,
    /// Sources whose leavers wait for an admin: which, how many, of how many.
    leavers: Vec<(String, u32, u32)>,
}

#[derive(Template)]
#[template(path = "results.html", config = "src/web/ui/askama.toml")]
struct Results {
    frame: Frame,
    q: String,
    groups: Vec<GroupCard>,
    others: Vec<Found>,
}

/// What is looked for.
#[derive(Deserialize)]
pub struct SearchQuery {
    #[serde(default)]
    q: String,
}

/// The most groups in a list of results.
const MOST: usize = 12;

/// The card of a group for a caller.
pub fn card(caller: &Caller, group: &Group, preview: Option<&Preview>, held: Option<&crate::domain::grant::Grant>, now: crate::domain::time::Time) -> GroupCard {
    let outcome = preview.map_or(
        words::Outcome { kind: "wait", told: "Asked already".to_owned(), hint: "Your request waits for an answer.".to_owned() },
        |p| words::outcome(&caller.snapshot, p),
    );
    let needs_reason = preview.is_some_and(|p| p.decision.justification == JustificationNeed::Required);
    GroupCard {
        id: group.id.to_string(),
        title: group.title.clone(),
        description: group.description.clone(),
        systems: group.entitlements.iter().map(ToString::to_string).collect(),
        sensitivity: group.sensitivity.as_str(),
        one_press: outcome.kind == "yes" && !needs_reason,
        kind: outcome.kind,
        told: outcome.told,
        hint: outcome.hint,
        held: held.map(|g| words::ends(&caller.snapshot, g, now, Voice::You)),
        stays: held.is_some_and(crate::domain::grant::Grant::is_standing_birthright),
        grant: held.map(|g| g.id.to_string()).unwrap_or_default(),
    }
}

/// Cards of some groups.
pub async fn cards(state: &AppState, caller: &Caller, groups: Vec<&Group>) -> Result<Vec<GroupCard>, Problem> {
    let ids = groups.iter().map(|g| g.id.clone()).collect();
    let previews = state.ledger.preview_all(caller.id(), ids).await?;
    let held = state.reader.live_grants_of(caller.id().clone()).await?;
    let now = state.ledger.now();
    Ok(groups
        .into_iter()
        .map(|group| {
            let preview = previews.iter().find(|(id, _)| *id == group.id).map(|(_, p)| p);
            card(caller, group, preview, held.iter().find(|g| g.group == group.id), now)
        })
        .collect())
}

/// How well a group fits some words: title before system before description; 0 is not at all.
fn score(group: &Group, words: &[String]) -> u32 {
    let title = format!("{} {}", group.title, group.id).to_lowercase();
    let systems = group.entitlements.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ").to_lowercase();
    let rest = format!("{} {}", group.description, group.tags.join(" ")).to_lowercase();
    let mut total = 0;
    for word in words {
        let points = if title.starts_with(word.as_str()) {
            8
        } else if title.contains(word.as_str()) {
            6
        } else if systems.contains(word.as_str()) {
            4
        } else if rest.contains(word.as_str()) {
            2
        } else {
            return 0;
        };
        total += points;
    }
    total
}

async fn find(state: &AppState, caller: &Caller, q: &str) -> Result<(Vec<GroupCard>, Vec<Found>), Problem> {
    let words: Vec<String> = q.split_whitespace().take(6).map(str::to_lowercase).collect();
    if words.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut scored: Vec<(u32, &Group)> = caller.snapshot.policy.set().groups().values().map(|g| (score(g, &words), g)).filter(|(s, _)| *s > 0).collect();
    scored.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.title.cmp(&y.title)));
    scored.truncate(MOST);
    let groups = cards(state, caller, scored.into_iter().map(|(_, g)| g).collect()).await?;
    let fits = |text: String| words.iter().all(|w| text.to_lowercase().contains(w.as_str()));
    let directory = &caller.snapshot.directory;
    let people = directory.people().values().filter(|p| p.is_active() && fits(format!("{} {}", p.name, p.id))).take(5).map(|p| Found {
        href: format!("/people/{}", p.id),
        name: p.name.clone(),
        about: p.title.clone().unwrap_or_else(|| "Person".to_owned()),
    });
    let teams = directory.teams().values().filter(|t| fits(format!("{} {}", t.title, t.id))).take(5).map(|t| Found {
        href: format!("/teams/{}", t.id),
        name: t.title.clone(),
        about: "Team".to_owned(),
    });
    Ok((groups, people.chain(teams).collect()))
}

/// The page.
pub async fn page(state: Data<AppState>, caller: Known, query: Query<SearchQuery>) -> Result<HttpResponse, Problem> {
    let (mut groups, others) = find(&state, &caller, &query.q).await?;
    let now = state.ledger.now();
    let mine = state.reader.live_grants_of(caller.id().clone()).await?;
    let held = mine.iter().map(|g| Held { group: g.group.to_string(), title: words::group(&caller.snapshot, g.group.as_str()), ends: words::ends(&caller.snapshot, g, now, Voice::You) }).collect();
    let team_holds = team_holds(&state, &caller).await?;
    if query.q.trim().is_empty() {
        // Nothing asked yet: what colleagues of the team hold is the likeliest wish.
        let set = caller.snapshot.policy.set();
        let likely = team_holds.iter().filter_map(|(id, ..)| set.group(id)).filter(|g| !mine.iter().any(|m| m.group == g.id)).take(6).collect();
        groups = cards(&state, &caller, likely).await?;
    }
    let oldest = waiting(&state, &caller).await?.first().map(|r| when(r.submitted_at, now).told).unwrap_or_default();
    let frame = Frame::new(&state, &caller, "What do you need?", "home").await?;
    let (news, answered) = (standing::news(&state, &caller, &mine).await?, standing::answered(&state, &caller).await?);
    let leavers = if caller.admin { leavers::held(&state).await?.into_iter().map(|h| (h.source.to_string(), h.leaving, h.active)).collect() } else { Vec::new() };
    super::page(&HomePage { frame, q: query.q.clone(), groups, others, held, team_holds, oldest, news, tokens: new_tokens(&state, &caller).await?, answered, leavers })
}

/// How long home tells of a new token, in days.
const TOLD_OF_TOKENS: u32 = 7;

/// Tokens that were made in the caller's name lately and open something: whoever did not make one must hear of it (semantics.md,
/// 32).
async fn new_tokens(state: &AppState, caller: &Caller) -> Result<Vec<(String, When)>, Problem> {
    let now = state.ledger.now();
    let since = crate::domain::duration::Duration::days(TOLD_OF_TOKENS).map_or(now, |d| now.minus(d));
    let filter = TokenFilter { person: Some(caller.id().clone()), live_at: Some(now), ..TokenFilter::default() };
    let found = state.reader.used_tokens(filter, 20).await?;
    let told = |t: &crate::domain::token::Token| {
        let scopes = t.scopes.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ");
        let whose = t.service.as_ref().map_or_else(|| "in your name".to_owned(), |s| format!("for the service {s}, which you answer for"));
        let label = if t.label.is_empty() { String::new() } else { format!(", “{}”", t.label) };
        format!("A token was made {whose}{label}: {scopes}")
    };
    Ok(found.iter().filter(|u| u.token.created_at >= since).take(5).map(|u| (told(&u.token), when(u.token.created_at, now))).collect())
}

/// Groups that colleagues of the caller's team hold, most held first: id, title, how many.
async fn team_holds(state: &AppState, caller: &Caller) -> Result<Vec<(String, String, usize)>, Problem> {
    let Some(team) = &caller.person.team else { return Ok(Vec::new()) };
    let people = caller.snapshot.directory.direct_members(team).iter().cloned().collect();
    let filter = GrantFilter { people: Some(people), live: true, ..GrantFilter::default() };
    let grants = state.reader.grants(filter, crate::store::read::Page { before: None, limit: 200 }).await?.items;
    let mut counts: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for grant in grants {
        *counts.entry(grant.group.to_string()).or_default() += 1;
    }
    let mut found: Vec<_> = counts.into_iter().map(|(id, n)| (id.clone(), words::group(&caller.snapshot, &id), n)).collect();
    found.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.1.cmp(&b.1)));
    found.truncate(8);
    Ok(found)
}

/// Results alone, for the script.
pub async fn search(state: Data<AppState>, caller: Known, query: Query<SearchQuery>) -> Result<HttpResponse, Problem> {
    let (groups, others) = find(&state, &caller, &query.q).await?;
    let mut frame = Frame::nobody("Results", state.is_development());
    frame.csrf.clone_from(&caller.csrf);
    super::page(&Results { frame, q: query.q.clone(), groups, others })
}
