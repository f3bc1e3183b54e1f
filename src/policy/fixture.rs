//! Fixture files: `tests/*.toml`, cases that speak of several groups, of guardrails, or of the words that people read.
//!
//! They decide nothing, so they are no part of a set's hash, and a broken one keeps no service from loading. A name in them
//! that nobody knows is a problem all the same, or a case would test nothing.

use std::{collections::BTreeMap, ops::Range};

use super::{
    PolicyFiles, PolicySet,
    group_file::{Example, choice, heading},
    reader::{Reader, Table, nearest},
};
use crate::domain::{
    decision::Effect,
    duration::Duration,
    id::GroupId,
    person::AttributeValue,
    problem::Problem,
    time::Time,
};

/// One `[[case]]`.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it shows, in words.
    pub name: String,
    /// Of which group.
    pub group: GroupId,
    /// When it is asked; none: now.
    pub(super) at: Option<Time>,
    /// The rest is what an example holds.
    pub(super) example: Example,
    /// Its file.
    pub(super) file: String,
}

pub(super) const KEYS: &[&str] = &["name", "group", "person", "for", "holds", "justification", "at", "expect", "rule", "guardrail", "reason"];

/// Reads every fixture file of a folder. Answers the cases that can be run, and every problem. Parsing happens on a large stack.
pub fn read(files: &PolicyFiles, set: &PolicySet) -> (Vec<Case>, Vec<Problem>) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(super::PARSING_STACK).spawn_scoped(scope, || read_here(files, set));
        let failed = || {
            let mut reader = Reader::new("tests", "");
            reader.tell(0..0, "BP059", "the fixture files could not be read: a parser failed, or no thread could be had", None);
            (Vec::new(), reader.problems)
        };
        thread.map(std::thread::ScopedJoinHandle::join).map_or_else(|_| failed(), |read| read.unwrap_or_else(|_| failed()))
    })
}

fn read_here(files: &PolicyFiles, set: &PolicySet) -> (Vec<Case>, Vec<Problem>) {
    let (mut cases, mut problems) = (Vec::<Case>::new(), Vec::new());
    for (path, bytes) in files.iter().filter(|(path, _)| path.starts_with("tests/") && path.ends_with(".toml")) {
        let text = String::from_utf8_lossy(bytes);
        let mut reader = Reader::new(path, &text);
        if let Some(root) = reader.parse() {
            reader.known_keys(root.get_ref(), &["case"]);
            for (entry, at) in reader.tables(root.get_ref(), "case") {
                let at = heading(&reader, &at);
                let Some(case) = read_case(&mut reader, entry, &at, set) else { continue };
                if let Some(twin) = cases.iter().find(|c| c.name == case.name) {
                    let message = format!("the case \"{}\" is also in `{}`, line {}", case.name, twin.file, twin.example.line);
                    reader.tell(at, "BP190", message, Some("failures name the case: give each its own name".to_owned()));
                }
                cases.push(case);
            }
        }
        problems.append(&mut reader.problems);
    }
    (cases, problems)
}

fn read_case(reader: &mut Reader<'_>, entry: &Table<'_>, at: &Range<usize>, set: &PolicySet) -> Option<Case> {
    reader.known_keys(entry, KEYS);
    let name = reader.required(entry, "name", at.clone(), "what the case shows, like name = \"a contractor never reaches the vault\"");
    let group = match reader.required(entry, "group", at.clone(), "the group that is asked for, like group = \"warehouse-analysts\"") {
        Some(_) => reader.parsed::<GroupId>(entry, "group"),
        None => None,
    };
    let person = facts(reader, entry);
    let duration = match reader.required(entry, "for", at.clone(), "the asked duration, like for = \"8h\"") {
        Some(_) => reader.parsed::<Duration>(entry, "for"),
        None => None,
    };
    let expect = match reader.required(entry, "expect", at.clone(), "\"granted\", \"approval\" or \"denied\"") {
        Some(_) => choice(reader, entry, "expect", &[("granted", Effect::Grant), ("approval", Effect::Approve), ("denied", Effect::Deny)]),
        None => None,
    };
    let holds = reader.list::<GroupId>(entry, "holds").unwrap_or_default();
    let rule = reader.text(entry, "rule");
    let guardrail = reader.text(entry, "guardrail");
    let reasons = reasons(reader, entry);
    let asked_at = reader.parsed::<Time>(entry, "at").map(|(at, _)| at);
    let justified = reader.text(entry, "justification").is_some();
    let line = reader.line_of(at.start);
    for (id, at) in holds.iter().chain(&group) {
        if set.group(id.as_str()).is_none() {
            let near = set.nearest_group(id.as_str()).map(|n| format!("did you mean `{n}`?"));
            reader.tell(at.clone(), "BP191", format!("there is no group `{id}`"), near);
        }
    }
    let found = group.as_ref().and_then(|(id, _)| set.group(id.as_str()));
    if let (Some((name, at)), Some(group)) = (&rule, found)
        && !group.rules.iter().any(|r| r.name == *name)
    {
        let near = nearest(name, group.rules.iter().map(|r| r.name.as_str()));
        let near = near.or(group.rules.first().map(|r| r.name.as_str())).map(|n| format!("it has \"{n}\""));
        reader.tell(at.clone(), "BP192", format!("`{}` has no rule \"{name}\"", group.id), near);
    }
    if let Some((id, at)) = guardrail.as_ref().filter(|(id, _)| !id.starts_with("conflict:") && !set.guardrails().iter().any(|g| g.id == *id)) {
        let near = nearest(id, set.guardrails().iter().map(|g| g.id.as_str())).map(|n| format!("did you mean `{n}`?"));
        reader.tell(at.clone(), "BP193", format!("there is no guardrail `{id}`"), near);
    }
    let ((name, _), (group, _), (duration, _), expect) = (name?, group?, duration?, expect?);
    let example = Example {
        person,
        holds: holds.into_iter().map(|(g, _)| g).collect(),
        duration,
        justified,
        expect,
        rule: rule.map(|(r, _)| r),
        guardrail: guardrail.map(|(g, _)| g),
        reasons,
        line,
    };
    Some(Case { name, group, at: asked_at, example, file: reader.file.to_owned() })
}

/// The texts that an explanation must hold, of an example or a case.
pub(super) fn reasons(reader: &mut Reader<'_>, entry: &Table<'_>) -> Vec<String> {
    let reasons = reader.texts(entry, "reason").unwrap_or_default();
    for (_, span) in reasons.iter().filter(|(text, _)| text.trim().is_empty()) {
        reader.tell(span.clone(), "BP005", "`reason` is empty", Some("an empty text is in every explanation; write a part of a sentence".to_owned()));
    }
    reasons.into_iter().map(|(text, _)| text).collect()
}

/// The facts about an invented person: `person = { team = "analytics", employment = "permanent" }`.
pub(super) fn facts(reader: &mut Reader<'_>, entry: &Table<'_>) -> BTreeMap<String, AttributeValue> {
    let mut person = BTreeMap::new();
    let Some((table, _)) = reader.table(entry, "person") else { return person };
    for (key, value) in table.iter() {
        match super::whole_files::attribute_value(value.get_ref()) {
            Some(fact) => {
                person.insert(key.get_ref().to_string(), fact);
            }
            None => {
                let help = "expected a text, a whole number, true, false or a list of texts".to_owned();
                reader.tell(value.span(), "BP003", format!("`{}` is no fact of a person", key.get_ref()), Some(help));
            }
        }
    }
    person
}
