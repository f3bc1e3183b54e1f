//! People and teams from a Backstage catalogue (`backstage.io/v1alpha1`): entities of kind User and Group; others are
//! ignored. References are `[kind:][namespace/]name`; members named by groups and groups named by users are united.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::plan::Source;
use crate::domain::{
    id::{PersonId, TeamId},
    person::{Person, PersonStatus, Team},
    problem::{Problem, Severity},
};

#[derive(Deserialize)]
struct Entity {
    kind: String,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    name: String,
    namespace: Option<String>,
    title: Option<String>,
    description: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    profile: Profile,
    parent: Option<String>,
    #[serde(default)]
    members: Vec<String>,
    #[serde(default)]
    member_of: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Profile {
    display_name: Option<String>,
    email: Option<String>,
}

/// A group of the catalogue as it is, for scaffolding and adopting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueGroup {
    /// `metadata.name`.
    pub name: String,
    /// `spec.profile.displayName`, else the name.
    pub title: String,
    /// `metadata.description`.
    pub description: String,
    /// `spec.type`.
    pub kind: String,
    /// Name of `spec.parent`.
    pub parent: Option<String>,
    /// Direct members by id, from both sides.
    pub members: std::collections::BTreeSet<String>,
}

/// A catalogue read: people and teams, the groups as they are, and what is wrong.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// People and teams.
    pub source: Source,
    /// Groups by name.
    pub groups: BTreeMap<String, CatalogueGroup>,
    /// Errors and warnings.
    pub problems: Vec<Problem>,
}

/// The name in a reference `[kind:][namespace/]name`, when it means one of that kind in the namespace `default`. Any other is
/// answered whole: there is none of such a name, so it becomes a warning and never a membership of a namesake.
fn name_of<'r>(reference: &'r str, kind: &str) -> &'r str {
    let (of, rest) = reference.split_once(':').unwrap_or((kind, reference));
    let (namespace, name) = rest.split_once('/').unwrap_or(("default", rest));
    if of.eq_ignore_ascii_case(kind) && namespace.eq_ignore_ascii_case("default") { name } else { reference }
}

/// Reads a catalogue file of one or many YAML documents into `catalogue`. Call [`finish`] when all files are read.
pub fn read(file: &str, text: &str, catalogue: &mut Catalogue, memberships: &mut Vec<(String, String)>) {
    let mut line = 1;
    let mut document = String::new();
    let mut begins = 1;
    for row in text.lines().chain(["---"]) {
        if row.trim_end() == "---" {
            read_document(file, begins, &document, catalogue, memberships);
            document.clear();
            begins = line + 1;
        } else {
            document.push_str(row);
            document.push('\n');
        }
        line += 1;
    }
}

