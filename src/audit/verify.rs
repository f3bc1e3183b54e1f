//! Verification: sequence, bodies, columns, commitments, tree; with `rebuild`, that every projected table is what the
//! events say.

use std::{collections::BTreeMap, sync::mpsc::sync_channel};

use super::checkpoint::TreeHead;
use crate::{
    domain::time::Time,
    ledger::{
        encode::{columns_fit, decode_body, decode_personal},
        project::project,
        tree::{Frontier, Hash, commitment, hex, leaf_hash},
    },
    store::{
        change::RowChange,
        dump::{Dump, Dumper},
        read::StoreError,
        row::{AuditLogRow, AuditPrivateRow},
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
const PAGE: i64 = 1000;
/// How many pages wait at most for each thread that checks, or after it.
const WAITING: usize = 2;

type Page = Vec<(AuditLogRow, Option<AuditPrivateRow>)>;

/// One event as a checking thread leaves it: what can be said of it without the others.
struct Checked {
    seq: i64,
    leaf: Hash,
    /// Its time and epoch; none when it cannot be read.
    said: Option<(Time, i64)>,
    erased: bool,
    faults: Vec<String>,
    /// What it does to projected tables, when they are rebuilt.
    changes: Vec<RowChange>,
}

fn check(log: &AuditLogRow, private: Option<&AuditPrivateRow>, rebuild: bool) -> Checked {
    let mut checked = Checked { seq: log.seq, leaf: leaf_hash(log.body.as_bytes()), said: None, erased: false, faults: Vec::new(), changes: Vec::new() };
    let text = private.and_then(|p| p.text.as_deref());
    let read = decode_body(&log.body).and_then(|body| Ok((body, decode_personal(text)?)));
    let (body, personal) = match read {
        Ok(read) => read,
        Err(error) => {
            checked.faults.push(format!("event {}: {error}", log.seq));
            return checked;
        }
    };
    match private {
        None => checked.faults.push(format!("event {}: its row in `audit_private` is missing", log.seq)),
        Some(p) => match (&p.salt, &p.text) {
            (Some(salt), Some(text)) if hex(&commitment(salt, text)) == body.personal => {}
            (None, None) => checked.erased = true,
            _ => checked.faults.push(format!("event {}: its personal text is not the one it was committed to", log.seq)),
        },
    }
    if !columns_fit(&body, log) {
        checked.faults.push(format!("event {}: a column differs from the body", log.seq));
    }
    checked.said = Some((body.at, body.epoch));
    if rebuild {
        checked.changes = project(&body.into_event(personal));
    }
    checked
}

/// What is known of the log up to an event, in order.
struct Walk {
    frontier: Frontier,
    tables: Dump,
    last_at: Time,
    epoch: i64,
    /// Root at the size of the checkpoint.
    witnessed: Option<Hash>,
}

impl Walk {
    fn step(&mut self, checked: Checked, against: Option<&TreeHead>, report: &mut Report) {
        report.events += 1;
        let expected = i64::try_from(report.events).unwrap_or(i64::MAX);
        if checked.seq != expected {
            report.fault(format!("event {}: expected number {expected}; rows are missing or renumbered", checked.seq));
        }
        self.frontier.push(checked.leaf);
        if Some(self.frontier.size()) == against.map(|a| a.size) {
            self.witnessed = Some(self.frontier.root());
        }
        checked.faults.into_iter().for_each(|fault| report.fault(fault));
        report.erased += u64::from(checked.erased);
        let Some((at, epoch)) = checked.said else { return };
        if at < self.last_at {
            report.fault(format!("event {}: it is earlier than the one above it", checked.seq));
        }
        if epoch < self.epoch {
            report.fault(format!("event {}: its epoch goes back", checked.seq));
        }
        (self.last_at, self.epoch) = (at, epoch);
        for change in &checked.changes {
            self.tables.apply(change);
        }
    }
}

/// Reads every page on one thread, checks pages on some others, and walks what they leave in order on this one.
fn walk(dumper: &mut Dumper, against: Option<&TreeHead>, rebuild: bool, report: &mut Report) -> Result<Walk, StoreError> {
    let mut walk = Walk { frontier: Frontier::default(), tables: Dump::default(), last_at: Time::from_micros(i64::MIN), epoch: 1, witnessed: None };
    let checkers = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    std::thread::scope(|scope| {
        let (mut to, mut from, mut threads) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..checkers {
            let (page, pages) = sync_channel::<Page>(WAITING);
            let (done, checked) = sync_channel::<Vec<Checked>>(WAITING);
            threads.push(scope.spawn(move || {
                for page in pages {
                    let all = page.iter().map(|(log, private)| check(log, private.as_ref(), rebuild)).collect();
                    if done.send(all).is_err() {
                        break;
                    }
                }
            }));
            to.push(page);
            from.push(checked);
        }
        let reader = scope.spawn(move || {
            let mut after = 0;
            // Pages go round the threads, and come back in the same round.
            for checker in to.iter().cycle() {
                let page = dumper.events(after, PAGE)?;
                let Some(last) = page.last() else { break };
                after = last.0.seq;
                if checker.send(page).is_err() {
                    break;
                }
            }
            Ok(())
        });
        for checker in from.iter().cycle() {
            let Ok(page) = checker.recv() else { break };
            page.into_iter().for_each(|checked| walk.step(checked, against, report));
        }
        drop(from);
        let failed = || StoreError("a thread that verifies has failed".to_owned());
        reader.join().map_err(|_| failed())??;
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| failed()))
    })?;
    Ok(walk)
}

/// Verifies the whole log. `against` is a checkpoint from outside; `rebuild` compares the projected tables as well.
///
/// # Errors
/// When the database cannot be read.
pub fn verify(dumper: &mut Dumper, against: Option<&TreeHead>, rebuild: bool) -> Result<Report, StoreError> {
    let mut report = Report::default();
    dumper.begin()?;
    let Walk { frontier, tables, last_at, epoch, witnessed } = walk(dumper, against, rebuild, &mut report)?;
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
