//! RUN: a process in a sandbox over the layers so far.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread;

use deploy_dockerfile::instruction::Network;
use deploy_sandbox::{
    ContainerSpec, Event, Events, Options, Rootfs, Runtime, Sandbox, SandboxError, SandboxSpec, Sandboxes,
    Tmpfs, User,
};
use rustix::fs::FlockOperation;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::blobs::random;
use crate::error::{BuildError, StepError};
use crate::limits;

/// Runs steps. Sandboxes are made at the first one, and end with this.
pub struct Runner {
    /// Where all builds of the builder's folder have their sandboxes.
    root: PathBuf,
    program: PathBuf,
    runtime: Handle,
    cancel: CancellationToken,
    open: Option<Open>,
    steps: u64,
}

struct Open {
    id: String,
    folder: PathBuf,
    /// Tells others that this build lives.
    _lock: File,
    sandboxes: Sandboxes,
    /// With the machine's network, and with none.
    usual: Option<Sandbox>,
    alone: Option<(Sandbox, File)>,
}

/// One process.
pub struct Job<'a> {
    /// Folders, topmost first.
    pub lower: Vec<PathBuf>,
    /// Takes the writes.
    pub upper: &'a Path,
    /// overlayfs' own.
    pub work: &'a Path,
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// Its folder.
    pub cwd: String,
    /// Whom it runs as.
    pub user: User,
    /// Its mounts.
    pub mounts: Vec<deploy_sandbox::Mount>,
    /// Files in memory that it is given.
    pub secrets: Vec<SecretFile<'a>>,
    /// What it reaches.
    pub network: Network,
    /// Texts that must not be seen in what it says.
    pub masked: Vec<&'a [u8]>,
}

/// A file in memory.
pub struct SecretFile<'a> {
    /// Where.
    pub target: String,
    /// What it holds.
    pub bytes: &'a [u8],
    /// Permissions.
    pub mode: u32,
    /// Owner.
    pub owner: (u32, u32),
}

/// How a process ended.
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// The kernel killed it for want of memory.
    pub oom_killed: bool,
    /// The last lines that it said.
    pub last: Vec<String>,
}

/// Lines of a failed step that its error repeats.
const LAST_LINES: usize = 12;

/// The name of all builds' control groups.
const GROUP: &str = "deploy-build-";

impl Runner {
    /// Ends what builds that have died have left, and is ready.
    pub fn new(
        folder: &Path,
        program: PathBuf,
        runtime: Handle,
        cancel: CancellationToken,
    ) -> Result<Self, BuildError> {
        let root = folder.join("run");
        fs::create_dir_all(&root).map_err(|error| BuildError::disk(&root, error))?;
        let runner = Self {
            root,
            program,
            runtime,
            cancel,
            open: None,
            steps: 0,
        };
        runner.sweep();
        Ok(runner)
    }

