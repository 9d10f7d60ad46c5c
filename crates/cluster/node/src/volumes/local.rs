//! Volumes that are folders of this node: their class, and their end. The provisioner among the controllers makes the
//! objects; a folder is made when a pod first mounts it, and removed when its object is deleted, which a finalizer makes wait
//! for that.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deploy_cluster_api::client::{Change, ChangesEnd, Client, ResourceId};
use deploy_cluster_api::negotiate::PatchKind;
use deploy_cluster_api::object;
use deploy_cluster_api::options::DeleteOptions;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::remove;
use crate::limits::{RECLAIM_BACK_OFF, RECLAIM_BACK_OFF_MAX};

static CLASSES: ResourceId = ResourceId::new("storage.k8s.io", "v1", "storageclasses");
static VOLUMES: ResourceId = ResourceId::new("", "v1", "persistentvolumes");

/// What classes name, to have their volumes made here; the provisioner among the controllers answers to it.
pub const PROVISIONER: &str = "deploy.platform/local-path";

/// The class of the node.
const CLASS: &str = "local-path";

/// Its parameter that says where the folders are.
const FOLDER: &str = "nodePath";

/// A volume whose folder is to be removed first.
const FINALIZER: &str = "deploy.platform/local-path";

const IS_DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

/// Whoever runs in a pod may write to its volume, as with other local provisioners.
const VOLUME_MODE: u32 = 0o777;

/// Nobody but the owner of the data folder walks here.
const ROOT_MODE: u32 = 0o700;

/// Makes the folder of a volume, where it is one of ours and not there yet: directly below `root`.
///
/// # Errors
/// What the file system says.
pub fn make(root: &Path, path: &Path) -> io::Result<()> {
    if path.parent() != Some(root) || path.symlink_metadata().is_ok() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(ROOT_MODE).create(root)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // The umask has no say.
    fs::set_permissions(path, Permissions::from_mode(VOLUME_MODE))
}

/// The volumes of this node, in a folder each.
#[derive(Clone)]
pub struct Local {
    client: Client,
    root: Arc<PathBuf>,
}

impl Local {
    /// Folders below `root`.
    pub fn new(client: Client, root: &Path) -> Local {
        Local {
            client,
            root: Arc::new(root.to_owned()),
        }
    }

    /// Makes the class, and removes the folders of volumes that end, until it is dropped. A volume whose folder cannot be
    /// removed waits, the others do not.
    pub async fn serve(self) {
        // Without the class people can still make one of their own.
        self.ensure_class().await;
        let mut failed = Failed::default();
        loop {
            let (volumes, revision) = self.client.list_at(&VOLUMES, None);
            for volume in volumes {
                self.settle(&volume, &mut failed).await;
            }
            let Ok(mut changes) = self.client.watch(&VOLUMES, revision) else {
                continue;
            };
            loop {
                let change = tokio::select! {
                    change = changes.next() => change,
                    name = failed.next() => {
                        match self.client.get(&VOLUMES, "", &name) {
                            Some(volume) => self.settle(&volume, &mut failed).await,
                            None => failed.forget(&name),
                        }
                        continue;
                    }
                };
                match change {
                    Ok(Change::Added(volume) | Change::Modified(volume, _)) => {
                        self.settle(&volume, &mut failed).await;
                    }
                    Ok(Change::Deleted(volume)) => failed.forget(object::name(&volume)),
                    Err(ChangesEnd::Missed) => break,
                    Err(ChangesEnd::Closed) => return,
                }
            }
        }
    }

    /// The class of this node, the default one where there is no other. Its folder cannot be changed: one that says another
    /// folder is made anew.
    async fn ensure_class(&self) {
        let classes = self.client.list(&CLASSES, None);
        let folder = self.root.to_string_lossy();
        if let Some(known) = classes.iter().find(|class| object::name(class) == CLASS) {
            if known["provisioner"] != PROVISIONER || known["parameters"][FOLDER] == *folder {
                return;
            }
            let deleted = self
                .client
                .delete(&CLASSES, "", CLASS, &DeleteOptions::default())
                .await;
            if deleted.is_err() {
                return;
            }
        }
        let is_default = |class: &Value| class["metadata"]["annotations"][IS_DEFAULT] == "true";
        let has_other = classes
            .iter()
            .any(|class| object::name(class) != CLASS && is_default(class));
        let annotations = if has_other {
            json!({})
        } else {
            json!({IS_DEFAULT: "true"})
        };
        let class = json!({
            "metadata": {"name": CLASS, "annotations": annotations},
            "provisioner": PROVISIONER,
            "parameters": {FOLDER: folder},
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "WaitForFirstConsumer",
        });
        // Somebody else may have made it meanwhile.
        self.client.create(&CLASSES, class).await.ok();
    }

    /// Removes the folder of a volume that is being deleted, and lets the volume go. What fails is told.
    async fn settle(&self, volume: &Value, failed: &mut Failed) {
        let name = object::name(volume);
        if !is_ending(volume) || failed.waits(name) {
            return;
        }
        match self.end(volume).await {
            Ok(()) => failed.forget(name),
            Err(error) => {
                failed.again(name);
                self.client
                    .event(volume, "Warning", "VolumeFailedDelete", &error)
                    .await
                    .ok();
            }
        }
    }

