//! The set of all that a value mentions (`typed/tofieldset.go`), and old sets under a new type
//! (`typed/reconcile_schema.go`).

use std::collections::HashMap;

use serde_json::{Map as Object, Value};

use super::Shape;
use super::deduced::DEDUCED_NAME;
use super::items;
use super::resolve::{Kind, Resolved, Shaped};
use crate::fields::{Element, Node, Set};
use crate::types::{List, Map, Scalar, Schema, TypeRef};

pub(super) fn field_set(shape: Shape<'_>, value: &Value) -> Set {
    value_of(shape, value).1
}

/// Whether the path of the value itself is in the set, and the paths below it.
fn value_of(shape: Shape<'_>, value: &Value) -> (bool, Set) {
    let Some(resolved) = Resolved::of(shape.schema, shape.r#type) else {
        return (false, Set::default());
    };
    match (resolved.deduce(Some(value)).kind(), value) {
        (Some(Kind::Scalar(_)), _) => (true, Set::default()),
        (Some(Kind::List(list)), _) if list.is_atomic() => (true, Set::default()),
        (Some(Kind::Map(map)), _) if map.is_atomic() => (true, Set::default()),
        (Some(Kind::List(list)), Value::Array(items)) => (false, list_of(shape, list, items)),
        (Some(Kind::Map(map)), Value::Object(entries)) => (false, map_of(shape, map.shape, entries)),
        _ => (false, Set::default()),
    }
}

fn list_of(shape: Shape<'_>, list: Shaped<'_, List>, items: &[Value]) -> Set {
    // Items without a name do not exist here: the value is valid.
    let named: Vec<(Element, &Value)> = items
        .iter()
        .filter_map(|item| Some((items::element(shape.schema, list, item).ok()?, item)))
        .collect();
    let mut counts: HashMap<&Element, usize> = HashMap::with_capacity(named.len());
    for (element, _) in &named {
        *counts.entry(element).or_default() += 1;
    }
    let nodes = named.iter().map(|(element, item)| {
        // Items of the same name have one owner, together.
        let children = if counts[element] > 1 {
            Set::default()
        } else {
            value_of(shape.at(list.shape.element), item).1
        };
        Node {
            element: element.clone(),
            member: true,
            children,
        }
    });
    Set::from_nodes(nodes.collect())
}

fn map_of(shape: Shape<'_>, map: &Map, entries: &Object<String, Value>) -> Set {
    let nodes = entries.iter().map(|(name, value)| {
        let field = map.field(name);
        let r#type = field.map(|field| field.r#type).or(map.element);
        let (member, children) = r#type
            .map(|r#type| value_of(shape.at(r#type), value))
            .unwrap_or_default();
        let empty = value.is_null() || value.as_object().is_some_and(Object::is_empty);
        let element = Element::Field(field.map_or_else(|| name.as_str().into(), |field| field.name.clone()));
        Node {
            element,
            member: member || empty || field.is_none(),
            children,
        }
    });
    Set::from_nodes(nodes.collect())
}

pub(super) fn reconcile(shape: Shape<'_>, fields: Set) -> Set {
    let Some(resolved) = Resolved::of(shape.schema, shape.r#type) else {
        return fields;
    };
    match resolved.kind() {
        Some(Kind::Map(map)) if !is_deduced(shape.schema, map.shape) => {
            fields.map_nodes(|node| reconcile_node(shape, entry_type(map.shape, &node.element), node))
        }
        Some(Kind::List(list)) => {
            fields.map_nodes(|node| reconcile_node(shape, Some(list.shape.element), node))
        }
        _ => fields,
    }
}

fn reconcile_node(shape: Shape<'_>, r#type: Option<TypeRef>, node: Node) -> Node {
    let Some(r#type) = r#type.filter(|_| !node.children.is_empty()) else {
        return node;
    };
    let atomic = match Resolved::of(shape.schema, r#type).and_then(Resolved::kind) {
        Some(Kind::Map(map)) => map.is_atomic() && !is_deduced(shape.schema, map.shape),
        Some(Kind::List(list)) => list.is_atomic(),
        _ => false,
    };
    if atomic {
        return Node {
            member: true,
            children: Set::default(),
            ..node
        };
    }
    Node {
        children: reconcile(shape.at(r#type), node.children),
        ..node
    }
}

fn entry_type(map: &Map, element: &Element) -> Option<TypeRef> {
    match element {
        Element::Field(name) => map.entry(name),
        _ => map.element,
    }
}

/// Whether nothing is known about the entries: deduced types have neither atomic nor granular marks.
fn is_deduced(schema: &Schema, map: &Map) -> bool {
    let Some(element) = map.element.filter(|_| map.fields.is_empty()) else {
        return false;
    };
    schema.find(DEDUCED_NAME) == Some(element.id)
        || (schema.get(element.id).scalar == Some(Scalar::Untyped) && schema.name(element.id).is_none())
}
