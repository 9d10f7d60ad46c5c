//! Clients that mean no good, and those that are broken.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::backend::Backend;
use super::wire::Wire;
use super::{started, web};
use crate::world::World;

/// Requests that others could read in another way, and the code of the answer.
const SMUGGLED: &[(&str, u16)] = &[
    (
        "POST / HTTP/1.1\r\nHost: h.test\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: h.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: h.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: h.test\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: h.test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: h.test\r\nContent-Length: +4\r\n\r\nabcd",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: h.test\r\nContent-Length : 4\r\n\r\nabcd",
        400,
    ),
    ("GET / HTTP/1.1\r\nHost: h.test\r\nHost: other.test\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nX: y\r\n\r\n", 400),
    ("GET http://a@h.test/ HTTP/1.1\r\nHost: h.test\r\n\r\n", 400),
    ("GET /\r\nHost: h.test\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: h.test\r\nA: b\0c\r\n\r\n", 400),
    ("CONNECT h.test:80 HTTP/1.1\r\nHost: h.test\r\n\r\n", 405),
];

#[tokio::test(flavor = "multi_thread")]
async fn requests_cannot_be_smuggled() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    web(&world, &[backend.address], json!({})).await;
    let ingress = started(&world).await;
    for (bytes, status) in SMUGGLED {
        let mut wire = Wire::connect(ingress.http()[0]).await;
        wire.send(bytes).await;
        let answer = wire.answer().await;
        assert_eq!(answer.map(|answer| answer.status), Some(*status), "{bytes:?}");
    }
    let seen = backend.requests.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(seen, 0, "nothing of it has reached the endpoint");
    // A bare line feed in a chunk's size must not be read in two ways either.
    let mut wire = Wire::connect(ingress.http()[0]).await;
    wire.send(
        "POST /echo HTTP/1.1\r\nHost: h.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n",
    )
    .await;
    let answer = wire.answer().await.expect("an answer");
    assert!(answer.body.ends_with("\r\n\r\nGET /"), "{}", answer.body);
    ingress.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_heads_are_refused() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    web(&world, &[backend.address], json!({})).await;
    let ingress = started(&world).await;
    let long = "x".repeat(100_000);
    let many: String = (0..1000).map(|n| format!("H{n}: 1\r\n")).collect();
    for head in [
        format!("GET / HTTP/1.1\r\nHost: h.test\r\nA: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: h.test\r\n{many}\r\n"),
        format!("GET /{long} HTTP/1.1\r\nHost: h.test\r\n\r\n"),
    ] {
        let mut wire = Wire::connect(ingress.http()[0]).await;
        wire.try_send(&head).await;
        let status = wire.answer().await.map(|answer| answer.status);
        assert!(matches!(status, Some(431 | 414) | None), "{status:?}");
    }
    let large = format!(
        "GET /echo HTTP/1.1\r\nHost: h.test\r\nA: {}\r\n\r\n",
        "x".repeat(16_000)
    );
    let mut wire = Wire::connect(ingress.http()[0]).await;
    wire.send(&large).await;
    assert_eq!(wire.answer().await.expect("an answer").status, 200);
    ingress.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_is_no_trouble() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    web(&world, &[backend.address], json!({})).await;
    let ingress = started(&world).await;
    for (address, bytes) in [
        (
            ingress.http()[0],
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        ),
        (
            ingress.http()[0],
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame at all, and long enough",
        ),
        (ingress.http()[0], &[0; 300]),
        (ingress.https()[0], b"GET / HTTP/1.1\r\nHost: h.test\r\n\r\n"),
        (ingress.https()[0], &[0xff; 300]),
    ] {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(bytes).await.expect("it is read");
        let mut rest = Vec::new();
        // A reset is an end, too.
        let end = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest);
        let _ = tokio::time::timeout(crate::world::DEADLINE, end)
            .await
            .expect("it is closed");
    }
    assert_eq!(
        Wire::connect(ingress.http()[0])
            .await
            .get("h.test", "/")
            .await
            .status,
        200
    );
    // A connection is closed a moment before it is counted.
    let counted = async {
        while !ingress
            .metrics()
            .contains("deploy_ingress_tls_handshake_failures_total 2\n")
        {
            tokio::task::yield_now().await;
        }
    };
    let counted = tokio::time::timeout(crate::world::DEADLINE, counted).await;
    assert!(counted.is_ok(), "{}", ingress.metrics());
    ingress.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_do_not_hold_up_others_or_the_end() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    web(&world, &[backend.address], json!({})).await;
    let ingress = started(&world).await;
    let mut slow = Vec::new();
    for part in ["", "P", "GET / HT", "GET / HTTP/1.1\r\nHost: h.t"] {
        for _ in 0..50 {
            let mut wire = Wire::connect(ingress.http()[0]).await;
            wire.send(part).await;
            slow.push(wire);
        }
    }
    let mut wire = Wire::connect(ingress.http()[0]).await;
    for _ in 0..20 {
        assert_eq!(wire.get("h.test", "/").await.status, 200);
    }
    let end = tokio::time::timeout(Duration::from_secs(30), ingress.shutdown());
    end.await.expect("the end comes though they are silent");
}
