//! Hostile and clumsy input, one at a time, to a service that follows a folder: each is refused with words that a tired admin
//! understands, the last good set stays in force, and requests are still decided. The git source has its own tests.

use std::{fs, os::unix::fs::symlink, path::{Path, PathBuf}, time::Duration};

use bandpass::{
    domain::problem::{Problem, Severity},
    jobs::policy_source::{Canary, Load, Place, PolicySource},
    policy::render,
};

use crate::{house::{files, on_both}, support::service::Folder};

type Break = fn(&Path);

fn group(title: &str, rule: &str) -> String {
    format!("title = \"{title}\"\ndescription = \"Something that people ask for.\"\nowner = \"team:owners\"\nsensitivity = \"internal\"\n[[rule]]\nname = \"r\"\n{rule}then = \"grant\"\nfor = \"1d\"\n")
}

/// What is done to the folder, the code that is told, and a part of what is said.
const INPUTS: &[(&str, Break, &str, &str)] = &[
    ("a hundred megabytes", |f| fs::write(f.join("groups/large.toml"), vec![b'#'; 100 << 20]).unwrap(), "BP058", "`groups/large.toml` has 104857600 bytes; at most"),
    ("a file a little too large", |f| fs::write(f.join("groups/large.toml"), vec![b'#'; 300_000]).unwrap(), "BP051", "the file has 300000 bytes; at most 262144 are read"),
    ("ten thousand brackets in TOML", |f| fs::write(f.join("groups/deep.toml"), format!("tags = {}{}", "[".repeat(10_000), "]".repeat(10_000))).unwrap(), "BP015", "nested too deeply"),
    ("ten thousand brackets in a condition", |f| fs::write(f.join("groups/deep.toml"), group("Deep", &format!("who = [\"everyone\"]\nwhen = '{}true{}'\n", "(".repeat(10_000), ")".repeat(10_000)))).unwrap(), "BP031", "brackets are nested deeper than 32"),
    ("ten thousand brackets in a guardrail", |f| fs::write(f.join("guardrails/deep.cedar"), format!("forbid (principal, action, resource) when {{ {}true{} }};", "(".repeat(10_000), ")".repeat(10_000))).unwrap(), "BP031", "brackets are nested deeper than 32"),
    ("Latin-1", |f| fs::write(f.join("groups/latin.toml"), b"title = \"Gr\xf6\xdfe\"\n").unwrap(), "BP052", "the byte 0xf6 cannot stand here"),
    ("a symlink to a secret", |f| symlink("/etc/passwd", f.join("groups/shadow.toml")).unwrap(), "BP058", "`groups/shadow.toml` is a symbolic link"),
    ("a folder that is a symlink", |f| symlink("/etc", f.join("groups/etc")).unwrap(), "BP058", "`groups/etc` is a symbolic link"),
    ("two names that differ in case", |f| fs::write(f.join("groups/Instant.toml"), "").unwrap(), "BP054", "`groups/instant.toml` is nearly the same name"),
    ("two names that differ in Unicode form", |f| {
        fs::write(f.join("groups/caf\u{e9}.toml"), "").unwrap();
        fs::write(f.join("groups/cafe\u{301}.toml"), "").unwrap();
    }, "BP054", "no two differ only in case or in an accent"),
    ("one id in two folders", |f| {
        fs::create_dir(f.join("groups/old")).unwrap();
        fs::copy(f.join("groups/instant.toml"), f.join("groups/old/instant.toml")).unwrap();
    }, "BP055", "the group `instant` is also in `groups/instant.toml`"),
    ("groups in a circle", |f| {
        fs::write(f.join("groups/one.toml"), group("One", "who = [\"group:two\"]\n")).unwrap();
        fs::write(f.join("groups/two.toml"), group("Two", "who = [\"group:one\"]\n")).unwrap();
    }, "BP068", "`one` -> `two` -> `one`"),
    ("a guardrail that reads what some lack", |f| {
        fs::write(f.join("attributes.toml"), "[attributes]\nlevel = \"long\"\n").unwrap();
        fs::write(f.join("guardrails/level.cedar"), "@id(\"l\")\n@reason(\"no\")\nforbid (principal, action, resource) when { principal.level < 3 };\n").unwrap();
    }, "BP046", "some people have no `level`"),
    ("an empty folder", |f| {
        fs::remove_dir_all(f).unwrap();
        fs::create_dir(f).unwrap();
    }, "BP022", "`roles.toml` is missing"),
    ("a folder without groups", |f| fs::remove_dir_all(f.join("groups")).unwrap(), "BP057", "there is no group"),
    ("a folder that is gone", |f| fs::remove_dir_all(f).unwrap(), "BP058", "cannot read"),
    ("an unknown key in a file that worked yesterday", |f| {
        let path = f.join("groups/instant.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("[[rule]]", "[[rule]]\nwhenn = 'true'")).unwrap();
    }, "BP002", "did you mean `when`?"),
];

fn fresh(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    for (path, bytes) in files() {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn what_is_hostile_or_clumsy_is_refused_in_words_and_the_service_goes_on() {
    on_both("bad_input", |house| async move {
        let home = Folder::new("bandpass_bad_input");
        let folder = home.path().join("policies");
        let canary = Canary { program: PathBuf::from(env!("CARGO_BIN_EXE_bandpass")), ..Canary::default() };
        let mut source = PolicySource::new(Place::Folder(folder.clone()), Duration::from_secs(1), canary);
        fresh(&folder);
        assert!(matches!(source.load(&house.core.ledger).await.unwrap(), Load::InForce));
        let good = house.core.ledger.revision();
        for (what, spoil, code, said) in INPUTS {
            fresh(&folder);
            spoil(&folder);
            let Load::Refused(problems) = source.load(&house.core.ledger).await.unwrap() else { panic!("{what} was taken") };
            let own: Vec<&Problem> = problems.iter().filter(|p| p.code == *code && p.severity == Severity::Error).collect();
            assert!(own.iter().any(|p| render::text(p).contains(said)), "{what}: {problems:#?}");
            let errors = problems.iter().filter(|p| p.severity == Severity::Error).count();
            assert!(errors < 5, "{what} tells {errors} errors: {problems:#?}");
            assert_eq!(house.core.ledger.revision(), good, "{what}");
            let (request, _) = house.ask_for("ann", "also", "1h").await.unwrap();
            assert!(request.decided_at.is_some(), "{what}");
        }
        fresh(&folder);
        assert!(matches!(source.load(&house.core.ledger).await.unwrap(), Load::InForce));
        house.leave().await;
    });
}
