use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::addresses::Cidr;
use crate::netlink::{Attribute, NetlinkError, Socket};

// include/uapi/linux/rtnetlink.h
const GETLINK: u16 = 18;
const GETADDR: u16 = 22;
const GETROUTE: u16 = 26;
const GETNSID: u16 = 90;
const AF_INET: u8 = 2;
const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;
const ROUTE_HEADER: usize = 12;

const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_IFALIAS: u16 = 20;
const IFLA_LINK_NETNSID: u16 = 37;
const IFA_LOCAL: u16 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const NETNSA_NSID: u16 = 1;
const NETNSA_FD: u16 = 3;
/// The range of types of routes that are no destination of packets: broadcast, multicast ...
const UNICAST: u8 = 1;
const LOCAL: u8 = 2;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What was noted on it, empty for nothing.
    pub alias: String,
    /// The bridge that it is a port of.
    pub master: Option<u32>,
    /// The longest packet.
    pub mtu: u32,
    /// The number of the namespace of its other end, where that is not this one.
    pub peer_namespace: Option<u32>,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The number of the interface.
    pub link: u32,
    /// The address.
    pub address: Ipv4Addr,
    /// The network that it is in.
    pub network: Cidr,
}

/// Where packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// What for; of length 0 the default route.
    pub to: Cidr,
    /// Through which interface.
    pub link: Option<u32>,
    /// The source address that the route prefers.
    pub source: Option<Ipv4Addr>,
    /// The lowest wins.
    pub metric: u32,
}

/// All interfaces.
///
/// # Errors
/// Of netlink.
pub fn links(socket: &mut Socket) -> Result<Vec<Link>, NetlinkError> {
    let answers = socket.dump(GETLINK, &[0; LINK_HEADER], |_| ())?;
    let read = answers.iter().filter_map(|answer| {
        let attributes = answer.attributes(LINK_HEADER);
        let number = |kind| attributes.get(kind).and_then(Attribute::u32);
        let text = |kind| {
            attributes
                .get(kind)
                .and_then(Attribute::text)
                .unwrap_or_default()
                .to_owned()
        };
        Some(Link {
            index: native(answer.body.get(4..8)?),
            name: text(IFLA_IFNAME),
            alias: text(IFLA_IFALIAS),
            master: number(IFLA_MASTER),
            mtu: number(IFLA_MTU).unwrap_or_default(),
            peer_namespace: number(IFLA_LINK_NETNSID),
        })
    });
    Ok(read.collect())
}

/// The number of the interface of this name.
///
/// # Errors
/// Of netlink.
pub fn link_index(socket: &mut Socket, name: &str) -> Result<Option<u32>, NetlinkError> {
    match socket.get(GETLINK, &[0; LINK_HEADER], |m| m.text(IFLA_IFNAME, name)) {
        Ok(answer) => Ok(answer.and_then(|answer| answer.body.get(4..8).map(native))),
        Err(error) if error.is(rustix::io::Errno::NODEV) => Ok(None),
        Err(error) => Err(error),
    }
}

/// All IPv4 addresses.
///
/// # Errors
/// Of netlink.
pub fn addresses(socket: &mut Socket) -> Result<Vec<Address>, NetlinkError> {
    let answers = socket.dump(GETADDR, &[AF_INET, 0, 0, 0, 0, 0, 0, 0], |_| ())?;
    let read = answers.iter().filter_map(|answer| {
        let address = answer.attributes(ADDRESS_HEADER).get(IFA_LOCAL)?.ipv4()?;
        Some(Address {
            link: native(answer.body.get(4..8)?),
            address,
            network: Cidr::around(address, *answer.body.get(1)?),
        })
    });
    Ok(read.collect())
}

/// All IPv4 routes to hosts and networks, of whatever table.
///
/// # Errors
/// Of netlink.
pub fn routes(socket: &mut Socket) -> Result<Vec<Route>, NetlinkError> {
    let mut header = [0; ROUTE_HEADER];
    header[0] = AF_INET;
    let answers = socket.dump(GETROUTE, &header, |_| ())?;
    let read = answers.iter().filter_map(|answer| {
        let attributes = answer.attributes(ROUTE_HEADER);
        if !matches!(answer.body.get(7), Some(&(UNICAST | LOCAL))) {
            return None;
        }
        let to = attributes.get(RTA_DST).and_then(Attribute::ipv4);
        Some(Route {
            to: Cidr::around(to.unwrap_or(Ipv4Addr::UNSPECIFIED), *answer.body.get(1)?),
            link: attributes.get(RTA_OIF).and_then(Attribute::u32),
            source: attributes.get(RTA_PREFSRC).and_then(Attribute::ipv4),
            metric: attributes
                .get(RTA_PRIORITY)
                .and_then(Attribute::u32)
                .unwrap_or_default(),
        })
    });
    Ok(read.collect())
}

/// The number by which the socket's namespace knows another one.
///
/// # Errors
/// Of netlink.
pub fn namespace_number(socket: &mut Socket, other: BorrowedFd<'_>) -> Result<Option<u32>, NetlinkError> {
    let answer = socket.get(GETNSID, &[0; 4], |m| {
        m.u32(NETNSA_FD, other.as_raw_fd().unsigned_abs());
    })?;
    let number = answer.and_then(|answer| answer.attributes(4).get(NETNSA_NSID)?.u32());
    Ok(number.filter(|number| *number != u32::MAX))
}

/// The longest packet that leaves by the default route; without one, Ethernet's.
pub fn default_mtu(links: &[Link], routes: &[Route]) -> u32 {
    let uplink = routes
        .iter()
        .filter(|route| route.to.length == 0)
        .min_by_key(|route| route.metric);
    uplink
        .and_then(|route| links.iter().find(|link| Some(link.index) == route.link))
        .map_or(1500, |link| link.mtu)
}

fn native(bytes: &[u8]) -> u32 {
    u32::from_ne_bytes(bytes.try_into().unwrap_or_default())
}
