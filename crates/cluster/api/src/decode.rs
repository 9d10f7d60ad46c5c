//! A body to an object: parsed, typed, without unknown fields, with defaults.

use deploy_cluster_schema::decode::{self, Node};
use deploy_cluster_schema::registry::{GroupVersionKind, Registry};
use deploy_yaml::Dialect;
use serde_json::Value;

use crate::custom;
use crate::negotiate::BodyFormat;
use crate::options::FieldValidation;
use crate::protobuf;
use crate::scope::Scope;
use crate::status::StatusError;

/// What a body is read as.
pub(crate) struct Expected<'a> {
    pub scope: &'a Scope,
    /// The kind that the endpoint takes.
    pub kind: &'a GroupVersionKind,
    pub format: BodyFormat,
    pub validation: FieldValidation,
}

/// Reads a body as an object of the expected kind, in the version of the request, with defaults.
pub(crate) fn object(
    expected: &Expected<'_>,
    body: &[u8],
    warnings: &mut Vec<String>,
) -> Result<Value, StatusError> {
    let yaml;
    let mut strict = Vec::new();
    let parsed = match expected.format {
        BodyFormat::Json => decode::parse(body)
            .map_err(|error| format!("couldn't get version/kind; json parse error: {error}")),
        BodyFormat::Yaml => match deploy_yaml::to_json(body, Dialect::GoYaml11) {
            Err(error) => Err(error.to_string()),
            Ok(value) => {
                strict.extend(yaml_duplicates(body));
                yaml = value;
                Ok(Node::from(yaml))
            }
        },
        BodyFormat::Protobuf => {
            protobuf::to_json(&expected.scope.registry, expected.kind, body).map(Node::from)
        }
    };
    let unrecognized = |why: String| {
        let kind = &expected.kind.kind;
        let shown = summary(body);
        StatusError::bad_request(match expected.format {
            // YAML that is none has no type, and upstream says no more of it.
            _ if why.is_empty() => format!("the object provided is unrecognized (must be of type {kind})"),
            _ => format!("the object provided is unrecognized (must be of type {kind}): {why} ({shown})"),
        })
    };
    let node = parsed.map_err(unrecognized)?;
    let (api_version, kind) = decode::type_meta(&node).map_err(unrecognized)?;
    let found = found_kind(expected.kind, &api_version, &kind).map_err(unrecognized)?;
    if let Some(custom) = expected
        .scope
        .resource
        .custom
        .as_ref()
        .filter(|_| *expected.kind == expected.scope.served)
    {
        return custom::read(
            expected.scope,
            custom,
            &found,
            node,
            strict,
            expected.validation,
            warnings,
        );
    }
    let mut object = typed(expected, &found, node, strict, warnings)?;
    object["kind"] = (*expected.kind.kind).into();
    object["apiVersion"] = expected.kind.api_version().into();
    if *expected.kind == expected.scope.served {
        (expected.scope.served_rules.default)(&mut object);
    }
    Ok(object)
}

/// The kind that an object says it is; what it leaves out is what was expected (`json.go gvkWithDefaults`).
pub(crate) fn found_kind(
    expected: &GroupVersionKind,
    api_version: &str,
    kind: &str,
) -> Result<GroupVersionKind, String> {
    let kind = if kind.is_empty() { &*expected.kind } else { kind };
    if api_version.is_empty() {
        return Ok(GroupVersionKind::new(&expected.group, &expected.version, kind));
    }
    GroupVersionKind::parse(api_version, kind)
        .ok_or_else(|| format!("unexpected GroupVersion string: {api_version}"))
}

fn typed(
    expected: &Expected<'_>,
    found: &GroupVersionKind,
    node: Node<'_>,
    mut strict: Vec<String>,
    warnings: &mut Vec<String>,
) -> Result<Value, StatusError> {
    let refused = |why: &str| {
        StatusError::bad_request(format!(
            "{} in version {:?} cannot be handled as a {}: {why}",
            found.kind, &*found.version, expected.kind.kind
        ))
    };
    let registry = &expected.scope.registry;
    let decoded = as_found(registry, found, node).map_err(|why| refused(&why))?;
    strict.extend(decoded.strict);
    if !strict.is_empty() {
        match expected.validation {
            FieldValidation::Ignore => {}
            FieldValidation::Warn => warnings.extend(strict.iter().flat_map(|text| told(text))),
            FieldValidation::Strict => {
                return Err(refused(&format!("strict decoding error: {}", strict.join(", "))));
            }
        }
    }
    if let Some(why) = inconvertible(registry, found, expected.kind) {
        return Err(refused(&why));
    }
    if found != expected.kind {
        return Err(StatusError::bad_request(format!(
            "the API version in the data ({}) does not match the expected API version ({})",
            found.api_version(),
            expected.kind.api_version()
        )));
    }
    Ok(decoded.value)
}

