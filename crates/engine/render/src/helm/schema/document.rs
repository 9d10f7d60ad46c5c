//! Documents of schemas: where subschemas, identifiers and anchors are, and how references find them.

use std::collections::{BTreeMap, BTreeSet};

use super::json::{Json, escaped};
use super::url;
use crate::helm::go::quote::quoted;

/// A version of JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Draft {
    Draft4,
    Draft6,
    Draft7,
    Draft2019,
    Draft2020,
}

impl Draft {
    /// The URL of its metaschema.
    pub fn url(self) -> &'static str {
        match self {
            Draft::Draft4 => "http://json-schema.org/draft-04/schema",
            Draft::Draft6 => "http://json-schema.org/draft-06/schema",
            Draft::Draft7 => "http://json-schema.org/draft-07/schema",
            Draft::Draft2019 => "https://json-schema.org/draft/2019-09/schema",
            Draft::Draft2020 => "https://json-schema.org/draft/2020-12/schema",
        }
    }

    /// The draft that a `$schema` names.
    pub fn from_url(text: &str) -> Option<Draft> {
        let (text, fragment) = url::split(text);
        if !fragment.is_empty() {
            return None;
        }
        let rest = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"))
            .unwrap_or(text);
        match rest {
            "json-schema.org/schema" | "json-schema.org/draft/2020-12/schema" => Some(Draft::Draft2020),
            "json-schema.org/draft/2019-09/schema" => Some(Draft::Draft2019),
            "json-schema.org/draft-07/schema" => Some(Draft::Draft7),
            "json-schema.org/draft-06/schema" => Some(Draft::Draft6),
            "json-schema.org/draft-04/schema" => Some(Draft::Draft4),
            _ => None,
        }
    }

    fn id_key(self) -> &'static str {
        if self == Draft::Draft4 { "id" } else { "$id" }
    }

    fn id(self, schema: &BTreeMap<String, Json>) -> Option<&str> {
        if self < Draft::Draft2019 && schema.contains_key("$ref") {
            return None;
        }
        let (id, _) = url::split(schema.get(self.id_key())?.as_str()?);
        (!id.is_empty()).then_some(id)
    }

    /// The keywords that hold subschemas: since which draft, and in which shape.
    fn subschemas(self) -> impl Iterator<Item = (&'static str, Holds)> {
        use Holds::{List, Map, One};
        const ALL: &[(Draft, &str, Holds)] = &[
            (Draft::Draft4, "definitions", Map),
            (Draft::Draft4, "not", One),
            (Draft::Draft4, "allOf", List),
            (Draft::Draft4, "anyOf", List),
            (Draft::Draft4, "oneOf", List),
            (Draft::Draft4, "properties", Map),
            (Draft::Draft4, "additionalProperties", One),
            (Draft::Draft4, "patternProperties", Map),
            (Draft::Draft4, "items", One),
            (Draft::Draft4, "items", List),
            (Draft::Draft4, "additionalItems", One),
            (Draft::Draft4, "dependencies", Map),
            (Draft::Draft6, "propertyNames", One),
            (Draft::Draft6, "contains", One),
            (Draft::Draft7, "if", One),
            (Draft::Draft7, "then", One),
            (Draft::Draft7, "else", One),
            (Draft::Draft2019, "$defs", Map),
            (Draft::Draft2019, "dependentSchemas", Map),
            (Draft::Draft2019, "unevaluatedProperties", One),
            (Draft::Draft2019, "unevaluatedItems", One),
            (Draft::Draft2019, "contentSchema", One),
            (Draft::Draft2020, "prefixItems", List),
        ];
        ALL.iter()
            .filter(move |(since, ..)| *since <= self)
            .map(|(_, key, holds)| (*key, *holds))
    }
}

#[derive(Clone, Copy)]
enum Holds {
    One,
    List,
    Map,
}

/// A document and what was found in it.
pub struct Document {
    /// Where it comes from.
    pub url: String,
    /// Its content.
    pub json: Json,
    resources: BTreeMap<String, Resource>,
    visited: BTreeSet<String>,
}

/// A schema with an identifier of its own; the root is one.
#[derive(Clone)]
pub struct Resource {
    /// Where it is, as a JSON pointer.
    pub pointer: String,
    /// Its absolute identifier.
    pub id: String,
    /// Its dialect.
    pub draft: Draft,
    anchors: BTreeMap<String, String>,
    /// The anchors that `$dynamicRef` looks for.
    pub dynamic_anchors: BTreeMap<String, String>,
}

impl Document {
    /// Looks through a document. `draft_of` tells the draft that a `$schema` stands for.
    pub fn new(
        url: &str,
        json: Json,
        draft_of: &mut dyn FnMut(&str) -> Result<Draft, String>,
    ) -> Result<Document, String> {
        let mut document = Document {
            url: url.to_owned(),
            json: Json::Null,
            resources: BTreeMap::new(),
            visited: BTreeSet::new(),
        };
        document.collect(&json, url, String::new(), Draft::Draft2020, draft_of)?;
        document.json = json;
        Ok(document)
    }

    /// The resource that a place belongs to.
    pub fn resource(&self, pointer: &str) -> &Resource {
        let mut pointer = pointer;
        loop {
            if let Some(resource) = self.resources.get(pointer) {
                return resource;
            }
            match pointer.rsplit_once('/') {
                Some((parent, _)) => pointer = parent,
                None => {
                    return self
                        .resources
                        .get("")
                        .expect("the root is a resource from the start");
                }
            }
        }
    }

