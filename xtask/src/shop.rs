//! The sample shop on the embedded cluster: what `make up` and `make down` do.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Outcome, repository};

const SITES: [&str; 3] = ["us", "de", "my"];
const CHART: &str = "examples/shop/chart";
/// All that `up` makes, the cluster's data among it.
const FOLDER: &str = "target/up";
/// The ingress of the embedded cluster.
const DOOR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
/// A start takes below a second; a machine that builds something else at the time is given more.
const PATIENCE: Duration = Duration::from_secs(60);
/// A part of Deploy that `up` starts, and the question that it answers when it is there.
struct Part {
    name: &'static str,
    asks: &'static [&'static str],
}

const PARTS: &[Part] = &[
    Part {
        name: "cluster",
        asks: &["cluster", "status"],
    },
    Part {
        name: "ci",
        asks: &["ci", "runs"],
    },
];

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
    let mut servers = Vec::new();
    for part in PARTS {
        if !quietly(&mut deploy(part.asks)) {
            servers.push((part, start(&folder, part)?));
        }
    }
    for part in PARTS {
        let mut server = servers.iter_mut().find(|(started, _)| started.name == part.name);
        wait(part.name, || {
            if server.as_mut().is_some_and(|(_, server)| ended(server)) {
                return Err(said(&folder, part));
            }
            Ok(quietly(&mut deploy(part.asks)))
        })?;
    }
    let digest = push(&folder)?;
    for site in SITES {
        release(&folder, site, &digest)?;
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
    println!("      target/release/deploy {data} ci runs");
    println!("      Change something in {FOLDER}/shop, commit it, and: git -C {FOLDER}/shop push");
    println!("      make down");
    Ok(())
}

/// Pushes the shop, as its team would, to the embedded server; its workflow makes the image, whose digest this is.
fn push(folder: &Path) -> Result<String, String> {
    let copy = folder.join("shop");
    if !copy.join(".git").is_dir() {
        copy_folder(&repository::root().join("examples/shop"), &copy)?;
        let helper = format!(
            "!'{}' --data-dir '{}' token helper",
            repository::root().join("target/release/deploy").display(),
            folder.join("data").display()
        );
        for arguments in [
            &["init", "--quiet", "--initial-branch", "main"][..],
            &["config", "user.name", "shop"],
            &["config", "user.email", "shop@localhost"],
            &["config", "credential.helper", &helper],
            &["remote", "add", "origin", "http://127.0.0.1:7080/git/shop.git"],
            &["add", "--all"],
            &["commit", "--quiet", "--message", "The shop"],
        ] {
            done(git(&copy, arguments))?;
        }
    }
    println!("\n== git push: {FOLDER}/shop");
    let began = Instant::now();
    done(git(
        &copy,
        &["push", "--quiet", "--set-upstream", "origin", "main"],
    ))?;
    let commit = told(&mut git(&copy, &["rev-parse", "HEAD"]))?;
    let mut id = None;
    wait("the run of the push", || {
        let runs = told(&mut deploy(&["ci", "runs", "--repository", "shop", "-o", "json"]))?;
        let runs: Value = serde_json::from_str(&runs).map_err(|error| error.to_string())?;
        let mut runs = runs.as_array().into_iter().flatten();
        let run = runs.find(|run| run["cause"]["commit"] == commit.trim());
        id = run.map(|run| run["id"].to_string());
        Ok(id.is_some())
    })?;
    let id = id.unwrap_or_default();
    done(deploy(&["ci", "show", &id, "--wait"]))?;
    let run = told(&mut deploy(&["ci", "show", &id, "-o", "json"]))?;
    let run: Value = serde_json::from_str(&run).map_err(|error| error.to_string())?;
    let digest = run["report"]["jobs"]["image"]["outputs"]["digest"].as_str();
    let digest = digest
        .ok_or_else(|| format!("run {id} says no digest"))?
        .to_owned();
    println!(
        "\n{digest}: {:.1} s after the push",
        began.elapsed().as_secs_f64()
    );
    Ok(digest)
}

fn git(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments);
    command
}

/// What a command prints that must succeed.
fn told(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!(
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// What Git would have of a folder: no results of builds.
fn copy_folder(from: &Path, to: &Path) -> Outcome {
    let failed = |error: std::io::Error| format!("{}: {error}", from.display());
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (name, path) = (entry.file_name(), entry.path());
        if name == "target" {
            continue;
        }
        if path.is_dir() {
            copy_folder(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name)).map_err(failed)?;
        }
    }
    Ok(())
}

fn down() -> Outcome {
    let folder = repository::root().join(FOLDER);
    if !folder.exists() {
        return Ok(());
    }
    stop_ci(&folder)?;
    // Also after a crash: what the data folder names is swept.
    done(deploy(&["cluster", "down"]))?;
    fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))
}

/// Ends the server that `up` has started, by its number; one that has ended before is none.
fn stop_ci(folder: &Path) -> Outcome {
    let Ok(number) = fs::read_to_string(folder.join("ci.pid")) else {
        return Ok(());
    };
    let name = fs::read_to_string(format!("/proc/{}/cmdline", number.trim())).unwrap_or_default();
    if !name.contains("run\0ci") {
        return Ok(());
    }
    done({
        let mut kill = Command::new("kill");
        kill.arg(number.trim());
        kill
    })?;
    wait("the end of `deploy run ci`", || {
        Ok(!Path::new(&format!("/proc/{}/cmdline", number.trim())).exists())
    })
}

/// Renders the shop for a site and brings it into the site's namespace.
fn release(folder: &Path, site: &str, digest: &str) -> Outcome {
    let image = format!("image.digest={digest}");
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
        "--set",
        &image,
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

/// Starts a part so that it lives on.
fn start(folder: &Path, part: &Part) -> Result<Child, String> {
    let log = log_of(folder, part);
    let file = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let mut command = deploy(&["run", part.name]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        .process_group(0);
    let child = command.spawn().map_err(|error| error.to_string())?;
    let number = folder.join(format!("{}.pid", part.name));
    fs::write(&number, child.id().to_string()).map_err(|error| format!("{}: {error}", number.display()))?;
    Ok(child)
}

fn log_of(folder: &Path, part: &Part) -> PathBuf {
    folder.join(format!("{}.log", part.name))
}

fn ended(server: &mut Child) -> bool {
    !matches!(server.try_wait(), Ok(None))
}

fn said(folder: &Path, part: &Part) -> String {
    let text = fs::read_to_string(log_of(folder, part)).unwrap_or_default();
    format!("{} did not start:\n{text}", part.name)
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
