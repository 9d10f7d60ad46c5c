//! Images from a registry on loopback: policies, reasons and texts, shared pulls, secrets. Root is needed, because layers
//! have owners.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use deploy_cluster_node::images::keyring::Keyring;
use deploy_cluster_node::images::{EnsureError, Images, Notice, PullPolicy};
use deploy_cluster_node::shell::{Ask, ImageSource};
use deploy_image::{Config, Store};
use deploy_model::image::Digest;
use deploy_registry_client::{Client, Options};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

fn sha256(bytes: &[u8]) -> Digest {
    Digest::sha256(&Sha256::digest(bytes).into())
}

#[allow(clippy::print_stdout, reason = "a test that is skipped says so")]
fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: {test} needs root");
    }
    root
}

/// A folder that goes away.
struct Temp(PathBuf);

impl Temp {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("deploy-node-images-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A registry with one image, `app:1`, of some layers. It ends with its handle.
struct Registry {
    address: String,
    asked: Arc<Mutex<HashMap<String, usize>>>,
    content: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    /// What a request must bring; empty for nothing.
    authorization: Arc<Mutex<String>>,
    /// Blobs wait for a permit.
    gate: Arc<Semaphore>,
    task: JoinHandle<()>,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Registry {
    async fn start(layers: u8) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let mut content = HashMap::new();
        let (mut diff_ids, mut descriptors) = (Vec::new(), Vec::new());
        for number in 0..layers {
            let tar = layer(number);
            diff_ids.push(sha256(&tar));
            descriptors.push(json!({"digest": sha256(&tar).as_str(), "size": tar.len()}));
            content.insert(format!("/v2/app/blobs/{}", sha256(&tar)), tar);
        }
        let config = Config::default().to_json(&diff_ids);
        let manifest = json!({
            "config": {"digest": sha256(&config).as_str(), "size": config.len()},
            "layers": descriptors,
        });
        content.insert(format!("/v2/app/blobs/{}", sha256(&config)), config);
        content.insert(
            "/v2/app/manifests/1".to_owned(),
            manifest.to_string().into_bytes(),
        );
        let content = Arc::new(Mutex::new(content));
        let asked: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
        let authorization: Arc<Mutex<String>> = Arc::default();
        let gate = Arc::new(Semaphore::new(1000));
        let (shared, counts, wanted, permits) = (
            content.clone(),
            asked.clone(),
            authorization.clone(),
            gate.clone(),
        );
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, counts) = (shared.clone(), counts.clone());
                let (wanted, permits) = (wanted.clone(), permits.clone());
                tokio::spawn(async move { serve(stream, &shared, &counts, &wanted, &permits).await });
            }
        });
        Self {
            address,
            asked,
            content,
            authorization,
            gate,
            task,
        }
    }

    fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.address)
    }

    fn count(&self, part: &str) -> usize {
        let asked = self.asked.lock().expect("no panic while it is held");
        asked
            .iter()
            .filter(|(path, _)| path.contains(part))
            .map(|(_, count)| count)
            .sum()
    }

    /// Layers alone: the configuration is a blob, too.
    fn layers_fetched(&self) -> usize {
        (0..9)
            .map(|number| self.count(&format!("blobs/{}", sha256(&layer(number)))))
            .sum()
    }
}

