//! Volumes against a real API server with all controllers, in this process, and real folders. Nothing is mounted.

use std::fs;
use std::future::Future;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deploy_cluster_api::allocators::Range;
use deploy_cluster_api::api::{Api, Setup};
use deploy_cluster_api::bootstrap::Place;
use deploy_cluster_api::client::{Client, ResourceId};
use deploy_cluster_api::identity::UserInfo;
use deploy_cluster_api::identity::jwt::SigningKey;
use deploy_cluster_api::negotiate::PatchKind;
use deploy_cluster_api::options::DeleteOptions;
use deploy_cluster_controllers::controllers;
use deploy_cluster_controllers::shell::Controllers;
use deploy_cluster_node::environment::FromApi;
use deploy_cluster_node::volumes::local::Local;
use deploy_cluster_node::volumes::{Prepared, Volumes};
use deploy_cluster_storage::{Options, Store};
use serde_json::{Value, json};
use tokio::task::JoinSet;

static NODES: ResourceId = ResourceId::new("", "v1", "nodes");
static PODS: ResourceId = ResourceId::new("", "v1", "pods");
static CONFIG_MAPS: ResourceId = ResourceId::new("", "v1", "configmaps");
static SECRETS: ResourceId = ResourceId::new("", "v1", "secrets");
static ACCOUNTS: ResourceId = ResourceId::new("", "v1", "serviceaccounts");
static CLAIMS: ResourceId = ResourceId::new("", "v1", "persistentvolumeclaims");
static VOLUMES: ResourceId = ResourceId::new("", "v1", "persistentvolumes");
static CLASSES: ResourceId = ResourceId::new("storage.k8s.io", "v1", "storageclasses");
static EVENTS: ResourceId = ResourceId::new("", "v1", "events");

/// Whatever is waited for takes milliseconds; a busy machine may need longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster with a ready node that runs nothing.
struct World {
    client: Client,
    volumes: Arc<Volumes>,
    folder: PathBuf,
    _controllers: Controllers,
    _local: JoinSet<()>,
}

