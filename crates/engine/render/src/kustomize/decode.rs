//! JSON into typed structs with the rules and the words of Go's encoding/json, which kustomize's users know: keys match
//! without regard to case, `null` is the zero value, the first error wins, and it names the struct and the whole path.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// How strictly to read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// encoding/json with unknown fields refused: the kustomization file.
    Json,
    /// sigs.k8s.io/yaml: numbers and booleans become text where text is wanted; unknown fields are ignored.
    Yaml,
    /// The same with unknown fields refused: the files of `configurations`.
    YamlStrict,
}

/// The state of one decoding.
pub(super) struct Decoder {
    mode: Mode,
    path: Vec<&'static str>,
    structure: &'static str,
    error: Option<String>,
}

/// Reads a whole value.
pub(super) fn decode<T: Decode>(value: &Value, mode: Mode) -> Result<T, String> {
    let mut decoder = Decoder {
        mode,
        path: Vec::new(),
        structure: "",
        error: None,
    };
    let mut target = T::default();
    target.read(value, &mut decoder);
    match (decoder.error, mode) {
        (None, _) => Ok(target),
        (Some(error), Mode::Json) => Err(error),
        (Some(error), _) => Err(format!("error unmarshaling JSON: while decoding JSON: {error}")),
    }
}

/// A type that can be read.
pub(super) trait Decode: Default {
    /// The type's name in Go, as the messages say it.
    fn go_type() -> String;
    /// Reads over what is there: fields that the value does not have keep what they are.
    fn read(&mut self, value: &Value, decoder: &mut Decoder);
}

impl Decoder {
    fn fail(&mut self, text: String) {
        self.error.get_or_insert(text);
    }

    pub(super) fn mismatch(&mut self, value: &Value, go_type: &str) {
        let what = match value {
            Value::Null => return,
            Value::Bool(_) => "bool".to_owned(),
            Value::Number(number) if go_type == "int64" => format!("number {number}"),
            Value::Number(_) => "number".to_owned(),
            Value::String(_) => "string".to_owned(),
            Value::Array(_) => "array".to_owned(),
            Value::Object(_) => "object".to_owned(),
        };
        let into = if self.path.is_empty() {
            "Go value".to_owned()
        } else {
            format!("Go struct field {}.{}", self.structure, self.path.join("."))
        };
        self.fail(format!(
            "json: cannot unmarshal {what} into {into} of type {go_type}"
        ));
    }

    pub(super) fn object<'v>(
        &mut self,
        value: &'v Value,
        go_type: impl FnOnce() -> String,
    ) -> Option<&'v Map<String, Value>> {
        match value {
            Value::Object(map) => Some(map),
            other => {
                self.mismatch(other, &go_type());
                None
            }
        }
    }

    pub(super) fn unknown(&mut self, key: &str) {
        if self.mode != Mode::Yaml {
            self.fail(format!("json: unknown field {key:?}"));
        }
    }

    pub(super) fn field<T: Decode>(
        &mut self,
        structure: &'static str,
        path: &'static str,
        target: &mut T,
        value: &Value,
    ) {
        let (depth, outer) = (self.path.len(), self.structure);
        self.path.extend(path.split('.'));
        self.structure = structure;
        target.read(value, self);
        self.structure = outer;
        self.path.truncate(depth);
    }

    fn coerces(&self) -> bool {
        self.mode != Mode::Json
    }
}

