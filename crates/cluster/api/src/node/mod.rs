//! The door to the nodes: logs, exec, attach, port-forward and proxies are answered by whoever runs the pods.
//!
//! The API finds the object, judges the options with upstream's texts, and hands all that to the [`NodeStreams`] that
//! [`crate::api::Api::connect_node`] has named. What a node is, is not known here.

mod options;
mod target;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

pub use options::{LogOptions, StreamOptions};
pub(crate) use options::{container_of, ports_of};
pub use target::Target;
pub(crate) use target::{Place, address_of, is_pod_address, rest_of};

use crate::identity::UserInfo;
use crate::request::{Request, Response};
use crate::status::StatusError;

/// Answers what is asked of one node.
pub trait NodeStreams: Send + Sync {
    /// Answers one question. An answer of status 101 turns the connection into what [`crate::request::Link::upgrade`]
    /// gives; the body of a log or of a proxied answer is a [`crate::request::Body::Stream`] or a
    /// [`crate::request::Body::Foreign`]. Tasks that outlive the answer are the node's own.
    fn handle(&self, ask: Ask) -> Answering;
}

/// The future of [`NodeStreams::handle`].
pub type Answering = Pin<Box<dyn Future<Output = Result<Response, StatusError>> + Send>>;

/// One question, its sender allowed to ask it.
pub struct Ask {
    /// Who asks.
    pub user: UserInfo,
    /// The pod as it is now; the node for [`What::Node`]; the pod behind a service for its proxy.
    pub object: Arc<Value>,
    /// What is asked.
    pub what: What,
    /// The request, with its [`crate::request::Link`] where it came over a socket.
    pub request: Request,
}

/// What a node is asked for. Containers have been found in the pod.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// `pods/log`
    Log(LogOptions),
    /// `pods/exec`
    Exec(StreamOptions),
    /// `pods/attach`
    Attach(StreamOptions),
    /// `pods/portforward`; the ports of the query, which SPDY clients leave empty.
    PortForward(Vec<u16>),
    /// `pods/proxy`, `services/proxy`, and `nodes/proxy` to a port that is not the kubelet's: an HTTP request to be sent
    /// on with method, headers, query and body of [`Ask::request`].
    Proxy(Target),
    /// `nodes/proxy`: the kubelet's own API; the path begins with a slash and is still percent-encoded.
    Node(String),
}

/// The nodes that are connected, by name.
#[derive(Default)]
pub(crate) struct Nodes {
    connected: RwLock<HashMap<String, Arc<dyn NodeStreams>>>,
}

impl Nodes {
    pub fn connect(&self, name: &str, node: Arc<dyn NodeStreams>) {
        let mut connected = self.connected.write().unwrap_or_else(PoisonError::into_inner);
        connected.insert(name.to_owned(), node);
    }

    pub fn disconnect(&self, name: &str) {
        let mut connected = self.connected.write().unwrap_or_else(PoisonError::into_inner);
        connected.remove(name);
    }

    pub fn find(&self, name: &str) -> Option<Arc<dyn NodeStreams>> {
        let connected = self.connected.read().unwrap_or_else(PoisonError::into_inner);
        connected.get(name).cloned()
    }
}
