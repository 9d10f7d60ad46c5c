//! `helm lint`: what is wrong with a chart, or merely unusual.

mod address;
mod chartfile;
mod deprecations;
mod documents;
mod names;
mod objects;
mod values;

use std::fmt;

use deploy_template::func::Host;
use serde_json::{Map, Value};

use crate::helm::chart::Chart;
use crate::helm::chart::metadata::{DecodeError, Draft};
use crate::helm::compat::Compat;
use crate::helm::engine::capabilities::KubeVersion;
use crate::helm::show;
use crate::inputs::Inputs;
use crate::source::{EntryKind, Source};

/// What a chart is linted with.
#[derive(Clone, Debug, Default)]
pub struct LintRequest {
    /// The user's values, already merged.
    pub values: Map<String, Value>,
    /// `.Release.Namespace`
    pub namespace: String,
    /// The cluster's version; without it, the one that helm assumes.
    pub kube_version: Option<KubeVersion>,
    /// `values.schema.json` is not looked at.
    pub skip_schema_validation: bool,
    /// Which helm to be equal to.
    pub compat: Compat,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a thought.
    Info,
    /// Will probably work.
    Warning,
    /// Will probably not work.
    Error,
}

/// One finding. It prints as helm prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file or folder, relative to the chart; empty for the chart itself.
    pub path: String,
    /// helm's text.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Info => "INFO",
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR",
        };
        write!(f, "[{severity}] {}: {}", self.path, self.text)
    }
}

/// All that lint found.
#[derive(Debug, Default)]
pub struct Report {
    /// The findings, in the order of helm's rules.
    pub findings: Vec<Finding>,
    /// What helm logs on the way: values that `required` misses, messages of `fail`.
    pub warnings: Vec<String>,
    /// All that was read.
    pub inputs: Inputs,
}

impl Report {
    fn add(&mut self, severity: Severity, path: &str, text: impl Into<String>) {
        self.findings.push(Finding {
            severity,
            path: path.to_owned(),
            text: text.into(),
        });
    }

    /// Notes what a rule says; whether it said nothing.
    fn check(&mut self, severity: Severity, path: &str, result: Result<(), String>) -> bool {
        match result {
            Ok(()) => true,
            Err(text) => {
                self.add(severity, path, text);
                false
            }
        }
    }
}

/// Lints the chart in a folder. `shown` is the folder as messages name it.
pub fn lint(
    source: &dyn Source,
    folder: &str,
    shown: &str,
    request: &LintRequest,
    host: &mut dyn Host,
) -> Report {
    let mut report = Report::default();
    let chart = show::load(source, folder, &mut report.inputs)
        .map_err(|error| show::load_error_text(&error, request.compat));
    chartfile::check(source, folder, request.compat, &mut report);
    values::check(source, folder, request, &mut report);
    objects::check(source, folder, chart.as_ref(), request, host, &mut report);
    dependencies(chart.as_ref(), shown, &mut report);
    if request.compat == Compat::V4 {
        crds(source, folder, chart.as_ref(), &mut report);
    }
    report
}

/// The name that a `Chart.yaml` gives, which is also the folder that helm unpacks an archive into.
pub fn chart_name(chart_yaml: &[u8]) -> Result<String, DecodeError> {
    Ok(Draft::parse(chart_yaml)?.metadata.name)
}

/// What stands at a path below the chart's folder.
fn kind_of(source: &dyn Source, folder: &str, name: &str) -> Option<EntryKind> {
    source.kind(&format!("{folder}/{name}")).ok().flatten()
}

fn dependencies(chart: Result<&Chart, &String>, shown: &str, report: &mut Report) {
    let chart = match chart {
        Ok(chart) => chart,
        Err(error) => {
            report.add(Severity::Error, "", format!("unable to load chart\n\t{error}"));
            return;
        }
    };
    let wanted = &chart.metadata.dependencies;
    let unlisted: Vec<&str> = chart
        .dependencies
        .iter()
        .map(Chart::name)
        .filter(|name| !wanted.iter().any(|dependency| dependency.name == *name))
        .collect();
    if !unlisted.is_empty() {
        let text = format!(
            "chart metadata is missing these dependencies: {}",
            unlisted.join(",")
        );
        report.add(Severity::Error, shown, text);
    }
    let mut seen = Vec::new();
    let mut twice = Vec::new();
    for dependency in wanted {
        let name = if dependency.alias.is_empty() {
            &dependency.name
        } else {
            &dependency.alias
        };
        if seen.contains(&name) {
            twice.push(name.as_str());
        }
        seen.push(name);
    }
    if !twice.is_empty() {
        let text = format!("multiple dependencies with name or alias: {}", twice.join(","));
        report.add(Severity::Error, shown, text);
    }
    let absent: Vec<&str> = wanted
        .iter()
        .map(|dependency| dependency.name.as_str())
        .filter(|name| !chart.dependencies.iter().any(|child| child.name() == *name))
        .collect();
    if !absent.is_empty() {
        let text = format!(
            "chart directory is missing these dependencies: {}",
            absent.join(",")
        );
        report.add(Severity::Warning, shown, text);
    }
}

fn crds(source: &dyn Source, folder: &str, chart: Result<&Chart, &String>, report: &mut Report) {
    const FOLDER: &str = "crds/";
    match kind_of(source, folder, "crds") {
        None => return,
        Some(EntryKind::File) => {
            report.add(Severity::Error, FOLDER, "not a directory");
            return;
        }
        Some(EntryKind::Folder) => {}
    }
    let chart = match chart {
        Ok(chart) => chart,
        Err(error) => {
            report.add(Severity::Error, FOLDER, error.as_str());
            return;
        }
    };
    for (_, file) in show::crds(chart) {
        for document in documents::Documents::new(&String::from_utf8_lossy(&file.data)) {
            let object = match document {
                Ok(Some(object)) => object,
                Ok(None) => continue,
                Err(error) => {
                    // A template is no custom resource definition; what follows would be noise.
                    report.add(
                        Severity::Error,
                        &file.name,
                        format!("unable to parse YAML: {error}"),
                    );
                    return;
                }
            };
            if !object.api_version.starts_with("apiextensions.k8s.io") {
                report.add(
                    Severity::Error,
                    &file.name,
                    "apiVersion is not in 'apiextensions.k8s.io'",
                );
            }
            if object.kind != "CustomResourceDefinition" {
                report.add(
                    Severity::Error,
                    &file.name,
                    "object kind is not 'CustomResourceDefinition'",
                );
            }
        }
    }
}
