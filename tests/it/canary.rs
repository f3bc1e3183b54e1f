//! What real files do to the real parser: one set that eats memory, one that takes too long. The service goes on with the last
//! good set, decides meanwhile, and takes the next good one.

use std::{fs, path::PathBuf, time::Duration};

use bandpass::jobs::policy_source::{Canary, Load, Place, PolicySource};

use crate::{house::{files, on_both}, support::service::Folder};

/// As large as one file may be.
const FILE: usize = 262_000;

/// Thousands of rules, each with problems of its own, on one line: every problem is kept until all are told.
fn eater() -> String {
    format!("title = \"Eater\"\nrule = [{}]\n", "{z=1},".repeat(FILE / 6 - 10))
}

/// Conditions as long as they may be, as many as fit: each is parsed, checked against the schema and looked through.
fn hanger() -> String {
    let condition = ["principal.title like \"*a*b*c*d*\""; 100].join("||");
    let mut text = "title = \"Hanger\"\ndescription = \"d\"\nowner = \"team:admins\"\nsensitivity = \"internal\"\n".to_owned();
    for n in 0..50 {
        text.push_str(&format!("[[rule]]\nname = \"r{n}\"\nwho = [\"everyone\"]\nwhen = '{condition}'\nthen = \"grant\"\nfor = \"1d\"\n"));
    }
    assert!(text.len() < FILE);
    text
}

#[test]
fn real_files_that_eat_memory_or_time_leave_the_last_good_set_and_stop_nobody() {
    on_both("canary", |house| async move {
        let folder = Folder::new("bandpass_eaters");
        for (path, bytes) in files() {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let ledger = &house.core.ledger;
        let program = PathBuf::from(env!("CARGO_BIN_EXE_bandpass"));
        let source = |deadline, memory| PolicySource::new(Place::Folder(folder.path().to_owned()), Duration::from_secs(1), Canary { program: program.clone(), deadline, memory });
        assert!(matches!(source(Duration::from_secs(60), 2 * 1024 * 1024).load(ledger).await.unwrap(), Load::InForce));
        let good = ledger.revision();
        // The stack for parsing counts as memory, and is half of this.
        let cases: [(&str, String, usize, Duration, u64, &str); 2] = [
            ("eater", eater(), 20, Duration::from_secs(120), 512 * 1024, "reading the policy files took all the memory it was given, so they are not used"),
            ("hanger", hanger(), 40, Duration::from_secs(2), 2 * 1024 * 1024, "reading the policy files did not end within 2 s, so they are not used"),
        ];
        for (name, text, count, deadline, memory, told) in cases {
            for n in 0..count {
                fs::write(folder.path().join(format!("groups/{name}-{n}.toml")), &text).unwrap();
            }
            let mut source = source(deadline, memory);
            let (loaded, decided) = tokio::join!(source.load(ledger), async {
                // While the child suffers, the ledger answers.
                tokio::time::sleep(Duration::from_millis(300)).await;
                house.core.reader.head().await.is_ok() && ledger.is_deciding()
            });
            let Load::Refused(problems) = loaded.unwrap() else { panic!("{name} was taken") };
            assert!(problems[0].message.starts_with(told), "{}", problems[0].message);
            assert!(problems[0].help.as_deref().is_some_and(|h| h.contains("what changed last")), "{problems:?}");
            assert!(decided && ledger.revision() == good && ledger.snapshot().problems == problems, "{name}: the last good set stays and the problem shows");
            for n in 0..count {
                fs::remove_file(folder.path().join(format!("groups/{name}-{n}.toml"))).unwrap();
            }
            assert!(matches!(source.load(ledger).await.unwrap(), Load::InForce), "{name} is gone again");
            assert!(ledger.snapshot().problems.iter().all(|p| p.severity < bandpass::domain::problem::Severity::Error));
        }
        house.leave().await;
    });
}
