//! Abuse of tokens (security.md, 4, items 50 and 52), against a live server on both databases. Items 41 to 51 for JWTs are in `jwt.rs`.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    abuse::{Scene, refused},
    signin_house::on_both,
};

const API: &str = r#"person_claim = "employee"
audiences = ["bandpass-api"]
[[signin.issuer.client]]
client_id = "build-bot"
service = "build-bot"
owner = "bob"
scopes = ["read", "request"]
"#;

#[test]
fn abuse_of_tokens() {
    on_both("abuse_tokens", API, |front| async move {
        let scene = Scene::new(front);
        a_token_as_something_else(&scene).await;
        a_session_after_signing_out(&scene).await;
        a_token_after_it_was_revoked(&scene).await;
        a_token_is_kept_as_a_hash_alone(&scene).await;
        a_token_of_somebody_who_left(&scene).await;
        scene.leave();
    });
}

/// 41 to 49, for tokens of ours: cut, in other letters, in other places than the header, or dressed up.
async fn a_token_as_something_else(scene: &Scene) {
    let token = scene.token("ann");
    let before = scene.standing();
    for (what, value) in [
        ("cut", format!("Bearer {}", &token[..token.len() - 1])),
        ("longer", format!("Bearer {token}A")),
        ("in capitals", format!("Bearer {}", token.to_uppercase())),
        ("twice", format!("Bearer {token},{token}")),
        ("another scheme", format!("Token {token}")),
        ("no scheme", token.to_owned()),
        ("its hash", format!("Bearer bp_{}", "0".repeat(64))),
        ("a wild card", "Bearer bp_%".to_owned()),
        ("a prefix alone", "Bearer bp_".to_owned()),
        ("of 10 KB", format!("Bearer bp_{}", "a".repeat(10_000))),
        ("SQL", "Bearer bp_' OR '1'='1".to_owned()),
    ] {
        let answer = scene.with("GET", "/api/v1/requests", &[("Authorization", &value)], None).await;
        refused(&format!("43 a token, {what}"), &answer, 401, "unknown_caller");
    }
    for (what, path, headers) in [
        ("in the address", format!("/api/v1/requests?access_token={token}"), vec![]),
        ("as a cookie", "/api/v1/requests".to_owned(), vec![("Cookie", format!("bandpass_session={token}"))]),
        ("in a header of its own", "/api/v1/requests".to_owned(), vec![("X-Api-Key", token.to_owned())]),
    ] {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        refused(&format!("49 a token {what}"), &scene.with("GET", &path, &headers, None).await, 401, "unknown_caller");
    }
    // A session's secret is no token either.
    let ann = scene.front.signed_in("ann").await;
    let secret = &ann.cookies["bandpass_session"];
    for value in [format!("Bearer {secret}"), format!("Bearer bp_{secret}")] {
        refused("49 a session's secret as a token", &scene.with("GET", "/api/v1/requests", &[("Authorization", &value)], None).await, 401, "unknown_caller");
    }
    assert_eq!(scene.standing().iter().filter(|l| l.len() > 20).count(), before.iter().filter(|l| l.len() > 20).count());
}

/// 52: the cookie of a session that was signed out, kept by hand; and that of before the sign-in that replaced it.
async fn a_session_after_signing_out(scene: &Scene) {
    let front = &scene.front;
    let mut max = front.signed_in("max").await;
    let mut replaced = max.clone();
    front.sign_in(&mut max, &json!({ "sub": "s-max", "employee": "max" })).await;
    assert!(!front.is_in(&mut replaced).await, "52 replaced by a new sign-in");
    let mut kept = max.clone();
    let csrf = max.csrf("/sessions").await;
    assert_eq!(max.post("/signout", &format!("csrf={csrf}")).await.status, 303);
    assert!(!front.is_in(&mut kept).await, "52 signed out");
    let answer = kept.post("/grants/x/revoke", &format!("csrf={csrf}")).await;
    assert_eq!(answer.status, 401, "52 a form of that session: {}", answer.shown());
}

