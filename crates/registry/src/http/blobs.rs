//! Blobs: HEAD, GET with ranges, DELETE.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use deploy_model::image::Digest;
use hyper::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RANGE};
use hyper::{Method, StatusCode};
use tokio::sync::mpsc;

use super::answer::{self, Answer, CONTENT_DIGEST};
use super::body::Outgoing;
use super::range::{Wanted, wanted};
use super::refusal::Refusal;
use super::service::{Asked, Service};
use crate::blob::Blob;
use crate::error::RegistryError;
use crate::limits;

pub async fn answer(service: &Service, asked: &Asked, name: &str, digest: &str) -> Result<Answer, Refusal> {
    let digest = read_digest(digest)?;
    if asked.method == Method::DELETE {
        let name = name.to_owned();
        service
            .on_disk(move |registry| registry.delete_blob(&name, &digest))
            .await??;
        return Ok(answer::empty(StatusCode::ACCEPTED));
    }
    let size = service.registry.has_blob(name, &digest);
    let size = size.ok_or_else(|| RegistryError::BlobUnknown {
        digest: digest.clone(),
    })?;
    if asked.method == Method::HEAD {
        let mut head = answer::empty(StatusCode::OK);
        describe(&mut head, &digest);
        answer::put_length(&mut head, size);
        return Ok(head);
    }
    let tag = format!("\"{digest}\"");
    if asked
        .header(IF_NONE_MATCH)
        .is_some_and(|seen| seen.contains(&tag))
    {
        let mut same = answer::empty(StatusCode::NOT_MODIFIED);
        answer::put(&mut same, ETAG, &tag);
        return Ok(same);
    }
    let (from, bytes, status) = match wanted(asked.header(RANGE), size) {
        Wanted::Whole => (0, size, StatusCode::OK),
        Wanted::Part { from, bytes } => (from, bytes, StatusCode::PARTIAL_CONTENT),
        Wanted::Nothing => {
            let mut none = answer::empty(StatusCode::RANGE_NOT_SATISFIABLE);
            answer::put(&mut none, CONTENT_RANGE, &format!("bytes */{size}"));
            return Ok(none);
        }
    };
    let body = content(service, name, &digest, from, bytes).await?;
    let mut found = answer::with_body(status, body);
    describe(&mut found, &digest);
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {from}-{}/{size}", from + bytes - 1);
        answer::put(&mut found, CONTENT_RANGE, &range);
    }
    Ok(found)
}

pub fn read_digest(text: &str) -> Result<Digest, RegistryError> {
    text.parse().map_err(|error| RegistryError::DigestInvalid {
        reason: format!("{error}"),
    })
}

fn describe(answer: &mut Answer, digest: &Digest) {
    answer::put(answer, CONTENT_TYPE, "application/octet-stream");
    answer::put(answer, CONTENT_DIGEST, digest.as_str());
    answer::put(answer, ACCEPT_RANGES, "bytes");
    answer::put(answer, ETAG, &format!("\"{digest}\""));
}

/// What one piece holds comes whole; of more the first piece, and a task that reads the others ahead.
async fn content(
    service: &Service,
    name: &str,
    digest: &Digest,
    from: u64,
    bytes: u64,
) -> Result<Outgoing, Refusal> {
    let (name, digest) = (name.to_owned(), digest.clone());
    let buffers = service.buffers.clone();
    let opened = service
        .on_disk(move |registry| {
            let blob = registry.open_blob(&name, &digest)?;
            if bytes > limits::PIECE_BYTES as u64 {
                return Ok((blob, Bytes::new()));
            }
            // Most blobs that are small are very small: they need no buffer of a piece.
            let mut whole = vec![0; usize::try_from(bytes).unwrap_or_default()];
            blob.read_exact_at(&mut whole, from)?;
            Ok::<_, RegistryError>((blob, Bytes::from(whole)))
        })
        .await?;
    let (blob, whole) = opened?;
    if bytes <= limits::PIECE_BYTES as u64 {
        return Ok(Outgoing::Whole(whole));
    }
    let (sender, receiver) = mpsc::channel(limits::PIECES_AHEAD);
    let reader = Ahead {
        service: service.clone(),
        blob: Arc::new(blob),
        buffers,
    };
    service.tasks.spawn(reader.read(from, from + bytes, sender));
    Ok(Outgoing::Pieces(receiver, bytes))
}

struct Ahead {
    service: Service,
    blob: Arc<Blob>,
    buffers: super::body::Buffers,
}

impl Ahead {
    /// Sends the pieces until the client has them or is gone.
    async fn read(self, mut from: u64, end: u64, sender: mpsc::Sender<io::Result<Bytes>>) {
        while from < end {
            // First a place to put it: memory is held only for what can be sent.
            let Ok(place) = sender.reserve().await else {
                return;
            };
            let (blob, mut buffer) = (self.blob.clone(), self.buffers.take());
            let length = usize::try_from(end - from)
                .unwrap_or(usize::MAX)
                .min(buffer.capacity());
            let piece = self
                .service
                .on_disk(move |_| {
                    blob.read_exact_at(buffer.first(length), from)?;
                    Ok(buffer.freeze())
                })
                .await;
            let piece = piece.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
            let failed = piece.is_err();
            place.send(piece);
            if failed {
                return;
            }
            from += length as u64;
        }
    }
}
