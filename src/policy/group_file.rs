//! One group's file: `groups/**/ID.toml`.

use std::ops::Range;

use super::reader::{Reader, Table};
use crate::domain::{
    decision::Effect,
    duration::Duration,
    group::{BreakGlass, Entitlement, Group, JustificationNeed, OnChange, Review, Rule, Sensitivity, Stage, Then, Who, default_grace},
    id::{ConnectorName, GroupId},
    person::AttributeValue,
};

/// An example of a group file, run by `policy test`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Facts of the invented person: `team`, `teams`, `employment`, `location`, `title`, `manager`, `id`, attributes.
    pub person: std::collections::BTreeMap<String, AttributeValue>,
    /// Groups they hold.
    pub holds: Vec<GroupId>,
    /// The asked duration.
    pub duration: Duration,
    /// Whether they give a reason.
    pub justified: bool,
    /// What must come out.
    pub expect: Effect,
    /// The rule that must decide.
    pub rule: Option<String>,
    /// The guardrail that must forbid.
    pub guardrail: Option<String>,
    /// Texts that the explanation must hold.
    pub reasons: Vec<String>,
    /// Line of `[[example]]`.
    pub line: u32,
}

/// Places in the file that later checks point at.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    /// The first line.
    pub top: Range<usize>,
    /// `title` and `description`, where they are.
    pub title: Range<usize>,
    /// Like `title`.
    pub description: Option<Range<usize>>,
    /// `owner`.
    pub owner: Range<usize>,
    /// Every `who`-like word with where it stands and what for.
    pub words: Vec<(Who, Use, Range<usize>)>,
    /// Connectors named.
    pub connectors: Vec<(ConnectorName, Range<usize>)>,
    /// `[[entitlement]]` by index.
    pub entitlements: Vec<Range<usize>>,
    /// `when` texts by rule index.
    pub when: Vec<(usize, Range<usize>)>,
    /// Conditions of rules that could not be read.
    pub lost_conditions: Vec<(String, Range<usize>)>,
    /// Rules by index.
    pub rules: Vec<RulePlaces>,
    /// `for` of `[break_glass]`.
    pub break_glass: Option<Range<usize>>,
    /// `formerly`, each.
    pub formerly: Vec<(GroupId, Range<usize>)>,
    /// Examples by index.
    pub examples: Vec<ExamplePlaces>,
    /// Warnings that the file allows: the code, and where it stands.
    pub allowed: Vec<(String, Range<usize>)>,
}

/// Places in one rule.
#[derive(Debug, Clone, Default)]
pub(super) struct RulePlaces {
    /// `[[rule]]`.
    pub heading: Range<usize>,
    /// `for`.
    pub max: Range<usize>,
    /// Stages by index: `[[rule.stage]]`, and `escalate`.
    pub stages: Vec<(Range<usize>, Option<Range<usize>>)>,
}

/// Places in one example.
#[derive(Debug, Clone, Default)]
pub(super) struct ExamplePlaces {
    /// `rule`.
    pub rule: Option<Range<usize>>,
    /// Names of facts.
    pub facts: Vec<(String, Range<usize>)>,
}

/// What a word is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// `who` of a rule, of break-glass, of roles.
    Who,
    /// `owner`.
    Owner,
    /// `from`, `escalate`.
    Approver,
    /// `by`, `review_by`.
    Reviewer,
}

pub(super) const GROUP_KEYS: &[&str] = &[
    "title", "description", "owner", "sensitivity", "tags", "entitlement", "rule", "break_glass", "review", "on_change", "grace", "formerly", "example",
    "allow",
];
pub(super) const RULE_KEYS: &[&str] = &["name", "who", "when", "then", "for", "justification", "stage"];
pub(super) const STAGE_KEYS: &[&str] = &["from", "need", "within", "escalate"];
pub(super) const ENTITLEMENT_KEYS: &[&str] = &["connector", "name"];
pub(super) const BREAK_GLASS_KEYS: &[&str] = &["who", "for", "review_by"];
pub(super) const REVIEW_KEYS: &[&str] = &["every", "by"];
pub(super) const EXAMPLE_KEYS: &[&str] = &["person", "for", "expect", "rule", "guardrail", "reason", "holds", "justification"];
pub(super) const ALLOW_KEYS: &[&str] = &["code", "reason"];

