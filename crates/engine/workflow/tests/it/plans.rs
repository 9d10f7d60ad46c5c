//! What can be carried out, what starts, and what is said where not.

use crate::machine::Tree;
use deploy_model::Lang;
use deploy_workflow::plan::{Plan, plan};
use deploy_workflow::reader::Problem;
use deploy_workflow::trigger::{Happening, dispatch_inputs, triggers};
use deploy_workflow::workflow::{Options, Workflow, read};
use std::collections::BTreeMap;

fn workflow(text: &str) -> Workflow {
    read("w.yml", text, &Tree(BTreeMap::new()), &Options::default()).unwrap_or_else(|e| panic!("{e:?}"))
}

fn planned(steps: &str, files: &[(&'static str, &'static str)]) -> Result<Plan, Vec<Problem>> {
    let text = format!("on: push\njobs: {{a: {{runs-on: x, steps: [{steps}]}}}}\n");
    plan(workflow(&text), &Tree(files.iter().copied().collect()))
}

fn refusal(steps: &str, files: &[(&'static str, &'static str)]) -> (String, String) {
    let problems = planned(steps, files).unwrap_err();
    let hint = problems[0].hint.as_ref().map(|hint| hint.text(Lang::En));
    (problems[0].to_string(), hint.unwrap_or_default())
}

#[test]
fn actions_that_are_not_here_are_refused_with_a_hint() {
    let (message, hint) = refusal("{uses: actions/setup-node@v4}", &[]);
    assert_eq!(
        message,
        "w.yml (Line: 2, Col: 39): The action 'actions/setup-node@v4' is not built in"
    );
    assert!(hint.contains("node"), "{hint}");
    let (_, hint) = refusal("{uses: some/thing@v1}", &[]);
    assert!(hint.contains("actions/checkout"), "{hint}");
    let (message, _) = refusal("{uses: ./missing}", &[]);
    assert!(message.contains("Can't find 'action.yml'"), "{message}");
    let (message, _) = refusal(
        "{uses: './node'}",
        &[("node/action.yml", "{name: n, runs: {using: node20, main: a.js}}")],
    );
    assert!(message.contains("node20"), "{message}");
    let docker =
        "{name: n, inputs: {a: {}}, runs: {using: docker, image: Dockerfile, args: ['${{ inputs.a }}']}}";
    let (message, hint) = refusal("{uses: './d'}", &[("d/action.yml", docker)]);
    assert!(
        message.contains("of the kind 'docker'") && hint.contains("composite"),
        "{message}"
    );
    let (message, _) = refusal("{uses: 'docker://alpine'}", &[]);
    assert!(message.contains("runs a container"), "{message}");
    let (message, _) = refusal("{uses: actions/cache@v4, with: {path: x}}", &[]);
    assert!(
        message.contains("Input required and not supplied: key"),
        "{message}"
    );
}

#[test]
fn actions_in_a_circle_end() {
    let circle = "{name: n, runs: {using: composite, steps: [{uses: ./a}]}}";
    assert!(planned("{uses: ./a}", &[("a/action.yml", circle)]).is_ok());
}

#[test]
fn a_cycle_is_told_with_its_way() {
    let text = "on: push\njobs:\n  z: {runs-on: x}\n  a: {runs-on: x, needs: b}\n  b: {runs-on: x, needs: c}\n  c: {runs-on: x, needs: a}\n";
    let problems = read("w.yml", text, &Tree(BTreeMap::new()), &Options::default()).unwrap_err();
    let hint = problems[0].hint.as_ref().unwrap().text(Lang::En);
    assert_eq!(hint, "Remove one of these needs: a -> b -> c -> a");
    assert!(
        problems[0]
            .hint
            .as_ref()
            .unwrap()
            .text(Lang::Zh)
            .contains("a -> b -> c -> a")
    );
}

#[test]
fn anchors_are_read_and_merge_keys_are_not() {
    let text = "on: push\njobs:\n  a: {runs-on: x, env: &e {A: '1'}, steps: [{run: a}]}\n  b: {runs-on: x, env: *e, steps: [{run: b}]}\n";
    let env = workflow(text).jobs[1]
        .get("env")
        .unwrap()
        .get("A")
        .unwrap()
        .shown();
    assert_eq!(env, "1");
    let text = "on: push\njobs:\n  a: &a {runs-on: x, steps: [{run: a}]}\n  b: {<<: *a, name: b}\n";
    let problems = read("w.yml", text, &Tree(BTreeMap::new()), &Options::default()).unwrap_err();
    assert!(
        problems[0].to_string().contains("Unexpected value '<<'"),
        "{problems:?}"
    );
}

