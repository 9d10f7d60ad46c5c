//! `Chart.yaml`, `requirements.yaml` and the lock files: what helm reads of them, and what it refuses, in its words.

use deploy_yaml::Dialect;
use serde_json::{Map, Value};

use super::version;
use super::{Dependency, Maintainer, Metadata};
use crate::helm::go::quote::{quoted, sanitized};
use crate::helm::values::table::make_floats;

/// A `Chart.yaml` before validation: lists may hold nulls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// What was read; a null entry of a list is an empty one here.
    pub metadata: Metadata,
    /// Which of the maintainers are null.
    pub null_maintainers: Vec<usize>,
    /// Which of the dependencies are null.
    pub null_dependencies: Vec<usize>,
}

/// Why a `Chart.yaml` is no chart's. The text is helm's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("validation: {message}")]
pub struct ValidationError {
    /// helm's text, without its prefix.
    pub message: String,
}

impl ValidationError {
    fn new(message: impl Into<String>) -> ValidationError {
        ValidationError {
            message: message.into(),
        }
    }
}

/// Why a document has not the shape that helm reads it into. The text is that of sigs.k8s.io/yaml.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DecodeError {
    /// It is no YAML, or YAML that JSON cannot say.
    #[error("error converting YAML to JSON: {0}")]
    Yaml(deploy_yaml::Error),
    /// A value is of another type than the field.
    #[error(
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go {place} of type {wanted}"
    )]
    Type {
        /// The JSON type that stands there.
        found: &'static str,
        /// `value`, or `struct field TYPE.path`.
        place: String,
        /// The Go type that was wanted.
        wanted: &'static str,
    },
}

/// Reads only `apiVersion`, as helm does before anything else. `None` stands for an absent one.
pub fn api_version(source: &[u8]) -> Result<Option<String>, DecodeError> {
    let json = to_json(source)?;
    let at = Place::root("chartBase", "loader.chartBase");
    let mut version = None;
    for (key, value) in at.object(&json)?.into_iter().flatten() {
        if key.eq_ignore_ascii_case("apiVersion") && !value.is_null() {
            version = Some(at.field("apiVersion").string(value)?);
        }
    }
    Ok(version.filter(|v| !v.is_empty()))
}

impl Draft {
    /// Reads a `Chart.yaml`.
    pub fn parse(source: &[u8]) -> Result<Draft, DecodeError> {
        let mut draft = Draft::default();
        draft.read(source)?;
        Ok(draft)
    }

    /// Reads a further document over what is there: `requirements.yaml` over `Chart.yaml`.
    pub fn read(&mut self, source: &[u8]) -> Result<(), DecodeError> {
        let json = to_json(source)?;
        let at = Place::root("Metadata", "v2.Metadata");
        for (key, value) in at.object(&json)?.into_iter().flatten() {
            if !value.is_null() {
                self.read_field(&at, key, value)?;
            } else if key.eq_ignore_ascii_case("dependencies") {
                self.metadata.dependencies.clear();
                self.metadata.lists_dependencies = false;
            }
        }
        Ok(())
    }

