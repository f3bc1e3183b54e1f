//! `directory import` and `show`.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use clap::Subcommand;

use super::{Context, Done, Outcome, connection::{Connection, open_core}, people::stored};
use crate::{
    directory::{Directory, backstage, plan::{self, ImportPlan, Source}, tell::Telling},
    domain::{command::Command, directory_change::DirectoryChange, event::Change, id::TeamId, record::{PersonRecord, SourceName}, time::Time},
    folder,
    ledger::encode::decode_body,
    startup::{errors_of, read_people},
    store::{db::Location, read::Reader},
};

/// People and teams.
#[derive(Subcommand)]
pub enum DirectoryCommand {
    /// Make the directory equal to a complete source. Prints what would change, then records it.
    Import {
        /// Backstage catalogue: a YAML file or a folder of them.
        #[arg(long, conflicts_with = "people")]
        backstage: Option<PathBuf>,
        /// A table of people: TOML or CSV.
        #[arg(long)]
        people: Option<PathBuf>,
        /// Import even when it drops more people than `directory.max_leave_share` allows.
        #[arg(long)]
        confirm: bool,
        /// Print only.
        #[arg(long)]
        dry_run: bool,
    },
    /// What was said lately of sources that would have more people leave than `directory.max_leave_share` allows.
    Leavers,
    /// Let a source have as many people leave as it says, for `directory.leave_window`.
    ConfirmLeavers {
        /// Which, like `scim:okta`.
        #[arg(long)]
        source: String,
        /// Why that is right; it stands in the log.
        #[arg(long)]
        reason: String,
    },
    /// Let a source say nothing any more, as when a company moves from one identity provider to another. What others say of the same
    /// people counts then; who is left without a source leaves. Prints what would change, then records it.
    Retire {
        /// Which, like `scim:entra`.
        #[arg(long)]
        source: String,
        /// Do it even when more people would leave by it than `directory.max_leave_share` allows.
        #[arg(long)]
        confirm: bool,
        /// Print only.
        #[arg(long)]
        dry_run: bool,
    },
    /// Show the directory, one person, or one team.
    Show {
        /// Id of a person.
        #[arg(long)]
        person: Option<String>,
        /// Id of a team.
        #[arg(long, conflicts_with = "person")]
        team: Option<String>,
    },
}

/// Reads a Backstage catalogue from a file or a folder.
pub(super) fn read_catalogue(path: &Path) -> Result<backstage::Catalogue, String> {
    Ok(read_catalogue_and_memberships(path)?.0)
}

/// The same, with every membership as the catalogue names it: person, group. The catalogue itself leaves out those whose
/// person or group it does not describe.
pub(super) fn read_catalogue_and_memberships(path: &Path) -> Result<(backstage::Catalogue, BTreeSet<(String, String)>), String> {
    let (mut catalogue, mut memberships) = (backstage::Catalogue::default(), Vec::new());
    for (name, bytes) in folder::read(path, &[".yaml", ".yml"])? {
        let text = String::from_utf8(bytes).map_err(|_| format!("`{name}` is not UTF-8"))?;
        backstage::read(&name, &text, &mut catalogue, &mut memberships);
    }
    let named = memberships.iter().cloned().collect();
    let catalogue = backstage::finish(catalogue, memberships);
    match errors_of(&catalogue.problems) {
        Some(errors) => Err(errors),
        None => Ok((catalogue, named)),
    }
}

/// The directory as the database has it; a database that is not there yet is made.
pub(super) async fn current(context: &Context) -> Result<Directory, String> {
    let location = || Location::parse(context.settings.database.url.reveal());
    if let Some(directory) = stored(location()?).await? {
        return Ok(directory);
    }
    open_core(&context.settings).await?.close().await;
    Ok(stored(location()?).await?.unwrap_or_default())
}