/// Reads one of some words.
pub(super) fn choice<T: Copy>(reader: &mut Reader<'_>, table: &Table<'_>, name: &str, words: &[(&str, T)]) -> Option<T> {
    let (text, at) = reader.text(table, name)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let help = match super::reader::nearest(&text, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("expected {}", known.join(", ")),
    };
    reader.tell(at, "BP006", format!("`{name}` cannot be `{text}`"), help);
    None
}

fn words(reader: &mut Reader<'_>, table: &Table<'_>, name: &str, usage: Use, places: &mut Places) -> Option<Vec<Who>> {
    let list = reader.list::<Who>(table, name)?;
    for (who, at) in &list {
        let refused = match usage {
            Use::Who => matches!(who, Who::Manager | Who::Owner).then_some("a rule speaks of `everyone`, `person:`, `team:` or `group:`"),
            Use::Owner => matches!(who, Who::Manager | Who::Owner | Who::Everyone | Who::Group(_))
                .then_some("an owner is a team or a person: `team:ID` or `person:ID`"),
            Use::Approver | Use::Reviewer => matches!(who, Who::Everyone).then_some("approvers are `manager`, `owner`, `person:`, `team:` or `group:`"),
        };
        if let Some(help) = refused {
            reader.tell(at.clone(), "BP007", format!("`{who}` cannot stand in `{name}`"), Some(help.to_owned()));
        }
    }
    places.words.extend(list.iter().map(|(who, at)| (who.clone(), usage, at.clone())));
    Some(list.into_iter().map(|(who, _)| who).collect())
}

/// Like [`words`], and there must be at least one.
fn some_words(reader: &mut Reader<'_>, table: &Table<'_>, name: &str, at: &Range<usize>, usage: Use, places: &mut Places) -> Vec<Who> {
    if reader.get(table, name).is_none() {
        let help = match usage {
            Use::Owner => "say who answers for it, like owner = \"team:data-platform\"",
            Use::Approver | Use::Reviewer => "say who is asked, like [\"manager\"], [\"owner\"] or [\"team:security\"]",
            Use::Who => "nothing is open by omission: say who, if all are meant with [\"everyone\"]",
        };
        reader.tell(at.clone(), "BP004", format!("`{name}` is missing"), Some(help.to_owned()));
        return Vec::new();
    }
    let found = words(reader, table, name, usage, places).unwrap_or_default();
    if found.is_empty() && reader.problems.last().is_none_or(|p| !p.message.contains(name)) {
        reader.tell(at.clone(), "BP008", format!("`{name}` is empty"), Some("an empty list means nobody; leave the rule out or name somebody".to_owned()));
    }
    found
}

fn span_of_key(reader: &Reader<'_>, table: &Table<'_>, name: &str, or: &Range<usize>) -> Range<usize> {
    reader.get(table, name).map_or_else(|| or.clone(), toml::Spanned::span)
}

/// The heading of an array table: its span starts at `[[name]]`.
pub(super) fn heading(reader: &Reader<'_>, span: &Range<usize>) -> Range<usize> {
    let line = reader.text.get(span.start..).and_then(|t| t.lines().next()).map_or(0, str::len);
    span.start..span.start + line
}

