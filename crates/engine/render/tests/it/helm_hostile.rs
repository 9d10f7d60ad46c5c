//! Whatever bytes come in: no panic, and an end in bounded time and space.

use std::io::Write;

use deploy_render::helm::chart::archive::{self, Budget};
use deploy_render::helm::chart::{dependencies, load};
use deploy_render::helm::compat::Compat;
use deploy_render::helm::values::coalesce::{self, Nulls};
use deploy_render::helm::values::strvals::{self, Kind};
use deploy_render::helm::{schema, values};
use deploy_render::inputs::Inputs;
use deploy_render::limits::CHART_BYTES;
use deploy_render::source::{Entry, EntryKind, MemorySource, Source, SourceError};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const CHART: &str = "apiVersion: v2\nname: c\nversion: 1.0.0\n";

fn packed(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, data) in entries {
        let mut header = tar::Header::new_gnu();
        // `set_path` refuses names that an attacker would write.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append(&header, *data).expect("writing to memory");
    }
    let gzip = archive.into_inner().expect("writing to memory");
    gzip.finish().expect("writing to memory")
}

fn error_of(bytes: &[u8]) -> String {
    load::from_archive(bytes).expect_err("it is hostile").to_string()
}

#[test]
fn a_packed_chart_loads_as_its_folder_does() {
    let inner = packed(&[("d/Chart.yaml", b"apiVersion: v2\nname: d\nversion: 1.0.0\n")]);
    let bytes = packed(&[
        ("c/Chart.yaml", CHART.as_bytes()),
        ("c/values.yaml", b"\xef\xbb\xbfa: 1\n"),
        ("c/templates/a.yaml", b"x"),
        ("c/charts/d-1.0.0.tgz", &inner),
    ]);
    let chart = load::from_archive(&bytes).expect("it is a chart");
    assert_eq!(chart.values["a"], json!(1.0));
    assert_eq!(chart.templates[0].name, "templates/a.yaml");
    assert_eq!(chart.dependencies[0].name(), "d");

    let source = MemorySource::new([("/x.tgz".to_owned(), bytes)]);
    let chart = load::from_source(&source, "/x.tgz", &mut Inputs::default()).expect("it is a chart");
    assert_eq!(chart.name(), "c");
}

#[test]
fn archives_have_the_words_of_helm() {
    let chart = CHART.as_bytes();
    for (entries, text) in [
        (
            vec![("c/README", &b""[..])],
            "unable to detect chart version, no Chart.yaml found",
        ),
        (
            vec![("Chart.yaml", chart)],
            "unable to load chart archive: chart illegally contains content outside the base directory: \"Chart.yaml\"",
        ),
        (
            vec![("c/../../x", chart)],
            "unable to load chart archive: chart illegally references parent directory",
        ),
        (
            vec![("c//etc/passwd", chart)],
            "unable to load chart archive: chart illegally contains absolute paths",
        ),
        (vec![], "unable to load chart archive: no files in chart archive"),
    ] {
        assert_eq!(error_of(&packed(&entries)), text);
    }
    assert_eq!(
        error_of(b"not an archive at all"),
        "stream does not appear to be a valid chart file (details: gzip: invalid header)"
    );
    let whole = packed(&[("c/Chart.yaml", chart)]);
    assert_eq!(
        error_of(&whole[..40]),
        "unable to load chart archive: unexpected EOF"
    );
}

#[test]
fn bombs_are_refused_before_they_unfold() {
    let zeros = vec![0; 8 << 20];
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut header = tar::Header::new_gnu();
    header.set_path("c/zeros").expect("a good name");
    header.set_size(CHART_BYTES + 1);
    header.set_cksum();
    gzip.write_all(header.as_bytes()).expect("writing to memory");
    gzip.write_all(&zeros).expect("writing to memory");
    let text = "unable to load chart archive: decompressed chart is larger than the maximum size 104857600";
    assert_eq!(error_of(&gzip.finish().expect("writing to memory")), text);

    // One budget for all levels: archives in archives share it.
    let mut budget = Budget::default();
    assert!(budget.take(CHART_BYTES - 10));
    let small = packed(&[("c/x", &[0; 100])]);
    assert!(archive::files(&small, &mut budget).is_err());

    // Charts in charts in charts.
    let mut bytes = packed(&[("c/Chart.yaml", CHART.as_bytes())]);
    for _ in 0..150 {
        bytes = packed(&[("c/Chart.yaml", CHART.as_bytes()), ("c/charts/c.tgz", &bytes)]);
    }
    assert!(error_of(&bytes).ends_with("nested too deep, or a link that leads back into itself"));
}

/// A folder with a link to itself.
struct Endless;

impl Source for Endless {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        match path.rsplit('/').next() {
            Some("Chart.yaml") => Ok(CHART.as_bytes().to_vec()),
            _ => Err(SourceError::NotFound {
                path: path.to_owned(),
            }),
        }
    }
    fn list(&self, _: &str) -> Result<Vec<Entry>, SourceError> {
        let entry = |name: &str, kind| Entry {
            linked: kind == EntryKind::Folder,
            name: name.to_owned(),
            kind,
        };
        Ok(vec![
            entry("Chart.yaml", EntryKind::File),
            entry("again", EntryKind::Folder),
        ])
    }
    fn kind(&self, path: &str) -> Result<Option<EntryKind>, SourceError> {
        Ok(match path.rsplit('/').next() {
            Some(".helmignore") => None,
            Some("Chart.yaml") => Some(EntryKind::File),
            _ => Some(EntryKind::Folder),
        })
    }
    fn canonical(&self, _: &str) -> Result<String, SourceError> {
        Ok("/c".to_owned())
    }
}

