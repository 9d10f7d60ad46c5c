//! `deploy helm lint`

use deploy_model::{Code, Diagnostic, Exit};
use deploy_render::helm::chart::archive::{self, Budget};
use deploy_render::helm::compat::Compat;
use deploy_render::helm::lint::{self, Finding, LintRequest, Severity};
use deploy_render::source::{EntryKind, MemorySource, Source, SourceError};

use super::flags::{Flag, GLOBAL, Line, Tables, VALUES, switch, text};
use super::template::{kube_version, namespace};
use super::{charts, failed};
use crate::{Context, Outcome};

pub const FLAGS: Tables = &[GLOBAL, VALUES, OWN];

const OWN: &[Flag] = &[
    switch("strict"),
    switch("quiet"),
    switch("with-subcharts"),
    switch("skip-schema-validation"),
    text("kube-version"),
];

pub fn run(context: &mut Context, line: &Line, compat: Compat) -> Outcome {
    let kube_version = match kube_version(line) {
        Ok(version) => version,
        Err(text) => {
            let diagnostic = Diagnostic::new(Code::UsageInvalid).with("command", "deploy helm lint");
            return failed(context, &text, diagnostic);
        }
    };
    let mut paths = line.arguments.clone();
    if line.is_on("with-subcharts") {
        for path in &line.arguments {
            add_subcharts(
                &context.source(),
                context,
                &format!("{}/charts", clean(path)),
                0,
                &mut paths,
            );
        }
    }
    let request = LintRequest {
        values: charts::values(context, line, &paths[0])?,
        namespace: namespace(context, line),
        kube_version,
        skip_schema_validation: line.is_on("skip-schema-validation"),
        compat,
    };
    let quiet = line.is_on("quiet");
    let lowest = if line.is_on("strict") {
        Severity::Warning
    } else {
        Severity::Error
    };
    let (mut failures, mut noticed) = (0, 0);
    for path in &paths {
        let findings = lint_one(context, path, &request);
        let (has_notice, has_failed) = match &findings {
            Ok(findings) => (
                findings.iter().any(|f| f.severity > Severity::Info),
                findings.iter().any(|f| f.severity >= lowest),
            ),
            Err(_) => (true, true),
        };
        noticed += usize::from(has_notice);
        if quiet && !has_notice {
            continue;
        }
        failures += usize::from(has_failed);
        let mut text = format!("==> Linting {path}\n");
        match findings {
            Err(error) => text.push_str(&format!("Error {error}\n")),
            Ok(findings) => {
                for finding in findings.iter().filter(|f| !quiet || f.severity > Severity::Info) {
                    text.push_str(&format!("{finding}\n"));
                }
            }
        }
        text.push('\n');
        context.printer.data(text)?;
    }
    let summary = format!("{} chart(s) linted, {failures} chart(s) failed", paths.len());
    if failures > 0 {
        return failed(context, &summary, Diagnostic::new(Code::HelmLintFailed));
    }
    if !quiet || noticed > 0 {
        context.printer.data(format!("{summary}\n"))?;
    }
    Ok(Exit::Done)
}

/// What lint finds in a folder or an archive, or why it cannot look.
fn lint_one(context: &mut Context, path: &str, request: &LintRequest) -> Result<Vec<Finding>, String> {
    let absolute = context.absolute(path);
    let report = if path.ends_with(".tgz") || path.ends_with(".tar.gz") {
        let bytes = context.source().read(&absolute).map_err(|error| match error {
            SourceError::NotFound { .. } => {
                format!("unable to open tarball: open {path}: no such file or directory")
            }
            SourceError::Unreadable { cause, .. } => format!("unable to open tarball: open {path}: {cause}"),
        })?;
        let (source, folder) = unpacked(&bytes)?;
        lint::lint(&source, &folder, path, request, &mut context.host())
    } else {
        let chart_yaml = format!("{}/Chart.yaml", clean(path));
        match context.source().kind(&context.absolute(&chart_yaml)) {
            Ok(Some(_)) => {}
            Ok(None) => {
                let reason = match context.source().kind(&absolute) {
                    Ok(Some(EntryKind::File)) => "not a directory",
                    _ => "no such file or directory",
                };
                return Err(format!(
                    "unable to check Chart.yaml file in chart: stat {}: {reason}",
                    chart_yaml.strip_prefix("./").unwrap_or(&chart_yaml)
                ));
            }
            Err(error) => return Err(format!("unable to check Chart.yaml file in chart: stat {error}")),
        }
        lint::lint(
            &context.source(),
            &absolute,
            &absolute,
            request,
            &mut context.host(),
        )
    };
    for warning in &report.warnings {
        context.printer.warn(warning);
    }
    Ok(report.findings)
}

/// An archive as a folder in memory, as helm unpacks it: below the chart's own name.
fn unpacked(bytes: &[u8]) -> Result<(MemorySource, String), String> {
    let files = archive::files(bytes, &mut Budget::default())
        .map_err(|error| format!("unable to extract tarball: {error}"))?;
    let chart_yaml = files
        .iter()
        .find(|file| file.name == "Chart.yaml")
        .ok_or("unable to extract tarball: chart name not specified")?;
    let name = lint::chart_name(&chart_yaml.data)
        .map_err(|error| format!("unable to extract tarball: cannot load Chart.yaml: {error}"))?;
    if name.is_empty() {
        return Err("unable to extract tarball: chart name not specified".to_owned());
    }
    let folder = format!("/{name}");
    let source = MemorySource::new(
        files
            .iter()
            .map(|file| (format!("{folder}/{}", file.name), file.data.to_vec())),
    );
    Ok((source, folder))
}

/// Folders of charts within charts; links that lead back end here.
const MAX_DEPTH: usize = 40;

/// Charts below a folder, in the order of a walk: folders with a `Chart.yaml`, and archives.
fn add_subcharts(
    source: &dyn Source,
    context: &Context,
    folder: &str,
    depth: usize,
    paths: &mut Vec<String>,
) {
    if depth > MAX_DEPTH {
        return;
    }
    for entry in source.list(&context.absolute(folder)).unwrap_or_default() {
        let path = format!("{folder}/{}", entry.name);
        if entry.name == "Chart.yaml" {
            paths.push(folder.to_owned());
        } else if path.ends_with(".tgz") || path.ends_with(".tar.gz") {
            paths.push(path.clone());
        }
        if entry.kind == EntryKind::Folder {
            add_subcharts(source, context, &path, depth + 1, paths);
        }
    }
}

/// A path without its last slash, and the current folder as nothing.
fn clean(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/" } else { trimmed }
}
