//! The diff for programs. Every name is there; nothing is cut.

use serde_json::{Value, json};

use super::{Diff, Direction, GroupDiff, text};

fn ids(diff: &Diff, people: &[u32]) -> Vec<String> {
    people.iter().filter_map(|p| diff.person(*p)).map(|p| p.id.to_string()).collect()
}

fn group(diff: &Diff, group: &GroupDiff) -> Value {
    let moves: Vec<Value> = group
        .moves
        .iter()
        .map(|m| json!({ "direction": m.direction, "before": m.before, "after": m.after, "people": ids(diff, &m.people) }))
        .collect();
    json!({
        "id": group.id, "title": group.title, "fate": group.fate, "edits": group.edits, "relabelled": group.relabelled,
        "read_by_guardrails": group.read_by_guardrails, "moves": moves,
        "sometimes": { "at_other_times": ids(diff, &group.at_times), "with_other_holdings": ids(diff, &group.with_holdings) },
    })
}

/// The whole diff. People are named by id; `names` gives the name of each that occurs.
pub fn json(diff: &Diff) -> Value {
    let moved = diff.groups.iter().flat_map(|g| g.moves.iter().flat_map(|m| &m.people).chain(&g.at_times).chain(&g.with_holdings));
    let holders = diff.conflicts_added.iter().flat_map(|c| &c.holders);
    let names: std::collections::BTreeMap<String, &str> =
        moved.chain(holders).filter_map(|p| diff.person(*p)).map(|p| (p.id.to_string(), p.name.as_str())).collect();
    let conflicts: Vec<Value> = diff
        .conflicts_added
        .iter()
        .map(|c| json!({ "groups": c.groups, "reason": c.reason, "keep": c.keep, "holders": ids(diff, &c.holders) }))
        .collect();
    json!({
        "before": diff.before, "after": diff.after, "at": diff.at, "headline": text::headline(diff),
        "people": diff.people.len(),
        "gain": diff.moving(&[Direction::Gains, Direction::Mixed]),
        "lose": diff.moving(&[Direction::Loses, Direction::Mixed]),
        "groups": diff.groups.iter().map(|g| group(diff, g)).collect::<Vec<_>>(),
        "guardrails": diff.guardrails, "conflicts_added": conflicts, "conflicts_removed": diff.conflicts_removed, "roles": diff.roles,
        "grants": diff.grants, "grants_standing_by_neither": diff.standing_by_neither, "requests": diff.requests,
        "empty_stages": diff.empty_stages, "notes": diff.notes, "names": names,
    })
}
