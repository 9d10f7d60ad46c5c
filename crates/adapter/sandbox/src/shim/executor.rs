//! From libcontainer's last step to the container's program.

use std::ffi::CString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use caps::Capability;
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::{Executor, ExecutorError, ExecutorValidationError};
use seccompiler::BpfProgram;

use super::last;

/// Where programs are looked up if the environment does not say
/// (containerd, oci/spec.go `defaultUnixEnv`).
pub(crate) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Marks errors that are the program's and not the runtime's, on their way through libcontainer's texts.
pub(super) const PROGRAM: &str = "deploy-program: ";

/// What is done to a process in the container before it becomes the program.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) capabilities: Vec<Capability>,
    pub(super) filters: Vec<BpfProgram>,
    pub(super) no_new_privs: bool,
    pub(super) cwd: String,
}

impl Executor for Run {
    /// Runs in the container, as its user, before the shim hears that the container is there.
    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        enter(&self.cwd)
            .map_err(|error| format!("mkdir {}: {}", self.cwd, cause(&error)))
            .and_then(|()| program(spec).map(drop))
            .map_err(|text| ExecutorValidationError::ArgValidationError(format!("{PROGRAM}{text}")))
    }

    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        let failed =
            |doing: &str, error: &dyn std::fmt::Display| ExecutorError::Other(format!("{doing}: {error}"));
        let (path, arguments) =
            program(spec).map_err(|text| ExecutorError::Other(format!("{PROGRAM}{text}")))?;
        last::signals().map_err(|error| failed("resetting signals", &error))?;
        last::confine(&self.capabilities, &self.filters, self.no_new_privs)
            .map_err(|error| failed("confining the process", &error))?;
        let error = match nix::unistd::execv(&path, &arguments) {
            Ok(never) => match never {},
            Err(error) => io::Error::from(error),
        };
        let text = format!("exec {}: {}", path.to_string_lossy(), cause(&error));
        // The container counts as started; its log is where people look, as under runc.
        let _ = io::Write::write_all(&mut io::stderr(), format!("{text}\n").as_bytes());
        Err(ExecutorError::Other(format!("{PROGRAM}{text}")))
    }
}

/// Goes to the folder that the process starts in. What is missing of it is made, and is the administrator's.
fn enter(cwd: &str) -> io::Result<()> {
    if let Err(error) = std::env::set_current_dir(cwd) {
        if error.kind() != io::ErrorKind::NotFound {
            return Err(error);
        }
        let mut at = PathBuf::new();
        for part in Path::new(cwd).components() {
            at.push(part);
            match std::fs::create_dir(&at) {
                Ok(()) => std::os::unix::fs::lchown(&at, Some(0), Some(0))?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        std::env::set_current_dir(cwd)?;
    }
    // A link into /proc/self/fd could lead out of the container (CVE-2024-21626): then the kernel knows no path of it.
    std::env::current_dir().map(drop)
}

/// The path of the program and its arguments, or the words in which Go's os/exec and runc say why not.
fn program(spec: &Spec) -> Result<(CString, Vec<CString>), String> {
    let arguments = spec
        .process()
        .as_ref()
        .and_then(|process| process.args().as_ref())
        .filter(|arguments| !arguments.is_empty())
        .ok_or("no command specified")?;
    let name = &arguments[0];
    let path = if name.contains('/') {
        executable(Path::new(name)).map_err(|error| {
            let doing = if error.kind() == io::ErrorKind::NotFound {
                format!("stat {name}: ")
            } else {
                String::new()
            };
            format!("exec: {name:?}: {doing}{}", cause(&error))
        })?;
        PathBuf::from(name)
    } else {
        lookup(spec, name)?
    };
    let c = |text: &str| CString::new(text).map_err(|_| format!("exec: {text:?}: invalid argument"));
    let list = arguments.iter().map(|one| c(one)).collect::<Result<_, _>>()?;
    Ok((c(&path.to_string_lossy())?, list))
}

fn lookup(spec: &Spec, name: &str) -> Result<PathBuf, String> {
    let environment = spec.process().as_ref().and_then(|process| process.env().as_ref());
    let paths = environment
        .into_iter()
        .flatten()
        .rev()
        .find_map(|entry| entry.strip_prefix("PATH="))
        .unwrap_or(DEFAULT_PATH);
    let mut denied = false;
    for folder in paths.split(':').filter(|folder| !folder.is_empty()) {
        let path = Path::new(folder).join(name);
        match executable(&path) {
            Ok(()) => return Ok(path),
            Err(error) => denied |= error.kind() == io::ErrorKind::PermissionDenied,
        }
    }
    Err(if denied {
        format!("exec: {name:?}: permission denied")
    } else {
        format!("exec: {name:?}: executable file not found in $PATH")
    })
}

fn executable(path: &Path) -> io::Result<()> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(io::Error::from(io::ErrorKind::PermissionDenied));
    }
    Ok(())
}

/// The kernel's words, as Go writes them.
fn cause(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOENT) => "no such file or directory".to_owned(),
        Some(libc::EACCES) => "permission denied".to_owned(),
        Some(libc::ENOEXEC) => "exec format error".to_owned(),
        Some(libc::EISDIR) => "is a directory".to_owned(),
        Some(libc::ENOTDIR) => "not a directory".to_owned(),
        _ if error.kind() == io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
