use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deploy_cluster_api::client::Client;

use super::error::{NF_TABLES, NetError, forbidden, kernel, netfilter, read, unsupported};
use super::ground::{
    Bridge, bridge_name, existing_bridge, make_bridge, node_address, open, remove, services_route, settings,
    sweep_with, table_name,
};
use super::pods::{Attachment, Pods, adopt};
use super::probe;
use crate::addresses::Cidr;
use crate::conntrack;
use crate::firewall::{self, Obstacle};
use crate::link::{self, Link, Namespace};
use crate::netlink::{Family, NetlinkError, Socket};
use crate::nft::{self, Applied, Ruleset, Table, TableError, foreign_chains};
use crate::services::{Input, Node, Serving, program};

/// What a network is made for.
#[derive(Clone, Debug)]
pub struct Options {
    /// What tells this cluster from others on the machine: up to 8 letters and digits. Names derive from it.
    pub id: String,
    /// Where services get their addresses.
    pub service_range: Cidr,
    /// The name of the node, as the API has it.
    pub node_name: String,
}

/// The network of one cluster. It belongs to the network namespace of the thread that started it; clones share it.
#[derive(Clone)]
pub struct Network {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub options: Options,
    pub bridge: Bridge,
    pub node_address: Ipv4Addr,
    pub pods: Mutex<Pods>,
    /// For what adds links. Removing one takes the kernel tens of milliseconds, and has a socket of its own.
    pub adding: Mutex<Socket>,
    pub removing: Mutex<Socket>,
    table: Mutex<Table>,
    /// For questions about other tables and about connections.
    asking: Mutex<Socket>,
    pub home: Namespace,
}

impl Network {
    /// Makes the bridge where it is missing, and finds the pods of a server before this one.
    ///
    /// # Errors
    /// What is missing, and how to get it. Then nothing is left behind that was not there before.
    pub fn start(options: Options) -> Result<Network, NetError> {
        let mut socket = open()?;
        let (id, name) = (options.id.clone(), bridge_name(&options.id));
        let links = read(link::links(&mut socket))?;
        let known = links.iter().find(|link| link.name == name);
        let started = Network::with(socket, options, &links, known);
        if started.is_err() && known.is_none() {
            // Why it does not start is what people must hear, not what else goes wrong now.
            drop(Network::sweep(&id));
        }
        started
    }

    fn with(
        mut socket: Socket,
        options: Options,
        links: &[Link],
        known: Option<&Link>,
    ) -> Result<Network, NetError> {
        let routes = read(link::routes(&mut socket))?;
        let bridge = match known
            .map(|link| existing_bridge(&mut socket, link))
            .transpose()?
            .flatten()
        {
            Some(bridge) => bridge,
            None => {
                if let Some(broken) = known {
                    remove(&mut socket, &[broken.index])?;
                }
                make_bridge(&mut socket, &options, links, &routes)?
            }
        };
        settings(&bridge.name)?;
        services_route(&mut socket, &bridge, options.service_range)?;
        let found = adopt(&mut socket, &bridge, links)?;
        let node_address = node_address(&mut socket, &routes, bridge.network.nth(1))?;
        let table = Table::open().map_err(netfilter)?;
        let network = Network {
            inner: Arc::new(Inner {
                options,
                bridge,
                node_address,
                pods: Mutex::new(found),
                adding: Mutex::new(socket),
                removing: Mutex::new(open()?),
                table: Mutex::new(table),
                asking: Mutex::new(Socket::open(Family::Netfilter).map_err(netfilter)?),
                home: Namespace::current()?,
            }),
        };
        network.first_table()?;
        Ok(network)
    }

    /// The table without services, where there is none: pods get out. Where a server before this one has left a table,
    /// its services go on until we know better.
    fn first_table(&self) -> Result<(), NetError> {
        let node = self.node();
        let mut table = locked(&self.inner.table);
        let known = table.exists(&node.table);
        if known.map_err(|error| kernel("read the tables", error, NF_TABLES))? {
            return Ok(());
        }
        table
            .apply(&program(&Input::default(), &node))
            .map(drop)
            .map_err(|error| match &error.source {
                NetlinkError::Refused { errno, .. } if unsupported(*errno) => NF_TABLES,
                NetlinkError::Refused { errno, .. } if forbidden(*errno) => NetError::NotAllowed,
                _ => error.into(),
            })
    }

    /// What a ruleset must know of this machine.
    pub fn node(&self) -> Node {
        Node {
            table: table_name(&self.inner.options.id),
            name: self.inner.options.node_name.clone(),
            bridge: self.inner.bridge.name.clone(),
            pod_network: self.pod_network(),
            service_range: self.service_range(),
            address: self.inner.node_address,
        }
    }

