//! Tokens over the wire: made on a page and shown once, told of, last use; a service acts for its owner and never votes.

use std::time::{Duration, Instant};

use crate::support::{
    database::Database,
    http::{self, Answer, request},
    organisation::{self, Size},
    service::{Folder, Service, program},
};

struct Page<'a> {
    service: &'a Service,
    cookie: String,
}

impl<'a> Page<'a> {
    /// Signs a person in.
    async fn of(service: &'a Service, person: &str) -> Self {
        let form = "application/x-www-form-urlencoded";
        let origin = format!("http://{}", service.address());
        let body = format!("person={person}&return_to=/");
        let text = format!("POST /signin HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\nContent-Type: {form}\r\nContent-Length: {}\r\n\r\n{body}", service.address(), body.len());
        let answer = http::once(service.address(), text.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 303, "{}", answer.shown());
        let cookie = answer.head.lines().find_map(|l| l.strip_prefix("set-cookie: ").or_else(|| l.strip_prefix("Set-Cookie: "))).unwrap();
        Self { service, cookie: cookie.split(';').next().unwrap().to_owned() }
    }

    async fn get(&self, path: &str) -> Answer {
        let text = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n\r\n", self.service.address(), self.cookie);
        http::once(self.service.address(), text.as_bytes()).await.unwrap()
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        let (address, cookie) = (self.service.address(), &self.cookie);
        let text = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nCookie: {cookie}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        http::once(address, text.as_bytes()).await.unwrap()
    }

    async fn csrf(&self) -> String {
        let page = String::from_utf8(self.get("/tokens").await.body).unwrap();
        let after = page.split_once("name=\"csrf\" value=\"").unwrap().1;
        after.split_once('"').unwrap().0.to_owned()
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

async fn call(service: &Service, token: &str, method: &str, path: &str, body: Option<&str>) -> Answer {
    let bearer = format!("Bearer {token}");
    http::once(service.address(), &request(method, path, &[("Authorization", &bearer)], body)).await.unwrap()
}

/// A service with a small organisation.
async fn started(name: &str) -> (Folder, Service) {
    let folder = Folder::new(name);
    organisation::write(folder.path(), Size { people: 20, instant: 2, asked: 2, asked_twice: 0 });
    let database = Database::sqlite(folder.path());
    let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", &database);
    service.start().await;
    (folder, service)
}

#[test]
fn a_page_makes_shows_once_tells_of_and_revokes() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (_folder, mut service) = started("bandpass_tokens").await;
        let page = Page::of(&service, "p00010").await;
        let csrf = page.csrf().await;
        let wish = |more: &str| format!("csrf={csrf}&label=nightly&expires=30d{more}");
        assert_eq!(page.post("/tokens", "csrf=other&label=x&expires=30d&read=yes").await.status, 403);
        for (more, told) in [
            ("", "a token needs at least one scope"),
            ("&approve=yes&service=robot", "a service never approves"),
            ("&scim=yes", "is for a service"),
            ("&read=yes&service=no spaces", "is not a valid"),
        ] {
            let answer = page.post("/tokens", &wish(more)).await;
            assert!(answer.status == 422 && text(&answer).contains(told), "{more}: {}", answer.shown());
        }
        let too_long = page.post("/tokens", &format!("csrf={csrf}&label=x&expires=91d&read=yes")).await;
        assert_eq!(too_long.status, 422);
        let made = page.post("/tokens", &wish("&read=yes&request=yes")).await;
        assert_eq!(made.status, 200, "{}", made.shown());
        let shown = text(&made);
        let secret = format!("bp_{}", shown.split_once(">bp_").unwrap().1.split_once('<').unwrap().0);
        let listed = text(&page.get("/tokens").await);
        assert!(listed.contains("nightly") && !listed.contains(&secret) && listed.contains("never used"), "{listed}");
        assert!(text(&page.get("/").await).contains("A token was made in your name, “nightly”"), "home tells of it");
        // It opens what its scopes say, and no page.
        let used = call(&service, &secret, "GET", "/api/v1/tokens", None).await;
        let tokens = used.json();
        assert_eq!((used.status, tokens["items"].as_array().unwrap().len()), (200, 1), "{}", used.shown());
        let id = tokens["items"][0]["id"].as_str().unwrap().to_owned();
        let bearer = format!("Authorization: Bearer {secret}");
        let post = format!("POST /tokens HTTP/1.1\r\nHost: {}\r\n{bearer}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\nread=on", service.address());
        let refused = http::once(service.address(), post.as_bytes()).await.unwrap();
        assert!([400, 401, 403].contains(&refused.status), "{}", refused.shown());
        // Last use is written a few times a minute.
        let limit = Instant::now() + Duration::from_secs(40);
        while !text(&page.get("/tokens").await).contains("last used") {
            assert!(Instant::now() < limit, "it is never told when it was used");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert!(service.must(&["token", "list", "--person", "p00010"]).contains("last used"));
        // Somebody else's token is nobody's to know; an admin sees and revokes it.
        let other = Page::of(&service, "p00011").await;
        assert_eq!(other.post(&format!("/tokens/{id}/revoke"), &format!("csrf={}", other.csrf().await)).await.status, 404);
        assert!(!text(&other.get("/tokens?all=1").await).contains("nightly"));
        let admin = Page::of(&service, "p00000").await;
        assert!(text(&admin.get("/tokens?all=1&of=p00010").await).contains("nightly"));
        assert!(!text(&admin.get("/tokens?all=1&of=p00011").await).contains("nightly"));
        assert_eq!(admin.post(&format!("/tokens/{id}/revoke"), &format!("csrf={}", admin.csrf().await)).await.status, 303);
        assert_eq!(call(&service, &secret, "GET", "/api/v1/tokens", None).await.status, 401);
        assert!(text(&page.get("/tokens").await).contains("Revoked"));
        // Their page tells it all.
        let life = text(&page.get("/people/p00010").await);
        assert!(life.contains("A token of their own: nightly") && life.contains("Token revoked"), "{life}");
        service.stop();
        service.must(&["audit", "verify", "--rebuild"]);
    });
}

