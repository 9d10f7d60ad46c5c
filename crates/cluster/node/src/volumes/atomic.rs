//! Files that change all at once (`pkg/volume/util/atomic_writer.go`). A volume looks like this:
//!
//! ```text
//! ..2026_11_22_13_04_05.123456789/   the files
//! ..data -> ..2026_11_22_13_04_05.123456789
//! key -> ..data/key
//! folder -> ..data/folder
//! ```
//!
//! A new version is written beside the old one; renaming a link over `..data` shows it. A mount of one file (subPath)
//! stays with the old version.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::payload::{File, Payload};

const DATA: &str = "..data";
const NEXT_DATA: &str = "..data_tmp";

/// Names that are tried for a new version: one of a nanosecond is hardly ever taken.
const NAMES_MAX: u32 = 100;

/// Shows these files in a folder that exists and says whether anything had to change. `own` gives the new version to whom
/// it belongs before it is shown.
///
/// # Errors
/// What the file system says; the old version stays.
pub fn write(
    folder: &Path,
    payload: &Payload,
    now: Timestamp,
    own: &mut dyn FnMut() -> io::Result<()>,
) -> io::Result<bool> {
    let old = match fs::read_link(folder.join(DATA)) {
        Ok(old) => Some(folder.join(old)),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let gone = match &old {
        Some(old) => outdated(old, payload)?,
        None => BTreeSet::new(),
    };
    let is_current = |old: &PathBuf| gone.is_empty() && holds(old, payload);
    if old.as_ref().is_some_and(is_current) {
        show(folder, payload)?;
        return Ok(false);
    }
    let version = new_version(folder, now)?;
    let swapped = fill(&version, payload)
        .and_then(|()| own())
        .and_then(|()| swap(folder, &version));
    if let Err(error) = swapped {
        // The old version is shown; what is left of the new one goes with the volume.
        let _ = fs::remove_dir_all(&version);
        return Err(error);
    }
    show(folder, payload)?;
    for path in gone.iter().filter(|path| !path.contains('/')) {
        absent(fs::remove_file(folder.join(path)))?;
    }
    match old {
        Some(old) => absent(fs::remove_dir_all(old)).map(|()| true),
        None => Ok(true),
    }
}

/// Whether a version has all files of a payload as they are.
fn holds(version: &Path, payload: &Payload) -> bool {
    payload
        .iter()
        .all(|(path, file)| fs::read(version.join(path)).is_ok_and(|known| known == file.data))
}

/// The paths of a version that the payload does not have, folders included.
fn outdated(version: &Path, payload: &Payload) -> io::Result<BTreeSet<String>> {
    let mut kept: BTreeSet<&str> = BTreeSet::new();
    for path in payload.keys() {
        kept.extend(path.match_indices('/').map(|(at, _)| &path[..at]));
        kept.insert(path);
    }
    let (mut found, mut folders) = (BTreeSet::new(), vec![String::new()]);
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(version.join(&folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() {
                name
            } else {
                format!("{folder}/{name}")
            };
            if entry.file_type()?.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path);
        }
    }
    found.retain(|path| !kept.contains(path.as_str()));
    Ok(found)
}

