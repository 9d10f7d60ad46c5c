//! The plan is carried out: stages when something needs their files, steps whose layers are not there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use deploy_dockerfile::instruction::{MountKind, Network, Sharing};
use deploy_dockerfile::{Command, Copy, Graph, Ignore, Mount, MountFrom, Run, Step, StepKind};
use deploy_image::{Store, Workspace, user_in};
use deploy_model::image::{Algorithm, Digest};
use rustix::fs::FlockOperation;

use crate::blobs::Blobs;
use crate::cache::{Cache, Layer, Made};
use crate::commit::commit;
use crate::config::Line;
use crate::copy::{self, Dress};
use crate::error::{BuildError, StepError};
use crate::limits;
use crate::mode::Modes;
use crate::plan::{From, Plan, PlannedStep, context, stands_alone, step_failed};
use crate::request::{Event, Parts, Progress, Request};
use crate::run::{Job, Runner, SecretFile};
use crate::source::{Source, Tree};
use crate::stubs;
use crate::view::{View, with_view};

/// A stage whose layers are there.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    /// Lowest first.
    pub layers: Vec<Layer>,
    /// Its steps and those of the stages that it begins with.
    pub lines: Vec<Line>,
    /// The latest of its layers, seconds of Unix.
    pub at_s: i64,
}

/// Carries a plan out.
pub struct Carrier<'a> {
    pub parts: &'a Parts,
    pub store: &'a Store,
    pub blobs: &'a Blobs,
    pub cache: &'a Cache,
    pub request: &'a Request,
    pub graph: &'a Graph,
    pub ignore: &'a Ignore,
    pub plan: &'a Plan,
    pub runner: Runner,
    pub done: BTreeMap<usize, Carried>,
    /// Steps whose layers were there.
    pub cached: usize,
}

