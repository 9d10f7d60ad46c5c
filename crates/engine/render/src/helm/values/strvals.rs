//! The grammar of `--set` and its kin: `a.b[0].c={x,y}`.

use std::str::Chars;

use serde_json::{Map, Value};

use crate::helm::go::quote::quoted;
use crate::helm::go::verbs;
use crate::limits::{SET_INDEX, SET_LIST_LEVELS, SET_NAME_LEVELS};

/// How the part behind an equals sign is read.
pub enum Kind<'r> {
    /// `--set`: integers, booleans, null, else text.
    Typed,
    /// `--set-string`: text.
    Text,
    /// `--set-json`: JSON; nothing at all is null.
    Json,
    /// `--set-file`: the name of a file, of which this gives the content or the reason why not.
    File(&'r mut dyn FnMut(&str) -> Result<String, String>),
}

/// Why a line was refused. The text is helm's. What stood before the mistake is in the values already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SetError {
    /// helm's text.
    pub message: String,
}

/// Reads a line of `name=value,...` into the values; what it names is replaced.
pub fn parse_into(line: &str, values: &mut Map<String, Value>, kind: Kind<'_>) -> Result<(), SetError> {
    let mut parser = Parser {
        rest: line.chars(),
        kind,
        literal: false,
    };
    parser.all(values)
}

/// Reads a line of `--set-literal`: one name, and text to the end of the line without escapes.
pub fn parse_literal_into(line: &str, values: &mut Map<String, Value>) -> Result<(), SetError> {
    let mut parser = Parser {
        rest: line.chars(),
        kind: Kind::Text,
        literal: true,
    };
    parser.all(values)
}

struct Parser<'l, 'r> {
    rest: Chars<'l>,
    kind: Kind<'r>,
    /// Without escapes, lists and commas.
    literal: bool,
}

/// What ends the reading of a name or a value.
enum Stop {
    At(char),
    End,
}

/// Why a step ended early.
enum Halt {
    /// The line is over; not a mistake by itself.
    End,
    Error(String),
}

type Step<T> = Result<T, Halt>;

fn error<T>(message: impl Into<String>) -> Step<T> {
    Err(Halt::Error(message.into()))
}

impl Parser<'_, '_> {
    fn all(&mut self, values: &mut Map<String, Value>) -> Result<(), SetError> {
        loop {
            match self.key(values, 0) {
                Ok(()) => {}
                Err(Halt::End) => return Ok(()),
                Err(Halt::Error(message)) => return Err(SetError { message }),
            }
        }
    }

    /// One name with its value.
    fn key(&mut self, values: &mut Map<String, Value>, level: usize) -> Step<()> {
        let stops: &[char] = if self.literal {
            &['=', '[', '.']
        } else {
            &['=', '[', ',', '.']
        };
        let (name, stop) = self.until(stops);
        match stop {
            Stop::End if name.is_empty() => Err(Halt::End),
            Stop::End => error(format!("key {} has no value", quoted(&name))),
            Stop::At('[') => self.indexed(values, name, level),
            Stop::At('.') => self.nested(values, name, level),
            Stop::At(',') => {
                let message = format!("key {} has no value (cannot end with ,)", quoted(&name));
                set(values, name, Value::String(String::new()));
                error(message)
            }
            Stop::At(_) => {
                let (value, outcome) = self.value();
                if let Some(value) = value {
                    set(values, name, value);
                }
                outcome
            }
        }
    }

    /// `name[index]...`
    fn indexed(&mut self, values: &mut Map<String, Value>, name: String, level: usize) -> Step<()> {
        let index = self.index()?;
        let mut list = match values.get_mut(&name) {
            None => Vec::new(),
            Some(Value::Array(list)) => std::mem::take(list),
            Some(other) => return error(conversion(other, "[]interface {}")),
        };
        let outcome = self.item(&mut list, index, level, 0);
        set(values, name, Value::Array(list));
        outcome
    }

    /// `name.name...`
    fn nested(&mut self, values: &mut Map<String, Value>, name: String, level: usize) -> Step<()> {
        if level + 1 > SET_NAME_LEVELS {
            return error(format!(
                "value name nested level is greater than maximum supported nested level of {SET_NAME_LEVELS}"
            ));
        }
        let existing = match values.get_mut(&name) {
            None => Map::new(),
            Some(Value::Object(existing)) => std::mem::take(existing),
            Some(other) => return error(conversion(other, "map[string]interface {}")),
        };
        let mut inner = existing;
        let outcome = self.key(&mut inner, level + 1);
        if inner.is_empty() {
            if outcome.is_ok() {
                return error(format!("key map {} has no value", quoted(&name)));
            }
            // It was empty before, if it was there.
            if let Some(slot) = values.get_mut(&name) {
                *slot = Value::Object(inner);
            }
            return outcome;
        }
        set(values, name, Value::Object(inner));
        outcome
    }

