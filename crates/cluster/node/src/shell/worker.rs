//! One task per pod: gives its engine what happens, and carries out what it asks for.

use std::sync::Arc;

use deploy_cluster_api::client::ResourceId;
use deploy_cluster_api::negotiate::PatchKind;
use deploy_cluster_api::options::DeleteOptions;
use deploy_cluster_api::status::StatusError;
use deploy_sandbox::{Event, Events};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::carry::Carrier;
use super::events::field;
use super::ground::{Ground, Place};
use super::status;
use crate::limits;
use crate::pod::back_off::{after, between};
use crate::pod::{Effect, Engine, Input, Pod};

/// The reason of the event of a status that the API server does not take.
const FAILED_STATUS: &str = "FailedStatusUpdate";

pub(super) static PODS: ResourceId = ResourceId::new("", "v1", "pods");

/// What the API server has of a pod.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub object: Arc<Value>,
    pub gone: bool,
    /// How often something that its volumes are made of has changed.
    pub sources: u64,
}

/// One pod at work.
pub(super) struct Worker {
    ground: Arc<Ground>,
    place: Arc<Place>,
    engine: Engine,
    seen: watch::Receiver<Seen>,
    known: Seen,
    running: JoinSet<Done>,
    events: Option<Events>,
    /// The status is being written.
    writing: bool,
    /// Not written before, after it could not be.
    write_after: Timestamp,
    delete: bool,
    /// The volumes are being brought up to date; again, where more has changed meanwhile.
    refreshing: bool,
    stale: bool,
    /// What the volumes hold is being counted; then not before this time again.
    weighing: bool,
    weigh_after: Timestamp,
}

/// What has come of something that was begun.
enum Done {
    Input(Option<Input>),
    Inputs(Vec<Input>),
    Written(Result<(), StatusError>),
    Deleted(bool),
    Refreshed,
    /// Which volume holds more than it may.
    Weighed(Option<String>),
}

impl Worker {
    pub fn new(
        ground: Arc<Ground>,
        place: Arc<Place>,
        engine: Engine,
        seen: watch::Receiver<Seen>,
    ) -> Worker {
        let known = seen.borrow().clone();
        Worker {
            events: place.sandbox().map(|sandbox| sandbox.events()),
            ground,
            place,
            engine,
            seen,
            known,
            running: JoinSet::new(),
            writing: false,
            write_after: Timestamp::UNIX_EPOCH,
            delete: false,
            refreshing: false,
            stale: false,
            weighing: false,
            weigh_after: after(Timestamp::now(), limits::VOLUME_LIMIT_CHECK),
        }
    }

    /// Works until nothing is left of the pod, or the server stops; then its containers live on.
    pub async fn work(mut self, stop: CancellationToken) {
        self.step(Input::Tick);
        if self.known.gone {
            self.step(Input::Gone);
        }
        // What has ended while nobody looked.
        self.look_again();
        while !self.engine.is_over() {
            self.write();
            self.delete();
            self.refresh();
            self.weigh();
            let wake = self.wake();
            tokio::select! {
                () = stop.cancelled() => break,
                changed = self.seen.changed() => match changed {
                    Ok(()) => self.see(),
                    Err(_) => break,
                },
                Some(done) = self.running.join_next() => self.done(done),
                event = next(&mut self.events) => self.happened(event),
                () = sleep(wake) => self.step(Input::Tick),
            }
        }
        if self.engine.is_over() {
            let logs = self.ground.log_folder(self.engine.pod());
            tokio::task::spawn_blocking(move || std::fs::remove_dir_all(logs).ok())
                .await
                .ok();
        }
        self.running.shutdown().await;
    }

