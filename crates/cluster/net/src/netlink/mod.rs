//! Netlink messages and sockets, as little as rtnetlink and nf_tables need.
//!
//! The kernel's format is small (`include/uapi/linux/netlink.h`): a header, a fixed part that the family defines, and
//! attributes that nest. Requests are answered before `send` returns, so that no socket here needs a task of its own.

mod attributes;
mod message;
mod socket;

pub use attributes::{Attribute, Attributes};
pub use message::Messages;
pub use socket::{Answer, Family, NetlinkError, Socket};

/// `NLM_F_REQUEST`
pub const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`
pub const ACK: u16 = 0x4;
/// `NLM_F_REPLACE`
pub const REPLACE: u16 = 0x100;
/// `NLM_F_EXCL`
pub const EXCL: u16 = 0x200;
/// `NLM_F_DUMP`
pub const DUMP: u16 = 0x300;
/// `NLM_F_CREATE`
pub const CREATE: u16 = 0x400;
/// `NLM_F_APPEND`
pub const APPEND: u16 = 0x800;

/// `NLA_F_NESTED`
const NESTED: u16 = 1 << 15;
/// `NLA_TYPE_MASK`: without the flags for nesting and byte order.
const KIND: u16 = 0x3fff;
/// The size of a message's header.
const HEADER: usize = 16;
