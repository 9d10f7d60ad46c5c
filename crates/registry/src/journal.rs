//! The journal: a file of records, one line for each change, that grows at its end.
//!
//! A line is `checksum batch records`, the checksum over what follows it. All lines of a batch are made safe by one sync,
//! and the next batch begins only after it. So what a crash leaves of the last batch is known as such: a broken line
//! that a line of a later batch follows was safe once, and the file is damaged; any other is a torn end and is cut off.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, File};
use crate::error::OpenError;
use crate::limits;
use crate::state::{Record, State};

const NAME: &str = "journal";
const NEW_NAME: &str = "journal.new";

/// The format that this version writes.
const VERSION: u32 = 1;

#[derive(Debug)]
pub struct Journal {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    file: Box<dyn File>,
    /// Where the next line goes.
    length: u64,
    /// The length after it was last written anew.
    base: u64,
    batch: u64,
    /// The end of the file is not known: it must be written anew before anything else.
    broken: bool,
}

impl Journal {
    /// The journal of a folder and what it says; a new one where there is none.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(disk: Arc<dyn Disk>, folder: &Path) -> Result<(Self, State), OpenError> {
        let path = folder.join(NAME);
        let file = match disk.open(&path, true) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let state = State::default();
                let (file, length) = write_all(&*disk, folder, &state)?;
                return Ok((Self::at(disk, folder, file, length, 1), state));
            }
            Err(error) => return Err(error.into()),
        };
        let bytes = file.read_all(limits::JOURNAL_BYTES)?;
        let found = read(&bytes)?;
        if found.length < bytes.len() as u64 {
            file.set_len(found.length)?;
        }
        // What counts from now on must be safe before the next batch begins.
        file.sync()?;
        disk.remove(&folder.join(NEW_NAME))?;
        Ok((
            Self::at(disk, folder, file, found.length, found.batch + 1),
            found.state,
        ))
    }

    fn at(disk: Arc<dyn Disk>, folder: &Path, file: Box<dyn File>, length: u64, batch: u64) -> Self {
        Self {
            disk,
            folder: folder.to_owned(),
            file,
            length,
            base: length,
            batch,
            broken: false,
        }
    }

    /// Writes a line for each change. They last when this returns, unless `lasting` is false: then they outlive this
    /// process, and with the next sync the machine.
    ///
    /// # Errors
    /// None of the lines count then.
    pub fn append(&mut self, changes: &[&[Record]], lasting: bool, state: &State) -> io::Result<()> {
        if self.broken || self.is_long() {
            self.rewrite(state)?;
        }
        let mut text = String::new();
        for records in changes {
            push_line(&mut text, self.batch, records)?;
        }
        if let Err(error) = self.file.write_at(text.as_bytes(), self.length) {
            let mended = self.file.set_len(self.length).and_then(|()| self.file.sync());
            self.broken = mended.is_err();
            return Err(error);
        }
        if lasting {
            // After a sync that failed nobody knows what is on the disk.
            self.file.sync().inspect_err(|_| self.broken = true)?;
            self.batch += 1;
        }
        self.length += text.len() as u64;
        Ok(())
    }

    /// Whether what is in the file is what was acknowledged, and nothing else.
    pub fn is_sound(&self) -> bool {
        !self.broken
    }

    /// Writes the state into a new file that takes the place of the old one.
    pub fn rewrite(&mut self, state: &State) -> io::Result<()> {
        self.broken = true;
        let (file, length) = write_all(&*self.disk, &self.folder, state)?;
        self.file = file;
        self.length = length;
        self.base = length;
        self.batch = 1;
        self.broken = false;
        Ok(())
    }

    fn is_long(&self) -> bool {
        self.length > limits::JOURNAL_REWRITE_BYTES
            && self.length > self.base.saturating_mul(limits::JOURNAL_REWRITE_FACTOR)
    }
}

fn write_all(disk: &dyn Disk, folder: &Path, state: &State) -> io::Result<(Box<dyn File>, u64)> {
    let path = folder.join(NEW_NAME);
    let file = disk.create(&path)?;
    let mut length = 0;
    let mut text = String::new();
    let mut flush = |text: &mut String, least: usize| {
        if text.len() > least {
            file.write_at(text.as_bytes(), length)?;
            length += text.len() as u64;
            text.clear();
        }
        Ok::<(), io::Error>(())
    };
    push_line(&mut text, 0, &[Record::Format { version: VERSION }])?;
    for record in state.records() {
        push_line(&mut text, 0, &[record])?;
        flush(&mut text, limits::PIECE_BYTES)?;
    }
    flush(&mut text, 0)?;
    file.sync()?;
    disk.rename(&path, &folder.join(NAME))?;
    disk.sync_folder(folder)?;
    Ok((file, length))
}

