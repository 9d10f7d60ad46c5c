//! Names and services as pods, the node and people before the ingress meet them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio_rustls::TlsConnector;

use super::machine::{Machine, PATIENCE, in_a_network_of_its_own, is_ready, probe};

const SERVICES: &str = "/api/v1/namespaces/default/services";

/// Where the ingress listens.
const DOOR: &str = "127.0.0.1:8080";
const SAFE_DOOR: &str = "127.0.0.1:8443";

/// A web server that answers `/name` with its pod's name.
async fn web(machine: &Machine, name: &str, labels: Value, shape: impl FnOnce(&mut Value)) -> Value {
    let script = "mkdir -p /www; hostname > /www/name; exec httpd -f -p 8080 -h /www";
    let path = machine
        .pod(name, script, |pod| {
            pod["metadata"]["labels"] = labels;
            let container = &mut pod["spec"]["containers"][0];
            container["ports"] = json!([{"name": "web", "containerPort": 8080}]);
            container["readinessProbe"] =
                json!({"httpGet": {"path": "/name", "port": "web"}, "periodSeconds": 1});
            shape(pod);
        })
        .await;
    machine.wait(&path, is_ready).await
}

async fn service(machine: &Machine, name: &str, spec: Value) -> Value {
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec});
    machine.create(SERVICES, service).await
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What `/name` of an address answers, asked until it does.
async fn name_at(address: &str) -> String {
    let address = address.to_owned();
    let asking = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        loop {
            match get(&address, "", "/name") {
                Ok(answer) if answer.contains(" 200 ") => return answer,
                other => assert!(begun.elapsed() < PATIENCE, "{address}: {other:?}"),
            }
        }
    });
    let answer = asking.await.expect("it answers");
    answer
        .rsplit("\r\n\r\n")
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn get(address: &str, host: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_find_each_other_by_name() {
    if probe().is_none() {
        println!("skipped: pods_find_each_other_by_name needs the probe: cargo xtask image probe");
        return;
    }
    if !in_a_network_of_its_own("cluster::node::network::pods_find_each_other_by_name") {
        return;
    }
    let machine = Machine::start("names").await;
    let in_set = |name: &'static str| {
        move |pod: &mut Value| {
            pod["spec"]["hostname"] = json!(name);
            pod["spec"]["subdomain"] = json!("set");
        }
    };
    let first = web(&machine, "set-0", json!({"app": "set"}), in_set("set-0")).await;
    let second = web(&machine, "set-1", json!({"app": "set"}), in_set("set-1")).await;
    let ports = json!([{"name": "http", "port": 80, "targetPort": "web"}]);
    service(
        &machine,
        "set",
        json!({"clusterIP": "None", "selector": {"app": "set"}, "ports": ports}),
    )
    .await;
    let made = service(
        &machine,
        "web",
        json!({"selector": {"app": "set"}, "ports": ports}),
    )
    .await;
    service(
        &machine,
        "away",
        json!({"type": "ExternalName", "externalName": "shop.test"}),
    )
    .await;
    let address = text(&made, "/spec/clusterIP").to_owned();
    let backwards = |address: &str| {
        let parts: Vec<&str> = address.rsplit('.').collect();
        format!("{}.in-addr.arpa.", parts.join("."))
    };
    let (one, two) = (text(&first, "/status/podIP"), text(&second, "/status/podIP"));
    let mut both = [one, two];
    both.sort_unstable();
    // It is behind both services, with a name of its own in one of them.
    let dashed = one.replace('.', "-");
    let of_one = format!("{dashed}.web.default.svc.cluster.local.\nset-0.set.default.svc.cluster.local.");
    let cases = [
        ("web".to_owned(), "A", address.clone()),
        ("web.default".to_owned(), "A", address.clone()),
        ("web.default.svc.cluster.local.".to_owned(), "A", address.clone()),
        ("set".to_owned(), "A", both.join("\n")),
        ("set-1.set".to_owned(), "A", two.to_owned()),
        (
            "_http._tcp.web.default.svc.cluster.local.".to_owned(),
            "SRV",
            "0 100 80 web.default.svc.cluster.local.".to_owned(),
        ),
        (
            "_http._tcp.set.default.svc.cluster.local.".to_owned(),
            "SRV",
            "0 50 8080 set-0.set.default.svc.cluster.local.\n0 50 8080 set-1.set.default.svc.cluster.local."
                .to_owned(),
        ),
        (
            backwards(&address),
            "PTR",
            "web.default.svc.cluster.local.".to_owned(),
        ),
        (backwards(one), "PTR", of_one),
        ("away".to_owned(), "CNAME", "shop.test.".to_owned()),
        ("kubernetes.default".to_owned(), "A", "10.96.0.1".to_owned()),
    ];
    let asked = cases.iter().map(|(name, kind, _)| {
        format!("until probe lookup {name} {kind} > /tmp/a; do sleep 0.1; done; cat /tmp/a; echo ;")
    });
    // The names of the set come when both of its pods are known as ready.
    let whole = "until test $(probe lookup set | wc -l) = 2; do sleep 0.1; done; ";
    let gone = "for ask in absent 'web AAAA'; do set -- $ask; \
                probe lookup $1.default.svc.cluster.local. $2 2>&1 | grep -o 'NXDOMAIN\\|NODATA'; done";
    let script = format!("{whole}{} {gone}", asked.collect::<String>());
    let said = machine.says("asks", &script, |_| {}).await;
    let expected: Vec<&str> = cases.iter().map(|(_, _, answer)| answer.as_str()).collect();
    assert_eq!(said, format!("{}\n\nNXDOMAIN\nNODATA", expected.join("\n\n")));
    let fetched = machine
        .says(
            "fetches",
            "probe get http://set-0.set:8080/name --wait 30; probe get http://web/name --wait 30 | cut -c1-4",
            |_| {},
        )
        .await;
    assert_eq!(fetched, "set-0\nset-");
    machine.down();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_reach_their_pods() {
    if !std::path::Path::new("/usr/bin/kubectl").exists() {
        println!("skipped: services_reach_their_pods needs kubectl");
        return;
    }
    if !in_a_network_of_its_own("cluster::node::network::services_reach_their_pods") {
        return;
    }
    let machine = Machine::start("services").await;
    let one = web(&machine, "one", json!({"app": "web", "who": "one"}), |_| {}).await;
    web(&machine, "two", json!({"app": "web"}), |_| {}).await;
    let ports = json!([{"port": 80, "targetPort": 8080}]);
    let both = service(
        &machine,
        "both",
        json!({"selector": {"app": "web"}, "ports": ports}),
    )
    .await;
    let alone = service(
        &machine,
        "alone",
        json!({"selector": {"who": "one"}, "ports": ports}),
    )
    .await;
    let port = json!([{"port": 80, "targetPort": 8080, "nodePort": 30080}]);
    let outside = json!({"type": "LoadBalancer", "selector": {"who": "one"}, "ports": port});
    service(&machine, "outside", outside).await;
    let address = |service: &Value| text(service, "/spec/clusterIP").to_owned();

    // From the node.
    assert_eq!(name_at(&format!("{}:80", address(&alone))).await, "one");
    // From a pod, and both pods of a service get their share: until each has answered.
    let until_both = format!(
        "one=; two=; until test \"$one$two\" = yesyes; do \
         case $(wget -qO- http://{}/name) in one) one=yes;; two) two=yes;; esac; done; echo both",
        address(&both)
    );
    assert_eq!(machine.says("shares", &until_both, |_| {}).await, "both");
    // A pod that reaches itself by the service's address.
    let hairpin = format!("wget -qO- http://{}/name", address(&alone));
    let hairpin = machine.exec("one", &["sh", "-c", &hairpin]);
    assert_eq!(hairpin, "one\n");
    // The node's address: of the load balancer's status, and its port.
    let balanced = machine
        .wait(&format!("{SERVICES}/outside"), |service| {
            !text(service, "/status/loadBalancer/ingress/0/ip").is_empty()
        })
        .await;
    let node = text(&balanced, "/status/loadBalancer/ingress/0/ip").to_owned();
    assert_eq!(node, text(&one, "/status/hostIP"), "the node's address");
    assert_eq!(name_at(&format!("{node}:80")).await, "one");
    assert_eq!(name_at(&format!("{node}:30080")).await, "one");
    let by_node = format!("wget -qO- http://{node}:30080/name; wget -qO- http://{node}:80/name");
    assert_eq!(machine.says("by-node", &by_node, |_| {}).await, "one\none");
    // The cluster IP follows the pods: one goes, the other answers.
    machine.delete("/api/v1/namespaces/default/pods/one").await;
    machine.gone("/api/v1/namespaces/default/pods/one").await;
    let only_two = format!(
        "for i in 1 2 3 4 5 6 7 8; do wget -qO- http://{}/name; done | sort -u",
        address(&both)
    );
    assert_eq!(machine.says("follows", &only_two, |_| {}).await, "two");
    machine.down();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ingress_leads_in() {
    if !in_a_network_of_its_own("cluster::node::network::the_ingress_leads_in") {
        return;
    }
    let machine = Machine::start("ingress").await;
    web(&machine, "web", json!({"app": "web"}), |_| {}).await;
    for app in ["web"] {
        let ports = json!([{"port": 80, "targetPort": 8080}]);
        service(&machine, app, json!({"selector": {"app": app}, "ports": ports})).await;
    }
    let key = rcgen::generate_simple_self_signed(vec!["shop.test".to_owned()]).expect("a certificate");
    let certificate = key.cert.der().clone();
    let data = json!({"tls.crt": STANDARD.encode(key.cert.pem()), "tls.key": STANDARD.encode(key.signing_key.serialize_pem())});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop-tls"}, "type": "kubernetes.io/tls", "data": data});
    machine.create("/api/v1/namespaces/default/secrets", secret).await;
    let to = |path: &str, service: &str| json!({"path": path, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}});
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "shop", "annotations": {"nginx.ingress.kubernetes.io/ssl-redirect": "false"}},
        "spec": {
            "tls": [{"hosts": ["shop.test"], "secretName": "shop-tls"}],
            "rules": [{"host": "shop.test", "http": {"paths": [to("/", "web")]}}],
        },
    });
    machine
        .create("/apis/networking.k8s.io/v1/namespaces/default/ingresses", ingress)
        .await;
    machine
        .wait(
            "/apis/networking.k8s.io/v1/namespaces/default/ingresses/shop",
            |ingress| text(ingress, "/status/loadBalancer/ingress/0/ip") == "127.0.0.1",
        )
        .await;

    let begun = Instant::now();
    let plain = loop {
        let answer = get(DOOR, "shop.test", "/name").expect("it listens");
        if answer.starts_with("HTTP/1.1 200") {
            break answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{answer}");
    };
    assert!(plain.ends_with("web\n"), "{plain}");
    let stranger = get(DOOR, "other.test", "/name").expect("it listens");
    assert!(stranger.starts_with("HTTP/1.1 404"), "{stranger}");

    // With the certificate of the Secret, and HTTP/2.
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("it is one");
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = tokio::net::TcpStream::connect(SAFE_DOOR)
        .await
        .expect("it listens");
    let name = ServerName::try_from("shop.test").expect("a name");
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .expect("it is the Secret's");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("it speaks HTTP/2");
    // Ends with the runtime of the test.
    tokio::spawn(connection);
    let request = Request::get("https://shop.test/name")
        .body(Empty::<Bytes>::new())
        .expect("a request");
    let answer = sender.send_request(request).await.expect("it answers");
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    assert_eq!(&body[..], b"web\n");

    machine.down();
}
