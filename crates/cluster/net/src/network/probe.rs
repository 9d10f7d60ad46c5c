//! Rules of the iptables before nf_tables cannot be read without `unsafe`. Where that firewall is in use, packets show
//! whether it lets pods pass.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use super::cluster::{Inner, locked};
use super::error::NetError;
use super::ground::remove;
use super::pods::Pod;
use crate::firewall::Hinders;
use crate::limits;

/// What packets of pods do not reach. Nothing is sent on a machine without that firewall.
pub(super) fn hindered(inner: &Inner) -> Result<Vec<Hinders>, NetError> {
    let in_use = inner.home.run(|| {
        let tables = std::fs::read_to_string("/proc/thread-self/net/ip_tables_names");
        tables.unwrap_or_default().lines().any(|table| table == "filter")
    })?;
    if !in_use {
        return Ok(Vec::new());
    }
    let (first, second) = (Guest::new(inner, "first")?, Guest::new(inner, "second")?);
    let mut found = Vec::new();
    let bridge = inner.bridge.network.nth(1);
    let at_home = inner.home.run(|| bind(bridge))?;
    let inside = second.pod.namespace.run(|| bind(second.pod.address))?;
    let sender = first.pod.namespace.run(|| bind(first.pod.address))?;
    let (Ok(at_home), Ok(inside), Ok(sender)) = (at_home, inside, sender) else {
        return Ok(found);
    };
    if !arrives(&sender, &inside).unwrap_or(true) {
        found.push(Hinders::Forwarding);
    }
    if !arrives(&sender, &at_home).unwrap_or(true) {
        found.push(Hinders::Input);
    }
    Ok(found)
}

/// A pod's link without a pod, for as long as this lives.
struct Guest<'a> {
    inner: &'a Inner,
    name: String,
    pod: Pod,
}

impl<'a> Guest<'a> {
    fn new(inner: &'a Inner, name: &str) -> Result<Guest<'a>, NetError> {
        let name = format!("probe-{name}");
        let address = locked(&inner.pods).addresses.take(&name)?;
        match inner.link(&name, address) {
            Ok(pod) => Ok(Guest { inner, name, pod }),
            Err(error) => {
                locked(&inner.pods).addresses.release(&name);
                Err(error)
            }
        }
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        // What is not removed now goes with the namespace, or with the next server.
        drop(remove(&mut locked(&self.inner.removing), &[self.pod.index]));
        locked(&self.inner.pods).addresses.release(&self.name);
    }
}

fn bind(address: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(SocketAddrV4::new(address, 0))?;
    socket.set_read_timeout(Some(limits::PROBE))?;
    Ok(socket)
}

fn arrives(from: &UdpSocket, to: &UdpSocket) -> io::Result<bool> {
    let mut buffer = [0; 8];
    for _ in 0..limits::PROBES {
        from.send_to(b"deploy", to.local_addr()?)?;
        if to.recv(&mut buffer).is_ok() {
            return Ok(true);
        }
    }
    Ok(false)
}
