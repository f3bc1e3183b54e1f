//! Whom commands about policy files know: everybody of the configured database, as the service would, and whom the files of
//! `directory.source` add to it.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::Context;
use crate::{
    directory::{Directory, plan},
    domain::{directory_change::DirectoryChange, record::SourceName},
    startup::{people_of_files, read_people},
    store::{db::Location, writer::Writer},
};

/// Where people come from.
#[derive(Args, Debug, Clone, Copy)]
pub struct PeopleArguments {
    /// Know the people of `directory.source` alone, also where there is a database: the same answer on every machine.
    #[arg(long)]
    pub no_database: bool,
}

/// People, and how many of them come from where.
pub struct People {
    /// All of them.
    pub directory: Directory,
    database: Option<usize>,
    files: usize,
    /// Why the database was not asked, when it could not be.
    unread: Option<String>,
}

fn active(directory: &Directory) -> usize {
    directory.people().values().filter(|p| p.is_active()).count()
}

/// The directory that a database holds; none when there is no database yet.
pub(super) async fn stored(location: Location) -> Result<Option<Directory>, String> {
    if matches!(&location, Location::Sqlite(path) if !path.is_file()) {
        return Ok(None);
    }
    let read = tokio::task::spawn_blocking(move || {
        let mut writer = Writer::open_for_reading(&location)?;
        let revision = writer.directory_revision()?;
        let found = writer.load_directory()?;
        Ok::<_, crate::store::read::StoreError>(Directory::new(found.people, found.teams, revision).with_records(found.person_records, found.team_records))
    });
    read.await.map_err(|e| e.to_string())?.map(Some).map_err(|e| e.to_string())
}

impl People {
    /// Everybody that can be known here.
    ///
    /// # Errors
    /// When the files of `directory.source` are broken. A database that cannot be read is left out, and told.
    pub async fn of(context: &Context, arguments: PeopleArguments) -> Result<Self, String> {
        let read = match arguments.no_database {
            true => Ok(None),
            false => match Location::parse(context.settings.database.url.reveal()) {
                Ok(location) => stored(location).await,
                Err(error) => Err(error),
            },
        };
        match read {
            Ok(database) => Self::with_files(context, database, None),
            Err(why) => Self::with_files(context, None, Some(why)),
        }
    }

    /// Those of a database, where there is one, and whom files add.
    ///
    /// # Errors
    /// When the files are broken.
    pub fn with_files(context: &Context, database: Option<Directory>, unread: Option<String>) -> Result<Self, String> {
        let settings = &context.settings;
        let Some(database) = database else {
            let directory = people_of_files(settings)?;
            return Ok(Self { database: None, files: active(&directory), directory, unread });
        };
        let known = active(&database);
        let directory = match settings.directory.source.as_str() {
            "" => database,
            // What the next start would take in; but nobody is gone because these files do not speak of them.
            source => {
                let (source, problems) = read_people(Path::new(source))?;
                if let Some(errors) = crate::startup::errors_of(&problems) {
                    return Err(errors);
                }
                let mut changes = plan::plan_of(&database, &source, &SourceName::files(), &settings.directory.precedence()?).changes;
                changes.retain(|c| !matches!(c, DirectoryChange::PersonLeft { .. } | DirectoryChange::TeamGone { .. }));
                plan::apply(&database, &changes, database.revision())
            }
        };
        Ok(Self { database: Some(known), files: active(&directory).saturating_sub(known), directory, unread })
    }

    /// How many come from where, in a line.
    pub fn told(&self) -> String {
        let files = format!("{} from files", self.files);
        match (self.database, &self.unread) {
            (Some(database), _) => format!("people: {database} from the database, {files}"),
            (None, Some(why)) => format!("people: {files}; the database was not asked: {why}"),
            (None, None) => format!("people: {files}"),
        }
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        json!({ "database": self.database, "files": self.files, "database_not_asked": self.unread })
    }
}
