//! Warnings about pods and templates (`pkg/api/pod/warnings.go`).

use std::collections::{BTreeMap, BTreeSet};

use super::annotations::{APP_ARMOR_PREFIX, SECCOMP_POD, SECCOMP_PREFIX};
use super::{annotations, prepare};
use crate::cursor::{Field, same};
use crate::field::go_quote;
use crate::{ip, names, resources};

const DEPRECATED_LABELS: [(&str, &str); 8] = [
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    (
        "beta.kubernetes.io/arch",
        r#"deprecated since v1.14; use "kubernetes.io/arch" instead"#,
    ),
    (
        "beta.kubernetes.io/instance-type",
        r#"deprecated since v1.17; use "node.kubernetes.io/instance-type" instead"#,
    ),
    (
        "beta.kubernetes.io/os",
        r#"deprecated since v1.14; use "kubernetes.io/os" instead"#,
    ),
    (
        "failure-domain.beta.kubernetes.io/region",
        r#"deprecated since v1.17; use "topology.kubernetes.io/region" instead"#,
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        r#"deprecated since v1.17; use "topology.kubernetes.io/zone" instead"#,
    ),
    (
        "node-role.kubernetes.io/master",
        r#"use "node-role.kubernetes.io/control-plane" instead"#,
    ),
    (
        "scheduler.alpha.kubernetes.io/preferAvoidPods",
        "deprecated since v1.22; use Taints and Tolerations instead",
    ),
];

const DEPRECATED_ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        r#"non-functional in v1.16+; use the "priorityClassName" field instead"#,
    ),
    (
        "security.alpha.kubernetes.io/sysctls",
        r#"non-functional in v1.11+; use the "sysctls" field instead"#,
    ),
    (
        "security.alpha.kubernetes.io/unsafe-sysctls",
        r#"non-functional in v1.11+; use the "sysctls" field instead"#,
    ),
];

/// Sources of volumes that are on their way out: the field, the name that the warning shows, the warning.
const DEPRECATED_VOLUMES: [(&str, &str, &str); 7] = [
    (
        "photonPersistentDisk",
        "photonPersistentDisk",
        "deprecated in v1.11, non-functional in v1.16+",
    ),
    (
        "gitRepo",
        "gitRepo",
        "deprecated in v1.11, and disabled by default in v1.33+",
    ),
    (
        "scaleIO",
        "scaleIO",
        "deprecated in v1.16, non-functional in v1.22+",
    ),
    (
        "flocker",
        "flocker",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "storageos",
        "storageOS",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "quobyte",
        "quobyte",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "glusterfs",
        "glusterfs",
        "deprecated in v1.25, non-functional in v1.26+",
    ),
];

const DEPRECATED_LATER: [(&str, &str); 2] = [
    ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

/// The warning about a node label, if it is deprecated.
pub fn deprecated_label(key: &str) -> Option<&'static str> {
    DEPRECATED_LABELS
        .iter()
        .find(|(label, _)| *label == key)
        .map(|(_, text)| *text)
}

/// Warnings about a new pod.
pub fn of_pod(pod: &Field<'_>) -> Vec<String> {
    let mut out: Vec<String> = app_armor_annotations(pod);
    out.extend(prepare::name_warning(pod));
    of_spec_and_meta(pod, false, &mut out);
    out
}

/// Warnings about a template: `template` is at its place, `spec.template`.
pub fn of_template(template: &Field<'_>) -> Vec<String> {
    let mut out = Vec::new();
    of_spec_and_meta(template, true, &mut out);
    out
}

/// Annotations that became fields when the pod was prepared.
fn app_armor_annotations(pod: &Field<'_>) -> Vec<String> {
    let (meta, spec) = (pod.get("metadata").get("annotations"), pod.get("spec"));
    if spec.get("os").get("name").str() == "windows" {
        return Vec::new();
    }
    let whole = spec.get("securityContext").get("appArmorProfile");
    let warned = super::containers(&spec).filter_map(|container| {
        let key = meta.key(&format!("{APP_ARMOR_PREFIX}{}", container.get("name").str()));
        let profile = annotations::app_armor_profile(key.opt_str()?);
        let own = container.get("securityContext").get("appArmorProfile");
        let warns = profile.is_none() && !own.exists()
            || profile.is_some()
                && same(profile.as_ref(), own.value())
                && !same(profile.as_ref(), whole.value());
        warns.then(|| {
            format!(
                "{}: deprecated since v1.30; use the \"appArmorProfile\" field instead",
                key.path()
            )
        })
    });
    warned.collect()
}

