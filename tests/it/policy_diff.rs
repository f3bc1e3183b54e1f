//! What `policy diff` says of one pull request against the sample policies, as an admin reads it in a terminal and as a comment.

use std::{fs, path::Path, sync::Arc};

use bandpass::{
    directory::{Directory, plan},
    domain::{person::Subject, time::Time},
    folder,
    policy::{self, Known, PolicyFiles, PolicySet, diff},
    settings::Settings,
    startup::read_people,
};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// The pull request: file, text before, text after.
const EDITS: [(&str, &str, &str); 5] = [
    // Analysts lose three weeks, and everybody who is not one needs two owners.
    ("groups/data/warehouse-analysts.toml", "then = \"grant\"\nfor  = \"30d\"", "then = \"grant\"\nfor  = \"7d\""),
    ("groups/data/warehouse-analysts.toml", "from = [\"owner\"]\nwithin   = \"2d\"", "from = [\"owner\"]\nneed     = 2\nwithin   = \"2d\""),
    // Engineers have it without anybody's approval, and the group is called something else.
    ("groups/data/warehouse-engineers.toml", "then = \"approve\"\nfor  = \"14d\"\njustification = \"required\"\n[[rule.stage]]\nfrom = [\"owner\"]\nwithin = \"2d\"", "then = \"grant\"\nfor  = \"14d\"\njustification = \"required\""),
    ("groups/data/warehouse-engineers.toml", "tags        = [\"warehouse\", \"sql\"]", "tags        = [\"warehouse\", \"sql\", \"pii\"]"),
    // Two groups come apart.
    ("conflicts.toml", "[[conflict]]\ngroups = [\"payments-create\"", "[[conflict]]\ngroups = [\"warehouse-analysts\", \"warehouse-engineers\"]\nreason = \"Whoever loads the warehouse may not be its only reader.\"\n\n[[conflict]]\ngroups = [\"payments-create\""),
];

fn edited(mut files: PolicyFiles) -> PolicyFiles {
    for (path, old, new) in EDITS {
        let text = String::from_utf8(files[path].clone()).unwrap();
        assert!(text.contains(old), "{path} has changed: {old}");
        files.insert(path.to_owned(), text.replacen(old, new, 1).into_bytes());
    }
    files
}

fn same(name: &str, found: &str) {
    let path = Path::new(GOLDEN).join(name);
    if std::env::var_os("BANDPASS_ACCEPT").is_some() {
        fs::write(&path, found).unwrap();
    }
    assert_eq!(found, fs::read_to_string(&path).unwrap_or_default(), "{name} differs; after a review: BANDPASS_ACCEPT=1");
}

#[test]
fn a_pull_request_on_the_sample_policies_reads_as_agreed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (source, _) = read_people(&root.join("policies/org")).unwrap();
    let directory = plan::apply(&Directory::default(), &plan::plan(&Directory::default(), &source).changes, 1);
    let known = Known {
        people: directory.people().keys().cloned().collect(),
        teams: directory.teams().keys().map(|t| (t.clone(), directory.members(t).len())).collect(),
        connectors: Settings::load(None, []).unwrap().connectors(),
        ..Known::default()
    };
    let files = folder::read(&root.join("policies"), folder::POLICY_ENDINGS).unwrap();
    let compiled = |files: &PolicyFiles| -> Arc<PolicySet> {
        let checked = policy::check(files, &known, "UTC");
        checked.set.unwrap_or_else(|| panic!("{:#?}", checked.problems))
    };
    let (before, after) = (compiled(&files), compiled(&edited(files.clone())));
    let subjects: Vec<Subject<'_>> = directory.subjects().collect();
    let found = diff::diff(&diff::Inputs {
        before: &before,
        after: &after,
        subjects: &subjects,
        holdings: &diff::Holdings::new(),
        grants: &[],
        pending: &[],
        // Wednesday, 25 November 2026, 09:00 UTC.
        at: Time::from_micros(1_795_597_200_000_000),
    });
    let unnamed = |text: String| text.replace(before.revision().short(), "BEFORE").replace(after.revision().short(), "AFTER");
    same("policy-diff.txt", &unnamed(diff::text::text(&found)));
    same("policy-diff.md", &unnamed(diff::markdown::markdown(&found)));
}
