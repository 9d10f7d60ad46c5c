//! CustomResourceDefinition (`apiextensions-apiserver/pkg/registry/customresourcedefinition/strategy.go`,
//! `pkg/apis/apiextensions/validation`). Schemas are judged by `deploy_cluster_schema::structural`.

use serde_json::{Value, json};

use deploy_cluster_schema::structural::unrecognized_formats;

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::field::go_quote;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, metadata, table};

use super::{conversion, names, versions};

/// The row of CustomResourceDefinition.
pub const RULES: Rules = Rules {
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    name: crate::names::dns_subdomain_name,
    default,
    prepare_create: |object| {
        object.set("status", empty_status());
        metadata::first_generation(object);
        store_version(object);
    },
    prepare_update: |new, old| {
        new.keep("status", old);
        metadata::bump_generation(new, old);
        store_version(new);
    },
    prepare_status: |new, old| {
        new.keep("spec", old);
        metadata::keep_for_status(new, old);
    },
    validate_create: |object| validate(object, None),
    validate_update: |new, old| validate(new, Some(old)),
    validate_status: |new, _| {
        let mut out = Vec::new();
        names::validate(&Field::root(new).get("status").get("acceptedNames"), &mut out);
        out
    },
    warnings: |object| format_warnings(object, &[]),
    update_warnings: |new, old| format_warnings(new, &formats(old)),
    columns: columns::CUSTOM_RESOURCE_DEFINITION,
    cells: table::name_and_created,
    unconditional_update: false,
    ..GENERIC_RULES
};

const APPROVED: &str = "api-approved.kubernetes.io";

fn empty_status() -> Value {
    json!({"acceptedNames": {"kind": "", "plural": ""}, "conditions": null, "storedVersions": null})
}

fn default(object: &mut Value) {
    let spec = object.ensure("spec");
    let names = spec.ensure("names");
    let kind = Field::root(names).get("kind").str().to_owned();
    names.default_zero("singular", kind.to_lowercase());
    if !kind.is_empty() {
        names.default_zero("listKind", format!("{kind}List"));
    }
    spec.default_to("conversion", json!({"strategy": "None"}));
    if let Some(service) = spec.descend(&["conversion", "webhook", "clientConfig", "service"]) {
        service.default_to("port", 443);
    }
    let stored = stored_version(object);
    let status = object.ensure("status");
    if let (Value::Object(empty), Some(status)) = (empty_status(), status.as_object_mut()) {
        for (name, value) in empty {
            status.entry(name).or_insert(value);
        }
    }
    if let Some(name) = stored {
        status.default_zero("storedVersions", json!([name]));
    }
}

fn stored_version(object: &Value) -> Option<String> {
    let stored = Field::root(object)
        .get("spec")
        .items("versions")
        .find(|version| version.get("storage").bool());
    stored.map(|version| version.get("name").str().to_owned())
}

/// The version that is stored from now on is one of those that were.
fn store_version(object: &mut Value) {
    let Some(name) = stored_version(object) else {
        return;
    };
    let status = object.ensure("status");
    let mut stored: Vec<Value> = status.each("storedVersions").map(|name| name.clone()).collect();
    if !stored.iter().any(|known| *known == name.as_str()) {
        stored.push(name.into());
    }
    status.set("storedVersions", stored);
}

fn validate(new: &Value, old: Option<&Value>) -> Findings {
    let internal = versions::internal(new);
    let (root, old_root) = (Field::root(&internal), old.map(Field::root));
    let spec = root.get("spec");
    let mut out = Vec::new();
    if old.is_none() {
        let name = root.get("metadata").get("name");
        let required = format!(
            "{}.{}",
            spec.get("names").get("plural").str(),
            spec.get("group").str()
        );
        if name.str() != required {
            out.push(name.invalid("must be spec.names.plural+\".\"+spec.group"));
        }
    }
    validate_spec(&spec, &mut out);
    if let Some(old) = &old_root {
        immutable(&spec, old, &mut out);
    }
    let status = root.get("status");
    names::validate(&status.get("acceptedNames"), &mut out);
    versions::stored(&status.get("storedVersions"), &spec.get("versions"), &mut out);
    approval(&root, old_root.as_ref(), &mut out);
    let preserve = spec.get("preserveUnknownFields");
    let preserved = old_root.is_some_and(|old| old.get("spec").get("preserveUnknownFields").bool());
    if preserve.bool() && !preserved {
        out.push(preserve.invalid(
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        ));
    }
    out
}

