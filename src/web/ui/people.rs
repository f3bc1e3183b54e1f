//! People, teams, and the organisation as a tree.

use actix_web::{HttpResponse, web::{Data, Path, Query}};
use askama::Template;
use serde::Deserialize;

use super::{Frame, page, sessions, standing::{self, Standing}, words::{self, Ends, Voice, When, when}};
use crate::{
    auth::visibility::{may_see_holdings, owns},
    domain::{group::Who, id::{PersonId, TeamId}, record::SourceName, time::Time},
    ledger::Snapshot,
    web::{AppState, Known, problem::Problem, timeline},
};

/// A link with a name.
pub struct Link {
    href: String,
    name: String,
    about: String,
}

fn person_link(snapshot: &Snapshot, id: &str) -> Option<Link> {
    let p = snapshot.directory.person(id)?;
    Some(Link { href: format!("/people/{}", p.id), name: p.name.clone(), about: p.title.clone().unwrap_or_default() })
}

fn team_link(snapshot: &Snapshot, id: &TeamId) -> Link {
    let people = snapshot.directory.members(id).len();
    Link { href: format!("/teams/{id}"), name: words::team(snapshot, id.as_str()), about: format!("{people} people") }
}

struct Held {
    id: String,
    group: String,
    title: String,
    ends: Ends,
    rule: String,
    may_end: bool,
    standing: Option<Standing>,
}

/// One thing that happened to a person.
struct Happened {
    word: &'static str,
    chip: &'static str,
    told: String,
    why: String,
    group: String,
    at: When,
}

/// Where the timeline goes on.
#[derive(Deserialize)]
pub struct PersonQuery {
    before: Option<i64>,
}

/// Events on a page.
const LIFE: u16 = 25;

