//! How the values of a chart, its subcharts and the user become one: helm's `CoalesceValues` and its kin.

use serde_json::{Map, Value};

use super::table::{Node, Table};
use crate::helm::chart::Chart;
use crate::helm::compat::Compat;
use crate::helm::go::verbs;

/// The key whose table every subchart sees.
const GLOBAL: &str = "global";

/// A section of values that should be a table, but is not. The text is helm's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("type mismatch on {chart}: {found}")]
pub struct TypeMismatch {
    /// The subchart that the section is for.
    pub chart: String,
    /// What stands there, in Go's words.
    pub found: String,
}

/// What becomes of nulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// A null removes the key that it stands for: what templates get.
    Coalesce,
    /// Nulls stay, for a later step to act on.
    Merge,
}

/// The values of a chart and all charts below it, under the user's; `warnings` gets what helm logs.
pub fn values(
    chart: &Chart,
    user: &Map<String, Value>,
    nulls: Nulls,
    compat: Compat,
    warnings: &mut Vec<String>,
) -> Result<Map<String, Value>, TypeMismatch> {
    let table = Table::from_map(user);
    Coalescer { compat, warnings }.chart(chart, &table, "", nulls)?;
    Ok(table.into_map())
}

/// One table under another: `dst` wins.
pub fn tables(
    dst: &Map<String, Value>,
    src: &Map<String, Value>,
    nulls: Nulls,
    compat: Compat,
    warnings: &mut Vec<String>,
) -> Map<String, Value> {
    let table = Table::from_map(dst);
    Coalescer { compat, warnings }.tables(&table, &Table::from_map(src), "", nulls);
    table.into_map()
}

/// The rules, and where the warnings go.
pub(crate) struct Coalescer<'w> {
    pub compat: Compat,
    pub warnings: &'w mut Vec<String>,
}

