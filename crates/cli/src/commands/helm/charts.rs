//! Where charts and values come from.

use std::io::Read;

use deploy_model::{Code, Diagnostic, Place};
use deploy_render::helm::chart::Chart;
use deploy_render::helm::chart::load::{self, LoadError};
use deploy_render::helm::compat::Compat;
use deploy_render::helm::show;
use deploy_render::helm::values::ValueOptions;
use deploy_render::inputs::Inputs;
use deploy_render::source::{Source, SourceError};
use serde_json::{Map, Value};

use super::flags::Line;
use super::{failed, failed_at, refused};
use crate::limits::MAX_FILE_BYTES;
use crate::{Context, Failure};

/// Finds the chart that an argument names: its absolute path.
pub fn locate(context: &mut Context, line: &Line, name: &str) -> Result<String, Failure> {
    let name = name.trim();
    for feature in ["repo", "verify"] {
        if line
            .text(feature)
            .is_some_and(|value| !value.is_empty() && value != "false")
        {
            return said(refused(context, &format!("--{feature}")));
        }
    }
    let path = context.absolute(name);
    if !name.is_empty() && matches!(context.source().kind(&path), Ok(Some(_))) {
        return Ok(path);
    }
    let missing = |context: &mut Context, text: String| {
        said(failed(
            context,
            &text,
            Diagnostic::new(Code::HelmChartMissing).with("path", name),
        ))
    };
    if name.starts_with(['/', '.']) {
        return missing(context, format!("path {name:?} not found"));
    }
    if let Some((scheme, _)) = name.split_once("://") {
        return said(refused(context, &format!("a chart from {scheme}://")));
    }
    match name.split_once('/') {
        Some((repository, _)) => missing(context, format!("repo {repository} not found")),
        None => missing(
            context,
            format!("non-absolute URLs should be in form of repo_name/path_to_chart, got: {name}"),
        ),
    }
}

/// Loads the chart at an absolute path, to render it.
pub fn load(context: &mut Context, path: &str, compat: Compat) -> Result<Chart, Failure> {
    if compat == Compat::V3 {
        // Helm 3 does not look at the API version.
        return load_to_show(context, path, compat);
    }
    let (source, mut inputs) = (context.source(), Inputs::default());
    let loaded = match load::from_source(&source, path, &mut inputs) {
        // Helm looks for other faults first.
        Err(LoadError::InvalidVersion) => {
            show::load(&source, path, &mut inputs).and(Err(LoadError::InvalidVersion))
        }
        loaded => loaded,
    };
    or_explained(context, path, compat, loaded)
}

/// Loads the chart at an absolute path, to look at it.
pub fn load_to_show(context: &mut Context, path: &str, compat: Compat) -> Result<Chart, Failure> {
    let loaded = show::load(&context.source(), path, &mut Inputs::default());
    or_explained(context, path, compat, loaded)
}

fn or_explained(
    context: &mut Context,
    path: &str,
    compat: Compat,
    loaded: Result<Chart, LoadError>,
) -> Result<Chart, Failure> {
    loaded.or_else(|error| {
        let shown = context.shown(path);
        let place = error.place().map(|place| in_chart(&shown, place));
        let text = show::load_error_text(&error, compat);
        let diagnostic = Diagnostic::new(Code::HelmChartInvalid).with("path", shown);
        said(failed_at(context, &text, diagnostic, place))
    })
}

/// A place in a chart as the user would look for it.
pub fn in_chart(chart: &str, place: Place) -> Place {
    Place {
        file: format!("{}/{}", chart.trim_end_matches('/'), place.file),
        ..place
    }
}

/// What `-f` and the `--set` flags say together.
pub fn values(context: &mut Context, line: &Line, chart: &str) -> Result<Map<String, Value>, Failure> {
    let options = ValueOptions {
        files: line.texts("values"),
        set_json: line.texts("set-json"),
        set: line.texts("set"),
        set_string: line.texts("set-string"),
        set_file: line.texts("set-file"),
        set_literal: line.texts("set-literal"),
    };
    let merged = options.merged(&mut |name| read(context, name));
    match merged {
        Ok(values) => Ok(values),
        Err(error) => {
            let diagnostic = Diagnostic::new(Code::HelmValuesInvalid).with("path", chart);
            said(failed_at(context, &error.to_string(), diagnostic, error.place()))
        }
    }
}

/// A file of values, with Go's words if it cannot be read; `-` is standard input.
fn read(context: &mut Context, name: &str) -> Result<Vec<u8>, String> {
    if name.trim() == "-" {
        let mut bytes = Vec::new();
        let limited = context.stdin.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
        return match limited {
            Ok(_) if bytes.len() as u64 > MAX_FILE_BYTES => {
                Err(format!("stdin is larger than {MAX_FILE_BYTES} bytes"))
            }
            Ok(_) => Ok(bytes),
            Err(error) => Err(format!("read /dev/stdin: {error}")),
        };
    }
    if name.starts_with("http://") || name.starts_with("https://") {
        return Err(format!("{name}: deploy helm reads values from files only"));
    }
    context
        .source()
        .read(&context.absolute(name))
        .map_err(|error| match error {
            SourceError::NotFound { .. } => format!("open {name}: no such file or directory"),
            SourceError::Unreadable { cause, .. } => format!("read {name}: {cause}"),
        })
}

/// Turns what ended a verb into the failure that it is.
pub fn said<T>(outcome: crate::Outcome) -> Result<T, Failure> {
    match outcome {
        Err(failure) => Err(failure),
        Ok(exit) => Err(Failure::Said(exit)),
    }
}
