//! Kustomizations and plain folders.

use std::fmt::Write as _;
use std::fs;

use super::{Case, alias_bomb, check, large_file};

const COMMANDS: &[&[&str]] = &[&["kustomize", "build", "."], &["render", "."]];
const PLAIN: &[&[&str]] = &[&["render", "."]];

const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: v\n";

/// A kustomization of one object.
fn case(name: &'static str, kustomization: &str) -> Case {
    Case::new(name, COMMANDS)
        .file("kustomization.yaml", kustomization)
        .file("a.yaml", OBJECT)
}

/// The same of another object.
fn object(name: &'static str, text: impl Into<Vec<u8>>) -> Case {
    case(name, "resources: [a.yaml]\n")
        .file("a.yaml", text)
        .says(&["a.yaml"])
}

#[test]
fn broken_files() {
    check(&[
        case("the kustomization is not YAML", "resources:\n- a.yaml\n- [\n")
            .says(&["kustomization.yaml", "line 3"]),
        case("the kustomization is a list", "- a\n").says(&["kustomization.yaml"]),
        case("the kustomization is a text", "a\n").says(&["kustomization.yaml"]),
        case("the kustomization is empty", "").says(&["kustomization"]),
        case(
            "the kustomization has unknown fields",
            "resources: [a.yaml]\nresource: []\n",
        )
        .says(&["kustomization.yaml", "resource"]),
        case("a field of another type", "resources: {a: b}\n").says(&["kustomization.yaml"]),
        case("the kustomization is not UTF-8", "")
            .file("kustomization.yaml", b"resources: [\xff]\n".to_vec())
            .says(&["kustomization.yaml"]),
        case("the kustomization holds NUL", "")
            .file("kustomization.yaml", b"resources: [\0]\n".to_vec())
            .says(&["kustomization.yaml"]),
        case("the kustomization is an alias bomb", &alias_bomb()).says(&["kustomization.yaml"]),
        case("the kustomization nests without end", &"[".repeat(100_000)).says(&["kustomization.yaml"]),
        case("a kustomization of 100 MB", "")
            .more(|folder| large_file(&folder.join("kustomization.yaml"), 100 << 20))
            .says(&["kustomization.yaml", "larger"]),
        case("a kustomization that is a folder", "").more(|folder| {
            fs::remove_file(folder.join("kustomization.yaml")).expect("it is there");
            fs::create_dir(folder.join("kustomization.yaml")).expect("a folder");
            fs::remove_file(folder.join("a.yaml")).expect("it is there");
        }),
        case("two kustomizations", "resources: [a.yaml]\n")
            .file("kustomization.yml", "resources: [a.yaml]\n"),
        object("an object that is not YAML", "a: b\nb: c: d\n").says(&["line 2"]),
        object("an object without a kind", "a: b\n"),
        object("an object without a name", "apiVersion: v1\nkind: ConfigMap\n"),
        object("an object that is a text", "a\n"),
        object("an object that is a list", "- a\n"),
        object(
            "metadata of another type",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: [a]\n",
        ),
        object(
            "an object that is not UTF-8",
            b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \xff}\n".to_vec(),
        ),
        object(
            "an object that holds NUL",
            b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a\0}\n".to_vec(),
        ),
        object(
            "an object with an alias bomb",
            format!("{OBJECT}{}", alias_bomb()),
        ),
        object(
            "an object that nests without end",
            format!("{OBJECT}x: {}", "[".repeat(100_000)),
        ),
        object("an alias within itself", format!("{OBJECT}x: &x [*x]\n")),
        case("an object of 100 MB", "resources: [a.yaml]\n")
            .more(|folder| large_file(&folder.join("a.yaml"), 100 << 20))
            .says(&["a.yaml", "larger"]),
    ]);
}

