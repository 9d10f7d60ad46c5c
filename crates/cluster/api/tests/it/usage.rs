//! `metrics.k8s.io`, by somebody who knows what two pods and a node use.

use std::sync::Arc;
use std::time::Duration;

use deploy_cluster_api::api::Api;
use deploy_cluster_api::client::{Client, ResourceId};
use deploy_cluster_api::identity::UserInfo;
use deploy_cluster_api::request::{Body, Request};
use deploy_cluster_api::usage::{Measures, Used};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::world::World;

struct Known;

fn used(cpu_nanocores: u64, memory_bytes: u64) -> Used {
    Used {
        at: Timestamp::from_second(1_790_000_000).expect("a time"),
        window: Duration::from_millis(15_020),
        cpu_nanocores,
        memory_bytes,
    }
}

impl Measures for Known {
    fn node(&self, name: &str) -> Option<Used> {
        (name == "here").then(|| used(250_000_000, 1 << 30))
    }

    fn pod(&self, namespace: &str, name: &str) -> Option<Vec<(String, Used)>> {
        let known = namespace == "default" && name.starts_with("web");
        known.then(|| {
            vec![
                ("a".to_owned(), used(1_500_000, 4096)),
                ("b".to_owned(), used(7, 1000)),
            ]
        })
    }
}

async fn ask(api: &Api, user: &UserInfo, path: &str, accept: &str) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let request = Request {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: [("accept".to_owned(), accept.to_owned())].into(),
        user: user.clone(),
        ..Request::default()
    };
    let answer = api.handle(request).await;
    let Body::Whole(body) = answer.body else {
        panic!("{path} is a stream");
    };
    let value = serde_json::from_slice(&body);
    let text = String::from_utf8_lossy(&body).into_owned();
    (answer.status, value.unwrap_or(Value::String(text)))
}

