//! Trees as callers build and change them.

use deploy_yaml::{Node, Style, emit_kyaml, emit_sigs, emit_v3, json_to_node, parse};
use serde_json::json;

#[test]
fn strings_that_look_like_something_else_are_quoted() {
    let list = ["a", "1", "true", "null", "", "yes", "1e3", "a: b", "x\ny\n"].map(Node::string);
    let text = emit_kyaml(&Node::sequence(list.into()));
    assert_eq!(
        text,
        "- a\n- \"1\"\n- \"true\"\n- \"null\"\n- \"\"\n- yes\n- \"1e3\"\n- 'a: b'\n- |\n  x\n  y\n"
    );
}

#[test]
fn entries_are_set_in_place_and_removed() {
    let mut root = parse(b"a: 1 # one\nb: 2\n").expect("it is YAML").remove(0);
    root.set("a", Node::scalar("3"));
    root.set("c", Node::string("4"));
    assert_eq!(
        root.remove("b")
            .and_then(|n| n.as_str().map(str::to_owned))
            .as_deref(),
        Some("2")
    );
    assert_eq!(emit_kyaml(&root), "a: 3\nc: \"4\"\n");
    assert!(root.get("b").is_none() && root.remove("b").is_none());
}

#[test]
fn positions_count_lines_and_characters_from_one() {
    let root = parse("中: [é, x]\nb:\n  - c\n".as_bytes())
        .expect("it is YAML")
        .remove(0);
    let at = |node: &Node| (node.position.line, node.position.column);
    let list = root.get("中").expect("it is there");
    assert_eq!(at(list), (1, 4));
    assert_eq!(
        list.items().expect("a list").iter().map(at).collect::<Vec<_>>(),
        [(1, 5), (1, 8)]
    );
    assert_eq!(
        at(&root.get("b").expect("it is there").items().expect("a list")[0]),
        (3, 5)
    );
}

#[test]
fn tags_and_nulls_are_known() {
    let root = parse(b"a: 1\nb: !x y\nc:\nd: '~'\ne: 1.5\nf: no\n")
        .expect("it is YAML")
        .remove(0);
    let tag = |key: &str| root.get(key).expect("it is there").resolved_tag().to_owned();
    assert_eq!(
        ["a", "b", "c", "d", "e", "f"].map(tag),
        ["!!int", "!x", "!!null", "!!str", "!!float", "!!str"]
    );
    assert!(root.get("c").expect("it is there").is_null());
    assert!(!root.get("d").expect("it is there").is_null());
}

#[test]
fn values_become_trees() {
    let node = json_to_node(&serde_json::json!({"a": [1, 1.5, true, null, "1", "x\ny"], "1": {}}));
    assert_eq!(
        node.get("a").and_then(|a| a.items()).map(|i| i[5].style),
        Some(Style::Literal)
    );
    assert_eq!(
        emit_kyaml(&node),
        "\"1\": {}\na:\n- 1\n- 1.5\n- true\n- null\n- \"1\"\n- |-\n  x\n  y\n"
    );
}

#[test]
fn doubles_are_printed_as_helm_prints_them() {
    let million = json!([1e6, 1_000_000, 0.5, 1e21, -0.0]);
    assert_eq!(emit_sigs(&million), "- 1000000\n- 1000000\n- 0.5\n- 1e+21\n- 0\n");
    assert_eq!(emit_v3(&million, 2), "- 1e+06\n- 1000000\n- 0.5\n- 1e+21\n- -0\n");
}
