//! The network of one cluster on this machine: its bridge, its pods' links, its ruleset.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deploy_cluster_api::client::Client;
use rustix::io::Errno;

use crate::addresses::{self, Addresses, Cidr, Exhausted};
use crate::firewall::{self, Obstacle};
use crate::link::{self, Link, Namespace, NamespaceError, PodLink, Route};
use crate::netlink::{Family, Messages, NetlinkError, Socket};
use crate::nft::{self, Applied, Ruleset, Table, TableError, foreign_chains};
use crate::services::{Input, Node, Serving, program};
use crate::{conntrack, limits};

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

struct Inner {
    options: Options,
    bridge: Bridge,
    node_address: Ipv4Addr,
    pods: Mutex<Pods>,
    /// For what adds links. Removing one takes the kernel tens of milliseconds, and has a socket of its own.
    adding: Mutex<Socket>,
    removing: Mutex<Socket>,
    table: Mutex<Table>,
    /// For questions about other tables and about connections.
    asking: Mutex<Socket>,
    home: Namespace,
}

#[derive(Clone, Debug)]
struct Bridge {
    index: u32,
    name: String,
    mtu: u32,
    network: Cidr,
}

struct Pods {
    addresses: Addresses,
    links: BTreeMap<String, Pod>,
}

struct Pod {
    address: Ipv4Addr,
    index: u32,
    namespace: Namespace,
}

/// How a pod is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its network namespace, for any process of this machine, while the network is held.
    pub netns: PathBuf,
    /// Its address.
    pub address: Ipv4Addr,
    /// The node's address on the bridge: its way out, and where the API, DNS and others listen for it.
    pub gateway: Ipv4Addr,
}

/// The network cannot do what it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// Not root, or root without the right to.
    #[error(
        "the network needs CAP_NET_ADMIN and CAP_SYS_ADMIN: run as root, in a container with --privileged"
    )]
    NotAllowed,
    /// A part of the kernel is not there.
    #[error("the kernel has no {what}: `modprobe {module}`, or a kernel with {config}")]
    Missing {
        /// What.
        what: &'static str,
        /// The module that has it.
        module: &'static str,
        /// How it is called when a kernel is built.
        config: &'static str,
    },
    /// The machine's routes cover all private ranges.
    #[error("no range of 254 private addresses is free: the machine's routes cover them all")]
    NoRange,
    /// All addresses of pods are taken.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// A setting of the kernel cannot be written.
    #[error("cannot write {path}")]
    Setting {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The kernel does not take a ruleset.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A namespace cannot be made or entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// All else that the kernel refuses.
    #[error("cannot {doing}")]
    Kernel {
        /// What was being done.
        doing: &'static str,
        /// The kernel's answer.
        #[source]
        source: NetlinkError,
    },
    /// The work was cut short, because the server ends.
    #[error("the network stops")]
    Stopped,
}

impl Network {
    /// Makes the bridge where it is missing, and finds the pods of a server before this one.
    ///
    /// # Errors
    /// What is missing, and how to get it.
    pub fn start(options: Options) -> Result<Network, NetError> {
        let mut socket = open()?;
        let bridge_name = bridge_name(&options.id);
        let links = read(link::links(&mut socket))?;
        let routes = read(link::routes(&mut socket))?;
        let known = links.iter().find(|link| link.name == bridge_name);
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
                make_bridge(&mut socket, &options, &links, &routes)?
            }
        };
        settings(&bridge.name)?;
        services_route(&mut socket, &bridge, options.service_range)?;
        let found = adopt(&mut socket, &bridge, &links)?;
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

    /// Firewalls of the machine in which packets of pods end.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn obstacles(&self) -> Result<Vec<Obstacle>, NetError> {
        let table = table_name(&self.inner.options.id);
        let chains = foreign_chains(&mut locked(&self.inner.asking), &table).map_err(netfilter)?;
        Ok(firewall::obstacles(&chains, &self.inner.bridge.name))
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
            sweep_with(&mut socket, &mut locked(&inner.table), &inner.options.id)
        })
        .await
    }

    /// Removes what a cluster has left in the network of the calling thread, whatever became of its server.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn sweep(id: &str) -> Result<(), NetError> {
        let table = Table::open().map_err(netfilter);
        sweep_with(&mut open()?, &mut table?, id)
    }
}

