//! Reads the blob that `cargo xtask schema` writes; `xtask/src/schema/blob.rs` describes its format.
//!
//! The blob is part of the program and a test checks its sum, so that what is read here is as it should be; where it
//! were not, the first use of the registry would panic, and so would every test.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::Arc;

use flate2::read::DeflateDecoder;
use serde_json::Value;

use super::{Group, GroupVersionKind, Kinds, Resource, Subresource};
use crate::merge::ATOMIC_NAME;
use crate::types::{
    Field, GoField, List, Map, PatchStrategy, Relationship, Scalar, Schema, Type, TypeId, TypeRef,
};

static BLOB: &[u8] = include_bytes!("../../blob/kubernetes.bin");

const RESOURCES: usize = 0;
const TYPES: usize = 1;
/// Sections of OpenAPI (`xtask/src/schema/openapi.rs`).
pub(crate) const SCHEMAS_V3: usize = 2;
pub(crate) const DEFINITIONS_V2: usize = 3;
pub(crate) const PATHS_V2: usize = 4;
pub(crate) const OPEN_API_INDEX: usize = 5;
/// The first of the documents in the order of the index.
pub(crate) const DOCUMENTS_V3: usize = 6;

/// The groups and resources in the order of discovery.
pub(super) fn resources() -> (Vec<Group>, Vec<Resource>) {
    let table = json(&section(RESOURCES));
    let groups = list(&table["groups"])
        .map(|group| Group {
            name: text(&group["name"]),
            versions: texts(&group["versions"]),
        })
        .collect();
    let mut resources: Vec<Resource> = Vec::new();
    for row in list(&table["resources"]) {
        let name = row["name"].as_str().expect("every resource has a name");
        if let Some((_, subresource)) = name.split_once('/') {
            let parent = resources.last_mut().expect("a subresource follows its resource");
            parent.subresources.push(read_subresource(subresource, row));
        } else {
            resources.push(read_resource(row));
        }
    }
    (groups, resources)
}

fn read_resource(row: &Value) -> Resource {
    let kind = text(&row["kind"]);
    let (group, version) = (text(&row["in"][0]), text(&row["in"][1]));
    let stored = match &row["stored"] {
        Value::Array(stored) => (text(&stored[0]), text(&stored[1])),
        _ => (group.clone(), version.clone()),
    };
    Resource {
        plural: text(&row["name"]),
        singular: text(&row["singularName"]),
        list_kind: format!("{kind}List").into(),
        namespaced: row["namespaced"] == true,
        verbs: texts(&row["verbs"]),
        short_names: texts(&row["shortNames"]),
        categories: texts(&row["categories"]),
        subresources: Vec::new(),
        storage_version_hash: text(&row["storageVersionHash"]),
        stored_as: GroupVersionKind {
            group: stored.0,
            version: stored.1,
            kind: kind.clone(),
        },
        custom: None,
        group,
        version,
        kind,
    }
}

fn read_subresource(name: &str, row: &Value) -> Subresource {
    let of = |key: &str, place: usize| match &row[key] {
        Value::String(own) => own.as_str().into(),
        _ => text(&row["in"][place]),
    };
    // `group` stands beside `version`, but is left out for the core group.
    let group = if row["version"].is_string() && row["group"].is_null() {
        "".into()
    } else {
        of("group", 0)
    };
    Subresource {
        name: name.into(),
        kind: GroupVersionKind {
            group,
            version: of("version", 1),
            kind: text(&row["kind"]),
        },
        verbs: texts(&row["verbs"]),
    }
}

