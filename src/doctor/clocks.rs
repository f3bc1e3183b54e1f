//! The clock of this machine, against the database's and the log's. Those of issuers are told with the issuers.

use super::{Finding, Ground};
use crate::domain::time::Time;

const NAME: &str = "clock";
/// The log refuses new grants when it is further behind, in microseconds (semantics.md, 16).
const BEHIND: i64 = 5_000_000;
/// Further apart than this is worth a word.
const APART: i64 = 2_000_000;

pub(super) async fn check(ground: &Ground) -> Vec<Finding> {
    let Ok(examined) = &ground.examined else { return Vec::new() };
    let now = (ground.clock)().micros();
    let mut found = Vec::new();
    // The ledger's batches have the database's time where it has a clock, else this machine's.
    let decides = examined.clock.unwrap_or(now);
    if let Some(ahead) = examined.head_at.map(|at| at - decides).filter(|ahead| *ahead > BEHIND) {
        let whose = if examined.clock.is_some() { "the database's clock" } else { "this machine's clock" };
        found.push(Finding::fault(NAME, format!("the newest event of the log is {} ahead of {whose}: no new grants until it has caught up", told(ahead)), "set the clock right (timedatectl set-ntp true)"));
    }
    if let Some(apart) = examined.clock.map(|at| at - now).filter(|apart| apart.abs() > APART) {
        let which = if apart > 0 { "behind" } else { "ahead of" };
        let detail = format!("this machine's clock is {} {which} the database's, which decides", told(apart.abs()));
        let cure = "let both machines follow NTP: timedatectl set-ntp true";
        found.push(if apart.abs() > BEHIND { Finding::fault(NAME, detail, cure) } else { Finding::warning(NAME, detail, cure) });
    }
    if found.is_empty() {
        let against = if examined.clock.is_some() { ", as the database's to two seconds" } else { "" };
        found.push(Finding::ok(NAME, format!("{}{against}", Time::from_micros(now).timestamp().strftime("%-d %B %Y, %H:%M:%S UTC"))));
    }
    found
}

/// A span in words.
pub(super) fn told(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} minutes", seconds / 60),
        _ => format!("{} hours", seconds / 3600),
    }
}
