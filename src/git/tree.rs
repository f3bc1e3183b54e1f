//! The policy files of one revision, read as objects: sizes are known before any is read, links are not followed.

use std::path::Path;

use super::{Git, LOCAL};
use crate::{child::Bounds, domain::nearest::nearest, folder::{self, Tally}, policy::PolicyFiles};

/// Reads the policy files below a folder of a revision of a repository on this machine: what `folder::read` would read there.
/// Blocks.
///
/// # Errors
/// A sentence that names the revision or the path: unknown, a symbolic link, a submodule, too large, too many, too deep.
pub fn read_revision(repository: &Path, revision: &str, below: &str) -> Result<PolicyFiles, String> {
    read(&Git::at(repository), revision, below)
}

pub(super) fn read(git: &Git, revision: &str, below: &str) -> Result<PolicyFiles, String> {
    let below = below.trim_matches('/');
    let commit = name_of(git, &format!("{revision}^{{commit}}")).map_err(|e| format!("`{revision}` is no revision of the repository: {e}"))?;
    let root = name_of(git, &format!("{commit}:")).map_err(|e| format!("the files of `{revision}` cannot be read: {e}"))?;
    let tree = if below.is_empty() { root } else { folder_of(git, &commit, below)? };
    let listing = git.ask(&["ls-tree", "-r", "-z", "-l", "--full-tree", &tree]).map_err(|e| format!("the files of `{revision}` cannot be listed: {e}"))?;
    let mut wanted = Vec::new();
    let mut tally = Tally::default();
    for entry in listing.split(|b| *b == 0).filter(|e| !e.is_empty()) {
        let (mode, object, size, path) = parse(entry)?;
        if path.split('/').any(|name| name.starts_with('.')) {
            continue;
        }
        match mode {
            "120000" => return Err(folder::is_a_link(path)),
            "160000" => return Err(format!("`{path}` is a submodule; submodules are not followed: put the files themselves there")),
            _ => {}
        }
        if path.split('/').count() > folder::MAX_DEPTH + 1 {
            return Err(folder::too_deep(path));
        }
        if folder::POLICY_ENDINGS.iter().any(|e| path.ends_with(e)) {
            tally.admit(path, size)?;
            wanted.push((path.to_owned(), object.to_owned()));
        }
    }
    contents(git, wanted)
}

fn name_of(git: &Git, what: &str) -> Result<String, String> {
    let said = git.ask(&["rev-parse", "--verify", "--quiet", "--end-of-options", what]).map_err(|e| if e.starts_with("git ended") { "it is not there".to_owned() } else { e })?;
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

/// The tree of a folder, going down step by step, so that a missing one is named with the nearest.
fn folder_of(git: &Git, commit: &str, below: &str) -> Result<String, String> {
    if below.split('/').any(|name| matches!(name, "" | "." | "..")) {
        return Err(format!("the path `{below}` is not a plain path in the repository"));
    }
    let mut above = format!("{commit}:");
    let mut so_far = String::new();
    for name in below.split('/') {
        let listing = git.ask(&["ls-tree", "-z", "--full-tree", &above])?;
        let text = String::from_utf8_lossy(&listing).into_owned();
        let entries: Vec<(&str, &str)> = text.split('\0').filter_map(|e| e.split_once('\t')).collect();
        so_far = if so_far.is_empty() { name.to_owned() } else { format!("{so_far}/{name}") };
        match entries.iter().find(|(_, n)| *n == name) {
            Some((about, _)) if about.starts_with("040000") => {}
            Some((about, _)) if about.starts_with("120000") => return Err(folder::is_a_link(&so_far)),
            Some(_) => return Err(format!("`{so_far}` is not a folder in the repository")),
            None => {
                let folders = entries.iter().filter(|(about, _)| about.starts_with("040000")).map(|(_, n)| *n);
                let near = nearest(name, folders).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
                return Err(format!("there is no folder `{so_far}` in the repository{near}"));
            }
        }
        above = format!("{commit}:{so_far}");
    }
    name_of(git, &above)
}

/// `<mode> <type> <object> <size>\t<path>`
fn parse(entry: &[u8]) -> Result<(&str, &str, u64, &str), String> {
    let text = std::str::from_utf8(entry).map_err(|_| format!("a file name is not UTF-8: `{}`", super::plain(&String::from_utf8_lossy(entry), 200)))?;
    let odd = || format!("git listed a file in a way that is not understood: `{}`", super::plain(text, 200));
    let (about, path) = text.split_once('\t').ok_or_else(odd)?;
    let mut words = about.split_ascii_whitespace();
    let (mode, object) = (words.next().ok_or_else(odd)?, words.nth(1).ok_or_else(odd)?);
    let size = words.next().and_then(|s| s.parse().ok()).unwrap_or(0);
    Ok((mode, object, size, path))
}

fn contents(git: &Git, wanted: Vec<(String, String)>) -> Result<PolicyFiles, String> {
    let input: String = wanted.iter().map(|(_, object)| format!("{object}\n")).collect();
    // A line of its own stands before each content.
    let bounds = Bounds { output: folder::MAX_TOTAL + 128 * 20_000, ..LOCAL };
    let said = git.ask_with(&["cat-file", "--batch"], input.into_bytes(), bounds).map_err(|e| format!("the files cannot be read: {e}"))?;
    let mut rest = said.as_slice();
    let mut files = PolicyFiles::new();
    for (path, object) in wanted {
        let odd = || format!("git did not hand out `{path}` ({object})");
        let end = rest.iter().position(|b| *b == b'\n').ok_or_else(odd)?;
        let (head, after) = rest.split_at_checked(end).ok_or_else(odd)?;
        let head = std::str::from_utf8(head).map_err(|_| odd())?;
        let size: usize = head.strip_prefix(object.as_str()).and_then(|h| h.strip_prefix(" blob ")).and_then(|s| s.parse().ok()).ok_or_else(odd)?;
        let bytes = after.get(1..=size).ok_or_else(odd)?.to_vec();
        rest = after.get(size + 2..).ok_or_else(odd)?;
        files.insert(path, bytes);
    }
    Ok(files)
}
