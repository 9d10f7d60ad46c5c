//! `deploy cluster image`: images of the cluster's node, brought in from archives, listed and removed.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use clap::{Arg, ArgMatches, Command};
use deploy_cluster_node::images::cleaning::named_images;
use deploy_image::{Image, Store, StoreError};
use deploy_model::image::Reference;
use deploy_model::{Code, Diagnostic, Exit, Lang, shown_bytes, with_causes};
use serde_json::{Value, json};

use super::connection::{Ask, Connection, Credentials};
use super::folder_of;
use super::process::{self, Running};
use crate::commands::described;
use crate::{Context, Failure, Outcome, table, texts};

pub fn command(lang: Lang) -> Command {
    let texts = texts::of(lang);
    let words = &texts.image_words;
    let load = described(Command::new("load"), &texts.cluster_image_load)
        .arg(
            Arg::new("archives")
                .value_name("ARCHIVE")
                .required(true)
                .num_args(1..)
                .help(words.archives),
        )
        .arg(
            Arg::new("name")
                .long("name")
                .value_name("REFERENCE")
                .help(words.name),
        );
    let list = described(Command::new("list"), &texts.cluster_image_list).arg(
        Arg::new("output")
            .short('o')
            .long("output")
            .value_name("FORMAT")
            .value_parser(["table", "json", "name"])
            .default_value("table")
            .help(texts.output_flag),
    );
    described(Command::new("image"), &texts.cluster_image)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(load)
        .subcommand(list)
        .subcommand(described(Command::new("prune"), &texts.cluster_image_prune))
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    match arguments.subcommand() {
        Some(("load", arguments)) => load(context, arguments),
        Some(("list", arguments)) => list(context, arguments),
        Some(("prune", _)) => prune(context),
        _ => Ok(Exit::Usage),
    }
}

fn load(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let name: Option<Reference> = match arguments.get_one::<String>("name") {
        None => None,
        Some(name) => Some(name.parse().map_err(|error| {
            let words = &texts::of(context.lang).image_words;
            let cause = format!("{}: {error}", words.no_reference.replace("{name}", name));
            Diagnostic::new(Code::UsageInvalid)
                .with("command", "deploy cluster image load")
                .because(cause)
        })?),
    };
    let store = open(context)?;
    for path in arguments.get_many::<String>("archives").into_iter().flatten() {
        let loaded = if path == "-" {
            store.load_archive(&mut *context.stdin, name.as_ref())
        } else {
            let file = fs::File::open(context.absolute(path)).map_err(|error| {
                let diagnostic = Diagnostic::new(Code::FileUnreadable)
                    .with("path", path)
                    .because(error.to_string());
                let exit = match error.kind() {
                    io::ErrorKind::NotFound => Exit::NotFound,
                    _ => Exit::Failed,
                };
                Failure::Explained(Box::new(diagnostic), exit)
            })?;
            let mut file: Box<dyn Read> = Box::new(file);
            store.load_archive(&mut *file, name.as_ref())
        };
        let loaded = loaded.map_err(|error| {
            Diagnostic::new(Code::ImageNotLoaded)
                .with("path", path)
                .because(with_causes(&error))
        })?;
        for loaded in loaded {
            let mut names: Vec<String> = loaded.names.iter().map(ToString::to_string).collect();
            if names.is_empty() {
                names.push(loaded.image.id.to_string());
            }
            context.printer.data(format!("{}\n", names.join("\n")))?;
        }
    }
    Ok(Exit::Done)
}

fn list(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let images = open(context)?.list().map_err(|error| failed(context, &error))?;
    let text = match arguments.get_one::<String>("output").map(String::as_str) {
        Some("json") => {
            let all: Vec<Value> = images.iter().map(|image| described_as_json(image)).collect();
            format!("{:#}\n", Value::from(all))
        }
        Some("name") => images
            .iter()
            .map(|image| format!("{}\n", first_name(image)))
            .collect(),
        _ => {
            let rows: Vec<[String; 3]> = images
                .iter()
                .map(|image| {
                    let id = image.id.hex()[..12].to_owned();
                    [first_name(image), id, shown_bytes(image.size)]
                })
                .collect();
            table::render(texts::of(context.lang).image_words.columns, &rows)
        }
    };
    context.printer.data(text)?;
    Ok(Exit::Done)
}

fn prune(context: &mut Context) -> Outcome {
    let store = open(context)?;
    let used = in_use(context, &store)?;
    let pruned = store
        .prune(&|image| !used.contains(image.id.as_str()))
        .map_err(|error| failed(context, &error))?;
    for image in &pruned.images {
        context.printer.data(format!("{}\n", first_name(image)))?;
    }
    let words = &texts::of(context.lang).image_words;
    let summary = words
        .pruned
        .replace("{images}", &pruned.images.len().to_string())
        .replace("{size}", &shown_bytes(pruned.bytes));
    context.printer.say(&summary);
    if pruned.busy {
        context.printer.say(words.busy);
    }
    Ok(Exit::Done)
}

