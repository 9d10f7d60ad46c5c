//! The node at work: finds what has survived, registers, and gives each pod its worker.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use deploy_cluster_api::api::Api;
use deploy_cluster_api::authorization::bootstrap::parts as roles;
use deploy_cluster_api::client::{Change, ChangesEnd, Client, ResourceId};
use deploy_cluster_api::identity::UserInfo;
use deploy_cluster_api::object::{namespace, text, uid};
use deploy_cluster_net::network::Network;
use deploy_sandbox::{Sandbox, Sandboxes};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::carry::{Carrier, POD_RECORD, stamp};
use super::events::{self, Recorder};
use super::ground::{Ground, Place};
use super::source::ImageSource;
use super::worker::{PODS, Seen, Worker};
use crate::environment::FromApi;
use crate::environment::dns::{ClusterDns, Resolver};
use crate::limits;
use crate::measures::{self, Meter};
use crate::node_object::{Facts, Heart, NodeError};
use crate::pod::admission::{self, Room};
use crate::pod::{Engine, Found, ImageFacts, Pod, Survivor};
use crate::streams::Streams;
use crate::volumes::local::Local;
use crate::volumes::plan;
use crate::volumes::shell::Volumes;

static CONFIG_MAPS: ResourceId = ResourceId::new("", "v1", "configmaps");
static SECRETS: ResourceId = ResourceId::new("", "v1", "secrets");

/// What a node is made of.
pub struct Parts {
    /// Runs containers.
    pub sandboxes: Sandboxes,
    /// Connects pods.
    pub network: Network,
    /// Has images.
    pub images: Arc<dyn ImageSource>,
    /// What the machine is.
    pub facts: Facts,
    /// The node's folder: `pods`, `logs`, `profiles` are below it.
    pub folder: PathBuf,
    /// Where pods find names.
    pub dns: ClusterDns,
    /// A folder in memory for secrets; without it they are in `folder` ([`crate::volumes::memory`]).
    pub memory: Option<PathBuf>,
}

