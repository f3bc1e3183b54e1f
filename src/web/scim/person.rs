//! A stored User as the facts about a person, and as the resource that is shown.

use serde_json::{Map, Value, json};

use super::{
    Client, Object,
    schema::{BANDPASS, ENTERPRISE, USER},
    view::Reads,
};
use crate::{
    directory::{Directory, records::Handle},
    domain::{
        group::{AttributeType, AttributeTypes},
        id::{ConnectorName, PersonId, TeamId},
        person::{AttributeValue, Person, PersonStatus},
        record::{Dates, PersonRecord, SourceName},
        time::Time,
    },
};

/// Attributes of the enterprise extension, and what policies call them.
const FOR_POLICIES: [(&str, &str); 5] = [
    ("employeeNumber", "employee_number"),
    ("costCenter", "cost_center"),
    ("organization", "organization"),
    ("division", "division"),
    ("department", "department"),
];

fn text<'o>(object: &'o Object, name: &str) -> Option<&'o str> {
    object.get(name).and_then(Value::as_str)
}

fn extension<'o>(given: &'o Object, urn: &str) -> Option<&'o Object> {
    given.get(urn).and_then(Value::as_object)
}

/// The best of several values: the primary one, else the one for work, else the first.
fn best<'o>(given: &'o Object, name: &str) -> Option<&'o Object> {
    let values = given.get(name).and_then(Value::as_array)?;
    let primary = values.iter().find(|v| v.get("primary") == Some(&Value::Bool(true)));
    let work = || values.iter().find(|v| v.get("type").and_then(Value::as_str) == Some("work"));
    primary.or_else(work).or(values.first())?.as_object()
}

/// Whom a source means by a manager: an id, or a name that the source uses.
pub fn meant(directory: &Directory, source: &SourceName, name: &str) -> Option<PersonId> {
    let records = directory.records();
    let own = records.person(source, name).filter(|r| !r.gone).map(|r| r.id().clone());
    let by = |handle| records.by_handle(source, handle, name).cloned();
    own.or_else(|| by(Handle::UserName)).or_else(|| by(Handle::ExternalId)).or_else(|| directory.person(name).map(|p| p.id.clone()))
}

/// The name of a manager that a stored User gives.
pub fn manager_name(given: &Object) -> Option<&str> {
    extension(given, ENTERPRISE)?.get("manager")?.get("value")?.as_str()
}

/// Whom a stored User has for a manager. A name is looked up once: as long as it stays the same text it means whom it meant then,
/// also when that name has become another's.
fn manager(given: &Object, id: &PersonId, before: Option<&PersonRecord>, directory: &Directory, source: &SourceName) -> Option<PersonId> {
    let name = manager_name(given)?;
    if let Some(before) = before
        && let (Some(known), Some(kept)) = (&before.person.manager, &before.given)
        && manager_name(&kept.part(|n| n == ENTERPRISE)) == Some(name)
    {
        return Some(known.clone());
    }
    meant(directory, source, name).filter(|m| m != id)
}

