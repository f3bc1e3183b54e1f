//! Checking every file as one set, and compiling it.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use ring::digest::{Context, SHA256};

use super::{
    Checked, Known, PolicyFiles, PolicySet, cedar,
    group_file::{self, Places, Use},
    reader::{Reader, nearest},
    whole_files,
};
use crate::domain::{
    group::{Conflict, Group, Guardrail, Roles, Then, Who},
    id::{GroupId, PolicyRevision},
    problem::{Problem, Severity},
};

/// The largest file, in bytes.
const MAX_FILE: usize = 262_144;
/// The most files.
const MAX_FILES: usize = 10_000;

/// A group with what later checks need of its file.
struct Draft<'f> {
    reader: Reader<'f>,
    group: Group,
    examples: Vec<group_file::Example>,
    places: Places,
}

fn plain(file: &str, code: &str, severity: Severity, message: String, help: Option<String>) -> Problem {
    Problem {
        file: file.to_owned(),
        line: 1,
        column: 1,
        end_line: 1,
        end_column: 1,
        code: code.to_owned(),
        severity,
        message,
        help,
        source_line: String::new(),
    }
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
    on_large_stack(files, known, timezone, &[])
}

/// Errors that depend on who and what is known today: unknown team, person, connector.
const OF_NAMES: &[&str] = &["BP072", "BP075", "BP076"];

/// Compiles a set that was in force once. Names that are unknown today match nobody: a change of people or connectors never
/// invalidates what is in force, or what is replayed (semantics.md, 7 and 22).
pub fn compile_kept(files: &PolicyFiles, timezone: &str) -> Checked {
    on_large_stack(files, &Known::default(), timezone, OF_NAMES)
}

fn on_large_stack(files: &PolicyFiles, known: &Known, timezone: &str, forgiven: &[&str]) -> Checked {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("policy".to_owned()).stack_size(PARSING_STACK);
        let checked = thread.spawn_scoped(scope, || compile(files, known, timezone, forgiven)).map(std::thread::ScopedJoinHandle::join);
        match checked {
            Ok(Ok(checked)) => checked,
            Ok(Err(_)) | Err(_) => {
                let message = "the files could not be read: a parser failed, or no thread could be had".to_owned();
                Checked { set: None, problems: vec![plain("", "BP059", Severity::Error, message, Some("take the last change back".to_owned()))] }
            }
        }
    })
}

