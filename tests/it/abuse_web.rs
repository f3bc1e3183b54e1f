//! Abuse of the web (security.md, 4, items 60 to 62), against a live server on both databases. Items 53 to 59, and what else stands
//! between a browser and an issuer, are in `signin_refused.rs`.

use crate::{
    abuse::{Scene, refused},
    signin_house::{USUAL, on_both},
    support::browser::{Browser, header, set_cookies},
};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

#[test]
fn abuse_of_the_web() {
    on_both("abuse_web", USUAL, |front| async move {
        let mut scene = Scene::new(front);
        let mut ann = scene.front.signed_in("ann").await;
        a_call_with_anothers_session(&mut scene, &mut ann).await;
        a_form_of_another_site(&mut scene, &mut ann).await;
        a_vote_that_meant_something_else(&scene, &mut ann).await;
        a_page_in_a_frame_or_without_its_headers(&scene, &mut ann).await;
        a_cookie_that_scripts_or_others_could_have(&scene).await;
        scene.leave();
    });
}

/// 60: the API with a browser's cookie, from a page elsewhere: whatever a page may send without asking first.
async fn a_call_with_anothers_session(scene: &mut Scene, ann: &mut Browser) {
    let before = scene.standing();
    let own = format!("Origin: http://{}\r\n", scene.front.service.address());
    let wish = r#"{"group":"instant","duration":"8h"}"#;
    for (what, lines, kind, status, code) in [
        ("text/plain", own.as_str(), "text/plain", 415, "wrong_type"),
        ("a form", &own, FORM, 415, "wrong_type"),
        ("multipart", &own, "multipart/form-data; boundary=x", 415, "wrong_type"),
        ("text/x+json", &own, "text/x+json", 415, "wrong_type"),
        ("application/csp-report+json", &own, "application/csp-report+json", 415, "wrong_type"),
        ("no Origin", "", JSON, 403, "not_allowed"),
        ("a null Origin", "Origin: null\r\n", JSON, 403, "not_allowed"),
        ("another site", "Origin: https://evil.example\r\n", JSON, 403, "not_allowed"),
        ("a sibling", "Origin: http://evil.127.0.0.1\r\n", JSON, 403, "not_allowed"),
        ("another port", "Origin: http://127.0.0.1:1\r\n", JSON, 403, "not_allowed"),
        ("https of the same host", "Origin: https://127.0.0.1\r\n", JSON, 403, "not_allowed"),
        ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: cross-site\r\n", JSON, 403, "not_allowed"),
        ("Sec-Fetch-Site: same-site", "Sec-Fetch-Site: same-site\r\n", JSON, 403, "not_allowed"),
    ] {
        refused(&format!("60 {what}"), &ann.post_with("/api/v1/requests", wish, lines, kind).await, status, code);
    }
    assert_eq!(scene.standing(), before);
    scene.must_audit("ann", "POST /api/v1/requests: foreign_origin");
    // From our own page it is a call like any other.
    let answer = ann.post_with("/api/v1/requests", wish, &own, "application/json; charset=utf-8").await;
    assert_eq!(answer.status, 201, "{}", answer.shown());
}

