//! The blob is the one that was generated, and holds what a default server serves.

use deploy_cluster_schema::registry::{GroupVersionKind, Registry};
use deploy_cluster_schema::types::{Relationship, Scalar};
use sha2::{Digest, Sha256};

#[test]
fn the_blob_is_the_one_whose_sum_was_committed() {
    let folder = deploy_conformance::repository().join("crates/cluster/schema/blob");
    let bytes = std::fs::read(folder.join("kubernetes.bin")).expect("the blob is there");
    let sum: String = Sha256::digest(&bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let committed = std::fs::read_to_string(folder.join("kubernetes.sha256")).expect("the sum is there");
    assert_eq!(sum, committed.trim(), "regenerate both with `cargo xtask schema`");
    assert!(bytes.len() < 500_000, "{} bytes", bytes.len());
}

#[test]
fn the_default_surface_is_that_of_kubernetes_1_34() {
    let registry = Registry::builtin();
    let versions: usize = registry.groups().iter().map(|group| group.versions.len()).sum();
    let subresources: usize = registry.resources().map(|r| r.subresources.len()).sum();
    assert_eq!(
        (versions, registry.resources().count(), subresources),
        (22, 66, 45)
    );
    for resource in registry.resources() {
        assert!(
            registry.types(&resource.gvk()).is_some(),
            "{} has no type",
            resource.gvk()
        );
        for subresource in &resource.subresources {
            assert!(
                registry.types(&subresource.kind).is_some(),
                "{} has no type",
                subresource.kind
            );
        }
    }
}

#[test]
fn resources_and_types_are_found() {
    let registry = Registry::builtin();
    let deployments = registry
        .resource("apps", "v1", "deployments")
        .expect("deployments");
    assert_eq!((&*deployments.kind, deployments.namespaced), ("Deployment", true));
    assert_eq!(
        &*deployments.subresource("scale").expect("scale").kind.group,
        "autoscaling"
    );
    let (schema, id) = registry.types(&deployments.gvk()).expect("a type");
    let map = schema.get(id).map.as_ref().expect("a structure");
    assert_eq!(map.go_name.as_deref(), Some("Deployment"));
    let spec = schema
        .get(map.field("spec").expect("spec").r#type.id)
        .map
        .as_ref()
        .expect("a structure");
    let replicas = spec.field("replicas").expect("replicas");
    assert!(replicas.go.pointer && !replicas.go.always);
    assert_eq!(schema.get(replicas.r#type.id).scalar, Some(Scalar::Int32));
    let pod = schema
        .find("io.k8s.api.core.v1.PodSpec")
        .expect("named as in OpenAPI");
    let containers = schema
        .get(pod)
        .map
        .as_ref()
        .and_then(|m| m.field("containers"))
        .expect("containers");
    let list = schema.get(containers.r#type.id).list.as_ref().expect("a list");
    assert_eq!(
        (list.relationship, &*list.keys[0]),
        (Relationship::Associative, "name")
    );
    assert_eq!(containers.patch.merge_key.as_deref(), Some("name"));
}

#[test]
fn views_are_stored_as_what_they_show() {
    let registry = Registry::builtin();
    let stored = |group: &str, version: &str, plural: &str| {
        let resource = registry.resource(group, version, plural).expect("it is served");
        registry.stored(resource).gvr().to_string()
    };
    assert_eq!(stored("events.k8s.io", "v1", "events"), "/v1, Resource=events");
    assert_eq!(
        stored("autoscaling", "v1", "horizontalpodautoscalers"),
        "autoscaling/v2, Resource=horizontalpodautoscalers"
    );
    assert_eq!(
        stored("apps", "v1", "deployments"),
        "apps/v1, Resource=deployments"
    );
}

#[test]
fn every_group_has_the_kinds_of_options() {
    let registry = Registry::builtin();
    for group in ["", "apps", "example.com"] {
        let kind = GroupVersionKind::new(group, "v1", "DeleteOptions");
        assert!(registry.types(&kind).is_some(), "{kind}");
    }
    assert!(
        registry
            .types(&GroupVersionKind::new("apps", "v1", "Pod"))
            .is_none()
    );
}
