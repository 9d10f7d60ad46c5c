//! `deploy cluster apply`: brings objects into the running cluster by server-side apply, and waits until they work.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use deploy_model::{Code, Diagnostic, Exit, Lang};
use deploy_render::plain::{self, PlainObject, PlainOptions};
use deploy_sync::health::{self, Status};
use deploy_yaml::{Dialect, node_to_json};
use hyper::StatusCode;
use serde_json::Value;

use super::connection::{Ask, Connection, Credentials};
use super::process::Running;
use crate::commands::described;
use crate::{Context, Failure, Outcome, objects, texts};

/// Kinds that `--wait` waits for: what runs, and what leads to it. Others work once they exist, or when something else does.
const WAITED_FOR: &[&str] = &[
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "Pod",
    "CustomResourceDefinition",
    "Ingress",
];

/// Who owns the fields that are applied.
const MANAGER: &str = "deploy";

/// Standard input takes no more than a file may have.
const STDIN_BYTES_MAX: u64 = crate::limits::MAX_FILE_BYTES;

pub fn command(lang: Lang) -> Command {
    let texts = texts::of(lang);
    let words = &texts.apply_words;
    described(Command::new("apply"), &texts.cluster_apply)
        .arg(
            Arg::new("paths")
                .value_name("PATH")
                .required(true)
                .num_args(1..)
                .help(words.paths),
        )
        .arg(
            Arg::new("namespace")
                .short('n')
                .long("namespace")
                .value_name("NAME")
                .default_value("default")
                .help(words.namespace),
        )
        .arg(
            Arg::new("wait")
                .long("wait")
                .action(ArgAction::SetTrue)
                .help(words.wait),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("SECONDS")
                .value_parser(value_parser!(u64).range(1..=86_400))
                .default_value("120")
                .help(words.timeout),
        )
}

pub fn run(context: &mut Context, running: &Running, arguments: &ArgMatches) -> Outcome {
    let mut wanted = Vec::new();
    for path in arguments.get_many::<String>("paths").into_iter().flatten() {
        wanted.extend(read(context, path)?);
    }
    // What others live in comes first; everything else keeps its order.
    wanted.sort_by_key(|object| match object["kind"].as_str() {
        Some("Namespace") => 0,
        Some("CustomResourceDefinition") => 1,
        _ => 2,
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| unreachable(running, &error))?;
    let namespace = arguments
        .get_one::<String>("namespace")
        .expect("it has a default");
    let deadline =
        Instant::now() + Duration::from_secs(*arguments.get_one::<u64>("timeout").expect("it has a default"));
    runtime.block_on(async {
        let mut cluster = Cluster::open(running).await?;
        let mut applied = Vec::new();
        for object in &wanted {
            let place = cluster.apply(object, namespace).await?;
            context.printer.data(format!("{place}\n"))?;
            if object["kind"] == "CustomResourceDefinition" {
                cluster.wait(context, &place, deadline).await?;
            }
            applied.push(place);
        }
        if arguments.get_flag("wait") {
            for place in &applied {
                cluster.wait(context, place, deadline).await?;
            }
        }
        Ok(Exit::Done)
    })
}

/// The objects of a file, a folder or standard input.
fn read(context: &mut Context, path: &str) -> Result<Vec<Value>, Failure> {
    let found: Vec<PlainObject> = if path == "-" {
        let mut text = String::new();
        (&mut *context.stdin)
            .take(STDIN_BYTES_MAX + 1)
            .read_to_string(&mut text)
            .map_err(|error| {
                Diagnostic::new(Code::FileUnreadable)
                    .with("path", "-")
                    .because(error.to_string())
            })?;
        // A part of the objects is not what was asked for.
        if text.len() as u64 > STDIN_BYTES_MAX {
            let more = texts::of(context.lang).render_flags.more_than;
            return Err(Diagnostic::new(Code::RenderTooLarge)
                .because(more.replace("{limit}", &format!("{STDIN_BYTES_MAX} bytes")))
                .with("path", "-")
                .into());
        }
        plain::objects("-", &text).map_err(|error| objects::explain(context, error))?
    } else {
        let folder = context.absolute(path);
        plain::render(&context.source(), &folder, PlainOptions { recursive: true })
            .map_err(|error| objects::explain(context, error))?
            .objects
    };
    let json = |object: &PlainObject| {
        node_to_json(&object.node, Dialect::GoYaml11).map_err(|error| {
            Diagnostic::new(Code::YamlSyntax)
                .because(error.to_string())
                .with("file", context.shown(&object.file))
                .into()
        })
    };
    found.iter().map(json).collect()
}

/// Where an applied object is.
struct Place {
    /// `deployments.apps/web`, as kubectl names it in messages.
    name: String,
    kind: String,
    /// The path of its collection: `/apis/apps/v1/namespaces/shop/deployments`.
    collection: String,
    /// `metadata.name`
    object: String,
    outcome: &'static str,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.outcome)
    }
}

/// A resource as discovery tells of it.
#[derive(Clone)]
struct Resource {
    plural: String,
    namespaced: bool,
}

/// The running cluster, and what it serves as far as it was asked.
struct Cluster<'a> {
    running: &'a Running,
    credentials: Credentials,
    connection: Connection,
    /// By apiVersion and kind.
    resources: BTreeMap<(String, String), Resource>,
}

