//! Every code of a problem: a small set that has it, and what `policy check` says to it. `tests/golden/policy-problems.txt` is
//! read like a page: the files, then the answer. The table of codes, the README and the source are held together here.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::{Path, PathBuf}};

use bandpass::{
    domain::problem::{Problem, Severity},
    policy::{self, Known, PolicyFiles, codes::{self, CODES}, prove, render},
};

mod cases;

/// Files of a case that the page shows.
const FILES_SHOWN: usize = 3;

const ROLES: &str = "[admin]\nwho = [\"team:admins\"]\n";

/// The names that the cases may use.
pub fn known() -> Known {
    let teams = [("admins", 2), ("ops", 4), ("owners", 3), ("pair", 2), ("empty", 0)];
    Known {
        people: ["ann", "olga"].map(|p| p.parse().unwrap()).into(),
        former_people: ["lena".parse().unwrap()].into(),
        teams: teams.map(|(t, n)| (t.parse().unwrap(), n)).into(),
        former_teams: ["sales".parse().unwrap()].into(),
        connectors: ["warehouse".parse().unwrap()].into(),
    }
}

/// A set with an admin and whatever else is needed.
fn files(own: &[(String, Vec<u8>)]) -> PolicyFiles {
    let mut files: PolicyFiles = own.iter().cloned().collect();
    files.entry("roles.toml".to_owned()).or_insert_with(|| ROLES.into());
    files
}

