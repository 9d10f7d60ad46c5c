//! What of the machine's files a job does not see: a layer of whiteouts above the machine's own root.
//!
//! overlayfs takes folders of one file system and passes no mount, so the machine's root itself is the lowest layer and
//! all that a job shall not see is covered, name by name. A name that appears on the machine later, outside of what is
//! shown, is covered for the next job.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, XattrFlags, makedev, mknodat, setxattr};

/// Which of the machine's files a job sees.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    /// Shown with all that is below.
    pub(super) keep: Vec<PathBuf>,
    /// Not shown, although above it is kept.
    pub(super) hide: Vec<PathBuf>,
    /// Below these, only what every user of the machine may read.
    pub(super) public: Vec<PathBuf>,
    /// Empty folders with these permissions, in the order of their paths.
    pub(super) make: BTreeMap<PathBuf, u32>,
}

/// One name of the layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cover {
    /// The machine's name is not there.
    Whiteout,
    /// A folder: what the machine has below is seen through it, but for what covers it.
    Through(u32),
    /// A folder of which the machine's content is not seen.
    Empty(u32),
}

/// The names of the layer with their covers, in the order of their paths.
pub(super) type Mask = BTreeMap<PathBuf, Cover>;

/// What a folder holds.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) name: OsString,
    pub(super) folder: bool,
    pub(super) link: bool,
    pub(super) mode: u32,
}

impl Rules {
    /// The layer for a machine whose folders `list` reads. A folder that cannot be read is covered as an empty one.
    pub(super) fn mask(&self, list: &dyn Fn(&Path) -> Vec<Name>) -> Mask {
        let mut mask = Mask::new();
        self.walk(Path::new("/"), false, list, &mut mask);
        for (path, mode) in &self.make {
            mask.insert(path.clone(), Cover::Empty(*mode));
        }
        mask
    }

    fn walk(&self, folder: &Path, shown: bool, list: &dyn Fn(&Path) -> Vec<Name>, mask: &mut Mask) {
        for one in list(folder) {
            let path = folder.join(&one.name);
            if self.make.contains_key(&path) {
                continue;
            }
            let keep = shown || self.keep.contains(&path);
            let public = self.public.iter().any(|above| path.starts_with(above));
            if self.hide.contains(&path) || (keep && public && !readable(&one)) {
                mask.insert(path, Cover::Whiteout);
            } else if one.folder && !one.link && (public && keep || self.above(&path, keep)) {
                let before = mask.len();
                self.walk(&path, keep, list, mask);
                if mask.len() > before || self.make.keys().any(|made| made.starts_with(&path)) {
                    mask.insert(path, Cover::Through(one.mode & 0o7777));
                }
            } else if !keep {
                mask.insert(path, Cover::Whiteout);
            }
        }
    }

    /// Whether something below is treated otherwise than the folder itself.
    fn above(&self, path: &Path, keep: bool) -> bool {
        let below = |list: &[PathBuf]| list.iter().any(|one| one.starts_with(path) && one != path);
        below(&self.hide) && keep
            || below(&self.keep) && !keep
            || self.make.keys().any(|made| made.starts_with(path))
    }
}

/// Whether every user may read it; links are what they lead to.
fn readable(one: &Name) -> bool {
    let wanted = if one.folder { 0o005 } else { 0o004 };
    one.link || one.mode & wanted == wanted
}

/// The names in a folder of this machine.
pub(super) fn list(folder: &Path) -> Vec<Name> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<Name> = entries
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some(Name {
                name: entry.file_name(),
                folder: metadata.is_dir(),
                link: metadata.is_symlink(),
                mode: metadata.mode(),
            })
        })
        .collect();
    names.sort_by(|one, other| one.name.cmp(&other.name));
    names
}

/// A text that differs where masks do.
pub(super) fn text(mask: &Mask) -> String {
    let line = |(path, cover): (&PathBuf, &Cover)| format!("{}\0{cover:?}\n", path.display());
    mask.iter().map(line).collect()
}

