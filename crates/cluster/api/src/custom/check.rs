//! What is wrong with a definition (`apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go`).
//!
//! Upstream judges its internal form: what all versions have alike stands at the spec itself, and is named so
//! (`pkg/apis/apiextensions/v1/conversion.go`).

use std::collections::BTreeSet;

use deploy_cluster_kinds::cursor::Field;
use deploy_cluster_kinds::field::{Finding, FindingKind};
use deploy_cluster_kinds::metadata::immutable;
use deploy_cluster_kinds::names::{dns_1035_label, dns_subdomain};
use deploy_cluster_schema::structural::{self, Place};
use serde_json::Value;

use super::definition::storage_version;
use super::paths;
use super::status::{APPROVED, approval_state, is_protected, is_true};

type Findings = Vec<Finding>;

/// What is wrong with a new definition.
pub(super) fn create(definition: &Value) -> Findings {
    let mut out = Vec::new();
    let spec = Field::root(definition).get("spec");
    let name = Field::root(definition).get("metadata").get("name");
    let wanted = format!(
        "{}.{}",
        spec.get("names").get("plural").str(),
        spec.get("group").str()
    );
    if !name.is_empty() && name.str() != wanted {
        out.push(name.invalid("must be spec.names.plural+\".\"+spec.group"));
    }
    check_spec(&spec, &mut out);
    stored_versions(definition, &mut out);
    let annotation = definition["metadata"]["annotations"][APPROVED].as_str();
    approval(definition, annotation.unwrap_or_default(), &mut out);
    preserved(&spec, &mut out);
    out
}

/// What is wrong with a change of a definition.
pub(super) fn update(new: &Value, old: &Value) -> Findings {
    let mut out = Vec::new();
    let (spec, before) = (Field::root(new).get("spec"), Field::root(old).get("spec"));
    check_spec(&spec, &mut out);
    let (names, names_before) = (spec.get("names"), before.get("names"));
    if is_true(old, "Established") {
        immutable(&spec.get("scope"), &before.get("scope"), &mut out);
        immutable(&names.get("kind"), &names_before.get("kind"), &mut out);
    }
    immutable(&spec.get("group"), &before.get("group"), &mut out);
    immutable(&names.get("plural"), &names_before.get("plural"), &mut out);
    stored_versions(new, &mut out);
    let annotation = |definition: &Value| {
        let text = definition["metadata"]["annotations"][APPROVED].as_str();
        text.unwrap_or_default().to_owned()
    };
    if approval_state(&annotation(new)).1 != approval_state(&annotation(old)).1 {
        approval(new, &annotation(new), &mut out);
    }
    if !before.get("preserveUnknownFields").bool() {
        preserved(&spec, &mut out);
    }
    out
}

/// What is wrong with a new status.
pub(super) fn update_status(new: &Value, _: &Value) -> Findings {
    let mut out = Vec::new();
    let status = Field::root(new).get("status");
    check_names(&status.get("acceptedNames"), &mut out);
    out
}

fn preserved(spec: &Field<'_>, out: &mut Findings) {
    let field = spec.get("preserveUnknownFields");
    if field.bool() {
        let text = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        out.push(field.invalid(text));
    }
}

fn approval(definition: &Value, annotation: &str, out: &mut Findings) {
    if !is_protected(definition["spec"]["group"].as_str().unwrap_or_default()) {
        return;
    }
    let field = Field::root(definition)
        .get("metadata")
        .get("annotations")
        .key(APPROVED);
    match approval_state(annotation) {
        (_, "MissingAnnotation", text) => out.push(field.required(text)),
        (_, "InvalidAnnotation", text) => out.push(field.invalid_value(annotation, text)),
        _ => {}
    }
}

fn stored_versions(definition: &Value, out: &mut Findings) {
    let field = Field::root(definition).get("status").get("storedVersions");
    let stored: Vec<&str> = field.strings().collect();
    if stored.is_empty() {
        out.push(field.invalid_value(Value::Null, "must have at least one stored version"));
        return;
    }
    if let Some(storage) = storage_version(definition).filter(|storage| !stored.contains(storage)) {
        out.push(field.invalid(format!("must have the storage version {storage}")));
    }
    let versions = definition["spec"]["versions"].as_array();
    for (place, version) in stored.iter().enumerate() {
        let is_there = versions.is_some_and(|versions| versions.iter().any(|v| v["name"] == **version));
        if !is_there {
            out.push(field.index(place).invalid_value(
                *version,
                format!(
                    "missing from spec.versions; {version} was previously a storage version, and must remain in \
                     spec.versions until a storage migration ensures no data remains persisted in {version} and \
                     removes {version} from status.storedVersions"
                ),
            ));
        }
    }
}

