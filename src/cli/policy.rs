//! `policy check`, `test`, `explain`, `schema`, `scaffold`.

use std::{collections::BTreeSet, path::{Path, PathBuf}, sync::Arc};

use clap::Subcommand;

use super::{Context, Done, Format, Outcome, people::{People, PeopleArguments}};
use crate::{
    directory::Directory,
    domain::problem::{Problem, Severity},
    folder,
    ledger::snapshot::known,
    policy::{self, Checked, PolicyFiles, PolicySet, fixture, formats, render, scaffold},
};

/// Policy files.
#[derive(Subcommand)]
pub enum PolicyCommand {
    /// Tell every problem of every file at once. Exit 1 when there is an error.
    Check {
        /// Folder; `policy.source` when left out.
        folder: Option<PathBuf>,
        #[command(flatten)]
        people: PeopleArguments,
    },
    /// Run the examples of the group files and the cases of tests/*.toml. Exit 1 when one fails.
    Test {
        /// Folder; `policy.source` when left out.
        folder: Option<PathBuf>,
        #[command(flatten)]
        people: PeopleArguments,
    },
    /// Tell how a request would be decided, rule by rule. Exit 1 when it would be denied.
    Explain(super::policy_explain::Explain),
    /// Tell who gains and who loses between two sets. Exit 1 on what `--fail-on` names.
    Diff(super::policy_diff::DiffArguments),
    /// Print the git commands that bring an earlier policy back. Runs none of them.
    Rollback {
        /// Revision or commit to go back to, or its beginning; the one before that in force when left out.
        revision: Option<String>,
    },
    /// Let endings happen that wait on /policy, with a personal token of an admin who did not make the change (BANDPASS_TOKEN).
    Confirm {
        /// What waits: the number that /policy and `GET /api/v1/policy` show.
        held: i64,
        /// Why it is right that these end; it is recorded.
        #[arg(long)]
        reason: String,
    },
    /// Check the files that standard input holds; the service asks it before it uses them.
    #[command(hide = true)]
    Canary,
    /// Decide claims about all possible people. Exit 1 when one is refuted or not proven.
    Prove(super::policy_prove::Prove),
    /// Print the JSON Schema of a kind of file, for editors.
    Schema {
        /// group, conflicts, roles, attributes or tests.
        #[arg(default_value = "group", value_parser = clap::builder::PossibleValuesParser::new(policy::schema::KINDS))]
        kind: String,
    },
    /// Write a starter policy for the groups of a Backstage catalogue.
    Scaffold {
        /// Catalogue file or folder.
        #[arg(long)]
        backstage: PathBuf,
        /// CSV of group,person: who answers for what.
        #[arg(long)]
        owners: PathBuf,
        /// Who answers where nobody is named, like team:infra; at least two people.
        #[arg(long)]
        fallback_owner: String,
        /// Folder to write; nothing in it is overwritten.
        #[arg(long)]
        out: PathBuf,
    },
}

fn place(context: &Context, given: Option<PathBuf>) -> PathBuf {
    given.unwrap_or_else(|| PathBuf::from(&context.settings.policy.source))
}

pub(super) fn read(context: &Context, given: Option<PathBuf>) -> Result<PolicyFiles, String> {
    folder::read(&place(context, given), folder::POLICY_ENDINGS)
}

/// Checks a folder, and answers how many files it has. A file that cannot be read (a link, a hundred megabytes) is a problem like
/// any other: the rest is checked all the same, and what names something in it may be told as unknown.
fn checked(context: &Context, given: Option<PathBuf>, directory: &Directory) -> (Checked, usize) {
    let looked = folder::look(&place(context, given), folder::POLICY_ENDINGS);
    let mut unread: Vec<Problem> =
        looked.unreadable.into_iter().map(|u| policy::codes::of_file(&u.path, "BP058", u.why, None)).collect();
    if looked.files.is_empty() && !unread.is_empty() {
        return (Checked { set: None, problems: unread }, 0);
    }
    let files = looked.files;
    let mut checked = policy::check(&files, &known(directory, &context.settings.connectors()), &context.settings.policy.timezone);
    if let Some(set) = &checked.set {
        checked.problems.extend(fixture::read(&files, set).1);
    }
    if !unread.is_empty() {
        checked.set = None;
        unread.append(&mut checked.problems);
        checked.problems = unread;
    }
    (checked, files.len())
}

pub(super) fn usable(context: &Context, folder: Option<PathBuf>, directory: &Directory) -> Result<Arc<PolicySet>, String> {
    let (checked, _) = checked(context, folder, directory);
    checked.set.ok_or_else(|| {
        let errors: Vec<String> = checked.problems.iter().filter(|p| p.severity == Severity::Error).map(render::text).collect();
        errors.join("\n\n")
    })
}

/// Every problem, and what the set comes to.
fn told(checked: &Checked, files: usize, people: &People) -> String {
    // Notes wait until there is no error, so that they do not bury it.
    let least = if checked.set.is_some() { Severity::Note } else { Severity::Warning };
    let shown = checked.problems.iter().filter(|p| p.severity >= least);
    let mut text: Vec<String> = shown.map(render::text).collect();
    let end = match &checked.set {
        Some(set) => format!("{} groups, {} guardrails in {files} files: revision {}", set.groups().len(), set.guardrails().len(), set.revision().short()),
        None if checked.problems.iter().any(|p| p.severity == Severity::Note) => "the set cannot be used; notes are shown once it can".to_owned(),
        None => "the set cannot be used".to_owned(),
    };
    text.push(format!("{}; {end}\n{}", render::summary(&checked.problems), people.told()));
    text.join("\n\n")
}

