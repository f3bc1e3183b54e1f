//! Everything about signing in that must be refused (security.md, 4, items 50 to 62): over the wire and on both databases, with
//! the status that it gets, and that nobody gained anything by it.

use serde_json::{Value, json};

use crate::{
    signin_house::{Front, USUAL, on_both, run, text},
    support::{
        browser::{Browser, header},
        http::Answer,
        issuer::{Asked, Issuer, Mood, now, query},
        jwt_key::SigningKey,
    },
};

/// A refusal: its status, words of its page, no session, and no cookie of a sign-in left.
async fn refused(front: &Front, browser: &mut Browser, what: &str, answer: &Answer, status: u16, words: &str) {
    println!("{what}: {}", answer.status);
    assert_eq!(answer.status, status, "{what}: {}", answer.shown());
    assert!(text(answer).contains(words), "{what}: expected \"{words}\" in {}", text(answer));
    assert!(!browser.cookies.contains_key("bandpass_session"), "{what}");
    assert!(!front.is_in(browser).await, "{what}: a session began");
}

#[test]
fn an_answer_that_belongs_to_no_sign_in_of_this_browser() {
    on_both("stray", USUAL, |front: Front| async move {
        let good = json!({ "employee": "ann" });
        // 53: no state, another state, state of another browser, a state used before.
        let mut browser = front.browser();
        let asked = front.begin(&mut browser).await;
        let code = front.issuer.code(&asked, &good);
        let answer = browser.get(&format!("/signin/corp/callback?code={code}&iss={}", front.issuer.url())).await;
        refused(&front, &mut browser, "no state", &answer, 400, "no sign-in that this browser began").await;
        let asked = front.begin(&mut browser).await;
        let mut wrong = asked.clone();
        wrong.insert("state".to_owned(), format!("{}{}", &asked["state"][..12], "x".repeat(asked["state"].len() - 12)));
        let answer = front.back(&mut browser.clone(), &wrong, &front.issuer.code(&asked, &good)).await;
        refused(&front, &mut browser, "a state that begins alike", &answer, 400, "another sign-in").await;
        wrong.insert("state".to_owned(), "x".repeat(43));
        let answer = front.back(&mut browser, &wrong, &front.issuer.code(&asked, &good)).await;
        refused(&front, &mut browser, "another state", &answer, 400, "no sign-in that this browser began").await;
        let mut other = front.browser();
        let asked = front.begin(&mut browser).await;
        let answer = front.back(&mut other, &asked, &front.issuer.code(&asked, &good)).await;
        refused(&front, &mut other, "a browser that began nothing", &answer, 400, "no sign-in that this browser began").await;
        front.begin(&mut other).await;
        let answer = front.back(&mut other, &asked, &front.issuer.code(&asked, &good)).await;
        refused(&front, &mut other, "the state of another browser", &answer, 400, "no sign-in that this browser began").await;
        // The cookie kept by hand: the issuer takes a code once, and the ledger takes a sign-in once even from an issuer that does not.
        let mut browser = front.browser();
        let asked = front.begin(&mut browser).await;
        let mut kept = browser.clone();
        let code = front.issuer.code(&asked, &good);
        assert_eq!(front.back(&mut browser, &asked, &code).await.status, 303);
        let answer = front.back(&mut browser.clone(), &asked, &code).await;
        assert_eq!(answer.status, 400, "55, the address again in the same browser: {}", answer.shown());
        let answer = front.back(&mut kept.clone(), &asked, &code).await;
        refused(&front, &mut kept, "55, the code again with the cookie", &answer, 400, "does not take the code").await;
        let again = front.issuer.code(&asked, &good);
        let answer = front.back(&mut kept, &asked, &again).await;
        refused(&front, &mut kept, "a used state with a new code", &answer, 409, "has changed meanwhile").await;
        assert_eq!(front.events("session.started").await, 1);
        // A forged, cut or foreign cookie is none.
        for cookie in ["x", "", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let mut forger = front.browser();
            let asked = front.begin(&mut forger).await;
            let name = forger.cookies.keys().next().unwrap().clone();
            forger.cookies.insert(name, cookie.to_owned());
            let answer = front.back(&mut forger, &asked, &front.issuer.code(&asked, &good)).await;
            refused(&front, &mut forger, "a forged cookie", &answer, 400, "began no sign-in").await;
        }
        // 56: another issuer answers, or none says so.
        let mut browser = front.browser();
        let asked = front.begin(&mut browser).await;
        let code = front.issuer.code(&asked, &good);
        let answer = browser.get(&format!("/signin/corp/callback?code={code}&state={}&iss=https%3A%2F%2Fevil.example", asked["state"])).await;
        refused(&front, &mut browser, "the iss of another", &answer, 400, "nother issuer answered").await;
        let asked = front.begin(&mut browser).await;
        let code = front.issuer.code(&asked, &good);
        let answer = browser.get(&format!("/signin/corp/callback?code={code}&state={}", asked["state"])).await;
        refused(&front, &mut browser, "no iss", &answer, 400, "does not say which issuer").await;
        // 58: what the issuer says is told as its code alone.
        let asked = front.begin(&mut browser).await;
        let answer = browser
            .get(&format!("/signin/corp/callback?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C%2Fscript%3E&state={}&iss={}", asked["state"], front.issuer.url()))
            .await;
        refused(&front, &mut browser, "declined", &answer, 403, "access_denied").await;
        assert!(!text(&answer).contains("alert(1)"));
        let asked = front.begin(&mut browser).await;
        let answer = browser.get(&format!("/signin/corp/callback?error=%3Cimg%20src%3Dx%3E&state={}&iss={}", asked["state"], front.issuer.url())).await;
        refused(&front, &mut browser, "an error that is markup", &answer, 403, "`imgsrcx`").await;
        assert_eq!(front.browser().get("/signin/nobody").await.status, 404);
        let mut browser = front.browser();
        front.begin(&mut browser).await;
        let answer = browser.get("/signin/corp/callback?state=a&state=b&code=c").await;
        assert_eq!(answer.status, 400, "a name twice: {}", answer.shown());
        front.leave();
    });
}

