//! Checking every file as one set, and compiling it.

use std::{collections::{BTreeMap, BTreeSet}, ops::Range, sync::Arc};

use ring::digest::{Context, SHA256};

use super::{
    Checked, Known, PolicyFiles, PolicySet, cedar, codes::{self, of_file},
    group_file::{self, Places},
    guardrails, lint, unknown,
    reader::{Reader, nearest},
    whole_files,
};
use crate::domain::{
    group::{AttributeTypes, Conflict, Group, Guardrail, Roles, Who},
    id::{GroupId, PolicyRevision},
    problem::{Problem, Severity},
};

/// The largest file, in bytes.
const MAX_FILE: usize = 262_144;
/// The most files.
const MAX_FILES: usize = 10_000;

/// A group with what later checks need of its file.
pub(super) struct Draft<'f> {
    pub reader: Reader<'f>,
    pub group: Group,
    pub examples: Vec<group_file::Example>,
    pub places: Places,
}

/// The content hash: a function of the bytes that decide, and of the time zone.
fn revision(files: &BTreeMap<&str, &str>, timezone: &str) -> PolicyRevision {
    let mut context = Context::new(&SHA256);
    let mut add = |bytes: &[u8]| {
        context.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(bytes);
    };
    add(b"bandpass policy set v1");
    add(timezone.as_bytes());
    for (path, text) in files {
        add(path.as_bytes());
        add(text.as_bytes());
    }
    PolicyRevision::from_digest(context.finish().as_ref())
}

/// Whether a file of a policy folder decides anything.
fn decides(path: &str) -> bool {
    !(path.starts_with("org/") || path.starts_with("tests/") || path.ends_with("README.md") || path == "proofs.toml")
}

/// The content hash that a set of these files has, without compiling them; none when a file could never be part of one.
pub fn revision_of(files: &PolicyFiles, timezone: &str) -> Option<PolicyRevision> {
    let mut texts = BTreeMap::new();
    for (path, bytes) in files.iter().filter(|(path, _)| decides(path)) {
        let text = std::str::from_utf8(bytes).ok().filter(|t| t.len() <= MAX_FILE)?;
        texts.insert(path.as_str(), text);
    }
    (files.len() <= MAX_FILES).then(|| revision(&texts, timezone))
}

/// Stack of the thread that parses, in bytes, reserved and not used: parsers of deep text recurse, and a stack that is too small
/// ends the whole process (security.md, 2.25).
pub const PARSING_STACK: usize = 256 * 1024 * 1024;

/// Checks every file as one set and compiles it. `timezone` is an IANA name for `hour` and `weekday`. Files below `org/`
/// and `tests/`, `README.md` and `proofs.toml` decide nothing and are ignored.
///
/// Parsing happens on a thread of its own with a large stack; a parser that panics makes the set unusable, and harms nothing else.
pub fn check(files: &PolicyFiles, known: &Known, timezone: &str) -> Checked {
    on_large_stack(files, known, timezone, false)
}

/// Compiles a set that was in force once. Names that are unknown today match nobody, and a check that is younger than the set
/// is told but does not count: neither a change of people or connectors nor a new version of Bandpass invalidates what is in
/// force, or what is replayed (semantics.md, 7 and 22). Which codes count is said by [`codes::CODES`].
pub fn compile_kept(files: &PolicyFiles, timezone: &str) -> Checked {
    on_large_stack(files, &Known::default(), timezone, true)
}

/// The attributes of people that files declare, whether or not the set can be used: what sources say under their names is kept
/// before the first set is in force.
pub fn attributes_in(files: &PolicyFiles) -> AttributeTypes {
    const NAME: &str = "attributes.toml";
    let Some(text) = files.get(NAME).and_then(|bytes| std::str::from_utf8(bytes).ok()) else { return AttributeTypes::new() };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("policy".to_owned()).stack_size(PARSING_STACK);
        let read = thread.spawn_scoped(scope, || whole_files::read_attributes(&mut Reader::new(NAME, text))).map(std::thread::ScopedJoinHandle::join);
        read.ok().and_then(Result::ok).unwrap_or_default()
    })
}

fn on_large_stack(files: &PolicyFiles, known: &Known, timezone: &str, kept: bool) -> Checked {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("policy".to_owned()).stack_size(PARSING_STACK);
        let checked = thread.spawn_scoped(scope, || compile(files, known, timezone, kept)).map(std::thread::ScopedJoinHandle::join);
        match checked {
            Ok(Ok(checked)) => checked,
            Ok(Err(_)) | Err(_) => {
                let message = "the files could not be read: a parser failed, or no thread could be had";
                Checked { set: None, problems: vec![of_file("", "BP059", message, None)] }
            }
        }
    })
}