/// Ids of images that pods use: by what is mounted on this machine, which outlives a server, and by what the pods of a
/// running server ask for.
fn in_use(context: &Context, store: &Store) -> Result<HashSet<String>, Failure> {
    let folder = folder_of(context);
    let unknown = |error: io::Error| -> Failure {
        Diagnostic::new(Code::ImagesInUseUnknown)
            .because(error.to_string())
            .into()
    };
    let images = store.list().map_err(|error| failed(context, &error))?;
    let mounted = mounted_folders(Path::new("/proc")).map_err(unknown)?;
    let is_mounted = |image: &Image| {
        image.layers.iter().any(|layer| {
            let name = layer
                .parent()
                .and_then(Path::file_name)
                .and_then(|name| name.to_str());
            name.is_some_and(|name| mounted.contains(name))
        })
    };
    let mut used: HashSet<String> = images
        .iter()
        .filter(|image| is_mounted(image))
        .map(|image| image.id.to_string())
        .collect();
    if let Some(running) = process::find(&folder).map_err(unknown)? {
        let names = named_images(&pods(&running).map_err(unknown)?);
        used.extend(
            names
                .iter()
                .filter_map(|name| store.find(name))
                .map(|image| image.id.to_string()),
        );
    }
    Ok(used)
}

/// The names of folders that overlays of any mount namespace are made of, whatever their depth.
fn mounted_folders(proc: &Path) -> io::Result<HashSet<String>> {
    let mut seen = HashSet::new();
    let mut names = HashSet::new();
    for entry in fs::read_dir(proc)? {
        let path = entry?.path();
        let is_process = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()));
        if !is_process {
            continue;
        }
        // A process may end while it is looked at; those of one namespace have the same mounts.
        let Ok(namespace) = fs::read_link(path.join("ns/mnt")) else {
            continue;
        };
        if !seen.insert(namespace) {
            continue;
        }
        let Ok(mounts) = fs::read_to_string(path.join("mountinfo")) else {
            continue;
        };
        for line in mounts.lines().filter(|line| line.contains(" - overlay ")) {
            names.extend(line.split(['/', ':', ',', '=', ' ']).map(str::to_owned));
        }
    }
    Ok(names)
}

/// The pods of a running server.
fn pods(running: &Running) -> io::Result<Vec<Arc<Value>>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    runtime.block_on(async {
        let credentials = Credentials::of_kubeconfig(&running.kubeconfig)?;
        let mut connection = Connection::open(&running.address, &credentials).await?;
        let answer = connection.ask(Ask::get("/api/v1/pods")).await?;
        if !answer.status.is_success() {
            return Err(io::Error::other(answer.status.to_string()));
        }
        let mut list: Value = serde_json::from_slice(&answer.body).map_err(io::Error::other)?;
        let items = match list["items"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        };
        Ok(items.into_iter().map(Arc::new).collect())
    })
}

fn open(context: &Context) -> Result<Store, Failure> {
    Store::open(&folder_of(context).join("images")).map_err(|error| failed(context, &error))
}

fn failed(context: &Context, error: &StoreError) -> Failure {
    Diagnostic::new(Code::ImageStoreUnusable)
        .with("path", folder_of(context).join("images").display().to_string())
        .because(with_causes(error))
        .into()
}

/// Its first tag, else its name by digest, else its id.
fn first_name(image: &Image) -> String {
    let name = image.tags.first().or(image.digests.first());
    name.map_or_else(|| image.id.to_string(), ToString::to_string)
}

fn described_as_json(image: &Image) -> Value {
    let texts = |names: &[Reference]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "id": image.id.to_string(),
        "tags": texts(&image.tags),
        "digests": texts(&image.digests),
        "sizeBytes": image.size,
        "layers": image.layers.len(),
        "entrypoint": image.config.entrypoint,
        "cmd": image.config.cmd,
        "user": image.config.user,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mounted_layer_is_seen() {
        let folder = std::env::temp_dir().join(format!("deploy-mounts-{}", std::process::id()));
        fs::create_dir_all(folder.join("12/ns")).expect("a folder");
        fs::create_dir_all(folder.join("self")).expect("a folder");
        std::os::unix::fs::symlink("mnt:[1]", folder.join("12/ns/mnt")).expect("a link");
        let line = "30 1 0:9 / /x rw - overlay overlay rw,lowerdir=/d/layers/aa/fs:../bb/fs,lowerdir+=/d/layers/cc/fs,upperdir=/u\n31 1 0:9 / /dd rw - tmpfs tmpfs rw\n";
        fs::write(folder.join("12/mountinfo"), line).expect("a file");
        let names = mounted_folders(&folder);
        fs::remove_dir_all(&folder).expect("it was made");
        let names = names.expect("it is readable");
        assert!(["aa", "bb", "cc"].iter().all(|name| names.contains(*name)));
        assert!(!names.contains("dd"));
    }
}