#[test]
fn an_id_token_that_is_not_right() {
    on_both("idtoken", USUAL, |front: Front| async move {
        let mut browser = front.browser();
        let wrong: Vec<(&str, Value, &str)> = vec![
            ("54 no nonce", json!({ "nonce": null }), "nonce"),
            ("54 another nonce", json!({ "nonce": "x" }), "nonce"),
            ("another audience", json!({ "aud": "another-app" }), "aud"),
            ("others among the audiences", json!({ "aud": ["bandpass", "another-app"] }), "means others as well"),
            ("no audience", json!({ "aud": null }), "aud"),
            ("an empty list of audiences", json!({ "aud": [] }), "aud"),
            ("given to another app", json!({ "azp": "another-app" }), "azp"),
            ("another issuer", json!({ "iss": "https://evil.example" }), "iss"),
            ("a slash behind the issuer", json!({ "iss": format!("{}/", front.issuer.url()) }), "iss"),
            ("expired", json!({ "iat": now() - 400, "exp": now() - 60 }), "expired"),
            ("no expiry", json!({ "exp": null }), "cannot be read"),
            ("an expiry as text", json!({ "exp": "9999999999" }), "cannot be read"),
            ("no subject", json!({ "sub": null }), "cannot be read"),
            ("an empty subject", json!({ "sub": "" }), "sub"),
            ("a subject that is a number", json!({ "sub": 7 }), "cannot be read"),
            ("a clock ten minutes ahead", json!({ "iat": now() + 600, "exp": now() + 900 }), "clocks"),
            ("a clock ten minutes behind", json!({ "iat": now() - 1300, "exp": now() + 60 }), "clocks"),
        ];
        for (what, claims, words) in wrong {
            let mut all = json!({ "employee": "ann" });
            all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
            let answer = front.sign_in(&mut browser, &all).await;
            refused(&front, &mut browser, what, &answer, 403, words).await;
        }
        // Signed by others, not signed, encrypted, or of another use.
        let stranger = SigningKey::new("first", "ES256", 0);
        let unknown = SigningKey::new("unknown", "ES256", 0);
        let claims = |asked: &Asked| front.issuer.id_claims(asked, &json!({ "employee": "ann" }));
        let none = |claims: &Value| {
            use crate::support::jwt_key::b64;
            format!("{}.{}.", b64(json!({ "alg": "none" }).to_string()), b64(claims.to_string()))
        };
        for (what, token) in [
            ("a stranger's key of the same name", 0),
            ("a key that is not published", 1),
            ("alg none", 2),
            ("typ at+jwt", 3),
            ("typ logout+jwt", 4),
            ("nonsense", 5),
        ] {
            let asked = front.begin(&mut browser).await;
            let claims = claims(&asked);
            let token = match token {
                0 => stranger.sign_with(&json!({}), &claims),
                1 => unknown.sign_with(&json!({}), &claims),
                2 => none(&claims),
                3 => front.issuer.key().sign_with(&json!({ "typ": "at+jwt" }), &claims),
                4 => front.issuer.key().sign_with(&json!({ "typ": "logout+jwt" }), &claims),
                _ => "a.b.c".to_owned(),
            };
            let code = front.issuer.code_for(&asked, token);
            let answer = front.back(&mut browser, &asked, &code).await;
            println!("{what}: {}", answer.status);
            assert!(matches!(answer.status, 403 | 502), "{what}: {}", answer.shown());
            assert!(!front.is_in(&mut browser).await, "{what}");
        }
        assert_eq!(front.events("session.started").await, 0);
        front.leave();
    });
}

