//! Charts, values and archives.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::{Case, alias_bomb, check, large_file};

const COMMANDS: &[&[&str]] = &[&["helm", "template", "r", "."], &["render", "."]];
const PACKED: &[&[&str]] = &[&["helm", "template", "r", "./c.tgz"], &["render", "./c.tgz"]];

const CHART: &str = "apiVersion: v2\nname: c\nversion: 0.1.0\n";
const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";

fn case(name: &'static str) -> Case {
    Case::new(name, COMMANDS)
        .file("Chart.yaml", CHART)
        .file("values.yaml", "a: 1\n")
        .file("templates/a.yaml", OBJECT)
}

/// A chart with one template.
fn template(name: &'static str, text: &str) -> Case {
    case(name).file("templates/a.yaml", text)
}

#[test]
fn broken_files() {
    let schema = "{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"string\"}}}";
    check(&[
        case("values are not YAML")
            .file("values.yaml", "a:\n  b: [1\n  c: }\n")
            .says(&["values.yaml", "line 2"]),
        case("Chart.yaml is not YAML")
            .file("Chart.yaml", "apiVersion: v2\nname: c\n version: [\n")
            .says(&["Chart.yaml", "line 3"]),
        case("Chart.yaml is a list")
            .file("Chart.yaml", "- a\n")
            .says(&["Chart.yaml"]),
        case("Chart.yaml is empty")
            .file("Chart.yaml", "")
            .says(&["chart.metadata"]),
        case("Chart.yaml lacks a name")
            .file("Chart.yaml", "apiVersion: v2\n")
            .says(&["chart.metadata.name"]),
        case("Chart.yaml is of the future")
            .file("Chart.yaml", "apiVersion: v9\nname: c\nversion: 1.0.0\n")
            .says(&["chart version"]),
        case("Chart.yaml is a folder").more(|folder| {
            fs::remove_file(folder.join("Chart.yaml")).expect("it is there");
            fs::create_dir(folder.join("Chart.yaml")).expect("a folder");
        }),
        case("Chart.yaml of 100 MB")
            .more(|folder| large_file(&folder.join("Chart.yaml"), 100 << 20))
            .says(&["Chart.yaml", "larger"]),
        case("values of 100 MB")
            .more(|folder| large_file(&folder.join("values.yaml"), 100 << 20))
            .says(&["values.yaml", "larger"]),
        case("a template of 100 MB")
            .more(|folder| large_file(&folder.join("templates/a.yaml"), 100 << 20))
            .says(&["templates/a.yaml", "larger"]),
        case("files of 60 MB each")
            .more(|folder| {
                ["x", "y"]
                    .iter()
                    .for_each(|name| large_file(&folder.join(name), 60 << 20))
            })
            .says(&["exceeds"]),
        case("values are not UTF-8")
            .file("values.yaml", b"a: \xff\xfe\n".to_vec())
            .says(&["values.yaml"]),
        case("Chart.yaml is not UTF-8")
            .file("Chart.yaml", b"name: \xc3\x28\n".to_vec())
            .says(&["Chart.yaml"]),
        case("values hold NUL")
            .file("values.yaml", b"a: \0\n".to_vec())
            .says(&["values.yaml"]),
        case("values with an alias bomb")
            .file("values.yaml", alias_bomb())
            .says(&["values.yaml", "excessive aliasing"]),
        case("values nest without end")
            .file("values.yaml", "[".repeat(100_000))
            .says(&["values.yaml"]),
        case("values do not fit the schema")
            .file("values.schema.json", schema)
            .says(&["/a"]),
        case("the schema is no JSON")
            .file("values.schema.json", "{\"type\": ")
            .says(&["schema"]),
        case("the schema refers to itself")
            .file("values.schema.json", "{\"$ref\": \"#\"}")
            .says(&["schema"]),
        case("the schema explodes")
            .file("values.schema.json", exploding_schema())
            .says(&["schema"]),
        case("a dependency is missing")
            .file(
                "Chart.yaml",
                format!("{CHART}dependencies: [{{name: d, version: 1.0.0}}]\n"),
            )
            .says(&["d"]),
        case("a chart below is broken")
            .file("charts/d/Chart.yaml", "apiVersion: v2\nname: [\n")
            .says(&["d", "Chart.yaml", "line 2"]),
        case("the lines of .helmignore are endless").file(".helmignore", "x".repeat(1 << 20)),
        case("a link that leads to its own folder")
            .more(|folder| link(folder, "templates/again"))
            .says(&["templates/again"]),
        case("requirements.yaml is broken")
            .file("Chart.yaml", "apiVersion: v1\nname: c\nversion: 0.1.0\n")
            .file("requirements.yaml", "dependencies: [\n")
            .says(&["requirements.yaml"]),
    ]);
}

