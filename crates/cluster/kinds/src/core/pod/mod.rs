//! Pods, and the spec that templates share with them. One file a concern; this one puts them together.

mod annotations;
mod containers;
pub mod defaults;
mod diff;
mod env;
mod image;
mod options;
pub mod paths;
mod prepare;
pub mod probes;
mod projected;
pub mod resource_requirements;
pub mod scheduling;
mod security;
pub mod spec;
mod status;
mod table;
mod update;
pub mod volume_sources;
mod volumes;
pub mod warnings;

use serde_json::Value;

pub use options::Options;
pub use prepare::{drop_disabled, qos_class};
pub use probes::port;
pub use volume_sources::csi_driver;

use crate::cursor::{Field, Findings};
use crate::rules::{GENERIC_RULES, Rules, Selectable, SubresourceRules};
use crate::{columns, metadata, names};

/// The row of Pod.
pub const RULES: Rules = Rules {
    version: "v1",
    kind: "Pod",
    name: names::dns_subdomain_name,
    default: defaults::pod,
    prepare_create: prepare::create,
    prepare_update: prepare::update,
    prepare_status: prepare::status,
    validate_create: |pod| validate_create(&Field::root(pod)),
    validate_update: |new, old| update::validate(&Field::root(new), &Field::root(old)),
    validate_status: |new, old| status::validate(&Field::root(new), &Field::root(old)),
    warnings: |pod| warnings::of_pod(&Field::root(pod)),
    columns: columns::POD,
    cells: table::cells,
    row_conditions: table::row_conditions,
    selectable: SELECTABLE,
    graceful_deletion: Some(grace_seconds),
    subresources: &[
        SubresourceRules {
            name: "ephemeralcontainers",
            prepare: prepare::ephemeral_containers,
            validate: update::validate_ephemeral_containers,
        },
        SubresourceRules {
            name: "resize",
            prepare: prepare::resize,
            validate: update::validate_resize,
        },
    ],
    ..GENERIC_RULES
};

const SELECTABLE: &[Selectable] = &[
    Selectable {
        name: "spec.nodeName",
        value: |pod| text(pod, &["spec", "nodeName"]),
    },
    Selectable {
        name: "spec.restartPolicy",
        value: |pod| text(pod, &["spec", "restartPolicy"]),
    },
    Selectable {
        name: "spec.schedulerName",
        value: |pod| text(pod, &["spec", "schedulerName"]),
    },
    Selectable {
        name: "spec.serviceAccountName",
        value: |pod| text(pod, &["spec", "serviceAccountName"]),
    },
    Selectable {
        name: "spec.hostNetwork",
        value: |pod| Field::root(pod).get("spec").get("hostNetwork").bool().to_string(),
    },
    Selectable {
        name: "status.phase",
        value: |pod| text(pod, &["status", "phase"]),
    },
    Selectable {
        name: "status.podIP",
        value: |pod| {
            let status = Field::root(pod).get("status");
            status.get("podIPs").index(0).get("ip").str().to_owned()
        },
    },
    // Upstream takes these two as well: the first has no value, the second is an old name.
    Selectable {
        name: "status.podIPs",
        value: |_| String::new(),
    },
    Selectable {
        name: "spec.host",
        value: |pod| text(pod, &["spec", "nodeName"]),
    },
    Selectable {
        name: "status.nominatedNodeName",
        value: |pod| text(pod, &["status", "nominatedNodeName"]),
    },
];

fn text(object: &Value, path: &[&'static str]) -> String {
    path.iter()
        .fold(Field::root(object), |field, name| field.get(name))
        .str()
        .to_owned()
}

/// How long a pod is given to end, in seconds, where the client says nothing. A pod that no node runs, or that has
/// ended, is gone at once, whatever the client says (`CheckGracefulDelete`).
fn grace_seconds(pod: &Value) -> u64 {
    let pod = Field::root(pod);
    let ended = matches!(pod.get("status").get("phase").str(), "Failed" | "Succeeded");
    if pod.get("spec").get("nodeName").is_empty() || ended {
        return 0;
    }
    let seconds = pod.get("spec").get("terminationGracePeriodSeconds").int();
    u64::try_from(seconds).unwrap_or(1)
}

/// The containers of a spec in the order in which upstream visits them: init, regular, ephemeral.
pub fn containers<'a>(spec: &Field<'a>) -> impl Iterator<Item = Field<'a>> + use<'a> {
    let lists = [
        spec.get("initContainers"),
        spec.get("containers"),
        spec.get("ephemeralContainers"),
    ];
    lists.into_iter().flat_map(|list| list.list().collect::<Vec<_>>())
}

/// What is wrong with a binding, its metadata aside (`ValidatePodBinding`).
pub fn validate_binding(binding: &Value) -> Findings {
    let target = Field::root(binding).get("target");
    let (kind, name) = (target.get("kind"), target.get("name"));
    let mut out = Vec::new();
    if !matches!(kind.str(), "" | "Node") {
        out.push(kind.not_supported(&["Node", "<empty>"]));
    }
    if name.is_empty() {
        out.push(name.required(""));
    }
    out
}

fn validate_create(pod: &Field<'_>) -> Findings {
    let mut out = check_annotations_and_spec(pod, &Options::NEW_POD);
    let (meta, spec) = (pod.get("metadata"), pod.get("spec"));
    let ephemeral = spec.get("ephemeralContainers");
    if !ephemeral.is_empty() {
        out.push(ephemeral.forbidden("cannot be set on create"));
    }
    let node = spec.get("nodeName");
    if !node.is_empty() && !spec.get("schedulingGates").is_empty() {
        out.push(node.forbidden("cannot be set until all schedulingGates have been cleared"));
    }
    annotations::seccomp_matches(&meta, &spec, &mut out);
    annotations::app_armor_matches(&meta, &spec, &mut out);
    out
}

/// `validatePodMetadataAndSpec`: what an update checks anew.
fn check_metadata_and_spec(pod: &Field<'_>, options: &Options) -> Findings {
    let mut out = metadata::create_of_kubernetes(&pod.get("metadata"), true, names::dns_subdomain_name);
    out.extend(check_annotations_and_spec(pod, options));
    out
}

fn check_annotations_and_spec(pod: &Field<'_>, options: &Options) -> Findings {
    let (meta, spec) = (pod.get("metadata"), pod.get("spec"));
    let mut out = Vec::new();
    annotations::validate(&meta.get("annotations"), &spec, options, &mut out);
    spec::validate(&spec, Some(&meta), options, &mut out);
    if spec.get("serviceAccountName").is_empty() {
        for source in spec
            .items("volumes")
            .flat_map(|volume| volume.get("projected").items("sources"))
        {
            let token = source.get("serviceAccountToken");
            if token.exists() {
                out.push(token.forbidden("must not be specified when serviceAccountName is not set"));
            }
        }
    }
    for list in ["containers", "initContainers"] {
        spec.items(list)
            .for_each(|container| containers::image_spaces(&container, &mut out));
    }
    out
}
