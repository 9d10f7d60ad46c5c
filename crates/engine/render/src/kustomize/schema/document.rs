//! A document of the user's: its definitions, with references followed by name when they are asked for.

use std::collections::HashMap;

use deploy_yaml::Dialect;
use serde_json::Value;

use super::{SchemaError, Scope};

/// Deeper definitions are left out: a document nests a handful of levels, and recursion must end.
const MAX_DEPTH: usize = 64;

/// A chain of references longer than this is a circle.
const MAX_REFERENCES: usize = 32;

/// The number of a type in its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(usize);

impl Id {
    /// The only type of a document that a comment holds.
    pub(super) const FIRST: Id = Id(0);
}

/// Where a reference leads.
pub(super) enum Followed<'a> {
    /// To a type of this document.
    Here(Id),
    /// To a name that this document does not define.
    Elsewhere(&'a str),
}

/// The types of one OpenAPI document.
#[derive(Clone, Debug, Default)]
pub(super) struct Document {
    types: Vec<Shape>,
    definitions: HashMap<String, Id>,
    kinds: HashMap<(String, String), Id>,
    scopes: HashMap<(String, String), bool>,
}

#[derive(Clone, Debug, Default)]
struct Shape {
    reference: Option<String>,
    fields: HashMap<String, Id>,
    any: Option<Id>,
    elements: Option<Id>,
    strategy: Option<String>,
    keys: Vec<String>,
}

impl Document {
    pub(super) fn parse(text: &[u8]) -> Result<Document, SchemaError> {
        let json = match text.first() {
            Some(b'{') => serde_json::from_slice(text).map_err(|e| SchemaError::Syntax(e.to_string()))?,
            _ => deploy_yaml::to_json(text, Dialect::GoYaml11)
                .map_err(|e| SchemaError::Syntax(e.to_string()))?,
        };
        let mut document = Document::default();
        for (name, definition) in object(json.get("definitions")) {
            let id = document.add(definition, 0);
            document.definitions.insert(name.clone(), id);
            for kind in definition
                .get(KINDS)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                if let Some(kind) = kind_of(kind) {
                    document.kinds.insert(kind, id);
                }
            }
        }
        for (path, item) in object(json.get("paths")) {
            if let Some(kind) = item.get("get").and_then(|get| get.get(KINDS)).and_then(kind_of) {
                *document.scopes.entry(kind).or_default() |= path.contains("namespaces/{namespace}");
            }
        }
        Ok(document)
    }

    /// A document of one schema.
    pub(super) fn of_one(schema: &Value) -> Document {
        let mut document = Document::default();
        document.types.push(Shape::default());
        let shape = document.shape(schema, 0);
        document.types[0] = shape;
        document
    }

    pub(super) fn kind(&self, api_version: &str, kind: &str) -> Option<Id> {
        self.kinds
            .get(&(api_version.to_owned(), kind.to_owned()))
            .copied()
    }

    pub(super) fn scope(&self, api_version: &str, kind: &str) -> Option<Scope> {
        let namespaced = *self.scopes.get(&(api_version.to_owned(), kind.to_owned()))?;
        Some(if namespaced {
            Scope::Namespaced
        } else {
            Scope::Cluster
        })
    }

    pub(super) fn definition(&self, name: &str) -> Option<Id> {
        self.definitions.get(name).copied()
    }

    pub(super) fn field(&self, id: Id, name: &str) -> Option<Followed<'_>> {
        let shape = &self.types[id.0];
        self.follow(*shape.fields.get(name).or(shape.any.as_ref())?)
    }

    pub(super) fn elements(&self, id: Id) -> Option<Followed<'_>> {
        self.follow(self.types[id.0].elements?)
    }

    pub(super) fn strategy(&self, id: Id) -> &str {
        self.types[id.0].strategy.as_deref().unwrap_or_default()
    }

    pub(super) fn keys(&self, id: Id) -> Vec<&str> {
        let shape = &self.types[id.0];
        match shape.strategy {
            Some(_) => shape.keys.iter().map(String::as_str).collect(),
            None => Vec::new(),
        }
    }

    fn follow(&self, mut id: Id) -> Option<Followed<'_>> {
        for _ in 0..MAX_REFERENCES {
            let Some(reference) = &self.types[id.0].reference else {
                return Some(Followed::Here(id));
            };
            let name = reference.strip_prefix("#/definitions/");
            match name.and_then(|name| self.definition(name)) {
                Some(next) => id = next,
                None => return Some(Followed::Elsewhere(reference)),
            }
        }
        None
    }

    fn add(&mut self, schema: &Value, depth: usize) -> Id {
        let id = Id(self.types.len());
        self.types.push(Shape::default());
        let shape = self.shape(schema, depth);
        self.types[id.0] = shape;
        id
    }

    fn shape(&mut self, schema: &Value, depth: usize) -> Shape {
        let text = |key: &str| schema.get(key).and_then(Value::as_str);
        let mut shape = Shape {
            reference: text("$ref").map(str::to_owned),
            strategy: text("x-kubernetes-patch-strategy").map(str::to_owned),
            ..Shape::default()
        };
        shape.keys = match schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array) {
            Some(keys) => keys.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            None => text("x-kubernetes-patch-merge-key")
                .map(str::to_owned)
                .into_iter()
                .collect(),
        };
        if depth >= MAX_DEPTH {
            return shape;
        }
        for (name, property) in object(schema.get("properties")) {
            let id = self.add(property, depth + 1);
            shape.fields.insert(name.clone(), id);
        }
        if let Some(any @ Value::Object(_)) = schema.get("additionalProperties") {
            shape.any = Some(self.add(any, depth + 1));
        }
        let is_array = match schema.get("type") {
            Some(Value::Array(types)) => types.len() == 1 && types[0] == "array",
            Some(one) => one == "array",
            None => false,
        };
        if let Some(items @ Value::Object(_)) = schema.get("items").filter(|_| is_array) {
            shape.elements = Some(self.add(items, depth + 1));
        }
        shape
    }
}

const KINDS: &str = "x-kubernetes-group-version-kind";

fn object(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

fn kind_of(value: &Value) -> Option<(String, String)> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let version = text("version")?;
    let api_version = match text("group") {
        Some(group) if !group.is_empty() => format!("{group}/{version}"),
        _ => version.to_owned(),
    };
    Some((api_version, text("kind")?.to_owned()))
}
