//! Digests in the making.

use sha2::{Digest as _, Sha256, Sha512};

use super::{Algorithm, Digest};

/// A digest in the making.
#[derive(Clone)]
pub enum Hasher {
    /// Of an [`Algorithm::Sha256`] digest.
    Sha256(Box<Sha256>),
    /// Of an [`Algorithm::Sha512`] digest.
    Sha512(Box<Sha512>),
}

impl Hasher {
    /// One that has seen nothing.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Box::default()),
            Algorithm::Sha512 => Self::Sha512(Box::default()),
        }
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of all bytes.
    pub fn finish(self) -> Digest {
        let (name, sum) = match self {
            Self::Sha256(hasher) => ("sha256:", hasher.finalize().to_vec()),
            Self::Sha512(hasher) => ("sha512:", hasher.finalize().to_vec()),
        };
        let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        (name.to_owned() + &hex)
            .parse()
            .expect("a sum in hexadecimal digits is a digest")
    }
}

impl Digest {
    /// The digest of some bytes.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Digest {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }
}
