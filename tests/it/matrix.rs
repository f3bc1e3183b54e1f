//! Who may call what: every route of the router by every kind of caller, as observed over the wire, kept in a file that
//! people review. A route that the table lacks fails.

use std::{collections::BTreeMap, fs, path::Path};

use bandpass::web::routes::{ROUTES, Route};

use crate::support::{browser::Browser, database::Database, http::{self, Answer}, service::{Folder, Service, program}};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/authz-matrix.txt");

/// A caller: a name for the table, whose token, with which scopes; none is nobody.
const ACTORS: &[(&str, &str, &str)] = &[
    ("nobody", "", ""),
    ("read token", "nora.lindqvist", "read"),
    ("requester", "nora.lindqvist", "read,request,approve"),
    ("colleague", "kofi.mensah", "read,request,approve"),
    ("owner", "ada.berg", "read,request,approve"),
    ("auditor", "rashid.karimi", "read,request,approve,audit"),
    ("auditor, no audit scope", "rashid.karimi", "read"),
    ("admin", "tuva.nilsen", "read,request,approve,admin"),
    // A program; the person answers for it.
    ("directory service", "tuva.nilsen", "scim"),
];

/// A caller in a browser: a name for the table, and who. The person who left signed in before.
const BROWSERS: &[(&str, &str)] = &[
    ("browser: requester", "nora.lindqvist"),
    ("browser: colleague", "kofi.mensah"),
    ("browser: owner", "ada.berg"),
    ("browser: auditor", "rashid.karimi"),
    ("browser: admin", "tuva.nilsen"),
    ("browser: has left", "jonas.haddad"),
];

/// A body that is right for a route, so that only rights decide.
fn body(pattern: &str) -> &'static str {
    match pattern {
        "/api/v1/requests" | "/api/v1/requests/preview" => r#"{"group":"no-such-group"}"#,
        "/api/v1/requests/{id}/deny" | "/api/v1/grants/{id}/revoke" => r#"{"reason":"no"}"#,
        "/api/v1/tokens" => r#"{"scopes":["request"],"expires":"1d"}"#,
        _ => "{}",
    }
}

/// The same for a form, after its token. Pages that act on what is named in the form are given what is not there.
fn fields(pattern: &str) -> &'static str {
    match pattern {
        "/request/{group}" => "duration=8h&justification=matrix",
        "/tokens" => "label=matrix&expires=7d&read=yes",
        "/policy/confirm-removals" => "connector=nowhere&reason=matrix",
        _ => "reason=matrix&comment=matrix",
    }
}

#[test]
fn every_route_answers_every_caller_as_agreed() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let table = runtime.block_on(observe());
    if std::env::var_os("BANDPASS_ACCEPT").is_some() {
        fs::create_dir_all(Path::new(GOLDEN).parent().unwrap()).unwrap();
        fs::write(GOLDEN, &table).unwrap();
    }
    let agreed = fs::read_to_string(GOLDEN).unwrap_or_default();
    assert_eq!(table, agreed, "the matrix differs from tests/golden/authz-matrix.txt; after a review: BANDPASS_ACCEPT=1");
}

/// The service with what callers need: a token each, and browsers that signed in.
struct Stage {
    service: Service,
    tokens: BTreeMap<&'static str, String>,
    browsers: Vec<(Browser, String)>,
    /// Objects of the requester: a pending request, a live grant.
    request: String,
    grant: String,
    asked: u32,
    _folder: Folder,
}

