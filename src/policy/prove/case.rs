//! One combination as a person, a group and a request.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::axes::{Axis, DURATION, Fact};
use crate::domain::{
    decision::Inquiry,
    duration::Duration,
    group::{AttributeType, AttributeTypes, Group, Sensitivity, Who},
    id::{GroupId, PersonId, TeamId},
    person::{AttributeValue, Person, PersonStatus, Subject},
    time::Time,
};

/// A person, a group and a request that a claim speaks of.
#[derive(Debug, Clone, Serialize)]
pub struct Case {
    /// Who.
    pub person: Person,
    /// Their teams, those above included.
    pub teams: BTreeSet<TeamId>,
    /// What they ask for.
    pub group: Group,
    /// For how long.
    pub duration: Duration,
    /// What they hold.
    pub holds: BTreeSet<GroupId>,
    /// Whether they give a reason.
    pub has_justification: bool,
    /// Whether it is an emergency.
    pub break_glass: bool,
    /// When.
    pub now: Time,
    /// The facts that mattered, in words: the person, the group, the request.
    pub told: [String; 3],
}

fn words(fact: &Fact) -> String {
    match fact {
        Fact::Absent => "nothing".to_owned(),
        Fact::Mistyped => "a value of another type than declared".to_owned(),
        Fact::Bool(yes) => yes.to_string(),
        Fact::Long(number) => number.to_string(),
        Fact::Text(text) => format!("{text:?}"),
        Fact::Set(set) if set.is_empty() => "none".to_owned(),
        Fact::Set(set) => set.iter().map(|t| format!("{t:?}")).collect::<Vec<_>>().join(" and "),
    }
}

impl Case {
    /// The combination, or none when nobody can be like this: a held group is never the one asked for.
    pub(super) fn new(chosen: &[(&Axis, &Fact)], base: &Group, types: &AttributeTypes, zone: &jiff::tz::TimeZone) -> Option<Self> {
        let find = |variable: &str, name: &str| chosen.iter().find(|(a, _)| a.variable == variable && a.name == name).map(|(_, f)| *f);
        let text = |variable: &str, name: &str| match find(variable, name) {
            Some(Fact::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let set = |variable: &str, name: &str| match find(variable, name) {
            Some(Fact::Set(set)) => Some(set.clone()),
            _ => None,
        };
        let long = |name: &str| match find("context", name) {
            Some(Fact::Long(number)) => Some(*number),
            _ => None,
        };
        let yes = |name: &str| find("context", name) == Some(&Fact::Bool(true));
        let mut group = base.clone();
        if let Some(id) = text("resource", "id") {
            group.id = GroupId::parse(&id).ok()?;
        }
        match text("resource", "sensitivity").as_deref() {
            Some("public") => group.sensitivity = Sensitivity::Public,
            Some("internal") => group.sensitivity = Sensitivity::Internal,
            Some("confidential") => group.sensitivity = Sensitivity::Confidential,
            Some("restricted") => group.sensitivity = Sensitivity::Restricted,
            _ => {}
        }
        if let Some(tags) = set("resource", "tags") {
            group.tags = tags.into_iter().collect();
        }
        if let Some(owners) = set("resource", "owner").filter(|o| !o.is_empty()) {
            group.owner = owners.iter().filter_map(|o| o.parse::<Who>().ok().or_else(|| Some(Who::Team(TeamId::parse(o).ok()?)))).collect();
        }
        let team = text("principal", "team").and_then(|t| TeamId::parse(&t).ok());
        let mut teams: BTreeSet<TeamId> = set("principal", "teams").unwrap_or_default().iter().filter_map(|t| TeamId::parse(t).ok()).collect();
        teams.extend(team.clone());
        let attributes = chosen
            .iter()
            .filter(|(a, _)| a.variable == "principal" && types.contains_key(&a.name))
            .filter_map(|(a, fact)| Some((a.name.clone(), value(fact, types.get(&a.name)?)?)))
            .collect();
        let person = Person {
            id: PersonId::parse(&text("principal", "id").unwrap_or_else(|| "somebody".to_owned())).ok()?,
            name: "Somebody".to_owned(),
            email: None,
            manager: text("principal", "manager").and_then(|m| PersonId::parse(&m).ok()),
            team,
            teams: teams.clone(),
            employment: text("principal", "employment"),
            location: text("principal", "location"),
            title: text("principal", "title"),
            attributes,
            accounts: BTreeMap::new(),
            status: PersonStatus::Active,
        };
        let holds: BTreeSet<GroupId> = set("context", "holds").unwrap_or_default().iter().filter_map(|g| GroupId::parse(g).ok()).collect();
        if holds.contains(&group.id) {
            return None;
        }
        let duration = Duration::seconds(u32::try_from(long(DURATION)?).ok()?)?;
        // 3 January 2027 is a Sunday, so the weekday of the 3rd + n is n.
        let day = i8::try_from(3 + long("weekday").unwrap_or(3)).ok()?;
        let hour = i8::try_from(long("hour").unwrap_or(12)).ok()?;
        let at = jiff::civil::Date::new(2027, 1, day).ok()?.at(hour, 0, 0, 0).to_zoned(zone.clone()).ok()?;
        let now = Time::from_micros(at.timestamp().as_microsecond());
        let tell = |variable: &str| {
            let told = chosen.iter().filter(|(a, _)| a.variable == variable && a.name != DURATION).map(|(a, f)| format!("{}: {}", a.name, words(f)));
            told.collect::<Vec<_>>()
        };
        let or_any = |told: Vec<String>| if told.is_empty() { "any".to_owned() } else { told.join(", ") };
        let mut asked = vec![format!("for {}", duration.in_words())];
        asked.extend(tell("context"));
        let told = [or_any(tell("principal")), or_any(tell("resource")), asked.join(", ")];
        Some(Self { person, teams, group, duration, holds, has_justification: yes("has_justification"), break_glass: yes("break_glass"), now, told })
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        Subject { person: &self.person, teams: &self.teams }
    }

    pub(super) fn inquiry(&self) -> Inquiry<'_> {
        Inquiry {
            subject: self.subject(),
            group: &self.group.id,
            duration: self.duration,
            has_justification: self.has_justification,
            now: self.now,
            holds: &self.holds,
            break_glass: self.break_glass,
        }
    }
}

fn value(fact: &Fact, kind: &AttributeType) -> Option<AttributeValue> {
    match fact {
        Fact::Absent => None,
        Fact::Mistyped if *kind == AttributeType::Bool => Some(AttributeValue::Long(0)),
        Fact::Mistyped => Some(AttributeValue::Bool(true)),
        Fact::Bool(yes) => Some(AttributeValue::Bool(*yes)),
        Fact::Long(number) => Some(AttributeValue::Long(*number)),
        Fact::Text(text) => Some(AttributeValue::Text(text.clone())),
        Fact::Set(set) => Some(AttributeValue::Set(set.clone())),
    }
}