    fn wake(&self) -> Option<Timestamp> {
        let retry = Some(self.write_after).filter(|_| !self.writing && self.patch().is_some());
        let place = self.place.lock();
        let waits = !self.refreshing && place.sandbox.is_some();
        let prepared = place.prepared.as_ref();
        let refresh = prepared
            .and_then(|prepared| prepared.refresh_at)
            .filter(|_| waits);
        let weigh = prepared
            .filter(|prepared| !self.weighing && !prepared.limits.is_empty() && place.sandbox.is_some())
            .map(|_| self.weigh_after);
        drop(place);
        [self.engine.wake(), retry, refresh, weigh]
            .into_iter()
            .flatten()
            .min()
    }

    fn step(&mut self, input: Input) {
        for effect in self.engine.step(input, Timestamp::now()) {
            match effect {
                Effect::Event {
                    container,
                    warning,
                    reason,
                    message,
                } => {
                    let object = &self.engine.pod().object;
                    let about = container
                        .map(|container| field(object, &container))
                        .unwrap_or_default();
                    self.ground
                        .recorder
                        .tell(object, &about, warning, reason, &message);
                }
                Effect::Delete => self.delete = true,
                effect => {
                    let carrier = self.carrier();
                    self.running
                        .spawn(async move { Done::Input(carrier.carry(effect).await) });
                }
            }
        }
    }

    fn carrier(&self) -> Carrier {
        Carrier {
            ground: self.ground.clone(),
            place: self.place.clone(),
            pod: Arc::new(self.engine.pod().clone()),
            address: self.engine.address().to_owned(),
        }
    }

    /// The API server has something new.
    fn see(&mut self) {
        let seen = self.seen.borrow_and_update().clone();
        let metadata = |seen: &Seen| {
            let metadata = &seen.object["metadata"];
            (metadata["labels"].clone(), metadata["annotations"].clone())
        };
        self.stale |= seen.sources != self.known.sources || metadata(&seen) != metadata(&self.known);
        self.known = seen;
        let pod = Pod::read(&self.known.object);
        self.step(Input::Pod(Box::new(pod)));
        if self.known.gone {
            self.step(Input::Gone);
        }
    }

