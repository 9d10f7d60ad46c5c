//! Bad input: images that are broken on purpose, a disk that is full, cgroups that cannot be made, containers that mean
//! harm. The pod fails with upstream's reason; the node and its neighbours go on.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use super::machine::{Machine, PODS, in_a_network_of_its_own, is_ready, state, with_mounts_of_its_own};

/// A registry on loopback, with whatever it was given.
struct Registry {
    address: String,
    content: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    thread: Option<JoinHandle<()>>,
}

impl Registry {
    fn start() -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let content: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
        let shared = content.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if !serve(stream, &shared) {
                    return;
                }
            }
        });
        Registry {
            address,
            content,
            thread: Some(thread),
        }
    }

    fn put(&self, path: &str, bytes: Vec<u8>) {
        let mut content = self.content.lock().expect("nobody panics with it");
        content.insert(path.to_owned(), bytes);
    }

    /// A blob under its digest, and how a manifest names it.
    fn blob(&self, name: &str, kind: &str, bytes: Vec<u8>) -> Value {
        let digest = digest(&bytes);
        let size = bytes.len();
        self.put(&format!("/v2/{name}/blobs/{digest}"), bytes);
        json!({"mediaType": kind, "digest": digest, "size": size})
    }

    /// An image of this configuration and layer; its reference.
    fn image(&self, name: &str, config: Vec<u8>, layer: Vec<u8>) -> String {
        let config = self.blob(name, "application/vnd.oci.image.config.v1+json", config);
        let layer = self.blob(name, LAYER, layer);
        self.manifest(
            name,
            &json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}),
        )
    }

    fn manifest(&self, name: &str, manifest: &Value) -> String {
        self.put(
            &format!("/v2/{name}/manifests/1"),
            manifest.to_string().into_bytes(),
        );
        format!("{}/{name}:1", self.address)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // The last request that it hears.
        if let Ok(mut stream) = TcpStream::connect(&self.address) {
            let _ = stream.write_all(b"END / HTTP/1.1\r\n\r\n");
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Whether it goes on.
fn serve(mut stream: TcpStream, content: &Mutex<BTreeMap<String, Vec<u8>>>) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return true,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if method == "END" {
        return false;
    }
    let found = content.lock().expect("nobody panics with it").get(path).cloned();
    let answer = match found {
        Some(bytes) => {
            let kind: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let kind = kind["mediaType"].as_str().unwrap_or("application/octet-stream");
            let head = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                bytes.len()
            );
            let body = if method == "HEAD" { Vec::new() } else { bytes };
            [head.into_bytes(), body].concat()
        }
        None => b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec(),
    };
    let _ = stream.write_all(&answer);
    true
}

fn digest(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A tar of these files; names are written as they are, wherever they lead.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        header.set_cksum();
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(bytes);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn config(layer: &[u8]) -> Vec<u8> {
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
    });
    config.to_string().into_bytes()
}

/// Every way in which an image can be wrong that is on no disk yet: its reference, and words of the reason.
fn broken(registry: &Registry) -> Vec<(&'static str, String, &'static [&'static str])> {
    let layer = tar(&[("file", b"x")]);
    let good = packed(&layer);
    let cut = good[..good.len() / 2].to_vec();
    let escaping = tar(&[("../../../../tmp/escaped", b"x")]);
    let mut all: Vec<(&'static str, String, &'static [&'static str])> = vec![
        ("cut-layer", registry.image("cut", config(&layer), cut), &[]),
        (
            "no-gzip",
            registry.image("no-gzip", config(&layer), b"no gzip at all".to_vec()),
            &[],
        ),
        (
            "wrong-diff",
            registry.image("wrong-diff", config(b"another"), good.clone()),
            &["sha256:"],
        ),
        (
            "no-json",
            registry.image("no-json", b"no json".to_vec(), good.clone()),
            &[],
        ),
        (
            "escaping",
            registry.image("escaping", config(&escaping), packed(&escaping)),
            &["escaped"],
        ),
    ];
    // The registry answers other bytes than the digest that was asked for.
    let described = registry.blob("swapped", LAYER, good.clone());
    let path = format!(
        "/v2/swapped/blobs/{}",
        described["digest"].as_str().expect("it has one")
    );
    let mut other = good.clone();
    *other.last_mut().expect("it is not empty") ^= 1;
    let settings = registry.blob(
        "swapped",
        "application/vnd.oci.image.config.v1+json",
        config(&layer),
    );
    let manifest =
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": settings, "layers": [described]});
    let swapped = registry.manifest("swapped", &manifest);
    registry.put(&path, other);
    all.push(("wrong-digest", swapped, &["sha256:"]));
    let elsewhere = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{"mediaType": MANIFEST, "digest": digest(b"none"), "size": 4,
                       "platform": {"os": "linux", "architecture": "s390x"}}],
    });
    all.push((
        "no-platform",
        registry.manifest("no-platform", &elsewhere),
        &["no match for platform"],
    ));
    all.push((
        "no-manifest",
        format!("{}/absent:1", registry.address),
        &["not found"],
    ));
    all
}