impl Carrier<'_> {
    /// A stage with all its layers. Stages that it takes files from are carried out only for steps that are.
    pub fn stage(&mut self, number: usize, progress: &mut Progress<'_>) -> Result<Carried, BuildError> {
        if let Some(carried) = self.done.get(&number) {
            return Ok(carried.clone());
        }
        let plan = self.plan;
        let planned = &plan.stages[&number];
        let mut carried = match &planned.base {
            From::Scratch => Carried::default(),
            From::Image(found) => Carried {
                layers: found.layers.clone(),
                lines: Vec::new(),
                at_s: found.base.created_s,
            },
            From::Stage(base) => self.stage(*base, progress)?,
        };
        for planned in &planned.steps {
            if self.parts.cancel.is_cancelled() {
                return Err(BuildError::Cancelled);
            }
            if planned.step.kind == StepKind::Settings {
                carried.lines.push(Line {
                    text: planned.step.text.clone(),
                    at_s: carried.at_s,
                    empty: true,
                });
                continue;
            }
            let made = self.step(number, planned, &carried.layers, progress)?;
            carried.at_s = carried.at_s.max(made.at_s);
            carried.lines.push(Line {
                text: planned.step.text.clone(),
                at_s: made.at_s,
                empty: made.layer.is_none(),
            });
            carried.layers.extend(made.layer);
            if carried.layers.len() > limits::LAYERS_MAX {
                let error = StepError::new(format!("the image has more than {} layers", limits::LAYERS_MAX))
                    .hint("join steps: RUN a && b");
                return Err(step_failed(&self.request.dockerfile, &planned.step, error));
            }
        }
        self.done.insert(number, carried.clone());
        Ok(carried)
    }

    fn step(
        &mut self,
        stage: usize,
        planned: &PlannedStep,
        layers: &[Layer],
        progress: &mut Progress<'_>,
    ) -> Result<Made, BuildError> {
        let known = if self.request.no_cache {
            None
        } else {
            self.cache.get(&planned.key).filter(|made| self.is_there(made))
        };
        progress(Event::Step {
            number: planned.number,
            of: self.plan.steps,
            stage: self.graph.name(stage),
            text: planned.step.text.clone(),
            cached: known.is_some(),
        });
        if let Some(made) = known {
            self.cached += 1;
            if let Some(layer) = &made.layer {
                self.blobs.touch(&layer.digest, SystemTime::now());
            }
            return Ok(made);
        }
        if !rustix::process::geteuid().is_root() {
            let reason = "steps write files of many owners and mount layers: only root may".to_owned();
            return Err(BuildError::Machine { reason });
        }
        let start = Instant::now();
        let workspace = self.store.workspace()?;
        let upper = workspace.path().join("upper");
        fs::create_dir(&upper)
            .and_then(|()| fs::set_permissions(&upper, fs::Permissions::from_mode(0o755)))
            .map_err(|error| BuildError::disk(&upper, error))?;
        let lower = self.folders(layers)?;
        let file = self.request.dockerfile.clone();
        match &planned.step.kind {
            StepKind::Settings => {}
            StepKind::Folder { path, user } => self
                .folder(&workspace, &upper, &lower, path, user)
                .map_err(|error| step_failed(&file, &planned.step, error))?,
            StepKind::Copy(copy) => self.copy(planned, copy, &workspace, &upper, &lower, progress)?,
            StepKind::Run(run) => self.run(planned, run, &workspace, &upper, &lower, progress)?,
        }
        let layer = commit(self.store, self.blobs, &upper, self.request.source_date_epoch_s)?;
        let made = Made {
            layer,
            at_s: self.now_s(),
        };
        self.cache.put(&planned.key, &made)?;
        progress(Event::Done {
            number: planned.number,
            took_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        Ok(made)
    }

    fn now_s(&self) -> i64 {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let at = self.request.source_date_epoch_s.unwrap_or(now);
        i64::try_from(at).unwrap_or(i64::MAX)
    }

    /// Whether a layer is packed and unpacked here. One that is only packed is unpacked again.
    fn is_there(&self, made: &Made) -> bool {
        let Some(layer) = &made.layer else { return true };
        if !self.blobs.has(&layer.digest, layer.size) {
            return false;
        }
        if self.store.has_layer(&layer.diff_id) {
            return true;
        }
        let Ok(mut file) = File::open(self.blobs.path(&layer.digest)) else {
            return false;
        };
        self.store
            .ingest(Some(&layer.digest), &layer.diff_id, &mut file)
            .is_ok()
    }

    /// Where layers are, topmost first.
    fn folders(&self, layers: &[Layer]) -> Result<Vec<PathBuf>, BuildError> {
        layers
            .iter()
            .rev()
            .map(|layer| {
                let found = self.store.layer(&layer.diff_id);
                let found = found.ok_or_else(|| deploy_image::StoreError::LayerMissing {
                    diff_id: layer.diff_id.clone(),
                })?;
                Ok(found.folder)
            })
            .collect()
    }

    fn folder(
        &self,
        workspace: &Workspace,
        upper: &Path,
        lower: &[PathBuf],
        path: &str,
        user: &str,
    ) -> Result<(), StepError> {
        let owner = owner(lower, user)?.unwrap_or((0, 0));
        let view = View {
            lower,
            upper: Some(upper),
            scratch: &scratch(workspace, "view")?,
        };
        in_view(view, |root| copy::folder(root, path, owner))
    }

    fn copy(
        &mut self,
        planned: &PlannedStep,
        step: &Copy,
        workspace: &Workspace,
        upper: &Path,
        lower: &[PathBuf],
        progress: &mut Progress<'_>,
    ) -> Result<(), BuildError> {
        let file = self.request.dockerfile.clone();
        let at = |error: StepError| step_failed(&file, &planned.step, error);
        let origin = self.origin(&step.from, progress)?;
        let now_s = self.now_s();
        let from_context = origin.is_none();
        let carry = || {
            let asked = owner(lower, &step.chown)?;
            let modes = match &*step.chmod {
                "" => None,
                text => Some(Modes::parse(text).ok_or_else(|| {
                    StepError::new(format!("invalid --chmod {text:?}")).hint("write 755, or u=rwX,go=rX")
                })?),
            };
            let dress = Dress {
                owner: asked.or(from_context.then_some((0, 0))),
                modes,
            };
            // On nothing, no mount: overlayfs would mark new folders as hiding those below.
            let alone = [upper.to_owned()];
            let view = scratch(workspace, "view")?;
            let destination = if stands_alone(step) {
                View {
                    lower: &alone,
                    upper: None,
                    scratch: &view,
                }
            } else {
                View {
                    lower,
                    upper: Some(upper),
                    scratch: &view,
                }
            };
            let aside = scratch(workspace, "aside")?;
            let write = |tree: &Tree<'_>, sources: &[Source]| {
                in_view(destination, |root| {
                    copy::copy(root, step, tree, sources, &dress, &aside, now_s)
                })
            };
            match &origin {
                None => write(&context(&self.request.context, self.ignore), &planned.sources),
                Some((folders, name)) => {
                    let view = View {
                        lower: folders,
                        upper: None,
                        scratch: &scratch(workspace, "source")?,
                    };
                    in_view(view, |root| {
                        let tree = Tree {
                            root,
                            ignore: None,
                            name,
                        };
                        let mut sources = Vec::new();
                        for source in &step.sources {
                            sources.extend(tree.find(source)?);
                        }
                        write(&tree, &sources)
                    })
                }
            }
        };
        carry().map_err(at)
    }

    /// The folders of a stage or an image, topmost first, and what people call it; none for the context.
    fn origin(
        &mut self,
        from: &MountFrom,
        progress: &mut Progress<'_>,
    ) -> Result<Option<(Vec<PathBuf>, String)>, BuildError> {
        match from {
            MountFrom::Context => Ok(None),
            MountFrom::Stage(number) => {
                let layers = self.stage(*number, progress)?.layers;
                let name = format!("the stage {}", self.graph.name(*number));
                Ok(Some((self.folders(&layers)?, name)))
            }
            MountFrom::Image(name) => {
                let layers = self.plan.images.get(name).map(|found| found.layers.clone());
                Ok(Some((
                    self.folders(&layers.unwrap_or_default())?,
                    format!("the image {name}"),
                )))
            }
        }
    }

    fn run(
        &mut self,
        planned: &PlannedStep,
        run: &Run,
        workspace: &Workspace,
        upper: &Path,
        lower: &[PathBuf],
        progress: &mut Progress<'_>,
    ) -> Result<(), BuildError> {
        let file = self.request.dockerfile.clone();
        let at = |error: StepError| step_failed(&file, &planned.step, error);
        let mut mounts = Vec::new();
        let mut locks = Vec::new();
        let mut secrets = Vec::new();
        let mut env = run.env.clone();
        let request = self.request;
        for (place, mount) in run.mounts.iter().enumerate() {
            match mount.kind {
                MountKind::Tmpfs => mounts.push(tmpfs(mount)),
                MountKind::Cache => {
                    let (path, lock) = self.cache_folder(mount, workspace, place).map_err(at)?;
                    locks.extend(lock);
                    mounts.push(deploy_sandbox::Mount::bind(path, &mount.target, mount.read_only));
                }
                MountKind::Bind => {
                    let origin = self.origin(&mount.from, progress)?;
                    mounts.push(self.bind(mount, origin.as_ref(), workspace, place).map_err(at)?);
                }
                MountKind::Secret => {
                    let Some(secret) = request.secrets.get(&mount.id) else {
                        if !mount.required {
                            continue;
                        }
                        let error = StepError::new(format!("secret {}: not found", mount.id))
                            .hint(format!("give it: deploy build --secret id={},src=FILE", mount.id));
                        return Err(at(error));
                    };
                    if let Some(name) = &mount.env {
                        let value = String::from_utf8_lossy(secret.bytes()).into_owned();
                        env.retain(|(known, _)| known != name);
                        env.push((name.clone(), value));
                    }
                    if mount.file {
                        secrets.push(SecretFile {
                            target: mount.target.clone(),
                            bytes: secret.bytes(),
                            mode: mount.mode.unwrap_or(0o400),
                            owner: (mount.uid.unwrap_or(0), mount.gid.unwrap_or(0)),
                        });
                    }
                }
            }
        }
        mounts.extend(script(&run.command, workspace).map_err(at)?);
        if run.network != Network::None {
            for name in ["/etc/resolv.conf", "/etc/hosts"] {
                if Path::new(name).exists() {
                    mounts.push(deploy_sandbox::Mount::bind(name, name, true));
                }
            }
        }
        env.extend(run.proxies.clone());
        if let Some(epoch) = self.request.source_date_epoch_s
            && !env.iter().any(|(name, _)| name == "SOURCE_DATE_EPOCH")
        {
            env.push(("SOURCE_DATE_EPOCH".to_owned(), epoch.to_string()));
        }
        let mut targets: Vec<String> = ["/proc", "/sys", "/dev"].map(str::to_owned).to_vec();
        targets.extend(mounts.iter().map(|mount| mount.target.display().to_string()));
        targets.extend(secrets.iter().map(|secret| secret.target.clone()));
        let view = View {
            lower,
            upper: None,
            scratch: &scratch(workspace, "view").map_err(at)?,
        };
        let missing = in_view(view, |root| Ok(stubs::missing(root, &targets))).map_err(at)?;
        let user = user_in(lower, &run.user).map_err(|error| {
            at(StepError::new(error.to_string())
                .hint("make the user in a step before USER, or name it by number"))
        })?;
        let empty = scratch(workspace, "empty").map_err(at)?;
        let job = Job {
            lower: if lower.is_empty() {
                vec![empty]
            } else {
                lower.to_vec()
            },
            upper,
            work: &workspace.path().join("work"),
            words: run.command.words.clone(),
            env,
            cwd: run.cwd.clone(),
            user: deploy_sandbox::User {
                uid: user.uid,
                gid: user.gid,
                groups: user.groups,
            },
            mounts,
            secrets,
            network: run.network,
            masked: request
                .secrets
                .values()
                .map(crate::request::Secret::bytes)
                .collect(),
        };
        let number = planned.number;
        let ended = self
            .runner
            .run(job, &mut |line| progress(Event::Output { number, line }));
        drop(locks);
        if self.parts.cancel.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        let ended = ended.map_err(at)?;
        stubs::remove(upper, lower, &missing);
        if ended.code == 0 {
            return Ok(());
        }
        let mut last = ended.last;
        if ended.oom_killed {
            last.push("the kernel has killed it for want of memory".to_owned());
        }
        Err(BuildError::Failed {
            place: place(&file, &planned.step),
            step: planned.step.text.clone(),
            code: ended.code,
            last,
        })
    }

    /// The folder of a cache mount, and what keeps others out of it.
    fn cache_folder(
        &self,
        mount: &Mount,
        workspace: &Workspace,
        place: usize,
    ) -> Result<(PathBuf, Option<File>), StepError> {
        if mount.from != MountFrom::Context {
            return Err(
                StepError::new("a cache that begins with a stage's files is not supported")
                    .hint("copy the files into the cache in the step itself"),
            );
        }
        let name = Digest::of(Algorithm::Sha256, mount.id.as_bytes());
        let mut path = self.parts.folder.join("mounts").join(name.hex());
        let failed = |error: std::io::Error| StepError::file("use the cache", &mount.id, error);
        fs::create_dir_all(&path).map_err(failed)?;
        let lock = match mount.sharing {
            Sharing::Shared => None,
            Sharing::Locked | Sharing::Private => {
                let lock = File::create(path.with_extension("lock")).map_err(failed)?;
                let alone = if mount.sharing == Sharing::Locked {
                    rustix::fs::flock(&lock, FlockOperation::LockExclusive)
                } else {
                    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)
                };
                if alone.is_err() {
                    // Somebody else has it: a cache of this step's own, which is empty.
                    path = scratch(workspace, &format!("cache-{place}"))?;
                }
                Some(lock)
            }
        };
        let path = path.join("files");
        if !path.exists() {
            fs::create_dir(&path).map_err(failed)?;
            std::os::unix::fs::chown(&path, mount.uid, mount.gid).map_err(failed)?;
            let mode = fs::Permissions::from_mode(mount.mode.unwrap_or(0o755));
            fs::set_permissions(&path, mode).map_err(failed)?;
        }
        Ok((path, lock))
    }

    /// A bind mount. What is written to it is thrown away, and what is ignored is not there: it is a copy unless the
    /// folder itself does.
    fn bind(
        &self,
        mount: &Mount,
        origin: Option<&(Vec<PathBuf>, String)>,
        workspace: &Workspace,
        place: usize,
    ) -> Result<deploy_sandbox::Mount, StepError> {
        let aside = scratch(workspace, &format!("bind-{place}"))?;
        let copied = |tree: &Tree<'_>| -> Result<PathBuf, StepError> {
            let sources = tree.find(&mount.source)?;
            let [source] = &sources[..] else {
                return Err(StepError::new(format!(
                    "{:?} is not one file or folder",
                    mount.source
                )));
            };
            let direct = mount.read_only && tree.ignore.is_some_and(Ignore::is_empty);
            if direct {
                return Ok(source.real.clone());
            }
            let step = Copy {
                destination: "/it".to_owned(),
                ..Copy::default()
            };
            let dress = Dress::default();
            copy::copy(&aside, &step, tree, &sources, &dress, &aside, 0)?;
            Ok(aside.join("it"))
        };
        let path = match origin {
            None => copied(&context(&self.request.context, self.ignore))?,
            Some((folders, name)) => {
                let view = View {
                    lower: folders,
                    upper: None,
                    scratch: &scratch(workspace, &format!("from-{place}"))?,
                };
                in_view(view, |root| {
                    copied(&Tree {
                        root,
                        ignore: None,
                        name,
                    })
                })?
            }
        };
        Ok(deploy_sandbox::Mount::bind(path, &mount.target, mount.read_only))
    }
}

