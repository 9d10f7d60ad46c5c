//! The machine's own system folders and toolchains as a job's root.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use deploy_sandbox::Mount;
use sha2::{Digest, Sha256};

use super::mask::{self, Rules};
use super::{PATH, Root};
use crate::error::JobsError;

/// Programs and libraries.
const SYSTEM: &[&str] = &[
    "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/usr", "/opt", "/nix",
];

/// What programs look for in `/etc`. What not every user may read of it stays hidden.
const ETC: &[&str] = &[
    "adduser.conf",
    "alternatives",
    "apt",
    "bash.bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debconf.conf",
    "debian_version",
    "default",
    "deluser.conf",
    "dpkg",
    "emacs",
    "environment",
    "fonts",
    "gai.conf",
    "gitconfig",
    "group",
    "host.conf",
    "inputrc",
    "issue",
    "java",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "libaudit.conf",
    "locale.alias",
    "locale.conf",
    "locale.gen",
    "localtime",
    "login.defs",
    "lsb-release",
    "magic",
    "magic.mime",
    "maven",
    "mime.types",
    "mke2fs.conf",
    "networks",
    "npmrc",
    "nsswitch.conf",
    "os-release",
    "pam.conf",
    "pam.d",
    "passwd",
    "perl",
    "php",
    "pip.conf",
    "pki",
    "profile",
    "profile.d",
    "protocols",
    "python3",
    "python3.11",
    "python3.12",
    "python3.13",
    "redhat-release",
    "rpc",
    "security",
    "services",
    "shells",
    "skel",
    "ssl",
    "subgid",
    "subuid",
    "terminfo",
    "timezone",
    "vim",
    "wgetrc",
    "xattr.conf",
    "xdg",
];

/// What package tools keep elsewhere: a job may install packages above it.
const STATE: &[&str] = &[
    "/var/lib/dpkg",
    "/var/lib/apt",
    "/var/lib/pam",
    "/var/lib/rpm",
    "/var/lib/python",
];

/// Toolchains below the home folder of who runs Deploy.
const TOOLCHAINS: &[&str] = &[
    ".bun",
    ".cargo",
    ".deno",
    ".local/bin",
    ".nvm",
    ".pyenv",
    ".rbenv",
    ".rustup",
    ".sdkman",
    ".volta",
    "go",
];

/// Not for jobs, although it lies among the above.
const SECRETS: &[&str] = &[".cargo/credentials", ".cargo/credentials.toml"];

/// Settings of toolchains that say where packages come from.
const SETTINGS: &[&str] = &[".npmrc", ".config/pip/pip.conf", ".pip/pip.conf"];

/// Where steps find Deploy itself.
const PROGRAM: &str = "/usr/local/bin/deploy";

/// Empty folders of a job's own.
const MAKE: &[(&str, u32)] = &[
    ("/boot", 0o755),
    ("/dev", 0o755),
    ("/home", 0o755),
    ("/media", 0o755),
    ("/mnt", 0o755),
    ("/proc", 0o555),
    ("/run", 0o755),
    ("/run/lock", 0o1777),
    ("/srv", 0o755),
    ("/sys", 0o555),
    ("/tmp", 0o1777),
    ("/var/cache", 0o755),
    ("/var/cache/apt", 0o755),
    ("/var/cache/apt/archives", 0o755),
    ("/var/cache/apt/archives/partial", 0o700),
    ("/var/cache/debconf", 0o755),
    ("/var/log", 0o755),
    ("/var/log/apt", 0o755),
    ("/var/tmp", 0o1777),
];

/// This machine, as jobs see it.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    home: PathBuf,
    path: String,
    /// What runs us, which jobs find as `deploy`.
    program: PathBuf,
    folder: PathBuf,
}

impl Machine {
    /// With the home folder and the `PATH` of who runs Deploy, and its program.
    pub(crate) fn new(home: &Path, path: &str, program: &Path) -> Machine {
        let usable = home.is_absolute() && home.parent().is_some() && home.is_dir();
        Machine {
            home: if usable { home } else { Path::new("/root") }.to_owned(),
            path: path.to_owned(),
            program: program.to_owned(),
            folder: PathBuf::new(),
        }
    }

