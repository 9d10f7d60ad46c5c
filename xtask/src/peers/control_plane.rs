//! Starts and stops a real control plane on loopback: etcd, kube-apiserver and, unless `--api-only`, the controller
//! manager and the scheduler. All it makes is in one folder, and `stop` removes it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use deploy_cluster_oracle::{Identity, Request, Server as _};

use super::oracle::http::HttpServer;
use crate::{Outcome, repository};

/// How long a control plane may take to answer /readyz on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// How long a program may take to end after SIGTERM, before SIGKILL.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);
const DEFAULT_FOLDER: &str = "target/peers/run/kubernetes";

/// The lines of `tokens.csv`: token, user, uid, group.
const USERS: &[[&str; 4]] = &[
    ["admin-token", "admin", "admin-uid", "system:masters"],
    ["alice-token", "alice", "alice-uid", "developers"],
];
/// Client certificates: name, user, group.
const CERTIFICATES: &[[&str; 3]] = &[
    ["admin", "admin", "system:masters"],
    ["alice", "alice", "developers"],
    [
        "kube-controller-manager",
        "system:kube-controller-manager",
        "system:controllers",
    ],
    ["kube-scheduler", "system:kube-scheduler", "system:schedulers"],
];

/// `start [--api-only] [--dir D] [--port P]`, `stop [--dir D]`.
pub fn run(args: &[String]) -> Outcome {
    match args.split_first() {
        Some((word, options)) if word == "start" => {
            let options = Options::parse(options)?;
            start(&options)?;
            println!("{}", options.folder.join("admin.kubeconfig").display());
            Ok(())
        }
        Some((word, options)) if word == "stop" => stop(&Options::parse(options)?.folder),
        _ => {
            Err("usage: cargo xtask peers kubernetes start|stop [--api-only] [--dir D] [--port P]".to_owned())
        }
    }
}

/// What `start` was asked for.
pub struct Options {
    pub folder: PathBuf,
    /// A free port, unless given.
    pub port: Option<u16>,
    pub api_only: bool,
}

impl Options {
    fn parse(args: &[String]) -> Result<Options, String> {
        let mut options = Options {
            folder: repository::root().join(DEFAULT_FOLDER),
            port: None,
            api_only: false,
        };
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--api-only" => options.api_only = true,
                "--dir" => options.folder = std::path::absolute(value()?).map_err(|e| e.to_string())?,
                "--port" => options.port = Some(value()?.parse().map_err(|e| format!("--port: {e}"))?),
                _ => return Err(format!("{arg} is no option of peers kubernetes")),
            }
        }
        Ok(options)
    }
}

