//! One container in the shim: from its specification to its end.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use caps::{CapSet, Capability};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process};

use super::executor::Run;
use super::log::{Log, Stream};
use super::output::Outputs;
use super::rootfs::{self, Mounted};
use super::runtime::{Made, Place, Stdio3};
use super::setup::Ready;
use crate::cgroup::{Group, Layout};
use crate::error::SandboxError;
use crate::oci;
use crate::spec::{ContainerInfo, ContainerSpec, ExecSpec, Exit};
use crate::wire::Setup;
use crate::{capabilities, seccomp};

/// A container, created, running or ended.
pub(super) struct Container {
    pub(super) spec: ContainerSpec,
    pub(super) info: ContainerInfo,
    pub(super) outputs: Outputs,
    /// The writing end of its standard input, or its terminal.
    pub(super) stdin: Option<OwnedFd>,
    pub(super) group: Group,
    folder: PathBuf,
    mounted: Option<Mounted>,
    capabilities: Vec<Capability>,
    no_new_privs: bool,
}

/// The surroundings of all containers of the sandbox.
pub(super) struct Surroundings<'a> {
    pub(super) folder: &'a Path,
    pub(super) setup: &'a Setup,
    pub(super) ready: &'a Ready,
}

impl Surroundings<'_> {
    fn cgroup(&self, id: &str) -> PathBuf {
        Path::new("/")
            .join(&self.setup.cgroup_parent)
            .join(&self.setup.spec.cgroup)
            .join(id)
    }

    fn unified(&self) -> bool {
        matches!(self.ready.layout, Layout::Two { .. })
    }

    fn context<'a>(
        &'a self,
        cgroup: &'a Path,
        mounted: &'a Mounted,
        capabilities: &'a [Capability],
        uid: u32,
    ) -> oci::Context<'a> {
        oci::Context {
            rootfs: &mounted.rootfs,
            cgroup,
            pid_namespace: self.ready.pid_namespace.clone(),
            host_pid: self.setup.spec.host_pid,
            shm: &self.ready.shm,
            sources: &mounted.sources,
            capabilities,
            whole: self.setup.runc.is_some(),
            unified: self.unified(),
            groups: self.ready.layout.group(cgroup).shown(&self.ready.layout),
            home: rootfs::home(&mounted.rootfs, uid),
        }
    }

    /// True if the end of a container's first process is not the end of all of them.
    fn shares_pids(&self) -> bool {
        self.setup.spec.host_pid || self.ready.pid_namespace.is_some()
    }
}

impl Container {
    /// Creates it: everything but the program runs.
    pub(super) fn create(spec: ContainerSpec, around: &Surroundings<'_>) -> Result<Container, SandboxError> {
        let folder = around.folder.join("containers").join(&spec.id);
        let cgroup = around.cgroup(&spec.id);
        let held = caps::read(None, CapSet::Permitted)
            .map_err(|error| SandboxError::runtime("reading capabilities", error))?;
        let mut capabilities = capabilities::resolve(spec.privileged, &spec.capabilities, &held)?;
        // Version 2 has no device controller without a program in BPF: who can make no device node, and whose root
        // holds none, needs none.
        let nodev = around.unified() && !spec.privileged;
        if nodev {
            capabilities.retain(|one| *one != Capability::CAP_MKNOD);
        }
        let mut container = Container {
            info: ContainerInfo {
                id: spec.id.clone(),
                labels: spec.labels.clone(),
                pid: None,
                created_at: SystemTime::now(),
                started_at: None,
                exit: None,
                upper: None,
            },
            no_new_privs: !spec.privileged && !spec.allow_privilege_escalation,
            spec,
            outputs: Outputs::default(),
            stdin: None,
            group: around.ready.layout.group(&cgroup),
            folder,
            mounted: None,
            capabilities,
        };
        // What is left of one that could not be removed would be mistaken for this one's.
        let _ = fs::remove_dir_all(&container.folder);
        rootfs::make(&container.folder)?;
        match container.make(around, &cgroup, nodev) {
            Ok(()) => Ok(container),
            Err(error) => {
                container.release();
                let _ = fs::remove_dir_all(&container.folder);
                Err(error)
            }
        }
    }

