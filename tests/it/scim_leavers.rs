//! Leavers over SCIM: one is out at once, a company is not; several sources of one person.

use std::sync::Arc;

use bandpass::{
    directory::{merge::Precedence, tell::Telling},
    domain::{
        actor::Actor,
        person::Person,
        record::{Dates, PersonRecord, SourceName},
        request::RequestStatus::{Denied, Granted},
    },
    ledger::Snapshot,
};
use serde_json::{Value, json};

use crate::{
    house::{House, on_both},
    scim::on_both_fed,
    support::http::{self, request},
};

#[test]
fn a_client_that_deletes_everyone_is_stopped_until_an_admin_confirms() {
    on_both_fed(&[("DIRECTORY__MAX_LEAVE_SHARE", "0.1"), ("DIRECTORY__SCIM_JOIN_BY", "[\"userName\"]")], |mut fed| async move {
        for n in 0..60 {
            fed.create(json!({ "userName": format!("u{n}@x.example"), "externalId": format!("u{n:02}") })).await;
        }
        // Who came within the window and goes again makes nobody fewer than there were.
        fed.must(204, "DELETE", "/Users/u00", Value::Null).await;
        // Joined to people who were there before: the source now decides whether they work here.
        for n in 10..30 {
            fed.create(json!({ "userName": format!("p{n:05}"), "externalId": format!("p{n:05}"), "displayName": format!("Person {n}") })).await;
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
        // Of the 79 that this source knows, the tenth part.
        assert_eq!(out, 7);
        assert_eq!((fed.status("p00010"), fed.status("p00016"), fed.status("p00017")), ("left".to_owned(), "left".to_owned(), "active".to_owned()));
        assert_eq!(fed.database.count("SELECT CAST(count(*) AS TEXT) AS line FROM audit_log WHERE kind = 'leavers.held'"), 1, "said once");
        // A joiner is not held up by it.
        fed.create(json!({ "userName": "late@x.example" })).await;
        let refused = fed.service.run(&["directory", "confirm-leavers", "--source", "scim:okta", "--reason", ""]);
        assert!(!refused.status.success());
        let shown = fed.service.must(&["directory", "leavers"]);
        assert!(shown.contains("scim:okta") && shown.contains("held"), "{shown}");
        fed.service.must(&["directory", "confirm-leavers", "--source", "scim:okta", "--reason", "the Bergen office closes"]);
        for n in 17..30 {
            fed.must(204, "DELETE", &format!("/Users/p{n:05}"), Value::Null).await;
        }
        assert_eq!(fed.status("p00029"), "left");
        fed.end();
    });
}

#[test]
fn an_admin_sees_who_would_leave_and_confirms_what_was_looked_at() {
    on_both_fed(&[("DIRECTORY__MAX_LEAVE_SHARE", "0.1"), ("DIRECTORY__LEAVE_WINDOW", "1h")], |mut fed| async move {
        for n in 10..30 {
            fed.create(json!({ "userName": format!("p{n:05}"), "externalId": format!("p{n:05}"), "displayName": format!("Person {n}") })).await;
        }
        let system = fed.admin(200, "GET", "/api/v1/system", Value::Null).await;
        assert_eq!(system["leavers_held"], json!([]), "{system}");
        fed.admin(409, "POST", "/api/v1/system/leavers/1/confirm", json!({ "reason": "too early" })).await;
        for n in 10..20 {
            fed.send("DELETE", &format!("/Users/p{n:05}"), &[], None).await;
        }
        // Of the twenty that the source knows: three are few and leave, seven are asked for and stay.
        let held = fed.admin(200, "GET", "/api/v1/system", Value::Null).await["leavers_held"].clone();
        assert_eq!(held.as_array().map(Vec::len), Some(1), "{held}");
        let (seq, staying) = (held[0]["seq"].as_i64().unwrap(), ["p00013", "p00014", "p00015", "p00016", "p00017", "p00018", "p00019"]);
        assert_eq!((held[0]["source"].as_str(), held[0]["leaving"].as_u64(), held[0]["active"].as_u64()), (Some("scim:okta"), Some(4), Some(20)));
        assert_eq!(held[0]["people"], json!(staying));
        // Only an admin, only with a reason, only what is held.
        let path = format!("/api/v1/system/leavers/{seq}/confirm");
        assert_eq!(fed.client_send("POST", &path, Some("{}")).await, 403);
        assert_eq!(fed.admin(422, "POST", &path, json!({ "reason": " " })).await["errors"][0]["field"], "reason");
        fed.admin(409, "POST", &format!("/api/v1/system/leavers/{}/confirm", seq - 1), json!({ "reason": "another" })).await;
        fed.admin(400, "POST", &path, json!({ "why": "unknown" })).await;
        assert_eq!(fed.status("p00014"), "active");
        fed.admin(204, "POST", &path, json!({ "reason": "the Bergen office closes" })).await;
        fed.admin(409, "POST", &path, json!({ "reason": "again" })).await;
        assert_eq!(fed.admin(200, "GET", "/api/v1/system", Value::Null).await["leavers_held"], json!([]));
        for id in staying {
            fed.must(204, "DELETE", &format!("/Users/{id}"), Value::Null).await;
        }
        assert_eq!(fed.status("p00019"), "left");
        let confirmed = "SELECT CAST(count(*) AS TEXT) AS line FROM audit_log WHERE kind = 'leavers.confirmed'";
        assert_eq!(fed.database.count(confirmed), 1, "a stale confirmation is none");
        fed.end();
    });
}

#[test]
fn several_sources_make_one_person_in_the_order_that_settings_give() {
    let settings = [("DIRECTORY__PRECEDENCE_OF", "{ manager = [\"files\"], status = [\"scim\"] }"), ("DIRECTORY__SCIM_JOIN_BY", "[\"userName\", \"displayName\"]")];
    on_both_fed(&settings, |mut fed| async move {
        // Known from files, with team-11 and a manager; the program joins them by their id.
        let joined = fed
            .create(json!({ "userName": "p00031", "displayName": "Ida from SCIM", "title": "Pilot", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "manager": { "value": "p00001" } } }))
            .await;
        assert_eq!(joined, "p00031");
        let stored = fed.stored("p00031");
        assert_eq!(
            (stored["name"].as_str(), stored["title"].as_str(), stored["location"].as_str(), stored["team"].as_str(), stored["manager"].as_str()),
            (Some("Ida from SCIM"), Some("Pilot"), Some("Oslo"), Some("team-11"), Some("p00003"))
        );
        let shown = fed.person("p00031").await;
        let source = |field: &str| shown["sources"].as_array().unwrap().iter().find(|s| s["field"] == field).cloned().unwrap_or_default();
        assert_eq!((source("manager")["source"].as_str(), source("manager")["told_at"].as_str()), (Some("files"), None));
        assert_eq!(source("title")["source"], "scim:okta");
        assert!(source("title")["told_at"].as_str().is_some() && source("title")["seen_at"].as_str().is_some(), "{shown}");
        assert_eq!(fed.person("p00030").await["sources"], json!([]), "files alone say nothing");
        // Teams of the program take the place of those of files as soon as it has any.
        fed.must(201, "POST", "/Groups", json!({ "displayName": "Team 12", "members": [{ "value": "p00031" }] })).await;
        assert_eq!(fed.stored("p00031")["teams"], json!(["team-12"]), "a team that files know, under its id");
        assert_eq!(fed.stored("p00031")["team"], Value::Null);
        // What files say of somebody else is not the program's to see or to change.
        fed.must(404, "GET", "/Users/p00030", Value::Null).await;
        fed.must(404, "DELETE", "/Groups/team-11", Value::Null).await;
        // Files change what is theirs, and lose nobody whom only the program knows.
        let only = fed.create(json!({ "userName": "only@x.example", "externalId": "only" })).await;
        let people = std::fs::read_to_string(fed.people()).unwrap();
        let changed = people.replace("manager = \"p00003\"\n\n[[person]]\nid = \"p00032\"", "manager = \"p00002\"\n\n[[person]]\nid = \"p00032\"");
        assert_ne!(changed, people);
        std::fs::write(fed.people(), changed).unwrap();
        let folder = fed.people().parent().unwrap().display().to_string();
        fed.service.must(&["directory", "import", "--people", &folder]);
        assert_eq!((fed.stored("p00031")["manager"].as_str(), fed.status(&only).as_str()), (Some("p00002"), "active"));
        // Files drop somebody whom the program still has, and the program somebody whom files still have: it decides.
        let without = people.split("[[person]]").filter(|p| !p.contains("\"p00031\"\nname")).collect::<Vec<_>>().join("[[person]]");
        std::fs::write(fed.people(), without).unwrap();
        fed.service.must(&["directory", "import", "--people", &folder]);
        assert_eq!(fed.status("p00031"), "active");
        std::fs::write(fed.people(), people).unwrap();
        fed.service.must(&["directory", "import", "--people", &folder]);
        fed.must(204, "DELETE", "/Users/p00031", Value::Null).await;
        assert_eq!(fed.status("p00031"), "left");
        fed.service.must(&["directory", "import", "--people", &folder]);
        assert_eq!(fed.status("p00031"), "left", "files bring nobody back whom the program let go");
        fed.end();
    });
}

