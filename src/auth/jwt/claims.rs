//! The claims of a token: a JSON object in which no name comes twice.

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

/// Claims, as they were signed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Claims(pub(super) Map<String, Value>);

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Claims;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of claims")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut access: A) -> Result<Claims, A::Error> {
                let mut claims = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if claims.contains_key(&name) {
                        return Err(de::Error::custom("a claim comes twice"));
                    }
                    claims.insert(name, value);
                }
                Ok(Claims(claims))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

impl Claims {
    /// A claim, whatever it is.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A claim that is a text: not empty, of at most 255 characters, none of them a control character.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str().filter(|t| is_plain(t))
    }

    /// A claim that the directory has as a text: a text, or a whole number as its digits. Nothing else is turned into one.
    pub fn identifier(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) if is_plain(text) => Some(text.clone()),
            Value::Number(number) => number.as_i64().map(|n| n.to_string()),
            _ => None,
        }
    }

    /// A claim that is an instant: a whole number of seconds since the epoch, between the years 1970 and 9999.
    pub fn instant(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64().filter(|seconds| (0..253_402_300_800).contains(seconds))
    }

    /// The audiences: one text, or a list of texts that is not empty.
    pub fn audiences(&self) -> Option<Vec<&str>> {
        match self.get("aud")? {
            Value::String(one) if !one.is_empty() => Some(vec![one]),
            Value::Array(many) if !many.is_empty() => many.iter().map(|a| a.as_str().filter(|a| !a.is_empty())).collect(),
            _ => None,
        }
    }

    /// Words of a claim that is a text divided by spaces, or a list of texts.
    pub fn words(&self, name: &str) -> Vec<&str> {
        match self.get(name) {
            Some(Value::String(text)) => text.split_ascii_whitespace().collect(),
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= 255 && !text.chars().any(char::is_control)
}
