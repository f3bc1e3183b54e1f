//! Every code of a problem, in one table: the README's section, the rules of SARIF, which warnings a file may allow, and how
//! severe a problem is are all made from it. A code never changes its meaning, and one that is no longer used is not given to
//! another problem. Tests hold that every code of the source is here, in `policies/README.md`, and in the golden file of cases.

use crate::domain::problem::{Problem, Severity::{self, Error, Note, Warning}};

/// One kind of problem.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// Like `BP012`.
    pub id: &'static str,
    /// Whether it keeps the set from loading.
    pub severity: Severity,
    /// What is wrong, in half a sentence.
    pub title: &'static str,
    /// Why it matters, and what to do.
    pub help: &'static str,
    /// Whether a file may let it stand with a reason: `[[allow]]`, or `@allow` at a guardrail.
    pub may_be_allowed: bool,
    /// Whether a set that was in force once compiles in spite of it. Names depend on who and what is known today; and a check
    /// that is younger than a stored set must never take that set out of force (semantics.md, 7).
    pub forgiven: bool,
}

const fn error(id: &'static str, title: &'static str, help: &'static str) -> Code {
    Code { id, severity: Error, title, help, may_be_allowed: false, forgiven: false }
}
/// An error in what files say about each other or about today's names: the set can be made all the same.
const fn late_error(id: &'static str, title: &'static str, help: &'static str) -> Code {
    Code { forgiven: true, ..error(id, title, help) }
}
const fn warning(id: &'static str, title: &'static str, help: &'static str) -> Code {
    Code { id, severity: Warning, title, help, may_be_allowed: true, forgiven: true }
}
/// A warning about a file that has no place for a reason.
const fn firm_warning(id: &'static str, title: &'static str, help: &'static str) -> Code {
    Code { may_be_allowed: false, ..warning(id, title, help) }
}
const fn note(id: &'static str, title: &'static str, help: &'static str) -> Code {
    Code { severity: Note, ..warning(id, title, help) }
}

/// Whether all that keeps a set from loading is people and teams whom nobody knows: sources may still bring them.
pub fn awaits_people(problems: &[Problem]) -> bool {
    let mut errors = problems.iter().filter(|p| p.severity == Error).peekable();
    errors.peek().is_some() && errors.all(|p| matches!(p.code.as_str(), "BP072" | "BP075"))
}

