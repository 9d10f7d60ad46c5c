//! `docker/login-action`, `docker/metadata-action` and `docker/build-push-action`, by the builder of Deploy.

use std::collections::BTreeMap;
use std::path::PathBuf;

use deploy_workflow::run::Phase;

use super::Task;
use crate::Later;
use crate::room::{Inside, absolute, blocking, locked};

/// What signs in to a registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Its host; empty is Docker Hub.
    pub registry: String,
    /// The user's name.
    pub username: String,
    /// Never shown.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({} at {})", self.username, self.registry)
    }
}

/// An image to build.
#[derive(Debug)]
pub struct BuildOrder {
    /// The run that wants it.
    pub run: String,
    /// The build context, on this machine: a copy that nobody changes, which is the caller's to remove.
    pub context: PathBuf,
    /// The Dockerfile, relative to the context.
    pub dockerfile: PathBuf,
    /// The stage; none is the last.
    pub target: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Secrets by id.
    pub secrets: BTreeMap<String, String>,
    /// Full names with tags.
    pub tags: Vec<String>,
    /// Whether it goes to the registry of its names.
    pub push: bool,
    /// Whether nothing is taken from the cache.
    pub no_cache: bool,
    /// Who signs in where.
    pub logins: Vec<Login>,
    /// Takes what the builder says, line by line.
    pub progress: tokio::sync::mpsc::Sender<String>,
}

/// An image that was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Built {
    /// The manifest's digest.
    pub digest: String,
    /// The configuration's digest.
    pub image_id: String,
}

/// Builds images: `crates/ci/build` behind it.
pub trait Builder: Send + Sync + 'static {
    /// Builds one. The error is for people.
    fn build(&self, order: BuildOrder) -> Later<'_, Result<Built, String>>;
}

pub(super) async fn login(task: &mut Task<'_>, phase: Phase) -> Result<(), String> {
    let registry = task.input("registry").to_owned();
    let mut told = None;
    {
        let mut logins = locked(&task.job.logins);
        logins.retain(|login| login.registry != registry);
        if phase == Phase::Main {
            let login = Login {
                registry: registry.clone(),
                username: task.input("username").to_owned(),
                password: task.input("password").to_owned(),
            };
            if login.username.is_empty() || login.password.is_empty() {
                return Err("Username and password required".to_owned());
            }
            locked(&task.job.masker).add(&login.password);
            told = Some(format!("Login Succeeded: {} at {registry}", login.username));
            logins.push(login);
        }
    }
    let text = told.unwrap_or_else(|| format!("Removing login credentials for {registry}"));
    task.say(text).await;
    Ok(())
}

pub(super) async fn build(task: &mut Task<'_>) -> Result<(), String> {
    let Some(builder) = task.context.builder.clone() else {
        return Err(
            "There is no builder here: `deploy run ci` has one, and `deploy build` builds by hand."
                .to_owned(),
        );
    };
    for name in ["platforms", "outputs", "build-contexts", "ssh"] {
        if !task.input(name).is_empty() {
            let text = format!("##[warning]{name} is not supported and left out");
            task.say(text).await;
        }
    }
    let workspace = task.job.workspace.clone();
    let context = absolute(task.input("context"), &workspace, &task.job.room.home());
    let file = match task.input("file") {
        "" => context.join("Dockerfile"),
        file => absolute(file, &workspace, &task.job.room.home()),
    };
    let dockerfile = file.strip_prefix(&context).map_err(|_| {
        format!(
            "the Dockerfile {} is outside of the context {}",
            file.display(),
            context.display()
        )
    })?;
    let copy = task.context.scratch(&task.job.id);
    let inside = task.job.room.inside().await.map_err(|error| error.to_string())?;
    let (from, to) = (context.clone(), copy.clone());
    let copied = blocking(move || copy_out(&inside, &from, &to)).await;
    copied.map_err(|error| format!("copying the context {}: {error}", context.display()))?;
    let (progress, mut lines) = tokio::sync::mpsc::channel(64);
    let order = BuildOrder {
        run: task.context.run.clone(),
        context: copy.clone(),
        dockerfile: dockerfile.to_owned(),
        target: Some(task.input("target").to_owned()).filter(|target| !target.is_empty()),
        args: pairs(&task.lines("build-args")),
        labels: pairs(&task.lines("labels")),
        secrets: pairs(&task.lines("secrets")),
        tags: task
            .lines("tags")
            .iter()
            .flat_map(|line| line.split(','))
            .map(|tag| tag.trim().to_owned())
            .collect(),
        push: task.flag("push"),
        no_cache: task.flag("no-cache"),
        logins: locked(&task.job.logins).clone(),
        progress,
    };
    let building = builder.build(order);
    tokio::pin!(building);
    let built = loop {
        tokio::select! {
            Some(line) = lines.recv() => task.say(line).await,
            built = &mut building => break built,
        }
    };
    while let Ok(line) = lines.try_recv() {
        task.say(line).await;
    }
    let removed = blocking(move || std::fs::remove_dir_all(copy)).await;
    let built = built?;
    removed.map_err(|error| format!("removing the copy of the context: {error}"))?;
    task.output("digest", built.digest.clone());
    task.output("imageid", built.image_id.clone());
    let metadata = serde_json::json!({
        "containerimage.digest": built.digest,
        "containerimage.config.digest": built.image_id,
        "image.name": task.lines("tags").join(","),
    });
    task.output("metadata", metadata.to_string());
    task.say(format!("Built {}", built.digest)).await;
    Ok(())
}

