//! Secret (`pkg/registry/core/secret/strategy.go`, `pkg/apis/core/validation ValidateSecret`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::limits::CONFIG_DATA_MAX_BYTES;
use crate::rules::{GENERIC_RULES, Rules, Selectable};
use crate::{columns, metadata, names, pem, table};

/// The row of Secret.
pub const RULES: Rules = Rules {
    version: "v1",
    kind: "Secret",
    name: names::dns_subdomain_name,
    default,
    validate_create: |object| validate(&Field::root(object)),
    validate_update,
    warnings,
    update_warnings: |new, _| warnings(new),
    columns: columns::SECRET,
    cells: |object, now| {
        let root = Field::root(object);
        vec![
            table::name(object),
            root.get("type").str().into(),
            root.get("data").len().into(),
            table::age(object, now),
        ]
    },
    selectable: &[Selectable {
        name: "type",
        value: |object| Field::root(object).get("type").str().to_owned(),
    }],
    ..GENERIC_RULES
};

/// What `stringData` says is data (`pkg/apis/core/v1/conversion.go Convert_v1_Secret_To_core_Secret`).
fn default(object: &mut Value) {
    object.default_zero("type", "Opaque");
    let Some(Value::Object(texts)) = object.child("stringData").map(Value::take) else {
        return;
    };
    object.unset("stringData");
    if texts.is_empty() {
        return;
    }
    let data = object.ensure("data");
    for (key, text) in texts {
        data.set(&key, STANDARD.encode(text.as_str().unwrap_or_default()));
    }
}

/// Data that a type must have: the type, the key, whether it must be JSON.
const JSON_TYPES: [(&str, &str); 2] = [
    ("kubernetes.io/dockercfg", ".dockercfg"),
    ("kubernetes.io/dockerconfigjson", ".dockerconfigjson"),
];

fn validate(secret: &Field<'_>) -> Findings {
    let mut out = Vec::new();
    let data = secret.get("data");
    let mut total = 0;
    for (key, value) in data.entries() {
        let texts = names::config_map_key(key);
        out.extend(texts.into_iter().map(|text| value.invalid_value(key, text)));
        total += bytes(&value).len();
    }
    if total > CONFIG_DATA_MAX_BYTES {
        out.push(data.too_long(CONFIG_DATA_MAX_BYTES));
    }
    let required = |key: &str, out: &mut Findings| {
        if !data.key(key).exists() {
            out.push(data.key(key).required(""));
        }
    };
    let r#type = secret.get("type").str();
    match r#type {
        "kubernetes.io/service-account-token" => {
            let annotations = secret.get("metadata").get("annotations");
            let account = annotations.key("kubernetes.io/service-account.name");
            if account.is_empty() {
                out.push(account.required(""));
            }
        }
        "kubernetes.io/basic-auth" if !data.key("username").exists() && !data.key("password").exists() => {
            required("username", &mut out);
            required("password", &mut out);
        }
        "kubernetes.io/ssh-auth" if data.key("ssh-privatekey").is_empty() => {
            out.push(data.key("ssh-privatekey").required(""));
        }
        "kubernetes.io/tls" => {
            required("tls.crt", &mut out);
            required("tls.key", &mut out);
        }
        _ => {}
    }
    if let Some((_, key)) = JSON_TYPES.iter().find(|(known, _)| *known == r#type) {
        required(key, &mut out);
        let config = data.key(key);
        if let Some(text) = json_error(&bytes(&config)).filter(|_| config.exists()) {
            out.push(config.invalid_value("<secret contents redacted>", text));
        }
    }
    out
}

fn validate_update(new: &Value, old: &Value) -> Findings {
    let (new, old) = (Field::root(new), Field::root(old));
    let mut out = Vec::new();
    metadata::immutable(&new.get("type"), &old.get("type"), &mut out);
    if old.get("immutable").bool() {
        let detail = "field is immutable when `immutable` is set";
        if !new.get("immutable").bool() {
            out.push(new.get("immutable").forbidden(detail));
        }
        if !new.get("data").same(&old.get("data")) {
            out.push(new.get("data").forbidden(detail));
        }
    }
    let meta = new.get("metadata");
    out.extend(metadata::create_of_kubernetes(
        &meta,
        true,
        names::dns_subdomain_name,
    ));
    out.extend(validate(&new));
    out
}

/// A certificate and a key that cannot be used get a warning.
fn warnings(object: &Value) -> Vec<String> {
    let root = Field::root(object);
    if root.get("type").str() != "kubernetes.io/tls" {
        return Vec::new();
    }
    let data = root.get("data");
    let pair = [bytes(&data.key("tls.crt")), bytes(&data.key("tls.key"))];
    pem::pair_error(&pair[0], &pair[1]).into_iter().collect()
}

fn bytes(value: &Field<'_>) -> Vec<u8> {
    STANDARD.decode(value.str()).unwrap_or_default()
}

/// Why bytes are no JSON object, in the words of Go's decoder.
fn json_error(bytes: &[u8]) -> Option<String> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(_) | Value::Null) => None,
        Ok(other) => {
            let kind = match other {
                Value::Array(_) => "array",
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                _ => "number",
            };
            let target = "Go value of type map[string]interface {}";
            Some(format!("json: cannot unmarshal {kind} into {target}"))
        }
        Err(error) if error.is_eof() => Some("unexpected end of JSON input".to_owned()),
        Err(error) => {
            let text = String::from_utf8_lossy(bytes);
            let line = text
                .lines()
                .nth(error.line().saturating_sub(1))
                .unwrap_or_default();
            let at = line
                .chars()
                .nth(error.column().saturating_sub(1))
                .unwrap_or_default();
            Some(format!("invalid character {at:?} looking for beginning of value"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(object: &Value) -> Vec<String> {
        validate(&Field::root(object))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_type_asks_for_its_keys() {
        for (r#type, expected) in [
            (
                "kubernetes.io/tls",
                vec!["data[tls.crt]: Required value", "data[tls.key]: Required value"],
            ),
            (
                "kubernetes.io/ssh-auth",
                vec!["data[ssh-privatekey]: Required value"],
            ),
            (
                "kubernetes.io/dockerconfigjson",
                vec!["data[.dockerconfigjson]: Required value"],
            ),
            ("Opaque", vec![]),
        ] {
            assert_eq!(texts(&json!({"metadata": {}, "type": r#type})), expected);
        }
        let object = json!({"type": "kubernetes.io/dockercfg", "data": {".dockercfg": "eA=="}});
        assert_eq!(
            texts(&object),
            [
                "data[.dockercfg]: Invalid value: \"<secret contents redacted>\": invalid character 'x' looking for \
              beginning of value"
            ]
        );
    }

    #[test]
    fn string_data_becomes_data() {
        let mut object = json!({"stringData": {"a": "b"}, "data": {"a": "", "c": "ZA=="}});
        default(&mut object);
        assert_eq!(
            object,
            json!({"type": "Opaque", "data": {"a": "Yg==", "c": "ZA=="}})
        );
    }
}
