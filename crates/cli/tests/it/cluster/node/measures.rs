//! What pods use, as Prometheus and kubectl ask for it; what `cluster down` leaves pods to do; two clusters by their flags.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use deploy_cluster_oracle::pods::image;
use deploy_image::Store;
use serde_json::{Value, json};

use super::machine::{IMAGE, Machine, PATIENCE, in_a_network_of_its_own, is_ready};
use crate::cluster::server::{Server, deploy};
use crate::cluster::wire::Client;

/// Between two questions that are answered when the node has measured twice.
const AGAIN: Duration = Duration::from_millis(500);

fn kubectl(machine: &Machine, arguments: &[&str]) -> Output {
    Command::new("kubectl")
        .args(arguments)
        .env("KUBECONFIG", machine.folder.join("kubeconfig"))
        .env("HOME", &machine.folder)
        .output()
        .expect("kubectl runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a path of the node's kubelet says.
fn kubelet(machine: &Machine, node: &str, path: &str) -> String {
    let path = format!("/api/v1/nodes/{node}/proxy{path}");
    let output = kubectl(machine, &["get", "--raw", &path]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{path}: {told}");
    out(&output)
}

/// The value of the row of a family that has all these labels.
fn value(text: &str, family: &str, labels: &[&str]) -> Option<f64> {
    let mut rows = text.lines().filter(|row| {
        let name = row.split(['{', ' ']).next();
        name == Some(family) && labels.iter().all(|label| row.contains(label))
    });
    let row = rows.next()?;
    let (_, rest) = row.rsplit_once('}').or_else(|| row.split_once(' '))?;
    rest.split_whitespace().next()?.parse().ok()
}

async fn node_of(machine: &Machine) -> String {
    let (_, nodes) = machine.get("/api/v1/nodes").await;
    nodes["items"][0]["metadata"]["name"]
        .as_str()
        .expect("there is one")
        .to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_pods_use_is_measured() {
    if !in_a_network_of_its_own("cluster::node::measures::what_pods_use_is_measured") {
        return;
    }
    let machine = Machine::start("measured").await;
    let node = node_of(&machine).await;
    let path = machine
        .pod("busy", "while :; do :; done", |pod| {
            let containers = pod["spec"]["containers"].as_array_mut().expect("a list");
            containers[0]["resources"] = json!({"limits": {"cpu": "300m", "memory": "64Mi"}});
            containers.push(json!({"name": "idle", "image": IMAGE, "command": ["sleep", "1000"]}));
        })
        .await;
    let pod = machine.wait(&path, is_ready).await;
    let address = pod["status"]["podIP"].as_str().expect("it has one");
    // Something has to go through the pod's link.
    let pinged = Command::new("ping")
        .args(["-c", "3", "-i", "0.2", address])
        .output();
    let pinged = pinged.is_ok_and(|output| output.status.success());
    let rows = kubelet(&machine, &node, "/metrics/cadvisor");
    let main = ["container=\"main\"", "namespace=\"default\"", "pod=\"busy\""];
    let used = |family: &str| value(&rows, family, &main).unwrap_or_else(|| panic!("{family}: {rows}"));
    assert!(used("container_memory_working_set_bytes") > 0.0);
    assert_eq!(used("container_spec_memory_limit_bytes"), f64::from(64 << 20));
    assert_eq!(used("container_spec_cpu_quota"), 30_000.0);
    assert!(used("container_start_time_seconds") > 1e9);
    let total = [&main[..], &["cpu=\"total\""]].concat();
    assert!(value(&rows, "container_cpu_usage_seconds_total", &total).is_some_and(|seconds| seconds > 0.0));
    let link = ["container=\"\"", "interface=\"eth0\"", "pod=\"busy\""];
    let received = value(&rows, "container_network_receive_bytes_total", &link);
    assert!(
        received.is_some_and(|bytes| !pinged || bytes > 0.0),
        "{received:?}"
    );
    assert!(value(&rows, "machine_memory_bytes", &[]).is_some_and(|bytes| bytes > 1e8));
    assert!(value(&rows, "container_memory_usage_bytes", &["id=\"/\"", "pod=\"\""]).is_some());
    for family in [
        "container_cpu_usage_seconds_total",
        "container_network_transmit_bytes_total",
    ] {
        assert!(rows.contains(&format!("# TYPE {family} counter\n")), "{family}");
    }
    let rows = kubelet(&machine, &node, "/metrics/resource");
    assert!(value(&rows, "node_cpu_usage_seconds_total", &[]).is_some_and(|seconds| seconds > 0.0));
    assert!(value(&rows, "pod_memory_working_set_bytes", &["pod=\"busy\""]).is_some_and(|bytes| bytes > 0.0));
    assert_eq!(value(&rows, "resource_scrape_error", &[]), Some(0.0));
    let first = value(&rows, "container_cpu_usage_seconds_total", &main).expect("it is measured");
    let again = kubelet(&machine, &node, "/metrics/resource");
    let second = value(&again, "container_cpu_usage_seconds_total", &main).expect("it is measured");
    assert!(second > first, "{second} after {first}");
    let (_, object) = machine.get(&format!("/api/v1/nodes/{node}")).await;
    let images = object["status"]["images"].as_array().expect("a list");
    let names = images
        .iter()
        .flat_map(|image| image["names"].as_array().into_iter().flatten());
    assert!(names.into_iter().any(|name| name == IMAGE), "{images:?}");
    summarised(&machine, &node);
    topped(&machine, &node).await;
    machine.down();
}

/// `/stats/summary` knows the same pod.
fn summarised(machine: &Machine, node: &str) {
    let summary = kubelet(machine, node, "/stats/summary");
    let summary: Value = serde_json::from_str(&summary).expect("it is JSON");
    assert_eq!(summary["node"]["nodeName"], node);
    assert!(summary["node"]["fs"]["capacityBytes"].as_u64() > Some(0));
    let pods = summary["pods"].as_array().expect("a list");
    let busy = pods
        .iter()
        .find(|pod| pod["podRef"]["name"] == "busy")
        .expect("it runs");
    let names: Vec<&Value> = busy["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|of| &of["name"])
        .collect();
    assert_eq!(names, ["idle", "main"]);
    let main = &busy["containers"][1];
    assert!(main["cpu"]["usageCoreNanoSeconds"].as_u64() > Some(0), "{main}");
    assert!(
        main["memory"]["availableBytes"].as_u64() < Some(64 << 20),
        "{main}"
    );
    assert!(
        main["logs"]["usedBytes"].is_u64() && main["rootfs"]["usedBytes"].is_u64(),
        "{main}"
    );
    assert_eq!(busy["network"]["name"], "eth0");
    assert!(busy["ephemeral-storage"]["usedBytes"].is_u64());
    let short = kubelet(machine, node, "/stats/summary?only_cpu_and_memory=true");
    assert!(
        !short.contains("rootfs") && short.contains("workingSetBytes"),
        "{short}"
    );
}

/// The real kubectl shows a rate once there is one.
async fn topped(machine: &Machine, node: &str) {
    let shown = async {
        let mut looks = tokio::time::interval(AGAIN);
        loop {
            looks.tick().await;
            let pods = kubectl(machine, &["top", "pod", "--containers", "--no-headers"]);
            let nodes = kubectl(machine, &["top", "node", "--no-headers"]);
            if pods.status.success() && nodes.status.success() && !out(&pods).is_empty() {
                return (out(&pods), out(&nodes));
            }
        }
    };
    let (pods, nodes) = tokio::time::timeout(PATIENCE, shown)
        .await
        .expect("the node is measured");
    let rows: Vec<Vec<&str>> = pods.lines().map(|row| row.split_whitespace().collect()).collect();
    let cpu = |name: &str| -> u64 {
        let row = rows
            .iter()
            .find(|row| row[1] == name)
            .unwrap_or_else(|| panic!("{name}: {pods}"));
        row[2]
            .trim_end_matches('m')
            .parse()
            .unwrap_or_else(|_| panic!("{pods}"))
    };
    // Its limit is 300m; how much of that it gets is the machine's business.
    assert!((1..=400).contains(&cpu("main")), "{pods}");
    assert!(cpu("idle") <= cpu("main"), "{pods}");
    assert!(nodes.starts_with(node) && nodes.contains('%'), "{nodes}");
    let metrics = kubectl(machine, &["get", "pods.metrics.k8s.io"]);
    assert!(out(&metrics).contains("busy"), "{}", out(&metrics));
    let viewer = [
        "auth",
        "can-i",
        "list",
        "pods.metrics.k8s.io",
        "--as=u",
        "--as-group=viewers",
    ];
    let bound = [
        "create",
        "clusterrolebinding",
        "viewers",
        "--clusterrole=view",
        "--group=viewers",
    ];
    assert!(kubectl(machine, &bound).status.success());
    assert_eq!(out(&kubectl(machine, &viewer)).trim(), "yes");
}

fn down(folder: &Path, arguments: &[&str]) -> String {
    let ended = deploy(folder)
        .args(["cluster", "down"])
        .args(arguments)
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{told}");
    told
}

/// A pod that writes down how it ends, where the test can read it.
async fn writes_its_end(machine: &Machine, name: &str, grace_seconds: u64) -> std::path::PathBuf {
    let diary = machine.folder.join(name);
    std::fs::create_dir_all(&diary).expect("a folder");
    let script = "trap 'echo term >> /diary/said; exit 0' TERM; while :; do sleep 0.1; done";
    let path = machine
        .pod(name, script, |pod| {
            pod["spec"]["terminationGracePeriodSeconds"] = json!(grace_seconds);
            pod["spec"]["volumes"] = json!([{"name": "diary", "hostPath": {"path": diary}}]);
            let container = &mut pod["spec"]["containers"][0];
            container["volumeMounts"] = json!([{"name": "diary", "mountPath": "/diary"}]);
            let hook = json!(["sh", "-c", "echo hook >> /diary/said"]);
            container["lifecycle"] = json!({"preStop": {"exec": {"command": hook}}});
        })
        .await;
    machine.wait(&path, is_ready).await;
    diary.join("said")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_have_their_grace_when_the_cluster_goes_down() {
    if !in_a_network_of_its_own("cluster::node::measures::pods_have_their_grace_when_the_cluster_goes_down") {
        return;
    }
    let mut machine = Machine::start("graced").await;
    let said = writes_its_end(&machine, "writes", 20).await;
    let deaf = machine
        .pod("deaf", "trap '' TERM; while :; do sleep 1; done", |pod| {
            pod["spec"]["terminationGracePeriodSeconds"] = json!(3_000);
        })
        .await;
    machine.wait(&deaf, is_ready).await;
    let server = machine.server.take().expect("it runs");
    let told = down(&machine.folder, &["--timeout", "20"]);
    server.ended();
    assert_eq!(std::fs::read_to_string(&said).expect("it wrote"), "hook\nterm\n");
    assert!(told.contains("Ending 2 pods; they have up to 20 s."), "{told}");
    assert!(told.contains("default/writes has ended, 1 left."), "{told}");
    assert!(told.contains("default/deaf has ended, 0 left."), "{told}");
    assert_eq!(machine.leftovers(), Vec::<String>::new());
    // The objects are still there, and so their pods run again; now nobody waits for them.
    std::fs::remove_file(&said).expect("it is there");
    machine.start_again().await;
    let (_, pod) = machine.get(&deaf).await;
    let before = pod["status"]["containerStatuses"][0]["restartCount"].as_u64();
    machine
        .wait(&deaf, |pod| {
            is_ready(pod) && pod["status"]["containerStatuses"][0]["restartCount"].as_u64() >= before
        })
        .await;
    let server = machine.server.take().expect("it runs");
    let told = down(&machine.folder, &["--force"]);
    server.ended();
    assert!(!told.contains("has ended"), "{told}");
    assert!(!said.exists(), "nobody ran its hook");
    assert_eq!(machine.leftovers(), Vec::<String>::new());
}

/// An image of the store of a folder.
fn load_image(folder: &Path) {
    let archive = image::archive(folder, IMAGE, &[], &[]).expect("an archive");
    let images = folder.join("data/cluster/images");
    std::fs::create_dir_all(&images).expect("a folder");
    let mut file = std::fs::File::open(&archive).expect("it was written");
    let store = Store::open(&images).expect("a store");
    store.load_archive(&mut file, None).expect("it holds an image");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_cluster_has_its_own_ports_and_addresses() {
    if !in_a_network_of_its_own("cluster::node::measures::a_second_cluster_has_its_own_ports_and_addresses") {
        return;
    }
    let one = Machine::start("first").await;
    let folder = crate::fresh_folder("node-second");
    load_image(&folder);
    // The ports of the first are told, and who has them.
    let refused = deploy(&folder)
        .args(["run", "cluster", "--listen", "127.0.0.1:0"])
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success(), "{told}");
    assert!(
        told.contains("127.0.0.1:8080") && told.contains("deploy listens there (process"),
        "{told}"
    );
    assert!(told.contains("--port-offset"), "{told}");
    down(&folder, &["--force"]);
    std::fs::remove_dir_all(folder.join("data/cluster")).expect("ours");
    load_image(&folder);
    let flags = ["--port-offset", "100", "--service-cidr", "10.112.0.0/16"];
    let server = Server::start_with_node(&folder, &flags);
    let client = Client::connect(&server.kubeconfig()).await;
    let mut two = Machine {
        server: Some(server),
        folder,
        client,
    };
    two.wait("/api/v1/namespaces/default/serviceaccounts/default", |_| true)
        .await;
    for port in [8080, 8180] {
        let open = std::net::TcpStream::connect(("127.0.0.1", port));
        assert!(open.is_ok(), "the ingress of port {port}");
    }
    for (machine, first, dns) in [
        (&one, "10.96.0.1", "10.96.0.10"),
        (&two, "10.112.0.1", "10.112.0.10"),
    ] {
        let (_, api) = machine
            .get("/api/v1/namespaces/default/services/kubernetes")
            .await;
        assert_eq!(api["spec"]["clusterIP"], first);
        let (_, names) = machine
            .get("/api/v1/namespaces/kube-system/services/kube-dns")
            .await;
        assert_eq!(names["spec"]["clusterIP"], dns);
        // Each pod finds its own cluster by name and reaches it.
        let script = "nslookup -type=a kubernetes.default.svc.cluster.local | tail -n +3; \
                      nc -w 5 kubernetes.default.svc.cluster.local 443 < /dev/null && echo open";
        let said = machine.says("asks", script, |_| {}).await;
        assert!(said.contains(first) && said.contains("open"), "{said}");
    }
    // The range is the cluster's for good.
    let server = two.server.take().expect("it runs");
    server.stop();
    let changed = deploy(&two.folder)
        .args([
            "run",
            "cluster",
            "--listen",
            "127.0.0.1:0",
            "--port-offset",
            "100",
        ])
        .args(["--service-cidr", "10.113.0.0/16"])
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&changed.stderr).into_owned();
    assert!(
        !changed.status.success() && told.contains("DEP-CLUSTER-013"),
        "{told}"
    );
    down(&two.folder, &[]);
    assert_eq!(two.leftovers(), Vec::<String>::new());
    one.down();
}
