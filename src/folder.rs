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
        if self.total > MAX_TOTAL || self.files > MAX_FILES {
            return Err(format!("the folder holds more than {MAX_FILES} files or {MAX_TOTAL} bytes"));
        }
        Ok(())
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

/// Reads every file below `folder` whose name ends so: path with `/`, and bytes. Names that begin with a dot are left out.
///
/// # Errors
/// A sentence that names the file: not readable, a symbolic link, too large, too many, too deep.
pub fn read(folder: &Path, endings: &[&str]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut files = BTreeMap::new();
    let mut tally = Tally::default();
    if folder.is_file() {
        let name = folder.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let size = fs::metadata(folder).map_err(|e| format!("cannot read `{}`: {e}", folder.display()))?.len();
        if size > MAX_FILE {
            return Err(format!("`{name}` has {size} bytes; at most {MAX_FILE} are read"));
        }
        files.insert(name, fs::read(folder).map_err(|e| format!("cannot read `{}`: {e}", folder.display()))?);
        return Ok(files);
    }
    walk(folder, "", 0, endings, &mut files, &mut tally)?;
    Ok(files)
}

fn walk(folder: &Path, below: &str, depth: usize, endings: &[&str], files: &mut BTreeMap<String, Vec<u8>>, tally: &mut Tally) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(too_deep(below));
    }
    let told = |path: &Path, e: std::io::Error| format!("cannot read `{}`: {e}", path.display());
    for entry in fs::read_dir(folder).map_err(|e| told(folder, e))? {
        let entry = entry.map_err(|e| told(folder, e))?;
        let Ok(name) = entry.file_name().into_string() else { return Err(format!("a file name below `{below}/` is not UTF-8")) };
        if name.starts_with('.') {
            continue;
        }
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = entry.metadata().map_err(|e| told(&entry.path(), e))?;
        if kind.is_symlink() {
            return Err(is_a_link(&path));
        }
        if kind.is_dir() {
            walk(&entry.path(), &path, depth + 1, endings, files, tally)?;
            continue;
        }
        if !endings.iter().any(|e| path.ends_with(e)) {
            continue;
        }
        tally.admit(&path, kind.len())?;
        files.insert(path, fs::read(entry.path()).map_err(|e| told(&entry.path(), e))?);
    }
    Ok(())
}

/// What a policy folder's files end with.
pub const POLICY_ENDINGS: &[&str] = &[".toml", ".cedar"];
/// What files of people end with.
pub const PEOPLE_ENDINGS: &[&str] = &[".toml", ".csv", ".yaml", ".yml"];
