//! The functions that Helm adds to Go's and sprig's, as far as they need nothing but their arguments.
//! `include`, `tpl`, `required`, `fail` and `lookup` are in the engine, because they see the render around them.

use deploy_template::func::{FuncDef, FuncError, FuncResult, Host, Param};
use deploy_template::value::{ElemType, JsonStyle, List, Map, Str, Value};
use deploy_yaml::Dialect;
use serde_json::Value as Json;

use super::{duration, toml};
use crate::helm::compat::Compat;
use crate::helm::go::json;
use crate::limits::JSON_DEPTH;

/// The functions of a version of helm. A name here wins over the same name in sprig.
pub fn functions(compat: Compat) -> impl Iterator<Item = &'static FuncDef> {
    let added: (&[FuncDef], &[FuncDef]) = match compat {
        Compat::V3 => (&[], &[]),
        Compat::V4 => (NEW_IN_V4, duration::FUNCTIONS),
    };
    FUNCTIONS.iter().chain(added.0).chain(added.1)
}

/// Functions of sprig that Helm takes away, because they would show the environment of whoever renders.
pub const REMOVED: [&str; 2] = ["env", "expandenv"];

const FUNCTIONS: &[FuncDef] = &[
    over_any("toYaml", to_yaml),
    over_any("toYamlPretty", to_yaml_pretty),
    over_any("toJson", to_json),
    over_any("toToml", |_, args| {
        Ok(Value::str(toml::encode(&args[0]).unwrap_or_else(|error| error)))
    }),
    over_text("fromYaml", |_, args| Ok(Value::Map(from_yaml(&text(args))))),
    over_text("fromYamlArray", |_, args| {
        Ok(Value::List(from_yaml_array(&text(args))))
    }),
    over_text("fromJson", |_, args| Ok(Value::Map(from_json(&text(args))))),
    over_text("fromJsonArray", |_, args| {
        Ok(Value::List(from_json_array(&text(args))))
    }),
    over_text("fromToml", |_, args| {
        Ok(toml::decode(&String::from_utf8_lossy(&text(args)))
            .unwrap_or_else(|error| Value::Map(error_map(error))))
    }),
    // Rendering asks no name server.
    over_text("getHostByName", |_, _| Ok(Value::str(""))),
];

const NEW_IN_V4: &[FuncDef] = &[
    over_any("mustToYaml", must_to_yaml),
    over_any("mustToJson", must_to_json),
    over_any("mustToToml", |_, args| {
        toml::encode(&args[0]).map(Value::str).map_err(FuncError::new)
    }),
];

type Body = fn(&mut dyn Host, &[Value]) -> FuncResult;

const fn over_any(name: &'static str, body: Body) -> FuncDef {
    FuncDef {
        name,
        params: &[Param::Any],
        variadic: None,
        body,
    }
}

const fn over_text(name: &'static str, body: Body) -> FuncDef {
    FuncDef {
        name,
        params: &[Param::String],
        variadic: None,
        body,
    }
}

fn text(args: &[Value]) -> Vec<u8> {
    match &args[0] {
        Value::Str(text) => text.as_bytes().to_vec(),
        _ => Vec::new(),
    }
}

/// A value that JSON cannot hold gives no text; the `must` forms fail.
fn to_yaml(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(must_to_yaml(host, args).unwrap_or_else(|_| Value::str("")))
}

fn must_to_yaml(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let json = args[0]
        .to_json()
        .map_err(|error| FuncError::new(error.to_string()))?;
    let text = deploy_yaml::try_emit_sigs(&json).map_err(|error| FuncError::new(error.to_string()))?;
    Ok(Value::str(without_final_newline(text)))
}

/// Here values do not pass through JSON, so floats stay floats.
fn to_yaml_pretty(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let text = match with_floats(&args[0], 0) {
        Some(tree) => deploy_yaml::emit_v3(&tree, 2),
        None => String::new(),
    };
    Ok(Value::str(without_final_newline(text)))
}

