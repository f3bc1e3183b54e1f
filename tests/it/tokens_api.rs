//! Tokens made over the API: by a browser's session like on the page, and by a token only what is less than itself and goes with it.

use serde_json::{Value, json};

use crate::{
    abuse::{Scene, refused},
    signin_house::on_both,
    support::http::Answer,
};

const API: &str = "person_claim = \"employee\"\naudiences = [\"bandpass-api\"]\n";

/// Asks for a token with a bearer.
async fn make(scene: &Scene, bearer: &str, wish: Value) -> Answer {
    scene.front.api("POST", "/api/v1/tokens", bearer, Some(&wish.to_string())).await
}

/// A token that was made: its id and its secret.
fn made(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 201, "{}", answer.shown());
    let told = answer.json();
    (told["id"].as_str().unwrap().to_owned(), told["token"].as_str().unwrap().to_owned())
}

async fn opens(scene: &Scene, secret: &str) -> u16 {
    scene.front.api("GET", "/api/v1/requests", secret, None).await.status
}

#[test]
fn a_token_makes_only_what_is_less_than_itself() {
    on_both("tokens_api", API, |front| async move {
        let mut scene = Scene::new(front);
        let ann = scene.token("ann").to_owned();
        let answer = make(&scene, &ann, json!({ "scopes": ["read"], "expires": "7d", "label": "nightly" })).await;
        let (id, secret) = made(&answer);
        let told = answer.json();
        assert_eq!((told["person"].as_str(), told["scopes"].clone(), told["label"].as_str(), told["made_with"].is_string()), (Some("ann"), json!(["read"]), Some("nightly"), true), "{told}");
        assert!(secret.starts_with("bp_") && secret.len() == 46, "{secret}");
        assert_eq!(opens(&scene, &secret).await, 200);
        let asks = scene.front.api("POST", "/api/v1/requests", &secret, Some(r#"{"group":"instant"}"#)).await;
        refused("beyond its scopes", &asks, 403, "not_allowed");
        // Shown this once.
        let list = scene.call("ann", "GET", "/api/v1/tokens", None).await;
        assert!(list.json()["items"].as_array().unwrap().iter().any(|t| t["id"] == id.as_str()) && !list.shown().contains(&secret[3..]), "{}", list.shown());
        // What is more than itself, and what is no wish at all.
        let before = scene.standing();
        for (what, wish, status, code) in [
            ("a scope that it lacks", json!({ "scopes": ["read", "audit"], "expires": "7d" }), 403, "not_allowed"),
            ("an admin's scope", json!({ "scopes": ["admin"], "expires": "7d" }), 403, "not_allowed"),
            ("a life that is longer than its own", json!({ "scopes": ["read"], "expires": "31d" }), 422, "impossible"),
            ("a life that nothing has", json!({ "scopes": ["read"], "expires": "91d" }), 422, "impossible"),
            ("no scope", json!({ "scopes": [], "expires": "7d" }), 422, "impossible"),
            ("a service that approves", json!({ "scopes": ["approve"], "expires": "7d", "service": "robot" }), 422, "impossible"),
            ("a token that feeds the directory", json!({ "scopes": ["scim"], "expires": "7d", "service": "okta" }), 403, "not_allowed"),
            ("a scope that does not exist", json!({ "scopes": ["raed"] }), 400, "malformed"),
            ("a time that is none", json!({ "scopes": ["read"], "expires": "a week" }), 400, "malformed"),
            ("a name that is none", json!({ "scopes": ["read"], "expires": "7d", "service": "no spaces" }), 400, "malformed"),
            ("for somebody else", json!({ "scopes": ["read"], "person": "bob" }), 400, "malformed"),
            ("as the first admin", json!({ "scopes": ["read"], "first_admin": true }), 400, "malformed"),
            ("a label that deceives", json!({ "scopes": ["read"], "expires": "7d", "label": "a\u{202e}b" }), 400, "malformed"),
        ] {
            refused(what, &make(&scene, &ann, wish).await, status, code);
        }
        let near = make(&scene, &ann, json!({ "scopes": ["raed"] })).await.json();
        assert!(near["errors"][0]["field"] == "scopes" && near["detail"].as_str().unwrap().contains("did you mean `read`?"), "{near}");
        let longer = make(&scene, &ann, json!({ "scopes": ["read"], "expires": "31d" })).await.json();
        assert!(longer["errors"][0]["field"] == "expires" && longer["detail"].as_str().unwrap().contains("would outlive the token that asks"), "{longer}");
        scene.must_audit("ann", "create token: not_allowed");
        // What makes none at all: one that was made so, one that only reads, a service, a JWT.
        let wish = || json!({ "scopes": ["request"], "expires": "1d" });
        let (_, child) = made(&make(&scene, &ann, wish()).await);
        refused("one that was made with another", &make(&scene, &child, wish()).await, 403, "not_allowed");
        refused("one that only reads", &make(&scene, scene.token("reader"), json!({ "scopes": ["read"], "expires": "1d" })).await, 403, "not_allowed");
        let robot = scene.front.service.must(&["token", "create", "--service", "robot", "--owner", "ann", "--scopes", "read,request", "--format", "json"]);
        let robot = serde_json::from_str::<Value>(&robot).unwrap()["token"].as_str().unwrap().to_owned();
        refused("a service", &make(&scene, &robot, wish()).await, 403, "not_allowed");
        let jwt = scene.front.issuer.access_token(&json!({ "employee": "ann" }));
        refused("a JWT", &make(&scene, &jwt, wish()).await, 403, "not_allowed");
        let counted = |standing: &[String]| standing[0].parse::<u32>().unwrap();
        assert_eq!(counted(&scene.standing()), counted(&before) + 2, "one token by a token, one by the command");
        scene.leave();
    });
}

#[test]
fn a_token_takes_along_what_was_made_with_it() {
    on_both("tokens_go", API, |front| async move {
        let scene = Scene::new(front);
        let (mut secrets, ann) = (Vec::new(), scene.token("ann").to_owned());
        for service in [None, Some("robot")] {
            secrets.push(made(&make(&scene, &ann, json!({ "scopes": ["read"], "expires": "7d", "service": service })).await).1);
        }
        let (alone, gone) = made(&make(&scene, &ann, json!({ "scopes": ["read"], "expires": "7d" })).await);
        assert_eq!(scene.call("ann", "POST", &format!("/api/v1/tokens/{alone}/revoke"), Some("{}")).await.status, 204);
        assert_eq!((opens(&scene, &gone).await, opens(&scene, &secrets[0]).await), (401, 200), "one alone goes alone");
        // The owner revokes the one that was stolen: whatever the thief made of it goes as well, and nothing else.
        let list = scene.call("ann", "GET", "/api/v1/tokens", None).await.json();
        let stolen = list["items"].as_array().unwrap().iter().find(|t| t["scopes"] == json!(["read", "request", "approve"])).unwrap()["id"].as_str().unwrap().to_owned();
        let told = scene.front.service.must(&["token", "revoke", &stolen]);
        assert!(told.contains("is revoked"), "{told}");
        for secret in secrets.iter().chain([&ann]) {
            assert_eq!(opens(&scene, secret).await, 401);
        }
        assert_eq!(opens(&scene, scene.token("reader")).await, 200);
        let why = scene.front.service.must(&["audit", "list", "--kind", "token.revoked", "--format", "json"]);
        assert_eq!(why.matches("the token that it was made with was revoked").count(), 2, "{why}");
        scene.leave();
    });
}

#[test]
fn a_browser_makes_one_over_the_api_like_on_the_page() {
    on_both("tokens_browser", API, |front| async move {
        let scene = Scene::new(front);
        let mut ada = scene.front.signed_in("ada").await;
        let own = format!("Origin: http://{}\r\n", scene.front.service.address());
        let wish = json!({ "scopes": ["scim"], "expires": "90d", "service": "okta" }).to_string();
        let answer = ada.post_with("/api/v1/tokens", &wish, &own, "application/json").await;
        let (_, secret) = made(&answer);
        assert_eq!(answer.json()["made_with"], Value::Null);
        assert_eq!(scene.front.api("GET", "/scim/v2/Users", &secret, None).await.status, 200);
        refused("from elsewhere", &ada.post_with("/api/v1/tokens", &wish, "Origin: https://evil.example\r\n", "application/json").await, 403, "not_allowed");
        let mut ann = scene.front.signed_in("ann").await;
        refused("no admin", &ann.post_with("/api/v1/tokens", &wish, &own, "application/json").await, 403, "not_allowed");
        scene.leave();
    });
}
