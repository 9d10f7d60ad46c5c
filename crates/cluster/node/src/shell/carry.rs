//! Carries effects out: each is one future, whose outcome the engine takes as an input.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use deploy_sandbox::{ExecSpec, Sandbox, SandboxError, SandboxSpec, Tmpfs};
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::container::{Made, Making, of_limits};
use super::events::field;
use super::ground::{Ground, Place};
use super::last_words;
use super::source::Ask;
use crate::environment::files::PodFiles;
use crate::environment::hosts;
use crate::limits;
use crate::pod::{CreateError, Effect, Exit, Hook, Input, Pod, SandboxUp, VolumeFailure, resources};
use crate::probe::run::{self, Ran};
use crate::probe::{Action, Outcome, Probe};
use crate::volumes::FAILED_MOUNT;
use crate::volumes::mounts::Prepared;

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

/// One pod, and what it stands on.
#[derive(Clone)]
pub(super) struct Carrier {
    pub ground: Arc<Ground>,
    pub place: Arc<Place>,
    pub pod: Arc<Pod>,
    /// Empty while it has none.
    pub address: String,
}

impl Carrier {
    /// What came of an effect, where something can.
    pub async fn carry(self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::PrepareVolumes => Some(Input::Volumes(self.volumes().await)),
            Effect::CreateSandbox => {
                let made = self.sandbox().await;
                Some(Input::Sandbox(made))
            }
            Effect::EnsureImage { container } => Some(self.image(container).await),
            Effect::Create {
                container,
                id,
                attempt,
            } => {
                let result = self.create(&container, &id, attempt).await;
                Some(Input::Created { id, result })
            }
            Effect::Start { id } => {
                let result = self.start(&id).await;
                Some(Input::Started { id, result })
            }
            Effect::Hook { container, id, hook } => {
                let result = self.hook(&container, &id, hook).await;
                Some(Input::Hook { id, hook, result })
            }
            Effect::Probe {
                container,
                id,
                kind,
                probe,
            } => {
                let outcome = self.probe(&container, &id, &probe).await;
                Some(Input::Probed { id, kind, outcome })
            }
            Effect::Terminate { id, signal } => {
                self.kill(&id, number(&signal), false).await;
                None
            }
            Effect::Kill { id } => {
                self.kill(&id, SIGKILL, true).await;
                None
            }
            Effect::Remove { id } => {
                self.remove(&id).await;
                None
            }
            Effect::Clean => Some(Input::Cleaned(self.clean().await)),
            // These are the worker's own.
            Effect::Delete | Effect::Event { .. } => None,
        }
    }

    fn sandbox_now(&self) -> Result<Sandbox, SandboxError> {
        let lost = || SandboxError::Lost("it has ended".to_owned());
        self.place.sandbox().filter(Sandbox::alive).ok_or_else(lost)
    }

    async fn volumes(&self) -> Result<(), VolumeFailure> {
        match self.prepare().await {
            Ok(_) => Ok(()),
            Err(mut messages) => {
                let message = messages.pop().unwrap_or_default();
                for message in messages {
                    self.ground
                        .recorder
                        .tell(&self.pod.object, "", true, FAILED_MOUNT, &message);
                }
                Err(VolumeFailure {
                    reason: FAILED_MOUNT,
                    message,
                })
            }
        }
    }

    /// Makes the volumes, or brings them up to date.
    pub async fn prepare(&self) -> Result<Arc<Prepared>, Vec<String>> {
        let prepared = self.ground.volumes.prepare(self.pod.object.clone()).await;
        let prepared =
            prepared.map_err(|errors| errors.into_iter().map(|error| error.message).collect::<Vec<_>>())?;
        let prepared = Arc::new(prepared);
        self.place.lock().prepared = Some(prepared.clone());
        Ok(prepared)
    }

    /// The volumes as they are; after a restart they are looked at again first.
    async fn prepared(&self) -> Result<Arc<Prepared>, CreateError> {
        let known = self.place.lock().prepared.clone();
        match known {
            Some(known) => Ok(known),
            None => self
                .prepare()
                .await
                .map_err(|errors| CreateError::Config(errors.join(", "))),
        }
    }

    async fn sandbox(&self) -> Result<SandboxUp, String> {
        let _turn = self
            .ground
            .starts
            .acquire()
            .await
            .map_err(|error| error.to_string())?;
        let object = &*self.pod.object;
        let attachment = match self.pod.host_network {
            true => None,
            false => {
                let attached = self.ground.network.attach(&self.pod.uid).await;
                Some(attached.map_err(|error| format!("failed to set up the network of the pod: {error}"))?)
            }
        };
        let address = attachment
            .as_ref()
            .map(|attachment| attachment.address.to_string())
            .unwrap_or_default();
        self.remember()
            .await
            .map_err(|error| format!("failed to write the record of the pod: {error}"))?;
        let names = hosts::names(object, &self.ground.dns.domain).map_err(|error| error.to_string())?;
        let prepared = self.place.lock().prepared.clone();
        let tmpfs = prepared
            .iter()
            .flat_map(|prepared| &prepared.tmpfs)
            .map(|tmpfs| Tmpfs {
                path: tmpfs.path.clone(),
                size: tmpfs.size_bytes,
                mode: tmpfs.mode,
                gid: tmpfs.group,
            });
        let sysctls = object["spec"]["securityContext"]["sysctls"]
            .as_array()
            .into_iter()
            .flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let labels = [
            ("namespace", self.pod.namespace.as_str()),
            ("name", self.pod.name.as_str()),
            ("uid", self.pod.uid.as_str()),
            ("address", address.as_str()),
        ];
        let spec = SandboxSpec {
            id: self.pod.uid.clone(),
            hostname: (!self.pod.host_network).then_some(names.nodename),
            network: attachment.map(|attachment| attachment.netns),
            host_pid: object["spec"]["hostPID"] == true,
            host_ipc: object["spec"]["hostIPC"] == true,
            share_pids: object["spec"]["shareProcessNamespace"] == true,
            cgroup: resources::cgroup(object, &self.pod.uid),
            resources: of_limits(resources::of_pod(object)),
            tmpfs: tmpfs.collect(),
            sysctls: sysctls
                .map(|sysctl| (text(&sysctl["name"]), text(&sysctl["value"])))
                .collect(),
            labels: labels
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        };
        // What is left of one that has died under us.
        let before = self.place.lock().sandbox.take();
        if let Some(before) = before {
            before.stop().await.ok();
        }
        let sandbox = self
            .ground
            .sandboxes
            .create(spec)
            .await
            .map_err(|error| error.to_string())?;
        self.place.lock().sandbox = Some(sandbox);
        Ok(SandboxUp { address })
    }

    /// The object lies beside its volumes, for a server that comes back and does not find it any more.
    async fn remember(&self) -> io::Result<()> {
        let path = self.ground.volumes.folder(&self.pod.uid).join(POD_RECORD);
        let bytes = serde_json::to_vec(&*self.pod.object)?;
        blocking(move || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(path, bytes)
        })
        .await?
    }

    async fn image(&self, container: String) -> Input {
        let spec = self.pod.container(&container).map(|container| &container.spec);
        let text = |name: &str| {
            spec.and_then(|spec| spec[name].as_str())
                .unwrap_or_default()
                .to_owned()
        };
        let ask = Ask {
            pod: self.pod.object.clone(),
            image: text("image"),
            policy: text("imagePullPolicy"),
        };
        let about = field(&self.pod.object, &container);
        let tell = |reason: &str, message: &str, warning: bool| {
            self.ground
                .recorder
                .tell(&self.pod.object, &about, warning, reason, message);
        };
        let result = self.ground.images.ensure(&ask, &tell).await;
        let result = result.map(|image| {
            let facts = image.facts.clone();
            self.place.lock().images.insert(container.clone(), image);
            facts
        });
        Input::Image { container, result }
    }

    async fn create(&self, name: &str, id: &str, attempt: u32) -> Result<Value, CreateError> {
        let runtime = |error: SandboxError| CreateError::Runtime(error.to_string());
        let sandbox = self.sandbox_now().map_err(runtime)?;
        let prepared = self.prepared().await?;
        let image = self.place.lock().images.get(name).cloned();
        let image =
            image.ok_or_else(|| CreateError::Runtime("the image is not there any more".to_owned()))?;
        let _turn = self
            .ground
            .starts
            .acquire()
            .await
            .map_err(|error| CreateError::Runtime(error.to_string()))?;
        let (carrier, owned, shim) = (self.clone(), (name.to_owned(), id.to_owned()), sandbox.pid());
        let made = blocking(move || {
            let log = carrier.ground.log_path(&carrier.pod, &owned.0, attempt);
            if let Some(folder) = log.parent() {
                std::fs::create_dir_all(folder).map_err(|error| CreateError::Runtime(error.to_string()))?;
            }
            let making = Making {
                ground: &carrier.ground,
                pod: &carrier.pod,
                name: &owned.0,
                id: &owned.1,
                attempt,
                image: &image,
                prepared: &prepared,
                shim,
                address: &carrier.address,
            };
            making.make()
        });
        let Made { spec, user, warnings } = made
            .await
            .map_err(|error| CreateError::Runtime(error.to_string()))??;
        for warning in warnings {
            self.ground
                .recorder
                .tell(&self.pod.object, "", true, "DNSConfigForming", &warning);
        }
        match sandbox.create_container(spec).await {
            Ok(_) => Ok(user),
            Err(SandboxError::Program(error)) => {
                self.place.lock().doomed.insert(id.to_owned(), error);
                Ok(user)
            }
            Err(error) => Err(runtime(error)),
        }
    }

    async fn start(&self, id: &str) -> Result<Timestamp, String> {
        if let Some(error) = self.place.lock().doomed.remove(id) {
            return Err(error);
        }
        let _turn = self
            .ground
            .starts
            .acquire()
            .await
            .map_err(|error| error.to_string())?;
        let sandbox = self.sandbox_now().map_err(|error| error.to_string())?;
        sandbox.start(id).await.map_err(|error| error.to_string())?;
        let started = sandbox.container(id).and_then(|info| info.started_at);
        Ok(started.map_or_else(Timestamp::now, stamp))
    }

    /// Waits for a command in a container.
    async fn run(&self, id: &str, command: &[String], within: Duration) -> Ran {
        let spec = ExecSpec {
            args: command.to_vec(),
            ..ExecSpec::default()
        };
        let started = match self.sandbox_now() {
            Ok(sandbox) => sandbox.exec(id, spec).await,
            Err(error) => Err(error),
        };
        let mut exec = match started {
            Ok(exec) => exec,
            // As a command that is not there: exit code 127 or 126 says no more.
            Err(SandboxError::Program(error)) => return Ran::Exited(127, error),
            Err(error) => return Ran::Failed(error.to_string()),
        };
        let (mut said, mut complained) = (Vec::new(), Vec::new());
        let (stdout, stderr) = (exec.stdout.take(), exec.stderr.take());
        let outcome = timeout(within, async {
            let read = async { tokio::join!(drain(stdout, &mut said), drain(stderr, &mut complained)) };
            let (mut read, exit) = (std::pin::pin!(read), exec.wait());
            let mut exit = std::pin::pin!(exit);
            let exit = tokio::select! {
                exit = &mut exit => {
                    // What it has left running may hold its output open for ever.
                    timeout(limits::OUTPUT_AFTER_EXIT, read).await.ok();
                    exit
                }
                _ = &mut read => exit.await,
            };
            exit.map(|exit| exit.code)
        })
        .await;
        let output = || [&said[..], &complained[..]].map(String::from_utf8_lossy).concat();
        match outcome {
            Ok(Ok(code)) => Ran::Exited(code, output()),
            Ok(Err(error)) => Ran::Failed(error.to_string()),
            Err(_) => {
                exec.kill(SIGKILL).await.ok();
                Ran::Late
            }
        }
    }

    async fn hook(&self, name: &str, id: &str, hook: Hook) -> Result<(), String> {
        let container = self
            .pod
            .container(name)
            .map(|container| &container.spec)
            .unwrap_or(&Value::Null);
        let (which, within) = match hook {
            Hook::PostStart => ("postStart", limits::POST_START_MAX),
            Hook::PreStop => {
                let grace = self.pod.deletion.unwrap_or(self.pod.grace_seconds);
                (
                    "preStop",
                    Duration::from_secs(u64::try_from(grace).unwrap_or_default()),
                )
            }
        };
        let Some(action) = Action::read(&container["lifecycle"][which]) else {
            return Err("invalid handler".to_owned());
        };
        if let Action::Exec(command) = &action {
            return match self.run(id, command, within).await {
                Ran::Exited(0, _) => Ok(()),
                Ran::Exited(code, output) => Err(format!(
                    "command '{}' exited with {code}: {output}",
                    command.join(" ")
                )),
                Ran::Late => Err(format!("command '{}' timed out", command.join(" "))),
                Ran::Failed(error) => Err(error),
            };
        }
        let ran = run::hook(&action, container, &self.address, within).await;
        ran.unwrap_or_else(|| Err("invalid handler".to_owned()))
    }

    async fn probe(&self, name: &str, id: &str, probe: &Probe) -> Outcome {
        let container = self
            .pod
            .container(name)
            .map(|container| &container.spec)
            .unwrap_or(&Value::Null);
        let mut outcome = Outcome::Error("nobody was asked".to_owned());
        for _ in 0..limits::PROBE_RETRIES {
            outcome = match &probe.action {
                Action::Exec(command) => {
                    run::exec_outcome(command, self.run(id, command, probe.timeout).await)
                }
                action => {
                    let asked = run::ask(action, container, &self.address, probe.timeout).await;
                    asked.unwrap_or_else(|| Outcome::Error("nobody was asked".to_owned()))
                }
            };
            if !matches!(outcome, Outcome::Error(_)) {
                break;
            }
        }
        outcome
    }

    async fn kill(&self, id: &str, signal: i32, all: bool) {
        // A container that is gone already has what it was sent.
        if let Ok(sandbox) = self.sandbox_now() {
            sandbox.kill(id, signal, all).await.ok();
        }
    }

    /// Of an attempt before the last only its log is kept, of those before nothing.
    async fn remove(&self, id: &str) {
        if let Ok(sandbox) = self.sandbox_now() {
            sandbox.remove(id).await.ok();
        }
        let Some((name, number)) = id
            .rsplit_once('.')
            .and_then(|(name, n)| Some((name, n.parse::<u32>().ok()?)))
        else {
            return;
        };
        let files = PodFiles::new(&self.ground.volumes.folder(&self.pod.uid));
        let older = number
            .checked_sub(1)
            .map(|older| self.ground.log_path(&self.pod, name, older));
        let name = name.to_owned();
        let forgotten = blocking(move || {
            files.forget(&name, number);
            if let Some(older) = older {
                remove_log(&older);
            }
        });
        forgotten.await.ok();
    }

    async fn clean(&self) -> Result<(), String> {
        let sandbox = self.place.lock().sandbox.take();
        if let Some(sandbox) = sandbox
            && let Err(error) = sandbox.stop().await
        {
            self.place.lock().sandbox = Some(sandbox);
            return Err(error.to_string());
        }
        self.ground
            .network
            .detach(&self.pod.uid)
            .await
            .map_err(|error| error.to_string())?;
        self.ground
            .volumes
            .remove(&self.pod.uid)
            .await
            .map_err(|error| error.to_string())?;
        self.place.lock().prepared = None;
        Ok(())
    }

    /// How a container has ended, with its last words.
    pub async fn exit(&self, id: &str, exit: deploy_sandbox::Exit) -> Input {
        Input::Exited {
            id: id.to_owned(),
            exit: self.exited(id, exit).await,
        }
    }

    /// The same, for those who have no engine yet.
    pub async fn exited(&self, id: &str, exit: deploy_sandbox::Exit) -> Exit {
        let (name, number) = id.rsplit_once('.').unwrap_or((id, "0"));
        let number: u32 = number.parse().unwrap_or_default();
        let container = self
            .pod
            .container(name)
            .map(|container| &container.spec)
            .unwrap_or(&Value::Null);
        let fallback = container["terminationMessagePolicy"] == "FallbackToLogsOnError" && exit.code != 0;
        let files = PodFiles::new(&self.ground.volumes.folder(&self.pod.uid));
        let log = self.ground.log_path(&self.pod, name, number);
        let owned = name.to_owned();
        let message = blocking(move || {
            let told = files.last_words(&owned, number);
            told.or_else(|| fallback.then(|| last_words::from_log(&log)))
                .unwrap_or_default()
        });
        Exit {
            code: exit.code,
            reason: if exit.oom_killed {
                "OOMKilled".to_owned()
            } else {
                String::new()
            },
            message: message.await.unwrap_or_default(),
            at: stamp(exit.at),
        }
    }
}

