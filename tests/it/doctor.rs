//! The set-up doctor on broken configurations, through the real program. `tests/golden/doctor.txt` is read like a page: what was
//! broken, and what is said of it. The two with a PostgreSQL server are in `doctor-postgres.txt`.

use std::{fs, io::{Read, Write}, net::TcpListener, os::unix::fs::PermissionsExt, path::Path};

use serde_json::{Value, json};

use crate::{
    house,
    support::{
        database::Database,
        git::commit_all,
        http,
        issuer::{Issuer, Mood},
        postgres::{self, Postgres},
        service::{Folder, Service, program},
    },
};

/// A sound configuration to break, and what is put in place of words that differ from run to run.
struct Patient {
    folder: Folder,
    service: Service,
    words: Vec<(String, String)>,
}

impl Patient {
    fn new(database: impl FnOnce(&Path) -> Database) -> Self {
        let folder = Folder::new("bandpass_doctor");
        for (path, bytes) in house::files() {
            let file = folder.path().join("policies").join(&path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            let described = String::from_utf8(bytes).unwrap().replacen("\nowner =", "\ndescription = \"What it opens.\"\nowner =", 1);
            let described = if path.ends_with("secret.toml") { described.replace("everyone", "team:owners") } else { described };
            fs::write(file, described).unwrap();
        }
        fs::create_dir_all(folder.path().join("people")).unwrap();
        fs::write(folder.path().join("people/all.toml"), people()).unwrap();
        let database = database(folder.path());
        let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", &database);
        service.configure("[[connector]]\nname = \"target\"\nkind = \"memory\"\n");
        // The owner's password is only for migrations.
        service.set("DATABASE__MIGRATE_URL", "");
        let words = vec![
            (folder.path().display().to_string(), "FOLDER".to_owned()),
            (service.address().port().to_string(), "PORT".to_owned()),
        ];
        Self { folder, service, words }
    }

    fn on_sqlite() -> Self {
        Self::new(Database::sqlite)
    }

    fn also(&mut self, text: &str, instead: &str) {
        self.words.push((text.to_owned(), instead.to_owned()));
    }

    /// What the doctor says in text, with its status; the same as JSON is held against it.
    fn says(&self) -> (i32, String) {
        let run = |format: &str| {
            let out = self.service.run(&["doctor", "--format", format]);
            assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
            (out.status.code().unwrap(), String::from_utf8(out.stdout).unwrap())
        };
        let (status, text) = run("text");
        let value: Value = serde_json::from_str(&run("json").1).unwrap();
        let findings = value["findings"].as_array().unwrap();
        assert_eq!(status == 1, findings.iter().any(|f| f["state"] == "fault"), "{text}");
        for finding in findings {
            assert_eq!(finding["state"] == "ok", finding["cure"].is_null(), "what is wrong has a cure, and nothing else: {finding}");
            // The clock goes on between the two.
            assert!(finding["name"] == "clock" || text.contains(finding["detail"].as_str().unwrap().lines().next().unwrap()), "{finding}\n{text}");
        }
        (status, text)
    }

    /// The page of the golden file: without what is well, and with words that do not differ.
    fn page(&self, title: &str, more: &[(&str, &str)]) -> String {
        let (status, mut text) = self.says();
        for (from, to) in self.words.iter().map(|(a, b)| (a.as_str(), b.as_str())).chain(more.iter().copied()) {
            text = text.replace(from, to);
        }
        let well = text.lines().filter(|l| l.starts_with("ok ")).count();
        let kept: Vec<&str> = text.lines().filter(|l| !l.starts_with("ok ")).collect();
        assert!(well > 0 || status == 1);
        format!("======== {title}\n\n{}\n(exit {status})\n\n\n", timeless(&kept.join("\n")))
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.folder.path().join(path), text).unwrap();
    }
}

/// The catalogue's API of a Backstage, in moods.
struct Backstage {
    address: std::net::SocketAddr,
    mood: std::sync::Arc<std::sync::Mutex<&'static str>>,
}

