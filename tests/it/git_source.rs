//! A followed git repository: what is refused, with which words, and that the last good set stays in force.

use std::{fs, os::unix::fs::PermissionsExt, path::{Path, PathBuf}, time::Duration};

use bandpass::{
    git::{Mirror, Remote, Unusable, read_revision},
    jobs::policy_source::{Canary, Load, Place, PolicySource},
    domain::problem::Severity,
    policy::{Known, PolicyFiles},
    store::sole::{Sole, SoleRight},
};

use crate::{house::on_both, support::{database::Database, git::{commit_all, git}, http, organisation, service::{Folder, Service, program}}};

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
        // The same files as are in force already: the log learns which commit they are.
        assert!(matches!(source.load(ledger).await.unwrap(), Load::InForce));
        assert_eq!(ledger.last_policy_load().await.unwrap().unwrap().commit.map(|c| c.id), Some(first.clone()));
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
        let errors = || ledger.snapshot().problems.iter().filter(|p| p.severity == Severity::Error).count();
        assert_eq!(errors(), 0);
        // Away, and back.
        fs::rename(&repository, folder.path().join("elsewhere")).unwrap();
        assert!(matches!(source.load(ledger).await.unwrap(), Load::Unreachable(_)));
        assert!(ledger.source_state().unreachable.is_some() && ledger.source_state().reached.is_some());
        assert_eq!(errors(), 0);
        fs::rename(folder.path().join("elsewhere"), &repository).unwrap();
        assert!(matches!(source.load(ledger).await.unwrap(), Load::InForce));
        assert_eq!(ledger.source_state().unreachable, None);
        house.leave().await;
    });
}

