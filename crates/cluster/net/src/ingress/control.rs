//! Follows the cluster: what changes makes new routes, a new status and events.

use std::collections::HashSet;
use std::sync::Arc;

use deploy_cluster_api::client::{Client, ResourceId};
use deploy_cluster_api::negotiate::PatchKind;
use deploy_cluster_api::object;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::certificates::Certificates;
use super::class::CLASSES;
use super::limits;
use super::routes::{Objects, Refusal, Routes};
use super::worker::Shared;
use crate::follow::{News, follow};

const INGRESSES: ResourceId = ResourceId::new("networking.k8s.io", "v1", "ingresses");
const SERVICES: ResourceId = ResourceId::new("", "v1", "services");
const SLICES: ResourceId = ResourceId::new("discovery.k8s.io", "v1", "endpointslices");
const SECRETS: ResourceId = ResourceId::new("", "v1", "secrets");
const PODS: ResourceId = ResourceId::new("", "v1", "pods");

const RESOURCES: [(Sort, ResourceId); 5] = [
    (Sort::Classes, CLASSES),
    (Sort::Ingresses, INGRESSES),
    (Sort::Services, SERVICES),
    (Sort::Slices, SLICES),
    (Sort::Secrets, SECRETS),
];

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Classes,
    Ingresses,
    Services,
    Slices,
    Secrets,
}

/// Makes routes.
pub(super) struct Control {
    client: Client,
    shared: Arc<Shared>,
    news: mpsc::Receiver<(Sort, News)>,
    /// What Ingresses name: changes of others change nothing.
    named: HashSet<(Named, String, String)>,
    said: watch::Sender<Said>,
}

/// What Ingresses name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Named {
    Service,
    Secret,
}

/// What is to be said of Ingresses.
#[derive(Clone, Debug, Default)]
struct Said {
    ours: Vec<Arc<Value>>,
    refused: Vec<Refusal>,
}

impl Control {
    /// Follows the cluster; returns when there are routes.
    pub async fn start(
        client: Client,
        shared: Arc<Shared>,
        status: Value,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Control {
        let (sender, news) = mpsc::channel(limits::NEWS_MAX);
        for (sort, resource) in RESOURCES {
            let following = follow(client.clone(), resource, sort, sender.clone());
            tasks.spawn(stop.clone().run_until_cancelled_owned(following));
        }
        let (said, hear) = watch::channel(Said::default());
        let telling = tell(client.clone(), status, hear);
        tasks.spawn(stop.clone().run_until_cancelled_owned(telling));
        let mut control = Control {
            client,
            shared,
            news,
            named: HashSet::new(),
            said,
        };
        let mut listed = 0;
        while listed < RESOURCES.len() {
            match control.news.recv().await {
                Some((_, News::All(_))) => listed += 1,
                Some(_) => {}
                None => break,
            }
        }
        control.make();
        control
    }

    /// Changes that come together make one table.
    pub async fn run(mut self) {
        let mut together = Vec::new();
        while self.news.recv_many(&mut together, limits::NEWS_MAX).await > 0 {
            if together.drain(..).any(|(sort, news)| self.matters(sort, &news)) {
                self.make();
            }
        }
    }

    fn matters(&self, sort: Sort, news: &News) -> bool {
        let (News::Is(object) | News::Gone(object)) = news else {
            return true;
        };
        let named = |what, name: &str| {
            let key = (what, object::namespace(object).to_owned(), name.to_owned());
            self.named.contains(&key)
        };
        match sort {
            Sort::Classes | Sort::Ingresses => true,
            Sort::Services => named(Named::Service, object::name(object)),
            Sort::Slices => object["metadata"]["labels"]["kubernetes.io/service-name"]
                .as_str()
                .is_some_and(|name| named(Named::Service, name)),
            Sort::Secrets => named(Named::Secret, object::name(object)),
        }
    }

    /// Makes routes and certificates, and puts them in place.
    fn make(&mut self) {
        let client = &self.client;
        let objects = Objects {
            classes: &client.list(&CLASSES, None),
            ingresses: &client.list(&INGRESSES, None),
            services: &client.list(&SERVICES, None),
            slices: &client.list(&SLICES, None),
            version: &|namespace, pod| {
                let pod = client.get(&PODS, namespace, pod)?;
                Some(
                    pod["metadata"]["labels"]["pod-template-hash"]
                        .as_str()?
                        .to_owned(),
                )
            },
        };
        let built = Routes::of(&objects, &self.shared.routes.load(), &self.shared.counts);
        let secret = |namespace: &str, name: &str| client.get(&SECRETS, namespace, name);
        let (certificates, wrong) = Certificates::of(&built.ours, &secret, &self.shared.certificates.load());
        // Certificates first: a route sends clients to https only where there is one.
        self.shared.certificates.store(Arc::new(certificates));
        self.shared.routes.store(Arc::new(built.routes));
        self.named = built.ours.iter().flat_map(|ingress| named(ingress)).collect();
        let mut refused = built.refused;
        refused.extend(wrong.into_iter().map(|(place, error)| Refusal {
            ingress: built.ours[place].clone(),
            message: error.to_string(),
        }));
        self.said.send_replace(Said {
            ours: built.ours,
            refused,
        });
    }
}

/// The services and secrets that an Ingress names.
fn named(ingress: &Value) -> Vec<(Named, String, String)> {
    let namespace = object::namespace(ingress);
    let spec = &ingress["spec"];
    let rules = spec["rules"].as_array().into_iter().flatten();
    let paths = rules.flat_map(|rule| rule["http"]["paths"].as_array().into_iter().flatten());
    let backends = paths
        .map(|path| &path["backend"])
        .chain([&spec["defaultBackend"]]);
    let services = backends.filter_map(|backend| backend["service"]["name"].as_str());
    let entries = spec["tls"].as_array().into_iter().flatten();
    let secrets = entries.filter_map(|entry| entry["secretName"].as_str());
    let each = services
        .map(|name| (Named::Service, name))
        .chain(secrets.map(|name| (Named::Secret, name)));
    each.map(|(sort, name)| (sort, namespace.to_owned(), name.to_owned()))
        .collect()
}

/// Writes the status of Ingresses, and tells what is refused once.
async fn tell(client: Client, status: Value, mut hear: watch::Receiver<Said>) {
    let mut told: HashSet<(String, String)> = HashSet::new();
    while hear.changed().await.is_ok() {
        let said = hear.borrow_and_update().clone();
        for ingress in &said.ours {
            if ingress["status"]["loadBalancer"]["ingress"] == status {
                continue;
            }
            let patch = json!({"status": {"loadBalancer": {"ingress": status}}});
            let (namespace, name) = (object::namespace(ingress), object::name(ingress));
            // One that is gone has no status; of any other failure the next change tells.
            let _ = client
                .patch(&INGRESSES, namespace, name, "status", PatchKind::Merge, patch)
                .await;
        }
        let key = |refusal: &Refusal| (object::uid(&refusal.ingress).to_owned(), refusal.message.clone());
        let now: HashSet<(String, String)> = said.refused.iter().map(key).collect();
        told.retain(|known| now.contains(known));
        for refusal in &said.refused {
            if told.len() >= limits::TOLD_MAX || !told.insert(key(refusal)) {
                continue;
            }
            // Events are news: one that cannot be written is lost.
            let _ = client
                .event(&refusal.ingress, "Warning", "Rejected", &refusal.message)
                .await;
        }
    }
}
