//! `policy check` of 1,000 group files: read from the disk, parsed, linted as one set and compiled; and the same with a mistake in
//! every file, since that is when somebody waits for it.

use std::{fs, time::Instant};

use bandpass::{
    domain::id::TeamId,
    folder,
    policy::{self, Known, PolicyFiles},
};

use crate::support::service::Folder;

const GROUPS: usize = 1_000;
const TEAMS: usize = 300;
const RUNS: usize = 5;
const BUDGET_MS: u128 = 1_000;

/// Groups as people write them: entitlement, three rules with conditions and stages, a review, examples.
fn files(mistake: &str) -> PolicyFiles {
    let mut files: PolicyFiles = (0..GROUPS)
        .map(|n| {
            let (team, other) = (n % TEAMS, (n * 7 + 1) % TEAMS);
            let sensitivity = ["internal", "confidential", "restricted"][n % 3];
            let text = format!(
                "title = \"Group {n}\"\ndescription = \"What members of group {n} may do.\"\nowner = \"team:t{team}\"\nsensitivity = \"{sensitivity}\"\ntags = [\"tag{}\"]\n\
                 [[entitlement]]\nconnector = \"warehouse\"\nname = \"role_{n}\"\n\
                 [[rule]]\nname = \"team\"\nwho = [\"team:t{team}\", \"team:t{other}\"]\nwhen = 'principal.employment == \"permanent\" && context.duration_hours <= 720'\nthen = \"grant\"\nfor = \"30d\"\n\
                 [[rule]]\nname = \"by day\"\nwho = [\"team:t{}\"]\nwhen = 'context.weekday <= 5 && context.hour >= 6 && context.hour < 18'\nthen = \"grant\"\nfor = \"8h\"\n\
                 [[rule]]\nname = \"others\"\nwho = [\"everyone\"]\nthen = \"approve\"\nfor = \"7d\"\njustification = \"required\"\n[[rule.stage]]\nfrom = [\"manager\"]\n[[rule.stage]]\nfrom = [\"owner\"]\nneed = 2\nwithin = \"2d\"\nescalate = [\"team:t1\"]\n\
                 [review]\nevery = \"90d\"\nby = [\"owner\"]\n\
                 [[example]]\nperson = {{ team = \"t{team}\", employment = \"permanent\" }}\nfor = \"8h\"\nexpect = \"granted\"\nrule = \"team\"\n\
                 [[example]]\nperson = {{ team = \"t{team}\", employment = \"contractor\" }}\nfor = \"3d\"\njustification = \"x\"\nexpect = \"approval\"\nrule = \"others\"\n{mistake}",
                n % 20,
                (n + 2) % TEAMS,
            );
            (format!("groups/area{}/g{n:04}.toml", n % 30), text.into_bytes())
        })
        .collect();
    files.insert("roles.toml".to_owned(), b"[admin]\nwho = [\"team:t0\"]\n".to_vec());
    let guardrails: String = (0..20)
        .map(|n| format!("@id(\"rail-{n}\")\n@reason(\"no\")\n@fix(\"ask\")\nforbid (principal, action, resource)\nwhen {{ principal.employment == \"contractor\" && resource.sensitivity == \"restricted\" && resource.tags.contains(\"tag{n}\") }};\n"))
        .collect();
    files.insert("guardrails/g.cedar".to_owned(), guardrails.into_bytes());
    files
}

/// Runs and prints.
pub fn run() {
    let known = Known {
        teams: (0..TEAMS).map(|t| (format!("t{t}").parse::<TeamId>().expect("a team"), 30)).collect(),
        connectors: ["warehouse".parse().expect("a connector")].into(),
        ..Known::default()
    };
    println!("policy check, {GROUPS} group files from the disk; milliseconds of {RUNS} runs, sorted; budget {BUDGET_MS}");
    for (name, mistake) in [("sound", ""), ("a mistake in every file", "[[rule]]\nname = \"odd\"\nwho = [\"team:tt1\"]\nwhen = 'principal.employmnt == \"x\"'\nthen = \"grnat\"\nfor = \"3 days\"\n")] {
        let folder = Folder::new("bandpass_bench_check");
        for (path, bytes) in files(mistake) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, bytes).expect("a file");
        }
        let mut problems = 0;
        let mut times: Vec<u128> = (0..RUNS)
            .map(|_| {
                let from = Instant::now();
                let read = folder::read(folder.path(), folder::POLICY_ENDINGS).expect("files");
                let checked = policy::check(&read, &known, "UTC");
                assert_eq!(checked.set.is_some(), mistake.is_empty(), "{:?}", checked.problems.first());
                problems = checked.problems.len();
                from.elapsed().as_millis()
            })
            .collect();
        times.sort_unstable();
        println!("  {name:<28} {times:?}  ({problems} problems told)");
    }
}
