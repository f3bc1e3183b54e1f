//! Which id a new user or group gets. It is for ever, so it is never another's, whoever that was.
//!
//! Somebody whom other sources know is joined by the names that `directory.scim_join_by` lists, and by no other: a name that may be
//! another's tomorrow is nobody's identifier (semantics.md, 29). Where a name that joins nobody is the id of somebody who is here,
//! the client is refused: two people of one id would be one too many, and letting the second go would leave the first in.

use serde_json::Value;

use super::{Client, Object, error::ScimError};
use crate::{
    directory::Directory,
    domain::id::{PersonId, TeamId},
    ledger::fresh_id,
};

fn text<'o>(given: &'o Object, name: &str) -> Option<&'o str> {
    given.get(name).and_then(Value::as_str)
}

fn joins(client: &Client, name: &str) -> bool {
    client.state.settings.directory.scim_join_by.iter().any(|n| n == name)
}

fn taken(name: &str, id: &str, what: &str) -> ScimError {
    ScimError::uniqueness(format!(
        "`{name}` is the id of {what} whom other sources know, `{id}`, and does not join: an admin adds `{name}` to `directory.scim_join_by` if it never means another, or the client sends `{id}` as `externalId`"
    ))
}

/// The id of a new user: that of somebody who is here and whom this source does not know yet, by a name that joins; else what
/// `directory.scim_person_id` says, if it was never anybody's; else one that is made. Never that of someone who left.
pub(super) fn of_user(client: &Client, directory: &Directory, given: &Object) -> Result<PersonId, ScimError> {
    let own = |id: &PersonId| directory.records().person(&client.source, id.as_str()).is_some_and(|r| !r.gone);
    let stranger = |text: &str| directory.alike(text).filter(|id| directory.person(id.as_str()).is_some_and(|p| p.is_active()) && !own(id));
    let names = || ["externalId", "userName"].into_iter().filter_map(|name| Some((name, text(given, name)?)));
    if let Some((_, id)) = names().filter_map(|(name, text)| Some((text, joins(client, name).then(|| stranger(text))??))).find(|(text, id)| id.as_str() == *text) {
        return Ok(id.clone());
    }
    if let Some((name, id)) = names().find_map(|(name, text)| Some((name, stranger(text)?))) {
        return Err(taken(name, id.as_str(), "a person"));
    }
    for name in &client.state.settings.directory.scim_person_id {
        let Some(id) = text(given, name).and_then(|text| PersonId::parse(text).ok()) else { continue };
        if directory.alike(id.as_str()).is_none() && !directory.records().knows(id.as_str()) {
            return Ok(id);
        }
    }
    PersonId::parse(&fresh_id().to_string()).map_err(|e| ScimError::new(500, None, e.to_string()))
}

/// A name in small letters, when it is of letters, digits and separators alone: of any other two may look the same then.
fn slug(name: &str) -> Option<TeamId> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '/');
    if !name.chars().all(plain) {
        return None;
    }
    let mut slug = String::new();
    for c in name.to_ascii_lowercase().chars() {
        match c {
            ' ' | '/' | '-' if slug.ends_with('-') || slug.is_empty() => {}
            ' ' | '/' | '-' => slug.push('-'),
            c => slug.push(c),
        }
    }
    TeamId::parse(slug.trim_end_matches('-')).ok()
}

/// The id of a new group: that of a team which other sources know, by a name that joins; else its name in small letters, if that
/// was never a team's; else one that is made.
pub(super) fn of_group(client: &Client, directory: &Directory, given: &Object) -> Result<TeamId, ScimError> {
    let records = directory.records();
    let stranger = |id: &TeamId| directory.team(id.as_str()).is_some() && records.team(&client.source, id.as_str()).is_none();
    let by_external = text(given, "externalId").and_then(|text| TeamId::parse(text).ok()).filter(|id| stranger(id));
    if let Some(id) = by_external {
        return if joins(client, "externalId") { Ok(id) } else { Err(taken("externalId", id.as_str(), "a team")) };
    }
    let Some(id) = text(given, "displayName").and_then(slug) else { return made() };
    if stranger(&id) {
        return if joins(client, "displayName") { Ok(id) } else { Err(taken("displayName", id.as_str(), "a team")) };
    }
    if directory.team(id.as_str()).is_none() && !records.knows_team(id.as_str()) { Ok(id) } else { made() }
}

fn made() -> Result<TeamId, ScimError> {
    TeamId::parse(&fresh_id().to_string()).map_err(|e| ScimError::new(500, None, e.to_string()))
}
