//! The type of objects that have no schema: objects merge field by field, lists have one owner.

use std::sync::OnceLock;

use super::Shape;
use crate::types::{List, Map, Relationship, Scalar, Schema, Type, TypeId, TypeRef};

/// The name of the type of a value whose objects merge and whose lists do not.
pub const DEDUCED_NAME: &str = "__untyped_deduced_";

/// The name of the type of a value that has one owner whatever it is.
pub const ATOMIC_NAME: &str = "__untyped_atomic_";

/// The shape of objects without a schema.
pub fn deduced() -> Shape<'static> {
    static SCHEMA: OnceLock<(Schema, TypeId)> = OnceLock::new();
    let (schema, id) = SCHEMA.get_or_init(|| {
        let mut schema = Schema::default();
        let id = schema.add_deduced();
        (schema, id)
    });
    Shape::new(schema, *id)
}

impl Schema {
    /// Adds [`ATOMIC_NAME`] and [`DEDUCED_NAME`] where they are missing, and tells where the latter is.
    pub fn add_deduced(&mut self) -> TypeId {
        let atomic = self.find(ATOMIC_NAME).unwrap_or_else(|| {
            let id = self.add(Some(ATOMIC_NAME.into()), Type::default());
            self.set(id, untyped(id, id, Relationship::Atomic));
            id
        });
        self.find(DEDUCED_NAME).unwrap_or_else(|| {
            let id = self.add(Some(DEDUCED_NAME.into()), Type::default());
            self.set(id, untyped(atomic, id, Relationship::Separable));
            id
        })
    }
}

fn untyped(item: TypeId, entry: TypeId, relationship: Relationship) -> Type {
    let to = |id| TypeRef {
        id,
        relationship: None,
    };
    Type {
        scalar: Some(Scalar::Untyped),
        list: Some(List {
            element: to(item),
            relationship: Relationship::Atomic,
            keys: Vec::new(),
        }),
        map: Some(Map {
            fields: Vec::new(),
            element: Some(to(entry)),
            relationship,
            go_name: None,
        }),
        go: None,
    }
}
