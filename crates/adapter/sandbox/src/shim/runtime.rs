//! Creating, starting and entering containers: by libcontainer, or by runc for comparison.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libcontainer::container::Container;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use serde_json::Value;

use super::executor::{PROGRAM, Run};
use crate::error::SandboxError;
use crate::wire::receive;

/// What a process starts with.
pub(super) enum Stdio3 {
    /// Its three streams; a missing one is `/dev/null`.
    Streams {
        stdin: Option<OwnedFd>,
        stdout: Option<OwnedFd>,
        stderr: Option<OwnedFd>,
    },
    /// A terminal of its own.
    Terminal,
}

/// A process that is there, and its terminal.
pub(super) struct Made {
    pub(super) pid: u32,
    pub(super) terminal: Option<OwnedFd>,
}

/// What is to be made.
enum Making<'a> {
    /// The container of the bundle.
    Container,
    /// Another process in it, by the file that describes it.
    Process(&'a Path),
}

/// Where a container is kept.
pub(super) struct Place<'a> {
    pub(super) id: &'a str,
    /// Its folder: the bundle, and below it the runtime's state.
    pub(super) folder: &'a Path,
    pub(super) runc: Option<&'a Path>,
}

impl Place<'_> {
    fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Creates the container that `config` describes. It waits for [`Place::start`].
    pub(super) fn create(&self, config: &Value, run: Run, stdio: Stdio3) -> Result<Made, SandboxError> {
        write(&self.folder.join("config.json"), config)?;
        self.make(Making::Container, run, stdio)
    }

    /// Lets the container's program run.
    pub(super) fn start(&self) -> Result<(), SandboxError> {
        match self.runc {
            Some(program) => {
                let mut command = self.command(program, "start", None);
                self.run(command.arg(self.id), Stdio3::Terminal)
            }
            None => Container::load(self.state().join(self.id))
                .and_then(|mut container| container.start())
                .map_err(|error| translate(&error)),
        }
    }

    /// Starts another process in the container.
    pub(super) fn exec(
        &self,
        number: u64,
        process: &Value,
        run: Run,
        stdio: Stdio3,
    ) -> Result<Made, SandboxError> {
        let file = self.folder.join(format!("exec-{number}.json"));
        write(&file, process)?;
        let made = self.make(Making::Process(&file), run, stdio);
        let _ = fs::remove_file(file);
        made
    }

    fn make(&self, what: Making<'_>, run: Run, stdio: Stdio3) -> Result<Made, SandboxError> {
        let console = Console::listen(self.folder, &stdio)?;
        let pid = match self.runc {
            Some(program) => self.make_with_runc(program, &what, stdio, console.as_ref())?,
            None => {
                // Words about what has been got over.
                super::words::said();
                let builder = self.builder(run, stdio, console.as_ref())?;
                let made = match what {
                    Making::Container => builder
                        .as_init(self.folder)
                        .with_systemd(false)
                        .build()
                        .map(|container| container.pid()),
                    Making::Process(file) => builder
                        .as_tenant()
                        .with_process(Some(file))
                        .with_detach(true)
                        .build()
                        .map(Some),
                };
                let pid = made.map_err(|error| translate(&error))?;
                pid.map(|pid| pid.as_raw() as u32).ok_or_else(|| {
                    SandboxError::Runtime("the container has ended before it was started".to_owned())
                })?
            }
        };
        Ok(Made {
            pid,
            terminal: console.map(Console::accept).transpose()?,
        })
    }

    fn make_with_runc(
        &self,
        program: &Path,
        what: &Making<'_>,
        stdio: Stdio3,
        console: Option<&Console>,
    ) -> Result<u32, SandboxError> {
        let pid_file = self.folder.join("pid");
        let mut command = match what {
            Making::Container => {
                let mut command = self.command(program, "create", console);
                command.arg("--bundle").arg(self.folder);
                command
            }
            Making::Process(file) => {
                let mut command = self.command(program, "exec", console);
                command.args(["--detach", "--process"]).arg(file);
                command
            }
        };
        command.arg("--pid-file").arg(&pid_file).arg(self.id);
        self.run(&mut command, stdio)?;
        read_pid(&pid_file)
    }

    fn builder(
        &self,
        run: Run,
        stdio: Stdio3,
        console: Option<&Console>,
    ) -> Result<ContainerBuilder, SandboxError> {
        let mut builder = ContainerBuilder::new(self.id.to_owned(), SyscallType::default())
            .with_executor(run)
            .with_root_path(self.state())
            .map_err(|error| translate(&error))?
            .with_console_socket(console.map(|console| console.path.clone()));
        if let Stdio3::Streams {
            stdin,
            stdout,
            stderr,
        } = stdio
        {
            builder = builder
                .with_stdin(or_null(stdin)?)
                .with_stdout(or_null(stdout)?)
                .with_stderr(or_null(stderr)?);
        }
        Ok(builder)
    }

    fn command(&self, program: &Path, verb: &str, console: Option<&Console>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", super::DEFAULT_PATH);
        command
            .arg("--root")
            .arg(self.state())
            .arg("--log")
            .arg(self.folder.join("runc.log"))
            .arg(verb);
        if let Some(console) = console {
            command.arg("--console-socket").arg(&console.path);
        }
        command
    }

    fn run(&self, command: &mut Command, stdio: Stdio3) -> Result<(), SandboxError> {
        let log = self.folder.join("runc.log");
        // Only the last call's words are of interest.
        let _ = fs::remove_file(&log);
        if let Stdio3::Streams {
            stdin,
            stdout,
            stderr,
        } = stdio
        {
            command
                .stdin(Stdio::from(or_null(stdin)?))
                .stdout(Stdio::from(or_null(stdout)?))
                .stderr(Stdio::from(or_null(stderr)?));
        } else {
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
        }
        let status = command.status().map_err(|error| {
            SandboxError::runtime(format!("starting {}", command.get_program().display()), error)
        })?;
        if status.success() {
            return Ok(());
        }
        let said = fs::read_to_string(log).unwrap_or_default();
        let text = said.lines().last().unwrap_or("runc failed").to_owned();
        Err(
            if text.contains("exec: ") || text.contains("executable file not found") {
                SandboxError::Program(text)
            } else {
                SandboxError::Runtime(text)
            },
        )
    }
}

