//! The node of `deploy run cluster`: containers, network, names and the ingress of this machine, put together.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deploy_cluster_api::allocators::Range;
use deploy_cluster_api::authorization::bootstrap::parts;
use deploy_cluster_api::client::{Client, ResourceId};
use deploy_cluster_api::identity::UserInfo;
use deploy_cluster_api::server::Server;
use deploy_cluster_net::dns::{self, Dns};
use deploy_cluster_net::firewall::Obstacle;
use deploy_cluster_net::ingress::{self, Ingress, IngressError, Published};
use deploy_cluster_net::network::{self, NetError, Network};
use deploy_cluster_net::services::Serving;
use deploy_cluster_node::environment::dns::ClusterDns;
use deploy_cluster_node::images::Images;
use deploy_cluster_node::node_object::machine;
use deploy_cluster_node::shell::{self, Node, Parts, Retiring};
use deploy_cluster_node::volumes::memory;
use deploy_image::Store;
use deploy_model::{Code, Diagnostic, Lang, with_causes};
use deploy_sandbox::{Runtime, Sandboxes};

use super::serve::taken;

/// Of the cluster's own names.
const DOMAIN: &str = "cluster.local";
/// The Kubernetes that this is.
const KUBERNETES: &str = "v1.34.2";
const DNS_PORT: u16 = 53;

static SECRETS: ResourceId = ResourceId::new("", "v1", "secrets");

/// What runs pods on this machine.
pub struct Machine {
    node: Node,
    serving: Serving,
    dns: Dns,
    ingress: Ingress,
    /// Firewalls of the machine in which packets of pods end, and how to allow them.
    pub obstacles: Vec<Obstacle>,
}

/// Where people reach what Ingresses name.
#[derive(Clone, Copy, Debug)]
pub struct Doors {
    /// Without TLS.
    pub http: SocketAddr,
    /// With TLS.
    pub https: SocketAddr,
}

/// What is there before the API server is: whatever is missing is told before anything is written.
pub struct Ground {
    sandboxes: Sandboxes,
    network: Network,
    name: String,
    folder: PathBuf,
}

/// What tells the cluster of this folder from others on the machine: 8 hex digits (FNV-1a of its path).
pub fn id(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let bytes = whole.as_os_str().as_encoded_bytes();
    let hash = bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    format!("{hash:08x}")
}

/// The cgroup above all pods of the cluster of this folder.
fn cgroup(folder: &Path) -> String {
    format!("deploy-{}", id(folder))
}

/// The folder in memory of the secrets of this cluster's pods.
fn in_memory(folder: &Path) -> String {
    format!("deploy-{}", id(folder))
}

fn sandboxes(folder: &Path) -> PathBuf {
    folder.join("node/sandboxes")
}

impl Ground {
    /// Looks whether this machine can run pods, and makes the network.
    pub async fn prepare(folder: &Path, name: Option<&str>, services: Range) -> Result<Ground, Diagnostic> {
        let sandboxes = opened(folder).await.map_err(|error| cannot_run(&error))?;
        let facts = machine::facts(name, std::net::Ipv4Addr::LOCALHOST, folder, KUBERNETES);
        let options = network::Options {
            id: id(folder),
            service_range: services.to_string().parse().expect("it is one"),
            node_name: facts.name.clone(),
        };
        let network = tokio::task::spawn_blocking(move || Network::start(options)).await;
        let network = network
            .map_err(std::io::Error::other)
            .map_err(|error| cannot_run(&error))?;
        let network = network.map_err(|error: NetError| cannot_run(&error))?;
        Ok(Ground {
            sandboxes,
            network,
            name: facts.name,
            folder: folder.to_owned(),
        })
    }

