//! An organisation and its policies, made up in any size, for load, crashes and races.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{fmt::Write as _, fs, path::Path};

/// How large.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// People, `p00000` and so on.
    pub people: usize,
    /// Groups that everyone gets at once, `instant-0000` and so on, each with one `memory` entitlement.
    pub instant: usize,
    /// Groups that one of the owners approves, `asked-0000` and so on.
    pub asked: usize,
    /// Groups that two of the owners approve, `asked-twice-0000` and so on.
    pub asked_twice: usize,
}

/// Teams below the whole.
const TEAMS: usize = 20;

/// The id of a person. The first administers, the second audits, the third to sixth own every group.
pub fn person(n: usize) -> String {
    format!("p{n:05}")
}

/// Who may approve requests for `asked…` groups.
pub fn owners() -> [String; 4] {
    [2, 3, 4, 5].map(person)
}

/// The id of a group.
pub fn group(kind: &str, n: usize) -> String {
    format!("{kind}-{n:04}")
}

const GUARDRAILS: &str = r#"@id("contractors-never-restricted")
@reason("Contractors may not hold restricted access.")
forbid (principal, action, resource)
when { principal.employment == "contractor" && resource.sensitivity == "restricted" };

@id("interns-stay-internal")
@reason("Interns hold nothing above internal.")
forbid (principal, action, resource)
when { principal.employment == "intern" && (resource.sensitivity == "confidential" || resource.sensitivity == "restricted") };

@id("restricted-ninety-days")
@reason("Restricted access lasts ninety days at most.")
forbid (principal, action, resource)
when { resource.sensitivity == "restricted" && context.duration_hours > 2160 };

@id("payments-a-day")
@reason("Payment systems are for a day.")
forbid (principal, action, resource)
when { resource.tags.contains("payments") && context.duration_hours > 24 };

@id("no-break-glass-for-interns")
@reason("Interns have no emergency access.")
forbid (principal, action, resource)
when { context.break_glass && principal.employment == "intern" };
"#;

/// Writes `policies/` and `people/` below `folder`.
pub fn write(folder: &Path, size: Size) {
    let (policies, people) = (folder.join("policies"), folder.join("people"));
    for path in [&policies.join("groups"), &policies.join("guardrails"), &people] {
        fs::create_dir_all(path).expect("a folder");
    }
    let put = |path: std::path::PathBuf, text: &str| fs::write(path, text).expect("a file");
    put(policies.join("guardrails/all.cedar"), GUARDRAILS);
    put(policies.join("roles.toml"), &format!("[auditor]\nwho = [\"person:{}\"]\n\n[admin]\nwho = [\"person:{}\"]\n", person(1), person(0)));
    let owners = owners().map(|id| format!("\"person:{id}\"")).join(", ");
    for n in 0..size.instant {
        let sensitivity = ["public", "internal", "confidential"][n % 3];
        let text = format!(
            r#"title = "Instant {n}"
description = "Everyone gets it at once."
owner = [{owners}]
sensitivity = "{sensitivity}"
tags = ["load"]

[[entitlement]]
connector = "warehouse"
name = "role_{n}"

[[rule]]
name = "one team, for a quarter"
who = ["team:team-{team:02}"]
when = 'principal.employment == "permanent" && context.duration_hours <= 2160'
then = "grant"
for = "90d"

[[rule]]
name = "everyone, for a month"
who = ["everyone"]
when = 'context.duration_hours <= 720'
then = "grant"
for = "30d"
"#,
            team = n % TEAMS
        );
        put(policies.join(format!("groups/{}.toml", group("instant", n))), &text);
    }
    for (kind, count, need) in [("asked", size.asked, 1), ("asked-twice", size.asked_twice, 2)] {
        for n in 0..count {
            let text = format!(
                r#"title = "Asked for {kind} {n}"
description = "{need} of the owners must agree."
owner = [{owners}]
sensitivity = "internal"

[[entitlement]]
connector = "warehouse"
name = "{kind}_{n}"

[[rule]]
name = "everyone, when the owners agree"
who = ["everyone"]
then = "approve"
for = "30d"
[[rule.stage]]
from = ["owner"]
need = {need}
"#
            );
            put(policies.join(format!("groups/{}.toml", group(kind, n))), &text);
        }
    }
    let mut teams = String::from("[[team]]\nid = \"all\"\ntitle = \"All\"\n");
    for n in 0..TEAMS {
        let _ = write!(teams, "\n[[team]]\nid = \"team-{n:02}\"\ntitle = \"Team {n}\"\nparent = \"all\"\n");
    }
    put(people.join("teams.toml"), &teams);
    let mut table = String::new();
    for n in 0..size.people {
        let _ = write!(
            table,
            "[[person]]\nid = \"{id}\"\nname = \"Person {n}\"\nemail = \"{id}@load.example\"\nteam = \"team-{team:02}\"\nemployment = \"permanent\"\nlocation = \"Oslo\"\n{manager}\n",
            id = person(n),
            team = n % TEAMS,
            manager = if n == 0 { String::new() } else { format!("manager = \"{}\"\n", person(n / 10)) },
        );
    }
    put(people.join("people.toml"), &table);
}
