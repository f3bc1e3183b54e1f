//! How long: whole seconds, written `30m`, `8h`, `30d`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de};

/// A length of access or of waiting: whole seconds from one minute to ten years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u32);

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// Not `<number><m|h|d>`.
    #[error("`{0}` is not a duration: write minutes, hours or days, like `30m`, `8h` or `30d`")]
    Shape(String),
    /// Well formed, but outside one minute to ten years.
    #[error("`{0}` is out of range: a duration is at least `1m` and at most `3650d`")]
    Range(String),
}

impl Duration {
    /// The longest: ten years of 365 days.
    pub const MAX: Self = Self(3650 * 86_400);

    /// An hour.
    pub const HOUR: Self = Self(3600);

    /// From whole minutes, or `None` outside the range.
    pub fn minutes(count: u32) -> Option<Self> {
        Self::seconds(count.checked_mul(60)?)
    }

    /// From whole hours, or `None` outside the range.
    pub fn hours(count: u32) -> Option<Self> {
        Self::seconds(count.checked_mul(3600)?)
    }

    /// From whole days, or `None` outside the range.
    pub fn days(count: u32) -> Option<Self> {
        Self::seconds(count.checked_mul(86_400)?)
    }

    /// From whole seconds, or `None` outside the range.
    pub fn seconds(count: u32) -> Option<Self> {
        (60..=Self::MAX.0).contains(&count).then_some(Self(count))
    }

    /// Whole seconds.
    pub const fn as_seconds(self) -> u32 {
        self.0
    }

    /// Microseconds.
    pub const fn micros(self) -> i64 {
        self.0 as i64 * 1_000_000
    }

    /// Hours rounded up: what `context.duration_hours` holds (semantics.md, 10).
    pub const fn hours_rounded_up(self) -> u32 {
        self.0.div_ceil(3600)
    }

    /// Minutes rounded up: what `context.duration_minutes` holds.
    pub const fn minutes_rounded_up(self) -> u32 {
        self.0.div_ceil(60)
    }

    /// In words: "30 days", "1 hour", "90 minutes".
    pub fn in_words(self) -> String {
        let (count, unit) = self.largest_unit();
        let word = match unit {
            'd' => "day",
            'h' => "hour",
            'm' => "minute",
            _ => "second",
        };
        if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
    }

    fn largest_unit(self) -> (u32, char) {
        for (seconds, unit) in [(86_400, 'd'), (3600, 'h'), (60, 'm')] {
            if self.0.is_multiple_of(seconds) {
                return (self.0 / seconds, unit);
            }
        }
        (self.0, 's')
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = self.largest_unit();
        write!(f, "{count}{unit}")
    }
}
impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for Duration {
    type Err = InvalidDuration;
    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let shown = || text.chars().take(32).flat_map(char::escape_debug).collect::<String>();
        let shape = || InvalidDuration::Shape(shown());
        let unit = match text.as_bytes().last() {
            Some(b'm') => 60,
            Some(b'h') => 3600,
            Some(b'd') => 86_400,
            Some(b's') => 1,
            _ => return Err(shape()),
        };
        let digits = text.get(..text.len() - 1).unwrap_or_default();
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(shape());
        }
        let count: u32 = digits.parse().map_err(|_| InvalidDuration::Range(shown()))?;
        count.checked_mul(unit).and_then(Self::seconds).ok_or_else(|| InvalidDuration::Range(shown()))
    }
}
impl Serialize for Duration {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(de::Error::custom)
    }
}