pub async fn run(context: &Context, command: DirectoryCommand) -> Outcome {
    match command {
        DirectoryCommand::Import { backstage, people, confirm, dry_run } => {
            let (source, from): (Source, PathBuf) = match (backstage, people) {
                (Some(path), _) => (read_catalogue(&path)?.source, path),
                (None, Some(path)) => {
                    let (source, problems) = read_people(&path)?;
                    if let Some(errors) = errors_of(&problems) {
                        return Err(errors);
                    }
                    (source, path)
                }
                (None, None) => return Err("say what to import: --backstage FILE|DIR or --people FILE.toml|csv".to_owned()),
            };
            import(context, &source, &from, confirm, dry_run).await
        }
        DirectoryCommand::Leavers => leavers(context).await,
        DirectoryCommand::ConfirmLeavers { source, reason } => {
            let source = SourceName::parse(&source).ok_or_else(|| format!("`{source}` is no source; expected `scim:NAME` or `catalog:NAME`"))?;
            let mut connection = Connection::open(&context.settings).await?;
            let answer = connection.send(Command::ConfirmLeavers { source, held: None, reason }).await;
            connection.close().await;
            answer?.map_err(|refusal| refusal.to_string())?;
            Ok(Done::Yes)
        }
        DirectoryCommand::Retire { source, confirm, dry_run } => retire(context, &source, confirm, dry_run).await,
        DirectoryCommand::Show { person, team } => {
            let directory = current(context).await?;
            show(context, &directory, person.as_deref(), team.as_deref())
        }
    }
}

/// Says for a source, once and for all, that it says nothing of anybody any more.
async fn retire(context: &Context, name: &str, confirm: bool, dry_run: bool) -> Outcome {
    let directory = current(context).await?;
    let of_people: Vec<&PersonRecord> = directory.records().people().flat_map(|(_, records)| records).filter(|r| r.source.as_str() == name && !r.retired).collect();
    let of_teams: Vec<TeamId> = directory.records().teams().flat_map(|(_, records)| records).filter(|r| r.source.as_str() == name && !r.gone).map(|r| r.id().clone()).collect();
    let source = SourceName::parse(name).filter(|source| *source != SourceName::files() && !(of_people.is_empty() && of_teams.is_empty())).ok_or_else(|| {
        let known: BTreeSet<&str> = directory.records().people().flat_map(|(_, records)| records).filter(|r| !r.retired).map(|r| r.source.as_str()).filter(|s| *s != "files").collect();
        let known = if known.is_empty() { "no program feeds this directory".to_owned() } else { format!("expected one of {}", known.into_iter().collect::<Vec<_>>().join(", ")) };
        format!("`{}` is no source that says anything; {known}", name.escape_debug())
    })?;
    let precedence = context.settings.directory.precedence()?;
    let mut telling = Telling::new(&directory, &precedence);
    of_people.iter().for_each(|record| telling.person(record.retired()));
    of_teams.iter().for_each(|team| telling.forget_team(&source, team));
    let effect = telling.effect();
    let plan = ImportPlan { active_before: of_people.iter().filter(|r| r.is_active()).count(), leaving: effect.leavers().len(), ..ImportPlan::default() };
    let spoken_of = of_people.len();
    context.print(&serde_json::json!({ "source": name, "people": spoken_of, "left": plan.leaving, "changes": effect.changes }), || {
        let mut text: Vec<String> = effect.changes.iter().take(20).map(told).collect();
        if effect.changes.len() > 20 {
            text.push(format!("… and {} more", effect.changes.len() - 20));
        }
        text.push(format!("{name} speaks of {spoken_of} people and {} teams; without it {} leave", of_teams.len(), plan.leaving));
        text.join("\n")
    });
    if !effect.refused.is_empty() {
        return Err(effect.refused.join("\n"));
    }
    if !confirm {
        plan.check_shrink(context.settings.directory.max_leave_share).map_err(|e| e.to_string())?;
    }
    if dry_run {
        return Ok(Done::Yes);
    }
    let mut connection = Connection::open(&context.settings).await?;
    let command = Command::ChangeDirectory { changes: effect.changes, told: effect.told, source: format!("retired {name}"), expected_revision: directory.revision() };
    connection.send(command).await?.map_err(|refusal| refusal.to_string())?;
    connection.close().await;
    Ok(Done::Yes)
}