/// Reads an object as the kind that it says it is. An error is what upstream's decoder says.
pub(crate) fn as_found(
    registry: &Registry,
    found: &GroupVersionKind,
    node: Node<'_>,
) -> Result<decode::Decoded, String> {
    let (schema, id) = registry.types(found).ok_or_else(|| {
        let version = found.api_version();
        format!(
            "no kind \"{}\" is registered for version \"{version}\" in scheme \"pkg/runtime/scheme.go:110\"",
            found.kind
        )
    })?;
    let reset = resets_managers(&node);
    let mut decoded = decode::sent(schema, id, node)?;
    if reset {
        decoded.value["metadata"]["managedFields"] = Value::Array(Vec::new());
    }
    Ok(decoded)
}

/// Why an object of one kind cannot become one of another; none for versions of one kind.
pub(crate) fn inconvertible(
    registry: &Registry,
    found: &GroupVersionKind,
    wanted: &GroupVersionKind,
) -> Option<String> {
    let other = found.kind != wanted.kind || !same_family(registry, found, wanted);
    other.then(|| {
        format!(
            "converting ({}.{}) to ({}.{}): unknown conversion",
            found.version,
            found.kind,
            crate::answer::go_package(&wanted.group),
            wanted.kind
        )
    })
}

/// An empty list of managedFields means that all managers be forgotten; decoding would drop it as it drops all that is
/// empty.
pub(crate) fn resets_managers(node: &Node<'_>) -> bool {
    let field = |node: &Node<'_>, wanted: &str, then: &dyn Fn(&Node<'_>) -> bool| match node {
        Node::Object(fields) => fields.iter().any(|(name, value)| name == wanted && then(value)),
        _ => false,
    };
    field(node, "metadata", &|metadata| {
        field(
            metadata,
            "managedFields",
            &|entries| matches!(entries, Node::List(items) if items.is_empty()),
        )
    })
}

/// Versions of one kind can be converted into each other.
fn same_family(registry: &Registry, a: &GroupVersionKind, b: &GroupVersionKind) -> bool {
    let home = |kind: &GroupVersionKind| registry.kind(kind).map(|resource| resource.stored_as.clone());
    a.group == b.group || home(a) == home(b)
}

/// What upstream's second, strict reading of YAML says: duplicate keys, one text for all.
fn yaml_duplicates(body: &[u8]) -> Option<String> {
    let error = deploy_yaml::to_json_strict(body, Dialect::GoYaml11).err()?;
    Some(error.to_string())
}

/// One warning for each line of what a YAML reader says, any other text as it is
/// (`endpoints/handlers/rest.go parseYAMLWarnings`).
pub(crate) fn told(text: &str) -> Vec<String> {
    const SHORT: &str = "yaml: unmarshal errors:\n";
    const LONG: &str = "error converting YAML to JSON: yaml: unmarshal errors:\n";
    match text.strip_prefix(SHORT).or_else(|| text.strip_prefix(LONG)) {
        Some(lines) => lines.split('\n').map(|line| line.trim().to_owned()).collect(),
        None => vec![text.to_owned()],
    }
}

/// The start of a body that could not be read (`endpoints/handlers/rest.go summarizeData`).
fn summary(body: &[u8]) -> String {
    const SHOWN: usize = 30;
    let start = &body[..body.len().min(SHOWN)];
    let more = if body.len() > SHOWN { " ..." } else { "" };
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(start)),
        Some(_) => {
            let digits: String = start.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{digits}{more}")
        }
    }
}

/// Reads options that stand in a body; what is wrong with them is, as upstream has it, 500.
pub(crate) fn options(
    registry: &Registry,
    kind: &GroupVersionKind,
    format: BodyFormat,
    body: &[u8],
) -> Result<Value, StatusError> {
    let failed = |why: String| StatusError::new(500, "", why);
    let yaml;
    let node = match format {
        BodyFormat::Json => decode::parse(body)
            .map_err(|error| failed(format!("couldn't get version/kind; json parse error: {error}")))?,
        BodyFormat::Yaml => {
            yaml =
                deploy_yaml::to_json(body, Dialect::GoYaml11).map_err(|error| failed(error.to_string()))?;
            Node::from(yaml)
        }
        BodyFormat::Protobuf => Node::from(protobuf::to_json(registry, kind, body).map_err(failed)?),
    };
    let (api_version, found) = decode::type_meta(&node).map_err(failed)?;
    let found = found_kind(kind, &api_version, &found).map_err(failed)?;
    let known = if found.kind == kind.kind {
        registry.types(kind)
    } else {
        None
    };
    let Some((schema, id)) = known else {
        let version = found.api_version();
        return Err(failed(format!(
            "no kind \"{}\" is registered for version \"{version}\" in scheme \"pkg/runtime/scheme.go:110\"",
            found.kind
        )));
    };
    Ok(decode::typed(schema, id, node).map_err(failed)?.value)
}
