//! The bytes of a blob: checked, and taken up again where a connection broke.

use deploy_model::image::manifest::Descriptor;
use deploy_model::image::{Hasher, Reference};
use hyper::StatusCode;
use hyper::body::Bytes;

use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::RegistryError;
use crate::exchange::Answer;
use crate::limits;

/// A blob on its way. Its end is given only if the whole has the size and digest that were named.
pub struct Blob {
    client: Client,
    reference: Reference,
    named: Descriptor,
    credentials: Option<Credentials>,
    answer: Answer,
    /// Bytes at the start of this answer that we have already: the server did not heed the range.
    skip: u64,
    received: u64,
    hasher: Option<Hasher>,
    /// Connections that broke, and those since the last byte.
    broken: u32,
    idle: u32,
}

impl Blob {
    pub(crate) async fn open(
        client: Client,
        reference: Reference,
        named: Descriptor,
        credentials: Option<Credentials>,
    ) -> Result<Self, RegistryError> {
        if named.size > limits::BLOB_BYTES_MAX {
            return Err(RegistryError::Size {
                what: "layer",
                expected: limits::BLOB_BYTES_MAX,
                found: named.size,
            });
        }
        let answer = client
            .open_blob(&reference, &named.digest, 0, credentials.as_ref())
            .await?;
        Ok(Self {
            client,
            reference,
            hasher: Some(Hasher::new(named.digest.algorithm())),
            named,
            credentials,
            answer,
            skip: 0,
            received: 0,
            broken: 0,
            idle: 0,
        })
    }

    /// How many bytes have come.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The next bytes; none at the end, which is reached only if size and digest are right.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        while self.hasher.is_some() {
            match self.answer.chunk().await {
                Ok(Some(chunk)) => {
                    if let Some(chunk) = self.take(chunk)? {
                        return Ok(Some(chunk));
                    }
                }
                Ok(None) if self.received == self.named.size => {
                    self.check()?;
                    return Ok(None);
                }
                // Fewer bytes than were named: an end that is none.
                Ok(None) => {
                    self.resume(RegistryError::Size {
                        what: "layer",
                        expected: self.named.size,
                        found: self.received,
                    })
                    .await?;
                }
                Err(error) => self.resume(error).await?,
            }
        }
        Ok(None)
    }

    fn take(&mut self, mut chunk: Bytes) -> Result<Option<Bytes>, RegistryError> {
        let known = usize::try_from(self.skip).unwrap_or(usize::MAX).min(chunk.len());
        self.skip -= known as u64;
        let chunk = chunk.split_off(known);
        if chunk.is_empty() {
            return Ok(None);
        }
        self.received += chunk.len() as u64;
        self.idle = 0;
        if self.received > self.named.size {
            return Err(RegistryError::Size {
                what: "layer",
                expected: self.named.size,
                found: self.received,
            });
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&chunk);
        }
        Ok(Some(chunk))
    }

    fn check(&mut self) -> Result<(), RegistryError> {
        let Some(hasher) = self.hasher.take() else {
            return Ok(());
        };
        let found = hasher.finish();
        if found == self.named.digest {
            return Ok(());
        }
        Err(RegistryError::Digest {
            what: "layer",
            expected: self.named.digest.clone(),
            found,
        })
    }

    /// Asks for the rest, unless this happened too often: then the reason of the break is the error.
    async fn resume(&mut self, why: RegistryError) -> Result<(), RegistryError> {
        self.broken += 1;
        self.idle += 1;
        if self.broken > limits::RESUMES_MAX || self.idle > limits::RESUMES_WITHOUT_PROGRESS_MAX {
            return Err(why);
        }
        let answer = self
            .client
            .open_blob(
                &self.reference,
                &self.named.digest,
                self.received,
                self.credentials.as_ref(),
            )
            .await?;
        self.skip = match answer.status {
            StatusCode::PARTIAL_CONTENT => {
                let expected = format!("bytes {}-", self.received);
                let right = answer
                    .header("content-range")
                    .is_some_and(|range| range.starts_with(&expected));
                if !right {
                    return Err(RegistryError::Protocol {
                        reason: "it sends another range than was asked for".to_owned(),
                    });
                }
                0
            }
            _ => self.received,
        };
        self.answer = answer;
        Ok(())
    }
}
