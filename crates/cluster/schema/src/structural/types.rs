//! The types of custom resources for server-side apply (`kube-openapi/pkg/schemaconv/openapi.go`).

use std::collections::HashMap;

use super::{Additional, Structural};
use crate::merge::ATOMIC_NAME;
use crate::registry::Registry;
use crate::types::{
    Field, GoField, List, Map, PatchStrategy, Relationship, Scalar, Schema, Type, TypeId, TypeRef,
};

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";

/// The types of an object with this schema and of a list of such objects. Without a schema nothing is known but the
/// metadata.
pub fn types(structural: Option<&Structural>) -> (Schema, TypeId, TypeId) {
    let mut builder = Builder::new();
    let empty = Structural {
        preserves_unknown: true,
        ..Structural::default()
    };
    let schema = structural.unwrap_or(&empty);
    let object = builder.resource(schema, schema.preserves_unknown);
    let list = builder.list(object);
    (builder.schema, object, list)
}

struct Builder {
    schema: Schema,
    deduced: TypeId,
    atomic: TypeId,
    string: TypeId,
    object_meta: TypeId,
    list_meta: TypeId,
}

impl Builder {
    fn new() -> Builder {
        let registry = Registry::builtin();
        let builtin = registry.schema();
        let mut schema = Schema::default();
        let deduced = schema.add_deduced();
        let atomic = schema.find(ATOMIC_NAME).expect("it was added with the other");
        let string = schema.add(None, scalar(Scalar::String));
        let mut copied = HashMap::new();
        let mut copy = |name: &str| {
            let id = builtin.find(name).expect("every registry has the metadata");
            copy_type(builtin, id, &mut schema, &mut copied)
        };
        let object_meta = copy(OBJECT_META);
        let list_meta = copy(LIST_META);
        Builder {
            schema,
            deduced,
            atomic,
            string,
            object_meta,
            list_meta,
        }
    }

    /// An object with `apiVersion`, `kind` and `metadata`.
    fn resource(&mut self, structural: &Structural, open: bool) -> TypeId {
        let mut fields = self.fields(structural, open);
        for (name, id) in [
            ("apiVersion", self.string),
            ("kind", self.string),
            ("metadata", self.object_meta),
        ] {
            fields.retain(|field| &*field.name != name);
            fields.push(field(name, id, None));
        }
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        let element = if open {
            Some(to(self.deduced))
        } else {
            match &structural.additional {
                Some(Additional::Schema(schema)) => Some(to(self.r#type(schema, open))),
                Some(Additional::Any(true)) => Some(to(self.deduced)),
                _ => None,
            }
        };
        let map = Map {
            fields,
            element,
            relationship: map_relationship(structural),
            go_name: None,
        };
        self.schema.add(
            None,
            Type {
                map: Some(map),
                ..Type::default()
            },
        )
    }

    fn list(&mut self, object: TypeId) -> TypeId {
        let items = self.schema.add(
            None,
            Type {
                list: Some(List {
                    element: to(object),
                    relationship: Relationship::Atomic,
                    keys: Vec::new(),
                }),
                ..Type::default()
            },
        );
        let map = Map {
            fields: vec![
                field("apiVersion", self.string, None),
                field("items", items, None),
                field("kind", self.string, None),
                field("metadata", self.list_meta, None),
            ],
            element: None,
            relationship: Relationship::Separable,
            go_name: None,
        };
        self.schema.add(
            None,
            Type {
                map: Some(map),
                ..Type::default()
            },
        )
    }

    fn fields(&mut self, structural: &Structural, open: bool) -> Vec<Field> {
        structural
            .properties
            .iter()
            .map(|(name, property)| {
                let id = self.r#type(property, open);
                field(name, id, property.default.clone())
            })
            .collect()
    }

    /// `open`: a schema above keeps unknown fields, and so do those below it.
    fn r#type(&mut self, structural: &Structural, open: bool) -> TypeId {
        let open = open || structural.preserves_unknown;
        if structural.embedded {
            return self.resource(structural, open);
        }
        let r#type = match structural.r#type.as_str() {
            "object" => Type {
                map: Some(self.map(structural, open)),
                ..Type::default()
            },
            "array" => Type {
                list: Some(self.items(structural, open)),
                ..Type::default()
            },
            "integer" | "number" => scalar(Scalar::Numeric),
            "boolean" => scalar(Scalar::Boolean),
            "string" if matches!(structural.limits.format.as_str(), "" | "byte") => scalar(Scalar::String),
            "string" => scalar(Scalar::Untyped),
            _ => Type {
                scalar: Some(Scalar::Untyped),
                map: Some(self.map(structural, open)),
                list: Some(self.items(structural, open)),
                go: None,
            },
        };
        self.schema.add(None, r#type)
    }

    fn map(&mut self, structural: &Structural, open: bool) -> Map {
        let element = match &structural.additional {
            Some(Additional::Schema(schema)) => Some(to(self.r#type(schema, open))),
            Some(Additional::Any(true)) => Some(to(self.deduced)),
            Some(Additional::Any(false)) => None,
            None => (open || structural.properties.is_empty()).then_some(to(self.deduced)),
        };
        Map {
            fields: self.fields(structural, open),
            element,
            relationship: map_relationship(structural),
            go_name: None,
        }
    }

    fn items(&mut self, structural: &Structural, open: bool) -> List {
        let associative = matches!(structural.list_type.as_deref(), Some("map" | "set"));
        List {
            element: match &structural.items {
                Some(items) => to(self.r#type(items, open)),
                None => to(self.atomic),
            },
            relationship: if associative {
                Relationship::Associative
            } else {
                Relationship::Atomic
            },
            keys: match structural.list_type.as_deref() {
                Some("map") => structural
                    .list_map_keys
                    .iter()
                    .map(|key| key.as_str().into())
                    .collect(),
                _ => Vec::new(),
            },
        }
    }
}

fn map_relationship(structural: &Structural) -> Relationship {
    match structural.map_type.as_deref() {
        Some("atomic") => Relationship::Atomic,
        _ => Relationship::Separable,
    }
}

fn scalar(scalar: Scalar) -> Type {
    Type {
        scalar: Some(scalar),
        ..Type::default()
    }
}

fn to(id: TypeId) -> TypeRef {
    TypeRef {
        id,
        relationship: None,
    }
}

fn field(name: &str, id: TypeId, default: Option<serde_json::Value>) -> Field {
    Field {
        name: name.into(),
        r#type: to(id),
        default,
        required: false,
        patch: PatchStrategy::default(),
        go: GoField::default(),
    }
}

/// Copies a type and all that it refers to.
fn copy_type(from: &Schema, id: TypeId, into: &mut Schema, copied: &mut HashMap<TypeId, TypeId>) -> TypeId {
    if let Some(copy) = copied.get(&id) {
        return *copy;
    }
    let copy = into.add(None, Type::default());
    copied.insert(id, copy);
    let mut r#type = from.get(id).clone();
    if let Some(list) = &mut r#type.list {
        list.element.id = copy_type(from, list.element.id, into, copied);
    }
    if let Some(map) = &mut r#type.map {
        for field in &mut map.fields {
            field.r#type.id = copy_type(from, field.r#type.id, into, copied);
        }
        if let Some(element) = &mut map.element {
            element.id = copy_type(from, element.id, into, copied);
        }
    }
    into.set(copy, r#type);
    copy
}
