//! Templates, formats and literals that were generated and run by Go 1.26.8; `go.jsonl` holds what came out, errors
//! included. Its first row is the setting: the default data and the templates that every row may call.

#![allow(
    clippy::unwrap_used,
    reason = "a row that is not what it should be fails the test"
)]

use std::rc::Rc;

use deploy_template::fmt::{sprint, sprintf};
use deploy_template::func::{FuncDef, FuncError, Param, Signature};
use deploy_template::value::{ElemType, IntType, JsonStyle, List, Map, Str, UintType, Value};
use deploy_template::{Funcs, MissingKey, Options, TemplateSet, execute};
use serde_json::Value as Json;

use crate::host::NoHost;

#[test]
fn what_go_printed() {
    let rows: Vec<Json> = include_str!("go.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (setting, rows) = rows.split_first().unwrap();
    let mut wrong = Vec::new();
    for row in rows {
        let want = match row["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(row["want"].as_str().unwrap().to_owned()),
        };
        let got = run(setting, row);
        if got != want {
            wrong.push(format!(
                "{}: {}\n got {got:?}\nwant {want:?}",
                row["name"], row["template"]
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
}

fn run(setting: &Json, row: &Json) -> Result<String, String> {
    let mut funcs = Funcs::new();
    funcs.extend(FUNCTIONS);
    let include = Signature {
        params: &[Param::String, Param::Any],
        variadic: None,
    };
    funcs.add_dynamic("include", include, |ctx, args| {
        Ok(Value::Str(ctx.execute(&text(&args[0]), &args[1])?))
    });
    let mut set = TemplateSet::new("root");
    for define in setting["defines"].as_array().unwrap() {
        set.parse("def0", define.as_str().unwrap(), &funcs).unwrap();
    }
    set.parse("main", row["template"].as_str().unwrap(), &funcs)
        .map_err(|e| e.to_string())?;
    let missing_key = match row["missing_key"].as_str() {
        Some("zero") => MissingKey::Zero,
        Some("error") => MissingKey::Error,
        _ => MissingKey::Default,
    };
    let vars = row.get("vars").unwrap_or(&setting["vars"]);
    execute(
        &set,
        "main",
        &value(vars),
        &funcs,
        &mut NoHost,
        Options { missing_key },
    )
    .map(|out| String::from_utf8_lossy(&out).into_owned())
    .map_err(|e| e.to_string())
}

/// JSON as data; `{"$t": type, "v": value}` is of that Go type.
fn value(json: &Json) -> Value {
    match json {
        Json::Array(items) => Value::list(items.iter().map(value).collect()),
        Json::Object(entries) => match entries.get("$t") {
            Some(kind) => typed(kind.as_str().unwrap(), entries.get("v").unwrap_or(&Json::Null)),
            None => Value::map(entries.iter().map(|(key, v)| (key.as_str(), value(v)))),
        },
        _ => crate::conformance::vars(json),
    }
}

fn typed(kind: &str, v: &Json) -> Value {
    let int = v.as_i64().unwrap_or_default();
    let uint = v.as_u64().unwrap_or_default();
    let list = || v.as_array().unwrap().iter();
    match kind {
        "int64" => Value::int64(int),
        "int8" => Value::Int(int, IntType::Int8),
        "uint8" => Value::Uint(uint, UintType::Uint8),
        "uint" => Value::Uint(uint, UintType::Uint),
        "uint64" => Value::Uint(uint, UintType::Uint64),
        "nan" => Value::Float(f64::NAN),
        "inf" => Value::Float(f64::INFINITY),
        "ninf" => Value::Float(f64::NEG_INFINITY),
        "strings" => Value::strings(list().map(|s| s.as_str().unwrap())),
        "ints" => Value::List(List::typed(ElemType::Int, list().map(value).collect())),
        "bytes" => Value::Bytes(Rc::from(base64(v.as_str().unwrap()))),
        "raw" => Value::str(base64(v.as_str().unwrap())),
        "complex" => Value::Complex(v[0].as_f64().unwrap(), v[1].as_f64().unwrap()),
        "smap" => {
            let entries = v.as_object().unwrap().iter();
            let entries = entries.map(|(key, v)| (Str::from(key.as_str()), value(v)));
            Value::Map(Map::typed(ElemType::String, None, entries.collect()))
        }
        other => panic!("no type {other}"),
    }
}

fn base64(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.bytes().filter(|&b| b != b'=') {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 255) as u8);
        }
    }
    out
}

fn text(value: &Value) -> String {
    match value {
        Value::Str(s) => s.to_str().into_owned(),
        _ => String::new(),
    }
}

fn increment(value: &Value) -> Value {
    match value {
        Value::Int(n, kind) => Value::Int(n.wrapping_add(1), *kind),
        other => other.clone(),
    }
}

fn length(value: &Value) -> Value {
    Value::int(i64::try_from(value.len().unwrap_or_default()).unwrap())
}

fn json(value: &Value, pretty: bool) -> Value {
    let style = JsonStyle {
        escape_html: !pretty,
        pretty,
    };
    Value::str(value.to_json_text(style).unwrap_or_else(|e| format!("ERR {e}")))
}

/// One function for each type of parameter, as the Go program had them.
const FUNCTIONS: &[FuncDef] = &[
    def("fstr", &[Param::String], None, |_, a| {
        Ok(Value::str(format!("<{}>", text(&a[0]))))
    }),
    def("fint", &[Param::Int], None, |_, a| Ok(increment(&a[0]))),
    def("fi64", &[Param::Int64], None, |_, a| Ok(increment(&a[0]))),
    def("fu32", &[Param::Uint32], None, |_, a| Ok(a[0].clone())),
    def("ff64", &[Param::Float64], None, |_, a| Ok(a[0].clone())),
    def("fbool", &[Param::Bool], None, |_, a| {
        Ok(Value::Bool(!a[0].truth()))
    }),
    def("fmap", &[Param::Map], None, |_, a| Ok(length(&a[0]))),
    def("fsmap", &[Param::StringMap], None, |_, a| Ok(length(&a[0]))),
    def("flist", &[Param::List], None, |_, a| Ok(length(&a[0]))),
    def("fstrs", &[Param::Strings], None, |_, a| match &a[0] {
        Value::List(list) => Ok(Value::str(
            list.items().iter().map(text).collect::<Vec<_>>().join("|"),
        )),
        _ => Ok(Value::Nil),
    }),
    def("fbytes", &[Param::Bytes], None, |_, a| match &a[0] {
        Value::Bytes(bytes) => Ok(Value::str(&bytes[..])),
        _ => Ok(Value::Nil),
    }),
    def("fany", &[Param::Any], None, |_, a| Ok(a[0].clone())),
    def("fvar", &[Param::String], Some(Param::Int), |_, a| {
        let rest = Value::List(List::typed(ElemType::Int, a[1..].to_vec()));
        Ok(Value::str(sprint(&[a[0].clone(), rest])))
    }),
    def("fvany", &[Param::String], Some(Param::Any), |_, a| {
        Ok(Value::str(sprintf(
            b"%s %v",
            &[a[0].clone(), Value::list(a[1..].to_vec())],
        )))
    }),
    def("ferr", &[Param::String], None, |_, a| {
        Err(FuncError::new(format!("bad {}", text(&a[0]))))
    }),
    def("fnone", &[], None, |_, _| Ok(Value::str("none"))),
    def("fnil", &[], None, |_, _| Ok(Value::Nil)),
    def("list", &[], Some(Param::Any), |_, a| Ok(Value::list(a.to_vec()))),
    def("dict", &[], Some(Param::Any), |_, a| {
        Ok(Value::map(
            a.chunks_exact(2)
                .map(|pair| (sprint(&pair[..1]), pair[1].clone())),
        ))
    }),
    def("deepEqual", &[Param::Any, Param::Any], None, |_, a| {
        Ok(Value::Bool(a[0].deep_equal(&a[1])))
    }),
    def("json", &[Param::Any], None, |_, a| Ok(json(&a[0], false))),
    def("jsonraw", &[Param::Any], None, |_, a| Ok(json(&a[0], true))),
];

const fn def(
    name: &'static str,
    params: &'static [Param],
    variadic: Option<Param>,
    body: fn(&mut dyn deploy_template::func::Host, &[Value]) -> deploy_template::func::FuncResult,
) -> FuncDef {
    FuncDef {
        name,
        params,
        variadic,
        body,
    }
}
