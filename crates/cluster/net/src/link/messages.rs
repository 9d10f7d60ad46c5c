use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::addresses::Cidr;
use crate::netlink::{ACK, CREATE, EXCL, Messages, REPLACE};

// include/uapi/linux/rtnetlink.h
const NEWLINK: u16 = 16;
const DELLINK: u16 = 17;
const NEWADDR: u16 = 20;
const NEWROUTE: u16 = 24;

// include/uapi/linux/if_link.h
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_NET_NS_FD: u16 = 28;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const INFO_SLAVE_KIND: u16 = 4;
const INFO_SLAVE_DATA: u16 = 5;
const VETH_INFO_PEER: u16 = 1;
const BR_FORWARD_DELAY: u16 = 1;
const BR_MCAST_SNOOPING: u16 = 23;
const BRPORT_MODE: u16 = 4;
const INET6_ADDR_GEN_MODE: u16 = 8;
const ADDR_GEN_NONE: u8 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u16 = 10;
const IFF_UP: u32 = 1;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const TABLE_MAIN: u8 = 254;
const PROTOCOL_STATIC: u8 = 4;
const SCOPE_UNIVERSE: u8 = 0;
const SCOPE_LINK: u8 = 253;
const UNICAST: u8 = 1;

/// The index of `lo` in each namespace.
const LOOPBACK: u32 = 1;

/// The bridge, with its address, up. IPv6 stays out of it: the cluster has one family.
pub fn bridge(messages: &mut Messages, name: &str, alias: &str, address: Ipv4Addr, mtu: u32) {
    messages.push(NEWLINK, ACK | CREATE | EXCL, &link_header(0, 0), |m| {
        m.text(IFLA_IFNAME, name);
        m.attribute(IFLA_ADDRESS, &hardware_address(address));
        m.u32(IFLA_MTU, mtu);
        m.nested(IFLA_LINKINFO, |m| {
            m.text(INFO_KIND, "bridge");
            m.nested(INFO_DATA, |m| {
                m.u32(BR_FORWARD_DELAY, 0);
                m.u8(BR_MCAST_SNOOPING, 0);
            });
        });
    });
    messages.push(NEWLINK, ACK, &link_header(0, IFF_UP), |m| {
        m.text(IFLA_IFNAME, name);
        m.text(IFLA_IFALIAS, alias);
        no_inet6_address(m);
    });
}

/// An address on a link that exists.
pub fn address(messages: &mut Messages, index: u32, address: Ipv4Addr, length: u8) {
    let mut header = vec![AF_INET, length, 0, SCOPE_UNIVERSE];
    header.extend_from_slice(&index.to_ne_bytes());
    messages.push(NEWADDR, ACK | CREATE | REPLACE, &header, |m| {
        m.attribute(IFA_LOCAL, &address.octets());
        m.attribute(IFA_ADDRESS, &address.octets());
    });
}

/// What `ip route` calls `to [via gateway] dev index src source metric metric`.
pub fn route(
    messages: &mut Messages,
    index: u32,
    to: Cidr,
    gateway: Option<Ipv4Addr>,
    source: Option<Ipv4Addr>,
    metric: u32,
) {
    let scope = if gateway.is_some() {
        SCOPE_UNIVERSE
    } else {
        SCOPE_LINK
    };
    let header = [
        AF_INET,
        to.length,
        0,
        0,
        TABLE_MAIN,
        PROTOCOL_STATIC,
        scope,
        UNICAST,
        0,
        0,
        0,
        0,
    ];
    messages.push(NEWROUTE, ACK | CREATE | REPLACE, &header, |m| {
        if to.length > 0 {
            m.attribute(RTA_DST, &to.first.octets());
        }
        m.u32(RTA_OIF, index);
        if let Some(gateway) = gateway {
            m.attribute(RTA_GATEWAY, &gateway.octets());
        }
        if let Some(source) = source {
            m.attribute(RTA_PREFSRC, &source.octets());
        }
        if metric > 0 {
            m.u32(RTA_PRIORITY, metric);
        }
    });
}

