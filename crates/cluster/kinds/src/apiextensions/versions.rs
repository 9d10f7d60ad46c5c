//! The versions of a custom resource (`validateCustomResourceDefinitionVersion`). Upstream keeps what is the same in all
//! versions once, beside them, and its messages say so.

use serde_json::{Value, json};

use deploy_cluster_schema::structural::{self, Place};

use crate::cursor::{Field, Findings, same};
use crate::edit::Edit;
use crate::field::{Finding, FindingKind};
use crate::{check, internal, names};

/// A field of a version, and what it is called beside the versions.
const SHARED: [(&str, &str); 4] = [
    ("subresources", "subresources"),
    ("schema", "validation"),
    ("additionalPrinterColumns", "additionalPrinterColumns"),
    ("selectableFields", "selectableFields"),
];

const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: [&str; 8] = [
    "byte",
    "date",
    "date-time",
    "double",
    "float",
    "int32",
    "int64",
    "password",
];
const SELECTABLE_MAX: usize = 8;
const WARNING_MAX: usize = 256;

/// The object with what all versions share beside them (`v1/conversion.go`).
pub fn internal(object: &Value) -> Value {
    let mut object = object.clone();
    let spec = object.ensure("spec");
    let versions: Vec<Value> = spec.each("versions").map(|version| version.clone()).collect();
    let Some(first) = versions.first() else {
        return object;
    };
    spec.set("version", Field::root(first).get("name").str());
    for (of_version, of_all) in SHARED {
        let value = first.get(of_version);
        if !versions
            .iter()
            .all(|version| same(version.get(of_version), value))
        {
            continue;
        }
        if let Some(value) = value {
            spec.set(of_all, value.clone());
        }
        for version in spec.each("versions") {
            version.unset(of_version);
        }
    }
    if let Some(conversion) = spec.child("conversion")
        && let Some(webhook) = conversion.child("webhook").cloned()
    {
        conversion.unset("webhook");
        conversion.set(
            "webhookClientConfig",
            webhook.get("clientConfig").cloned().unwrap_or_default(),
        );
        conversion.keep("conversionReviewVersions", &webhook);
    }
    object
}

/// All schemas of the internal form.
pub fn schemas<'a>(spec: &Field<'a>) -> Vec<Field<'a>> {
    let of_versions = spec.items("versions").map(|version| version.get("schema"));
    std::iter::once(spec.get("validation"))
        .chain(of_versions)
        .map(|holder| holder.get("openAPIV3Schema"))
        .filter(Field::exists)
        .collect()
}

/// Checks the versions and what stands in each of them alone.
pub fn validate(spec: &Field<'_>, out: &mut Findings) {
    let versions = spec.get("versions");
    let shared_schema = spec.get("validation").get("openAPIV3Schema").exists();
    for version in versions.list() {
        let schema = version.get("schema").get("openAPIV3Schema");
        if !shared_schema && !schema.exists() {
            out.push(schema.required(""));
        }
    }
    let per_version = versions
        .list()
        .any(|version| version.get("subresources").exists());
    let mut seen = Vec::new();
    for version in versions.list() {
        let name = version.get("name");
        seen.push(name.str());
        let texts = names::dns_1035_label(name.str());
        if !texts.is_empty() {
            out.push(name.invalid(texts.join(",")));
        }
        let holder = if per_version { &version } else { spec };
        let has_status = holder.get("subresources").get("status").exists();
        deprecation(&version, out);
        holder_of_schema(&version, "schema", has_status, out);
    }
    let shown = || match versions.value() {
        None => "null".to_owned(),
        Some(_) => internal::shown("[]CustomResourceDefinitionVersion", versions.value()),
    };
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    if seen.len() != count {
        out.push(versions.invalid_shown(shown(), "must contain unique version names"));
    }
    if versions
        .list()
        .filter(|version| version.get("storage").bool())
        .count()
        != 1
    {
        out.push(versions.invalid_shown(shown(), "must have exactly one version marked as storage version"));
    }
    let first = spec.get("version");
    let texts = names::dns_1035_label(first.str());
    if !first.is_empty() && !texts.is_empty() {
        out.push(first.invalid(texts.join(",")));
    }
}

/// Checks what all versions share.
pub fn shared(spec: &Field<'_>, out: &mut Findings) {
    let status = |holder: &Field<'_>| holder.get("subresources").get("status").exists();
    let has_status = status(spec) || spec.items("versions").any(|version| status(&version));
    holder_of_schema(spec, "validation", has_status, out);
}

/// A version, or the spec, whose fields are the same.
fn holder_of_schema(holder: &Field<'_>, schema: &'static str, has_status: bool, out: &mut Findings) {
    let schema = holder.get(schema).get("openAPIV3Schema");
    if let Some(value) = schema.value() {
        let path = schema.path();
        let place = Place {
            path: &path,
            has_status,
        };
        out.extend(structural::check(value, &place).into_iter().map(finding));
    }
    scale(&holder.get("subresources"), out);
    for column in holder.items("additionalPrinterColumns") {
        validate_column(&column, out);
    }
    selectable(&holder.get("selectableFields"), &schema, out);
}

