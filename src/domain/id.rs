//! Identifiers: one newtype a noun, parsed at the door, compared byte by byte.
//!
//! Text ids are ASCII by construction, so two different inputs never map to one identity: no case folding, no Unicode
//! forms, no invisible characters. What does not fit is refused, never rewritten.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize, de};
use uuid::Uuid;

/// Why a text is not a valid id: what was given, which id it should have been, and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` is not a valid {noun}: {rule}")]
pub struct InvalidId {
    shown: String,
    noun: &'static str,
    rule: &'static str,
}

fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $noun:literal, $max:literal, $rule:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses an id, refusing whatever the rule in the error says.
            ///
            /// # Errors
            /// [`InvalidId`] when the text is empty, too long or holds another character.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let allowed: fn(char) -> bool = $allowed;
                let first_ok = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
                if first_ok && text.len() <= $max && text.chars().all(allowed) {
                    Ok(Self(Arc::from(text)))
                } else {
                    Err(InvalidId { shown: shown(text), noun: $noun, rule: $rule })
                }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }
    };
}

text_id!(
    /// A person's permanent id, assigned by the directory's source and never given to another (semantics.md, 29).
    PersonId, "person id", 128,
    "use 1 to 128 letters, digits, `.`, `_`, `-`, `+`, `@`, starting with a letter or digit",
    |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '@')
);
text_id!(
    /// A team of the organisation.
    TeamId, "team id", 128,
    "use 1 to 128 lower-case letters, digits, `.`, `_`, `-`, starting with a letter or digit",
    |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-')
);
text_id!(
    /// A group that can be asked for; also the name of its policy file.
    GroupId, "group id", 63,
    "use 1 to 63 lower-case letters, digits and `-`, starting with a letter or digit",
    |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
);
text_id!(
    /// A configured connector.
    ConnectorName, "connector name", 63,
    "use 1 to 63 lower-case letters, digits, `_` and `-`, starting with a letter or digit",
    |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_')
);

text_id!(
    /// A program that calls Bandpass for a person who answers for it.
    ServiceName, "service name", 63,
    "use 1 to 63 lower-case letters, digits, `.`, `_` and `-`, starting with a letter or digit",
    |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-')
);

text_id!(
    /// A configured issuer of sign-ins, as it stands in addresses.
    IssuerName, "issuer name", 63,
    "use 1 to 63 lower-case letters, digits and `-`, starting with a letter or digit",
    |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            /// Accepts the hyphenated lower-case form only, so that one id has one spelling.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                match Uuid::try_parse(text) {
                    Ok(uuid) if uuid.to_string() == text => Ok(Self(uuid)),
                    _ => Err(InvalidId { shown: shown(text), noun: stringify!($name), rule: "use a UUID as this service printed it" }),
                }
            }
        }
    };
}

uuid_id!(/// A request (UUIDv7, time-ordered, made in Rust).
    RequestId);
uuid_id!(/// A grant.
    GrantId);
uuid_id!(/// A delivery to a target system.
    DeliveryId);
uuid_id!(/// A command; resolves the unknown outcome of a commit (semantics.md, 17).
    CommandId);
uuid_id!(/// A session of a browser; the secret in its cookie is never an id.
    SessionId);
uuid_id!(/// A personal access token; the secret itself is never an id.
    TokenId);

/// The content hash of a compiled policy set: SHA-256 in lower-case hex.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyRevision(Arc<str>);

impl PolicyRevision {
    /// Wraps a 32-byte digest.
    pub fn from_digest(digest: &[u8]) -> Self {
        Self(digest.iter().map(|b| format!("{b:02x}")).collect::<String>().into())
    }

    /// Takes the text as the database holds it.
    pub fn from_stored(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// All 64 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

impl fmt::Display for PolicyRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for PolicyRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

/// Where fresh ids come from. The ledger draws them from the system's randomness, tests from a counter; [`crate::domain`]
/// and `decide` only ask.
pub trait IdSource {
    /// A UUID never given before.
    fn fresh(&mut self) -> Uuid;
}
