//! `policy explain`: the whole reasoning about one request.

use std::{collections::BTreeSet, sync::Arc};

use clap::Args;

use super::{Context, Done, Outcome, people::{People, PeopleArguments}, policy::usable};
use crate::{
    clock,
    domain::{
        decision::{Effect, Inquiry},
        duration::Duration,
        id::{GroupId, PersonId},
    },
    policy::{Engine, explain},
};

/// Who would ask for what.
#[derive(Args)]
pub struct Explain {
    /// Who.
    #[arg(long)]
    person: PersonId,
    /// Which group.
    #[arg(long)]
    group: GroupId,
    /// How long, like 8h; the group's default when left out.
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<Duration>,
    /// Groups they would hold.
    #[arg(long, value_delimiter = ',')]
    holds: Vec<GroupId>,
    /// Ask without saying why.
    #[arg(long)]
    without_justification: bool,
    #[command(flatten)]
    pub(super) people: PeopleArguments,
}

pub(super) fn run(context: &Context, asked: &Explain, people: &People) -> Outcome {
    let directory = &people.directory;
    let set = usable(context, None, directory)?;
    let person = &asked.person;
    let subject = directory.subject(person.as_str()).ok_or_else(|| {
        let near = crate::domain::nearest::nearest(person.as_str(), directory.people().keys().map(PersonId::as_str));
        format!("there is no person `{person}`{} ({})", near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default(), people.told())
    })?;
    for id in std::iter::once(&asked.group).chain(&asked.holds) {
        if set.group(id.as_str()).is_none() {
            let near = set.nearest_group(id.as_str()).map(|g| format!("; did you mean `{g}`?")).unwrap_or_default();
            return Err(format!("there is no group `{id}`{near}"));
        }
    }
    let engine = Engine::new(Arc::clone(&set), directory.subjects()).with_teams(directory.teams().values());
    let group = &asked.group;
    let holds: BTreeSet<GroupId> = asked.holds.iter().filter(|g| *g != group).cloned().collect();
    let hour = Duration::hours(1).unwrap_or(Duration::MAX);
    let now = clock::system()();
    let inquiry = |duration| Inquiry { subject, group, duration, has_justification: !asked.without_justification, now, holds: &holds, break_glass: false };
    let duration = asked.duration.or_else(|| engine.default_duration(&inquiry(hour))).unwrap_or(hour);
    let decision = engine.explain(&inquiry(duration));
    context.print(&decision, || {
        let outcome = match decision.effect {
            Effect::Grant => "granted at once",
            Effect::Approve => "put before people",
            Effect::Deny => "denied",
        };
        let title = engine.names().group(group.as_str());
        let mut text = vec![format!("{} asking for {title} for {}: {outcome}", subject.person.name, duration.in_words()), String::new()];
        text.extend(explain::lines(&decision).into_iter().map(|line| format!("  {line}")));
        text.push(String::new());
        text.push("By policy alone. What somebody holds is said with --holds; blocks, the freeze switch and missing approvers are known to the service.".to_owned());
        text.join("\n")
    });
    Ok(if decision.effect == Effect::Deny { Done::No } else { Done::Yes })
}