    fn make(&mut self, around: &Surroundings<'_>, cgroup: &Path, nodev: bool) -> Result<(), SandboxError> {
        let run = self.run(None)?;
        let log = self
            .spec
            .log
            .as_ref()
            .map(Log::open)
            .transpose()
            .map_err(|error| SandboxError::runtime("opening the container's log", error))?;
        let mounted = rootfs::prepare(&self.folder, &self.spec, nodev)?;
        self.info.upper.clone_from(&mounted.upper);
        let mounted = self.mounted.insert(mounted);
        let rules = oci::device_rules(&self.spec)?;
        self.group
            .create(&around.ready.layout, true)
            .and_then(|()| self.group.limit(&self.spec.resources))
            .and_then(|()| self.group.die_together())
            .and_then(|()| self.group.restrict_devices(&rules))
            .map_err(|error| SandboxError::runtime("making the container's cgroup", error))?;
        let config = oci::config(
            &self.spec,
            &around.context(cgroup, mounted, &self.capabilities, self.spec.user.uid),
        )?;
        let (stdio, ends) = streams(&self.spec)?;
        let made = self.place(around).create(&config, run, stdio)?;
        score(made.pid, self.spec.oom_score_adj);
        self.info.pid = Some(made.pid);
        self.connect(made, ends, log)
            .map_err(|error| SandboxError::runtime("connecting the container's streams", error))
    }

    fn connect(&mut self, made: Made, ends: Ends, log: Option<Log>) -> std::io::Result<()> {
        let sources = match made.terminal {
            Some(terminal) => {
                self.stdin = Some(rustix::io::fcntl_dupfd_cloexec(&terminal, 3)?);
                vec![(Stream::Out, terminal)]
            }
            None => {
                self.stdin = ends.stdin;
                [(Stream::Out, ends.stdout), (Stream::Err, ends.stderr)]
                    .into_iter()
                    .filter_map(|(stream, end)| Some((stream, end?)))
                    .collect()
            }
        };
        self.outputs = Outputs::new(sources, log)?;
        Ok(())
    }

