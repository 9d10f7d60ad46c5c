//! ObjectMeta: what every kind has in common (`apimachinery/pkg/api/validation/objectmeta.go`).

use serde_json::Value;

use crate::cursor::{Field, Findings, same};
use crate::edit::Edit;
use crate::field::go_quote;
use crate::labels;
use crate::limits::{ANNOTATIONS_MAX_BYTES, FIELD_MANAGER_MAX, SUBRESOURCE_MAX};
use crate::names::{self, NameRule};

/// What upstream says of a field that must stay as it is.
pub const IMMUTABLE: &str = "field is immutable";

/// The finalizers of the garbage collector, which exclude each other.
const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// Checks the metadata of a new object: `meta` is its `metadata`.
pub fn validate_create(meta: &Value, namespaced: bool, rule: NameRule) -> Findings {
    create(&Field::at("metadata", Some(meta)), namespaced, rule)
}

/// Checks what an update does to metadata.
pub fn validate_update(new: &Value, old: &Value) -> Findings {
    update(
        &Field::at("metadata", Some(new)),
        &Field::at("metadata", Some(old)),
    )
}

/// [`validate_create`] at a place.
pub fn create(meta: &Field<'_>, namespaced: bool, rule: NameRule) -> Findings {
    let mut out = Vec::new();
    let generate = meta.get("generateName");
    if !generate.is_empty() {
        out.extend(
            rule(generate.str(), true)
                .into_iter()
                .map(|text| generate.invalid(text)),
        );
    }
    let name = meta.get("name");
    if name.is_empty() {
        out.push(name.required("name or generateName is required"));
    } else {
        out.extend(rule(name.str(), false).into_iter().map(|text| name.invalid(text)));
    }
    let namespace = meta.get("namespace");
    match (namespaced, namespace.is_empty()) {
        (true, true) => out.push(namespace.required("")),
        (true, false) => {
            let texts = names::dns_label_name(namespace.str(), false);
            out.extend(texts.into_iter().map(|text| namespace.invalid(text)));
        }
        (false, false) => out.push(namespace.forbidden("not allowed on this type")),
        (false, true) => {}
    }
    non_negative(&meta.get("generation"), &mut out);
    labels::validate_labels(&meta.get("labels"), &mut out);
    annotations(&meta.get("annotations"), &mut out);
    owner_references(&meta.get("ownerReferences"), &mut out);
    finalizers(&meta.get("finalizers"), &mut out);
    managed_fields(&meta.get("managedFields"), &mut out);
    out
}

/// [`create`] and [`kube_finalizers`]: what kinds check whose updates are checked as creates too.
pub fn create_of_kubernetes(meta: &Field<'_>, namespaced: bool, rule: NameRule) -> Findings {
    let mut out = create(meta, namespaced, rule);
    kube_finalizers(meta, &mut out);
    out
}

/// [`validate_update`] at a place.
pub fn update(new: &Field<'_>, old: &Field<'_>) -> Findings {
    let mut out = Vec::new();
    if old.get("deletionTimestamp").exists() {
        no_new_finalizers(&new.get("finalizers"), &old.get("finalizers"), &mut out);
    }
    let version = new.get("resourceVersion");
    if version.is_empty() {
        out.push(version.invalid("must be specified for an update"));
    }
    let generation = new.get("generation");
    if generation.int() < old.get("generation").int() {
        out.push(generation.invalid_value(generation.int(), "must not be decremented"));
    }
    for name in ["name", "namespace", "uid"] {
        let (new, old) = (new.get(name), old.get(name));
        if new.str() != old.str() {
            out.push(new.invalid(IMMUTABLE));
        }
    }
    for name in [
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        immutable(&new.get(name), &old.get(name), &mut out);
    }
    labels::validate_labels(&new.get("labels"), &mut out);
    annotations(&new.get("annotations"), &mut out);
    owner_references(&new.get("ownerReferences"), &mut out);
    managed_fields(&new.get("managedFields"), &mut out);
    out
}

/// A field that an update may not change.
pub fn immutable(new: &Field<'_>, old: &Field<'_>, out: &mut Findings) {
    if !new.same(old) {
        out.push(new.invalid_value(new.value().cloned().unwrap_or_default(), IMMUTABLE));
    }
}

/// A number that is not below 0.
pub fn non_negative(field: &Field<'_>, out: &mut Findings) {
    if field.int() < 0 {
        out.push(field.invalid("must be greater than or equal to 0"));
    }
}

/// Before a status update: all but status stays as it is, metadata's managedFields and resourceVersion aside.
pub fn prepare_status(new: &mut Value, old: &Value) {
    new.keep("spec", old);
}

