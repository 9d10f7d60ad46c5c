//! What holds for every document.

use deploy_yaml::{
    Dialect, emit_kyaml, emit_sigs, emit_v3, json_to_node, node_to_json, parse, to_json, to_json_strict,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Map, Value, json};

/// Texts of every kind that a YAML writer has to think about.
fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a", "b ", " ", "  ", "\n", "\n\n", "\t", ": ", " #", "#", "- ", "é", "日本", "😀", "\u{a0}",
        "\u{2028}", "'", "\"", "\\", "{", "}", "[", "]", ",", "&", "*", "!", "|", ">", "%", "@", "`", "?",
        "word", "1", "0x", ".", "~", "yes", "null", "---", "...", "=", "12:30", "e3", "\r", "\u{1b}",
    ]);
    prop_oneof![
        3 => prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat()),
        1 => "[a-z ]{60,200}",
        1 => "[ -~]{0,20}",
    ]
}

/// Keys of one line: with several go-yaml writes what it does not read back.
fn key() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.replace(['\n', '\r', '\u{2028}'], ""))
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        text().prop_map(Value::String),
        any::<i64>().prop_map(|i| json!(i)),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
        (-1e9..1e9f64).prop_map(|f| json!(f + 0.25)),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(key(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// go-yaml v3 writes lines that begin with a tab in a way that it does not read back.
fn without_tabs(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('\t', "")),
        Value::Array(items) => items.into_iter().map(without_tabs).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(k, v)| (k.replace('\t', ""), without_tabs(v)))
            .collect(),
        other => other,
    }
}

/// Sources that are nearly YAML.
fn source() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b",
        ": ",
        ":\n",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        " # c",
        "\n# c",
        "\n\n",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "\"x\"",
        "'y'",
        "? ",
        "&a ",
        "*a",
        "|\n",
        ">-\n",
        "!!int ",
        "1",
        "yes",
        "~",
        "<<: ",
        "---\n",
        "...\n",
        "\t",
        "#",
        "\r\n",
        "é",
        "\u{feff}",
        "\u{85}",
        "%TAG ! x\n",
        "!x!",
        "\"",
        "'",
        "\\",
        "|2+\n",
        "@",
    ]);
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

fn never_panics(source: &[u8]) {
    for dialect in [Dialect::GoYaml11, Dialect::GoYaml3, Dialect::Core12] {
        let _ = to_json(source, dialect);
        let _ = to_json_strict(source, dialect);
    }
    for root in parse(source).unwrap_or_default() {
        let _ = node_to_json(&root, Dialect::GoYaml11);
        emit_kyaml(&root);
    }
}

/// The same cases each time: a failure is a change.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 512,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_260_101),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_to_yaml_prints_is_read_back(value in value()) {
        let text = emit_sigs(&value);
        prop_assert_eq!(to_json(text.as_bytes(), Dialect::GoYaml11).expect(&text), value);
    }

    #[test]
    fn what_to_yaml_pretty_prints_is_read_back(value in value().prop_map(without_tabs)) {
        let text = emit_v3(&json!([value]), 2);
        prop_assert_eq!(to_json(text.as_bytes(), Dialect::Core12).expect(&text), json!([value]));
    }

    #[test]
    fn trees_are_read_back(value in value().prop_map(without_tabs)) {
        let text = emit_kyaml(&json_to_node(&value));
        let roots = parse(text.as_bytes()).expect(&text);
        prop_assert_eq!(node_to_json(&roots[0], Dialect::Core12).expect(&text), value);
    }

    #[test]
    fn nearly_yaml_never_panics(source in source()) {
        never_panics(source.as_bytes());
    }

    #[test]
    fn bytes_never_panic(source in prop::collection::vec(any::<u8>(), 0..200)) {
        never_panics(&source);
    }
}
