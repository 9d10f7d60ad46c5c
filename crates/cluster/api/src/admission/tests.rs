//! The whole chain over objects in memory; the texts are those that a real API server (1.34.2) gave.

use std::sync::{Mutex, MutexGuard};

use serde_json::{Value, json};

use super::objects::{Memory, Objects};
use super::world::{NotCharged, Waiting};
use super::*;

/// Objects that only the charge of a quota changes.
#[derive(Default)]
struct Still {
    memory: Mutex<Memory>,
}

impl Still {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap()
    }
}

impl Objects for Still {
    fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        self.lock().get(resource, namespace, name)
    }

    fn list(&self, resource: &str, namespace: &str) -> Vec<Value> {
        self.lock().list(resource, namespace)
    }
}

impl World for Still {
    fn objects(&self) -> &dyn Objects {
        self
    }

    fn appears<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        name: &'a str,
        _: Duration,
    ) -> Waiting<'a, Option<Value>> {
        // The controller makes the default account while the first pod waits.
        let account = json!({"metadata": {"name": name, "namespace": "late"}});
        Box::pin(std::future::ready((name == "default").then_some(account)))
    }

    fn charge(&self, mut quota: Value) -> Waiting<'_, Result<(), NotCharged>> {
        let mut memory = self.lock();
        let name = quota["metadata"]["name"].as_str().unwrap();
        let mut current = memory.get("/resourcequotas", "shop", name).unwrap();
        let version = |quota: &Value| quota["metadata"]["resourceVersion"].as_i64().unwrap();
        let (now, seen) = (version(&current), version(&quota));
        // The very first attempt meets somebody else's write.
        let result = if now != seen || now == 0 {
            current["metadata"]["resourceVersion"] = (now + 1).into();
            memory.put("/resourcequotas", current);
            Err(NotCharged::Changed)
        } else {
            quota["metadata"]["resourceVersion"] = (now + 1).into();
            memory.put("/resourcequotas", quota);
            Ok(())
        };
        Box::pin(std::future::ready(result))
    }
}

struct Cluster {
    world: Arc<Still>,
    chain: Chain,
}

/// A namespace `shop` with a default account, one that ends, and one without an account.
fn cluster(more: &[(&str, Value)]) -> Cluster {
    let world = Arc::new(Still::default());
    {
        let mut memory = world.lock();
        for (name, phase) in [("shop", "Active"), ("leaving", "Terminating"), ("late", "Active")] {
            memory.put(
                "/namespaces",
                json!({"metadata": {"name": name}, "status": {"phase": phase}}),
            );
        }
        let account = json!({"metadata": {"name": "default", "namespace": "shop"}, "imagePullSecrets": [{"name": "pull"}]});
        memory.put("/serviceaccounts", account);
        for (resource, object) in more {
            memory.put(resource, object.clone());
        }
    }
    let chain = Chain::new(world.clone(), Arc::new(Rbac::default()), Options::default());
    Cluster { world, chain }
}

impl Cluster {
    /// Sends an object through the chain: `pods`, `ingresses.networking.k8s.io`.
    fn write(&self, qualified: &str, new: Value, old: Option<&Value>) -> Result<Value, String> {
        self.write_in("shop", qualified, new, old, false)
    }

    fn create(&self, qualified: &str, new: Value) -> Result<Value, String> {
        self.write(qualified, new, None)
    }

    fn write_in(
        &self,
        namespace: &str,
        qualified: &str,
        new: Value,
        old: Option<&Value>,
        dry_run: bool,
    ) -> Result<Value, String> {
        let mut object = new;
        let name = text(&object["metadata"]["name"]).to_owned();
        let kind = text(&object["kind"]).to_owned();
        let (resource, group) = qualified.split_once('.').unwrap_or((qualified, ""));
        let user = UserInfo::named("alice", &["system:masters"]);
        let mut request = AdmissionRequest {
            operation: if old.is_some() {
                Operation::Update
            } else {
                Operation::Create
            },
            group,
            version: "v1",
            resource,
            subresource: "",
            kind: &kind,
            namespace,
            name: &name,
            object: &mut object,
            old_object: old,
            user: &user,
            dry_run,
            options: &Value::Null,
            warnings: Vec::new(),
        };
        let run = async {
            self.chain.admit(&mut request).await?;
            self.chain.validate(&mut request).await
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run).map_err(|error| error.message)?;
        Ok(object)
    }
}

