//! The access log: one JSON object a line. Threads gather lines and hand them over in chunks; a thread of its own writes
//! them. Nothing waits for the disk: what it cannot take is dropped and counted.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use jiff::Timestamp;

use super::counts::Counts;
use super::limits;

/// What is told of one request.
#[derive(Clone, Debug, Default)]
pub struct Line<'a> {
    /// `GET`
    pub method: &'a str,
    /// The host that was asked for.
    pub host: &'a str,
    /// The path, without what follows it: a query may hold secrets.
    pub path: &'a str,
    /// `HTTP/1.1`
    pub protocol: &'a str,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The client's address.
    pub client: &'a str,
    /// What the client says that it is.
    pub user_agent: &'a str,
    /// The code of the answer.
    pub status: u16,
    /// Bytes of the request's body.
    pub received: u64,
    /// Bytes of the answer's body.
    pub sent: u64,
    /// From the head to the end of the answer.
    pub duration_us: u64,
    /// The endpoint, empty where none was asked.
    pub upstream: &'a str,
    /// Until the endpoint's answer began.
    pub upstream_us: u64,
    /// Of the Ingress.
    pub namespace: &'a str,
    /// Its name.
    pub ingress: &'a str,
    /// The rule's path.
    pub route: &'a str,
    /// The service.
    pub service: &'a str,
    /// The pod's version.
    pub version: &'a str,
    /// `X-Request-Id`
    pub request_id: &'a str,
    /// Of `traceparent`.
    pub trace_id: &'a str,
    /// Why there was no answer, in a word.
    pub error: &'a str,
}

/// Gathers lines of one thread.
#[derive(Debug)]
pub struct Lines {
    buffer: String,
    count: u64,
    sender: SyncSender<String>,
    counts: Arc<Counts>,
    /// The last second that was shown, and how.
    second: (i64, String),
}

/// The thread that writes.
#[derive(Debug)]
pub struct Writer {
    sender: SyncSender<String>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Opens the file; what is there stays.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn start(path: &Path) -> io::Result<Writer> {
        let log = Log::open(path)?;
        let (sender, receiver) = sync_channel(limits::LOG_CHUNKS_MAX);
        let thread = std::thread::Builder::new()
            .name("ingress-log".to_owned())
            .spawn(move || write(log, &receiver))?;
        Ok(Writer { sender, thread })
    }

    /// For one thread that serves.
    pub fn lines(&self, counts: Arc<Counts>) -> Lines {
        Lines {
            buffer: String::new(),
            count: 0,
            sender: self.sender.clone(),
            counts,
            second: (i64::MIN, String::new()),
        }
    }

    /// Ends when all that was handed over is written. Blocks; all [`Lines`] must be gone.
    pub fn finish(self) {
        drop(self.sender);
        // A writer that panicked has said so.
        let _ = self.thread.join();
    }
}

impl Lines {
    /// Takes note of a request; costs a microsecond. `now_us` is since 1970.
    pub fn add(&mut self, now_us: i64, line: &Line<'_>) {
        let second = now_us.div_euclid(1_000_000);
        if self.second.0 != second {
            let shown = Timestamp::from_second(second).map(|at| at.strftime("%Y-%m-%dT%H:%M:%S").to_string());
            self.second = (second, shown.unwrap_or_default());
        }
        let millisecond = now_us.rem_euclid(1_000_000) / 1000;
        let text = &mut self.buffer;
        let written = write!(
            text,
            "{{\"time\":\"{}.{millisecond:03}Z\",\"method\":\"",
            self.second.1
        );
        written.expect("a string takes all that is written");
        escape(text, line.method);
        for (name, value) in [
            ("host", line.host),
            ("path", line.path),
            ("protocol", line.protocol),
            ("client", line.client),
            ("user_agent", line.user_agent),
            ("upstream", line.upstream),
            ("namespace", line.namespace),
            ("ingress", line.ingress),
            ("route", line.route),
            ("service", line.service),
            ("pod_template_hash", line.version),
            ("request_id", line.request_id),
            ("trace_id", line.trace_id),
            ("error", line.error),
        ] {
            if value.is_empty() {
                continue;
            }
            text.push_str("\",\"");
            text.push_str(name);
            text.push_str("\":\"");
            escape(text, value);
        }
        let written = writeln!(
            text,
            "\",\"tls\":{},\"status\":{},\"received_bytes\":{},\"sent_bytes\":{},\"duration_us\":{},\"upstream_us\":{}}}",
            line.tls, line.status, line.received, line.sent, line.duration_us, line.upstream_us
        );
        written.expect("a string takes all that is written");
        self.count += 1;
        if self.buffer.len() >= limits::LOG_CHUNK_BYTES {
            self.flush();
        }
    }