/// Reads a group file. Answers what could be read; problems lie in the reader.
pub(super) fn read(reader: &mut Reader<'_>, id: &GroupId) -> Option<(Group, Vec<Example>, Places)> {
    let root = reader.parse()?;
    let table = root.get_ref();
    let top = 0..reader.text.lines().next().map_or(0, str::len);
    let mut places = Places { top: top.clone(), ..Places::default() };
    reader.known_keys(table, GROUP_KEYS);
    let title = reader.required(table, "title", top.clone(), "the name that people read, like title = \"Warehouse analysts\"");
    let (description, described) = reader.text(table, "description").unzip();
    places.title = title.as_ref().map_or_else(|| top.clone(), |(_, at)| at.clone());
    let description = description.unwrap_or_default();
    places.description = described;
    places.owner = span_of_key(reader, table, "owner", &top);
    let owner = some_words(reader, table, "owner", &top, Use::Owner, &mut places);
    if reader.get(table, "sensitivity").is_none() {
        reader.tell(top.clone(), "BP004", "`sensitivity` is missing", Some("public, internal, confidential or restricted".to_owned()));
    }
    let levels = [Sensitivity::Public, Sensitivity::Internal, Sensitivity::Confidential, Sensitivity::Restricted].map(|s| (s.as_str(), s));
    let sensitivity = choice(reader, table, "sensitivity", &levels);
    let tags = reader.texts(table, "tags").unwrap_or_default().into_iter().map(|(t, _)| t).collect();
    let mut entitlements = Vec::new();
    for (entry, at) in reader.tables(table, "entitlement") {
        let heading = heading(reader, &at);
        reader.known_keys(entry, ENTITLEMENT_KEYS);
        let connector = match reader.get(entry, "connector") {
            Some(_) => reader.parsed::<ConnectorName>(entry, "connector"),
            None => {
                reader.tell(at.clone(), "BP004", "`connector` is missing", Some("the name of a `[[connector]]` of the configuration".to_owned()));
                None
            }
        };
        let name = reader.required(entry, "name", at, "the name in the target system");
        if let (Some((connector, at)), Some((name, _))) = (connector, name) {
            places.connectors.push((connector.clone(), at));
            places.entitlements.push(heading);
            entitlements.push(Entitlement { connector, name });
        }
    }
    let mut rules = Vec::new();
    for (entry, at) in reader.tables(table, "rule") {
        let at = heading(reader, &at);
        let mut found = RulePlaces { heading: at.clone(), max: span_of_key(reader, entry, "for", &at), stages: Vec::new() };
        if let Some(rule) = read_rule(reader, entry, &at, (rules.len(), &mut found), &mut places) {
            if let Some(twin) = rules.iter().find(|r: &&Rule| r.name == rule.name) {
                let message = format!("two rules are called \"{}\"", twin.name);
                reader.tell(at.clone(), "BP009", message, Some("decisions name the rule: give each its own name".to_owned()));
            }
            rules.push(rule);
            places.rules.push(found);
        }
    }
    let break_glass = read_break_glass(reader, table, &mut places);
    let review = read_review(reader, table, &mut places);
    let on_change = choice(reader, table, "on_change", &[("revoke", OnChange::Revoke), ("flag", OnChange::Flag)]).unwrap_or_default();
    let grace = reader.parsed::<Duration>(table, "grace").map_or_else(default_grace, |(d, _)| d);
    places.formerly = reader.list::<GroupId>(table, "formerly").unwrap_or_default();
    let formerly = places.formerly.iter().map(|(g, _)| g.clone()).collect();
    let examples = read_examples(reader, table, &mut places);
    for (entry, at) in reader.tables(table, "allow") {
        reader.known_keys(entry, ALLOW_KEYS);
        let code = reader.required(entry, "code", at.clone(), "the code of the problem, like \"BP030\"");
        let reason = reader.required(entry, "reason", at, "why it is right here");
        if let (Some(code), Some(_)) = (code, reason) {
            places.allowed.push(code);
        }
    }
    if rules.is_empty() && reader.problems.is_empty() {
        reader.tell(top, "BP010", "this group has no rule", Some("nobody can get it; add a [[rule]]".to_owned()));
    }
    let group = Group {
        id: id.clone(),
        // Told above; the rest of the file is checked all the same.
        title: title.map_or_else(|| format!("({id})"), |(title, _)| title),
        description,
        owner,
        sensitivity: sensitivity.unwrap_or(Sensitivity::Internal),
        tags,
        entitlements,
        rules,
        break_glass,
        review,
        on_change,
        grace,
        formerly,
        file: reader.file.to_owned(),
    };
    Some((group, examples, places))
}

