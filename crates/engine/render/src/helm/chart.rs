//! A chart as it was loaded, before any value is applied.

use serde_json::{Map, Value};

/// A file of a chart; the name is relative to the chart's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path, `/`-separated.
    pub name: String,
    /// Content, without a leading byte order mark.
    pub data: Vec<u8>,
}

/// A chart with its dependencies.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// `Chart.yaml` (and, for API version v1, `requirements.yaml`).
    pub metadata: Metadata,
    /// `Chart.lock`'s dependencies, if there is one.
    pub lock: Option<Vec<Dependency>>,
    /// `values.yaml`; integers and floats are what YAML made of them.
    pub values: Map<String, Value>,
    /// `values.schema.json`, if there is one.
    pub schema: Option<Vec<u8>>,
    /// `templates/**`.
    pub templates: Vec<File>,
    /// Everything that is not one of the others (README, LICENSE, crds/, config files).
    pub files: Vec<File>,
    /// Every file that was read, in the order of reading, as `helm show` and `.Files` need them.
    pub raw: Vec<File>,
    /// Charts under `charts/`, in the order of loading; aliases and conditions not yet applied.
    pub dependencies: Vec<Chart>,
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
    pub annotations: Vec<(String, String)>,
    pub kube_version: String,
    pub dependencies: Vec<Dependency>,
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
