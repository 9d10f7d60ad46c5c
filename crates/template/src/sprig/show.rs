//! What values look like as text: `%v`, and sprig's `strval`.

use std::borrow::Cow;

use crate::fmt;
use crate::value::Value;

/// What `%v` prints.
pub(super) fn display(value: &Value) -> Vec<u8> {
    match value {
        Value::Str(s) => s.as_bytes().to_vec(),
        other => fmt::print(Vec::new(), std::slice::from_ref(other)),
    }
}

/// What `toString` gives: like `%v`, but bytes are text.
pub(super) fn strval(value: &Value) -> Cow<'_, [u8]> {
    match value {
        Value::Str(s) => Cow::Borrowed(s.as_bytes()),
        Value::Bytes(bytes) => Cow::Borrowed(bytes),
        other => Cow::Owned(display(other)),
    }
}
