//! Ingress (`pkg/registry/networking/ingress/strategy.go`, `pkg/apis/networking/validation ValidateIngressCreate`).

use serde_json::{Value, json};

use crate::core::service::update::host_name;
use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{cell, check, columns, ip, metadata, names, table};

use super::typed_reference;

/// The row of Ingress.
pub const RULES: Rules = Rules {
    group: "networking.k8s.io",
    version: "v1",
    kind: "Ingress",
    name: names::dns_subdomain_name,
    default: |object| {
        object.ensure("spec");
        object.ensure("status").ensure("loadBalancer");
    },
    prepare_create: |object| {
        object.set("status", json!({"loadBalancer": {}}));
        metadata::first_generation(object);
    },
    prepare_update: |new, old| {
        new.keep("status", old);
        metadata::bump_generation(new, old);
    },
    validate_create,
    validate_update,
    validate_status,
    warnings: |object| {
        let root = Field::root(object);
        if class_annotation(&root).exists() && !root.get("spec").get("ingressClassName").exists() {
            vec![format!(
                "annotation {CLASS:?} is deprecated, please use 'spec.ingressClassName' instead"
            )]
        } else {
            Vec::new()
        }
    },
    columns: columns::INGRESS,
    cells,
    ..GENERIC_RULES
};

const CLASS: &str = "kubernetes.io/ingress.class";
/// What a path may not contain, and how it may not end.
const BAD_PARTS: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
const BAD_ENDS: [&str; 2] = ["/..", "/."];

fn class_annotation<'a>(ingress: &Field<'a>) -> Field<'a> {
    ingress.get("metadata").get("annotations").key(CLASS)
}

/// What an object that is there already may keep.
#[derive(Clone, Copy, Default)]
struct Options {
    invalid_secret_names: bool,
    invalid_wildcard_rules: bool,
}

fn validate_create(object: &Value) -> Findings {
    let root = Field::root(object);
    let spec = root.get("spec");
    let mut out = Vec::new();
    validate_spec(&spec, Options::default(), &mut out);
    let (annotation, class) = (class_annotation(&root), spec.get("ingressClassName"));
    if annotation.exists() && class.exists() && annotation.str() != class.str() {
        let place = root.get("annotations").named(CLASS);
        let detail = "must match `ingressClassName` when both are specified";
        out.push(place.invalid_value(annotation.str(), detail));
    }
    out
}

fn validate_update(new: &Value, old: &Value) -> Findings {
    let (new, old) = (Field::root(new), Field::root(old).get("spec"));
    let options = Options {
        invalid_secret_names: old
            .items("tls")
            .map(|tls| tls.get("secretName").str())
            .any(|name| !name.is_empty() && !names::dns_subdomain(name).is_empty()),
        invalid_wildcard_rules: old.items("rules").any(|rule| {
            let mut found = Vec::new();
            validate_rule(&rule, &mut found);
            rule.get("host").str().contains('*') && !found.is_empty()
        }),
    };
    let mut out = metadata::create_of_kubernetes(&new.get("metadata"), true, names::dns_subdomain_name);
    validate_spec(&new.get("spec"), options, &mut out);
    out
}

fn validate_spec(spec: &Field<'_>, options: Options, out: &mut Findings) {
    let (backend, class) = (spec.get("defaultBackend"), spec.get("ingressClassName"));
    if spec.get("rules").is_empty() && !backend.exists() {
        let shown = spec.get("rules").value().map_or("null", |_| "[]").to_owned();
        out.push(spec.invalid_shown(shown, "either `defaultBackend` or `rules` must be specified"));
    }
    if backend.exists() {
        validate_backend(&backend, out);
    }
    for rule in spec.items("rules") {
        let host = rule.get("host");
        if !host.is_empty() && ip::parse(host.str()).is_some() {
            out.push(host.invalid("must be a DNS name, not an IP address"));
        }
        if !host.is_empty() {
            name_or_wildcard(&host, out);
        }
        if !(host.str().contains('*') && options.invalid_wildcard_rules) {
            validate_rule(&rule, out);
        }
    }
    for tls in spec.items("tls") {
        tls.items("hosts").for_each(|host| name_or_wildcard(&host, out));
        let secret = tls.get("secretName");
        if !secret.is_empty() && !options.invalid_secret_names {
            check::invalid(&secret, names::dns_subdomain(secret.str()), out);
        }
    }
    if class.exists() {
        check::invalid(&class, names::dns_subdomain(class.str()), out);
    }
}

