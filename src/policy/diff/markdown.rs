//! The diff as a comment on a pull request: one sentence, one table, the rest folded. Never longer than [`MAX`].

use std::fmt::Write as _;

use super::{Diff, Direction, Fate, GroupDiff, text};

/// The most characters of a comment; GitHub takes 65,536.
pub const MAX: usize = 60_000;
/// What is kept free for the end of the comment.
const RESERVED: usize = 1_000;
/// Names shown of one list, rows of the table, items of one section.
const NAMES: usize = 20;
const ROWS: usize = 40;
const ITEMS: usize = 30;
/// The longest text shown of one value.
const LONGEST: usize = 300;

/// Text that Markdown shows as it is: no markup, no mention, no link, one line.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        match c {
            _ if at >= LONGEST => {
                shown.push('…');
                break;
            }
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '&' => shown.push_str("&amp;"),
            // A mention, a reference to an issue, a link: an invisible space keeps the platform from acting on them.
            '@' | '#' | ':' | '!' => {
                shown.push(c);
                if c != ':' || text.contains("://") {
                    shown.push('\u{200b}');
                }
            }
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '|' | '~' | '$' => {
                shown.push('\\');
                shown.push(c);
            }
            c if c.is_control() => shown.push(' '),
            c => shown.push(c),
        }
    }
    shown
}

/// How many people of a group move so, or nothing.
fn count(group: &GroupDiff, direction: Direction) -> String {
    let people: usize = group.moves.iter().filter(|m| m.direction == direction).map(|m| m.people.len()).sum();
    if people == 0 { String::new() } else { people.to_string() }
}

fn row(diff: &Diff, group: &GroupDiff) -> String {
    let grants = diff.grants.iter().filter(|g| g.group == group.id && matches!(g.fate, Fate::EndsAtOnce | Fate::Ends)).count();
    let grants = if grants == 0 { String::new() } else { grants.to_string() };
    let mut notes: Vec<String> = text::fate(group).into_iter().collect();
    notes.extend(group.relabelled.iter().map(|l| escaped(l)));
    let others = count(group, Direction::AsksOthers);
    if !others.is_empty() {
        notes.push(format!("{others} ask other approvers"));
    }
    let sometimes = group.at_times.len() + group.with_holdings.len();
    if sometimes > 0 {
        notes.push(format!("{sometimes} sometimes"));
    }
    let mixed = count(group, Direction::Mixed);
    if !mixed.is_empty() {
        notes.push(format!("{mixed} get more of one and less of another"));
    }
    format!("| `{}` | {} | {} | {grants} | {} |\n", group.id, count(group, Direction::Gains), count(group, Direction::Loses), notes.join("; "))
}

fn details(diff: &Diff, group: &GroupDiff) -> String {
    let mut out = format!("<details><summary><code>{}</code>: {}</summary>\n\n", group.id, escaped(&group.title));
    for m in &group.moves {
        let verb = match m.direction {
            Direction::Gains => "gain",
            Direction::Mixed => "get more of one and less of another",
            Direction::Loses => "lose",
            Direction::AsksOthers => "ask others",
        };
        let _ = writeln!(out, "- **{} {verb}:** {}  \n  {}", m.people.len(), escaped(&text::movement(m)), text::names(diff, &m.people, NAMES, escaped));
    }
    for (people, when) in [(&group.at_times, "only at another hour or weekday"), (&group.with_holdings, "only with other groups in hand")] {
        if !people.is_empty() {
            let _ = writeln!(out, "- **{} sometimes**, {when}: {}", people.len(), text::names(diff, people, NAMES, escaped));
        }
    }
    for label in &group.relabelled {
        let read = if group.read_by_guardrails { ", which guardrails read" } else { "" };
        let _ = writeln!(out, "- relabelled: {}{read}", escaped(label));
    }
    for edit in group.edits.iter().take(ITEMS) {
        let _ = writeln!(out, "- edited: {}", escaped(edit));
    }
    out.push_str("\n</details>\n");
    out
}

fn section(title: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let mut out = format!("<details><summary>{title}: {}</summary>\n\n", items.len());
    for item in items.iter().take(ITEMS) {
        let _ = writeln!(out, "- {item}");
    }
    if items.len() > ITEMS {
        let _ = writeln!(out, "- and {} more", items.len() - ITEMS);
    }
    out.push_str("\n</details>\n");
    out
}

/// The comment. What does not fit is left out last, and the comment says so.
pub fn markdown(diff: &Diff) -> String {
    let mut out = format!("### Who gains and who loses\n\n**{}**\n\n", escaped(&text::headline(diff)));
    if !diff.groups.is_empty() {
        out.push_str("| group | gain | lose | grants end | |\n|---|--:|--:|--:|---|\n");
        for group in diff.groups.iter().take(ROWS) {
            out.push_str(&row(diff, group));
        }
        if diff.groups.len() > ROWS {
            let _ = writeln!(out, "\nand {} more groups", diff.groups.len() - ROWS);
        }
        out.push('\n');
    }
    let grants: Vec<String> =
        diff.grants.iter().map(|g| format!("{}, `{}`: {}; {}", escaped(&g.name), g.group, text::fate_of_grant(g.fate), escaped(&g.reason))).collect();
    let requests: Vec<String> =
        diff.requests.iter().map(|r| format!("{}, `{}`: {}; {}", escaped(&r.name), r.group, text::fate_of_request(r.fate), escaped(&r.reason))).collect();
    let conflicts: Vec<String> = diff.conflicts_added.iter().map(|c| text::conflict(diff, c, NAMES, escaped)).collect();
    let stages: Vec<String> = diff.empty_stages.iter().map(|s| escaped(&text::empty_stage(s))).collect();
    let around: Vec<String> = text::around(diff).iter().map(|l| escaped(l)).collect();
    let mut parts = vec![
        section("Grants held now", &grants),
        section("Conflicts that appear", &conflicts),
        section("Stages with too few people", &stages),
        section("Guardrails, conflicts and roles", &around),
        section("Requests in flight", &requests),
        section("To know", &diff.notes.iter().map(|n| escaped(n)).collect::<Vec<_>>()),
    ];
    parts.extend(diff.groups.iter().map(|g| details(diff, g)));
    let (mut length, mut left_out) = (out.chars().count(), 0);
    for part in parts {
        let more = part.chars().count();
        if length + more > MAX - RESERVED {
            left_out += 1;
            continue;
        }
        length += more;
        out.push_str(&part);
    }
    if left_out > 0 {
        let _ = writeln!(out, "\n{left_out} more details do not fit into a comment; `bandpass policy diff` prints them all.");
    }
    let _ = writeln!(out, "\n<sub>{}</sub>", escaped(&text::footer(diff)));
    out
}
