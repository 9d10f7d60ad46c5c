//! Pods that live, fail and end.

use serde_json::{Value, json};

use super::machine::{IMAGE, Machine, PODS, in_a_network_of_its_own, is_ready, state};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_runs_and_goes() {
    if !in_a_network_of_its_own("cluster::node::pods::a_pod_runs_and_goes") {
        return;
    }
    let machine = Machine::start("runs").await;
    let (_, nodes) = machine.get("/api/v1/nodes").await;
    let ready = nodes["items"][0]["status"]["conditions"]
        .as_array()
        .expect("a list");
    assert!(
        ready
            .iter()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    );
    let path = machine
        .pod("one", "echo hello $(hostname); exec sleep 1000", |_| {})
        .await;
    let pod = machine.wait(&path, is_ready).await;
    assert_eq!(pod["status"]["phase"], "Running");
    assert_eq!(pod["status"]["qosClass"], "BestEffort");
    assert!(
        pod["status"]["podIP"]
            .as_str()
            .is_some_and(|address| address.contains('.')),
        "{pod}"
    );
    assert!(state(&pod, "running")["startedAt"].is_string());
    let id = pod["status"]["containerStatuses"][0]["containerID"]
        .as_str()
        .expect("it has one");
    assert!(id.starts_with("deploy://"), "{id}");
    for reason in ["Scheduled", "Pulled", "Created", "Started"] {
        machine.event("one", reason).await;
    }
    machine.log(&pod, 0, "hello one").await;
    machine.delete(&path).await;
    machine.gone(&path).await;
    machine.down();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_says_why() {
    if !in_a_network_of_its_own("cluster::node::pods::what_fails_says_why") {
        return;
    }
    let machine = Machine::start("fails").await;
    let loops = machine.pod("loop", "echo again; exit 3", |_| {}).await;
    let eats = machine
        .pod("eats", "exec tail /dev/zero", |pod| {
            pod["spec"]["restartPolicy"] = json!("Never");
            pod["spec"]["containers"][0]["resources"] = json!({"limits": {"memory": "32Mi"}});
        })
        .await;
    let image = machine
        .pod("image", "true", |pod| {
            pod["spec"]["containers"][0]["image"] = json!("deploy.test/no:1")
        })
        .await;
    let missing = machine
        .pod("missing", "true", |pod| {
            pod["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "none"}}]);
        })
        .await;
    let program = machine
        .pod("program", "true", |pod| {
            pod["spec"]["containers"][0]["command"] = json!(["/no/such"])
        })
        .await;
    let words = machine
        .pod("words", "echo last words > /dev/termination-log; exit 1", |pod| {
            pod["spec"]["restartPolicy"] = json!("Never")
        })
        .await;

    let pod = machine
        .wait(&loops, |pod| {
            state(pod, "waiting")["reason"] == "CrashLoopBackOff"
        })
        .await;
    let status = &pod["status"]["containerStatuses"][0];
    assert!(status["restartCount"].as_u64().is_some_and(|count| count >= 1));
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 3);
    let told = state(&pod, "waiting")["message"].as_str().expect("a text");
    assert!(
        told.starts_with("back-off ") && told.contains("restarting failed container=main pod=loop_default("),
        "{told}"
    );
    machine.event("loop", "BackOff").await;

    let pod = machine
        .wait(&eats, |pod| pod["status"]["phase"] == "Failed")
        .await;
    let ended = state(&pod, "terminated");
    assert_eq!(
        (&ended["reason"], &ended["exitCode"]),
        (&json!("OOMKilled"), &json!(137))
    );

    let pod = machine
        .wait(&image, |pod| {
            state(pod, "waiting")["reason"] == "ImagePullBackOff"
        })
        .await;
    assert_eq!(pod["status"]["phase"], "Pending");

    let pod = machine
        .wait(&missing, |pod| {
            state(pod, "waiting")["reason"] == "CreateContainerConfigError"
        })
        .await;
    assert_eq!(state(&pod, "waiting")["message"], "configmap \"none\" not found");

    let pod = machine
        .wait(&program, |pod| {
            pod["status"]["containerStatuses"][0]["lastState"]["terminated"].is_object()
        })
        .await;
    let last = &pod["status"]["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!(
        (&last["reason"], &last["exitCode"]),
        (&json!("StartError"), &json!(128))
    );

    let pod = machine
        .wait(&words, |pod| pod["status"]["phase"] == "Failed")
        .await;
    assert_eq!(state(&pod, "terminated")["message"], "last words\n");
    machine.down();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_and_grace_are_kept() {
    if !in_a_network_of_its_own("cluster::node::pods::probes_and_grace_are_kept") {
        return;
    }
    let machine = Machine::start("probes").await;
    let web = machine
        .pod("web", "touch /www/ok; exec httpd -f -p 8080 -h /www", |pod| {
            let container = &mut pod["spec"]["containers"][0];
            container["readinessProbe"] = json!({"httpGet": {"path": "/ok", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1});
            container["livenessProbe"] = json!({"exec": {"command": ["test", "-e", "/www/ok"]}, "periodSeconds": 1, "failureThreshold": 3});
        })
        .await;
    let slow = machine
        .pod("slow", "trap '' TERM; while true; do sleep 1; done", |_| {})
        .await;
    let never = machine
        .pod("never", "exec sleep 1000", |pod| {
            pod["spec"]["containers"][0]["readinessProbe"] =
                json!({"tcpSocket": {"port": 9}, "periodSeconds": 1});
        })
        .await;
    let pod = machine.wait(&web, is_ready).await;
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    machine.wait(&slow, is_ready).await;
    let told = machine.event("never", "Unhealthy").await;
    let message = told["message"].as_str().expect("a text");
    assert!(
        message.starts_with("Readiness probe failed: dial tcp ")
            && message.ends_with(":9: connect: connection refused"),
        "{message}"
    );
    let (_, pod) = machine.get(&never).await;
    assert!(!is_ready(&pod) && pod["status"]["phase"] == "Running", "{pod}");
    machine.delete(&slow).await;
    machine.gone(&slow).await;
    machine.event("slow", "Killing").await;
    machine.down();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn init_containers_and_jobs_come_to_an_end() {
    if !in_a_network_of_its_own("cluster::node::pods::init_containers_and_jobs_come_to_an_end") {
        return;
    }
    let machine = Machine::start("inits").await;
    let path = machine
        .pod("job", "cat /data/a; id -u; id -G", |pod| {
            let mount = json!([{"name": "data", "mountPath": "/data"}]);
            let command = json!(["sh", "-c", "echo from init > /data/a"]);
            pod["spec"]["restartPolicy"] = json!("Never");
            pod["spec"]["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
            pod["spec"]["securityContext"] = json!({"runAsUser": 1000, "fsGroup": 3000});
            pod["spec"]["containers"][0]["volumeMounts"] = mount.clone();
            pod["spec"]["initContainers"] = json!([
                {"name": "init", "image": IMAGE, "command": command, "volumeMounts": mount},
                {"name": "side", "image": IMAGE, "command": ["sleep", "1000"], "restartPolicy": "Always"},
            ]);
        })
        .await;
    let pod = machine
        .wait(&path, |pod| pod["status"]["phase"] == "Succeeded")
        .await;
    let inits = &pod["status"]["initContainerStatuses"];
    assert_eq!(inits[0]["state"]["terminated"]["reason"], "Completed");
    assert!(inits[1]["state"]["terminated"].is_object(), "{inits}");
    machine.log(&pod, 0, "from init\n1000\n1001 1002 3000").await;
    machine.down();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_pods_run() {
    if !in_a_network_of_its_own("cluster::node::pods::a_hundred_pods_run") {
        return;
    }
    let machine = Machine::start("hundred").await;
    let begun = std::time::Instant::now();
    let mut paths = Vec::new();
    for number in 0..100 {
        paths.push(
            machine
                .pod(&format!("p{number}"), "exec sleep 1000", |_| {})
                .await,
        );
    }
    for path in &paths {
        machine.wait(path, is_ready).await;
    }
    println!("100 pods ready after {} ms", begun.elapsed().as_millis());
    let (_, pods) = machine.get(PODS).await;
    let addresses = pods["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|pod| &pod["status"]["podIP"]);
    let mut addresses: Vec<&Value> = addresses.collect();
    addresses.sort_by_key(|address| address.to_string());
    addresses.dedup();
    assert_eq!(addresses.len(), 100, "each has its own");
    machine.down();
}
