//! What clients asked for and were told, and what the database says of it afterwards.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::support::{database::Database, http, organisation};

/// One wish: a person and a group, by number. Each is filed once in the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wish {
    /// Number of the person.
    pub person: usize,
    /// Number of the group.
    pub group: usize,
}

/// What the client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// 201, granted: request and grant.
    Granted(String, String),
    /// Sent, and no answer came: it may have happened.
    Nothing,
    /// An answer that is no success: it did not happen.
    Refused(String),
}

/// Everything the clients know.
#[derive(Default)]
pub struct Journal {
    next: usize,
    told: BTreeMap<Wish, Told>,
}

/// What a comparison found.
#[derive(Default)]
pub struct Findings {
    /// Grants that clients were told of, since the first round.
    pub acknowledged: usize,
    /// Of those, the ones that the database has exactly once, with their request and their event.
    pub found: usize,
    /// Whatever should not be.
    pub problems: Vec<String>,
}

impl Findings {
    /// Takes a later comparison over.
    pub fn add(&mut self, later: Self) {
        self.acknowledged = later.acknowledged;
        self.found = later.found;
        self.problems.extend(later.problems);
    }
}

fn submit(token: &str, wish: Wish) -> Vec<u8> {
    let body = format!(r#"{{"group":"{}","duration":"30d","justification":"crash test"}}"#, organisation::group("instant", wish.group));
    http::request("POST", "/api/v1/requests", &[("Authorization", &format!("Bearer {token}")), ("Idempotency-Key", &wish.key())], Some(&body))
}

fn told(answer: &http::Answer) -> Told {
    let json = answer.json();
    match (answer.status, json["status"].as_str(), json["id"].as_str(), json["grant"]["id"].as_str()) {
        (201, Some("granted"), Some(request), Some(grant)) => Told::Granted(request.to_owned(), grant.to_owned()),
        _ => Told::Refused(answer.shown()),
    }
}

/// Files wishes one after the other until told to stop or the connection breaks, and notes each answer.
pub async fn file(address: SocketAddr, tokens: Arc<Vec<String>>, mut wishes: VecDeque<Wish>, stop: Arc<AtomicBool>) -> Vec<(Wish, Told)> {
    let mut noted = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut client) = http::Client::connect(address).await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        while let Some(wish) = wishes.pop_front() {
            match client.send(&submit(&tokens[wish.person], wish)).await {
                Ok(answer) => noted.push((wish, told(&answer))),
                Err(_) => {
                    noted.push((wish, Told::Nothing));
                    break;
                }
            }
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        if wishes.is_empty() {
            break;
        }
    }
    noted
}

/// Sends again what was not answered, or was answered by a server that was going down. Answers what went wrong.
pub async fn repeat(address: SocketAddr, tokens: &[String], journal: &mut Journal) -> Vec<String> {
    let open: Vec<Wish> = journal.told.iter().filter(|(_, t)| !matches!(t, Told::Granted(..))).map(|(w, _)| *w).collect();
    let mut problems = Vec::new();
    for wish in open {
        match http::once(address, &submit(&tokens[wish.person], wish)).await.map(|a| told(&a)) {
            Ok(Told::Granted(request, grant)) => {
                journal.told.insert(wish, Told::Granted(request, grant));
            }
            Ok(other) => problems.push(format!("{}: sent again, told {other:?}", wish.key())),
            Err(error) => problems.push(format!("{}: sent again: {error}", wish.key())),
        }
    }
    problems
}

impl Journal {
    /// Wishes that nobody has filed yet, shared out.
    pub fn hand_out(&mut self, clients: usize, people: usize, groups: usize) -> Vec<VecDeque<Wish>> {
        let each = (people * groups).saturating_sub(self.next).min(clients * 4000) / clients;
        (0..clients)
            .map(|client| (0..each).map(|n| self.next + n * clients + client).map(|n| Wish { person: n % people, group: n / people }).collect())
            .collect()
    }

    /// Takes over what a client noted.
    pub fn take(&mut self, noted: Vec<(Wish, Told)>) {
        self.told.extend(noted);
        // The next round goes on behind the last wish of this one.
        self.next = self.told.keys().map(|w| w.group * crate::PEOPLE + w.person + 1).max().unwrap_or(0);
    }

    /// How many wishes are without an answer.
    pub fn unanswered(&self) -> usize {
        self.told.values().filter(|t| **t == Told::Nothing).count()
    }
}

