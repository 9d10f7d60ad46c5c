//! Layers: whole, broken and taken up again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deploy_model::image::manifest::Descriptor;
use deploy_registry_client::{Client, Options, RegistryError};

use crate::server::{LAYER, Reply, Request, Server, honest, sha256};

fn layer() -> Descriptor {
    Descriptor {
        media_type: String::new(),
        digest: sha256(LAYER),
        size: LAYER.len() as u64,
        platform: None,
        annotations: Default::default(),
    }
}

async fn fetch(server: &Server, named: &Descriptor) -> Result<Vec<u8>, RegistryError> {
    let client = Client::new(Options::default());
    let mut blob = client.blob(&server.reference("team/app:1"), named, None).await?;
    let mut all = Vec::new();
    while let Some(chunk) = blob.next().await? {
        all.extend_from_slice(&chunk);
    }
    assert_eq!(blob.received(), all.len() as u64);
    assert!(blob.next().await?.is_none(), "the end stays the end");
    Ok(all)
}

/// The ranges that were asked for.
fn froms(server: &Server) -> Vec<usize> {
    server.seen().iter().map(Request::from).collect()
}

#[tokio::test]
async fn a_broken_connection_is_taken_up_where_it_broke() {
    let server = Server::start(|request| honest(request).cut(40_000.min(LAYER.len() - request.from()))).await;
    assert_eq!(fetch(&server, &layer()).await.expect("all of it"), LAYER);
    assert_eq!(froms(&server), [0, 40_000, 80_000]);
}

#[tokio::test]
async fn a_server_that_knows_no_ranges_sends_it_again() {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::ok(LAYER).cut(70_000),
        _ => Reply::ok(LAYER),
    })
    .await;
    assert_eq!(fetch(&server, &layer()).await.expect("all of it"), LAYER);
    assert_eq!(froms(&server), [0, 70_000]);
}

#[tokio::test]
async fn a_connection_that_breaks_at_once_is_given_up() {
    let server = Server::start(|request| match request.from() {
        0 => honest(request).cut(10),
        _ => honest(request).cut(0),
    })
    .await;
    let error = fetch(&server, &layer()).await.expect_err("it never ends");
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("failed to do request: Get \"http://127.0.0.1:"),
        "{error}"
    );
    assert!(server.seen().len() < 10);
}

#[tokio::test]
async fn a_body_that_is_shorter_or_longer_than_named() {
    let short = Server::start(|request| match request.from() {
        0 => Reply::ok(&LAYER[1..]),
        _ => Reply::new(416, ""),
    })
    .await;
    let error = fetch(&short, &layer()).await.expect_err("a byte is missing");
    assert!(error.to_string().contains("416"), "{error}");
    let long = Server::start(|_| Reply::ok([LAYER, b"x"].concat())).await;
    let error = fetch(&long, &layer()).await.expect_err("a byte too many");
    assert_eq!(
        error.to_string(),
        "unexpected size of layer: got 100001 bytes, expected 100000"
    );
}

#[tokio::test]
async fn other_bytes_than_named() {
    let server = Server::start(|_| Reply::ok(vec![8; LAYER.len()])).await;
    let error = fetch(&server, &layer()).await.expect_err("it is another layer");
    let (found, expected) = (sha256(&vec![8; LAYER.len()]), sha256(LAYER));
    assert_eq!(
        error.to_string(),
        format!("unexpected digest of layer: got {found}, expected {expected}")
    );
}

#[tokio::test]
async fn another_range_than_asked_for() {
    let server = Server::start(|request| match request.from() {
        0 => Reply::ok(LAYER).cut(50),
        _ => Reply::new(206, &LAYER[..100]).header("Content-Range", "bytes 0-99/100000"),
    })
    .await;
    let error = fetch(&server, &layer())
        .await
        .expect_err("it would be patched wrongly");
    assert!(matches!(error, RegistryError::Protocol { .. }), "{error}");
}

#[tokio::test]
async fn a_passing_error_is_tried_again_a_lasting_one_is_not() {
    for (status, tries) in [(500, 3), (503, 3), (429, 3), (403, 1), (404, 1), (418, 1)] {
        let server = Server::start(move |_| Reply::new(status, "").header("Retry-After", "0")).await;
        assert!(fetch(&server, &layer()).await.is_err());
        assert_eq!(server.seen().len(), tries, "{status}");
    }
    let count = Arc::new(AtomicUsize::new(0));
    let server = Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::new(503, "").header("Retry-After", "0"),
        _ => honest(request),
    })
    .await;
    assert_eq!(fetch(&server, &layer()).await.expect("the second time"), LAYER);
}
