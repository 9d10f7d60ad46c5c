//! The spec of a PersistentVolumeClaim, of its own or in a template (`pkg/apis/core/validation
//! ValidatePersistentVolumeClaimSpec`).

use crate::cursor::{Field, Findings};
use crate::field::go_json;
use crate::labels::validate_selector;
use crate::{names, resources};

const ACCESS_MODES: &[&str] = &[
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];

/// What validation lets pass because an object that is there already has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Invalid values in the selector.
    pub allow_invalid_selector_values: bool,
    /// An API group of the data source that is none.
    pub allow_invalid_api_group: bool,
}

/// Checks the spec of a claim.
pub fn validate(spec: &Field<'_>, options: Options, out: &mut Findings) {
    access_modes(&spec.get("accessModes"), out, &spec.get("selector"), options);
    storage(spec, out);
    class(&spec.get("storageClassName"), out);
    let mode = spec.get("volumeMode");
    if mode.exists() && !matches!(mode.str(), "Block" | "Filesystem") {
        out.push(mode.not_supported(&["Block", "Filesystem"]));
    }
    let (source, reference) = (spec.get("dataSource"), spec.get("dataSourceRef"));
    for source in [&source, &reference] {
        if source.exists() {
            data_source(source, options, out);
        }
    }
    let shown = || go_json(&serde_json::json!({}));
    if !reference.get("namespace").is_empty() {
        if source.exists() {
            let detail = "may not be specified when dataSourceRef.namespace is specified";
            out.push(spec.invalid_shown(shown(), detail));
        }
    } else if source.exists() && reference.exists() {
        let equal = ["apiGroup", "kind", "name"]
            .iter()
            .all(|name| source.get(name).same(&reference.get(name)));
        if !equal {
            out.push(spec.invalid_shown(shown(), "must match dataSourceRef"));
        }
    }
    class(&spec.get("volumeAttributesClassName"), out);
}

fn access_modes(modes: &Field<'_>, out: &mut Findings, selector: &Field<'_>, options: Options) {
    if modes.is_empty() {
        out.push(modes.required("at least 1 access mode is required"));
    }
    validate_selector(selector, options.allow_invalid_selector_values, out);
    for mode in modes.strings().filter(|mode| !ACCESS_MODES.contains(mode)) {
        out.push(modes.not_supported_value(mode, ACCESS_MODES));
    }
    let single = modes.strings().any(|mode| mode == "ReadWriteOncePod");
    let others = modes
        .strings()
        .any(|mode| mode != "ReadWriteOncePod" && ACCESS_MODES.contains(&mode));
    if single && others {
        out.push(modes.forbidden("may not use ReadWriteOncePod with other access modes"));
    }
}

fn storage(spec: &Field<'_>, out: &mut Findings) {
    let request = spec.get("resources").get("requests").key("storage");
    let place = spec.get("resources").key("storage").with(request.value());
    match resources::quantity(&request) {
        None => out.push(place.required("")),
        Some(amount) if amount.sign() <= 0 => {
            out.push(place.invalid_value(amount.to_string(), "must be greater than zero"));
        }
        Some(_) => {}
    }
}

fn class(class: &Field<'_>, out: &mut Findings) {
    if !class.is_empty() {
        let texts = names::dns_subdomain_name(class.str(), false);
        out.extend(texts.into_iter().map(|text| class.invalid(text)));
    }
}

fn data_source(source: &Field<'_>, options: Options, out: &mut Findings) {
    for name in ["name", "kind"] {
        if source.get(name).is_empty() {
            out.push(source.get(name).required(""));
        }
    }
    let (group, kind) = (source.get("apiGroup"), source.get("kind").str());
    if group.is_empty() {
        if kind != "PersistentVolumeClaim" {
            let detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
            out.push(source.invalid_value(kind, detail));
        }
    } else if !options.allow_invalid_api_group {
        out.extend(
            names::dns_subdomain(group.str())
                .into_iter()
                .map(|text| group.invalid(text)),
        );
    }
    let namespace = source.get("namespace");
    if !namespace.is_empty() {
        let texts = names::dns_label_name(namespace.str(), false);
        out.extend(texts.into_iter().map(|text| namespace.invalid(text)));
    }
}
