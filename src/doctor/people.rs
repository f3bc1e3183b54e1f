//! The directory: people, their managers, and admins who can sign in.

use super::{Finding, Ground, State};
use crate::{
    directory::Directory,
    domain::{group::Who, person::Person},
    ledger::decide::is_in,
    settings::{Settings, SigninMode, issuer::PersonField},
    startup,
    store::{db::Location, dump::Dumper, writer::Writer},
};

const NAME: &str = "people";

/// The people of a database.
pub(super) fn stored(location: &Location) -> Option<Directory> {
    let revision = Dumper::open(location).ok()?.head().ok()?.in_force.directory_revision;
    let found = Writer::open_for_reading(location).ok()?.load_directory().ok()?;
    Some(Directory::new(found.people, found.teams, revision))
}

/// The people of `directory.source`, when its files can be used.
pub(super) fn of_files(settings: &Settings) -> Option<Directory> {
    startup::people_of_files(settings).ok()
}

pub(super) async fn check(ground: &Ground) -> Vec<Finding> {
    let settings = &ground.settings;
    let mut found = Vec::new();
    if ground.within.is_none() && !settings.directory.source.is_empty()
        && let Err(error) = startup::people_of_files(settings)
    {
        let cure = "mend the files, or set `directory.source` to a file or folder of people; empty where another program brings them";
        found.push(Finding::fault(NAME, format!("`directory.source` is `{}`: {error}", settings.directory.source), cure));
    }
    let directory = &ground.directory;
    let active: Vec<&Person> = directory.people().values().map(|p| p.as_ref()).filter(|p| p.is_active()).collect();
    if active.is_empty() {
        if found.is_empty() {
            found.push(Finding::fault(NAME, "nobody is in the directory", "set `directory.source`, run bandpass directory import, or let your identity provider bring people over SCIM"));
        }
        return found;
    }
    let orphans: Vec<&str> = active.iter().filter(|p| p.manager.as_ref().is_some_and(|m| !directory.person(m.as_str()).is_some_and(|m| m.is_active()))).map(|p| p.id.as_str()).collect();
    if !orphans.is_empty() {
        found.push(Finding::warning(NAME, format!("{} have a manager who is not here or has left: {}", count(orphans.len()), some(&orphans)), "give them another manager in the source of people; until then nobody can approve for them where a stage asks the manager"));
    }
    let without: Vec<&str> = active.iter().filter(|p| p.manager.is_none()).map(|p| p.id.as_str()).collect();
    if without.len() * 2 > active.len() {
        found.push(Finding::warning(NAME, format!("{} of {} have no manager", without.len(), count(active.len())), "bring the field `manager`: stages that ask the manager have nobody to ask for them"));
    }
    found.extend(admins(ground, &active));
    if !found.iter().any(|f| f.state == State::Fault) {
        found.push(Finding::ok(NAME, format!("{} in {} teams", count(active.len()), directory.teams().len())));
    }
    found
}

/// Whether there is somebody to administer, and whether they can sign in.
fn admins(ground: &Ground, active: &[&Person]) -> Vec<Finding> {
    let Some(set) = &ground.policy else { return Vec::new() };
    let roles = set.roles();
    let none = std::collections::BTreeSet::new();
    let of = |words: &[Who]| active.iter().filter(|p| words.iter().any(|w| is_in(w, &p.id, &ground.directory, &none))).copied().collect::<Vec<&Person>>();
    let by_group = |words: &[Who]| words.iter().any(|w| matches!(w, Who::Group(_)));
    let (admins, auditors) = (of(&roles.admin), of(&roles.auditor));
    let mut found = Vec::new();
    if admins.is_empty() && !by_group(&roles.admin) {
        found.push(Finding::fault(NAME, "roles.toml names admins, and none of them is in the directory", "name a team or people who are there under [admin] in roles.toml; the very first admin: bandpass token create --admin"));
    }
    if auditors.is_empty() && !by_group(&roles.auditor) {
        found.push(Finding::warning(NAME, "nobody may read the audit log", "name a team or people under [auditor] in roles.toml"));
    }
    if ground.settings.signin.mode == SigninMode::Oidc {
        for issuer in &ground.settings.signin.issuer {
            let cannot = |people: &[&Person]| people.iter().filter(|p| !has(p, &issuer.person_field)).map(|p| p.id.to_string()).collect::<Vec<_>>();
            let (all, lacking) = (cannot(active), cannot(&admins));
            let names: Vec<&str> = lacking.iter().map(String::as_str).collect();
            let cure = format!("bring `{}` with the people, or set `person_field` of [[signin.issuer]] `{}`", issuer.person_field, issuer.name);
            if !admins.is_empty() && names.len() == admins.len() && ground.settings.signin.issuer.len() == 1 {
                found.push(Finding::fault(NAME, format!("no admin can sign in at `{}` for the first time: the directory has no `{}` for {}", issuer.name, issuer.person_field, some(&names)), cure));
            } else if !all.is_empty() {
                found.push(Finding::warning(NAME, format!("{} of {} cannot sign in at `{}` for the first time: the directory has no `{}` for them", all.len(), count(active.len()), issuer.name, issuer.person_field), cure));
            }
        }
    }
    found
}

fn has(person: &Person, field: &PersonField) -> bool {
    match field {
        PersonField::Id => true,
        PersonField::Account(name) => person.accounts.contains_key(name),
    }
}

fn count(n: usize) -> String {
    if n == 1 { "1 person".to_owned() } else { format!("{n} people") }
}

/// The first few names.
fn some(names: &[&str]) -> String {
    let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(3) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
