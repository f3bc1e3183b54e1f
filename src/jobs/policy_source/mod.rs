//! Follows the policy source, a folder or a git repository: a change that checks out comes into force without a restart; one
//! that does not leaves the last good set in force, is an event, and shows on `/policy` until it is mended (semantics.md, 28).
//!
//! A first set may name people whom SCIM or a catalogue has yet to bring. Until they have come no set is in force, so everything is
//! denied; a look at the same files is a new one when the directory has changed, and loads them when every name is known.
//!
//! One look: read the source, try the files in a child process ([`Canary`]), compile, load by compare and set. A source that
//! does not answer is a fault of the source, not of the policy: it is shown with the time of the last success.

mod access;
mod canary;

use std::{collections::BTreeMap, path::PathBuf, sync::{Arc, atomic::AtomicBool}, time::Duration};

use tokio::sync::watch;

pub use canary::{Canary, answer};

use crate::{
    domain::{actor::Actor, command::Command, commit::Commit, id::PolicyRevision, problem::{Problem, Severity}, time::Time},
    folder,
    git::{Mirror, Unusable},
    ledger::{Ledger, source::LastLoad},
    policy::{self, PolicyFiles},
};

/// Seconds in which one failure is recorded once, however often it comes and goes.
const QUIET_SECONDS: i64 = 3600;
/// A remote on another machine is not asked more often than this; a webhook has it asked at once.
const POLITE: Duration = Duration::from_secs(15);
/// The longest pause after failures in a row.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Where policy comes from.
#[derive(Debug, Clone)]
pub enum Place {
    /// A folder of files.
    Folder(PathBuf),
    /// A branch of a git repository.
    Git(Mirror),
}

impl Place {
    fn shown(&self) -> String {
        match self {
            Self::Folder(path) => path.display().to_string(),
            Self::Git(mirror) => mirror.shown(),
        }
    }
}

/// The source that is followed.
pub struct PolicySource {
    place: Place,
    every: Duration,
    canary: Canary,
    last: Option<Seen>,
    recorded: BTreeMap<String, Time>,
    comparing: Arc<AtomicBool>,
}

/// What became of one look.
#[derive(Debug, Clone)]
pub enum Load {
    /// The set in force is the source's.
    InForce,
    /// It cannot be used.
    Refused(Vec<Problem>),
    /// The source did not answer; why.
    Unreachable(String),
}

/// What the last look saw: nothing is done again for the same.
struct Seen {
    what: String,
    directory: i64,
    in_force: Option<PolicyRevision>,
    outcome: Load,
}

/// What a source has.
struct Found {
    files: PolicyFiles,
    commit: Option<Commit>,
    /// Whether the log knows of no commit of this repository yet.
    is_first: bool,
}

fn unusable(message: String, help: Option<String>) -> Problem {
    policy::codes::of_file("", "BP058", message, help)
}

fn digest(files: &PolicyFiles) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for (path, bytes) in files {
        context.update(path.as_bytes());
        context.update(&[0]);
        context.update(bytes);
        context.update(&[0]);
    }
    crate::ledger::tree::hex(context.finish().as_ref())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|e| e.to_string())
}

impl PolicySource {
    /// A source, looked at every so often.
    pub fn new(place: Place, every: Duration, canary: Canary) -> Self {
        Self { place, every, canary, last: None, recorded: BTreeMap::new(), comparing: Arc::default() }
    }

    /// Whether a folder holds, byte for byte, the set in force: then nothing has to be compiled before serving, and the first look
    /// comes right after.
    ///
    /// # Errors
    /// When the look at the folder is interrupted.
    pub async fn is_in_force(&self, ledger: &Ledger) -> Result<bool, String> {
        let (Place::Folder(path), Some(in_force)) = (self.place.clone(), ledger.revision()) else { return Ok(false) };
        let timezone = ledger.timezone().to_owned();
        let same = blocking(move || folder::read(&path, folder::POLICY_ENDINGS).ok().and_then(|files| policy::revision_of(&files, &timezone)) == Some(in_force)).await?;
        if same {
            reached(ledger, self.place.shown());
        }
        Ok(same)
    }

