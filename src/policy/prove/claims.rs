//! `proofs.toml`: the claims of an organisation.

use super::super::{PolicySet, cedar, reader::{Reader, nearest}};
use crate::domain::{id::GroupId, problem::Problem};

/// Something that must never be allowed.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Its name, for people.
    pub name: String,
    /// The group whose own rules count as well; without it, whatever any group file says.
    pub group: Option<GroupId>,
    /// The Cedar expression that nothing allowed may satisfy.
    pub text: String,
    /// Line in the file, from 1.
    pub line: u32,
    pub(super) condition: cedar::Condition,
}

/// Reads `proofs.toml`; answers the claims that could be read and every problem.
pub fn read(text: &str, set: &PolicySet) -> (Vec<Claim>, Vec<Problem>) {
    let mut reader = Reader::new("proofs.toml", text);
    let (mut claims, mut names) = (Vec::new(), std::collections::BTreeSet::new());
    if let Some(root) = reader.parse() {
        reader.known_keys(root.get_ref(), &["claim"]);
        for (entry, at) in reader.tables(root.get_ref(), "claim") {
            reader.known_keys(entry, &["name", "group", "never"]);
            let name = reader.required(entry, "name", at.clone(), "what is claimed, in words");
            let never = reader.required(entry, "never", at.clone(), "a Cedar expression that nothing allowed may satisfy");
            let group = reader.parsed::<GroupId>(entry, "group");
            let group_unread = group.is_none() && reader.get(entry, "group").is_some();
            if let Some((group, at)) = &group
                && set.group(group.as_str()).is_none()
            {
                let near = set.nearest_group(group.as_str()).map(|g| format!("did you mean `{g}`?"));
                reader.tell(at.clone(), "BP070", format!("there is no group `{group}`"), near);
                continue;
            }
            let (Some((name, name_at)), Some((never, never_at))) = (name, never) else { continue };
            if !names.insert(name.clone()) {
                reader.tell(name_at, "BP180", format!("two claims are named \"{name}\""), Some("give each its own name".to_owned()));
            }
            let Some(validator) = cedar::validator(&set.attributes) else { continue };
            let line = reader.line_of(at.start);
            if let Some(condition) = cedar::condition(&mut reader, &never, &never_at, &validator).filter(|_| !group_unread) {
                claims.push(Claim { name, group: group.map(|(g, _)| g), text: never, line, condition });
            }
        }
        if claims.is_empty() && reader.problems.is_empty() {
            reader.tell(0..0, "BP181", "there is no claim", Some("write [[claim]] with `name` and `never`".to_owned()));
        }
    }
    (claims, reader.problems)
}

/// A claim given by hand.
///
/// # Errors
/// What is wrong with it.
pub fn given(text: &str, group: Option<&GroupId>, set: &PolicySet) -> Result<Claim, Vec<Problem>> {
    let mut reader = Reader::new("--claim", text);
    if let Some(group) = group.filter(|g| set.group(g.as_str()).is_none()) {
        let near = nearest(group.as_str(), set.groups.keys().map(GroupId::as_str)).map(|n| format!("did you mean `{n}`?"));
        reader.tell(0..0, "BP070", format!("there is no group `{group}`"), near);
    }
    let condition = cedar::validator(&set.attributes).and_then(|validator| cedar::condition(&mut reader, text, &(0..text.len()), &validator));
    match condition {
        Some(condition) if reader.problems.is_empty() => Ok(Claim { name: text.to_owned(), group: group.cloned(), text: text.to_owned(), line: 1, condition }),
        _ => Err(reader.problems),
    }
}
