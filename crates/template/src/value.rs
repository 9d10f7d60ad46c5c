//! The values that templates compute with: Go's, as `text/template` sees them through reflection.
//!
//! Maps and lists are shared, not copied: `set`, `merge` and `unset` change the map that every other holder sees, as
//! they do in Go. Cloning a [`Value`] never copies contents.

use std::borrow::Cow;
use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use crate::func::{FuncError, Host, Signature};
use crate::stack::deeper;

mod equal;
mod inspect;
mod json;

pub(crate) use inspect::underlying;
pub use json::{JsonError, JsonStyle, push_json_string};

/// One Go value.
#[derive(Clone)]
pub enum Value {
    /// An untyped nil, an absent map key, a JSON null.
    Nil,
    /// `bool`
    Bool(bool),
    /// A signed integer of the given Go type.
    Int(i64, IntType),
    /// An unsigned integer of the given Go type.
    Uint(u64, UintType),
    /// `float64`
    Float(f64),
    /// `complex128`
    Complex(f64, f64),
    /// `string`: bytes that are usually, but not always, UTF-8.
    Str(Str),
    /// `[]byte`
    Bytes(Rc<[u8]>),
    /// A slice.
    List(List),
    /// A map with string keys.
    Map(Map),
    /// Anything with fields and methods: `Files`, `Capabilities`, a time, a semantic version.
    Object(Rc<dyn Object>),
}

/// The Go type of a signed integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum IntType {
    Int,
    Int8,
    Int16,
    Int32,
    Int64,
}

/// The Go type of an unsigned integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum UintType {
    Uint,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
}

/// What a slice or a map holds, for `%T`, `typeOf` and the checks of typed parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ElemType {
    /// `interface {}`
    Any,
    String,
    Int,
    Int64,
    Float64,
    /// `map[string]interface {}` (a list of maps)
    Map,
    /// `[]interface {}` (a list of lists)
    List,
    /// `[]byte` (Helm's files)
    Bytes,
}

/// A Go string: shared, immutable bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Str(Rc<[u8]>);

impl Str {
    /// The bytes as they are.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text; bytes that are not UTF-8 become U+FFFD, as Go's `range` over a string shows them.
    pub fn to_str(&self) -> Cow<'_, str> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(&self.0),
        }
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether nobody else holds it.
    pub(crate) fn is_unshared(&self) -> bool {
        Rc::strong_count(&self.0) == 1
    }
}

impl std::borrow::Borrow<[u8]> for Str {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Str {
    fn from(s: &str) -> Str {
        Str(Rc::from(s.as_bytes()))
    }
}

impl From<String> for Str {
    fn from(s: String) -> Str {
        Str(Rc::from(s.into_bytes()))
    }
}

impl From<&[u8]> for Str {
    fn from(s: &[u8]) -> Str {
        Str(Rc::from(s))
    }
}

impl From<Vec<u8>> for Str {
    fn from(s: Vec<u8>) -> Str {
        Str(Rc::from(s))
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_str())
    }
}

/// A shared, mutable slice.
#[derive(Clone)]
pub struct List(Rc<ListCell>);

struct ListCell {
    elem: ElemType,
    nil: bool,
    items: RefCell<Vec<Value>>,
}

impl List {
    /// A `[]interface {}`.
    pub fn new(items: Vec<Value>) -> List {
        List::typed(ElemType::Any, items)
    }

    /// A slice of another element type; the caller vouches that the items are of it.
    pub fn typed(elem: ElemType, items: Vec<Value>) -> List {
        List(Rc::new(ListCell {
            elem,
            nil: false,
            items: RefCell::new(items),
        }))
    }

    /// A nil slice: empty, but `null` in JSON and not deeply equal to an empty one.
    pub fn nil(elem: ElemType) -> List {
        List(Rc::new(ListCell {
            elem,
            nil: true,
            items: RefCell::default(),
        }))
    }

