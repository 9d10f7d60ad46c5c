//! What a chart's `dependencies` do to the charts below it: versions, aliases, tags, conditions, imported values.

use serde_json::{Map, Value, json};

use super::version;
use super::{Chart, Dependency};
use crate::helm::compat::Compat;
use crate::helm::go::verbs;
use crate::helm::values::coalesce::{Coalescer, Nulls, TypeMismatch};
use crate::helm::values::table::{Node, Table};
use crate::limits::VALUE_ENTRIES;

/// Why dependencies cannot be worked out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DependencyError {
    /// A subchart's section of the values is no table.
    #[error(transparent)]
    TypeMismatch(#[from] TypeMismatch),
    /// Imports that make tables hold one another without end; helm itself crashes on these.
    #[error("import-values of chart {chart} make its values endless")]
    EndlessImport {
        /// The chart that imports.
        chart: String,
    },
}

/// Drops and renames the charts below a chart as `Chart.yaml` and the values say, then imports values. Gives what helm
/// logs on the way.
pub fn process(
    chart: &mut Chart,
    values: &Map<String, Value>,
    compat: Compat,
) -> Result<Vec<String>, DependencyError> {
    let mut warnings = enable(chart, values, compat)?;
    warnings.extend(import(chart, Nulls::Merge, compat)?);
    Ok(warnings)
}

/// The first half of [`process`]: which charts there are, under which names.
pub fn enable(
    chart: &mut Chart,
    values: &Map<String, Value>,
    compat: Compat,
) -> Result<Vec<String>, DependencyError> {
    let mut warnings = Vec::new();
    let mut coalescer = Coalescer {
        compat,
        warnings: &mut warnings,
    };
    enable_below(&mut coalescer, chart, &Table::from_map(values), "")?;
    Ok(warnings)
}

/// The second half of [`process`]: `import-values`, from the innermost chart outwards. Afterwards the values of each
/// chart with dependencies hold those of the charts below it.
pub fn import(chart: &mut Chart, nulls: Nulls, compat: Compat) -> Result<Vec<String>, DependencyError> {
    let mut warnings = Vec::new();
    let mut coalescer = Coalescer {
        compat,
        warnings: &mut warnings,
    };
    import_below(&mut coalescer, chart, nulls)?;
    Ok(warnings)
}

fn enable_below(
    coalescer: &mut Coalescer<'_>,
    chart: &mut Chart,
    values: &Table,
    path: &str,
) -> Result<(), DependencyError> {
    if !chart.metadata.lists_dependencies {
        return Ok(());
    }
    chart.dependencies = resolve(
        std::mem::take(&mut chart.dependencies),
        &mut chart.metadata.dependencies,
    );

    let values = isolated(values, chart);
    coalescer.chart(chart, &values, "", Nulls::Coalesce)?;
    let listed = &mut chart.metadata.dependencies;
    apply_tags(coalescer, listed, &values);
    apply_conditions(coalescer, listed, &values, path);

    let disabled: Vec<String> = listed
        .iter()
        .filter(|d| !d.enabled)
        .map(|d| d.name.clone())
        .collect();
    listed.retain(|d| !disabled.contains(&d.name));
    chart.metadata.lists_dependencies = !listed.is_empty();
    chart
        .dependencies
        .retain(|c| !disabled.contains(&c.metadata.name));
    for below in &mut chart.dependencies {
        let path = format!("{path}{}.", below.metadata.name);
        enable_below(coalescer, below, &values, &path)?;
    }
    Ok(())
}

