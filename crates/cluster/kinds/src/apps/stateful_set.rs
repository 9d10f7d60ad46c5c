//! StatefulSet (`pkg/apis/apps/validation`, `pkg/registry/apps/statefulset/strategy.go`).

use serde_json::{Value, json};

use super::deployment::shown_strategy;
use crate::core::claim_spec;
use crate::core::pod::{Options, defaults, spec as pod_spec, warnings};
use crate::cursor::{Field, Findings, same};
use crate::edit::Edit;
use crate::metadata::{self, non_negative};
use crate::rules::{GENERIC_RULES, Rules};
use crate::selector::LabelSelector;
use crate::{columns, labels, names, table, workload};

/// The row of StatefulSet.
pub const RULES: Rules = Rules {
    group: "apps",
    version: "v1",
    kind: "StatefulSet",
    name: names::dns_label_name,
    default,
    prepare_create: |object| {
        drop_max_unavailable(object, None);
        workload::prepare_create(object, TEMPLATE, json!({"replicas": 0, "availableReplicas": 0}));
    },
    prepare_update: |new, old| {
        drop_max_unavailable(new, Some(old));
        workload::prepare_update(new, old, TEMPLATE);
    },
    validate_create: |object| {
        let mut out = Vec::new();
        let spec = Field::root(object).get("spec");
        validate_spec(&spec, &Options::NEW_TEMPLATE, Checks::ALL, &mut out);
        out
    },
    validate_update,
    validate_status,
    warnings: warnings_of,
    update_warnings,
    columns: columns::STATEFUL_SET,
    cells,
    ..GENERIC_RULES
};

const TEMPLATE: &[&str] = &["spec", "template"];

const FORBIDDEN: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
                         'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                         'minReadySeconds' are forbidden";

/// What an update does not check, since it could not have been changed.
#[derive(Clone, Copy)]
struct Checks {
    service_name: bool,
    template: bool,
    claims: bool,
}

impl Checks {
    const ALL: Self = Self {
        service_name: true,
        template: true,
        claims: true,
    };
}

fn default(object: &mut Value) {
    let spec = object.ensure("spec");
    spec.default_zero("podManagementPolicy", "OrderedReady");
    let strategy = spec.ensure("updateStrategy");
    if Field::root(strategy).get("type").is_empty() {
        strategy.set("type", "RollingUpdate");
        strategy.ensure("rollingUpdate");
    }
    if Field::root(strategy).get("type").str() == "RollingUpdate"
        && let Some(rolling) = strategy.child("rollingUpdate")
    {
        rolling.default_to("partition", 0);
    }
    let retention = spec.ensure("persistentVolumeClaimRetentionPolicy");
    retention.default_zero("whenDeleted", "Retain");
    retention.default_zero("whenScaled", "Retain");
    spec.default_to("replicas", 1);
    spec.default_to("revisionHistoryLimit", 10);
    defaults::template(spec.ensure("template"));
    for claim in spec.each("volumeClaimTemplates") {
        claim.default_zero("apiVersion", "v1");
        claim.default_zero("kind", "PersistentVolumeClaim");
        claim.ensure("metadata");
        defaults::claim_spec(claim.ensure("spec"));
        claim.ensure("status").default_zero("phase", "Pending");
    }
    let status = object.ensure("status");
    status.default_to("replicas", 0);
    status.default_to("availableReplicas", 0);
}

/// `maxUnavailable` is a feature that is off.
fn drop_max_unavailable(new: &mut Value, old: Option<&Value>) {
    let path = |object| {
        Field::root(object)
            .get("spec")
            .get("updateStrategy")
            .get("rollingUpdate")
    };
    if old.is_some_and(|old| path(old).get("maxUnavailable").exists()) {
        return;
    }
    if let Some(rolling) = new.descend(&["spec", "updateStrategy", "rollingUpdate"]) {
        rolling.unset("maxUnavailable");
    }
}

