//! Pushes: blobs, in one request or in chunks, taken up where a connection broke; manifests.

use std::sync::Arc;

use deploy_model::image::manifest::Descriptor;
use deploy_model::image::{Algorithm, Digest, Reference};
use hyper::body::Bytes;
use hyper::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};

use crate::auth::Key;
use crate::client::{Client, pause};
use crate::credentials::Credentials;
use crate::endpoint::Endpoint;
use crate::error::RegistryError;
use crate::exchange::{Answer, Ask};
use crate::limits;
use crate::source::{Part, Source};

/// How a blob came to be in its repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It was there.
    Known,
    /// The registry took it from another repository.
    Mounted,
    /// It was sent.
    Sent,
}

/// An upload as the registry knows it.
struct Session {
    endpoint: Endpoint,
    path: String,
    /// Bytes that the registry has.
    offset: u64,
}

impl Client {
    /// Whether the reference's repository has a blob.
    ///
    /// # Errors
    /// See [`RegistryError`]; an absent blob is none.
    pub async fn has_blob(
        &self,
        reference: &Reference,
        digest: &Digest,
        credentials: Option<&Credentials>,
    ) -> Result<bool, RegistryError> {
        let path = format!("/v2/{}/blobs/{digest}", reference.path());
        let ask = Ask::of(Method::HEAD);
        match self.ask(reference, &path, &ask, credentials).await {
            Ok(_) => Ok(true),
            Err(RegistryError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Brings a blob into the reference's repository, unless it is there. `mount_from` names a repository of the same
    /// registry that is likely to have it.
    ///
    /// # Errors
    /// See [`RegistryError`]. The registry checks the digest.
    pub async fn push_blob(
        &self,
        reference: &Reference,
        blob: &Descriptor,
        source: Arc<dyn Source>,
        mount_from: Option<&str>,
        credentials: Option<&Credentials>,
    ) -> Result<Pushed, RegistryError> {
        if self.has_blob(reference, &blob.digest, credentials).await? {
            return Ok(Pushed::Known);
        }
        let push = Push {
            client: self,
            reference,
            blob,
            source,
            key: self.key(reference, credentials),
        };
        match push.begin(mount_from).await? {
            Some(session) => push.send(session).await.map(|()| Pushed::Sent),
            None => Ok(Pushed::Mounted),
        }
    }

    /// Gives a manifest its tag, or pushes it by digest where the reference has no tag. All that it names must have
    /// been pushed before.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn push_manifest(
        &self,
        reference: &Reference,
        media_type: &str,
        bytes: &Bytes,
        credentials: Option<&Credentials>,
    ) -> Result<Digest, RegistryError> {
        let algorithm = reference.digest().map_or(Algorithm::Sha256, Digest::algorithm);
        let digest = Digest::of(algorithm, bytes);
        if let Some(expected) = reference.digest().filter(|expected| **expected != digest) {
            return Err(RegistryError::Digest {
                what: "manifest",
                expected: expected.clone(),
                found: digest,
            });
        }
        let version = reference.tag().unwrap_or(digest.as_str());
        let path = format!("/v2/{}/manifests/{version}", reference.path());
        let mut ask = Ask::of(Method::PUT);
        let media_type = HeaderValue::from_str(media_type).map_err(|_| RegistryError::Protocol {
            reason: "the media type of the manifest is none".to_owned(),
        })?;
        ask.headers.insert(CONTENT_TYPE, media_type);
        ask.body = bytes.clone();
        let answer = self.ask(reference, &path, &ask, credentials).await?;
        let told: Option<Digest> = answer
            .header("docker-content-digest")
            .and_then(|text| text.parse().ok());
        match told.filter(|told| told.algorithm() == algorithm && *told != digest) {
            Some(found) => Err(RegistryError::Digest {
                what: "manifest",
                expected: digest,
                found,
            }),
            None => Ok(digest),
        }
    }
}

/// One blob on its way.
struct Push<'a> {
    client: &'a Client,
    reference: &'a Reference,
    blob: &'a Descriptor,
    source: Arc<dyn Source>,
    key: Key,
}

impl Push<'_> {
    /// A session, or none where the registry had the blob elsewhere.
    async fn begin(&self, mount_from: Option<&str>) -> Result<Option<Session>, RegistryError> {
        let mut path = format!("/v2/{}/blobs/uploads/", self.reference.path());
        let mut ask = Ask::of(Method::POST);
        if let Some(from) = mount_from {
            path.push_str(&format!("?mount={}&from={from}", self.blob.digest));
            ask.further_scope = Some(format!("repository:{from}:pull"));
        }
        let credentials = self.key.credentials.as_ref();
        let answer = self.client.ask(self.reference, &path, &ask, credentials).await?;
        match answer.status {
            StatusCode::CREATED => Ok(None),
            _ => Ok(Some(self.session(&self.key.endpoint, &answer, 0)?)),
        }
    }