    /// Folders whose build is gone: their shims may live on.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(folder) = File::open(&path) else { continue };
            if rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive).is_err() {
                continue;
            }
            let parent = format!("{GROUP}{}", entry.file_name().to_string_lossy());
            let sandboxes = path.join("sandboxes");
            let swept = Sandboxes::sweep(&sandboxes, &parent);
            // What does not go now, the next build tries again.
            if self.runtime.block_on(swept).is_ok() {
                let _ = fs::remove_dir_all(path);
            }
        }
    }

    fn open(&mut self) -> Result<&mut Open, StepError> {
        if self.open.is_none() {
            let id = format!("{:016x}", random());
            let folder = self.root.join(&id);
            let failed = |error: io::Error| StepError::file("use", &folder, error);
            fs::create_dir(&folder).map_err(failed)?;
            let lock = File::open(&folder).map_err(failed)?;
            rustix::fs::flock(&lock, FlockOperation::LockShared).map_err(|errno| failed(errno.into()))?;
            let options = Options {
                root: folder.join("sandboxes"),
                cgroup_parent: format!("{GROUP}{id}"),
                program: self.program.clone(),
                runtime: Runtime::Own,
            };
            let sandboxes = self
                .runtime
                .block_on(Sandboxes::open(options))
                .map_err(|error| StepError::new(error.to_string()))?;
            self.open = Some(Open {
                id,
                folder,
                _lock: lock,
                sandboxes,
                usual: None,
                alone: None,
            });
        }
        self.open.as_mut().ok_or_else(|| StepError::new("no sandboxes"))
    }

    fn sandbox(&mut self, network: Network) -> Result<Sandbox, StepError> {
        let runtime = self.runtime.clone();
        let open = self.open()?;
        let known = match network {
            Network::None => open.alone.as_ref().map(|(sandbox, _)| sandbox.clone()),
            Network::Default | Network::Host => open.usual.clone(),
        };
        if let Some(sandbox) = known {
            return Ok(sandbox);
        }
        let namespace = match network {
            Network::None => Some(namespace().map_err(|error| StepError::file("make", "a network", error))?),
            Network::Default | Network::Host => None,
        };
        let name = if namespace.is_some() { "alone" } else { "usual" };
        let secrets = open.folder.join(format!("secrets-{name}"));
        fs::create_dir_all(&secrets).map_err(|error| StepError::file("make", &secrets, error))?;
        let spec = SandboxSpec {
            id: name.to_owned(),
            hostname: Some("build".to_owned()),
            network: namespace
                .as_ref()
                .map(|file| PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()))),
            cgroup: PathBuf::from(name),
            tmpfs: vec![Tmpfs {
                path: secrets,
                size: Some(limits::SECRETS_BYTES_MAX),
                mode: 0o711,
                gid: None,
            }],
            ..SandboxSpec::default()
        };
        let made = runtime
            .block_on(open.sandboxes.create(spec))
            .map_err(|error| StepError::new(error.to_string()))?;
        match namespace {
            Some(file) => open.alone = Some((made.clone(), file)),
            None => open.usual = Some(made.clone()),
        }
        Ok(made)
    }

    /// Runs a process to its end; `say` hears its lines.
    pub fn run(&mut self, job: Job<'_>, say: &mut dyn FnMut(String)) -> Result<Ended, StepError> {
        let sandbox = self.sandbox(job.network)?;
        self.steps += 1;
        let id = format!("step-{}", self.steps);
        let folder = self
            .open()?
            .folder
            .join(format!("secrets-{}", sandbox.id()))
            .join(&id);
        // The memory is mounted where only the sandbox sees it.
        let inside = PathBuf::from(format!("/proc/{}/root", sandbox.pid()))
            .join(folder.strip_prefix("/").unwrap_or(&folder));
        let mut mounts = job.mounts;
        for (number, secret) in job.secrets.iter().enumerate() {
            let name = number.to_string();
            write_secret(&inside, &name, secret)
                .map_err(|error| StepError::new(format!("cannot hand the secret over: {error}")))?;
            mounts.push(deploy_sandbox::Mount::bind(
                folder.join(name),
                &secret.target,
                true,
            ));
        }
        let spec = ContainerSpec {
            id: id.clone(),
            rootfs: Rootfs {
                lower: job.lower,
                upper: Some(job.upper.to_owned()),
                work: Some(job.work.to_owned()),
                read_only: false,
            },
            args: job.words,
            env: job.env,
            cwd: job.cwd,
            user: job.user,
            mounts,
            allow_privilege_escalation: true,
            ..ContainerSpec::default()
        };
        let masks: Vec<String> = masks(&job.masked);
        let mut last = VecDeque::new();
        let mut said = 0_u64;
        let mut hear = |line: String| {
            let line = masks.iter().fold(line, |line, mask| line.replace(mask, "***"));
            said = said.saturating_add(line.len() as u64 + 1);
            if said > limits::OUTPUT_BYTES_MAX {
                return;
            }
            if last.len() == LAST_LINES {
                last.pop_front();
            }
            last.push_back(line.clone());
            say(line);
        };
        let outcome = self
            .runtime
            .block_on(to_its_end(&sandbox, spec, &self.cancel, &mut hear));
        let _ = fs::remove_dir_all(&inside);
        let removed = self.runtime.block_on(sandbox.remove(&id));
        let (code, oom_killed) = outcome?;
        removed.map_err(|error| StepError::new(error.to_string()))?;
        Ok(Ended {
            code,
            oom_killed,
            last: last.into(),
        })
    }

    /// Ends the sandboxes and removes what belongs to them.
    pub fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        self.runtime.block_on(async {
            for sandbox in open
                .usual
                .iter()
                .chain(open.alone.iter().map(|(sandbox, _)| sandbox))
            {
                // What the kernel still holds goes with the sweep.
                let _ = sandbox.stop().await;
            }
            open.sandboxes.close().await;
            let _ = Sandboxes::sweep(&open.folder.join("sandboxes"), &format!("{GROUP}{}", open.id)).await;
        });
        let _ = fs::remove_dir_all(&open.folder);
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.close();
    }
}

