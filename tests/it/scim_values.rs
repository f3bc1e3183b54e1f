//! Values over SCIM: their parts, their types of another day, and how many there may be. On both databases.

use serde_json::{Value, json};

use crate::scim::on_both_fed;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const BANDPASS: &str = "urn:bandpass:params:scim:schemas:extension:2.0:User";

#[test]
fn a_value_stored_by_the_types_of_another_day_stops_no_deactivation() {
    on_both_fed(&[], |mut fed| async move {
        fed.declare("level = \"string\"\n").await;
        fed.create(json!({ "externalId": "00u1", "userName": "a", BANDPASS: { "level": "3" } })).await;
        assert_eq!(fed.stored("00u1")["attributes"]["level"], "3");
        fed.declare("level = \"long\"\n").await;
        fed.patch("/Users/00u1", json!([{ "op": "replace", "path": "title", "value": "Pilot" }])).await;
        assert_eq!((fed.stored("00u1")["title"].as_str(), &fed.stored("00u1")["attributes"]), (Some("Pilot"), &Value::Null), "what does not fit is left out");
        // What this body says must fit.
        fed.must(400, "PATCH", "/Users/00u1", json!({ "Operations": [{ "op": "replace", "path": format!("{BANDPASS}:level"), "value": "4" }] })).await;
        fed.patch("/Users/00u1", json!([{ "op": "replace", "path": "active", "value": false }])).await;
        assert_eq!(fed.status("00u1"), "left");
        fed.end();
    });
}

#[test]
fn parts_of_a_value_are_changed_one_by_one() {
    on_both_fed(&[], |mut fed| async move {
        fed.create(json!({ "externalId": "00u1", "userName": "boss" })).await;
        fed.create(json!({ "externalId": "00u2", "userName": "a", "name": { "givenName": "Ida", "familyName": "Berg" }, ENTERPRISE: { "manager": { "value": "00u1" } } })).await;
        // Nothing that is stored is said: nothing changes.
        fed.patch("/Users/00u2", json!([{ "op": "replace", "value": { ENTERPRISE: { "manager": { "displayName": "Max" } } } }])).await;
        assert_eq!(fed.stored("00u2")["manager"], "00u1");
        // Null takes away the part that it names.
        let named = fed.patch("/Users/00u2", json!([{ "op": "add", "path": "name", "value": { "givenName": null } }])).await;
        assert_eq!(named["name"], json!({ "familyName": "Berg" }));
        let named = fed.patch("/Users/00u2", json!([{ "op": "replace", "value": { "name": { "familyName": null } } }])).await;
        assert_eq!(named["name"], Value::Null);
        // The whole goes when its value does.
        for nothing in [json!({ "value": "" }), json!(""), Value::Null] {
            fed.patch("/Users/00u2", json!([{ "op": "replace", "path": format!("{ENTERPRISE}:manager"), "value": "00u1" }])).await;
            assert_eq!(fed.stored("00u2")["manager"], "00u1");
            fed.patch("/Users/00u2", json!([{ "op": "replace", "path": format!("{ENTERPRISE}:manager"), "value": nothing }])).await;
            assert_eq!(fed.stored("00u2")["manager"], Value::Null, "{nothing}");
        }
        fed.end();
    });
}

#[test]
fn a_chosen_value_is_replaced_and_an_added_one_joins_it() {
    on_both_fed(&[], |mut fed| async move {
        fed.create(json!({ "externalId": "00u1", "userName": "a", "emails": [{ "value": "a@x.example", "type": "work", "primary": true }] })).await;
        let replaced = fed.patch("/Users/00u1", json!([{ "op": "replace", "path": "emails[type eq \"work\"]", "value": { "value": "b@x.example", "type": "work" } }])).await;
        assert_eq!(replaced["emails"], json!([{ "value": "b@x.example", "type": "work" }]));
        let added = fed.patch("/Users/00u1", json!([{ "op": "add", "path": "emails[type eq \"work\"]", "value": { "primary": true } }])).await;
        assert_eq!(added["emails"][0]["value"], "b@x.example");
        fed.end();
    });
}

#[test]
fn what_many_operations_add_is_bounded_together() {
    on_both_fed(&[], |mut fed| async move {
        fed.create(json!({ "externalId": "00u1", "userName": "a" })).await;
        let add = |from: usize, to: usize| -> Vec<Value> { (from..to).map(|n| json!({ "op": "add", "path": "emails", "value": [{ "value": format!("a{n}@x.example") }] })).collect() };
        fed.patch("/Users/00u1", json!(add(0, 100))).await;
        let refused = fed.must(400, "PATCH", "/Users/00u1", json!({ "Operations": add(100, 101) })).await;
        assert!(refused["detail"].as_str().unwrap().contains("at most 100"), "{refused}");
        fed.must(400, "PATCH", "/Users/00u1", json!({ "Operations": vec![add(0, 1)[0].clone(); 501] })).await;
        fed.end();
    });
}

#[test]
fn only_a_read_is_answered_with_not_modified() {
    on_both_fed(&[], |mut fed| async move {
        fed.create(json!({ "externalId": "00u1", "userName": "a" })).await;
        let body = json!({ "Operations": [{ "op": "replace", "path": "title", "value": "Pilot" }] }).to_string();
        assert_eq!(fed.send("PATCH", "/Users/00u1", &[("If-None-Match", "*")], Some(&body)).await.status, 200);
        assert_eq!(fed.send("GET", "/Users/00u1", &[("If-None-Match", "*")], None).await.status, 304);
        let core = fed.must(200, "GET", "/Users/00u1?attributes=urn:ietf:params:scim:schemas:core:2.0:User", Value::Null).await;
        assert_eq!((core["userName"].as_str(), core["title"].as_str(), &core["meta"]), (Some("a"), Some("Pilot"), &Value::Null));
        fed.end();
    });
}