    fn place<'a>(&'a self, around: &'a Surroundings<'_>) -> Place<'a> {
        Place {
            id: &self.spec.id,
            folder: &self.folder,
            runc: around.setup.runc.as_deref(),
        }
    }

    fn run(&self, exec: Option<&ExecSpec>) -> Result<Run, SandboxError> {
        let filters = if self.spec.privileged {
            Vec::new()
        } else {
            seccomp::filters(&self.spec.seccomp, &self.capabilities)?
        };
        Ok(Run {
            capabilities: self.capabilities.clone(),
            filters,
            no_new_privs: self.no_new_privs,
            cwd: oci::cwd(&self.spec, exec),
        })
    }

    pub(super) fn start(&mut self, around: &Surroundings<'_>) -> Result<(), SandboxError> {
        if self.info.started_at.is_some() || self.info.pid.is_none() {
            return Err(self.state("has been started"));
        }
        self.place(around).start()?;
        self.info.started_at = Some(SystemTime::now());
        Ok(())
    }

    /// Starts another process in it.
    pub(super) fn exec(
        &mut self,
        number: u64,
        spec: &ExecSpec,
        mut fds: Vec<OwnedFd>,
        around: &Surroundings<'_>,
    ) -> Result<Made, SandboxError> {
        if self.info.started_at.is_none() || self.info.pid.is_none() {
            return Err(self.state("is not running"));
        }
        if spec.args.is_empty() {
            return Err(SandboxError::Invalid("no command specified".to_owned()));
        }
        let Some(mounted) = &self.mounted else {
            return Err(self.state("is not running"));
        };
        let stdio = if spec.tty {
            Stdio3::Terminal
        } else {
            let stdin = (spec.stdin && fds.len() == 3).then(|| fds.remove(0));
            let mut rest = fds.into_iter();
            Stdio3::Streams {
                stdin,
                stdout: rest.next(),
                stderr: rest.next(),
            }
        };
        let cgroup = around.cgroup(&self.spec.id);
        let uid = oci::uid(&self.spec, Some(spec));
        let context = around.context(&cgroup, mounted, &self.capabilities, uid);
        let process = oci::process(&self.spec, Some(spec), &context);
        let made = self
            .place(around)
            .exec(number, &process, self.run(Some(spec))?, stdio)?;
        score(made.pid, self.spec.oom_score_adj);
        Ok(made)
    }

    pub(super) fn kill(&self, signal: i32, all: bool) -> Result<(), SandboxError> {
        let signal = Signal::from_named_raw(signal)
            .ok_or_else(|| SandboxError::Invalid(format!("there is no signal {signal}")))?;
        if all {
            if signal == Signal::KILL {
                self.group.kill();
            } else {
                self.group.signal(signal);
            }
            return Ok(());
        }
        let pid = self.info.pid.and_then(|pid| Pid::from_raw(pid as i32));
        match pid {
            // It is the shim's child and not reaped, so the number is still its own.
            Some(pid) => {
                kill_process(pid, signal).map_err(|error| SandboxError::runtime("sending the signal", error))
            }
            None => Err(self.state("is not running")),
        }
    }

    /// Its first process has ended.
    pub(super) fn ended(&mut self, status: Status, around: &Surroundings<'_>, buffer: &mut [u8]) -> Exit {
        if around.shares_pids() {
            self.group.kill();
        }
        self.outputs
            .finish(buffer, SystemTime::now(), std::time::Instant::now());
        self.stdin = None;
        self.info.pid = None;
        let exit = Exit {
            at: SystemTime::now(),
            code: status.code(),
            signal: status.signal,
            oom_killed: self.group.oom_kills() > 0,
        };
        self.info.exit = Some(exit);
        exit
    }

    /// Gives back what it holds of the machine; its folder stays.
    pub(super) fn release(&mut self) {
        self.group.kill();
        // What the kernel still holds is tried again when the sandbox is stopped.
        let _ = self.group.remove();
        if let Some(mounted) = self.mounted.take() {
            rootfs::release(&mounted);
        }
    }

    pub(super) fn state(&self, state: &str) -> SandboxError {
        SandboxError::State {
            id: self.spec.id.clone(),
            state: state.to_owned(),
        }
    }
}

/// How a process ended, as wait(2) says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Status {
    pub(super) exit: Option<i32>,
    pub(super) signal: Option<i32>,
}

impl Status {
    pub(super) fn code(self) -> i32 {
        match (self.exit, self.signal) {
            (Some(code), _) => code,
            (None, Some(signal)) => 128 + signal,
            (None, None) => 255,
        }
    }
}

/// The shim's ends of a container's pipes.
#[derive(Default)]
struct Ends {
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

fn streams(spec: &ContainerSpec) -> Result<(Stdio3, Ends), SandboxError> {
    if spec.tty {
        return Ok((Stdio3::Terminal, Ends::default()));
    }
    let pipe =
        || pipe_with(PipeFlags::CLOEXEC).map_err(|error| SandboxError::runtime("making a pipe", error));
    let (out_reader, out_writer) = pipe()?;
    let (err_reader, err_writer) = pipe()?;
    let (stdin, stdin_writer) = if spec.stdin {
        let (reader, writer) = pipe()?;
        (Some(reader), Some(writer))
    } else {
        (None, None)
    };
    Ok((
        Stdio3::Streams {
            stdin,
            stdout: Some(out_writer),
            stderr: Some(err_writer),
        },
        Ends {
            stdin: stdin_writer,
            stdout: Some(out_reader),
            stderr: Some(err_reader),
        },
    ))
}

/// How willingly the kernel kills it. Lowering needs CAP_SYS_RESOURCE: without it the score stays what it is.
fn score(pid: u32, adjustment: Option<i32>) {
    if let Some(adjustment) = adjustment {
        let _ = fs::write(
            format!("/proc/{pid}/oom_score_adj"),
            adjustment.clamp(-1000, 1000).to_string(),
        );
    }
}
