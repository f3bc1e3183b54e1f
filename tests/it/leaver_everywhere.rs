//! One SCIM call, and somebody is out of everything: sessions, tokens, requests, votes, grants, and fifty roles of a real
//! PostgreSQL. The real program with a real target, on both databases.

use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    browser::{Browser, header},
    database::Database,
    http::{self, Answer, Client, request},
    issuer::{Issuer, query},
    organisation::{self, Size, group, person},
    postgres::{self, Postgres},
    service::{Folder, Service, program},
};

/// Groups that the leaver holds, each a role in the target.
const ROLES: usize = 50;

/// The leaver owns the groups that are asked for, so their vote counts.
const LEAVER: usize = 2;

struct Company {
    service: Service,
    database: Database,
    target: Postgres,
    issuer: Issuer,
    _folder: Folder,
}

impl Company {
    /// People of files, an issuer, a target with a role for each group, and accounts in it for the leaver and a colleague.
    async fn open(folder: Folder, database: Database) -> Self {
        organisation::write(folder.path(), Size { people: 20, instant: ROLES, asked: 1, asked_twice: 1 });
        let file = folder.path().join("people/people.toml");
        let mut people = fs::read_to_string(&file).unwrap();
        for (n, account) in [(LEAVER, "leaver"), (7, "colleague")] {
            let line = format!("id = \"{}\"\n", person(n));
            people = people.replacen(&line, &format!("{line}accounts = {{ warehouse = \"{account}\" }}\n"), 1);
        }
        fs::write(&file, people).unwrap();
        let target = Postgres::start(&[]);
        let mut sql = String::from("CREATE ROLE leaver LOGIN; CREATE ROLE colleague LOGIN; CREATE ROLE connector LOGIN PASSWORD 'of-the-connector';");
        let roles: Vec<String> = (0..ROLES).map(|n| format!("role_{n}")).collect();
        roles.iter().for_each(|role| write!(sql, "CREATE ROLE {role}; GRANT {role} TO connector WITH ADMIN OPTION;").unwrap());
        target.sql(&sql);
        let issuer = Issuer::start().await;
        let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", &database);
        service.configure(&format!("[signin]\nmode = \"oidc\"\n{}", issuer.settings("corp", "person_claim = \"employee\"")));
        service.set("CONNECTOR__WAREHOUSE__KIND", "postgres");
        service.set("CONNECTOR__WAREHOUSE__URL", &target.url_of("connector", "of-the-connector", "postgres"));
        service.set("CONNECTOR__WAREHOUSE__ALLOWED_ROLES", &json!(roles).to_string());
        service.set("DIRECTORY__MAX_LEAVE_SHARE", "1.0");
        if database.superuser_url().is_some() {
            service.must(&["db", "migrate"]);
        }
        service.start().await;
        Self { service, database, target, issuer, _folder: folder }
    }

    fn secret(&self, arguments: &[&str]) -> String {
        let all = [&["token", "create", "--format", "json"], arguments].concat();
        serde_json::from_str::<Value>(&self.service.must(&all)).unwrap()["token"].as_str().unwrap().to_owned()
    }

    async fn api(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let (bearer, body) = (format!("Bearer {token}"), body.map(Value::to_string));
        http::once(self.service.address(), &request(method, path, &[("Authorization", &bearer)], body.as_deref())).await.unwrap()
    }

    async fn ask(&self, token: &str, group: &str) -> Value {
        let answer = self.api(token, "POST", "/api/v1/requests", Some(&json!({ "group": group, "duration": "8h" }))).await;
        assert_eq!(answer.status, 201, "{}", answer.shown());
        answer.json()
    }

    /// A whole sign-in of a person; answers the browser, and the status it ended with.
    async fn sign_in(&self, n: usize) -> (Browser, u16) {
        let mut browser = Browser::new(self.service.address());
        let began = browser.get("/signin/corp").await;
        let asked = query(header(&began, "location").unwrap());
        let code = self.issuer.code(&asked, &json!({ "sub": format!("s-{n}"), "employee": person(n) }));
        let iss = self.issuer.url().replace(':', "%3A").replace('/', "%2F");
        let answer = browser.get(&format!("/signin/corp/callback?code={code}&state={}&iss={iss}", asked["state"])).await;
        (browser, answer.status)
    }

    /// Roles that an account holds in the target.
    fn held(&self, account: &str) -> usize {
        let sql = format!("SELECT count(*) FROM pg_auth_members m JOIN pg_roles p ON p.oid = m.member WHERE p.rolname = '{account}'");
        self.target.sql(&sql).parse().unwrap()
    }

