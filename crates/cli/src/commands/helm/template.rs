//! `deploy helm template`

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use deploy_model::{Code, Diagnostic, Exit};
use deploy_render::helm::compat::Compat;
use deploy_render::helm::engine::Leftovers;
use deploy_render::helm::engine::capabilities::KubeVersion;
use deploy_render::helm::template::{self, Rendered, TemplateError, TemplateRequest};

use super::flags::{CHART, Flag, GLOBAL, Kind, Line, Tables, VALUES, list, switch, text, texts};
use super::{charts, failed, failed_at, refused};
use crate::{Context, Outcome};

pub const FLAGS: Tables = &[GLOBAL, VALUES, CHART, OWN];

const OWN: &[Flag] = &[
    texts("show-only").short('s'),
    text("output-dir"),
    switch("release-name"),
    switch("include-crds"),
    switch("skip-crds"),
    switch("skip-tests"),
    switch("no-hooks"),
    switch("is-upgrade"),
    text("kube-version"),
    list("api-versions").short('a'),
    switch("skip-schema-validation"),
    switch("generate-name").short('g'),
    text("name-template"),
    switch("render-subchart-notes"),
    switch("hide-notes"),
    switch("validate"),
    Flag {
        name: "dry-run",
        short: None,
        kind: Kind::Optional("unset"),
    },
    text("post-renderer"),
    texts("post-renderer-args"),
    switch("dependency-update"),
    // What follows is about installing; helm template knows it and does nothing with it.
    switch("enable-dns"),
    switch("create-namespace"),
    switch("force"),
    switch("force-replace"),
    switch("force-conflicts"),
    switch("server-side"),
    switch("replace"),
    text("timeout"),
    Flag {
        name: "wait",
        short: None,
        kind: Kind::Optional("watcher"),
    },
    switch("wait-for-jobs"),
    text("description"),
    switch("disable-openapi-validation"),
    switch("atomic"),
    switch("rollback-on-failure"),
    list("labels").short('l'),
    switch("take-ownership"),
];

pub fn run(context: &mut Context, line: &Line, compat: Compat) -> Outcome {
    let kube_version = match kube_version(line) {
        Ok(version) => version,
        Err(text) => return usage(context, &text),
    };
    if let Some(feature) = ["post-renderer", "dependency-update"].into_iter().find(|name| {
        line.text(name)
            .is_some_and(|value| !value.is_empty() && value != "false")
    }) {
        return refused(context, &format!("--{feature}"));
    }
    match dry_run(line) {
        Ok(false) => {}
        Ok(true) => return refused(context, "--dry-run=server"),
        Err(text) => return usage(context, &text),
    }
    let (name, chart_argument) = match name_and_chart(context, line) {
        Ok(found) => found,
        Err(text) => return usage(context, &text),
    };
    let path = charts::locate(context, line, &chart_argument)?;
    let values = charts::values(context, line, &chart_argument)?;
    let chart = charts::load(context, &path, compat)?;
    let request = TemplateRequest {
        release_name: name,
        namespace: namespace(context, line),
        is_upgrade: line.is_on("is-upgrade"),
        values,
        kube_version,
        api_versions: line.texts("api-versions"),
        include_crds: line.is_on("include-crds"),
        subchart_notes: line.is_on("render-subchart-notes"),
        skip_schema_validation: line.is_on("skip-schema-validation"),
        compat,
        ..TemplateRequest::default()
    };
    let mut leftovers = Leftovers::default();
    match template::template_keeping(chart, &request, &mut context.host(), &mut leftovers) {
        Ok(rendered) => {
            let outcome = print(context, line, &request, &rendered);
            // The process ends here; its memory goes back in one piece.
            std::mem::forget((rendered, leftovers));
            outcome
        }
        Err(error) => explain(context, line, compat, &chart_argument, &error),
    }
}

/// The namespace of the release: the flag, helm's own variable, or `default`.
pub fn namespace(context: &Context, line: &Line) -> String {
    line.text("namespace")
        .or(context.env.get("HELM_NAMESPACE").map(String::as_str))
        .filter(|namespace| !namespace.is_empty())
        .unwrap_or("default")
        .to_owned()
}

/// `--kube-version`, or helm's words for a text that is none.
pub fn kube_version(line: &Line) -> Result<Option<KubeVersion>, String> {
    match line.text("kube-version") {
        None | Some("") => Ok(None),
        Some(text) => KubeVersion::parse(text)
            .map(Some)
            .map_err(|error| format!("invalid kube version '{text}': {error}")),
    }
}

pub fn usage(context: &mut Context, text: &str) -> Outcome {
    let diagnostic = Diagnostic::new(Code::UsageInvalid).with("command", "deploy helm template");
    failed(context, text, diagnostic)
}

/// Whether a server is to be asked.
fn dry_run(line: &Line) -> Result<bool, String> {
    let value = line.text("dry-run").unwrap_or("client");
    if line.is_on("validate") {
        return Ok(true);
    }
    match value {
        "client" | "unset" | "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(false),
        "server" => Ok(true),
        "none" | "0" | "f" | "F" | "FALSE" | "false" | "False" => Err(format!(
            "invalid dry-run value ({value:?}). Must be \"server\" or \"client\""
        )),
        _ => Err(format!(
            "invalid dry-run value ({value:?}). Must be \"none\", \"server\", or \"client\""
        )),
    }
}