/// Which of the fields a key means: the exact one, else one that differs in case only. A path's last part is the key.
pub(super) fn matching(key: &str, paths: &[&'static str]) -> Option<&'static str> {
    let name = |path: &&'static str| path.rsplit('.').next().expect("split yields at least one part");
    let exact = paths.iter().find(|path| name(path) == key);
    exact
        .or_else(|| paths.iter().find(|path| name(path).eq_ignore_ascii_case(key)))
        .copied()
}

/// Declares a struct that is read from JSON. The text behind a field is its key; embedded structs, which Go flattens but
/// names in messages, stand before it with a dot.
macro_rules! go_struct {
    ($(#[$meta:meta])* $name:ident, $go:literal { $($field:ident: $type:ty = $path:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default)]
        pub(in crate::kustomize) struct $name {
            $(pub(in crate::kustomize) $field: $type,)*
        }

        impl $crate::kustomize::decode::Decode for $name {
            fn go_type() -> String {
                concat!("types.", $go).to_owned()
            }

            fn read(
                &mut self,
                value: &serde_json::Value,
                decoder: &mut $crate::kustomize::decode::Decoder,
            ) {
                if value.is_null() {
                    return;
                }
                let Some(map) = decoder.object(value, Self::go_type) else {
                    return;
                };
                for (key, value) in map {
                    match $crate::kustomize::decode::matching(key, &[$($path),*]) {
                        $(Some($path) => decoder.field($go, $path, &mut self.$field, value),)*
                        _ => decoder.unknown(key),
                    }
                }
            }
        }
    };
}
pub(super) use go_struct;

impl Decode for String {
    fn go_type() -> String {
        "string".to_owned()
    }

    fn read(&mut self, value: &Value, decoder: &mut Decoder) {
        match value {
            Value::String(text) => text.clone_into(self),
            Value::Null => {}
            Value::Number(_) | Value::Bool(_) if decoder.coerces() => *self = value.to_string(),
            other => decoder.mismatch(other, "string"),
        }
    }
}

impl Decode for bool {
    fn go_type() -> String {
        "bool".to_owned()
    }

    fn read(&mut self, value: &Value, decoder: &mut Decoder) {
        match value {
            Value::Bool(flag) => *self = *flag,
            other => decoder.mismatch(other, "bool"),
        }
    }
}

impl Decode for i64 {
    fn go_type() -> String {
        "int64".to_owned()
    }

    fn read(&mut self, value: &Value, decoder: &mut Decoder) {
        let integer = value.as_i64().or_else(|| {
            let float = value.as_f64()?;
            // The dialect hands over integers as floats where YAML wrote them so; anything else is refused.
            (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
        });
        match integer {
            Some(integer) => *self = integer,
            None => decoder.mismatch(value, "int64"),
        }
    }
}

impl<T: Decode> Decode for Option<T> {
    fn go_type() -> String {
        T::go_type()
    }

    fn read(&mut self, value: &Value, decoder: &mut Decoder) {
        if value.is_null() {
            *self = None;
        } else {
            self.get_or_insert_default().read(value, decoder);
        }
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn go_type() -> String {
        format!("[]{}", T::go_type())
    }

    fn read(&mut self, value: &Value, decoder: &mut Decoder) {
        match value {
            Value::Array(items) => {
                *self = items
                    .iter()
                    .map(|item| {
                        let mut element = T::default();
                        element.read(item, decoder);
                        element
                    })
                    .collect();
            }
            Value::Null => self.clear(),
            other => decoder.mismatch(other, &Self::go_type()),
        }
    }
}

impl<T: Decode> Decode for BTreeMap<String, T> {
    fn go_type() -> String {
        format!("map[string]{}", T::go_type())
    }

    fn read(&mut self, value: &Value, decoder: &mut Decoder) {
        if value.is_null() {
            return self.clear();
        }
        let Some(map) = decoder.object(value, Self::go_type) else {
            return;
        };
        for (key, value) in map {
            let mut element = T::default();
            element.read(value, decoder);
            self.insert(key.clone(), element);
        }
    }
}

impl Decode for Value {
    fn go_type() -> String {
        "interface {}".to_owned()
    }

    fn read(&mut self, value: &Value, _: &mut Decoder) {
        self.clone_from(value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    go_struct! {
        Inner, "Inner" {
            name: String = "Meta.name",
            counts: Vec<i64> = "counts",
        }
    }
    go_struct! {
        Outer, "Outer" {
            inner: Option<Inner> = "inner",
            pairs: BTreeMap<String, String> = "pairs",
        }
    }

    #[test]
    fn messages_are_those_of_go() {
        let cases = [
            (
                json!([]),
                "json: cannot unmarshal array into Go value of type types.Outer",
            ),
            (json!({"x": 1}), "json: unknown field \"x\""),
            (
                json!({"inner": {"name": 5}}),
                "json: cannot unmarshal number into Go struct field Inner.inner.Meta.name of type string",
            ),
            (
                json!({"inner": {"counts": ["a"]}}),
                "json: cannot unmarshal string into Go struct field Inner.inner.counts of type int64",
            ),
            (
                json!({"inner": {"counts": [1.5]}}),
                "json: cannot unmarshal number 1.5 into Go struct field Inner.inner.counts of type int64",
            ),
            (
                json!({"pairs": []}),
                "json: cannot unmarshal array into Go struct field Outer.pairs of type map[string]string",
            ),
        ];
        for (value, message) in cases {
            let got = decode::<Outer>(&value, Mode::Json).err();
            assert_eq!(got.as_deref(), Some(message), "{value}");
        }
    }

    #[test]
    fn keys_match_without_regard_to_case_and_yaml_turns_numbers_into_text() {
        let outer: Outer = decode(&json!({"INNER": {"NAME": 7}, "pairs": {"a": true}}), Mode::Yaml)
            .expect("numbers are text in YAML");
        assert_eq!(outer.inner.map(|inner| inner.name).as_deref(), Some("7"));
        assert_eq!(outer.pairs["a"], "true");
    }
}
