//! What a pod's volumes are to be: pure, from the pod and the objects that it names.

use std::collections::BTreeSet;
use std::path::PathBuf;

use deploy_cluster_kinds::quantity::Quantity;
use serde_json::Value;

use super::VolumeError;
use super::payload::{Ingredients, Payload};
use super::tokens::Granted;
use crate::environment::Lookups;

/// One volume of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its name in the pod.
    pub name: String,
    /// How errors name it: as the pod does, or as the persistent volume is called.
    pub called: String,
    /// Whoever mounts it cannot write to it.
    pub read_only: bool,
    /// What it is.
    pub content: Content,
}

/// What a volume is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Files that are written all at once, and again when they change.
    Files {
        /// What kind of volume it is, as its folder says: `configmap` ...
        r#type: &'static str,
        /// The files.
        payload: Payload,
    },
    /// An empty folder on disk.
    Empty {
        /// The most that it should hold.
        limit_bytes: Option<u64>,
    },
    /// An empty folder in memory.
    Memory {
        /// The most that it can hold.
        limit_bytes: Option<u64>,
    },
    /// A path of the host.
    Host {
        /// Where.
        path: String,
        /// `Directory`, `Socket` ...; empty: whatever is there.
        r#type: String,
    },
    /// A folder of the host that is a persistent volume, and its group is the pod's.
    Local {
        /// Where.
        path: PathBuf,
    },
}

/// Whose a pod's volumes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// `fsGroup`
    pub group: Option<u32>,
    /// `fsGroupChangePolicy: OnRootMismatch`
    pub only_on_mismatch: bool,
    /// The user that all its containers run as.
    pub user: Option<u32>,
}

impl Owners {
    /// Whose the volumes of this pod are.
    pub fn of(pod: &Value) -> Owners {
        let security = &pod["spec"]["securityContext"];
        Owners {
            group: id(&security["fsGroup"]),
            only_on_mismatch: security["fsGroupChangePolicy"] == "OnRootMismatch",
            user: user_of(pod),
        }
    }
}

/// The volumes that containers of a pod mount, each or why it cannot be, in their order.
pub fn volumes(pod: &Value, lookups: &dyn Lookups, tokens: &Granted) -> Vec<Result<Planned, VolumeError>> {
    let used = mounted(pod);
    let owners = Owners::of(pod);
    let look = Look {
        pod,
        lookups,
        ingredients: Ingredients {
            pod,
            lookups,
            tokens,
            user: owners.user,
            group: owners.group,
        },
    };
    list(&pod["spec"]["volumes"])
        .filter(|volume| used.contains(text(&volume["name"])))
        .map(|volume| look.plan(volume))
        .collect()
}

/// All containers of a pod.
pub fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers"]
        .into_iter()
        .flat_map(|field| list(&pod["spec"][field]))
}

/// Whether a change of this object can change a volume of the pod: `kind` is `ConfigMap` or `Secret`.
pub fn refers_to(pod: &Value, kind: &str, name: &str) -> bool {
    let (whole, in_secret) = match kind {
        "ConfigMap" => ("configMap", "name"),
        "Secret" => ("secret", "secretName"),
        _ => return false,
    };
    list(&pod["spec"]["volumes"]).any(|volume| {
        volume[whole][in_secret] == name
            || list(&volume["projected"]["sources"]).any(|source| source[whole]["name"] == name)
    })
}

fn mounted(pod: &Value) -> BTreeSet<&str> {
    let mounts = containers(pod).flat_map(|container| {
        let devices = list(&container["volumeDevices"]);
        list(&container["volumeMounts"]).chain(devices)
    });
    mounts.map(|mount| text(&mount["name"])).collect()
}

struct Look<'a> {
    pod: &'a Value,
    lookups: &'a dyn Lookups,
    ingredients: Ingredients<'a>,
}