    pub(super) fn kept_in(mut self, folder: &Path) -> Machine {
        folder.clone_into(&mut self.folder);
        self
    }

    fn rules(&self) -> Rules {
        let etc = ETC.iter().map(|name| Path::new("/etc").join(name));
        let home = TOOLCHAINS.iter().chain(SETTINGS).map(|name| self.home.join(name));
        let plain = SYSTEM.iter().chain(STATE).map(PathBuf::from);
        let hide = SECRETS.iter().map(|name| self.home.join(name));
        let mut make: BTreeMap<PathBuf, u32> = MAKE
            .iter()
            .map(|(path, mode)| (PathBuf::from(path), *mode))
            .collect();
        // A home folder in one of ours is seen through it.
        make.retain(|path, _| !self.home.starts_with(path));
        Rules {
            keep: plain.chain(etc).chain(home).collect(),
            hide: hide.collect(),
            public: vec![PathBuf::from("/etc")],
            make,
        }
    }

    /// The machine's root beneath its mask. A mask is made once for each look of the machine.
    pub(super) fn root(&self) -> Result<Root, JobsError> {
        let rules = self.rules();
        let mask = rules.mask(&mask::list);
        let hash = hex(&Sha256::digest(mask::text(&mask)));
        let folder = self.folder.join(&hash[..16]);
        if !folder.is_dir() {
            let made = self.write(&mask, &folder);
            made.map_err(JobsError::files("make", &folder))?;
        }
        let environment = [
            ("PATH".to_owned(), self.path(&rules)),
            ("HOME".to_owned(), self.home.display().to_string()),
        ];
        Ok(Root {
            lower: vec![folder, PathBuf::from("/")],
            mounts: self.elsewhere(&rules).chain([self.own()]).collect(),
            environment: environment.into(),
            _hold: None,
        })
    }

    fn write(&self, mask: &mask::Mask, folder: &Path) -> io::Result<()> {
        let half = folder.with_extension(format!("{}.half", std::process::id()));
        let _ = fs::remove_dir_all(&half);
        mask::write(mask, &half)?;
        match fs::rename(&half, folder) {
            // Somebody else was faster with the same one.
            Err(_) if folder.is_dir() => fs::remove_dir_all(&half),
            other => other,
        }
    }

    /// What is kept and lies on another file system, which the overlay does not reach: seen, and not to be written.
    fn elsewhere(&self, rules: &Rules) -> impl Iterator<Item = Mount> + use<> {
        let device = |path: &Path| {
            fs::symlink_metadata(path)
                .ok()
                .filter(|m| m.is_dir())
                .map(|m| m.dev())
        };
        let own = device(Path::new("/"));
        let mut others = rules.keep.clone();
        others.retain(|path| device(path).is_some_and(|one| Some(one) != own));
        others.into_iter().map(|path| Mount::bind(&path, &path, true))
    }

    /// The `deploy` of steps is the one that runs them: `deploy helm lint` judges as the server does.
    fn own(&self) -> Mount {
        Mount::bind(&self.program, Path::new(PROGRAM), true)
    }

    /// The machine's `PATH` without the folders that a job does not see.
    fn path(&self, rules: &Rules) -> String {
        let seen = |folder: &&str| rules.keep.iter().any(|kept| Path::new(folder).starts_with(kept));
        let mut folders: Vec<&str> = Vec::new();
        for folder in self.path.split(':').filter(seen).chain(PATH.split(':')) {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        folders.join(":")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_has_what_a_job_sees() {
        let machine = Machine::new(
            Path::new("/"),
            "/root/.cargo/bin:/work/bin:/usr/bin:/root/secret",
            Path::new("/bin/true"),
        );
        let path = machine.path(&machine.rules());
        assert!(
            path.starts_with("/root/.cargo/bin:/usr/bin:/usr/local/sbin:"),
            "{path}"
        );
        assert!(!path.contains("work") && !path.contains("secret"), "{path}");
    }

    #[test]
    fn a_home_below_a_folder_of_ours_is_seen() {
        let home = std::env::temp_dir();
        let machine = Machine::new(&home, "", Path::new("/bin/true"));
        assert!(!machine.rules().make.contains_key(&home));
    }
}
