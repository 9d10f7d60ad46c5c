//! The state of a run, and how functions use it to run further templates.

use std::mem;

use super::Slot;
use super::error::{At, ExecError};
use crate::func::{Funcs, Host};
use crate::parse::Tree;
use crate::set::{Template, TemplateSet};
use crate::stack::deeper;
use crate::value::{Str, Value};

/// What a key that a map does not have gives: `Template.Option("missingkey=...")`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// No value: it prints as `<no value>`, and its fields are no values either.
    #[default]
    Default,
    /// The zero value of the map's elements; that of `interface {}` is nil, which has no fields.
    Zero,
    /// An error.
    Error,
}

/// How to run a template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What missing keys give.
    pub missing_key: MissingKey,
}

/// Runs a template of a set with `data` as its dot.
pub fn execute(
    set: &TemplateSet,
    name: &str,
    data: &Value,
    funcs: &Funcs,
    host: &mut dyn Host,
    options: Options,
) -> Result<Vec<u8>, ExecError> {
    let tree = find(set, name)?;
    let mut ctx = Ctx::new(set, tree, funcs, host, options);
    ctx.tree(data).map_err(|error| *error)?;
    Ok(ctx.out)
}

/// A run. Functions that were added with [`Funcs::add_dynamic`] get it to run templates of their own; their output
/// goes to them, not to the template that called them.
pub struct Ctx<'e> {
    pub(super) set: &'e TemplateSet,
    pub(super) funcs: &'e Funcs,
    pub(super) host: &'e mut dyn Host,
    pub(super) options: Options,
    /// The template that runs.
    pub(super) tree: &'e Tree,
    /// The step that runs, for error messages.
    pub(super) at: Option<At<'e>>,
    /// How many `{{template}}` we are in since the last function that runs templates.
    pub(super) depth: usize,
    pub(super) out: Vec<u8>,
    pub(super) variables: Vec<(&'e str, Slot)>,
    /// The first variable of the template that runs; those before belong to its callers.
    pub(super) base: usize,
    /// The arguments of the calls that are open.
    pub(super) stack: Vec<Value>,
    /// Empty lists for the arguments of functions that run templates, no more than were ever open at once.
    pub(super) spare: Vec<Vec<Value>>,
}

impl<'e> Ctx<'e> {
    fn new(
        set: &'e TemplateSet,
        tree: &'e Tree,
        funcs: &'e Funcs,
        host: &'e mut dyn Host,
        options: Options,
    ) -> Ctx<'e> {
        Ctx {
            set,
            funcs,
            host,
            options,
            tree,
            at: None,
            depth: 0,
            out: Vec::new(),
            variables: Vec::new(),
            base: 0,
            stack: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// The set whose template called.
    pub fn set(&self) -> &'e TemplateSet {
        self.set
    }

    /// The functions of the run.
    pub fn funcs(&self) -> &'e Funcs {
        self.funcs
    }

    /// The options of the run.
    pub fn options(&self) -> Options {
        self.options
    }

    /// The world outside.
    pub fn host(&mut self) -> &mut dyn Host {
        self.host
    }

    /// The template that called: its name, and the name of the file that it stands in.
    pub fn caller(&self) -> (&'e str, &'e str) {
        (&self.tree.name, &self.tree.file)
    }

    /// Runs a template of the same set.
    pub fn execute(&mut self, name: &str, data: &Value) -> Result<Str, ExecError> {
        let tree = find(self.set, name)?;
        let start = self.out.len();
        let tree = mem::replace(&mut self.tree, tree);
        let (at, depth) = (self.at, mem::take(&mut self.depth));
        let variables = self.variables.len();
        let base = mem::replace(&mut self.base, variables);
        let arguments = self.stack.len();

        let result = deeper(|| self.tree(data));

        let text = Str::from(&self.out[start..]);
        self.out.truncate(start);
        self.tree = tree;
        (self.at, self.depth) = (at, depth);
        self.variables.truncate(variables);
        self.stack.truncate(arguments);
        self.base = base;
        result.map(|()| text).map_err(|error| *error)
    }

    /// Runs a template in another set, with the functions and the host of this run.
    pub fn execute_in(
        &mut self,
        set: &TemplateSet,
        template: &Template,
        data: &Value,
        options: Options,
    ) -> Result<Str, ExecError> {
        let mut inner = Ctx::new(set, template.tree(), self.funcs, &mut *self.host, options);
        deeper(|| inner.tree(data)).map_err(|error| *error)?;
        Ok(Str::from(inner.out))
    }

    /// Runs the current tree.
    fn tree(&mut self, data: &Value) -> Result<(), Box<ExecError>> {
        let tree = self.tree;
        let dot = Slot::plain(data.clone());
        self.variables.push(("$", dot.clone()));
        self.nodes(&dot, &tree.root)?;
        Ok(())
    }
}

fn find<'s>(set: &'s TemplateSet, name: &str) -> Result<&'s Tree, ExecError> {
    set.lookup(name).ok_or_else(|| ExecError::NoTemplate {
        name: name.to_owned(),
        set: set.name().to_owned(),
    })
}
