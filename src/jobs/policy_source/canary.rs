//! A child process reads a policy set before the service does (security.md, section 2, 23 to 25): whatever the parser does
//! to it, crash, hang or eat memory, the service goes on with the last good set.
//!
//! The child is this very program as `bandpass policy canary`. It is given the files and the names they may use on standard
//! input and answers with its problems, both as JSON. Memory is bounded by the shell's `ulimit -v` before the program takes
//! its place, since the standard library cannot bound a child and unsafe code is not wanted here; where the shell has no
//! such limit, the deadline and the child's being another process remain.

use std::{collections::{BTreeMap, BTreeSet}, path::PathBuf, process::Command, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{
    child::{self, Bounds, Failure},
    domain::{id::{ConnectorName, PersonId, TeamId}, problem::{Problem, Severity}},
    policy::{self, Known, PolicyFiles},
};

/// The most that the child may tell.
const MOST_TOLD: u64 = 32 * 1024 * 1024;

/// How sets are tried.
#[derive(Debug, Clone)]
pub struct Canary {
    /// The program that has `policy canary`.
    pub program: PathBuf,
    /// How long it may take.
    pub deadline: Duration,
    /// Address space in KiB.
    pub memory: u64,
}

impl Default for Canary {
    fn default() -> Self {
        // On Linux the running program is found by its process, even after its file was replaced.
        let running = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
        let program = if running.exists() { running } else { std::env::current_exe().unwrap_or_else(|_| PathBuf::from("bandpass")) };
        Self { program, deadline: Duration::from_secs(20), memory: 2 * 1024 * 1024 }
    }
}

/// What the child is asked.
#[derive(Debug, Serialize, Deserialize)]
struct Question {
    timezone: String,
    people: BTreeSet<PersonId>,
    former_people: BTreeSet<PersonId>,
    teams: BTreeMap<TeamId, usize>,
    former_teams: BTreeSet<TeamId>,
    connectors: BTreeSet<ConnectorName>,
    /// Bytes in base64, since they may be anything.
    files: BTreeMap<String, String>,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    usable: bool,
    problems: Vec<Problem>,
}

impl Canary {
    /// Has a child check the files: their problems, with an error among them when they cannot be used. Blocks.
    ///
    /// # Errors
    /// Why no child answered: a sentence, and what to do.
    pub fn check(&self, files: &PolicyFiles, known: &Known, timezone: &str) -> Result<Vec<Problem>, (String, String)> {
        let question = Question {
            timezone: timezone.to_owned(),
            people: known.people.clone(),
            former_people: known.former_people.clone(),
            teams: known.teams.clone(),
            former_teams: known.former_teams.clone(),
            connectors: known.connectors.clone(),
            files: files.iter().map(|(path, bytes)| (path.clone(), STANDARD.encode(bytes))).collect(),
        };
        let input = serde_json::to_vec(&question).map_err(|e| (format!("the policy files could not be handed over: {e}"), String::new()))?;
        let mut shell = Command::new("/bin/sh");
        let script = format!("ulimit -c 0; ulimit -v {} 2>/dev/null; exec \"$0\" policy canary", self.memory);
        shell.args(["-c", &script]).arg(&self.program).env_clear().current_dir("/");
        let undo = "something in the newest change is more than the parser bears, most often deep nesting: look at what changed last, or revert it";
        let output = match child::run(shell, input, Bounds { deadline: self.deadline, output: MOST_TOLD }) {
            Ok(output) => output,
            Err(Failure::TooLate(after)) => {
                return Err((format!("reading the policy files did not end within {} s, so they are not used", after.as_secs_f32()), undo.to_owned()));
            }
            Err(error) => return Err((format!("the policy files could not be tried in a child process: {error}"), String::new())),
        };
        if let Ok(answer) = serde_json::from_slice::<Answer>(&output.said)
            && output.status.success()
        {
            let sound = answer.usable != answer.problems.iter().any(|p| p.severity == Severity::Error);
            return if sound { Ok(answer.problems) } else { Err(("the child process that tried the policy files contradicted itself".to_owned(), String::new())) };
        }
        let last = output.complaint.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or_default();
        let last: String = last.chars().filter(|c| !c.is_control()).take(200).collect();
        let how = match (std::os::unix::process::ExitStatusExt::signal(&output.status), output.complaint.contains("memory allocation")) {
            (_, true) => "took all the memory it was given".to_owned(),
            (Some(signal), _) => format!("crashed the program that tried them (signal {signal})"),
            (None, _) => format!("made the program that tried them fail ({})", output.status),
        };
        let said = if last.is_empty() { String::new() } else { format!("; it said: {last}") };
        Err((format!("reading the policy files {how}, so they are not used{said}"), undo.to_owned()))
    }
}

/// The child's side: reads the question, answers it.
///
/// # Errors
/// When the question cannot be understood.
pub fn answer(question: &[u8]) -> Result<String, String> {
    let question: Question = serde_json::from_slice(question).map_err(|e| e.to_string())?;
    let mut files = PolicyFiles::new();
    for (path, text) in question.files {
        files.insert(path, STANDARD.decode(text).map_err(|e| e.to_string())?);
    }
    let known = Known {
        people: question.people,
        former_people: question.former_people,
        teams: question.teams,
        former_teams: question.former_teams,
        connectors: question.connectors,
    };
    let checked = policy::check(&files, &known, &question.timezone);
    serde_json::to_string(&Answer { usable: checked.set.is_some(), problems: checked.problems }).map_err(|e| e.to_string())
}