    fn read_field(&mut self, at: &Place, key: &str, value: &Value) -> Result<(), DecodeError> {
        let m = &mut self.metadata;
        match key.to_ascii_lowercase().as_str() {
            "name" => m.name = at.field("name").string(value)?,
            "home" => m.home = at.field("home").string(value)?,
            "sources" => m.sources = at.field("sources").strings(value)?,
            "version" => m.version = at.field("version").string(value)?,
            "description" => m.description = at.field("description").string(value)?,
            "keywords" => m.keywords = at.field("keywords").strings(value)?,
            "icon" => m.icon = at.field("icon").string(value)?,
            "apiversion" => m.api_version = at.field("apiVersion").string(value)?,
            "condition" => m.condition = at.field("condition").string(value)?,
            "tags" => m.tags = at.field("tags").string(value)?,
            "appversion" => m.app_version = at.field("appVersion").string(value)?,
            "deprecated" => m.deprecated = at.field("deprecated").boolean(value)?,
            "kubeversion" => m.kube_version = at.field("kubeVersion").string(value)?,
            "type" => m.chart_type = at.field("type").string(value)?,
            "annotations" => m.annotations = at.field("annotations").string_map(value)?,
            "maintainers" => {
                let at = at.field("maintainers");
                (m.maintainers, self.null_maintainers) = at.structs(
                    value,
                    "[]*v2.Maintainer",
                    "v2.Maintainer",
                    "Maintainer",
                    read_maintainer,
                )?;
            }
            "dependencies" => {
                (m.dependencies, self.null_dependencies) =
                    read_dependencies(&at.field("dependencies"), value)?;
                m.lists_dependencies = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// The metadata, cleaned of unprintable characters, if helm accepts them.
    pub fn validated(self) -> Result<Metadata, ValidationError> {
        let mut m = self.metadata;
        for text in [
            &mut m.name,
            &mut m.description,
            &mut m.home,
            &mut m.icon,
            &mut m.condition,
            &mut m.tags,
            &mut m.app_version,
            &mut m.kube_version,
        ]
        .into_iter()
        .chain(&mut m.sources)
        .chain(&mut m.keywords)
        {
            clean(text);
        }
        check_identity(&m)?;
        if !self.null_maintainers.is_empty() {
            return Err(ValidationError::new(
                "maintainers must not contain empty or null nodes",
            ));
        }
        for maintainer in &mut m.maintainers {
            for text in [&mut maintainer.name, &mut maintainer.email, &mut maintainer.url] {
                clean(text);
            }
        }
        check_dependencies(&mut m.dependencies, &self.null_dependencies)?;
        Ok(m)
    }
}

/// The dependencies of a `Chart.lock` or `requirements.lock`.
pub fn parse_lock(source: &[u8]) -> Result<Vec<Dependency>, DecodeError> {
    let json = to_json(source)?;
    let at = Place::root("Lock", "v2.Lock");
    let mut dependencies = Vec::new();
    for (key, value) in at.object(&json)?.into_iter().flatten() {
        match key.to_ascii_lowercase().as_str() {
            "digest" if !value.is_null() => {
                at.field("digest").string(value)?;
            }
            "dependencies" if !value.is_null() => {
                (dependencies, _) = read_dependencies(&at.field("dependencies"), value)?;
            }
            _ => {}
        }
    }
    Ok(dependencies)
}

/// A float as Go's `strconv.FormatFloat(f, 'g', -1, 32)` writes it: how a number becomes the text of a string field.
pub fn float32_text(number: f64) -> String {
    #[allow(clippy::cast_possible_truncation, reason = "Go's call asks for 32 bits")]
    let number = number as f32;
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{number}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn to_json(source: &[u8]) -> Result<Value, DecodeError> {
    deploy_yaml::to_json(source, Dialect::GoYaml11).map_err(DecodeError::Yaml)
}

fn clean(text: &mut String) {
    if !text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        *text = sanitized(text);
    }
}

fn check_identity(m: &Metadata) -> Result<(), ValidationError> {
    let error = |text: String| Err(ValidationError::new(text));
    if m.api_version.is_empty() {
        return error("chart.metadata.apiVersion is required".to_owned());
    }
    if m.name.is_empty() {
        return error("chart.metadata.name is required".to_owned());
    }
    if m.name == "." || m.name == ".." {
        return error(format!("chart.metadata.name {} is not allowed", quoted(&m.name)));
    }
    if m.name.contains('/') && m.name != "/" {
        return error(format!("chart.metadata.name {} is invalid", quoted(&m.name)));
    }
    if m.version.is_empty() {
        return error("chart.metadata.version is required".to_owned());
    }
    if !version::is_version(&m.version) {
        return error(format!(
            "chart.metadata.version {} is invalid",
            quoted(&m.version)
        ));
    }
    if !matches!(m.chart_type.as_str(), "" | "application" | "library") {
        return error("chart.metadata.type must be application or library".to_owned());
    }
    Ok(())
}

fn check_dependencies(dependencies: &mut [Dependency], nulls: &[usize]) -> Result<(), ValidationError> {
    let mut seen = std::collections::BTreeSet::new();
    for (index, dependency) in dependencies.iter_mut().enumerate() {
        if nulls.contains(&index) {
            return Err(ValidationError::new(
                "dependencies must not contain empty or null nodes",
            ));
        }
        for text in [
            &mut dependency.name,
            &mut dependency.version,
            &mut dependency.repository,
            &mut dependency.condition,
        ]
        .into_iter()
        .chain(&mut dependency.tags)
        {
            clean(text);
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if !dependency.alias.bytes().all(allowed) {
            return Err(ValidationError::new(format!(
                "dependency {} has disallowed characters in the alias",
                quoted(&dependency.name)
            )));
        }
        let key = if dependency.alias.is_empty() {
            &dependency.name
        } else {
            &dependency.alias
        };
        if !seen.insert(key.clone()) {
            return Err(ValidationError::new(format!(
                "more than one dependency with name or alias {}",
                quoted(key)
            )));
        }
    }
    Ok(())
}

fn read_maintainer(at: &Place, entries: &Map<String, Value>) -> Result<Maintainer, DecodeError> {
    let mut maintainer = Maintainer::default();
    for (key, value) in entries.iter().filter(|(_, v)| !v.is_null()) {
        match key.to_ascii_lowercase().as_str() {
            "name" => maintainer.name = at.field("name").string(value)?,
            "email" => maintainer.email = at.field("email").string(value)?,
            "url" => maintainer.url = at.field("url").string(value)?,
            _ => {}
        }
    }
    Ok(maintainer)
}

fn read_dependencies(at: &Place, value: &Value) -> Result<(Vec<Dependency>, Vec<usize>), DecodeError> {
    at.structs(
        value,
        "[]*v2.Dependency",
        "v2.Dependency",
        "Dependency",
        read_dependency,
    )
}

fn read_dependency(at: &Place, entries: &Map<String, Value>) -> Result<Dependency, DecodeError> {
    let mut dependency = Dependency::default();
    for (key, value) in entries.iter().filter(|(_, v)| !v.is_null()) {
        match key.to_ascii_lowercase().as_str() {
            "name" => dependency.name = at.field("name").string(value)?,
            "version" => dependency.version = at.field("version").string(value)?,
            "repository" => dependency.repository = at.field("repository").string(value)?,
            "condition" => dependency.condition = at.field("condition").string(value)?,
            "tags" => dependency.tags = at.field("tags").strings(value)?,
            "enabled" => dependency.enabled = at.field("enabled").boolean(value)?,
            "alias" => dependency.alias = at.field("alias").string(value)?,
            "import-values" => {
                let at = at.field("import-values");
                dependency.import_values = at.items(value, "[]interface {}")?.to_vec();
                dependency.import_values.iter_mut().for_each(make_floats);
            }
            _ => {}
        }
    }
    Ok(dependency)
}

/// Where a value stands, for the texts of Go's `encoding/json`: the struct nearest to it, and the path from the root.
struct Place {
    type_name: &'static str,
    go_type: &'static str,
    path: String,
}

impl Place {
    fn root(type_name: &'static str, go_type: &'static str) -> Place {
        Place {
            type_name,
            go_type,
            path: String::new(),
        }
    }

    fn field(&self, name: &str) -> Place {
        let path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        };
        Place { path, ..*self }
    }

    fn mismatch(&self, value: &Value, wanted: &'static str) -> DecodeError {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let place = if self.path.is_empty() {
            "value".to_owned()
        } else {
            format!("struct field {}.{}", self.type_name, self.path)
        };
        DecodeError::Type { found, place, wanted }
    }

    fn object<'v>(&self, value: &'v Value) -> Result<Option<&'v Map<String, Value>>, DecodeError> {
        match value {
            Value::Null => Ok(None),
            Value::Object(entries) => Ok(Some(entries)),
            other => Err(self.mismatch(other, self.go_type)),
        }
    }