fn read_rule(reader: &mut Reader<'_>, table: &Table<'_>, at: &Range<usize>, (index, own): (usize, &mut RulePlaces), places: &mut Places) -> Option<Rule> {
    reader.known_keys(table, RULE_KEYS);
    let name = reader.required(table, "name", at.clone(), "what the rule says, like name = \"analytics, up to a month\"");
    let who = some_words(reader, table, "who", at, Use::Who, places);
    let when = reader.text(table, "when");
    if reader.get(table, "then").is_none() {
        reader.tell(at.clone(), "BP004", "`then` is missing", Some("\"grant\", \"approve\" or \"always\"".to_owned()));
    }
    let then = choice(reader, table, "then", &[("grant", Then::Grant), ("approve", Then::Approve), ("always", Then::Always)]);
    if reader.get(table, "for").is_none() && then != Some(Then::Always) {
        reader.tell(at.clone(), "BP004", "`for` is missing", Some("the longest this rule gives, like for = \"30d\"".to_owned()));
    }
    let max = match reader.parsed::<Duration>(table, "for") {
        // A birthright has no end of its own.
        None if then == Some(Then::Always) && reader.get(table, "for").is_none() => Some((Duration::MAX, at.clone())),
        given => given,
    };
    let needs = [("required", JustificationNeed::Required), ("optional", JustificationNeed::Optional), ("none", JustificationNeed::None)];
    let justification = choice(reader, table, "justification", &needs).unwrap_or_default();
    let mut stages = Vec::new();
    for (entry, at) in reader.tables(table, "stage") {
        let at = heading(reader, &at);
        reader.known_keys(entry, STAGE_KEYS);
        let from = some_words(reader, entry, "from", &at, Use::Approver, places);
        let need = reader.number(entry, "need");
        let within = reader.parsed::<Duration>(entry, "within").map(|(d, _)| d).or(Duration::days(7)).unwrap_or(Duration::MAX);
        let escalate = words(reader, entry, "escalate", Use::Approver, places).unwrap_or_default();
        if let Some((0, at)) = &need {
            reader.tell(at.clone(), "BP011", "`need` is 0", Some("a stage needs at least one approval; use then = \"grant\" for none".to_owned()));
        }
        let need_count = need.as_ref().map_or(1, |(n, _)| *n);
        let only_people = from.iter().chain(&escalate).all(|w| matches!(w, Who::Person(_) | Who::Manager));
        let most = from.iter().chain(&escalate).collect::<std::collections::BTreeSet<_>>().len();
        if only_people && !from.is_empty() && usize::try_from(need_count).unwrap_or(usize::MAX) > most {
            let span = need.map_or_else(|| at.clone(), |(_, span)| span);
            let message = format!("`need` is {need_count}, but at most {most} could ever approve");
            reader.tell(span, "BP012", message, Some("name more approvers or need fewer".to_owned()));
        }
        let escalation = reader.get(entry, "escalate").map(toml::Spanned::span);
        own.stages.push((at, escalation));
        stages.push(Stage { from, need: need_count, within, escalate });
    }
    match then {
        Some(Then::Approve) if stages.is_empty() => {
            let help = "add [[rule.stage]] with from = [\"manager\"] or [\"owner\"]".to_owned();
            reader.tell(at.clone(), "BP013", "an `approve` rule without a stage asks nobody", help);
        }
        Some(Then::Grant | Then::Always) if !stages.is_empty() => {
            let span = span_of_key(reader, table, "then", at);
            reader.tell(span, "BP014", "a rule with stages must say `then = \"approve\"`", None);
        }
        _ => {}
    }
    let (when, when_at) = when.unzip();
    let (Some((name, _)), Some(then), Some((max, _))) = (name, then, max) else {
        // The rule is lost, but what its condition suffers from is told all the same.
        places.lost_conditions.extend(when.zip(when_at));
        return None;
    };
    places.when.extend(when_at.map(|at| (index, at)));
    Some(Rule { name, who, when, then, max, justification, stages, line: reader.line_of(at.start) })
}

