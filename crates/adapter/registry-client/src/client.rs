//! References to images.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deploy_model::image::manifest::{Descriptor, Document, MEDIA_TYPES, Manifest, Platform, choose};
use deploy_model::image::{Algorithm, Digest, Reference};
use hyper::header::{ACCEPT, HeaderValue, RANGE};
use hyper::{Method, StatusCode};
use rustls::pki_types::CertificateDer;
use serde_json::Value;

use crate::auth::{self, Challenge, Key, Tokens};
use crate::blob::Blob;
use crate::connect::Connector;
use crate::credentials::Credentials;
use crate::endpoint::Endpoint;
use crate::error::RegistryError;
use crate::exchange::{self, Answer, Ask};
use crate::limits;

/// What a client may do beside the default.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Registries that speak plain http, as references name them (`registry.lan:5000`). Those on loopback do anyway.
    pub plain_http: Vec<String>,
    /// Registries on loopback that speak https after all.
    pub https: Vec<String>,
    /// Certificates of authorities, DER, that are trusted beside those of the machine.
    pub authorities: Vec<Vec<u8>>,
    /// Blobs are pushed in chunks of so many bytes, for registries behind something that bounds a request; else in one
    /// request.
    pub chunk_bytes: Option<u64>,
}

/// Asks registries. Cheap to clone; all clones share their tokens.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    options: Options,
    connector: Connector,
    tokens: Tokens,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(..)")
    }
}

/// What a reference leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The digest of the document that the reference itself names: of the index, if it is one.
    pub digest: Digest,
    /// The manifest for the platform, as it came.
    pub manifest: Vec<u8>,
    /// What it says.
    pub parsed: Manifest,
    /// The configuration, as it came.
    pub config: Vec<u8>,
}

impl Client {
    /// A client; nothing is opened yet.
    pub fn new(options: Options) -> Self {
        let extra = options
            .authorities
            .iter()
            .map(|der| CertificateDer::from(der.clone()))
            .collect();
        Self {
            shared: Arc::new(Shared {
                options,
                connector: Connector::new(extra),
                tokens: Tokens::default(),
            }),
        }
    }

    /// The manifest and configuration of an image for a platform.
    pub async fn resolve(
        &self,
        reference: &Reference,
        platform: &Platform,
        credentials: Option<&Credentials>,
    ) -> Result<Resolved, RegistryError> {
        let (digest, mut bytes) = self.document(reference, reference.version(), credentials).await?;
        for _ in 0..limits::INDEX_DEPTH_MAX {
            match Document::parse(&bytes)? {
                Document::Index(entries) => {
                    let entry = choose(&entries, platform).ok_or_else(|| RegistryError::Platform {
                        platform: platform.clone(),
                    })?;
                    bytes = self
                        .document(reference, entry.digest.as_str(), credentials)
                        .await?
                        .1;
                }
                Document::Manifest(parsed) => {
                    let config = self.config(reference, &parsed.config, credentials).await?;
                    return Ok(Resolved {
                        digest,
                        manifest: bytes,
                        parsed,
                        config,
                    });
                }
            }
        }
        Err(RegistryError::Protocol {
            reason: "its indexes lead nowhere".to_owned(),
        })
    }

    /// The bytes of a blob of the reference's repository, checked while they come.
    pub async fn blob(
        &self,
        reference: &Reference,
        blob: &Descriptor,
        credentials: Option<&Credentials>,
    ) -> Result<Blob, RegistryError> {
        Blob::open(
            self.clone(),
            reference.clone(),
            blob.clone(),
            credentials.cloned(),
        )
        .await
    }