#[test]
fn a_service_asks_for_its_owner_and_never_votes() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (_folder, mut service) = started("bandpass_services").await;
        let make = |arguments: &[&str]| {
            let mut all = vec!["token", "create", "--format", "json"];
            all.extend(arguments);
            let value: serde_json::Value = serde_json::from_str(&service.must(&all)).unwrap();
            value["token"].as_str().unwrap().to_owned()
        };
        // Its owner is one of those who may approve for the group.
        let owner = organisation::owners()[0].clone();
        let robot = make(&["--service", "robot", "--owner", &owner, "--scopes", "read,request"]);
        let person = make(&["--person", &owner, "--scopes", "read,request,approve"]);
        let reader = make(&["--person", &owner, "--scopes", "read"]);
        let other = make(&["--person", &organisation::owners()[1], "--scopes", "read,request,approve"]);
        let wish = r#"{"group":"asked-0000","duration":"8h"}"#;
        assert_eq!(call(&service, &reader, "POST", "/api/v1/requests", Some(wish)).await.status, 403, "a token that only reads asks for nothing");
        let filed = call(&service, &robot, "POST", "/api/v1/requests", Some(wish)).await;
        let request = filed.json();
        assert_eq!((filed.status, request["status"].as_str(), request["person"].as_str(), request["filed_by"].as_str()), (201, Some("pending"), Some(&*owner), Some(&*owner)), "{}", filed.shown());
        let approve = format!("/api/v1/requests/{}/approve", request["id"].as_str().unwrap());
        // Neither the program nor the person behind it decides.
        assert_eq!(call(&service, &robot, "POST", &approve, Some("{}")).await.status, 403);
        assert_eq!(call(&service, &person, "POST", &approve, Some("{}")).await.status, 403);
        // Nor may the program decide what somebody else asks, though its owner may.
        let theirs = call(&service, &other, "POST", "/api/v1/requests", Some(r#"{"group":"asked-0001","duration":"8h"}"#)).await.json();
        let approve_theirs = format!("/api/v1/requests/{}/approve", theirs["id"].as_str().unwrap());
        assert_eq!(call(&service, &robot, "POST", &approve_theirs, Some("{}")).await.status, 403);
        assert_eq!(call(&service, &person, "POST", &approve_theirs, Some("{}")).await.status, 200);
        assert_eq!(call(&service, &other, "POST", &approve, Some("{}")).await.status, 200);
        // The wish for a service that votes is refused when it is made.
        let refused = service.run(&["token", "create", "--service", "voter", "--owner", &owner, "--scopes", "approve"]);
        assert!(!refused.status.success(), "{refused:?}");
        service.stop();
        service.must(&["audit", "verify", "--rebuild"]);
    });
}

