//! An app, as its `deploy.yaml` says: what it ships, how that becomes objects, and which way a version goes.

use deploy_model::{Code, Diagnostic};
use deploy_yaml::Node;
use jiff::SignedDuration;

use crate::fields::{Fields, Problems};
use crate::limits::DEADLINE;

/// The version of the kinds of Deploy.
pub const API_VERSION: &str = "deploy.platform/v1alpha1";

/// What a team ships.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// A DNS label; it names folders of the state repository.
    pub name: String,
    /// Images that a release pins by digest.
    pub images: Vec<Image>,
    /// How sources become objects.
    pub render: Render,
    /// In the order of promotion; at least one.
    pub environments: Vec<Environment>,
    /// How many objects of a target may go at once without asking.
    pub deletion_budget: usize,
    /// What happens to changes that somebody made in a cluster.
    pub drift: Drift,
    /// How long a wave may take to become healthy, where its environment says nothing.
    pub deadline: SignedDuration,
}

/// An image of the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// How the app calls it.
    pub name: String,
    /// Where it is pushed to, without tag: `registry.localhost:7050/shop`.
    pub repository: String,
    /// For charts: the value that takes the digest, as a path: `image.digest`.
    pub digest_value: Option<String>,
}

/// How sources become objects. Paths are below the app's folder; `{environment}` and `{site}` in them are filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Render {
    /// A Helm chart.
    Helm {
        /// Its folder.
        chart: String,
        /// Of the release; the app's where nothing is said.
        release_name: String,
        /// The later one wins.
        values_files: Vec<String>,
    },
    /// A folder with a `kustomization.yaml`.
    Kustomize {
        /// The folder.
        path: String,
    },
    /// A folder of manifests.
    Plain {
        /// The folder.
        path: String,
    },
}

/// A step of promotion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// A DNS label: `prod`.
    pub name: String,
    /// Its sites in waves: those of a wave go together, and all must be healthy before the next one.
    pub waves: Vec<Wave>,
    /// Whether a version comes here by itself from the environment before.
    pub promote: Promote,
    /// How many people must approve a version that goes here.
    pub approvals: usize,
    /// How long a wave may take to become healthy.
    pub deadline: SignedDuration,
}

impl Environment {
    /// All sites, in the order of their waves.
    pub fn sites(&self) -> impl Iterator<Item = &str> {
        self.waves
            .iter()
            .flat_map(|wave| wave.sites.iter().map(String::as_str))
    }
}

/// Sites that get a version at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wave {
    /// Their names.
    pub sites: Vec<String>,
    /// How long it must have been healthy before the next wave begins.
    pub hold: SignedDuration,
}

/// How a version comes into an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promote {
    /// Once it is healthy in the environment before; into the first one, with its build.
    Automatic,
    /// When somebody says `deploy promote`.
    Manual,
}

/// What happens to changes that somebody made in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// They are told.
    Report,
    /// They are undone, and told.
    Undo,
    /// They are proposed as a commit to the state repository.
    Propose,
}

/// Reads a `deploy.yaml`. All that is wrong with it is told at once.
pub fn read(source: &[u8], file: &str) -> Result<App, Vec<Diagnostic>> {
    let mut problems = Problems::new(file);
    let documents = problems.documents(source);
    let app = match documents.as_slice() {
        [document] => app(document, &mut problems),
        [] => None,
        [_, second, ..] => {
            problems.invalid(second.position, "---", "1");
            None
        }
    };
    problems.finish(app)
}

