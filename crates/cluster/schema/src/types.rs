//! The shape of values: what a field holds, how a list is merged, which keys name its items.
//!
//! It is the model of sigs.k8s.io/structured-merge-diff (`schema/elements.go`) with what strategic merge and decoding
//! need besides. A [`Schema`] is immutable and shared; types refer to each other by [`TypeId`], so recursion is free.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

/// The place of a type in its [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub u32);

/// All types that can be reached from each other.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    types: Vec<Type>,
    names: HashMap<Arc<str>, TypeId>,
}

/// One type: what a value may be. Where several are set (`IntOrString`, untyped), the value decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Type {
    /// The value may be a scalar of this kind.
    pub scalar: Option<Scalar>,
    /// The value may be a list.
    pub list: Option<List>,
    /// The value may be an object.
    pub map: Option<Map>,
    /// What Go calls it (`v1.PodSpec`, `[]string`, `int32`), for the texts of decoding; none for custom resources.
    pub go: Option<Arc<str>>,
}

/// A use of a type, where the user may override how it is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeRef {
    /// The type.
    pub id: TypeId,
    /// Replaces the relationship that the type itself states.
    pub relationship: Option<Relationship>,
}

/// How the parts of a list or map belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relationship {
    /// One owner for the whole.
    Atomic,
    /// List: items are found by key, or are a set of scalars.
    Associative,
    /// Map: each entry has owners of its own.
    Separable,
}

/// What a scalar is in Go, as decoding and its error texts need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// Any scalar.
    Untyped,
    /// A string.
    String,
    /// A boolean.
    Boolean,
    /// A number of any kind.
    Numeric,
    /// A signed integer of 32 bits.
    Int32,
    /// A signed integer of 64 bits.
    Int64,
    /// A float of 64 bits.
    Double,
    /// Bytes, as base64 text.
    Bytes,
    /// A time with seconds, RFC 3339.
    Time,
    /// A time with microseconds.
    MicroTime,
    /// A duration in Go's notation.
    Duration,
    /// A quantity, as text or number.
    Quantity,
    /// An integer or a string.
    IntOrString,
}

/// A list.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    /// What each item is.
    pub element: TypeRef,
    /// Atomic, or associative.
    pub relationship: Relationship,
    /// The fields whose values name an item; empty for a set of scalars.
    pub keys: Vec<Arc<str>>,
}

/// An object: known fields, or entries of one type under any name, or both.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Known fields, sorted by name.
    pub fields: Vec<Field>,
    /// What every entry holds that is no known field.
    pub element: Option<TypeRef>,
    /// Atomic, or separable.
    pub relationship: Relationship,
    /// The name of the Go structure, for the texts of decoding (`DeploymentSpec`). A map that has it is closed by its
    /// fields: what else is in it is unknown.
    pub go_name: Option<Arc<str>>,
}

/// A known field of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name in JSON.
    pub name: Arc<str>,
    /// Its type.
    pub r#type: TypeRef,
    /// What it is taken for where it is missing (for keys of associative lists).
    pub default: Option<Value>,
    /// Whether Go writes the field even where nobody set it (`required` in OpenAPI): `null` for lists, maps and
    /// pointers. With `default` it tells what the empty object of a kind looks like, which decides whether the first
    /// writer of an object also owns the parents of what he wrote.
    pub required: bool,
    /// How strategic merge treats it.
    pub patch: PatchStrategy,
    /// How Go holds and writes it.
    pub go: GoField,
}

/// What the tags and the type of a field in Go say about how it is decoded and encoded. For custom resources, which have
/// no structure in Go, it is the default: written as it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GoField {
    /// A pointer: absent and zero differ.
    pub pointer: bool,
    /// Written even where it is empty: the tag has no `omitempty`.
    pub always: bool,
    /// A structure that is left out where it is zero: the tag has `omitzero`.
    pub omit_zero: bool,
    /// The list or map holds pointers, so that its entries may be null.
    pub pointer_elements: bool,
}

/// The `x-kubernetes-patch-*` marks of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchStrategy {
    /// Lists are merged, not replaced.
    pub merge: bool,
    /// Only the fields that the patch names are kept.
    pub retain_keys: bool,
    /// An object is replaced, not merged. (Lists are replaced anyway.)
    pub replace: bool,
    /// The field that names an item of a merged list.
    pub merge_key: Option<Arc<str>>,
}

impl Schema {
    /// Adds a type, under a name if it has one, and tells where it is.
    pub fn add(&mut self, name: Option<Arc<str>>, r#type: Type) -> TypeId {
        let id = TypeId(u32::try_from(self.types.len()).expect("fewer types than 4 thousand million"));
        self.types.push(r#type);
        if let Some(name) = name {
            self.names.insert(name, id);
        }
        id
    }

    /// Replaces a type: how types that refer to themselves are built.
    pub fn set(&mut self, id: TypeId, r#type: Type) {
        self.types[id.0 as usize] = r#type;
    }

    /// The type at `id`.
    pub fn get(&self, id: TypeId) -> &Type {
        &self.types[id.0 as usize]
    }

    /// The name of the type at `id`; searches, so it is for error texts only.
    pub fn name(&self, id: TypeId) -> Option<&str> {
        let (name, _) = self.names.iter().find(|(_, named)| **named == id)?;
        Some(name)
    }

    /// The type called `name`.
    pub fn find(&self, name: &str) -> Option<TypeId> {
        self.names.get(name).copied()
    }
}

impl Map {
    /// The known field `name`.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let place = self
            .fields
            .binary_search_by(|field| (*field.name).cmp(name))
            .ok()?;
        Some(&self.fields[place])
    }
}
