//! What the cluster says about the group: its resources, its APIService, its role.

use std::sync::Arc;

use deploy_cluster_schema::registry::{GroupVersionKind, Resource};
use serde_json::{Value, json};

use super::{GROUP, VERSION};
use crate::api::Api;
use crate::client::{Client, ResourceId};
use crate::identifiers;
use crate::identity::UserInfo;
use crate::options::DeleteOptions;
use crate::status::StatusError;

const SERVICES: ResourceId = ResourceId::new("apiregistration.k8s.io", "v1", "apiservices");
const ROLES: ResourceId = ResourceId::new("rbac.authorization.k8s.io", "v1", "clusterroles");

/// Who has made an APIService: those that the server makes itself (`kube-aggregator/pkg/apiserver`).
const MANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";

/// `nodes` and `pods`.
pub(crate) fn resources() -> Vec<Arc<Resource>> {
    let resource = |plural: &str, kind: &str, namespaced: bool| {
        let stored_as = GroupVersionKind::new(GROUP, VERSION, kind);
        Arc::new(Resource {
            group: GROUP.into(),
            version: VERSION.into(),
            plural: plural.into(),
            singular: "".into(),
            kind: kind.into(),
            list_kind: format!("{kind}List").into(),
            namespaced,
            verbs: vec!["get".into(), "list".into()],
            short_names: Vec::new(),
            categories: Vec::new(),
            subresources: Vec::new(),
            storage_version_hash: "".into(),
            stored_as,
            custom: None,
        })
    };
    vec![
        resource("nodes", "NodeMetrics", false),
        resource("pods", "PodMetrics", true),
    ]
}

fn client(api: &Api) -> Client {
    Client::new(api, UserInfo::api_server(), "kube-apiserver")
}

fn service_name() -> String {
    format!("{VERSION}.{GROUP}")
}

/// Makes what is missing; what somebody has made himself is kept.
pub(super) async fn write(api: &Api) -> Result<(), StatusError> {
    let client = client(api);
    for (resource, object) in [(SERVICES, service()), (ROLES, role())] {
        if client.get(&resource, "", crate::object::name(&object)).is_some() {
            continue;
        }
        match client.create(&resource, object).await {
            Err(error) if error.reason != "AlreadyExists" => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Removes the APIService that this server has made: it says that the group is served.
pub(crate) async fn forget(api: &Api) -> Result<(), StatusError> {
    let client = client(api);
    let Some(known) = client.get(&SERVICES, "", &service_name()) else {
        return Ok(());
    };
    if known["metadata"]["labels"][MANAGED].is_null() {
        return Ok(());
    }
    client
        .delete(&SERVICES, "", &service_name(), &DeleteOptions::default())
        .await
}

fn service() -> Value {
    json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": service_name(), "labels": {MANAGED: "onstart"}},
        "spec": {
            "group": GROUP,
            "version": VERSION,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
        "status": {"conditions": [{
            "type": "Available",
            "status": "True",
            "reason": "Local",
            "message": "Local APIServices are always available",
            "lastTransitionTime": identifiers::now(),
        }]},
    })
}

/// `metrics-server manifests/base/rbac.yaml`
fn role() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {
            "name": "system:aggregated-metrics-reader",
            "labels": {
                "rbac.authorization.k8s.io/aggregate-to-view": "true",
                "rbac.authorization.k8s.io/aggregate-to-edit": "true",
                "rbac.authorization.k8s.io/aggregate-to-admin": "true",
            },
        },
        "rules": [{
            "apiGroups": [GROUP],
            "resources": ["pods", "nodes"],
            "verbs": ["get", "list", "watch"],
        }],
    })
}