#[test]
fn people_who_are_not_who_they_seem() {
    on_both("people", USUAL, |mut front: Front| async move {
        let mut browser = front.browser();
        // Nobody has it; the page says what was looked for and whom to ask.
        let answer = front.sign_in(&mut browser, &json!({ "employee": "carla", "sub": "s-carla" })).await;
        refused(&front, &mut browser, "nobody has the identifier", &answer, 403, "You are not in the directory").await;
        for words in ["employee", "carla", "s-carla", "Ask Ada"] {
            assert!(text(&answer).contains(words), "{words}: {}", text(&answer));
        }
        front.issuer.tell(json!({ "sub": "s-x" }));
        for value in [json!(null), json!(["ann"]), json!({ "id": "ann" }), json!(true), json!(""), json!("ann\u{0}"), json!("ANN"), json!("ann "), json!("%"), json!("a_n"), json!("x".repeat(300))] {
            let answer = front.sign_in(&mut browser, &json!({ "employee": value, "sub": "s-x" })).await;
            refused(&front, &mut browser, &format!("the identifier {value}"), &answer, 403, "not in the directory").await;
        }
        front.issuer.tell(json!({ "sub": "s-mallory" }));
        // 59: an e-mail of another, verified or not, says nothing; nor does a user name.
        for claims in [
            json!({ "email": "ann@example.org", "email_verified": true }),
            json!({ "email": "ann@example.org", "email_verified": false }),
            json!({ "email": "%", "preferred_username": "ann", "name": "Ann" }),
            json!({ "groups": "admins" }),
        ] {
            let mut all = json!({ "sub": "s-mallory", "employee": null });
            all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
            let answer = front.sign_in(&mut browser, &all).await;
            refused(&front, &mut browser, "another's e-mail", &answer, 403, "did not send what people are found by").await;
        }
        // A second account that says it is Ann.
        let mut ann = front.signed_in("ann").await;
        let answer = front.sign_in(&mut browser, &json!({ "employee": "ann", "sub": "s-mallory" })).await;
        refused(&front, &mut browser, "another subject of the same person", &answer, 403, "not the one that is known").await;
        assert!(text(&answer).contains("bandpass identity unlink corp ann"), "{}", text(&answer));
        assert_eq!(front.events("signin.refused").await, 1);
        // An admin has the old account forgotten: then the new one is Ann, and the old one is nobody.
        assert!(front.is_in(&mut ann).await);
        let told = front.service.must(&["identity", "unlink", "corp", "ann", "--reason", "her account was made anew"]);
        assert!(told.contains("(2 events)"), "{told}");
        assert!(!front.is_in(&mut ann).await, "what stood on the link is over");
        let mut anew = front.browser();
        assert_eq!(front.sign_in(&mut anew, &json!({ "employee": "ann", "sub": "s-new" })).await.status, 303);
        let answer = front.sign_in(&mut browser, &json!({ "employee": "ann", "sub": "s-ann" })).await;
        refused(&front, &mut browser, "the account that was forgotten", &answer, 403, "not the one that is known").await;
        assert!(front.service.must(&["identity", "list", "ann"]).contains("s-new"));
        assert!(front.service.must(&["session", "list", "--person", "ann"]).contains("1 sessions"));
        front.service.must(&["session", "end", "ann"]);
        assert!(!front.is_in(&mut anew).await);
        front.service.must(&["identity", "unlink", "corp", "ann"]);
        let mut ann = front.signed_in("ann").await;
        // Once linked, the subject alone says who it is: another claim moves nobody.
        let mut still = front.browser();
        assert_eq!(front.sign_in(&mut still, &json!({ "employee": "ada", "sub": "s-ann" })).await.status, 303);
        assert!(text(&still.get("/").await).contains("<summary>Ann</summary>"));
        assert_eq!(front.events("identity.linked").await, 3);
        // 50: whoever left is out at once, and not let in again.
        front.with_people(&crate::house::PEOPLE.replace("id = \"ann\"", "id = \"anna\"").replace("ann_t", "anna_t")).await;
        assert!(!front.is_in(&mut ann).await, "a session of somebody who left");
        let answer = front.sign_in(&mut browser, &json!({ "employee": "ann", "sub": "s-ann" })).await;
        refused(&front, &mut browser, "somebody who left", &answer, 403, "not in the directory any more").await;
        assert_eq!(front.events("signin.refused").await, 3);
        front.leave();
    });
}

