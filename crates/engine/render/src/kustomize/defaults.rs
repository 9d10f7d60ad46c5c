//! The tables of kustomize 5.8.1 (`api/internal/konfig/builtinpluginconsts`), written by where a pod's template is.

use super::config::{BackReference, Config, field_spec};
use super::filters::field_spec::FieldSpec;
use super::resid::Gvk;

/// A kind that holds a pod, and the path to the pod's `spec`.
type Workload = (&'static str, &'static str);

const POD: Workload = ("Pod", "spec");
const POD_TEMPLATE: Workload = ("PodTemplate", "template/spec");
const DEPLOYMENT: Workload = ("Deployment", "spec/template/spec");
const REPLICA_SET: Workload = ("ReplicaSet", "spec/template/spec");
const DAEMON_SET: Workload = ("DaemonSet", "spec/template/spec");
const STATEFUL_SET: Workload = ("StatefulSet", "spec/template/spec");
const JOB: Workload = ("Job", "spec/template/spec");
const CRON_JOB: Workload = ("CronJob", "spec/jobTemplate/spec/template/spec");
const REPLICATION_CONTROLLER: Workload = ("ReplicationController", "spec/template/spec");

/// Where names of ConfigMaps and Secrets are updated.
const WITH_CONFIG: [Workload; 8] = [
    POD,
    POD_TEMPLATE,
    DEPLOYMENT,
    REPLICA_SET,
    DAEMON_SET,
    STATEFUL_SET,
    JOB,
    CRON_JOB,
];

/// Where names of service accounts, claims and priority classes are updated.
const WITH_ACCOUNT: [Workload; 7] = [
    POD,
    STATEFUL_SET,
    DEPLOYMENT,
    REPLICATION_CONTROLLER,
    CRON_JOB,
    JOB,
    DAEMON_SET,
];

/// Where `$(NAME)` is replaced.
const WITH_VARIABLES: [Workload; 7] = [
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    JOB,
    POD,
    REPLICA_SET,
    STATEFUL_SET,
];

const CONFIG_MAP_FIELDS: [&str; 6] = [
    "volumes/configMap/name",
    "containers/env/valueFrom/configMapKeyRef/name",
    "initContainers/env/valueFrom/configMapKeyRef/name",
    "containers/envFrom/configMapRef/name",
    "initContainers/envFrom/configMapRef/name",
    "volumes/projected/sources/configMap/name",
];

const SECRET_FIELDS: [&str; 7] = [
    "volumes/secret/secretName",
    "containers/env/valueFrom/secretKeyRef/name",
    "initContainers/env/valueFrom/secretKeyRef/name",
    "containers/envFrom/secretRef/name",
    "initContainers/envFrom/secretRef/name",
    "imagePullSecrets/name",
    "volumes/projected/sources/secret/name",
];

const VARIABLE_FIELDS: [&str; 4] = ["args", "command", "env/value", "volumeMounts/mountPath"];

const AFFINITY_TERMS: [&str; 2] = [
    "preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm",
    "requiredDuringSchedulingIgnoredDuringExecution",
];

const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
const NETWORKING: &str = "networking.k8s.io";

/// All tables, not yet sorted.
pub(super) fn tables() -> Config {
    let mut common_labels = selectors();
    common_labels.extend(metadata_labels());
    Config {
        name_prefix: vec![spec("", "", "", "metadata/name")],
        name_suffix: vec![spec("", "", "", "metadata/name")],
        namespace: vec![
            created("", "", "Namespace", "metadata/name"),
            created(
                "apiregistration.k8s.io",
                "",
                "APIService",
                "spec/service/namespace",
            ),
            spec(
                "apiextensions.k8s.io",
                "",
                "CustomResourceDefinition",
                "spec/conversion/webhook/clientConfig/service/namespace",
            ),
        ],
        common_labels,
        labels: Vec::new(),
        template_labels: metadata_labels(),
        common_annotations: common_annotations(),
        name_reference: name_references(),
        var_reference: var_references(),
        images: ["spec", "spec/template/spec"]
            .iter()
            .flat_map(|at| {
                [
                    "containers[]/image",
                    "initContainers[]/image",
                    "volumes[]/image/reference",
                ]
                .map(|field| created("", "", "", &format!("{at}/{field}")))
            })
            .collect(),
        replicas: ["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"]
            .iter()
            .map(|kind| created("", "", kind, "spec/replicas"))
            .collect(),
    }
}

fn spec(group: &str, version: &str, kind: &str, path: &str) -> FieldSpec {
    field_spec(group, version, kind, path, false)
}

fn created(group: &str, version: &str, kind: &str, path: &str) -> FieldSpec {
    field_spec(group, version, kind, path, true)
}

