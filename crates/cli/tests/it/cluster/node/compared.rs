//! The scenarios of `fixtures/cluster/node`: statuses, reasons, messages, events and logs as a real kubelet with
//! containerd gave them.

use std::time::Duration;

use deploy_cluster_oracle::{Answer, Request, Server, pods};
use tokio::runtime::Handle;

use super::machine::{Machine, in_a_network_of_its_own};
use crate::cluster::wire::Client;

/// A watch that is silent for so long is opened again.
const SILENCE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_do_what_they_do_with_a_real_kubelet() {
    if !in_a_network_of_its_own("cluster::node::compared::pods_do_what_they_do_with_a_real_kubelet") {
        return;
    }
    let machine = Machine::start("compared").await;
    let (client, runtime) = (machine.client.clone(), Handle::current());
    let compared = tokio::task::spawn_blocking(move || {
        pods::suite(&|| {
            let (client, runtime) = (client.clone(), runtime.clone());
            Ok(Box::new(Ours { client, runtime }))
        });
    });
    compared.await.expect("it is as good as the floor says");
    machine.down();
}

/// Our server, for threads that wait.
struct Ours {
    client: Client,
    runtime: Handle,
}

impl Server for Ours {
    fn send(&mut self, request: &Request) -> Result<Answer, String> {
        let kind = request.headers.iter().find(|(name, _)| name == "content-type");
        let kind = kind.map_or("application/json", |(_, value)| value);
        let what = (&*request.method, &*request.path, kind);
        let answer = self
            .client
            .answer(what, request.body.clone(), request.lines, SILENCE);
        let (status, body) = self
            .runtime
            .block_on(answer)
            .map_err(|error| format!("{} {}: {error}", request.method, request.path))?;
        Ok(Answer {
            status,
            headers: Vec::new(),
            body,
        })
    }
}
