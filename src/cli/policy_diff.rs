//! `policy diff`: who gains and who loses between two policy sets.

use std::{collections::BTreeMap, path::{Path, PathBuf}, sync::Arc};

use clap::Args;

use super::{Context, Done, Format, Outcome, people::{People, PeopleArguments}};
use crate::{
    clock,
    directory::Directory,
    domain::{id::PolicyRevision, problem::Severity, request::Request},
    folder, git,
    ledger::snapshot,
    policy::{self, Known, PolicySet, diff::{self, Diff, FailOn, HeldGrant, Holdings, Inputs}, render},
    store::{
        db::Location,
        dump::Dumper,
        read::{GrantFilter, Page, Reader, StoreError},
        snapshot::StoredFiles,
        writer::Writer,
    },
};

const IN_FORCE: &str = "in-force";
/// Rows that one query reads.
const PAGE: u16 = 1000;

/// What `policy diff` is told.
#[derive(Args)]
pub struct DiffArguments {
    /// Before: a folder, a git revision, or `in-force`.
    #[arg(default_value = IN_FORCE)]
    before: String,
    /// After: a folder, a git revision, or `in-force`; `policy.source` when left out.
    after: Option<String>,
    /// The git repository of revisions.
    #[arg(long, value_name = "DIR", default_value = ".")]
    repo: PathBuf,
    /// The policy folder below it; `policy.source` when left out.
    #[arg(long, value_name = "SUBPATH")]
    path: Option<String>,
    /// Exit 1 when any of these happens: widened, narrowed, approvers-changed, ends-grants, relabelled, conflicts,
    /// empty-stages, guardrails-changed, roles-changed.
    #[arg(long, value_delimiter = ',', value_name = "CHANGES")]
    fail_on: Vec<FailOn>,
    #[command(flatten)]
    people: PeopleArguments,
}

/// What the database knows, when there is one.
#[derive(Default)]
struct Facts {
    directory: Option<Directory>,
    in_force: Option<(PolicyRevision, StoredFiles)>,
    holdings: Holdings,
    grants: Vec<HeldGrant>,
    pending: Vec<Request>,
}

pub async fn run(context: &Context, arguments: DiffArguments) -> Outcome {
    let needed = arguments.before == IN_FORCE || arguments.after.as_deref() == Some(IN_FORCE);
    if arguments.people.no_database && needed {
        return Err(format!("`{IN_FORCE}` is what the database holds: name a folder or a git revision instead, or leave --no-database out"));
    }
    let found = if arguments.people.no_database { Ok(None) } else { facts(context).await };
    let (mut facts, mut notes) = match found {
        Ok(Some(facts)) => (facts, Vec::new()),
        Ok(None) if arguments.people.no_database => (Facts::default(), vec!["The database was left out: people come from `directory.source`; grants and requests were not looked at.".to_owned()]),
        Ok(None) => (Facts::default(), vec!["There is no database here: people come from `directory.source`; grants and requests were not looked at.".to_owned()]),
        Err(error) if needed => return Err(error.to_string()),
        Err(error) => (Facts::default(), vec![format!("People come from `directory.source`; grants and requests were not looked at: {error}")]),
    };
    let directory = &People::with_files(context, facts.directory.take(), None)?.directory;
    let known = snapshot::known(directory, &context.settings.connectors());
    let after = arguments.after.clone().unwrap_or_else(|| context.settings.policy.source.clone());
    let before = side(context, &arguments, &arguments.before, &facts, &known)?;
    let after = side(context, &arguments, &after, &facts, &known)?;
    let subjects: Vec<_> = directory.subjects().collect();
    let inputs = Inputs { before: &before, after: &after, subjects: &subjects, holdings: &facts.holdings, grants: &facts.grants, pending: &facts.pending, at: clock::system()() };
    let mut found = diff::diff(&inputs);
    found.notes.append(&mut notes);
    let stopped: Vec<&str> = arguments.fail_on.iter().filter(|f| f.happens(&found)).map(|f| f.word()).collect();
    print(context, &found);
    if stopped.is_empty() {
        return Ok(Done::Yes);
    }
    eprintln!("stopped by --fail-on: {}", stopped.join(", "));
    Ok(Done::No)
}

fn print(context: &Context, found: &Diff) {
    match context.format {
        Format::Markdown => super::say(&diff::markdown::markdown(found).trim_end()),
        Format::Json => super::say(&diff::json::json(found)),
        Format::Text | Format::Github | Format::Sarif => super::say(&diff::text::text(found)),
    }
}

