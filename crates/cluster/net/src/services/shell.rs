//! Follows the cluster, and makes the ruleset hold for it. Changes that come while one is being written go together.

use deploy_model::with_causes;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use deploy_cluster_api::client::{Client, ResourceId};
use deploy_cluster_api::negotiate::PatchKind;
use deploy_cluster_api::object;
use serde_json::{Value, json};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{HostPort, Input, Service, Slice, assignments, datagram_places, host_ports, program};
use crate::firewall::Obstacle;
use crate::follow::{News, follow};
use crate::limits;
use crate::netlink::Socket;
use crate::network::Network;
use crate::nft;

const SERVICES: ResourceId = ResourceId::new("", "v1", "services");
const NODES: ResourceId = ResourceId::new("", "v1", "nodes");
const RESOURCES: [(Sort, ResourceId); 3] = [
    (Sort::Services, SERVICES),
    (
        Sort::Slices,
        ResourceId::new("discovery.k8s.io", "v1", "endpointslices"),
    ),
    (Sort::Pods, ResourceId::new("", "v1", "pods")),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Services,
    Slices,
    Pods,
}

/// How the rules of services are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// True once a ruleset for all services has been written.
    pub ready: bool,
    /// Why the last ruleset does not hold; the one before it does.
    pub failure: Option<String>,
    /// Other firewalls in which packets of pods end.
    pub obstacles: Vec<Obstacle>,
}

/// The rules of services, kept in step with the cluster.
pub struct Serving {
    health: watch::Receiver<Health>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Serving {
    pub(crate) fn start(network: Network, client: Client) -> Serving {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (sender, news) = mpsc::channel(limits::NEWS);
        for (sort, resource) in RESOURCES {
            let following = follow(client.clone(), resource, sort, sender.clone());
            tasks.spawn(stop.clone().run_until_cancelled_owned(following));
        }
        let (health, told) = watch::channel(Health::default());
        let keeper = Keeper {
            index: Index::default(),
            tables: Tables::open(&network),
            network,
            client,
            health,
            places: BTreeSet::new(),
            waiting: BTreeSet::new(),
            untold: Vec::new(),
            pause: limits::PAUSE_FIRST,
            retry_at: None,
            look_at: Some(Instant::now()),
        };
        tasks.spawn(stop.clone().run_until_cancelled_owned(keeper.run(news)));
        Serving {
            health: told,
            stop,
            tasks,
        }
    }

    /// How it is, and when that changes.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Ends. The last ruleset stays: pods go on without us.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// What is known of the cluster, by namespace and name of the object.
#[derive(Default)]
struct Index {
    services: BTreeMap<(String, String), Service>,
    slices: BTreeMap<(String, String), Slice>,
    host_ports: BTreeMap<(String, String), Vec<HostPort>>,
    /// Of which there was a list already.
    listed: BTreeSet<Sort>,
}

impl Index {
    /// True where the ruleset may differ for it.
    fn note(&mut self, sort: Sort, news: News, node: &str) -> bool {
        if matches!(news, News::All(_)) {
            self.listed.insert(sort);
        }
        match sort {
            Sort::Services => noted(&mut self.services, news, |service| Some(Service::read(service))),
            Sort::Slices => noted(&mut self.slices, news, |slice| Some(Slice::read(slice))),
            Sort::Pods => noted(&mut self.host_ports, news, |pod| {
                Some(host_ports(pod, node)).filter(|ports| !ports.is_empty())
            }),
        }
    }

    fn is_complete(&self) -> bool {
        self.listed.len() == RESOURCES.len()
    }

    fn input(&self) -> Input<'_> {
        Input {
            services: self.services.values().collect(),
            slices: self.slices.values().collect(),
            host_ports: self.host_ports.values().flatten().collect(),
        }
    }
}

/// Applies news to a map of what was read. Objects that read the same change nothing.
fn noted<T: PartialEq>(
    map: &mut BTreeMap<(String, String), T>,
    news: News,
    read: impl Fn(&Value) -> Option<T>,
) -> bool {
    let key = |object: &Value| {
        (
            object::namespace(object).to_owned(),
            object::name(object).to_owned(),
        )
    };
    match news {
        News::All(objects) => {
            let all = objects
                .iter()
                .filter_map(|object| Some((key(object), read(object)?)));
            *map = all.collect();
            true
        }
        News::Is(object) => match read(&object) {
            Some(now) if map.get(&key(&object)) == Some(&now) => false,
            Some(now) => {
                map.insert(key(&object), now);
                true
            }
            None => map.remove(&key(&object)).is_some(),
        },
        News::Gone(object) => map.remove(&key(&object)).is_some(),
    }
}

struct Keeper {
    network: Network,
    client: Client,
    index: Index,
    tables: Option<Tables>,
    health: watch::Sender<Health>,
    /// Where datagrams went with the last ruleset.
    places: BTreeSet<(Ipv4Addr, u16)>,
    /// The services whose wait for an address has been told of.
    waiting: BTreeSet<(String, String)>,
    /// What the node shall be told, once it is there.
    untold: Vec<String>,
    /// After the next failure.
    pause: Duration,
    /// When a ruleset is tried again that was not taken.
    retry_at: Option<Instant>,
    /// When other firewalls are looked at again, because they have changed.
    look_at: Option<Instant>,
}

impl Keeper {
    async fn run(mut self, mut news: mpsc::Receiver<(Sort, News)>) {
        let node = self.network.node().name;
        let (mut together, mut dirty) = (Vec::new(), false);
        loop {
            if dirty && self.index.is_complete() && self.retry_at.is_none() && self.write().await {
                dirty = false;
            }
            let (retry_at, look_at) = (self.retry_at, self.look_at);
            tokio::select! {
                count = news.recv_many(&mut together, limits::NEWS) => {
                    if count == 0 {
                        return;
                    }
                    for (sort, news) in together.drain(..) {
                        dirty |= self.index.note(sort, news, &node);
                    }
                    self.tell_node().await;
                }
                told = next_of(&mut self.tables) => match told {
                    TableNews::Ours => {
                        self.network.forget_table();
                        dirty = true;
                    }
                    TableNews::Others => {
                        self.look_at.get_or_insert(Instant::now() + limits::FIREWALL_PAUSE);
                    }
                },
                () = at(retry_at) => self.retry_at = None,
                () = at(look_at) => {
                    self.look_at = None;
                    self.look_at_firewalls().await;
                }
            }
        }
    }

