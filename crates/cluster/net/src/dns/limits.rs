//! Bounds of DNS, each with its reason.

use std::time::Duration;

/// The longest answer over UDP, also for clients that offer more (RFC 6891 6.2.5). Our bridge loses no fragments.
pub const UDP_BYTES_MAX: u16 = 4096;

/// The longest answer over UDP to a client that says nothing (RFC 1035 4.2.1).
pub const UDP_BYTES_PLAIN: u16 = 512;

/// The longest question that is looked at: a name has 255 bytes, and options of EDNS some more.
pub const QUESTION_BYTES_MAX: usize = 4096;

/// How many aliases are followed (`coredns/plugin/backend_lookup.go maxCnameChainLength`).
pub const ALIASES_MAX: usize = 10;

/// Questions about outside names that are under way at once: `max_concurrent` of kubeadm's configuration. Each may hold
/// a socket.
pub const FORWARDS_MAX: usize = 1000;

/// How long one try to reach one resolver takes at most.
pub const TRY: Duration = Duration::from_secs(2);

/// How long a client is kept waiting for an outside name: those of C libraries ask again after five seconds.
pub const FORWARD: Duration = Duration::from_secs(5);

/// Resolvers of the host that are asked, one after the other (`MAXNS` of resolv.h).
pub const RESOLVERS_MAX: usize = 3;

/// Bytes of a resolv.conf that are read: a dozen lines, and comments.
pub const RESOLVERS_FILE_BYTES_MAX: u64 = 64 * 1024;

/// How long the list of resolvers is used before the file is looked at again.
pub const RESOLVERS_FRESH: Duration = Duration::from_secs(2);

/// Answers about outside names that are kept: some 500 bytes each.
pub const CACHED_MAX: usize = 4096;

/// How long one is kept at most: `cache 30` of kubeadm's configuration.
pub const CACHED: Duration = Duration::from_secs(30);

/// TCP connections at once.
pub const CONNECTIONS_MAX: usize = 256;

/// How long a TCP connection may say nothing (RFC 7766 6.2.3: "of the order of a few seconds").
pub const IDLE: Duration = Duration::from_secs(10);

/// Changes of objects that wait to be noted; whoever tells them waits beyond that.
pub const NEWS_MAX: usize = 256;

/// The pause after a connection that could not be accepted: a lack of file handles must not become a busy loop.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
