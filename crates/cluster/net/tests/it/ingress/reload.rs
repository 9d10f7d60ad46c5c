//! Changes of the cluster while requests are under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use deploy_cluster_api::negotiate::PatchKind;
use deploy_cluster_api::options::DeleteOptions;
use serde_json::json;

use super::backend::Backend;
use super::wire::Wire;
use super::{INGRESSES, answers, ingress, service, started, web};
use crate::world::{World, until};

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_all_changes() {
    let world = World::start().await;
    let (one, two) = (Backend::start("web").await, Backend::start("web").await);
    web(&world, &[one.address], json!({})).await;
    let ingress = started(&world).await;
    let (done, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (done, asked, address) = (done.clone(), asked.clone(), ingress.http()[0]);
            tokio::spawn(async move {
                let mut wire = Wire::connect(address).await;
                while !done.load(Ordering::Relaxed) {
                    let answer = wire.get("h.test", "/").await;
                    assert_eq!((answer.status, &*answer.body), (200, "web"));
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 0..40 {
        let at = [one.address, two.address][round % 2];
        world.put_slice("moving", "web", &[at]).await;
        let name = format!("web-{}", [one.address, two.address][round % 2].port());
        world.put_slice(&name, "web", &[at]).await;
        let other = ingress_of(round);
        world.create([other]).await;
        let before = asked.load(Ordering::Relaxed);
        until("requests go on", async || {
            asked.load(Ordering::Relaxed) > before + 8
        })
        .await;
    }
    done.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no request has failed");
    }
    assert!(
        two.requests.load(Ordering::Relaxed) > 0,
        "the second endpoint was used"
    );
    ingress.shutdown().await;
}

fn ingress_of(round: usize) -> serde_json::Value {
    ingress(
        &format!("other-{round}"),
        &[&format!("h{round}.test / web")],
        json!({}),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_come_and_go() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    web(&world, &[backend.address], json!({})).await;
    let ingress = started(&world).await;
    answers(&ingress, "late.test", "/", 404).await;
    world
        .create([super::ingress("late", &["late.test / web"], json!({}))])
        .await;
    answers(&ingress, "late.test", "/", 200).await;
    let rules = json!({"spec": super::ingress("late", &["later.test / web"], json!({}))["spec"]});
    let (client, merge) = (world.client(), PatchKind::Merge);
    let changed = client
        .patch(&INGRESSES, "default", "late", "", merge, rules)
        .await;
    changed.expect("a good Ingress");
    answers(&ingress, "later.test", "/", 200).await;
    answers(&ingress, "late.test", "/", 404).await;
    let options = DeleteOptions::default();
    client
        .delete(&INGRESSES, "default", "late", &options)
        .await
        .expect("it is there");
    answers(&ingress, "later.test", "/", 404).await;
    ingress.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_are_finished() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    world.put_slice("web-a", "web", &[backend.address]).await;
    world
        .create([service("web"), ingress("web", &["h.test / web"], json!({}))])
        .await;
    let ingress = started(&world).await;
    let address = ingress.http()[0];
    let mut wire = Wire::connect(address).await;
    wire.send("POST /echo HTTP/1.1\r\nHost: h.test\r\nContent-Length: 6\r\n\r\nabc")
        .await;
    // The request is under way when the endpoint has its connection.
    until("the endpoint is asked", async || {
        backend.accepted.load(Ordering::Relaxed) == 1
    })
    .await;
    let mut idle = Wire::connect(address).await;
    assert_eq!(idle.get("h.test", "/").await.status, 200);
    let end = tokio::spawn(ingress.shutdown());
    assert!(idle.ends().await, "who asks nothing is let go");
    wire.send("def").await;
    let answer = wire.answer().await.expect("it is answered to its end");
    assert!(answer.body.ends_with("abcdef"), "{}", answer.body);
    end.await.expect("the end");
    assert!(
        tokio::net::TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
}
