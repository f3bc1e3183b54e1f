//! Walking a TOML file by hand, so that every problem of a file is told at once, each with its place.

use std::ops::Range;

use toml::{Spanned, de::{DeTable, DeValue}};

pub(super) use crate::domain::nearest::nearest;
use super::codes;
use crate::domain::problem::{Problem, Severity};

/// A table with the spans of its keys and values.
pub(super) type Table<'t> = DeTable<'t>;
/// A value with its span.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// The most errors, and the most warnings and notes, that are told of one file.
const MOST_TOLD: usize = 100;

/// One file being read, and what is wrong with it so far.
pub(super) struct Reader<'f> {
    pub file: &'f str,
    pub text: &'f str,
    pub problems: Vec<Problem>,
    /// Where lines begin.
    lines: Vec<usize>,
}

impl<'f> Reader<'f> {
    pub fn new(file: &'f str, text: &'f str) -> Self {
        let lines = std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1)).collect();
        Self { file, text, problems: Vec::new(), lines }
    }

    /// Tells a problem. How severe it is, and what to do where nothing more exact is said, stands in the table of codes.
    pub fn tell(&mut self, at: Range<usize>, id: &'static str, message: impl Into<String>, help: impl Into<Option<String>>) {
        let found = codes::code(id);
        let severity = found.map_or(Severity::Error, |c| c.severity);
        let told = self.problems.iter().filter(|p| (p.severity == Severity::Error) == (severity == Severity::Error)).count();
        let told_all = told >= MOST_TOLD;
        if told_all && self.problems.iter().any(|p| p.code == "BP018") {
            return;
        }
        let (id, severity, message, help) = match told_all {
            true => ("BP018", Severity::Note, format!("more than {MOST_TOLD} problems in this file: the rest is not told"), codes::code("BP018").map(|c| c.help.to_owned())),
            false => (id, severity, message.into(), help.into().or_else(|| found.map(|c| c.help.to_owned()))),
        };
        let ((line, column), (end_line, end_column)) = (self.place(at.start), self.place(at.end.max(at.start)));
        let source_line = self.line(line).to_owned();
        self.problems.push(Problem { file: self.file.to_owned(), line, column, end_line, end_column, code: id.to_owned(), severity, message, help, source_line });
    }

    /// Line and column of an offset, from 1, columns in characters.
    fn place(&self, offset: usize) -> (u32, u32) {
        let line = self.line_of(offset);
        let start = self.lines.get(usize::try_from(line).unwrap_or(1).saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..offset.min(self.text.len())).unwrap_or_default().chars().count() + 1;
        (line, u32::try_from(column).unwrap_or(u32::MAX))
    }

    fn line(&self, line: u32) -> &'f str {
        let at = usize::try_from(line).unwrap_or(1).saturating_sub(1);
        let start = self.lines.get(at).copied().unwrap_or(self.text.len());
        self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default()
    }

    /// Where a line lies, without its end.
    pub fn span_of_line(&self, line: u32) -> Range<usize> {
        let start = self.lines.get(usize::try_from(line).unwrap_or(1).saturating_sub(1)).copied().unwrap_or(self.text.len());
        start..start + self.line(line).len()
    }

    /// Parses the file, telling every syntax error.
    pub fn parse(&mut self) -> Option<Spanned<Table<'f>>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let at = error.span().unwrap_or(0..0);
            match error.message() {
                m if m.contains("recursion depth") => self.tell(at, "BP015", "brackets or dotted names are nested too deeply here", None),
                m => self.tell(at, "BP001", m.replace('\n', ", "), None),
            }
        }
        errors.is_empty().then_some(table)
    }

    /// Tells keys that nobody knows.
    pub fn known_keys(&mut self, table: &Table<'_>, known: &[&str]) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let help = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", known.join(", ")),
                };
                self.tell(key.span(), "BP002", format!("unknown key `{name}`"), help);
            }
        }
    }

    fn wrong_type(&mut self, value: &Value<'_>, name: &str, expected: &str) {
        self.tell(value.span(), "BP003", format!("`{name}` is {}", kind(value.get_ref())), Some(format!("expected {expected}")));
    }

    pub fn get<'t, 'd>(&self, table: &'t Table<'d>, name: &str) -> Option<&'t Value<'d>> {
        table.iter().find(|(k, _)| k.get_ref().as_ref() == name).map(|(_, v)| v)
    }

    /// An optional text.
    pub fn text(&mut self, table: &Table<'_>, name: &str) -> Option<(String, Range<usize>)> {
        let value = self.get(table, name)?;
        match value.get_ref() {
            DeValue::String(text) => Some((text.to_string(), value.span())),
            _ => {
                self.wrong_type(value, name, "a text in quotes");
                None
            }
        }
    }

    /// A text that must be there.
    pub fn required(&mut self, table: &Table<'_>, name: &str, at: Range<usize>, what: &str) -> Option<(String, Range<usize>)> {
        if self.get(table, name).is_none() {
            self.tell(at, "BP004", format!("`{name}` is missing"), Some(what.to_owned()));
            return None;
        }
        self.text(table, name)
    }

    /// A value parsed from a text.
    pub fn parsed<T>(&mut self, table: &Table<'_>, name: &str) -> Option<(T, Range<usize>)>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let (text, at) = self.text(table, name)?;
        match text.parse() {
            Ok(value) => Some((value, at)),
            Err(error) => {
                self.tell(at, "BP005", format!("`{name}`: {error}"), meant(&text));
                None
            }
        }
    }

    /// A list of texts; one text alone is a list of one.
    pub fn texts(&mut self, table: &Table<'_>, name: &str) -> Option<Vec<(String, Range<usize>)>> {
        let value = self.get(table, name)?;
        match value.get_ref() {
            DeValue::String(text) => Some(vec![(text.to_string(), value.span())]),
            DeValue::Array(items) => {
                let mut found = Vec::new();
                for item in items.iter() {
                    match item.get_ref() {
                        DeValue::String(text) => found.push((text.to_string(), item.span())),
                        _ => self.wrong_type(item, name, "texts in quotes"),
                    }
                }
                Some(found)
            }
            _ => {
                self.wrong_type(value, name, "a list of texts, like [\"team:analytics\"]");
                None
            }
        }
    }

    /// A list of values parsed from texts.
    pub fn list<T>(&mut self, table: &Table<'_>, name: &str) -> Option<Vec<(T, Range<usize>)>>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let texts = self.texts(table, name)?;
        let mut found = Vec::new();
        for (text, at) in texts {
            match text.parse() {
                Ok(value) => found.push((value, at)),
                Err(error) => self.tell(at, "BP005", format!("`{name}`: {error}"), meant(&text)),
            }
        }
        Some(found)
    }

    /// A whole number.
    pub fn number(&mut self, table: &Table<'_>, name: &str) -> Option<(u32, Range<usize>)> {
        let value = self.get(table, name)?;
        let parsed = match value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
            _ => None,
        };
        if parsed.is_none() {
            self.wrong_type(value, name, "a whole number, like 2");
        }
        parsed.map(|n| (n, value.span()))
    }

    /// A table.
    pub fn table<'t, 'd>(&mut self, table: &'t Table<'d>, name: &str) -> Option<(&'t Table<'d>, Range<usize>)> {
        let value = self.get(table, name)?;
        match value.get_ref() {
            DeValue::Table(inner) => Some((inner, value.span())),
            _ => {
                self.wrong_type(value, name, "a table");
                None
            }
        }
    }

    /// The tables of `[[name]]`.
    pub fn tables<'t, 'd>(&mut self, table: &'t Table<'d>, name: &str) -> Vec<(&'t Table<'d>, Range<usize>)> {
        let Some(value) = self.get(table, name) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(value, name, &format!("tables, written [[{name}]]"));
            return Vec::new();
        };
        let mut found = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(inner) => found.push((inner, item.span())),
                _ => self.wrong_type(item, name, &format!("tables, written [[{name}]]")),
            }
        }
        found
    }

    /// The line of an offset, from 1.
    pub fn line_of(&self, offset: usize) -> u32 {
        u32::try_from(self.lines.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
    }
}