async fn import(context: &Context, source: &Source, from: &Path, confirm: bool, dry_run: bool) -> Outcome {
    let directory = current(context).await?;
    let precedence = context.settings.directory.precedence()?;
    let plan = plan::plan_of(&directory, source, &SourceName::files(), &precedence);
    let (added, changed, left, teams) = plan.counts();
    context.print(&serde_json::json!({ "added": added, "changed": changed, "left": left, "teams": teams, "changes": plan.changes }), || {
        let mut text: Vec<String> = plan.changes.iter().take(20).map(told).collect();
        if plan.changes.len() > 20 {
            text.push(format!("… and {} more", plan.changes.len() - 20));
        }
        text.push(format!("{added} join, {changed} change, {left} leave; {teams} changes of teams"));
        text.join("\n")
    });
    if !plan.refused.is_empty() {
        return Err(plan.refused.join("\n"));
    }
    if !confirm {
        plan.check_shrink(context.settings.directory.max_leave_share).map_err(|e| e.to_string())?;
    }
    if dry_run {
        return Ok(Done::Yes);
    }
    let seen = context.settings.directory.max_age.contains_key("files");
    if !seen && plan.changes.is_empty() && plan.told.is_empty() {
        return Ok(Done::Yes);
    }
    let mut connection = Connection::open(&context.settings).await?;
    if !plan.changes.is_empty() || !plan.told.is_empty() {
        let command = Command::ChangeDirectory { changes: plan.changes, told: plan.told, source: from.display().to_string(), expected_revision: directory.revision() };
        connection.send(command).await?.map_err(|refusal| refusal.to_string())?;
    }
    // Heard from also when nothing has changed.
    if seen {
        connection.send(Command::SourceSeen { source: SourceName::files() }).await?.map_err(|refusal| refusal.to_string())?;
    }
    connection.close().await;
    Ok(Done::Yes)
}

/// Lists what the log says of leavers, the newest first.
async fn leavers(context: &Context) -> Outcome {
    let location = Location::parse(context.settings.database.url.reveal())?;
    let bodies = Reader::new(location, 1).about_leavers(Time::from_micros(0)).await.map_err(|e| e.to_string())?;
    let mut said = Vec::new();
    for body in bodies.iter().take(50) {
        let body = decode_body(body).map_err(|e| e.to_string())?;
        let (source, text) = match &body.change {
            Change::LeaversHeld { source, leaving, active } => (source, format!("held: {leaving} of {active} would have left")),
            Change::LeaversConfirmed { source } => (source, format!("confirmed by {}", body.actor)),
            _ => continue,
        };
        said.push((body.at, source.clone(), text));
    }
    let values: Vec<_> = said.iter().map(|(at, source, text)| serde_json::json!({ "at": at, "source": source, "said": text })).collect();
    context.print(&values, || match said.is_empty() {
        true => "no source was ever held back".to_owned(),
        false => said.iter().map(|(at, source, text)| format!("{at}  {source}  {text}")).collect::<Vec<_>>().join("\n"),
    });
    Ok(Done::Yes)
}

fn told(change: &DirectoryChange) -> String {
    match change {
        DirectoryChange::PersonAdded { person } => format!("+ {} {}", person.id, person.name),
        DirectoryChange::PersonChanged { person, fields } => format!("~ {} {} ({})", person.id, person.name, fields.join(", ")),
        DirectoryChange::PersonLeft { id } => format!("- {id}"),
        DirectoryChange::TeamPut { team } => format!("+ team {} {}", team.id, team.title),
        DirectoryChange::TeamGone { id } => format!("- team {id}"),
    }
}

fn show(context: &Context, directory: &Directory, person: Option<&str>, team: Option<&str>) -> Outcome {
    if let Some(id) = person {
        let person = directory.person(id).ok_or_else(|| format!("there is no person `{id}`"))?;
        context.print(&**person, || serde_json::to_string_pretty(&**person).unwrap_or_default());
    } else if let Some(id) = team {
        let team = directory.team(id).ok_or_else(|| format!("there is no team `{id}`"))?;
        let members = directory.members(&team.id);
        context.print(&serde_json::json!({ "team": team, "members": members }), || {
            let names: Vec<String> = members.iter().map(|m| format!("  {m}")).collect();
            format!("{} ({})\n{}", team.title, team.id, names.join("\n"))
        });
    } else {
        let active = directory.people().values().filter(|p| p.is_active()).count();
        let value = serde_json::json!({ "active": active, "people": directory.people().len(), "teams": directory.teams().len(), "revision": directory.revision() });
        context.print(&value, || format!("{active} active people of {}, {} teams, as of event {}", directory.people().len(), directory.teams().len(), directory.revision()));
    }
    Ok(Done::Yes)
}
