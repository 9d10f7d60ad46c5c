//! `peers oracle record|compare`: the real API server's answers, written down, and another server held to them.

pub mod http;

use std::path::Path;
use std::process;
use std::time::Instant;

use deploy_cluster_oracle::{Recorded, Scenario, Server, catalogue, check, folder, record};

use super::control_plane;
use crate::{Outcome, repository};
use http::HttpServer;

const USAGE: &str = "usage: cargo xtask peers oracle record [--kubeconfig F [--controllers]] [FILTER]
       cargo xtask peers oracle compare --kubeconfig F [--server URL] [--controllers] [FILTER]
FILTER is a part of area/scenario/request. --controllers: those scenarios that need controllers, and no others.
Without a kubeconfig, record starts a control plane for each kind.";

/// How much of an unstable answer's difference is printed.
const REPORTED: usize = 240;

/// `record` or `compare`.
pub fn run(args: &[String]) -> Outcome {
    let (word, rest) = args.split_first().ok_or(USAGE)?;
    let options = Options::parse(rest)?;
    match word.as_str() {
        "record" => match &options.kubeconfig {
            Some(file) => record_all(Path::new(file), &options),
            None => [false, true].into_iter().try_for_each(|controllers| {
                with_control_plane(&Options {
                    controllers,
                    ..options.clone()
                })
            }),
        },
        "compare" => compare(&options),
        _ => Err(USAGE.to_owned()),
    }
}

#[derive(Clone, Default)]
struct Options {
    kubeconfig: Option<String>,
    server: Option<String>,
    filter: String,
    controllers: bool,
}

impl Options {
    fn parse(args: &[String]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let mut value = || rest.next().cloned().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--kubeconfig" => options.kubeconfig = Some(value()?),
                "--server" => options.server = Some(value()?),
                "--controllers" => options.controllers = true,
                _ if arg.starts_with('-') => return Err(USAGE.to_owned()),
                _ => options.filter.clone_from(arg),
            }
        }
        Ok(options)
    }
}

/// Another one for each run, because leftovers of the last one may be there.
fn tag() -> String {
    format!("{:x}", process::id() % 0xfff)
}

fn wanted(options: &Options) -> Result<Vec<Scenario>, String> {
    let mut scenarios = catalogue::load(&folder(), &options.filter)?;
    scenarios.retain(|scenario| scenario.node == options.controllers);
    Ok(scenarios)
}

fn with_control_plane(options: &Options) -> Outcome {
    if wanted(options)?.is_empty() {
        return Ok(());
    }
    let folder = repository::root().join("target/peers/run/oracle");
    let plane = control_plane::Options {
        folder: folder.clone(),
        port: None,
        api_only: !options.controllers,
    };
    control_plane::start(&plane)?;
    let outcome = record_all(&folder.join("admin.kubeconfig"), options);
    control_plane::stop(&folder)?;
    outcome
}

fn record_all(kubeconfig: &Path, options: &Options) -> Outcome {
    let mut server = HttpServer::from_kubeconfig(kubeconfig, options.server.as_deref())?;
    let scenarios = wanted(options)?;
    let area = options.filter.split_inclusive('/').next().unwrap_or_default();
    let area = if area.ends_with('/') { area } else { "" };
    let all: Vec<(String, String)> = catalogue::load(&folder(), area)?
        .into_iter()
        .map(|one| (one.area, one.name))
        .collect();
    let tag = tag();
    let mut recorded = Recorded::default();
    let mut failures = Vec::new();
    for scenario in &scenarios {
        let made = match record(&mut server as &mut dyn Server, scenario, &tag) {
            Ok(made) => made,
            Err(error) => {
                println!("{error}");
                failures.push(error);
                continue;
            }
        };
        for request in &made.requests {
            if let Some(difference) = &request.unstable {
                let difference: String = difference.chars().take(REPORTED).collect();
                println!(
                    "unstable: {}/{}/{}: {difference}",
                    made.area, made.name, request.step.name
                );
            }
        }
        recorded.scenarios.push(made);
    }
    let count: usize = recorded
        .scenarios
        .iter()
        .map(|scenario| scenario.requests.len())
        .sum();
    let kept = |old: &deploy_cluster_oracle::RecordedScenario| {
        all.iter()
            .any(|(area, name)| *area == old.area && *name == old.name)
    };
    recorded.write(&folder(), &kept)?;
    println!(
        "oracle: {count} requests of {} scenarios recorded",
        scenarios.len() - failures.len()
    );
    if failures.is_empty() {
        Ok(())
    } else {
        Err(format!("{} scenarios are not recorded", failures.len()))
    }
}

fn compare(options: &Options) -> Outcome {
    let kubeconfig = options.kubeconfig.as_deref().ok_or(USAGE)?;
    let mut server = HttpServer::from_kubeconfig(Path::new(kubeconfig), options.server.as_deref())?;
    let mut recorded = Recorded::load(&folder(), &options.filter)?;
    recorded
        .scenarios
        .retain(|scenario| scenario.node == options.controllers);
    let started = Instant::now();
    let report = check(&mut server, &recorded, &tag());
    print!("{}", report.text());
    println!("in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}
