//! A cluster with a node, in a network of its own, with an image of Debian's static busybox.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use deploy_cluster_oracle::pods::image;
use deploy_image::Store;
use serde_json::{Value, json};

use crate::cluster::server::{Server, deploy};
use crate::cluster::wire::Client;

/// A condition that holds on an idle machine within a second has this long on a loaded one.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Between two looks at a file.
const LOOK: Duration = Duration::from_millis(10);

/// Set for the process that runs in the new network.
const INSIDE: &str = "DEPLOY_TEST_NETWORK";

pub const IMAGE: &str = deploy_cluster_oracle::pods::IMAGE;

/// Runs the test of this name again in a network namespace of its own, with root's rights; true inside of it. A machine
/// that cannot do that says so in a line.
pub fn in_a_network_of_its_own(test: &str) -> bool {
    unshared(test, &["--net"])
}

/// The same with mounts of its own, too.
pub fn with_mounts_of_its_own(test: &str) -> bool {
    unshared(test, &["--net", "--mount"])
}

fn unshared(test: &str, namespaces: &[&str]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
        assert!(up.is_ok_and(|status| status.success()), "loopback can be used");
        return true;
    }
    let there = |path: &str| Path::new(path).exists();
    if !rustix::process::geteuid().is_root() || !there(image::BUSYBOX) || !there("/usr/bin/unshare") {
        println!("skipped: {test} needs root, unshare and {}", image::BUSYBOX);
        return false;
    }
    let program = std::env::current_exe().expect("this test");
    let status = Command::new("unshare")
        .args(namespaces)
        .arg("--")
        .arg(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .status()
        .expect("unshare was found");
    assert!(status.success(), "{test}, in a network of its own");
    false
}

/// A server with a node; whatever becomes of the test, nothing of it stays.
pub struct Machine {
    pub server: Option<Server>,
    pub folder: PathBuf,
    pub client: Client,
}

impl Machine {
    /// Starts one whose store has [`IMAGE`].
    pub async fn start(name: &str) -> Machine {
        let folder = crate::fresh_folder(&format!("node-{name}"));
        load_image(&folder);
        Machine::start_in(folder, &[]).await
    }

    /// Starts one beside another: its ingress has these doors.
    pub async fn start_beside(name: &str, http: &str, https: &str) -> Machine {
        let folder = crate::fresh_folder(&format!("node-{name}"));
        load_image(&folder);
        Machine::start_in(folder, &["--ingress-http", http, "--ingress-https", https]).await
    }

    async fn start_in(folder: PathBuf, arguments: &[&str]) -> Machine {
        let server = Server::start_with_node(&folder, arguments);
        let client = Client::connect(&server.kubeconfig()).await;
        let machine = Machine {
            server: Some(server),
            folder,
            client,
        };
        machine
            .wait("/api/v1/namespaces/default/serviceaccounts/default", |_| true)
            .await;
        machine
    }

    /// Starts the server again over what is there.
    pub async fn start_again(&mut self) {
        let server = Server::start_with_node(&self.folder, &[]);
        self.client = Client::connect(&server.kubeconfig()).await;
        self.server = Some(server);
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.client
            .send("GET", path, &Value::Null)
            .await
            .expect("the server is there")
    }

    pub async fn create(&self, path: &str, object: Value) -> Value {
        let (status, answer) = self
            .client
            .send("POST", path, &object)
            .await
            .expect("the server is there");
        assert_eq!(status, 201, "{path}: {answer}");
        answer
    }

