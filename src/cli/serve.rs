//! `serve` and `db`.

use clap::Subcommand;

use super::{Context, Done, Outcome};
use crate::{
    clock,
    settings::Settings,
    startup::Application,
    store::{db::Location, migrate},
};

/// The database.
#[derive(Subcommand)]
pub enum DbCommand {
    /// Run what is pending. On PostgreSQL as the role of `database.migrate_url`; the role of `database.url` gets its rights.
    Migrate,
    /// What is pending.
    Status,
}

pub async fn serve(settings: Settings) -> Outcome {
    let application = Application::build(settings, clock::system()).await.map_err(|e| e.to_string())?;
    let address = application.address;
    eprintln!("Bandpass serves on http://{address}");
    application.run().await.map_err(|e| e.to_string())?;
    Ok(Done::Yes)
}

pub async fn db(context: &Context, command: DbCommand) -> Outcome {
    let database = &context.settings.database;
    let service = Location::parse(database.url.reveal())?;
    let migrating = match (&service, database.migrate_url.reveal()) {
        (Location::Postgres(_), "") => {
            return Err("`database.migrate_url` is empty: give the URL of the role that shall own the tables (not the service's own role)".to_owned());
        }
        (Location::Postgres(_), url) => Location::parse(url)?,
        (Location::Sqlite(_), _) => service.clone(),
    };
    let role = service.role();
    let done = tokio::task::spawn_blocking(move || match command {
        DbCommand::Migrate => migrate::migrate(&migrating, role.as_deref()).map(|ran| (ran, "ran")),
        DbCommand::Status => migrate::pending(&migrating).map(|pending| (pending, "pending")),
    });
    let (names, word) = done.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
    context.print(&serde_json::json!({ word: names }), || match names.len() {
        0 => format!("nothing {}", if word == "ran" { "to do" } else { "pending" }),
        n => format!("{n} {word}: {}", names.join(", ")),
    });
    Ok(if word == "pending" && !names.is_empty() { Done::No } else { Done::Yes })
}
