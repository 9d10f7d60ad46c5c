//! The end of a node whose server has stopped: its pods get their hooks, their signals and their grace, as if their
//! objects had gone, and nobody is told. The objects stay: what starts next runs them again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deploy_sandbox::{Event, ExecSpec, Sandbox, Sandboxes};
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::carry::{POD_RECORD, number, stamp};
use crate::limits;
use crate::pod::{Effect, Engine, Exit, Found, ImageFacts, Input, Pod, Survivor};
use crate::probe::{Action, run};

const SIGKILL: i32 = 9;

/// How far the end of the pods is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retiring {
    /// So many pods are asked to end, and the longest of them may take so long.
    Begun {
        /// Pods.
        pods: usize,
        /// Of all their graces, never more than the caller allows.
        longest: Duration,
    },
    /// A pod has ended; so many have not.
    Ended {
        /// `namespace/name`
        pod: String,
        /// Pods that still run.
        left: usize,
    },
    /// So many pods have not ended in time.
    Late {
        /// Pods that still run.
        left: usize,
    },
}

/// Ends the pods of the node in `folder` as their manifests want it, none of them with more grace than `longest`. What
/// does not end, and what is left of all, is for [`Sandboxes::sweep`].
pub async fn retire(sandboxes: &Sandboxes, folder: &Path, longest: Duration, tell: &mut dyn FnMut(Retiring)) {
    let mut pods = Vec::new();
    for sandbox in sandboxes.adopt().await {
        // Without its record nobody knows how it wants to end.
        if let Some(object) = recorded(folder.join("pods").join(sandbox.id()), longest).await {
            pods.push(Retired::new(sandbox, object));
        }
    }
    if pods.is_empty() {
        return;
    }
    let grace = |pod: &Retired| Duration::from_secs(pod.pod.grace_seconds.try_into().unwrap_or(0));
    let wanted = pods.iter().map(grace).max().unwrap_or_default();
    let mut left = pods.len();
    tell(Retiring::Begun {
        pods: left,
        longest: wanted,
    });
    let mut ending = JoinSet::new();
    for pod in pods {
        ending.spawn(pod.end());
    }
    let all = async {
        while let Some(ended) = ending.join_next().await {
            left -= 1;
            if let Ok(pod) = ended {
                tell(Retiring::Ended { pod, left });
            }
        }
    };
    if timeout(wanted + limits::RETIRE_AFTER_GRACE, all).await.is_err() {
        ending.shutdown().await;
        tell(Retiring::Late { left });
    }
}

/// The object of a pod as its worker has left it, with no more grace than this.
async fn recorded(folder: PathBuf, longest: Duration) -> Option<Arc<Value>> {
    let read = tokio::task::spawn_blocking(move || std::fs::read(folder.join(POD_RECORD)));
    let text = read.await.ok()?.ok()?;
    let mut object: Value = serde_json::from_slice(&text).ok()?;
    let longest = i64::try_from(longest.as_secs()).unwrap_or(i64::MAX);
    let places = [
        ("spec", "terminationGracePeriodSeconds"),
        ("metadata", "deletionGracePeriodSeconds"),
    ];
    for (part, field) in places {
        if let Some(seconds) = object[part][field].as_i64() {
            object[part][field] = seconds.min(longest).into();
        }
    }
    Some(Arc::new(object))
}

/// One pod that ends.
struct Retired {
    sandbox: Sandbox,
    pod: Arc<Pod>,
    address: String,
}

impl Retired {
    fn new(sandbox: Sandbox, object: Arc<Value>) -> Retired {
        Retired {
            address: sandbox.labels().get("address").cloned().unwrap_or_default(),
            pod: Arc::new(Pod::read(&object)),
            sandbox,
        }
    }

    /// Ends it; how it is called.
    async fn end(self) -> String {
        let now = Timestamp::now();
        let mut engine = Engine::new((*self.pod).clone(), &self.address, now);
        let mut events = self.sandbox.events();
        engine.restore(Some(self.survivor()), now);
        let mut running: JoinSet<Option<Input>> = JoinSet::new();
        let mut input = Input::Gone;
        loop {
            for effect in engine.step(input, Timestamp::now()) {
                self.carry(effect, &mut running);
            }
            if engine.is_over() {
                return format!("{}/{}", self.pod.namespace, self.pod.name);
            }
            let wake = engine.wake();
            input = tokio::select! {
                Some(done) = running.join_next() => done.ok().flatten().unwrap_or(Input::Tick),
                event = events.next() => match event {
                    Some(Event::Exited { container, exit }) => exited(container, exit),
                    Some(Event::Started { .. } | Event::Missed) => Input::Tick,
                    // Whatever was in it is gone with it.
                    Some(Event::Lost) | None => {
                        self.sandbox.stop().await.ok();
                        return format!("{}/{}", self.pod.namespace, self.pod.name);
                    }
                },
                () = sleep(wake) => Input::Tick,
            };
        }
    }

