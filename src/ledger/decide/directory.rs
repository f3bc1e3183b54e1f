//! Changes of people and teams.

use super::{Decided, Recorder, World, leaving::Leavers};
use crate::domain::{
    actor::Actor,
    directory_change::DirectoryChange,
    event::{Change, Personal},
    id::IdSource,
    person::{Person, PersonStatus},
    refusal::Refusal,
};

/// Records what an import changes, if the directory is still the one it was computed against. What ends because somebody leaves
/// ends here too: whoever is told that the change is durable may rely on it.
pub(super) fn change(
    world: &World<'_>,
    actor: &Actor,
    changes: &[DirectoryChange],
    source: &str,
    expected_revision: i64,
    mut recorder: Recorder<'_>,
    ids: &mut dyn IdSource,
) -> Result<Decided, Refusal> {
    let by_bandpass = matches!(actor, Actor::System { .. });
    if !by_bandpass && !world.is_admin(actor) {
        return Err(Refusal::NotAllowed { reason: "only an admin can change the directory".to_owned() });
    }
    if expected_revision != world.snapshot.directory.revision() {
        return Err(Refusal::Stale { what: "the directory".to_owned() });
    }
    let source = source.to_owned();
    let facts = |person: &Person| Personal { person: Some(Box::new(person.clone())), ..Personal::default() };
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
            DirectoryChange::TeamPut { team } => recorder.record(Change::TeamChanged { team: team.clone(), source }, Personal::default()),
            DirectoryChange::TeamGone { id } => recorder.record(Change::TeamRemoved { team: id.clone(), source }, Personal::default()),
        }
    }
    leavers.void_votes(world, &mut recorder);
    Ok(recorder.done())
}
