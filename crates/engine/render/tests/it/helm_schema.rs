//! `values.schema.json`: the rows that helm's own tests were turned into, and texts printed by helm 4.3 itself.

use deploy_conformance::{Suite, root, rows, skipped};
use deploy_render::helm::schema;
use serde_json::{Map, Value, json};

fn error(schema: &str, values: &Value) -> Option<String> {
    let values: Map<String, Value> = values.as_object().cloned().unwrap_or_default();
    schema::validate(&values, schema.as_bytes(), &mut Vec::new())
        .err()
        .map(|e| e.message)
}

#[test]
fn schema_rows() {
    let Some(root) = root() else {
        return skipped("gotemplate/values_schema");
    };
    let mut suite = Suite::new("gotemplate/values_schema");
    for row in rows(&root, "gotemplate/values_schema.jsonl") {
        let name = row["name"].as_str().expect("rows have names");
        suite.case(name, || {
            let error = error(row["schema"].as_str().unwrap_or_default(), &row["values"]);
            if error.as_deref() == row["error"].as_str() {
                Ok(())
            } else {
                Err(format!("got  {error:?}\nwant {}", row["error"]))
            }
        });
    }
    suite.finish();
}

#[test]
fn texts_are_those_of_helm() {
    let cases = [
        (
            json!({"minimum": 1_234_567, "maximum": -5.5, "multipleOf": 0.01}),
            json!(1234.567),
            vec![
                "- at '/x': validation failed",
                "  - at '/x': minimum: got 1,234.567, want 1.234567×10⁰⁶",
                "  - at '/x': maximum: got 1,234.567, want -5.5",
                "  - at '/x': multipleOf: got 1,234.567, want 0.01",
            ],
        ),
        (
            json!({"minLength": 1234, "pattern": "^\\d+'\"$"}),
            json!("a'\"\n"),
            vec![
                "- at '/x': validation failed",
                "  - at '/x': minLength: got 4, want 1,234",
                "  - at '/x': 'a\\'\"\\n' does not match pattern '^\\\\d+\\'\"$'",
            ],
        ),
        (
            json!({"enum": [1, "x\"y'z", null, true]}),
            json!(5.0),
            vec!["- at '/x': value must be one of 1, 'x\"y\\'z', <nil>, true"],
        ),
        (
            json!({"const": {"a": 1}}),
            json!(1.0),
            vec!["- at '/x': 'const' failed"],
        ),
        (
            json!({"minItems": 12345, "contains": {"type": ["string", "integer", "null"]}}),
            json!([1.5, true]),
            vec![
                "- at '/x': validation failed",
                "  - at '/x': minItems: got 2, want 12,345",
                "  - at '/x': no items match contains schema",
                "    - at '/x/0': got number, want null or integer or string",
                "    - at '/x/1': got boolean, want null or integer or string",
            ],
        ),
        (
            json!({"uniqueItems": true}),
            json!([1.0, 2.0, 1]),
            vec!["- at '/x': items at 0 and 2 are equal"],
        ),
        (
            json!({"additionalProperties": false, "required": ["x", "y"]}),
            json!({"aa": 1, "bb": 2}),
            vec![
                "- at '/x': validation failed",
                "  - at '/x': missing properties 'x', 'y'",
                "  - at '/x': additional properties 'aa', 'bb' not allowed",
            ],
        ),
        (
            json!({"propertyNames": {"maxLength": 1}}),
            json!({"aa": 1}),
            vec![
                "- at '/x': invalid propertyName 'aa'",
                "  - at '': maxLength: got 2, want 1",
            ],
        ),
        (
            json!({"oneOf": [{"type": "string"}, {"type": "number"}, {"minimum": 0}]}),
            json!(5.0),
            vec!["- at '/x': 'oneOf' failed, subschemas 1, 2 matched"],
        ),
        (
            json!({"oneOf": [{"type": "string"}, {"type": "boolean"}]}),
            json!(5.0),
            vec![
                "- at '/x': 'oneOf' failed, none matched",
                "  - at '/x': got number, want string",
                "  - at '/x': got number, want boolean",
            ],
        ),
        (
            json!({"not": {"type": "number"}}),
            json!(5.0),
            vec!["- at '/x': 'not' failed"],
        ),
        (
            json!({"allOf": [{"type": "string"}, {"minimum": 10}, {"$ref": "#/$defs/q"}]}),
            json!(5.0),
            vec![
                "- at '/x': 'allOf' failed",
                "  - at '/x': got number, want string",
                "  - at '/x': minimum: got 5, want 10",
                "  - at '/x': got number, want boolean",
            ],
        ),
        (json!(false), json!(1), vec!["- at '/x': false schema"]),
        (
            json!({"dependentRequired": {"a": ["b", "c"]}}),
            json!({"a": 1}),
            vec!["- at '/x': properties 'b', 'c' required, if 'a' exists"],
        ),
        (
            json!({"prefixItems": [{"type": "string"}], "items": {"type": "number"}}),
            json!([1.0, "x"]),
            vec![
                "- at '/x': validation failed",
                "  - at '/x/0': got number, want string",
                "  - at '/x/1': got string, want number",
            ],
        ),
        (
            json!({"unevaluatedProperties": false, "allOf": [{"properties": {"a": true}}]}),
            json!({"a": 1, "b": 2}),
            vec!["- at '/x/b': false schema"],
        ),
        (
            json!({"maxContains": 1, "contains": {"type": "number"}}),
            json!([1.0, 2.0, "x"]),
            vec!["- at '/x': max 1 items required to match contains schema, but matched 2 items at 0 1"],
        ),
        (
            json!({"if": {"type": "number"}, "then": {"minimum": 5}, "else": {"minLength": 3}}),
            json!(2.0),
            vec!["- at '/x': minimum: got 2, want 5"],
        ),
    ];
    for (schema, value, lines) in cases {
        // A second failure keeps the first from standing in for the whole.
        let schema = json!({
            "properties": {"x": schema, "z": false},
            "$defs": {"q": {"type": "boolean", "minimum": 100}},
        });
        let text = error(&schema.to_string(), &json!({"x": value, "z": 1}));
        let want = format!("{}\n- at '/z': false schema\n", lines.join("\n"));
        assert_eq!(text, Some(want), "{schema}");
    }
}

