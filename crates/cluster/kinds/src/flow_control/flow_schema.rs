//! FlowSchema (`pkg/registry/flowcontrol/flowschema/strategy.go`, `pkg/apis/flowcontrol/v1/defaults.go`).

use serde_json::{Value, json};

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{cell, check, columns, metadata, names, table};

/// The row of FlowSchema.
pub const RULES: Rules = Rules {
    group: "flowcontrol.apiserver.k8s.io",
    version: "v1",
    kind: "FlowSchema",
    name: names::dns_subdomain_name,
    default: |object| {
        object
            .ensure("spec")
            .default_zero("matchingPrecedence", DEFAULT_PRECEDENCE)
    },
    prepare_create: |object| {
        object.set("status", json!({}));
        metadata::first_generation(object);
    },
    prepare_update: |new, old| {
        new.keep("status", old);
        metadata::bump_generation(new, old);
    },
    prepare_status: super::prepare_status,
    validate_create: validate,
    validate_update: |new, _| {
        let meta = Field::root(new).get("metadata");
        let mut out = metadata::create_of_kubernetes(&meta, false, names::dns_subdomain_name);
        out.extend(validate(new));
        out
    },
    validate_status: |new, _| super::validate_conditions(new),
    columns: columns::FLOW_SCHEMA,
    cells: |object, now| {
        let root = Field::root(object);
        let spec = root.get("spec");
        let dangling = root
            .get("status")
            .items("conditions")
            .find(|condition| condition.get("type").str() == "Dangling");
        vec![
            table::name(object),
            spec.get("priorityLevelConfiguration").get("name").str().into(),
            spec.get("matchingPrecedence").int().into(),
            cell::text_or(&spec.get("distinguisherMethod").get("type"), "<none>"),
            table::age(object, now),
            dangling
                .map_or_else(
                    || "?".to_owned(),
                    |condition| condition.get("status").str().to_owned(),
                )
                .into(),
        ]
    },
    ..GENERIC_RULES
};

const DEFAULT_PRECEDENCE: i64 = 1000;
const PRECEDENCE_MAX: i64 = 10_000;
const EXEMPT: &str = "exempt";
const METHODS: [&str; 2] = ["ByNamespace", "ByUser"];
const VERBS: [&str; 9] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "proxy",
    "update",
    "watch",
];

fn validate(object: &Value) -> Findings {
    let root = Field::root(object);
    let spec = root.get("spec");
    let (precedence, method) = (spec.get("matchingPrecedence"), spec.get("distinguisherMethod"));
    let mut out = Vec::new();
    if precedence.int() <= 0 {
        out.push(precedence.invalid_value(precedence.int(), "must be a positive value"));
    }
    if precedence.int() > PRECEDENCE_MAX {
        out.push(precedence.invalid(format!("must not be greater than {PRECEDENCE_MAX}")));
    }
    if precedence.int() == 1 && root.get("metadata").get("name").str() != EXEMPT {
        out.push(precedence.invalid("only the schema named 'exempt' may have matchingPrecedence 1"));
    }
    if method.exists() && !METHODS.contains(&method.get("type").str()) {
        // Upstream shows its struct.
        let shown = json!({"Type": method.get("type").str()});
        out.push(method.get("type").not_supported_value(shown, &METHODS));
    }
    let level = spec.get("priorityLevelConfiguration").get("name");
    if level.is_empty() {
        out.push(level.required("must reference a priority level"));
    } else {
        check::invalid(&level, names::dns_subdomain(level.str()), &mut out);
    }
    spec.items("rules")
        .for_each(|rule| validate_rule(&rule, &mut out));
    out.extend(super::validate_conditions(object));
    out
}

fn validate_rule(rule: &Field<'_>, out: &mut Findings) {
    let (subjects, resources, urls) = (
        rule.get("subjects"),
        rule.get("resourceRules"),
        rule.get("nonResourceRules"),
    );
    if subjects.is_empty() {
        out.push(subjects.required("subjects must contain at least one value"));
    }
    subjects
        .list()
        .for_each(|subject| validate_subject(&subject, out));
    if resources.is_empty() && urls.is_empty() {
        out.push(rule.required("at least one of resourceRules and nonResourceRules has to be non-empty"));
    }
    resources.list().for_each(|rule| resource_rule(&rule, out));
    for rule in urls.list() {
        verbs(&rule.get("verbs"), out);
        let paths = rule.get("nonResourceURLs");
        let detail = "nonResourceURLs must contain at least one value";
        if alone_or_some(&paths, detail, "non-resource URLs", out) {
            paths.list().for_each(|path| url_path(&path, out));
        }
    }
}

