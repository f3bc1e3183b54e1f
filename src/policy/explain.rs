//! The whole reasoning: every rule with each condition, every guardrail, every conflict, whether it mattered or not.
//!
//! A decision stops at the rule that decides; this goes on. It is made for previews and denials, never for a plain grant.

use super::{Engine, cedar::{Asked, Condition}, suggest, words};
use crate::domain::{
    decision::{
        ConditionFinding, ConflictCheck, Decision, Effect, Explanation, GuardrailCheck, Holds, Inquiry, Part, RuleFinding, RuleOutcome,
    },
    group::{Group, Rule, Then},
};

impl Engine {
    /// Decides, and tells everything that was looked at, and what would give a better answer. The decision is that of
    /// [`Engine::decide`].
    pub fn explain(&self, inquiry: &Inquiry<'_>) -> Decision {
        self.explained(inquiry, self.decide_plainly(inquiry))
    }

    /// Explains for a person who need not be in the engine: their own facts count.
    pub fn suppose(&self, inquiry: &Inquiry<'_>) -> Decision {
        let mut decision = self.decide_supposed(inquiry);
        decision.explanation = self.ask_supposed(inquiry).and_then(|asked| self.explanation(inquiry, &asked, &decision));
        decision
    }

    pub(super) fn explained(&self, inquiry: &Inquiry<'_>, mut decision: Decision) -> Decision {
        decision.explanation = self.ask(inquiry).and_then(|asked| self.explanation(inquiry, &asked, &decision));
        decision.suggestions = suggest::suggestions(self, inquiry, &decision);
        decision
    }

    fn explanation(&self, inquiry: &Inquiry<'_>, asked: &Asked<'_>, decision: &Decision) -> Option<Explanation> {
        let group = self.set.group(inquiry.group.as_str())?;
        Some(Explanation {
            rules: self.rule_findings(inquiry, group, asked, !decision.guardrails.is_empty()),
            guardrails: self.guardrail_checks(decision),
            conflicts: self.conflict_checks(inquiry),
        })
    }

    fn guardrail_checks(&self, decision: &Decision) -> Vec<GuardrailCheck> {
        let check = |g: &crate::domain::group::Guardrail| {
            let finding = decision.guardrails.iter().find(|f| f.id == g.id);
            GuardrailCheck { id: g.id.clone(), reason: g.reason.clone(), forbids: finding.is_some(), failed: finding.is_some_and(|f| f.failed) }
        };
        self.set.guardrails.iter().map(check).collect()
    }

    fn conflict_checks(&self, inquiry: &Inquiry<'_>) -> Vec<ConflictCheck> {
        let named = self.set.conflicts.iter().filter(|c| c.groups.contains(inquiry.group));
        named
            .map(|conflict| {
                let groups: Vec<_> = conflict.groups.iter().filter(|g| *g != inquiry.group).cloned().collect();
                let held = groups.iter().filter(|g| inquiry.holds.contains(*g)).cloned().collect();
                ConflictCheck { groups, held, reason: conflict.reason.clone() }
            })
            .collect()
    }

    /// Each rule with its conditions, and what became of it: the same order and the same stops as the decision's own reading.
    fn rule_findings(&self, inquiry: &Inquiry<'_>, group: &Group, asked: &Asked<'_>, forbidden: bool) -> Vec<RuleFinding> {
        let compiled = self.set.conditions.get(&group.id);
        let (mut answered, mut closed) = (false, false);
        let mut findings = Vec::with_capacity(group.rules.len());
        for (index, rule) in group.rules.iter().enumerate() {
            let condition = compiled.and_then(|c| c.get(index)).and_then(Option::as_ref);
            let conditions = self.condition_findings(inquiry, rule, condition, asked);
            let no = |part: Part, holds: Holds| conditions.iter().any(|c| c.part == part && c.holds == holds);
            let outcome = if no(Part::Who, Holds::No) {
                if answered { RuleOutcome::Unreached } else { RuleOutcome::Passed }
            } else if answered {
                RuleOutcome::Unreached
            } else if no(Part::When, Holds::No) && !no(Part::When, Holds::Failed) {
                RuleOutcome::Passed
            } else if no(Part::When, Holds::Failed) {
                // A conjunct behind one that does not hold is never read; see `Asked::parts`.
                let first = conditions.iter().find(|c| c.part == Part::When && matches!(c.holds, Holds::No | Holds::Failed));
                if first.is_some_and(|c| c.holds == Holds::No) { RuleOutcome::Passed } else { RuleOutcome::Failed }
            } else if no(Part::For, Holds::No) {
                closed |= rule.then == Then::Approve;
                RuleOutcome::TooShort
            } else {
                match rule.then {
                    Then::Always => RuleOutcome::Birthright,
                    Then::Grant if closed => RuleOutcome::Closed,
                    _ if forbidden => RuleOutcome::Forbidden,
                    _ => RuleOutcome::Decides,
                }
            };
            answered |= matches!(outcome, RuleOutcome::Decides | RuleOutcome::Forbidden | RuleOutcome::Closed | RuleOutcome::Failed);
            findings.push(RuleFinding { rule: rule.name.clone(), then: rule.then, max: rule.max, outcome, conditions });
        }
        findings
    }