/// Copies a folder of the job to one of ours. Links are copied as they are, and never followed.
fn copy_out(inside: &Inside, from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
    use std::fs;
    use std::os::fd::AsFd;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    fs::create_dir_all(to)?;
    let folder = inside.folder(from)?;
    crate::room::walk(folder.as_fd(), &mut |found, folder, leaf| {
        let at = to.join(&found.path);
        if found.kind.is_dir() {
            fs::create_dir(&at)?;
            fs::set_permissions(&at, fs::Permissions::from_mode(found.stat.st_mode & 0o777))?;
        } else if found.kind.is_symlink() {
            let link = rustix::fs::readlinkat(folder, leaf, Vec::new())?;
            symlink(std::ffi::OsStr::from_bytes(link.to_bytes()), &at)?;
        } else if let Ok(mut file) = crate::room::open_found(folder, leaf) {
            let mut copy = fs::File::create_new(&at)?;
            std::io::copy(&mut file, &mut copy)?;
            copy.set_permissions(fs::Permissions::from_mode(found.stat.st_mode & 0o777))?;
        }
        Ok(true)
    })
}

/// `name=value`, a line each.
fn pairs(lines: &[String]) -> BTreeMap<String, String> {
    let pairs = lines.iter().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
        .collect()
}

/// What `docker/metadata-action` makes of the run: tags and labels.
pub(super) async fn metadata(task: &mut Task<'_>) -> Result<(), String> {
    let github = &task.context.github;
    let text = |name: &str| {
        github
            .get(name)
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
    };
    let rules = task.lines("tags");
    let facts = Facts {
        reference: text("ref"),
        sha: text("sha"),
        event: text("event_name"),
    };
    let versions = versions(&rules, &facts);
    let images: Vec<String> = task
        .lines("images")
        .iter()
        .flat_map(|line| line.split(','))
        .map(image_name)
        .collect();
    let separator = match task.input("sep-tags") {
        "" => "\n",
        other => other,
    }
    .to_owned();
    let tags: Vec<String> = images
        .iter()
        .flat_map(|image| versions.iter().map(move |version| format!("{image}:{version}")))
        .collect();
    let mut labels = vec![
        format!("org.opencontainers.image.revision={}", facts.sha),
        format!(
            "org.opencontainers.image.version={}",
            versions.first().cloned().unwrap_or_default()
        ),
        format!(
            "org.opencontainers.image.source={}/{}",
            text("server_url"),
            text("repository")
        ),
    ];
    labels.extend(task.lines("labels"));
    let json = serde_json::json!({"tags": tags, "labels": pairs(&labels)});
    task.output("version", versions.first().cloned().unwrap_or_default());
    task.output("tags", tags.join(&separator));
    task.output("labels", labels.join("\n"));
    task.output("json", json.to_string());
    task.say(format!("Tags: {}", tags.join(" "))).await;
    Ok(())
}

/// `name=image,enable=true` or the image itself, in small letters as references are.
fn image_name(text: &str) -> String {
    let text = text.trim();
    text.strip_prefix("name=").unwrap_or(text).to_lowercase()
}

struct Facts<'a> {
    reference: &'a str,
    sha: &'a str,
    event: &'a str,
}

/// The tags that rules like `type=semver,pattern={{version}}` make; the usual ones where there is no rule.
fn versions(rules: &[String], facts: &Facts<'_>) -> Vec<String> {
    let usual = [
        "type=schedule",
        "type=ref,event=branch",
        "type=ref,event=tag",
        "type=ref,event=pr",
    ];
    let usual: Vec<String> = usual.map(str::to_owned).into();
    let rules = if rules.is_empty() { &usual } else { rules };
    let mut versions: Vec<String> = Vec::new();
    for rule in rules {
        for version in version(rule, facts) {
            let clean: String = version
                .chars()
                .map(|c| {
                    if c.is_ascii_alphanumeric() || "._-".contains(c) {
                        c
                    } else {
                        '-'
                    }
                })
                .collect();
            if !clean.is_empty() && !versions.contains(&clean) {
                versions.push(clean);
            }
        }
    }
    versions
}

