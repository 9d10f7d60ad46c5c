//! What passes, and how.

use std::sync::atomic::Ordering;

use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::backend::Backend;
use super::wire::Wire;
use super::{INGRESSES, answers, ingress, options, service, started, web};
use crate::world::{World, until};
use deploy_cluster_net::ingress::Ingress;

#[tokio::test(flavor = "multi_thread")]
async fn requests_reach_the_service() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    web(&world, &[backend.address], json!({})).await;
    let ingress = started(&world).await;
    let mut wire = Wire::connect(ingress.http()[0]).await;
    for _ in 0..20 {
        let answer = wire.get("h.test", "/a").await;
        assert_eq!((answer.status, &*answer.body), (200, "web"));
        assert_eq!(answer.header("x-backend"), Some("web"));
    }
    assert_eq!(
        backend.accepted.load(Ordering::Relaxed),
        1,
        "the connection is kept"
    );
    assert_eq!(wire.get("H.TEST:8080", "/").await.status, 200);
    assert_eq!(wire.get("other.test", "/").await.status, 404);
    let text = ingress.metrics();
    let line = "deploy_ingress_requests_total{namespace=\"default\",ingress=\"web\",host=\"h.test\",path=\"/\",\
                service=\"web\",pod_template_hash=\"\",code=\"200\"} 21\n";
    assert!(text.contains(line), "{text}");
    ingress.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_see_who_asks() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    web(&world, &[backend.address], json!({})).await;
    let ingress = started(&world).await;
    let mut wire = Wire::connect(ingress.http()[0]).await;
    wire.send(
        "POST /echo?a=1 HTTP/1.1\r\nHost: h.test\r\nX-Forwarded-For: 6.6.6.6\r\nX-Request-Id: mine\r\n\
         Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nContent-Length: 5\r\n\r\nhello",
    )
    .await;
    let seen = wire.answer().await.expect("an answer").body.to_ascii_lowercase();
    assert!(seen.starts_with("post /echo?a=1 http/1.1\r\n"), "{seen}");
    for line in [
        "host: h.test\r\n",
        "x-forwarded-for: 127.0.0.1\r\n",
        "x-real-ip: 127.0.0.1\r\n",
        "x-forwarded-host: h.test\r\n",
        "x-forwarded-proto: http\r\n",
        &format!("x-forwarded-port: {}\r\n", ingress.http()[0].port()),
        "x-request-id: mine\r\n",
        "content-length: 5\r\n",
    ] {
        assert!(seen.contains(line), "{line} in {seen}");
    }
    for gone in ["6.6.6.6", "x-hop", "keep-alive"] {
        assert!(!seen.contains(gone), "{gone} in {seen}");
    }
    assert!(seen.ends_with("\r\n\r\nhello"), "{seen}");
    wire.send("GET http://h.test/echo HTTP/1.1\r\nHost: elsewhere\r\n\r\n")
        .await;
    let seen = wire.answer().await.expect("an answer").body;
    assert!(
        seen.starts_with("GET /echo HTTP/1.1\r\n") && seen.contains("host: h.test\r\n"),
        "{seen}"
    );
    ingress.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_both_ways() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    web(&world, &[backend.address], json!({})).await;
    let ingress = started(&world).await;
    let mut wire = Wire::connect(ingress.http()[0]).await;
    wire.send("POST /echo HTTP/1.1\r\nHost: h.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        .await;
    wire.send("4\r\ndefg\r\n").await;
    wire.send("0\r\n\r\n").await;
    let seen = wire.answer().await.expect("an answer").body;
    assert!(seen.ends_with("abcdefg"), "{seen}");
    assert_eq!(wire.get("h.test", "/chunks").await.body, "onetwothree");
    let long = "x".repeat(3_000_000);
    wire.send(&format!(
        "POST /echo HTTP/1.1\r\nHost: h.test\r\nContent-Length: {}\r\n\r\n{long}",
        long.len()
    ))
    .await;
    let seen = wire.answer().await.expect("an answer").body;
    assert!(seen.ends_with(&long), "{}", seen.len());
    ingress.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_protocols_pass_after_a_switch() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    web(&world, &[backend.address], json!({})).await;
    let ingress = started(&world).await;
    let mut wire = Wire::connect(ingress.http()[0]).await;
    wire.send("GET /ws HTTP/1.1\r\nHost: h.test\r\nConnection: Upgrade\r\nUpgrade: twice\r\n\r\n")
        .await;
    let answer = wire.answer().await.expect("an answer");
    assert_eq!((answer.status, answer.header("upgrade")), (101, Some("twice")));
    assert_eq!(wire.bytes(6).await, "hello ");
    wire.send("ab").await;
    assert_eq!(wire.bytes(4).await, "abab");
    wire.send("c").await;
    assert_eq!(wire.bytes(2).await, "cc");
    // Even such a connection does not hold the end up.
    ingress.shutdown().await;
    assert!(wire.ends().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_without_tls_is_understood() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    web(&world, &[backend.address], json!({})).await;
    let ingress = started(&world).await;
    let stream = TcpStream::connect(ingress.http()[0]).await.expect("it listens");
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.expect("HTTP/2");
    let running = tokio::spawn(connection);
    for path in ["/a", "/echo", "/chunks"] {
        let request = Request::get(format!("http://h.test{path}"));
        let request = request.body(Empty::<bytes::Bytes>::new()).expect("a request");
        let answer = sender.send_request(request).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        match path {
            "/a" => assert_eq!(body, "web"),
            "/chunks" => assert_eq!(body, "onetwothree"),
            _ => assert!(body.contains("host: h.test\r\n"), "{body}"),
        }
    }
    running.abort();
    ingress.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_has_its_code() {
    let world = World::start().await;
    world
        .create([
            service("web"),
            ingress("web", &["h.test / web", "h.test /gone gone"], json!({})),
        ])
        .await;
    let ingress = started(&world).await;
    let mut wire = Wire::connect(ingress.http()[0]).await;
    let answer = wire.get("h.test", "/").await;
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.body,
        "503 Service Unavailable no endpoint of the service is ready\n"
    );
    assert_eq!(wire.get("h.test", "/gone").await.status, 503);
    let dead = Backend::start("dead").await;
    let address = dead.address;
    drop(dead);
    world.put_slice("web-a", "web", &[address]).await;
    answers(&ingress, "h.test", "/", 502).await;
    let alive = Backend::start("alive").await;
    world.put_slice("web-b", "web", &[alive.address]).await;
    answers(&ingress, "h.test", "/", 200).await;
    for _ in 0..20 {
        assert_eq!(
            wire.get("h.test", "/").await.status,
            200,
            "another endpoint is tried"
        );
    }
    assert_eq!(wire.get("h.test", "/break").await.status, 502);
    ingress.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_connection_is_not_the_clients_trouble() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    web(&world, &[backend.address], json!({})).await;
    let ingress = started(&world).await;
    let mut wire = Wire::connect(ingress.http()[0]).await;
    for _ in 0..50 {
        // The endpoint closes after its answer, at any moment.
        assert_eq!(wire.get("h.test", "/close").await.body, "last");
        assert_eq!(wire.get("h.test", "/").await.body, "web");
    }
    ingress.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_endpoints_are_not_waited_for() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    let patience = json!({"nginx.ingress.kubernetes.io/proxy-read-timeout": "1"});
    web(&world, &[backend.address], patience).await;
    let ingress = started(&world).await;
    let mut wire = Wire::connect(ingress.http()[0]).await;
    assert_eq!(wire.get("h.test", "/slow").await.status, 504);
    assert_eq!(wire.get("h.test", "/").await.status, 200);
    ingress.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn annotations_shape_requests() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    world.put_slice("web-a", "web", &[backend.address]).await;
    let of = |name: &str| format!("nginx.ingress.kubernetes.io/{name}");
    let mut groups = ingress(
        "groups",
        &["g.test /api(/|$)(.*) web"],
        json!({of("rewrite-target"): "/echo?$2"}),
    );
    groups["spec"]["rules"][0]["http"]["paths"][0]["pathType"] = "ImplementationSpecific".into();
    world
        .create([
            service("web"),
            groups,
            ingress("small", &["s.test / web"], json!({of("proxy-body-size"): "8"})),
            ingress(
                "secure",
                &["t.test / web"],
                json!({of("force-ssl-redirect"): "true"}),
            ),
        ])
        .await;
    let ingress = started(&world).await;
    let mut wire = Wire::connect(ingress.http()[0]).await;
    let seen = wire.get("g.test", "/api/v1").await.body;
    assert!(seen.starts_with("GET /echo?v1 HTTP/1.1\r\n"), "{seen}");
    let answer = wire.get("t.test", "/a?b=c").await;
    let there = format!("https://t.test:{}/a?b=c", ingress.https()[0].port());
    assert_eq!((answer.status, answer.header("location")), (308, Some(&*there)));
    wire.send("POST /echo HTTP/1.1\r\nHost: s.test\r\nContent-Length: 8\r\n\r\n12345678")
        .await;
    assert_eq!(wire.answer().await.expect("an answer").status, 200);
    wire.send("POST /echo HTTP/1.1\r\nHost: s.test\r\nContent-Length: 9\r\n\r\n123456789")
        .await;
    assert_eq!(wire.answer().await.expect("an answer").status, 413);
    let mut wire = Wire::connect(ingress.http()[0]).await;
    wire.send("POST /echo HTTP/1.1\r\nHost: s.test\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n").await;
    assert_eq!(wire.answer().await.expect("an answer").status, 413);
    ingress.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn canaries_take_their_share() {
    let world = World::start().await;
    let (main, canary) = (Backend::start("main").await, Backend::start("canary").await);
    web(&world, &[main.address], json!({})).await;
    world.put_slice("next-a", "next", &[canary.address]).await;
    let of = |name: &str| format!("nginx.ingress.kubernetes.io/{name}");
    let annotations = json!({
        of("canary"): "true", of("canary-weight"): "30", of("canary-by-header"): "X-Next", of("canary-by-cookie"): "next",
    });
    world
        .create([service("next"), ingress("next", &["h.test / next"], annotations)])
        .await;
    let ingress = started(&world).await;
    let mut wire = Wire::connect(ingress.http()[0]).await;
    let mut share = 0;
    for _ in 0..1000 {
        share += u32::from(wire.get("h.test", "/").await.body == "canary");
    }
    assert!((200..400).contains(&share), "{share} of 1000 for 30 %");
    for (field, body) in [
        ("X-Next: always", "canary"),
        ("X-Next: never", "main"),
        ("Cookie: a=b; next=always", "canary"),
        ("Cookie: next=never", "main"),
    ] {
        wire.send(&format!("GET / HTTP/1.1\r\nHost: h.test\r\n{field}\r\n\r\n"))
            .await;
        assert_eq!(wire.answer().await.expect("an answer").body, body, "{field}");
    }
    ingress.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ingresses_get_a_status_and_events() {
    let world = World::start().await;
    let mut refused = ingress("web", &["h.test / web"], json!({}));
    refused["spec"]["rules"][0]["http"]["paths"][0]["backend"] =
        json!({"resource": {"apiGroup": "example.com", "kind": "Bucket", "name": "static"}});
    world.create([refused]).await;
    let ingress = started(&world).await;
    until("a status", async || {
        let made = world.client().get(&INGRESSES, "default", "web").expect("created");
        made["status"]["loadBalancer"]["ingress"][0]["hostname"] == "localhost"
    })
    .await;
    let events = deploy_cluster_api::client::ResourceId::new("", "v1", "events");
    until("an event", async || {
        let told = world.client().list(&events, Some("default"));
        told.iter()
            .any(|event| event["reason"] == "Rejected" && event["involvedObject"]["name"] == "web")
    })
    .await;
    let classes = deploy_cluster_api::client::ResourceId::new("networking.k8s.io", "v1", "ingressclasses");
    let class = world
        .client()
        .get(&classes, "", "deploy")
        .expect("made at the start");
    assert_eq!(class["spec"]["controller"], "deploy.platform/ingress");
    ingress.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_tells_of_each_request() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    web(&world, &[backend.address], json!({})).await;
    let path = std::env::temp_dir().join(format!("deploy-access-{}.log", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let mut options = options(&world);
    options.access_log = Some(path.clone());
    let ingress = Ingress::start(options).await.expect("any port is free");
    let mut wire = Wire::connect(ingress.http()[0]).await;
    wire.send(
        "GET /a?token=secret HTTP/1.1\r\nHost: h.test\r\nUser-Agent: test\r\n\
         traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n",
    )
    .await;
    assert_eq!(wire.answer().await.expect("an answer").status, 200);
    assert_eq!(wire.get("nowhere.test", "/").await.status, 404);
    drop(wire);
    ingress.shutdown().await;
    let text = std::fs::read_to_string(&path).expect("a log");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 2, "{text}");
    let expected = json!({
        "method": "GET", "host": "h.test", "path": "/a", "status": 200, "sent_bytes": 3, "service": "web",
        "ingress": "web", "namespace": "default", "user_agent": "test", "client": "127.0.0.1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "upstream": backend.address.to_string(), "tls": false,
    });
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&lines[0][field], value, "{field}");
    }
    assert_eq!(lines[0]["request_id"].as_str().map(str::len), Some(32));
    assert!(!text.contains("secret"));
    assert_eq!(
        (&lines[1]["status"], &lines[1]["error"]),
        (&json!(404), &json!("no_route"))
    );
    std::fs::remove_file(&path).expect("there");
}
