//! What a person gets of a group, as a step function over the duration that is asked for.

use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

use serde::Serialize;

use super::reads::Reads;
use crate::{
    domain::{
        decision::{Decision, Effect},
        duration::Duration,
        group::{Group, Stage},
    },
    policy::{names::Names, words},
};

/// What a request comes to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(tag = "effect", content = "stages", rename_all = "snake_case")]
pub enum Outcome {
    /// Not at all.
    Unable,
    /// By approval: who is asked, in words.
    Approval(Arc<str>),
    /// At once.
    Instant,
    /// Held without asking.
    Held,
}

impl Outcome {
    /// More is easier to get.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Unable => 0,
            Self::Approval(_) => 1,
            Self::Instant => 2,
            Self::Held => 3,
        }
    }

    pub(super) fn of(decision: &Decision) -> Self {
        match decision.effect {
            Effect::Grant => Self::Instant,
            Effect::Approve => Self::Approval(asked(&decision.stages).into()),
            Effect::Deny => Self::Unable,
        }
    }
}

/// "the manager, then 2 owners".
fn asked(stages: &[Stage]) -> String {
    let stage = |s: &Stage| words::stage(&Names::default(), s).replace("your manager", "their manager").replace(" of the group", "");
    stages.iter().map(stage).collect::<Vec<_>>().join(", then ")
}

/// One step: this outcome for every duration up to `up_to`, and above the step before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Step {
    /// The longest duration of the step.
    pub up_to: Duration,
    /// What is got.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Outcomes for every duration, as few steps as there are; the last reaches to [`Duration::MAX`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Steps(Vec<Step>);

/// What a change means for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More, at some duration, and less at none.
    Gains,
    /// More at some durations, less at others.
    Mixed,
    /// Less, at some duration, and more at none.
    Loses,
    /// As easy as before, but other people are asked.
    AsksOthers,
}

impl Steps {
    /// From outcomes at points in ascending order; a step reaches to the last point with its outcome.
    pub(super) fn new(points: impl IntoIterator<Item = (Duration, Outcome)>) -> Self {
        let mut steps: Vec<Step> = Vec::new();
        for (up_to, outcome) in points {
            match steps.last_mut() {
                Some(last) if last.outcome == outcome => last.up_to = up_to,
                _ => steps.push(Step { up_to, outcome }),
            }
        }
        Self(steps)
    }

    /// Held without asking, so that no duration matters.
    pub(super) fn held() -> Self {
        Self(vec![Step { up_to: Duration::MAX, outcome: Outcome::Held }])
    }

    /// The steps, shortest first.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The outcome at a duration.
    pub fn at(&self, duration: Duration) -> &Outcome {
        self.0.iter().find(|s| duration <= s.up_to).map_or(&Outcome::Unable, |s| &s.outcome)
    }

    /// What becoming `after` means.
    pub fn towards(&self, after: &Self) -> Option<Direction> {
        let points = self.0.iter().chain(&after.0).map(|s| s.up_to);
        let (mut more, mut less) = (false, false);
        for point in points {
            let (old, new) = (self.at(point).rank(), after.at(point).rank());
            more |= new > old;
            less |= new < old;
        }
        match (more, less) {
            (true, true) => Some(Direction::Mixed),
            (true, false) => Some(Direction::Gains),
            (false, true) => Some(Direction::Loses),
            (false, false) => (self != after).then_some(Direction::AsksOthers),
        }
    }

    /// "at once up to 8 hours, by approval (the manager) up to 7 days". `asked` tells who approves.
    pub fn in_words(&self, asked: bool) -> String {
        let mut parts: Vec<String> = Vec::new();
        let mut below: Option<Duration> = None;
        for step in &self.0 {
            let what = match &step.outcome {
                Outcome::Instant => Some("at once".to_owned()),
                Outcome::Held => Some("held without asking".to_owned()),
                Outcome::Approval(who) if asked => Some(format!("by approval ({who})")),
                Outcome::Approval(_) => Some("by approval".to_owned()),
                Outcome::Unable => None,
            };
            if let Some(mut what) = what {
                // A gap below must be said, else "up to" would promise it.
                if let (Some(from), true) = (below, parts.is_empty()) {
                    let _ = write!(what, " above {}", from.in_words());
                }
                if step.up_to < Duration::MAX {
                    let _ = write!(what, " up to {}", step.up_to.in_words());
                }
                parts.push(what);
            } else if !parts.is_empty() && step.up_to < Duration::MAX {
                parts.push(format!("not up to {}", step.up_to.in_words()));
            }
            below = Some(step.up_to);
        }
        if parts.is_empty() { "unable".to_owned() } else { parts.join(", ") }
    }
}

/// Every duration at which the outcome of a group may change, both sides of each, with the shortest and the longest.
pub(super) fn points(groups: &[&Group], reads: &Reads) -> Vec<Duration> {
    let mut seconds: BTreeSet<u64> = [60, u64::from(Duration::MAX.as_seconds())].into();
    let mut edge = |at: u64| seconds.extend([at, at.saturating_add(1)]);
    for rule in groups.iter().flat_map(|g| &g.rules) {
        edge(u64::from(rule.max.as_seconds()));
    }
    for unit in [(reads.hours, 3600), (reads.minutes, 60)].into_iter().filter_map(|(read, unit)| read.then_some(unit)) {
        for number in reads.numbers.iter().filter_map(|n| u64::try_from(*n).ok()) {
            // Rounded up, `<= n` flips after n, `< n` and `>= n` after n - 1.
            edge(number.saturating_mul(unit));
            edge(number.saturating_sub(1).saturating_mul(unit));
        }
    }
    seconds.into_iter().filter_map(|s| Duration::seconds(u32::try_from(s).ok()?)).collect()
}