/// Lines of secrets that are long enough to be told from other text.
fn masks(secrets: &[&[u8]]) -> Vec<String> {
    const SHORTEST: usize = 4;
    let mut masks: Vec<String> = secrets
        .iter()
        .flat_map(|bytes| {
            String::from_utf8_lossy(bytes)
                .lines()
                .map(str::trim)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|line| line.len() >= SHORTEST)
        .collect();
    masks.sort_by_key(|mask| std::cmp::Reverse(mask.len()));
    masks
}

fn write_secret(folder: &Path, name: &str, secret: &SecretFile<'_>) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new().recursive(true).mode(0o711).create(folder)?;
    let path = folder.join(name);
    fs::write(&path, secret.bytes)?;
    std::os::unix::fs::chown(&path, Some(secret.owner.0), Some(secret.owner.1))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(secret.mode))
}

/// A network with nothing in it, for as long as the file is open.
fn namespace() -> io::Result<File> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net")
        });
        match thread.join() {
            Ok(file) => file,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

async fn to_its_end(
    sandbox: &Sandbox,
    spec: ContainerSpec,
    cancel: &CancellationToken,
    hear: &mut dyn FnMut(String),
) -> Result<(i32, bool), StepError> {
    let told = |error: SandboxError| StepError::new(error.to_string());
    let id = spec.id.clone();
    let mut events = sandbox.events();
    sandbox.create_container(spec).await.map_err(told)?;
    let attachment = sandbox.attach(&id).await.map_err(told)?;
    sandbox.start(&id).await.map_err(told)?;
    let (sender, mut lines) = tokio::sync::mpsc::channel(LINES_IN_FLIGHT);
    let out = read_lines(attachment.stdout, sender.clone());
    let err = read_lines(attachment.stderr, sender);
    let reading = async {
        tokio::join!(out, err);
    };
    tokio::pin!(reading);
    let mut read = false;
    let ended = ended(&mut events, &id);
    tokio::pin!(ended);
    let exit = loop {
        tokio::select! {
            Some(line) = lines.recv() => hear(line),
            () = &mut reading, if !read => read = true,
            exit = &mut ended => break exit,
            () = cancel.cancelled() => {
                // Ended with the sandbox too, but the answer must not wait for that.
                let _ = sandbox.kill(&id, 9, true).await;
                return Err(StepError::new("the build was ended"));
            }
        }
    };
    // What it said last.
    let rest = async {
        loop {
            tokio::select! {
                biased;
                line = lines.recv() => match line {
                    Some(line) => hear(line),
                    None => break,
                },
                () = &mut reading, if !read => read = true,
            }
            if read && lines.is_empty() {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(limits::OUTPUT_PATIENCE, rest).await;
    exit
}

/// Lines between those who read them and who hears them.
const LINES_IN_FLIGHT: usize = 256;

async fn ended(events: &mut Events, id: &str) -> Result<(i32, bool), StepError> {
    loop {
        match events.next().await {
            Some(Event::Exited { container, exit }) if container == id => {
                return Ok((exit.code, exit.oom_killed));
            }
            None | Some(Event::Lost) => return Err(StepError::new("the sandbox has died")),
            Some(_) => {}
        }
    }
}

async fn read_lines(stream: Option<impl AsyncRead + Unpin>, to: tokio::sync::mpsc::Sender<String>) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; 16 << 10];
    let mut line = Vec::new();
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        for &byte in &buffer[..count] {
            if byte == b'\n' || line.len() >= limits::LINE_BYTES_MAX {
                let text = shown(&line);
                line.clear();
                if to.send(text).await.is_err() {
                    return;
                }
            }
            if byte != b'\n' {
                line.push(byte);
            }
        }
    }
    if !line.is_empty() {
        let _ = to.send(shown(&line)).await;
    }
}

/// What a terminal shows of a line: what comes after the last return to its beginning.
fn shown(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let from = line.iter().rposition(|&b| b == b'\r').map_or(0, |at| at + 1);
    String::from_utf8_lossy(&line[from..]).into_owned()
}
