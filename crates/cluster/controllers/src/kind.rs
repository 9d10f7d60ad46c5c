//! The resources that controllers read and write.

use std::borrow::Cow;

/// A resource in the version that controllers speak: one of those below, or any that the server has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind {
    /// API group, empty for core.
    pub group: Cow<'static, str>,
    /// API version.
    pub version: Cow<'static, str>,
    /// `pods`
    pub plural: Cow<'static, str>,
    /// `Pod`
    pub kind: Cow<'static, str>,
    /// Its objects live in namespaces.
    pub namespaced: bool,
}

impl Kind {
    /// What stands in `apiVersion`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

macro_rules! kinds {
    ($($name:ident = $group:literal $version:literal $plural:literal $kind:literal $namespaced:literal;)+) => {
        $(
            #[doc = concat!("`", $kind, "`")]
            pub const $name: Kind = Kind {
                group: Cow::Borrowed($group),
                version: Cow::Borrowed($version),
                plural: Cow::Borrowed($plural),
                kind: Cow::Borrowed($kind),
                namespaced: $namespaced,
            };
        )+

        /// All of them.
        pub const ALL: &[Kind] = &[$($name),+];
    };
}

kinds! {
    CUSTOM_RESOURCE_DEFINITION = "apiextensions.k8s.io" "v1" "customresourcedefinitions" "CustomResourceDefinition" false;
    CONFIG_MAP = "" "v1" "configmaps" "ConfigMap" true;
    ENDPOINTS = "" "v1" "endpoints" "Endpoints" true;
    EVENT = "" "v1" "events" "Event" true;
    LIMIT_RANGE = "" "v1" "limitranges" "LimitRange" true;
    NAMESPACE = "" "v1" "namespaces" "Namespace" false;
    NODE = "" "v1" "nodes" "Node" false;
    PERSISTENT_VOLUME = "" "v1" "persistentvolumes" "PersistentVolume" false;
    PERSISTENT_VOLUME_CLAIM = "" "v1" "persistentvolumeclaims" "PersistentVolumeClaim" true;
    POD = "" "v1" "pods" "Pod" true;
    REPLICATION_CONTROLLER = "" "v1" "replicationcontrollers" "ReplicationController" true;
    RESOURCE_QUOTA = "" "v1" "resourcequotas" "ResourceQuota" true;
    SECRET = "" "v1" "secrets" "Secret" true;
    SERVICE = "" "v1" "services" "Service" true;
    SERVICE_ACCOUNT = "" "v1" "serviceaccounts" "ServiceAccount" true;
    CONTROLLER_REVISION = "apps" "v1" "controllerrevisions" "ControllerRevision" true;
    DAEMON_SET = "apps" "v1" "daemonsets" "DaemonSet" true;
    DEPLOYMENT = "apps" "v1" "deployments" "Deployment" true;
    REPLICA_SET = "apps" "v1" "replicasets" "ReplicaSet" true;
    STATEFUL_SET = "apps" "v1" "statefulsets" "StatefulSet" true;
    CRON_JOB = "batch" "v1" "cronjobs" "CronJob" true;
    LEASE = "coordination.k8s.io" "v1" "leases" "Lease" true;
    JOB = "batch" "v1" "jobs" "Job" true;
    ENDPOINT_SLICE = "discovery.k8s.io" "v1" "endpointslices" "EndpointSlice" true;
    POD_DISRUPTION_BUDGET = "policy" "v1" "poddisruptionbudgets" "PodDisruptionBudget" true;
    PRIORITY_CLASS = "scheduling.k8s.io" "v1" "priorityclasses" "PriorityClass" false;
    STORAGE_CLASS = "storage.k8s.io" "v1" "storageclasses" "StorageClass" false;
}
