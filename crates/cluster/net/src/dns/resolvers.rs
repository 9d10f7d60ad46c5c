//! The host's resolvers, as its resolv.conf names them.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::limits;

/// The port of DNS.
const PORT: u16 = 53;

/// Resolvers of the host, read again when the file has changed.
#[derive(Debug)]
pub struct Resolvers {
    path: PathBuf,
    /// Ourselves: who asked these would ask for ever.
    never: Vec<SocketAddr>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    list: Arc<[SocketAddr]>,
    looked: Option<Duration>,
    stamp: Option<(SystemTime, u64)>,
}

/// The resolvers that a resolv.conf names.
pub fn parse(text: &str, never: &[SocketAddr]) -> Vec<SocketAddr> {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = words
            .next()
            .filter(|word| *word == "nameserver")
            .and(words.next())?;
        // A zone of IPv6 (`fe80::1%eth0`) has no place in an address here.
        let address: IpAddr = address.parse().ok()?;
        Some(SocketAddr::new(address, PORT))
    });
    lines
        .take(limits::RESOLVERS_MAX)
        .filter(|address| !never.contains(address))
        .collect()
}

impl Resolvers {
    /// Those of a file, without `never`.
    pub fn new(path: &Path, never: Vec<SocketAddr>) -> Resolvers {
        Resolvers {
            path: path.to_owned(),
            never,
            known: Mutex::default(),
        }
    }

    /// Those that were read not long ago. `None`: time to look at the file again, see [`Resolvers::look`].
    pub fn fresh(&self, now: Duration) -> Option<Arc<[SocketAddr]>> {
        let known = self.lock();
        let looked = known.looked?;
        (now.saturating_sub(looked) < limits::RESOLVERS_FRESH).then(|| known.list.clone())
    }

    /// Looks at the file; blocks. A file that cannot be read leaves what was known.
    pub fn look(&self, now: Duration) -> Arc<[SocketAddr]> {
        let stamp = std::fs::metadata(&self.path)
            .and_then(|file| Ok((file.modified()?, file.len())))
            .ok();
        let changed = self.lock().stamp != stamp;
        let list = if changed { self.read() } else { None };
        let mut known = self.lock();
        known.looked = Some(now);
        if let Some(list) = list {
            known.list = list;
            known.stamp = stamp;
        }
        known.list.clone()
    }

    fn read(&self) -> Option<Arc<[SocketAddr]>> {
        let mut text = Vec::new();
        let file = std::fs::File::open(&self.path).ok()?;
        file.take(limits::RESOLVERS_FILE_BYTES_MAX)
            .read_to_end(&mut text)
            .ok()?;
        Some(parse(&String::from_utf8_lossy(&text), &self.never).into())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        // All fields are set together: a panicked holder left them sound.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_name_resolvers() {
        let text = "# comment\nsearch example.com\nnameserver 192.0.2.1\n  nameserver\t192.0.2.2 \noptions ndots:5\n\
                    nameserver fe80::1%eth0\nnameserver ::1\nnameserver 192.0.2.9\nnameservers 192.0.2.8\n";
        let never = ["192.0.2.2:53".parse().expect("an address")];
        let shown: Vec<String> = parse(text, &never).iter().map(SocketAddr::to_string).collect();
        assert_eq!(shown, ["192.0.2.1:53", "[::1]:53"]);
    }

    #[test]
    fn a_file_that_changes_is_read_again() {
        let path = std::env::temp_dir().join(format!("deploy-resolv-{}", std::process::id()));
        let resolvers = Resolvers::new(&path, Vec::new());
        let at = Duration::from_secs;
        assert!(resolvers.fresh(at(0)).is_none());
        assert!(resolvers.look(at(0)).is_empty());
        std::fs::write(&path, "nameserver 192.0.2.1").expect("a file");
        assert!(resolvers.fresh(at(1)).is_some_and(|list| list.is_empty()));
        assert!(resolvers.fresh(at(2)).is_none());
        assert_eq!(resolvers.look(at(2)).len(), 1);
        std::fs::remove_file(&path).expect("it was there");
        assert_eq!(resolvers.look(at(5)).len(), 1, "the last list stays");
    }
}