/// One side: `in-force`, a folder, or a revision.
fn side(context: &Context, arguments: &DiffArguments, word: &str, facts: &Facts, known: &Known) -> Result<Arc<PolicySet>, String> {
    let timezone = &context.settings.policy.timezone;
    if word == IN_FORCE {
        let none = || "nothing is in force: there is no database, or no policy was loaded yet; name a folder or a git revision".to_owned();
        let (revision, (timezone, files)) = facts.in_force.as_ref().ok_or_else(none)?;
        return compiled(&format!("the set {} in force", revision.short()), files, known, timezone);
    }
    let folder = Path::new(word);
    if folder.is_dir() {
        let files = folder::read(folder, folder::POLICY_ENDINGS)?;
        return compiled(&format!("the folder `{word}`"), &files, known, timezone);
    }
    let path = arguments.path.as_deref().unwrap_or(&context.settings.policy.source);
    let files = git::read_revision(&arguments.repo, word, path)
        .map_err(|e| format!("`{word}` is neither `{IN_FORCE}` nor a folder, and as a git revision: {e}"))?;
    compiled(&format!("`{path}` of revision `{word}`"), &files, known, timezone)
}

fn compiled(what: &str, files: &policy::PolicyFiles, known: &Known, timezone: &str) -> Result<Arc<PolicySet>, String> {
    let checked = policy::check(files, known, timezone);
    checked.set.ok_or_else(|| {
        let errors: Vec<String> = checked.problems.iter().filter(|p| p.severity == Severity::Error).map(render::text).collect();
        format!("{what} has errors, so it cannot be compared:\n\n{}", errors.join("\n\n"))
    })
}

/// Reads what is in force, people, live grants with their approvals, and pending requests. None when there is no database.
async fn facts(context: &Context) -> Result<Option<Facts>, StoreError> {
    let location = Location::parse(context.settings.database.url.reveal()).map_err(StoreError)?;
    if matches!(&location, Location::Sqlite(path) if !path.is_file()) {
        return Ok(None);
    }
    let reader = Reader::new(location.clone(), 1);
    let whole = tokio::task::spawn_blocking(move || whole_sets(&location)).await.map_err(|e| StoreError(e.to_string()))?;
    let (directory, in_force) = whole?;
    let (grants, holdings) = held(&reader).await?;
    let mut pending = Vec::new();
    let mut page = Page { before: None, limit: PAGE };
    loop {
        let found = reader.pending_requests(page).await?;
        pending.extend(found.items);
        let Some(next) = found.next else { break };
        page.before = Some(next);
    }
    Ok(Some(Facts { directory: Some(directory), in_force, holdings, grants, pending }))
}

type WholeSets = (Directory, Option<(PolicyRevision, StoredFiles)>);

fn whole_sets(location: &Location) -> Result<WholeSets, StoreError> {
    let in_force = Dumper::open(location)?.head()?.in_force;
    let mut writer = Writer::open_for_reading(location)?;
    let found = writer.load_directory()?;
    let directory = Directory::new(found.people, found.teams, in_force.directory_revision).with_records(found.person_records, found.team_records);
    let Some(revision) = in_force.policy_revision else { return Ok((directory, None)) };
    let revision = PolicyRevision::from_stored(&revision);
    let files = writer.load_policy_files(&revision)?;
    Ok((directory, files.map(|files| (revision, files))))
}

/// Live grants, each with its request and who approved it.
async fn held(reader: &Reader) -> Result<(Vec<HeldGrant>, Holdings), StoreError> {
    let now = clock::system()();
    let (mut grants, mut holdings) = (Vec::new(), BTreeMap::new());
    let mut page = Page { before: None, limit: PAGE };
    loop {
        let found = reader.grants(GrantFilter { live: true, at: Some(now), ..GrantFilter::default() }, page).await?;
        for grant in found.items {
            let held: &mut std::collections::BTreeSet<_> = holdings.entry(grant.person.clone()).or_default();
            held.insert(grant.group.clone());
            let (request, approvers) = match grant.request {
                Some(id) => (reader.request(id).await?, Some(reader.approvals(id).await?.into_iter().map(|a| a.person).collect())),
                None => (None, None),
            };
            grants.push(HeldGrant { grant, request, approvers });
        }
        let Some(next) = found.next else { break };
        page.before = Some(next);
    }
    Ok((grants, holdings))
}