#[test]
fn an_issuer_that_is_away_or_odd() {
    run(|| async {
        // An issuer that cannot be asked is asked once a minute, so each mood has one of its own.
        let discovery = "/.well-known/openid-configuration";
        let moods = [
            ("down", Mood::Down, "broke the connection off"),
            ("slow", Mood::Slow, "did not answer within"),
            ("html", Mood::Html, "answered HTML instead of JSON"),
            ("redirect", Mood::Redirect, "redirect"),
            ("big", Mood::Big, "more than 1024 KiB"),
            ("broken", Mood::Broken, "answered 500"),
        ];
        let mut more = USUAL.to_owned();
        let mut issuers = Vec::new();
        for (name, mood, _) in moods {
            let issuer = Issuer::start().await;
            issuer.be(discovery, mood);
            more.push_str(&issuer.settings(name, ""));
            issuers.push(issuer);
        }
        let front = Front::open("issuer", &more).await;
        let mut browser = front.browser();
        for ((name, mood, words), issuer) in moods.into_iter().zip(issuers) {
            for _ in 0..3 {
                let answer = browser.get(&format!("/signin/{name}")).await;
                refused(&front, &mut browser, &format!("discovery is {mood:?}"), &answer, 502, words).await;
                assert_eq!(browser.get(&format!("/signed-out?issuer={name}")).await.status, 200);
            }
            assert_eq!(issuer.hits(discovery), 1, "{mood:?}");
        }
        for (mood, words) in [(Mood::Html, "answered HTML"), (Mood::Redirect, "redirect"), (Mood::Big, "more than 1024 KiB"), (Mood::Broken, "server_error")] {
            front.issuer.be("/token", mood);
            let answer = front.sign_in(&mut browser, &json!({ "employee": "ann" })).await;
            refused(&front, &mut browser, &format!("the token endpoint is {mood:?}"), &answer, 502, words).await;
        }
        front.issuer.be("/token", Mood::Good);
        // Claims at userinfo: away, of another subject, a list, then right.
        front.issuer.be("/userinfo", Mood::Html);
        let answer = front.sign_in(&mut browser, &json!({})).await;
        refused(&front, &mut browser, "userinfo is HTML", &answer, 502, "HTML").await;
        front.issuer.be("/userinfo", Mood::Good);
        front.issuer.tell(json!({ "sub": "s-ada", "employee": "ada" }));
        let answer = front.sign_in(&mut browser, &json!({})).await;
        refused(&front, &mut browser, "userinfo of another subject", &answer, 403, "another subject").await;
        front.issuer.tell(json!({ "sub": "s-ann" }));
        let answer = front.sign_in(&mut browser, &json!({})).await;
        refused(&front, &mut browser, "no claim anywhere", &answer, 403, "did not send what people are found by").await;
        front.issuer.tell(json!({ "sub": "s-ann", "employee": "ann" }));
        let answer = front.sign_in(&mut browser, &json!({})).await;
        assert_eq!(answer.status, 303, "the claim at userinfo: {}", answer.shown());
        // Known people stay in while the issuer is away.
        front.issuer.be(discovery, Mood::Down);
        front.issuer.be("/jwks", Mood::Down);
        front.issuer.be("/token", Mood::Down);
        assert!(front.is_in(&mut browser).await);
        front.leave();
    });
}

