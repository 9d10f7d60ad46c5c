//! A room is where one job lives: its root, its network, its limits, and the processes of its steps.

mod disk;
mod inside;
mod network;
mod session;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deploy_sandbox::{
    Attachment, ContainerSpec, Exec, ExecSpec, Options as SandboxOptions, Resources, Rootfs, Runtime,
    Sandbox, SandboxError, SandboxSpec, Sandboxes,
};
use tokio::sync::Mutex as AsyncMutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use inside::{Found, Inside, absolute, open_found, walk};
pub use network::{Exit as NetworkExit, Exits as NetworkExits, Way};
use network::{Joined, Networks};
use session::Session;

use crate::error::JobsError;
use crate::labels::Place;
use crate::limits::{
    DEFAULT_DISK_BYTES, DEFAULT_MEMORY_BYTES, DEFAULT_PIDS, KILL_PATIENCE, MAX_STEP_LOG_BYTES,
};
use crate::root::{Machine, Root, Roots};

/// What a job may use.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Processors, also parts of one; none is all of them.
    pub cpus: Option<f64>,
    /// Bytes of memory.
    pub memory_bytes: i64,
    /// Processes and threads.
    pub pids: i64,
    /// Bytes that it may write.
    pub disk_bytes: u64,
    /// Bytes of one step's output that are kept.
    pub step_log_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            cpus: None,
            memory_bytes: DEFAULT_MEMORY_BYTES,
            pids: DEFAULT_PIDS,
            disk_bytes: DEFAULT_DISK_BYTES,
            step_log_bytes: MAX_STEP_LOG_BYTES,
        }
    }
}

/// Where rooms are made, and of what.
#[derive(Clone, Debug)]
pub struct Ground {
    /// `ci` of the data folder; made where it is missing. On a file system that overlayfs can write to.
    pub folder: PathBuf,
    /// The store of images.
    pub images: PathBuf,
    /// What is executed as a shim: a program whose `main` begins with [`deploy_sandbox::shim::dispatch`]. Steps find it as
    /// `deploy`.
    pub program: PathBuf,
    /// The home folder whose toolchains jobs see.
    pub home: PathBuf,
    /// The `PATH` of which jobs get what they see.
    pub path: String,
    /// Which network they get.
    pub way: Way,
}

/// All rooms of one server.
pub(crate) struct Rooms {
    sandboxes: Sandboxes,
    roots: Arc<Roots>,
    networks: Networks,
    session: Session,
    tasks: TaskTracker,
    end: CancellationToken,
}

/// Where a job lives.
pub(crate) struct Room {
    sandbox: Sandbox,
    folder: PathBuf,
    root: Root,
    joined: Joined,
    limits: Limits,
    /// The container of the steps. A step that does not go is ended with all of it, and the next step gets another one
    /// with the same files.
    current: AsyncMutex<Option<Life>>,
    lives: AtomicU64,
    full: Arc<AtomicBool>,
    watch: CancellationToken,
}

/// One container of a room.
struct Life {
    id: String,
    pid: u32,
    /// Its first process ends when this does: also when the server is killed.
    _line: Attachment,
}

/// SIGKILL
const KILL: i32 = 9;

/// Ends when its standard input does, and reaps what steps leave behind. Asked to end it does not: that is for steps.
const FIRST: &str = "trap '' TERM INT HUP; exec 3<&0; cat <&3 >/dev/null & wait";

impl Rooms {
    /// Looks whether this machine can have rooms. What a server that was killed has left is removed.
    pub(crate) async fn open(ground: &Ground) -> Result<Rooms, JobsError> {
        let folder = ground.folder.clone();
        let session = Session::open(&folder, &ground.way).await?;
        let sandboxes = Sandboxes::open(SandboxOptions {
            root: session.sandboxes(),
            cgroup_parent: session.cgroup(),
            program: ground.program.clone(),
            runtime: Runtime::Own,
        })
        .await?;
        let networks = Networks::open(&ground.way, session.id()).await?;
        let machine = Machine::new(&ground.home, &ground.path, &ground.program);
        let masks = session.masks();
        Ok(Rooms {
            sandboxes,
            roots: Arc::new(Roots::new(&masks, &ground.images, machine)),
            networks,
            session,
            tasks: TaskTracker::new(),
            end: CancellationToken::new(),
        })
    }

