//! `helm show`: what is in a chart, without rendering it.

mod jsonpath;

use serde_json::{Map, Value};

use self::jsonpath::JsonPathError;
use crate::helm::chart::load::{self, LoadError};
use crate::helm::chart::{Chart, Dependency, File, Metadata};
use crate::helm::compat::Compat;
use crate::helm::manifests::sort::base;
use crate::inputs::Inputs;
use crate::source::{EntryKind, Source};

/// Which part of a chart to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of the others.
    All,
    /// `Chart.yaml`, as helm understood it.
    Chart,
    /// `values.yaml`, as it is written.
    Values,
    /// The README.
    Readme,
    /// The files of `crds/`, with those of the charts below.
    Crds,
}

const VALUES_FILE: &str = "values.yaml";
const README_NAMES: [&str; 3] = ["readme.md", "readme.txt", "readme"];

/// Loads a chart as `show` and `lint` do: of any API version, even one that cannot be rendered.
pub fn load(source: &dyn Source, path: &str, inputs: &mut Inputs) -> Result<Chart, LoadError> {
    match source.kind(path)? {
        Some(EntryKind::Folder) => load::from_files(load::folder_files(source, path, inputs)?),
        Some(EntryKind::File) | None => load::from_source(source, path, inputs),
    }
}

/// Why there is no chart, in the words of a version of helm.
pub fn load_error_text(error: &LoadError, compat: Compat) -> String {
    match (compat, error) {
        (Compat::V3, LoadError::NoChartYaml { .. }) => LoadError::MissingChartYaml.to_string(),
        // Helm 3 reads one document of values only, and says less.
        (Compat::V3, error) => error.to_string().replace("cannot unmarshal yaml document: ", ""),
        (Compat::V4, error) => error.to_string(),
    }
}

/// The text of a part. `json_path` selects from the values where those are shown.
pub fn show(
    chart: &Chart,
    part: Part,
    json_path: Option<&str>,
    compat: Compat,
) -> Result<Vec<u8>, JsonPathError> {
    let mut out = Vec::new();
    let all = part == Part::All;
    if all || part == Part::Chart {
        out.extend(deploy_yaml::emit_sigs(&Value::Object(metadata_json(&chart.metadata))).bytes());
        out.push(b'\n');
    }
    // Without a values.yaml there is nothing, not even a separator.
    let has_values = chart.raw.iter().any(|file| file.name == VALUES_FILE);
    if has_values && (all || part == Part::Values) {
        if all {
            out.extend(b"---\n");
        }
        match json_path.filter(|path| !path.is_empty()) {
            Some(path) => out.extend(jsonpath::print(path, &chart.values)?.bytes()),
            None => {
                for file in chart.raw.iter().filter(|file| file.name == VALUES_FILE) {
                    out.extend(&file.data[..]);
                    out.push(b'\n');
                }
            }
        }
    }
    if (all || part == Part::Readme)
        && let Some(readme) = readme(chart)
    {
        if all {
            out.extend(b"---\n");
        }
        out.extend(&readme.data[..]);
        out.push(b'\n');
    }
    if all || part == Part::Crds {
        for (i, (_, file)) in crds(chart).into_iter().enumerate() {
            // Helm 3 separates only the first from what stands before.
            let separated = match compat {
                Compat::V4 => true,
                Compat::V3 => all && i == 0,
            };
            if separated && !file.data.starts_with(b"---") {
                out.extend(b"---\n");
            }
            out.extend(&file.data[..]);
            out.push(b'\n');
        }
    }
    Ok(out)
}

fn readme(chart: &Chart) -> Option<&File> {
    let is_readme = |file: &&File| {
        README_NAMES
            .iter()
            .any(|name| file.name.eq_ignore_ascii_case(name))
    };
    chart.files.iter().find(is_readme)
}

