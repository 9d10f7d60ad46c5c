//! `reflect.DeepEqual`.

use std::rc::Rc;

use super::{List, Map, Value};
use crate::limits::VALUE_DEPTH;
use crate::stack::deeper;

impl Value {
    /// Whether both are of the same type and have the same contents. An `int` never equals an `int64`, a nil slice
    /// never an empty one, and NaN not even itself.
    pub fn deep_equal(&self, other: &Value) -> bool {
        equal(self, other, 0)
    }
}

fn equal(a: &Value, b: &Value, depth: usize) -> bool {
    match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a, a_type), Value::Int(b, b_type)) => a_type == b_type && a == b,
        (Value::Uint(a, a_type), Value::Uint(b, b_type)) => a_type == b_type && a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Complex(a, ai), Value::Complex(b, bi)) => a == b && ai == bi,
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => a.same(b) || deeper(|| lists(a, b, depth)),
        (Value::Map(a), Value::Map(b)) => a.same(b) || deeper(|| maps(a, b, depth)),
        (Value::Object(a), Value::Object(b)) => {
            Rc::ptr_eq(a, b) || (a.type_name() == b.type_name() && a.display() == b.display())
        }
        _ => false,
    }
}

fn lists(a: &List, b: &List, depth: usize) -> bool {
    if a.elem() != b.elem() || a.is_nil() != b.is_nil() {
        return false;
    }
    let (a, b) = (a.items(), b.items());
    // Two values that contain themselves are equal as far as anyone looks; so does Go, which remembers its visits.
    a.len() == b.len()
        && (depth >= VALUE_DEPTH || a.iter().zip(b.iter()).all(|(a, b)| equal(a, b, depth + 1)))
}

fn maps(a: &Map, b: &Map, depth: usize) -> bool {
    if a.elem() != b.elem() || a.name() != b.name() || a.is_nil() != b.is_nil() {
        return false;
    }
    let (a, b) = (a.entries(), b.entries());
    a.len() == b.len()
        && (depth >= VALUE_DEPTH
            || a.iter()
                .zip(b.iter())
                .all(|((a_key, a), (b_key, b))| a_key == b_key && equal(a, b, depth + 1)))
}
