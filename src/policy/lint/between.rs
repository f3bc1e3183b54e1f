//! Lints about what groups say of each other.

use std::collections::{BTreeMap, BTreeSet};

use super::{Draft, Ground, circles::{self, Graph}};
use crate::{
    domain::{
        group::{Entitlement, Group, Sensitivity, Then, Who},
        id::GroupId,
    },
    policy::group_file::Use,
};

/// The most links in a chain of `who = ["group:..."]`.
const MOST_LINKS: usize = 8;
/// Groups of a chain that are shown.
const SHOWN: usize = 10;

pub(super) fn lint(drafts: &mut [Draft<'_>], ground: &Ground<'_>) {
    approvers(drafts);
    nesting(drafts, ground);
    governing(drafts);
    entitlements(drafts);
    titles(drafts);
    formerly(drafts, ground);
}

/// How people join a group without anybody's approval, if they can: by a `grant` or `always` rule, or in an emergency, of a
/// group that is open itself or asks for no other. A rule for holders of a group that takes approval is closed.
fn open_ways(drafts: &[Draft<'_>]) -> BTreeMap<GroupId, String> {
    let mut open: BTreeMap<GroupId, String> = BTreeMap::new();
    loop {
        let before = open.len();
        for draft in drafts {
            let anybody = |who: &[Who]| who.iter().any(|w| !matches!(w, Who::Group(g) if !open.contains_key(g)));
            let rule = draft.group.rules.iter().find(|r| r.then != Then::Approve && anybody(&r.who));
            let way = match (rule, &draft.group.break_glass) {
                (Some(rule), _) => Some(format!("its rule \"{}\" asks nobody", rule.name)),
                (None, Some(glass)) if anybody(&glass.who) => Some("its [break_glass] asks nobody".to_owned()),
                _ => None,
            };
            if let Some(way) = way {
                open.entry(draft.group.id.clone()).or_insert(way);
            }
        }
        if open.len() == before {
            return open;
        }
    }
}

/// Approvers whom people can join by themselves (semantics.md, 13).
fn approvers(drafts: &mut [Draft<'_>]) {
    let open = open_ways(drafts);
    for Draft { reader, places, .. } in drafts {
        for (who, usage, at) in &places.words {
            let (Who::Group(group), Use::Approver | Use::Reviewer) = (who, usage) else { continue };
            if let Some(way) = open.get(group) {
                let help = "they would vote themselves in; ask a group that takes an approval to join, or let it stand with a reason: [[allow]] code = \"BP060\", reason = \"...\"";
                reader.tell(at.clone(), "BP060", format!("people can join the approvers `{group}` without anybody's approval: {way}"), Some(help.to_owned()));
            }
        }
    }
}

fn graph(drafts: &[Draft<'_>], uses: &[Use]) -> Graph {
    let named = |d: &Draft<'_>| d.places.words.iter().filter(|(_, usage, _)| uses.contains(usage)).filter_map(|(who, ..)| if let Who::Group(g) = who { Some(g.clone()) } else { None }).collect();
    drafts.iter().map(|d| (d.group.id.clone(), named(d))).collect()
}

/// Tells a problem at the word by which the first group of a chain names the second.
fn tell(drafts: &mut [Draft<'_>], uses: &[Use], (from, to): (&GroupId, &GroupId), id: &'static str, message: String, help: Option<String>) {
    let Some(draft) = drafts.iter_mut().find(|d| d.group.id == *from) else { return };
    let at = draft.places.words.iter().find(|(who, usage, _)| uses.contains(usage) && matches!(who, Who::Group(g) if g == to)).map(|(.., at)| at.clone());
    draft.reader.tell(at.unwrap_or(0..0), id, message, help);
}

fn shown(chain: &[GroupId]) -> String {
    let some: Vec<String> = chain.iter().take(SHOWN).map(|g| format!("`{g}`")).collect();
    match chain.len().saturating_sub(SHOWN) {
        0 => some.join(" -> "),
        more => format!("{} and {more} more", some.join(" -> ")),
    }
}

/// `who = ["group:..."]` that leads back to itself, or further than anybody can follow.
fn nesting(drafts: &mut [Draft<'_>], ground: &Ground<'_>) {
    const USES: &[Use] = &[Use::Who];
    let graph = graph(drafts, USES);
    for circle in circles::circles(&graph) {
        let (Some(first), Some(second)) = (circle.first(), circle.get(1).or(circle.first())) else { continue };
        let mut whole = circle.clone();
        whole.push(first.clone());
        let message = match circle.len() {
            1 => format!("whoever asks for `{first}` must hold `{first}` already"),
            _ => format!("`who` leads in a circle: {}", shown(&whole)),
        };
        tell(drafts, USES, (first, second), "BP068", message, None);
    }
    for chain in circles::too_deep(&graph, MOST_LINKS) {
        let (Some(first), Some(second)) = (chain.first(), chain.get(1)) else { continue };
        if ground.ids.contains(first) {
            tell(drafts, USES, (first, second), "BP069", format!("`who` leads through more than {MOST_LINKS} groups: {}", shown(&chain)), None);
        }
    }
}

/// Groups whose members decide, directly or through each other, who becomes a member.
fn governing(drafts: &mut [Draft<'_>]) {
    const USES: &[Use] = &[Use::Approver, Use::Reviewer];
    for circle in circles::circles(&graph(drafts, USES)) {
        let (Some(first), Some(second)) = (circle.first(), circle.get(1).or(circle.first())) else { continue };
        let mut whole = circle.clone();
        whole.push(first.clone());
        let message = match circle.len() {
            1 => "this group governs itself: its members decide who becomes a member".to_owned(),
            _ => format!("these groups govern each other, each approves the next: {}", shown(&whole)),
        };
        tell(drafts, USES, (first, second), "BP061", message, None);
    }
}

/// One entitlement by groups of different sensitivity: told at each of the lower ones.
fn entitlements(drafts: &mut [Draft<'_>]) {
    let mut highest: BTreeMap<Entitlement, (Sensitivity, GroupId)> = BTreeMap::new();
    for Group { id, sensitivity, entitlements, .. } in drafts.iter().map(|d| &d.group) {
        for entitlement in entitlements {
            let known = highest.entry(entitlement.clone()).or_insert_with(|| (*sensitivity, id.clone()));
            if known.0 < *sensitivity {
                *known = (*sensitivity, id.clone());
            }
        }
    }
    for Draft { reader, group, places, .. } in drafts {
        for (entitlement, at) in group.entitlements.iter().zip(&places.entitlements) {
            if let Some((sensitivity, other)) = highest.get(entitlement).filter(|(highest, _)| *highest > group.sensitivity) {
                let message = format!("`{}` of `{}` is also given by `{other}`, which is {}; this group is {}", entitlement.name, entitlement.connector, sensitivity.as_str(), group.sensitivity.as_str());
                reader.tell(at.clone(), "BP067", message, None);
            }
        }
    }
}

fn titles(drafts: &mut [Draft<'_>]) {
    let mut first: BTreeMap<String, GroupId> = BTreeMap::new();
    for Draft { reader, group, places, .. } in drafts {
        let title = group.title.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        match first.get(&title) {
            Some(other) => reader.tell(places.title.clone(), "BP017", format!("the group `{other}` has the same title"), None),
            None => drop(first.insert(title, group.id.clone())),
        }
    }
}

fn formerly(drafts: &mut [Draft<'_>], ground: &Ground<'_>) {
    let mut claimed: BTreeMap<GroupId, GroupId> = BTreeMap::new();
    for Draft { reader, group, places, .. } in drafts {
        let mut own = BTreeSet::new();
        for (old, at) in &places.formerly {
            if *old == group.id {
                reader.tell(at.clone(), "BP079", format!("`{old}` is the group's own id, which it still has"), None);
            } else if ground.ids.contains(old) {
                reader.tell(at.clone(), "BP079", format!("the group `{old}` still exists"), None);
            }
            if let (Some(other), true) = (claimed.get(old), own.insert(old)) {
                reader.tell(at.clone(), "BP080", format!("`{other}` says as well that it was `{old}`"), None);
            }
            claimed.entry(old.clone()).or_insert_with(|| group.id.clone());
        }
    }
}
