//! Fixture files: `tests/*.toml`, cases that speak of several groups or of guardrails. They decide nothing, so they are no
//! part of a set's hash; a name in them that nobody knows is an error all the same, or a case would test nothing.

use std::{collections::{BTreeMap, BTreeSet}, ops::Range};

use super::{
    group_file::{Example, choice, heading},
    reader::{Reader, Table, nearest},
};
use crate::domain::{
    decision::Effect,
    duration::Duration,
    group::Group,
    id::GroupId,
    person::AttributeValue,
    problem::Problem,
};

/// One `[[case]]`.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// What it shows, in words.
    pub name: String,
    /// Of which group.
    pub group: GroupId,
    /// The rest is what an example holds.
    pub example: Example,
    /// Texts that must appear in the explanation.
    pub reasons: Vec<String>,
    /// Its file.
    pub file: String,
}

/// A case and where its names stand.
pub(super) struct Drafted {
    case: Case,
    group: Range<usize>,
    rule: Range<usize>,
    guardrail: Range<usize>,
    holds: Vec<(GroupId, Range<usize>)>,
}

const KEYS: &[&str] = &["name", "group", "person", "for", "holds", "justification", "expect", "rule", "guardrail", "reason"];

/// Reads a fixture file. Answers what could be read; problems lie in the reader.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<Drafted> {
    let Some(root) = reader.parse() else { return Vec::new() };
    reader.known_keys(root.get_ref(), &["case"]);
    let mut drafts: Vec<Drafted> = Vec::new();
    for (entry, at) in reader.tables(root.get_ref(), "case") {
        let at = heading(reader, &at);
        let Some(draft) = read_case(reader, entry, &at) else { continue };
        if drafts.iter().any(|d| d.case.name == draft.case.name) {
            let help = "failures name the case: give each its own name".to_owned();
            reader.error(at, "BP009", format!("two cases are called \"{}\"", draft.case.name), Some(help));
        }
        drafts.push(draft);
    }
    drafts
}

fn read_case(reader: &mut Reader<'_>, entry: &Table<'_>, at: &Range<usize>) -> Option<Drafted> {
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
    let reasons = reader.texts(entry, "reason").unwrap_or_default();
    for (_, span) in reasons.iter().filter(|(text, _)| text.trim().is_empty()) {
        reader.error(span.clone(), "BP005", "`reason` is empty", Some("an empty text appears everywhere; write a part of the sentence".to_owned()));
    }
    let justified = reader.text(entry, "justification").is_some();
    let line = reader.line_of(at.start);
    let ((name, _), (group, group_at), (duration, _), expect) = (name?, group?, duration?, expect?);
    let span = |found: &Option<(String, Range<usize>)>| found.as_ref().map_or_else(|| at.clone(), |(_, span)| span.clone());
    let (rule_at, guardrail_at) = (span(&rule), span(&guardrail));
    let example = Example {
        person,
        holds: holds.iter().map(|(g, _)| g.clone()).collect(),
        duration,
        justified,
        expect,
        rule: rule.map(|(r, _)| r),
        guardrail: guardrail.map(|(g, _)| g),
        line,
    };
    let reasons = reasons.into_iter().map(|(text, _)| text).collect();
    let case = Case { name, group, example, reasons, file: reader.file.to_owned() };
    Some(Drafted { case, group: group_at, rule: rule_at, guardrail: guardrail_at, holds })
}

fn facts(reader: &mut Reader<'_>, entry: &Table<'_>) -> BTreeMap<String, AttributeValue> {
    let mut person = BTreeMap::new();
    let Some((table, _)) = reader.table(entry, "person") else { return person };
    for (key, value) in table.iter() {
        match super::whole_files::attribute_value(value.get_ref()) {
            Some(fact) => {
                person.insert(key.get_ref().to_string(), fact);
            }
            None => {
                let help = "expected a text, a whole number, true, false or a list of texts".to_owned();
                reader.error(value.span(), "BP003", format!("`{}` is no fact of a person", key.get_ref()), Some(help));
            }
        }
    }
    person
}

/// Checks the names that cases use. `drafts` come with their readers, whose problems are moved to `problems`.
pub(super) fn check(
    drafts: Vec<(Vec<Drafted>, Reader<'_>)>,
    ids: &BTreeSet<GroupId>,
    groups: &BTreeMap<&GroupId, &Group>,
    guardrails: &[&str],
    problems: &mut Vec<Problem>,
) -> Vec<Case> {
    let mut cases = Vec::new();
    for (drafted, mut reader) in drafts {
        for Drafted { case, group, rule, guardrail, holds } in drafted {
            for (id, at) in holds.iter().chain(std::iter::once(&(case.group.clone(), group))) {
                if !ids.contains(id) {
                    let near = nearest(id.as_str(), ids.iter().map(GroupId::as_str)).map(|n| format!("did you mean `{n}`?"));
                    reader.error(at.clone(), "BP045", format!("there is no group `{id}`"), near);
                }
            }
            if let (Some(name), Some(found)) = (&case.example.rule, groups.get(&case.group))
                && !found.rules.iter().any(|r| r.name == *name)
            {
                let near = nearest(name, found.rules.iter().map(|r| r.name.as_str()));
                let near = near.or(found.rules.first().map(|r| r.name.as_str())).map(|n| format!("it has \"{n}\""));
                reader.error(rule, "BP026", format!("`{}` has no rule \"{name}\"", case.group), near);
            }
            if let Some(id) = case.example.guardrail.as_deref()
                && !id.starts_with("conflict:")
                && !guardrails.contains(&id)
            {
                let near = nearest(id, guardrails.iter().copied()).map(|n| format!("did you mean `{n}`?"));
                reader.error(guardrail, "BP027", format!("there is no guardrail `{id}`"), near);
            }
            cases.push(case);
        }
        problems.append(&mut reader.problems);
    }
    cases
}
