//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Bytes of a manifest, an index or a configuration: the specification asks registries for 4 MiB at least.
pub const DOCUMENT_BYTES_MAX: u64 = 8 << 20;

/// Bytes of the answer of a token service; tokens of some clouds have 10 KiB.
pub const TOKEN_BYTES_MAX: u64 = 256 << 10;

/// Bytes of an error's body that are read for its message.
pub const ERROR_BYTES_MAX: u64 = 16 << 10;

/// Characters of a registry's message that are shown.
pub const MESSAGE_CHARS_MAX: usize = 300;

/// Bytes of one packed layer. Layers of models have been seen with 20 GiB.
pub const BLOB_BYTES_MAX: u64 = 64 << 30;

/// Indexes in an index: the specification allows any depth; two is what exists.
pub const INDEX_DEPTH_MAX: usize = 4;

/// Redirects of one request: a registry sends to its storage, which may send on once or twice.
pub const REDIRECTS_MAX: usize = 5;

/// Tries of one request that failed for a reason that may pass.
pub const TRIES_MAX: u32 = 3;

/// Connections that one blob may use up without a byte gained between them.
pub const RESUMES_WITHOUT_PROGRESS_MAX: u32 = 3;

/// Connections that one blob may use up in all: a link that breaks every few seconds still ends.
pub const RESUMES_MAX: u32 = 100;

/// Bytes of a push that are read and sent in one go.
pub const PUSH_PIECE_BYTES: usize = 256 << 10;

/// Connections that the push of one blob may use up.
pub const PUSH_TRIES_MAX: u32 = 5;

/// A push that is slower than this over its whole length has failed.
pub const PUSH_BYTES_PER_SECOND_MIN: u64 = 64 << 10;

/// Before the second try; twice as long before each further one.
pub const RETRY_DELAY: Duration = Duration::from_millis(200);

/// The longest that a registry's `Retry-After` is heeded within a pull: the kubelet backs off by itself.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);

/// From a name to an encrypted connection.
pub const CONNECT_PATIENCE: Duration = Duration::from_secs(15);

/// From a request to the head of its answer.
pub const HEAD_PATIENCE: Duration = Duration::from_secs(30);

/// Between two pieces of a body.
pub const BODY_PATIENCE: Duration = Duration::from_secs(60);

/// Headers of an answer; hyper refuses more.
pub const HEADERS_MAX: usize = 100;

/// Bytes of an answer's head.
pub const HEAD_BYTES_MAX: usize = 64 << 10;

/// Tokens that are remembered: repositories that a node pulls from within some minutes.
pub const TOKENS_MAX: usize = 256;

/// How long a token is good for where its service does not say (distribution, token.md).
pub const TOKEN_LIFE: Duration = Duration::from_secs(60);

/// Taken off a token's life, so that it does not end on the way.
pub const TOKEN_MARGIN: Duration = Duration::from_secs(10);
