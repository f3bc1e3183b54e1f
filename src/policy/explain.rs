//! The whole reasoning: every rule with each condition, every guardrail, every conflict, whether it mattered or not.
//!
//! A decision stops at the rule that decides; this goes on. It is made where somebody will read it: for previews, and for
//! whatever is not a grant. The same [`Reading`] walks the rules, so both come to the same outcome.

use std::collections::BTreeSet;

use super::{
    Engine, Facts,
    cedar::Condition,
    decide::{Reading, means},
    evaluate::Asked,
    suggest::Reach,
    words,
};
use crate::domain::{
    decision::{Decision, Effect, Inquiry},
    explanation::{
        ConditionFinding, ConflictCheck, Explanation, GuardrailCheck, GuardrailVerdict, Holds, Part, RuleFinding, RuleOutcome,
    },
    group::{Group, Guardrail, Rule, Stage, Then},
};

impl Engine {
    /// Decides by policy alone, and tells everything that was looked at and what would give a better answer. The decision is
    /// that of [`Engine::decide`].
    pub fn explain(&self, inquiry: &Inquiry<'_>) -> Decision {
        self.explained(inquiry, self.decide_plainly(inquiry))
    }

    /// Explains for a person who need not be in the engine: their own facts count. Suggests nothing.
    pub fn explain_supposed(&self, inquiry: &Inquiry<'_>) -> Decision {
        let mut decision = self.decide_by(inquiry, Facts::Supposed);
        decision.explanation = self.explanation(inquiry, &decision, Facts::Supposed);
        decision
    }

    pub(super) fn explained(&self, inquiry: &Inquiry<'_>, mut decision: Decision) -> Decision {
        decision.explanation = self.explanation(inquiry, &decision, Facts::Known);
        let reach = Reach { most: usize::MAX, lengths: &[] };
        decision.suggestions = self.suggest(inquiry, &decision, reach, &mut |inquiry, facts| self.decide_by(inquiry, facts));
        decision
    }

    /// Everything that was looked at for a decision. None where nothing could be: an unknown group, no facts about the person.
    pub fn explanation(&self, inquiry: &Inquiry<'_>, decision: &Decision, facts: Facts) -> Option<Explanation> {
        let group = self.set.group(inquiry.group.as_str())?;
        let asked = self.ask(inquiry, facts)?;
        let mut explanation = Explanation {
            rules: self.rule_findings(inquiry, group, &asked, decision),
            guardrails: self.set.guardrails.iter().map(|g| check(g, decision)).collect(),
            conflicts: self.conflict_checks(inquiry),
        };
        if decision.effect == Effect::Deny {
            explanation.overrule();
        }
        Some(explanation)
    }

