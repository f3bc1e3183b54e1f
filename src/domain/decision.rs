//! A decision: the effect, what determined it, every reason, and what would change it.
//!
//! The same value is shown before pressing, answered by the API and written to the audit log.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    duration::Duration,
    group::{JustificationNeed, Stage, Then},
    id::{GroupId, PolicyRevision},
    person::Subject,
    time::Time,
};

/// What is asked of the policy: pure inputs, all of them recorded.
#[derive(Debug, Clone, Copy)]
pub struct Inquiry<'a> {
    /// Who would hold it.
    pub subject: Subject<'a>,
    /// What they would hold.
    pub group: &'a GroupId,
    /// For how long.
    pub duration: Duration,
    /// Whether a justification was given.
    pub has_justification: bool,
    /// The instant of the decision.
    pub now: Time,
    /// Groups the subject holds now, the asked one excluded.
    pub holds: &'a BTreeSet<GroupId>,
    /// Whether emergency access is asked for.
    pub break_glass: bool,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Membership at once.
    Grant,
    /// People are asked.
    Approve,
    /// Refused.
    Deny,
}

/// What kind of thing a reason speaks of. Stable words of the public interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonKind {
    /// The rule that decides.
    RuleDecides,
    /// A rule whose `who` does not include the person.
    RuleWho,
    /// A rule whose `when` does not hold.
    RuleWhen,
    /// A rule that holds but gives less time.
    RuleDuration,
    /// A looser rule below a stricter one that was passed over for its `for`.
    RuleClosed,
    /// A rule whose evaluation failed: the request is denied.
    RuleError,
    /// A guardrail that forbids.
    Guardrail,
    /// A guardrail whose evaluation failed: it forbids.
    GuardrailError,
    /// A group held now that conflicts.
    Conflict,
    /// No such group.
    UnknownGroup,
    /// The person left.
    PersonLeft,
    /// No rule decides.
    NoRule,
    /// Nobody could approve.
    NoApprover,
    /// A revocation or an earlier denial stands in the way.
    Blocked,
    /// New grants are stopped by the freeze switch.
    Frozen,
    /// A person's verdict.
    Verdict,
}

/// One reason, readable alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Its kind.
    pub kind: ReasonKind,
    /// The rule it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// A plain sentence, second person ("you"), no ids where a name exists.
    pub text: String,
}

/// A guardrail that forbids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardrailFinding {
    /// Its `@id`; conflicts appear as `conflict:a+b`.
    pub id: String,
    /// Its `@reason`.
    pub reason: String,
    /// Its `@fix`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// It forbids because it could not be evaluated.
    #[serde(default)]
    pub failed: bool,
}

/// A change to the request or the person that gives a better answer; true by test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Suggestion {
    /// Ask for less time.
    ShorterDuration {
        /// The longest that works, among the lengths that the policy names and the usual ones.
        duration: Duration,
        /// What it leads to.
        effect: Effect,
        /// The sentence for people.
        text: String,
    },
    /// Only people of some team or group are eligible.
    Membership {
        /// As written in the rule, like `team:analytics`.
        who: String,
        /// What it leads to.
        effect: Effect,
        /// The sentence for people.
        text: String,
    },
    /// Give up a group that conflicts.
    GiveUp {
        /// The group held now.
        group: GroupId,
        /// What it leads to; absent in records older than this field.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        effect: Option<Effect>,
        /// The sentence for people.
        text: String,
    },
    /// Ask for another group that opens the same in the target systems.
    OtherGroup {
        /// The other group.
        group: GroupId,
        /// What it leads to, for the same time.
        effect: Effect,
        /// The sentence for people.
        text: String,
    },
    /// The guardrail's own advice.
    Fix {
        /// The sentence for people.
        text: String,
    },
}

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
    /// A plain sentence, second person.
    pub text: String,
}

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleOutcome {
    /// It decides.
    Decides,
    /// It would decide, if no guardrail or conflict forbade.
    Forbidden,
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
    /// Every condition: `who`, each conjunct of `when`, `for`.
    pub conditions: Vec<ConditionFinding>,
}

/// One guardrail, whether it forbids or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardrailCheck {
    /// Its `@id`.
    pub id: String,
    /// Its `@reason`.
    pub reason: String,
    /// Whether it forbids; one that could not be evaluated does.
    pub forbids: bool,
    /// It could not be evaluated.
    #[serde(default)]
    pub failed: bool,
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

/// Everything that was looked at, whether it mattered or not: every rule with each condition, every guardrail, every
/// conflict that names the group. Made for previews and denials; a grant records the reasons down to its rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Rules in the order of the file.
    pub rules: Vec<RuleFinding>,
    /// Guardrails in the order of files and lines.
    pub guardrails: Vec<GuardrailCheck>,
    /// Conflicts in the order of their file.
    pub conflicts: Vec<ConflictCheck>,
}

impl Suggestion {
    /// The sentence for people.
    pub fn text(&self) -> &str {
        match self {
            Self::ShorterDuration { text, .. }
            | Self::Membership { text, .. }
            | Self::GiveUp { text, .. }
            | Self::OtherGroup { text, .. }
            | Self::Fix { text } => text,
        }
    }

    /// The answer that it promises; none for advice that a guardrail's author wrote.
    pub fn promises(&self) -> Option<Effect> {
        match self {
            Self::ShorterDuration { effect, .. } | Self::Membership { effect, .. } | Self::OtherGroup { effect, .. } => Some(*effect),
            Self::GiveUp { effect, .. } => *effect,
            Self::Fix { .. } => None,
        }
    }
}

/// The answer of the policy to an [`Inquiry`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What happens.
    pub effect: Effect,
    /// The rule that decided; none when denied by default or by a guardrail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The longest the deciding rule gives.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub max: Option<Duration>,
    /// What the deciding rule wants of a justification.
    #[serde(default)]
    pub justification: JustificationNeed,
    /// The stages of an approval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Every rule read, in order, and whatever else mattered.
    pub reasons: Vec<Reason>,
    /// The guardrails and conflicts that forbid; empty when none does.
    pub guardrails: Vec<GuardrailFinding>,
    /// How many guardrails were evaluated.
    pub guardrails_evaluated: u32,
    /// What would change the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<Suggestion>,
    /// Everything that was looked at, where it was asked for: previews and denials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
    /// The content hash of the policy set.
    pub policy_revision: PolicyRevision,
}

impl Decision {
    /// Whether both decide the same: effect, rule, time, stages and what forbids. Sentences may differ, since they hold
    /// names, and names change.
    pub fn decides_as(&self, other: &Self) -> bool {
        let forbids = |d: &Self| d.guardrails.iter().map(|g| (g.id.clone(), g.failed)).collect::<Vec<_>>();
        self.effect == other.effect
            && self.rule == other.rule
            && self.max == other.max
            && self.justification == other.justification
            && self.stages == other.stages
            && forbids(self) == forbids(other)
    }
}