/// A finding of the crate that knows schemas as one of this crate.
fn finding(finding: structural::Finding) -> Finding {
    use structural::FindingKind as Theirs;
    let kind = match finding.kind {
        Theirs::Required => FindingKind::Required,
        Theirs::Duplicate => FindingKind::Duplicate,
        Theirs::Invalid => FindingKind::Invalid,
        Theirs::TypeInvalid => FindingKind::TypeInvalid,
        Theirs::NotSupported => FindingKind::NotSupported,
        Theirs::Forbidden => FindingKind::Forbidden,
        Theirs::TooLong => FindingKind::TooLong,
        Theirs::TooMany => FindingKind::TooMany,
    };
    Finding {
        kind,
        path: finding.path,
        value: finding.value,
        shown: None,
        detail: finding.detail,
    }
}

fn deprecation(version: &Field<'_>, out: &mut Findings) {
    let warning = version.get("deprecationWarning");
    let Some(text) = warning.opt_str() else { return };
    if !version.get("deprecated").bool() {
        out.push(warning.invalid("can only be set for deprecated versions"));
        return;
    }
    if text.len() > WARNING_MAX {
        out.push(warning.invalid(format!("must be <= {WARNING_MAX} characters long")));
    }
    if text.is_empty() {
        out.push(warning.invalid("must not be an empty string"));
    }
    if let Some((index, _)) = text.char_indices().find(|(_, c)| c.is_control()) {
        out.push(warning.invalid(format!(
            "must only contain printable UTF-8 characters; non-printable character found at index {index}"
        )));
    }
}

fn scale(subresources: &Field<'_>, out: &mut Findings) {
    let scale = subresources.get("scale");
    if !scale.exists() {
        return;
    }
    for (name, parents, detail, required) in [
        (
            "specReplicasPath",
            &[".spec."][..],
            "should be a json path under .spec",
            true,
        ),
        (
            "statusReplicasPath",
            &[".status."][..],
            "should be a json path under .status",
            true,
        ),
        (
            "labelSelectorPath",
            &[".spec.", ".status."][..],
            "should be a json path under either .spec or .status",
            false,
        ),
    ] {
        let path = scale.get(name);
        if path.is_empty() {
            if required {
                out.push(path.required(""));
            }
        } else if !path.str().starts_with('.') {
            out.push(path.invalid("must be a simple json path starting with ."));
        } else if !parents.iter().any(|parent| path.str().starts_with(parent)) {
            out.push(path.invalid(detail));
        }
    }
}

fn validate_column(column: &Field<'_>, out: &mut Findings) {
    check::required(&column.get("name"), out);
    let (kind, format) = (column.get("type"), column.get("format"));
    let types = format!("must be one of {}", COLUMN_TYPES.join(","));
    if kind.is_empty() {
        out.push(kind.required(types));
    } else if !COLUMN_TYPES.contains(&kind.str()) {
        out.push(kind.invalid(types));
    }
    if !format.is_empty() && !COLUMN_FORMATS.contains(&format.str()) {
        out.push(format.invalid(format!("must be one of {}", COLUMN_FORMATS.join(","))));
    }
    // The internal type spells it like this.
    let path = column.get("JSONPath").with(column.get("jsonPath").value());
    if path.is_empty() {
        out.push(path.required(""));
    } else if !path.str().starts_with('.') {
        out.push(path.invalid("must be a simple json path starting with ."));
    }
}

fn selectable(fields: &Field<'_>, schema: &Field<'_>, out: &mut Findings) {
    let mut seen = Vec::new();
    for field in fields.list() {
        let path = field.get("jsonPath");
        if path.is_empty() {
            out.push(path.required(""));
            continue;
        }
        let found = path.str().strip_prefix('.').map(|steps| {
            steps.split('.').fold(schema.clone(), |schema, step| {
                schema.get("properties").named(step)
            })
        });
        let Some(found) = found.filter(Field::exists) else {
            out.push(path.invalid("is an invalid path: does not refer to a valid field"));
            continue;
        };
        if path.str().starts_with(".metadata.") {
            out.push(path.invalid("must not point to fields in metadata"));
        }
        if !matches!(found.get("type").str(), "string" | "boolean" | "integer") {
            out.push(path.invalid(
                "must point to a field of type string, boolean or integer. Enum string fields and strings with formats \
                 are allowed.",
            ));
        }
        if seen.contains(&path.str()) {
            out.push(path.duplicate());
        } else {
            seen.push(path.str());
        }
    }
    if seen.len() > SELECTABLE_MAX {
        out.push(fields.finding(
            FindingKind::TooMany,
            Some(json!(seen.len())),
            format!("must have at most {SELECTABLE_MAX} items"),
        ));
    }
}

/// What objects are stored in must be one of the versions.
pub fn stored(stored: &Field<'_>, versions: &Field<'_>, out: &mut Findings) {
    if stored.is_empty() {
        out.push(stored.invalid_shown("null".to_owned(), "must have at least one stored version"));
        return;
    }
    for version in versions.list() {
        let name = version.get("name").str();
        if version.get("storage").bool() && !stored.strings().any(|stored| stored == name) {
            out.push(stored.invalid(format!("must have the storage version {name}")));
        }
    }
    for (index, name) in stored.strings().enumerate() {
        if !versions.list().any(|version| version.get("name").str() == name) {
            out.push(stored.index(index).invalid(format!(
                "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions \
                 until a storage migration ensures no data remains persisted in {name} and removes {name} from \
                 status.storedVersions"
            )));
        }
    }
}