    fn condition_findings(&self, inquiry: &Inquiry<'_>, rule: &Rule, condition: Option<&Condition>, asked: &Asked<'_>) -> Vec<ConditionFinding> {
        let yes = |holds: bool| if holds { Holds::Yes } else { Holds::No };
        let meant = rule.who.iter().find(|who| super::decide::means(who, inquiry));
        let who = match meant {
            Some(who) => words::you_are(&self.names, who),
            None => format!("It is for {}, and you are not among them", words::list(&self.names, &rule.who)),
        };
        let source = rule.who.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let mut found = vec![ConditionFinding { part: Part::Who, source, holds: yes(meant.is_some()), text: who }];
        match (condition, &rule.when) {
            (None, Some(when)) => found.push(ConditionFinding {
                part: Part::When,
                source: when.clone(),
                holds: Holds::Failed,
                text: "Its condition is not compiled".to_owned(),
            }),
            (Some(condition), _) => found.extend(asked.parts(condition).into_iter().map(|(source, holds)| {
                let wants = format!("It wants {}", words::condition(&self.names, source));
                let (holds, text) = match holds {
                    Ok(Holds::Yes) => (Holds::Yes, format!("{wants}, and that holds")),
                    Ok(Holds::Unread) => (Holds::Unread, format!("{wants}; that is not read, since what stands before it does not hold")),
                    Ok(_) => (Holds::No, format!("{wants}, and {}", words::instead(source, inquiry))),
                    Err(error) => (Holds::Failed, format!("{wants}, and that could not be evaluated: {error}")),
                };
                ConditionFinding { part: Part::When, source: source.to_owned(), holds, text }
            })),
            (None, None) => {}
        }
        let enough = inquiry.duration <= rule.max;
        let text = match enough {
            true => format!("It gives {} at most, and you ask for {}", rule.max.in_words(), inquiry.duration.in_words()),
            false => format!("It gives {} at most, and you ask for more: {}", rule.max.in_words(), inquiry.duration.in_words()),
        };
        found.push(ConditionFinding { part: Part::For, source: rule.max.to_string(), holds: yes(enough), text });
        found
    }
}

/// A decision as lines of text, for a terminal.
pub fn lines(decision: &Decision) -> Vec<String> {
    let Some(explanation) = &decision.explanation else {
        let named = |r: &crate::domain::decision::Reason| r.rule.as_ref().map_or_else(String::new, |n| format!("\"{n}\" "));
        return decision.reasons.iter().map(|r| format!("{}{}", named(r), r.text)).collect();
    };
    let mut lines = Vec::new();
    for rule in &explanation.rules {
        lines.push(format!("\"{}\" {}", rule.rule, words::outcome(rule)));
        for condition in &rule.conditions {
            let mark = match condition.holds {
                Holds::Yes => "+",
                Holds::No => "-",
                Holds::Failed => "!",
                Holds::Unread => " ",
            };
            lines.push(format!("  {mark} {}", condition.text));
        }
    }
    if explanation.rules.is_empty() {
        lines.extend(decision.reasons.last().map(|r| r.text.clone()));
    }
    for guardrail in &explanation.guardrails {
        let (mark, told) = match (guardrail.forbids, guardrail.failed) {
            (true, true) => ("!", "could not be evaluated, so it forbids"),
            (true, false) => ("!", "forbids"),
            (false, _) => ("+", "does not forbid"),
        };
        lines.push(format!("{mark} guardrail {} {told}: {}", guardrail.id, guardrail.reason));
    }
    for conflict in &explanation.conflicts {
        let (mark, told) = if conflict.held.is_empty() { ("+", "does not forbid") } else { ("!", "forbids") };
        let names: Vec<&str> = conflict.groups.iter().map(|g| g.as_str()).collect();
        lines.push(format!("{mark} conflict with {} {told}: {}", names.join(", "), conflict.reason));
    }
    let better = if decision.effect == Effect::Deny { "what would change it" } else { "what would be quicker" };
    lines.extend(decision.suggestions.iter().map(|s| format!("{better}: {}", s.text())));
    lines
}
