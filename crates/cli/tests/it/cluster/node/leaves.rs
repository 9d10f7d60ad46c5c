//! What is left on the machine: nothing; and two clusters that do not touch each other.

use serde_json::json;

use super::machine::{Machine, PODS, in_a_network_of_its_own, is_ready};

/// A pod with everything that could stay behind: mounts in it and for it, a port of the machine, a process that is deaf.
async fn busy(machine: &Machine) -> String {
    machine
        .pod(
            "busy",
            "trap '' TERM; sleep 1000 & while true; do sleep 1; done",
            |pod| {
                let container = &mut pod["spec"]["containers"][0];
                container["volumeMounts"] = json!([
                    {"name": "memory", "mountPath": "/memory"},
                    {"name": "disk", "mountPath": "/part", "subPath": "part"},
                ]);
                container["ports"] = json!([{"containerPort": 8080, "hostPort": 18080}]);
                container["resources"] = json!({"limits": {"memory": "32Mi"}});
                pod["spec"]["volumes"] = json!([
                    {"name": "memory", "emptyDir": {"medium": "Memory"}},
                    {"name": "disk", "emptyDir": {}},
                ]);
            },
        )
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn down_after_a_crash_leaves_nothing() {
    if !in_a_network_of_its_own("cluster::node::leaves::down_after_a_crash_leaves_nothing") {
        return;
    }
    let mut machine = Machine::start("crash").await;
    let path = busy(&machine).await;
    machine.wait(&path, is_ready).await;
    // Some are in the middle of their start or of their end when the server dies.
    let quick = machine.pod("ends", "exec sleep 1000", |_| {}).await;
    machine.wait(&quick, is_ready).await;
    machine.delete(&quick).await;
    for number in 0..5 {
        machine
            .pod(&format!("starts-{number}"), "exec sleep 1000", |_| {})
            .await;
    }
    machine.server.take().expect("it runs").kill();
    let left = machine.leftovers();
    for kind in ["/sys/fs/cgroup/", "deploy", "a process"] {
        assert!(left.iter().any(|one| one.contains(kind)), "{kind}: {left:?}");
    }
    machine.down();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clusters_live_side_by_side() {
    if !in_a_network_of_its_own("cluster::node::leaves::two_clusters_live_side_by_side") {
        return;
    }
    let one = Machine::start("side-one").await;
    let other = Machine::start_beside("side-other", "127.0.0.1:28080", "127.0.0.1:28443").await;
    let mut addresses = Vec::new();
    for (machine, says) in [(&one, "first"), (&other, "second")] {
        let script = format!("mkdir -p /www; echo {says} > /www/name; exec httpd -f -p 8080 -h /www");
        let path = machine
            .pod("web", &script, |pod| {
                pod["metadata"]["labels"] = json!({"app": "web"});
                pod["spec"]["containers"][0]["readinessProbe"] =
                    json!({"tcpSocket": {"port": 8080}, "periodSeconds": 1});
            })
            .await;
        let pod = machine.wait(&path, is_ready).await;
        addresses.push(pod["status"]["podIP"].clone());
        let service = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            // The same address in both: each pod is to find its own cluster's.
            "spec": {"clusterIP": "10.96.77.77", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        });
        machine
            .create("/api/v1/namespaces/default/services", service)
            .await;
    }
    assert_ne!(addresses[0], addresses[1], "networks are apart");
    let ask = "until wget -qO- http://10.96.77.77/name; do sleep 0.1; done";
    assert_eq!(one.says("asks", ask, |_| {}).await, "first");
    assert_eq!(other.says("asks", ask, |_| {}).await, "second");
    // One goes, the other does not notice.
    one.down();
    let (_, pods) = other.get(PODS).await;
    let web = pods["items"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|pod| pod["metadata"]["name"] == "web");
    assert!(web.is_some_and(is_ready), "{pods}");
    assert_eq!(other.says("asks-again", ask, |_| {}).await, "second");
    other.down();
}
