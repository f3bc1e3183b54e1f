//! The policy source: reached, readable, without errors, and in force.

use std::{path::Path, sync::Arc};

use super::{Finding, Ground, clocks::told};
use crate::{
    directory::Directory,
    domain::{id::PolicyRevision, problem::{Problem, Severity}},
    folder,
    git::{self, Mirror, Remote, Unusable},
    ledger::snapshot::known,
    policy::{self, PolicyFiles, PolicySet},
    settings::Settings,
    store::{db::Location, dump::Dumper, writer::Writer},
};

const NAME: &str = "policy";

/// The set in force by the log of a database.
pub(super) fn stored(location: &Location, usable: bool) -> Option<Arc<PolicySet>> {
    if !usable {
        return None;
    }
    let revision = PolicyRevision::from_stored(&Dumper::open(location).ok()?.head().ok()?.in_force.policy_revision?);
    let (timezone, files) = Writer::open_for_reading(location).ok()?.load_policy_files(&revision).ok()??;
    policy::compile_kept(&files, &timezone).set
}

/// The set of a folder, when it can be used.
pub(super) fn of_folder(settings: &Settings, directory: &Directory) -> Option<Arc<PolicySet>> {
    let files = folder::read(Path::new(&settings.policy.source), folder::POLICY_ENDINGS).ok()?;
    policy::check(&files, &known(directory, &settings.connectors()), &settings.policy.timezone).set
}

pub(super) async fn check(ground: &Ground) -> Vec<Finding> {
    let ground = ground.clone();
    tokio::task::spawn_blocking(move || match &ground.within {
        Some(within) => from_within(&ground, &within.ledger),
        None => from_outside(&ground),
    })
    .await
    .unwrap_or_default()
}

fn from_within(ground: &Ground, ledger: &crate::ledger::Ledger) -> Vec<Finding> {
    let (snapshot, source) = (ledger.snapshot(), ledger.source_state());
    let mut found = Vec::new();
    if !ledger.is_deciding() {
        found.push(Finding::fault(NAME, "the ledger does not decide: it cannot compile the policy that the log says is in force", "run the same version of bandpass on every replica"));
    }
    if let Some(why) = &source.unreachable {
        let since = source.reached.map_or_else(|| "not since this process started".to_owned(), |at| format!("last {} ago", told(ground_now(ground) - at.micros())));
        found.push(Finding::fault(NAME, format!("the source cannot be reached ({since}): {why}"), cure_of_unreachable(&ground.settings)));
    }
    let stays = "the policy in force stays as it is until the files are mended; bandpass policy check shows all";
    match snapshot.without_policy() {
        Some(why) => found.push(Finding::fault(NAME, why, cure_without_policy(&snapshot.problems))),
        None => found.extend(of_problems(&snapshot.problems, stays)),
    }
    if !found.iter().any(|f| f.state == super::State::Fault) {
        let commit = source.in_force.as_ref().map(|c| format!(", commit {}", c.short())).unwrap_or_default();
        let age = told(ground_now(ground) - snapshot.policy_since.micros());
        found.push(Finding::ok(NAME, format!("revision {}{commit} of {}, in force for {age}", snapshot.policy.set().revision().short(), snapshot.policy_source)));
    }
    found
}

/// What to do while no policy is in force.
fn cure_without_policy(problems: &[Problem]) -> &'static str {
    match policy::codes::awaits_people(problems) {
        true => "have a source bring them (config/scim.md, `[[directory.catalog]]`, `bandpass directory import`): the policy then comes into force by itself; correct what is misspelt",
        false => "mend the files: bandpass policy check shows each error with its cure",
    }
}

fn ground_now(ground: &Ground) -> i64 {
    (ground.clock)().micros()
}

fn cure_of_unreachable(settings: &Settings) -> String {
    match Remote::parse(&settings.policy.source) {
        Ok(Some(remote)) => format!("try it as the user that runs bandpass: git ls-remote {}", remote.shown()),
        _ => "set `policy.source` to the folder with groups/ and roles.toml, or to a git repository".to_owned(),
    }
}

