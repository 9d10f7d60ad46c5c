//! Uploads: to begin one, to mount a blob instead, chunks, the end.

use std::fmt::Display;

use bytes::Bytes;
use deploy_model::image::{Algorithm, Digest};
use http_body_util::BodyExt as _;
use hyper::body::Body;
use hyper::header::{CONTENT_RANGE, LOCATION, RANGE};
use hyper::{Method, StatusCode};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::answer::{self, Answer, CONTENT_DIGEST, UPLOAD_ID};
use super::blobs::read_digest;
use super::range::chunk;
use super::refusal::{Refusal, received};
use super::service::{Asked, Service};
use crate::access::Action;
use crate::error::RegistryError;
use crate::limits;
use crate::name;
use crate::upload::Upload;

/// `POST`: a mount, a whole blob, or the beginning of one.
pub async fn begin<B>(service: &Service, asked: &Asked, name: &str, body: B) -> Result<Answer, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    if let Some(digest) = asked.query.get("mount") {
        let digest = read_digest(digest)?;
        if mount(service, asked, name, &digest).await? {
            return Ok(created(name, &digest));
        }
    }
    let expected = asked.query.get("digest").map(read_digest).transpose()?;
    let algorithm = match (&expected, asked.query.get("digest-algorithm")) {
        (Some(expected), _) => expected.algorithm(),
        (None, None | Some("sha256")) => Algorithm::Sha256,
        (None, Some("sha512")) => Algorithm::Sha512,
        (None, Some(_)) => {
            return Err(Refusal::Registry(RegistryError::DigestInvalid {
                reason: "its algorithm is not known".to_owned(),
            }));
        }
    };
    let repository = name.to_owned();
    let upload = service
        .on_disk(move |registry| registry.begin_session(&repository, algorithm))
        .await??;
    let Some(expected) = expected else {
        return Ok(progress(StatusCode::ACCEPTED, name, upload.id(), upload.offset()));
    };
    let upload = receive(service, upload, body).await?;
    finish(service, upload, name, expected).await
}

/// Everything else that is done with an upload.
pub async fn go_on<B>(
    service: &Service,
    asked: &Asked,
    name: &str,
    id: &str,
    body: B,
) -> Result<Answer, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let expected = match (&asked.method, asked.query.get("digest")) {
        (&Method::PUT, Some(digest)) => Some(read_digest(digest)?),
        (&Method::PUT, None) => {
            return Err(Refusal::Registry(RegistryError::DigestInvalid {
                reason: "the end of an upload names it".to_owned(),
            }));
        }
        _ => None,
    };
    let (repository, session) = (name.to_owned(), id.to_owned());
    let mut upload = service
        .on_disk(move |registry| registry.resume(&repository, &session))
        .await??;
    match asked.method {
        Method::GET => {
            // What a client is told it may count on.
            let upload = checkpoint(service, upload).await?;
            Ok(progress(StatusCode::NO_CONTENT, name, id, upload.offset()))
        }
        Method::DELETE => {
            service.on_disk(move |_| upload.cancel()).await?;
            Ok(answer::empty(StatusCode::NO_CONTENT))
        }
        _ => {
            let end = place(asked, &upload)?;
            upload = receive(service, upload, body).await?;
            if let Some(end) = end.filter(|end| *end != upload.offset()) {
                return Err(Refusal::Registry(RegistryError::SizeInvalid {
                    reason: format!(
                        "the chunk was to end at byte {end} and ended at {}",
                        upload.offset()
                    ),
                }));
            }
            match expected {
                Some(expected) => finish(service, upload, name, expected).await,
                None => {
                    let upload = checkpoint(service, upload).await?;
                    Ok(progress(StatusCode::ACCEPTED, name, id, upload.offset()))
                }
            }
        }
    }
}

/// Where a chunk says that it ends; it must begin where the upload is.
fn place(asked: &Asked, upload: &Upload) -> Result<Option<u64>, Refusal> {
    let Some(header) = asked.header(CONTENT_RANGE) else {
        return Ok(None);
    };
    let out_of_order = RegistryError::OutOfOrder {
        offset: upload.offset(),
    };
    match chunk(header) {
        Some((first, last)) if first == upload.offset() => Ok(Some(last.saturating_add(1))),
        _ => Err(Refusal::Registry(out_of_order)),
    }
}

