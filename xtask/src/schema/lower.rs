//! From the structures of Go to the type table of the blob: embedded structures are flattened, every used type has one row.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::go::{Body, Declaration, GoField, GoType, Package, Packages, REFERENCE};

/// The table, and the kinds that are in it.
#[derive(Default)]
pub struct Lowered {
    /// All types; they refer to each other by their place.
    pub types: Vec<Row>,
    /// Kinds: group, version, kind, place of the type.
    pub kinds: Vec<(String, String, String, usize)>,
    /// Fields whose values are listed: schema, field, values.
    pub enums: Vec<(String, String, Vec<String>)>,
    /// Where Go's markers and the OpenAPI document disagree: nothing, or a mistake here.
    pub findings: Vec<String>,
}

/// One type.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Row {
    /// The name of its schema in OpenAPI; empty if it has none.
    pub name: String,
    /// What Go calls it.
    pub go: String,
    /// What it is.
    pub shape: Shape,
}

/// What a type is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Shape {
    /// A scalar, as the reader numbers them ([`SCALARS`]).
    Scalar(u8),
    /// A structure.
    Struct { atomic: bool, fields: Vec<FieldRow> },
    /// A list. `relationship`: 0 atomic, 1 associative.
    List {
        element: usize,
        associative: bool,
        keys: Vec<String>,
    },
    /// A map with any keys.
    Map { element: usize, atomic: bool },
    /// Any value; its parts have one owner, or each its own.
    Any { atomic: bool },
}

/// A field.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FieldRow {
    /// Its name in JSON.
    pub name: String,
    /// Its type.
    pub r#type: usize,
    /// Replaces the relationship of the type: 0 not, 1 atomic, 2 separable.
    pub relationship: u8,
    /// JSON text, or empty.
    pub default: String,
    /// Bits: 1 pointer, 2 always written, 4 omitzero, 8 pointer elements, 16 patch merge, 32 retain keys.
    pub flags: u8,
    /// The patch merge key, or empty.
    pub merge_key: String,
}

/// Scalars of the blob in the order of their numbers; the reader has the same list.
pub const SCALARS: &[&str] = &[
    "string",
    "boolean",
    "int32",
    "int64",
    "double",
    "bytes",
    "time",
    "micro-time",
    "duration",
    "quantity",
    "int-or-string",
    "untyped",
];

/// Types with an encoding of their own.
const SPECIAL: &[(&str, &str, Special)] = &[
    (
        "k8s.io/apimachinery/pkg/apis/meta/v1",
        "Time",
        Special::Scalar("time"),
    ),
    (
        "k8s.io/apimachinery/pkg/apis/meta/v1",
        "MicroTime",
        Special::Scalar("micro-time"),
    ),
    (
        "k8s.io/apimachinery/pkg/apis/meta/v1",
        "Duration",
        Special::Scalar("duration"),
    ),
    (
        "k8s.io/apimachinery/pkg/api/resource",
        "Quantity",
        Special::Scalar("quantity"),
    ),
    (
        "k8s.io/apimachinery/pkg/util/intstr",
        "IntOrString",
        Special::Scalar("int-or-string"),
    ),
    (
        "k8s.io/apimachinery/pkg/runtime",
        "RawExtension",
        Special::Any { atomic: true },
    ),
    (
        "k8s.io/apimachinery/pkg/runtime",
        "Object",
        Special::Any { atomic: true },
    ),
    (
        "k8s.io/apimachinery/pkg/runtime",
        "Unknown",
        Special::Any { atomic: true },
    ),
    (
        "k8s.io/apimachinery/pkg/apis/meta/v1",
        "FieldsV1",
        Special::Any { atomic: false },
    ),
    (
        "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1",
        "JSON",
        Special::Any { atomic: false },
    ),
    (
        "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1",
        "JSONSchemaPropsOrBool",
        Special::Any { atomic: false },
    ),
    (
        "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1",
        "JSONSchemaPropsOrArray",
        Special::Any { atomic: false },
    ),
    (
        "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1",
        "JSONSchemaPropsOrStringArray",
        Special::Any { atomic: false },
    ),
];

