//! The small print of what people and programs come with.

use serde_json::json;

use crate::{
    signin_house::{Front, USUAL, on_both, run, text},
    support::{browser::header, http},
};

const PATH: &str = "/api/v1/requests";

#[test]
fn who_tries_again_and_again_is_one_event_a_minute() {
    on_both("again", USUAL, |front: Front| async move {
        front.signed_in("ann").await;
        for _ in 0..5 {
            let mut browser = front.browser();
            let answer = front.sign_in(&mut browser, &json!({ "employee": "ann", "sub": "s-mallory" })).await;
            assert_eq!(answer.status, 403, "{}", answer.shown());
        }
        assert_eq!(front.events("signin.refused").await, 1);
        let mut browser = front.browser();
        front.sign_in(&mut browser, &json!({ "employee": "ann", "sub": "s-trudy" })).await;
        assert_eq!(front.events("signin.refused").await, 2, "another subject is another event");
        front.leave();
    });
}

#[test]
fn a_number_is_not_the_text_of_its_digits() {
    run(|| async {
        let front = Front::open("digits", "subject_claim = \"oid\"\nperson_claim = \"employee\"\naudiences = [\"bandpass-api\"]\n").await;
        let mut browser = front.browser();
        let answer = front.sign_in(&mut browser, &json!({ "oid": "12", "employee": "ann" })).await;
        assert_eq!(answer.status, 303, "{}", answer.shown());
        let mut other = front.browser();
        let answer = front.sign_in(&mut other, &json!({ "oid": 12 })).await;
        assert_eq!(answer.status, 403, "{}", answer.shown());
        assert!(text(&answer).contains("no `oid` that is a text"), "{}", text(&answer));
        for (oid, status) in [(json!("12"), 200), (json!(12), 401)] {
            let answer = front.api("GET", PATH, &front.issuer.access_token(&json!({ "oid": oid, "scope": "read" })), None).await;
            assert_eq!(answer.status, status, "{oid}: {}", answer.shown());
        }
        front.leave();
    });
}

#[test]
fn a_claim_that_comes_twice_at_userinfo_is_no_claim() {
    run(|| async {
        let front = Front::open("twice", USUAL).await;
        let mut browser = front.browser();
        front.issuer.tell_text("{\"sub\":\"s-ann\",\"employee\":\"max\",\"employee\":\"ann\"}");
        let answer = front.sign_in(&mut browser, &json!({})).await;
        assert_eq!(answer.status, 502, "{}", answer.shown());
        assert!(text(&answer).contains("a claim comes twice"), "{}", text(&answer));
        front.issuer.tell_text("{\"sub\":\"s-ann\",\"employee\":\"ann\"}");
        assert_eq!(front.sign_in(&mut browser, &json!({})).await.status, 303);
        front.leave();
    });
}

#[test]
fn a_refusal_says_what_is_wrong_with_the_token() {
    run(|| async {
        let front = Front::open("challenge", USUAL).await;
        let (read, request) = (json!({ "employee": "ann", "scope": "read" }), json!({ "employee": "ann", "scope": "request" }));
        let ask = async |authorization: &str| {
            let headers: Vec<(&str, &str)> = [("Authorization", authorization)].into_iter().filter(|(_, a)| !a.is_empty()).collect();
            let answer = http::once(front.service.address(), &http::request("GET", PATH, &headers, None)).await.unwrap();
            (answer.status, header(&answer, "www-authenticate").map(str::to_owned))
        };
        let bearer = |word: &str, claims: &serde_json::Value| format!("{word} {}", front.issuer.access_token(claims));
        assert_eq!(ask("").await, (401, Some("Bearer".to_owned())));
        assert_eq!(ask("Basic YTpi").await, (401, Some("Bearer".to_owned())));
        for wrong in ["Bearer bp_x", "Bearer a.b.c", &bearer("Bearer", &json!({ "aud": "x" }))] {
            assert_eq!(ask(wrong).await, (401, Some("Bearer error=\"invalid_token\"".to_owned())), "{wrong}");
        }
        assert_eq!(ask(&bearer("Bearer", &request)).await, (403, Some("Bearer error=\"insufficient_scope\", scope=\"read\"".to_owned())));
        for word in ["Bearer", "bearer", "BEARER"] {
            assert_eq!(ask(&bearer(word, &read)).await, (200, None), "{word}");
        }
        front.leave();
    });
}

#[test]
fn looking_at_a_link_uses_no_sign_in_up() {
    run(|| async {
        let front = Front::open("head", USUAL).await;
        let mut browser = front.browser();
        let asked = front.begin(&mut browser).await;
        let code = front.issuer.code(&asked, &json!({ "employee": "ann" }));
        let (name, value) = browser.cookies.iter().next().unwrap();
        let iss = front.issuer.url();
        let head = format!("HEAD /signin/corp/callback?code={code}&state={}&iss={iss} HTTP/1.1\r\nHost: x\r\nCookie: {name}={value}\r\n\r\n", asked["state"]);
        assert_eq!(http::once(front.service.address(), head.as_bytes()).await.unwrap().status, 405);
        assert_eq!(front.events("session.started").await, 0);
        assert_eq!(front.back(&mut browser, &asked, &code).await.status, 303);
        front.leave();
    });
}

#[test]
fn a_label_is_one_line() {
    run(|| async {
        let front = Front::open("label", USUAL).await;
        let mut ann = front.signed_in("ann").await;
        let csrf = ann.csrf("/tokens").await;
        let answer = ann.post("/tokens", &format!("csrf={csrf}&label=nightly%0a0199&expires=30d&read=on")).await;
        assert_eq!(answer.status, 422, "{}", answer.shown());
        assert!(text(&answer).contains("a label is one line"), "{}", text(&answer));
        for wrong in [vec!["--person", "ann", "--label", "a\nb"], vec!["--admin", "--people-file", "/dev/null"]] {
            let out = front.service.run(&[&["token", "create"], wrong.as_slice()].concat());
            assert!(!out.status.success(), "{wrong:?}: {}", String::from_utf8_lossy(&out.stdout));
        }
        assert_eq!(front.events("token.created").await, 0);
        front.leave();
    });
}

#[test]
fn the_doctor_tells_of_an_issuer_without_pkce() {
    run(|| async {
        let front = Front::open("pkce", USUAL).await;
        let doctor = || String::from_utf8_lossy(&front.service.run(&["doctor"]).stdout).into_owned();
        let said = doctor();
        assert!(said.contains("no back-channel logout there") && said.contains("/signin/corp/backchannel-logout") && !said.contains("S256"), "{said}");
        front.issuer.say("code_challenge_methods_supported", json!(["plain"]));
        let said = doctor();
        assert!(said.contains("it does not take `S256`"), "{said}");
        front.leave();
    });
}
