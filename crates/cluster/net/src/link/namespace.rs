use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::PathBuf;
use std::thread;

use rustix::thread::{LinkNameSpaceType, UnshareFlags};

/// A network namespace that stays for as long as this is held, or any process lives in it.
#[derive(Debug)]
pub struct Namespace {
    file: File,
}

/// A namespace cannot be made or entered.
#[derive(Debug, thiserror::Error)]
#[error("network namespace: cannot {doing}")]
pub struct NamespaceError {
    doing: &'static str,
    #[source]
    source: io::Error,
}

impl NamespaceError {
    /// True where the process lacks the right.
    pub fn is_forbidden(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }
}

impl Namespace {
    /// A new one, empty but for `lo`, which is down.
    ///
    /// # Errors
    /// Without the right to make one.
    pub fn create() -> Result<Namespace, NamespaceError> {
        // Only the thread that asks moves; it ends when it has opened what it made.
        in_thread(|| {
            // Deprecated for what CLONE_FILES does to descriptors of other threads; a network is no such thing.
            #[expect(deprecated, reason = "CLONE_NEWNET endangers no descriptor of another thread")]
            rustix::thread::unshare(UnshareFlags::NEWNET).map_err(|e| failed("make one", e.into()))?;
            Namespace::current()
        })
    }

    /// That of the calling thread.
    ///
    /// # Errors
    /// Without /proc.
    pub fn current() -> Result<Namespace, NamespaceError> {
        Namespace::open(PathBuf::from("/proc/thread-self/ns/net"))
    }

    /// The one behind a file.
    ///
    /// # Errors
    /// Where there is no such file.
    pub fn open(path: PathBuf) -> Result<Namespace, NamespaceError> {
        let file = File::open(path).map_err(|e| failed("open it", e))?;
        Ok(Namespace { file })
    }

    /// A path by which other processes of this machine open it for as long as this is held.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!(
            "/proc/{}/fd/{}",
            std::process::id(),
            self.file.as_raw_fd()
        ))
    }

    /// Another hold on the same namespace.
    ///
    /// # Errors
    /// Where descriptors have run out.
    pub fn duplicate(&self) -> Result<Namespace, NamespaceError> {
        let file = self.file.try_clone().map_err(|e| failed("hold it", e))?;
        Ok(Namespace { file })
    }

    /// Moves the calling thread into it.
    ///
    /// # Errors
    /// Without the right to.
    pub fn enter(&self) -> Result<(), NamespaceError> {
        rustix::thread::move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|e| failed("enter it", e.into()))
    }

    /// Carries `work` out inside, on a thread that ends with it. What it opens stays inside for ever.
    ///
    /// # Errors
    /// Where it cannot be entered.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NamespaceError> {
        in_thread(|| {
            self.enter()?;
            Ok(work())
        })
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn failed(doing: &'static str, source: io::Error) -> NamespaceError {
    NamespaceError { doing, source }
}

fn in_thread<T: Send>(work: impl FnOnce() -> Result<T, NamespaceError> + Send) -> Result<T, NamespaceError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("netns".to_owned())
            .spawn_scoped(scope, work);
        match thread.map_err(|e| failed("start a thread", e))?.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