#[derive(Clone, Copy)]
enum Special {
    Scalar(&'static str),
    Any { atomic: bool },
}

/// Lowers every kind of every package.
pub fn lower(packages: &Packages, definitions: &Map<String, Value>) -> Result<Lowered, String> {
    let mut lowering = Lowering {
        packages,
        definitions,
        places: HashMap::new(),
        rows: HashMap::new(),
        owner: String::new(),
        out: Lowered::default(),
    };
    for (path, package) in &packages.by_path {
        let Some((group, version)) = &package.group_version else {
            continue;
        };
        for (name, declaration) in &package.types {
            if is_kind(declaration) {
                let place = lowering.named(path, name)?;
                let row = |group: &str| (group.to_owned(), version.clone(), name.clone(), place);
                lowering.out.kinds.push(row(group));
                // The kinds of the API itself (Status, APIGroup ...) are also in the core group.
                if group == "meta.k8s.io" && !name.starts_with("PartialObject") && name != "Table" {
                    lowering.out.kinds.push(row(""));
                }
            }
        }
    }
    lowering.add_watch_event()?;
    lowering.out.kinds.sort();
    lowering.out.findings.sort();
    Ok(lowering.out)
}

/// A kind embeds `metav1.TypeMeta`.
fn is_kind(declaration: &Declaration) -> bool {
    let Body::Struct(fields) = &declaration.body else {
        return false;
    };
    fields.iter().any(|field| {
        field.name.is_none() && matches!(&field.r#type, GoType::Named(_, name) if name == "TypeMeta")
    })
}

struct Lowering<'a> {
    packages: &'a Packages,
    definitions: &'a Map<String, Value>,
    places: HashMap<(String, String), usize>,
    rows: HashMap<Row, usize>,
    /// The schema of the structure whose fields are read.
    owner: String,
    out: Lowered,
}

impl<'a> Lowering<'a> {
    fn add_watch_event(&mut self) -> Result<(), String> {
        let place = self.named("k8s.io/apimachinery/pkg/apis/meta/v1", "WatchEvent")?;
        for group in ["", "meta.k8s.io"] {
            let row = (group.to_owned(), "v1".to_owned(), "WatchEvent".to_owned(), place);
            self.out.kinds.push(row);
        }
        Ok(())
    }

    fn intern(&mut self, row: Row) -> usize {
        if let Some(place) = self.rows.get(&row) {
            return *place;
        }
        let place = self.out.types.len();
        self.rows.insert(row.clone(), place);
        self.out.types.push(row);
        place
    }

    /// The place of a declared type that is a structure or has an encoding of its own.
    fn named(&mut self, path: &str, name: &str) -> Result<usize, String> {
        let key = (path.to_owned(), name.to_owned());
        if let Some(place) = self.places.get(&key) {
            return Ok(*place);
        }
        let package = self.package(path)?;
        let go = format!("{}.{name}", package.name);
        let openapi = openapi_name(path, name);
        if let Some((.., special)) = SPECIAL.iter().find(|(p, n, _)| *p == path && *n == name) {
            let shape = match special {
                Special::Scalar(name) => Shape::Scalar(scalar(name)),
                Special::Any { atomic } => Shape::Any { atomic: *atomic },
            };
            let place = self.intern(Row {
                name: openapi,
                go,
                shape,
            });
            self.places.insert(key, place);
            return Ok(place);
        }
        let declaration = self
            .packages
            .find(path, name)
            .ok_or_else(|| format!("no type {path}.{name}"))?;
        match &declaration.body {
            Body::Alias(r#type) => self.used(r#type, Some(&go), &declaration.markers),
            Body::Struct(fields) => {
                let place = self.out.types.len();
                self.out.types.push(Row {
                    name: openapi.clone(),
                    go: go.clone(),
                    shape: Shape::Any { atomic: true },
                });
                self.places.insert(key, place);
                let atomic = marker(&declaration.markers, "structType") == Some("atomic");
                let mut rows = Vec::new();
                let outer = std::mem::replace(&mut self.owner, openapi);
                self.fields(fields, &mut rows)?;
                self.owner = outer;
                rows.sort_by(|a, b| a.name.cmp(&b.name));
                self.out.types[place].shape = Shape::Struct { atomic, fields: rows };
                self.compare(place);
                Ok(place)
            }
        }
    }

    fn package(&self, path: &str) -> Result<&'a Package, String> {
        self.packages
            .by_path
            .get(path)
            .ok_or_else(|| format!("no package {path}"))
    }

