//! What is in force as a [`Snapshot`]: read from the database, or made from the one before and what a batch of this process changed.
//! The second reads nothing, so a directory that is fed one by one does not ask for each person twice.

use std::sync::Arc;

use super::snapshot::{Life, Snapshot};
use crate::{
    directory::{Changed, Directory},
    domain::{id::PersonId, person::Person},
    policy::{self, Engine, PolicySet},
    store::{change::RowChange, read::StoreError, writer::Writer},
};

/// Builds the snapshot from what the log says is in force, reusing what has not changed, and a set that was compiled to come
/// into force, if it did.
pub(super) fn read(writer: &mut Writer, last: Option<&Snapshot>, compiled: Option<&Arc<PolicySet>>) -> Result<Snapshot, StoreError> {
    let head = writer.begin()?.head;
    writer.rollback();
    let (directory, touched) = match last.filter(|l| l.directory.revision() == head.directory_revision) {
        Some(last) => (Arc::clone(&last.directory), Some(Vec::new())),
        None => {
            let (directory, touched) = read_directory(writer, last.map(|l| &*l.directory), head.directory_revision)?;
            (Arc::new(directory), touched)
        }
    };
    let compiled = compiled.filter(|set| Some(set.revision()) == head.policy_revision.as_ref());
    let set = match (&head.policy_revision, last.filter(|l| l.in_force == head.policy_revision), compiled) {
        (_, Some(last), _) => last.policy.shared_set(),
        (None, None, _) => Arc::new(PolicySet::empty()),
        (Some(_), None, Some(compiled)) => Arc::clone(compiled),
        (Some(revision), None, None) => {
            let missing = || StoreError(format!("the policy set {} in force is not in the database", revision.short()));
            let (timezone, files) = writer.load_policy_files(revision)?.ok_or_else(missing)?;
            let checked = policy::compile_kept(&files, &timezone);
            let first = checked.problems.first().map(|p| format!(": {}:{}: {}", p.file, p.line, p.message)).unwrap_or_default();
            checked.set.ok_or_else(|| StoreError(format!("the policy set {} in force cannot be compiled{first}", revision.short())))?
        }
    };
    // Lives begin and end by loads alone.
    let lives = match last.filter(|l| l.in_force == head.policy_revision) {
        Some(last) => Arc::clone(&last.lives),
        None => Arc::new(writer.load_group_lives()?.into_iter().map(|(id, incarnation, live, departure)| (id, Life { incarnation, live, departure })).collect()),
    };
    Ok(Snapshot {
        policy: Arc::new(engine(set, &directory, last.zip(touched))),
        in_force: head.policy_revision,
        next: None,
        directory,
        lives,
        policy_since: head.policy_since,
        policy_source: head.policy_source,
        problems: last.map(|l| l.problems.clone()).unwrap_or_default(),
        declared: last.map(|l| Arc::clone(&l.declared)).unwrap_or_default(),
        frozen: head.frozen,
    })
}

/// The engine for a directory: the last one with those who changed, when set and teams are the same; else a new one.
fn engine(set: Arc<PolicySet>, directory: &Directory, since: Option<(&Snapshot, Vec<PersonId>)>) -> Engine {
    let same = since.filter(|(last, _)| Arc::ptr_eq(&last.policy.shared_set(), &set));
    let followed = same.and_then(|(last, touched)| {
        let people: Vec<_> = touched.iter().filter_map(|id| directory.subject(id.as_str())).collect();
        let engine = last.policy.with_changed(&people)?;
        let same_teams = last.directory.shares_teams(directory);
        Some(if same_teams { engine } else { engine.with_teams(directory.teams().values()) })
    });
    followed.unwrap_or_else(|| Engine::new(set, directory.subjects()).with_teams(directory.teams().values()))
}

/// Reads what changed of the directory since the last snapshot, and whom that touches; everything at first, and when a team is
/// gone.
fn read_directory(writer: &mut Writer, last: Option<&Directory>, revision: i64) -> Result<(Directory, Option<Vec<PersonId>>), StoreError> {
    if let Some(last) = last {
        let found = writer.load_directory_since(last.revision())?;
        let changed = Changed { people: found.people, teams: found.teams, person_records: found.person_records, team_records: found.team_records };
        let (next, touched) = last.with_changed(changed, revision);
        if (next.teams().len(), next.records().team_count()) == found.team_counts {
            return Ok((next.with_seen(found.seen), Some(touched)));
        }
    }
    let found = writer.load_directory()?;
    let directory = Directory::new(found.people, found.teams, revision).with_records(found.person_records, found.team_records);
    Ok((directory.with_seen(found.seen), None))
}

/// The snapshot after a batch that changed the directory and nothing else that is in force. None when that cannot be told from its
/// changes alone: a team is gone, or facts were erased; then it is read.
pub(super) fn after(last: &Snapshot, changes: &[RowChange], revision: i64) -> Option<Snapshot> {
    let (mut changed, mut seen) = (Changed::default(), Vec::new());
    for change in changes {
        match change {
            RowChange::PersonPut { status, person, .. } => changed.people.push(Person { status: *status, ..Person::clone(person.as_ref()?) }),
            RowChange::PersonRecordPut { record, .. } => changed.person_records.push((**record).clone()),
            RowChange::TeamPut { team, .. } => changed.teams.push(team.clone()),
            RowChange::TeamRecordPut { record, .. } => changed.team_records.push((**record).clone()),
            RowChange::SourceSeen { source, at, .. } => seen.push((source.clone(), *at)),
            RowChange::TeamGone(_) | RowChange::TeamRecordGone { .. } => return None,
            _ => {}
        }
    }
    let (directory, touched) = last.directory.with_changed(changed, revision);
    let directory = directory.heard_from(seen);
    let policy = engine(last.policy.shared_set(), &directory, Some((last, touched)));
    Some(Snapshot { policy: Arc::new(policy), directory: Arc::new(directory), ..last.clone() })
}
