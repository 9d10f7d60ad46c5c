//! Templates and values that nest without end: an error, never a crash, on a test's small stack.

use std::cell::RefCell;
use std::collections::HashMap;

use deploy_template::func::{FuncError, Param, Signature};
use deploy_template::value::{JsonStyle, List, Value};
use deploy_template::{Funcs, Options, TemplateSet, execute};

use crate::host::NoHost;

fn render(text: &str, funcs: &Funcs) -> Result<String, String> {
    let mut set = TemplateSet::new("gotpl");
    set.parse("main", text, funcs).map_err(|e| e.to_string())?;
    let out = execute(&set, "main", &Value::Nil, funcs, &mut NoHost, Options::default());
    out.map(|out| String::from_utf8_lossy(&out).into_owned())
        .map_err(|e| e.to_string())
}

/// Helm's `include`, with its bound on a template that includes itself.
fn with_include() -> Funcs {
    let mut funcs = Funcs::new();
    let levels: RefCell<HashMap<Vec<u8>, usize>> = RefCell::default();
    let signature = Signature {
        params: &[Param::String, Param::Any],
        variadic: None,
    };
    funcs.add_dynamic("include", signature, move |ctx, args| {
        let Value::Str(name) = &args[0] else {
            return Err(FuncError::new("a name is a string"));
        };
        let name = name.as_bytes().to_vec();
        let level = *levels
            .borrow_mut()
            .entry(name.clone())
            .and_modify(|n| *n += 1)
            .or_insert(1);
        if level > 1001 {
            return Err(FuncError::new("nested too often"));
        }
        let text = ctx.execute(&String::from_utf8_lossy(&name), &args[1]);
        *levels.borrow_mut().entry(name).or_insert(1) -= 1;
        Ok(Value::Str(text?))
    });
    funcs
}

#[test]
fn an_include_without_end_reaches_its_bound() {
    let text = "{{define \"x\"}}{{if true}}{{with 1}}{{range 1}}{{(include \"x\" .) | printf \"%s\"}}\
                {{end}}{{end}}{{end}}{{end}}{{include \"x\" .}}";
    let error = render(text, &with_include()).unwrap_err();
    let step = |template: &str, column: usize| {
        format!(
            "template: main:1:{column}: executing \"{template}\" at <include \"x\" .>: error calling include: "
        )
    };
    let start = step("main", 109) + &step("x", 49) + &step("x", 49);
    assert_eq!(error[..start.len()], start);
    assert!(
        error.ends_with("error calling include: nested too often"),
        "{error}"
    );
    assert_eq!(error.matches("error calling include").count(), 1002);
}

#[test]
fn a_template_without_end_reaches_go_s_bound() {
    let error = render(
        "{{define \"x\"}}{{template \"x\" .}}{{end}}{{template \"x\" .}}",
        &Funcs::new(),
    )
    .unwrap_err();
    assert_eq!(
        error,
        "template: main:1:25: executing \"x\" at <{{template \"x\" .}}>: exceeded maximum template depth (100000)"
    );
}

#[test]
fn expressions_and_blocks_have_bounds() {
    let nested = |depth: usize| format!("{{{{{}1{}}}}}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(render(&nested(10_000), &Funcs::new()), Ok("1".to_owned()));
    assert_eq!(
        render(&nested(10_001), &Funcs::new()),
        Err("template: main:1: max expression depth exceeded".to_owned())
    );
    let blocks = |depth: usize| format!("{}x{}", "{{if 1}}".repeat(depth), "{{end}}".repeat(depth));
    assert_eq!(render(&blocks(9_999), &Funcs::new()), Ok("x".to_owned()));
    assert_eq!(
        render(&blocks(10_001), &Funcs::new()),
        Err("template: main:1: max nesting depth exceeded".to_owned())
    );
    let chain = format!("{{{{if 0}}}}{}{{{{end}}}}", "{{else if 0}}".repeat(9_000));
    assert_eq!(render(&chain, &Funcs::new()), Ok(String::new()));
}

#[test]
fn values_that_nest_deep_are_printed_compared_and_dropped() {
    let deep = || (0..200_000).fold(Value::Nil, |inner, _| Value::list(vec![inner]));
    let (a, b) = (deep(), deep());
    assert!(a.deep_equal(&b));
    assert!(a.to_json().is_err());
    assert_eq!(deploy_template::fmt::sprint(&[a]).len(), 2 * 10_001 + 3);
}

#[test]
fn a_value_in_itself_has_an_end() {
    let list = List::new(vec![]);
    list.items_mut().push(Value::List(list.clone()));
    let value = Value::List(list.clone());
    assert!(deploy_template::fmt::sprint(std::slice::from_ref(&value)).ends_with(b"]"));
    let error = value.to_json_text(JsonStyle::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "json: unsupported value: encountered a cycle via []interface {}"
    );
    list.items_mut().clear();
}

/// A map of 60 levels that holds itself twice on each: a value of 2^60 parts in a few kilobytes.
#[test]
fn doubling_values_are_not_printed_in_part() {
    let mut funcs = Funcs::new();
    deploy_template::sprig::functions()
        .iter()
        .for_each(|def| funcs.add(def));
    for show in [
        "$m",
        "print $m",
        "printf \"%v\" $m",
        "html $m",
        "$m | toString",
        "quote $m",
        "list $m | join \"\"",
    ] {
        let text = format!(
            "{{{{$m := dict \"a\" \"x\"}}}}{{{{range 60}}}}{{{{$m = dict \"a\" $m \"b\" $m}}}}{{{{end}}}}{{{{{show}}}}}"
        );
        let error = render(&text, &funcs).expect_err(show);
        assert!(
            error.contains("more text and data than a render may"),
            "{show}: {error}"
        );
        assert!(error.starts_with("template: main:1:"), "{show}: {error}");
    }
}