impl World {
    async fn start() -> World {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("deploy-volumes-{}-{number}", std::process::id()));
        let store = folder.join("store");
        let setup = Setup {
            store: Store::open(&Options::new(&store)).expect("the folder is new"),
            signing_key: SigningKey::open(&store.join("service-accounts.key")).expect("the folder is new"),
            place: Place {
                listen: ([127, 0, 0, 1], 16443).into(),
                authority: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_owned(),
                service_range: Range::default(),
            },
            default_account_patience: Duration::from_secs(5),
        };
        let api = Api::start(setup).await.expect("a new cluster can be set up");
        let controllers = Controllers::start(&api, controllers::ALL);
        let user = UserInfo::named("system:node:n", &["system:nodes", "system:masters"]);
        let client = Client::new(&api, user, "kubelet");
        let lookups = Arc::new(FromApi::new(client.clone(), "n"));
        let volumes = Volumes::new(&folder.join("pods"), lookups, Arc::new(client.clone()));
        let mut local = JoinSet::new();
        local.spawn(Local::new(client.clone(), &volumes.local_root()).serve());
        let world = World {
            client,
            volumes: Arc::new(volumes),
            folder,
            _controllers: controllers,
            _local: local,
        };
        world.register().await;
        world
    }

    async fn register(&self) {
        let node = json!({"metadata": {"name": "n", "labels": {"kubernetes.io/hostname": "n"}}});
        let created = self.client.create(&NODES, node).await.expect("a node");
        let mut ready = Value::clone(&created);
        // The controller of nodes taints it meanwhile: the status is written whatever its revision.
        ready["metadata"]["resourceVersion"].take();
        ready["status"] = json!({
            "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
            "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        });
        self.client
            .update_status(&NODES, ready)
            .await
            .expect("it is ready");
        self.until("the default account", || {
            self.client.get(&ACCOUNTS, "default", "default")
        })
        .await;
        self.until("the class", || self.client.get(&CLASSES, "", "local-path"))
            .await;
    }

    /// Waits for something, looking at it again and again.
    async fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let looking = async {
            loop {
                if let Some(found) = look() {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, looking).await;
        found.unwrap_or_else(|_| panic!("{what} never came to be"))
    }

    async fn pod(&self, name: &str, spec: Value) -> Arc<Value> {
        let pod = json!({"metadata": {"name": name, "namespace": "default"}, "spec": spec});
        self.client.create(&PODS, pod).await.expect("a pod");
        self.until("the pod's node", || {
            let pod = self.client.get(&PODS, "default", name)?;
            (pod["spec"]["nodeName"] == "n").then_some(pod)
        })
        .await
    }

    async fn prepare(&self, pod: &Arc<Value>) -> Result<Prepared, Vec<String>> {
        let prepared = self.volumes.prepare(pod.clone()).await;
        prepared.map_err(|errors| errors.into_iter().map(|error| error.message).collect())
    }

    fn path(&self, pod: &Value, volume: &str) -> PathBuf {
        let uid = pod["metadata"]["uid"].as_str().expect("a pod has one");
        self.folder.join("pods").join(uid).join("volumes").join(volume)
    }

    async fn delete(&self, resource: &ResourceId, namespace: &str, name: &str) {
        let now = DeleteOptions {
            grace_period_seconds: Some(0),
            ..DeleteOptions::default()
        };
        let deleted = self.client.delete(resource, namespace, name, &now).await;
        deleted.expect("it is there");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // What is left behind is swept with the other temporary files.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn in_world<F: Future<Output = ()>>(test: impl FnOnce(World) -> F) {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(async { test(World::start().await).await });
}

fn container(mounts: Value) -> Value {
    json!({"name": "main", "image": "i", "volumeMounts": mounts})
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn files_follow_their_objects() {
    in_world(|world| async move {
        let settings = json!({"metadata": {"name": "settings", "namespace": "default"}, "data": {"mode": "slow", "old": "x"}});
        world
            .client
            .create(&CONFIG_MAPS, settings)
            .await
            .expect("it is made");
        let keys =
            json!({"metadata": {"name": "keys", "namespace": "default"}, "stringData": {"k": "secret"}});
        world.client.create(&SECRETS, keys).await.expect("it is made");
        let mounts = json!([{"name": "settings", "mountPath": "/etc/app"}, {"name": "keys", "mountPath": "/etc/app/keys"},
                            {"name": "scratch", "mountPath": "/tmp"}]);
        let spec = json!({
            "containers": [container(mounts)],
            "securityContext": {"fsGroup": 4242},
            "volumes": [{"name": "settings", "configMap": {"name": "settings"}}, {"name": "scratch", "emptyDir": {}},
                        {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o400}}],
        });
        let pod = world.pod("web", spec).await;
        let is_root = rustix::process::geteuid().is_root();
        if !is_root {
            eprintln!("skipped: the group of volumes (only root may give files away)");
            return;
        }
        world.prepare(&pod).await.expect("all is there");
        let (settings, keys) = (
            world.path(&pod, "kubernetes.io~configmap/settings"),
            world.path(&pod, "kubernetes.io~secret/keys"),
        );
        assert_eq!(text(&settings.join("mode")), "slow");
        assert!(settings.join("keys").is_dir(), "the place of the volume inside");
        let key = fs::metadata(keys.join("k")).expect("it is there");
        assert_eq!((key.gid(), key.mode() & 0o777), (4242, 0o440));
        let scratch = fs::metadata(world.path(&pod, "kubernetes.io~empty-dir/scratch")).expect("it is there");
        assert_eq!((scratch.gid(), scratch.mode() & 0o7777), (4242, 0o2777));
        let version = fs::read_link(settings.join("..data")).expect("a link");
        world.prepare(&pod).await.expect("all is there");
        assert_eq!(
            fs::read_link(settings.join("..data")).expect("a link"),
            version,
            "nothing has changed"
        );
        let patch = json!({"data": {"mode": "fast", "old": null}});
        let patched = world
            .client
            .patch(&CONFIG_MAPS, "default", "settings", "", PatchKind::Merge, patch);
        patched.await.expect("it is there");
        world.prepare(&pod).await.expect("all is there");
        assert_eq!(text(&settings.join("mode")), "fast");
        assert!(settings.join("old").symlink_metadata().is_err());
        let file = fs::metadata(settings.join("mode")).expect("it is there");
        assert_eq!((file.gid(), file.mode() & 0o777), (4242, 0o644));
        world.delete(&CONFIG_MAPS, "default", "settings").await;
        let errors = world.prepare(&pod).await.expect_err("one is gone");
        assert_eq!(
            errors,
            ["MountVolume.SetUp failed for volume \"settings\" : configmap \"settings\" not found"]
        );
        assert_eq!(text(&settings.join("mode")), "fast", "what is mounted stays");
        let uid = pod["metadata"]["uid"].as_str().expect("it has one");
        assert_eq!(world.volumes.known().expect("a folder"), [uid]);
        symlink("/", world.path(&pod, "kubernetes.io~empty-dir/scratch/root")).expect("a link");
        world.volumes.remove(uid).await.expect("it is ours");
        assert_eq!(world.volumes.known().expect("a folder"), Vec::<String>::new());
    });
}

#[test]
fn a_pod_has_its_account() {
    in_world(|world| async move {
        let pod = world
            .pod("web", json!({"containers": [{"name": "main", "image": "i"}]}))
            .await;
        let volume = pod["spec"]["volumes"][0]["name"]
            .as_str()
            .expect("admission adds it");
        let prepared = world.prepare(&pod).await.expect("all is there");
        assert!(prepared.refresh_at.is_some());
        let folder = world.path(&pod, "kubernetes.io~projected").join(volume);
        assert_eq!(text(&folder.join("namespace")), "default");
        assert!(text(&folder.join("ca.crt")).starts_with("-----BEGIN CERTIFICATE-----"));
        assert_eq!(text(&folder.join("token")).split('.').count(), 3);
        let mounts = prepared
            .mounts(&pod["spec"]["containers"][0], &[])
            .expect("they can be made");
        assert_eq!(mounts.len(), 1);
        assert!(mounts[0].read_only && mounts[0].source == folder);
        assert_eq!(
            mounts[0].target,
            Path::new("/var/run/secrets/kubernetes.io/serviceaccount")
        );
    });
}

#[test]
fn a_claim_outlives_its_pod_and_goes_with_its_data() {
    in_world(|world| async move {
        let claim = json!({"metadata": {"name": "data", "namespace": "default"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
        let claim = world.client.create(&CLAIMS, claim).await.expect("a claim");
        assert_eq!(
            claim["spec"]["storageClassName"], "local-path",
            "it is the default"
        );
        let spec = json!({
            "containers": [container(json!([{"name": "data", "mountPath": "/data", "subPath": "deep/er"}]))],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        });
        let pod = world.pod("first", spec.clone()).await;
        let claim = world.client.get(&CLAIMS, "default", "data").expect("it is there");
        assert_eq!(claim["status"]["phase"], "Bound");
        assert_eq!(
            claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"],
            "n"
        );
        let name = claim["spec"]["volumeName"]
            .as_str()
            .expect("it is bound")
            .to_owned();
        let prepared = world.prepare(&pod).await.expect("all is there");
        let mounts = prepared
            .mounts(&pod["spec"]["containers"][0], &[])
            .expect("they can be made");
        let folder = world.folder.join("volumes").join(&name);
        let own = mounts
            .iter()
            .find(|mount| mount.target == Path::new("/data"))
            .expect("it mounts it");
        assert_eq!(
            (&own.source, own.sub.as_deref()),
            (&folder, Some(Path::new("deep/er")))
        );
        fs::write(folder.join("deep/er/kept"), "data").expect("everybody may write");
        world
            .volumes
            .remove(pod["metadata"]["uid"].as_str().expect("it has one"))
            .await
            .expect("it is ours");
        world.delete(&PODS, "default", "first").await;
        let second = world.pod("second", spec).await;
        world.prepare(&second).await.expect("all is there");
        assert_eq!(text(&folder.join("deep/er/kept")), "data");
        world.delete(&CLAIMS, "default", "data").await;
        assert!(
            world.client.get(&CLAIMS, "default", "data").is_some(),
            "a pod uses it"
        );
        world.delete(&PODS, "default", "second").await;
        world
            .until("the end of the volume", || {
                world.client.get(&VOLUMES, "", &name).is_none().then_some(())
            })
            .await;
        assert!(!folder.exists(), "the data are gone before the volume is");
        let events = world.client.list(&EVENTS, Some("default"));
        for reason in ["ExternalProvisioning", "Provisioning", "ProvisioningSucceeded"] {
            assert!(events.iter().any(|event| event["reason"] == reason), "{reason}");
        }
    });
}

#[test]
fn retained_data_stay() {
    in_world(|world| async move {
        let class = json!({"metadata": {"name": "keep"}, "provisioner": "deploy.platform/local-path", "reclaimPolicy": "Retain"});
        world.client.create(&CLASSES, class).await.expect("a class");
        let claim = json!({"metadata": {"name": "data", "namespace": "default"}, "spec": {"storageClassName": "keep",
            "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}});
        world.client.create(&CLAIMS, claim).await.expect("a claim");
        let bound = world.until("the binding", || {
            let claim = world.client.get(&CLAIMS, "default", "data")?;
            (claim["status"]["phase"] == "Bound").then_some(claim)
        });
        let name = bound.await["spec"]["volumeName"]
            .as_str()
            .expect("it is bound")
            .to_owned();
        let spec = json!({
            "containers": [container(json!([{"name": "data", "mountPath": "/data"}]))],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        });
        let pod = world.pod("web", spec).await;
        world.prepare(&pod).await.expect("all is there");
        let kept = world.folder.join("volumes").join(&name).join("kept");
        fs::write(&kept, "data").expect("everybody may write");
        world.delete(&PODS, "default", "web").await;
        world.delete(&CLAIMS, "default", "data").await;
        world
            .until("the release", || {
                let volume = world.client.get(&VOLUMES, "", &name)?;
                (volume["status"]["phase"] == "Released").then_some(())
            })
            .await;
        assert_eq!(text(&kept), "data");
    });
}