impl<'a> Cluster<'a> {
    async fn open(running: &'a Running) -> Result<Cluster<'a>, Failure> {
        let told = |error: io::Error| unreachable(running, &error);
        let credentials = Credentials::of_kubeconfig(&running.kubeconfig).map_err(told)?;
        let connection = Connection::open(&running.address, &credentials)
            .await
            .map_err(told)?;
        Ok(Cluster {
            running,
            credentials,
            connection,
            resources: BTreeMap::new(),
        })
    }

    async fn apply(&mut self, object: &Value, namespace: &str) -> Result<Place, Failure> {
        let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let resource = self.resource(&api_version, &kind).await?;
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or(namespace);
        let mut collection = root_of(&api_version);
        if resource.namespaced {
            collection.push_str(&format!("/namespaces/{namespace}"));
        }
        collection.push_str(&format!("/{}", resource.plural));
        let before = self.get(&format!("{collection}/{name}")).await?;
        let path = format!("{collection}/{name}?fieldManager={MANAGER}&force=true&fieldValidation=Strict");
        let answer = self
            .ask(Ask {
                method: "PATCH",
                path: &path,
                content_type: Some("application/apply-patch+yaml"),
                body: object.to_string().into_bytes(),
            })
            .await?;
        let group = api_version
            .split_once('/')
            .map_or(String::new(), |(group, _)| format!(".{group}"));
        let label = format!("{}{group}/{name}", kind.to_lowercase());
        let after = answer.map_err(|(_, cause)| {
            Diagnostic::new(Code::ClusterRefused)
                .with("object", label.clone())
                .because(cause)
        })?;
        let revision = |object: &Value| object["metadata"]["resourceVersion"].clone();
        Ok(Place {
            name: label,
            kind,
            collection,
            object: name.to_owned(),
            outcome: match before {
                None => "created",
                Some(before) if revision(&before) == revision(&after) => "unchanged",
                Some(_) => "configured",
            },
        })
    }

    /// Waits until an object works. Kinds that have nothing to wait for are ready at once.
    async fn wait(&self, context: &mut Context<'_>, place: &Place, deadline: Instant) -> Result<(), Failure> {
        if !WAITED_FOR.contains(&place.kind.as_str()) {
            return Ok(());
        }
        let told = |error: io::Error| unreachable(self.running, &error);
        let mut last = String::new();
        while let Some(left) = deadline
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
        {
            let connection = Connection::open(&self.running.address, &self.credentials)
                .await
                .map_err(told)?;
            let path = format!(
                "{}?watch=1&fieldSelector=metadata.name%3D{}",
                place.collection, place.object
            );
            let seen = |line: &[u8]| {
                let event: Value = serde_json::from_slice(line).unwrap_or_default();
                let Some(health) = health::assess(&event["object"]) else {
                    return ControlFlow::Continue(());
                };
                if matches!(health.status, Status::Healthy | Status::Suspended) {
                    return ControlFlow::Break(());
                }
                let why = health.reason.text(context.lang);
                if why != last && !why.is_empty() {
                    context.printer.say(&format!("{}: {why}", place.name));
                    last = why;
                }
                ControlFlow::Continue(())
            };
            // A watch may end before its object is ready; then it is opened again.
            if connection.lines(&path, left, seen).await.map_err(told)? {
                return Ok(());
            }
        }
        let diagnostic = Diagnostic::new(Code::ClusterNotReady)
            .with("object", place.name.clone())
            .because(last);
        Err(Failure::Explained(Box::new(diagnostic), Exit::StillRunning))
    }

    async fn resource(&mut self, api_version: &str, kind: &str) -> Result<Resource, Failure> {
        let key = (api_version.to_owned(), kind.to_owned());
        if !self.resources.contains_key(&key) {
            let list = self.get(&root_of(api_version)).await?.unwrap_or_default();
            for resource in list["resources"].as_array().into_iter().flatten() {
                let text = |field: &str| resource[field].as_str().unwrap_or_default().to_owned();
                if !text("name").contains('/') {
                    self.resources.insert(
                        (api_version.to_owned(), text("kind")),
                        Resource {
                            plural: text("name"),
                            namespaced: resource["namespaced"] == true,
                        },
                    );
                }
            }
        }
        self.resources.get(&key).cloned().ok_or_else(|| {
            Diagnostic::new(Code::ClusterRefused)
                .with("object", format!("{api_version} {kind}"))
                .because(format!(
                    "no matches for kind \"{kind}\" in version \"{api_version}\""
                ))
                .into()
        })
    }

    /// An object, or none where the cluster has none.
    async fn get(&mut self, path: &str) -> Result<Option<Value>, Failure> {
        match self.ask(Ask::get(path)).await? {
            Ok(found) => Ok(Some(found)),
            Err((StatusCode::NOT_FOUND, _)) => Ok(None),
            Err((_, cause)) => Err(Diagnostic::new(Code::ClusterRefused)
                .with("object", path)
                .because(cause)
                .into()),
        }
    }

    /// The object that was answered, or the status and the message of the Status.
    async fn ask(&mut self, ask: Ask<'_>) -> Result<Result<Value, (StatusCode, String)>, Failure> {
        let told = |error: io::Error| unreachable(self.running, &error);
        let answer = self.connection.ask(ask).await.map_err(told)?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        Ok(if answer.status.is_success() {
            Ok(body)
        } else {
            let message = body["message"].as_str();
            Err((
                answer.status,
                message.map_or_else(|| answer.status.to_string(), str::to_owned),
            ))
        })
    }
}

/// `/api/v1`, `/apis/apps/v1`
fn root_of(api_version: &str) -> String {
    if api_version.contains('/') {
        format!("/apis/{api_version}")
    } else {
        format!("/api/{api_version}")
    }
}

pub fn unreachable(running: &Running, error: &io::Error) -> Failure {
    let diagnostic = Diagnostic::new(Code::ClusterUnreachable)
        .with("address", &running.address)
        .because(error.to_string());
    Failure::Explained(Box::new(diagnostic), Exit::Unreachable)
}
