//! `request`, `approve`, `grants`, `freeze`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Context, Done, Outcome, connection::Connection};
use crate::{
    domain::{
        command::{Answer, Command},
        decision::Effect,
        duration::Duration,
        grant::Grant,
        id::{ConnectorName, GrantId, GroupId, PersonId, RequestId},
        request::RequestStatus,
        time::Time,
    },
    policy::explain,
    store::{db::Location, read::{GrantFilter, Page, Reader}},
};

/// A wish for a group.
#[derive(Args)]
pub struct RequestArguments {
    /// Which group.
    group: GroupId,
    /// For whom.
    #[arg(long)]
    person: PersonId,
    /// For how long, like 8h.
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<Duration>,
    /// Why.
    #[arg(long)]
    justification: Option<String>,
}

/// A vote.
#[derive(Args)]
pub struct VoteArguments {
    /// Which request.
    request: RequestId,
    /// Deny it, with this reason.
    #[arg(long, value_name = "REASON")]
    deny: Option<String>,
    /// A word to the requester.
    #[arg(long)]
    comment: Option<String>,
}

/// Grants.
#[derive(Subcommand)]
pub enum GrantsCommand {
    /// Who holds what, now or at an instant.
    List {
        /// Of this person.
        #[arg(long)]
        person: Option<PersonId>,
        /// Of this group.
        #[arg(long)]
        group: Option<GroupId>,
        /// At this instant (RFC 3339); now when left out.
        #[arg(long)]
        at: Option<Time>,
        /// At most this many.
        #[arg(long, default_value = "200")]
        limit: u16,
    },
    /// End a grant before its time.
    Revoke {
        /// Which.
        grant: GrantId,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Let removals go that adopted grants cause: the first ones at each connector wait for this. Lists what waits; with
    /// --reason it goes, and later ones do not wait.
    ConfirmRemovals {
        /// Only at this connector.
        #[arg(long)]
        connector: Option<ConnectorName>,
        /// Why they may go; left out, they are only listed.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Record memberships of a Backstage catalogue as grants. Says what would become of each; --apply does it. Exit status 1
    /// when there are memberships that policy does not allow: they are listed and never adopted.
    Adopt {
        /// Catalogue file or folder.
        #[arg(long)]
        backstage: PathBuf,
        /// Do it.
        #[arg(long)]
        apply: bool,
    },
}

pub async fn request(context: &Context, arguments: RequestArguments) -> Outcome {
    let command = Command::Submit { person: arguments.person, group: arguments.group, duration: arguments.duration, justification: arguments.justification };
    let mut connection = Connection::open(&context.settings).await?;
    let answer = connection.send(command).await;
    connection.close().await;
    let (request, decision, grant) = match answer?.map_err(|r| r.to_string())? {
        Answer::Request { request, decision, grant } => (request, decision, grant),
        _ => return Err("the ledger answered something else".to_owned()),
    };
    let value = serde_json::json!({ "request": request.id, "status": request.status, "decision": decision, "grant": grant });
    context.print(&value, || {
        let mut text = vec![match (decision.effect, &grant) {
            (Effect::Grant, Some(grant)) => format!("granted until {} by the rule \"{}\"", grant.ends_at, grant.rule),
            (Effect::Approve, _) => format!("waits for approval by the rule \"{}\"", decision.rule.as_deref().unwrap_or_default()),
            _ => "denied".to_owned(),
        }];
        if decision.effect == Effect::Deny {
            text.extend(explain::lines(&decision).into_iter().map(|line| format!("  {line}")));
        }
        text.push(format!("request {}", request.id));
        text.join("\n")
    });
    Ok(if request.status == RequestStatus::Denied { Done::No } else { Done::Yes })
}

pub async fn vote(context: &Context, arguments: VoteArguments) -> Outcome {
    // A vote is a person's: the operator of the machine has none. It goes by HTTP with a personal token.
    let token = std::env::var("BANDPASS_TOKEN").map_err(|_| "set BANDPASS_TOKEN to a token with the scope `approve`: a vote is a person's, not the machine's".to_owned())?;
    let (verb, body) = match arguments.deny {
        Some(reason) => ("deny", serde_json::json!({ "reason": reason })),
        None => ("approve", serde_json::json!({ "comment": arguments.comment })),
    };
    let path = format!("/api/v1/requests/{}/{verb}", arguments.request);
    let (status, answer) = post(&context.settings.server.public_url, &path, &token, &body.to_string()).await?;
    if status == 200 {
        let value: serde_json::Value = serde_json::from_str(&answer).map_err(|e| e.to_string())?;
        context.print(&value, || format!("{verb}: the request is {}", value["status"].as_str().unwrap_or("changed")));
        return Ok(Done::Yes);
    }
    Ok(refused(&answer))
}

/// Tells why the service said no.
fn refused(answer: &str) -> Done {
    let problem: serde_json::Value = serde_json::from_str(answer).unwrap_or_default();
    let told = problem["detail"].as_str().or(problem["title"].as_str()).unwrap_or("the service did not say why");
    eprintln!("{told}");
    Done::No
}

/// Confirms endings that wait: like a vote, a person's act.
pub async fn confirm_endings(context: &Context, held: i64, reason: &str) -> Outcome {
    let token = std::env::var("BANDPASS_TOKEN").map_err(|_| "set BANDPASS_TOKEN to an admin's token with the scope `admin`: a person confirms, not the machine".to_owned())?;
    let body = serde_json::json!({ "reason": reason }).to_string();
    let (status, answer) = post(&context.settings.server.public_url, &format!("/api/v1/policy/endings/{held}/confirm"), &token, &body).await?;
    if status != 204 {
        return Ok(refused(&answer));
    }
    context.print(&serde_json::json!({ "confirmed": held }), || "confirmed: the grants end when their grace is over".to_owned());
    Ok(Done::Yes)
}

/// A POST over plain HTTP to a service on this machine.
async fn post(base: &str, path: &str, token: &str, body: &str) -> Result<(u16, String), String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let host = base.strip_prefix("http://").ok_or("`server.public_url` must begin with http:// for this command; use curl for others")?.trim_end_matches('/');
    if token.contains(['\r', '\n']) {
        return Err("BANDPASS_TOKEN holds a line end".to_owned());
    }
    let failed = |e: std::io::Error| format!("cannot reach {base}: {e}");
    let mut stream = tokio::net::TcpStream::connect(host).await.map_err(failed)?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.map_err(failed)?;
    stream.write_all(body.as_bytes()).await.map_err(failed)?;
    let mut answer = String::new();
    stream.take(1_048_576).read_to_string(&mut answer).await.map_err(failed)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("the service answered something else")?;
    let status = head.split_whitespace().nth(1).and_then(|s| s.parse().ok()).ok_or("the service answered something else")?;
    Ok((status, body.to_owned()))
}

pub async fn grants(context: &Context, command: GrantsCommand) -> Outcome {
    match command {
        GrantsCommand::List { person, group, at, limit } => {
            let reader = Reader::new(Location::parse(context.settings.database.url.reveal())?, 1);
            let at = at.unwrap_or_else(|| crate::clock::system()());
            let filter = GrantFilter { people: person.map(|p| [p].into()), groups: group.map(|g| [g].into()), at: Some(at), ..GrantFilter::default() };
            let found = reader.grants(filter, Page { before: None, limit }).await.map_err(|e| e.to_string())?;
            let items: Vec<serde_json::Value> = found.items.iter().map(shown).collect();
            context.print(&items, || {
                let mut text: Vec<String> = found.items.iter().map(|g| format!("{}  {:<28} {:<32} {}{}", g.id, g.person, g.group, until(g), g.standing.as_ref().map(|s| format!("  ({})", s.fate.as_str())).unwrap_or_default())).collect();
                text.push(format!("{} held at {at}{}", found.items.len(), if found.next.is_some() { ", and more: raise --limit" } else { "" }));
                text.join("\n")
            });
            Ok(Done::Yes)
        }
        GrantsCommand::Revoke { grant, reason } => {
            let mut connection = Connection::open(&context.settings).await?;
            let answer = connection.send(Command::Revoke { grant, reason: Some(reason) }).await;
            connection.close().await;
            answer?.map_err(|r| r.to_string())?;
            context.print(&serde_json::json!({ "revoked": grant }), || format!("{grant} is revoked"));
            Ok(Done::Yes)
        }
        GrantsCommand::ConfirmRemovals { connector, reason } => super::adopt::confirm_removals(context, connector, reason).await,
        GrantsCommand::Adopt { backstage, apply } => super::adopt::adopt(context, &backstage, apply).await,
    }
}

/// When a grant ends, or why it goes on.
fn until(grant: &Grant) -> String {
    grant.until().map_or_else(|| format!("as long as the rule \"{}\" holds", grant.rule), |end| format!("until {end}"))
}

/// A grant as JSON; one that has no end of its own has none here either.
fn shown(grant: &Grant) -> serde_json::Value {
    let mut value = serde_json::to_value(grant).unwrap_or_default();
    if let (None, Some(fields)) = (grant.until(), value.as_object_mut()) {
        fields.insert("ends_at".to_owned(), serde_json::Value::Null);
        fields.insert("lasts".to_owned(), until(grant).into());
    }
    value
}

pub async fn freeze(context: &Context, on: bool, reason: String) -> Outcome {
    let mut connection = Connection::open(&context.settings).await?;
    let answer = connection.send(Command::Freeze { on, reason }).await;
    connection.close().await;
    let changed = match answer?.map_err(|r| r.to_string())? {
        Answer::Done { changed } => changed > 0,
        _ => true,
    };
    context.print(&serde_json::json!({ "frozen": on, "changed": changed }), || match (on, changed) {
        (true, true) => "new grants are stopped; revocations go on".to_owned(),
        (false, true) => "new grants go on".to_owned(),
        (true, false) => "new grants were stopped already".to_owned(),
        (false, false) => "new grants were not stopped".to_owned(),
    });
    Ok(Done::Yes)
}
