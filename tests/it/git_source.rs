//! A followed git repository: what is refused, with which words, and that the last good set stays in force.

use std::{fs, os::unix::fs::PermissionsExt, path::{Path, PathBuf}, time::Duration};

use bandpass::{
    git::{Mirror, Remote, Unusable, read_revision},
    jobs::policy_source::{Canary, Load, Place, PolicySource},
    policy::{Known, PolicyFiles},
};

use crate::{house::on_both, support::{git::{commit_all, git}, service::Folder}};

fn canary() -> Canary {
    Canary { program: PathBuf::from(env!("CARGO_BIN_EXE_bandpass")), ..Canary::default() }
}

fn mirror(folder: &Path, repository: &Path) -> Mirror {
    let remote = Remote::parse(&format!("git+{}", repository.display())).unwrap().unwrap();
    Mirror { folder: folder.join("mirror"), remote, branch: "main".to_owned(), below: String::new(), signers: Vec::new() }
}

fn told(outcome: Result<impl std::fmt::Debug, Unusable>) -> String {
    match outcome.unwrap_err() {
        Unusable::Refused { message, .. } | Unusable::Unreachable(message) => message,
    }
}

fn write(repository: &Path, files: &PolicyFiles) {
    for (path, bytes) in files {
        let path = repository.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_bad_commit_and_a_force_push_leave_the_last_good_set_and_a_good_one_clears_it() {
    on_both("git_source", |house| async move {
        let folder = Folder::new("bandpass_git_source");
        let repository = folder.path().join("repository");
        write(&repository, &crate::house::files());
        let first = commit_all(&repository, "the first");
        let mut source = PolicySource::new(Place::Git(mirror(folder.path(), &repository)), Duration::from_secs(1), canary());
        let ledger = &house.core.ledger;
        fs::write(repository.join("roles.toml"), "[admin]\nwho = [\"team:admins\"]\n").unwrap();
        let good = commit_all(&repository, "another auditor");
        assert!(matches!(source.load(ledger).await.unwrap(), Load::InForce));
        let loaded = ledger.last_policy_load().await.unwrap().unwrap();
        assert_eq!(loaded.commit.as_ref().map(|c| (c.id.as_str(), c.subject.as_str(), c.author_email.as_str())), Some((good.as_str(), "another auditor", "ada@example.org")));
        // A commit with an error.
        fs::write(repository.join("roles.toml"), "[admin\n").unwrap();
        commit_all(&repository, "a mistake");
        assert!(matches!(source.load(ledger).await.unwrap(), Load::Refused(_)));
        assert!(!ledger.snapshot().problems.is_empty());
        assert_eq!(ledger.revision(), Some(loaded.revision.clone()));
        // A rewritten branch.
        git(&repository, &["reset", "--quiet", "--hard", &first]);
        let Load::Refused(problems) = source.load(ledger).await.unwrap() else { panic!("a force-push was taken") };
        assert!(problems[0].message.contains(&good[..12]) && problems[0].message.contains(&first[..12]), "{}", problems[0].message);
        // Mended by a descendant.
        git(&repository, &["reset", "--quiet", "--hard", &good]);
        commit_all(&repository, "mended");
        assert!(matches!(source.load(ledger).await.unwrap(), Load::InForce));
        assert_eq!(ledger.snapshot().problems, vec![]);
        // Away, and back.
        fs::rename(&repository, folder.path().join("elsewhere")).unwrap();
        assert!(matches!(source.load(ledger).await.unwrap(), Load::Unreachable(_)));
        assert!(ledger.source_state().unreachable.is_some() && ledger.source_state().reached.is_some());
        assert_eq!(ledger.snapshot().problems, vec![]);
        fs::rename(folder.path().join("elsewhere"), &repository).unwrap();
        assert!(matches!(source.load(ledger).await.unwrap(), Load::InForce));
        assert_eq!(ledger.source_state().unreachable, None);
        house.leave().await;
    });
}

#[test]
fn links_submodules_large_files_and_missing_branches_are_refused_by_name() {
    let folder = Folder::new("bandpass_git_hostile");
    let repository = folder.path().join("repository");
    fs::create_dir_all(repository.join("groups")).unwrap();
    git(&repository, &["init", "--quiet"]);
    let mut mirror = mirror(folder.path(), &repository);
    assert_eq!(told(mirror.fetch()), "the repository is empty: it has no branch yet");
    fs::write(repository.join("groups/a.toml"), "x").unwrap();
    let plain = commit_all(&repository, "plain");
    assert_eq!(read_revision(&repository, &plain, "groups").unwrap().keys().collect::<Vec<_>>(), ["a.toml"]);
    assert_eq!(read_revision(&repository, &plain, "grups").unwrap_err(), "there is no folder `grups` in the repository; did you mean `groups`?");
    mirror.branch = "mian".to_owned();
    assert_eq!(told(mirror.fetch()), "the repository has no branch `mian`; did you mean `main`?");
    std::os::unix::fs::symlink("/etc/passwd", repository.join("groups/secret.toml")).unwrap();
    let link = commit_all(&repository, "a link");
    assert_eq!(read_revision(&repository, &link, "").unwrap_err(), "`groups/secret.toml` is a symbolic link; links are not followed, since they may lead anywhere");
    fs::remove_file(repository.join("groups/secret.toml")).unwrap();
    git(&repository, &["update-index", "--add", "--cacheinfo", &format!("160000,{plain},groups/sub")]);
    git(&repository, &["commit", "--quiet", "-m", "a submodule"]);
    assert!(read_revision(&repository, "HEAD", "").unwrap_err().contains("`groups/sub` is a submodule"));
    git(&repository, &["rm", "--quiet", "--cached", "groups/sub"]);
    fs::write(repository.join("groups/a.toml"), vec![b'#'; 100 * 1024 * 1024]).unwrap();
    commit_all(&repository, "large");
    assert_eq!(read_revision(&repository, "HEAD", "").unwrap_err(), "`groups/a.toml` has 104857600 bytes; at most 4194304 are read");
}

#[test]
fn a_checker_that_crashes_or_hangs_is_told_of() {
    let folder = Folder::new("bandpass_canary");
    let program = |name: &str, script: &str| {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Canary { program: path, deadline: Duration::from_millis(500), ..Canary::default() }
    };
    let asked = |canary: Canary| canary.check(&PolicyFiles::new(), &Known::default(), "UTC").unwrap_err().0;
    assert_eq!(asked(program("crash", "kill -ABRT $$")), "reading the policy files crashed the program that tried them (signal 6), so they are not used");
    assert_eq!(asked(program("hang", "/bin/sleep 1000")), "reading the policy files did not end within 0.5 s, so they are not used");
    // A yes that is none.
    assert!(asked(program("liar", "echo yes")).contains("made the program that tried them fail"));
}
