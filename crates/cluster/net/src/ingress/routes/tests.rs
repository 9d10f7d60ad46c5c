//! Tables: which request goes where.

use serde_json::{Value, json};

use super::*;
use crate::ingress::counts::Counts;

fn class(name: &str, controller: &str, default: bool) -> Arc<Value> {
    Arc::new(json!({
        "metadata": {
            "name": name,
            "annotations": {"ingressclass.kubernetes.io/is-default-class": default.to_string()},
        },
        "spec": {"controller": controller},
    }))
}

fn service(name: &str) -> Arc<Value> {
    Arc::new(json!({
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"ports": [{"name": "http", "port": 80}, {"name": "admin", "port": 81}]},
    }))
}

fn slice(service: &str, last: u8, ready: Value) -> Arc<Value> {
    Arc::new(json!({
        "metadata": {
            "name": format!("{service}-{last}"), "namespace": "shop",
            "labels": {"kubernetes.io/service-name": service},
        },
        "ports": [{"name": "http", "port": 8080}, {"name": "admin", "port": 8081}],
        "endpoints": [{
            "addresses": [format!("10.0.0.{last}")],
            "conditions": ready,
            "targetRef": {"kind": "Pod", "name": format!("{service}-pod")},
        }],
    }))
}

fn backend(service: &str) -> Value {
    json!({"service": {"name": service, "port": {"number": 80}}})
}

/// An Ingress of rules as `host path type service`, `-` for no host.
fn ingress(name: &str, rules: &[&str], annotations: Value) -> Arc<Value> {
    let rules: Vec<Value> = rules
        .iter()
        .map(|rule| {
            let words: Vec<&str> = rule.split(' ').collect();
            let [host, path, kind, service] = words[..] else {
                panic!("four words");
            };
            let mut rule =
                json!({"http": {"paths": [{"path": path, "pathType": kind, "backend": backend(service)}]}});
            if host != "-" {
                rule["host"] = host.into();
            }
            rule
        })
        .collect();
    Arc::new(json!({
        "metadata": {
            "name": name, "namespace": "shop", "annotations": annotations,
            "creationTimestamp": format!("2026-01-01T00:00:0{}Z", name.len() % 10),
        },
        "spec": {"rules": rules},
    }))
}

fn built(ingresses: &[Arc<Value>]) -> Built {
    let names: std::collections::BTreeSet<String> = ingresses
        .iter()
        .flat_map(|ingress| {
            let text = ingress.to_string();
            let parts: Vec<String> = text
                .split("\"service\":{\"name\":\"")
                .skip(1)
                .map(str::to_owned)
                .collect();
            parts
        })
        .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
        .collect();
    let services: Vec<Arc<Value>> = names.iter().map(|name| service(name)).collect();
    let objects = Objects {
        classes: &[
            class("deploy", CONTROLLER, true),
            class("other", "example.com/other", false),
        ],
        ingresses,
        services: &services,
        slices: &[],
        version: &|_, _| None,
    };
    Routes::of(&objects, &Routes::default(), &Counts::default())
}

#[track_caller]
fn goes(built: &Built, host: &str, path: &str, service: &str) {
    let found = built.routes.find(host, path);
    let to = found.map_or("-".to_owned(), |found| found.route.backend.service.to_string());
    assert_eq!(to, service, "{host}{path}");
}

#[test]
fn paths_fit_as_the_specification_says() {
    // The table of "Examples" in the documentation of Ingress.
    for (kind, rule, path, fits) in [
        ("Prefix", "/", "/any/thing", true),
        ("Exact", "/foo", "/foo", true),
        ("Exact", "/foo", "/bar", false),
        ("Exact", "/foo", "/foo/", false),
        ("Exact", "/foo/", "/foo", false),
        ("Prefix", "/foo", "/foo", true),
        ("Prefix", "/foo", "/foo/", true),
        ("Prefix", "/foo/", "/foo", true),
        ("Prefix", "/foo/", "/foo/", true),
        ("Prefix", "/aaa/bb", "/aaa/bbb", false),
        ("Prefix", "/aaa/bbb", "/aaa/bbb", true),
        ("Prefix", "/aaa/bbb/", "/aaa/bbb", true),
        ("Prefix", "/aaa/bbb", "/aaa/bbb/", true),
        ("Prefix", "/aaa/bbb", "/aaa/bbb/ccc", true),
        ("Prefix", "/aaa/bbb", "/aaa/bbbxyz", false),
        ("Prefix", "/foo", "/Foo", false),
        ("ImplementationSpecific", "/foo", "/foo/bar", true),
        ("ImplementationSpecific", "/foo", "/foobar", false),
    ] {
        let built = built(&[ingress("a", &[&format!("h {rule} {kind} web")], json!({}))]);
        goes(&built, "h", path, if fits { "web" } else { "-" });
    }
}