/// The node of this machine.
pub struct Node {
    api: Api,
    inner: Arc<Inner>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

struct Inner {
    ground: Arc<Ground>,
    pods: Mutex<HashMap<String, Handle>>,
}

/// A pod that has a worker.
struct Handle {
    place: Arc<Place>,
    seen: watch::Sender<Seen>,
    /// What it has taken of the node.
    room: Room,
}

impl Node {
    /// Adopts what lives on from a server before this one, registers the node, and starts to run its pods.
    ///
    /// # Errors
    /// Where the API server does not take the node.
    pub async fn start(api: &Api, parts: Parts) -> Result<Node, NodeError> {
        let name = parts.facts.name.clone();
        let client = Client::new(api, UserInfo::node(&name), "kubelet").bound();
        let (recorder, news) = Recorder::new();
        let lookups = Arc::new(FromApi::new(client.clone(), &name));
        let (pods, logs) = (parts.folder.join("pods"), parts.folder.join("logs"));
        let resolver = Resolver::parse(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
        let ground = Arc::new(Ground {
            volumes: Arc::new(
                Volumes::new(&pods, lookups.clone(), Arc::new(client.clone())).with_memory(parts.memory),
            ),
            client: client.clone(),
            sandboxes: parts.sandboxes,
            network: parts.network,
            images: parts.images.clone(),
            lookups,
            recorder: recorder.clone(),
            facts: parts.facts.clone(),
            dns: parts.dns,
            resolver,
            logs,
            profiles: parts.folder.join("profiles"),
            starts: Semaphore::new(limits::STARTS_MAX),
        });
        let images = parts.images;
        let heart = Heart::new(
            client.clone(),
            parts.facts,
            parts.folder,
            Box::new(move || images.list()),
        );
        heart.register().await?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let account = UserInfo::account(roles::NAMESPACE, roles::VOLUMES);
        let keeper = Client::new(api, account, "local-path").bound();
        let local = Local::new(keeper, &ground.volumes.local_root());
        tasks.spawn(stop.clone().run_until_cancelled_owned(local.serve()));
        tasks.spawn(
            stop.clone()
                .run_until_cancelled_owned(events::write(client, name.clone(), news)),
        );
        tasks.spawn(heart.beat(stop.clone()));
        let inner = Arc::new(Inner {
            ground,
            pods: Mutex::default(),
        });
        inner.clone().begin(&tasks, &stop).await;
        for kind in [Kind::ConfigMap, Kind::Secret] {
            let following = inner.clone().follow_sources(kind);
            tasks.spawn(stop.clone().run_until_cancelled_owned(following));
        }
        let about =
            Arc::new(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": &name, "uid": &name}}));
        let (reader, teller, node) = (inner.ground.client.clone(), recorder.clone(), about.clone());
        inner.ground.images.clone().start_cleaning(
            Box::new(move || reader.list(&PODS, None)),
            Box::new(move |reason, message| teller.tell(&node, "", true, reason, message)),
        );
        recorder.tell(&about, "", false, "Starting", "Starting kubelet.");
        let view = View { inner: inner.clone() };
        let meter = Meter::new(view.clone());
        tasks.spawn(meter.clone().serve(stop.clone()));
        // Without it pods run as well; what is asked for then is not found.
        api.connect_measures(Arc::new(meter.clone())).await.ok();
        let streams = Streams::new(view, meter, tasks.clone(), stop.clone());
        api.connect_node(&name, Arc::new(streams));
        Ok(Node {
            api: api.clone(),
            inner,
            stop,
            tasks,
        })
    }

    /// Lets go of all pods, which live on.
    pub async fn shutdown(self) {
        self.api.disconnect_node(&self.inner.ground.facts.name);
        self.api.disconnect_measures().await;
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.inner.ground.images.shut_down().await;
        self.inner.ground.sandboxes.close().await;
    }

    /// A look at what runs, for those who show it.
    pub fn view(&self) -> View {
        View {
            inner: self.inner.clone(),
        }
    }
}

/// A look at the pods of a node; clones look at the same.
#[derive(Clone)]
pub struct View {
    inner: Arc<Inner>,
}

impl View {
    /// The name of the node.
    pub fn name(&self) -> &str {
        &self.inner.ground.facts.name
    }

    /// What the machine is.
    pub fn facts(&self) -> &Facts {
        &self.inner.ground.facts
    }

    /// The node's folder.
    pub(crate) fn folder(&self) -> &Path {
        let logs = &self.inner.ground.logs;
        logs.parent().unwrap_or(logs)
    }

    /// Bytes of all images.
    pub(crate) fn images_bytes(&self) -> u64 {
        let images = self.inner.ground.images.list();
        images.iter().map(|(_, bytes)| *bytes).sum()
    }

    /// Where the logs of a pod are: a folder for each container.
    pub(crate) fn log_folder(&self, pod: &measures::sample::Pod) -> PathBuf {
        let name = format!("{}_{}_{}", pod.namespace, pod.name, pod.uid);
        self.inner.ground.logs.join(name)
    }

    /// Where a volume is that the node has made for a pod.
    pub(crate) fn volume_folder(&self, uid: &str, kind: &str, name: &str) -> PathBuf {
        self.inner.ground.volumes.place(uid, kind, name)
    }

    /// Where a claim of a pod is, if that is a folder of this node.
    pub(crate) fn claim_folder(&self, pod: &Value, claim: &str) -> Option<PathBuf> {
        let claim = self.inner.ground.lookups.claim(namespace(pod), claim)?;
        let name = claim["spec"]["volumeName"].as_str()?;
        let folder = self.inner.ground.volumes.local_root().join(name);
        folder.is_dir().then_some(folder)
    }

    /// The sandbox of a pod, while it has one.
    pub fn sandbox(&self, uid: &str) -> Option<Sandbox> {
        self.inner.place(uid)?.sandbox()
    }

    /// The sandboxes of all pods, by uid.
    pub fn sandboxes(&self) -> BTreeMap<String, Sandbox> {
        let pods = self.inner.pods.lock().unwrap_or_else(PoisonError::into_inner);
        let all = pods
            .iter()
            .filter_map(|(uid, handle)| Some((uid.clone(), handle.place.sandbox()?)));
        all.collect()
    }

    /// The pods of the node, as the API server has them.
    pub fn pods(&self) -> Vec<Arc<Value>> {
        let all = self.inner.ground.client.list(&PODS, None);
        all.into_iter().filter(|pod| self.inner.is_ours(pod)).collect()
    }

    /// The log of an attempt of a container: `namespace_name_uid/container/attempt.log` below the node's folder.
    pub fn log_path(&self, pod: &Value, container: &str, attempt: u32) -> PathBuf {
        self.inner
            .ground
            .log_path(&Pod::read(&Arc::new(pod.clone())), container, attempt)
    }
}

/// What volumes are made of.
#[derive(Clone, Copy, Debug)]
enum Kind {
    ConfigMap,
    Secret,
}

impl Inner {
    fn place(&self, uid: &str) -> Option<Arc<Place>> {
        let pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
        pods.get(uid).map(|handle| handle.place.clone())
    }

    /// Gives the pods that are there their workers, clears away what belongs to none, and follows what changes.
    async fn begin(self: Arc<Self>, tasks: &TaskTracker, stop: &CancellationToken) {
        let alive = self.ground.sandboxes.adopt().await;
        let mut alive: HashMap<String, Sandbox> = alive
            .into_iter()
            .map(|sandbox| (sandbox.id().to_owned(), sandbox))
            .collect();
        let (objects, revision) = self.ground.client.list_at(&PODS, None);
        let own: Vec<Arc<Value>> = objects.into_iter().filter(|pod| self.is_ours(pod)).collect();
        let mut known: HashSet<String> = HashSet::new();
        for object in own {
            let id = uid(&object).to_owned();
            let survivor = self.survivor(&object, alive.remove(&id)).await;
            self.take(object, false, survivor, tasks, stop);
            known.insert(id);
        }
        for (id, sandbox) in alive {
            // Its pod went while nobody looked: it is stopped as its manifest wants it.
            let record = self.ground.volumes.folder(&id).join(POD_RECORD);
            let object = std::fs::read(record)
                .ok()
                .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            match object.filter(|object| uid(object) == id) {
                Some(object) => {
                    let object = Arc::new(object);
                    let survivor = self.survivor(&object, Some(sandbox)).await;
                    self.take(object, true, survivor, tasks, stop);
                    known.insert(id);
                }
                None => {
                    sandbox.stop().await.ok();
                }
            }
        }
        self.clear(&known).await;
        let inner = self.clone();
        let (all, end) = (tasks.clone(), stop.clone());
        tasks.spawn(async move { inner.follow(revision, &all, &end).await });
    }

    fn is_ours(&self, pod: &Value) -> bool {
        pod["spec"]["nodeName"].as_str() == Some(&self.ground.facts.name)
    }

    /// Folders and links of pods that are not there any more.
    async fn clear(&self, known: &HashSet<String>) {
        for id in self.ground.volumes.known().unwrap_or_default() {
            if !known.contains(&id) {
                self.ground.volumes.remove(&id).await.ok();
            }
        }
        for id in self.ground.network.attached() {
            if !known.contains(&id) {
                self.ground.network.detach(&id).await.ok();
            }
        }
        for entry in std::fs::read_dir(&self.ground.logs)
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.rsplit('_').next().is_some_and(|id| !known.contains(id)) {
                std::fs::remove_dir_all(entry.path()).ok();
            }
        }
    }

    /// Gives a pod its worker.
    fn take(
        self: &Arc<Self>,
        object: Arc<Value>,
        gone: bool,
        survivor: Option<(Sandbox, Survivor)>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) {
        let pod = Pod::read(&object);
        let (id, now) = (pod.uid.clone(), Timestamp::now());
        let mut engine = Engine::new(pod, &self.ground.facts.address.to_string(), now);
        let (sandbox, survivor) = survivor.unzip();
        let room = Room::of_pod(&object);
        if survivor.is_none() && !gone && admission::is_new(&object) {
            self.admit(&mut engine, room, now);
        }
        engine.restore(survivor, now);
        let place = Arc::new(Place::default());
        place.lock().sandbox = sandbox;
        let (seen, sight) = watch::channel(Seen {
            object,
            gone,
            sources: 0,
        });
        let worker = Worker::new(self.ground.clone(), place.clone(), engine, sight);
        let mut pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
        pods.insert(id.clone(), Handle { place, seen, room });
        drop(pods);
        let (inner, stop) = (self.clone(), stop.clone());
        tasks.spawn(async move {
            worker.work(stop).await;
            inner
                .pods
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&id);
        });
    }

