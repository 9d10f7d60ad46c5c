//! The spec of a pod or of a template (`pkg/apis/core/validation ValidatePodSpec`).

use std::collections::BTreeSet;

use super::containers::Pod;
use super::security::{Go, go_struct};
use super::{Options, annotations, env, resource_requirements, scheduling, security, volumes};
use crate::cursor::{Field, Findings};
use crate::limits::{DNS_NAMESERVERS_MAX, DNS_SEARCH_CHARS_MAX, DNS_SEARCHES_MAX, HOSTNAME_OVERRIDE_MAX};
use crate::{ip, labels, metadata, names};

/// Checks a pod template: `metadata` without a name, `spec`, and how they go together.
pub fn validate_template(template: &Field<'_>, options: &Options, out: &mut Findings) {
    let (meta, spec) = (template.get("metadata"), template.get("spec"));
    // Upstream's template embeds its metadata, and its paths show that.
    let (own_labels, own_annotations) = (template.get("labels"), template.get("annotations"));
    let own_annotations = own_annotations.with(meta.get("annotations").value());
    labels::validate_labels(&own_labels.with(meta.get("labels").value()), out);
    metadata::annotations(&own_annotations, out);
    annotations::validate(&own_annotations, &spec, options, out);
    validate(&spec, None, options, out);
    annotations::seccomp_matches(&meta, &spec, out);
    annotations::app_armor_matches(&meta, &spec, out);
    let ephemeral = spec.get("ephemeralContainers");
    if !ephemeral.is_empty() {
        out.push(ephemeral.forbidden("ephemeral containers not allowed in pod template"));
    }
}

/// Checks only the annotations of a template.
pub fn validate_annotations(template: &Field<'_>, options: &Options, out: &mut Findings) {
    let place = template.get("annotations");
    let annotations = place.with(template.get("metadata").get("annotations").value());
    annotations::validate(&annotations, &template.get("spec"), options, out);
}

/// Checks a spec; `meta` is the metadata of the pod, which a template does not have.
pub fn validate(spec: &Field<'_>, meta: Option<&Field<'_>>, options: &Options, out: &mut Findings) {
    let grace = spec.get("terminationGracePeriodSeconds");
    if !grace.exists() {
        out.push(grace.required(""));
    }
    let pod_name = meta.map_or("", |meta| meta.get("name").str());
    let volumes = volumes::validate(&spec.get("volumes"), pod_name, options, out);
    let claims: BTreeSet<&str> = spec
        .items("resourceClaims")
        .map(|c| c.get("name").str())
        .filter(|name| !name.is_empty())
        .collect();
    resource_claims(&spec.get("resourceClaims"), meta, out);
    let pod = Pod {
        spec: spec.clone(),
        volumes,
        claims,
        options: *options,
    };
    pod.containers(out);
    pod.init_containers(out);
    pod.ephemeral_containers(out);
    resource_requirements::pod(spec, &pod.claims, options, out);
    host_network_ports(spec, options, out);
    word(&spec.get("restartPolicy"), &["Always", "OnFailure", "Never"], out);
    word(
        &spec.get("dnsPolicy"),
        &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"],
        out,
    );
    labels::validate_labels(&spec.get("nodeSelector"), out);
    security::pod(&spec.get("securityContext"), spec, options, out);
    scheduling::affinity(&spec.get("affinity"), options, out);
    dns_config(spec, out);
    for gate in spec.items("readinessGates") {
        let kind = gate.get("conditionType");
        out.extend(
            names::qualified_name(kind.str())
                .into_iter()
                .map(|text| kind.invalid(text)),
        );
    }
    scheduling::gates(&spec.get("schedulingGates"), out);
    scheduling::topology_spread(&spec.get("topologySpreadConstraints"), options, out);
    security::windows_host_process(spec, out);
    security::host_users(spec, options, out);
    hostname_override(spec, out);
    named_fields(spec, options, out);
    security::operating_system(spec, out);
    env::file_volumes(spec, out);
}

/// Fields that each stand for themselves.
fn named_fields(spec: &Field<'_>, options: &Options, out: &mut Findings) {
    let checked = |name: &'static str, rule: fn(&str) -> Vec<String>, out: &mut Findings| {
        let field = spec.get(name);
        if !field.is_empty() {
            out.extend(rule(field.str()).into_iter().map(|text| field.invalid(text)));
        }
    };
    checked("serviceAccountName", names::dns_subdomain, out);
    checked("nodeName", names::dns_subdomain, out);
    let deadline = spec.get("activeDeadlineSeconds");
    if let Some(seconds) = deadline.opt_int() {
        let texts = names::in_range(seconds, 1, i64::from(i32::MAX));
        out.extend(texts.into_iter().map(|text| deadline.invalid(text)));
    }
    checked("hostname", names::dns_label, out);
    checked("subdomain", names::dns_label, out);
    scheduling::tolerations(&spec.get("tolerations"), out);
    for alias in spec.items("hostAliases") {
        let address = alias.get("ip");
        ip::validate_legacy(&address, address.str(), out);
        for name in alias.items("hostnames") {
            out.extend(
                names::dns_subdomain(name.str())
                    .into_iter()
                    .map(|text| name.invalid(text)),
            );
        }
    }
    checked("priorityClassName", names::dns_subdomain, out);
    let class = spec.get("runtimeClassName");
    if class.exists() {
        out.extend(
            names::dns_subdomain(class.str())
                .into_iter()
                .map(|text| class.invalid(text)),
        );
    }
    if spec.get("preemptionPolicy").exists() {
        word(
            &spec.get("preemptionPolicy"),
            &["PreemptLowerPriority", "Never"],
            out,
        );
    }
    resource_requirements::overhead(&spec.get("overhead"), options, out);
}

