//! Our own copy of the followed branch: bare, fetched by fast-forward only, with signatures when they are asked for.

use std::{fs, path::{Path, PathBuf}, process::Command};

use super::{FAR, Git, LOCAL, Remote, complaint, plain, tree};
use crate::{child::{self, Failure}, domain::{commit::{self, Commit}, nearest::nearest}, policy::PolicyFiles};

/// Where the newest fetched commit is kept.
const FOLLOWED: &str = "refs/bandpass/followed";
/// The most new commits at once whose signatures are checked.
const MOST_NEW: usize = 1000;

/// Why a look brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// The remote did not answer; nothing is known about its policy.
    Unreachable(String),
    /// What it has cannot be used.
    Refused {
        /// What is wrong.
        message: String,
        /// What to do.
        help: Option<String>,
    },
}

impl Unusable {
    fn refused(message: impl Into<String>, help: &str) -> Self {
        Self::Refused { message: message.into(), help: Some(help.to_owned()).filter(|h| !h.is_empty()) }
    }
}

/// A branch of a remote that is followed through a bare repository of our own.
#[derive(Debug, Clone)]
pub struct Mirror {
    /// The bare repository; made when missing, and may be deleted at any time.
    pub folder: PathBuf,
    /// What is followed.
    pub remote: Remote,
    /// Its branch.
    pub branch: String,
    /// The folder in it; empty is the whole.
    pub below: String,
    /// Lines in the form of git's `allowed_signers`, or names of files of them; empty asks for no signature.
    pub signers: Vec<String>,
}

impl Mirror {
    /// It for people and for the log.
    pub fn shown(&self) -> String {
        let below = if self.below.is_empty() { String::new() } else { format!(", folder {}", self.below) };
        format!("{}, branch {}{below}", self.remote.shown(), self.branch)
    }

    fn git(&self) -> Git {
        Git::at(&self.folder)
    }

    /// Brings the newest commit of the branch here. Blocks, for a minute at most.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn fetch(&self) -> Result<Commit, Unusable> {
        let unreachable = |text: String| Unusable::Unreachable(self.remote.without_secret(&text));
        if self.remote.is_local() {
            let path = self.remote.url.strip_prefix("file://").unwrap_or(&self.remote.url);
            fs::metadata(path).map_err(|e| unreachable(format!("cannot read the repository `{path}`: {e}")))?;
        }
        self.make().map_err(unreachable)?;
        let git = Git { protocol: self.remote.protocol, ..self.git() }.with("remote.origin.url", &self.remote.url);
        let refspec = format!("+refs/heads/{}:{FOLLOWED}", self.branch);
        let output = match git.run_bounded(&["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "origin", &refspec], FAR) {
            Ok(output) => output,
            Err(error) => {
                self.begin_anew();
                return Err(unreachable(format!("fetching failed: {error}")));
            }
        };
        if output.status.success() {
            return self.describe(FOLLOWED).map_err(|e| Unusable::refused(e, ""));
        }
        let told = complaint(&output);
        if output.complaint.contains("couldn't find remote ref") {
            return Err(self.no_branch(&git));
        }
        if output.complaint.contains("lock") || output.complaint.contains("died of signal") {
            self.begin_anew();
        }
        if output.complaint.contains("died of signal 25") {
            return Err(Unusable::refused("the repository is larger than 1 GiB, more than is fetched", "keep policy in a repository of its own"));
        }
        Err(unreachable(format!("fetching failed: {told}")))
    }

    fn make(&self) -> Result<(), String> {
        if self.folder.join("HEAD").exists() {
            return Ok(());
        }
        fs::create_dir_all(&self.folder).map_err(|e| format!("cannot make the folder `{}`: {e}", self.folder.display()))?;
        self.git().ask(&["init", "--quiet", "--bare", "--template=", "."]).map(drop)
    }

    /// A fetch that was killed leaves locks and halves of packs behind; everything here can be fetched again.
    fn begin_anew(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }

    fn no_branch(&self, git: &Git) -> Unusable {
        let listed = git.ask_with(&["ls-remote", "--heads", "origin"], Vec::new(), FAR).unwrap_or_default();
        let text = String::from_utf8_lossy(&listed).into_owned();
        let branches: Vec<&str> = text.lines().filter_map(|l| l.split_once("refs/heads/")).map(|(_, name)| name).collect();
        if branches.is_empty() {
            return Unusable::refused("the repository is empty: it has no branch yet", "push a commit with the policy files to it");
        }
        let near = nearest(&self.branch, branches.iter().copied()).or(branches.first().copied().filter(|_| branches.len() == 1));
        let near = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        Unusable::refused(format!("the repository has no branch `{}`{near}", self.branch), "set `policy.branch`, or push the branch")
    }

