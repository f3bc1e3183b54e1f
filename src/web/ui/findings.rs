//! A decision opened to its reasoning: every rule with its conditions, what forbids, and what would change it.

use super::words::{capital, group};
use crate::{
    domain::{
        decision::{Decision, Effect, Reason, ReasonKind},
        explanation::{Explanation, GuardrailVerdict, Holds, RuleFinding, RuleOutcome},
    },
    ledger::Snapshot,
};

/// One rule, guardrail or conflict, and what became of it.
pub struct FindingView {
    /// `y`, `no`, `n` or `u`: it decides, it stands in the way, it does not fit, it was not needed.
    pub mark: &'static str,
    /// What it speaks of.
    pub name: String,
    /// What became of it, without a full stop.
    pub told: String,
    /// Each condition, with its mark.
    pub conditions: Vec<ConditionView>,
}

/// One condition of a rule.
pub struct ConditionView {
    /// `y`, `no` or `u`.
    pub mark: &'static str,
    /// The sentence, without a full stop.
    pub text: String,
}

/// A decision as a page shows it.
#[derive(Default)]
pub struct Findings {
    /// Rules first, then what forbids.
    pub items: Vec<FindingView>,
    /// What would change it, or be quicker; each without a full stop.
    pub changes: Vec<String>,
    /// It is allowed already, and the changes would only be quicker.
    pub quicker: bool,
}

/// Everything that was looked at. Guardrails and conflicts that do not forbid are told by their number alone.
pub fn findings(snapshot: &Snapshot, d: &Decision) -> Findings {
    let changes = d.suggestions.iter().map(|s| s.text.trim_end_matches('.').to_owned()).collect();
    let mut items = match &d.explanation {
        Some(explanation) => explained(snapshot, explanation),
        // A grant records its reasons alone.
        None => d.reasons.iter().filter(|r| r.rule.is_some()).map(by_reason).collect(),
    };
    if d.explanation.is_none() && d.guardrails_evaluated > 0 && d.guardrails.is_empty() {
        items.push(passing(usize::try_from(d.guardrails_evaluated).unwrap_or(0)));
    }
    let own = d.reasons.iter().filter(|r| r.rule.is_none() || matches!(r.kind, ReasonKind::Blocked | ReasonKind::Frozen | ReasonKind::StaleFacts | ReasonKind::NoApprover));
    // What forbids stands in the explanation, and "no rule" is what all of it says.
    let told = |r: &&Reason| {
        !matches!(r.kind, ReasonKind::Guardrail | ReasonKind::GuardrailError | ReasonKind::Conflict | ReasonKind::NoRule) || d.explanation.is_none()
    };
    let mark = if d.effect == Effect::Deny { "no" } else { "u" };
    items.extend(own.filter(told).map(|r| FindingView { mark, name: capital(&r.text), told: String::new(), conditions: Vec::new() }));
    Findings { items, changes, quicker: d.effect != Effect::Deny }
}

fn by_reason(reason: &Reason) -> FindingView {
    let mark = match reason.kind {
        ReasonKind::RuleDecides => "y",
        ReasonKind::RuleError => "no",
        _ => "n",
    };
    let told = format!("It {}", reason.text);
    FindingView { mark, name: reason.rule.clone().unwrap_or_default(), told, conditions: Vec::new() }
}

fn passing(count: usize) -> FindingView {
    let told = if count == 1 { "1 was looked at and does not forbid it".to_owned() } else { format!("{count} were looked at and do not forbid it") };
    FindingView { mark: "y", name: "Guardrails".to_owned(), told, conditions: Vec::new() }
}

fn explained(snapshot: &Snapshot, explanation: &Explanation) -> Vec<FindingView> {
    let mut found: Vec<FindingView> = explanation.rules.iter().map(rule).collect();
    for g in explanation.guardrails.iter().filter(|g| g.verdict != GuardrailVerdict::Passes) {
        let failed = g.verdict == GuardrailVerdict::Failed;
        let told = if failed { "Could not be evaluated for you, so it forbids" } else { "Forbids it, whatever the rules say" };
        found.push(FindingView { mark: "no", name: g.reason.clone(), told: told.to_owned(), conditions: Vec::new() });
    }
    for c in explanation.conflicts.iter().filter(|c| !c.held.is_empty()) {
        let held: Vec<String> = c.held.iter().map(|g| group(snapshot, g.as_str())).collect();
        found.push(FindingView { mark: "no", name: c.reason.clone(), told: format!("You hold {}", held.join(" and ")), conditions: Vec::new() });
    }
    let count = explanation.guardrails.iter().filter(|g| g.verdict == GuardrailVerdict::Passes).count();
    if count > 0 {
        found.push(passing(count));
    }
    found
}

/// One rule with its conditions; those of a rule that was not needed are left out.
pub fn rule(finding: &RuleFinding) -> FindingView {
    let mark = match finding.outcome {
        RuleOutcome::Decides | RuleOutcome::Birthright => "y",
        RuleOutcome::Failed => "no",
        RuleOutcome::Unreached => "u",
        RuleOutcome::Overruled | RuleOutcome::Passed | RuleOutcome::TooShort | RuleOutcome::Closed => "n",
    };
    let shown = finding.conditions.iter().filter(|_| finding.outcome != RuleOutcome::Unreached);
    let conditions = shown.map(|c| {
        let mark = match c.holds {
            Holds::Yes => "y",
            Holds::No | Holds::Failed => "no",
            Holds::Unread | Holds::Asked => "u",
        };
        ConditionView { mark, text: c.text.clone() }
    });
    FindingView { mark, name: finding.rule.clone(), told: capital(finding.told()), conditions: conditions.collect() }
}
