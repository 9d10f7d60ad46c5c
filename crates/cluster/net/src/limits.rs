//! Every bound of this crate, with its reason.

use std::time::Duration;

/// How long an answer of the kernel is waited for. It answers at once; after this long something is broken, and the
/// caller hears so instead of hanging.
pub const ANSWER: Duration = Duration::from_secs(5);

/// The largest batch that is sent to the kernel: the first ruleset of some 50,000 service ports.
pub const SEND_BUFFER_BYTES: usize = 64 << 20;

/// What may wait to be read: one error for each message of a batch that is wrong throughout.
pub const RECEIVE_BUFFER_BYTES: usize = 8 << 20;

/// One piece of a dump. The kernel fills at most 32 KB (`net/netlink/af_netlink.c netlink_dump`).
pub const RECEIVE_BYTES: usize = 64 << 10;

/// The metric of the route to the services, plus the bridge's number: behind any route of the machine's own.
pub const SERVICE_ROUTE_METRIC: u32 = 10_000;