/// Where the runtime sends a terminal to.
struct Console {
    path: PathBuf,
    listener: UnixListener,
}

impl Console {
    fn listen(folder: &Path, stdio: &Stdio3) -> Result<Option<Console>, SandboxError> {
        if !matches!(stdio, Stdio3::Terminal) {
            return Ok(None);
        }
        let failed = |error: io::Error| SandboxError::runtime("making a terminal", error);
        let path = folder.join("console.sock");
        let open = fs::File::open(folder).map_err(failed)?;
        let listener = UnixListener::bind(super::short(&open, "console.sock")).map_err(failed)?;
        // The runtime has connected before it says that it is done.
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Some(Console { path, listener }))
    }

    fn accept(self) -> Result<OwnedFd, SandboxError> {
        let failed = |error: io::Error| SandboxError::runtime("receiving the terminal", error);
        let (socket, _) = self.listener.accept().map_err(failed)?;
        let mut fds = std::collections::VecDeque::new();
        receive(&socket, &mut [0; 64], &mut fds).map_err(failed)?;
        fds.pop_front()
            .ok_or_else(|| SandboxError::Runtime("the runtime has sent no terminal".to_owned()))
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn or_null(fd: Option<OwnedFd>) -> Result<OwnedFd, SandboxError> {
    match fd {
        Some(fd) => Ok(fd),
        None => fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/null")
            .map(OwnedFd::from)
            .map_err(|error| SandboxError::runtime("opening /dev/null", error)),
    }
}

fn write(path: &Path, value: &Value) -> Result<(), SandboxError> {
    fs::write(path, value.to_string()).map_err(|error| SandboxError::runtime("writing the bundle", error))
}

fn read_pid(path: &Path) -> Result<u32, SandboxError> {
    fs::read_to_string(path)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| SandboxError::Runtime("the runtime has named no process".to_owned()))
}

/// The innermost words, and whether it is the program or the runtime that failed.
fn translate(error: &dyn std::error::Error) -> SandboxError {
    let mut words: Vec<String> = Vec::new();
    let mut at = Some(error);
    while let Some(one) = at {
        let text = one.to_string();
        // Wrappers that repeat what they wrap say nothing new.
        if words.last().is_none_or(|last| !last.contains(&text)) {
            words.push(text);
        }
        at = one.source();
    }
    let text = words.join(": ");
    match text.find(PROGRAM) {
        Some(place) => SandboxError::Program(text[place + PROGRAM.len()..].to_owned()),
        None => {
            let said = super::words::said();
            SandboxError::Runtime(if said.is_empty() {
                text
            } else {
                format!("{text} ({said})")
            })
        }
    }
}