async fn serve(
    mut stream: TcpStream,
    content: &Mutex<HashMap<String, Vec<u8>>>,
    asked: &Mutex<HashMap<String, usize>>,
    authorization: &Mutex<String>,
    gate: &Semaphore,
) {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    *asked
        .lock()
        .expect("no panic while it is held")
        .entry(path.clone())
        .or_default() += 1;
    if path.contains("/blobs/") {
        gate.acquire().await.expect("it is never closed").forget();
    }
    let wanted = authorization.lock().expect("no panic while it is held").clone();
    let found = content
        .lock()
        .expect("no panic while it is held")
        .get(&path)
        .cloned();
    let (status, more, body) = if !wanted.is_empty() && !head.contains(&wanted) {
        (
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=x\r\n",
            Vec::new(),
        )
    } else if let Some(body) = found {
        ("200 OK", "", body)
    } else {
        ("404 Not Found", "", Vec::new())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\n{more}Content-Length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
}

/// A tar with one file, different for each number.
fn layer(number: u8) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[0] = b'a' + number;
    for (at, text) in [
        (100, "0000644"),
        (108, "0000000"),
        (116, "0000000"),
        (124, "00000001750"),
        (136, "00000000000"),
    ] {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut tar = header.to_vec();
    // 0o1750 bytes.
    tar.extend(vec![number; 1000]);
    tar.resize(tar.len().next_multiple_of(512) + 1024, 0);
    tar
}

struct Node {
    images: Arc<Images>,
    _temp: Temp,
}

fn node() -> Node {
    with_secrets(HashMap::new())
}

fn with_secrets(secrets: HashMap<String, Arc<Value>>) -> Node {
    let temp = Temp::new();
    let store = Arc::new(Store::open(&temp.0).expect("a store"));
    let find = move |namespace: &str, name: &str| secrets.get(&format!("{namespace}/{name}")).cloned();
    Node {
        images: Arc::new(Images::new(
            store,
            Client::new(Options::default()),
            Box::new(find),
        )),
        _temp: temp,
    }
}

impl Node {
    /// How it ends, and what people were told.
    async fn ensure(&self, image: &str, policy: PullPolicy) -> (Result<usize, EnsureError>, Vec<String>) {
        let told = Mutex::new(Vec::new());
        let notice = |notice: Notice| {
            let kind = if notice.warning { "Warning" } else { "Normal" };
            let line = format!("{kind} {} {}", notice.reason, notice.message);
            told.lock().expect("no panic while it is held").push(line);
        };
        let outcome = self
            .images
            .ensure(image, policy, &Keyring::default(), &notice)
            .await;
        let told = told.into_inner().expect("no panic while it was held");
        (outcome.map(|image| image.layers.len()), told)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_is_pulled_once_and_then_there() {
    if !is_root("an_image_is_pulled_once_and_then_there") {
        return;
    }
    let registry = Registry::start(4).await;
    let node = node();
    let name = registry.name("app:1");
    let (outcome, told) = node.ensure(&name, PullPolicy::IfNotPresent).await;
    assert_eq!(outcome, Ok(4), "{told:?}");
    assert_eq!(told[0], format!("Normal Pulling Pulling image \"{name}\""));
    assert!(
        told[1].starts_with(&format!("Normal Pulled Successfully pulled image \"{name}\" in ")),
        "{told:?}"
    );
    let image = node.images.store().find(&name).expect("it is there");
    let end = format!(" including waiting). Image size: {} bytes.", image.size);
    assert!(told[1].ends_with(&end), "{told:?}");
    let (outcome, told) = node.ensure(&name, PullPolicy::IfNotPresent).await;
    assert_eq!((outcome, registry.count("manifests")), (Ok(4), 1));
    assert_eq!(
        told,
        [format!(
            "Normal Pulled Container image \"{name}\" already present on machine"
        )]
    );
    // Always asks what the tag means, and fetches nothing that is there.
    let (outcome, told) = node.ensure(&name, PullPolicy::Always).await;
    assert_eq!((outcome, told.len()), (Ok(4), 2));
    assert_eq!((registry.count("manifests"), registry.layers_fetched()), (2, 4));
}

#[tokio::test]
async fn refusals_without_a_registry() {
    let node = node();
    let (outcome, told) = node.ensure("app:1", PullPolicy::Never).await;
    let message = "Container image \"app:1\" is not present with pull policy of Never".to_owned();
    assert_eq!(told, [format!("Warning ErrImageNeverPull {message}")]);
    let never = EnsureError {
        reason: "ErrImageNeverPull",
        message,
        pulled: false,
    };
    assert_eq!(outcome, Err(never));
    let (outcome, told) = node.ensure("App:1", PullPolicy::Always).await;
    let message = "Failed to apply default image tag \"App:1\": couldn't parse image name \"App:1\": invalid reference format: repository name (library/App) must be lowercase".to_owned();
    assert_eq!(told, [format!("Warning InspectFailed {message}")]);
    let invalid = EnsureError {
        reason: "InvalidImageName",
        message,
        pulled: false,
    };
    assert_eq!(outcome, Err(invalid));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_registry_lacks() {
    let registry = Registry::start(1).await;
    let name = registry.name("app:2");
    let (outcome, told) = node().ensure(&name, PullPolicy::IfNotPresent).await;
    let message = format!(
        "failed to pull and unpack image \"{name}\": failed to resolve reference \"{name}\": {name}: not found"
    );
    assert_eq!(
        told[1],
        format!("Warning Failed Failed to pull image \"{name}\": {message}")
    );
    let failed = EnsureError {
        reason: "ErrImagePull",
        message,
        pulled: true,
    };
    assert_eq!(outcome, Err(failed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrupt_layer_fails_and_a_mended_one_is_taken() {
    if !is_root("a_corrupt_layer_fails_and_a_mended_one_is_taken") {
        return;
    }
    let registry = Registry::start(2).await;
    let node = node();
    let name = registry.name("app:1");
    let path = format!("/v2/app/blobs/{}", sha256(&layer(1)));
    let damage = |bytes: Vec<u8>| {
        registry
            .content
            .lock()
            .expect("no panic while it is held")
            .insert(path.clone(), bytes);
    };
    let mut other = layer(1);
    other[600] ^= 1;
    damage(other.clone());
    let (outcome, _) = node.ensure(&name, PullPolicy::IfNotPresent).await;
    let error = outcome.expect_err("its digest is wrong");
    let expected = format!(
        "failed to pull and unpack image \"{name}\": failed to copy: unexpected digest of layer: got {}, expected {}",
        sha256(&other),
        sha256(&layer(1))
    );
    assert_eq!((error.reason, error.message), ("ErrImagePull", expected));
    assert!(node.images.store().find(&name).is_none());
    damage(layer(1));
    let (outcome, told) = node.ensure(&name, PullPolicy::IfNotPresent).await;
    assert_eq!(outcome, Ok(2), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_want_the_same_share_one_pull() {
    if !is_root("those_who_want_the_same_share_one_pull") {
        return;
    }
    let registry = Registry::start(3).await;
    let node = node();
    let name = registry.name("app:1");
    // The first of them is driven until it waits for the registry, and then goes away.
    registry.gate.forget_permits(1000);
    {
        let gone = node.ensure(&name, PullPolicy::IfNotPresent);
        tokio::pin!(gone);
        let until_asked = async {
            while registry.count("/blobs/") == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = &mut gone => panic!("the registry holds it back"),
            () = until_asked => {}
        }
    }
    registry.gate.add_permits(1000);
    let all = [(); 6].map(|()| node.ensure(&name, PullPolicy::Always));
    let [a, b, c, d, e, f] = all;
    let outcomes = tokio::join!(a, b, c, d, e, f);
    for (outcome, told) in [
        outcomes.0, outcomes.1, outcomes.2, outcomes.3, outcomes.4, outcomes.5,
    ] {
        assert_eq!(outcome, Ok(3), "{told:?}");
    }
    assert_eq!(registry.layers_fetched(), 3);
    assert!(
        registry.count("manifests") <= 3,
        "one that went away, one that was shared"
    );
    let none = Box::new(Vec::new);
    Arc::clone(&node.images).start_cleaning(none, Box::new(|_, text| panic!("{text}")));
    node.images.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_of_the_pod_open_the_registry() {
    if !is_root("secrets_of_the_pod_open_the_registry") {
        return;
    }
    let registry = Registry::start(1).await;
    // base64 of `who:word`.
    *registry.authorization.lock().expect("no panic while it is held") = "Basic d2hvOndvcmQ=".to_owned();
    use base64::Engine;
    let config = json!({"auths": {registry.address.clone(): {"username": "who", "password": "word"}}});
    let secret = json!({
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64::engine::general_purpose::STANDARD.encode(config.to_string())},
    });
    let node = with_secrets(HashMap::from([("shop/pull".to_owned(), Arc::new(secret))]));
    let ask = |secrets: Value| Ask {
        pod: Arc::new(json!({"metadata": {"namespace": "shop"}, "spec": {"imagePullSecrets": secrets}})),
        image: registry.name("app:1"),
        policy: "IfNotPresent".to_owned(),
    };
    let source: &dyn ImageSource = &*node.images;
    let without = ask(json!([{"name": "missing"}]));
    let failure = source
        .ensure(&without, &|_, _, _| {})
        .await
        .expect_err("it is not let in");
    assert!(
        failure.pulled && failure.message.contains("pull access denied"),
        "{failure:?}"
    );
    assert!(!failure.message.contains("word"));
    let with = ask(json!([{"name": "missing"}, {"name": "pull"}]));
    let image = source.ensure(&with, &|_, _, _| {}).await.expect("it is let in");
    assert_eq!(image.facts.name, registry.name("app:1"));
    assert!(
        image.facts.id.starts_with(&registry.name("app@sha256:")),
        "{}",
        image.facts.id
    );
    assert_eq!(
        source.identity(&image, "7:8").map(|user| (user.uid, user.gid)),
        Ok((7, 8))
    );
    assert_eq!(source.list().len(), 1);
}