/// An empty folder `..2026_11_22_13_04_05.123456789` that all may look into.
fn new_version(folder: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let second = now.strftime("..%Y_%m_%d_%H_%M_%S").to_string();
    let fraction = now.subsec_nanosecond().unsigned_abs();
    for number in 0..NAMES_MAX {
        let version = folder.join(format!("{second}.{}", fraction + number));
        match fs::create_dir(&version) {
            Ok(()) => {
                fs::set_permissions(&version, Permissions::from_mode(0o755))?;
                return Ok(version);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

fn fill(version: &Path, payload: &Payload) -> io::Result<()> {
    for (path, file) in payload {
        let path = version.join(path);
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o777).create(parent)?;
        }
        one(&path, file)?;
    }
    Ok(())
}

fn one(path: &Path, file: &File) -> io::Result<()> {
    let mut target = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(file.mode)
        .open(path)?;
    target.write_all(&file.data)?;
    // The umask has no say.
    target.set_permissions(Permissions::from_mode(file.mode))?;
    match file.user {
        Some(user) => std::os::unix::fs::fchown(&target, Some(user), None),
        None => Ok(()),
    }
}

fn swap(folder: &Path, version: &Path) -> io::Result<()> {
    let name = version.file_name().ok_or(ErrorKind::InvalidInput)?;
    let next = folder.join(NEXT_DATA);
    // One that a crash has left behind.
    absent(fs::remove_file(&next))?;
    symlink(name, &next)?;
    fs::rename(next, folder.join(DATA))
}

/// Links for what users see: the first part of each path.
fn show(folder: &Path, payload: &Payload) -> io::Result<()> {
    let names: BTreeSet<&str> = payload
        .keys()
        .map(|path| path.split('/').next().unwrap_or_default())
        .collect();
    for name in names {
        match symlink(Path::new(DATA).join(name), folder.join(name)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// What shall be gone may be gone already.
fn absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volumes::scratch::Scratch;

    fn payload(files: &[(&str, &str, u32)]) -> Payload {
        let file = |data: &str, mode| File {
            data: data.into(),
            mode,
            user: None,
        };
        files
            .iter()
            .map(|(path, data, mode)| ((*path).to_owned(), file(data, *mode)))
            .collect()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::new(1_800_000_000 + second, 42).expect("a time")
    }

    fn put(folder: &Path, files: &[(&str, &str, u32)], second: i64) -> bool {
        write(folder, &payload(files), at(second), &mut || Ok(())).expect("it can be written")
    }

    /// What stands in a folder: names, and where links lead.
    fn listing(folder: &Path) -> Vec<String> {
        let mut all: Vec<String> = fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| {
                let entry = entry.expect("an entry");
                let name = entry.file_name().to_string_lossy().into_owned();
                fs::read_link(entry.path()).map_or(name.clone(), |to| format!("{name} -> {}", to.display()))
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn a_volume_looks_as_upstream_makes_it() {
        let scratch = Scratch::new();
        let folder = scratch.path();
        assert!(put(
            folder,
            &[
                ("a", "1", 0o644),
                ("deep/b/c", "2", 0o400),
                ("deep/d", "3", 0o777)
            ],
            0
        ));
        let version = "..2027_01_15_08_00_00.42";
        assert_eq!(
            listing(folder),
            [
                version.to_owned(),
                format!("..data -> {version}"),
                "a -> ..data/a".to_owned(),
                "deep -> ..data/deep".to_owned()
            ]
        );
        assert_eq!(fs::read_to_string(folder.join("deep/b/c")).expect("a file"), "2");
        for (path, mode) in [
            ("a", 0o644),
            ("deep/b/c", 0o400),
            ("deep/d", 0o777),
            (version, 0o755),
        ] {
            let permissions = fs::metadata(folder.join(path))
                .expect("it is there")
                .permissions();
            assert_eq!(permissions.mode() & 0o7777, mode, "{path}");
        }
    }

    #[test]
    fn only_a_change_makes_a_new_version() {
        let scratch = Scratch::new();
        let folder = scratch.path();
        assert!(put(folder, &[("a", "1", 0o644), ("b", "2", 0o644)], 0));
        let before = listing(folder);
        assert!(!put(folder, &[("a", "1", 0o644), ("b", "2", 0o644)], 1));
        assert_eq!(listing(folder), before);
        fs::remove_file(folder.join("a")).expect("a link");
        assert!(!put(folder, &[("a", "1", 0o644), ("b", "2", 0o644)], 1));
        assert_eq!(listing(folder), before, "a lost link is made again");
        assert!(put(folder, &[("b", "new", 0o644), ("c/x", "3", 0o644)], 2));
        assert_eq!(
            listing(folder),
            [
                "..2027_01_15_08_00_02.42",
                "..data -> ..2027_01_15_08_00_02.42",
                "b -> ..data/b",
                "c -> ..data/c"
            ]
        );
        assert!(put(folder, &[], 3));
        assert_eq!(
            listing(folder),
            ["..2027_01_15_08_00_03.42", "..data -> ..2027_01_15_08_00_03.42"]
        );
    }

    #[test]
    fn a_reader_never_sees_half_a_change() {
        let scratch = Scratch::new();
        let folder = scratch.path();
        put(folder, &[("a", "0", 0o644), ("b", "0", 0o644)], 0);
        let open = fs::File::open(folder.join("..data")).expect("the version that is shown");
        std::thread::scope(|threads| {
            let reader = threads.spawn(|| {
                let mut seen = 0;
                while seen < 200 {
                    // Both files of one version: the link is followed once.
                    let Ok(version) = fs::canonicalize(folder.join("..data")) else {
                        continue;
                    };
                    let both = ["a", "b"].map(|name| fs::read_to_string(version.join(name)));
                    if let [Ok(a), Ok(b)] = both {
                        assert_eq!(a, b);
                        seen = a.parse().expect("a number");
                    }
                }
            });
            for number in 1..=200 {
                let text = number.to_string();
                put(folder, &[("a", &text, 0o644), ("b", &text, 0o644)], number);
            }
            reader.join().expect("it saw whole versions only");
        });
        drop(open);
    }

    #[test]
    fn a_version_that_cannot_be_owned_is_not_shown() {
        let scratch = Scratch::new();
        let folder = scratch.path();
        put(folder, &[("a", "old", 0o644)], 0);
        let before = listing(folder);
        let failed = write(folder, &payload(&[("a", "new", 0o644)]), at(1), &mut || {
            Err(ErrorKind::PermissionDenied.into())
        });
        assert!(failed.is_err());
        assert_eq!(listing(folder), before);
        assert_eq!(fs::read_to_string(folder.join("a")).expect("a file"), "old");
    }

    #[test]
    fn what_a_crash_left_behind_is_no_hindrance() {
        let scratch = Scratch::new();
        let folder = scratch.path();
        symlink("..nowhere", folder.join(NEXT_DATA)).expect("a link");
        assert!(put(folder, &[("a", "1", 0o644)], 0));
        fs::remove_dir_all(folder.join("..2027_01_15_08_00_00.42")).expect("a folder");
        assert!(put(folder, &[("a", "1", 0o644)], 1), "the link leads nowhere");
        assert_eq!(fs::read_to_string(folder.join("a")).expect("a file"), "1");
    }
}
