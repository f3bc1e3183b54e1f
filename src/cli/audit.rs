//! `audit list`, `show`, `verify`, `replay`, `checkpoint`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Context, Done, Outcome};
use crate::{
    audit::{checkpoint::Signer, verify::{self, Tail}},
    domain::{id::{GroupId, PersonId}, time::Time},
    ledger::tree::hex,
    store::{db::Location, dump::Dumper, read::{AuditFilter, AuditRow, Page, Reader}},
};

/// The audit log.
#[derive(Subcommand)]
pub enum AuditCommand {
    /// Events, newest first.
    List {
        /// About or by this person.
        #[arg(long)]
        person: Option<PersonId>,
        /// About this group.
        #[arg(long)]
        group: Option<GroupId>,
        /// Of this kind, like request.granted; `request.` takes all that begin so.
        #[arg(long)]
        kind: Option<String>,
        /// granted, denied, pending, ended, done, failing, refused.
        #[arg(long)]
        outcome: Option<String>,
        /// Not before (RFC 3339).
        #[arg(long)]
        from: Option<Time>,
        /// Before (RFC 3339).
        #[arg(long)]
        to: Option<Time>,
        /// Words in reasons, justifications, rules.
        #[arg(long)]
        text: Option<String>,
        /// Only below this number: the next page.
        #[arg(long)]
        before: Option<i64>,
        /// At most this many, 1 to 1000.
        #[arg(long, default_value = "50")]
        limit: u16,
    },
    /// One event, whole.
    Show {
        /// Its number.
        seq: i64,
    },
    /// Prove the log: numbers, hashes, columns, personal text, tree head. Exit 1 when anything is wrong.
    Verify {
        /// Also rebuild every table from the events and compare.
        #[arg(long)]
        rebuild: bool,
        /// A checkpoint kept elsewhere: finds a cut tail or a rewrite.
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
    },
    /// Make every recorded decision again from its recorded inputs. Exit 1 when any comes out differently.
    Replay {
        /// From this event on.
        #[arg(long, value_name = "SEQ", default_value = "1")]
        from: i64,
        /// Up to this event, itself included.
        #[arg(long, value_name = "SEQ")]
        to: Option<i64>,
    },
    /// Print the signed head of the log; keep it elsewhere.
    Checkpoint,
}

fn signer(context: &Context) -> Result<Signer, String> {
    Signer::open(&context.settings.audit.key_file, &context.settings.audit.origin)
}

fn line(row: &AuditRow) -> String {
    let reason = row.personal.as_deref().and_then(|t| serde_json::from_str::<serde_json::Value>(t).ok()).and_then(|v| v.get("reason")?.as_str().map(str::to_owned));
    let about = [row.index.person.as_ref().map(ToString::to_string), row.index.group.as_ref().map(ToString::to_string)];
    let about: Vec<String> = about.into_iter().flatten().collect();
    let at = row.at.to_string();
    format!("#{:<8} {}  {:<18} {:<8} {:<24} {:<44} {}", row.seq, at.get(..19).unwrap_or(&at), row.kind, row.outcome, row.actor, about.join(" "), reason.unwrap_or_default())
}

fn value(row: &AuditRow) -> serde_json::Value {
    serde_json::json!({
        "seq": row.seq, "at": row.at, "kind": row.kind, "actor": row.actor, "outcome": row.outcome,
        "person": row.index.person, "group": row.index.group, "request": row.index.request, "grant": row.index.grant,
        "rule": row.index.rule, "policy_revision": row.index.policy_revision,
        "personal": row.personal.as_deref().and_then(|t| serde_json::from_str::<serde_json::Value>(t).ok()),
        "body": serde_json::from_str::<serde_json::Value>(&row.body).ok(),
    })
}

pub async fn run(context: &Context, command: AuditCommand) -> Outcome {
    let location = Location::parse(context.settings.database.url.reveal())?;
    let reader = Reader::new(location.clone(), 1);
    let told = |e: crate::store::read::StoreError| e.to_string();
    match command {
        AuditCommand::List { person, group, kind, outcome, from, to, text, before, limit } => {
            let filter = AuditFilter { person, group, kind, outcome, request: None, from, to, text };
            let found = reader.audit(filter, Page { before, limit }).await.map_err(told)?;
            let items: Vec<_> = found.items.iter().map(value).collect();
            context.print(&serde_json::json!({ "items": items, "next": found.next }), || {
                let mut lines: Vec<String> = found.items.iter().map(line).collect();
                lines.push(found.next.map_or_else(|| format!("{} events", found.items.len()), |n| format!("{} events; older ones with --before {n}", found.items.len())));
                lines.join("\n")
            });
            Ok(Done::Yes)
        }
        AuditCommand::Show { seq } => {
            let row = reader.audit_event(seq).await.map_err(told)?.ok_or_else(|| format!("there is no event {seq}"))?;
            let value = value(&row);
            context.print(&value, || serde_json::to_string_pretty(&value).unwrap_or_default());
            Ok(Done::Yes)
        }
        AuditCommand::Checkpoint => {
            let head = reader.head().await.map_err(told)?;
            let signer = signer(context)?;
            let note = signer.sign(u64::try_from(head.seq).unwrap_or(0), head.root);
            context.print(&serde_json::json!({ "checkpoint": note, "verifier_key": signer.verifier_key() }), || note.trim_end().to_owned());
            Ok(Done::Yes)
        }
        AuditCommand::Replay { from, to } => super::audit_replay::run(context, from, to).await,
        AuditCommand::Verify { rebuild, against } => {
            let against = match against {
                None => None,
                Some(file) => {
                    let note = std::fs::read_to_string(&file).map_err(|e| format!("cannot read `{}`: {e}", file.display()))?;
                    Some(signer(context)?.open_note(&note).map_err(|e| e.to_string())?)
                }
            };
            let verified = tokio::task::spawn_blocking(move || verify::verify(&mut Dumper::open(&location)?, against.as_ref(), rebuild));
            let report = verified.await.map_err(|e| e.to_string())?.map_err(told)?;
            let tail = match report.tail {
                Tail::NotProven => "tail not proven: no checkpoint was given".to_owned(),
                Tail::Proven(size) => format!("the first {size} events are those of the checkpoint"),
            };
            let summary = serde_json::json!({
                "sound": report.is_sound(), "events": report.events, "erased": report.erased, "rows": report.rows, "root": hex(&report.root),
                "faults": report.faults, "tail": tail,
            });
            context.print(&summary, || {
                let mut lines = report.faults.clone();
                let word = if report.is_sound() { "sound" } else { "NOT sound" };
                let rows = if rebuild { format!(", {} rows rebuilt", report.rows) } else { String::new() };
                lines.push(format!("{word}: {} events{rows}, {} erased; root {}; {tail}", report.events, report.erased, hex(&report.root)));
                lines.join("\n")
            });
            Ok(if report.is_sound() { Done::Yes } else { Done::No })
        }
    }
}
