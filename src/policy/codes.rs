//! Every code of a problem, in one table: documents, SARIF rules and the test of the documents are made from it.

use crate::domain::problem::Severity::{self, Error, Warning};

/// A stable code. It never changes its meaning; a code that is no longer used is not given to another problem.
pub struct Code {
    /// Like `BP012`.
    pub id: &'static str,
    /// Whether it stops the set from loading.
    pub severity: Severity,
    /// What it says, in half a sentence.
    pub says: &'static str,
}

const fn code(id: &'static str, severity: Severity, says: &'static str) -> Code {
    Code { id, severity, says }
}

/// Every code, in order.
pub const CODES: &[Code] = &[
    code("BP001", Error, "the file is not TOML"),
    code("BP002", Error, "a key that nobody knows"),
    code("BP003", Error, "a value of the wrong type"),
    code("BP004", Error, "a key that must be there is missing"),
    code("BP005", Error, "a value that cannot be read: an id, a duration, a word of a list"),
    code("BP006", Error, "a word that is not one of the few that can stand there"),
    code("BP007", Error, "a word of people that cannot stand there"),
    code("BP008", Error, "an empty list of people"),
    code("BP009", Error, "two rules of one name"),
    code("BP010", Warning, "a group without a rule"),
    code("BP011", Error, "a stage that needs no approval"),
    code("BP012", Error, "a stage that needs more people than it names"),
    code("BP013", Error, "an `approve` rule without a stage"),
    code("BP014", Error, "stages in a rule that is not `approve`"),
    code("BP015", Error, "brackets or dotted names nested too deeply to be read safely"),
    code("BP020", Error, "a conflict of fewer than two groups"),
    code("BP021", Error, "`keep` names a group outside the conflict"),
    code("BP022", Error, "nobody administers Bandpass"),
    code("BP023", Error, "an attribute of a type that does not exist"),
    code("BP024", Error, "an attribute whose name is taken or malformed"),
    code("BP025", Error, "the declared attributes make no schema"),
    code("BP030", Error, "a condition that is not one Cedar expression"),
    code("BP031", Error, "a condition or guardrail too long or too deep to be read safely"),
    code("BP032", Error, "a condition that does not fit the schema"),
    code("BP040", Error, "a guardrail file that is not Cedar"),
    code("BP041", Error, "a guardrail that permits"),
    code("BP042", Error, "a guardrail with a scope"),
    code("BP043", Error, "a guardrail without `@id`"),
    code("BP044", Error, "a guardrail without `@reason`"),
    code("BP045", Error, "a guardrail that names a group which does not exist"),
    code("BP046", Error, "a guardrail that does not fit the schema, such as one that reads an attribute some people lack"),
    code("BP047", Error, "two guardrails of one id"),
    code("BP048", Warning, "a guardrail that applies to no group"),
    code("BP050", Error, "too many files"),
    code("BP051", Error, "a file too large to be read"),
    code("BP052", Error, "a file that is not UTF-8"),
    code("BP053", Error, "a time zone that does not exist"),
    code("BP054", Error, "a file name that cannot be the id of a group"),
    code("BP055", Error, "a group in two files"),
    code("BP056", Warning, "a file that is not read"),
    code("BP057", Error, "no group at all"),
    code("BP058", Error, "the policy folder cannot be read"),
    code("BP059", Error, "more problems in one file than are told"),
    code("BP060", Error, "approvers whom people can join by themselves"),
    code("BP061", Warning, "a group whose members approve who becomes a member"),
    code("BP062", Warning, "a `grant` below a shorter `approve`"),
    code("BP063", Warning, "a rule that never decides"),
    code("BP064", Warning, "everyone gets a restricted group at once"),
    code("BP065", Warning, "a stage that nobody can satisfy today"),
    code("BP066", Warning, "an owner with nobody in it today"),
    code("BP067", Warning, "one entitlement given by groups of different sensitivity"),
    code("BP068", Error, "groups that are each other's condition, in a circle"),
    code("BP069", Error, "groups nested too deeply"),
    code("BP070", Error, "a group that does not exist"),
    code("BP071", Warning, "a team that is gone"),
    code("BP072", Error, "a team that does not exist"),
    code("BP073", Warning, "a team with nobody in it today"),
    code("BP074", Warning, "a person who left"),
    code("BP075", Error, "a person who does not exist"),
    code("BP076", Error, "a connector that is not configured"),
    code("BP077", Warning, "an `[[allow]]` that allows nothing"),
    code("BP078", Error, "an `[[allow]]` of a code that does not exist or cannot be allowed"),
];

/// Where a code is explained, relative to the folder that holds `policies/`.
pub fn link(code: &str) -> String {
    format!("policies/README.md#{}", code.to_lowercase())
}

/// Problems that a group file may allow with a reason.
pub(super) const ALLOWABLE: &[&str] = &["BP060", "BP061", "BP062", "BP063", "BP064", "BP065", "BP066", "BP067"];
