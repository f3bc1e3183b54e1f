//! Policy followed over ssh and https from real servers on loopback: host keys, certificates, keys and tokens that are right
//! or wrong, and no secret anywhere.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, path::{Path, PathBuf}, process::Command, time::Duration};

use crate::support::{database::Database, git::commit_all, http, leash::Leashed, organisation, service::{Folder, Service, program}};

/// Runs a program that must succeed.
fn must(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(output.status.success(), "{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A folder with people, and a repository of policies as one commit.
fn organisation(stem: &str) -> (Folder, PathBuf, String) {
    let folder = Folder::new(stem);
    organisation::write(folder.path(), organisation::Size { people: 20, instant: 2, asked: 1, asked_twice: 0 });
    let repository = folder.path().join("policies");
    let first = commit_all(&repository, "the first policy");
    (folder, repository, first)
}

/// A commit that changes the set: one with the same files would say nothing new.
fn another(repository: &Path) -> String {
    let path = repository.join("roles.toml");
    fs::write(&path, fs::read_to_string(&path).unwrap() + "# looked over\n").unwrap();
    commit_all(repository, "the second")
}

fn service(folder: &Path, name: &str, source: &str) -> Service {
    let database = Database::sqlite(folder);
    let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder, name, &database);
    service.set("POLICY__SOURCE", source);
    service.set("POLICY__POLL_SECONDS", "3600");
    service.set("POLICY__WEBHOOK_SECRET", "ring");
    // Everything that could hold a secret is looked through.
    service.set("LOG__LEVEL", "debug");
    service
}

/// What `/api/v1/policy` says, asked after the webhook was rung, until it is as wanted.
async fn until(service: &Service, token: &str, what: &str, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let ring = http::request("POST", "/api/v1/policy/webhook", &[("X-Gitlab-Token", "ring")], Some("{}"));
    assert_eq!(http::once(service.address(), &ring).await.unwrap().status, 202);
    let ask = http::request("GET", "/api/v1/policy", &[("Authorization", &format!("Bearer {token}"))], None);
    let mut said = serde_json::Value::Null;
    for _ in 0..600 {
        said = http::once(service.address(), &ask).await.unwrap().json();
        if wanted(&said) {
            return said;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never {what}: {said}\n{}", service.log());
}

fn commit(said: &serde_json::Value) -> Option<&str> {
    said["commit"]["id"].as_str()
}

fn unreachable(said: &serde_json::Value) -> &str {
    said["source_unreachable"].as_str().unwrap_or_default()
}

/// Nothing that was written below the folder holds the secret, but for the files named.
fn nowhere(folder: &Path, secret: &str, but: &[&str]) {
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            // A socket holds nothing.
            } else if path.is_file() && !but.iter().any(|name| path.ends_with(name)) {
                let bytes = fs::read(&path).unwrap();
                assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "the secret is in {}", path.display());
            }
        }
    }
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(work);
}

#[test]
fn over_ssh_the_host_key_and_our_key_must_be_right() {
    let server = std::env::var_os("BANDPASS_TEST_SSHD").map_or_else(|| PathBuf::from("/usr/sbin/sshd"), PathBuf::from);
    if !server.exists() {
        println!("skipped: there is no sshd (`tests/run` provides one)");
        return;
    }
    block_on(async {
        let (folder, repository, first) = organisation("bandpass_ssh");
        let at = |name: &str| folder.path().join("ssh").join(name);
        fs::create_dir(folder.path().join("ssh")).unwrap();
        fs::set_permissions(folder.path().join("ssh"), fs::Permissions::from_mode(0o700)).unwrap();
        for key in ["host", "other-host", "ours", "foreign"] {
            must("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", key, "-f", &shown(&at(key))]);
        }
        let public = |key: &str| fs::read_to_string(at(key).with_extension("pub")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::write(at("authorized"), format!("restrict {}", public("ours"))).unwrap();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n",
            shown(&at("host")),
            shown(&at("authorized"))
        );
        fs::write(at("config"), config).unwrap();
        // Where it keeps its empty folder for the unprivileged part, when root runs it.
        let _ = fs::create_dir_all("/run/sshd");
        let sshd = Leashed::spawn(&server, &["-D", "-e", "-f", &shown(&at("config"))], folder.path(), &at("log"), |_| {});
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(sshd.is_alive(), "{}", fs::read_to_string(at("log")).unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let known = |key: &str| fs::write(at("known"), format!("[127.0.0.1]:{port} {}", public(key))).unwrap();
        let command = |key: &str| format!("ssh -F none -i {} -o IdentitiesOnly=yes -o IdentityAgent=none -o UserKnownHostsFile={} -o GlobalKnownHostsFile=none -o StrictHostKeyChecking=yes -oBatchMode=yes -oConnectTimeout=10", shown(&at(key)), shown(&at("known")));
        known("host");
        let user = must("id", &["-un"]);
        let mut service = service(folder.path(), "run", &format!("ssh://{user}@127.0.0.1:{port}{}", shown(&repository)));
        service.environment("GIT_SSH_COMMAND", &command("ours"));
        service.start().await;
        let token = service.tokens(&[organisation::person(0)], "read")[0].clone();
        until(&service, &token, "the first commit", |said| commit(said) == Some(&first)).await;
        let second = another(&repository);
        until(&service, &token, "the second commit", |said| commit(said) == Some(&second)).await;
        // Somebody in between: another host key than the one known.
        known("other-host");
        let said = until(&service, &token, "refused", |said| !unreachable(said).is_empty()).await;
        assert!(unreachable(&said).contains("the server's host key is not the one in known_hosts"), "{said}");
        assert_eq!(commit(&said), Some(second.as_str()), "the last good set stays");
        fs::write(at("known"), "").unwrap();
        let said = until(&service, &token, "an unknown host", |said| unreachable(said).contains("not in known_hosts")).await;
        assert!(unreachable(&said).contains("add it, from the server's own"), "{said}");
        known("host");
        until(&service, &token, "reached again", |said| unreachable(said).is_empty()).await;
        service.stop();
        // A key that the server does not take: the service starts with what it had.
        service.environment("GIT_SSH_COMMAND", &command("foreign"));
        service.start().await;
        let said = until(&service, &token, "no deploy key", |said| !unreachable(said).is_empty()).await;
        assert!(unreachable(&said).contains("does not take our ssh key"), "{said}");
        assert_eq!(commit(&said), Some(second.as_str()));
        service.stop();
    });
}