    /// What follows an index: a value, a further index, or a name.
    fn item(&mut self, list: &mut Vec<Value>, index: i64, level: usize, depth: usize) -> Step<()> {
        if index < 0 {
            return error(format!("negative {index} index not allowed"));
        }
        let (text, stop) = self.until(&['[', '.', '=']);
        if !text.is_empty() {
            return error(format!(
                "unexpected data at end of array index: {}",
                quoted_chars(&text)
            ));
        }
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        match stop {
            Stop::End => Err(Halt::End),
            Stop::At('[') => self.nested_item(list, place, level, depth),
            Stop::At('.') => {
                let mut inner = match list.get_mut(place) {
                    Some(slot) => match std::mem::replace(slot, Value::Object(Map::new())) {
                        Value::Object(inner) => inner,
                        _ => Map::new(),
                    },
                    None => Map::new(),
                };
                let outcome = self.key(&mut inner, level);
                if outcome.is_ok() || place < list.len() {
                    put(list, place, Value::Object(inner))?;
                }
                outcome
            }
            Stop::At(_) => match self.value() {
                (Some(value), Ok(()) | Err(Halt::End)) => put(list, place, value),
                (_, outcome) => outcome,
            },
        }
    }

    /// `[index][index]...`
    fn nested_item(&mut self, list: &mut Vec<Value>, place: usize, level: usize, depth: usize) -> Step<()> {
        if depth >= SET_LIST_LEVELS {
            return error(format!("lists are nested deeper than {SET_LIST_LEVELS}"));
        }
        let index = self.index()?;
        let mut inner = match list.get_mut(place) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(inner)) => std::mem::take(inner),
            Some(other) => return error(conversion(other, "[]interface {}")),
        };
        let outcome = self.item(&mut inner, index, level, depth + 1);
        if outcome.is_ok() || list.get(place).is_some_and(Value::is_array) {
            put(list, place, Value::Array(inner))?;
        }
        outcome
    }

    /// The number up to `]`.
    fn index(&mut self) -> Step<i64> {
        let (text, stop) = self.until(&[']']);
        if matches!(stop, Stop::End) {
            // helm takes the end of the line for the end of its work, even here.
            return Err(Halt::End);
        }
        let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let problem = if is_number {
            "value out of range"
        } else {
            "invalid syntax"
        };
        match text.parse() {
            Ok(index) if is_number => Ok(index),
            _ => error(format!(
                "error parsing index: strconv.Atoi: parsing {}: {problem}",
                quoted(&text)
            )),
        }
    }

    /// The value behind an equals sign. It can be there although the step fails: the line is over, or a file is missing.
    fn value(&mut self) -> (Option<Value>, Step<()>) {
        if self.literal {
            let text: String = self.rest.by_ref().collect();
            return (Some(Value::String(text)), Ok(()));
        }
        if matches!(self.kind, Kind::Json) {
            return match self.json() {
                Ok(value) => (Some(value), Ok(())),
                Err(halt) => (None, Err(halt)),
            };
        }
        let mut ahead = self.rest.clone();
        match ahead.next() {
            None => (Some(Value::String(String::new())), Err(Halt::End)),
            Some('{') => {
                self.rest = ahead;
                match self.list() {
                    Ok(list) => (Some(Value::Array(list)), Ok(())),
                    Err(halt) => (None, Err(halt)),
                }
            }
            Some(_) => {
                let (text, _) = self.until(&[',']);
                self.interpreted(text)
            }
        }
    }

    /// The items up to `}`.
    fn list(&mut self) -> Step<Vec<Value>> {
        let mut list = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            if matches!(stop, Stop::End) {
                return error("list must terminate with '}'");
            }
            if matches!(stop, Stop::At('}')) {
                let mut ahead = self.rest.clone();
                if ahead.next() == Some(',') {
                    self.rest = ahead;
                }
            }
            let (value, outcome) = self.interpreted(text);
            outcome?;
            list.extend(value);
            if matches!(stop, Stop::At('}')) {
                return Ok(list);
            }
        }
    }

    fn interpreted(&mut self, text: String) -> (Option<Value>, Step<()>) {
        match &mut self.kind {
            Kind::Typed => (Some(typed(text)), Ok(())),
            Kind::Text | Kind::Json => (Some(Value::String(text)), Ok(())),
            Kind::File(read) => match read(&text) {
                Ok(content) => (Some(Value::String(content)), Ok(())),
                // helm sets nil, then fails.
                Err(message) => (Some(Value::Null), error(message)),
            },
        }
    }

    /// One JSON value, with the blanks and the comma behind it.
    fn json(&mut self) -> Step<Value> {
        if self.blank_value() {
            return Ok(Value::Null);
        }
        let text = self.rest.as_str();
        let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        match stream.next() {
            Some(Ok(mut value)) => {
                self.rest = text[stream.byte_offset()..].chars();
                self.blank_value();
                super::table::make_floats(&mut value);
                Ok(value)
            }
            Some(Err(cause)) if cause.is_eof() => error("unexpected EOF"),
            Some(Err(cause)) => error(cause.to_string()),
            None => Err(Halt::End),
        }
    }

    /// Skips blanks; whether nothing but a comma or the end follows them. The comma is skipped too.
    fn blank_value(&mut self) -> bool {
        loop {
            let mut ahead = self.rest.clone();
            match ahead.next() {
                None => return true,
                Some(',') => {
                    self.rest = ahead;
                    return true;
                }
                Some(c) if c.is_whitespace() => self.rest = ahead,
                Some(_) => return false,
            }
        }
    }

    /// The text up to one of these, with `\x` standing for x.
    fn until(&mut self, stops: &[char]) -> (String, Stop) {
        let mut text = String::new();
        while let Some(c) = self.rest.next() {
            if stops.contains(&c) {
                return (text, Stop::At(c));
            }
            if c == '\\' && !self.literal {
                match self.rest.next() {
                    Some(escaped) => text.push(escaped),
                    None => return (text, Stop::End),
                }
            } else {
                text.push(c);
            }
        }
        (text, Stop::End)
    }
}

