//! The server's side: starting shims, finding them again, removing what is left.

mod connection;
mod host;
mod sandbox;
mod streams;

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use sandbox::{Events, Sandbox};
pub use streams::{Attachment, Exec, Resizer, Stream};

use crate::cgroup::Layout;
use crate::error::{OpenError, SandboxError};
use crate::limits::{REQUEST_DEADLINE, START_DEADLINE};
use crate::shim::{Record, SHIM, SOCKET, short};
use crate::spec::SandboxSpec;
use crate::wire::{Reply, RequestBody, Setup};
use connection::Connection;

/// Where sandboxes live, and what runs them.
#[derive(Clone, Debug)]
pub struct Options {
    /// Sockets, records and writable layers; made where it is missing. On a file system that overlayfs can write to.
    pub root: PathBuf,
    /// The name of the cgroup above all of them: `deploy-1234abcd`.
    pub cgroup_parent: String,
    /// What is executed as a shim: a program whose `main` begins with [`crate::shim::dispatch`].
    pub program: PathBuf,
    /// What creates containers.
    pub runtime: Runtime,
}

/// What creates containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Runtime {
    /// libcontainer, in the shim.
    #[default]
    Own,
    /// The program runc, for comparison.
    Runc(PathBuf),
}

/// All sandboxes of one server.
#[derive(Clone, Debug)]
pub struct Sandboxes {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    options: Options,
    layout: Layout,
    tasks: TaskTracker,
    end: CancellationToken,
}