#[test]
fn what_was_said_too_long_ago_is_not_used_to_grant() {
    on_both("too old", |mut house: House| async move {
        house.settings.directory.max_age.insert("scim".to_owned(), "10m".parse().unwrap());
        let house = house.restart().await;
        let source = SourceName::stored("scim:okta");
        let feed = Actor::system("scim");
        let says = async |title: &str| {
            let work = |snapshot: &Snapshot| {
                let precedence = Precedence::default();
                let ann = snapshot.directory.person("ann").unwrap();
                let person = Person { title: Some(title.to_owned()), ..Person::clone(ann) };
                let mut telling = Telling::new(&snapshot.directory, &precedence);
                telling.person(PersonRecord::new(source.clone(), Arc::new(person), None, Dates::now(None)));
                Ok::<_, ()>((telling.effect(), ()))
            };
            house.core.ledger.feed(feed.clone(), &source, house.settings.directory.leave_bound(), work).await.unwrap();
        };
        says("Pilot").await;
        // Never heard from, as far as anybody recorded.
        assert_eq!(house.ask_for("ann", "instant", "8h").await.unwrap().0.status, Denied);
        let every = house.settings.directory.seen_every(&source);
        house.core.ledger.source_seen(feed.clone(), &source, every).await.unwrap();
        assert_eq!(house.ask_for("ann", "instant", "8h").await.unwrap().0.status, Granted);
        let (pending, _) = house.ask_for("ann", "asked", "7d").await.unwrap();
        if house.has_own_clock() {
            house.pass(601);
            let (denied, _) = house.ask_for("ann", "also", "8h").await.unwrap();
            assert_eq!(denied.status, Denied);
            let told = house.database.lines(&format!("SELECT text AS line FROM audit_private WHERE seq = {}", denied.filed_seq)).concat();
            assert!(told.contains("stale_facts") && told.contains("scim:okta"), "{told}");
            assert_eq!(house.approve("olga", &pending).await.unwrap(), Denied, "nor at the last vote");
            // Those of whom other sources speak are not touched, and nothing that is held ends.
            assert_eq!(house.ask_for("max", "also", "8h").await.unwrap().0.status, Granted);
            assert_eq!(house.core.reader.live_grants_of("ann".parse().unwrap()).await.unwrap().len(), 1);
            house.core.ledger.source_seen(feed.clone(), &source, every).await.unwrap();
            assert_eq!(house.ask_for("ann", "also", "8h").await.unwrap().0.status, Granted);
        }
        house.leave().await;
    });
}

