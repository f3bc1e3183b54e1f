//! Values as people read them: names for ids, times as "in 3 days", decisions as one line.

use crate::{
    domain::{
        decision::{Decision, Effect},
        delivery::{Delivery, DeliveryAction, DeliveryState},
        duration::Duration,
        grant::Grant,
        group::{Group, OnChange, Rule, Stage, Then, Who},
        id::PersonId,
        time::Time,
    },
    ledger::{Preview, Snapshot, decide::birthright::because},
};

pub use crate::ledger::decide::birthright::Voice;

/// A time with its exact instant.
#[derive(Debug, Clone)]
pub struct When {
    /// "in 3 days", "2 hours ago".
    pub told: String,
    /// For `<time datetime>`.
    pub exact: String,
    /// For people: "24 Nov 2026, 14:05 UTC".
    pub full: String,
    /// "14:05:22".
    pub clock: String,
    /// "Tuesday, 24 November 2026".
    pub day: String,
}

/// When a grant ends, or how long it goes on.
#[derive(Debug, Clone)]
pub struct Ends {
    /// Its end; none for what is held without asking.
    pub at: Option<When>,
    /// "as long as you are in team Engineering", for that.
    pub lasts: String,
}

/// The end of a grant, told to its holder or to somebody else.
pub fn ends(snapshot: &Snapshot, grant: &Grant, now: Time, voice: Voice) -> Ends {
    match grant.until() {
        Some(end) => Ends { at: Some(when(end, now)), lasts: String::new() },
        None => Ends { at: None, lasts: because(snapshot, grant, voice) },
    }
}

/// A time as seen from `now`.
pub fn when(at: Time, now: Time) -> When {
    let seconds = at.seconds_since(now);
    let (size, future) = (seconds.abs(), seconds >= 0);
    let (count, unit) = match size {
        0..=59 => (0, ""),
        60..=5399 => ((size + 30) / 60, "minute"),
        5400..=129_599 => ((size + 1800) / 3600, "hour"),
        _ => ((size + 43_200) / 86_400, "day"),
    };
    let told = match (count, future) {
        (0, true) => "in a moment".to_owned(),
        (0, false) => "just now".to_owned(),
        (1, true) => format!("in 1 {unit}"),
        (n, true) => format!("in {n} {unit}s"),
        (1, false) => format!("1 {unit} ago"),
        (n, false) => format!("{n} {unit}s ago"),
    };
    let stamp = at.timestamp();
    When {
        told,
        exact: at.to_string(),
        full: stamp.strftime("%-d %b %Y, %H:%M UTC").to_string(),
        clock: stamp.strftime("%H:%M:%S").to_string(),
        day: stamp.strftime("%A, %-d %B %Y").to_string(),
    }
}

/// A person's name.
pub fn name(snapshot: &Snapshot, id: &PersonId) -> String {
    snapshot.directory.person(id.as_str()).map_or_else(|| id.to_string(), |p| p.name.clone())
}

/// A person's name by a text that may be an id.
pub fn name_of(snapshot: &Snapshot, id: &str) -> String {
    snapshot.directory.person(id).map_or_else(|| id.to_owned(), |p| p.name.clone())
}

/// A team's title.
pub fn team(snapshot: &Snapshot, id: &str) -> String {
    snapshot.directory.team(id).map_or_else(|| id.to_owned(), |t| t.title.clone())
}

/// A group's title.
pub fn group(snapshot: &Snapshot, id: &str) -> String {
    snapshot.policy.set().group(id).map_or_else(|| id.to_owned(), |g| g.title.clone())
}

/// What becomes of a grant of the group whose rule no longer holds.
pub fn on_change(group: &Group) -> String {
    match group.on_change {
        OnChange::Revoke => format!("When the policy no longer gives it to somebody who holds it, it ends {} later.", group.grace.in_words()),
        OnChange::Flag => "When the policy no longer gives it to somebody who holds it, they keep it and its owners are asked what shall become of it.".to_owned(),
    }
}

