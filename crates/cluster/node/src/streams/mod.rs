//! Logs, exec, attach, port-forward and proxies: the node's side of [`deploy_cluster_api::node`].
//!
//! What is asked was judged before; here it is found and carried out. Bytes are passed on as fast as the slower side
//! takes them; nothing is collected.

mod channels;
mod forward;
mod log;
mod process;
mod proxy;
mod spdy;
mod upgrade;
mod websocket;

use std::sync::Arc;

use deploy_cluster_api::node::{Answering, Ask, NodeStreams, StreamOptions, What};
use deploy_cluster_api::request::{Body, Request, Response, Upgrade};
use deploy_cluster_api::status::StatusError;
use deploy_cluster_kinds::field::go_quote;
use deploy_sandbox::Sandbox;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::measures::{EXPOSITION, Meter};
use crate::shell::View;
use channels::Version;
use process::Job;
use upgrade::Wanted;

/// Answers for the pods of one node.
#[derive(Clone)]
pub struct Streams {
    inner: Arc<Inner>,
}

struct Inner {
    view: View,
    meter: Meter,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Streams {
    /// Streams run as `tasks` until `stop`.
    pub fn new(view: View, meter: Meter, tasks: TaskTracker, stop: CancellationToken) -> Streams {
        Streams {
            inner: Arc::new(Inner {
                view,
                meter,
                tasks,
                stop,
            }),
        }
    }
}

impl NodeStreams for Streams {
    fn handle(&self, ask: Ask) -> Answering {
        let inner = self.inner.clone();
        Box::pin(async move { inner.answer(ask).await })
    }
}

impl Inner {
    async fn answer(&self, ask: Ask) -> Result<Response, StatusError> {
        match &ask.what {
            What::Log(options) => {
                log::answer(&self.view, &ask.object, options.clone(), self.stop.clone()).await
            }
            What::Exec(options) => Ok(self.process(&ask, options, false)),
            What::Attach(options) => Ok(self.process(&ask, options, true)),
            What::PortForward(_) => Ok(self.forward(&ask)),
            What::Proxy(target) => proxy::answer(target, &ask.request, &self.tasks, &self.stop).await,
            What::Node(path) => Ok(self.own(path, &ask.request).await),
        }
    }

    /// The kubelet's own API, as far as there is something to be told.
    async fn own(&self, path: &str, request: &Request) -> Response {
        match path.trim_end_matches('/') {
            "/healthz" => plain(200, "ok".to_owned()),
            "/metrics/cadvisor" => exposition(self.meter.cadvisor().await),
            "/metrics/resource" => exposition(self.meter.resource().await),
            "/stats/summary" => json(&self.meter.summary(request).await),
            "/pods" => {
                let pods: Vec<Value> = self.view.pods().iter().map(|pod| Value::clone(pod)).collect();
                json(&json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": pods}))
            }
            _ => plain(404, "404 page not found\n".to_owned()),
        }
    }

    /// A process, or why there is none.
    fn process(&self, ask: &Ask, options: &StreamOptions, attach: bool) -> Response {
        let uid = ask.object["metadata"]["uid"].as_str().unwrap_or_default();
        let running = self.view.sandbox(uid).and_then(|sandbox| {
            let container = running(&sandbox, &options.container)?;
            Some((sandbox, container))
        });
        let Some((sandbox, container)) = running else {
            return plain(
                500,
                format!("container not found ({})", go_quote(&options.container)),
            );
        };
        let job = Job {
            sandbox,
            container,
            options: options.clone(),
            attach,
        };
        let (wanted, upgrade) = match Wanted::of(&ask.request) {
            Ok(wanted) => wanted,
            Err(refused) => return refused,
        };
        match wanted {
            Wanted::WebSocket { offered, accept } => {
                let Some(version) = Version::choose(&offered) else {
                    return unsupported(&offered, "v5.channel.k8s.io, v4.channel.k8s.io");
                };
                self.begin(upgrade, move |stream| upgrade::serve(stream, version, job));
                upgrade::websocket(accept, version.name())
            }
            Wanted::Spdy { offered } => unsupported(&offered, "v5.channel.k8s.io over a WebSocket"),
        }
    }

    /// Connections to ports of a pod.
    fn forward(&self, ask: &Ask) -> Response {
        let metadata = &ask.object["metadata"];
        let text = |name: &str| metadata[name].as_str().unwrap_or_default();
        let Some(sandbox) = self.view.sandbox(text("uid")) else {
            return plain(500, format!("pod not found ({})", go_quote(text("name"))));
        };
        let place = forward::Place {
            network: sandbox.spec().network.clone(),
            pod: format!("{}_{}", text("name"), text("namespace")),
        };
        let (wanted, upgrade) = match Wanted::of(&ask.request) {
            Ok(wanted) => wanted,
            Err(refused) => return refused,
        };
        let offers = |offered: &str, name: &str| offered.split(',').any(|one| one.trim() == name);
        match wanted {
            Wanted::WebSocket { offered, accept } if offers(&offered, forward::TUNNEL) => {
                self.begin(upgrade, move |stream| forward::serve_tunnel(stream, place));
                upgrade::websocket(accept, forward::TUNNEL)
            }
            Wanted::Spdy { offered } if offers(&offered, forward::PROTOCOL) => {
                self.begin(upgrade, move |stream| forward::serve(stream, place));
                upgrade::spdy(forward::PROTOCOL)
            }
            Wanted::WebSocket { offered, .. } => unsupported(&offered, forward::TUNNEL),
            Wanted::Spdy { offered } => unsupported(&offered, forward::PROTOCOL),
        }
    }

    /// Speaks over the connection once the answer has been sent.
    fn begin<F>(
        &self,
        upgrade: Upgrade,
        serve: impl FnOnce(Box<dyn deploy_cluster_api::request::Duplex>) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let speaking = async move {
            if let Ok(stream) = upgrade.await {
                serve(stream).await;
            }
        };
        self.tasks
            .spawn(self.stop.clone().run_until_cancelled_owned(speaking));
    }
}

/// The attempt of a container that runs.
fn running(sandbox: &Sandbox, name: &str) -> Option<String> {
    let all = sandbox.containers().into_iter();
    let mut alive = all.filter(|info| info.started_at.is_some() && info.exit.is_none());
    let found = alive.find(|info| info.id.rsplit_once('.').is_some_and(|(own, _)| own == name));
    found.map(|info| info.id)
}

/// The client speaks nothing that is spoken here (`httpstream.Handshake`).
fn unsupported(offered: &str, known: &str) -> Response {
    plain(
        403,
        format!(
            "unable to upgrade: unable to negotiate protocol: client supports [{offered}], server accepts [{known}]"
        ),
    )
}

fn json(document: &Value) -> Response {
    Response {
        status: 200,
        headers: vec![("content-type", "application/json".to_owned())],
        body: Body::Whole(document.to_string().into()),
    }
}

fn exposition(text: String) -> Response {
    Response {
        status: 200,
        headers: vec![("content-type", EXPOSITION.to_owned())],
        body: Body::Whole(text.into()),
    }
}

/// What the kubelet says without a Status object.
fn plain(status: u16, text: String) -> Response {
    Response {
        status,
        headers: vec![("content-type", "text/plain; charset=utf-8".to_owned())],
        body: Body::Whole(text.into()),
    }
}
