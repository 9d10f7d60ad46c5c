//! Tables of values that several places hold at once, as Go's maps do.
//!
//! helm merges values in place, and some of its maps are reachable by more than one way: what a subchart adds to a global
//! three levels down shows in its parent. Charts see that, so it is kept.

use std::cell::{Ref, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::limits::VALUE_LEVELS;

/// A value: a table, or anything else.
#[derive(Clone)]
pub enum Node {
    /// A map, shared and mutable.
    Table(Table),
    /// A scalar or a list; nothing changes inside it.
    Leaf(Rc<Value>),
}

/// A shared, mutable map. Cloning it gives the same map.
#[derive(Clone, Default)]
pub struct Table(Rc<RefCell<Entries>>);

type Entries = BTreeMap<Rc<str>, Node>;

impl Node {
    /// The null value.
    pub fn null() -> Node {
        Node::Leaf(Rc::new(Value::Null))
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Node::Leaf(value) if value.is_null())
    }

    /// The table, if it is one.
    pub fn table(&self) -> Option<&Table> {
        match self {
            Node::Table(table) => Some(table),
            Node::Leaf(_) => None,
        }
    }

    /// The boolean, if it is one.
    pub fn boolean(&self) -> Option<bool> {
        match self {
            Node::Leaf(value) => value.as_bool(),
            Node::Table(_) => None,
        }
    }

    /// The value as a tree of its own.
    pub fn to_value(&self) -> Value {
        match self {
            Node::Table(table) => Value::Object(table.to_map()),
            Node::Leaf(value) => (**value).clone(),
        }
    }

    fn deep_copy(&self) -> Node {
        match self {
            Node::Table(table) => Node::Table(table.deep_copy()),
            Node::Leaf(value) => Node::Leaf(Rc::clone(value)),
        }
    }

    /// A copy of a value.
    pub fn from_value(value: &Value) -> Node {
        match value {
            Value::Object(entries) => Node::Table(Table::from_map(entries)),
            other => Node::Leaf(Rc::new(other.clone())),
        }
    }

    fn into_value(self) -> Value {
        match self {
            Node::Table(table) => Value::Object(table.into_map()),
            Node::Leaf(value) => Rc::unwrap_or_clone(value),
        }
    }
}

impl Table {
    /// A table with copies of these entries.
    pub fn from_map(map: &Map<String, Value>) -> Table {
        Table::of(
            map.iter()
                .map(|(key, value)| (Rc::from(key.as_str()), Node::from_value(value)))
                .collect(),
        )
    }

    /// A copy of the entries. Tables that are reachable twice are copied twice.
    pub fn to_map(&self) -> Map<String, Value> {
        let entries = self.0.borrow();
        entries
            .iter()
            .map(|(key, node)| (key.to_string(), node.to_value()))
            .collect()
    }

    /// The entries; copies only what others still hold.
    pub fn into_map(self) -> Map<String, Value> {
        match Rc::try_unwrap(self.0) {
            Ok(cell) => cell
                .into_inner()
                .into_iter()
                .map(|(key, node)| (key.to_string(), node.into_value()))
                .collect(),
            Err(shared) => Table(shared).to_map(),
        }
    }

    /// A copy that shares no table with this one.
    pub fn deep_copy(&self) -> Table {
        let entries = self.0.borrow();
        Table::of(
            entries
                .iter()
                .map(|(key, node)| (Rc::clone(key), node.deep_copy()))
                .collect(),
        )
    }

    /// A copy that shares no table with this one, or `None` if it would have more entries than `budget` or more levels
    /// than [`VALUE_LEVELS`]: tables that hold one another can unfold into endless or exponentially large ones.
    pub fn unfolded(&self, budget: &mut usize) -> Option<Table> {
        self.unfolded_below(budget, VALUE_LEVELS)
    }

    fn unfolded_below(&self, budget: &mut usize, levels: usize) -> Option<Table> {
        let levels = levels.checked_sub(1)?;
        let mut copy = Entries::new();
        for (key, node) in &*self.peek() {
            *budget = budget.checked_sub(1)?;
            let node = match node {
                Node::Table(table) => Node::Table(table.unfolded_below(budget, levels)?),
                Node::Leaf(value) => Node::Leaf(Rc::clone(value)),
            };
            copy.insert(Rc::clone(key), node);
        }
        Some(Table::of(copy))
    }

    /// A copy whose entries are the same nodes as this one's.
    pub fn shallow_copy(&self) -> Table {
        Table::of(self.0.borrow().clone())
    }

    /// The node of a key.
    pub fn get(&self, key: &str) -> Option<Node> {
        self.0.borrow().get(key).cloned()
    }

    /// The node at a path of tables.
    pub fn at<'k>(&self, path: impl IntoIterator<Item = &'k str>) -> Option<Node> {
        let mut node = Node::Table(self.clone());
        for key in path {
            node = node.table()?.get(key)?;
        }
        Some(node)
    }

    /// Adds or replaces a key.
    pub fn set(&self, key: impl Into<Rc<str>>, node: Node) {
        self.0.borrow_mut().insert(key.into(), node);
    }

    /// Removes a key.
    pub fn remove(&self, key: &str) {
        self.0.borrow_mut().remove(key);
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// The entries as they are now, in key order, for a loop that changes this or another table.
    pub fn entries(&self) -> Vec<(Rc<str>, Node)> {
        self.peek()
            .iter()
            .map(|(k, v)| (Rc::clone(k), v.clone()))
            .collect()
    }

    /// Whether both are the same map, not merely equal ones.
    pub fn same(&self, other: &Table) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    fn peek(&self) -> Ref<'_, Entries> {
        self.0.borrow()
    }

    fn of(entries: Entries) -> Table {
        Table(Rc::new(RefCell::new(entries)))
    }
}

/// Makes every number a float, as Go's JSON decoder does.
pub fn make_floats(value: &mut Value) {
    match value {
        Value::Number(number) if !number.is_f64() => {
            *value = number.as_f64().map_or(Value::Null, Value::from);
        }
        Value::Array(items) => items.iter_mut().for_each(make_floats),
        Value::Object(entries) => entries.values_mut().for_each(make_floats),
        _ => {}
    }
}
