//! The whole reasoning behind a decision: every rule with each of its conditions, every guardrail, every conflict, whether
//! it mattered or not.
//!
//! A decision needs none of it, and a grant records none: its reasons say how its rule was reached. What is denied or put
//! before people is recorded with it. Words of [`Holds`], [`Part`], [`RuleOutcome`] and [`GuardrailVerdict`] are a stable part
//! of the public interface; sentences are for people, hold names, and are never compared.

use serde::{Deserialize, Serialize};

use super::{duration::Duration, group::Then, id::GroupId};

/// Whether something that was looked at holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It could not be evaluated.
    Failed,
    /// It makes sense only where the part before it holds, which it does not.
    Unread,
    /// People will say.
    Asked,
}

/// Which part of a rule a condition stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Whom the rule speaks about.
    Who,
    /// One conjunct of its condition.
    When,
    /// The longest it gives.
    For,
    /// One stage of its approval.
    Stage,
}

/// One condition of a rule and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionFinding {
    /// Where it stands.
    pub part: Part,
    /// As the file says it.
    pub source: String,
    /// Whether it holds.
    pub holds: Holds,
    /// A plain sentence, second person, without its full stop.
    pub text: String,
}

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleOutcome {
    /// It decides.
    Decides,
    /// It would decide, if nothing stronger stood in the way: a guardrail, a conflict, a block, nobody to approve.
    Overruled,
    /// A condition of it does not hold.
    Passed,
    /// It holds, but gives less time.
    TooShort,
    /// It holds, but a stricter rule above, passed over for its `for`, keeps it closed.
    Closed,
    /// It could not be evaluated: everything is denied.
    Failed,
    /// A birthright that holds: it gives membership by itself and decides no request.
    Birthright,
    /// The answer was found above it.
    Unreached,
}

impl RuleOutcome {
    /// Whether no rule below it is read any more.
    pub fn ends_the_reading(self) -> bool {
        matches!(self, Self::Decides | Self::Overruled | Self::Closed | Self::Failed)
    }
}

/// One rule, with each of its conditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFinding {
    /// Its name.
    pub rule: String,
    /// What it does when it decides.
    pub then: Then,
    /// The longest it gives.
    #[serde(rename = "for")]
    pub max: Duration,
    /// What became of it.
    pub outcome: RuleOutcome,
    /// Every condition: `who`, each conjunct of `when`, `for`, each stage.
    pub conditions: Vec<ConditionFinding>,
}

impl RuleFinding {
    /// What became of it, to stand behind its name: "decides: you have it at once".
    pub fn told(&self) -> &'static str {
        let asks = self.conditions.iter().any(|c| c.part == Part::Stage);
        match (self.outcome, asks) {
            (RuleOutcome::Decides, true) => "decides: people are asked",
            (RuleOutcome::Decides, false) => "decides: you have it at once",
            (RuleOutcome::Overruled, _) => "would decide, but something stronger stands in the way",
            (RuleOutcome::Passed, _) => "does not fit",
            (RuleOutcome::TooShort, _) => "fits you, but gives less time than you ask for",
            (RuleOutcome::Closed, _) => "stays closed: a stricter rule above it fits you, and gives less time than you ask for",
            (RuleOutcome::Failed, _) => "could not be evaluated, so nothing is granted",
            (RuleOutcome::Birthright, _) => "gives membership without asking, and decides no request",
            (RuleOutcome::Unreached, _) => "is not read: the answer was found above it",
        }
    }
}

/// What a guardrail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuardrailVerdict {
    /// It forbids.
    Forbids,
    /// It could not be evaluated, so it forbids.
    Failed,
    /// It does not apply here.
    Passes,
}

/// One guardrail, whether it forbids or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardrailCheck {
    /// Its `@id`.
    pub id: String,
    /// What it says.
    pub verdict: GuardrailVerdict,
    /// Its `@reason`.
    pub reason: String,
}

/// One conflict that names the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictCheck {
    /// The other groups of it.
    pub groups: Vec<GroupId>,
    /// Those that the person holds; empty when it does not forbid.
    pub held: Vec<GroupId>,
    /// Why, for people.
    pub reason: String,
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Rules in the order of the file.
    pub rules: Vec<RuleFinding>,
    /// Guardrails in the order of files and lines.
    pub guardrails: Vec<GuardrailCheck>,
    /// Conflicts that name the group, in the order of their file.
    pub conflicts: Vec<ConflictCheck>,
}

impl Explanation {
    /// Tells that the answer of the rules does not stand: the ledger knows what the policy does not.
    pub fn overrule(&mut self) {
        for rule in self.rules.iter_mut().filter(|r| r.outcome == RuleOutcome::Decides) {
            rule.outcome = RuleOutcome::Overruled;
        }
    }
}
