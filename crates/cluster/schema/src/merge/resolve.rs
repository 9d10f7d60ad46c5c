//! From a reference to what a value may be, and from a value to which of that it is.

use serde_json::Value;

use super::Shape;
use super::violation::Violations;
use crate::types::{List, Map, Relationship, Scalar, Schema, TypeRef};

/// What a value of a type may be, with the overrides of the type's user.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resolved<'s> {
    /// A scalar.
    pub scalar: Option<Scalar>,
    /// A list.
    pub list: Option<Shaped<'s, List>>,
    /// An object.
    pub map: Option<Shaped<'s, Map>>,
}

/// A list or map and how its parts belong together.
#[derive(Debug)]
pub struct Shaped<'s, T> {
    /// What the schema says.
    pub shape: &'s T,
    /// How its parts belong together.
    pub relationship: Relationship,
}

/// Which of the things that a value may be its handler must do.
pub(super) enum Kind<'s> {
    Map(Shaped<'s, Map>),
    Scalar(Scalar),
    List(Shaped<'s, List>),
}

impl<T> Clone for Shaped<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shaped<'_, T> {}

impl<T> Shaped<'_, T> {
    /// Whether the whole has one owner.
    pub fn is_atomic(&self) -> bool {
        self.relationship == Relationship::Atomic
    }
}

impl<'s> Resolved<'s> {
    /// Follows a reference; `None` where it overrides the relationship of a scalar (`schema/elements.go` Resolve).
    pub fn of(schema: &'s Schema, r#type: TypeRef) -> Option<Resolved<'s>> {
        let found = schema.get(r#type.id);
        let mut resolved = Resolved {
            scalar: found.scalar,
            list: found.list.as_ref().map(|shape| Shaped {
                shape,
                relationship: shape.relationship,
            }),
            map: found.map.as_ref().map(|shape| Shaped {
                shape,
                relationship: shape.relationship,
            }),
        };
        if let Some(relationship) = r#type.relationship {
            match (&mut resolved.map, &mut resolved.list) {
                (Some(map), _) => map.relationship = relationship,
                (None, Some(list)) => list.relationship = relationship,
                (None, None) => return None,
            }
        }
        Some(resolved)
    }

    /// Only what the value is, where the type allows that; else all, and the handler complains.
    pub(super) fn deduce(self, value: Option<&Value>) -> Resolved<'s> {
        let only = Resolved::default();
        match value {
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) if self.scalar.is_some() => Resolved {
                scalar: self.scalar,
                ..only
            },
            Some(Value::Array(_)) if self.list.is_some() => Resolved {
                list: self.list,
                ..only
            },
            Some(Value::Object(_)) if self.map.is_some() => Resolved {
                map: self.map,
                ..only
            },
            _ => self,
        }
    }

    /// Whether two deductions from one type are the same.
    pub(super) fn same_kinds(&self, other: &Resolved<'_>) -> bool {
        let kinds = |r: &Resolved<'_>| (r.scalar.is_some(), r.list.is_some(), r.map.is_some());
        kinds(self) == kinds(other)
    }

    /// What the handler must do: objects first, then scalars, then lists.
    pub(super) fn kind(self) -> Option<Kind<'s>> {
        match self {
            Resolved { map: Some(map), .. } => Some(Kind::Map(map)),
            Resolved {
                scalar: Some(scalar), ..
            } => Some(Kind::Scalar(scalar)),
            Resolved { list: Some(list), .. } => Some(Kind::List(list)),
            _ => None,
        }
    }
}

/// Follows the reference of a shape and notes where that is impossible.
pub(super) fn resolve<'s>(shape: Shape<'s>, errors: &mut Violations) -> Option<Resolved<'s>> {
    let resolved = Resolved::of(shape.schema, shape.r#type);
    if resolved.is_none() {
        let name = shape.schema.name(shape.r#type.id).unwrap_or("inlined type");
        errors.push(format!("schema error: no type found matching: {name}"));
    }
    resolved
}

/// [`Resolved::kind`], and notes a type that allows nothing.
pub(super) fn kind<'s>(
    shape: Shape<'s>,
    resolved: Resolved<'s>,
    errors: &mut Violations,
) -> Option<Kind<'s>> {
    let kind = resolved.kind();
    if kind.is_none() {
        let name = shape
            .schema
            .name(shape.r#type.id)
            .map(|name| format!("named type: {name}"));
        errors.push(format!(
            "schema error: invalid atom: {}",
            name.as_deref().unwrap_or("inlined")
        ));
    }
    kind
}

impl Map {
    /// The type of the entry `name`: a known field's, else that of all entries.
    pub(super) fn entry(&self, name: &str) -> Option<TypeRef> {
        self.field(name).map(|field| field.r#type).or(self.element)
    }
}
