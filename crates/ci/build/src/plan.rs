//! The steps of every stage that is needed, with their keys: nothing is carried out yet.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use deploy_dockerfile::instruction::MountKind;
use deploy_dockerfile::{
    Base as StageBase, Copy, Evaluation, Graph, Ignore, Key, MountFrom, Problem, Run, Settings, Step,
    StepKind,
};
use deploy_model::image::Digest;

use crate::base::{Bases, Found};
use crate::error::{BuildError, StepError};
use crate::request::{Progress, Request};
use crate::source::{Source, Tree};
use crate::stat::StatCache;

/// A stage on paper.
pub struct Planned {
    /// What it begins with: an image, a stage, or nothing.
    pub base: From,
    /// Its steps.
    pub steps: Vec<PlannedStep>,
    /// What its image says.
    pub settings: Settings,
    /// After its last step.
    pub key: Key,
}

/// What a stage begins with.
pub enum From {
    /// Nothing.
    Scratch,
    /// An image.
    Image(Arc<Found>),
    /// A stage.
    Stage(usize),
}

/// A step on paper.
pub struct PlannedStep {
    pub step: Step,
    /// The name of its layer.
    pub key: Key,
    /// Among all steps that make layers, from 1; 0 for others.
    pub number: usize,
    /// What its sources lead to, if they are of the context.
    pub sources: Vec<Source>,
}

/// Everything on paper.
pub struct Plan {
    /// By the number of the stage.
    pub stages: BTreeMap<usize, Planned>,
    /// Images that files are copied from, by name.
    pub images: BTreeMap<String, Arc<Found>>,
    /// Steps that make layers.
    pub steps: usize,
}

/// What planning looks at.
pub struct Planner<'a, 'b> {
    pub graph: &'a Graph,
    pub request: &'a Request,
    pub ignore: &'a Ignore,
    pub bases: &'a mut Bases<'b>,
    pub stat: &'a mut StatCache,
}

impl Planner<'_, '_> {
    pub fn plan(mut self, progress: &mut Progress<'_>) -> Result<Plan, BuildError> {
        let mut plan = Plan {
            stages: BTreeMap::new(),
            images: BTreeMap::new(),
            steps: 0,
        };
        let graph = self.graph;
        for stage in &graph.stages {
            let lines = graph.text(stage).lines;
            let epoch = self.request.source_date_epoch_s;
            let (base, settings, begin) = match &stage.base {
                StageBase::Scratch => (From::Scratch, Settings::default(), Key::begin(None, epoch)),
                StageBase::Image(name) => {
                    let found = self.image(name, lines.0, progress)?;
                    let begin = Key::begin(Some(&found.id), epoch);
                    (
                        From::Image(Arc::clone(&found)),
                        found.base.settings.clone(),
                        begin,
                    )
                }
                StageBase::Stage(number) => {
                    let earlier = &plan.stages[number];
                    (
                        From::Stage(*number),
                        earlier.settings.clone(),
                        earlier.key.clone(),
                    )
                }
            };
            for name in &stage.images {
                let found = self.image(name, lines.0, progress)?;
                plan.images.insert(name.clone(), found);
            }
            let mut evaluation = Evaluation::new(graph, stage, settings);
            let mut chain = begin;
            let mut steps = Vec::new();
            while let Some(step) = evaluation.step() {
                let step = step.map_err(|problem| self.problem(problem))?;
                let (inputs, sources) = self.inputs(&step, &plan)?;
                let key = match &step.kind {
                    StepKind::Copy(copy) if stands_alone(copy) => {
                        Key::begin(None, epoch).after(&step.kind, &inputs)
                    }
                    _ => chain.after(&step.kind, &inputs),
                };
                chain = chain.after(&step.kind, &inputs);
                let makes = step.kind != StepKind::Settings;
                plan.steps += usize::from(makes);
                steps.push(PlannedStep {
                    number: if makes { plan.steps } else { 0 },
                    step,
                    key,
                    sources,
                });
            }
            let planned = Planned {
                base,
                steps,
                settings: evaluation.settings().clone(),
                key: chain,
            };
            plan.stages.insert(stage.number, planned);
        }
        Ok(plan)
    }

    fn problem(&self, problem: Problem) -> BuildError {
        BuildError::Problems {
            file: self.request.dockerfile.clone(),
            problems: vec![problem],
        }
    }

    fn image(
        &mut self,
        name: &str,
        line: usize,
        progress: &mut Progress<'_>,
    ) -> Result<Arc<Found>, BuildError> {
        self.bases
            .find(name, progress)
            .map_err(|reason| BuildError::Base {
                place: format!("{}:{line}", self.request.dockerfile.display()),
                name: name.to_owned(),
                reason,
            })
    }

    /// The digests of what a step reads, and where the sources are that are of the context.
    fn inputs(&mut self, step: &Step, plan: &Plan) -> Result<(Vec<Digest>, Vec<Source>), BuildError> {
        let at = |error: StepError| step_failed(&self.request.dockerfile, step, error);
        match &step.kind {
            StepKind::Copy(copy) => match &copy.from {
                MountFrom::Context => {
                    let tree = context(&self.request.context, self.ignore);
                    let mut sources = Vec::new();
                    for source in &copy.sources {
                        sources.extend(tree.find(source).map_err(at)?);
                    }
                    let digest = tree.digest(&sources, self.stat).map_err(at)?;
                    Ok((vec![digest], sources))
                }
                other => Ok((vec![outside(other, plan).map_err(at)?], Vec::new())),
            },
            StepKind::Run(run) => Ok((self.mounted(run, plan).map_err(at)?, Vec::new())),
            StepKind::Settings | StepKind::Folder { .. } => Ok((Vec::new(), Vec::new())),
        }
    }

    fn mounted(&mut self, run: &Run, plan: &Plan) -> Result<Vec<Digest>, StepError> {
        let mut digests = Vec::new();
        for mount in run.mounts.iter().filter(|mount| mount.kind == MountKind::Bind) {
            digests.push(match &mount.from {
                MountFrom::Context => {
                    let tree = context(&self.request.context, self.ignore);
                    let sources = tree.find(&mount.source)?;
                    tree.digest(&sources, self.stat)?
                }
                other => outside(other, plan)?,
            });
        }
        Ok(digests)
    }
}

/// What stands for the content of a stage or an image.
fn outside(from: &MountFrom, plan: &Plan) -> Result<Digest, StepError> {
    let found = match from {
        MountFrom::Stage(number) => plan.stages.get(number).map(|stage| stage.key.digest().clone()),
        MountFrom::Image(name) => plan.images.get(name).map(|found| found.id.clone()),
        MountFrom::Context => None,
    };
    found.ok_or_else(|| StepError::new("its source is not planned"))
}

/// Whether a layer of COPY --link depends on nothing below it: owners by name are looked up there.
pub fn stands_alone(copy: &Copy) -> bool {
    copy.link && copy.chown.chars().all(|c| c.is_ascii_digit() || c == ':')
}

/// The context as a tree.
pub fn context<'a>(root: &'a Path, ignore: &'a Ignore) -> Tree<'a> {
    Tree {
        root,
        ignore: Some(ignore),
        name: "the build context",
    }
}

/// A step that cannot be carried out, with its place.
pub fn step_failed(file: &Path, step: &Step, error: StepError) -> BuildError {
    BuildError::Step {
        place: format!("{}:{}", file.display(), step.lines.0),
        step: step.text.clone(),
        reason: error.reason,
        hint: error.hint,
    }
}