/// The charts that stay: first those that no entry lists, then one for each entry that a chart fits, under its alias.
fn resolve(charts: Vec<Chart>, listed: &mut [Dependency]) -> Vec<Chart> {
    let fits = |chart: &Chart, dependency: &Dependency| {
        chart.metadata.name == dependency.name
            && version::is_compatible(&dependency.version, &chart.metadata.version)
    };
    let picks: Vec<Option<usize>> = listed
        .iter()
        .map(|dependency| charts.iter().position(|chart| fits(chart, dependency)))
        .collect();
    let unlisted: Vec<bool> = charts
        .iter()
        .map(|chart| !listed.iter().any(|dependency| fits(chart, dependency)))
        .collect();

    let mut charts: Vec<Option<Chart>> = charts.into_iter().map(Some).collect();
    let mut kept: Vec<Chart> = charts
        .iter_mut()
        .zip(unlisted)
        .filter_map(|(chart, unlisted)| if unlisted { chart.take() } else { None })
        .collect();
    for (index, dependency) in listed.iter_mut().enumerate() {
        if let Some(pick) = picks[index] {
            // The last entry that picks a chart takes it; earlier ones get copies.
            let again = picks[index + 1..].contains(&Some(pick));
            let chart = if again {
                charts[pick].clone()
            } else {
                charts[pick].take()
            };
            if let Some(mut chart) = chart {
                if !dependency.alias.is_empty() {
                    chart.metadata.name.clone_from(&dependency.alias);
                }
                kept.push(chart);
            }
        }
        if !dependency.alias.is_empty() {
            dependency.name.clone_from(&dependency.alias);
        }
        dependency.enabled = true;
    }
    kept
}

/// A copy of the values in which coalescing this chart changes nothing of the original. Only what coalescing can reach is
/// copied: with a hundred subcharts, copying all values for each would be quadratic.
fn isolated(values: &Table, chart: &Chart) -> Table {
    let copy = values.shallow_copy();
    let own = chart.values.keys().map(String::as_str);
    let sections = chart.dependencies.iter().map(Chart::name);
    for key in own.chain(sections).chain(["global"]) {
        if let Some(Node::Table(table)) = values.get(key) {
            copy.set(key, Node::Table(table.deep_copy()));
        }
    }
    copy
}

fn apply_tags(coalescer: &mut Coalescer<'_>, listed: &mut [Dependency], values: &Table) {
    let Some(Node::Table(tags)) = values.get("tags") else {
        return;
    };
    for dependency in listed {
        let (mut on, mut off) = (false, false);
        for tag in &dependency.tags {
            let Some(node) = tags.get(tag) else { continue };
            match node.boolean() {
                Some(true) => on = true,
                Some(false) => off = true,
                None => coalescer.warnings.push(match coalescer.compat {
                    Compat::V3 => format!(
                        "Warning: Tag '{tag}' for chart {} returned non-bool value",
                        dependency.name
                    ),
                    Compat::V4 => log_line(
                        "returned non-bool value",
                        &[("tag", tag), ("chart", &dependency.name)],
                    ),
                }),
            }
        }
        dependency.enabled = on || !off;
    }
}

/// The first path of a condition that leads to a boolean decides, over tags.
fn apply_conditions(coalescer: &mut Coalescer<'_>, listed: &mut [Dependency], values: &Table, path: &str) {
    for dependency in listed {
        for condition in dependency.condition.trim().split(',').filter(|c| !c.is_empty()) {
            let full = format!("{path}{condition}");
            let Some(node @ Node::Leaf(_)) = values.at(full.split('.')) else {
                continue;
            };
            if let Some(enabled) = node.boolean() {
                dependency.enabled = enabled;
                break;
            }
            coalescer.warnings.push(match coalescer.compat {
                Compat::V3 => format!(
                    "Warning: Condition path '{condition}' for chart {} returned non-bool value",
                    dependency.name
                ),
                Compat::V4 => log_line(
                    "returned non-bool value",
                    &[("path", condition), ("chart", &dependency.name)],
                ),
            });
        }
    }
}