fn with_image(reference: &str) -> impl FnOnce(&mut Value) {
    let reference = reference.to_owned();
    move |pod| pod["spec"]["containers"][0]["image"] = json!(reference)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_images_fail_alone() {
    if !in_a_network_of_its_own("cluster::node::hostile::broken_images_fail_alone") {
        return;
    }
    let machine = Machine::start("broken").await;
    let neighbour = machine.pod("neighbour", "exec sleep 1000", |_| {}).await;
    let registry = Registry::start();
    let cases = broken(&registry);
    for (name, reference, _) in &cases {
        machine.pod(name, "true", with_image(reference)).await;
    }
    for (name, reference, words) in &cases {
        let pod = machine
            .wait(&format!("{PODS}/{name}"), |pod| {
                state(pod, "waiting")["reason"] == "ImagePullBackOff"
            })
            .await;
        let message = state(&pod, "waiting")["message"].as_str().unwrap_or_default();
        let told = format!("Back-off pulling image \"{reference}\": ErrImagePull: ");
        assert!(message.starts_with(&told), "{name}: {message}");
        for word in *words {
            assert!(message.contains(word), "{name}: {message}");
        }
        let event = machine.event(name, "Failed").await;
        assert!(event["message"].as_str().is_some_and(|text| !text.is_empty()));
        assert_eq!(pod["status"]["phase"], "Pending");
    }
    assert!(
        !std::path::Path::new("/tmp/escaped").exists(),
        "nothing leaves its root"
    );
    // One of them is mended, and everything goes on: the registry itself was never the trouble.
    let busybox = std::fs::read("/bin/busybox").expect("it is there");
    let layer = tar(&[("bin/sh", &busybox)]);
    let mended = registry.image("good", config(&layer), packed(&layer));
    let good = machine
        .pod("good", "exit 0", |pod| {
            with_image(&mended)(pod);
            pod["spec"]["restartPolicy"] = json!("Never");
            pod["spec"]["containers"][0]["command"] = json!(["/bin/sh", "-c", "exit 0"]);
        })
        .await;
    machine
        .wait(&good, |pod| pod["status"]["phase"] == "Succeeded")
        .await;
    let after = machine.wait(&neighbour, is_ready).await;
    assert_eq!(after["status"]["containerStatuses"][0]["restartCount"], 0);
    machine.down();
}

/// Noise that no compression makes smaller.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let words = (0..bytes / 8).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_fails_one_pull() {
    if !with_mounts_of_its_own("cluster::node::hostile::a_full_disk_fails_one_pull") {
        return;
    }
    let mut machine = Machine::start("full").await;
    let neighbour = machine.pod("neighbour", "exec sleep 1000", |_| {}).await;
    machine.wait(&neighbour, is_ready).await;
    // The images move to a disk of 40 MB while the server is away.
    machine.server.take().expect("it runs").stop();
    let images = machine.folder.join("data/cluster/images");
    let aside = machine.folder.join("aside");
    let sh = |script: String| {
        let status = Command::new("sh")
            .args(["-ec", &script])
            .status()
            .expect("a shell");
        assert!(status.success(), "{script}");
    };
    let (at, kept) = (images.display(), aside.display());
    sh(format!(
        "cp -a {at} {kept}; mount -t tmpfs -o size=40m,mode=700 tmpfs {at}; cp -a {kept}/. {at}/"
    ));
    machine.start_again().await;
    let registry = Registry::start();
    let layer = tar(&[("big", &noise(64 << 20))]);
    let big = registry.image("big", config(&layer), packed(&layer));
    let path = machine.pod("big", "true", with_image(&big)).await;
    let pod = machine
        .wait(&path, |pod| state(pod, "waiting")["reason"] == "ImagePullBackOff")
        .await;
    let message = state(&pod, "waiting")["message"].as_str().unwrap_or_default();
    assert!(message.contains("no space left on"), "{message}");
    machine.delete(&path).await;
    machine.gone(&path).await;
    // What was half there has gone: a small one finds room, and the neighbour never noticed.
    let small = tar(&[("bin/sh", &std::fs::read("/bin/busybox").expect("it is there"))]);
    let reference = registry.image("small", config(&small), packed(&small));
    let after = machine
        .pod("small", "exit 0", |pod| {
            with_image(&reference)(pod);
            pod["spec"]["restartPolicy"] = json!("Never");
            pod["spec"]["containers"][0]["command"] = json!(["/bin/sh", "-c", "exit 0"]);
        })
        .await;
    machine
        .wait(&after, |pod| pod["status"]["phase"] == "Succeeded")
        .await;
    let pod = machine.wait(&neighbour, is_ready).await;
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    // What is left is looked at next, and this is the test's own.
    sh(format!("umount --lazy {}", images.display()));
    machine.down();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cgroup_that_cannot_be_made_is_tried_again() {
    if !with_mounts_of_its_own("cluster::node::hostile::a_cgroup_that_cannot_be_made_is_tried_again") {
        return;
    }
    let machine = Machine::start("no-group").await;
    let neighbour = machine.pod("neighbour", "exec sleep 1000", |_| {}).await;
    machine.wait(&neighbour, is_ready).await;
    let hierarchy = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"]
        .into_iter()
        .find(|path| std::path::Path::new(path).join("cgroup.procs").exists())
        .expect("a hierarchy of cgroups");
    let remount = |how: &str| {
        let options = format!("remount,bind,{how}");
        let status = Command::new("mount").args(["-o", &options, hierarchy]).status();
        assert!(status.is_ok_and(|status| status.success()), "{options}");
    };
    remount("ro");
    let waits = machine.pod("waits", "exec sleep 1000", |_| {}).await;
    let event = machine.event("waits", "FailedCreatePodSandBox").await;
    assert!(
        event["message"]
            .as_str()
            .is_some_and(|text| text.contains("cgroup") || text.contains("Read-only")),
        "{}",
        event["message"]
    );
    remount("rw");
    machine.wait(&waits, is_ready).await;
    let pod = machine.wait(&neighbour, is_ready).await;
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    machine.down();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_that_mean_harm_harm_themselves() {
    if !in_a_network_of_its_own("cluster::node::hostile::containers_that_mean_harm_harm_themselves") {
        return;
    }
    let machine = Machine::start("harm").await;
    let neighbour = machine.pod("neighbour", "exec sleep 1000", |_| {}).await;
    machine.wait(&neighbour, is_ready).await;
    // As many processes as it can get: each sleeps, so that only their number counts.
    let bomb = machine
        .pod("bomb", "while sleep 1000 & do :; done", |pod| {
            pod["spec"]["restartPolicy"] = json!("Never");
        })
        .await;
    // Fills its log, its disk in memory and its messages at the same time.
    let loud = machine
        .pod("loud", "while head -c 100000 /dev/urandom; do :; done", |_| {})
        .await;
    let pod = machine
        .wait(&bomb, |pod| pod["status"]["phase"] == "Failed")
        .await;
    let said = machine.written(&pod);
    assert!(said.contains("can't fork"), "{said}");
    machine.wait(&loud, is_ready).await;
    for path in [&bomb, &loud] {
        machine.delete(path).await;
        machine.gone(path).await;
    }
    assert_eq!(machine.says("after", "echo well", |_| {}).await, "well");
    let pod = machine.wait(&neighbour, is_ready).await;
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    machine.down();
}

/// Pods that mount a part of a volume while another container turns that part into a link to the machine's root and back.
const RACERS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_in_a_volume_leads_nobody_out() {
    if !in_a_network_of_its_own("cluster::node::hostile::a_link_in_a_volume_leads_nobody_out") {
        return;
    }
    let machine = Machine::start("links").await;
    let claim = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "shared"},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Mi"}}},
    });
    machine
        .create("/api/v1/namespaces/default/persistentvolumeclaims", claim)
        .await;
    let volume = json!([{"name": "v", "persistentVolumeClaim": {"claimName": "shared"}}]);
    let swaps =
        "ln -s / /v/link; while :; do mkdir /v/part; rmdir /v/part; ln -s / /v/part; rm /v/part; done";
    let swapper = machine
        .pod("swaps", swaps, |pod| {
            pod["spec"]["volumes"] = volume.clone();
            pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
        })
        .await;
    machine.wait(&swapper, is_ready).await;
    let mounts = |sub_path: &'static str| {
        let volume = volume.clone();
        move |pod: &mut Value| {
            pod["spec"]["restartPolicy"] = json!("Never");
            pod["spec"]["volumes"] = volume;
            pod["spec"]["containers"][0]["volumeMounts"] =
                json!([{"name": "v", "mountPath": "/inside", "subPath": sub_path}]);
        }
    };
    let look = "test -e /inside/proc && echo escaped; test -e /inside/etc && echo escaped; echo looked";
    let steady = machine.pod("steady", look, mounts("link")).await;
    let pod = machine
        .wait(&steady, |pod| {
            state(pod, "waiting")["reason"] == "CreateContainerConfigError"
        })
        .await;
    let message = state(&pod, "waiting")["message"].as_str().unwrap_or_default();
    assert!(
        message.starts_with("failed to prepare subPath for volumeMount \"v\" of container \"main\""),
        "{message}"
    );
    let mut racers = Vec::new();
    for number in 0..RACERS {
        racers.push(
            machine
                .pod(&format!("racer-{number}"), look, mounts("part"))
                .await,
        );
    }
    for path in &racers {
        let pod = machine
            .wait(path, |pod| {
                pod["status"]["phase"] == "Succeeded"
                    || [
                        "CreateContainerConfigError",
                        "CreateContainerError",
                        "RunContainerError",
                    ]
                    .iter()
                    .any(|reason| state(pod, "waiting")["reason"] == *reason)
            })
            .await;
        if pod["status"]["phase"] == "Succeeded" {
            assert_eq!(machine.written(&pod), "looked", "{path}");
        }
    }
    machine.down();
}