    fn done(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(Done::Input(Some(input))) => {
                if matches!(input, Input::Sandbox(Ok(_))) {
                    self.events = self.place.sandbox().map(|sandbox| sandbox.events());
                }
                self.step(input);
            }
            Ok(Done::Input(None)) => {}
            Ok(Done::Inputs(inputs)) => inputs.into_iter().for_each(|input| self.step(input)),
            Ok(Done::Written(written)) => {
                self.writing = false;
                if let Err(error) = written {
                    self.write_after = after(Timestamp::now(), limits::STATUS_RETRY);
                    self.tell_refusal(&error);
                }
            }
            Ok(Done::Deleted(true)) => {}
            Ok(Done::Deleted(false)) => self.step(Input::NotDeleted),
            Ok(Done::Refreshed) => self.refreshing = false,
            Ok(Done::Weighed(excess)) => {
                self.weighing = false;
                self.weigh_after = after(Timestamp::now(), limits::VOLUME_LIMIT_CHECK);
                if let Some(message) = excess {
                    self.step(Input::Evicted(message));
                }
            }
            // Whatever panicked is told nobody; a look at what is there finds out what has come of it.
            Err(_) => self.look_again(),
        }
    }

    fn happened(&mut self, event: Option<Event>) {
        match event {
            Some(Event::Started { .. }) => {}
            Some(Event::Exited { container, exit }) => {
                let carrier = self.carrier();
                self.running
                    .spawn(async move { Done::Input(Some(carrier.exit(&container, exit).await)) });
            }
            Some(Event::Missed) => self.look_again(),
            Some(Event::Lost) => {
                self.events = None;
                self.step(Input::SandboxLost);
            }
            None => self.events = None,
        }
    }

    /// Asks the sandbox for all that has ended.
    fn look_again(&mut self) {
        let Some(sandbox) = self.place.sandbox() else {
            return;
        };
        let carrier = self.carrier();
        self.running.spawn(async move {
            sandbox.refresh().await.ok();
            let mut inputs = Vec::new();
            for info in sandbox.containers() {
                if let Some(exit) = info.exit {
                    inputs.push(carrier.exit(&info.id, exit).await);
                }
            }
            Done::Inputs(inputs)
        });
    }

    /// What the API server does not know yet.
    fn patch(&self) -> Option<Value> {
        if self.known.gone {
            return None;
        }
        let pod = self.engine.pod();
        let current = self.ground.client.get(&PODS, &pod.namespace, &pod.name)?;
        (current["metadata"]["uid"] == pod.uid.as_str()).then_some(())?;
        status::patch(&current, self.engine.status())
    }

    fn write(&mut self) {
        if self.writing || Timestamp::now() < self.write_after {
            return;
        }
        let Some(patch) = self.patch() else {
            return;
        };
        self.writing = true;
        let (ground, pod) = (self.ground.clone(), self.carrier().pod);
        self.running.spawn(async move {
            let (namespace, name) = (&pod.namespace, &pod.name);
            let written = ground
                .client
                .patch(&PODS, namespace, name, "status", PatchKind::Strategic, patch);
            Done::Written(written.await.map(drop))
        });
    }

    /// A pod that has gone, or has changed meanwhile, is no news. All else would leave people with a status that is not
    /// true any more.
    fn tell_refusal(&self, error: &StatusError) {
        if matches!(error.code, 404 | 409) {
            return;
        }
        let message = format!("status cannot be written: {}", error.message);
        self.ground
            .recorder
            .tell(&self.engine.pod().object, "", true, FAILED_STATUS, &message);
    }

    /// The pod may go once its last status is written.
    fn delete(&mut self) {
        if !self.delete || self.writing || self.patch().is_some() {
            return;
        }
        self.delete = false;
        let (ground, pod) = (self.ground.clone(), self.carrier().pod);
        self.running.spawn(async move {
            let options = DeleteOptions {
                uid: Some(pod.uid.clone()),
                grace_period_seconds: Some(0),
                ..DeleteOptions::default()
            };
            let deleted = ground
                .client
                .delete(&PODS, &pod.namespace, &pod.name, &options)
                .await;
            Done::Deleted(deleted.is_ok_and(|()| true))
        });
    }

    /// Counts what the volumes of a pod hold that may not hold more than so much.
    fn weigh(&mut self) {
        if self.weighing || Timestamp::now() < self.weigh_after {
            return;
        }
        let place = self.place.lock();
        let prepared = place.prepared.clone().filter(|_| place.sandbox.is_some());
        drop(place);
        let Some(prepared) = prepared.filter(|prepared| !prepared.limits.is_empty()) else {
            return;
        };
        self.weighing = true;
        let object = self.engine.pod().object.clone();
        self.running.spawn(async move {
            let counted = tokio::task::spawn_blocking(move || prepared.excess(&object)).await;
            Done::Weighed(counted.unwrap_or_default())
        });
    }

    /// Brings the volumes of a pod up to date that has some.
    fn refresh(&mut self) {
        let prepared = self.place.lock().prepared.clone();
        let due = prepared
            .as_ref()
            .and_then(|prepared| prepared.refresh_at)
            .is_some_and(|at| at <= Timestamp::now());
        let wanted = (self.stale || due) && prepared.is_some() && self.place.sandbox().is_some();
        if !wanted || self.refreshing {
            return;
        }
        (self.refreshing, self.stale) = (true, false);
        let carrier = self.carrier();
        self.running.spawn(async move {
            if let Err(messages) = carrier.prepare().await {
                for message in messages {
                    let object = &carrier.pod.object;
                    carrier
                        .ground
                        .recorder
                        .tell(object, "", true, crate::volumes::FAILED_MOUNT, &message);
                }
                // A token that ends is asked for again, and not at once.
                tokio::time::sleep(limits::CREATE_RETRY).await;
            }
            Done::Refreshed
        });
    }
}

async fn next(events: &mut Option<Events>) -> Option<Event> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

async fn sleep(until: Option<Timestamp>) {
    match until {
        Some(until) => tokio::time::sleep(between(Timestamp::now(), until)).await,
        None => std::future::pending().await,
    }
}