impl Inner {
    fn attach(&self, uid: &str) -> Result<Attachment, NetError> {
        let address = {
            let mut pods = locked(&self.pods);
            if let Some(pod) = pods.links.get(uid) {
                return Ok(self.told(pod));
            }
            pods.addresses.take(uid)?
        };
        match self.link(uid, address) {
            Ok(pod) => {
                let told = self.told(&pod);
                locked(&self.pods).links.insert(uid.to_owned(), pod);
                Ok(told)
            }
            Err(error) => {
                locked(&self.pods).addresses.release(uid);
                Err(error)
            }
        }
    }

    fn link(&self, uid: &str, address: Ipv4Addr) -> Result<Pod, NetError> {
        let namespace = Namespace::create().map_err(allowed)?;
        let mut inside = namespace.run(|| {
            quiet_redirects();
            open()
        })??;
        let name = pod_link_name(&self.options.id, uid);
        let mut messages = Messages::new();
        link::pod_link(
            &mut messages,
            PodLink {
                name: &name,
                alias: &alias(uid, address),
                bridge: self.bridge.index,
                address,
                mtu: self.bridge.mtu,
                namespace: std::os::fd::AsFd::as_fd(&namespace),
            },
        );
        let made = locked(&self.adding).request(&messages);
        made.map_err(|error| kernel("make the pod's link", error, VETH))?;
        let ends = read(link::links(&mut inside))?;
        let end = ends.iter().find(|end| end.name == link::POD_END);
        let index = end.map(|end| end.index).ok_or(NetError::Stopped)?;
        let mut messages = Messages::new();
        link::pod_inside(&mut messages, index, address, self.bridge.network.nth(1));
        inside
            .request(&messages)
            .map_err(|error| kernel("give the pod its address", error, VETH))?;
        let index = read(link::link_index(&mut locked(&self.adding), &name))?;
        Ok(Pod {
            address,
            index: index.ok_or(NetError::Stopped)?,
            namespace,
        })
    }

    fn detach(&self, uid: &str) -> Result<(), NetError> {
        let Some(pod) = locked(&self.pods).links.remove(uid) else {
            return Ok(());
        };
        let removed = remove(&mut locked(&self.removing), &[pod.index]);
        // Only now: nobody else may get the address while the link lives.
        locked(&self.pods).addresses.release(uid);
        removed
    }

    fn told(&self, pod: &Pod) -> Attachment {
        Attachment {
            netns: pod.namespace.path(),
            address: pod.address,
            gateway: self.bridge.network.nth(1),
        }
    }
}

const BRIDGE: NetError = NetError::Missing {
    what: "bridges",
    module: "bridge",
    config: "CONFIG_BRIDGE",
};
const NF_TABLES: NetError = NetError::Missing {
    what: "nf_tables with NAT and FIB",
    module: "nf_tables nft_chain_nat nft_fib_ipv4 nft_numgen nft_masq nft_reject_ipv4",
    config: "CONFIG_NF_TABLES, CONFIG_NFT_NAT, CONFIG_NFT_MASQ, CONFIG_NFT_FIB_IPV4, CONFIG_NFT_NUMGEN",
};
const VETH: NetError = NetError::Missing {
    what: "veth pairs",
    module: "veth",
    config: "CONFIG_VETH",
};

/// `deploy` and the id: 14 of the 15 letters that a link may have.
fn bridge_name(id: &str) -> String {
    format!("deploy{}", id.chars().take(8).collect::<String>())
}

fn table_name(id: &str) -> String {
    format!("deploy-{id}")
}

fn pod_link_name(id: &str, uid: &str) -> String {
    let hash = |seed: &str| addresses::spread(format!("{seed}{id}/{uid}").as_bytes());
    format!("dp{:08x}{:04x}", hash("a"), hash("b") >> 16)
}

/// The record of who has which address: `pod <uid> <address>` on the node's end of the link.
fn alias(uid: &str, address: Ipv4Addr) -> String {
    format!("pod {uid} {address}")
}

fn read_alias(alias: &str) -> Option<(&str, Ipv4Addr)> {
    let (uid, address) = alias.strip_prefix("pod ")?.rsplit_once(' ')?;
    Some((uid, address.parse().ok()?))
}

fn existing_bridge(socket: &mut Socket, link: &Link) -> Result<Option<Bridge>, NetError> {
    let all = read(link::addresses(socket))?;
    let found = all.iter().find(|address| address.link == link.index);
    Ok(found.map(|address| Bridge {
        index: link.index,
        name: link.name.clone(),
        mtu: link.mtu,
        network: address.network,
    }))
}

