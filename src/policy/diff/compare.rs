//! Who gets what of each group, before and after: exact for everyone, evaluated once a class.

use std::{collections::{BTreeMap, BTreeSet, HashMap}, sync::Arc};

use super::{
    Inputs,
    classes::{Columns, Feature, features},
    moments::{self, Moment},
    reads::Reads,
    steps::{Outcome, Steps, points},
};
use crate::{
    domain::{
        decision::{Effect, Inquiry},
        duration::Duration,
        group::{Group, Rule, Who},
        id::GroupId,
        person::Subject,
        time::Time,
    },
    policy::{Engine, PolicySet, birthright::gives_birthrights},
};

/// A group before and after; one of them may be missing.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub before: Option<&'a Group>,
    pub after: Option<&'a Group>,
}

/// People whose answer moves from one step function to another.
pub(super) struct Moved {
    pub before: Steps,
    pub after: Steps,
    pub people: Vec<u32>,
}

/// What a group's comparison found.
#[derive(Default)]
pub(super) struct Compared {
    pub moved: Vec<Moved>,
    /// People whose answer differs only at another hour or weekday.
    pub at_times: Vec<u32>,
    /// People whose answer differs only with other holdings.
    pub with_holdings: Vec<u32>,
}

impl Pair<'_> {
    fn groups(&self) -> Vec<&Group> {
        self.before.into_iter().chain(self.after).collect()
    }

    /// Whether what guardrails and conditions read of the group is the same.
    fn same_labels(&self) -> bool {
        matches!(self, Self { before: Some(a), after: Some(b) } if (&a.id, a.sensitivity, &a.tags, &a.owner) == (&b.id, b.sensitivity, &b.tags, &b.owner))
    }

    /// Whether the rules decide alike.
    fn same_rules(&self) -> bool {
        fn deciding(r: &Rule) -> impl PartialEq + '_ {
            let stages: Vec<_> = r.stages.iter().map(|s| (&s.from, s.need)).collect();
            (&r.who, &r.when, r.then, r.max, stages)
        }
        match (self.before, self.after) {
            (Some(a), Some(b)) => a.rules.len() == b.rules.len() && a.rules.iter().zip(&b.rules).all(|(a, b)| deciding(a) == deciding(b)),
            _ => false,
        }
    }
}

/// The groups that conflict with one.
pub(super) fn partners(set: &PolicySet, group: &GroupId) -> BTreeSet<GroupId> {
    set.conflicts.iter().filter(|c| c.groups.contains(group)).flat_map(|c| &c.groups).filter(|g| *g != group).cloned().collect()
}

/// What rules of both revisions read of people and requests.
fn rules_read(pair: Pair<'_>) -> (Reads, BTreeSet<Feature>) {
    let (mut reads, mut found) = (Reads::default(), BTreeSet::new());
    for rule in pair.groups().iter().flat_map(|g| &g.rules) {
        reads.join(&rule.when.as_deref().map(Reads::of).unwrap_or_default());
        for who in &rule.who {
            match who {
                Who::Person(id) => drop(found.insert(Feature::Is(id.to_string()))),
                Who::Team(id) => drop(found.insert(Feature::Team(id.to_string()))),
                Who::Group(id) => drop(reads.held.insert(id.to_string())),
                Who::Everyone | Who::Manager | Who::Owner => {}
            }
        }
    }
    features(&reads, &mut found);
    (reads, found)
}

/// What all guardrails of a set read.
pub(super) fn guardrails_read(set: &PolicySet) -> Reads {
    let mut reads = Reads::default();
    set.guardrails.iter().for_each(|g| reads.join(&Reads::of(&g.source)));
    reads
}

/// One group to evaluate.
struct Work<'a> {
    pair: Pair<'a>,
    /// Neither rules nor labels nor conflicts differ: rules are evaluated once for both revisions.
    shared: bool,
    label: usize,
    features: BTreeSet<Feature>,
    moments: Vec<Moment>,
    points: Vec<Duration>,
    people: Vec<u32>,
    classes: Vec<Vec<u32>>,
}

/// Everything shared while comparing.
pub(super) struct Comparison<'a> {
    inputs: &'a Inputs<'a>,
    people: Vec<Subject<'a>>,
    guards: Reads,
    /// Number of each person's class by what guardrails read.
    guard_class: Vec<usize>,
    guards_differ: bool,
    zones_differ: bool,
}

