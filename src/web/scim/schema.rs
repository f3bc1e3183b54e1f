//! What resources are made of: the attributes that `/Schemas` publishes, and by which everything else reads and changes them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::kind_of;
use crate::domain::{group::AttributeTypes, id::ConnectorName};

/// Users.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// Groups.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// Employee number, department, manager and so on.
pub const ENTERPRISE: &str = crate::directory::records::ENTERPRISE;
/// Accounts in target systems, and the attributes that the policy declares.
pub const BANDPASS: &str = "urn:bandpass:params:scim:schemas:extension:2.0:User";

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// An instant.
    DateTime,
    /// The address of a resource of one of these types.
    Reference(&'static [&'static str]),
    /// A value of several parts.
    Complex(Vec<Attribute>),
}

/// Who may change a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    /// The client.
    ReadWrite,
    /// Nobody: it follows from something else.
    ReadOnly,
    /// The client, once.
    Immutable,
}

/// An attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub name: String,
    pub kind: Kind,
    pub many: bool,
    pub required: bool,
    /// Whether case matters when it is compared.
    pub exact: bool,
    pub mutability: Mutability,
    pub unique: bool,
    /// Whether it is shown although nobody asks for it.
    pub always: bool,
    pub canonical: Vec<String>,
    /// Shown and accepted, but never stored: it follows from `value`.
    pub derived: bool,
    pub description: &'static str,
}

impl Attribute {
    fn new(name: &str, kind: Kind, description: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            many: false,
            required: false,
            exact: false,
            mutability: Mutability::ReadWrite,
            unique: false,
            always: false,
            canonical: Vec::new(),
            derived: false,
            description,
        }
    }
    fn text(name: &str, description: &'static str) -> Self {
        Self::new(name, Kind::Text, description)
    }
    fn many(mut self) -> Self {
        self.many = true;
        self
    }
    fn required(mut self) -> Self {
        self.required = true;
        self
    }
    fn exact(mut self) -> Self {
        self.exact = true;
        self
    }
    fn read_only(mut self) -> Self {
        self.mutability = Mutability::ReadOnly;
        self
    }
    fn immutable(mut self) -> Self {
        self.mutability = Mutability::Immutable;
        self
    }
    fn unique(mut self) -> Self {
        self.unique = true;
        self
    }
    fn always(mut self) -> Self {
        self.always = true;
        self
    }
    fn derived(mut self) -> Self {
        self.derived = true;
        self
    }
    fn one_of(mut self, values: impl IntoIterator<Item = impl ToString>) -> Self {
        self.canonical = values.into_iter().map(|v| v.to_string()).collect();
        self
    }

    /// Its parts.
    pub fn parts(&self) -> &[Attribute] {
        if let Kind::Complex(parts) = &self.kind { parts } else { &[] }
    }

    /// One of its parts, whatever the case of its name.
    pub fn part(&self, name: &str) -> Option<&Attribute> {
        self.parts().iter().find(|p| p.name.eq_ignore_ascii_case(name))
    }

    fn json(&self) -> Value {
        let (kind, references): (&str, &[&str]) = match &self.kind {
            Kind::Text => ("string", &[]),
            Kind::Boolean => ("boolean", &[]),
            Kind::Integer => ("integer", &[]),
            Kind::DateTime => ("dateTime", &[]),
            Kind::Reference(types) => ("reference", types),
            Kind::Complex(_) => ("complex", &[]),
        };
        let mutability = match self.mutability {
            Mutability::ReadWrite => "readWrite",
            Mutability::ReadOnly => "readOnly",
            Mutability::Immutable => "immutable",
        };
        let mut shown = json!({
            "name": self.name,
            "type": kind,
            "multiValued": self.many,
            "description": self.description,
            "required": self.required,
            "caseExact": self.exact || !references.is_empty(),
            "mutability": mutability,
            "returned": if self.always { "always" } else { "default" },
            "uniqueness": if self.unique { "server" } else { "none" },
        });
        if let Some(shown) = shown.as_object_mut() {
            if !references.is_empty() {
                shown.insert("referenceTypes".to_owned(), json!(references));
            }
            if !self.canonical.is_empty() {
                shown.insert("canonicalValues".to_owned(), json!(self.canonical));
            }
            if let Kind::Complex(parts) = &self.kind {
                shown.insert("subAttributes".to_owned(), parts.iter().map(Attribute::json).collect());
            }
        }
        shown
    }
}

