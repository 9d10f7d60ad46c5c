//! `helm template`: a chart, values and facts to manifests, hooks and notes.

use std::collections::BTreeMap;

use deploy_model::Place;
use deploy_template::func::Host;
use deploy_template::{Funcs, Options, TemplateSet, execute, sprig};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::helm::chart::Chart;
use crate::helm::chart::dependencies::{self, DependencyError};
use crate::helm::compat::Compat;
use crate::helm::engine::capabilities::{Capabilities, IncompatibleKubeVersion, KubeVersion};
use crate::helm::engine::{self, EngineError, EngineOptions, Facts, Leftovers, Release};
use crate::helm::go::glob::Glob;
use crate::helm::go::quote::quoted;
use crate::helm::manifests::hooks::Hook;
use crate::helm::manifests::sort::{self, Manifest, SortError, install_order, sort_manifests};
use crate::helm::schema::{self, SchemaError};
use crate::helm::show;
use crate::helm::values::coalesce::{self, Nulls, TypeMismatch};
use crate::inputs::{InputKind, Inputs};

/// What a render is asked for, beside the chart.
#[derive(Clone, Debug, Default)]
pub struct TemplateRequest {
    /// `.Release.Name`
    pub release_name: String,
    /// `.Release.Namespace`
    pub namespace: String,
    /// `.Release.IsUpgrade` instead of `.Release.IsInstall`.
    pub is_upgrade: bool,
    /// The user's values, already merged; see [`crate::helm::values::ValueOptions`].
    pub values: Map<String, Value>,
    /// The cluster's version; without it, the one that helm assumes.
    pub kube_version: Option<KubeVersion>,
    /// API versions beside those that helm knows.
    pub api_versions: Vec<String>,
    /// The files of `crds/` are wanted.
    pub include_crds: bool,
    /// The notes of the charts below are wanted, too.
    pub subchart_notes: bool,
    /// `values.schema.json` is not looked at.
    pub skip_schema_validation: bool,
    /// What `lookup` finds.
    pub facts: Facts,
    /// Which helm to be equal to.
    pub compat: Compat,
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// The custom resource definitions, if asked for: path and text.
    pub crds: Vec<(String, String)>,
    /// Objects, in the order of installation.
    pub manifests: Vec<Manifest>,
    /// Hooks, in the order of installation.
    pub hooks: Vec<Hook>,
    /// The notes of the chart, and of those below if asked for.
    pub notes: String,
    /// What helm logs on the way.
    pub warnings: Vec<String>,
    /// All that the render depended on, without the chart's files, which the loader records.
    pub inputs: Inputs,
}