    /// Whether this place was looked through as a schema.
    pub fn is_known(&self, pointer: &str) -> bool {
        self.visited.contains(pointer)
    }

    /// Looks through a place that a reference leads to although no keyword holds a schema there.
    pub fn add(
        &mut self,
        pointer: &str,
        draft_of: &mut dyn FnMut(&str) -> Result<Draft, String>,
    ) -> Result<(), String> {
        let json = self.json.at(pointer).cloned().unwrap_or(Json::Null);
        let (base, draft) = {
            let resource = self.resource(pointer);
            (resource.id.clone(), resource.draft)
        };
        self.collect(&json, &base, pointer.to_owned(), draft, draft_of)
    }

    /// The place that a URL and a fragment lead to, if this document has it.
    pub fn resolve(&self, target: &str, fragment: &str) -> Option<Result<String, String>> {
        let resource = if target == self.url {
            self.resource("")
        } else {
            self.resources.values().find(|r| r.id == target)?
        };
        if fragment.is_empty() || fragment.starts_with('/') {
            return Some(Ok(format!("{}{fragment}", resource.pointer)));
        }
        Some(resource.anchors.get(fragment).cloned().ok_or_else(|| {
            let reference = format!("{}#{}", resource.id, url::encoded(fragment));
            format!(
                "anchor in {} not found in schema {}",
                quoted(&reference),
                quoted(&self.url)
            )
        }))
    }

    fn collect(
        &mut self,
        schema: &Json,
        base: &str,
        pointer: String,
        fallback: Draft,
        draft_of: &mut dyn FnMut(&str) -> Result<Draft, String>,
    ) -> Result<(), String> {
        if !self.visited.insert(pointer.clone()) {
            return Ok(());
        }
        let Some(entries) = schema.as_object() else {
            if pointer.is_empty() {
                self.add_resource(&pointer, base, fallback)?;
            }
            return Ok(());
        };
        let mut draft = match entries.get("$schema").and_then(Json::as_str) {
            Some(named) => draft_of(named)?,
            None => fallback,
        };
        let mut id = draft.id(entries);
        if id.is_none() && !pointer.is_empty() {
            draft = fallback;
            id = draft.id(entries);
        }
        let base = match id {
            Some(id) => url::join(base, id),
            None => base.to_owned(),
        };
        if id.is_some() || pointer.is_empty() {
            self.add_resource(&pointer, &base, draft)?;
        }
        self.collect_anchors(entries, &base, &pointer)?;
        for (key, holds) in draft.subschemas() {
            let Some(value) = entries.get(key) else { continue };
            let at = format!("{pointer}/{}", escaped(key));
            match (holds, value) {
                (Holds::One, value) => self.collect(value, &base, at, draft, draft_of)?,
                (Holds::List, Json::Array(items)) => {
                    for (index, item) in items.iter().enumerate() {
                        self.collect(item, &base, format!("{at}/{index}"), draft, draft_of)?;
                    }
                }
                (Holds::Map, Json::Object(entries)) => {
                    for (key, item) in entries {
                        self.collect(item, &base, format!("{at}/{}", escaped(key)), draft, draft_of)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add_resource(&mut self, pointer: &str, id: &str, draft: Draft) -> Result<(), String> {
        if let Some(other) = self
            .resources
            .values()
            .find(|r| r.id == id && r.pointer != pointer)
        {
            return Err(format!(
                "duplicate id {} in {} at {} and {}",
                quoted(id),
                quoted(&self.url),
                quoted(pointer),
                quoted(&other.pointer)
            ));
        }
        self.resources.insert(
            pointer.to_owned(),
            Resource {
                pointer: pointer.to_owned(),
                id: id.to_owned(),
                draft,
                anchors: BTreeMap::new(),
                dynamic_anchors: BTreeMap::new(),
            },
        );
        Ok(())
    }

    fn collect_anchors(
        &mut self,
        schema: &BTreeMap<String, Json>,
        base: &str,
        pointer: &str,
    ) -> Result<(), String> {
        let document = self.url.clone();
        let Some(resource) = self.resources.values_mut().find(|r| r.id == base) else {
            return Ok(());
        };
        let text = |key: &str| schema.get(key).and_then(Json::as_str);
        let mut found = Vec::new();
        if resource.draft < Draft::Draft2019 {
            if !schema.contains_key("$ref") {
                let (_, fragment) = text(resource.draft.id_key()).map_or(("", ""), url::split);
                found.extend((!fragment.is_empty() && !fragment.starts_with('/')).then_some(fragment));
            }
        } else {
            found.extend(text("$anchor"));
        }
        if resource.draft >= Draft::Draft2020
            && let Some(anchor) = text("$dynamicAnchor")
        {
            resource
                .dynamic_anchors
                .insert(anchor.to_owned(), pointer.to_owned());
            found.push(anchor);
        }
        for anchor in found {
            let earlier = resource.anchors.insert(anchor.to_owned(), pointer.to_owned());
            if let Some(earlier) = earlier.filter(|e| e != pointer) {
                return Err(format!(
                    "duplicate anchor {} in {} at {} and {}",
                    quoted(anchor),
                    quoted(&document),
                    quoted(&earlier),
                    quoted(pointer)
                ));
            }
        }
        Ok(())
    }
}