/// The texts of the files that decide; what cannot be text is told.
fn texts<'f>(files: &'f PolicyFiles, problems: &mut Vec<Problem>) -> BTreeMap<&'f str, &'f str> {
    let mut texts: BTreeMap<&str, &str> = BTreeMap::new();
    if files.len() > MAX_FILES {
        problems.push(of_file("", "BP050", format!("{} files: at most {MAX_FILES} are read", files.len()), None));
    }
    for (path, bytes) in files.iter().take(MAX_FILES) {
        if !decides(path) {
            continue;
        }
        if bytes.len() > MAX_FILE {
            problems.push(of_file(path, "BP051", format!("the file has {} bytes; at most {MAX_FILE} are read", bytes.len()), None));
            continue;
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                texts.insert(path, text);
            }
            Err(error) => problems.push(not_utf8(path, bytes, error.valid_up_to())),
        }
    }
    texts
}

/// Where a file stops being text, with what of the line can be shown.
fn not_utf8(path: &str, bytes: &[u8], valid: usize) -> Problem {
    let before = bytes.get(..valid).unwrap_or_default();
    let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let line: Vec<u8> = bytes.get(start..).unwrap_or_default().iter().take_while(|b| **b != b'\n').take(200).copied().collect();
    let column = String::from_utf8_lossy(before.get(start..).unwrap_or_default()).chars().count() + 1;
    let byte = bytes.get(valid).copied().unwrap_or_default();
    let mut problem = of_file(path, "BP052", format!("the file is not UTF-8: the byte 0x{byte:02x} cannot stand here"), None);
    problem.line = u32::try_from(before.iter().filter(|b| **b == b'\n').count() + 1).unwrap_or(u32::MAX);
    problem.column = u32::try_from(column).unwrap_or(u32::MAX);
    (problem.end_line, problem.end_column) = (problem.line, problem.column.saturating_add(1));
    problem.source_line = String::from_utf8_lossy(&line).into_owned();
    problem
}

/// Every file, read by itself.
#[derive(Default)]
struct Read<'f> {
    attributes: AttributeTypes,
    conflicts: Vec<Conflict>,
    conflict_groups: Option<(Reader<'f>, whole_files::Named)>,
    roles: Roles,
    role_words: Option<(Reader<'f>, Vec<(Who, Range<usize>)>)>,
    drafts: Vec<Draft<'f>>,
    cedar_files: Vec<Reader<'f>>,
    /// Every group that has a file, readable or not.
    seen: BTreeMap<GroupId, String>,
}

fn read<'f>(texts: &BTreeMap<&'f str, &'f str>, problems: &mut Vec<Problem>) -> Read<'f> {
    let mut all = Read::default();
    for (path, text) in texts {
        let mut reader = Reader::new(path, text);
        match *path {
            "attributes.toml" => all.attributes = whole_files::read_attributes(&mut reader),
            "conflicts.toml" => {
                let (found, named) = whole_files::read_conflicts(&mut reader);
                all.conflicts = found;
                all.conflict_groups = Some((reader, named));
                continue;
            }
            "roles.toml" => {
                let (found, named) = whole_files::read_roles(&mut reader);
                all.roles = found;
                all.role_words = Some((reader, named));
                continue;
            }
            path if path.starts_with("groups/") && path.ends_with(".toml") => {
                let stem = path.rsplit('/').next().and_then(|f| f.strip_suffix(".toml")).unwrap_or_default();
                match GroupId::parse(stem) {
                    Err(error) => reader.tell(0..0, "BP054", format!("the file's name is the group's id, and {error}"), better_name(stem, texts)),
                    Ok(id) => match all.seen.insert(id.clone(), path.to_owned()) {
                        Some(other) => reader.tell(0..0, "BP055", format!("the group `{id}` is also in `{other}`"), None),
                        None => {
                            if let Some((group, examples, places)) = group_file::read(&mut reader, &id) {
                                all.drafts.push(Draft { reader, group, examples, places });
                                continue;
                            }
                        }
                    },
                }
            }
            path if path.starts_with("guardrails/") && path.ends_with(".cedar") => {
                all.cedar_files.push(reader);
                continue;
            }
            _ => reader.tell(0..0, "BP056", "this file is not read", None),
        }
        problems.append(&mut reader.problems);
    }
    all
}

/// A name that would do, made of the one that does not.
fn better_name(stem: &str, texts: &BTreeMap<&str, &str>) -> Option<String> {
    let plain: String = stem.to_lowercase().chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }).collect();
    let name = plain.trim_matches('-');
    let id = GroupId::parse(name).ok()?;
    let ending = format!("/{id}.toml");
    Some(match texts.keys().find(|path| path.ends_with(&ending)) {
        Some(other) => format!("`{other}` is nearly the same name, and no two ids may differ only in case or in an accent: rename or remove one"),
        None => format!("rename it, for instance to `{id}.toml`; ids are plain, so that no two differ only in case or in an accent"),
    })
}