fn validate_update(new: &Value, old: &Value) -> Findings {
    let (spec, old_spec) = (Field::root(new).get("spec"), Field::root(old).get("spec"));
    let options = workload::options(&old_spec.get("template"));
    let mut checks = Checks {
        service_name: false,
        template: true,
        claims: false,
    };
    // An old object that is wrong by today's rules may go on, but for its template.
    let mut before = Vec::new();
    validate_spec(&old_spec, &options, checks, &mut before);
    checks.template = before.is_empty();
    let mut out = Vec::new();
    validate_spec(&spec, &options, checks, &mut out);
    let mut rest = spec.value().cloned().unwrap_or_default();
    let old_value = old_spec.value().cloned().unwrap_or_default();
    for name in [
        "replicas",
        "template",
        "updateStrategy",
        "minReadySeconds",
        "ordinals",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
    ] {
        rest.keep(name, &old_value);
    }
    if !same(Some(&rest), Some(&old_value)) {
        out.push(spec.forbidden(FORBIDDEN));
    }
    out
}

fn validate_spec(spec: &Field<'_>, options: &Options, checks: Checks, out: &mut Findings) {
    let management = spec.get("podManagementPolicy");
    match management.str() {
        "OrderedReady" | "Parallel" => {}
        "" => out.push(management.required("")),
        _ => out.push(management.invalid("must be 'OrderedReady' or 'Parallel'")),
    }
    validate_strategy(&spec.get("updateStrategy"), out);
    let retention = spec.get("persistentVolumeClaimRetentionPolicy");
    for policy in ["whenDeleted", "whenScaled"].map(|name| retention.get(name)) {
        if retention.exists() && !matches!(policy.str(), "Retain" | "Delete") {
            out.push(policy.not_supported_value(policy.str(), &["Retain", "Delete"]));
        }
    }
    if checks.claims {
        for claim in spec.items("volumeClaimTemplates") {
            claim_spec::validate(&claim.get("spec"), claim_spec::Options::default(), out);
        }
    }
    non_negative(&spec.get("replicas"), out);
    non_negative(&spec.get("minReadySeconds"), out);
    let start = spec
        .get("ordinals.start")
        .with(spec.get("ordinals").get("start").value());
    non_negative(&start, out);
    let service = spec.get("serviceName");
    if checks.service_name && !service.is_empty() {
        out.extend(
            names::dns_label(service.str())
                .into_iter()
                .map(|text| service.invalid(text)),
        );
    }
    workload::required_selector(&spec.get("selector"), "statefulset", out);
    let template = spec.get("template");
    if let Some(selector) = workload::selector(&spec.get("selector"), "", out) {
        validate_template(spec, &selector, options, checks, out);
    }
    workload::always_running(&template, "StatefulSet", out);
}

fn validate_strategy(strategy: &Field<'_>, out: &mut Findings) {
    let rolling = strategy.get("rollingUpdate");
    match strategy.get("type").str() {
        "" => out.push(strategy.required("")),
        "OnDelete" => {
            if rolling.exists() {
                let partition = rolling.get("partition").int();
                let shown = format!("{{\"Partition\":{partition},\"MaxUnavailable\":null}}");
                out.push(rolling.invalid_shown(shown, "only allowed for updateStrategy 'RollingUpdate'"));
            }
        }
        "RollingUpdate" => {
            non_negative(&rolling.get("partition"), out);
            let unavailable = rolling.get("maxUnavailable");
            if unavailable.exists() {
                workload::int_or_percent(&unavailable, out);
                if workload::int_or_percent_value(&unavailable) == 0 {
                    out.push(unavailable.invalid("cannot be 0"));
                }
                workload::at_most_100_percent(&unavailable, out);
            }
        }
        _ => {
            let fields = [
                ("Partition", "partition", "0"),
                ("MaxUnavailable", "maxUnavailable", "null"),
            ];
            let detail = "must be 'RollingUpdate' or 'OnDelete'";
            out.push(strategy.invalid_shown(shown_strategy(strategy, &fields), detail));
        }
    }
}