/// Why there is no render. The texts are helm's.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The chart is a library, or of a type that helm does not know.
    #[error("{chart_type} charts are not installable")]
    NotInstallable {
        /// The chart's type.
        chart_type: String,
    },
    /// Charts that `Chart.yaml` names are not there.
    #[error("{message}")]
    MissingDependencies {
        /// helm's text.
        message: String,
        /// Their names.
        missing: Vec<String>,
    },
    /// A release cannot be named so.
    #[error("{message}")]
    ReleaseName {
        /// helm's text.
        message: String,
    },
    /// Conditions, aliases or imports cannot be worked out.
    #[error("{message}")]
    Dependencies {
        /// helm's text.
        message: String,
        /// What is wrong.
        #[source]
        cause: DependencyError,
    },
    /// A section of the values is no table.
    #[error(transparent)]
    Values(#[from] TypeMismatch),
    /// The values do not fit a chart's schema.
    #[error("values don't meet the specifications of the schema(s) in the following chart(s):\n{0}")]
    Schema(#[from] SchemaError),
    /// The chart wants another Kubernetes.
    #[error(transparent)]
    KubeVersion(#[from] IncompatibleKubeVersion),
    /// A template failed.
    #[error(transparent)]
    Template(#[from] EngineError),
    /// A template gave something that is no object.
    #[error("{error}")]
    Output {
        /// What is wrong with it.
        error: Box<SortError>,
        /// All that was rendered, by template.
        files: BTreeMap<String, String>,
    },
}

impl TemplateError {
    /// Whether helm had begun to render; it then adds a line about `--debug`.
    pub fn while_rendering(&self) -> bool {
        matches!(
            self,
            TemplateError::KubeVersion(_) | TemplateError::Template(_) | TemplateError::Output { .. }
        )
    }

    /// Where in the chart it is wrong, if that is known.
    pub fn place(&self) -> Option<Place> {
        match self {
            TemplateError::Template(error) => error.place().cloned(),
            TemplateError::Output { error, .. } => Some(Place::file(error.path.clone())),
            _ => None,
        }
    }

    /// What helm prints on stdout with `--debug` before the error: what was rendered, so that the fault can be found.
    pub fn debug_output(&self) -> String {
        let TemplateError::Output { error, files } = self else {
            return "\n".to_owned();
        };
        let mut manifests = String::new();
        for (path, text) in files.iter().filter(|(_, text)| !text.trim().is_empty()) {
            push_document(&mut manifests, path, text);
        }
        let mut out = manifests.trim().to_owned() + "\n";
        for hook in &error.before.hooks {
            push_document(&mut out, &hook.path, &hook.manifest);
        }
        out
    }
}

/// The longest name of a release: Kubernetes allows 63 characters, ten of them are left to the chart.
const MAX_RELEASE_NAME_BYTES: usize = 53;

/// The file that a chart shows after installation.
const NOTES: &str = "NOTES.txt";

/// Renders a chart. `chart` is as it was loaded; its dependencies are worked out here.
pub fn template(
    chart: Chart,
    request: &TemplateRequest,
    host: &mut dyn Host,
) -> Result<Rendered, TemplateError> {
    template_keeping(chart, request, host, &mut Leftovers::default())
}

/// [`template`] for a process that ends with it: what is not needed any more goes to `leftovers`.
pub fn template_keeping(
    mut chart: Chart,
    request: &TemplateRequest,
    host: &mut dyn Host,
    leftovers: &mut Leftovers,
) -> Result<Rendered, TemplateError> {
    let compat = request.compat;
    check_installable(&chart, compat)?;
    check_release_name(&request.release_name, compat)?;
    let mut rendered = Rendered::default();
    if chart.metadata.deprecated {
        rendered.warnings.push("this chart is deprecated".to_owned());
    }
    collect_warnings(&chart, &mut rendered.warnings);
    match dependencies::process(&mut chart, &request.values, compat) {
        Ok(warnings) => rendered.warnings.extend(warnings),
        Err(cause) => {
            let prefix = match compat {
                Compat::V4 => "chart dependencies processing failed: ",
                Compat::V3 => "",
            };
            return Err(TemplateError::Dependencies {
                message: format!("{prefix}{cause}"),
                cause,
            });
        }
    }

    let capabilities = capabilities(request);
    let values = coalesce::values(
        &chart,
        &request.values,
        Nulls::Coalesce,
        compat,
        &mut rendered.warnings,
    )?;
    if !request.skip_schema_validation {
        schema::validate_chart(&chart, &values, &mut rendered.warnings)?;
    }
    capabilities.check(&chart)?;

    let release = Release {
        name: request.release_name.clone(),
        namespace: request.namespace.clone(),
        is_install: !request.is_upgrade,
        is_upgrade: request.is_upgrade,
        revision: 1,
    };
    record_inputs(request, &mut rendered.inputs);
    let options = EngineOptions {
        compat,
        facts: request.facts.clone(),
        ..EngineOptions::default()
    };
    let top = engine::top_scope(&values, &release, &capabilities, compat);
    let output = engine::render(&chart, &top, &options, host, &mut rendered.inputs)?;
    let mut files = output.files;
    rendered.notes = take_notes(&mut files, &chart, request.subchart_notes);
    let sorted = match sort_manifests(&files, install_order(compat), compat) {
        Ok(sorted) => sorted,
        Err(error) => {
            return Err(TemplateError::Output {
                error: Box::new(error),
                files,
            });
        }
    };
    rendered.manifests = sorted.manifests;
    rendered.hooks = sorted.hooks;
    if request.include_crds {
        rendered.crds = show::crds(&chart)
            .into_iter()
            .map(|(path, file)| (path, String::from_utf8_lossy(&file.data).into_owned()))
            .collect();
    }
    leftovers.keep((chart, values, top, files, output.leftovers));
    Ok(rendered)
}

impl Rendered {
    /// The objects as one text, then the hooks, as `helm template` prints them.
    pub fn text(&self, hooks: bool, skip_tests: bool) -> String {
        let mut documents = String::new();
        for (path, text) in &self.crds {
            push_document(&mut documents, path, text);
        }
        for manifest in &self.manifests {
            push_document(&mut documents, &manifest.path, &manifest.content);
        }
        let mut out = documents.trim().to_owned();
        out.push('\n');
        for hook in self.shown_hooks(hooks, skip_tests) {
            push_document(&mut out, &hook.path, &hook.manifest);
        }
        out
    }

    /// The hooks that are to be printed.
    pub fn shown_hooks(&self, hooks: bool, skip_tests: bool) -> impl Iterator<Item = &Hook> {
        self.hooks
            .iter()
            .filter(move |hook| hooks && !(skip_tests && hook.is_test()))
    }
}

/// The text of one object as files and streams hold it.
pub fn document(path: &str, text: &str) -> String {
    let mut out = String::with_capacity(path.len() + text.len() + 16);
    push_document(&mut out, path, text);
    out
}

fn push_document(out: &mut String, path: &str, text: &str) {
    for part in ["---\n# Source: ", path, "\n", text, "\n"] {
        out.push_str(part);
    }
}

/// No template of the chart has a name that the pattern of `--show-only` matches.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not find template {pattern} in chart")]
pub struct TemplateNotFound {
    /// What was asked for.
    pub pattern: String,
}

/// Of what `helm template` would print, only the documents of some templates, in the order of the patterns. A pattern is
/// relative to the chart (`templates/*.yaml`).
pub fn show_only(text: &str, patterns: &[String], compat: Compat) -> Result<String, TemplateNotFound> {
    let documents: Vec<(&str, &str)> = sort::split(text, compat)
        .into_iter()
        .filter_map(|document| Some((source_of(document)?, document)))
        .collect();
    let mut out = String::new();
    for pattern in patterns {
        let before = out.len();
        if let Some(glob) = Glob::path(pattern) {
            for (_, document) in documents.iter().filter(|(name, _)| glob.matches(name)) {
                out.push_str("---\n");
                out.push_str(document);
                out.push('\n');
            }
        }
        if out.len() == before {
            return Err(TemplateNotFound {
                pattern: pattern.clone(),
            });
        }
    }
    Ok(out)
}

/// The file that a document's `# Source:` line names, without the chart's own name.
fn source_of(document: &str) -> Option<&str> {
    document.match_indices("# Source: ").find_map(|(at, marker)| {
        let line = document[at + marker.len()..].lines().next()?;
        let (chart, file) = line.split_once('/')?;
        (!chart.is_empty() && !file.is_empty()).then_some(file)
    })
}

/// The release's name from `--name-template`: sprig's functions, no data. The error is helm's.
pub fn name_from_template(text: &str, host: &mut dyn Host) -> Result<String, String> {
    const NAME: &str = "name-template";
    let mut funcs = Funcs::new();
    funcs.extend(sprig::functions());
    let mut set = TemplateSet::new(NAME);
    set.parse(NAME, text, &funcs).map_err(|error| error.to_string())?;
    let output = execute(
        &set,
        NAME,
        &deploy_template::value::Value::Nil,
        &funcs,
        host,
        Options::default(),
    )
    .map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

fn check_installable(chart: &Chart, compat: Compat) -> Result<(), TemplateError> {
    let chart_type = &chart.metadata.chart_type;
    if !chart_type.is_empty() && chart_type != "application" {
        return Err(TemplateError::NotInstallable {
            chart_type: chart_type.clone(),
        });
    }
    let present = |name: &str| chart.dependencies.iter().any(|child| child.name() == name);
    let missing: Vec<String> = chart
        .metadata
        .dependencies
        .iter()
        .filter(|wanted| !present(&wanted.name))
        .map(|wanted| wanted.name.clone())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (begin, quote) = match compat {
        Compat::V4 => ("an", '\''),
        Compat::V3 => ("An", '`'),
    };
    let message = format!(
        "{begin} error occurred while checking for chart dependencies. You may need to run {quote}helm dependency \
         build{quote} to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: {}",
        missing.join(", ")
    );
    Err(TemplateError::MissingDependencies { message, missing })
}

fn check_release_name(name: &str, compat: Compat) -> Result<(), TemplateError> {
    let label = |part: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    let reason = if name.is_empty() {
        "no name provided"
    } else if name.len() > MAX_RELEASE_NAME_BYTES || !name.split('.').all(label) {
        "invalid release name, must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ \
         and the length must not be longer than 53"
    } else {
        return Ok(());
    };
    let prefix = match compat {
        Compat::V4 => "release name check failed: ",
        Compat::V3 => "",
    };
    Err(TemplateError::ReleaseName {
        message: format!("{prefix}release name {}: {reason}", quoted(name)),
    })
}

fn collect_warnings(chart: &Chart, warnings: &mut Vec<String>) {
    warnings.extend(chart.warnings.iter().cloned());
    for child in &chart.dependencies {
        collect_warnings(child, warnings);
    }
}

/// What helm assumes where no cluster is asked.
pub(super) fn default_capabilities(compat: Compat) -> Capabilities {
    let mut capabilities = Capabilities::default();
    if compat == Compat::V3 {
        // A build of helm 3 without a version of Kubernetes in it.
        capabilities.kube_version = KubeVersion {
            version: "v1.20.0".to_owned(),
            normalized: "v1.20.0".to_owned(),
            major: "1".to_owned(),
            minor: "20".to_owned(),
        };
        capabilities.helm_version.version = "v3.19";
        capabilities.helm_version.kube_client_version = "";
    }
    capabilities
}

fn capabilities(request: &TemplateRequest) -> Capabilities {
    let mut capabilities = default_capabilities(request.compat);
    if let Some(version) = &request.kube_version {
        capabilities.kube_version = version.clone();
        if request.compat == Compat::V3 {
            // Helm 3 drops what stands behind the numbers.
            capabilities.kube_version.version = version.normalized.clone();
        }
    }
    capabilities
        .api_versions
        .extend(request.api_versions.iter().cloned());
    capabilities
}

/// Notes are rendered like any file, but they are no object.
fn take_notes(files: &mut BTreeMap<String, String>, chart: &Chart, of_subcharts: bool) -> String {
    let own = format!("{}/templates/{NOTES}", chart.name());
    let mut notes = String::new();
    files.retain(|path, text| {
        if !path.ends_with(NOTES) {
            return true;
        }
        if of_subcharts || *path == own {
            if !notes.is_empty() {
                notes.push('\n');
            }
            notes.push_str(text);
        }
        false
    });
    notes
}

fn record_inputs(request: &TemplateRequest, inputs: &mut Inputs) {
    let mut fact = |name: &str, value: &str| {
        inputs.record(InputKind::Fact, name, Sha256::digest(value.as_bytes()).into());
    };
    fact("release", &request.release_name);
    fact("namespace", &request.namespace);
    fact("isUpgrade", if request.is_upgrade { "true" } else { "false" });
    fact(
        "kubeVersion",
        request
            .kube_version
            .as_ref()
            .map_or("", |version| &version.version),
    );
    fact("apiVersions", &request.api_versions.join(","));
    fact(
        "helm",
        match request.compat {
            Compat::V3 => "v3",
            Compat::V4 => "v4",
        },
    );
    let values = Value::Object(request.values.clone()).to_string();
    inputs.record(
        InputKind::Values,
        "values",
        Sha256::digest(values.as_bytes()).into(),
    );
}
