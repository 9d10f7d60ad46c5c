//! Digests of what comes in, with the processor's instructions for them where it has them.

use deploy_model::image::{Algorithm, Digest};
use ring::digest::{Context, SHA256, SHA512};

use crate::disk::File;
use crate::error::RegistryError;
use crate::limits;

/// A digest in the making.
#[derive(Clone)]
pub struct Hasher(Context);

impl Hasher {
    pub fn new(algorithm: Algorithm) -> Self {
        Self(Context::new(match algorithm {
            Algorithm::Sha256 => &SHA256,
            Algorithm::Sha512 => &SHA512,
        }))
    }

    pub fn algorithm(&self) -> Algorithm {
        match self.0.algorithm() == &SHA512 {
            true => Algorithm::Sha512,
            false => Algorithm::Sha256,
        }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> Digest {
        let algorithm = self.algorithm();
        let sum = self.0.finish();
        if let (Algorithm::Sha256, Ok(sum)) = (algorithm, sum.as_ref().try_into()) {
            return Digest::sha256(sum);
        }
        let hex: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha512:{hex}")
            .parse()
            .expect("64 bytes in hexadecimal digits are a digest")
    }
}

/// The digest of some bytes.
pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

/// What has read so much of a file.
pub fn of_file(algorithm: Algorithm, file: &dyn File, bytes: u64) -> Result<Hasher, RegistryError> {
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; limits::PIECE_BYTES];
    let mut done = 0;
    while done < bytes {
        let most = buffer
            .len()
            .min(usize::try_from(bytes - done).unwrap_or(usize::MAX));
        let count = file.read_at(&mut buffer[..most], done)?;
        if count == 0 {
            return Err(RegistryError::Disk {
                reason: "a file is shorter than what was written".to_owned(),
            });
        }
        hasher.update(&buffer[..count]);
        done += count as u64;
    }
    Ok(hasher)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_algorithms_agree_with_the_models() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            assert_eq!(of(algorithm, b"abc"), Digest::of(algorithm, b"abc"));
        }
    }
}
