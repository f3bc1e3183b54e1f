//! Leavers over SCIM: one is out at once, a company is not; several sources of one person.

use serde_json::{Value, json};

use crate::scim::on_both_fed;

#[test]
fn a_client_that_deletes_everyone_is_stopped_until_an_admin_confirms() {
    on_both_fed(&[("DIRECTORY__MAX_LEAVE_SHARE", "0.1")], |mut fed| async move {
        for n in 0..60 {
            fed.create(json!({ "userName": format!("u{n}@x.example"), "externalId": format!("u{n:02}") })).await;
        }
        // Who came within the window and goes again makes nobody fewer than there were.
        fed.must(204, "DELETE", "/Users/u00", Value::Null).await;
        // Joined to people who were there before: the source now decides whether they work here.
        for n in 10..30 {
            fed.create(json!({ "userName": format!("p{n:05}"), "displayName": format!("Person {n}") })).await;
        }
        let mut out = 0;
        for n in 10..30 {
            let answer = fed.send("PATCH", &format!("/Users/p{n:05}"), &[], Some(r#"{"Operations":[{"op":"replace","path":"active","value":false}]}"#)).await;
            match answer.status {
                200 => out += 1,
                429 => {
                    assert!(answer.head.to_lowercase().contains("retry-after: "), "{}", answer.head);
                    assert!(answer.json()["detail"].as_str().unwrap().contains("confirm-leavers"), "{}", answer.shown());
                }
                _ => panic!("{}", answer.shown()),
            }
        }
        // 40 were there and 59 came: the tenth part of 99.
        assert_eq!(out, 9);
        assert_eq!((fed.status("p00010"), fed.status("p00018"), fed.status("p00019")), ("left".to_owned(), "left".to_owned(), "active".to_owned()));
        assert_eq!(fed.database.count("SELECT CAST(count(*) AS TEXT) AS line FROM audit_log WHERE kind = 'leavers.held'"), 1, "said once");
        // A joiner is not held up by it.
        fed.create(json!({ "userName": "late@x.example" })).await;
        let refused = fed.service.run(&["directory", "confirm-leavers", "--source", "scim:okta", "--reason", ""]);
        assert!(!refused.status.success());
        let shown = fed.service.must(&["directory", "leavers"]);
        assert!(shown.contains("scim:okta") && shown.contains("held"), "{shown}");
        fed.service.must(&["directory", "confirm-leavers", "--source", "scim:okta", "--reason", "the Bergen office closes"]);
        for n in 19..30 {
            fed.must(204, "DELETE", &format!("/Users/p{n:05}"), Value::Null).await;
        }
        assert_eq!(fed.status("p00029"), "left");
        fed.end();
    });
}