/// Rows of a query by their first column.
fn by_first(database: &Database, sql: &str) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut rows: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for line in database.lines(sql) {
        let mut fields = line.split('|').map(str::to_owned);
        rows.entry(fields.next().unwrap_or_default()).or_default().push(fields.collect());
    }
    rows
}

/// Compares the journal with the tables, and the tables with the log.
pub fn compare(database: &Database, journal: &Journal) -> Findings {
    let grants = by_first(database, "SELECT id || '|' || person || '|' || group_id || '|' || status || '|' || request AS line FROM grants");
    let requests = by_first(database, "SELECT id || '|' || person || '|' || group_id || '|' || status AS line FROM requests");
    let events = by_first(
        database,
        "SELECT grant_id || '|' || person || '|' || group_id || '|' || request AS line FROM audit_log WHERE kind = 'request.granted' AND grant_id IS NOT NULL",
    );
    let deliveries = by_first(database, "SELECT grant_id || '|' || state AS line FROM deliveries WHERE grant_id IS NOT NULL");
    let mut findings = Findings::default();
    let mut problem = |text: String| findings.problems.push(text);
    let mut acknowledged = BTreeSet::new();
    for (wish, told) in &journal.told {
        let (person, group) = (organisation::person(wish.person), organisation::group("instant", wish.group));
        let Told::Granted(request, grant) = told else { continue };
        findings.acknowledged += 1;
        acknowledged.insert(grant.as_str());
        let wanted_grant = vec![vec![person.clone(), group.clone(), "active".to_owned(), request.clone()]];
        let wanted_request = vec![vec![person.clone(), group.clone(), "granted".to_owned()]];
        let wanted_event = vec![vec![person, group, request.clone()]];
        let same = grants.get(grant) == Some(&wanted_grant) && requests.get(request) == Some(&wanted_request) && events.get(grant) == Some(&wanted_event);
        if same && deliveries.get(grant).is_some_and(|d| d.len() == 1) {
            findings.found += 1;
        } else {
            problem(format!("{}: told grant {grant}, but the database has {:?}, {:?}, {:?}", wish.key(), grants.get(grant), requests.get(request), events.get(grant)));
        }
    }
    // Every event has its effect and every effect its event, those that nobody was told of as well.
    if grants.keys().ne(events.keys()) {
        let odd: Vec<_> = grants.keys().filter(|g| !events.contains_key(*g)).chain(events.keys().filter(|g| !grants.contains_key(*g))).take(5).collect();
        problem(format!("grants and their events differ: {odd:?}"));
    }
    for (table, rows) in [("grants", &grants), ("requests", &requests), ("events", &events), ("deliveries", &deliveries)] {
        if let Some((id, twice)) = rows.iter().find(|(_, r)| r.len() > 1) {
            problem(format!("{table}: {id} is there {} times", twice.len()));
        }
    }
    let pairs: Vec<(&str, &str)> = requests.values().flatten().map(|r| (r[0].as_str(), r[1].as_str())).collect();
    if pairs.iter().collect::<BTreeSet<_>>().len() != pairs.len() {
        problem("a wish was filed twice".to_owned());
    }
    // Without an answer it may or may not have happened; but nothing else may.
    let silent: BTreeSet<(String, String)> = journal
        .told
        .iter()
        .filter(|(_, t)| !matches!(t, Told::Granted(..)))
        .map(|(w, _)| (organisation::person(w.person), organisation::group("instant", w.group)))
        .collect();
    for (id, rows) in grants.iter().filter(|(id, _)| !acknowledged.contains(id.as_str())) {
        if !rows.iter().all(|r| silent.contains(&(r[0].clone(), r[1].clone()))) {
            problem(format!("grant {id} is there and nobody asked for it"));
        }
    }
    for (wish, told) in &journal.told {
        if let Told::Refused(answer) = told
            && !answer.starts_with("503")
        {
            problem(format!("{}: refused: {answer}", wish.key()));
        }
    }
    // One statement, since the service is at work here and delivers: between two of them it writes on.
    let whole = database.lines("SELECT CASE WHEN count(*) = max(seq) THEN 'whole' ELSE count(*) || ' events and ends at ' || max(seq) END AS line FROM audit_log");
    if whole != ["whole"] {
        problem(format!("the log has {}", whole.join(", ")));
    }
    findings
}
