//! A server process of a test: started, waited for, stopped, checked.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// What a stop may take on a loaded machine; an idle one takes milliseconds.
const STOP: Duration = Duration::from_secs(10);

/// A `deploy run cluster` with a data folder of its own.
pub struct Server {
    /// Holds the data folder and the kubeconfig.
    pub folder: PathBuf,
    /// `None` once it was waited for.
    child: Option<Child>,
    talk: Option<JoinHandle<String>>,
}

/// `deploy` without anything of the tester's own settings.
pub fn deploy(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deploy"));
    command
        .env_clear()
        .env("HOME", folder)
        .env("DEPLOY_DATA_DIR", folder.join("data"));
    command
}

impl Server {
    /// Starts one in an empty folder below `target/` and waits until it is ready.
    pub fn start(name: &str) -> Server {
        Server::start_in(&crate::fresh_folder(&format!("cluster-{name}")), &[])
    }

    /// Starts one without a node over what is in the folder, and waits until it says that it is ready.
    pub fn start_in(folder: &Path, arguments: &[&str]) -> Server {
        match arguments.contains(&"--api-only") {
            true => Server::start_with_node(folder, arguments),
            false => Server::start_with_node(folder, &[arguments, &["--api-only"]].concat()),
        }
    }

    /// Starts one with a node, unless the arguments say otherwise.
    pub fn start_with_node(folder: &Path, arguments: &[&str]) -> Server {
        let mut child = deploy(folder)
            .args(["run", "cluster", "--listen", "127.0.0.1:0", "--kubeconfig-out"])
            .arg(folder.join("kubeconfig"))
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut first = String::new();
        lines.read_line(&mut first).expect("a pipe can be read");
        if !first.starts_with("Kubernetes is ready at https://") {
            let _ = lines.read_to_string(&mut first);
            panic!("the server did not start: {first}");
        }
        // Somebody has to read on, or the server would wait for its reader.
        let talk = std::thread::spawn(move || {
            let _ = lines.read_to_string(&mut first);
            first
        });
        Server {
            folder: folder.to_owned(),
            child: Some(child),
            talk: Some(talk),
        }
    }

    /// The administrator's.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Ends it as a service manager does: it must end well, and soon. What it said, and how long it took.
    pub fn stop(mut self) -> (String, Duration) {
        let asked = Instant::now();
        let status = self.end(Some(Signal::TERM));
        let took = asked.elapsed();
        let talk = self.ended_well(status);
        assert!(took < STOP, "stopping took {took:?}: {talk}");
        (talk, took)
    }

    /// Somebody else ended it: it must have ended well.
    pub fn ended(mut self) {
        let status = self.end(None);
        self.ended_well(status);
    }

    fn ended_well(&mut self, status: ExitStatus) -> String {
        let talk = self.talk.take().expect("it is taken once");
        let talk = talk.join().expect("a reader does not panic");
        assert_eq!(status.code(), Some(0), "{talk}");
        assert!(!talk.contains("panicked"), "{talk}");
        talk
    }

    /// Ends it as a power cut does, but for the disk.
    pub fn kill(mut self) {
        self.end(Some(Signal::KILL));
    }

    fn end(&mut self, signal: Option<Signal>) -> ExitStatus {
        let mut child = self.child.take().expect("it is ended once");
        if let Some(signal) = signal {
            kill_process(Pid::from_child(&child), signal).expect("it has not been waited for");
        }
        child.wait().expect("it is a child of ours")
    }
}

impl Drop for Server {
    /// A test that fails leaves no server behind.
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
