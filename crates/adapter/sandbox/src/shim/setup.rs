//! From a started process to a sandbox: apart from the server, in namespaces of its own.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use rustix::process::set_child_subreaper;

use super::rootfs;
use crate::cgroup::Layout;
use crate::error::SandboxError;
use crate::spec::{SandboxSpec, Tmpfs};
use crate::wire::Setup;

/// What `/dev/shm` of a sandbox may hold: 64 MiB, as containerd gives.
const SHM_BYTES: u64 = 64 << 20;

/// What setting up leaves behind.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) layout: Layout,
    pub(super) shm: PathBuf,
    /// The first process of the shared PID namespace.
    pub(super) pause: Option<Child>,
    /// The shim's own cgroup namespaces and so on are not kept; this one is, for containers to join.
    pub(super) pid_namespace: Option<PathBuf>,
}

/// Leaves the server's session and terminal. What the shim prints from here on (a panic) is in `shim.log`.
pub(super) fn daemonise(folder: &Path) -> io::Result<()> {
    nix::unistd::daemon(false, true)?;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    let null = fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(folder.join("shim.log"))?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&log)?;
    Ok(())
}

/// Makes the sandbox around this process.
pub(super) fn sandbox(folder: &Path, setup: &Setup) -> Result<Ready, SandboxError> {
    let spec = &setup.spec;
    let layout = Layout::detect().map_err(|error| SandboxError::Runtime(error.to_string()))?;
    let parent = Path::new(&setup.cgroup_parent);
    let own = layout.group(&parent.join("shims").join(&spec.id));
    own.create(&layout, true)
        .and_then(|()| own.add(std::process::id()))
        .map_err(|error| SandboxError::runtime("making the shim's cgroup", error))?;
    let pod = layout.group(&parent.join(&spec.cgroup));
    pod.create(&layout, false)
        .and_then(|()| pod.limit(&spec.resources))
        .map_err(|error| SandboxError::runtime("making the sandbox's cgroup", error))?;
    // Orphans of containers without a PID namespace of their own come here to be reaped.
    set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|error| SandboxError::runtime("becoming the reaper", error))?;
    namespaces(spec)?;
    sysctls(spec)?;
    for tmpfs in &spec.tmpfs {
        rootfs::tmpfs(tmpfs).map_err(|error| {
            SandboxError::runtime(format!("mounting memory at {}", tmpfs.path.display()), error)
        })?;
    }
    let shm = shm(folder, spec)?;
    let pause = if spec.share_pids && !spec.host_pid {
        Some(pause(setup)?)
    } else {
        None
    };
    let pid_namespace = pause
        .as_ref()
        .map(|child| PathBuf::from(format!("/proc/{}/ns/pid", child.id())));
    Ok(Ready {
        layout,
        shm,
        pause,
        pid_namespace,
    })
}

fn namespaces(spec: &SandboxSpec) -> Result<(), SandboxError> {
    let network: Option<OwnedFd> = match &spec.network {
        None => None,
        Some(path) => Some(
            fs::File::open(path)
                .map_err(|error| {
                    SandboxError::Invalid(format!("the network namespace {}: {error}", path.display()))
                })?
                .into(),
        ),
    };
    let mut flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS;
    flags.set(CloneFlags::CLONE_NEWIPC, !spec.host_ipc);
    unshare(flags).map_err(|error| SandboxError::runtime("making namespaces", error))?;
    // The machine's unmounts are seen here, so that nothing stays busy for a sandbox; our mounts are seen nowhere.
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_SLAVE,
        None::<&str>,
    )
    .map_err(|error| SandboxError::runtime("separating mounts", error))?;
    if let Some(hostname) = &spec.hostname {
        nix::unistd::sethostname(hostname)
            .map_err(|error| SandboxError::runtime("setting the host name", error))?;
    }
    if let Some(network) = network {
        setns(network, CloneFlags::CLONE_NEWNET)
            .map_err(|error| SandboxError::runtime("entering the network namespace", error))?;
    }
    Ok(())
}

/// Parameters of namespaces that are the machine's would change the machine: refused.
fn sysctls(spec: &SandboxSpec) -> Result<(), SandboxError> {
    const IPC: &[&str] = &[
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
    ];
    for (name, value) in &spec.sysctls {
        let name = name.replace('/', ".");
        let allowed = (name.starts_with("net.") && spec.network.is_some())
            || ((IPC.contains(&name.as_str()) || name.starts_with("fs.mqueue.")) && !spec.host_ipc);
        let path = name.replace('.', "/");
        if !allowed || path.contains("//") {
            return Err(SandboxError::Invalid(format!(
                "sysctl {name:?} is not in a namespace of the sandbox"
            )));
        }
        fs::write(Path::new("/proc/sys").join(path), value)
            .map_err(|error| SandboxError::Invalid(format!("sysctl {name}={value}: {error}")))?;
    }
    Ok(())
}

fn shm(folder: &Path, spec: &SandboxSpec) -> Result<PathBuf, SandboxError> {
    if spec.host_ipc {
        return Ok(PathBuf::from("/dev/shm"));
    }
    let path = folder.join("shm");
    rootfs::make(&path)?;
    rootfs::tmpfs(&Tmpfs {
        path: path.clone(),
        size: Some(SHM_BYTES),
        mode: 0o1777,
        gid: None,
    })
    .map_err(|error| SandboxError::runtime("mounting shared memory", error))?;
    Ok(path)
}

/// The first process of a PID namespace that all containers join: this program once more, which only reaps.
fn pause(_setup: &Setup) -> Result<Child, SandboxError> {
    let failed = |error: io::Error| SandboxError::runtime("starting the first process of the sandbox", error);
    let own = fs::File::open("/proc/self/ns/pid").map_err(failed)?;
    unshare(CloneFlags::CLONE_NEWPID).map_err(|error| failed(error.into()))?;
    let child = Command::new("/proc/self/exe")
        .arg0("pause")
        .arg(super::PAUSE)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    // Other children belong where the shim is.
    setns(own, CloneFlags::CLONE_NEWPID).map_err(|error| failed(error.into()))?;
    let mut child = child.map_err(failed)?;
    // It says when its signals are set up: before that it would not die with the shim.
    if let Some(mut out) = child.stdout.take() {
        let mut one = [0];
        io::Read::read_exact(&mut out, &mut one).map_err(failed)?;
    }
    Ok(child)
}

/// The whole life of that process.
pub(super) fn reap_for_ever() -> io::Result<()> {
    use nix::sys::signal::{SigSet, Signal};
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGCHLD);
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    signals.thread_block()?;
    io::Write::write_all(&mut io::stdout(), b"!")?;
    io::Write::flush(&mut io::stdout())?;
    rustix::stdio::dup2_stdout(fs::File::open("/dev/null")?)?;
    loop {
        if signals.wait()? != Signal::SIGCHLD {
            return Ok(());
        }
        while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
    }
}