/// One word of a list with names for ids; `you` speaks to the reader.
pub fn who(snapshot: &Snapshot, who: &Who, you: bool) -> String {
    match who {
        Who::Everyone => "everyone".to_owned(),
        Who::Person(id) => name(snapshot, id),
        Who::Team(id) => format!("team {}", team(snapshot, id.as_str())),
        Who::Group(id) => format!("holders of {}", group(snapshot, id.as_str())),
        Who::Manager if you => "your manager".to_owned(),
        Who::Manager => "the manager".to_owned(),
        Who::Owner => "an owner".to_owned(),
    }
}

/// A list: "team Analytics or holders of On call".
pub fn list(snapshot: &Snapshot, words: &[Who], you: bool) -> String {
    let told: Vec<String> = words.iter().map(|w| who(snapshot, w, you)).collect();
    match told.split_last() {
        None => "nobody".to_owned(),
        Some((one, [])) => one.clone(),
        Some((last, first)) => format!("{} or {last}", first.join(", ")),
    }
}

/// With a capital first letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn stage(snapshot: &Snapshot, stage: &Stage) -> String {
    match stage.need {
        0 | 1 => list(snapshot, &stage.from, true),
        n if stage.from == [Who::Owner] => format!("{n} owners"),
        n => format!("{n} of {}", list(snapshot, &stage.from, true)),
    }
}

/// A rule as a sentence.
pub fn rule(snapshot: &Snapshot, rule: &Rule) -> String {
    let people = capital(&list(snapshot, &rule.who, true));
    let given = format!("for {} at most", rule.max.in_words());
    match rule.then {
        Then::Grant => format!("{people}: at once, {given}."),
        Then::Always => format!("{people}: without asking, as long as it holds."),
        Then::Approve => {
            let stages: Vec<String> = rule.stages.iter().map(|s| stage(snapshot, s)).collect();
            let decide = if rule.stages.last().is_some_and(|s| s.need > 1) { "decide" } else { "decides" };
            format!("{people} may ask, {given}; then {} {decide}.", stages.join(", and after that "))
        }
    }
}

/// Names of people, a few of them: "Ada, Bo and 3 more".
pub fn some_names(snapshot: &Snapshot, people: &[PersonId]) -> String {
    let names: Vec<String> = people.iter().take(3).map(|p| name(snapshot, p)).collect();
    match people.len() {
        0 => "nobody".to_owned(),
        n if n > 3 => format!("{} and {} more", names.join(", "), n - 3),
        _ => names.join(", "),
    }
}

/// What a decision means for the reader, on one line, with the kind of chip it wears.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// `yes`, `wait` or `no`.
    pub kind: &'static str,
    /// "Instant for you, up to 30 days".
    pub told: String,
    /// What would change it, if anything would.
    pub hint: String,
}

/// The outcome of a preview.
pub fn outcome(snapshot: &Snapshot, preview: &Preview) -> Outcome {
    let d = &preview.decision;
    let longest = d.max.map_or_else(String::new, |m: Duration| format!(", up to {}", m.in_words()));
    match d.effect {
        Effect::Grant => Outcome { kind: "yes", told: format!("Instant for you{longest}"), hint: String::new() },
        Effect::Approve => {
            let stages: Vec<String> = d.stages.iter().map(|s| stage(snapshot, s)).collect();
            let people = preview.approvers.first().map_or_else(String::new, |p| format!("Asks {}.", some_names(snapshot, p)));
            Outcome { kind: "wait", told: format!("Needs {}{longest}", stages.join(", then ")), hint: people }
        }
        Effect::Deny => Outcome { kind: "no", told: "Not for you".to_owned(), hint: why_not(d) },
    }
}

/// Why not, and what would change it, in a sentence or two.
pub fn why_not(d: &Decision) -> String {
    let reason = match d.guardrails.first() {
        Some(finding) => finding.reason.clone(),
        None => d.reasons.last().map_or_else(|| "No rule allows it".to_owned(), told_reason),
    };
    let stop = |text: &str| if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") };
    match d.suggestions.first() {
        Some(first) => format!("{} {}", stop(&capital(&reason)), stop(&first.text)),
        None => stop(&capital(&reason)),
    }
}

