//! `kubectl logs`: what containers have written and write.

mod follow;
mod shape;
mod status;
mod trail;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use deploy_cluster_api::node::LogOptions;
use deploy_cluster_api::request::{Body, NextPiece, Pieces, Response};
use deploy_cluster_api::status::StatusError;
use deploy_sandbox::Sandbox;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::plain;
use crate::limits;
use crate::shell::View;
use follow::Follow;
pub use shape::Shape;
use trail::Trail;

/// A body that is read as fast as the client takes it. Dropping it lets go of the log.
struct Log {
    trail: Trail,
    shape: Shape,
    follow: Option<Follow>,
}

/// What is asked of one log, once its pod and container are known.
struct Wanted {
    path: PathBuf,
    tail: Option<u64>,
    shape: Shape,
    /// The sandbox and the container that is followed.
    follow: Option<(Option<Sandbox>, String)>,
}

/// Answers a question for a log; `stop` ends it.
pub(super) async fn answer(
    view: &View,
    pod: &Arc<Value>,
    options: LogOptions,
    stop: CancellationToken,
) -> Result<Response, StatusError> {
    let id = status::meant(pod, &options.container, options.previous)
        .map_err(|why| StatusError::new(400, "BadRequest", why))?;
    let Some((name, attempt)) = status::attempt(&id) else {
        return Ok(text(Body::Whole(unavailable(&id))));
    };
    let ago = options.since_seconds.map(SignedDuration::from_secs);
    let since = ago.map_or(options.since_time, |ago| {
        Some(Timestamp::now().checked_sub(ago).unwrap_or(Timestamp::MIN))
    });
    let sandbox = view.sandbox(pod["metadata"]["uid"].as_str().unwrap_or_default());
    let wanted = Wanted {
        path: view.log_path(pod, name, attempt),
        tail: options.tail_lines,
        shape: Shape::new(since, options.timestamps, options.limit_bytes),
        follow: options.follow.then(|| (sandbox, format!("{name}.{attempt}"))),
    };
    match wanted.open(stop).await {
        Ok(log) => Ok(text(Body::Stream(Box::new(log)))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(text(Body::Whole(unavailable(&id)))),
        Err(error) => Ok(plain(500, format!("failed to open the log of {id}: {error}"))),
    }
}

/// As the kubelet says it where the runtime has removed the log.
fn unavailable(id: &str) -> Bytes {
    format!("unable to retrieve container logs for {id}").into()
}

fn text(body: Body) -> Response {
    Response {
        status: 200,
        headers: vec![("content-type", "text/plain".to_owned())],
        body,
    }
}

impl Wanted {
    async fn open(self, stop: CancellationToken) -> io::Result<Log> {
        let follow = match self.follow {
            Some((sandbox, container)) => {
                let folder = self.path.parent().ok_or(io::ErrorKind::NotFound)?;
                Some(Follow::begin(folder, sandbox, container, stop)?)
            }
            None => None,
        };
        let trail = tokio::task::spawn_blocking(move || Trail::open(&self.path, self.tail)).await??;
        Ok(Log {
            trail,
            shape: self.shape,
            follow,
        })
    }
}

impl Log {
    /// What is there, up to a piece's size; empty at the end of what was written.
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; limits::LOG_READ_BYTES];
        let mut shown = Vec::new();
        while shown.is_empty() && !self.shape.is_full() {
            let count = self.trail.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            self.shape.push(&buffer[..count], &mut shown);
        }
        Ok(shown)
    }
}

impl Pieces for Log {
    fn next(self: Box<Self>) -> NextPiece {
        Box::pin(async move {
            let mut log = self;
            loop {
                let read = tokio::task::spawn_blocking(move || {
                    let shown = log.read();
                    (log, shown)
                });
                let (back, shown) = read.await.ok()?;
                log = back;
                let shown = shown.ok()?;
                if !shown.is_empty() {
                    let rest: Box<dyn Pieces> = log;
                    return Some((shown.into(), rest));
                }
                if log.shape.is_full() || !log.follow.as_mut()?.more().await {
                    return None;
                }
            }
        })
    }
}