/// The two ends of a pod's link.
#[derive(Clone, Copy, Debug)]
pub struct PodLink<'a> {
    /// The end on the node.
    pub name: &'a str,
    /// What the end on the node says about itself.
    pub alias: &'a str,
    /// The index of the bridge.
    pub bridge: u32,
    /// The pod's address.
    pub address: Ipv4Addr,
    /// As on the bridge.
    pub mtu: u32,
    /// Where the other end goes.
    pub namespace: BorrowedFd<'a>,
}

/// Makes a pod's link: `eth0` in its namespace, and a port of the bridge on the node.
pub fn pod_link(messages: &mut Messages, pod: PodLink<'_>) {
    messages.push(NEWLINK, ACK | CREATE | EXCL, &link_header(0, 0), |m| {
        m.text(IFLA_IFNAME, pod.name);
        m.u32(IFLA_MTU, pod.mtu);
        m.nested(IFLA_LINKINFO, |m| {
            m.text(INFO_KIND, "veth");
            m.nested(INFO_DATA, |m| {
                m.nested(VETH_INFO_PEER, |m| {
                    m.raw(&link_header(0, 0));
                    m.text(IFLA_IFNAME, POD_END);
                    m.u32(IFLA_MTU, pod.mtu);
                    m.attribute(IFLA_ADDRESS, &hardware_address(pod.address));
                    m.u32(IFLA_NET_NS_FD, pod.namespace.as_raw_fd().unsigned_abs());
                });
            });
        });
    });
    messages.push(NEWLINK, ACK, &link_header(0, IFF_UP), |m| {
        m.text(IFLA_IFNAME, pod.name);
        m.text(IFLA_IFALIAS, pod.alias);
        m.u32(IFLA_MASTER, pod.bridge);
        no_inet6_address(m);
    });
    // A pod that asks its own service: with bridge-nf-call-iptables the bridge sends the packet back through the port
    // that it came from. Only a port of a bridge takes this, so it is a message after the one that makes it one.
    messages.push(NEWLINK, ACK, &link_header(0, 0), |m| {
        m.text(IFLA_IFNAME, pod.name);
        m.nested(IFLA_LINKINFO, |m| {
            m.text(INFO_SLAVE_KIND, "bridge");
            m.nested(INFO_SLAVE_DATA, |m| m.u8(BRPORT_MODE, 1));
        });
    });
}

/// The pod's end, whose index is `index`. All its traffic goes through the gateway, that to its neighbours too: so
/// packets pass the node's IP layer, and answers of a service find their way back whatever
/// `bridge-nf-call-iptables` says.
pub fn pod_inside(messages: &mut Messages, index: u32, pod: Ipv4Addr, gateway: Ipv4Addr) {
    messages.push(NEWLINK, ACK, &link_header(LOOPBACK, IFF_UP), |_| ());
    messages.push(NEWLINK, ACK, &link_header(index, IFF_UP), no_inet6_address);
    address(messages, index, pod, 32);
    let gateway_only = Cidr {
        first: gateway,
        length: 32,
    };
    route(messages, index, gateway_only, None, Some(pod), 0);
    let everything = Cidr {
        first: Ipv4Addr::UNSPECIFIED,
        length: 0,
    };
    route(messages, index, everything, Some(gateway), None, 0);
}

/// Removes a link; the other end of a pair goes with it.
pub fn remove_link(messages: &mut Messages, index: u32) {
    messages.push(DELLINK, ACK, &link_header(index, 0), |_| ());
}

/// What the link of a pod is called inside.
pub const POD_END: &str = "eth0";

fn link_header(index: u32, up: u32) -> Vec<u8> {
    let mut header = vec![0; 4];
    header.extend_from_slice(&index.to_ne_bytes());
    header.extend_from_slice(&up.to_ne_bytes());
    header.extend_from_slice(&up.to_ne_bytes());
    header
}

/// No IPv6 address of its own, and no search for neighbours that use the same one.
fn no_inet6_address(m: &mut Messages) {
    if std::path::Path::new("/proc/sys/net/ipv6").exists() {
        m.nested(IFLA_AF_SPEC, |m| {
            m.nested(AF_INET6, |m| m.u8(INET6_ADDR_GEN_MODE, ADDR_GEN_NONE));
        });
    }
}

/// Fixed by the address, so that neighbours who remember it are right when the address comes back; locally
/// administered.
fn hardware_address(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x0a, 0x58, a, b, c, d]
}