fn read_document(file: &str, begins: u32, text: &str, catalogue: &mut Catalogue, memberships: &mut Vec<(String, String)>) {
    if text.trim().is_empty() {
        return;
    }
    let tell = |severity, line: u32, message: String, help: Option<String>| Problem {
        file: file.to_owned(),
        line,
        column: 1,
        end_line: line,
        end_column: 2,
        code: "BD003".to_owned(),
        severity,
        message,
        help,
        source_line: text.lines().nth(usize::try_from(line.saturating_sub(begins)).unwrap_or(0)).unwrap_or_default().to_owned(),
    };
    let entity: Entity = match serde_saphyr::from_str(text) {
        Ok(entity) => entity,
        Err(error) => {
            let line = error.location().map_or(begins, |l| begins + u32::try_from(l.line()).unwrap_or(1).saturating_sub(1));
            let message = error.to_string().lines().next().unwrap_or("not a catalogue entity").to_owned();
            catalogue.problems.push(tell(Severity::Error, line, message, Some("an entity has `kind`, `metadata` and `spec`".to_owned())));
            return;
        }
    };
    let namespace = entity.metadata.namespace.as_deref().unwrap_or("default");
    if namespace != "default" && matches!(entity.kind.as_str(), "User" | "Group") {
        let message = format!("`{}` is in the namespace `{namespace}`; only `default` is read", entity.metadata.name);
        let help = Some("the same name in two namespaces would be two people with one id".to_owned());
        catalogue.problems.push(tell(Severity::Error, begins, message, help));
        return;
    }
    let name = entity.metadata.name;
    let shown = entity.spec.profile.display_name.or(entity.metadata.title).unwrap_or_else(|| name.clone());
    if shown.chars().any(super::table::is_deceptive) {
        catalogue.problems.push(tell(Severity::Error, begins, format!("the display name of `{name}` holds a control character"), None));
        return;
    }
    match entity.kind.as_str() {
        "User" => match PersonId::parse(&name) {
            Err(error) => catalogue.problems.push(tell(Severity::Error, begins, error.to_string(), None)),
            Ok(id) => {
                memberships.extend(entity.spec.member_of.iter().map(|g| (name.clone(), name_of(g, "group").to_owned())));
                let person = Person {
                    id: id.clone(),
                    name: shown,
                    email: entity.spec.profile.email,
                    manager: None,
                    team: None,
                    teams: Default::default(),
                    employment: None,
                    location: None,
                    title: None,
                    attributes: Default::default(),
                    accounts: Default::default(),
                    status: PersonStatus::Active,
                };
                if catalogue.source.people.insert(id, person).is_some() {
                    catalogue.problems.push(tell(Severity::Error, begins, format!("user `{name}` is given twice"), None));
                }
            }
        },
        "Group" => match TeamId::parse(&name) {
            Err(error) => catalogue.problems.push(tell(Severity::Error, begins, error.to_string(), None)),
            Ok(id) => {
                memberships.extend(entity.spec.members.iter().map(|p| (name_of(p, "user").to_owned(), name.clone())));
                let parent = entity.spec.parent.as_deref().map(|p| name_of(p, "group").to_owned());
                let description = entity.metadata.description.unwrap_or_default();
                let team = Team {
                    id: id.clone(),
                    title: shown.clone(),
                    description: description.clone(),
                    parent: parent.as_deref().and_then(|p| TeamId::parse(p).ok()),
                };
                let group = CatalogueGroup {
                    name: name.clone(),
                    title: shown,
                    description,
                    kind: entity.spec.kind.unwrap_or_default(),
                    parent,
                    members: Default::default(),
                };
                catalogue.groups.insert(name.clone(), group);
                if catalogue.source.teams.insert(id, team).is_some() {
                    catalogue.problems.push(tell(Severity::Error, begins, format!("group `{name}` is given twice"), None));
                }
            }
        },
        _ => {}
    }
}

/// Joins people and teams once every file is read.
pub fn finish(mut catalogue: Catalogue, memberships: Vec<(String, String)>) -> Catalogue {
    for (person, group) in memberships {
        let known = catalogue.source.people.get_mut(person.as_str());
        match (known, TeamId::parse(&group).ok().filter(|t| catalogue.source.teams.contains_key(t))) {
            (Some(known), Some(team)) => {
                if known.team.is_none() {
                    known.team = Some(team.clone());
                }
                known.teams.insert(team);
                if let Some(group) = catalogue.groups.get_mut(&group) {
                    group.members.insert(person);
                }
            }
            (known, team) => {
                let missing = if known.is_none() { format!("user `{person}`") } else { format!("group `{group}`") };
                let _ = team;
                catalogue.problems.push(Problem {
                    file: "catalogue".to_owned(),
                    line: 1,
                    column: 1,
                    end_line: 1,
                    end_column: 1,
                    code: "BD004".to_owned(),
                    severity: Severity::Warning,
                    message: format!("`{person}` in `{group}`: the {missing} is not in the catalogue"),
                    help: None,
                    source_line: String::new(),
                });
            }
        }
    }
    let source = &catalogue.source;
    let more = super::table::check("catalogue", source);
    catalogue.problems.extend(more);
    catalogue
}