    /// Refuses a pod that the node has no room for.
    fn admit(&self, engine: &mut Engine, room: Room, now: Timestamp) {
        let Some(node) = self.ground.lookups.node() else {
            return;
        };
        let pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
        let others = pods
            .values()
            .filter(|handle| !admission::has_ended(&handle.seen.borrow().object));
        let used = others.fold(Room::default(), |used, handle| used.and(handle.room));
        drop(pods);
        if let Some(refusal) = admission::refusal(room, used, Room::of_node(&node)) {
            engine.refuse(&refusal, now);
            let object = &engine.pod().object;
            let (reason, message) = (refusal.reason, &refusal.message);
            self.ground.recorder.tell(object, "", true, reason, message);
        }
    }

    /// What the engine needs to know of a sandbox that lives on.
    async fn survivor(&self, object: &Arc<Value>, sandbox: Option<Sandbox>) -> Option<(Sandbox, Survivor)> {
        let sandbox = sandbox?;
        let carrier = Carrier {
            ground: self.ground.clone(),
            place: Arc::default(),
            pod: Arc::new(Pod::read(object)),
            address: String::new(),
        };
        let mut containers = Vec::new();
        for info in sandbox.containers() {
            let exit = match info.exit {
                Some(exit) => Some(carrier.exited(&info.id, exit).await),
                None => None,
            };
            let label = |name: &str| info.labels.get(name).cloned().unwrap_or_default();
            let image = ImageFacts {
                name: label("image"),
                id: label("image-id"),
                stop_signal: label("stop-signal"),
            };
            containers.push(Found {
                since: info.started_at.map(stamp),
                exit,
                image,
                id: info.id,
            });
        }
        let address = sandbox.labels().get("address").cloned().unwrap_or_default();
        Some((sandbox, Survivor { address, containers }))
    }