fn told(case: &cases::Case) -> Vec<Problem> {
    let files = files(&case.files);
    let mut problems = policy::check(&files, &known(), case.timezone).problems;
    if let Some(claims) = files.get("proofs.toml") {
        let set = policy::check(&files, &known(), case.timezone).set.unwrap();
        problems.extend(prove::read(std::str::from_utf8(claims).unwrap(), &set).1);
    }
    if files.keys().any(|path| path.starts_with("tests/")) {
        let set = policy::check(&files, &known(), case.timezone).set.unwrap();
        problems.extend(policy::fixture::read(&files, &set).1);
    }
    problems.extend(case.elsewhere.iter().cloned());
    problems
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn accepting() -> bool {
    std::env::var_os("BANDPASS_ACCEPT").is_some()
}

/// What a file of a case looks like on the page: sound ones by name only, long ones by their beginning.
fn shown(path: &str, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    if text == cases::sound_group() {
        return format!("{path}: the sound group\n");
    }
    let (lines, letters) = if text.lines().count() > 40 || text.len() > 1500 { (10, 60) } else { (usize::MAX, usize::MAX) };
    let mut page = format!("{path}:\n");
    for line in text.lines().take(lines) {
        let line: String = line.chars().take(letters).collect();
        let _ = writeln!(page, "    {line}");
    }
    if lines < usize::MAX {
        let _ = writeln!(page, "    ... {} lines, {} bytes", text.lines().count(), bytes.len());
    }
    page
}

#[test]
fn every_code_has_a_case_and_its_text_underline_and_help_are_as_written_down() {
    let mut page = String::from("What `bandpass policy check` says to each code. Written by BANDPASS_ACCEPT=1 cargo test --test it every_code_has_a_case\n\nThe sound group:\n");
    page.push_str(&cases::sound_group().lines().map(|l| format!("    {l}\n")).collect::<String>());
    let mut seen = BTreeSet::new();
    for case in cases::all() {
        let code = codes::code(case.code).unwrap_or_else(|| panic!("{} is not in the table", case.code));
        assert!(seen.insert(code.id), "{} has two cases", code.id);
        let problems = told(&case);
        let own: Vec<&Problem> = problems.iter().filter(|p| p.code == code.id).collect();
        assert!(!own.is_empty(), "the case of {} does not have it: {problems:#?}", code.id);
        let _ = writeln!(page, "\n======== {}: {}\n", code.id, code.title);
        for (path, bytes) in case.files.iter().take(FILES_SHOWN) {
            let _ = writeln!(page, "{}", shown(path, bytes).trim_end());
        }
        if case.files.len() > FILES_SHOWN {
            let _ = writeln!(page, "... and {} more files", case.files.len() - FILES_SHOWN);
        }
        page.push('\n');
        for problem in own {
            assert_eq!(problem.severity, code.severity, "{}", code.id);
            assert!(problem.help.as_ref().is_some_and(|h| h.len() > 8), "{} has no help", code.id);
            let _ = writeln!(page, "{}\n", render::text(problem).trim_end());
        }
        // What a case says beside its code is noise to whoever reads the page, and hides what the case is about.
        let beside: BTreeSet<&str> = problems.iter().filter(|p| p.code != code.id && p.severity != Severity::Note).map(|p| p.code.as_str()).collect();
        assert_eq!(beside, case.beside.iter().copied().collect(), "{}", code.id);
    }
    let missing: Vec<&str> = CODES.iter().map(|c| c.id).filter(|id| !seen.contains(id)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "codes without a case");
    assert!(CODES.len() >= 40);
    let path = root().join("tests/golden/policy-problems.txt");
    if accepting() {
        fs::write(&path, &page).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    let differs = golden.lines().zip(page.lines()).position(|(a, b)| a != b);
    assert!(golden == page, "tests/golden/policy-problems.txt differs from line {:?}; BANDPASS_ACCEPT=1 writes it", differs.map(|n| n + 1));
}

#[test]
fn codes_are_sorted_and_each_is_told_once() {
    assert!(CODES.windows(2).all(|pair| pair[0].id < pair[1].id));
    let titles: BTreeSet<&str> = CODES.iter().map(|c| c.title).collect();
    assert_eq!(titles.len(), CODES.len());
}

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

/// Codes between quotation marks in a text.
fn quoted(text: &str) -> BTreeSet<String> {
    let at = text.match_indices("\"BP").map(|(at, _)| at + 1);
    at.filter_map(|at| text.get(at..at + 6)).filter(|t| t[2..5].bytes().all(|b| b.is_ascii_digit()) && t.ends_with('"')).map(|t| t[..5].to_owned()).collect()
}

#[test]
fn every_code_of_the_source_is_in_the_table_and_every_code_of_the_table_in_the_source() {
    let mut found = Vec::new();
    sources(&root().join("src"), &mut found);
    let mut used = BTreeSet::new();
    for path in found.iter().filter(|p| !p.ends_with("policy/codes.rs")) {
        used.extend(quoted(&fs::read_to_string(path).unwrap()));
    }
    let table: BTreeSet<String> = CODES.iter().map(|c| c.id.to_owned()).collect();
    assert_eq!(used, table);
}

#[test]
fn the_readme_has_the_table_as_it_is() {
    let path = root().join("policies/README.md");
    let text = fs::read_to_string(&path).unwrap();
    let start = text.find("| code | |").unwrap();
    let end = start + text[start..].find("\n\n").unwrap() + 1;
    if accepting() {
        fs::write(&path, format!("{}{}{}", &text[..start], codes::table(), &text[end..])).unwrap();
        return;
    }
    assert!(text[start..end] == codes::table(), "the table of policies/README.md is not that of src/policy/codes.rs; BANDPASS_ACCEPT=1 writes it");
}

/// The errors of the first release. Any other must be forgiven to a set that was in force before the check existed: else a
/// restart of a new version would find no policy at all.
const FIRST_ERRORS: &[&str] = &[
    "BP001", "BP002", "BP003", "BP004", "BP005", "BP006", "BP007", "BP008", "BP009", "BP011", "BP012", "BP013", "BP014", "BP020", "BP021", "BP022",
    "BP023", "BP024", "BP025", "BP030", "BP031", "BP032", "BP040", "BP041", "BP042", "BP043", "BP044", "BP045", "BP046", "BP047", "BP050", "BP051",
    "BP052", "BP053", "BP054", "BP055", "BP057", "BP058", "BP059", "BP070",
    // Split off BP001: the parser refused it before, too.
    "BP015",
    // Not of a set.
    "BP180", "BP181", "BP190", "BP191", "BP192", "BP193",
];

#[test]
fn a_check_younger_than_a_kept_set_never_takes_it_out_of_force() {
    let late: Vec<&str> = CODES.iter().filter(|c| c.severity == Severity::Error && !FIRST_ERRORS.contains(&c.id)).map(|c| c.id).collect();
    assert!(late.contains(&"BP068"));
    for case in cases::all().into_iter().filter(|c| late.contains(&c.code)) {
        let files = files(&case.files);
        assert!(policy::check(&files, &known(), "UTC").set.is_none(), "{} loads", case.code);
        let kept = policy::compile_kept(&files, "UTC");
        assert!(kept.set.is_some(), "{} takes a kept set out of force: {:#?}", case.code, kept.problems);
    }
    for case in cases::all().into_iter().filter(|c| codes::code(c.code).unwrap().severity != Severity::Error && c.beside.iter().all(|b| codes::code(b).unwrap().severity != Severity::Error)) {
        if case.code != "BP018" {
            assert!(policy::check(&files(&case.files), &known(), "UTC").set.is_some(), "{} is no error, and the set does not load", case.code);
        }
    }
}