#[test]
fn broken_arguments() {
    let deep_json = format!("a={}", "[".repeat(200_000));
    let deep_name = format!("{}=1", vec!["a"; 100_000].join("."));
    let deep_list = format!("a{}=1", "[0]".repeat(100_000));
    check(&[
        case("a values file that is a folder")
            .args(&["-f", "templates"])
            .says(&["templates"]),
        case("a values file that is not there")
            .args(&["-f", "none.yaml"])
            .says(&["none.yaml"]),
        case("a values file that holds NUL")
            .file("v.yaml", b"a: b\0c\n".to_vec())
            .args(&["-f", "v.yaml"])
            .says(&["v.yaml"]),
        case("a values file that is not UTF-8")
            .file("v.yaml", b"\xff\xff\xff".to_vec())
            .args(&["-f", "v.yaml"])
            .says(&["v.yaml"]),
        case("a values file that is a list")
            .file("v.yaml", "- a\n")
            .args(&["-f", "v.yaml"])
            .says(&["v.yaml"]),
        case("a values file of 100 MB")
            .more(|folder| large_file(&folder.join("v.yaml"), 100 << 20))
            .args(&["-f", "v.yaml"])
            .says(&["v.yaml", "larger"]),
        case("a values file with an alias bomb")
            .file("v.yaml", alias_bomb())
            .args(&["-f", "v.yaml"])
            .says(&["v.yaml", "excessive aliasing"]),
        case("deep JSON")
            .args(&["--set-json", &deep_json])
            .says(&["--set-json"]),
        case("a deep name").args(&["--set", &deep_name]).says(&["--set"]),
        case("deep lists").args(&["--set", &deep_list]).says(&["--set"]),
        case("a high index")
            .args(&["--set", "a[99999999999]=1"])
            .says(&["--set"]),
        case("a negative index")
            .args(&["--set", "a[-1]=1"])
            .says(&["--set"]),
        case("a file to set that is not there")
            .args(&["--set-file", "a=none.txt"])
            .says(&["none.txt"]),
        case("a kube version that is none")
            .args(&["--kube-version", "x"])
            .says(&["kube version"]),
        case("a name that is too long").args(&["--name-template", "{{ repeat 100 \"a\" }}"]),
        case("a name template that does not end")
            .args(&["--name-template", "{{ range 1000000000000 }}{{ end }}"])
            .once(),
    ]);
}

#[test]
fn templates_that_fail() {
    let at = |place: &str| format!("c/templates/a.yaml:{place}");
    check(&[
        template("fail", "a: 1\nb: {{ fail \"not so\" }}\n").says(&[&at("2:6"), "not so"]),
        template("required", "{{ required \"give b\" .Values.b }}").says(&[&at("1:3"), "give b"]),
        template("nil pointer", "x\n{{ .Values.b.c.d }}").says(&[&at("2:")]),
        template("an action that is not closed", "a\n{{ if true }}").says(&[&at("2")]),
        template("a function that is not there", "a\n\n{{ nothing }}").says(&[&at("3"), "nothing"]),
        template("a brace that is not closed", "{{ \"a").says(&[&at("1")]),
        template("parentheses without end", &format!("{{{{ {}", "(".repeat(200_000))).says(&[&at("1")]),
        template("blocks without end", &"{{ if 1 }}".repeat(100_000)).says(&["c/templates/a.yaml"]),
        template("output that is not YAML", "a: b: c\n").says(&["c/templates/a.yaml", "mapping values"]),
        template("output that is not UTF-8", "a: {{ \"\\xff\" }}\n\"b\": [\n").says(&["c/templates/a.yaml"]),
        template("output with an alias bomb", &alias_bomb()).says(&["c/templates/a.yaml", "excessive aliasing"]),
        template("output that nests without end", &"[".repeat(100_000)).says(&["c/templates/a.yaml"]),
        template("include without end", "{{ define \"x\" }}{{ include \"x\" . }}{{ end }}{{ include \"x\" . }}")
            .says(&["c/templates/a.yaml:1:", "nested reference"]),
        template(
            "two that include one another",
            "{{ define \"x\" }}{{ include \"y\" . }}{{ end }}{{ define \"y\" }}{{ include \"x\" . }}{{ end }}{{ include \"x\" . }}",
        )
        .says(&["c/templates/a.yaml:1:", "nested reference"]),
        template("template without end", "{{ define \"x\" }}{{ template \"x\" . }}{{ end }}{{ template \"x\" . }}")
            .says(&["c/templates/a.yaml:1:", "maximum template depth"]),
        template("tpl without end", "{{ tpl .Values.t . }}")
            .file("values.yaml", "t: '{{ tpl .Values.t . }}'\n")
            .says(&["c/templates/a.yaml:1:3", "tpl"]),
        template("include through tpl without end", "{{ define \"x\" }}{{ tpl \"{{ include \\\"x\\\" . }}\" . }}{{ end }}{{ include \"x\" . }}")
            .says(&["c/templates/a.yaml:1:"]),
    ]);
}

