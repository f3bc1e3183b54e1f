//! What a target system was seen to hold, explained by the delivery events of the audit log.
//!
//! A delivery takes effect at the target somewhere between the event that queues it and the event that reports it done, and
//! those of one person and entitlement one after another. A sample is read somewhere between the two times that the target
//! tells with it. All clocks are one machine's. So each sample allows some of the deliveries to be the last that had taken
//! effect, and what it saw must be what one of them leaves.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use bandpass::{
    domain::{
        delivery::{Delivery, DeliveryAction},
        event::Change,
        id::DeliveryId,
    },
    ledger::encode::Body,
};

use crate::support::{database::Database, postgres::Postgres};

/// Role and account.
pub type Membership = (String, String);

/// What the target held at an instant between two times, in microseconds.
#[derive(Debug, Clone)]
pub struct Sample {
    pub from: i64,
    pub to: i64,
    pub held: BTreeSet<Membership>,
}

/// One delivery as the log tells it.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    pub action: DeliveryAction,
    pub queued: i64,
    /// None: not reported done.
    pub done: Option<i64>,
}

/// By membership, in the order of the log.
pub type Journal = BTreeMap<Membership, Vec<Told>>;

/// What became of the samples.
#[derive(Debug, Default)]
pub struct Explained {
    /// Memberships seen, over all samples.
    pub seen: usize,
    /// Absences checked, over all samples, of memberships that the log knows.
    pub absent: usize,
    /// What no delivery event explains: a sentence each.
    pub violations: Vec<String>,
}

/// Reads the target now. `statement_timestamp` is taken before the statement's snapshot, `clock_timestamp` after.
pub fn sample(target: &Postgres) -> Sample {
    let sql = "SELECT r.rolname, p.rolname, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
FROM (SELECT 1) one LEFT JOIN (pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid AND r.rolname LIKE 'role\\_%' JOIN pg_roles p ON p.oid = m.member AND p.rolname <> 'connector') ON true";
    let (mut found, mut begins) = (Sample { from: 0, to: 0, held: BTreeSet::new() }, i64::MAX);
    for line in target.sql(sql).lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let [role, account, from, to] = fields.as_slice() else { panic!("{line}") };
        begins = begins.min(from.parse().unwrap());
        found.to = found.to.max(to.parse().unwrap());
        if !role.is_empty() {
            found.held.insert(((*role).to_owned(), (*account).to_owned()));
        }
    }
    found.from = begins;
    found
}

/// Samples a target in the background.
pub struct Sampler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Sample>>,
}

impl Sampler {
    /// Reads the target every 200 ms until [`Sampler::end`].
    pub fn start(target: Arc<Postgres>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut samples = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                samples.push(sample(&target));
                std::thread::sleep(Duration::from_millis(200));
            }
            samples
        });
        Self { stop, thread }
    }

    /// Everything that was read.
    pub fn end(self) -> Vec<Sample> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// What the audit log tells of deliveries to a connector.
pub fn journal(database: &Database, connector: &str) -> Journal {
    let kinds = "'request.granted', 'grant.revoked', 'grant.expired', 'delivery.queued', 'delivery.done'";
    let mut journal = Journal::new();
    let mut places: BTreeMap<DeliveryId, (Membership, usize)> = BTreeMap::new();
    for line in database.lines(&format!("SELECT body AS line FROM audit_log WHERE kind IN ({kinds}) ORDER BY seq")) {
        let body: Body = serde_json::from_str(&line).unwrap();
        let queued: &[Delivery] = match &body.change {
            Change::RequestGranted { deliveries, .. }
            | Change::GrantRevoked { deliveries, .. }
            | Change::GrantExpired { deliveries, .. }
            | Change::DeliveryQueued { deliveries, .. } => deliveries,
            Change::DeliveryDone { delivery, .. } => {
                if let Some((membership, place)) = places.get(delivery) {
                    let told: &mut Vec<Told> = journal.get_mut(membership).unwrap();
                    told[*place].done = Some(body.at.micros());
                }
                continue;
            }
            other => panic!("{other:?}"),
        };
        for delivery in queued.iter().filter(|d| d.entitlement.connector.as_str() == connector) {
            let membership = (delivery.entitlement.name.clone(), delivery.account.clone().unwrap());
            let told = journal.entry(membership.clone()).or_default();
            places.insert(delivery.id, (membership, told.len()));
            told.push(Told { action: delivery.action, queued: body.at.micros(), done: None });
        }
    }
    journal
}

/// Whether a membership may be there, or away, at some instant of a sample.
fn allows(told: &[Told], sample: &Sample, there: bool) -> bool {
    // The last that had taken effect: none (0), or the first, the second … It may have by then, and the next may not have yet.
    (0..=told.len()).any(|last| {
        let begun = last == 0 || told[last - 1].queued <= sample.to;
        let over = told.get(last).is_some_and(|next| next.done.is_some_and(|done| done < sample.from));
        let leaves = last > 0 && told[last - 1].action == DeliveryAction::Add;
        begun && !over && leaves == there
    })
}

/// Compares every sample with the log: each membership seen, and each known membership not seen.
pub fn explain(samples: &[Sample], journal: &Journal) -> Explained {
    let mut explained = Explained::default();
    for sample in samples {
        let known = journal.keys().filter(|m| !sample.held.contains(*m));
        for (membership, there) in sample.held.iter().map(|m| (m, true)).chain(known.map(|m| (m, false))) {
            if there { explained.seen += 1 } else { explained.absent += 1 }
            let told = journal.get(membership).map_or(&[][..], Vec::as_slice);
            if !allows(told, sample, there) {
                let word = if there { "holds" } else { "does not hold" };
                explained.violations.push(format!("{} {word} {} at {}: {told:?}", membership.1, membership.0, sample.from));
            }
        }
    }
    explained
}

#[test]
fn what_no_delivery_explains_is_found() {
    use DeliveryAction::{Add, Remove};
    let pair = |role: &str| (role.to_owned(), "ann".to_owned());
    let told = |action, queued, done| Told { action, queued, done };
    let mut journal = Journal::from([(pair("a"), vec![told(Add, 100, Some(200)), told(Remove, 500, Some(600)), told(Add, 700, None)])]);
    let at = |from: i64, held: &[&str]| Sample { from, to: from + 10, held: held.iter().map(|r| pair(r)).collect() };
    let violations = |sample: Sample, journal: &Journal| explain(&[sample], journal).violations.len();
    // Before, on the way, there, on the way out, away, and on a way that is not reported done.
    for (from, away, there) in [(80, 0, 1), (95, 0, 0), (150, 0, 0), (199, 0, 0), (201, 1, 0), (480, 1, 0), (495, 0, 0), (550, 0, 0), (601, 0, 1), (680, 0, 1), (700, 0, 0), (9_000, 0, 0)] {
        assert_eq!(violations(at(from, &[]), &journal), away, "away at {from}");
        assert_eq!(violations(at(from, &["a"]), &journal), there, "there at {from}");
    }
    assert_eq!(violations(at(150, &["a", "made by hand"]), &journal), 1);
    // A removal that was never done cannot excuse an absence before it was queued, and done twice is no third state.
    journal.insert(pair("b"), vec![told(Add, 100, Some(200)), told(Remove, 500, None)]);
    assert_eq!(violations(at(400, &["a"]), &journal), 1, "b is away though its addition was done");
    assert_eq!(violations(at(400, &["a", "b"]), &journal), 0);
    let all = explain(&[at(400, &["a", "b"]), at(620, &["b"])], &journal);
    assert_eq!((all.seen, all.absent, all.violations.len()), (3, 1, 0), "{all:?}");
}
