//! What people are told about access that does not stand any more: that it ends, when, why, and what they can do.

use super::words::{self, When, when};
use crate::{
    auth::{Caller, visibility::owns},
    domain::{
        event::Personal,
        grant::Grant,
        id::GroupId,
        standing::{Audience, Cause, Fate},
        time::Time,
    },
    ledger::{Snapshot, decide::reconsider::told},
    store::read::{GrantFilter, Page},
    web::{AppState, problem::Problem},
};

/// For how long home tells of access that ended at once.
const NEWS: u32 = 14;

/// How a grant stands, in words.
pub struct Standing {
    /// Kind of the chip: `no` ends, `wait` is listed.
    pub kind: &'static str,
    /// The chip's word.
    pub word: &'static str,
    /// When it ends.
    pub ends: When,
    /// Why, a sentence.
    pub why: String,
    /// What the holder can do, a sentence.
    pub next: String,
    /// Whether asking again may help.
    pub ask: bool,
}

/// How a grant stands; none when it stands.
pub fn of(snapshot: &Snapshot, grant: &Grant, now: Time) -> Option<Standing> {
    let standing = grant.standing.as_ref()?;
    let owner = snapshot.policy.set().group(grant.group.as_str()).map_or_else(|| "an admin".to_owned(), |g| words::list(snapshot, &g.owner, false));
    let next = match (standing.fate, &standing.cause) {
        (Fate::Flagged, _) => format!("It goes on for now; {owner} decides."),
        (_, Cause::Conflict { with }) => format!("Give {} back to keep this, or talk to {owner}.", words::group(snapshot, with.as_str())),
        (_, Cause::GroupGone) => "Look in the catalogue for what has replaced it, or talk to an admin.".to_owned(),
        _ => format!("Ask again, if another rule may give it, or talk to {owner}."),
    };
    Some(Standing {
        kind: if standing.fate == Fate::Ending { "no" } else { "wait" },
        // What is held without asking has no end while its owner decides.
        word: match (standing.fate, grant.until()) {
            (Fate::Ending, _) => "Ends",
            (Fate::Flagged, Some(_)) => "Owner decides, ends",
            (Fate::Flagged, None) => "Owner decides, listed",
        },
        ends: when(grant.until().unwrap_or(standing.since), now),
        why: format!("{}.", words::capital(&told(&standing.cause, snapshot))),
        next,
        ask: standing.fate == Fate::Ending && !matches!(standing.cause, Cause::GroupGone | Cause::Conflict { .. }),
    })
}

/// Something that changes, or has changed, for the caller.
pub struct News {
    /// The group.
    pub group: String,
    /// Its title.
    pub title: String,
    /// The chip.
    pub kind: &'static str,
    /// Its word.
    pub word: &'static str,
    /// When.
    pub at: When,
    /// Why.
    pub why: String,
    /// What to do.
    pub next: String,
    /// Whether asking again may help.
    pub ask: bool,
}

/// A group that the caller answers for with members that do not stand.
pub struct Answered {
    /// The group.
    pub group: String,
    /// Its title.
    pub title: String,
    /// How many end and how many wait for a decision, in words.
    pub told: String,
}

/// What changes for the caller: grants that end or are listed, and what ended at once lately.
pub async fn news(state: &AppState, caller: &Caller, mine: &[Grant]) -> Result<Vec<News>, Problem> {
    let (now, snapshot) = (state.ledger.now(), &caller.snapshot);
    let mut found: Vec<News> = mine
        .iter()
        .filter_map(|grant| {
            let Standing { kind, word, ends, why, next, ask } = of(snapshot, grant, now)?;
            Some(News { group: grant.group.to_string(), title: words::group(snapshot, grant.group.as_str()), kind, word, at: ends, why, next, ask })
        })
        .collect();
    let since = crate::domain::duration::Duration::days(NEWS).map_or(now, |d| now.minus(d));
    let notices = state.reader.notices(caller.id().clone(), Default::default(), since, 50).await?;
    let ended = notices.iter().filter(|n| n.kind == "grant.revoked" && n.audience == Audience::Holder && !mine.iter().any(|g| g.group == n.group));
    for notice in ended.take(5) {
        let event = state.reader.audit_event(notice.seq).await?;
        let reason = event.and_then(|e| e.personal).and_then(|t| serde_json::from_str::<Personal>(&t).ok()).and_then(|p| p.reason);
        found.push(News {
            group: notice.group.to_string(),
            title: words::group(snapshot, notice.group.as_str()),
            kind: "no",
            word: "Ended",
            at: when(notice.at, now),
            why: reason.map_or_else(String::new, |r| format!("{}.", words::capital(&r))),
            next: "Talk to its owners if you need it still.".to_owned(),
            ask: false,
        });
    }
    Ok(found)
}

/// Groups that the caller answers for with members that do not stand.
pub async fn answered(state: &AppState, caller: &Caller) -> Result<Vec<Answered>, Problem> {
    let snapshot = &caller.snapshot;
    let owned: std::collections::BTreeSet<GroupId> = snapshot.policy.set().groups().keys().filter(|g| owns(caller, g)).cloned().collect();
    if owned.is_empty() {
        return Ok(Vec::new());
    }
    let filter = GrantFilter { groups: Some(owned), not_standing: true, ..GrantFilter::default() };
    let grants = state.reader.grants(filter, Page { before: None, limit: 1000 }).await?;
    let mut counts: std::collections::BTreeMap<&GroupId, (usize, usize)> = std::collections::BTreeMap::new();
    for grant in &grants.items {
        let counted = counts.entry(&grant.group).or_default();
        match grant.standing.as_ref().map(|s| s.fate) {
            Some(Fate::Flagged) => counted.1 += 1,
            _ => counted.0 += 1,
        }
    }
    let members = |n: usize, verb: &str, verbs: &str| if n == 1 { format!("1 member {verb}") } else { format!("{n} members {verbs}") };
    let told = |(end, wait): (usize, usize)| {
        let parts = [(end > 0).then(|| members(end, "ends", "end")), (wait > 0).then(|| members(wait, "waits for your decision", "wait for your decision"))];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    Ok(counts.into_iter().map(|(group, n)| Answered { group: group.to_string(), title: words::group(snapshot, group.as_str()), told: told(n) }).collect())
}
