//! A cluster with its node: started, looked at, and ended without a trace.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use deploy_cluster_oracle::{Answer, Identity, Request, Server as _};
use serde_json::Value;

use crate::Outcome;
use crate::peers::oracle::http::HttpServer;

/// How long anything may take before the bench gives up.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at a condition. It bounds the precision of what is waited for.
const PAUSE: Duration = Duration::from_millis(2);

/// How long the resolver may take for one answer; it is asked again then.
const NAME_WITHIN: Duration = Duration::from_millis(20);

/// What a start leaves to be done is no idle state.
const SETTLE: Duration = Duration::from_secs(5);

/// The name of a shim's process, and of what it keeps for its pod.
const OF_A_POD: [&str; 2] = ["deploy-sandbox", "pause"];

/// The server, ended with the value.
pub struct Machine {
    program: PathBuf,
    data: PathBuf,
    pub kubeconfig: PathBuf,
    child: Child,
    server: HttpServer,
}

/// Since the server was started.
pub struct Times {
    /// Until the node said that it is Ready.
    pub ready: Duration,
    /// Until the cluster's DNS answered.
    pub named: Duration,
}

impl Machine {
    /// Starts one in an empty data folder.
    pub fn start(program: &Path, folder: &Path) -> Result<(Machine, Times), String> {
        let data = folder.join("data");
        // What a bench that was killed has left.
        down(program, &data).ok();
        fs::remove_dir_all(&data).ok();
        fs::create_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()))?;
        let kubeconfig = folder.join("kubeconfig");
        fs::remove_file(&kubeconfig).ok();
        let log = folder.join("server.log");
        let said = fs::File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let begun = Instant::now();
        let child = Command::new(program)
            .arg("--data-dir")
            .arg(&data)
            .args(["run", "cluster", "--kubeconfig-out"])
            .arg(&kubeconfig)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        // From here on it is ended whatever happens.
        let mut starting = Starting {
            child: Some(child),
            program: program.to_owned(),
            data: data.clone(),
        };
        let given_up = AtomicBool::new(false);
        let (ready, named) = thread::scope(|scope| {
            let naming = scope.spawn(|| until_named(begun, &given_up));
            let ready = until_ready(&kubeconfig, begun, &mut starting);
            given_up.store(ready.is_err(), Ordering::Relaxed);
            let named = naming
                .join()
                .map_err(|_| "the resolver's thread panicked".to_owned());
            (ready, named)
        });
        let said = |error: String| {
            let log = fs::read_to_string(&log).unwrap_or_default();
            format!("{error}\n{log}")
        };
        let (server, ready) = ready.map_err(said)?;
        let named = named?.map_err(said)?;
        let child = starting.child.take().ok_or("it was started")?;
        let machine = Machine {
            program: program.to_owned(),
            data,
            kubeconfig,
            child,
            server,
        };
        Ok((machine, Times { ready, named }))
    }

    /// Waits until what a start leaves to be done is done.
    pub fn settle(&self) {
        thread::sleep(SETTLE);
    }

    /// Puts an archive into the store of images.
    pub fn load(&self, archive: &Path) -> Outcome {
        quietly(
            Command::new(&self.program)
                .arg("--data-dir")
                .arg(&self.data)
                .args(["cluster", "image", "load"])
                .arg(archive),
        )
    }

    /// The API server's answer, which must have this status.
    pub fn ask(&mut self, method: &str, path: &str, body: &Value, status: u16) -> Result<Value, String> {
        let answer = self.send(method, path, body)?;
        if answer.status == status {
            return Ok(answer.json().unwrap_or_default());
        }
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        Err(format!("{method} {path}: {} {body}", answer.status))
    }

    fn send(&mut self, method: &str, path: &str, body: &Value) -> Result<Answer, String> {
        self.server.send(&request(method, path, body))
    }

    /// kubectl with the administrator's credentials and a home of its own.
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new("kubectl");
        command
            .env("HOME", &self.data)
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null());
        command
    }

    /// All pages of the server that are in memory.
    pub fn resident_bytes(&self) -> u64 {
        kib_of(&format!("/proc/{}/status", self.child.id()), &["VmRSS:"])
    }

    /// Memory of the processes that are there for pods and for nothing else, as far as no other process has it too.
    pub fn private_bytes_of_pods(&self) -> u64 {
        let folder = self.data.display().to_string();
        let own: Vec<(u32, String)> = processes()
            .into_iter()
            .filter(|(_, line)| OF_A_POD.iter().any(|name| line.starts_with(name)))
            .collect();
        let shims: BTreeSet<u32> = own
            .iter()
            .filter(|(_, line)| line.contains(&folder))
            .map(|(pid, _)| *pid)
            .collect();
        let children = own.iter().filter(|(pid, _)| shims.contains(&parent(*pid)));
        let all = shims.iter().copied().chain(children.map(|(pid, _)| *pid));
        all.map(|pid| {
            kib_of(
                &format!("/proc/{pid}/smaps_rollup"),
                &["Private_Clean:", "Private_Dirty:"],
            )
        })
        .sum()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        end(&self.program, &self.data, &mut self.child);
    }
}

