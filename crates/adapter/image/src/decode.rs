//! What a layer is packed with is seen in its first bytes, whatever its media type says: registries get that wrong.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::limits;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The sixteen magic numbers of frames that hold no data (RFC 8878 3.1.2), which zstd:chunked puts at the end.
const SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// The plain bytes of a packed stream.
pub fn decoded<'a, R: Read + 'a>(packed: R) -> io::Result<Box<dyn Read + 'a>> {
    let count = Arc::new(AtomicU64::new(0));
    let counted = Counted {
        inner: packed,
        count: Arc::clone(&count),
    };
    let mut source = BufReader::with_capacity(limits::COPY_BYTES, counted);
    let start = source.fill_buf()?;
    let plain: Box<dyn Read + 'a> = if start.starts_with(&GZIP) {
        Box::new(MultiGzDecoder::new(source))
    } else if start.starts_with(&ZSTD) || is_skippable(start) {
        Box::new(Frames::new(source))
    } else {
        return Ok(Box::new(source));
    };
    Ok(Box::new(Bounded {
        plain,
        packed: count,
        read: 0,
    }))
}

fn is_skippable(start: &[u8]) -> bool {
    start.len() >= 4 && start[0] & 0xf0 == 0x50 && start[1..4] == SKIPPABLE
}

struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Ends where a stream becomes more than its packed bytes can honestly hold.
struct Bounded<R> {
    plain: R,
    packed: Arc<AtomicU64>,
    read: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.plain.read(buffer)?;
        self.read += count as u64;
        let honest = self
            .packed
            .load(Ordering::Relaxed)
            .saturating_mul(limits::RATIO_MAX)
            .max(limits::RATIO_FREE_BYTES);
        if self.read > honest {
            return Err(io::Error::other("the layer is a compression bomb"));
        }
        Ok(count)
    }
}

/// Frames of zstd, one after the other.
struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> Frames<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(limits::ZSTD_WINDOW_MAX);
        Self {
            source,
            decoder,
            in_frame: false,
        }
    }

    /// Goes to the next frame with data; false at the end of the stream.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            let mut magic = [0; 4];
            self.source.read_exact(&mut magic)?;
            if !is_skippable(&magic) {
                self.decoder
                    .reset(magic.as_slice().chain(&mut self.source))
                    .map_err(io::Error::other)?;
                return Ok(true);
            }
            let mut length = [0; 4];
            self.source.read_exact(&mut length)?;
            let length = u64::from(u32::from_le_bytes(length));
            if io::copy(&mut (&mut self.source).take(length), &mut io::sink())? < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame {
                if !self.next_frame()? {
                    return Ok(0);
                }
                self.in_frame = true;
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(io::Error::other)?;
            }
            let count = self.decoder.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            self.in_frame = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn plain(packed: &[u8]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        decoded(packed)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn every_packing_and_its_concatenation() {
        let text = b"some text that repeats itself, some text that repeats itself".repeat(5_000);
        assert_eq!(plain(&text).expect("plain"), text);
        assert_eq!(plain(&gzip(&text)).expect("gzip"), text);
        assert_eq!(plain(&zstd(&text)).expect("zstd"), text);
        let twice = [gzip(&text), gzip(b"more")].concat();
        assert_eq!(plain(&twice).expect("gzip"), [&text[..], b"more"].concat());
        let skipped = [0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        let frames = [&skipped[..], &zstd(&text), &skipped, &zstd(b"more")].concat();
        assert_eq!(plain(&frames).expect("zstd"), [&text[..], b"more"].concat());
        assert_eq!(plain(b"").expect("empty"), b"");
    }

    #[test]
    fn a_cut_stream_is_an_error() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        for packed in [gzip(&text), zstd(&text)] {
            for length in [5, 20, packed.len() / 2, packed.len() - 1] {
                assert!(plain(&packed[..length]).is_err(), "{length} of {}", packed.len());
            }
        }
    }

    #[test]
    fn a_bomb_ends_early() {
        // 2 GiB are free; what is beyond must be 1/1,100 of it in packed form.
        let mut bounded = Bounded {
            plain: io::repeat(0),
            packed: Arc::new(AtomicU64::new(1 << 20)),
            read: limits::RATIO_FREE_BYTES - 1,
        };
        let mut buffer = [0; 1];
        assert!(bounded.read(&mut buffer).is_ok());
        assert!(bounded.read(&mut buffer).is_err());
    }
}