#[test]
fn broken_references() {
    let base = "resources: [../b]\n";
    check(&[
        case("a resource that is not there", "resources: [none.yaml]\n")
            .says(&["kustomization.yaml", "none.yaml"]),
        case("a folder without kustomization", "resources: [b]\n")
            .file("b/a.yaml", OBJECT)
            .says(&["b"]),
        case("a base of its own", "resources: [.]\n").says(&["cycle"]),
        case("bases in a circle", "resources: [x]\n")
            .file("x/kustomization.yaml", base.replace("../b", "../y"))
            .file("y/kustomization.yaml", base.replace("../b", "../x"))
            .says(&["cycle", "/y"]),
        case("components in a circle", "components: [x]\n")
            .file(
                "x/kustomization.yaml",
                "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncomponents: [../x]\n",
            )
            .says(&["cycle"]),
        case("a base through a link to itself", "resources: [x]\n")
            .more(|folder| std::os::unix::fs::symlink(".", folder.join("x")).expect("a link"))
            .says(&["cycle"]),
        case("a link to itself", "resources: [x]\n")
            .more(|folder| std::os::unix::fs::symlink("x", folder.join("x")).expect("a link"))
            .says(&["x"]),
        case("bases that double with each level", "resources: [l0]\n").more(|folder| {
            for level in 0..60 {
                for side in ["a", "b"] {
                    let path = folder.join(format!("l{level}/{side}"));
                    fs::create_dir_all(&path).expect("a folder");
                    let text = format!("resources: [../../l{}]\n", level + 1);
                    fs::write(path.join("kustomization.yaml"), text).expect("a file");
                }
                fs::write(
                    folder.join(format!("l{level}/kustomization.yaml")),
                    "resources: [a, b]\n",
                )
                .expect("a file");
            }
            fs::create_dir_all(folder.join("l60")).expect("a folder");
            fs::write(folder.join("l60/kustomization.yaml"), "namePrefix: a-\n").expect("a file");
        }),
        case("a resource outside the root", "resources: [b]\n")
            .file("b/kustomization.yaml", "resources: [../a.yaml]\n")
            .says(&["a.yaml", "security"]),
        case("a resource by an absolute path", "resources: [/etc/hostname]\n").says(&["/etc/hostname"]),
        case(
            "a resource through a link that leads out",
            "resources: [x.yaml]\n",
        )
        .more(|folder| std::os::unix::fs::symlink("/etc/hostname", folder.join("x.yaml")).expect("a link"))
        .says(&["x.yaml"]),
        case(
            "a resource of the network",
            "resources: ['https://example.org/a.yaml']\n",
        )
        .says(&["https://example.org"]),
        case(
            "a config map of a file that is not there",
            "configMapGenerator: [{name: m, files: [none.txt]}]\n",
        )
        .says(&["none.txt"]),
        case(
            "a config map of a broken env file",
            "configMapGenerator: [{name: m, envs: [e.env]}]\n",
        )
        .file("e.env", b"\xff=1\n".to_vec())
        .says(&["e.env"]),
        case(
            "a config map of a file of 100 MB",
            "configMapGenerator: [{name: m, files: [large]}]\n",
        )
        .more(|folder| large_file(&folder.join("large"), 100 << 20))
        .says(&["large"]),
        case("a file outside the root", "resources: [b]\n")
            .file(
                "b/kustomization.yaml",
                "configMapGenerator: [{name: m, files: [../a.yaml]}]\n",
            )
            .says(&["a.yaml", "security"]),
        case("two objects of one name", "resources: [a.yaml, b.yaml]\n")
            .file("b.yaml", OBJECT)
            .says(&["b.yaml"]),
        case(
            "two config maps of one name",
            "configMapGenerator: [{name: m}, {name: m}]\n",
        )
        .says(&["m"]),
        case(
            "a config map to merge that is not there",
            "configMapGenerator: [{name: m, behavior: merge}]\n",
        )
        .says(&["m"]),
        case(
            "variables without an object",
            "resources: [a.yaml]\nvars: [{name: X, objref: {kind: Secret, name: z, apiVersion: v1}}]\n",
        )
        .says(&["X"]),
        case(
            "a transformer that is a program",
            "resources: [a.yaml]\ntransformers: [t.yaml]\n",
        )
        .file("t.yaml", "apiVersion: x/v1\nkind: Nothing\nmetadata: {name: t}\n"),
    ]);
}

