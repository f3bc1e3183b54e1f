//! Explaining a decision: the policy's reasoning with what the ledger adds, and suggestions that hold here, where blocks, the
//! freeze switch and approvers are known.

use super::{
    World,
    inputs::{self, Inputs, LedgerFacts},
    submit::{approvers, ledger_facts},
};
use crate::{
    domain::{
        decision::{Decision, Effect, Inquiry, ReasonKind},
        explanation::{Explanation, Holds, Part, RuleOutcome},
        id::PersonId,
        request::Request,
        time::Time,
    },
    policy::{Engine, Facts, suggest::Reach},
};

/// How much is told beside the decision itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// For the log: everything, unless it is a grant, whose reasons say how its rule was reached.
    Recorded,
    /// For whoever looks at one decision: everything.
    Everything,
    /// For lists: the first suggestion.
    Hint,
}

/// The reasoning behind a filing's decision.
pub fn explain_filing(engine: &Engine, inquiry: &Inquiry<'_>, facts: &LedgerFacts, decision: &Decision) -> Option<Explanation> {
    let mut explanation = engine.explanation(inquiry, decision, Facts::Known)?;
    // The stage at which counting stopped is the one that nobody can pass.
    if decision.reasons.last().is_some_and(|r| r.kind == ReasonKind::NoApprover)
        && let Some(short) = facts.approvers.len().checked_sub(1)
    {
        let overruled = explanation.rules.iter_mut().filter(|r| r.outcome == RuleOutcome::Overruled);
        for rule in overruled {
            if let Some(stage) = rule.conditions.iter_mut().filter(|c| c.part == Part::Stage).nth(short) {
                stage.holds = Holds::No;
                stage.text.push_str(", but too few people could today");
            }
        }
    }
    Some(explanation)
}

/// The reasoning behind a denial at the last vote: the rule as it was copied, and what forbids today.
pub fn explain_last_vote(engine: &Engine, request: &Request, now: Time, inputs: &Inputs, decision: &Decision) -> Option<Explanation> {
    let inquiry = inputs.inquiry(request, now).filter(|_| !inputs.ledger.gone)?;
    engine.explanation_of_copied(&inquiry, request.rule.as_ref()?, decision)
}

/// Adds to a filing's decision what is to be told.
pub(super) fn tell(world: &World<'_>, filed_by: &PersonId, inquiry: &Inquiry<'_>, facts: &LedgerFacts, told: Told, decision: &mut Decision) {
    let (whole, most) = match told {
        Told::Everything => (true, usize::MAX),
        Told::Recorded => (decision.effect != Effect::Grant, usize::MAX),
        Told::Hint => (false, usize::from(decision.effect == Effect::Deny)),
    };
    let engine = &world.snapshot.policy;
    if whole {
        decision.explanation = explain_filing(engine, inquiry, facts, decision);
    }
    if most > 0 && decision.effect != Effect::Grant {
        // Asking for the time that a person denied is denied for a while.
        let lengths: Vec<_> = facts.denied.iter().map(|(duration, _)| *duration).collect();
        let reach = Reach { most, lengths: &lengths };
        decision.suggestions = engine.suggest(inquiry, decision, reach, &mut |changed, whose| again(world, filed_by, inquiry, changed, whose));
    }
}

/// What asking again would come to, were it filed now.
fn again(world: &World<'_>, filed_by: &PersonId, first: &Inquiry<'_>, changed: &Inquiry<'_>, whose: Facts) -> Decision {
    let engine = &world.snapshot.policy;
    let person = &changed.subject.person.id;
    let facts = ledger_facts(world, person, changed.group);
    if changed.group == first.group {
        return inputs::settle(engine.decide_by(changed, whose), changed, &facts, &mut |_, stage| approvers(world, filed_by, person, changed.group, stage));
    }
    // Another group is asked for with the first one in hand, if it is held.
    let holds = world.state.holds(person, changed.group);
    let changed = Inquiry { holds: &holds, ..*changed };
    let mut decision = engine.decide_by(&changed, whose);
    if world.state.pending(person, changed.group).is_some() {
        decision.effect = Effect::Deny;
    }
    inputs::settle(decision, &changed, &facts, &mut |_, stage| approvers(world, filed_by, person, changed.group, stage))
}
