//! Reads the schemas of the structured-merge cases: YAML in the form of `schema/schemaschema.go`.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use deploy_cluster_schema::merge;
use deploy_cluster_schema::types::{
    Field, GoField, List, Map, PatchStrategy, Relationship, Scalar, Schema, Type, TypeId, TypeRef,
};
use deploy_yaml::Dialect;
use serde_json::Value;

/// YAML to JSON, as the cases mean it.
pub fn yaml(text: &str) -> Result<Value, String> {
    deploy_yaml::to_json(text.as_bytes(), Dialect::GoYaml11).map_err(|error| error.to_string())
}

/// Schemas by the name that a row gives (`schemas/0123456789ab.yaml`, `deduced`), read once.
pub struct Schemas<'r> {
    root: &'r Path,
    read: HashMap<String, Schema>,
}

impl<'r> Schemas<'r> {
    /// Reads below this folder.
    pub fn new(root: &'r Path) -> Schemas<'r> {
        Schemas {
            root,
            read: HashMap::new(),
        }
    }

    /// The schema called `name`.
    pub fn get(&mut self, name: &str) -> &Schema {
        let root = self.root;
        self.read.entry(name.to_owned()).or_insert_with(|| {
            if name == "deduced" {
                return merge::deduced().schema.clone();
            }
            let path = root.join(name);
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            parse(&text)
        })
    }
}

/// Reads a schema.
pub fn parse(text: &str) -> Schema {
    let text = yaml(text).expect("a schema is YAML");
    let mut reader = Reader {
        schema: Schema::default(),
    };
    let types = text["types"].as_array().expect("a schema lists types");
    for r#type in types {
        let name = r#type["name"].as_str().expect("a type has a name");
        reader.schema.add(Some(name.into()), Type::default());
    }
    for r#type in types {
        let id = reader.named(r#type["name"].as_str().expect("a type has a name"));
        let atom = reader.atom(r#type);
        reader.schema.set(id, atom);
    }
    reader.schema
}

struct Reader {
    schema: Schema,
}

impl Reader {
    fn named(&mut self, name: &str) -> TypeId {
        self.schema
            .find(name)
            .unwrap_or_else(|| self.schema.add(Some(name.into()), Type::default()))
    }

    fn reference(&mut self, from: &Value) -> TypeRef {
        let id = match from["namedType"].as_str() {
            Some(name) => self.named(name),
            None => {
                let atom = self.atom(from);
                self.schema.add(None, atom)
            }
        };
        TypeRef {
            id,
            relationship: relationship(from),
        }
    }

    fn atom(&mut self, from: &Value) -> Type {
        Type {
            scalar: from["scalar"].as_str().map(|scalar| match scalar {
                "string" => Scalar::String,
                "numeric" => Scalar::Numeric,
                "boolean" => Scalar::Boolean,
                _ => Scalar::Untyped,
            }),
            list: from.get("list").map(|list| List {
                element: self.reference(&list["elementType"]),
                relationship: relationship(list).unwrap_or(Relationship::Atomic),
                keys: texts(&list["keys"]),
            }),
            map: from.get("map").map(|map| Map {
                fields: self.fields(map),
                element: map.get("elementType").map(|element| self.reference(element)),
                relationship: relationship(map).unwrap_or(Relationship::Separable),
                go_name: None,
            }),
            go: None,
        }
    }

    fn fields(&mut self, map: &Value) -> Vec<Field> {
        let fields = map["fields"].as_array().map_or(&[][..], Vec::as_slice);
        let mut fields: Vec<Field> = fields
            .iter()
            .map(|field| Field {
                name: field["name"].as_str().expect("a field has a name").into(),
                r#type: self.reference(&field["type"]),
                default: field.get("default").cloned(),
                required: false,
                patch: PatchStrategy::default(),
                go: GoField::default(),
            })
            .collect();
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        fields
    }
}

fn relationship(from: &Value) -> Option<Relationship> {
    Some(match from["elementRelationship"].as_str()? {
        "atomic" => Relationship::Atomic,
        "associative" => Relationship::Associative,
        _ => Relationship::Separable,
    })
}

fn texts(from: &Value) -> Vec<Arc<str>> {
    from.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(Arc::from)
        .collect()
}
