//! `actions/cache`: files that later runs find again.
//!
//! ```text
//! cache/lock
//! cache/index/SCOPE/KEY.json     scope: repository and paths; when it was last used is the file's time
//! cache/blobs/SHA256             packed files, by content
//! cache/tmp/
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Task;
use crate::glob::Patterns;
use crate::limits::{MAX_KEY_BYTES, MAX_KEYS};
use crate::pack::{Packed, pack, unpack};
use crate::report::CacheReport;
use crate::room::{Inside, blocking, locked};

/// The caches of all repositories.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    bound: u64,
    number: AtomicU64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    key: String,
    blob: String,
    bytes: u64,
    packed_bytes: u64,
    created_ms: i64,
}

impl Cache {
    pub(crate) fn new(folder: PathBuf, bound: u64) -> Cache {
        Cache {
            folder,
            bound,
            number: AtomicU64::new(0),
        }
    }

    fn lock(&self, operation: FlockOperation) -> io::Result<File> {
        fs::create_dir_all(self.folder.join("tmp"))?;
        fs::create_dir_all(self.folder.join("blobs"))?;
        let lock = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("lock"))?;
        flock(&lock, operation)?;
        Ok(lock)
    }

    fn scope(&self, scope: &str) -> PathBuf {
        self.folder.join("index").join(&hash(scope)[..32])
    }

    /// The entry of this key, or the newest one that begins with one of the others, in their order.
    fn find(&self, scope: &str, key: &str, others: &[String]) -> io::Result<Option<(Entry, File)>> {
        let _lock = self.lock(FlockOperation::LockShared)?;
        let entries = self.entries(&self.scope(scope));
        let exact = entries.iter().find(|(_, entry)| entry.key == key);
        let newest = |prefix: &String| {
            let begins = entries
                .iter()
                .filter(|(_, entry)| entry.key.starts_with(prefix.as_str()));
            begins.max_by_key(|(_, entry)| entry.created_ms)
        };
        let Some((path, entry)) = exact.or_else(|| [key.to_owned()].iter().chain(others).find_map(newest))
        else {
            return Ok(None);
        };
        let blob = match File::open(self.folder.join("blobs").join(&entry.blob)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        // Its time says when it was last used.
        File::options()
            .append(true)
            .open(path)?
            .set_modified(SystemTime::now())?;
        Ok(Some((entry.clone(), blob)))
    }

    fn entries(&self, scope: &Path) -> Vec<(PathBuf, Entry)> {
        let files = fs::read_dir(scope)
            .into_iter()
            .flatten()
            .flatten()
            .map(|file| file.path());
        files
            .filter_map(|path| {
                let entry = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
                Some((path, entry))
            })
            .collect()
    }

    /// Keeps files under a key. None where the key is taken, or where no file is asked for.
    fn save(
        &self,
        scope: &str,
        key: &str,
        inside: &Inside,
        patterns: &Patterns,
    ) -> io::Result<Option<Packed>> {
        let path = self.scope(scope).join(format!("{}.json", &hash(key)[..32]));
        drop(self.lock(FlockOperation::LockShared)?);
        if path.exists() {
            return Ok(None);
        }
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let half = self
            .folder
            .join("tmp")
            .join(format!("{}-{number}", std::process::id()));
        let packed = pack(inside, patterns, Path::new("/"), true, &File::create(&half)?);
        let packed = match packed {
            Ok(packed) if packed.files > 0 => packed,
            other => {
                fs::remove_file(&half)?;
                return other.map(Some);
            }
        };
        let _lock = self.lock(FlockOperation::LockExclusive)?;
        fs::rename(&half, self.folder.join("blobs").join(&packed.digest))?;
        let entry = Entry {
            key: key.to_owned(),
            blob: packed.digest.clone(),
            bytes: packed.bytes,
            packed_bytes: packed.packed_bytes,
            created_ms: Timestamp::now().as_millisecond(),
        };
        fs::create_dir_all(self.scope(scope))?;
        fs::write(&half, serde_json::to_vec(&entry)?)?;
        File::open(&half)?.sync_all()?;
        fs::rename(&half, &path)?;
        self.evict(&path)?;
        Ok(Some(packed))
    }

    /// Removes what was not used for longest until the bound holds, but for one that was just made; and what a crash
    /// has left. Under the exclusive lock.
    fn evict(&self, keep: &Path) -> io::Result<()> {
        let scopes = fs::read_dir(self.folder.join("index"))?
            .flatten()
            .map(|scope| scope.path());
        let mut all: Vec<(SystemTime, PathBuf, Entry)> = scopes
            .flat_map(|scope| self.entries(&scope))
            .filter_map(|(path, entry)| Some((fs::metadata(&path).ok()?.modified().ok()?, path, entry)))
            .collect();
        all.sort_by_key(|(used, ..)| *used);
        let mut sum: u64 = all.iter().map(|(.., entry)| entry.packed_bytes).sum();
        all.retain(|(_, path, entry)| {
            let stays = sum <= self.bound || path == keep || fs::remove_file(path).is_err();
            if !stays {
                sum -= entry.packed_bytes;
            }
            stays
        });
        let used: BTreeSet<&str> = all.iter().map(|(.., entry)| entry.blob.as_str()).collect();
        for blob in fs::read_dir(self.folder.join("blobs"))?.flatten() {
            if !blob.file_name().to_str().is_some_and(|name| used.contains(name)) {
                fs::remove_file(blob.path())?;
            }
        }
        Ok(())
    }
}