impl Stage {
    async fn set() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = Folder::new("bandpass_matrix");
        let database = Database::sqlite(folder.path());
        let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", &database);
        service.set("POLICY__SOURCE", &root.join("policies").display().to_string());
        service.set("DIRECTORY__SOURCE", &root.join("policies/org").display().to_string());
        service.set("POLICY__POLL_SECONDS", "3600");
        service.set("POLICY__WEBHOOK_SECRET", "a secret that no caller has");
        service.start().await;
        let mut tokens: BTreeMap<&str, String> = BTreeMap::new();
        for (actor, person, scopes) in ACTORS.iter().filter(|a| !a.1.is_empty()) {
            let whose = if *scopes == "scim" { ["--service", "okta", "--owner", person] } else { ["--person", person, "--label", actor] };
            let made = service.must(&[&["token", "create", "--scopes", scopes, "--format", "json"], &whose[..]].concat());
            let value: serde_json::Value = serde_json::from_str(&made).unwrap();
            tokens.insert(actor, value["token"].as_str().unwrap().to_owned());
        }
        let mut browsers = Vec::new();
        for (name, person) in BROWSERS {
            let mut browser = Browser::new(service.address());
            assert_eq!(browser.post("/signin", &format!("person={person}&return_to=/")).await.status, 303, "{name}");
            let csrf = browser.csrf("/tokens").await;
            browsers.push((browser, csrf));
        }
        // Somebody leaves, whose browser knows nothing of it.
        let people = fs::read_to_string(root.join("policies/org/people.toml")).unwrap();
        let without: Vec<&str> = people.split("[[person]]").filter(|p| !p.contains("id = \"jonas.haddad\"")).collect();
        let org = folder.path().join("org");
        fs::create_dir(&org).unwrap();
        fs::write(org.join("people.toml"), without.join("[[person]]")).unwrap();
        fs::copy(root.join("policies/org/teams.toml"), org.join("teams.toml")).unwrap();
        service.must(&["directory", "import", "--people", &org.display().to_string(), "--confirm"]);
        let mut stage = Self { service, tokens, browsers, request: String::new(), grant: String::new(), asked: 0, _folder: folder };
        stage.refresh().await;
        stage
    }

    /// Sees to it that the next caller meets the request pending and the grant live, whatever the one before did to them.
    async fn refresh(&mut self) {
        let request = self.by_token("requester", "GET", &format!("/api/v1/requests/{}", self.request), None).await.json();
        if request["status"] != "pending" {
            let filed = self.ask("warehouse-engineers").await;
            assert_eq!(filed["status"], "pending", "{filed}");
            self.request = filed["id"].as_str().unwrap().to_owned();
        }
        let held = self.by_token("requester", "GET", "/api/v1/grants?group=warehouse-analysts", None).await.json();
        if !held["items"].as_array().unwrap().iter().any(|g| g["id"] == self.grant.as_str()) {
            let mut filed = self.ask("warehouse-analysts").await;
            // Where somebody else took the last one away an owner is asked; a caller may have asked already.
            if let Some(waiting) = filed["request"].as_str().or(filed["id"].as_str().filter(|_| filed["status"] == "pending")) {
                let path = format!("/api/v1/requests/{waiting}/approve");
                filed = self.by_token("owner", "POST", &path, Some("{}")).await.json();
            }
            self.grant = filed["grant"]["id"].as_str().unwrap_or_else(|| panic!("{filed}")).to_owned();
        }
    }

    /// Each time for another time, so that no earlier denial is of the same request.
    async fn ask(&mut self, group: &str) -> serde_json::Value {
        self.asked += 1;
        let wish = format!(r#"{{"group":"{group}","duration":"{}m","justification":"matrix"}}"#, 480 - self.asked);
        self.by_token("requester", "POST", "/api/v1/requests", Some(&wish)).await.json()
    }

    fn path(&self, pattern: &str) -> String {
        match pattern {
            p if p.contains("/requests/{id}") => p.replace("{id}", &self.request),
            p if p.contains("/grants/{id}") => p.replace("{id}", &self.grant),
            p if p.contains("/people/{id}") => p.replace("{id}", "nora.lindqvist"),
            p if p.contains("/teams/{id}") => p.replace("{id}", "analytics"),
            p => p.replace("{id}", "warehouse-analysts").replace("{group}", "warehouse-analysts").replace("{seq}", "1").replace("{name}", "icon.svg").replace("{issuer}", "none"),
        }
    }

    async fn by_token(&self, actor: &str, method: &str, path: &str, body: Option<&str>) -> Answer {
        let token = self.tokens.get(actor).map(|t| format!("Bearer {t}"));
        let mut headers = vec![("Content-Type", "application/json")];
        headers.extend(token.as_deref().map(|t| ("Authorization", t)));
        http::once(self.service.address(), &http::request(method, path, &headers, body)).await.unwrap()
    }

    /// A copy of a browser asks, so that signing out and cookies of one route are not there at the next.
    async fn by_browser(&self, n: usize, route: &Route, path: &str) -> Answer {
        let (browser, csrf) = &self.browsers[n];
        let mut browser = browser.clone();
        let own = format!("Origin: http://{}\r\n", self.service.address());
        let is_page = !path.starts_with("/api/") && !path.starts_with("/scim/");
        let (kind, body) = if is_page { ("application/x-www-form-urlencoded", format!("csrf={csrf}&{}", fields(route.pattern))) } else { ("application/json", body(route.pattern).to_owned()) };
        match route.method.as_str() {
            "GET" => browser.get(path).await,
            method => browser.send_as(method, path, &body, &own, kind).await,
        }
    }
}

async fn observe() -> String {
    let mut stage = Stage::set().await;
    let names: Vec<&str> = ACTORS.iter().map(|a| a.0).chain(BROWSERS.iter().map(|b| b.0)).collect();
    let mut table = format!("{:<6}{:<38}", "", "route");
    for name in &names {
        table.push_str(&format!("{name:>25}"));
    }
    table.push('\n');
    let mut cells = 0;
    for route in ROUTES {
        table.push_str(&format!("{:<6}{:<38}", route.method.as_str(), route.pattern));
        for (n, name) in names.iter().enumerate() {
            let text = matches!(route.method.as_str(), "POST" | "PUT" | "PATCH").then(|| body(route.pattern));
            if ["/requests/{id}", "/grants/{id}", "/outcome"].iter().any(|part| route.pattern.contains(part)) {
                stage.refresh().await;
            }
            let path = stage.path(route.pattern);
            let answer = match n.checked_sub(ACTORS.len()) {
                None => stage.by_token(name, route.method.as_str(), &path, text).await,
                Some(n) => stage.by_browser(n, route, &path).await,
            };
            assert!(answer.status < 500, "{} {path} as {name}: {}", route.method, answer.shown());
            table.push_str(&format!("{:>25}", answer.status));
            cells += 1;
        }
        table.push('\n');
    }
    table.push_str(&format!("{} routes, {} callers, {cells} cells\n", ROUTES.len(), names.len()));
    stage.service.stop();
    table
}