/// What belongs to the kind of the subject is there, and nothing else.
fn validate_subject(subject: &Field<'_>, out: &mut Findings) {
    let kinds = [
        ("ServiceAccount", "serviceAccount"),
        ("User", "user"),
        ("Group", "group"),
    ];
    let kind = subject.get("kind");
    let Some((_, field)) = kinds.iter().find(|(name, _)| *name == kind.str()) else {
        out.push(kind.not_supported_value(kind.str(), &["Group", "ServiceAccount", "User"]));
        return;
    };
    let part = subject.get(field);
    let name = part.get("name");
    if !part.exists() {
        out.push(part.required(format!(
            "{field} is required when subject kind is '{}'",
            kind.str()
        )));
    } else if name.is_empty() {
        out.push(name.required(""));
    } else if *field == "serviceAccount" && name.str() != "*" {
        check::invalid(&name, names::dns_subdomain(name.str()), out);
    }
    let namespace = part.get("namespace");
    if *field == "serviceAccount" && part.exists() {
        if namespace.is_empty() {
            out.push(namespace.required("must specify namespace for service account"));
        } else {
            check::invalid(&namespace, names::dns_label(namespace.str()), out);
        }
    }
    for (name, other) in kinds {
        if other != *field && subject.get(other).exists() {
            let detail = format!("{other} is forbidden when subject kind is not '{name}'");
            out.push(subject.get(other).forbidden(detail));
        }
    }
}

fn resource_rule(rule: &Field<'_>, out: &mut Findings) {
    verbs(&rule.get("verbs"), out);
    let groups = "resource rules must supply at least one api group";
    alone_or_some(&rule.get("apiGroups"), groups, "api groups", out);
    let resources = "resource rules must supply at least one resource";
    alone_or_some(&rule.get("resources"), resources, "resources", out);
    let namespaces = rule.get("namespaces");
    if namespaces.is_empty() && rule.get("clusterScope").bool() {
        return;
    }
    let detail = "resource rules that are not cluster scoped must supply at least one namespace";
    if alone_or_some(&namespaces, detail, "namespaces", out) {
        let form = "each member of this list must be '*' or a DNS-1123 label; ";
        for namespace in namespaces.list() {
            let texts = names::dns_label(namespace.str());
            out.extend(
                texts
                    .iter()
                    .map(|text| namespace.invalid(format!("{form}{text}"))),
            );
        }
    }
}

fn verbs(verbs: &Field<'_>, out: &mut Findings) {
    let usual = alone_or_some(verbs, "verbs must contain at least one value", "verbs", out);
    if usual && !verbs.strings().all(|verb| VERBS.contains(&verb)) {
        out.push(verbs.not_supported(&VERBS));
    }
}

/// Whether the list has items, none of which stands for everything.
fn alone_or_some(list: &Field<'_>, empty: &str, what: &str, out: &mut Findings) -> bool {
    if list.is_empty() {
        out.push(list.required(empty));
        return false;
    }
    let any = list.strings().any(|item| item == "*");
    if any && list.len() > 1 {
        out.push(list.invalid(format!("if '*' is present, must not specify other {what}")));
    }
    !any
}

fn url_path(path: &Field<'_>, out: &mut Findings) {
    let text = path.str();
    let stars = text.matches('*').count();
    let detail = if text.is_empty() {
        "must not be empty"
    } else if !text.starts_with('/') {
        "must start with slash"
    } else if text.contains(' ') {
        "must not contain white-space"
    } else if text.contains("//") {
        "must not contain double slash"
    } else if stars > 1 || (stars == 1 && !text.ends_with("/*")) {
        "wildcard can only do suffix matching"
    } else {
        return;
    };
    out.push(path.invalid(detail));
}