/// Before an update of a subresource: of metadata only managedFields and what identifies the object may differ
/// (`metav1 ResetObjectMetaForStatus`).
pub fn keep_for_status(new: &mut Value, old: &Value) {
    let empty = Value::Null;
    let old = old.get("metadata").unwrap_or(&empty);
    let meta = new.ensure("metadata");
    for name in [
        "deletionTimestamp",
        "generation",
        "labels",
        "annotations",
        "finalizers",
        "ownerReferences",
    ] {
        meta.keep(name, old);
    }
}

/// Before a create: the generation of kinds that count changes of their spec starts at 1.
pub fn first_generation(object: &mut Value) {
    object.ensure("metadata").set("generation", 1);
}

/// Before an update: the generation goes up by one if `spec` changed.
pub fn bump_generation(new: &mut Value, old: &Value) {
    if !same(new.get("spec"), old.get("spec")) {
        next_generation(new, old);
    }
}

/// Before an update that counts: one more than the old generation.
pub fn next_generation(new: &mut Value, old: &Value) {
    let generation = Field::root(old).get("metadata").get("generation").int();
    new.ensure("metadata")
        .set("generation", generation.saturating_add(1));
}

/// The keys of annotations are qualified names but for their case; all together are bounded.
pub fn annotations(annotations: &Field<'_>, out: &mut Findings) {
    let mut total = 0;
    for (key, value) in annotations.entries() {
        let texts = names::qualified_name(&key.to_lowercase());
        out.extend(texts.into_iter().map(|text| annotations.invalid_value(key, text)));
        total += key.len() + value.str().len();
    }
    if total > ANNOTATIONS_MAX_BYTES {
        out.push(annotations.too_long(ANNOTATIONS_MAX_BYTES));
    }
}

fn owner_references(references: &Field<'_>, out: &mut Findings) {
    let mut controller: Option<String> = None;
    for owner in references.list() {
        owner_reference(references, &owner, out);
        if owner.get("controller").bool() {
            let this = format!("{}/{}", owner.get("kind").str(), owner.get("name").str());
            match &controller {
                Some(first) => out.push(references.invalid_shown(
                    format!("[{}]", references.list().map(|owner| shown_owner(&owner)).collect::<Vec<_>>().join(",")),
                    format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} \
                         and {this}"
                    ),
                )),
                None => controller = Some(this),
            }
        }
    }
}

/// Upstream reports at the list, not at its items.
fn owner_reference(references: &Field<'_>, owner: &Field<'_>, out: &mut Findings) {
    let empty =
        |name: &'static str, detail: &str| references.get(name).invalid_value(owner.get(name).str(), detail);
    let version = owner.get("apiVersion").str();
    if version.is_empty() || version.ends_with('/') || version.matches('/').count() > 1 {
        out.push(empty("apiVersion", "version must not be empty"));
    }
    for name in ["kind", "name", "uid"] {
        if owner.get(name).is_empty() {
            out.push(empty(name, "must not be empty"));
        }
    }
    if version == "v1" && owner.get("kind").str() == "Event" {
        let detail = "/v1, Kind=Event is disallowed from being an owner";
        out.push(references.invalid_shown(shown_owner(owner), detail));
    }
}

