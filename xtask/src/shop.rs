//! The sample shop on the embedded cluster: what `make up` and `make down` do.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Outcome, repository};

const SITES: [&str; 3] = ["us", "de", "my"];
const CHART: &str = "examples/shop/chart";
/// All that `up` makes, the cluster's data among it.
const FOLDER: &str = "target/up";
/// The ingress of the embedded cluster.
const DOOR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
/// A start takes below a second; a machine that builds something else at the time is given more.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at something that tells nobody when it is ready.
const PAUSE: Duration = Duration::from_millis(50);

/// `up | down`
pub fn run(args: &[String]) -> Outcome {
    match args {
        [word] if word == "up" => up(),
        [word] if word == "down" => down(),
        _ => Err("usage: cargo xtask shop up|down".to_owned()),
    }
}

fn up() -> Outcome {
    let root = repository::root();
    let folder = root.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut server = None;
    if !quietly(&mut deploy(&["cluster", "status"])) {
        server = Some(start(&folder)?);
    }
    wait("the cluster", || {
        if server.as_mut().is_some_and(ended) {
            return Err(said(&folder));
        }
        Ok(quietly(&mut deploy(&["cluster", "status"])))
    })?;
    done(deploy(&["cluster", "image", "load", "target/shop.oci.tar"]))?;
    for site in SITES {
        release(&folder, site)?;
    }
    println!();
    for site in SITES {
        let host = format!("shop.{site}.localhost");
        wait(&host, || {
            Ok(answer(&host).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")))
        })?;
        println!("http://{host}:{}/ answers", DOOR.port());
    }
    let data = format!("--data-dir {FOLDER}/data");
    println!("\nNext: export KUBECONFIG=$(target/release/deploy {data} cluster kubeconfig --path)");
    println!("      kubectl get pods --all-namespaces");
    println!("      kubectl -n prod-us rollout restart deployment shop-storefront");
    println!("      make down");
    Ok(())
}

fn down() -> Outcome {
    let folder = repository::root().join(FOLDER);
    if !folder.exists() {
        return Ok(());
    }
    // Also after a crash: what the data folder names is swept.
    done(deploy(&["cluster", "down"]))?;
    fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))
}

/// Renders the shop for a site and brings it into the site's namespace.
fn release(folder: &Path, site: &str) -> Outcome {
    let namespace = format!("prod-{site}");
    let values = format!("examples/shop/values/{site}.yaml");
    let rendered = deploy(&[
        "render",
        CHART,
        "--release",
        "shop",
        "--namespace",
        &namespace,
        "-f",
        &values,
    ])
    .output()
    .map_err(|error| error.to_string())?;
    if !rendered.status.success() {
        return Err(String::from_utf8_lossy(&rendered.stderr).into_owned());
    }
    let objects = folder.join(format!("{site}.yaml"));
    let mut text =
        format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {namespace}\n---\n").into_bytes();
    text.extend_from_slice(&rendered.stdout);
    fs::write(&objects, text).map_err(|error| format!("{}: {error}", objects.display()))?;
    println!("\n== {namespace}: {FOLDER}/{site}.yaml");
    let mut apply = deploy(&["cluster", "apply", "--wait", "--namespace", &namespace]);
    apply.arg(&objects);
    done(apply)
}

/// The release build, on the data of the sample.
fn deploy(arguments: &[&str]) -> Command {
    let root = repository::root();
    let mut command = Command::new(root.join("target/release/deploy"));
    command
        .args(["--data-dir", &format!("{FOLDER}/data")])
        .args(arguments)
        .current_dir(root);
    command
}

/// Starts the cluster so that it lives on.
fn start(folder: &Path) -> Result<Child, String> {
    let log = log_of(folder);
    let file = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let mut command = deploy(&["run", "cluster"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        .process_group(0);
    command.spawn().map_err(|error| error.to_string())
}

fn log_of(folder: &Path) -> PathBuf {
    folder.join("cluster.log")
}

fn ended(server: &mut Child) -> bool {
    !matches!(server.try_wait(), Ok(None))
}

fn said(folder: &Path) -> String {
    let text = fs::read_to_string(log_of(folder)).unwrap_or_default();
    format!("the cluster did not start:\n{text}")
}

fn wait(what: &str, mut ready: impl FnMut() -> Result<bool, String>) -> Outcome {
    let deadline = Instant::now() + PATIENCE;
    while !ready()? {
        if Instant::now() >= deadline {
            return Err(format!("{what} is not ready after {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn quietly(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn done(mut command: Command) -> Outcome {
    let status = command.status().map_err(|error| error.to_string())?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {status}"))
    }
}

/// What a host answers behind the ingress; the name is only in the request, since not every resolver knows it.
fn answer(host: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(DOOR)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.take(64 * 1024).read_to_string(&mut text)?;
    Ok(text)
}
