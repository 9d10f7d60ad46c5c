//! A reader that knows the digest of what went through it.

use std::io::{self, Read, Write};

use deploy_model::image::{Algorithm, Digest, Hasher};

/// The SHA-256 digest of some bytes.
pub fn of(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

/// Passes bytes on and digests them. It writes as well as it reads.
pub struct Hashing<T> {
    pub inner: T,
    hasher: Hasher,
}

impl<T> Hashing<T> {
    pub fn new(inner: T, algorithm: Algorithm) -> Self {
        Self {
            inner,
            hasher: Hasher::new(algorithm),
        }
    }

    /// The digest of what went through so far.
    pub fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
