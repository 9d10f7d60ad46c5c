//! `cargo xtask bench [render] [cluster] [node] [registry] [build] [ci] [--short]`: every budget with its figure, beside the real program in the same run.

mod build;
mod ci;
mod cluster;
mod inputs;
mod measure;
mod node;
mod registry;
mod render;

use crate::Outcome;

/// One line of the report.
struct Line {
    what: String,
    ours: String,
    peer: String,
    /// How many times faster than the peer, or the figure that the target speaks of.
    figure: String,
    target: &'static str,
    met: Option<bool>,
}

/// Runs the named benches, or all.
pub fn run(args: &[String]) -> Outcome {
    let short = args.iter().any(|arg| arg == "--short");
    if let Some(unknown) = args.iter().find(|arg| {
        !["render", "cluster", "node", "registry", "build", "ci", "--short"].contains(&arg.as_str())
    }) {
        return Err(format!(
            "no bench is named {unknown}; there are: render, cluster, node, registry, build, ci"
        ));
    }
    if let Some(outcome) = node::inside(short) {
        return outcome;
    }
    let asked = |name: &str| {
        let named = args.iter().any(|arg| arg == name);
        named || args.iter().all(|arg| arg == "--short")
    };
    let mut lines = Vec::new();
    if asked("render") {
        lines.extend(render::run(short)?);
    }
    if asked("cluster") {
        lines.extend(cluster::run(short)?);
    }
    if asked("node") {
        lines.extend(node::run(short)?);
    }
    if asked("registry") {
        lines.extend(registry::run(short)?);
    }
    if asked("build") {
        lines.extend(build::run(short)?);
    }
    if asked("ci") {
        lines.extend(ci::run(short)?);
    }
    println!("\n| case | ours | the real program | figure | target | |\n|---|---|---|---|---|---|");
    for line in &lines {
        let verdict = match line.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        println!(
            "| {} | {} | {} | {} | {} | {verdict} |",
            line.what, line.ours, line.peer, line.figure, line.target
        );
    }
    Ok(())
}