fn push_line(text: &mut String, batch: u64, records: &[Record]) -> io::Result<()> {
    let line = format!("{batch} {}", serde_json::to_string(records)?);
    let sum = crc32fast::hash(line.as_bytes());
    writeln!(text, "{sum:08x} {line}").map_err(io::Error::other)
}

struct Found {
    state: State,
    /// Up to the first line that does not count.
    length: u64,
    batch: u64,
}

fn read(bytes: &[u8]) -> Result<Found, OpenError> {
    let mut found = Found {
        state: State::default(),
        length: 0,
        batch: 0,
    };
    let damaged = |offset: u64, reason: &str| OpenError::Damaged {
        offset,
        reason: reason.to_owned(),
    };
    let mut torn = false;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        match parse(line) {
            Some((batch, _)) if torn => {
                if batch > found.batch + 1 {
                    return Err(damaged(
                        found.length,
                        "a line has not the content that was written",
                    ));
                }
            }
            Some((batch, records)) => {
                if found.length == 0 {
                    check_version(&records)?;
                }
                records.iter().for_each(|record| found.state.apply(record));
                found.batch = found.batch.max(batch);
                found.length += line.len() as u64;
            }
            None => torn = true,
        }
    }
    if found.length == 0 {
        return Err(damaged(0, "it has no first line"));
    }
    Ok(found)
}

fn check_version(records: &[Record]) -> Result<(), OpenError> {
    match records.first() {
        Some(Record::Format { version }) if *version <= VERSION => Ok(()),
        Some(Record::Format { version }) => Err(OpenError::Newer { found: *version }),
        _ => Err(OpenError::Damaged {
            offset: 0,
            reason: "it does not say its format".to_owned(),
        }),
    }
}

fn parse(line: &[u8]) -> Option<(u64, Vec<Record>)> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (sum, rest) = text.split_once(' ')?;
    if u32::from_str_radix(sum, 16).ok()? != crc32fast::hash(rest.as_bytes()) {
        return None;
    }
    let (batch, records) = rest.split_once(' ')?;
    Some((batch.parse().ok()?, serde_json::from_str(records).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(name: &str) -> Record {
        Record::Tag {
            repository: "r".to_owned(),
            tag: name.to_owned(),
            digest: deploy_model::image::Digest::sha256(&[1; 32]).into(),
        }
    }

    fn journal(batches: &[(u64, &str)]) -> Vec<u8> {
        let mut text = String::new();
        push_line(&mut text, 0, &[Record::Format { version: 1 }]).expect("text");
        for (batch, name) in batches {
            push_line(&mut text, *batch, &[tag(name)]).expect("text");
        }
        text.into_bytes()
    }

    fn tags(bytes: &[u8]) -> Result<Vec<String>, OpenError> {
        let found = read(bytes)?;
        let repository = found.state.repositories.get("r");
        Ok(repository.map_or(Vec::new(), |r| r.tags.keys().cloned().collect()))
    }

    #[test]
    fn a_torn_end_is_cut_off_and_damage_is_told() {
        let whole = journal(&[(1, "a"), (2, "b"), (2, "c")]);
        assert_eq!(tags(&whole).expect("whole"), ["a", "b", "c"]);
        let line = |n: usize| {
            let before: usize = whole
                .split_inclusive(|b| *b == b'\n')
                .take(n)
                .map(<[u8]>::len)
                .sum();
            before + 20
        };
        // At every length the lines before count.
        let first = 1 + whole.iter().position(|b| *b == b'\n').expect("a line");
        for length in first..whole.len() {
            let count = whole[..length].iter().filter(|b| **b == b'\n').count() - 1;
            assert_eq!(tags(&whole[..length]).expect("torn").len(), count, "{length}");
        }
        // Of an unfinished batch a later line may be there and an earlier one not.
        let mut torn = whole.clone();
        torn[line(2)] ^= 1;
        assert_eq!(tags(&torn).expect("torn"), ["a"]);
        // What was safe once must not be lost silently.
        let mut damaged = whole.clone();
        damaged[line(1)] ^= 1;
        assert!(matches!(tags(&damaged), Err(OpenError::Damaged { .. })));
        assert!(matches!(tags(b""), Err(OpenError::Damaged { .. })));
    }

    #[test]
    fn newer_formats_are_refused() {
        let mut text = String::new();
        push_line(&mut text, 0, &[Record::Format { version: 2 }]).expect("text");
        assert!(matches!(
            read(text.as_bytes()),
            Err(OpenError::Newer { found: 2 })
        ));
    }
}
