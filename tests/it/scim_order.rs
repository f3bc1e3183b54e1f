//! Lists in order, over the wire on both databases: by every attribute that is published, both ways, with and without a filter,
//! beside the same order made here from whole resources. The service reads of each only what the filter and the order want, so
//! this is also what shows that it reads enough.

use std::{cmp::Ordering, collections::BTreeSet};

use serde_json::{Value, json};

use crate::scim::{Fed, encoded, on_both_fed};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const BANDPASS: &str = "urn:bandpass:params:scim:schemas:extension:2.0:User";

/// One attribute: how it is named, where it stands, and whether its case counts.
struct Path {
    text: String,
    steps: Vec<String>,
    exact: bool,
}

/// Everything that `/Schemas` publishes of a resource and that all resources have.
async fn published(fed: &mut Fed, schemas: &[&str], core: &str) -> Vec<Path> {
    let mut paths = Vec::new();
    let common = [("id", true), ("externalId", true), ("meta.created", false), ("meta.lastModified", false), ("meta.resourceType", true), ("meta.location", true), ("schemas", true)];
    for (name, exact) in common {
        paths.push(Path { text: name.to_owned(), steps: name.split('.').map(str::to_owned).collect(), exact });
    }
    for urn in schemas {
        let schema = fed.must(200, "GET", &format!("/Schemas/{urn}"), Value::Null).await;
        let (prefix, outer) = if *urn == core { (String::new(), vec![]) } else { (format!("{urn}:"), vec![(*urn).to_owned()]) };
        for attribute in schema["attributes"].as_array().unwrap() {
            let name = attribute["name"].as_str().unwrap();
            let steps: Vec<String> = outer.iter().cloned().chain([name.to_owned()]).collect();
            let exact = |a: &Value| a["caseExact"] == true;
            let parts = attribute["subAttributes"].as_array().cloned().unwrap_or_default();
            // Of a value with parts, its `value` is meant when none is named.
            let whole = parts.iter().find(|p| p["name"] == "value");
            if parts.is_empty() || whole.is_some() {
                let steps = steps.iter().cloned().chain(whole.map(|_| "value".to_owned())).collect();
                paths.push(Path { text: format!("{prefix}{name}"), steps, exact: exact(whole.unwrap_or(attribute)) });
            }
            // `$ref` is no name that a path may hold (RFC 7644, figure 1).
            for part in parts.iter().filter(|p| p["name"] != "$ref") {
                let inner = part["name"].as_str().unwrap().to_owned();
                paths.push(Path { text: format!("{prefix}{name}.{inner}"), steps: steps.iter().cloned().chain([inner]).collect(), exact: exact(part) });
            }
        }
    }
    paths
}

/// The value that a resource is sorted by: of several the primary one, else the first.
fn value(resource: &Value, path: &Path) -> Value {
    path.steps.iter().fold(resource.clone(), |at, step| {
        let at = match &at {
            Value::Array(all) => all.iter().find(|v| v["primary"] == true).or(all.first()).cloned().unwrap_or_default(),
            one => one.clone(),
        };
        at.get(step).cloned().unwrap_or_default()
    })
}

fn single(value: Value) -> Value {
    if let Value::Array(all) = value { all.first().cloned().unwrap_or_default() } else { value }
}

/// What has no value comes last going up.
fn compare(a: &Value, b: &Value, exact: bool) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        (Value::String(a), Value::String(b)) if exact => a.cmp(b),
        (Value::String(a), Value::String(b)) => a.to_lowercase().cmp(&b.to_lowercase()),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (a, b) => a.as_i64().cmp(&b.as_i64()),
    }
}

fn ids<'a>(resources: impl IntoIterator<Item = &'a Value>) -> Vec<String> {
    resources.into_iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect()
}

async fn list(fed: &mut Fed, what: &str, query: &str) -> Vec<Value> {
    fed.must(200, "GET", &format!("/{what}?count=500{query}"), Value::Null).await["Resources"].as_array().unwrap().clone()
}

/// Sorts by each path, both ways, what each filter finds.
async fn each_order(fed: &mut Fed, what: &str, paths: &[Path], filters: &[&str]) {
    let mut differ = BTreeSet::new();
    for filter in filters {
        let filter = if filter.is_empty() { String::new() } else { format!("&filter={}", encoded(filter)) };
        let usual = list(fed, what, &filter).await;
        assert!(usual.len() >= 4, "{what} {filter}: {}", usual.len());
        for path in paths {
            for descending in [false, true] {
                let mut expected = usual.clone();
                expected.sort_by(|a, b| {
                    let order = compare(&single(value(a, path)), &single(value(b, path)), path.exact);
                    if descending { order.reverse() } else { order }
                });
                let order = format!("&sortBy={}{}", encoded(&path.text), if descending { "&sortOrder=descending" } else { "" });
                let sorted = list(fed, what, &format!("{filter}{order}")).await;
                assert_eq!(ids(&sorted), ids(&expected), "{what} {filter} {order}");
                assert_eq!(sorted, expected, "a page shows whole resources: {what} {filter} {order}");
                if ids(&expected) != ids(&usual) {
                    differ.insert(path.text.clone());
                }
                let page = fed.must(200, "GET", &format!("/{what}?startIndex=2&count=2{filter}{order}"), Value::Null).await;
                assert_eq!(ids(page["Resources"].as_array().unwrap()), ids(&expected[1..3]), "{what} {filter} {order}");
                assert_eq!(page["totalResults"].as_u64(), Some(usual.len() as u64));
            }
        }
    }
    // Otherwise nothing was tried.
    assert!(differ.len() * 2 > paths.len(), "{what}: only {differ:?} made a difference");
}