fn app(document: &Node, problems: &mut Problems) -> Option<App> {
    let mut fields = Fields::of(document, "", problems)?;
    head(&mut fields, "App", problems);
    let name = named(&mut fields, problems);
    let spec = fields.required("spec", problems);
    fields.done(problems);

    let mut spec = Fields::of(spec?, "spec", problems)?;
    let images = spec.items("images", problems);
    let images = images
        .iter()
        .filter_map(|(path, node)| image(path, node, problems))
        .collect();
    let deadline = spec.duration("deadline", problems).unwrap_or(DEADLINE);
    let render = spec.required("render", problems).and_then(|node| {
        let app = name.as_deref().unwrap_or_default();
        render(node, app, problems)
    });
    let environments = environments(&mut spec, deadline, problems);
    let deletion_budget = spec.number("deletionBudget", 0..=10_000, problems);
    let policies = [
        ("report", Drift::Report),
        ("undo", Drift::Undo),
        ("propose", Drift::Propose),
    ];
    let drift = spec.word("drift", &policies, problems);
    spec.done(problems);
    Some(App {
        name: name?,
        images,
        render: render?,
        environments,
        deletion_budget: deletion_budget.unwrap_or(3),
        drift: drift.unwrap_or(Drift::Report),
        deadline,
    })
}

/// `apiVersion` and `kind`.
pub(crate) fn head(fields: &mut Fields, kind: &'static str, problems: &mut Problems) {
    for (name, wanted) in [("apiVersion", API_VERSION), ("kind", kind)] {
        if let Some(node) = fields.required(name, problems)
            && node.as_str() != Some(wanted)
        {
            problems.invalid(node.position, name, wanted);
        }
    }
}

/// `metadata.name`, a DNS label: it becomes a part of names and hosts.
pub(crate) fn named(fields: &mut Fields, problems: &mut Problems) -> Option<String> {
    let metadata = fields.required("metadata", problems)?;
    let mut metadata = Fields::of(metadata, "metadata", problems)?;
    let name = label(&mut metadata, "name", problems);
    metadata.done(problems);
    name
}

fn label(fields: &mut Fields, field: &'static str, problems: &mut Problems) -> Option<String> {
    let node = fields.required(field, problems)?;
    let name = node.as_str().filter(|name| is_label(name));
    if name.is_none() {
        problems.invalid(
            node.position,
            &fields.path(field),
            "[a-z0-9]([-a-z0-9]*[a-z0-9])? (<= 63)",
        );
    }
    name.map(str::to_owned)
}

/// RFC 1123, as Kubernetes has it.
fn is_label(name: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = name.bytes().next().is_some_and(letters) && name.bytes().last().is_some_and(letters);
    ends && name.len() <= 63 && name.bytes().all(|byte| letters(byte) || byte == b'-')
}

fn image(path: &str, node: &Node, problems: &mut Problems) -> Option<Image> {
    let mut fields = Fields::of(node, path, problems)?;
    let name = fields.required_text("name", problems);
    let repository = fields.required_text("repository", problems);
    let digest_value = fields.text("digestValue", problems);
    fields.done(problems);
    Some(Image {
        name: name?,
        repository: repository?,
        digest_value,
    })
}

fn render(node: &Node, app: &str, problems: &mut Problems) -> Option<Render> {
    let mut fields = Fields::of(node, "spec.render", problems)?;
    let ways = ["helm", "kustomize", "plain"].map(|way| (way, fields.get(way)));
    let mut there = ways.into_iter().filter_map(|(way, node)| Some((way, node?)));
    let (first, second) = (there.next(), there.next());
    if first.is_none() || second.is_some() {
        problems.invalid(fields.position(), "spec.render", "helm | kustomize | plain");
    }
    fields.done(problems);
    let (way, node) = first?;
    let mut fields = Fields::of(node, format!("spec.render.{way}"), problems)?;
    let render = if way == "helm" {
        let chart = inside(&mut fields, "chart", problems);
        let release_name = fields
            .text("releaseName", problems)
            .unwrap_or_else(|| app.to_owned());
        let values_files = values_files(&mut fields, problems);
        chart.map(|chart| Render::Helm {
            chart,
            release_name,
            values_files,
        })
    } else {
        let path = inside(&mut fields, "path", problems);
        path.map(|path| {
            if way == "kustomize" {
                Render::Kustomize { path }
            } else {
                Render::Plain { path }
            }
        })
    };
    fields.done(problems);
    render
}

