//! The diff as text for a terminal.

use super::{Diff, Direction, Fate, GroupDiff, GroupFate, RequestFate};

/// Names shown of one list.
const NAMES: usize = 12;
/// Lines shown of one section.
const ITEMS: usize = 50;

/// The first sentence: what a reviewer must know.
pub fn headline(diff: &Diff) -> String {
    if diff.is_empty() {
        return "Nothing changes for anyone.".to_owned();
    }
    let people = |count: usize| if count == 1 { "1 person".to_owned() } else { format!("{count} people") };
    let gain = diff.moving(&[Direction::Gains, Direction::Mixed]);
    let lose = diff.moving(&[Direction::Loses, Direction::Mixed]);
    let mut parts: Vec<String> = Vec::new();
    if gain > 0 {
        parts.push(format!("{} gain{}", people(gain), if gain == 1 { "s" } else { "" }));
    }
    if lose > 0 {
        let who = if parts.is_empty() { people(lose) } else { lose.to_string() };
        parts.push(format!("{who} lose{}", if lose == 1 { "s" } else { "" }));
    }
    let other = diff.moving(&[Direction::AsksOthers]);
    if other > 0 {
        parts.push(format!("{} would ask other approvers", if parts.is_empty() { people(other) } else { other.to_string() }));
    }
    let ending = diff.grants.iter().filter(|g| matches!(g.fate, Fate::EndsAtOnce | Fate::Ends)).count();
    let rest = [
        (ending, "grant would end", "grants would end"),
        (diff.grants.len() - ending, "grant would be looked at again", "grants would be looked at again"),
        (diff.requests.len(), "request in flight changes", "requests in flight change"),
        (diff.conflicts_added.iter().map(|c| c.holders.len()).sum(), "conflict appears among holders", "conflicts appear among holders"),
        (diff.empty_stages.len(), "stage has too few approvers", "stages have too few approvers"),
    ];
    parts.extend(rest.into_iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| format!("{n} {}", if n == 1 { one } else { many })));
    if parts.is_empty() {
        return "Nobody gains or loses access today; what was edited is below.".to_owned();
    }
    format!("{}.", parts.join(", "))
}

/// Names of people, a few of many.
pub(super) fn names(diff: &Diff, people: &[u32], most: usize, shown: impl Fn(&str) -> String) -> String {
    let some: Vec<String> = people.iter().take(most).filter_map(|p| diff.person(*p)).map(|p| shown(&p.name)).collect();
    match people.len().saturating_sub(most) {
        0 => some.join(", "),
        more => format!("{} and {more} more", some.join(", ")),
    }
}

/// What a group went through: "new", "gone", "was old-id".
pub(super) fn fate(group: &GroupDiff) -> Option<String> {
    match &group.fate {
        GroupFate::Kept => None,
        GroupFate::Added => Some("new".to_owned()),
        GroupFate::Removed => Some("gone".to_owned()),
        GroupFate::Renamed { from } => Some(format!("was {from}")),
    }
}

/// What a grant comes to.
pub(super) fn fate_of_grant(fate: Fate) -> &'static str {
    match fate {
        Fate::EndsAtOnce => "ends at once",
        Fate::Ends => "ends after its grace",
        Fate::Flagged => "is listed for the owner",
        Fate::DecidedAgain => "would be decided again",
    }
}

/// What a request comes to.
pub(super) fn fate_of_request(fate: RequestFate) -> &'static str {
    match fate {
        RequestFate::Denied => "would be denied",
        RequestFate::NoLongerDenied => "would no longer be denied",
        RequestFate::InstantIfAskedAgain => "goes on; asked again, it would be granted at once",
    }
}

/// "unable → at once up to 8 hours". Approvers are named where they are what differs.
pub(super) fn movement(m: &super::Move) -> String {
    let asked = m.direction == Direction::AsksOthers || m.before.in_words(false) == m.after.in_words(false);
    format!("{} → {}", m.before.in_words(asked), m.after.in_words(asked))
}

/// A mark for each direction, readable without colour.
pub(super) fn mark(direction: Direction) -> &'static str {
    match direction {
        Direction::Gains => "+",
        Direction::Mixed => "±",
        Direction::Loses => "-",
        Direction::AsksOthers => "~",
    }
}

