//! Who a subject is here: by the recorded link; at a first sign-in by the configured claim, and by nothing else.

use std::sync::Arc;

use super::provider::Provider;
use crate::{
    domain::person::Person,
    ledger::Snapshot,
    settings::issuer::PersonField,
    store::read::{Reader, StoreError},
};

/// How somebody was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// By the recorded link of their subject.
    Link,
    /// By the claim, at a first sign-in.
    Claim,
}

/// What is known of a subject.
#[derive(Debug, Clone)]
pub enum Match {
    /// They are this person, who works here.
    Person(Arc<Person>, By),
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
    let standing = |person: &Arc<Person>, by: By| if person.is_active() { Match::Person(Arc::clone(person), by) } else { Match::Left(Arc::clone(person)) };
    if let Some(identity) = reader.identity(settings.url.clone(), subject.to_owned()).await? {
        return Ok(snapshot.directory.people().get(&identity.person).map_or(Match::Nobody, |person| standing(person, By::Link)));
    }
    let Some(value) = value else { return Ok(Match::Nobody) };
    let (first, second) = match &settings.person_field {
        PersonField::Id => (snapshot.directory.person(value), None),
        PersonField::Account(_) => {
            let mut having = snapshot.directory.people().values().filter(|p| settings.person_field.is(p, value));
            (having.next(), having.next())
        }
    };
    let person = match (first, second) {
        (Some(person), None) => person,
        (Some(_), Some(_)) => return Ok(Match::Several),
        (None, _) => return Ok(Match::Nobody),
    };
    let elsewhere = reader.identities_of(person.id.clone()).await?.iter().any(|i| i.issuer == settings.url);
    Ok(if elsewhere { Match::OtherSubject(Arc::clone(person)) } else { standing(person, By::Claim) })
}
