//! The files that speak of the whole organisation: `conflicts.toml`, `roles.toml`, `attributes.toml`.

use std::ops::Range;

use toml::de::DeValue;

use super::reader::Reader;
use crate::domain::{
    group::{AttributeType, AttributeTypes, Conflict, Roles, Who},
    id::GroupId,
    person::AttributeValue,
};

/// The most pairs of one conflict that are looked for in the others.
const MOST_PAIRS: usize = 10_000;

/// A group named, and where.
pub(super) type Named = Vec<(GroupId, Range<usize>)>;

/// A TOML value as a fact of a person.
pub(super) fn attribute_value(value: &DeValue<'_>) -> Option<AttributeValue> {
    match value {
        DeValue::String(text) => Some(AttributeValue::Text(text.to_string())),
        DeValue::Boolean(yes) => Some(AttributeValue::Bool(*yes)),
        DeValue::Integer(number) => number.as_str().parse().ok().map(AttributeValue::Long),
        DeValue::Array(items) => {
            let texts: Option<_> = items.iter().map(|i| i.get_ref().as_str().map(str::to_owned)).collect();
            texts.map(AttributeValue::Set)
        }
        _ => None,
    }
}

pub(super) fn read_conflicts(reader: &mut Reader<'_>) -> (Vec<Conflict>, Named) {
    let Some(root) = reader.parse() else { return Default::default() };
    reader.known_keys(root.get_ref(), &["conflict"]);
    let (mut conflicts, mut named, mut pairs) = (Vec::new(), Named::new(), std::collections::BTreeSet::new());
    for (entry, at) in reader.tables(root.get_ref(), "conflict") {
        reader.known_keys(entry, &["groups", "reason", "keep"]);
        let groups = reader.list::<GroupId>(entry, "groups").unwrap_or_default();
        let distinct: std::collections::BTreeSet<&GroupId> = groups.iter().map(|(g, _)| g).collect();
        if distinct.len() < 2 {
            reader.tell(at.clone(), "BP020", "a conflict needs two groups or more", Some("groups = [\"payments-create\", \"payments-approve\"]".to_owned()));
        }
        let own: Vec<(GroupId, GroupId)> = distinct.iter().flat_map(|a| distinct.iter().filter(move |b| a < *b).map(move |b| ((*a).clone(), (*b).clone()))).take(MOST_PAIRS).collect();
        if let Some((a, b)) = own.iter().find(|pair| pairs.contains(*pair)) {
            reader.tell(at.clone(), "BP026", format!("`{a}` and `{b}` are in conflict already"), None);
        }
        pairs.extend(own);
        let reason = reader.required(entry, "reason", at, "why nobody may hold them together; people read it when they are refused");
        let keep = reader.parsed::<GroupId>(entry, "keep");
        if let Some((keep, at)) = keep.as_ref().filter(|(k, _)| !groups.iter().any(|(g, _)| g == k)) {
            reader.tell(at.clone(), "BP021", format!("`keep` names `{keep}`, which is not one of the groups"), None);
        }
        if let Some((reason, _)) = reason {
            conflicts.push(Conflict { groups: groups.iter().map(|(g, _)| g.clone()).collect(), reason, keep: keep.map(|(k, _)| k) });
        }
        named.extend(groups);
    }
    (conflicts, named)
}

pub(super) fn read_roles(reader: &mut Reader<'_>) -> (Roles, Vec<(Who, Range<usize>)>) {
    let Some(root) = reader.parse() else { return Default::default() };
    let table = root.get_ref();
    reader.known_keys(table, &["auditor", "admin"]);
    let mut named = Vec::new();
    let mut role = |reader: &mut Reader<'_>, name: &str| {
        let Some((inner, _)) = reader.table(table, name) else { return Vec::new() };
        reader.known_keys(inner, &["who"]);
        let list = reader.list::<Who>(inner, "who").unwrap_or_default();
        for (who, at) in &list {
            if matches!(who, Who::Everyone | Who::Manager | Who::Owner) {
                let help = "name people, teams or groups: whoever administers Bandpass owns the company".to_owned();
                reader.tell(at.clone(), "BP007", format!("`{who}` cannot stand in `{name}`"), help);
            }
        }
        named.extend(list.clone());
        list.into_iter().map(|(who, _)| who).collect()
    };
    let roles = Roles { auditor: role(reader, "auditor"), admin: role(reader, "admin") };
    if roles.admin.is_empty() && reader.problems.is_empty() {
        let help = "add [admin] with who = [\"team:...\"]: without an admin nobody could mend the installation".to_owned();
        reader.tell(0..0, "BP022", "there is no admin", help);
    }
    (roles, named)
}

pub(super) fn read_attributes(reader: &mut Reader<'_>) -> AttributeTypes {
    let mut found = AttributeTypes::new();
    let Some(root) = reader.parse() else { return found };
    reader.known_keys(root.get_ref(), &["attributes"]);
    let Some((table, _)) = reader.table(root.get_ref(), "attributes") else { return found };
    for (key, value) in table.iter() {
        let name = key.get_ref().to_string();
        let kind = match value.get_ref().as_str() {
            Some("string") => AttributeType::String,
            Some("long") => AttributeType::Long,
            Some("bool") => AttributeType::Bool,
            Some("set") => AttributeType::Set,
            _ => {
                reader.tell(value.span(), "BP023", format!("the type of `{name}` is not known"), Some("expected \"string\", \"long\", \"bool\" or \"set\"".to_owned()));
                continue;
            }
        };
        let simple = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !simple || super::cedar::BUILT_IN.contains(&name.as_str()) {
            let help = "use letters, digits and `_`, and none of the built-in names".to_owned();
            reader.tell(key.span(), "BP024", format!("`{name}` cannot be the name of an attribute"), help);
            continue;
        }
        found.insert(name, kind);
    }
    found
}
