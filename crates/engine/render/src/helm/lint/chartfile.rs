//! The rules about `Chart.yaml`.

use deploy_template::sprig::semver::{Constraint, Version};
use deploy_yaml::Dialect;
use serde_json::{Map, Value};

use super::{Report, Severity, address, kind_of};
use crate::helm::chart::Metadata;
use crate::helm::chart::metadata::Draft;
use crate::helm::compat::Compat;
use crate::helm::go::quote::quoted;
use crate::helm::go::verbs;
use crate::source::{EntryKind, Source};

const FILE: &str = "Chart.yaml";

pub(super) fn check(source: &dyn Source, folder: &str, compat: Compat, report: &mut Report) {
    let path = format!("{folder}/{FILE}");
    let text = if kind_of(source, folder, FILE) == Some(EntryKind::Folder) {
        report.add(Severity::Error, FILE, "should be a file, not a directory");
        Err(format!("read {path}: is a directory"))
    } else {
        source.read(&path).map_err(|error| format!("open {error}"))
    };
    let draft = text.and_then(|text| match Draft::parse(&text) {
        Ok(draft) => Ok((text, draft)),
        Err(error) => Err(error.to_string()),
    });
    let (text, draft) = match draft {
        Ok(read) => read,
        Err(error) => {
            report.add(Severity::Error, FILE, format!("unable to parse YAML\n\t{error}"));
            return;
        }
    };
    if compat == Compat::V4 {
        let strict =
            strictly(&text).map_err(|e| format!("failed to strictly parse chart metadata file\n\t{e}"));
        report.check(Severity::Warning, FILE, strict);
    }
    let fields = match deploy_yaml::to_json(&text, Dialect::GoYaml11) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let metadata = &draft.metadata;
    for result in [
        name(metadata),
        api_version(metadata),
        is_text(&fields, "version"),
        version(metadata),
        is_text(&fields, "appVersion"),
        maintainers(&draft),
        sources(metadata),
    ] {
        report.check(Severity::Error, FILE, result);
    }
    if metadata.icon.is_empty() {
        report.add(Severity::Info, FILE, "icon is recommended");
    }
    for result in [icon(metadata), chart_type(metadata), dependencies(metadata)] {
        report.check(Severity::Error, FILE, result);
    }
    if compat == Compat::V4 && Version::parse_strict(&metadata.version).is_err() {
        let text = format!("version '{}' is not a valid SemVerV2", metadata.version);
        report.add(Severity::Warning, FILE, text);
    }
}

fn name(metadata: &Metadata) -> Result<(), String> {
    let name = &metadata.name;
    if name.is_empty() {
        return Err("name is required".to_owned());
    }
    // A trailing slash and an upward step change what `filepath.Base` gives.
    if name.contains('/') {
        return Err(format!("chart name {} is invalid", quoted(name)));
    }
    Ok(())
}

fn api_version(metadata: &Metadata) -> Result<(), String> {
    const VALID: &str = "The value must be either \"v1\" or \"v2\"";
    match metadata.api_version.as_str() {
        "v1" | "v2" => Ok(()),
        "" => Err(format!("apiVersion is required. {VALID}")),
        other => Err(format!("apiVersion '{other}' is not valid. {VALID}")),
    }
}

fn is_text(fields: &Map<String, Value>, key: &str) -> Result<(), String> {
    match fields.get(key) {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Number(_)) => Err(format!("{key} should be of type string but it's of type float64")),
        Some(other) => Err(format!(
            "{key} should be of type string but it's of type {}",
            verbs::type_name(other)
        )),
    }
}

fn version(metadata: &Metadata) -> Result<(), String> {
    let text = &metadata.version;
    if text.is_empty() {
        return Err("version is required".to_owned());
    }
    let Ok(version) = Version::parse(text) else {
        return Err(format!("version '{text}' is not a valid SemVer"));
    };
    let positive = Constraint::parse(">0.0.0-0").expect("the constraint is well-formed");
    match positive.validate(&version) {
        Ok(()) => Ok(()),
        Err(reasons) => Err(format!("version {}", reasons.first().map_or("", String::as_str))),
    }
}