/// Makes the layer in a folder that does not exist yet.
pub(super) fn write(mask: &Mask, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (path, cover) in mask {
        let below = path.strip_prefix("/").unwrap_or(path);
        let at = folder.join(below);
        if let Some(parent) = at.parent() {
            fs::create_dir_all(parent)?;
        }
        match cover {
            Cover::Whiteout => mknodat(CWD, &at, FileType::CharacterDevice, Mode::empty(), makedev(0, 0))?,
            Cover::Through(mode) => made(&at, *mode)?,
            Cover::Empty(mode) => {
                made(&at, *mode)?;
                setxattr(&at, deploy_image::OPAQUE_ATTRIBUTE, b"y", XattrFlags::empty())?;
            }
        }
    }
    Ok(())
}

fn made(at: &Path, mode: u32) -> io::Result<()> {
    fs::create_dir_all(at)?;
    fs::set_permissions(at, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine from lines `path mode`; a path that ends in `/` is a folder, one in `@` a link.
    fn machine(lines: &'static [(&'static str, u32)]) -> impl Fn(&Path) -> Vec<Name> {
        move |folder| {
            let below = lines.iter().filter_map(|(path, mode)| {
                let path = Path::new(path.trim_end_matches(['/', '@']));
                (path.parent() == Some(folder)).then(|| (path.file_name().unwrap().to_owned(), *mode))
            });
            below
                .map(|(name, mode)| {
                    let full = folder.join(&name);
                    let text = full.to_str().unwrap();
                    let is = |end: &str| lines.iter().any(|(path, _)| *path == format!("{text}{end}"));
                    Name {
                        name,
                        folder: is("/"),
                        link: is("@"),
                        mode,
                    }
                })
                .collect()
        }
    }

    fn paths(list: &[&str]) -> Vec<PathBuf> {
        list.iter().map(PathBuf::from).collect()
    }

    const MACHINE: &[(&str, u32)] = &[
        ("/bin@", 0o777),
        ("/usr/", 0o755),
        ("/usr/secret", 0o600),
        ("/etc/", 0o755),
        ("/etc/hosts", 0o644),
        ("/etc/shadow", 0o640),
        ("/etc/ssl/", 0o755),
        ("/etc/ssl/certs/", 0o755),
        ("/etc/ssl/private/", 0o710),
        ("/root/", 0o700),
        ("/root/.cargo/", 0o755),
        ("/root/.cargo/bin/", 0o755),
        ("/root/.cargo/credentials.toml", 0o600),
        ("/root/.ssh/", 0o700),
        ("/tmp/", 0o1777),
        ("/var/", 0o755),
        ("/var/lib/", 0o755),
        ("/var/lib/dpkg/", 0o755),
        ("/var/lib/deploy/", 0o700),
        ("/work/", 0o755),
    ];

    #[test]
    fn what_is_not_kept_is_covered() {
        let rules = Rules {
            keep: paths(&[
                "/bin",
                "/usr",
                "/etc/hosts",
                "/etc/ssl",
                "/root/.cargo",
                "/var/lib/dpkg",
            ]),
            hide: paths(&["/root/.cargo/credentials.toml"]),
            public: paths(&["/etc"]),
            make: [("/tmp".into(), 0o1777), ("/home".into(), 0o755)].into(),
        };
        let mask = rules.mask(&machine(MACHINE));
        let said: Vec<String> = mask
            .iter()
            .map(|(path, cover)| format!("{} {cover:?}", path.display()))
            .collect();
        assert_eq!(
            said,
            [
                "/etc Through(493)",
                "/etc/shadow Whiteout",
                "/etc/ssl Through(493)",
                "/etc/ssl/private Whiteout",
                "/home Empty(493)",
                "/root Through(448)",
                "/root/.cargo Through(493)",
                "/root/.cargo/credentials.toml Whiteout",
                "/root/.ssh Whiteout",
                "/tmp Empty(1023)",
                "/var Through(493)",
                "/var/lib Through(493)",
                "/var/lib/deploy Whiteout",
                "/work Whiteout",
            ]
        );
    }

    #[test]
    fn a_new_secret_changes_the_text() {
        let rules = Rules::default();
        let one = rules.mask(&machine(&[("/a", 0o644)]));
        let two = rules.mask(&machine(&[("/a", 0o644), ("/b", 0o644)]));
        assert_ne!(text(&one), text(&two));
    }
}
