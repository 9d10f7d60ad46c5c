//! `crds`: OpenAPI definitions whose extensions say which fields of custom resources hold annotations, labels and names.

use serde_json::{Map, Value};

use super::config::{self, BackReference, Config, field_spec};
use super::error::{Context, Error, Result};
use super::limits::MAX_CRD_DEPTH;
use super::resid::Gvk;

/// What one file adds to the tables.
pub(super) fn load(content: &[u8], path: &str) -> Result<Config> {
    let parse_error = |error: String| {
        Error::invalid(error).context(format!("unable to parse open API definition from '{path}'"))
    };
    let value: Value = if content.first() == Some(&b'{') {
        serde_json::from_slice(content).map_err(|error| parse_error(error.to_string()))?
    } else {
        deploy_yaml::to_json(content, deploy_yaml::Dialect::GoYaml11)
            .map_err(|error| parse_error(error.to_string()))?
    };
    let types = value.as_object().cloned().unwrap_or_default();
    let mut result = Config::default();
    for name in types.keys() {
        let Some(properties) = properties(&types, name) else {
            continue;
        };
        let is_object = ["kind", "apiVersion", "metadata"]
            .iter()
            .all(|field| properties.contains_key(*field));
        if is_object {
            let mut walk = Walk {
                types: &types,
                kind: name.rsplit('.').next().unwrap_or_default(),
                config: Config::default(),
            };
            walk.fields(name, &mut Vec::new())?;
            result = result.merged(&walk.config).context(|| "merging CRDs")?;
        }
    }
    Ok(result)
}

fn properties<'t>(types: &'t Map<String, Value>, name: &str) -> Option<&'t Map<String, Value>> {
    let definition = types.get(name)?.as_object()?;
    let (_, schema) = definition
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case("schema"))?;
    schema.get("properties")?.as_object()
}

struct Walk<'t> {
    types: &'t Map<String, Value>,
    kind: &'t str,
    config: Config,
}

impl Walk<'_> {
    fn fields(&mut self, type_name: &str, path: &mut Vec<String>) -> Result<()> {
        let types = self.types;
        let Some(properties) = properties(types, type_name) else {
            return Ok(());
        };
        if path.len() > MAX_CRD_DEPTH {
            return Err(Error::invalid(format!("the type '{type_name}' contains itself")));
        }
        for (name, property) in properties {
            path.push(name.clone());
            self.field(property, path)?;
            if let Some(reference) = property.get("$ref").and_then(Value::as_str) {
                self.fields(reference, path)?;
            }
            path.pop();
        }
        Ok(())
    }

    fn field(&mut self, property: &Value, path: &[String]) -> Result<()> {
        let extension = |name: &str| {
            property
                .get(format!("x-kubernetes-{name}"))
                .and_then(Value::as_str)
        };
        let here = field_spec("", "", self.kind, &path.join("/"), false);
        if extension("annotation").is_some() {
            config::merge_one(&mut self.config.common_annotations, &here)?;
        }
        if extension("label-selector").is_some() {
            config::merge_one(&mut self.config.common_labels, &here)?;
        }
        if extension("identity").is_some() {
            config::merge_one(&mut self.config.name_prefix, &here)?;
        }
        let target = extension("object-ref-api-version").zip(extension("object-ref-kind"));
        if let Some((version, kind)) = target {
            let key = extension("object-ref-name-key").unwrap_or("name");
            let reference = BackReference {
                target: Gvk {
                    group: String::new(),
                    version: version.to_owned(),
                    kind: kind.to_owned(),
                },
                referrers: vec![field_spec(
                    "",
                    "",
                    self.kind,
                    &format!("{}/{key}", path.join("/")),
                    false,
                )],
            };
            config::merge_reference(&mut self.config.name_reference, &reference)?;
        }
        Ok(())
    }
}
