//! A registry on loopback, and the smallest client that can say anything to it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use deploy_model::image::{Algorithm, Digest};
use deploy_registry::access::{Accounts, Authenticator, Gate};
use deploy_registry::http::{Address, Server, Service};
use deploy_registry::{Options, Registry};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// A folder that goes with the value.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("deploy-registry-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A clock that is told the time.
#[derive(Clone)]
pub struct Time(Arc<AtomicU64>);

impl Time {
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_800_000_000)))
    }

    pub fn pass(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }

    pub fn clock(&self) -> deploy_registry::Clock {
        let time = self.0.clone();
        Arc::new(move || time.load(Ordering::Relaxed))
    }
}

/// A registry that answers on loopback.
pub struct Running {
    pub address: SocketAddr,
    pub registry: Arc<Registry>,
    server: Option<Server>,
    runtime: Option<Runtime>,
}

impl Running {
    pub fn open(folder: &Path) -> Self {
        Self::with(folder, Options::default(), Accounts::open_on_this_machine())
    }

    pub fn with(folder: &Path, options: Options, authenticator: impl Authenticator + 'static) -> Self {
        let clock = options.clock.clone();
        let registry = Registry::open(folder, options).expect("a registry");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let gate = Gate::new(Arc::new(authenticator), clock).expect("randomness");
        let service = Service::new(registry.clone(), Arc::new(gate), Address::AsAsked);
        let (server, address) = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
                .await
                .expect("a port");
            let address = listener.local_addr().expect("bound");
            let server = Server::start(service);
            server.listen(listener);
            (server, address)
        });
        Self {
            address,
            registry,
            server: Some(server),
            runtime: Some(runtime),
        }
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        ask(self.address, method, path, headers, body)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }

    /// Pushes a blob in one request.
    pub fn push_blob(&self, repository: &str, content: &[u8]) -> Digest {
        let digest = Digest::of(Algorithm::Sha256, content);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        let answer = self.ask("POST", &path, &[], content);
        assert_eq!(answer.status, 201, "{answer:?}");
        digest
    }

    /// Pushes an image of one layer; its digest.
    pub fn push_image(&self, repository: &str, tag: &str, layer: &[u8]) -> Digest {
        let config = self.push_blob(repository, b"{}");
        let blob = self.push_blob(repository, layer);
        let manifest = image(&config, 2, &[(&blob, layer.len())]);
        let path = format!("/v2/{repository}/manifests/{tag}");
        let answer = self.ask(
            "PUT",
            &path,
            &[("content-type", IMAGE)],
            manifest.to_string().as_bytes(),
        );
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.header("docker-content-digest").parse().expect("a digest")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let (Some(runtime), Some(server)) = (self.runtime.take(), self.server.take()) {
            runtime.block_on(server.shutdown());
            runtime.shutdown_timeout(Duration::from_secs(10));
        }
    }
}

/// The manifest of an image.
pub fn image(config: &Digest, size: usize, layers: &[(&Digest, usize)]) -> Value {
    let layers: Vec<Value> = layers
        .iter()
        .map(|(digest, size)| {
            json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest.as_str(), "size": size})
        })
        .collect();
    json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config.as_str(), "size": size},
        "layers": layers,
    })
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The code of its first error.
    pub fn code(&self) -> String {
        self.json()["errors"][0]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// Asks on a connection of its own.
pub fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a timeout");
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).expect("sent");
    // A refusal may come before the end of the body.
    let _ = stream.write_all(body);
    read(&mut BufReader::new(stream), method == "HEAD")
}

/// Reads an answer whose length is told, or that ends with its connection.
pub fn read(stream: &mut impl BufRead, is_head: bool) -> Answer {
    let mut line = String::new();
    stream.read_line(&mut line).expect("a status");
    let status = line.split(' ').nth(1).and_then(|text| text.parse().ok());
    let mut answer = Answer {
        status: status.unwrap_or_else(|| panic!("no status: {line:?}")),
        headers: BTreeMap::new(),
        body: Vec::new(),
    };
    loop {
        line.clear();
        stream.read_line(&mut line).expect("a header");
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let old = answer
            .headers
            .insert(name.to_ascii_lowercase(), value.trim().to_owned());
        if let Some(old) = old {
            let both = format!("{old}, {}", value.trim());
            answer.headers.insert(name.to_ascii_lowercase(), both);
        }
    }
    if is_head {
        return answer;
    }
    match answer.header("content-length").parse::<u64>() {
        Ok(length) => {
            stream.take(length).read_to_end(&mut answer.body).expect("a body");
            assert_eq!(answer.body.len() as u64, length, "a whole body");
        }
        Err(_) => {
            stream.read_to_end(&mut answer.body).expect("a body");
        }
    }
    answer
}

/// Where a program is, if it is installed; else a line that says that its test is skipped.
#[allow(
    clippy::print_stderr,
    reason = "a test that is skipped says so where people look"
)]
pub fn program(name: &str) -> Option<PathBuf> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/peers/bin")
        .join(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(name));
    let found = Some(peers)
        .filter(|path| path.exists())
        .or_else(|| places.find(|path| path.exists()));
    if found.is_none() {
        eprintln!("skipped: {name} is not installed");
    }
    found
}
