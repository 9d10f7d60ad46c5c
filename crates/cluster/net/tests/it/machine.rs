//! A machine of its own for each test: a network namespace with `lo`, and threads that act inside pods.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use deploy_cluster_net::link::Namespace;
use deploy_cluster_net::network::{Attachment, Network, Options};

/// Nothing here takes so long, but on a machine that does ten other things.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a test in a new network namespace. Without root it is skipped, visibly.
pub fn on_a_machine(test: impl FnOnce() + Send) {
    let namespace = match Namespace::create() {
        Ok(namespace) => namespace,
        Err(error) if error.is_forbidden() => {
            eprintln!("skipped: needs root to make network namespaces");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let run = || {
        ip("link set lo up");
        // The strictest setting that distributions have.
        std::fs::write("/proc/sys/net/ipv4/conf/all/rp_filter", "1").unwrap();
        test();
    };
    namespace.run(run).unwrap();
}

/// Options of a cluster.
pub fn options(id: &str) -> Options {
    Options {
        id: id.to_owned(),
        service_range: "10.96.0.0/16".parse().unwrap(),
        node_name: "node".to_owned(),
    }
}

pub fn start(id: &str) -> Network {
    Network::start(options(id)).unwrap()
}

/// Waits for something asynchronous; its threads are those of this namespace.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// `ip` of iproute2, in the namespace of the calling thread.
pub fn ip(arguments: &str) -> String {
    tool("ip", arguments)
}

/// `nft`, likewise.
pub fn nft(arguments: &str) -> String {
    tool("nft", arguments)
}

fn tool(name: &str, arguments: &str) -> String {
    let output = Command::new(name).args(arguments.split(' ')).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{name} {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// A pod: something in its namespace can be done.
pub struct Pod {
    pub address: Ipv4Addr,
    namespace: Namespace,
    /// Counted by its server.
    pub served: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    ports: Vec<u16>,
    servers: Vec<JoinHandle<()>>,
}

impl Pod {
    pub fn new(network: &Network, uid: &str) -> Pod {
        Pod::of(&wait(network.attach(uid)).unwrap())
    }

    pub fn of(attachment: &Attachment) -> Pod {
        Pod {
            address: attachment.address,
            namespace: Namespace::open(attachment.netns.clone()).unwrap(),
            served: Arc::default(),
            stop: Arc::default(),
            ports: Vec::new(),
            servers: Vec::new(),
        }
    }

    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.namespace.run(work).unwrap()
    }

    /// Listens on a port and tells each client who it is: the client's address, as the server sees it.
    pub fn serve(mut self, port: u16) -> Pod {
        let listener = self.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
        let (served, stop) = (Arc::clone(&self.served), Arc::clone(&self.stop));
        self.servers.push(thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                served.fetch_add(1, Ordering::SeqCst);
                let _ = stream.set_write_timeout(Some(PATIENCE));
                if let Ok(peer) = stream.peer_addr() {
                    let _ = stream.write_all(peer.ip().to_string().as_bytes());
                }
            }
        }));
        self.ports.push(port);
        self
    }

    /// What a server said.
    pub fn ask(&self, address: impl Into<Target>) -> std::io::Result<String> {
        let target = address.into().0;
        self.run(move || ask(target))
    }

    /// A process that lives in the pod.
    pub fn process(&self) -> Process {
        Process(self.run(|| Command::new("sleep").arg("600").spawn().unwrap()))
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for port in &self.ports {
            // A connection wakes the server, which then sees that it shall stop.
            let port = *port;
            let _ = self
                .namespace
                .run(move || TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
        }
        for server in self.servers.drain(..) {
            let _ = server.join();
        }
    }
}

pub struct Target(pub SocketAddr);

impl From<(Ipv4Addr, u16)> for Target {
    fn from((address, port): (Ipv4Addr, u16)) -> Target {
        Target(SocketAddr::V4(SocketAddrV4::new(address, port)))
    }
}

/// Connects from where the calling thread is, and reads what the server says.
pub fn ask(target: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&target, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// A child that ends with the test.
pub struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
