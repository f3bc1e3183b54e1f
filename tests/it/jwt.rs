//! API callers with JWT access tokens: right ones, and every wrong one of security.md (2C, 26 to 28; 4, 41 to 52), over the wire.

use serde_json::{Value, json};

use crate::{
    signin_house::{Front, on_both, run},
    support::{
        http::Answer,
        issuer::{Mood, now},
        jwt_key::{SigningKey, b64, hs256},
    },
};

const API: &str = r#"person_claim = "employee"
audiences = ["bandpass-api"]
default_scopes = ["read", "request"]
algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
[[signin.issuer.client]]
client_id = "build-bot"
service = "build-bot"
owner = "ann"
scopes = ["read", "request"]
[[signin.issuer.client]]
client_id = "reports"
subject = "service-account-7"
service = "reports"
owner = "gone"
scopes = ["read"]
[[signin.issuer.client]]
client_id = "hr-feed"
service = "hr-feed"
owner = "ada"
scopes = ["scim"]
"#;

async fn list(front: &Front, token: &str) -> Answer {
    front.api("GET", "/api/v1/requests", token, None).await
}

async fn ask(front: &Front, token: &str, group: &str) -> Answer {
    front.api("POST", "/api/v1/requests", token, Some(&format!(r#"{{"group":"{group}","duration":"8h"}}"#))).await
}

#[test]
fn a_person_calls_the_api() {
    on_both("jwt", API, |front: Front| async move {
        // By the claim; without it nobody is known; after a sign-in the subject alone is enough.
        let by_claim = front.issuer.access_token(&json!({ "employee": "ann" }));
        let answer = ask(&front, &by_claim, "instant").await;
        assert_eq!((answer.status, answer.json()["status"].as_str().map(str::to_owned)), (201, Some("granted".to_owned())), "{}", answer.shown());
        let bare = front.issuer.access_token(&json!({}));
        let answer = list(&front, &bare).await;
        assert_eq!(answer.status, 401, "{}", answer.shown());
        front.signed_in("ann").await;
        assert_eq!(list(&front, &bare).await.status, 200);
        // Scopes: default read and request; words narrow and widen; admin rights want the word and the person's role.
        let scoped = |scope: &str, employee: &str| front.issuer.access_token(&json!({ "sub": format!("s-{employee}"), "employee": employee, "scope": scope }));
        assert_eq!(ask(&front, &scoped("openid bandpass.read", "ann"), "instant").await.status, 403);
        assert_eq!(list(&front, &scoped("request", "ann")).await.status, 403);
        assert_eq!(front.api("GET", "/api/v1/audit", &scoped("read audit", "ann"), None).await.status, 403, "no auditor by a word");
        assert_eq!(front.api("GET", "/api/v1/audit", &scoped("read audit", "ada"), None).await.status, 200);
        assert_eq!(front.api("GET", "/api/v1/audit", &scoped("read", "ada"), None).await.status, 403);
        // A vote wants the scope, and is the person's.
        let asked = ask(&front, &by_claim, "asked").await.json();
        let path = format!("/api/v1/requests/{}/approve", asked["id"].as_str().unwrap());
        assert_eq!(front.api("POST", &path, &scoped("read request", "olga"), Some("{}")).await.status, 403);
        assert_eq!(front.api("POST", &path, &scoped("approve", "ann"), Some("{}")).await.status, 403, "nobody approves their own");
        assert_eq!(front.api("POST", &path, &scoped("approve", "olga"), Some("{}")).await.status, 200);
        let body = &front.database.lines("SELECT body AS line FROM audit_log WHERE kind = 'request.granted' AND actor = 'person:olga'")[0];
        assert!(body.contains(r#""bearer":{"issuer":"corp","scopes":["approve"]}"#), "{body}");
        // No page by a token.
        assert_eq!(front.api("GET", "/access", &by_claim, None).await.status, 403);
        front.leave();
    });
}

#[test]
fn a_program_calls_the_api_and_never_approves() {
    on_both("client", API, |front: Front| async move {
        let own = |over: Value| {
            let mut claims = json!({ "sub": "build-bot", "client_id": "build-bot" });
            claims.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
            front.issuer.access_token(&claims)
        };
        let token = own(json!({}));
        let answer = ask(&front, &token, "instant").await;
        assert_eq!(answer.status, 201, "{}", answer.shown());
        assert_eq!(answer.json()["person"], "ann", "it acts for its owner");
        let body = &front.database.lines("SELECT body AS line FROM audit_log WHERE kind = 'request.granted'")[0];
        assert!(body.contains(r#""service":"build-bot""#), "{body}");
        assert_eq!(front.database.lines("SELECT actor AS line FROM audit_log WHERE kind = 'request.granted'"), ["service:build-bot"]);
        // Olga owns `asked`: a request of max waits for her. The program of ann cannot vote, whatever its token says.
        let maxs = front.issuer.access_token(&json!({ "sub": "s-max", "employee": "max" }));
        let asked = ask(&front, &maxs, "asked").await.json();
        let path = format!("/api/v1/requests/{}/approve", asked["id"].as_str().unwrap());
        let answer = front.api("POST", &path, &own(json!({ "scope": "read request approve admin" })), Some("{}")).await;
        println!("a program approves: {}", answer.shown());
        assert_eq!(answer.status, 403, "{}", answer.shown());
        assert_eq!(front.api("GET", "/api/v1/audit", &own(json!({ "scope": "audit" })), None).await.status, 403);
        // A program may feed the directory by its own token, as its own source, when the settings say so; others may not.
        let feed = front.issuer.access_token(&json!({ "sub": "hr-feed", "client_id": "hr-feed" }));
        assert_eq!(front.api("GET", "/scim/v2/Users", &feed, None).await.status, 200);
        let user = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"new.colleague","externalId":"new.colleague","displayName":"New","active":true}"#;
        let made = front.api("POST", "/scim/v2/Users", &feed, Some(user)).await;
        assert_eq!(made.status, 201, "{}", made.shown());
        assert_eq!(front.api("GET", "/api/v1/requests", &feed, None).await.status, 403);
        for other in [&token, &own(json!({ "scope": "scim" })), &maxs] {
            assert_eq!(front.api("GET", "/scim/v2/Users", other, None).await.status, 403);
        }
        // Narrowed by the token, never widened.
        assert_eq!(ask(&front, &own(json!({ "scope": "read" })), "also").await.status, 403);
        for (what, claims) in [
            ("a program that nobody mapped", json!({ "sub": "other-bot", "client_id": "other-bot", "employee": "ann" })),
            ("one that calls itself like a person", json!({ "sub": "ann", "client_id": "ann" })),
            ("Entra's mark of a program", json!({ "sub": "x", "idtyp": "app", "employee": "ann" })),
            ("the subject of one, given to another", json!({ "sub": "build-bot", "client_id": "other-bot" })),
            ("one whose owner is not here", json!({ "sub": "service-account-7", "client_id": "reports" })),
        ] {
            let answer = list(&front, &front.issuer.access_token(&claims)).await;
            println!("{what}: {} {}", answer.status, answer.json()["detail"]);
            assert_eq!(answer.status, 401, "{what}: {}", answer.shown());
        }
        front.leave();
    });
}

#[test]
fn every_wrong_token_is_nobody() {
    on_both("wrongjwt", API, |front: Front| async move {
        let good = json!({ "employee": "ann" });
        let with = |over: Value| {
            let mut claims = good.clone();
            claims.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
            claims
        };
        let url = front.issuer.url();
        let claims: Vec<(&str, Value)> = vec![
            ("45 no aud", json!({ "aud": null })),
            ("45 aud an object", json!({ "aud": { "bandpass-api": true } })),
            ("45 aud of another", json!({ "aud": "another-api" })),
            ("45 aud an empty list", json!({ "aud": [] })),
            ("45 aud an empty text", json!({ "aud": "" })),
            ("45 aud a list with a number", json!({ "aud": ["bandpass-api", 7] })),
            ("45 aud ours among others", json!({ "aud": ["bandpass-api", "another-api"] })),
            ("45 aud of sign-ins", json!({ "aud": "bandpass" })),
            ("46 no iss", json!({ "iss": null })),
            ("46 iss a number", json!({ "iss": 7 })),
            ("46 iss a list", json!({ "iss": [url] })),
            ("46 iss with a slash", json!({ "iss": format!("{url}/") })),
            ("46 iss in capitals", json!({ "iss": url.to_uppercase() })),
            ("47 no exp", json!({ "exp": null })),
            ("47 exp a text", json!({ "exp": "9999999999" })),
            ("47 exp a fraction", json!({ "exp": 1e10 + 0.5 })),
            ("47 exp 1e300", json!({ "exp": 1e300 })),
            ("47 exp negative", json!({ "exp": -1 })),
            ("47 exp past", json!({ "exp": now() - 31 })),
            ("47 exp an object", json!({ "exp": {} })),
            ("no iat", json!({ "iat": null })),
            ("iat a text", json!({ "iat": "1" })),
            ("iat in the future", json!({ "iat": now() + 600 })),
            ("48 nbf in the future", json!({ "nbf": now() + 600 })),
            ("48 nbf a text", json!({ "nbf": "1" })),
            ("no sub", json!({ "sub": null })),
            ("an empty sub", json!({ "sub": "" })),
            ("sub a number", json!({ "sub": 7 })),
            ("49 a nonce: an ID token", json!({ "nonce": "x" })),
            ("49 typ ID of Keycloak", json!({ "typ": "ID" })),
            ("49 events: a logout token", json!({ "events": {} })),
            ("50 nobody", json!({ "employee": "nobody" })),
        ];
        for (what, over) in claims {
            let answer = list(&front, &front.issuer.access_token(&with(over))).await;
            println!("{what}: {} {}", answer.status, answer.json()["detail"]);
            assert_eq!((answer.status, &answer.json()["type"]), (401, &json!("urn:bandpass:problem:unknown_caller")), "{what}: {}", answer.shown());
        }
        let key = front.issuer.key();
        let right = front.issuer.access_claims(&good);
        let typ = json!({ "typ": "at+jwt" });
        let head = |also: Value| key.sign_with(&also, &right);
        let unsigned = |alg: &str| format!("{}.{}.", b64(json!({ "alg": alg, "typ": "at+jwt", "kid": "first" }).to_string()), b64(right.to_string()));
        let mut broken = front.issuer.access_token(&good).into_bytes();
        let last = broken.len() - 5;
        broken[last] = if broken[last] == b'A' { b'B' } else { b'A' };
        let stranger = SigningKey::new("first", "ES256", 0);
        let tokens: Vec<(&str, String)> = vec![
            ("41 alg none", unsigned("none")),
            ("41 alg None", unsigned("None")),
            ("41 alg nONE", unsigned("nONE")),
            ("41 no alg", key.sign_raw(r#"{"typ":"at+jwt","kid":"first"}"#, &right.to_string())),
            ("41 alg a number", key.sign_raw(r#"{"alg":7,"typ":"at+jwt","kid":"first"}"#, &right.to_string())),
            ("42 HS256 with the public key", hs256(&json!({ "alg": "HS256", "typ": "at+jwt", "kid": "first" }), &right, &key.public_bytes())),
            ("RS256 with an ES256 key", key.sign_raw(r#"{"alg":"RS256","typ":"at+jwt","kid":"first"}"#, &right.to_string())),
            ("43 kid a path", key.sign_raw(r#"{"alg":"ES256","typ":"at+jwt","kid":"../../dev/null"}"#, &right.to_string())),
            ("43 kid SQL", key.sign_raw(r#"{"alg":"ES256","typ":"at+jwt","kid":"' OR 1=1 --"}"#, &right.to_string())),
            ("43 kid a URL", key.sign_raw(r#"{"alg":"ES256","typ":"at+jwt","kid":"https://evil.example/key"}"#, &right.to_string())),
            ("43 kid of 10 KB", head(json!({ "typ": "at+jwt", "kid": "k".repeat(10_000) }))),
            ("43 kid of 300 bytes", head(json!({ "typ": "at+jwt", "kid": "k".repeat(300) }))),
            ("43 kid a number", head(json!({ "typ": "at+jwt", "kid": 7 }))),
            ("44 jku", head(json!({ "typ": "at+jwt", "jku": format!("{url}/evil-jwks") }))),
            ("44 x5u", head(json!({ "typ": "at+jwt", "x5u": format!("{url}/evil-x5u") }))),
            ("44 jwk", stranger.sign_with(&json!({ "typ": "at+jwt", "jwk": stranger.jwk() }), &right)),
            ("49 no typ", head(json!({}))),
            ("49 typ JWT", head(json!({ "typ": "JWT" }))),
            ("49 typ logout+jwt", head(json!({ "typ": "logout+jwt" }))),
            ("51 crit", head(json!({ "typ": "at+jwt", "crit": ["exp"] }))),
            ("51 b64", head(json!({ "typ": "at+jwt", "b64": false }))),
            ("a stranger's signature", stranger.sign_with(&typ, &right)),
            ("a changed signature", String::from_utf8(broken).unwrap()),
            ("no signature", format!("{}.", front.issuer.access_token(&good).rsplit_once('.').unwrap().0)),
            ("a claim twice", key.sign_raw(r#"{"alg":"ES256","typ":"at+jwt","kid":"first"}"#, &format!("{},\"sub\":\"s-ada\"}}", right.to_string().trim_end_matches('}')))),
            ("payload a list", key.sign_raw(r#"{"alg":"ES256","typ":"at+jwt","kid":"first"}"#, "[1]")),
            ("two parts", "a.b".to_owned()),
            ("five parts: encrypted", "a.b.c.d.e".to_owned()),
            ("nothing", String::new()),
            ("not base64", "%%%.%%%.%%%".to_owned()),
        ];
        for (what, token) in tokens {
            let answer = list(&front, &token).await;
            println!("{what}: {} {}", answer.status, answer.json()["detail"]);
            assert_eq!((answer.status, &answer.json()["type"]), (401, &json!("urn:bandpass:problem:unknown_caller")), "{what}: {}", answer.shown());
        }
        assert_eq!((front.issuer.hits("/evil-jwks"), front.issuer.hits("/evil-x5u")), (0, 0), "nothing that a token names is fetched");
        assert_eq!(front.events("request.granted").await, 0);
        // After all that, the right one.
        assert_eq!(list(&front, &front.issuer.access_token(&good)).await.status, 200);
        front.leave();
    });
}

// On SQLite alone: between a token and its verdict no database is asked.
#[test]
fn every_algorithm_verifies_and_a_changed_byte_does_not() {
    run(|| async {
        let front = Front::open("algorithms", API).await;
        let kinds: [&'static str; 9] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
        let keys: Vec<SigningKey> = kinds.iter().map(|k| SigningKey::new(&format!("k-{k}"), k, 0)).collect();
        front.issuer.publish(&keys.iter().collect::<Vec<_>>());
        let claims = front.issuer.access_claims(&json!({ "employee": "ann" }));
        for key in &keys {
            let token = key.sign_with(&json!({ "typ": "at+jwt" }), &claims);
            let answer = list(&front, &token).await;
            assert_eq!(answer.status, 200, "{}: {}", key.algorithm, answer.shown());
            let mut other = claims.clone();
            other["employee"] = json!("ada");
            let parts: Vec<&str> = token.split('.').collect();
            let forged = format!("{}.{}.{}", parts[0], b64(other.to_string()), parts[2]);
            assert_eq!(list(&front, &forged).await.status, 401, "{}", key.algorithm);
        }
        // 42, with the RSA key that stands in the list.
        let rsa = &keys[0];
        let forged = hs256(&json!({ "alg": "HS256", "typ": "at+jwt", "kid": rsa.kid }), &claims, &rsa.public_bytes());
        assert_eq!(list(&front, &forged).await.status, 401);
        let nobody = SigningKey::new("k-RS256", "RS256", 1);
        assert_eq!(list(&front, &nobody.sign_with(&json!({ "typ": "at+jwt" }), &claims)).await.status, 401, "another RSA key of the same name");
        // A key for one algorithm does not serve another.
        let ps = keys[0].sign_raw(&json!({ "alg": "PS256", "typ": "at+jwt", "kid": "k-RS256" }).to_string(), &claims.to_string());
        assert_eq!(list(&front, &ps).await.status, 401);
        front.leave();
    });
}

// On SQLite alone: keys are kept in memory.
#[test]
fn keys_are_kept_looked_for_and_forgotten() {
    run(|| async {
        let front = Front::open("keys", API).await;
        let claims = front.issuer.access_claims(&json!({ "employee": "ann" }));
        let token = |key: &SigningKey| key.sign_with(&json!({ "typ": "at+jwt" }), &claims);
        let known = front.issuer.access_token(&json!({ "employee": "ann" }));
        for _ in 0..20 {
            assert_eq!(list(&front, &known).await.status, 200);
        }
        assert_eq!(front.issuer.hits("/jwks"), 1, "known keys are not asked for again");
        // 76: a flood of unknown names within the minute fetches nothing more, and known keys go on, also while the issuer is away.
        for n in 0..50 {
            assert_eq!(list(&front, &token(&SigningKey::new(&format!("unknown-{n}"), "ES256", 0))).await.status, 401);
        }
        assert_eq!(front.issuer.hits("/jwks"), 1);
        front.issuer.be("/jwks", Mood::Slow);
        front.issuer.be("/.well-known/openid-configuration", Mood::Down);
        let began = std::time::Instant::now();
        assert_eq!(list(&front, &known).await.status, 200);
        assert!(began.elapsed() < std::time::Duration::from_secs(2));
        front.leave();
    });
}

#[test]
fn issuers_whose_subjects_differ_by_app_are_known_by_another_claim() {
    let more = "subject_claim = \"oid\"\napi_subject_claim = \"uid\"\nperson_claim = \"employee\"\ntoken_type = \"\"\naudiences = [\"bandpass-api\"]\n";
    on_both("oid", more, |front: Front| async move {
        let mut browser = front.browser();
        let answer = front.sign_in(&mut browser, &json!({ "sub": "for-this-app", "oid": "o-ann", "employee": "ann" })).await;
        assert_eq!(answer.status, 303, "{}", answer.shown());
        assert_eq!(front.database.lines("SELECT subject AS line FROM identities"), ["o-ann"]);
        let plain = |over: Value| front.issuer.key().sign_with(&json!({}), &front.issuer.access_claims(&over));
        assert_eq!(list(&front, &plain(json!({ "sub": "for-the-api", "uid": "o-ann", "scp": ["read"] }))).await.status, 200);
        assert_eq!(list(&front, &plain(json!({ "sub": "o-ann" }))).await.status, 401, "`sub` is not what people are known by");
        assert_eq!(list(&front, &plain(json!({ "sub": "x", "uid": "o-other", "employee": "ann" }))).await.status, 401, "another subject of the same person");
        assert_eq!(list(&front, &front.issuer.access_token(&json!({ "uid": "o-ann" }))).await.status, 401, "a `typ` where none is expected");
        // A sign-in without the claim is nobody's.
        let mut other = front.browser();
        let answer = front.sign_in(&mut other, &json!({ "sub": "x", "employee": "max" })).await;
        assert_eq!(answer.status, 403, "{}", answer.shown());
        front.leave();
    });
}