#[test]
fn broken_schemas_have_the_words_of_helm() {
    let d2020 = "\"file:///values.schema.json#\" is not valid against metaschema: \
                 jsonschema validation failed with 'https://json-schema.org/draft/2020-12/schema#'";
    let d7 = d2020.replace(
        "https://json-schema.org/draft/2020-12",
        "http://json-schema.org/draft-07",
    );
    let types = "value must be one of 'array', 'boolean', 'integer', 'null', 'number', 'object', 'string'";
    for (schema, text) in [
        ("", "EOF".to_owned()),
        ("{", "unexpected EOF".to_owned()),
        (
            r#"{"a":1}x"#,
            "invalid character after top-level value".to_owned(),
        ),
        (
            r#"{"a":tru}"#,
            "invalid character '}' in literal true (expecting 'e')".to_owned(),
        ),
        (
            "[1]",
            format!("{d2020}\n- at '': got array, want boolean or object"),
        ),
        (
            r#"{"properties":{"a":{"type":"strin"}}}"#,
            format!(
                "{d2020}\n- at '': 'allOf' failed\n  - at '/properties/a': 'allOf' failed\n    \
                 - at '/properties/a/type': 'anyOf' failed\n      - at '/properties/a/type': {types}\n      \
                 - at '/properties/a/type': got string, want array"
            ),
        ),
        (
            r#"{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"pattern":"["}}}"#,
            format!(
                "{d7}\n- at '/properties/a/pattern': '[' is not valid regex: \
                 error parsing regexp: missing closing ]: `[`"
            ),
        ),
        (
            r##"{"properties":{"a":{"$ref":"#/nope"}}}"##,
            "json-pointer in \"file:///values.schema.json#/nope\" not found".to_owned(),
        ),
        (
            r##"{"$ref":"#foo"}"##,
            "anchor in \"file:///values.schema.json#foo\" not found in schema \"file:///values.schema.json\""
                .to_owned(),
        ),
        (
            r#"{"$ref":"other.json"}"#,
            "failing loading \"file:///other.json\": open /other.json: no such file or directory".to_owned(),
        ),
        (
            r#"{"$ref":"ftp://x/y"}"#,
            "failing loading \"ftp://x/y\": no URLLoader registered for \"ftp://x/y\"".to_owned(),
        ),
        (
            r#"{"$ref":"https://x.invalid/y"}"#,
            "failing loading \"https://x.invalid/y\": HTTP request failed for https://x.invalid/y: \
             a renderer opens no connections"
                .to_owned(),
        ),
        (
            r##"{"properties":{"a":{"$ref":"#/$defs/z"}},"$defs":{"z":{"$ref":"#/$defs/z"}}}"##,
            "- at '/a': both /properties/a/$ref/$ref and /properties/a/$ref resolve to \
             \"file:///values.schema.json#/$defs/z\" causing reference cycle\n"
                .to_owned(),
        ),
    ] {
        assert_eq!(error(schema, &json!({"a": 1})), Some(text), "{schema}");
    }
}

#[test]
fn identifiers_anchors_and_drafts() {
    let id = r##"{"$id":"http://example.com/root.json","properties":{"a":{"$ref":"#/$defs/b"},"c":{"$ref":"item.json"}},
        "$defs":{"b":{"type":"string"},"c":{"$id":"item.json","type":"number"}}}"##;
    assert_eq!(
        error(id, &json!({"a": 1})).as_deref(),
        Some("- at '/a': got number, want string\n")
    );
    assert_eq!(
        error(id, &json!({"c": "x"})).as_deref(),
        Some("- at '/c': got string, want number\n")
    );
    let draft4 = r#"{"$schema":"http://json-schema.org/draft-04/schema#",
        "properties":{"a":{"exclusiveMinimum":true,"minimum":1}}}"#;
    assert_eq!(
        error(draft4, &json!({"a": 1})).as_deref(),
        Some("- at '/a': exclusiveMinimum: got 1, want 1\n")
    );
    let anchor = r##"{"properties":{"a":{"$ref":"#here"}},"$defs":{"x":{"$anchor":"here","type":"null"}}}"##;
    assert_eq!(
        error(anchor, &json!({"a": 1})).as_deref(),
        Some("- at '/a': got number, want null\n")
    );
    let mut warnings = Vec::new();
    let urn = br#"{"properties":{"a":{"$ref":"urn:x:y"}}}"#;
    let values = json!({"a": 1});
    schema::validate(values.as_object().expect("a map"), urn, &mut warnings).expect("a URN allows all");
    assert_eq!(
        warnings,
        ["level=WARN msg=\"unresolved URN reference ignored; using permissive schema\" urn=urn:x:y"]
    );
}
