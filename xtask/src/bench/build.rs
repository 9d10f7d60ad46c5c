//! The builder beside buildah, in turn and in one run, both pushing to the same registry: nothing changed, and one file.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::Line;
use super::measure::{self, Figures, Run};
use crate::peers::compare;
use crate::repository;

/// A small server of three files, as people write it: packages, sources, a step that makes something of them.
const DOCKERFILE: &str = "FROM bench-base:1 AS make
WORKDIR /src
COPY package.json ./
RUN mkdir -p /out/lib && for i in 1 2 3 4 5 6 7 8 9; do cp /bin/busybox /out/lib/$i; done
COPY src ./src
RUN cat src/*.txt > /out/all

FROM bench-base:1
WORKDIR /app
COPY --from=make /out ./
COPY src ./src
ENV PORT=8080
USER 1000
ENTRYPOINT [\"/bin/sh\"]
";

/// The base: one static program with all its names.
const BASE: &str = "FROM scratch
COPY busybox /bin/busybox
RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]
";

const BUSYBOX: &str = "/bin/busybox";

/// The figures of both; without buildah ours alone.
pub fn run(short: bool) -> Result<Vec<Line>, String> {
    if !rustix::process::geteuid().is_root() || !Path::new(BUSYBOX).exists() {
        println!("bench build: skipped, it needs root and {BUSYBOX} (apt-get install busybox-static)");
        return Ok(Vec::new());
    }
    let rounds = if short { 3 } else { 7 };
    // A program that is built already can be named, so that its build does not disturb others.
    let program = match std::env::var_os("DEPLOY_PROGRAM") {
        Some(program) => PathBuf::from(program),
        None => compare::build()?,
    };
    let place = Place::new(program)?;
    let registry = place.registry()?;
    place.base()?;
    let peer = place.peer_base()?;
    let ours = place.ours(&registry.address);
    let theirs = place.theirs(&registry.address);
    let mut lines = Vec::new();
    for (what, before) in [
        ("build: nothing changed, pushed", "true"),
        ("build: one file changed, pushed", "date +%N > context/src/b.txt"),
    ] {
        let in_shell = |command: &str| Run {
            program: "/bin/sh".into(),
            args: vec!["-ec".to_owned(), format!("{before}; {command}")],
            folder: place.folder.clone(),
        };
        let (mine, theirs) = if peer {
            let (mine, theirs) = measure::paired(&in_shell(&ours), &in_shell(&theirs), rounds)?;
            (mine, Some(theirs))
        } else {
            let twice = in_shell(&ours);
            (measure::paired(&twice, &twice, rounds)?.0, None)
        };
        lines.push(line(what, mine, theirs, before == "true"));
    }
    Ok(lines)
}

fn line(what: &str, ours: Figures, peer: Option<Figures>, unchanged: bool) -> Line {
    let seconds = ours.wall.as_secs_f64();
    let ratio = peer.map(|peer| peer.wall.as_secs_f64() / seconds);
    let shown = ratio.map_or_else(String::new, |ratio| format!("{ratio:.1}x"));
    Line {
        what: what.to_owned(),
        ours: ours.show(),
        peer: peer.map_or_else(|| "buildah is not installed".to_owned(), |peer| peer.show()),
        figure: if unchanged {
            format!("{seconds:.2} s, {shown}")
        } else {
            shown
        },
        target: if unchanged { "0.5 s" } else { "2x" },
        met: if unchanged {
            Some(seconds <= 0.5)
        } else {
            ratio.map(|ratio| ratio >= 2.0)
        },
    }
}

struct Place {
    program: PathBuf,
    folder: PathBuf,
}

struct Registry {
    child: Child,
    address: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Place {
    fn new(program: PathBuf) -> Result<Self, String> {
        let folder = repository::root().join("target/bench/build");
        fs::remove_dir_all(&folder).ok();
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(folder.join("context/src")).map_err(failed)?;
        fs::create_dir_all(folder.join("base")).map_err(failed)?;
        fs::write(folder.join("context/Dockerfile"), DOCKERFILE).map_err(failed)?;
        fs::write(folder.join("context/package.json"), "{}\n").map_err(failed)?;
        for name in ["a", "b", "c"] {
            let text = format!("{name}\n").repeat(10_000);
            fs::write(folder.join(format!("context/src/{name}.txt")), text).map_err(failed)?;
        }
        fs::write(folder.join("base/Dockerfile"), BASE).map_err(failed)?;
        fs::copy(BUSYBOX, folder.join("base/busybox")).map_err(failed)?;
        Ok(Self { program, folder })
    }

    /// Our registry, for both: what is measured is the builder.
    fn registry(&self) -> Result<Registry, String> {
        let mut child = Command::new(&self.program)
            .args(["run", "registry", "--listen", "127.0.0.1:0", "--lang", "en"])
            .args(["--data-dir", "registry-data"])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", self.program.display()))?;
        let errors = child.stderr.take().ok_or("the registry has no standard error")?;
        let mut said = String::new();
        for text in BufReader::new(errors).lines().map_while(Result::ok) {
            if let Some((_, rest)) = text.split_once("127.0.0.1:") {
                let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                let address = format!("127.0.0.1:{port}");
                return Ok(Registry { child, address });
            }
            said.push_str(&text);
        }
        let _ = child.kill();
        Err(format!("the registry does not start: {said}"))
    }

    fn ours(&self, registry: &str) -> String {
        format!(
            "{} --data-dir data build -q --push -t {registry}/ours/app:1-bench context",
            self.program.display()
        )
    }

    fn theirs(&self, registry: &str) -> String {
        let name = format!("{registry}/theirs/app:1-bench");
        let buildah = Self::BUILDAH;
        format!(
            "{buildah} bud -q --layers --isolation chroot -t {name} context && {buildah} push -q --tls-verify=false {name}"
        )
    }

    const BUILDAH: &str = "buildah --root buildah/root --runroot buildah/run --storage-driver overlay";

    fn base(&self) -> Result<(), String> {
        let command = format!(
            "{} --data-dir data build -q -t bench-base:1 -o base.tar base",
            self.program.display()
        );
        self.shell(&command)
    }

    /// False where buildah is not installed.
    fn peer_base(&self) -> Result<bool, String> {
        if self.shell("buildah --version").is_err() {
            println!("buildah is not installed (apt-get install buildah): ours alone");
            return Ok(false);
        }
        let buildah = Self::BUILDAH;
        self.shell(&format!(
            "mkdir -p buildah && {buildah} pull -q oci-archive:base.tar && \
             {buildah} tag $({buildah} images -q | head -1) localhost/bench-base:1"
        ))?;
        Ok(true)
    }

    fn shell(&self, command: &str) -> Result<(), String> {
        let outcome = Command::new("/bin/sh")
            .args(["-ec", command])
            .current_dir(&self.folder)
            .output()
            .map_err(|error| error.to_string())?;
        if outcome.status.success() {
            return Ok(());
        }
        Err(format!("{command}: {}", String::from_utf8_lossy(&outcome.stderr)))
    }
}