/// The facts that a stored User tells. Teams are those that Groups gave before. What this body says was read by the types of
/// today; what was stored by those of another day and does not fit any more is left out, so that it stops nobody's leaving.
pub fn facts(given: &Object, id: &PersonId, before: Option<&PersonRecord>, directory: &Directory, source: &SourceName, declared: &AttributeTypes) -> Person {
    // Who was deleted and comes again begins anew.
    let before = before.filter(|b| !b.gone);
    let name = given.get("name").and_then(Value::as_object);
    let parts = || {
        let joined: Vec<&str> = [name.and_then(|n| text(n, "givenName")), name.and_then(|n| text(n, "familyName"))].into_iter().flatten().collect();
        (!joined.is_empty()).then(|| joined.join(" "))
    };
    let shown = text(given, "displayName").map(str::to_owned).or_else(|| name.and_then(|n| text(n, "formatted")).map(str::to_owned)).or_else(parts);
    let mut person = Person {
        id: id.clone(),
        name: shown.or_else(|| text(given, "userName").map(str::to_owned)).unwrap_or_else(|| id.to_string()).replace('\n', " "),
        email: best(given, "emails").and_then(|e| text(e, "value")).map(str::to_owned),
        manager: manager(given, id, before, directory, source),
        team: None,
        teams: before.map(|b| b.person.teams.clone()).unwrap_or_default(),
        employment: text(given, "userType").map(str::to_lowercase),
        location: best(given, "addresses").and_then(|a| text(a, "locality")).map(str::to_owned),
        title: text(given, "title").map(str::to_owned),
        attributes: Default::default(),
        accounts: Default::default(),
        // Without a word on it, it stays as it was: taking the attribute away brings nobody back.
        status: match given.get("active") {
            Some(Value::Bool(false)) => PersonStatus::Left,
            Some(_) => PersonStatus::Active,
            None => before.map_or(PersonStatus::Active, |b| b.person.status),
        },
    };
    if let Some(enterprise) = extension(given, ENTERPRISE) {
        for (from, to) in FOR_POLICIES {
            if let Some(value) = text(enterprise, from) {
                person.attributes.insert(to.to_owned(), AttributeValue::Text(value.to_owned()));
            }
        }
    }
    for (key, value) in extension(given, BANDPASS).into_iter().flatten() {
        if key == "accounts" {
            for (connector, account) in value.as_object().into_iter().flatten() {
                person.accounts.extend(ConnectorName::parse(connector).ok().zip(account.as_str().map(str::to_owned)));
            }
        } else if let Some(kind) = declared.get(key) {
            person.attributes.extend(attribute(*kind, value).map(|v| (key.clone(), v)));
        }
    }
    person
}

fn attribute(kind: AttributeType, value: &Value) -> Option<AttributeValue> {
    match (kind, value) {
        (AttributeType::Bool, Value::Bool(yes)) => Some(AttributeValue::Bool(*yes)),
        (AttributeType::Long, Value::Number(n)) => n.as_i64().map(AttributeValue::Long),
        (AttributeType::String, Value::String(text)) => Some(AttributeValue::Text(text.clone())),
        (AttributeType::Set, Value::Array(values)) => Some(AttributeValue::Set(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())),
        _ => None,
    }
}

/// An instant as SCIM writes it.
pub fn instant(at: Option<Time>) -> Option<Value> {
    at.map(|t| Value::String(t.timestamp().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()))
}

/// `meta` without a version.
pub fn meta(resource: &str, location: impl FnOnce() -> String, dates: &Dates, reads: &Reads) -> Value {
    let mut meta = Map::new();
    let wants = |part| reads.wants_part("meta", part);
    if wants("resourceType") {
        meta.insert("resourceType".to_owned(), resource.into());
    }
    if wants("location") {
        meta.insert("location".to_owned(), location().into());
    }
    for (part, at) in [("created", dates.created_at), ("lastModified", dates.told_at)] {
        meta.extend(instant(at.filter(|_| wants(part))).map(|t| (part.to_owned(), t)));
    }
    Value::Object(meta)
}

/// The resource of a record, as far as it is read.
pub fn shown(client: &Client, directory: &Directory, record: &PersonRecord, reads: &Reads) -> Object {
    let mut resource = record.given.as_ref().filter(|_| reads.wants_given()).map(|given| given.part(|name| reads.wants(name))).unwrap_or_default();
    if reads.wants("schemas") {
        let mut schemas = vec![json!(USER)];
        schemas.extend([ENTERPRISE, BANDPASS].into_iter().filter(|urn| resource.contains_key(*urn)).map(|urn| json!(urn)));
        resource.insert("schemas".to_owned(), Value::Array(schemas));
    }
    resource.insert("id".to_owned(), record.id().as_str().into());
    if let Some(manager) = resource.get_mut(ENTERPRISE).and_then(|e| e.get_mut("manager")).and_then(Value::as_object_mut)
        && let Some(id) = record.person.manager.as_ref().map(PersonId::as_str)
    {
        manager.insert("$ref".to_owned(), client.location("Users", id).into());
    }
    if reads.wants("groups") && !record.person.teams.is_empty() {
        let group = |team: &TeamId| {
            let title = directory.team(team.as_str()).map_or(team.as_str(), |t| t.title.as_str());
            json!({ "value": team, "$ref": client.location("Groups", team.as_str()), "display": title, "type": "direct" })
        };
        resource.insert("groups".to_owned(), record.person.teams.iter().map(group).collect());
    }
    if reads.wants("meta") {
        resource.insert("meta".to_owned(), meta("User", || client.location("Users", record.id().as_str()), &record.dates, reads));
    }
    resource
}
