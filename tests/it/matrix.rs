//! Who may call what: every route of the router by every kind of caller, as observed over the wire, kept in a file that
//! people review. A route that the table lacks fails.

use std::{collections::BTreeMap, fs, path::Path};

use bandpass::web::routes::ROUTES;

use crate::support::{database::Database, http::Client, service::{Folder, Service, program}};

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

/// A body that is right for a route, so that only rights decide.
fn body(pattern: &str) -> &'static str {
    match pattern {
        "/api/v1/requests" | "/api/v1/requests/preview" => r#"{"group":"no-such-group"}"#,
        "/api/v1/requests/{id}/deny" => r#"{"reason":"no"}"#,
        _ => "{}",
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

async fn observe() -> String {
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
    let mut client = Client::connect(service.address()).await.unwrap();
    // Objects of the requester: a pending request, a live grant.
    let ask = |group: &str| format!(r#"{{"group":"{group}","duration":"8h","justification":"matrix"}}"#);
    let mut filed = Vec::new();
    for group in ["warehouse-engineers", "warehouse-analysts"] {
        let token = format!("Bearer {}", tokens["requester"]);
        let sent = crate::support::http::request("POST", "/api/v1/requests", &[("Authorization", &token), ("Content-Type", "application/json")], Some(&ask(group)));
        filed.push(client.send(&sent).await.unwrap().json());
    }
    let (request, grant) = (filed[0]["id"].as_str().unwrap().to_owned(), filed[1]["grant"]["id"].as_str().unwrap().to_owned());
    assert_eq!((filed[0]["status"].as_str(), filed[1]["status"].as_str()), (Some("pending"), Some("granted")));
    let mut table = format!("{:<6}{:<38}", "", "route");
    for (actor, ..) in ACTORS {
        table.push_str(&format!("{actor:>25}"));
    }
    table.push('\n');
    let mut cells = 0;
    // Acts that end the objects come last, so that every caller meets them as they are.
    let mut routes: Vec<_> = ROUTES.iter().collect();
    routes.sort_by_key(|r| (r.pattern.ends_with("/withdraw") || r.pattern.ends_with("/revoke") || r.pattern.ends_with("/deny"), r.pattern.ends_with("/approve")));
    for route in routes {
        let path = match route.pattern {
            p if p.contains("/requests/{id}") => p.replace("{id}", &request),
            p if p.contains("/grants/{id}") => p.replace("{id}", &grant),
            p if p.contains("/people/{id}") => p.replace("{id}", "nora.lindqvist"),
            p if p.contains("/teams/{id}") => p.replace("{id}", "analytics"),
            p => p.replace("{id}", "warehouse-analysts").replace("{group}", "warehouse-analysts").replace("{seq}", "1").replace("{name}", "icon.svg").replace("{issuer}", "none"),
        };
        table.push_str(&format!("{:<6}{:<38}", route.method.as_str(), route.pattern));
        for (actor, ..) in ACTORS {
            let token = tokens.get(actor).map(|t| format!("Bearer {t}"));
            let mut headers = vec![("Content-Type", "application/json")];
            headers.extend(token.as_deref().map(|t| ("Authorization", t)));
            let text = matches!(route.method.as_str(), "POST" | "PUT" | "PATCH").then(|| body(route.pattern));
            let answer = crate::support::http::once(service.address(), &crate::support::http::request(route.method.as_str(), &path, &headers, text)).await.unwrap();
            assert!(answer.status < 500, "{} {path} as {actor}: {}", route.method, answer.shown());
            table.push_str(&format!("{:>25}", answer.status));
            cells += 1;
        }
        table.push('\n');
    }
    table.push_str(&format!("{} routes, {} callers, {cells} cells\n", ROUTES.len(), ACTORS.len()));
    service.stop();
    table
}
