//! Conditions, tags, aliases and imported values, against the rows that helm's own tests were turned into.

use deploy_conformance::{Suite, root, rows, skipped};
use deploy_render::helm::chart::dependencies;
use deploy_render::helm::compat::Compat;
use deploy_render::helm::values::coalesce::Nulls;

use crate::helm_rows::{chart, same, tree};

#[test]
fn dependency_rows() {
    let Some(root) = root() else {
        return skipped("helm/dependencies");
    };
    let mut suite = Suite::new("helm/dependencies");
    for row in rows(&root, "helm/dependencies.jsonl") {
        let name = row["name"].as_str().expect("rows have names");
        suite.case(name, || {
            let mut chart = chart(&row["chart"]);
            let values = row["values"].as_object().cloned().unwrap_or_default();
            let nulls = if row["merge"].as_bool() == Some(true) {
                Nulls::Merge
            } else {
                Nulls::Coalesce
            };
            let outcome = match row["fn"].as_str() {
                Some("processDependencyEnabled") => dependencies::enable(&mut chart, &values, Compat::V4),
                Some("processDependencyImportValues") => dependencies::import(&mut chart, nulls, Compat::V4),
                _ => dependencies::process(&mut chart, &values, Compat::V4),
            };
            outcome.map_err(|e| e.to_string())?;
            same(&tree(&chart), &tree(&crate::helm_rows::chart(&row["want"])))
        });
    }
    suite.finish();
}
