//! A starter policy for groups that exist already (semantics.md, 34): one file a group, approval by the nearest owner, a
//! fallback where a chain of owners ends. Written by a serialiser, never by pasting text.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// A group of the source.
#[derive(Debug, Clone)]
pub struct SourceGroup {
    /// As the source spells it.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// What it is.
    pub description: String,
    /// The group above.
    pub parent: Option<String>,
    /// Direct members.
    pub members: usize,
}

/// What to write.
#[derive(Debug, Clone, Default)]
pub struct Scaffold {
    /// Path below the folder, and content.
    pub files: BTreeMap<String, String>,
    /// How names were mapped, and what wants review.
    pub notes: Vec<String>,
}

#[derive(Serialize)]
struct GroupFile {
    title: String,
    description: String,
    owner: Vec<String>,
    sensitivity: &'static str,
    tags: Vec<&'static str>,
    rule: Vec<RuleFile>,
}

#[derive(Serialize)]
struct RuleFile {
    name: &'static str,
    who: Vec<&'static str>,
    then: &'static str,
    #[serde(rename = "for")]
    max: &'static str,
    stage: Vec<StageFile>,
}

#[derive(Serialize)]
struct StageFile {
    from: Vec<String>,
    need: u32,
}

/// Words in a name that promise power.
const POWERFUL: &[&str] = &["admin", "security", "infra", "root", "owner", "release", "prod", "core", "leadership"];

/// Reads `group,person` lines with a header.
///
/// # Errors
/// A sentence with the line.
pub fn read_owners(text: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut lines = text.lines().enumerate();
    match lines.next() {
        Some((_, header)) if header.trim() == "group,person" => {}
        _ => return Err("the owners file must begin with the line `group,person`".to_owned()),
    }
    for (number, line) in lines.filter(|(_, l)| !l.trim().is_empty()) {
        match line.split(',').map(str::trim).collect::<Vec<_>>().as_slice() {
            [group, person] if !group.is_empty() && !person.is_empty() => owners.entry((*group).to_owned()).or_default().push((*person).to_owned()),
            _ => return Err(format!("line {} of the owners file is not `group,person`: {line}", number + 1)),
        }
    }
    Ok(owners)
}

/// The id of a group of this name: folded to lower case; none when it does not fit even then.
fn mapped(name: &str) -> Option<String> {
    let folded = name.to_ascii_lowercase();
    crate::domain::id::GroupId::parse(&folded).ok().map(|id| id.to_string())
}

/// Plans the files. `fallback_team` answers where a chain of owners ends or is too short; `fallback_size` is its number of
/// members, none when there is no such team.
///
/// # Errors
/// Every name that cannot be used, or a fallback that could not answer.
pub fn plan(
    groups: &[SourceGroup],
    owners: &BTreeMap<String, Vec<String>>,
    people: &BTreeSet<String>,
    fallback_team: &str,
    fallback_size: Option<usize>,
) -> Result<Scaffold, String> {
    match fallback_size {
        None => return Err(format!("the fallback owner `team:{fallback_team}` is not in the catalogue")),
        Some(size) if size < 2 => return Err(format!("the fallback owner `team:{fallback_team}` has {size} member(s); it needs two, so that one can answer for the other")),
        Some(_) => {}
    }
    let mut scaffold = Scaffold::default();
    let mut refused = Vec::new();
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    let parents: BTreeMap<&str, Option<&str>> = groups.iter().map(|g| (g.name.as_str(), g.parent.as_deref())).collect();
    for group in groups {
        let Some(id) = mapped(&group.name) else {
            refused.push(format!("`{}` cannot be a group id: use 1 to 63 of a-z, 0-9 and `-`", group.name));
            continue;
        };
        if let Some(other) = taken.insert(id.clone(), &group.name) {
            refused.push(format!("`{}` and `{other}` would both be `{id}`", group.name));
            continue;
        }
        if id != group.name {
            scaffold.notes.push(format!("`{}` becomes `{id}`", group.name));
        }
        let nearest = nearest_owners(&group.name, owners, &parents, people);
        let powerful = POWERFUL.iter().any(|word| id.split('-').any(|part| part.starts_with(word)));
        let need: u32 = if powerful { 2 } else { 1 };
        let mut from: Vec<String> = nearest.iter().map(|p| format!("person:{p}")).collect();
        // The requester may be one of the owners and never answers their own request, so one more than needed must be there.
        if nearest.len() <= usize::try_from(need).unwrap_or(usize::MAX) {
            from.push(format!("team:{fallback_team}"));
        }
        if powerful {
            scaffold.notes.push(format!("`{id}` looks powerful: restricted, two approvals, tagged review-me"));
        }
        if nearest.is_empty() {
            scaffold.notes.push(format!("`{id}` has no owner up its chain: team:{fallback_team} answers for it"));
        }
        let owner = if nearest.is_empty() { vec![format!("team:{fallback_team}")] } else { nearest.iter().map(|p| format!("person:{p}")).collect() };
        let file = GroupFile {
            title: group.title.clone(),
            description: group.description.clone(),
            owner,
            sensitivity: if powerful { "restricted" } else { "internal" },
            tags: if powerful { vec!["scaffolded", "review-me"] } else { vec!["scaffolded"] },
            rule: vec![RuleFile {
                name: "when an owner agrees",
                who: vec!["everyone"],
                then: "approve",
                max: if powerful { "30d" } else { "90d" },
                stage: vec![StageFile { from, need }],
            }],
        };
        let text = toml::to_string(&file).map_err(|e| format!("`{id}`: {e}"))?;
        scaffold.files.insert(format!("groups/{id}.toml"), text);
    }
    if !refused.is_empty() {
        return Err(refused.join("\n"));
    }
    let team = format!("team:{fallback_team}");
    let mut roles = toml::Table::new();
    for role in ["auditor", "admin"] {
        let mut who = toml::Table::new();
        who.insert("who".to_owned(), toml::Value::Array(vec![toml::Value::String(team.clone())]));
        roles.insert(role.to_owned(), toml::Value::Table(who));
    }
    scaffold.files.insert("roles.toml".to_owned(), toml::to_string(&roles).map_err(|e| e.to_string())?);
    Ok(scaffold)
}

/// The owners of a group, or of the nearest group above it that has any known ones.
fn nearest_owners(name: &str, owners: &BTreeMap<String, Vec<String>>, parents: &BTreeMap<&str, Option<&str>>, people: &BTreeSet<String>) -> Vec<String> {
    let mut at = Some(name);
    for _ in 0..64 {
        let Some(group) = at else { break };
        let known: Vec<String> = owners.get(group).into_iter().flatten().filter(|p| people.contains(*p)).cloned().collect();
        if !known.is_empty() {
            return known;
        }
        at = parents.get(group).copied().flatten();
    }
    Vec::new()
}
