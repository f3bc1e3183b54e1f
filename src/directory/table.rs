//! People and teams from a simple table: TOML with `[[person]]` and `[[team]]`, or CSV with a header.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use super::plan::Source;
use crate::domain::{
    id::{ConnectorName, PersonId, TeamId},
    person::{AttributeValue, Person, PersonStatus, Team},
    problem::{Problem, Severity},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    person: Vec<Spanned<PersonEntry>>,
    #[serde(default)]
    team: Vec<Spanned<TeamEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TeamEntry {
    id: TeamId,
    title: Option<String>,
    #[serde(default)]
    description: String,
    parent: Option<TeamId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonEntry {
    id: PersonId,
    name: String,
    email: Option<String>,
    manager: Option<PersonId>,
    team: Option<TeamId>,
    #[serde(default)]
    teams: BTreeSet<TeamId>,
    employment: Option<String>,
    location: Option<String>,
    title: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, AttributeValue>,
    #[serde(default)]
    accounts: BTreeMap<ConnectorName, String>,
}

/// A problem at a byte offset of a text.
pub(super) fn problem(file: &str, text: &str, at: std::ops::Range<usize>, severity: Severity, message: String, help: Option<String>) -> Problem {
    let place = |offset: usize| {
        let before = text.get(..offset.min(text.len())).unwrap_or(text);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    };
    let ((line, column), (end_line, end_column)) = (place(at.start), place(at.end));
    let source_line = text.lines().nth(usize::try_from(line).unwrap_or(1).saturating_sub(1)).unwrap_or_default().to_owned();
    Problem { file: file.to_owned(), line, column, end_line, end_column, code: "BD001".to_owned(), severity, message, help, source_line }
}

/// Characters that make two texts look alike or forge a line: control characters and bidirectional controls.
pub(super) fn is_deceptive(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}' | '\u{feff}')
}

/// Reads a TOML table into `source`; answers what is wrong with it.
pub fn read_toml(file: &str, text: &str, source: &mut Source) -> Vec<Problem> {
    let parsed: File = match toml::from_str(text) {
        Ok(parsed) => parsed,
        Err(error) => {
            let at = error.span().unwrap_or(0..0);
            return vec![problem(file, text, at, Severity::Error, error.message().replace('\n', ", "), None)];
        }
    };
    let mut problems = Vec::new();
    for entry in parsed.team {
        let (at, team) = (entry.span(), entry.into_inner());
        let id = team.id.clone();
        let team = Team { title: team.title.unwrap_or_else(|| id.to_string()), id: team.id, description: team.description, parent: team.parent };
        if source.teams.insert(id.clone(), team).is_some() {
            problems.push(problem(file, text, at, Severity::Error, format!("team `{id}` is given twice"), None));
        }
    }
    for entry in parsed.person {
        let (at, p) = (entry.span(), entry.into_inner());
        if p.name.chars().any(is_deceptive) {
            let help = Some("write the name with visible characters only".to_owned());
            problems.push(problem(file, text, at.clone(), Severity::Error, format!("the name of `{}` holds a control character", p.id), help));
        }
        let id = p.id.clone();
        let person = Person {
            id: p.id,
            name: p.name,
            email: p.email,
            manager: p.manager,
            team: p.team,
            teams: p.teams,
            employment: p.employment,
            location: p.location,
            title: p.title,
            attributes: p.attributes,
            accounts: p.accounts,
            status: PersonStatus::Active,
        };
        if source.people.insert(id.clone(), person).is_some() {
            problems.push(problem(file, text, at, Severity::Error, format!("person `{id}` is given twice"), None));
        }
    }
    problems
}

const COLUMNS: &[&str] = &["id", "name", "email", "manager", "team", "teams", "employment", "location", "title"];

/// Reads a CSV table of people into `source`. Columns: `id` and `name`, and any of `email`, `manager`, `team`, `teams`
/// (separated by `;`), `employment`, `location`, `title`, `attr:NAME`, `account:CONNECTOR`.
pub fn read_csv(file: &str, text: &str, source: &mut Source) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let at_line = |line: u64, message: String, help: Option<String>| {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let source_line = text.lines().nth(usize::try_from(line).unwrap_or(1).saturating_sub(1)).unwrap_or_default().to_owned();
        let end_column = u32::try_from(source_line.chars().count() + 1).unwrap_or(u32::MAX);
        Problem {
            file: file.to_owned(),
            line,
            column: 1,
            end_line: line,
            end_column,
            code: "BD002".to_owned(),
            severity: Severity::Error,
            message,
            help,
            source_line,
        }
    };
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return vec![at_line(1, error.to_string(), None)],
    };
    for column in &header {
        if !COLUMNS.contains(&column) && !column.starts_with("attr:") && !column.starts_with("account:") {
            let help = format!("known columns: {}, attr:NAME, account:CONNECTOR", COLUMNS.join(", "));
            problems.push(at_line(1, format!("unknown column `{column}`"), Some(help)));
        }
    }
    for needed in ["id", "name"] {
        if !header.iter().any(|c| c == needed) {
            problems.push(at_line(1, format!("the column `{needed}` is missing"), None));
        }
    }
    if !problems.is_empty() {
        return problems;
    }
    for row in reader.records() {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                problems.push(at_line(error.position().map_or(1, csv::Position::line), error.to_string(), None));
                continue;
            }
        };
        let line = row.position().map_or(1, csv::Position::line);
        match person_of(&header, &row) {
            Ok(person) => {
                let id = person.id.clone();
                if source.people.insert(id.clone(), person).is_some() {
                    problems.push(at_line(line, format!("person `{id}` is given twice"), None));
                }
            }
            Err(message) => problems.push(at_line(line, message, None)),
        }
    }
    problems
}

