//! The house's own client pushes to the house's own registry.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use deploy_model::image::manifest::Descriptor;
use deploy_model::image::{Algorithm, Digest, Reference};
use deploy_registry::Options;
use deploy_registry::access::{Accounts, Rights};
use deploy_registry_client::{Client, Credentials, Pushed, RegistryError};

use super::support::{Folder, IMAGE, Running, image};

fn descriptor(content: &Bytes) -> Descriptor {
    Descriptor {
        media_type: String::new(),
        digest: Digest::of(Algorithm::Sha256, content),
        size: content.len() as u64,
        platform: None,
        annotations: std::collections::BTreeMap::new(),
    }
}

fn content(bytes: u32) -> Bytes {
    (0..bytes).map(|n| (n % 253) as u8).collect::<Vec<u8>>().into()
}

fn reference(address: SocketAddr, name: &str) -> Reference {
    format!("{address}/{name}").parse().expect("a reference")
}

fn client(chunk_bytes: Option<u64>) -> Client {
    Client::new(deploy_registry_client::Options {
        chunk_bytes,
        ..Default::default()
    })
}

/// Runs what a client does.
fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

#[test]
fn blobs_are_sent_known_and_mounted_and_manifests_follow() {
    let folder = Folder::new();
    let hash = bcrypt::hash("word", 4).expect("a hash");
    let text = format!("ann:{hash}\neve:{hash}:*=pull\n");
    let accounts = Accounts::parse(&text, Rights::none(), Rights::none()).expect("accounts");
    let running = Running::with(&folder.0, Options::default(), accounts);
    let ann = Credentials::basic("ann", "word");
    let blob = content(3_000_000);
    let named = descriptor(&blob);
    let one = reference(running.address, "shop/web:main");
    let two = reference(running.address, "shop/api:main");
    wait(async {
        for chunk in [None, Some(700_000)] {
            let client = client(chunk);
            let source = Arc::new(blob.clone());
            let push = |to: &Reference, from: Option<&'static str>| {
                let (client, named, source, ann, to) = (
                    client.clone(),
                    named.clone(),
                    source.clone(),
                    ann.clone(),
                    to.clone(),
                );
                async move { client.push_blob(&to, &named, source, from, Some(&ann)).await }
            };
            let own = reference(running.address, &format!("own/c{}:x", chunk.unwrap_or_default()));
            assert_eq!(push(&own, None).await, Ok(Pushed::Sent));
            assert_eq!(push(&own, None).await, Ok(Pushed::Known));
        }
        let client = client(None);
        let source = Arc::new(blob.clone());
        let pushed = client
            .push_blob(&one, &named, source.clone(), Some("own/c0"), Some(&ann))
            .await;
        assert_eq!(pushed, Ok(Pushed::Mounted));
        let pushed = client
            .push_blob(&two, &named, source.clone(), Some("no/such"), Some(&ann))
            .await;
        assert_eq!(pushed, Ok(Pushed::Sent));
        let text = Bytes::from(image(&named.digest, 3_000_000, &[(&named.digest, 3_000_000)]).to_string());
        let digest = client
            .push_manifest(&one, IMAGE, &text, Some(&ann))
            .await
            .expect("pushed");
        assert_eq!(digest, Digest::of(Algorithm::Sha256, &text));
        // An empty blob is one too.
        let empty = Bytes::new();
        let pushed = client
            .push_blob(&one, &descriptor(&empty), Arc::new(empty), None, Some(&ann))
            .await;
        assert_eq!(pushed, Ok(Pushed::Sent));
        let eve = Credentials::basic("eve", "word");
        let denied = client.push_manifest(&one, IMAGE, &text, Some(&eve)).await;
        assert!(
            matches!(denied, Err(RegistryError::PushDenied { .. })),
            "{denied:?}"
        );
    });
    assert_eq!(
        running.registry.has_blob("shop/web", &named.digest),
        Some(3_000_000)
    );
}

#[test]
fn what_lies_is_refused_by_the_registry() {
    let folder = Folder::new();
    let running = Running::open(&folder.0);
    let blob = content(1000);
    let mut lie = descriptor(&blob);
    lie.digest = descriptor(&content(999)).digest;
    let to = reference(running.address, "a:b");
    let pushed = wait(client(None).push_blob(&to, &lie, Arc::new(blob), None, None));
    let Err(RegistryError::Status { status, .. }) = pushed else {
        panic!("{pushed:?}");
    };
    assert!(status.starts_with("400"), "{status}");
}

/// Passes connections on; the first few that bring more than so many bytes break there.
fn breaking(to: SocketAddr, breaks: usize, after: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let left = Arc::new(AtomicUsize::new(breaks));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(client), Ok(server)) = (client, TcpStream::connect(to)) else {
                return;
            };
            let left = left.clone();
            let (mut from, mut into) = (
                client.try_clone().expect("a socket"),
                server.try_clone().expect("a socket"),
            );
            std::thread::spawn(move || {
                let mut count = 0;
                let mut buffer = [0; 16 << 10];
                while let Ok(read @ 1..) = from.read(&mut buffer) {
                    count += read;
                    let fewer = |left: usize| left.checked_sub(1);
                    let over = count > after;
                    if over
                        && left
                            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer)
                            .is_ok()
                    {
                        let _ = from.shutdown(Shutdown::Both);
                        break;
                    }
                    if into.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
                let _ = into.shutdown(Shutdown::Write);
            });
            let (mut from, mut into) = (server, client);
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut into);
                let _ = into.shutdown(Shutdown::Both);
            });
        }
    });
    address
}

#[test]
fn a_push_goes_on_where_its_connection_broke() {
    let folder = Folder::new();
    let running = Running::open(&folder.0);
    let blob = content(2_000_000);
    let named = descriptor(&blob);
    for (chunk, name) in [(None, "whole:x"), (Some(900_000), "chunks:x")] {
        let address = breaking(running.address, 3, 400_000);
        let to = reference(address, name);
        let pushed = wait(client(chunk).push_blob(&to, &named, Arc::new(blob.clone()), None, None));
        assert_eq!(pushed, Ok(Pushed::Sent), "{name}");
        let repository = name.trim_end_matches(":x");
        assert_eq!(
            running.registry.has_blob(repository, &named.digest),
            Some(2_000_000)
        );
    }
    let address = breaking(running.address, usize::MAX, 400_000);
    let to = reference(address, "never:x");
    // Another content, which the registry does not know.
    let blob = content(2_000_001);
    let pushed = wait(client(None).push_blob(&to, &descriptor(&blob), Arc::new(blob), None, None));
    assert!(pushed.is_err(), "{pushed:?}");
}
