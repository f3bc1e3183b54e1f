//! The open abuse list of security.md, section 4, against a live server: what the files `abuse_*.rs` share. Each has one server, one
//! function for each item, and at the end asks the log that what had to be audited was. `tests/README.md` has the table of all items.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use crate::{
    signin_house::Front,
    support::http::{self, Answer},
};

/// A token for each part, by name: whose, with which scopes.
const PARTS: &[(&str, &str, &str)] = &[
    ("ann", "ann", "read,request,approve"),
    ("bob", "bob", "read,request,approve"),
    ("max", "max", "read,request,approve"),
    ("olga", "olga", "read,request,approve"),
    ("reader", "ann", "read"),
    ("auditor", "ada", "read,audit"),
    ("admin", "ada", "read,request,approve,audit,admin"),
];

/// A running company, and what was seen of it so far.
pub struct Scene {
    pub front: Front,
    tokens: BTreeMap<&'static str, String>,
    /// Who must have been recorded as refused what.
    audited: Vec<(&'static str, String)>,
}

impl Scene {
    pub fn new(front: Front) -> Self {
        let make = |(part, person, scopes): &(&'static str, &str, &str)| {
            let made = front.service.must(&["token", "create", "--person", person, "--scopes", scopes, "--format", "json"]);
            (*part, serde_json::from_str::<Value>(&made).unwrap()["token"].as_str().unwrap().to_owned())
        };
        let tokens = PARTS.iter().map(make).collect();
        Self { front, tokens, audited: Vec::new() }
    }

    /// The token of a part.
    pub fn token(&self, part: &str) -> &str {
        &self.tokens[part]
    }

    /// Calls as a part.
    pub async fn call(&self, part: &str, method: &str, path: &str, body: Option<&str>) -> Answer {
        self.front.api(method, path, self.token(part), body).await
    }

    /// Calls with header lines of one's own.
    pub async fn with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        http::once(self.front.service.address(), &http::request(method, path, headers, body)).await.unwrap()
    }

    /// Files a request; answers its id and that of the grant, if there is one.
    pub async fn ask(&self, part: &str, group: &str) -> (String, Option<String>) {
        let answer = self.call(part, "POST", "/api/v1/requests", Some(&format!(r#"{{"group":"{group}","duration":"8h"}}"#))).await;
        assert_eq!(answer.status, 201, "{}", answer.shown());
        let told = answer.json();
        (told["id"].as_str().unwrap().to_owned(), told["grant"]["id"].as_str().map(str::to_owned))
    }

    /// What the company is: whatever changes something writes an event. Refusals are gathered, and deliveries follow in
    /// their own time: they are not counted.
    pub fn standing(&self) -> Vec<String> {
        let ours = "SELECT CAST(count(*) AS TEXT) AS line FROM audit_log WHERE kind <> 'refused' AND kind NOT LIKE 'delivery.%'";
        let mut all = self.front.database.lines(ours);
        all.extend(self.front.database.lines("SELECT id || status AS line FROM grants ORDER BY id"));
        all.extend(self.front.database.lines("SELECT id || status AS line FROM requests ORDER BY id"));
        all
    }

    /// That a refusal of a known object is to be found in the log in the end (semantics.md, 18).
    pub fn must_audit(&mut self, person: &'static str, action: impl Into<String>) {
        self.audited.push((person, action.into()));
    }

    /// Looks for every refusal that had to be recorded, and leaves a sound log behind.
    pub fn leave(mut self) {
        self.front.service.stop();
        for (person, action) in &self.audited {
            let sql = format!("SELECT body AS line FROM audit_log WHERE kind = 'refused' AND actor = 'person:{person}'");
            let found = self.front.database.lines(&sql);
            assert!(found.iter().any(|body| body.contains(&format!("\"{action}\":"))), "no event says that {person} was refused {action}: {found:#?}");
        }
        self.front.leave();
    }
}

/// A refusal of the API: its status and its stable type.
pub fn refused(what: &str, answer: &Answer, status: u16, code: &str) {
    println!("{what}: {}", answer.shown());
    assert_eq!(answer.status, status, "{what}: {}", answer.shown());
    assert_eq!(answer.json()["type"], format!("urn:bandpass:problem:{code}"), "{what}: {}", answer.shown());
}

#[test]
fn every_item_of_the_list_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let table = fs::read_to_string(root.join("README.md")).unwrap();
    let mut seen = Vec::new();
    for line in table.lines().filter(|l| l.starts_with("| ") && l.contains(".rs`")) {
        let Some(item) = line.split('|').nth(1).and_then(|n| n.trim().parse::<u32>().ok()) else { continue };
        let quoted: Vec<&str> = line.split('|').nth(3).unwrap().split('`').skip(1).step_by(2).collect();
        let (file, functions) = quoted.split_first().unwrap();
        let text = fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        for function in functions {
            assert!(text.contains(&format!("fn {function}(")), "item {item}: `{file}` has no `{function}`");
        }
        seen.push(item);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (30..=62).collect::<Vec<u32>>(), "items of security.md, section 4, with a line in tests/README.md");
}