/// What was edited beside groups: guardrails, conflicts, roles; one sentence each.
pub(super) fn around(diff: &Diff) -> Vec<String> {
    let mut lines = Vec::new();
    for (what, ids) in [("new", &diff.guardrails.added), ("gone", &diff.guardrails.removed), ("edited", &diff.guardrails.changed)] {
        lines.extend(ids.iter().map(|id| format!("guardrail {id} is {what}")));
    }
    lines.extend(diff.conflicts_removed.iter().map(|pair| format!("{pair} may be held together now")));
    lines.extend(diff.roles.iter().map(|role| format!("role {role}")));
    lines
}

/// A conflict that appears: "a and b may not be held together: reason; 2 people hold both".
pub(super) fn conflict(diff: &Diff, conflict: &super::NewConflict, most: usize, shown: impl Fn(&str) -> String) -> String {
    let [a, b] = &conflict.groups;
    let stays = conflict.keep.as_ref().map_or_else(|| "the younger grant ends".to_owned(), |k| format!("{k} stays, the other ends"));
    let holders = match conflict.holders.len() {
        0 => "nobody holds both".to_owned(),
        n => format!("{n} hold both ({}): {stays}", names(diff, &conflict.holders, most, &shown)),
    };
    format!("{a} and {b} may no longer be held together; {holders}. {}", shown(&conflict.reason))
}

/// The whole diff.
pub fn text(diff: &Diff) -> String {
    let plain = |name: &str| name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let mut lines = vec![headline(diff)];
    for group in &diff.groups {
        lines.push(String::new());
        let head = fate(group).map(|f| format!(" ({f})")).unwrap_or_default();
        lines.push(format!("{}  {}{head}", group.id, plain(&group.title)));
        for m in &group.moves {
            lines.push(format!("  {} {:>4}  {}", mark(m.direction), m.people.len(), movement(m)));
            lines.push(format!("          {}", names(diff, &m.people, NAMES, plain)));
        }
        let sometimes = [(&group.at_times, "only at another hour or weekday"), (&group.with_holdings, "only with other groups in hand")];
        for (people, when) in sometimes.into_iter().filter(|(people, _)| !people.is_empty()) {
            lines.push(format!("  ? {:>4}  sometimes: {when}", people.len()));
            lines.push(format!("          {}", names(diff, people, NAMES, plain)));
        }
        for label in &group.relabelled {
            lines.push(format!("    relabelled: {}{}", plain(label), if group.read_by_guardrails { " (guardrails read it)" } else { "" }));
        }
        lines.extend(group.edits.iter().map(|e| format!("    {}", plain(e))));
    }
    let mut section = |title: &str, items: Vec<String>| {
        if !items.is_empty() {
            lines.push(String::new());
            lines.push(title.to_owned());
            let more = items.len().saturating_sub(ITEMS);
            lines.extend(items.into_iter().take(ITEMS).map(|i| format!("  {i}")));
            if more > 0 {
                lines.push(format!("  and {more} more; all are in the JSON"));
            }
        }
    };
    let grants = diff.grants.iter().map(|g| format!("{}, {}: {}; {}", plain(&g.name), g.group, fate_of_grant(g.fate), plain(&g.reason)));
    section("Grants held now", grants.collect());
    let requests = diff.requests.iter().map(|r| format!("{}, {}: {}; {}", plain(&r.name), r.group, fate_of_request(r.fate), plain(&r.reason)));
    section("Requests in flight", requests.collect());
    section("Conflicts that appear", diff.conflicts_added.iter().map(|c| conflict(diff, c, NAMES, plain)).collect());
    section("Stages with too few people", diff.empty_stages.iter().map(empty_stage).collect());
    section("Beside the groups", around(diff));
    let mut notes = diff.notes.clone();
    if diff.standing_by_neither > 0 {
        notes.push(format!("{} live grants stand by neither set, so they are not this edit's doing.", diff.standing_by_neither));
    }
    section("To know", notes);
    lines.push(String::new());
    lines.push(footer(diff));
    lines.join("\n")
}

/// "warehouse-analysts, \"rule\", stage 1: 0 of 1 needed (team:x)".
pub(super) fn empty_stage(stage: &super::EmptyStage) -> String {
    format!("{}, \"{}\", stage {}: {} eligible, {} needed ({})", stage.group, stage.rule, stage.stage, stage.eligible, stage.need, stage.from)
}

/// What was compared.
pub(super) fn footer(diff: &Diff) -> String {
    let at = diff.at.to_string();
    let minute = at.get(..16).unwrap_or(&at).replace('T', " ");
    format!("{} to {}: everyone ({} people) against {} groups, exact, as of {minute} UTC, with a justification given.", diff.before.short(), diff.after.short(), diff.people.len(), diff.group_count)
}