    /// Starts to run pods.
    pub async fn start(self, server: &Server, doors: Doors, lang: Lang) -> Result<Machine, Diagnostic> {
        let Ground {
            sandboxes,
            network,
            name,
            folder,
        } = self;
        let failed = |error: &dyn std::error::Error| {
            Diagnostic::new(Code::ClusterStartFailed)
                .with("path", folder.display().to_string())
                .because(with_causes(error))
        };
        let inside = SocketAddr::from((network.bridge_address(), server.address().port()));
        server.listen_also(inside).await.map_err(|error| failed(&error))?;
        let admitted = server.api().admit_parts(&name).await;
        admitted.map_err(|error| failed(&error))?;
        let images = folder.join("images");
        let store = tokio::task::spawn_blocking(move || Store::open(&images)).await;
        let store = store
            .map_err(|error| failed(&error))?
            .map_err(|error| failed(&error))?;
        let part = |user: UserInfo, manager: &str| Client::new(server.api(), user, manager).bound();
        let account = |name: &str| UserInfo::account(parts::NAMESPACE, name);
        let proxy = part(UserInfo::named(parts::PROXY, &[]), "kube-proxy");
        let serving = network.serve(proxy);
        let names = SocketAddr::from((network.dns_address(), DNS_PORT));
        let options = dns::Options {
            listen: vec![names],
            client: part(account(parts::DNS), "coredns"),
            outside: dns::Outside::File("/etc/resolv.conf".into()),
            service_at: Some(names),
        };
        let dns = Dns::start(options).await.map_err(|error| failed(&error))?;
        let options = ingress::Options {
            http: vec![doors.http],
            https: vec![doors.https],
            client: part(account(parts::INGRESS), "deploy-ingress"),
            published: vec![Published::Address(doors.http.ip())],
            access_log: Some(folder.join("ingress.log")),
        };
        let ingress = Ingress::start(options).await.map_err(|error| match &error {
            IngressError::Listen { address, .. } => taken(*address, lang, &error),
            error => failed(error),
        })?;
        // What cannot be read hinders nobody from starting.
        let obstacles = network.obstacles().unwrap_or_default();
        let reader = part(UserInfo::node(&name), "kubelet");
        let secrets = move |namespace: &str, secret: &str| reader.get(&SECRETS, namespace, secret);
        let registries = deploy_registry_client::Client::new(deploy_registry_client::Options::default());
        let own = folder.join("node");
        let parts = Parts {
            sandboxes,
            images: Arc::new(Images::new(Arc::new(store), registries, Box::new(secrets))),
            facts: machine::facts(Some(&name), network.node_address(), &own, KUBERNETES),
            dns: ClusterDns {
                servers: vec![network.dns_address().into()],
                domain: DOMAIN.to_owned(),
            },
            folder: own,
            network,
            memory: memory::folder(&in_memory(&folder)),
        };
        let node = Node::start(server.api(), parts)
            .await
            .map_err(|error| failed(&error))?;
        Ok(Machine {
            node,
            serving,
            dns,
            ingress,
            obstacles,
        })
    }
}

impl Machine {
    /// Lets go of the pods, which run on.
    pub async fn shutdown(self) {
        self.node.shutdown().await;
        self.ingress.shutdown().await;
        self.dns.shutdown().await;
        self.serving.shutdown().await;
    }
}

/// Whether a node has ever run in the folder of this cluster.
pub fn was_here(folder: &Path) -> bool {
    sandboxes(folder).exists()
}

async fn opened(folder: &Path) -> Result<Sandboxes, deploy_sandbox::OpenError> {
    let options = deploy_sandbox::Options {
        root: sandboxes(folder),
        cgroup_parent: cgroup(folder),
        program: "/proc/self/exe".into(),
        runtime: Runtime::Own,
    };
    Sandboxes::open(options).await
}

/// Lets the pods of a cluster whose server does not run end as they want to, each within `longest`.
pub fn retire(folder: &Path, longest: Duration, tell: &mut dyn FnMut(Retiring)) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let sandboxes = opened(folder).await.map_err(std::io::Error::other)?;
        shell::retire(&sandboxes, &shell::folder(folder), longest, tell).await;
        sandboxes.close().await;
        Ok(())
    })
}

/// Ends all pods of a cluster whose server does not run, and removes what they had of the machine.
pub fn sweep(folder: &Path) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(Sandboxes::sweep(&sandboxes(folder), &cgroup(folder)))?;
    Network::sweep(&id(folder)).map_err(std::io::Error::other)?;
    memory::sweep(&in_memory(folder))?;
    // Nothing says any more that there is something.
    match std::fs::remove_dir(sandboxes(folder)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn cannot_run(error: &dyn std::error::Error) -> Diagnostic {
    Diagnostic::new(Code::ClusterCannotRunPods).because(with_causes(error))
}
