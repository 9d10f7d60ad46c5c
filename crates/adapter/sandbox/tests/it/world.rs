//! A root file system of busybox, and sandboxes that leave nothing behind.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deploy_sandbox::{
    ContainerSpec, Event, Events, Exit, LogFile, Options, Rootfs, Runtime, Sandbox, SandboxSpec, Sandboxes,
};

/// No test waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a test with real containers, as root; prints that it was skipped otherwise.
pub fn run<F: Future<Output = ()>>(name: &str, test: impl FnOnce(World) -> F) {
    run_with(name, Runtime::Own, test);
}

/// As [`run`], with a runtime.
pub fn run_with<F: Future<Output = ()>>(name: &str, runtime: Runtime, test: impl FnOnce(World) -> F) {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: {name} needs root");
        return;
    }
    if !Path::new(BUSYBOX).exists() {
        println!("skipped: {name} needs {BUSYBOX} (Debian's busybox-static)");
        return;
    }
    let world = World::new(name, runtime);
    let (root, parent) = (world.root.clone(), world.parent.clone());
    let guard = Guard {
        root: root.clone(),
        parent,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE * 2, test(world))
            .await
            .expect("the test takes too long");
    });
    drop(guard);
    assert!(!root.exists(), "{} is left behind", root.display());
}

struct Guard {
    root: PathBuf,
    parent: String,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let sweep = async {
            Sandboxes::sweep(&self.root.join("sandboxes"), &self.parent)
                .await
                .unwrap();
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(sweep);
        fs::remove_dir_all(&self.root).unwrap();
        for hierarchy in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
            let left = hierarchy.path().join(&self.parent);
            assert!(!left.exists(), "{} is left behind", left.display());
        }
    }
}

const BUSYBOX: &str = "/bin/busybox";

/// A layer with busybox under all its names.
fn layer(path: &Path) {
    for folder in ["bin", "etc", "tmp", "root", "data"] {
        fs::create_dir_all(path.join(folder)).unwrap();
    }
    fs::copy(BUSYBOX, path.join("bin/busybox")).unwrap();
    until_executable(&path.join("bin/busybox"));
    for name in [
        "sh", "cat", "echo", "env", "id", "ls", "mkdir", "mknod", "mount", "ps", "pwd", "sleep", "stty",
        "true", "false", "touch", "grep", "hostname", "head", "tail", "dd", "unshare", "chroot", "kill",
        "tr", "wc", "yes", "sort", "rm", "setsid", "su", "stat", "printf", "readlink", "usleep", "seq",
        "tty", "cut",
    ] {
        symlink("busybox", path.join("bin").join(name)).unwrap();
    }
    fs::write(
        path.join("etc/passwd"),
        "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/data:/bin/sh\n",
    )
    .unwrap();
    fs::write(path.join("etc/group"), "root:x:0:\napp:x:1000:\n").unwrap();
    fs::set_permissions(path.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
}

/// Waits until a file that was just written can be executed. Another test may have forked while it was open, and the
/// kernel executes nothing that somebody can write.
pub fn until_executable(path: &Path) {
    use std::process::{Command, Stdio};
    let busy = || {
        let outcome = Command::new(path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        outcome.is_err_and(|error| error.kind() == std::io::ErrorKind::ExecutableFileBusy)
    };
    while busy() {
        std::thread::yield_now();
    }
}

pub struct World {
    pub root: PathBuf,
    pub parent: String,
    pub runtime: Runtime,
}

impl World {
    pub fn new(name: &str, runtime: Runtime) -> World {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{number}-{name}", std::process::id());
        let root = std::env::temp_dir().join(format!("deploy-sandbox-{id}"));
        layer(&root.join("layer"));
        World {
            root,
            parent: format!("deploy-test-{id}"),
            runtime,
        }
    }

    pub fn options(&self) -> Options {
        Options {
            root: self.root.join("sandboxes"),
            cgroup_parent: self.parent.clone(),
            program: env!("CARGO_BIN_EXE_deploy-sandbox-shim").into(),
            runtime: self.runtime.clone(),
        }
    }

    pub async fn open(&self) -> Sandboxes {
        Sandboxes::open(self.options()).await.unwrap()
    }

    /// A sandbox as usual.
    pub async fn sandbox(&self) -> Sandbox {
        self.open().await.create(self.spec("pod")).await.unwrap()
    }

    pub fn spec(&self, id: &str) -> SandboxSpec {
        SandboxSpec {
            id: id.to_owned(),
            hostname: Some("pod-host".to_owned()),
            cgroup: PathBuf::from(format!("pods/{id}")),
            labels: BTreeMap::from([("uid".to_owned(), id.to_owned())]),
            ..SandboxSpec::default()
        }
    }

    /// A container that runs a script, with a log.
    pub fn container(&self, id: &str, script: &str) -> ContainerSpec {
        self.program(id, &["/bin/sh", "-c", script])
    }

    /// A container that runs a program, with a log.
    pub fn program(&self, id: &str, args: &[&str]) -> ContainerSpec {
        ContainerSpec {
            id: id.to_owned(),
            rootfs: Rootfs {
                lower: vec![self.root.join("layer")],
                ..Rootfs::default()
            },
            args: args.iter().map(|one| (*one).to_owned()).collect(),
            env: vec![("PATH".to_owned(), "/bin".to_owned())],
            allow_privilege_escalation: true,
            log: Some(LogFile {
                path: self.log(id),
                max_size: 10 << 20,
                max_files: 5,
            }),
            ..ContainerSpec::default()
        }
    }

    pub fn log(&self, id: &str) -> PathBuf {
        self.root.join(format!("{id}.log"))
    }

    /// What a container has said on its standard output, and on its standard error.
    pub fn said(&self, id: &str) -> (String, String) {
        let text = fs::read_to_string(self.log(id)).unwrap_or_default();
        let mut said = (String::new(), String::new());
        for line in text.lines() {
            let mut words = line.splitn(4, ' ');
            let (stream, tag, rest) = (
                words.nth(1).unwrap(),
                words.next().unwrap(),
                words.next().unwrap_or(""),
            );
            let to = if stream == "stdout" {
                &mut said.0
            } else {
                &mut said.1
            };
            to.push_str(rest);
            if tag == "F" {
                to.push('\n');
            }
        }
        said
    }

    /// Runs a container to its end.
    pub async fn finish(&self, sandbox: &Sandbox, spec: ContainerSpec) -> (Exit, String, String) {
        let id = spec.id.clone();
        let mut events = sandbox.events();
        sandbox.create_container(spec).await.unwrap();
        sandbox.start(&id).await.unwrap();
        let exit = exited(&mut events, &id).await;
        let (out, err) = self.said(&id);
        (exit, out, err)
    }

    /// Waits until a container has said something.
    pub async fn until_said(&self, id: &str, text: &str) {
        until(&format!("{id} says {text:?}"), || self.said(id).0.contains(text)).await;
    }
}

/// Waits for the end of a container.
pub async fn exited(events: &mut Events, id: &str) -> Exit {
    let wait = async {
        loop {
            match events.next().await.expect("events end") {
                Event::Exited { container, exit } if container == id => return exit,
                Event::Lost => panic!("the shim is lost"),
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .expect("the container does not end")
}

/// Waits for a condition that nothing announces.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        let mut turn = tokio::time::interval(Duration::from_millis(5));
        while !condition() {
            turn.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| panic!("{what}: does not happen"));
}