#[test]
fn an_issuer_by_another_name() {
    run(|| async {
        let plain = Issuer::start().await;
        let front = Front::open("misnamed", &format!("{USUAL}{}", plain.settings("plain", ""))).await;
        let mut browser = front.browser();
        front.issuer.say("issuer", json!("https://evil.example"));
        let answer = browser.get("/signin/corp").await;
        refused(&front, &mut browser, "discovery names another issuer", &answer, 502, "byte by byte").await;
        plain.say("token_endpoint", json!("http://10.0.0.1/token"));
        let answer = browser.get("/signin/plain").await;
        refused(&front, &mut browser, "a token endpoint without TLS", &answer, 502, "plain http").await;
        front.leave();
    });
}

#[test]
fn cookies_forms_and_headers() {
    on_both("web", USUAL, |front: Front| async move {
        let mut ann = front.signed_in("ann").await;
        // 57: where to go afterwards is a path of this site.
        for bad in ["//evil.example", "/%5Cevil.example", "https:evil.example", "javascript:alert(1)", "/a%0d%0aSet-Cookie:x=y", "%2F%2Fevil.example"] {
            let mut browser = front.browser();
            let answer = browser.get(&format!("/signin/corp?return_to={bad}")).await;
            let asked = query(header(&answer, "location").unwrap());
            let code = front.issuer.code(&asked, &json!({ "employee": "max", "sub": "s-max" }));
            let answer = front.back(&mut browser, &asked, &code).await;
            assert_eq!((answer.status, header(&answer, "location")), (303, Some("/")), "{bad}");
        }
        // 60: a change comes from our own pages.
        let csrf = ann.csrf("/sessions").await;
        let own = format!("Origin: http://{}\r\n", front.service.address());
        let form = "application/x-www-form-urlencoded";
        let body = format!("csrf={csrf}");
        for (what, lines, kind, body) in [
            ("no Origin that is ours", "Origin: https://evil.example\r\n", form, body.as_str()),
            ("a null Origin", "Origin: null\r\n", form, &body),
            ("a sibling", "Origin: http://evil.127.0.0.1\r\n", form, &body),
            ("another port of this machine", "Origin: http://127.0.0.1:1\r\n", form, &body),
            ("Sec-Fetch-Site", "Sec-Fetch-Site: cross-site\r\n", form, &body),
            ("a sibling site", "Sec-Fetch-Site: same-site\r\n", form, &body),
            ("text/plain", own.as_str(), "text/plain", &body),
            ("JSON", own.as_str(), "text/x+json", "{\"csrf\":\"x\"}"),
            ("no token", own.as_str(), form, "csrf="),
            ("another token", own.as_str(), form, "csrf=0000"),
        ] {
            let answer = ann.post_with("/sessions/end-others", body, lines, kind).await;
            println!("60 {what}: {}", answer.status);
            assert!(matches!(answer.status, 400 | 403 | 415), "{what}: {}", answer.shown());
        }
        // 62: a session that somebody plants before the sign-in is not the one after it.
        let mut victim = front.browser();
        victim.cookies.insert("bandpass_session".to_owned(), "planted".to_owned());
        front.sign_in(&mut victim, &json!({ "employee": "olga", "sub": "s-olga" })).await;
        assert_ne!(victim.cookies["bandpass_session"], "planted");
        // 61: what every page says; and 39: headers that name somebody are nobody.
        let answer = ann.get("/").await;
        for (name, value) in [("x-frame-options", "DENY"), ("x-content-type-options", "nosniff"), ("referrer-policy", "same-origin"), ("cache-control", "no-store")] {
            assert_eq!(header(&answer, name), Some(value));
        }
        assert!(header(&answer, "content-security-policy").unwrap().contains("frame-ancestors 'none'"));
        let answer = front.browser().post_with("/signin", "person=ada", &own, form).await;
        assert_eq!(answer.status, 403, "the development sign-in is not there: {}", answer.shown());
        for line in ["X-Forwarded-User: ada", "X-Remote-User: ada", "Cookie: bandpass_session=ada|1|2|3"] {
            let request = format!("GET /access HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n");
            let answer = crate::support::http::once(front.service.address(), request.as_bytes()).await.unwrap();
            assert_eq!(answer.status, 303, "{line}");
        }
        front.leave();
    });
}