fn told_reason(reason: &crate::domain::decision::Reason) -> String {
    match &reason.rule {
        Some(rule) => format!("the rule “{rule}” {}", reason.text),
        None => reason.text.clone(),
    }
}

/// Where a delivery stands, with the kind of chip it wears.
pub fn delivery(d: &Delivery, now: Time) -> (String, &'static str, String) {
    let (what, kind) = match (d.action, d.state) {
        (DeliveryAction::Add, DeliveryState::Done) => ("There", "yes"),
        (DeliveryAction::Remove, DeliveryState::Done) => ("Taken away", "tag"),
        (DeliveryAction::Add, DeliveryState::Queued) => ("On its way", "wait"),
        (DeliveryAction::Remove, DeliveryState::Queued) => ("Being taken away", "wait"),
        (_, DeliveryState::Held) => ("Waits for an admin's confirmation", "wait"),
        (_, DeliveryState::Failing) => ("Failing, tried again", "no"),
    };
    let note = match (&d.note, d.done_at) {
        (Some(note), _) => capital(note),
        (None, Some(done)) => format!("after {:.1} s", (done.micros() - d.queued_at.micros()) as f64 / 1_000_000.0),
        (None, None) => format!("queued {}", when(d.queued_at, now).told),
    };
    (what.to_owned(), kind, note)
}

/// An event kind as a word, with the kind of chip it wears.
pub fn event_kind(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "request.submitted" => ("Asked", "wait"),
        "request.granted" => ("Granted", "yes"),
        "request.denied" => ("Denied", "no"),
        "request.withdrawn" => ("Withdrawn", "tag"),
        "request.expired" => ("Unanswered", "tag"),
        "approval.given" => ("Approved", "yes"),
        "approval.voided" => ("Vote void", "tag"),
        "grant.extended" => ("Extended", "yes"),
        "grant.revoked" => ("Taken away", "no"),
        "grant.expired" => ("Ended", "tag"),
        "grant.ending" => ("Ending", "no"),
        "grant.flagged" => ("Flagged", "wait"),
        "grant.kept" => ("Stands again", "yes"),
        "grant.moved" => ("Renamed", "tag"),
        "endings.held" => ("Endings wait", "wait"),
        "endings.confirmed" => ("Endings confirmed", "no"),
        "endings.withdrawn" => ("Endings withdrawn", "tag"),
        "grant.adopted" => ("Adopted", "tag"),
        "grant.birthright" => ("Comes with", "yes"),
        "block.lifted" => ("Unblocked", "tag"),
        "delivery.queued" => ("Changed", "wait"),
        "delivery.done" => ("Delivered", "tag"),
        "removals.confirmed" => ("Confirmed", "tag"),
        "delivery.failing" => ("Failing", "no"),
        "person.added" => ("Joined", "tag"),
        "person.changed" => ("Changed", "tag"),
        "person.left" => ("Left", "no"),
        "team.changed" | "team.removed" => ("Team", "tag"),
        "policy.loaded" => ("Policy", "tag"),
        "policy.load_failed" => ("Policy", "no"),
        "token.created" | "token.revoked" => ("Token", "tag"),
        "identity.linked" => ("Known as", "tag"),
        "identity.unlinked" => ("Forgotten", "wait"),
        "session.started" => ("Signed in", "tag"),
        "session.ended" => ("Signed out", "tag"),
        "signin.refused" => ("Not let in", "no"),
        "freeze.set" => ("Freeze", "wait"),
        "refused" => ("Refused", "no"),
        _ => ("Event", "tag"),
    }
}

/// Lengths to offer on the form: the usual ones up to the longest, the longest included.
pub fn lengths(longest: Duration) -> Vec<Duration> {
    let usual = [Duration::hours(1), Duration::hours(8), Duration::days(1), Duration::days(7), Duration::days(30), Duration::days(90)];
    let mut found: Vec<Duration> = usual.into_iter().flatten().filter(|d| *d < longest).collect();
    found.push(longest);
    if found.len() > 4 { found.split_off(found.len() - 4) } else { found }
}