/// Attributes under one URN.
#[derive(Debug, Clone)]
pub struct Schema {
    pub id: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub attributes: Vec<Attribute>,
}

impl Schema {
    /// An attribute, whatever the case of its name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.name.eq_ignore_ascii_case(name))
    }

    /// As `/Schemas` shows it.
    pub fn json(&self, base: &str) -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "attributes": self.attributes.iter().map(Attribute::json).collect::<Vec<_>>(),
            "meta": { "resourceType": "Schema", "location": format!("{base}/scim/v2/Schemas/{}", self.id) },
        })
    }
}

/// A kind of resource.
#[derive(Debug, Clone)]
pub struct ResourceType {
    pub name: &'static str,
    pub endpoint: &'static str,
    pub core: Schema,
    pub extensions: Vec<Schema>,
    common: Schema,
}

/// An attribute in its place.
#[derive(Debug, Clone, Copy)]
pub struct Place<'t> {
    /// The extension that it stands in; none in the resource itself.
    pub extension: Option<&'static str>,
    pub attribute: &'t Attribute,
    pub part: Option<&'t Attribute>,
}

impl Place<'_> {
    /// The member of the resource that it stands in.
    pub fn top(&self) -> &str {
        self.extension.unwrap_or(&self.attribute.name)
    }
}

impl ResourceType {
    fn new(name: &'static str, endpoint: &'static str, core: Schema, extensions: Vec<Schema>) -> Self {
        let meta = vec![
            Attribute::text("resourceType", "").read_only().exact(),
            Attribute::new("created", Kind::DateTime, "").read_only(),
            Attribute::new("lastModified", Kind::DateTime, "").read_only(),
            Attribute::text("location", "").read_only().exact(),
            Attribute::text("version", "").read_only().exact(),
        ];
        let attributes = vec![
            Attribute::text("id", "").read_only().exact().always(),
            Attribute::text("externalId", "").exact(),
            Attribute::text("schemas", "").read_only().exact().always().many(),
            Attribute::new("meta", Kind::Complex(meta), "").read_only(),
        ];
        let common = Schema { id: "", name: "", description: "", attributes };
        Self { name, endpoint, core, extensions, common }
    }

    /// The extension of a URN, whatever its case.
    pub fn extension(&self, urn: &str) -> Option<&Schema> {
        self.extensions.iter().find(|e| e.id.eq_ignore_ascii_case(urn))
    }

    /// An attribute of the resource itself: its own, or one that all have.
    pub fn own(&self, name: &str) -> Option<&Attribute> {
        self.core.attribute(name).or_else(|| self.common.attribute(name))
    }

    /// Where a path leads.
    pub fn place(&self, urn: Option<&str>, name: &str, part: Option<&str>) -> Option<Place<'_>> {
        let (extension, attribute) = match urn {
            None => (None, self.own(name)?),
            Some(urn) if urn.eq_ignore_ascii_case(self.core.id) => (None, self.own(name)?),
            Some(urn) => self.extension(urn).and_then(|e| Some((Some(e.id), e.attribute(name)?)))?,
        };
        let part = match part {
            None => None,
            Some(part) => Some(attribute.part(part)?),
        };
        Some(Place { extension, attribute, part })
    }

    /// Where a path leads that a filter or an order may name: the version follows from all the rest, so nothing is found by it.
    pub fn searched(&self, urn: Option<&str>, name: &str, part: Option<&str>) -> Option<Place<'_>> {
        self.place(urn, name, part).filter(|p| p.attribute.name != "meta" || p.part.is_none_or(|part| part.name != "version"))
    }

    /// Every schema.
    pub fn schemas(&self) -> impl Iterator<Item = &Schema> {
        std::iter::once(&self.core).chain(&self.extensions)
    }

    /// As `/ResourceTypes` shows it.
    pub fn json(&self, base: &str) -> Value {
        let extensions: Vec<Value> = self.extensions.iter().map(|e| json!({ "schema": e.id, "required": false })).collect();
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": self.name,
            "name": self.name,
            "endpoint": format!("/{}", self.endpoint),
            "description": self.core.description,
            "schema": self.core.id,
            "schemaExtensions": extensions,
            "meta": { "resourceType": "ResourceType", "location": format!("{base}/scim/v2/ResourceTypes/{}", self.name) },
        })
    }
}

fn typed(name: &str, description: &'static str, canonical: &[&str], mut parts: Vec<Attribute>) -> Attribute {
    parts.push(Attribute::text("type", "What it is for.").one_of(canonical));
    parts.push(Attribute::new("primary", Kind::Boolean, "Whether it is the one to use."));
    Attribute::new(name, Kind::Complex(parts), description).many()
}

