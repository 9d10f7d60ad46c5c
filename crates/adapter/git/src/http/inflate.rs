//! Requests that are compressed with gzip, inflated piece by piece.

use std::io::Write;

use flate2::write::MultiGzDecoder;

use crate::limits;

/// What comes out of an inflated stream; a plain one passes as it is.
pub enum Inflate {
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
}

impl Inflate {
    pub fn new(is_zipped: bool) -> Inflate {
        if is_zipped {
            Inflate::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))
        } else {
            Inflate::Plain
        }
    }

    /// Cuts a piece so that each part may be inflated at once.
    pub fn parts<'a>(&self, piece: &'a [u8]) -> std::slice::Chunks<'a, u8> {
        piece.chunks(match self {
            Inflate::Plain => usize::MAX,
            Inflate::Gzip(_) => limits::INFLATE_BYTES,
        })
    }

    /// What a part gives.
    pub fn pass(&mut self, part: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            Inflate::Plain => Ok(part.to_vec()),
            Inflate::Gzip(decoder) => {
                decoder.write_all(part)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
        }
    }

    /// What is left at the end; an error when the stream was cut.
    pub fn finish(self) -> std::io::Result<Vec<u8>> {
        match self {
            Inflate::Plain => Ok(Vec::new()),
            Inflate::Gzip(decoder) => decoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_size_and_a_cut() {
        let text = b"0032want 0123456789\n".repeat(5_000);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&text).expect("memory");
        let zipped = encoder.finish().expect("memory");
        for size in [1, 7, 5_000, 1 << 20] {
            let mut inflate = Inflate::new(true);
            let mut found = Vec::new();
            for piece in zipped.chunks(size) {
                for part in inflate.parts(piece) {
                    found.extend(inflate.pass(part).expect("it is whole"));
                }
            }
            found.extend(inflate.finish().expect("it is whole"));
            assert!(found == text, "{size}");
        }
        let mut cut = Inflate::new(true);
        drop(cut.pass(&zipped[..zipped.len() / 2]).expect("so far it is good"));
        assert!(cut.finish().is_err());
        assert!(Inflate::new(true).pass(b"not zipped at all").is_err());
    }
}
