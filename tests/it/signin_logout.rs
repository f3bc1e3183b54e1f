//! Signing out, there and here: what an issuer means must end, also when its token is not as exact as one would wish.

use serde_json::json;

use crate::{
    signin_house::{Front, USUAL, on_both, run},
    signin_sessions::{logout_token, send},
    support::{browser::header, issuer::{Mood, now}},
};

#[test]
fn a_session_that_the_issuer_gave_no_name_ends_with_its_subject() {
    on_both("nosid", USUAL, |front: Front| async move {
        let (mut bare, mut other) = (front.browser(), front.browser());
        front.sign_in(&mut bare, &json!({ "employee": "ann" })).await;
        front.sign_in(&mut other, &json!({ "employee": "ann", "sid": "another" })).await;
        let mut max = front.signed_in("max").await;
        assert!(front.is_in(&mut bare).await && front.is_in(&mut other).await);
        let answer = send(&front, &logout_token(&front.issuer, &json!({ "sub": "s-ann", "sid": "sid-ann" }))).await;
        assert_eq!(answer.status, 200, "{}", answer.shown());
        assert!(!front.is_in(&mut bare).await, "nobody knows that it is another session than the one that ended");
        assert!(front.is_in(&mut other).await && front.is_in(&mut max).await, "those of another name, or of another subject, go on");
        front.leave();
    });
}

#[test]
fn a_logout_token_of_an_issuer_whose_clock_is_behind_means_the_last_seconds_too() {
    run(|| async {
        let front = Front::open("behind", USUAL).await;
        let mut ann = front.signed_in("ann").await;
        let token = logout_token(&front.issuer, &json!({ "sub": "s-ann", "iat": now() - 20 }));
        assert_eq!(send(&front, &token).await.status, 200);
        assert!(!front.is_in(&mut ann).await);
        // What could not be followed the first time is followed the second time: it is no error that a token comes again.
        assert_eq!(send(&front, &token).await.status, 200);
        // A session that began well after the token was issued is not meant by it.
        let old = logout_token(&front.issuer, &json!({ "sub": "s-ann", "iat": now() - 120 }));
        let mut ann = front.signed_in("ann").await;
        assert_eq!(send(&front, &old).await.status, 200);
        assert!(front.is_in(&mut ann).await);
        front.leave();
    });
}

#[test]
fn an_issuer_whose_keys_cannot_be_had_is_told_to_send_it_again() {
    run(|| async {
        let front = Front::open("later", USUAL).await;
        front.issuer.be("/jwks", Mood::Down);
        let answer = send(&front, &logout_token(&front.issuer, &json!({ "sub": "s-ann" }))).await;
        assert_eq!((answer.status, header(&answer, "retry-after")), (503, Some("60")), "{}", answer.shown());
        front.leave();
    });
}
