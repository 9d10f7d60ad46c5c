//! One value under one verb.

use std::rc::Rc;

use super::float::Layout;
use super::pad::{Base, Flags};
use crate::limits::VALUE_DEPTH;
use crate::stack::deeper;
use crate::value::{ElemType, List, Map, Object, Value, underlying};

/// Where formatted values go.
#[derive(Default)]
pub(crate) struct Printer {
    pub out: Vec<u8>,
    pub flags: Flags,
    depth: usize,
}

impl Printer {
    pub fn new(out: Vec<u8>) -> Printer {
        Printer {
            out,
            ..Printer::default()
        }
    }

    /// A value that is an argument of its own.
    pub fn argument(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => self.flags.pad(&mut self.out, b"<nil>"),
            (_, 'T') => self.flags.text(&mut self.out, value.type_name().as_bytes()),
            (_, 'p') => self.pointer(value),
            _ => self.value(value, verb),
        }
    }

    /// `%!d(string=x)`: a verb that the value's type does not have.
    pub fn bad_verb(&mut self, value: &Value, verb: char) {
        self.out.extend_from_slice(b"%!");
        crate::unicode::push(&mut self.out, verb);
        self.out.push(b'(');
        self.with_type(value);
        self.out.push(b')');
    }

    /// `string=x`, or `<nil>`.
    pub fn with_type(&mut self, value: &Value) {
        if let Value::Nil = value {
            self.out.extend_from_slice(b"<nil>");
            return;
        }
        self.out.extend_from_slice(value.type_name().as_bytes());
        self.out.push(b'=');
        self.value(value, 'v');
    }

    fn value(&mut self, value: &Value, verb: char) {
        let (out, flags) = (&mut self.out, self.flags);
        match (value, verb) {
            (Value::Nil, _) => self.bad_verb(value, verb),
            (Value::Bool(b), 't' | 'v') => flags.pad(out, if *b { b"true" } else { b"false" }),
            (Value::Int(n, _), _) => {
                if !self.integer(n.unsigned_abs(), *n < 0, *n as u64, false, verb) {
                    self.bad_verb(value, verb);
                }
            }
            (Value::Uint(n, _), _) => {
                if !self.integer(*n, false, *n, true, verb) {
                    self.bad_verb(value, verb);
                }
            }
            (Value::Float(n), _) => {
                if !self.float(*n, verb) {
                    self.bad_verb(value, verb);
                }
            }
            (Value::Complex(real, imaginary), _) => self.complex(value, *real, *imaginary, verb),
            (Value::Str(s), _) => {
                if !self.text(s.as_bytes(), verb) {
                    self.bad_verb(value, verb);
                }
            }
            (Value::Bytes(bytes), _) => self.bytes(bytes, verb),
            // For errors, and only in Errorf; no list or map gets as far as its elements.
            (Value::List(_) | Value::Map(_) | Value::Object(_), 'w') => self.bad_verb(value, verb),
            (Value::List(list), _) => self.list(value, list, verb),
            (Value::Map(map), _) => self.map(value, map, verb),
            (Value::Object(object), _) => self.object(value, object, verb),
            (Value::Bool(_), _) => self.bad_verb(value, verb),
        }
    }

    fn text(&mut self, text: &[u8], verb: char) -> bool {
        let (out, flags) = (&mut self.out, self.flags);
        match verb {
            'v' if flags.sharp_v => flags.quoted(out, text),
            'v' | 's' => flags.text(out, text),
            'x' | 'X' => flags.hex_text(out, text, verb == 'X'),
            'q' => flags.quoted(out, text),
            _ => return false,
        }
        true
    }

    /// `code` is the integer's two's complement, as `%c` and its kin see it.
    fn integer(&mut self, magnitude: u64, negative: bool, code: u64, unsigned: bool, verb: char) -> bool {
        let (out, mut flags) = (&mut self.out, self.flags);
        let base = match verb {
            'v' if flags.sharp_v && unsigned => {
                flags.sharp = true;
                Base::Sixteen
            }
            'v' | 'd' => Base::Ten,
            'b' => Base::Two,
            'o' => Base::Eight,
            'O' => Base::EightPrefixed,
            'x' => Base::Sixteen,
            'X' => Base::SixteenUpper,
            'c' => {
                flags.character(out, code);
                return true;
            }
            'q' => {
                flags.quoted_character(out, code);
                return true;
            }
            'U' => {
                flags.unicode(out, code);
                return true;
            }
            _ => return false,
        };
        flags.integer(out, magnitude, negative, base);
        true
    }

    fn float(&mut self, value: f64, verb: char) -> bool {
        let (layout, default) = match verb {
            'v' | 'g' | 'G' => (Layout::General, None),
            'b' => (Layout::Binary, None),
            'x' | 'X' => (Layout::Hexadecimal, None),
            'f' | 'F' => (Layout::Fixed, Some(6)),
            'e' | 'E' => (Layout::Exponent, Some(6)),
            _ => return false,
        };
        let upper = matches!(verb, 'G' | 'X' | 'E');
        self.flags.float(&mut self.out, value, layout, upper, default);
        true
    }

    fn complex(&mut self, value: &Value, real: f64, imaginary: f64, verb: char) {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            self.bad_verb(value, verb);
            return;
        }
        let plus = self.flags.plus;
        self.out.push(b'(');
        self.float(real, verb);
        self.flags.plus = true;
        self.float(imaginary, verb);
        self.out.extend_from_slice(b"i)");
        self.flags.plus = plus;
    }

    fn bytes(&mut self, bytes: &[u8], verb: char) {
        match verb {
            's' => self.flags.text(&mut self.out, bytes),
            'x' | 'X' | 'q' => {
                self.text(bytes, verb);
            }
            'v' | 'd' if self.flags.sharp_v => {
                let mut hex = self.flags;
                hex.sharp = true;
                self.out.extend_from_slice(b"[]byte{");
                for (at, byte) in bytes.iter().enumerate() {
                    self.separate(at);
                    hex.integer(&mut self.out, u64::from(*byte), false, Base::Sixteen);
                }
                self.out.push(b'}');
            }
            _ => {
                self.out.push(b'[');
                for (at, byte) in bytes.iter().enumerate() {
                    self.separate(at);
                    self.value(
                        &Value::Uint(u64::from(*byte), crate::value::UintType::Uint8),
                        verb,
                    );
                }
                self.out.push(b']');
            }
        }
    }

    fn list(&mut self, value: &Value, list: &List, verb: char) {
        let items = list.items();
        if self.flags.sharp_v {
            self.out.extend_from_slice(value.type_name().as_bytes());
            if list.is_nil() {
                self.out.extend_from_slice(b"(nil)");
                return;
            }
        }
        self.out.push(if self.flags.sharp_v { b'{' } else { b'[' });
        for (at, item) in items.iter().enumerate() {
            self.separate(at);
            self.element(item, list.elem(), verb);
        }
        self.out.push(if self.flags.sharp_v { b'}' } else { b']' });
    }

    fn map(&mut self, value: &Value, map: &Map, verb: char) {
        let entries = map.entries();
        if self.flags.sharp_v {
            self.out.extend_from_slice(value.type_name().as_bytes());
            if map.is_nil() {
                self.out.extend_from_slice(b"(nil)");
                return;
            }
            self.out.push(b'{');
        } else {
            self.out.extend_from_slice(b"map[");
        }
        for (at, (key, item)) in entries.iter().enumerate() {
            self.separate(at);
            if !self.text(key.as_bytes(), verb) {
                self.bad_verb(&Value::Str(key.clone()), verb);
            }
            self.out.push(b':');
            self.element(item, map.elem(), verb);
        }
        self.out.push(if self.flags.sharp_v { b'}' } else { b']' });
    }

    fn separate(&mut self, at: usize) {
        if at > 0 {
            let separator: &[u8] = if self.flags.sharp_v { b", " } else { b" " };
            self.out.extend_from_slice(separator);
        }
    }

    /// A value inside another one.
    fn element(&mut self, value: &Value, elem: ElemType, verb: char) {
        match value {
            Value::Nil if elem == ElemType::Any && self.flags.sharp_v => {
                self.out.extend_from_slice(b"interface {}(nil)");
            }
            Value::Nil => self.out.extend_from_slice(b"<nil>"),
            Value::List(_) | Value::Map(_) if self.depth >= VALUE_DEPTH => {
                self.out.extend_from_slice(b"...");
            }
            Value::List(_) | Value::Map(_) => {
                self.depth += 1;
                deeper(|| self.value(value, verb));
                self.depth -= 1;
            }
            _ => self.value(value, verb),
        }
    }

    fn object(&mut self, value: &Value, object: &Rc<dyn Object>, verb: char) {
        if let Some(underlying) = underlying(object) {
            self.value(&underlying, verb);
            return;
        }
        let text = object.display();
        if self.flags.sharp_v || !self.text(text.as_bytes(), verb) {
            if verb == 'v' {
                self.out.extend_from_slice(text.as_bytes());
            } else {
                self.bad_verb(value, verb);
            }
        }
    }

    /// `%p`. Addresses differ from run to run in Go; ours are all alike.
    fn pointer(&mut self, value: &Value) {
        match value {
            Value::List(_) | Value::Map(_) | Value::Bytes(_) => {
                let mut flags = self.flags;
                flags.sharp = !flags.sharp;
                flags.integer(&mut self.out, 0xc0_0000_0000, false, Base::Sixteen);
            }
            _ => self.bad_verb(value, 'p'),
        }
    }
}
