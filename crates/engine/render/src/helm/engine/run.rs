//! The functions that see the render around them: include, tpl, required, fail, lookup.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use deploy_template::func::{FuncError, FuncResult, Param, Signature};
use deploy_template::value::{Str, Value};
use deploy_template::{Ctx, ExecError, Funcs, MissingKey, Options, Template, TemplateSet, sprig};
use foldhash::HashMap;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::errors::{self, MARK_END, MARK_START};
use super::facts::FactKey;
use super::functions;
use super::{EngineError, EngineOptions};
use crate::helm::compat::Compat;
use crate::helm::go::quote::quoted;
use crate::limits::{INCLUDE_DEPTH, TPL_CACHE, TPL_DEPTH};

/// The name that helm gives to the set of all templates, and to the text of `tpl`.
pub(super) const ROOT: &str = "gotpl";

/// What a key that is not there prints as; helm takes it out of every output, even where a user wrote it.
const NO_VALUE: &str = "<no value>";

/// What is known while a chart is rendered.
#[derive(Default)]
pub(super) struct State {
    /// How often each template is being included right now.
    including: HashMap<Str, Rc<Cell<usize>>>,
    tpl_depth: usize,
    /// Parsed texts of `tpl` that define no templates: they need no set of their own.
    pub parsed: HashMap<Str, Template>,
    /// The errors of templates inside the one that failed, innermost first.
    nested: Vec<ExecError>,
    /// An error of `tpl` lies between them; helm then shows the whole text in one line.
    through_tpl: bool,
    pub warnings: Vec<String>,
    pub lookups: BTreeMap<String, [u8; 32]>,
}

impl State {
    /// The error of the template that was run, with helm's text.
    pub fn explain(&mut self, outermost: &ExecError, compat: Compat) -> EngineError {
        let innermost = self.nested.first().unwrap_or(outermost);
        let from_function =
            matches!(innermost, ExecError::Failed { message, .. } if message.starts_with("error calling "));
        let template_errors = !self.through_tpl && !from_function;
        let chain: Vec<String> = std::iter::once(outermost)
            .chain(self.nested.iter().rev())
            .map(ToString::to_string)
            .collect();
        errors::execution_error(&chain, template_errors, compat)
    }
}

pub(super) fn options(strict: bool) -> Options {
    Options {
        missing_key: if strict {
            MissingKey::Error
        } else {
            MissingKey::Zero
        },
    }
}

/// The output of a template as text, without what absent keys print as.
pub(super) fn without_no_value(output: Vec<u8>) -> String {
    let text =
        String::from_utf8(output).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
    if text.contains(NO_VALUE) {
        text.replace(NO_VALUE, "")
    } else {
        text
    }
}

/// All functions of a version of helm.
pub(super) fn functions(options: &EngineOptions, state: &Rc<RefCell<State>>) -> Funcs {
    let mut funcs = Funcs::new();
    funcs.extend(sprig::functions());
    functions::REMOVED.iter().for_each(|name| funcs.remove(name));
    funcs.extend(functions::functions(options.compat));

    let shared = Rc::clone(state);
    add(
        &mut funcs,
        "include",
        &[Param::String, Param::Any],
        move |ctx, args| include(&shared, ctx, args),
    );
    let shared = Rc::clone(state);
    let strict = options.strict;
    add(
        &mut funcs,
        "tpl",
        &[Param::String, Param::Any],
        move |ctx, args| tpl(&shared, strict, ctx, args),
    );
    let shared = Rc::clone(state);
    let lint = options.lint;
    add(
        &mut funcs,
        "required",
        &[Param::String, Param::Any],
        move |_, args| {
            let missing = match &args[1] {
                Value::Nil => true,
                Value::Str(text) => text.is_empty(),
                _ => false,
            };
            match (missing, lint) {
                (false, _) => Ok(args[1].clone()),
                (true, true) => {
                    shared
                        .borrow_mut()
                        .warnings
                        .push(format!("missing required value: {}", text(&args[0])));
                    Ok(Value::str(""))
                }
                (true, false) => Err(marked(&args[0])),
            }
        },
    );
    let shared = Rc::clone(state);
    add(&mut funcs, "fail", &[Param::String], move |_, args| {
        if !lint {
            return Err(marked(&args[0]));
        }
        shared
            .borrow_mut()
            .warnings
            .push(format!("fail: {}", text(&args[0])));
        Ok(Value::str(""))
    });
    let shared = Rc::clone(state);
    let facts = options.facts.clone();
    add(&mut funcs, "lookup", &[Param::String; 4], move |_, args| {
        if lint {
            return Ok(Value::from_json(&Json::Object(Default::default())));
        }
        let key = FactKey {
            api_version: text(&args[0]),
            kind: text(&args[1]),
            namespace: text(&args[2]),
            name: text(&args[3]),
        };
        let found = facts.look_up(&key);
        let name = format!("{}/{}/{}/{}", key.api_version, key.kind, key.namespace, key.name);
        let hash = Sha256::digest(found.to_string().as_bytes()).into();
        shared.borrow_mut().lookups.insert(name, hash);
        Ok(Value::from_json_integers(&found))
    });
    funcs
}

