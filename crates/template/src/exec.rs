//! Runs templates.

mod args;
mod context;
mod error;
mod eval;
mod field;
mod walk;

pub use context::{Ctx, MissingKey, Options, execute};
pub use error::ExecError;

use crate::value::Value;

/// A value and whether it is seen through an `interface {}`, as the elements of a `[]interface {}` are. Go's error
/// texts differ by it, and so does what a nil does: a nil in an interface is an error to look into, no value is not.
#[derive(Clone)]
pub(crate) struct Slot {
    pub value: Value,
    pub boxed: bool,
}

impl Slot {
    /// No value at all: what a missing key gives.
    pub const NONE: Slot = Slot {
        value: Value::Nil,
        boxed: false,
    };

    pub fn plain(value: Value) -> Slot {
        Slot { value, boxed: false }
    }

    pub fn element(value: Value, elem: crate::value::ElemType) -> Slot {
        Slot {
            value,
            boxed: elem == crate::value::ElemType::Any,
        }
    }

    pub fn is_none(&self) -> bool {
        !self.boxed && matches!(self.value, Value::Nil)
    }

    pub fn is_nil_interface(&self) -> bool {
        self.boxed && matches!(self.value, Value::Nil)
    }

    /// The type as error messages name it.
    pub fn type_name(&self) -> std::borrow::Cow<'_, str> {
        if self.boxed {
            "interface {}".into()
        } else {
            self.value.type_name()
        }
    }
}
