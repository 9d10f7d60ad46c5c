//! A folder, a server on the loopback and a client with its own configuration.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deploy_git::{
    Access, Authenticator, Git, Identity, Pushes, Repositories, RepositoryName, Server, ServerOptions,
};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A folder that goes with its test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("git-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The program; without it, the test says that it is skipped.
pub fn git() -> Option<Git> {
    match Git::find() {
        Ok(git) => Some(git),
        Err(error) => {
            // One line, whatever the test's output is done with.
            writeln!(std::io::stderr(), "skipped: {error}").ok();
            None
        }
    }
}

/// Runs a test's future; one that waits for what never comes fails.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let limited = async { tokio::time::timeout(Duration::from_secs(180), future).await };
    runtime.block_on(limited).expect("within three minutes")
}

/// `ann` may all, `bob` may read, `eve` nothing.
struct People;

impl Authenticator for People {
    fn identify(&self, token: Option<&str>) -> Option<Identity> {
        let name = match token {
            None => "anonymous",
            Some("token-of-ann") => "ann",
            Some("token-of-bob") => "bob",
            Some("token-of-eve") => "eve",
            Some(_) => return None,
        };
        // Git asks for a password only when it is refused.
        (name != "anonymous").then(|| Identity {
            name: name.to_owned(),
        })
    }

    fn may(&self, who: &Identity, access: Access, _: &RepositoryName) -> bool {
        match who.name.as_str() {
            "ann" => true,
            "bob" => access == Access::Read,
            _ => false,
        }
    }
}

/// Everything that a test needs.
pub struct Place {
    pub folder: Folder,
    pub repositories: Repositories,
    pub pushes: Pushes,
    pub server: Server,
    pub address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Place {
    pub async fn new(git: Git, options: ServerOptions) -> Place {
        let folder = Folder::new();
        let (repositories, pushes) = Repositories::open(&folder.join("git"), git).unwrap();
        let server = Server::new(repositories.clone(), Arc::new(People), options);
        let (address, accepting) = listen(server.clone()).await;
        Place {
            folder,
            repositories,
            pushes,
            server,
            address,
            accepting,
        }
    }

    /// A URL with a user's token.
    pub fn url(&self, user: &str, name: &str) -> String {
        format!("http://{user}:token-of-{user}@{}/git/{name}.git", self.address)
    }

    /// The client in a folder below ours; it must go well.
    pub async fn git(&self, folder: &str, arguments: &[&str]) -> String {
        let output = self.try_git(folder, arguments).await;
        assert!(output.status.success(), "git {arguments:?}: {}", both(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The client in a folder below ours; what it says must have this.
    pub async fn refused(&self, folder: &str, arguments: &[&str], said: &str) {
        let output = self.try_git(folder, arguments).await;
        let text = both(&output);
        assert!(!output.status.success(), "git {arguments:?} went well: {text}");
        assert!(
            text.contains(said),
            "git {arguments:?} does not say {said:?}: {text}"
        );
    }

    pub async fn try_git(&self, folder: &str, arguments: &[&str]) -> Output {
        let folder = self.folder.join(folder);
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        tokio::task::spawn_blocking(move || client(&folder, &arguments))
            .await
            .unwrap()
    }

    /// A repository of a client with these files and one commit on `main`.
    pub async fn work(&self, folder: &str, files: &[(&str, &str)]) {
        fs::create_dir_all(self.folder.join(folder)).unwrap();
        self.git(folder, &["init", "--quiet", "--initial-branch=main"])
            .await;
        self.commit(folder, files, "first").await;
    }

    pub async fn commit(&self, folder: &str, files: &[(&str, &str)], message: &str) -> String {
        write(&self.folder.join(folder), files);
        self.git(folder, &["add", "--all"]).await;
        self.git(folder, &["commit", "--quiet", "--allow-empty", "-m", message])
            .await;
        self.git(folder, &["rev-parse", "HEAD"]).await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

pub fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

pub fn client(folder: &Path, arguments: &[String]) -> Output {
    Command::new("git")
        .args([
            "-c",
            "user.name=Ann",
            "-c",
            "user.email=ann@example.com",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(["-c", "protocol.file.allow=always", "-c", "commit.gpgSign=false"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .env_remove("GIT_DIR")
        .output()
        .unwrap()
}

fn both(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

async fn listen(server: Server) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let server = server.clone();
            connections.spawn(async move {
                let service = service_fn(|request| {
                    let server = server.clone();
                    async move { Ok::<_, Infallible>(server.handle("/git", request).await) }
                });
                let builder = auto::Builder::new(TokioExecutor::new());
                drop(builder.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    (address, accepting)
}

/// What lies in a folder, `.git` left out: path to content, or where a link points.
pub fn content(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut queue = vec![root.to_owned()];
    while let Some(folder) = queue.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            let metadata = fs::symlink_metadata(&path).unwrap();
            if name == ".git" {
                continue;
            } else if metadata.is_dir() {
                queue.push(path);
            } else if metadata.is_symlink() {
                found.insert(name, format!("-> {}", fs::read_link(&path).unwrap().display()));
            } else {
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}