impl Backstage {
    fn start(mood: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let backstage = Self { address: listener.local_addr().unwrap(), mood: std::sync::Arc::new(std::sync::Mutex::new(mood)) };
        let mood = std::sync::Arc::clone(&backstage.mood);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut bytes = [0; 4096];
                let Ok(read) = stream.read(&mut bytes) else { continue };
                let text = String::from_utf8_lossy(&bytes[..read]).to_ascii_lowercase();
                let is_user = text.contains("filter=kind=user");
                let some = |n: usize| json!({ "items": vec![json!({}); n.min(1)], "totalItems": n, "pageInfo": {} }).to_string();
                let (status, kind, body) = match *mood.lock().unwrap() {
                    "closed" => (401, "application/json", json!({ "error": {} }).to_string()),
                    "html" => (200, "text/html", "<!doctype html>".to_owned()),
                    "other" => (200, "application/json", "{}".to_owned()),
                    "nobody" => (200, "application/json", some(0)),
                    "flat" => (200, "application/json", some(if is_user { 7 } else { 0 })),
                    _ if !text.contains("authorization: bearer secret-token") => (401, "application/json", "{}".to_owned()),
                    _ => (200, "application/json", some(if is_user { 666 } else { 165 })),
                };
                let _ = stream.write_all(format!("HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).as_bytes());
            }
        });
        backstage
    }

    fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    fn be(&self, mood: &'static str) {
        *self.mood.lock().unwrap() = mood;
    }
}

/// The company, where everybody but one has a manager.
fn people() -> String {
    house::PEOPLE.replace("team = \"owners\"", "team = \"owners\"\nmanager = \"ada\"").replace("id = \"max\"\n", "id = \"max\"\nmanager = \"olga\"\n")
}

/// Without how long something took.
fn timeless(text: &str) -> String {
    let mut parts = text.split(" after ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        out.push_str(if rest.starts_with(" ms") { " after SOME" } else { " after " });
        out.push_str(if rest.starts_with(" ms") { rest } else { part });
    }
    out
}

