//! What the tests share: folders that go away, layers made of any bytes, a look at what was unpacked.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use deploy_image::{Config, Image, Store, StoreError};
use deploy_model::image::{Digest, Reference};
use sha2::{Digest as _, Sha256};

/// Says that a test is skipped where it may not have owners and devices.
#[allow(clippy::print_stdout, reason = "a test that is skipped says so")]
pub fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: {test} needs root");
    }
    root
}

/// A folder that goes away.
pub struct Temp(pub PathBuf);

impl Temp {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("deploy-image-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn sha256(bytes: &[u8]) -> Digest {
    Digest::sha256(&Sha256::digest(bytes).into())
}

pub fn reference(text: &str) -> Reference {
    text.parse().expect("a reference")
}

/// A tar written without the care of a library: any name is possible.
#[derive(Clone, Default)]
pub struct Tar(Vec<u8>);

impl Tar {
    pub fn entry(mut self, kind: u8, name: &str, target: &str, mode: u32, data: &[u8]) -> Self {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        let mut octal = |at: usize, digits: usize, value: u64| {
            let text = format!("{value:0digits$o}");
            header[at..at + digits].copy_from_slice(text.as_bytes());
        };
        octal(100, 7, mode.into());
        octal(108, 7, 1000);
        octal(116, 7, 1001);
        octal(124, 11, data.len() as u64);
        octal(136, 11, 1_000_000_000);
        header[156] = kind;
        header[157..157 + target.len()].copy_from_slice(target.as_bytes());
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        self.0.extend(header);
        self.0.extend(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn file(self, name: &str, data: &[u8]) -> Self {
        self.entry(b'0', name, "", 0o644, data)
    }

    pub fn folder(self, name: &str) -> Self {
        self.entry(b'5', name, "", 0o755, b"")
    }

    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(b'2', name, target, 0o777, b"")
    }

    pub fn link(self, name: &str, target: &str) -> Self {
        self.entry(b'1', name, target, 0o644, b"")
    }

    pub fn attribute(self, name: &str, value: &str) -> Self {
        let body = format!(" SCHILY.xattr.{name}={value}\n");
        let mut length = body.len() + 1;
        while length != format!("{length}{body}").len() {
            length += 1;
        }
        self.entry(b'x', "pax", "", 0o644, format!("{length}{body}").as_bytes())
    }

    pub fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// Everything in a folder: path -> a line on it.
pub fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let data = fs::symlink_metadata(&path).expect("an entry has data");
        let kind = data.file_type();
        let what = if kind.is_dir() {
            "folder".to_owned()
        } else if kind.is_symlink() {
            format!("-> {}", fs::read_link(&path).expect("a link").display())
        } else if kind.is_char_device() || kind.is_block_device() {
            format!("device {}", data.rdev())
        } else if kind.is_fifo() {
            "fifo".to_owned()
        } else {
            let bytes = fs::read(&path).expect("a file");
            format!("{} bytes {}", bytes.len(), &sha256(&bytes).hex()[..8])
        };
        let mut opaque = [0; 1];
        let marked = rustix::fs::lgetxattr(&path, "trusted.overlay.opaque", &mut opaque[..]).is_ok();
        let name = path
            .strip_prefix(root)
            .expect("below the root")
            .as_os_str()
            .as_bytes();
        found.insert(
            String::from_utf8_lossy(name).into_owned(),
            format!(
                "{:o} {}:{} {what} links {} at {}{}",
                data.mode() & 0o7777,
                data.uid(),
                data.gid(),
                if kind.is_dir() { 0 } else { data.nlink() },
                data.mtime(),
                if marked { " opaque" } else { "" }
            ),
        );
        if kind.is_dir() {
            walk(root, &path, found);
        }
    }
}

/// Unpacks a plain tar in a fresh store and gives what came out.
pub fn unpacked(tar: &[u8]) -> Result<BTreeMap<String, String>, StoreError> {
    let temp = Temp::new();
    let store = Store::open(&temp.path("images"))?;
    let layer = store.ingest(None, &sha256(tar), &mut &*tar)?;
    Ok(tree(&layer.folder))
}

/// Puts an image of these plain tars into the store.
pub fn image(store: &Store, name: &str, layers: &[Vec<u8>]) -> std::sync::Arc<Image> {
    let mut diff_ids = Vec::new();
    let mut descriptors = Vec::new();
    for tar in layers {
        let packed = gzip(tar);
        let (digest, diff_id) = (sha256(&packed), sha256(tar));
        store
            .ingest(Some(&digest), &diff_id, &mut &*packed)
            .expect("a lawful layer");
        descriptors.push(format!(r#"{{"digest":"{digest}","size":{}}}"#, packed.len()));
        diff_ids.push(diff_id);
    }
    let config = Config {
        entrypoint: vec![format!("/{name}")],
        ..Config::default()
    }
    .to_json(&diff_ids);
    let manifest = format!(
        r#"{{"config":{{"digest":"{}","size":{}}},"layers":[{}]}}"#,
        sha256(&config),
        config.len(),
        descriptors.join(",")
    );
    let names = [reference(name), reference(name).at(sha256(manifest.as_bytes()))];
    store
        .commit(&names, manifest.as_bytes(), &config)
        .expect("its layers are there")
}

/// No temporary folder and no layer beside those that are expected.
pub fn leftovers(root: &Path) -> Vec<String> {
    let names = |folder: &str| {
        fs::read_dir(root.join(folder))
            .expect("a folder of the store")
            .map(|entry| format!("{folder}/{}", entry.expect("an entry").file_name().display()))
            .collect::<Vec<_>>()
    };
    [names("tmp"), names("layers")].concat()
}
