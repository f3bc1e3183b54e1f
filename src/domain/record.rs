//! What one source says of a person or a team. The directory holds the merge of what all of them say.

use std::{collections::BTreeSet, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    given::Given,
    id::{PersonId, ServiceName, TeamId},
    person::{Person, Team},
    time::Time,
};

/// A source of people and teams: `files`, `scim:okta`, `catalog:backstage`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceName(Arc<str>);

impl SourceName {
    /// Files read at start and imports by command: one source, since each says everything that it says.
    pub fn files() -> Self {
        Self(Arc::from("files"))
    }

    /// A program that feeds the directory over SCIM.
    pub fn scim(service: &ServiceName) -> Self {
        Self(format!("scim:{service}").into())
    }

    /// A Backstage catalogue that is asked over HTTP.
    pub fn catalog(name: &str) -> Self {
        Self(format!("catalog:{name}").into())
    }

    /// Takes the text as the database holds it.
    pub fn stored(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// Reads the name of a source that feeds the directory.
    pub fn parse(text: &str) -> Option<Self> {
        let (family, name) = text.split_once(':')?;
        let named = matches!(family, "scim" | "catalog") && ServiceName::parse(name).is_ok();
        named.then(|| Self(Arc::from(text)))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the colon: what settings may name instead of one source.
    pub fn family(&self) -> &str {
        self.0.split(':').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When a source spoke of somebody or something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dates {
    /// When it first spoke of them; none means with the event that holds this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// When it said this; none means with the event that holds this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Time>,
    /// Said before records were kept, so that nobody knows when.
    #[serde(default, skip_serializing_if = "is_false")]
    pub undated: bool,
}

impl Dates {
    /// Said now, that is with the event that will hold it, by a source that spoke of them `before` or did not.
    pub fn now(before: Option<&Self>) -> Self {
        Self { created_at: before.and_then(|b| b.created_at), told_at: None, undated: false }
    }

    /// Said before records were kept.
    pub fn unknown() -> Self {
        Self { created_at: None, told_at: None, undated: true }
    }

    /// What was said with an event was said at its instant.
    pub fn settle(&mut self, at: Time) {
        if !self.undated {
            self.created_at.get_or_insert(at);
            self.told_at.get_or_insert(at);
        }
    }
}

/// What one source says of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRecord {
    /// Who says it.
    pub source: SourceName,
    /// The facts, with `status` as this source has it; the same in memory as the person, where no other source differs.
    pub person: Arc<Person>,
    /// The source has deleted them. The record stays, so that nothing of it is given to another.
    #[serde(default, skip_serializing_if = "is_false")]
    pub gone: bool,
    /// An admin has retired the source: it says nothing any more, also not that somebody left. `gone` is true as well.
    #[serde(default, skip_serializing_if = "is_false")]
    pub retired: bool,
    /// What it once said and took away since, like `title` or `attributes.level`: that is a word as well, so that what another
    /// source said of it long ago does not come back.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub taken_back: BTreeSet<String>,
    /// The resource as a SCIM client gave it, as far as it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Given>,
    /// When.
    #[serde(flatten)]
    pub dates: Dates,
}

impl PersonRecord {
    /// A source says this.
    pub fn new(source: SourceName, person: Arc<Person>, given: Option<Given>, dates: Dates) -> Self {
        Self { source, person, gone: false, retired: false, taken_back: BTreeSet::new(), given, dates }
    }

    /// Who it is about.
    pub fn id(&self) -> &PersonId {
        &self.person.id
    }

    /// Whether the source says that they work here.
    pub fn is_active(&self) -> bool {
        self.person.is_active() && !self.gone
    }

    /// The same source says other facts now.
    #[must_use]
    pub fn saying(&self, person: Person) -> Self {
        Self { person: Arc::new(person), dates: Dates::now(Some(&self.dates)), ..self.clone() }
    }

    /// The source is retired, and says nothing of them any more.
    #[must_use]
    pub fn retired(&self) -> Self {
        Self { gone: true, retired: true, dates: Dates::now(Some(&self.dates)), ..self.clone() }
    }

    /// Whether the source had a word on something and took it away.
    pub fn took_back(&self, what: &str) -> bool {
        self.taken_back.contains(what)
    }

    /// The same with what it said before and says no more. Files are outside of this: who edits them leaves out a line to let
    /// others speak.
    #[must_use]
    pub fn after(mut self, before: Option<&Self>) -> Self {
        if let Some(before) = before.filter(|b| !b.gone && !self.gone && self.source != SourceName::files()) {
            let now = said(&self.person);
            self.taken_back = before.taken_back.iter().cloned().chain(said(&before.person)).filter(|what| !now.contains(what)).collect();
        }
        self
    }

    /// The source has deleted them now.
    #[must_use]
    pub fn deleted(&self) -> Self {
        Self { gone: true, dates: Dates::now(Some(&self.dates)), ..self.clone() }
    }
}

/// What facts say something of, as [`PersonRecord::taken_back`] names it.
fn said(person: &Person) -> BTreeSet<String> {
    let fields = [
        ("email", person.email.is_some()),
        ("manager", person.manager.is_some()),
        ("teams", person.team.is_some() || !person.teams.is_empty()),
        ("employment", person.employment.is_some()),
        ("location", person.location.is_some()),
        ("title", person.title.is_some()),
    ];
    let fields = fields.into_iter().filter(|(_, says)| *says).map(|(name, _)| name.to_owned());
    let attributes = person.attributes.keys().map(|name| format!("attributes.{name}"));
    let accounts = person.accounts.keys().map(|name| format!("accounts.{name}"));
    fields.chain(attributes).chain(accounts).collect()
}

/// What one source says of a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamRecord {
    /// Who says it.
    pub source: SourceName,
    /// The facts.
    pub team: Team,
    /// The id that the source uses for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The source has deleted it. The record stays, so that the id is never given to another team.
    #[serde(default, skip_serializing_if = "is_false")]
    pub gone: bool,
    /// When.
    #[serde(flatten)]
    pub dates: Dates,
}

impl TeamRecord {
    /// What it is about.
    pub fn id(&self) -> &TeamId {
        &self.team.id
    }

    /// The source has deleted it now.
    #[must_use]
    pub fn deleted(&self) -> Self {
        Self { gone: true, dates: Dates::now(Some(&self.dates)), ..self.clone() }
    }

    /// The same source says other facts now.
    #[must_use]
    pub fn saying(&self, team: Team) -> Self {
        Self { team, dates: Dates::now(Some(&self.dates)), ..self.clone() }
    }
}

fn is_false(flag: &bool) -> bool {
    !*flag
}