#[test]
fn a_folder_is_followed_by_one_process_a_database() {
    on_both("git_sole", |house| async move {
        let location = house.location.clone();
        let take = move || SoleRight::take(&location, Sole::PolicyFolder).unwrap();
        let (again, own_clock) = (take.clone(), house.has_own_clock());
        let first = tokio::task::spawn_blocking(take).await.unwrap();
        assert!(first.is_some());
        let second = tokio::task::spawn_blocking(again).await.unwrap();
        // A SQLite file is locked as a whole elsewhere.
        assert_eq!(second.is_some(), own_clock);
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
    git(&repository, &["rm", "--quiet", "groups/secret.toml"]);
    git(&repository, &["update-index", "--add", "--cacheinfo", &format!("160000,{plain},groups/sub")]);
    git(&repository, &["commit", "--quiet", "-m", "a submodule"]);
    assert!(read_revision(&repository, "HEAD", "").unwrap_err().contains("`groups/sub` is a submodule"));
    git(&repository, &["rm", "--quiet", "--cached", "groups/sub"]);
    fs::write(repository.join("groups/a.toml"), vec![b'#'; 100 * 1024 * 1024]).unwrap();
    commit_all(&repository, "large");
    assert_eq!(read_revision(&repository, "HEAD", "").unwrap_err(), "`groups/a.toml` has 104857600 bytes; at most 4194304 are read");
}

#[test]
fn with_signers_every_new_commit_is_signed_by_a_listed_key() {
    let folder = Folder::new("bandpass_git_signed");
    let repository = folder.path().join("repository");
    fs::create_dir_all(&repository).unwrap();
    let key = |name: &str| {
        let path = folder.path().join(name);
        let made = std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&path).status().unwrap();
        assert!(made.success());
        (path.display().to_string(), fs::read_to_string(path.with_extension("pub")).unwrap())
    };
    let ((ada, ada_public), (eve, _)) = (key("ada"), key("eve"));
    git(&repository, &["init", "--quiet"]);
    let signed = |key: &str, message: &str| {
        let key = format!("user.signingkey={key}");
        git(&repository, &["-c", "gpg.format=ssh", "-c", &key, "commit", "--quiet", "--allow-empty", "-S", "-m", message]);
    };
    let mut mirror = mirror(folder.path(), &repository);
    mirror.signers = vec![format!("ada@example.org {}", ada_public.trim())];
    signed(&ada, "one");
    let first = mirror.fetch().unwrap();
    assert_eq!(mirror.may_follow(None, &first), Ok(()));
    signed(&ada, "two");
    assert_eq!(mirror.may_follow(Some(&first), &mirror.fetch().unwrap()), Ok(()));
    // A signed commit over an unsigned one does not cover it.
    commit_all(&repository, "three, unsigned");
    let unsigned = mirror.fetch().unwrap();
    signed(&ada, "four");
    assert_eq!(told(mirror.may_follow(Some(&first), &mirror.fetch().unwrap())), format!("commit {} is not signed", unsigned.short()));
    git(&repository, &["reset", "--quiet", "--hard", "HEAD~2"]);
    signed(&eve, "by another");
    let foreign = mirror.fetch().unwrap();
    let said = told(mirror.may_follow(Some(&first), &foreign));
    assert!(said.starts_with(&format!("commit {} ", foreign.short())) && said.contains("key"), "{said}");
    // The list may be a file.
    let list = folder.path().join("signers");
    fs::write(&list, &mirror.signers[0]).unwrap();
    mirror.signers = vec![list.display().to_string()];
    assert_eq!(mirror.may_follow(None, &first), Ok(()));
}

#[test]
fn the_service_follows_shows_failures_and_is_rung_by_a_signed_webhook() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = Folder::new("bandpass_git_service");
        organisation::write(folder.path(), organisation::Size { people: 20, instant: 2, asked: 1, asked_twice: 0 });
        let repository = folder.path().join("policies");
        let first = commit_all(&repository, "the first policy");
        let database = Database::sqlite(folder.path());
        let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", &database);
        service.set("POLICY__SOURCE", &format!("git+{}", repository.display()));
        // Only the webhook has it look again.
        service.set("POLICY__POLL_SECONDS", "3600");
        service.set("POLICY__WEBHOOK_SECRET", "ring");
        let took = service.start().await;
        println!("started in {took:?}");
        let address = service.address();
        let token = service.tokens(&[organisation::person(0)], "read")[0].clone();
        let ring = |secret: &str| {
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
            let signature: String = ring::hmac::sign(&key, b"{}").as_ref().iter().map(|b| format!("{b:02x}")).collect();
            http::request("POST", "/api/v1/policy/webhook", &[("X-Hub-Signature-256", &format!("sha256={signature}"))], Some("{}"))
        };
        let gitlab = |token: &str| http::request("POST", "/api/v1/policy/webhook", &[("X-Gitlab-Token", token)], Some("{}"));
        for (request, wanted) in [(ring("wrong"), 401), (gitlab("rin"), 401), (gitlab("ring"), 202)] {
            assert_eq!(http::once(address, &request).await.unwrap().status, wanted);
        }
        let policy = async || http::once(address, &http::request("GET", "/api/v1/policy", &[("Authorization", &format!("Bearer {token}"))], None)).await.unwrap().json();
        let ready = async || http::once(address, &http::request("GET", "/readyz", &[], None)).await.unwrap();
        assert_eq!(policy().await["commit"]["id"].as_str(), Some(first.as_str()));
        // A bad commit: degraded, still 200, the first stays in force; then a good one.
        let path = repository.join("groups/asked-0000.toml");
        let good = fs::read_to_string(&path).unwrap();
        fs::write(&path, good.replace("sensitivity", "sensitivty")).unwrap();
        commit_all(&repository, "a slip");
        assert_eq!(http::once(address, &ring("ring")).await.unwrap().status, 202);
        wait("degraded", async || ready().await.json()["status"] == "degraded").await;
        assert_eq!(ready().await.status, 200);
        let shown = policy().await;
        assert_eq!(shown["commit"]["id"].as_str(), Some(first.as_str()));
        assert!(shown["problems"][0]["help"].to_string().contains("sensitivity") || shown["problems"][0]["message"].to_string().contains("sensitiv"), "{shown}");
        let metrics = http::once(address, &http::request("GET", "/metrics", &[], None)).await.unwrap();
        let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
        assert!(metrics.contains("bandpass_policy_source_reachable 1") && !metrics.contains("bandpass_policy_errors 0"), "{metrics}");
        fs::write(&path, good.replace("Asked for asked 0", "Asked for, mended")).unwrap();
        let mended = commit_all(&repository, "mended");
        http::once(address, &ring("ring")).await.unwrap();
        wait("mended", async || policy().await["commit"]["id"].as_str() == Some(mended.as_str())).await;
        assert_eq!(ready().await.json()["status"], "ready");
        let failures: serde_json::Value = serde_json::from_str(&service.must(&["audit", "list", "--kind", "policy.load_failed", "--format", "json"])).unwrap();
        assert_eq!(failures["items"].as_array().map(Vec::len), Some(1), "{failures}");
        // The loads, newest first: who wrote them, what they did, and why one was refused.
        let history = policy().await["history"].clone();
        let told: Vec<(bool, Option<&str>, bool)> = history.as_array().unwrap().iter().map(|l| (l["loaded"].as_bool().unwrap(), l["commit"]["subject"].as_str(), l["errors"].as_u64().unwrap() > 0)).collect();
        assert_eq!(told, [(true, Some("mended"), false), (false, None, true), (true, Some("the first policy"), false)]);
        assert!(history[1]["problems"][0].as_str().is_some_and(|p| p.starts_with("groups/asked-0000.toml:")), "{history}");
        assert_eq!((history[0]["commit"]["author"].as_str(), history[0]["access"]["lost"].as_u64()), (Some("Ada Berg"), Some(0)));
        // The commands that a rollback prints bring the first files back, and the service takes them.
        let printed: serde_json::Value = serde_json::from_str(&service.must(&["policy", "rollback", "--format", "json"])).unwrap();
        let clone = folder.path().join("clone");
        git(folder.path(), &["clone", "--quiet", &repository.display().to_string(), "clone"]);
        git(&repository, &["config", "receive.denyCurrentBranch", "updateInstead"]);
        for command in printed["commands"].as_array().unwrap() {
            let script = command.as_str().unwrap();
            let done = std::process::Command::new("/bin/sh").args(["-c", script]).current_dir(&clone).envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "a@b"), ("GIT_COMMITTER_NAME", "Ada"), ("GIT_COMMITTER_EMAIL", "a@b")]).output().unwrap();
            assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
        }
        assert_eq!(read_revision(&repository, "main", "").unwrap(), read_revision(&repository, &first, "").unwrap());
        http::once(address, &gitlab("ring")).await.unwrap();
        wait("rolled back", async || policy().await["commit"]["subject"].as_str().is_some_and(|s| s.starts_with("Roll policy back"))).await;
        // Of a group that goes, an admin and whom it named last as owners see who holds it; for others it never was.
        let [owner, other]: [String; 2] = service.tokens(&[organisation::person(2), organisation::person(9)], "read").try_into().unwrap();
        git(&repository, &["rm", "--quiet", "groups/asked-0000.toml"]);
        let gone = commit_all(&repository, "one group less");
        http::once(address, &gitlab("ring")).await.unwrap();
        wait("gone", async || policy().await["commit"]["id"].as_str() == Some(gone.as_str())).await;
        assert_eq!(policy().await["history"][0]["groups_removed"][0], "asked-0000");
        for (token, wanted) in [(&token, 200), (&owner, 200), (&other, 404)] {
            let ask = http::request("GET", "/api/v1/groups/asked-0000/members", &[("Authorization", &format!("Bearer {token}"))], None);
            assert_eq!(http::once(address, &ask).await.unwrap().status, wanted);
        }
        // A start while the repository is away goes on with the last good set.
        service.stop();
        fs::rename(&repository, folder.path().join("away")).unwrap();
        service.start().await;
        wait("unreachable", async || ready().await.json()["policy_source_reachable"] == false).await;
        assert_eq!(ready().await.status, 200);
        service.stop();
        service.must(&["audit", "verify", "--rebuild"]);
    });
}

async fn wait(what: &str, mut until: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if until().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never {what}");
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