fn metadata_labels() -> Vec<FieldSpec> {
    let template = "spec/template/metadata/labels";
    vec![
        created("", "", "", "metadata/labels"),
        created("", "v1", "ReplicationController", template),
        created("", "", "Deployment", template),
        created("", "", "ReplicaSet", template),
        created("", "", "DaemonSet", template),
        created("apps", "", "StatefulSet", template),
        created(
            "apps",
            "",
            "StatefulSet",
            "spec/volumeClaimTemplates[]/metadata/labels",
        ),
        created("batch", "", "Job", template),
        created("batch", "", "CronJob", "spec/jobTemplate/metadata/labels"),
        created(
            "batch",
            "",
            "CronJob",
            "spec/jobTemplate/spec/template/metadata/labels",
        ),
    ]
}

fn selectors() -> Vec<FieldSpec> {
    let selector = "spec/selector/matchLabels";
    let mut specs = vec![
        created("", "v1", "Service", "spec/selector"),
        created("", "v1", "ReplicationController", "spec/selector"),
        created("", "", "Deployment", selector),
        created("", "", "ReplicaSet", selector),
        created("", "", "DaemonSet", selector),
        created("apps", "", "StatefulSet", selector),
        spec("batch", "", "Job", selector),
        spec(
            "batch",
            "",
            "CronJob",
            "spec/jobTemplate/spec/selector/matchLabels",
        ),
        spec("policy", "", "PodDisruptionBudget", selector),
        spec(NETWORKING, "", "NetworkPolicy", "spec/podSelector/matchLabels"),
        spec(
            NETWORKING,
            "",
            "NetworkPolicy",
            "spec/ingress/from/podSelector/matchLabels",
        ),
        spec(
            NETWORKING,
            "",
            "NetworkPolicy",
            "spec/egress/to/podSelector/matchLabels",
        ),
    ];
    for (kind, pod) in [DEPLOYMENT, STATEFUL_SET] {
        for affinity in ["podAffinity", "podAntiAffinity"] {
            for term in AFFINITY_TERMS {
                let path = format!("{pod}/affinity/{affinity}/{term}/labelSelector/matchLabels");
                specs.push(spec("apps", "", kind, &path));
            }
        }
        let path = format!("{pod}/topologySpreadConstraints/labelSelector/matchLabels");
        specs.push(spec("apps", "", kind, &path));
    }
    specs
}

fn common_annotations() -> Vec<FieldSpec> {
    let template = "spec/template/metadata/annotations";
    vec![
        created("", "", "", "metadata/annotations"),
        created("", "v1", "ReplicationController", template),
        created("", "", "Deployment", template),
        created("", "", "ReplicaSet", template),
        created("", "", "DaemonSet", template),
        created("", "", "StatefulSet", template),
        created("batch", "", "Job", template),
        created("batch", "", "CronJob", "spec/jobTemplate/metadata/annotations"),
        created(
            "batch",
            "",
            "CronJob",
            "spec/jobTemplate/spec/template/metadata/annotations",
        ),
    ]
}

fn var_references() -> Vec<FieldSpec> {
    let mut specs = Vec::new();
    for (kind, pod) in WITH_VARIABLES {
        for list in ["containers", "initContainers"] {
            for field in VARIABLE_FIELDS {
                specs.push(spec("", "", kind, &format!("{pod}/{list}/{field}")));
            }
        }
        let server = match kind {
            // kustomize's tables name this path, which no CronJob has.
            "CronJob" => "spec/jobTemplate/spec/template/volumes/nfs/server".to_owned(),
            "StatefulSet" => "spec/volumeClaimTemplates/spec/nfs/server".to_owned(),
            _ => format!("{pod}/volumes/nfs/server"),
        };
        specs.push(spec("", "", kind, &server));
    }
    let others = [
        ("Deployment", "spec/template/metadata/annotations"),
        ("Ingress", "spec/rules/host"),
        ("Ingress", "spec/tls/hosts"),
        ("Ingress", "spec/tls/secretName"),
        ("Service", "spec/ports/port"),
        ("Service", "spec/ports/targetPort"),
        ("PersistentVolume", "spec/nfs/server"),
        ("", "metadata/labels"),
        ("", "metadata/annotations"),
    ];
    specs.extend(others.map(|(kind, path)| spec("", "", kind, path)));
    specs
}

/// The fields of workloads; only the Pod's own are bound to a version.
fn in_pods(workloads: &[Workload], fields: &[&str], pod_version: &str) -> Vec<FieldSpec> {
    let mut specs = Vec::with_capacity(workloads.len() * fields.len());
    for (kind, pod) in workloads {
        let version = if *kind == "Pod" { pod_version } else { "" };
        for field in fields {
            specs.push(spec("", version, kind, &format!("{pod}/{field}")));
        }
    }
    specs
}

fn of_kinds(fields: &[(&str, &str)]) -> Vec<FieldSpec> {
    fields
        .iter()
        .map(|(kind, path)| spec("", "", kind, path))
        .collect()
}

fn target(group: &str, version: &str, kind: &str, referrers: Vec<FieldSpec>) -> BackReference {
    BackReference {
        target: Gvk {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        },
        referrers,
    }
}