    /// Makes a room. Its name is unique among those that live: letters, digits, `-`; at most 64.
    pub(crate) async fn make(&self, name: &str, place: &Place, limits: &Limits) -> Result<Room, JobsError> {
        let (roots, place) = (self.roots.clone(), place.clone());
        let folder = self.session.rooms().join(name);
        let (root, joined) = tokio::join!(blocking(move || roots.make(&place)), self.networks.join(name));
        let joined = joined?;
        match self.make_in(name, folder.clone(), root, limits, &joined).await {
            Ok((sandbox, root)) => Ok(self.room(sandbox, folder, root, joined, limits)),
            Err(error) => {
                self.networks.leave(&joined).await?;
                let _ = blocking(move || fs::remove_dir_all(folder)).await;
                Err(error)
            }
        }
    }

    async fn make_in(
        &self,
        name: &str,
        folder: PathBuf,
        root: Result<Root, JobsError>,
        limits: &Limits,
        joined: &Joined,
    ) -> Result<(Sandbox, Root), JobsError> {
        let root = root?;
        let host = name.to_owned();
        let address = joined.address.clone();
        let at = folder.clone();
        blocking(move || furnish(&at, &host, address.as_deref()))
            .await
            .map_err(JobsError::files("make", folder))?;
        let spec = SandboxSpec {
            id: name.to_owned(),
            hostname: Some(name.to_owned()),
            network: joined.path.clone(),
            cgroup: PathBuf::from("jobs").join(name),
            resources: resources(limits),
            ..SandboxSpec::default()
        };
        Ok((self.sandboxes.create(spec).await?, root))
    }

    fn room(&self, sandbox: Sandbox, folder: PathBuf, root: Root, joined: Joined, limits: &Limits) -> Room {
        let watch = self.end.child_token();
        let full = Arc::new(AtomicBool::new(false));
        self.tasks.spawn(disk::watch(
            folder.join("upper"),
            limits.disk_bytes,
            sandbox.clone(),
            full.clone(),
            watch.clone(),
        ));
        Room {
            sandbox,
            folder,
            root,
            joined,
            limits: limits.clone(),
            current: AsyncMutex::new(None),
            lives: AtomicU64::new(0),
            full,
            watch,
        }
    }

    /// Takes a room away with all that lives in it.
    pub(crate) async fn close(&self, room: &Room) -> Result<(), JobsError> {
        room.watch.cancel();
        let stopped = room.sandbox.stop().await;
        let left = self.networks.leave(&room.joined).await;
        let folder = room.folder.clone();
        let removed = blocking(move || fs::remove_dir_all(folder)).await;
        stopped?;
        left?;
        removed.map_err(JobsError::files("remove", &room.folder))
    }

    /// Takes copies of what a job hands to a builder.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.session.scratch()
    }

    /// Removes what all rooms have shared: bridge, cgroups, folders.
    pub(crate) async fn end(self) -> Result<(), JobsError> {
        self.end.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.sandboxes.close().await;
        let networks = self.networks.close().await;
        self.session.close().await?;
        networks
    }
}

impl Room {
    /// `PATH`, `HOME` and what the root sets.
    pub(crate) fn environment(&self) -> &BTreeMap<String, String> {
        &self.root.environment
    }

    /// Sets variables of its root: a job's `container` has some.
    pub(crate) fn set(&mut self, env: &[(String, String)]) {
        self.root.environment.extend(env.iter().cloned());
    }

    /// The home folder in the room.
    pub(crate) fn home(&self) -> String {
        self.root
            .environment
            .get("HOME")
            .cloned()
            .unwrap_or_else(|| "/root".to_owned())
    }

    /// True once the job has written more than it may; it is being ended then.
    pub(crate) fn full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// What it may use.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Makes the first container now, so that the first step does not wait for it.
    pub(crate) async fn warm(&self) -> Result<(), SandboxError> {
        self.life().await.map(drop)
    }

    /// Starts a process of a step.
    pub(crate) async fn exec(&self, spec: ExecSpec) -> Result<Exec, SandboxError> {
        let (id, _) = self.life().await?;
        self.sandbox.exec(&id, spec).await
    }

    /// Its files.
    pub(crate) async fn inside(&self) -> Result<Inside, SandboxError> {
        let (_, pid) = self.life().await?;
        blocking(move || Inside::of(pid))
            .await
            .map_err(|error| SandboxError::Runtime(format!("opening the job's root: {error}")))
    }

    /// Sends a signal to all processes of the room's steps.
    pub(crate) async fn signal(&self, signal: i32) {
        if let Some(id) = self.living().await {
            // One that has just ended needs no signal.
            let _ = self.sandbox.kill(&id, signal, true).await;
        }
    }