    /// Makes the ruleset hold for what is known. False where it must be tried again.
    async fn write(&mut self) -> bool {
        let node = self.network.node();
        let ruleset = program(&self.index.input(), &node);
        let places = datagram_places(&self.index.input(), &node);
        let gone: BTreeSet<_> = self.places.difference(&places).copied().collect();
        let network = self.network.clone();
        let applied = tokio::task::spawn_blocking(move || {
            network.apply(&ruleset).map_err(|error| with_causes(&error))?;
            if gone.is_empty() {
                return Ok(());
            }
            network
                .forget_datagrams(&gone)
                .map(drop)
                .map_err(|error| with_causes(&error))
        });
        match applied.await {
            Ok(Ok(())) => {
                self.places = places;
                self.pause = limits::PAUSE_FIRST;
                self.say(|health| {
                    health.ready = true;
                    health.failure = None;
                });
                self.give_addresses().await;
                true
            }
            Ok(Err(failure)) => {
                self.retry_at = Some(Instant::now() + self.pause);
                self.pause = (self.pause * 2).min(limits::PAUSE_LONGEST);
                self.say(|health| health.failure = Some(failure));
                false
            }
            // The runtime ends, or a ruleset that panics would do so again: the next change is another chance.
            Err(_) => true,
        }
    }

