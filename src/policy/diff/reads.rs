//! What the text of a condition or guardrail reads: of the person, of the group, of the holdings, of time and duration.
//!
//! Two people who agree in everything that is read get the same answer, so one of them stands for both. Whatever is not
//! understood counts as "reads it all": classes become finer, never wrong.

use std::collections::BTreeSet;

/// What texts read.
#[derive(Debug, Clone, Default)]
pub(in crate::policy) struct Reads {
    /// The person as such: nobody stands for another.
    pub person: bool,
    /// Attributes of the person, by their whole value.
    pub attributes: BTreeSet<String>,
    /// Whether the person is in these teams.
    pub teams: BTreeSet<String>,
    /// Whether the person holds these groups.
    pub held: BTreeSet<String>,
    /// Everything the person holds.
    pub holdings: bool,
    /// `duration_hours`.
    pub hours: bool,
    /// `duration_minutes`.
    pub minutes: bool,
    /// `hour`.
    pub hour: bool,
    /// `weekday`.
    pub weekday: bool,
    /// `now`.
    pub now: bool,
    /// The group's id beyond a comparison with the `literals`.
    pub any_id: bool,
    /// Sensitivity of the group.
    pub sensitivity: bool,
    /// Tags of the group.
    pub tags: bool,
    /// It calculates, so that flips may lie elsewhere than at the numbers written.
    pub calculates: bool,
    /// Numbers written in texts that read a time or a duration.
    pub numbers: BTreeSet<i64>,
    /// Texts written anywhere.
    pub literals: BTreeSet<String>,
}

impl Reads {
    /// What one text reads.
    pub fn of(text: &str) -> Self {
        let tokens = without_scope(tokens(text));
        let mut reads = Self::default();
        for (at, token) in tokens.iter().enumerate() {
            let rest = tokens.get(at + 1..).unwrap_or_default();
            match token {
                Token::Text(text) => {
                    reads.literals.insert((*text).to_owned());
                }
                Token::Number(n) => {
                    reads.numbers.insert(*n);
                }
                Token::Sign('+' | '-' | '*') => reads.calculates = true,
                // A name after a dot is a field, not the variable.
                Token::Word(_) if at > 0 && tokens.get(at - 1) == Some(&Token::Sign('.')) => {}
                Token::Word("principal") => reads.of_person(rest),
                Token::Word("resource") => {
                    let before = tokens.get(at.saturating_sub(3)..at).unwrap_or_default();
                    reads.of_group(before, rest);
                }
                Token::Word("context") => reads.of_context(rest),
                _ => {}
            }
        }
        // Numbers matter where they can be compared with a time or a duration.
        if !(reads.hours || reads.minutes || reads.hour || reads.weekday) {
            reads.numbers.clear();
            reads.calculates = reads.now;
        }
        reads
    }

