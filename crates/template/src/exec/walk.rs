//! Text and control structures.

use super::Slot;
use super::context::Ctx;
use super::error::{At, ExecError};
use crate::budget::Exhausted;
use crate::fmt;
use crate::limits::{OUTPUT_WEIGHT, TEMPLATE_DEPTH};
use crate::parse::{Branch, Invocation, Node, Nodes, Pipe, Tree};
use crate::quote::quote;
use crate::stack::deeper;
use crate::value::{IntType, UintType, Value, underlying};

pub(super) type Result<T> = std::result::Result<T, Box<ExecError>>;

/// How a list of nodes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

impl<'e> Ctx<'e> {
    /// An error at the current step.
    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Result<T> {
        let at = self.at.expect("a step is entered before anything in it can fail");
        Err(at.error(self.tree, message.into()))
    }

    /// Goes on only while the budget lasts.
    pub(super) fn within(&self, budget: std::result::Result<(), Exhausted>) -> Result<()> {
        match budget {
            Ok(()) => Ok(()),
            Err(exhausted) => self.fail(exhausted.message()),
        }
    }

    /// Counts output of a node.
    fn written(&mut self, node: &'e Node, bytes: usize) -> Result<()> {
        if let Err(exhausted) = self.funcs.budget.bytes(bytes.saturating_mul(OUTPUT_WEIGHT)) {
            self.at = Some(At::Node(node));
            return self.fail(exhausted.message());
        }
        Ok(())
    }

