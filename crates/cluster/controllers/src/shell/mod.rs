//! The shell: wakes controllers when something changes, and carries out what they decide.

mod carry;
mod events;
mod everything;
mod queue;

use std::collections::BTreeMap;
use std::sync::Arc;

use deploy_cluster_api::api::Api;
use deploy_cluster_api::client::{self, Changes, ChangesEnd, Client};
use deploy_cluster_api::identity::UserInfo;
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::carry::{Carrier, id};
use self::events::Recorder;
use self::everything::Everything;
use self::queue::Queue;
use crate::controller::{Change, Controller, Look, Watch};
use crate::kind::Kind;
use crate::view::{Sightings, View};
use crate::{namespace, quota};

/// The controllers that run in this process.
pub struct Controllers {
    queues: Vec<Arc<Queue>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// One controller at work.
struct Running {
    controller: &'static Controller,
    queue: Arc<Queue>,
    carrier: Arc<Carrier>,
    /// Who was seen alive.
    sightings: Arc<Sightings>,
}

/// Whoever is woken by a resource: the place of the controller, and its watch.
type Listeners = Vec<(usize, &'static Watch)>;

impl Controllers {
    /// Starts all controllers. They look at everything once, and from then on at what changes.
    pub fn start(api: &Api, controllers: &'static [Controller]) -> Controllers {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let running: Arc<Vec<Running>> = Arc::new(
            controllers
                .iter()
                .map(|controller| Running::new(api, controller))
                .collect(),
        );
        let mut listeners: BTreeMap<Kind, Listeners> = BTreeMap::new();
        for (place, controller) in controllers.iter().enumerate() {
            for watch in controller.watches {
                listeners
                    .entry(watch.kind.clone())
                    .or_default()
                    .push((place, watch));
            }
        }
        let reader = Client::new(api, UserInfo::anonymous(), "");
        for (kind, listeners) in listeners {
            let listening = listen(reader.clone(), api.clone(), kind, listeners, running.clone());
            tasks.spawn(stop.clone().run_until_cancelled_owned(listening));
        }
        for place in 0..running.len() {
            for _ in 0..running[place].controller.workers {
                tasks.spawn(work(running.clone(), place));
            }
        }
        let queue_of = |name: &str| {
            let found = running.iter().find(|running| running.controller.name == name);
            found.map(|running| running.queue.clone())
        };
        let everything = Everything::new(
            api,
            queue_of(namespace::CONTROLLER.name),
            queue_of(quota::CONTROLLER.name),
        );
        everything.clone().start(&tasks, &stop);
        tasks.close();
        let mut queues: Vec<Arc<Queue>> = running.iter().map(|running| running.queue.clone()).collect();
        queues.push(everything.queue.clone());
        Controllers { queues, stop, tasks }
    }

    /// Ends them; what a controller is in the midst of is finished first.
    pub async fn shutdown(self) {
        self.stop.cancel();
        for queue in &self.queues {
            queue.close();
        }
        self.tasks.wait().await;
    }
}

impl Running {
    fn new(api: &Api, controller: &'static Controller) -> Running {
        let client = Client::new(api, user(controller.name), field_manager(controller.name));
        let recorder = Recorder::new(client.clone(), event_source(controller.name));
        Running {
            controller,
            queue: Arc::default(),
            sightings: Arc::default(),
            carrier: Arc::new(Carrier {
                api: api.clone(),
                client,
                recorder,
            }),
        }
    }
}

/// The service account that upstream's controller has.
fn user(controller: &str) -> UserInfo {
    let name = match controller {
        "default-scheduler" => "system:kube-scheduler".to_owned(),
        name => format!("system:serviceaccount:kube-system:{name}"),
    };
    let groups = [
        "system:serviceaccounts",
        "system:serviceaccounts:kube-system",
        "system:authenticated",
    ];
    UserInfo {
        name,
        groups: groups.map(str::to_owned).to_vec(),
        ..UserInfo::default()
    }
}

fn field_manager(controller: &str) -> &'static str {
    match controller {
        "default-scheduler" => "kube-scheduler",
        _ => "kube-controller-manager",
    }
}