    fn session(&self, from: &Endpoint, answer: &Answer, offset: u64) -> Result<Session, RegistryError> {
        let location = answer.header("location").ok_or_else(|| RegistryError::Protocol {
            reason: "it does not say where the upload goes on".to_owned(),
        })?;
        let (endpoint, path) = from.follow(location)?;
        Ok(Session {
            endpoint,
            path,
            offset,
        })
    }

    /// Sends the blob; where a connection breaks it asks how far it came, and begins anew where nobody knows.
    async fn send(&self, mut session: Session) -> Result<(), RegistryError> {
        let mut broken = 0;
        loop {
            let error = match self.send_rest(&mut session).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            broken += 1;
            if broken >= limits::PUSH_TRIES_MAX || !error.may_pass() && !is_out_of_order(&error) {
                return Err(error);
            }
            pause(broken, None).await;
            session = match self.found(&session).await {
                Some(session) => session,
                None => match self.begin(None).await? {
                    Some(session) => session,
                    // Somebody else was faster.
                    None => return Ok(()),
                },
            };
        }
    }

    async fn send_rest(&self, session: &mut Session) -> Result<(), RegistryError> {
        let size = self.blob.size;
        let chunk = self.client.chunk_bytes();
        let in_one = chunk.is_none() && session.offset == 0;
        while !in_one && session.offset < size {
            let end = chunk.map_or(size, |chunk| size.min(session.offset.saturating_add(chunk)));
            let mut ask = self.part(Method::PATCH, session.offset, end);
            put_range(&mut ask.headers, session.offset, end);
            let answer = self.ask(session, &session.path, ask).await?;
            *session = self.session(&session.endpoint, &answer, end)?;
        }
        let separator = if session.path.contains('?') { '&' } else { '?' };
        let path = format!("{}{separator}digest={}", session.path, self.blob.digest);
        let from = if in_one { 0 } else { size };
        self.ask(session, &path, self.part(Method::PUT, from, size))
            .await?;
        Ok(())
    }

    fn part(&self, method: Method, from: u64, end: u64) -> Ask {
        let mut ask = Ask::of(method);
        ask.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        ask.part = Some(Part {
            source: self.source.clone(),
            from,
            bytes: end - from,
        });
        ask
    }

    /// Where the registry is, if it still knows.
    async fn found(&self, session: &Session) -> Option<Session> {
        let answer = self.ask(session, &session.path, Ask::get()).await.ok()?;
        let range = answer.header("range")?;
        let last: u64 = range.rsplit('-').next()?.parse().ok()?;
        // "0-0" is what registries say of nothing, and of one byte; to send that again is refused, and we begin anew.
        let offset = if last == 0 { 0 } else { last + 1 };
        let known = offset <= self.blob.size;
        self.session(&session.endpoint, &answer, offset)
            .ok()
            .filter(|_| known)
    }

    /// The credentials are for the registry, not for a host that it sends uploads to.
    async fn ask(&self, session: &Session, path: &str, ask: Ask) -> Result<Answer, RegistryError> {
        let is_own = session.endpoint == self.key.endpoint;
        self.client
            .ask_once(
                self.reference,
                &self.key,
                Some(&session.endpoint).filter(|_| !is_own),
                path,
                &ask,
            )
            .await
    }
}

fn is_out_of_order(error: &RegistryError) -> bool {
    matches!(error, RegistryError::Status { status, .. } if status.starts_with("416"))
}

/// Without the unit, as the specification of chunks has it.
fn put_range(headers: &mut HeaderMap, from: u64, end: u64) {
    let range = format!("{from}-{}", end.saturating_sub(1));
    if let Ok(range) = HeaderValue::from_str(&range) {
        headers.insert(CONTENT_RANGE, range);
    }
}
