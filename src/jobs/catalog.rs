//! Asks Backstage catalogues for people and teams, page by page. Whatever is not a whole catalogue (an error, a page that does
//! not come, fewer entities than it says that it has) changes nothing: a partial answer is an error, never "they are gone".
//! Who is missing counts as gone when two whole answers in a row miss them; and too many at once wait for an admin, as over SCIM.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;
use tokio::sync::watch;

use crate::{
    directory::{Directory, backstage::{self, Catalogue}, merge::Precedence, plan::{self, Source}, tell::Effect},
    domain::{actor::Actor, duration, id::{PersonId, TeamId}, person::Person, problem::Severity, record::SourceName},
    ledger::{FeedError, LeaveBound, Ledger},
    outgoing::Outgoing,
};

/// Entities of a page.
const PAGE: usize = 200;
/// The most pages that are followed: a catalogue that never ends is none.
const MOST_PAGES: usize = 2000;
/// The most entities in all.
const MOST_ENTITIES: u64 = 200_000;
/// How long all pages may take together.
const MOST_TIME: Duration = Duration::from_secs(600);

/// A catalogue to ask.
pub struct CatalogFeed {
    /// Its name among the sources.
    pub source: SourceName,
    /// Where Backstage is: scheme, host, perhaps a path.
    pub url: String,
    /// Sent as a bearer token; none when empty.
    pub token: String,
    /// How often it is asked.
    pub every: Duration,
    /// Whose word counts.
    pub precedence: Precedence,
    /// How many may leave by it.
    pub bound: LeaveBound,
    /// How often it is recorded that it answered.
    pub seen_every: duration::Duration,
    missing: Missing,
}

/// Who was missing from the last whole answer.
#[derive(Default)]
struct Missing {
    people: BTreeSet<PersonId>,
    teams: BTreeSet<TeamId>,
}

impl CatalogFeed {
    /// Nothing asked yet.
    pub fn new(source: SourceName, url: &str, token: &str, every: Duration, precedence: Precedence, bound: LeaveBound, seen_every: duration::Duration) -> Self {
        Self { source, url: url.trim_end_matches('/').to_owned(), token: token.to_owned(), every, precedence, bound, seen_every, missing: Missing::default() }
    }

    /// Runs until `stop`.
    pub async fn run(mut self, ledger: Ledger, mut stop: watch::Receiver<bool>) {
        let http = match Outgoing::new() {
            Ok(http) => http,
            Err(error) => return tracing::error!(%error, source = %self.source, "the catalogue cannot be asked"),
        };
        while !*stop.borrow() {
            match self.once(&ledger, &http).await {
                Ok(0) => {}
                Ok(changed) => tracing::info!(changed, source = %self.source, "the catalogue changed the directory"),
                Err(error) => tracing::warn!(%error, source = %self.source, "the catalogue changed nothing"),
            }
            let _ = tokio::time::timeout(self.every, stop.changed()).await;
        }
    }

    /// Asks once; answers how many changes that led to.
    ///
    /// # Errors
    /// A sentence when there was no whole answer, or the ledger did not take it.
    pub async fn once(&mut self, ledger: &Ledger, http: &Outgoing) -> Result<usize, String> {
        let read = tokio::time::timeout(MOST_TIME, self.read(http)).await;
        let mut source = read.map_err(|_| format!("the catalogue took longer than {} s", MOST_TIME.as_secs()))??;
        let actor = Actor::system("catalog");
        let snapshot = ledger.snapshot();
        self.missing = keep_those_missing_once(&snapshot.directory, &self.source, &mut source, &self.missing);
        let work = |snapshot: &crate::ledger::Snapshot| {
            let plan = plan::plan_of(&snapshot.directory, &source, &self.source, &self.precedence);
            if !plan.left_out.is_empty() {
                let who: Vec<&str> = plan.left_out.iter().take(5).map(PersonId::as_str).collect();
                tracing::warn!(source = %self.source, people = plan.left_out.len(), some = %who.join(", "), "the catalogue names people who have left and of whom it never spoke: it brings nobody back");
            }
            let changed = plan.changes.len() + plan.told.people.len();
            Ok::<_, String>((Effect { changes: plan.changes, told: plan.told, refused: plan.refused }, changed))
        };
        let changed = ledger.feed(actor.clone(), &self.source, self.bound, work).await.map_err(|error| match error {
            FeedError::Work(why) | FeedError::Account(why) | FeedError::TooManyLeave { detail: why, .. } => why,
            FeedError::Refused(refusal) => refusal.to_string(),
            FeedError::Ledger(error) => error.to_string(),
            FeedError::Store(error) => error.to_string(),
        })?;
        ledger.source_seen(actor, &self.source, self.seen_every).await.map_err(|e| e.to_string())?;
        Ok(changed)
    }