#[test]
fn the_most_specific_rule_wins() {
    let built = built(&[ingress(
        "a",
        &[
            "shop.example / Prefix root",
            "shop.example /api Prefix api",
            "shop.example /api/v1 Prefix v1",
            "shop.example /api/v1 Exact exact",
            "*.example / Prefix wild",
            "*.example /only Prefix only",
            "- / Prefix any",
        ],
        json!({}),
    )]);
    for (host, path, service) in [
        ("shop.example", "/", "root"),
        ("shop.example", "/apis", "root"),
        ("shop.example", "/api/x", "api"),
        ("shop.example", "/api/v1", "exact"),
        ("shop.example", "/api/v1/", "v1"),
        ("shop.example", "/only", "root"),
        ("other.example", "/", "wild"),
        ("other.example", "/only/x", "only"),
        ("a.b.example", "/", "any"),
        ("example", "/", "any"),
        ("elsewhere", "/", "any"),
    ] {
        goes(&built, host, path, service);
    }
}

#[test]
fn what_no_path_takes_goes_to_the_default() {
    let mut with_default = (*ingress("a", &["shop.example /api Prefix api"], json!({}))).clone();
    with_default["spec"]["defaultBackend"] = backend("fallback");
    let built_with = built(&[
        Arc::new(with_default.clone()),
        ingress("bb", &["b.example /x Prefix x"], json!({})),
    ]);
    goes(&built_with, "shop.example", "/api", "api");
    goes(&built_with, "shop.example", "/", "fallback");
    goes(&built_with, "b.example", "/", "fallback");
    goes(&built_with, "elsewhere", "/", "fallback");
    with_default["spec"]["rules"][0]["http"]["paths"][0]["path"] = "/".into();
    goes(&built(&[Arc::new(with_default)]), "shop.example", "/x", "api");
    let without = built(&[ingress("a", &["shop.example /api Prefix api"], json!({}))]);
    goes(&without, "shop.example", "/", "-");
}

#[test]
fn only_our_classes_count() {
    let of_class = |name: Option<&str>, annotation: Option<&str>| {
        let mut made = (*ingress("a", &["h / Prefix web"], json!({}))).clone();
        if let Some(name) = name {
            made["spec"]["ingressClassName"] = name.into();
        }
        if let Some(name) = annotation {
            made["metadata"]["annotations"]["kubernetes.io/ingress.class"] = name.into();
        }
        built(&[Arc::new(made)]).ours.len()
    };
    assert_eq!(of_class(Some("deploy"), None), 1);
    assert_eq!(of_class(None, Some("deploy")), 1);
    assert_eq!(of_class(None, None), 1, "ours is the default");
    assert_eq!(of_class(Some("other"), None), 0);
    assert_eq!(of_class(None, Some("other")), 0);
    assert_eq!(of_class(Some("gone"), None), 0);
}

#[test]
fn the_older_ingress_keeps_its_path() {
    let built = built(&[
        ingress("young", &["h / Prefix young", "h /x Prefix x"], json!({})),
        ingress("old", &["h / Prefix old"], json!({})),
    ]);
    goes(&built, "h", "/", "old");
    goes(&built, "h", "/x", "x");
    assert_eq!(built.refused.len(), 1);
    assert_eq!(
        built.refused[0].message,
        "host \"h\" and path \"/\" belong to Ingress shop/old, which is older"
    );
}

#[test]
fn canaries_join_the_route_of_the_same_path() {
    let canary = json!({
        "nginx.ingress.kubernetes.io/canary": "true",
        "nginx.ingress.kubernetes.io/canary-weight": "30",
    });
    let built = built(&[
        ingress("a", &["h / Prefix web"], json!({})),
        ingress("bb", &["h / Prefix web-canary"], canary.clone()),
        ingress("ccc", &["h /lost Prefix lost"], canary),
    ]);
    let route = built.routes.find("h", "/").expect("a route").route;
    assert_eq!(&*route.backend.service, "web");
    let services: Vec<&str> = route
        .canaries
        .iter()
        .map(|canary| &*canary.backend.service)
        .collect();
    assert_eq!(services, ["web-canary"]);
    goes(&built, "h", "/lost", "web");
    assert_eq!(built.refused.len(), 1);
}

#[test]
fn regular_expressions_have_groups() {
    let rewrite = json!({"nginx.ingress.kubernetes.io/rewrite-target": "/$2"});
    let built = built(&[
        ingress("a", &["h /api(/|$)(.*) ImplementationSpecific api"], rewrite),
        ingress("bb", &["h / Prefix root"], json!({})),
        ingress(
            "ccc",
            &["h /bad( ImplementationSpecific bad"],
            json!({"nginx.ingress.kubernetes.io/use-regex": "true"}),
        ),
    ]);
    let found = built.routes.find("h", "/api/v1/x").expect("a route");
    assert_eq!(
        (&*found.route.backend.service, &found.groups[2]),
        ("api", &"v1/x".to_owned())
    );
    goes(&built, "h", "/apis", "root");
    assert_eq!(built.refused.len(), 1, "{:?}", built.refused);
}

