//! Digests of files of a context that have not changed since they were last read.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use deploy_model::image::{Algorithm, Digest, Hasher};

use crate::blobs::replace;
use crate::limits;

/// How a file looked: what changes with its content, and who else could have its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    device: u64,
    inode: u64,
    size: u64,
    modified_ns: i128,
    changed_ns: i128,
}

impl Look {
    fn of(data: &Metadata) -> Self {
        let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Self {
            device: data.dev(),
            inode: data.ino(),
            size: data.len(),
            modified_ns: ns(data.mtime(), data.mtime_nsec()),
            changed_ns: ns(data.ctime(), data.ctime_nsec()),
        }
    }
}

/// The digests of one context's files.
#[derive(Debug)]
pub struct StatCache {
    file: PathBuf,
    known: HashMap<String, (Look, String)>,
    seen: HashMap<String, (Look, String)>,
    changed: bool,
}

impl StatCache {
    /// What is known of a context. A file that cannot be read knows nothing.
    pub fn open(folder: &Path, context: &Path) -> Self {
        let name = Digest::of(Algorithm::Sha256, context.as_os_str().as_encoded_bytes());
        let file = folder.join(name.hex());
        let text = fs::read_to_string(&file).unwrap_or_default();
        Self {
            known: text.lines().filter_map(line).collect(),
            file,
            seen: HashMap::new(),
            changed: false,
        }
    }

    /// The digest of a file's content, in hexadecimal digits.
    pub fn digest(&mut self, name: &str, path: &Path, data: &Metadata) -> std::io::Result<String> {
        let look = Look::of(data);
        if let Some((known, digest)) = self.seen.get(name).or_else(|| self.known.get(name))
            && *known == look
        {
            let digest = digest.clone();
            self.seen.insert(name.to_owned(), (look, digest.clone()));
            return Ok(digest);
        }
        let digest = of_file(path)?;
        self.changed = true;
        self.seen.insert(name.to_owned(), (look, digest.clone()));
        Ok(digest)
    }

    /// Keeps what was seen. What may still change within the same tick of the clock is not kept.
    pub fn save(self) {
        if !self.changed && self.seen.len() == self.known.len() {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let settled = i128::try_from(now.as_nanos()).unwrap_or(i128::MAX) - limits::RACY_NS;
        let mut all = self.known;
        all.extend(self.seen);
        let mut text = String::new();
        for (name, (look, digest)) in all {
            let old = look.changed_ns < settled && look.modified_ns < settled;
            if !old || name.contains('\n') {
                continue;
            }
            let Look {
                device,
                inode,
                size,
                modified_ns,
                changed_ns,
            } = look;
            writeln!(
                text,
                "{digest} {device} {inode} {size} {modified_ns} {changed_ns} {name}"
            )
            .expect("writing to a string cannot fail");
        }
        // Without it the next build reads the files again.
        let _ = replace(&self.file, text.as_bytes());
    }
}

fn line(line: &str) -> Option<(String, (Look, String))> {
    let mut fields = line.splitn(7, ' ');
    let digest = fields.next()?.to_owned();
    let look = Look {
        device: fields.next()?.parse().ok()?,
        inode: fields.next()?.parse().ok()?,
        size: fields.next()?.parse().ok()?,
        modified_ns: fields.next()?.parse().ok()?,
        changed_ns: fields.next()?.parse().ok()?,
    };
    Some((fields.next()?.to_owned(), (look, digest)))
}

fn of_file(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish().hex().to_owned()),
            count => hasher.update(&buffer[..count]),
        }
    }
}