/// An owner reference as Go's encoder writes it: in the order of its declaration.
fn shown_owner(owner: &Field<'_>) -> String {
    let text = |name: &'static str| Value::from(owner.get(name).str()).to_string();
    let mut shown = format!(
        r#"{{"apiVersion":{},"kind":{},"name":{},"uid":{}"#,
        text("apiVersion"),
        text("kind"),
        text("name"),
        text("uid")
    );
    for name in ["controller", "blockOwnerDeletion"] {
        if let Some(truth) = owner.get(name).opt_bool() {
            shown.push_str(&format!(r#","{name}":{truth}"#));
        }
    }
    shown.push('}');
    shown
}

fn finalizers(finalizers: &Field<'_>, out: &mut Findings) {
    for name in finalizers.strings() {
        let texts = names::qualified_name(name);
        out.extend(texts.into_iter().map(|text| finalizers.invalid_value(name, text)));
    }
    let has = |wanted: &str| finalizers.strings().any(|name| name == wanted);
    if has(ORPHAN) && has(FOREGROUND) {
        out.push(finalizers.invalid(format!("finalizer {ORPHAN} and {FOREGROUND} cannot be both set")));
    }
}

/// What the kinds of Kubernetes itself hold finalizers to besides: a name without a domain is one of the old three
/// (`pkg/apis/core/validation validateKubeFinalizerName`).
pub fn kube_finalizers(meta: &Field<'_>, out: &mut Findings) {
    for name in meta.items("finalizers") {
        let known = matches!(name.str(), "kubernetes" | ORPHAN | FOREGROUND);
        if !known && !name.str().contains('/') {
            out.push(name.invalid("name is neither a standard finalizer name nor is it fully qualified"));
        }
    }
}

fn no_new_finalizers(new: &Field<'_>, old: &Field<'_>, out: &mut Findings) {
    let mut extra: Vec<&str> = new
        .strings()
        .filter(|name| !old.strings().any(|old| old == *name))
        .collect();
    extra.sort_unstable();
    extra.dedup();
    if extra.is_empty() {
        return;
    }
    let list: Vec<String> = extra.into_iter().map(go_quote).collect();
    out.push(new.forbidden(format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        list.join(", ")
    )));
}

fn managed_fields(entries: &Field<'_>, out: &mut Findings) {
    for entry in entries.list() {
        let operation = entry.get("operation");
        if !matches!(operation.str(), "Apply" | "Update") {
            out.push(operation.invalid("must be `Apply` or `Update`"));
        }
        let r#type = entry.get("fieldsType");
        if !matches!(r#type.str(), "" | "FieldsV1") {
            out.push(r#type.invalid("must be `FieldsV1`"));
        }
        field_manager(&entry.get("manager"), out);
        let subresource = entry.get("subresource");
        if subresource.len() > SUBRESOURCE_MAX {
            out.push(subresource.too_long(SUBRESOURCE_MAX));
        }
    }
}

/// The name of a field manager, here and in the `fieldManager` parameter.
pub fn field_manager(manager: &Field<'_>, out: &mut Findings) {
    if manager.len() > FIELD_MANAGER_MAX {
        out.push(manager.too_long(FIELD_MANAGER_MAX));
    }
    for (position, c) in manager.str().char_indices() {
        if c.is_control() {
            let detail = format!(
                "invalid character U+{:04X} (at position {position})",
                u32::from(c)
            );
            out.push(manager.invalid(detail));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(found: &Findings) -> Vec<String> {
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn new_metadata_is_judged_in_upstreams_order() {
        let meta = json!({
            "generateName": "Ab-", "namespace": "x.y", "generation": -1, "labels": {"a": "-"},
            "annotations": {"A/b": "", "a b": ""}, "finalizers": ["orphan", "foregroundDeletion"],
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Event", "name": "e", "uid": "u", "controller": true},
                {"apiVersion": "", "kind": "K", "name": "", "uid": "u", "controller": true},
            ],
        });
        let found = texts(&validate_create(&meta, true, names::dns_subdomain_name));
        let starts = [
            "metadata.generateName: Invalid value: \"Ab-\": a lowercase RFC 1123",
            "metadata.name: Required value: name or generateName is required",
            "metadata.namespace: Invalid value: \"x.y\": must not contain dots",
            "metadata.generation: Invalid value: -1: must be greater than or equal to 0",
            "metadata.labels: Invalid value: \"-\": a valid label",
            "metadata.annotations: Invalid value: \"a b\": name part must consist",
            "metadata.ownerReferences: Invalid value: {\"apiVersion\":\"v1\",\"kind\":\"Event\",\"name\":\"e\",\
             \"uid\":\"u\",\"controller\":true}: /v1, Kind=Event is disallowed",
            "metadata.ownerReferences.apiVersion: Invalid value: \"\": version must not be empty",
            "metadata.ownerReferences.name: Invalid value: \"\": must not be empty",
            "metadata.ownerReferences: Invalid value: [{\"apiVersion\":\"v1\",",
            "metadata.finalizers: Invalid value: [\"orphan\",\"foregroundDeletion\"]: finalizer orphan and",
        ];
        assert_eq!(found.len(), starts.len(), "{found:#?}");
        for (found, start) in found.iter().zip(starts) {
            assert!(found.starts_with(start), "{found}\n{start}");
        }
    }

    #[test]
    fn an_update_keeps_what_identifies_the_object() {
        let old = json!({"name": "a", "uid": "1", "resourceVersion": "1", "generation": 2,
            "deletionTimestamp": "2020-01-01T00:00:00Z", "finalizers": ["a/b"]});
        let new = json!({"name": "b", "uid": "1", "generation": 1, "finalizers": ["c/d", "a/b"],
            "deletionTimestamp": "2020-01-01T00:00:00Z"});
        assert_eq!(
            texts(&validate_update(&new, &old)),
            [
                "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found \
                 new finalizers []string{\"c/d\"}",
                "metadata.resourceVersion: Invalid value: \"\": must be specified for an update",
                "metadata.generation: Invalid value: 1: must not be decremented",
                "metadata.name: Invalid value: \"b\": field is immutable",
            ]
        );
    }
}
