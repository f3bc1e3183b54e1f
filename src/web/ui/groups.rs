//! The catalogue and one group.

use actix_web::{HttpResponse, web::{Data, Path, Query}};
use askama::Template;
use serde::Deserialize;

use super::{Frame, findings::{self, Findings}, home::{GroupCard, card, cards}, page, standing::{self, Standing}, words::{self, Ends, Voice, When, when}};
use crate::{
    auth::visibility::{may_see_members, owns},
    store::read::{AuditFilter, GrantFilter, Page},
    web::{AppState, Known, problem::Problem},
};

#[derive(Template)]
#[template(path = "catalogue.html", config = "src/web/ui/askama.toml")]
struct CataloguePage {
    frame: Frame,
    groups: Vec<GroupCard>,
    query: CatalogueQuery,
    tags: Vec<String>,
    total: usize,
}

/// Which groups to show.
#[derive(Deserialize, Default, Clone)]
pub struct CatalogueQuery {
    #[serde(default)]
    tag: String,
    #[serde(default)]
    sensitivity: String,
    #[serde(default)]
    outcome: String,
}

/// The page.
pub async fn catalogue(state: Data<AppState>, caller: Known, query: Query<CatalogueQuery>) -> Result<HttpResponse, Problem> {
    let set = caller.snapshot.policy.set();
    let tags: std::collections::BTreeSet<String> = set.groups().values().flat_map(|g| g.tags.iter().cloned()).collect();
    let fits = |g: &&crate::domain::group::Group| {
        (query.tag.is_empty() || g.tags.contains(&query.tag)) && (query.sensitivity.is_empty() || g.sensitivity.as_str() == query.sensitivity)
    };
    let mut chosen: Vec<_> = set.groups().values().filter(fits).collect();
    chosen.sort_by(|a, b| a.title.cmp(&b.title));
    let mut groups = cards(&state, &caller, chosen).await?;
    match query.outcome.as_str() {
        "held" => groups.retain(|g| g.held.is_some()),
        kind @ ("yes" | "wait" | "no") => groups.retain(|g| g.kind == kind),
        _ => {}
    }
    let total = set.groups().len();
    groups.truncate(300);
    let frame = Frame::new(&state, &caller, "Catalogue", "groups").await?;
    page(&CataloguePage { frame, groups, query: query.into_inner(), tags: tags.into_iter().collect(), total })
}

struct RuleView {
    name: String,
    told: String,
    when: String,
    /// `y` decides, `n` does not fit, `no` cannot be evaluated, `u` was not needed.
    mark: &'static str,
    why: String,
    conditions: Vec<findings::ConditionView>,
}

struct Member {
    id: String,
    name: String,
    ends: Ends,
    standing: Option<Standing>,
}

struct Happened {
    word: &'static str,
    kind: &'static str,
    who: String,
    at: When,
}

#[derive(Template)]
#[template(path = "group.html", config = "src/web/ui/askama.toml")]
struct GroupPage {
    frame: Frame,
    card: GroupCard,
    owner: String,
    tags: Vec<String>,
    rules: Vec<RuleView>,
    guardrails: Vec<String>,
    evaluated: u32,
    changes: Vec<String>,
    quicker: bool,
    asked_for: String,
    break_glass: String,
    review: String,
    on_change: String,
    members: Option<Vec<Member>>,
    mine: Option<Standing>,
    count: u64,
    history: Vec<Happened>,
    file: String,
    revision: String,
    since: When,
    sees_history: bool,
}

/// One group.
pub async fn group(state: Data<AppState>, caller: Known, id: Path<String>) -> Result<HttpResponse, Problem> {
    let snapshot = &caller.snapshot;
    let Some(group) = snapshot.policy.set().group(&id) else { return super::departed::group(&state, &caller, &id).await };
    let now = state.ledger.now();
    let held = state.reader.live_grants_of(caller.id().clone()).await?;
    let preview = state.ledger.preview(caller.id(), caller.id(), &group.id, None, true).await?.ok();
    let explained = preview.as_ref().and_then(|p| p.decision.explanation.as_ref());
    let rules = group
        .rules
        .iter()
        .map(|rule| {
            let found = explained.and_then(|e| e.rules.iter().find(|f| f.rule == rule.name)).map(findings::rule);
            let (mark, why, conditions) = found.map_or_else(|| ("u", String::new(), Vec::new()), |f| (f.mark, format!("{}.", f.told), f.conditions));
            RuleView { name: rule.name.clone(), told: words::rule(snapshot, rule), when: rule.when.clone().unwrap_or_default(), mark, why, conditions }
        })
        .collect();
    let Findings { changes, quicker, .. } = preview.as_ref().map(|p| findings::findings(snapshot, &p.decision)).unwrap_or_default();
    let guardrails = preview.as_ref().map(|p| p.decision.guardrails.iter().map(|g| g.reason.clone()).collect()).unwrap_or_default();
    let members = if may_see_members(&caller, &group.id) {
        let filter = GrantFilter { groups: Some([group.id.clone()].into()), live: true, ..GrantFilter::default() };
        let found = state.reader.grants(filter, Page { before: None, limit: 200 }).await?.items;
        Some(found.iter().map(|g| Member { id: g.person.to_string(), name: words::name(snapshot, &g.person), ends: words::ends(snapshot, g, now, Voice::They), standing: standing::of(snapshot, g, now) }).collect())
    } else {
        None
    };
    let sees_history = caller.auditor || owns(&caller, &group.id);
    let history = if sees_history {
        let filter = AuditFilter { group: Some(group.id.clone()), ..AuditFilter::default() };
        let rows = state.reader.audit(filter, Page { before: None, limit: 12 }).await?.items;
        rows.iter()
            .map(|row| {
                let (word, kind) = words::event_kind(&row.kind);
                let who = row.index.person.as_ref().map(|p| words::name(snapshot, p)).unwrap_or_default();
                Happened { word, kind, who, at: when(row.at, now) }
            })
            .collect()
    } else {
        Vec::new()
    };
    let counts = state.reader.member_counts().await?;
    let break_glass = group.break_glass.as_ref().map(|b| {
        format!("{} may take it at once for {} in an emergency; {} look at it afterwards.", words::capital(&words::list(snapshot, &b.who, false)), b.max.in_words(), words::list(snapshot, &b.review_by, false))
    });
    let review = group.review.as_ref().map(|r| format!("Members are certified every {} by {}.", r.every.in_words(), words::list(snapshot, &r.by, false)));
    page(&GroupPage {
        frame: Frame::new(&state, &caller, group.title.clone(), "groups").await?,
        card: card(&caller, group, preview.as_ref(), held.iter().find(|g| g.group == group.id), now),
        owner: words::list(snapshot, &group.owner, false),
        tags: group.tags.clone(),
        rules,
        guardrails,
        evaluated: preview.as_ref().map_or(0, |p| p.decision.guardrails_evaluated),
        changes,
        quicker,
        asked_for: preview.as_ref().map(|p| p.duration.in_words()).unwrap_or_default(),
        break_glass: break_glass.unwrap_or_default(),
        review: review.unwrap_or_default(),
        on_change: words::on_change(group),
        members,
        mine: held.iter().find(|g| g.group == group.id).and_then(|g| standing::of(snapshot, g, now)),
        count: counts.get(&group.id).copied().unwrap_or(0),
        history,
        file: group.file.clone(),
        revision: snapshot.policy.set().revision().short().to_owned(),
        since: when(snapshot.policy_since, now),
        sees_history,
    })
}
