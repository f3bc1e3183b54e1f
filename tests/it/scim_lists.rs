//! Lists, versions and what a hostile or broken SCIM client gets, over the wire on both databases.

use serde_json::{Value, json};

use crate::scim::{Fed, encoded, on_both_fed};

/// Ids of the users, or groups, that a filter finds.
async fn found(fed: &mut Fed, what: &str, filter: &str) -> Vec<String> {
    let list = fed.must(200, "GET", &format!("/{what}?filter={}", encoded(filter)), Value::Null).await;
    list["Resources"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v))
}

#[test]
fn filters_pages_order_and_attributes() {
    on_both_fed(&[], |mut fed| async move {
        for (n, (name, title, kind)) in [("ann", "Boss", "permanent"), ("Bea", "Chef", "contractor"), ("cem", "", "permanent"), ("dag", "Boss", "contractor")].iter().enumerate() {
            let mut user = json!({
                "userName": format!("{name}@x.example"), "externalId": format!("ext-{n}"), "displayName": name, "userType": kind, "active": n != 2,
                "emails": [{ "value": format!("{name}@work.example"), "type": "work" }, { "value": format!("{name}@home.example"), "type": "home", "primary": true }],
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": format!("D{}", n / 2) },
            });
            if !title.is_empty() {
                user["title"] = json!(title);
            }
            fed.create(user).await;
        }
        let everyone = ["ext-0", "ext-1", "ext-2", "ext-3"];
        for (filter, expected) in [
            ("userName eq \"BEA@X.example\"", &[1][..]),
            ("externalId eq \"ext-2\"", &[2]),
            ("externalId eq \"EXT-2\"", &[]),
            ("id eq \"ext-3\"", &[3]),
            ("title eq \"boss\"", &[0, 3]),
            ("title ne \"boss\"", &[1, 2]),
            ("title pr", &[0, 1, 3]),
            ("not (title pr)", &[2]),
            ("title eq null", &[2]),
            ("displayName co \"A\"", &[0, 1, 3]),
            ("displayName sw \"b\"", &[1]),
            ("displayName ew \"m\"", &[2]),
            ("displayName gt \"bea\"", &[2, 3]),
            ("displayName ge \"bea\" and displayName lt \"dag\"", &[1, 2]),
            ("displayName le \"ann\"", &[0]),
            ("active eq false", &[2]),
            ("active eq \"True\"", &[0, 1, 3]),
            ("emails eq \"ann@work.example\"", &[0]),
            ("emails.value ew \"home.example\" and userType eq \"contractor\"", &[1, 3]),
            ("emails[type eq \"work\" and value sw \"dag\"]", &[3]),
            ("emails[type eq \"home\" and value eq \"dag@work.example\"]", &[]),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"d1\"", &[2, 3]),
            ("urn:ietf:params:scim:schemas:core:2.0:User:title eq \"Chef\"", &[1]),
            ("userType eq \"contractor\" or title eq \"Boss\" and active eq true", &[0, 1, 3]),
            ("(userType eq \"contractor\" or title eq \"Boss\") and displayName eq \"dag\"", &[3]),
            ("meta.created gt \"2020-01-01T00:00:00Z\"", &[0, 1, 2, 3]),
            ("meta.lastModified lt \"2020-01-01T00:00:00Z\"", &[]),
            ("USERNAME EQ \"ann@x.example\"", &[0]),
        ] {
            let expected: Vec<&str> = expected.iter().map(|n| everyone[*n]).collect();
            assert_eq!(found(&mut fed, "Users", filter).await, expected, "{filter}");
        }
        for filter in [
            "a\" or \"1\"=\"1", "userName eq \"a\" or \"1\" eq \"1\"", "userName", "userName eq", "userName eq ann", "nickName eq \"x\"", "title gt 5", "active gt true",
            "emails[nope eq \"x\"]", "userName eq \"x\" and", "((((userName pr))", "meta.created gt \"yesterday\"", "userName eq \"x\" drop table people",
        ] {
            let answer = fed.must(400, "GET", &format!("/Users?filter={}", encoded(filter)), Value::Null).await;
            assert_eq!(answer["scimType"], "invalidFilter", "{filter}: {answer}");
        }
        let deep = format!("{}userName pr{}", "not (".repeat(3000), ")".repeat(3000));
        let answer = fed.must(400, "POST", "/Users/.search", json!({ "filter": deep })).await;
        assert_eq!(answer["scimType"], "invalidFilter");
        // Pages.
        let ids = |list: &Value| list["Resources"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        let page = fed.must(200, "GET", "/Users?startIndex=2&count=2", Value::Null).await;
        assert_eq!((ids(&page), page["totalResults"].as_u64(), page["startIndex"].as_u64(), page["itemsPerPage"].as_u64()), (vec!["ext-1".to_owned(), "ext-2".to_owned()], Some(4), Some(2), Some(2)));
        let none = fed.must(200, "GET", "/Users?count=0", Value::Null).await;
        assert_eq!((ids(&none).len(), none["totalResults"].as_u64()), (0, Some(4)));
        assert_eq!(ids(&fed.must(200, "GET", "/Users?startIndex=-3&count=-1", Value::Null).await).len(), 0);
        assert_eq!(ids(&fed.must(200, "GET", "/Users?startIndex=99", Value::Null).await).len(), 0);
        fed.must(400, "GET", "/Users?count=many", Value::Null).await;
        // Order: what has no value comes last going up, first going down.
        assert_eq!(ids(&fed.must(200, "GET", "/Users?sortBy=displayName&sortOrder=descending", Value::Null).await), ["ext-3", "ext-2", "ext-1", "ext-0"]);
        assert_eq!(ids(&fed.must(200, "GET", "/Users?sortBy=title", Value::Null).await), ["ext-0", "ext-3", "ext-1", "ext-2"]);
        assert_eq!(ids(&fed.must(200, "GET", "/Users?sortBy=title&sortOrder=descending", Value::Null).await)[0], "ext-2");
        assert_eq!(ids(&fed.must(200, "GET", "/Users?sortBy=emails", Value::Null).await)[0], "ext-0");
        assert_eq!(fed.must(400, "GET", "/Users?sortBy=nickName", Value::Null).await["scimType"], "invalidPath");
        // Parts.
        let part = fed.must(200, "GET", "/Users/ext-0?attributes=userName,emails.value,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", Value::Null).await;
        let mut keys: Vec<&String> = part.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["emails", "id", "schemas", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "userName"]);
        assert_eq!(part["emails"][0], json!({ "value": "ann@work.example" }));
        let part = fed.must(200, "GET", "/Users/ext-0?excludedAttributes=emails.type,userName,id", Value::Null).await;
        assert_eq!((part["emails"][0].clone(), part["userName"].clone(), part["id"].as_str()), (json!({ "value": "ann@work.example" }), Value::Null, Some("ext-0")));
        fed.must(400, "GET", "/Users?attributes=userName&excludedAttributes=title", Value::Null).await;
        // Both kinds at once.
        fed.must(201, "POST", "/Groups", json!({ "displayName": "Kitchen", "members": [{ "value": "ext-1" }] })).await;
        assert_eq!(found(&mut fed, "Groups", "members.value eq \"ext-1\"").await, ["kitchen"]);
        assert_eq!(found(&mut fed, "Groups", "displayName eq \"KITCHEN\"").await, ["kitchen"]);
        assert_eq!(found(&mut fed, "Users", "groups.value eq \"kitchen\"").await, ["ext-1"]);
        let all = fed.must(200, "POST", "/.search", json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "displayName pr", "count": 10, "attributes": ["displayName"] })).await;
        assert_eq!(all["totalResults"], 5);
        fed.end();
    });
}