    /// Everything that was looked at at the last vote: the rule that was copied onto the request, and what forbids today.
    pub fn explanation_of_copied(&self, inquiry: &Inquiry<'_>, rule: &Rule, decision: &Decision) -> Option<Explanation> {
        let asked = self.ask(inquiry, Facts::Known)?;
        let condition = rule.when.as_deref().and_then(super::cedar::condition_with_parts);
        let verdict = self.verdict(inquiry, rule, condition.as_ref(), &asked);
        let outcome = match Reading::default().outcome(rule, &verdict) {
            RuleOutcome::Decides if decision.effect == Effect::Deny => RuleOutcome::Overruled,
            other => other,
        };
        let conditions = self.condition_findings(inquiry, rule, condition.as_ref(), &asked, &[]);
        Some(Explanation {
            rules: vec![RuleFinding { rule: rule.name.clone(), then: rule.then, max: rule.max, outcome, conditions }],
            guardrails: self.set.guardrails.iter().map(|g| check(g, decision)).collect(),
            conflicts: self.conflict_checks(inquiry),
        })
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

    fn rule_findings(&self, inquiry: &Inquiry<'_>, group: &Group, asked: &Asked<'_>, decision: &Decision) -> Vec<RuleFinding> {
        let mut reading = Reading::default();
        let mut ended = false;
        let mut findings = Vec::with_capacity(group.rules.len());
        for (index, rule) in group.rules.iter().enumerate() {
            let condition = self.condition(group, index);
            let outcome = if ended {
                RuleOutcome::Unreached
            } else {
                reading.outcome(rule, &self.verdict(inquiry, rule, condition, asked))
            };
            ended |= outcome.ends_the_reading();
            // What is really asked may be more than the rule says: an owner, after a revocation.
            let stages = if outcome == RuleOutcome::Decides && !decision.stages.is_empty() { &decision.stages } else { &rule.stages };
            let conditions = self.condition_findings(inquiry, rule, condition, asked, stages);
            findings.push(RuleFinding { rule: rule.name.clone(), then: rule.then, max: rule.max, outcome, conditions });
        }
        findings
    }

    fn condition_findings(
        &self,
        inquiry: &Inquiry<'_>,
        rule: &Rule,
        condition: Option<&Condition>,
        asked: &Asked<'_>,
        stages: &[Stage],
    ) -> Vec<ConditionFinding> {
        let yes = |holds: bool| if holds { Holds::Yes } else { Holds::No };
        let meant = rule.who.iter().find(|who| means(who, inquiry));
        let text = match meant {
            Some(who) => words::you_are(&self.names, who),
            None => format!("It is for {}, and you are not among them", words::list(&self.names, &rule.who)),
        };
        let source = rule.who.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let mut found = vec![ConditionFinding { part: Part::Who, source, holds: yes(meant.is_some()), text }];
        if let Some(when) = &rule.when {
            found.extend(self.when_findings(inquiry, when, condition, asked));
        }
        if rule.then == Then::Always {
            return found;
        }
        let enough = inquiry.duration <= rule.max;
        let (longest, wish) = (rule.max.in_words(), inquiry.duration.in_words());
        let text = if enough { format!("It gives {longest} at most, and you ask for {wish}") } else { format!("It gives {longest} at most, and you ask for more: {wish}") };
        found.push(ConditionFinding { part: Part::For, source: rule.max.to_string(), holds: yes(enough), text });
        found.extend(stages.iter().enumerate().map(|(index, stage)| {
            let from = stage.from.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let source = if stage.need > 1 { format!("{} of {from}", stage.need) } else { from };
            ConditionFinding { part: Part::Stage, source, holds: Holds::Asked, text: words::stage_told(&self.names, stage, index == 0) }
        }));
        found
    }

    /// Each conjunct of a condition, or the whole where it is no chain of conjuncts.
    fn when_findings(&self, inquiry: &Inquiry<'_>, when: &str, condition: Option<&Condition>, asked: &Asked<'_>) -> Vec<ConditionFinding> {
        let finding = |source: &str, holds: Result<Holds, String>| {
            let wants = format!("It wants {}", words::condition(&self.names, source));
            let (holds, text) = match holds {
                Ok(Holds::Yes) => (Holds::Yes, format!("{wants}, and that is so")),
                Ok(Holds::Unread) => (Holds::Unread, format!("{wants}; that was not read, since what stands before it does not hold")),
                Ok(_) => (Holds::No, format!("{wants}, and {}", words::instead(&self.names, source, inquiry))),
                Err(error) => (Holds::Failed, format!("{wants}, and that could not be evaluated: {error}")),
            };
            ConditionFinding { part: Part::When, source: source.trim().to_owned(), holds, text }
        };
        let Some(condition) = condition else { return vec![finding(when, Err("it is not compiled".to_owned()))] };
        match asked.parts(condition) {
            Some(parts) => parts.into_iter().map(|(source, holds)| finding(source, holds)).collect(),
            None => vec![finding(when, asked.holds(condition).map(|holds| if holds { Holds::Yes } else { Holds::No }))],
        }
    }
}

fn check(guardrail: &Guardrail, decision: &Decision) -> GuardrailCheck {
    let verdict = match decision.guardrails.iter().find(|f| f.id == guardrail.id) {
        Some(finding) if finding.failed => GuardrailVerdict::Failed,
        Some(_) => GuardrailVerdict::Forbids,
        None => GuardrailVerdict::Passes,
    };
    GuardrailCheck { id: guardrail.id.clone(), verdict, reason: guardrail.reason.clone() }
}

/// A decision as lines of text, for a terminal: rules, guardrails, conflicts, what the service adds, and what would change it.
pub fn lines(decision: &Decision) -> Vec<String> {
    let mut lines = Vec::new();
    match &decision.explanation {
        Some(explanation) => told(decision, explanation, &mut lines),
        None => {
            let named = |rule: &Option<String>| rule.as_ref().map_or_else(String::new, |name| format!("\"{name}\" "));
            lines.extend(decision.reasons.iter().map(|r| format!("{}{}", named(&r.rule), r.text)));
        }
    }
    if !decision.suggestions.is_empty() {
        lines.push(if decision.effect == Effect::Deny { "What would change it:" } else { "What would be quicker:" }.to_owned());
        lines.extend(decision.suggestions.iter().map(|s| format!("  * {}", s.text)));
    }
    lines
}

fn told(decision: &Decision, explanation: &Explanation, lines: &mut Vec<String>) {
    if explanation.rules.is_empty() {
        lines.push("The group has no rule, so nobody can get it".to_owned());
    }
    for rule in &explanation.rules {
        lines.push(format!("Rule \"{}\" {}", rule.rule, rule.told()));
        for condition in &rule.conditions {
            let mark = match condition.holds {
                Holds::Yes => '+',
                Holds::No => '-',
                Holds::Failed => '!',
                Holds::Unread => ' ',
                Holds::Asked => '?',
            };
            lines.push(format!("  {mark} {}", condition.text));
        }
    }
    for guardrail in &explanation.guardrails {
        let (mark, says) = match guardrail.verdict {
            GuardrailVerdict::Forbids => ('-', "forbids it"),
            GuardrailVerdict::Failed => ('!', "could not be evaluated for you, so it forbids it"),
            GuardrailVerdict::Passes => continue,
        };
        lines.push(format!("{mark} Guardrail {} {says}: {}", guardrail.id, guardrail.reason));
    }
    let passing: Vec<&str> = explanation.guardrails.iter().filter(|g| g.verdict == GuardrailVerdict::Passes).map(|g| g.id.as_str()).collect();
    if !passing.is_empty() {
        lines.push(format!("+ Guardrails that do not forbid it: {}", passing.join(", ")));
    }
    let conflicting = decision.guardrails.iter().filter(|g| g.id.starts_with("conflict:"));
    lines.extend(conflicting.map(|g| format!("- Conflict: {}", g.reason)));
    let apart: BTreeSet<&str> = explanation.conflicts.iter().flat_map(|c| c.groups.iter().filter(|g| !c.held.contains(g))).map(|g| g.as_str()).collect();
    if !apart.is_empty() {
        lines.push(format!("+ Conflicts that do not forbid it, since you do not hold: {}", apart.into_iter().collect::<Vec<_>>().join(", ")));
    }
}