/// What is written in a line and takes hours or all the memory.
#[test]
fn templates_that_do_not_end() {
    let doubled = |body: &str| {
        format!(
            "{{{{ $d := dict \"a\" \"b\" }}}}{{{{ range 60 }}}}{{{{ $d = dict \"a\" $d \"b\" $d }}}}{{{{ end }}}}{{{{ {body} }}}}"
        )
    };
    let place = "c/templates/a.yaml:1:";
    let hostile = |name, text: &str| template(name, text).once().says(&[place]);
    check(&[
        hostile("a list of a billion", "{{ range until 1000000000 }}a{{ end }}"),
        hostile("a count to a trillion", "{{ range 1000000000000 }}{{ end }}"),
        hostile("output without end", &format!("{{{{ range 1000000 }}}}{}{{{{ end }}}}", "x".repeat(10_000))),
        hostile("output of values without end", "{{ $x := repeat 1000000 \"x\" }}{{ range 1000000 }}{{ $x }}{{ end }}"),
        hostile("output in nested templates", "{{ define \"x\" }}{{ range 1000 }}{{ repeat 100000 \"x\" }}{{ end }}{{ end }}{{ range 1000 }}{{ include \"x\" . }}{{ end }}"),
        hostile("tpl that branches", "{{ tpl .Values.t (dict \"n\" 0 \"t\" .Values.t \"Template\" .Template) }}")
            .file("values.yaml", "t: '{{ if lt .n 60 }}{{ $d := set (deepCopy .) \"n\" (add .n 1 | int) }}{{ tpl .t $d }}{{ tpl .t $d }}{{ end }}'\n"),
        hostile("repeat", "{{ repeat 1000000000000 \"x\" }}"),
        hostile("a text that doubles", "{{ $x := \"xxxxxxxx\" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}{{ len $x }}"),
        hostile("texts that are kept", "{{ $l := list }}{{ range 10000 }}{{ $l = append $l (repeat 10000000 \"x\") }}{{ end }}{{ len $l }}"),
        hostile("a list that grows", "{{ $l := list }}{{ range 1000000 }}{{ $l = append $l 1 }}{{ end }}{{ len $l }}"),
        hostile("copies that are kept", "{{ $l := list }}{{ $m := dict }}{{ range until 1000 }}{{ $_ := set $m (toString .) . }}{{ end }}{{ range 1000000 }}{{ $l = list $l (deepCopy $m) }}{{ end }}"),
        hostile("a long text over and over", "{{ $x := repeat 10000000 \"x\" }}{{ range 100000 }}{{ $y := sha256sum $x }}{{ end }}"),
        hostile("a long text searched over and over", "{{ $x := repeat 10000000 \"x\" }}{{ range 100000 }}{{ $y := regexMatch \"x*y\" $x }}{{ end }}"),
        hostile("toYaml of what doubles", &doubled("toYaml $d")),
        hostile("deepCopy of what doubles", &doubled("$e := deepCopy $d")),
        hostile("toYaml of a map within itself", "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ toYaml $d | len }}{{ deepCopy $d | len }}"),
        hostile(
            "a comparison of what doubles",
            "{{ $d := dict }}{{ $e := dict }}{{ range 60 }}{{ $d = dict \"a\" $d \"b\" $d }}{{ $e = dict \"a\" $e \"b\" $e }}{{ end }}{{ deepEqual $d $e }}",
        ),
        hostile("a wide number", "{{ printf \"%999999d\" 1 | repeat 1000 }}"),
        hostile("indent", "{{ indent 100000000000 \"x\" }}"),
        hostile("nindent of many lines", "{{ repeat 1000000 \"\\n\" | indent 1000000 }}"),
        hostile("seq", "{{ $x := untilStep 0 100000000000 1 }}"),
        hostile("a large regular expression", "{{ mustRegexMatch \"((a{1000}){1000}){1000}\" \"a\" }}"),
        hostile("a replacement that multiplies", "{{ $x := repeat 100000 \"x\" }}{{ range 60 }}{{ $x = replace \"x\" $x $x }}{{ end }}"),
        hostile("keys without end", "{{ range 1000000 }}{{ $k := genPrivateKey \"ed25519\" }}{{ end }}"),
        hostile("hashes of passwords without end", "{{ range 1000000 }}{{ $k := htpasswd \"a\" \"b\" }}{{ end }}"),
        hostile("random text", "{{ randAlphaNum 100000000000 }}"),
    ]);
}

