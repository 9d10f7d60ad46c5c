//! What the templates of each chart see as `.`: Chart, Values, Files, Release, Capabilities, Subcharts, Template.

use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;

use deploy_template::func::{FuncError, Host, Param, Signature};
use deploy_template::value::{ElemType, List, Map, Object, Str, Value};
use serde_json::Value as Json;

use super::capabilities::{Capabilities, KubeVersion};
use super::files::Files;
use crate::helm::chart::{Chart, Dependency, Metadata};
use crate::helm::compat::Compat;
use crate::helm::show;

/// One template with the scope that it is run in.
pub(super) struct Job<'a> {
    /// Chart's path and file, for example `shop/charts/redis/templates/svc.yaml`.
    pub name: String,
    pub text: &'a [u8],
    pub scope: Map,
    /// The folder of the chart's templates.
    pub base_path: Rc<str>,
}

/// All templates of a chart and of the charts below it, each with its scope. `top` holds `Values`, `Release` and
/// `Capabilities`.
pub(super) fn jobs<'a>(chart: &'a Chart, top: &Map, compat: Compat) -> Vec<Job<'a>> {
    let mut jobs = Vec::new();
    add(chart, None, top, compat, &mut jobs);
    jobs
}

fn add<'a>(
    chart: &'a Chart,
    parent: Option<&str>,
    above: &Map,
    compat: Compat,
    jobs: &mut Vec<Job<'a>>,
) -> Map {
    let inherited = |name: &str| above.get(name).unwrap_or(Value::Nil);
    let values = match parent {
        None => inherited("Values"),
        Some(_) => subchart_values(above, chart.name(), compat),
    };
    let path = match parent {
        None => chart.name().to_owned(),
        Some(parent) => format!("{parent}/charts/{}", chart.name()),
    };
    let subcharts = Map::new(BTreeMap::new());
    let scope = values_map(BTreeMap::new(), compat);
    scope.set("Chart", chart_value(&chart.metadata, parent.is_none(), compat));
    scope.set("Files", Value::Object(Rc::new(Files::new(&chart.files))));
    scope.set("Release", inherited("Release"));
    scope.set("Capabilities", inherited("Capabilities"));
    scope.set("Values", values);
    scope.set("Subcharts", Value::Map(subcharts.clone()));
    for child in &chart.dependencies {
        let below = add(child, Some(&path), &scope, compat, jobs);
        subcharts.set(child.name(), Value::Map(below));
    }
    let base_path: Rc<str> = format!("{path}/templates").into();
    for file in &chart.templates {
        // A library chart lends partials; its other templates are not there.
        if chart.is_library() && !super::is_partial(&file.name) {
            continue;
        }
        jobs.push(Job {
            name: format!("{path}/{}", file.name),
            text: &file.data,
            scope: scope.clone(),
            base_path: base_path.clone(),
        });
    }
    scope
}

/// `.Values` of a chart below: the table of its name, shared with the parent, so that changes are seen by both. A dot in
/// the name goes one table down.
fn subchart_values(above: &Map, name: &str, compat: Compat) -> Value {
    let mut table = above.get("Values");
    for part in name.split('.') {
        table = match table {
            Some(Value::Map(map)) => map.get(part),
            _ => None,
        };
    }
    match table {
        Some(Value::Map(map)) => Value::Map(map),
        _ => Value::Map(values_map(BTreeMap::new(), compat)),
    }
}

/// A map of the type that helm gives to `.Values` and to the scope itself.
pub(super) fn values_map(entries: BTreeMap<Str, Value>, compat: Compat) -> Map {
    let name = match compat {
        Compat::V3 => "chartutil.Values",
        Compat::V4 => "common.Values",
    };
    Map::typed(ElemType::Any, Some(name), entries)
}

/// Helm 4 shows a map; helm 3 a struct, whose missing fields are errors.
fn chart_value(metadata: &Metadata, is_root: bool, compat: Compat) -> Value {
    let mut fields = metadata_fields(metadata).to_vec();
    fields.push(("IsRoot", Value::Bool(is_root)));
    match compat {
        Compat::V4 => Value::map(fields),
        Compat::V3 => {
            let mut json = show::metadata_json(metadata);
            json.insert("IsRoot".to_owned(), Json::Bool(is_root));
            let type_name = "struct { chart.Metadata; IsRoot bool }";
            Value::Object(Rc::new(Record {
                type_name,
                fields,
                json,
            }))
        }
    }
}