fn name_references() -> Vec<BackReference> {
    let mut references: Vec<BackReference> =
        ["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"]
            .iter()
            .map(|kind| {
                let scaler = of_kinds(&[("HorizontalPodAutoscaler", "spec/scaleTargetRef/name")]);
                target("", "", kind, scaler)
            })
            .collect();
    references.extend([
        target("", "v1", "ConfigMap", config_map_referrers()),
        target("", "v1", "Secret", secret_referrers()),
        target("", "v1", "Service", service_referrers()),
        target(
            RBAC,
            "",
            "Role",
            vec![spec(RBAC, "", "RoleBinding", "roleRef/name")],
        ),
        target(
            RBAC,
            "",
            "ClusterRole",
            vec![
                spec(RBAC, "", "RoleBinding", "roleRef/name"),
                spec(RBAC, "", "ClusterRoleBinding", "roleRef/name"),
            ],
        ),
        target("", "v1", "ServiceAccount", service_account_referrers()),
        target(
            "",
            "v1",
            "PersistentVolumeClaim",
            in_pods(&WITH_ACCOUNT, &["volumes/persistentVolumeClaim/claimName"], ""),
        ),
        target(
            "",
            "v1",
            "PersistentVolume",
            of_kinds(&[
                ("PersistentVolumeClaim", "spec/volumeName"),
                ("ClusterRole", "rules/resourceNames"),
            ]),
        ),
        target(
            "storage.k8s.io",
            "v1",
            "StorageClass",
            of_kinds(&[
                ("PersistentVolume", "spec/storageClassName"),
                ("PersistentVolumeClaim", "spec/storageClassName"),
                ("StatefulSet", "spec/volumeClaimTemplates/spec/storageClassName"),
            ]),
        ),
        target(
            "scheduling.k8s.io",
            "v1",
            "PriorityClass",
            in_pods(&WITH_ACCOUNT, &["priorityClassName"], ""),
        ),
        // The group is written so in kustomize's table, and so nothing matches it.
        target(
            "networking.k8s.io/v1",
            "v1",
            "IngressClass",
            of_kinds(&[("Ingress", "spec/ingressClassName")]),
        ),
        target(
            ADMISSION,
            "",
            "ValidatingAdmissionPolicy",
            vec![spec(
                ADMISSION,
                "",
                "ValidatingAdmissionPolicyBinding",
                "spec/policyName",
            )],
        ),
    ]);
    references
}

fn config_map_referrers() -> Vec<FieldSpec> {
    let mut specs = in_pods(&WITH_CONFIG, &CONFIG_MAP_FIELDS, "v1");
    specs.extend(of_kinds(&[
        ("Node", "spec/configSource/configMap"),
        ("Role", "rules/resourceNames"),
        ("ClusterRole", "rules/resourceNames"),
        (
            "Ingress",
            "metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap",
        ),
    ]));
    specs
}

fn secret_referrers() -> Vec<FieldSpec> {
    let mut specs = in_pods(&WITH_CONFIG, &SECRET_FIELDS, "v1");
    specs.extend(of_kinds(&[
        ("Ingress", "spec/tls/secretName"),
        (
            "Ingress",
            "metadata/annotations/ingress.kubernetes.io\\/auth-secret",
        ),
        (
            "Ingress",
            "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret",
        ),
        (
            "Ingress",
            "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret",
        ),
        ("ServiceAccount", "imagePullSecrets/name"),
        ("StorageClass", "parameters/secretName"),
        ("StorageClass", "parameters/adminSecretName"),
        ("StorageClass", "parameters/userSecretName"),
        ("StorageClass", "parameters/secretRef"),
        ("Role", "rules/resourceNames"),
        ("ClusterRole", "rules/resourceNames"),
        ("PersistentVolume", "spec/azureFile/secretName"),
    ]));
    specs.push(spec(
        "serving.knative.dev",
        "v1",
        "Service",
        "spec/template/spec/containers/env/valueFrom/secretKeyRef/name",
    ));
    specs
}

fn service_referrers() -> Vec<FieldSpec> {
    let mut specs = of_kinds(&[
        ("Ingress", "spec/rules/http/paths/backend/serviceName"),
        ("Ingress", "spec/backend/serviceName"),
        ("Ingress", "spec/rules/http/paths/backend/service/name"),
        ("Ingress", "spec/defaultBackend/service/name"),
    ]);
    specs.extend([
        spec("apps", "", "StatefulSet", "spec/serviceName"),
        spec("apiregistration.k8s.io", "", "APIService", "spec/service/name"),
        spec(
            ADMISSION,
            "",
            "ValidatingWebhookConfiguration",
            "webhooks/clientConfig/service",
        ),
        spec(
            ADMISSION,
            "",
            "MutatingWebhookConfiguration",
            "webhooks/clientConfig/service",
        ),
    ]);
    specs
}

fn service_account_referrers() -> Vec<FieldSpec> {
    let mut specs = vec![
        spec(RBAC, "", "RoleBinding", "subjects"),
        spec(RBAC, "", "ClusterRoleBinding", "subjects"),
    ];
    specs.extend(in_pods(&WITH_ACCOUNT, &["serviceAccountName"], ""));
    specs
}