#[test]
fn broken_changes() {
    let with = |name, change: &str| case(name, &format!("resources: [a.yaml]\n{change}"));
    let patch = |name, text: &str| {
        with(name, "patches: [{path: p.yaml, target: {kind: ConfigMap}}]\n").file("p.yaml", text)
    };
    let bomb = {
        // Each step copies all there is into itself.
        let mut text = String::new();
        for n in 0..60 {
            writeln!(text, "- {{op: copy, from: /data, path: /data/k{n}}}").expect("memory takes it");
        }
        text
    };
    check(&[
        with("a patch for nobody", "patches: [{path: p.yaml}]\n")
            .file("p.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: z}\ndata: {a: b}\n")
            .says(&["z", "no matches"]),
        with("a patch that is not there", "patches: [{path: none.yaml}]\n").says(&["none.yaml"]),
        with("a patch that is nothing", "patches: [{target: {kind: ConfigMap}}]\n").says(&["patch"]),
        patch("a patch that is not YAML", "a: [\n").says(&["p.yaml"]),
        patch("a patch of a path that is not there", "- {op: replace, path: /x/y, value: 1}\n").says(&["/x/y"]),
        patch("a patch with an unknown step", "- {op: explode, path: /x}\n").says(&["explode"]),
        patch("a patch of a path without slash", "- {op: add, path: x, value: 1}\n"),
        patch("a test that fails", "- {op: test, path: /data/k, value: z}\n").says(&["/data/k"]),
        patch("a patch at a huge index", "- {op: add, path: /data/l, value: []}\n- {op: add, path: /data/l/99999999999, value: 1}\n"),
        patch("a patch that doubles", &bomb).once(),
        patch("a patch with an alias bomb", &alias_bomb()).says(&["p.yaml"]),
        patch("a patch of 100 MB", "").more(|folder| large_file(&folder.join("p.yaml"), 100 << 20)).says(&["p.yaml"]),
        with("a broken expression in a target", "patches: [{patch: '[{op: remove, path: /data/k}]', target: {name: '('}}]\n"),
        with("a huge expression in a target", "patches: [{patch: '[{op: remove, path: /data/k}]', target: {name: '((a{1000}){1000}){1000}'}}]\n").once(),
        with("a replacement of what is not there", "replacements: [{source: {kind: Secret, name: z}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.k]}]}]\n").says(&["nothing selected"]),
        with("a replacement of a bad path", "replacements: [{source: {kind: ConfigMap, name: a, fieldPath: data.none}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.k]}]}]\n").says(&["data.none"]),
        with("a replacement to a bad path", "replacements: [{source: {kind: ConfigMap, name: a}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.x.y]}]}]\n").says(&["data.x.y"]),
        with("a replacement file that is not there", "replacements: [{path: none.yaml}]\n").says(&["none.yaml"]),
        with("replicas that are no number", "replicas: [{name: a, count: many}]\n").says(&["replicas"]),
        with("replicas of nobody", "replicas: [{name: z, count: 3}]\n").says(&["z"]),
        with("labels of another type", "labels: [{pairs: [a]}]\n").says(&["kustomization.yaml"]),
        with("a sort order that is none", "sortOptions: {order: random}\n"),
        with("a schema that is not there", "openapi: {path: none.json}\n").says(&["none.json"]),
        with("a schema that is broken", "openapi: {path: s.json}\n").file("s.json", "{").says(&["schema file"]),
        with("type files that are broken", "crds: [t.json]\n").file("t.json", "{").says(&["t.json"]),
        with("configurations that are broken", "configurations: [c.yaml]\n").file("c.yaml", "nameReference: {").says(&["line 1"]),
    ]);
}

#[test]
fn broken_plain_folders() {
    let plain = |name, text: &[u8]| Case::new(name, PLAIN).file("a.yaml", text).says(&["a.yaml"]);
    check(&[
        plain("not YAML", b"a:\n  b: [1\n c: }\n").says(&["a.yaml:3"]),
        plain("no object", b"a: b\n").says(&["a.yaml:1"]),
        plain("not UTF-8", b"a: \xff\n"),
        plain("NUL", b"a: \0\n"),
        // As YAML it passes as it is, with its aliases.
        Case::new("an alias bomb", &[&["render", ".", "-o", "json"]])
            .file("a.yaml", format!("{OBJECT}{}", alias_bomb()))
            .says(&["a.yaml", "excessive aliasing"]),
        plain("nesting without end", "[".repeat(100_000).as_bytes()),
        plain(
            "two objects of one name",
            format!("{OBJECT}---\n{OBJECT}").as_bytes(),
        )
        .says(&["a.yaml:8"]),
        Case::new("a file of 100 MB", PLAIN)
            .more(|folder| large_file(&folder.join("a.yaml"), 100 << 20))
            .says(&["a.yaml"]),
        Case::new("nothing", PLAIN),
        Case::new("a folder within itself", &[&["render", "-R", "."]])
            .file("a.yaml", OBJECT)
            .more(|folder| std::os::unix::fs::symlink(".", folder.join("x")).expect("a link")),
    ]);
}
