//! The registry beside Debian's docker-registry, in turn and in one run: pushes, pulls, manifests, memory.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ring::digest::{Context, SHA256};
use serde_json::json;

use super::Line;
use crate::peers::compare;
use crate::repository;

/// The layer that is pushed and pulled: its bytes are counted in millions, as its speed is.
const LAYER_BYTES: usize = 100_000_000;

/// What is pushed while the memory is watched, in pieces of a layer.
const LARGE_PIECES: usize = 10;

/// Connections that ask for manifests.
const CONNECTIONS: usize = 10;

const PATIENCE: Duration = Duration::from_secs(120);

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

struct Size {
    rounds: usize,
    asking: Duration,
}

/// The figures of both; without the peer ours alone.
pub fn run(short: bool) -> Result<Vec<Line>, String> {
    let size = if short {
        Size {
            rounds: 3,
            asking: Duration::from_millis(500),
        }
    } else {
        Size {
            rounds: 7,
            asking: Duration::from_secs(3),
        }
    };
    // A program that is built already can be named, so that its build does not disturb others.
    let program = match std::env::var_os("DEPLOY_PROGRAM") {
        Some(program) => PathBuf::from(program),
        None => compare::build()?,
    };
    let folder = repository::root().join("target/bench/registry");
    fs::remove_dir_all(&folder).ok();
    let mut servers = vec![Server::ours(&program, &folder.join("ours"))?];
    match Server::theirs(&folder.join("theirs"))? {
        Some(server) => servers.push(server),
        None => println!("docker-registry is not installed (apt-get install docker-registry): ours alone"),
    }
    let figures = measure(&mut servers, &size);
    drop(servers);
    fs::remove_dir_all(&folder).ok();
    let mut figures = figures?;
    let ours = figures.remove(0);
    Ok(table(&ours, figures.first()))
}

#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    push: f64,
    pull: f64,
    get: f64,
    head: f64,
    idle: f64,
    pushing: f64,
}

fn table(ours: &Figures, theirs: Option<&Figures>) -> Vec<Line> {
    let rate = |what: &str, figure: fn(&Figures) -> f64, unit: &str, target: &'static str, least: f64| Line {
        what: what.to_owned(),
        ours: format!("{:.0} {unit}", figure(ours)),
        peer: theirs.map_or_else(
            || "-".to_owned(),
            |theirs| format!("{:.0} {unit}", figure(theirs)),
        ),
        figure: theirs.map_or_else(
            || "-".to_owned(),
            |theirs| format!("{:.2}x", figure(ours) / figure(theirs)),
        ),
        target,
        met: theirs.map(|theirs| figure(ours) >= least * figure(theirs)),
    };
    let memory = |what: &str, figure: fn(&Figures) -> f64, target: &'static str, most: f64| Line {
        what: what.to_owned(),
        ours: format!("{:.1} MB", figure(ours)),
        peer: theirs.map_or_else(|| "-".to_owned(), |theirs| format!("{:.1} MB", figure(theirs))),
        figure: format!("{:.1} MB", figure(ours)),
        target,
        met: Some(figure(ours) <= most),
    };
    vec![
        rate(
            "push of a 100 MB layer",
            |f| f.push,
            "MB/s",
            "1x docker-registry",
            1.0,
        ),
        rate(
            "pull of a 100 MB layer",
            |f| f.pull,
            "MB/s",
            "1x docker-registry",
            1.0,
        ),
        rate(
            "GET of a manifest, 10 connections",
            |f| f.get,
            "per s",
            "2x docker-registry",
            2.0,
        ),
        rate(
            "HEAD of a manifest, 10 connections",
            |f| f.head,
            "per s",
            "2x docker-registry",
            2.0,
        ),
        memory("memory, idle", |f| f.idle, "15 MB", 15.0),
        memory(
            "memory, at most while 1 GB is pushed",
            |f| f.pushing,
            "40 MB",
            40.0,
        ),
    ]
}