    /// Whether it is a nil slice; it stops being one when it gets an item.
    pub fn is_nil(&self) -> bool {
        self.0.nil && self.0.items.borrow().is_empty()
    }

    /// The type of the elements.
    pub fn elem(&self) -> ElemType {
        self.0.elem
    }

    /// The items, read. Do not hold it across a call into a template.
    pub fn items(&self) -> Ref<'_, Vec<Value>> {
        self.0.items.borrow()
    }

    /// The items, to change. Do not hold it across a call into a template.
    pub fn items_mut(&self) -> RefMut<'_, Vec<Value>> {
        self.0.items.borrow_mut()
    }

    /// Whether nobody else holds it.
    pub(crate) fn is_unshared(&self) -> bool {
        Rc::strong_count(&self.0) == 1
    }

    /// Whether both are the same slice, not merely equal ones.
    pub fn same(&self, other: &List) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// A shared, mutable map with string keys, iterated in key order.
#[derive(Clone)]
pub struct Map(Rc<MapCell>);

struct MapCell {
    elem: ElemType,
    nil: bool,
    name: Option<&'static str>,
    entries: RefCell<BTreeMap<Str, Value>>,
}

impl Map {
    /// A `map[string]interface {}`.
    pub fn new(entries: BTreeMap<Str, Value>) -> Map {
        Map::typed(ElemType::Any, None, entries)
    }

    /// A map of another element type or with a type name of its own (`common.Values`).
    pub fn typed(elem: ElemType, name: Option<&'static str>, entries: BTreeMap<Str, Value>) -> Map {
        Map(Rc::new(MapCell {
            elem,
            nil: false,
            name,
            entries: RefCell::new(entries),
        }))
    }

    /// A nil map: empty, but `null` in JSON and not deeply equal to an empty one.
    pub fn nil(elem: ElemType) -> Map {
        Map(Rc::new(MapCell {
            elem,
            nil: true,
            name: None,
            entries: RefCell::default(),
        }))
    }

    /// Whether it is a nil map; in Go, an entry cannot be set in one ("assignment to entry in nil map").
    pub fn is_nil(&self) -> bool {
        self.0.nil && self.0.entries.borrow().is_empty()
    }

    /// The type of the values.
    pub fn elem(&self) -> ElemType {
        self.0.elem
    }

    /// The declared type's name, if it has one.
    pub fn name(&self) -> Option<&'static str> {
        self.0.name
    }

    /// The entries, read. Do not hold it across a call into a template.
    pub fn entries(&self) -> Ref<'_, BTreeMap<Str, Value>> {
        self.0.entries.borrow()
    }

    /// The entries, to change. Do not hold it across a call into a template.
    pub fn entries_mut(&self) -> RefMut<'_, BTreeMap<Str, Value>> {
        self.0.entries.borrow_mut()
    }

    /// The value of a key, if it is there.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.0.entries.borrow().get(key.as_bytes()).cloned()
    }

    /// Adds or replaces a key.
    pub fn set(&self, key: impl Into<Str>, value: Value) {
        self.0.entries.borrow_mut().insert(key.into(), value);
    }

    /// Whether nobody else holds it.
    pub(crate) fn is_unshared(&self) -> bool {
        Rc::strong_count(&self.0) == 1
    }

    /// Whether both are the same map, not merely equal ones.
    pub fn same(&self, other: &Map) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// A Go value with fields or methods.
pub trait Object {
    /// The Go type as `%T` prints it, for example `*semver.Version`.
    fn type_name(&self) -> &str;

    /// The value as `%v` prints it.
    fn display(&self) -> String;

    /// A field, or `None` if the type has no such field.
    fn field(&self, name: &str) -> Option<Value> {
        let _ = name;
        None
    }

    /// The parameters of a method, if the type has it and says so. The executor then counts, checks and converts the
    /// arguments before [`Object::call`] sees them, with Go's error texts.
    fn method(&self, name: &str) -> Option<Signature> {
        let _ = name;
        None
    }

