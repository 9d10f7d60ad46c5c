//! What a caller learns of a build beside its text: the kind of an error, its file and field, and what was read.

use deploy_render::inputs::InputKind;
use deploy_render::kustomize::{Build, BuildOptions, Error, ErrorKind, build};
use deploy_render::source::MemorySource;

/// Files, and what the error of their build is: its kind, its file, its field.
type Row = (
    &'static [(&'static str, &'static str)],
    ErrorKind,
    &'static str,
    &'static str,
);

fn run(files: &[(&str, &str)], path: &str) -> Result<Build, Error> {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
    build(&MemorySource::new(files), path, &BuildOptions::default())
}

#[test]
fn errors_name_kind_file_and_field() {
    let missing = |path: &str| ErrorKind::Missing {
        path: path.to_owned(),
    };
    let unsupported = |field: &str| ErrorKind::Unsupported {
        field: field.to_owned(),
    };
    let rows: [Row; 9] = [
        (
            &[("/a/kustomization.yaml", "resources: [gone.yaml]")],
            missing("/a/gone.yaml"),
            "/a/kustomization.yaml",
            "resources",
        ),
        (
            &[
                ("/a/kustomization.yaml", "resources: [../x.yaml]"),
                ("/x.yaml", "{apiVersion: v1, kind: A, metadata: {name: a}}"),
            ],
            ErrorKind::OutsideRoot {
                path: "/x.yaml".to_owned(),
            },
            "/a/kustomization.yaml",
            "resources",
        ),
        (
            &[
                ("/a/kustomization.yaml", "resources: [../b]"),
                ("/b/kustomization.yaml", "resources: [../a]"),
            ],
            ErrorKind::Cycle {
                path: "/a".to_owned(),
            },
            "/b/kustomization.yaml",
            "resources",
        ),
        (
            &[(
                "/a/kustomization.yaml",
                "resources: ['https://example.com/a/b?ref=v1']",
            )],
            ErrorKind::Remote {
                url: "https://example.com/a/b?ref=v1".to_owned(),
            },
            "/a/kustomization.yaml",
            "resources",
        ),
        (
            &[("/a/kustomization.yaml", "helmCharts: [{name: x}]")],
            unsupported("helmCharts"),
            "/a/kustomization.yaml",
            "helmCharts",
        ),
        (
            &[(
                "/a/kustomization.yaml",
                "transformers: ['{apiVersion: example.com/v1, kind: Own, metadata: {name: x}}']",
            )],
            unsupported("Own"),
            "/a/kustomization.yaml",
            "transformers",
        ),
        (
            &[(
                "/a/kustomization.yaml",
                "configMapGenerator: [{name: a, files: [gone]}]",
            )],
            missing("/a/gone"),
            "/a/kustomization.yaml",
            "configMapGenerator",
        ),
        (
            &[("/a/kustomization.yaml", "patches: [{path: gone.yaml}]")],
            missing("/a/gone.yaml"),
            "/a/kustomization.yaml",
            "patches",
        ),
        (
            &[("/a/kustomization.yaml", "components: [../c]")],
            missing("/c"),
            "/a/kustomization.yaml",
            "components",
        ),
    ];
    for (files, kind, file, field) in rows {
        let error = run(files, "/a").expect_err("the tree is broken");
        assert_eq!(error.kind(), &kind, "{error}");
        assert_eq!(error.file(), Some(file), "{error}");
        assert_eq!(error.field(), Some(field), "{error}");
    }
}

#[test]
fn a_broken_kustomization_file_is_named_without_a_field() {
    let files = [
        ("/a/kustomization.yaml", "resources: [../b]"),
        ("/b/kustomization.yaml", "resource: []"),
    ];
    let error = run(&files, "/a").expect_err("the field is unknown");
    assert!(
        error
            .to_string()
            .ends_with("invalid Kustomization: json: unknown field \"resource\"")
    );
    assert_eq!(
        (error.file(), error.field()),
        (Some("/b/kustomization.yaml"), None)
    );
}

#[test]
fn warnings_survive_an_error() {
    let error = run(&[("/a/kustomization.yaml", "bases: [gone]")], "/a").expect_err("the base is gone");
    assert_eq!(error.warnings().len(), 1);
    assert!(error.warnings()[0].starts_with("# Warning: 'bases' is deprecated."));
}

#[test]
fn a_build_says_what_it_read() {
    let files = [
        (
            "/a/kustomization.yaml",
            "resources: [../b]\nconfigMapGenerator: [{name: c, files: [f.txt]}]",
        ),
        ("/a/f.txt", "text"),
        ("/a/unused.txt", "text"),
        ("/b/kustomization.yaml", "resources: [r.yaml]"),
        ("/b/r.yaml", "{apiVersion: v1, kind: A, metadata: {name: a}}"),
    ];
    let built = run(&files, "a").expect("the tree builds");
    let read: Vec<&str> = built
        .inputs
        .iter()
        .filter(|(kind, ..)| **kind == InputKind::File)
        .map(|(_, name, _)| name)
        .collect();
    assert_eq!(
        read,
        [
            "/a/f.txt",
            "/a/kustomization.yaml",
            "/b/kustomization.yaml",
            "/b/r.yaml"
        ]
    );
    let folders = built
        .inputs
        .iter()
        .filter(|(kind, ..)| **kind == InputKind::Folder);
    assert_eq!(folders.map(|(_, name, _)| name).collect::<Vec<_>>(), ["/a", "/b"]);
    assert_eq!(
        built
            .resources
            .iter()
            .map(|r| r.kind.as_str())
            .collect::<Vec<_>>(),
        ["ConfigMap", "A"]
    );
}

#[test]
fn diamonds_without_end_stop() {
    // Each level names the one below twice: 2^40 visits.
    let mut files = Vec::new();
    for level in 0..40 {
        let next = format!("../l{}", level + 1);
        files.push((
            format!("/l{level}/kustomization.yaml"),
            format!("resources: [{next}, {next}/../l{}]", level + 1),
        ));
    }
    files.push(("/l40/kustomization.yaml".to_owned(), "namePrefix: x".to_owned()));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let error = run(&files, "/l0").expect_err("nobody can wait for it");
    assert_eq!(error.kind(), &ErrorKind::TooLarge, "{error}");
}

#[test]
fn aliases_without_end_stop() {
    let mut text = String::from(
        "apiVersion: v1\nkind: A\nmetadata: {name: a}\nl0: &l0 [x, x, x, x, x, x, x, x, x, x]\n",
    );
    for level in 1..12 {
        let alias = format!("*l{}", level - 1);
        let ten = [alias.as_str(); 10].join(", ");
        text.push_str(&format!("l{level}: &l{level} [{ten}]\n"));
    }
    let files = [
        ("/a/kustomization.yaml", "resources: [r.yaml]"),
        ("/a/r.yaml", text.as_str()),
    ];
    let error = run(&files, "/a").expect_err("it is a billion laughs");
    assert!(error.to_string().contains("excessive aliasing"), "{error}");
}
