//! The builder of `docker/build-push-action`: crates/ci/build, with the registry of this server among others.

use std::path::PathBuf;
use std::sync::Arc;

use deploy_build::{BuildError, Event, Parts, Problem, Request, Secret, build};
use deploy_image::Store;
use deploy_jobs::{BuildOrder, Builder, Built, Later, Login};
use deploy_model::image::Reference;
use deploy_model::{shown_bytes, with_causes};
use deploy_registry_client::{Client, Credentials};
use deploy_store::{Actor, ActorKind, Ledger, Line, Query, Subject};
use jiff::Timestamp;
use serde_json::json;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// The kind of a line that tells of an image.
const BUILT: &str = "image.built";

/// Builds images for jobs.
pub(crate) struct ImageBuilder {
    pub store: Arc<Store>,
    pub folder: PathBuf,
    pub program: PathBuf,
    pub client: Client,
    pub ledger: Ledger,
    /// The hosts under which our own registry is known, and who we are there.
    pub own: (Vec<String>, Credentials),
}

impl Builder for ImageBuilder {
    fn build(&self, order: BuildOrder) -> Later<'_, Result<Built, String>> {
        Box::pin(async move {
            let request = request(&order)?;
            let cancel = CancellationToken::new();
            // Whoever stops waiting ends the build.
            let _guard = cancel.clone().drop_guard();
            let parts = self.parts(order.logins, cancel);
            let progress = order.progress.clone();
            let asked = request.clone();
            let built = tokio::task::spawn_blocking(move || {
                let mut tell = |event: Event| {
                    if let Some(line) = line(event) {
                        // A log that nobody writes any more loses nothing but lines.
                        drop(progress.blocking_send(line));
                    }
                };
                build(&asked, &parts, &mut tell)
            });
            let built = built.await.map_err(|_| "the builder failed".to_owned())?;
            let built = built.map_err(|error| told(&error))?;
            let size = self.remember(&request, &built, &order.run).await?;
            // See above.
            drop(order.progress.send(size).await);
            Ok(Built {
                digest: built.digest.to_string(),
                image_id: built.id.to_string(),
            })
        })
    }
}

impl ImageBuilder {
    fn parts(&self, logins: Vec<Login>, cancel: CancellationToken) -> Parts {
        let (hosts, own) = self.own.clone();
        let keyring = move |reference: &Reference| {
            let domain = reference.domain();
            let login = logins.iter().find(|login| host(&login.registry) == domain);
            let login = login.map(|login| Credentials::basic(&login.username, &login.password));
            login.or_else(|| hosts.iter().any(|host| host == domain).then(|| own.clone()))
        };
        Parts {
            store: self.store.clone(),
            folder: self.folder.clone(),
            program: self.program.clone(),
            client: self.client.clone(),
            keyring: Arc::new(keyring),
            runtime: Handle::current(),
            cancel,
        }
    }

    /// Writes down what was built, and says how its size has changed since the last time.
    async fn remember(
        &self,
        request: &Request,
        built: &deploy_build::Built,
        run: &str,
    ) -> Result<String, String> {
        let Some(first) = request.tags.first() else {
            return Ok(format!("{} layers, {}", built.layers, shown_bytes(built.size)));
        };
        let name = format!("{}/{}", first.domain(), first.path());
        let query = Query {
            kinds: vec![BUILT.to_owned()],
            newest_first: true,
            limit: Some(1),
            ..Query::default()
        };
        let page = self.ledger.query(query.of("image", &name)).await;
        let page = page.map_err(|error| with_causes(&error))?;
        let before = page
            .lines
            .first()
            .and_then(|stored| stored.line.data["bytes"].as_u64());
        let tags: Vec<String> = request.tags.iter().map(Reference::to_string).collect();
        let line = Line::new(
            Timestamp::now(),
            Actor::new(ActorKind::Job, "build"),
            BUILT,
            Subject::new("image", name),
        )
        .with(json!({
            "run": run,
            "digest": built.digest.to_string(),
            "id": built.id.to_string(),
            "tags": tags,
            "bytes": built.size,
            "bytes_before": before,
            "layers": built.layers,
            "steps": built.steps,
            "cached": built.cached,
            "pushed": request.push,
        }));
        let appended = self.ledger.append(vec![line]).await;
        appended.map_err(|error| with_causes(&error))?;
        let change = match before {
            None => String::new(),
            Some(before) if before == built.size => ", as before".to_owned(),
            Some(before) if before < built.size => format!(", {} more", shown_bytes(built.size - before)),
            Some(before) => format!(", {} less", shown_bytes(before - built.size)),
        };
        Ok(format!(
            "{} layers, {}{change}; {} of {} steps from the cache",
            built.layers,
            shown_bytes(built.size),
            built.cached,
            built.steps
        ))
    }
}

fn request(order: &BuildOrder) -> Result<Request, String> {
    let mut request = Request::new(&order.context);
    request.dockerfile = order.context.join(&order.dockerfile);
    request.target = order.target.clone();
    request.arguments = order.args.clone();
    request.labels = order.labels.clone();
    request.secrets = order
        .secrets
        .iter()
        .map(|(id, value)| (id.clone(), Secret::new(value.clone().into_bytes())))
        .collect();
    for tag in order.tags.iter().filter(|tag| !tag.is_empty()) {
        let tag = tag
            .parse()
            .map_err(|error| format!("{tag} is no name of an image: {error}"))?;
        request.tags.push(tag);
    }
    request.push = order.push;
    request.no_cache = order.no_cache;
    if request.push && request.tags.is_empty() {
        return Err("push: true needs tags".to_owned());
    }
    Ok(request)
}

/// The host of what people write as a registry.
fn host(registry: &str) -> &str {
    let host = registry
        .trim_start_matches("https://")
        .trim_start_matches("http://");
    let host = host.split('/').next().unwrap_or_default();
    match host {
        "" | "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    }
}

fn line(event: Event) -> Option<String> {
    Some(match event {
        Event::Step {
            number,
            of,
            stage,
            text,
            cached,
        } => {
            let cached = if cached { " (cached)" } else { "" };
            format!("[{stage} {number}/{of}] {text}{cached}")
        }
        Event::Output { line, .. } => format!("  {line}"),
        Event::Done { .. } => return None,
        Event::Pulling { name } => format!("Pulling {name}"),
        Event::Pushing { name } => format!("Pushing {name}"),
    })
}

/// Why there is no image, for the step's log.
fn told(error: &BuildError) -> String {
    let mut lines = vec![with_causes(error)];
    match error {
        BuildError::Problems { problems, .. } => {
            lines.extend(problems.iter().map(Problem::told));
        }
        BuildError::Failed { last, .. } => lines.extend(last.iter().cloned()),
        BuildError::Step { hint, .. } if !hint.is_empty() => lines.push(hint.clone()),
        _ => {}
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_logins() {
        for (registry, expected) in [
            ("", "docker.io"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("ghcr.io", "ghcr.io"),
            ("http://registry.localhost:7050/", "registry.localhost:7050"),
        ] {
            assert_eq!(host(registry), expected);
        }
    }
}
