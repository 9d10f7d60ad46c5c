//! Bad input ends in an error that says where and what to do, within bounded time and memory: never in a panic, never
//! in half an output.

mod charts;
mod kustomizations;
mod mutations;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use deploy_cli::{Invocation, STACK_BYTES, Terminal};
use deploy_model::Exit;

/// How long one command may take, in a debug build on a busy machine. What runs without end runs into it.
const DEADLINE: Duration = Duration::from_secs(120);

/// How much more memory this process may have held at once, after all the cases of a table.
const MEMORY_KIB: u64 = 1_500 * 1024;

/// One bad tree.
struct Case {
    name: &'static str,
    /// Path and content of each file.
    files: Vec<(String, Vec<u8>)>,
    /// What no list of files can say: links, very large files, folders.
    more: fn(&Path),
    /// Arguments behind those of the command.
    args: Vec<String>,
    /// What stderr has to name: the file, its line, the cause.
    says: Vec<String>,
    /// The commands and languages it is run with.
    runs: Vec<(Vec<&'static str>, Lang)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lang {
    En,
    Zh,
}

impl Case {
    fn new(name: &'static str, runs: &[&[&'static str]]) -> Case {
        Case {
            name,
            files: Vec::new(),
            more: |_| {},
            args: Vec::new(),
            says: Vec::new(),
            runs: [Lang::En, Lang::Zh]
                .into_iter()
                .flat_map(|lang| runs.iter().map(move |args| (args.to_vec(), lang)))
                .collect(),
        }
    }

    fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Case {
        self.files.retain(|(other, _)| other != path);
        self.files.push((path.to_owned(), content.into()));
        self
    }

    fn more(mut self, more: fn(&Path)) -> Case {
        self.more = more;
        self
    }

    /// Arguments that only the first of the commands knows.
    fn args(mut self, args: &[&str]) -> Case {
        let first = self.runs[0].0.clone();
        self.runs.retain(|(command, _)| *command == first);
        self.args = args.iter().map(|&arg| arg.to_owned()).collect();
        self
    }

    /// Once instead of once for each command and language: the time goes into the case, not into its words.
    fn once(mut self) -> Case {
        self.runs.truncate(1);
        self
    }

    fn says(mut self, texts: &[&str]) -> Case {
        self.says.extend(texts.iter().map(|&text| text.to_owned()));
        self
    }

    fn write(&self, folder: &Path) {
        for (path, content) in &self.files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("it is below the folder")).expect("a folder");
            fs::write(path, content).expect("a file");
        }
        (self.more)(folder);
    }

    /// Why the case does not end as it should; empty if it does.
    fn faults(&self) -> Vec<String> {
        let temporary = Temporary::new();
        self.write(&temporary.0);
        let mut faults = Vec::new();
        for (command, lang) in &self.runs {
            let mut args: Vec<String> = command.iter().map(|&arg| arg.to_owned()).collect();
            args.extend(self.args.clone());
            let label = format!("{} ({})", self.name, args.join(" "));
            let label: String = label.chars().take(200).collect();
            match run(&temporary.0, &args, *lang) {
                Err(fault) => faults.push(format!("{label}: {fault}")),
                Ok(ended) => {
                    faults.extend(self.wrong(&ended, *lang).map(|fault| format!("{label}: {fault}")))
                }
            }
        }
        faults
    }

    fn wrong(&self, ended: &Ended, lang: Lang) -> Option<String> {
        if ended.exit == Exit::Done {
            return Some(format!("it passed with {} bytes", ended.out.len()));
        }
        if let Some(fault) = broken_contract(ended, lang) {
            return Some(fault);
        }
        let lacks = self.says.iter().find(|text| !ended.err.contains(text.as_str()))?;
        Some(format!("stderr lacks {lacks:?}:\n{}", shortened(&ended.err)))
    }
}

/// Runs all cases and reports all that is wrong with them at once.
fn check(cases: &[Case]) {
    let before = peak_memory_kib();
    let only = std::env::var("HOSTILE_CASE").unwrap_or_default();
    let faults: Vec<String> = cases
        .iter()
        .filter(|case| case.name.contains(&only))
        .flat_map(Case::faults)
        .collect();
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
    if let (Some(before), Some(after)) = (before, peak_memory_kib()) {
        assert!(
            after - before < MEMORY_KIB,
            "the cases took {} KiB of memory",
            after - before
        );
    }
}

/// How a command ended.
struct Ended {
    exit: Exit,
    out: Vec<u8>,
    err: String,
}

/// Runs one command in a thread like that of the program. The error is a panic, or that it does not end.
fn run(cwd: &Path, args: &[String], lang: Lang) -> Result<Ended, String> {
    let language = match lang {
        Lang::En => "en",
        Lang::Zh => "zh",
    };
    let invocation = Invocation {
        args: args.iter().map(Into::into).collect(),
        cwd: cwd.to_owned(),
        env: BTreeMap::from([("DEPLOY_LANG".to_owned(), language.to_owned())]),
        terminal: Terminal::default(),
        stdin: Box::new(std::io::empty()),
    };
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let exit = catch_unwind(AssertUnwindSafe(|| {
                deploy_cli::run(invocation, &mut out, &mut err)
            }));
            let ended = exit.map(|exit| Ended {
                exit,
                out,
                err: String::from_utf8_lossy(&err).into_owned(),
            });
            // Nobody waits any more after the deadline.
            sender.send(ended.map_err(|_| "it panicked".to_owned())).ok();
        })
        .expect("a thread");
    receiver
        .recv_timeout(DEADLINE)
        .unwrap_or_else(|_| Err(format!("it runs for more than {DEADLINE:?}")))
}

/// What holds for whatever input: all of the output and success, or nothing of it and an error with code and hint.
fn broken_contract(ended: &Ended, lang: Lang) -> Option<String> {
    if ended.exit == Exit::Done {
        return None;
    }
    if !ended.out.is_empty() {
        return Some(format!(
            "exit {:?}, but {} bytes on stdout",
            ended.exit,
            ended.out.len()
        ));
    }
    let (code, hint) = match lang {
        Lang::En => ("error[DEP-", "\n  hint: "),
        Lang::Zh => ("错误[DEP-", "\n  建议："),
    };
    let lacks = [code, hint].into_iter().find(|text| !ended.err.contains(text))?;
    Some(format!("stderr lacks {lacks:?}:\n{}", shortened(&ended.err)))
}

fn shortened(text: &str) -> String {
    const SHOWN: usize = 1_500;
    if text.len() <= SHOWN {
        return text.to_owned();
    }
    let shown: String = text.chars().take(SHOWN).collect();
    format!("{shown} ... ({} bytes)", text.len())
}

/// The most memory that this process has held at once; only Linux tells.
fn peak_memory_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// A folder of its own, gone at the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Temporary {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("deploy-hostile-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Temporary(fs::canonicalize(path).expect("it is there"))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// A file of that size without content on the disk: zeros.
fn large_file(path: &Path, size_bytes: u64) {
    let file = fs::File::create(path).expect("a file");
    file.set_len(size_bytes).expect("a sparse file");
}

/// Ten to the power of nine, in a few lines of YAML.
fn alias_bomb() -> String {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    bomb
}