fn make_bridge(
    socket: &mut Socket,
    options: &Options,
    links: &[Link],
    routes: &[Route],
) -> Result<Bridge, NetError> {
    let mut taken: Vec<Cidr> = routes.iter().map(|route| route.to).collect();
    taken.extend(
        read(link::addresses(socket))?
            .iter()
            .map(|address| address.network),
    );
    taken.push(options.service_range);
    let network = addresses::pod_network(&options.id, &taken).ok_or(NetError::NoRange)?;
    let name = bridge_name(&options.id);
    let (mtu, gateway) = (link::default_mtu(links, routes), network.nth(1));
    let mut messages = Messages::new();
    link::bridge(
        &mut messages,
        &name,
        &format!("deploy cluster {}", options.id),
        gateway,
        mtu,
    );
    socket
        .request(&messages)
        .map_err(|error| kernel("make the bridge", error, BRIDGE))?;
    let index = read(link::link_index(socket, &name))?.ok_or(NetError::Stopped)?;
    let mut messages = Messages::new();
    link::address(&mut messages, index, gateway, network.length);
    socket
        .request(&messages)
        .map_err(|error| kernel("give the bridge its address", error, BRIDGE))?;
    Ok(Bridge {
        index,
        name,
        mtu,
        network,
    })
}

/// The node's own connections to services need a route to choose their source address by, even on a machine without a
/// default route; the ruleset then sends them elsewhere. A metric of its own lets clusters with the same range live
/// side by side.
fn services_route(socket: &mut Socket, bridge: &Bridge, range: Cidr) -> Result<(), NetError> {
    let mut messages = Messages::new();
    let metric = limits::SERVICE_ROUTE_METRIC.saturating_add(bridge.index);
    link::route(
        &mut messages,
        bridge.index,
        range,
        None,
        Some(bridge.network.nth(1)),
        metric,
    );
    socket
        .request(&messages)
        .map_err(|error| kernel("route the services", error, BRIDGE))
}

/// Pods whose link is there and in whose namespace a process lives are ours again; other links lead nowhere.
fn adopt(socket: &mut Socket, bridge: &Bridge, links: &[Link]) -> Result<Pods, NetError> {
    let ports: Vec<&Link> = links
        .iter()
        .filter(|link| link.master == Some(bridge.index))
        .collect();
    let mut pods = Pods {
        addresses: Addresses::new(bridge.network),
        links: BTreeMap::new(),
    };
    if ports.is_empty() {
        return Ok(pods);
    }
    let mut alive = living_namespaces(socket);
    let mut dead = Vec::new();
    for port in ports {
        let known = read_alias(&port.alias);
        let namespace = port.peer_namespace.and_then(|number| alive.remove(&number));
        match (known, namespace) {
            (Some((uid, address)), Some(namespace)) if pods.addresses.claim(uid, address) => {
                let index = port.index;
                pods.links.insert(
                    uid.to_owned(),
                    Pod {
                        address,
                        index,
                        namespace,
                    },
                );
            }
            _ => dead.push(port.index),
        }
    }
    remove(socket, &dead)?;
    Ok(pods)
}

/// The namespaces of all processes, by the number that ours knows them by. Processes come and go meanwhile: what
/// cannot be opened is gone.
fn living_namespaces(socket: &mut Socket) -> BTreeMap<u32, Namespace> {
    let mut seen = BTreeSet::new();
    let mut found = BTreeMap::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        if !process
            .file_name()
            .to_string_lossy()
            .bytes()
            .all(|byte| byte.is_ascii_digit())
        {
            continue;
        }
        let path = process.path().join("ns/net");
        let Ok(identity) = std::fs::read_link(&path) else {
            continue;
        };
        if !seen.insert(identity) {
            continue;
        }
        let Ok(namespace) = Namespace::open(path) else {
            continue;
        };
        if let Ok(Some(number)) = link::namespace_number(socket, std::os::fd::AsFd::as_fd(&namespace)) {
            found.insert(number, namespace);
        }
    }
    found
}