/// What somebody meant by a text that cannot be read: a length of time in words, or a misspelt word for people.
fn meant(text: &str) -> Option<String> {
    let told = |meant: String| Some(format!("did you mean `{meant}`?"));
    if let Some((kind, id)) = text.split_once(':') {
        let near = nearest(kind.trim(), ["person", "team", "group"])?;
        return told(format!("{near}:{}", id.trim()));
    }
    let digits: String = text.trim().chars().take_while(char::is_ascii_digit).collect();
    let unit = text.trim().get(digits.len()..).unwrap_or_default().trim().to_lowercase();
    let days = |n: u32, each: u32| n.checked_mul(each).map(|n| format!("{n}d"));
    let length = digits.parse::<u32>().ok().and_then(|n| match unit.as_str() {
        "min" | "mins" | "minute" | "minutes" => Some(format!("{n}m")),
        "hour" | "hours" | "hr" | "hrs" => Some(format!("{n}h")),
        "day" | "days" => days(n, 1),
        "w" | "week" | "weeks" => days(n, 7),
        "month" | "months" => days(n, 30),
        "y" | "year" | "years" => days(n, 365),
        _ => None,
    });
    length.and_then(told).or_else(|| told(nearest(text, ["everyone", "manager", "owner"])?.to_owned()))
}

/// What a value is, in words.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