fn values_files(fields: &mut Fields, problems: &mut Problems) -> Vec<String> {
    let mut files = Vec::new();
    for (path, item) in fields.items("valuesFiles", problems) {
        match item.as_str().filter(|text| is_inside(text)) {
            Some(text) => files.push(text.to_owned()),
            None => problems.invalid(item.position, &path, "values/{site}.yaml"),
        }
    }
    files
}

/// A path that stays in the app's folder.
fn inside(fields: &mut Fields, name: &'static str, problems: &mut Problems) -> Option<String> {
    let node = fields.required(name, problems)?;
    let path = node.as_str().filter(|text| is_inside(text));
    if path.is_none() {
        problems.invalid(node.position, &fields.path(name), "folder/{environment}/{site}");
    }
    path.map(str::to_owned)
}

/// Relative, without `..`, and with no other braces than those that are filled in.
fn is_inside(path: &str) -> bool {
    let filled = path.replace("{site}", "s").replace("{environment}", "e");
    !path.is_empty()
        && !path.starts_with('/')
        && path.split('/').all(|part| part != "..")
        && !filled.contains(['{', '}', '\\', '\0'])
}

fn environments(spec: &mut Fields, deadline: SignedDuration, problems: &mut Problems) -> Vec<Environment> {
    if spec.required("environments", problems).is_none() {
        return Vec::new();
    }
    let items = spec.items("environments", problems);
    if items.is_empty() {
        problems.invalid(spec.position(), "spec.environments", "[...] (>= 1)");
    }
    let mut all: Vec<Environment> = Vec::new();
    for (path, node) in items {
        let Some(found) = environment(&path, node, deadline, problems) else {
            continue;
        };
        if all.iter().any(|earlier| earlier.name == found.name) {
            let diagnostic =
                Diagnostic::new(Code::AppFieldTwice).with("field", format!("{path}: {}", found.name));
            problems.add(node.position, diagnostic);
        }
        all.push(found);
    }
    all
}

fn environment(
    path: &str,
    node: &Node,
    deadline: SignedDuration,
    problems: &mut Problems,
) -> Option<Environment> {
    let mut fields = Fields::of(node, path, problems)?;
    let name = label(&mut fields, "name", problems);
    let sites = fields.texts("sites", problems);
    let items = fields.items("waves", problems);
    let mut waves: Vec<Wave> = Vec::new();
    for (path, node) in &items {
        waves.extend(wave(path, node, problems));
    }
    let ways = [("automatic", Promote::Automatic), ("manual", Promote::Manual)];
    let promote = fields.word("promote", &ways, problems).unwrap_or(Promote::Manual);
    let approvals = fields.number("approvals", 0..=20, problems).unwrap_or(0);
    let deadline = fields.duration("deadline", problems).unwrap_or(deadline);
    agree(&fields, &sites, &waves, problems);
    fields.done(problems);
    if waves.is_empty() {
        waves.push(Wave {
            sites,
            hold: SignedDuration::ZERO,
        });
    }
    Some(Environment {
        name: name?,
        waves,
        promote,
        approvals,
        deadline,
    })
}

fn wave(path: &str, node: &Node, problems: &mut Problems) -> Option<Wave> {
    let mut fields = Fields::of(node, path, problems)?;
    let sites = fields.texts("sites", problems);
    if sites.is_empty() {
        problems.invalid(node.position, &fields.path("sites"), "[...] (>= 1)");
    }
    let hold = fields.duration("hold", problems).unwrap_or(SignedDuration::ZERO);
    fields.done(problems);
    Some(Wave { sites, hold })
}