/// The pod object, in the folder of its volumes.
pub(super) const POD_RECORD: &str = "pod.json";

/// The log of an attempt, with those that it was rotated into.
fn remove_log(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return;
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry
            .file_name()
            .to_str()
            .is_some_and(|found| found.starts_with(name))
        {
            std::fs::remove_file(entry.path()).ok();
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

/// The first bytes of what a command says; the rest is read and forgotten, so that it is not stopped by us.
async fn drain(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut stream) = stream else {
        return;
    };
    let mut buffer = vec![0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        let room = limits::PROBE_BODY_BYTES_MAX.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..length.min(room)]);
    }
}

pub(super) fn stamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`; SIGTERM for what is none.
pub(super) fn number(signal: &str) -> i32 {
    if let Ok(number) = signal.parse() {
        return number;
    }
    let name = signal.strip_prefix("SIG").unwrap_or(signal);
    if let Some(above) = name
        .strip_prefix("RTMIN+")
        .and_then(|above| above.parse::<i32>().ok())
    {
        return 34 + above.clamp(0, 30);
    }
    let known = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ABRT", 6),
        ("KILL", 9),
        ("USR1", 10),
        ("USR2", 12),
        ("ALRM", 14),
        ("TERM", 15),
        ("CONT", 18),
        ("STOP", 19),
        ("WINCH", 28),
        ("PWR", 30),
    ];
    known
        .iter()
        .find(|(known, _)| *known == name)
        .map_or(SIGTERM, |(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn signals_have_names_and_numbers() {
        for (text, expected) in [
            ("", 15),
            ("SIGQUIT", 3),
            ("INT", 2),
            ("10", 10),
            ("SIGRTMIN+3", 37),
            ("x", 15),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }
}
