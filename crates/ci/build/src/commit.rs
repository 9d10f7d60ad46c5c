//! An upper folder becomes a layer: one pass makes the tar, both digests and the packed file.

use deploy_model::with_causes;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use deploy_image::{PackError, Store, pack_upper};
use deploy_model::image::{Algorithm, Digest, Hasher};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::blobs::{Blobs, Part};
use crate::cache::Layer;
use crate::error::BuildError;
use crate::limits;

/// Of a tar packed with gzip.
pub const MEDIA_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Makes a layer of what an upper folder holds and moves the folder into the store; none if it holds nothing.
pub fn commit(
    store: &Store,
    blobs: &Blobs,
    upper: &Path,
    epoch_s: Option<u64>,
) -> Result<Option<Layer>, BuildError> {
    let mut entries = std::fs::read_dir(upper).map_err(|error| BuildError::disk(upper, error))?;
    if entries.next().is_none() {
        return Ok(None);
    }
    let part = blobs.begin()?;
    let outcome = packed(upper, epoch_s, &part)?;
    let layer = Layer {
        diff_id: outcome.diff_id,
        digest: outcome.digest,
        size: outcome.size,
        media_type: MEDIA_TYPE.to_owned(),
    };
    blobs.keep(&part, &layer.digest)?;
    store.adopt(&layer.diff_id, upper, outcome.bytes)?;
    Ok(Some(layer))
}

/// Packs a layer of the store once more: the bytes by which it came are gone.
pub fn pack_again(blobs: &Blobs, folder: &Path) -> Result<Layer, BuildError> {
    let part = blobs.begin()?;
    let outcome = packed(folder, None, &part)?;
    blobs.keep(&part, &outcome.digest)?;
    Ok(Layer {
        diff_id: outcome.diff_id,
        digest: outcome.digest,
        size: outcome.size,
        media_type: MEDIA_TYPE.to_owned(),
    })
}

struct Packed {
    diff_id: Digest,
    digest: Digest,
    size: u64,
    bytes: u64,
}

/// The tar is cut into pieces that are packed side by side: a gzip file is a row of gzip members (RFC 1952 2.2), and
/// equal pieces give equal bytes.
fn packed(upper: &Path, epoch_s: Option<u64>, part: &Part) -> Result<Packed, BuildError> {
    let workers = thread::available_parallelism()
        .map_or(1, usize::from)
        .clamp(1, limits::PACKERS_MAX);
    let (to_pack, pieces) = sync_channel::<(u64, Vec<u8>)>(limits::PIECES_IN_FLIGHT);
    let (to_write, finished) = sync_channel::<(u64, Vec<u8>)>(limits::PIECES_IN_FLIGHT);
    let pieces = Arc::new(Mutex::new(pieces));
    thread::scope(|scope| {
        for _ in 0..workers {
            let (pieces, to_write) = (Arc::clone(&pieces), to_write.clone());
            scope.spawn(move || pack_pieces(&pieces, &to_write));
        }
        drop(to_write);
        // Only the workers hold it now: when they have gone, the reader learns it.
        drop(pieces);
        let writer = scope.spawn(|| write_in_order(finished, part));
        let mut cutter = Cutter {
            hasher: Hasher::new(Algorithm::Sha256),
            piece: Vec::with_capacity(limits::PIECE_BYTES),
            number: 0,
            to_pack,
        };
        let tar = pack_upper(upper, epoch_s, &mut cutter).and_then(|packed| {
            cutter.cut().map_err(PackError::Write)?;
            Ok(packed)
        });
        let Cutter { hasher, to_pack, .. } = cutter;
        drop(to_pack);
        let written = match writer.join() {
            Ok(written) => written,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        let (digest, size) = written.map_err(|error| BuildError::disk(&part.path, error))?;
        let tar = tar.map_err(|error| BuildError::disk(upper, io::Error::other(with_causes(&error))))?;
        Ok(Packed {
            diff_id: hasher.finish(),
            digest,
            size,
            bytes: tar.bytes,
        })
    })
}

/// Takes the tar, digests it and cuts it.
struct Cutter {
    hasher: Hasher,
    piece: Vec<u8>,
    number: u64,
    to_pack: SyncSender<(u64, Vec<u8>)>,
}

impl Cutter {
    fn cut(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(limits::PIECE_BYTES));
        self.number += 1;
        // The other side goes only when it cannot write; it says why.
        self.to_pack
            .send((self.number - 1, piece))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

impl Write for Cutter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(limits::PIECE_BYTES - self.piece.len());
        self.hasher.update(&bytes[..count]);
        self.piece.extend_from_slice(&bytes[..count]);
        if self.piece.len() == limits::PIECE_BYTES {
            self.cut()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pack_pieces(pieces: &Mutex<Receiver<(u64, Vec<u8>)>>, to_write: &SyncSender<(u64, Vec<u8>)>) {
    loop {
        let next = pieces.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, piece)) = next else { return };
        let mut encoder = GzEncoder::new(Vec::with_capacity(piece.len() / 2), Compression::new(LEVEL));
        let packed = encoder
            .write_all(&piece)
            .and_then(|()| encoder.finish())
            .expect("a vector takes all bytes");
        if to_write.send((number, packed)).is_err() {
            return;
        }
    }
}

/// Of gzip: two thirds of the time of the usual 6 for some per cent of the size.
const LEVEL: u32 = 4;

fn write_in_order(finished: Receiver<(u64, Vec<u8>)>, part: &Part) -> io::Result<(Digest, u64)> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut file = &part.file;
    // Pieces that came before their turn: at most one for each packer, and those in the channel.
    let mut early = BTreeMap::new();
    let (mut next, mut size) = (0, 0);
    for (number, piece) in finished {
        early.insert(number, piece);
        while let Some(piece) = early.remove(&next) {
            hasher.update(&piece);
            file.write_all(&piece)?;
            size += piece.len() as u64;
            next += 1;
        }
    }
    Ok((hasher.finish(), size))
}
