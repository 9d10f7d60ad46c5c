//! The log of one step: times, masks, a bound.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use deploy_workflow::run::mask::Masker;
use deploy_workflow::run::{JobId, StepNumber};
use jiff::Timestamp;
use tokio::sync::broadcast;

use crate::events::Event;

/// Writes one step's log. Its calls block for as long as the page cache does.
pub(crate) struct StepLog {
    file: File,
    masker: Masker,
    written: u64,
    bound: u64,
    cut: bool,
    /// The last line has no end yet.
    open: bool,
    listeners: broadcast::Sender<Event>,
    job: JobId,
    step: StepNumber,
}

/// Digits of a second: as GitHub's logs, but for the last, which no clock of ours has.
const TIME: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";

impl StepLog {
    /// Opens the file, which is a new one.
    pub(crate) fn open(
        path: &Path,
        bound: u64,
        masker: Masker,
        listeners: broadcast::Sender<Event>,
        (job, step): (JobId, StepNumber),
    ) -> io::Result<StepLog> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::options().create(true).append(true).open(path)?;
        Ok(StepLog {
            file,
            masker,
            written: 0,
            bound,
            cut: false,
            open: false,
            listeners,
            job,
            step,
        })
    }

    /// Masks one more value from here on.
    pub(crate) fn mask(&mut self, value: &str) {
        self.masker.add(value);
    }

    /// A text as it would be seen.
    pub(crate) fn masked(&self, text: &str) -> String {
        self.masker.mask(text)
    }

    /// Adds pieces of lines, in their order: each with whether the line ends with it.
    pub(crate) fn write<'a>(&mut self, pieces: impl IntoIterator<Item = (&'a str, bool)>) -> io::Result<()> {
        let mut clear = Vec::new();
        let mut time = None;
        for (text, ends) in pieces {
            if !self.open {
                let time = time.get_or_insert_with(|| Timestamp::now().strftime(TIME).to_string());
                clear.extend_from_slice(time.as_bytes());
                clear.push(b' ');
            }
            clear.extend_from_slice(text.as_bytes());
            if ends {
                clear.push(b'\n');
            }
            self.open = !ends;
        }
        let mut masked = Vec::with_capacity(clear.len());
        self.masker.write(&clear, &mut masked);
        self.put(&masked)
    }

    /// Adds a whole line.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        let before = self.open.then_some(("", true));
        let lines: Vec<(&str, bool)> = before
            .into_iter()
            .chain(text.lines().map(|line| (line, true)))
            .collect();
        self.write(lines)
    }

    /// Adds what was held back. The file is whole then, and durable once it is synced.
    pub(crate) fn close(mut self) -> io::Result<File> {
        if self.open {
            self.write([("", true)])?;
        }
        let mut masked = Vec::new();
        self.masker.finish(&mut masked);
        self.put(&masked)?;
        Ok(self.file)
    }

    fn put(&mut self, masked: &[u8]) -> io::Result<()> {
        if masked.is_empty() || self.cut {
            return Ok(());
        }
        let left = self.bound.saturating_sub(self.written);
        let fits = usize::try_from(left).unwrap_or(usize::MAX).min(masked.len());
        let text = String::from_utf8_lossy(&masked[..fits]);
        self.show(text.as_bytes())?;
        if fits < masked.len() {
            self.cut = true;
            let time = Timestamp::now().strftime(TIME).to_string();
            let notice = format!(
                "\n{time} ##[warning]The log is cut here: a step keeps {} bytes.\n",
                self.bound
            );
            self.show(notice.as_bytes())?;
        }
        Ok(())
    }

    fn show(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        // Nobody may be listening.
        let _ = self.listeners.send(Event::Output {
            job: self.job.clone(),
            step: self.step,
            text: Arc::from(String::from_utf8_lossy(bytes)),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(name: &str, bound: u64, secrets: &[&str]) -> (std::path::PathBuf, StepLog) {
        let path = std::env::temp_dir().join(format!("deploy-jobs-log-{}-{name}", std::process::id()));
        let _ = fs::remove_file(&path);
        let (listeners, _) = broadcast::channel(16);
        let masker = Masker::new(secrets.iter().copied());
        let id = (JobId("j".to_owned()), StepNumber(0));
        let log = StepLog::open(&path, bound, masker, listeners, id).unwrap();
        (path, log)
    }

    /// The lines without their times.
    fn texts(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        fs::remove_file(path).unwrap();
        text.lines()
            .map(|line| line.split_once(' ').map_or("", |(_, text)| text).to_owned())
            .collect()
    }

    #[test]
    fn lines_have_times_and_no_secrets() {
        let (path, mut log) = log("masks", 1 << 20, &["hunter2"]);
        log.write([("a hun", false)]).unwrap();
        log.write([("ter2 b", true), ("c", false)]).unwrap();
        log.line("##[error]end").unwrap();
        log.close().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("20") && text.contains("Z a *** b\n"), "{text}");
        assert_eq!(texts(&path), ["a *** b", "c", "##[error]end"]);
    }

    #[test]
    fn a_log_is_cut_with_a_notice() {
        let (path, mut log) = log("cut", 100, &[]);
        for _ in 0..100 {
            log.write([("0123456789", true)]).unwrap();
        }
        log.close().unwrap();
        let length = fs::metadata(&path).unwrap().len();
        let last = texts(&path).pop().unwrap();
        assert_eq!(last, "##[warning]The log is cut here: a step keeps 100 bytes.");
        assert!(length < 250, "{length}");
    }
}