/// Who tells the events: some of upstream's controllers call themselves differently there.
fn event_source(controller: &'static str) -> &'static str {
    match controller {
        "daemon-set-controller" => "daemonset-controller",
        "disruption-controller" => "controllermanager",
        "ephemeral-volume-controller" => "ephemeral_volume",
        "local-path-provisioner" => crate::local_path::NAME,
        "persistent-volume-binder" => "persistentvolume-controller",
        name => name,
    }
}

/// Follows one resource and wakes whoever listens to it; lists anew when changes were missed.
async fn listen(client: Client, api: Api, kind: Kind, listeners: Listeners, running: Arc<Vec<Running>>) {
    let wake = |change: &Change<'_>| {
        for (place, watch) in &listeners {
            let Running { queue, sightings, .. } = &running[*place];
            for key in (watch.keys)(&Store(&client, &api, sightings), change) {
                queue.add(key);
            }
        }
    };
    loop {
        let (objects, revision) = client.list_at(&id(&kind), None);
        for object in objects {
            wake(&Change {
                object: &object,
                previous: None,
                deleted: false,
            });
        }
        let Ok(changes) = client.watch(&id(&kind), revision) else {
            continue;
        };
        match follow(changes, &wake).await {
            ChangesEnd::Missed => {}
            ChangesEnd::Closed => return,
        }
    }
}

async fn follow(mut changes: Changes, wake: &impl Fn(&Change<'_>)) -> ChangesEnd {
    loop {
        match changes.next().await {
            Ok(client::Change::Added(object)) => {
                wake(&Change {
                    object: &object,
                    previous: None,
                    deleted: false,
                });
            }
            Ok(client::Change::Modified(object, previous)) => {
                wake(&Change {
                    object: &object,
                    previous: Some(&previous),
                    deleted: false,
                });
            }
            Ok(client::Change::Deleted(object)) => {
                wake(&Change {
                    object: &object,
                    previous: Some(&object),
                    deleted: true,
                });
            }
            Err(end) => return end,
        }
    }
}

/// One worker of one controller.
async fn work(running: Arc<Vec<Running>>, place: usize) {
    let Running {
        controller,
        queue,
        carrier,
        sightings,
    } = &running[place];
    while let Some(key) = queue.next().await {
        let look = |failure| {
            let view = Store(&carrier.client, &carrier.api, sightings);
            (controller.reconcile)(&Look {
                view: &view,
                key: &key,
                now: Timestamp::now(),
                failure,
            })
        };
        let outcome = look(None);
        let again_after = outcome.again_after;
        match carrier.carry_out(outcome.effects).await {
            Ok(()) => {
                queue.done(&key);
                if let Some(wait) = again_after {
                    queue.add_after(key, wait);
                }
            }
            Err(failure) => {
                // The controller may want to say so in a status. That this fails too changes nothing: the key comes again.
                let told = look(Some(&failure));
                carrier.carry_out(told.effects).await.ok();
                queue.failed(&key);
            }
        }
    }
}

/// The state of the cluster, as the API server has it now.
struct Store<'a>(&'a Client, &'a Api, &'a Sightings);

impl View for Store<'_> {
    fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.0.get(&id(kind), namespace, name)
    }

    fn list(&self, kind: &Kind, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.0.list(&id(kind), namespace)
    }

    fn first_seen(&self, who: &str, sign: &str, now: Timestamp) -> Timestamp {
        self.2.first_seen(who, sign, now)
    }

    fn forget(&self, who: &str) {
        self.2.forget(who);
    }

    fn kinds(&self) -> Vec<Kind> {
        everything::stored_kinds(&self.1.registry())
    }
}