/// Every code, in order.
pub const CODES: &[Code] = &[
    // Keys and values.
    error("BP001", "the file is not TOML", "mend the syntax: most often a quotation mark, a bracket or a key written twice"),
    error("BP002", "a key that nobody knows", "a misspelt key would be a rule that silently does not exist: correct it, or take it out"),
    error("BP003", "a value of the wrong type", "write a text in quotes, a whole number, a list or a table, as the message says"),
    error("BP004", "a key that must be there is missing", "nothing is open by omission: say it"),
    error("BP005", "a value that cannot be read", "ids are lower case, durations like `30m`, `8h` or `30d`, people like `team:analytics`"),
    error("BP006", "a word that is not one of the few that can stand there", "take one of the words that the message names"),
    error("BP007", "a word for people that cannot stand there", "see \"Words for people\": `manager` and `owner` approve, `everyone` asks"),
    error("BP008", "an empty list of people", "an empty list means nobody: name somebody, or leave the rule out"),
    error("BP009", "two rules of one name", "decisions cite the rule by its name: give each its own"),
    warning("BP010", "a group without a rule", "nobody can get it: add a [[rule]]"),
    error("BP011", "a stage that needs no approval", "write `need = 1` or more, or `then = \"grant\"` where nobody has to agree"),
    error("BP012", "a stage that needs more people than it names", "name more approvers, or need fewer"),
    error("BP013", "an `approve` rule without a stage", "say who is asked: [[rule.stage]] with `from`"),
    error("BP014", "stages in a rule that is not `approve`", "say `then = \"approve\"`, or take the stages out"),
    error("BP015", "brackets or dotted names nested too deeply", "nobody writes that by hand, so it is not read: look at what made the file"),
    warning("BP016", "a title or description that is missing or says too little", "people choose a group by it: say in a sentence what it opens"),
    warning("BP017", "two groups of one title", "people see titles, not ids: make them differ"),
    firm_note("BP018", "more problems in one file than are told", "mend the first ones; the rest often go with them"),
    note("BP019", "a rule that no example names", "an example is the rule's test: [[example]] with `rule = \"its name\"`"),
    // Files about the whole organisation.
    error("BP020", "a conflict of fewer than two groups", "name the groups that nobody may hold together"),
    error("BP021", "`keep` names a group outside the conflict", "name one of the conflict's own groups"),
    error("BP022", "nobody administers Bandpass", "without an admin nobody could mend the installation: [admin] who = [\"team:...\"] in roles.toml"),
    error("BP023", "an attribute of a type that does not exist", "types are \"string\", \"long\", \"bool\" and \"set\""),
    error("BP024", "an attribute whose name is taken or malformed", "letters, digits and `_`, and none of the built-in names"),
    error("BP025", "the declared attributes make no schema", "look at the newest line of attributes.toml"),
    firm_warning("BP026", "one pair of groups in two conflicts", "one of them is enough; two reasons confuse whoever is refused"),
    warning("BP027", "an example that expects a rule which the file does not have", "it can never pass: correct the name"),
    warning("BP028", "an example with a fact that no person has", "facts are the built-in ones and those that attributes.toml declares"),
    // Conditions.
    error("BP030", "a condition that is not one Cedar expression", "write one expression, like principal.employment == \"permanent\"; join parts with `&&`"),
    error("BP031", "a condition or guardrail too long or too deep to be read safely", "write a shorter one, or two"),
    error("BP032", "a condition that does not fit the schema", "see \"Conditions\" for what can be read; ask `principal has x` before an attribute that some people lack"),
    warning("BP033", "a `for` longer than the condition lets anybody ask", "readers believe `for`: make it as long as the condition allows"),
    warning("BP034", "a condition that only holds for longer than `for` gives", "the rule can never decide: raise `for`, or lower the condition"),
    // Guardrails.
    error("BP040", "a guardrail file that is not Cedar", "mend the syntax: most often a missing `;` or `}`"),
    error("BP041", "a guardrail that permits", "guardrails only forbid; what is allowed is said by the rules of groups"),
    error("BP042", "a guardrail with a scope", "write `forbid (principal, action, resource)` and put the condition into `when`"),
    error("BP043", "a guardrail without `@id`", "decisions cite it: @id(\"contractors-never-restricted\")"),
    error("BP044", "a guardrail without `@reason`", "whoever is stopped reads it: @reason(\"Contractors may not hold restricted access.\")"),
    error("BP045", "a guardrail that names a group which does not exist", "it would protect nothing: correct the name, or remove the guardrail with its group"),
    error("BP046", "a guardrail that does not fit the schema", "an attribute that some people lack must be asked for first: `principal has x && principal.x`"),
    error("BP047", "two guardrails of one id", "decisions cite the id: give each its own"),
    warning("BP048", "a guardrail that applies to no group", "it forbids nothing today: most often a misspelt tag or sensitivity"),
    note("BP049", "a guardrail without `@fix`", "whoever is stopped asks what to do instead: @fix(\"Ask for the read-only group.\")"),
    // Files.
    error("BP050", "too many files", "split the organisation, or look for what writes them"),
    error("BP051", "a file too large to be read", "a group is a page of text: look at what made the file"),
    error("BP052", "a file that is not UTF-8", "save it as UTF-8"),
    error("BP053", "a time zone that does not exist", "`policy.timezone` is an IANA name, like `UTC` or `Europe/Oslo`"),
    error("BP054", "a file name that cannot be the id of a group", "lower-case letters, digits and `-`, so that no two ids differ only in case or in an accent"),
    error("BP055", "a group in two files", "a group is one file, and its id is the file's name: rename or remove one"),
    firm_warning("BP056", "a file that is not read", "policy is read from groups/*.toml, guardrails/*.cedar, conflicts.toml, roles.toml and attributes.toml"),
    error("BP057", "no group at all", "an empty set is never \"take everything away\": put group files into groups/"),
    error("BP058", "the policy folder cannot be read", "mend what the message names; nothing outside the folder is read, and nothing that is no plain file"),
    error("BP059", "a parser failed on the files", "take the newest change back"),
    // What rules come to.
    late_error_that_may_stand("BP060", "approvers whom people can join by themselves", "they would vote themselves in: ask a group that takes somebody's approval to join"),
    warning("BP061", "a group whose members decide who becomes a member", "a circle of friends approves itself: ask the owner, or a team"),
    warning("BP062", "a `grant` below an `approve` that gives less time", "a passed-over `approve` closes every `grant` below it: put the `grant` first, or give it less time"),
    warning("BP063", "a rule that never decides", "an earlier rule always does: move it up, or remove it"),
    warning("BP064", "everyone gets a restricted group at once", "restrict `who`, add a `when`, or ask for approval"),
    warning("BP065", "a stage that too few can answer today", "every request would wait until it expires: name people who are there"),
    warning("BP066", "an owner with nobody in it today", "nobody answers for the group, and no `owner` stage can be passed: name another owner"),
    warning("BP067", "one entitlement given by groups of different sensitivity", "whoever is refused the sensitive group asks for the other: give both the same sensitivity"),
    late_error("BP068", "groups whose `who` leads back to themselves", "nobody could begin: ask for a team, or break the circle"),
    late_error("BP069", "groups nested too deeply", "nobody can follow a chain that long: ask for a team, or for the group at its end"),
    // Names.
    error("BP070", "a group that does not exist", "correct the name, or add the group's file"),
    warning("BP071", "a team that is gone", "it matches nobody: name the team that took over"),
    late_error("BP072", "a team that does not exist", "correct the name; teams come from the directory"),
    warning("BP073", "a team with nobody in it today", "it matches nobody"),
    warning("BP074", "a person who left", "they match nobody: name somebody who is there"),
    late_error("BP075", "a person who does not exist", "correct the id; people come from the directory"),
    late_error("BP076", "a connector that is not configured", "correct the name, or add a [[connector]] to the configuration"),
    firm_warning("BP077", "an `[[allow]]` that allows nothing", "what it let stand is gone: remove it, so that it does not hide the next one"),
    late_error("BP078", "an `[[allow]]` of a code that does not exist or may not be allowed", "errors are mended, not allowed; the table says which codes may stand"),
    warning("BP079", "a `formerly` that names a group which still exists", "nothing is carried over while it does: remove the old file, or the line"),
    warning("BP080", "two groups that were formerly one", "grants are carried over to one group only: leave the line in one of them"),
    warning("BP081", "an escalation that asks nobody new", "after `within` the same people are asked again: name others, or leave `escalate` out"),
    firm_note("BP082", "what is checked and shown, but not yet executed", "write it all the same: it is read, explained and compared already"),
    warning("BP083", "emergency access that is not short", "break-glass is for hours: `for = \"4h\"`, and a rule for what takes longer"),
    firm_note("BP090", "what people hold without asking", "that is what `then = \"always\"` says: it begins with the load, and ends after the group's `grace` when it no longer holds"),
    warning("BP091", "`for` in a rule that gives membership without asking", "it lasts as long as the rule holds, and has no end of its own: leave `for` out"),
    warning("BP092", "membership without asking that is only listed when it no longer holds", "with `on_change = \"flag\"` whoever changes teams keeps it until an owner takes it away"),
    // Proofs.
    error("BP180", "two claims of one name", "answers cite the name: give each its own"),
    error("BP181", "no claim", "write [[claim]] with `name` and `never`"),
    // Cases of tests/*.toml.
    error("BP190", "two cases of one name", "failures name the case: give each its own"),
    error("BP191", "a case of a group that does not exist", "it would test nothing: correct the name"),
    error("BP192", "a case that expects a rule which the group does not have", "it would test nothing: correct the name"),
    error("BP193", "a case that expects a guardrail which does not exist", "it would test nothing: correct the id"),
];