    /// Hands over what was gathered.
    pub fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        // Room for the same again, so that it need not grow in steps.
        let next = String::with_capacity(self.buffer.len());
        let chunk = std::mem::replace(&mut self.buffer, next);
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.sender.try_send(chunk) {
            self.counts.lines_dropped.fetch_add(self.count, Ordering::Relaxed);
        }
        self.count = 0;
    }

    /// Whether there is something to hand over.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Puts text between the quotes of a JSON string, cut to the bound.
fn escape(into: &mut String, text: &str) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\' && byte != 0x7f;
    if text.len() <= limits::LOG_FIELD_CHARS_MAX && text.bytes().all(plain) {
        into.push_str(text);
        return;
    }
    for next in text.chars().take(limits::LOG_FIELD_CHARS_MAX) {
        match next {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            control if control < ' ' || control == '\u{7f}' => {
                let written = write!(into, "\\u{:04x}", u32::from(control));
                written.expect("a string takes all that is written");
            }
            other => into.push(other),
        }
    }
}

fn write(mut log: Log, chunks: &Receiver<String>) {
    while let Ok(chunk) = chunks.recv() {
        // A full disk costs lines, not requests; the next chunk may find room.
        let _ = log.put(chunk.as_bytes());
    }
}

/// A file that is put aside when it is long: `x.log` becomes `x.log.1`, that `x.log.2`, and the last goes.
struct Log {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Log {
    fn open(path: &Path) -> io::Result<Log> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o640)
            .open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Log {
            path: path.to_owned(),
            file,
            bytes,
        })
    }

    fn put(&mut self, chunk: &[u8]) -> io::Result<()> {
        if self.bytes > 0 && self.bytes + chunk.len() as u64 > limits::LOG_FILE_BYTES_MAX {
            self.put_aside()?;
        }
        self.file.write_all(chunk)?;
        self.bytes += chunk.len() as u64;
        Ok(())
    }

    fn put_aside(&mut self) -> io::Result<()> {
        let numbered = |number: usize| {
            let mut path = self.path.clone().into_os_string();
            path.push(format!(".{number}"));
            PathBuf::from(path)
        };
        for number in (1..limits::LOG_FILES_KEPT).rev() {
            match std::fs::rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::rename(&self.path, numbered(1))?;
        *self = Log::open(&self.path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("deploy-access-log-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    #[test]
    fn lines_are_json() {
        let folder = folder("json");
        let path = folder.join("access.log");
        let writer = Writer::start(&path).expect("a file");
        let mut lines = writer.lines(Arc::default());
        let line = Line {
            method: "GET",
            path: "/a\"b\\c\u{1}\u{e9}\n",
            user_agent: &"x".repeat(2000),
            status: 200,
            sent: 12,
            ..Line::default()
        };
        lines.add(1_700_000_000_123_456, &line);
        lines.add(1_700_000_000_999_999, &Line::default());
        drop(lines);
        writer.finish();
        let text = std::fs::read_to_string(&path).expect("written");
        let read: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0]["time"], "2023-11-14T22:13:20.123Z");
        assert_eq!(read[0]["path"], "/a\"b\\c\u{1}\u{e9}\n");
        assert_eq!(read[0]["user_agent"].as_str().map(str::len), Some(512));
        assert_eq!(
            (&read[0]["status"], &read[0]["sent_bytes"]),
            (&200.into(), &12.into())
        );
        assert_eq!(read[1]["method"], "");
        std::fs::remove_dir_all(folder).expect("there");
    }

    #[test]
    fn long_files_are_put_aside() {
        let folder = folder("rotate");
        let path = folder.join("access.log");
        let mut log = Log::open(&path).expect("a file");
        for number in 0..=limits::LOG_FILES_KEPT as u64 + 1 {
            log.bytes = limits::LOG_FILE_BYTES_MAX;
            log.put(format!("{number}\n").as_bytes()).expect("written");
        }
        let mut names: Vec<_> = std::fs::read_dir(&folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        assert_eq!(
            names,
            ["access.log", "access.log.1", "access.log.2", "access.log.3"]
        );
        assert_eq!(
            std::fs::read_to_string(folder.join("access.log.3")).expect("a file"),
            "1\n"
        );
        std::fs::remove_dir_all(folder).expect("there");
    }

    #[test]
    fn what_nobody_takes_is_dropped_and_counted() {
        let counts = Arc::new(Counts::default());
        let (sender, receiver) = sync_channel(1);
        let mut lines = Lines {
            buffer: String::new(),
            count: 0,
            sender,
            counts: counts.clone(),
            second: (0, String::new()),
        };
        for _ in 0..3 {
            lines.add(0, &Line::default());
            lines.add(0, &Line::default());
            lines.flush();
        }
        assert_eq!(counts.lines_dropped.load(Ordering::Relaxed), 4);
        drop(receiver);
    }
}
