//! The policy in force: revision and age, problems, guardrails, conflicts, roles, and what it would say to anybody.

use actix_web::{HttpResponse, web::{Data, Query}};
use askama::Template;
use serde::Deserialize;

use super::{Frame, endings, findings::{Findings, findings}, removals::Waiting, words::{self, Outcome, When, when}};
use crate::{
    domain::{duration::Duration, id::{GroupId, PersonId, PolicyRevision}, problem::Severity},
    web::{AppState, Known, api::parse, policy_loads, problem::Problem},
};

struct ProblemView {
    place: String,
    code: String,
    message: String,
    help: String,
    before: String,
    marked: String,
    after: String,
    error: bool,
}

struct Answer {
    who: String,
    what: String,
    duration: String,
    outcome: Outcome,
    findings: Findings,
}

struct Loaded {
    seq: i64,
    told: String,
    /// Group, what it means, who.
    access: Vec<(String, &'static str, String)>,
    at: When,
    good: bool,
}

#[derive(Template)]
#[template(path = "policy.html", config = "src/web/ui/askama.toml")]
struct PolicyPage {
    frame: Frame,
    revision: String,
    since: When,
    source: String,
    commit: String,
    unreachable: String,
    reached: String,
    groups: usize,
    problems: Vec<ProblemView>,
    errors: usize,
    /// Problems that are not shown.
    more: usize,
    guardrails: Vec<(String, String, String)>,
    conflicts: Vec<(String, String, String)>,
    waiting: Option<endings::Waiting>,
    auditors: String,
    admins: String,
    attributes: Vec<(String, &'static str)>,
    history: Vec<Loaded>,
    removals: Vec<Waiting>,
    may_confirm: bool,
    may_ask: bool,
    query: WhatIf,
    answer: Option<Answer>,
    wrong: String,
}

/// Problems that are shown; `policy check` shows all.
const SHOWN: usize = 30;

/// Whom to ask about.
#[derive(Deserialize, Default, Clone)]
pub struct WhatIf {
    #[serde(default)]
    person: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    duration: String,
}

async fn render(state: &AppState, caller: &Known, query: WhatIf, answer: Option<Answer>, wrong: String) -> Result<HttpResponse, Problem> {
    let snapshot = &caller.snapshot;
    let set = snapshot.policy.set();
    let now = state.ledger.now();
    let state_of_source = state.ledger.source_state();
    let problems: Vec<ProblemView> = snapshot
        .problems
        .iter()
        .take(SHOWN)
        .map(|p| {
            let from = usize::try_from(p.column.saturating_sub(1)).unwrap_or(0);
            let to = if p.end_line == p.line { usize::try_from(p.end_column.saturating_sub(1)).unwrap_or(0) } else { usize::MAX };
            let letters: Vec<char> = p.source_line.chars().collect();
            let cut = |a: usize, b: usize| letters.iter().skip(a).take(b.saturating_sub(a)).collect::<String>();
            ProblemView {
                place: format!("{}:{}:{}", p.file, p.line, p.column),
                code: p.code.clone(),
                message: words::capital(&p.message),
                help: p.help.clone().unwrap_or_default(),
                before: cut(0, from),
                marked: cut(from, to),
                after: cut(to, usize::MAX),
                error: p.severity == Severity::Error,
            }
        })
        .collect();
    let history = policy_loads::newest(state, caller, 10)
        .await?
        .into_iter()
        .map(|load| {
            let told = match &load.revision {
                Some(revision) => format!("{} in force: {}", PolicyRevision::from_stored(revision).short(), load.told),
                None => "could not be used; the last good set stayed in force".to_owned(),
            };
            let access = load.who.iter().flat_map(|g| g.lines().into_iter().map(|(what, who)| (words::group(snapshot, g.group.as_str()), what, who))).collect();
            Loaded { seq: load.seq, told, access, at: when(load.at, now), good: load.loaded }
        })
        .collect();
    let giving_way = endings::giving_way(state, snapshot).await?;
    super::page(&PolicyPage {
        frame: Frame::new(state, caller, "Policy", "policy").await?,
        revision: set.revision().short().to_owned(),
        since: when(snapshot.policy_since, now),
        source: snapshot.policy_source.clone(),
        commit: state_of_source.in_force.map(|c| format!("{} by {}: {}", c.short(), c.author, c.subject)).unwrap_or_default(),
        unreachable: state_of_source.unreachable.unwrap_or_default(),
        reached: state_of_source.reached.map_or_else(|| "not since this process started".to_owned(), |at| format!("last at {at}")),
        groups: set.groups().len(),
        errors: snapshot.problems.iter().filter(|p| p.severity == Severity::Error).count(),
        more: snapshot.problems.len().saturating_sub(SHOWN),
        problems,
        guardrails: set.guardrails().iter().map(|g| (g.id.clone(), g.reason.clone(), format!("{}:{}", g.file, g.line))).collect(),
        conflicts: set.conflicts().iter().zip(giving_way).map(|(c, n)| (c.groups.iter().map(|g| words::group(snapshot, g.as_str())).collect::<Vec<_>>().join(" and "), c.reason.clone(), n)).collect(),
        waiting: endings::waiting(state, caller).await?,
        auditors: words::list(snapshot, &set.roles().auditor, false),
        admins: words::list(snapshot, &set.roles().admin, false),
        attributes: set.attributes().iter().map(|(k, t)| (k.clone(), attribute(*t))).collect(),
        history,
        removals: super::removals::waiting(state).await?,
        may_confirm: caller.admin,
        may_ask: caller.auditor || caller.admin,
        query,
        answer,
        wrong,
    })
}

fn attribute(kind: crate::domain::group::AttributeType) -> &'static str {
    use crate::domain::group::AttributeType::{Bool, Long, Set, String};
    match kind {
        String => "text",
        Long => "number",
        Bool => "yes or no",
        Set => "set of texts",
    }
}

/// The page.
pub async fn page(state: Data<AppState>, caller: Known) -> Result<HttpResponse, Problem> {
    render(&state, &caller, WhatIf::default(), None, String::new()).await
}

/// What the policy would say to anybody: the same code as a request, nothing recorded.
pub async fn what_if(state: Data<AppState>, caller: Known, query: Query<WhatIf>) -> Result<HttpResponse, Problem> {
    let query = query.into_inner();
    let asked = async {
        let person: PersonId = parse("person", Some(&query.person))?.ok_or_else(|| Problem::bad_field("person", "is empty"))?;
        let group: GroupId = parse("group", Some(&query.group))?.ok_or_else(|| Problem::bad_field("group", "is empty"))?;
        let duration: Option<Duration> = parse("duration", Some(&query.duration))?;
        let preview = state.ledger.preview(&person, &person, &group, duration, true).await??;
        let snapshot = &caller.snapshot;
        Ok::<_, Problem>(Answer {
            who: words::name(snapshot, &person),
            what: words::group(snapshot, group.as_str()),
            duration: preview.duration.in_words(),
            outcome: words::outcome(snapshot, &preview),
            findings: findings(snapshot, &preview.decision),
        })
    };
    match asked.await {
        Ok(answer) => render(&state, &caller, query, Some(answer), String::new()).await,
        Err(problem) => {
            let wrong = words::capital(&problem.detail.unwrap_or(problem.title));
            render(&state, &caller, query, None, wrong).await
        }
    }
}