fn add(
    funcs: &mut Funcs,
    name: &'static str,
    params: &'static [Param],
    body: impl for<'a, 'b> Fn(&'a mut Ctx<'b>, &[Value]) -> FuncResult + 'static,
) {
    funcs.add_dynamic(
        name,
        Signature {
            params,
            variadic: None,
        },
        body,
    );
}

fn text(value: &Value) -> String {
    match value {
        Value::Str(text) => text.to_str().into_owned(),
        _ => String::new(),
    }
}

fn marked(message: &Value) -> FuncError {
    FuncError::new(format!("{MARK_START}{}{MARK_END}", text(message)))
}

fn include(state: &RefCell<State>, ctx: &mut Ctx<'_>, args: &[Value]) -> FuncResult {
    let Value::Str(name) = &args[0] else {
        return Err(FuncError::new("include needs a name"));
    };
    let count = state.borrow().including.get(name).map(Rc::clone);
    let count = count.unwrap_or_else(|| {
        let mut state = state.borrow_mut();
        Rc::clone(state.including.entry(name.clone()).or_default())
    });
    if count.get() > INCLUDE_DEPTH {
        return Err(FuncError::new(format!(
            "rendering template has a nested reference name: {}: unable to execute template",
            name.to_str()
        )));
    }
    count.set(count.get() + 1);
    let result = ctx.execute(&name.to_str(), &args[1]);
    count.set(count.get() - 1);
    match result {
        Ok(text) => Ok(Value::Str(text)),
        Err(error) => {
            let failure = FuncError::new(error.to_string());
            state.borrow_mut().nested.push(error);
            Err(failure)
        }
    }
}

/// Renders a text as a template that sees all others. What it defines is seen by itself and by what it calls.
fn tpl(state: &RefCell<State>, strict: bool, ctx: &mut Ctx<'_>, args: &[Value]) -> FuncResult {
    let Value::Str(source) = &args[0] else {
        return Err(FuncError::new("tpl needs a text"));
    };
    if !contains(source.as_bytes(), b"{{") {
        return Ok(Value::Str(cleaned(source)));
    }
    let cached = state.borrow().parsed.get(source).cloned();
    let (template, set) = match cached {
        Some(template) => (template, None),
        None => parse_tpl(state, ctx, source)?,
    };
    if state.borrow().tpl_depth >= TPL_DEPTH {
        return Err(FuncError::new(format!(
            "tpl calls itself more than {TPL_DEPTH} times"
        )));
    }
    state.borrow_mut().tpl_depth += 1;
    let surrounding = ctx.set();
    let result = ctx.execute_in(
        set.as_ref().unwrap_or(surrounding),
        &template,
        &args[1],
        options(strict),
    );
    let mut state = state.borrow_mut();
    state.tpl_depth -= 1;
    result.map(|text| Value::Str(cleaned(&text))).map_err(|error| {
        let message = format!(
            "error during tpl function execution for {}: {error}",
            quoted(&source.to_str())
        );
        state.nested.push(error);
        state.through_tpl = true;
        FuncError::new(message)
    })
}

/// A text that defines nothing runs in the set around it; copies of that set are for texts that do.
fn parse_tpl(
    state: &RefCell<State>,
    ctx: &Ctx<'_>,
    source: &Str,
) -> Result<(Template, Option<TemplateSet>), FuncError> {
    let refused = |error: deploy_template::ParseError| {
        FuncError::new(format!(
            "cannot parse template {}: {error}",
            quoted(&source.to_str())
        ))
    };
    let (template, set) = ctx
        .set()
        .parse_beside(ROOT, source.as_bytes(), ctx.funcs())
        .map_err(refused)?;
    if set.is_none() {
        let mut state = state.borrow_mut();
        if state.parsed.len() < TPL_CACHE {
            state.parsed.insert(source.clone(), template.clone());
        }
    }
    Ok((template, set))
}

fn cleaned(text: &Str) -> Str {
    if contains(text.as_bytes(), NO_VALUE.as_bytes()) {
        Str::from(text.to_str().replace(NO_VALUE, ""))
    } else {
        text.clone()
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let mut rest = haystack;
    while let Some(at) = rest.iter().position(|byte| *byte == needle[0]) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}
