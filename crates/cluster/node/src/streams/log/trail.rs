//! The files of one attempt of a container, read as one: `0.log.<time of its end>` ... `0.log`.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A place in a log that goes on. All calls block.
#[derive(Debug)]
pub struct Trail {
    path: PathBuf,
    file: File,
}

impl Trail {
    /// Opens a log at its beginning, or so many lines before its end.
    pub fn open(path: &Path, tail: Option<u64>) -> io::Result<Trail> {
        let mut files = files(path)?;
        let Some(tail) = tail else {
            let first = files.first().ok_or(io::ErrorKind::NotFound)?;
            let file = File::open(first)?;
            return Ok(Trail {
                path: path.to_owned(),
                file,
            });
        };
        let mut left = tail;
        loop {
            let latest = files.pop().ok_or(io::ErrorKind::NotFound)?;
            let mut file = File::open(latest)?;
            let (start, found) = before_end(&mut file, left)?;
            if found >= left || files.is_empty() {
                file.seek(SeekFrom::Start(start))?;
                return Ok(Trail {
                    path: path.to_owned(),
                    file,
                });
            }
            left -= found;
        }
    }

    /// Reads on, also in the next file; 0 when all that was written has been read.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.file.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            let Some(next) = self.next()? else {
                return Ok(0);
            };
            // Nobody writes to this one any more, but somebody may have before its name was changed.
            let count = self.file.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            self.file = next;
        }
    }

    /// The file after this one, if there is one.
    fn next(&self) -> io::Result<Option<File>> {
        let own = self.file.metadata()?.ino();
        let is_own = |path: &PathBuf| fs::metadata(path).is_ok_and(|metadata| metadata.ino() == own);
        if is_own(&self.path) {
            return Ok(None);
        }
        let files = files(&self.path)?;
        // One that was removed was older than all that are left.
        let next = files.iter().position(is_own).map_or(0, |at| at + 1);
        match files.get(next).map(File::open) {
            Some(Ok(file)) => Ok(Some(file)),
            // Between the two steps of a rotation, or removed meanwhile: there will be another look.
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Some(Err(error)) => Err(error),
            None => Ok(None),
        }
    }
}

/// All files of a log, the oldest first.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let found = entry?.path();
        let other = found
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if other.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')) {
            files.push(found);
        }
    }
    files.sort();
    if path.exists() {
        files.push(path.to_owned());
    }
    Ok(files)
}

/// Where the last `lines` lines begin, and how many there are up to so many.
fn before_end(file: &mut File, lines: u64) -> io::Result<(u64, u64)> {
    let mut end = file.metadata()?.len();
    let mut found = 0;
    let mut block = vec![0; 16 << 10];
    if lines == 0 {
        return Ok((end, 0));
    }
    while end > 0 {
        let size = end.min(block.len() as u64);
        let start = end - size;
        let block = &mut block[..size as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(block)?;
        for at in (0..block.len()).rev().filter(|at| block[*at] == b'\n') {
            // The one at the end of the last line counts none before it.
            found += 1;
            if found > lines {
                return Ok((start + at as u64 + 1, lines));
            }
        }
        end = start;
    }
    Ok((0, found))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("deploy-trail-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("a folder");
            Folder(path)
        }

        fn log(&self) -> PathBuf {
            self.0.join("0.log")
        }

        fn append(&self, text: &str) {
            let file = fs::OpenOptions::new().create(true).append(true).open(self.log());
            file.and_then(|mut file| file.write_all(text.as_bytes()))
                .expect("it can be written");
        }

        fn rotate(&self, stamp: &str) {
            fs::rename(self.log(), self.0.join(format!("0.log.{stamp}"))).expect("it is there");
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn rest(trail: &mut Trail) -> String {
        let mut text = Vec::new();
        let mut buffer = [0; 3];
        while let Ok(count @ 1..) = trail.read(&mut buffer) {
            text.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    #[test]
    fn a_log_is_read_across_its_rotations() {
        let folder = Folder::new("rotations");
        folder.append("a\n");
        folder.rotate("20260102-000000.1");
        folder.append("b\n");
        let mut trail = Trail::open(&folder.log(), None).expect("it is there");
        assert_eq!(rest(&mut trail), "a\nb\n");
        folder.append("c\n");
        folder.rotate("20260102-000001.1");
        assert_eq!(rest(&mut trail), "c\n");
        folder.append("d\n");
        folder.rotate("20260102-000002.1");
        folder.append("e\n");
        assert_eq!(rest(&mut trail), "d\ne\n");
        folder.append("lost\n");
        folder.rotate("20260102-000003.1");
        folder.append("f\n");
        folder.rotate("20260102-000004.1");
        // The oldest go first.
        for stamp in 0..=3 {
            let name = format!("0.log.20260102-00000{stamp}.1");
            fs::remove_file(folder.0.join(name)).expect("it is there");
        }
        // What was open is read to its end, although it has no name any more.
        assert_eq!(rest(&mut trail), "lost\nf\n");
    }

    #[test]
    fn the_last_lines_may_be_in_several_files() {
        let folder = Folder::new("tail");
        folder.append("a\nb\n");
        folder.rotate("20260102-000000.1");
        let long = format!("{}\n", "x".repeat(40 << 10));
        folder.append(&format!("c\n{long}d\n"));
        let all = format!("a\nb\nc\n{long}d\n");
        for (lines, text) in [
            (0, ""),
            (1, "d\n"),
            (2, &all[6..]),
            (3, &all[4..]),
            (4, &all[2..]),
            (5, &all),
            (9, &all),
        ] {
            let mut trail = Trail::open(&folder.log(), Some(lines)).expect("it is there");
            assert!(rest(&mut trail) == text, "{lines}");
        }
        let none = Trail::open(&folder.0.join("1.log"), Some(1)).map(drop);
        assert!(none.is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
    }
}