#[derive(Template)]
#[template(path = "person.html", config = "src/web/ui/askama.toml")]
struct PersonPage {
    life: Option<Vec<Happened>>,
    older: String,
    frame: Frame,
    name: String,
    id: String,
    facts: Vec<(&'static str, String)>,
    active: bool,
    chain: Vec<Link>,
    teams: Vec<Link>,
    reports: Vec<Link>,
    held: Option<Vec<Held>>,
    waiting: Vec<String>,
    owned: Vec<Link>,
    /// Their live sessions, for admins; none where there is no list of them, or where it is one's own page.
    sessions: Option<Vec<sessions::Row>>,
    /// Where what is known comes from, where more than files speak.
    origins: Vec<Origin>,
}

/// Facts that one source tells, and when it did.
struct Origin {
    source: String,
    fields: String,
    told: Option<When>,
}

/// What each source tells of a person: "SCIM (okta), 2 minutes ago: manager, title".
fn origins(state: &AppState, caller: &Known, id: &PersonId, now: Time) -> Vec<Origin> {
    let precedence = state.settings.directory.precedence().unwrap_or_default();
    let records = caller.snapshot.directory.records().of_person(id.as_str());
    let mut found: Vec<(&SourceName, Option<Time>, Vec<&str>)> = Vec::new();
    for (field, record) in precedence.origins(records) {
        match found.iter_mut().find(|(source, ..)| **source == record.source) {
            Some((_, _, fields)) => fields.push(field),
            None => found.push((&record.source, record.dates.told_at, vec![field])),
        }
    }
    let called = |source: &SourceName| match source.as_str().split_once(':') {
        Some(("scim", name)) => format!("SCIM ({name})"),
        Some((_, name)) => format!("Catalogue ({name})"),
        None => "Files".to_owned(),
    };
    found.into_iter().map(|(source, told, fields)| Origin { source: called(source), fields: fields.join(", "), told: told.map(|at| when(at, now)) }).collect()
}

/// One person.
pub async fn person(state: Data<AppState>, caller: Known, id: Path<String>, query: Query<PersonQuery>) -> Result<HttpResponse, Problem> {
    let snapshot = &caller.snapshot;
    let person = snapshot.directory.person(&id).ok_or_else(|| Problem::not_found("person"))?.clone();
    let now = state.ledger.now();
    let grants = state.reader.live_grants_of(person.id.clone()).await?;
    let all = may_see_holdings(&caller, &person.id);
    let seen: Vec<Held> = grants
        .iter()
        .filter(|g| all || owns(&caller, &g.group))
        .map(|g| Held {
            id: g.id.to_string(),
            group: g.group.to_string(),
            title: words::group(snapshot, g.group.as_str()),
            ends: words::ends(snapshot, g, now, if person.id == *caller.id() { Voice::You } else { Voice::They }),
            rule: g.rule.clone(),
            may_end: caller.admin || owns(&caller, &g.group) || (person.id == *caller.id() && !g.is_standing_birthright()),
            standing: standing::of(snapshot, g, now),
        })
        .collect();
    // Adopted memberships whose grant has ended, which an admin has not let go yet.
    let waiting = if all { state.reader.held_removals(Some(person.id.clone()), 100).await? } else { Vec::new() };
    let waiting = waiting.iter().map(|d| d.entitlement.to_string()).collect();
    let held = (all || !seen.is_empty()).then_some(seen);
    let (mut life, mut older) = (None, String::new());
    if all {
        let rows = state.reader.timeline(person.id.clone(), query.before, LIFE).await?;
        if let Some(last) = rows.last().filter(|_| rows.len() == usize::from(LIFE)) {
            older = format!("/people/{}?before={}#life", person.id, last.seq);
        }
        let told = |row: &crate::store::read::AuditRow| {
            let e = timeline::entry(snapshot, row)?;
            Some(Happened { word: e.word, chip: e.chip, told: e.told, why: e.why, group: e.group.unwrap_or_default(), at: when(row.at, now) })
        };
        life = Some(rows.iter().filter_map(told).collect());
    }
    let mut facts = vec![("E-mail", person.email.clone().unwrap_or_default()), ("Employment", person.employment.clone().unwrap_or_default()), ("Location", person.location.clone().unwrap_or_default())];
    facts.retain(|(_, v)| !v.is_empty());
    let mut direct = person.teams.clone();
    direct.extend(person.team.clone());
    let for_admins = caller.admin && !state.is_development() && person.id != *caller.id();
    let sessions = if for_admins { Some(sessions::live(&state, &caller, &person.id).await?) } else { None };
    let owned = snapshot.policy.set().groups().values().filter(|g| {
        g.owner.iter().any(|w| match w {
            Who::Person(p) => *p == person.id,
            Who::Team(t) => snapshot.directory.subject(&id).is_some_and(|s| s.teams.contains(t)),
            _ => false,
        })
    });
    let owned = owned.map(|g| Link { href: format!("/groups/{}", g.id), name: g.title.clone(), about: g.sensitivity.as_str().to_owned() }).collect();
    page(&PersonPage {
        frame: Frame::new(&state, &caller, person.name.clone(), "org").await?,
        name: person.name.clone(),
        id: person.id.to_string(),
        facts: std::iter::once(("Title", person.title.clone().unwrap_or_default())).filter(|f| !f.1.is_empty()).chain(facts).collect(),
        active: person.is_active(),
        chain: snapshot.directory.manager_chain(&person.id).iter().filter_map(|m| person_link(snapshot, m.as_str())).collect(),
        teams: direct.iter().map(|t| team_link(snapshot, t)).collect(),
        reports: snapshot.directory.reports(&person.id).iter().filter_map(|r| person_link(snapshot, r.as_str())).collect(),
        life,
        older,
        held,
        waiting,
        owned,
        sessions,
        origins: origins(&state, &caller, &person.id, now),
    })
}

#[derive(Template)]
#[template(path = "team.html", config = "src/web/ui/askama.toml")]
struct TeamPage {
    frame: Frame,
    title: String,
    description: String,
    above: Vec<Link>,
    below: Vec<Link>,
    members: Vec<Link>,
    total: usize,
    owned: Vec<Link>,
}

/// One team.
pub async fn team(state: Data<AppState>, caller: Known, id: Path<String>) -> Result<HttpResponse, Problem> {
    let snapshot = &caller.snapshot;
    let team = snapshot.directory.team(&id).ok_or_else(|| Problem::not_found("team"))?.clone();
    let above = snapshot.directory.ancestors(&team.id).into_iter().skip(1).collect::<Vec<_>>().into_iter().rev().map(|t| team_link(snapshot, &t)).collect();
    let owned = snapshot.policy.set().groups().values().filter(|g| g.owner.contains(&Who::Team(team.id.clone())));
    page(&TeamPage {
        frame: Frame::new(&state, &caller, team.title.clone(), "org").await?,
        title: team.title.clone(),
        description: team.description.clone(),
        above,
        below: snapshot.directory.sub_teams(&team.id).iter().map(|t| team_link(snapshot, t)).collect(),
        members: snapshot.directory.direct_members(&team.id).iter().filter_map(|p| person_link(snapshot, p.as_str())).collect(),
        total: snapshot.directory.members(&team.id).len(),
        owned: owned.map(|g| Link { href: format!("/groups/{}", g.id), name: g.title.clone(), about: g.sensitivity.as_str().to_owned() }).collect(),
    })
}

struct Node {
    link: Link,
    depth: usize,
}

#[derive(Template)]
#[template(path = "organisation.html", config = "src/web/ui/askama.toml")]
struct OrganisationPage {
    frame: Frame,
    nodes: Vec<Node>,
    people: usize,
}

/// The organisation as a tree of teams.
pub async fn organisation(state: Data<AppState>, caller: Known) -> Result<HttpResponse, Problem> {
    let snapshot = &caller.snapshot;
    let directory = &snapshot.directory;
    let roots = directory.teams().values().filter(|t| t.parent.as_ref().is_none_or(|p| directory.team(p.as_str()).is_none()));
    let mut open: Vec<(TeamId, usize)> = roots.map(|t| (t.id.clone(), 0)).collect();
    open.reverse();
    let mut nodes = Vec::new();
    while let Some((team, depth)) = open.pop() {
        if nodes.len() > 2000 {
            break;
        }
        // What stands too deep is on the page of the team above it.
        if depth > 20 {
            continue;
        }
        nodes.push(Node { link: team_link(snapshot, &team), depth });
        open.extend(directory.sub_teams(&team).iter().rev().map(|t| (t.clone(), depth + 1)));
    }
    let people = directory.people().values().filter(|p| p.is_active()).count();
    page(&OrganisationPage { frame: Frame::new(&state, &caller, "Organisation", "org").await?, nodes, people })
}
