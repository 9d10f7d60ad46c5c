//! Decoding into a type: the object that Go would write back after reading this one.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Decoded;
use super::node::Node;
use super::scalars::{self, Scalar as Read};
use super::strict::Strict;
use crate::types::{self, Field, Scalar, Schema, Type, TypeId};

/// Decodes a node into a type. The error is the text of Go's decoder, without what the server puts before it.
pub fn typed(schema: &Schema, r#type: TypeId, node: Node<'_>) -> Result<Decoded, String> {
    decode(schema, r#type, node, false)
}

/// As [`typed`], as the object is before it is stored: where it is always written, a list that is there and empty is not
/// yet the same as one that is not there. Who owns a field and what is its default depend on that.
pub fn sent(schema: &Schema, r#type: TypeId, node: Node<'_>) -> Result<Decoded, String> {
    decode(schema, r#type, node, true)
}

fn decode(schema: &Schema, r#type: TypeId, node: Node<'_>, keep_empty: bool) -> Result<Decoded, String> {
    let mut decoder = Decoder {
        schema,
        keep_empty,
        strict: Strict::default(),
        fields: Vec::new(),
        structure: None,
        saved: None,
        lenient: 0,
    };
    let value = decoder.value(r#type, node, None).map_err(|fault| fault.text)?;
    match decoder.saved {
        Some(fault) => Err(fault.text),
        None => Ok(Decoded {
            value,
            strict: decoder.strict.into_texts(),
        }),
    }
}

/// An object without its fields: what Go writes for a structure that nobody filled.
pub(crate) fn zero(schema: &Schema, id: TypeId) -> Value {
    let r#type = schema.get(id);
    if let Some(scalar) = r#type.scalar {
        return scalars::zero(scalar);
    }
    match &r#type.map {
        Some(map) if map.go_name.is_some() => {
            let mut fields = Map::new();
            fill(schema, map, &mut fields);
            Value::Object(fields)
        }
        _ => Value::Null,
    }
}

/// Adds the fields that Go writes although nobody set them.
fn fill(schema: &Schema, map: &types::Map, fields: &mut Map<String, Value>) {
    for field in &map.fields {
        if fields.contains_key(&*field.name) {
            continue;
        }
        if field.go.pointer {
            if field.go.always {
                fields.insert(field.name.to_string(), Value::Null);
            }
            continue;
        }
        let r#type = schema.get(field.r#type.id);
        if !field.go.always && !is_structure(r#type) {
            continue;
        }
        let zero = zero(schema, field.r#type.id);
        if !field.go.omit_zero {
            fields.insert(field.name.to_string(), zero);
        }
    }
}

/// Structures are written even where their tag says `omitempty`, which has no effect on them in Go.
fn is_structure(r#type: &Type) -> bool {
    if let Some(scalar) = r#type.scalar {
        return match scalar {
            Scalar::Time | Scalar::MicroTime | Scalar::Duration | Scalar::Quantity | Scalar::IntOrString => {
                true
            }
            // Of any value, only interfaces can be empty.
            Scalar::Untyped => !matches!(r#type.go.as_deref(), Some("runtime.Object" | "interface {}")),
            _ => false,
        };
    }
    r#type.map.as_ref().is_some_and(|map| map.go_name.is_some())
}

/// Go's types whose value may be a schema or something else; they decode their schemas with a decoder of their own.
const SCHEMA_OR_BOOL: &str = "v1.JSONSchemaPropsOrBool";
const SCHEMA_OR_LIST: &str = "v1.JSONSchemaPropsOrArray";
const SCHEMA_OR_NAMES: &str = "v1.JSONSchemaPropsOrStringArray";
const SCHEMA: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

/// What is wrong, and the types if it was those: a decoder inside another one fails with the path of the outer.
struct Fault {
    text: String,
    types: Option<(String, String)>,
}

impl From<String> for Fault {
    fn from(text: String) -> Fault {
        Fault { text, types: None }
    }
}

/// The structure and the field, written only where it is not empty, whose default is not that of an empty list
/// (`pkg/apis/autoscaling/v2/defaults.go copyHPAScalingRules`).
const DEFAULT_IF_ABSENT: (&str, &str) = ("HPAScalingRules", "policies");

struct Decoder<'s> {
    schema: &'s Schema,
    /// Empty lists are told from absent ones.
    keep_empty: bool,
    strict: Strict,
    /// The names of the fields on the way here.
    fields: Vec<&'s str>,
    /// The structure that the last of them is in.
    structure: Option<&'s str>,
    /// The first error that does not end decoding. Go returns it unless another one ends decoding later.
    saved: Option<Fault>,
    /// Above zero, strict findings are not wanted.
    lenient: usize,
}

impl<'s> Decoder<'s> {
    /// Decodes into a type. `before` is what a field of the same name left here: Go decodes on top of it.
    fn value(&mut self, id: TypeId, node: Node<'_>, before: Option<Value>) -> Result<Value, Fault> {
        let schema = self.schema;
        let r#type = schema.get(id);
        if let Some(scalar) = r#type.scalar {
            return self.scalar(scalar, r#type, node);
        }
        if let Some(list) = &r#type.list {
            return self.list(list.element.id, r#type, node);
        }
        match &r#type.map {
            Some(map) if map.go_name.is_some() => self.structure(map, r#type, node, before),
            Some(types::Map {
                element: Some(element),
                ..
            }) => self.entries(element.id, r#type, node, before),
            _ => Ok(self.strict.untyped(node)),
        }
    }

    fn scalar(&mut self, scalar: Scalar, r#type: &Type, node: Node<'_>) -> Result<Value, Fault> {
        if scalar == Scalar::Untyped {
            return self.any(r#type, node);
        }
        match scalars::read(scalar, r#type.go.as_deref().unwrap_or_default(), node) {
            Read::Value(value) => Ok(value),
            Read::Mismatch { found, wanted } => {
                self.save_mismatch(&found, &wanted);
                Ok(scalars::zero(scalar))
            }
            Read::Bad(text) => {
                self.saved.get_or_insert(text.into());
                Ok(scalars::zero(scalar))
            }
            Read::MismatchEnds { found, wanted } => Err(self.mismatch(&found, &wanted)),
            Read::BadEnds(text) => Err(text.into()),
        }
    }

    /// `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`
    fn mismatch(&self, found: &str, wanted: &str) -> Fault {
        let text = match self.structure {
            Some(structure) => format!(
                "json: cannot unmarshal {found} into Go struct field {structure}.{} of type {wanted}",
                self.fields.join(".")
            ),
            None => format!("json: cannot unmarshal {found} into Go value of type {wanted}"),
        };
        Fault {
            text,
            types: Some((found.to_owned(), wanted.to_owned())),
        }
    }

    fn save_mismatch(&mut self, found: &str, wanted: &str) {
        if self.saved.is_none() {
            self.saved = Some(self.mismatch(found, wanted));
        }
    }

    fn refuse(&mut self, node: &Node<'_>, r#type: &Type) -> Value {
        if !matches!(node, Node::Null) {
            self.save_mismatch(node.describe(), r#type.go.as_deref().unwrap_or_default());
        }
        Value::Null
    }

    fn list(&mut self, element: TypeId, r#type: &Type, node: Node<'_>) -> Result<Value, Fault> {
        let Node::List(items) = node else {
            return Ok(self.refuse(&node, r#type));
        };
        let mut values = Vec::with_capacity(items.len());
        for (place, item) in items.into_iter().enumerate() {
            let mark = self.strict.enter_item(place);
            let value = match item {
                Node::Null => zero(self.schema, element),
                item => self.value(element, item, None)?,
            };
            self.strict.leave(mark);
            values.push(value);
        }
        // What was stored has no empty lists: the protobuf form cannot tell them from absent ones.
        Ok(if values.is_empty() {
            Value::Null
        } else {
            Value::Array(values)
        })
    }

    fn entries(
        &mut self,
        element: TypeId,
        r#type: &Type,
        node: Node<'_>,
        before: Option<Value>,
    ) -> Result<Value, Fault> {
        let Node::Object(entries) = node else {
            return Ok(self.refuse(&node, r#type));
        };
        let mut values = match before {
            Some(Value::Object(values)) => values,
            _ => Map::new(),
        };
        let mut seen = Vec::new();
        let duplicates = has_duplicates(&entries);
        for (name, entry) in entries {
            if duplicates {
                if seen.contains(&name) {
                    self.duplicate(&name);
                }
                seen.push(name.clone());
            }
            let mark = self.strict.enter_field(&name);
            let value = match entry {
                Node::Null => zero(self.schema, element),
                entry => self.value(element, entry, None)?,
            };
            self.strict.leave(mark);
            // Bytes in a map are written even where they are none.
            let bytes = self.schema.get(element).scalar == Some(Scalar::Bytes);
            let value = if bytes && value.is_null() {
                Value::String(String::new())
            } else {
                value
            };
            values.insert(name.into_owned(), value);
        }
        Ok(if values.is_empty() {
            Value::Null
        } else {
            Value::Object(values)
        })
    }

    fn structure(
        &mut self,
        map: &'s types::Map,
        r#type: &Type,
        node: Node<'_>,
        before: Option<Value>,
    ) -> Result<Value, Fault> {
        let mut values = match before {
            Some(Value::Object(values)) => values,
            _ => Map::new(),
        };
        match node {
            Node::Object(fields) => self.fields(map, fields, &mut values)?,
            node => {
                self.refuse(&node, r#type);
            }
        }
        fill(self.schema, map, &mut values);
        Ok(Value::Object(values))
    }

    fn fields(
        &mut self,
        map: &'s types::Map,
        fields: Vec<(Cow<'_, str>, Node<'_>)>,
        values: &mut Map<String, Value>,
    ) -> Result<(), Fault> {
        let outer = self.structure;
        let mut seen: Vec<&str> = Vec::with_capacity(fields.len());
        for (name, node) in fields {
            let Some(field) = map.field(&name) else {
                if self.lenient == 0 {
                    self.strict.unknown(&name);
                }
                continue;
            };
            if seen.contains(&&*field.name) {
                self.duplicate(&name);
            }
            seen.push(&field.name);
            let mark = self.strict.enter_field(&name);
            self.fields.push(&field.name);
            self.structure = map.go_name.as_deref();
            let is_empty = matches!(&node, Node::List(items) if items.is_empty());
            self.field(field, node, values)?;
            if is_empty && self.keeps_empty(map, field) {
                values.insert(field.name.to_string(), Value::Array(Vec::new()));
            }
            self.fields.pop();
            self.structure = outer;
            self.strict.leave(mark);
        }
        Ok(())
    }

    fn keeps_empty(&self, map: &types::Map, field: &Field) -> bool {
        let named = (map.go_name.as_deref().unwrap_or_default(), &*field.name);
        self.keep_empty
            && self.schema.get(field.r#type.id).list.is_some()
            && (field.go.always && !field.go.pointer || named == DEFAULT_IF_ABSENT)
    }

    fn duplicate(&mut self, name: &str) {
        if self.lenient == 0 {
            self.strict.duplicate(name);
        }
    }

    fn field(
        &mut self,
        field: &'s Field,
        node: Node<'_>,
        values: &mut Map<String, Value>,
    ) -> Result<(), Fault> {
        let r#type = self.schema.get(field.r#type.id);
        let before = values.remove(&*field.name);
        if matches!(node, Node::Null) {
            // It empties pointers, lists and maps, and leaves structures and scalars as they are.
            let keeps = !field.go.pointer
                && (r#type.map.as_ref().is_some_and(|m| m.go_name.is_some()) || is_plain(r#type));
            if let Some(before) = before.filter(|_| keeps) {
                values.insert(field.name.to_string(), before);
            } else if field.go.pointer && field.go.always {
                values.insert(field.name.to_string(), Value::Null);
            }
            return Ok(());
        }
        let value = self.value(field.r#type.id, node, before)?;
        if is_written(field, r#type, &value) {
            values.insert(field.name.to_string(), value);
        }
        Ok(())
    }

    /// A value of no type of its own.
    fn any(&mut self, r#type: &Type, node: Node<'_>) -> Result<Value, Fault> {
        match r#type.go.as_deref() {
            Some(SCHEMA_OR_BOOL) => match node {
                Node::Bool(bool) => Ok(Value::Bool(bool)),
                Node::Object(_) => self.inner_schema(node),
                Node::Null => Ok(Value::Null),
                _ => Err("boolean or JSON schema expected".to_owned().into()),
            },
            Some(SCHEMA_OR_LIST) => match node {
                Node::List(items) => {
                    let items: Result<_, _> = items.into_iter().map(|item| self.inner_schema(item)).collect();
                    Ok(Value::Array(items?))
                }
                Node::Object(_) => self.inner_schema(node),
                _ => Ok(Value::Null),
            },
            Some(SCHEMA_OR_NAMES) => match node {
                Node::Object(_) => self.inner_schema(node),
                Node::List(items) => {
                    let items: Result<_, _> = items.into_iter().map(|item| self.inner_name(item)).collect();
                    Ok(Value::Array(items?))
                }
                _ => Ok(Value::Null),
            },
            _ => Ok(node.into_value()),
        }
    }

    fn inner_name(&mut self, node: Node<'_>) -> Result<Value, Fault> {
        match scalars::read(Scalar::String, "string", node) {
            Read::Value(value) => Ok(value),
            Read::Mismatch { found, wanted } => Err(self.mismatch(&found, &wanted)),
            _ => Ok(Value::String(String::new())),
        }
    }

    /// A schema inside a schema: it is decoded on its own, so that nothing in it is reported as unknown or duplicate, and
    /// the first error in it ends everything.
    fn inner_schema(&mut self, node: Node<'_>) -> Result<Value, Fault> {
        let Some(id) = self.schema.find(SCHEMA) else {
            return Ok(node.into_value());
        };
        let (fields, structure) = (std::mem::take(&mut self.fields), self.structure.take());
        let saved = self.saved.take();
        self.lenient += 1;
        let value = self.value(id, node, None);
        self.lenient -= 1;
        self.fields = fields;
        self.structure = structure;
        let inner = std::mem::replace(&mut self.saved, saved);
        match (value, inner) {
            (Ok(value), None) => Ok(value),
            (Err(fault), _) | (Ok(_), Some(fault)) => Err(match &fault.types {
                Some((found, wanted)) => self.mismatch(found, wanted),
                None => fault,
            }),
        }
    }
}

/// A string, a boolean or a number, which `null` leaves as it is.
fn is_plain(r#type: &Type) -> bool {
    matches!(
        r#type.scalar,
        Some(
            Scalar::String
                | Scalar::Boolean
                | Scalar::Numeric
                | Scalar::Int32
                | Scalar::Int64
                | Scalar::Double
        )
    )
}

/// Whether Go's encoder writes a field with this value.
fn is_written(field: &Field, r#type: &Type, value: &Value) -> bool {
    if field.go.pointer {
        return field.go.always || !value.is_null();
    }
    if is_structure(r#type) {
        let zero = value.is_null() || value.as_object().is_some_and(Map::is_empty);
        return !(field.go.omit_zero && zero);
    }
    let empty = match value {
        Value::Null => true,
        Value::Bool(bool) => !bool,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
    };
    field.go.always || !empty
}

/// Whether a name stands twice: asked first, so that long maps without duplicates are not searched for each entry.
fn has_duplicates(entries: &[(Cow<'_, str>, Node<'_>)]) -> bool {
    let mut names: Vec<&str> = entries.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}