/// The source address of what leaves the machine.
fn node_address(socket: &mut Socket, routes: &[Route], bridge: Ipv4Addr) -> Result<Ipv4Addr, NetError> {
    let uplink = routes
        .iter()
        .filter(|route| route.to.length == 0)
        .min_by_key(|route| route.metric);
    let Some(uplink) = uplink else {
        return Ok(bridge);
    };
    let all = read(link::addresses(socket))?;
    let of_link = all.iter().find(|address| Some(address.link) == uplink.link);
    Ok(uplink
        .source
        .or(of_link.map(|address| address.address))
        .unwrap_or(bridge))
}

/// Settings of the kernel for the namespace of the calling thread.
fn settings(bridge: &str) -> Result<(), NetError> {
    set("net/ipv4/ip_forward", "1")?;
    // Packets between pods pass the node although a shorter way exists. To say so would use up what the kernel allows
    // in messages to a pod, and refusals would not reach it. Both must be off; other links have settings of their own.
    set("net/ipv4/conf/all/send_redirects", "0")?;
    set(&format!("net/ipv4/conf/{bridge}/send_redirects"), "0")?;
    // 127.0.0.1 and the port of a service work on the node; the ruleset keeps pods from the node's own 127.0.0.1.
    set(&format!("net/ipv4/conf/{bridge}/route_localnet"), "1")
}

/// Packets between pods pass the gateway although a shorter way exists; nobody in the pod shall believe who says so.
fn quiet_redirects() {
    for interface in ["all", "default"] {
        // A pod that believes them loses nothing but answers of services, and the ruleset lets none out.
        let _ = set(&format!("net/ipv4/conf/{interface}/accept_redirects"), "0");
    }
}

/// Writes where the value differs: a machine may forbid to write what it has already.
fn set(name: &str, value: &str) -> Result<(), NetError> {
    let path = format!("/proc/sys/{name}");
    let now = std::fs::read_to_string(&path).unwrap_or_default();
    if now.trim() == value {
        return Ok(());
    }
    std::fs::write(&path, value).map_err(|source| NetError::Setting { path, source })
}

fn sweep_with(socket: &mut Socket, table: &mut Table, id: &str) -> Result<(), NetError> {
    let name = table_name(id);
    // A kernel without nf_tables has no table either.
    if table.exists(&name).unwrap_or(false) {
        table.remove(&name)?;
    }
    let links = read(link::links(socket))?;
    let name = bridge_name(id);
    let Some(bridge) = links.iter().find(|link| link.name == name) else {
        return Ok(());
    };
    let ports = links.iter().filter(|link| link.master == Some(bridge.index));
    let all: Vec<u32> = ports.map(|port| port.index).chain([bridge.index]).collect();
    remove(socket, &all)
}

/// What is gone already is removed.
fn remove(socket: &mut Socket, links: &[u32]) -> Result<(), NetError> {
    for index in links {
        let mut messages = Messages::new();
        link::remove_link(&mut messages, *index);
        match socket.request(&messages) {
            Err(error) if !error.is(Errno::NODEV) => return Err(kernel("remove a link", error, VETH)),
            _ => {}
        }
    }
    Ok(())
}

fn open() -> Result<Socket, NetError> {
    Socket::open(Family::Route).map_err(|error| kernel("talk to the kernel", error, BRIDGE))
}

fn read<T>(result: Result<T, NetlinkError>) -> Result<T, NetError> {
    result.map_err(|error| kernel("read the machine's network", error, BRIDGE))
}

/// What a refusal means to people.
fn kernel(doing: &'static str, source: NetlinkError, missing: NetError) -> NetError {
    match &source {
        NetlinkError::Refused { errno, .. } if forbidden(*errno) => NetError::NotAllowed,
        NetlinkError::Refused { errno, .. } if unsupported(*errno) => missing,
        _ => NetError::Kernel { doing, source },
    }
}

fn netfilter(error: NetlinkError) -> NetError {
    kernel("talk to nf_tables", error, NF_TABLES)
}

fn forbidden(errno: Errno) -> bool {
    matches!(errno, Errno::PERM | Errno::ACCESS)
}

fn unsupported(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::OPNOTSUPP | Errno::AFNOSUPPORT | Errno::PROTONOSUPPORT
    )
}

fn allowed(error: NamespaceError) -> NetError {
    if error.is_forbidden() {
        NetError::NotAllowed
    } else {
        error.into()
    }
}

/// A panic inside leaves nothing half done that the next one could not read.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NetError> + Send + 'static,
) -> Result<T, NetError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(NetError::Stopped))
}
