//! The registry: its folder, its state, and the one way in which it changes.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use deploy_model::image::{Algorithm, Digest};

use crate::cache::Cache;
use crate::change::{Age, Change, Scope};
use crate::disk::{Disk, File, Local, create_folders};
use crate::error::{OpenError, RegistryError};
use crate::journal::Journal;
use crate::limits;
use crate::policy::TagPolicy;
use crate::state::{Record, State};
use crate::upload::Parked;

/// Seconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How a registry behaves.
#[derive(Clone)]
pub struct Options {
    /// The rules for tags.
    pub tags: TagPolicy,
    /// Whether an index may name manifests that are not there.
    pub sparse_indexes: bool,
    /// How long a blob stays that no manifest names.
    pub unreferenced: Duration,
    /// How long a blob stays of which a client was told.
    pub lease: Duration,
    /// How long an upload stays that nobody writes to.
    pub upload: Duration,
    /// The most bytes of a blob.
    pub blob_bytes: u64,
    /// What time it is.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tags: TagPolicy::default(),
            sparse_indexes: false,
            unreferenced: limits::UNREFERENCED_LIFE,
            lease: limits::LEASE,
            upload: limits::UPLOAD_LIFE,
            blob_bytes: limits::BLOB_BYTES,
            clock: Arc::new(system_clock),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}

/// A registry in a folder. All its calls may wait for the disk, unless they say that they do not: an asynchronous
/// caller makes them on threads of their own.
pub struct Registry {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) folder: PathBuf,
    pub(crate) options: Options,
    pub(crate) cache: Mutex<Cache>,
    /// Uploads that nobody writes to at the moment.
    pub(crate) parked: Mutex<HashMap<String, Parked>>,
    /// Who gives a file its name among the blobs holds this from then on until the change is safe; who takes files away
    /// holds it alone.
    pub(crate) names: RwLock<()>,
    state: RwLock<State>,
    journal: Mutex<Journal>,
    queue: Mutex<VecDeque<Arc<Ticket>>>,
    /// Folders of blobs that are there.
    folders: Mutex<HashSet<String>>,
    started: u64,
    /// The lock on the folder, for as long as this lives.
    _held: Option<std::fs::File>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// A change that waits for its turn, and what came of it.
struct Ticket {
    change: Change,
    outcome: Mutex<Option<Result<Vec<Record>, RegistryError>>>,
}