fn version(rule: &str, facts: &Facts<'_>) -> Vec<String> {
    let fields: BTreeMap<&str, &str> = rule
        .split(',')
        .filter_map(|field| field.split_once('='))
        .collect();
    let field = |name: &str| fields.get(name).copied().map(str::trim).unwrap_or_default();
    if field("enable").eq_ignore_ascii_case("false") {
        return Vec::new();
    }
    let branch = facts.reference.strip_prefix("refs/heads/");
    let tag = facts.reference.strip_prefix("refs/tags/");
    let pull = facts
        .reference
        .strip_prefix("refs/pull/")
        .and_then(|rest| rest.split('/').next());
    let found: Vec<String> = match (fields.get("type").copied().unwrap_or("raw"), field("event")) {
        ("ref", "branch") => branch.map(str::to_owned).into_iter().collect(),
        ("ref", "tag") => {
            let latest = tag
                .filter(|_| field("latest") != "false")
                .map(|_| "latest".to_owned());
            tag.map(str::to_owned).into_iter().chain(latest).collect()
        }
        ("ref", "pr") => pull.map(|number| format!("pr-{number}")).into_iter().collect(),
        ("sha", _) => {
            let prefix = fields.get("prefix").copied().unwrap_or("sha-");
            let long = field("format") == "long";
            let sha = if long {
                facts.sha
            } else {
                facts.sha.get(..7).unwrap_or(facts.sha)
            };
            return vec![format!("{prefix}{sha}{}", field("suffix"))];
        }
        ("semver", _) => {
            let value = if field("value").is_empty() {
                tag.unwrap_or_default()
            } else {
                field("value")
            };
            semver(value, field("pattern"))
        }
        ("raw", _) => vec![
            if field("value").is_empty() {
                rule
            } else {
                field("value")
            }
            .to_owned(),
        ],
        ("schedule", _) if facts.event == "schedule" => vec!["nightly".to_owned()],
        ("edge", _) => branch.map(|_| "edge".to_owned()).into_iter().collect(),
        _ => Vec::new(),
    };
    let dress = |text: String| match text.as_str() {
        "latest" => text,
        _ => format!("{}{text}{}", field("prefix"), field("suffix")),
    };
    found.into_iter().map(dress).collect()
}

/// A version in a pattern: nothing where it is none; `latest` too, where it is no pre-release.
fn semver(value: &str, pattern: &str) -> Vec<String> {
    let plain = value.strip_prefix('v').unwrap_or(value);
    let (core, _) = plain.split_once('+').unwrap_or((plain, ""));
    let (numbers, pre) = core
        .split_once('-')
        .map_or((core, None), |(numbers, pre)| (numbers, Some(pre)));
    let parts: Vec<&str> = numbers.split('.').collect();
    let numeric = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if parts.len() != 3 || !parts.iter().all(numeric) {
        return Vec::new();
    }
    // Of a pre-release, only the whole version is a tag (metadata-action, README `type=semver`).
    if pre.is_some() {
        return vec![core.to_owned()];
    }
    let text = pattern
        .replace("{{version}}", core)
        .replace("{{raw}}", value)
        .replace("{{major}}", parts[0])
        .replace("{{minor}}", parts[1])
        .replace("{{patch}}", parts[2]);
    vec![text, "latest".to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rules: &[&str], reference: &str) -> Vec<String> {
        let rules: Vec<String> = rules.iter().map(|rule| (*rule).to_owned()).collect();
        let facts = Facts {
            reference,
            sha: "0123456789abcdef",
            event: "push",
        };
        versions(&rules, &facts)
    }

    #[test]
    fn tags_come_from_the_reference() {
        assert_eq!(of(&[], "refs/heads/feature/x"), ["feature-x"]);
        assert_eq!(of(&[], "refs/tags/v1.2.3"), ["v1.2.3", "latest"]);
        assert_eq!(of(&[], "refs/pull/7/merge"), ["pr-7"]);
        assert_eq!(
            of(&["type=sha", "type=raw,value=x"], "refs/heads/main"),
            ["sha-0123456", "x"]
        );
        let rules = [
            "type=semver,pattern={{version}}",
            "type=semver,pattern={{major}}.{{minor}}",
        ];
        assert_eq!(of(&rules, "refs/tags/v1.2.3"), ["1.2.3", "latest", "1.2"]);
        assert_eq!(of(&rules, "refs/tags/v1.2.3-rc.1"), ["1.2.3-rc.1"]);
        assert_eq!(of(&rules, "refs/heads/main"), [] as [&str; 0]);
    }
}