fn pod(name: &str, resources: Value, spec: Value) -> Value {
    let mut pod = json!({
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "x", "resources": resources}]},
    });
    for (key, value) in spec.as_object().unwrap() {
        pod["spec"][key] = value.clone();
    }
    pod
}

fn bare(spec: Value) -> Value {
    pod("p1", json!({}), spec)
}

#[test]
fn namespaces_must_be_there_and_stay() {
    let cluster = cluster(&[]);
    let map = json!({"kind": "ConfigMap", "metadata": {"name": "a"}});
    let write = |namespace: &str| cluster.write_in(namespace, "configmaps", map.clone(), None, false);
    assert!(write("shop").is_ok());
    assert_eq!(write("nope"), Err("namespaces \"nope\" not found".to_owned()));
    let ending = "configmaps \"a\" is forbidden: unable to create new content in namespace leaving because it is being terminated";
    assert_eq!(write("leaving"), Err(ending.to_owned()));
    let update = cluster.write_in("leaving", "configmaps", map.clone(), Some(&map), false);
    assert!(update.is_ok(), "what is there may change until it goes");
    let objects = cluster.world.objects();
    let mut null = Value::Null;
    let user = UserInfo::default();
    let mut deletion = AdmissionRequest {
        operation: Operation::Delete,
        group: "",
        version: "v1",
        resource: "namespaces",
        subresource: "",
        kind: "Namespace",
        namespace: "default",
        name: "default",
        object: &mut null,
        old_object: None,
        user: &user,
        dry_run: false,
        options: &Value::Null,
        warnings: Vec::new(),
    };
    let error = namespaces::admit(objects, &mut deletion).unwrap_err();
    assert_eq!(
        error.message,
        "namespaces \"default\" is forbidden: this namespace may not be deleted"
    );
    deletion.name = "kube-node-lease";
    assert!(namespaces::admit(objects, &mut deletion).is_ok());
    let mut labelled = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let mut change = AdmissionRequest {
        operation: Operation::Update,
        object: &mut labelled,
        ..deletion
    };
    assert!(namespaces::admit(objects, &mut change).is_ok());
    let warning = "pod-security.kubernetes.io/enforce=restricted: this cluster does not enforce Pod Security Standards yet";
    assert_eq!(change.warnings, [warning]);
}