/// Sites and waves must name the same sites, each once. One of both is enough.
fn agree(fields: &Fields, sites: &[String], waves: &[Wave], problems: &mut Problems) {
    let mut in_waves: Vec<&str> = Vec::new();
    for site in waves.iter().flat_map(|wave| &wave.sites) {
        if in_waves.contains(&site.as_str()) {
            let diagnostic = Diagnostic::new(Code::AppFieldTwice)
                .with("field", format!("{}: {site}", fields.path("waves")));
            problems.add(fields.position(), diagnostic);
        }
        in_waves.push(site);
    }
    if sites.is_empty() && waves.is_empty() {
        let diagnostic = Diagnostic::new(Code::AppFieldMissing).with("field", fields.path("sites"));
        problems.add(fields.position(), diagnostic);
    }
    if sites.is_empty() || waves.is_empty() {
        return;
    }
    let missing = sites
        .iter()
        .filter(|site| !in_waves.contains(&site.as_str()))
        .map(String::as_str);
    let extra = in_waves
        .iter()
        .copied()
        .filter(|site| !sites.iter().any(|other| other == site));
    for site in missing.chain(extra) {
        let diagnostic = Diagnostic::new(Code::AppWavesDisagree)
            .with("field", fields.path("waves"))
            .with("site", site);
        problems.add(fields.position(), diagnostic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "
apiVersion: deploy.platform/v1alpha1
kind: App
metadata: { name: shop }
spec:
  render: { plain: { path: manifests } }
  environments:
    - name: prod
      sites: [us]
";

    fn problems(text: &str) -> Vec<String> {
        let found = read(text.as_bytes(), "deploy.yaml").expect_err("it is wrong");
        found
            .iter()
            .map(|problem| {
                let place = problem.place.as_ref().expect("each has one");
                let args: Vec<String> = problem
                    .args
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                format!(
                    "{}:{} {:?} {}",
                    place.line,
                    place.column,
                    problem.code,
                    args.join(" ")
                )
            })
            .collect()
    }

    #[test]
    fn the_smallest_app_has_the_defaults() {
        let app = read(SMALL.as_bytes(), "deploy.yaml").expect("it is right");
        assert_eq!(
            (app.name.as_str(), app.deletion_budget, app.drift),
            ("shop", 3, Drift::Report)
        );
        assert_eq!(
            app.render,
            Render::Plain {
                path: "manifests".to_owned()
            }
        );
        let environment = &app.environments[0];
        assert_eq!(environment.sites().collect::<Vec<_>>(), ["us"]);
        assert_eq!(
            (environment.promote, environment.approvals, environment.deadline),
            (Promote::Manual, 0, DEADLINE)
        );
    }

    #[test]
    fn what_is_wrong_is_told_at_once_with_its_place() {
        let text = SMALL
            .replace("name: shop", "name: Shop")
            .replace("sites: [us]", "site: [us]\n      aprovals: many")
            .replace("path: manifests", "path: ../other");
        assert_eq!(
            problems(&text),
            [
                "4:19 AppFieldInvalid field=metadata.name expected=[a-z0-9]([-a-z0-9]*[a-z0-9])? (<= 63)",
                "6:28 AppFieldInvalid field=spec.render.plain.path expected=folder/{environment}/{site}",
                "8:7 AppFieldMissing field=spec.environments[0].sites",
                "9:7 AppFieldUnknown field=spec.environments[0].site instead=sites",
                "10:7 AppFieldUnknown field=spec.environments[0].aprovals instead=approvals",
            ]
        );
    }

    #[test]
    fn waves_and_sites_name_the_same() {
        let text = SMALL.replace(
            "sites: [us]",
            "sites: [us, de]\n      waves: [{sites: [us]}, {sites: [us, my]}]",
        );
        let found = problems(&text);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(
            found[0].contains("AppFieldTwice") && found[0].ends_with("waves: us"),
            "{found:?}"
        );
        assert!(
            found[1].contains("AppWavesDisagree") && found[1].ends_with("site=de"),
            "{found:?}"
        );
        assert!(found[2].ends_with("site=my"), "{found:?}");
    }
}
