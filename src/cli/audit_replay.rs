//! `audit replay`: whether every recorded decision follows from its recorded inputs.

use std::time::Instant;

use super::{Context, Done, Outcome};
use crate::{
    audit::replay::{Difference, Replay, replay},
    store::{db::Location, dump::Dumper},
};

/// A number as people read it: 12,345.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

fn told(difference: &Difference) -> String {
    let request = difference.request.map(|r| format!(", request {r}")).unwrap_or_default();
    let engine = difference.engine.as_ref().map(|e| format!(" (decided by {e}, another version than this)")).unwrap_or_default();
    let what: String = difference.what.iter().map(|what| format!("\n    {what}")).collect();
    format!("#{}{request}{engine}{what}", difference.seq)
}

fn summary(found: &Replay, per_second: u64) -> String {
    let mut text = format!(
        "{} replayed under {}, {} differ; {} erased, not replayable",
        counted(found.decisions, "decision"),
        counted(found.revisions, "policy revision"),
        grouped(found.differ),
        grouped(found.erased)
    );
    if found.before_replay > 0 {
        text.push_str(&format!("; {} recorded before replay", grouped(found.before_replay)));
    }
    text.push_str(&format!("; {} a second", counted(per_second, "decision")));
    text
}

pub async fn run(context: &Context, from: i64, to: Option<i64>) -> Outcome {
    let to = to.unwrap_or(i64::MAX);
    if from > to {
        return Err(format!("--from {from} lies after --to {to}: both are numbers of events, the first and the last"));
    }
    let location = Location::parse(context.settings.database.url.reveal())?;
    let began = Instant::now();
    let replayed = tokio::task::spawn_blocking(move || replay(&mut Dumper::open(&location)?, from, to));
    let found = replayed.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
    let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
    let per_second = found.decisions.saturating_mul(1000) / millis;
    context.print(&serde_json::json!({ "replay": found, "decisions_per_second": per_second }), || {
        let mut lines: Vec<String> = found.differences.iter().map(told).collect();
        lines.push(summary(&found, per_second));
        lines.join("\n")
    });
    Ok(if found.differ == 0 { Done::Yes } else { Done::No })
}
