//! `deploy render` of a chart. Where `deploy helm template` keeps helm's words, this keeps ours.

use clap::ArgMatches;
use deploy_model::{Code, Diagnostic, Place};
use deploy_render::helm::chart::load::{self, LoadError};
use deploy_render::helm::compat::Compat;
use deploy_render::helm::template::{self, TemplateError, TemplateRequest};
use deploy_render::helm::values::ValueOptions;
use deploy_render::inputs::{InputKind, Inputs};
use deploy_render::source::{Source, SourceError};

use crate::commands::helm::charts::in_chart;
use crate::settings::HelmCompat;
use crate::{Context, Failure, failure};

/// The namespace that Kubernetes has from the start.
const DEFAULT_NAMESPACE: &str = "default";

/// What came out, as text, and all that was read.
pub struct RenderedChart {
    pub output: String,
    pub inputs: Inputs,
}

/// Renders the chart at a path with the options of the command line.
pub fn render(context: &mut Context, arguments: &ArgMatches, path: &str) -> Result<RenderedChart, Failure> {
    let shown = context.shown(path);
    let mut inputs = Inputs::default();
    let chart = load::from_source(&context.source(), path, &mut inputs)
        .map_err(|error| not_loaded(context, &shown, error))?;
    let values = values(context, arguments, &shown, &mut inputs)?;
    let text = |name: &str| arguments.get_one::<String>(name).cloned();
    let request = TemplateRequest {
        release_name: text("release").unwrap_or_else(|| chart.metadata.name.clone()),
        namespace: text("namespace").unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
        values,
        include_crds: true,
        compat: match context.settings.helm_compat() {
            HelmCompat::V3 => Compat::V3,
            HelmCompat::V4 => Compat::V4,
        },
        ..TemplateRequest::default()
    };
    let rendered = template::template(chart, &request, &mut context.host())
        .map_err(|error| not_rendered(&shown, &error))?;
    for warning in &rendered.warnings {
        context.printer.warn(warning);
    }
    inputs.extend(rendered.inputs.clone());
    Ok(RenderedChart {
        output: rendered.text(true, true),
        inputs,
    })
}

fn values(
    context: &mut Context,
    arguments: &ArgMatches,
    chart: &str,
    inputs: &mut Inputs,
) -> Result<serde_json::Map<String, serde_json::Value>, Failure> {
    let texts = |name: &str| {
        arguments
            .get_many::<String>(name)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    };
    let options = ValueOptions {
        files: texts("values"),
        set: texts("set"),
        ..ValueOptions::default()
    };
    let mut unread = None;
    let merged = options.merged(&mut |name| {
        let path = context.absolute(name);
        match context.source().read(&path) {
            Ok(bytes) => {
                inputs.record_content(InputKind::File, path, &bytes);
                Ok(bytes)
            }
            Err(error) => {
                let words = error.to_string();
                unread.get_or_insert(error);
                Err(words)
            }
        }
    });
    merged.map_err(|error| match unread {
        Some(unread) => failure::unreadable(context, &unread),
        None => {
            let diagnostic = Diagnostic::new(Code::HelmValuesInvalid)
                .because(error.to_string())
                .with("path", chart);
            placed(diagnostic, error.place()).into()
        }
    })
}

fn not_loaded(context: &Context, chart: &str, error: LoadError) -> Failure {
    match &error {
        LoadError::Source(source @ SourceError::NotFound { .. }) => failure::unreadable(context, source),
        _ => {
            let diagnostic = Diagnostic::new(Code::HelmChartInvalid)
                .because(error.to_string())
                .with("path", chart);
            placed(diagnostic, error.place().map(|place| in_chart(chart, place))).into()
        }
    }
}

fn placed(diagnostic: Diagnostic, place: Option<Place>) -> Diagnostic {
    match place {
        Some(place) => diagnostic.at(place),
        None => diagnostic,
    }
}

fn not_rendered(chart: &str, error: &TemplateError) -> Failure {
    let code = match error {
        TemplateError::MissingDependencies { .. } => Code::HelmDependencyMissing,
        TemplateError::Values(_) | TemplateError::Schema(_) => Code::HelmValuesInvalid,
        TemplateError::Template(_) => Code::HelmTemplateFailed,
        TemplateError::Output { .. } => Code::HelmOutputInvalid,
        TemplateError::ReleaseName { .. } => {
            return Diagnostic::new(Code::UsageInvalid)
                .because(error.to_string())
                .with("command", "deploy render")
                .into();
        }
        TemplateError::NotInstallable { .. }
        | TemplateError::Dependencies { .. }
        | TemplateError::KubeVersion(_) => Code::HelmChartInvalid,
    };
    let diagnostic = Diagnostic::new(code)
        .because(error.to_string())
        .with("path", chart);
    placed(diagnostic, error.place()).into()
}