/// The custom resource definitions of a chart and of those below it, each with its path from the chart that is rendered
/// (`shop/charts/redis/crds/a.yaml`).
pub fn crds(chart: &Chart) -> Vec<(String, &File)> {
    let mut found = Vec::new();
    add_crds(chart, chart.name().to_owned(), &mut found);
    found
}

fn add_crds<'a>(chart: &'a Chart, path: String, found: &mut Vec<(String, &'a File)>) {
    let is_crd = |file: &&File| file.name.starts_with("crds/") && is_manifest(&file.name);
    found.extend(
        chart
            .files
            .iter()
            .filter(is_crd)
            .map(|file| (format!("{path}/{}", file.name), file)),
    );
    for child in &chart.dependencies {
        add_crds(child, format!("{path}/charts/{}", child.name()), found);
    }
}

fn is_manifest(name: &str) -> bool {
    base(name).rsplit_once('.').is_some_and(|(_, extension)| {
        ["yaml", "yml", "json"]
            .iter()
            .any(|e| extension.eq_ignore_ascii_case(e))
    })
}

/// `Chart.yaml` as helm writes it: fields that are empty are left out.
pub fn metadata_json(metadata: &Metadata) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, text) in [
        ("name", &metadata.name),
        ("home", &metadata.home),
        ("version", &metadata.version),
        ("description", &metadata.description),
        ("icon", &metadata.icon),
        ("apiVersion", &metadata.api_version),
        ("condition", &metadata.condition),
        ("tags", &metadata.tags),
        ("appVersion", &metadata.app_version),
        ("kubeVersion", &metadata.kube_version),
        ("type", &metadata.chart_type),
    ] {
        add_text(&mut fields, name, text);
    }
    add_texts(&mut fields, "sources", &metadata.sources);
    add_texts(&mut fields, "keywords", &metadata.keywords);
    if metadata.deprecated {
        fields.insert("deprecated".to_owned(), Value::Bool(true));
    }
    if !metadata.annotations.is_empty() {
        let annotations = metadata
            .annotations
            .iter()
            .map(|(k, v)| (k.clone(), Value::String(v.clone())));
        fields.insert("annotations".to_owned(), Value::Object(annotations.collect()));
    }
    if !metadata.maintainers.is_empty() {
        let people = metadata.maintainers.iter().map(|person| {
            let mut fields = Map::new();
            add_text(&mut fields, "name", &person.name);
            add_text(&mut fields, "email", &person.email);
            add_text(&mut fields, "url", &person.url);
            Value::Object(fields)
        });
        fields.insert("maintainers".to_owned(), Value::Array(people.collect()));
    }
    if !metadata.dependencies.is_empty() {
        let dependencies = metadata.dependencies.iter().map(dependency_json);
        fields.insert("dependencies".to_owned(), Value::Array(dependencies.collect()));
    }
    fields
}

/// Name and repository are always written, the others where they are set.
fn dependency_json(dependency: &Dependency) -> Value {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), Value::String(dependency.name.clone()));
    fields.insert(
        "repository".to_owned(),
        Value::String(dependency.repository.clone()),
    );
    add_text(&mut fields, "version", &dependency.version);
    add_text(&mut fields, "condition", &dependency.condition);
    add_texts(&mut fields, "tags", &dependency.tags);
    if dependency.enabled {
        fields.insert("enabled".to_owned(), Value::Bool(true));
    }
    if !dependency.import_values.is_empty() {
        fields.insert(
            "import-values".to_owned(),
            Value::Array(dependency.import_values.clone()),
        );
    }
    add_text(&mut fields, "alias", &dependency.alias);
    Value::Object(fields)
}

fn add_text(fields: &mut Map<String, Value>, name: &str, text: &str) {
    if !text.is_empty() {
        fields.insert(name.to_owned(), Value::String(text.to_owned()));
    }
}

fn add_texts(fields: &mut Map<String, Value>, name: &str, texts: &[String]) {
    if !texts.is_empty() {
        fields.insert(name.to_owned(), Value::from(texts.to_vec()));
    }
}