    async fn follow(self: Arc<Self>, mut revision: u64, tasks: &TaskTracker, stop: &CancellationToken) {
        loop {
            if let Ok(mut changes) = self.ground.client.watch(&PODS, revision) {
                loop {
                    let change = tokio::select! {
                        () = stop.cancelled() => return,
                        change = changes.next() => change,
                    };
                    match change {
                        Ok(Change::Added(object) | Change::Modified(object, _)) => {
                            self.see(object, false, tasks, stop)
                        }
                        Ok(Change::Deleted(object)) => self.see(object, true, tasks, stop),
                        Err(ChangesEnd::Missed) => break,
                        Err(ChangesEnd::Closed) => return,
                    }
                }
            }
            revision = self.list_again(tasks, stop);
        }
    }

    /// After changes were missed.
    fn list_again(self: &Arc<Self>, tasks: &TaskTracker, stop: &CancellationToken) -> u64 {
        let (objects, revision) = self.ground.client.list_at(&PODS, None);
        let present: HashSet<&str> = objects.iter().map(|object| uid(object)).collect();
        let pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, handle) in pods.iter().filter(|(id, _)| !present.contains(id.as_str())) {
            handle.seen.send_modify(|seen| seen.gone = true);
        }
        drop(pods);
        for object in objects {
            self.see(object, false, tasks, stop);
        }
        revision
    }

    fn see(self: &Arc<Self>, object: Arc<Value>, gone: bool, tasks: &TaskTracker, stop: &CancellationToken) {
        let pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = pods.get(uid(&object)) {
            handle
                .seen
                .send_modify(|seen| (seen.object, seen.gone) = (object, gone));
            return;
        }
        drop(pods);
        if !gone && self.is_ours(&object) {
            self.take(object, false, None, tasks, stop);
        }
    }

    /// Wakes the pods whose volumes are made of what changes.
    async fn follow_sources(self: Arc<Self>, kind: Kind) {
        let (resource, name) = match kind {
            Kind::ConfigMap => (&CONFIG_MAPS, "ConfigMap"),
            Kind::Secret => (&SECRETS, "Secret"),
        };
        loop {
            let revision = self.ground.client.list_at(resource, Some("")).1;
            let Ok(mut changes) = self.ground.client.watch(resource, revision) else {
                continue;
            };
            loop {
                match changes.next().await {
                    Ok(Change::Added(object) | Change::Modified(object, _) | Change::Deleted(object)) => {
                        self.source_changed(name, &object);
                    }
                    Err(ChangesEnd::Missed) => break,
                    Err(ChangesEnd::Closed) => return,
                }
            }
        }
    }

    fn source_changed(&self, kind: &str, object: &Value) {
        let pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
        for handle in pods.values() {
            handle.seen.send_if_modified(|seen| {
                let uses = namespace(&seen.object) == namespace(object)
                    && plan::refers_to(&seen.object, kind, text(object, "name"));
                seen.sources += u64::from(uses);
                uses
            });
        }
    }
}

/// The folder of the node within that of the cluster.
pub fn folder(cluster: &Path) -> PathBuf {
    cluster.join("node")
}
