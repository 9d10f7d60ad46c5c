//! What a render may use up: a chart comes from a stranger, and a line of it can ask for hours or for all the memory.

use std::cell::Cell;
use std::rc::Rc;

use crate::limits::{METHOD_STEPS, RENDER_BYTES, RENDER_STEPS, VALUE_DEPTH, WALKED_VALUE_BYTES};
use crate::stack::deeper;
use crate::value::Value;

/// What is left to all runs with one table of functions.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    steps: Cell<u64>,
    bytes: Cell<u64>,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget {
            steps: Cell::new(RENDER_STEPS),
            bytes: Cell::new(RENDER_BYTES),
        }
    }
}

/// Why a render stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted(&'static str);

impl Exhausted {
    pub fn message(self) -> String {
        self.0.to_owned()
    }
}

type Result = std::result::Result<(), Exhausted>;

impl Budget {
    /// Takes the steps that something costs.
    #[inline]
    pub fn steps(&self, count: u64) -> Result {
        let left = self.steps.get().checked_sub(count);
        self.steps.set(left.ok_or(Exhausted(
            "the templates take more steps than a render may: a range or a recursion is too large",
        ))?);
        Ok(())
    }

    /// Takes bytes that were written, copied or read.
    #[inline]
    pub fn bytes(&self, count: usize) -> Result {
        let left = self.bytes.get().checked_sub(count as u64);
        self.bytes.set(left.ok_or(Exhausted(
            "the templates make more text and data than a render may: a repetition is too large",
        ))?);
        Ok(())
    }

    /// Takes what a function is going to read of its arguments.
    #[inline]
    pub fn arguments(&self, values: &[Value]) -> Result {
        for value in values {
            match value {
                Value::Str(text) => self.bytes(text.as_bytes().len())?,
                Value::List(list) => self.bytes(list.items().len() * size_of::<Value>())?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes what a function is going to read that follows its arguments down to the last value. Maps that share parts
    /// double with each level, and it would never end.
    pub fn walk(&self, values: &[Value]) -> Result {
        values.iter().try_for_each(|value| self.walk_level(value, 0))
    }

    fn walk_level(&self, value: &Value, depth: usize) -> Result {
        self.bytes(WALKED_VALUE_BYTES)?;
        match value {
            // What is nested deeper is for the function to refuse, in Go's words.
            _ if depth > VALUE_DEPTH => Ok(()),
            Value::Str(text) => self.bytes(text.as_bytes().len()),
            Value::List(list) => {
                let items = list.items();
                deeper(|| items.iter().try_for_each(|item| self.walk_level(item, depth + 1)))
            }
            Value::Map(map) => {
                let entries = map.entries();
                deeper(|| {
                    entries
                        .values()
                        .try_for_each(|value| self.walk_level(value, depth + 1))
                })
            }
            _ => Ok(()),
        }
    }

    /// Takes a result with all that is in it, unless somebody else holds it: then it was there before.
    #[inline]
    pub fn result(&self, value: &Value) -> Result {
        match value {
            Value::Str(s) if s.is_unshared() => self.bytes(s.as_bytes().len()),
            Value::Bytes(_) | Value::List(_) | Value::Map(_) => self.new_parts(value),
            _ => Ok(()),
        }
    }

    fn new_parts(&self, value: &Value) -> Result {
        // What the allocator hands out for an item, and for an entry with its key.
        let (item_bytes, entry_bytes) = (32, 128);
        match value {
            Value::Bytes(bytes) if Rc::strong_count(bytes) == 1 => self.bytes(bytes.len()),
            // What is new in something new was made for it.
            Value::List(list) if list.is_unshared() => {
                let items = list.items();
                self.bytes(items.len() * item_bytes)?;
                deeper(|| items.iter().try_for_each(|item| self.result(item)))
            }
            Value::Map(map) if map.is_unshared() => {
                let entries = map.entries();
                self.bytes(entries.len() * entry_bytes)?;
                deeper(|| entries.values().try_for_each(|value| self.result(value)))
            }
            _ => Ok(()),
        }
    }

    /// Takes what a method of an object may cost; the object alone knows.
    pub fn method(&self) -> Result {
        self.steps(METHOD_STEPS)
    }
}

/// The steps that a function is worth: most do little, but some are slow by design.
pub(crate) fn steps_of(function: &str) -> u64 {
    match function {
        "genPrivateKey"
        | "genCA"
        | "genCAWithKey"
        | "genSelfSignedCert"
        | "genSelfSignedCertWithKey"
        | "genSignedCert"
        | "genSignedCertWithKey"
        | "buildCustomCert" => 200_000,
        "derivePassword" | "htpasswd" | "bcrypt" => 200_000,
        "encryptAES" | "decryptAES" => 100,
        _ => 1,
    }
}

/// Whether a function follows its arguments down to the last value.
pub(crate) fn walks(function: &str) -> bool {
    let name = function.strip_prefix("must").unwrap_or(function);
    matches!(
        name.to_ascii_lowercase().as_str(),
        "toyaml"
            | "toyamlpretty"
            | "tojson"
            | "toprettyjson"
            | "torawjson"
            | "totoml"
            | "deepcopy"
            | "deepequal"
            | "merge"
            | "mergeoverwrite"
            | "has"
            | "uniq"
            | "without"
            | "quote"
            | "squote"
            | "cat"
            | "join"
            | "sortalpha"
            | "tostring"
            | "tostrings"
            | "todecimal"
    )
}