impl<'a> Comparison<'a> {
    /// `people` are the active ones; answers speak of them by their place.
    pub fn new(inputs: &'a Inputs<'a>, people: Vec<Subject<'a>>) -> Self {
        let text = |set: &PolicySet| set.guardrails.iter().map(|g| g.source.clone()).collect::<BTreeSet<_>>();
        let mut guards = guardrails_read(inputs.before);
        guards.join(&guardrails_read(inputs.after));
        let zones_differ = inputs.before.zone != inputs.after.zone;
        let guard_class = vec![0; people.len()];
        let mut comparison = Self { guard_class, guards_differ: text(inputs.before) != text(inputs.after) || (zones_differ && (guards.hour || guards.weekday)), inputs, people, guards, zones_differ };
        for (number, class) in comparison.guard_classes().iter().enumerate() {
            for person in class {
                if let Some(slot) = usize::try_from(*person).ok().and_then(|p| comparison.guard_class.get_mut(p)) {
                    *slot = number;
                }
            }
        }
        comparison
    }

    fn everyone(&self) -> Vec<u32> {
        (0..u32::try_from(self.people.len()).unwrap_or(u32::MAX)).collect()
    }

    /// Classes of people whom no guardrail can tell apart.
    fn guard_classes(&self) -> Vec<Vec<u32>> {
        let mut found = BTreeSet::new();
        features(&self.guards, &mut found);
        Columns::new(&found, &self.people, self.inputs.holdings).split(&self.everyone(), &found)
    }

