//! A resource as a SCIM client gave it, kept as text: what a program stores as nested maps takes ten times the memory, and ten
//! thousand of them are kept. Reading a part of one costs some microseconds.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor}};
use serde_json::{Map, Value};

/// The resource, as far as it is stored.
#[derive(Clone)]
pub struct Given(Arc<str>);

impl Given {
    /// Keeps an object.
    pub fn new(object: &Map<String, Value>) -> Self {
        Self(serde_json::to_string(object).unwrap_or_else(|_| "{}".to_owned()).into())
    }

    /// The whole of it.
    pub fn object(&self) -> Map<String, Value> {
        self.part(|_| true)
    }

    /// The members whose names are wanted.
    pub fn part(&self, wanted: impl Fn(&str) -> bool) -> Map<String, Value> {
        Part(wanted).deserialize(&mut serde_json::Deserializer::from_str(&self.0)).unwrap_or_default()
    }

    /// One member.
    pub fn member(&self, name: &str) -> Option<Value> {
        self.part(|n| n == name).remove(name)
    }

    /// A member that is a text.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.member(name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

/// The order of members says nothing.
impl PartialEq for Given {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.object() == other.object()
    }
}

impl Eq for Given {}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// In rows and events it is an object like any other.
impl Serialize for Given {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.object().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(|object| Self::new(&object))
    }
}

/// Reads some members of an object, and passes over the others without making anything of them.
struct Part<F>(F);

impl<'de, F: Fn(&str) -> bool> DeserializeSeed<'de> for Part<F> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: Fn(&str) -> bool> Visitor<'de> for Part<F> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = Map::new();
        while let Some(name) = members.next_key_seed(Name(&self.0))? {
            match name {
                Some(name) => drop(found.insert(name, members.next_value()?)),
                None => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

/// Reads the name of a member; none when it is not wanted, so that nothing is made of it.
struct Name<'f, F>(&'f F);

impl<'de, F: Fn(&str) -> bool> DeserializeSeed<'de> for Name<'_, F> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, F: Fn(&str) -> bool> Visitor<'de> for Name<'_, F> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok((self.0)(name).then(|| name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap_or_default()
    }

    #[test]
    fn it_is_what_was_given_whole_and_in_parts() {
        let whole = object(r#"{"userName":"Ann \"A\" ü","active":true,"name":{"givenName":"Ann"},"emails":[{"value":"a@b"}]}"#);
        let given = Given::new(&whole);
        assert_eq!(given.object(), whole);
        assert_eq!(given.part(|n| n == "name" || n == "active"), object(r#"{"name":{"givenName":"Ann"},"active":true}"#));
        assert_eq!((given.text("userName").as_deref(), given.text("active"), given.member("none")), (Some("Ann \"A\" ü"), None, None));
    }

    #[test]
    fn it_is_read_and_written_as_the_object_in_the_same_order() {
        let text = r#"{"b":1,"a":{"d":null,"c":[true]}}"#;
        let given: Given = serde_json::from_str(text).unwrap_or_else(|_| Given::new(&Map::new()));
        assert_eq!(serde_json::to_string(&given).ok().as_deref(), Some(text));
        let turned: Given = serde_json::from_str(r#"{"a":{"c":[true],"d":null},"b":1}"#).unwrap_or_else(|_| Given::new(&Map::new()));
        assert_eq!(given, turned, "the order of members says nothing");
        assert_ne!(given, Given::new(&object(r#"{"b":2}"#)));
        assert!(serde_json::from_str::<Given>("[1]").is_err());
    }
}