    /// Makes the ruleset hold; only what differs from the one before is sent. Blocks for some milliseconds.
    ///
    /// # Errors
    /// Where the kernel refuses; then the one before holds.
    pub fn apply(&self, ruleset: &Ruleset) -> Result<Applied, TableError> {
        locked(&self.inner.table).apply(ruleset)
    }

    /// Firewalls of the machine in which packets of pods end. Blocks, for up to a second where one is not of nf_tables.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn obstacles(&self) -> Result<Vec<Obstacle>, NetError> {
        let table = table_name(&self.inner.options.id);
        let chains = foreign_chains(&mut locked(&self.inner.asking), &table).map_err(netfilter)?;
        let mut found = firewall::obstacles(&chains, &self.inner.bridge.name);
        if found.is_empty() {
            let hindered = probe::hindered(&self.inner)?;
            found.extend(
                hindered
                    .into_iter()
                    .map(|what| firewall::legacy(what, &self.inner.bridge.name)),
            );
        }
        Ok(found)
    }

    /// Follows Services, EndpointSlices and Pods, and makes the ruleset hold for them, until it is shut down.
    pub fn serve(&self, client: Client) -> Serving {
        Serving::start(self.clone(), client)
    }

    /// The whole ruleset is written with the next one, because somebody has changed ours.
    pub(crate) fn forget_table(&self) {
        locked(&self.inner.table).forget();
    }

    /// Datagrams for these places shall find others.
    pub(crate) fn forget_datagrams(&self, places: &BTreeSet<(Ipv4Addr, u16)>) -> Result<usize, NetlinkError> {
        conntrack::forget_datagrams(&mut locked(&self.inner.asking), places)
    }

    /// News of nf_tables, and by which number they name changes of ours.
    pub(crate) fn table_news(&self) -> Result<(Socket, u32), NetError> {
        let port = locked(&self.inner.table).port().map_err(netfilter)?;
        let open = self
            .inner
            .home
            .run(|| Socket::listening(Family::Netfilter, nft::NEWS))?;
        Ok((open.map_err(netfilter)?, port))
    }

    /// The name of the bridge.
    pub fn bridge(&self) -> &str {
        &self.inner.bridge.name
    }

    /// The range of the pods' addresses, the node's `podCIDR`.
    pub fn pod_network(&self) -> Cidr {
        self.inner.bridge.network
    }

    /// Where services get their addresses.
    pub fn service_range(&self) -> Cidr {
        self.inner.options.service_range
    }

    /// The node's address on the bridge: where pods reach what the server offers them.
    pub fn bridge_address(&self) -> Ipv4Addr {
        self.inner.bridge.network.nth(1)
    }

    /// The node's address for others: that of its default route, or the bridge's where it has none.
    pub fn node_address(&self) -> Ipv4Addr {
        self.inner.node_address
    }

    /// Where pods ask for names.
    pub fn dns_address(&self) -> Ipv4Addr {
        self.bridge_address()
    }

    /// Gives a pod a namespace and an address; what it has where it has one, from a server before this one too.
    ///
    /// # Errors
    /// [`NetError::Exhausted`], and what the kernel refuses.
    pub async fn attach(&self, uid: &str) -> Result<Attachment, NetError> {
        let (inner, uid) = (Arc::clone(&self.inner), uid.to_owned());
        blocking(move || inner.attach(&uid)).await
    }

    /// How a pod is attached, if it is.
    pub fn attachment(&self, uid: &str) -> Option<Attachment> {
        let pods = locked(&self.inner.pods);
        pods.links.get(uid).map(|pod| self.inner.told(pod))
    }

    /// All pods that are attached: those of a server before this one are among them.
    pub fn attached(&self) -> Vec<String> {
        locked(&self.inner.pods).links.keys().cloned().collect()
    }

    /// Takes a pod's link and address away. Nothing happens where it has none.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub async fn detach(&self, uid: &str) -> Result<(), NetError> {
        let (inner, uid) = (Arc::clone(&self.inner), uid.to_owned());
        blocking(move || inner.detach(&uid)).await
    }

    /// Removes the table, the bridge and all links of pods.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub async fn down(self) -> Result<(), NetError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            let mut socket = locked(&inner.removing);
            locked(&inner.pods).links.clear();
            sweep_with(&mut socket, Some(&mut locked(&inner.table)), &inner.options.id)
        })
        .await
    }

    /// Removes what a cluster has left in the network of the calling thread, whatever became of its server.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn sweep(id: &str) -> Result<(), NetError> {
        // A kernel without nf_tables has no table, and may still have a bridge.
        let mut table = Table::open().ok();
        sweep_with(&mut open()?, table.as_mut(), id)
    }
}

/// A panic inside leaves nothing half done that the next one could not read.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NetError> + Send + 'static,
) -> Result<T, NetError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(NetError::Stopped))
}
