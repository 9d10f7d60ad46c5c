//! What a value is: its kind, its type's name, its truth, its length.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

use super::{ElemType, IntType, List, Map, Object, UintType, Value};

impl Value {
    /// What `{{if}}` makes of it: false for nil, zero, and everything empty.
    pub fn truth(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(b) => *b,
            Value::Int(n, _) => *n != 0,
            Value::Uint(n, _) => *n != 0,
            Value::Float(n) => *n != 0.0,
            Value::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Value::Str(s) => !s.is_empty(),
            Value::Bytes(bytes) => !bytes.is_empty(),
            Value::List(list) => !list.items().is_empty(),
            Value::Map(map) => !map.entries().is_empty(),
            Value::Object(object) => match underlying(object) {
                Some(value) => value.truth(),
                None => object.truth(),
            },
        }
    }

    /// The name of its `reflect.Kind`: `string`, `map`, `slice`, `float64`; `invalid` for nil.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Nil => "invalid",
            Value::Bool(_) => "bool",
            Value::Int(_, int) => int.name(),
            Value::Uint(_, uint) => uint.name(),
            Value::Float(_) => "float64",
            Value::Complex(..) => "complex128",
            Value::Str(_) => "string",
            Value::Bytes(_) | Value::List(_) => "slice",
            Value::Map(_) => "map",
            Value::Object(object) => match underlying(object) {
                Some(value) => value.kind(),
                None if object.type_name().starts_with('*') => "ptr",
                None => "struct",
            },
        }
    }

    /// The name of its type as `%T` prints it: `string`, `map[string]interface {}`; `<nil>` for nil.
    pub fn type_name(&self) -> Cow<'_, str> {
        match self {
            Value::Nil => Cow::Borrowed("<nil>"),
            Value::Bytes(_) => Cow::Borrowed("[]uint8"),
            Value::List(list) => Cow::Owned(format!("[]{}", list.elem().name())),
            Value::Map(map) => match map.name() {
                Some(name) => Cow::Borrowed(name),
                None => Cow::Owned(format!("map[string]{}", map.elem().name())),
            },
            Value::Object(object) => Cow::Borrowed(object.type_name()),
            _ => Cow::Borrowed(self.kind()),
        }
    }

    /// The number of bytes, items or entries; `None` for a type that has no length.
    pub fn len(&self) -> Option<usize> {
        match self {
            Value::Str(s) => Some(s.as_bytes().len()),
            Value::Bytes(bytes) => Some(bytes.len()),
            Value::List(list) => Some(list.items().len()),
            Value::Map(map) => Some(map.entries().len()),
            Value::Object(object) => underlying(object)?.len(),
            _ => None,
        }
    }

    /// Whether it has a length and that is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Whether it is a list or a map.
    pub(crate) fn is_container(&self) -> bool {
        matches!(self, Value::List(_) | Value::Map(_))
    }
}

/// The value in Go syntax, as `%#v` prints it.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = crate::fmt::sprintf(b"%#v", std::slice::from_ref(self));
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// The map or list that an object with methods is underneath, if it is one.
pub(crate) fn underlying(object: &Rc<dyn Object>) -> Option<Value> {
    let map = object.entries().map(Value::Map);
    map.or_else(|| object.items().map(Value::List))
}

impl ElemType {
    /// The name of the element's type.
    pub fn name(self) -> &'static str {
        match self {
            ElemType::Any => "interface {}",
            ElemType::String => "string",
            ElemType::Int => "int",
            ElemType::Int64 => "int64",
            ElemType::Float64 => "float64",
            ElemType::Map => "map[string]interface {}",
            ElemType::List => "[]interface {}",
            ElemType::Bytes => "[]uint8",
        }
    }

    /// The zero value of the type, as a map gives it for a key that it does not have.
    pub fn zero(self) -> Value {
        match self {
            ElemType::Any => Value::Nil,
            ElemType::String => Value::str(""),
            ElemType::Int => Value::int(0),
            ElemType::Int64 => Value::int64(0),
            ElemType::Float64 => Value::Float(0.0),
            ElemType::Map => Value::Map(Map::nil(ElemType::Any)),
            ElemType::List => Value::List(List::nil(ElemType::Any)),
            ElemType::Bytes => Value::Bytes(Rc::from([])),
        }
    }
}

impl IntType {
    /// The type's name.
    pub fn name(self) -> &'static str {
        match self {
            IntType::Int => "int",
            IntType::Int8 => "int8",
            IntType::Int16 => "int16",
            IntType::Int32 => "int32",
            IntType::Int64 => "int64",
        }
    }
}

impl UintType {
    /// The type's name.
    pub fn name(self) -> &'static str {
        match self {
            UintType::Uint => "uint",
            UintType::Uint8 => "uint8",
            UintType::Uint16 => "uint16",
            UintType::Uint32 => "uint32",
            UintType::Uint64 => "uint64",
        }
    }
}