fn of_spec_and_meta(holder: &Field<'_>, is_template: bool, out: &mut Vec<String>) {
    let (spec, notes) = (holder.get("spec"), holder.get("metadata").get("annotations"));
    node_labels(&spec, out);
    for (key, text) in DEPRECATED_ANNOTATIONS {
        if notes.key(key).exists() {
            out.push(format!("{}: {text}", notes.key(key).path()));
        }
    }
    for volume in spec.items("volumes") {
        self::volume(&volume, out);
    }
    for volume in spec.items("volumes") {
        overlapping_paths(&volume, out);
    }
    repeated(&spec.get("hostAliases"), "ip", out);
    repeated(&spec.get("imagePullSecrets"), "name", out);
    for secret in spec
        .items("imagePullSecrets")
        .filter(|secret| secret.get("name").is_empty())
    {
        out.push(format!("{}: invalid empty name \"\"", secret.get("name").path()));
    }
    let overhead = spec.get("overhead");
    fractions(&overhead, out);
    if notes.key(SECCOMP_POD).exists() && !spec.get("securityContext").get("seccompProfile").exists() {
        out.push(seccomp_text(&notes.key(SECCOMP_POD)));
    }
    for container in super::containers(&spec) {
        self::container(&container, &spec, &notes, is_template, out);
    }
    ports(&spec, out);
    if spec.get("terminationGracePeriodSeconds").int() < 0 {
        let path = spec.get("terminationGracePeriodSeconds").path();
        out.push(format!(
            "{path}: must be >= 0; negative values are invalid and will be treated as 1"
        ));
    }
    affinity_selectors(&spec.get("affinity"), out);
    for server in spec.get("dnsConfig").items("nameservers") {
        out.extend(ip::warning(&server.path(), server.str()));
    }
    for address in spec.items("hostAliases").map(|alias| alias.get("ip")) {
        out.extend(ip::warning(&address.path(), address.str()));
    }
}

fn seccomp_text(annotation: &Field<'_>) -> String {
    format!(
        "{}: non-functional in v1.27+; use the \"seccompProfile\" field instead",
        annotation.path()
    )
}

fn node_labels(spec: &Field<'_>, out: &mut Vec<String>) {
    for (key, value) in spec.get("nodeSelector").entries() {
        out.extend(deprecated_label(key).map(|text| format!("{}: {text}", value.path())));
    }
    let affinity = spec.get("affinity").get("nodeAffinity");
    let required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution");
    for term in required.items("nodeSelectorTerms") {
        node_term(&term, false, out);
    }
    for term in affinity.items("preferredDuringSchedulingIgnoredDuringExecution") {
        node_term(&term.get("preference"), true, out);
    }
    for constraint in spec.items("topologySpreadConstraints") {
        let key = constraint.get("topologyKey");
        out.extend(
            deprecated_label(key.str()).map(|text| format!("{}: {} is {text}", key.path(), key.str())),
        );
        null_selector(&constraint.get("labelSelector"), out);
    }
}

/// Warnings about a term of a node selector, of a pod or of a volume.
pub fn node_term(term: &Field<'_>, check_values: bool, out: &mut Vec<String>) {
    for expression in term.items("matchExpressions") {
        let key = expression.get("key");
        out.extend(
            deprecated_label(key.str()).map(|text| format!("{}: {} is {text}", key.path(), key.str())),
        );
        for value in expression.items("values").filter(|_| check_values) {
            let texts = names::label_value(value.str());
            let texts = texts
                .into_iter()
                .map(|t| format!("{}: {} is invalid, {t}", value.path(), value.str()));
            out.extend(texts);
        }
    }
}

fn null_selector(selector: &Field<'_>, out: &mut Vec<String>) {
    if !selector.exists() {
        out.push(format!(
            "{}: a null labelSelector results in matching no pod",
            selector.path()
        ));
    }
}

