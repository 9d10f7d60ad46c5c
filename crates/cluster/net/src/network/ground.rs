//! What the pods' network needs of the machine: a bridge, routes, settings of the kernel; and taking it away.

use std::net::Ipv4Addr;

use rustix::io::Errno;

use super::Options;
use super::error::{BRIDGE, NetError, VETH, kernel, read};
use crate::addresses::{self, Cidr};
use crate::limits;
use crate::link::{self, Link, Route};
use crate::netlink::{Family, Messages, Socket};
use crate::nft::Table;

#[derive(Clone, Debug)]
pub(super) struct Bridge {
    pub index: u32,
    pub name: String,
    pub mtu: u32,
    pub network: Cidr,
}

/// `deploy` and the id: 14 of the 15 letters that a link may have.
pub(super) fn bridge_name(id: &str) -> String {
    format!("deploy{}", id.chars().take(8).collect::<String>())
}

pub(super) fn table_name(id: &str) -> String {
    format!("deploy-{id}")
}

pub(super) fn existing_bridge(socket: &mut Socket, link: &Link) -> Result<Option<Bridge>, NetError> {
    let all = read(link::addresses(socket))?;
    let found = all.iter().find(|address| address.link == link.index);
    Ok(found.map(|address| Bridge {
        index: link.index,
        name: link.name.clone(),
        mtu: link.mtu,
        network: address.network,
    }))
}

pub(super) fn make_bridge(
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
pub(super) fn services_route(socket: &mut Socket, bridge: &Bridge, range: Cidr) -> Result<(), NetError> {
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

/// The source address of what leaves the machine.
pub(super) fn node_address(
    socket: &mut Socket,
    routes: &[Route],
    bridge: Ipv4Addr,
) -> Result<Ipv4Addr, NetError> {
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
pub(super) fn settings(bridge: &str) -> Result<(), NetError> {
    set("net/ipv4/ip_forward", "1")?;
    // Packets between pods pass the node although a shorter way exists. To say so would use up what the kernel allows
    // in messages to a pod, and refusals would not reach it. Both must be off; other links have settings of their own.
    set("net/ipv4/conf/all/send_redirects", "0")?;
    set(&format!("net/ipv4/conf/{bridge}/send_redirects"), "0")?;
    // 127.0.0.1 and the port of a service work on the node; the ruleset keeps pods from the node's own 127.0.0.1.
    set(&format!("net/ipv4/conf/{bridge}/route_localnet"), "1")
}

/// Writes where the value differs: a machine may forbid to write what it has already.
pub(super) fn set(name: &str, value: &str) -> Result<(), NetError> {
    let path = format!("/proc/sys/{name}");
    let now = std::fs::read_to_string(&path).unwrap_or_default();
    if now.trim() == value {
        return Ok(());
    }
    std::fs::write(&path, value).map_err(|source| NetError::Setting { path, source })
}

pub(super) fn sweep_with(socket: &mut Socket, table: Option<&mut Table>, id: &str) -> Result<(), NetError> {
    let name = table_name(id);
    if let Some(table) = table
        && table.exists(&name).unwrap_or(false)
    {
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
pub(super) fn remove(socket: &mut Socket, links: &[u32]) -> Result<(), NetError> {
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

pub(super) fn open() -> Result<Socket, NetError> {
    Socket::open(Family::Route).map_err(|error| kernel("talk to the kernel", error, BRIDGE))
}