fn measure(servers: &mut [Server], size: &Size) -> Result<Vec<Figures>, String> {
    let mut figures = vec![Figures::default(); servers.len()];
    let mut content = noise(LAYER_BYTES);
    for (server, figure) in servers.iter().zip(&mut figures) {
        // What a start leaves to be done is no idle time.
        thread::sleep(Duration::from_secs(2));
        figure.idle = memory(server.child.id(), "VmRSS");
    }
    let mut pushes = vec![Vec::new(); servers.len()];
    let mut pulls = vec![Vec::new(); servers.len()];
    // The first round warms up.
    for round in 0..=size.rounds {
        content[..8].copy_from_slice(&(round as u64).to_le_bytes());
        let digest = digest(&[&content]);
        for (at, server) in servers.iter().enumerate() {
            let begun = Instant::now();
            push(
                server.address,
                &digest,
                &mut std::iter::once(&content[..]),
                content.len(),
            )?;
            let pushed = begun.elapsed();
            let begun = Instant::now();
            pull(server.address, &digest, content.len())?;
            let pulled = begun.elapsed();
            if round > 0 {
                pushes[at].push(speed(pushed));
                pulls[at].push(speed(pulled));
            }
        }
    }
    let (mut gets, mut heads) = (vec![Vec::new(); servers.len()], vec![Vec::new(); servers.len()]);
    for server in servers.iter() {
        put_manifest(server.address)?;
    }
    for round in 0..=size.rounds.min(3) {
        for (at, server) in servers.iter().enumerate() {
            let get = ask_for(server.address, "GET", size.asking)?;
            let head = ask_for(server.address, "HEAD", size.asking)?;
            if round > 0 {
                gets[at].push(get);
                heads[at].push(head);
            }
        }
    }
    for (at, server) in servers.iter_mut().enumerate() {
        // Another process, so that its peak is of this push alone.
        server.restart()?;
        let pieces = || (0..LARGE_PIECES).map(|_| &content[..]);
        let all: Vec<&[u8]> = pieces().collect();
        push(
            server.address,
            &digest(&all),
            &mut pieces(),
            content.len() * LARGE_PIECES,
        )?;
        figures[at].pushing = memory(server.child.id(), "VmHWM");
        figures[at].push = median(&mut pushes[at]);
        figures[at].pull = median(&mut pulls[at]);
        figures[at].get = median(&mut gets[at]);
        figures[at].head = median(&mut heads[at]);
    }
    Ok(figures)
}

/// A server, ended with the value.
struct Server {
    child: Child,
    address: SocketAddr,
    program: PathBuf,
    arguments: Vec<String>,
}

impl Server {
    fn ours(program: &Path, folder: &Path) -> Result<Self, String> {
        let address = free()?;
        let arguments = [
            "run",
            "registry",
            "--listen",
            &address.to_string(),
            "--data-dir",
            &folder.display().to_string(),
        ];
        Self::start(program, &arguments.map(str::to_owned), address, folder)
    }

    fn theirs(folder: &Path) -> Result<Option<Self>, String> {
        let program = Path::new("/usr/bin/docker-registry");
        if !program.exists() {
            return Ok(None);
        }
        let address = free()?;
        fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let config = folder.join("config.yml");
        let text = format!(
            "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: {}\n  \
             delete:\n    enabled: true\nhttp:\n  addr: {address}\n",
            folder.display()
        );
        fs::write(&config, text).map_err(|e| format!("{}: {e}", config.display()))?;
        let arguments = ["serve".to_owned(), config.display().to_string()];
        Self::start(program, &arguments, address, folder).map(Some)
    }

    fn start(
        program: &Path,
        arguments: &[String],
        address: SocketAddr,
        folder: &Path,
    ) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let child = Command::new(program)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        let server = Self {
            child,
            address,
            program: program.to_owned(),
            arguments: arguments.to_vec(),
        };
        server.ready()?;
        Ok(server)
    }

    fn ready(&self) -> Result<(), String> {
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if begun.elapsed() > PATIENCE {
                return Err(format!(
                    "{} does not listen on {}",
                    self.program.display(),
                    self.address
                ));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn restart(&mut self) -> Result<(), String> {
        self.stop();
        self.child = Command::new(&self.program)
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("{}: {e}", self.program.display()))?;
        self.ready()
    }

    fn stop(&mut self) {
        // It is asked, not killed: a bench leaves a clean end behind.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        if asked.is_ok() {
            self.child.wait().ok();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn free() -> Result<SocketAddr, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    listener.local_addr().map_err(|e| e.to_string())
}

/// As docker, podman and skopeo push: `POST`, all of it in one `PATCH`, `PUT`, on one connection.
fn push(
    address: SocketAddr,
    digest: &str,
    pieces: &mut dyn Iterator<Item = &[u8]>,
    bytes: usize,
) -> Result<(), String> {
    let mut client = Client::connect(address)?;
    let begun = client
        .ask(
            "POST",
            "/v2/bench/layer/blobs/uploads/",
            "",
            0,
            &mut std::iter::empty(),
        )?
        .expect(202)?;
    let kind = "content-type: application/octet-stream\r\n";
    let patched = client
        .ask("PATCH", &begun.location, kind, bytes, pieces)?
        .expect(202)?;
    let separator = if patched.location.contains('?') { '&' } else { '?' };
    let end = format!("{}{separator}digest={digest}", patched.location);
    client
        .ask("PUT", &end, "", 0, &mut std::iter::empty())?
        .expect(201)?;
    Ok(())
}

fn pull(address: SocketAddr, digest: &str, bytes: usize) -> Result<(), String> {
    let mut client = Client::connect(address)?;
    let path = format!("/v2/bench/layer/blobs/{digest}");
    let answer = client
        .ask("GET", &path, "", 0, &mut std::iter::empty())?
        .expect(200)?;
    if answer.length != bytes {
        return Err(format!("{} of {bytes} bytes came", answer.length));
    }
    Ok(())
}

fn put_manifest(address: SocketAddr) -> Result<(), String> {
    let mut named = Vec::new();
    for text in ["{}", "a layer"] {
        let digest = digest(&[text.as_bytes()]);
        push(
            address,
            &digest,
            &mut std::iter::once(text.as_bytes()),
            text.len(),
        )?;
        named.push(json!({"mediaType": "application/octet-stream", "digest": digest, "size": text.len()}));
    }
    let layers: Vec<_> = (0..8).map(|_| named[1].clone()).collect();
    let manifest =
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": named[0], "layers": layers}).to_string();
    let head = format!("content-type: {MANIFEST}\r\n");
    let mut client = Client::connect(address)?;
    let body = &mut std::iter::once(manifest.as_bytes());
    client
        .ask(
            "PUT",
            "/v2/bench/layer/manifests/main",
            &head,
            manifest.len(),
            body,
        )?
        .expect(201)?;
    Ok(())
}

/// Requests per second that connections get answers to, each asking again and again.
fn ask_for(address: SocketAddr, method: &str, time: Duration) -> Result<f64, String> {
    let head = format!("accept: {MANIFEST}\r\n");
    let begun = Instant::now();
    let counts: Vec<Result<usize, String>> = thread::scope(|scope| {
        let asking: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(address)?;
                    let mut count = 0;
                    while begun.elapsed() < time {
                        let path = "/v2/bench/layer/manifests/main";
                        client
                            .ask(method, path, &head, 0, &mut std::iter::empty())?
                            .expect(200)?;
                        count += 1;
                    }
                    Ok(count)
                })
            })
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().map_err(|_| "a client panicked".to_owned())?
        };
        asking.into_iter().map(join).collect()
    });
    let total: usize = counts.into_iter().sum::<Result<usize, String>>()?;
    Ok(total as f64 / begun.elapsed().as_secs_f64())
}