    fn fields(&mut self, fields: &'a [GoField], rows: &mut Vec<FieldRow>) -> Result<(), String> {
        for field in fields {
            let tag = field.tags.get("json").map_or("", String::as_str);
            let (name, options) = tag.split_once(',').unwrap_or((tag, ""));
            if name == "-" || (tag.is_empty() && field.name.is_some()) {
                continue;
            }
            if name.is_empty() {
                self.embedded(&field.r#type, rows)?;
            } else {
                rows.push(self.field(name, options, field)?);
            }
        }
        Ok(())
    }

    fn embedded(&mut self, r#type: &GoType, rows: &mut Vec<FieldRow>) -> Result<(), String> {
        let GoType::Named(path, name) = r#type else {
            return Err(format!("cannot embed {type:?}"));
        };
        match self.packages.find(path, name).map(|d| &d.body) {
            Some(Body::Struct(fields)) => self.fields(fields, rows),
            Some(Body::Alias(other)) => self.embedded(other, rows),
            None => Err(format!("cannot embed {path}.{name}")),
        }
    }

    fn field(&mut self, name: &str, options: &str, field: &GoField) -> Result<FieldRow, String> {
        let (target, pointer) = match &field.r#type {
            GoType::Pointer(inner) => (&**inner, true),
            other => (other, false),
        };
        let place = self.used(target, None, &merge_markers(field))?;
        if let Some(values) = self.enum_values(target) {
            self.out.enums.push((self.owner.clone(), name.to_owned(), values));
        }
        let omit_empty = options.split(',').any(|o| o == "omitempty");
        let omit_zero = options.split(',').any(|o| o == "omitzero");
        let pointers = match target {
            GoType::Slice(e) | GoType::Map(_, e) => matches!(**e, GoType::Pointer(_)),
            _ => false,
        };
        let strategy = field.tags.get("patchStrategy").map_or("", String::as_str);
        let has = |word: &str| strategy.split(',').any(|s| s == word);
        let bits = [
            pointer,
            !omit_empty,
            omit_zero,
            pointers,
            has("merge"),
            has("retainKeys"),
            has("replace"),
        ];
        let flags = bits.iter().rev().fold(0, |bits, bit| bits << 1 | u8::from(*bit));
        let overridden = matches!(
            self.out.types[place].shape,
            Shape::Struct { .. } | Shape::Any { .. }
        );
        let relationship = match struct_type(&field.markers).filter(|_| overridden) {
            Some("atomic") => 1,
            Some(_) => 2,
            None => 0,
        };
        Ok(FieldRow {
            name: name.to_owned(),
            r#type: place,
            relationship,
            default: self.default(&field.markers, &field.r#type, omit_empty)?,
            flags,
            merge_key: field.tags.get("patchMergeKey").cloned().unwrap_or_default(),
        })
    }

    /// The place of a type as a field, an item or another type uses it. `go` is the name that a declaration gives it.
    fn used(&mut self, r#type: &GoType, go: Option<&str>, markers: &[String]) -> Result<usize, String> {
        let go = match go {
            Some(go) => go.to_owned(),
            None => self.go_name(r#type)?,
        };
        let shape = match r#type {
            GoType::Pointer(inner) => return self.used(inner, None, markers),
            GoType::Named(path, name) => return self.named_with(path, name, markers),
            GoType::Builtin(name) => Shape::Scalar(scalar(match name.as_str() {
                "string" => "string",
                "bool" => "boolean",
                "int32" | "int16" | "uint16" | "uint32" => "int32",
                "int" | "int64" | "uint64" => "int64",
                "float64" => "double",
                "any" | "interface{}" => "untyped",
                other => return Err(format!("a field of type {other}")),
            })),
            GoType::Slice(element) => match &**element {
                GoType::Builtin(byte) if byte == "byte" => Shape::Scalar(scalar("bytes")),
                element => Shape::List {
                    element: self.used(element, None, &[])?,
                    associative: matches!(marker(markers, "listType"), Some("map" | "set")),
                    keys: markers
                        .iter()
                        .filter_map(|m| m.strip_prefix("+listMapKey="))
                        .map(str::to_owned)
                        .collect(),
                },
            },
            GoType::Map(_, element) => Shape::Map {
                element: self.used(element, None, &[])?,
                atomic: struct_type(markers) == Some("atomic"),
            },
        };
        let go = if matches!(&shape, Shape::Scalar(s) if *s == scalar("bytes")) {
            "[]uint8".to_owned()
        } else {
            go
        };
        let name = String::new();
        Ok(self.intern(Row { name, go, shape }))
    }