fn affinity_selectors(affinity: &Field<'_>, out: &mut Vec<String>) {
    for kind in ["podAffinity", "podAntiAffinity"] {
        let pods = affinity.get(kind);
        for term in pods.items("requiredDuringSchedulingIgnoredDuringExecution") {
            null_selector(&term.get("labelSelector"), out);
        }
        for term in pods.items("preferredDuringSchedulingIgnoredDuringExecution") {
            null_selector(&term.get("podAffinityTerm").get("labelSelector"), out);
        }
    }
}

fn volume(volume: &Field<'_>, out: &mut Vec<String>) {
    for (field, shown, text) in DEPRECATED_VOLUMES {
        if volume.get(field).exists() {
            out.push(format!("{}: {text}", volume.get(shown).path()));
        }
    }
    let claim = volume
        .get("ephemeral")
        .get("volumeClaimTemplate")
        .get("spec")
        .get("resources");
    for which in ["requests", "limits"] {
        fraction(&claim.get(which).key("storage"), out);
    }
    for (field, text) in DEPRECATED_LATER {
        if volume.get(field).exists() {
            out.push(format!("{}: {text}", volume.get(field).path()));
        }
    }
}

/// Warnings about the spec of a claim.
pub fn claim_spec(spec: &Field<'_>, out: &mut Vec<String>) {
    for which in ["requests", "limits"] {
        fraction(&spec.get("resources").get(which).key("storage"), out);
    }
}

/// Items of a list that should differ in `name` and do not.
fn repeated(list: &Field<'_>, name: &'static str, out: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for value in list.list().map(|item| item.get(name)) {
        if !seen.insert(value.str()) {
            out.push(format!(
                "{}: duplicate {name} {}",
                value.path(),
                go_quote(value.str())
            ));
        }
    }
}

/// Bytes come whole.
fn fractions(list: &Field<'_>, out: &mut Vec<String>) {
    for name in ["memory", "ephemeral-storage"] {
        fraction(&list.key(name), out);
    }
}

fn fraction(amount: &Field<'_>, out: &mut Vec<String>) {
    let quantity = resources::quantity(amount).filter(|quantity| quantity.milli_value() % 1000 != 0);
    if let Some(quantity) = quantity {
        let quoted = go_quote(&quantity.to_string());
        out.push(format!(
            "{}: fractional byte value {quoted} is invalid, must be an integer",
            amount.path()
        ));
    }
}

fn container(
    container: &Field<'_>,
    spec: &Field<'_>,
    notes: &Field<'_>,
    is_template: bool,
    out: &mut Vec<String>,
) {
    let (name, context) = (container.get("name").str(), container.get("securityContext"));
    let seccomp = notes.key(&format!("{SECCOMP_PREFIX}{name}"));
    if seccomp.exists() && !context.get("seccompProfile").exists() {
        out.push(seccomp_text(&seccomp));
    }
    let armor = notes.key(&format!("{APP_ARMOR_PREFIX}{name}"));
    if let Some(annotation) = armor
        .opt_str()
        .filter(|_| is_template && !context.get("appArmorProfile").exists())
    {
        let whole = spec.get("securityContext").get("appArmorProfile");
        if !whole.exists() || !same(annotations::app_armor_profile(annotation).as_ref(), whole.value()) {
            let path = armor.path();
            out.push(format!(
                "{path}: deprecated since v1.30; use the \"appArmorProfile\" field instead"
            ));
        }
    }
    for name in ["memory", "ephemeral-storage"] {
        for which in ["limits", "requests"] {
            fraction(&container.get("resources").get(which).key(name), out);
        }
    }
    let mut seen = BTreeSet::new();
    for variable in container.items("env") {
        let (name, value) = (variable.get("name").str(), variable.get("value").str());
        if seen.insert(name) {
            continue;
        }
        let reference = format!("$({name})");
        if variable.get("valueFrom").exists() || value == reference || !value.contains(&reference) {
            out.push(format!(
                "{}: hides previous definition of {}, which may be dropped when using apply",
                variable.path(),
                go_quote(name)
            ));
        }
    }
}

