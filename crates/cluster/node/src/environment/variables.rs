//! The environment variables of a container (`kubelet_pods.go makeEnvironmentVariables`).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::lookups::Lookups;
use super::{Addresses, ConfigError, expansion, fields, links};

/// Where programs are looked for when neither image nor pod say so.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the pod says: `envFrom`, then `env` in its order, which may refer to what stands before it and to the variables of
/// services, then the services.
///
/// # Errors
/// An object or a key that is missing and not optional, in upstream's words.
pub fn resolve(
    pod: &Value,
    container: &Value,
    addresses: &Addresses,
    lookups: &dyn Lookups,
) -> Result<Vec<(String, String)>, ConfigError> {
    let services = links::variables(pod, lookups);
    let mut variables = Variables::default();
    for source in list(&container["envFrom"]) {
        let prefix = source["prefix"].as_str().unwrap_or_default();
        for (key, value) in whole(pod, source, lookups)? {
            variables.set(&format!("{prefix}{key}"), value);
        }
    }
    let look = Look {
        pod,
        container,
        addresses,
        lookups,
    };
    for variable in list(&container["env"]) {
        let plain = variable["value"].as_str().unwrap_or_default();
        let value = if !plain.is_empty() {
            let known = |name: &str| variables.get(name).or_else(|| services.get(name)).cloned();
            Some(expansion::expand(plain, &known))
        } else if variable["valueFrom"].is_object() {
            look.value_from(&variable["valueFrom"])?
        } else {
            Some(String::new())
        };
        if let Some(value) = value {
            variables.set(text(&variable["name"]), value);
        }
    }
    for (name, value) in services {
        if variables.get(&name).is_none() {
            variables.set(&name, value);
        }
    }
    Ok(variables.into_list())
}

/// The whole environment of a process: where programs are, the host's name, what the image says and what the pod says, the
/// later winning, as containerd puts it together.
pub fn assemble(
    image: &[String],
    hostname: &str,
    tty: bool,
    pod: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let mut variables = Variables::default();
    variables.set("PATH", DEFAULT_PATH.to_owned());
    variables.set("HOSTNAME", hostname.to_owned());
    if tty {
        variables.set("TERM", "xterm".to_owned());
    }
    for pair in image {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        variables.set(name, value.to_owned());
    }
    for (name, value) in pod {
        variables.set(&name, value);
    }
    variables.into_list()
}

/// Variables in the order in which they were first named.
#[derive(Default)]
struct Variables {
    names: Vec<String>,
    values: BTreeMap<String, String>,
}

impl Variables {
    fn set(&mut self, name: &str, value: String) {
        if self.values.insert(name.to_owned(), value).is_none() {
            self.names.push(name.to_owned());
        }
    }

    fn get(&self, name: &str) -> Option<&String> {
        self.values.get(name)
    }

    fn into_list(mut self) -> Vec<(String, String)> {
        let values = &mut self.values;
        self.names
            .into_iter()
            .filter_map(|name| values.remove_entry(&name))
            .collect()
    }
}

struct Look<'a> {
    pod: &'a Value,
    container: &'a Value,
    addresses: &'a Addresses,
    lookups: &'a dyn Lookups,
}