fn compile(files: &PolicyFiles, known: &Known, timezone: &str, forgiven: &[&str]) -> Checked {
    let mut problems: Vec<Problem> = Vec::new();
    let mut texts: BTreeMap<&str, &str> = BTreeMap::new();
    if files.len() > MAX_FILES {
        problems.push(plain("", "BP050", Severity::Error, format!("{} files: at most {MAX_FILES} are read", files.len()), None));
    }
    for (path, bytes) in files.iter().take(MAX_FILES) {
        if !decides(path) {
            continue;
        }
        if bytes.len() > MAX_FILE {
            problems.push(plain(path, "BP051", Severity::Error, format!("the file has {} bytes; at most {MAX_FILE} are read", bytes.len()), None));
            continue;
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                texts.insert(path, text);
            }
            Err(error) => {
                let line = bytes.get(..error.valid_up_to()).unwrap_or_default().iter().filter(|b| **b == b'\n').count() + 1;
                let mut problem = plain(path, "BP052", Severity::Error, "the file is not UTF-8".to_owned(), Some("save it as UTF-8".to_owned()));
                problem.line = u32::try_from(line).unwrap_or(u32::MAX);
                problem.end_line = problem.line;
                problems.push(problem);
            }
        }
    }
    let zone = jiff::tz::TimeZone::get(timezone).unwrap_or_else(|_| {
        let help = "`policy.timezone` is an IANA name, like `UTC` or `Europe/Oslo`".to_owned();
        problems.push(plain("", "BP053", Severity::Error, format!("there is no time zone `{timezone}`"), Some(help)));
        jiff::tz::TimeZone::UTC
    });
    let mut attributes = Default::default();
    let (mut conflicts, mut conflict_groups, mut roles, mut role_words) = (Vec::<Conflict>::new(), None, Roles::default(), None);
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    let mut cedar_files: Vec<Reader<'_>> = Vec::new();
    let mut seen: BTreeMap<GroupId, String> = BTreeMap::new();
    for (path, text) in &texts {
        let mut reader = Reader::new(path, text);
        match *path {
            "attributes.toml" => attributes = whole_files::read_attributes(&mut reader),
            "conflicts.toml" => {
                let (found, named) = whole_files::read_conflicts(&mut reader);
                conflicts = found;
                conflict_groups = Some((reader, named));
                continue;
            }
            "roles.toml" => {
                let (found, named) = whole_files::read_roles(&mut reader);
                roles = found;
                role_words = Some((reader, named));
                continue;
            }
            path if path.starts_with("groups/") && path.ends_with(".toml") => {
                let stem = path.rsplit('/').next().and_then(|f| f.strip_suffix(".toml")).unwrap_or_default();
                match GroupId::parse(stem) {
                    Err(error) => reader.error(0..0, "BP054", format!("the file's name is the group's id, and {error}"), None),
                    Ok(id) => match seen.insert(id.clone(), path.to_owned()) {
                        Some(other) => {
                            let help = "a group is one file, and its id is the file's name".to_owned();
                            reader.error(0..0, "BP055", format!("the group `{id}` is also in `{other}`"), help);
                        }
                        None => {
                            if let Some((group, examples, places)) = group_file::read(&mut reader, &id) {
                                drafts.push(Draft { reader, group, examples, places });
                                continue;
                            }
                        }
                    },
                }
            }
            path if path.starts_with("guardrails/") && path.ends_with(".cedar") => {
                cedar_files.push(reader);
                continue;
            }
            _ => {
                let help = "policy is read from groups/*.toml, guardrails/*.cedar, conflicts.toml, roles.toml and attributes.toml".to_owned();
                reader.warning(0..0, "BP056", "this file is not read", help);
            }
        }
        problems.append(&mut reader.problems);
    }
    if !texts.contains_key("roles.toml") {
        let help = "write [admin] who = [\"team:...\"]: at least one admin, else nobody could mend the installation".to_owned();
        problems.push(plain("roles.toml", "BP022", Severity::Error, "`roles.toml` is missing".to_owned(), Some(help)));
    }
    if drafts.is_empty() && problems.iter().all(|p| p.severity == Severity::Warning) {
        let help = "an empty set is never \"take everything away\"; put group files into groups/".to_owned();
        problems.push(plain("groups", "BP057", Severity::Error, "there is no group".to_owned(), Some(help)));
    }
    let ids: std::collections::BTreeSet<GroupId> = seen.keys().cloned().collect();
    let schema = cedar::schema(&attributes);
    if let (Some((reader, named)), true) = (&mut conflict_groups, true) {
        for (group, at) in named.iter() {
            unknown_group(reader, group, at, &ids);
        }
    }
    if let Some((reader, named)) = &mut role_words {
        for (who, at) in named.iter() {
            unknown_who(reader, who, at, &ids, known);
        }
    }
    problems.extend(conflict_groups.into_iter().flat_map(|(r, _)| r.problems));
    problems.extend(role_words.into_iter().flat_map(|(r, _)| r.problems));
    let mut guardrails: Vec<(Guardrail, cedar_policy::Policy)> = Vec::new();
    let mut conditions = BTreeMap::new();
    if let Some(schema) = &schema {
        for mut reader in cedar_files {
            for (guardrail, policy) in cedar::guardrails(&mut reader, schema, &ids) {
                if let Some((twin, _)) = guardrails.iter().find(|(g, _)| g.id == guardrail.id) {
                    let message = format!("the id `{}` is also used in `{}`", guardrail.id, twin.file);
                    reader.error(0..0, "BP047", message, Some("decisions cite the id: give each its own".to_owned()));
                } else {
                    guardrails.push((guardrail, policy));
                }
            }
            problems.append(&mut reader.problems);
        }
        for draft in &mut drafts {
            let mut compiled = vec![None; draft.group.rules.len()];
            for (index, at) in draft.places.when.clone() {
                let text = draft.group.rules.get(index).and_then(|r| r.when.clone());
                if let (Some(text), Some(slot)) = (text, compiled.get_mut(index)) {
                    *slot = cedar::condition(&mut draft.reader, &text, &at, schema);
                }
            }
            conditions.insert(draft.group.id.clone(), compiled);
        }
    } else {
        problems.push(plain("attributes.toml", "BP025", Severity::Error, "the declared attributes make no schema".to_owned(), None));
    }
    let joinable: Vec<GroupId> =
        drafts.iter().filter(|d| d.group.rules.iter().any(|r| r.then == Then::Grant)).map(|d| d.group.id.clone()).collect();
    for draft in &mut drafts {
        check_group(draft, &ids, known, &joinable);
        let allowed = draft.places.allowed.clone();
        problems.extend(draft.reader.problems.drain(..).filter(|p| !allowed.contains(&p.code) || !ALLOWABLE.contains(&p.code.as_str())));
    }
    problems.sort();
    let broken = problems.iter().any(|p| p.severity == Severity::Error && !forgiven.contains(&p.code.as_str()));
    let set = (!broken).then(|| {
        let (guardrails, guardrail_policies) = guardrails.into_iter().unzip();
        Arc::new(PolicySet {
            revision: revision(&texts, timezone),
            examples: drafts.iter().map(|d| (d.group.id.clone(), d.examples.clone())).collect(),
            groups: drafts.into_iter().map(|d| (d.group.id.clone(), d.group)).collect(),
            conditions,
            guardrails,
            guardrail_policies,
            conflicts,
            roles,
            attributes,
            zone,
        })
    });
    Checked { set, problems }
}

/// Problems that a file may allow with a reason.
const ALLOWABLE: &[&str] = &["BP060", "BP061", "BP062", "BP063", "BP064"];