/// Go's `%q` of a list of characters.
fn quoted_chars(text: &str) -> String {
    let each = text.chars().map(|c| match c {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        c => {
            let double = quoted(c.encode_utf8(&mut [0; 4]));
            format!("'{}'", &double[1..double.len() - 1])
        }
    });
    format!("[{}]", each.collect::<Vec<_>>().join(" "))
}

fn set(values: &mut Map<String, Value>, name: String, value: Value) {
    if !name.is_empty() {
        values.insert(name, value);
    }
}

fn put(list: &mut Vec<Value>, place: usize, value: Value) -> Step<()> {
    if place > SET_INDEX {
        return error(format!(
            "index of {place} is greater than maximum supported index of {SET_INDEX}"
        ));
    }
    if list.len() <= place {
        list.resize(place + 1, Value::Null);
    }
    list[place] = value;
    Ok(())
}

fn typed(text: String) -> Value {
    if text.eq_ignore_ascii_case("true") {
        return Value::Bool(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Value::Bool(false);
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Null;
    }
    if text == "0" {
        return Value::from(0_i64);
    }
    // A leading zero marks text: a version, a telephone number.
    match text.parse::<i64>() {
        Ok(number) if !text.starts_with('0') => Value::from(number),
        _ => Value::String(text),
    }
}

/// The text of Go's failed type assertion, as helm reports it.
fn conversion(found: &Value, wanted: &str) -> String {
    let found = match found {
        Value::Null => "nil",
        other => verbs::type_name(other),
    };
    format!("unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Lines with what helm 4.3.1 makes of them.
    #[test]
    fn lines_mean_what_they_mean_to_helm() {
        for (line, want) in [
            ("a[0", Ok(json!({}))),
            ("a[0]", Ok(json!({"a": []}))),
            ("a[0].b=", Ok(json!({"a": []}))),
            ("a[2]={x},a[0]=", Ok(json!({"a": ["", null, ["x"]]}))),
            ("a[+1]=3", Ok(json!({"a": [null, 3]}))),
            (
                "a=+5,b=-0,c=007,d=0x1,e=TRUE,f=Null",
                Ok(json!({
                    "a": 5, "b": 0, "c": "007", "d": "0x1", "e": true, "f": null
                })),
            ),
            ("a[0][1]=x,a[0].c=1", Ok(json!({"a": [{"c": 1}]}))),
            (
                "a[0]bc=1",
                Err("unexpected data at end of array index: ['b' 'c']"),
            ),
            (
                "a[x]=1",
                Err("error parsing index: strconv.Atoi: parsing \"x\": invalid syntax"),
            ),
            (
                "a=null,a.b=1",
                Err(
                    "unable to parse key: interface conversion: interface {} is nil, not map[string]interface {}",
                ),
            ),
            (
                "a=1,a[0]=1",
                Err("unable to parse key: interface conversion: interface {} is int64, not []interface {}"),
            ),
        ] {
            let mut values = Map::new();
            let outcome = parse_into(line, &mut values, Kind::Typed).map_err(|e| e.message);
            let got = outcome.map(|()| Value::Object(values));
            assert_eq!(got, want.map_err(str::to_owned), "{line}");
        }
    }
}