#[test]
fn a_source_that_is_retired_has_no_say_any_more() {
    on_both_fed(&[], |mut fed| async move {
        let made = fed.service.must(&["token", "create", "--service", "entra", "--owner", "p00000", "--scopes", "scim", "--format", "json"]);
        let entra = serde_json::from_str::<Value>(&made).unwrap()["token"].as_str().unwrap().to_owned();
        let user = |id: &str| json!({ "userName": format!("{id}@x.example"), "externalId": id, "displayName": id });
        for id in ["both", "both2", "old"] {
            let bearer = format!("Bearer {entra}");
            let sent = request("POST", "/scim/v2/Users", &[("Authorization", &bearer)], Some(&user(id).to_string()));
            assert_eq!(http::once(fed.service.address(), &sent).await.unwrap().status, 201);
        }
        fed.create(user("both")).await;
        fed.create(user("both2")).await;
        // The first of the alphabet decides, and what Okta says of leaving is only kept.
        fed.must(204, "DELETE", "/Users/both2", Value::Null).await;
        assert_eq!(fed.status("both2"), "active");
        let unknown = fed.service.run(&["directory", "retire", "--source", "scim:google"]);
        assert!(String::from_utf8_lossy(&unknown.stderr).contains("expected one of scim:entra, scim:okta"), "{unknown:?}");
        let shown = fed.service.must(&["directory", "retire", "--source", "scim:entra", "--dry-run", "--confirm"]);
        assert!(shown.contains("- both2") && shown.contains("- old") && shown.contains("without it 2 leave"), "{shown}");
        let bounded = fed.service.run(&["directory", "retire", "--source", "scim:entra"]);
        assert!(!bounded.status.success(), "two of three");
        assert_eq!((fed.status("both2"), fed.status("old")), ("active".to_owned(), "active".to_owned()));
        fed.service.must(&["directory", "retire", "--source", "scim:entra", "--confirm"]);
        assert_eq!((fed.status("both"), fed.status("both2"), fed.status("old")), ("active".to_owned(), "left".to_owned(), "left".to_owned()));
        fed.must(204, "DELETE", "/Users/both", Value::Null).await;
        assert_eq!(fed.status("both"), "left");
        let again = fed.service.run(&["directory", "retire", "--source", "scim:entra"]);
        assert!(!again.status.success(), "it says nothing any more");
        fed.end();
    });
}