    /// A string field takes plain numbers and booleans too.
    fn string(&self, value: &Value) -> Result<String, DecodeError> {
        match value {
            Value::Null => Ok(String::new()),
            Value::String(s) => Ok(s.clone()),
            Value::Bool(b) => Ok(b.to_string()),
            Value::Number(n) => Ok(match n.as_f64() {
                Some(f) if n.is_f64() => float32_text(f),
                _ => n.to_string(),
            }),
            other => Err(self.mismatch(other, "string")),
        }
    }

    fn boolean(&self, value: &Value) -> Result<bool, DecodeError> {
        match value {
            Value::Bool(b) => Ok(*b),
            other => Err(self.mismatch(other, "bool")),
        }
    }

    fn items<'v>(&self, value: &'v Value, wanted: &'static str) -> Result<&'v [Value], DecodeError> {
        match value {
            Value::Array(items) => Ok(items),
            other => Err(self.mismatch(other, wanted)),
        }
    }

    fn strings(&self, value: &Value) -> Result<Vec<String>, DecodeError> {
        let items = self.items(value, "[]string")?;
        items.iter().map(|item| self.string(item)).collect()
    }

    fn string_map(&self, value: &Value) -> Result<Vec<(String, String)>, DecodeError> {
        let Value::Object(entries) = value else {
            return Err(self.mismatch(value, "map[string]string"));
        };
        entries
            .iter()
            .map(|(key, value)| Ok((key.clone(), self.string(value)?)))
            .collect()
    }

