//! Charts beside helm 4.3, kustomizations beside kustomize 5.8.

use std::path::{Path, PathBuf};

use super::measure::{Figures, Run, alone, first, paired, succeeds};
use super::{Line, inputs};
use crate::peers::{self, compare};
use crate::repository;

/// The whole table of the renderer.
pub fn run(short: bool) -> Result<Vec<Line>, String> {
    let ours = compare::build()?;
    Ok(vec![
        one_chart(&ours, short)?,
        umbrella(&ours, short)?,
        one_service(&ours, short)?,
        many(&ours, short)?,
        growth(&ours, short)?,
    ])
}

fn helm(program: &Path, chart: &Path, extra: &[&str], ours: bool) -> Run {
    let words: &[&str] = if ours {
        &["helm", "template", "rel"]
    } else {
        &["template", "rel"]
    };
    let mut args: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
    args.push(chart.to_string_lossy().into_owned());
    args.extend(extra.iter().map(|w| (*w).to_owned()));
    Run {
        program: program.to_owned(),
        args,
        folder: repository::root(),
    }
}

fn kustomize(program: &Path, folder: &Path, ours: bool) -> Run {
    let words: &[&str] = if ours {
        &["kustomize", "build", "."]
    } else {
        &["build", "."]
    };
    Run {
        program: program.to_owned(),
        args: words.iter().map(|w| (*w).to_owned()).collect(),
        folder: folder.to_owned(),
    }
}

fn ratio(ours: &Figures, peer: &Figures) -> f64 {
    peer.wall.as_secs_f64() / ours.wall.as_secs_f64()
}

fn faster(what: String, ours: &Figures, peer: &Figures, target: &'static str, least: f64) -> Line {
    let ratio = ratio(ours, peer);
    Line {
        what,
        ours: ours.show(),
        peer: peer.show(),
        figure: format!("{ratio:.1}x"),
        target,
        met: Some(ratio >= least),
    }
}

/// Every chart that both can render, each a cold process; the geometric mean of the ratios.
fn one_chart(ours: &Path, short: bool) -> Result<Line, String> {
    let peer = peers::program("helm4")?;
    let rounds = if short { 3 } else { 9 };
    let mut cases: Vec<(PathBuf, Vec<&str>)> = vec![(
        repository::root().join("examples/shop/chart"),
        vec!["-f", "examples/shop/values/de.yaml"],
    )];
    if let Some(root) = repository::external_cases() {
        cases.extend(
            compare::charts(&root)?
                .into_iter()
                .map(|chart| (chart, vec!["--kube-version", "1.30.0"])),
        );
    }
    if short {
        // The shop, and every fourth chart.
        let mut at = 0;
        cases.retain(|_| {
            at += 1;
            at % 4 == 1
        });
    }
    let (mut logs, mut mine, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for (chart, extra) in &cases {
        let (a, b) = (helm(ours, chart, extra, true), helm(&peer, chart, extra, false));
        if !succeeds(&a)? || !succeeds(&b)? {
            continue;
        }
        let (a, b) = paired(&a, &b, rounds)?;
        logs.push(ratio(&a, &b).ln());
        mine.push(a);
        theirs.push(b);
    }
    let mean = (logs.iter().sum::<f64>() / logs.len() as f64).exp();
    let middle = |all: &mut Vec<Figures>| {
        all.sort_by_key(|f| f.wall);
        all[all.len() / 2].show()
    };
    Ok(Line {
        what: format!("one chart, cold, geometric mean of {}", logs.len()),
        ours: middle(&mut mine),
        peer: middle(&mut theirs),
        figure: format!("{mean:.1}x"),
        target: "12x",
        met: Some(mean >= 12.0),
    })
}

fn umbrella(ours: &Path, short: bool) -> Result<Line, String> {
    let chart = inputs::umbrella(60)?;
    let (a, b) = (
        helm(ours, &chart, &[], true),
        helm(&peers::program("helm4")?, &chart, &[], false),
    );
    let (a, b) = paired(&a, &b, if short { 2 } else { 7 })?;
    Ok(faster("umbrella of 60 subcharts".to_owned(), &a, &b, "12x", 12.0))
}

fn one_service(ours: &Path, short: bool) -> Result<Line, String> {
    let folder = inputs::one_service()?;
    let (a, b) = (
        kustomize(ours, &folder, true),
        kustomize(&peers::program("kustomize")?, &folder, false),
    );
    let (a, b) = paired(&a, &b, if short { 5 } else { 15 })?;
    Ok(faster(
        "kustomize build of one Service".to_owned(),
        &a,
        &b,
        "6x",
        6.0,
    ))
}

/// The real program takes more than a minute for 4,000; the short run is content with 1,000.
fn many(ours: &Path, short: bool) -> Result<Line, String> {
    let (count, target, least) = if short {
        (1_000, "-", 0.0)
    } else {
        (4_000, "100x", 100.0)
    };
    let folder = inputs::many_resources(count)?;
    let mine = alone(&kustomize(ours, &folder, true), 3)?;
    let theirs = first(&kustomize(&peers::program("kustomize")?, &folder, false))?;
    let mut line = faster(format!("{count} resources"), &mine, &theirs, target, least);
    if short {
        line.met = None;
    }
    Ok(line)
}

/// Four times the resources must not cost more than n log n: 4 x log(4n)/log(n), and a tenth for noise.
fn growth(ours: &Path, short: bool) -> Result<Line, String> {
    let (small, large) = (4_000_usize, 16_000_usize);
    let rounds = if short { 3 } else { 5 };
    let few = alone(&kustomize(ours, &inputs::many_resources(small)?, true), rounds)?;
    let many = alone(&kustomize(ours, &inputs::many_resources(large)?, true), rounds)?;
    let grown = many.wall.as_secs_f64() / few.wall.as_secs_f64();
    let allowed = 4.0 * (large as f64).ln() / (small as f64).ln() * 1.1;
    Ok(Line {
        what: format!("growth from {small} to {large} resources"),
        ours: format!("{} to {}", few.show(), many.show()),
        peer: "-".to_owned(),
        figure: format!("{grown:.1} times the time"),
        target: "n log n (5.1)",
        met: Some(grown <= allowed),
    })
}
