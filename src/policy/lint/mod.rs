//! Lints: what files say correctly and hardly mean. Each sees the whole set; none reads who asks for what.
//!
//! Lints are told like every other problem, through the reader of the file that should be mended. Warnings may stand where the
//! file says why: `[[allow]]` in a group, `@allow` at a guardrail. An allowance that allows nothing is told as well.

mod between;
mod circles;
mod group;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use super::{Known, cedar::Condition, codes, compile::Draft, unknown};
use crate::domain::{
    group::AttributeTypes,
    id::GroupId,
    problem::Problem,
};

/// What lints know beside the groups.
pub(super) struct Ground<'a> {
    /// Every group of the set.
    pub ids: &'a BTreeSet<GroupId>,
    /// People, teams, connectors.
    pub known: &'a Known,
    /// Compiled conditions by group and rule.
    pub conditions: &'a BTreeMap<GroupId, Vec<Option<Condition>>>,
    /// Declared attributes of people.
    pub attributes: &'a AttributeTypes,
}

/// Tells what is wrong with names and what lints find, and takes away what files allow.
pub(super) fn run(drafts: &mut [Draft<'_>], ground: &Ground<'_>) -> Vec<Problem> {
    for draft in drafts.iter_mut() {
        names_of(draft, ground);
        group::lint(draft, ground);
        rules::lint(draft, ground);
    }
    between::lint(drafts, ground);
    let mut told: Vec<Problem> = drafts.iter_mut().flat_map(settle).collect();
    told.extend(later(drafts));
    told
}

fn names_of(draft: &mut Draft<'_>, ground: &Ground<'_>) {
    let nobody = group::nobody_owns(&draft.group, ground.known);
    for (who, usage, at) in &draft.places.words {
        // An owner with nobody in it is told once, as what it means.
        if !(nobody && *usage == super::group_file::Use::Owner) {
            unknown::who(&mut draft.reader, who, at, ground.ids, ground.known);
        }
    }
    for (connector, at) in &draft.places.connectors {
        unknown::connector(&mut draft.reader, connector, at, ground.known);
    }
}

/// Takes away what the file allows, and tells allowances that allow nothing.
fn settle(draft: &mut Draft<'_>) -> Vec<Problem> {
    let mut used = BTreeSet::new();
    let (reader, places) = (&mut draft.reader, &draft.places);
    reader.problems.retain(|problem| {
        let stands = codes::may_be_allowed(&problem.code) && places.allowed.iter().any(|(code, _)| *code == problem.code);
        if stands {
            used.insert(problem.code.clone());
        }
        !stands
    });
    for (code, at) in &places.allowed {
        match codes::code(code) {
            None => {
                let near = super::reader::nearest(code, codes::CODES.iter().map(|c| c.id)).map(|n| format!("did you mean `{n}`?"));
                reader.tell(at.clone(), "BP078", format!("there is no code `{code}`"), near);
            }
            Some(found) if !found.may_be_allowed => reader.tell(at.clone(), "BP078", format!("`{code}` may not be allowed: {}", found.title), None),
            Some(found) if !used.contains(code) => reader.tell(at.clone(), "BP077", format!("nothing here is {code}: {}", found.title), None),
            Some(_) => {}
        }
    }
    std::mem::take(&mut reader.problems)
}

/// What the set says that a later version executes.
fn later(drafts: &[Draft<'_>]) -> Option<Problem> {
    let count = |says: fn(&Draft<'_>) -> bool| drafts.iter().filter(|d| says(d)).count();
    let parts = [
        ("`[break_glass]`", count(|d| d.group.break_glass.is_some())),
        ("`[review]`", count(|d| d.group.review.is_some())),
    ];
    let told: Vec<String> = parts.iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!("{what} in {n} group{}", if *n == 1 { "" } else { "s" })).collect();
    (!told.is_empty()).then(|| codes::of_file("groups", "BP082", format!("checked and shown, but not yet executed: {}", told.join(", ")), None))
}