fn hash(text: &str) -> String {
    Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

struct Question {
    scope: String,
    key: String,
    others: Vec<String>,
    patterns: Patterns,
}

fn question(task: &Task<'_>) -> Result<Question, String> {
    let key = task.input("key").to_owned();
    let others = task.lines("restore-keys");
    let paths = task.lines("path");
    if paths.is_empty() || key.is_empty() {
        let missing = if key.is_empty() { "key" } else { "path" };
        return Err(format!("Input required and not supplied: {missing}"));
    }
    if 1 + others.len() > MAX_KEYS {
        return Err(format!(
            "Key Validation Error: Keys are limited to a maximum of {MAX_KEYS}."
        ));
    }
    for one in [&key].into_iter().chain(&others) {
        if one.len() > MAX_KEY_BYTES {
            return Err(format!(
                "Key Validation Error: {one} cannot be larger than {MAX_KEY_BYTES} characters."
            ));
        }
        if one.contains(',') {
            return Err(format!("Key Validation Error: {one} cannot contain commas."));
        }
    }
    let patterns = Patterns::new([task.input("path")], &task.job.workspace, &task.job.room.home());
    Ok(Question {
        scope: format!("{}\0{}", task.context.repository, paths.join("\n")),
        key,
        others,
        patterns,
    })
}

pub(super) async fn restore(task: &mut Task<'_>) -> Result<(), String> {
    let Question {
        scope, key, others, ..
    } = question(task)?;
    task.output("cache-primary-key", key.clone());
    task.changes.state.push(("CACHE_KEY".to_owned(), key.clone()));
    let cache = task.context.cache.clone();
    let asked = [vec![key.clone()], others.clone()].concat().join(", ");
    let wanted = key.clone();
    let found = blocking(move || cache.find(&scope, &wanted, &others)).await;
    let found = found.map_err(|error| format!("the cache cannot be read: {error}"))?;
    locked(&task.context.report).cache(
        &task.job.id,
        CacheReport {
            key: key.clone(),
            found: found.as_ref().map(|(entry, _)| entry.key.clone()),
            bytes: found.as_ref().map_or(0, |(entry, _)| entry.bytes),
        },
    );
    let Some((entry, blob)) = found else {
        let text = format!("Cache not found for input keys: {asked}");
        if task.flag("fail-on-cache-miss") {
            return Err(format!(
                "Failed to restore cache entry. Exiting as fail-on-cache-miss is set. {text}"
            ));
        }
        task.output("cache-hit", "");
        task.say(text).await;
        return Ok(());
    };
    if !task.flag("lookup-only") {
        let inside = task.job.room.inside().await.map_err(|error| error.to_string())?;
        let unpacked = blocking(move || unpack(&blob, &inside, Path::new("/"))).await;
        unpacked.map_err(|error| format!("unpacking the cache {}: {error}", entry.key))?;
    }
    task.output("cache-hit", (entry.key == key).to_string());
    task.output("cache-matched-key", entry.key.clone());
    task.changes
        .state
        .push(("CACHE_RESULT".to_owned(), entry.key.clone()));
    task.say(format!(
        "Cache restored from key: {} ({} bytes)",
        entry.key, entry.bytes
    ))
    .await;
    Ok(())
}

pub(super) async fn save(task: &mut Task<'_>) -> Result<(), String> {
    let Question {
        scope, patterns, key, ..
    } = question(task)?;
    let key = task.state.get("CACHE_KEY").cloned().unwrap_or(key);
    if task.state.get("CACHE_RESULT") == Some(&key) {
        task.say(format!(
            "Cache hit occurred on the primary key {key}, not saving cache."
        ))
        .await;
        return Ok(());
    }
    let inside = task.job.room.inside().await.map_err(|error| error.to_string())?;
    let (cache, wanted) = (task.context.cache.clone(), key.clone());
    let saved = blocking(move || cache.save(&scope, &wanted, &inside, &patterns)).await;
    let text = match saved {
        // A cache that cannot be saved fails no job (actions/cache).
        Err(error) => format!("##[warning]The cache {key} was not saved: {error}"),
        Ok(None) => format!("A cache with the key {key} is there already, not saving cache."),
        Ok(Some(packed)) if packed.files == 0 => {
            "##[warning]Path Validation Error: Path(s) specified in the action for caching do(es) not exist, hence no \
             cache is being saved."
                .to_owned()
        }
        Ok(Some(packed)) => format!(
            "Cache saved with key: {key} ({} files, {} bytes, {} packed)",
            packed.files, packed.bytes, packed.packed_bytes
        ),
    };
    task.say(text).await;
    Ok(())
}