/// What all versions have alike, which is judged once, at the spec.
struct Alike {
    schema: bool,
    subresources: bool,
    columns: bool,
    selectable: bool,
}

impl Alike {
    fn of(versions: &[&Value]) -> Alike {
        let alike = |word: &str| versions.windows(2).all(|pair| pair[0][word] == pair[1][word]);
        Alike {
            schema: alike("schema"),
            subresources: alike("subresources"),
            columns: alike("additionalPrinterColumns"),
            selectable: alike("selectableFields"),
        }
    }
}

fn check_spec(spec: &Field<'_>, out: &mut Findings) {
    let group = spec.get("group");
    let wrong = dns_subdomain(group.str());
    if group.is_empty() {
        out.push(group.required(""));
    } else if !wrong.is_empty() {
        out.push(group.invalid(wrong.join(",")));
    } else if !group.str().contains('.') {
        out.push(group.invalid("should be a domain with at least one dot"));
    }
    one_of(&spec.get("scope"), &["Cluster", "Namespaced"], out);
    let fields: Vec<Field<'_>> = spec.items("versions").collect();
    let versions: Vec<&Value> = fields.iter().filter_map(Field::value).collect();
    for version in &fields {
        let schema = version.get("schema").get("openAPIV3Schema");
        if !schema.exists() {
            out.push(schema.required(""));
        }
    }
    let alike = Alike::of(&versions);
    for version in &fields {
        check_version(version, &alike, out);
    }
    check_versions(spec, &fields, out);
    let names = spec.get("names");
    for name in ["plural", "singular", "kind", "listKind"] {
        let name = names.get(name);
        if name.is_empty() {
            out.push(name.required(""));
        }
    }
    check_names(&names, out);
    if let Some(first) = fields.first() {
        check_parts(first, "spec", &alike, true, out);
    }
    check_conversion(spec, out);
}

fn one_of(field: &Field<'_>, known: &[&str], out: &mut Findings) {
    if field.is_empty() {
        out.push(field.required(""));
    } else if !known.contains(&field.str()) {
        out.push(field.not_supported(known));
    }
}

fn check_versions(spec: &Field<'_>, fields: &[Field<'_>], out: &mut Findings) {
    let all = spec.get("versions");
    let shown = all.value().cloned().unwrap_or_else(|| Value::Array(Vec::new()));
    let names: BTreeSet<&str> = fields.iter().map(|version| version.get("name").str()).collect();
    if names.len() != fields.len() {
        out.push(all.invalid_value(shown.clone(), "must contain unique version names"));
    }
    if fields
        .iter()
        .filter(|version| version.get("storage").bool())
        .count()
        != 1
    {
        let text = "must have exactly one version marked as storage version";
        out.push(all.invalid_value(shown, text));
    }
    // The first version stands in `spec.version`, too.
    if let Some(first) = fields.first().map(|version| version.get("name")) {
        let wrong = dns_1035_label(first.str());
        if !wrong.is_empty() && !first.is_empty() {
            out.push(spec.get("version").invalid_value(first.str(), wrong.join(",")));
        }
    }
}

fn check_version(version: &Field<'_>, alike: &Alike, out: &mut Findings) {
    let name = version.get("name");
    let wrong = dns_1035_label(name.str());
    if !wrong.is_empty() {
        out.push(name.invalid_value(name.str(), wrong.join(",")));
    }
    let warning = version.get("deprecationWarning");
    if warning.exists() {
        if !version.get("deprecated").bool() {
            out.push(warning.invalid("can only be set for deprecated versions"));
        } else if warning.str().len() > 256 {
            out.push(warning.invalid("must be <= 256 characters long"));
        } else if warning.is_empty() {
            out.push(warning.invalid("must not be an empty string"));
        } else if let Some((place, _)) = warning.str().char_indices().find(|(_, c)| c.is_control()) {
            out.push(warning.invalid(format!(
                "must only contain printable UTF-8 characters; non-printable character found at index {place}"
            )));
        }
    }
    check_parts(version, &version.path(), alike, false, out);
}