fn name_and_chart(context: &Context, line: &Line) -> Result<(String, String), String> {
    let name_template = line.text("name-template").unwrap_or_default();
    match line.arguments.as_slice() {
        [name, chart] => {
            if line.is_on("generate-name") {
                return Err("cannot set --generate-name and also specify a name".to_owned());
            }
            if !name_template.is_empty() {
                return Err("cannot set --name-template and also specify a name".to_owned());
            }
            Ok((name.clone(), chart.clone()))
        }
        [chart] if name_template.is_empty() => Ok(("release-name".to_owned(), chart.clone())),
        [chart] => Ok((
            template::name_from_template(name_template, &mut context.host())?,
            chart.clone(),
        )),
        [_, _, more @ ..] => Err(format!(
            "expected at most two arguments, unexpected arguments: {}",
            more.join(", ")
        )),
        [] => Err("expected a chart".to_owned()),
    }
}

fn print(context: &mut Context, line: &Line, request: &TemplateRequest, rendered: &Rendered) -> Outcome {
    for warning in &rendered.warnings {
        context.printer.warn(warning);
    }
    let (hooks, skip_tests) = (!line.is_on("no-hooks"), line.is_on("skip-tests"));
    let text = match line.text("output-dir").filter(|folder| !folder.is_empty()) {
        None => rendered.text(hooks, skip_tests),
        Some(folder) => {
            write_files(context, line, request, rendered, folder)?;
            "\n".to_owned()
        }
    };
    let patterns = line.texts("show-only");
    if patterns.is_empty() {
        context.printer.data(text)?;
        return Ok(Exit::Done);
    }
    match template::show_only(&text, &patterns, request.compat) {
        Ok(selected) => {
            context.printer.data(selected)?;
            Ok(Exit::Done)
        }
        Err(error) => usage(context, &error.to_string()),
    }
}

/// One file for each template, as `--output-dir` wants it.
fn write_files(
    context: &mut Context,
    line: &Line,
    request: &TemplateRequest,
    rendered: &Rendered,
    folder: &str,
) -> Result<(), crate::Failure> {
    let release_folder = if line.is_on("release-name") {
        format!("{}/{}", folder.trim_end_matches('/'), request.release_name)
    } else {
        folder.to_owned()
    };
    let mut written = BTreeSet::new();
    let mut files: Vec<(&str, &str, &str, bool)> = Vec::new();
    for (path, text) in &rendered.crds {
        files.push((folder, path, text, false));
    }
    for manifest in &rendered.manifests {
        files.push((&release_folder, &manifest.path, &manifest.content, false));
    }
    for hook in rendered.shown_hooks(!line.is_on("no-hooks"), line.is_on("skip-tests")) {
        files.push((&release_folder, &hook.path, &hook.manifest, true));
    }
    for (folder, path, text, is_hook) in files {
        let shown = format!("{folder}/{path}");
        let target = context.absolute(&shown);
        // Helm adds a hook to a file that is there, even one of an earlier run; others only to what this run wrote.
        let append = if is_hook {
            Path::new(&target).exists()
        } else {
            !written.insert(shown.clone())
        };
        if let Err(error) = write_file(Path::new(&target), &template::document(path, text), append) {
            let diagnostic = Diagnostic::new(Code::OutputFailed);
            return charts::said(failed(context, &format!("open {shown}: {error}"), diagnostic));
        }
        context.printer.data(format!("wrote {shown}\n"))?;
    }
    Ok(())
}

fn write_file(path: &Path, text: &str, append: bool) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.create(true).write(true).append(append).truncate(!append);
    options.open(path)?.write_all(text.as_bytes())
}

fn explain(
    context: &mut Context,
    line: &Line,
    compat: Compat,
    chart: &str,
    error: &TemplateError,
) -> Outcome {
    let mut text = error.to_string();
    if error.while_rendering() {
        if line.is_on("debug") {
            let output = error.debug_output();
            let patterns = line.texts("show-only");
            if patterns.is_empty() {
                context.printer.data(output)?;
            } else if let Ok(selected) = template::show_only(&output, &patterns, compat) {
                context.printer.data(selected)?;
            }
        } else {
            text.push_str("\n\nUse --debug flag to render out invalid YAML");
        }
    }
    let code = match error {
        TemplateError::NotInstallable { .. } => Code::HelmChartInvalid,
        TemplateError::MissingDependencies { .. } => Code::HelmDependencyMissing,
        TemplateError::Dependencies { .. } | TemplateError::Values(_) | TemplateError::Schema(_) => {
            Code::HelmValuesInvalid
        }
        TemplateError::ReleaseName { .. } | TemplateError::KubeVersion(_) => return usage(context, &text),
        TemplateError::Template(_) => Code::HelmTemplateFailed,
        TemplateError::Output { .. } => Code::HelmOutputInvalid,
    };
    failed_at(
        context,
        &text,
        Diagnostic::new(code).with("path", chart),
        error.place(),
    )
}
