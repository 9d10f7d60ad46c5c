//! Servers come and go; pods stay.

use rustix::process::Signal;

use super::machine::{Machine, in_a_network_of_its_own, is_ready};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_outlive_their_server() {
    if !in_a_network_of_its_own("cluster::node::restart::pods_outlive_their_server") {
        return;
    }
    let mut machine = Machine::start("restart").await;
    let stays = machine.pod("stays", "echo once; exec sleep 1000", |_| {}).await;
    let ends = machine.pod(
        "ends",
        "while ! test -e /tmp/end; do sleep 0.1; done; exit 4",
        |pod| {
            pod["spec"]["restartPolicy"] = serde_json::json!("Never");
        },
    );
    let ends = ends.await;
    let before = machine.wait(&stays, is_ready).await;
    let dying = machine.wait(&ends, is_ready).await;
    for stop in [Signal::TERM, Signal::KILL] {
        let server = machine.server.take().expect("it runs");
        match stop {
            Signal::TERM => drop(server.stop()),
            _ => server.kill(),
        }
        machine.start_again().await;
        let after = machine.wait(&stays, is_ready).await;
        assert_eq!(
            after["status"]["containerStatuses"],
            before["status"]["containerStatuses"]
        );
        assert_eq!(after["status"]["podIP"], before["status"]["podIP"]);
        machine.log(&after, 0, "once").await;
        assert_eq!(after["status"]["conditions"], before["status"]["conditions"]);
        assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    }
    assert!(is_ready(&dying));
    // One that is deleted while nobody serves is stopped by the next server.
    machine.delete(&stays).await;
    let server = machine.server.take().expect("it runs");
    server.kill();
    machine.start_again().await;
    machine.gone(&stays).await;
    machine.server.take().expect("it runs").kill();
    assert!(
        machine.leftovers().len() > 1,
        "the bridge and the sandboxes are there"
    );
    machine.down();
}