impl Look<'_> {
    /// `None`: optional, and not there.
    fn value_from(&self, source: &Value) -> Result<Option<String>, ConfigError> {
        if let Some(path) = source["fieldRef"]["fieldPath"].as_str() {
            return fields::in_environment(path, self.pod, self.addresses).map(Some);
        }
        if source["resourceFieldRef"].is_object() {
            let node = self
                .lookups
                .node()
                .ok_or_else(|| ConfigError("failed to find node object, expected a node".to_owned()))?;
            let allocatable = &node["status"]["allocatable"];
            let reference = &source["resourceFieldRef"];
            return fields::resource_in_environment(reference, self.pod, self.container, allocatable)
                .map(Some);
        }
        if source["configMapKeyRef"].is_object() {
            return self.key(&source["configMapKeyRef"], "ConfigMap");
        }
        if source["secretKeyRef"].is_object() {
            return self.key(&source["secretKeyRef"], "Secret");
        }
        if source["fileKeyRef"].is_object() {
            return Err(ConfigError(
                "environment variables from files are not supported".to_owned(),
            ));
        }
        Ok(Some(String::new()))
    }

    fn key(&self, reference: &Value, kind: &str) -> Result<Option<String>, ConfigError> {
        let (namespace, name) = (text(&self.pod["metadata"]["namespace"]), text(&reference["name"]));
        let key = text(&reference["key"]);
        let optional = reference["optional"] == true;
        let Some(pairs) = found(namespace, name, kind, optional, self.lookups)? else {
            return Ok(None);
        };
        match pairs.into_iter().find(|(known, _)| known == key) {
            Some((_, value)) => Ok(Some(value)),
            None if optional => Ok(None),
            None => Err(ConfigError(format!(
                "couldn't find key {key} in {kind} {namespace}/{name}"
            ))),
        }
    }
}

/// All of a ConfigMap or a Secret, for `envFrom`.
fn whole(pod: &Value, source: &Value, lookups: &dyn Lookups) -> Result<Vec<(String, String)>, ConfigError> {
    let namespace = text(&pod["metadata"]["namespace"]);
    for (field, kind) in [("configMapRef", "ConfigMap"), ("secretRef", "Secret")] {
        let reference = &source[field];
        if reference.is_object() {
            let optional = reference["optional"] == true;
            let pairs = found(namespace, text(&reference["name"]), kind, optional, lookups)?;
            return Ok(pairs.unwrap_or_default());
        }
    }
    Ok(Vec::new())
}