    /// Compares groups; answers stand in the order of `pairs`.
    pub fn run(&self, pairs: &[Pair<'a>]) -> Vec<Compared> {
        let everyone = self.everyone();
        let mut labels: BTreeMap<Label, usize> = BTreeMap::new();
        let label_of: Vec<usize> = pairs
            .iter()
            .map(|pair| {
                let next = labels.len();
                pair.after.map_or(usize::MAX, |group| *labels.entry(self.label(group)).or_insert(next))
            })
            .collect();
        let suspects = self.suspects(pairs, &label_of);
        let mut work: Vec<(usize, Work<'a>)> = Vec::new();
        for (at, pair) in pairs.iter().enumerate() {
            let (mut reads, mut found) = rules_read(*pair);
            let timed = self.zones_differ && (reads.hour || reads.weekday);
            let partners_differ = match (pair.before, pair.after) {
                (Some(a), Some(b)) => partners(self.inputs.before, &a.id) != partners(self.inputs.after, &b.id),
                _ => true,
            };
            let whole = timed || partners_differ || !pair.same_rules() || !pair.same_labels();
            let people = if whole { everyone.clone() } else { suspects.get(&at).cloned().unwrap_or_default() };
            if people.is_empty() {
                continue;
            }
            reads.join(&self.guards);
            features(&self.guards, &mut found);
            for group in partners_of(self.inputs, *pair) {
                found.insert(Feature::Holds(group.to_string()));
                if partners_differ {
                    reads.held.insert(group.to_string());
                }
            }
            let moments = moments::all(self.inputs, *pair, &reads);
            let points = points(&pair.groups(), &reads);
            let label = label_of.get(at).copied().unwrap_or(usize::MAX);
            work.push((at, Work { pair: *pair, shared: !whole && !self.zones_differ, label, features: found, moments, points, people, classes: Vec::new() }));
        }
        self.evaluate(pairs.len(), work)
    }

    /// Splits into classes, makes engines that know one person of each, and evaluates on two threads.
    fn evaluate(&self, count: usize, mut work: Vec<(usize, Work<'a>)>) -> Vec<Compared> {
        let all: BTreeSet<Feature> = work.iter().flat_map(|(_, w)| w.features.iter().cloned()).collect();
        let columns = Columns::new(&all, &self.people, self.inputs.holdings);
        let half = work.len().div_ceil(2).max(1);
        std::thread::scope(|scope| {
            for part in work.chunks_mut(half) {
                scope.spawn(|| part.iter_mut().for_each(|(_, w)| w.classes = columns.split(&w.people, &w.features)));
            }
        });
        let chosen: BTreeSet<u32> = work.iter().flat_map(|(_, w)| w.classes.iter().filter_map(|c| c.first().copied())).collect();
        let (before, after) = self.engines(&chosen);
        let mut answers: Vec<Compared> = (0..count).map(|_| Compared::default()).collect();
        let done: Vec<(usize, Compared)> = std::thread::scope(|scope| {
            let threads: Vec<_> = work
                .chunks(half)
                .map(|part| scope.spawn(|| {
                    let mut evaluator = Evaluator { comparison: self, before: &before, after: &after, verdicts: HashMap::new() };
                    part.iter().map(|(at, w)| (*at, evaluator.group(w))).collect::<Vec<_>>()
                }))
                .collect();
            // A thread that panics would lose groups silently: its panic goes on here.
            threads.into_iter().flat_map(|t| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        });
        for (at, compared) in done {
            if let Some(answer) = answers.get_mut(at) {
                *answer = compared;
            }
        }
        answers
    }

    fn engines(&self, chosen: &BTreeSet<u32>) -> (Engine, Engine) {
        let known = || chosen.iter().filter_map(|p| self.person(*p));
        (Engine::new(Arc::clone(self.inputs.before), known()), Engine::new(Arc::clone(self.inputs.after), known()))
    }

    fn person(&self, at: u32) -> Option<Subject<'a>> {
        self.people.get(usize::try_from(at).ok()?).copied()
    }

    /// For groups that did not change themselves: the people whom the guardrails of one revision forbid and those of the
    /// other do not. Groups with the same labels share the answer.
    fn suspects(&self, pairs: &[Pair<'a>], label_of: &[usize]) -> BTreeMap<usize, Vec<u32>> {
        if !self.guards_differ {
            return BTreeMap::new();
        }
        let mut labels: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, (pair, label)) in pairs.iter().zip(label_of).enumerate() {
            if pair.same_labels() {
                labels.entry(*label).or_default().push(at);
            }
        }
        let classes = self.guard_classes();
        let chosen = classes.iter().filter_map(|c| c.first().copied()).collect();
        let (before, after) = self.engines(&chosen);
        let mut evaluator = Evaluator { comparison: self, before: &before, after: &after, verdicts: HashMap::new() };
        let mut suspects = BTreeMap::new();
        for (label, places) in labels {
            let Some(pair) = places.first().and_then(|at| pairs.get(*at)) else { continue };
            let moments = moments::all(self.inputs, *pair, &self.guards);
            let points = points(&[], &self.guards);
            let mut differs = |class: &Vec<u32>| {
                let chosen = class.first().copied();
                chosen.is_some_and(|person| {
                    moments.iter().any(|moment| points.iter().any(|d| {
                        let (old, new) = evaluator.forbidden(*pair, label, person, *d, moment);
                        old != new
                    }))
                })
            };
            let people: Vec<u32> = classes.iter().filter(|c| differs(c)).flatten().copied().collect();
            suspects.extend(places.into_iter().map(|at| (at, people.clone())));
        }
        suspects
    }

    fn label(&self, group: &Group) -> Label {
        let named = self.guards.any_id || self.guards.literals.contains(group.id.as_str());
        let owner = group.owner.iter().map(ToString::to_string).collect();
        (named.then(|| group.id.to_string()), group.sensitivity.as_str(), group.tags.clone(), owner)
    }
}

/// What guardrails can tell of a group: its id when they name it, sensitivity, tags, owner.
type Label = (Option<String>, &'static str, Vec<String>, Vec<String>);

fn partners_of(inputs: &Inputs<'_>, pair: Pair<'_>) -> BTreeSet<GroupId> {
    let mut found = pair.before.map(|g| partners(inputs.before, &g.id)).unwrap_or_default();
    found.extend(pair.after.map(|g| partners(inputs.after, &g.id)).unwrap_or_default());
    found
}

/// A verdict of the guardrails is shared by all people of a class and all groups with one label.
type VerdictKey = (usize, usize, Duration, Time);

struct Evaluator<'c, 'a> {
    comparison: &'c Comparison<'a>,
    before: &'c Engine,
    after: &'c Engine,
    verdicts: HashMap<VerdictKey, (bool, bool)>,
}

impl<'a> Evaluator<'_, 'a> {
    fn group(&mut self, work: &Work<'a>) -> Compared {
        let mut compared = Compared::default();
        let mut moved: HashMap<(Steps, Steps), Vec<u32>> = HashMap::new();
        for class in &work.classes {
            let Some(subject) = class.first().copied() else { continue };
            let (now, others) = work.moments.split_first().map_or((None, &[][..]), |(first, rest)| (Some(first), rest));
            let Some(now) = now else { continue };
            let (before, after) = self.steps(work, subject, now);
            if before != after {
                moved.entry((before, after)).or_default().extend(class);
                continue;
            }
            let mut differs = |moment: &Moment| {
                let (before, after) = self.steps(work, subject, moment);
                before != after
            };
            if others.iter().filter(|m| m.holds.is_none()).any(&mut differs) {
                compared.at_times.extend(class);
            } else if others.iter().filter(|m| m.holds.is_some()).any(&mut differs) {
                compared.with_holdings.extend(class);
            }
        }
        compared.moved = moved.into_iter().map(|((before, after), people)| Moved { before, after, people }).collect();
        compared
    }

    fn steps(&mut self, work: &Work<'a>, person: u32, moment: &Moment) -> (Steps, Steps) {
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for duration in &work.points {
            let (forbidden_before, forbidden_after) = self.forbidden(work.pair, work.label, person, *duration, moment);
            let rules = |engine: &Engine, group: Option<&Group>, forbidden: bool| match (group, self.comparison.person(person)) {
                (Some(group), Some(subject)) if !forbidden => {
                    with(self.comparison.inputs, group, subject, *duration, moment, |inquiry| by_rules(engine, inquiry, group))
                }
                _ => Outcome::Unable,
            };
            let after = rules(self.after, work.pair.after, forbidden_after);
            let same = work.shared && !forbidden_before && !forbidden_after;
            let before = if same { after.clone() } else { rules(self.before, work.pair.before, forbidden_before) };
            old.push((*duration, before));
            new.push((*duration, after));
        }
        let held = |engine: &Engine, group: Option<&Group>, steps: Steps| if self.held(engine, group, person, moment) { Steps::held() } else { steps };
        (held(self.before, work.pair.before, Steps::new(old)), held(self.after, work.pair.after, Steps::new(new)))
    }

    /// Whether a rule gives the group without asking: a duration has nothing to do with it.
    fn held(&self, engine: &Engine, group: Option<&Group>, person: u32, moment: &Moment) -> bool {
        let Some((group, subject)) = group.filter(|g| gives_birthrights(g)).zip(self.comparison.person(person)) else { return false };
        with(self.comparison.inputs, group, subject, Duration::MAX, moment, |i| engine.birthright(i.subject, i.group, i.now, i.holds).effect == Effect::Grant)
    }

    /// Whether the guardrails of each revision forbid.
    fn forbidden(&mut self, pair: Pair<'a>, label: usize, person: u32, duration: Duration, moment: &Moment) -> (bool, bool) {
        let comparison = self.comparison;
        let Some(subject) = comparison.person(person) else { return (true, true) };
        let verdict = |engine: &Engine, group: Option<&Group>| {
            group.is_some_and(|group| with(comparison.inputs, group, subject, duration, moment, |inquiry| guardrails_forbid(engine, inquiry)))
        };
        let both = || {
            let old = verdict(self.before, pair.before);
            let same = !comparison.guards_differ && pair.same_labels();
            (old, if same { old } else { verdict(self.after, pair.after) })
        };
        // What a person holds is read without the group itself, so verdicts that read it are not shared between groups.
        if !pair.same_labels() || comparison.guards.holdings || !comparison.guards.held.is_empty() {
            return both();
        }
        let class = usize::try_from(person).ok().and_then(|p| comparison.guard_class.get(p)).copied().unwrap_or(usize::MAX);
        let key = (class, label, duration, moment.at);
        if let Some(known) = self.verdicts.get(&key) {
            return *known;
        }
        let found = both();
        self.verdicts.insert(key, found);
        found
    }
}

/// The outcome by rules and conflicts; guardrails are asked apart, since groups share them.
fn by_rules(engine: &Engine, inquiry: &Inquiry<'_>, group: &Group) -> Outcome {
    if engine.set().conflicts.iter().any(|c| c.held_beside(inquiry.group, inquiry.holds).next().is_some()) {
        return Outcome::Unable;
    }
    let Some(asked) = engine.facts.as_ref().and_then(|facts| facts.ask(inquiry, &engine.set.zone)) else { return Outcome::Unable };
    let mut decision = engine.blank();
    engine.read_rules(inquiry, group, &asked, &mut decision);
    Outcome::of(&decision)
}

fn guardrails_forbid(engine: &Engine, inquiry: &Inquiry<'_>) -> bool {
    if engine.set.guardrails.is_empty() {
        return false;
    }
    let asked = engine.facts.as_ref().and_then(|facts| facts.ask(inquiry, &engine.set.zone));
    asked.is_none_or(|asked| {
        let verdicts = asked.guardrails();
        !verdicts.forbidding.is_empty() || !verdicts.failed.is_empty()
    })
}

/// Builds the inquiry of a moment: what the person holds without the group that is asked for.
fn with<T>(inputs: &Inputs<'_>, group: &Group, subject: Subject<'_>, duration: Duration, moment: &Moment, ask: impl FnOnce(&Inquiry<'_>) -> T) -> T {
    let none = BTreeSet::new();
    let mut holds = inputs.holdings.get(&subject.person.id).unwrap_or(&none).clone();
    if let Some((named, held)) = &moment.holds {
        holds.retain(|g| !named.contains(g));
        holds.extend(held.iter().cloned());
    }
    holds.remove(&group.id);
    ask(&Inquiry { subject, group: &group.id, duration, has_justification: true, now: moment.at, holds: &holds, break_glass: false })
}
