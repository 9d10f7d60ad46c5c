//! Runs the templates of a chart and of the charts below it.

pub mod capabilities;
mod duration;
mod errors;
mod facts;
mod files;
mod functions;
mod run;
mod scope;
mod toml;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use deploy_template::func::Host;
use deploy_template::value::{Map, Value};
use deploy_template::{Funcs, TemplateSet, execute};
use serde_json::Value as Json;

use self::capabilities::Capabilities;
use crate::helm::chart::Chart;
use crate::helm::compat::Compat;
use crate::inputs::{InputKind, Inputs};

pub use errors::EngineError;
pub use facts::{FactKey, Facts};

/// How to run templates.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// A key that is not there is an error.
    pub strict: bool,
    /// `required` and `fail` let it pass, so that lint sees the rest.
    pub lint: bool,
    /// What `lookup` finds.
    pub facts: Facts,
    /// Which helm to be equal to.
    pub compat: Compat,
}

/// `.Release`
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Release {
    pub name: String,
    pub namespace: String,
    pub is_install: bool,
    pub is_upgrade: bool,
    pub revision: i64,
}

/// What a render has made and nobody asks for any more. To take it apart one by one costs a tenth of the render: a
/// process that is about to end may [`std::mem::forget`] it.
#[derive(Default)]
pub struct Leftovers(Vec<Box<dyn Any>>);

impl Leftovers {
    /// Keeps a thing.
    pub fn keep(&mut self, thing: impl Any) {
        self.0.push(Box::new(thing));
    }
}

impl fmt::Debug for Leftovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leftovers({})", self.0.len())
    }
}

/// What the templates gave.
#[derive(Debug, Default)]
pub struct Output {
    /// Text by template (`shop/templates/service.yaml`); partials are left out.
    pub files: BTreeMap<String, String>,
    /// What helm logs: in lint mode, what `required` misses and `fail` says.
    pub warnings: Vec<String>,
    /// Parsed templates.
    pub leftovers: Leftovers,
}

/// The scope of the chart that is rendered: `.Values`, `.Release`, `.Capabilities`.
pub fn top_scope(
    values: &serde_json::Map<String, Json>,
    release: &Release,
    capabilities: &Capabilities,
    compat: Compat,
) -> Map {
    let top = Map::new(BTreeMap::new());
    let entries = values
        .iter()
        .map(|(key, value)| (key.as_str().into(), Value::from_json_integers(value)))
        .collect();
    top.set("Values", Value::Map(scope::values_map(entries, compat)));
    top.set(
        "Release",
        Value::map([
            ("Name", Value::str(release.name.as_str())),
            ("Namespace", Value::str(release.namespace.as_str())),
            ("IsInstall", Value::Bool(release.is_install)),
            ("IsUpgrade", Value::Bool(release.is_upgrade)),
            ("Revision", Value::int(release.revision)),
            ("Service", Value::str("Helm")),
        ]),
    );
    top.set("Capabilities", scope::capabilities_value(capabilities, compat));
    top
}

/// Renders every template of a chart and of the charts below it. `top` is what [`top_scope`] gives; `inputs` gets the
/// look-ups, and a mark if clock or randomness were used.
pub fn render(
    chart: &Chart,
    top: &Map,
    options: &EngineOptions,
    host: &mut dyn Host,
    inputs: &mut Inputs,
) -> Result<Output, EngineError> {
    let mut host = WatchedHost {
        host,
        used: Cell::new(false),
    };
    let state = Rc::new(RefCell::new(run::State::default()));
    let funcs = run::functions(options, &state);
    let mut leftovers = Leftovers::default();
    let result = render_all(chart, top, options, &funcs, &mut host, &state, &mut leftovers);
    let state = state.take();
    leftovers.keep(state.parsed);
    for (key, hash) in state.lookups {
        inputs.record(InputKind::Lookup, key, hash);
    }
    if host.used.get() {
        inputs.record(InputKind::Host, "clock or randomness", [0; 32]);
    }
    Ok(Output {
        files: result?,
        warnings: state.warnings,
        leftovers,
    })
}

/// Renders one text with helm's functions and no chart around it. The error is Go's.
pub fn render_text(
    name: &str,
    text: &str,
    data: &Value,
    options: &EngineOptions,
    host: &mut dyn Host,
) -> Result<String, String> {
    let state = Rc::new(RefCell::new(run::State::default()));
    let funcs = run::functions(options, &state);
    let mut set = TemplateSet::new(name);
    set.parse(name, text, &funcs).map_err(|error| error.to_string())?;
    let output = execute(&set, name, data, &funcs, host, run::options(options.strict));
    output
        .map(|output| String::from_utf8_lossy(&output).into_owned())
        .map_err(|error| error.to_string())
}

fn render_all(
    chart: &Chart,
    top: &Map,
    options: &EngineOptions,
    funcs: &Funcs,
    host: &mut dyn Host,
    state: &RefCell<run::State>,
    leftovers: &mut Leftovers,
) -> Result<BTreeMap<String, String>, EngineError> {
    let mut jobs = scope::jobs(chart, top, options.compat);
    // Deeper paths first, then from the last to the first, so that a parent's definitions replace those of the charts
    // below it; a path that two charts share is the later one's.
    jobs.sort_by(|a, b| order(&b.name).cmp(&order(&a.name)));
    jobs.reverse();
    jobs.dedup_by(|later, kept| later.name == kept.name);
    jobs.reverse();

    let mut set = TemplateSet::new(run::ROOT);
    for job in &jobs {
        set.parse(&job.name, job.text, funcs)
            .map_err(|error| errors::parse_error(&job.name, &error.to_string()))?;
    }
    let mut files = BTreeMap::new();
    let run_options = run::options(options.strict);
    for job in jobs.iter().filter(|job| !is_partial(&job.name)) {
        let about = Map::new(BTreeMap::new());
        about.set("Name", Value::str(job.name.as_str()));
        about.set("BasePath", Value::str(&*job.base_path));
        job.scope.set("Template", Value::Map(about));
        let text = execute(
            &set,
            &job.name,
            &Value::Map(job.scope.clone()),
            funcs,
            host,
            run_options,
        )
        .map_err(|error| state.borrow_mut().explain(&error, options.compat))?;
        files.insert(job.name.clone(), run::without_no_value(text));
    }
    leftovers.keep(set);
    Ok(files)
}

fn order(name: &str) -> (usize, &str) {
    (name.matches('/').count(), name)
}

/// Partials are there to be included; they have no output of their own.
fn is_partial(path: &str) -> bool {
    crate::helm::manifests::sort::base(path).starts_with('_')
}

/// Notes whether a template asked for something that the next render may answer differently.
struct WatchedHost<'h> {
    host: &'h mut dyn Host,
    used: Cell<bool>,
}

impl Host for WatchedHost<'_> {
    fn now_unix_nanos(&self) -> i128 {
        self.used.set(true);
        self.host.now_unix_nanos()
    }

    fn time_zone(&self) -> &str {
        self.host.time_zone()
    }

    fn fill_random(&mut self, buffer: &mut [u8]) {
        self.used.set(true);
        self.host.fill_random(buffer);
    }

    fn env(&self, name: &str) -> Option<String> {
        self.host.env(name)
    }
}
