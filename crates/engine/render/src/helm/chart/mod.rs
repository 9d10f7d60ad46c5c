//! A chart as it was loaded, before any value is applied.

pub mod archive;
pub mod dependencies;
mod ignore;
pub mod load;
pub mod metadata;
pub mod version;

use std::sync::Arc;

use serde_json::{Map, Value};

/// A file of a chart; the name is relative to the chart's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path, `/`-separated.
    pub name: String,
    /// Content, without a leading byte order mark. Shared: a chart under two aliases holds its files once.
    pub data: Arc<[u8]>,
}

impl File {
    /// A file of this name and content.
    pub fn new(name: impl Into<String>, data: impl Into<Arc<[u8]>>) -> File {
        File {
            name: name.into(),
            data: data.into(),
        }
    }
}

/// A chart with its dependencies.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// `Chart.yaml` (and, for API version v1, `requirements.yaml`).
    pub metadata: Metadata,
    /// `Chart.lock`'s dependencies, if there is one.
    pub lock: Option<Vec<Dependency>>,
    /// `values.yaml`; every number is a float, as YAML by way of JSON makes it in Go.
    pub values: Map<String, Value>,
    /// `values.schema.json`, if there is one.
    pub schema: Option<Arc<[u8]>>,
    /// `templates/**`.
    pub templates: Vec<File>,
    /// Everything that is not one of the others (README, LICENSE, crds/, config files).
    pub files: Vec<File>,
    /// Every file that was read, in the order of reading, as `helm show` and `.Files` need them.
    pub raw: Vec<File>,
    /// Charts under `charts/`, sorted by the name of their folder or archive until dependencies are processed, which
    /// puts those that `Chart.yaml` lists last, in its order.
    pub dependencies: Vec<Chart>,
    /// What helm logs while it loads this chart, without the charts below it.
    pub warnings: Vec<String>,
}

impl Chart {
    /// The name in `Chart.yaml`, or the alias that a parent gave.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Whether the chart only lends its templates to others.
    pub fn is_library(&self) -> bool {
        self.metadata.chart_type.eq_ignore_ascii_case("library")
    }
}

/// `Chart.yaml`.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Metadata {
    pub name: String,
    pub home: String,
    pub sources: Vec<String>,
    pub version: String,
    pub description: String,
    pub keywords: Vec<String>,
    pub maintainers: Vec<Maintainer>,
    pub icon: String,
    pub api_version: String,
    pub condition: String,
    pub tags: String,
    pub app_version: String,
    pub deprecated: bool,
    /// Sorted by key.
    pub annotations: Vec<(String, String)>,
    pub kube_version: String,
    pub dependencies: Vec<Dependency>,
    /// Whether `dependencies` is there at all; an empty list makes helm look into the charts below, an absent one does not.
    pub lists_dependencies: bool,
    pub chart_type: String,
}

/// A maintainer of a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Maintainer {
    pub name: String,
    pub email: String,
    pub url: String,
}

/// One entry of `dependencies`.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Dependency {
    pub name: String,
    pub version: String,
    pub repository: String,
    pub condition: String,
    pub tags: Vec<String>,
    pub enabled: bool,
    pub import_values: Vec<Value>,
    pub alias: String,
}
