//! The sample app agrees with itself: later parts of Deploy are tested with it.

use std::collections::BTreeSet;
use std::fs;

use deploy_conformance::repository;
use deploy_yaml::{Dialect, node_to_json, parse};
use serde_json::Value;

fn documents(file: &str) -> Vec<Value> {
    let bytes = fs::read(repository().join("examples/shop").join(file)).expect(file);
    let nodes = parse(&bytes).expect(file);
    nodes
        .iter()
        .map(|node| node_to_json(node, Dialect::Core12).expect(file))
        .collect()
}

fn texts(value: &Value) -> BTreeSet<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

#[test]
fn sites_and_values_agree() {
    let app = &documents("deploy.yaml")[0];
    let sites = documents("sites.yaml");
    let names: BTreeSet<&str> = sites
        .iter()
        .filter_map(|site| site["metadata"]["name"].as_str())
        .collect();
    assert_eq!(names, BTreeSet::from(["de", "my", "us"]));

    let environments = app["spec"]["environments"].as_array().expect("a list");
    assert_eq!(
        environments
            .iter()
            .filter_map(|e| e["name"].as_str())
            .collect::<Vec<_>>(),
        ["staging", "prod"]
    );
    for environment in environments {
        let own = texts(&environment["sites"]);
        assert!(own.is_subset(&names), "{environment}");
        let in_waves: Vec<&str> = environment["waves"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|wave| texts(&wave["sites"]))
            .collect();
        if !in_waves.is_empty() {
            assert_eq!(
                in_waves.len(),
                own.len(),
                "{environment}: each site is in one wave"
            );
            assert_eq!(in_waves.into_iter().collect::<BTreeSet<_>>(), own);
        }
    }

    for site in &sites {
        let name = site["metadata"]["name"].as_str().expect("a name");
        let values = &documents(&format!("values/{name}.yaml"))[0];
        let spec = &site["spec"];
        assert_eq!(values["site"], name);
        assert_eq!(values["config"]["currency"], spec["currency"], "{name}");
        assert_eq!(values["config"]["languages"], spec["languages"], "{name}");
        for sale in spec["saleCalendar"].as_array().expect("a list") {
            let (from, to) = (
                sale["from"].as_str().expect("a date"),
                sale["to"].as_str().expect("a date"),
            );
            assert!(from <= to && from.len() == 10 && to.len() == 10, "{name}: {sale}");
            assert!(
                sale["name"]["en"].is_string() && sale["name"]["zh"].is_string(),
                "{name}: {sale}"
            );
        }
    }
}

#[test]
fn one_image_has_one_name() {
    let app = &documents("deploy.yaml")[0];
    let repository_name = app["spec"]["images"][0]["repository"].as_str().expect("a name");
    assert_eq!(
        documents("chart/values.yaml")[0]["image"]["repository"],
        repository_name
    );
    assert_eq!(
        documents(".deploy/workflows/ci.yaml")[0]["env"]["IMAGE"],
        repository_name
    );
    let manifest =
        fs::read_to_string(repository().join("examples/shop/server/Cargo.toml")).expect("a manifest");
    let version = documents("chart/Chart.yaml")[0]["appVersion"]
        .as_str()
        .expect("a version")
        .to_owned();
    assert!(
        manifest.contains(&format!("version = \"{version}\"")),
        "the chart and the program differ"
    );
}
