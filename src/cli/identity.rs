//! `identity list`, `unlink`; `session list`, `end`: who people are at issuers, and the browsers that are signed in.

use clap::Subcommand;

use super::{Context, Done, Outcome, connection::Connection};
use crate::{
    domain::{command::{Answer, Command}, id::{IssuerName, PersonId, SessionId}, session::SessionEnd},
    store::{db::Location, read::Reader},
};

/// Who people are at the issuers that they sign in with.
#[derive(Subcommand)]
pub enum IdentityCommand {
    /// Show as which subjects a person is known.
    List {
        /// Who.
        person: PersonId,
    },
    /// Forget as which subject of an issuer a person is known, after their account there was made anew: their next sign-in says
    /// it again, by the configured claim. Ends their sessions of that issuer.
    Unlink {
        /// The name of the issuer in the settings, or its URL when it is not configured any more.
        issuer: String,
        /// Who.
        person: PersonId,
        /// Why; it is recorded.
        #[arg(long, default_value = "unlinked on the command line")]
        reason: String,
    },
}

/// Sessions of browsers.
#[derive(Subcommand)]
pub enum SessionCommand {
    /// Show those that have not ended.
    List {
        /// Only of this person.
        #[arg(long)]
        person: Option<PersonId>,
    },
    /// End all of a person's, or one.
    End {
        /// Whose.
        person: PersonId,
        /// Only this one.
        #[arg(long)]
        session: Option<SessionId>,
    },
}

fn reader(context: &Context) -> Result<Reader, String> {
    Ok(Reader::new(Location::parse(context.settings.database.url.reveal())?, 1))
}

async fn send(context: &Context, command: Command, done: &str) -> Outcome {
    let mut connection = Connection::open(&context.settings).await?;
    let answer = connection.send(command).await;
    connection.close().await;
    let Answer::Done { changed } = answer?.map_err(|r| r.to_string())? else { return Err("the ledger answered something else".to_owned()) };
    context.print(&serde_json::json!({ "events": changed }), || format!("{done} ({changed} events)"));
    Ok(Done::Yes)
}

/// `identity`.
pub async fn identity(context: &Context, command: IdentityCommand) -> Outcome {
    match command {
        IdentityCommand::List { person } => {
            let found = reader(context)?.identities_of(person).await.map_err(|e| e.to_string())?;
            context.print(&found, || {
                let mut text: Vec<String> =
                    found.iter().map(|i| format!("{}  {}  {}, since {}, joined by `{}`", i.person, i.issuer, i.subject.escape_debug(), i.linked_at, i.claim)).collect();
                text.push(format!("{} identities", found.len()));
                text.join("\n")
            });
            Ok(Done::Yes)
        }
        IdentityCommand::Unlink { issuer, person, reason } => {
            let named = issuer.parse::<IssuerName>().ok().and_then(|name| context.settings.signin.issuer.iter().find(|i| i.name == name)).map(|i| i.url.clone());
            let known: Vec<String> = context.settings.signin.issuer.iter().map(|i| i.name.to_string()).collect();
            let url = named.or_else(|| issuer.contains("://").then(|| issuer.clone()));
            let url = url.ok_or_else(|| format!("there is no issuer `{issuer}` in the settings; there are: {}", known.join(", ")))?;
            let done = format!("{person} is known as nobody at {url} any more");
            send(context, Command::UnlinkIdentity { issuer: url, person, reason }, &done).await
        }
    }
}

/// `session`.
pub async fn session(context: &Context, command: SessionCommand) -> Outcome {
    match command {
        SessionCommand::List { person } => {
            let found = reader(context)?.live_sessions(person).await.map_err(|e| e.to_string())?;
            let shown: Vec<_> = found
                .iter()
                .map(|o| serde_json::json!({ "id": o.session.id, "person": o.session.person, "issuer": o.session.issuer, "started_at": o.session.started_at, "seen_at": o.seen_at, "expires_at": o.session.expires_at, "agent": o.agent }))
                .collect();
            context.print(&shown, || {
                let line = |o: &crate::store::read_sessions::OpenSession| {
                    format!("{}  {:<24} since {}  seen {}  {}", o.session.id, o.session.person, o.session.started_at, o.seen_at, o.agent.as_deref().unwrap_or("").escape_debug())
                };
                let mut text: Vec<String> = found.iter().map(line).collect();
                text.push(format!("{} sessions", found.len()));
                text.join("\n")
            });
            Ok(Done::Yes)
        }
        SessionCommand::End { person, session } => {
            let done = format!("sessions of {person} are ended");
            send(context, Command::EndSessions { person, only: session.map(|s| [s].into()), except: None, cause: SessionEnd::ByAdmin }, &done).await
        }
    }
}