/// Users: what is stored of them, with the accounts that connectors want and the attributes that the policy declares.
pub fn users(connectors: &BTreeSet<ConnectorName>, declared: &AttributeTypes) -> ResourceType {
    let text = Attribute::text;
    let name = vec![
        text("formatted", "The whole name."),
        text("familyName", "The family name."),
        text("givenName", "The given name."),
    ];
    let address = vec![
        text("formatted", "The whole address."),
        text("streetAddress", "Street and number."),
        text("locality", "The town: where they work."),
        text("region", "The region."),
        text("postalCode", "The postal code."),
        text("country", "The country."),
    ];
    let group = vec![
        text("value", "Id of the group.").read_only().exact(),
        Attribute::new("$ref", Kind::Reference(&["Group"]), "Address of the group.").read_only(),
        text("display", "Name of the group.").read_only(),
        text("type", "`direct`.").read_only().one_of(["direct"]),
    ];
    let core = Schema {
        id: USER,
        name: "User",
        description: "People",
        attributes: vec![
            text("userName", "What the source calls them; unique in the source, and may change.").required().unique(),
            Attribute::new("name", Kind::Complex(name), "Name in parts."),
            text("displayName", "Name for people to read."),
            text("title", "Job title."),
            text("userType", "How they are employed: `permanent`, `contractor` and so on, in small letters for policies."),
            Attribute::new("active", Kind::Boolean, "Whether they work here: false means that they left."),
            typed("emails", "Addresses; never a key.", &["work", "home", "other"], vec![text("value", "The address.")]),
            typed("addresses", "Where they work.", &["work", "home", "other"], address),
            Attribute::new("groups", Kind::Complex(group), "Teams they are in, as this source says.").many().read_only(),
        ],
    };
    let manager = vec![
        text("value", "Id of the manager; `userName` and `externalId` are understood as well.").exact(),
        Attribute::new("$ref", Kind::Reference(&["User"]), "Address of the manager.").derived(),
    ];
    let enterprise = Schema {
        id: ENTERPRISE,
        name: "Enterprise User",
        description: "People of an organisation",
        attributes: vec![
            text("employeeNumber", "For policies: the attribute `employee_number`."),
            text("costCenter", "For policies: the attribute `cost_center`."),
            text("organization", "For policies: the attribute `organization`."),
            text("division", "For policies: the attribute `division`."),
            text("department", "For policies: the attribute `department`. Teams come as Groups."),
            Attribute::new("manager", Kind::Complex(manager), "Who they report to."),
        ],
    };
    let mut own = Vec::new();
    let is_name = |n: &str| n.starts_with(|c: char| c.is_ascii_alphabetic()) && n.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let accounts: Vec<Attribute> = connectors.iter().filter(|c| is_name(c.as_str())).map(|c| text(c.as_str(), "The account there.").exact()).collect();
    if !accounts.is_empty() {
        own.push(Attribute::new("accounts", Kind::Complex(accounts), "Accounts in target systems, by connector."));
    }
    for (name, kind) in declared.iter().filter(|(name, _)| is_name(name) && *name != "accounts") {
        let (kind, many) = kind_of(*kind);
        let attribute = Attribute::new(name, kind, "Declared in `attributes.toml`.").exact();
        own.push(if many { attribute.many() } else { attribute });
    }
    let mut extensions = vec![enterprise];
    if !own.is_empty() {
        extensions.push(Schema { id: BANDPASS, name: "Bandpass User", description: "Accounts, and attributes that the policy declares", attributes: own });
    }
    ResourceType::new("User", "Users", core, extensions)
}

/// Groups: teams.
pub fn groups() -> ResourceType {
    let text = Attribute::text;
    let member = vec![
        text("value", "Id of a user, or of a group that stands below this one.").exact().immutable(),
        Attribute::new("$ref", Kind::Reference(&["User", "Group"]), "Address of the member.").immutable().derived(),
        text("type", "`User` or `Group`.").immutable().one_of(["User", "Group"]),
    ];
    let core = Schema {
        id: GROUP,
        name: "Group",
        description: "Teams",
        attributes: vec![
            text("displayName", "Name for people to read. The first one makes the team's id.").required(),
            Attribute::new("members", Kind::Complex(member), "Who is in it.").many(),
        ],
    };
    ResourceType::new("Group", "Groups", core, Vec::new())
}
