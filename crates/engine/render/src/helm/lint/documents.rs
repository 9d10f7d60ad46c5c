//! The objects of a text as the Kubernetes libraries read a stream that may be YAML or JSON
//! (`k8s.io/apimachinery/pkg/util/yaml`, `YAMLOrJSONDecoder`).

use deploy_yaml::Dialect;
use serde_json::Value;

use crate::helm::go::json;

/// What lint looks at of an object.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub api_version: String,
    pub kind: String,
    pub name: String,
}

/// Reads one object after the other, `None` for an empty document; after an error there are no more.
pub(super) struct Documents<'a> {
    rest: &'a str,
    /// How many values were read as JSON, as long as the stream can be JSON.
    json: Option<usize>,
    /// Why it turned out not to be JSON; it is what users see if it is no YAML either.
    json_error: Option<String>,
    offset: usize,
    done: bool,
}

impl<'a> Documents<'a> {
    pub(super) fn new(text: &'a str) -> Documents<'a> {
        Documents {
            rest: text,
            json: text.trim_start().starts_with('{').then_some(0),
            json_error: None,
            offset: 0,
            done: false,
        }
    }

    /// The next value as JSON; `Err(None)` where the rest is to be read as YAML.
    fn next_json(&mut self, count: usize) -> Result<Option<Option<Object>>, Option<String>> {
        let error = match json::parse_first(self.rest.as_bytes()) {
            Ok(None) => return Ok(None),
            Ok(Some((value, bytes))) => match Object::read(&value, false) {
                Ok(object) => {
                    self.rest = &self.rest[bytes..];
                    self.offset += bytes;
                    self.json = Some(count + 1);
                    return Ok(Some(object));
                }
                Err(error) => error,
            },
            Err(error) if error.is_end() => "unexpected EOF".to_owned(),
            Err(error) => format!("json: offset {}: {}", self.offset + error.offset, error.message),
        };
        // Two values in a row prove that it is JSON.
        if count > 1 {
            return Err(Some(error));
        }
        self.json = None;
        self.json_error = Some(error);
        self.eat_blanks();
        Err(None)
    }

    /// Behind a JSON value, blanks up to and with a line's end belong to it.
    fn eat_blanks(&mut self) {
        let mut end = 0;
        for c in self.rest.chars().take_while(|c| c.is_whitespace()) {
            end += c.len_utf8();
            if c == '\n' {
                break;
            }
        }
        self.rest = &self.rest[end..];
    }

    fn next_yaml(&mut self) -> Option<Result<Option<Object>, String>> {
        let mut document = String::new();
        while !self.rest.is_empty() {
            let (line, after) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
            self.rest = after;
            let line = line.strip_suffix('\r').unwrap_or(line);
            if let Some(behind) = line.strip_prefix("---") {
                let behind = behind.trim();
                if !behind.is_empty() && !behind.starts_with('#') {
                    return Some(Err(format!("invalid Yaml document separator: {behind}")));
                }
                if !document.is_empty() {
                    break;
                }
            }
            document.push_str(line);
            document.push('\n');
        }
        if document.is_empty() {
            return None;
        }
        Some(
            match deploy_yaml::to_json(document.as_bytes(), Dialect::GoYaml11) {
                Ok(value) => Object::read(&value, true)
                    .map_err(|e| format!("error unmarshaling JSON: while decoding JSON: {e}")),
                Err(e) => Err(format!("error converting YAML to JSON: {e}")),
            },
        )
    }
}

impl Iterator for Documents<'_> {
    type Item = Result<Option<Object>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let read = match self.json.map(|count| self.next_json(count)) {
            Some(Ok(read)) => read.map(Ok),
            Some(Err(Some(error))) => Some(Err(error)),
            Some(Err(None)) | None => self
                .next_yaml()
                .map(|read| read.map_err(|e| self.json_error.take().unwrap_or(e))),
        };
        self.done = !matches!(read, Some(Ok(_)));
        read
    }
}

impl Object {
    /// `from_yaml`: numbers and booleans count as text, as sigs.k8s.io/yaml makes them.
    fn read(value: &Value, from_yaml: bool) -> Result<Option<Object>, String> {
        let mut object = Object::default();
        let fields = match value {
            Value::Null => return Ok(None),
            Value::Object(fields) => fields,
            other => return Err(mismatch(other, "Go value of type rules.k8sYamlStruct")),
        };
        for (key, value) in fields {
            if key.eq_ignore_ascii_case("apiVersion") {
                object.api_version = text(value, "k8sYamlStruct.apiVersion", from_yaml)?;
            } else if key.eq_ignore_ascii_case("kind") {
                object.kind = text(value, "k8sYamlStruct.Kind", from_yaml)?;
            } else if key.eq_ignore_ascii_case("metadata") {
                let fields = match value {
                    Value::Null => continue,
                    Value::Object(fields) => fields,
                    other => {
                        let target = "Go struct field k8sYamlStruct.Metadata of type rules.k8sYamlMetadata";
                        return Err(mismatch(other, target));
                    }
                };
                for (key, value) in fields {
                    if key.eq_ignore_ascii_case("name") {
                        object.name = text(value, "k8sYamlMetadata.Metadata.Name", from_yaml)?;
                    } else if key.eq_ignore_ascii_case("namespace") {
                        text(value, "k8sYamlMetadata.Metadata.Namespace", from_yaml)?;
                    }
                }
            }
        }
        Ok(Some(object))
    }
}

fn text(value: &Value, field: &str, from_yaml: bool) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) if from_yaml => Ok(flag.to_string()),
        Value::Number(number) if from_yaml => Ok(match number.as_f64() {
            Some(float) if number.is_f64() => deploy_template::fmt::float_g(float),
            _ => number.to_string(),
        }),
        other => Err(mismatch(
            other,
            &format!("Go struct field {field} of type string"),
        )),
    }
}

fn mismatch(value: &Value, target: &str) -> String {
    format!("json: cannot unmarshal {} into {target}", json::type_name(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        Documents::new(text)
            .map(|read| match read {
                Ok(Some(object)) => object.kind,
                Ok(None) => "-".to_owned(),
                Err(error) => error,
            })
            .collect()
    }

    #[test]
    fn yaml_and_json_streams() {
        for (text, expected) in [
            ("kind: A\n---\nkind: B\n", vec!["A", "B"]),
            ("# nothing\n", vec!["-"]),
            ("---\n---\nkind: A\n", vec!["-", "A"]),
            ("--- # note\nkind: A\n", vec!["A"]),
            ("--- x\nkind: A\n", vec!["invalid Yaml document separator: x"]),
            ("{\"kind\": \"A\"} {\"kind\": \"B\"}", vec!["A", "B"]),
            ("{\"kind\": \"A\"}\n---\nkind: B\n", vec!["A", "B"]),
            ("{kind: A}", vec!["A"]),
            ("{\"kind\": 5}", vec!["5"]),
            (
                "{\"kind\": \"A\"} {\"kind\": \"B\"} {\"kind\":",
                vec!["A", "B", "unexpected EOF"],
            ),
            (
                "{{- x }}\n",
                vec!["json: offset 2: invalid character '{' looking for beginning of object key string"],
            ),
            (
                "kind: [a]",
                vec![
                    "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go struct field \
                     k8sYamlStruct.Kind of type string",
                ],
            ),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