/// A server whose start is under way.
struct Starting {
    child: Option<Child>,
    program: PathBuf,
    data: PathBuf,
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            end(&self.program, &self.data, child);
        }
    }
}

fn end(program: &Path, data: &Path, child: &mut Child) {
    // It is asked; one that does not listen is killed, and what it leaves is swept.
    if down(program, data).is_err() {
        child.kill().ok();
        child.wait().ok();
        down(program, data).ok();
    }
    child.wait().ok();
}

fn down(program: &Path, data: &Path) -> Outcome {
    let mut command = Command::new(program);
    quietly(command.arg("--data-dir").arg(data).args(["cluster", "down"]))
}

fn quietly(command: &mut Command) -> Outcome {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{command:?}: {} {said}", output.status))
}

fn until_ready(
    kubeconfig: &Path,
    begun: Instant,
    starting: &mut Starting,
) -> Result<(HttpServer, Duration), String> {
    let mut server = None;
    wait("the node to be Ready", || {
        let ended = starting.child.as_mut().map(Child::try_wait);
        if !matches!(ended, Some(Ok(None))) {
            return Err("the server has ended".to_owned());
        }
        if server.is_none() && kubeconfig.exists() {
            server = HttpServer::from_kubeconfig(kubeconfig, None).ok();
        }
        let Some(server) = &mut server else {
            return Ok(false);
        };
        let Ok(answer) = server.send(&request("GET", "/api/v1/nodes", &Value::Null)) else {
            return Ok(false);
        };
        let list = answer.json().unwrap_or_default();
        let conditions = list["items"][0]["status"]["conditions"].as_array();
        let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
        Ok(conditions.into_iter().flatten().any(is_ready))
    })?;
    let took = begun.elapsed();
    Ok((server.ok_or("no server")?, took))
}

/// Until the cluster's DNS knows the API server's service.
fn until_named(begun: Instant, given_up: &AtomicBool) -> Result<Duration, String> {
    let socket = UdpSocket::bind("0.0.0.0:0").map_err(|e| e.to_string())?;
    socket
        .set_read_timeout(Some(NAME_WITHIN))
        .map_err(|e| e.to_string())?;
    let mut answer = [0; 512];
    wait("DNS to answer", || {
        if given_up.load(Ordering::Relaxed) {
            return Err("the node is not Ready".to_owned());
        }
        for address in own_addresses() {
            // Nobody listens there yet, or never.
            if socket.send_to(QUESTION, SocketAddr::from((address, 53))).is_err() {
                continue;
            }
            if let Ok(length) = socket.recv(&mut answer)
                && is_answer(&answer[..length])
            {
                return Ok(true);
            }
        }
        Ok(false)
    })?;
    Ok(begun.elapsed())
}

/// `kubernetes.default.svc.cluster.local`, type A (RFC 1035 4.1).
const QUESTION: &[u8] =
    b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x0akubernetes\x07default\x03svc\x07cluster\x05local\x00\x00\x01\x00\x01";

/// Ours, without an error, and with an address.
fn is_answer(message: &[u8]) -> bool {
    message.len() > 12
        && message.starts_with(&QUESTION[..2])
        && message[3] & 0xf == 0
        && u16::from_be_bytes([message[6], message[7]]) > 0
}

/// The addresses of this network but loopback: those of the bridge, once it is there.
fn own_addresses() -> Vec<Ipv4Addr> {
    let table = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let mut last = None;
    let mut found = BTreeSet::new();
    for line in table.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(last.filter(|address| !address.is_loopback()));
        }
    }
    found.into_iter().collect()
}

/// Waits until it holds.
pub fn wait(what: &str, mut holds: impl FnMut() -> Result<bool, String>) -> Outcome {
    let begun = Instant::now();
    while !holds()? {
        if begun.elapsed() > PATIENCE {
            return Err(format!("waited {} s for {what}", PATIENCE.as_secs()));
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Where a program is.
pub fn program(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&folders)
        .chain(more)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

fn request(method: &str, path: &str, body: &Value) -> Request {
    let headers = [
        ("accept", "application/json"),
        ("content-type", "application/json"),
    ];
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        body: if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        },
        identity: Identity::Admin,
        lines: None,
    }
}

/// The sum of lines such as `VmRSS:  123 kB` (proc(5)).
fn kib_of(path: &str, names: &[&str]) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let kib = |line: &str| {
        let rest = names.iter().find_map(|name| line.strip_prefix(name))?;
        rest.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    text.lines().filter_map(kib).sum::<u64>() * 1024
}

/// All processes with their command lines.
fn processes() -> Vec<(u32, String)> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        Some((pid, String::from_utf8_lossy(&line).replace('\0', " ")))
    })
    .collect()
}

fn parent(pid: u32) -> u32 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("PPid:"));
    line.and_then(|line| line.trim().parse().ok()).unwrap_or_default()
}