#[test]
fn broken_archives() {
    let packed = |name, bytes: Vec<u8>| Case::new(name, PACKED).file("c.tgz", bytes);
    let whole = || {
        tgz(&[
            ("c/Chart.yaml", CHART.as_bytes()),
            ("c/templates/a.yaml", OBJECT.as_bytes()),
        ])
    };
    let mut cut = whole();
    cut.truncate(cut.len() / 2);
    let mut nested = whole();
    for _ in 0..200 {
        nested = tgz(&[("c/Chart.yaml", CHART.as_bytes()), ("c/charts/c.tgz", &nested)]);
    }
    check(&[
        packed("no archive", b"apiVersion: v2\n".to_vec()).says(&["c.tgz"]),
        packed("an empty file", Vec::new()).says(&["c.tgz"]),
        packed("half an archive", cut).says(&["c.tgz"]),
        packed("gzip without tar", gzip(b"nothing of the kind")).says(&["c.tgz"]),
        packed("a gzip bomb", bomb()).says(&["c.tgz"]),
        packed(
            "a path that leads out",
            tgz(&[("c/Chart.yaml", CHART.as_bytes()), ("c/../../etc/x", b"x")]),
        )
        .says(&["c.tgz"]),
        packed(
            "an absolute path",
            tgz(&[("c/Chart.yaml", CHART.as_bytes()), ("c//etc/x", b"x")]),
        )
        .says(&["c.tgz"]),
        packed("no Chart.yaml", tgz(&[("c/values.yaml", b"a: 1")])).says(&["Chart.yaml"]),
        packed("archives within archives", nested),
        packed(
            "a broken template",
            tgz(&[
                ("c/Chart.yaml", CHART.as_bytes()),
                ("c/templates/a.yaml", b"\n{{ end }}"),
            ]),
        )
        .says(&["c/templates/a.yaml:2"]),
    ]);
}

/// A schema of which each level applies the next one twice.
fn exploding_schema() -> String {
    let levels: Vec<String> = (0..60)
        .map(|n| {
            let below = format!("{{\"$ref\": \"#/$defs/l{}\"}}", n + 1);
            format!("\"l{n}\": {{\"allOf\": [{below}, {below}]}}")
        })
        .collect();
    format!(
        "{{\"$ref\": \"#/$defs/l0\", \"$defs\": {{{}, \"l60\": {{}}}}}}",
        levels.join(", ")
    )
}

fn tgz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        // The checked setter refuses the very names that a stranger's archive may hold.
        header.as_gnu_mut().expect("a GNU header").name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *content).expect("memory takes it");
    }
    gzip(&builder.into_inner().expect("memory takes it"))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// A chart with a file of 400 MB of zeros.
fn bomb() -> Vec<u8> {
    const SIZE: u64 = 400 << 20;
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(encoder);
    let mut header = tar::Header::new_gnu();
    header.set_size(CHART.len() as u64);
    builder
        .append_data(&mut header, "c/Chart.yaml", CHART.as_bytes())
        .expect("memory takes it");
    let mut header = tar::Header::new_gnu();
    header.set_size(SIZE);
    let zeros = std::io::Read::take(std::io::repeat(0), SIZE);
    builder
        .append_data(&mut header, "c/zeros", zeros)
        .expect("memory takes it");
    builder
        .into_inner()
        .expect("memory takes it")
        .finish()
        .expect("memory takes it")
}

#[cfg(unix)]
fn link(folder: &Path, name: &str) {
    std::os::unix::fs::symlink("..", folder.join(name)).expect("a link");
}