    /// A declared list or map is merged as the field says that uses it; structures and scalars say it themselves.
    fn named_with(&mut self, path: &str, name: &str, markers: &[String]) -> Result<usize, String> {
        let special = SPECIAL.iter().any(|(p, n, _)| *p == path && *n == name);
        match self.packages.find(path, name).map(|d| &d.body) {
            Some(Body::Alias(inner)) if !special => {
                let go = format!("{}.{name}", self.package(path)?.name);
                self.used(inner, Some(&go), markers)
            }
            _ => self.named(path, name),
        }
    }

    /// The values that a field or its items may have, where their type is marked so.
    fn enum_values(&self, r#type: &GoType) -> Option<Vec<String>> {
        match r#type {
            GoType::Slice(inner) | GoType::Map(_, inner) | GoType::Pointer(inner) => self.enum_values(inner),
            GoType::Named(path, name) => {
                let package = self.packages.by_path.get(path)?;
                let declaration = package.types.get(name)?;
                match &declaration.body {
                    Body::Alias(GoType::Builtin(_)) if declaration.markers.iter().any(|m| m == "+enum") => {
                        let core = self.packages.by_path.get("k8s.io/api/core/v1")?;
                        let resolve = |value: &String| match value.strip_prefix(REFERENCE) {
                            Some(other) => core.constants.get(other).cloned().unwrap_or_default(),
                            None => value.clone(),
                        };
                        let mut values: Vec<String> = package.enums.get(name)?.iter().map(resolve).collect();
                        values.sort();
                        values.dedup();
                        Some(values)
                    }
                    Body::Alias(inner @ GoType::Named(..)) => self.enum_values(inner),
                    _ => None,
                }
            }
            GoType::Builtin(_) => None,
        }
    }