fn ports(spec: &Field<'_>, out: &mut Vec<String>) {
    let all: Vec<Field<'_>> = super::containers(spec)
        .flat_map(|container| container.items("ports"))
        .collect();
    let mut known: BTreeMap<(i64, &str), Vec<&Field<'_>>> = BTreeMap::new();
    for port in &all {
        let (host, number) = (port.get("hostIP").str(), port.get("hostPort").int());
        let (name, own, protocol) = (
            port.get("name").str(),
            port.get("containerPort").int(),
            port.get("protocol").str(),
        );
        if !host.is_empty() && number == 0 {
            out.push(format!(
                "{}: hostIP set without hostPort: {{Name:{name} HostPort:0 ContainerPort:{own} Protocol:{protocol} \
                 HostIP:{host}}}",
                port.path()
            ));
        }
        let others = known.entry((own, protocol)).or_default();
        for other in others.iter() {
            let (other_host, other_number) = (other.get("hostIP").str(), other.get("hostPort").int());
            let relation = if host == other_host && number == other_number {
                "duplicate"
            } else if number == 0 || other_number == 0 {
                "overlapping"
            } else if number == other_number && host.is_empty() != other_host.is_empty() {
                "dangerously ambiguous"
            } else {
                continue;
            };
            out.push(format!(
                "{}: {relation} port definition with {}",
                port.path(),
                other.path()
            ));
        }
        others.push(port);
    }
    let mut named: BTreeMap<&str, String> = BTreeMap::new();
    for port in all.iter().filter(|port| !port.get("name").is_empty()) {
        let (name, path) = (port.get("name").str(), port.path());
        match named.get(name) {
            Some(other) => out.push(format!(
                "{path}: duplicate port name {} with {other}, services and probes that select ports by name will use \
                 {other}",
                go_quote(name)
            )),
            None => {
                named.insert(name, path);
            }
        }
    }
}

/// A file that a volume writes, and the source that it is from, empty where there is only one.
type Written = (String, String);

fn overlapping_paths(volume: &Field<'_>, out: &mut Vec<String>) {
    let name = go_quote(volume.get("name").str());
    let mut check = |what: &str, written: Vec<Written>, known: &mut Vec<Written>| {
        for file in written {
            let file = (file.0.trim_end_matches('/').to_owned(), file.1);
            for other in known.iter().filter(|other| overlaps(&other.0, &file.0)) {
                let (file, other) = (shown(&file), shown(other));
                out.push(format!(
                    "volume {name} ({what}): overlapping paths: {file} with {other}"
                ));
            }
            known.push(file);
        }
    };
    let items = |source: &Field<'_>, from: &str| -> Vec<Written> {
        source
            .items("items")
            .map(|item| (item.get("path").str().to_owned(), from.to_owned()))
            .collect()
    };
    for (field, kind, reference) in [
        ("configMap", "ConfigMap", "name"),
        ("secret", "Secret", "secretName"),
    ] {
        let source = volume.get(field);
        let what = format!("{kind} {}", go_quote(source.get(reference).str()));
        check(&what, items(&source, ""), &mut Vec::new());
    }
    check(
        "DownwardAPI",
        items(&volume.get("downwardAPI"), ""),
        &mut Vec::new(),
    );
    let mut known = Vec::new();
    let mut without_sources = 0;
    for source in volume.get("projected").items("sources") {
        if source.is_empty() {
            without_sources += 1;
            continue;
        }
        check("Projected", projected_files(&source, &items), &mut known);
    }
    for _ in 0..without_sources {
        out.push(format!("volume {name} (Projected) has no sources provided"));
    }
}

fn projected_files(source: &Field<'_>, items: &dyn Fn(&Field<'_>, &str) -> Vec<Written>) -> Vec<Written> {
    for (field, kind) in [("configMap", "ConfigMap"), ("secret", "Secret")] {
        let keys = source.get(field);
        if keys.get("items").exists() {
            return items(&keys, &format!("{kind} {}", go_quote(keys.get("name").str())));
        }
    }
    if source.get("downwardAPI").get("items").exists() {
        return items(&source.get("downwardAPI"), "DownwardAPI");
    }
    let token = source.get("serviceAccountToken");
    if token.exists() {
        return vec![(
            token.get("path").str().to_owned(),
            "ServiceAccountToken".to_owned(),
        )];
    }
    Vec::new()
}

fn overlaps(a: &str, b: &str) -> bool {
    let within = |outer: &str, inner: &str| format!("{inner}/").starts_with(&format!("{outer}/"));
    !a.is_empty() && !b.is_empty() && (within(a, b) || within(b, a))
}

fn shown((path, source): &Written) -> String {
    let path = go_quote(path);
    if source.is_empty() {
        path
    } else {
        format!("{path} ({source})")
    }
}
