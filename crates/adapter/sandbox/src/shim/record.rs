//! What a shim leaves on disk: who it is, and what became of its containers.

use std::fs;
use std::io;
use std::path::Path;

use crate::wire::Description;

/// Reads and writes a sandbox's record. A file is replaced as a whole, so that whoever reads it finds an old or a new
/// one. It is not synced: it outlives processes, and after a power failure no container is left to tell of.
pub(crate) struct Record;

impl Record {
    const NAME: &'static str = "record.json";

    pub(crate) fn write(folder: &Path, description: &Description) -> io::Result<()> {
        let new = folder.join(".record");
        fs::write(&new, serde_json::to_vec(description)?)?;
        fs::rename(new, folder.join(Self::NAME))
    }

    pub(crate) fn read(folder: &Path) -> io::Result<Description> {
        Ok(serde_json::from_slice(&fs::read(folder.join(Self::NAME))?)?)
    }
}