    fn survivor(&self) -> Survivor {
        let found = self.sandbox.containers().into_iter().map(|info| {
            let label = |name: &str| info.labels.get(name).cloned().unwrap_or_default();
            Found {
                since: info.started_at.map(stamp),
                exit: info.exit.map(ended),
                image: ImageFacts {
                    name: label("image"),
                    id: label("image-id"),
                    stop_signal: label("stop-signal"),
                },
                id: info.id,
            }
        });
        Survivor {
            address: self.address.clone(),
            containers: found.collect(),
        }
    }

    /// Only what belongs to an end is done: nothing is started, asked or told any more.
    fn carry(&self, effect: Effect, running: &mut JoinSet<Option<Input>>) {
        let sandbox = self.sandbox.clone();
        match effect {
            Effect::Terminate { id, signal } => {
                running.spawn(async move {
                    sandbox.kill(&id, number(&signal), false).await.ok();
                    None
                });
            }
            Effect::Kill { id } => {
                running.spawn(async move {
                    sandbox.kill(&id, SIGKILL, true).await.ok();
                    None
                });
            }
            Effect::Hook { container, id, hook } => {
                let (pod, address) = (self.pod.clone(), self.address.clone());
                running.spawn(async move {
                    let result = pre_stop(&sandbox, &pod, &container, &id, &address).await;
                    Some(Input::Hook { id, hook, result })
                });
            }
            Effect::Clean => {
                running.spawn(async move {
                    let stopped = sandbox.stop().await;
                    Some(Input::Cleaned(stopped.map_err(|error| error.to_string())))
                });
            }
            _ => {}
        }
    }
}

/// Runs the hook of a container; what it says is heard by nobody.
async fn pre_stop(sandbox: &Sandbox, pod: &Pod, name: &str, id: &str, address: &str) -> Result<(), String> {
    let container = pod
        .container(name)
        .map_or(&Value::Null, |container| &container.spec);
    let within = Duration::from_secs(pod.grace_seconds.try_into().unwrap_or(0));
    let Some(action) = Action::read(&container["lifecycle"]["preStop"]) else {
        return Err("invalid handler".to_owned());
    };
    let Action::Exec(command) = &action else {
        let ran = run::hook(&action, container, address, within).await;
        return ran.unwrap_or_else(|| Err("invalid handler".to_owned()));
    };
    let spec = ExecSpec {
        args: command.clone(),
        ..ExecSpec::default()
    };
    let mut exec = sandbox.exec(id, spec).await.map_err(|error| error.to_string())?;
    let (mut stdout, mut stderr) = (exec.stdout.take(), exec.stderr.take());
    let heard = async {
        let (mut sink, mut other) = (tokio::io::sink(), tokio::io::sink());
        let one = async {
            if let Some(stream) = &mut stdout {
                tokio::io::copy(stream, &mut sink).await.ok();
            }
        };
        let two = async {
            if let Some(stream) = &mut stderr {
                tokio::io::copy(stream, &mut other).await.ok();
            }
        };
        tokio::join!(one, two);
        // What it has left running may hold them open; it has ended when it says so.
        std::future::pending::<()>().await;
    };
    let ended = timeout(within, async {
        tokio::select! {
            ended = exec.wait() => ended.map_err(|error| error.to_string()),
            () = heard => Err("it is never over".to_owned()),
        }
    });
    match ended.await {
        Ok(Ok(exit)) if exit.code == 0 => Ok(()),
        Ok(Ok(exit)) => Err(format!("exited with {}", exit.code)),
        Ok(Err(error)) => Err(error),
        Err(_) => {
            exec.kill(SIGKILL).await.ok();
            Err("timed out".to_owned())
        }
    }
}

fn exited(id: String, exit: deploy_sandbox::Exit) -> Input {
    Input::Exited {
        id,
        exit: ended(exit),
    }
}

fn ended(exit: deploy_sandbox::Exit) -> Exit {
    Exit {
        code: exit.code,
        reason: String::new(),
        message: String::new(),
        at: stamp(exit.at),
    }
}

async fn sleep(until: Option<Timestamp>) {
    match until {
        Some(until) => {
            let wait = Duration::try_from(until.duration_since(Timestamp::now()));
            tokio::time::sleep(wait.unwrap_or_default()).await;
        }
        None => std::future::pending().await,
    }
}