impl Look<'_> {
    fn plan(&self, volume: &Value) -> Result<Planned, VolumeError> {
        let name = text(&volume["name"]);
        let planned = |read_only, content| Planned {
            name: name.to_owned(),
            called: name.to_owned(),
            read_only,
            content,
        };
        if let Some(files) = self.ingredients.files(volume) {
            let payload = files.map_err(|error| VolumeError::set_up(name, &error))?;
            let r#type = type_of(volume);
            return Ok(planned(true, Content::Files { r#type, payload }));
        }
        if volume["emptyDir"].is_object() {
            return Ok(planned(false, self.empty(name, &volume["emptyDir"])?));
        }
        if volume["hostPath"].is_object() {
            return Ok(planned(false, host(&volume["hostPath"])));
        }
        if volume["persistentVolumeClaim"].is_object() {
            let source = &volume["persistentVolumeClaim"];
            return self.claimed(
                name,
                text(&source["claimName"]),
                source["readOnly"] == true,
                false,
            );
        }
        if volume["ephemeral"].is_object() {
            let claim = format!("{}-{name}", text(&self.pod["metadata"]["name"]));
            return self.claimed(name, &claim, false, true);
        }
        if volume["csi"].is_object() {
            let driver = text(&volume["csi"]["driver"]);
            let error = format!("driver name {driver} not found in the list of registered CSI drivers");
            return Err(VolumeError::of(
                "MountVolume.NewMounter initialization failed",
                name,
                &error,
            ));
        }
        Err(no_plugin(name))
    }

    fn empty(&self, name: &str, source: &Value) -> Result<Content, VolumeError> {
        let limit_bytes = bytes(&source["sizeLimit"]);
        match text(&source["medium"]) {
            "" => Ok(Content::Empty { limit_bytes }),
            "Memory" => Ok(Content::Memory {
                limit_bytes: self.memory_limit(limit_bytes),
            }),
            other => Err(VolumeError::set_up(
                name,
                &format!("unknown storage medium {other:?}"),
            )),
        }
    }

    /// The least of what the node has, what the pod may use, and what the volume says (`calculateEmptyDirMemorySize`).
    fn memory_limit(&self, own: Option<u64>) -> Option<u64> {
        let node = self.lookups.node();
        let of_node = node.and_then(|node| bytes(&node["status"]["allocatable"]["memory"]));
        [of_node, memory_of(self.pod), own].into_iter().flatten().min()
    }

    fn claimed(
        &self,
        name: &str,
        claim_name: &str,
        read_only: bool,
        is_ephemeral: bool,
    ) -> Result<Planned, VolumeError> {
        let metadata = &self.pod["metadata"];
        let namespace = text(&metadata["namespace"]);
        let failed = |why: &str| VolumeError::unprocessed(name, why);
        let wrong = |why: &str| failed(&format!("error processing PVC {namespace}/{claim_name}: {why}"));
        let Some(claim) = self.lookups.claim(namespace, claim_name) else {
            return Err(wrong(&format!(
                "failed to fetch PVC from API server: persistentvolumeclaims {claim_name:?} not found"
            )));
        };
        let volume = self.bound(&claim).map_err(|error| wrong(&error))?;
        if is_ephemeral && !is_owned(&claim, metadata) {
            let pod = text(&metadata["name"]);
            return Err(failed(&format!(
                "PVC {namespace}/{claim_name} was not created for pod {namespace}/{pod} (pod is not owner)"
            )));
        }
        let mode = volume["spec"]["volumeMode"].as_str().unwrap_or("Filesystem");
        if mode != "Filesystem" {
            return Err(failed(&format!(
                "volume {name} has volumeMode {mode}, but is specified in volumeMounts"
            )));
        }
        let called = text(&volume["metadata"]["name"]);
        let content = match () {
            () if volume["spec"]["hostPath"].is_object() => host(&volume["spec"]["hostPath"]),
            () if volume["spec"]["local"].is_object() => Content::Local {
                path: text(&volume["spec"]["local"]["path"]).into(),
            },
            () => return Err(no_plugin(called)),
        };
        Ok(Planned {
            name: name.to_owned(),
            called: called.to_owned(),
            read_only,
            content,
        })
    }

    /// The volume that a claim is bound to (`desired_state_of_world_populator.go getPVCExtractPV, getPVSpec`).
    fn bound(&self, claim: &Value) -> Result<std::sync::Arc<Value>, String> {
        let metadata = &claim["metadata"];
        let is_protected = list(&metadata["finalizers"]).any(|name| name == "kubernetes.io/pvc-protection");
        if !metadata["deletionTimestamp"].is_null() && !is_protected {
            return Err("PVC is being deleted".to_owned());
        }
        if claim["status"]["phase"] != "Bound" {
            return Err("PVC is not bound".to_owned());
        }
        let name = text(&claim["spec"]["volumeName"]);
        if name.is_empty() {
            return Err("PVC has empty pvc.Spec.VolumeName".to_owned());
        }
        let Some(volume) = self.lookups.volume(name) else {
            return Err(format!(
                "failed to fetch PV {name} from API server: persistentvolumes {name:?} not found"
            ));
        };
        let reference = &volume["spec"]["claimRef"];
        if reference.is_null() {
            return Err(format!(
                "found PV object {name} but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim"
            ));
        }
        if reference["uid"] != metadata["uid"] {
            return Err(format!(
                "found PV object {name} but its pv.Spec.ClaimRef.UID {} does not point to claim.UID {}",
                text(&reference["uid"]),
                text(&metadata["uid"])
            ));
        }
        Ok(volume)
    }
}

fn no_plugin(called: &str) -> VolumeError {
    VolumeError::of(
        "MountVolume.FindPluginBySpec failed",
        called,
        "no volume plugin matched",
    )
}

fn is_owned(claim: &Value, pod: &Value) -> bool {
    list(&claim["metadata"]["ownerReferences"])
        .any(|owner| owner["controller"] == true && owner["uid"] == pod["uid"])
}

fn host(source: &Value) -> Content {
    Content::Host {
        path: text(&source["path"]).to_owned(),
        r#type: text(&source["type"]).to_owned(),
    }
}

fn type_of(volume: &Value) -> &'static str {
    let types = [
        ("configMap", "configmap"),
        ("secret", "secret"),
        ("downwardAPI", "downward-api"),
    ];
    let found = types.iter().find(|(field, _)| volume[*field].is_object());
    found.map_or("projected", |(_, name)| name)
}

/// The memory that a pod may use altogether; `None` where one of its containers has no limit.
fn memory_of(pod: &Value) -> Option<u64> {
    if let Some(own) = bytes(&pod["spec"]["resources"]["limits"]["memory"]) {
        return Some(own);
    }
    let limit = |container: &Value| bytes(&container["resources"]["limits"]["memory"]);
    let mut together: u64 = 0;
    for container in list(&pod["spec"]["containers"]) {
        together = together.saturating_add(limit(container)?);
    }
    let (mut beside, mut most) = (0_u64, 0_u64);
    for container in list(&pod["spec"]["initContainers"]) {
        let own = limit(container)?;
        if container["restartPolicy"] == "Always" {
            beside = beside.saturating_add(own);
            most = most.max(beside);
        } else {
            most = most.max(beside.saturating_add(own));
        }
    }
    Some(together.saturating_add(beside).max(most))
}

/// The user that every container names; root's files stay root's where they differ or one names none (`FsUserFrom`).
fn user_of(pod: &Value) -> Option<u32> {
    let common = id(&pod["spec"]["securityContext"]["runAsUser"]);
    let mut users =
        containers(pod).map(|container| id(&container["securityContext"]["runAsUser"]).or(common));
    let first = users.next()??;
    users.all(|user| user == Some(first)).then_some(first)
}

fn id(value: &Value) -> Option<u32> {
    u32::try_from(value.as_i64()?).ok()
}

fn bytes(value: &Value) -> Option<u64> {
    let quantity = match value {
        Value::String(text) => Quantity::parse(text).ok()?,
        Value::Number(number) => Quantity::parse(&number.to_string()).ok()?,
        _ => return None,
    };
    u64::try_from(quantity.value()).ok().filter(|bytes| *bytes > 0)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::memory::Memory;
    use serde_json::json;

    fn claim(name: &str, extra: &Value) -> Value {
        let mut claim = json!({"kind": "PersistentVolumeClaim",
            "metadata": {"namespace": "shop", "name": name, "uid": format!("uid-{name}")},
            "spec": {"volumeName": format!("pv-{name}")}, "status": {"phase": "Bound"}});
        for (pointer, value) in extra.as_object().into_iter().flatten() {
            *claim.pointer_mut(pointer).expect("a field to replace") = value.clone();
        }
        claim
    }

    fn volume(name: &str, source: Value) -> Value {
        let mut volume = json!({"kind": "PersistentVolume", "metadata": {"name": format!("pv-{name}")},
                                "spec": {"claimRef": {"uid": format!("uid-{name}")}}});
        for (field, value) in source.as_object().into_iter().flatten() {
            volume["spec"][field] = value.clone();
        }
        volume
    }

    fn world() -> Memory {
        let local = json!({"local": {"path": "/data/x"}});
        Memory::of([
            json!({"kind": "Node", "metadata": {"name": "n"}, "status": {"allocatable": {"memory": "1Gi"}}}),
            claim("good", &json!({})),
            volume("good", local.clone()),
            claim("host", &json!({})),
            volume("host", json!({"hostPath": {"path": "/srv", "type": "Directory"}})),
            claim("nfs", &json!({})),
            volume("nfs", json!({"nfs": {}})),
            claim("block", &json!({})),
            volume(
                "block",
                json!({"local": {"path": "/dev/x"}, "volumeMode": "Block"}),
            ),
            claim("waits", &json!({"/status/phase": "Pending"})),
            claim("lonely", &json!({})),
            claim("stolen", &json!({})),
            volume(
                "stolen",
                json!({"claimRef": {"uid": "other"}, "local": {"path": "/x"}}),
            ),
            claim("web-0-scratch", &json!({})),
            volume("web-0-scratch", local),
        ])
    }

    fn planned(volume: Value, spec: Value) -> Result<Planned, String> {
        let mut pod = json!({"metadata": {"namespace": "shop", "name": "web-0", "uid": "pod"}, "spec": spec});
        let mut volume = volume;
        volume["name"] = json!("data");
        pod["spec"]["volumes"] = json!([volume, {"name": "unused", "secret": {"secretName": "none"}}]);
        if pod["spec"]["containers"].is_null() {
            pod["spec"]["containers"] = json!([{"name": "main"}]);
        }
        pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
        let mut all = volumes(&pod, &world(), &Granted::new());
        assert_eq!(all.len(), 1, "what nobody mounts is not made");
        all.pop().expect("one").map_err(|error| error.message)
    }

    #[test]
    fn volumes_of_each_type() {
        let claimed = |name: &str| json!({"persistentVolumeClaim": {"claimName": name, "readOnly": true}});
        let host = |path: &str, r#type: &str| Content::Host {
            path: path.to_owned(),
            r#type: r#type.to_owned(),
        };
        let cases = [
            (
                json!({"emptyDir": {}}),
                "data",
                false,
                Content::Empty { limit_bytes: None },
            ),
            (
                json!({"emptyDir": {"sizeLimit": "1Mi"}}),
                "data",
                false,
                Content::Empty {
                    limit_bytes: Some(1 << 20),
                },
            ),
            (
                json!({"emptyDir": {"medium": "Memory"}}),
                "data",
                false,
                Content::Memory {
                    limit_bytes: Some(1 << 30),
                },
            ),
            (
                json!({"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}),
                "data",
                false,
                Content::Memory {
                    limit_bytes: Some(1 << 20),
                },
            ),
            (
                json!({"hostPath": {"path": "/run/x", "type": "Socket"}}),
                "data",
                false,
                host("/run/x", "Socket"),
            ),
            (claimed("host"), "pv-host", true, host("/srv", "Directory")),
            (
                claimed("good"),
                "pv-good",
                true,
                Content::Local {
                    path: "/data/x".into(),
                },
            ),
        ];
        for (volume, called, read_only, content) in cases {
            let expected = Planned {
                name: "data".to_owned(),
                called: called.to_owned(),
                read_only,
                content,
            };
            assert_eq!(planned(volume.clone(), json!({})), Ok(expected), "{volume}");
        }
    }

    #[test]
    fn memory_is_bounded_by_the_pod() {
        let limited = |memory: &str| json!({"name": "c", "resources": {"limits": {"memory": memory}}});
        let mut sidecar = limited("2Mi");
        sidecar["restartPolicy"] = json!("Always");
        let cases = [
            (json!({"containers": [limited("1Mi"), limited("2Mi")]}), 3 << 20),
            (json!({"containers": [limited("1Mi"), {"name": "free"}]}), 1 << 30),
            (
                json!({"containers": [limited("1Mi")], "initContainers": [limited("8Mi")]}),
                8 << 20,
            ),
            (
                json!({"containers": [limited("1Mi")], "initContainers": [sidecar]}),
                3 << 20,
            ),
            (json!({"resources": {"limits": {"memory": "5Mi"}}}), 5 << 20),
        ];
        for (spec, expected) in cases {
            let found = planned(json!({"emptyDir": {"medium": "Memory"}}), spec.clone())
                .map(|planned| planned.content);
            let expected = Content::Memory {
                limit_bytes: Some(expected),
            };
            assert_eq!(found, Ok(expected), "{spec}");
        }
    }

    #[test]
    fn what_cannot_be_is_said_in_upstreams_words() {
        let claimed = |name: &str| json!({"persistentVolumeClaim": {"claimName": name}});
        let head = "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], \
                    failed to process volumes=[data]: ";
        let cases = [
            (
                claimed("none"),
                format!(
                    "{head}error processing PVC shop/none: failed to fetch PVC from API server: \
                     persistentvolumeclaims \"none\" not found"
                ),
            ),
            (claimed("waits"), format!("{head}error processing PVC shop/waits: PVC is not bound")),
            (
                claimed("lonely"),
                format!(
                    "{head}error processing PVC shop/lonely: failed to fetch PV pv-lonely from API server: \
                     persistentvolumes \"pv-lonely\" not found"
                ),
            ),
            (
                claimed("stolen"),
                format!(
                    "{head}error processing PVC shop/stolen: found PV object pv-stolen but its pv.Spec.ClaimRef.UID \
                     other does not point to claim.UID uid-stolen"
                ),
            ),
            (
                claimed("block"),
                format!("{head}volume data has volumeMode Block, but is specified in volumeMounts"),
            ),
            (
                claimed("nfs"),
                "MountVolume.FindPluginBySpec failed for volume \"pv-nfs\" : no volume plugin matched".to_owned(),
            ),
            (
                json!({"ephemeral": {"volumeClaimTemplate": {}}}).clone(),
                format!("{head}PVC shop/web-0-data was not created for pod shop/web-0 (pod is not owner)")
                    .replace("PVC shop/web-0-data was", "error processing PVC shop/web-0-data: failed to fetch PVC from API server: persistentvolumeclaims \"web-0-data\" not found")
                    .replace(" not created for pod shop/web-0 (pod is not owner)", ""),
            ),
            (
                json!({"secret": {"secretName": "none"}}),
                "MountVolume.SetUp failed for volume \"data\" : secret \"none\" not found".to_owned(),
            ),
            (
                json!({"emptyDir": {"medium": "HugePages"}}),
                "MountVolume.SetUp failed for volume \"data\" : unknown storage medium \"HugePages\"".to_owned(),
            ),
            (
                json!({"csi": {"driver": "x.y"}}),
                "MountVolume.NewMounter initialization failed for volume \"data\" : driver name x.y not found in the \
                 list of registered CSI drivers"
                    .to_owned(),
            ),
        ];
        for (volume, expected) in cases {
            assert_eq!(planned(volume.clone(), json!({})), Err(expected), "{volume}");
        }
    }

    #[test]
    fn an_ephemeral_claim_belongs_to_its_pod() {
        let mut world = world();
        let mut owned = claim("web-0-data", &json!({}));
        let pod = json!({"metadata": {"namespace": "shop", "name": "web-0", "uid": "pod"}, "spec": {
            "volumes": [{"name": "data", "ephemeral": {}}],
            "containers": [{"volumeMounts": [{"name": "data", "mountPath": "/d"}]}]}});
        let look = |world: &Memory| {
            let found = volumes(&pod, world, &Granted::new()).pop().expect("one");
            found.map(|planned| planned.called).map_err(|error| error.message)
        };
        world
            .0
            .push(volume("web-0-data", json!({"local": {"path": "/x"}})).into());
        world.0.push(owned.clone().into());
        let error = look(&world).expect_err("it is somebody else's");
        assert!(
            error.ends_with("PVC shop/web-0-data was not created for pod shop/web-0 (pod is not owner)"),
            "{error}"
        );
        world.0.pop();
        owned["metadata"]["ownerReferences"] = json!([{"controller": true, "uid": "pod"}]);
        world.0.push(owned.into());
        assert_eq!(look(&world), Ok("pv-web-0-data".to_owned()));
    }

    #[test]
    fn owners_of_volumes() {
        let user = |spec: Value| Owners::of(&json!({"spec": spec})).user;
        let of = |id: i64| json!({"securityContext": {"runAsUser": id}});
        assert_eq!(user(json!({"containers": [of(5), of(5)]})), Some(5));
        assert_eq!(user(json!({"containers": [of(5), of(6)]})), None);
        assert_eq!(user(json!({"containers": [of(5), {}]})), None);
        assert_eq!(
            user(json!({"containers": [of(7), {}], "securityContext": {"runAsUser": 7}})),
            Some(7)
        );
        let owners = Owners::of(
            &json!({"spec": {"securityContext": {"fsGroup": 9, "fsGroupChangePolicy": "OnRootMismatch"}}}),
        );
        assert_eq!((owners.group, owners.only_on_mismatch), (Some(9), true));
    }

    #[test]
    fn objects_that_a_pod_names() {
        let pod = json!({"spec": {"volumes": [{"configMap": {"name": "a"}}, {"secret": {"secretName": "b"}},
            {"projected": {"sources": [{"configMap": {"name": "c"}}, {"secret": {"name": "d"}}]}}]}});
        let cases = [("ConfigMap", "ac"), ("Secret", "bd"), ("Pod", "")];
        for (kind, names) in cases {
            for name in ["a", "b", "c", "d"] {
                assert_eq!(refers_to(&pod, kind, name), names.contains(name), "{kind} {name}");
            }
        }
    }
}
