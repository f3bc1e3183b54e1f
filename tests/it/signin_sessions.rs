//! Sessions after they began: listed, ended by whoever may, by time, and by the issuer.

use serde_json::{Value, json};

use crate::{
    signin_house::{Front, USUAL, on_both, on_both_with, text},
    support::{
        browser::header,
        database::Database,
        http::Answer,
        issuer::{Issuer, now},
        postgres::Postgres,
    },
};

#[test]
fn people_see_and_end_their_own_sessions() {
    on_both("sessions", USUAL, |front: Front| async move {
        let (mut first, mut second, mut third) = (front.signed_in("ann").await, front.signed_in("ann").await, front.signed_in("ann").await);
        let mut max = front.signed_in("max").await;
        let page = text(&first.get("/sessions").await);
        assert_eq!((page.matches("Firefox on Linux</span>").count(), page.matches("This one").count()), (3, 1), "{page}");
        let csrf = first.csrf("/sessions").await;
        let ids: Vec<&str> = page.split("/sessions/").skip(1).filter_map(|p| p.split_once("/end\"").map(|(id, _)| id)).filter(|id| id.len() == 36).collect();
        assert_eq!(ids.len(), 3);
        // This one stands first; the newest of the others is the third.
        let maxs = max.csrf("/sessions").await;
        let answer = max.post(&format!("/sessions/{}/end", ids[1]), &format!("csrf={maxs}")).await;
        assert_eq!(answer.status, 404, "nobody else's: {}", answer.shown());
        let answer = first.post(&format!("/sessions/{}/end", ids[1]), &format!("csrf={csrf}")).await;
        assert_eq!((answer.status, header(&answer, "location")), (303, Some("/sessions")));
        assert!(!front.is_in(&mut third).await && front.is_in(&mut second).await && front.is_in(&mut first).await);
        assert_eq!(first.post(&format!("/sessions/{}/end", ids[1]), &format!("csrf={csrf}")).await.status, 404, "it is over already");
        assert_eq!(first.post("/sessions/end-others", &format!("csrf={csrf}")).await.status, 303);
        assert!(!front.is_in(&mut second).await && front.is_in(&mut first).await && front.is_in(&mut max).await);
        let answer = first.post(&format!("/sessions/{}/end", ids[0]), &format!("csrf={csrf}")).await;
        assert_eq!(header(&answer, "location"), Some("/signed-out"));
        assert!(!front.is_in(&mut first).await);
        assert_eq!(front.database.lines("SELECT ended_because AS line FROM sessions WHERE ended_because IS NOT NULL"), ["by-self"; 3]);
        front.leave();
    });
}

#[test]
fn an_admin_ends_the_sessions_of_others() {
    on_both("theirs", USUAL, |front: Front| async move {
        let (mut ada, mut max) = (front.signed_in("ada").await, front.signed_in("max").await);
        let (mut first, mut second) = (front.signed_in("ann").await, front.signed_in("ann").await);
        let page = text(&ada.get("/people/ann").await);
        let ids: Vec<&str> = page.split("name=\"session\" value=\"").skip(1).map(|p| p.split('"').next().unwrap()).collect();
        assert_eq!((ids.len(), page.matches("Firefox on Linux</span>").count()), (2, 2), "{page}");
        assert!(page.contains("The corp · signed in") && page.contains("last seen") && page.contains("End all sessions"), "{page}");
        // Nobody else sees or ends them, and their own page of an admin has no such list.
        for (who, person) in [(&mut max, "ann"), (&mut first, "ann"), (&mut ada, "ada")] {
            assert!(!text(&who.get(&format!("/people/{person}")).await).contains("sessions-head"), "{person}");
        }
        let end = |session: &str, csrf: &str| format!("csrf={csrf}&session={session}");
        let path = "/people/ann/sessions/end";
        let maxs = max.csrf("/sessions").await;
        assert_eq!(max.post(path, &end("", &maxs)).await.status, 403, "no admin");
        let own = first.csrf("/sessions").await;
        assert_eq!(first.post(path, &end("", &own)).await.status, 403, "nor the person by this way");
        let csrf = ada.csrf("/sessions").await;
        for (what, session, token, status) in [("no token", "", "", 403), ("another's token", "", maxs.as_str(), 403), ("no session", "x", &csrf, 404), ("nobody's", &uuid::Uuid::now_v7().to_string(), &csrf, 409)] {
            assert_eq!(ada.post(path, &end(session, token)).await.status, status, "{what}");
        }
        assert_eq!(ada.post("/people/nobody/sessions/end", &end("", &csrf)).await.status, 404);
        assert!(front.is_in(&mut first).await && front.is_in(&mut second).await);
        // One, the newest, which stands first; then all that are left; then there is nothing to end.
        let answer = ada.post(path, &end(ids[0], &csrf)).await;
        assert_eq!((answer.status, header(&answer, "location")), (303, Some("/people/ann#sessions")));
        assert!(front.is_in(&mut first).await && !front.is_in(&mut second).await);
        assert_eq!(ada.post(path, &end(ids[0], &csrf)).await.status, 409, "over already");
        assert_eq!(ada.post(path, &end("", &csrf)).await.status, 303);
        assert!(!front.is_in(&mut first).await && front.is_in(&mut max).await && front.is_in(&mut ada).await);
        assert_eq!(ada.post(path, &end("", &csrf)).await.status, 409, "none is left");
        assert!(text(&ada.get("/people/ann").await).contains("No browser is signed in as Ann"));
        let ended = front.database.lines("SELECT actor AS line FROM audit_log WHERE kind = 'session.ended'");
        assert_eq!(ended, ["person:ada"; 2]);
        assert_eq!(front.database.lines("SELECT ended_because AS line FROM sessions WHERE person = 'ann'"), ["by-admin"; 2]);
        front.leave();
    });
}