    /// Ends all processes of the room's steps. The next step lives in a container of its own, with the same files.
    pub(crate) async fn kill(&self) {
        self.signal(KILL).await;
        self.settle(KILL_PATIENCE).await;
    }

    /// Waits for the end of the container, if it comes in time: the kernel may end it with a step.
    pub(crate) async fn settle(&self, patience: Duration) {
        let Some(id) = self.living().await else { return };
        let mut events = self.sandbox.events();
        let ended = async {
            while self
                .sandbox
                .container(&id)
                .is_some_and(|info| info.exit.is_none())
            {
                if events.next().await.is_none() {
                    return;
                }
            }
        };
        // Where it lives on, the next step lives in it.
        let _ = tokio::time::timeout(patience, ended).await;
    }

    async fn living(&self) -> Option<String> {
        self.current.lock().await.as_ref().map(|life| life.id.clone())
    }

    /// The container that runs, or another one.
    async fn life(&self) -> Result<(String, u32), SandboxError> {
        let mut current = self.current.lock().await;
        if let Some(life) = current.as_ref() {
            let ended = self
                .sandbox
                .container(&life.id)
                .is_none_or(|info| info.exit.is_some());
            if !ended {
                return Ok((life.id.clone(), life.pid));
            }
            let id = life.id.clone();
            *current = None;
            self.sandbox.remove(&id).await?;
        }
        let life = self.born().await?;
        let told = (life.id.clone(), life.pid);
        *current = Some(life);
        Ok(told)
    }

    async fn born(&self) -> Result<Life, SandboxError> {
        let number = self.lives.fetch_add(1, Ordering::Relaxed);
        let id = format!("job{number}");
        let spec = ContainerSpec {
            id: id.clone(),
            rootfs: Rootfs {
                lower: self.root.lower.clone(),
                upper: Some(self.folder.join("upper")),
                // overlayfs mounts a scratch folder that was `volatile` once only once.
                work: Some(self.folder.join(format!("work{number}"))),
                read_only: false,
            },
            args: ["/bin/sh", "-c", FIRST].map(str::to_owned).to_vec(),
            env: self.root.environment.clone().into_iter().collect(),
            mounts: self.root.mounts.clone(),
            allow_privilege_escalation: true,
            stdin: true,
            stdin_once: true,
            ..ContainerSpec::default()
        };
        let info = self.sandbox.create_container(spec).await?;
        self.sandbox.start(&id).await?;
        let line = self.sandbox.attach(&id).await?;
        let pid = info
            .pid
            .ok_or_else(|| SandboxError::Runtime("the job's first process has no number".to_owned()))?;
        Ok(Life { id, pid, _line: line })
    }
}

/// The folder that takes what a job writes, with files that only this job has.
fn furnish(folder: &Path, host: &str, address: Option<&str>) -> std::io::Result<()> {
    let etc = folder.join("upper/etc");
    fs::create_dir_all(&etc)?;
    let own = address.unwrap_or("127.0.1.1");
    let hosts = format!("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{own} {host}\n");
    fs::write(etc.join("hosts"), hosts)?;
    fs::write(etc.join("hostname"), format!("{host}\n"))?;
    fs::write(etc.join("resolv.conf"), resolvers())
}

/// Who answers names. A resolver on the machine's loopback is out of a job's reach: then those that it asks itself.
fn resolvers() -> String {
    let places = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];
    let texts = places.iter().filter_map(|path| fs::read_to_string(path).ok());
    let usable = |text: &String| {
        let servers = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("nameserver"));
        let outside = |server: &str| !server.trim().starts_with("127.") && server.trim() != "::1";
        servers.into_iter().any(outside)
    };
    texts.into_iter().find(usable).unwrap_or_default()
}

fn resources(limits: &Limits) -> Resources {
    const PERIOD: u64 = 100_000;
    let quota = limits.cpus.map(|cpus| {
        // Less than a hundredth of a processor is none, and more than a thousand are all.
        (cpus.clamp(0.01, 1000.0) * PERIOD as f64) as i64
    });
    Resources {
        cpu_shares: None,
        cpu_quota: quota,
        cpu_period: quota.map(|_| PERIOD),
        memory: Some(limits.memory_bytes),
        pids: Some(limits.pids),
    }
}

/// Work that waits for the kernel, on a thread that may wait.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only at the end of the runtime, when nobody waits for anything any more.
            Err(_) => std::future::pending().await,
        },
    }
}

/// A lock that a panic inside does not spoil.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
