//! From a request to an image.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use deploy_dockerfile::{Graph, Ignore, Request as GraphRequest, graph, read};
use deploy_model::image::{Algorithm, Digest};
use serde_json::Value;

use crate::base::Bases;
use crate::blobs::Blobs;
use crate::cache::Cache;
use crate::carry::{Carried, Carrier};
use crate::config;
use crate::error::BuildError;
use crate::limits;
use crate::output;
use crate::plan::{From, Plan, Planner};
use crate::push::{Outgoing, push};
use crate::request::{Built, Parts, Progress, Request};
use crate::run::Runner;
use crate::stat::StatCache;

/// Builds an image. It blocks its thread, which must not be one of the runtime's own.
pub fn build(request: &Request, parts: &Parts, progress: &mut Progress<'_>) -> Result<Built, BuildError> {
    let graph = read_graph(request)?;
    let ignore = read_ignore(request)?;
    let _hold = parts.store.hold()?;
    let blobs = Blobs::open(parts.folder.join("blobs"))?;
    let cache = Cache::open(parts.folder.join("steps"))?;
    let stats = parts.folder.join("stat");
    std::fs::create_dir_all(&stats).map_err(|error| BuildError::disk(&stats, error))?;
    let context = request
        .context
        .canonicalize()
        .map_err(|source| BuildError::Unreadable {
            path: request.context.clone(),
            source,
        })?;
    let request = &Request {
        context,
        ..request.clone()
    };
    let mut stat = StatCache::open(&stats, &request.context);
    let mut bases = Bases::open(parts, &blobs, request.pull)?;
    let planner = Planner {
        graph: &graph,
        request,
        ignore: &ignore,
        bases: &mut bases,
        stat: &mut stat,
    };
    let plan = planner.plan(progress)?;
    stat.save();
    let mut carrier = Carrier {
        parts,
        store: &parts.store,
        blobs: &blobs,
        cache: &cache,
        request,
        graph: &graph,
        ignore: &ignore,
        plan: &plan,
        runner: Runner::new(
            &parts.folder,
            parts.program.clone(),
            parts.runtime.clone(),
            parts.cancel.clone(),
        )?,
        done: BTreeMap::new(),
        cached: 0,
    };
    let carried = carrier.stage(graph.target, progress)?;
    carrier.runner.close();
    let cached = carrier.cached;
    let image = assemble(request, &plan, graph.target, &carried);
    let digest = Digest::of(Algorithm::Sha256, &image.manifest);
    parts
        .store
        .commit(&request.tags, &image.manifest, &image.config)?;
    if let Some(target) = &request.output {
        output::archive(
            target,
            &blobs,
            &request.tags,
            &request.platform,
            &image.manifest,
            &image.config,
            &carried.layers,
        )?;
    }
    if request.push {
        let outgoing = Outgoing {
            manifest: &image.manifest,
            config: &image.config,
            layers: &carried.layers,
        };
        push(&request.tags, parts, &blobs, &outgoing, progress)?;
    }
    let now = SystemTime::now();
    for layer in &carried.layers {
        blobs.touch(&layer.digest, now);
    }
    // What is not cleaned now is cleaned by the next build.
    let _ = blobs.clean();
    let _ = cache.clean();
    Ok(Built {
        digest,
        id: Digest::of(Algorithm::Sha256, &image.config),
        layers: carried.layers.len(),
        size: carried.layers.iter().map(|layer| layer.size).sum(),
        steps: plan.steps,
        cached,
        unused_arguments: graph.unused.iter().cloned().collect(),
    })
}

struct Assembled {
    manifest: Vec<u8>,
    config: Vec<u8>,
}

fn assemble(request: &Request, plan: &Plan, target: usize, carried: &Carried) -> Assembled {
    let created_s = match request.source_date_epoch_s {
        Some(epoch) => i64::try_from(epoch).unwrap_or(i64::MAX),
        None => carried.at_s,
    };
    let diff_ids: Vec<Digest> = carried.layers.iter().map(|layer| layer.diff_id.clone()).collect();
    let mut settings = plan.stages[&target].settings.clone();
    settings.labels.extend(request.labels.clone());
    let config = config::write(
        &settings,
        &request.platform,
        created_s,
        history(plan, target),
        &carried.lines,
        &diff_ids,
    );
    Assembled {
        manifest: output::manifest(&config, &carried.layers),
        config,
    }
}

/// The history of the image that the target's chain of stages begins with.
fn history(plan: &Plan, mut number: usize) -> &[Value] {
    loop {
        match &plan.stages[&number].base {
            From::Scratch => return &[],
            From::Image(found) => return &found.base.history,
            From::Stage(base) => number = *base,
        }
    }
}

fn read_graph(request: &Request) -> Result<Graph, BuildError> {
    let text = text(&request.dockerfile)?;
    let problems = |problems| BuildError::Problems {
        file: request.dockerfile.clone(),
        problems,
    };
    let file = read(&text).map_err(problems)?;
    let asked = GraphRequest {
        target: request.target.clone(),
        arguments: request.arguments.clone(),
        platform: request.platform.clone(),
    };
    graph(file, asked).map_err(|problem| problems(vec![problem]))
}

/// `<Dockerfile>.dockerignore` beside the Dockerfile, else `.dockerignore` in the context.
fn read_ignore(request: &Request) -> Result<Ignore, BuildError> {
    let mut own = request.dockerfile.clone().into_os_string();
    own.push(".dockerignore");
    for path in [PathBuf::from(own), request.context.join(".dockerignore")] {
        match text(&path) {
            Ok(text) => {
                return Ignore::parse(&text).map_err(|problem| BuildError::Problems {
                    file: path,
                    problems: vec![problem],
                });
            }
            Err(BuildError::Unreadable { source, .. })
                if matches!(
                    source.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Ignore::default())
}

fn text(path: &Path) -> Result<String, BuildError> {
    let unreadable = |source| BuildError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limits::TEXT_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > limits::TEXT_BYTES_MAX {
        return Err(unreadable(io::Error::other("it is too large")));
    }
    String::from_utf8(bytes).map_err(|_| unreadable(io::Error::other("it is not UTF-8")))
}
