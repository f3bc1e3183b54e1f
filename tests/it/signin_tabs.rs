//! Several sign-ins under way in one browser, and what the browser keeps of each.

use serde_json::json;

use crate::{
    signin_house::{Front, USUAL, run, text},
    support::{browser::Browser, issuer::Issuer},
};

fn under_way(browser: &Browser) -> usize {
    browser.cookies.keys().filter(|name| name.starts_with("bandpass_signin_")).count()
}

#[test]
fn another_tab_breaks_no_sign_in_that_is_under_way() {
    run(|| async {
        let front = Front::open("tabs", USUAL).await;
        let mut browser = front.browser();
        let first = front.begin(&mut browser).await;
        // Another tab, or another site that sends the browser here.
        let second = front.begin(&mut browser).await;
        assert_ne!(first["state"], second["state"]);
        let code = front.issuer.code(&first, &json!({ "employee": "ann" }));
        let answer = front.back(&mut browser, &first, &code).await;
        assert_eq!(answer.status, 303, "{}", answer.shown());
        let code = front.issuer.code(&second, &json!({ "employee": "ann" }));
        assert_eq!(front.back(&mut browser, &second, &code).await.status, 303);
        assert_eq!(under_way(&browser), 0);
        // They do not add up: the oldest go, and so does what is no sign-in.
        browser.cookies.insert("bandpass_signin_planted".to_owned(), "x".to_owned());
        let mut asked = Vec::new();
        for _ in 0..12 {
            asked.push(front.begin(&mut browser).await);
        }
        assert_eq!(under_way(&browser), 5);
        assert!(!browser.cookies.contains_key("bandpass_signin_planted"));
        let last = asked.pop().unwrap();
        let code = front.issuer.code(&last, &json!({ "employee": "ann" }));
        assert_eq!(front.back(&mut browser, &last, &code).await.status, 303);
        front.leave();
    });
}

#[test]
fn an_issuer_is_not_given_the_id_token_of_another() {
    run(|| async {
        let other = Issuer::start().await;
        let front = Front::open("hint", &format!("{USUAL}{}", other.settings("other", ""))).await;
        let mut browser = front.signed_in("ann").await;
        let page = text(&browser.clone().get("/signed-out?issuer=other").await);
        assert!(page.contains(&format!("{}/end?client_id=bandpass", other.url())) && !page.contains("id_token_hint"), "{page}");
        let page = text(&browser.get("/signed-out?issuer=corp").await);
        assert!(page.contains(&format!("{}/end?client_id=bandpass", front.issuer.url())) && page.contains("id_token_hint"), "{page}");
        front.leave();
    });
}
