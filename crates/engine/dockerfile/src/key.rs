//! The name under which the layer of a step is kept: equal keys, equal layers.

use std::fmt;

use deploy_model::image::{Algorithm, Digest, Hasher};

use crate::graph::evaluate::{Copy, FileSource, Mount, MountFrom, Run, StepKind};
use crate::instruction::{MountKind, Network};

/// Changes whenever the builder makes other layers of the same steps.
const VERSION: &str = "deploy-build 1";

/// The name of a step's outcome.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Digest);

impl Key {
    /// Before the first step: what the stage begins with (the configuration of an image; none for scratch), and what
    /// all times become.
    pub fn begin(base: Option<&Digest>, epoch_s: Option<u64>) -> Self {
        let mut fields = Fields::new();
        fields.text(base.map_or("scratch", Digest::as_str));
        fields.text(&epoch_s.map(|epoch| epoch.to_string()).unwrap_or_default());
        fields.finish()
    }

    /// After a step; `inputs` are the digests of the files that it reads, in the order in which the step names them.
    /// A step that changes no files keeps the key.
    pub fn after(&self, step: &StepKind, inputs: &[Digest]) -> Self {
        let mut fields = Fields::new();
        fields.text(self.0.as_str());
        match step {
            StepKind::Settings => return self.clone(),
            StepKind::Folder { path, user } => {
                fields.text("folder");
                fields.text(path);
                fields.text(user);
            }
            StepKind::Run(run) => fields.run(run),
            StepKind::Copy(copy) => fields.copy(copy),
        }
        for input in inputs {
            fields.text(input.as_str());
        }
        fields.finish()
    }

    /// Its digits: a safe file name.
    pub fn hex(&self) -> &str {
        self.0.hex()
    }

    /// As a digest, to be an input of another step.
    pub fn digest(&self) -> &Digest {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// Fields with their lengths, so that no two lists read the same.
struct Fields(Hasher);

impl Fields {
    fn new() -> Self {
        let mut fields = Self(Hasher::new(Algorithm::Sha256));
        fields.text(VERSION);
        fields
    }

    fn finish(self) -> Key {
        Key(self.0.finish())
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    fn texts<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a String>) {
        self.number(texts.len() as u64);
        texts.for_each(|text| self.text(text));
    }

    fn file(&mut self, file: &FileSource) {
        self.text(&file.name);
        self.text(&file.content);
    }

    fn run(&mut self, run: &Run) {
        self.text("run");
        self.texts(run.command.words.iter());
        self.number(run.command.script.iter().len() as u64);
        run.command.script.iter().for_each(|script| self.file(script));
        self.number(run.env.len() as u64);
        for (name, value) in &run.env {
            self.text(name);
            self.text(value);
        }
        self.text(&run.user);
        self.text(&run.cwd);
        self.text(match run.network {
            Network::Default => "default",
            Network::None => "none",
            Network::Host => "host",
        });
        self.number(run.mounts.len() as u64);
        run.mounts.iter().for_each(|mount| self.mount(mount));
    }

    /// What a secret or a cache holds is never part of a key; that they are there is.
    fn mount(&mut self, mount: &Mount) {
        self.text(match mount.kind {
            MountKind::Bind => "bind",
            MountKind::Cache => "cache",
            MountKind::Secret => "secret",
            MountKind::Tmpfs => "tmpfs",
        });
        for text in [&mount.target, &mount.source, &mount.id] {
            self.text(text);
        }
        self.text(mount.env.as_deref().unwrap_or_default());
        for flag in [mount.read_only, mount.required, mount.file] {
            self.number(u64::from(flag));
        }
        for number in [mount.mode, mount.uid, mount.gid] {
            self.number(number.map_or(u64::MAX, u64::from));
        }
        self.number(mount.size.unwrap_or(u64::MAX));
    }

    fn copy(&mut self, copy: &Copy) {
        self.text("copy");
        self.texts(copy.sources.iter());
        self.number(copy.files.len() as u64);
        copy.files.iter().for_each(|file| self.file(file));
        for text in [&copy.destination, &copy.chown, &copy.chmod] {
            self.text(text);
        }
        self.texts(copy.exclude.iter());
        for flag in [copy.into, copy.link, copy.parents, copy.add, copy.unpack] {
            self.number(u64::from(flag));
        }
        self.number(u64::from(matches!(copy.from, MountFrom::Context)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts() {
        let begin = Key::begin(None, None);
        assert_ne!(begin, Key::begin(None, Some(0)));
        assert_eq!(begin.after(&StepKind::Settings, &[]), begin);
        let run = |command: &str, proxy: &str| {
            StepKind::Run(Run {
                command: crate::Command {
                    words: vec![command.to_owned()],
                    script: None,
                },
                proxies: vec![("HTTP_PROXY".to_owned(), proxy.to_owned())],
                ..Run::default()
            })
        };
        assert_eq!(begin.after(&run("a", "x"), &[]), begin.after(&run("a", "y"), &[]));
        assert_ne!(begin.after(&run("a", ""), &[]), begin.after(&run("b", ""), &[]));
        let copy = StepKind::Copy(Copy::default());
        let inputs = [b"1", b"2"].map(|bytes| Digest::of(Algorithm::Sha256, bytes));
        assert_ne!(begin.after(&copy, &inputs[..1]), begin.after(&copy, &inputs[1..]));
    }
}
