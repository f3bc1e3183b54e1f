//! A decision: the effect, what determined it, every reason, and what would change it.
//!
//! The same value is shown before pressing, answered by the API and written to the audit log.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    duration::Duration,
    explanation::Explanation,
    group::{JustificationNeed, Stage, Who},
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
    /// What is known of the person is too old to grant anything on it.
    StaleFacts,
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

/// What one could do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Remedy {
    /// Ask for less time.
    ShorterDuration {
        /// The longest that works, among the lengths that the policy names and the usual ones.
        duration: Duration,
    },
    /// Say why.
    Justification,
    /// Ask for another group that opens the same in the target systems.
    OtherGroup {
        /// The other group.
        group: GroupId,
    },
    /// Give up what stands in the way.
    GiveUp {
        /// The group held now.
        group: GroupId,
        /// More that must go with it: one alone would not do.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        and: Vec<GroupId>,
    },
    /// Join: only people of some team or holders of some group are eligible.
    Membership {
        /// As written in the rule, like `team:analytics`.
        who: Who,
    },
    /// What a guardrail's author advises; the policy cannot try it.
    Fix,
}

/// A change to the request or the person that gives a better answer; true by test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// What to do.
    #[serde(flatten)]
    pub remedy: Remedy,
    /// The answer that it promises; none for advice that cannot be tried, and in records older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// A reason must be given as well.
    #[serde(default, skip_serializing_if = "is_false")]
    pub justification: bool,
    /// The sentence for people.
    pub text: String,
}

fn is_false(flag: &bool) -> bool {
    !*flag
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
    /// Everything that was looked at: in previews, and where the answer is not a grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
    /// The content hash of the policy set.
    pub policy_revision: PolicyRevision,
}