/// What the checker says, as one finding a severity.
fn of_problems(problems: &[Problem], cure: &str) -> Vec<Finding> {
    let of = |severity: Severity| problems.iter().filter(|p| p.severity == severity).collect::<Vec<_>>();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let shown = |some: &[&Problem]| {
        let lines: Vec<String> = some.iter().take(3).map(|p| if p.file.is_empty() { format!("{} [{}]", p.message, p.code) } else { format!("{}:{}: {} [{}]", p.file, p.line, p.message, p.code) }).collect();
        let more = some.len().saturating_sub(lines.len());
        if more > 0 { format!("{}\nand {more} more", lines.join("\n")) } else { lines.join("\n") }
    };
    let mut found = Vec::new();
    if !errors.is_empty() {
        found.push(Finding::fault(NAME, format!("the files cannot be used:\n{}", shown(&errors)), cure));
    }
    if !warnings.is_empty() {
        found.push(Finding::warning(NAME, format!("{}:\n{}", if warnings.len() == 1 { "1 warning".to_owned() } else { format!("{} warnings", warnings.len()) }, shown(&warnings)), "bandpass policy check shows each with its cure"));
    }
    found
}

fn from_outside(ground: &Ground) -> Vec<Finding> {
    let settings = &ground.settings;
    let read = match files(settings) {
        Ok(read) => read,
        Err((message, cure)) => return vec![Finding::fault(NAME, format!("`policy.source` is `{}`: {message}", shown(settings)), cure.unwrap_or_else(|| cure_of_unreachable(settings)))],
    };
    let checked = policy::check(&read, &known(&ground.directory, &settings.connectors()), &settings.policy.timezone);
    let first = ground.policy.is_none() && policy::codes::awaits_people(&checked.problems);
    let mut found = of_problems(&checked.problems, if first { cure_without_policy(&checked.problems) } else { "bandpass policy check shows each with its cure" });
    if let Some(set) = &checked.set {
        let counted = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        let (groups, rails) = (counted(set.groups().len(), "group"), counted(set.guardrails().len(), "guardrail"));
        let note = match &ground.policy {
            Some(in_force) if ground.reader.is_some() && in_force.revision() != set.revision() => format!("; {} is in force in the database", in_force.revision().short()),
            _ => String::new(),
        };
        found.push(Finding::ok(NAME, format!("{groups}, {rails} in `{}`: revision {}{note}", shown(settings), set.revision().short())));
    }
    found
}

fn shown(settings: &Settings) -> String {
    match Remote::parse(&settings.policy.source) {
        Ok(Some(remote)) => remote.shown(),
        _ => settings.policy.source.clone(),
    }
}

/// The files of the source. A repository is fetched into a folder of its own, which goes again.
fn files(settings: &Settings) -> Result<PolicyFiles, (String, Option<String>)> {
    let plain = |message: String| (message, None);
    let Some(remote) = Remote::parse(&settings.policy.source).map_err(plain)? else {
        let path = Path::new(&settings.policy.source);
        if !path.exists() {
            return Err(plain("there is no such folder".to_owned()));
        }
        let files = folder::read(path, folder::POLICY_ENDINGS).map_err(plain)?;
        return Ok(files.into_iter().filter(|(path, _)| !path.starts_with("org/")).collect());
    };
    git::installed().map_err(|e| (e, Some("apt-get install git".to_owned())))?;
    let copy = std::env::temp_dir().join(format!("bandpass-doctor-{}", std::process::id()));
    let mirror = Mirror { folder: copy.clone(), remote, branch: settings.policy.branch.clone(), below: settings.policy.path.clone(), signers: settings.policy.signers.clone() };
    let read = mirror.fetch().and_then(|head| {
        mirror.may_follow(None, &head)?;
        mirror.files(&head)
    });
    let _ = std::fs::remove_dir_all(&copy);
    read.map_err(|error| match error {
        Unusable::Unreachable(why) => (why, None),
        Unusable::Refused { message, help } => (message, help),
    })
}
