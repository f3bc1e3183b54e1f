//! Asking for a group: the form with its outcome, the request afterwards, and votes on it.

use actix_web::{HttpResponse, web::{Data, Form, Path, Query}};
use askama::Template;
use serde::Deserialize;

use super::{Frame, check_form, findings::{Findings, findings}, go, page, signin::Token, words::{self, When, when}};
use crate::{
    domain::{command::{Answer, Command}, decision::Effect, duration::Duration, group::{JustificationNeed, Then}, id::PersonId, request::RequestStatus},
    ledger::Preview,
    web::{AppState, Known, api::{execute, parse, requests::{recorded_decision, unexpected, visible}}, limits, problem::Problem},
};

/// What the outcome box says.
struct Says {
    kind: &'static str,
    told: String,
    detail: String,
    steps: Vec<String>,
    button: &'static str,
    findings: Findings,
}

fn says(caller: &Known, preview: &Preview, now: crate::domain::time::Time) -> Says {
    let snapshot = &caller.snapshot;
    let d = &preview.decision;
    let findings = findings(snapshot, d);
    match d.effect {
        Effect::Grant => {
            let until = preview.held_until.map_or(now.plus(preview.duration), |held| held.max(now.plus(preview.duration)));
            Says {
                kind: "yes",
                told: "You will have it at once".to_owned(),
                detail: format!("Until {}. By the rule “{}”.", when(until, now).full, d.rule.as_deref().unwrap_or_default()),
                steps: Vec::new(),
                button: if preview.held_until.is_some() { "Extend" } else { "Request" },
                findings,
            }
        }
        Effect::Approve => Says {
            kind: "wait",
            told: "People are asked first".to_owned(),
            detail: format!("By the rule “{}”.", d.rule.as_deref().unwrap_or_default()),
            steps: d
                .stages
                .iter()
                .zip(&preview.approvers)
                .map(|(stage, people)| {
                    let need = if stage.need > 1 { format!("{} of ", stage.need) } else { String::new() };
                    format!("{need}{} · answers within {}", words::some_names(snapshot, people), stage.within.in_words())
                })
                .collect(),
            button: "Ask",
            findings,
        },
        Effect::Deny => Says {
            kind: "no",
            told: "Not for you".to_owned(),
            detail: words::why_not(d),
            steps: d.suggestions.iter().skip(1).map(|s| s.text.clone()).collect(),
            button: "Ask all the same",
            findings,
        },
    }
}

#[derive(Template)]
#[template(path = "request_form.html", config = "src/web/ui/askama.toml")]
struct FormPage {
    frame: Frame,
    group: String,
    title: String,
    description: String,
    systems: Vec<String>,
    lengths: Vec<(String, String, bool)>,
    other: String,
    justification: String,
    need: &'static str,
    says: Says,
    missing: bool,
    held: String,
    person: String,
    person_name: String,
}

#[derive(Template)]
#[template(path = "says.html", config = "src/web/ui/askama.toml")]
struct SaysPart {
    says: Says,
}

/// What the form was opened with.
#[derive(Deserialize, Default)]
pub struct FormQuery {
    duration: Option<String>,
    justification: Option<String>,
    person: Option<String>,
}

async fn look(state: &AppState, caller: &Known, group: &str, query: &FormQuery) -> Result<(crate::domain::group::Group, PersonId, Preview), Problem> {
    let found = caller.snapshot.policy.set().group(group).ok_or_else(|| Problem::not_found("group"))?.clone();
    let person: PersonId = parse("person", query.person.as_deref())?.unwrap_or_else(|| caller.id().clone());
    let duration: Option<Duration> = parse("duration", query.duration.as_deref())?;
    let justified = query.justification.as_deref().is_some_and(|j| !j.trim().is_empty());
    let preview = state.ledger.preview(caller.id(), &person, &found.id, duration, justified).await??;
    Ok((found, person, preview))
}

/// The form. `/request/<group>` as a link needs one press.
pub async fn form(state: Data<AppState>, caller: Known, group: Path<String>, query: Query<FormQuery>) -> Result<HttpResponse, Problem> {
    form_page(&state, &caller, &group, &query, false).await
}