async fn world() -> World {
    let world = World::start().await;
    let client = Client::new(&world.api, UserInfo::api_server(), "test");
    let node = json!({"metadata": {"name": "here", "labels": {"kind": "only"}}});
    client
        .create(&ResourceId::new("", "v1", "nodes"), node)
        .await
        .expect("it is valid");
    let account = json!({"metadata": {"name": "default", "namespace": "default"}});
    client
        .create(&ResourceId::new("", "v1", "serviceaccounts"), account)
        .await
        .expect("it is valid");
    for (name, label) in [("web-1", "x"), ("web-2", "y"), ("young", "x")] {
        let pod = json!({
            "metadata": {"namespace": "default", "name": name, "labels": {"app": label}},
            "spec": {"containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]},
        });
        client
            .create(&ResourceId::new("", "v1", "pods"), pod)
            .await
            .expect("it is valid");
    }
    world
}

const JSON: &str = "application/json";
const GROUP: &str = "/apis/metrics.k8s.io/v1beta1";

#[tokio::test(flavor = "multi_thread")]
async fn the_group_is_served_as_long_as_somebody_measures() {
    let world = world().await;
    let (api, admin) = (&world.api, UserInfo::api_server());
    assert_eq!(ask(api, &admin, GROUP, JSON).await.0, 404);
    assert_eq!(ask(api, &admin, &format!("{GROUP}/nodes"), JSON).await.0, 404);
    api.connect_measures(Arc::new(Known)).await.expect("it is new");
    let (status, list) = ask(api, &admin, GROUP, JSON).await;
    assert_eq!(status, 200);
    assert_eq!(
        list["resources"],
        json!([
            {"name": "nodes", "singularName": "", "namespaced": false, "kind": "NodeMetrics", "verbs": ["get", "list"]},
            {"name": "pods", "singularName": "", "namespaced": true, "kind": "PodMetrics", "verbs": ["get", "list"]},
        ])
    );
    let groups = ask(api, &admin, "/apis", JSON).await.1;
    let last = groups["groups"]
        .as_array()
        .and_then(|all| all.last())
        .expect("some");
    assert_eq!(last["name"], "metrics.k8s.io");
    let service = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io";
    let (status, service_now) = ask(api, &admin, service, JSON).await;
    assert_eq!(
        (status, &service_now["status"]["conditions"][0]["status"]),
        (200, &json!("True"))
    );
    api.disconnect_measures().await;
    assert_eq!(ask(api, &admin, &format!("{GROUP}/nodes"), JSON).await.0, 404);
    assert_eq!(ask(api, &admin, service, JSON).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_measured_is_told_and_selected() {
    let world = world().await;
    let (api, admin) = (&world.api, UserInfo::api_server());
    api.connect_measures(Arc::new(Known)).await.expect("it is new");
    let names = |value: &Value| -> Vec<String> {
        let items = value["items"].as_array().into_iter().flatten();
        items
            .map(|item| item["metadata"]["name"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let lists = [
        ("/nodes", vec!["here"]),
        ("/nodes?labelSelector=kind%3Dother", vec![]),
        ("/pods", vec!["web-1", "web-2"]),
        ("/namespaces/default/pods", vec!["web-1", "web-2"]),
        ("/namespaces/kube-system/pods", vec![]),
        ("/namespaces/default/pods?labelSelector=app%3Dx", vec!["web-1"]),
        ("/pods?fieldSelector=metadata.name%3Dweb-2", vec!["web-2"]),
    ];
    for (path, expected) in lists {
        let (status, list) = ask(api, &admin, &format!("{GROUP}{path}"), JSON).await;
        assert_eq!(
            (status, names(&list)),
            (200, expected.into_iter().map(str::to_owned).collect()),
            "{path}"
        );
    }
    let (_, pod) = ask(
        api,
        &admin,
        &format!("{GROUP}/namespaces/default/pods/web-1"),
        JSON,
    )
    .await;
    assert_eq!(pod["kind"], "PodMetrics");
    assert_eq!(pod["metadata"]["labels"], json!({"app": "x"}));
    assert_eq!(
        (&pod["timestamp"], &pod["window"]),
        (&json!("2026-09-21T14:13:20Z"), &json!("15.02s"))
    );
    assert_eq!(
        pod["containers"],
        json!([
            {"name": "a", "usage": {"cpu": "1500u", "memory": "4Ki"}},
            {"name": "b", "usage": {"cpu": "7n", "memory": "1000"}},
        ])
    );
    let (_, node) = ask(api, &admin, &format!("{GROUP}/nodes/here"), JSON).await;
    assert_eq!(node["usage"], json!({"cpu": "250m", "memory": "1Gi"}));
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let (_, rows) = ask(api, &admin, &format!("{GROUP}/nodes"), table).await;
    assert_eq!(rows["rows"][0]["cells"], json!(["here", "250m", "1Gi", "15.02s"]));
    let columns: Vec<&Value> = rows["columnDefinitions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|c| &c["name"])
        .collect();
    assert_eq!(columns, ["Name", "cpu", "memory", "Window"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told_in_upstreams_words() {
    let world = world().await;
    let (api, admin) = (&world.api, UserInfo::api_server());
    api.connect_measures(Arc::new(Known)).await.expect("it is new");
    let cases = [
        ("/namespaces/default/pods/none", 404, "pods \"none\" not found"),
        (
            "/namespaces/default/pods/young",
            404,
            "podmetrics.metrics.k8s.io \"default/young\" not found",
        ),
        ("/nodes/none", 404, "nodes \"none\" not found"),
        (
            "/pods?fieldSelector=spec.nodeName%3Dhere",
            400,
            "\"spec.nodeName\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
        ),
        (
            "/pods?watch=true",
            405,
            "the server does not allow this method on the requested resource",
        ),
        (
            "/deployments",
            404,
            "the server could not find the requested resource",
        ),
    ];
    for (path, code, message) in cases {
        let (status, answer) = ask(api, &admin, &format!("{GROUP}{path}"), JSON).await;
        assert_eq!((status, &answer["message"]), (code, &json!(message)), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_have_the_role_may_read_it() {
    let world = world().await;
    let api = &world.api;
    api.connect_measures(Arc::new(Known)).await.expect("it is new");
    let alice = UserInfo::named("alice", &[]);
    let path = format!("{GROUP}/namespaces/default/pods");
    assert_eq!(ask(api, &alice, &path, JSON).await.0, 403);
    let client = Client::new(api, UserInfo::api_server(), "test");
    let binding = json!({
        "metadata": {"name": "alice", "namespace": "default"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:aggregated-metrics-reader",
        },
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}],
    });
    client
        .create(
            &ResourceId::new("rbac.authorization.k8s.io", "v1", "rolebindings"),
            binding,
        )
        .await
        .expect("it is valid");
    assert_eq!(ask(api, &alice, &path, JSON).await.0, 200);
    assert_eq!(ask(api, &alice, &format!("{GROUP}/pods"), JSON).await.0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_client_writes_what_its_roles_allow() {
    let world = world().await;
    let api = &world.api;
    let pods = ResourceId::new("", "v1", "pods");
    let kubelet = Client::new(api, UserInfo::node("here"), "kubelet").bound();
    let gone = |client: &Client| {
        let (client, pods) = (client.clone(), pods.clone());
        async move {
            client
                .delete(&pods, "default", "young", &Default::default())
                .await
        }
    };
    let refused = gone(&kubelet).await.expect_err("no role allows it yet");
    assert_eq!(refused.code, 403);
    assert!(
        refused.message.contains("system:node:here"),
        "{}",
        refused.message
    );
    api.admit_parts("here").await.expect("they are new");
    api.admit_parts("here").await.expect("they are there");
    gone(&kubelet).await.expect("its role allows it");
    let secret = json!({"metadata": {"name": "s", "namespace": "default"}});
    let refused = kubelet
        .create(&ResourceId::new("", "v1", "secrets"), secret)
        .await;
    assert_eq!(refused.expect_err("no kubelet may").code, 403);
}