fn unknown_group(reader: &mut Reader<'_>, group: &GroupId, at: &Range<usize>, ids: &std::collections::BTreeSet<GroupId>) {
    if !ids.contains(group) {
        let near = nearest(group.as_str(), ids.iter().map(GroupId::as_str)).map(|n| format!("did you mean `{n}`?"));
        reader.error(at.clone(), "BP070", format!("there is no group `{group}`"), near);
    }
}

fn unknown_who(reader: &mut Reader<'_>, who: &Who, at: &Range<usize>, ids: &std::collections::BTreeSet<GroupId>, known: &Known) {
    match who {
        Who::Group(group) => unknown_group(reader, group, at, ids),
        Who::Team(team) if known.former_teams.contains(team) => {
            reader.warning(at.clone(), "BP071", format!("the team `{team}` is gone"), Some("it matches nobody".to_owned()));
        }
        Who::Team(team) => match known.teams.get(team) {
            None => {
                let near = nearest(team.as_str(), known.teams.keys().map(|t| t.as_str())).map(|n| format!("did you mean `team:{n}`?"));
                reader.error(at.clone(), "BP072", format!("there is no team `{team}`"), near);
            }
            Some(0) => reader.warning(at.clone(), "BP073", format!("the team `{team}` has nobody in it today"), Some("it matches nobody".to_owned())),
            Some(_) => {}
        },
        Who::Person(person) if known.former_people.contains(person) => {
            reader.warning(at.clone(), "BP074", format!("`{person}` has left"), Some("it matches nobody".to_owned()));
        }
        Who::Person(person) if !known.people.contains(person) => {
            let near = nearest(person.as_str(), known.people.iter().map(|p| p.as_str())).map(|n| format!("did you mean `person:{n}`?"));
            reader.error(at.clone(), "BP075", format!("there is no person `{person}`"), near);
        }
        _ => {}
    }
}

fn check_group(draft: &mut Draft<'_>, ids: &std::collections::BTreeSet<GroupId>, known: &Known, joinable: &[GroupId]) {
    let Draft { reader, group, places, .. } = draft;
    let allowed = |code: &str| places.allowed.iter().any(|c| c == code);
    for (who, usage, at) in &places.words {
        unknown_who(reader, who, at, ids, known);
        match (who, usage) {
            (Who::Group(g), Use::Approver) if joinable.contains(g) && !allowed("BP060") => {
                let help = "an approver set that people can join by themselves approves nothing; take a group without a `grant` rule, or allow it with a reason: [[allow]] code = \"BP060\", reason = \"...\"";
                reader.error(at.clone(), "BP060", format!("anybody can join the approvers `{g}` without approval"), Some(help.to_owned()));
            }
            (Who::Group(g), _) if *g == group.id => {
                reader.warning(at.clone(), "BP061", "this group governs itself", Some("its members decide who becomes a member".to_owned()));
            }
            _ => {}
        }
    }
    for (connector, at) in &places.connectors {
        if !known.connectors.contains(connector) {
            let near = nearest(connector.as_str(), known.connectors.iter().map(|c| c.as_str()));
            let help = near.map_or_else(|| "add a [[connector]] of this name to the configuration".to_owned(), |n| format!("did you mean `{n}`?"));
            reader.error(at.clone(), "BP076", format!("there is no connector `{connector}`"), help);
        }
    }
    for (index, rule) in group.rules.iter().enumerate() {
        let Some(at) = places.rules.get(index).cloned() else { continue };
        // A looser rule below a stricter one that gives less time can never decide (semantics.md, 1).
        let above = group.rules.iter().take(index).find(|a| a.then == Then::Approve && a.max < rule.max && overlaps(&a.who, &rule.who));
        if let (Then::Grant, Some(above)) = (rule.then, above) {
            let message = format!("\"{}\" gives more time without approval than \"{}\" above it gives with one", rule.name, above.name);
            let help = format!("whoever both rules mean is told to ask for {} or less; put the `grant` first or give it less time", above.max);
            reader.warning(at.clone(), "BP062", message, help);
        }
        let covered = group.rules.iter().take(index).find(|a| {
            a.when.is_none() && a.max >= rule.max && a.then != Then::Always && (a.who.contains(&Who::Everyone) || rule.who.iter().all(|w| a.who.contains(w)))
        });
        if let Some(above) = covered.filter(|_| rule.then != Then::Always) {
            let message = format!("\"{}\" never decides: \"{}\" above it always does", rule.name, above.name);
            reader.warning(at.clone(), "BP063", message, Some("move it up or remove it".to_owned()));
        }
        let open = rule.then == Then::Grant && rule.who.contains(&Who::Everyone) && rule.when.is_none();
        if open && group.sensitivity == crate::domain::group::Sensitivity::Restricted {
            reader.warning(at, "BP064", "everyone gets this restricted group at once", Some("restrict `who`, add a `when`, or ask for approval".to_owned()));
        }
    }
}

fn overlaps(a: &[Who], b: &[Who]) -> bool {
    a.contains(&Who::Everyone) || b.contains(&Who::Everyone) || a.iter().any(|w| b.contains(w))
}
