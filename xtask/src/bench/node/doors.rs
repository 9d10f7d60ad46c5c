//! The ingress beside Debian's nginx: both pass requests on to the same pod, in turn, under the same load.
//!
//! The pod runs nginx, too, because a slow one would hide what stands before it; wrk is the client. All of it shares
//! the machine's cores.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use deploy_image::{Config, Contents, Pack, write_archive};
use serde_json::{Value, json};

use super::machine::{Machine, program, wait};
use super::median;
use super::pods::{PODS, Watch};
use crate::repository;

const IMAGE: &str = "deploy.test/nginx:1";
const HOST: &str = "bench.localhost";
/// Where `deploy run cluster` serves Ingresses.
const OURS: &str = "127.0.0.1:8080";
/// Where the nginx beside it listens.
const THEIRS: &str = "127.0.0.1:8090";
/// In the pod.
const PORT: u16 = 8000;
/// As many as browsers of a small shop.
const CONNECTIONS: &str = "64";

/// Requests per second through both; null where a program is missing.
pub fn measure(machine: &mut Machine, folder: &Path, seconds: u32, rounds: usize) -> Result<Value, String> {
    let (Some(nginx), Some(wrk)) = (program("nginx"), program("wrk")) else {
        println!("ingress: skipped, nginx or wrk is not installed");
        return Ok(Value::Null);
    };
    machine.load(&image(&nginx, folder)?)?;
    let address = place(machine)?;
    let beside = Beside::start(&nginx, folder, &address)?;
    let load = |at: &str| {
        let url = format!("http://{at}/");
        requests_per_second(
            Command::new(&wrk)
                .args(["-t", "2", "-c", CONNECTIONS, "-d", &format!("{seconds}s")])
                .args(["-H", &format!("Host: {HOST}"), &url]),
        )
    };
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let straight = load(&format!("{address}:{PORT}"))?;
    for round in 0..=rounds {
        let (mine, other) = (load(OURS)?, load(THEIRS)?);
        // The first round opens connections.
        if round > 0 {
            ours.push(mine);
            theirs.push(other);
            ratios.push(mine / other);
        }
    }
    drop(beside);
    Ok(json!({
        "ours_per_second": median(&mut ours),
        "nginx_per_second": median(&mut theirs),
        "ratio": median(&mut ratios),
        "pod_per_second": straight,
    }))
}

/// Debian's nginx with what it is linked to, as an image.
fn image(nginx: &Path, folder: &Path) -> Result<PathBuf, String> {
    let root = folder.join("nginx-image");
    fs::remove_dir_all(&root).ok();
    let said = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| format!("{path}: {error}")
    };
    let copy = |from: &Path, to: &Path| -> Result<(), String> {
        let target = root.join(to.strip_prefix("/").unwrap_or(to));
        let parent = target.parent().unwrap_or(&root);
        fs::create_dir_all(parent).map_err(said(parent))?;
        fs::copy(from, &target).map_err(said(from)).map(drop)
    };
    copy(nginx, Path::new("/nginx"))?;
    // `libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x...)`, and the loader by its path alone.
    let libraries = repository::stdout(Command::new("ldd").arg(nginx))?;
    for word in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
        copy(Path::new(word), Path::new(word))?;
    }
    for inside in ["tmp", "etc", "var/log/nginx", "var/lib/nginx"] {
        fs::create_dir_all(root.join(inside)).map_err(said(&root))?;
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/\n").map_err(said(&root))?;
    fs::write(root.join("etc/group"), "root:x:0:\n").map_err(said(&root))?;
    let server = format!(
        "listen {PORT} backlog=1024; location / {{ default_type text/plain; return 200 \"a small answer of the pod\\n\"; }}"
    );
    let config = configuration("/tmp", "off", &format!("server {{ {server} }}"));
    fs::write(root.join("nginx.conf"), config).map_err(said(&root))?;
    let reference = IMAGE.parse().map_err(|error| format!("{IMAGE}: {error}"))?;
    let config = Config {
        entrypoint: ["/nginx", "-c", "/nginx.conf"].map(str::to_owned).to_vec(),
        ..Config::default()
    };
    let archive = folder.join("nginx.oci.tar");
    let contents = Contents {
        reference: &reference,
        config: &config,
        layers: &[root],
        pack: Pack {
            root_owned: true,
            mtime_s: Some(0),
        },
    };
    write_archive(&archive, &contents).map_err(|error| error.to_string())?;
    Ok(archive)
}