    fn of_person(&mut self, rest: &[Token<'_>]) {
        match field(rest) {
            None | Some(("id", _)) => self.person = true,
            Some(("teams", after)) => match contained(after) {
                Some(team) => {
                    self.teams.insert(team.to_owned());
                }
                None => {
                    self.attributes.insert("teams".to_owned());
                }
            },
            Some((name, _)) => {
                self.attributes.insert(name.to_owned());
            }
        }
    }

    fn of_group(&mut self, before: &[Token<'_>], rest: &[Token<'_>]) {
        match field(rest) {
            Some(("sensitivity", _)) => self.sensitivity = true,
            Some(("tags", _)) => self.tags = true,
            Some(("owner", _)) => {}
            Some(("id", after)) => {
                let equal = |signs: &[Token<'_>]| matches!(signs, [Token::Sign('=' | '!'), Token::Sign('=')]);
                let right = after.get(..2).is_some_and(equal) && matches!(after.get(2), Some(Token::Text(_)));
                let left = matches!(before, [Token::Text(_), signs @ ..] if equal(signs));
                self.any_id |= !(right || left);
            }
            _ => {
                (self.any_id, self.sensitivity, self.tags) = (true, true, true);
            }
        }
    }

    fn of_context(&mut self, rest: &[Token<'_>]) {
        match field(rest) {
            Some(("duration_hours", _)) => self.hours = true,
            Some(("duration_minutes", _)) => self.minutes = true,
            Some(("hour", _)) => self.hour = true,
            Some(("weekday", _)) => self.weekday = true,
            Some(("now", _)) => self.now = true,
            Some(("has_justification" | "break_glass", _)) => {}
            Some(("holds", after)) => match contained(after) {
                Some(group) => {
                    self.held.insert(group.to_owned());
                }
                None => self.holdings = true,
            },
            _ => (self.hours, self.minutes, self.hour, self.weekday, self.now, self.holdings, self.calculates) = (true, true, true, true, true, true, true),
        }
    }

    /// What both read.
    pub fn join(&mut self, other: &Self) {
        self.person |= other.person;
        self.attributes.extend(other.attributes.iter().cloned());
        self.teams.extend(other.teams.iter().cloned());
        self.held.extend(other.held.iter().cloned());
        self.holdings |= other.holdings;
        self.hours |= other.hours;
        self.minutes |= other.minutes;
        self.hour |= other.hour;
        self.weekday |= other.weekday;
        self.now |= other.now;
        self.any_id |= other.any_id;
        self.sensitivity |= other.sensitivity;
        self.tags |= other.tags;
        self.calculates |= other.calculates;
        self.numbers.extend(other.numbers.iter().copied());
        self.literals.extend(other.literals.iter().cloned());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    Text(&'t str),
    Number(i64),
    Sign(char),
}

/// The field that is read of a variable, and what follows: `.name`, `["name"]`, `has name`.
fn field<'s, 't>(rest: &'s [Token<'t>]) -> Option<(&'t str, &'s [Token<'t>])> {
    match rest {
        [Token::Sign('.'), Token::Word(name), after @ ..] => Some((name, after)),
        [Token::Sign('['), Token::Text(name), Token::Sign(']'), after @ ..] => Some((name, after)),
        [Token::Word("has"), Token::Word(name) | Token::Text(name), after @ ..] => Some((name, after)),
        _ => None,
    }
}

/// The text of `.contains("text")`; none when it is anything else.
fn contained<'t>(after: &[Token<'t>]) -> Option<&'t str> {
    match after {
        [Token::Sign('.'), Token::Word("contains"), Token::Sign('('), Token::Text(text), Token::Sign(')'), ..] if !text.contains('\\') => Some(text),
        _ => None,
    }
}

/// A guardrail's head, `forbid (principal, action, resource)`, reads nothing.
fn without_scope(tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    let Some(at) = tokens.iter().position(|t| *t == Token::Word("forbid")) else { return tokens };
    let close = tokens.iter().skip(at).position(|t| *t == Token::Sign(')')).map_or(tokens.len(), |n| at + n + 1);
    tokens.get(close..).unwrap_or_default().to_vec()
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let until = |end: &dyn Fn(char) -> bool| rest.find(|c: char| end(c)).unwrap_or(rest.len());
        let length = match first {
            '/' if rest.starts_with("//") => until(&|c| c == '\n'),
            '"' => {
                let end = closing(rest);
                found.push(Token::Text(rest.get(1..end).unwrap_or_default()));
                (end + 1).min(rest.len())
            }
            c if c.is_ascii_digit() => {
                let end = until(&|c| !c.is_ascii_digit());
                found.extend(rest.get(..end).and_then(|n| n.parse().ok()).map(Token::Number));
                end
            }
            c if c.is_alphabetic() || c == '_' => {
                let end = until(&|c| !c.is_alphanumeric() && c != '_');
                found.extend(rest.get(..end).map(Token::Word));
                end
            }
            c => {
                if !c.is_whitespace() {
                    found.push(Token::Sign(c));
                }
                c.len_utf8()
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    found
}

/// Where a text that begins with a quote ends.
fn closing(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    text.len()
}