    /// A pod in `default` of one container with this shell script, changed by `shape`.
    pub async fn pod(&self, name: &str, script: &str, shape: impl FnOnce(&mut Value)) -> String {
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {
                "terminationGracePeriodSeconds": 2,
                "containers": [{"name": "main", "image": IMAGE, "command": ["sh", "-c", script]}],
            },
        });
        shape(&mut pod);
        self.create(PODS, pod).await;
        format!("{PODS}/{name}")
    }

    /// Waits until an object is so.
    pub async fn wait(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let (parent, name) = path.rsplit_once('/').expect("a path of an object");
        let watching = async {
            let watch = format!("{parent}?watch=1&fieldSelector=metadata.name={name}");
            let mut watch = self.client.watch(&watch).await.expect("a watch");
            let (status, now) = self.get(path).await;
            if status == 200 && is_so(&now) {
                return now;
            }
            while let Some(event) = watch.next().await {
                if event["type"] != "DELETED" && is_so(&event["object"]) {
                    return event["object"].clone();
                }
            }
            panic!("the watch of {path} has ended");
        };
        match tokio::time::timeout(PATIENCE, watching).await {
            Ok(object) => object,
            Err(_) => {
                let (_, object) = self.get(path).await;
                let (_, events) = self.get("/api/v1/namespaces/default/events").await;
                let told = events["items"].as_array().into_iter().flatten();
                let told: Vec<String> = told
                    .map(|event| format!("{}: {}", event["reason"], event["message"]))
                    .collect();
                panic!(
                    "{path} did not come to be so: {:#}\n{}",
                    object["status"],
                    told.join("\n")
                );
            }
        }
    }

    /// Waits until an object is gone.
    pub async fn gone(&self, path: &str) {
        let (parent, name) = path.rsplit_once('/').expect("a path of an object");
        let watch = format!("{parent}?watch=1&fieldSelector=metadata.name={name}");
        let going = async {
            let mut watch = self.client.watch(&watch).await.expect("a watch");
            while self.get(path).await.0 != 404 {
                watch.next().await;
            }
        };
        tokio::time::timeout(PATIENCE, going).await.expect("it goes");
    }

    pub async fn delete(&self, path: &str) {
        let (status, answer) = self
            .client
            .send("DELETE", path, &Value::Null)
            .await
            .expect("the server is there");
        assert_eq!(status, 200, "{answer}");
    }

    /// Waits until an event of this reason is told about an object.
    pub async fn event(&self, name: &str, reason: &str) -> Value {
        let path = "/api/v1/namespaces/default/events?watch=1";
        let telling = async {
            let mut watch = self.client.watch(path).await.expect("a watch");
            while let Some(event) = watch.next().await {
                let event = &event["object"];
                if event["involvedObject"]["name"] == name && event["reason"] == reason {
                    return event.clone();
                }
            }
            panic!("the watch of events has ended");
        };
        tokio::time::timeout(PATIENCE, telling)
            .await
            .unwrap_or_else(|_| panic!("{reason} about {name}"))
    }

    /// Waits until an attempt of the main container of a pod has written this, leaving out what CRI writes before each
    /// line: a process that runs need not have written yet.
    pub async fn log(&self, pod: &Value, attempt: u32, expected: &str) {
        let path = self.log_path(pod, attempt);
        let mut log = String::new();
        let writing = async {
            let mut looks = tokio::time::interval(LOOK);
            while log != expected {
                looks.tick().await;
                log = written(&path);
            }
        };
        let is_written = tokio::time::timeout(PATIENCE, writing).await.is_ok();
        assert!(is_written, "{}: {log:?}, not {expected:?}", path.display());
    }

    /// Runs a script in a pod to its end, which must be a good one: what it wrote.
    pub async fn says(&self, name: &str, script: &str, shape: impl FnOnce(&mut Value)) -> String {
        let path = self
            .pod(name, script, |pod| {
                pod["spec"]["restartPolicy"] = json!("Never");
                shape(pod);
            })
            .await;
        let pod = self
            .wait(&path, |pod| {
                pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed"
            })
            .await;
        let log = self.written(&pod);
        assert_eq!(pod["status"]["phase"], "Succeeded", "{name}: {log}");
        log
    }

    /// What the first attempt of the main container of a pod that has ended wrote, without what CRI writes before lines.
    pub fn written(&self, pod: &Value) -> String {
        written(&self.log_path(pod, 0))
    }

    fn log_path(&self, pod: &Value, attempt: u32) -> PathBuf {
        let text = |name: &str| pod["metadata"][name].as_str().expect("it has one").to_owned();
        let folder = format!("{}_{}_{}", text("namespace"), text("name"), text("uid"));
        let logs = self.folder.join("data/cluster/node/logs").join(folder);
        logs.join(format!("main/{attempt}.log"))
    }

    /// What a command in a container says.
    pub fn exec(&self, pod: &str, command: &[&str]) -> String {
        let output = Command::new("kubectl")
            .args(["exec", pod, "--"])
            .args(command)
            .env("KUBECONFIG", self.folder.join("kubeconfig"))
            .env("HOME", &self.folder)
            .output()
            .expect("kubectl runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{pod}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Processes whose command line has this word.
    pub fn processes(word: &str) -> usize {
        let all = std::fs::read_dir("/proc").expect("proc").flatten();
        let lines = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        lines
            .filter(|line| String::from_utf8_lossy(line).contains(word))
            .count()
    }

    /// Ends everything, and looks whether it has.
    pub fn down(mut self) {
        self.sweep();
        assert_eq!(self.leftovers(), Vec::<String>::new());
    }

    /// What is left of the cluster on the machine.
    pub fn leftovers(&self) -> Vec<String> {
        let mut left = Vec::new();
        let folder = self.folder.display().to_string();
        let mounts = std::fs::read_to_string("/proc/self/mounts").expect("proc");
        left.extend(
            mounts
                .lines()
                .filter(|line| line.contains(&folder))
                .map(str::to_owned),
        );
        let id = id(&self.folder);
        let groups = std::fs::read_dir("/sys/fs/cgroup").expect("cgroups").flatten();
        let groups = groups.map(|controller| controller.path().join(format!("deploy-{id}")));
        left.extend(
            groups
                .filter(|path| path.exists())
                .map(|path| path.display().to_string()),
        );
        let links = Command::new("ip").args(["-o", "link"]).output().expect("ip runs");
        let links = String::from_utf8_lossy(&links.stdout).into_owned();
        left.extend(
            links
                .lines()
                .filter(|line| line.contains(&format!("deploy{id}")))
                .map(str::to_owned),
        );
        let tables = Command::new("nft").args(["list", "tables"]).output();
        let tables = tables
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default();
        left.extend(
            tables
                .lines()
                .filter(|line| line.contains(&format!("deploy-{id}")))
                .map(str::to_owned),
        );
        if Machine::processes(&folder) > 0 {
            left.push("a process".to_owned());
        }
        left
    }

    fn sweep(&mut self) {
        let mut server = self.server.take();
        let swept = deploy(&self.folder)
            .args(["cluster", "down", "--force"])
            .output()
            .expect("the binary runs");
        if let Some(server) = server.take() {
            server.ended();
        }
        let told = String::from_utf8_lossy(&swept.stderr).into_owned();
        assert!(swept.status.success(), "{told}");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            drop(server);
            let _ = deploy(&self.folder).args(["cluster", "down", "--force"]).output();
        }
    }
}

