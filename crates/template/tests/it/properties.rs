//! What holds for every text.

use deploy_template::fmt;
use deploy_template::parse::{ParseOptions, parse};
use deploy_template::quote::{quote, unquote};
use deploy_template::value::Value;
use deploy_template::{Funcs, MissingKey, Options, TemplateSet, execute};
use proptest::prelude::*;

use crate::host::NoHost;

/// Texts that look like templates more than random ones do.
fn template() -> impl Strategy<Value = String> {
    let pieces = [
        "{{",
        "}}",
        "{{- ",
        " -}}",
        "if ",
        "else",
        "end",
        "range ",
        "with ",
        "define ",
        "template ",
        "block ",
        "break",
        "continue",
        "nil",
        "true",
        ".",
        ".a",
        ".a.b",
        "$",
        "$x",
        " := ",
        " = ",
        "|",
        "(",
        ")",
        "\"s\"",
        "`r`",
        "'c'",
        "1",
        "2.5",
        "1e3",
        "0x1p-2",
        "1+2i",
        "/*",
        "*/",
        " ",
        "\n",
        "len ",
        "print ",
        "printf \"%v\" ",
        "index ",
        "and ",
        "or ",
        "eq ",
        "slice ",
        "text",
        "é",
        ",",
        "{{if .a}}",
        "{{range $k, $v := .a}}",
        "{{end}}",
        "{{.a}}",
        "{{else}}",
        "{{$x := 1}}",
        "{{with .a}}",
        "{{block \"b\" .}}",
        "{{template \"b\"}}",
    ];
    let piece =
        prop_oneof![8 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => ".{0,4}"];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let json = prop_oneof![
        Just(serde_json::json!(null)),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,5}".prop_map(Into::into),
        Just(serde_json::json!({"a": {"b": [1, "x", null]}, "c": 2.5})),
        Just(serde_json::json!([{"a": 1}, [], "s"])),
    ];
    json.prop_map(|json| Value::from_json_integers(&json))
}

proptest! {
    #[test]
    fn no_text_breaks_the_executor(text in template(), data in value(), strict in any::<bool>()) {
        let funcs = Funcs::new();
        let mut set = TemplateSet::new("root");
        if set.parse("main", &text, &funcs).is_ok() {
            let missing_key = if strict { MissingKey::Error } else { MissingKey::Zero };
            let _ = execute(&set, "main", &data, &funcs, &mut NoHost, Options { missing_key });
        }
    }

    #[test]
    fn no_bytes_break_the_parser(text in proptest::collection::vec(any::<u8>(), 0..60)) {
        let funcs = Funcs::new();
        let mut framed = b"{{".to_vec();
        framed.extend(&text);
        let _ = TemplateSet::new("root").parse("main", &text, &funcs);
        let _ = TemplateSet::new("root").parse("main", &framed, &funcs);
    }

    #[test]
    fn a_printed_tree_is_the_same_tree(text in template()) {
        let options = ParseOptions { any_function: true, ..ParseOptions::default() };
        let parse = |text: &str| parse("main", text.as_bytes(), &options, &|_| None);
        for tree in parse(&text).unwrap_or_default() {
            let printed = tree.root.to_string();
            // A brace that trimming moved to an action reads as part of its delimiter.
            prop_assume!(!printed.contains("{{{"));
            let again = parse(&printed);
            prop_assert!(again.is_ok(), "{printed}: {again:?}");
            let again = again.map(|trees| trees[0].root.to_string());
            prop_assert_eq!(again, Ok(printed));
        }
    }

    #[test]
    fn no_format_breaks_printf(format in "[%#+\\-0 .*\\[\\]1-9vsdqxXteEfFgGbcoOUTpw!é]{0,12}", data in value()) {
        let _ = fmt::sprintf(format.as_bytes(), &[data.clone(), Value::int(3), data]);
    }

    #[test]
    fn quoting_is_undone_by_unquoting(text in proptest::collection::vec(any::<u8>(), 0..20)) {
        let quoted = quote(&text);
        prop_assert_eq!(unquote(quoted.as_bytes()).map(Vec::from), Some(text));
    }

    #[test]
    fn a_printed_float_is_the_same_float(bits in any::<u64>()) {
        let float = f64::from_bits(bits);
        prop_assume!(float.is_finite());
        prop_assert_eq!(fmt::float_g(float).parse::<f64>().map(f64::to_bits), Ok(bits));
    }
}
