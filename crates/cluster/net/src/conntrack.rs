//! Connections that the kernel remembers: those of datagrams go on towards an endpoint that is gone, as long as the
//! client sends, unless they are forgotten. TCP notices by itself.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use rustix::io::Errno;

use crate::netlink::{ACK, Attribute, Messages, NetlinkError, Socket};

// include/uapi/linux/netfilter/nfnetlink_conntrack.h
const SUBSYSTEM: u16 = 1 << 8;
const GET: u16 = SUBSYSTEM | 1;
const DELETE: u16 = SUBSYSTEM | 2;
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const ID: u16 = 12;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const IPV4_SOURCE: u16 = 1;
const PROTOCOL_NUMBER: u16 = 1;
const PROTOCOL_SOURCE_PORT: u16 = 2;
const IPV4: [u8; 4] = [2, 0, 0, 0];
const UDP: u8 = 17;

/// Forgets the UDP connections that lead to these places: the next datagram finds an endpoint that is there.
///
/// # Errors
/// Of netlink.
pub fn forget_datagrams(
    socket: &mut Socket,
    places: &BTreeSet<(Ipv4Addr, u16)>,
) -> Result<usize, NetlinkError> {
    let all = socket.dump(GET, &IPV4, |_| ())?;
    let mut forgotten = 0;
    for entry in all {
        let attributes = entry.attributes(IPV4.len());
        let answers = attributes.get(TUPLE_REPLY).and_then(datagram_source);
        if !answers.is_some_and(|place| places.contains(&place)) {
            continue;
        }
        let mut message = Messages::new();
        message.push(DELETE, ACK, &IPV4, |m| {
            for kind in [TUPLE_ORIGINAL, ID] {
                if let Some(attribute) = attributes.get(kind) {
                    let kind = if kind == ID { kind } else { kind | NESTED };
                    m.attribute(kind, attribute.value);
                }
            }
        });
        match socket.request(&message) {
            // It ended by itself meanwhile.
            Err(error) if !error.is(Errno::NOENT) => return Err(error),
            _ => forgotten += 1,
        }
    }
    Ok(forgotten)
}

/// `NLA_F_NESTED`
const NESTED: u16 = 1 << 15;

/// Who answers, of a connection of datagrams.
fn datagram_source(tuple: Attribute<'_>) -> Option<(Ipv4Addr, u16)> {
    let (address, protocol) = (tuple.nested().get(TUPLE_IP)?, tuple.nested().get(TUPLE_PROTOCOL)?);
    if protocol.nested().get(PROTOCOL_NUMBER)?.value != [UDP] {
        return None;
    }
    let port = protocol.nested().get(PROTOCOL_SOURCE_PORT)?.value;
    Some((
        address.nested().get(IPV4_SOURCE)?.ipv4()?,
        u16::from_be_bytes(port.try_into().ok()?),
    ))
}
