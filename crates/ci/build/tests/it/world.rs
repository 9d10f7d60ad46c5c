//! A folder with an image store, a builder and a base image of busybox; it leaves nothing behind.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use deploy_build::{BuildError, Built, Event, Parts, Request};
use deploy_image::{Config, Contents, Pack, Store, write_archive};
use deploy_registry_client::{Client, Options};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const BUSYBOX: &str = "/bin/busybox";

/// Runs a test as root; prints that it was skipped otherwise.
pub fn run(name: &str, test: impl FnOnce(&World)) {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: {name} needs root");
        return;
    }
    if !Path::new(BUSYBOX).exists() {
        println!("skipped: {name} needs {BUSYBOX} (Debian's busybox-static)");
        return;
    }
    let world = World::new(name);
    test(&world);
    let left = world.root.clone();
    drop(world);
    assert!(!left.exists(), "{} is left behind", left.display());
    for hierarchy in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        for group in fs::read_dir(hierarchy.path()).into_iter().flatten().flatten() {
            let name = group.file_name().to_string_lossy().into_owned();
            let marker = left.file_name().unwrap().to_string_lossy().into_owned();
            assert!(!name.contains(&marker), "{name} is left behind");
        }
    }
}

pub struct World {
    pub root: PathBuf,
    pub store: Arc<Store>,
    pub cancel: CancellationToken,
    runtime: Runtime,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// What a build has said.
#[derive(Debug, Default)]
pub struct Heard {
    pub lines: Vec<String>,
    pub carried: Vec<String>,
    pub cached: Vec<String>,
}

impl World {
    fn new(name: &str) -> World {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("deploy-build-{}-{number}-{name}", std::process::id()));
        fs::create_dir_all(root.join("context")).unwrap();
        let store = Arc::new(Store::open(&root.join("images")).unwrap());
        let world = World {
            root,
            store,
            cancel: CancellationToken::new(),
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap(),
        };
        world.base();
        world
    }

    /// `busybox:1`: every applet, a user, a link to a folder.
    fn base(&self) {
        let layer = self.root.join("base");
        for folder in ["bin", "etc", "tmp", "root", "var", "run"] {
            fs::create_dir_all(layer.join(folder)).unwrap();
        }
        fs::copy(BUSYBOX, layer.join("bin/busybox")).unwrap();
        let list = Command::new(BUSYBOX).arg("--list").output().unwrap();
        for applet in String::from_utf8(list.stdout).unwrap().lines() {
            if applet != "busybox" {
                symlink("busybox", layer.join("bin").join(applet)).unwrap();
            }
        }
        symlink("../run", layer.join("var/run")).unwrap();
        fs::write(
            layer.join("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n",
        )
        .unwrap();
        fs::write(layer.join("etc/group"), "root:x:0:\napp:x:1001:\n").unwrap();
        fs::set_permissions(layer.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        let archive = self.root.join("base.tar");
        let contents = Contents {
            reference: &"busybox:1".parse().unwrap(),
            config: &Config {
                env: vec!["PATH=/bin".to_owned(), "BASE=yes".to_owned()],
                cmd: vec!["sh".to_owned()],
                ..Config::default()
            },
            layers: std::slice::from_ref(&layer),
            pack: Pack {
                root_owned: true,
                mtime_s: Some(1),
            },
        };
        write_archive(&archive, &contents).unwrap();
        self.store
            .load_archive(&mut fs::File::open(&archive).unwrap(), None)
            .unwrap();
    }

    pub fn parts(&self) -> Parts {
        Parts {
            store: Arc::clone(&self.store),
            folder: self.root.join("build"),
            program: env!("CARGO_BIN_EXE_deploy-build-shim").into(),
            client: Client::new(Options::default()),
            keyring: Arc::new(|_| None),
            runtime: self.runtime.handle().clone(),
            cancel: self.cancel.clone(),
        }
    }

    /// Writes a file of the context.
    pub fn file(&self, name: &str, content: &str) {
        let path = self.root.join("context").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn request(&self, dockerfile: &str) -> Request {
        let path = self.root.join("Dockerfile");
        fs::write(&path, dockerfile).unwrap();
        let mut request = Request::new(self.root.join("context"));
        request.dockerfile = path;
        request.tags = vec!["it:1".parse().unwrap()];
        request.source_date_epoch_s = Some(1_700_000_000);
        request
    }

    pub fn build(&self, request: &Request) -> (Result<Built, BuildError>, Heard) {
        let mut heard = Heard::default();
        let mut progress = |event: Event| match event {
            Event::Output { line, .. } => heard.lines.push(line),
            Event::Step {
                text, cached: true, ..
            } => heard.cached.push(text),
            Event::Step { text, .. } => heard.carried.push(text),
            _ => {}
        };
        let built = deploy_build::build(request, &self.parts(), &mut progress);
        (built, heard)
    }

    /// Builds a text.
    pub fn built(&self, dockerfile: &str) -> (Built, Heard) {
        let (built, heard) = self.build(&self.request(dockerfile));
        (
            built.unwrap_or_else(|error| panic!("{error:?}\n{}", heard.lines.join("\n"))),
            heard,
        )
    }

    /// The lines of an image's own tree, the topmost layers first: path, and content for files.
    pub fn layers(&self) -> Vec<BTreeMap<String, String>> {
        let image = self.store.find("it:1").unwrap();
        let own = image.layers.len() - 1;
        image.layers[..own].iter().map(|layer| tree(layer)).collect()
    }

    pub fn config(&self) -> serde_json::Value {
        let image = self.store.find("it:1").unwrap();
        serde_json::from_slice(&self.store.documents(&image).unwrap().1).unwrap()
    }
}

/// All entries below a folder with kind, permissions, owner and content.
pub fn tree(folder: &Path) -> BTreeMap<String, String> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
        use std::os::unix::fs::MetadataExt;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let data = fs::symlink_metadata(&path).unwrap();
            let what = if data.is_dir() {
                "/".to_owned()
            } else if data.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else if data.is_file() {
                String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
            } else {
                format!("device {}", data.rdev())
            };
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let line = format!("{:o} {}:{} {what}", data.mode() & 0o7777, data.uid(), data.gid());
            found.insert(name, line);
            if data.is_dir() {
                walk(root, &path, found);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}
