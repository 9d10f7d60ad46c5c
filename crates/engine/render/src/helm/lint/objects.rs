//! The rules about templates and what they render to.

use std::collections::BTreeMap;

use deploy_template::func::Host;
use deploy_yaml::Dialect;
use serde_json::Value;

use super::documents::{Documents, Object};
use super::{LintRequest, Report, Severity, deprecations, kind_of, names};
use crate::helm::chart::Chart;
use crate::helm::chart::dependencies;
use crate::helm::compat::Compat;
use crate::helm::engine::{self, EngineOptions, Release};
use crate::helm::go::json;
use crate::helm::go::quote::quoted;
use crate::helm::manifests::sort::base;
use crate::helm::values::coalesce::{self, Nulls};
use crate::helm::{schema, template};
use crate::source::{EntryKind, Source};

const FOLDER: &str = "templates/";

pub(super) fn check(
    source: &dyn Source,
    folder: &str,
    chart: Result<&Chart, &String>,
    request: &LintRequest,
    host: &mut dyn Host,
    report: &mut Report,
) {
    match kind_of(source, folder, "templates") {
        None if request.compat == Compat::V4 => {
            report.add(Severity::Warning, FOLDER, "directory does not exist");
            return;
        }
        Some(EntryKind::File) => {
            let severity = match request.compat {
                Compat::V4 => Severity::Error,
                Compat::V3 => Severity::Warning,
            };
            report.add(severity, FOLDER, "not a directory");
            return;
        }
        None | Some(EntryKind::Folder) => {}
    }
    let chart = match chart {
        Ok(chart) => chart,
        Err(error) => {
            report.add(Severity::Error, FOLDER, error.as_str());
            return;
        }
    };
    let mut chart = chart.clone();
    // Helm's linter says nothing where dependencies or values cannot be worked out; rendering will.
    let Ok(files) = render(&mut chart, request, host, report) else {
        return;
    };
    for file in &chart.templates {
        if check_file(&chart, &file.name, &file.data, &files, request, report).is_err() {
            return;
        }
    }
}

/// All files, rendered; `Err` if that was not possible, with the reason reported where helm reports it.
fn render(
    chart: &mut Chart,
    request: &LintRequest,
    host: &mut dyn Host,
    report: &mut Report,
) -> Result<BTreeMap<String, String>, ()> {
    let compat = request.compat;
    let mut ignored = Vec::new();
    dependencies::process(chart, &request.values, compat).map_err(|_| ())?;
    let values =
        coalesce::values(chart, &request.values, Nulls::Coalesce, compat, &mut ignored).map_err(|_| ())?;
    let values = coalesce::values(chart, &values, Nulls::Coalesce, compat, &mut ignored)
        .map_err(|error| report.add(Severity::Error, FOLDER, error.to_string()))?;
    if !request.skip_schema_validation {
        schema::validate_chart(chart, &values, &mut ignored).map_err(|error| {
            let text = template::TemplateError::Schema(error).to_string();
            report.add(Severity::Error, FOLDER, text);
        })?;
    }
    let mut capabilities = template::default_capabilities(compat);
    if let Some(version) = &request.kube_version {
        capabilities.kube_version = version.clone();
    }
    let release = Release {
        name: "test-release".to_owned(),
        namespace: request.namespace.clone(),
        is_install: false,
        is_upgrade: false,
        revision: 0,
    };
    let top = engine::top_scope(&values, &release, &capabilities, compat);
    let options = EngineOptions {
        compat,
        lint: true,
        ..EngineOptions::default()
    };
    let rendered = engine::render(chart, &top, &options, host, &mut report.inputs)
        .map_err(|error| report.add(Severity::Error, FOLDER, error.to_string()))?;
    report.warnings.extend(rendered.warnings);
    Ok(rendered.files)
}