    /// Calls a method; `None` if the type has no such method.
    fn call(&self, name: &str, args: &[Value], host: &mut dyn Host) -> Option<Result<Value, FuncError>> {
        let _ = (name, args, host);
        None
    }

    /// The entries, if the type is a map that has methods (Helm's `Files`): `range`, `index`, `len`, field access and
    /// functions that take a map see them; methods come first.
    fn entries(&self) -> Option<Map> {
        None
    }

    /// The items, if the type is a slice that has methods (Helm's `APIVersions`): `range`, `index`, `len` and functions
    /// that take a list see them.
    fn items(&self) -> Option<List> {
        None
    }

    /// What `{{if}}` makes of it; structs and non-nil pointers are true.
    fn truth(&self) -> bool {
        true
    }

    /// The value as JSON, for `toJson` and `toYaml`.
    fn to_json(&self) -> serde_json::Value {
        serde_json::Value::String(self.display())
    }

    /// For functions that take the object's own type back.
    fn as_any(&self) -> &dyn std::any::Any;
}

impl Value {
    /// A `string`.
    pub fn str(s: impl Into<Str>) -> Value {
        Value::Str(s.into())
    }

    /// An `int`.
    pub fn int(n: i64) -> Value {
        Value::Int(n, IntType::Int)
    }

    /// An `int64`.
    pub fn int64(n: i64) -> Value {
        Value::Int(n, IntType::Int64)
    }

    /// A `[]interface {}`.
    pub fn list(items: Vec<Value>) -> Value {
        Value::List(List::new(items))
    }

    /// A `[]string`.
    pub fn strings<S: Into<Str>>(items: impl IntoIterator<Item = S>) -> Value {
        Value::List(List::typed(
            ElemType::String,
            items.into_iter().map(|s| Value::Str(s.into())).collect(),
        ))
    }

    /// A `map[string]interface {}`.
    pub fn map<K: Into<Str>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
        Value::Map(Map::new(
            entries.into_iter().map(|(k, v)| (k.into(), v)).collect(),
        ))
    }

    /// What Go's `encoding/json` decodes into `interface {}`: every number becomes a `float64`.
    pub fn from_json(json: &serde_json::Value) -> Value {
        Value::from_json_with(json, &|n| Value::Float(n.as_f64().unwrap_or(f64::NAN)))
    }

    /// Like [`Value::from_json`], with integers kept as `int64`; for values that never passed through JSON (`--set`).
    pub fn from_json_integers(json: &serde_json::Value) -> Value {
        Value::from_json_with(json, &|n| match n.as_i64() {
            Some(i) => Value::int64(i),
            None => Value::Float(n.as_f64().unwrap_or(f64::NAN)),
        })
    }

    fn from_json_with(json: &serde_json::Value, number: &dyn Fn(&serde_json::Number) -> Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Nil,
            serde_json::Value::Bool(b) => Value::Bool(*b),
            serde_json::Value::Number(n) => number(n),
            serde_json::Value::String(s) => Value::str(s.as_str()),
            serde_json::Value::Array(items) => {
                Value::list(items.iter().map(|v| Value::from_json_with(v, number)).collect())
            }
            serde_json::Value::Object(entries) => Value::map(
                entries
                    .iter()
                    .map(|(k, v)| (k.as_str(), Value::from_json_with(v, number))),
            ),
        }
    }
}

// Lists and maps may nest deeper than the stack is high; they are taken apart with a stack that grows.

impl Drop for ListCell {
    fn drop(&mut self) {
        let items = self.items.get_mut();
        if items.iter().any(Value::is_container) {
            deeper(|| items.clear());
        }
    }
}

impl Drop for MapCell {
    fn drop(&mut self) {
        let entries = self.entries.get_mut();
        if entries.values().any(Value::is_container) {
            deeper(|| entries.clear());
        }
    }
}
