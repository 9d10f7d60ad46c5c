//! The external suites of text/template: what Go's own tests check.

use deploy_conformance::{Suite, root, rows, skipped};
use deploy_template::lex::{Delims, Kind, LexOptions, Lexer};
use deploy_template::parse::{Number, ParseOptions, parse};
use deploy_template::value::Value;
use deploy_template::{Funcs, Options, TemplateSet, execute};
use serde_json::Value as Json;

use crate::host::NoHost;

fn text<'a>(row: &'a Json, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

fn expect_equal<T: PartialEq + std::fmt::Debug>(got: T, want: T) -> Result<(), String> {
    if got == want {
        return Ok(());
    }
    Err(format!("got  {got:?}\nwant {want:?}"))
}

#[test]
fn template_lex() {
    let Some(root) = root() else {
        return skipped("gotemplate/template_lex");
    };
    let mut suite = Suite::new("gotemplate/template_lex");
    for row in rows(&root, "gotemplate/template_lex.jsonl") {
        suite.case(text(&row, "name"), || {
            let delims = Delims::default();
            let options = LexOptions {
                comments: true,
                ..LexOptions::default()
            };
            let mut lexer = Lexer::new(text(&row, "template").as_bytes(), &delims, options);
            let mut got = Vec::new();
            loop {
                let item = lexer.next_item();
                got.push((item.kind.name(), String::from_utf8_lossy(&item.text).into_owned()));
                if matches!(item.kind, Kind::Eof | Kind::Error) {
                    break;
                }
            }
            let want = row["items"].as_array().into_iter().flatten();
            let string = |json: &Json| json.as_str().unwrap_or_default().to_owned();
            let want = want.map(|item| (string(&item[0]), string(&item[1]))).collect();
            expect_equal(got, want)
        });
    }
    suite.finish();
}

#[test]
fn template_parse() {
    let Some(root) = root() else {
        return skipped("gotemplate/template_parse");
    };
    let mut suite = Suite::new("gotemplate/template_parse");
    for row in rows(&root, "gotemplate/template_parse.jsonl") {
        suite.case(text(&row, "name"), || parse_case(&row));
    }
    suite.finish();
}

fn parse_case(row: &Json) -> Result<(), String> {
    let options = ParseOptions {
        // Go's own test lowers the bound, so that its cases reach it.
        paren_depth: 3,
        ..ParseOptions::default()
    };
    // The only function that Go's test declares.
    let function = |name: &str| {
        let declared = ["printf", "contains"].into_iter().find(|known| *known == name);
        declared.map(|known| (0, known))
    };
    let name = row["template_name"].as_str().unwrap_or("root");
    let parsed = parse(name, text(row, "template").as_bytes(), &options, &function);
    match (parsed, row["ok"].as_bool()) {
        (Ok(trees), Some(true)) => {
            expect_equal(format!("{:#}", trees[0].root), text(row, "want_tree").to_owned())
        }
        (Err(error), Some(false)) if error.to_string().contains(text(row, "error_contains")) => Ok(()),
        (Ok(trees), _) => Err(format!("parsed as {:#}", trees[0].root)),
        (Err(error), _) => Err(format!("{error}, wanted {}", row["error_contains"])),
    }
}

#[test]
fn number_literals() {
    let Some(root) = root() else {
        return skipped("gotemplate/number_literals");
    };
    let mut suite = Suite::new("gotemplate/number_literals");
    for row in rows(&root, "gotemplate/number_literals.jsonl") {
        suite.case(text(&row, "name"), || {
            let number = Number::parse(text(&row, "text")).ok();
            let number = number.as_ref();
            let int = number.and_then(|n| n.int);
            let uint = number.and_then(|n| n.uint);
            let float = number.and_then(|n| n.float);
            let complex = number.and_then(|n| n.complex);
            let got = [int.is_some(), uint.is_some(), float.is_some(), complex.is_some()];
            let want =
                ["is_int", "is_uint", "is_float", "is_complex"].map(|key| row[key] == Json::Bool(true));
            expect_equal(got, want)?;
            expect_equal(int.unwrap_or(0), row["int"].as_i64().unwrap_or(0))?;
            expect_equal(uint.unwrap_or(0), row["uint"].as_u64().unwrap_or(0))?;
            expect_equal(float.unwrap_or(0.0), row["float"].as_f64().unwrap_or(0.0))
        });
    }
    suite.finish();
}

#[test]
fn template_exec() {
    let Some(root) = root() else {
        return skipped("gotemplate/template_exec");
    };
    let mut suite = Suite::new("gotemplate/template_exec");
    for row in rows(&root, "gotemplate/template_exec.jsonl") {
        suite.case(text(&row, "name"), || exec_case(&row));
    }
    suite.finish();
}

/// A row runs under the name of its case; its errors are Go's to the letter.
fn exec_case(row: &Json) -> Result<(), String> {
    let funcs = Funcs::new();
    let mut set = TemplateSet::new("root");
    for (at, define) in row["defines"].as_array().into_iter().flatten().enumerate() {
        let define = define.as_str().unwrap_or_default();
        set.parse(&format!("define{at}"), define, &funcs)
            .map_err(|e| e.to_string())?;
    }
    let name = text(row, "name");
    let name = name.strip_prefix("exec/").unwrap_or(name);
    let name = name.split_once('#').map_or(name, |(name, _)| name);
    set.parse(name, text(row, "template"), &funcs)
        .map_err(|e| e.to_string())?;
    let data = vars(&row["vars"]);
    let got = execute(&set, name, &data, &funcs, &mut NoHost, Options::default());
    match (got, row["error"].as_str()) {
        (Ok(out), None) => expect_equal(
            String::from_utf8_lossy(&out).into_owned(),
            text(row, "want").to_owned(),
        ),
        (Err(error), Some(want)) => expect_equal(error.to_string(), want.to_owned()),
        (Ok(out), Some(want)) => Err(format!("got {}, wanted {want}", String::from_utf8_lossy(&out))),
        (Err(error), None) => Err(error.to_string()),
    }
}

/// The suites tell integers from floats by their spelling, and mean Go's `int`.
pub(crate) fn vars(json: &Json) -> Value {
    match json {
        Json::Number(n) => match n.as_i64() {
            Some(int) if !n.is_f64() => Value::int(int),
            _ => Value::Float(n.as_f64().unwrap_or(f64::NAN)),
        },
        Json::Array(items) => Value::list(items.iter().map(vars).collect()),
        Json::Object(entries) => Value::map(entries.iter().map(|(key, value)| (key.as_str(), vars(value)))),
        other => Value::from_json(other),
    }
}