    async fn until_held(&self, account: &str, many: usize) -> Duration {
        let began = Instant::now();
        while self.held(account) != many {
            assert!(began.elapsed() < Duration::from_secs(120), "`{account}` holds {} roles of the target, not {many}", self.held(account));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        began.elapsed()
    }

    /// Kinds and causes of the events that one transaction wrote: those of the time at which a person left.
    fn events_of_leaving(&self) -> Vec<String> {
        let at = format!("SELECT at FROM audit_log WHERE kind = 'person.left' AND person = '{}'", person(LEAVER));
        self.database.lines(&format!("SELECT kind AS line FROM audit_log WHERE at = ({at}) ORDER BY seq"))
    }
}

async fn play(folder: Folder, database: Database) {
    let mut company = Company::open(folder, database).await;
    let leaver = person(LEAVER);
    // The directory's program takes over the word on whether the leaver works here.
    let scim = company.secret(&["--service", "okta", "--owner", &person(0), "--scopes", "scim"]);
    let joined = company.api(&scim, "POST", "/scim/v2/Users", Some(&json!({ "userName": leaver, "externalId": leaver, "displayName": "Lea Leaver" }))).await;
    assert_eq!((joined.status, joined.json()["id"].as_str()), (201, Some(leaver.as_str())), "{}", joined.shown());

    let all = "read,request,approve";
    let own = company.secret(&["--person", &leaver, "--scopes", all]);
    let service = company.secret(&["--service", "nightly", "--owner", &leaver, "--scopes", "read,request"]);
    let (colleague, second, auditor) = (company.secret(&["--person", &person(7), "--scopes", all]), company.secret(&["--person", &person(3), "--scopes", all]), company.secret(&["--person", &person(1), "--scopes", "read,audit"]));
    let ((mut first_browser, _), (mut other_browser, _)) = (company.sign_in(LEAVER).await, company.sign_in(LEAVER).await);
    let before = [first_browser.get("/access").await.status, other_browser.get("/access").await.status];
    assert_eq!(before, [200, 200]);

    // Fifty roles, a request that waits, one filed with their service token, and a vote, one of two, for a colleague.
    for n in 0..ROLES {
        assert_eq!(company.ask(&own, &group("instant", n)).await["status"], "granted");
    }
    company.until_held("leaver", ROLES).await;
    let waiting = company.ask(&own, &group("asked", 0)).await["id"].as_str().unwrap().to_owned();
    let by_service = company.ask(&service, &group("asked-twice", 0)).await["id"].as_str().unwrap().to_owned();
    let voted = company.ask(&colleague, &group("asked-twice", 0)).await["id"].as_str().unwrap().to_owned();
    let vote = company.api(&own, "POST", &format!("/api/v1/requests/{voted}/approve"), Some(&json!({}))).await;
    assert_eq!((vote.status, vote.json()["status"].as_str()), (200, Some("pending")), "{}", vote.shown());
    // Fifty additions of somebody else are under way when the call comes.
    for n in 0..ROLES {
        company.ask(&colleague, &group("instant", n)).await;
    }

    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{ "op": "Replace", "path": "active", "value": "False" }] });
    let mut client = Client::connect(company.service.address()).await.unwrap();
    let patch = request("PATCH", &format!("/scim/v2/Users/{leaver}"), &[("Authorization", &format!("Bearer {scim}"))], Some(&body.to_string()));
    let began = Instant::now();
    let answer = client.send(&patch).await.unwrap();
    let call = began.elapsed();
    assert_eq!(answer.status, 200, "{}", answer.shown());

    // Whatever is asked first after the answer is refused already: nothing here waits or tries again.
    let out = [first_browser.get("/access").await.status, other_browser.get("/access").await.status];
    assert!(out.iter().all(|status| [303, 401].contains(status)), "sessions: {out:?}");
    assert_eq!(company.api(&own, "GET", "/api/v1/groups", None).await.status, 401);
    assert_eq!(company.api(&service, "GET", "/api/v1/groups", None).await.status, 401);
    let refused = company.api(&second, "POST", &format!("/api/v1/requests/{voted}/approve"), Some(&json!({}))).await;
    assert_eq!((refused.status, refused.json()["status"].as_str()), (200, Some("pending")), "the leaver's vote is not counted: {}", refused.shown());
    for id in [&waiting, &by_service] {
        assert_eq!(company.api(&auditor, "GET", &format!("/api/v1/requests/{id}"), None).await.json()["status"], "withdrawn");
    }
    let grants = company.api(&auditor, "GET", &format!("/api/v1/grants?person={leaver}"), None).await.json();
    assert!(grants["items"].as_array().unwrap().iter().all(|grant| grant["status"] != "live" && grant["status"] != "active"), "{grants}");
    let checked = began.elapsed();
    let removed = company.until_held("leaver", 0).await + checked;
    company.until_held("colleague", ROLES).await;

    // All of it is one transaction, the removals with it.
    let events = company.events_of_leaving();
    let many = |kind: &str| events.iter().filter(|k| *k == kind).count();
    let counted = ["person.left", "grant.revoked", "request.withdrawn", "approval.voided", "session.ended", "token.revoked"].map(many);
    assert_eq!(counted, [1, ROLES, 2, 1, 2, 2], "{events:?}");
    let queued = company.database.count(&format!("SELECT CAST(count(*) AS TEXT) AS line FROM deliveries WHERE action = 'remove' AND person = '{leaver}'"));
    assert_eq!(queued, ROLES as u64);
    let (mut browser, again) = company.sign_in(LEAVER).await;
    assert_eq!(again, 403, "whoever left does not sign in");
    assert_ne!(browser.get("/access").await.status, 200);
    company.service.stop();
    let verified = company.service.must(&["audit", "verify", "--rebuild"]);
    let replayed = company.service.must(&["audit", "replay"]);
    println!(
        "{}: SCIM call answered in {:.1} ms; 2 sessions, 2 tokens, 2 requests, 1 vote, {ROLES} grants out with it (asked one by one: {} ms); {ROLES} roles gone from PostgreSQL {} ms after the call; a new sign-in: {again}; {}; {}",
        company.database.title(),
        call.as_secs_f64() * 1000.0,
        checked.as_millis(),
        removed.as_millis(),
        verified.trim(),
        replayed.trim()
    );
}

#[test]
fn one_scim_call_and_they_are_out_of_everything() {
    if let Some(why) = postgres::missing() {
        println!("left out: {why}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = Folder::new("bandpass_leaver");
        let database = Database::sqlite(folder.path());
        play(folder, database).await;
        play(Folder::new("bandpass_leaver"), Database::postgres(Postgres::shared())).await;
    });
}
