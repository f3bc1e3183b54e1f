//! Abuse of authorisation (security.md, 4, items 30 to 40), against a live server on both databases.

use bandpass::{auth::access::Access, domain::token::Scope, web::routes::ROUTES};

use crate::{
    abuse::{Scene, refused},
    signin_house::{USUAL, on_both},
    support::browser::header,
};

#[test]
fn abuse_of_authorisation() {
    on_both("abuse_authorisation", USUAL, |front| async move {
        let mut scene = Scene::new(front);
        ending_anothers_access(&mut scene).await;
        reading_anothers_request_by_id(&scene).await;
        listing_what_is_anothers(&mut scene).await;
        a_cursor_that_was_not_given(&scene).await;
        an_auditor_that_writes(&mut scene).await;
        a_token_that_only_reads_and_writes(&mut scene).await;
        a_method_in_a_header_or_a_field(&scene).await;
        changing_by_head_or_options(&scene).await;
        headers_that_name_somebody(&scene).await;
        a_path_in_disguise(&scene).await;
        scene.leave();
    });
}

/// An id that nothing has.
fn nothing() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// 30: revoking another person's grant by its id.
async fn ending_anothers_access(scene: &mut Scene) {
    let (_, grant) = scene.ask("ann", "instant").await;
    let grant = grant.unwrap();
    let before = scene.standing();
    let path = |id: &str| format!("/api/v1/grants/{id}/revoke");
    let body = Some(r#"{"reason":"mine now"}"#);
    for method in ["revoke", "renew"] {
        let path = |id: &str| path(id).replace("revoke", method);
        let (theirs, absent) = (scene.call("bob", "POST", &path(&grant), Some("{}")).await, scene.call("bob", "POST", &path(&nothing()), Some("{}")).await);
        refused(&format!("30 a colleague: {method}"), &theirs, 404, "not_found");
        assert_eq!(theirs.body, absent.body, "what is another's reads like what is not there");
    }
    // Their manager knows of it, and may not either.
    refused("30 the manager", &scene.call("max", "POST", &path(&grant), body).await, 403, "not_allowed");
    scene.must_audit("max", "revoke: not_allowed");
    let mut bob = scene.front.signed_in("bob").await;
    let csrf = bob.csrf("/sessions").await;
    let before_forms = scene.standing();
    let answer = bob.post(&format!("/grants/{grant}/revoke"), &format!("csrf={csrf}&reason=mine")).await;
    assert_eq!(answer.status, 404, "30 by the form: {}", answer.shown());
    assert_eq!(scene.standing(), before_forms);
    assert!(scene.standing().iter().all(|l| !l.ends_with("revoked")), "{before:?}");
}

/// 31: another's request by its id reads like one that is not there.
async fn reading_anothers_request_by_id(scene: &Scene) {
    let (request, _) = scene.ask("ann", "asked").await;
    let before = scene.standing();
    for (method, act) in [("GET", ""), ("POST", "/approve"), ("POST", "/deny"), ("POST", "/withdraw")] {
        let path = |id: &str| format!("/api/v1/requests/{id}{act}");
        let body = match act {
            "" => None,
            "/deny" => Some(r#"{"reason":"no"}"#),
            _ => Some("{}"),
        };
        let (theirs, absent) = (scene.call("bob", method, &path(&request), body).await, scene.call("bob", method, &path(&nothing()), body).await);
        refused(&format!("31 {method} {act}"), &theirs, 404, "not_found");
        assert_eq!((theirs.status, &theirs.body), (absent.status, &absent.body));
    }
    for odd in ["0", "-1", "../people", "%00", "' OR 1=1 --", &"9".repeat(300)] {
        let answer = scene.call("bob", "GET", &format!("/api/v1/requests/{}", odd.replace(' ', "%20")), None).await;
        assert_eq!(answer.status, 404, "31 {odd}: {}", answer.shown());
    }
    assert_eq!(scene.standing(), before);
}

/// 32: lists of what is another's, or of groups that one may not look into.
async fn listing_what_is_anothers(scene: &mut Scene) {
    for (path, action) in [
        ("/api/v1/requests?person=ann", "GET requests: not_allowed"),
        ("/api/v1/grants?person=ann", "GET grants: not_allowed"),
        ("/api/v1/people/ann/grants", "GET holdings: not_allowed"),
        ("/api/v1/people/ann/timeline", "GET timeline: not_allowed"),
        ("/api/v1/groups/asked/members", "GET members: not_allowed"),
    ] {
        refused(&format!("32 {path}"), &scene.call("bob", "GET", path, None).await, 403, "not_allowed");
        scene.must_audit("bob", action);
    }
    // A name of our own for the field is not understood in silence.
    for path in ["/api/v1/requests?user=ann", "/api/v1/grants?user=ann", "/api/v1/tokens?person=ann"] {
        refused(&format!("32 {path}"), &scene.call("bob", "GET", path, None).await, 400, "malformed");
    }
    for path in ["/api/v1/requests?group=asked", "/api/v1/grants?group=instant", "/api/v1/requests?group=no-such-group", "/api/v1/requests", "/api/v1/grants"] {
        let answer = scene.call("bob", "GET", path, None).await;
        assert_eq!((answer.status, answer.json()["items"].as_array().map(Vec::len)), (200, Some(0)), "32 {path}: {}", answer.shown());
    }
}

/// 33: a cursor that was tampered with is none; another's opens nothing that one may not see.
async fn a_cursor_that_was_not_given(scene: &Scene) {
    let page = scene.call("ann", "GET", "/api/v1/requests?limit=1", None).await.json();
    let cursor = page["next"].as_str().expect("ann has two requests");
    let answer = scene.call("bob", "GET", &format!("/api/v1/requests?cursor={cursor}"), None).await;
    assert_eq!((answer.status, answer.json()["items"].as_array().map(Vec::len)), (200, Some(0)), "33 another's: {}", answer.shown());
    let (key, signature) = cursor.split_once('.').unwrap();
    let other = format!("{}.{signature}", key.parse::<i64>().unwrap() + 1);
    for forged in [other.as_str(), "1.0000000000000000", key, "x", "..", "%27%20OR%201%3D1", "-1.0"] {
        for list in ["requests", "grants", "people/ann/timeline"] {
            let answer = scene.call("ann", "GET", &format!("/api/v1/{list}?cursor={forged}"), None).await;
            refused(&format!("33 {list} {forged}"), &answer, 400, "malformed");
            assert_eq!(answer.json()["errors"][0]["field"], "cursor");
        }
    }
    refused("33 tokens", &scene.call("ann", "GET", "/api/v1/tokens?cursor=x", None).await, 400, "malformed");
}

/// Every route of the API that changes something, with an object put in.
fn changing() -> Vec<(String, String, Access)> {
    let api = ROUTES.iter().filter(|r| r.method.as_str() != "GET" && r.pattern.starts_with("/api/"));
    api.map(|r| (r.method.to_string(), r.pattern.replace("{id}", &nothing()).replace("{seq}", "1"), r.access)).collect()
}

async fn writes_nothing(scene: &Scene, item: u32, part: &str) -> Vec<String> {
    let before = scene.standing();
    let mut noted = Vec::new();
    for (method, path, access) in changing() {
        // What it reads, and what a forge signs.
        if matches!(access, Access::SignedIn(Scope::Read) | Access::Public) {
            continue;
        }
        let answer = scene.call(part, &method, &path, Some("{}")).await;
        refused(&format!("{item} {method} {path}"), &answer, 403, "not_allowed");
        noted.push(path);
    }
    assert!(noted.len() >= 8, "{noted:?}");
    assert_eq!(scene.standing(), before);
    noted
}

/// 34: an auditor's token does a write, also where the auditor is an admin as well.
async fn an_auditor_that_writes(scene: &mut Scene) {
    writes_nothing(scene, 34, "auditor").await;
    scene.must_audit("ada", "POST /api/v1/requests: not_allowed");
    scene.must_audit("ada", "POST /api/v1/policy/endings/{seq}/confirm: not_allowed");
}

/// 35: a token that only reads, on every route that changes something.
async fn a_token_that_only_reads_and_writes(scene: &mut Scene) {
    writes_nothing(scene, 35, "reader").await;
    scene.must_audit("ann", "POST /api/v1/requests: not_allowed");
    scene.must_audit("ann", "POST /api/v1/grants/{id}/revoke: not_allowed");
}

/// 37: a method in a header or in a field is no method.
async fn a_method_in_a_header_or_a_field(scene: &Scene) {
    let before = scene.standing();
    let bearer = format!("Bearer {}", scene.token("admin"));
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        let headers = [("Authorization", bearer.as_str()), (name, "POST"), ("Content-Type", "application/json")];
        let answer = scene.with("GET", &format!("/api/v1/grants/{}/revoke", nothing()), &headers, None).await;
        refused(&format!("37 {name}"), &answer, 405, "wrong_method");
        let answer = scene.with("GET", "/api/v1/requests", &headers, None).await;
        assert_eq!((answer.status, answer.json()["items"].is_array()), (200, true), "37 {name}: a list as without it: {}", answer.shown());
    }
    refused("37 _method in the address", &scene.call("admin", "GET", "/api/v1/requests?_method=POST", None).await, 400, "malformed");
    refused("37 _method in the body", &scene.call("admin", "POST", "/api/v1/requests", Some(r#"{"_method":"DELETE","group":"instant"}"#)).await, 400, "malformed");
    let mut ada = scene.front.signed_in("ada").await;
    let csrf = ada.csrf("/sessions").await;
    let before_form = scene.standing();
    // A form with a field more than it has changes no method: `/signout` by POST, and nothing by GET.
    let answer = ada.get(&format!("/signout?_method=POST&csrf={csrf}")).await;
    assert_eq!(answer.status, 405, "{}", answer.shown());
    assert!(scene.front.is_in(&mut ada).await);
    assert_eq!(scene.standing(), before_form);
    assert!(before_form.len() >= before.len());
}

/// 38: HEAD, OPTIONS and TRACE on what changes something change nothing, and say which methods there are.
async fn changing_by_head_or_options(scene: &Scene) {
    let before = scene.standing();
    let bearer = format!("Bearer {}", scene.token("admin"));
    for route in ROUTES.iter().filter(|r| r.method.as_str() != "GET" && r.access != Access::Scim) {
        let path = route.pattern.replace("{id}", &nothing()).replace("{seq}", "1").replace("{group}", "instant").replace("{issuer}", "corp");
        let reads = ROUTES.iter().any(|r| r.pattern == route.pattern && r.method.as_str() == "GET");
        for method in ["HEAD", "OPTIONS", "TRACE"] {
            if method == "HEAD" && reads {
                continue;
            }
            let answer = scene.with(method, &path, &[("Authorization", &bearer), ("Content-Type", "application/json")], None).await;
            assert_eq!(answer.status, 405, "38 {method} {path}: {}", answer.shown());
            assert!(header(&answer, "allow").is_some_and(|a| a.contains("POST")), "38 {method} {path}: {}", answer.head);
        }
    }
    assert_eq!(scene.standing(), before);
}

/// 39: headers in which a proxy may name somebody, or another address, are nobody's and lead nowhere.
async fn headers_that_name_somebody(scene: &Scene) {
    for (name, value) in [
        ("X-Forwarded-User", "ada"),
        ("X-Remote-User", "ada"),
        ("Remote-User", "ada"),
        ("X-Auth-Request-Email", "ada@example.org"),
        ("X-Original-URL", "/api/v1/system"),
        ("X-Rewrite-URL", "/api/v1/system"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Prefix", "/evil"),
        ("Forwarded", "for=127.0.0.1;host=evil.example;proto=https"),
        ("Authorization", "Basic YWRhOmFkYQ=="),
    ] {
        let nobody = scene.with("GET", "/api/v1/system", &[(name, value)], None).await;
        refused(&format!("39 {name}, nobody"), &nobody, 401, "unknown_caller");
        assert_eq!(scene.with("GET", "/healthz", &[(name, value)], None).await.body, b"ok\n", "39 {name}: another address");
        let page = scene.with("GET", "/access", &[(name, value)], None).await;
        if name != "Authorization" {
            let bearer = format!("Bearer {}", scene.token("ann"));
            let ann = scene.with("GET", "/api/v1/system", &[("Authorization", &bearer), (name, value)], None).await;
            refused(&format!("39 {name}, somebody else"), &ann, 403, "not_allowed");
            assert_eq!(header(&page, "location"), Some("/signin?return_to=%2Faccess"), "39 {name}");
        }
        let start = scene.with("GET", "/signin/corp", &[(name, value)], None).await;
        assert!(!start.head.contains("evil") && start.head.contains("redirect_uri=http%3A%2F%2F127.0.0.1"), "39 {name}: {}", start.head);
    }
}

/// 40: a path in disguise is no path, not even to whom the place is open.
async fn a_path_in_disguise(scene: &Scene) {
    for path in [
        "//api/v1/system", "/api/v1//system", "/./api/v1/system", "/api/./v1/system", "/api/v1/x/../system", "/api%2fv1/system", "/api/v1%2Fsystem",
        "/api/v1/system/", "/api/v1/system;x", "/api/v1/system;x=y", "/api/v1/system.", "/api/v1/system%00", "/api/v1/system%20", "/API/v1/system",
        "/api/V1/System", "/api/v1/%252e%252e/system", "\\api\\v1\\system", "/api/v1/system%2e", "/api/v1/%73ystem", "//access", "/access;x", "/Access",
    ] {
        for part in [None, Some("ann"), Some("admin")] {
            let bearer = part.map(|p| format!("Bearer {}", scene.token(p)));
            let headers: Vec<(&str, &str)> = bearer.iter().map(|b| ("Authorization", b.as_str())).collect();
            let answer = scene.with("GET", path, &headers, None).await;
            println!("40 {path} as {}: {}", part.unwrap_or("nobody"), answer.status);
            assert!(matches!(answer.status, 400 | 404), "40 {path} as {part:?}: {}", answer.shown());
        }
    }
    assert_eq!(scene.call("admin", "GET", "/api/v1/system", None).await.status, 200);
}