    /// A manifest or an index by tag or digest, and its digest.
    async fn document(
        &self,
        reference: &Reference,
        version: &str,
        credentials: Option<&Credentials>,
    ) -> Result<(Digest, Vec<u8>), RegistryError> {
        let path = format!("/v2/{}/manifests/{version}", reference.path());
        let mut ask = Ask::get();
        for media_type in MEDIA_TYPES {
            ask.headers.append(ACCEPT, HeaderValue::from_static(media_type));
        }
        let mut last = None;
        for attempt in 0..limits::TRIES_MAX {
            pause(attempt, None).await;
            let outcome = match self.ask(reference, &path, &ask, credentials).await {
                Ok(mut answer) => answer.bytes("manifest", limits::DOCUMENT_BYTES_MAX).await,
                Err(error) => return Err(error),
            };
            match outcome {
                Ok(bytes) => {
                    let expected: Option<Digest> = version.parse().ok();
                    let algorithm = expected.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
                    let found = Digest::of(algorithm, &bytes);
                    return match expected {
                        Some(expected) if expected != found => Err(RegistryError::Digest {
                            what: "manifest",
                            expected,
                            found,
                        }),
                        _ => Ok((found, bytes)),
                    };
                }
                Err(error) if error.may_pass() => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.expect("a loop of several tries ends with an error"))
    }

    async fn config(
        &self,
        reference: &Reference,
        config: &Descriptor,
        credentials: Option<&Credentials>,
    ) -> Result<Vec<u8>, RegistryError> {
        if config.size > limits::DOCUMENT_BYTES_MAX {
            return Err(RegistryError::Size {
                what: "config",
                expected: limits::DOCUMENT_BYTES_MAX,
                found: config.size,
            });
        }
        let mut blob = self.blob(reference, config, credentials).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = blob.next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// A blob from this byte on.
    pub(crate) async fn open_blob(
        &self,
        reference: &Reference,
        digest: &Digest,
        from: u64,
        credentials: Option<&Credentials>,
    ) -> Result<Answer, RegistryError> {
        let path = format!("/v2/{}/blobs/{digest}", reference.path());
        let mut ask = Ask::get();
        if from > 0 {
            let range = HeaderValue::from_str(&format!("bytes={from}-")).expect("digits are a header");
            ask.headers.insert(RANGE, range);
        }
        self.ask(reference, &path, &ask, credentials).await
    }

    /// Asks a registry with what it wants of us, again where the reason may pass. Only a success comes back.
    pub(crate) async fn ask(
        &self,
        reference: &Reference,
        path: &str,
        ask: &Ask,
        credentials: Option<&Credentials>,
    ) -> Result<Answer, RegistryError> {
        let key = self.key(reference, credentials);
        let mut attempt = 0;
        loop {
            let outcome = match self.authorized(&key, path, ask).await {
                Ok(answer) => judge(answer, reference, &ask.method).await,
                Err(error) => Err((error, None)),
            };
            match outcome {
                Ok(answer) => return Ok(answer),
                Err((error, wait)) => {
                    attempt += 1;
                    if attempt >= limits::TRIES_MAX || !error.may_pass() {
                        return Err(error);
                    }
                    pause(attempt, wait).await;
                }
            }
        }
    }

    /// Asks once, a host beside the registry if one is given: that gets no credentials.
    pub(crate) async fn ask_once(
        &self,
        reference: &Reference,
        key: &Key,
        elsewhere: Option<&Endpoint>,
        path: &str,
        ask: &Ask,
    ) -> Result<Answer, RegistryError> {
        let answer = match elsewhere {
            Some(endpoint) => exchange::ask(&self.shared.connector, endpoint, path, ask).await?,
            None => self.authorized(key, path, ask).await?,
        };
        judge(answer, reference, &ask.method)
            .await
            .map_err(|(error, _)| error)
    }

    /// Whom to ask, for which repository, as whom.
    pub(crate) fn key(&self, reference: &Reference, credentials: Option<&Credentials>) -> Key {
        let options = &self.shared.options;
        Key {
            endpoint: Endpoint::of(reference.domain(), &options.plain_http, &options.https),
            repository: reference.path().to_owned(),
            credentials: credentials.cloned(),
        }
    }

    pub(crate) fn chunk_bytes(&self) -> Option<u64> {
        self.shared.options.chunk_bytes.filter(|bytes| *bytes > 0)
    }

    /// Asks; where the registry wants to know who, tells it and asks again.
    async fn authorized(&self, key: &Key, path: &str, ask: &Ask) -> Result<Answer, RegistryError> {
        let shared = &*self.shared;
        let mut ask = ask.clone();
        ask.authorization = shared.tokens.get(key);
        let answer = exchange::ask(&shared.connector, &key.endpoint, path, &ask).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // A token that has ended early, or none yet.
        shared.tokens.forget(key);
        let headers: Vec<&str> = answer
            .headers
            .get_all("www-authenticate")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        let Some(challenge) = Challenge::parse(&headers) else {
            return Ok(answer);
        };
        drop(answer);
        let (header, life) =
            auth::answer(&shared.connector, key, challenge, ask.further_scope.as_deref()).await?;
        ask.authorization = Some(header.clone());
        let answer = exchange::ask(&shared.connector, &key.endpoint, path, &ask).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            shared.tokens.put(key.clone(), header, life);
        }
        Ok(answer)
    }
}

/// The answer if it is a success, else what it means, and how long the registry wants us to wait.
async fn judge(
    mut answer: Answer,
    reference: &Reference,
    method: &Method,
) -> Result<Answer, (RegistryError, Option<Duration>)> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let wait = answer
        .header("retry-after")
        .and_then(|value| value.parse().ok())
        .map(Duration::from_secs);
    let body = answer
        .bytes("message", limits::ERROR_BYTES_MAX)
        .await
        .unwrap_or_default();
    let said = message(&body);
    let reason = match &said {
        Some(said) => format!("{}: {said}", answer.status),
        None => answer.status.to_string(),
    };
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let error = match answer.status {
        StatusCode::NOT_FOUND => RegistryError::NotFound {
            name: reference.to_string(),
        },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if reads => RegistryError::Denied { reason },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::PushDenied { reason },
        StatusCode::TOO_MANY_REQUESTS => RegistryError::TooMany { reason },
        _ => RegistryError::Status {
            method: name_of(method),
            url: answer.url.clone(),
            status: reason,
        },
    };
    Err((error, wait))
}

/// The first message of a registry's error document (distribution-spec, "Error Codes"), shortened and on one line.
fn message(body: &[u8]) -> Option<String> {
    let root: Value = serde_json::from_slice(body).ok()?;
    let text = root["errors"][0]["message"].as_str()?;
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    Some(text.chars().take(limits::MESSAGE_CHARS_MAX).map(clean).collect())
}

fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        _ => "GET",
    }
}

/// Waits before a further try.
pub(crate) async fn pause(attempt: u32, asked: Option<Duration>) {
    if attempt == 0 {
        return;
    }
    let own = limits::RETRY_DELAY * 2_u32.pow(attempt - 1);
    tokio::time::sleep(asked.unwrap_or(own).min(limits::RETRY_AFTER_MAX)).await;
}
