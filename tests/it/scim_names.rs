//! Names over SCIM: whom they mean, whom they join, and that they never come to mean another. On both databases.

use serde_json::{Value, json};

use crate::scim::on_both_fed;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn user(external: &str, name: &str) -> Value {
    json!({ "externalId": external, "userName": name, "active": true })
}

#[test]
fn a_manager_given_by_name_stays_who_they_were() {
    on_both_fed(&[], |mut fed| async move {
        fed.create(user("00u1", "anna.berg")).await;
        fed.create(json!({ "externalId": "00u2", "userName": "arne", ENTERPRISE: { "manager": { "value": "anna.berg" } } })).await;
        assert_eq!(fed.stored("00u2")["manager"], "00u1");
        fed.patch("/Users/00u1", json!([{ "op": "replace", "path": "userName", "value": "anna.larsen" }])).await;
        // Nobody has the name now, and a change of something else takes nothing away.
        fed.patch("/Users/00u2", json!([{ "op": "replace", "path": "title", "value": "Pilot" }])).await;
        assert_eq!(fed.stored("00u2")["manager"], "00u1");
        fed.create(user("00u9", "anna.berg")).await;
        assert_eq!(fed.stored("00u2")["manager"], "00u1", "a name that is another's by now");
        fed.patch("/Users/00u2", json!([{ "op": "replace", "path": "title", "value": "Captain" }])).await;
        assert_eq!(fed.stored("00u2")["manager"], "00u1");
        // Said anew it is looked up anew.
        fed.patch("/Users/00u2", json!([{ "op": "replace", "path": format!("{ENTERPRISE}:manager"), "value": "00u9" }])).await;
        assert_eq!(fed.stored("00u2")["manager"], "00u9");
        fed.end();
    });
}

#[test]
fn a_name_joins_nobody_unless_an_admin_says_so() {
    on_both_fed(&[], |mut fed| async move {
        // The stable id of somebody of files joins them.
        assert_eq!(fed.create(user("p00030", "ida@x.example")).await, "p00030");
        // Their id as a mere user name joins nobody, and makes no second person beside them.
        let refused = fed.must(409, "POST", "/Users", user("00u1", "p00031")).await;
        assert!(refused["detail"].as_str().unwrap().contains("scim_join_by"), "{refused}");
        fed.must(409, "POST", "/Users", json!({ "userName": "P00031" })).await;
        assert_eq!(fed.create(user("00u1", "new@x.example")).await, "00u1");
        // Another person whose id differs by case alone is not made.
        let other = fed.create(user("00U1", "other@x.example")).await;
        assert_ne!(other.to_lowercase(), "00u1");
        fed.end();
    });
}

#[test]
fn a_name_that_joins_is_looked_for_before_an_id_is_chosen() {
    on_both_fed(&[("DIRECTORY__SCIM_JOIN_BY", "[\"externalId\", \"userName\"]")], |mut fed| async move {
        assert_eq!(fed.create(user("00u1", "p00031")).await, "p00031", "one person, not two");
        fed.must(200, "PATCH", "/Users/p00031", json!({ "Operations": [{ "op": "replace", "value": { "active": false } }] })).await;
        assert_eq!(fed.status("p00031"), "left");
        // Who has left is joined by nobody.
        let other = fed.create(user("00u7", "p00031@x.example")).await;
        assert_eq!(other, "00u7");
        fed.end();
    });
}

#[test]
fn a_team_s_id_is_never_another_s() {
    on_both_fed(&[], |mut fed| async move {
        let group = |name: &str| json!({ "displayName": name });
        assert_eq!(fed.must(201, "POST", "/Groups", group("Payments")).await["id"], "payments");
        fed.must(204, "DELETE", "/Groups/payments", Value::Null).await;
        let again = fed.must(201, "POST", "/Groups", group("Payments")).await;
        assert_ne!(again["id"], "payments", "policies name a team by its id");
        fed.must(404, "GET", "/Groups/payments", Value::Null).await;
        // What is not spelled in plain letters gets an id that is made.
        for name in ["Räd", "R&D"] {
            assert!(!fed.must(201, "POST", "/Groups", group(name)).await["id"].as_str().unwrap().starts_with('r'), "{name}");
        }
        // Nobody makes a group of the name of a team and is in it.
        let refused = fed.must(409, "POST", "/Groups", group("Team 12")).await;
        assert!(refused["detail"].as_str().unwrap().contains("scim_join_by"), "{refused}");
        let joined = fed.must(201, "POST", "/Groups", json!({ "displayName": "Team of twelve", "externalId": "team-12" })).await;
        assert_eq!(joined["id"], "team-12");
        // After a start it is known still.
        fed.service.stop();
        fed.service.start().await;
        fed.reconnect().await;
        assert_ne!(fed.must(201, "POST", "/Groups", group("payments")).await["id"], "payments");
        fed.end();
    });
}

#[test]
fn groups_stand_no_deeper_than_is_followed() {
    on_both_fed(&[], |mut fed| async move {
        let mut below: Option<String> = None;
        for n in 0..64 {
            let members: Vec<Value> = below.iter().map(|id| json!({ "value": id, "type": "Group" })).collect();
            let made = fed.must(201, "POST", "/Groups", json!({ "displayName": format!("Level {n}"), "members": members })).await;
            below = made["id"].as_str().map(str::to_owned);
        }
        let refused = fed.must(400, "POST", "/Groups", json!({ "displayName": "One more", "members": [{ "value": below, "type": "Group" }] })).await;
        assert!(refused["detail"].as_str().unwrap().contains("64 levels"), "{refused}");
        fed.end();
    });
}