fn agreed(name: &str, pages: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("BANDPASS_ACCEPT").is_some() {
        fs::write(&path, pages).unwrap();
    }
    assert_eq!(pages, fs::read_to_string(&path).unwrap_or_default(), "{name} differs; after reading it: BANDPASS_ACCEPT=1");
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

#[test]
fn what_is_broken_is_named_with_its_cure() {
    let pages = block_on(async {
        let mut pages = String::new();
        let sound = Patient::on_sqlite();
        assert_eq!(sound.says().0, 0, "{}", sound.says().1);
        pages.push_str(&sound.page("a sound configuration before the first start", &[]));

        let mut unread = Patient::on_sqlite();
        unread.service.set("SERVER__LISTN", "127.0.0.1:80");
        unread.service.set("LEDGER__BATCH", "1000");
        pages.push_str(&unread.page("a key that does not exist", &[]));
        let mut unread = Patient::on_sqlite();
        unread.service.set("LEDGER__BATCH", "1000");
        unread.service.set("POLICY__SOURCE", "ftp://git.example/policies");
        unread.service.set("DATABASE__URL", "mysql://db.example/bandpass");
        pages.push_str(&unread.page("values that cannot be", &[]));

        // Where it listens, and what others may do to files.
        let mut open = Patient::on_sqlite();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        open.also(&address.port().to_string(), "TAKEN");
        open.service.set("SERVER__LISTEN", &address.to_string());
        open.service.set("SERVER__PUBLIC_URL", "http://localhost/bandpass");
        open.write("audit.key", "not a key");
        fs::set_permissions(open.folder.path().join("audit.key"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(open.folder.path().join("run"), fs::Permissions::from_mode(0o777)).unwrap();
        pages.push_str(&open.page("a port that is taken, a path in the public address, keys for everybody", &[]));

        // Policy and people.
        let mut files = Patient::on_sqlite();
        files.write("policies/groups/instant.toml", "title = \"instant\"\nowner = \"team:ownrs\"\nsensitivity = \"internal\"\n[[rule]]\nname = \"ops\"\nwho = [\"team:ops\"]\nthen = \"grnt\"\nfor = \"30d\"\n");
        files.write("policies/roles.toml", "[admin]\nwho = [\"person:gone\"]\n");
        files.write("people/all.toml", &people().replace("manager = \"max\"", "manager = \"maxx\""));
        pages.push_str(&files.page("files with errors", &[]));
        files.service.set("POLICY__SOURCE", &files.folder.path().join("polices").display().to_string());
        files.service.set("DIRECTORY__SOURCE", "");
        pages.push_str(&files.page("no policy, no people", &[]));

        // A repository that is not there, by its credentials.
        let mut far = Patient::on_sqlite();
        commit_all(&far.folder.path().join("policies"), "one");
        far.service.set("POLICY__SOURCE", &format!("git+{}", far.folder.path().join("policies").display()));
        far.service.set("POLICY__BRANCH", "mian");
        pages.push_str(&far.page("a branch that does not exist", &[]));
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        far.also(&nobody.to_string(), "NOBODY");
        far.service.set("POLICY__SOURCE", &format!("https://bot:secret-token@127.0.0.1:{nobody}/policies.git"));
        let page = far.page("a repository that cannot be reached", &[]);
        assert!(!page.contains("secret-token"), "{page}");
        pages.push_str(&page);

        // Who signs in.
        let issuer = Issuer::start().await;
        let oidc = |issuer: &Issuer, more: &str, rest: &str| {
            let mut patient = Patient::on_sqlite();
            patient.also(&issuer.url(), "ISSUER");
            patient.service.configure(&format!("[signin]\nmode = \"oidc\"\n{rest}\n{}\n[[connector]]\nname = \"target\"\nkind = \"memory\"\n", issuer.settings("corp", more)));
            patient
        };
        let page = oidc(&issuer, "person_field = \"accounts.corp\"", "").page("an issuer that answers, and people whom it could not name", &[]);
        pages.push_str(&page);
        issuer.date_moves_by(-600);
        pages.push_str(&oidc(&issuer, "", "").page("an issuer whose clock is ten minutes late", &[]));
        issuer.date_moves_by(0);
        issuer.be("/jwks", Mood::Html);
        pages.push_str(&oidc(&issuer, "", "").page("an issuer whose keys are a page for people", &[]));
        issuer.be("/jwks", Mood::Good);
        issuer.say("issuer", json!("https://idp.example/realms/other"));
        pages.push_str(&oidc(&issuer, "", "").page("an issuer that calls itself otherwise", &[]));

        // Catalogues: Backstage in each of its moods.
        let backstage = Backstage::start("good");
        for (mood, title) in [
            ("good", "a catalogue that answers"),
            ("closed", "a catalogue that does not take the token"),
            ("html", "a catalogue whose address is that of its pages"),
            ("other", "something else where the catalogue should be"),
            ("nobody", "a catalogue with nobody in it"),
            ("flat", "a catalogue without teams"),
        ] {
            let mut patient = Patient::on_sqlite();
            patient.also(&backstage.address().to_string(), "BACKSTAGE");
            backstage.be(mood);
            patient.service.configure(&format!("[[directory.catalog]]\nname = \"backstage\"\nurl = \"http://{}\"\ntoken = \"secret-token\"\n[[connector]]\nname = \"target\"\nkind = \"memory\"\n", backstage.address()));
            let page = patient.page(title, &[]);
            assert!(!page.contains("secret-token"), "{page}");
            assert_eq!(mood == "good", patient.says().1.contains("ok       catalogue backstage: "), "{page}");
            pages.push_str(&page);
        }
        let mut patient = Patient::on_sqlite();
        patient.also(&nobody.to_string(), "NOBODY");
        patient.also(&backstage.address().to_string(), "BACKSTAGE");
        backstage.be("closed");
        let two = format!("[[directory.catalog]]\nname = \"backstage\"\nurl = \"http://{}\"\n[[directory.catalog]]\nname = \"away\"\nurl = \"http://127.0.0.1:{nobody}\"\n", backstage.address());
        patient.service.configure(&format!("{two}[[connector]]\nname = \"target\"\nkind = \"memory\"\n"));
        pages.push_str(&patient.page("two catalogues: one wants a token, the other is away", &[]));

        // A target that is away.
        let mut target = Patient::on_sqlite();
        target.also(&nobody.to_string(), "NOBODY");
        target.service.configure(&format!("[signin]\ndevelopment_real_targets = true\n[[connector]]\nname = \"target\"\nkind = \"postgres\"\nurl = \"postgres://connector:secret-pw@127.0.0.1:{nobody}/x\"\nallowed_roles = [\"writer\"]\n"));
        let page = target.page("a target system that is away, and a role that may not be given", &[]);
        assert!(!page.contains("secret-pw"), "{page}");
        pages.push_str(&page);
        pages
    });
    agreed("doctor.txt", &pages);
}

#[test]
fn a_running_service_is_looked_at_from_outside_and_from_within() {
    block_on(async {
        let mut patient = Patient::on_sqlite();
        patient.service.start().await;
        let (status, said) = patient.says();
        assert!(status == 0 && said.contains("append-only: every try to change the past was refused"), "{said}");
        // No file of a start is for others.
        assert!(said.ends_with("0 faults, 0 warnings, 11 well\n"), "{said}");
        let [admin, other]: [String; 2] = patient.service.tokens(&["ada".to_owned(), "ann".to_owned()], "read,admin").try_into().unwrap();
        let ask = |token: &str| http::request("GET", "/api/v1/system", &[("Authorization", &format!("Bearer {token}"))], None);
        assert_eq!(http::once(patient.service.address(), &ask(&other)).await.unwrap().status, 403);
        let system = http::once(patient.service.address(), &ask(&admin)).await.unwrap().json();
        assert_eq!((system["state"].as_str(), system["deciding"].as_bool(), system["queue"].as_u64()), (Some("ok"), Some(true), Some(0)), "{system}");
        assert!(system["database"].as_str().is_some_and(|d| d.starts_with("SQLite 3.")), "{system}");
        assert_eq!(system["duties"], json!(["deliver", "decide-again", "follow-folder"]));
        // A program that feeds the directory, before and after it came; its use is noted within a quarter of a minute.
        let made: Value = serde_json::from_str(&patient.service.must(&["token", "create", "--service", "okta", "--owner", "ada", "--scopes", "scim", "--format", "json"])).unwrap();
        let (status, said) = patient.says();
        assert!(status == 0 && said.contains("warning  directory feed: `okta` has a token that feeds the directory, and never came with it"), "{said}");
        let users = http::request("GET", "/scim/v2/Users", &[("Authorization", &format!("Bearer {}", made["token"].as_str().unwrap()))], None);
        assert_eq!(http::once(patient.service.address(), &users).await.unwrap().status, 200);
        let mut said = String::new();
        for _ in 0..120 {
            // In text alone: seconds pass between two formats.
            said = String::from_utf8(patient.service.run(&["doctor"]).stdout).unwrap();
            if said.contains("`okta` feeds the directory, last") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        }
        assert!(said.contains("; its token ends in ") && said.contains("0 faults, 0 warnings"), "{said}");
        // The log is tampered with past the service: a trigger goes.
        patient.service.stop();
        let path = patient.folder.path().join("bandpass.db");
        let dropped = std::process::Command::new("python3").args(["-c", "import sqlite3,sys; d=sqlite3.connect(sys.argv[1]); [d.execute('DROP TRIGGER '+n) for (n,) in d.execute(\"SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name='audit_log'\").fetchall()]; d.commit()"]).arg(&path).status();
        if dropped.is_ok_and(|s| s.success()) {
            let out = patient.service.run(&["doctor"]);
            let (status, said) = (out.status.code(), String::from_utf8(out.stdout).unwrap());
            assert!(status == Some(1) && said.contains("fault    audit log: the past can be changed; these worked in a rolled-back try:\n           UPDATE audit_log SET actor"), "{said}");
        }
    });
}

#[test]
fn a_database_and_a_target_on_postgresql_are_looked_at() {
    if let Some(why) = postgres::missing() {
        println!("skipped: {why}");
        return;
    }
    let pages = block_on(async {
        let mut pages = String::new();
        let server = Postgres::shared();
        let mut patient = Patient::new(|_| Database::postgres(server.clone()));
        let database = Database::postgres(server.clone());
        let Database::Postgres { name, .. } = &database else { unreachable!() };
        let service_url = database.url();
        patient.also(name, "NAME");
        let port = service_url.rsplit_once(':').unwrap().1.split('/').next().unwrap().to_owned();
        patient.also(&format!(":{port}"), ":SERVER");
        patient.service.set("DATABASE__URL", &service_url);
        pages.push_str(&patient.page("a database where no migration has run", &[]));
        // The owner as the service's role, with the way to migrate left in the configuration.
        patient.service.set("DATABASE__MIGRATE_URL", &database.migrate_url());
        patient.service.must(&["db", "migrate"]);
        patient.service.set("DATABASE__URL", &database.migrate_url());
        pages.push_str(&patient.page("the owner of the tables as the service's role", &[]));
        patient.service.set("DATABASE__URL", &service_url);
        patient.service.set("DATABASE__MIGRATE_URL", "");
        let (status, said) = patient.says();
        assert_eq!(status, 0, "{said}");
        // A right that somebody took away.
        Postgres::sql_at(&database.superuser_url().unwrap(), &format!("REVOKE EXECUTE ON FUNCTION ledger_append FROM PUBLIC, {name}_service; REVOKE SELECT ON grants FROM {name}_service")).unwrap();
        pages.push_str(&patient.page("rights that somebody took away", &[]));
        // A connector that is worth too much.
        let mut target = Patient::on_sqlite();
        target.also(name, "NAME");
        server.sql(&format!("CREATE ROLE {name}_connector LOGIN CREATEROLE PASSWORD 'pw'; CREATE ROLE {name}_reader"));
        let url = server.url_of(&format!("{name}_connector"), "pw", name);
        target.service.configure(&format!("[signin]\ndevelopment_real_targets = true\n[[connector]]\nname = \"target\"\nkind = \"postgres\"\nurl = \"{url}\"\nallowed_roles = [\"{name}_reader\", \"{name}_writer\"]\n"));
        pages.push_str(&target.page("a connector that may create roles, and roles that it cannot give", &[]));
        pages
    });
    agreed("doctor-postgres.txt", &pages);
}