/// One template and its output. `Err` ends the linting of templates, as helm ends it at text that is not YAML.
fn check_file(
    chart: &Chart,
    name: &str,
    text: &[u8],
    files: &BTreeMap<String, String>,
    request: &LintRequest,
    report: &mut Report,
) -> Result<(), ()> {
    let extension = base(name).rfind('.').map_or("", |at| &base(name)[at..]);
    if ![".yaml", ".yml", ".tpl", ".txt"].contains(&extension) {
        let text = format!(
            "file extension '{extension}' not valid. Valid extensions are .yaml, .yml, .tpl, or .txt"
        );
        report.add(Severity::Error, name, text);
    }
    if request.compat == Compat::V3 {
        remains_of_v2(name, text, report);
    }
    let is_yaml = match request.compat {
        Compat::V4 => [".yaml", ".yml"].contains(&extension.to_ascii_lowercase().as_str()),
        Compat::V3 => extension == ".yaml",
    };
    let rendered = files
        .get(&format!("{}/{name}", chart.name()))
        .map_or("", String::as_str);
    if !is_yaml || rendered.trim().is_empty() {
        return Ok(());
    }
    if let Some(line) = rendered.lines().find(|line| !line.trim().is_empty())
        && line.starts_with([' ', '\t'])
    {
        let text = format!(
            "document starts with an illegal indent: {}, which may cause parsing problems",
            quoted(line)
        );
        report.add(Severity::Warning, name, text);
    }
    for document in Documents::new(rendered) {
        match document {
            Ok(Some(object)) => check_object(&object, name, rendered, request, report),
            Ok(None) => {}
            Err(error) => {
                report.add(Severity::Error, name, format!("unable to parse YAML: {error}"));
                return Err(());
            }
        }
    }
    Ok(())
}

/// What helm 2 charts had and helm 3 has not.
fn remains_of_v2(name: &str, text: &[u8], report: &mut Report) {
    let text = String::from_utf8_lossy(text);
    let has_crd_hook = text.match_indices("helm.sh/hook").any(|(at, key)| {
        let rest = text[at + key.len()..].trim_start_matches('"');
        rest.strip_prefix(':').is_some_and(|rest| {
            rest.starts_with(char::is_whitespace) && rest.trim_start().starts_with("crd-install")
        })
    });
    if has_crd_hook {
        let text = "manifest is a crd-install hook. This hook is no longer supported in v3 and all CRDs should also \
                    exist the crds/ directory at the top level of the chart";
        report.add(Severity::Warning, name, text);
    }
    if text.contains(".Release.Time") {
        let text =
            ".Release.Time has been removed in v3, please replace with the `now` function in your templates";
        report.add(Severity::Error, name, text);
    }
}

fn check_object(object: &Object, file: &str, rendered: &str, request: &LintRequest, report: &mut Report) {
    let Object {
        api_version,
        kind,
        name,
    } = object;
    if let Some(reason) = names::refused(kind, name) {
        let text = format!(
            "object name does not conform to Kubernetes naming requirements: {}: {reason}",
            quoted(name)
        );
        report.add(Severity::Warning, file, text);
    }
    let default = template::default_capabilities(request.compat).kube_version;
    let version = request.kube_version.as_ref().unwrap_or(&default);
    if let (Ok(major), Ok(minor)) = (version.major.parse(), version.minor.parse())
        && let Some(text) = deprecations::warning(api_version, kind, major, minor)
    {
        report.add(Severity::Warning, file, text);
    }
    let selects = ["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"].contains(&kind.as_str());
    if selects && !rendered.contains("matchLabels") && !rendered.contains("matchExpressions") {
        let text = format!(
            "a {kind} must contain matchLabels or matchExpressions, and {} does not",
            quoted(name)
        );
        report.add(Severity::Error, file, text);
    }
    if kind == "List"
        && let Err(text) = no_policy_in_list(rendered, request.compat)
    {
        report.add(Severity::Error, file, text);
    }
}

/// `helm.sh/resource-policy` works on objects of their own only.
fn no_policy_in_list(rendered: &str, compat: Compat) -> Result<(), String> {
    let member = |value: &Value, name: &str| -> Option<Value> {
        let fields = value.as_object()?;
        fields
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone())
    };
    let list = deploy_yaml::to_json(rendered.as_bytes(), Dialect::GoYaml11)
        .map_err(|e| format!("unable to parse YAML: error converting YAML to JSON: {e}"))?;
    let items = match member(&list, "items") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(items)) => items,
        Some(other) => {
            return Err(format!(
                "unable to parse YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go \
                 struct field .Items of type []struct {{ Metadata struct {{ Annotations map[string]string }} }}",
                json::type_name(&other)
            ));
        }
    };
    let has_policy = items.iter().any(|item| {
        member(item, "metadata")
            .and_then(|metadata| member(&metadata, "annotations"))
            .is_some_and(|annotations| annotations.get("helm.sh/resource-policy").is_some())
    });
    if !has_policy {
        return Ok(());
    }
    let word = match compat {
        Compat::V4 => "annotation",
        Compat::V3 => "Annotation",
    };
    Err(format!(
        "{word} 'helm.sh/resource-policy' within List objects are ignored"
    ))
}