pub const PODS: &str = "/api/v1/namespaces/default/pods";

/// Whether the container of this place is ready.
pub fn is_ready(pod: &Value) -> bool {
    pod["status"]["containerStatuses"][0]["ready"] == true
}

/// Whether it waits, or has ended, for this reason.
pub fn state<'a>(pod: &'a Value, which: &str) -> &'a Value {
    &pod["status"]["containerStatuses"][0]["state"][which]
}

fn load_image(folder: &Path) {
    let probe = probe();
    let more: Vec<(&str, &Path)> = probe.iter().map(|path| ("bin/probe", path.as_path())).collect();
    let archive = image::archive(folder, IMAGE, &[], &more).expect("an archive");
    let images = folder.join("data/cluster/images");
    std::fs::create_dir_all(&images).expect("a folder");
    let store = Store::open(&images).expect("a store");
    let mut file = std::fs::File::open(&archive).expect("it was written");
    store.load_archive(&mut file, None).expect("it holds an image");
}

/// The static program of `cargo xtask image probe`, which `make test` builds before.
pub fn probe() -> Option<PathBuf> {
    let path = deploy_conformance::repository().join("target/images/probe/probe");
    path.is_file().then_some(path)
}

/// What tells the cluster of this folder from others on the machine, as the binary computes it (FNV-1a).
fn id(folder: &Path) -> String {
    let whole = folder.join("data/cluster").canonicalize().expect("it was made");
    let bytes = whole.as_os_str().as_encoded_bytes();
    let hash = bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    format!("{hash:08x}")
}

/// The lines of a log in CRI's format, without their heads.
fn written(path: &Path) -> String {
    let log = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = log
        .lines()
        .map(|line| line.splitn(4, ' ').nth(3).unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}
