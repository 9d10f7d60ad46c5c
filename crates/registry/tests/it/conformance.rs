//! The specification's own suite, where `cargo xtask peers install oci-conformance` has put it.

use std::process::Command;

use deploy_registry::access::Accounts;
use deploy_registry::{Options, TagPolicy};

use super::support::{Folder, Running, program};

/// Checks that must pass; none may fail. It only rises.
const PASSED_LEAST: usize = 984;

#[test]
#[allow(
    clippy::print_stderr,
    reason = "the figures of a suite are what people look for"
)]
fn the_suite_of_the_specification_passes() {
    let Some(suite) = program("oci-conformance") else {
        return;
    };
    let folder = Folder::new();
    let options = Options {
        // It moves tags that look like versions.
        tags: TagPolicy::free(),
        ..Options::default()
    };
    let running = Running::with(&folder.0.join("data"), options, Accounts::open_on_this_machine());
    let output = Command::new(suite)
        .current_dir(&folder.0)
        .env_clear()
        .env("OCI_REGISTRY", running.address.to_string())
        .env("OCI_TLS", "disabled")
        .env("OCI_VERSION", "1.1")
        .env("OCI_RESULTS_DIR", folder.0.join("results"))
        .env("OCI_API_BLOBS_DIGEST_HEADER", "true")
        .env("OCI_API_BLOBS_UPLOAD_CANCEL", "true")
        .env("OCI_API_MANIFESTS_DIGEST_HEADER", "true")
        .env("OCI_API_MANIFESTS_TAG_PARAM", "true")
        .output()
        .expect("the suite runs");
    let report = std::fs::read_to_string(folder.0.join("results/junit.xml")).unwrap_or_default();
    let count = |name: &str| -> usize {
        let suites = report.split("<testsuites ").nth(1).unwrap_or_default();
        let value = suites
            .split(&format!("{name}=\""))
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        value.and_then(|value| value.parse().ok()).unwrap_or_default()
    };
    let (tests, failures, errors, skipped) = (
        count("tests"),
        count("failures"),
        count("errors"),
        count("skipped"),
    );
    let passed = tests.saturating_sub(failures + errors + skipped);
    eprintln!(
        "oci-conformance: {passed}/{tests} passed, {failures} failed, {errors} errors, {skipped} skipped"
    );
    if failures + errors > 0 || passed < PASSED_LEAST {
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        panic!("{passed} passed, {failures} failed, {errors} errors\n{said}");
    }
}
