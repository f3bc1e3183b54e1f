//! `policy explain`: the whole reasoning about one request.

use std::{collections::BTreeSet, sync::Arc};

use super::{Context, Done, Outcome, policy::{people, usable}};
use crate::{
    clock,
    domain::{
        decision::{Effect, Inquiry},
        duration::Duration,
        id::{GroupId, PersonId},
    },
    policy::{Engine, explain},
};

pub(super) fn run(context: &Context, person: &PersonId, group: &GroupId, duration: Option<Duration>, holds: &[GroupId]) -> Outcome {
    let directory = people(context)?;
    let set = usable(context, None, &directory)?;
    let subject = directory.subject(person.as_str()).ok_or_else(|| format!("there is no person `{person}` in `directory.source`"))?;
    for id in std::iter::once(group).chain(holds) {
        if set.group(id.as_str()).is_none() {
            let near = set.nearest_group(id.as_str()).map(|g| format!("; did you mean `{g}`?")).unwrap_or_default();
            return Err(format!("there is no group `{id}`{near}"));
        }
    }
    let engine = Engine::new(Arc::clone(&set), directory.subjects()).with_teams(directory.teams().values());
    let holds: BTreeSet<GroupId> = holds.iter().filter(|g| *g != group).cloned().collect();
    let hour = Duration::hours(1).unwrap_or(Duration::MAX);
    let now = clock::system()();
    let inquiry = |duration| Inquiry { subject, group, duration, has_justification: true, now, holds: &holds, break_glass: false };
    let duration = duration.or_else(|| engine.default_duration(&inquiry(hour))).unwrap_or(hour);
    let decision = engine.explain(&inquiry(duration));
    context.print(&decision, || {
        let outcome = match decision.effect {
            Effect::Grant => "granted at once",
            Effect::Approve => "put before people",
            Effect::Deny => "denied",
        };
        let title = set.group(group.as_str()).map_or_else(|| group.to_string(), |g| g.title.clone());
        let mut text = vec![format!("{} asking for {title} for {}: {outcome}", subject.person.name, duration.in_words())];
        text.extend(explain::lines(&decision).into_iter().map(|line| format!("  {line}")));
        text.push("  read with the policy alone: blocks, the freeze switch and missing approvers are known to the service".to_owned());
        text.join("\n")
    });
    Ok(if decision.effect == Effect::Deny { Done::No } else { Done::Yes })
}