#[test]
fn a_version_guards_a_change() {
    on_both_fed(&[], |mut fed| async move {
        let id = fed.create(json!({ "userName": "ann@x.example", "displayName": "Ann" })).await;
        let path = format!("/Users/{id}");
        let first = fed.send("GET", &path, &[], None).await;
        let version = header(&first.head, "etag").unwrap().to_owned();
        assert_eq!(first.json()["meta"]["version"], version);
        assert_eq!(fed.send("GET", &path, &[("If-None-Match", &version)], None).await.status, 304);
        let list = fed.must(200, "GET", "/Users", Value::Null).await;
        assert_eq!(list["Resources"][0]["meta"]["version"], version);
        let body = json!({ "Operations": [{ "op": "replace", "path": "title", "value": "Boss" }] }).to_string();
        assert_eq!(fed.send("PATCH", &path, &[("If-Match", &version)], Some(&body)).await.status, 200);
        let stale = fed.send("PATCH", &path, &[("If-Match", &version)], Some(&body)).await;
        assert_eq!((stale.status, stale.json()["status"].as_str()), (412, Some("412")), "{}", stale.shown());
        assert_eq!(fed.send("PUT", &path, &[("If-Match", &version)], Some(r#"{"userName":"other"}"#)).await.status, 412);
        assert_eq!(fed.send("DELETE", &path, &[("If-Match", &version)], None).await.status, 412);
        let now = fed.send("GET", &path, &[("If-None-Match", &version)], None).await;
        assert_eq!(now.status, 200);
        let version = header(&now.head, "etag").unwrap().to_owned();
        // The version of a group tells of its members.
        fed.must(201, "POST", "/Groups", json!({ "displayName": "Kitchen" })).await;
        let before = fed.send("GET", "/Groups/kitchen", &[], None).await;
        fed.patch("/Groups/kitchen", json!([{ "op": "add", "path": "members", "value": [{ "value": id }] }])).await;
        let after = fed.send("GET", "/Groups/kitchen", &[], None).await;
        assert_ne!(header(&before.head, "etag"), header(&after.head, "etag"));
        assert_ne!(Some(version.as_str()), header(&fed.send("GET", &path, &[], None).await.head, "etag"), "a user's groups are part of them");
        assert_eq!(fed.send("DELETE", &path, &[("If-Match", "*")], None).await.status, 204);
        assert_eq!(fed.send("GET", &path, &[], None).await.status, 404);
        fed.end();
    });
}

#[test]
fn nobody_gains_by_a_hostile_or_clumsy_client() {
    on_both_fed(&[], |mut fed| async move {
        let ann = fed.create(json!({ "userName": "ann@x.example", "externalId": "ann" })).await;
        let bea = fed.create(json!({ "userName": "bea@x.example", "externalId": "bea" })).await;
        // A rename to another's name, in another case, by each way.
        let taken = fed.must(409, "PATCH", &format!("/Users/{bea}"), json!({ "Operations": [{ "op": "replace", "path": "userName", "value": "ANN@x.example" }] })).await;
        assert_eq!(taken["scimType"], "uniqueness");
        fed.must(409, "PUT", &format!("/Users/{bea}"), json!({ "userName": "ann@x.example" })).await;
        fed.must(409, "POST", "/Users", json!({ "userName": "Ann@X.example" })).await;
        fed.must(409, "POST", "/Users", json!({ "userName": "another", "externalId": "ann" })).await;
        // A rename to a free name keeps the id, and the old name is nobody's key.
        fed.patch(&format!("/Users/{ann}"), json!([{ "op": "replace", "path": "userName", "value": "ann.berg@x.example" }])).await;
        let other = fed.create(json!({ "userName": "ann@x.example" })).await;
        assert_ne!(other, ann);
        // Whoever is gone is gone: their id is not given to another, by name or by their own id.
        fed.must(204, "DELETE", &format!("/Users/{ann}"), Value::Null).await;
        assert_eq!(fed.status(&ann), "left");
        let again = fed.create(json!({ "userName": "ann.berg@x.example", "externalId": "ann" })).await;
        assert_eq!(again, "ann.berg@x.example", "the next name that was never anybody's");
        assert_eq!(fed.status(&ann), "left", "the tombstone stays");
        for path in [format!("/Users/{ann}"), "/Users/..%2fGroups".to_owned(), "/Users/%2e%2e".to_owned(), "/Users/a%2fb".to_owned(), "/Users/%00".to_owned(), "/Groups/A".to_owned()] {
            for method in ["GET", "DELETE"] {
                fed.must(404, method, &path, Value::Null).await;
            }
        }
        // Half a page, and other bodies that are none.
        for body in ["", "{", "{\"userName\":\"half", "[]", "null", "\"text\"", "{\"userName\":\"\\ud800\"}", "{\"a\":\u{1}}"] {
            let answer = fed.send("POST", "/Users", &[], Some(body)).await;
            assert_eq!((answer.status, answer.json()["scimType"].as_str()), (400, Some("invalidSyntax")), "{body}: {}", answer.shown());
        }
        let deep = format!("{{\"userName\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
        assert_eq!(fed.send("POST", "/Users", &[], Some(&deep)).await.status, 400);
        for (body, field) in [
            (json!({ "displayName": "without a name" }), "userName"),
            (json!({ "userName": "" }), "userName"),
            (json!({ "userName": 7 }), "userName"),
            (json!({ "userName": "x", "active": "perhaps" }), "active"),
            (json!({ "userName": "x\u{0}y" }), "userName"),
            (json!({ "userName": "x\r\nSet-Cookie: a=b" }), "userName"),
            (json!({ "userName": "x\u{202e}y" }), "userName"),
            (json!({ "userName": "x\u{200b}y" }), "userName"),
            (json!({ "userName": "cafe\u{301}" }), "userName"),
            (json!({ "userName": "x", "displayName": "a\u{1b}[31m" }), "displayName"),
            (json!({ "userName": "x", "displayName": "y".repeat(2000) }), "displayName"),
            (json!({ "userName": "x", "emails": [{ "value": "a", "primary": true }, { "value": "b", "primary": true }] }), "emails"),
            (json!({ "userName": "x", "username": "y" }), "userName"),
            (json!({ "userName": "x", "name": "a text" }), "name"),
        ] {
            let answer = fed.must(400, "POST", "/Users", body.clone()).await;
            assert!(answer["detail"].as_str().unwrap().contains(field), "{body}: {answer}");
        }
        // Composed accents are names like others.
        fed.create(json!({ "userName": "caf\u{e9}@x.example", "displayName": "Andr\u{e9} \u{1f600}" })).await;
        // 5 MB, and a little too much.
        for size in [5 << 20, (1 << 20) + 1] {
            let answer = fed.send("POST", "/Users", &[], Some(&format!("{{\"userName\":\"{}\"}}", "x".repeat(size)))).await;
            assert_eq!((answer.status, answer.json()["status"].as_str()), (413, Some("413")), "{}", answer.shown());
        }
        // Groups: a member that is none, a ring, two above one.
        fed.must(400, "POST", "/Groups", json!({ "displayName": "G", "members": [{ "value": "nobody" }] })).await;
        fed.must(400, "POST", "/Groups", json!({ "displayName": "G", "members": [{ "value": "p00001" }] })).await;
        fed.must(400, "POST", "/Groups", json!({ "members": [] })).await;
        for group in ["One", "Two", "Three"] {
            fed.must(201, "POST", "/Groups", json!({ "displayName": group })).await;
        }
        fed.patch("/Groups/one", json!([{ "op": "add", "path": "members", "value": [{ "value": "two", "type": "Group" }, { "value": bea, "type": "User" }] }])).await;
        fed.patch("/Groups/two", json!([{ "op": "add", "path": "members", "value": [{ "value": "three", "type": "Group" }] }])).await;
        fed.must(400, "PATCH", "/Groups/three", json!({ "Operations": [{ "op": "add", "path": "members", "value": [{ "value": "one" }] }] })).await;
        fed.must(400, "PATCH", "/Groups/one", json!({ "Operations": [{ "op": "add", "path": "members", "value": [{ "value": "three" }] }] })).await;
        let teams = fed.database.lines("SELECT data AS line FROM teams WHERE id = 'three'").concat();
        assert_eq!(serde_json::from_str::<Value>(&teams).unwrap()["parent"], "two");
        fed.must(204, "DELETE", "/Groups/two", Value::Null).await;
        let teams = fed.database.lines("SELECT data AS line FROM teams WHERE id = 'three'").concat();
        assert_eq!(serde_json::from_str::<Value>(&teams).unwrap()["parent"], Value::Null);
        // An account is one person's.
        let account = json!({ "accounts": { "warehouse": "shared" } });
        fed.create(json!({ "userName": "first", "urn:bandpass:params:scim:schemas:extension:2.0:User": account })).await;
        let answer = fed.must(409, "POST", "/Users", json!({ "userName": "second", "urn:bandpass:params:scim:schemas:extension:2.0:User": account })).await;
        assert!(answer["detail"].as_str().unwrap().contains("belongs to"), "{answer}");
        // What is not there.
        for (method, path) in [("POST", "/Bulk"), ("GET", "/Me"), ("GET", "/Users/x/y"), ("GET", "/")] {
            fed.must(404, method, path, Value::Null).await;
        }
        let answer = fed.send("PUT", "/Users", &[], Some("{}")).await;
        assert_eq!((answer.status, header(&answer.head, "allow")), (405, Some("GET, HEAD, POST")));
        fed.end();
    });
}