/// Judges the parts of a version that stand at the spec (`common`), or those that do not.
fn check_parts(version: &Field<'_>, path: &str, alike: &Alike, common: bool, out: &mut Findings) {
    let schema = version.get("schema").get("openAPIV3Schema");
    if let Some(schema) = schema.value().filter(|_| alike.schema == common) {
        let word = if common { "validation" } else { "schema" };
        let place = Place {
            path: &format!("{path}.{word}.openAPIV3Schema"),
            has_status: version.get("subresources").get("status").exists(),
        };
        out.extend(structural::check(schema, &place).into_iter().map(told));
    }
    if alike.subresources == common {
        let scale = version.get("subresources").get("scale");
        check_scale(&scale, &format!("{path}.subresources.scale"), out);
    }
    if alike.columns == common {
        for (place, column) in version.items("additionalPrinterColumns").enumerate() {
            check_column(&column, &format!("{path}.additionalPrinterColumns[{place}]"), out);
        }
    }
    if alike.selectable == common
        && let Some(schema) = schema.value()
    {
        check_selectable(version, schema, &format!("{path}.selectableFields"), out);
    }
}

/// A finding of the schemas as one of the kinds.
pub(super) fn told(finding: structural::Finding) -> Finding {
    let kind = match finding.kind {
        structural::FindingKind::Required => FindingKind::Required,
        structural::FindingKind::Duplicate => FindingKind::Duplicate,
        structural::FindingKind::Invalid => FindingKind::Invalid,
        structural::FindingKind::TypeInvalid => FindingKind::TypeInvalid,
        structural::FindingKind::NotSupported => FindingKind::NotSupported,
        structural::FindingKind::Forbidden => FindingKind::Forbidden,
        structural::FindingKind::TooLong => FindingKind::TooLong,
        structural::FindingKind::TooMany => FindingKind::TooMany,
    };
    Finding {
        kind,
        path: finding.path,
        value: finding.value,
        shown: None,
        detail: finding.detail,
    }
}

fn finding(kind: FindingKind, path: String, value: Option<&str>, detail: &str) -> Finding {
    Finding {
        kind,
        path,
        value: value.map(Value::from),
        shown: None,
        detail: detail.to_owned(),
    }
}

fn check_scale(scale: &Field<'_>, path: &str, out: &mut Findings) {
    if !scale.exists() {
        return;
    }
    let paths: [(&'static str, &[&str], &str); 3] = [
        (
            "specReplicasPath",
            &[".spec."],
            "should be a json path under .spec",
        ),
        (
            "statusReplicasPath",
            &[".status."],
            "should be a json path under .status",
        ),
        (
            "labelSelectorPath",
            &[".spec.", ".status."],
            "should be a json path under either .spec or .status",
        ),
    ];
    for (name, starts, text) in paths {
        let value = scale.get(name).str();
        let at = format!("{path}.{name}");
        if value.is_empty() {
            if name != "labelSelectorPath" {
                out.push(finding(FindingKind::Required, at, None, ""));
            }
        } else if !value.starts_with('.') {
            let text = "must be a simple json path starting with .";
            out.push(finding(FindingKind::Invalid, at, Some(value), text));
        } else if !starts.iter().any(|start| value.starts_with(start)) {
            out.push(finding(FindingKind::Invalid, at, Some(value), text));
        }
    }
}

const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];

const COLUMN_FORMATS: [&str; 9] = [
    "byte",
    "date",
    "date-time",
    "double",
    "float",
    "int32",
    "int64",
    "name",
    "password",
];

