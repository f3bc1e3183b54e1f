//! Who may import whom (design, section 3), read from the `use` lines and `crate::` paths of every file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const ROOMS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("policy", &["domain"]),
    ("directory", &["domain"]),
    ("store", &["domain", "tls"]),
    ("ledger", &["domain", "policy", "directory", "store"]),
    ("audit", &["domain", "policy", "store", "ledger"]),
    ("connector", &["domain"]),
    // `folder` reads plain files and `policy` checks them: the policy source needs both.
    // `git` does the same for repositories, and `child` tries what was read in another process.
    ("jobs", &["domain", "ledger", "connector", "store", "policy", "folder", "git", "child"]),
    ("auth", &["domain", "store", "ledger", "settings", "outgoing"]),
    // `doctor` looks at everything that a service needs, as a start would.
    ("doctor", &["domain", "directory", "policy", "store", "ledger", "audit", "connector", "auth", "settings", "startup", "outgoing", "folder", "git", "clock", "admin", "child"]),
    ("web", &["domain", "auth", "ledger", "store", "audit", "directory", "settings", "clock", "doctor"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn is_test(path: &Path) -> bool {
    path.components().any(|c| c.as_os_str() == "tests") || path.file_name().is_some_and(|f| f == "tests.rs")
}

/// Files below `src` with their text, comments left out.
fn files() -> BTreeMap<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    let text = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    };
    found.into_iter().map(|path| (path.strip_prefix(&root).unwrap().to_owned(), text(&path))).collect()
}

/// Rooms named by `crate::ROOM` and by `crate::{ROOM::…, ROOM}`.
fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + 7..];
        let word = |t: &str| t.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match rest.strip_prefix('{') {
            None => {
                found.insert(word(rest));
            }
            Some(list) => {
                let mut depth = 0;
                let mut start = true;
                for (i, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && !c.is_whitespace() => {
                            found.insert(word(&list[i..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

#[test]
fn rooms_import_only_what_the_table_says() {
    let mut wrong = Vec::new();
    for (path, text) in files() {
        let room = path.iter().next().unwrap().to_string_lossy().into_owned();
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else { continue };
        if is_test(&path) {
            continue;
        }
        for other in named(&text) {
            if other != room && !allowed.contains(&other.as_str()) && !other.is_empty() && !other.starts_with("__") {
                wrong.push(format!("{} imports `{other}`", path.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn libraries_stay_in_their_rooms() {
    let homes: &[(&str, &[&str])] = &[
        ("cedar_policy", &["policy"]),
        ("diesel::", &["store"]),
        ("diesel_async", &["store"]),
        ("actix_web", &["web", "startup.rs", "cli"]),
        ("tokio_postgres", &["store", "connector", "tls.rs"]),
        ("openidconnect", &["auth", "outgoing.rs"]),
        ("jsonwebtoken", &["auth"]),
        ("reqwest", &["outgoing.rs"]),
        ("SystemTime::now", &["clock.rs"]),
        ("Timestamp::now", &["clock.rs"]),
        ("now_utc", &["clock.rs"]),
    ];
    let mut wrong = Vec::new();
    for (path, text) in files() {
        let room = path.iter().next().unwrap().to_string_lossy().into_owned();
        for (word, allowed) in homes {
            if text.contains(word) && !allowed.contains(&room.as_str()) && !is_test(&path) {
                wrong.push(format!("{} uses `{word}`", path.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn files_stay_short() {
    let long: Vec<String> = files().iter().filter(|(_, t)| t.lines().count() > 500).map(|(p, t)| format!("{}: {}", p.display(), t.lines().count())).collect();
    assert_eq!(long, Vec::<String>::new());
}