/// One of some words; it must be there.
fn word(field: &Field<'_>, words: &[&str], out: &mut Findings) {
    match field.str() {
        "" => out.push(field.required("")),
        text if words.contains(&text) => {}
        _ => out.push(field.not_supported(words)),
    }
}

fn host_network_ports(spec: &Field<'_>, options: &Options, out: &mut Findings) {
    if !spec.get("hostNetwork").bool() {
        return;
    }
    for port in spec
        .items("containers")
        .flat_map(|container| container.items("ports"))
    {
        let (host, own) = (port.get("hostPort"), port.get("containerPort").int());
        if (options.is_pod || host.int() != 0) && host.int() != own {
            out.push(host.invalid_value(
                host.int(),
                "must match `containerPort` when `hostNetwork` is true",
            ));
        }
    }
}

fn dns_config(spec: &Field<'_>, out: &mut Findings) {
    let config = spec.get("dnsConfig");
    let (servers, searches) = (config.get("nameservers"), config.get("searches"));
    if spec.get("dnsPolicy").str() == "None" {
        if !config.exists() {
            out.push(config.required("must provide `dnsConfig` when `dnsPolicy` is None"));
            return;
        }
        if servers.is_empty() {
            out.push(servers.required("must provide at least one DNS nameserver when `dnsPolicy` is None"));
            return;
        }
    }
    if servers.len() > DNS_NAMESERVERS_MAX {
        out.push(servers.invalid(format!(
            "must not have more than {DNS_NAMESERVERS_MAX} nameservers"
        )));
    }
    servers
        .list()
        .for_each(|server| ip::validate_legacy(&server, server.str(), out));
    if searches.len() > DNS_SEARCHES_MAX {
        out.push(searches.invalid(format!("must not have more than {DNS_SEARCHES_MAX} search paths")));
    }
    let chars: usize = searches.strings().map(|search| search.len() + 1).sum();
    if chars > DNS_SEARCH_CHARS_MAX + 1 {
        out.push(searches.invalid(format!(
            "must not have more than {DNS_SEARCH_CHARS_MAX} characters (including spaces) in the search list"
        )));
    }
    for search in searches.list().filter(|search| search.str() != ".") {
        let name = search.str().strip_suffix('.').unwrap_or(search.str());
        let texts = names::dns_subdomain_with_underscore(name);
        out.extend(texts.into_iter().map(|text| search.invalid_value(name, text)));
    }
    for option in config.items("options") {
        if option.get("name").is_empty() {
            out.push(option.required("must not be empty"));
        }
    }
}

fn hostname_override(spec: &Field<'_>, out: &mut Findings) {
    let name = spec.get("hostnameOverride");
    if !name.exists() {
        return;
    }
    for other in ["setHostnameAsFQDN", "hostNetwork"] {
        if spec.get(other).bool() {
            out.push(name.forbidden(format!("may not be specified when {other} is true")));
        }
    }
    if name.len() > HOSTNAME_OVERRIDE_MAX {
        out.push(name.too_long(HOSTNAME_OVERRIDE_MAX));
    }
    out.extend(
        names::dns_subdomain(name.str())
            .into_iter()
            .map(|text| name.invalid(text)),
    );
}

fn resource_claims(claims: &Field<'_>, meta: Option<&Field<'_>>, out: &mut Findings) {
    let mirror = meta.is_some_and(|meta| meta.get("annotations").key(annotations::MIRROR).exists());
    let mut seen = Vec::new();
    for claim in claims.list() {
        if mirror {
            out.push(Field::at("", None).forbidden("static pods do not support resource claims"));
            continue;
        }
        let (name, own) = (claim.get("name"), claim.get("resourceClaimName"));
        let template = claim.get("resourceClaimTemplateName");
        if name.is_empty() {
            out.push(name.required(""));
        } else if seen.contains(&name.str()) {
            out.push(name.duplicate());
        } else {
            out.extend(
                names::dns_label(name.str())
                    .into_iter()
                    .map(|text| name.invalid(text)),
            );
            seen.push(name.str());
        }
        let shown = || {
            go_struct(
                &claim,
                &[
                    ("Name", "name", Go::Text),
                    ("ResourceClaimName", "resourceClaimName", Go::Pointer),
                    (
                        "ResourceClaimTemplateName",
                        "resourceClaimTemplateName",
                        Go::Pointer,
                    ),
                ],
            )
        };
        match (own.exists(), template.exists()) {
            (true, true) => {
                let detail =
                    "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified";
                out.push(claim.invalid_shown(shown(), detail));
            }
            (false, false) => {
                let detail = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`";
                out.push(claim.invalid_shown(shown(), detail));
            }
            _ => {}
        }
        for field in [own, template].iter().filter(|field| field.exists()) {
            let texts = names::dns_subdomain_name(field.str(), false);
            out.extend(texts.into_iter().map(|text| field.invalid(text)));
        }
    }
}
