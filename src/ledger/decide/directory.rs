//! Changes of people and teams.

use std::collections::BTreeMap;

use super::{Decided, Recorder, World, leaving::Leavers};
use crate::domain::{
    actor::Actor,
    directory_change::{DirectoryChange, Told},
    event::{Change, Personal},
    id::{IdSource, PersonId, TeamId},
    person::{Person, PersonStatus},
    record::{PersonRecord, SourceName, TeamRecord},
    refusal::Refusal,
    token::Scope,
};

/// Whether an actor may change the directory as this source: Bandpass itself, an admin, or the program whose source it is.
fn may_change(world: &World<'_>, actor: &Actor, source: &str) -> bool {
    match actor {
        Actor::System { .. } => true,
        Actor::Person { token: Some(token), service: Some(service), .. } if SourceName::scim(service).as_str() == source => {
            world.state.token(*token).is_some_and(|t| t.scopes.contains(&Scope::Scim))
        }
        Actor::Person { token: None, service: Some(service), bearer: Some(bearer), .. } if SourceName::scim(service).as_str() == source => {
            bearer.scopes.contains(&Scope::Scim)
        }
        _ => world.is_admin(actor) && !source.starts_with("scim:"),
    }
}

/// Records what a source changes and says, if the directory is still the one it was computed against. What ends because somebody
/// leaves ends here too: whoever is told that the change is durable may rely on it.
pub(super) fn change(
    world: &World<'_>,
    actor: &Actor,
    (changes, told): (&[DirectoryChange], &Told),
    source: &str,
    expected_revision: i64,
    mut recorder: Recorder<'_>,
    ids: &mut dyn IdSource,
) -> Result<Decided, Refusal> {
    if !may_change(world, actor, source) {
        return Err(Refusal::NotAllowed { reason: "only an admin can change the directory, or the program that feeds it".to_owned() });
    }
    if expected_revision != world.snapshot.directory.revision() {
        return Err(Refusal::Stale { what: "the directory".to_owned() });
    }
    let source = source.to_owned();
    let mut of_people: BTreeMap<PersonId, Vec<PersonRecord>> = BTreeMap::new();
    told.people.iter().for_each(|r| of_people.entry(r.id().clone()).or_default().push(r.clone()));
    let mut of_teams: BTreeMap<TeamId, Vec<TeamRecord>> = BTreeMap::new();
    told.teams.iter().for_each(|r| of_teams.entry(r.id().clone()).or_default().push(r.clone()));
    let mut facts = |person: &Person| {
        let records = of_people.remove(&person.id).unwrap_or_default();
        Personal { person: Some(Box::new(person.clone())), records, ..Personal::default() }
    };
    let mut leavers = Leavers::of(world, changes);
    for change in changes {
        let source = source.clone();
        match change {
            DirectoryChange::PersonAdded { person } => {
                leavers.clean(world, &person.id, &mut recorder, ids);
                recorder.record(Change::PersonAdded { person: person.id.clone(), source }, facts(person));
            }
            DirectoryChange::PersonChanged { person, fields } => {
                recorder.record(Change::PersonChanged { person: person.id.clone(), fields: fields.clone(), source }, facts(person));
            }
            DirectoryChange::PersonLeft { id } => {
                // The facts stay with the tombstone, so that their accounts are never given to another.
                let personal = world.snapshot.directory.person(id.as_str()).map_or_else(Personal::default, |person| {
                    facts(&Person { status: PersonStatus::Left, ..Person::clone(person) })
                });
                recorder.record(Change::PersonLeft { person: id.clone(), source, released: leavers.released(id) }, personal);
                leavers.end(world, id, &mut recorder, ids);
            }
            DirectoryChange::TeamPut { team } => {
                let records = of_teams.remove(&team.id).unwrap_or_default();
                recorder.record(Change::TeamChanged { team: team.clone(), source, records }, Personal::default());
            }
            DirectoryChange::TeamGone { id } => recorder.record(Change::TeamRemoved { team: id.clone(), source }, Personal::default()),
        }
    }
    // What changes nothing is said all the same.
    for (person, records) in of_people {
        recorder.record(Change::PersonRecorded { person, source: source.clone() }, Personal { records, ..Personal::default() });
    }
    for (team, records) in of_teams {
        recorder.record(Change::TeamRecorded { team, source: source.clone(), records, forgotten: None }, Personal::default());
    }
    for (by, team) in &told.forgotten {
        let change = Change::TeamRecorded { team: team.clone(), source: source.clone(), records: Vec::new(), forgotten: Some(by.clone()) };
        recorder.record(change, Personal::default());
    }
    leavers.void_votes(world, &mut recorder);
    Ok(recorder.done())
}

/// Records that a source is held back. Whoever may speak as the source may say so of it.
pub(super) fn hold_leavers(world: &World<'_>, actor: &Actor, source: &SourceName, (leaving, active): (u32, u32), mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    if !may_change(world, actor, source.as_str()) {
        return Err(Refusal::NotAllowed { reason: "only the program that feeds the directory is held back".to_owned() });
    }
    let reason = format!("{leaving} of {active} people would leave by {source} within a short while; they stay until an admin confirms it");
    recorder.record(Change::LeaversHeld { source: source.clone(), leaving, active }, Personal { reason: Some(reason), ..Personal::default() });
    Ok(recorder.done())
}

/// Lets a source go on, if what was looked at is what is held.
pub(super) fn confirm_leavers(world: &World<'_>, actor: &Actor, (source, held): (&SourceName, Option<i64>), reason: &str, mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    if !world.is_admin(actor) || actor.service().is_some() {
        return Err(Refusal::NotAllowed { reason: "only an admin can confirm that so many people leave".to_owned() });
    }
    if reason.trim().is_empty() {
        return Err(Refusal::Impossible { field: Some("reason".to_owned()), reason: "say why it is right that they leave".to_owned() });
    }
    if held.is_some_and(|seq| world.state.held_leavers(source) != Some(seq)) {
        return Err(Refusal::Stale { what: "what is held back".to_owned() });
    }
    recorder.record(Change::LeaversConfirmed { source: source.clone() }, Personal { comment: Some(reason.to_owned()), ..Personal::default() });
    Ok(recorder.done())
}

/// Records that a source was heard from.
pub(super) fn source_seen(world: &World<'_>, actor: &Actor, source: &SourceName, mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    if !may_change(world, actor, source.as_str()) {
        return Err(Refusal::NotAllowed { reason: "only the source itself is heard from".to_owned() });
    }
    recorder.record(Change::SourceSeen { source: source.clone() }, Personal::default());
    Ok(recorder.done())
}