fn maintainers(draft: &Draft) -> Result<(), String> {
    for (i, person) in draft.metadata.maintainers.iter().enumerate() {
        if draft.null_maintainers.contains(&i) {
            return Err("a maintainer entry is empty".to_owned());
        }
        if person.name.is_empty() {
            return Err("each maintainer requires a name".to_owned());
        }
        if !person.email.is_empty() && !address::is_email(&person.email) {
            return Err(format!(
                "invalid email '{}' for maintainer '{}'",
                person.email, person.name
            ));
        }
        if !person.url.is_empty() && !address::is_url(&person.url) {
            return Err(format!(
                "invalid url '{}' for maintainer '{}'",
                person.url, person.name
            ));
        }
    }
    Ok(())
}

fn sources(metadata: &Metadata) -> Result<(), String> {
    match metadata
        .sources
        .iter()
        .find(|source| !address::is_request_url(source))
    {
        Some(source) => Err(format!("invalid source URL '{source}'")),
        None => Ok(()),
    }
}

fn icon(metadata: &Metadata) -> Result<(), String> {
    if metadata.icon.is_empty() || address::is_request_url(&metadata.icon) {
        return Ok(());
    }
    Err(format!("invalid icon URL '{}'", metadata.icon))
}

fn chart_type(metadata: &Metadata) -> Result<(), String> {
    if metadata.chart_type.is_empty() || metadata.api_version == "v2" {
        return Ok(());
    }
    Err(format!(
        "chart type is not valid in apiVersion '{}'. It is valid in apiVersion 'v2'",
        metadata.api_version
    ))
}

fn dependencies(metadata: &Metadata) -> Result<(), String> {
    if metadata.dependencies.is_empty() || metadata.api_version == "v2" {
        return Ok(());
    }
    Err(format!(
        "dependencies are not valid in the Chart file with apiVersion '{}'. They are valid in apiVersion 'v2'",
        metadata.api_version
    ))
}

/// What `UnmarshalStrict` refuses beyond a normal reading: a key that stands twice, a field that does not exist.
fn strictly(text: &[u8]) -> Result<(), String> {
    let fields = match deploy_yaml::to_json_strict(text, Dialect::GoYaml11) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return Ok(()),
        Err(error) => return Err(format!("error converting YAML to JSON: {error}")),
    };
    match unknown_field(&fields) {
        Some(field) => Err(format!(
            "error unmarshaling JSON: while decoding JSON: json: unknown field {}",
            quoted(field)
        )),
        None => Ok(()),
    }
}

const FIELDS: [&str; 17] = [
    "name",
    "home",
    "sources",
    "version",
    "description",
    "keywords",
    "maintainers",
    "icon",
    "apiVersion",
    "condition",
    "tags",
    "appVersion",
    "deprecated",
    "annotations",
    "kubeVersion",
    "dependencies",
    "type",
];
const MAINTAINER_FIELDS: [&str; 3] = ["name", "email", "url"];
const DEPENDENCY_FIELDS: [&str; 8] = [
    "name",
    "version",
    "repository",
    "condition",
    "tags",
    "enabled",
    "import-values",
    "alias",
];

fn unknown_field(fields: &Map<String, Value>) -> Option<&str> {
    let is_known = |known: &[&str], key: &str| known.iter().any(|name| name.eq_ignore_ascii_case(key));
    fields.iter().find_map(|(key, value)| {
        if !is_known(&FIELDS, key) {
            return Some(key.as_str());
        }
        let known: &[&str] = match key.to_ascii_lowercase().as_str() {
            "maintainers" => &MAINTAINER_FIELDS,
            "dependencies" => &DEPENDENCY_FIELDS,
            _ => return None,
        };
        value
            .as_array()?
            .iter()
            .filter_map(Value::as_object)
            .flat_map(Map::keys)
            .find(|key| !is_known(known, key))
            .map(String::as_str)
    })
}
