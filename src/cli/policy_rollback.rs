//! `policy rollback`: which commit brings an earlier policy back, from the loads in the log. Policy moves forward only, so a
//! rollback is a new commit with the earlier files; this prints how to make it and changes nothing.

use super::{Context, Done, Outcome};
use crate::{
    domain::{commit::Commit, event::{Change, Personal}, id::PolicyRevision, time::Time},
    git::Remote,
    ledger::encode::Body,
    store::{db::Location, read::{AuditFilter, Page, Reader}},
};

/// How many loads are looked through.
const MOST: usize = 1000;

struct Loaded {
    at: Time,
    revision: PolicyRevision,
    source: String,
    commit: Option<Commit>,
}

async fn loads(context: &Context) -> Result<Vec<Loaded>, String> {
    let location = Location::parse(context.settings.database.url.reveal())?;
    let reader = Reader::new(location, 1);
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let filter = AuditFilter { kind: Some("policy.loaded".to_owned()), ..AuditFilter::default() };
        let page = reader.audit(filter, Page { before, limit: 200 }).await.map_err(|e| e.to_string())?;
        for row in &page.items {
            let body: Body = serde_json::from_str(&row.body).map_err(|e| format!("event {} cannot be read: {e}", row.seq))?;
            if let Change::PolicyLoaded { revision, source, commit, .. } = body.change {
                let personal = row.personal.as_deref().and_then(|text| serde_json::from_str::<Personal>(text).ok());
                let commit = Commit::recorded(commit, personal.and_then(|p| p.commit).map(|c| *c));
                found.push(Loaded { at: body.at, revision, source, commit });
            }
        }
        before = page.next;
        if before.is_none() || found.len() >= MOST {
            return Ok(found);
        }
    }
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@".contains(c)) && !word.starts_with('-');
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

pub(super) async fn run(context: &Context, wanted: Option<&str>) -> Outcome {
    let loads = loads(context).await?;
    let Some(now) = loads.first() else { return Err("no policy was ever in force here".to_owned()) };
    let is = |load: &&Loaded, word: &str| load.revision.as_str().starts_with(word) || load.commit.as_ref().is_some_and(|c| c.id.starts_with(word));
    let target = match wanted {
        None => loads.iter().find(|l| l.revision != now.revision).ok_or("the policy in force is the first one: there is nothing to go back to")?,
        Some(word) if word.len() < 4 => return Err(format!("`{word}` is too short; give at least four digits of a revision or a commit")),
        Some(word) => loads.iter().find(|l| is(l, word)).ok_or_else(|| {
            let known: Vec<String> = loads.iter().take(5).map(|l| format!("{}{}", l.revision.short(), l.commit.as_ref().map(|c| format!(" (commit {})", c.short())).unwrap_or_default())).collect();
            format!("no policy `{word}` was ever in force here; the newest were {}", known.join(", "))
        })?,
    };
    if target.revision == now.revision {
        return Err(format!("revision {} is the one in force", now.revision.short()));
    }
    let policy = &context.settings.policy;
    let is_git = Remote::parse(&policy.source)?.is_some();
    let Some(commit) = target.commit.as_ref().filter(|_| is_git) else {
        return Err(format!(
            "revision {} was read from {}, without a commit; bring its files back from your own version control",
            target.revision.short(),
            target.source
        ));
    };
    let folder = policy.path.trim_matches('/');
    let path = if folder.is_empty() { ":/".to_owned() } else { format!(":/{folder}") };
    let branch = quoted(&policy.branch);
    let commands = vec![
        format!("git fetch origin {branch}"),
        format!("git switch --create policy-rollback FETCH_HEAD"),
        format!("git restore --source={} --staged --worktree -- {}", commit.id, quoted(&path)),
        format!("git commit -m {}", quoted(&format!("Roll policy back to {}: {}", commit.short(), commit.subject))),
        format!("git push origin policy-rollback:{branch}"),
    ];
    let value = serde_json::json!({
        "from": { "revision": now.revision, "commit": now.commit }, "to": { "revision": target.revision, "commit": target.commit, "in_force_from": target.at },
        "commands": commands,
    });
    context.print(&value, || {
        let mut text = vec![
            format!("in force:  {}{}", now.revision.short(), now.commit.as_ref().map(|c| format!(", commit {} by {}: {}", c.short(), c.author, c.subject)).unwrap_or_default()),
            format!("back to:   {}, commit {} by {}: {} (in force from {})", target.revision.short(), commit.short(), commit.author, commit.subject, target.at),
            "in a clone of the repository, with nothing uncommitted; this only prints, nothing was run:".to_owned(),
        ];
        text.extend(commands.iter().map(|c| format!("  {c}")));
        text.push("open a pull request instead of the last line where the branch is protected; `bandpass policy diff` shows who gains and loses".to_owned());
        text.join("\n")
    });
    Ok(Done::Yes)
}