/// Whether the repository has the blob now. Without a source, or with one that the caller may not read, any that he
/// may read will do.
async fn mount(service: &Service, asked: &Asked, name: &str, digest: &Digest) -> Result<bool, Refusal> {
    let readable = |from: &str| asked.caller.rights.allow(from, Action::Pull);
    let sources: Vec<String> = match asked.query.get("from") {
        Some(from) => {
            name::repository(from)?;
            Some(from.to_owned())
                .filter(|from| readable(from))
                .into_iter()
                .collect()
        }
        None => {
            let holders = service.registry.holders(digest);
            holders
                .into_iter()
                .filter(|from| readable(from))
                .take(1)
                .collect()
        }
    };
    let Some(from) = sources.into_iter().next() else {
        return Ok(false);
    };
    let (name, digest) = (name.to_owned(), digest.clone());
    let mounted = service
        .on_disk(move |registry| registry.mount(&name, &from, &digest))
        .await?;
    Ok(mounted?)
}

/// Writes a body into an upload. While one piece is hashed and written, the next one comes from the network.
async fn receive<B>(service: &Service, upload: Upload, mut body: B) -> Result<Upload, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let mut writer = Writer::Idle(Box::new(upload));
    let mut pieces: Vec<Bytes> = Vec::new();
    let mut held = 0;
    loop {
        let frame = match timeout(limits::BODY_PATIENCE, body.frame()).await {
            Err(_) => Err("nothing came for too long".to_owned()),
            Ok(Some(Err(error))) => Err(format!("the body broke off: {error}")),
            Ok(Some(Ok(frame))) => Ok(frame.into_data().ok()),
            Ok(None) => break,
        };
        match frame {
            Ok(Some(bytes)) => {
                held += bytes.len();
                pieces.push(bytes);
            }
            Ok(None) => {}
            Err(reason) => {
                // What came is kept: the client may go on behind it.
                let idle = writer.write(service, std::mem::take(&mut pieces)).await?;
                idle.wait().await?;
                return Err(Refusal::Body(reason));
            }
        }
        if held >= limits::PIECE_BYTES {
            held = 0;
            writer = match writer.write(service, std::mem::take(&mut pieces)).await {
                Ok(writer) => writer,
                Err(refusal) => {
                    drain(&mut body).await;
                    return Err(refusal);
                }
            };
        }
    }
    Ok(*writer.write(service, pieces).await?.wait().await?)
}

/// An upload, or the thread that has it.
enum Writer {
    Idle(Box<Upload>),
    Busy(JoinHandle<(Box<Upload>, Result<(), RegistryError>)>),
}

impl Writer {
    async fn wait(self) -> Result<Box<Upload>, Refusal> {
        match self {
            Self::Idle(upload) => Ok(upload),
            Self::Busy(working) => {
                let (upload, written) = working
                    .await
                    .map_err(|_| Refusal::Body("the work broke off".to_owned()))?;
                written?;
                Ok(upload)
            }
        }
    }

    /// Waits for the piece before, and begins with this one.
    async fn write(self, service: &Service, pieces: Vec<Bytes>) -> Result<Self, Refusal> {
        let mut upload = self.wait().await?;
        if pieces.is_empty() {
            return Ok(Self::Idle(upload));
        }
        let place = service.disk_place().await?;
        Ok(Self::Busy(tokio::task::spawn_blocking(move || {
            let _place = place;
            let written = pieces.iter().try_for_each(|piece| upload.write(piece));
            (upload, written)
        })))
    }
}

/// Reads on for a while, so that a client that sends and does not look sees the answer.
async fn drain<B: Body<Data = Bytes> + Unpin>(body: &mut B) {
    let reading = async {
        let mut left = limits::DRAIN_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let count = frame.data_ref().map_or(0, Bytes::len) as u64;
            left = left.saturating_sub(count);
            if left == 0 {
                return;
            }
        }
    };
    let _ = timeout(limits::DRAIN_PATIENCE, reading).await;
}

async fn checkpoint(service: &Service, mut upload: Upload) -> Result<Upload, Refusal> {
    let done = service
        .on_disk(move |_| upload.checkpoint().map(|()| upload))
        .await?;
    Ok(done?)
}

async fn finish(service: &Service, upload: Upload, name: &str, expected: Digest) -> Result<Answer, Refusal> {
    let digest = service.on_disk(move |_| upload.finish(Some(&expected))).await??;
    Ok(created(name, &digest))
}

fn created(name: &str, digest: &Digest) -> Answer {
    let mut created = answer::empty(StatusCode::CREATED);
    answer::put(&mut created, LOCATION, &format!("/v2/{name}/blobs/{digest}"));
    answer::put(&mut created, CONTENT_DIGEST, digest.as_str());
    created
}

fn progress(status: StatusCode, name: &str, id: &str, offset: u64) -> Answer {
    let mut progress = answer::empty(status);
    answer::put(&mut progress, LOCATION, &format!("/v2/{name}/blobs/uploads/{id}"));
    answer::put(&mut progress, RANGE, &received(offset));
    answer::put(&mut progress, UPLOAD_ID, id);
    progress
}
