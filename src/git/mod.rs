//! Reading git repositories by the `git` program: never a work tree, never a hook, no configuration but ours.
//!
//! Every call has a clean environment, a deadline, a bound on its output, and only the protocol that the remote has.
//! [`read_revision`] reads one revision of any repository; [`Mirror`] follows a branch of a remote.

mod mirror;
mod remote;
mod tree;

use std::{path::{Path, PathBuf}, process::Command, time::Duration};

pub use mirror::{Mirror, Unusable};
pub use remote::Remote;
pub use tree::read_revision;

use crate::child::{self, Bounds, Failure, Output};

/// Bounds on a call that stays on this machine.
const LOCAL: Bounds = Bounds { deadline: Duration::from_secs(20), output: 16 * 1024 * 1024 };
/// Bounds on a call that asks a remote.
const FAR: Bounds = Bounds { deadline: Duration::from_secs(60), output: 16 * 1024 * 1024 };
/// Largest file that a fetch may write, in the 512-byte blocks of `ulimit -f`: 1 GiB.
const MOST_BLOCKS: u32 = 2 * 1024 * 1024;

/// What of our own environment git and ssh need: to find programs, keys, proxies and certificates.
const KEPT: [&str; 12] = [
    "PATH", "HOME", "TMPDIR", "SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
];
const SET: [(&str, &str); 12] = [
    ("LC_ALL", "C"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", "/bin/false"),
    ("SSH_ASKPASS", "/bin/false"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_LITERAL_PATHSPECS", "1"),
    ("GIT_PAGER", "cat"),
];
const CONFIG: [(&str, &str); 9] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.unpackLimit", "1"),
    ("gc.autoDetach", "false"),
    ("maintenance.autoDetach", "false"),
    ("gpg.program", "/bin/false"),
    ("gpg.x509.program", "/bin/false"),
    ("credential.helper", ""),
];

/// A repository on this machine to call git in.
#[derive(Debug, Clone)]
struct Git {
    folder: PathBuf,
    /// The one protocol that may be used; none when nothing is fetched.
    protocol: &'static str,
    /// Configuration beside [`CONFIG`]; given in the environment, so that no list of processes shows it.
    config: Vec<(String, String)>,
}

impl Git {
    fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), protocol: "none", config: Vec::new() }
    }

    fn with(&self, key: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.config.push((key.to_owned(), value.to_owned()));
        other
    }

    fn prepare(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.arg("-C").arg(&self.folder).args(arguments).env_clear();
        command.envs(KEPT.iter().filter_map(|key| std::env::var_os(key).map(|value| (key, value)))).envs(SET);
        if std::env::var_os("GIT_SSH_COMMAND").is_none() {
            command.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=10");
        }
        command.env("GIT_ALLOW_PROTOCOL", self.protocol);
        let own = self.config.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        let mut count = 0;
        for (key, value) in CONFIG.into_iter().chain(own) {
            command.env(format!("GIT_CONFIG_KEY_{count}"), key).env(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        command.env("GIT_CONFIG_COUNT", count.to_string());
        command
    }

    fn run(&self, arguments: &[&str], input: Vec<u8>, bounds: Bounds) -> Result<Output, Failure> {
        child::run(self.prepare(Command::new("git"), arguments), input, bounds)
    }

    /// The same with a bound on every file it writes, so that a huge repository does not fill the disk.
    fn run_bounded(&self, arguments: &[&str], bounds: Bounds) -> Result<Output, Failure> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("ulimit -f {MOST_BLOCKS}; exec git \"$@\""), "git"]);
        child::run(self.prepare(shell, arguments), Vec::new(), bounds)
    }

    /// What a call that stays here says.
    fn ask(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        self.ask_with(arguments, Vec::new(), LOCAL)
    }

    fn ask_with(&self, arguments: &[&str], input: Vec<u8>, bounds: Bounds) -> Result<Vec<u8>, String> {
        let output = self.run(arguments, input, bounds).map_err(|e| format!("git {}: {e}", arguments.first().unwrap_or(&"")))?;
        if output.status.success() { Ok(output.said) } else { Err(complaint(&output)) }
    }
}

/// What git complained of, on one line, bounded.
fn complaint(output: &Output) -> String {
    let lines: Vec<&str> = output.complaint.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    // ssh and servers say why on lines of their own, and git then only that it could not read.
    if let Some(cure) = cure(&output.complaint) {
        return cure.to_owned();
    }
    let told: Vec<&str> = lines.iter().filter_map(|l| l.strip_prefix("fatal: ").or_else(|| l.strip_prefix("error: "))).collect();
    let by_ssh = lines.iter().take_while(|l| !l.starts_with("fatal: ")).last().filter(|_| output.complaint.contains("Could not read from remote repository"));
    if let Some(said) = by_ssh {
        return plain(said, 400);
    }
    let text = if told.is_empty() { lines.join("; ") } else { told.join("; ") };
    let text = if text.is_empty() { format!("git ended with {}", output.status) } else { text };
    plain(&text, 400)
}

/// What to do about complaints that remotes on other machines cause, which git words for its own users.
fn cure(complaint: &str) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 8] = [
        ("REMOTE HOST IDENTIFICATION HAS CHANGED", "the server's host key is not the one in known_hosts; somebody may be in between: compare it with the server's own before you replace it"),
        ("Host key verification failed", "the server's host key is not in known_hosts; add it, from the server's own, for the user that runs bandpass"),
        ("Permission denied (", "the server does not take our ssh key; add its public part to the repository as a deploy key that may read"),
        ("Authentication failed", "the server does not take the token or password of `policy.source`; give a new one that may read, by BANDPASS__POLICY__SOURCE"),
        ("could not read Username", "the server asks for a token, and `policy.source` has none; write https://TOKEN@HOST/REPO into BANDPASS__POLICY__SOURCE"),
        ("could not read Password", "the server asks for a token, and `policy.source` has none that it takes; write https://USER:TOKEN@HOST/REPO into BANDPASS__POLICY__SOURCE"),
        ("server certificate verification failed", "the server's certificate is by no authority that this machine knows; name its own in GIT_SSL_CAINFO"),
        ("SSL certificate problem", "the server's certificate is by no authority that this machine knows; name its own in GIT_SSL_CAINFO"),
    ];
    KNOWN.iter().find(|(said, _)| complaint.contains(said)).map(|(_, cure)| *cure)
}

/// Text from outside for people: bounded, without control characters or direction marks.
fn plain(text: &str, most: usize) -> String {
    let deceptive = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !deceptive(*c)).take(most).collect()
}

/// Whether git can be called.
///
/// # Errors
/// A sentence that says what to install.
pub fn installed() -> Result<(), String> {
    match Git::at(Path::new("/")).run(&["--version"], Vec::new(), LOCAL) {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("`git --version` failed: {}", complaint(&output))),
        Err(error) => Err(format!("`policy.source` is a git repository, which is read by git: {error}")),
    }
}
