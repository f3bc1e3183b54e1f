//! One decision, as every request makes it: 1,000 groups and 10,000 people in memory, random person, group and length of time,
//! alone, and for denials once more with what would change them, which is tried rule by rule.

use std::{collections::{BTreeMap, BTreeSet}, time::Instant};

use bandpass::{
    domain::{
        decision::{Effect, Inquiry},
        duration::Duration,
        id::GroupId,
        person::Subject,
        time::Time,
    },
    policy::Engine,
};

use crate::{diff, support::random::Random};

const DECISIONS: usize = 200_000;
const BUDGET_MICROS: f64 = 100.0;

/// Runs and prints.
pub fn run() {
    let set = diff::set(&diff::files(0, "@id(\"city\")\n@reason(\"no\")\nforbid (principal, action, resource)\nwhen { principal.location == \"city 3\" && context.duration_hours > 24 };\n"));
    let people = diff::people();
    let engine = Engine::new(set, people.iter().map(|(person, teams)| Subject { person, teams }));
    let groups: Vec<GroupId> = engine.set().groups().keys().cloned().collect();
    let mut random = Random::new(7);
    let none = BTreeSet::new();
    let mut micros: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut below = |limit: usize| usize::try_from(random.below(limit as u64)).expect("below a limit that fits");
    for n in 0..DECISIONS + 1_000 {
        let (person, teams) = &people[below(people.len())];
        let group = &groups[below(groups.len())];
        let minutes = [30, 60, 480, 1_440, 10_080, 43_200, 86_400][below(7)];
        let held: BTreeSet<GroupId> = if below(4) == 0 { [groups[below(groups.len())].clone()].into() } else { none.clone() };
        let inquiry = Inquiry {
            subject: Subject { person, teams },
            group,
            duration: Duration::minutes(minutes).expect("a duration"),
            has_justification: true,
            now: Time::from_micros(1_800_000_000_000_000),
            holds: &held,
            break_glass: false,
        };
        let from = Instant::now();
        let decision = std::hint::black_box(engine.decide_plainly(&inquiry));
        let took = from.elapsed().as_nanos() as f64 / 1_000.0;
        let advised = (decision.effect == Effect::Deny && n % 8 == 0).then(|| {
            let from = Instant::now();
            std::hint::black_box(engine.decide(&inquiry));
            from.elapsed().as_nanos() as f64 / 1_000.0
        });
        // The first thousand warm the caches up.
        if n >= 1_000 {
            let word = match decision.effect {
                Effect::Grant => "granted",
                Effect::Approve => "put before people",
                Effect::Deny => "denied",
            };
            micros.entry("all").or_default().push(took);
            micros.entry(word).or_default().push(took);
            micros.entry("denied, with advice").or_default().extend(advised);
        }
    }
    println!("one decision, {} people, {} groups, {DECISIONS} random inquiries; microseconds; budget p99 {BUDGET_MICROS}", people.len(), groups.len());
    for (what, mut times) in micros.into_iter().filter(|(_, times)| !times.is_empty()) {
        times.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() as f64 * share) as usize).min(times.len() - 1)];
        println!("  {what:<20} {:>7} decisions  p50 {:>6.1}  p99 {:>6.1}  p99.9 {:>6.1}  most {:>8.1}", times.len(), at(0.5), at(0.99), at(0.999), at(1.0));
    }
}
