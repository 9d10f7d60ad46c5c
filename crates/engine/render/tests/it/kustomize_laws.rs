//! Laws of builds: whatever stands in the files, a build ends, with objects or with an error, and equal files build equally.

use deploy_render::kustomize::{BuildOptions, build};
use deploy_render::source::MemorySource;
use proptest::prelude::*;

const OVERLAY: &str = r#"resources:
- ../base
- more.yaml
components: [../component]
namePrefix: p-
nameSuffix: -s
namespace: ns
commonLabels: {team: x}
labels:
- pairs: {a: b}
  includeTemplates: true
  fields: [{path: spec/extra, create: true, kind: Foo}]
commonAnnotations: {note: why}
images:
- {name: nginx, newTag: "2", digest: "sha256:ab"}
replicas: [{name: app, count: 3}]
patches:
- target: {kind: Deployment, name: a.*, labelSelector: "app in (a, b), !c"}
  patch: |
    - {op: replace, path: /spec/replicas, value: 4}
    - {op: add, path: /metadata/annotations/x~1y, value: z}
- patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: app}
    spec: {template: {spec: {containers: [{name: c, $patch: delete}, {name: d}]}}}
  options: {allowNameChange: true}
replacements:
- source: {kind: Deployment, name: app, fieldPath: "spec.template.spec.containers.[name=d].name", options: {delimiter: "-", index: 0}}
  targets:
  - select: {kind: Foo}
    reject: [{name: other}]
    fieldPaths: ["spec.list.*.v", "metadata.annotations.[a.b/c]"]
    options: {create: true}
vars:
- {name: V, objref: {kind: Service, apiVersion: v1, name: svc}, fieldref: {fieldpath: "spec.ports[0].port"}}
configMapGenerator:
- {name: cfg, behavior: merge, literals: [a=1], files: [k=f.txt], envs: [e.env], options: {immutable: true}}
secretGenerator:
- {name: sec, literals: [a=1], type: t}
generatorOptions: {labels: {g: h}, disableNameSuffixHash: false}
configurations: [config.yaml]
crds: [crd.json]
transformers:
- |
  {apiVersion: builtin, kind: PrefixSuffixTransformer, metadata: {name: t}, prefix: t-, fieldSpecs: [{path: metadata/name}]}
sortOptions: {order: legacy, legacySortOptions: {orderFirst: [Service], orderLast: [Secret]}}
buildMetadata: [originAnnotations, transformerAnnotations, managedByLabel]
"#;

const FILES: [(&str, &str); 10] = [
    ("/over/kustomization.yaml", OVERLAY),
    (
        "/over/more.yaml",
        "apiVersion: v1\nkind: Service\nmetadata: {name: svc, annotations: {v: $(V)}}\nspec:\n  ports:\n  - port: 80\n---\napiVersion: example.com/v1\nkind: Foo\nmetadata:\n  name: foo\nspec:\n  list: &l [{v: one}]\n  again: *l\n  ref: {name: cfg}\n",
    ),
    ("/over/f.txt", "text\nmore\n"),
    ("/over/e.env", "# c\nA=b\nC\n"),
    (
        "/over/config.yaml",
        "nameReference:\n- kind: ConfigMap\n  fieldSpecs: [{kind: Foo, path: spec/ref/name}]\nvarReference:\n- {path: metadata/annotations}\n",
    ),
    (
        "/over/crd.json",
        "{\"a.Foo\": {\"Schema\": {\"properties\": {\"kind\": {}, \"apiVersion\": {}, \"metadata\": {}, \"spec\": {\"$ref\": \"a.Spec\"}}}}, \"a.Spec\": {\"Schema\": {\"properties\": {\"sec\": {\"x-kubernetes-object-ref-api-version\": \"v1\", \"x-kubernetes-object-ref-kind\": \"Secret\"}}}}}",
    ),
    (
        "/base/kustomization.yaml",
        "resources: [app.yaml]\nconfigMapGenerator: [{name: cfg, literals: [z=1]}]\nnamePrefix: b-\n",
    ),
    (
        "/base/app.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app, labels: {app: a}}\nspec:\n  replicas: 1\n  template:\n    spec:\n      containers:\n      - {name: c, image: nginx}\n      - name: d\n        image: nginx:1\n        envFrom: [{configMapRef: {name: cfg}}]\n",
    ),
    (
        "/component/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [list.yaml]\n",
    ),
    (
        "/component/list.yaml",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: rb}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}, subjects: [{kind: ServiceAccount, name: default, namespace: x}]}\n",
    ),
];

