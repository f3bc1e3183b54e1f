//! JSON Schema (2020-12) of policy files, so that an editor completes and checks them while they are written.
//!
//! An editor sees one file: names of teams, groups and connectors, conditions, and what files say of each other are checked by
//! `policy check` alone. Keys are those that the reader knows; a test holds the two together, and another has a validator read
//! every sample file.

use serde_json::{Map, Value, json};

use super::codes::CODES;

/// The files that have a schema.
pub const KINDS: &[&str] = &["group", "conflicts", "roles", "attributes", "tests"];

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a kind of file; none when there is no such kind.
pub fn schema(kind: &str) -> Option<Value> {
    Some(match kind {
        "group" => group(),
        "conflicts" => conflicts(),
        "roles" => roles(),
        "attributes" => attributes(),
        "tests" => tests_file(),
        _ => return None,
    })
}

/// A table with these keys and no other.
fn table(description: &str, required: &[&str], keys: &[(&str, Value)]) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    json!({ "type": "object", "description": description, "required": required, "properties": properties, "additionalProperties": false })
}

/// A whole file.
fn file(title: &str, mut table: Value) -> Value {
    if let Some(fields) = table.as_object_mut() {
        fields.insert("$schema".to_owned(), DIALECT.into());
        fields.insert("title".to_owned(), title.into());
    }
    table
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn words(description: &str, words: &[&str]) -> Value {
    json!({ "enum": words, "description": description })
}

fn duration(description: &str) -> Value {
    json!({ "type": "string", "pattern": "^[0-9]{1,9}[smhd]$", "examples": ["30m", "8h", "30d"], "description": description })
}

const GROUP_ID: &str = "[a-z0-9][a-z0-9-]{0,62}";

fn group_id(description: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^{GROUP_ID}$"), "description": description })
}

/// One text, or a list of them.
fn list(item: &Value, least: usize, description: &str) -> Value {
    json!({ "description": description, "anyOf": [item, { "type": "array", "items": item, "minItems": least }] })
}

/// People by the words that may stand there beside `person:`, `team:` and, where they may, `group:`.
fn people(plain: &[&str], groups: bool, description: &str) -> Value {
    let mut ways: Vec<String> = plain.iter().map(|w| (*w).to_owned()).collect();
    ways.push("person:[A-Za-z0-9][A-Za-z0-9._+@-]*".to_owned());
    ways.push("team:[a-z0-9][a-z0-9._-]*".to_owned());
    if groups {
        ways.push(format!("group:{GROUP_ID}"));
    }
    let known: Vec<&str> = plain.iter().copied().chain(["team:", "person:"]).collect();
    list(&json!({ "type": "string", "pattern": format!("^({})$", ways.join("|")), "examples": known }), 1, description)
}

fn asked(description: &str) -> Value {
    people(&["manager", "owner"], true, description)
}

fn stage() -> Value {
    let keys = [
        ("from", asked("Who may answer: the manager of the person the request is for, the group's owner, people, teams, or whoever holds a group.")),
        ("need", json!({ "type": "integer", "minimum": 1, "default": 1, "description": "How many different people must agree. One person counts in one stage only." })),
        ("within", json!({ "allOf": [duration("How long they have; 7d when left out. Then `escalate`, then the request expires."), { "default": "7d" }] })),
        ("escalate", people(&["manager", "owner"], true, "Who may answer as well once `within` has passed; the same span runs again.")),
    ];
    table("One step of an approval.", &["from"], &keys)
}

fn rule() -> Value {
    let keys = [
        ("name", text("What the rule says, in words. Decisions cite it, so it is unique in the file.")),
        ("who", people(&["everyone"], true, "Whom the rule speaks of: people, teams with their sub-teams, holders of groups, or everyone.")),
        ("when", text("One Cedar expression over principal, resource and context. Checked by `policy check`.")),
        ("then", words("`grant` at once; `approve` through the stages; `always` is membership without asking, as long as `who` and `when` hold; it needs no `for`.", &["grant", "approve", "always"])),
        ("for", duration("The longest this rule gives.")),
        ("justification", json!({ "enum": ["required", "optional", "none"], "default": "optional", "description": "Whether whoever asks must say why." })),
        ("stage", json!({ "type": "array", "items": stage(), "minItems": 1, "description": "Who is asked, one stage after another." })),
    ];
    let mut rule = table("Rules are read from the top; the first whose `who` and `when` hold and whose `for` covers the asked time decides.", &["name", "who", "then"], &keys);
    if let Some(fields) = rule.as_object_mut() {
        fields.insert("anyOf".to_owned(), json!([{ "required": ["for"] }, { "properties": { "then": { "const": "always" } } }]));
        fields.insert("if".to_owned(), json!({ "properties": { "then": { "const": "approve" } }, "required": ["then"] }));
        fields.insert("then".to_owned(), json!({ "required": ["stage"] }));
        fields.insert("else".to_owned(), json!({ "properties": { "stage": false } }));
    }
    rule
}

/// The keys that examples and cases share.
fn expectations() -> Vec<(&'static str, Value)> {
    let fact = json!({ "anyOf": [{ "type": ["string", "integer", "boolean"] }, { "type": "array", "items": { "type": "string" } }] });
    let built_in: Map<String, Value> = super::cedar::BUILT_IN.iter().map(|name| ((*name).to_owned(), fact.clone())).collect();
    vec![
        ("person", json!({ "type": "object", "properties": built_in, "additionalProperties": fact, "description": "Facts of an invented person: team, employment, location, ..., and declared attributes." })),
        ("for", duration("How long they ask for.")),
        ("expect", words("What must come out.", &["granted", "approval", "denied"])),
        ("rule", text("The rule that must decide: the right answer for the wrong reason fails.")),
        ("guardrail", text("The id of the guardrail that must forbid.")),
        ("holds", list(&group_id("A group."), 0, "Groups they hold already.")),
        ("justification", text("What they write.")),
        ("reason", list(&json!({ "type": "string", "minLength": 1 }), 0, "Texts that the explanation must hold.")),
    ]
}

fn example() -> Value {
    let keys = expectations();
    table("A test of the rules, run by `bandpass policy test`.", &["for", "expect"], &keys)
}

fn tests_file() -> Value {
    let mut keys = expectations();
    keys.extend([
        ("name", text("What the case shows, in words; unique.")),
        ("group", group_id("The group that is asked for.")),
        ("at", json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T", "description": "When it is asked, like 2026-12-24T08:00:00Z; now when left out." })),
    ]);
    let case = table("A test of several groups, guardrails or words, run by `bandpass policy test`.", &["name", "group", "for", "expect"], &keys);
    file("Tests of policy", table("tests/*.toml", &[], &[("case", json!({ "type": "array", "items": case }))]))
}

fn allowance() -> Value {
    let may: Vec<&str> = CODES.iter().filter(|c| c.may_be_allowed).map(|c| c.id).collect();
    let keys = [("code", words("The code of the warning.", &may)), ("reason", text("Why it is right here."))];
    table("Lets a warning of `policy check` stand, with a reason.", &["code", "reason"], &keys)
}

fn group() -> Value {
    let entitlement = table(
        "What members hold in a target system.",
        &["connector", "name"],
        &[
            ("connector", json!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$", "description": "The name of a [[connector]] of the configuration." })),
            ("name", text("Its name in the target system.")),
        ],
    );
    let break_glass = table(
        "Emergency access: instant, short, loud, reviewed afterwards. Checked and shown, not yet executed.",
        &["who", "for", "review_by"],
        &[
            ("who", people(&["everyone"], true, "Who may take it.")),
            ("for", duration("How long it lasts; hours, not days.")),
            ("review_by", asked("Who looks at it afterwards.")),
        ],
    );
    let review = table(
        "Members are certified again, or lapse. Checked and shown, not yet executed.",
        &["every", "by"],
        &[("every", duration("How often.")), ("by", asked("Who certifies."))],
    );
    let many = |items: Value, description: &str| json!({ "type": "array", "items": items, "description": description });
    let keys = [
        ("title", json!({ "type": "string", "minLength": 1, "description": "The name that people read." })),
        ("description", text("What it opens, in a sentence.")),
        ("owner", people(&[], false, "A team or people: answers for the group, and approves where a rule says `owner`.")),
        ("sensitivity", words("How much harm the access can do.", &["public", "internal", "confidential", "restricted"])),
        ("tags", list(&text("A tag."), 0, "Words to find the group by; guardrails may read them.")),
        ("entitlement", many(entitlement, "What members hold; none is membership alone.")),
        ("rule", many(rule(), "Who gets it, how, and for how long. Nothing is open by omission.")),
        ("break_glass", break_glass),
        ("review", review),
        ("on_change", json!({ "enum": ["revoke", "flag"], "default": "revoke", "description": "What happens to a grant whose rule no longer holds: ended after `grace`, or listed for the owner." })),
        ("grace", duration("How long such a grant goes on; 24h when left out.")),
        ("formerly", list(&group_id("An id."), 0, "Ids the group had before; its grants are carried over.")),
        ("example", many(example(), "Tests of the rules.")),
        ("allow", many(allowance(), "Warnings that may stand.")),
    ];
    file("A group of Bandpass", table("groups/**/ID.toml: one group a file, named after it.", &["title", "owner", "sensitivity"], &keys))
}

fn conflicts() -> Value {
    let conflict = table(
        "Groups that nobody may hold together.",
        &["groups", "reason"],
        &[
            ("groups", json!({ "type": "array", "items": group_id("A group."), "minItems": 2, "uniqueItems": true, "description": "Two groups or more." })),
            ("reason", text("Why; people read it when they are refused.")),
            ("keep", group_id("Whose grant stays when a conflict appears; the older one when left out.")),
        ],
    );
    file("Conflicts of Bandpass", table("conflicts.toml", &[], &[("conflict", json!({ "type": "array", "items": conflict }))]))
}

fn roles() -> Value {
    let role = |description: &str| table(description, &[], &[("who", people(&[], true, "People, teams, or holders of groups."))]);
    let keys = [("auditor", role("May read the whole audit log and everyone's access.")), ("admin", role("May administer; has no vote by it. There is at least one."))];
    file("Roles of Bandpass", table("roles.toml", &["admin"], &keys))
}

fn attributes() -> Value {
    let declared = json!({
        "type": "object",
        "description": "Names and types. Some people may lack an attribute: conditions ask `principal has x` first.",
        "propertyNames": { "pattern": "^[A-Za-z][A-Za-z0-9_]*$", "not": { "enum": super::cedar::BUILT_IN } },
        "additionalProperties": { "enum": ["string", "long", "bool", "set"] },
    });
    file("Attributes of people", table("attributes.toml", &[], &[("attributes", declared)]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::policy::group_file as keys;

    fn names(table: &Value) -> BTreeSet<&str> {
        table["properties"].as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn keys_are_those_that_the_reader_knows() {
        let group = schema("group").unwrap();
        let of = |key: &str| &group["properties"][key]["items"];
        let tables: [(&Value, &[&str]); 9] = [
            (&group, keys::GROUP_KEYS),
            (of("rule"), keys::RULE_KEYS),
            (&of("rule")["properties"]["stage"]["items"], keys::STAGE_KEYS),
            (of("entitlement"), keys::ENTITLEMENT_KEYS),
            (&group["properties"]["break_glass"], keys::BREAK_GLASS_KEYS),
            (&group["properties"]["review"], keys::REVIEW_KEYS),
            (of("example"), keys::EXAMPLE_KEYS),
            (of("allow"), keys::ALLOW_KEYS),
            (&schema("tests").unwrap()["properties"]["case"]["items"], crate::policy::fixture::KEYS),
        ];
        for (table, known) in tables {
            assert_eq!(names(table), known.iter().copied().collect());
            assert_eq!(table["additionalProperties"], false);
        }
        assert!(KINDS.iter().all(|kind| schema(kind).unwrap()["$schema"] == DIALECT));
        assert_eq!(schema("guardrail"), None);
    }
}