    pub(super) fn nodes(&mut self, dot: &Slot, nodes: &'e Nodes) -> Result<Flow> {
        for node in &nodes.items {
            if let Err(exhausted) = self.funcs.budget.steps(1) {
                self.at = Some(At::Node(node));
                return self.fail(exhausted.message());
            }
            let flow = match node {
                Node::Text { text, .. } => {
                    self.written(node, text.len())?;
                    self.out.extend_from_slice(text);
                    continue;
                }
                Node::Action { pipe, .. } => {
                    self.action(dot, node, pipe)?;
                    continue;
                }
                Node::Comment { .. } => continue,
                Node::If(branch) => deeper(|| self.choice(dot, branch, false))?,
                Node::With(branch) => deeper(|| self.choice(dot, branch, true))?,
                Node::Range(branch) => deeper(|| self.range(dot, node, branch))?,
                Node::Template(invocation) => {
                    self.invocation(dot, node, invocation)?;
                    continue;
                }
                Node::Break { .. } => Flow::Break,
                Node::Continue { .. } => Flow::Continue,
            };
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn action(&mut self, dot: &Slot, node: &'e Node, pipe: &'e Pipe) -> Result<()> {
        let value = self.pipe(dot, pipe)?.value;
        if pipe.variables.is_empty() {
            self.at = Some(At::Node(node));
            let before = self.out.len();
            match &value {
                Value::Str(s) => self.out.extend_from_slice(s.as_bytes()),
                Value::Nil => self.out.extend_from_slice(b"<no value>"),
                _ => {
                    self.within(self.funcs.budget.walk(std::slice::from_ref(&value)))?;
                    self.out = fmt::print(std::mem::take(&mut self.out), &[value]);
                }
            }
            self.written(node, self.out.len() - before)?;
        }
        Ok(())
    }

    /// `if` and `with`: variables of the pipeline and of either list end with it.
    fn choice(&mut self, dot: &Slot, branch: &'e Branch, sets_dot: bool) -> Result<Flow> {
        let mark = self.variables.len();
        let value = self.pipe(dot, &branch.pipe)?;
        let flow = if value.value.truth() {
            let dot = if sets_dot { &value } else { dot };
            self.nodes(dot, &branch.then)?
        } else if let Some(otherwise) = &branch.otherwise {
            self.nodes(dot, otherwise)?
        } else {
            Flow::Next
        };
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn range(&mut self, dot: &Slot, node: &'e Node, branch: &'e Branch) -> Result<Flow> {
        self.at = Some(At::Node(node));
        let mark = self.variables.len();
        let value = self.pipe(dot, &branch.pipe)?.value;
        let mut flow = Flow::Next;
        if !self.iterate(&value, branch)?
            && let Some(otherwise) = &branch.otherwise
        {
            flow = self.nodes(dot, otherwise)?;
        }
        self.variables.truncate(mark);
        Ok(flow)
    }

    /// Runs the body for each element; false if there is none. What is iterated over is what it was at the start,
    /// whatever the body does to it.
    fn iterate(&mut self, value: &Value, branch: &'e Branch) -> Result<bool> {
        match value {
            Value::Nil => Ok(false),
            Value::Int(count, kind) => {
                self.countable(value, branch)?;
                let kind: IntType = *kind;
                self.each(
                    branch,
                    (0..*count).map(|i| (Slot::NONE, Slot::plain(Value::Int(i, kind)))),
                )
            }
            Value::Uint(count, kind) => {
                self.countable(value, branch)?;
                let kind: UintType = *kind;
                self.each(
                    branch,
                    (0..*count).map(|i| (Slot::NONE, Slot::plain(Value::Uint(i, kind)))),
                )
            }
            Value::List(list) => {
                let (elem, items) = (list.elem(), list.items().clone());
                let items = items.into_iter().enumerate();
                self.each(
                    branch,
                    items.map(|(at, item)| (index(at), Slot::element(item, elem))),
                )
            }
            Value::Bytes(bytes) => {
                let byte = |b: &u8| Slot::plain(Value::Uint(u64::from(*b), UintType::Uint8));
                self.each(
                    branch,
                    bytes.iter().enumerate().map(|(at, b)| (index(at), byte(b))),
                )
            }
            Value::Map(map) => {
                let elem = map.elem();
                let entries: Vec<_> = map
                    .entries()
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect();
                let entries = entries.into_iter();
                self.each(
                    branch,
                    entries.map(|(key, value)| (Slot::plain(Value::Str(key)), Slot::element(value, elem))),
                )
            }
            Value::Object(object) => match underlying(object) {
                Some(inner) => self.iterate(&inner, branch),
                None => self.not_iterable(value),
            },
            _ => self.not_iterable(value),
        }
    }

    fn not_iterable<T>(&self, value: &Value) -> Result<T> {
        let shown = fmt::sprint(std::slice::from_ref(value));
        self.fail(format!(
            "range can't iterate over {}",
            String::from_utf8_lossy(&shown)
        ))
    }

    fn countable(&self, value: &Value, branch: &Branch) -> Result<()> {
        if branch.pipe.variables.len() <= 1 {
            return Ok(());
        }
        let shown = fmt::sprint(std::slice::from_ref(value));
        self.fail(format!(
            "can't use {} to iterate over more than one variable",
            String::from_utf8_lossy(&shown)
        ))
    }

    fn each(&mut self, branch: &'e Branch, elements: impl Iterator<Item = (Slot, Slot)>) -> Result<bool> {
        let mark = self.variables.len();
        let mut any = false;
        for (key, element) in elements {
            any = true;
            // A body may be empty.
            self.within(self.funcs.budget.steps(1))?;
            self.set_range_variables(&branch.pipe, key, &element)?;
            let flow = self.nodes(&element, &branch.then)?;
            self.variables.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(any)
    }

    /// One variable is the element; of two, the first is the key.
    fn set_range_variables(&mut self, pipe: &'e Pipe, key: Slot, element: &Slot) -> Result<()> {
        let top = self.variables.len();
        match (&*pipe.variables, pipe.assigns) {
            ([only], true) => self.assign(&only.name, element.clone()),
            ([first, second], true) => {
                self.assign(&first.name, key)?;
                self.assign(&second.name, element.clone())
            }
            ([_], false) => {
                self.variables[top - 1].1 = element.clone();
                Ok(())
            }
            ([_, _], false) => {
                self.variables[top - 1].1 = element.clone();
                self.variables[top - 2].1 = key;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn invocation(&mut self, dot: &Slot, node: &'e Node, invocation: &'e Invocation) -> Result<()> {
        self.at = Some(At::Node(node));
        let Some(tree) = self.set.lookup(&invocation.name) else {
            let name = quote(invocation.name.as_bytes());
            return self.fail(format!("template {name} not defined"));
        };
        if self.depth >= TEMPLATE_DEPTH {
            return self.fail(format!("exceeded maximum template depth ({TEMPLATE_DEPTH})"));
        }
        let dot = match &invocation.pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Slot::NONE,
        };
        deeper(|| self.enter(tree, dot))
    }

    /// Runs a template that sees no variables of its caller.
    fn enter(&mut self, tree: &'e Tree, dot: Slot) -> Result<()> {
        let caller = std::mem::replace(&mut self.tree, tree);
        let mark = self.variables.len();
        let base = std::mem::replace(&mut self.base, mark);
        self.depth += 1;
        self.variables.push(("$", dot.clone()));
        self.nodes(&dot, &tree.root)?;
        self.variables.truncate(mark);
        self.depth -= 1;
        self.base = base;
        self.tree = caller;
        Ok(())
    }
}

fn index(at: usize) -> Slot {
    Slot::plain(Value::int(
        i64::try_from(at).expect("a list has fewer items than bytes fit in memory"),
    ))
}