fn validate_spec(spec: &Field<'_>, out: &mut Findings) {
    let (group, scope) = (spec.get("group"), spec.get("scope"));
    let texts = crate::names::dns_subdomain(group.str());
    if group.is_empty() {
        out.push(group.required(""));
    } else if !texts.is_empty() {
        out.push(group.invalid(texts.join(",")));
    } else if !group.str().contains('.') {
        out.push(group.invalid("should be a domain with at least one dot"));
    }
    crate::check::required_one_of(&scope, &["Cluster", "Namespaced"], out);
    versions::validate(spec, out);
    for name in ["plural", "singular", "kind", "listKind"] {
        crate::check::required(&spec.get("names").get(name), out);
    }
    names::validate(&spec.get("names"), out);
    versions::shared(spec, out);
    conversion::conversion(&spec.get("conversion"), out);
}

/// What the storage and the paths of objects depend on stays.
fn immutable(spec: &Field<'_>, old: &Field<'_>, out: &mut Findings) {
    let old_spec = old.get("spec");
    let is_established = old.get("status").items("conditions").any(|condition| {
        condition.get("type").str() == "Established" && condition.get("status").str() == "True"
    });
    let (names, old_names) = (spec.get("names"), old_spec.get("names"));
    if is_established {
        metadata::immutable(&spec.get("scope"), &old_spec.get("scope"), out);
        metadata::immutable(&names.get("kind"), &old_names.get("kind"), out);
    }
    metadata::immutable(&spec.get("group"), &old_spec.get("group"), out);
    metadata::immutable(&names.get("plural"), &old_names.get("plural"), out);
}

#[derive(PartialEq, Eq)]
enum Approval {
    Missing,
    Bypassed,
    Approved,
    Invalid,
}

fn approval_of(object: &Field<'_>) -> Approval {
    let annotation = object.get("metadata").get("annotations").key(APPROVED).str();
    let is_url = annotation
        .split_once("://")
        .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty() && !rest.starts_with('/'));
    match annotation {
        "" => Approval::Missing,
        text if text.starts_with("unapproved") => Approval::Bypassed,
        _ if is_url => Approval::Approved,
        _ => Approval::Invalid,
    }
}

/// Groups of the Kubernetes community need its approval.
fn approval(object: &Field<'_>, old: Option<&Field<'_>>, out: &mut Findings) {
    let group = object.get("spec").get("group").str();
    let is_protected = ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|domain| group == *domain || group.ends_with(&format!(".{domain}")));
    let state = approval_of(object);
    if !is_protected || old.is_some_and(|old| approval_of(old) == state) {
        return;
    }
    let place = object.get("metadata").get("annotations").key(APPROVED);
    let start = format!(
        "protected groups must have approval annotation {}",
        go_quote(APPROVED)
    );
    let see = "see https://github.com/kubernetes/enhancements/pull/1111";
    match state {
        Approval::Missing => out.push(place.required(format!("{start}, {see}"))),
        Approval::Invalid => out.push(place.invalid(format!(
            "{start} with either a URL or a reason starting with \"unapproved\", {see}"
        ))),
        Approval::Bypassed | Approval::Approved => {}
    }
}

fn formats(object: &Value) -> Vec<String> {
    let internal = versions::internal(object);
    let schemas = versions::schemas(&Field::root(&internal).get("spec"));
    schemas
        .iter()
        .filter_map(Field::value)
        .flat_map(unrecognized_formats)
        .collect()
}

fn format_warnings(object: &Value, known: &[String]) -> Vec<String> {
    let formats = formats(object)
        .into_iter()
        .filter(|format| !known.contains(format));
    formats
        .map(|format| format!("unrecognized format {}", go_quote(&format)))
        .collect()
}