/// The text of an object by key; `None` where it is optional and not there.
fn found(
    namespace: &str,
    name: &str,
    kind: &str,
    optional: bool,
    lookups: &dyn Lookups,
) -> Result<Option<Vec<(String, String)>>, ConfigError> {
    let is_secret = kind == "Secret";
    let object = if is_secret {
        lookups.secret(namespace, name)
    } else {
        lookups.config_map(namespace, name)
    };
    let Some(object) = object else {
        let missing = ConfigError(format!("{} {name:?} not found", kind.to_lowercase()));
        return if optional { Ok(None) } else { Err(missing) };
    };
    let pairs = object["data"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            let value = text(value);
            let value = if is_secret {
                // A variable is text: bytes that are none become the replacement character.
                String::from_utf8_lossy(&STANDARD.decode(value).unwrap_or_default()).into_owned()
            } else {
                value.to_owned()
            };
            (key.clone(), value)
        });
    Ok(Some(pairs.collect()))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::lookups::memory::Memory;
    use super::*;
    use serde_json::json;

    fn world() -> Memory {
        Memory::of([
            json!({"kind": "ConfigMap", "metadata": {"namespace": "shop", "name": "settings"},
                   "data": {"MODE": "fast", "not-a-name": "x"}, "binaryData": {"BIN": "AAE="}}),
            json!({"kind": "Secret", "metadata": {"namespace": "shop", "name": "keys"},
                   "data": {"TOKEN": "czNjcmV0", "MODE": "aGlkZGVu"}}),
            json!({"kind": "Service", "metadata": {"namespace": "default", "name": "kubernetes"},
                   "spec": {"clusterIP": "10.96.0.1", "ports": [{"port": 443}]}}),
            json!({"kind": "Node", "metadata": {"name": "n1"}, "status": {"allocatable": {"memory": "2Gi"}}}),
        ])
    }

    /// The environment of a container that asks for no services.
    fn environment(container: &Value) -> Result<Vec<(String, String)>, String> {
        let pod =
            json!({"metadata": {"namespace": "shop", "name": "web"}, "spec": {"enableServiceLinks": false}});
        let addresses = Addresses {
            pod: vec![[10, 1, 0, 5].into()],
            host: Vec::new(),
        };
        let all = resolve(&pod, container, &addresses, &world()).map_err(|error| error.to_string())?;
        Ok(all
            .into_iter()
            .filter(|(name, _)| !name.starts_with("KUBERNETES_"))
            .collect())
    }

    fn check(container: &Value, expected: &[(&str, &str)]) {
        let found = environment(container).expect("everything is there");
        let found: Vec<(&str, &str)> = found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(found, expected, "{container}");
    }

    #[test]
    fn variables_are_resolved_in_order() {
        check(
            &json!({"env": [
                {"name": "A", "value": "1"},
                {"name": "B", "value": "$(A)-$(C)-$$(A)"},
                {"name": "C", "value": "3"},
                {"name": "D", "value": "$(C)$(KUBERNETES_SERVICE_HOST)"},
                {"name": "A", "value": "again $(A)"},
                {"name": "E"},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
            ]}),
            &[
                ("A", "again 1"),
                ("B", "1-$(C)-$(A)"),
                ("C", "3"),
                ("D", "310.96.0.1"),
                ("E", ""),
                ("IP", "10.1.0.5"),
                ("MEM", "2048"),
            ],
        );
    }

    #[test]
    fn whole_objects_come_first_and_the_later_wins() {
        check(
            &json!({
                "envFrom": [
                    {"configMapRef": {"name": "settings"}},
                    {"prefix": "S_", "secretRef": {"name": "keys"}},
                    {"secretRef": {"name": "none", "optional": true}},
                ],
                "env": [
                    {"name": "MODE", "value": "slow, not $(MODE)"},
                    {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "TOKEN"}}},
                    {"name": "LEFT_OUT", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "x", "optional": true}}},
                    {"name": "OUT_TOO", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "x", "optional": true}}},
                ],
            }),
            &[
                ("MODE", "slow, not fast"),
                ("not-a-name", "x"),
                ("S_MODE", "hidden"),
                ("S_TOKEN", "s3cret"),
                ("KEY", "s3cret"),
            ],
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let from = |source: Value| json!({"env": [{"name": "A", "valueFrom": source}]});
        let cases = [
            (
                from(json!({"configMapKeyRef": {"name": "x", "key": "k"}})),
                "configmap \"x\" not found",
            ),
            (
                from(json!({"secretKeyRef": {"name": "x", "key": "k"}})),
                "secret \"x\" not found",
            ),
            (
                from(json!({"configMapKeyRef": {"name": "settings", "key": "k"}})),
                "couldn't find key k in ConfigMap shop/settings",
            ),
            (
                from(json!({"configMapKeyRef": {"name": "settings", "key": "BIN"}})),
                "couldn't find key BIN in ConfigMap shop/settings",
            ),
            (
                from(json!({"secretKeyRef": {"name": "keys", "key": "k"}})),
                "couldn't find key k in Secret shop/keys",
            ),
            (
                json!({"envFrom": [{"configMapRef": {"name": "x"}}]}),
                "configmap \"x\" not found",
            ),
        ];
        for (container, expected) in cases {
            assert_eq!(environment(&container), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_process_hears_image_and_pod() {
        let image = ["PATH=/app".to_owned(), "LANG=C".to_owned(), "ODD".to_owned()];
        let pod = vec![
            ("LANG".to_owned(), "en".to_owned()),
            ("A".to_owned(), "1".to_owned()),
        ];
        let all = assemble(&image, "web-0", true, pod);
        let all: Vec<String> = all
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            all,
            [
                "PATH=/app",
                "HOSTNAME=web-0",
                "TERM=xterm",
                "LANG=en",
                "ODD=",
                "A=1"
            ]
        );
        assert_eq!(assemble(&[], "h", false, Vec::new())[0].1, DEFAULT_PATH);
    }
}
