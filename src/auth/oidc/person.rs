//! Who a subject is here: by the recorded link; at a first sign-in by the configured claim, and by nothing else.

use std::sync::Arc;

use super::provider::Provider;
use crate::{
    domain::person::Person,
    ledger::Snapshot,
    store::read::{Reader, StoreError},
};

/// What is known of a subject.
#[derive(Debug, Clone)]
pub enum Match {
    /// They are this person, who works here.
    Person(Arc<Person>),
    /// They are this person, who left.
    Left(Arc<Person>),
    /// The claim names this person, who is another subject of the issuer already.
    OtherSubject(Arc<Person>),
    /// Several people have that value in the field.
    Several,
    /// Nobody has it.
    Nobody,
}

/// Looks it up. The claim counts only while no link says who the subject is.
///
/// # Errors
/// When the database cannot be read.
pub async fn find(provider: &Provider, subject: &str, value: Option<&str>, snapshot: &Snapshot, reader: &Reader) -> Result<Match, StoreError> {
    let settings = &provider.settings;
    let people = snapshot.directory.people();
    let standing = |person: &Arc<Person>| if person.is_active() { Match::Person(Arc::clone(person)) } else { Match::Left(Arc::clone(person)) };
    if let Some(identity) = reader.identity(settings.url.clone(), subject.to_owned()).await? {
        return Ok(people.get(&identity.person).map_or(Match::Nobody, standing));
    }
    let Some(value) = value else { return Ok(Match::Nobody) };
    let mut having = people.values().filter(|p| settings.person_field.is(p, value));
    let (Some(person), None) = (having.next(), having.next()) else {
        return Ok(if people.values().any(|p| settings.person_field.is(p, value)) { Match::Several } else { Match::Nobody });
    };
    let elsewhere = reader.identities_of(person.id.clone()).await?.iter().any(|i| i.issuer == settings.url);
    Ok(if elsewhere { Match::OtherSubject(Arc::clone(person)) } else { standing(person) })
}
