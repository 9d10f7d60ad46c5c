//! Claims, and the volumes that the local-path provisioner makes for them. (Other volumes: `fixtures/cluster/node`.)

use serde_json::{Value, json};

use super::machine::{Machine, in_a_network_of_its_own};

const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";

fn mounts_claim(pod: &mut Value) {
    pod["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "keeps"}}]);
    pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_waits_for_its_pod_and_outlives_it() {
    if !in_a_network_of_its_own("cluster::node::volumes::a_claim_waits_for_its_pod_and_outlives_it") {
        return;
    }
    let mut machine = Machine::start("claims").await;
    let claim = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "keeps"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    });
    machine.create(CLAIMS, claim).await;
    let path = format!("{CLAIMS}/keeps");
    machine.event("keeps", "WaitForFirstConsumer").await;
    let (_, waiting) = machine.get(&path).await;
    assert_eq!(waiting["status"]["phase"], "Pending", "nobody uses it yet");
    assert_eq!(
        waiting["spec"]["storageClassName"], "local-path",
        "the default class"
    );

    let grouped = |pod: &mut Value| {
        mounts_claim(pod);
        pod["spec"]["securityContext"] = json!({"runAsUser": 1000, "fsGroup": 3000});
    };
    let wrote = machine
        .says(
            "writes",
            "echo kept > /data/file; stat -c '%u %g' /data/file /data",
            grouped,
        )
        .await;
    assert_eq!(wrote, "1000 3000\n0 3000");
    let bound = machine
        .wait(&path, |claim| claim["status"]["phase"] == "Bound")
        .await;
    let volume = bound["spec"]["volumeName"]
        .as_str()
        .expect("it has one")
        .to_owned();
    let volume = format!("/api/v1/persistentvolumes/{volume}");
    let writer = "/api/v1/namespaces/default/pods/writes";
    machine.delete(writer).await;
    machine.gone(writer).await;

    // The data outlive the pod, and a server that is killed.
    machine.server.take().expect("it runs").kill();
    machine.start_again().await;
    let read = machine.says("reads", "cat /data/file", mounts_claim).await;
    assert_eq!(read, "kept");
    let (_, made) = machine.get(&volume).await;
    let folder = made["spec"]["local"]["path"]
        .as_str()
        .or(made["spec"]["hostPath"]["path"].as_str());
    let folder = std::path::PathBuf::from(folder.expect("it is a folder"));
    assert!(folder.join("file").is_file(), "{}", folder.display());

    // A claim that a pod uses stays until the pod has gone; then its volume and the folder go, too.
    let reader = "/api/v1/namespaces/default/pods/reads";
    let user = machine.pod("uses", "exec sleep 1000", mounts_claim).await;
    machine.wait(&user, super::machine::is_ready).await;
    machine.delete(&path).await;
    machine
        .wait(&path, |claim| !claim["metadata"]["deletionTimestamp"].is_null())
        .await;
    for pod in [reader, &user] {
        machine.delete(pod).await;
        machine.gone(pod).await;
    }
    machine.gone(&path).await;
    machine.gone(&volume).await;
    assert!(!folder.exists(), "{}", folder.display());
    machine.down();
}