#[test]
fn behind_tls_cookies_are_bound_to_the_host() {
    on_both("https", USUAL, |mut front: Front| async move {
        front.service.stop();
        front.service.set("SERVER__PUBLIC_URL", "https://access.example.com");
        front.service.start().await;
        let mut browser = front.browser();
        let answer = browser.get("/signin/corp").await;
        let asked = query(header(&answer, "location").unwrap());
        assert_eq!(asked["redirect_uri"], "https://access.example.com/signin/corp/callback");
        let sign_in = crate::support::browser::set_cookies(&answer)[0].to_owned();
        assert!(sign_in.starts_with("__Host-bandpass_signin_") && sign_in.contains("Secure") && sign_in.contains("HttpOnly") && sign_in.contains("Path=/") && !sign_in.contains("Domain"), "{sign_in}");
        let code = front.issuer.code(&asked, &json!({ "employee": "ann" }));
        let answer = front.back(&mut browser, &asked, &code).await;
        let cookies = crate::support::browser::set_cookies(&answer);
        let session = cookies.iter().find(|c| c.starts_with("__Host-bandpass_session=")).unwrap();
        assert!(session.contains("Secure") && session.contains("HttpOnly") && session.contains("SameSite=Lax"), "{session}");
        assert!(header(&answer, "strict-transport-security").is_some());
        let csrf = browser.csrf("/sessions").await;
        let own = "Origin: https://access.example.com\r\n";
        let form = "application/x-www-form-urlencoded";
        let inner = format!("Origin: http://{}\r\n", front.service.address());
        assert_eq!(browser.post_with("/signout", &format!("csrf={csrf}"), &inner, form).await.status, 403, "the address behind the proxy is not ours");
        let answer = browser.post_with("/signout", &format!("csrf={csrf}"), own, form).await;
        assert_eq!(answer.status, 303, "{}", answer.shown());
        assert!(!browser.cookies.contains_key("__Host-bandpass_session"), "{}", answer.head);
        front.leave();
    });
}
