//! Circles and chains in a graph of groups.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::domain::id::GroupId;

/// Which groups each group names.
pub(super) type Graph = BTreeMap<GroupId, BTreeSet<GroupId>>;

/// Takes away groups that name none of the rest, again and again; answers them in that order, and leaves those that lead
/// into a circle. Linear in groups and names.
fn trim(graph: &Graph) -> (Vec<GroupId>, BTreeSet<GroupId>) {
    let mut named_by: BTreeMap<&GroupId, Vec<&GroupId>> = BTreeMap::new();
    let mut open: BTreeMap<&GroupId, usize> = BTreeMap::new();
    for (id, targets) in graph {
        open.insert(id, targets.iter().filter(|t| graph.contains_key(*t)).count());
        for target in targets {
            named_by.entry(target).or_default().push(id);
        }
    }
    let mut ready: VecDeque<&GroupId> = open.iter().filter(|(_, n)| **n == 0).map(|(id, _)| *id).collect();
    let mut order = Vec::new();
    while let Some(id) = ready.pop_front() {
        order.push(id.clone());
        open.remove(id);
        for by in named_by.get(id).into_iter().flatten() {
            if let Some(left) = open.get_mut(*by) {
                *left -= 1;
                if *left == 0 {
                    ready.push_back(by);
                }
            }
        }
    }
    (order, open.into_keys().cloned().collect())
}

/// The circles: each as its shortest way from its first group back to it, and no group in two of them.
pub(super) fn circles(graph: &Graph) -> Vec<Vec<GroupId>> {
    let (_, mut left) = trim(graph);
    let mut found = Vec::new();
    while let Some(first) = left.pop_first() {
        let Some(way) = way_back(graph, &first) else { continue };
        for id in &way {
            left.remove(id);
        }
        found.push(way);
    }
    found
}

fn way_back(graph: &Graph, from: &GroupId) -> Option<Vec<GroupId>> {
    let mut came: BTreeMap<&GroupId, &GroupId> = BTreeMap::new();
    let mut open: VecDeque<&GroupId> = VecDeque::from([from]);
    while let Some(at) = open.pop_front() {
        for target in graph.get(at).into_iter().flatten() {
            if target == from {
                let mut way = vec![at.clone()];
                let mut back = at;
                while let Some(before) = came.get(back) {
                    way.push((*before).clone());
                    back = before;
                }
                way.reverse();
                return Some(way);
            }
            if !came.contains_key(target) {
                came.insert(target, at);
                open.push_back(target);
            }
        }
    }
    None
}

/// Groups whose longest chain of names has exactly `most + 1` links, each with that chain. Those in circles are left out.
pub(super) fn too_deep(graph: &Graph, most: usize) -> Vec<Vec<GroupId>> {
    let (order, _) = trim(graph);
    let mut next: BTreeMap<&GroupId, (usize, Option<&GroupId>)> = BTreeMap::new();
    let mut found = Vec::new();
    for id in &order {
        let deepest = graph.get(id).into_iter().flatten().filter_map(|t| Some((next.get(t)?.0, t))).max();
        let links = deepest.map_or(0, |(links, _)| links + 1);
        next.insert(id, (links, deepest.map(|(_, t)| t)));
        if links == most + 1 {
            let mut chain = vec![id.clone()];
            let mut at = id;
            while let Some((_, Some(further))) = next.get(at) {
                chain.push((*further).clone());
                at = further;
            }
            found.push(chain);
        }
    }
    found
}
