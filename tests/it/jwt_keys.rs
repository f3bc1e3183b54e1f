//! What JWTs may do, and the keys of issuers over the wire: while they are read, and while they cannot be had. What time does to them is told by made-up
//! clocks in `src/auth/published.rs`.

use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    signin_house::{Front, USUAL, run, text},
    support::{
        browser::header,
        http,
        issuer::{Issuer, Mood},
        jwt_key::{SigningKey, b64},
    },
};

const PATH: &str = "/api/v1/requests";

#[test]
fn everybody_waits_for_the_first_reading_and_there_is_one() {
    run(|| async {
        let front = Front::open("firstkeys", USUAL).await;
        front.issuer.be("/jwks", Mood::Late);
        let token = front.issuer.access_token(&json!({ "employee": "ann", "scope": "read" }));
        let answers = futures_util::future::join_all((0..8).map(|_| front.api("GET", PATH, &token, None))).await;
        assert_eq!(answers.iter().map(|a| a.status).collect::<Vec<_>>(), [200; 8], "{}", answers[7].shown());
        assert_eq!((front.issuer.hits("/jwks"), front.issuer.hits("/.well-known/openid-configuration")), (1, 1));
        front.leave();
    });
}

#[test]
fn whoever_hangs_up_does_not_take_the_reading_along() {
    run(|| async {
        let front = Front::open("hangup", USUAL).await;
        front.issuer.be("/jwks", Mood::Late);
        let stray = SigningKey::new("unknown", "ES256", 0).sign_with(&json!({ "typ": "at+jwt" }), &front.issuer.access_claims(&json!({})));
        let mut stream = TcpStream::connect(front.service.address()).await.unwrap();
        stream.write_all(&http::request("GET", PATH, &[("Authorization", &format!("Bearer {stray}"))], None)).await.unwrap();
        while front.issuer.hits("/jwks") == 0 {
            tokio::task::yield_now().await;
        }
        // A reset, so that nobody believes in a half-closed connection.
        stream.set_zero_linger().unwrap();
        drop(stream);
        let token = front.issuer.access_token(&json!({ "employee": "ann", "scope": "read" }));
        let answer = front.api("GET", PATH, &token, None).await;
        assert_eq!(answer.status, 200, "{}", answer.shown());
        front.leave();
    });
}

#[test]
fn keys_that_cannot_be_had_make_nobody_wrong() {
    run(|| async {
        let front = Front::open("nokeys", USUAL).await;
        front.issuer.be("/jwks", Mood::Broken);
        let right = front.issuer.access_token(&json!({ "employee": "ann", "scope": "read" }));
        // Anybody can write this.
        let unsigned = format!("{}.{}.AAAA", b64(json!({ "alg": "ES256", "typ": "at+jwt", "kid": "first" }).to_string()), b64(front.issuer.access_claims(&json!({})).to_string()));
        for token in [right, unsigned] {
            let answer = front.api("GET", PATH, &token, None).await;
            assert_eq!((answer.status, header(&answer, "retry-after")), (503, Some("60")), "{}", answer.shown());
            for inner in ["127.0.0.1", "jwks", "500", "http"] {
                assert!(!answer.json()["detail"].as_str().unwrap().contains(inner), "{}", answer.shown());
            }
        }
        let mut browser = front.browser();
        let answer = front.sign_in(&mut browser, &json!({ "employee": "ann" })).await;
        assert_eq!(answer.status, 502, "{}", answer.shown());
        assert!(text(&answer).contains("keys cannot be had") && !text(&answer).contains("/jwks"), "{}", text(&answer));
        assert_eq!(front.issuer.hits("/jwks"), 1, "once a minute, also when it fails");
        front.leave();
    });
}

#[test]
fn a_token_that_says_nothing_of_what_it_may_do_may_do_nothing() {
    run(|| async {
        let loose = "person_claim = \"employee\"\naudiences = [\"bandpass-api\"]\ntoken_type = \"JWT\"\ndefault_scopes = [\"read\"]\n[[signin.issuer.client]]\nclient_id = \"bot\"\nservice = \"bot\"\nowner = \"ann\"\nscopes = [\"read\"]\n";
        let other = Issuer::start().await;
        let front = Front::open("scopes", &format!("{USUAL}{}", other.settings("loose", loose))).await;
        let token = |over: serde_json::Value| front.issuer.access_token(&over);
        let answer = front.api("GET", PATH, &token(json!({ "employee": "ann" })), None).await;
        assert_eq!(answer.status, 403, "{}", answer.shown());
        assert!(answer.json()["detail"].as_str().unwrap().contains("lacks the scope `read`"), "{}", answer.shown());
        assert_eq!(front.api("GET", PATH, &token(json!({ "employee": "ann", "scope": "openid profile" })), None).await.status, 403);
        assert_eq!(front.api("GET", PATH, &token(json!({ "employee": "ann", "scope": "read" })), None).await.status, 200);
        // An ID token of the API's own registration, in a flow without a nonce, where access tokens are called `JWT` too.
        let plain = |over: serde_json::Value| other.key().sign_with(&json!({ "typ": "JWT" }), &other.access_claims(&over));
        let answer = front.api("GET", PATH, &plain(json!({ "employee": "ann" })), None).await;
        assert_eq!(answer.status, 401, "{}", answer.shown());
        assert_eq!(front.api("GET", PATH, &plain(json!({ "employee": "ann", "scp": "user_impersonation" })), None).await.status, 200, "the default of the settings");
        assert_eq!(front.api("POST", PATH, &plain(json!({ "employee": "ann", "scp": "x" })), Some("{\"group\":\"instant\"}")).await.status, 403);
        assert_eq!(front.api("GET", PATH, &plain(json!({ "sub": "bot", "client_id": "bot" })), None).await.status, 200, "a program's scopes stand in the settings");
        front.leave();
    });
}
