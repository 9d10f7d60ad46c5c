//! The status of a definition: which names it got, whether it is served (`apiextensions-apiserver/pkg/controller/status`,
//! `establish`, `apiapproval`).

use serde_json::{Map, Value, json};

use super::definitions::Taken;

/// Whether a condition of a definition is true.
pub(crate) fn is_true(definition: &Value, condition: &str) -> bool {
    find(definition, condition).is_some_and(|condition| condition["status"] == "True")
}

fn find<'d>(definition: &'d Value, condition: &str) -> Option<&'d Value> {
    let conditions = definition["status"]["conditions"].as_array()?;
    conditions.iter().find(|found| found["type"] == condition)
}

/// Sets a condition; its time stays where its status stays.
pub(crate) fn set(definition: &mut Value, kind: &str, status: &str, reason: &str, message: &str, now: &str) {
    let old = find(definition, kind).filter(|old| old["status"] == status);
    let since = old.map_or(Value::from(now), |old| old["lastTransitionTime"].clone());
    let condition = json!({
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": since,
    });
    let conditions = &mut definition["status"]["conditions"];
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(conditions) = conditions.as_array_mut() else {
        return;
    };
    match conditions.iter_mut().find(|found| found["type"] == kind) {
        Some(found) => *found = condition,
        None => conditions.push(condition),
    }
}

fn remove(definition: &mut Value, kind: &str) {
    if let Some(conditions) = definition["status"]["conditions"].as_array_mut() {
        conditions.retain(|found| found["type"] != kind);
    }
}

/// The definition with the status that it should have, given the names that are taken in its group.
pub(crate) fn settle(definition: &Value, taken: &Taken, now: &str) -> Value {
    let mut settled = definition.clone();
    approval(&mut settled, now);
    let conflict = accept_names(&mut settled, taken);
    let (status, reason, message) = match &conflict {
        None => ("True", "NoConflicts", "no conflicts found"),
        Some((reason, message)) => ("False", *reason, message.as_str()),
    };
    set(&mut settled, "NamesAccepted", status, reason, message, now);
    if !is_true(definition, "Established") {
        match conflict {
            None => {
                let message = "the initial names have been accepted";
                set(
                    &mut settled,
                    "Established",
                    "True",
                    "InitialNamesAccepted",
                    message,
                    now,
                );
            }
            Some(_) => {
                let message = "not all names are accepted";
                set(&mut settled, "Established", "False", "NotAccepted", message, now);
            }
        }
    }
    match unenforced(definition).as_slice() {
        [] => remove(&mut settled, NOT_ENFORCED),
        some => set(
            &mut settled,
            NOT_ENFORCED,
            "True",
            "NotSupported",
            &some.join("; "),
            now,
        ),
    }
    settled
}

/// Our own condition: what the definition asks for and this server does not do.
const NOT_ENFORCED: &str = "NotEnforced";

/// What a definition asks for and this server does not do.
pub(crate) fn unenforced(definition: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
    let with_rules: Vec<&str> = versions
        .filter(|version| has_rules(&version["schema"]["openAPIV3Schema"]))
        .filter_map(|version| version["name"].as_str())
        .collect();
    if !with_rules.is_empty() {
        found.push(format!(
            "x-kubernetes-validations (rules in CEL) are not enforced in versions {}",
            with_rules.join(", ")
        ));
    }
    if definition["spec"]["conversion"]["strategy"] == "Webhook" {
        found.push(
            "the conversion webhook is not called: objects are converted as with strategy None".to_owned(),
        );
    }
    found
}

fn has_rules(schema: &Value) -> bool {
    let own = schema["x-kubernetes-validations"].as_array();
    own.is_some_and(|rules| !rules.is_empty())
        || match schema {
            Value::Object(fields) => fields.iter().any(|(word, value)| match word.as_str() {
                "properties" => value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .any(|(_, below)| has_rules(below)),
                "items" | "additionalProperties" | "not" => has_rules(value),
                "allOf" | "anyOf" | "oneOf" => value.as_array().into_iter().flatten().any(has_rules),
                _ => false,
            }),
            _ => false,
        }
}

/// Moves the names that are free into `acceptedNames`; the last conflict, as reason and message.
fn accept_names(definition: &mut Value, taken: &Taken) -> Option<(&'static str, String)> {
    let wanted = definition["spec"]["names"].clone();
    let held = definition["status"]["acceptedNames"].clone();
    let mut accepted = held.as_object().cloned().unwrap_or_default();
    let mut conflict = None;
    let in_use = |name: &str| format!("{name:?} is already in use");
    let names = [
        ("plural", "PluralConflict", &taken.resources),
        ("singular", "SingularConflict", &taken.resources),
        ("shortNames", "ShortNamesConflict", &taken.resources),
        ("kind", "KindConflict", &taken.kinds),
        ("listKind", "ListKindConflict", &taken.kinds),
    ];
    for (field, reason, taken) in names {
        let old = list(&held[field]);
        let fresh = list(&wanted[field]);
        let mut texts: Vec<String> = Vec::new();
        for name in &fresh {
            if !name.is_empty() && !old.contains(name) && taken.contains(*name) {
                texts.push(in_use(name));
            }
        }
        if texts.is_empty() {
            set_or_remove(&mut accepted, field, &wanted[field]);
        } else {
            conflict = Some((reason, crate::status::aggregate(texts.into_iter())));
        }
    }
    set_or_remove(&mut accepted, "categories", &wanted["categories"]);
    for field in ["plural", "kind"] {
        accepted.entry(field).or_insert_with(|| "".into());
    }
    definition["status"]["acceptedNames"] = accepted.into();
    conflict
}

fn list(names: &Value) -> Vec<&str> {
    match names {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn set_or_remove(names: &mut Map<String, Value>, field: &str, value: &Value) {
    if value.is_null() {
        names.remove(field);
    } else {
        names.insert(field.to_owned(), value.clone());
    }
}

/// The annotation with which somebody of the community says yes to a definition in one of its groups.
const APPROVED: &str = "api-approved.kubernetes.io";

/// Groups that belong to the community.
fn is_protected(group: &str) -> bool {
    ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|own| group == *own || group.ends_with(&format!(".{own}")))
}

/// What an annotation says: status and reason of its condition, and its message (`apihelpers.GetAPIApprovalState`).
fn approval_state(annotation: &str) -> (&'static str, &'static str, String) {
    let see = "see https://github.com/kubernetes/enhancements/pull/1111";
    let is_url = annotation
        .split_once("://")
        .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.trim_start_matches('/').is_empty());
    if annotation.is_empty() {
        let text = format!("protected groups must have approval annotation {APPROVED:?}, {see}");
        ("False", "MissingAnnotation", text)
    } else if annotation.starts_with("unapproved") {
        (
            "False",
            "UnapprovedAnnotation",
            format!("not approved: {annotation:?}"),
        )
    } else if is_url {
        ("True", "ApprovedAnnotation", format!("approved in {annotation}"))
    } else {
        let text = format!(
            "protected groups must have approval annotation {APPROVED:?} with either a URL or a reason starting with \
             \"unapproved\", {see}"
        );
        ("False", "InvalidAnnotation", text)
    }
}

fn approval(definition: &mut Value, now: &str) {
    if is_protected(definition["spec"]["group"].as_str().unwrap_or_default()) {
        let annotation = definition["metadata"]["annotations"][APPROVED].as_str();
        let (status, reason, message) = approval_state(annotation.unwrap_or_default());
        let kind = "KubernetesAPIApprovalPolicyConformant";
        set(definition, kind, status, reason, &message, now);
    }
}