#[test]
fn a_service_takes_back_what_is_its_own_and_no_more() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (_folder, mut service) = started("bandpass_service_own").await;
        let make = |arguments: &[&str]| {
            let all = [&["token", "create", "--format", "json"], arguments].concat();
            let value: serde_json::Value = serde_json::from_str(&service.must(&all)).unwrap();
            (value["token"].as_str().unwrap().to_owned(), value["id"].as_str().unwrap().to_owned())
        };
        let owner = organisation::owners()[0].clone();
        let (robot, robot_id) = make(&["--service", "robot", "--owner", &owner, "--scopes", "read,request"]);
        let (person, person_id) = make(&["--person", &owner, "--scopes", "read,request"]);
        let (alarm, _) = make(&["--service", "alarm", "--owner", &organisation::person(0), "--scopes", "read,request,admin"]);
        let (other, _) = make(&["--person", "p00010", "--scopes", "read,request"]);
        let held = async |token: &str| {
            let granted = call(&service, token, "POST", "/api/v1/requests", Some(r#"{"group":"instant-0000","duration":"8h"}"#)).await;
            assert_eq!(granted.status, 201, "{}", granted.shown());
            format!("/api/v1/grants/{}/revoke", granted.json()["grant"]["id"].as_str().unwrap())
        };
        let why = Some(r#"{"reason":"drill"}"#);
        let (own, theirs) = (held(&person).await, held(&other).await);
        // Its owner owns the group and could; it gives back what its owner holds.
        assert_eq!(call(&service, &robot, "POST", &theirs, why).await.status, 403);
        assert_eq!(call(&service, &robot, "POST", &own, why).await.status, 200);
        // A program of an admin may take away, and stop grants; people let them go on.
        assert_eq!(call(&service, &alarm, "POST", &theirs, why).await.status, 200);
        let confirm = async |token: &str| call(&service, token, "POST", "/api/v1/policy/endings/1/confirm", why).await.status;
        let (admin, _) = make(&["--person", &organisation::person(0), "--scopes", "read,admin"]);
        assert_eq!((confirm(&alarm).await, confirm(&admin).await), (403, 409), "nothing waits, and a program would not be asked");
        // Tokens of its owner are none of its business, but its own is.
        let revoke = |id: &str| format!("/api/v1/tokens/{id}/revoke");
        assert_eq!(call(&service, &robot, "POST", &revoke(&person_id), None).await.status, 403);
        assert_eq!(call(&service, &robot, "POST", &revoke(&robot_id), None).await.status, 204);
        assert_eq!(call(&service, &robot, "GET", "/api/v1/groups", None).await.status, 401);
        service.stop();
        service.must(&["audit", "verify", "--rebuild"]);
    });
}

#[test]
fn a_dead_token_is_told_no_answer_that_was_kept_and_its_refusals_are_recorded() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = Folder::new("bandpass_dead_token");
        organisation::write(folder.path(), Size { people: 20, instant: 2, asked: 2, asked_twice: 0 });
        let database = Database::sqlite(folder.path());
        let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", &database);
        service.start().await;
        let token = &service.tokens(&["p00010".to_owned()], "read,request")[0];
        let bearer = format!("Bearer {token}");
        let wish = request("POST", "/api/v1/requests", &[("Authorization", &bearer), ("Idempotency-Key", "once")], Some(r#"{"group":"instant-0000","duration":"8h"}"#));
        let first = http::once(service.address(), &wish).await.unwrap();
        let again = http::once(service.address(), &wish).await.unwrap();
        assert_eq!((first.status, again.status, again.head.to_lowercase().contains("idempotent-replayed: true")), (201, 201, true));
        // An admin's route refuses it, and it is revoked before the minute is over.
        assert_eq!(call(&service, token, "GET", "/api/v1/audit", None).await.status, 403);
        let id = call(&service, token, "GET", "/api/v1/tokens", None).await.json()["items"][0]["id"].as_str().unwrap().to_owned();
        service.must(&["token", "revoke", &id]);
        assert_eq!(http::once(service.address(), &wish).await.unwrap().status, 401, "nothing is repeated to a dead token");
        service.stop();
        assert_eq!(database.count("SELECT CAST(count(*) AS TEXT) AS line FROM audit_log WHERE kind = 'refused' AND actor = 'person:p00010'"), 1);
        service.must(&["audit", "verify", "--rebuild"]);
    });
}