/// The template as its pods will have it: with the volumes of the claims, and named by the controller.
fn validate_template(
    spec: &Field<'_>,
    selector: &LabelSelector,
    options: &Options,
    checks: Checks,
    out: &mut Findings,
) {
    let place = spec.get("template");
    let mut template = place.value().cloned().unwrap_or_default();
    let claims: Vec<&str> = spec
        .items("volumeClaimTemplates")
        .map(|claim| claim.get("metadata").get("name").str())
        .collect();
    let of_pod = template.ensure("spec");
    of_pod.unset("subdomain");
    of_pod.unset("hostname");
    if !claims.is_empty() {
        let claimed = claims
            .iter()
            .map(|name| json!({"name": name, "persistentVolumeClaim": {"claimName": name}}));
        let own = Field::root(of_pod)
            .items("volumes")
            .filter(|v| !claims.contains(&v.get("name").str()));
        let volumes: Vec<Value> = claimed
            .chain(own.filter_map(|volume| volume.value().cloned()))
            .collect();
        of_pod.set("volumes", volumes);
    }
    // The checks of a changed copy borrow from it, and findings own their values.
    let copy = json!({"spec": {"template": template}});
    let template = Field::root(&copy).get("spec").get("template");
    if !selector.is_everything() {
        workload::selects_template(selector, &template, out);
    }
    if checks.template {
        pod_spec::validate_template(&template, options, out);
    }
    let meta = template.get("metadata");
    labels::validate_labels(&template.get("labels").with(meta.get("labels").value()), out);
    let annotations = template.get("annotations");
    metadata::annotations(&annotations.with(meta.get("annotations").value()), out);
    pod_spec::validate_annotations(&template, options, out);
}

fn validate_status(new: &Value, old: &Value) -> Findings {
    let (new, old) = (Field::root(new).get("status"), Field::root(old).get("status"));
    let mut out = Vec::new();
    workload::counts(
        &new,
        &[
            "replicas",
            "readyReplicas",
            "currentReplicas",
            "updatedReplicas",
            "availableReplicas",
            "observedGeneration",
            "collisionCount",
        ],
        &[
            "readyReplicas",
            "currentReplicas",
            "updatedReplicas",
            "availableReplicas",
        ],
        "status.readyReplicas",
        &mut out,
    );
    workload::collisions(&new, &old, &mut out);
    out
}

fn warnings_of(object: &Value) -> Vec<String> {
    let spec = Field::root(object).get("spec");
    let mut out = warnings::of_template(&spec.get("template"));
    out.extend(other_warnings(&spec, false));
    out
}

fn update_warnings(new: &Value, old: &Value) -> Vec<String> {
    let mut out = workload::update_warnings(new, old);
    out.extend(other_warnings(&Field::root(new).get("spec"), true));
    out
}

fn other_warnings(spec: &Field<'_>, update: bool) -> Vec<String> {
    let mut out = Vec::new();
    for claim in spec.items("volumeClaimTemplates") {
        // Upstream's paths: without `spec` on a create, with `Spec` on an update.
        let place = if update { claim.get("Spec") } else { claim.clone() };
        warnings::claim_spec(&place.with(claim.get("spec").value()), &mut out);
    }
    if spec.get("revisionHistoryLimit").int() < 0 {
        out.push(
            "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
                .to_owned(),
        );
    }
    out
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let (spec, status) = (root.get("spec"), root.get("status"));
    let [names, images] = workload::container_cells(&spec.get("template"));
    let ready = format!(
        "{}/{}",
        status.get("readyReplicas").int(),
        spec.get("replicas").int()
    );
    vec![
        table::name(object),
        ready.into(),
        table::age(object, now),
        names,
        images,
    ]
}