    async fn end(&self, volume: &Value) -> Result<(), String> {
        let name = object::name(volume).to_owned();
        if is_here(&self.root, volume) {
            let (root, name) = (self.root.clone(), name.clone());
            let removed = tokio::task::spawn_blocking(move || remove::tree(&root, &name)).await;
            removed
                .map_err(|panic| panic.to_string())?
                .map_err(|error| error.to_string())?;
        }
        let Some(current) = self.client.get(&VOLUMES, "", &name) else {
            return Ok(());
        };
        let mut finalizers = current["metadata"]["finalizers"].clone();
        if let Some(names) = finalizers.as_array_mut() {
            names.retain(|name| name != FINALIZER);
        }
        let version = &current["metadata"]["resourceVersion"];
        let patch = json!({"metadata": {"resourceVersion": version, "finalizers": finalizers}});
        let patched = self
            .client
            .patch(&VOLUMES, "", &name, "", PatchKind::Merge, patch)
            .await;
        match patched {
            Err(error) if error.reason != "NotFound" => Err(error.message),
            _ => Ok(()),
        }
    }
}

/// The folder is the volume's own, below our root: nobody can have other folders removed by making a volume.
fn is_here(root: &Path, volume: &Value) -> bool {
    let name = object::name(volume);
    let path = volume["spec"]["local"]["path"].as_str();
    path.is_some_and(|path| Path::new(path) == root.join(name))
}

fn is_ending(volume: &Value) -> bool {
    let mut finalizers = volume["metadata"]["finalizers"].as_array().into_iter().flatten();
    object::is_deleting(volume) && finalizers.any(|name| name == FINALIZER)
}

/// The volumes whose folders could not be removed: when each is tried again, and how long it waited.
#[derive(Default)]
struct Failed(BTreeMap<String, (Instant, Duration)>);

impl Failed {
    /// It is not its turn yet.
    fn waits(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|(due, _)| *due > Instant::now())
    }

    /// It has failed now; each time it waits twice as long.
    fn again(&mut self, name: &str) {
        let waited = self
            .0
            .get(name)
            .map(|(_, wait)| (*wait * 2).min(RECLAIM_BACK_OFF_MAX));
        let wait = waited.unwrap_or(RECLAIM_BACK_OFF);
        self.0.insert(name.to_owned(), (Instant::now() + wait, wait));
    }

    fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The next whose turn has come; never, where none waits.
    async fn next(&self) -> String {
        match self.0.iter().min_by_key(|(_, (due, _))| *due) {
            Some((name, (due, _))) => {
                tokio::time::sleep_until(*due).await;
                name.clone()
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volumes::scratch::Scratch;

    #[test]
    fn folders_are_made_below_the_root_only() {
        let scratch = Scratch::new();
        let root = scratch.path().join("volumes");
        make(&root, &root.join("pvc-1")).expect("it is ours");
        let mode = fs::metadata(root.join("pvc-1"))
            .expect("it is made")
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, VOLUME_MODE);
        fs::write(root.join("pvc-1/data"), "kept").expect("a file");
        make(&root, &root.join("pvc-1")).expect("it is there");
        assert_eq!(
            fs::read_to_string(root.join("pvc-1/data")).expect("a file"),
            "kept"
        );
        for foreign in [scratch.path().join("other"), root.join("deeper/pvc-2")] {
            make(&root, &foreign).expect("nothing to do");
            assert!(!foreign.exists());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_waits_longer_each_time() {
        let mut failed = Failed::default();
        let start = Instant::now();
        for (seconds, name) in [(1, "a"), (3, "a"), (7, "a")] {
            failed.again(name);
            assert!(failed.waits(name) && !failed.waits("b"));
            assert_eq!(failed.next().await, name);
            assert_eq!(start.elapsed(), Duration::from_secs(seconds));
        }
        for _ in 0..20 {
            failed.again("a");
        }
        failed.again("b");
        assert_eq!(failed.next().await, "b");
        failed.forget("b");
        assert_eq!(failed.next().await, "a");
        assert!(start.elapsed() <= Duration::from_secs(8) + RECLAIM_BACK_OFF_MAX);
    }

    #[test]
    fn only_own_folders_are_removed() {
        let root = Path::new("/data/volumes");
        let volume =
            |name: &str, path: &str| json!({"metadata": {"name": name}, "spec": {"local": {"path": path}}});
        assert!(is_here(root, &volume("pvc-1", "/data/volumes/pvc-1")));
        for (name, path) in [
            ("pvc-1", "/data/volumes/pvc-2"),
            ("pvc-1", "/etc"),
            ("pvc-1", "/data/volumes"),
            ("pvc-1", "/data/volumes/../pvc-1"),
        ] {
            assert!(!is_here(root, &volume(name, path)), "{path}");
        }
    }
}
