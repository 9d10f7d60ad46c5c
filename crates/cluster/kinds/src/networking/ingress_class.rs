//! IngressClass (`pkg/registry/networking/ingressclass/strategy.go`, `pkg/apis/networking/validation
//! ValidateIngressClass`).

use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{check, columns, metadata, names, table};

use super::typed_reference;

/// The row of IngressClass.
pub const RULES: Rules = Rules {
    group: "networking.k8s.io",
    version: "v1",
    kind: "IngressClass",
    name: names::dns_subdomain_name,
    default: |object| {
        if let Some(parameters) = object.ensure("spec").child("parameters") {
            parameters.default_to("scope", "Cluster");
        }
    },
    prepare_create: metadata::first_generation,
    prepare_update: metadata::bump_generation,
    validate_create: |object| {
        let mut out = Vec::new();
        validate_spec(&Field::root(object).get("spec"), &mut out);
        out
    },
    validate_update: |new, old| {
        let (new, old) = (Field::root(new), Field::root(old));
        let (spec, controller) = (new.get("spec"), new.get("spec").get("controller"));
        let mut out = Vec::new();
        metadata::immutable(&controller, &old.get("spec").get("controller"), &mut out);
        out.extend(metadata::create_of_kubernetes(
            &new.get("metadata"),
            false,
            names::dns_subdomain_name,
        ));
        validate_spec(&spec, &mut out);
        out
    },
    columns: columns::INGRESS_CLASS,
    cells,
    ..GENERIC_RULES
};

const CONTROLLER_MAX: usize = 250;

fn validate_spec(spec: &Field<'_>, out: &mut Findings) {
    let (controller, parameters) = (spec.get("controller"), spec.get("parameters"));
    if controller.len() > CONTROLLER_MAX {
        out.push(controller.too_long(CONTROLLER_MAX));
    }
    domain_prefixed_path(&controller, out);
    if !parameters.exists() {
        return;
    }
    typed_reference::validate(&parameters, out);
    let (scope, namespace) = (parameters.get("scope"), parameters.get("namespace"));
    match scope.opt_str() {
        None => out.push(scope.required("")),
        Some("Namespace") if !namespace.exists() => {
            out.push(namespace.required("`parameters.scope` is set to 'Namespace'"));
        }
        Some("Namespace") => check::invalid(&namespace, names::dns_label(namespace.str()), out),
        Some("Cluster") if namespace.exists() => {
            out.push(namespace.forbidden("`parameters.scope` is set to 'Cluster'"));
        }
        Some("Cluster") => {}
        Some(_) => out.push(scope.not_supported(&["Cluster", "Namespace"])),
    }
}

/// `acme.io/foo` (`apimachinery/pkg/util/validation IsDomainPrefixedPath`).
fn domain_prefixed_path(place: &Field<'_>, out: &mut Findings) {
    if place.is_empty() {
        out.push(place.required(""));
        return;
    }
    let parts = place.str().split_once('/');
    let Some((domain, path)) = parts.filter(|(domain, path)| !domain.is_empty() && !path.is_empty()) else {
        out.push(place.invalid("must be a domain-prefixed path (such as \"acme.io/foo\")"));
        return;
    };
    let texts = names::dns_subdomain(domain);
    out.extend(texts.into_iter().map(|text| place.invalid_value(domain, text)));
    let allowed = |c: char| c.is_ascii_alphanumeric() || r"/-._~%!$&'()*+,;=:".contains(c);
    if !path.chars().all(allowed) {
        let detail = names::pattern("Invalid path", r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+", &[]);
        out.push(place.invalid_value(path, detail));
    }
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = Field::root(object).get("spec");
    let parameters = spec.get("parameters");
    let shown = if parameters.exists() {
        let group = parameters.get("apiGroup");
        let dot = if group.exists() { "." } else { "" };
        let kind = parameters.get("kind").str();
        format!("{kind}{dot}{}/{}", group.str(), parameters.get("name").str())
    } else {
        "<none>".to_owned()
    };
    vec![
        table::name(object),
        spec.get("controller").str().into(),
        shown.into(),
        table::age(object, now),
    ]
}