/// The address of `policies/README.md`: in a pipeline of GitHub or GitLab where the commit's own is shown, else the path alone.
fn docs() -> String {
    let variables = |names: [&str; 3]| Some(names.map(|n| std::env::var(n).unwrap_or_default())).filter(|v| v.iter().all(|v| !v.is_empty()));
    const FILE: &str = "policies/README.md";
    if let Some([server, repository, commit]) = variables(["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_SHA"]) {
        return format!("{server}/{repository}/blob/{commit}/{FILE}");
    }
    match variables(["CI", "CI_PROJECT_URL", "CI_COMMIT_SHA"]) {
        Some([_, project, commit]) => format!("{project}/-/blob/{commit}/{FILE}"),
        None => FILE.to_owned(),
    }
}

pub async fn run(context: &Context, command: PolicyCommand) -> Outcome {
    match command {
        PolicyCommand::Check { folder, people } => {
            let people = People::of(context, people).await?;
            let shown = folder.as_deref().map_or_else(|| context.settings.policy.source.clone(), |f| f.display().to_string());
            let path = PathBuf::from(&shown);
            if !path.exists() {
                return Err(format!("there is no folder `{shown}`"));
            }
            let (checked, files) = checked(context, folder, &people.directory);
            let value = serde_json::json!({ "people": people.json(), "problems": formats::json(&checked.problems), "revision": checked.set.as_ref().map(|s| s.revision()) });
            match context.format {
                Format::Github => super::say(&formats::github(&shown, &checked.problems)),
                Format::Sarif => super::say(&formats::sarif(&shown, &docs(), &checked.problems)),
                _ => context.print(&value, || told(&checked, files, &people)),
            }
            let broken = checked.problems.iter().any(|p| p.severity == Severity::Error);
            Ok(if broken { Done::No } else { Done::Yes })
        }
        PolicyCommand::Confirm { held, reason } => super::access::confirm_endings(context, held, &reason).await,
        PolicyCommand::Test { folder, people } => super::policy_test::run(context, folder, &People::of(context, people).await?),
        PolicyCommand::Rollback { revision } => super::policy_rollback::run(context, revision.as_deref()).await,
        PolicyCommand::Schema { kind } => {
            let schema = policy::schema::schema(&kind).ok_or_else(|| format!("there is no schema of `{kind}`"))?;
            super::say(&serde_json::to_string_pretty(&schema).map_err(|e| e.to_string())?);
            Ok(Done::Yes)
        }
        PolicyCommand::Canary => canary(),
        PolicyCommand::Explain(asked) => super::policy_explain::run(context, &asked, &People::of(context, asked.people).await?),
        PolicyCommand::Diff(arguments) => super::policy_diff::run(context, arguments).await,
        PolicyCommand::Prove(asked) => {
            let set = usable(context, asked.folder.clone(), &People::of(context, asked.people).await?.directory)?;
            super::policy_prove::run(context, &asked, &read(context, asked.folder.clone())?, &set).await
        }
        PolicyCommand::Scaffold { backstage, owners, fallback_owner, out } => write_scaffold(context, &backstage, &owners, &fallback_owner, &out),
    }
}

fn canary() -> Outcome {
    let mut question = Vec::new();
    std::io::Read::read_to_end(&mut std::io::stdin(), &mut question).map_err(|e| e.to_string())?;
    super::say(&crate::jobs::policy_source::answer(&question)?);
    Ok(Done::Yes)
}

fn write_scaffold(context: &Context, backstage: &Path, owners: &Path, fallback: &str, out: &Path) -> Outcome {
    let catalogue = super::directory::read_catalogue(backstage)?;
    let text = std::fs::read_to_string(owners).map_err(|e| format!("cannot read `{}`: {e}", owners.display()))?;
    let owners = scaffold::read_owners(&text)?;
    let groups: Vec<scaffold::SourceGroup> = catalogue
        .groups
        .values()
        .map(|g| scaffold::SourceGroup { name: g.name.clone(), title: g.title.clone(), description: g.description.clone(), parent: g.parent.clone(), members: g.members.len() })
        .collect();
    let people: BTreeSet<String> = catalogue.source.people.keys().map(ToString::to_string).collect();
    let team = fallback.strip_prefix("team:").ok_or_else(|| format!("`--fallback-owner {fallback}`: expected team:ID"))?;
    let size = catalogue.groups.get(team).map(|g| g.members.len());
    let plan = scaffold::plan(&groups, &owners, &people, team, size)?;
    let taken: Vec<&String> = plan.files.keys().filter(|path| out.join(path).exists()).collect();
    if let Some(first) = taken.first() {
        return Err(format!("`{}` exists already ({} of the files do); nothing was written", out.join(first).display(), taken.len()));
    }
    for (path, content) in &plan.files {
        let path = out.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|e| format!("cannot make `{}`: {e}", parent.display()))?;
        }
        std::fs::write(&path, content).map_err(|e| format!("cannot write `{}`: {e}", path.display()))?;
    }
    context.print(&serde_json::json!({ "files": plan.files.keys().collect::<Vec<_>>(), "notes": plan.notes }), || {
        let mut text: Vec<String> = plan.notes.clone();
        text.push(format!("{} files written to {}; check them with: bandpass policy check {}", plan.files.len(), out.display(), out.display()));
        text.join("\n")
    });
    Ok(Done::Yes)
}
