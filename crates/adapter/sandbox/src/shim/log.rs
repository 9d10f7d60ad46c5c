//! A container's log in the form of CRI: `<time> <stream> <F|P> <line>`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::limits::{LOG_BATCH_BYTES, MAX_LOG_LINE_BYTES};
use crate::spec::LogFile;

/// Which of a process' outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Stream::Out => "stdout",
            Stream::Err => "stderr",
        }
    }
}

/// The file, with rotation.
#[derive(Debug)]
pub(super) struct Log {
    spec: LogFile,
    file: File,
    size: u64,
}

impl Log {
    pub(super) fn open(spec: &LogFile) -> io::Result<Log> {
        let file = create(&spec.path)?;
        let size = file.metadata()?.len();
        Ok(Log {
            spec: spec.clone(),
            file,
            size,
        })
    }

    /// Appends whole lines. What a full disk does not take is lost; the container goes on.
    fn write(&mut self, text: &[u8], now: SystemTime) {
        if self.file.write_all(text).is_ok() {
            self.size += text.len() as u64;
        }
        if self.spec.max_size > 0 && self.size >= self.spec.max_size {
            // If it fails, the file grows until the next try succeeds.
            let _ = self.rotate(now);
        }
    }

    fn rotate(&mut self, now: SystemTime) -> io::Result<()> {
        let folder = self.spec.path.parent().unwrap_or(Path::new("/"));
        let name = self
            .spec
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut old: Vec<PathBuf> = fs::read_dir(folder)?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                path.file_name()
                    .and_then(|other| other.to_str())
                    .and_then(|other| other.strip_prefix(&name))
                    .is_some_and(|rest| rest.starts_with('.'))
            })
            .collect();
        old.sort();
        let keep = (self.spec.max_files.max(2) - 2) as usize;
        for path in old.iter().take(old.len().saturating_sub(keep)) {
            fs::remove_file(path)?;
        }
        // The time in the name sorts; its fraction tells apart two rotations in a second.
        let stamp = timestamp(now).replace(['-', ':'], "");
        let stamp = stamp.trim_end_matches('Z').replace('T', "-");
        fs::rename(&self.spec.path, folder.join(format!("{name}.{stamp}")))?;
        self.file = create(&self.spec.path)?;
        self.size = 0;
        Ok(())
    }
}

fn create(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o640)
        .open(path)
}

/// Cuts one output into lines.
#[derive(Debug)]
pub(super) struct Lines {
    stream: Stream,
    /// The beginning of a line whose end has not come yet.
    pending: Vec<u8>,
}

impl Lines {
    pub(super) fn new(stream: Stream) -> Lines {
        Lines {
            stream,
            pending: Vec::new(),
        }
    }

    /// Takes what was read and writes the lines that are whole, or longer than a line may be.
    pub(super) fn push(&mut self, mut bytes: &[u8], now: SystemTime, log: &mut Log) {
        let head = format!("{} {} ", timestamp(now), self.stream.name());
        let mut text = Vec::new();
        while !bytes.is_empty() {
            let room = MAX_LOG_LINE_BYTES - self.pending.len();
            let window = &bytes[..bytes.len().min(room)];
            let (take, skip, tag) = match window.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end, end + 1, "F "),
                // Exactly as long as a line may be, and then its end.
                None if window.len() == room && bytes.get(room) == Some(&b'\n') => (room, room + 1, "F "),
                None if window.len() == room => (room, room, "P "),
                None => {
                    self.pending.extend_from_slice(window);
                    break;
                }
            };
            text.extend_from_slice(head.as_bytes());
            text.extend_from_slice(tag.as_bytes());
            text.append(&mut self.pending);
            text.extend_from_slice(&bytes[..take]);
            text.push(b'\n');
            bytes = &bytes[skip..];
            if text.len() >= LOG_BATCH_BYTES {
                log.write(&text, now);
                text.clear();
            }
        }
        if !text.is_empty() {
            log.write(&text, now);
        }
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
    }

    /// There will be no more: a line without an end is written as it is.
    pub(super) fn finish(&mut self, now: SystemTime, log: &mut Log) {
        if self.pending.is_empty() {
            return;
        }
        let mut text = format!("{} {} P ", timestamp(now), self.stream.name()).into_bytes();
        text.append(&mut self.pending);
        text.push(b'\n');
        log.write(&text, now);
    }
}

/// `2006-01-02T15:04:05.999999999Z`
fn timestamp(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:09}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        since.subsec_nanos()
    )
}

/// The date so many days after 1970-01-01. Years are counted from March, so that a leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("deploy-log-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn log(folder: &Folder, max_size: u64, max_files: u32) -> Log {
        Log::open(&LogFile {
            path: folder.0.join("0.log"),
            max_size,
            max_files,
        })
        .unwrap()
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(timestamp(at(0)), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(timestamp(at(951_782_400)), "2000-02-29T00:00:00.000000000Z");
        assert_eq!(timestamp(at(1_709_251_199)), "2024-02-29T23:59:59.000000000Z");
        assert_eq!(timestamp(at(4_102_444_800)), "2100-01-01T00:00:00.000000000Z");
    }

    #[test]
    fn lines_come_whole_however_they_were_read() {
        let folder = Folder::new("whole");
        let mut log = log(&folder, 0, 0);
        let mut lines = Lines::new(Stream::Out);
        for part in ["one\ntw", "o\n\n", "rest"] {
            lines.push(part.as_bytes(), at(0), &mut log);
        }
        lines.finish(at(1), &mut log);
        let text = fs::read_to_string(folder.0.join("0.log")).unwrap();
        assert_eq!(
            text,
            "1970-01-01T00:00:00.000000000Z stdout F one\n\
             1970-01-01T00:00:00.000000000Z stdout F two\n\
             1970-01-01T00:00:00.000000000Z stdout F \n\
             1970-01-01T00:00:01.000000000Z stdout P rest\n"
        );
    }

    #[test]
    fn a_long_line_is_cut_and_marked() {
        let folder = Folder::new("long");
        let mut log = log(&folder, 0, 0);
        let mut lines = Lines::new(Stream::Err);
        let long = "x".repeat(2 * MAX_LOG_LINE_BYTES);
        lines.push(format!("{long}y\n").as_bytes(), at(0), &mut log);
        lines.push(
            format!("{}\n", &long[..MAX_LOG_LINE_BYTES]).as_bytes(),
            at(0),
            &mut log,
        );
        let text = fs::read_to_string(folder.0.join("0.log")).unwrap();
        let tags: Vec<(&str, usize)> = text
            .lines()
            .map(|line| {
                let mut words = line.splitn(4, ' ').skip(2);
                (words.next().unwrap(), words.next().unwrap().len())
            })
            .collect();
        let most = MAX_LOG_LINE_BYTES;
        assert_eq!(tags, [("P", most), ("P", most), ("F", 1), ("F", most)]);
    }

    #[test]
    fn a_full_file_is_renamed_and_the_oldest_removed() {
        let folder = Folder::new("rotate");
        let mut log = log(&folder, 100, 3);
        let mut lines = Lines::new(Stream::Out);
        for second in 0..20 {
            lines.push(format!("{}\n", "z".repeat(100)).as_bytes(), at(second), &mut log);
        }
        let mut names: Vec<String> = fs::read_dir(&folder.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "0.log",
                "0.log.19700101-000018.000000000",
                "0.log.19700101-000019.000000000"
            ]
        );
    }
}