fn with_floats(value: &Value, depth: usize) -> Option<Json> {
    if depth > JSON_DEPTH {
        return None;
    }
    Some(match value {
        Value::Float(number) => Json::Number(serde_json::Number::from_f64(*number)?),
        Value::List(list) => {
            let items = list.items();
            Json::Array(
                items
                    .iter()
                    .map(|item| with_floats(item, depth + 1))
                    .collect::<Option<_>>()?,
            )
        }
        Value::Map(map) => {
            let entries = map.entries();
            let member = |(key, value): (&Str, &Value)| {
                Some((key.to_str().into_owned(), with_floats(value, depth + 1)?))
            };
            Json::Object(entries.iter().map(member).collect::<Option<_>>()?)
        }
        Value::Object(object) => match (object.entries(), object.items()) {
            (Some(map), _) => with_floats(&Value::Map(map), depth)?,
            (None, Some(list)) => with_floats(&Value::List(list), depth)?,
            (None, None) => object.to_json(),
        },
        other => other.to_json().ok()?,
    })
}

fn to_json(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(must_to_json(host, args).unwrap_or_else(|_| Value::str("")))
}

fn must_to_json(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let style = JsonStyle {
        escape_html: true,
        pretty: false,
    };
    args[0]
        .to_json_text(style)
        .map(Value::str)
        .map_err(|error| FuncError::new(error.to_string()))
}

/// The first document as JSON, with the texts of sigs.k8s.io/yaml.
fn yaml_document(text: &[u8]) -> Result<Json, String> {
    deploy_yaml::to_json(text, Dialect::GoYaml11).map_err(|e| format!("error converting YAML to JSON: {e}"))
}

fn error_map(message: String) -> Map {
    let map = Map::new(Default::default());
    map.set("Error", Value::str(message));
    map
}

fn map(entries: &serde_json::Map<String, Json>) -> Map {
    Map::new(
        entries
            .iter()
            .map(|(key, value)| (key.as_str().into(), Value::from_json(value)))
            .collect(),
    )
}

fn from_yaml(text: &[u8]) -> Map {
    match yaml_document(text) {
        Ok(Json::Object(entries)) => map(&entries),
        Ok(Json::Null) => Map::new(Default::default()),
        Ok(other) => error_map(format!(
            "error unmarshaling JSON: while decoding JSON: {}",
            cannot_unmarshal(&other, "map[string]interface {}")
        )),
        Err(error) => error_map(error),
    }
}

fn from_yaml_array(text: &[u8]) -> List {
    match yaml_document(text) {
        Ok(json) => array(&json, |message| {
            format!("error unmarshaling JSON: while decoding JSON: {message}")
        }),
        Err(error) => List::new(vec![Value::str(error)]),
    }
}

fn from_json(text: &[u8]) -> Map {
    match json::parse(text) {
        Ok(Json::Object(entries)) => map(&entries),
        Ok(Json::Null) => Map::new(Default::default()),
        Ok(other) => error_map(cannot_unmarshal(&other, "map[string]interface {}")),
        Err(error) => error_map(error.message),
    }
}

fn from_json_array(text: &[u8]) -> List {
    match json::parse(text) {
        Ok(json) => array(&json, |message| message),
        Err(error) => List::new(vec![Value::str(error.message)]),
    }
}

fn array(json: &Json, wrap: impl Fn(String) -> String) -> List {
    match json {
        Json::Array(items) => List::new(items.iter().map(Value::from_json).collect()),
        Json::Null => List::nil(ElemType::Any),
        other => List::new(vec![Value::str(wrap(cannot_unmarshal(other, "[]interface {}")))]),
    }
}

/// The text without the newline that ends it; template functions leave it to the template.
pub(super) fn without_final_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
    }
    text
}

fn cannot_unmarshal(json: &Json, target: &str) -> String {
    format!(
        "json: cannot unmarshal {} into Go value of type {target}",
        json::type_name(json)
    )
}
