//! Reading one revision's files out of a git repository: never the work tree, plain files only, bounded before they are read.

use std::{collections::BTreeMap, io::{BufRead, BufReader, Read, Write}, path::Path, process::{Command, Stdio}};

/// The most bytes of a revision's files altogether, the largest file, the most files, the most levels: as for a folder.
const MAX_TOTAL: u64 = 64 * 1024 * 1024;
const MAX_FILE: u64 = 4 * 1024 * 1024;
const MAX_FILES: usize = 20_000;
const MAX_DEPTH: usize = 8;
/// The longest listing of a tree.
const MAX_LISTING: u64 = 16 * 1024 * 1024;

/// One revision's files, and the commit they are of.
pub struct Revision {
    /// The commit, all its hex digits.
    pub commit: String,
    /// Path below the sub-path with `/`, and bytes.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// `git` in a repository, deaf to what the environment and its hooks would make it do.
fn git(repository: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(repository).args(["-c", "core.fsmonitor=false", "-c", "core.quotePath=false"]).args(arguments);
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE"] {
        command.env_remove(name);
    }
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0").env("GIT_NO_LAZY_FETCH", "1").env("GIT_NO_REPLACE_OBJECTS", "1").env("LC_ALL", "C");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs git and takes at most `most` bytes of its answer.
fn answer(repository: &Path, arguments: &[&str], most: u64) -> Result<Vec<u8>, String> {
    let failed = |e: std::io::Error| format!("cannot run `git`: {e}");
    // Nothing of use comes on standard error but on failure, and then it is short: no pipe can fill up unread.
    let mut child = git(repository, arguments).spawn().map_err(failed)?;
    let mut bytes = Vec::new();
    if let Some(out) = child.stdout.take() {
        out.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("`git {}` answers more than {most} bytes", arguments.join(" ")));
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(bytes);
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(told.lines().next().unwrap_or_default().trim_start_matches("fatal: ").chars().take(300).collect())
}

fn object(repository: &Path, name: &str) -> Result<String, String> {
    let bytes = answer(repository, &["rev-parse", "--verify", "--end-of-options", name], 1024)?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit()) { Ok(text) } else { Err(format!("git names no object for `{name}`")) }
}

/// Reads every file below `path` of a revision whose name ends so. Names that begin with a dot are left out.
///
/// # Errors
/// A sentence: no such revision or folder, a symbolic link, a submodule, too large, too many, too deep.
pub fn read(repository: &Path, revision: &str, path: &str, endings: &[&str]) -> Result<Revision, String> {
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        return Err(format!("`{path}` must be a path inside the repository"));
    }
    let commit = object(repository, &format!("{revision}^{{commit}}")).map_err(|e| format!("`{revision}` is no revision of `{}`: {e}", repository.display()))?;
    let below = path.trim_start_matches("./").trim_end_matches('/');
    let below = if below == "." { "" } else { below };
    // `./` is relative to the folder that `--repo` names, wherever in the repository it is.
    let tree = object(repository, &format!("{commit}:./{below}")).map_err(|_| format!("revision `{revision}` has no folder `{path}`"))?;
    let listing = answer(repository, &["ls-tree", "-r", "-z", "-l", "--full-tree", &tree], MAX_LISTING)
        .map_err(|e| format!("cannot list `{path}` of revision `{revision}`: {e}"))?;
    let mut wanted: Vec<(String, String)> = Vec::new();
    let mut total = 0;
    for entry in listing.split(|b| *b == 0).filter(|e| !e.is_empty()) {
        let entry = std::str::from_utf8(entry).map_err(|_| format!("a file name in revision `{revision}` is not UTF-8"))?;
        let Some((facts, name)) = entry.split_once('\t') else { return Err(format!("git lists `{entry}`, which cannot be read")) };
        let facts: Vec<&str> = facts.split_whitespace().collect();
        let [mode, kind, id, size] = facts.as_slice() else { return Err(format!("git lists `{entry}`, which cannot be read")) };
        if name.split('/').any(|part| part.starts_with('.')) {
            continue;
        }
        match (*mode, *kind) {
            ("120000", _) => return Err(format!("`{name}` in revision `{revision}` is a symbolic link; links are not followed, since they may lead anywhere")),
            (_, "commit") => return Err(format!("`{name}` in revision `{revision}` is a submodule; submodules are not followed")),
            _ => {}
        }
        if !endings.iter().any(|e| name.ends_with(e)) {
            continue;
        }
        if name.split('/').count() > MAX_DEPTH + 1 {
            return Err(format!("`{name}` lies deeper than {MAX_DEPTH} folders"));
        }
        let size: u64 = size.parse().map_err(|_| format!("git gives no size for `{name}`"))?;
        if size > MAX_FILE {
            return Err(format!("`{name}` has {size} bytes; at most {MAX_FILE} are read"));
        }
        total += size;
        if total > MAX_TOTAL || wanted.len() >= MAX_FILES {
            return Err(format!("revision `{revision}` holds more than {MAX_FILES} files or {MAX_TOTAL} bytes"));
        }
        wanted.push((name.to_owned(), (*id).to_owned()));
    }
    Ok(Revision { files: contents(repository, wanted)?, commit })
}

/// The bytes of objects: one question, one answer, so that neither pipe ever fills up.
fn contents(repository: &Path, wanted: Vec<(String, String)>) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let failed = |e: std::io::Error| format!("git stopped answering: {e}");
    let mut child = git(repository, &["cat-file", "--batch"]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(failed)?;
    let (Some(mut ask), Some(out)) = (child.stdin.take(), child.stdout.take()) else { return Err("git cannot be asked".to_owned()) };
    let mut out = BufReader::new(out);
    let mut files = BTreeMap::new();
    for (name, id) in wanted {
        writeln!(ask, "{id}").and_then(|()| ask.flush()).map_err(failed)?;
        let mut head = String::new();
        out.by_ref().take(256).read_line(&mut head).map_err(failed)?;
        let size = match head.split_whitespace().collect::<Vec<_>>().as_slice() {
            [_, "blob", size] => size.parse::<u64>().ok().filter(|s| *s <= MAX_FILE),
            _ => None,
        };
        let size = size.ok_or_else(|| format!("git does not give the content of `{name}`: {}", head.trim()))?;
        let mut bytes = Vec::new();
        out.by_ref().take(size + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.pop() != Some(b'\n') || u64::try_from(bytes.len()).ok() != Some(size) {
            return Err(format!("git cut the content of `{name}` short"));
        }
        files.insert(name, bytes);
    }
    drop(ask);
    child.wait().map_err(failed)?;
    Ok(files)
}