fn person_of(header: &csv::StringRecord, row: &csv::StringRecord) -> Result<Person, String> {
    let cell = |name: &str| header.iter().position(|c| c == name).and_then(|i| row.get(i)).filter(|v| !v.is_empty());
    let text = |name: &str| cell(name).map(str::to_owned);
    let shown = |e: crate::domain::id::InvalidId| e.to_string();
    let name = text("name").ok_or("`name` is empty")?;
    if name.chars().any(is_deceptive) {
        return Err("`name` holds a control character".to_owned());
    }
    let mut attributes = BTreeMap::new();
    let mut accounts = BTreeMap::new();
    for (column, value) in header.iter().zip(row.iter()).filter(|(_, v)| !v.is_empty()) {
        if let Some(name) = column.strip_prefix("attr:") {
            let value = match value {
                "true" => AttributeValue::Bool(true),
                "false" => AttributeValue::Bool(false),
                other => other.parse().map_or_else(|_| AttributeValue::Text(other.to_owned()), AttributeValue::Long),
            };
            attributes.insert(name.to_owned(), value);
        } else if let Some(connector) = column.strip_prefix("account:") {
            accounts.insert(ConnectorName::parse(connector).map_err(shown)?, value.to_owned());
        }
    }
    let teams = cell("teams").unwrap_or_default().split(';').map(str::trim).filter(|t| !t.is_empty());
    Ok(Person {
        id: PersonId::parse(cell("id").ok_or("`id` is empty")?).map_err(shown)?,
        name,
        email: text("email"),
        manager: cell("manager").map(PersonId::parse).transpose().map_err(shown)?,
        team: cell("team").map(TeamId::parse).transpose().map_err(shown)?,
        teams: teams.map(TeamId::parse).collect::<Result<_, _>>().map_err(shown)?,
        employment: text("employment"),
        location: text("location"),
        title: text("title"),
        attributes,
        accounts,
        status: PersonStatus::Active,
    })
}

/// What is wrong with a source as a whole: ids that differ only by case are errors; unknown teams and managers, and
/// cycles, are warnings, since a source may be mended later and decisions never follow a cycle twice.
pub fn check(file: &str, source: &Source) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut tell = |severity, message| problems.push(problem(file, "", 0..0, severity, message, None));
    let mut folded: BTreeMap<String, &PersonId> = BTreeMap::new();
    for id in source.people.keys() {
        if let Some(other) = folded.insert(id.as_str().to_ascii_lowercase(), id) {
            tell(Severity::Error, format!("the ids `{other}` and `{id}` differ only by case"));
        }
    }
    for person in source.people.values() {
        for team in person.teams.iter().chain(&person.team).filter(|t| !source.teams.contains_key(*t)) {
            tell(Severity::Warning, format!("`{}` is in the unknown team `{team}`", person.id));
        }
        if let Some(manager) = person.manager.as_ref().filter(|m| !source.people.contains_key(*m)) {
            tell(Severity::Warning, format!("the manager `{manager}` of `{}` is unknown", person.id));
        }
    }
    for team in source.teams.values() {
        if let Some(parent) = team.parent.as_ref().filter(|p| !source.teams.contains_key(*p)) {
            tell(Severity::Warning, format!("the parent `{parent}` of team `{}` is unknown", team.id));
        }
        let mut at = team.parent.as_ref();
        for _ in 0..super::MAX_DEPTH {
            match at {
                Some(id) if *id == team.id => {
                    tell(Severity::Warning, format!("team `{}` is above itself: its chain of parents is a cycle", team.id));
                    break;
                }
                Some(id) => at = source.teams.get(id).and_then(|t| t.parent.as_ref()),
                None => break,
            }
        }
    }
    problems
}
