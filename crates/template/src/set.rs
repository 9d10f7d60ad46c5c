//! A set of named templates that can call each other.

use std::rc::Rc;

use foldhash::{HashMap, HashMapExt as _};

use crate::func::Funcs;
use crate::parse::{ParseError, ParseOptions, Tree, parse};

/// Named templates. Cloning is cheap: a clone sees the templates of its origin, and what is parsed into it stays its
/// own.
#[derive(Clone)]
pub struct TemplateSet {
    name: Rc<str>,
    options: Rc<ParseOptions>,
    shared: Rc<HashMap<Rc<str>, Rc<Tree>>>,
    own: HashMap<Rc<str>, Rc<Tree>>,
}

/// One parsed template, to run it whatever its name means in a set by now.
#[derive(Clone)]
pub struct Template(Rc<Tree>);

impl Template {
    /// The template's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its parse tree.
    pub fn tree(&self) -> &Tree {
        &self.0
    }
}

impl TemplateSet {
    /// An empty set. The name is for error messages (`no template "x" associated with template "gotpl"`).
    pub fn new(name: &str) -> TemplateSet {
        TemplateSet::with_options(name, ParseOptions::default())
    }

    /// An empty set with other delimiters or bounds.
    pub fn with_options(name: &str, options: ParseOptions) -> TemplateSet {
        TemplateSet {
            name: Rc::from(name),
            options: Rc::new(options),
            shared: Rc::default(),
            own: HashMap::new(),
        }
    }

    /// The name of the set.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Parses a text under a name and adds what it defines. A later definition replaces an earlier one of the same
    /// name, unless it is empty. The functions are those that the text may call.
    pub fn parse(
        &mut self,
        name: &str,
        text: impl AsRef<[u8]>,
        funcs: &Funcs,
    ) -> Result<Template, ParseError> {
        let trees = parse(name, text.as_ref(), &self.options, &|name| funcs.declared(name))?;
        Ok(self.add(trees))
    }

    /// Parses a text that is to run in this set and leaves the set as it is. Where the text defines templates of its own,
    /// it comes with a set in which they are added.
    pub fn parse_beside(
        &self,
        name: &str,
        text: impl AsRef<[u8]>,
        funcs: &Funcs,
    ) -> Result<(Template, Option<TemplateSet>), ParseError> {
        let mut trees = parse(name, text.as_ref(), &self.options, &|name| funcs.declared(name))?;
        match (trees.pop(), trees.is_empty()) {
            (Some(only), true) => Ok((Template(Rc::new(only)), None)),
            (last, _) => {
                trees.extend(last);
                let mut set = self.clone();
                let template = set.add(trees);
                Ok((template, Some(set)))
            }
        }
    }

    fn add(&mut self, trees: Vec<Tree>) -> Template {
        let mut main = None;
        for tree in trees {
            let tree = Rc::new(tree);
            main.get_or_insert_with(|| Rc::clone(&tree));
            if tree.is_empty() && self.lookup(&tree.name).is_some() {
                continue;
            }
            // As long as nobody else has a clone, all templates stand in one table.
            let table = Rc::get_mut(&mut self.shared).unwrap_or(&mut self.own);
            table.insert(Rc::clone(&tree.name), tree);
        }
        Template(main.expect("a parse gives the tree of the text, if nothing else"))
    }

    /// The template of a name.
    pub fn template(&self, name: &str) -> Option<Template> {
        let tree = self.own.get(name).or_else(|| self.shared.get(name))?;
        Some(Template(Rc::clone(tree)))
    }

    /// The tree of a name.
    pub fn lookup(&self, name: &str) -> Option<&Tree> {
        let tree = self.own.get(name).or_else(|| self.shared.get(name))?;
        Some(tree)
    }

    /// The names of all templates, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let shared = self.shared.keys().filter(|name| !self.own.contains_key(*name));
        self.own.keys().chain(shared).map(|name| &**name)
    }
}
