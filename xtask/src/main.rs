//! Every script of the project, in Rust: `cargo xtask COMMAND`.
//!
//! To add a command: a module, and a row in [`COMMANDS`].

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a developer's tool talks to its terminal"
)]

mod bench;
mod conformance;
mod image;
mod licenses;
mod merge_keys;
mod peers;
mod repository;
mod schema;
mod shop;
mod tidy;

use std::process::ExitCode;

/// What a command returns; the text is for the developer.
type Outcome = Result<(), String>;

struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Outcome,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "tidy",
        about: "check layers, documents, lengths, error pages, licences",
        run: tidy::run,
    },
    Command {
        name: "peers",
        about: "[install|compare] [NAME...], kubernetes start|stop, oracle record|compare, kubelet [FILTER]: have the real programs, compare with them",
        run: peers::run,
    },
    Command {
        name: "bench",
        about: "[render] [cluster] [node] [--short]: print each budget with its figure and ratio",
        run: bench::run,
    },
    Command {
        name: "conformance",
        about: "write docs/conformance.md from the floors and known failures",
        run: conformance::run,
    },
    Command {
        name: "image",
        about: "[shop] [probe]: build the images of this repository, target/NAME.oci.tar",
        run: image::run,
    },
    Command {
        name: "shop",
        about: "up|down: the sample shop for its three sites on the embedded cluster",
        run: shop::run,
    },
    Command {
        name: "merge-keys",
        about: "PATH-TO-swagger.pb: write how kustomize merges lists",
        run: write_merge_keys,
    },
    Command {
        name: "schema",
        about: "[GO-MODULE-CACHE]: write what the embedded cluster knows of the Kubernetes API",
        run: schema::run,
    },
    Command {
        name: "licenses",
        about: "write the notices of third parties that the binary carries",
        run: licenses::run,
    },
];

fn write_merge_keys(args: &[String]) -> Outcome {
    let [path] = args else {
        return Err("usage: cargo xtask merge-keys PATH-TO-swagger.pb (sigs.k8s.io/kustomize/kyaml, openapi/kubernetesapi)".to_owned());
    };
    let changed = repository::write(merge_keys::OUTPUT, &merge_keys::run(std::path::Path::new(path))?)?;
    println!(
        "{}: {}",
        merge_keys::OUTPUT,
        if changed { "written" } else { "unchanged" }
    );
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some(command) = args
        .first()
        .and_then(|name| COMMANDS.iter().find(|c| c.name == name))
    else {
        eprintln!("usage: cargo xtask COMMAND\n");
        for command in COMMANDS {
            eprintln!("  {:<12} {}", command.name, command.about);
        }
        return ExitCode::from(2);
    };
    match (command.run)(&args[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