/// Starts all and returns when the API server is ready. The folder then holds `admin.kubeconfig` and
/// `alice.kubeconfig`, a user without rights, both with a token.
pub fn start(options: &Options) -> Outcome {
    let folder = &options.folder;
    if folder.join("pids").exists() {
        return Err(format!("{} is in use: stop it first", folder.display()));
    }
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let port = options.port.map_or_else(free_port, Ok)?;
    let mut tokens = String::new();
    for [token, user, uid, group] in USERS {
        writeln!(tokens, "{token},{user},{uid},{group}").expect("writing to a string cannot fail");
    }
    write(folder, "tokens.csv", &tokens)?;
    make_certificates(folder)?;
    for [name, ..] in CERTIFICATES {
        let token = USERS
            .iter()
            .find(|[_, user, ..]| user == name)
            .map(|[token, ..]| *token);
        write(
            folder,
            &format!("{name}.kubeconfig"),
            &kubeconfig(folder, port, name, token)?,
        )?;
    }
    start_programs(options, port).map_err(|error| {
        let log = fs::read_to_string(folder.join("kube-apiserver.log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(5).collect();
        match stop(folder) {
            Ok(()) => format!("{error}\n{}", tail.join("\n")),
            Err(second) => format!("{error}\n{second}"),
        }
    })
}

/// Ends what [`start`] started and removes the folder.
pub fn stop(folder: &Path) -> Outcome {
    let text = fs::read_to_string(folder.join("pids"))
        .map_err(|e| format!("nothing runs in {}: {e}", folder.display()))?;
    let running = |id: &str| {
        // The id may have been given to another program since: ours have the folder among their arguments.
        fs::read(format!("/proc/{id}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&*folder.to_string_lossy()))
    };
    // In the reverse order of their start, so that none of them complains of a lost API server.
    for id in text.lines().rev() {
        let asked = Instant::now();
        let mut signal = "-TERM";
        while running(id) {
            Command::new("kill")
                .args([signal, id])
                .status()
                .map_err(|e| format!("kill: {e}"))?;
            signal = if asked.elapsed() > STOPPED_WITHIN {
                "-KILL"
            } else {
                "-0"
            };
            thread::sleep(PAUSE);
        }
    }
    fs::remove_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))
}

fn start_programs(options: &Options, port: u16) -> Outcome {
    let folder = &options.folder;
    let at = |name: &str| folder.join(name).display().to_string();
    let (client, peer) = (free_port()?, free_port()?);
    let etcd = [
        format!("--data-dir={}", at("etcd")),
        format!("--listen-client-urls=http://127.0.0.1:{client}"),
        format!("--advertise-client-urls=http://127.0.0.1:{client}"),
        format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
        format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
        format!("--initial-cluster=default=http://127.0.0.1:{peer}"),
    ];
    let own_etcd = super::program("etcd").unwrap_or_else(|_| PathBuf::from("etcd"));
    spawn(folder, "etcd", &own_etcd, &etcd)?;
    let api = [
        format!("--etcd-servers=http://127.0.0.1:{client}"),
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        format!("--client-ca-file={}", at("ca.crt")),
        format!("--tls-cert-file={}", at("server.crt")),
        format!("--tls-private-key-file={}", at("server.key")),
        format!("--service-account-key-file={}", at("accounts.key")),
        format!("--service-account-signing-key-file={}", at("accounts.key")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--token-auth-file={}", at("tokens.csv")),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--allow-privileged".to_owned(),
        // No name of a node is known to a resolver here.
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
    ];
    spawn(folder, "kube-apiserver", &super::program("kube-apiserver")?, &api)?;
    wait_until_ready(folder)?;
    if options.api_only {
        return Ok(());
    }
    let manager = [
        format!("--kubeconfig={}", at("kube-controller-manager.kubeconfig")),
        format!("--service-account-private-key-file={}", at("accounts.key")),
        format!("--root-ca-file={}", at("ca.crt")),
        format!("--secure-port={}", free_port()?),
        "--bind-address=127.0.0.1".to_owned(),
        "--use-service-account-credentials".to_owned(),
        "--leader-elect=false".to_owned(),
    ];
    let scheduler = [
        format!("--kubeconfig={}", at("kube-scheduler.kubeconfig")),
        format!("--secure-port={}", free_port()?),
        "--bind-address=127.0.0.1".to_owned(),
        "--leader-elect=false".to_owned(),
    ];
    let program = super::program("kube-controller-manager")?;
    spawn(folder, "kube-controller-manager", &program, &manager)?;
    spawn(
        folder,
        "kube-scheduler",
        &super::program("kube-scheduler")?,
        &scheduler,
    )
}

/// Starts a program in a process group of its own, so that an interrupt at the terminal does not end it.
fn spawn(folder: &Path, name: &str, program: &Path, args: &[String]) -> Outcome {
    use std::os::unix::process::CommandExt as _;
    let log = File::create(folder.join(format!("{name}.log"))).map_err(|e| format!("{name}.log: {e}"))?;
    let second = log.try_clone().map_err(|e| e.to_string())?;
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(second)
        .process_group(0)
        .spawn()
        .map_err(|e| format!("{}: {e}", program.display()))?;
    let mut ids = fs::read_to_string(folder.join("pids")).unwrap_or_default();
    writeln!(ids, "{}", child.id()).expect("writing to a string cannot fail");
    write(folder, "pids", &ids)
}

fn wait_until_ready(folder: &Path) -> Outcome {
    let mut server = HttpServer::from_kubeconfig(&folder.join("admin.kubeconfig"), None)?;
    let request = Request {
        method: "GET".to_owned(),
        path: "/readyz".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        identity: Identity::Admin,
        lines: None,
    };
    let started = Instant::now();
    while !server.send(&request).is_ok_and(|answer| answer.status == 200) {
        if started.elapsed() > READY_WITHIN {
            return Err(format!(
                "kube-apiserver is not ready after {} s",
                READY_WITHIN.as_secs()
            ));
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    Ok(listener.local_addr().map_err(|e| e.to_string())?.port())
}

fn make_certificates(folder: &Path) -> Outcome {
    let openssl = |args: &str| {
        let mut command = Command::new("openssl");
        repository::stdout(command.args(args.split(' ')).current_dir(folder)).map(drop)
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30";
    openssl(&format!(
        "req -x509 {key} -subj /CN=deploy-peers -keyout ca.key -out ca.crt"
    ))?;
    openssl("ecparam -name prime256v1 -genkey -noout -out accounts.key")?;
    let signed = "-CA ca.crt -CAkey ca.key";
    let names = "IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc";
    openssl(&format!(
        "req -x509 {key} {signed} -subj /CN=kube-apiserver -addext subjectAltName={names} \
         -addext basicConstraints=critical,CA:FALSE -keyout server.key -out server.crt"
    ))?;
    for [name, user, group] in CERTIFICATES {
        openssl(&format!(
            "req -x509 {key} {signed} -subj /O={group}/CN={user} -addext extendedKeyUsage=clientAuth \
             -addext basicConstraints=critical,CA:FALSE -keyout {name}.key -out {name}.crt"
        ))?;
    }
    Ok(())
}

/// A kubeconfig that carries all it needs, so that it can be copied elsewhere.
fn kubeconfig(folder: &Path, port: u16, name: &str, token: Option<&str>) -> Result<String, String> {
    let encoded = |file: String| {
        repository::stdout(
            Command::new("openssl")
                .args(["base64", "-A", "-in"])
                .arg(folder.join(file)),
        )
    };
    let (ca, certificate, key) = (
        encoded("ca.crt".to_owned())?,
        encoded(format!("{name}.crt"))?,
        encoded(format!("{name}.key"))?,
    );
    let credentials = match token {
        Some(token) => format!("    token: {token}\n"),
        None => format!("    client-certificate-data: {certificate}\n    client-key-data: {key}\n"),
    };
    Ok(format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: peer\ncontexts:\n- name: peer\n  context:\n    cluster: peer\n    \
         user: {name}\nclusters:\n- name: peer\n  cluster:\n    server: https://127.0.0.1:{port}\n    \
         certificate-authority-data: {ca}\nusers:\n- name: {name}\n  user:\n{credentials}"
    ))
}

fn write(folder: &Path, name: &str, text: &str) -> Outcome {
    fs::write(folder.join(name), text).map_err(|e| format!("{name}: {e}"))
}