/// A connection that is asked one thing after another.
struct Client {
    stream: BufReader<TcpStream>,
    sink: Vec<u8>,
}

struct Answer {
    status: u16,
    /// The path of its `Location`.
    location: String,
    length: usize,
}

impl Answer {
    fn expect(self, status: u16) -> Result<Self, String> {
        if self.status == status {
            return Ok(self);
        }
        Err(format!("an answer has the status {}, not {status}", self.status))
    }
}

impl Client {
    fn connect(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address).map_err(|e| format!("{address}: {e}"))?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .map_err(|e| e.to_string())?;
        Ok(Self {
            stream: BufReader::with_capacity(64 << 10, stream),
            sink: vec![0; 256 << 10],
        })
    }

    fn ask(
        &mut self,
        method: &str,
        path: &str,
        head: &str,
        bytes: usize,
        pieces: &mut dyn Iterator<Item = &[u8]>,
    ) -> Result<Answer, String> {
        let text =
            format!("{method} {path} HTTP/1.1\r\nhost: registry\r\n{head}content-length: {bytes}\r\n\r\n");
        self.exchange(method, &text, pieces)
            .map_err(|e| format!("{method} {path}: {e}"))
    }

    fn exchange(
        &mut self,
        method: &str,
        text: &str,
        pieces: &mut dyn Iterator<Item = &[u8]>,
    ) -> std::io::Result<Answer> {
        self.stream.get_mut().write_all(text.as_bytes())?;
        for piece in pieces {
            self.stream.get_mut().write_all(piece)?;
        }
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|text| text.parse().ok())
            .unwrap_or_default();
        let mut answer = Answer {
            status,
            location: String::new(),
            length: 0,
        };
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                answer.length = value.parse().unwrap_or_default();
            } else if name.eq_ignore_ascii_case("location") {
                let path = value
                    .split_once("://")
                    .map_or(value, |(_, rest)| &rest[rest.find('/').unwrap_or(0)..]);
                answer.location = path.to_owned();
            }
        }
        let mut left = if method == "HEAD" { 0 } else { answer.length };
        while left > 0 {
            let most = left.min(self.sink.len());
            let count = self.stream.read(&mut self.sink[..most])?;
            if count == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            left -= count;
        }
        Ok(answer)
    }
}

fn digest(pieces: &[&[u8]]) -> String {
    let mut context = Context::new(&SHA256);
    for piece in pieces {
        context.update(piece);
    }
    let hex: String = context
        .finish()
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

/// Bytes that nothing can pack (xorshift).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn speed(taken: Duration) -> f64 {
    LAYER_BYTES as f64 / 1e6 / taken.as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A line of `/proc/PID/status` (proc(5)), in millions of bytes.
fn memory(pid: u32, name: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib: Option<f64> = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok());
    kib.unwrap_or_default() * 1024.0 / 1e6
}