async fn form_page(state: &AppState, caller: &Known, group: &str, query: &FormQuery, missing: bool) -> Result<HttpResponse, Problem> {
    let (group, person, preview) = match look(state, caller, group, query).await {
        Err(problem) if problem.status == 409 && problem.request.is_some() => return Ok(go(&format!("/requests/{}", problem.request.unwrap_or_default()))),
        other => other?,
    };
    // Held without asking: its page says why, and there is nothing to ask.
    if matches!(preview.refusal, Some(crate::domain::refusal::Refusal::HeldByBirthright { .. })) && person == *caller.id() {
        return Ok(go(&format!("/groups/{}", group.id)));
    }
    let now = state.ledger.now();
    let longest = group.rules.iter().filter(|r| r.then != Then::Always).map(|r| r.max).max().unwrap_or(Duration::MAX);
    let offered = preview.decision.max.unwrap_or(longest);
    let lengths: Vec<(String, String, bool)> = words::lengths(offered).into_iter().map(|d| (d.to_string(), d.in_words(), d == preview.duration)).collect();
    let other = if lengths.iter().any(|l| l.2) { String::new() } else { preview.duration.to_string() };
    let other_person = person != *caller.id();
    let view = FormPage {
        frame: Frame::new(state, caller, format!("Request {}", group.title), "groups").await?,
        lengths,
        other,
        justification: query.justification.clone().unwrap_or_default(),
        need: match preview.decision.justification {
            JustificationNeed::Required => "required",
            JustificationNeed::Optional => "optional",
            JustificationNeed::None => "none",
        },
        says: says(caller, &preview, now),
        missing,
        held: preview.held_until.map(|t| when(t, now).full).unwrap_or_default(),
        person_name: if other_person { words::name(&caller.snapshot, &person) } else { String::new() },
        person: if other_person { person.to_string() } else { String::new() },
        group: group.id.to_string(),
        title: group.title.clone(),
        description: group.description.clone(),
        systems: group.entitlements.iter().map(ToString::to_string).collect(),
    };
    if missing { super::page_with(actix_web::http::StatusCode::UNPROCESSABLE_ENTITY, &view) } else { page(&view) }
}

/// The outcome box alone, for the script.
pub async fn outcome(state: Data<AppState>, caller: Known, group: Path<String>, query: Query<FormQuery>) -> Result<HttpResponse, Problem> {
    let (_, _, preview) = look(&state, &caller, &group, &query).await?;
    page(&SaysPart { says: says(&caller, &preview, state.ledger.now()) })
}

/// The form, sent.
#[derive(Deserialize)]
pub struct Sent {
    csrf: String,
    #[serde(default)]
    duration: Option<String>,
    #[serde(default)]
    other_duration: Option<String>,
    #[serde(default)]
    justification: Option<String>,
    #[serde(default)]
    person: Option<String>,
}

/// Files the request.
pub async fn submit(state: Data<AppState>, caller: Known, group: Path<String>, sent: Form<Sent>) -> Result<HttpResponse, Problem> {
    check_form(&caller, &sent.csrf)?;
    let given = |text: &Option<String>| text.clone().map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
    let length = given(&sent.other_duration).or_else(|| given(&sent.duration));
    let justification = limits::text("justification", sent.justification.clone())?;
    let person: PersonId = parse("person", sent.person.as_deref())?.unwrap_or_else(|| caller.id().clone());
    let known = caller.snapshot.policy.set().group(&group).ok_or_else(|| Problem::not_found("group"))?;
    let duration = parse("duration", length.as_deref())?;
    let command = Command::Submit { person, group: known.id.clone(), duration, justification: justification.clone() };
    let reply = execute(&state, &caller, command, None, "submit", &group).await?;
    match reply.answer {
        Ok(Answer::Request { request, .. }) => Ok(go(&format!("/requests/{}", request.id))),
        Ok(other) => Err(unexpected(&other)),
        Err(crate::domain::refusal::Refusal::JustificationRequired { .. }) => {
            form_page(&state, &caller, &group, &FormQuery { duration: length, justification, person: given(&sent.person) }, true).await
        }
        Err(refusal) => Err(refusal.into()),
    }
}

struct DeliveryView {
    what: String,
    told: String,
    kind: &'static str,
    note: String,
}

#[derive(Template)]
#[template(path = "request.html", config = "src/web/ui/askama.toml")]
struct RequestPage {
    frame: Frame,
    id: String,
    group: String,
    title: String,
    person: String,
    person_name: String,
    mine: bool,
    filed_by: String,
    duration: String,
    submitted: When,
    kind: &'static str,
    told: String,
    detail: String,
    hints: Vec<String>,
    justification: String,
    findings: Findings,
    votes: Vec<(String, When)>,
    deadline: Option<When>,
    deliveries: Vec<DeliveryView>,
    ends: Option<When>,
    can_vote: bool,
    can_withdraw: bool,
    revision: String,
    live: bool,
}