    /// Reads, checks and loads the source if it differs from what is in force.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub async fn load(&mut self, ledger: &Ledger) -> Result<Load, String> {
        // What is in force is read before the remote is asked, so that another replica's load in between is no force-push.
        let parent = ledger.revision();
        let shown = self.place.shown();
        let found = match self.place.clone() {
            Place::Folder(path) => blocking(move || folder::read(&path, folder::POLICY_ENDINGS)).await?.map(|files| Found { files, commit: None, is_first: false }).map_err(|message| Unusable::Refused { message, help: None }),
            Place::Git(mirror) => {
                let loaded = ledger.last_policy_load().await.map_err(|e| e.to_string())?;
                self.fetch(ledger, mirror, loaded).await?
            }
        };
        let found = match found {
            Err(Unusable::Unreachable(why)) => return self.unreachable(ledger, shown, why).await,
            Err(Unusable::Refused { message, help }) => {
                reached(ledger, shown);
                return self.refuse(ledger, String::new(), vec![unusable(message, help)]).await;
            }
            Ok(found) => found,
        };
        reached(ledger, shown.clone());
        let files: PolicyFiles = found.files.into_iter().filter(|(path, _)| !path.starts_with("org/")).collect();
        let hash = digest(&files);
        let what = format!("{hash} {}", found.commit.as_ref().map_or("", |c| &c.id));
        let directory = ledger.snapshot().directory.revision();
        if let Some(seen) = self.last.as_ref().filter(|s| s.what == what && s.directory == directory && s.in_force == parent) {
            return Ok(seen.outcome.clone());
        }
        let outcome = self.bring_into_force(ledger, parent, hash, files, (found.commit, found.is_first)).await?;
        self.last = Some(Seen { what, directory, in_force: ledger.revision(), outcome: outcome.clone() });
        Ok(outcome)
    }

    async fn fetch(&self, ledger: &Ledger, mirror: Mirror, loaded: Option<LastLoad>) -> Result<Result<Found, Unusable>, String> {
        // A commit of another source says nothing about this one: whoever changed the setting meant it.
        let shown = mirror.shown();
        let before = loaded.filter(|l| l.source == shown).and_then(|l| l.commit);
        let is_first = before.is_none();
        ledger.update_source_state(|state| state.in_force = before.clone());
        let fetched = mirror.clone();
        let head = match blocking(move || fetched.fetch()).await? {
            Ok(head) => head,
            Err(error) => return Ok(Err(error)),
        };
        ledger.update_source_state(|state| state.head = Some(head.clone()));
        blocking(move || {
            mirror.may_follow(before.as_ref(), &head)?;
            Ok(Found { files: mirror.files(&head)?, commit: Some(head), is_first })
        })
        .await
    }

    async fn bring_into_force(&mut self, ledger: &Ledger, parent: Option<PolicyRevision>, hash: String, files: PolicyFiles, (commit, is_first): (Option<Commit>, bool)) -> Result<Load, String> {
        let (known, timezone, canary) = (ledger.known(), ledger.timezone().to_owned(), self.canary.clone());
        let is_in_force = !is_first && policy::revision_of(&files, &timezone).is_some_and(|r| Some(r) == parent);
        let tried = blocking(move || {
            let problems = canary.check(&files, &known, &timezone)?;
            if is_in_force || problems.iter().any(|p| p.severity == Severity::Error) {
                return Ok((problems, None, files));
            }
            // Only what the child accepted is compiled here, by the same code with the same stack.
            let set = policy::check(&files, &known, &timezone).set;
            Ok((problems, set, files))
        });
        let (mut problems, set, files) = match tried.await? {
            Ok(tried) => tried,
            Err((message, help)) => return self.refuse(ledger, hash, vec![unusable(message, Some(help).filter(|h: &String| !h.is_empty()))]).await,
        };
        // Notes are for whoever writes, at `policy check`; the service shows what is wrong.
        problems.retain(|p| p.severity > Severity::Note);
        if problems.iter().any(|p| p.severity == Severity::Error) {
            if parent.is_none() && policy::codes::awaits_people(&problems) {
                ledger.set_declared_attributes(blocking(move || policy::attributes_in(&files)).await?);
            }
            return self.refuse(ledger, hash, problems).await;
        }
        if is_in_force {
            self.recorded.clear();
            ledger.set_policy_problems(problems);
            return Ok(Load::InForce);
        }
        let Some(set) = set else {
            return self.refuse(ledger, hash, vec![unusable("the policy files were accepted by a child process, but could not be compiled here".to_owned(), None)]).await;
        };
        if parent.as_ref() != Some(set.revision()) || is_first {
            let access = access::compare(ledger, &set, &self.comparing).await;
            let origin = (self.place.shown(), commit.clone());
            let reply = ledger.load_policy_over(parent, Actor::system("policy"), Arc::clone(&set), files, origin, access).await.map_err(|e| e.to_string())?;
            reply.answer.map_err(|e| e.to_string())?;
            ledger.update_source_state(|state| state.in_force = commit.clone());
            tracing::info!(revision = set.revision().short(), commit = commit.as_ref().map(|c| c.short()), "policy loaded");
        }
        self.recorded.clear();
        ledger.set_policy_problems(problems);
        Ok(Load::InForce)
    }

    async fn unreachable(&mut self, ledger: &Ledger, shown: String, why: String) -> Result<Load, String> {
        let told = vec![format!("the policy source cannot be reached: {why}")];
        self.record(ledger, "unreachable".to_owned(), String::new(), 0, told).await?;
        tracing::warn!(why, "the policy source cannot be reached; the last good set stays in force");
        ledger.update_source_state(|state| {
            state.source = shown;
            state.unreachable = Some(why.clone());
        });
        Ok(Load::Unreachable(why))
    }

    async fn refuse(&mut self, ledger: &Ledger, digest: String, problems: Vec<Problem>) -> Result<Load, String> {
        if ledger.snapshot().problems != problems {
            let errors = problems.iter().filter(|p| p.severity == Severity::Error);
            let count = errors.clone().count();
            let first: Vec<String> = errors.take(10).map(|p| if p.file.is_empty() { format!("{} [{}]", p.message, p.code) } else { format!("{}:{}: {} [{}]", p.file, p.line, p.message, p.code) }).collect();
            let key = format!("{digest} {}", first.join("\n"));
            self.record(ledger, key, digest, u32::try_from(count).unwrap_or(u32::MAX), first).await?;
            match ledger.snapshot().in_force {
                Some(_) => tracing::error!(errors = count, "the policy source cannot be used; the last good set stays in force"),
                None => tracing::error!(errors = count, "the policy source cannot be used, and no policy is in force: everything is denied"),
            }
            ledger.set_policy_problems(problems.clone());
        }
        Ok(Load::Refused(problems))
    }

    /// One event for each distinct failure: not again within the hour, after a restart, or from another replica.
    async fn record(&mut self, ledger: &Ledger, key: String, digest: String, errors: u32, problems: Vec<String>) -> Result<(), String> {
        let now = ledger.now();
        self.recorded.retain(|_, at| now.seconds_since(*at) < QUIET_SECONDS);
        if self.recorded.insert(key, now).is_some() {
            return Ok(());
        }
        let source = self.place.shown();
        if ledger.policy_failure_is_known(&source, &problems).await.map_err(|e| e.to_string())? {
            return Ok(());
        }
        let command = Command::ReportPolicyFailure { source, digest, errors, problems };
        ledger.act("policy", command).await.map(drop).map_err(|e| e.to_string())
    }

    /// Follows the source until `stop`.
    pub async fn follow(mut self, ledger: Ledger, mut stop: watch::Receiver<bool>) {
        let polite = matches!(&self.place, Place::Git(mirror) if !mirror.remote.is_local());
        let every = if polite { self.every.max(POLITE) } else { self.every };
        // A source that was not looked at before serving is looked at now.
        let mut pause = if self.last.is_none() { Duration::ZERO } else { every };
        while !*stop.borrow() {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = ledger.policy_rung() => {}
                _ = stop.changed() => return,
            }
            pause = match self.load(&ledger).await {
                Ok(Load::Unreachable(_)) => (pause.max(every) * 2).min(LONGEST_PAUSE.max(every)),
                Ok(_) => every,
                Err(error) => {
                    tracing::warn!(error, "the policy source could not be loaded");
                    every
                }
            };
        }
    }
}

fn reached(ledger: &Ledger, shown: String) {
    let now = ledger.now();
    ledger.update_source_state(|state| {
        state.source = shown;
        state.unreachable = None;
        state.reached = Some(now);
    });
}