#[test]
fn a_pod_gets_what_every_pod_has() {
    let cluster = cluster(&[]);
    let admitted = cluster.create("pods", bare(json!({}))).unwrap();
    let spec = &admitted["spec"];
    assert_eq!(
        (&spec["serviceAccountName"], &spec["serviceAccount"]),
        (&json!("default"), &json!("default"))
    );
    assert_eq!(spec["imagePullSecrets"], json!([{"name": "pull"}]));
    assert_eq!(
        (&spec["priority"], &spec["preemptionPolicy"]),
        (&json!(0), &json!("PreemptLowerPriority"))
    );
    let toleration = |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
    let expected = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"].map(toleration);
    assert_eq!(spec["tolerations"], json!(expected));
    let volume = &spec["volumes"][0];
    assert!(text(&volume["name"]).starts_with("kube-api-access-"));
    let mount = json!({"name": volume["name"], "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"});
    assert_eq!(spec["containers"][0]["volumeMounts"], json!([mount]));
    let projected = json!({"sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ], "defaultMode": 420});
    assert_eq!(volume["projected"], projected);
    // Sent again, as an update, nothing is added.
    let again = cluster.write("pods", admitted.clone(), Some(&admitted)).unwrap();
    assert_eq!(again, admitted);
    let quiet = cluster
        .create("pods", bare(json!({"automountServiceAccountToken": false})))
        .unwrap();
    assert!(quiet["spec"]["volumes"].is_null());
    let late = cluster.write_in(
        "late",
        "pods",
        bare(json!({"automountServiceAccountToken": false})),
        None,
        false,
    );
    let missing = "pods \"p1\" is forbidden: error looking up service account late/default: serviceaccount \"default\" not found";
    assert_eq!(
        late,
        Err(missing.to_owned()),
        "it appeared for the first part, and was gone for the second"
    );
}

#[test]
fn pods_that_are_refused() {
    let strict = json!({
        "metadata": {"name": "strict", "namespace": "shop", "annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}},
        "secrets": [{"name": "mine"}],
    });
    let class = json!({
        "metadata": {"name": "slow"},
        "overhead": {"podFixed": {"cpu": "100m"}},
        "scheduling": {"nodeSelector": {"a": "b"}, "tolerations": [{"key": "k"}]},
    });
    let cluster = cluster(&[
        ("/serviceaccounts", strict),
        ("node.k8s.io/runtimeclasses", class),
    ]);
    let cases = [
        (
            json!({"serviceAccountName": "nope"}),
            "error looking up service account shop/nope: serviceaccount \"nope\" not found",
        ),
        (
            json!({"priorityClassName": "nope"}),
            "no PriorityClass with name nope was found",
        ),
        (
            json!({"priority": 7}),
            "the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name",
        ),
        (
            json!({"preemptionPolicy": "Never"}),
            "the string value of PreemptionPolicy (Never) must not be provided in pod spec; priority admission controller computed PreemptLowerPriority from the given PriorityClass name",
        ),
        (
            json!({"runtimeClassName": "nope"}),
            "pod rejected: RuntimeClass \"nope\" not found",
        ),
        (
            json!({"overhead": {"cpu": "1"}}),
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
        (
            json!({"runtimeClassName": "slow", "overhead": {"cpu": "1"}}),
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
        ),
        (
            json!({"runtimeClassName": "slow", "nodeSelector": {"a": "c"}}),
            "conflict: runtimeClass.scheduling.nodeSelector[a] = b; pod.spec.nodeSelector[a] = c",
        ),
        (
            json!({"serviceAccountName": "strict", "volumes": [{"name": "v", "secret": {"secretName": "other"}}]}),
            "volume with secret.secretName=\"other\" is not allowed because service account strict does not reference that secret",
        ),
    ];
    for (spec, why) in cases {
        let expected = format!("pods \"p1\" is forbidden: {why}");
        assert_eq!(
            cluster.create("pods", bare(spec.clone())),
            Err(expected),
            "{spec}"
        );
    }
    let slow = cluster
        .create("pods", bare(json!({"runtimeClassName": "slow"})))
        .unwrap();
    assert_eq!(slow["spec"]["overhead"], json!({"cpu": "100m"}));
    assert_eq!(slow["spec"]["nodeSelector"], json!({"a": "b"}));
    assert_eq!(slow["spec"]["tolerations"][2], json!({"key": "k"}));
    let mut mirror = bare(json!({"serviceAccountName": "default"}));
    mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
    let refused = cluster.create("pods", mirror).unwrap_err();
    assert!(refused.ends_with("a mirror pod may not reference service accounts"));
}

#[test]
fn priority_comes_from_classes() {
    let class = |name: &str, value: i64, default: bool| {
        (
            "scheduling.k8s.io/priorityclasses",
            json!({"kind": "PriorityClass", "metadata": {"name": name}, "value": value, "globalDefault": default, "preemptionPolicy": "Never"}),
        )
    };
    let cluster = cluster(&[class("high", 100, false), class("usual", 10, true)]);
    let named = cluster
        .create("pods", bare(json!({"priorityClassName": "high"})))
        .unwrap();
    assert_eq!(
        (&named["spec"]["priority"], &named["spec"]["preemptionPolicy"]),
        (&json!(100), &json!("Never"))
    );
    let usual = cluster.create("pods", bare(json!({}))).unwrap();
    assert_eq!(
        (&usual["spec"]["priorityClassName"], &usual["spec"]["priority"]),
        (&json!("usual"), &json!(10))
    );
    let (_, second) = class("second", 1, true);
    let expected = "priorityclasses.scheduling.k8s.io \"second\" is forbidden: PriorityClass usual is already marked as default. Only one default can exist";
    let write = |new: Value, old: Option<&Value>| {
        cluster.write_in("", "priorityclasses.scheduling.k8s.io", new, old, false)
    };
    assert_eq!(write(second, None), Err(expected.to_owned()));
    let (_, same) = class("usual", 10, true);
    assert!(write(same.clone(), Some(&same)).is_ok());
}

#[test]
fn limit_ranges_fill_in_and_refuse() {
    let range = json!({"metadata": {"name": "lr", "namespace": "shop"}, "spec": {"limits": [
        {"type": "Container", "default": {"cpu": "500m", "memory": "64Mi"}, "defaultRequest": {"cpu": "100m", "memory": "64Mi"},
         "min": {"cpu": "50m"}, "max": {"cpu": "1", "memory": "1Gi"}, "maxLimitRequestRatio": {"cpu": "10"}},
        {"type": "Pod", "max": {"cpu": "2"}},
        {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "5Gi"}},
    ]}});
    let cluster = cluster(&[("/limitranges", range)]);
    let filled = cluster.create("pods", bare(json!({}))).unwrap();
    let resources =
        json!({"limits": {"cpu": "500m", "memory": "64Mi"}, "requests": {"cpu": "100m", "memory": "64Mi"}});
    assert_eq!(filled["spec"]["containers"][0]["resources"], resources);
    let note =
        "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c";
    assert_eq!(
        filled["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        note
    );
    let cases = [
        (
            json!({"limits": {"cpu": "3", "memory": "2Gi"}, "requests": {"cpu": "10m"}}),
            "[minimum cpu usage per Container is 50m, but request is 10m, maximum cpu usage per Container is 1, but limit is 3, maximum memory usage per Container is 1Gi, but limit is 2Gi, cpu max limit to request ratio per Container is 10, but provided ratio is 300.000000, maximum cpu usage per Pod is 2, but limit is 3]",
        ),
        (
            json!({"limits": {"cpu": "30m"}, "requests": {"cpu": "30m"}}),
            "minimum cpu usage per Container is 50m, but request is 30m",
        ),
        (
            json!({"limits": {"cpu": "0.9"}, "requests": {"cpu": "51m"}}),
            "cpu max limit to request ratio per Container is 10, but provided ratio is 17.647059",
        ),
    ];
    for (resources, why) in cases {
        let expected = format!("pods \"p1\" is forbidden: {why}");
        assert_eq!(
            cluster.create("pods", pod("p1", resources, json!({}))),
            Err(expected)
        );
    }
    let claim = |size: &str| json!({"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {"resources": {"requests": {"storage": size}}}});
    for (size, why) in [
        (
            "10Gi",
            "maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 10Gi",
        ),
        (
            "10Mi",
            "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 10Mi",
        ),
    ] {
        let expected = format!("persistentvolumeclaims \"c\" is forbidden: {why}");
        assert_eq!(
            cluster.create("persistentvolumeclaims", claim(size)),
            Err(expected)
        );
    }
}

#[test]
fn quotas_are_charged_and_refuse() {
    let amounts = |list: &[(&str, &str)]| -> Value {
        list.iter()
            .map(|(k, v)| ((*k).to_owned(), json!(v)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let hard = amounts(&[
        ("configmaps", "3"),
        ("cpu", "1"),
        ("memory", "1Gi"),
        ("pods", "2"),
        ("requests.storage", "5Gi"),
        ("services.nodeports", "1"),
    ]);
    let used = amounts(&[
        ("configmaps", "1"),
        ("cpu", "0"),
        ("memory", "0"),
        ("pods", "0"),
        ("requests.storage", "0"),
        ("services.nodeports", "0"),
    ]);
    let quota = json!({"metadata": {"name": "q1", "namespace": "shop", "resourceVersion": 0}, "spec": {"hard": hard}, "status": {"hard": hard, "used": used}});
    let cluster = cluster(&[("/resourcequotas", quota)]);
    let used = || cluster.world.get("/resourcequotas", "shop", "q1").unwrap()["status"]["used"].clone();
    let refused = |result: Result<Value, String>| result.unwrap_err();
    assert_eq!(
        refused(cluster.create("pods", bare(json!({})))),
        "pods \"p1\" is forbidden: failed quota: q1: must specify cpu for: c; memory for: c"
    );
    let asks = |name: &str, cpu: &str, memory: &str| {
        pod(
            name,
            json!({"requests": {"cpu": cpu, "memory": memory}}),
            json!({}),
        )
    };
    cluster
        .write_in("shop", "pods", asks("p1", "600m", "100Mi"), None, true)
        .unwrap();
    assert_eq!(used()["pods"], "0", "a dry run costs nothing");
    cluster.create("pods", asks("p1", "600m", "100Mi")).unwrap();
    assert_eq!(
        used(),
        amounts(&[
            ("configmaps", "1"),
            ("cpu", "600m"),
            ("memory", "100Mi"),
            ("pods", "1"),
            ("requests.storage", "0"),
            ("services.nodeports", "0")
        ])
    );
    assert_eq!(
        refused(cluster.create("pods", asks("p2", "600m", "2Gi"))),
        "pods \"p2\" is forbidden: exceeded quota: q1, requested: cpu=600m,memory=2Gi, used: cpu=600m,memory=100Mi, limited: cpu=1,memory=1Gi"
    );
    let service = json!({"kind": "Service", "metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": [{"port": 80}, {"port": 81}]}});
    assert_eq!(
        refused(cluster.create("services", service)),
        "services \"s\" is forbidden: exceeded quota: q1, requested: services.nodeports=2, used: services.nodeports=0, limited: services.nodeports=1"
    );
    let map = json!({"kind": "ConfigMap", "metadata": {"generateName": "x-"}});
    cluster.create("configmaps", map.clone()).unwrap();
    cluster.create("configmaps", map.clone()).unwrap();
    assert_eq!(
        refused(cluster.create("configmaps", map)),
        "configmaps \"x-\" is forbidden: exceeded quota: q1, requested: configmaps=1, used: configmaps=3, limited: configmaps=3"
    );
    let claim = |size: &str| json!({"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {"resources": {"requests": {"storage": size}}}});
    assert_eq!(
        refused(cluster.create("persistentvolumeclaims", claim("10Gi"))),
        "persistentvolumeclaims \"c\" is forbidden: exceeded quota: q1, requested: requests.storage=10Gi, used: requests.storage=0, limited: requests.storage=5Gi"
    );
    let small = cluster.create("persistentvolumeclaims", claim("1Gi")).unwrap();
    assert_eq!(used()["requests.storage"], "1Gi");
    let mut shrunk = small.clone();
    shrunk["spec"]["resources"]["requests"]["storage"] = "512Mi".into();
    cluster
        .write("persistentvolumeclaims", shrunk, Some(&small))
        .unwrap();
    assert_eq!(
        used()["requests.storage"],
        "1Gi",
        "an update charges what is added, and nothing is given back"
    );
}

#[test]
fn scopes_narrow_a_quota() {
    let quota = |name: &str, spec: Value| {
        let mut quota =
            json!({"metadata": {"name": name, "namespace": "shop", "resourceVersion": 1}, "spec": spec});
        quota["status"] = json!({"hard": {"pods": "0"}, "used": {"pods": "0"}});
        ("/resourcequotas", quota)
    };
    let selector = json!({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}});
    let high = json!({"metadata": {"name": "high"}, "value": 5});
    let cluster = cluster(&[
        quota("be", json!({"scopes": ["BestEffort", "NotTerminating"]})),
        quota("high", selector),
        ("scheduling.k8s.io/priorityclasses", high),
    ]);
    let refused =
        "pods \"p1\" is forbidden: exceeded quota: be, requested: pods=1, used: pods=0, limited: pods=0";
    assert_eq!(cluster.create("pods", bare(json!({}))), Err(refused.to_owned()));
    let asks = json!({"requests": {"cpu": "1m"}});
    assert!(cluster.create("pods", pod("p1", asks.clone(), json!({}))).is_ok());
    assert!(
        cluster
            .create("pods", bare(json!({"activeDeadlineSeconds": 5})))
            .is_ok()
    );
    let refused = cluster
        .create("pods", pod("p1", asks, json!({"priorityClassName": "high"})))
        .unwrap_err();
    assert!(refused.contains("exceeded quota: high"), "{refused}");
    assert!(
        cluster
            .create(
                "configmaps",
                json!({"kind": "ConfigMap", "metadata": {"name": "a"}})
            )
            .is_ok()
    );
}

#[test]
fn classes_are_chosen_and_claims_protected() {
    let class = |name: &str, made: &str, grows: bool| {
        (
            "storage.k8s.io/storageclasses",
            json!({
                "metadata": {"name": name, "creationTimestamp": made, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
                "allowVolumeExpansion": grows,
            }),
        )
    };
    let ingress_class = json!({"metadata": {"name": "nginx", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}});
    let cluster = cluster(&[
        class("old", "2026-01-01T00:00:00Z", false),
        class("new", "2026-02-01T00:00:00Z", true),
        ("networking.k8s.io/ingressclasses", ingress_class),
    ]);
    let claim = json!({"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}});
    let mut made = cluster.create("persistentvolumeclaims", claim).unwrap();
    assert_eq!(made["spec"]["storageClassName"], "new");
    assert_eq!(
        made["metadata"]["finalizers"],
        json!(["kubernetes.io/pvc-protection"])
    );
    let grow = |old: &Value| {
        let mut new = old.clone();
        new["spec"]["resources"]["requests"]["storage"] = "2Gi".into();
        cluster.write("persistentvolumeclaims", new, Some(old))
    };
    let refused =
        "persistentvolumeclaims \"c\" is forbidden: Only bound persistent volume claims can be expanded";
    assert_eq!(grow(&made), Err(refused.to_owned()));
    made["status"] = json!({"phase": "Bound"});
    assert!(grow(&made).is_ok());
    made["spec"]["storageClassName"] = "old".into();
    let refused = "persistentvolumeclaims \"c\" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
    assert_eq!(grow(&made), Err(refused.to_owned()));
    let ingress = json!({"kind": "Ingress", "metadata": {"name": "i"}, "spec": {}});
    let made = cluster
        .create("ingresses.networking.k8s.io", ingress.clone())
        .unwrap();
    assert_eq!(made["spec"]["ingressClassName"], "nginx");
    let mut annotated = ingress;
    annotated["metadata"]["annotations"] = json!({"kubernetes.io/ingress.class": "other"});
    let made = cluster.create("ingresses.networking.k8s.io", annotated).unwrap();
    assert!(made["spec"]["ingressClassName"].is_null());
    let node = cluster
        .write_in(
            "",
            "nodes",
            json!({"kind": "Node", "metadata": {"name": "n"}}),
            None,
            false,
        )
        .unwrap();
    assert_eq!(
        node["spec"]["taints"],
        json!([{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}])
    );
}