/// A logout token of an issuer, with claims over the usual ones.
pub fn logout_token(issuer: &Issuer, over: &Value) -> String {
    let mut claims = json!({
        "iss": issuer.url(), "aud": "bandpass", "iat": now(), "exp": now() + 120, "jti": uuid::Uuid::now_v7().to_string(),
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    for (name, value) in over.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    issuer.key().sign_with(&json!({ "typ": "logout+jwt" }), &claims)
}

pub async fn send(front: &Front, token: &str) -> Answer {
    front.browser().post_with("/signin/corp/backchannel-logout", &format!("logout_token={token}"), "", "application/x-www-form-urlencoded").await
}

#[test]
fn an_issuer_ends_sessions() {
    on_both("backchannel", USUAL, |front: Front| async move {
        let (mut ann, mut max) = (front.signed_in("ann").await, front.signed_in("max").await);
        let wrong: Vec<(&str, Value)> = vec![
            ("another audience", json!({ "sub": "s-ann", "aud": "another-app" })),
            ("another issuer", json!({ "sub": "s-ann", "iss": "https://evil.example" })),
            ("no events", json!({ "sub": "s-ann", "events": null })),
            ("another event", json!({ "sub": "s-ann", "events": { "http://x": {} } })),
            ("a nonce", json!({ "sub": "s-ann", "nonce": "x" })),
            ("nobody", json!({})),
            ("a subject that is no text", json!({ "sub": ["s-ann"] })),
            ("no jti", json!({ "sub": "s-ann", "jti": null })),
            ("no exp", json!({ "sub": "s-ann", "exp": null })),
            ("old", json!({ "sub": "s-ann", "iat": now() - 600 })),
            ("expired", json!({ "sub": "s-ann", "iat": now() - 200, "exp": now() - 100 })),
            ("from the future", json!({ "sub": "s-ann", "iat": now() + 600 })),
        ];
        for (what, claims) in wrong {
            let answer = send(&front, &logout_token(&front.issuer, &claims)).await;
            println!("a logout token, {what}: {}", answer.status);
            assert_eq!(answer.status, 400, "{what}: {}", answer.shown());
        }
        let id_token = front.issuer.key().sign_with(&json!({}), &json!({ "iss": front.issuer.url(), "aud": "bandpass", "sub": "s-ann", "iat": now(), "exp": now() + 60 }));
        assert_eq!(send(&front, &id_token).await.status, 400, "an ID token");
        assert_eq!(send(&front, "x").await.status, 400);
        assert_eq!(front.browser().post("/signin/nobody/backchannel-logout", "logout_token=x").await.status, 404);
        assert!(front.is_in(&mut ann).await && front.is_in(&mut max).await);
        // By the issuer's session; the same token again ends nothing that is another one of theirs.
        let token = logout_token(&front.issuer, &json!({ "sid": "sid-ann" }));
        assert_eq!(send(&front, &token).await.status, 200);
        assert!(!front.is_in(&mut ann).await && front.is_in(&mut max).await);
        let mut ann = front.browser();
        assert_eq!(front.sign_in(&mut ann, &json!({ "sub": "s-ann", "employee": "ann", "sid": "sid-ann-2" })).await.status, 303);
        assert_eq!(send(&front, &token).await.status, 200, "replayed");
        assert!(front.is_in(&mut ann).await);
        // By subject: every session of theirs.
        let mut also = front.signed_in("ann").await;
        assert_eq!(send(&front, &logout_token(&front.issuer, &json!({ "sub": "s-ann" }))).await.status, 200);
        assert!(!front.is_in(&mut ann).await && !front.is_in(&mut also).await && front.is_in(&mut max).await);
        assert_eq!(front.database.lines("SELECT ended_because AS line FROM sessions WHERE ended_because IS NOT NULL"), ["back-channel"; 3]);
        // A subject without sessions, or unknown: done, nothing to do.
        assert_eq!(send(&front, &logout_token(&front.issuer, &json!({ "sub": "s-nobody" }))).await.status, 200);
        front.leave();
    });
}

#[test]
fn time_and_leaving_end_sessions() {
    on_both_with("limits", USUAL, "idle = \"5m\"\nabsolute = \"5m\"", |mut front: Front| async move {
        let (mut ann, mut bob) = (front.signed_in("ann").await, front.signed_in("bob").await);
        front.with_people(&crate::house::PEOPLE.replace("id = \"bob\"", "id = \"bobby\"")).await;
        assert!(front.is_in(&mut ann).await && !front.is_in(&mut bob).await, "whoever left is out, a restart ends nobody else");
        // As if five minutes had passed.
        front.service.stop();
        run_sql(&front.database, "UPDATE sessions SET expires_at = expires_at - 300000000 WHERE person = 'ann'");
        front.service.start().await;
        assert!(!front.is_in(&mut ann).await, "the absolute limit");
        for _ in 0..100 {
            if front.events("session.ended").await == 2 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let mut causes = front.database.lines("SELECT ended_because AS line FROM sessions");
        causes.sort();
        assert_eq!(causes, ["absolute", "left"]);
        front.service.stop();
    });
}

#[test]
fn an_idle_session_is_over() {
    on_both("idle", USUAL, |front: Front| async move {
        let mut ann = front.signed_in("ann").await;
        assert!(front.is_in(&mut ann).await);
        let mut front = front;
        front.service.stop();
        // As if nothing had come for nine hours.
        run_sql(&front.database, "DELETE FROM session_seen; UPDATE sessions SET started_at = started_at - 32400000000");
        front.service.start().await;
        assert!(!front.is_in(&mut ann).await);
        for _ in 0..100 {
            if front.events("session.ended").await == 1 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(front.database.lines("SELECT ended_because AS line FROM sessions"), ["idle"]);
        front.service.stop();
    });
}

/// Changes rows past the service, as only time would.
fn run_sql(database: &Database, sql: &str) {
    use diesel::{Connection, connection::SimpleConnection};
    if let Some(url) = database.superuser_url() {
        Postgres::sql_at(&url, sql).unwrap();
        return;
    }
    let url = database.url();
    let mut connection = diesel::SqliteConnection::establish(url.strip_prefix("sqlite:").unwrap()).unwrap();
    connection.batch_execute(sql).unwrap();
}

#[test]
fn when_a_session_was_seen_is_kept_across_restarts() {
    on_both("seen", USUAL, |mut front: Front| async move {
        let mut ann = front.signed_in("ann").await;
        assert!(front.is_in(&mut ann).await);
        let mut seen = Vec::new();
        for _ in 0..200 {
            seen = front.database.lines("SELECT CAST(seen_at AS TEXT) AS line FROM session_seen");
            if !seen.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(seen.len(), 1);
        let before = front.database.lines("SELECT kind AS line FROM audit_log").len();
        front.service.stop();
        front.service.start().await;
        assert!(front.is_in(&mut ann).await);
        assert_eq!(front.database.lines("SELECT kind AS line FROM audit_log").len(), before, "being looked at is no event");
        front.leave();
    });
}