#[test]
fn hostile_files_end_with_an_error() {
    let laughs: String = (1..30)
        .map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}]\n", n - 1))
        .collect();
    let deep = "[".repeat(5000);
    let itself = "a: &a [*a]\n";
    for text in [
        format!("a0: &a0 [x]\n{laughs}"),
        format!("on: {deep}"),
        itself.to_owned(),
        String::new(),
        "\u{0}".to_owned(),
    ] {
        assert!(read("w.yml", &text, &Tree(BTreeMap::new()), &Options::default()).is_err());
    }
}

fn starts(on: &str, happening: &Happening) -> bool {
    let workflow = workflow(&format!(
        "on: {on}\njobs: {{a: {{runs-on: x, steps: [{{run: a}}]}}}}\n"
    ));
    let answer = triggers(&workflow, happening);
    assert!(!answer.reason.is_empty());
    answer.starts
}

#[test]
fn filters_of_push_and_pull_request() {
    let push = |reference: &str, paths: &[&str]| Happening {
        event: "push".to_owned(),
        reference: reference.to_owned(),
        paths: Some(paths.iter().map(|path| (*path).to_owned()).collect()),
        ..Happening::default()
    };
    let main = push("refs/heads/main", &["src/a.rs", "docs/b.md"]);
    let tag = push("refs/tags/v1.2", &[]);
    for (on, happening, expected) in [
        ("push", &main, true),
        ("pull_request", &main, false),
        ("{push: {branches: [main, 'rel/**']}}", &main, true),
        ("{push: {branches: ['rel/**']}}", &main, false),
        ("{push: {branches-ignore: ['ma*']}}", &main, false),
        ("{push: {branches: [main]}}", &tag, false),
        ("{push: {tags: ['v1.*']}}", &tag, true),
        ("{push: {tags: ['v1.*']}}", &main, false),
        ("{push: {tags: ['v1.*'], branches: [main]}}", &main, true),
        ("{push: {paths: ['docs/**']}}", &main, true),
        ("{push: {paths: ['docs/**', '!docs/b.md']}}", &main, false),
        ("{push: {paths-ignore: ['docs/**']}}", &main, true),
        ("{push: {paths-ignore: ['docs/**', '**.rs']}}", &main, false),
        ("{push: {paths: ['docs/**'], tags: ['**']}}", &tag, true),
    ] {
        assert_eq!(starts(on, happening), expected, "{on}");
    }
    let request = |action: &str| Happening {
        event: "pull_request".to_owned(),
        action: Some(action.to_owned()),
        reference: "refs/heads/main".to_owned(),
        ..Happening::default()
    };
    assert!(starts("pull_request", &request("synchronize")));
    assert!(!starts("pull_request", &request("closed")));
    assert!(starts(
        "{pull_request: {types: closed, branches: main}}",
        &request("closed")
    ));
}

#[test]
fn inputs_by_hand_have_types() {
    let text = "on: {workflow_dispatch: {inputs: {n: {type: number, default: 3}, b: {type: boolean}, c: {type: choice, options: [x, y], default: y}, r: {required: true}}}}\njobs: {a: {runs-on: x, steps: [{run: a}]}}\n";
    let given = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    let inputs = dispatch_inputs(&workflow(text), &given(&[("r", "1"), ("b", "true")])).unwrap();
    let shown: Vec<String> = inputs
        .iter()
        .map(|(name, value)| format!("{name} {} {}", value.kind(), value.to_text()))
        .collect();
    assert_eq!(
        shown,
        ["n Number 3", "b Boolean true", "c String y", "r String 1"]
    );
    let wrong = dispatch_inputs(
        &workflow(text),
        &given(&[("b", "yes"), ("c", "z"), ("n", "k"), ("q", "")]),
    )
    .unwrap_err();
    assert_eq!(wrong.len(), 5, "{wrong:?}");
}