#[test]
fn links_that_lead_back_end() {
    let error = load::from_source(&Endless, "/c", &mut Inputs::default()).expect_err("it has no end");
    assert_eq!(
        error.to_string(),
        "/c/again: nested too deep, or a link that leads back into itself"
    );
}

#[test]
fn imports_that_hold_themselves_end() {
    let chart = |imports: Value| {
        let main = json!({
            "apiVersion": "v2", "name": "c", "version": "1.0.0",
            "dependencies": [{"name": "d", "version": "1.0.0", "import-values": imports}],
        });
        let files = [
            ("/c/Chart.yaml", main.to_string()),
            ("/c/charts/d/Chart.yaml", CHART.replace("name: c", "name: d")),
            ("/c/charts/d/values.yaml", "x: {z: 1}\n".to_owned()),
        ];
        let files = files
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text.into_bytes()));
        load::from_source(&MemorySource::new(files), "/c", &mut Inputs::default()).expect("it is a chart")
    };
    let itself = json!([{"child": "x", "parent": "a"}, {"child": "x", "parent": "a.b"}]);
    let error =
        dependencies::process(&mut chart(itself), &Map::new(), Compat::V4).expect_err("it has no end");
    assert_eq!(
        error.to_string(),
        "import-values of chart c make its values endless"
    );
    let plain = json!([{"child": "x", "parent": "a"}]);
    let mut plain = chart(plain);
    dependencies::process(&mut plain, &Map::new(), Compat::V4).expect("it has an end");
    assert_eq!(plain.values["a"], json!({"z": 1.0}));
}

#[test]
fn references_that_explode_end() {
    let mut defs = Map::new();
    for level in 0..40 {
        let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
        defs.insert(format!("d{level}"), json!({"allOf": [next.clone(), next]}));
    }
    defs.insert("d40".to_owned(), json!({"type": "object"}));
    let schema = json!({"$ref": "#/$defs/d0", "$defs": defs}).to_string();
    let error =
        schema::validate(&Map::new(), schema.as_bytes(), &mut Vec::new()).expect_err("it is too much");
    assert!(error.message.contains("too expensive"), "{}", error.message.len());
}

#[test]
fn indexes_and_names_have_bounds() {
    for line in [
        format!("a{}=1", "[0]".repeat(100_000)),
        format!("a{}=1", ".a".repeat(100_000)),
        "a[65537]=1".to_owned(),
        "a[99999999999999999999]=1".to_owned(),
        format!("a={}{}", "[".repeat(100_000), "]".repeat(100_000)),
    ] {
        let mut map = Map::new();
        let kind = if line.starts_with("a=[") {
            Kind::Json
        } else {
            Kind::Typed
        };
        assert!(
            strvals::parse_into(&line, &mut map, kind).is_err(),
            "{}",
            &line[..20]
        );
    }
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let keys = prop_oneof![Just("a"), Just("b"), Just("global"), Just("d")].prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(keys, inner, 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn table() -> impl Strategy<Value = Map<String, Value>> {
    tree().prop_map(|value| match value {
        Value::Object(map) => map,
        other => Map::from_iter([("a".to_owned(), other)]),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_no_archive_or_one(bytes in prop::collection::vec(any::<u8>(), 0..600), cut in any::<prop::sample::Index>()) {
        let _ = load::from_archive(&bytes);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&bytes).expect("writing to memory");
        let _ = load::from_archive(&gzip.finish().expect("writing to memory"));
        let mut good = packed(&[("c/Chart.yaml", CHART.as_bytes()), ("c/values.yaml", b"a: 1")]);
        let at = cut.index(good.len());
        good[at] ^= bytes.first().copied().unwrap_or(1);
        let _ = load::from_archive(&good);
    }

    #[test]
    fn any_text_as_chart_or_values(text in "\\PC{0,200}|[-:a-c \\n\\[\\]{},&*!|>'\"#]{0,80}") {
        let files = [("/c/Chart.yaml", &text), ("/c/values.yaml", &text), ("/c/.helmignore", &text)];
        let files = files.into_iter().map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
        let _ = load::from_source(&MemorySource::new(files), "/c", &mut Inputs::default());
        let _ = values::read(text.as_bytes());
        let _ = schema::validate(&Map::new(), text.as_bytes(), &mut Vec::new());
    }

    #[test]
    fn any_line_as_set(line in "\\PC{0,60}|[a-c.,=\\[\\]{}0-9\\\\\" -]{0,40}") {
        for kind in [Kind::Typed, Kind::Text, Kind::Json, Kind::File(&mut |_| Err("no".to_owned()))] {
            let mut map = Map::from_iter([("a".to_owned(), json!([1, {"b": null}])), ("b".to_owned(), json!({"c": 1}))]);
            let _ = strvals::parse_into(&line, &mut map, kind);
        }
        let _ = strvals::parse_literal_into(&line, &mut Map::new());
    }

    #[test]
    fn merging_keeps_what_the_user_says(user in table(), own in table(), v3 in any::<bool>()) {
        let compat = if v3 { Compat::V3 } else { Compat::V4 };
        let merged = coalesce::tables(&user, &own, Nulls::Merge, compat, &mut Vec::new());
        for (key, value) in user.iter().filter(|(_, v)| !v.is_object()) {
            prop_assert_eq!(&merged[key], value);
        }
        prop_assert!(own.keys().all(|key| merged.contains_key(key)));
        let again = coalesce::tables(&merged, &own, Nulls::Merge, compat, &mut Vec::new());
        prop_assert_eq!(&again, &merged);
    }

    #[test]
    fn schemas_made_of_anything(schema in tree(), user in table()) {
        let wrapped = json!({"properties": {"a": schema.clone()}, "allOf": [schema]});
        let _ = schema::validate(&user, wrapped.to_string().as_bytes(), &mut Vec::new());
    }
}