fn compile(files: &PolicyFiles, known: &Known, timezone: &str, kept: bool) -> Checked {
    let mut problems: Vec<Problem> = Vec::new();
    let texts = texts(files, &mut problems);
    let zone = jiff::tz::TimeZone::get(timezone).unwrap_or_else(|_| {
        let zones: Vec<String> = jiff::tz::db().available().map(|z| z.to_string()).collect();
        let near = nearest(timezone, zones.iter().map(String::as_str)).map(|z| format!("did you mean `{z}`?"));
        problems.push(of_file("", "BP053", format!("there is no time zone `{timezone}`"), near));
        jiff::tz::TimeZone::UTC
    });
    let mut all = read(&texts, &mut problems);
    if !texts.contains_key("roles.toml") {
        problems.push(of_file("roles.toml", "BP022", "`roles.toml` is missing", None));
    }
    if all.drafts.is_empty() && problems.iter().all(|p| p.severity != Severity::Error) {
        problems.push(of_file("groups", "BP057", "there is no group", None));
    }
    let ids: BTreeSet<GroupId> = all.seen.keys().cloned().collect();
    if let Some((reader, named)) = &mut all.conflict_groups {
        for (group, at) in named.iter() {
            unknown::group(reader, group, at, &ids);
        }
    }
    if let Some((reader, named)) = &mut all.role_words {
        for (who, at) in named.iter() {
            unknown::who(reader, who, at, &ids, known);
        }
    }
    problems.extend(all.conflict_groups.into_iter().flat_map(|(r, _)| r.problems));
    problems.extend(all.role_words.into_iter().flat_map(|(r, _)| r.problems));
    let mut rails: Vec<(Guardrail, cedar_policy::Policy)> = Vec::new();
    let mut conditions = BTreeMap::new();
    if let Some(validator) = cedar::validator(&all.attributes) {
        let targets = guardrails::Targets::new(all.drafts.iter().map(|d| &d.group));
        for mut reader in all.cedar_files {
            for (guardrail, policy) in guardrails::read(&mut reader, &validator, &ids, targets.as_ref()) {
                if let Some((twin, _)) = rails.iter().find(|(g, _)| g.id == guardrail.id) {
                    let at = reader.span_of_line(guardrail.line);
                    reader.tell(at, "BP047", format!("the id `{}` is also used in `{}`", guardrail.id, twin.file), None);
                } else {
                    rails.push((guardrail, policy));
                }
            }
            problems.append(&mut reader.problems);
        }
        for draft in &mut all.drafts {
            let mut compiled = vec![None; draft.group.rules.len()];
            for (index, at) in draft.places.when.clone() {
                let text = draft.group.rules.get(index).and_then(|r| r.when.clone());
                if let (Some(text), Some(slot)) = (text, compiled.get_mut(index)) {
                    *slot = cedar::condition(&mut draft.reader, &text, &at, &validator);
                }
            }
            for (text, at) in std::mem::take(&mut draft.places.lost_conditions) {
                cedar::condition(&mut draft.reader, &text, &at, &validator);
            }
            conditions.insert(draft.group.id.clone(), compiled);
        }
    } else {
        let alone = |name: &str| all.attributes.get(name).is_some_and(|kind| cedar::schema(&[(name.to_owned(), *kind)].into()).is_none());
        let taken: Vec<String> = all.attributes.keys().filter(|name| alone(name)).map(|name| format!("`{name}`")).collect();
        let help = (!taken.is_empty()).then(|| format!("{} is a word of Cedar's own: take another name", taken.join(", ")));
        problems.push(of_file("attributes.toml", "BP025", "the declared attributes make no schema", help));
    }
    let ground = lint::Ground { ids: &ids, known, conditions: &conditions, attributes: &all.attributes };
    problems.extend(lint::run(&mut all.drafts, &ground));
    problems.sort();
    let counts = |p: &Problem| p.severity == Severity::Error && !(kept && codes::is_forgiven(&p.code));
    let set = (!problems.iter().any(counts)).then(|| {
        let (guardrails, guardrail_policies) = rails.into_iter().unzip();
        Arc::new(PolicySet {
            revision: revision(&texts, timezone),
            examples: all.drafts.iter().map(|d| (d.group.id.clone(), d.examples.clone())).collect(),
            groups: all.drafts.into_iter().map(|d| (d.group.id.clone(), d.group)).collect(),
            conditions,
            guardrails,
            guardrail_policies,
            conflicts: all.conflicts,
            roles: all.roles,
            attributes: all.attributes,
            zone,
        })
    });
    Checked { set, problems }
}

/// One group of a set that was checked before, read from its own file alone; none when the set has no such group. Parsing
/// happens on a large stack.
pub fn group_in(files: &PolicyFiles, id: &GroupId) -> Option<Group> {
    let ending = format!("/{id}.toml");
    let (path, bytes) = files.iter().find(|(path, _)| path.starts_with("groups/") && path.ends_with(&ending))?;
    let text = std::str::from_utf8(bytes).ok()?;
    std::thread::scope(|scope| {
        let read = || group_file::read(&mut Reader::new(path, text), id).map(|(group, ..)| group);
        std::thread::Builder::new().stack_size(PARSING_STACK).spawn_scoped(scope, read).ok()?.join().ok()?
    })
}
