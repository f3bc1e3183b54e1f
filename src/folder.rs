//! Reading a folder of policy or people: plain files only, bounded before they are read, no symbolic links.

use std::{collections::BTreeMap, fs, path::Path};

/// The most bytes that a folder may hold altogether.
pub const MAX_TOTAL: u64 = 64 * 1024 * 1024;
/// The largest file.
const MAX_FILE: u64 = 4 * 1024 * 1024;
/// The most files.
const MAX_FILES: usize = 20_000;
/// The most levels.
pub const MAX_DEPTH: usize = 8;

/// What has been admitted so far, by count and bytes; sizes are asked before anything is read.
#[derive(Debug, Default)]
pub struct Tally {
    files: usize,
    total: u64,
}

impl Tally {
    /// Admits one more file.
    ///
    /// # Errors
    /// A sentence that names the file or the bound.
    pub fn admit(&mut self, path: &str, bytes: u64) -> Result<(), String> {
        if bytes > MAX_FILE {
            return Err(format!("`{path}` has {bytes} bytes; at most {MAX_FILE} are read"));
        }
        self.total += bytes;
        self.files += 1;
        if self.is_full() {
            return Err(format!("the folder holds more than {MAX_FILES} files or {MAX_TOTAL} bytes"));
        }
        Ok(())
    }

    /// Whether a bound on the whole folder is passed.
    fn is_full(&self) -> bool {
        self.total > MAX_TOTAL || self.files > MAX_FILES
    }
}

/// What is said of a symbolic link.
pub fn is_a_link(path: &str) -> String {
    format!("`{path}` is a symbolic link; links are not followed, since they may lead anywhere")
}

/// What is said of a path that lies too deep.
pub fn too_deep(path: &str) -> String {
    format!("`{path}` lies deeper than {MAX_DEPTH} folders")
}

/// A file or folder that is not read, and why: a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Path with `/` below the folder that was asked for; empty for that folder itself.
    pub path: String,
    /// Why.
    pub why: String,
}

/// What a look into a folder gives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Looked {
    /// Path with `/`, and bytes.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What stays unread; whoever wants all of the folder has nothing as long as this is not empty.
    pub unreadable: Vec<Unreadable>,
}

/// Reads every file below `folder` whose name ends so. Names that begin with a dot are left out.
///
/// # Errors
/// A sentence that names the file: not readable, a symbolic link, too large, too many, too deep.
pub fn read(folder: &Path, endings: &[&str]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let looked = look(folder, endings);
    match looked.unreadable.as_slice() {
        [] => Ok(looked.files),
        [only] => Err(only.why.clone()),
        [first, more @ ..] => Err(format!("{}; and {} more that cannot be read", first.why, more.len())),
    }
}

/// As [`read`], but goes on behind what cannot be read, so that everything that is wrong can be told at once.
pub fn look(folder: &Path, endings: &[&str]) -> Looked {
    let mut looking = Looking { endings, tally: Tally::default(), looked: Looked::default() };
    if folder.is_file() {
        let name = folder.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        match fs::metadata(folder) {
            Ok(found) => looking.take(folder, name, found.len()),
            Err(error) => looking.tell(&name, cannot_read(folder, &error)),
        }
    } else {
        looking.walk(folder, "", 0);
    }
    looking.looked
}

fn cannot_read(path: &Path, error: &std::io::Error) -> String {
    format!("cannot read `{}`: {error}", path.display())
}

struct Looking<'a> {
    endings: &'a [&'a str],
    tally: Tally,
    looked: Looked,
}

impl Looking<'_> {
    fn tell(&mut self, path: &str, why: String) {
        self.looked.unreadable.push(Unreadable { path: path.to_owned(), why });
    }

    fn take(&mut self, file: &Path, path: String, bytes: u64) {
        if let Err(why) = self.tally.admit(&path, bytes) {
            return self.tell(&path, why);
        }
        match fs::read(file) {
            Ok(bytes) => drop(self.looked.files.insert(path, bytes)),
            Err(error) => self.tell(&path, cannot_read(file, &error)),
        }
    }

    fn walk(&mut self, folder: &Path, below: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return self.tell(below, too_deep(below));
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.tell(below, cannot_read(folder, &error)),
        };
        for entry in entries {
            // Past a bound on the whole folder every further file would say the same.
            if self.tally.is_full() {
                return;
            }
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return self.tell(below, cannot_read(folder, &error)),
            };
            let Ok(name) = entry.file_name().into_string() else {
                self.tell(below, format!("a file name below `{below}/` is not UTF-8"));
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            match entry.metadata() {
                Err(error) => self.tell(&path, cannot_read(&entry.path(), &error)),
                Ok(kind) if kind.is_symlink() => self.tell(&path, is_a_link(&path)),
                Ok(kind) if kind.is_dir() => self.walk(&entry.path(), &path, depth + 1),
                Ok(kind) if self.endings.iter().any(|e| path.ends_with(e)) => self.take(&entry.path(), path, kind.len()),
                Ok(_) => {}
            }
        }
    }
}

/// What a policy folder's files end with.
pub const POLICY_ENDINGS: &[&str] = &[".toml", ".cedar"];
/// What files of people end with.
pub const PEOPLE_ENDINGS: &[&str] = &[".toml", ".csv", ".yaml", ".yml"];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_look_tells_everything_that_cannot_be_read_and_reads_the_rest() {
        let folder = std::env::temp_dir().join(format!("bandpass_folder_{}", std::process::id()));
        fs::create_dir_all(folder.join("groups")).unwrap();
        fs::write(folder.join("groups/good.toml"), "title = \"Good\"").unwrap();
        fs::write(folder.join("groups/huge.toml"), vec![b'#'; 5_000_000]).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.join("groups/link.toml")).unwrap();
        let looked = look(&folder, POLICY_ENDINGS);
        assert_eq!(looked.files.keys().collect::<Vec<_>>(), ["groups/good.toml"]);
        let mut unread: Vec<&str> = looked.unreadable.iter().map(|u| u.path.as_str()).collect();
        unread.sort_unstable();
        assert_eq!(unread, ["groups/huge.toml", "groups/link.toml"]);
        // Whoever wants all of it has nothing, and is told that there is more than one.
        assert!(read(&folder, POLICY_ENDINGS).unwrap_err().ends_with("and 1 more that cannot be read"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