/// 52: a token that was revoked, or is used with what it was replaced by.
async fn a_token_after_it_was_revoked(scene: &Scene) {
    let make = || {
        let made = scene.front.service.must(&["token", "create", "--person", "max", "--scopes", "read,request", "--format", "json"]);
        let value: Value = serde_json::from_str(&made).unwrap();
        (value["id"].as_str().unwrap().to_owned(), value["token"].as_str().unwrap().to_owned())
    };
    let ((old, secret), (_, new)) = (make(), make());
    // Seen a moment ago, so that what is remembered of it is warm.
    assert_eq!(scene.front.api("GET", "/api/v1/requests", &secret, None).await.status, 200);
    scene.front.service.must(&["token", "revoke", &old]);
    let before = scene.standing();
    refused("52 revoked, reading", &scene.front.api("GET", "/api/v1/requests", &secret, None).await, 401, "unknown_caller");
    let wish = Some(r#"{"group":"instant","duration":"8h"}"#);
    let answer = scene.front.api("POST", "/api/v1/requests", &secret, wish).await;
    assert_eq!(answer.status, 401, "52 revoked, asking: {}", answer.shown());
    assert_eq!(scene.standing(), before);
    assert_eq!(scene.front.api("GET", "/api/v1/requests", &new, None).await.status, 200, "the new one goes on");
}

/// 52: what was shown once is nowhere: not in an answer, not in the log, not in the database's own file.
async fn a_token_is_kept_as_a_hash_alone(scene: &Scene) {
    let secret = scene.token("ann");
    for path in ["/api/v1/tokens", "/api/v1/audit?kind=token.created", "/metrics"] {
        let answer = scene.call("admin", "GET", path, None).await;
        assert!(answer.status == 200 && !String::from_utf8_lossy(&answer.body).contains(&secret[3..]), "52 {path}");
    }
    let kept = scene.front.database.lines("SELECT secret_sha256 AS line FROM tokens");
    assert!(!kept.is_empty() && kept.iter().all(|hash| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit())), "{kept:?}");
    let mut folders = vec![scene.front.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => assert!(!holds(&path, secret), "52 the secret is in {}", path.display()),
            }
        }
    }
}

fn holds(path: &Path, secret: &str) -> bool {
    // A socket holds nothing.
    path.is_file() && fs::read(path).unwrap().windows(secret.len()).any(|w| w == secret.as_bytes())
}

/// 50: everything that Bob came with, within the answer to the change of the directory that lets him go.
async fn a_token_of_somebody_who_left(scene: &Scene) {
    let front = &scene.front;
    let mut session = front.signed_in("bob").await;
    let robot = front.service.must(&["token", "create", "--service", "robot", "--owner", "bob", "--scopes", "read,request", "--format", "json"]);
    let robot = serde_json::from_str::<Value>(&robot).unwrap()["token"].as_str().unwrap().to_owned();
    let callers = [
        ("his own token", scene.token("bob").to_owned()),
        ("the token of a service that he answers for", robot),
        ("his JWT", front.issuer.access_token(&json!({ "sub": "s-bob", "employee": "bob", "scope": "read" }))),
        ("the JWT of a program that he answers for", front.issuer.access_token(&json!({ "sub": "build-bot", "client_id": "build-bot" }))),
    ];
    for (what, bearer) in &callers {
        assert_eq!(front.api("GET", "/api/v1/requests", bearer, None).await.status, 200, "{what}, before");
    }
    assert!(front.is_in(&mut session).await);
    let people = front.folder.path().join("without-bob.toml");
    let (before, after) = crate::house::PEOPLE.split_once("[[person]]\nid = \"bob\"").unwrap();
    fs::write(&people, format!("{before}{}", &after[after.find("[[person]]").unwrap()..])).unwrap();
    front.service.must(&["directory", "import", "--people", &people.display().to_string(), "--confirm"]);
    let standing = scene.standing();
    for (what, bearer) in &callers {
        refused(&format!("50 {what}"), &front.api("GET", "/api/v1/requests", bearer, None).await, 401, "unknown_caller");
        let answer = front.api("POST", "/api/v1/requests", bearer, Some(r#"{"group":"left-hand","duration":"8h"}"#)).await;
        assert_eq!(answer.status, 401, "50 {what}, asking: {}", answer.shown());
    }
    assert!(!front.is_in(&mut session).await, "50 his session");
    assert_eq!(scene.standing(), standing);
}