#[test]
fn refused_backends_are_told() {
    let mut resource = (*ingress("a", &["h / Prefix web"], json!({}))).clone();
    resource["spec"]["rules"][0]["http"]["paths"][0]["backend"] =
        json!({"resource": {"apiGroup": "k8s.example.com", "kind": "StorageBucket", "name": "static"}});
    let built = built(&[Arc::new(resource)]);
    goes(&built, "h", "/", "-");
    assert_eq!(
        built.refused[0].message,
        "resource backends are not supported: StorageBucket \"static\"; name a service instead"
    );
}

fn with_slices(slices: &[Arc<Value>], port: Value, before: &Routes) -> Built {
    let mut made = (*ingress("a", &["h / Prefix web"], json!({}))).clone();
    made["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"] = port;
    let objects = Objects {
        classes: &[class("deploy", CONTROLLER, true)],
        ingresses: &[Arc::new(made)],
        services: &[service("web")],
        slices,
        version: &|namespace, pod| Some(format!("{namespace}-{pod}-hash")),
    };
    Routes::of(&objects, before, &Counts::default())
}

fn addresses(built: &Built) -> Vec<String> {
    let mut all: Vec<String> = built
        .routes
        .addresses()
        .iter()
        .map(SocketAddr::to_string)
        .collect();
    all.sort();
    all
}

#[test]
fn ports_lead_to_ready_endpoints() {
    let all = [
        slice("web", 1, json!({"ready": true})),
        slice("web", 2, json!({})),
        slice(
            "web",
            3,
            json!({"ready": false, "serving": true, "terminating": true}),
        ),
        slice("other", 4, json!({"ready": true})),
    ];
    let none = Routes::default();
    let built = with_slices(&all, json!({"number": 80}), &none);
    assert_eq!(addresses(&built), ["10.0.0.1:8080", "10.0.0.2:8080"]);
    let target = &built
        .routes
        .find("h", "/")
        .expect("a route")
        .route
        .backend
        .targets[0];
    assert_eq!(target.series.version(), "shop-web-pod-hash");
    assert_eq!(
        addresses(&with_slices(&all, json!({"name": "admin"}), &none)),
        ["10.0.0.1:8081", "10.0.0.2:8081"]
    );
    let ending = with_slices(&all[2..], json!({"number": 80}), &none);
    assert_eq!(addresses(&ending), ["10.0.0.3:8080"], "better than nothing");
    let wrong = with_slices(&all, json!({"number": 99}), &none);
    assert!(addresses(&wrong).is_empty());
    assert_eq!(wrong.refused[0].message, "service \"web\" has no TCP port \"99\"");
}

#[test]
fn endpoints_outlive_a_change() {
    let one = [slice("web", 1, json!({"ready": true}))];
    let before = with_slices(&one, json!({"number": 80}), &Routes::default());
    let after = with_slices(&one, json!({"number": 80}), &before.routes);
    let endpoint = |built: &Built| {
        built
            .routes
            .find("h", "/")
            .expect("a route")
            .route
            .backend
            .targets[0]
            .endpoint
            .clone()
    };
    assert!(Arc::ptr_eq(&endpoint(&before), &endpoint(&after)));
}

#[test]
fn the_less_busy_of_two_is_chosen() {
    let slices: Vec<Arc<Value>> = (1..=3)
        .map(|last| slice("web", last, json!({"ready": true})))
        .collect();
    let built = with_slices(&slices, json!({"number": 80}), &Routes::default());
    let backend = &built.routes.find("h", "/").expect("a route").route.backend;
    let number = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let share = |backend: &Backend, tried: &[SocketAddr]| {
        let mut counts = std::collections::BTreeMap::new();
        for n in 0..3000 {
            let chosen = backend.choose(number(n), tried).expect("there are some");
            *counts.entry(chosen.endpoint.address).or_insert(0) += 1;
        }
        counts
    };
    let even = share(backend, &[]);
    assert!(
        even.len() == 3 && even.values().all(|count| *count > 700),
        "{even:?}"
    );
    backend.targets[0].endpoint.begin();
    let busy = share(backend, &[]);
    assert!(
        !busy.contains_key(&backend.targets[0].endpoint.address),
        "one of two is always free: {busy:?}"
    );
    let first_two: Vec<SocketAddr> = backend.targets[..2]
        .iter()
        .map(|target| target.endpoint.address)
        .collect();
    let left = share(backend, &first_two);
    assert_eq!(left.len(), 1);
    let all: Vec<SocketAddr> = backend
        .targets
        .iter()
        .map(|target| target.endpoint.address)
        .collect();
    assert!(backend.choose(1, &all).is_none());
}