impl Coalescer<'_> {
    /// Puts the values of a chart and of all below it under those in `dest`.
    pub fn chart(
        &mut self,
        chart: &Chart,
        dest: &Table,
        prefix: &str,
        nulls: Nulls,
    ) -> Result<(), TypeMismatch> {
        self.own_values(chart, dest, prefix, nulls);
        let prefix = joined(prefix, chart.name());
        for subchart in &chart.dependencies {
            let section = match dest.get(subchart.name()) {
                Some(Node::Table(section)) => section,
                Some(Node::Leaf(other)) => {
                    return Err(TypeMismatch {
                        chart: subchart.name().to_owned(),
                        found: verbs::as_boolean(&other),
                    });
                }
                None => {
                    let section = Table::default();
                    dest.set(subchart.name(), Node::Table(section.clone()));
                    section
                }
            };
            self.globals(&section, dest, &prefix);
            self.chart(subchart, &section, &prefix, nulls)?;
        }
        Ok(())
    }

    /// Puts one table under another.
    pub fn tables(&mut self, dst: &Table, src: &Table, prefix: &str, nulls: Nulls) {
        // A table under itself changes nothing but would be read while it is written.
        if dst.same(src) {
            return;
        }
        let entries = src.entries();
        if self.compat == Compat::V4 {
            // A null that the user set shows in the source from now on, which others may hold too.
            for (key, node) in dst.entries() {
                if node.is_null() {
                    src.set(key, Node::null());
                }
            }
        }
        for (key, value) in entries {
            let existing = dst.get(&key);
            // The user's null removes what the chart has. Helm 4 leaves a null alone that removes nothing.
            let removes = nulls == Nulls::Coalesce && (self.compat == Compat::V3 || !value.is_null());
            match existing {
                None => dst.set(key, value),
                Some(Node::Leaf(leaf)) if leaf.is_null() => {
                    if removes {
                        dst.remove(&key);
                    }
                    // Where it stays, Helm 4 has put the null into the source, and null over null is silent.
                    else if self.compat == Compat::V3 {
                        self.warn_table_over(&joined(prefix, &key), &value);
                    }
                }
                Some(Node::Leaf(_)) => self.warn_table_over(&joined(prefix, &key), &value),
                Some(Node::Table(dst)) => match value {
                    Node::Table(src) => self.tables(&dst, &src, &joined(prefix, &key), nulls),
                    Node::Leaf(leaf) if leaf.is_null() => {}
                    Node::Leaf(leaf) => self.warnings.push(format!(
                        "warning: destination for {} is a table. Ignoring non-table value ({})",
                        joined(prefix, &key),
                        verbs::display(&leaf)
                    )),
                },
            }
        }
    }

    fn warn_table_over(&mut self, key: &str, value: &Node) {
        if let Node::Table(table) = value {
            self.warnings.push(format!(
                "warning: cannot overwrite table with non table for {key} ({})",
                verbs::display(&Value::Object(table.to_map()))
            ));
        }
    }

    /// Puts a chart's own values under those in `dest`.
    fn own_values(&mut self, chart: &Chart, dest: &Table, prefix: &str, nulls: Nulls) {
        let prefix = joined(prefix, chart.name());
        for (key, value) in &chart.values {
            match dest.get(key) {
                Some(Node::Leaf(leaf)) => {
                    if leaf.is_null() && nulls == Nulls::Coalesce {
                        dest.remove(key);
                    }
                }
                Some(Node::Table(section)) => match value {
                    Value::Object(own) => {
                        let own = Table::from_map(own);
                        let is_subchart = chart.dependencies.iter().any(|d| d.name() == key);
                        let nulls = if is_subchart { Nulls::Merge } else { nulls };
                        self.without_own_nulls(&own, nulls);
                        self.tables(&section, &own, &joined(&prefix, key), nulls);
                    }
                    Value::Null => {}
                    _ => self
                        .warnings
                        .push(format!("warning: skipped value for {prefix}.{key}: Not a table.")),
                },
                None => {
                    if self.compat == Compat::V4 && nulls == Nulls::Coalesce && value.is_null() {
                        continue;
                    }
                    let value = Node::from_value(value);
                    if let Node::Table(own) = &value {
                        self.without_own_nulls(own, nulls);
                    }
                    dest.set(key.as_str(), value);
                }
            }
        }
    }

    /// Helm 4 takes a chart's own nulls as absent.
    fn without_own_nulls(&self, table: &Table, nulls: Nulls) {
        if self.compat == Compat::V4 && nulls == Nulls::Coalesce {
            remove_nulls(table);
        }
    }

    /// Brings the parent's globals into a subchart's section; the parent wins.
    fn globals(&mut self, section: &Table, parent: &Table, prefix: &str) {
        let mut table = |node: Option<Node>, side: &str| match node {
            None => Some(Table::default()),
            Some(Node::Table(table)) => Some(table),
            Some(Node::Leaf(_)) => {
                self.warnings.push(format!(
                    "warning: skipping globals because {side} {GLOBAL} is not a table."
                ));
                None
            }
        };
        let Some(dest) = table(section.get(GLOBAL), "destination") else {
            return;
        };
        let Some(source) = table(parent.get(GLOBAL), "source") else {
            return;
        };
        for (key, value) in source.entries() {
            match (value, dest.get(&key)) {
                (Node::Table(global), existing) => {
                    // Only the first level is a copy: tables further down are the parent's own.
                    let copy = global.shallow_copy();
                    match existing {
                        None => dest.set(key, Node::Table(copy)),
                        Some(Node::Table(own)) => {
                            self.tables(&copy, &own, &joined(prefix, &key), Nulls::Merge);
                            dest.set(key, Node::Table(copy));
                        }
                        Some(Node::Leaf(_)) => self.warnings.push(format!(
                            "Conflict: cannot merge map onto non-map for {}. Skipping.",
                            crate::helm::go::quote::quoted(&key)
                        )),
                    }
                }
                (Node::Leaf(_), Some(Node::Table(_))) => {
                    self.warnings.push(format!("key {key} is table. Skipping"));
                }
                (leaf, _) => dest.set(key, leaf),
            }
        }
        section.set(GLOBAL, Node::Table(dest));
    }
}

/// Removes every null, at every depth of tables.
pub(crate) fn remove_nulls(table: &Table) {
    for (key, node) in table.entries() {
        match node {
            Node::Table(inner) => remove_nulls(&inner),
            node if node.is_null() => table.remove(&key),
            Node::Leaf(_) => {}
        }
    }
}

fn joined(prefix: &str, key: &str) -> String {
    if prefix.is_empty() {
        key.to_owned()
    } else {
        format!("{prefix}.{key}")
    }
}