fn metadata_fields(metadata: &Metadata) -> [(&'static str, Value); 17] {
    let text = |text: &str| Value::str(text);
    let texts = |list: &[String]| Value::list(list.iter().map(|item| Value::str(item.as_str())).collect());
    let annotations = metadata
        .annotations
        .iter()
        .map(|(k, v)| (k.as_str().into(), Value::str(v.as_str())));
    let maintainers = metadata.maintainers.iter().map(|person| {
        Value::map([
            ("Name", text(&person.name)),
            ("Email", text(&person.email)),
            ("URL", text(&person.url)),
        ])
    });
    [
        ("Name", text(&metadata.name)),
        ("Home", text(&metadata.home)),
        ("Sources", texts(&metadata.sources)),
        ("Version", text(&metadata.version)),
        ("Description", text(&metadata.description)),
        ("Keywords", texts(&metadata.keywords)),
        ("Maintainers", Value::list(maintainers.collect())),
        ("Icon", text(&metadata.icon)),
        ("APIVersion", text(&metadata.api_version)),
        ("Condition", text(&metadata.condition)),
        ("Tags", text(&metadata.tags)),
        ("AppVersion", text(&metadata.app_version)),
        ("Deprecated", Value::Bool(metadata.deprecated)),
        (
            "Annotations",
            Value::Map(Map::typed(ElemType::String, None, annotations.collect())),
        ),
        ("KubeVersion", text(&metadata.kube_version)),
        (
            "Dependencies",
            Value::list(metadata.dependencies.iter().map(dependency_value).collect()),
        ),
        ("Type", text(&metadata.chart_type)),
    ]
}

fn dependency_value(dependency: &Dependency) -> Value {
    let text = |text: &str| Value::str(text);
    Value::map([
        ("Name", text(&dependency.name)),
        ("Version", text(&dependency.version)),
        ("Repository", text(&dependency.repository)),
        ("Condition", text(&dependency.condition)),
        (
            "Tags",
            Value::list(dependency.tags.iter().map(|tag| text(tag)).collect()),
        ),
        ("Enabled", Value::Bool(dependency.enabled)),
        (
            "ImportValues",
            Value::list(dependency.import_values.iter().map(Value::from_json).collect()),
        ),
        ("Alias", text(&dependency.alias)),
    ])
}

/// `.Capabilities`
pub(super) fn capabilities_value(capabilities: &Capabilities, compat: Compat) -> Value {
    let package = match compat {
        Compat::V3 => "chartutil",
        Compat::V4 => "common",
    };
    let versions = Value::Object(Rc::new(ApiVersions {
        type_name: match compat {
            Compat::V3 => "chartutil.VersionSet",
            Compat::V4 => "common.VersionSet",
        },
        versions: capabilities.api_versions.clone(),
    }));
    let helm = &capabilities.helm_version;
    let helm_fields = [
        ("Version", "version", helm.version),
        ("GitCommit", "git_commit", helm.git_commit),
        ("GitTreeState", "git_tree_state", helm.git_tree_state),
        ("GoVersion", "go_version", helm.go_version),
        (
            "KubeClientVersion",
            "kube_client_version",
            helm.kube_client_version,
        ),
    ];
    // Helm 3 does not know the last one.
    let helm_fields = &helm_fields[..if compat == Compat::V3 { 4 } else { 5 }];
    let helm_version = Record {
        type_name: "version.BuildInfo",
        fields: helm_fields
            .iter()
            .map(|(field, _, text)| (*field, Value::str(*text)))
            .collect(),
        json: helm_fields
            .iter()
            .filter(|(_, _, text)| !text.is_empty())
            .map(|(_, key, text)| ((*key).to_owned(), Json::from(*text)))
            .collect(),
    };
    let kube_version = Value::Object(Rc::new(Kube {
        version: capabilities.kube_version.clone(),
        type_name: match compat {
            Compat::V3 => "chartutil.KubeVersion",
            Compat::V4 => "common.KubeVersion",
        },
    }));
    let json = [
        ("APIVersions", Json::from(capabilities.api_versions.clone())),
        ("HelmVersion", Object::to_json(&helm_version)),
        ("KubeVersion", kube_json(&capabilities.kube_version)),
    ];
    Value::Object(Rc::new(Record {
        type_name: if package == "common" {
            "*common.Capabilities"
        } else {
            "*chartutil.Capabilities"
        },
        fields: vec![
            ("KubeVersion", kube_version),
            ("APIVersions", versions),
            ("HelmVersion", Value::Object(Rc::new(helm_version))),
        ],
        json: json
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    }))
}

fn kube_json(version: &KubeVersion) -> Json {
    let fields = [
        ("Version", &version.version),
        ("Major", &version.major),
        ("Minor", &version.minor),
    ];
    Json::Object(
        fields
            .into_iter()
            .map(|(k, v)| (k.to_owned(), Json::from(v.as_str())))
            .collect(),
    )
}

/// `.Capabilities.KubeVersion`
struct Kube {
    version: KubeVersion,
    type_name: &'static str,
}

impl Object for Kube {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn display(&self) -> String {
        self.version.normalized.clone()
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(Value::str(match name {
            "Version" => self.version.version.as_str(),
            "Major" => self.version.major.as_str(),
            "Minor" => self.version.minor.as_str(),
            _ => return None,
        }))
    }

    fn method(&self, name: &str) -> Option<Signature> {
        let no_params = Signature {
            params: &[],
            variadic: None,
        };
        matches!(name, "GitVersion" | "String").then_some(no_params)
    }

    fn call(&self, name: &str, args: &[Value], _: &mut dyn Host) -> Option<Result<Value, FuncError>> {
        match (name, args) {
            ("GitVersion", []) => Some(Ok(Value::str(self.version.version.as_str()))),
            ("String", []) => Some(Ok(Value::str(self.version.normalized.as_str()))),
            _ => None,
        }
    }

    fn to_json(&self) -> Json {
        kube_json(&self.version)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `.Capabilities.APIVersions`
struct ApiVersions {
    type_name: &'static str,
    versions: Vec<String>,
}

impl Object for ApiVersions {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn display(&self) -> String {
        format!("[{}]", self.versions.join(" "))
    }

    fn method(&self, name: &str) -> Option<Signature> {
        let one_text = Signature {
            params: &[Param::String],
            variadic: None,
        };
        (name == "Has").then_some(one_text)
    }

    fn call(&self, name: &str, args: &[Value], _: &mut dyn Host) -> Option<Result<Value, FuncError>> {
        match (name, args) {
            ("Has", [Value::Str(wanted)]) => {
                let has = self
                    .versions
                    .iter()
                    .any(|version| version.as_bytes() == wanted.as_bytes());
                Some(Ok(Value::Bool(has)))
            }
            _ => None,
        }
    }

    fn items(&self) -> Option<List> {
        let items = self
            .versions
            .iter()
            .map(|version| Value::str(version.as_str()))
            .collect();
        Some(List::typed(ElemType::String, items))
    }

    fn truth(&self) -> bool {
        !self.versions.is_empty()
    }

    fn to_json(&self) -> Json {
        Json::from(self.versions.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A Go struct whose fields are known beforehand, in the order of its declaration.
struct Record {
    type_name: &'static str,
    fields: Vec<(&'static str, Value)>,
    json: serde_json::Map<String, Json>,
}

impl Object for Record {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn display(&self) -> String {
        let values = self.fields.iter().map(|(_, value)| {
            String::from_utf8_lossy(&deploy_template::fmt::sprint(std::slice::from_ref(value))).into_owned()
        });
        let pointer = if self.type_name.starts_with('*') { "&" } else { "" };
        format!("{pointer}{{{}}}", values.collect::<Vec<_>>().join(" "))
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.fields
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value.clone())
    }

    fn to_json(&self) -> Json {
        Json::Object(self.json.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