fn read_break_glass(reader: &mut Reader<'_>, table: &Table<'_>, places: &mut Places) -> Option<BreakGlass> {
    let (inner, at) = reader.table(table, "break_glass")?;
    reader.known_keys(inner, BREAK_GLASS_KEYS);
    let who = some_words(reader, inner, "who", &at, Use::Who, places);
    let review_by = some_words(reader, inner, "review_by", &at, Use::Reviewer, places);
    places.break_glass = reader.get(inner, "for").map(toml::Spanned::span);
    if reader.get(inner, "for").is_none() {
        reader.tell(at, "BP004", "`for` is missing", Some("how long emergency access lasts, like for = \"1h\"".to_owned()));
    }
    let (max, _) = reader.parsed::<Duration>(inner, "for")?;
    Some(BreakGlass { who, max, review_by })
}

fn read_review(reader: &mut Reader<'_>, table: &Table<'_>, places: &mut Places) -> Option<Review> {
    let (inner, at) = reader.table(table, "review")?;
    reader.known_keys(inner, REVIEW_KEYS);
    let by = some_words(reader, inner, "by", &at, Use::Reviewer, places);
    if reader.get(inner, "every").is_none() {
        reader.tell(at, "BP004", "`every` is missing", Some("how often, like every = \"90d\"".to_owned()));
    }
    let (every, _) = reader.parsed::<Duration>(inner, "every")?;
    Some(Review { every, by })
}

fn read_examples(reader: &mut Reader<'_>, table: &Table<'_>, places: &mut Places) -> Vec<Example> {
    let mut examples = Vec::new();
    for (entry, at) in reader.tables(table, "example") {
        let at = heading(reader, &at);
        reader.known_keys(entry, EXAMPLE_KEYS);
        let mut own = ExamplePlaces::default();
        if let Some((facts, _)) = reader.get(entry, "person").and_then(|v| v.get_ref().as_table()).map(|t| (t, ())) {
            own.facts.extend(facts.iter().map(|(key, _)| (key.get_ref().to_string(), key.span())));
        }
        let person = super::fixture::facts(reader, entry);
        if reader.get(entry, "expect").is_none() {
            reader.tell(at.clone(), "BP004", "`expect` is missing", Some("\"granted\", \"approval\" or \"denied\"".to_owned()));
        }
        let outcomes = [("granted", Effect::Grant), ("approval", Effect::Approve), ("denied", Effect::Deny)];
        let expect = choice(reader, entry, "expect", &outcomes);
        if reader.get(entry, "for").is_none() {
            reader.tell(at.clone(), "BP004", "`for` is missing", Some("the asked duration, like for = \"8h\"".to_owned()));
        }
        let duration = reader.parsed::<Duration>(entry, "for").map(|(d, _)| d);
        let holds = reader.list::<GroupId>(entry, "holds").unwrap_or_default().into_iter().map(|(g, _)| g).collect();
        let (rule, rule_at) = reader.text(entry, "rule").unzip();
        own.rule = rule_at;
        let guardrail = reader.text(entry, "guardrail").map(|(g, _)| g);
        let justified = reader.text(entry, "justification").is_some();
        let reasons = super::fixture::reasons(reader, entry);
        let line = reader.line_of(at.start);
        if let (Some(duration), Some(expect)) = (duration, expect) {
            places.examples.push(own);
            examples.push(Example { person, holds, duration, justified, expect, rule, guardrail, reasons, line });
        }
    }
    examples
}