/// One request.
pub async fn show(state: Data<AppState>, caller: Known, id: Path<String>) -> Result<HttpResponse, Problem> {
    let request = visible(&state, &caller, &id).await?;
    let snapshot = &caller.snapshot;
    let now = state.ledger.now();
    let (decision, reason, justification) = recorded_decision(&state, request.id).await?.unwrap_or_default();
    let asked = state.ledger.approvers_of(&request).await?;
    let votes = state.reader.approvals(request.id).await?;
    let grant = state.reader.live_grants_of(request.person.clone()).await?.into_iter().find(|g| g.request == Some(request.id));
    let deliveries = state.reader.deliveries_of_request(request.id).await?;
    let mine = request.person == *caller.id();
    let you = if mine { "You have".to_owned() } else { format!("{} has", words::name(snapshot, &request.person)) };
    let (kind, told) = match request.status {
        RequestStatus::Granted if grant.is_some() => ("yes", format!("{you} it")),
        RequestStatus::Granted => ("tag", "Granted, and ended since".to_owned()),
        RequestStatus::Pending => ("wait", "Waiting for an answer".to_owned()),
        RequestStatus::Denied => ("no", "Denied".to_owned()),
        RequestStatus::Withdrawn => ("tag", "Taken back".to_owned()),
        RequestStatus::Expired => ("tag", "Nobody answered in time".to_owned()),
    };
    let detail = match request.status {
        RequestStatus::Pending => format!("{} can answer.", words::capital(&words::some_names(snapshot, &asked))),
        RequestStatus::Denied => match &decision {
            Some(d) if d.effect == Effect::Deny => words::why_not(d),
            _ => words::capital(&reason.unwrap_or_default()),
        },
        _ => words::capital(&reason.unwrap_or_default()),
    };
    let hints = decision.iter().filter(|_| request.status == RequestStatus::Denied).flat_map(|d| d.suggestions.iter().skip(1)).map(|s| s.text.clone()).collect();
    let deliveries: Vec<DeliveryView> = deliveries
        .iter()
        .map(|d| {
            let (told, kind, note) = words::delivery(d, now);
            DeliveryView { what: d.entitlement.to_string(), told, kind, note }
        })
        .collect();
    page(&RequestPage {
        frame: Frame::new(&state, &caller, format!("Request for {}", words::group(snapshot, request.group.as_str())), "access").await?,
        id: request.id.to_string(),
        group: request.group.to_string(),
        title: words::group(snapshot, request.group.as_str()),
        person: request.person.to_string(),
        person_name: words::name(snapshot, &request.person),
        mine,
        filed_by: if request.filed_by == request.person { String::new() } else { words::name(snapshot, &request.filed_by) },
        duration: request.duration.in_words(),
        submitted: when(request.submitted_at, now),
        kind,
        told,
        detail,
        hints,
        justification: justification.unwrap_or_default(),
        findings: decision.as_ref().map(|d| findings(snapshot, d)).unwrap_or_default(),
        votes: votes.iter().map(|v| (words::name(snapshot, &v.person), when(v.at, now))).collect(),
        deadline: request.deadline.filter(|_| request.status == RequestStatus::Pending).map(|d| when(d, now)),
        can_vote: asked.contains(caller.id()),
        live: request.status == RequestStatus::Pending || deliveries.iter().any(|d| d.kind != "yes"),
        deliveries,
        ends: grant.as_ref().and_then(|g| g.until()).map(|end| when(end, now)),
        can_withdraw: request.status == RequestStatus::Pending && (mine || request.filed_by == *caller.id()),
        revision: request.policy_revision.short().to_owned(),
    })
}

/// A vote with a word.
#[derive(Deserialize)]
pub struct Vote {
    csrf: String,
    #[serde(default)]
    comment: Option<String>,
    #[serde(default)]
    back: Option<String>,
}

async fn vote(state: &Data<AppState>, caller: &Known, id: &str, sent: &Vote, approve: bool) -> Result<HttpResponse, Problem> {
    check_form(caller, &sent.csrf)?;
    let request = visible(state, caller, id).await?;
    let comment = limits::text("comment", sent.comment.clone())?;
    let (command, action) = if approve {
        (Command::Approve { request: request.id, comment }, "approve")
    } else {
        (Command::Deny { request: request.id, reason: comment.unwrap_or_default() }, "deny")
    };
    execute(state, caller, command, None, action, id).await?.answer?;
    let back = sent.back.as_deref() == Some("approvals");
    Ok(go(&if back { "/approvals".to_owned() } else { format!("/requests/{id}") }))
}

/// A vote for.
pub async fn approve(state: Data<AppState>, caller: Known, id: Path<String>, sent: Form<Vote>) -> Result<HttpResponse, Problem> {
    vote(&state, &caller, &id, &sent, true).await
}

/// A vote against.
pub async fn deny(state: Data<AppState>, caller: Known, id: Path<String>, sent: Form<Vote>) -> Result<HttpResponse, Problem> {
    vote(&state, &caller, &id, &sent, false).await
}

/// Takes it back.
pub async fn withdraw(state: Data<AppState>, caller: Known, id: Path<String>, sent: Form<Token>) -> Result<HttpResponse, Problem> {
    check_form(&caller, &sent.csrf)?;
    let request = visible(&state, &caller, &id).await?;
    execute(&state, &caller, Command::Withdraw { request: request.id }, None, "withdraw", &id).await?.answer?;
    Ok(go(&format!("/requests/{id}")))
}