    /// A list of structs, and the indexes of its nulls.
    fn structs<T: Default>(
        &self,
        value: &Value,
        list_type: &'static str,
        item_type: &'static str,
        struct_name: &'static str,
        read: fn(&Place, &Map<String, Value>) -> Result<T, DecodeError>,
    ) -> Result<(Vec<T>, Vec<usize>), DecodeError> {
        let mut items = Vec::new();
        let mut nulls = Vec::new();
        for (index, value) in self.items(value, list_type)?.iter().enumerate() {
            match value {
                Value::Null => {
                    nulls.push(index);
                    items.push(T::default());
                }
                Value::Object(entries) => {
                    let at = Place {
                        type_name: struct_name,
                        go_type: item_type,
                        path: self.path.clone(),
                    };
                    items.push(read(&at, entries)?);
                }
                other => return Err(self.mismatch(other, item_type)),
            }
        }
        Ok((items, nulls))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_become_text_as_in_go() {
        for (number, text) in [
            (1.1, "1.1"),
            (1000.0, "1000"),
            (123_456.7, "123456.7"),
            (1e6, "1e+06"),
            (1e20, "1e+20"),
            (1.123_456_789, "1.1234568"),
            (1e-5, "1e-05"),
        ] {
            assert_eq!(float32_text(number), text);
        }
    }

    #[test]
    fn type_errors_name_the_innermost_struct() {
        for (source, text) in [
            (
                "name: [a]",
                "json: cannot unmarshal array into Go struct field Metadata.name of type string",
            ),
            (
                "dependencies:\n- name: {}",
                "json: cannot unmarshal object into Go struct field Dependency.dependencies.name of type string",
            ),
            (
                "dependencies: [x]",
                "json: cannot unmarshal string into Go struct field Metadata.dependencies of type v2.Dependency",
            ),
            (
                "annotations: {a: [1]}",
                "json: cannot unmarshal array into Go struct field Metadata.annotations of type string",
            ),
        ] {
            let error = Draft::parse(source.as_bytes()).expect_err(source).to_string();
            assert!(error.ends_with(text), "{error}");
        }
    }

    #[test]
    fn numbers_and_booleans_become_text() {
        let source = b"apiVersion: v2\nNAME: a\nversion: 1.10\nappVersion: 1e3\nkeywords: [1, true, null]\n";
        let m = Draft::parse(source)
            .expect("it is YAML")
            .validated()
            .expect("it is complete");
        assert_eq!(
            (m.name.as_str(), m.version.as_str(), m.app_version.as_str()),
            ("a", "1.1", "1000")
        );
        assert_eq!(m.keywords, ["1", "true", ""]);
    }

    #[test]
    fn what_helm_refuses() {
        for (source, text) in [
            ("", "validation: chart.metadata.apiVersion is required"),
            ("apiVersion: v2", "validation: chart.metadata.name is required"),
            (
                "apiVersion: v2\nname: ..",
                "validation: chart.metadata.name \"..\" is not allowed",
            ),
            (
                "apiVersion: v2\nname: a/b",
                "validation: chart.metadata.name \"a/b\" is invalid",
            ),
            (
                "apiVersion: v2\nname: a",
                "validation: chart.metadata.version is required",
            ),
            (
                "apiVersion: v2\nname: a\nversion: x",
                "validation: chart.metadata.version \"x\" is invalid",
            ),
            (
                "apiVersion: v2\nname: a\nversion: 1\ntype: foo",
                "validation: chart.metadata.type must be application or library",
            ),
            (
                "apiVersion: v2\nname: a\nversion: 1\ndependencies: [null]",
                "validation: dependencies must not contain empty or null nodes",
            ),
            (
                "apiVersion: v2\nname: a\nversion: 1\ndependencies: [{name: b, alias: c d}]",
                "validation: dependency \"b\" has disallowed characters in the alias",
            ),
            (
                "apiVersion: v2\nname: a\nversion: 1\ndependencies: [{name: b}, {name: c, alias: b}]",
                "validation: more than one dependency with name or alias \"b\"",
            ),
        ] {
            let draft = Draft::parse(source.as_bytes()).expect("it is YAML");
            assert_eq!(draft.validated().expect_err(source).to_string(), text);
        }
    }
}