fn name_or_wildcard(host: &Field<'_>, out: &mut Findings) {
    let texts = if host.str().contains('*') {
        names::wildcard_dns_subdomain(host.str())
    } else {
        names::dns_subdomain(host.str())
    };
    check::invalid(host, texts, out);
}

fn validate_rule(rule: &Field<'_>, out: &mut Findings) {
    let http = rule.get("http");
    if !http.exists() {
        return;
    }
    check::required(&http.get("paths"), out);
    http.items("paths").for_each(|path| validate_path(&path, out));
}

fn validate_path(item: &Field<'_>, out: &mut Findings) {
    let (path, r#type) = (item.get("path"), item.get("pathType"));
    if !r#type.exists() {
        out.push(r#type.required("pathType must be specified"));
        return;
    }
    let absolute = |out: &mut Findings| {
        if !path.str().starts_with('/') {
            out.push(path.invalid("must be an absolute path"));
        }
    };
    match r#type.str() {
        "Exact" | "Prefix" => {
            absolute(out);
            let parts = BAD_PARTS.iter().filter(|part| path.str().contains(**part));
            out.extend(parts.map(|part| path.invalid(format!("must not contain '{part}'"))));
            let ends = BAD_ENDS.iter().filter(|end| path.str().ends_with(**end));
            out.extend(ends.map(|end| path.invalid(format!("cannot end with '{end}'"))));
        }
        "ImplementationSpecific" if path.is_empty() => {}
        "ImplementationSpecific" => absolute(out),
        _ => out.push(r#type.not_supported(&["Exact", "ImplementationSpecific", "Prefix"])),
    }
    validate_backend(&item.get("backend"), out);
}

fn validate_backend(backend: &Field<'_>, out: &mut Findings) {
    let (resource, service) = (backend.get("resource"), backend.get("service"));
    match (resource.exists(), service.exists()) {
        (true, true) => {
            out.push(backend.invalid_value("", "cannot set both resource and service backends"));
        }
        (true, false) => typed_reference::validate(&resource, out),
        (false, true) => validate_service(backend, &service, out),
        (false, false) => out.push(backend.invalid_value("", "resource or service backend is required")),
    }
}

fn validate_service(backend: &Field<'_>, service: &Field<'_>, out: &mut Findings) {
    check::required_name(&service.get("name"), names::dns_1035_label, out);
    let (name, number) = (service.get("port").get("name"), service.get("port").get("number"));
    match (!name.is_empty(), number.int() != 0) {
        (true, true) => out.push(backend.invalid_value("", "cannot set both port name & port number")),
        (true, false) => check::invalid(&name, names::port_name(name.str()), out),
        (false, true) => check::invalid(&number, names::port_number(number.int()), out),
        (false, false) => out.push(backend.required("port name or number is required")),
    }
}

fn validate_status(new: &Value, old: &Value) -> Findings {
    let balancer = |object| Field::root(object).get("status").get("loadBalancer");
    let (new, old) = (balancer(new), balancer(old));
    let known: Vec<&str> = old
        .items("ingress")
        .map(|ingress| ingress.get("ip").str())
        .collect();
    let mut out = Vec::new();
    for ingress in new.items("ingress") {
        let address = ingress.get("ip");
        if !address.is_empty() && !known.contains(&address.str()) {
            ip::validate_legacy(&address, address.str(), &mut out);
        }
        host_name(&ingress.get("hostname"), &mut out);
    }
    out
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let spec = root.get("spec");
    let class = spec.get("ingressClassName");
    let ports = if spec.get("tls").is_empty() {
        "80"
    } else {
        "80, 443"
    };
    vec![
        table::name(object),
        class.opt_str().unwrap_or("<none>").into(),
        hosts(&spec.get("rules")).into(),
        cell::load_balancer(&root.get("status")).into(),
        ports.into(),
        table::age(object, now),
    ]
}

/// `printers.go formatHosts`
fn hosts(rules: &Field<'_>) -> String {
    const MAX: usize = 3;
    let (mut shown, mut more) = (Vec::new(), false);
    for host in rules.list().map(|rule| rule.get("host").str()) {
        more |= shown.len() == MAX;
        if !more && !host.is_empty() {
            shown.push(host);
        }
    }
    match (shown.is_empty(), more) {
        (true, _) => "*".to_owned(),
        (false, false) => shown.join(","),
        (false, true) => format!("{} + {} more...", shown.join(","), rules.len() - MAX),
    }
}
