//! `token create`, `list`, `revoke`.

use std::{collections::BTreeSet, path::PathBuf};

use clap::Subcommand;

use super::{Context, Done, Outcome, connection::Connection};
use crate::{
    auth::session::{fresh_secret, secret_hash},
    domain::{command::{Answer, Command}, duration::Duration, id::{PersonId, ServiceName, TokenId}, token::Scope},
    store::{db::Location, read::Reader, read_tokens::{TokenFilter, UsedToken}},
};

/// Access tokens of people and of services.
#[derive(Subcommand)]
pub enum TokenCommand {
    /// Make one; its secret is shown once and kept nowhere.
    Create {
        /// Whose.
        #[arg(long, required_unless_present_any = ["people_file", "service"])]
        person: Option<PersonId>,
        /// For a program of this name instead of a person: it never approves, and its owner counts as the one who asks.
        #[arg(long, requires = "owner", conflicts_with_all = ["person", "people_file", "admin"])]
        service: Option<ServiceName>,
        /// Who answers for the service.
        #[arg(long, requires = "service")]
        owner: Option<PersonId>,
        /// One for each id of a file, a line each; printed as lines of JSON.
        #[arg(long, conflicts_with_all = ["person", "admin"])]
        people_file: Option<PathBuf>,
        /// read, request, approve, audit, admin, scim; separated by commas.
        #[arg(long, value_delimiter = ',', default_value = "read,request")]
        scopes: Vec<String>,
        /// For how long, at most 90d.
        #[arg(long, default_value = "30d")]
        expires: Duration,
        /// What it is for.
        #[arg(long, default_value = "")]
        label: String,
        /// The first admin of a new installation; only on the service's own machine.
        #[arg(long)]
        admin: bool,
    },
    /// Show tokens, without their secrets.
    List {
        /// Only of this person.
        #[arg(long)]
        person: Option<PersonId>,
    },
    /// Revoke one.
    Revoke {
        /// Which.
        token: TokenId,
    },
}

/// Tokens read at a time.
const PAGE: u16 = 500;

pub async fn run(context: &Context, command: TokenCommand) -> Outcome {
    match command {
        TokenCommand::Create { person, service, owner, people_file, scopes, expires, label, admin } => {
            let mut wanted: BTreeSet<Scope> = scopes
                .iter()
                .map(|s| Scope::parse(s.trim()).ok_or_else(|| format!("there is no scope `{s}`; scopes are {}", Scope::words())))
                .collect::<Result<_, _>>()?;
            if admin {
                wanted.insert(Scope::Admin);
            }
            let people: Vec<PersonId> = match (person.as_ref().or(owner.as_ref()), &people_file) {
                (Some(person), _) => vec![person.clone()],
                (None, Some(file)) => {
                    let text = std::fs::read_to_string(file).map_err(|e| format!("cannot read `{}`: {e}", file.display()))?;
                    text.lines().filter(|l| !l.trim().is_empty()).map(|l| l.trim().parse().map_err(|e: crate::domain::id::InvalidId| e.to_string())).collect::<Result<_, _>>()?
                }
                (None, None) => return Err("say --person or --people-file".to_owned()),
            };
            let mut connection = Connection::open(&context.settings).await?;
            let mut outcome = Ok(Done::Yes);
            for person in people {
                let secret = fresh_secret()?;
                let command = Command::CreateToken {
                    person: person.clone(),
                    secret_sha256: secret_hash(&secret),
                    scopes: wanted.clone(),
                    label: label.clone(),
                    lifetime: expires,
                    service: service.clone(),
                    first_admin: admin,
                };
                match connection.send(command).await {
                    Ok(Ok(Answer::Token { token })) if people_file.is_some() => {
                        super::say(&serde_json::json!({ "person": person, "id": token.id, "token": secret }));
                    }
                    Ok(Ok(Answer::Token { token })) => {
                        let value = serde_json::json!({ "person": person, "service": service, "id": token.id, "token": secret, "scopes": token.scopes, "expires_at": token.expires_at });
                        context.print(&value, || {
                            let scopes: Vec<&str> = token.scopes.iter().map(|s| s.as_str()).collect();
                            let whose = service.as_ref().map_or_else(|| format!("of {person}"), |name| format!("of the service {name}, which {person} answers for"));
                            format!("{secret}\n\nShown once. Token {} {whose}, scopes {}, until {}.", token.id, scopes.join(", "), token.expires_at)
                        });
                    }
                    Ok(Ok(_)) => outcome = Err("the ledger answered something else".to_owned()),
                    Ok(Err(refusal)) => outcome = Err(refusal.to_string()),
                    Err(error) => outcome = Err(error),
                }
                if outcome.is_err() {
                    break;
                }
            }
            connection.close().await;
            outcome
        }
        TokenCommand::List { person } => {
            let reader = Reader::new(Location::parse(context.settings.database.url.reveal())?, 1);
            let mut tokens = Vec::new();
            let mut before = None;
            loop {
                let filter = TokenFilter { person: person.clone(), before, ..TokenFilter::default() };
                let page = reader.used_tokens(filter, PAGE).await.map_err(|e| e.to_string())?;
                before = page.last().map(|last| last.token.id);
                let full = page.len() == usize::from(PAGE);
                tokens.extend(page);
                if !full {
                    break;
                }
            }
            tokens.reverse();
            let shown: Vec<_> = tokens
                .iter()
                .map(|UsedToken { token: t, used_at }| serde_json::json!({ "id": t.id, "person": t.person, "service": t.service, "scopes": t.scopes, "label": t.label, "created_at": t.created_at, "expires_at": t.expires_at, "revoked_at": t.revoked_at, "last_used_at": used_at, "made_with": t.made_with }))
                .collect();
            context.print(&shown, || {
                let mut text: Vec<String> = tokens
                    .iter()
                    .map(|UsedToken { token: t, used_at }| {
                        let used = used_at.map_or_else(|| "never used".to_owned(), |at| format!("last used {at}"));
                        let scopes: Vec<&str> = t.scopes.iter().map(|s| s.as_str()).collect();
                        let state = t.revoked_at.map_or_else(|| format!("until {}", t.expires_at), |r| format!("revoked {r}"));
                        format!("{}  {:<24} {:<24} {state}, {used}  {}", t.id, t.service.as_ref().map_or_else(|| t.person.to_string(), |s| format!("{s} ({})", t.person)), scopes.join(","), t.label.escape_debug())
                    })
                    .collect();
                text.push(format!("{} tokens", tokens.len()));
                text.join("\n")
            });
            Ok(Done::Yes)
        }
        TokenCommand::Revoke { token } => {
            let mut connection = Connection::open(&context.settings).await?;
            let answer = connection.send(Command::RevokeToken { token }).await;
            connection.close().await;
            answer?.map_err(|r| r.to_string())?;
            context.print(&serde_json::json!({ "revoked": token }), || format!("{token} is revoked"));
            Ok(Done::Yes)
        }
    }
}