    fn describe(&self, revision: &str) -> Result<Commit, String> {
        let said = self.git().ask(&["log", "-1", "--no-show-signature", "--no-color", "--format=%H%x00%an%x00%ae%x00%s", revision])?;
        let text = String::from_utf8_lossy(&said);
        let mut parts = text.trim_end_matches('\n').split('\0');
        let mut next = |most| plain(parts.next().unwrap_or_default(), most);
        Ok(Commit { id: next(64), author: next(120), author_email: next(200), subject: next(200) })
    }

    /// Whether `head` may follow the commit that is in force: by fast-forward, and signed when signatures are asked for.
    /// Blocks.
    ///
    /// # Errors
    /// [`Unusable::Refused`], naming the commits.
    pub fn may_follow(&self, in_force: Option<&Commit>, head: &Commit) -> Result<(), Unusable> {
        if let Some(before) = in_force.filter(|c| c.id != head.id)
            && self.git().ask(&["merge-base", "--is-ancestor", &before.id, &head.id]).is_err()
        {
            let (old, new) = (before.short(), head.short());
            return Err(Unusable::refused(
                format!("commit {new} on branch `{}` does not descend from commit {old}, which is in force: the branch was rewritten (a force-push)", self.branch),
                &format!("push the branch with {old} in its history again; if the rewrite is meant, make it a descendant: git merge -s ours {}", before.id),
            ));
        }
        if self.signers.is_empty() { Ok(()) } else { self.check_signatures(in_force, head) }
    }

    /// Without a commit in force the newest alone must be signed: its signature covers all files.
    fn check_signatures(&self, in_force: Option<&Commit>, head: &Commit) -> Result<(), Unusable> {
        if let Err(Failure::Absent(_)) = child::run(Command::new("ssh-keygen"), Vec::new(), LOCAL) {
            return Err(Unusable::refused("`policy.signers` is set, but the program `ssh-keygen`, which checks signatures, is not installed", "install openssh-client"));
        }
        let refused = |e: String| Unusable::refused(e, "");
        let list = self.write_signers().map_err(refused)?;
        let git = self.git().with("gpg.format", "ssh").with("gpg.ssh.allowedSignersFile", &list.display().to_string()).with("gpg.minTrustLevel", "fully");
        let range = in_force.filter(|c| c.id != head.id).map_or_else(|| head.id.clone(), |c| format!("{}..{}", c.id, head.id));
        let count = (MOST_NEW + 1).to_string();
        let mut arguments = vec!["log", "--no-color", "--format=%H %G?", "-n", if range == head.id { "1" } else { &count }];
        arguments.push(&range);
        let said = git.ask_with(&arguments, Vec::new(), FAR).map_err(refused)?;
        let text = String::from_utf8_lossy(&said).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() > MOST_NEW {
            return Err(Unusable::refused(format!("more than {MOST_NEW} commits are new at once; their signatures are not checked"), "push in smaller steps"));
        }
        for line in lines {
            let (id, state) = line.split_once(' ').unwrap_or((line, ""));
            let fault = match state {
                "G" => continue,
                "N" => "is not signed",
                "B" => "has a bad signature",
                "U" => "is signed by a key that `policy.signers` does not list",
                _ => "has a signature that cannot be checked (of another kind than ssh, expired, or by an unlisted key)",
            };
            return Err(Unusable::refused(
                format!("commit {} {fault}", commit::short(id)),
                "every commit since the one in force must be signed by a listed key, merges as well; sign it (git commit --amend -S, git rebase --exec) and push",
            ));
        }
        Ok(())
    }

    fn write_signers(&self) -> Result<PathBuf, String> {
        let mut text = String::new();
        for entry in &self.signers {
            match entry.trim().contains(' ') {
                true => text.push_str(entry),
                false => text.push_str(&fs::read_to_string(entry).map_err(|e| format!("`policy.signers` names the file `{entry}`, which cannot be read: {e}"))?),
            }
            text.push('\n');
        }
        let path = self.folder.join("allowed-signers");
        let path = std::path::absolute(&path).unwrap_or(path);
        write_if_changed(&path, &text).map_err(|e| format!("cannot write `{}`: {e}", path.display()))?;
        Ok(path)
    }

    /// The policy files of a commit that was fetched. Blocks.
    ///
    /// # Errors
    /// [`Unusable::Refused`].
    pub fn files(&self, commit: &Commit) -> Result<PolicyFiles, Unusable> {
        tree::read(&self.git(), &commit.id, &self.below).map_err(|e| Unusable::refused(e, ""))
    }
}

fn write_if_changed(path: &Path, text: &str) -> std::io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|now| now == text) { Ok(()) } else { fs::write(path, text) }
}
