//! Values as upstream's internal structs, which is how some messages show them: with the names of Go, in the order of
//! their declaration, nothing left out.
//!
//! The layout of the structs is data (`internal.txt`); what is converted between the served version and them by hand
//! upstream is converted here too.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::edit::Edit;
use crate::field::go_json;

/// A field of a struct.
struct Member {
    /// As Go writes it.
    name: &'static str,
    /// In the served version; `None` where that is the name in another case.
    json: Option<&'static str>,
    omit_empty: bool,
    r#type: &'static str,
}

static STRUCTS: LazyLock<BTreeMap<&'static str, Vec<Member>>> = LazyLock::new(|| {
    let lines = include_str!("internal.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let (name, members) = line.split_once(' ')?;
            Some((name, members.split(' ').filter_map(Member::parse).collect()))
        })
        .collect()
});

impl Member {
    fn parse(text: &'static str) -> Option<Self> {
        let (name, r#type) = text.split_once(':')?;
        let omit_empty = name.ends_with(['?', '!']);
        let name = name.trim_end_matches(['?', '!']);
        let (name, json) = match name.split_once('=') {
            Some((name, json)) => (name, Some(json)),
            None => (name, None),
        };
        Some(Self {
            name,
            json,
            omit_empty,
            r#type,
        })
    }

    fn of<'a>(&self, object: &'a Map<String, Value>) -> Option<&'a Value> {
        let value = match self.json {
            Some(json) => object.get(json),
            None => object
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(self.name))
                .map(|(_, value)| value),
        };
        value.filter(|value| !value.is_null())
    }
}

/// A value of the served version as the struct of this name, on one line; `null` where there is none.
pub fn shown(r#type: &str, value: Option<&Value>) -> String {
    match value.filter(|value| !value.is_null()) {
        None => "null".to_owned(),
        Some(value) => {
            let mut text = String::new();
            Writer {
                text: &mut text,
                indent: None,
            }
            .write(r#type, Some(value));
            text
        }
    }
}

/// As [`shown`], one field a line, each level indented by one blank more.
pub fn pretty(r#type: &str, value: &Value) -> String {
    let mut text = String::new();
    Writer {
        text: &mut text,
        indent: Some(0),
    }
    .write(r#type, Some(value));
    text
}

struct Writer<'a> {
    text: &'a mut String,
    /// The current indentation; `None` for one line.
    indent: Option<usize>,
}

impl Writer<'_> {
    fn write(&mut self, r#type: &str, value: Option<&Value>) {
        if let Some(inner) = r#type.strip_prefix('*') {
            return match value {
                Some(value) => self.write(inner, Some(value)),
                None => self.text.push_str("null"),
            };
        }
        if let Some(inner) = r#type.strip_prefix("[]") {
            return match value.and_then(Value::as_array) {
                Some(items) => {
                    let items = items.iter().map(|item| (None, inner, Some(item)));
                    self.between(['[', ']'], items.collect());
                }
                None => self.text.push_str("null"),
            };
        }
        if let Some(inner) = r#type.strip_prefix("{}") {
            return match value.and_then(Value::as_object) {
                Some(entries) => {
                    let entries = entries
                        .iter()
                        .map(|(key, value)| (Some(key.as_str()), inner, Some(value)));
                    self.between(['{', '}'], entries.collect());
                }
                None => self.text.push_str("null"),
            };
        }
        match (value, r#type) {
            (value, name) if STRUCTS.contains_key(name) => self.structure(name, value),
            (Some(value), _) => self.text.push_str(&go_json(value)),
            (None, "s") => self.text.push_str("\"\""),
            (None, "i" | "o") => self.text.push('0'),
            (None, "b") => self.text.push_str("false"),
            (None, "q") => self.text.push_str("\"0\""),
            (None, _) => self.text.push_str("null"),
        }
    }

    fn structure(&mut self, name: &str, value: Option<&Value>) {
        let converted = value.cloned().map(|value| convert(name, value));
        let empty = Map::new();
        let object = converted.as_ref().and_then(Value::as_object).unwrap_or(&empty);
        let members = STRUCTS.get(name).map(Vec::as_slice).unwrap_or_default();
        let parts = members.iter().filter_map(|member| {
            let value = member.of(object);
            let left_out =
                member.omit_empty && value.is_none_or(crate::cursor::is_zero) && !self.is_struct(member);
            (!left_out).then_some((Some(member.name), member.r#type, value))
        });
        let parts = parts.collect();
        self.between(['{', '}'], parts);
    }

    fn is_struct(&self, member: &Member) -> bool {
        STRUCTS.contains_key(member.r#type)
    }

    fn between(&mut self, [open, close]: [char; 2], parts: Vec<(Option<&str>, &str, Option<&Value>)>) {
        self.text.push(open);
        let empty = parts.is_empty();
        self.indent = self.indent.map(|indent| indent + 1);
        for (index, (name, r#type, value)) in parts.into_iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.line();
            if let Some(name) = name {
                self.text.push_str(&go_json(&name.into()));
                self.text.push(':');
                if self.indent.is_some() {
                    self.text.push(' ');
                }
            }
            self.write(r#type, value);
        }
        self.indent = self.indent.map(|indent| indent - 1);
        if !empty {
            self.line();
        }
        self.text.push(close);
    }

    fn line(&mut self) {
        if let Some(indent) = self.indent {
            self.text.push('\n');
            self.text.extend(std::iter::repeat_n(' ', indent));
        }
    }
}

/// What upstream converts by hand.
fn convert(name: &str, mut value: Value) -> Value {
    match name {
        // pkg/apis/core/v1/conversion.go Convert_v1_PodSpec_To_core_PodSpec
        "PodSpec" => {
            for field in [
                "hostNetwork",
                "hostPID",
                "hostIPC",
                "shareProcessNamespace",
                "hostUsers",
            ] {
                if let Some(flag) = value.get(field).cloned() {
                    value.ensure("securityContext").set(field, flag);
                }
            }
            value
        }
        // apiextensions/v1/marshal.go: either of two things stands there.
        "JSONSchemaPropsOrBool" => match value {
            Value::Bool(allows) => json!({"allows": allows}),
            schema => json!({"allows": true, "schema": schema}),
        },
        "JSONSchemaPropsOrArray" => match value {
            Value::Array(schemas) => json!({"jsonSchemas": schemas}),
            schema => json!({"schema": schema}),
        },
        // Its metadata is embedded.
        "PodTemplateSpec" => {
            let meta = value
                .get("metadata")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default();
            if let Some(object) = value.as_object_mut() {
                object.extend(meta);
            }
            value
        }
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_struct_is_written_as_go_writes_it() {
        let policy = json!({"rules": [{"succeededCount": 1}]});
        assert_eq!(
            shown("SuccessPolicy", Some(&policy)),
            r#"{"Rules":[{"SucceededIndexes":null,"SucceededCount":1}]}"#
        );
        let spec = json!({"hostNetwork": true, "volumes": [{"name": "v", "rbd": {"monitors": ["m"]}}]});
        let text = shown("PodSpec", Some(&spec));
        assert!(
            text.contains(r#""SecurityContext":{"HostNetwork":true,"HostPID":false,"#),
            "{text}"
        );
        assert!(
            text.contains(r#""RBD":{"CephMonitors":["m"],"RBDImage":"","#),
            "{text}"
        );
        let lines = pretty("PodSpec", &spec);
        assert!(
            lines.starts_with("{\n \"Volumes\": [\n  {\n   \"Name\": \"v\",\n"),
            "{lines}"
        );
    }
}