    /// As reflection prints the type.
    fn go_name(&self, r#type: &GoType) -> Result<String, String> {
        Ok(match r#type {
            GoType::Builtin(name) if name == "byte" => "uint8".to_owned(),
            GoType::Builtin(name) if name == "any" || name == "interface{}" => "interface {}".to_owned(),
            GoType::Builtin(name) => name.clone(),
            GoType::Named(path, name) => format!("{}.{name}", self.package(path)?.name),
            GoType::Pointer(inner) => format!("*{}", self.go_name(inner)?),
            GoType::Slice(inner) => format!("[]{}", self.go_name(inner)?),
            GoType::Map(key, inner) => format!("map[{}]{}", self.go_name(key)?, self.go_name(inner)?),
        })
    }

    /// The default of a field in OpenAPI (`kube-openapi/pkg/generators/openapi.go mustEnforceDefault`).
    fn default(&self, markers: &[String], r#type: &GoType, omit_empty: bool) -> Result<String, String> {
        if let Some(text) = marker(markers, "default") {
            let Some(name) = text.strip_prefix("ref(").and_then(|t| t.strip_suffix(')')) else {
                return Ok(text.to_owned());
            };
            let (path, name) = name.rsplit_once('.').unwrap_or(("k8s.io/api/core/v1", name));
            let value = self.package(path)?.constants.get(name);
            return Ok(json!(value.ok_or_else(|| format!("no constant {name}"))?).to_string());
        }
        Ok(match r#type {
            GoType::Builtin(_) if omit_empty => "",
            GoType::Builtin(name) => match name.as_str() {
                "string" => "\"\"",
                "bool" => "false",
                _ => "0",
            },
            GoType::Named(path, name) if !SPECIAL.iter().any(|(p, n, _)| p == path && n == name) => {
                match self.packages.find(path, name).map(|d| &d.body) {
                    Some(Body::Alias(inner)) => return self.default(&[], inner, omit_empty),
                    Some(Body::Struct(_)) => "{}",
                    None => "",
                }
            }
            _ => "",
        }
        .to_owned())
    }

    /// Holds a structure against its published schema.
    fn compare(&mut self, place: usize) {
        let row = &self.out.types[place];
        let (Some(schema), Shape::Struct { atomic, fields }) = (self.definitions.get(&row.name), &row.shape)
        else {
            return;
        };
        let mut findings = Vec::new();
        if (schema["x-kubernetes-map-type"] == "atomic") != *atomic {
            findings.push("structType".to_owned());
        }
        let none = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&none);
        if !properties.keys().eq(fields.iter().map(|f| &f.name)) {
            findings.push("other fields".to_owned());
        }
        for field in fields {
            let property = &properties.get(&field.name).unwrap_or(&Value::Null);
            let mut differs = |what: &str, equal: bool| {
                if !equal {
                    findings.push(format!("{}: {what}", field.name));
                }
            };
            let default: Value = serde_json::from_str(&field.default).unwrap_or_default();
            differs("default", property["default"] == default);
            let key = property["x-kubernetes-patch-merge-key"]
                .as_str()
                .unwrap_or_default();
            differs("merge key", key == field.merge_key);
            let strategy = property["x-kubernetes-patch-strategy"]
                .as_str()
                .unwrap_or_default();
            differs("strategy", strategy.contains("merge") == (field.flags & 16 != 0));
            differs(
                "strategy",
                strategy.contains("retainKeys") == (field.flags & 32 != 0),
            );
            if let Shape::List {
                associative, keys, ..
            } = &self.out.types[field.r#type].shape
            {
                let kind = &property["x-kubernetes-list-type"];
                if kind.is_string() {
                    differs("list type", (kind == "map" || kind == "set") == *associative);
                    let published = property["x-kubernetes-list-map-keys"].as_array();
                    let published: Vec<&str> = published
                        .into_iter()
                        .flatten()
                        .filter_map(Value::as_str)
                        .collect();
                    differs("list keys", published == *keys);
                }
            }
        }
        let name = row.name.clone();
        let lines = findings.into_iter().map(|finding| format!("{name}: {finding}"));
        self.out.findings.extend(lines);
    }
}

/// The markers of a field. Without a list type, the patch strategy says how its list merges
/// (`kube-openapi/pkg/schemaconv/smd.go getListElementRelationship`).
fn merge_markers(field: &GoField) -> Vec<String> {
    let mut markers = field.markers.clone();
    let strategy = field.tags.get("patchStrategy").map_or("", String::as_str);
    if marker(&markers, "listType").is_none() && strategy.starts_with("merge") {
        markers.push("+listType=map".to_owned());
        let key = field.tags.get("patchMergeKey");
        markers.extend(key.map(|key| format!("+listMapKey={key}")));
    }
    markers
}

/// `+mapType` and `+structType` say the same of maps and structures.
fn struct_type(markers: &[String]) -> Option<&str> {
    marker(markers, "mapType").or_else(|| marker(markers, "structType"))
}

fn marker<'m>(markers: &'m [String], name: &str) -> Option<&'m str> {
    markers
        .iter()
        .find_map(|marker| marker.strip_prefix('+')?.strip_prefix(name)?.strip_prefix('='))
}

fn scalar(name: &str) -> u8 {
    let place = SCALARS.iter().position(|s| *s == name);
    u8::try_from(place.expect("the scalar is in the list")).expect("the list is short")
}

fn openapi_name(path: &str, name: &str) -> String {
    let (domain, rest) = path.split_once('/').unwrap_or(("", path));
    let domain: Vec<&str> = domain.split('.').rev().collect();
    format!("{}.{}.{name}", domain.join("."), rest.replace('/', "."))
}