    /// Load balancers get the node's address.
    async fn give_addresses(&mut self) {
        let services = self.index.services.values();
        let wanted = assignments(services, self.network.node_address());
        let mut waiting = BTreeSet::new();
        for assignment in wanted {
            let (namespace, name) = (&*assignment.namespace, &*assignment.name);
            if let Some((protocol, port)) = assignment.taken {
                let key = (namespace.to_owned(), name.to_owned());
                if !self.waiting.contains(&key) {
                    let text = format!(
                        "port {port}/{} of the node is another load balancer's",
                        protocol.word()
                    );
                    self.tell(namespace, name, &text).await;
                }
                waiting.insert(key);
            }
            let ingress = match assignment.address {
                Some(address) => json!([{"ip": address.to_string(), "ipMode": "VIP"}]),
                None => Value::Null,
            };
            let patch = json!({"status": {"loadBalancer": {"ingress": ingress}}});
            let patched = self
                .client
                .patch(&SERVICES, namespace, name, "status", PatchKind::Merge, patch)
                .await;
            // Gone meanwhile, or changed: the news of that bring us here again.
            drop(patched);
        }
        self.waiting = waiting;
    }

    async fn tell(&self, namespace: &str, name: &str, text: &str) {
        if let Some(service) = self.client.get(&SERVICES, namespace, name) {
            // A cluster that takes no events has louder troubles.
            drop(self.client.event(&service, "Warning", "PortTaken", text).await);
        }
    }

    async fn look_at_firewalls(&mut self) {
        let network = self.network.clone();
        let Ok(Ok(obstacles)) = tokio::task::spawn_blocking(move || network.obstacles()).await else {
            return;
        };
        let before = self.health.borrow().obstacles.clone();
        if before == obstacles {
            return;
        }
        let new = obstacles
            .iter()
            .filter(|one| !before.contains(one))
            .map(ToString::to_string);
        self.untold = new.collect();
        self.say(|health| health.obstacles = obstacles);
        self.tell_node().await;
    }

    /// The node comes some time after us.
    async fn tell_node(&mut self) {
        if self.untold.is_empty() {
            return;
        }
        if let Some(node) = self.client.get(&NODES, "", &self.network.node().name) {
            for text in std::mem::take(&mut self.untold) {
                drop(
                    self.client
                        .event(&node, "Warning", "FirewallDropsPods", &text)
                        .await,
                );
            }
        }
    }

    fn say(&self, change: impl FnOnce(&mut Health)) {
        self.health.send_if_modified(|health| {
            let before = health.clone();
            change(health);
            *health != before
        });
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// What somebody did to the tables of the machine.
enum TableNews {
    /// Ours is gone, or changes have been missed.
    Ours,
    /// Another one has changed.
    Others,
}

struct Tables {
    socket: AsyncFd<Socket>,
    /// Our own changes are no news.
    port: u32,
    table: String,
}

impl Tables {
    /// None where the kernel tells no news: then only changes of the cluster bring a lost table back.
    fn open(network: &Network) -> Option<Tables> {
        let (socket, port) = network.table_news().ok()?;
        #[expect(
            deprecated,
            reason = "the socket keeps its one descriptor open; its successor needs `unsafe`"
        )]
        let socket = AsyncFd::with_interest(socket, Interest::READABLE).ok()?;
        Some(Tables {
            socket,
            port,
            table: network.node().table,
        })
    }

    async fn next(&mut self) -> Option<TableNews> {
        loop {
            let mut ready = self.socket.readable_mut().await.ok()?;
            let answers = match ready.get_inner_mut().news() {
                Ok(answers) => answers,
                // Too many at once: whatever they were, look at all.
                Err(_) => return Some(TableNews::Ours),
            };
            if answers.is_empty() {
                ready.clear_ready();
            }
            let mut others = false;
            for answer in answers.iter().filter(|answer| answer.port != self.port) {
                match nft::news(answer) {
                    Some(nft::News::TableGone(table) | nft::News::Changed(table)) if table == self.table => {
                        return Some(TableNews::Ours);
                    }
                    Some(_) => others = true,
                    None => {}
                }
            }
            if others {
                return Some(TableNews::Others);
            }
        }
    }
}

async fn next_of(tables: &mut Option<Tables>) -> TableNews {
    if let Some(open) = tables {
        if let Some(news) = open.next().await {
            return news;
        }
        *tables = None;
    }
    std::future::pending().await
}