#[test]
fn every_published_attribute_sorts_both_ways_with_and_without_a_filter() {
    on_both_fed(&[], |mut fed| async move {
        fed.declare("clearance = \"long\"\non_call = \"bool\"\ncost_centre = \"string\"\ntrainings = \"set\"").await;
        let word = |n: usize, of: &[&str]| of[n % of.len()].to_owned();
        for n in 0..16_usize {
            let mut user = json!({
                "userName": format!("{}{n}@x.example", word(n * 7, &["Zoe", "ann", "Bo"])), "externalId": format!("{}-{n}", word(n * 5, &["e", "E", "d"])),
                "name": { "givenName": word(n * 3, &["Ann", "bob", "Cyd", "ann"]), "familyName": word(n, &["Ö", "o", "P"]), "formatted": format!("F{}", n * 5 % 16) },
                "userType": word(n, &["permanent", "Contractor"]), "active": n % 3 != 0,
                "emails": [{ "value": format!("{n}@work.example"), "type": "work" }, { "value": format!("{}@home.example", n * 11 % 16), "type": "home", "primary": n % 2 == 0 }],
                "addresses": [{ "locality": word(n * 3, &["Oslo", "Bergen", "oslo"]), "region": word(n, &["b", "a"]), "country": word(n, &["SE", "NO"]), "streetAddress": format!("S{}", n * 7 % 16), "postalCode": format!("{}", n * 3 % 16), "formatted": format!("A{}", n * 9 % 16), "type": word(n, &["work", "home"]), "primary": n % 2 == 1 }],
            });
            if n % 4 != 1 {
                user["title"] = json!(word(n * 5, &["Chef", "boss", "Clerk"]));
                user["displayName"] = json!(format!("{} \"{}\"", word(n, &["Q", "r", "S"]), n * 13 % 16));
                user[ENTERPRISE] = json!({ "employeeNumber": format!("{}", n * 3 % 16), "costCenter": word(n, &["c2", "C1"]), "organization": word(n, &["y", "x"]), "division": word(n, &["v", "U"]), "department": word(n, &["D2", "d1", "D3"]) });
                if n > 2 {
                    user[ENTERPRISE]["manager"] = json!({ "value": format!("{}-{}", word((n / 3) * 5, &["e", "E", "d"]), n / 3) });
                }
                user[BANDPASS] = json!({ "clearance": n * 7 % 16, "on_call": n % 2 == 0, "cost_centre": word(n, &["k", "K", "j"]), "trainings": [word(n, &["privacy", "Payments", "fire"]), "zeal"] });
            }
            fed.create(user).await;
        }
        let everyone = ids(&list(&mut fed, "Users", "").await);
        for (n, name) in ["zebra", "Apple", "mango", "berry", "Kiwi"].iter().enumerate() {
            let members: Vec<Value> = everyone.iter().skip(n * 2).step_by(n + 1).map(|id| json!({ "value": id })).collect();
            fed.must(201, "POST", "/Groups", json!({ "displayName": name, "externalId": format!("g{}", 9 - n), "members": members })).await;
        }
        let (user, group) = ("urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:core:2.0:Group");
        let of_users = published(&mut fed, &[user, ENTERPRISE, BANDPASS], user).await;
        assert!(of_users.len() > 40, "{}", of_users.len());
        let trained = format!("{BANDPASS}:trainings eq \"privacy\" or not ({ENTERPRISE}:manager pr)");
        let filters = ["", "active eq true", "groups.display co \"a\"", "meta.lastModified gt \"2020-01-01T00:00:00Z\" and title pr", "schemas eq \"urn:bandpass:params:scim:schemas:extension:2.0:User\"", &trained];
        each_order(&mut fed, "Users", &of_users, &filters).await;
        let of_groups = published(&mut fed, &[group], group).await;
        each_order(&mut fed, "Groups", &of_groups, &["", "members pr", "externalId gt \"g1\""]).await;
        // The version follows from all the rest: nothing is looked for by it.
        assert_eq!(fed.must(400, "GET", "/Users?sortBy=meta.version", Value::Null).await["scimType"], "invalidPath");
        let refused = fed.must(400, "GET", &format!("/Users?filter={}", encoded("meta.version pr")), Value::Null).await;
        assert_eq!(refused["scimType"], "invalidFilter");
        fed.end();
    });
}

#[test]
fn a_set_is_added_to_and_holds_a_value_once() {
    on_both_fed(&[], |mut fed| async move {
        fed.declare("trainings = \"set\"").await;
        let id = fed.create(json!({ "userName": "ann@x.example", "externalId": "ann", (BANDPASS): { "trainings": ["privacy"] } })).await;
        let path = format!("/Users/{id}");
        let list = |user: &Value| user[BANDPASS]["trainings"].clone();
        let added = fed.patch(&path, json!([{ "op": "add", "path": format!("{BANDPASS}:trainings"), "value": ["payments", "privacy"] }])).await;
        assert_eq!(list(&added), json!(["privacy", "payments"]));
        let replaced = fed.patch(&path, json!([{ "op": "replace", "path": format!("{BANDPASS}:trainings"), "value": ["fire"] }])).await;
        assert_eq!(list(&replaced), json!(["fire"]));
        assert_eq!(fed.stored(&id)["attributes"]["trainings"], json!(["fire"]));
        let removed = fed.patch(&path, json!([{ "op": "remove", "path": format!("{BANDPASS}:trainings") }])).await;
        assert_eq!((list(&removed), fed.stored(&id)["attributes"].clone()), (Value::Null, Value::Null));
        fed.end();
    });
}
