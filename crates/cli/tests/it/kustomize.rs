//! `deploy kustomize build -o`

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use deploy_cli::{Invocation, Terminal};
use deploy_conformance::repository;
use deploy_model::Exit;

use crate::fresh_folder;

fn run(cwd: &Path, args: &[&str]) -> (Exit, String, String) {
    let invocation = Invocation {
        args: args.iter().map(Into::into).collect(),
        cwd: cwd.to_owned(),
        env: BTreeMap::new(),
        terminal: Terminal::default(),
        stdin: Box::new(std::io::empty()),
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = deploy_cli::run(invocation, &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (exit, text(out), text(err))
}

#[test]
fn output_goes_to_a_file_or_a_folder() {
    let source = repository().join("fixtures/cli/kustomize/in/overlays/prod");
    let source = source.to_str().expect("UTF-8");
    let cwd = fresh_folder("kustomize-output");
    let (_, printed, _) = run(&cwd, &["kustomize", "build", source]);

    let outcome = run(&cwd, &["kustomize", "build", source, "-o", "all.yaml"]);
    assert_eq!(outcome, (Exit::Done, String::new(), String::new()));
    assert_eq!(
        fs::read_to_string(cwd.join("all.yaml")).expect("it was written"),
        printed
    );

    fs::create_dir(cwd.join("each")).expect("a folder");
    assert_eq!(
        run(&cwd, &["kustomize", "build", source, "--output", "each"]).0,
        Exit::Done
    );
    let mut names: Vec<String> = fs::read_dir(cwd.join("each"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "apps_v1_deployment_us-orders.yaml",
            "v1_configmap_us-shop-md8cbkk72g.yaml",
            "v1_service_us-orders.yaml"
        ]
    );
    // The parts are the whole.
    let mut parts: Vec<String> = names
        .iter()
        .map(|name| fs::read_to_string(cwd.join("each").join(name)).expect("a file"))
        .collect();
    let mut whole: Vec<String> = printed.split("---\n").map(str::to_owned).collect();
    parts.sort();
    whole.sort();
    assert_eq!(parts, whole);

    let (exit, _, talk) = run(&cwd, &["kustomize", "build", source, "-o", "absent/x.yaml"]);
    assert_eq!(exit, Exit::Failed);
    assert!(
        talk.contains("DEP-CLI-002") && talk.contains("no such file or directory"),
        "{talk}"
    );
}

#[test]
fn namespaces_stand_before_names_where_there_are_several() {
    let cwd = fresh_folder("kustomize-namespaces");
    let object = |kind: &str, namespace: &str| {
        format!("apiVersion: v1\nkind: {kind}\nmetadata:\n  name: a\n  namespace: {namespace}\n")
    };
    fs::write(
        cwd.join("kustomization.yaml"),
        "resources: [a.yaml, b.yaml, c.yaml]\n",
    )
    .expect("a file");
    fs::write(cwd.join("a.yaml"), object("Secret", "x")).expect("a file");
    fs::write(cwd.join("b.yaml"), object("Secret", "y")).expect("a file");
    fs::write(
        cwd.join("c.yaml"),
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n",
    )
    .expect("a file");
    fs::create_dir(cwd.join("out")).expect("a folder");
    assert_eq!(
        run(&cwd, &["kustomize", "build", "-o", "out"]),
        (Exit::Done, String::new(), String::new())
    );
    for name in ["x_v1_secret_a.yaml", "y_v1_secret_a.yaml", "v1_namespace_x.yaml"] {
        assert!(cwd.join("out").join(name).is_file(), "{name}");
    }
}