fn check_column(column: &Field<'_>, path: &str, out: &mut Findings) {
    let text = |name: &'static str| (column.get(name).str(), format!("{path}.{name}"));
    let (name, at) = text("name");
    if name.is_empty() {
        out.push(finding(FindingKind::Required, at, None, ""));
    }
    let (r#type, at) = text("type");
    let known = format!("must be one of {}", COLUMN_TYPES.join(","));
    if r#type.is_empty() {
        out.push(finding(FindingKind::Required, at, None, &known));
    } else if !COLUMN_TYPES.contains(&r#type) {
        out.push(finding(FindingKind::Invalid, at, Some(r#type), &known));
    }
    let (format, at) = text("format");
    if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
        let known = format!("must be one of {}", COLUMN_FORMATS.join(","));
        out.push(finding(FindingKind::Invalid, at, Some(format), &known));
    }
    let (json_path, _) = text("jsonPath");
    let at = format!("{path}.JSONPath");
    if json_path.is_empty() {
        out.push(finding(FindingKind::Required, at, None, ""));
    } else if !json_path.starts_with('.') {
        let text = "must be a simple json path starting with .";
        out.push(finding(FindingKind::Invalid, at, Some(json_path), text));
    }
}

/// More are not indexed (`MaxSelectableFields`).
const SELECTABLE_FIELDS: usize = 8;

fn check_selectable(version: &Field<'_>, schema: &Value, path: &str, out: &mut Findings) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (place, field) in version.items("selectableFields").enumerate() {
        let json_path = field.get("jsonPath").str();
        let at = format!("{path}[{place}].jsonPath");
        if json_path.is_empty() {
            out.push(finding(FindingKind::Required, at, None, ""));
            continue;
        }
        let invalid = |text: &str| finding(FindingKind::Invalid, at.clone(), Some(json_path), text);
        let Some(found) = paths::schema_at(schema, json_path) else {
            out.push(invalid("is an invalid path: does not refer to a valid field"));
            continue;
        };
        if json_path.starts_with(".metadata") {
            out.push(invalid("must not point to fields in metadata"));
        }
        if !matches!(found["type"].as_str(), Some("string" | "boolean" | "integer")) {
            out.push(invalid(
                "must point to a field of type string, boolean or integer. Enum string fields and strings with formats \
                 are allowed.",
            ));
        }
        if !seen.insert(json_path) {
            out.push(finding(FindingKind::Duplicate, at.clone(), Some(json_path), ""));
        }
    }
    if seen.len() > SELECTABLE_FIELDS {
        let text = format!("must have at most {SELECTABLE_FIELDS} items");
        let mut many = finding(FindingKind::TooMany, path.to_owned(), None, &text);
        many.value = Some(seen.len().into());
        out.push(many);
    }
}

fn check_names(names: &Field<'_>, out: &mut Findings) {
    for name in ["plural", "singular"] {
        label(&names.get(name), "", out);
    }
    for name in ["kind", "listKind"] {
        label(
            &names.get(name),
            "may have mixed case, but should otherwise match: ",
            out,
        );
    }
    for name in names.items("shortNames") {
        label(&name, "", out);
    }
    let (kind, list_kind) = (names.get("kind"), names.get("listKind"));
    if !kind.is_empty() && kind.str() == list_kind.str() {
        out.push(list_kind.invalid("kind and listKind may not be the same"));
    }
    for name in names.items("categories") {
        label(&name, "", out);
    }
}

fn label(name: &Field<'_>, before: &str, out: &mut Findings) {
    let text = if before.is_empty() {
        name.str().to_owned()
    } else {
        name.str().to_lowercase()
    };
    let wrong = dns_1035_label(&text);
    if !name.is_empty() && !wrong.is_empty() {
        out.push(name.invalid(format!("{before}{}", wrong.join(","))));
    }
}

fn check_conversion(spec: &Field<'_>, out: &mut Findings) {
    let conversion = spec.get("conversion");
    if !conversion.exists() {
        return;
    }
    let strategy = conversion.get("strategy");
    one_of(&strategy, &["None", "Webhook"], out);
    let webhook = conversion.get("webhook");
    let config = webhook.get("clientConfig");
    let versions = webhook.get("conversionReviewVersions");
    let at = |word: &str| format!("{}.{word}", conversion.path());
    if strategy.str() != "Webhook" {
        let text = "should not be set when strategy is not set to Webhook";
        if config.exists() {
            out.push(finding(
                FindingKind::Forbidden,
                at("webhookClientConfig"),
                None,
                text,
            ));
        }
        if !versions.is_empty() {
            out.push(finding(
                FindingKind::Forbidden,
                at("conversionReviewVersions"),
                None,
                text,
            ));
        }
        return;
    }
    if !config.exists() {
        let text = "required when strategy is set to Webhook";
        out.push(finding(
            FindingKind::Required,
            at("webhookClientConfig"),
            None,
            text,
        ));
    } else if config.get("url").exists() == config.get("service").exists() {
        let text = "exactly one of url or service is required";
        out.push(finding(
            FindingKind::Required,
            at("webhookClientConfig"),
            None,
            text,
        ));
    }
    let names: Vec<&str> = versions.strings().collect();
    if names.is_empty() {
        out.push(finding(
            FindingKind::Required,
            at("conversionReviewVersions"),
            None,
            "",
        ));
    } else if !names.iter().any(|name| matches!(*name, "v1" | "v1beta1")) {
        let mut wrong = finding(
            FindingKind::Invalid,
            at("conversionReviewVersions"),
            None,
            "must include at least one of v1, v1beta1",
        );
        wrong.value = versions.value().cloned();
        out.push(wrong);
    }
}
