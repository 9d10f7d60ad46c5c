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

/// How many elements of a set go in one message: their list is one attribute, which ends at 64 KB; an element with
/// the name of a chain takes up to 320 bytes.
pub const ELEMENTS_PER_MESSAGE: usize = 150;

/// How many clients of one endpoint a service with session affinity remembers, as upstream's proxy has it by the
/// kernel's default for sets that rules fill.
pub const AFFINITY_CLIENTS: u32 = 65_535;

/// What `nft` shows of a comment (`NFTNL_UDATA_COMMENT_MAXLEN`).
pub const COMMENT_BYTES: usize = 127;

/// How often a batch is sent again because somebody else changed the ruleset meanwhile.
pub const BATCH_TRIES: u32 = 5;

/// How many changes wait to be put in a ruleset. More would only be more of what one ruleset says at once; who sends
/// them waits.
pub const NEWS: usize = 256;

/// After a ruleset that the kernel did not take, the first pause.
pub const PAUSE_FIRST: Duration = Duration::from_millis(200);

/// The longest pause: something else is at work on the tables, or memory is short; both end without us.
pub const PAUSE_LONGEST: Duration = Duration::from_secs(30);

/// How long a packet between pods is waited for, on the machine itself, and how often it is sent again.
pub const PROBE: Duration = Duration::from_millis(100);

/// See [`PROBE`].
pub const PROBES: u32 = 3;

/// How long after a change of another table it is looked at: firewalls change many rules at once, and reading all of
/// them takes milliseconds.
pub const FIREWALL_PAUSE: Duration = Duration::from_millis(250);