/// The types of all kinds.
pub(super) fn kinds() -> Kinds {
    let bytes = section(TYPES);
    let mut reader = Reader {
        bytes: &bytes,
        texts: Vec::new(),
    };
    reader.read_texts();
    let mut schema = Schema::default();
    let mut any = Vec::new();
    for _ in 0..reader.number() {
        let name = reader.text();
        let (r#type, is_any) = reader.read_type();
        let id = schema.add((!name.is_empty()).then_some(name), r#type);
        any.extend(is_any.map(|atomic| (id, atomic)));
    }
    fill_any(&mut schema, &any);
    let count = reader.number();
    let mut by_kind = HashMap::with_capacity(count);
    for _ in 0..count {
        let kind = GroupVersionKind {
            group: reader.text(),
            version: reader.text(),
            kind: reader.text(),
        };
        by_kind.insert(kind, reader.type_id());
    }
    Kinds { schema, by_kind }
}

/// Types of any value are those that types without a schema have, under the names of Go.
fn fill_any(schema: &mut Schema, any: &[(TypeId, bool)]) {
    let deduced = schema.add_deduced();
    let atomic = schema.find(ATOMIC_NAME).expect("it was added with the other");
    for (id, is_atomic) in any {
        let go = schema.get(*id).go.clone();
        let shape = schema.get(if *is_atomic { atomic } else { deduced }).clone();
        schema.set(*id, Type { go, ..shape });
    }
}

/// A section of JSON.
pub(crate) fn json_section(wanted: usize) -> Value {
    json(&section(wanted))
}

/// A section of text.
pub(crate) fn text_section(wanted: usize) -> String {
    String::from_utf8(section(wanted)).expect("texts are UTF-8")
}

fn section(wanted: usize) -> Vec<u8> {
    let mut rest = BLOB.strip_prefix(b"DKS1").expect("the blob has its mark");
    for _ in 0..wanted {
        rest = split(rest).1;
    }
    let mut bytes = Vec::new();
    DeflateDecoder::new(split(rest).0)
        .read_to_end(&mut bytes)
        .expect("the blob is whole");
    bytes
}

fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_first_chunk().expect("a section has a length");
    rest.split_at(u32::from_le_bytes(*length) as usize)
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("the section is JSON")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Arc<str> {
    value.as_str().unwrap_or_default().into()
}

fn texts(value: &Value) -> Vec<Arc<str>> {
    list(value).map(text).collect()
}

/// The scalars in the order of their numbers (`xtask/src/schema/lower.rs SCALARS`).
const SCALARS: &[Scalar] = &[
    Scalar::String,
    Scalar::Boolean,
    Scalar::Int32,
    Scalar::Int64,
    Scalar::Double,
    Scalar::Bytes,
    Scalar::Time,
    Scalar::MicroTime,
    Scalar::Duration,
    Scalar::Quantity,
    Scalar::IntOrString,
    Scalar::Untyped,
];

struct Reader<'b> {
    bytes: &'b [u8],
    texts: Vec<Arc<str>>,
}

impl Reader<'_> {
    fn number(&mut self) -> usize {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let (byte, rest) = self.bytes.split_first().expect("the section is whole");
            self.bytes = rest;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return number;
            }
            shift += 7;
        }
    }

    fn read_texts(&mut self) {
        for _ in 0..self.number() {
            let length = self.number();
            let (text, rest) = self.bytes.split_at(length);
            self.bytes = rest;
            self.texts
                .push(std::str::from_utf8(text).expect("texts are UTF-8").into());
        }
    }

    fn text(&mut self) -> Arc<str> {
        let place = self.number();
        Arc::clone(&self.texts[place])
    }

    fn type_id(&mut self) -> TypeId {
        TypeId(u32::try_from(self.number()).expect("there are few types"))
    }

    fn type_ref(&mut self) -> TypeRef {
        TypeRef {
            id: self.type_id(),
            relationship: None,
        }
    }

    /// A type; where it is any value, also whether that has one owner.
    fn read_type(&mut self) -> (Type, Option<bool>) {
        let go = self.text();
        let mut any = None;
        let mut r#type = match self.number() {
            0 => Type {
                scalar: Some(SCALARS[self.number()]),
                ..Type::default()
            },
            atomic @ (1 | 2) => self.read_structure(&go, atomic == 2),
            associative @ (3 | 4) => self.read_list(associative == 4),
            atomic @ (5 | 6) => self.read_map(atomic == 6),
            atomic @ (7 | 8) => {
                any = Some(atomic == 8);
                Type::default()
            }
            other => unreachable!("no type is written as {other}"),
        };
        r#type.go = Some(go);
        (r#type, any)
    }

    fn read_map(&mut self, atomic: bool) -> Type {
        Type {
            map: Some(Map {
                fields: Vec::new(),
                element: Some(self.type_ref()),
                relationship: map_relationship(atomic),
                go_name: None,
            }),
            ..Type::default()
        }
    }

    fn read_structure(&mut self, go: &str, atomic: bool) -> Type {
        let count = self.number();
        let fields = (0..count).map(|_| self.read_field()).collect();
        let name = go.split_once('.').map_or(go, |(_, name)| name);
        Type {
            map: Some(Map {
                fields,
                element: None,
                relationship: map_relationship(atomic),
                go_name: Some(name.into()),
            }),
            ..Type::default()
        }
    }

    fn read_list(&mut self, associative: bool) -> Type {
        let element = self.type_ref();
        let count = self.number();
        let keys = (0..count).map(|_| self.text()).collect();
        Type {
            list: Some(List {
                element,
                relationship: if associative {
                    Relationship::Associative
                } else {
                    Relationship::Atomic
                },
                keys,
            }),
            ..Type::default()
        }
    }

    fn read_field(&mut self) -> Field {
        let name = self.text();
        let id = self.type_id();
        let relationship = match self.number() {
            0 => None,
            1 => Some(Relationship::Atomic),
            _ => Some(Relationship::Separable),
        };
        let flags = self.number();
        let has = |bit: usize| flags & bit != 0;
        let default = self.text();
        let merge_key = self.text();
        Field {
            name,
            r#type: TypeRef { id, relationship },
            default: (!default.is_empty()).then(|| json(default.as_bytes())),
            required: has(2),
            patch: PatchStrategy {
                merge: has(16),
                retain_keys: has(32),
                replace: has(64),
                merge_key: (!merge_key.is_empty()).then_some(merge_key),
            },
            go: GoField {
                pointer: has(1),
                always: has(2),
                omit_zero: has(4),
                pointer_elements: has(8),
            },
        }
    }
}

fn map_relationship(atomic: bool) -> Relationship {
    if atomic {
        Relationship::Atomic
    } else {
        Relationship::Separable
    }
}
