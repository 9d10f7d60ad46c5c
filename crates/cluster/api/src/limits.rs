//! Bounds of this crate, each with its reason.

use std::time::Duration;

/// The largest body of a request: upstream's `MaxRequestBodyBytes`, as large as one write to etcd may be, doubled.
pub const BODY_BYTES: usize = 3 * 1024 * 1024;

/// How deep an object may nest; the stack of a worker thread holds far more.
pub const JSON_DEPTH: usize = 500;

/// Answers from this size on are compressed for clients that accept it (`responsewriters.defaultGzipThresholdBytes`).
pub const GZIP_BYTES: usize = 128 * 1024;

/// Names that are tried for one generateName (`maxNameGenerationCreateAttempts`).
pub const GENERATED_NAMES: usize = 8;

/// How often a write without a stated revision starts again because another one was faster. Upstream's storage layer
/// retries until its deadline; so many losses in a row mean a writer that never lets go.
pub const WRITE_RETRIES: usize = 100;

/// Connections at once. Each costs two buffers and a TLS session, some 40 KB.
pub const CONNECTIONS: usize = 4096;

/// Connections at once that exec, attach, port-forward or a proxy have turned into another protocol: each costs two
/// tasks and its buffers, and a person or a tool that waits for it.
pub const UPGRADES: usize = 1024;

/// Requests at once on one HTTP/2 connection (upstream: `--http2-max-streams-per-connection`, 250 by default; Go
/// clients open further connections beyond it).
pub const STREAMS_PER_CONNECTION: u32 = 250;

/// A TLS handshake takes milliseconds; who needs longer is no client.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// Time for a client to send its headers.
pub const HEADERS: Duration = Duration::from_secs(30);

/// How long shutdown waits for requests that are under way.
pub const SHUTDOWN: Duration = Duration::from_secs(5);

/// How often a quiet watch that asked for bookmarks gets one (`watch_cache_interval.go`: about once a minute).
pub const BOOKMARK_SECONDS: u64 = 60;

/// A watch without timeoutSeconds ends after this time or up to twice as long (`--min-request-timeout`).
pub const WATCH_SECONDS: u64 = 1800;

/// The wait for a revision that is not there yet before the client is told "too large" (`blockTimeout` of the watch
/// cache).
pub const FUTURE_REVISION: Duration = Duration::from_secs(3);

/// Objects of a list that are read at a time when no limit is given and selectors throw some away.
pub const PAGE: usize = 10_000;

/// Operations of one JSON patch (`maxJSONPatchOperations`).
pub const JSON_PATCH_OPERATIONS: usize = 10_000;

/// Bytes of a field manager's name (`FieldManagerMaxLength`).
pub const FIELD_MANAGER_BYTES: usize = 128;

/// Warnings' bytes per answer, all headers together (`warning.go` cuts beyond 4 KB).
pub const WARNING_BYTES: usize = 4096;

/// The pause after a connection that could not be accepted, so that a lack of file handles does not become a busy loop.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// The first pod of a namespace waits so long for the service account `default`, which a controller makes; upstream
/// tries ten times, every 100 to 200 ms.
pub const DEFAULT_ACCOUNT_PATIENCE: Duration = Duration::from_millis(1500);

/// Longer tokens are not looked at: ours have about 1 KB.
pub const TOKEN_BYTES: usize = 16 * 1024;

/// How many tokens are known to be signed by us, so that a signature is checked once: more than a machine has pods.
pub const KNOWN_TOKENS: usize = 1024;

/// How often the charge of a quota is tried when others change it at the same time. Upstream, which charges many waiting
/// requests at once, tries three times; we charge one by one.
pub const QUOTA_CHARGES: usize = 64;

/// How many kinds of requests are counted apart: some 70 resources with a dozen verbs and scopes each, and as many again
/// for custom resources that come and go.
pub const METRIC_SERIES: usize = 2048;