/// What both have: a worker per core, and the same answers to the same clients.
fn configuration(temporary: &str, access_log: &str, http: &str) -> String {
    let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {temporary}/{name};\n"))
        .concat();
    format!(
        "user root;\ndaemon off;\nworker_processes auto;\npid {temporary}/nginx.pid;\nerror_log stderr;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n{folders}access_log {access_log};\nkeepalive_requests 1000000000;\n{http}\n}}\n"
    )
}

/// A pod with nginx, its service, and an Ingress; the pod's address, once the ingress reaches it.
fn place(machine: &mut Machine) -> Result<String, String> {
    let watch = Watch::start(machine)?;
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "front", "labels": {"app": "front"}},
        "spec": {
            "terminationGracePeriodSeconds": 2,
            "containers": [{"name": "main", "image": IMAGE, "ports": [{"containerPort": PORT}]}],
        },
    });
    machine.ask("POST", PODS, &pod, 201)?;
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "front"},
        "spec": {"selector": {"app": "front"}, "ports": [{"port": 80, "targetPort": PORT}]},
    });
    machine.ask("POST", "/api/v1/namespaces/default/services", &service, 201)?;
    let backend = json!({"service": {"name": "front", "port": {"number": 80}}});
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "front"},
        "spec": {"rules": [{
            "host": HOST,
            "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
        }]},
    });
    machine.ask(
        "POST",
        "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
        &ingress,
        201,
    )?;
    watch.running("front")?;
    wait("the ingress to reach the pod", || Ok(status(OURS) == Some(200)))?;
    let pod = machine.ask("GET", &format!("{PODS}/front"), &Value::Null, 200)?;
    let address = pod["status"]["podIP"].as_str().ok_or("the pod has no address")?;
    Ok(address.to_owned())
}

/// The status of an answer to `GET /`.
fn status(at: &str) -> Option<u16> {
    use std::io::{Read, Write};
    let mut stream = TcpStream::connect(at).ok()?;
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut text = String::new();
    stream.take(4096).read_to_string(&mut text).ok()?;
    text.split(' ').nth(1)?.parse().ok()
}

/// Debian's nginx as a proxy, ended with the value.
struct Beside {
    child: Child,
}

impl Beside {
    /// It does what the ingress does: keeps connections to the pod, tells it of the client, and writes an access log
    /// that it gathers for half a second.
    fn start(nginx: &Path, folder: &Path, address: &str) -> Result<Beside, String> {
        let own = folder.join("nginx");
        fs::create_dir_all(&own).map_err(|e| format!("{}: {e}", own.display()))?;
        let log = format!(
            "{} combined buffer=64k flush=500ms",
            own.join("access.log").display()
        );
        let headers: String = [
            ("Connection", "\"\""),
            ("Host", "$host"),
            ("X-Real-IP", "$remote_addr"),
            ("X-Forwarded-For", "$remote_addr"),
            ("X-Forwarded-Host", "$http_host"),
            ("X-Forwarded-Port", "$server_port"),
            ("X-Forwarded-Proto", "$scheme"),
            ("X-Request-ID", "$request_id"),
        ]
        .map(|(name, value)| format!("proxy_set_header {name} {value};\n"))
        .concat();
        let http = format!(
            "upstream pod {{ server {address}:{PORT}; keepalive 320; keepalive_requests 1000000000; }}\n\
             server {{ listen {THEIRS}; server_name {HOST};\n\
             location / {{ proxy_pass http://pod; proxy_http_version 1.1;\n{headers}}} }}"
        );
        let config = own.join("nginx.conf");
        fs::write(&config, configuration(&own.display().to_string(), &log, &http))
            .map_err(|e| format!("{}: {e}", config.display()))?;
        let child = Command::new(nginx)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|e| format!("{}: {e}", nginx.display()))?;
        let beside = Beside { child };
        wait("nginx to pass requests on", || Ok(status(THEIRS) == Some(200)))?;
        Ok(beside)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Its workers end with it when it is asked, and not when it is killed.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            self.child.kill().ok();
        }
        self.child.wait().ok();
    }
}

/// What wrk says, if nothing has failed.
fn requests_per_second(command: &mut Command) -> Result<f64, String> {
    let text = repository::stdout(command)?;
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(format!("requests have failed:\n{text}"));
    }
    let rate = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Requests/sec:"))
        .and_then(|rate| rate.trim().parse().ok());
    rate.ok_or_else(|| format!("wrk: {text}"))
}
