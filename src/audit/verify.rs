//! Verification: sequence, bodies, columns, commitments, tree; with `rebuild`, that every projected table is what the
//! events say.

use std::collections::BTreeMap;

use super::checkpoint::TreeHead;
use crate::{
    domain::time::Time,
    ledger::{
        encode::{columns, decode},
        project::project,
        tree::{Frontier, Hash, commitment, hex},
    },
    store::{
        dump::{Dump, Dumper},
        read::StoreError,
    },
};

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Events looked at.
    pub events: u64,
    /// Events whose personal text was erased.
    pub erased: u64,
    /// Root of the tree over them.
    pub root: Hash,
    /// What is wrong, a sentence each; at most 100.
    pub faults: Vec<String>,
    /// Rows of projected tables compared.
    pub rows: u64,
    /// What the checkpoint given proves; none was given, or it does not fit.
    pub tail: Tail,
}

/// What is known of the log's tail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Tail {
    /// No checkpoint was given: a cut tail cannot be seen.
    #[default]
    NotProven,
    /// Everything up to this size is what the checkpoint signed.
    Proven(u64),
}

impl Report {
    fn fault(&mut self, text: String) {
        if self.faults.len() < 100 {
            self.faults.push(text);
        }
    }

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// How many rows are read at a time.
const PAGE: i64 = 2000;

/// Verifies the whole log. `against` is a checkpoint from outside; `rebuild` compares the projected tables as well.
///
/// # Errors
/// When the database cannot be read.
pub fn verify(dumper: &mut Dumper, against: Option<&TreeHead>, rebuild: bool) -> Result<Report, StoreError> {
    let mut report = Report::default();
    dumper.begin()?;
    let mut frontier = Frontier::default();
    let mut tables = Dump::default();
    let mut last_at = Time::from_micros(i64::MIN);
    let mut epoch = 1;
    let (mut after, mut witnessed) = (0, None);
    loop {
        let page = dumper.events(after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.0.seq;
        for (log, private) in page {
            report.events += 1;
            let expected = i64::try_from(report.events).unwrap_or(i64::MAX);
            if log.seq != expected {
                report.fault(format!("event {}: expected number {expected}; rows are missing or renumbered", log.seq));
            }
            let leaf = crate::ledger::tree::leaf_hash(log.body.as_bytes());
            frontier.push(leaf);
            if Some(frontier.size()) == against.map(|a| a.size) {
                witnessed = Some(frontier.root());
            }
            let text = private.as_ref().and_then(|p| p.text.as_deref());
            let (body, event) = match decode(&log.body, text) {
                Ok(read) => read,
                Err(error) => {
                    report.fault(format!("event {}: {error}", log.seq));
                    continue;
                }
            };
            match &private {
                None => report.fault(format!("event {}: its row in `audit_private` is missing", log.seq)),
                Some(p) => match (&p.salt, &p.text) {
                    (Some(salt), Some(text)) if hex(&commitment(salt, text)) == body.personal => {}
                    (None, None) => report.erased += 1,
                    _ => report.fault(format!("event {}: its personal text is not the one it was committed to", log.seq)),
                },
            }
            if columns(body.borrowed(), log.body.clone()) != log {
                report.fault(format!("event {}: a column differs from the body", log.seq));
            }
            if body.at < last_at {
                report.fault(format!("event {}: it is earlier than the one above it", log.seq));
            }
            if body.epoch < epoch {
                report.fault(format!("event {}: its epoch goes back", log.seq));
            }
            last_at = body.at;
            epoch = body.epoch;
            if rebuild {
                for change in project(&event) {
                    tables.apply(&change);
                }
            }
        }
    }
    report.root = frontier.root();
    let head = dumper.head()?;
    if u64::try_from(head.seq).ok() != Some(report.events) {
        report.fault(format!("the head says {} events, and there are {}", head.seq, report.events));
    }
    if head.root != report.root || head.frontier != frontier.to_stored() {
        report.fault("the tree head is not the tree of the events".to_owned());
    }
    if head.at != last_at.micros().max(0) && report.events > 0 {
        report.fault("the head's time is not that of the last event".to_owned());
    }
    if head.epoch != epoch {
        report.fault("the head's epoch is not that of the last event".to_owned());
    }
    if let Some(against) = against {
        match witnessed.or((against.size == 0).then(|| Frontier::default().root())) {
            None => report.fault(format!("the checkpoint has {} events, and the log only {}: its tail was cut", against.size, report.events)),
            Some(root) if root != against.root => report.fault(format!("the first {} events are not those of the checkpoint: the log was rewritten", against.size)),
            Some(_) => report.tail = Tail::Proven(against.size),
        }
    }
    if rebuild {
        compare(dumper, &tables, &head, &mut report)?;
    }
    dumper.end();
    Ok(report)
}

fn compare(dumper: &mut Dumper, rebuilt: &Dump, head: &crate::store::dump::DumpedHead, report: &mut Report) -> Result<(), StoreError> {
    let stored = dumper.tables()?;
    for (table, expected) in &rebuilt.tables {
        let empty = BTreeMap::new();
        let found = stored.tables.get(table).unwrap_or(&empty);
        for (key, row) in expected {
            report.rows += 1;
            match found.get(key) {
                None => report.fault(format!("`{table}` lacks the row {key}, which an event made")),
                Some(stored) if stored != row => report.fault(format!("`{table}`, row {key}: differs from what the events say")),
                Some(_) => {}
            }
        }
        for key in found.keys().filter(|k| !expected.contains_key(*k)) {
            report.fault(format!("`{table}` has the row {key}, which no event made"));
        }
    }
    for (table, found) in stored.tables.iter().filter(|(t, _)| !rebuilt.tables.contains_key(*t)) {
        for key in found.keys() {
            report.fault(format!("`{table}` has the row {key}, which no event made"));
        }
    }
    if rebuilt.in_force != head.in_force {
        report.fault("the head does not hold what the events put in force".to_owned());
    }
    report.faults.extend(dumper.broken_policy_files()?);
    Ok(())
}
