//! Signing in and out, end to end over the wire, with a made-up issuer.

use serde_json::json;

use crate::{
    signin_house::{Front, USUAL, on_both, text},
    support::browser::{header, set_cookies},
};

#[test]
fn a_person_signs_in_and_out() {
    on_both("signin", USUAL, |front: Front| async move {
        let mut browser = front.browser();
        let page = browser.get("/groups").await;
        assert_eq!((page.status, header(&page, "location")), (303, Some("/signin?return_to=%2Fgroups")));
        let page = browser.get("/signin?return_to=%2Fgroups").await;
        assert!(text(&page).contains("Sign in with The corp"), "{}", page.shown());
        assert!(!text(&page).contains("Development sign-in"));
        let asked = front.begin(&mut browser).await;
        assert_eq!((asked["response_type"].as_str(), asked["code_challenge_method"].as_str(), asked["client_id"].as_str()), ("code", "S256", "bandpass"));
        assert_eq!(asked["redirect_uri"], format!("http://{}/signin/corp/callback", front.service.address()));
        assert_eq!(asked["scope"], "openid profile email");
        assert!(asked["state"].len() >= 43 && asked["nonce"].len() >= 43);
        let code = front.issuer.code(&asked, &json!({ "employee": "ann", "sid": "there" }));
        let answer = front.back(&mut browser, &asked, &code).await;
        assert_eq!((answer.status, header(&answer, "location")), (303, Some("/groups")), "{}", answer.shown());
        let session = set_cookies(&answer).into_iter().find(|c| c.starts_with("bandpass_session=")).unwrap();
        assert!(session.contains("HttpOnly") && session.contains("SameSite=Lax") && session.contains("Path=/"), "{session}");
        assert!(!browser.cookies.keys().any(|name| name.starts_with("bandpass_signin")), "the sign-in's cookie is used up");
        let page = browser.get("/groups").await;
        assert_eq!(page.status, 200);
        assert!(text(&page).contains("Sign out") && text(&page).contains("<summary>Ann</summary>"));
        assert_eq!((front.events("identity.linked").await, front.events("session.started").await), (1, 1));
        // A second sign-in of the same browser ends the first session, and finds the link.
        let before = browser.cookies["bandpass_session"].clone();
        let mut thief = browser.clone();
        front.sign_in(&mut browser, &json!({ "employee": "ann" })).await;
        assert_ne!(browser.cookies["bandpass_session"], before, "a session has a new id after every sign-in");
        assert!(!front.is_in(&mut thief).await && front.is_in(&mut browser).await);
        assert_eq!((front.events("identity.linked").await, front.events("session.started").await, front.events("session.ended").await), (1, 2, 1));
        let csrf = browser.csrf("/sessions").await;
        let mut thief = browser.clone();
        let forged = browser.post("/signout", "csrf=0").await;
        assert_eq!(forged.status, 403);
        let left = browser.post("/signout", &format!("csrf={csrf}")).await;
        assert_eq!((left.status, header(&left, "location")), (303, Some("/signed-out?issuer=corp")), "{}", left.shown());
        assert!(!front.is_in(&mut browser).await && !front.is_in(&mut thief).await, "the session is over, not only its cookie");
        let page = browser.get("/signed-out?issuer=corp").await;
        assert!(text(&page).contains(&format!("{}/end?client_id=bandpass", front.issuer.url())) && text(&page).contains("id_token_hint="), "{}", page.shown());
        assert_eq!(front.events("session.ended").await, 2);
        front.leave();
    });
}