const fn firm_note(id: &'static str, title: &'static str, help: &'static str) -> Code {
    Code { may_be_allowed: false, ..note(id, title, help) }
}
const fn late_error_that_may_stand(id: &'static str, title: &'static str, help: &'static str) -> Code {
    Code { may_be_allowed: true, ..late_error(id, title, help) }
}

/// A code by its id.
pub fn code(id: &str) -> Option<&'static Code> {
    CODES.iter().find(|c| c.id == id)
}

/// Whether a file may let it stand with a reason.
pub(super) fn may_be_allowed(id: &str) -> bool {
    code(id).is_some_and(|c| c.may_be_allowed)
}

/// Whether a set that was in force once compiles in spite of it.
pub(super) fn is_forgiven(id: &str) -> bool {
    code(id).is_some_and(|c| c.forgiven)
}

/// The table of `policies/README.md`, one row a code, each with an anchor.
pub fn table() -> String {
    let row = |c: &Code| {
        let severity = match c.severity {
            Error if c.may_be_allowed => "error, may be allowed",
            Error => "error",
            Warning if c.may_be_allowed => "warning",
            Warning => "warning, always told",
            Note => "note",
        };
        format!("| <a id=\"{}\"></a>{} | {severity} | {} | {} |\n", c.id.to_lowercase(), c.id, cell(c.title), cell(c.help))
    };
    format!("| code | | what is wrong | why, and what to do |\n|---|---|---|---|\n{}", CODES.iter().map(row).collect::<String>())
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A problem of a whole file, or of the set when `file` is empty.
pub fn of_file(file: &str, id: &'static str, message: impl Into<String>, help: Option<String>) -> Problem {
    let found = code(id);
    Problem {
        file: file.to_owned(),
        line: 1,
        column: 1,
        end_line: 1,
        end_column: 1,
        code: id.to_owned(),
        severity: found.map_or(Error, |c| c.severity),
        message: message.into(),
        help: help.or_else(|| found.map(|c| c.help.to_owned())),
        source_line: String::new(),
    }
}