/// 60: forms from elsewhere, also with the right token in them: nobody elsewhere has it.
async fn a_form_of_another_site(scene: &mut Scene, ann: &mut Browser) {
    let csrf = ann.csrf("/sessions").await;
    let before = scene.standing();
    let own = format!("Origin: http://{}\r\n", scene.front.service.address());
    let right = format!("csrf={csrf}");
    for (what, path, lines, kind, body, statuses) in [
        ("another site", "/signout", "Origin: https://evil.example\r\n", FORM, right.as_str(), 403),
        ("a null Origin", "/sessions/end-others", "Origin: null\r\n", FORM, &right, 403),
        ("a sibling", "/tokens", "Origin: http://evil.127.0.0.1\r\n", FORM, &right, 403),
        ("Sec-Fetch-Site", "/request/instant", "Sec-Fetch-Site: cross-site\r\n", FORM, &right, 403),
        ("no Origin, no token", "/signout", "", FORM, "csrf=", 403),
        ("no Origin, another's token", "/signout", "", FORM, "csrf=00ff", 403),
        ("text/plain", "/signout", own.as_str(), "text/plain", &right, 415),
        ("JSON", "/signout", &own, JSON, r#"{"csrf":"x"}"#, 415),
    ] {
        let answer = ann.post_with(path, body, lines, kind).await;
        println!("60 {what}: {}", answer.status);
        assert_eq!(answer.status, statuses, "60 {what}: {}", answer.shown());
    }
    assert!(scene.front.is_in(ann).await);
    assert_eq!(scene.standing(), before);
    scene.must_audit("ann", "POST /signout: foreign_origin");
}

/// 60: a body that is there is read, strictly, also where none is needed: of a vote, of a withdrawal.
async fn a_vote_that_meant_something_else(scene: &Scene, ann: &mut Browser) {
    let (request, _) = scene.ask("max", "asked").await;
    let before = scene.standing();
    for (act, body) in [
        ("approve", r#"{"approver":"omar"}"#),
        ("approve", r#"{"comment":7}"#),
        ("approve", "comment=yes"),
        ("withdraw", r#"{"person":"max"}"#),
        ("withdraw", "null"),
    ] {
        let part = if act == "approve" { "olga" } else { "max" };
        refused(&format!("2 {act} with {body}"), &scene.call(part, "POST", &format!("/api/v1/requests/{request}/{act}"), Some(body)).await, 400, "malformed");
    }
    assert_eq!(scene.standing(), before);
    let bearer = format!("Bearer {}", scene.token("olga"));
    let length = "csrf=x".len().to_string();
    let typed = [("Authorization", bearer.as_str()), ("Content-Type", "text/plain"), ("Content-Length", length.as_str())];
    let mut text = crate::support::http::request("POST", &format!("/api/v1/requests/{request}/approve"), &typed, None);
    text.extend_from_slice(b"csrf=x");
    let answer = crate::support::http::once(scene.front.service.address(), &text).await.unwrap();
    refused("60 a vote as text/plain", &answer, 415, "wrong_type");
    assert_eq!(scene.standing(), before);
    // Without any body it is a vote.
    assert_eq!(scene.call("olga", "POST", &format!("/api/v1/requests/{request}/approve"), None).await.status, 200);
    assert!(scene.front.is_in(ann).await);
}

/// 61: every answer, right or wrong, says that it is framed by nobody, what it may load, what it is, and where it tells of itself.
async fn a_page_in_a_frame_or_without_its_headers(scene: &Scene, ann: &mut Browser) {
    let mut nobody = scene.front.browser();
    let mut answers = Vec::new();
    for path in ["/", "/groups", "/sessions", "/tokens", "/people/ann", "/people/nobody", "/no/such/page", "/system", "/api/v1/requests", "/api/v1/nothing", "/openapi.json"] {
        answers.push((path, ann.get(path).await));
    }
    for path in ["/", "/signin", "/signed-out", "/signin/corp/callback?code=x", "/healthz", "/metrics", "/assets/icon.svg", "/assets/none", "/scim/v2/Users", "/api/v1/requests"] {
        answers.push((path, nobody.get(path).await));
    }
    answers.push(("/signin by POST", nobody.post("/signin", "person=ada").await));
    for (path, answer) in &answers {
        let says = |name: &str| header(answer, name).unwrap_or_else(|| panic!("61 {path} ({}) lacks {name}", answer.status));
        let policy = says("content-security-policy");
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "script-src 'self'"] {
            assert!(policy.contains(part) && !policy.contains("unsafe"), "61 {path}: {policy}");
        }
        assert_eq!((says("x-frame-options"), says("x-content-type-options"), says("referrer-policy")), ("DENY", "nosniff", "same-origin"), "61 {path}");
        assert_eq!(header(answer, "cache-control") == Some("no-store"), !path.starts_with("/assets/"), "61 {path}");
        assert!(header(answer, "access-control-allow-origin").is_none() && header(answer, "server").is_none(), "61 {path}: {}", answer.head);
    }
}

/// 62: what a cookie is worth: not for scripts, not for other sites, another after signing in than before.
async fn a_cookie_that_scripts_or_others_could_have(scene: &Scene) {
    let front = &scene.front;
    let mut browser = front.browser();
    browser.cookies.insert("bandpass_session".to_owned(), "planted".to_owned());
    let answer = front.sign_in(&mut browser, &serde_json::json!({ "sub": "s-olga", "employee": "olga" })).await;
    let cookies = set_cookies(&answer);
    let session = cookies.iter().find(|c| c.starts_with("bandpass_session=")).unwrap();
    for flag in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="] {
        assert!(session.contains(flag), "62 {flag}: {session}");
    }
    assert!(!session.contains("Domain") && !session.contains("planted"), "62 {session}");
    let first = browser.cookies["bandpass_session"].clone();
    assert!(first.len() >= 43, "62 256 random bits");
    front.sign_in(&mut browser, &serde_json::json!({ "sub": "s-olga", "employee": "olga" })).await;
    assert_ne!(browser.cookies["bandpass_session"], first, "62 a session is another after every sign-in");
    let mut thief = front.browser();
    for planted in ["planted", first.as_str(), ""] {
        thief.cookies.insert("bandpass_session".to_owned(), planted.to_owned());
        assert!(!front.is_in(&mut thief).await, "62 {planted}");
    }
}
