//! Bounds of the ingress, each with its reason.

use std::time::Duration;

/// Connections of clients at once. Each costs two buffers, with TLS some 40 KB.
pub const CONNECTIONS_MAX: usize = 8192;

/// Threads that serve; connections are dealt out among them. More than a few starve the pods behind them.
pub const WORKERS_MAX: usize = 4;

/// Connections that wait for a thread to take them.
pub const HANDOVER_MAX: usize = 256;

/// A TLS handshake takes milliseconds; who needs longer is no client.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// Time for a client to send the whole head of a request, and to send a next one on the same connection (nginx:
/// `client_header_timeout` 60 s, `keepalive_timeout` 75 s).
pub const HEAD: Duration = Duration::from_secs(60);

/// Time between two parts of a request's body (nginx: `client_body_timeout`).
pub const BODY: Duration = Duration::from_secs(60);

/// Bytes of a request's head (nginx: 4 buffers of 8 KB).
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// What is kept of the begin of a line that comes in parts, to see how a body is framed: a name and a number.
pub const FRAMING_LINE_BYTES_MAX: usize = 64;

/// Requests at once on one HTTP/2 connection (nginx: 128).
pub const STREAMS_MAX: u32 = 250;

/// How often a quiet HTTP/2 connection is asked whether it lives, and how long it has to answer.
pub const PING: Duration = Duration::from_secs(30);

/// How long the connection to an endpoint may take (nginx ingress: `proxy-connect-timeout` 5 s).
pub const CONNECT: Duration = Duration::from_secs(5);

/// How long an endpoint may take until its answer begins (nginx: `proxy_read_timeout`).
pub const ANSWER: Duration = Duration::from_secs(60);

/// Endpoints that are tried for one request when connections fail (nginx ingress: `proxy-next-upstream-tries`).
pub const TRIES: usize = 3;

/// Connections to one endpoint that each thread keeps for later requests (nginx ingress keeps 320 in all).
pub const KEPT_PER_ENDPOINT: usize = 128;

/// Connections that each thread keeps in all.
pub const KEPT_MAX: usize = 1024;

/// How long an unused connection is kept (nginx: `keepalive_timeout` of an upstream).
pub const KEPT: Duration = Duration::from_secs(60);

/// How long the end waits for requests that are under way.
pub const DRAIN: Duration = Duration::from_secs(10);

/// Kinds of requests that are counted apart: routes by versions. All others are counted as one.
pub const SERIES_MAX: usize = 4096;

/// Bytes of log lines that a thread gathers before it hands them over.
pub const LOG_CHUNK_BYTES: usize = 64 * 1024;

/// How long lines wait at most.
pub const LOG_DELAY: Duration = Duration::from_millis(500);

/// Chunks that wait to be written: 4 MB. What comes while the disk does not keep up is dropped and counted.
pub const LOG_CHUNKS_MAX: usize = 64;

/// A log file is put aside at this size, and so many of those are kept: 256 MB in all.
pub const LOG_FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// See [`LOG_FILE_BYTES_MAX`].
pub const LOG_FILES_KEPT: usize = 3;

/// Characters of a path, a host or a user agent in the log.
pub const LOG_FIELD_CHARS_MAX: usize = 512;

/// Changes of objects that wait to be looked at; whoever tells them waits beyond that.
pub const NEWS_MAX: usize = 256;

/// Ingresses that have been told that something in them is refused; beyond that all may be told again.
pub const TOLD_MAX: usize = 4096;

/// Bytes of a regular expression, compiled (`nginx.ingress.kubernetes.io/use-regex`).
pub const REGEX_BYTES_MAX: usize = 1024 * 1024;

/// The pause after a connection that could not be accepted: a lack of file handles must not become a busy loop.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
