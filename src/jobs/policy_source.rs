//! Follows the policy folder: a change that checks out comes into force without a restart; one that does not leaves the
//! last good set in force, is an event, and shows on `/policy` until it is mended (semantics.md, 28).

use std::{path::PathBuf, time::Duration};

use tokio::sync::watch;

use crate::{
    domain::{actor::Actor, command::Command, problem::{Problem, Severity}},
    folder,
    ledger::Ledger,
    policy::{self, PolicyFiles},
};

/// The folder that is followed.
#[derive(Clone)]
pub struct PolicyFolder {
    /// Where.
    pub path: PathBuf,
    /// How often it is looked at.
    pub every: Duration,
}

/// What became of one look.
#[derive(Debug)]
pub enum Load {
    /// The set in force is the folder's.
    InForce,
    /// It cannot be used.
    Refused(Vec<Problem>),
}

fn unreadable(error: String) -> Problem {
    Problem {
        file: String::new(),
        line: 1,
        column: 1,
        end_line: 1,
        end_column: 1,
        code: "BP058".to_owned(),
        severity: Severity::Error,
        message: error,
        help: None,
        source_line: String::new(),
    }
}

fn digest(files: &PolicyFiles) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for (path, bytes) in files {
        context.update(path.as_bytes());
        context.update(&[0]);
        context.update(bytes);
    }
    crate::ledger::tree::hex(context.finish().as_ref())
}

impl PolicyFolder {
    /// Reads, checks and loads the folder if it differs from what is in force.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub async fn load(&self, ledger: &Ledger) -> Result<Load, String> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || folder::read(&path, folder::POLICY_ENDINGS)).await.map_err(|e| e.to_string())?;
        let files: PolicyFiles = match read {
            Ok(files) => files.into_iter().filter(|(path, _)| !path.starts_with("org/")).collect(),
            Err(error) => return self.refuse(ledger, String::new(), vec![unreadable(error)]).await,
        };
        let hash = digest(&files);
        let (known, timezone) = (ledger.known(), ledger.timezone().to_owned());
        // A panic of a parser ends this task, not the service: it is reported like any other unusable set.
        let (checked, files) = match tokio::task::spawn_blocking(move || (policy::check(&files, &known, &timezone), files)).await {
            Ok(done) => done,
            Err(_) => return self.refuse(ledger, hash, vec![unreadable("the policy files could not be read: the parser failed".to_owned())]).await,
        };
        let Some(set) = checked.set else { return self.refuse(ledger, hash, checked.problems).await };
        if ledger.revision().as_ref() != Some(set.revision()) {
            let reply = ledger.load_policy(Actor::system("policy"), set, files, self.path.display().to_string()).await.map_err(|e| e.to_string())?;
            reply.answer.map_err(|e| e.to_string())?;
            tracing::info!(revision = ledger.revision().map(|r| r.short().to_owned()), "policy loaded");
        }
        ledger.set_policy_problems(checked.problems);
        Ok(Load::InForce)
    }

    async fn refuse(&self, ledger: &Ledger, digest: String, problems: Vec<Problem>) -> Result<Load, String> {
        let known: bool = ledger.snapshot().problems == problems;
        if !known {
            let errors = problems.iter().filter(|p| p.severity == Severity::Error).count();
            let first = problems.iter().filter(|p| p.severity == Severity::Error).take(10);
            let command = Command::ReportPolicyFailure {
                source: self.path.display().to_string(),
                digest,
                errors: u32::try_from(errors).unwrap_or(u32::MAX),
                problems: first.map(|p| format!("{}:{}: {} [{}]", p.file, p.line, p.message, p.code)).collect(),
            };
            ledger.act("policy", command).await.map_err(|e| e.to_string())?;
            tracing::error!(errors, "the policy folder cannot be used; the last good set stays in force");
            ledger.set_policy_problems(problems.clone());
        }
        Ok(Load::Refused(problems))
    }

    /// Follows the folder until `stop`.
    pub async fn follow(self, ledger: Ledger, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let _ = tokio::time::timeout(self.every, stop.changed()).await;
            if *stop.borrow() {
                return;
            }
            if let Err(error) = self.load(&ledger).await {
                tracing::warn!(error, "the policy folder could not be loaded");
            }
        }
    }
}