fn import_below(
    coalescer: &mut Coalescer<'_>,
    chart: &mut Chart,
    nulls: Nulls,
) -> Result<(), DependencyError> {
    for below in &mut chart.dependencies {
        import_below(coalescer, below, nulls)?;
    }
    if !chart.metadata.lists_dependencies {
        return Ok(());
    }
    let values = Table::default();
    coalescer.chart(chart, &values, "", nulls)?;
    let imported = Table::default();
    for dependency in &mut chart.metadata.dependencies {
        let imports = std::mem::take(&mut dependency.import_values);
        for import in &imports {
            let Some((child, parent)) = import_paths(import) else {
                continue;
            };
            dependency
                .import_values
                .push(json!({"child": child, "parent": parent}));
            match section(&values, &dependency.name, &child) {
                Ok(table) => coalescer.tables(&imported, &below_path(&parent, table), "", nulls),
                Err(key) => warn_missing(coalescer, &dependency.name, &key, import.is_object()),
            }
        }
    }
    // What the parent says itself goes before what it imports.
    let endless = || DependencyError::EndlessImport {
        chart: chart.metadata.name.clone(),
    };
    let mut budget = VALUE_ENTRIES;
    let shared = (values, imported);
    let values = shared.0.unfolded(&mut budget).ok_or_else(endless)?;
    let imported = shared.1.unfolded(&mut budget).ok_or_else(endless)?;
    // What nobody else holds any more is moved at the end, not copied.
    drop(shared);
    if nulls == Nulls::Coalesce {
        crate::helm::values::coalesce::remove_nulls(&values);
    }
    coalescer.tables(&values, &imported, "", nulls);
    chart.values = values.into_map();
    Ok(())
}

/// From where below the dependency, and to where in the parent.
fn import_paths(import: &Value) -> Option<(String, String)> {
    match import {
        Value::String(name) => Some((format!("exports.{name}"), ".".to_owned())),
        Value::Object(entries) => {
            let text = |key| verbs::display(entries.get(key).unwrap_or(&Value::Null));
            Some((text("child"), text("parent")))
        }
        _ => None,
    }
}

/// The table at `dependency.child`, or the key at which there is none.
fn section(values: &Table, dependency: &str, child: &str) -> Result<Table, String> {
    let path = format!("{dependency}.{child}");
    let mut table = values.clone();
    for key in path.split('.') {
        match table.get(key) {
            Some(Node::Table(inner)) => table = inner,
            _ => return Err(key.to_owned()),
        }
    }
    // helm hands out a new map for an empty one, so that is not shared.
    Ok(if table.is_empty() { Table::default() } else { table })
}

fn below_path(path: &str, table: Table) -> Table {
    if path == "." {
        return table;
    }
    path.split('.').rev().fold(table, |inner, key| {
        let outer = Table::default();
        outer.set(key, Node::Table(inner));
        outer
    })
}

fn warn_missing(coalescer: &mut Coalescer<'_>, chart: &str, key: &str, names_chart: bool) {
    let cause = format!("{} is not a table", crate::helm::go::quote::quoted(key));
    coalescer.warnings.push(match (coalescer.compat, names_chart) {
        (Compat::V3, true) => format!("Warning: ImportValues missing table from chart {chart}: {cause}"),
        (Compat::V3, false) => format!("Warning: ImportValues missing table: {cause}"),
        (Compat::V4, true) => log_line(
            "ImportValues missing table from chart",
            &[("chart", chart), ("error", &cause)],
        ),
        (Compat::V4, false) => log_line("ImportValues missing table", &[("error", &cause)]),
    });
}

/// A warning as Helm 4's logger writes it, without the time.
fn log_line(message: &str, attributes: &[(&str, &str)]) -> String {
    let mut line = format!("level=WARN msg={}", log_value(message));
    for (key, value) in attributes {
        line.push_str(&format!(" {key}={}", log_value(value)));
    }
    line
}

/// Go's `slog.TextHandler` quotes what holds blanks, quotes or equals signs.
fn log_value(text: &str) -> String {
    let plain =
        |c: char| c > ' ' && c != '"' && c != '=' && c != '\u{7f}' && crate::helm::go::quote::is_print(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        crate::helm::go::quote::quoted(text)
    }
}
