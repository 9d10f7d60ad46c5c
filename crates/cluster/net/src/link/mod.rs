//! Links, addresses and routes over rtnetlink, and network namespaces.
//!
//! A pod's namespace is held open by this process and by the processes inside; it is bound to no file, so that a crash
//! leaves no mount, and a pod that outlives its server keeps its network. Its host end carries the pod's name as its
//! alias: the kernel is the record of who has which address.

mod messages;
mod namespace;
mod read;

pub use messages::{POD_END, PodLink, address, bridge, pod_inside, pod_link, remove_link, route};
pub use namespace::{Namespace, NamespaceError};
pub use read::{Address, Link, Route, addresses, default_mtu, link_index, links, namespace_number, routes};