    /// Reads every page.
    async fn read(&self, http: &Outgoing) -> Result<Source, String> {
        let (mut catalogue, mut memberships) = (Catalogue::default(), Vec::new());
        let (mut cursor, mut total, mut read): (Option<String>, Option<u64>, u64) = (None, None, 0);
        for _ in 0..MOST_PAGES {
            let base = format!("{}/api/catalog/entities/by-query?limit={PAGE}", self.url);
            let url = match &cursor {
                // A cursor holds the filter.
                Some(cursor) => format!("{base}&cursor={}", encoded(cursor)),
                None => format!("{base}&filter=kind=user&filter=kind=group"),
            };
            let page = http.get_json(&url, Some(self.token.as_str()).filter(|t| !t.is_empty())).await.map_err(|e| e.to_string())?;
            let items = page.get("items").and_then(Value::as_array).ok_or_else(|| format!("`{url}` answered JSON without `items`"))?;
            total = total.or(page.get("totalItems").and_then(Value::as_u64));
            read += u64::try_from(items.len()).unwrap_or(u64::MAX);
            if read > MOST_ENTITIES {
                return Err(format!("the catalogue has more than {MOST_ENTITIES} entities"));
            }
            for item in items {
                // JSON is YAML, on one line.
                backstage::read(self.source.as_str(), &item.to_string(), &mut catalogue, &mut memberships);
            }
            cursor = page.get("pageInfo").and_then(|p| p.get("nextCursor")).and_then(Value::as_str).filter(|c| !c.is_empty()).map(str::to_owned);
            if cursor.is_none() {
                return self.whole(catalogue, memberships, read, total);
            }
            if items.is_empty() {
                return Err(format!("`{url}` answered an empty page that another follows"));
            }
        }
        Err(format!("the catalogue has more than {MOST_PAGES} pages of {PAGE}"))
    }

    fn whole(&self, catalogue: Catalogue, memberships: Vec<(String, String)>, read: u64, total: Option<u64>) -> Result<Source, String> {
        if let Some(total) = total.filter(|t| *t != read) {
            return Err(format!("the catalogue says that it has {total} entities and gave {read}: that is not all of it"));
        }
        let catalogue = backstage::finish(catalogue, memberships);
        if let Some(error) = catalogue.problems.iter().find(|p| p.severity == Severity::Error) {
            return Err(format!("the catalogue has an error: {}", error.message));
        }
        if catalogue.source.people.is_empty() {
            return Err("the catalogue has nobody in it: it may be filling still".to_owned());
        }
        Ok(catalogue.source)
    }
}

/// Puts back whoever is missing for the first time; answers who is missing.
fn keep_those_missing_once(directory: &Directory, name: &SourceName, source: &mut Source, before: &Missing) -> Missing {
    let mut missing = Missing::default();
    for record in directory.records().people_of(name).filter(|r| !source.people.contains_key(r.id())).collect::<Vec<_>>() {
        missing.people.insert(record.id().clone());
        if !before.people.contains(record.id()) {
            source.people.insert(record.id().clone(), Person::clone(&record.person));
        }
    }
    for record in directory.records().teams_of(name).filter(|r| !source.teams.contains_key(r.id())).collect::<Vec<_>>() {
        missing.teams.insert(record.id().clone());
        if !before.teams.contains(record.id()) {
            source.teams.insert(record.id().clone(), record.team.clone());
        }
    }
    // Whoever was in a team that is missing for the first time is in it still.
    let kept = |team: &TeamId| missing.teams.contains(team) && !before.teams.contains(team);
    for record in directory.records().people_of(name) {
        let Some(person) = source.people.get_mut(record.id()) else { continue };
        person.teams.extend(record.person.teams.iter().filter(|t| kept(t)).cloned());
        if let Some(main) = record.person.team.as_ref().filter(|t| kept(t)) {
            person.team = Some(main.clone());
        }
    }
    missing
}

fn encoded(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.') { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