#[test]
fn over_https_the_certificate_and_the_token_must_be_right_and_the_token_is_nowhere() {
    if ["openssl", "python3"].iter().any(|p| Command::new(p).arg("--help").output().is_err()) {
        println!("skipped: there is no openssl or python3");
        return;
    }
    block_on(async {
        let (folder, repository, first) = organisation("bandpass_https");
        let at = |name: &str| folder.path().join("tls").join(name);
        fs::create_dir(folder.path().join("tls")).unwrap();
        let authority = |name: &str| {
            must("openssl", &["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=Authority of a test", "-keyout", &shown(&at(&format!("{name}.key"))), "-out", &shown(&at(&format!("{name}.pem")))]);
        };
        authority("authority");
        authority("other");
        must("openssl", &["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", &shown(&at("server.key")), "-out", &shown(&at("server.csr"))]);
        fs::write(at("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        must("openssl", &["x509", "-req", "-in", &shown(&at("server.csr")), "-CA", &shown(&at("authority.pem")), "-CAkey", &shown(&at("authority.key")), "-CAcreateserial", "-days", "1", "-extfile", &shown(&at("names")), "-out", &shown(&at("server.pem"))]);
        let secret = "glpat-Zq8rT3kVn5";
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/git_https.py");
        let arguments = [script, &shown(&at("port")), &shown(folder.path()), &shown(&at("server.pem")), &shown(&at("server.key")), secret];
        let server = Leashed::spawn(Path::new("python3"), &arguments, folder.path(), &at("log"), |_| {});
        while !at("port").exists() {
            assert!(server.is_alive(), "{}", fs::read_to_string(at("log")).unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let port = fs::read_to_string(at("port")).unwrap();
        let source = |token: &str| format!("https://bot:{token}@127.0.0.1:{port}/policies/.git");
        let mut service = service(folder.path(), "run", &source(secret));
        service.environment("GIT_SSL_CAINFO", &shown(&at("authority.pem")));
        service.start().await;
        let token = service.tokens(&[organisation::person(0)], "read")[0].clone();
        let said = until(&service, &token, "the first commit", |said| commit(said) == Some(&first)).await;
        assert!(said["source"].as_str().is_some_and(|s| s.starts_with("https://bot:***@127.0.0.1")), "{said}");
        let second = another(&repository);
        until(&service, &token, "the second commit", |said| commit(said) == Some(&second)).await;
        service.stop();
        // An authority that did not sign the server's certificate.
        service.environment("GIT_SSL_CAINFO", &shown(&at("other.pem")));
        service.start().await;
        let said = until(&service, &token, "a foreign certificate", |said| !unreachable(said).is_empty()).await;
        assert!(unreachable(&said).contains("by no authority that this machine knows"), "{said}");
        assert_eq!(commit(&said), Some(second.as_str()), "the last good set stays");
        service.stop();
        // A token that was withdrawn, and none at all.
        service.environment("GIT_SSL_CAINFO", &shown(&at("authority.pem")));
        let withdrawn = "glpat-withdrawn0";
        for (source, wanted) in [(source(withdrawn), "does not take the token"), (source(secret).replace(&format!("bot:{secret}@"), ""), "asks for a token, and `policy.source` has none")] {
            service.set("POLICY__SOURCE", &source);
            service.start().await;
            let said = until(&service, &token, wanted, |said| !unreachable(said).is_empty()).await;
            assert!(unreachable(&said).contains(wanted), "{said}");
            service.stop();
        }
        let told = service.must(&["audit", "list", "--kind", "policy.", "--format", "json"]);
        assert!(told.contains("https://bot:***@") && !told.contains(secret) && !told.contains(withdrawn), "{told}");
        nowhere(folder.path(), secret, &[]);
        nowhere(folder.path(), withdrawn, &[]);
    });
}
