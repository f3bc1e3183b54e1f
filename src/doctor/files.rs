//! The run folder, the database file and the keys: there, writable, and for nobody else.

use std::{fs::{self, Metadata}, os::unix::fs::PermissionsExt, path::{Path, PathBuf}};

use super::{Finding, Ground};
use crate::{audit::checkpoint::Signer, child::{self, Bounds}, store::db::Location};

const NAME: &str = "files";

/// What may be left to others of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    /// Nothing at all: keys.
    Nothing,
    /// Nothing either, though reading alone gives nobody power: the database, which holds what people wrote.
    Privacy,
    /// Nothing that changes it.
    Reading,
}

pub(super) async fn check(ground: &Ground) -> Vec<Finding> {
    let ground = ground.clone();
    tokio::task::spawn_blocking(move || look(&ground)).await.unwrap_or_default()
}

fn look(ground: &Ground) -> Vec<Finding> {
    let settings = &ground.settings;
    let folder = &settings.run.folder;
    let mut found = Vec::new();
    match fs::metadata(folder) {
        Ok(about) if !about.is_dir() => found.push(Finding::fault(NAME, format!("`run.folder` is `{}`, which is no folder", folder.display()), "set `run.folder` to a folder for keys, socket and copies of policy")),
        Ok(about) => found.extend(too_open(folder, &about, Others::Reading).into_iter().chain(unwritable(folder))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if let Some(above) = folder.ancestors().skip(1).find(|p| p.exists() || p.as_os_str().is_empty()) {
                let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
                found.extend(unwritable(above));
            }
        }
        Err(error) => found.push(Finding::fault(NAME, format!("`run.folder` is `{}`, which cannot be looked at: {error}", folder.display()), "give the user that runs bandpass the right to it")),
    }
    let mut keys: Vec<(PathBuf, Others)> = vec![(settings.audit.key_file.clone(), Others::Nothing), (folder.join("session.key"), Others::Nothing)];
    if let Location::Sqlite(path) = &ground.location {
        keys.push((path.clone(), Others::Privacy));
    }
    for (path, others) in &keys {
        match fs::metadata(path) {
            Ok(about) => found.extend(too_open(path, &about, *others)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => found.push(Finding::fault(NAME, format!("`{}` cannot be looked at: {error}", path.display()), "give the user that runs bandpass the right to it")),
        }
    }
    if settings.audit.key_file.exists()
        && let Err(error) = Signer::open(&settings.audit.key_file, &settings.audit.origin)
    {
        found.push(Finding::fault(NAME, error, "set `audit.key_file` to the key that signed the checkpoints so far; only where there are none, remove the file and a start makes a new one"));
    }
    let data = match &ground.location {
        Location::Sqlite(path) => path.parent().filter(|p| !p.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned),
        Location::Postgres(_) => folder.clone(),
    };
    found.extend(short_of_space(&data));
    if found.is_empty() {
        let there = keys.iter().filter(|(p, _)| p.exists()).count();
        let detail = if there == 0 { format!("`{}` can be written; the first start makes keys there", folder.display()) } else { format!("`{}` can be written, and keys and database are this user's alone", folder.display()) };
        found.push(Finding::ok(NAME, detail));
    }
    found
}

/// Whether the disk of a folder is nearly full, as `df` tells it.
fn short_of_space(folder: &Path) -> Option<Finding> {
    let mut df = std::process::Command::new("df");
    df.arg("-Pk").arg(folder.ancestors().find(|p| p.exists()).filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")));
    let said = child::run(df, Vec::new(), Bounds { deadline: std::time::Duration::from_secs(5), output: 64 * 1024 }).ok()?;
    let text = String::from_utf8_lossy(&said.said).into_owned();
    let mut columns = text.lines().nth(1)?.split_whitespace().skip(1);
    let (whole, _, free): (u64, u64, u64) = (columns.next()?.parse().ok()?, columns.next()?.parse().ok()?, columns.next()?.parse().ok()?);
    let shown = folder.display();
    let detail = format!("{} MiB are free where `{shown}` lies, of {} MiB", free / 1024, whole / 1024);
    let cure = "make room: without it nothing new is recorded, and so nothing granted";
    match free {
        0..=65_536 => Some(Finding::fault(NAME, detail, cure)),
        _ if free < 1024 * 1024 && free < whole / 20 => Some(Finding::warning(NAME, detail, cure)),
        _ => None,
    }
}

fn too_open(path: &Path, about: &Metadata, others: Others) -> Option<Finding> {
    let mode = about.permissions().mode() & 0o777;
    let (bits, may, cure) = match others {
        Others::Nothing => (0o077, "use", "600"),
        Others::Privacy if mode & 0o022 == 0 => (0o077, "read", "600"),
        Others::Privacy => (0o077, "change", "600"),
        Others::Reading => (0o022, "write to", "700"),
    };
    let shown = path.display();
    let detail = format!("other users of this machine may {may} `{shown}` (mode {mode:03o})");
    let cure = format!("chmod {cure} {shown}");
    (mode & bits != 0).then(|| if may == "read" { Finding::warning(NAME, detail, cure) } else { Finding::fault(NAME, detail, cure) })
}

fn unwritable(folder: &Path) -> Option<Finding> {
    let try_out = folder.join(format!(".bandpass-doctor-{}", std::process::id()));
    let written = fs::write(&try_out, b"").and_then(|()| fs::remove_file(&try_out));
    let shown = folder.display();
    written.err().map(|e| Finding::fault(NAME, format!("`{shown}` cannot be written: {e}"), format!("give the user that runs bandpass the right: chown BANDPASS-USER {shown}")))
}