impl Sandboxes {
    /// Looks whether this machine can run containers, and makes the root folder.
    pub async fn open(options: Options) -> Result<Sandboxes, OpenError> {
        let root = options.root.clone();
        let layout = blocking(move || {
            let layout = host::check()?;
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&root)
                .map_err(|source| OpenError::Folder { path: root, source })?;
            Ok(layout)
        })
        .await?;
        Ok(Sandboxes {
            shared: Arc::new(Shared {
                options,
                layout,
                tasks: TaskTracker::new(),
                end: CancellationToken::new(),
            }),
        })
    }

    /// The sandboxes that a server before this one has started and that live on, with all that has happened in them
    /// meanwhile. What is left of those that have died is removed.
    pub async fn adopt(&self) -> Vec<Sandbox> {
        let root = self.shared.options.root.clone();
        let mut folders = blocking(move || {
            fs::read_dir(root)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| path.is_dir())
                .collect::<Vec<_>>()
        })
        .await;
        folders.sort();
        let mut adopted = Vec::new();
        for folder in folders {
            match self.find(&folder).await {
                Ok(sandbox) => adopted.push(sandbox),
                Err(_) => self.shared.clear(folder, None).await,
            }
        }
        adopted
    }

    async fn find(&self, folder: &Path) -> Result<Sandbox, SandboxError> {
        let lost = |error: io::Error| SandboxError::Lost(error.to_string());
        let at = folder.to_path_buf();
        let socket = blocking(move || {
            let open = File::open(at)?;
            UnixStream::connect(short(&open, SOCKET))
        })
        .await
        .map_err(lost)?;
        let connection = self.connect(socket.into())?;
        match connection
            .ask(RequestBody::Describe, &[], REQUEST_DEADLINE)
            .await?
            .reply
        {
            Reply::Described(description) => Ok(Sandbox::new(self.shared.clone(), connection, *description)),
            _ => Err(SandboxError::Lost("the shim speaks another language".to_owned())),
        }
    }

    fn connect(&self, socket: OwnedFd) -> Result<Arc<Connection>, SandboxError> {
        Connection::start(socket, &self.shared.tasks, self.shared.end.clone())
            .map_err(|error| SandboxError::Lost(error.to_string()))
    }

    /// Makes a sandbox.
    pub async fn create(&self, spec: SandboxSpec) -> Result<Sandbox, SandboxError> {
        crate::shim::valid_id(&spec.id)?;
        if spec.cgroup.is_absolute()
            || spec.cgroup.as_os_str().is_empty()
            || spec
                .cgroup
                .components()
                .any(|part| !matches!(part, std::path::Component::Normal(_)))
        {
            return Err(SandboxError::Invalid(format!(
                "{} is no path below the cgroup parent",
                spec.cgroup.display()
            )));
        }
        let folder = self.shared.options.root.join(&spec.id);
        let setup = Setup {
            cgroup_parent: format!("/{}", self.shared.options.cgroup_parent.trim_start_matches('/')),
            runc: match &self.shared.options.runtime {
                Runtime::Own => None,
                Runtime::Runc(program) => Some(program.clone()),
            },
            spec,
        };
        if folder.exists() {
            if self.find(&folder).await.is_ok() {
                return Err(SandboxError::Exists(setup.spec.id));
            }
            self.shared.clear(folder.clone(), Some(setup.clone())).await;
        }
        match self.begin(&folder, &setup).await {
            Ok(sandbox) => Ok(sandbox),
            Err(error) => {
                self.shared.clear(folder, Some(setup)).await;
                Err(error)
            }
        }
    }

    async fn begin(&self, folder: &Path, setup: &Setup) -> Result<Sandbox, SandboxError> {
        let (program, at) = (self.shared.options.program.clone(), folder.to_path_buf());
        let socket = blocking(move || spawn(&program, &at))
            .await
            .map_err(|error| SandboxError::runtime("starting the shim", error))?;
        let connection = self.connect(socket)?;
        let body = RequestBody::Create(Box::new(setup.clone()));
        match connection.ask(body, &[], START_DEADLINE).await?.reply {
            Reply::Described(description) => Ok(Sandbox::new(self.shared.clone(), connection, *description)),
            _ => Err(SandboxError::Lost("the shim speaks another language".to_owned())),
        }
    }

    /// Lets go of all sandboxes, which live on, and waits for what is under way.
    pub async fn close(&self) {
        self.shared.end.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// Ends and removes everything below a root folder and a cgroup parent, whether its shims live or not: nothing
    /// stays behind, also after a crash of server and shims.
    pub async fn sweep(root: &Path, cgroup_parent: &str) -> io::Result<()> {
        let (root, parent) = (root.to_path_buf(), cgroup_parent.to_owned());
        blocking(move || {
            if let Ok(layout) = Layout::detect() {
                let group = layout.group(Path::new(&parent));
                // Shims first: what they would still start is started no more, and their containers die with them.
                group.child("shims").kill();
                group.kill();
                if group.exists() {
                    group.remove()?;
                }
            }
            match fs::remove_dir_all(&root) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        })
        .await
    }
}

impl Shared {
    /// Kills and removes what is left of one sandbox.
    pub(crate) async fn clear(self: &Arc<Self>, folder: PathBuf, setup: Option<Setup>) {
        let shared = self.clone();
        blocking(move || {
            let setup = setup.or_else(|| Record::read(&folder).ok().map(|record| record.setup));
            let parent = PathBuf::from(format!(
                "/{}",
                shared.options.cgroup_parent.trim_start_matches('/')
            ));
            let id = folder.file_name().unwrap_or_default();
            let mut groups = vec![shared.layout.group(&parent.join("shims").join(id))];
            groups.extend(setup.map(|setup| shared.layout.group(&parent.join(setup.spec.cgroup))));
            for group in groups {
                group.kill();
                // What the kernel still holds is found again by `sweep`.
                let _ = group.remove();
            }
            let _ = fs::remove_dir_all(folder);
        })
        .await;
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }
}

/// Starts a shim, which leaves the server at once, and gives the server's end of its first connection.
fn spawn(program: &Path, folder: &Path) -> io::Result<OwnedFd> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let (ours, theirs) = UnixStream::pair()?;
    let mut child = Command::new(program)
        .arg0("deploy-sandbox")
        .arg(SHIM)
        .arg(folder)
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let status = child.wait()?;
    if status.success() {
        Ok(ours.into())
    } else {
        Err(io::Error::other(format!("{}: {status}", program.display())))
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