/// One change of one file.
#[derive(Clone, Debug)]
enum Mutation {
    /// Takes a line out.
    Drop(usize),
    /// Writes a line twice.
    Repeat(usize),
    /// Puts the text of one line where another was.
    Move(usize, usize),
    /// Puts a token in the place of a word.
    Replace(usize, &'static str),
    /// Cuts the file off.
    Cut(usize),
}

const TOKENS: [&str; 24] = [
    "null",
    "{}",
    "[]",
    "[null]",
    "~",
    "5",
    "-1",
    "true",
    "\"\"",
    "*l",
    "&l x",
    "<<: *l",
    "---",
    "$(V)",
    "../over",
    "..",
    "kind: List",
    "$patch: delete",
    "name: ''",
    "(",
    "[=]",
    "~1",
    "\u{fffd}",
    "!!binary x",
];

fn mutation() -> impl Strategy<Value = (usize, Mutation)> {
    let any = 0..200_usize;
    let change = prop_oneof![
        any.clone().prop_map(Mutation::Drop),
        any.clone().prop_map(Mutation::Repeat),
        (any.clone(), any.clone()).prop_map(|(from, to)| Mutation::Move(from, to)),
        (0..1000_usize, 0..TOKENS.len()).prop_map(|(at, token)| Mutation::Replace(at, TOKENS[token])),
        any.prop_map(Mutation::Cut),
    ];
    // The first file is the overlay, which has most to break.
    (prop_oneof![Just(0), 0..FILES.len()], change)
}

fn mutate(text: &str, mutation: &Mutation) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return String::new();
    }
    let count = lines.len();
    match mutation {
        Mutation::Drop(at) => {
            lines.remove(at % count);
        }
        Mutation::Repeat(at) => lines.insert(at % count, lines[at % count].clone()),
        Mutation::Move(from, to) => {
            let line = lines[from % count].clone();
            lines[to % count] = line;
        }
        Mutation::Replace(at, token) => {
            let text = lines.join("\n");
            let words: Vec<(usize, &str)> = text
                .split_inclusive(|c: char| !c.is_alphanumeric())
                .scan(0, |offset, word| {
                    let at = *offset;
                    *offset += word.len();
                    Some((at, word))
                })
                .collect();
            let Some(&(start, word)) = words.get(at % words.len().max(1)) else {
                return String::new();
            };
            return format!("{}{token}{}\n", &text[..start], &text[start + word.len()..]);
        }
        Mutation::Cut(at) => lines.truncate(at % count),
    }
    lines.join("\n") + "\n"
}

fn built(mutations: &[(usize, Mutation)]) -> Result<String, String> {
    let mut files = FILES.map(|(path, text)| (path.to_owned(), text.to_owned()));
    for (file, mutation) in mutations {
        files[*file].1 = mutate(&files[*file].1, mutation);
    }
    let source = MemorySource::new(files.map(|(path, text)| (path, text.into_bytes())));
    build(&source, "/over", &BuildOptions::default())
        .map(|built| built.output)
        .map_err(|error| error.to_string())
}

#[test]
fn the_tree_that_is_mutated_builds() {
    let output = built(&[]).expect("the tree is whole");
    for part in ["t-p-app-s", "kind: RoleBinding", "kustomize-v5.8.1", "x/y: z"] {
        assert!(output.contains(part), "{part} is missing in\n{output}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn broken_trees_end_with_a_word_and_the_same_one_again(mutations in prop::collection::vec(mutation(), 1..4)) {
        let first = built(&mutations);
        if let Err(error) = &first {
            prop_assert!(!error.is_empty());
        }
        prop_assert_eq!(first, built(&mutations));
    }
}