impl Registry {
    /// Opens the registry of a folder, which is made if it is missing. One process at a time has it.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing has changed then.
    pub fn open(folder: &Path, options: Options) -> Result<Arc<Self>, OpenError> {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let lock = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(OpenError::Locked),
            Err(std::fs::TryLockError::Error(error)) => return Err(error.into()),
        }
        Self::on(Arc::new(Local), folder, options, Some(lock))
    }

    /// Opens a registry on another disk than this machine's. The folder is there.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_on(disk: Arc<dyn Disk>, folder: &Path, options: Options) -> Result<Arc<Self>, OpenError> {
        Self::on(disk, folder, options, None)
    }

    fn on(
        disk: Arc<dyn Disk>,
        folder: &Path,
        options: Options,
        held: Option<std::fs::File>,
    ) -> Result<Arc<Self>, OpenError> {
        let (journal, state) = Journal::open(disk.clone(), folder)?;
        for below in [
            &["blobs"][..],
            &["blobs", "sha256"],
            &["blobs", "sha512"],
            &["uploads"],
        ] {
            create_folders(&*disk, folder, below)?;
        }
        let started = (options.clock)();
        let registry = Self {
            parked: Mutex::new(crate::upload::found(&state)),
            disk,
            folder: folder.to_owned(),
            options,
            cache: Mutex::default(),
            names: RwLock::default(),
            state: RwLock::new(state),
            journal: Mutex::new(journal),
            queue: Mutex::default(),
            folders: Mutex::default(),
            started,
            _held: held,
        };
        registry.remove_strangers()?;
        Ok(Arc::new(registry))
    }

    /// What is true now. Never held while waiting for anything.
    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> u64 {
        (self.options.clock)()
    }

    pub(crate) fn age(&self) -> Age {
        Age {
            now: self.now(),
            unreferenced: self.options.unreferenced.as_secs(),
            lease: self.options.lease.as_secs(),
            started: self.started,
        }
    }

    /// Makes a change; it is safe and visible when this returns. The records that it took.
    pub(crate) fn change(&self, change: Change) -> Result<Vec<Record>, RegistryError> {
        let ticket = Arc::new(Ticket {
            change,
            outcome: Mutex::new(None),
        });
        lock(&self.queue).push_back(ticket.clone());
        loop {
            // Whoever has the journal makes the changes of all that wait for it.
            let mut journal = lock(&self.journal);
            if let Some(outcome) = lock(&ticket.outcome).take() {
                return outcome;
            }
            let batch = self.next_batch();
            if batch.is_empty() {
                // Who had it panicked before its end.
                return Err(RegistryError::Disk {
                    reason: "the change was lost on its way to the journal".to_owned(),
                });
            }
            self.make(&mut journal, &batch);
        }
    }

    /// Whether the journal on the disk is what was acknowledged, after an attempt to mend it if it is not.
    pub(crate) fn journal_is_sound(&self) -> bool {
        let mut journal = lock(&self.journal);
        journal.is_sound() || journal.rewrite(&self.state()).is_ok()
    }

    /// The changes at the head of the queue that have nothing to do with each other.
    fn next_batch(&self) -> Vec<Arc<Ticket>> {
        let mut queue = lock(&self.queue);
        let mut batch: Vec<Arc<Ticket>> = Vec::new();
        let mut repositories: HashSet<String> = HashSet::new();
        while let Some(ticket) = queue.front() {
            let fits = match ticket.change.scope() {
                Scope::Free => true,
                Scope::Repository(name) => repositories.insert(name.to_owned()),
                Scope::Alone => batch.is_empty(),
            };
            if !fits || batch.len() >= limits::BATCH {
                break;
            }
            let alone = ticket.change.scope() == Scope::Alone;
            batch.extend(queue.pop_front());
            if alone {
                break;
            }
        }
        batch
    }

    fn make(&self, journal: &mut Journal, batch: &[Arc<Ticket>]) {
        let age = self.age();
        let mut planned: Vec<(&Arc<Ticket>, Vec<Record>)> = Vec::with_capacity(batch.len());
        {
            let state = self.state();
            for ticket in batch {
                match ticket.change.plan(&state, &self.options.tags, &age) {
                    Ok(records) => planned.push((ticket, records)),
                    Err(error) => *lock(&ticket.outcome) = Some(Err(error)),
                }
            }
        }
        let lines: Vec<&[Record]> = planned
            .iter()
            .map(|(_, records)| &records[..])
            .filter(|records| !records.is_empty())
            .collect();
        let lasting = planned
            .iter()
            .any(|(ticket, records)| ticket.change.lasts() && !records.is_empty());
        let written = match lines.is_empty() {
            true => Ok(()),
            false => journal.append(&lines, lasting, &self.state()),
        };
        let written = written.map_err(RegistryError::from);
        if written.is_ok() {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            for record in planned.iter().flat_map(|(_, records)| records) {
                state.apply(record);
            }
        }
        for (ticket, records) in planned {
            *lock(&ticket.outcome) = Some(written.clone().map(|()| records));
        }
    }

    /// Where the file of a blob is.
    pub(crate) fn blob_path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.folder
            .join("blobs")
            .join(algorithm(digest))
            .join(&hex[..2])
            .join(hex)
    }

    /// Gives a complete, synced file its name among the blobs. The caller holds `names` until it is linked.
    pub(crate) fn name_blob(&self, from: &Path, digest: &Digest) -> Result<(), RegistryError> {
        let start = &digest.hex()[..2];
        let key = format!("{}/{start}", algorithm(digest));
        let there = lock(&self.folders).contains(&key);
        if !there {
            create_folders(
                &*self.disk,
                &self.folder.join("blobs").join(algorithm(digest)),
                &[start],
            )?;
            lock(&self.folders).insert(key);
        }
        let path = self.blob_path(digest);
        self.disk.rename(from, &path)?;
        let folder = path.parent().expect("a blob is in a folder");
        self.disk.sync_folder(folder)?;
        Ok(())
    }

    pub(crate) fn upload_path(&self, id: &str) -> PathBuf {
        self.folder.join("uploads").join(id)
    }

    pub(crate) fn open_file(&self, digest: &Digest) -> Result<Box<dyn File>, RegistryError> {
        Ok(self.disk.open(&self.blob_path(digest), false)?)
    }

    /// Files of uploads that nobody knows of.
    fn remove_strangers(&self) -> Result<(), OpenError> {
        let folder = self.folder.join("uploads");
        for name in self.disk.list(&folder)? {
            if !lock(&self.parked).contains_key(&name) {
                self.disk.remove(&folder.join(name))?;
            }
        }
        Ok(())
    }
}

/// The name of the folder of an algorithm's blobs.
pub(crate) fn algorithm(digest: &Digest) -> &'static str {
    match digest.algorithm() {
        Algorithm::Sha256 => "sha256",
        Algorithm::Sha512 => "sha512",
    }
}

/// What a panic elsewhere left behind is whole: no lock is held while something can fail half-way.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn system_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
