//! Hostile documents are refused, and quickly.

use deploy_yaml::{Dialect, MAX_DEPTH, emit_kyaml, node_to_json, parse, to_json};

#[test]
fn alias_bombs_are_refused() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (before, name) in ('a'..='h').zip('b'..='i') {
        bomb += &format!(
            "{name}: &{name} [{}]\n",
            vec![format!("*{before}"); 10].join(", ")
        );
    }
    for dialect in [Dialect::GoYaml11, Dialect::GoYaml3, Dialect::Core12] {
        let error = to_json(bomb.as_bytes(), dialect).expect_err("a billion laughs");
        assert!(error.is_limit());
        assert_eq!(error.to_string(), "yaml: document contains excessive aliasing");
    }
}

#[test]
fn deep_nesting_is_refused() {
    for deep in ["[", "{a: ", "- ", "? "] {
        let source = deep.repeat(100_000);
        assert!(
            parse(source.as_bytes()).expect_err("too deep").is_limit(),
            "{deep}"
        );
        assert!(
            to_json(source.as_bytes(), Dialect::GoYaml11)
                .expect_err("too deep")
                .is_limit(),
            "{deep}"
        );
    }
    let mut indented = String::new();
    for depth in 0..2 * MAX_DEPTH {
        indented += &format!("{}a:\n", " ".repeat(depth));
    }
    assert!(parse(indented.as_bytes()).expect_err("too deep").is_limit());
}

#[test]
fn chains_of_aliases_are_no_way_around_the_depth() {
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for i in 1..5_000 {
        chain += &format!("a{i}: &a{i} [*a{}]\n", i - 1);
    }
    assert!(
        to_json(chain.as_bytes(), Dialect::GoYaml11)
            .expect_err("too deep")
            .is_limit()
    );
}

#[test]
fn the_deepest_allowed_nesting_works() {
    let depth = MAX_DEPTH - 10;
    let source = "[".repeat(depth) + &"]".repeat(depth);
    let roots = parse(source.as_bytes()).expect("within the bound");
    assert_eq!(emit_kyaml(&roots[0]), source.clone() + "\n");
    let value = node_to_json(&roots[0], Dialect::GoYaml3).expect("within the bound");
    assert!(deploy_yaml::emit_sigs(&value).starts_with("- - - "));
}