fn place(file: &Path, step: &Step) -> String {
    format!("{}:{}", file.display(), step.lines.0)
}

fn tmpfs(mount: &Mount) -> deploy_sandbox::Mount {
    deploy_sandbox::Mount {
        source: deploy_sandbox::MountSource::Tmpfs {
            size: mount.size,
            mode: mount.mode.unwrap_or(0o1777),
        },
        ..deploy_sandbox::Mount::bind("/", &mount.target, false)
    }
}

/// The script of a RUN that is a document.
fn script(command: &Command, workspace: &Workspace) -> Result<Option<deploy_sandbox::Mount>, StepError> {
    let (Some(script), Some(path)) = (&command.script, command.words.first()) else {
        return Ok(None);
    };
    let file = workspace.path().join("script");
    fs::write(&file, &script.content)
        .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o755)))
        .map_err(|error| StepError::file("write", &script.name, error))?;
    Ok(Some(deploy_sandbox::Mount::bind(file, path, true)))
}

fn scratch(workspace: &Workspace, name: &str) -> Result<PathBuf, StepError> {
    let path = workspace.path().join(name);
    fs::create_dir_all(&path).map_err(|error| StepError::file("make", &path, error))?;
    Ok(path)
}

fn in_view<T: Send>(
    view: View<'_>,
    work: impl FnOnce(&Path) -> Result<T, StepError> + Send,
) -> Result<T, StepError> {
    with_view(view, work)
        .map_err(|error| StepError::new(format!("cannot put the layers together: {error}")))
        .and_then(|done| done)
}

/// Who owns what is written; none if nobody says. A number alone is user and group.
fn owner(lower: &[PathBuf], text: &str) -> Result<Option<(u32, u32)>, StepError> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(number) = text.parse::<u32>() {
        return Ok(Some((number, number)));
    }
    user_in(lower, text)
        .map(|user| Some((user.uid, user.gid)))
        .map_err(|error| {
            StepError::new(error.to_string()).hint("make the user in a step before, or name it by number")
        })
}
